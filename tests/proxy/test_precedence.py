"""What stands beside a method and would win: the suite tells it, and the real proxy shows that it wins.

And what keeps a pod without an identity from taking that of its node: it is told when it is missing, too.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from litellm_gitops.documents import Place
from tests.e2e.processes import wait_for
from tests.proxy.clusters import Scene, Sealed
from tests.proxy.rendered import render
from tests.proxy.rounds import MATRIX, PREFIX, Rounds, ways
from tests.proxy.starting import Forked
from tests.support.answers import client_id
from tests.support.faults import CHART, Edit, add, at, each_model, remove, together
from tests.support.findings import findings

BEATS, NEEDS = "nothing_beats_a_chosen_method", "every_chosen_method_has_what_it_needs"
PLAINTEXT = "no_credential_stands_in_plaintext"  # which speaks where both could
NODE = "169.254.169.254"
ROLE = "eks.amazonaws.com/role-arn"


@dataclass(frozen=True)
class Rival:
    """What is put beside a method, and what comes of it."""

    method: str
    cell: tuple[str, str, str]  # round, environment, provider
    edit: Callable[[Sealed, str], Edit]  # with the operator's credentials, of the file of values
    callers: set[str]  # as whom the models are called; nobody where every call fails
    rule: str = BEATS
    fails: bool = False  # whether calls fail although others do not
    node: bool = False  # whether the node is asked for its identity
    scene: Scene = field(default_factory=Scene)
    modes: tuple[str, ...] = ("chat", "embedding", "responses")  # that are called


def variables(*names: str, **values: str) -> Callable[[Sealed, str], Edit]:
    """Variables: those of `names` with the operator's own value."""
    return lambda sealed, file: add(
        CHART.variables, {**{name: sealed.inputs.lines[name] for name in names}, **values}, file
    )


def spare(name: str, of: str = "") -> Callable[[Sealed, str], Edit]:
    """A variable with another value of the operator's."""
    return lambda sealed, file: add(CHART.variables, {name: sealed.spare.lines[of or name]}, file)


def another_account(sealed: Sealed, file: str) -> Edit:
    """Another key of a service account of Google Cloud."""
    return add(CHART.variables, {"VERTEXAI_CREDENTIALS": sealed.spare.files["gcp-service-account.json"]}, file)


def account_of_models(sealed: Sealed, file: str) -> Edit:
    """A key of a service account, as a parameter of the models."""
    key = sealed.spare.files["gcp-service-account.json"]
    return each_model("vertex_ai/", lambda model: model.update(vertex_credentials=key))


def without(*places: Place) -> Callable[[Sealed, str], Edit]:
    """The values without what stands at some places."""
    return lambda sealed, file: together(*(remove(file, at(place)) for place in places))


