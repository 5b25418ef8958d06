"""Faults and edits of what values put into the pods, of the proxy and of its migrations, with either chart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litellm_gitops.charts import CHARTS, LITELLM, LITELLM_HELM, Chart
from litellm_gitops.documents import Place
from tests.support.answers import everything
from tests.support.faults import AWS, GCP, SHARED, Edit, Fault, append_item, change, remove, set_value, together
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

CHART_ITSELF, TWICE = "the_chart_takes_what_it_is_given", "no_variable_is_set_twice"
READ, MOUNTS = "every_variable_is_one_that_is_read", "every_mount_has_its_volume"
POD, API = "what_values_put_into_the_pod_fits_its_schema", "the_api_server_takes_what_values_make"
SCHEMA, SCALE = "the_values_fit_their_schema", "an_autoscaler_can_scale"
START, STARTS = "a_pod_has_time_to_start", "the_kubelet_starts_the_image"
PROBES, RIGHTS = "every_probe_asks_what_costs_nothing", "the_pods_are_as_their_namespace_asks"
NEEDS, SECRETS = "every_chosen_method_has_what_it_needs", "values_name_only_secrets_and_keys_that_exist"
WRITES, NAMES, JOB = "a_pod_can_write_where_it_must", "every_name_is_valid", "the_migrations_run_before_the_pods"
GRACE, SPREAD = "an_answer_ends_before_its_pod", "the_pods_are_spread"
LOG, REDIS, CLEAR = "no_log_shows_a_secret", "redis_is_the_answered_one", "nothing_is_sent_in_clear_or_astray"
BESIDE = {"name": "own", "image": "example.com/own:1.0.0"}
CPU = [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}]

Rows = Iterator[tuple[str, str, Edit]]  # its name, the rule (none for what an owner may do), the edit


class On:
    """Edits of the values of a chart."""

    def __init__(self, chart: Chart) -> None:
        self.chart, self.is_first = chart, chart is LITELLM_HELM

    def at(self, place: Place, *more: str | int) -> Place:
        return (self.chart.name, *place, *more)

    def own(self, *place: str | int) -> Place:
        """A place of the proxy's own."""
        return self.at(() if self.is_first else ("gateway",), *place)

    def put(self, place: Place, value: Any, *more: str | int, file: str = SHARED) -> Edit:
        return set_value(file, self.at(place, *more), value)

    def variable(self, name: str, value: str) -> Edit:
        if self.is_first:
            return set_value(AWS, self.at(self.chart.variables, name), value)
        return append_item(AWS, self.at(self.chart.variable_list), {"name": name, "value": value})

    def from_elsewhere(self, source: dict[str, Any]) -> Edit:
        file = SHARED if self.is_first else AWS
        return append_item(file, self.at(self.chart.variable_list), {"name": "OWN", "valueFrom": source})

    def probe(self, number: int, path: str, **more: Any) -> Edit:
        asked = {"path": path} if self.is_first else {"httpGet": {"path": path, "port": "http"}}
        return self.put(self.chart.probes[number], {"failureThreshold": 30, **asked, **more})

    def volume(self, content: dict[str, Any], path: str = "/own") -> Edit:
        return together(
            append_item(AWS, self.at(self.chart.volumes), {"name": "own", **content}),
            append_item(AWS, self.at(self.chart.mounts), {"name": "own", "mountPath": path}),
        )

    def scaled(self, **more: Any) -> Edit:
        """By KEDA."""
        bounds = dict(zip(self.chart.bounds_of_others, (more.pop("least", 2), more.pop("most", 6)), strict=True))
        return self.put(self.chart.scaled_by_others, {"enabled": True, **bounds, "triggers": CPU, **more})


