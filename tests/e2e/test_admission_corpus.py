"""The API server and the suite refuse the same objects: those of tests/support/admission.yml.

What the suite says of them, tests/rules/test_admission.py knows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.controlplane import ControlPlane
from tests.support import admission as corpus


@pytest.fixture(scope="module")
def answers(admission: ControlPlane) -> dict[str, str | None]:
    """What the API server has against each object of the corpus; None where it takes it."""
    objects = {**corpus.objects("refused"), **corpus.objects("accepted"), **corpus.objects("not_started")}
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(objects, pool.map(admission.api.try_apply, objects.values()), strict=True))


def test_the_api_server_refuses_what_the_suite_refuses(answers: dict[str, str | None]) -> None:
    taken = [name for name in corpus.objects("refused") if answers[name] is None]
    assert not taken


@pytest.mark.parametrize("part", ["accepted", "not_started"])
def test_the_api_server_takes_everything_else(part: str, answers: dict[str, str | None]) -> None:
    refused = {name: answers[name] for name in corpus.objects(part) if answers[name] is not None}
    assert not refused
