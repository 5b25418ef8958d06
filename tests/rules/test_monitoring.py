"""Faults and edits of what watches the proxy."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import Fault, change, set_value, substitute
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

WATCHED = everything(metrics="prometheus_operator")
FILE = "clusters/aws/monitoring.yaml"
ALERTS, DASHBOARD, READ = "every_alert_can_be_evaluated", "every_dashboard_is_json", "the_metrics_are_read"
KNOWN = "the_engine_knows_every_field"

FAULTS: dict[str, Fault] = {
    "a bracket that is not closed": (ALERTS, substitute(FILE, r"absent\(up", "absent((up"), WATCHED),
    "an alert of another job": (
        ALERTS,
        substitute(FILE, r"(litellm_spend_metric_total\{job=\")litellm/", r"\1gateway/", count=1),
        WATCHED,
    ),
    "a misspelt function": (ALERTS, substitute(FILE, r"rate\(", "rates(", count=1), WATCHED),
    "a comma too many in a dashboard": (DASHBOARD, change(FILE, '"panels": [', '"panels": [,'), WATCHED),
    "a monitor of other pods": (
        READ,
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
    "functions that few have": (substitute(FILE, r"> 120$", "> 120 and on() (hour() > 7)"), WATCHED),
    "another threshold": (substitute(FILE, r"> 120$", "> 60"), WATCHED),
    "an alert of one's own": (
        set_value(FILE, ("spec", "groups", 0, "rules", 0), {"alert": "Own", "expr": 'up{job="own"} == 0'}, document=1),
        WATCHED,
    ),
    "a label for the operator": (set_value(FILE, ("metadata", "labels", "release"), "prometheus"), WATCHED),
    "another interval": (substitute(FILE, "interval: 30s", "interval: 1m"), WATCHED),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
