"""A token that comes late, or in place of another, is taken without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.proxy.clusters import Running, Scene
from tests.proxy.rounds import PREFIX, Rounds, ways
from tests.proxy.starting import Forked
from tests.proxy.tokens import claims_of

Try = tuple[str, str]  # round, environment
# every cell whose token is in the pod
CASES = [
    *(("keyless", environment, provider) for environment in ("aws", "azure") for provider in ("bedrock", "vertex_ai")),
    ("keyless", "gcp", "bedrock"),
    *(("keyless", environment, "azure_openai") for environment in ("aws", "gcp", "azure")),
    ("others", "aws", "bedrock"),
]
MINUTE = 60
KEPT = 601  # seconds after which azure-identity reads the file again; it says so nowhere but in its code


@dataclass
class Seen:
    """What a call ended with, and which of the tokens the cloud had been given last: the number, or none."""

    status: int
    token: int | None


@dataclass
class Renewed:
    """What was seen of each provider: without a token, with the first, with the second, and after KEPT seconds."""

    without: dict[str, Seen] = field(default_factory=dict)
    first: dict[str, Seen] = field(default_factory=dict)
    second: dict[str, Seen] = field(default_factory=dict)
    later: dict[str, Seen] = field(default_factory=dict)


def tried(rounds: Rounds, what: Try) -> Renewed:
    """Start without a token, then give one, then another, then let the clock of the proxy go on.

    The clouds' own answers are good for a moment, so that each call asks them again.
    """
    name, environment = what
    sealed = rounds.repository(name)
    providers = [provider for where, at, provider in CASES if (where, at) == what]
    folder = rounds.folder / name / environment / "renewed"
    with rounds.stage.plays(sealed, environment, folder, rounds.forks, Scene(without=True)) as running:
        running.vendors.aws.life = running.vendors.azure.life = MINUTE
        running.vendors.google.life = 1  # its library does not ask the clock that moves
        given: list[set[str]] = []

        def called() -> dict[str, Seen]:
            with ThreadPoolExecutor() as pool:
                return dict(zip(providers, pool.map(lambda each: seen(running, each, given), providers), strict=True))

        def renew() -> None:
            tokens = {each.path: rounds.stage.mint(each, running.manifests) for each in running.asked}
            given.append({claims_of(token)["jti"] for token in tokens.values()})
            for path, token in tokens.items():
                running.proxy.put(path, token)

        found = Renewed(called())
        renew()
        found.first = called()
        renew()
        time.sleep(1.1)
        assert isinstance(running.proxy.process, Forked)
        running.proxy.process.move_clock(MINUTE + 1)
        found.second = called()
        running.proxy.process.move_clock(MINUTE + KEPT)
        time.sleep(1.1)
        found.later = called()
        return found


def seen(running: Running, provider: str, given: list[set[str]]) -> Seen:
    """What a call to a model of a provider ends with."""
    vendor = running.vendors.of(PREFIX.get(provider, provider))
    vendor.accepted.clear()
    status = running.proxy.call(ways(running, provider)[0]).status_code
    last = vendor.accepted[-1] if vendor.accepted else None
    return Seen(status, next((number for number, ids in enumerate(given, 1) if last in ids), None))


def trial_of(case: tuple[str, str, str]) -> Try:
    """What has to be tried for a test."""
    return case[:2]


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_token_is_taken_without_a_restart(case: tuple[str, str, str], trials: Callable[[Try], Renewed]) -> None:
    provider, renewed = case[2], trials(trial_of(case))
    assert renewed.without[provider] == Seen(500, None)
    assert renewed.first[provider] == Seen(200, 1)
    # azure-identity keeps what it has read, whatever comes into the file
    assert renewed.second[provider] == Seen(200, 1 if provider == "azure_openai" else 2)
    assert renewed.later[provider] == Seen(200, 2)
