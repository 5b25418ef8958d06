"""A rendered repository, read once: its answers, its policies, its values as Helm merges them, its Secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

from sealing import credentials

from rules import Problem, UnreadableError, ignored
from rules.document import Document, NotYamlError, parse
from rules.shapes import flaws, shapes

ANSWERS = ".copier-answers.yml"
MATRIX = "policies/auth-matrix.yml"
POLICY = "policies/secrets.yml"
CHART = "litellm-helm"  # the dependency under whose name all values stand
VALUES = "litellm/values.yaml"

UPDATE = "copier update --trust --vcs-ref :current: --data"
SEAL = "python hooks/seal_secrets.py"

Place = tuple[str | int, ...]

_CHOICES = {
    "gitops_engine": ("flux", "argocd"),
    "ci_platform": ("github", "gitlab", "none"),
    "redis": ("none", "external", "bundled"),
}

# Go templates, and what Helm fetches
_NO_YAML = re.compile(r"litellm/(?:templates|charts)/")
SEALED = re.compile(r"secrets/([^/]+)/[^/]+\.sops\.ya?ml")


def mapping(value: Any) -> dict[Any, Any]:
    """`value` where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """`value` where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def dig(value: Any, *path: str) -> Any:
    """What stands at `path`; None where it does not exist."""
    for part in path:
        value = mapping(value).get(part)
    return value


def merge(below: Any, above: Any) -> Any:
    """Values as Helm merges them: mappings deeply, everything else replaced, null takes a key away."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(below[key], value) if key in below else value
    return merged


@dataclass(frozen=True)
class Values:
    """What the chart gets in one environment. Every path is one below the chart's own name."""

    environment: str
    layers: tuple[Document, ...]  # a later one wins
    merged: dict[Any, Any]

    @property
    def file(self) -> str:
        """The file that is this environment's own."""
        return f"litellm/values-{self.environment}.yaml"

    def get(self, *path: str) -> Any:
        """The value at `path`; None where there is none."""
        return dig(self.merged, CHART, *path)

    @cached_property
    def variables(self) -> dict[str, tuple[Place, Any]]:
        """The environment variables that are set by name: where, and to what (None for a reference)."""
        found: dict[str, tuple[Place, Any]] = {
            str(name): (("envVars", str(name)), value) for name, value in mapping(self.get("envVars")).items()
        }
        for number, entry in enumerate(sequence(self.get("extraEnvVars"))):
            found[text(dig(entry, "name"))] = (("extraEnvVars", number), dig(entry, "value"))
        return found

    @property
    def environment_secrets(self) -> list[str]:
        """The Secrets of which every key becomes an environment variable."""
        return [name for name in sequence(self.get("environmentSecrets")) if isinstance(name, str)]

    def problem(self, path: Place, what: str, todo: str, file: str = "") -> Problem:
        """A problem at `path`: in the file that sets it last, else, as far as it exists, in `file`.

        `file` is the environment's own where none is given.
        """
        owner = next(layer for layer in self.layers if layer.file == (file or self.file))
        setting = [layer for layer in self.layers if layer.depth(CHART, *path) > len(path)]
        layer = setting[-1] if setting else owner
        return Problem(layer.file, layer.line(CHART, *path), what, todo)


@dataclass(frozen=True)
class Secret:
    """A file that holds a sealed Secret, or should."""

    environment: str
    document: Document

    @property
    def file(self) -> str:
        return self.document.file

    @property
    def name(self) -> str:
        return text(dig(self.document.value, "metadata", "name"))

    @property
    def keys(self) -> set[str]:
        """The names of its values."""
        value = self.document.value
        return {str(key) for block in ("data", "stringData") for key in mapping(dig(value, block))}


