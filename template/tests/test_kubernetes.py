"""Every manifest is one that Kubernetes takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, kubernetes, of


@pytest.mark.parametrize("rule", of(kubernetes), ids=lambda rule: rule.__name__)
def test_kubernetes(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
