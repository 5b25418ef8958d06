"""What helm makes of each cluster's values: `pytest -m chart`, with helm on PATH."""

import pytest

from litellm_gitops.rules.rendered import CLAIMS

pytestmark = pytest.mark.chart


@pytest.mark.parametrize("claim", CLAIMS)
def test_chart(claim, renderings, verify):
    verify(renderings.rule(claim))
