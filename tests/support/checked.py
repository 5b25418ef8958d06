"""What the rules of the rendered repository say of one."""

from __future__ import annotations

from pathlib import Path

import rules
from rules import UnreadableError
from rules.repository import Repository

UNREADABLE = "readable"  # in place of a rule's name, where no rule can be asked


def broken(root: Path) -> dict[str, list[str]]:
    """The rules that a repository breaks, each with its problems as the suite prints them."""
    try:
        repository = Repository(root)
        found = {name: rules.check(rule, repository) for name, rule in rules.load_all().items()}
    except UnreadableError as error:
        return {UNREADABLE: [str(error.problem)]}
    return {name: [str(problem) for problem in problems] for name, problems in found.items() if problems}


def told(found: dict[str, list[str]]) -> str:
    """The same as text, for an assertion."""
    return "\n".join(f"[{name}] {problem}" for name, problems in found.items() for problem in problems)
