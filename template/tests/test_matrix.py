"""The auth matrix: in each environment what the chosen methods need, no less and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, matrix, of


@pytest.mark.parametrize("rule", of(matrix), ids=lambda rule: rule.__name__)
def test_matrix(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
