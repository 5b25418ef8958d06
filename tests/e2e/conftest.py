"""What every story stands on: a run, its clusters, and the logs when one fails."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

import tools
from tests.e2e.controlplane import ControlPlane
from tests.e2e.gitserver import GitServer
from tests.e2e.processes import COMPLAINT, Run, last_lines
from tests.e2e.registry import Registry
from tests.e2e.repository import Repository, snapshot
from tests.e2e.web import Outside
from tests.support.inputs import Inputs
from tests.support.template import ROOT

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


class _ByCluster(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the stories of a file to one worker, those of each engine for themselves."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        engine = re.search(r"flux|argocd", test.partition("[")[2])
        return f"{file} {engine[0] if engine else ''}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByCluster(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    run = item.config.stash.get(RUN, None)
    if report.failed and run is not None:
        logs = sorted(run.folder.rglob("*.log"), key=lambda log: log.stat().st_mtime)
        for log in logs:
            lines = last_lines(log, COMPLAINT)
            if lines and log.parent == logs[-1].parent:  # of the cluster that is in use
                report.sections.append((f"the last complaints in {log}", lines))
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


@pytest.fixture(scope="session")
def template_release(run: Run) -> Path:
    """The template of this checkout as a git repository with a release."""
    return snapshot(run.folder / "template")


@pytest.fixture(scope="session")
def registry(run: Run, pytestconfig: pytest.Config) -> Registry:
    """The chart registry; it has the LiteLLM chart in the version that is pinned."""
    registry = Registry()
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))["litellm_chart"]
    chart = pytestconfig.getoption("--litellm-chart")
    folder = run.folder / "chart"
    command = [tools.path("helm"), "package", chart, "--version", pins["version"]]
    subprocess.run([*command, "--destination", folder], check=True, env=run.environment())
    registry.push(pins["repository"].rpartition("/")[2], next(folder.glob("*.tgz")))
    return registry


@pytest.fixture(scope="session")
def git_server(run: Run) -> GitServer:
    """The Git host; an operator creates repositories on it, then pushes."""
    return GitServer(run.folder / "git")


@pytest.fixture(scope="session")
def outside(run: Run, authority: trustme.CA, registry: Registry, git_server: GitServer) -> Iterator[Outside]:
    """All of the internet that the clusters and the operator can reach."""
    sites = {"github.com": git_server.answer, "ghcr.io": registry.answer}
    outside = Outside(run.folder, authority, sites)
    yield outside
    outside.close()


@pytest.fixture(scope="session")
def operator(run: Run, outside: Outside, git_server: GitServer, template_release: Path) -> Callable[..., Repository]:
    """`operator(name, **answers)`: a repository rendered, sealed and ready to be pushed."""

    def render(name: str, **answers: Any) -> Repository:
        answers["repo_url"] = f"https://github.com/example/{name}.git"
        answers["project_name"] = name
        git_server.create(f"example/{name}")
        return Repository.render(run, outside, template_release, name, answers, Inputs())

    return render


@pytest.fixture
def cluster(run: Run, authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """An empty cluster for one test."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    with ControlPlane(run, authority, name) as cluster:
        yield cluster
