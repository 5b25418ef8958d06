"""What watches the proxy: alerts that Prometheus can evaluate, dashboards that Grafana can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, edit, restore
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import found_in

_GROUP = "monitoring.coreos.com/"
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*")
_PAIRS = {")": "(", "]": "[", "}": "{"}
# https://prometheus.io/docs/prometheus/latest/querying/functions/ and operators/, those that alerts have
_FUNCTIONS = """
    abs absent absent_over_time and avg avg_over_time bool bottomk by ceil changes clamp clamp_max clamp_min count
    count_over_time count_values day_of_month day_of_week days_in_month delta deriv exp floor group group_left
    group_right histogram_quantile hour idelta ignoring increase irate label_join label_replace last_over_time ln max
    max_over_time min min_over_time minute month offset on or predict_linear quantile quantile_over_time rate resets
    round scalar sgn sort sort_desc sqrt stddev stdvar sum sum_over_time time timestamp topk unless vector without year
"""
_JOB = re.compile(r"\bjob=\"([^\"]*)\"")


@rule
def every_alert_can_be_evaluated(repository: Repository) -> Iterator[Finding]:
    """Prometheus' operator leaves out all of an object in which one expression is none."""
    for document in repository.manifests:
        kind, api_version = (text(dig(document.value, key)) for key in ("kind", "apiVersion"))
        if kind != "PrometheusRule" or not api_version.startswith(_GROUP):
            continue
        is_ours = dig(document.value, "metadata", "name") == "litellm"
        jobs = {f"{repository.namespace}/litellm"} if is_ours else set()
        for at, group in enumerate(sequence(dig(document.value, "spec", "groups"))):
            for number, entry in enumerate(sequence(dig(group, "rules"))):
                place: Place = ("spec", "groups", at, "rules", number, "expr")
                expression = text(dig(entry, "expr"))
                others = {*_JOB.findall(expression)} - jobs if "litellm_" in expression and jobs else set()
                if expression and not _is_balanced(expression):
                    what = "a bracket or a quote of the expression is not closed"
                    yield found_in(document, place, what, edit("correct it: promtool check rules"))
                elif meant := _misspelt(expression):
                    what = f"PromQL has no function {meant[0]}"
                    yield found_in(document, place, what, edit(f"did you mean {meant[1]}?"))
                elif others:
                    what = f"no pod of the proxy is scraped as the job {min(others)}, so that the alert never fires"
                    yield found_in(document, place, what, edit(f'write job="{min(jobs)}"'))


def _misspelt(expression: str) -> tuple[str, str] | None:
    called = re.findall(r"\b([a-z_0-9]+)\s*\(", _QUOTED.sub("", expression))
    return next(((name, meant) for name in called if (meant := closest(name, _FUNCTIONS.split()))), None)


def _is_balanced(expression: str) -> bool:
    plain, opened = _QUOTED.sub("", expression), list[str]()
    for sign in plain:
        if sign in "([{":
            opened.append(sign)
        elif sign in _PAIRS and (not opened or opened.pop() != _PAIRS[sign]):
            return False
    return not opened and not re.search("[\"'`]", plain)


@rule
def every_dashboard_is_json(repository: Repository) -> Iterator[Finding]:
    """And so is every other value of a ConfigMap that says so by its name; what a template fills in is not known."""
    for document in repository.manifests:
        if dig(document.value, "kind") != "ConfigMap":
            continue
        for key, content in mapping(dig(document.value, "data")).items():
            if str(key).endswith(".json") and isinstance(content, str) and "{{" not in content:
                try:
                    json.loads(content)
                except ValueError as error:
                    line = getattr(error, "lineno", 1)
                    what = f"{key} is not JSON, at its line {line}"
                    yield found_in(document, ("data", str(key)), what, restore("correct it"))
