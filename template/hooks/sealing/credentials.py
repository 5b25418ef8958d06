"""Plaintext credentials in a text: what must never stand in a file of this repository."""

from __future__ import annotations

import re

# kind -> what it looks like. Placeholders such as <password>, ${PASSWORD} or {{ password }} do not match.
_KINDS: dict[str, str] = {
    "an age private key": r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "an AWS access key id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "an AWS secret access key": r"""AWS_SECRET_ACCESS_KEY["']?\s*[:=]\s*["']?[A-Za-z0-9/+]{40}\b""",
    "an Azure client secret": r"""AZURE_CLIENT_SECRET["']?\s*[:=]\s*["']?[A-Za-z0-9._~-]{20,}""",
    "a GitHub token": r"\b(?:gh[a-z]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a key of the proxy": r"\bsk-[A-Za-z0-9]{20,}\b",
    "a database password": (
        r"""\b(?:LITELLM_DATABASE_PASSWORD|LITELLM_REDIS_PASSWORD|POSTGRES_PASSWORD|REDIS_PASSWORD)"""
        r"""["']?[ \t]*[:=][ \t]*["']?[A-Za-z0-9._~-]{6,}"""
    ),
    "a password in a URL": r"\b[a-z][a-z0-9+]*://[^\s:/@$<{(\"']+:[^\s:/@$<{(\"']+@",
}
_ANY = re.compile(
    "|".join(f"(?P<k{number}>{pattern})" for number, pattern in enumerate(_KINDS.values()))
)
_NAMES = list(_KINDS)


def find(text: str) -> list[tuple[int, str]]:
    """The plaintext credentials in `text`: (line from 1, kind), never the credential itself."""
    found = []
    for match in _ANY.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append((line, _NAMES[int(str(match.lastgroup)[1:])]))
    return found
