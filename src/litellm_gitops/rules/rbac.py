"""What may be written in rights: groups, kinds and resources that there are, as far as that is known here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.documents import Place, dig, sequence, texts
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import Repository
from litellm_gitops.rules.kubernetes import known_version

_VERBS = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "bind", "escalate"}
_VERBS |= {"impersonate", "approve", "sign", "attest", "proxy", "*"}
# resources of Kubernetes that are of no kind, or are named otherwise than theirs
_MORE = {"": {"endpoints", "events", "nodes", "pods", "namespaces", "bindings", "componentstatuses"}}


@cache
def _kinds(version: str) -> dict[str, set[str]]:
    """The kinds that are known of each group."""
    found: dict[str, set[str]] = {}
    for api_version, kind in schemas.known(version):
        # of extensions, which is gone, more is in old roles than is known
        if not kind.endswith(("List", "Options")) and not api_version.startswith("extensions/"):
            found.setdefault(api_version.rpartition("/")[0], set()).add(kind)
    return found


def meant_kind(repository: Repository, group: str, kind: str) -> str:
    """The kind of a group that a misspelt one was meant to be; empty where that cannot be told."""
    version = known_version(repository)
    known = _kinds(version).get(group, set()) if version else set()
    return closest(kind, known) if kind not in known and "*" not in kind else ""


def meant_group(repository: Repository, group: str) -> str:
    """The group that a misspelt one was meant to be; empty where that cannot be told."""
    version = known_version(repository)
    known = {each for each in _kinds(version) if each} if version else set()
    if group in known or "*" in group:
        return ""
    base = group.partition("/")[0]
    return base if "/" in group and base in known else closest(group, known)


def _resources(version: str, group: str) -> set[str]:
    kinds = _kinds(version).get(group, set()) if version else set()
    return {*map(resource_of, kinds)} | _MORE.get(group, set()) if kinds else set()


def _of_resource(repository: Repository, groups: list[str], resource: str) -> tuple[str, str]:
    """(what is wrong with a resource, the one that was meant) where none of its groups has it, as far as is known."""
    version = known_version(repository)
    name, slash, part = resource.partition("/")
    known = {group: _resources(version, group) for group in groups}
    there = set[str]().union(*known.values())
    if "*" in name or not there or name in there:
        return "", ""
    meant = resource_of(name) if resource_of(name) in there else ""
    if not all(known.values()):  # then it may be of the others
        return (f"there is no resource {resource}", f"{meant}{slash}{part}") if meant else ("", "")
    if meant := meant or closest(name, there):
        return f"there is no resource {resource}", f"{meant}{slash}{part}"
    others = sorted(group for group in _kinds(version) if group not in groups and name in _resources(version, group))
    return (f"{resource} is of the group {others[0]}", "") if others else ("", "")


def flaws(repository: Repository, role: Any) -> Iterator[tuple[Place, str, str]]:
    """(where, what, the word that was meant) of a Role in which a word is misspelt."""
    for number, rule in enumerate(sequence(dig(role, "rules"))):
        groups = texts(dig(rule, "apiGroups"))
        for at, group in enumerate(groups):
            meant = meant_group(repository, group)
            if group in ("core", "v1"):
                yield ("rules", number, "apiGroups", at), f"{group} is no group: the name of the first one is empty", ""
            elif meant:
                yield ("rules", number, "apiGroups", at), f"there is no group {group}", meant
        for at, resource in enumerate(texts(dig(rule, "resources"))):
            what, near = _of_resource(repository, groups, resource)
            if what:
                yield ("rules", number, "resources", at), what, near
        for at, verb in enumerate(texts(dig(rule, "verbs"))):
            if near := closest(verb, _VERBS):
                yield ("rules", number, "verbs", at), f"there is no verb {verb}", near


@cache
def resource_of(kind: str) -> str:
    """The resource that a kind usually has in the paths of the API."""
    name = kind.lower()
    if name[-1:] == "y" and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"