def of_either(on: On) -> Rows:
    chart, memory = on.chart, (*on.chart.resources[0], "limits", "memory")
    security, pod = chart.container_security[0], chart.pod_security[0]
    yield (
        "hardly any memory",
        START,
        together(on.put(memory, "256Mi"), on.put((*chart.resources[0], "requests", "memory"), "256Mi")),
    )
    yield "a thousandth of a processor", START, on.put((*chart.resources[0], "requests", "cpu"), "1m")
    yield "a start of seconds", START, on.probe(2, "/health/liveliness", periodSeconds=1, failureThreshold=3)
    yield "milliseconds in a probe", START, on.probe(2, "/health/liveliness", periodSeconds=10000)
    yield "a probe that must succeed twice", API, on.probe(0, "/health/liveliness", successThreshold=2)
    yield (
        "a budget for an autoscaler below nothing",
        SCHEMA,
        on.put(
            chart.autoscaler,
            {"enabled": True, "minReplicas": 2, "maxReplicas": 4, "targetCPUUtilizationPercentage": -60},
        ),
    )
    yield "KEDA with the bounds swapped", SCALE, on.scaled(least=6, most=2)
    yield "KEDA that scales by nothing", SCALE, on.scaled(triggers=[])
    yield "KEDA that wakes nobody", SCALE, on.scaled(least=0)
    asked = "requestsPerSecond" if on.is_first else "targetRequestsPerSecond"
    yield "KEDA that asks nobody", SCALE, on.scaled(triggers=[], prometheus={asked: "5"})
    other = LITELLM if on.is_first else LITELLM_HELM
    yield (
        "KEDA with a bound of the other chart",
        SCHEMA,
        on.put(
            chart.scaled_by_others,
            {"enabled": True, other.bounds_of_others[0]: 2, chart.bounds_of_others[1]: 6, "triggers": CPU},
        ),
    )
    yield "a field that says half", SCHEMA, change(SHARED, "replicaCount: 2", "replicas: 2")
    yield "an image by half a word", SCHEMA, change(SHARED, "repository: ", "repo: ")
    yield "a grace in milliseconds", GRACE, on.put(chart.grace, 630000)
    yield (
        "a time of answers in milliseconds",
        GRACE,
        on.put((*chart.config, "litellm_settings", "request_timeout"), 600000),
    )
    yield "a switch that is neither on nor off", READ, on.variable("LITELLM_OFFLINE_MODE", "yes")
    yield "a capability that nobody has", API, on.put((*security, "capabilities"), {"drop": ["AL"]})
    yield (
        "a budget below nothing",
        "a_node_can_be_drained",
        on.put(
            chart.disruption_budget,
            {"enabled": True, "minAvailable": -1, "maxUnavailable": None if on.is_first else ""},
        ),
    )
    yield (
        "pods that are spread over nothing",
        SPREAD,
        on.put((*chart.spread, 0, "topologyKey"), "kubernetes.iio/hostname"),
    )
    yield (
        "pods that are spread by a label that none has",
        SPREAD,
        on.put((*chart.spread, 0, "labelSelector", "matchLabels"), {"app": "litellm"}),
    )
    yield (
        "pods that are spread by a misspelt label",
        SPREAD,
        on.put((*chart.spread, 0, "labelSelector", "matchLabels"), {"app.kubernetes.io/nam": "litellm"}),
    )
    yield "a grace below nothing", SCHEMA, on.put(chart.grace, -1)
    yield (
        "pods that are ready after the deadline",
        SCHEMA,
        set_value(SHARED, on.own("deploymentMinReadySeconds" if on.is_first else "minReadySeconds"), 10000),
    )
    yield "a command in one text", POD, on.put((*chart.lifecycle, "preStop"), {"exec": {"command": "sleep 15"}})
    yield (
        "a kernel's setting that no pod may have",
        RIGHTS,
        on.put((*pod, "sysctls"), [{"name": "kernel.msgmax", "value": "65536"}]),
    )
    yield "a read-only root for every cluster", WRITES, together(on.put((*security, "readOnlyRootFilesystem"), True))
    yield "half of a way to log in", "every_variable_that_the_proxy_reads_is_set", on.variable("GOOGLE_CLIENT_ID", "a")
    yield "a misspelt variable", READ, on.variable("HTTP_PORXY", "http://proxy.example.com:3128")
    yield "volumes that are gone", MOUNTS, remove(AWS, on.at(chart.volumes))
    yield "mounts that are gone", NEEDS, remove(AWS, on.at(chart.mounts))
    yield "a mount over a part of the image", MOUNTS, on.volume({"emptyDir": {}}, "/app/")
    yield "a mount over its libraries", MOUNTS, on.volume({"emptyDir": {}}, "/usr/local/lib")
    yield "a mount over the configuration", MOUNTS, on.volume({"emptyDir": {}}, *chart.own_mounts)
    yield (
        "a volume of the chart once more",
        MOUNTS,
        append_item(AWS, on.at(chart.volumes), {"name": chart.own_volumes[0], "emptyDir": {}}),
    )
    yield "a volume of half a byte", API, on.volume({"emptyDir": {"sizeLimit": "500m"}})
    yield "a field that is too much for one that is missing", POD, on.volume({"persistentVolumeClaim": {"claim": "a"}})
    yield (
        "another Secret of the cluster in a volume",
        "no_unchosen_method_leaves_a_trace",
        change(AWS, "secretName: litellm-gcp-auth", "secretName: litellm-aws-auth"),
    )
    first = (*chart.volumes, 0, "secret", "items")
    yield (
        "a key that the Secret has not",
        SECRETS,
        on.put(first, [{"key": "gcp.json", "path": "gcp-service-account.json"}], file=AWS),
    )
    yield (
        "a key as a file of another name",
        NEEDS,
        on.put(first, [{"key": "gcp-service-account.json", "path": "gcp.json"}], file=AWS),
    )
    yield "a flag of a mount in quotes", POD, on.put((*chart.mounts, 0, "readOnly"), "true", file=AWS)
    yield (
        "a Secret that is no name",
        SCHEMA,
        change(AWS, "- litellm-azure-auth", "- secretRef: {name: litellm-azure-auth}"),
    )
    yield "a Secret without a key", POD, on.from_elsewhere({"secretKeyRef": {"name": "litellm-masterkey"}})
    yield "a resource that is none", API, on.from_elsewhere({"resourceFieldRef": {"resource": "limit.memory"}})
    yield (
        "a container called like the proxy's",
        API,
        on.put(chart.containers, [{**BESIDE, "name": chart.container}], file=AWS),
    )
    yield (
        "a container with a port that is half said",
        POD,
        on.put(chart.containers, [{**BESIDE, "ports": [{"port": 8080}]}], file=AWS),
    )
    yield "annotations in a list", SCHEMA, on.put((*chart.service_account, "annotations"), ["a: b"], file=AWS)
    yield (
        "an annotation of the Service with a space",
        NAMES,
        on.put((*chart.service, "annotations"), {"own example/a": "b"}, file=AWS),
    )
    yield "migrations that have no time", JOB, on.put(chart.job_deadline, 30)
    yield (
        "migrations under a misspelt account",
        "the_migrations_have_no_token",
        on.put(chart.job_account, "litellm-migration"),
    )
    job = chart.job_deadline[:-1]
    yield (
        "a misspelt container before the migrations",
        POD,
        on.put((*job, "extraInitContainers"), [{"name": "own", "images": "example.com/own:1.0.0"}]),
    )
    yield (
        "a volume that the migrations have not",
        API,
        on.put((*job, "extraContainers"), [{**BESIDE, "volumeMounts": [{"name": "nothing", "mountPath": "/own"}]}]),
    )
    yield "metrics at the port of the proxy", CHART_ITSELF, on.put(chart.metrics, {"enabled": True, "port": 4000})
    yield (
        "one model in clear",
        CLEAR,
        on.put((*chart.model_list, 6, "litellm_params", "api_base"), "http://example.openai.azure.com/"),
    )
    yield (
        "settings of the router in a list",
        "every_setting_takes_effect",
        on.put((*chart.config, "router_settings"), [{"num_retries": 2}]),
    )


