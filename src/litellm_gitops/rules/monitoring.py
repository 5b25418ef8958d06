"""What watches the proxy: monitors that find it, alerts that Prometheus can evaluate, dashboards that Grafana can read.

The names that it compares with: monitoring.yml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from litellm_gitops.documents import LOADER, Document, Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, Fix, edit, restore, update
from litellm_gitops.languages import relabel
from litellm_gitops.languages.cel import seconds
from litellm_gitops.languages.promql import Asked, PromqlError, asked
from litellm_gitops.objects import Identity, Object, found_in, show
from litellm_gitops.repository import VALUES, Repository, Values
from litellm_gitops.rules import rule
from litellm_gitops.rules.configuration import faults
from litellm_gitops.rules.engine import expect, synced
from litellm_gitops.spelling import closest
from litellm_gitops.tooling import dashboards

_GROUP = "monitoring.coreos.com/"
_NAME, _BOARD, _SEVERITY, _DASHBOARD = "litellm", "litellm-dashboard", "severity", "grafana_dashboard"
_OF_PODS = {"app.kubernetes.io/name": _NAME, "app.kubernetes.io/instance": _NAME}  # the labels of the proxy's
_ENDPOINTS = {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}
_SHOWN = ("dashboard_url", "description", "runbook_url", "summary")  # by what most templates of messages read
_LABEL, _RECORD = r"[a-zA-Z_]\w*", r"[a-zA-Z_:][\w:]*"
_RESULTS = {
    "counters": ("_total", "_created"),
    "histograms": ("_bucket", "_sum", "_count", "_created"),
    "gauges": ("",),
}


@cache
def _known() -> dict[str, list[str]]:
    content = yaml.load((files(__package__) / "monitoring.yml").read_text("utf-8"), LOADER)
    return {name: words.split() for name, words in content.items()}


@cache
def _metrics() -> frozenset[str]:
    """The names that the proxy gives its numbers."""
    kinds = ((name, end) for kind, ends in _RESULTS.items() for name in _known()[kind] for end in ends)
    return frozenset(f"litellm_{name}{end}" for name, end in kinds)


class Misfit(NamedTuple):
    """What is wrong in an alert: in which of its fields, in words, what to do."""

    field: Place
    what: str
    fix: Fix


# ---------------------------------------------------------------------------------------------------------------------
# Alerts
# https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
_WITHOUT_TEXTS = re.compile(r"\{[^{}]*\}|[\d.]+|\s+")
_FILLED_IN = ("labels", "externalLabels", "externalURL", "value")


@rule
def every_alert_can_be_evaluated(repository: Repository) -> Iterator[Finding]:
    """Prometheus' operator leaves out all of an object in which one rule is none."""
    for document in repository.manifests:
        if not _is(document, "PrometheusRule") or Object(document).flaws:  # another rule says so
            continue
        seen: set[Any] = set()
        alerts: dict[Any, str] = {}
        for at, group in enumerate(sequence(dig(document.value, "spec", "groups"))):
            name, place = dig(group, "name"), ("spec", "groups", at)
            if name in seen:
                yield found_in(document, (*place, "name"), f"there is a group {show(name)} already", "rename it")
            seen.add(name)
            for number, entry in enumerate(map(mapping, sequence(dig(group, "rules")))):
                key = (text(entry.get("alert")), *sorted(map(str, mapping(entry.get("labels")).items())))
                misfits = [*_of_alert(document, repository, entry)]
                if key[0] and key in alerts and not _is_its_other_half(alerts[key], text(entry.get("expr"))):
                    what = f"there is an alert {key[0]} with these labels already"
                    misfits.append(Misfit(("alert",), what, edit("rename it, or take one of them out")))
                alerts[key] = text(entry.get("expr"))
                for misfit in misfits:
                    yield found_in(document, (*place, "rules", number, *misfit.field), misfit.what, misfit.fix)


def _is_its_other_half(one: str, other: str) -> bool:
    """Whether two expressions look at the same series, but for what their selectors and limits choose of them."""
    return one != other and _WITHOUT_TEXTS.sub("", one) == _WITHOUT_TEXTS.sub("", other)


def _is(document: Document, kind: str) -> bool:
    return text(dig(document.value, "apiVersion")).startswith(_GROUP) and dig(document.value, "kind") == kind


