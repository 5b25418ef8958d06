"""Each pod has what its methods of authentication need, and nothing that would beat them."""

import pytest

from litellm_gitops.rules import of


@pytest.mark.parametrize("rule", of("matrix", "traces"), ids=str)
def test_auth_matrix(rule, verify):
    verify(rule)
