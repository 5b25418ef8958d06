"""Records: dataclasses that are made of YAML, with every value of the type that its field names.

pydantic does it too, and takes 0.15 s of each command to load.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from litellm_gitops.documents import Place

_Record = TypeVar("_Record")
_Refuse = Callable[[Place, str], Any]

FILLED = {"filled": True}  # the metadata of a field that may not be empty
_WORDS: dict[type, str] = {
    **{str: "a text", int: "a whole number", bool: "true or false", datetime.date: "a date"},
    **{list: "a list", dict: "a mapping", NoneType: "null"},
}


class RecordError(Exception):
    """A value is no such record. `flaws` are (where, what), in the order of the fields; none quotes the value."""

    def __init__(self, flaws: list[tuple[Place, str]]) -> None:
        super().__init__("; ".join(what for _, what in flaws))
        self.flaws = flaws


def read(record: type[_Record], value: Any) -> _Record:
    """The record that a value of YAML is. Raises RecordError.

    A field that it does not name is left out, or refused where the class has `closed = True`.
    """
    flaws: list[tuple[Place, str]] = []
    made = _read(record, value, (), lambda place, what: flaws.append((place, what)))
    if flaws:
        raise RecordError(flaws)
    return made  # type: ignore[no-any-return]


def _read(kind: Any, value: Any, place: Place, refuse: _Refuse) -> Any:
    if kind is Any:
        return value
    kinds = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    # not isinstance: True is a number to Python, a time is a date
    kind = next((each for each in kinds if type(value) is _plain(each)), None)
    if kind is None:
        words = " or ".join(_WORDS[_plain(each)] for each in kinds)
        return refuse(place, f"{'.'.join(map(str, place)) or 'it'} is not {words}")
    if is_dataclass(kind):
        return _record(kind, value, place, refuse)
    if get_origin(kind) is list:
        return [_read(get_args(kind)[0], each, (*place, number), refuse) for number, each in enumerate(value)]
    if get_origin(kind) is dict:
        of_key, of_value = get_args(kind)
        for key in value:
            _read(of_key, key, (*place, key), refuse)
        return {key: _read(of_value, each, (*place, key), refuse) for key, each in value.items()}
    return value


def _record(kind: Any, value: dict[Any, Any], place: Place, refuse: _Refuse) -> Any:
    given, types = {}, _types(kind)
    for each in fields(kind):
        at = (*place, each.name)
        if each.name in value:
            given[each.name] = _read(types[each.name], value[each.name], at, refuse)
            if each.metadata == FILLED and not value[each.name]:
                refuse(at, f"{'.'.join(map(str, at))} is empty")
        elif each.default is each.default_factory is MISSING:
            given[each.name] = refuse(at, f"lacks `{each.name}`")
    for name in value if getattr(kind, "closed", False) else ():
        if name not in types:
            refuse((*place, name), f"{'.'.join(map(str, (*place, name)))} does not exist")
    return kind(**given)


_types = cache(get_type_hints)


def _plain(kind: Any) -> type:
    return dict if is_dataclass(kind) else get_origin(kind) or kind