USER = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
APPLICATION = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
BEARER = spare("AWS_BEARER_TOKEN_BEDROCK", "AWS_SECRET_ACCESS_KEY")
ON_AWS, ON_GCP = ("keyless", "aws", "bedrock"), ("keyless", "gcp", "bedrock")
POD_IDENTITY, GKE = ("others", "aws", "bedrock"), ("keyless", "gcp", "vertex_ai")
AKS, ENTRA = ("keyless", "azure", "azure_openai"), ("keyless", "gcp", "azure_openai")
NOT_INJECTED = Scene(injected=False)
RIVALS: dict[str, Rival] = {
    "an access key beside a role of EKS": Rival("irsa", ON_AWS, variables(*USER), {"the user"}, PLAINTEXT),
    "a key of Bedrock beside a role of EKS": Rival("irsa", ON_AWS, BEARER, {"API key"}),
    "a profile beside a role of EKS": Rival("irsa", ON_AWS, variables(AWS_PROFILE="own"), set()),
    "an access key beside Pod Identity": Rival("pod_identity", POD_IDENTITY, variables(*USER), {"the user"}, PLAINTEXT),
    "a key of Bedrock beside Pod Identity": Rival("pod_identity", POD_IDENTITY, BEARER, {"API key"}),
    "a role beside Pod Identity": Rival(
        "pod_identity",
        POD_IDENTITY,
        lambda sealed, file: add(
            CHART.service_account, {"annotations": {ROLE: "arn:aws:iam::123456789012:role/own"}}, file
        ),
        set(),
    ),
    "an access key beside a web identity": Rival("web_identity", ON_GCP, variables(*USER), {"the user"}, PLAINTEXT),
    "a key of Bedrock beside a web identity": Rival("web_identity", ON_GCP, BEARER, {"API key"}),
    "a key of Bedrock beside an access key": Rival("aws_user", ("stored", "gcp", "bedrock"), BEARER, {"API key"}),
    "a key beside GKE's identity": Rival("gke_workload_identity", GKE, another_account, {"{spare}"}, PLAINTEXT),
    "no question to GKE's metadata server": Rival("gke_workload_identity", GKE, variables(NO_GCE_CHECK="true"), set()),
    "a key in the models beside a federation": Rival(
        "gcp_federation",
        ("keyless", "aws", "vertex_ai"),
        account_of_models,
        {"{spare}"},
        PLAINTEXT,
    ),
    "a key beside a key": Rival(
        "gcp_service_account", ("stored", "azure", "vertex_ai"), another_account, {"{spare}"}, PLAINTEXT
    ),
    "an API key beside AKS' identity": Rival(
        "aks_workload_identity", AKS, variables("AZURE_API_KEY"), {"API key"}, PLAINTEXT
    ),
    "an empty API key beside AKS' identity": Rival(
        "aks_workload_identity", AKS, variables(AZURE_API_KEY=""), {"identity {client}"}, fails=True
    ),
    "an application beside AKS' identity": Rival(
        "aks_workload_identity", AKS, variables(*APPLICATION), {"the application"}
    ),
    "an API key beside a federation": Rival(
        "entra_federation", ENTRA, variables("AZURE_API_KEY"), {"API key"}, PLAINTEXT
    ),
    "a client secret beside a federation": Rival(
        "entra_federation", ENTRA, variables("AZURE_CLIENT_SECRET"), set(), PLAINTEXT
    ),
    "an API key beside an application": Rival(
        "entra_id",
        ("stored", "aws", "azure_openai"),
        variables("AZURE_API_KEY"),
        {"API key"},
        PLAINTEXT,
    ),
    "another API key beside an API key": Rival(
        "azure_api_key",
        ("others", "gcp", "azure_openai"),
        spare("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        {"API key", "another API key"},  # one for chat, the other for the rest
        PLAINTEXT,
    ),
    # the cluster gives nothing to the pod, and what keeps the pod from asking its node is gone, too
    "the node's role in place of Pod Identity": Rival(
        "pod_identity",
        POD_IDENTITY,
        without((*CHART.variables, "AWS_EC2_METADATA_DISABLED")),
        set(),
        NEEDS,
        node=True,
        scene=NOT_INJECTED,
    ),
    "the node's identity in place of AKS' for chat": Rival(
        "aks_workload_identity",
        AKS,
        without((*CHART.variables, "AZURE_CREDENTIAL"), (*CHART.variables, "AZURE_TOKEN_CREDENTIALS")),
        set(),
        NEEDS,
        node=True,
        scene=NOT_INJECTED,
        modes=("chat",),
    ),
    "the node's identity in place of AKS' for responses": Rival(
        "aks_workload_identity",
        AKS,
        without((*CHART.variables, "AZURE_TOKEN_CREDENTIALS")),
        set(),
        NEEDS,
        node=True,
        scene=NOT_INJECTED,
        modes=("responses",),
    ),
}
Try = tuple[str, str]  # round, name of the rival


@dataclass
class Found:
    """What the suite tells, and what came of calling a model in each way."""

    told: list[tuple[str, str]]  # rule, and the finding
    callers: set[str]
    failed: int  # calls
    others: list[str]  # who else was asked


def tried(rounds: Rounds, what: Try) -> Found:
    """Put the rival into a copy of the repository, evaluate it, and call the models of the provider."""
    rival = RIVALS[what[1]]
    name, environment, provider = rival.cell
    folder = rounds.folder / name / environment / re.sub(r"\W+", "-", what[1])
    sealed = edited(rounds.repository(name), environment, folder, rival)
    told = [(finding.code, str(finding)) for finding in findings(sealed.root)]
    with rounds.stage.plays(sealed, environment, folder, rounds.forks, rival.scene) as running:
        models = [each for each in ways(running, provider) if each.mode in rival.modes]
        pool = ThreadPoolExecutor()
        answers = [pool.submit(running.proxy.call, model) for model in models]
        if rival.node:  # which is asked again and again for minutes, so nobody waits for the answer
            wait_for("the node is asked", lambda: bool(running.outside.refused), timeout=60)
        failed = 1 if rival.node else sum(answer.result().status_code != 200 for answer in answers)
        pool.shutdown(wait=False)
        vendor = running.vendors.of(PREFIX.get(provider, provider))
        process = running.proxy.process
        assert isinstance(process, Forked)
        return Found(
            told,
            {call.who for call in vendor.calls},
            failed,
            [*running.outside.refused, *process.connected()],
        )


def edited(sealed: Sealed, environment: str, folder: Path, rival: Rival) -> Sealed:
    """A copy of a repository, with the rival in it."""
    root = folder / "repository"
    shutil.copytree(sealed.root, root, symlinks=True)
    rival.edit(sealed, f"litellm/values-{environment}.yaml")(root)
    return replace(sealed, root=root, rendered={environment: render(root, environment, sealed.of(environment), folder)})


def trial_of(case: str) -> Try:
    """What has to be tried for a test."""
    return RIVALS[case].cell[0], case


@pytest.mark.parametrize("case", RIVALS)
def test_a_rival_is_told_and_wins(case: str, trials: Callable[[Try], Found], rounds: Rounds) -> None:
    rival, found = RIVALS[case], trials(trial_of(case))
    assert rival.rule in [rule for rule, _ in found.told], found.told
    other = json.loads(rounds.repository(rival.cell[0]).spare.files["gcp-service-account.json"])["client_email"]
    assert found.callers == {caller.format(spare=other, client=client_id(rival.cell[1])) for caller in rival.callers}
    assert bool(found.failed) == (rival.fails or not rival.callers)
    assert bool(found.others) == rival.node
    assert all(NODE in other for other in found.others)


def test_every_method_has_a_rival() -> None:
    methods = {method for cells in MATRIX.values() for each in cells.values() for method in each}
    assert {rival.method for rival in RIVALS.values()} == methods


@pytest.mark.parametrize("name", ["keyless", "stored", "others"])
def test_without_a_rival_nothing_is_told(name: str, rounds: Rounds) -> None:
    assert [str(finding) for finding in findings(rounds.repository(name).root)] == []
