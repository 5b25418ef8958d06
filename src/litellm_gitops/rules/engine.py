"""The GitOps engine, whichever it is: what it reads in clusters/. flux.py and argocd.py are for one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from posixpath import basename, dirname, normpath

from litellm_gitops import schemas
from litellm_gitops.documents import Document, dig, text, texts
from litellm_gitops.findings import Finding, Misspelt, edit, restore
from litellm_gitops.objects import Identity, Object, found_in, show
from litellm_gitops.repository import Cluster, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.kustomizations import FETCHED, is_part_of_one, parts_of
from litellm_gitops.spelling import closest

_BY_HAND = {  # what a person applies: git brings what is in a cluster, and these say how far it reaches
    "flux": ("namespace.yaml", "account.yaml", "source.yaml", "secrets.yaml", "release/helmrelease.yaml"),
    "argocd": ("namespace.yaml", "project.yaml", "root.yaml"),
}
# what is rendered, and listed, where it was answered
RENDERED = ("exposure.yaml", "monitoring.yaml", "network-policy.yaml", "release.yaml")
_SETUP = ("argocd-setup", "flux-setup")  # so too everything in these folders
_GROUPS = ("toolkit.fluxcd.io", "argoproj.io")  # all of whose kinds are known
_KUSTOMIZE = "kustomize.config.k8s.io/v1beta1"
_STANDARD = "pod-security.kubernetes.io/enforce"
_KEY = re.compile(r"--from-file=(?P<name>[^=\s]+)=")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
# what Kustomize would fetch, and the commit by which nothing moves
_COMMIT = re.compile(r"[?&](?:ref|version)=[0-9a-f]{40}(?:&|\Z)")
# the ServiceAccount that decrypts with a cloud's key service
_DECRYPTS = {"flux": "flux-system/kustomize-controller", "argocd": "argocd/argocd-repo-server"}


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
    def is_ignored(self) -> bool:
        """Whether git ignores a manifest of the cluster's folder."""
        root, there = self.repository.root, set(self.files)
        below = (path.relative_to(root).as_posix() for path in (root / self.cluster.folder).rglob("*.yaml"))
        return any(file not in there for file in below)

    @property
    def is_read(self) -> bool:
        """Whether each of these files holds manifests, but for what Kustomize reads."""
        files = {*self.files} - read_by_kustomize(self.repository)
        values = (document.value for file in files for document in self.repository.documents(file))
        return all(isinstance(value, dict) for value in values) and not self.repository.broken.keys() & {*self.files}

    @cached_property
    def objects(self) -> list[Object]:
        """Every manifest in these files, sound or not."""
        files = [file for file in self.files if file not in read_by_kustomize(self.repository)]
        documents = (document for file in files for document in self.repository.documents(file))
        return [Object(document) for document in documents if isinstance(document.value, dict)]

    def all(self, kind: str) -> list[Object]:
        """The sound objects of a kind."""
        return [found for found in self.objects if found.identity.kind == kind and not found.flaws]

    def find(self, wanted: Identity) -> Object | None:
        """The sound object of that kind and name, in whatever namespace."""
        return next((found for found in self.all(wanted.kind) if found.identity.name == wanted.name), None)

    @cached_property
    def by_hand(self) -> list[str]:
        """The files of the cluster's folder that a person applies, without those for the engine itself."""
        return [f"{self.cluster.folder}/{file}" for file in _BY_HAND[self.repository.answers["gitops_engine"]]]

    def is_by_hand(self, file: str) -> bool:
        """Whether a person applies a file, and no commit."""
        return file in self.by_hand or dirname(file).endswith(_SETUP)

    @cached_property
    def misnamed(self) -> dict[str, str]:
        """A file that a person applies and that has another name -> the one by which README.md has it."""
        gone = [file for file in self.by_hand if not self.repository.has(file)]
        listed = {entry for file in self.files for entry in self.listing(dirname(file))[1]}
        others = [file for file in self.files if not self.is_by_hand(file) and file not in listed]
        read = read_by_kustomize(self.repository)
        others = [file for file in others if basename(file) != "kustomization.yaml" and file not in read]
        return {others[0]: gone[0]} if len(gone) == len(others) == 1 else {}

    @cached_property
    def folders(self) -> list[str]:
        """The folders with manifests that follow git, that of the cluster among them."""
        read = read_by_kustomize(self.repository)  # patches may have a folder of their own
        files = (file for file in self.files if not self.is_by_hand(file) and file not in read)
        return sorted({self.cluster.folder, *map(dirname, files)})

    def home(self, file: str) -> str:
        """Where an object of a rendered file is missed: there, or in the list where no such file is left."""
        return file if self.repository.has(f"{self.cluster.folder}/{file}") else "kustomization.yaml"

    def listing(self, folder: str) -> tuple[Document | None, list[str]]:
        """(the kustomization of a folder, what it lists, as paths of the repository); None where none can be read."""
        document = self.repository.document(f"{folder}/kustomization.yaml")
        entries = texts(dig(document and document.value, "resources"))
        return document, [normpath(f"{folder}/{part}") for entry in entries for part in parts_of(entry)]

    def namespace_of(self, found: Object) -> str:
        """The namespace that an object comes into: its own, or the one that a kustomization gives to all it lists."""
        folder, given = dirname(found.document.file), found.identity.namespace
        while folder.startswith(self.cluster.folder):
            document, _ = self.listing(folder)
            if dig(document and document.value, "namespace") == self.repository.namespace:
                given = self.repository.namespace  # of another one another rule tells
            folder = dirname(folder)
        return given or (self.repository.namespace if self.repository.answers["gitops_engine"] == "argocd" else "")

    def lacks(self, folder: str) -> bool:
        """Whether the cluster's own list has a folder under no name: of one that is not there another rule tells."""
        _, listed = self.listing(self.cluster.folder)
        has, below = self.repository.has, self.repository.under
        lost = [entry for entry in listed if not has(entry) and not below(entry)]
        return folder not in listed and not any(closest(entry, [folder]) or entry.endswith(folder) for entry in lost)

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


