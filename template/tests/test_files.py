"""The files fit the answers and policies/suite.yml; CI, commit hooks and Renovate do what they are there for."""

import pytest

from litellm_gitops.rules import of


@pytest.mark.parametrize("rule", of("answers", "declarations", "files", "commits", "pipeline", "workflows"), ids=str)
def test_files(rule, verify):
    verify(rule)
