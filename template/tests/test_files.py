"""The files fit the answers and what policies/suite.yml declares, and hold no credential in plaintext."""

import pytest

from litellm_gitops.rules import of


@pytest.mark.parametrize("rule", of("answers", "declarations", "files"), ids=str)
def test_files(rule, verify):
    verify(rule)
