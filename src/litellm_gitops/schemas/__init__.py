"""JSON schemas, each compiled once: of the engines' kinds, of Kubernetes' own, and of a chart's values.

<engine>.json is made by tools/schemas.py of the definitions of the pinned releases, kustomize.json is written by hand.
Both hold `kinds` by `apiVersion kind`, and the `$defs` that these share. <chart>.json is the closed schema of the
values of the chart around it. Kubernetes' own come with kubernetes-validate, whose `validate` reads 1.5 MB of
definitions for every object; here they are read once.

`validator.iter_errors(value)` gives one error for each field that is unknown or missing and each value that is wrong;
`place` says where it is, `describe` what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from litellm_gitops.schemas.errors import describe, dialect, imported, place

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["NoSchemaError", "describe", "engine", "known", "kubernetes", "place", "values", "versions"]

Schema = dict[str, Any]


class NoSchemaError(Exception):
    """There is no such kind in that version of Kubernetes, or no such chart."""


@cache
def engine(api_version: str, kind: str) -> Validator | None:
    """A strict validator of a whole object that Flux, Argo CD or Kustomize reads; None where they know no such kind."""
    found = _kinds().get(f"{api_version} {kind}")
    return _validator(found) if found else None


@cache
def values(chart: str) -> Validator:
    """A strict validator of the values of the chart around LiteLLM's own, `chart`. Raises NoSchemaError."""
    file = files(__name__) / f"{chart}.json"
    if not file.is_file():
        raise NoSchemaError
    return _validator(json.loads(file.read_text("utf-8")))


def versions() -> list[str]:
    """The Kubernetes versions, as 1.35, whose schemas are installed; the newest last."""
    return list(_releases())


@cache
def kubernetes(version: str, api_version: str, kind: str) -> Validator:
    """A strict validator of a whole object of Kubernetes' own, in the version 1.35 or so. Raises NoSchemaError."""
    # apps/v1 -> apps-v1, rbac.authorization.k8s.io/v1 -> rbac-v1: the names of kubernetes-validate's files
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    name = f"{kind.lower()}-{group}.json"
    if version not in _releases() or not re.fullmatch(r"[a-z0-9-]+\.json", name):
        raise NoSchemaError
    try:
        schema = _contents(version, name)
    except FileNotFoundError:
        raise NoSchemaError from None
    if (api_version, kind) not in _named(schema):  # the file's name is in lower case and holds the start of the group
        raise NoSchemaError
    return _validator(schema, _definitions(version))


@cache
def known(version: str) -> frozenset[tuple[str, str]]:
    """(apiVersion, kind) of all that has a schema here: the engines' kinds, and Kubernetes' own in that version."""
    own = {name for schema in _definitions(version).contents["$defs"].values() for name in _named(schema)}
    return frozenset(own | {(api_version, kind) for api_version, _, kind in (name.partition(" ") for name in _kinds())})


@cache
def _kinds() -> dict[str, Schema]:
    found = {}
    for file in files(__name__).iterdir():
        if file.name.endswith(".json"):
            content = json.loads(file.read_text("utf-8"))
            shared = {key: content.get(key) for key in ("$schema", "$defs")}
            found.update({name: shared | schema for name, schema in content.get("kinds", {}).items()})
    return found


def _validator(schema: Schema, definitions: Any = None) -> Validator:
    registry = imported("referencing").Registry()
    if definitions:
        registry = definitions @ registry
    validator: Validator = dialect(schema["$schema"])(schema, registry=registry)
    return validator


@cache
def _releases() -> dict[str, str]:
    utils = imported("kubernetes_validate.utils")
    return {utils.major_minor(release): release for release in utils.all_versions()}


def _contents(version: str, name: str) -> Schema:
    file = f"kubernetes-json-schema/v{_releases()[version]}-local-strict/{name}"
    contents: Schema = imported("kubernetes_validate.utils").schema_contents(file, version)
    return contents


@cache
def _definitions(version: str) -> Any:
    return imported("referencing").Resource.from_contents(_contents(version, "_definitions.json"))


def _named(schema: Schema) -> Iterator[tuple[str, str]]:
    """(apiVersion, kind) of each kind that a schema of Kubernetes is of."""
    for entry in schema.get("x-kubernetes-group-version-kind", ()):
        yield "/".join(filter(None, (entry["group"], entry["version"]))), entry["kind"]
