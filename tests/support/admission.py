"""Objects of Kubernetes with one fault each, and odd ones that are right: admission.yml."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text("utf-8"))
    return content


def objects(part: str) -> dict[str, Object]:
    """The objects of `refused`, `accepted` or `not_started`, by a name for each."""
    content = _content()
    return {
        f"{base}: {name}": _changed(content["bases"][base], changes)
        for base, rows in content[part].items()
        for name, changes in rows.items()
    }


def _changed(base: Object, changes: dict[str, Any]) -> Object:
    found = copy.deepcopy(base)
    for path, value in changes.items():
        *above, last = (int(part) if part.isdigit() else part for part in path.split("."))
        place: Any = found
        for part in above:
            place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
        if value is None:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(copy.deepcopy(value))
        else:
            place[last] = copy.deepcopy(value)
    return found
