"""What a commit may bring into the namespace, by group and kind, and which of these a misspelt word means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from litellm_gitops.documents import LOADER
from litellm_gitops.proxy_facts import closest


@cache
def _known() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.load((files(__package__) / "boundaries.yml").read_text("utf-8"), LOADER)
    return content


def meant_group(group: str) -> str:
    """The group that a misspelt one was meant to be; empty where it is none of these, misspelt."""
    return closest(group, filter(None, (*_known()["groups"], *_known()["kinds"]))) if group else ""


def meant_kind(kind: str, group: str | None = None, written: Callable[[str], str] = str) -> str:
    """The same for a kind, of one group or of any; `written` is how kinds are written."""
    kinds = _known()["kinds"]
    known = [each for some in kinds.values() for each in some] if group is None else kinds.get(group, [])
    return closest(kind, map(written, known))
