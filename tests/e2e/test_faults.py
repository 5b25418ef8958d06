"""What goes wrong says so, and breaks nothing: the release that runs stays up, and comes right again.

For each fault: what an operator sees where, and words of it that stand in the README's table.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.controlplane import condition
from tests.e2e.deployment import DEPLOYMENT, Deployment
from tests.e2e.engines import complaint, deploy, settled
from tests.e2e.flux import Flux
from tests.e2e.processes import wait_for
from tests.e2e.registry import Registry
from tests.e2e.repository import CommandError, Repository
from tests.support.answers import everything
from tests.support.inputs import Inputs

ENVIRONMENT = "azure"
SEALED = f"secrets/{ENVIRONMENT}/litellm-masterkey.sops.yaml"
NAMESPACES = {"flux": "flux-system", "argocd": "argocd"}


@dataclass(frozen=True)
class Fault:
    """How it comes about, how it is mended, and who says what; `in_readme` is what to look up."""

    make: Callable[[Deployment], None]
    mend: Callable[[Deployment], None]
    says: dict[str, tuple[str, str]]  # by engine: kind and name, words
    in_readme: dict[str, str]
    # Flux takes the checksums of a commit whose Secrets it cannot open: the pods restart, with the values of before.
    restarts: frozenset[str] = frozenset()


def _committed(change: Callable[[Repository], None]) -> Callable[[Deployment], None]:
    def make(deployed: Deployment) -> None:
        change(deployed.repository)
        deployed.repository.push("A mistake")

    return make


def _reverted(deployed: Deployment) -> None:
    deployed.repository.sh("git revert --no-edit HEAD && git push --quiet")


def _tampered(repository: Repository) -> None:
    """Somebody edits the ciphertext: another Secret's value in the place of this one."""
    file = repository.folder / SEALED
    other = (repository.folder / f"secrets/{ENVIRONMENT}/litellm-salt-key.sops.yaml").read_text()
    foreign = re.search(r"ENC\[[^]]*\]", other)
    assert foreign
    file.write_text(re.sub(r"ENC\[[^]]*\]", foreign[0], file.read_text(), count=1))


def _plaintext(repository: Repository) -> None:
    """Somebody pushes a Secret past the hooks."""
    (repository.folder / SEALED).write_text(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: litellm-masterkey\n"
        "  namespace: litellm\ntype: Opaque\nstringData:\n  masterkey: sk-plain\n"
    )


def _broken_values(repository: Repository) -> None:
    repository.edit("litellm/values.yaml", "replicaCount: 2", "replicaCount: two")


def _key(deployed: Deployment, name: str, file: Path) -> None:
    """Stores an age key in the cluster, in the place of the one that is there."""
    namespace = NAMESPACES[deployed.repository.answers["gitops_engine"]]
    deployed.repository.kubeconfig = deployed.cluster.kubeconfig
    deployed.repository.sh(
        f"kubectl delete secret sops-age --namespace {namespace} && "
        f"kubectl create secret generic sops-age --namespace {namespace} --from-file={name}={file}"
        " --dry-run=client --output yaml | kubectl apply --server-side --filename -"
    )
    _restart(deployed)


def _restart(deployed: Deployment) -> None:
    """What the README says for a key of Argo CD; a new commit makes either engine decrypt again."""
    if deployed.repository.answers["gitops_engine"] == "argocd":
        deployed.repository.sh("kubectl --namespace argocd rollout restart deployment argocd-repo-server")
    deployed.repository.give(Inputs())
    deployed.repository.sh(f"uv run hooks/seal_secrets.py --rotate litellm-masterkey --cluster {ENVIRONMENT}")
    deployed.repository.push("Rotate")


def _wrong_key(deployed: Deployment) -> None:
    _key(deployed, f"{ENVIRONMENT}.agekey", deployed.repository.folder / "keys" / "aws.agekey")


def _wrong_name(deployed: Deployment) -> None:
    file = deployed.repository.folder / "keys" / f"{ENVIRONMENT}.agekey"
    _key(deployed, "age.key", file)


