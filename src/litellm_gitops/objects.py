"""An object that a GitOps engine applies: what tells it from others, what is wrong with it, how it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import yaml

from litellm_gitops import credentials, schemas
from litellm_gitops.documents import Document, Place, dig, nodes, text
from litellm_gitops.findings import Finding, Fix, Form, Misspelt, edit

# beside an unknown field they follow from it
_COUNTED = ("required", "minProperties", "maxProperties", "anyOf", "oneOf")
_USER = re.compile(r"://(?!git@)[^/@\s]+@")


@cache
def blank_selectors(document: Document) -> tuple[int, ...]:
    """The lines of `matchLabels` with nothing behind it, not even `{}`: a line below it is lost."""
    pairs = (pair for node in nodes(document.node) if isinstance(node, yaml.MappingNode) for pair in node.value)
    return tuple(
        key.start_mark.line + 1
        for key, value in pairs
        if key.value == "matchLabels" and isinstance(value, yaml.ScalarNode) and value.value == "" and not value.style
    )


class Identity(NamedTuple):
    """What tells an object from the others of a cluster."""

    kind: str
    path: str  # `namespace/name`, or the name alone

    @property
    def name(self) -> str:
        """The name in its metadata."""
        return self.path.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """The namespace in its metadata; empty where it has none."""
        return self.path.rpartition("/")[0]

    def other(self, wanted: Identity) -> Misspelt | None:
        """The one part of the path that differs, and the one that is wanted."""
        if self.namespace == wanted.namespace:
            return Misspelt(self.name, wanted.name)
        return Misspelt(self.namespace, wanted.namespace) if self.name == wanted.name and self.namespace else None


@dataclass(frozen=True)
class Object:
    """A manifest that the engine of a cluster reads."""

    document: Document

    @cached_property
    def identity(self) -> Identity:
        """Its kind, namespace and name."""
        path = (text(self.get("metadata", field)) for field in ("namespace", "name"))
        return Identity(text(self.get("kind")), "/".join(path).removeprefix("/"))

    @cached_property
    def flaws(self) -> list[tuple[Place, str, Misspelt | None, Form]]:
        """(where, what, the field that was meant, how) the engine would not take. The rules leave out what has some."""
        return _flaws(self.document)

    def get(self, *path: str | int) -> Any:
        """The value at `path`; None where there is none."""
        return dig(self.document.value, *path)

    def finding(self, place: Place, what: str, fix: Fix | str) -> Finding:
        """A finding at `place`, or at the deepest part of it that exists. A fix in words is an edit."""
        return found_in(self.document, place, what, fix)


@cache
def _flaws(document: Document) -> list[tuple[Place, str, Misspelt | None, Form]]:
    kind, api_version = (text(dig(document.value, key)) for key in ("kind", "apiVersion"))
    validator = schemas.engine(api_version, kind)
    errors = [*validator.iter_errors(document.value)] if validator else []
    unknown = [error.absolute_path for error in errors if error.validator == "additionalProperties"]
    errors = [error for error in errors if error.validator not in _COUNTED or error.absolute_path not in unknown]
    # what stands elsewhere was moved
    moved = {str(error.validator_value) for error in errors if error.validator == "additionalProperties"}
    errors = [error for error in errors if error.validator != "required" or error.validator_value not in moved]
    return [
        (schemas.place(each), schemas.describe(each), schemas.misspelt(each), schemas.form(each)) for each in errors
    ]


def found_in(document: Document, place: Place, what: str, fix: Fix | str) -> Finding:
    """A finding in a document. A fix in words is an edit."""
    return Finding(document.file, document.line(*place), what, edit(fix) if isinstance(fix, str) else fix)


def show(value: Any) -> str:
    """A value in a message: of a mapping or a list only what it is, of a URL not the credential in it."""
    if value is None or value == "":
        return "not set" if value is None else "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    shown = _USER.sub("://…@", str(value))
    return "a value that is not shown" if credentials.find(shown) else shown