def _of_alert(document: Document, repository: Repository, entry: dict[Any, Any]) -> Iterator[Misfit]:
    alert, record, is_ours = text(entry.get("alert")), text(entry.get("record")), _is_ours(document)
    if not alert and not record:
        yield Misfit((), "it has no name: neither `alert` nor `record`", edit("write alert: and its name"))
    elif alert and record:
        yield Misfit(
            ("record",), f"it is an alert and a record at once: {alert} and {record}", edit("keep one of them")
        )
    elif record and "for" in entry:
        yield Misfit(("for",), "a record waits for nothing", edit("take it out"))
    elif record and not re.fullmatch(_RECORD, record):
        yield Misfit(
            ("record",), f"{show(record)} is no name of a metric", edit("write one such as litellm:spend:rate5m")
        )
    jobs = {f"{repository.namespace}/{_NAME}"} if is_ours else set[str]()
    yield from _of_expression(str(entry.get("expr", "")), jobs, repository.namespace)
    for field in ("labels", "annotations"):
        for name, value in mapping(entry.get(field)).items():
            if not re.fullmatch(_LABEL, str(name)):
                yield Misfit(
                    (field, str(name)), f"{show(name)} is no name of a label", edit("use letters, digits and '_'")
                )
            yield from _of_template((field, str(name)), text(value))
    shown = mapping(entry.get("annotations"))
    for name in map(str, shown):
        if (meant := closest(name, _SHOWN)) and meant not in shown:
            what = f"{name} is no annotation that is shown; did you mean {meant}?"
            yield Misfit(("annotations", name), what, edit(f"write {meant}"))
    yield from _of_severity(mapping(entry.get("labels")), is_ours and alert.startswith("LiteLLM"))


def _is_ours(document: Document) -> bool:
    return bool(dig(document.value, "metadata", "name") == _NAME)


def _of_severity(labels: dict[Any, Any], is_ours: bool) -> Iterator[Misfit]:
    known, found = _known()["severities"], text(labels.get(_SEVERITY))
    meant = next((str(name) for name in labels if closest(str(name), [_SEVERITY])), "")
    if meant:
        what = f"{meant} is no label that alerts are told apart by; did you mean {_SEVERITY}?"
        yield Misfit(("labels", meant), what, edit(f"write {_SEVERITY}"))
    elif is_ours and not found:
        yield Misfit(("labels",), "it has no severity, by which Alertmanager tells alerts apart", restore())
    elif meant := closest(found, known) if found.lower() not in known else "":
        yield Misfit(("labels", _SEVERITY), f"its severity is {found}; did you mean {meant}?", edit(f"write {meant}"))


def _of_template(place: Place, value: str) -> Iterator[Misfit]:
    """Braces that are not closed, and functions that are misspelt. Those of JSON are closed."""
    rest = re.sub(r"\{\{.*?\}\}", "", value, flags=re.DOTALL)
    if "{{" in rest or ("}}" in rest and rest.count("{") < rest.count("}")):
        yield Misfit(place, "a template in it is not closed", edit("write {{ and }} around what is filled in"))
    for name in re.findall(r"\|\s*(\w+)(?=[^{}]*\}\})", value):
        if name not in _known()["functions"] and (meant := closest(name, _known()["functions"])):
            yield Misfit(place, f"Prometheus has no function {name} for templates", edit(f"did you mean {meant}?"))
    own = {*re.findall(r"\$(\w+)(?:\s*,\s*\$\w+)?\s*:?=", value), *re.findall(r",\s*\$(\w+)\s*:?=", value)}
    for name in re.findall(r"\$(\w+)(?=[^{}]*\}\})", value):
        if name not in own and (meant := closest(name, _FILLED_IN)) and name not in _FILLED_IN:
            yield Misfit(place, f"no template has ${name}", edit(f"did you mean ${meant}?"))


