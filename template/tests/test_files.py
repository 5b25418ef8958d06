"""The files fit the answers and what policies/suite.yml declares; CI, commit hooks and Renovate do what they are for."""

import pytest

from litellm_gitops.rules import of


@pytest.mark.parametrize("rule", of("answers", "declarations", "files", "pipeline"), ids=str)
def test_files(rule, verify):
    verify(rule)
