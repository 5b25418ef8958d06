"""Patches of Kustomize, in whichever file: each is one that it reads, fits something, and takes nothing away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename
from typing import Any

import yaml

from litellm_gitops import schemas
from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding
from litellm_gitops.objects import Object
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.admission import is_refused
from litellm_gitops.rules.engine import RENDERED, Synced, synced
from litellm_gitops.rules.kubernetes import known_version
from litellm_gitops.rules.table import places
from litellm_gitops.spelling import closest

Names = set[tuple[str, str]]  # (kind, name)
Flaws = Iterator[tuple[Place, str, str]]  # below the patch: where, what, what to do

# where patches stand, by kind
_PLACES: dict[str, tuple[str, ...]] = {
    "HelmRelease": ("spec", "postRenderers", "*", "kustomize", "patches", "*"),
    "Kustomization": ("spec", "patches", "*"),
}
_IN_A_FILE = ("patches", "*")
# https://datatracker.ietf.org/doc/html/rfc6902#section-4
_OPERATIONS = {"add": "value", "remove": "", "replace": "value", "move": "from", "copy": "from", "test": "value"}
_VITAL = re.compile(
    r"/?|/(?:data|stringData|spec)|/(?:data|stringData)/.+|/spec/(?:template|template/spec|rules|tls|source|selector)"
    r"|.*/(?:containers|containers/\d+|env|envFrom|image|lifecycle|securityContext|serviceAccountName|volumes"
    r"|volumeMounts|(?:liveness|readiness|startup)Probe)"
)
_SCALED = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")
_LOCK = ("ConfigMap", "litellm-lock")  # which secrets.yaml takes out


@rule
def every_patch_fits_what_it_patches(repository: Repository) -> Iterator[Finding]:
    for each in synced(repository):
        secrets = repository.documents(f"{each.cluster.secrets_folder}/kustomization.yaml")
        for found in [*each.objects, *map(Object, secrets)]:
            is_file = basename(found.document.file) == "kustomization.yaml"
            at = _IN_A_FILE if is_file else _PLACES.get(found.identity.kind, ())
            is_release = found.identity.kind == "HelmRelease"
            names = _of_the_release(each) if is_release else _of_the_cluster(each)
            ours = None if is_release else _rendered(each)
            if is_file and not found.flaws and names:
                yield from _replacements(found, names)
                yield from _replicas(found, names)
            is_known = is_file or found.identity.name in ("litellm", "litellm-secrets")
            for place, entry in places(found.document.value, at) if at and not found.flaws else ():
                for below, what, fix in _flaws(entry, names if is_known else set(), ours):
                    yield found.finding((*place, *below), what, fix)


# where the differences stand that an engine leaves out, by kind, and where the object of each
_LEFT_OUT: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "Application": (("spec", "ignoreDifferences", "*"), (), ("jsonPointers",)),
    "HelmRelease": (("spec", "driftDetection", "ignore", "*"), ("target",), ("paths",)),
}


@rule
def every_difference_that_is_left_out_is_of_something(repository: Repository) -> Iterator[Finding]:
    """Of our release, and of what Argo CD's first Application applies: else a difference stays one."""
    for each in synced(repository):
        for found in each.objects:
            kind, name = found.identity.kind, found.identity.name
            if found.flaws or kind not in _LEFT_OUT or name not in ("litellm", "litellm-cluster"):
                continue
            if is_refused(repository, found):
                continue  # of which another rule tells
            names = _of_the_cluster(each) if name == "litellm-cluster" else _of_the_release(each)
            at, inner, paths = _LEFT_OUT[kind]
            for place, entry in places(found.document.value, at):
                target = mapping(dig(entry, *inner) if inner else entry)
                if flaw := _astray(repository, target, names, is_argocd=kind == "Application"):
                    yield found.finding((*place, *inner, flaw[0]), *flaw[1:])
                    continue
                for number, pointer in enumerate(texts(dig(entry, *paths))):
                    if meant := _pointer(repository, text(target.get("kind")), pointer):
                        yield found.finding(
                            (*place, *paths, number), f"there is no {pointer}", f"did you mean {meant}?"
                        )