def _of_expression(expression: str, jobs: set[str], namespace: str) -> Iterator[Misfit]:
    place: Place = ("expr",)
    try:
        found = asked(expression)
    except PromqlError as error:
        yield Misfit(place, f"the expression {error}", edit("correct it: promtool check rules"))
        return
    if strange := _strange(found):
        yield Misfit(place, f"nothing has a metric {strange[0]}", edit(f"did you mean {strange[1]}?"))
        return
    for label, operator, value, metric in found.matchers if jobs else ():
        is_other = value not in jobs and (metric.startswith("litellm_") or value == _NAME or closest(value, jobs))
        if label == "job" and operator == "=" and is_other:
            what = f"no pod of the proxy is scraped as the job {value}, so that the alert never fires"
            yield Misfit(place, what, edit(f'write job="{min(jobs)}"'))
            return
        if label in ("namespace", "deployment") and operator == "=" and (meant := closest(value, {namespace, _NAME})):
            yield Misfit(place, f"there is no {label} {value}", edit(f"did you mean {meant}?"))
            return


def _strange(found: Asked) -> tuple[str, str] | None:
    """(a metric of the proxy that does not exist, the one that was meant), where it is known."""
    for name in found.metrics:
        if name.startswith("kube_") and name not in _known()["kube"] and (meant := closest(name, _known()["kube"])):
            return name, meant
        if not name.startswith("litellm_") or name in _metrics():
            continue
        ends = (f"{name}{end}" for end in ("_total", "_bucket"))
        meant = next((each for each in ends if each in _metrics()), closest(name, _metrics()))
        if meant := meant or _with_one_more_word(name):
            return name, meant
    return None


def _with_one_more_word(name: str) -> str:
    """The one metric that a name would be with one more word in it; empty where there are several, or none."""
    pattern = re.compile("(?:_[a-z]+)?".join(f"_{part}" if at else part for at, part in enumerate(name.split("_"))))
    fitting = [each for each in _metrics() if each.count("_") == name.count("_") + 1 and pattern.fullmatch(each)]
    return fitting[0] if len(fitting) == 1 else ""


# ---------------------------------------------------------------------------------------------------------------------
# Dashboards


@rule
def every_dashboard_is_json(repository: Repository) -> Iterator[Finding]:
    """And so is every other value of a ConfigMap that says so by its name; what a template fills in is not known."""
    for document in repository.manifests:
        if dig(document.value, "kind") != "ConfigMap":
            continue
        data, labels = (mapping(dig(document.value, *place)) for place in (("data",), ("metadata", "labels")))
        names = [str(key) for key in data if str(key).endswith(".json")]
        fetched = any(str(key).endswith(".json.url") for key in data)  # by what brings dashboards to Grafana
        if _DASHBOARD in labels and data and not names and not fetched:
            what = f"{min(map(str, data))} is passed over: Grafana reads *.json alone"
            yield found_in(document, ("data", min(map(str, data))), what, "end its name in .json")
        if dig(document.value, "metadata", "name") == _BOARD and not any("dashboard" in str(key) for key in labels):
            what = f"without the label {_DASHBOARD} Grafana never finds it"
            yield found_in(document, ("metadata", "labels"), what, restore())
        for key in names:
            content = data[key]
            # without the label it may be a part of something else, such as of the settings of a proxy
            is_whole = _DASHBOARD in labels or text(content).lstrip()[:1] in ("{", "[")
            if isinstance(content, str) and "{{" not in content and is_whole:
                try:
                    panels = json.loads(content)
                except ValueError as error:
                    line = getattr(error, "lineno", 1)
                    what = f"{key} is not JSON, at its line {line}"
                    yield found_in(document, ("data", key), what, restore("correct it"))
                    continue
                yield from _of_panels(document, ("data", key), panels, repository)
                if lost := dashboards.unknown_variables(panels):
                    what = f"{key} names ${lost[0]}, which it does not have: nothing is shown"
                    yield found_in(document, ("data", key), what, "add it to templating.list")


def _of_panels(document: Document, place: Place, panels: Any, repository: Repository) -> Iterator[Finding]:
    """What panels ask for, where it is PromQL: each thing once."""
    jobs = {f"{repository.namespace}/{_NAME}"} if dig(document.value, "metadata", "name") == _BOARD else set[str]()
    told = set()
    for expression in dashboards.expressions(panels) if "litellm" in str(panels) else ():
        for misfit in _of_expression(expression, jobs, repository.namespace):
            if misfit.what not in told:
                told.add(misfit.what)
                yield found_in(
                    document, place, misfit.what.replace("the alert never fires", "nothing is shown"), misfit.fix
                )


# ---------------------------------------------------------------------------------------------------------------------
# Monitors


