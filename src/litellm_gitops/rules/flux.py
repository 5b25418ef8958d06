"""Flux: Secrets first, then the release with its environment's values, and git wins over the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import normpath

from rules import Problem, rule
from rules.engine import Cluster, Object, clusters, expect, in_order, named, texts
from rules.ignored import is_ignored, parse_patterns
from rules.repository import Repository, dig, mapping, sequence, text

SYSTEM = "flux-system"
KEY = "sops-age"
CLUSTER, SECRETS, RELEASE = OURS = "litellm-cluster", "litellm-secrets", "litellm"
# Kustomizations that another repository brings into the same cluster, and that dependsOn may name
OF_OTHERS: frozenset[str] = frozenset()

_RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_START = 300.0  # seconds that the chart's startup probe gives a pod: 30 × 10 s
_DEFAULT_TIMEOUT = "5m"  # of a HelmRelease


def _source(repository: Repository) -> str:
    return str(repository.answers.get("project_name"))


def _kustomizations(repository: Repository, *names: str) -> Iterator[tuple[Cluster, Object]]:
    """The Kustomizations of Flux of these names, or all of ours."""
    return named(repository, "flux", "Kustomization", names or OURS)


def _releases(repository: Repository) -> Iterator[tuple[Cluster, Object]]:
    return named(repository, "flux", "HelmRelease", [RELEASE])


def seconds(duration: object) -> float:
    """The seconds of a duration such as 1h30m; 0 where it is none."""
    return sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", text(duration)))


# ---------------------------------------------------------------------------------------------------------------------


@rule
def every_cluster_has_its_flux_objects(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "flux"):
        expected = [
            ("Namespace", repository.namespace, ""),
            ("GitRepository", _source(repository), SYSTEM),
        ]
        expected += [("Kustomization", name, SYSTEM) for name in (CLUSTER, SECRETS, RELEASE)]
        yield from expect(cluster, [*expected, ("HelmRelease", RELEASE, SYSTEM)])


@rule
def flux_follows_this_repository(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "flux"):
        found = cluster.find("GitRepository", _source(repository))
        if found is None:
            continue
        for path, answer in (
            (("spec", "url"), "repo_url"),
            (("spec", "ref", "branch"), "repo_branch"),
        ):
            yield from found.must_be(path, repository.answers.get(answer), f"it is the answer {answer}")
        for field in sorted(set(mapping(found.get("spec", "ref"))) - {"branch"}):
            # a tag instead of the branch is told above
            if found.get("spec", "ref", "branch"):
                what = f"spec.ref.{field} wins over the branch"
                yield found.problem(("spec", "ref", field), what, "take it out")
        if text(found.get("spec", "url")).startswith("ssh:") and not found.get("spec", "secretRef"):
            what = "spec.secretRef is missing: without a key nothing is cloned over ssh"
            yield found.problem(
                ("spec", "url"),
                what,
                "write spec.secretRef.name: litellm-git, and see README.md, Bootstrap",
            )


@rule
def flux_sees_what_it_deploys(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "flux"):
        found = cluster.find("GitRepository", _source(repository))
        if found is None:
            continue
        patterns = parse_patterns(text(found.get("spec", "ignore")).splitlines())
        sparse = [normpath(path) for path in texts(found.get("spec", "sparseCheckout"))]
        for folder in (
            f"clusters/{cluster.environment}",
            "litellm",
            f"secrets/{cluster.environment}",
        ):
            checked_out = not sparse or any(f"{folder}/".startswith(f"{path}/") for path in sparse)
            file = f"{folder}/{'Chart' if folder == 'litellm' else 'kustomization'}.yaml"
            if is_ignored(file, patterns) or not checked_out:
                field = "ignore" if checked_out else "sparseCheckout"
                what = f"spec.{field} keeps {folder}/ from the cluster"
                yield found.problem(("spec", field), what, "let it in")


@rule
def every_flux_source_exists(repository: Repository) -> Iterator[Problem]:
    found = list(_kustomizations(repository)) + list(_releases(repository))
    for _, each in found:
        path = ("spec", "sourceRef") if each.kind == "Kustomization" else ("spec", "chart", "spec", "sourceRef")
        source = mapping(each.get(*path))
        name, namespace = source.get("name"), source.get("namespace") or each.namespace
        if source and (source.get("kind"), name, namespace) != (
            "GitRepository",
            _source(repository),
            SYSTEM,
        ):
            what = f"there is no source {source.get('kind')} {namespace}/{name}"
            yield each.problem(path, what, f"name GitRepository {_source(repository)}, which source.yaml defines")


@rule
def every_flux_dependency_exists(repository: Repository) -> Iterator[Problem]:
    for cluster, found in _kustomizations(repository):
        own = {other.name for other in cluster.all("Kustomization") if other.namespace == SYSTEM}
        there = own.union(OURS, OF_OTHERS) - {found.name}
        for number, entry in enumerate(sequence(found.get("spec", "dependsOn"))):
            if entry["name"] not in there or entry.get("namespace", SYSTEM) != SYSTEM:
                what = f"it waits for ever: there is no other Kustomization {entry['name']!r}"
                todo = f"name one of {', '.join(sorted(there))}; OF_OTHERS in tests/rules/flux.py is for more"
                yield found.problem(("spec", "dependsOn", number), what, todo)


@rule
def the_release_waits_for_the_secrets(repository: Repository) -> Iterator[Problem]:
    for _, found in _kustomizations(repository, RELEASE):
        names = [entry.get("name") for entry in sequence(found.get("spec", "dependsOn"))]
        # a name that does not exist is told by another rule
        if SECRETS not in names and set(names) <= {CLUSTER, *OF_OTHERS}:
            what = f"it does not wait for {SECRETS}, and pods and migrations start without their Secrets"
            yield found.problem(("spec",), what, f"write dependsOn: [{{name: {SECRETS}}}]")
    for _, found in _kustomizations(repository, SECRETS):
        for number, entry in enumerate(sequence(found.get("spec", "dependsOn"))):
            if entry.get("name") == RELEASE:
                what = f"it waits for {RELEASE}, which waits for it"
                yield found.problem(("spec", "dependsOn", number), what, "take it out")


@rule
def every_flux_path_leads_to_its_folder(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "flux"):
        ours = {
            CLUSTER: cluster.folder,
            SECRETS: f"secrets/{cluster.environment}",
            RELEASE: f"{cluster.folder}/release",
        }
        for found in cluster.all("Kustomization"):
            path, wanted = text(found.get("spec", "path")), ours.get(found.name)
            if wanted and normpath(path or ".") != wanted:
                what = f"spec.path is {path or 'not set'}"
                yield found.problem(("spec", "path"), what, f"write path: ./{wanted}")
            # an operator's own, out of this repository
            from_here = found.get("spec", "sourceRef", "name") == _source(repository)
            if not wanted and from_here and path and not repository.under(normpath(path)):
                what = f"spec.path is {path}, which does not exist"
                yield found.problem(("spec", "path"), what, "name a folder of this repository")


@rule
def flux_decrypts_the_secrets(repository: Repository) -> Iterator[Problem]:
    for cluster, found in _kustomizations(repository, SECRETS):
        if not found.get("spec", "decryption"):
            what = "it does not decrypt: the cluster would get ciphertext"
            yield found.problem(("spec",), what, f"write decryption: {{provider: sops, secretRef: {{name: {KEY}}}}}")
        elif repository.answers.get(f"{cluster.environment}_kms_key"):
            if found.get("spec", "decryption", "secretRef"):
                what = "a static key beats the identity of kustomize-controller"
                todo = "take secretRef out: the key service of the cloud decrypts"
                yield found.problem(("spec", "decryption", "secretRef"), what, todo)
        else:
            why = "the age key is there, says README.md, Bootstrap"
            yield from found.must_be(("spec", "decryption", "secretRef", "name"), KEY, why)


@rule
def the_flux_release_takes_its_values(repository: Repository) -> Iterator[Problem]:
    for cluster, found in _releases(repository):
        chart = ("spec", "chart", "spec")
        if normpath(text(found.get(*chart, "chart"))) != "litellm":
            yield found.problem(
                (*chart, "chart"),
                "the chart of this repository is ./litellm",
                "write chart: ./litellm",
            )
        files = ("values", f"values-{cluster.environment}", f"checksums-{cluster.environment}")
        expected = [f"litellm/{file}.yaml" for file in files]
        if not in_order(texts(found.get(*chart, "valuesFiles")), expected):
            what = "valuesFiles are not the three of this environment, from the root of git, the later one winning"
            yield found.problem((*chart, "valuesFiles"), what, "list ./" + ", ./".join(expected))
        if found.get(*chart, "ignoreMissingValuesFiles"):
            what = "ignoreMissingValuesFiles would deploy the chart's defaults when a file is renamed"
            yield found.problem((*chart, "ignoreMissingValuesFiles"), what, "take it out")
        for field in ("values", "valuesFrom"):
            if found.get("spec", field):
                what = f"{field} would win over litellm/values-{cluster.environment}.yaml, which the suite checks"
                yield found.problem(("spec", field), what, "set it there")
        if found.get("spec", "chartRef"):
            what = "chartRef beside chart is refused by the cluster"
            yield found.problem(("spec", "chartRef"), what, "take it out")


@rule
def a_change_of_values_alone_is_deployed(repository: Repository) -> Iterator[Problem]:
    for _, found in _releases(repository):
        why = "otherwise only another version in litellm/Chart.yaml is deployed"
        yield from found.must_be(("spec", "chart", "spec", "reconcileStrategy"), "Revision", why)


@rule
def the_flux_release_lands_beside_its_secrets(repository: Repository) -> Iterator[Problem]:
    for _, found in _releases(repository):
        why = f"the Secrets are in namespace {repository.namespace}"
        for field in ("targetNamespace", "storageNamespace"):
            yield from found.must_be(("spec", field), repository.namespace, why)
        yield from found.must_be(("spec", "releaseName"), RELEASE, "README.md looks for that release")


@rule
def flux_applies_everything_where_it_belongs(repository: Repository) -> Iterator[Problem]:
    for _, found in [*_kustomizations(repository), *_releases(repository)]:
        fields = ["kubeConfig"]
        if found.kind == "Kustomization":
            fields += ["targetNamespace", "namePrefix", "nameSuffix"]
        for field in fields:
            if found.get("spec", field):
                what = f"spec.{field} puts it where nothing looks for it"
                yield found.problem(("spec", field), what, "take it out")


@rule
def flux_runs_the_migrations_and_waits(repository: Repository) -> Iterator[Problem]:
    effects = {
        "disableHooks": "the migrations are a hook and would not run",
        "disableWait": "the release would be Ready before its pods are",
        "preserveValues": "what leaves the values in git would stay in the release",
    }
    for _, found in _releases(repository):
        for action in ("install", "upgrade"):
            for field, what in effects.items():
                if found.get("spec", action, field):
                    yield found.problem(("spec", action, field), what, "take it out")


@rule
def a_failed_flux_release_is_tried_again(repository: Repository) -> Iterator[Problem]:
    for _, found in _releases(repository):
        for action in ("install", "upgrade"):
            why = "with the default a failed release waits for a person"
            yield from found.must_be(("spec", action, "strategy", "name"), "RetryOnFailure", why)


@rule
def the_flux_release_has_time_to_start(repository: Repository) -> Iterator[Problem]:
    for cluster, found in _releases(repository):
        timeout = text(found.get("spec", "timeout")) or _DEFAULT_TIMEOUT
        if seconds(timeout) <= _START:
            what = f"spec.timeout is {timeout}, but a pod may take {_START:.0f} s to become ready"
            yield found.problem(("spec", "timeout"), what, "write timeout: 10m")
            continue
        for outer in (each for each in cluster.all("Kustomization") if each.name == RELEASE):
            limit = text(outer.get("spec", "timeout"))
            if seconds(limit) < 2 * seconds(timeout):
                what = f"spec.timeout is {limit or 'not set'}, but each of the release's two steps may take {timeout}"
                yield outer.problem(("spec", "timeout"), what, "write timeout: 25m")


@rule
def flux_lets_git_win(repository: Repository) -> Iterator[Problem]:
    sources = list(named(repository, "flux", "GitRepository", [_source(repository)]))
    for _, found in sources:
        if found.get("spec", "suspend"):
            yield found.problem(("spec", "suspend"), "it is suspended", "take suspend out")
    for _, found in [*sources, *_kustomizations(repository), *_releases(repository)]:
        if found.get("metadata", "annotations", _RECONCILE) == "disabled":
            what = "it is left as it is in the cluster, whatever git says"
            yield found.problem(("metadata", "annotations", _RECONCILE), what, "take it out")
    for _, found in [*_kustomizations(repository), *_releases(repository)]:
        if found.get("spec", "suspend"):
            yield found.problem(("spec", "suspend"), "it is suspended", "take suspend out once it may go on")
        if found.kind == "Kustomization":
            yield from found.must_be(("spec", "prune"), True, "what leaves git would stay in the cluster")
        else:
            why = "a change by hand would stay in the cluster"
            yield from found.must_be(("spec", "driftDetection", "mode"), "enabled", why)
            for number, entry in enumerate(sequence(found.get("spec", "driftDetection", "ignore"))):
                if {"", "/", "/spec"}.intersection(texts(dig(entry, "paths"))):
                    place = ("spec", "driftDetection", "ignore", number)
                    yield found.problem(place, why, "name the one field that may differ")


@rule
def flux_reports_the_release_when_it_runs(repository: Repository) -> Iterator[Problem]:
    for _, found in _kustomizations(repository, RELEASE):
        yield from found.must_be(("spec", "wait"), True, "otherwise it is Ready before the release is")


@rule
def flux_removes_in_order(repository: Repository) -> Iterator[Problem]:
    policies = {
        CLUSTER: (
            "Orphan",
            "otherwise its deletion takes all away at once, the namespace under the release",
        ),
        RELEASE: (
            "WaitForTermination",
            "otherwise its deletion does not wait until the release is gone",
        ),
    }
    for name, (policy, why) in policies.items():
        for _, found in _kustomizations(repository, name):
            yield from found.must_be(("spec", "deletionPolicy"), policy, why)
    for cluster in clusters(repository, "flux"):
        for found in filter(None, [cluster.find("Namespace", repository.namespace)]):
            annotation = ("metadata", "annotations", "kustomize.toolkit.fluxcd.io/prune")
            yield from found.must_be(
                annotation,
                "disabled",
                "otherwise a removed line in git deletes every Secret with it",
            )
