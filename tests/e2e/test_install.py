"""From an empty cluster, by the commands of the README, to a proxy that is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import trustme

from tests.answers import ENVIRONMENTS, everything
from tests.e2e.argocd import ArgoCD
from tests.e2e.controlplane import ControlPlane
from tests.e2e.engines import Engine, deploy
from tests.e2e.flux import Flux
from tests.e2e.processes import Run
from tests.e2e.readme import commands
from tests.e2e.repository import Repository
from tests.e2e.web import Outside


@dataclass
class Deployment:
    """A repository that was bootstrapped on a cluster of its own."""

    engine: Engine
    environment: str
    repository: Repository
    commit: str


CASES = [(engine, environment) for engine in ("flux", "argocd") for environment in ENVIRONMENTS]


@pytest.fixture(scope="module", params=["flux", "argocd"])
def repository(request: pytest.FixtureRequest, operator: Callable[..., Repository]) -> Repository:
    name = f"install-{request.param}"
    repository = operator(name, **everything(gitops_engine=request.param))
    repository.publish()
    return repository


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def deployed(
    request: pytest.FixtureRequest,
    repository: Repository,
    run: Run,
    authority: trustme.CA,
    outside: Outside,
) -> Iterator[Deployment]:
    name = repository.answers["gitops_engine"]
    with ControlPlane(run, authority, f"{name}-{request.param}") as cluster:
        engine: Engine
        if name == "flux":
            engine = Flux(cluster, outside)
        else:
            engine = ArgoCD(cluster, outside)
            engine.install()
        repository.kubeconfig = cluster.kubeconfig
        repository.follow("Bootstrap", request.param, meanwhile=engine.serve)
        commit = repository.head()
        deploy(engine, commit)
        yield Deployment(engine, request.param, repository, commit)


def test_the_release_is_ready(deployed: Deployment) -> None:
    first, *_ = commands(deployed.repository.folder / "README.md", "Verify")
    deployed.repository.sh(first, meanwhile=deployed.engine.serve)
