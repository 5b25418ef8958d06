"""Programs of one's own in Python: what Python cannot read of them, and names that are slips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from litellm_gitops.languages import syntax

_LARGE = 200_000  # bytes; nobody writes such a file by hand
# another Python, templates, and half of a merge
_OTHER = re.compile(r"\A#!.*python2|\{\{.*\}\}|\{%.*%\}|^<{7} ", re.MULTILINE)


def flaws(content: str) -> Iterator[tuple[str, str]]:
    """(what is wrong, what to do) with a file of Python."""
    if len(content) < _LARGE and "\0" not in content and not _OTHER.search(content):
        yield from _flaws(content)


@lru_cache(maxsize=64)
def _flaws(content: str) -> tuple[tuple[str, str], ...]:
    return (*syntax.slips(content),)
