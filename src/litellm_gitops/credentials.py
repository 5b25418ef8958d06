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
_AGE, _PEM = "AGE-SECRET-KEY-", "PRIVATE KEY-----"
# kind -> what it looks like, and texts of which one stands in every match: where there is none of them, the slower
# search is spared. Placeholders such as <password>, ${PASSWORD} or {{ password }} do not match. A pattern that begins
# with plain letters is found ten times as fast, so what must stand before them follows in a lookbehind.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "an age private key": (rf"{_AGE}(?:PQ-)?1[0-9A-Z]{{20,}}", (_AGE,)),
    "a private key": (rf"-----BEGIN (?:[A-Z]+ )*{_PEM}", (_PEM,)),
    "an AWS access key id": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", ("AKIA", "ASIA")),
    "an AWS secret access key": (
        # a variable, ~/.aws/credentials, what `aws configure export-credentials` prints
        r"""(?:AWS_SECRET_ACCESS_KEY|aws_secret_access_key|SecretAccessKey)["']?\s*[:=]\s*["']?"""
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
        ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "SecretAccessKey"),
    ),
    "an Azure client secret": (
        r"""AZURE_CLIENT_SECRET["']?\s*[:=]\s*["']?[A-Za-z0-9._~-]{20,}""",
        ("AZURE_CLIENT_SECRET",),
    ),
    "a GitHub token": (
        r"gh(?<!\wgh)[a-z]_[A-Za-z0-9]{20,}|github_pat_(?<!\wgithub_pat_)[A-Za-z0-9_]{20,}",
        ("gh", "github_pat_"),
    ),
    "a GitLab token": (r"\bglpat-[A-Za-z0-9_-]{20,}", ("glpat-",)),
    "a key of the proxy": (r"\bsk-[A-Za-z0-9]{20,}\b", ("sk-",)),
    "a database password": (
        r"""\b(?:LITELLM_DATABASE_PASSWORD|LITELLM_REDIS_PASSWORD|POSTGRES_PASSWORD|REDIS_PASSWORD)"""
        r"""["']?[ \t]*[:=][ \t]*["']?[A-Za-z0-9._~-]{6,}""",
        ("_PASSWORD",),
    ),
    "a password in a URL": (
        r"://(?<=[a-z0-9+]://)[^\s:/@$<{(\"']*:[^\s:/@$<{(\"']+@",
        ("://",),
    ),
}


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


_KINDS |= {
    "an age private key in base64": _base64(_AGE),
    "a private key in base64": _base64(_PEM),
}
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
        }
    )
