"""The suite of this repository: every rule of `rules/`, without key, cluster or network."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from rules import Rule, UnreadableError, check
from rules.repository import Repository

gc.disable()  # a run ends before there is garbage worth looking for

# Their modules are read only where `-m` or a path asks for them.
_BY_MARKER = {"test_rendered_chart.py": "chart", "test_decryption.py": "decrypt"}


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "the folder of a LiteLLM chart for `-m chart`, instead of the one in the registry"
    parser.addoption("--litellm-chart", metavar="DIR", help=what)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    marker = _BY_MARKER.get(collection_path.name)
    named = any(collection_path.name in argument for argument in config.args)
    left_out = f"not {marker}" in config.option.markexpr and not named
    return True if left_out else None  # None: as pytest decides


def pytest_unconfigure() -> None:
    gc.freeze()  # nor does Python look for any at its end


@pytest.fixture(scope="session")
def repository() -> Repository:
    """This repository, read once for the whole suite."""
    try:
        return Repository(Path(__file__).resolve().parent.parent)
    except UnreadableError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture
def verify(repository: Repository) -> Callable[[Rule], None]:
    """Fails with what a rule finds, one line for each problem, and with nothing else."""

    def run(rule: Rule) -> None:
        try:
            problems = check(rule, repository)
        except UnreadableError as error:
            problems = [error.problem]
        if problems:
            pytest.fail("\n".join(map(str, problems)), pytrace=False)

    return run
