"""Faults and edits of what watches the proxy."""

from __future__ import annotations

import json

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append_item, change, set_value, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

WATCHED = everything(metrics="prometheus_operator")
FILE = "clusters/aws/monitoring.yaml"
ALERTS, DASHBOARD, READ = "every_alert_can_be_evaluated", "every_dashboard_is_json", "the_metrics_are_read"
KNOWN, FOUND = "the_engine_knows_every_field", "every_monitor_finds_what_it_reads"

SPEC, ENDPOINT, RULES = ("spec",), ("spec", "podMetricsEndpoints", 0), ("spec", "groups", 0, "rules")
SPEND = 'sum(increase(litellm_spend_metric_total{job="litellm/litellm"}[1h]))'
SERVICES = """
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: own, namespace: litellm}}
spec:
  selector: {{matchLabels: {{app.kubernetes.io/name: {}}}}}
  endpoints:
    - {{port: {}, path: {}, interval: {}}}
"""


def alert(value: object, *place: str | int) -> Edit:
    """Another value in the first alert."""
    return set_value(FILE, (*RULES, 0, *place), value, document=1)


def asks(expression: str) -> tuple[Edit, dict[str, object]]:
    """Another expression in the first alert."""
    return alert(expression, "expr"), WATCHED


def endpoint(**fields: object) -> tuple[Edit, dict[str, object]]:
    """More fields of what the monitor reads."""
    return together(*(set_value(FILE, (*ENDPOINT, name), value) for name, value in fields.items())), WATCHED


def board(data: dict[str, str]) -> tuple[Edit, dict[str, object]]:
    """A dashboard of one's own."""
    labels = {"grafana_dashboard": "1"}
    metadata = {"name": "own", "namespace": "litellm", "labels": labels}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    listed = append_item("clusters/aws/kustomization.yaml", ("resources",), "own.yaml")
    return together(write("clusters/aws/own.yaml", json.dumps(manifest)), listed), everything()


def panel(expression: str, source: object) -> tuple[Edit, dict[str, object]]:
    """A panel of the proxy in a dashboard of one's own, with variables."""
    variables = [{"name": name} for name in ("loki", "other", "filters", "step")]
    panels = [{"datasource": source, "targets": [{"expr": expression}]}]
    found = {"title": "litellm", "panels": panels, "templating": {"list": variables}}
    return board({"own.json": json.dumps(found)})


def services(name: str, port: str, path: str = "/metrics/", interval: str = "30s") -> tuple[Edit, dict[str, object]]:
    """A monitor of Services beside ours."""
    listed = append_item("clusters/aws/kustomization.yaml", ("resources",), "own.yaml")
    return together(write("clusters/aws/own.yaml", SERVICES.format(name, port, path, interval)), listed), WATCHED


PROMETHEUS = {"type": "prometheus", "uid": "own"}
PANELS: dict[str, tuple[str, object]] = {
    "Loki": ('{namespace="litellm"} |= "error" | json', {"type": "loki", "uid": "own"}),
    "Loki by a variable": ('{namespace="litellm"} != "x" | logfmt', {"uid": "$loki"}),
    "an interval of Grafana's own": ("rate(litellm_spend_metric_total[$__rate_interval])", PROMETHEUS),
    "Loki by its name": ('sum(count_over_time({app="litellm"} | json [5m]))', "Loki"),
    "a metric that is chosen": ('rate($other{pod="a"}[5m])', PROMETHEUS),
    "matchers that are chosen": ('sum(rate(up{pod="a", $filters}[$__interval:$step]))', PROMETHEUS),
}

