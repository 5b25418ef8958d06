"""Faults and edits of what production asks: rollouts, migrations, rights of pods, load, metrics."""

from __future__ import annotations

from typing import Any

from litellm_gitops.charts import LITELLM
from tests.support.answers import ENVIRONMENTS, everything
from tests.support.faults import (
    AWS,
    CHART,
    GCP,
    SHARED,
    Edit,
    Fault,
    add,
    append_item,
    at,
    delete,
    drop,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

GRACE, UPDATE = "an_answer_ends_before_its_pod", "an_update_replaces_one_pod_after_the_other"
MIGRATIONS, TOKEN = "the_flux_release_has_time_to_start", "the_migrations_have_no_token"
DRAINED = "a_drained_node_leaves_a_pod"
SPREAD, NO_TOKEN = "the_pods_are_spread", "the_proxy_has_no_token"
RIGHTS, WRITES = "the_pods_are_as_their_namespace_asks", "a_pod_can_write_where_it_must"
SCALES, METRICS = "an_autoscaler_can_scale", "the_metrics_are_read"

INSIDE = everything(exposure="none")
RESTRICTED = everything(pod_security="restricted")
SUCCESSOR = everything(
    chart="litellm",
    pod_security="restricted",
    **{f"{each}_database_host": "db.example.internal" for each in ENVIRONMENTS},
)
LOAD = everything(max_replicas=6)
WATCHED = everything(metrics="prometheus_operator")

PROBE, BUDGET = CHART.probes[2], CHART.disruption_budget
POD, CONTAINER, METRICS_SERVER = CHART.pod_security[0], CHART.container_security[0], CHART.metrics
NAMESPACE, MONITORING = (f"clusters/aws/{name}.yaml" for name in ("namespace", "monitoring"))


def successor(place: tuple[Any, ...], *more: str | int) -> tuple[Any, ...]:
    """The path, in a file of values, of a place of the chart `litellm`."""
    return (LITELLM.name, *place, *more)


def extra(**security: Any) -> dict[str, Any]:
    """A container beside the proxy."""
    return {"name": "own", "image": "example.com/own:1.0.0", "securityContext": security}


def own_budget(environment: str) -> Edit:
    """A PodDisruptionBudget beside the chart."""
    file = f"clusters/{environment}/budget.yaml"
    return together(
        write(file, BUDGET_OF_THEIRS),
        append_item(f"clusters/{environment}/kustomization.yaml", ("resources",), "budget.yaml"),
    )


BUDGET_OF_THEIRS = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: own
  namespace: litellm
spec:
  minAvailable: 1
  selector: {matchLabels: {app.kubernetes.io/name: litellm}}
"""

FAULTS: dict[str, Fault] = {
    "the account of the migrations in another namespace": (
        TOKEN,
        substitute("clusters/aws/namespace.yaml", r"^  namespace: litellm$", "  namespace: litelml"),
    ),
    "a label of the pods that is misspelt": (
        SPREAD,
        substitute(SHARED, r"app\.kubernetes\.io/name: litellm", "app.kubenetes.io/name: litellm", count=1),
    ),
    # ---- rollouts
    "the chart's own grace": (GRACE, remove(SHARED, at(CHART.grace))),
    "the grace of before": (GRACE, set_value(SHARED, at(CHART.grace), 90)),
    "a longer request_timeout": (
        GRACE,
        add(CHART.config, {"litellm_settings": {"request_timeout": 900}}, SHARED),
        INSIDE,
    ),
    "an hour of request_timeout": (
        GRACE,
        add(CHART.config, {"litellm_settings": {"request_timeout": 3600}}, SHARED),
    ),
    "a longer pause": (GRACE, add(CHART.lifecycle, {"preStop": {"sleep": {"seconds": 60}}}, SHARED)),
    "a longer pause by a command": (
        GRACE,
        set_value(SHARED, at(CHART.lifecycle, "preStop"), {"exec": {"command": ["sh", "-c", "sleep 60"]}}),
    ),
    "a pause of a second": (GRACE, set_value(SHARED, at(CHART.lifecycle, "preStop", "sleep", "seconds"), 1)),
    "a pause for what is in the cluster alone": (
        GRACE,
        set_value(SHARED, at(CHART.lifecycle, "preStop", "sleep", "seconds"), 5),
    ),
    "hardly a pause for what is in the cluster": (
        GRACE,
        set_value(SHARED, at(CHART.lifecycle, "preStop", "sleep", "seconds"), 2),
        INSIDE,
    ),
    "a short pause by a command": (
        GRACE,
        set_value(SHARED, at(CHART.lifecycle, "preStop"), {"exec": {"command": ["sleep", "1"]}}),
    ),
    "a command that is no pause": (
        GRACE,
        set_value(SHARED, at(CHART.lifecycle, "preStop"), {"exec": {"command": ["/bin/sh", "-c", "true"]}}),
    ),
    "no pause": (GRACE, remove(SHARED, at(CHART.lifecycle))),
    "a shorter grace in one cluster": (GRACE, add(CHART.grace, 60, GCP)),
    "a shorter grace with the other chart": (GRACE, set_value(SHARED, successor(LITELLM.grace), 60), SUCCESSOR),
    "every pod ends before a new one starts": (UPDATE, set_value(SHARED, at(CHART.strategy), {"type": "Recreate"})),
    "every pod may be away": (UPDATE, add(CHART.strategy, {"rollingUpdate": {"maxUnavailable": "100%"}}, SHARED)),
    "both pods may be away": (UPDATE, add(CHART.strategy, {"rollingUpdate": {"maxUnavailable": 2}}, SHARED)),
    "no budget": (DRAINED, remove(SHARED, at(BUDGET))),
    "a budget that is off": (DRAINED, set_value(SHARED, at(BUDGET, "enabled"), False)),
    "a budget that lets all pods go": (
        DRAINED,
        set_value(SHARED, at(BUDGET), {"enabled": True, "maxUnavailable": "100%"}),
    ),
    "a budget that lets both pods go": (DRAINED, set_value(SHARED, at(BUDGET), {"enabled": True, "maxUnavailable": 2})),
    "a budget of no pod": (DRAINED, set_value(SHARED, at(BUDGET, "minAvailable"), "0%")),
    "no budget with the other chart": (DRAINED, remove(SHARED, successor(LITELLM.disruption_budget)), SUCCESSOR),
    "pods that are spread by the labels of others": (
        SPREAD,
        set_value(SHARED, at(CHART.spread, 0, "labelSelector", "matchLabels", "app.kubernetes.io/name"), "proxy"),
    ),
    # ---- migrations
    "migrations as long as Flux waits": (MIGRATIONS, set_value(SHARED, at(CHART.job_deadline), 900)),
    "the chart's own deadline": (MIGRATIONS, remove(SHARED, at(CHART.job_deadline))),
    "the Job's account gets a token": (TOKEN, set_value(NAMESPACE, ("automountServiceAccountToken",), True, 1)),
    "the Job's account says nothing of a token": (TOKEN, drop(NAMESPACE, "automountServiceAccountToken")),
    "the Job runs as the account of everybody": (TOKEN, remove(SHARED, at(CHART.job_account))),
    "the Job gets a token, whatever its account says": (
        TOKEN,
        set_value(SHARED, successor(LITELLM.job_token), True),
        SUCCESSOR,
    ),
    # ---- rights of pods
    "the proxy gets a token": (NO_TOKEN, set_value(SHARED, at(CHART.service_account, "automount"), True)),
    "the proxy gets the token of the chart's default": (
        NO_TOKEN,
        remove(SHARED, at(CHART.service_account, "automount")),
    ),
    "the proxy gets a token with the other chart": (
        NO_TOKEN,
        set_value(SHARED, successor(LITELLM.service_account, "automount"), True),
        SUCCESSOR,
    ),
    "a privileged container": (RIGHTS, add(CONTAINER, {"privileged": True, "allowPrivilegeEscalation": True}, SHARED)),
    "a capability that baseline has not": (
        RIGHTS,
        add(CONTAINER, {"capabilities": {"add": ["NET_ADMIN"]}}, SHARED),
    ),
    "no seccomp at all": (RIGHTS, add(POD, {"seccompProfile": {"type": "Unconfined"}}, SHARED)),
    "a folder of the node": (RIGHTS, add(CHART.volumes, [{"name": "own", "hostPath": {"path": "/var/log"}}])),
    "a privileged container beside it": (RIGHTS, add(CHART.containers, [extra(privileged=True)])),
    "a port of the node": (
        RIGHTS,
        add(CHART.containers, [{**extra(), "ports": [{"containerPort": 8080, "hostPort": 8080}]}]),
    ),
    "all of /proc": (RIGHTS, add(CONTAINER, {"procMount": "Unmasked"}, SHARED)),
    "no AppArmor profile": (RIGHTS, add(POD, {"appArmorProfile": {"type": "Unconfined"}}, SHARED)),
    "the user of the image, which is root": (RIGHTS, remove(SHARED, at(POD, "runAsUser")), RESTRICTED),
    "nothing says that it is not root": (RIGHTS, remove(SHARED, at(POD, "runAsNonRoot")), RESTRICTED),
    "a container that says it may be root": (RIGHTS, add(CONTAINER, {"runAsNonRoot": False}, SHARED), RESTRICTED),
    "more rights than the parent": (
        RIGHTS,
        set_value(SHARED, at(CONTAINER, "allowPrivilegeEscalation"), True),
        RESTRICTED,
    ),
    "capabilities that are kept": (RIGHTS, remove(SHARED, at(CONTAINER, "capabilities")), RESTRICTED),
    "no seccomp profile": (RIGHTS, remove(SHARED, at(POD, "seccompProfile")), RESTRICTED),
    "an image that may change itself": (
        RIGHTS,
        set_value(SHARED, at(CONTAINER, "readOnlyRootFilesystem"), False),
        RESTRICTED,
    ),
    "a volume of the network": (
        RIGHTS,
        add(CHART.volumes, [{"name": "own", "nfs": {"server": "nfs.example.internal", "path": "/"}}]),
        RESTRICTED,
    ),
    "a container beside it without limits of its rights": (RIGHTS, add(CHART.containers, [extra()]), RESTRICTED),
    "a migrations Job without any limit of its rights": (
        RIGHTS,
        remove(SHARED, successor(LITELLM.container_security[1])),
        SUCCESSOR,
    ),
    "a migrations Job that may run as root": (
        RIGHTS,
        remove(SHARED, successor(LITELLM.pod_security[1], "runAsNonRoot")),
        SUCCESSOR,
    ),
    "no folder to write to": (WRITES, set_value(AWS, at(CHART.mounts, 0, "readOnly"), True), RESTRICTED),
    "a home that cannot be written to": (
        WRITES,
        set_value(SHARED, at(CHART.variables, "HOME"), "/root"),
        RESTRICTED,
    ),
    "no folder for the key of Copilot": (
        WRITES,
        substitute(AWS, r"^ +- name: scratch\n +mountPath: /tmp\n", ""),
        SUCCESSOR,
    ),
    "the folder of the migrations elsewhere": (
        WRITES,
        set_value(SHARED, successor(LITELLM.job_mounts, 0, "mountPath"), "/scratches"),
        SUCCESSOR,
    ),
    "no volume for what is written": (
        "every_mount_has_its_volume",
        substitute(AWS, r"^ +- name: scratch\n +emptyDir:\n +sizeLimit: .*\n", ""),
        SUCCESSOR,
    ),
    "memory in a smaller unit": (
        "a_pod_has_time_to_start",
        set_value(SHARED, at(CHART.resources[0], "requests", "memory"), "4Mi"),
    ),
    "no folder for the migrations": (WRITES, remove(SHARED, successor(LITELLM.job_mounts)), SUCCESSOR),
    # ---- load
    "two autoscalers, of which one knows no load": (SCALES, add(CHART.scaled_by_others, {"enabled": True}), LOAD),
    "more at least than at most": (SCALES, add(CHART.autoscaler, {"maxReplicas": 1}, GCP), LOAD),
    "a target of memory that is the chart's own": (
        SCALES,
        remove(SHARED, successor(LITELLM.memory_target)),
        {**SUCCESSOR, "max_replicas": 6},
    ),
    "two autoscalers": (
        SCALES,
        add(
            CHART.scaled_by_others,
            {"enabled": True, "minReplicas": 2, "triggers": [{"type": "cron", "metadata": {}}]},
            GCP,
        ),
        LOAD,
    ),
    "no request to measure against": (SCALES, remove(SHARED, at(CHART.resources[0], "requests", "cpu")), LOAD),
    # ---- metrics
    "nothing is counted": (
        METRICS,
        remove(SHARED, at(CHART.config, "litellm_settings", "callbacks")),
        WATCHED,
    ),
    "no port for the metrics": (METRICS, set_value(SHARED, at(METRICS_SERVER, "enabled"), False), WATCHED),
    "a monitor of another port": (
        METRICS,
        set_value(MONITORING, ("spec", "podMetricsEndpoints", 0, "port"), "http"),
        WATCHED,
    ),
    "no monitor": (
        METRICS,
        together(delete(MONITORING), drop("clusters/aws/kustomization.yaml", "monitoring.yaml")),
        WATCHED,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "pods that are spread over racks": set_value(SHARED, at(CHART.spread, 0, "topologyKey"), "example.com/rack"),
    "pods that are not spread": remove(SHARED, at(CHART.spread)),
    "a longer grace": set_value(SHARED, at(CHART.grace), 3600),
    "any key while the database is away, for the cluster alone": (
        set_value(SHARED, at(CHART.config, "general_settings", "allow_requests_on_db_unavailable"), True),
        INSIDE,
    ),
    "a token for a container beside it": together(
        set_value(SHARED, at(CHART.service_account, "automount"), True),
        add(CHART.containers, [extra()], SHARED),
    ),
    "a pause by a command": set_value(SHARED, at(CHART.lifecycle, "preStop"), {"exec": {"command": ["sleep", "15"]}}),
    "a request to drain": set_value(
        SHARED, at(CHART.lifecycle, "preStop"), {"httpGet": {"path": "/health/drain", "port": "http"}}
    ),
    "a request to drain by a command": set_value(
        SHARED, at(CHART.lifecycle, "preStop"), {"exec": {"command": ["/app/drain.sh"]}}
    ),
    "a pause of a minute": together(
        set_value(SHARED, at(CHART.lifecycle, "preStop"), {"exec": {"command": ["sh", "-c", "sleep 1m"]}}),
        set_value(SHARED, at(CHART.grace), 660),
    ),
    "a shorter pause for what is in the cluster": (
        set_value(SHARED, at(CHART.lifecycle, "preStop", "sleep", "seconds"), 5),
        INSIDE,
    ),
    "a shorter pause": set_value(SHARED, at(CHART.lifecycle, "preStop", "sleep", "seconds"), 10),
    "the chart's own probe of the start": remove(SHARED, at(PROBE)),
    "more time for the start": set_value(SHARED, at(PROBE, "failureThreshold"), 60),
    "a budget of one pod less": set_value(SHARED, at(BUDGET), {"enabled": True, "maxUnavailable": 1}),
    "a budget of half": set_value(SHARED, at(BUDGET, "minAvailable"), "50%"),
    "a budget of their own": together(
        remove(SHARED, at(BUDGET)),
        *(own_budget(environment) for environment in ENVIRONMENTS),
    ),
    "spend that is kept for ever": together(
        remove(SHARED, at(CHART.config, "general_settings", "maximum_spend_logs_retention_period")),
        remove(SHARED, at(CHART.config, "general_settings", "maximum_spend_logs_retention_interval")),
    ),
    "a Job that goes as the chart has it": remove(SHARED, at(CHART.job_life)),
    "one pod less during an update": add(CHART.strategy, {"rollingUpdate": {"maxUnavailable": 1}}, SHARED),
    "a Flux that waits longer": set_value("clusters/aws/release/helmrelease.yaml", ("spec", "timeout"), "1h"),
    "shorter answers": add(CHART.config, {"litellm_settings": {"request_timeout": 60}}, SHARED),
    "a capability that baseline has": add(CONTAINER, {"capabilities": {"add": ["CHOWN"]}}, SHARED),
    "more rights are given up": add(CONTAINER, {"runAsNonRoot": True, "runAsUser": 1000}, SHARED),
    "another user": (
        together(add(POD, {"runAsUser": 10001, "fsGroup": 10001}, SHARED)),
        RESTRICTED,
    ),
    "a container that says all of it itself": (
        add(
            CHART.containers,
            [
                extra(
                    allowPrivilegeEscalation=False,
                    capabilities={"drop": ["ALL"]},
                    runAsNonRoot=True,
                    seccompProfile={"type": "RuntimeDefault"},
                )
            ],
        ),
        RESTRICTED,
    ),
    "a target of memory of their own": (
        set_value(SHARED, successor(LITELLM.memory_target), 90),
        {**SUCCESSOR, "max_replicas": 6},
    ),
    "a port that is no port of the node": add(
        CHART.containers, [{**extra(), "ports": [{"containerPort": 8080}]}], SHARED
    ),
    "the user of an image that is not root": (
        together(
            remove(SHARED, at(POD, "runAsUser")),
            set_value(SHARED, at(CHART.image, "repository"), "ghcr.io/berriai/litellm-non_root"),
        ),
        RESTRICTED,
    ),
    "the user of the image of the other chart": (
        remove(SHARED, successor(LITELLM.pod_security[0], "runAsUser")),
        SUCCESSOR,
    ),
    "the user of the containers": (
        together(remove(SHARED, at(POD, "runAsUser")), add(CONTAINER, {"runAsUser": 1000}, SHARED)),
        RESTRICTED,
    ),
    "more replicas of one cluster": (add(CHART.autoscaler, {"maxReplicas": 20}, GCP), LOAD),
    "another callback": (
        set_value(SHARED, at(CHART.config, "litellm_settings", "callbacks"), ["prometheus", "otel"]),
        WATCHED,
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
