"""Who may sign: the real source-controller takes a commit of an answered key, made by the real gpg, and no other."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.e2e.deployment import Deployment, bootstrapped
from tests.e2e.engines import complaint
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


@pytest.fixture(scope="module")
def deployed(
    run: Run, operator: Callable[..., Repository], authority: trustme.CA, outside: Outside
) -> Iterator[Deployment]:
    """A cluster whose Flux asks for a signature; the operator's clone signs, as README.md says."""
    signer = new_key(run, "Operator <operator@example.com>")
    repository = operator("signed", **answers(["aws"], ["github_copilot"], commit_signers=[signer]))
    repository.publish()
    with bootstrapped(run, authority, outside, repository, "aws", wait=False) as deployment:
        yield deployment


def test_flux_applies_what_an_answered_key_has_signed_and_nothing_else(deployed: Deployment, run: Run) -> None:
    flux, repository = deployed.engine, deployed.repository
    assert isinstance(flux, Flux)
    last = repository.head()
    flux.wait_for("Kustomization", "litellm-secrets", last)
    readme, words = (repository.folder / "README.md").read_text("utf-8"), "signature verification of commit"
    assert words in readme, "an operator finds the message in the README"
    stranger = new_key(run, "Somebody <somebody@example.com>")
    for who, setting in {"nobody": "commit.gpgSign=false", "a stranger": f"user.signingKey={stranger}"}.items():
        message = f"git -c {setting} commit --quiet --allow-empty --message 'Signed by {who}'"
        repository.sh(f"{message} && git push --quiet")
        flux.refresh()
        complaint(flux, "GitRepository signed", f"{words} '{repository.head()}'")
        applied = flux.find("Kustomization", "litellm-secrets") or {}
        assert last[:12] in applied["status"]["lastAppliedRevision"]
    repository.sh("git commit --quiet --allow-empty --message 'Signed by the operator' && git push --quiet")
    flux.refresh()
    flux.wait_for("Kustomization", "litellm-secrets", repository.head())
