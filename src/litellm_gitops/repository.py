"""A rendered repository, read once: its answers, its policies, its clusters with their values and their Secrets.

It is the one model: sealing, the guard, the rules and the commands read a repository through it, and none changes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, TypeVar

from litellm_gitops import charts, credentials, policies
from litellm_gitops.charts import Chart
from litellm_gitops.documents import Document, NotYamlError, Place, dig, mapping, merge, parse, sequence, text
from litellm_gitops.files import Source, WorkingTree, yaml_of
from litellm_gitops.findings import Finding, Fix, UnreadableError, edit, restore, update
from litellm_gitops.pod import Pod
from litellm_gitops.records import RecordError, read

ANSWERS = ".copier-answers.yml"
VALUES = "litellm/values.yaml"
CHART_FILE = "litellm/Chart.yaml"

_CHOICES = {
    "gitops_engine": ("flux", "argocd"),
    "ci_platform": ("github", "gitlab", "none"),
    "redis": ("none", "external", "bundled"),
    "chart": (*charts.CHARTS, None),
}
SEALED = re.compile(r"secrets/([^/]+)/([^/]+)\.sops\.ya?ml")
_Policy = TypeVar("_Policy")


def secret_name(file: str) -> str:
    """The name of the Secret that a sealed file is for, by the file's own name."""
    return re.sub(r"\.sops\.ya?ml\Z", "", file.rpartition("/")[2])


@dataclass(frozen=True)
class WantedSecret:
    """A Secret that a cluster needs: its keys with their sources, and why it may not be rotated, if so."""

    cluster: str
    name: str
    keys: Mapping[str, policies.Source]
    never_rotate: str | None = None

    @property
    def file(self) -> str:
        """Where it is sealed."""
        return f"secrets/{self.cluster}/{self.name}.sops.yaml"


@dataclass(frozen=True)
class SealedSecret:
    """A file that holds a sealed Secret, or should."""

    cluster: str
    document: Document

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.document.file

    @property
    def name(self) -> str:
        """The name in its metadata, which should be that of the file."""
        return text(dig(self.document.value, "metadata", "name"))

    @property
    def keys(self) -> set[str]:
        """The names of its values."""
        value = self.document.value
        return {str(key) for block in ("data", "stringData") for key in mapping(dig(value, block))}


@dataclass(frozen=True)
class Values:
    """What the chart gets in one cluster. Every place is one below the chart's own name."""

    cluster: Cluster
    chart: Chart
    layers: tuple[Document, ...]  # a later one wins
    merged: dict[Any, Any]

    @property
    def repository(self) -> Repository:
        """Where they stand."""
        return self.cluster.repository

    @property
    def file(self) -> str:
        """The file that is this cluster's own."""
        return self.cluster.values_file

    def get(self, *place: str | int) -> Any:
        """The value at `place`; None where there is none."""
        return dig(self.merged, self.chart.name, *place)

    @cached_property
    def pod(self) -> Pod:
        """What these values put into the proxy's pod."""
        return Pod(self.chart, mapping(self.get()))

    def finding(self, place: Place, what: str, fix: Fix, file: str = "") -> Finding:
        """A finding at `place`: in the file that sets it last, else where most of it exists, `file` if in both alike.

        `file` is the cluster's own where none is given.
        """
        path, own = (self.chart.name, *place), file or self.file
        setting = [layer for layer in self.layers if layer.depth(*path) == len(path)]
        layer = (setting or [max(self.layers, key=lambda each: (each.depth(*path), each.file == own))])[-1]
        return Finding(layer.file, layer.line(*path), what, fix)