def _no_key(deployed: Deployment) -> None:
    namespace = NAMESPACES[deployed.repository.answers["gitops_engine"]]
    deployed.repository.kubeconfig = deployed.cluster.kubeconfig
    deployed.repository.sh(f"kubectl delete secret sops-age --namespace {namespace}")
    _restart(deployed)


def _bootstrapped(deployed: Deployment) -> None:
    deployed.follow("Bootstrap")
    restart = "kubectl --namespace argocd rollout restart deployment argocd-repo-server"
    if isinstance(deployed.engine, Flux):
        deployed.engine.refresh()
        deployed.engine.wait_for("Kustomization", "litellm-secrets", deployed.repository.head())
        restart = "kubectl --namespace litellm rollout restart deployment litellm"
    assert restart in (deployed.repository.folder / "README.md").read_text("utf-8")
    deployed.repository.sh(restart)


SECRETS = {"flux": "Kustomization litellm-secrets", "argocd": "Application litellm-cluster"}
FAULTS = {
    "the age key of another cluster": Fault(
        make=_wrong_key,
        mend=_bootstrapped,
        says={
            "flux": (SECRETS["flux"], "cannot get sops data key"),
            "argocd": (SECRETS["argocd"], "Error getting data key"),
        },
        in_readme={"flux": "cannot get sops data key", "argocd": "Error getting data key"},
        restarts=frozenset({"flux"}),
    ),
    "the age key under another name": Fault(
        make=_wrong_name,
        mend=_bootstrapped,
        says={
            "flux": (SECRETS["flux"], "cannot get sops data key"),
            "argocd": (SECRETS["argocd"], "Error getting data key"),
        },
        in_readme={"flux": "cannot get sops data key", "argocd": "Error getting data key"},
        restarts=frozenset({"flux"}),
    ),
    "no age key at all": Fault(
        make=_no_key,
        mend=_bootstrapped,
        says={
            "flux": (SECRETS["flux"], 'secrets "sops-age" not found'),
            "argocd": (SECRETS["argocd"], "Error getting data key"),
        },
        in_readme={"flux": 'secrets "sops-age" not found', "argocd": "Error getting data key"},
        restarts=frozenset({"flux"}),
    ),
    "ciphertext from another Secret": Fault(
        make=_committed(_tampered),
        mend=_reverted,
        says={
            "flux": (SECRETS["flux"], "failed to decrypt"),
            "argocd": (SECRETS["argocd"], "message authentication failed"),
        },
        in_readme={"flux": "cannot be decrypted", "argocd": "message authentication failed"},
    ),
    "a value of the wrong type": Fault(
        make=_committed(_broken_values),
        mend=_reverted,
        says={
            "flux": ("HelmRelease litellm", "replica"),
            "argocd": ("Application litellm", "replica"),
        },
        in_readme={"flux": "value of the wrong type", "argocd": "value of the wrong type"},
    ),
}


@pytest.fixture(scope="module", params=["flux", "argocd"])
def deployed(
    request: pytest.FixtureRequest, release: Callable[..., AbstractContextManager[Deployment]]
) -> Iterator[Deployment]:
    """A release on AKS; each test leaves one that is well. Both charts have their turn."""
    chart = {"flux": "litellm", "argocd": "litellm-helm"}[request.param]
    with release("faults", ENVIRONMENT, **everything(gitops_engine=request.param, chart=chart)) as deployment:
        yield deployment


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_and_the_release_stays_up(deployed: Deployment, name: str) -> None:
    fault = FAULTS[name]
    engine = deployed.repository.answers["gitops_engine"]
    before = {pod["metadata"]["uid"] for pod in deployed.pods()}
    fault.make(deployed)
    try:
        deployed.engine.refresh()
        complaint(deployed.engine, *fault.says[engine])
        settled(deployed.engine)
        assert engine in fault.restarts or {pod["metadata"]["uid"] for pod in deployed.pods()} == before
        assert condition(deployed.api.get(DEPLOYMENT), "Available") == "True"
        readme = (deployed.repository.folder / "README.md").read_text("utf-8")
        assert fault.in_readme[engine] in readme
    finally:
        fault.mend(deployed)
        deploy(deployed.engine, deployed.repository.head())
    secret = deployed.secret("litellm-masterkey") or {}
    wait_for("the pods have what is sealed", lambda: _all_have(deployed, secret["masterkey"]), timeout=60)


