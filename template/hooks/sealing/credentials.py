"""Plaintext credentials in a text: what must never stand in a file of this repository."""

from __future__ import annotations

import re

# kind -> what it looks like, and texts of which one stands in every match: where there is none of them, the slower
# search is spared. Placeholders such as <password>, ${PASSWORD} or {{ password }} do not match. A pattern that begins
# with plain letters is found ten times as fast, so what must stand before them follows in a lookbehind.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "an age private key": (r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,}", ("AGE-SECRET-KEY-",)),
    "a private key": (r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", ("PRIVATE KEY-----",)),
    "an AWS access key id": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", ("AKIA", "ASIA")),
    "an AWS secret access key": (
        r"""AWS_SECRET_ACCESS_KEY["']?\s*[:=]\s*["']?[A-Za-z0-9/+]{40}\b""",
        ("AWS_SECRET_ACCESS_KEY",),
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
        r"://(?<=[a-z0-9+]://)[^\s:/@$<{(\"']+:[^\s:/@$<{(\"']+@",
        ("://",),
    ),
}
_SEARCHES = [(kind, hints, re.compile(pattern)) for kind, (pattern, hints) in _KINDS.items()]


def find(text: str) -> list[tuple[int, str]]:
    """The plaintext credentials in `text`: (line from 1, kind), never the credential itself."""
    return sorted(
        (text.count("\n", 0, match.start()) + 1, kind)
        for kind, hints, pattern in _SEARCHES
        if any(hint in text for hint in hints)
        for match in pattern.finditer(text)
    )
