"""Sealed Secrets for repositories of which only the rendering differs: each was sealed once, by the real sops.

What a Secret holds does not depend on the other answers, so a repository takes those that it needs from the store. Its
rules of sops and its checksums are written here, too.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import yaml

from litellm_gitops.repository import Repository
from tests.support.answers import everything
from tests.support.faults import RULES, Edit, append, together, write
from tests.support.inputs import Inputs
from tests.support.sealed import encrypt

SEALED_VALUE = re.compile(r"ENC\[AES256_GCM,[^\]]+type:str\]")


@dataclass(frozen=True)
class SealedStore:
    """The sealed Secrets in `folder`, as secrets/<cluster>/<name>.sops.yaml, all for one recipient."""

    folder: Path
    recipient: str

    @classmethod
    def make(cls, render: Callable[..., Path], folder: Path) -> SealedStore:
        """Seal everything that any answers can need."""
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        # with an AWS user on EKS too, so that there is every Secret for every cluster
        answers = everything(bedrock_auth_aws="aws_user", age_recipients=[recipient])
        root = folder / "repository"
        shutil.copytree(render(**answers), root)
        store = cls(root, recipient)
        repository = Repository(root)
        (root / RULES).write_text(store.rules({cluster.name: {} for cluster in repository.clusters}), "utf-8")
        given = Inputs()
        for cluster in repository.clusters:
            for wanted in cluster.wanted.values():
                values = {key: given.expected(wanted.name, key) or secrets.token_hex(16) for key in wanted.keys}
                manifest = {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": wanted.name, "namespace": repository.namespace},
                    "type": "Opaque",
                    "stringData": values,
                }
                encrypt(yaml.safe_dump(manifest, sort_keys=False), root / wanted.file, root)
        return store

    def rules(self, kms: Mapping[str, Mapping[str, str]]) -> str:
        """The text of .sops.yaml for these clusters, with the keys of a cloud that each has."""
        lines = ["creation_rules:"]
        for cluster, keys in kms.items():
            lines += [
                rf"  - path_regex: ^secrets/{cluster}/.*\.sops\.ya?ml$",
                "    encrypted_regex: ^(data|stringData)$",
                "    mac_only_encrypted: true",
                "    age:",
                f"      - {self.recipient}",
                *(f"    {field}: {key}" for field, key in keys.items()),
            ]
        return "\n".join([*lines, "stores:", "  yaml:", "    indent: 2", ""])

    def seal(self, root: Path) -> None:
        """Give a rendered repository the Secrets that it needs. It must have been rendered for `recipient`."""
        repository = Repository(root)
        kms = {cluster.name: cluster.kms for cluster in repository.clusters}
        (root / RULES).write_text(self.rules(kms), "utf-8")
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
    repository = Repository(root)
    for cluster in repository.clusters:
        digests = {
            f"checksum/{path.name.removesuffix('.sops.yaml')}": hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((root / cluster.secrets_folder).glob("*.sops.yaml"))
        }
        places = {repository.chart.pod_annotations: digests}
        if repository.answers["redis"] == "bundled":
            redis = "checksum/litellm-redis"
            places[repository.chart.redis_pod_annotations] = {redis: digests[redis]}
        content: dict[str, Any] = {}
        for place, value in places.items():
            here = content.setdefault(repository.chart.name, {})
            for part in place[:-1]:
                here = here.setdefault(part, {})
            here[place[-1]] = value
        (root / cluster.checksums_file).write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")


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


def other_nonce(text: str, key: str) -> str:
    """The text with another nonce in the value of a key, as one that is sealed by itself has."""
    import base64

    nonce = base64.b64encode(secrets.token_bytes(32)).decode()
    return re.sub(rf"({key}: ENC.*,iv:)[^,]+", rf"\g<1>{nonce}", text)