def _astray(
    repository: Repository, target: dict[Any, Any], names: Names, is_argocd: bool
) -> tuple[str, str, str] | None:
    """(field, what, what to do) where a target chooses nothing of `names`, as far as that is known."""
    kind, name, group = (text(target.get(key)) for key in ("kind", "name", "group"))
    version, kinds = known_version(repository), {kind for kind, _ in names}
    known = schemas.known(version) if version else frozenset()
    groups = {api_version.rpartition("/")[0] for api_version, other in known if other == kind}
    if kind and not groups and kind not in kinds:
        meant = closest(kind, {other for _, other in known})
        return ("kind", f"there is no kind {kind}", f"did you mean {meant}?") if meant else None
    if kind not in kinds or not groups or "*" in group:
        return None
    if (group or is_argocd) and group not in groups:
        return "group" if group else "kind", f"{kind} is of another group", f"write group: {max(groups)}"
    versions = {api_version for api_version, other in known if other == kind}
    if (given := text(target.get("version"))) and f"{group}/{given}" not in versions | {
        f"/{each}" for each in versions
    }:
        return "version", f"there is no {given} of {kind}", "take it away"
    if name and not any(_fits({"kind": kind, "name": name}, *other) for other in names):
        there = ", ".join(sorted(other for of, other in names if of == kind))
        return "name", f"there is no {kind} {name}", f"write {there}"
    if (given := text(target.get("namespace"))) and not re.fullmatch(given.replace("*", ".*"), repository.namespace):
        return "namespace", f"there is nothing of ours in namespace {given}", f"write {repository.namespace}"
    return None


def _pointer(repository: Repository, kind: str, pointer: str) -> str:
    """The JSON pointer that a misspelt one was meant to be, where the schema of its kind is known."""
    version, parts = known_version(repository), pointer.split("/")[1:]
    there = sorted(api_version for api_version, other in schemas.known(version) if other == kind) if version else []
    unknown = [schemas.unknown_part(version, each, kind, parts) for each in there]
    for number, known in filter(None, unknown if all(unknown) else ()):
        meant = closest(parts[number], known)
        return "/".join(["", *parts[:number], meant, *parts[number + 1 :]]) if meant else ""
    return ""


def _replacements(found: Object, names: Names) -> Iterator[Finding]:
    """What is copied is there, and where it is copied to."""
    for at in (("replacements", "*", "source"), ("replacements", "*", "targets", "*", "select")):
        for place, entry in places(found.document.value, at):
            # of the release another rule tells
            kind = text(dig(entry, "kind"))
            is_known = not isinstance(entry, dict) or kind == "Application" or closest(kind, ["Application"])
            if not is_known and not any(_fits(entry, *name) for name in names):
                yield found.finding(
                    place, "it is for nothing that is there, so Kustomize renders nothing", "correct it"
                )


def _replicas(found: Object, names: Names) -> Iterator[Finding]:
    """Kustomize ends with an error where nothing of that name has replicas."""
    for place, entry in places(found.document.value, ("replicas", "*")):
        if not any((kind, dig(entry, "name")) in names for kind in _SCALED):
            what = f"nothing that is listed here is called {dig(entry, 'name')} and has replicas"
            yield found.finding(place, f"{what}, so Kustomize renders nothing", "set it in the values")


def _rendered(each: Synced) -> Names:
    """What of a cluster came with the template; with the rest an owner does as he likes."""
    rendered = (found.identity for found in each.objects if basename(found.document.file) in RENDERED)
    secrets = {("Secret", secret.name) for secret in each.cluster.sealed}
    return secrets | {(identity.kind, identity.name) for identity in rendered}


def _of_the_cluster(each: Synced) -> Names:
    """All that the commits bring to a cluster; nothing where they bring what lies elsewhere, too."""
    for folder in each.folders:
        document, listed = each.listing(folder)
        more = texts(dig(document and document.value, "components"))
        if more or any(not f"{entry}/".startswith((f"{each.cluster.folder}/", "secrets/")) for entry in listed):
            return set()
    found = {(found.identity.kind, found.identity.name) for found in each.objects if found.identity.name}
    found |= {("Secret", secret.name) for secret in each.cluster.sealed}
    for document in (each.listing(folder)[0] for folder in each.folders):
        generators = sequence(dig(document and document.value, "configMapGenerator"))
        found |= {("ConfigMap", text(dig(entry, "name"))) for entry in generators}
    return found