class Repository:
    """A rendered repository. Everything is read when it is first asked for, and once.

    Raises UnreadableError when the answers or the policies cannot be used. Of any other file that is missing or broken
    the rule that is for it tells, and the others leave it out.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str | None] = {}
        self._documents: dict[str, tuple[Document, ...]] = {}
        self.broken: dict[str, NotYamlError] = {}
        self.answers = self._required(ANSWERS, ("cluster_environments", "providers"))
        self.matrix = self._required(MATRIX, ("environments", "providers", "cells", "methods", "secrets"))
        self.policy = self._required(POLICY, ("namespace", "secrets"))
        for file, content in ((MATRIX, self.matrix), (POLICY, self.policy)):
            self._check_shape(file, content)
        self.environments: list[str] = self._choice("cluster_environments", "environments")
        self.providers: list[str] = self._choice("providers", "providers")
        self.cells = {environment: dict(self._cells(environment)) for environment in self.environments}
        self.namespace = str(self.policy["namespace"])
        for answer, known in _CHOICES.items():
            if self.answers.get(answer) not in known:
                what = f"{answer} is {self.answers.get(answer)!r}"
                todo = f"choose among {', '.join(known)}: {UPDATE} {answer}=…"
                raise UnreadableError(Problem(ANSWERS, None, what, todo))

    # -----------------------------------------------------------------------------------------------------------------
    # Files

    @cached_property
    def _listing(self) -> tuple[list[str], frozenset[str]]:
        return ignored.list_files(self.root)

    @property
    def files(self) -> list[str]:
        """The files that git holds or would add, as paths with slashes, sorted."""
        return self._listing[0]

    @property
    def tracked(self) -> frozenset[str]:
        """The files that git holds; empty where there is no git repository yet."""
        return self._listing[1]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.files)

    def has(self, file: str) -> bool:
        """Whether git holds a file, or would add it."""
        return file in self._known

    def under(self, folder: str) -> list[str]:
        """The files below a folder."""
        return [file for file in self.files if file.startswith(f"{folder}/")]

    def text(self, file: str) -> str | None:
        """The text of a file; None where it is missing or is no text."""
        if file not in self._texts:
            try:
                content = (self.root / file).read_bytes()
                self._texts[file] = None if b"\0" in content[:8000] else content.decode("utf-8")
            except (OSError, UnicodeDecodeError):
                self._texts[file] = None
        return self._texts[file]

    def characters(self, file: str) -> str:
        """What can be read of a file of any kind, as the guard of commits reads it; nothing where it is missing."""
        content = self.text(file)
        if content is not None:
            return content
        try:
            return credentials.decode((self.root / file).read_bytes())
        except OSError:
            return ""

    @cached_property
    def yaml_files(self) -> list[str]:
        """Every file that should be YAML."""
        return [file for file in self.files if file.endswith((".yaml", ".yml")) and not _NO_YAML.match(file)]

    def documents(self, file: str) -> tuple[Document, ...]:
        """The documents of a YAML file; none where it is missing or not YAML (then `broken` tells why)."""
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

    # -----------------------------------------------------------------------------------------------------------------
    # What was chosen

    def method(self, name: str) -> dict[str, Any]:
        """A method of the matrix."""
        return mapping(dig(self.matrix, "methods", name))

    def methods(self, environment: str) -> dict[str, dict[str, Any]]:
        """The methods in use in an environment, by name."""
        return {name: self.method(name) for name in self.cells[environment].values()}

    def answer(self, value: Any) -> Any:
        """A value of the matrix; `{answer: NAME}` stands for that answer."""
        return self.answers.get(value["answer"]) if isinstance(value, dict) and "answer" in value else value

    def needed(self, environment: str) -> dict[str, dict[str, Any]]:
        """The Secrets that policies/secrets.yml lists for an environment, by name."""
        return {
            str(name): mapping(entry)
            for name, entry in mapping(self.policy["secrets"]).items()
            if environment in sequence(mapping(entry).get("environments"))
        }

    # -----------------------------------------------------------------------------------------------------------------
    # What is there

    @cached_property
    def values(self) -> list[Values]:
        """The values of each environment whose files are there and are YAML."""
        found = []
        shared = self.document(VALUES)
        for environment in self.environments:
            own = self.document(f"litellm/values-{environment}.yaml")
            if shared and own:
                checksums = self.document(f"litellm/checksums-{environment}.yaml")
                layers = (shared, own, checksums) if checksums else (shared, own)
                merged = reduce(merge, [layer.value for layer in layers])
                found.append(Values(environment, layers, merged))
        return found

    @cached_property
    def sealed(self) -> dict[str, list[Secret]]:
        """The sealed Secrets of each chosen environment; the files that are no YAML are left out."""
        found: dict[str, list[Secret]] = {environment: [] for environment in self.environments}
        for file in self.files:
            match = SEALED.fullmatch(file)
            document = self.document(file) if match and match[1] in found else None
            if match and document:
                found[match[1]].append(Secret(match[1], document))
        return found

    @cached_property
    def manifests(self) -> list[Document]:
        """Every document that is a Kubernetes object, or means to be one."""
        return [
            document
            for file in self.yaml_files
            for document in self.documents(file)
            if file.startswith(("secrets/", "clusters/")) or {"apiVersion", "kind"} <= set(mapping(document.value))
        ]

    # -----------------------------------------------------------------------------------------------------------------

    def _required(self, file: str, keys: tuple[str, ...]) -> dict[str, Any]:
        again = "take it from git history, or run `copier recopy --trust`"
        if not (self.root / file).is_file():
            raise UnreadableError(Problem(file, None, "is missing", again))
        document = self.document(file)
        if file in self.broken:
            error = self.broken[file]
            raise UnreadableError(Problem(file, error.line, str(error), again))
        missing = [key for key in keys if mapping(document and document.value).get(key) in (None, "", [], {})]
        if document is None or missing:
            raise UnreadableError(Problem(file, None, f"says nothing of {', '.join(missing or keys)}", again))
        return mapping(document.value)

    def _check_shape(self, file: str, content: dict[str, Any]) -> None:
        for path, what in _flaws(content):
            document = self.document(file)
            line = document.line(*path) if document else None
            todo = "correct it, or take the file from git history"
            raise UnreadableError(Problem(file, line, what, todo))

    def _choice(self, answer: str, known: str) -> list[str]:
        chosen = [str(name) for name in sequence(self.answers[answer])]
        unknown = [name for name in chosen if name not in mapping(self.matrix[known])]
        if unknown or not chosen:
            what = f"{answer} is {self.answers[answer]!r}, but {MATRIX} knows {', '.join(mapping(self.matrix[known]))}"
            raise UnreadableError(Problem(ANSWERS, None, what, f"choose among these: {UPDATE} '{answer}=[…]'"))
        return chosen

    def _cells(self, environment: str) -> Iterator[tuple[str, str]]:
        for provider in self.providers:
            allowed = sequence(dig(self.matrix, "cells", environment, provider))
            question = f"{provider}_auth_{environment}"
            method = self.answers.get(question, allowed[0] if allowed else None)
            if method not in allowed or not self.method(str(method)):
                what = f"{question} is {method!r}, but {MATRIX} allows {', '.join(map(str, allowed)) or 'nothing'}"
                raise UnreadableError(Problem(ANSWERS, None, what, f"choose among these: {UPDATE} {question}=…"))
            yield provider, str(method)


def _flaws(content: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """What is wrong with the part of a policy that the rules read."""
    known = shapes("policies")
    for section in ("environments", "providers", "methods", "secrets"):
        yield from _each(content.get(section, {}), known[section], (section,))
        for name, entry in mapping(content.get(section)).items():
            for block in ("service_account_annotations", "variables", "keys"):
                path = (section, str(name), block)
                yield from _each(mapping(entry).get(block, {}), known[block], path)
    for environment, providers in mapping(content.get("cells")).items():
        yield from _each(providers, ["text"], ("cells", str(environment)))


def _each(value: Any, shape: Any, path: Place) -> Iterator[tuple[Place, str]]:
    """What is wrong with a mapping whose keys are names; fields that the shape does not name are not looked at."""
    if not isinstance(value, dict):
        yield path, f"{path[-1]} is not a mapping"
    for name, entry in mapping(value).items():
        if "answer!" in shape and isinstance(entry, str):
            continue  # a value is a text, or stands for an answer
        if isinstance(entry, dict) and isinstance(shape, dict):
            kept = {field.removesuffix("!") for field in shape}
            entry = {field: item for field, item in entry.items() if field in kept}
        yield from flaws(entry, shape, (*path, str(name)))


def walk(value: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text in a value, keys included, with its path."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield (*path, str(key)), str(key)
            yield from walk(child, (*path, str(key)))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from walk(child, (*path, number))
    elif isinstance(value, str):
        yield path, value