def of_the_first(on: On) -> Rows:
    chart = on.chart
    yield "a user that the image has not", STARTS, on.put((*chart.container_security[0], "runAsNonRoot"), True)
    yield "a host of the database beside the sealed one", CHART_ITSELF, on.put(("db", "endpoint"), "db.example.com")
    yield "a name of a project in a list", SCHEMA, on.put((*chart.variables, "VERTEX_PROJECT"), ["a"], file=AWS)
    yield "Redis without TLS by a slip", REDIS, change(SHARED, "REDIS_SSL:", "REDIS_SLL:")


def of_the_second(on: On) -> Rows:
    chart, writer, reader = on.chart, ("database", "writer"), ("database", "reader")
    replica = {"host": "ro.example.internal", "dbname": "litellm", "passwordSecret": {"name": "litellm-postgresql"}}
    yield (
        "two logins of the database",
        CHART_ITSELF,
        together(on.put((*writer, "useIAMAuth"), True), on.put((*writer, "useAzureEntraAuth"), True)),
    )
    for login in ("useIAMAuth", "useAzureEntraAuth"):
        yield f"a login that was not answered: {login}", CHART_ITSELF, on.put((*writer, login), True)
        yield f"a login of the replica alone: {login}", CHART_ITSELF, on.put(reader, {**replica, login: True})
    for field in ("dbname", "passwordSecret"):
        rest = {key: value for key, value in replica.items() if key != field}
        yield f"a replica without {field}", CHART_ITSELF, on.put(reader, rest)
    for word in ("--port", "--config"):
        yield f"arguments that name {word}", CHART_ITSELF, on.put(chart.more_arguments, [word, "8080"])
    yield "arguments that log everything", LOG, on.put(chart.more_arguments, ["--detailed_debug"])
    yield "a log with everything by a variable", TWICE, on.variable("LITELLM_LOG", "DEBUG")
    yield (
        "a variable of the method once more",
        TWICE,
        append_item(GCP, on.at(chart.variable_list), {"name": "VERTEX_PROJECT", "value": "another"}),
    )
    yield (
        "a variable of the metrics",
        TWICE,
        together(on.put((*chart.metrics, "enabled"), True), on.variable("PROMETHEUS_MULTIPROC_DIR", "/tmp/own")),
    )
    yield "a label of the selector", CHART_ITSELF, on.put(chart.pod_labels, {"app.kubernetes.io/name": "own"})
    yield "a monitor without metrics", CHART_ITSELF, on.put(("gateway", "serviceMonitor"), {"enabled": True})
    yield (
        "a probe of another port",
        PROBES,
        on.probe(1, "/health/readiness", httpGet={"path": "/health/readiness", "port": 8080}),
    )
    yield "a probe by TLS", PROBES, on.put((*chart.probes[1], "httpGet", "scheme"), "HTTPS")
    yield "a probe of two kinds", API, on.put(chart.probes[1], {"tcpSocket": {"port": 4000}})
    yield "a probe as in the other chart", SCHEMA, on.put(chart.probes[0], {"path": "/health"})
    yield "a port of the database above the last", SCHEMA, on.put((*writer, "port"), 65536)
    job = ("migrationJob",)
    yield (
        "a variable of the Job that the chart sets",
        TWICE,
        on.put(chart.job_variables, [{"name": "DATABASE_HOST", "value": "db"}]),
    )
    yield "a variable of the Job twice", API, on.put(chart.job_variables, [{"name": "OWN", "value": "a"}] * 2)
    yield (
        "a Secret of the Job that nobody has",
        SECRETS,
        on.put(chart.job_variables, [{"name": "OWN", "valueFrom": {"secretKeyRef": {"name": "own", "key": "a"}}}]),
    )
    yield "a mount of the Job without a volume", API, on.put(chart.job_mounts, [{"name": "own", "mountPath": "/own"}])
    yield "a toleration of the Job, misspelt", POD, on.put((*job, "tolerations"), [{"key": "a", "operators": "Exists"}])
    yield "nodes for the Job of no architecture", API, on.put((*job, "nodeSelector"), {"kubernetes.io/arch": "x86"})


