"""What is said of an expression is what Prometheus says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

import tools
from litellm_gitops.languages.promql import Matcher, PromqlError, asked

TAKEN = [
    'absent(up{job="a", pod=~"b-.*",} == 1) # why',
    "up offset -5m == 0 or up @ end() == 0 or up @ 1609746000 == 0",
    "max_over_time(sum(rate(a[5m]))[1h:1m]) > 10 and min_over_time(rate(a[5m])[1h:]) > 1",
    "sum by (a, b,) (rate(a[1d12h])) / on (a) group_left (b) sum without (c) (d) > bool 1.5e3",
    'label_replace(up, "a", "$1", "b", "(.*)") == 0 unless vector(1)',
    "histogram_quantile(0.95, sum(rate(a_bucket[5m])) by (le)) > 1",
    "-up + 2 ^ -1 * up % 3 atan2 up",
    "topk(3, up) or count_values('v', up) or quantile(0.9, up)",
    "round(up, 0.1) + round(up) + clamp(up, 0, 1)",
    "hour() > 7 and on () (day_of_week(up) < 6)",
    '{"a.b", job="x"} > 0x1F',
    "{__name__=~'a_.*'} > -Inf",
    "1 + rate(a[300])",
    "(((a)))",
]
REFUSED = [
    "",
    "absent(up",
    "up)",
    "up = 1",
    "up and",
    "up == == 1",
    "up is down",
    "rate(a)",
    "rate(a[5 min])",
    "rate(sum(a)[5m])",
    "rates(a[5m])",
    "a{b:'c'}",
    "a{b=c}",
    "a{b~='c'}",
    "a{b='c',,d='e'}",
    "a{b=~'(c'}",
    "a > 5%",
    "sum by a (b)",
    "histogram_quantile(a)",
    "1 > 2",
    "a and 1",
    "a[5m] > 1",
    "clamp(a, b, c)",
    "up{a='b}",
]


@pytest.mark.parametrize("expression", TAKEN)
def test_an_expression_is_read(expression: str) -> None:
    asked(expression)


@pytest.mark.parametrize(
    "expression",
    [
        *REFUSED,
        # what has no result is taken by Prometheus
        "a[5m]",
        "'a'",
        "histogram_quantile(95, rate(a_bucket[5m]))",
        "histogram_quantile(0.95, sum by (a) (rate(a_bucket[5m])))",
    ],
)
def test_an_expression_is_refused(expression: str) -> None:
    with pytest.raises(PromqlError):
        asked(expression)


def test_promtool_takes_and_refuses_the_same(tmp_path: Path) -> None:
    for number, expression in enumerate([*TAKEN, *REFUSED]):
        rule = {"groups": [{"name": "a", "rules": [{"record": "a", "expr": expression}]}]}
        (tmp_path / f"{number:03}.yaml").write_text(yaml.safe_dump(rule))
    files = sorted(tmp_path.iterdir())
    refused = []
    for file in files:
        command = [str(tools.path("promtool")), "check", "rules", "--lint=none", str(file)]
        if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
            refused.append(files.index(file))
    assert refused == list(range(len(TAKEN), len(files)))


def test_it_is_known_what_an_expression_asks_for() -> None:
    found = asked("sum(rate(a{b='c'}[5m])) / {__name__='d'} > on () e")
    assert found.metrics == ("a", "e")
    assert found.matchers == (Matcher("b", "=", "c", "a"), Matcher("__name__", "=", "d"))


def test_what_grafana_fills_in_may_be_anything() -> None:
    asked("sum by ($by) (rate(a{b=~'$b'}[$__rate_interval])) * $factor")
    asked("increase(a_${kind}_total{$filters}[${__range_s}s:$step]) / $other{b='c', ${more}} + [[old]]")


def test_what_is_not_known_here_may_be_anything() -> None:
    asked("histogram_quantiles(sum by (le) (rate(a_bucket[5m])), 'q', 0.5, 0.9) + tmax_over_time(a[5m])")
    asked("rate(a[5m] anchored) keep_metric_names")
    asked("histogram_quantile(0.9, sum by (b) (rate(a[5m])))")  # of a native histogram
