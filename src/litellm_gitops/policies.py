"""The auth matrix, and what the files in policies/ may hold: the Secrets of one repository, the owner's declarations.

A field that no model names is the reader's own and is not looked at.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import yaml

from litellm_gitops.documents import LOADER, text
from litellm_gitops.records import FILLED, read

MATRIX = "policies/auth-matrix.yml"
SECRETS = "policies/secrets.yml"
SUITE = "policies/suite.yml"

# ---------------------------------------------------------------------------------------------------------------------
# The auth matrix: auth-matrix.yml beside this file


# A text in which {name} is an answer. A list is one text in parts; one with {name?} goes where that answer is empty.
Value = str | list[str]
_NAME = re.compile(r"\{((?:cluster\.)?[a-z_]+)(\??)\}")


def filled(value: Value, answer: Callable[[str], Any]) -> str | None:
    """A value with its answers in it, which `answer` gives by their names; None where nothing is left of it, or where
    an answer that it must have is missing.
    """
    kept = []
    for part in [value] if isinstance(value, str) else value:
        found = {match[0]: answer(match[1]) for match in _NAME.finditer(part)}
        if not all(each or name.endswith("?}") for name, each in found.items()):
            return None
        for name, each in found.items():
            part = part.replace(name, str(each))
        kept += [part] if all(found.values()) else []
    return "".join(kept) or None


def names_in(value: Value) -> list[str]:
    """The answers in a value, by their names."""
    return [match[1] for match in _NAME.finditer("".join(value))]


@dataclass(frozen=True, kw_only=True)
class Kms:
    """The key service of a cloud, as sops and the engine's ServiceAccount name it."""

    name: str
    login: str
    rule: str
    annotation: str
    pod_labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where a cluster runs."""

    name: str
    storage_class: str
    ingress_class: str
    kms: Kms
    database_login: str | None = None


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An AI service behind the proxy."""

    name: str
    model_prefix: str
    hosts: list[Value] = field(default_factory=list)
    hosts_by_answer: dict[str, dict[str, list[Value]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A Secret that is mounted read-only; with `sub_path` only that one key."""

    volume: str
    path: str
    sub_path: str | None = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token of the ServiceAccount for an audience, as a file in a folder that is mounted read-only."""

    volume: str
    audience: Value
    path: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Method:
    """How the proxy authenticates to a provider, or to its database: what it leaves in the pod, where it goes (hosts by
    TLS, addresses inside of the node with their ports), and what may not be there beside it.
    """

    name: str
    provider: str
    usual: bool = False
    service_account_annotations: dict[str, Value] = field(default_factory=dict)
    pod_labels: dict[str, str] = field(default_factory=dict)
    secret: str | None = None
    env_from: bool = False
    mount: Mount | None = None
    token: Token | None = None
    variables: dict[str, Value] = field(default_factory=dict)
    common: list[str] = field(default_factory=list)
    litellm_settings: dict[str, Any] = field(default_factory=dict)
    hosts: list[Value] = field(default_factory=list)
    addresses: dict[str, int] = field(default_factory=dict)
    forbids: list[str] = field(default_factory=list)
    revoke: str = ""

    @property
    def keyless(self) -> bool:
        """Whether no credential is stored: the cloud trusts the ServiceAccount."""
        return self.secret is None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the value of a Secret's key comes from: exactly one of `generate`, `inputs` and `file`."""

    generate: str | None = None
    inputs: list[str] = field(default_factory=list)
    file: str | None = None
    default: str | None = None
    form: str = "text"

    @property
    def names(self) -> list[str]:
        """The inputs that can give the value; none where it is generated."""
        return [*self.inputs, *([self.file] if self.file else [])]

    def __str__(self) -> str:
        return f"the file {self.file}" if self.file else " or ".join(self.inputs)


@dataclass(frozen=True, kw_only=True)
class KnownSecret:
    """A Secret that some answers need. `when` is `always`, `method`, or an answer with the values that need it."""

    purpose: str
    when: str | dict[str, list[str]]
    env_from: bool = False
    never_rotate: str | None = None
    keys: dict[str, dict[str, Any]]

    def needed(self, answers: Mapping[str, Any]) -> set[str]:
        """The names of its keys, under these answers."""
        return {
            key
            for key, source in self.keys.items()
            if not any(answers.get(answer) == value for answer, value in source.get("unless", {}).items())
        }

    def source(self, key: str, answers: Mapping[str, Any]) -> Source:
        """Where the value of `key` comes from, under these answers."""
        source = self.keys[key]
        for answer, choices in source.get("by_answer", {}).items():
            source = {**source, **choices.get(text(answers.get(answer)), {})}
        return read(Source, source)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The auth matrix."""

    environments: dict[str, Environment] = field(metadata=FILLED)
    providers: dict[str, Provider] = field(metadata=FILLED)
    cells: dict[str, dict[str, list[str]]]
    methods: dict[str, Method] = field(metadata=FILLED)
    database_logins: dict[str, Method] = field(default_factory=dict)
    secrets: dict[str, KnownSecret] = field(metadata=FILLED)

    @property
    def logins(self) -> dict[str, Method]:
        """The methods, those of the database among them."""
        return {**self.methods, **self.database_logins}

    def allowed(self, environment: str, provider: str) -> list[str]:
        """The methods of a cell, the recommended one first."""
        return self.cells.get(environment, {}).get(provider, [])

    def method(self, environment: str, provider: str, answers: Mapping[str, Any]) -> str:
        """The method of a cell under these answers; it may be one that the cell does not allow."""
        known = {name: self.methods[name] for name in self.allowed(environment, provider) if name in self.methods}
        keyless = answers.get("credentials") in ("keyless", "each")
        first = [name for name, method in known.items() if (method.keyless if keyless else method.usual)]
        chosen = [answers[question]] if (question := f"{provider}_auth_{environment}") in answers else []
        return str(next(iter([*chosen, *first, *known]), None))

    def shown(self, environments: Collection[str], providers: Collection[str]) -> dict[str, dict[str, list[str]]]:
        """The cells that policies/auth-matrix.yml has, in a repository with these."""
        return {each: {provider: self.allowed(each, provider) for provider in providers} for each in environments}


@cache
def matrix() -> Matrix:
    """The auth matrix of this package: nobody changes it by writing to a repository."""
    content = (files("litellm_gitops") / "auth-matrix.yml").read_text("utf-8")
    return read(Matrix, yaml.load(content, LOADER))


# ---------------------------------------------------------------------------------------------------------------------
# policies/secrets.yml


@dataclass(frozen=True, kw_only=True)
class ListedSecret:
    """A Secret that this repository needs: in which clusters, and where its values come from."""

    clusters: list[str]
    never_rotate: str | None = None
    keys: dict[str, Source]


@dataclass(frozen=True, kw_only=True)
class SecretPolicy:
    """The Secrets that exactly this repository needs."""

    namespace: str
    secrets: dict[str, ListedSecret] = field(metadata=FILLED)


# ---------------------------------------------------------------------------------------------------------------------
# policies/suite.yml


@dataclass(frozen=True, kw_only=True)
class ForeignSecret:
    """A Secret that somebody else puts into the namespace, such as the External Secrets Operator."""

    closed: ClassVar[bool] = True

    name: str
    made_by: str
    clusters: list[str] | None = None  # None: all of them
    keys: list[str] | None = None  # None: not known


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """A rule that is set aside, with the reason; `until` is the last day on which it is."""

    closed: ClassVar[bool] = True

    rule: str
    reason: str = field(metadata=FILLED)
    file: str = "*"
    until: datetime.date | None = None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What the owner declares to the suite."""

    closed: ClassVar[bool] = True

    secrets: list[ForeignSecret] = field(default_factory=list)
    # such as `example.com/v1 Widget`
    kinds: list[str] = field(default_factory=list)
    # such as `Kustomization flux-system/apps`: what another repository brings into the cluster
    objects: list[str] = field(default_factory=list)
    # patterns of files below secrets/, in the format of .gitignore
    beside: list[str] = field(default_factory=list)
    exceptions: list[Exemption] = field(default_factory=list)
