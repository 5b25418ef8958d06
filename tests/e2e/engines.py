"""What both GitOps engines have in common for a story."""

from __future__ import annotations

import httpx

START_TIMEOUT = 60.0  # seconds
SYNC_TIMEOUT = 120.0  # seconds


def healthy(url: str) -> bool:
    """Whether a health endpoint answers 200."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
