"""Plaintext credentials in a file: what must never stand in one of this repository."""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterator
from functools import cache

# a longer mark before the one that it begins with
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The one form of it, for whoever takes one, and of those that Copilot takes, whole: of an OAuth app (gho_), or of a
# GitHub App for a user (ghu_). They have had 36 characters behind that, and will have more: since 2026 those of an
# installation hold a JWT.
GITHUB_TOKEN = r"gh[a-z]_[A-Za-z0-9_]{20,255}"
COPILOT_TOKEN = r"gh[ou]_[A-Za-z0-9_.-]{36,2000}"
_AGE, _PEM, _PGP, _PUTTY = "AGE-SECRET-KEY-", "PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "PuTTY-User-Key-File-"
# a value that code or Terraform reads from elsewhere
_ELSEWHERE = r"(?!(?:var|local|data|module|os|process|env|self|settings|config|random_password)\.\w)"
# what stands behind the first line of a key where there is none: what names it, or prose in a comment
_ABSENT = (
    r"(?:\s|\\n|#)*(?:(?:[^\s-]{1,20}\s+)?-----END |\.\.\.|…|<|\$\{|\{\{)"
    r"|(?:[ \t]*\n[ \t]*##?)+[ \t]*[A-Za-z]{1,15} [a-z]"
)
# what stands where nobody can log in from elsewhere, and in examples
_KNOWN = "(?:(?i:passw(?:or|0r)d|passwd|postgres|change[-_]?me)|secret)"
_NOBODYS = r"(?i:(?:my|your|the|this|some|a|user|db|test)[-_]?(?:passw(?:or)?d|pass)|redis)"  # in documents
# what somebody wrote there: not what a shell, a template or a reader is to put in, and no mere word
_LITERAL = (
    r"""["']?(?![$<{%*/@])(?=[^\s"'$]*\d)(?=[^\s"'$]*[A-Za-z])"""
    r"""(?!(?i:changeme|password|secret)\d{0,3}(?!\w))[^\s"'$`]{8,}"""
)
# What the keys of a vendor begin with, of those that a gateway calls, logs to, or is deployed from.
_PREFIXES = {
    "Perplexity": ("pplx-",),
    "NVIDIA": ("nvapi-",),
    "Replicate": ("r8_",),
    "Cerebras": ("csk-",),
    "Pinecone": ("pcsk_",),
    "Tavily": ("tvly-",),
    "Bedrock": ("ABSK", "bedrock-api-key-"),
    "Databricks": ("dapi",),
    "LangSmith": ("lsv2_pt_", "lsv2_sk_"),
    "New Relic": ("NRAK-",),
    "Grafana": ("glsa_", "glc_"),
    "Sentry": ("sntrys_", "sntryu_"),
    "Vault": ("hvs.", "hvb."),
    "GitLab": ("glptt-", "gldt-", "glrt-", "glcbt-", "glft-", "glsoat-", "gloas-", "glagent-", "glimt-", "glffct-"),
    "Docker Hub": ("dckr_pat_", "dckr_oat_"),
    "npm": ("npm_",),
    "PyPI": ("pypi-AgEI", "pypi-AgEN"),
    "Stripe": ("sk_live_", "rk_live_", "whsec_"),
    "Google's sign-in": ("GOCSPX-", "ya29."),
    "DigitalOcean": ("dop_v1_", "doo_v1_", "dor_v1_"),
    "Doppler": ("dp.pt.", "dp.st.", "dp.sa."),
    "Linear": ("lin_api_",),
    "Notion": ("ntn_",),
    "Figma": ("figd_",),
    "Shopify": ("shpat_", "shpca_", "shppa_", "shpss_"),
    "Square": ("sq0atp-", "sq0csp-"),
    "Cloudflare": ("v1.0-",),
    "Atlassian": ("ATATT3", "ATCTT3"),
    "Heroku": ("HRKU-",),
    "PlanetScale": ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"),
    "RubyGems": ("rubygems_",),
    "Dynatrace": ("dt0c01.", "dt0s16."),
    "Postman": ("PMAK-",),
    "Brevo": ("xkeysib-", "xsmtpsib-"),
    "Tailscale": ("tskey-auth-", "tskey-api-", "tskey-client-"),
    "CircleCI": ("CCIPAT_", "CCIPRJ_"),
    "Contentful": ("CFPAT-",),
    "Logfire": ("pylf_v1_",),
    "Braintrust": ("sk-bt-",),
    "Supabase's API": ("sb_secret_",),
    "Honeycomb": ("hcaik_", "hcxik_", "hcamk_"),
    "Weights & Biases": ("wandb_v1_",),
    "1Password": ("ops_eyJ",),
    "Volcengine": ("AKLT",),
}
# The same where words that are no key begin so, too: letters and digits alone follow, and many of them.
_SHORT = {
    "Supabase": "sbp_",
    "SonarQube": "squ_ sqp_ sqa_",
    "Netlify": "nfp_",
    "Jina": "jina_",
    "Anyscale": "esecret_",
    "Prefect": "pnu_",
    "E2B": "e2b_",
    "LlamaCloud": "llx-",
    "Pulumi": "pul-",
    "ElevenLabs": "sk_",
    "Buildkite": "bkua_",
    "Fly.io": "fm2_",
    "Firecrawl": "fc-",
    "Neon": "napi_",
    "PostHog": "phx_ phs_",
    "Friendli": "flp_",
    "Clojars": "CLOJARS_",
}
# kind -> what it looks like, and texts of which one stands in every match: where there is none of them, the slower
# search is spared. Placeholders such as <password>, ${PASSWORD} or {{ password }} do not match. A pattern that begins
# with plain letters is found ten times as fast, so what must stand before them follows in a lookbehind.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "an age private key": (rf"{_AGE}(?:PQ-)?1[0-9A-Z]{{20,}}", (_AGE,)),
    "a private key": (
        rf"-----BEGIN (?:[A-Z0-9]+ )*(?:{_PEM}|{_PGP})(?!{_ABSENT})|{_PUTTY}\d: [a-z]",
        (_PEM, _PGP, _PUTTY),
    ),
    "an AWS access key id": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b(?<!EXAMPLE)", ("AKIA", "ASIA")),
    "an AWS secret access key": (
        # a variable, ~/.aws/credentials, `aws configure export-credentials`; what AWS publishes ends in EXAMPLEKEY
        r"""(?:AWS_SECRET_ACCESS_KEY|aws_secret_access_key|SecretAccessKey)["']?(?:\s*[:=]\s*|[ \t]+)["']?"""
        r"[A-Za-z0-9/+]{40}(?<!EXAMPLEKEY)(?![A-Za-z0-9/+])",
        ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "SecretAccessKey"),
    ),
    "an Azure client secret": (
        rf"""AZURE_CLIENT_SECRET["']?\s*[:=]\s*["']?{_ELSEWHERE}[A-Za-z0-9._~-]{{20,}}|\b[A-Za-z0-9]{{3}}8Q~[\w.~-]{{34}}""",
        ("AZURE_CLIENT_SECRET", "8Q~"),
    ),
    "a key of Azure": (r"\b[A-Za-z0-9]{52}JQQJ9[9D][A-Za-z0-9]{4,}", ("JQQJ9",)),
    "a key of Google": (r"AIza(?<!\wAIza)[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", ("AIza",)),
    "a GitHub token": (
        rf"gh(?<!\wgh)(?!a_){GITHUB_TOKEN[2:]}|github_pat_(?<!\wgithub_pat_)[A-Za-z0-9_]{{20,}}",
        ("gh", "github_pat_"),
    ),
    "a GitLab token": (r"\bglpat-[A-Za-z0-9_-]{20,}", ("glpat-",)),
    "a key of an Azure storage account": (r"AccountKey=(?!Eby8vdM02x)[A-Za-z0-9/+]{86}==", ("AccountKey=",)),
    "a token of Hugging Face": (r"\b(?:hf|api_org)_[A-Za-z0-9]{30,40}\b", ("hf_", "api_org_")),
    "a signed token": (
        # not the one of https://jwt.io, which every document shows
        r"\beyJ[\w-]{10,}\.eyJ(?!zdWIiOiIxMjM0NTY3ODkwIiw)[\w-]{10,}\.[\w-]{20,}",
        ("eyJ",),
    ),
    "a key of SendGrid": (r"\bSG\.[\w-]{20,24}\.[\w-]{39,50}", ("SG.",)),
    "a token of Slack": (
        r"\bxox[abceoprs](?:\.xox[bp])?-[A-Za-z0-9-]{20,}+(?!#)|\bxapp-\d-[A-Za-z0-9-]{20,}"
        r"|hooks\.slack\.com/(?:services|workflows|triggers)/\w+/\w+/\w{20,}",
        ("xox", "xapp-", "hooks.slack"),
    ),
    "a key of the proxy or of OpenAI": (r"\bsk-[A-Za-z0-9]{20,}\b", ("sk-",)),
    "a key of OpenAI, Anthropic or another vendor of models": (
        r"\bsk-(?:proj|svcacct|admin|None|ant|or|lf|litellm)-[A-Za-z0-9_-]{20,}",
        ("sk-",),
    ),
    "a key of Groq or xAI": (r"\b(?:gsk_|xai-)[A-Za-z0-9]{40,}\b", ("gsk_", "xai-")),
    **{
        f"a key of {vendor}": (rf"\b(?:{'|'.join(map(re.escape, prefixes))})[A-Za-z0-9_.=-]{{20,}}", prefixes)
        for vendor, prefixes in _PREFIXES.items()
    },
    **{
        f"a key of {vendor}": (
            rf"\b(?:{'|'.join(map(re.escape, begin.split()))})(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{{26,}}\b",
            (*begin.split(),),
        )
        for vendor, begin in _SHORT.items()
    },
    # in base64 for addresses, so that a sign of these may stand within
    "a key of Voyage": (
        r"\bpa-(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[A-Za-z0-9_-]{40,48}(?![\w-])",
        ("pa-",),
    ),
    "a key of Jina's API": (r"\bjina_[0-9a-f]{32}[A-Za-z0-9_-]{20,}", ("jina_",)),
    "a key of Sourcegraph": (r"\bsgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}\b", ("sgp_",)),
    "a key of Helicone": (r"\bsk-helicone-(?:[a-z0-9]{7}-){3}[a-z0-9]{7}\b", ("sk-helicone-",)),
    "a key of Zhipu": (
        r"\.(?<=[0-9a-f]{32}\.)(?<!\w[0-9a-f]{32}\.)(?=[A-Za-z]*\d)(?=[A-Z\d]*[a-z])[A-Za-z0-9]{16}\b",
        (".",),
    ),
    "a key of Alibaba Cloud": (r"\bLTAI(?=[A-Za-z]*\d)[A-Za-z0-9]{20}\b", ("LTAI",)),
    "a key of Tencent Cloud": (r"\bAKID(?=[A-Za-z]*\d)[A-Za-z0-9]{32}\b", ("AKID",)),
    "a key of Airtable": (r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}\b", ("pat",)),
    "a token of Asana": (r"\b[12]/\d{10,}(?:/\d+)?:[0-9a-f]{32}\b", ("1/", "2/")),
    "a token of Terraform": (r"\b[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}", (".atlasv1.",)),
    "an OAuth secret of Databricks": (r"\bdose[0-9a-f]{32}\b", ("dose",)),
    "an HMAC key of Google": (r"\bGOOG1E[A-Z0-9]{55}\b", ("GOOG1E",)),
    "a token of Azure DevOps": (r"\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b", ("AZDO",)),
    "a webhook of Teams": (r"webhook\.office\.com/webhookb2/[\w@-]+/IncomingWebhook/[0-9a-f]{32}", ("webhookb2",)),
    "an AWS session token": (
        r"""(?i:aws_session_token|SessionToken)["']?\s*[:=]\s*["']?(?!AQoEXAMPLE)[A-Za-z0-9+/]{100,}""",
        ("AWS_SESSION_TOKEN", "aws_session_token", "SessionToken"),
    ),
    "a key of WireGuard": (
        r"(?m:^)(?:PrivateKey|PresharedKey)\s*=\s*[A-Za-z0-9+/]{43}=",
        ("PrivateKey", "PresharedKey"),
    ),
    "a key of Fireworks": (r"\bfw_(?=[A-Za-z]*\d)[A-Za-z0-9]{22,}\b", ("fw_",)),
    "a key of Mailchimp": (r"\b[0-9a-f]{32}-us\d{1,2}\b", ("-us",)),
    "a key of Mailgun": (r"\bkey-[0-9a-f]{32}\b", ("key-",)),
    "a key of Twilio": (r"\bSK[0-9a-f]{32}\b", ("SK",)),
    "a token of a bot of Telegram": (r"\b\d{8,10}:AA[\w-]{33}\b", (":AA",)),
    # the id of a bot in base64, a time, a signature
    "a token of a bot of Discord": (r"\b[MNO][A-Za-z0-9]{23,25}\.[\w-]{6}\.[\w-]{27,38}\b", (".",)),
    "a webhook of Discord": (r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,}", ("api/webhooks",)),
    "a signed address of Azure": (r"[?&]sig=[A-Za-z0-9%/+]{40,}(?:%3D|=)", ("sig=",)),
    "a token in a header": (
        r"Authorization[\"']?\s*[:=,]?\s*[\"']?(?i:Bearer|token)\s+(?=[\w.~+/-]*\d)"
        r"(?:[\w.~+/-]{32,}|(?=[\w.~+/-]*[A-Z])(?=[\w.~+/-]*[a-z])[\w.~+/-]{20,})=*",
        ("Authorization",),
    ),
    "a login in a header": (
        r"Authorization[\"']?\s*[:=,]?\s*[\"']?Basic\s+[A-Za-z0-9+/]{12,}={0,2}",
        ("Authorization",),
    ),
    "a key in a header": (
        r"(?i:api-key)[\"']?\s*:\s*[\"']?(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{24,}",
        ("api-key", "Api-Key", "API-Key", "API-KEY"),
    ),
    "a password in a command": (
        r"--(?:[a-z]+-)?(?:password|passwd|token|api-key)[ =][\"']?(?![$<{%*/])"
        r"(?=[^\s\"',]*\d)(?=[^\s\"',]*[A-Za-z])[^\s\"',]{12,}"
        r"|--from-literal[ =][\"']?[\w.-]*(?i:password|token|secret|key)=[\"']?(?![$<{%*/])"
        r"(?=[^\s\"',]*\d)[^\s\"',]{12,}"
        r"|--set(?:-string|-literal)?[ =][\"']?(?:[\w.-]+\.)?"
        r"(?i:\w*password|\w*token|(?:api|secret|master|salt)_?key|client_?secret)="
        r"[\"']?(?![$<{%*/])(?=[^\s\"',]*\d)(?=[^\s\"',]*[A-Za-z])[^\s\"',]{12,}"
        r"|curl\s(?:[^\n]*\s)?(?:-u|--user)[ =][\"']?[^\s:$\"'<{]+:"
        rf"(?![$<{{%*\[]|(?:{_KNOWN}|{_NOBODYS})(?![\w.~-]))[^\s\"'$]{{8,}}",
        ("-password", "-passwd", "-token", "-api-key", "--from-literal", "--set", "curl"),
    ),
    "a login in a command": (
        r"(?:(?:docker|podman|registry|az) login\s(?:[^\n]*\s)?-p[ =]|redis-cli\s(?:[^\n]*\s)?-a |sshpass -p"
        r"|mysql(?:dump|admin)?\s(?:[^\n]*\s)?-p)[\"' ]?(?![$<{%*/])"
        r"(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[^\s\"']{8,}",
        (" login", "redis-cli ", "sshpass -p", "mysql"),
    ),
    "a password in PowerShell": (
        # longer ones are encrypted: ConvertFrom-SecureString
        rf"ConvertTo-SecureString\s+(?:-String\s+)?(?=[\"'][^\"']{{8,99}}[\"']){_LITERAL}"
        rf"|\s-(?:Password|ApiKey|Token|ClientSecret) (?=[\"']){_LITERAL}",
        ("ConvertTo-SecureString", " -Password", " -ApiKey", " -Token", " -ClientSecret"),
    ),
    "a password of a file or a server": (
        rf"htpasswd -\w*b\w* (?:\S+ )?\S+ {_LITERAL}|-pass(?:in|out)? [\"']?pass:{_LITERAL}"
        rf"|--requirepass {_LITERAL}",
        ("htpasswd -", " pass:", "'pass:", '"pass:', "--requirepass"),
    ),
    "a secret that a command hands on": (
        rf"(?:echo|printf) (?:-n )?{_LITERAL}[\"']? *\|[^\n|]*(?:--password-stdin|--data-file=-|--stdin\b|--with-token)"
        rf"|secrets?(?:manager)? (?:set|create|create-secret|put-secret-value)\s[^\n]*"
        rf"--(?:body|value|secret-string)[ =]{_LITERAL}",
        ("-stdin", "--data-file=-", "--with-token", "--body", "--value", "--secret-string"),
    ),
    "a password in the settings of a server": (
        rf"(?m:^[ \t]*)(?:requirepass|masterauth|bindpw|(?i:HTTP_Passwd)|user \S+ (?:insecure-)?password"
        rf"|user \S+ on [^\n]*>(?=\S)) *{_LITERAL}",
        ("requirepass", "masterauth", "bindpw", "asswd", "password ", " on "),
    ),
    "a key of PagerDuty": (
        r"(?:routing|integration|service)_?[kK]ey[\"']?\s*[:=]\s*[\"']?(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{32}\b",
        ("_key", "Key"),
    ),
    "a credential in an image": (
        r"(?m:^)(?:ENV|ARG)\s+\w*(?:PASSWORD|TOKEN|SECRET|(?:API|SECRET|ACCESS|MASTER|SALT)_KEY)[= ][\"']?"
        r"(?=\S*\d)(?=\S*[A-Za-z])[^\s\"'$<{/:]{12,}",
        ("ENV ", "ARG "),
    ),
    "a password in XML": (
        r"<(?i:\w*password|\w*passphrase|api-?key|\w*-?token)>(?=[^<]*\d)(?=[^<]*[A-Za-z])[^\s<>${}]{8,}</",
        ("</",),
    ),
    "a password in an address": (
        r"[?&;](?i:password|pwd)=(?![$<{%*]|(?i:password|x+)\b)[^\s&;\"'$<{]{8,}"
        r"|[?&](?:api_?key|apiKey|(?:access_|private_|auth_)?token|client_secret)="
        r"(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z])[\w.-]{20,}",
        ("assword=", "ASSWORD=", "wd=", "WD=", "key=", "Key=", "token=", "_secret="),
    ),
    "a key of Azure's bus": (r"SharedAccessKey=[A-Za-z0-9/+]{43}=", ("SharedAccessKey=",)),
    "a token of npm's settings": (
        r"_authToken=(?!\$)[\w.=+/-]{20,}|(?m:^|:)_(?:auth|password)=(?!\$)[\w.=+/-]{20,}",
        ("_auth", "_password="),
    ),
    "a password in SQL": (
        r"(?i:\b(?:PASSWORD|IDENTIFIED BY)) '(?=[^']*\d)(?=[^']*[A-Za-z])[^'\s$<{:]{8,}'",
        ("PASSWORD '", "password '", "IDENTIFIED BY '", "identified by '"),
    ),
    "a login of a registry": (
        r"\"auths?\"\s*:\s*(?:\{\s*\"[^\"]+\"\s*:\s*\{[^{}]*\"auth\"\s*:\s*)?\"[A-Za-z0-9+/]{16,}={0,2}\"",
        ('"auth"', '"auths"'),
    ),
    "a login of .netrc": (r"\bmachine\s+\S+\s+login\s+\S+\s+password\s+(?![<$])\S{6,}", ("machine ",)),
    "a credential under a telling name": (
        # of a variable: a letter and a digit at least, so that no name of another one is taken for it
        r"""(?:API|APP|APPLICATION|ACCESS|SECRET|ACCOUNT|MASTER|SALT|SUBSCRIPTION)_KEY["']?\s*[:=]\s*["']?"""
        # what Sealed Secrets encrypts begins with the length of its key
        rf"{_ELSEWHERE}(?!Ag[A-D][A-Za-z0-9+/]{{300,}})"
        rf"(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9/+=_-]{{20,}}(?<!EXAMPLEKEY)(?![\w/+.([{{$])",
        ("_KEY",),
    ),
    "a database password": (
        r"""\b(?:LITELLM_DATABASE_PASSWORD|LITELLM_REDIS_PASSWORD|POSTGRES_PASSWORD|REDIS_PASSWORD)"""
        rf"""["']?[ \t]*[:=][ \t]*["']?{_ELSEWHERE}(?!{_KNOWN}(?![\w.~-]))[A-Za-z0-9._~-]{{6,}}""",
        ("_PASSWORD",),
    ),
    # an image by its digest has the same signs
    "a password in a URL": (
        rf"://(?<=[a-z0-9+]://)(?P<user>[^\s:/@$<{{(\"']*):(?!(?:(?P=user)|{_KNOWN}|{_NOBODYS}|pass|PASS|\*+|x+|%[svqd]|\[\w+\])@)[^\s:/@$<{{(\"']+@(?!sha256:)",
        ("://",),
    ),
}
# ghp_xxxxxxxxxxxx… and sk-ant-your-key-goes-here: nobody's
_PLACEHOLDER = re.compile(
    r"([A-Za-z0-9*#])\1{9}|EXAMPLE(?:\b|EXAMPLE)|[a-z]Here\b|(?i:your[-_]|[-_]here\b|example[-_]|placeholder|redacted|replace[-_]?(?:me|with)|-k123456CNTRL-)"
)
# the annotation that restarts pods for a Secret, whose own name may be that of a key: checksum/openai-api-key
_DIGEST = re.compile(r"""[ \t]*["']?checksum/[\w.-]+["']?:[ \t]*["']?[0-9a-f]{64}["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_RUN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/]{36,}={0,2}(?![A-Za-z0-9+/=_-])")
_PRINTED = frozenset(b"\t\n\r" + bytes(range(32, 127)))
_KEYS_OF_OURS = ("an age private key", "a private key")


def _base64(text: str) -> tuple[str, tuple[str, ...]]:
    """(what finds `text` in base64, its hints): three forms, because it depends on how many bytes stand before."""
    forms = []
    for before in range(3):
        encoded = base64.b64encode(b" " * before + text.encode()).decode()
        # without the characters that hold bits of what stands before or behind
        forms.append(encoded[-(-before * 8 // 6) : (before + len(text)) * 8 // 6])
    # one half is whole, wherever a line is broken
    hints = tuple(half for form in forms for half in (form[:8], form[-8:]))
    found = "|".join(r"(?:\s|\\n)*".join(map(re.escape, form)) for form in forms)
    return rf"(?:{found})(?![A-Za-z0-9+/]{{0,6}}(?:Li4u|4uL|uLi4))", hints  # ... is nobody's


_KINDS |= {
    f"{kind} in base64": _base64(text)
    for kind, text in zip((*_KEYS_OF_OURS, "a key of PGP"), (_AGE, _PEM, _PGP), strict=True)
}
_USER = re.compile(r"(?<=://)(?!git@|\*\*\*@)[^\s/@]+(?=@)")
_SEARCHES = [(kind, hints, re.compile(pattern)) for kind, (pattern, hints) in _KINDS.items()]


def decode(blob: bytes) -> str:
    """The text of a file, or what there is of text in one of any other kind: an archive, a swap file, UTF-16."""
    for mark, encoding in _MARKS:
        if blob.startswith(mark):
            return blob.decode(encoding, "replace")
    if b"\0" in blob:
        zeros = [blob[start::2].count(0) * 10 // (len(blob) // 2 + 1) for start in (0, 1)]
        if min(zeros) == 0 and max(zeros) > 5:  # every second byte: UTF-16 without its mark
            return blob.decode("utf-16-le" if zeros[1] else "utf-16-be", "replace")
    try:
        text = blob.decode("utf-8")
    except UnicodeDecodeError:
        text = blob.decode("latin-1")
    return text.replace("\0", "\n")


def redacted(text: str) -> str:
    """A message without the credentials that it quotes of a file, and without who logs in by a URL."""
    text = _USER.sub("***", text)
    for _, hints, pattern in _SEARCHES:
        if any(hint in text for hint in hints):
            text = pattern.sub("***", text)
    return text


def decoded(text: str) -> Iterator[tuple[int, str]]:
    """(line from 1, content) of all that is a text in base64."""
    for match in _RUN.finditer(text):
        whole = match[0][: len(match[0]) // 4 * 4]
        content = base64.b64decode(whole)
        if all(byte in _PRINTED for byte in content[:24]) and all(byte in _PRINTED for byte in content):
            yield text.count("\n", 0, match.start()) + 1, content.decode()


@cache
def find(text: str) -> list[tuple[int, str]]:
    """The plaintext credentials in `text`: (line from 1, kind), never the credential itself."""
    found = set(_found(text))
    for line, content in decoded(text):
        found |= {(line, f"{kind} in base64") for _, kind in _found(content)}
    return sorted(found)


def _found(text: str) -> Iterator[tuple[int, str]]:
    for kind, hints, pattern in _SEARCHES:
        for match in pattern.finditer(text) if any(hint in text for hint in hints) else ():
            if kind in _KEYS_OF_OURS or not (is_placeholder(match[0]) or _is_of_a_digest(text, match.start())):
                yield text.count("\n", 0, match.start()) + 1, kind


def is_placeholder(value: str) -> bool:
    """Whether a text says itself that a credential is to be put in its place."""
    return _PLACEHOLDER.search(value) is not None


def _is_of_a_digest(text: str, start: int) -> bool:
    """Whether what begins there stands in a line that gives the digest of a Secret."""
    return _DIGEST.match(text, text.rfind("\n", 0, start) + 1) is not None
