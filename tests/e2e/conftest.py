"""What every story stands on: a run, its clusters, and the logs when one fails."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

import tools
from tests.e2e.client import Client
from tests.e2e.controlplane import ControlPlane
from tests.e2e.deployment import NAMESPACE, Deployment, bootstrapped
from tests.e2e.gitserver import GitServer
from tests.e2e.processes import COMPLAINT, Run, last_lines
from tests.e2e.registry import Registry
from tests.e2e.repository import Repository, snapshot
from tests.e2e.web import Outside
from tests.support.inputs import Inputs
from tests.support.template import ROOT

RUN = pytest.StashKey[Run]()
LONGEST = ("test_change", "test_boundaries", "test_way_across", "test_faults", "test_admission", "test_install")
CRDS = ("source-controller", "kustomize-controller", "helm-controller", "argocd")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--litellm-chart",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a LiteLLM chart to deploy in the place of the tests' one of that name, which takes its values",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")
    # no worker is left alone with what takes longest
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


class _ByCluster(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the stories of a file to one worker, those of each cluster for themselves."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        cluster = re.search(r"(flux|argocd)(-(aws|gcp|azure))?", test.partition("[")[2])
        return f"{file} {cluster[0] if cluster else ''}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # it would begin with what has the most stories
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the figures that stories have measured."""
    for report in terminalreporter.getreports(""):  # of what was set up and taken down
        for name, value in report.user_properties if report.when == "teardown" else ():
            if name == "figure":
                terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {value}")


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
def charts(pytestconfig: pytest.Config) -> dict[str, Path]:
    """LiteLLM's charts, by name: those of the tests, or what the command line gives in their place."""
    given: list[Path] = pytestconfig.getoption("--litellm-chart")
    folders = [*(Path(__file__).parent / "charts").iterdir(), *given]
    return {yaml.safe_load((folder / "Chart.yaml").read_text("utf-8"))["name"]: folder for folder in folders}


@pytest.fixture(scope="session")
def registry(run: Run, charts: dict[str, Path]) -> Registry:
    """The chart registry; it has both of LiteLLM's charts in the versions that are pinned."""
    registry = Registry()
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))["litellm_charts"]
    for name, pin in pins.items():
        folder = run.folder / "charts" / name
        command = [tools.path("helm"), "package", charts[name], "--version", pin["version"]]
        subprocess.run(
            [*command, "--destination", folder], check=True, env=run.environment(), stdout=subprocess.DEVNULL
        )
        registry.push(pin["repository"].removeprefix("oci://").partition("/")[2], next(folder.glob("*.tgz")))
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


@pytest.fixture(scope="session")
def release(
    run: Run, authority: trustme.CA, outside: Outside, operator: Callable[..., Repository]
) -> Callable[..., AbstractContextManager[Deployment]]:
    """`release(story, environment, **answers)`: that repository published and deployed, on a cluster of its own."""

    def deployed(story: str, environment: str, **answers: Any) -> AbstractContextManager[Deployment]:
        repository = operator(f"{story}-{answers['gitops_engine']}", **answers)
        repository.publish()
        return bootstrapped(run, authority, outside, repository, environment)

    return deployed


@pytest.fixture
def calls(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Somebody who calls the proxy of the fixture `deployed` while the test runs."""
    deployed: Deployment = request.getfixturevalue("deployed")
    client = Client(deployed.kubelet, NAMESPACE, "litellm", deployed.longest_answer())
    yield client
    client.stop()
    failed = ", ".join(f"{count} because {why}" for why, count in client.failures.items())
    request.node.user_properties.append(("figure", f"{client.calls} calls, {failed or 'none failed'}"))


@pytest.fixture(scope="module")
def admission(run: Run, authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A cluster that knows every kind; what is tried on it changes nothing."""
    with ControlPlane(run, authority, request.node.name.rpartition("/")[2].removesuffix(".py")) as cluster:
        cluster.install_crds(*(f"{name}-crds" for name in CRDS))
        for name in ("litellm", "flux-system", "argocd"):
            cluster.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        yield cluster


@pytest.fixture
def cluster(run: Run, authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """An empty cluster for one test."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    with ControlPlane(run, authority, name) as cluster:
        yield cluster
