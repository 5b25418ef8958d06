"""Patches of Kustomize, in whichever file: each is one that it reads, fits something, and takes nothing away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import RENDERED, Object, Synced, synced
from litellm_gitops.rules.table import places

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
            is_known = is_file or found.identity.name in ("litellm", "litellm-secrets")
            for place, entry in places(found.document.value, at) if at and not found.flaws else ():
                for below, what, fix in _flaws(entry, names if is_known else set(), ours):
                    yield found.finding((*place, *below), what, fix)


def _replacements(found: Object, names: Names) -> Iterator[Finding]:
    """What is copied is there, and where it is copied to."""
    for at in (("replacements", "*", "source"), ("replacements", "*", "targets", "*", "select")):
        for place, entry in places(found.document.value, at):
            # of the release another rule tells
            is_known = not isinstance(entry, dict) or entry.get("kind") == "Application"
            if not is_known and not any(_fits(entry, *name) for name in names):
                yield found.finding(
                    place, "it is for nothing that is there, so Kustomize renders nothing", "correct it"
                )


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
    """Whether it is known of a kind what is there."""
    return any(_fits({"kind": kind}, other, name) for other, name in names)


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
