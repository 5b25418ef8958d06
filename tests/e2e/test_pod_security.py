"""The API server itself: Pod Security admission takes both pods as answered, and the kinds of production are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from litellm_gitops.repository import Repository
from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane
from tests.e2e.processes import wait_for
from tests.support.answers import ENVIRONMENTS, everything, keyless
from tests.support.charts import NAMES, rendered

ENFORCE = "pod-security.kubernetes.io/enforce"
LEVELS = ("baseline", "restricted")
WORKLOADS = ("Deployment/litellm", "Job/litellm-migrations")


@pytest.fixture(scope="module")
def namespaces(admission: ControlPlane) -> ControlPlane:
    """A cluster with a namespace of each level, and in it the accounts of the pods."""
    for level in LEVELS:
        labels = {ENFORCE: level}
        admission.api.create("/api/v1/namespaces", {"metadata": {"name": level, "labels": labels}})
        for name in ("litellm", "litellm-migrations", "default"):
            admission.api.create(f"/api/v1/namespaces/{level}/serviceaccounts", {"metadata": {"name": name}})
    return admission


def pods(answers: dict[str, Any], render: Callable[..., Path]) -> list[Object]:
    """The pods of both workloads in every cluster, with whatever the answers bring."""
    found = []
    for values in Repository(render(**answers)).values:
        made = rendered(values.chart.name, values.merged[values.chart.name])
        for name in WORKLOADS:
            spec = made[name]["spec"]["template"]["spec"]
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": spec})
    return found


def refusals(found: list[Object], namespace: str, admission: ControlPlane) -> list[str]:
    """What the API server has against each pod in a namespace."""
    tried = [{**pod, "metadata": {**pod["metadata"], "namespace": namespace}} for pod in found]
    return [message for pod in tried if (message := admission.api.try_apply(pod))]


@pytest.mark.parametrize("base", [everything, keyless], ids=["stored", "keyless"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("chart", NAMES)
def test_a_namespace_of_the_answered_level_takes_both_pods(
    chart: str, level: str, base: Callable[..., dict[str, Any]], render: Callable[..., Path], namespaces: ControlPlane
) -> None:
    hosts = {f"{each}_database_host": "db.example.internal" for each in ENVIRONMENTS} if chart == "litellm" else {}
    found = pods(base(chart=chart, pod_security=level, metrics="prometheus_operator", **hosts), render)
    assert len(found) == len(ENVIRONMENTS) * len(WORKLOADS)
    assert refusals(found, level, namespaces) == []
    if level == "baseline":
        refused = refusals(found, "restricted", namespaces)
        assert len(refused) == len(found)
        assert all("violates PodSecurity" in message for message in refused)


DEFINITIONS = {
    "prometheus-operator-crds": ["monitoring.coreos.com_podmonitors", "monitoring.coreos.com_prometheusrules"],
    "cilium-crds": ["ciliumnetworkpolicies"],
}


@pytest.fixture(scope="module")
def with_operators(namespaces: ControlPlane) -> ControlPlane:
    """The same, with the kinds of Prometheus' operator and of Cilium."""
    files = [tools.path(folder) / f"{name}.yaml" for folder, names in DEFINITIONS.items() for name in names]
    namespaces.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))

    def known() -> bool:
        groups = [namespaces.api.find(path) for path in ("/apis/monitoring.coreos.com/v1", "/apis/cilium.io/v2")]
        kinds = {entry["kind"] for group in groups for entry in (group or {}).get("resources", ())}
        return kinds >= {"PodMonitor", "PrometheusRule", "CiliumNetworkPolicy"}

    wait_for("the kinds are known", known, timeout=60)
    return namespaces


@pytest.mark.parametrize("policy", ["kubernetes", "cilium"])
@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_the_api_server_takes_network_policies_and_what_is_for_prometheus(
    engine: str, policy: str, render: Callable[..., Path], with_operators: ControlPlane
) -> None:
    root = render(**keyless(network_policy=policy, metrics="prometheus_operator", gitops_engine=engine))
    files = [*root.glob("clusters/*/network-policy.yaml"), *root.glob("clusters/*/monitoring.yaml")]
    assert len(files) == 2 * len(ENVIRONMENTS)
    for file in files:
        for manifest in yaml.safe_load_all(file.read_text("utf-8")):
            assert with_operators.api.try_apply(manifest) is None, file
