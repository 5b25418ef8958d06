"""The GitOps engine, whichever it is: what it reads in clusters/. flux.py and argocd.py are for one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from posixpath import dirname, normpath
from typing import Any, NamedTuple

from litellm_gitops import credentials, schemas
from litellm_gitops.documents import Document, Place, dig, text, texts
from litellm_gitops.findings import Finding, Fix, edit, restore
from litellm_gitops.repository import Cluster, Repository
from litellm_gitops.rules import rule

_UNLISTED = {"flux": (), "argocd": ("root.yaml",)}  # a person applies these, once
_SETUP = ("argocd-setup", "flux-setup")  # so too everything in these folders
_KEY = re.compile(r"--from-file=(?P<name>[^=\s]+)=")
_USER = re.compile(r"://(?!git@)[^/@\s]+@")
# the ServiceAccount that decrypts with a cloud's key service
_DECRYPTS = {"flux": "flux-system/kustomize-controller", "argocd": "argocd/argocd-repo-server"}


class Identity(NamedTuple):
    """What tells an object from the others of a cluster."""

    kind: str
    path: str  # `namespace/name`, or the name alone

    @property
    def name(self) -> str:
        """The name in its metadata."""
        return self.path.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """The namespace in its metadata; empty where it has none."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True)
class Object:
    """A manifest that the engine of a cluster reads."""

    document: Document

    @cached_property
    def identity(self) -> Identity:
        """Its kind, namespace and name."""
        path = (text(self.get("metadata", field)) for field in ("namespace", "name"))
        return Identity(text(self.get("kind")), "/".join(path).removeprefix("/"))

    @cached_property
    def flaws(self) -> list[tuple[Place, str]]:
        """(where, what) the engine would not take as it is. The rules leave out what has some."""
        validator = schemas.engine(text(self.get("apiVersion")), self.identity.kind)
        errors = validator.iter_errors(self.document.value) if validator else ()
        return [(schemas.place(error), schemas.describe(error)) for error in errors]

    def get(self, *path: str | int) -> Any:
        """The value at `path`; None where there is none."""
        return dig(self.document.value, *path)

    def finding(self, place: Place, what: str, fix: Fix | str) -> Finding:
        """A finding at `place`, or at the deepest part of it that exists. A fix in words is an edit."""
        return found_in(self.document, place, what, fix)


@dataclass(frozen=True, eq=False)
class Synced:
    """What the engine of one cluster reads."""

    cluster: Cluster

    @property
    def repository(self) -> Repository:
        """The repository that it comes from."""
        return self.cluster.repository

    @cached_property
    def files(self) -> list[str]:
        """Every file of YAML below the cluster's folder."""
        return [file for file in self.repository.under(self.cluster.folder) if file.endswith((".yaml", ".yml"))]

    @cached_property
    def objects(self) -> list[Object]:
        """Every manifest in these files, sound or not."""
        documents = (document for file in self.files for document in self.repository.documents(file))
        return [Object(document) for document in documents if isinstance(document.value, dict)]

    def all(self, kind: str) -> list[Object]:
        """The sound objects of a kind."""
        return [found for found in self.objects if found.identity.kind == kind and not found.flaws]

    def find(self, wanted: Identity) -> Object | None:
        """The sound object of that kind and name, in whatever namespace."""
        return next((found for found in self.all(wanted.kind) if found.identity.name == wanted.name), None)

    @cached_property
    def folders(self) -> list[str]:
        """The folders with manifests, that of the cluster among them, without those that a person applies."""
        folders = {self.cluster.folder, *map(dirname, self.files)}
        return sorted(folder for folder in folders if not folder.endswith(_SETUP))

    def listing(self, folder: str) -> tuple[Document | None, list[str]]:
        """(the kustomization of a folder, what it lists, as paths of the repository); None where none can be read."""
        document = self.repository.document(f"{folder}/kustomization.yaml")
        entries = texts(dig(document and document.value, "resources"))
        return document, [normpath(f"{folder}/{entry}") for entry in entries]

    def is_whole(self, folder: str) -> bool:
        """Whether a folder has a kustomization, and everything that this lists is there."""
        document, entries = self.listing(folder)
        has = self.repository.has
        return document is not None and all(has(entry) or has(f"{entry}/kustomization.yaml") for entry in entries)


@lru_cache(maxsize=8)  # every rule asks, and what a cluster reads is worked out once
def synced(repository: Repository, engine: str = "") -> list[Synced]:
    """What each cluster reads; nothing where another engine than `engine` was chosen."""
    if engine and repository.answers.get("gitops_engine") != engine:
        return []
    return [Synced(cluster) for cluster in repository.clusters]


def expect(each: Synced, expected: Iterable[Identity]) -> Iterator[Finding]:
    """A finding for each object that a cluster does not get."""
    expected = list(expected)
    if not all(map(each.is_whole, each.folders)) or each.repository.broken.keys() & set(each.files):
        return  # other rules say so
    for wanted in expected:
        # what lists files for Kustomize has no name
        same = [found for found in each.objects if found.identity.kind == wanted.kind and found.identity.name]
        if any(found.identity == wanted for found in same):
            continue
        names = {other.name for other in expected if other.kind == wanted.kind} - {wanted.name}
        stray = next((found for found in same if found.identity.name not in names), None)
        if stray:
            what = f"the {wanted.kind} is called {stray.identity.path}, not {wanted.path}"
            yield stray.finding(("metadata",), what, "give it that name")
        else:
            file = f"{each.cluster.folder}/kustomization.yaml"
            yield Finding(file, None, f"there is no {wanted.kind} {wanted.path}", restore())