def expect(
    each: Synced,
    expected: Iterable[Identity],
    home: str = "kustomization.yaml",
    homes: Mapping[Identity, str] | None = None,
) -> Iterator[Finding]:
    """What a cluster does not get: a finding for each object under another name, and one for all that are not there.

    `home` is where one is looked for that is in no file, `homes` where some of them are beside others.
    """
    expected = list(expected)
    if not (all(map(each.is_whole, each.folders)) and each.is_read) or each.is_ignored:
        return  # other rules say so
    absent = list[Identity]()
    for wanted in expected:
        # what lists files for Kustomize has no name
        same = [found for found in each.objects if found.identity.kind == wanted.kind and found.identity.name]
        if any(found.identity == wanted or _is_nearly(found, wanted) for found in each.objects):
            continue
        wider = Identity(f"Cluster{wanted.kind}", wanted.path)
        if stray := next((found for found in each.objects if found.identity == wider), None):
            what = f"the {wanted.kind} {wanted.path} is a {wider.kind}, which is for the whole cluster"
            yield stray.finding(("kind",), what, f"write {wanted.kind}")
            continue
        names = {other.name for other in expected if other.kind == wanted.kind} - {wanted.name}
        close = (found.identity for found in same if _may_be(found.identity, wanted))
        stray = next((found for found in same if found.identity in {*close} and found.identity.name not in names), None)
        if stray and not _NAME.fullmatch(stray.identity.name):
            continue  # another rule says so
        if stray:
            what = f"the {wanted.kind} is called {stray.identity.path}, not {wanted.path}"
            yield replace(stray.finding(("metadata",), what, "give it that name"), other=stray.identity.other(wanted))
        else:
            absent.append(wanted)
    if absent:
        places = {(homes or {}).get(wanted, home) for wanted in absent}
        yield _lost(each, absent, places.pop() if len(places) == 1 else home)


def _lost(each: Synced, absent: list[Identity], home: str) -> Finding:
    """One finding for all that is in no file: one file that is not there brings all of them."""
    gone = [file for file in each.by_hand if not each.repository.has(file)]
    lost = [f"{wanted.kind} {wanted.path}" for wanted in absent]
    if not gone and not each.repository.has(f"{each.cluster.folder}/{home}"):
        gone = [f"{each.cluster.folder}/{home}"]
    if len(gone) == 1:
        return Finding(gone[0], None, f"is missing, and with it {', '.join(lost)}", restore())
    return Finding(f"{each.cluster.folder}/{home}", None, f"there is no {', no '.join(lost)}", restore())


def _may_be(found: Identity, wanted: Identity) -> bool:
    """Whether one of another name may have been meant; there are several ServiceAccounts, so of them a misspelt one."""
    if found.name == wanted.name or found.namespace != wanted.namespace:
        return found.name == wanted.name
    begins = found.name.startswith(f"{wanted.name}-") or wanted.name.startswith(f"{found.name}-")
    return wanted.kind != "ServiceAccount" or begins or bool(closest(found.name, [wanted.name]))