@dataclass(frozen=True, eq=False)
class Cluster:
    """One Kubernetes cluster, and what the repository holds for it."""

    repository: Repository = field(repr=False)
    name: str
    environment: str
    method_names: Mapping[str, str]  # by provider

    @property
    def folder(self) -> str:
        """What the GitOps engine of this cluster reads."""
        return f"clusters/{self.name}"

    @property
    def secrets_folder(self) -> str:
        """Its sealed Secrets."""
        return f"secrets/{self.name}"

    @property
    def values_file(self) -> str:
        """The values that are its own."""
        return f"litellm/values-{self.name}.yaml"

    @property
    def checksums_file(self) -> str:
        """The digests of its Secrets."""
        return f"litellm/checksums-{self.name}.yaml"

    @property
    def key_file(self) -> str:
        """Where a private key that was made for it lies."""
        return f"keys/{self.name}.agekey"

    def answer_name(self, answer: str) -> str:
        """The question that gives a cluster's own answer, such as `domain`."""
        return f"{self.environment}_{answer}"

    def question(self, name: str) -> str:
        """The question that {name} in the matrix stands for, such as gcp_kms_key for {cluster.kms_key}."""
        own = name.removeprefix("cluster.")
        return self.answer_name(own) if own != name else name

    def filled(self, value: policies.Value) -> str | None:
        """A value of the matrix with this cluster's answers in it; None where there is nothing."""
        return policies.filled(value, lambda name: self.repository.answers.get(self.question(name)))

    def answer(self, answer: str) -> Any:
        """A cluster's own answer, such as its `domain`; None where it was not asked."""
        return self.repository.answers.get(self.answer_name(answer))

    @property
    def place(self) -> policies.Environment:
        """The environment in which it runs."""
        return self.repository.matrix.environments[self.environment]

    @property
    def kms(self) -> dict[str, str]:
        """The key of its cloud that was answered, by its field in a creation rule; empty without one."""
        key = self.answer("kms_key")
        return {self.place.kms.rule: str(key)} if key else {}

    @property
    def methods(self) -> dict[str, policies.Method]:
        """The methods in use, by name."""
        return {name: self.repository.matrix.methods[name] for name in self.method_names.values()}

    @property
    def logins(self) -> dict[str, policies.Method]:
        """The methods in use, by name, with that of the database where it is one."""
        database = self.place.database_login if self.repository.answers.get("database_auth") == "keyless" else None
        return {**self.methods, **({database: self.repository.matrix.database_logins[database]} if database else {})}

    @cached_property
    def wanted(self) -> dict[str, WantedSecret]:
        """The Secrets that policies/secrets.yml lists for it, by name."""
        return {
            name: WantedSecret(self.name, name, entry.keys, entry.never_rotate)
            for name, entry in self.repository.policy.secrets.items()
            if self.name in entry.clusters
        }

    @cached_property
    def sealed_files(self) -> list[str]:
        """Every file that is a sealed Secret by its name, also one that git does not know."""
        return [file for file in self.repository.under(self.secrets_folder) if SEALED.fullmatch(file)]

    @cached_property
    def sealed(self) -> list[SealedSecret]:
        """Its sealed Secrets; the files that are no YAML are left out."""
        documents = map(self.repository.document, self.sealed_files)
        return [SealedSecret(self.name, document) for document in documents if document]

    @cached_property
    def values(self) -> Values | None:
        """Its values, where their files are there, are YAML, and hold something for the chart."""
        shared, own = self.repository.document(VALUES), self.repository.document(self.values_file)
        name = self.repository.chart.name
        if not (shared and own and all(isinstance(layer.value.get(name), dict) for layer in (shared, own))):
            return None
        if any([key.value for key, _ in layer.node.value].count(name) > 1 for layer in (shared, own)):
            return None  # one of them is not seen, and a rule of its own says so
        last = self.repository.document(self.checksums_file)  # where it is empty a rule of its own tells
        layers = tuple(each for each in (shared, own, last) if each and each.value.get(name, "") is not None)
        merged = reduce(merge, [layer.value for layer in layers])
        return Values(self, self.repository.chart, layers, merged)


