"""JSON schemas, each compiled once: Kubernetes' own, as kubernetes-validate brings them, and any other.

kubernetes-validate's own call reads 1.5 MB of definitions again for every object; here they are read once.
"""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from rules import Problem, UnreadableError

_FOLDER = "kubernetes-json-schema"


class NoSchemaError(Exception):
    """There is no such kind in that version of Kubernetes."""


def versions() -> list[str]:
    """The Kubernetes versions, as 1.35, whose schemas are installed."""
    found = {path.name.split("-")[0].removeprefix("v").rsplit(".", 1)[0] for path in _root().iterdir()}
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))))


@cache
def kubernetes(version: str, api_version: str, kind: str) -> Any:
    """A strict validator of one kind of object. Raises NoSchemaError."""
    # apps/v1 -> apps-v1, rbac.authorization.k8s.io/v1 -> rbac-v1: the names of kubernetes-validate's files
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    file = _root() / f"v{version}.0-local-strict" / f"{kind.lower()}-{group}.json"
    if not re.fullmatch(r"[a-z0-9-]+\.json", file.name) or not file.is_file():
        raise NoSchemaError
    source = file.read_text("utf-8")
    names = [
        (entry["kind"], "/".join(filter(None, (entry["group"], entry["version"]))))
        for entry in json.loads(source).get("x-kubernetes-group-version-kind", ())
    ]
    if (
        kind,
        api_version,
    ) not in names:  # the file's name is in lower case and holds only the start of the group
        raise NoSchemaError
    return validator(source, file.with_name("_definitions.json"))


@cache
def validator(source: str, definitions: Path | None = None) -> Any:
    """A validator of the JSON schema that `source` holds. Raises ValueError when it is not JSON."""
    # imported here, because they take longer than most of the rules
    from jsonschema.validators import validator_for
    from referencing import Registry, Resource

    schema = json.loads(source)
    registry: Any = Registry()
    if definitions:
        registry = Resource.from_contents(_definitions(definitions)) @ registry
    return validator_for(schema)(schema, registry=registry)


@cache
def _definitions(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def place(error: Any) -> tuple[str | int, ...]:
    """Where an error stands: at a field that does not exist or is missing, else at the value that is wrong."""
    path = tuple(error.absolute_path)
    names = {"additionalProperties": _unknown, "required": _missing}.get(error.validator, lambda _: [])(error)
    return (*path, names[0]) if names else path


def _missing(error: Any) -> list[str]:
    # jsonschema tells each missing field in an error of its own, but names it in the message alone
    return [str(key) for key in error.validator_value if repr(key) in error.message.split(" is ")[0]]


def _unknown(error: Any) -> list[str]:
    known = set(error.schema.get("properties", ()))
    return sorted(str(key) for key in error.instance if key not in known)


def describe(error: Any) -> str:
    """What a validation error says, without the value that is wrong: it may be a secret."""
    where = ".".join(map(str, error.absolute_path)) or "it"
    wanted = error.validator_value
    match error.validator:
        case "type":
            kinds = [kind for kind in (wanted if isinstance(wanted, list) else [wanted]) if kind != "null"]
            return f"{where} is not of the type {' or '.join(kinds)}"
        case "additionalProperties" | "unevaluatedProperties":
            return f"{where} has a field that does not exist: {', '.join(_unknown(error))}"
        case "required":
            return f"{where} lacks {', '.join(_missing(error))}"
        case "enum":
            return f"{where} is not one of {', '.join(map(str, wanted))}"
        case "const":
            return f"{where} is not {wanted}"
        case "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" | "pattern":
            return f"{where} does not fit {error.validator}: {wanted}"
        case name:
            return f"{where} does not fit {name}"


def _root() -> Path:
    # found, not imported: the import alone takes longer than the suite's own work
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        what = "kubernetes-validate, which it lists, is not installed"
        raise UnreadableError(Problem("pyproject.toml", None, what, "install it: uv sync"))
    return Path(spec.submodule_search_locations[0]) / _FOLDER
