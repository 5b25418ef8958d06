"""The CI, the commit hooks and Renovate do what they are there for."""

import pytest

from litellm_gitops.rules import of


@pytest.mark.parametrize("rule", of("pipeline"), ids=str)
def test_pipeline(rule, verify):
    verify(rule)
