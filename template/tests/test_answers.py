"""What was rendered still agrees with the answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, answers, of


@pytest.mark.parametrize("rule", of(answers), ids=lambda rule: rule.__name__)
def test_answers(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
