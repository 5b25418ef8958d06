"""The charts that the other tests deploy take what a repository may set, have the traps of LiteLLM's, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litellm_gitops.documents import dig, merge
from litellm_gitops.repository import Repository
from tests.support.answers import everything
from tests.support.charts import NAMES, RefusedError, rendered

HELM, MONOLITH = NAMES
POD = ("Deployment/litellm", "spec", "template", "spec")
PROXY, MIGRATIONS = (*POD, "containers", 0), ("Job/litellm-migrations", "spec", "template", "spec", "containers", 0)
JOB = ("Job/litellm-migrations", "spec", "template")
TEMPLATED = [{"name": "side", "image": "{{ .Values.image.repository }}:1"}]
NAMED = [{"name": "side", "image": "ghcr.io/berriai/litellm:1"}]
SECRET = {"name": "litellm-postgresql", "usernameKey": "username", "passwordKey": "password"}
SELECTOR = {
    f"app.kubernetes.io/{key}": value
    for key, value in {"name": "litellm", "instance": "litellm", "component": "proxy"}.items()
}

# The least that makes each chart render a proxy with a database of ours.
LEAST: dict[str, dict[str, Any]] = {
    HELM: {
        "fullnameOverride": "litellm",
        "masterkeySecretName": "litellm-masterkey",
        "db": {"useExisting": True, "deployStandalone": False, "secret": {**SECRET, "endpointKey": "host"}},
        "migrationJob": {"hooks": {"helm": {"enabled": True}, "argocd": {"enabled": False}}},
    },
    MONOLITH: {
        "fullnameOverride": "litellm",
        "monolith": {"enabled": True},
        "masterKey": {"secretName": "litellm-masterkey", "secretKey": "masterkey"},
        "database": {"writer": {"host": "db.internal", "dbname": "litellm", "passwordSecret": SECRET}},
    },
}


def objects(chart: str, values: dict[str, Any]) -> dict[str, Any]:
    """What the chart makes of these values over the least ones."""
    return rendered(chart, merge(LEAST[chart], values))


@pytest.mark.parametrize("chart", NAMES)
def test_the_least_values_make_a_proxy_its_service_and_its_migrations(chart: str) -> None:
    made = {"Deployment/litellm", "Service/litellm", "ConfigMap/litellm-config", "Job/litellm-migrations"}
    assert set(objects(chart, {})) - {"HorizontalPodAutoscaler/litellm"} == made


@pytest.mark.parametrize("redis", ["none", "external", "bundled"])
def test_the_chart_renders_every_value_of_a_repository(redis: str, render: Callable[..., Path]) -> None:
    given = everything(redis=redis)
    if redis != "external":
        given = {key: value for key, value in given.items() if "redis_host" not in key}
    repository = Repository(render(**given))
    for values in repository.values:
        made = rendered(HELM, values.merged[HELM])
        assert {"PodDisruptionBudget/litellm", "ServiceAccount/litellm"} < set(made)
        assert ("Secret/litellm-masterkey" in made) is False


# chart, values, place in what is rendered -> what stands there
SETTINGS: dict[str, tuple[str, dict[str, Any], dict[tuple[str | int, ...], Any]]] = {
    "an HPA owns the replicas": (
        HELM,
        {"autoscaling": {"enabled": True, "minReplicas": 2, "targetTokensPerSecond": "6M"}},
        {
            ("Deployment/litellm", "spec", "replicas"): None,
            ("HorizontalPodAutoscaler/litellm", "spec", "minReplicas"): 2,
            ("HorizontalPodAutoscaler/litellm", "spec", "metrics", 0, "resource", "target", "averageUtilization"): 60,
            ("HorizontalPodAutoscaler/litellm", "spec", "metrics", 1, "pods", "target", "averageValue"): "6M",
        },
    ),
    "KEDA owns the replicas": (
        HELM,
        {
            "metricsServer": {"enabled": True},
            "keda": {
                "enabled": True,
                "fallback": {"failureThreshold": 5},
                "prometheus": {"serverAddress": "http://prometheus", "requestsPerSecond": 20},
            },
        },
        {
            ("Deployment/litellm", "spec", "replicas"): None,
            ("ScaledObject/litellm", "spec", "fallback"): {"failureThreshold": 5, "replicas": 100},
            ("ScaledObject/litellm", "spec", "triggers", 0, "metadata", "query"): (
                'sum(rate(litellm_proxy_total_requests_metric_total{namespace="litellm",job="litellm-metrics"}[1m]))'
            ),
        },
    ),
    "a monitor scrapes the port that asks for a key": (
        HELM,
        {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
        {
            ("ServiceMonitor/litellm", "metadata", "labels", "release"): "prometheus",
            ("ServiceMonitor/litellm", "spec", "endpoints", 0, "port"): "http",
            ("ServiceMonitor/litellm", "spec", "namespaceSelector", "matchNames"): ["litellm"],
        },
    ),
    "a port of metrics alone": (
        HELM,
        {"metricsServer": {"enabled": True}, "serviceMonitor": {"enabled": True}},
        {
            ("Service/litellm-metrics", "spec", "ports", 0, "port"): 4001,
            ("ServiceMonitor/litellm", "spec", "endpoints", 0, "port"): "metrics",
            (*PROXY, "ports", 1, "containerPort"): 4001,
            (*PROXY, "env", "PROMETHEUS_METRICS_PORT"): "4001",
        },
    ),
    "a pool of connections is the proxy's alone": (
        HELM,
        {"db": {"connectionPool": {"enabled": True, "maxDbConnections": 7}}},
        {
            (*PROXY, "env", "LITELLM_PGBOUNCER_MAX_DB_CONNECTIONS"): "7",
            (*MIGRATIONS, "env", "LITELLM_PGBOUNCER_ENABLED"): None,
        },
    ),
    "containers are templates, objects are not": (
        HELM,
        {
            "extraContainers": TEMPLATED,
            "extraInitContainers": TEMPLATED,
            "extraResources": [{"kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"text": "{{ name }}"}}],
        },
        {
            (*POD, "initContainers"): NAMED,
            (*POD, "containers", 1): NAMED[0],
            ("ConfigMap/own", "data", "text"): "{{ name }}",
        },
    ),
    "the proxy is started otherwise": (
        HELM,
        {
            "command": ["ddtrace-run"],
            "args": ["litellm"],
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            "strategy": {"type": "Recreate"},
            "startupProbe": {"path": "/health/liveliness", "failureThreshold": 60},
            "deploymentMinReadySeconds": 5,
        },
        {
            (*PROXY, "command"): ["ddtrace-run"],
            (*PROXY, "args"): ["litellm"],
            (*PROXY, "lifecycle", "preStop", "sleep", "seconds"): 5,
            (*PROXY, "startupProbe", "httpGet", "path"): "/health/liveliness",
            (*PROXY, "startupProbe", "failureThreshold"): 60,
            ("Deployment/litellm", "spec", "strategy", "type"): "Recreate",
            ("Deployment/litellm", "spec", "minReadySeconds"): 5,
        },
    ),
    "service and ingress": (
        HELM,
        {
            "service": {"type": "LoadBalancer", "annotations": {"own": "1"}, "loadBalancerClass": "own"},
            "ingress": {"enabled": True, "className": "alb", "labels": {"own": "1"}, "idleTimeoutSeconds": 600},
        },
        {
            ("Service/litellm", "metadata", "annotations", "own"): "1",
            ("Service/litellm", "spec", "loadBalancerClass"): "own",
            ("Ingress/litellm", "metadata", "labels", "own"): "1",
            ("Ingress/litellm", "metadata", "annotations", "alb.ingress.kubernetes.io/load-balancer-attributes"): (
                "idle_timeout.timeout_seconds=600"
            ),
        },
    ),
    "the Job shares the pod's environment and volumes": (
        HELM,
        {
            "envVars": {"OWN": "1"},
            "extraEnvVars": [{"name": "MORE", "value": "2"}],
            "environmentSecrets": ["own"],
            "podLabels": {"own": "pod"},
            "volumes": [{"name": "own", "emptyDir": {}}],
            "volumeMounts": [{"name": "own", "mountPath": "/own"}],
            "migrationJob": {
                "podLabels": {"job": "1"},
                "jobLabels": {"job": "2"},
                "jobAnnotations": {"job": "3"},
                "annotations": {"job": "4"},
                "extraContainers": TEMPLATED,
                "command": ["migrate"],
            },
        },
        {
            (*MIGRATIONS, "env", "OWN"): "1",
            (*MIGRATIONS, "env", "MORE"): "2",
            (*MIGRATIONS, "env", "DISABLE_SCHEMA_UPDATE"): "false",
            (*MIGRATIONS, "envFrom"): None,
            (*MIGRATIONS, "volumeMounts", 0, "mountPath"): "/own",
            (*MIGRATIONS, "command"): ["migrate"],
            (*JOB, "spec", "containers", 1): NAMED[0],
            (*JOB, "metadata", "labels", "own"): "pod",
            (*JOB, "metadata", "labels", "job"): "1",
            (*JOB, "metadata", "annotations"): {"job": "4"},
            ("Job/litellm-migrations", "metadata", "labels", "job"): "2",
            ("Job/litellm-migrations", "metadata", "annotations", "job"): "3",
        },
    ),
    "the component is in the selectors of the monolith": (
        MONOLITH,
        {"gateway": {"pdb": {"enabled": True}}},
        {
            ("Deployment/litellm", "spec", "selector", "matchLabels"): SELECTOR,
            ("Service/litellm", "spec", "selector"): SELECTOR,
            ("PodDisruptionBudget/litellm", "spec", "selector", "matchLabels"): SELECTOR,
        },
    ),
    "replicas count for nothing beside the HPA that is on by default": (
        MONOLITH,
        {"gateway": {"replicaCount": 3}},
        {
            ("Deployment/litellm", "spec", "replicas"): None,
            ("HorizontalPodAutoscaler/litellm", "spec", "maxReplicas"): 10,
        },
    ),
    "replicas count without it": (
        MONOLITH,
        {"gateway": {"replicaCount": 3, "hpa": {"enabled": False}}},
        {("Deployment/litellm", "spec", "replicas"): 3, ("HorizontalPodAutoscaler/litellm",): None},
    ),
    "nothing of the gateway reaches the Job": (
        MONOLITH,
        {
            "gateway": {
                "extraEnv": [{"name": "OWN", "value": "1"}],
                "envSecrets": ["own"],
                "volumes": [{"name": "own", "emptyDir": {}}],
                "volumeMounts": [{"name": "own", "mountPath": "/own"}],
                "podLabels": {"own": "1"},
                "podSecurityContext": {"runAsNonRoot": True},
                "securityContext": {"runAsUser": 65532},
            },
            "serviceAccounts": {"gateway": {"create": True, "name": "litellm"}},
        },
        {
            (*PROXY, "env", "OWN"): "1",
            (*PROXY, "envFrom"): [{"secretRef": {"name": "own"}}],
            (*PROXY, "volumeMounts", 1, "mountPath"): "/own",
            (*POD, "securityContext"): {"runAsNonRoot": True},
            (*POD, "serviceAccountName"): "litellm",
            (*MIGRATIONS, "env", "OWN"): None,
            (*MIGRATIONS, "env", "PROXY_MASTER_KEY"): None,
            (*MIGRATIONS, "env", "DISABLE_SCHEMA_UPDATE"): "true",
            (*MIGRATIONS, "envFrom"): None,
            (*MIGRATIONS, "volumeMounts"): None,
            (*MIGRATIONS, "securityContext"): None,
            (*JOB, "metadata", "labels", "own"): None,
            (*JOB, "spec", "securityContext"): None,
            (*JOB, "spec", "serviceAccountName"): "default",
            (*JOB, "spec", "automountServiceAccountToken"): False,
        },
    ),
    "the Job has settings of its own": (
        MONOLITH,
        {
            "migrationJob": {
                "extraEnv": [{"name": "OWN", "value": "1"}],
                "volumes": [{"name": "own", "emptyDir": {}}],
                "volumeMounts": [{"name": "own", "mountPath": "/own"}],
                "podLabels": {"own": "1"},
                "serviceAccountName": "litellm-migrations",
                "securityContext": {"runAsUser": 65532},
                "activeDeadlineSeconds": 540,
            }
        },
        {
            (*MIGRATIONS, "env", "OWN"): "1",
            (*MIGRATIONS, "args"): ["migrations"],
            (*MIGRATIONS, "securityContext", "runAsUser"): 65532,
            (*JOB, "metadata", "labels", "own"): "1",
            (*JOB, "spec", "serviceAccountName"): "litellm-migrations",
            (*JOB, "spec", "restartPolicy"): "Never",
            ("Job/litellm-migrations", "spec", "activeDeadlineSeconds"): 540,
        },
    ),
    "a limit of the processor is merged in": (
        MONOLITH,
        {"gateway": {"resources": {"limits": {"memory": "3Gi"}}}},
        {(*PROXY, "resources", "limits"): {"cpu": "2", "memory": "3Gi"}},
    ),
    "no startup probe, unless one is given": (
        MONOLITH,
        {},
        {(*PROXY, "startupProbe"): None, (*PROXY, "livenessProbe", "initialDelaySeconds"): 10},
    ),
    "a null takes a default away": (
        MONOLITH,
        {"gateway": {"resources": {"limits": {"cpu": None}}, "livenessProbe": None}},
        {(*PROXY, "resources", "limits"): {"memory": "4Gi"}, (*PROXY, "livenessProbe"): None},
    ),
    "objects are templates, annotations are not": (
        MONOLITH,
        {
            "extraResources": [{"kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-own"}}],
            "gateway": {"extraContainers": TEMPLATED, "podAnnotations": {"text": "{{ name }}"}},
        },
        {
            ("ConfigMap/litellm-own", "kind"): "ConfigMap",
            (*POD, "containers", 1): NAMED[0],
            ("Deployment/litellm", "spec", "template", "metadata", "annotations", "text"): "{{ name }}",
        },
    ),
    "the database is given in parts": (
        MONOLITH,
        {"database": {"writer": {"sslMode": "require"}, "connectionPool": {"enabled": True}}},
        {
            (*PROXY, "env", "DATABASE_HOST"): "db.internal",
            (*PROXY, "env", "DATABASE_URL"): None,
            (*PROXY, "env", "DATABASE_PASSWORD"): {"secretKeyRef": {"name": SECRET["name"], "key": "password"}},
            (*PROXY, "env", "LITELLM_PGBOUNCER_ENABLED"): "true",
            (*MIGRATIONS, "env", "DATABASE_SSLMODE"): "require",
            (*MIGRATIONS, "env", "LITELLM_PGBOUNCER_ENABLED"): None,
        },
    ),
    "a login without a password": (
        MONOLITH,
        {"database": {"writer": {"useIAMAuth": True}}},
        {(*PROXY, "env", "IAM_TOKEN_DB_AUTH"): "true", (*MIGRATIONS, "env", "DATABASE_PASSWORD"): None},
    ),
    "Redis is somebody else's": (
        MONOLITH,
        {"redis": {"host": "redis.internal", "passwordSecret": {"name": "litellm-redis"}}},
        {(*PROXY, "env", "REDIS_HOST"): "redis.internal", (*MIGRATIONS, "env", "REDIS_PORT"): "6379"},
    ),
    "a sidecar serves metrics": (
        MONOLITH,
        {"gateway": {"metricsServer": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
        {
            (*POD, "containers", 1, "args"): ["metrics", "--port", "4001"],
            ("Service/litellm-metrics", "spec", "selector", "app.kubernetes.io/component"): "proxy",
            ("ServiceMonitor/litellm", "spec", "endpoints", 0, "port"): "metrics",
        },
    ),
    "without a name of its own everything has two": (
        MONOLITH,
        {"fullnameOverride": ""},
        {("Deployment/litellm-litellm", "kind"): "Deployment"},
    ),
    "an image without the v that releases have": (
        MONOLITH,
        {},
        {(*PROXY, "image"): "ghcr.io/berriai/litellm:0.0.0", (*PROXY, "command"): None},
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_rendered_where_litellm_s_chart_has_it(name: str) -> None:
    chart, values, expected = SETTINGS[name]
    made = objects(chart, values)
    assert {place: _found(made, *place) for place in expected} == expected


def _found(made: Any, *place: str | int) -> Any:
    """What stands at the place; below `env` the value of a variable, or where it comes from."""
    if "env" in place and place[-2] == "env":
        entries = [entry for entry in dig(made, *place[:-1]) if entry["name"] == place[-1]]
        return entries[0].get("value", entries[0].get("valueFrom")) if entries else None
    return dig(made, *place)


# chart, values, what helm says
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a misspelt key": (HELM, {"replicasCount": 2}, "'replicasCount' not allowed"),
    "a key of another release: health": (HELM, {"separateHealthApp": True}, "'separateHealthApp' not allowed"),
    "a key of another release: worker": (HELM, {"worker": {"enabled": True}}, "'worker' not allowed"),
    "a key of another release: route": (HELM, {"httpRoute": {"enabled": True}}, "'httpRoute' not allowed"),
    "a key of another release: retries": (HELM, {"migrationJob": {"retries": 3}}, "'retries' not allowed"),
    "a misspelt key below another": (HELM, {"db": {"connectionPool": {"enable": True}}}, "'enable' not allowed"),
    "a misspelt path": (HELM, {"ingress": {"hosts": [{"hostname": "a"}]}}, "'hostname' not allowed"),
    "a key of the new chart": (HELM, {"gateway": {}}, "'gateway' not allowed"),
    "one port twice": (HELM, {"metricsServer": {"enabled": True, "port": 4000}}, "must differ from service.port"),
    "a key of the old chart": (MONOLITH, {"envVars": {"OWN": "1"}}, "'envVars' not allowed"),
    "a key of the old chart below the gateway": (MONOLITH, {"gateway": {"envVars": {}}}, "'envVars' not allowed"),
    "a misspelt key of the gateway": (MONOLITH, {"gateway": {"extraEnvs": []}}, "'extraEnvs' not allowed"),
    "variables as a mapping": (MONOLITH, {"gateway": {"extraEnv": {"OWN": "1"}}}, "got object, want array"),
    "an image of a component": (MONOLITH, {"gateway": {"image": {"tag": "v1"}}}, "'image' not allowed"),
    "a closed part": (MONOLITH, {"image": {"name": "litellm"}}, "'name' not allowed"),
    "another closed part": (MONOLITH, {"monolith": {"replicas": 2}}, "'replicas' not allowed"),
    "a database of the chart": (MONOLITH, {"postgresql": {"enabled": False}}, "'postgresql' not allowed"),
    "a Redis of the chart, even none": (MONOLITH, {"redis": {"enabled": False}}, "'enabled' not allowed"),
    "replicas as a text": (MONOLITH, {"gateway": {"replicaCount": "2"}}, "got string, want"),
    "no host": (MONOLITH, {"database": {"writer": {"host": ""}}}, "database.writer.host is required"),
    "no database": (MONOLITH, {"database": {"writer": {"dbname": ""}}}, "database.writer.dbname is required"),
    "no master key": (MONOLITH, {"masterKey": {"secretName": ""}}, "masterKey.secretName is required"),
    "two logins": (
        MONOLITH,
        {"database": {"writer": {"useIAMAuth": True, "useAzureEntraAuth": True}}},
        "exclude each other",
    ),
    "two that scale": (MONOLITH, {"gateway": {"keda": {"enabled": True}}}, "exclude each other"),
    "a monitor without metrics": (
        MONOLITH,
        {"gateway": {"serviceMonitor": {"enabled": True}}},
        "requires gateway.metricsServer.enabled",
    ),
    "a label of the selector": (
        MONOLITH,
        {"gateway": {"podLabels": {"app.kubernetes.io/component": "own"}}},
        "part of the selector",
    ),
    "another controller": (MONOLITH, {"ingress": {"enabled": True, "controller": "traefik"}}, "neither alb nor nginx"),
    "the layout of three components": (MONOLITH, {"monolith": {"enabled": False}}, "set monolith.enabled"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_chart_does_not_know_is_refused(name: str) -> None:
    chart, values, said = REFUSED[name]
    with pytest.raises(RefusedError, match=said):
        objects(chart, values)
