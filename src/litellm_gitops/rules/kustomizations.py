"""What kustomizations list: which of it is there, and what of a folder of Secrets they leave out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from litellm_gitops.ambiguous import DEPLOYED
from litellm_gitops.documents import Document, Place, dig, sequence, text, texts
from litellm_gitops.findings import Finding, Misspelt, edit
from litellm_gitops.repository import SEALED, Repository, WantedSecret, secret_name
from litellm_gitops.spelling import closest

GENERATOR = "ksops.yaml"
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LOCK = "litellm-lock"  # goes without a namespace, so that nothing is applied where nobody takes it out
# https://github.com/kubernetes-sigs/kustomize/blob/master/examples/remoteBuild.md
FETCHED = re.compile(
    r"(?:git::)?[a-z+]+://|git@|(?:[\w-]+\.)+[a-z]{2,}/.+(?://|[?&](?:ref|version)=)|(?:github|gitlab)\.com[/:]"
)
# of Chainsaw, Kuttl and Kyverno
_ASSERTION = re.compile(
    r"(?:.*/)?(?:\.(?:chainsaw|kyverno)-test/.*|(?:[\w.-]*-)?(?:assert|errors?)(?:-[\w.-]*)?\.ya?ml)"
)
# the fields of a kustomization that name files or folders
_LISTS = ("resources", "generators", "transformers", "validators", "components", "crds", "configurations")
_OF_CHARTS = ("helmCharts", "helmGlobals", "helmChartInflationGenerator")
_OF_NAMES = ("namePrefix", "nameSuffix")
_RENAMES = "gives everything a name by which nothing finds it"
_OLDER = "is an older field, which no rule here follows"
_MENDED = "run `kustomize edit fix`, which writes the newer one"
# fields that Kustomize knows, and with which something is amiss: (what, what to do)
_AMISS = {
    **dict.fromkeys(_OF_NAMES, (_RENAMES, "take it away")),
    "bases": (_OLDER, _MENDED),
    "patchesStrategicMerge": (_OLDER, _MENDED),
    "patchesJson6902": (_OLDER, _MENDED),
    "vars": (_OLDER, "write replacements"),
    **dict.fromkeys(
        _OF_CHARTS, ("is nothing that the engine renders here", "bring the chart by an object of the engine")
    ),
    "secretGenerator": ("makes a Secret past the sealed ones", "seal it as secrets/<cluster>/<name>.sops.yaml"),
}


def unlisted(
    repository: Repository, document: Document, listed: set[str], slips: set[str], wanted: Mapping[str, WantedSecret]
) -> Iterator[Finding]:
    """Manifests of a folder of Secrets that are not listed, but for what is misspelt in its list (`slips`)."""
    folder, needed = posixpath.dirname(document.file), {secret.file for secret in wanted.values()}
    # of these a rule tells that they have another ending
    plain = {plain_ending(secret) for secret in wanted.values() if not repository.has(secret.file)}
    generator, spare = f"{folder}/{GENERATOR}", set(repository.matrix.secrets) - set(wanted)
    # without it none of its files is listed
    below = [generator] if repository.has(generator) and generator not in listed else repository.under(folder)
    elsewhere = {posixpath.basename(path) for path in listed if posixpath.dirname(path) != folder}
    is_list = all(isinstance(document.value.get(field), list | None) for field in _LISTS)  # else another rule tells
    is_list = is_list and len(parts_of(text(document.value.get("kind")))) == 1
    lost: dict[tuple[Document, str], list[str]] = {}
    for path in below if is_list else ():
        name = posixpath.basename(path)
        if path.endswith((".sops.yaml", ".sops.yml")) and not SEALED.fullmatch(path):
            continue  # no engine reads it there, of which another rule tells
        if SEALED.fullmatch(path):
            misnamed = secret_name(path) not in _names(repository, path)
            # of one with another ending than it is needed with another rule tells
            ending = secret_name(path) in wanted and path not in needed
            if misnamed or ending or secret_name(path) in spare:
                continue
        if path in listed or path in plain or path == document.file or name in elsewhere | slips:
            continue
        if path.endswith((".yaml", ".yml")):
            lister = repository.document(generator) if name != GENERATOR else None
            lost.setdefault((lister, "files") if lister else (document, "resources"), []).append(name)
    for (at, field), names in lost.items():
        it, way = ("it", f"add {names[0]}") if len(names) == 1 else ("them", "add them")
        what = f"it does not list {', '.join(names)}, so that the cluster never gets {it}"
        yield Finding(at.file, at.line(field), what, edit(way))


def plain_ending(secret: WantedSecret) -> str:
    """The file of a Secret that is needed, without what says that it is sealed."""
    return f"{secret.file.removesuffix('.sops.yaml')}.yaml"


@lru_cache(maxsize=8)  # several rules ask
def filled_later(repository: Repository) -> frozenset[str]:
    """The files of other applications in a tree of Kustomize: what they lack or leave open, an overlay fills in.

    And those that say in part what a test is to find in a cluster.
    """
    folders = {posixpath.dirname(file) for file in repository.files if posixpath.basename(file) in _KUSTOMIZATIONS}
    trees = tuple(f"{folder}/" for folder in folders if folder and not f"{folder}/".startswith(DEPLOYED))
    files = (file for file in repository.yaml_files if not file.startswith(DEPLOYED))
    return frozenset(file for file in files if file.startswith(trees) or _ASSERTION.fullmatch(file))


@lru_cache(maxsize=8)
def images_with_a_version(repository: Repository) -> frozenset[str]:
    """The names of images to which a kustomization gives a tag or a digest, or which it replaces."""
    found = set()
    for file in repository.yaml_files:
        for document in repository.documents(file) if posixpath.basename(file) in _KUSTOMIZATIONS else ():
            entries = sequence(dig(document.value, "images"))
            found |= {text(dig(each, "name")) for each in entries if dig(each, "newTag") or dig(each, "digest")}
    return frozenset(found)


def parts_of(entry: str) -> list[str]:
    """The entries that YAML reads as one, where the second is indented too far."""
    return entry.split(" - ")


def field_of(document: Document, entry: str) -> str:
    """In which list of a kustomization a file stands."""
    listed = {
        field: [posixpath.normpath(text(each)) for each in sequence(document.value.get(field))] for field in _LISTS
    }
    return next((field for field in _LISTS if entry in listed[field]), "")


def missing(repository: Repository, path: str, place: tuple[str, int]) -> Finding:
    """A finding for what is listed and not there, and the file beside it that was meant."""
    name, there = posixpath.basename(path), repository.under(posixpath.dirname(path))
    beside, sealed = (
        [posixpath.basename(each) for each in there if each != place[0]],
        re.sub(r"\.ya?ml$", ".sops.yaml", name),
    )
    meant = sealed if sealed in beside else closest(name, beside)
    fix = edit(f"did you mean {meant}?" if meant else "take the line away, or add the file")
    slip = Misspelt(name, meant) if meant else None
    return Finding(*place, f"it lists {path}, which does not exist", fix, misspelt=slip)


def _names(repository: Repository, file: str) -> list[str]:
    """What the objects of a file are called."""
    return [str(dig(document.value, "metadata", "name")) for document in repository.documents(file)]


def misleading(repository: Repository, document: Document, folder: str) -> Iterator[Finding]:
    """Lists and settings with which Kustomize fails, or puts objects where nobody looks for them."""
    file, away = document.file, edit("take the line away")
    for field in _LISTS:
        paths = [posixpath.normpath(posixpath.join(folder, text(e))) for e in sequence(document.value.get(field))]
        for number, path in enumerate(paths):
            line, entry = document.line(field, number), document.value[field][number]
            if len(parts_of(text(entry))) > 1:
                what = f"{entry!r} is one entry, because a line is indented too far"
                yield Finding(file, line, what, edit("indent all lines of the list alike"))
            strange = folder.startswith("clusters/") and path in {each.secrets_folder for each in repository.clusters}
            own = f"secrets/{folder.split('/')[1]}" if strange else ""
            strange = strange and path != own and own in paths  # else another rule tells
            if path in paths[:number]:
                what = f"it lists {entry} twice, which Kustomize refuses"
                yield Finding(file, line, what, edit("take one line away"))
            elif strange or (folder.startswith("secrets/") and text(entry).startswith("../")):
                yield Finding(file, line, f"it lists {entry}, which belongs to another cluster", away)
    for place, name in _files_named(document.value):
        path = posixpath.normpath(posixpath.join(folder, name))
        if not (repository.has(path) or (repository.root / path).exists()):
            fix = edit("correct the name, or add the file")
            yield Finding(file, document.line(*place), f"it reads {path}, which does not exist", fix)
    namespace = document.value.get("namespace")
    # under Flux it would move the lock into the namespace, where that locks nothing
    is_argocd = repository.answers.get("gitops_engine") == "argocd"
    is_the_lock = folder in {cluster.folder for cluster in repository.clusters} and not is_argocd
    expected = None if is_the_lock else repository.namespace
    if folder.startswith(("secrets/", "clusters/")) and namespace and namespace != expected:
        what = f"namespace: {namespace} moves everything out of its namespace"
        yield Finding(file, document.line("namespace"), what, away)
    for place, what, way in _amiss(repository, document):
        yield Finding(file, document.line(*place), what, edit(way))
    yield from _made_elsewhere(repository, document, folder)


def _made_elsewhere(repository: Repository, document: Document, folder: str) -> Iterator[Finding]:
    """ConfigMaps that are made where the engine may write nothing."""
    namespace = document.value.get("namespace")
    is_argocd = repository.answers.get("gitops_engine") == "argocd"
    entries = sequence(document.value.get("configMapGenerator"))
    is_renamed = folder.count("/") == 1 and len(entries) == 1 and not is_argocd
    for number, entry in enumerate(entries if not is_renamed else ()):  # of the lock another rule tells
        name = text(dig(entry, "name"))
        if not name or name == _LOCK or closest(name, [_LOCK]):
            continue
        given = dig(entry, "namespace") or namespace or (repository.namespace if is_argocd else None)
        if folder.startswith("clusters/") and given != repository.namespace:
            what = f"it makes a ConfigMap in namespace {given or 'default'}, where the engine may write nothing"
            fix = edit(f"write namespace: {repository.namespace}")
            yield Finding(document.file, document.line("configMapGenerator", number), what, fix)


def _amiss(repository: Repository, document: Document) -> Iterator[tuple[Place, str, str]]:
    """(where, what, what to do) of fields with which objects get lost, or that the rules cannot follow."""
    value, folder = document.value, posixpath.dirname(document.file)
    of_clusters = {each for cluster in repository.clusters for each in (cluster.folder, cluster.secrets_folder)}
    is_read = document.file.startswith(("clusters/", "secrets/"))  # else it is of another application
    passed = () if folder in of_clusters else _OF_NAMES  # in a folder of one's own all have them
    for field in (each for each in _AMISS if is_read and value.get(each) and each not in passed):
        what, fix = _AMISS[field]
        is_told = field == "secretGenerator" and any(dig(each, "literals") for each in sequence(value[field]))
        is_on = field in _OF_CHARTS and _renders_charts(repository)
        if not (is_told or is_on):  # plaintext has a rule of its own
            yield (field,), f"{field} {what}", fix
    into: list[Place] = [("commonLabels",)] if value.get("commonLabels") else []
    for number, entry in enumerate(sequence(value.get("labels"))):
        into += [("labels", number)] if dig(entry, "includeSelectors") is True else []
    there = (each for file in listed_by(repository, document) for each in repository.documents(file)) if into else ()
    lost = next((text(dig(each.value, "kind")) for each in there if _selects_the_proxy(each.value)), "")
    for place in into if lost else ():
        what = f"{place[0]} go into the selector of the {lost} as well, which then is for no pod of the proxy"
        yield place, what, "write labels: with pairs alone"


def _selects_the_proxy(value: Any) -> bool:
    """Whether an object selects the proxy's pods, in a field to which Kustomize adds common labels."""
    at: dict[str, Place] = {
        "NetworkPolicy": ("podSelector", "matchLabels"),
        "PodDisruptionBudget": ("selector", "matchLabels"),
    }
    at |= {"Service": ("selector",)}
    place = at.get(text(dig(value, "kind")), ())
    return bool(place) and dig(value, "spec", *place, "app.kubernetes.io/name") == "litellm"


