"""The GitOps engine gets what it needs: its objects, in their order, leading to what is there."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import pytest
from rules import Rule, of

# Of the two engines the repository has the rules of the chosen one.
MODULES = [name for name in ("engine", "flux", "argocd") if find_spec(f"rules.{name}")]
RULES = [rule for name in MODULES for rule in of(import_module(f"rules.{name}"))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_engine(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
