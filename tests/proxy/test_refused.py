"""A pod without the right token gets nowhere: the call fails, and nobody else is asked instead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from tests.proxy.clusters import CLUSTER_REGION, POOL, REGION, Scene
from tests.proxy.google import GkePod
from tests.proxy.injected import NOWHERE
from tests.proxy.rounds import PREFIX, Rounds, ways
from tests.proxy.starting import Forked
from tests.proxy.tokens import ACCOUNT, NAMESPACE, OTHER, OTHER_ISSUER, Asked, Issuer
from tests.support.answers import ACCOUNT as GOOGLE_ACCOUNT

NONE, EXPIRED = "no token", "a token that has expired"
NOT_INJECTED = "nothing of the cluster's webhooks"
# what a pod has in place of its token
STATES = (
    NONE,
    "the token of another ServiceAccount",
    "the token of another namespace",
    "a token for somebody else",
    "the token of another cluster",
    "a token of another key",
    EXPIRED,
)
# of GKE's metadata server: it knows the pod, and no token is in the pod
OF_GKE = (*STATES[:3], "the token of another cluster")
VERTEX = "europe-west4-aiplatform.googleapis.com"
# (round, environment, provider) -> the hosts that are asked, in vain
ASKED: dict[tuple[str, str, str], set[str]] = {
    ("keyless", "aws", "bedrock"): {f"sts.{CLUSTER_REGION}.amazonaws.com"},
    ("keyless", "aws", "vertex_ai"): {"sts.googleapis.com"},
    ("keyless", "aws", "azure_openai"): {"login.microsoftonline.com"},
    ("keyless", "gcp", "bedrock"): {f"sts.{REGION}.amazonaws.com"},
    ("keyless", "gcp", "vertex_ai"): {"metadata.google.internal", VERTEX},
    ("keyless", "gcp", "azure_openai"): {"login.microsoftonline.com"},
    ("keyless", "azure", "bedrock"): {f"sts.{REGION}.amazonaws.com"},
    ("keyless", "azure", "vertex_ai"): {"sts.googleapis.com"},
    ("keyless", "azure", "azure_openai"): {"login.microsoftonline.com"},
    ("others", "aws", "bedrock"): {"169.254.170.23"},
    ("others", "aws", "vertex_ai"): {"sts.googleapis.com"},
    ("others", "gcp", "vertex_ai"): {"metadata.google.internal"},
}
Try = tuple[str, str, str]  # round, environment, state


@dataclass
class Refused:
    """What came of calling every model of some providers."""

    statuses: dict[str, set[int]]  # provider -> of its models
    answered: dict[str, int]  # provider -> how many calls of a model were answered
    hosts: dict[str, set[str]]  # provider -> what was asked of its vendor
    others: list[str]  # who else was asked


def token(state: str, asked: Asked, issuer: Issuer) -> str:
    """What is in a file in place of the right token."""
    mint = partial(issuer.mint, asked.audience, asked.seconds)
    if state == "the token of another ServiceAccount":
        return mint(account=OTHER)
    if state == "the token of another namespace":
        return mint(namespace=OTHER)
    if state == "a token for somebody else":
        return issuer.mint("https://somebody-else.example.com", asked.seconds)
    if state == "the token of another cluster":
        return issuer.forged(mint(), iss=OTHER_ISSUER)
    return issuer.forged(mint()) if state == "a token of another key" else mint()


def pod(state: str, annotated: str) -> GkePod:
    """What the metadata server of GKE knows."""
    namespace = OTHER if state == "the token of another namespace" else NAMESPACE
    account = OTHER if state == "the token of another ServiceAccount" else ACCOUNT
    pool = "another-project.svc.id.goog" if state == "the token of another cluster" else POOL
    return GkePod(pool, namespace, account, annotated)


def tried(rounds: Rounds, case: Try) -> Refused:
    """Start a proxy in that state, and call every model of the keyless providers."""
    name, environment, state = case
    sealed, issuer = rounds.repository(name), rounds.stage.issuer
    service = rounds.stage.service(sealed, environment) if state != NOT_INJECTED else NOWHERE
    asked = sealed.rendered[environment].asked(service)
    tokens = {each.path: token(state, each, issuer) for each in asked}
    life = max((each.seconds for each in asked), default=0)
    scene = Scene(
        tokens,
        without=state == NONE,
        agents=state != NONE,
        injected=state != NOT_INJECTED,
        ahead=life + 60 if state == EXPIRED else 0,
        pod=pod(state, GOOGLE_ACCOUNT if name == "others" else ""),
    )
    providers = [provider for where, at, provider in ASKED if (where, at) == (name, environment)]
    folder = rounds.folder / name / environment / state.replace(" ", "-")
    with rounds.stage.plays(sealed, environment, folder, rounds.forks, scene) as running:
        calls = [(provider, model) for provider in providers for model in ways(running, provider)]
        with ThreadPoolExecutor(len(calls)) as pool:
            responses = list(pool.map(lambda call: running.proxy.call(call[1]), calls))
        vendors = {provider: running.vendors.of(PREFIX.get(provider, provider)) for provider in providers}
        process = running.proxy.process
        assert isinstance(process, Forked)
        return Refused(
            {
                each: {
                    answer.status_code
                    for (provider, _), answer in zip(calls, responses, strict=True)
                    if provider == each
                }
                for each in providers
            },
            {provider: len(vendor.calls) for provider, vendor in vendors.items()},
            {provider: {seen.host for seen in vendor.journal} for provider, vendor in vendors.items()},
            [*running.outside.refused, *process.connected()],
        )


CASES = [(*cell, state) for cell in ASKED for state in (OF_GKE if cell[1:] == ("gcp", "vertex_ai") else STATES)]
# the methods that need what the managed service gives to a pod by itself
CASES += [
    (*cell, NOT_INJECTED)
    for cell in (("keyless", "aws", "bedrock"), ("others", "aws", "bedrock"), ("keyless", "azure", "azure_openai"))
]


def trial_of(case: tuple[str, str, str, str]) -> Try:
    """What has to be tried for a test."""
    name, environment, _, state = case
    return name, environment, state


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_nobody_is_asked_but_who_has_to_refuse(
    case: tuple[str, str, str, str], trials: Callable[[Try], Refused]
) -> None:
    name, environment, provider, _ = case
    refused = trials(trial_of(case))
    assert refused.answered[provider] == 0
    assert refused.hosts[provider] == (set() if case[3] in (NONE, NOT_INJECTED) else ASKED[name, environment, provider])
    assert refused.others == []
    assert refused.statuses[provider] <= {401, 429, 500}
