"""What a schema that others publish refuses: of GitHub's workflows, GitLab's pipelines, and Compose."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from litellm_gitops.documents import Place
from litellm_gitops.findings import Form
from litellm_gitops.schemas.errors import describe, dialect, form, imported, misspelt, place
from litellm_gitops.spelling import closest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_OF_ITSELF = {"type": 100, "const": 100, "enum": 1, "required": 1, "additionalProperties": 1}  # how far a way is away
_MANY = 8
_BY_HAND = ("pre-commit", "yamllint")  # in programs/, of the references of these


@dataclass(frozen=True)
class Refused:
    """What a schema refuses: where, in words, and how it is not of its form.

    `meant`: the words say which field or value was meant. `is_new`: a value that one of many may be in a newer release.
    """

    place: Place
    what: str
    form: Form
    meant: bool = False
    is_new: bool = False


def flaws(name: str, value: Any) -> list[tuple[Place, str]]:
    """(where, what) for each field and value that published/<name>.json refuses; of one place one, the deepest."""
    return [(each.place, each.what) for each in refused(name, value)]


def refused(name: str, value: Any) -> list[Refused]:
    """As `flaws`, with all that is known of each."""
    found = sorted((_told(error) for error in _validator(name).iter_errors(value)), key=_rank)
    kept: list[Refused] = []
    for error in found:
        where, above = place(error), tuple(error.absolute_path)
        if not any(each.place[: len(above)] == above or above[: len(each.place)] == each.place for each in kept):
            kept.append(_described(error, where))
    return kept


def _described(error: ValidationError, where: Place) -> Refused:
    wanted: Any = error.validator_value
    if error.validator == "enum" and len(wanted) > _MANY:
        meant = closest(str(error.instance), map(str, wanted))
        what = f"{'.'.join(map(str, error.absolute_path))} is unknown" + (f"; did you mean {meant}?" if meant else "")
        return Refused(where, what, form(error), bool(meant), not meant)
    return Refused(where, describe(error), form(error), misspelt(error) is not None)


@cache
def _validator(name: str) -> Validator:
    folder = "programs" if name in _BY_HAND else "published"
    schema = json.loads((files(__package__) / folder / f"{name}.json").read_text("utf-8"))
    known = dialect(schema["$schema"])
    keywords = {keyword: _but_for_null(function) for keyword, function in known.VALIDATORS.items()}
    validator: Validator = imported("jsonschema.validators").extend(known, keywords)(schema)
    return validator


def _but_for_null(function: Callable[..., Any]) -> Callable[..., Any]:
    """A null is no value, and neither is what a tag such as `!reference` brings from elsewhere."""

    def errors(validator: Any, wanted: Any, instance: Any, schema: Any) -> Any:
        return () if instance is None else function(validator, wanted, instance, schema) or ()

    return errors


def _rank(error: ValidationError) -> tuple[bool, int]:
    """A field that is misspelt explains what is missing beside it, and the other way round not."""
    return error.validator != "additionalProperties", -len(error.absolute_path)


def _told(error: ValidationError) -> ValidationError:
    """Of the ways that a value may have been meant, what is wrong with the one that it is closest to."""
    ways = [[*errors] for _, errors in groupby(error.context or (), lambda each: each.schema_path[0])]
    if not ways:
        return error
    expression = [way for way in ways if "${{" not in str(way[0].validator_value).replace("\\", "")]
    own = [
        (sum(_OF_ITSELF.get(str(each.validator), 0) for each in way if not each.path), way)
        for way in expression or ways
    ]
    least = min(count for count, _ in own)
    nearest = [way for count, way in own if count == least]
    if len(nearest) > 1:
        return error
    return min((_told(each) for each in nearest[0]), key=_rank)
