"""A running release goes to LiteLLM's other chart and back, from stored credentials to none and back, then to the other
engine, by the README's commands.

Meanwhile somebody calls the proxy all the time. How many calls failed stands in the summary of the run.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.api import Object
from tests.e2e.argocd import ArgoCD
from tests.e2e.client import Client
from tests.e2e.deployment import NAMESPACE, Deployment
from tests.e2e.engines import complaint, deploy
from tests.e2e.flux import Flux
from tests.e2e.kubelet import Event
from tests.e2e.processes import wait_for
from tests.e2e.readme import commands
from tests.e2e.web import Outside
from tests.support.answers import KEYLESS, PROVIDERS, answers, needed
from tests.support.findings import codes, findings
from tests.support.inputs import Inputs

ENVIRONMENT = "azure"
HOST = "db.example.internal"
UPDATE = "copier update --trust --defaults --quiet"
SERVICE = f"/api/v1/namespaces/{NAMESPACE}/services/litellm"
MIGRATIONS = "litellm-migrations"
OTHER = {"litellm-helm": "litellm", "litellm": "litellm-helm", "flux": "argocd", "argocd": "flux"}


@pytest.fixture(scope="module", params=["flux", "argocd"])
def deployed(
    request: pytest.FixtureRequest, release: Callable[..., AbstractContextManager[Deployment]]
) -> Iterator[Deployment]:
    """A release on AKS with the older chart and stored credentials. The tests change it in their order."""
    given = answers([ENVIRONMENT], PROVIDERS, gitops_engine=request.param)
    with release("across", ENVIRONMENT, **given) as deployment:
        yield deployment


@dataclass(frozen=True)
class Kept:
    """What stays as it is."""

    secrets: dict[str, dict[str, bytes]]
    sealed: dict[str, bytes]
    service: tuple[str, str]


def kept(deployed: Deployment) -> Kept:
    """What must be the same afterwards: Secrets in the cluster and in git, Service and its address."""
    service = deployed.api.get(SERVICE)
    files = sorted((deployed.repository.folder / "secrets").rglob("*.sops.yaml"))
    return Kept(
        {
            secret["metadata"]["name"]: {key: base64.b64decode(value) for key, value in secret.get("data", {}).items()}
            for secret in deployed.api.items(f"/api/v1/namespaces/{NAMESPACE}/secrets")
            if secret["type"] == "Opaque"
        },
        {file.name: file.read_bytes() for file in files},
        (service["metadata"]["uid"], service["spec"]["clusterIP"]),
    )


def rendered(deployed: Deployment, **changed: str) -> Path:
    """The repository with changed answers, committed and not pushed; the README as it was before."""
    repository = deployed.repository
    before = repository.folder.with_suffix(".README.md")
    before.write_bytes((repository.folder / "README.md").read_bytes())
    data = " ".join(f"--data {name}={shlex.quote(value)}" for name, value in changed.items())
    repository.sh(f"{UPDATE} {data}")
    repository.sh("git diff --check && python -m pytest -q")
    repository.sh(f"git add --all && git commit --quiet --message {shlex.quote(f'Change to {data}')}")
    repository.kubeconfig = deployed.cluster.kubeconfig
    return before


def replica_sets(deployed: Deployment) -> list[Object]:
    """Those of the proxy that have pods."""
    found = deployed.api.items(f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")
    return [each for each in found if each["spec"]["replicas"]]


def migrations(happened: list[Event]) -> list[str]:
    """What happened to the pods of the migrations Job."""
    return [event.what for event in happened if event.job == MIGRATIONS]


def test_it_goes_to_the_other_chart_and_back_without_a_lost_call(deployed: Deployment, calls: Client) -> None:
    for _ in range(2):
        before, since = kept(deployed), len(deployed.events())
        with deployed.tried_again_sooner():
            go_across(deployed)
        assert kept(deployed) == before
        (only,) = replica_sets(deployed)
        assert only["spec"]["template"]["spec"]["containers"][0]["name"] == deployed.chart.runs[0].rpartition("/")[2]
        assert len(deployed.pods()) == deployed.repository.answers["replicas"]
        happened = migrations(deployed.events(since))
        # one after the other; Argo CD runs its hooks in each sync that fails, too
        assert happened in [["started", "completed"] * times for times in range(1, 6)]
        assert isinstance(deployed.engine, ArgoCD) or len(happened) == 2
    assert calls.calls > 0
    assert not calls.failures


def go_across(deployed: Deployment) -> None:
    """To the other chart, by the README's steps."""
    chart = OTHER[deployed.chart.name]
    host = {f"{ENVIRONMENT}_database_host": HOST} if chart == "litellm" else {}
    readme = rendered(deployed, chart=chart, **host)
    repository, engine = deployed.repository, deployed.engine
    *earlier, replace = commands(readme, "Another chart")
    if isinstance(engine, Flux):
        repository.sh(earlier[-1])
    repository.sh("git push --quiet")
    engine.refresh()
    if isinstance(engine, Flux):
        engine.wait_for("Kustomization", "litellm-secrets", repository.head())
    else:
        assert isinstance(engine, ArgoCD)
        complaint(engine, "Application litellm", "field is immutable")
        wait_for("it is not tried again", lambda: not engine.syncing("litellm"), timeout=60)  # a person is slower
    repository.sh(replace, meanwhile=engine.serve, timeout=600)
    deploy(engine, repository.head())