def _all_have(deployed: Deployment, key: str) -> bool:
    """Whether every pod that runs was started with this master key."""
    running = {pod["metadata"]["uid"] for pod in deployed.pods()}
    started = [each for each in deployed.events() if each.process and each.pod["metadata"]["uid"] in running]
    found = {each.process.env["PROXY_MASTER_KEY"] for each in started if each.process}
    return len(started) == len(running) and found == {key}


def test_a_secret_that_was_never_sealed_is_found_by_the_check(deployed: Deployment) -> None:
    # KSOPS refuses it. Flux takes it for a Secret like any other, so the check has to be before it:
    # in the hooks of git, and in the continuous integration.
    _plaintext(deployed.repository)
    with pytest.raises(CommandError, match=rf"ended with 5:\n(?s:.*){re.escape(SEALED)}"):
        deployed.repository.sh("uv run hooks/seal_secrets.py --check")
    deployed.repository.push("Plain")
    try:
        deployed.engine.refresh()
        if deployed.repository.answers["gitops_engine"] == "argocd":
            complaint(deployed.engine, SECRETS["argocd"], "sops metadata not found")
            readme = (deployed.repository.folder / "README.md").read_text("utf-8")
            assert "sops metadata not found" in readme
        else:
            deploy(deployed.engine, deployed.repository.head())
        assert condition(deployed.api.get(DEPLOYMENT), "Available") == "True"
    finally:
        _reverted(deployed)
        deploy(deployed.engine, deployed.repository.head())


def test_a_placeholder_is_told_by_every_check_and_breaks_nothing(deployed: Deployment) -> None:
    # no engine can tell: the pods run, and the one provider refuses what they send
    repository, name = deployed.repository, "litellm-github-copilot"
    sealed = repository.folder / f"secrets/{ENVIRONMENT}/{name}.sops.yaml"
    sealed.unlink()
    inputs = Inputs()
    repository.give(dataclasses.replace(inputs, files={}))
    for command, code in (("", 3), ("--check", 3)):
        with pytest.raises(CommandError, match=rf"ended with {code}:\n(?s:.*){name}"):
            repository.sh(f"uv run hooks/seal_secrets.py {command}")
    with pytest.raises(CommandError, match="is a placeholder"):
        repository.sh("python -m pytest -q")
    deployed.deploy("Placeholder")
    token = "/app/github_copilot_custom/access-token"
    assert deployed.process().text(token) == "placeholder"
    assert condition(deployed.api.get(DEPLOYMENT), "Available") == "True"
    repository.give(inputs)
    repository.sh(f"uv run hooks/seal_secrets.py --rotate {name} --cluster {ENVIRONMENT}")
    deployed.deploy("Filled")
    assert deployed.process().text(token) == inputs.files["access-token"]
    repository.sh("uv run hooks/seal_secrets.py --check")


def test_a_registry_that_is_down_stops_nothing_but_the_upgrade(deployed: Deployment, registry: Registry) -> None:
    engine = deployed.repository.answers["gitops_engine"]
    before = {pod["metadata"]["uid"] for pod in deployed.pods()}
    registry.down = True
    try:
        deployed.repository.edit("litellm/values.yaml", "request_timeout: 600", "request_timeout: 601")
        deployed.repository.push("Wait longer")
        deployed.engine.refresh()
        thing, words = {
            "flux": ("HelmChart flux-system-litellm", "dependency build error"),
            "argocd": ("Application litellm", "dependency build"),
        }[engine]
        complaint(deployed.engine, thing, words)
        assert words in (deployed.repository.folder / "README.md").read_text("utf-8")
        assert {pod["metadata"]["uid"] for pod in deployed.pods()} == before
    finally:
        registry.down = False
    deploy(deployed.engine, deployed.repository.head())


def test_what_cannot_be_decrypted_can_be_removed(deployed: Deployment) -> None:
    # the last story, because it takes the release away
    engine = deployed.repository.answers["gitops_engine"]
    _wrong_key(deployed)
    deployed.engine.refresh()
    complaint(deployed.engine, *FAULTS["the age key of another cluster"].says[engine])
    deployed.follow("Remove")
    assert deployed.left() == set()