@rule
def the_metrics_are_read(repository: Repository) -> Iterator[Finding]:
    """With the answer metrics the proxy counts, gives its numbers at their own port, and Prometheus is told of it."""
    if repository.answers.get("metrics") != "prometheus_operator":
        return
    for values in repository.values:
        chart, callbacks = values.chart, values.pod.config("litellm_settings", "callbacks")
        fix = update("metrics", "none", first="restore it")
        misspelt = any(each.place[1:2] == ("callbacks",) for each in faults(values.cluster))  # another rule says so
        if "prometheus" not in (sequence(callbacks) or [callbacks]) and not misspelt:
            place = (*chart.config, "litellm_settings", "callbacks")
            yield values.finding(place, "prometheus is none of the callbacks, so that nothing is counted", fix, VALUES)
        if values.get(*chart.metrics, "enabled") is not True:
            what = f"{'.'.join(map(str, chart.metrics))}.enabled is not true, so that the monitor finds no port"
            yield values.finding((*chart.metrics, "enabled"), what, fix, VALUES)
    for each in synced(repository):
        name = f"{repository.namespace}/{_NAME}"
        wanted = (Identity("PodMonitor", name), Identity("PrometheusRule", name))
        yield from expect(
            each, [identity for identity in wanted if not each.find(identity)], each.home("monitoring.yaml")
        )
        for monitor in each.all("PodMonitor"):
            if monitor.identity.path == name:
                yield from _unread(monitor, each.cluster.values)


def _unread(monitor: Object, values: Values | None) -> Iterator[Finding]:
    """What keeps Prometheus from the numbers: other pods, another port, another path."""
    place: Place = ("spec", "podMetricsEndpoints")
    endpoints = sequence(monitor.get(*place))
    port = values.get(*values.chart.metrics, "port") if values else None
    ours = [
        number
        for number, entry in enumerate(endpoints)
        if "metrics" in (dig(entry, "port"), dig(entry, "targetPort"))
        or (port and port in (dig(entry, "portNumber"), dig(entry, "targetPort")))
    ]
    if label := monitor.get("spec", "jobLabel"):
        what = f"the job is what the label {show(label)} says, and the alerts ask for {monitor.identity.path}"
        yield monitor.finding(("spec", "jobLabel"), what, edit("take it out"))
    if not ours:
        yield monitor.finding(place, "it reads no port `metrics`, which is where the proxy has them", restore())
    for number in ours:
        yield from _astray(monitor, (*place, number), mapping(endpoints[number]))


def _astray(monitor: Object, place: Place, entry: dict[Any, Any]) -> Iterator[Finding]:
    """Another path of the proxy, or a way that it does not speak."""
    if entry.get("path") not in (None, "/metrics", "/metrics/"):
        what = f"the proxy has no metrics at {show(entry['path'])}"
        yield monitor.finding((*place, "path"), what, "write /metrics/")
    if str(entry.get("scheme")).lower() == "https":
        yield monitor.finding((*place, "scheme"), "the proxy gives its metrics by http alone", "take it out")


@rule
def every_monitor_finds_what_it_reads(repository: Repository) -> Iterator[Finding]:
    """A selector takes pods that are there, and what Prometheus' operator refuses of a monitor is not in it."""
    for each in synced(repository):
        for kind, field in _ENDPOINTS.items():
            for monitor in each.all(kind):
                is_ours = kind == "PodMonitor" and monitor.identity.name == _NAME
                yield from _selected(monitor, is_ours)
                for number, entry in enumerate(sequence(monitor.get("spec", field))):
                    yield from _of_endpoint(monitor, ("spec", field, number), mapping(entry))
                if kind == "ServiceMonitor" and _takes_the_proxy(monitor):
                    yield from _of_service(monitor)