def _is_nearly(found: Object, wanted: Identity) -> bool:
    """Whether an object is the wanted one but for its kind, which is misspelt or does not fit: another rule says so."""
    from difflib import get_close_matches  # only where something is missing

    (kind, path), meant = found.identity, wanted.kind.lower()
    is_list = text(found.get("apiVersion")).startswith(_KUSTOMIZE.partition("/")[0])  # which has no name
    if kind == wanted.kind and not found.identity.name and not is_list:
        return True
    is_refused = kind == f"Cluster{wanted.kind}" and found.get("roleRef", "kind") == "Role"
    if not kind or path != wanted.path:
        return path == wanted.path or (is_refused and found.identity.name == wanted.name)
    group = text(found.get("apiVersion")).partition("/")[0]
    is_unknown = group.endswith(_GROUPS) and schemas.engine(text(found.get("apiVersion")), kind) is None
    is_close = kind.lower() in (meant, meant[:-1]) or bool(get_close_matches(kind.lower(), [meant], 1, 0.75))
    return bool(found.flaws) or is_close or is_unknown or is_refused


@lru_cache(maxsize=8)
def read_by_kustomize(repository: Repository) -> frozenset[str]:
    """The files that a kustomization names, but as no object: patches, what generators and transformers read."""
    found = set()
    for file in repository.yaml_files:
        for document in repository.documents(file) if basename(file).startswith("kustomization.") else ():
            for place, value in document.texts:
                if place[0] not in ("resources", "bases", "components", "crds"):
                    found.add(normpath(f"{dirname(file)}/{value.rpartition('=')[2]}"))
    return frozenset(found)


def is_setup(document: Document) -> bool:
    """Whether a file is about the engine itself: a patch that a person applies."""
    return in_setup(document.file)


@cache
def in_setup(file: str) -> bool:
    """Whether a file lies in a folder of what a person applies to the engine itself."""
    return dirname(file).endswith(_SETUP)


# ---------------------------------------------------------------------------------------------------------------------


_OF_OPERATORS = ("cilium.io/", "monitoring.coreos.com/")  # which the owner updates, and no answer has their release


@rule
def the_engine_knows_every_field(repository: Repository) -> Iterator[Finding]:
    for each in synced(repository):
        files = [f"{each.cluster.secrets_folder}/{name}.yaml" for name in ("kustomization", "ksops")]
        others = [Object(document) for file in files for document in repository.documents(file)]
        for found in [*each.objects, *others]:
            api_version = found.get("apiVersion")
            declared = f"{api_version} {found.identity.kind}" in repository.suite.kinds  # of another release
            for place, what, slip, form in () if declared else found.flaws:
                is_newer = not slip and form.kind == "unknown" and text(api_version).startswith(_OF_OPERATORS)
                is_unnamed = form.kind == "missing" and form.field == "name" and form.place == ("metadata",)
                if is_unnamed or is_newer:
                    continue  # another rule says so of every object; an operator of a newer release may have the field
                fix = f"correct it, as the reference of {api_version} has it"
                yield replace(found.finding(place, what, fix), misspelt=slip, form=form)
            yield from _of_another_kind(found)
    yield from _applied_by_a_person(repository)


def _applied_by_a_person(repository: Repository) -> Iterator[Finding]:
    """Misspelt fields in the engines' objects elsewhere, which may be of another release, or filled in."""
    for document in repository.manifests:
        api_version = text(dig(document.value, "apiVersion"))
        is_ours = document.file.startswith(("clusters/", "secrets/", "tests/", "vendor/")) or api_version == _KUSTOMIZE
        kind = f"{api_version} {dig(document.value, 'kind')}"
        if is_ours or kind in repository.suite.kinds or schemas.engine(*kind.split(" ", 1)) is None:
            continue
        found = Object(document)
        for place, what, slip, form in found.flaws:
            if slip:
                fix = f"correct it, as the reference of {api_version} has it"
                yield replace(found.finding(place, what, fix), misspelt=slip, form=form)


def _of_another_kind(found: Object) -> Iterator[Finding]:
    """Kustomize reads a file of that name, whatever it says that it is, and refuses it if it is another kind."""
    is_read, given = basename(found.document.file) == "kustomization.yaml", text(found.get("apiVersion"))
    if is_read and given and given.partition("/")[0] != _KUSTOMIZE.partition("/")[0]:
        what = f"apiVersion is {given}, and Kustomize takes {_KUSTOMIZE} alone"
        found_here = found.finding(("apiVersion",), what, f"write {_KUSTOMIZE}")
        yield replace(found_here, misspelt=Misspelt(given, _KUSTOMIZE))


