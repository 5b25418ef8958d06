"""Every file: YAML that means one thing, and nothing left over from a merge."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rules import Rule, files, of


@pytest.mark.parametrize("rule", of(files), ids=lambda rule: rule.__name__)
def test_files(rule: Rule, verify: Callable[[Rule], None]) -> None:
    verify(rule)
