"""Whether rendered files read as if a person had written them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TEXT = (".yaml", ".yml", ".md", ".toml", ".json", ".py", "")
# What is wrong -> how it looks
SCARS = {
    "trailing whitespace": r"[ \t]+$",
    "two blank lines": r"\n\n\n",
    "a blank line at the start": r"\A\n",
    "a blank line at the end": r"\n\n\Z",
    "no line feed at the end": r"[^\n]\Z",
    "a carriage return": r"\r",
}
YAML_SCARS = {
    "a tab": r"\t",
    "a blank line under a key": r"^[ -]*[\w.-]+:\n\n",
    "a document start": r"\A---$",
    "an empty value": r"^ *(?:- )?[\w./-]+: *\n(?! *-| *#| +\S)",
}
# Jinja that was not rendered; GitHub's ${{ … }}, Docker's {{json .…}}, Renovate's {{…}} and Python's f-strings are none
LEFT_OVER = re.compile(r"(?<!\$)\{\{(?!json \.)|\{%|%\}|\{#")
OTHERS_SYNTAX = re.compile(r".*\.(?:py|json)")


def scars(root: Path) -> Iterator[str]:
    """(file:line: what) of everything that shows that a file was rendered."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if ".jinja" in relative or "{" in relative:
            yield f"{relative}: the name was not rendered"
        if not path.is_file() or path.suffix not in TEXT or "__pycache__" in path.parts:
            continue
        if relative.startswith("vendor/"):
            continue  # not rendered, copied
        text = path.read_text("utf-8")
        if not text:
            if path.name != "__init__.py":
                yield f"{relative}: is empty"
            continue
        table = {**SCARS}
        if path.suffix == ".py":
            table.pop("two blank lines")  # ruff says how many
        if path.suffix in (".yaml", ".yml") and not relative.startswith(".github/"):
            table |= YAML_SCARS  # GitHub's triggers may be keys without a value
        for what, pattern in table.items():
            for match in re.finditer(pattern, text, re.MULTILINE):
                yield f"{relative}:{text.count(chr(10), 0, match.start()) + 1}: {what}"
        if not OTHERS_SYNTAX.fullmatch(relative):
            for match in LEFT_OVER.finditer(text):
                yield f"{relative}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]} was not rendered"