def of_an_owner(on: On) -> Rows:
    chart = on.chart
    yield (
        "two gigabytes",
        "",
        together(
            on.put((*chart.resources[0], "limits", "memory"), "2Gi"),
            on.put((*chart.resources[0], "requests", "memory"), "2Gi"),
        ),
    )
    yield "a quarter of a processor", "", on.put((*chart.resources[0], "requests", "cpu"), "250m")
    yield "slower probes", "", on.probe(0, "/health/liveliness", periodSeconds=30, timeoutSeconds=20)
    yield "a probe that must succeed twice", "", on.probe(1, "/health/readiness", successThreshold=2)
    yield "KEDA", "", on.scaled()
    yield (
        "KEDA by Prometheus from nothing",
        "",
        together(
            on.scaled(least=0, triggers=[{"type": "prometheus", "metadata": {"query": "a"}}]),
            on.put(chart.disruption_budget, {"enabled": False, "minAvailable": None if on.is_first else ""}),
        ),
    )
    yield (
        "a safe setting of the kernel",
        "",
        on.put((*chart.pod_security[0], "sysctls"), [{"name": "net.ipv4.ip_local_port_range", "value": "1024 65000"}]),
    )
    yield "a user and no root", "", on.put((*chart.pod_security[0],), {"runAsNonRoot": True, "runAsUser": 65532})
    yield (
        "a read-only root with a folder",
        "",
        together(
            on.put((*chart.container_security[0], "readOnlyRootFilesystem"), True),
            *(
                together(
                    append_item(file, on.at(chart.volumes), {"name": "scratch", "emptyDir": {}}),
                    append_item(file, on.at(chart.mounts), {"name": "scratch", "mountPath": "/tmp"}),
                )
                for file in (AWS, GCP, "litellm/values-azure.yaml")
            ),
        ),
    )
    yield "a start of half a minute", "", on.probe(2, "/health/liveliness", periodSeconds=4, failureThreshold=10)
    yield "another proxy", "", on.variable("FTP_PROXY", "http://proxy.example.com:3128")
    yield "a switch in small letters", "", on.variable("LITELLM_OFFLINE_MODE", "true")
    yield (
        "pods that are spread by a label of one's own",
        "",
        together(
            on.put(chart.pod_labels, {"team": "ai"}),
            on.put((*chart.spread, 0, "labelSelector", "matchLabels"), {"team": "ai"}),
        ),
    )
    yield "capabilities in small letters", "", on.put((*chart.container_security[0], "capabilities"), {"drop": ["all"]})
    yield "proxies in small letters", "", on.variable("https_proxy", "http://proxy.example.com:3128")
    yield "a variable of nobody's", "", on.variable("OWN_SETTING", "1")
    yield (
        "the key of a Secret by its name",
        "",
        on.put(
            (*chart.volumes, 0, "secret", "items"),
            [{"key": "gcp-service-account.json", "path": "gcp-service-account.json"}],
            file=AWS,
        ),
    )
    yield "a limit as a variable", "", on.from_elsewhere({"resourceFieldRef": {"resource": "limits.memory"}})
    yield (
        "a container beside it that is asked at its own port",
        "",
        on.put(chart.containers, [{**BESIDE, "ports": [{"name": "own", "containerPort": 8080}]}], file=AWS),
    )
    yield "a container before the migrations", "", on.put((*chart.job_deadline[:-1], "extraInitContainers"), [BESIDE])
    yield "metrics at another port", "", on.put(chart.metrics, {"enabled": True, "port": 9090})
    yield (
        "annotations of the Service",
        "",
        on.put((*chart.service, "annotations"), {"example.com/team": "ai"}, file=AWS),
    )


ANSWERS = {chart.name: everything(chart=chart.name) for chart in CHARTS.values()}


def table(*parts: Rows, chart: Chart) -> dict[str, tuple[str, Edit, dict[str, Any]]]:
    return {f"{name} ({chart.name})": (rule, edit, ANSWERS[chart.name]) for each in parts for name, rule, edit in each}


FIRST, SECOND = On(LITELLM_HELM), On(LITELLM)
FAULTS: dict[str, Fault] = {
    **table(of_either(FIRST), of_the_first(FIRST), chart=LITELLM_HELM),
    **table(of_either(SECOND), of_the_second(SECOND), chart=LITELLM),
}
HARMLESS: dict[str, Harmless] = {
    name: (edit, answers)
    for on in (FIRST, SECOND)
    for name, (_, edit, answers) in table(of_an_owner(on), chart=on.chart).items()
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