# What the pod has of each method, and the Secret of the one before.
STORED = {"litellm-aws-auth", "litellm-gcp-auth", "litellm-azure-auth"}
TOKENS = ("AWS_WEB_IDENTITY_TOKEN_FILE", "VERTEXAI_CREDENTIALS", "AZURE_CREDENTIAL")
KEYS = ("AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET")


def test_stored_credentials_go_and_come_back_and_none_is_lost(deployed: Deployment, calls: Client) -> None:
    repository, before = deployed.repository, kept(deployed)
    removals = without_credentials(deployed)
    assert {Path(file).name.partition(".")[0] for file in removals} == STORED
    assert kept(deployed).sealed == before.sealed, "they stay until a person removes them"
    assert not kept(deployed).secrets.keys() & STORED, "the cluster has them no more"
    repository.give(Inputs(lines={}, files={}))  # nothing is sealed again
    repository.sh(f"{UPDATE} --data credentials=stored")
    repository.sh("python -m pytest -q")
    deployed.deploy("With stored credentials again")
    assert kept(deployed) == before
    assert deployed.process().env.keys() >= set(KEYS)
    assert without_credentials(deployed) == removals
    repository.sh(f"git rm --quiet {' '.join(removals)}")
    repository.sh("python -m pytest -q")
    deployed.deploy("Without what nothing needs")
    assert set(kept(deployed).sealed) == {name for name in before.sealed if name.partition(".")[0] not in STORED}
    assert calls.calls > 0
    assert not calls.failures


def without_credentials(deployed: Deployment) -> list[str]:
    """To no stored credential, by an update; the files that it says to remove once that works."""
    methods = KEYLESS[ENVIRONMENT].values()
    data = {name: value for method in methods for name, value in needed(ENVIRONMENT, method).items()}
    given = " ".join(f"--data {name}={shlex.quote(value)}" for name, value in data.items())
    said = deployed.repository.sh(f"{UPDATE} --data credentials=keyless {given}")
    assert codes(findings(deployed.repository.folder)) == ["no_secret_is_orphaned"]
    deployed.deploy("Without stored credentials")
    process = deployed.process()
    assert process.env.keys() >= set(TOKENS)
    assert not process.env.keys() & set(KEYS)
    assert process.text(process.env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    return re.findall(r"^azure: .* Once that works: .*git rm (\S+)$", said, re.MULTILINE)


def test_it_goes_to_the_other_engine_and_no_pod_restarts(deployed: Deployment, calls: Client, outside: Outside) -> None:
    before, pods = kept(deployed), {pod["metadata"]["uid"] for pod in deployed.pods()}
    readme = rendered(deployed, gitops_engine=OTHER[deployed.repository.answers["gitops_engine"]])
    repository = deployed.repository
    (let_go,) = commands(readme, "Another engine")
    repository.sh(let_go, meanwhile=deployed.engine.serve)
    repository.sh("git push --quiet")
    if isinstance(deployed.engine, Flux):
        engine = ArgoCD(deployed.cluster, outside)
        engine.install()
        deployed.engine = engine
    else:
        deployed.engine = Flux(deployed.cluster, outside)
    deployed.follow("Bootstrap")
    deploy(deployed.engine, repository.head())
    assert kept(deployed) == before
    assert {pod["metadata"]["uid"] for pod in deployed.pods()} == pods
    assert calls.calls > 0
    assert not calls.failures
