"""Faults and edits of pyproject.toml and renovate.json."""

from __future__ import annotations

from tests.support.faults import Edit, Fault, append, change, delete, substitute
from tests.support.findings import accepted, found_by_its_rule_alone

PROJECT, RENOVATE = "pyproject.toml", "renovate.json"
WHOLE, SAME = "pytest_runs_the_whole_suite", "everything_runs_the_same_commit_of_the_tooling"
READS = "renovate_can_read_its_configuration"

FAULTS: dict[str, Fault] = {
    "a bracket that is not closed": (WHOLE, change(PROJECT, "[project]", "[project")),
    "some of the tests": (WHOLE, substitute(PROJECT, 'addopts = "', 'addopts = "-k sealing ')),
    "another folder of tests": (WHOLE, change(PROJECT, 'testpaths = ["tests"]', 'testpaths = ["test"]')),
    "a claim that is gone": (WHOLE, delete("tests/test_sealing.py")),
    "a subject that nobody claims": (WHOLE, substitute("tests/test_sealing.py", '"sealing", ', "")),
    "no tests": (WHOLE, delete("tests")),
    "a branch of the tooling": (SAME, substitute(PROJECT, r"@[0-9a-f]{40}", "@main")),
    "two commits of the tooling": (SAME, substitute(PROJECT, r"@[0-9a-f]{40}", f"@{'1' * 40}")),
    "a misspelt setting of Renovate": (READS, change(RENOVATE, '"packageRules"', '"packageRule"')),
    "a misspelt preset of Renovate": (READS, change(RENOVATE, "config:recommended", "config:recomended")),
    "a group that has no name": (READS, change(RENOVATE, "(?<depName>", "(<depName>")),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "settings of another tool": append(PROJECT, "\n[tool.own]\nname = 1\n"),
    "a louder pytest": substitute(PROJECT, 'addopts = "-q', 'addopts = "-v --durations=5'),
    "a schedule of one's own": substitute(RENOVATE, '"before 6am on monday"', '"every weekend"'),
    "a preset of one's own": change(RENOVATE, '"config:recommended"', '"config:recommended", "local>own/renovate"'),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
