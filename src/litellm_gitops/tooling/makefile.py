"""What make does not take of a Makefile, or does not find: indents, targets, and what recipes call.

https://www.gnu.org/software/make/manual/make.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from litellm_gitops.languages import programs
from litellm_gitops.spelling import closest

NAMES = ("GNUmakefile", "Makefile", "makefile")
Flaws = Iterator[tuple[int, str, str]]  # (line, what is wrong, what to do)

_RULE = re.compile(r"([^\t\s#:=][^#:=]*?)\s*::?(?![=:])\s*([^=;#|]*)(\|[^=;#]*)?(?:[;#].*)?")
_ASSIGNED = re.compile(r"(?:export\s+|override\s+)*[\w.$(){}-]+\s*(?::{0,3}|\?|\+|!)=")
_DIRECTIVE = re.compile(r"-?s?include\b|ifn?(?:def|eq)\b|else\b|end(?:if|ef)\b|(?:un)?(?:define|export)\b|vpath\b")
_COMPUTED = re.compile(r"[$%*?()/]")
_MORE = re.compile(r"^\.RECIPEPREFIX|^-?s?include\b|\$\(eval\b", re.MULTILINE)
_OF_SPACES = re.compile(r" {2,}(?=[@+-]?[a-z][\w./-]*(?:\s|\Z))")


def flaws(content: str, files: list[str]) -> Flaws:
    """What is wrong with a Makefile; `files` are what a target may need."""
    if _MORE.search(content):
        return  # more targets than can be seen, or other recipes
    yield from _unread(content)
    targets, needed = _rules(content)
    for line, above, name in needed:
        known = targets - {name}
        if name not in targets and name not in files and (meant := closest(name, known)):
            what = f"{above} names {name}, for which there is no rule" if above == ".PHONY" else f"nothing makes {name}"
            yield line, what, f"did you mean {meant}?"
    for line, command in recipes(content):
        yield from ((line, what, f"did you mean {meant}?") for what, meant in programs.miscalled(command))


@lru_cache(maxsize=16)
def _rules(content: str) -> tuple[set[str], list[tuple[int, str, str]]]:
    """The targets, and (line, target, what it needs) where both are written out."""
    targets, needed = set[str](), list[tuple[int, str, str]]()
    for number, line in _lines(content):
        match = _RULE.fullmatch(line) if not line.startswith("\t") and not _ASSIGNED.match(line) else None
        if match:
            targets |= {*match[1].split()}
            wanted = [each for each in match[2].split() if not _COMPUTED.search(each)]
            needed += [(number, match[1].split()[0], each) for each in wanted]
    return targets, needed


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """(number, line) with what follows a backslash; without what `define` keeps."""
    joined, start, is_kept = "", 0, False
    for number, line in enumerate(content.splitlines(), 1):
        is_kept = is_kept or line.startswith("define ")
        if is_kept:
            is_kept = not line.startswith("endef")
            continue
        joined, start = f"{joined}{line}", start or number
        if line.endswith("\\"):
            joined = f"{joined[:-1]} "
            continue
        yield start, joined
        joined, start = "", 0


def recipes(content: str) -> Iterator[tuple[int, str]]:
    """(line, command) of recipes, as a shell gets it, with a word for what make fills in."""
    for number, line in _lines(content):
        if line.startswith("\t"):
            command = re.sub(r"\$[@<^*?+%|]|\$\([^()]*\)|\$\{[^{}]*\}", "$x", line.strip().lstrip("@-+ "))
            yield number, command.replace("$$", "$")


def _unread(content: str) -> Flaws:
    """A recipe with spaces in the place of its tab."""
    is_below = False  # a target or a recipe
    for number, line in _lines(content):
        is_command = is_below and _OF_SPACES.match(line) and not _DIRECTIVE.match(line.strip())
        if is_command and not _ASSIGNED.match(line.strip()) and not _RULE.fullmatch(line.strip()):
            yield number, "a recipe begins with spaces, and make ends with an error", "begin it with a tab"
            return
        is_below = line.startswith("\t") or bool(_RULE.fullmatch(line) and not _ASSIGNED.match(line))
