"""Patches of Kustomize, in whichever file: each is one that it reads, fits something, and takes nothing away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import Object, Synced, synced
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
            names = _of_the_release(each) if found.identity.kind == "HelmRelease" else _of_the_cluster(each)
            is_ours = is_file or found.identity.name in ("litellm", "litellm-secrets")
            if is_file and not found.flaws:
                yield from _replacements(found, names)
            for place, entry in places(found.document.value, at) if at and not found.flaws else ():
                for below, what, fix in _flaws(entry, names if is_ours else set()):
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


def _of_the_cluster(each: Synced) -> Names:
    """All that the commits bring to a cluster."""
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


def _flaws(entry: Any, names: Names) -> Flaws:
    target, content = mapping(dig(entry, "target")), dig(entry, "patch")
    if dig(entry, "path") is not None:
        return  # of a file
    if not isinstance(content, str) or not content.strip():
        yield (), "it has no patch and no path", "write one of them"
        return
    try:
        loaded = yaml.load(content, LOADER)
    except yaml.YAMLError:
        yield ("patch",), "it is no YAML, so Kustomize renders nothing", "correct it"
        return
    if isinstance(loaded, list):
        if names and target and not any(_fits(target, *name) for name in names):
            yield ("target",), "it is for nothing that is there, and changes nothing", "correct the target"
        for line in loaded:
            yield from _operation(line)
    elif isinstance(loaded, dict):
        yield from _merged(loaded, target, names)
    else:
        yield ("patch",), "it is no patch: Kustomize takes a list of operations or a part of an object", "correct it"


def _merged(patch: dict[Any, Any], target: dict[Any, Any], names: Names) -> Flaws:
    own = text(patch.get("kind")), text(dig(patch, "metadata", "name"))
    meant = {name for name in names if (_fits(target, *name) if target else name == own)}
    if patch.get("$patch") == "delete":
        if gone := sorted(meant - {_LOCK}):
            yield ("patch",), f"it takes {' '.join(gone[0])} away", "take the patch away"
    elif names and not meant and (target or _is_judged(own[0], names)):
        what = "it is for nothing that is there" + ("" if target else ", so Kustomize renders nothing")
        yield ("target",) if target else ("patch",), what, "correct the kind and the name"


def _is_judged(kind: str, names: Names) -> bool:
    return kind in {other for other, _ in names}


def _operation(line: Any) -> Flaws:
    operation, path = text(dig(line, "op")), text(dig(line, "path"))
    if operation not in _OPERATIONS:
        yield ("patch",), f"op is none of {', '.join(_OPERATIONS)}", "correct it"
    elif path and not path.startswith("/"):
        yield ("patch",), f"{path} is no JSON pointer, which begins with /", f"write /{path}"
    elif (field := _OPERATIONS[operation]) and field not in mapping(line):
        yield ("patch",), f"{operation} lacks {field}", f"write {field}"
    elif operation == "remove" and _VITAL.fullmatch(path):
        yield ("patch",), f"it takes {path} away, of which the suite says that it is there", "take the patch away"
    elif operation in ("add", "replace") and path.endswith("/image"):
        yield ("patch",), f"it would win over {path} of the values, which the suite evaluates", "set it there"


def _fits(target: dict[Any, Any], kind: str, name: str) -> bool:
    """Whether a selector of Kustomize may choose an object: each of its texts is a pattern for all of the other."""
    wanted = ((text(target.get("kind")), kind), (text(target.get("name")), name))
    try:
        return all(not pattern or re.fullmatch(pattern, found) for pattern, found in wanted)
    except re.error:
        return True
