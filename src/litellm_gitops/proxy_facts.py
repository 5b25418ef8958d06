"""What the pinned release of LiteLLM knows of its configuration: schemas/proxy-config.json, as words and as types.

`python -m tools.proxy_config` of the template's repository takes it from the release itself.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from litellm_gitops.documents import Place

_FILE = Path(__file__).parent / "schemas" / "proxy-config.json"
_PLAIN: dict[str, Any] = {
    **{"str": str, "int": int, "float": float, "bool": bool, "dict": dict, "list": list, "null": None, "any": Any},
    **{"datetime": datetime.datetime, "time": datetime.time},
}
_LOOSE: dict[str, Any] = {"str": str | bool | float, "int": float}
# What a class wants, in words, by the start of the kind of pydantic's error.
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text, in quotes",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "datetime": "a time",
    "time": "a time",
}
REFERENCE = "os.environ/"


@cache
def facts() -> dict[str, Any]:
    """The whole file: `version`, `sections`, `words`, `classes`, `strategy_arguments`, `models`, `hints`, `near`."""
    content: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return content


@cache
def words(kind: str) -> frozenset[str]:
    """The words of a kind, such as `strategies`."""
    return frozenset(facts()["words"][kind])


@cache
def keys(section: str) -> frozenset[str]:
    """The keys that a section knows; the top of the file is the section without a name."""
    return frozenset(facts()["sections"][section])


def sections_of(key: str) -> list[str]:
    """The sections that know a key, the top of the file left out."""
    return [section for section in facts()["sections"] if section and key in keys(section)]


# ---------------------------------------------------------------------------------------------------------------------
# Types


def fields(model: str) -> frozenset[str]:
    """The fields of a class."""
    return frozenset(facts()["models"][model]["fields"])


def extra(model: str) -> str:
    """What a class does with a field that it does not know: `allow`, `ignore` or `forbid` it."""
    return str(facts()["models"][model]["extra"])


@dataclass(frozen=True)
class Misfit:
    """What a class refuses: where, and what it wants there: a field that is `missing` or `unknown`, or a type."""

    place: Place
    wanted: str
    missing: bool = False
    unknown: bool = False


def hinted(place: str) -> frozenset[str]:
    """The names that LiteLLM knows at a place: of its class there, and those that it names a type for."""
    model = facts()["classes"].get(place)
    return frozenset(facts()["hints"].get(place, {})) | (fields(model) if model else frozenset())


def misfits(model: str, value: Any, loose: bool = False) -> list[Misfit]:
    """What a class refuses of a value, in words that do not repeat it.

    It is read as pydantic reads it, which takes "10" for a number. A reference to a variable fits every type. `loose`
    is for a place of `hints`, whose types nobody holds to: any plain value is a text, and 0.5 a whole number.
    """
    found: list[Misfit] = []
    wanted: dict[Place, list[str]] = {}
    try:
        _adapter(model, loose).validate_python(as_rendered(value))
    except ValidationError as error:
        for each in error.errors(include_url=False):
            place, kind, given = _existing(each["loc"], value), each["type"], each["input"]
            if kind in ("missing", "extra_forbidden"):
                found.append(Misfit(place, str(each["loc"][-1]), kind == "missing", kind == "extra_forbidden"))
            elif not (isinstance(given, str) and given.startswith(REFERENCE)) and not (loose and given is None):
                word = _WANTED.get(kind.partition("_")[0], "a value of another type")
                word = f"one of {each['ctx']['expected']}" if kind in ("literal_error", "enum") else word
                wanted[place] = [*dict.fromkeys([*wanted.get(place, ()), word])]
    return [*found, *(Misfit(place, " or ".join(some)) for place, some in wanted.items())]


def as_rendered(value: Any) -> Any:
    """A value as Helm hands it on: a date is a text."""
    if isinstance(value, dict):
        return {str(key): as_rendered(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_rendered(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _existing(path: tuple[Any, ...], value: Any) -> Place:
    """The parts of a path that exist: pydantic puts the names of the members of a union between them."""
    place: Place = ()
    for part in path:
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and part in range(len(value))):
            place, value = (*place, part), value[part]
    return place


@cache
def _adapter(model: str, loose: bool) -> TypeAdapter[Any]:
    if not loose:
        return TypeAdapter(_class(model))
    kinds = {key: (_type(kind, loose), None) for key, kind in facts()["hints"][model].items()}
    return TypeAdapter(_made(model, "allow", kinds))


@cache
def _class(model: str) -> Any:
    entry = facts()["models"][model]
    given = {key: (_type(kind), ... if key in entry["required"] else None) for key, kind in entry["fields"].items()}
    return _made(model, entry["extra"], given)


def _made(model: str, extra: Any, given: dict[str, Any]) -> Any:
    make = cast(Any, create_model)
    return make(model.rpartition(".")[2], __config__=ConfigDict(extra=extra, protected_namespaces=()), **given)


def _type(kind: Any, loose: bool = False) -> Any:
    match kind:
        case str():
            return (_LOOSE if loose else _PLAIN).get(kind, _PLAIN[kind])
        case list():
            return Union[tuple(_type(each, loose) for each in kind)]  # noqa: UP007 - of a number that is not known here
        case {"list": item}:
            return list[_type(item, loose)]  # type: ignore[misc]
        case {"dict": item}:
            return dict[str, _type(item, loose)]  # type: ignore[misc]
        case {"enum": [*known]}:
            return Literal[tuple(known)]
        case {"model": name}:
            return _class(name)
    raise ValueError(kind)
