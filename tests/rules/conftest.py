"""The fixture of the tests of rules."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def repository(sealed: Callable[..., Path], tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """`repository(answers)`: a sealed repository of one's own, to be changed."""

    def copied(answers: dict[str, Any]) -> Path:
        target = tmp_path / "repository"
        if target.exists():
            shutil.rmtree(target)
        return Path(shutil.copytree(sealed(**answers), target, symlinks=True))

    return copied
