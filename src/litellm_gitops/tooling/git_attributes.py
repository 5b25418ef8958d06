"""What git reads in .gitattributes. https://git-scm.com/docs/gitattributes"""

from __future__ import annotations

from collections.abc import Iterator

from litellm_gitops.files import matching
from litellm_gitops.spelling import closest

# the values that git knows, or that the rendered repository gives a meaning
_VALUES = {"text": ("auto",), "eol": ("lf", "crlf"), "diff": ("sopsdiffer",), "merge": ("binary", "text", "union")}
_CLOSED = ("text", "eol")  # all of whose values are listed


def slips(content: str) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong, what to do) where git passes over a value, or over the line."""
    for number, line in enumerate(content.splitlines(), 1):
        pattern, *attributes = line.split() or ["#"]
        if pattern.startswith("#"):
            continue
        if any(each.startswith("#") for each in attributes):
            yield number, "git knows no comment behind attributes, and passes over the line", "put it above"
        for each in attributes:
            name, equals, value = each.partition("=")
            known = _VALUES.get(name, ())
            if equals and known and value not in known and (meant := closest(value, known) or _other(name, value)):
                yield number, f"git knows no {each}", f"did you mean {name}={meant}?"


def _other(name: str, value: str) -> str:
    """What a value may be in place of one that is not one of a few."""
    same = (each for each in _VALUES[name] if sorted(each) == sorted(value.lower()))
    return next(same, _VALUES[name][0]) if name in _CLOSED else ""


def given(content: str, file: str, name: str) -> tuple[int | None, str | bool | None]:
    """(line, value) of an attribute that git gives a file; the last line that names it decides."""
    found: tuple[int | None, str | bool | None] = None, None
    for number, line in enumerate(content.splitlines(), 1):
        pattern, *attributes = line.split() or [""]
        if pattern.startswith(("#", "[", "!")) or not pattern or not any(matching([pattern], [file])):
            continue
        for each in attributes:
            key, equals, value = each.lstrip("-!").partition("=")
            if key == "binary" and name in ("text", "merge") and each == "binary":  # git's own macro
                found = number, False
            elif key == name:
                found = number, None if each.startswith("!") else False if each.startswith("-") else value or not equals
    return found
