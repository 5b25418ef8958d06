"""Faults and edits of what a pipeline may do, and of what it runs."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import Fault, substitute
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

MOVES = "nothing_that_the_pipeline_runs_can_move"
VALIDATE, UPDATE = (f".github/workflows/{name}.yaml" for name in ("validate", "update"))
GITLAB_FILE, GITLAB = ".gitlab-ci.yml", everything(ci_platform="gitlab")

FAULTS: dict[str, Fault] = {
    "gitleaks of any release": (MOVES, substitute(VALIDATE, r"version: v8\.\S+", "version: latest")),
    "gitleaks of any release (GitLab)": (
        MOVES,
        substitute(GITLAB_FILE, r"gitleaks/v8@\S+", "gitleaks/v8@latest"),
        GITLAB,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "another release of helm": substitute(VALIDATE, r"version: v4\.\S+", "version: v4.2.0"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
