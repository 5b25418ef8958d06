"""`database_auth: keyless` at the real LiteLLM Proxy: it enters a real PostgreSQL as the ServiceAccount, or not.

The proxy and its migrations Job each do, with each chart; on EKS by a role of the ServiceAccount and by Pod Identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.e2e.processes import NotReadyError, wait_for
from tests.proxy.clusters import Scene, Sealed
from tests.proxy.injected import NOWHERE
from tests.proxy.rounds import Rounds
from tests.proxy.starting import Forked
from tests.proxy.test_refused import EXPIRED, NONE, NOT_INJECTED, STATES, token
from tests.support.answers import ROLE_ARN, client_id
from tests.support.charts import NAMES

Try = tuple[str, str]  # chart, environment
RIGHT = "its own token"
USER = "litellm"  # of the database
# as whom the database is entered
IDENTITIES: dict[Try, str] = {
    (NAMES[0], "aws"): ROLE_ARN,
    (NAMES[1], "aws"): "arn:aws:iam::123456789012:role/litellm-bedrock-aws",
    (NAMES[0], "azure"): f"identity {client_id('azure')}",
    (NAMES[1], "azure"): f"identity {client_id('azure')}",
}
# those where everything else is tried: each way to an identity once
WRONG = [cell for cell in IDENTITIES if cell != (NAMES[1], "azure")]


@dataclass
class Entered:
    """What came of a start: as which user and as whom the proxy and its migrations have entered the database."""

    job: list[tuple[str, str]] = field(default_factory=list)
    proxy: list[tuple[str, str]] = field(default_factory=list)
    ready: int = 0  # the status that the proxy tells
    unknown: int = 0  # the status for a key that the database does not know
    refusals: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # who else was asked


def prepare(rounds: Rounds, what: Try) -> None:
    """What all tries have in common."""
    assert rounds.database
    rounds.keyless_database(what[0])


def tried(rounds: Rounds, what: Try) -> dict[str, Entered]:
    """The starts with the right token and in other states, one after the other: the database has one address."""
    chart, environment = what
    sealed = rounds.keyless_database(chart)
    states = [RIGHT, *((*STATES, NOT_INJECTED) if what in WRONG else ())]
    return {state: entered(rounds, sealed, environment, state) for state in states}


def scene(rounds: Rounds, sealed: Sealed, environment: str, state: str) -> Scene:
    """What the pods have in a state."""
    service = rounds.stage.service(sealed, environment) if state != NOT_INJECTED else NOWHERE
    asked = sealed.rendered[environment].asked(service)
    tokens = {each.path: token(state, each, rounds.stage.issuer) for each in asked}
    return Scene(
        tokens if state != RIGHT else None,
        without=state == NONE,
        agents=state != NONE,
        injected=state != NOT_INJECTED,
        ahead=max((each.seconds for each in asked), default=0) + 60 if state == EXPIRED else 0,
        database=rounds.database,
    )


def entered(rounds: Rounds, sealed: Sealed, environment: str, state: str) -> Entered:
    """Start the migrations, then the proxy."""
    folder = sealed.root.parent / environment / state.replace(" ", "-")
    found = Entered()
    with rounds.stage.around(sealed, environment, folder, scene(rounds, sealed, environment, state)) as around:
        assert around.database
        job = rounds.stage.migrates(around, rounds.forks)
        assert isinstance(job, Forked)
        wait_for("the migrations end", lambda: not job.alive(), timeout=120)
        found.job, asked = [*around.database.logins], job.connected()
        around.database.logins.clear()
        try:
            proxy = rounds.stage.starts(around, rounds.forks)
        except NotReadyError:
            pass
        else:
            assert isinstance(proxy.process, Forked)
            found.ready = proxy.client.get("/health/readiness").status_code
            found.unknown = proxy.call(proxy.models[0], {"Authorization": "Bearer sk-of-nobody"}).status_code
            asked += proxy.process.connected()
            proxy.process.end()
        found.proxy, found.refusals = around.database.logins, around.database.refusals
        found.others = [*around.outside.refused, *asked]
    return found


def trial_of(case: tuple[str, str, str]) -> Try:
    """What has to be tried for a test."""
    return case[:2]


@pytest.mark.parametrize("case", [(*cell, RIGHT) for cell in IDENTITIES], ids="-".join)
def test_the_proxy_and_its_migrations_enter_the_database_as_the_service_account(
    case: tuple[str, str, str], trials: Callable[[Try], dict[str, Entered]]
) -> None:
    found, login = trials(trial_of(case))[RIGHT], (USER, IDENTITIES[trial_of(case)])
    assert {*found.job} == {login}
    assert {*found.proxy} == {login}
    assert (found.ready, found.unknown) == (200, 401)
    assert (found.refusals, found.others) == ([], [])


@pytest.mark.parametrize("case", [(*cell, state) for cell in WRONG for state in (*STATES, NOT_INJECTED)], ids="-".join)
def test_without_the_right_token_neither_starts_and_nobody_else_is_asked(
    case: tuple[str, str, str], trials: Callable[[Try], dict[str, Entered]]
) -> None:
    found = trials(trial_of(case))[case[2]]
    assert (found.job, found.proxy, found.ready, found.others) == ([], [], 0, [])
