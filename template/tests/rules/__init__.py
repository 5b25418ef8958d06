"""What must be true of this repository, one function for each rule.

The suite runs every rule as a test of its name. A rule of your own is a function under `@rule` in a module here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.repository import Repository

__all__ = ["RULES", "Problem", "Rule", "UnreadableError", "check", "load_all", "rule"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which file, at which line (from 1, where there is one), what it is, what to do.

    Neither text ever holds the value of a Secret.
    """

    file: str
    line: int | None
    what: str
    todo: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what} — {self.todo}"


class UnreadableError(Exception):
    """Nothing can be said of a repository, because a file that says what it should hold is missing or broken."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


Rule = Callable[["Repository"], Iterator[Problem]]

RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Registers a rule under its own name, which reads as a claim."""
    RULES[function.__name__] = function
    return function


def load_all() -> dict[str, Rule]:
    """Every rule of every module of this package, by its name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return RULES


def check(rule: Rule, repository: Repository) -> list[Problem]:
    """The problems that a rule finds, each once, in the order of files and lines."""
    try:
        found = set(rule(repository))
    except UnreadableError:
        raise
    except Exception as error:
        # no traceback, which would show values
        file = f"tests/{rule.__module__.replace('.', '/')}.py"
        what = f"{rule.__name__} cannot be asked ({type(error).__name__}): some value is of no type that it expects"
        found = {Problem(file, None, what, "correct what the other rules tell first")}
    return sorted(found, key=lambda problem: (problem.file, problem.line or 0, problem.what))