def _renders_charts(repository: Repository) -> bool:
    """Whether Argo CD is told to render charts in a kustomization."""
    files = (file for file in repository.yaml_files if file.endswith("argocd-setup/argocd-cm.yaml"))
    return any("--enable-helm" in (repository.text(file) or "") for file in files)


def _files_named(content: dict[Any, Any]) -> Iterator[tuple[Place, str]]:
    """(where, name) of each file that a kustomization reads beside its lists, of another repository none."""
    for field in ("patches", "replacements"):
        for number, entry in enumerate(sequence(content.get(field))):
            if (name := text(dig(entry, "path"))) and "://" not in name:
                yield (field, number, "path"), name
    for field in ("configMapGenerator", "secretGenerator"):
        for number, entry in enumerate(sequence(content.get(field))):
            for kind in ("files", "envs"):
                for name in texts(dig(entry, kind)):
                    if "://" not in name:  # which Kustomize fetches
                        yield (field, number, kind), name.rpartition("=")[2]


def listed_by(repository: Repository, document: Document) -> dict[str, tuple[str, int]]:
    """What a kustomization lists, itself or through a generator of KSOPS -> (file, line) of the entry."""
    found: dict[str, tuple[str, int]] = {}
    folder = posixpath.dirname(document.file)
    for field in _LISTS:
        for number, entry in enumerate(sequence(document.value.get(field))):
            if not isinstance(entry, str) or FETCHED.match(entry) or "\n" in entry:
                continue
            path = posixpath.normpath(posixpath.join(folder, entry))
            for part in parts_of(entry):
                found[posixpath.normpath(posixpath.join(folder, part))] = (document.file, document.line(field, number))
            for generator in repository.documents(path) if field == "generators" else ():
                for position, listed in enumerate(sequence(dig(generator.value, "files"))):
                    for part in parts_of(str(listed)):
                        sealed = posixpath.normpath(posixpath.join(posixpath.dirname(path), part))
                        found[sealed] = (path, generator.line("files", position))
    return found


def is_part_of_one(name: str, others: list[str]) -> bool:
    """Whether the beginning of a name is that of another, such as monitor.yaml for monitoring.yaml."""
    stems = (posixpath.basename(other).partition(".")[0] for other in others)
    return any(len(stem) > 3 and (name.startswith(stem) or stem.startswith(name.partition(".")[0])) for stem in stems)


def leads_somewhere(repository: Repository, path: str) -> bool:
    """Whether a path from git's root leads to files: of other folders of a monorepo nothing is known."""
    inside = path.removeprefix(repository.path(""))
    elsewhere = inside == path and repository.path("")
    return path == "." or bool(elsewhere or repository.under(inside))
