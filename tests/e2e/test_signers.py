"""Who may sign: the real engines take a commit of an answered key, made by the real gpg, and no other."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.e2e.argocd import ArgoCD
from tests.e2e.deployment import Deployment, bootstrapped
from tests.e2e.engines import Engine, complaint, deploy
from tests.e2e.flux import Flux
from tests.e2e.processes import Run
from tests.e2e.repository import Repository
from tests.e2e.web import Outside
from tests.support.answers import answers

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg on PATH, which signs the commits")


def new_key(run: Run, name: str) -> str:
    """Makes a key in the operator's home, without a passphrase; its fingerprint."""
    make = ["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign"]
    command = ["gpg", "--batch", "--status-fd", "1", *make]
    said = subprocess.run(command, env=run.environment(), check=True, capture_output=True, text=True).stdout
    (fingerprint,) = re.findall(r"KEY_CREATED P ([0-9A-F]{40})", said)
    return str(fingerprint)


@pytest.fixture(scope="module", params=["flux", "argocd"])
def deployed(
    request: pytest.FixtureRequest,
    run: Run,
    operator: Callable[..., Repository],
    authority: trustme.CA,
    outside: Outside,
) -> Iterator[Deployment]:
    """A cluster whose engine asks for a signature; the operator's clone signs, as README.md says."""
    signer = new_key(run, f"Operator of {request.param}")
    given = answers(["aws"], ["github_copilot"], gitops_engine=request.param, commit_signers=[signer])
    repository = operator(f"signed-{request.param}", **given)
    repository.sh(f"git config --global user.signingKey {signer}", folder=run.folder)
    repository.publish()
    with bootstrapped(run, authority, outside, repository, "aws") as deployment:
        yield deployment


def applied(engine: Engine) -> str:
    """What the engine has applied of the Secrets: a text with the beginning of the commit."""
    if isinstance(engine, Flux):
        return str((engine.find("Kustomization", "litellm-secrets") or {})["status"]["lastAppliedRevision"])
    assert isinstance(engine, ArgoCD)
    return str((engine.find("litellm") or {})["spec"]["source"]["targetRevision"])  # which litellm-cluster writes


def test_what_an_answered_key_has_signed_is_applied_and_nothing_else(deployed: Deployment, run: Run) -> None:
    engine, repository, last = deployed.engine, deployed.repository, deployed.repository.head()
    assert last[:12] in applied(engine), "also at the first time"
    flux = ("GitRepository signed-flux", "signature verification of commit", " '")
    argocd = ("Application litellm-cluster", "Failed verifying revision", " ")
    thing, words, before = flux if isinstance(engine, Flux) else argocd
    readme = (repository.folder / "README.md").read_text("utf-8")
    assert words in readme, "an operator finds the message in the README"
    stranger = new_key(run, f"Somebody at {repository.folder.name}")
    for who, setting in {"nobody": "commit.gpgSign=false", "a stranger": f"user.signingKey={stranger}"}.items():
        message = f"git -c {setting} commit --quiet --allow-empty --message 'Signed by {who}'"
        repository.sh(f"{message} && git push --quiet")
        engine.refresh()
        complaint(engine, thing, f"{words}{before}{repository.head()}")
        assert last[:12] in applied(engine)
    repository.sh("git commit --quiet --allow-empty --message 'Signed by the operator' && git push --quiet")
    deploy(engine, repository.head())
