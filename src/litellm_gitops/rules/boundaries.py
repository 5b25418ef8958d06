"""Groups and kinds that are known here, with those of operators in boundaries.yml, and which a misspelt word means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from litellm_gitops import schemas
from litellm_gitops.documents import LOADER
from litellm_gitops.spelling import closest


@cache
def _permitted() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.load((files(__package__) / "boundaries.yml").read_text("utf-8"), LOADER)
    return content


@cache
def _known() -> Mapping[str, str]:
    table: Mapping[str, Any] = yaml.load((files(__package__) / "ecosystem.yml").read_text("utf-8"), LOADER)
    known: Mapping[str, str] = table["kinds"]
    return known


@cache
def kinds(version: str) -> Mapping[str, frozenset[str]]:
    """The kinds of each group that has a schema, for a version of Kubernetes; nothing where that is not known."""
    found: dict[str, set[str]] = {}
    for api_version, kind in schemas.known(version) if version else ():
        # of extensions, which is gone, more is in old roles than is known
        if not kind.endswith(("List", "Options")) and not api_version.startswith("extensions/"):
            found.setdefault(api_version.rpartition("/")[0], set()).add(kind)
    return {group: frozenset(known) for group, known in found.items()}


@cache
def kinds_of(version: str, group: str) -> frozenset[str]:
    """The kinds of a group that are known, with those of operators, of which there may be more."""
    permitted, known = _permitted()["kinds"].get(group, ()), _known().get(group, "").split()
    return kinds(version).get(group, frozenset()) | frozenset(permitted) | frozenset(known)


def meant_kind(version: str, group: str, kind: str) -> str:
    """The kind of a group that a misspelt one was meant to be; empty where that cannot be told."""
    known = kinds_of(version, group)
    return closest(kind, known) if kind not in known and "*" not in kind else ""


def meant_group(version: str, group: str) -> str:
    """The group that a misspelt one was meant to be; empty where that cannot be told."""
    known = {each for each in (*kinds(version), *_permitted()["groups"], *_permitted()["kinds"]) if each}
    if not group or group in known or "*" in group:
        return ""
    base = group.partition("/")[0]
    if "/" in group and base in known:
        return base
    # one that is added has a dot: https://kubernetes.io/docs/reference/using-api/#api-groups
    longer = sorted(each for each in known if each.startswith(f"{group}."))
    return closest(group, known) or (longer[0] if len(longer) == 1 else "")
