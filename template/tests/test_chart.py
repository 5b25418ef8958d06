"""Engine, chart and repository do not work against each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, chart, of


@pytest.mark.parametrize("rule", of(chart), ids=lambda rule: rule.__name__)
def test_chart(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
