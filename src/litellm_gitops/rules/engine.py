"""The GitOps engine, whichever it is: what it reads in clusters/. flux.py and argocd.py are for one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from posixpath import normpath
from typing import Any

from rules import Problem, rule, shapes
from rules.document import Document
from rules.repository import Place, Repository, dig, mapping, sequence, text

_UNLISTED = {"flux": (), "argocd": ("root.yaml",)}  # a person applies these, once
_SETUP = ("argocd-setup", "flux-setup")  # so too everything in these folders
_KEY = re.compile(r"--from-file=(?P<name>[^=\s]+)=")


@dataclass(frozen=True)
class Object:
    """A manifest below clusters/<environment>."""

    environment: str
    document: Document

    @property
    def kind(self) -> str:
        return text(mapping(self.document.value).get("kind"))

    @property
    def name(self) -> str:
        return text(self.get("metadata", "name"))

    @property
    def namespace(self) -> str:
        return text(self.get("metadata", "namespace"))

    @cached_property
    def flaws(self) -> list[tuple[Place, str]]:
        """Where the engine would not take it as it is. The rules leave out what has some."""
        shape = shapes.find(text(self.get("apiVersion")), self.kind)
        return list(shapes.flaws(self.document.value, shape)) if shape else []

    def get(self, *path: str) -> Any:
        """The value at `path`; None where there is none."""
        return dig(self.document.value, *path)

    def problem(self, path: Place, what: str, todo: str) -> Problem:
        """A problem at `path`, or at the deepest part of it that exists."""
        return Problem(self.document.file, self.document.line(*path), what, todo)

    def must_be(self, path: tuple[str, ...], expected: Any, why: str) -> Iterator[Problem]:
        """A problem unless exactly this value stands at `path`."""
        found = self.get(*path)
        if found != expected:
            place = ".".join(path)
            yield self.problem(path, f"{place} is {_show(found)}: {why}", f"write {place}: {_show(expected)}")


@dataclass(frozen=True)
class Cluster:
    """What the engine of one environment reads."""

    repository: Repository
    environment: str

    @property
    def folder(self) -> str:
        return f"clusters/{self.environment}"

    @cached_property
    def objects(self) -> list[Object]:
        """Every manifest below the folder, sound or not."""
        return [
            Object(self.environment, document)
            for file in self.repository.under(self.folder)
            if file.endswith((".yaml", ".yml"))
            for document in self.repository.documents(file)
            if isinstance(document.value, dict)
        ]

    def find(self, kind: str, name: str) -> Object | None:
        """The sound object of that kind and name."""
        return next((found for found in self.all(kind) if found.name == name), None)

    def all(self, kind: str) -> list[Object]:
        """The sound objects of a kind."""
        return [found for found in self.objects if found.kind == kind and not found.flaws]

    def lists(self, folder: str, field: str = "resources", file: str = "kustomization.yaml") -> Listing | None:
        """What the kustomization of a folder lists; None where there is none that can be read."""
        document = self.repository.document(f"{folder}/{file}")
        return Listing(self.repository, folder, document, field) if document else None


@dataclass(frozen=True)
class Listing:
    """A list of files in a manifest, relative to its folder."""

    repository: Repository
    folder: str
    document: Document
    field: str

    @cached_property
    def entries(self) -> list[str]:
        """The files and folders, relative to the repository."""
        listed = sequence(mapping(self.document.value).get(self.field))
        return [normpath(f"{self.folder}/{entry}") for entry in listed if isinstance(entry, str)]

    def missing(self) -> Iterator[tuple[int, str]]:
        """(line, entry) of each that does not exist."""
        for number, entry in enumerate(self.entries):
            if not self.repository.has(entry) and not self.repository.has(f"{entry}/kustomization.yaml"):
                yield self.document.line(self.field, number), entry


@lru_cache(maxsize=8)  # every rule asks, and a cluster keeps what it found
def clusters(repository: Repository, engine: str = "") -> list[Cluster]:
    """The cluster of each environment; none where another engine than `engine` was chosen."""
    if engine and repository.answers.get("gitops_engine") != engine:
        return []
    return [Cluster(repository, environment) for environment in repository.environments]


def named(repository: Repository, engine: str, kind: str, names: Iterable[str]) -> Iterator[tuple[Cluster, Object]]:
    """The sound objects of these names, with their clusters. An operator's own are left alone."""
    for cluster in clusters(repository, engine):
        for name in names:
            if found := cluster.find(kind, name):
                yield cluster, found


def expect(cluster: Cluster, expected: list[tuple[str, str, str]]) -> Iterator[Problem]:
    """A problem for each object (kind, name, namespace) that the cluster does not get."""
    files = [file for file in cluster.repository.under(cluster.folder) if file in cluster.repository.broken]
    listings = [cluster.lists(folder) for folder in _folders(cluster)]
    if files or any(listing is None or list(listing.missing()) for listing in listings):
        return  # other rules tell that
    for kind, name, namespace in expected:
        # what lists files for Kustomize has no name
        same = [found for found in cluster.objects if found.kind == kind and found.name]
        if any((found.name, found.namespace) == (name, namespace) for found in same):
            continue
        where = f"{namespace}/{name}" if namespace else name
        names = {other for other_kind, other, _ in expected if other_kind == kind}
        stray = next((found for found in same if found.name == name or found.name not in names), None)
        if stray:
            is_called = f"{stray.namespace}/{stray.name}" if stray.namespace else stray.name
            yield stray.problem(("metadata",), f"the {kind} is called {is_called}, not {where}", "give it that name")
        else:
            todo = "take it from git history, or run `copier recopy --trust`"
            yield Problem(f"{cluster.folder}/kustomization.yaml", None, f"there is no {kind} {where}", todo)


