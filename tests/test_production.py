"""What production needs of the objects that both charts render: rollouts, probes, migrations, users, load, metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litellm_gitops.documents import dig
from litellm_gitops.repository import Repository
from tests.support.answers import answers
from tests.support.charts import NAMES, rendered

PROXY, JOB = "Deployment/litellm", "Job/litellm-migrations"
SLEEP, COMMAND = {"sleep": {"seconds": 15}}, {"exec": {"command": ["sleep", "15"]}}
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
Made = Callable[..., dict[str, Any]]


@pytest.fixture(params=NAMES)
def made(request: pytest.FixtureRequest, render: Callable[..., Path]) -> Made:
    """`made(**answers)`: the objects of a release on GKE, by "Kind/name", with each of the charts."""
    chart: str = request.param
    host = {"gcp_database_host": "db.example.internal"} if chart == "litellm" else {}

    def of(**given: Any) -> dict[str, Any]:
        root = render(**answers(["gcp"], ["bedrock", "github_copilot"], chart=chart, **host, **given))
        (values,) = Repository(root).values
        return rendered(chart, values.merged[chart])

    return of


def container(objects: dict[str, Any], workload: str) -> dict[str, Any]:
    """The first container of a workload."""
    found: dict[str, Any] = dig(objects[workload], "spec", "template", "spec", "containers", 0)
    return found


@pytest.mark.parametrize(("version", "handler"), [("1.29", COMMAND), ("1.30", SLEEP), ("1.37", SLEEP)])
def test_a_pod_pauses_before_it_ends_in_the_way_of_its_kubernetes(version: str, handler: Any, made: Made) -> None:
    objects = made(kubernetes_version=version)
    assert container(objects, PROXY)["lifecycle"] == {"preStop": handler}
    assert dig(objects[PROXY], "spec", "template", "spec", "terminationGracePeriodSeconds") == 630
    assert dig(objects[PROXY], "spec", "strategy") == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@pytest.mark.parametrize("chart", NAMES)
def test_a_pod_pauses_longer_where_its_controller_takes_longer_to_hear_of_it(
    chart: str, render: Callable[..., Path]
) -> None:
    host = {f"{each}_database_host": "db.example.internal" for each in ("aws", "azure") if chart == "litellm"}
    root = render(
        **answers(["aws", "azure"], ["bedrock"], chart=chart, azure_ingress_class="azure-application-gateway", **host)
    )
    found = {}
    for values in Repository(root).values:
        objects = rendered(chart, values.merged[chart])
        grace = dig(objects[PROXY], "spec", "template", "spec", "terminationGracePeriodSeconds")
        found[values.cluster.name] = (container(objects, PROXY)["lifecycle"]["preStop"], grace)
    assert found == {"aws": (SLEEP, 630), "azure": ({"sleep": {"seconds": 90}}, 705)}


def test_started_is_who_answers_and_ready_who_reaches_the_database(made: Made) -> None:
    proxy = container(made(), PROXY)
    probes = {name: dig(proxy, f"{name}Probe", "httpGet", "path") for name in ("startup", "liveness", "readiness")}
    alive, ready = "/health/liveliness", "/health/readiness"
    assert probes == {"startup": alive, "liveness": alive, "readiness": ready}
    assert proxy["startupProbe"]["periodSeconds"] * proxy["startupProbe"]["failureThreshold"] == 300


def test_the_migrations_end_in_time_keep_their_log_and_have_an_account_without_rights(made: Made) -> None:
    spec = made()[JOB]["spec"]
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (840, 86400)
    assert dig(spec, "template", "spec", "serviceAccountName") == "litellm-migrations"


def test_restricted_pods_are_no_root_and_write_into_volumes_alone(made: Made) -> None:
    objects = made(pod_security="restricted")
    for workload in (PROXY, JOB):
        spec, own = dig(objects[workload], "spec", "template", "spec"), container(objects, workload)
        assert spec["securityContext"] == RESTRICTED
        assert own["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
        folders = {mount["mountPath"] for mount in own["volumeMounts"] if mount["name"] in writable}
        assert folders >= ({"/tmp", "/scratch"} if workload == PROXY else {"/scratch"})
        environment = {entry["name"]: entry.get("value") for entry in own["env"]}
        assert {environment[name] for name in ("HOME", "TMPDIR")} == {"/scratch"}
        assert environment["LITELLM_MIGRATION_DIR"] == "/scratch/migrations"
        names = [volume["name"] for volume in spec["volumes"]]
        paths = [mount["mountPath"] for mount in own["volumeMounts"]]
        assert (len(set(names)), len(set(paths))) == (len(names), len(paths))


def test_an_autoscaler_alone_sets_the_replicas_by_cpu(made: Made) -> None:
    objects = made(replicas=3, max_replicas=9)
    assert "replicas" not in objects[PROXY]["spec"]
    scaler = objects["HorizontalPodAutoscaler/litellm"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert [dig(each, "resource", "name") for each in scaler["metrics"]] == ["cpu"]
    assert scaler["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    assert "HorizontalPodAutoscaler/litellm" not in made(replicas=3)
    assert made(replicas=3)[PROXY]["spec"]["replicas"] == 3


def test_metrics_have_a_port_that_no_service_of_the_proxy_leads_to(made: Made) -> None:
    objects = made(metrics="prometheus_operator")
    containers = dig(objects[PROXY], "spec", "template", "spec", "containers")
    ports = {port["name"]: port["containerPort"] for each in containers for port in each["ports"]}
    assert ports == {"http": 4000, "metrics": 4001}
    assert [port["port"] for port in objects["Service/litellm"]["spec"]["ports"]] == [4000]
    assert "Service/litellm-metrics" not in made()
