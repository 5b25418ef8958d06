"""Secrets that nobody seals here: an operator in the cluster makes them, by the owner's word or by a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.repository import Cluster, Repository, Values

# kind -> where the name of the Secret stands, the first that is there; the manifest's own name where none is
_NAMES: dict[str, tuple[Place, ...]] = {
    "ExternalSecret": (("spec", "target", "name"),),
    "SealedSecret": (),  # whatever its template says: the controller gives its own name
    "Certificate": (("spec", "secretName"),),
    "VaultStaticSecret": (("spec", "destination", "name"),),
    "VaultDynamicSecret": (("spec", "destination", "name"),),
    "InfisicalSecret": (("spec", "managedSecretReference", "secretName"),),
    "OnePasswordItem": (),
    "Secret": (),  # without a value, which something in the cluster fills
}
_CLOSE = 0.85  # how much of two names is the same, of 1, where one is the other misspelt
_DATABASE = ("app", "superuser", "ca", "replication", "server")  # what CloudNativePG puts behind its cluster's name


def misspelt(values: Values, secret: str, named: list[str]) -> str:
    """The name that is nearly a Secret's, of those that no cluster has: a rule of its own tells it; else nothing."""
    unknown = [name for name in named if name not in values.repository.matrix.secrets]
    return next(iter(get_close_matches(secret, unknown, 1, _CLOSE)), "")


def in_place_of(values: Values, name: str) -> str:
    """The Secret of a chosen method that the variables come from no more, where this one, of no such method, stands."""
    listed = [text(each) for each in sequence(values.get(*values.chart.env_from))]
    of_others = {*values.repository.matrix.secrets} - {*values.cluster.wanted}
    needed = (text(method.secret) for method in values.cluster.logins.values() if method.env_from)
    return next((each for each in needed if each not in listed), "") if name in of_others else ""


@lru_cache(maxsize=16)
def foreign_secrets(repository: Repository, cluster: Cluster) -> dict[str, frozenset[str] | None]:
    """The Secrets that others put into the proxy's namespace of a cluster, with their keys, or None: not known.

    They are declared in policies/suite.yml, or follow from a manifest of the repository. Raises UnreadableError.
    """
    found: dict[str, frozenset[str] | None] = {}
    for manifest in _manifests(repository, cluster):
        namespace = dig(manifest, "metadata", "namespace")
        if text(manifest.get("kind")) in _NAMES and namespace in (None, repository.namespace):
            own = text(dig(manifest, "metadata", "name"))
            names = [text(dig(manifest, *place)) for place in _NAMES[str(manifest["kind"])]]
            found[next(filter(None, names), own)] = keys_of(manifest)
        if manifest.get("kind") == "SecretProviderClass" and namespace in (None, repository.namespace):
            found |= _synced(manifest)
        if text(manifest.get("apiVersion")).startswith("postgresql.cnpg.io/") and manifest.get("kind") == "Cluster":
            found |= dict.fromkeys(f"{text(dig(manifest, 'metadata', 'name'))}-{suffix}" for suffix in _DATABASE)
    for declared in repository.suite.secrets:
        absent = {*(declared.clusters or ())} - {each.name for each in repository.clusters}  # another rule tells
        if declared.clusters is None or cluster.name in declared.clusters or absent:
            found[declared.name] = None if declared.keys is None else frozenset(declared.keys)
    return found


def made_by(manifest: dict[Any, Any]) -> tuple[str, Place] | None:
    """The Secret that a manifest makes as a whole, and where it is named; None for what adds to one, or fills it."""
    kind = str(manifest.get("kind"))
    if kind not in _NAMES or kind == "Secret" or dig(manifest, "spec", "target", "creationPolicy") in ("Merge", "None"):
        return None
    places: tuple[Place, ...] = (*_NAMES[kind], ("metadata", "name"))
    return next(((name, place) for place in places if (name := text(dig(manifest, *place)))), None)


def known(repository: Repository, cluster: Cluster) -> set[str]:
    """The names of all Secrets that the proxy of a cluster may name, whoever makes them. Raises UnreadableError."""
    return {*cluster.wanted, *(secret.name for secret in cluster.sealed), *foreign_secrets(repository, cluster)}


@lru_cache(maxsize=16)
def config_maps(repository: Repository, cluster: Cluster) -> dict[str, frozenset[str]]:
    """The ConfigMaps of the proxy's namespace that the repository has manifests of, with their keys."""
    return {
        text(dig(manifest, "metadata", "name")): frozenset(
            str(key) for block in ("data", "binaryData") for key in mapping(manifest.get(block))
        )
        for manifest in _manifests(repository, cluster)
        if manifest.get("kind") == "ConfigMap"
        and dig(manifest, "metadata", "namespace") in (None, repository.namespace)
    }


def _manifests(repository: Repository, cluster: Cluster) -> Iterator[dict[Any, Any]]:
    others = tuple(f"{each.folder}/" for each in repository.clusters if each is not cluster)
    for document in repository.manifests:
        if not document.file.startswith((*others, "secrets/")):  # those are sealed here
            yield mapping(document.value)
    if cluster.values:
        yield from map(mapping, sequence(cluster.values.get(*cluster.values.chart.objects)))


def _synced(manifest: dict[Any, Any]) -> dict[str, frozenset[str] | None]:
    """What the driver of the Secrets Store makes where a pod mounts the class, with the keys of each."""
    return {
        text(dig(entry, "secretName")): frozenset(str(dig(each, "key")) for each in sequence(dig(entry, "data")))
        for entry in sequence(dig(manifest, "spec", "secretObjects"))
    }


def keys_of(manifest: dict[Any, Any]) -> frozenset[str] | None:
    """The keys of the Secret that a manifest makes; None where they do not show in it."""
    spec = mapping(manifest.get("spec"))
    match manifest.get("kind"):
        case "SealedSecret":
            return frozenset(map(str, mapping(spec.get("encryptedData"))))
        case "ExternalSecret" if not (spec.get("dataFrom") or dig(spec, "target", "template")) and dig(
            spec, "target", "creationPolicy"
        ) in (None, "Owner", "Orphan"):
            keys = [text(dig(entry, "secretKey")) for entry in sequence(spec.get("data"))]
            return frozenset(keys) if all(keys) else None
        case "Certificate":
            return frozenset({"ca.crt", "tls.crt", "tls.key"})
        case _:
            return None
