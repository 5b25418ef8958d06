"""Sealed Secrets for repositories of which only the rendering differs: each was sealed once, by the real sops.

What a Secret holds does not depend on the other answers, so a repository takes those that it needs from the stock. Its
`.sops.yaml` and its checksums are made by the code that ships.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import seal_secrets
from sealing import creation_rules, keys
from sealing.policy import Repository

from tests.support.answers import everything
from tests.support.inputs import Inputs
from tests.support.sealed import seal


@dataclass(frozen=True)
class Stock:
    """The sealed Secrets in `folder`, as secrets/<environment>/<name>.sops.yaml, all for one recipient."""

    folder: Path
    recipient: str

    @classmethod
    def make(cls, render: Callable[..., Path], folder: Path) -> Stock:
        """Seal everything that any answers can need."""
        _, recipient = keys.make()
        # with an AWS user on EKS too, so that there is every Secret for every environment
        answers = everything(bedrock_auth_aws="aws_user", age_recipients=[recipient])
        root = folder / "repository"
        shutil.copytree(render(**answers), root)
        done = seal(root, inputs=Inputs().write(folder / "inputs"))
        assert done.returncode == 0, done.stderr
        return cls(root, recipient)

    def seal(self, root: Path) -> None:
        """Give a rendered repository the Secrets that it needs. It must have been rendered for `recipient`."""
        repository = Repository(root)
        rules: str | None = None
        for environment in repository.environments:
            kms = repository.kms(environment)
            rules = creation_rules.add(rules, environment, [self.recipient], kms)
        (root / creation_rules.CONFIG).write_text(rules or "", "utf-8")
        for secret in repository.wanted():
            text = secret.path(self.folder).read_text("utf-8")
            for field, key in repository.kms(secret.environment).items():
                text = text.replace("\nsops:\n", f"\nsops:\n{_wrapped(field, key)}")
            secret.path(root).write_text(text, "utf-8")
        refresh(root)


def _wrapped(field: str, key: str) -> str:
    """What sops writes for a key of a cloud, which cannot be called here: the data key in `enc` is made up."""
    if field == "azure_keyvault":
        vault, name, version = key.replace("/keys/", "/").rsplit("/", 2)
        parts = {"vault_url": vault, "name": name, "version": version}
    else:
        parts = {{"kms": "arn", "gcp_kms": "resource_id"}[field]: key}
    lines = [f"{part}: {value}" for part, value in parts.items()]
    kind = {"azure_keyvault": "azure_kv"}.get(field, field)
    return f"  {kind}:\n    - " + "\n      ".join([*lines, "enc: AQICAHh="]) + "\n"


def refresh(root: Path) -> None:
    """Write the checksums of a repository in which no Secret is missing."""
    seal_secrets.seal(Repository(root), None)
