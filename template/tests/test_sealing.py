"""Every Secret that a pod reads is here, sealed, for the recipients of its cluster."""

import pytest

from litellm_gitops.rules import of


@pytest.mark.parametrize("rule", of("sealing", "plaintext", "secrets"), ids=str)
def test_sealing(rule, verify):
    verify(rule)
