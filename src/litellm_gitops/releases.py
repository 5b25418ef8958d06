"""What is known of the releases of LiteLLM's images and charts: releases.yml beside this file."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from litellm_gitops.documents import mapping, parse

Number = tuple[int, ...]
_NUMBER = re.compile(r"(?<![\d.])\d+\.\d+\.\d+")


def number(version: object) -> Number:
    """The three numbers of the first version that stands in a text; none where there is none."""
    match = _NUMBER.search(str(version))
    return tuple(map(int, match[0].split("."))) if match else ()


def flaw(image: Number) -> str:
    """What is wrong with the image of this version; empty where nothing is known."""
    for each in _facts()["weaknesses"]:
        if _bound(each["from"]) <= image < _bound(each["before"]):
            return str(each["what"])
    floor = _facts()["supported"]
    return "" if image >= _bound(floor) else f"gets no fixes any more: upstream supports {_minor(floor)} and newer"


def supported() -> str:
    """The oldest minor of LiteLLM that gets fixes, such as 1.108."""
    return _minor(_facts()["supported"])


def fits(chart: str, version: Number) -> bool:
    """Whether that version of LiteLLM's chart knows what the values say."""
    known = _of(chart)
    return _bound(known.get("from", "0")) <= version and ("before" not in known or version < _bound(known["before"]))


def span(chart: str) -> str:
    """The versions that fit, in words."""
    known = _of(chart)
    return f"{known['from']} or newer" + (f", below {known['before']}" if "before" in known else "")


def before(chart: str) -> str:
    """The first version that is no longer the chart that we know; empty where none is."""
    return str(_of(chart).get("before", ""))


def path(chart: str) -> str:
    """Where the chart is in the registries of upstream."""
    return str(_of(chart).get("path", ""))


def strangers(chart: str) -> list[str]:
    """Versions in the chart's repository that are another chart."""
    return [*_of(chart).get("strangers", ())]


def others(chart: str) -> list[str]:
    """Upstream's images that the chart cannot start, by the last part of their names."""
    return [*_of(chart).get("others", ())]


def _of(chart: str) -> dict[Any, Any]:
    return mapping(_facts()["charts"].get(chart))


def _bound(version: str) -> Number:
    return tuple(map(int, version.split(".")))


def _minor(version: str) -> str:
    return version.rpartition(".")[0]


@cache
def _facts() -> dict[str, Any]:
    content = (files("litellm_gitops") / "releases.yml").read_text("utf-8")
    facts: dict[str, Any] = parse("releases.yml", content)[0].value
    return facts
