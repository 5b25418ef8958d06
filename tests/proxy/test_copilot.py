"""GitHub Copilot at the real LiteLLM Proxy in both of its protocols: the one before 1.110, and the one from then on.

The repository is the same for both: what was rendered serves a release of either kind, without an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
import trustme

from tests.e2e.processes import NotReadyError
from tests.proxy.clusters import Running, Scene, Sealed, Stage
from tests.proxy.redis import Redis
from tests.proxy.rounds import models
from tests.proxy.running import next_release
from tests.proxy.starting import Forked, Forks, forking
from tests.proxy.vendors import API, COPILOT
from tests.support.charts import NAMES
from tests.support.inputs import Inputs

ENVIRONMENT = "gcp"


@dataclass(frozen=True)
class Protocol:
    """What a release asks GitHub about the user's token, which files it writes, and how it says that GitHub refuses."""

    asks: str
    writes: list[str]
    answers: str
    logs: str


BEFORE, SINCE = "before 1.110", "from 1.110 on"
PROTOCOLS = {
    BEFORE: Protocol(
        "/copilot_internal/v2/token",
        ["/tmp/github-copilot-api-key.json"],
        "no healthy deployments",
        "HTTP error refreshing API key",
    ),
    SINCE: Protocol("/copilot_internal/user", [], "AuthenticationError", "AuthenticationError"),
}
EITHER = pytest.mark.parametrize("release", PROTOCOLS)


@pytest.fixture(scope="module")
def forks_of(
    forks: Forks, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Forks]]:
    """release -> what starts its proxies."""
    with forking(authority, tmp_path_factory.mktemp("forks"), next_release()) as later:
        yield dict(zip(PROTOCOLS, (forks, later), strict=True))


@pytest.fixture(scope="module", params=product(PROTOCOLS, NAMES), ids="-".join)
def played(
    request: pytest.FixtureRequest,
    forks_of: dict[str, Forks],
    repository: Callable[[str], Sealed],
    redis_of: Callable[[Sealed, str], Redis],
    stage: Stage,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Protocol, Running]]:
    """The proxy of each release and chart, and its protocol."""
    release, chart = request.param
    sealed = repository(chart)
    redis_of(sealed, ENVIRONMENT)
    scene = Scene(direct=release == SINCE)
    try:
        with stage.plays(sealed, ENVIRONMENT, tmp_path_factory.mktemp("copilot"), forks_of[release], scene) as running:
            yield PROTOCOLS[release], running
    except NotReadyError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def problems(running: Running) -> dict[str, str | None]:
    """What is wrong with the answer of each model, if anything is."""
    return {model.name: running.proxy.problem(model) for model in running.proxy.models}


def test_every_model_is_served_and_copilots_are_called_as_the_user(played: tuple[Protocol, Running]) -> None:
    protocol, running = played
    assert sorted(running.proxy.served()) == sorted(model.name for model in running.proxy.models)
    assert problems(running) == dict.fromkeys(model.name for model in running.proxy.models)
    vendor = running.vendors.github
    assert {(call.host, call.who) for call in vendor.calls} == {(COPILOT, "the user")}
    assert {call.path for call in vendor.calls} == {"/chat/completions", "/embeddings", "/responses"}
    assert {seen.request.target for seen in vendor.journal if seen.host == API} == {protocol.asks}
    assert vendor.refusals == []
    assert nobody_else(running) == []


def test_it_writes_no_file_of_copilots_but_its_key(played: tuple[Protocol, Running]) -> None:
    protocol, running = played
    assert problems(running) == dict.fromkeys(model.name for model in running.proxy.models)
    assert [path for path in running.proxy.written() if "copilot" in path] == protocol.writes


@EITHER
def test_the_token_of_somebody_else_serves_no_model_and_is_told_as_the_readme_says(
    release: str,
    forks_of: dict[str, Forks],
    repository: Callable[[str], Sealed],
    redis_of: Callable[[Sealed, str], Redis],
    stage: Stage,
    tmp_path: Path,
) -> None:
    sealed = repository(NAMES[0])
    redis_of(sealed, ENVIRONMENT)
    files = {**sealed.inputs.files, "access-token": Inputs().files["access-token"]}  # of whom GitHub knows
    other = replace(sealed, inputs=replace(sealed.inputs, files=files))
    scene = Scene(direct=release == SINCE)
    with stage.plays(other, ENVIRONMENT, tmp_path, forks_of[release], scene) as running:
        answers = [running.proxy.call(model) for model in models(running, "github_copilot")]
        vendor = running.vendors.github
        assert {answer.status_code for answer in answers} <= {400, 401}
        protocol, readme = PROTOCOLS[release], (sealed.root / "README.md").read_text("utf-8")
        assert all(protocol.answers in answer.text for answer in answers)
        assert protocol.logs in running.proxy.log()
        assert f"`{protocol.answers}`" in readme
        assert f"`{protocol.logs}`" in readme
        assert vendor.calls == []
        assert {seen.request.target for seen in vendor.journal if seen.host == API} == {protocol.asks}
        assert nobody_else(running) == []


def nobody_else(running: Running) -> list[str]:
    """Who was asked that is no vendor."""
    process = running.proxy.process
    assert isinstance(process, Forked)
    return [*running.outside.refused, *process.connected()]