def _of_the_release(each: Synced) -> Names:
    """What the chart makes for sure; nothing where another chart below it makes more."""
    values = each.cluster.values
    if values is None or values.pod.has_redis:
        return set()
    chart = values.chart
    made = {(kind, name) for kind, _, name in (line.partition("/") for line in chart.makes)}
    made |= {
        (kind, "litellm") for kind in ("ServiceAccount", "PodDisruptionBudget", "Ingress", "HorizontalPodAutoscaler")
    }
    own = map(mapping, sequence(values.get(*chart.objects)))
    return made | {(text(entry.get("kind")), text(dig(entry, "metadata", "name"))) for entry in own}


def _flaws(entry: Any, names: Names, ours: Names | None) -> Flaws:
    """`names` is what is there, where that is known, and `ours` what of it is judged; None is all."""
    target, content = mapping(dig(entry, "target")), dig(entry, "patch")
    if dig(entry, "path") is not None:
        return  # of a file
    if not isinstance(content, str) or not content.strip():
        yield (), "it has no patch and no path", "write one of them"
        return
    try:
        parts = [*yaml.load_all(content, LOADER)]
    except yaml.YAMLError:
        yield ("patch",), "it is no YAML, so Kustomize renders nothing", "correct it"
        return
    for part in parts:
        if isinstance(part, list):
            is_there = not names or any(_fits(target, *name) for name in names)
            if target and not is_there and _is_judged(text(target.get("kind")), names):
                yield ("target",), "it is for nothing that is there, and changes nothing", "correct the target"
            is_ours = not target or ours is None or any(_fits(target, *name) for name in ours)
            for line in part:
                yield from _operation(line, is_ours)
        elif isinstance(part, dict):
            yield from _merged(part, target, names, names if ours is None else ours)
    if not all(isinstance(part, list | dict) for part in parts):
        yield ("patch",), "it is no patch: Kustomize takes a list of operations or a part of an object", "correct it"


def _merged(patch: dict[Any, Any], target: dict[Any, Any], names: Names, ours: Names) -> Flaws:
    own = text(patch.get("kind")), text(dig(patch, "metadata", "name"))
    meant = {name for name in names | ours if (_fits(target, *name) if target else name == own)}
    if patch.get("$patch") == "delete":
        if gone := sorted(meant & ours - {_LOCK}):
            yield ("patch",), f"it takes {' '.join(gone[0])} away", "take the patch away"
    elif names and not meant and _is_judged(text(target.get("kind")) if target else own[0], names):
        what = "it is for nothing that is there" + ("" if target else ", so Kustomize renders nothing")
        yield ("target",) if target else ("patch",), what, "correct the kind and the name"


def _is_judged(kind: str, names: Names) -> bool:
    """Whether it is known of a kind what is there, or it is misspelt."""
    return any(_fits({"kind": kind}, other, name) for other, name in names) or bool(
        closest(kind, {other for other, _ in names})
    )


def _operation(line: Any, is_ours: bool) -> Flaws:
    operation, path = text(dig(line, "op")), text(dig(line, "path"))
    if operation not in _OPERATIONS:
        yield ("patch",), f"op is none of {', '.join(_OPERATIONS)}", "correct it"
    elif path and not path.startswith("/"):
        yield ("patch",), f"{path} is no JSON pointer, which begins with /", f"write /{path}"
    elif (field := _OPERATIONS[operation]) and field not in mapping(line):
        yield ("patch",), f"{operation} lacks {field}", f"write {field}"
    elif is_ours and operation == "remove" and _VITAL.fullmatch(path):
        yield ("patch",), f"it takes {path} away, of which the suite says that it is there", "take the patch away"
    elif is_ours and operation in ("add", "replace") and path.endswith("/image"):
        yield ("patch",), f"it would win over {path} of the values, which the suite evaluates", "set it there"


def _fits(target: dict[Any, Any], kind: str, name: str) -> bool:
    """Whether a selector of Kustomize may choose an object: each of its texts is a pattern for all of the other."""
    wanted = ((text(target.get("kind")), kind), (text(target.get("name")), name))
    try:
        return all(not pattern or re.fullmatch(pattern, found) for pattern, found in wanted)
    except re.error:
        return True
