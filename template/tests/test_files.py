"""The files fit the answers and policies/suite.yml; CI, commit hooks and Renovate do what they are there for."""

import pytest

from litellm_gitops.rules import of

RULES = [
    *of("answers", "declarations", "files", "commands", "commits", "compose"),
    *of("pipeline", "rights", "tooling", "workflows"),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_files(rule, verify):
    verify(rule)