def _folders(cluster: Cluster) -> list[str]:
    """The folders with manifests below that of a cluster, itself included, that are not applied by a person."""
    files = [file for file in cluster.repository.under(cluster.folder) if file.endswith((".yaml", ".yml"))]
    folders = {file.rpartition("/")[0] for file in files} | {cluster.folder}
    return sorted(folder for folder in folders if not folder.endswith(_SETUP))


# ---------------------------------------------------------------------------------------------------------------------


@rule
def the_engine_knows_every_field(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository):
        secrets = [
            Object(cluster.environment, document)
            for name in ("kustomization", "ksops")
            for document in repository.documents(f"secrets/{cluster.environment}/{name}.yaml")
        ]
        for found in [*cluster.objects, *secrets]:
            for path, what in found.flaws:
                yield found.problem(path, what, f"correct it; tests/rules/shapes/ lists the fields of {found.kind}")


@rule
def every_file_of_a_cluster_is_applied(repository: Repository) -> Iterator[Problem]:
    by_hand = _UNLISTED.get(str(repository.answers.get("gitops_engine")), ())
    for cluster in clusters(repository):
        for folder in _folders(cluster):
            listing = cluster.lists(folder)
            own = f"{folder}/kustomization.yaml"
            if listing is None:
                if own not in repository.broken:
                    yield Problem(
                        own,
                        None,
                        "is missing, so the engine applies nothing of this folder",
                        "add it",
                    )
                continue
            # what it lists and is not there is told by references.py
            for file in repository.under(folder):
                outside = file.rpartition("/")[0] != folder or not file.endswith((".yaml", ".yml"))
                if outside or file == own or file in listing.entries:
                    continue
                if folder != cluster.folder or file.rpartition("/")[2] not in by_hand:
                    yield Problem(
                        file,
                        None,
                        f"{own} does not list it, so the engine never applies it",
                        "list it",
                    )


@rule
def no_object_is_applied_twice(repository: Repository) -> Iterator[Problem]:
    """Kustomize refuses an object that is there twice, and two owners of one never come to rest."""
    for cluster in clusters(repository):
        seen: dict[tuple[str, str, str], str] = {}
        for found in cluster.objects:
            identity = (found.kind, found.namespace, found.name)
            if not found.name or found.document.file.startswith(
                tuple(f"{cluster.folder}/{folder}/" for folder in _SETUP)
            ):
                continue
            if identity in seen:
                what = f"{found.kind} {found.name} is in {seen[identity]} already"
                yield found.problem(("metadata", "name"), what, "keep one of them")
            seen.setdefault(identity, found.document.file)
        listing = cluster.lists(cluster.folder)
        for number, entry in enumerate(listing.entries if listing else ()):
            if listing and entry == f"{cluster.folder}/release":
                what = "release/ is applied by an object of its own, after the Secrets"
                line = listing.document.line("resources", number)
                yield Problem(listing.document.file, line, what, "take the line away")


@rule
def nothing_is_left_to_substitution(repository: Repository) -> Iterator[Problem]:
    for file in repository.yaml_files:
        content = repository.text(file) or ""
        if file.startswith(("clusters/", "secrets/")) and "${" in content:
            line = content.count("\n", 0, content.index("${")) + 1
            yield Problem(
                file,
                line,
                "it holds ${, which Flux may take for a variable",
                "write the value itself",
            )


@rule
def the_age_key_has_a_name_that_the_engine_reads(repository: Repository) -> Iterator[Problem]:
    readme = "README.md"
    for number, line in enumerate((repository.text(readme) or "").splitlines(), 1):
        match = _KEY.search(line) if "sops-age" in line else None
        if match and not match["name"].endswith(".agekey"):
            what = f"the age key is stored as {match['name']}, but the engine reads *.agekey alone"
            yield Problem(readme, number, what, "end the name in .agekey")


@rule
def the_engine_has_the_identity_that_decrypts(repository: Repository) -> Iterator[Problem]:
    engines = {
        "flux": ("kustomize-controller", "flux-system"),
        "argocd": ("argocd-repo-server", "argocd"),
    }
    name, namespace = engines[str(repository.answers.get("gitops_engine"))]
    for cluster in clusters(repository):
        identity = repository.answers.get(f"{cluster.environment}_kms_identity")
        if not identity:
            continue
        yield from expect(cluster, [("ServiceAccount", name, namespace)])
        account = cluster.find("ServiceAccount", name)
        if account:
            kms = repository.matrix["environments"][cluster.environment]["kms"]
            why = f"it is the answer {cluster.environment}_kms_identity"
            yield from account.must_be(("metadata", "annotations", kms["annotation"]), identity, why)


def in_order(found: list[str], expected: list[str]) -> bool:
    """Whether two lists name the same files in the same order, `./x` being `x`."""
    return [normpath(path) for path in found] == expected


def texts(value: Any) -> list[str]:
    """The texts in a list."""
    return [item for item in sequence(value) if isinstance(item, str)]


def _show(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (dict, list)) or value == "" else str(value)
