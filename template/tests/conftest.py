"""The suite of this repository: every rule of `rules/`, without key, cluster or network."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from rules import Rule, UnreadableError, check
from rules.repository import Repository

gc.disable()  # a run ends before there is garbage worth looking for


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "the folder of a LiteLLM chart for `-m chart`, instead of the one in the registry"
    parser.addoption("--litellm-chart", metavar="DIR", help=what)


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
