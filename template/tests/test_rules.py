"""Every rule of `rules/` as a test of its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, load_all


@pytest.mark.parametrize("rule", load_all().values(), ids=lambda rule: rule.__name__)
def test_rule(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