def _selected(monitor: Object, is_ours: bool) -> Iterator[Finding]:
    place: Place = ("spec", "selector", "matchLabels")
    for label, value in sorted(mapping(monitor.get(*place)).items()):
        known = _OF_PODS.get(label)
        if value != known if is_ours else known and closest(str(value), [known]):
            what = f"no pod of the proxy has the label {label}: {show(value)}, so that nothing is read"
            yield monitor.finding((*place, label), what, restore())
            return
    for number, entry in enumerate(sequence(monitor.get("spec", "selector", "matchExpressions"))):
        known = _OF_PODS.get(text(dig(entry, "key")))
        values, at = texts(dig(entry, "values")), ("spec", "selector", "matchExpressions", number)
        if dig(entry, "operator") not in ("In", "NotIn", "Exists", "DoesNotExist"):
            what = f"{show(dig(entry, 'operator'))} is no operator of a selector"
            yield monitor.finding((*at, "operator"), what, "write In, NotIn, Exists or DoesNotExist")
        elif is_ours and known and (dig(entry, "operator") == "In") is not (known in values):
            yield monitor.finding(at, "it takes no pod of the proxy, so that nothing is read", restore())
    names = texts(monitor.get("spec", "namespaceSelector", "matchNames"))
    if names and monitor.identity.namespace not in names and (is_ours or _takes_the_proxy(monitor)):
        what = f"the proxy is in none of its namespaces: {', '.join(map(show, names))}"
        yield monitor.finding(("spec", "namespaceSelector", "matchNames"), what, edit("take the selector out"))


def _of_endpoint(monitor: Object, place: Place, entry: dict[Any, Any]) -> Iterator[Finding]:
    timeout, interval = seconds(entry.get("scrapeTimeout")), seconds(entry.get("interval"))
    for field in ("interval", "scrapeTimeout"):
        if entry.get(field) is not None and re.fullmatch(r"(?:0[a-z]*)+", str(entry[field])):
            what = f"{field} is {show(entry[field])}, for which Prometheus takes its own default"
            yield monitor.finding((*place, field), what, "write the time, such as 30s")
    if interval and timeout > interval:
        what = f"scrapeTimeout is {entry['scrapeTimeout']}, above its interval {entry['interval']}, which is refused"
        yield monitor.finding((*place, "scrapeTimeout"), what, f"write {entry['interval']} or less")
    yield from _of_relabelings(monitor, place, entry)
    for field in ("relabelings", "metricRelabelings"):
        for number, row in enumerate(sequence(entry.get(field))):
            pattern = text(dig(row, "regex"))
            try:
                re.compile(pattern)
            except re.error:
                if "\\" not in pattern:  # RE2 knows other classes
                    yield monitor.finding((*place, field, number, "regex"), "its regex is none", "correct it")


def _of_relabelings(monitor: Object, place: Place, entry: dict[Any, Any]) -> Iterator[Finding]:
    """Steps that are refused, and those that leave nothing of the proxy's metrics."""
    for field in ("relabelings", "metricRelabelings"):
        for number, step in enumerate(sequence(entry.get(field))):
            if wrong := relabel.refused(step):
                yield monitor.finding((*place, field, number, wrong[0]), f"{wrong[0]} {wrong[1]}", wrong[2])
            job, value = mapping(step).get("targetLabel"), text(mapping(step).get("replacement"))
            if monitor.identity.name == _NAME and job == "job" and "$" not in value and value != monitor.identity.path:
                what = f"the job is {show(value)}, and the alerts ask for {monitor.identity.path}"
                yield monitor.finding((*place, field, number, "targetLabel"), what, "take it out")
        names = _metrics() if field == "metricRelabelings" else ()
        ours = monitor.identity.name == _NAME or _takes_the_proxy(monitor)
        if (field == "relabelings" or ours) and (emptied := relabel.emptied_by(entry.get(field), names)) is not None:
            what = f"{field} leave nothing of what is read"
            yield monitor.finding((*place, field, emptied), what, "write sourceLabels, and a regex that takes a part")


def _takes_the_proxy(monitor: Object) -> bool:
    labels = mapping(monitor.get("spec", "selector", "matchLabels"))
    return bool(labels) and labels.items() <= _OF_PODS.items()


def _of_service(monitor: Object) -> Iterator[Finding]:
    """A monitor of Services asks for a port by its name, and the proxy's has few."""
    for number, entry in enumerate(sequence(monitor.get("spec", "endpoints"))):
        yield from _astray(monitor, ("spec", "endpoints", number), mapping(entry))
        if meant := closest(text(dig(entry, "port")), ["http", "metrics"]):
            what = f"no Service of the proxy has a port {show(dig(entry, 'port'))}; did you mean {meant}?"
            yield monitor.finding(("spec", "endpoints", number, "port"), what, f"write {meant}")
