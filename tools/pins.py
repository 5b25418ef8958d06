"""The pinned tools, as `policies/pins.yml` lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools.errors import ToolError

PINS = Path(__file__).resolve().parent.parent / "policies" / "pins.yml"


@dataclass(frozen=True)
class Pin:
    """One program or folder that can be asked for.

    `tool` is its entry in the pins file, `ways` that entry. `member` says where it lies in what
    the entry brings: a Go package or a folder of the module, or a path in a wheel.
    """

    name: str
    tool: str
    version: str
    ways: Mapping[str, Any]
    member: str
    is_folder: bool
    used_by: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def fill(self, text: str, **more: str) -> str:
        """`text` with `{version}`, `{major}`, `{minor}`, `{patch}` and `more` filled in."""
        major, minor, patch = [*self.version.split("."), "0", "0"][:3]
        return text.format(version=self.version, major=major, minor=minor, patch=patch, **more)


def version_key(text: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison: `1.26.8` and `go1.26.8` give (1, 26, 8)."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


@cache
def load(file: Path = PINS) -> dict[str, Pin]:
    """Every program and folder of the pins file, by name.

    Raises `ToolError` when two entries bring the same name, or an entry brings none.
    """
    # the C loader takes a tenth of the time, and this runs whenever a tool is asked for
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content = yaml.load(file.read_text("utf-8"), loader)
    tools: dict[str, dict[str, Any]] = content.get("tools", {})
    if not tools:
        raise ToolError(f"{file}: the section `tools` is missing")
    pins: dict[str, Pin] = {}
    for tool, entry in tools.items():
        brings = [
            (name, member, is_folder)
            for way in ("go", "wheel")
            for key, is_folder in (("binaries", False), ("folders", True))
            for name, member in entry.get(way, {}).get(key, {}).items()
        ]
        if not brings:
            raise ToolError(f"{file}: tool {tool} brings nothing; give it `binaries`")
        for name, member, is_folder in brings:
            if name in pins:
                raise ToolError(f"{file}: {name} is in two tools, {pins[name].tool} and {tool}")
            used_by = tuple(entry.get("used_by", ()))
            pins[name] = Pin(name, tool, entry["version"], entry, member, is_folder, used_by)
    return pins


def find(name: str) -> Pin:
    """The pin called `name`; a `ToolError` that lists the names when there is none."""
    pins = load()
    if name not in pins:
        raise ToolError(f"no tool is called {name!r}; there are: {', '.join(sorted(pins))}")
    return pins[name]


def used_by(command: str) -> list[Pin]:
    """What the make target `command` needs, in the order of the pins file."""
    return [pin for pin in load().values() if command in pin.used_by]
