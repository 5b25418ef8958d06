"""The same answers give the same proxy with either of LiteLLM's charts, but for a table of differences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops.documents import dig, mapping, sequence
from litellm_gitops.repository import Repository
from tests.conftest import ROOT
from tests.e2e.readme import commands
from tests.support.answers import ENVIRONMENTS, KEYLESS, answers, each, everything, keyless
from tests.support.charts import NAMES, rendered

HOSTS = {f"{environment}_database_host": "litellm.db.example.internal" for environment in ENVIRONMENTS}
STORED = {
    "aws": {"bedrock": "aws_user", "vertex_ai": "gcp_service_account", "azure_openai": "azure_api_key"},
    "gcp": {"bedrock": "aws_user", "vertex_ai": "gcp_service_account", "azure_openai": "entra_id"},
    "azure": {"bedrock": "aws_user", "vertex_ai": "gcp_service_account", "azure_openai": "azure_api_key"},
}
# What is compared: the answers of one repository, of which each cluster is looked at.
SETS: dict[str, dict[str, Any]] = {
    "what the source document has": everything(),
    "keyless": keyless(),
    "every credential stored": each(STORED),
    "an identity of each kind": each({"aws": STORED["aws"] | {"bedrock": "pod_identity"}, "gcp": KEYLESS["gcp"]}),
    "one replica, reached by nobody": answers(["gcp"], ["vertex_ai"], replicas=1, exposure="none"),
    "scaled by load": answers(["aws"], ["bedrock"], replicas=2, max_replicas=5),
    "restricted": answers(["aws"], ["bedrock"], pod_security="restricted", metrics="prometheus_operator"),
    "a database without a password": keyless(("aws", "azure"), database_auth="keyless", **HOSTS),
}
_POD = ("Deployment/litellm", "spec", "template", "spec")
_JOB = ("Job/litellm-migrations", "spec", "template", "spec")
_SAME = ("envFrom", "image", "imagePullPolicy", "resources", "securityContext", "lifecycle")


def facts(objects: dict[str, Any]) -> dict[str, Any]:
    """What one can see of a release, by a name for it."""
    return dict(_facts(objects))


def _facts(objects: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "objects", set(objects)
    for owner, place in (("pod", _POD), ("job", _JOB)):
        template = mapping(dig(objects, *place[:-1]))
        spec = mapping(template.get("spec"))
        container = mapping(sequence(spec.get("containers"))[0])
        for entry in sequence(container.get("env")):
            yield f"{owner} variable {entry['name']}", entry.get("value", entry.get("valueFrom"))
        for name in _SAME:
            yield f"{owner} {name}", container.get(name)
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            yield f"{owner} {name}", mapping(dig(container, name, "httpGet")).get("path")
        volumes = {volume["name"]: volume for volume in sequence(spec.get("volumes"))}
        for mount in sequence(container.get("volumeMounts")):
            what = {key: value for key, value in volumes[mount["name"]].items() if key != "name"}
            yield f"{owner} mount {mount['mountPath']}", (mount.get("subPath"), mount.get("readOnly"), what)
        for name in ("serviceAccountName", "securityContext", "restartPolicy", "automountServiceAccountToken"):
            yield f"{owner} pod {name}", spec.get(name)
        yield f"{owner} labels", mapping(dig(template, "metadata", "labels"))
    spec = mapping(dig(objects, *_POD))
    for name in ("terminationGracePeriodSeconds", "topologySpreadConstraints"):
        yield f"pod {name}", spec.get(name)
    for kind in ("ServiceAccount", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        found = mapping(objects.get(f"{kind}/litellm"))
        yield f"{kind} annotations", dig(found, "metadata", "annotations")
        for field in ("minAvailable", "maxUnavailable", "minReplicas", "maxReplicas", "metrics"):
            yield f"{kind} {field}", dig(found, "spec", field)
    yield "replicas", dig(objects, "Deployment/litellm", "spec", "replicas")
    yield "strategy", dig(objects, "Deployment/litellm", "spec", "strategy")
    yield "configuration", mapping(dig(objects, "ConfigMap/litellm-config", "data")).get("config.yaml")
    for field in ("backoffLimit", "ttlSecondsAfterFinished", "activeDeadlineSeconds"):
        yield f"job {field}", dig(objects, "Job/litellm-migrations", "spec", field)


# name -> why the two differ there; the name may end in * for all that begin like it
DIFFERENCES = {
    "pod variable HOST": "gone: it always was the default",
    "pod variable PORT": "gone: an argument says it",
    "pod variable DATABASE_URL": "the proxy makes it of its parts, and encodes them",
    "pod variable DATABASE_HOST": "plain text, where the old chart reads the Secret",
    "pod variable DATABASE_PASSWORD": "without a password the old chart still wants one, which the login overwrites",
    "pod variable IAM_TOKEN_DB_AUTH": "true, in another spelling",
    "pod variable AZURE_POSTGRESQL_AUTH": "as well",
    "pod variable DATABASE_PORT": "new",
    "pod variable DATABASE_USER": "a second name of DATABASE_USERNAME",
    "pod variable LITELLM_MASTER_KEY": "a second name of PROXY_MASTER_KEY",
    "pod variable LENS_WORKER_IMAGE": "of a component that does not run",
    "pod variable CONFIG_FILE_PATH": "new",
    "pod variable NUM_WORKERS": "an argument before",
    "job variable *": "nothing of the pod's reaches the Job, and it has no master key",
    "job mount *": "as well",
    "job labels": "the component is migrations",
    "pod labels": "the component is the proxy; no label of a version",
    "pod mount /etc/litellm/config.yaml": "the configuration lies elsewhere",
    "pod mount /app/config/config.yaml": "there",
    "pod mount /tmp": "of another size",
    "pod mount /.cache": "the old chart's own, where the root file system is read-only; nothing is written there",
    "pod mount /.npm": "as well",
    "pod mount /tmp/litellm_prometheus_multiproc": "how the new one gathers metrics of all its workers",
    "pod variable PROMETHEUS_MULTIPROC_DIR": "as well",
    "pod variable PROMETHEUS_METRICS_PORT": "how the old one knows the port of its metrics",
    "pod image": "the one that has the new entrypoint",
    "job image": "as well",
    "pod resources": "a limit of CPU, because without one the chart's own stays",
    "pod topologySpreadConstraints": "the Job's pods have the same name, so the component is named, too",
    "PodDisruptionBudget minAvailable": "the old one may count the Job's pods, of which maxUnavailable wants a number",
    "PodDisruptionBudget maxUnavailable": "as well",
    "job pod restartPolicy": "Never, so that the log of a failure stays",
    "job pod automountServiceAccountToken": "the old chart has no such setting",
    "pod pod automountServiceAccountToken": "as well: its ServiceAccount says it",
}


def explanations(name: str) -> set[str]:
    """The entries of the table that speak of a difference."""
    return {known for known in DIFFERENCES if name == known or (known[-1] == "*" and name.startswith(known[:-1]))}


Releases = Callable[[str], dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture(scope="module")
def releases(render: Callable[..., Path]) -> Releases:
    """(cluster, chart) -> what helm makes of the values that one set of answers renders."""

    @cache
    def made(name: str) -> dict[tuple[str, str], dict[str, Any]]:
        found = {}
        for chart in NAMES:
            given = {**(HOSTS if chart == "litellm" else {}), **SETS[name]}
            repository = Repository(render(**given, chart=chart))
            for values in repository.values:
                found[values.cluster.name, chart] = facts(rendered(chart, values.merged[chart]))
        return found

    return made


def differences(made: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, Any]]:
    """(cluster, fact) -> what the two charts make of it, where that differs."""
    found: dict[tuple[str, str], tuple[Any, Any]] = {}
    for cluster in {cluster for cluster, _ in made}:
        old, new = (made[cluster, chart] for chart in NAMES)
        both = {fact: (old.get(fact), new.get(fact)) for fact in {*old, *new}}
        found |= {(cluster, fact): pair for fact, pair in both.items() if pair[0] != pair[1]}
    return found


@pytest.mark.parametrize("name", SETS)
def test_both_charts_give_the_proxy_the_same(name: str, releases: Releases) -> None:
    found = differences(releases(name))
    assert {at: pair for at, pair in found.items() if not explanations(at[1])} == {}


def test_every_difference_of_the_table_is_one(releases: Releases) -> None:
    seen = {known for name in SETS for _, fact in differences(releases(name)) for known in explanations(fact)}
    assert seen == set(DIFFERENCES)


# What README tells the reader to set, and what it is to be in the pod.
SET = {
    "LITELLM_OFFLINE_MODE": "true",
    "GITHUB_COPILOT_API_KEY_URL": "https://api.<name>.ghe.com/copilot_internal/v2/token",
    "GITHUB_COPILOT_API_BASE": "https://copilot-api.<name>.ghe.com",
}
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def variables(readme: str) -> Iterator[tuple[str, Any]]:
    """The variables in snippets of YAML, in blocks and in lines, with the value that YAML gives them."""
    blocks = [text for kind, text in BLOCK.findall(readme) if kind == "yaml"]
    for text in (*blocks, *re.findall(r"`([^`\n]+)`", BLOCK.sub("", readme))):
        try:
            content = yaml.safe_load(textwrap.dedent(text))
        except yaml.YAMLError:
            continue  # a command, or a text
        for entry in map(mapping, content if isinstance(content, list) else [content]):
            names = {entry.get("name"): entry.get("value")} if "value" in entry else entry
            yield from ((str(name), value) for name, value in names.items() if re.fullmatch(r"[A-Z][A-Z_]+", str(name)))


@pytest.mark.parametrize("chart", NAMES)
def test_a_variable_that_the_readme_shows_has_its_value(chart: str, render: Callable[..., Path]) -> None:
    root = render(**everything(chart=chart))
    assert dict(variables((root / "README.md").read_text("utf-8"))) == SET


@pytest.mark.parametrize("chart", NAMES)
def test_what_to_check_before_choosing_can_be_read_before_and_after(chart: str, render: Callable[..., Path]) -> None:
    before, after = ROOT / "docs" / "charts.md", render(**everything(chart=chart)) / "README.md"
    checks, *_ = commands(after, "Another chart")
    assert checks == commands(before, "Before you choose `litellm`")[0]
    assert "](docs/charts.md)" in (ROOT / "README.md").read_text("utf-8")
