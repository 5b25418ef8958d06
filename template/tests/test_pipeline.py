"""What runs on a push and before a commit is the suite and the guard, out of programs that cannot move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, of, pipeline


@pytest.mark.parametrize("rule", of(pipeline), ids=lambda rule: rule.__name__)
def test_pipeline(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
