"""What every story stands on: a run, its clusters, and the logs when one fails."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.controlplane import ControlPlane
from tests.e2e.processes import Run, last_lines

RUN = pytest.StashKey[Run]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--litellm-chart",
        metavar="DIR",
        type=Path,
        default=Path(__file__).parent / "charts" / "litellm-helm",
        help="the LiteLLM chart to deploy; by default a chart of the tests that takes its values",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    run = item.config.stash.get(RUN, None)
    if report.failed and run is not None:
        logs = sorted(run.folder.rglob("*.log"), key=lambda log: log.stat().st_mtime)
        for log in logs:
            if log.parent == logs[-1].parent:  # of the cluster that is in use
                report.sections.append((f"the end of {log}", last_lines(log)))
    return report


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run of this session; its folder is kept after a failure, until the next run."""
    run = Run.begin()
    pytestconfig.stash[RUN] = run
    yield run
    run.end(keep=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Issues every certificate of this session."""
    return trustme.CA()


@pytest.fixture
def cluster(
    run: Run, authority: trustme.CA, request: pytest.FixtureRequest
) -> Iterator[ControlPlane]:
    """An empty cluster for one test."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    with ControlPlane(run, authority, name) as cluster:
        yield cluster
