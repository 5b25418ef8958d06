"""Fixtures: the template as copier sees it, and repositories rendered from it, each set of answers once."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("copier.yml", "hooks", "includes", "policies", "template")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's own files outside git, so that no clone is made and what is not committed counts."""
    folder = tmp_path_factory.mktemp("template")
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
        else:
            shutil.copy(ROOT / part, folder)
    return folder


@pytest.fixture(scope="session")
def render(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`render(**answers)`: a repository that is rendered but not sealed. Each set of answers is rendered once: never
    change what it returns, copy it."""
    known: dict[str, Path] = {}

    def rendered(**answers: Any) -> Path:
        key = json.dumps(answers, sort_keys=True)
        if key not in known:
            target = tmp_path_factory.mktemp("rendered")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                copier.run_copy(
                    str(template),
                    target,
                    data=answers,
                    defaults=True,
                    quiet=True,
                    unsafe=True,
                    skip_tasks=True,
                )
            known[key] = target
        return known[key]

    return rendered
