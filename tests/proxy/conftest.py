"""The issuer of tokens, the demo's answers as a sealed repository, and for each environment its proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.processes import NotReadyError, Processes, Run
from tests.e2e.web import Outside
from tests.proxy import redis
from tests.proxy.clusters import Sealed, Stage, Vendors, made
from tests.proxy.rounds import Rounds
from tests.proxy.running import Proxy, Starts
from tests.proxy.starting import Command, Forks, forking
from tests.proxy.tokens import Issuer, issuing
from tests.support.answers import ENVIRONMENTS, everything, redis_hosts
from tests.support.charts import NAMES

AT_ONCE = 5  # proxies
FIGURES = pytest.StashKey[list[str]]()


@dataclass(frozen=True)
class Running:
    """The proxy of one environment, and everything that it can reach."""

    environment: str
    sealed: Sealed
    proxy: Proxy
    vendors: Vendors
    outside: Outside
    redis: redis.Redis


def pytest_configure(config: pytest.Config) -> None:
    config.option.tbstyle = "short"  # the long style shows the arguments of functions: credentials


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("proxy")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Issues every certificate of this session."""
    return trustme.CA()


@pytest.fixture(scope="session")
def issuer(authority: trustme.CA) -> Iterator[Issuer]:
    """A real API server, which mints the tokens of ServiceAccounts."""
    run = Run.begin()
    try:
        with issuing(run, authority) as issuer:
            yield issuer
    finally:
        run.end(keep=False)


@pytest.fixture(scope="session")
def stage(issuer: Issuer, authority: trustme.CA) -> Stage:
    """What all proxies have in common."""
    return Stage(issuer, authority)


@pytest.fixture(scope="session")
def forks(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """What starts proxies by fork."""
    folder = tmp_path_factory.mktemp("forks")
    with forking(authority, folder) as forks:
        yield forks


@pytest.fixture(scope="session")
def rounds(stage: Stage, forks: Forks, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    """The repositories of every method, and their proxies."""
    with ExitStack() as stack:
        yield Rounds(stage, forks, template, tmp_path_factory.mktemp("rounds"), stack)


@pytest.fixture(scope="module")
def trials(rounds: Rounds, request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """`trials(what)`: what comes of `tried(rounds, what)` of the module, where `trial_of(case)` of a test is `what`.

    Those of all selected tests run at once, a few of them: they mostly wait. Their repositories are made before.
    """
    module = request.module
    prepare = getattr(module, "prepare", lambda rounds, what: rounds.repository(what[0]))
    items = [item for item in request.session.items if item.path == request.path]
    params = [item.callspec.params for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    selected = [each["case"] for each in params if "case" in each]
    wanted = list(dict.fromkeys(module.trial_of(case) for case in selected))
    for what in wanted:
        prepare(rounds, what)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {what: pool.submit(module.tried, rounds, what) for what in wanted}
        yield lambda what: futures[what].result()


@pytest.fixture(scope="session")
def repository(template: Path, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sealed]:
    """`repository(chart)`: all environments and all providers, with IRSA on EKS and an existing Redis for each."""

    @cache
    def repository(chart: str) -> Sealed:
        hosts = {name: redis.address() for name in redis_hosts()}
        answers = everything(chart=chart, **hosts, redis_tls=False)
        return made(tmp_path_factory.mktemp(chart), template, answers, issuer)

    return repository


@pytest.fixture(scope="session")
def redis_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Sealed, str], redis.Redis]]:
    """`redis_of(repository, environment)`: the running server that an environment names."""
    with ExitStack() as stack:
        servers: dict[str, redis.Redis] = {}

        def server(sealed: Sealed, environment: str) -> redis.Redis:
            host = sealed.answers[f"{environment}_redis_host"]
            if host not in servers:
                password = sealed.of(environment)["litellm-redis"]["redis-password"]
                folder = tmp_path_factory.mktemp("redis")
                servers[host] = stack.enter_context(redis.running(folder, host, password))
            return servers[host]

        yield server


@pytest.fixture(scope="session", params=product(NAMES, ENVIRONMENTS), ids="-".join)
def running(
    request: pytest.FixtureRequest,
    repository: Callable[[str], Sealed],
    redis_of: Callable[[Sealed, str], redis.Redis],
    stage: Stage,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Running]:
    """The proxy of each chart and environment, one after the other; with the first chart by its own command."""
    chart, environment = request.param
    folder = tmp_path_factory.mktemp(environment)
    processes = Processes(folder, {})
    starter: Starts = Command(processes) if chart == NAMES[0] else request.getfixturevalue("forks")
    sealed = repository(chart)
    server = redis_of(sealed, environment)
    try:
        with stage.plays(sealed, environment, folder, starter) as each:
            yield Running(environment, sealed, each.proxy, each.vendors, each.outside, server)
            figures = pytestconfig.stash.setdefault(FIGURES, [])
            figures.append(
                f"{chart:12} {environment:6} {len(each.proxy.models):3} models"
                f"  served after {each.proxy.seconds:4.1f} s  at most {each.proxy.memory()} MiB"
            )
    except NotReadyError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    finally:
        processes.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What it cost."""
    for figure in config.stash.get(FIGURES, []):
        terminalreporter.write_line(figure)
