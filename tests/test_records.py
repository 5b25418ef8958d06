"""Records made of YAML: what is not of its field's type is named with its place, and never quoted."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from litellm_gitops.documents import Place
from litellm_gitops.records import FILLED, RecordError, read


@dataclass(frozen=True, kw_only=True)
class Below:
    """Takes fields that it does not know."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Record:
    closed: ClassVar[bool] = True

    texts: dict[str, str | list[str]] = field(metadata=FILLED)
    day: datetime.date | None = None
    many: dict[str, Below] = field(default_factory=dict)
    more: list[Below] = field(default_factory=list)
    anything: Any = None
    number: int = 0
    switch: bool = False


def test_a_record_is_its_value_with_what_is_left_out() -> None:
    day = datetime.date(2030, 1, 31)
    value = {"texts": {"a": "b", "c": ["d"]}, "day": day, "many": {"x": {"name": "y", "other": 1}}, "anything": [1]}
    found = read(Record, value)
    assert found == Record(texts={"a": "b", "c": ["d"]}, day=day, many={"x": Below(name="y")}, anything=[1])


@pytest.mark.parametrize(
    ("change", "place", "what"),
    [
        ({"texts": {"a": 1}}, ("texts", "a"), "texts.a is not a text or a list"),
        ({"texts": {"a": ["b", None]}}, ("texts", "a", 1), "texts.a.1 is not a text"),
        ({"texts": {1: "b"}}, ("texts", 1), "texts.1 is not a text"),
        ({"texts": {}}, ("texts",), "texts is empty"),
        ({"day": "2030-01-31"}, ("day",), "day is not a date or null"),
        ({"day": datetime.datetime(2030, 1, 31, 12)}, ("day",), "day is not a date or null"),
        ({"many": []}, ("many",), "many is not a mapping"),
        ({"many": {"x": {}}}, ("many", "x", "name"), "lacks `name`"),
        ({"more": [{"name": "a"}, "b"]}, ("more", 1), "more.1 is not a mapping"),
        ({"number": True}, ("number",), "number is not a whole number"),
        ({"switch": 1}, ("switch",), "switch is not true or false"),
        ({"text": {}}, ("text",), "text does not exist"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change: dict[str, Any], place: Place, what: str) -> None:
    with pytest.raises(RecordError) as refused:
        read(Record, {"texts": {"a": "b"}, **change})
    assert refused.value.flaws == [(place, what)]


def test_what_is_no_mapping_is_no_record() -> None:
    with pytest.raises(RecordError, match="it is not a mapping"):
        read(Record, ["a"])
    with pytest.raises(RecordError, match="lacks `texts`"):
        read(Record, {})