FAULTS: dict[str, Fault] = {
    "a misspelt metric of the cluster": (
        ALERTS,
        substitute(FILE, "_status_replicas_available", "_status_repcicas_available", count=1),
        WATCHED,
    ),
    # expressions
    "no expression": (ALERTS, *asks("")),
    "an expression that ends too early": (ALERTS, *asks("up and")),
    "one sign for a comparison": (ALERTS, *asks('absent(up{job="litellm/litellm"} = 1)')),
    "a rate without its time": (ALERTS, *asks(f"{SPEND.replace('[1h]', '')} > 10")),
    "a time in words": (ALERTS, *asks(f"{SPEND.replace('[1h]', '[60 min]')} > 10")),
    "a rate of a sum": (ALERTS, *asks("rate(sum(litellm_spend_metric_total)[1h]) > 10")),
    "a label that is no text": (ALERTS, *asks("up{job=litellm} == 0")),
    "a pattern that is not closed": (ALERTS, *asks('up{pod=~"litellm-(.*"} == 0')),
    "per cent": (ALERTS, *asks(f"{SPEND} > 5%")),
    "labels without brackets": (ALERTS, *asks("sum by pod (up) == 0")),
    "a quantile without buckets": (
        ALERTS,
        *asks("histogram_quantile(0.95, sum(rate(litellm_request_total_latency_metric_bucket[5m]))) > 120"),
    ),
    "a quantile in per cent": (
        ALERTS,
        *asks("histogram_quantile(95, rate(litellm_request_total_latency_metric_bucket[5m])) > 120"),
    ),
    "words": (ALERTS, *asks("litellm is down")),
    "a misspelt metric": (ALERTS, *asks(f"{SPEND.replace('spend', 'spent')} > 10")),
    "a counter without its end": (ALERTS, *asks(f"{SPEND.replace('_total', '')} > 10")),
    "a metric without one of its words": (ALERTS, *asks(f"{SPEND.replace('_metric', '')} > 10")),
    "a misspelt namespace": (ALERTS, *asks('kube_deployment_spec_replicas{namespace="litelm"} == 0')),
    "the job of a chart": (ALERTS, *asks('absent(up{job="litellm"} == 1)')),
    # what else an alert has
    "no severity": (ALERTS, alert({}, "labels"), WATCHED),
    "a misspelt label": (ALERTS, alert({"severty": "critical"}, "labels"), WATCHED),
    "a misspelt severity": (ALERTS, alert("critcal", "labels", "severity"), WATCHED),
    "a label with a hyphen": (ALERTS, alert("x", "labels", "my-team"), WATCHED),
    "a template that is not closed": (ALERTS, alert("{{ $labels.pod }", "annotations", "summary"), WATCHED),
    "a misspelt function of a template": (ALERTS, alert("{{ $value | humanise }}", "annotations", "summary"), WATCHED),
    "a misspelt variable of a template": (ALERTS, alert("{{ $label.pod }}", "annotations", "summary"), WATCHED),
    "an alert that is a record": (ALERTS, alert("litellm:up", "record"), WATCHED),
    "a record that waits": (ALERTS, alert({"record": "a:b", "expr": "sum(up)", "for": "5m"}), WATCHED),
    "a record that is no metric": (ALERTS, alert({"record": "a-b", "expr": "sum(up)"}), WATCHED),
    "no name": (ALERTS, alert({"expr": "up == 0"}), WATCHED),
    "an alert that is there twice": (ALERTS, set_value(FILE, (*RULES, 1, "alert"), "LiteLLMDown", document=1), WATCHED),
    "a group that is there twice": (
        ALERTS,
        append_item(FILE, (*SPEC, "groups"), {"name": "litellm", "rules": []}, document=1),
        WATCHED,
    ),
    # monitors
    "a wait longer than the interval": (FOUND, *endpoint(scrapeTimeout="1m")),
    "metrics by TLS": (READ, *endpoint(scheme="https")),
    "a number of another port": (READ, set_value(FILE, ENDPOINT, {"portNumber": 4000}), WATCHED),
    "labels that are relabelled by half a pattern": (
        FOUND,
        *endpoint(metricRelabelings=[{"action": "drop", "sourceLabels": ["__name__"], "regex": "litellm_("}]),
    ),
    "no interval": (FOUND, *endpoint(interval="0s")),
    "no wait": (FOUND, *endpoint(scrapeTimeout="0s")),
    **{
        f"metrics of which none is left: {step}": (FOUND, *endpoint(metricRelabelings=[step]))
        for step in (
            {"action": "drop", "regex": ".*"},
            {"action": "drop", "sourceLabels": ["__name__"], "regex": "litellm_.*"},
            {"action": "keep", "sourceLabels": ["__name__"], "regex": "litelm_.*"},
            {"action": "keep", "sourceLabels": ["__name__"], "regex": "python_.*"},
            {"action": "labeldrop", "regex": ".*"},
            {"action": "labelkeep", "regex": "model|team"},
        )
    },
    "targets of which none is left": (FOUND, *endpoint(relabelings=[{"action": "drop"}])),
    "a step without its number": (
        FOUND,
        *endpoint(relabelings=[{"action": "hashmod", "sourceLabels": ["__address__"], "targetLabel": "a"}]),
    ),
    "a step without its label": (FOUND, *endpoint(relabelings=[{"sourceLabels": ["a"], "replacement": "b"}])),
    "a step to another job": (FOUND, *endpoint(relabelings=[{"targetLabel": "job", "replacement": "own"}])),
    "a monitor of Services of another path": (FOUND, *services("litellm", "http", "/metric")),
    "a monitor of Services that nobody reads": (FOUND, *services("litellm", "http", interval="0s")),
    "a job of another name": (READ, set_value(FILE, (*SPEC, "jobLabel"), "app.kubernetes.io/name"), WATCHED),
    "another namespace": (
        FOUND,
        set_value(FILE, (*SPEC, "namespaceSelector"), {"matchNames": ["default"]}),
        WATCHED,
    ),
    "an expression that takes other pods": (
        FOUND,
        set_value(
            FILE,
            (*SPEC, "selector"),
            {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": ["own"]}]},
        ),
        WATCHED,
    ),
    "a monitor of no Service": (FOUND, *services("litelm", "http")),
    "a monitor of no port": (FOUND, *services("litellm", "metric")),
    # dashboards
    "a dashboard without its label": (
        DASHBOARD,
        set_value(FILE, ("metadata", "labels"), {"own": "x"}, document=2),
        WATCHED,
    ),
    "a dashboard that Grafana passes over": (DASHBOARD, change(FILE, "  litellm.json:", "  litellm.jsn:"), WATCHED),
    "a panel of a misspelt metric": (
        DASHBOARD,
        substitute(FILE, "litellm_total_tokens_metric_total", "litellm_total_token_metric_total", count=1),
        WATCHED,
    ),
    "a panel of a misspelt function": (
        DASHBOARD,
        substitute(FILE, r"rate\(litellm_total_tokens", "rates(litellm_total_tokens", count=1),
        WATCHED,
    ),
    "a bracket that is not closed": (ALERTS, substitute(FILE, r"absent\(up", "absent((up"), WATCHED),
    "an alert of another job": (
        ALERTS,
        substitute(FILE, r"(litellm_spend_metric_total\{job=\")litellm/", r"\1gateway/", count=1),
        WATCHED,
    ),
    "a misspelt function": (ALERTS, substitute(FILE, r"rate\(", "rates(", count=1), WATCHED),
    "a dashboard without its variable": (DASHBOARD, substitute(FILE, r'^ +"templating": .*\n', ""), WATCHED),
    "a misspelt variable of a dashboard": (
        DASHBOARD,
        substitute(FILE, r"\$datasource", "$datasorce", count=1),
        WATCHED,
    ),
    "a comma too many in a dashboard": (DASHBOARD, change(FILE, '"panels": [', '"panels": [,'), WATCHED),
    "a monitor of other pods": (
        FOUND,
        set_value(FILE, ("spec", "selector", "matchLabels"), {"app.kubernetes.io/name": "litelm"}),
        WATCHED,
    ),
    "a monitor of another path": (READ, substitute(FILE, "path: /metrics/", "path: /metric/"), WATCHED),
    "a time without a unit": (KNOWN, substitute(FILE, "for: 5m", "for: 5 minutes", count=1), WATCHED),
    "a misspelt field of an alert": (KNOWN, change(FILE, "- alert: LiteLLMDown", "- alerts: LiteLLMDown"), WATCHED),
    "a misspelt kind": (
        "every_manifest_fits_the_schema_of_its_kind",
        change(FILE, "kind: PodMonitor", "kind: PodMonitors"),
        WATCHED,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a field of a newer operator": (set_value(FILE, (*SPEC, "serviceDiscoveryRole"), "EndpointSlice"), WATCHED),
    **{
        f"the expression {expression}": asks(expression)
        for expression in (
            "max_over_time(sum(rate(litellm_spend_metric_total[5m]))[1h:1m]) > 10",
            "up offset -5m == 0 or up @ end() == 0",
            'label_replace(up, "a", "$1", "b", "(.*)") == 0',
            'count({__name__=~"litellm_.*"}) > 1e3 and up > -Inf',
            "sum(rate(http_requests_total[1d12h])) by (pod,) > bool 1",
            "up * on (pod) group_left (node) kube_pod_info > 0",
            "litellm:spend:rate5m > 1 # a record",
            "sum(rate(litellm_of_a_newer_release_total[5m])) > 1",
            "histogram_quantile(0.9, rate(litellm_overhead_latency_metric_bucket[5m])) > 1",
            "topk(3, 1 - avg without (pod) (up)) ^ 2 > 1",
            'absent_over_time(up{job="own"}[10m])',
            # of native histograms, which have no label le
            "histogram_quantile(0.9, sum by (pod) (rate(http_server_duration_seconds[5m]))) > 1",
            'up{pod=~"(?U)own.*"} == 0',
            # of a newer release, and of VictoriaMetrics
            'histogram_quantiles(sum by (le) (rate(a_bucket[5m])), "q", 0.5, 0.9) > 1',
            "tmax_over_time(up[5m]) > 1 and rate(a[5m] anchored) > 1",
            "sum(rate(a[5m])) keep_metric_names > 1",
            # of others, beside a number of the proxy
            'litellm_in_flight_requests * on (pod) group_left kube_pod_info{job="kube-state-metrics"} > 5',
        )
    },
    "a template": (alert("{{ $labels.pod }} is {{ $value | humanize }}", "annotations", "summary"), WATCHED),
    "variables of a template's own": (
        alert('{{ $labl := $labels.pod }}{{ range $i, $v := query "up" }}{{ $v }}{{ end }}', "annotations", "summary"),
        WATCHED,
    ),
    "JSON in an address": (
        alert('https://example.com/?left={"range":{"from":"{{ $value }}"}}', "annotations", "link"),
        WATCHED,
    ),
    "a severity in capital letters": (alert("CRITICAL", "labels", "severity"), WATCHED),
    **{f"a panel of {name}": panel(*given) for name, given in PANELS.items()},
    "a dashboard by its address": board({"own.json.url": "https://grafana.com/api/dashboards/1860/download"}),
    "a record": (alert({"record": "litellm:up:sum", "expr": "sum(up)"}), WATCHED),
    "the other half of an alert": (
        together(
            *(
                append_item(FILE, RULES, {"alert": "Own", "expr": f'up{{job{matches}"own"}} == 0'}, document=1)
                for matches in ("=", "!=")
            )
        ),
        WATCHED,
    ),
    "the same alert of another severity": (
        append_item(
            FILE, RULES, {"alert": "LiteLLMDown", "expr": "up > 2", "labels": {"severity": "page"}}, document=1
        ),
        WATCHED,
    ),
    **{
        f"metrics of which some are left: {step}": endpoint(metricRelabelings=[step])
        for step in (
            {"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*|process_.*"},
            {"action": "keep", "sourceLabels": ["__name__"], "regex": "litellm_.*"},
            {"action": "drop", "sourceLabels": ["__name__", "model"], "regex": ".*"},
            {"action": "labeldrop", "regex": "end_user"},
            {"targetLabel": "cluster", "replacement": "aws"},
        )
    },
    "a job as it is": endpoint(relabelings=[{"targetLabel": "job", "replacement": "litellm/litellm"}]),
    "a wait as long as the interval": endpoint(scrapeTimeout="30s"),
    "the number of the port": (set_value(FILE, ENDPOINT, {"portNumber": 4001, "path": "/metrics/"}), WATCHED),
    "every namespace": (set_value(FILE, (*SPEC, "namespaceSelector"), {"any": True}), WATCHED),
    "an expression that takes ours": (
        set_value(
            FILE,
            (*SPEC, "selector"),
            {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": ["litellm"]}]},
        ),
        WATCHED,
    ),
    "a monitor of Services": services("litellm", "http"),
    "a monitor of others": services("redis-exporter", "exporter"),
    "another label for Grafana": (
        set_value(FILE, ("metadata", "labels"), {"grafana_dashboards": "yes"}, document=2),
        WATCHED,
    ),
    "functions that few have": (substitute(FILE, r"> 120$", "> 120 and on() (hour() > 7)"), WATCHED),
    "another threshold": (substitute(FILE, r"> 120$", "> 60"), WATCHED),
    "an alert of one's own": (
        set_value(FILE, ("spec", "groups", 0, "rules", 0), {"alert": "Own", "expr": 'up{job="own"} == 0'}, document=1),
        WATCHED,
    ),
    "a dashboard with a variable, in a file of its own": together(
        append_item("clusters/aws/kustomization.yaml", ("resources",), "own.yaml"),
        write(
            "clusters/aws/own.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n"
            'data:\n  own.json: \'{"datasource": "${DS_PROMETHEUS}"}\'\n',
        ),
    ),
    "a label for the operator": (set_value(FILE, ("metadata", "labels", "release"), "prometheus"), WATCHED),
    "another interval": (substitute(FILE, "interval: 30s", "interval: 1m"), WATCHED),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
