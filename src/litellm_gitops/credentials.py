"""Plaintext credentials in a file: what must never stand in one of this repository."""

from __future__ import annotations

import base64
import codecs
import re

# a longer mark before the one that it begins with
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
GITHUB_TOKEN = r"gh[a-z]_[A-Za-z0-9_]{20,255}"  # the one form of it, for whoever takes one
_AGE, _PEM = "AGE-SECRET-KEY-", "PRIVATE KEY-----"
# a value that code or Terraform reads from elsewhere
_ELSEWHERE = r"(?!(?:var|local|data|module|os|process|env|self|settings|config|random_password)\.\w)"
# kind -> what it looks like, and texts of which one stands in every match: where there is none of them, the slower
# search is spared. Placeholders such as <password>, ${PASSWORD} or {{ password }} do not match. A pattern that begins
# with plain letters is found ten times as fast, so what must stand before them follows in a lookbehind.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "an age private key": (rf"{_AGE}(?:PQ-)?1[0-9A-Z]{{20,}}", (_AGE,)),
    "a private key": (rf"-----BEGIN (?:[A-Z]+ )*{_PEM}", (_PEM,)),
    "an AWS access key id": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b(?<!EXAMPLE)", ("AKIA", "ASIA")),
    "an AWS secret access key": (
        # a variable, ~/.aws/credentials, `aws configure export-credentials`; what AWS publishes ends in EXAMPLEKEY
        r"""(?:AWS_SECRET_ACCESS_KEY|aws_secret_access_key|SecretAccessKey)["']?\s*[:=]\s*["']?"""
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
        rf"gh(?<!\wgh){GITHUB_TOKEN[2:]}|github_pat_(?<!\wgithub_pat_)[A-Za-z0-9_]{{20,}}",
        ("gh", "github_pat_"),
    ),
    "a GitLab token": (r"\bglpat-[A-Za-z0-9_-]{20,}", ("glpat-",)),
    "a token of Hugging Face": (r"\bhf_[A-Za-z0-9]{30,}\b", ("hf_",)),
    "a token of Slack": (
        r"\bxox[abeprs]-[A-Za-z0-9-]{20,}|hooks\.slack\.com/services/T\w+/B\w+/\w{20,}",
        ("xox", "hooks.slack"),
    ),
    "a key of the proxy or of OpenAI": (r"\bsk-[A-Za-z0-9]{20,}\b", ("sk-",)),
    "a key of OpenAI or Anthropic": (r"\bsk-(?:proj|svcacct|admin|ant)-[A-Za-z0-9_-]{20,}", ("sk-",)),
    "a key of Groq or xAI": (r"\b(?:gsk_|xai-)[A-Za-z0-9]{40,}\b", ("gsk_", "xai-")),
    "a database password": (
        r"""\b(?:LITELLM_DATABASE_PASSWORD|LITELLM_REDIS_PASSWORD|POSTGRES_PASSWORD|REDIS_PASSWORD)"""
        rf"""["']?[ \t]*[:=][ \t]*["']?{_ELSEWHERE}[A-Za-z0-9._~-]{{6,}}""",
        ("_PASSWORD",),
    ),
    # an image by its digest has the same signs
    "a password in a URL": (r"://(?<=[a-z0-9+]://)[^\s:/@$<{(\"']*:[^\s:/@$<{(\"']+@(?!sha256:)", ("://",)),
}
_PLACEHOLDER = re.compile(r"([A-Za-z0-9*])\1{11}")  # ghp_xxxxxxxxxxxx…: nobody's token
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
    return "|".join(r"(?:\s|\\n)*".join(map(re.escape, form)) for form in forms), hints


_KINDS |= {f"{kind} in base64": _base64(text) for kind, text in zip(_KEYS_OF_OURS, (_AGE, _PEM), strict=True)}
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


def find(text: str) -> list[tuple[int, str]]:
    """The plaintext credentials in `text`: (line from 1, kind), never the credential itself."""
    return sorted(
        {
            (text.count("\n", 0, match.start()) + 1, kind)
            for kind, hints, pattern in _SEARCHES
            if any(hint in text for hint in hints)
            for match in pattern.finditer(text)
            if kind in _KEYS_OF_OURS or not _PLACEHOLDER.search(match[0])
        }
    )
