"""JSON schemas, each compiled once: of the engines' kinds, of Kubernetes' own, and of a chart's values.

<engine>.json is made by tools/schemas.py of the definitions of the pinned releases, operators.json of what is rendered
for the operator of Prometheus and for Cilium, gateways.json of what a Gateway reads. kustomize.json is written by hand,
and so is clouds.json: what load balancers of clouds read, and of which no Go module has the definitions. All hold
`kinds` by `apiVersion kind`, and the `$defs` that these share. <chart>.json is the closed schema of the values of the
chart around it. Kubernetes' own come with kubernetes-validate, whose `validate` reads 1.5 MB of definitions for every
object; here they are read once.

`validator.iter_errors(value)` gives one error for each field that is unknown or missing and each value that is wrong;
`place` says where it is, `describe` and `form` what it is, `misspelt` which field was meant. `parts` are the values
inside of a value, with the schema of each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from litellm_gitops.documents import Place
from litellm_gitops.schemas.errors import describe, dialect, form, imported, misspelt, place

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = [
    "NoSchemaError",
    "Part",
    "describe",
    "engine",
    "form",
    "known",
    "kubernetes",
    "misspelt",
    "of_type",
    "parts",
    "place",
    "unknown_part",
    "values",
    "versions",
]

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
    """(apiVersion, kind) of all that is known here: the engines' kinds and operators', and Kubernetes' own."""
    own = {name for schema in _definitions(version).contents["$defs"].values() for name in _named(schema)}
    others = (name.partition(" ")[::2] for name in (*_kinds(), *_others()))
    return frozenset(own.union(others))


@cache
def _others() -> list[str]:
    """`apiVersion kind` of what operators and gateways know beside the kinds that have a schema here."""
    contents = (json.loads((files(__name__) / f"{name}.json").read_text("utf-8")) for name in ("operators", "gateways"))
    return [name for content in contents for name in content["others"]]


@dataclass(frozen=True)
class Part:
    """A value inside of another: where, its type in Kubernetes' OpenAPI, such as core.v1.Probe, and its schema."""

    place: Place
    type: str
    schema: Schema
    value: Any


def parts(schema: Schema, value: Any, version: str, kind: str = "") -> Iterator[Part]:
    """The value itself and everything in it that a schema knows; `kind` is the type where the schema has no name.

    `version` is that of Kubernetes, where the schema is one of its own.
    """
    own = schema.get("$defs", {})
    stack: list[tuple[Place, str, Schema, Any]] = [((), kind, schema, value)]
    while stack:
        path, kind, schema, value = stack.pop()
        while reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            kind = ".".join(name.split(".")[-3:])
            schema = own[name] if name in own else _definitions(version).contents["$defs"][name]
        yield Part(path, kind, schema, value)
        if isinstance(value, dict):
            known, others = schema.get("properties", {}), schema.get("additionalProperties")
            for key, inner in value.items():
                found = known.get(key, others)
                if isinstance(found, dict) and inner is not None:
                    stack.append(((*path, str(key)), "", found, inner))
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            stack += (((*path, number), "", schema["items"], inner) for number, inner in enumerate(value))


def unknown_part(version: str, api_version: str, kind: str, path: list[str]) -> tuple[int, list[str]] | None:
    """(number, fields that are known in its place) of the first part of a path that a kind of Kubernetes lacks."""
    try:
        schema: Any = kubernetes(version, api_version, kind).schema
    except NoSchemaError:
        return None
    for number, key in enumerate(path):
        while reference := schema.get("$ref"):
            schema = _definitions(version).contents["$defs"][reference.rpartition("/")[2]]
        fields, others = schema.get("properties", {}), schema.get("additionalProperties")
        if fields and key not in fields and not isinstance(others, dict):
            return number, [*fields]
        schema = fields.get(key) or (others if isinstance(others, dict) else schema.get("items", {}))
    return None


@cache
def of_type(version: str, kind: str) -> Validator:
    """A strict validator of a type of Kubernetes' OpenAPI, such as core.v1.Probe. Raises NoSchemaError."""
    definitions = _definitions(version).contents
    name = next((name for name in definitions["$defs"] if name.endswith(f".{kind}")), None)
    if name is None:
        raise NoSchemaError
    schema = {"$schema": definitions["$schema"], "$ref": f"{definitions['$id']}#/$defs/{name}"}
    return _validator(schema, _definitions(version))


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
