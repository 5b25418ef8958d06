"""What the rules find in a repository, and the tests of a table of faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from litellm_gitops import rules
from litellm_gitops.findings import Finding, UnreadableError
from litellm_gitops.repository import Repository
from tests.support.answers import everything
from tests.support.faults import Edit, Fault, Several

UNREADABLE = "readable"  # in place of a rule's name, where no rule can be evaluated


def findings(root: Path) -> list[Finding]:
    """What every rule finds in a repository, or why none can be evaluated."""
    try:
        return rules.evaluate(Repository(root))
    except UnreadableError as error:
        return [Finding(error.finding.file, error.finding.line, error.finding.what, error.finding.fix, UNREADABLE)]


def codes(found: list[Finding]) -> list[str]:
    """The rules that are broken."""
    return sorted({finding.code for finding in found})


def report(found: list[Finding]) -> str:
    """The findings as the suite prints them, for an assertion."""
    return "\n".join(f"[{finding.code}] {finding}" for finding in found)


Copy = Callable[[dict[str, Any]], Path]  # the fixture `repository`


def found_by_its_rule_alone(faults: Mapping[str, Fault]) -> Callable[[Fault, Copy], None]:
    """The test of a table: each fault breaks the rule that is named beside it, and no other."""

    @pytest.mark.parametrize("fault", faults.values(), ids=[*faults])
    def test(fault: Fault, repository: Copy) -> None:
        rule, edit, *answers = fault
        root = repository(answers[0] if answers else everything())
        edit(root)
        found = findings(root)
        assert codes(found) == [rule], report(found) or "nothing is found"
        assert len(found) == 1 or isinstance(edit, Several), report(found)
        for finding in found:
            assert re.fullmatch(r"[^\s:]+(?::\d+)?: [^\n]+ — [^\n]+", str(finding))
            assert len(str(finding)) < 400

    return test


Harmless = Edit | tuple[Edit, dict[str, Any]]  # with the answers where they are others


def accepted(edits: Mapping[str, Harmless]) -> Callable[[Harmless, Copy], None]:
    """The test of a table: what the owner may do breaks no rule."""

    @pytest.mark.parametrize("edit", edits.values(), ids=[*edits])
    def test(edit: Harmless, repository: Copy) -> None:
        apply, answers = edit if isinstance(edit, tuple) else (edit, everything())
        root = repository(answers)
        apply(root)
        found = findings(root)
        assert not found, report(found)

    return test
