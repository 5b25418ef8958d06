"""The alerts fire when they should and not before, as promtool sees it; the dashboard is one that Grafana reads."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from tests.support.answers import answers

JOB = 'job="litellm/litellm"'
MODEL = f'{JOB}, requested_model="claude-sonnet-5"'
TEAM = f'{JOB}, team="t1", team_alias="search"'
A_DAY = "1530m"  # and an hour and a half
KEY = f'{JOB}, hashed_api_key="88dc28d0", api_key_alias="ci"'
RESTARTS = 'kube_pod_container_status_restarts_total{namespace="litellm"}'
AVAILABLE, WANTED = (
    f'kube_deployment_{name}{{namespace="litellm", deployment="litellm"}}'
    for name in ("status_replicas_available", "spec_replicas")
)

# what Prometheus sees, in PromQL's own notation of series, at minutes -> the alert that fires then, or none
STORIES: dict[str, tuple[dict[str, str], str, str | None]] = {
    "one of two pods answers": ({f"up{{{JOB}}}": "1x60"}, "30m", None),
    "no pod answers": ({f"up{{{JOB}}}": "0x60", AVAILABLE: "0x60", WANTED: "2x60"}, "30m", "LiteLLMDown"),
    "nobody scrapes": ({}, "30m", "LiteLLMDown"),
    "no pod answered for a minute": ({f"up{{{JOB}}}": "1x20 0 1x40"}, "22m", None),
    "the database is away": (
        {
            f"up{{{JOB}}}": "1x60",
            AVAILABLE: "2x20 0x40",
            WANTED: "2x60",
            f"litellm_proxy_total_requests_metric_total{{{JOB}}}": "0+100x20 2000x40",
        },
        "40m",
        "LiteLLMNotReady",
    ),
    "the database was away for three minutes": ({AVAILABLE: "2x20 0x2 2x40", WANTED: "2x60"}, "24m", None),
    "a pod finds no node": ({AVAILABLE: "2x60", WANTED: "3x60"}, "40m", "LiteLLMFewerPods"),
    "a pod starts, as load asks for it": ({AVAILABLE: "2x30 3x30", WANTED: "2x20 3x40"}, "29m", None),
    "an update replaces the pods": ({AVAILABLE: "2x20 3 2 3 2x40", WANTED: "2x60"}, "30m", None),
    "a node is drained": ({AVAILABLE: "2x20 1x5 2x40", WANTED: "2x60"}, "25m", None),
    "containers restart": ({RESTARTS: "0+1x60"}, "40m", "LiteLLMRestarts"),
    "one of two pods is started again and again": (
        {RESTARTS: "0+0.2x60", AVAILABLE: "1x60", WANTED: "2x60"},
        "40m",
        "LiteLLMRestarts",
    ),
    "a container restarted once": ({RESTARTS: "0x10 1x50"}, "40m", None),
    "one in ten requests fails": (
        {
            f'litellm_proxy_failed_requests_metric_total{{{JOB}, exception_status="503"}}': "0+10x60",
            f"litellm_proxy_total_requests_metric_total{{{JOB}}}": "0+100x60",
        },
        "40m",
        "LiteLLMFailures",
    ),
    "one in ten requests is throttled": (
        {
            f'litellm_proxy_failed_requests_metric_total{{{JOB}, exception_status="429"}}': "0+10x60",
            f"litellm_proxy_total_requests_metric_total{{{JOB}}}": "0+100x60",
        },
        "40m",
        "LiteLLMFailures",
    ),
    "clients ask for what is not there": (
        {
            f'litellm_proxy_failed_requests_metric_total{{{JOB}, exception_status="400"}}': "0+50x60",
            f"litellm_proxy_total_requests_metric_total{{{JOB}}}": "0+100x60",
        },
        "40m",
        None,
    ),
    "one in ten answers takes five minutes": (
        {
            f'litellm_request_total_latency_metric_bucket{{{MODEL}, le="60.0"}}': "0+90x90",
            f'litellm_request_total_latency_metric_bucket{{{MODEL}, le="300.0"}}': "0+100x90",
            f'litellm_request_total_latency_metric_bucket{{{MODEL}, le="+Inf"}}': "0+100x90",
        },
        "60m",
        "LiteLLMSlow",
    ),
    "all answers take a minute": (
        {
            f'litellm_request_total_latency_metric_bucket{{{MODEL}, le="60.0"}}': "0+100x90",
            f'litellm_request_total_latency_metric_bucket{{{MODEL}, le="+Inf"}}': "0+100x90",
        },
        "60m",
        None,
    ),
    "a team has spent nearly everything": (
        {
            f"litellm_remaining_team_budget_metric{{{TEAM}}}": "5x60",
            f"litellm_team_max_budget_metric{{{TEAM}}}": "100x60",
        },
        "30m",
        "LiteLLMTeamBudget",
    ),
    "a team has half of its budget": (
        {
            f"litellm_remaining_team_budget_metric{{{TEAM}}}": "50x60",
            f"litellm_team_max_budget_metric{{{TEAM}}}": "100x60",
        },
        "30m",
        None,
    ),
    "a key has spent nearly everything": (
        {
            f"litellm_remaining_api_key_budget_metric{{{KEY}}}": "0x60",
            f"litellm_api_key_max_budget_metric{{{KEY}}}": "10x60",
        },
        "30m",
        "LiteLLMKeyBudget",
    ),
    "a key without a budget": (
        {f"litellm_remaining_api_key_budget_metric{{{KEY}}}": " ".join(["Inf"] * 60)},
        "30m",
        None,
    ),
    "an hour costs more than ever": (
        {f"litellm_spend_metric_total{{{JOB}}}": "0+0.01x1440 15+1x120"},
        A_DAY,
        "LiteLLMSpend",
    ),
    "every hour costs as much": ({f"litellm_spend_metric_total{{{JOB}}}": "0+1x1600"}, A_DAY, None),
    "an hour costs little, but more than ever": (
        {f"litellm_spend_metric_total{{{JOB}}}": "0x1440 0+0.1x120"},
        A_DAY,
        None,
    ),
}


@pytest.fixture(scope="module")
def monitoring(render: Callable[..., Path]) -> dict[str, dict[str, Any]]:
    """The objects for Prometheus and Grafana, by kind."""
    root = render(**answers(["gcp"], ["bedrock"], metrics="prometheus_operator"))
    found = yaml.safe_load_all((root / "clusters" / "gcp" / "monitoring.yaml").read_text("utf-8"))
    return {each["kind"]: each for each in found}


def promtool(folder: Path, *arguments: str) -> str:
    """What promtool has against the files in a folder; nothing where it has nothing."""
    command: list[str | Path] = [tools.path("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_right_alert_fires_in_each_story(monitoring: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    spec = monitoring["PrometheusRule"]["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec), "utf-8")
    assert promtool(tmp_path, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml") == ""
    of_a_day = {name for name, (_, at, _) in STORIES.items() if at == A_DAY}
    for names, interval in ((STORIES.keys() - of_a_day, "1m"), (of_a_day, "30m")):
        told = [_story(name, spec["groups"][0]["rules"]) for name in sorted(names)]
        file = {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": told}
        (tmp_path / "stories.yaml").write_text(yaml.safe_dump(file), "utf-8")
        assert promtool(tmp_path, "test", "rules", "stories.yaml") == ""


def _story(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """A story as promtool reads it: the alert that fires, and each other one that does not."""
    series, at, fires = STORIES[name]
    if fires != "LiteLLMDown" and not any(each.startswith("up{") for each in series):
        series = {**series, f"up{{{JOB}}}": "1x1600"}
    wanted = [
        {"eval_time": at, "alertname": rule["alert"], "exp_alerts": _alerts(rule, series, rule["alert"] == fires)}
        for rule in rules
    ]
    given = [{"series": each, "values": values} for each, values in series.items()]
    return {"name": name, "interval": "1m", "input_series": given, "alert_rule_test": wanted}


def _alerts(rule: dict[str, Any], series: dict[str, str], fires: bool) -> list[dict[str, Any]]:
    """The alert with the labels that it then has, as far as the rule keeps those of the series."""
    if not fires:
        return []
    labels = {
        name: value.strip('"')
        for each in series
        for name, _, value in (pair.partition("=") for pair in each.partition("{")[2].rstrip("}").split(", "))
        if name in ("requested_model", "team", "team_alias", "hashed_api_key", "api_key_alias")
    }
    return [{"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": rule["annotations"]}]


def test_every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not(
    monitoring: dict[str, dict[str, Any]],
) -> None:
    alerts = {rule["alert"] for rule in monitoring["PrometheusRule"]["spec"]["groups"][0]["rules"]}
    assert {fires for _, _, fires in STORIES.values()} == {*alerts, None}


def test_the_dashboard_draws_each_panel_from_the_series_of_the_monitor(monitoring: dict[str, dict[str, Any]]) -> None:
    dashboard = json.loads(monitoring["ConfigMap"]["data"]["litellm.json"])
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places) == 6
    for panel in dashboard["panels"]:
        (target,) = panel["targets"]
        assert JOB in target["expr"]
        assert panel["datasource"]["uid"] == "$datasource"
    assert monitoring["ConfigMap"]["metadata"]["labels"]["grafana_dashboard"] == "1"
