"""Every Secret is sealed, for the right recipients, and no credential stands in plaintext."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, of, sealing


@pytest.mark.parametrize("rule", of(sealing), ids=lambda rule: rule.__name__)
def test_sealing(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
