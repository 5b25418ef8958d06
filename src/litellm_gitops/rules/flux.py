"""Flux: Secrets first, then the release with its cluster's values, and git wins over the cluster. See flux.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, normpath

from litellm_gitops.documents import sequence, text, texts
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import CHART_FILE, Repository
from litellm_gitops.rules.engine import Identity, Object, Synced, leads_somewhere, show
from litellm_gitops.rules.table import Table

FLUX = Table("flux")

_OURS = ("cluster", "secrets", "kustomization")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_START = 300.0  # seconds that the chart's startup probe gives a pod: 30 × 10 s
_DEFAULT_TIMEOUT = "5m"  # of a HelmRelease


@FLUX.rule
def flux_follows_this_repository(repository: Repository) -> Iterator[Finding]:
    for _, found in FLUX.each(repository, "source"):
        if text(found.get("spec", "url")).startswith("ssh:") and not found.get("spec", "secretRef"):
            what = "spec.secretRef is missing: without a key nothing is cloned over ssh"
            fix = "write spec.secretRef.name: litellm-git, and see README.md, Bootstrap"
            yield found.finding(("spec", "url"), what, fix)


@FLUX.rule
def flux_sees_what_it_deploys(repository: Repository) -> Iterator[Finding]:
    for each, found in FLUX.each(repository, "source"):
        patterns = text(found.get("spec", "ignore")).splitlines()
        sparse = [normpath(path) for path in texts(found.get("spec", "sparseCheckout"))]
        folders = (each.cluster.folder, each.cluster.secrets_folder)
        for file in (*(f"{folder}/kustomization.yaml" for folder in folders), CHART_FILE):
            pulled = repository.path(file)
            checked_out = not sparse or any(pulled.startswith(f"{path}/") for path in sparse)
            if not checked_out or any(matching(patterns, [pulled])):
                field = "ignore" if checked_out else "sparseCheckout"
                what = f"spec.{field} keeps {dirname(file)}/ from the cluster"
                yield found.finding(("spec", field), what, "let it in")


@FLUX.rule
def every_flux_path_leads_to_its_folder(repository: Repository) -> Iterator[Finding]:
    """Also of an operator's own objects, where they come from this repository."""
    for each in FLUX.clusters(repository):
        source, *ours = (FLUX.identity(each, key) for key in ("source", *_OURS))
        for found in each.all("Kustomization"):
            path, name = normpath(text(found.get("spec", "path"))), found.get("spec", "sourceRef", "name")
            is_from_here = name == source.name and found.identity not in ours
            if is_from_here and not leads_somewhere(repository, path):
                yield found.finding(("spec", "path"), f"there is no {path}", "name a folder of this repository")


def _waits(found: Object) -> list[Identity]:
    """What a Kustomization waits for, in the order of its dependsOn."""
    default, entries = found.identity.namespace, sequence(found.get("spec", "dependsOn"))
    return [Identity("Kustomization", f"{entry.get('namespace', default)}/{entry['name']}") for entry in entries]


def _before(each: Synced, last: Identity) -> set[Identity]:
    """What one waits for, also through others."""
    waits = {found.identity: _waits(found) for found in each.all("Kustomization")}
    before, stack = set[Identity](), [last]
    while stack:
        new = set(waits.get(stack.pop(), ())) - before
        before |= new
        stack += new
    return before


def _there(each: Synced) -> set[Identity]:
    """The Kustomizations of a cluster: of this repository, and those that the owner declares."""
    known = {found.identity for found in each.all("Kustomization") if found.identity.name}
    declared = (Identity(*line.partition(" ")[::2]) for line in each.repository.suite.objects)
    return known.union((FLUX.identity(each, key) for key in _OURS), declared)


@FLUX.rule
def every_flux_dependency_exists(repository: Repository) -> Iterator[Finding]:
    for each, found in FLUX.each(repository, *_OURS):
        others = {other.path for other in _there(each) - {found.identity}}
        for number, wanted in enumerate(_waits(found)):
            if wanted.path not in others:
                what = f"it waits for ever: there is no other Kustomization {wanted.path}"
                fix = f"name one of {', '.join(sorted(others))}, or declare it: {SUITE}, objects"
                yield found.finding(("spec", "dependsOn", number), what, fix)


@FLUX.rule
def the_release_waits_for_the_secrets(repository: Repository) -> Iterator[Finding]:
    for each, found in FLUX.each(repository, "kustomization"):
        secrets = FLUX.identity(each, "secrets")
        # of a name that does not exist the rule above says so
        if secrets not in _before(each, found.identity) and _there(each).issuperset(_waits(found)):
            what = f"it does not wait for {secrets.name}, and pods and migrations start without their Secrets"
            yield found.finding(("spec",), what, f"write dependsOn: [{{name: {secrets.name}}}]")
    for each, found in FLUX.each(repository, "secrets"):
        release = FLUX.identity(each, "kustomization")
        for number, wanted in enumerate(_waits(found)):
            if release in {wanted, *_before(each, wanted)}:
                what = f"it waits for {release.name}, which waits for it"
                yield found.finding(("spec", "dependsOn", number), what, "take it out")


@FLUX.rule
def the_flux_release_has_time_to_start(repository: Repository) -> Iterator[Finding]:
    place = ("spec", "timeout")
    for each, found in FLUX.each(repository, "release"):
        timeout, outer = found.get(*place) or _DEFAULT_TIMEOUT, each.find(FLUX.identity(each, "kustomization"))
        if seconds(timeout) <= _START:
            what = f"spec.timeout is {timeout}, but a pod may take {_START:.0f} s to become ready"
            yield found.finding(place, what, "write timeout: 10m")
        elif outer and seconds(outer.get(*place)) < 2 * seconds(timeout):
            limit = show(outer.get(*place))
            what = f"spec.timeout is {limit}, but each of the release's two steps may take {timeout}"
            yield outer.finding(place, what, "write timeout: 25m")


def seconds(duration: object) -> float:
    """The seconds of a duration such as 1h30m; 0 where it is none."""
    return sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", text(duration)))