@rule
def every_file_of_a_cluster_is_applied(repository: Repository) -> Iterator[Finding]:
    for each in synced(repository):
        for folder in each.folders:
            document, listed = each.listing(folder)
            own = f"{folder}/kustomization.yaml"
            if document is None and not repository.has(own) and folder not in map(dirname, each.misnamed):
                yield Finding(own, None, "is missing, so the engine applies nothing of this folder", edit("add it"))
            # of what is listed and not there another rule says so, of what is no list the one above
            is_list = document and isinstance(document.value.get("resources"), list | None)
            for file in each.files if is_list else ():
                # a link has a rule of its own
                told = (
                    each.is_by_hand(file)
                    or file in each.misnamed
                    or repository.source.is_link(file)
                    or file in read_by_kustomize(repository)
                )
                if dirname(file) != folder or file in {own, *listed} or told:
                    continue
                lost = [entry for entry in listed if not repository.has(entry)]
                if closest(file, lost) or is_part_of_one(basename(file), lost):
                    continue  # it is listed by a misspelt name, of which another rule tells
                if not listed and each.lacks(each.cluster.secrets_folder):
                    continue  # nothing at all is listed, of which a rule of the engine tells
                if basename(file) in RENDERED and document:
                    what = f"it does not list {basename(file)}, so the engine never applies it"
                    yield found_in(document, ("resources",), what, f"list {basename(file)}")
                else:
                    what = f"{own} does not list it, so the engine never applies it"
                    fix = f"list it, or move it out of {each.cluster.folder} where a person applies it"
                    yield Finding(file, None, what, edit(fix))
        for file, meant in each.misnamed.items():
            fix = f"call it {meant}, by which name README.md has it"
            yield Finding(file, None, "a person applies it, by another name", edit(fix))


@rule
def nothing_that_is_applied_can_move(repository: Repository) -> Iterator[Finding]:
    """What Kustomize fetches from elsewhere is of one commit, or nobody has read what comes with the next."""
    for each in synced(repository):
        for document in (each.listing(folder)[0] for folder in each.folders):
            for field in ("resources", "components") if document else ():
                for number, entry in enumerate(texts(dig(document and document.value, field))):
                    if document and FETCHED.match(entry) and not _COMMIT.search(entry):
                        what = f"{show(entry)} may be another one tomorrow"
                        yield found_in(document, (field, number), what, "write ?ref= and the commit after it")


@rule
def no_object_is_applied_twice(repository: Repository) -> Iterator[Finding]:
    """Kustomize refuses an object that is there twice, and two owners of one never come to rest."""
    for each in synced(repository):
        seen: dict[tuple[str, Identity], str] = {}
        for found in each.objects:
            file = found.document.file
            if not found.identity.name or is_setup(found.document):
                continue
            key = (text(found.get("apiVersion")).rpartition("/")[0], found.identity)
            if key in seen:
                what = f"{found.identity.kind} {found.identity.name} is in {seen[key]} already"
                yield found.finding(("metadata", "name"), what, "keep one of them")
            seen.setdefault(key, file)


@rule
def the_namespace_holds_its_pods_to_the_standard(repository: Repository) -> Iterator[Finding]:
    wanted, place = repository.answers.get("pod_security"), ("metadata", "labels", _STANDARD)
    for each in synced(repository):
        found = each.find(Identity("Namespace", repository.namespace))
        if found and wanted and found.get(*place) != wanted and not found.get("labels"):  # else they lost their place
            what = f"{_STANDARD} is {show(found.get(*place))}, not the answer pod_security"
            yield found.finding(place, what, f"write {wanted}")


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
        if not (identity := each.cluster.answer("kms_identity")):
            continue
        place = ("metadata", "annotations", each.cluster.place.kms.annotation)
        setup = next(name for name in _SETUP if name.startswith(str(repository.answers["gitops_engine"])))
        yield from expect(each, [wanted], f"{setup}/serviceaccount.yaml")
        account = each.find(wanted)
        question = each.cluster.answer_name("kms_identity")
        if account and account.get(*place) != identity:
            what = f"{place[-1]} is {show(account.get(*place))}, not the answer {question}"
            yield account.finding(place, what, f"write {identity}")
