"""The checksums of the sealed Secrets, as litellm/checksums-<cluster>.yaml has them and as they should be."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations
from typing import Any

from litellm_gitops.documents import Document, Place, dotted
from litellm_gitops.findings import Finding, edit, seal
from litellm_gitops.repository import Cluster, Repository, secret_name
from litellm_gitops.sealing import checksums

Told = tuple[Finding, set[str]]  # with the files of which nothing else is to be said


def changed(cluster: Cluster) -> Iterator[str]:
    """The sealed files that are no longer as their checksums say."""
    written = {*_written(cluster).values()}
    for file in cluster.sealed_files if written else ():
        if _digest(cluster, file) not in written:
            yield file


def _written(cluster: Cluster) -> dict[Place, str]:
    document = cluster.repository.document(cluster.checksums_file)
    return {place: str(digest) for place, digest in leaves(document.value)} if document else {}


def _digest(cluster: Cluster, file: str) -> str:
    return checksums.digest(cluster.repository.content(file) or b"")


def _sealed(cluster: Cluster) -> dict[str, str]:
    """The sealed files by the names of their Secrets."""
    files = [file for file in cluster.sealed_files if not checksums.is_misplaced(cluster, file)]
    return {secret_name(file): file for file in files}


def _wanted(cluster: Cluster) -> dict[Place, str]:
    digests = {name: _digest(cluster, file) for name, file in _sealed(cluster).items()}
    return dict(leaves(checksums.values(cluster, digests)))


def swapped_secrets(repository: Repository) -> Iterator[Told]:
    """Sealed files of two clusters that have each other's content."""
    for one, other in combinations(repository.clusters, 2):
        if _written(one) == _wanted(other):
            continue  # the lists are swapped
        first, second = _sealed(one), _sealed(other)
        for name in first.keys() & second.keys():
            mine, its = _digest(one, first[name]), _digest(other, second[name])
            place = {place[-1]: digest for place, digest in _written(one).items()}.get(f"checksum/{name}")
            there = {place[-1]: digest for place, digest in _written(other).items()}.get(f"checksum/{name}")
            if mine != its and (mine, its) == (there, place):
                what = f"it is what {second[name]} was, and that what this was"
                fix = seal("swap them back")
                yield Finding(first[name], None, what, fix), {first[name], second[name]}


def swapped_lists(repository: Repository) -> Iterator[Told]:
    """Checksums of one cluster in the file of another."""
    done = set[str]()
    for one in repository.clusters:
        found = _written(one)
        others = [each for each in repository.clusters if each is not one and found and found == _wanted(each)]
        if others and found != _wanted(one) and one.name not in done:
            files, done = {one.checksums_file}, {*done, one.name}
            if _written(others[0]) == _wanted(one):  # each has the other's: one mistake
                files, done = {*files, others[0].checksums_file}, {*done, others[0].name}
            what = f"it holds the checksums of {others[0].name}"
            yield Finding(one.checksums_file, None, what, seal()), files


def misfits(cluster: Cluster, document: Document, told: Collection[str]) -> Iterator[Finding]:
    """What is wrong with the checksums of a cluster. Of the sealed files in `told` other rules tell."""
    repository, file, sealed = cluster.repository, document.file, _sealed(cluster)
    wanted, found = _wanted(cluster), dict(leaves(document.value))
    again, parents = seal(cluster=cluster.name), {place[:-1] for place in wanted}
    missing = {str(wanted[place]): place for place in wanted.keys() - found.keys()}
    for place, digest in found.items():
        last, line = str(place[-1]) if place else "it", document.line(*place)
        name = last.removeprefix("checksum/")
        secret = cluster.wanted.get(name)
        if secret and name not in sealed and (repository.root / secret.file).is_file():
            continue  # git ignores it, which has a rule of its own
        if place not in wanted and str(digest) in missing:
            at = missing.pop(str(digest))
            meant = str(at[-1]) if place[:-1] in parents else dotted(at)
            if sealed[meant.removeprefix("checksum/")] not in told:
                yield Finding(file, line, f"{last} is no checksum of a Secret; did you mean {meant}?", again)
        elif digest is None and missing and any(place == at[: len(place)] for at in missing.values()):
            continue  # all that stood below it is missing, which is told at once
        elif place not in wanted and (name == last or place[:-1] not in parents):
            what = f"{last} is no checksum of a Secret"
            yield Finding(file, line, what, edit(f"move it to {cluster.values_file}"))
        elif place not in wanted and name not in cluster.wanted:
            yield Finding(file, line, f"there is no Secret {name} in {cluster.secrets_folder}/", again)
        elif name in sealed and digest != wanted.get(place, digest) and sealed[name] not in told:
            # damage to a sealed file shows here alone, without a key
            fix = seal("take that file from git history if nobody meant to change it", cluster.name)
            yield Finding(file, line, f"it is not the SHA-256 of {sealed[name]}", fix)
    names = sorted(str(place[-1]).removeprefix("checksum/") for place in missing.values())
    if lost := [name for name in dict.fromkeys(names) if name in cluster.wanted and sealed[name] not in told]:
        what = f"it lacks {', '.join(lost)}, so that {'their' if lost[1:] else 'its'} change does not restart every pod"
        yield Finding(file, None, what, again)


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value that is no mapping, with its place."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(child, (*place, str(key)))
    else:
        yield place, value
