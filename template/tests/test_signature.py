"""Who made the image that runs: `pytest -m signed`, with cosign on PATH and network."""

import pytest

from litellm_gitops.rules import of

pytestmark = pytest.mark.signed


@pytest.mark.parametrize("rule", of("signed"), ids=str)
def test_signature(rule, verify):
    verify(rule)
