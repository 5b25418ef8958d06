"""Sealed Secrets for repositories of which only the rendering differs: each was sealed once, by the real sops.

What a Secret holds does not depend on the other answers, so a repository takes those that it needs from the store. Its
`.sops.yaml` and its checksums are made by the code that ships.
"""

from __future__ import annotations

import base64
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyrage
import yaml

from litellm_gitops.repository import Repository, secret_name
from litellm_gitops.sealing import checksums, creation_rules
from tests.support.answers import ENVIRONMENTS, each, everything
from tests.support.faults import RULES, Edit, append, append_item, together, write
from tests.support.inputs import Inputs
from tests.support.sealed import encrypt

SEALED_VALUE = re.compile(r"ENC\[AES256_GCM,[^\]]+type:str\]")


@dataclass(frozen=True)
class SealedStore:
    """The sealed Secrets in `folder`, a repository, all for its one recipient."""

    folder: Path

    @cached_property
    def recipient(self) -> str:
        """Whom the Secrets are sealed for."""
        return str(Repository(self.folder).answers["age_recipients"][0])

    @classmethod
    def make(cls, render: Callable[..., Path], folder: Path) -> SealedStore:
        """Seal everything that any answers can need; `folder` must not be there."""
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        # with an AWS user on EKS too, so that there is every Secret for every cluster
        answers = everything(bedrock_auth_aws="aws_user", age_recipients=[recipient])
        shutil.copytree(render(**answers), folder)
        store = cls(folder)
        store.write_rules(Repository(folder))
        keys = {name: {"azure_openai": "azure_api_key"} for name in ENVIRONMENTS}
        others = Repository(render(**each(keys, age_recipients=[recipient])))
        given = Inputs()
        for cluster in (*Repository(folder).clusters, *others.clusters):
            for wanted in cluster.wanted.values():
                if (folder / wanted.file).exists():
                    continue
                values = {key: given.expected(wanted.name, key) or secrets.token_hex(16) for key in wanted.keys}
                manifest = {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": wanted.name, "namespace": others.namespace},
                    "type": "Opaque",
                    "stringData": values,
                }
                encrypt(yaml.safe_dump(manifest, sort_keys=False), folder / wanted.file, folder)
        return store

    def write_rules(self, repository: Repository) -> None:
        """Write .sops.yaml with a rule for each cluster."""
        rules: str | None = None
        for cluster in repository.clusters:
            rules = creation_rules.add(rules, cluster.name, [self.recipient], cluster.kms)
        (repository.root / RULES).write_text(rules or "", "utf-8")

    def seal(self, root: Path) -> None:
        """Give a rendered repository the Secrets that it needs. It must have been rendered for `recipient`."""
        repository = Repository(root)
        self.write_rules(repository)
        for cluster in repository.clusters:
            for wanted in cluster.wanted.values():
                text = (self.folder / wanted.file).read_text("utf-8")
                for field, key in cluster.kms.items():
                    text = text.replace("\nsops:\n", f"\nsops:\n{_wrapped(field, key)}")
                (root / wanted.file).write_text(text, "utf-8")
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
    """Write the checksums of what is sealed."""
    for cluster in Repository(root).clusters:
        digests = {secret_name(file): checksums.digest((root / file).read_bytes()) for file in cluster.sealed_files}
        (root / cluster.checksums_file).write_text(checksums.text(cluster, digests), "utf-8")


# ---------------------------------------------------------------------------------------------------------------------
# Edits of what is sealed, and of its checksum with it


def resealed(file: str, *edits: Edit) -> Edit:
    """Edits of a sealed file that leave its checksum true."""
    return together(*edits, refresh)


def substituted(file: str, pattern: str | re.Pattern[str], new: str | Callable[[re.Match[str]], str]) -> Edit:
    """Replaces the first match of a pattern in a sealed file, and renews its checksum."""

    def apply(root: Path) -> None:
        text, count = re.subn(pattern, new, (root / file).read_text("utf-8"), count=1)
        assert count, f"nothing in {file} matches {pattern!r}"
        (root / file).write_text(text, "utf-8")
        refresh(root)

    return apply


def plaintext(file: str, value: str = "plain") -> Edit:
    """Puts a value in plaintext into a sealed Secret, and renews its checksum."""
    return substituted(file, SEALED_VALUE, lambda _: value)


def own_secret(name: str, *, of: str, cluster: str = "aws", listed: bool = True) -> Edit:
    """A Secret of the owner's own, sealed like the one that it is copied from."""

    def apply(root: Path) -> None:
        text = (root / of).read_text("utf-8")
        former = Path(of).name.removesuffix(".sops.yaml")
        write(f"secrets/{cluster}/{name}.sops.yaml", text.replace(f"name: {former}", f"name: {name}"))(root)
        if listed:
            append(f"secrets/{cluster}/kustomization.yaml", f"  - {name}.sops.yaml\n")(root)
        refresh(root)

    return apply


def copied(file: str, to: str) -> Edit:
    """A sealed file in place of another, and its checksum with it."""

    def apply(root: Path) -> None:
        shutil.copy(root / file, root / to)
        refresh(root)

    return apply


def joined(cluster: str, recipient: str, number: int = 0) -> Edit:
    """Another recipient in the rule of a cluster, the one of this number, and in its files: none holds his data key."""
    entry = r"(?s)\n  age:\n(    - enc: \|\n(?:        .*?\n)+?      recipient: )(age1\w+)\n"

    def files(root: Path) -> None:
        for path in root.glob(f"secrets/{cluster}/*.sops.yaml"):
            new = rf"\n  age:\n\g<1>{recipient}\n\g<1>\g<2>\n"
            path.write_text(re.sub(entry, new, path.read_text("utf-8"), count=1), "utf-8")
        refresh(root)

    return together(append_item(RULES, ("creation_rules", number, "age"), recipient), files)


def other_nonce(text: str, key: str) -> str:
    """The text with another nonce in the value of a key, as one that is sealed by itself has."""
    nonce = base64.b64encode(secrets.token_bytes(32)).decode()
    return re.sub(rf"({key}: ENC.*,iv:)[^,]+", rf"\g<1>{nonce}", text)
