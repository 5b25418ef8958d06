"""What may be written in rights: groups, kinds and resources that there are, as far as that is known here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from litellm_gitops.documents import Place, dig, sequence, texts
from litellm_gitops.repository import Repository
from litellm_gitops.rules.boundaries import kinds, kinds_of, meant_group
from litellm_gitops.rules.kubernetes import known_version
from litellm_gitops.spelling import closest

_VERBS = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "bind", "escalate"}
_VERBS |= {"impersonate", "approve", "sign", "attest", "proxy", "*"}
# resources of Kubernetes that are of no kind, or are named otherwise than theirs
_MORE = {"": {"endpoints", "events", "nodes", "pods", "namespaces", "bindings", "componentstatuses"}}


@cache
def _resources(version: str, group: str) -> set[str]:
    known = kinds_of(version, group)
    return {*map(resource_of, known)} | _MORE.get(group, set()) if known else set()


def _of_resource(
    repository: Repository, groups: list[str], resource: str, given: set[tuple[str, str]]
) -> tuple[str, str]:
    """(what is wrong with a resource, the one that was meant) where none of its groups has it, as far as is known.

    Of what is `given` in another rule as well nothing is lost: charts name Ingresses in their old group, too.
    """
    version = known_version(repository)
    name, slash, part = resource.partition("/")
    known = {group: _resources(version, group) for group in groups}
    there = set[str]().union(*known.values())
    if "*" in name or not there or name in there:
        return "", ""
    meant = resource_of(name) if resource_of(name) in there else closest(name, there) if all(known.values()) else ""
    if meant:
        return f"there is no resource {resource}", f"{meant}{slash}{part}"
    if any(group not in kinds(version) for group in groups):
        return "", ""  # then it may be of these
    others = sorted(group for group in kinds(version) if group not in groups and name in _resources(version, group))
    is_lost = others and not any((group, name) in given for group in others)
    return (f"{resource} is of the group {others[0]}", "") if is_lost else ("", "")


def flaws(repository: Repository, role: Any) -> Iterator[tuple[Place, str, str]]:
    """(where, what, the word that was meant) of a Role in which a word is misspelt."""
    given = {
        (group, resource.partition("/")[0])
        for rule in sequence(dig(role, "rules"))
        for group in texts(dig(rule, "apiGroups"))
        for resource in texts(dig(rule, "resources"))
    }
    for number, rule in enumerate(sequence(dig(role, "rules"))):
        groups = texts(dig(rule, "apiGroups"))
        for at, group in enumerate(groups):
            meant = meant_group(known_version(repository), group)
            if group in ("core", "v1"):
                yield ("rules", number, "apiGroups", at), f"{group} is no group: the name of the first one is empty", ""
            elif meant:
                yield ("rules", number, "apiGroups", at), f"there is no group {group}", meant
        for at, resource in enumerate(texts(dig(rule, "resources"))):
            what, near = _of_resource(repository, groups, resource, given)
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
