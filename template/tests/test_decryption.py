"""What only a private key can show: `pytest -m decrypt`, with sops on PATH."""

import pytest

from litellm_gitops.rules import of

pytestmark = pytest.mark.decrypt


@pytest.mark.parametrize("rule", of("decrypted"), ids=str)
def test_decryption(rule, verify):
    verify(rule)
