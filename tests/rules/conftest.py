"""The fixture of the tests of rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.restored import Restored


@pytest.fixture(scope="session")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Restored:
    """The copies that the tests of one process change."""
    return Restored(tmp_path_factory.mktemp("restored"))


@pytest.fixture
def repository(sealed: Callable[..., Path], restored: Restored) -> Callable[[dict[str, Any]], Path]:
    """`repository(answers)`: a sealed repository, to be changed until it is asked for again."""
    return lambda answers: restored(sealed(**answers))
