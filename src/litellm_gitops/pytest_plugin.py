"""The suite of a repository: one test for each rule, without key, cluster or network.

pytest_plugins = ["litellm_gitops.pytest_plugin"]  # in tests/conftest.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from litellm_gitops import first_steps, rules
from litellm_gitops.credentials import redacted
from litellm_gitops.findings import UnreadableError
from litellm_gitops.repository import Repository

if TYPE_CHECKING:
    from litellm_gitops.rules.rendered import Renderings


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--litellm-chart DIR`."""
    what = "the folder of a LiteLLM chart for `-m chart`, instead of the one in the registry"
    parser.addoption("--litellm-chart", metavar="DIR", help=what)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """After the suite of a repository that is not in git yet: what brings it there."""
    if exitstatus:
        return
    repository = Repository(terminalreporter.config.rootpath)
    if first_steps.is_new(repository):
        for when, command in zip(("next", "then"), first_steps.push(repository), strict=True):
            terminalreporter.write_line(f"{when}: {command}")


@pytest.fixture(scope="session")
def repository(request: pytest.FixtureRequest) -> Repository:
    """This repository, read once for the whole suite."""
    try:
        return Repository(request.config.rootpath)
    except UnreadableError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture
def verify(repository: Repository) -> Callable[[rules.Rule], None]:
    """Fails with what a rule finds, one line for each finding, and with nothing else."""

    def run(rule: rules.Rule) -> None:
        try:
            found = list(map(str, rules.evaluate(repository, [rule])))
        except UnreadableError as error:
            pytest.exit(str(error), returncode=1)
        if found:
            pytest.fail("\n".join(found), pytrace=False)

    return run


@pytest.fixture(scope="session")
def renderings(
    repository: Repository, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Renderings:
    """What helm makes of each cluster."""
    from litellm_gitops.rules.rendered import HelmError, Renderings

    given = pytestconfig.getoption("--litellm-chart")
    try:
        return Renderings(repository, tmp_path_factory.mktemp("chart") / "litellm", Path(given) if given else None)
    except HelmError as error:
        pytest.fail(redacted(str(error)), pytrace=False)  # helm may quote values
