"""What stands where a value belongs and is none: what documentation and tools write, and references nobody resolved.

A real credential is random, so each pattern here asks for more than chance makes: of a million random values of any
vendor's form it takes none.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re

DOCUMENTATION = "is what documentation writes in place of a value: give your own"
_REFERENCE = "names a value that is kept elsewhere, which nothing here reads: give the value itself"
_HIDDEN = "is what a tool shows where it has no value, or hides it: give the value itself"
_BASE64 = "is in base64: decode it first, with `base64 -d`"
_EXPIRES = "is a token that expires within hours: give what lasts"

# What documentation writes in place of a value of any kind: YOUR_SECRET, <secret>, %%SECRET%%, change-me, xxxx, AWS's
# …EXAMPLE and …EXAMPLEKEY.
_ANYWHERE = re.compile(
    r"(?i:your|my)[-_ ](?:[\w-]+[-_ ])?(?i:key|secret|token|password|passwd|id|host|user|username|value)(?i:[-_ ]here)?"
    r"|(?i:your)[-_][\w-]*|<[A-Za-z][\w .:/-]*>|%%\w+%%|__[A-Za-z]\w*__"
    r"|(?i:change[-_ ]?(?:me|it)|replace[-_ ]?(?:me|this)|insert[-_ ].*[-_ ]here|placeholder|redacted|todo|tbd|dummy)"
    r"|(?:gh[a-z]_|AKIA|sk-)?(?:[xX]{4,}(?:[-_][xX]{4,})*|\*{3,}|\.{3,}|…)|[A-Za-z0-9/+]*EXAMPLE(?:KEY)?"
)
# The words of which documentation makes the value of a secret, one at least of those that nobody would choose.
_MARKS = (
    "your my insert enter put paste replace replaced change changed fill here placeholder dummy fake mock sample "
    "example todo tbd redacted hidden masked removed"
)
_OTHERS = (
    "the an this that some any with by me it in to be of for from goes secret key token password passwords passwd "
    "passphrase pass pwd pw api access client master salt admin value string text super very strong secure long "
    "random real actual new default azure aws entra google gcp openai litellm proxy github copilot oauth postgres "
    "postgresql pg redis database db app application service account user username id credential credentials"
)
# the longest first, since what was taken is not tried in another way
_WORDS = "|".join(sorted([*_MARKS.split(), *_OTHERS.split()], key=len, reverse=True))
_OF_WORDS = re.compile(
    rf"(?:sk|gh[a-z]|pk)?[-_ .<(\[{{]*(?=.*(?:{'|'.join(_MARKS.split())}))"
    rf"(?:(?>{_WORDS}|x{{3,}}|(?P<sign>[a-z0-9])(?P=sign){{3,}})[-_ .]*+)++[0-9]{{0,4}}[-_ .!>)\]}}]*",
    re.IGNORECASE,
)
# The passwords of quick starts: of LiteLLM, its chart, PostgreSQL's image.
_KNOWN = re.compile(
    r"pass(?:word|wd)?[0-9]{0,4}!?|(?:db|postgres)password[0-9]?|notagreatpassword|secret", re.IGNORECASE
)
# what Microsoft Learn writes: Aa1Bb~2Cc3.-Dd4Ee5…
_LEARN = re.compile(r"(?:(?P<letter>[A-Z])(?i:(?P=letter))[~._-]*[0-9][~._-]*){4,}(?:[A-Z][a-z]?)?")
_NOUN = r"(?:pass(?:word|wd)?|pw|secret|key|token|host|user(?:name)?|id|tenant|value|url)"
# what is wrong -> what it looks like, of any input
_NOT_RESOLVED = {
    _REFERENCE: (
        r"os\.environ/.*|(?:terraform output|kubectl get|aws secretsmanager|az keyvault|gcloud secrets|vault kv) .*"
        r"|op://.*|secretref:.*|vault:.*|ref\+\w+:/?/?.*|(?:sm|ssm|gcpsm|awssm|akv|azurekv|keyvault)://?.*"
        r"|arn:aws[\w-]*:[\w-]+:.*|@Microsoft\.KeyVault\(.*|projects/[\w:.-]+/secrets/.*|/subscriptions/[0-9a-f-]{36}/.*"
        r"|ENC\[.*|AQICAH[\w+/=-]+|-----BEGIN (?:AGE|PGP) .*"
        r"|\$\{[\w.:?+/\" '-]+\}|\$\([\w .:/|=\"'$-]+\)|\{\{.*\}\}|\{%.*%\}|<%.*%>|#\{[\w. -]+\}#?"
        r"|\(\([\w./:-]+\)\)|%\([\w.-]+\)s"
        rf"|(?i:\$(?:(?:[a-z0-9]+_)*|pg){_NOUN}|\$env:\w+|%[a-z_]*{_NOUN}%|[{{@]+[a-z_]*{_NOUN}[}}@]+|env(?:iron)?\[.*\])"
    ),
    _HIDDEN: (
        r"(?i:null|none|nil|undefined|unset|hidden|n/?a|\(unset\)|\(null\)|\(none\)|\(not set\)|<no value>|<nil>|<null>"
        r"|\(sensitive(?: value)?\)|\(known after apply\)|\(redacted\)|\[object object\]"
        r"|\[(?:redacted|filtered|masked|hidden|secret|removed|sensitive)[\w -]*\])|.{0,6}(?:\*{6,}|•{3,}|●{3,})"
    ),
    "is in typographic quotation marks: leave them out": r"[“”„‟«‘‚‛].*[“”‟»’‛]",
}
# of a secret
_OTHER_KIND = {
    "is a URL: give the one part of it that is wanted here": r"[a-z][a-z0-9+.-]{2,}://.*",
    "is the path of a file: give what the file holds": (
        r"file:.*|/(?:run|var|etc|home|root|tmp|mnt|opt|usr|Users|secrets|vault|workspace|srv)/[\w./-]+"
        r"|(?:~|\.{1,2})/(?:[\w.-]+/)*[\w-]+(?:/[\w-]+|\.(?:txt|json|key|pem|env|token|yml|yaml))"
        r"|[A-Za-z]:\\(?:[\w .-]+\\)*[\w-]+\.\w+|(?:gcp-service-account\.json|access-token|deployment_outputs\.env)"
    ),
    "begins with the name of a variable: give what follows its =": (
        r"(?:export )?(?:(?:AWS|AZURE|LITELLM|CODEMIE|GITHUB|POSTGRES|REDIS|DATABASE|DB)_[A-Z_]{2,}|PG[A-Z]{4,})"
        r" ?[=:] ?.*"
    ),
    _EXPIRES: r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*|.*[?&]X-Amz-(?:Signature|Credential)=.*|ya29\.[\w-]{20,}",
    "is a token of GitHub": r"(?:gh[a-z]_|github_pat_)\w{30,}",
    "is the access key id of an AWS user": r"A[KS]IA[A-Z0-9]{16}",
    "is a private key": r"-----BEGIN .*|AGE-SECRET-KEY-.*",
    "is a header: give what follows `Bearer`": r"(?i:(?:authorization: ?)?(?:bearer|basic|token) [\w.~+/=-]{8,})",
    "is JSON: give the one value of it that is wanted here": r"\{\s*\"\w+\"\s*:.*\}\s*",
}


def unresolved(text: str) -> str | None:
    """Why a text is a reference or the word of a tool in place of a value of any kind; None where it is neither."""
    return next((why for why, form in _NOT_RESOLVED.items() if re.fullmatch(form, text, re.DOTALL)), None)


def is_documented(text: str, *, secret: bool) -> bool:
    """Whether it is what documentation writes in place of a value; of a `secret` also what others may be named."""
    forms = (_ANYWHERE, _OF_WORDS, _KNOWN, _LEARN) if secret else (_ANYWHERE,)
    return any(form.fullmatch(text) for form in forms)


def of_another_kind(text: str) -> str | None:
    """Why a text is no secret that somebody chose, but a value of another kind; None where it may be one."""
    why = next((why for why, form in _OTHER_KIND.items() if re.fullmatch(form, text, re.DOTALL)), None)
    return why or (_BASE64 if _is_encoded(text) else None)


def is_pattern(text: str) -> bool:
    """Whether signs that should be random repeat themselves, or follow each other as in the alphabet."""
    size = len(text)
    follow = sum(ord(after) - ord(before) == 1 for before, after in itertools.pairwise(text))
    periodic = any(text[period:] == text[:-period] for period in range(1, size * 5 // 8 + 1))
    return size >= 16 and (len(set(text)) <= 4 or periodic or follow > size * 2 // 3)


def is_invented(uuid: str) -> bool:
    """Whether a UUID is one that a person made up: 00000000-…-0001, Learn's aaaabbbb-0000-cccc-1111-dddd2222eeee."""
    digits = uuid.lower().replace("-", "")
    *few, last = (len(set(part)) for part in uuid.lower().split("-"))
    known = ("0123456789abcdef", "123456781234", "123e4567e89b", "0f0e0d0c0b0a")
    return (max(few) <= 2 and last <= 3) or len(set(digits)) <= 6 or digits.startswith(known) or is_pattern(digits)


def _is_encoded(text: str) -> bool:
    """Whether it is another text in base64, by what chance does not make: 15 printable characters, or a known form."""
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii").rstrip("\n")
    except (binascii.Error, ValueError):
        return False
    if not decoded.isprintable():
        return False
    return len(decoded) >= 15 or bool(_KNOWN.fullmatch(decoded)) or decoded.startswith(("sk-", "AKIA"))
