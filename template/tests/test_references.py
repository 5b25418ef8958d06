"""What one file says of another is true."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, of, references


@pytest.mark.parametrize("rule", of(references), ids=lambda rule: rule.__name__)
def test_references(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
