"""What the files in policies/ may hold: the auth matrix, the Secrets of one repository, the owner's declarations.

A field that no model names is the reader's own and is not looked at.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
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


class Answer(_Model):
    """A value that an answer of the questionnaire gives."""

    answer: str


Value = str | Answer


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


class Method(_Model):
    """How the proxy authenticates to a provider: what it leaves in the pod, and what may not be there beside it."""

    name: str
    provider: str
    service_account_annotations: dict[str, Value] = {}
    secret: str | None = None
    env_from: bool = False
    mount: Mount | None = None
    variables: dict[str, Value] = {}
    litellm_settings: dict[str, Any] = {}
    forbids: list[str] = []


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
        place = tuple(part for part in each["loc"] if part not in ("str", "Answer", "dict[str,list[str]]"))
        name = ".".join(map(str, place)) or "it"
        what = {"missing": f"lacks `{place[-1] if place else ''}`", "extra_forbidden": f"{name} does not exist"}
        found.append((place, what.get(each["type"], f"{name}: {each['msg'].lower()}")))
    return found