class Repository:
    """A rendered repository. Everything is read when it is first asked for, and once.

    Raises UnreadableError when the answers or the policies cannot be used. Of any other file that is missing or broken
    the rule that is for it says so, and the others leave it out.
    """

    def __init__(self, root: Path, source: Source | None = None) -> None:
        self.root = root
        self.source = source or WorkingTree(root)
        self.broken: dict[str, NotYamlError] = {}
        self._contents: dict[str, bytes | None] = {}
        self._documents: dict[str, tuple[Document, ...]] = {}
        self.answers = mapping(self._required(ANSWERS).value)
        self.matrix = policies.matrix()
        self.policy = self._policy(policies.SECRETS, policies.SecretPolicy)
        for answer, known in _CHOICES.items():
            if self.answers.get(answer) not in known:
                self._refuse(answer, known)
        self.providers = self._chosen("providers", self.matrix.providers)
        chosen = self._chosen("cluster_environments", self.matrix.environments)
        self.clusters = [Cluster(self, environment, environment, self._methods(environment)) for environment in chosen]

    # -----------------------------------------------------------------------------------------------------------------
    # Files

    @property
    def files(self) -> list[str]:
        """The files that git holds or would add, as paths with slashes, sorted."""
        return self.source.names

    @property
    def tracked(self) -> frozenset[str]:
        """The files that git holds; empty where there is no git repository yet."""
        return self.source.tracked

    @property
    def unmerged(self) -> Mapping[str, bool]:
        """The files in conflict of which no side was taken yet, and whether both sides have them."""
        return self.source.unmerged

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.files)

    def has(self, file: str) -> bool:
        """Whether git holds a file, or would add it."""
        return file in self._known

    def path(self, file: str) -> str:
        """Where a file stands in git: in a monorepo the project is a folder of its repository."""
        above = text(self.answers.get("repo_path"))
        return f"{above}/{file}" if above else file

    def under(self, folder: str) -> list[str]:
        """The files below a folder."""
        return [file for file in self.files if file.startswith(f"{folder}/")]

    def content(self, file: str) -> bytes | None:
        """The bytes of a file; None where it is missing."""
        if file not in self._contents:
            self._contents[file] = self.source.read(file)
        return self._contents[file]

    def text(self, file: str) -> str | None:
        """The text of a file; None where it is missing or is no text."""
        content = self.content(file)
        try:
            return None if content is None or b"\0" in content[:8000] else content.decode("utf-8")
        except UnicodeDecodeError:
            return None

    def characters(self, file: str) -> str:
        """What can be read of a file of any kind and encoding; nothing where it is missing."""
        return credentials.decode(self.content(file) or b"")

    @cached_property
    def yaml_files(self) -> list[str]:
        """Every file that should be YAML."""
        return yaml_of(self.files)

    def documents(self, file: str) -> tuple[Document, ...]:
        """The documents of a YAML file; none where it is missing or not YAML (then `broken` says why)."""
        if file not in self._documents:
            content = self.text(file)
            try:
                self._documents[file] = parse(file, content) if content is not None else ()
            except NotYamlError as error:
                self.broken[file] = error
                self._documents[file] = ()
        return self._documents[file]

    def document(self, file: str) -> Document | None:
        """The first document of a YAML file, where it is a mapping."""
        documents = self.documents(file)
        return documents[0] if documents and isinstance(documents[0].value, dict) else None

    @cached_property
    def manifests(self) -> list[Document]:
        """Every document that is a Kubernetes object, or means to be one."""
        found = (each for file in self.yaml_files for each in self.documents(file))
        return [each for each in found if each.file.startswith(("secrets/", "clusters/")) or each.is_object]

    # -----------------------------------------------------------------------------------------------------------------
    # What was chosen

    @property
    def namespace(self) -> str:
        """The namespace of the proxy and its Secrets."""
        return self.policy.namespace

    @cached_property
    def chart(self) -> Chart:
        """LiteLLM's own chart, as it was answered."""
        return charts.chosen(self.answers)

    @cached_property
    def suite(self) -> policies.Suite:
        """What the owner declares; nothing where the file is not there. Raises UnreadableError."""
        return self._policy(policies.SUITE, policies.Suite) if self.has(policies.SUITE) else policies.Suite()

    @property
    def values(self) -> list[Values]:
        """The values of each cluster that has some."""
        return [cluster.values for cluster in self.clusters if cluster.values]

    def cluster(self, name: str) -> Cluster | None:
        """The cluster of that name."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def _required(self, file: str) -> Document:
        if self.content(file) is None:
            raise UnreadableError(Finding(file, None, "is missing", restore()))
        document = self.document(file)
        if file in self.broken:
            raise UnreadableError(Finding(file, self.broken[file].line, str(self.broken[file]), restore()))
        if document is None:
            raise UnreadableError(Finding(file, None, "holds no mapping", restore()))
        return document

    def _policy(self, file: str, model: type[_Policy]) -> _Policy:
        empty = model is policies.Suite and not self.documents(file) and file not in self.broken
        document = None if empty else self._required(file)
        try:
            return read(model, document.value if document else {})
        except RecordError as error:
            place, what = error.flaws[0]
            line = document.line(*place) if document else None
            fix = edit("correct it") if model is policies.Suite else restore()
            raise UnreadableError(Finding(file, line, what, fix)) from None

    def _chosen(self, answer: str, known: Mapping[str, Any]) -> list[str]:
        chosen = list(dict.fromkeys(str(name) for name in sequence(self.answers.get(answer))))
        if not chosen or set(chosen) - set(known):
            self._refuse(answer, known, "[…]")
        return chosen

    def _methods(self, environment: str) -> dict[str, str]:
        found = {}
        for provider in self.providers:
            allowed = self.matrix.allowed(environment, provider)
            found[provider] = self.matrix.method(environment, provider, self.answers)
            if found[provider] not in allowed or found[provider] not in self.matrix.methods:
                self._refuse(f"{provider}_auth_{environment}", allowed)
        return found

    def _refuse(self, answer: str, known: Any, value: str = "…") -> None:
        what = f"{answer} is {self.answers.get(answer)!r}, not among {', '.join(map(str, known)) or 'nothing'}"
        raise UnreadableError(Finding(ANSWERS, None, what, update(answer, value)))
