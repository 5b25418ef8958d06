"""What is wrong with a value, one error a field, in words that never repeat the value: it may be a secret."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from litellm_gitops.documents import Place
from litellm_gitops.findings import Finding, Form, Misspelt, UnreadableError, edit
from litellm_gitops.spelling import closest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Errors = Iterator["ValidationError"]
_PARTS = frozenset({"object", "array"})
_BEGUN = 4  # letters that two words have in common at their beginning, at least


def place(error: ValidationError) -> Place:
    """Where an error stands: at the field that is unknown or missing, else at the value that is wrong."""
    path = tuple(error.absolute_path)
    return (*path, str(error.validator_value)) if error.validator in _OF_A_FIELD else path


def describe(error: ValidationError) -> str:
    """What an error says, without the value that is wrong."""
    where = ".".join(map(str, error.absolute_path)) or "it"
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            return f"{where} is not of the type {_types([error.schema])}"
        case "anyOf" | "oneOf" if all("type" in each for each in wanted):
            return f"{where} is not of the type {_types(wanted)}"
        case "additionalProperties":
            slip = misspelt(error)
            meant = f"; did you mean {slip.meant}?" if slip else ""
            return f"{where} has a field that does not exist: {wanted}{meant}"
        case "required":
            return f"{where} lacks {wanted}"
        case "enum":
            return f"{where} is not one of {', '.join(map(str, wanted))}"
        case "const":
            return f"{where} is not {wanted}"
        case "anyOf" | "oneOf" | "allOf" | "not":
            return f"{where} is nothing that may stand there"
        case name:
            return f"{where} does not fit {name}: {wanted}"


def _types(schemas: list[Any]) -> str:
    return " or ".join(kind for kind in _listed(schemas) if kind != "null")


def _listed(schemas: list[Any]) -> list[str]:
    listed = [schema["type"] for schema in schemas]
    return [*dict.fromkeys(kind for each in listed for kind in (each if isinstance(each, list) else [each]))]


def form(error: ValidationError, at: Place | None = None) -> Form:
    """How a value is not of its form; `at` is how its place is called where it stands, if otherwise."""
    path, wanted = tuple(error.absolute_path) if at is None else at, cast(Any, error.validator_value)
    stands = isinstance(error.instance, dict | list)
    match error.validator:
        case "additionalProperties":
            return Form("unknown", path, str(wanted))
        case "required":
            return Form("missing", path, str(wanted))
        case "type":
            return Form("type", path, is_part=stands or not _PARTS.isdisjoint(_listed([error.schema])))
        case "anyOf" | "oneOf" if all("type" in each for each in wanted):
            return Form("type", path, is_part=stands or not _PARTS.isdisjoint(_listed(wanted)))
        case _:
            return Form("value", path)


def misspelt(error: Any) -> Misspelt | None:
    """The field that an unknown one was meant to be: one of nearly that name, or that alone takes what stands in it."""
    from difflib import get_close_matches  # only where there is something to say

    if error.validator != "additionalProperties":
        return None
    word, fields = str(error.validator_value), error.schema.get("properties", {})
    known = {name.lower(): name for name in fields}
    near = get_close_matches(word.lower(), known, 1, 0.8)  # 0.6 takes operation for apiVersion
    swapped = next((name for name in known if sorted(name) == sorted(word.lower())), "")  # also of a short one
    meant = known.get(near[0] if near else closest(word.lower(), known) or swapped) or _half_said(error)
    inside = error.instance.get(error.validator_value)
    if not meant and isinstance(inside, dict) and inside:
        taking = [name for name, field in fields.items() if inside.keys() <= field.get("properties", {}).keys()]
        meant = taking[0] if len(taking) == 1 and taking[0] not in error.instance else None
    return Misspelt(word, meant) if meant else None


def _half_said(error: Any) -> str | None:
    """The one field that is missing where this is the one too many, or the one that begins alike."""
    fields = error.schema.get("properties", {})
    missing = [name for name in error.schema.get("required", ()) if error.instance.get(name) is None]
    if len(missing) == 1 and len(error.instance.keys() - fields.keys()) == 1:
        return str(missing[0])
    word = str(error.validator_value).lower()
    begun = [name for name in fields if name not in error.instance and begin_alike(word, name.lower())]
    return begun[0] if len(begun) == 1 else None


def begin_alike(one: str, other: str) -> bool:
    """Whether one is the other cut short, or both say the same and end otherwise: repo, replicas, minReplicaCount."""
    alike = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        len(min(one, other, key=len)),
    )
    return alike >= _BEGUN and (alike == min(len(one), len(other)) or 2 * alike >= 0.7 * (len(one) + len(other)))


def _required(validator: Any, required: list[str], instance: Any, schema: dict[str, Any]) -> Errors:
    for name in required if isinstance(instance, dict) else ():
        if instance.get(name) is None:
            yield imported("jsonschema.exceptions").ValidationError("it is missing", validator_value=name)


def _properties(validator: Any, properties: dict[str, Any], instance: Any, schema: dict[str, Any]) -> Errors:
    for name, inner in properties.items() if isinstance(instance, dict) else ():
        if instance.get(name) is not None:
            yield from validator.descend(instance[name], inner, path=name, schema_path=name)


def _additional(validator: Any, allowed: Any, instance: Any, schema: dict[str, Any]) -> Errors:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", ())
    for name in instance if isinstance(instance, dict) and allowed is not True else ():
        if name in known or any(re.search(pattern, str(name)) for pattern in patterns):
            continue
        if allowed is False:
            yield imported("jsonschema.exceptions").ValidationError("it is unknown", validator_value=name)
        else:
            yield from validator.descend(instance[name], allowed, path=name)


def _patterns(validator: Any, patterns: dict[str, Any], instance: Any, schema: dict[str, Any]) -> Errors:
    for pattern, inner in patterns.items() if isinstance(instance, dict) else ():
        for name in instance:
            if re.search(pattern, str(name)):  # a key of YAML may be a number
                yield from validator.descend(instance[name], inner, path=name, schema_path=pattern)


# jsonschema tells all unknown fields in one error, and names a missing one in its message alone. Here each is an error
# whose `validator_value` is the field.
_OF_A_FIELD: dict[str, Callable[..., Errors]] = {"required": _required, "additionalProperties": _additional}
# The API server takes a field that is null for one that is not there, and so does Helm.
_KEYWORDS = _OF_A_FIELD | {"properties": _properties, "patternProperties": _patterns}


@cache
def dialect(name: str) -> Any:
    """The class of jsonschema that validates by the dialect of that `$schema`, with errors as above."""
    validators = imported("jsonschema.validators")
    return validators.extend(validators.validator_for({"$schema": name}), _KEYWORDS)


def imported(name: str) -> Any:
    """A module that takes longer to import than most rules to run, and that the hooks do without."""
    try:
        return importlib.import_module(name)
    except ImportError:
        what = f"{name.partition('.')[0]}, which it lists, is not installed"
        raise UnreadableError(Finding("pyproject.toml", None, what, edit("install it: uv sync"))) from None
