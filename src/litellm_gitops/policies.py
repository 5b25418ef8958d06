"""What the files in policies/ may hold: the auth matrix, the Secrets of one repository, the owner's declarations.

A field that no model names is the reader's own and is not looked at.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from litellm_gitops.documents import Place

MATRIX = "policies/auth-matrix.yml"
SECRETS = "policies/secrets.yml"
SUITE = "policies/suite.yml"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Closed(BaseModel):
    """A file that people write: a misspelt field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# ---------------------------------------------------------------------------------------------------------------------
# policies/auth-matrix.yml


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


class Kms(_Model):
    """The key service of a cloud, as sops and the engine's ServiceAccount name it."""

    name: str
    login: str
    rule: str
    annotation: str
    pod_labels: dict[str, str] = {}


class Environment(_Model):
    """Where a cluster runs."""

    name: str
    storage_class: str
    kms: Kms


class Provider(_Model):
    """An AI service behind the proxy."""

    name: str
    model_prefix: str


class Mount(_Model):
    """A Secret that is mounted read-only; with `sub_path` only that one key."""

    volume: str
    path: str
    sub_path: str | None = None


class Token(_Model):
    """A token of the ServiceAccount for an audience, as a file in a folder that is mounted read-only."""

    volume: str
    audience: Value
    path: str
    file: str


class Method(_Model):
    """How the proxy authenticates to a provider: what it leaves in the pod, and what may not be there beside it."""

    name: str
    provider: str
    usual: bool = False
    service_account_annotations: dict[str, Value] = {}
    pod_labels: dict[str, str] = {}
    secret: str | None = None
    env_from: bool = False
    mount: Mount | None = None
    token: Token | None = None
    variables: dict[str, Value] = {}
    common: list[str] = []
    litellm_settings: dict[str, Any] = {}
    forbids: list[str] = []
    revoke: str = ""

    @property
    def keyless(self) -> bool:
        """Whether no credential is stored: the cloud trusts the ServiceAccount."""
        return self.secret is None


class Source(_Model):
    """Where the value of a Secret's key comes from: exactly one of `generate`, `inputs` and `file`."""

    generate: str | None = None
    inputs: list[str] = []
    file: str | None = None
    default: str | None = None
    form: str = "text"

    @property
    def names(self) -> list[str]:
        """The inputs that can give the value; none where it is generated."""
        return [*self.inputs, *([self.file] if self.file else [])]

    def __str__(self) -> str:
        return f"the file {self.file}" if self.file else " or ".join(self.inputs)


class KnownSecret(_Model):
    """A Secret that some answers need. `when` is `always`, `method`, or an answer with the values that need it."""

    purpose: str
    when: str | dict[str, list[str]]
    env_from: bool = False
    never_rotate: str | None = None
    keys: dict[str, dict[str, Any]]

    def form(self, key: str, answers: Mapping[str, Any]) -> str:
        """The form of the value of `key`, under these answers."""
        source = self.keys[key]
        for answer, choices in source.get("by_answer", {}).items():
            source = choices.get(answers.get(answer), {})
        return str(source.get("form", "text"))


class Matrix(_Model):
    """The auth matrix."""

    environments: dict[str, Environment] = Field(min_length=1)
    providers: dict[str, Provider] = Field(min_length=1)
    cells: dict[str, dict[str, list[str]]]
    methods: dict[str, Method] = Field(min_length=1)
    secrets: dict[str, KnownSecret] = Field(min_length=1)

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


# ---------------------------------------------------------------------------------------------------------------------
# policies/secrets.yml


class ListedSecret(_Model):
    """A Secret that this repository needs: in which clusters, and where its values come from."""

    clusters: list[str]
    never_rotate: str | None = None
    keys: dict[str, Source]


class SecretPolicy(_Model):
    """The Secrets that exactly this repository needs."""

    namespace: str
    secrets: dict[str, ListedSecret] = Field(min_length=1)


# ---------------------------------------------------------------------------------------------------------------------
# policies/suite.yml


class ForeignSecret(_Closed):
    """A Secret that somebody else puts into the namespace, such as the External Secrets Operator."""

    name: str
    made_by: str
    clusters: list[str] | None = None  # None: all of them
    keys: list[str] | None = None  # None: not known


class Exemption(_Closed):
    """A rule that is set aside, with the reason; `until` is the last day on which it is."""

    rule: str
    reason: str = Field(min_length=1)
    file: str = "*"
    until: datetime.date | None = None


class Suite(_Closed):
    """What the owner declares to the suite."""

    secrets: list[ForeignSecret] = []
    kinds: list[str] = []  # such as `example.com/v1 Widget`
    objects: list[str] = []  # such as `Kustomization flux-system/apps`: what another repository brings into the cluster
    beside: list[str] = []  # patterns of files below secrets/, in the format of .gitignore
    exceptions: list[Exemption] = []


def flaws(error: ValidationError) -> list[tuple[Place, str]]:
    """(where, what) of all that a model refuses, in the words of the suite; never the value."""
    found = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        # the names of the union's members, which pydantic puts into the path, stand in no file
        place = tuple(part for part in each["loc"] if part not in ("str", "list[str]", "dict[str,list[str]]"))
        name = ".".join(map(str, place)) or "it"
        what = {"missing": f"lacks `{place[-1] if place else ''}`", "extra_forbidden": f"{name} does not exist"}
        found.append((place, what.get(each["type"], f"{name}: {each['msg'].lower()}")))
    return found