def found_in(document: Document, place: Place, what: str, fix: Fix | str) -> Finding:
    """A finding in a document. A fix in words is an edit."""
    return Finding(document.file, document.line(*place), what, edit(fix) if isinstance(fix, str) else fix)


def show(value: Any) -> str:
    """A value in a message: of a mapping or a list only what it is, of a URL not the credential in it."""
    if value is None or value == "":
        return "not set" if value is None else "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    shown = _USER.sub("://…@", str(value))
    return "a value that is not shown" if credentials.find(shown) else shown


# ---------------------------------------------------------------------------------------------------------------------


@rule
def the_engine_knows_every_field(repository: Repository) -> Iterator[Finding]:
    for each in synced(repository):
        files = [f"{each.cluster.secrets_folder}/{name}.yaml" for name in ("kustomization", "ksops")]
        others = [Object(document) for file in files for document in repository.documents(file)]
        for found in [*each.objects, *others]:
            for place, what in found.flaws:
                yield found.finding(place, what, f"correct it, as the reference of {found.get('apiVersion')} has it")


@rule
def every_file_of_a_cluster_is_applied(repository: Repository) -> Iterator[Finding]:
    by_hand = _UNLISTED[repository.answers["gitops_engine"]]
    for each in synced(repository):
        for folder in each.folders:
            document, listed = each.listing(folder)
            own = f"{folder}/kustomization.yaml"
            if document is None and own not in repository.broken:
                yield Finding(own, None, "is missing, so the engine applies nothing of this folder", edit("add it"))
            # of what is listed and not there references.py says so
            spared = {own, *listed, *(f"{each.cluster.folder}/{name}" for name in by_hand)}
            for file in each.files if document else ():
                if dirname(file) == folder and file not in spared:
                    what = f"{own} does not list it, so the engine never applies it"
                    yield Finding(file, None, what, edit("list it"))


@rule
def no_object_is_applied_twice(repository: Repository) -> Iterator[Finding]:
    """Kustomize refuses an object that is there twice, and two owners of one never come to rest."""
    for each in synced(repository):
        seen: dict[tuple[str, Identity], str] = {}
        for found in each.objects:
            file = found.document.file
            if not found.identity.name or dirname(file).endswith(_SETUP):
                continue
            key = (text(found.get("apiVersion")).rpartition("/")[0], found.identity)
            if key in seen:
                what = f"{found.identity.kind} {found.identity.name} is in {seen[key]} already"
                yield found.finding(("metadata", "name"), what, "keep one of them")
            seen.setdefault(key, file)
        document, listed = each.listing(each.cluster.folder)
        for number, entry in enumerate(listed):
            if document and entry == f"{each.cluster.folder}/release":
                what = "release/ is applied by an object of its own, after the Secrets"
                yield found_in(document, ("resources", number), what, "take the line away")


@rule
def nothing_is_left_to_substitution(repository: Repository) -> Iterator[Finding]:
    for file in repository.yaml_files:
        content = repository.text(file) or ""
        if file.startswith(("clusters/", "secrets/")) and "${" in content:
            line = content.count("\n", 0, content.index("${")) + 1
            what = "it holds ${, which Flux may take for a variable"
            yield Finding(file, line, what, edit("write the value itself"))


@rule
def the_age_key_has_a_name_that_the_engine_reads(repository: Repository) -> Iterator[Finding]:
    readme = "README.md"
    for number, line in enumerate((repository.text(readme) or "").splitlines(), 1):
        match = _KEY.search(line) if "sops-age" in line else None
        if match and not match["name"].endswith(".agekey"):
            what = f"the age key is stored as {match['name']}, but the engine reads *.agekey alone"
            yield Finding(readme, number, what, edit("end the name in .agekey"))


@rule
def the_engine_has_the_identity_that_decrypts(repository: Repository) -> Iterator[Finding]:
    wanted = Identity("ServiceAccount", _DECRYPTS[repository.answers["gitops_engine"]])
    for each in synced(repository):
        identity, place = (
            each.cluster.answer("kms_identity"),
            ("metadata", "annotations", each.cluster.place.kms.annotation),
        )
        if not identity:
            continue
        yield from expect(each, [wanted])
        account = each.find(wanted)
        if account and account.get(*place) != identity:
            what = (
                f"{place[-1]} is {show(account.get(*place))}, not the answer {each.cluster.answer_name('kms_identity')}"
            )
            yield account.finding(place, what, f"write {identity}")


def leads_somewhere(repository: Repository, path: str) -> bool:
    """Whether a path from git's root leads to files: of other folders of a monorepo nothing is known."""
    inside = path.removeprefix(repository.path(""))
    elsewhere = inside == path and repository.path("")
    return path == "." or bool(elsewhere or repository.under(inside))
