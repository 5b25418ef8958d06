"""The commands of a rendered README, by the heading that they stand under."""

from __future__ import annotations

import re
from pathlib import Path

_HEADING = re.compile(r"^#{2,3} (.+)$")
_ENVIRONMENT = re.compile(r"^\*\*`(\w+)`\*\*,")


def commands(readme: Path, heading: str, environment: str | None = None) -> list[str]:
    """The `sh` blocks under `heading`, in order: those that are given for `environment`, or without
    it those that are given for no environment in particular. An AssertionError when there is none.
    """
    blocks: list[str] = []
    current: str | None = None  # the heading that was read last
    meant_for: str | None = None  # the environment that the next block is for
    lines = iter(readme.read_text("utf-8").splitlines())
    for line in lines:
        if found := _HEADING.match(line):
            current, meant_for = found[1], None
        elif found := _ENVIRONMENT.match(line):
            meant_for = found[1]
        elif line.strip() == "```sh":
            indent = len(line) - len(line.lstrip())
            block = []
            for code in lines:
                if code.strip() == "```":
                    break
                block.append(code[indent:])
            if current == heading and meant_for == environment:
                blocks.append("\n".join(block))
            meant_for = None
    assert blocks, f"{readme} has no commands under {heading!r}"
    return blocks
