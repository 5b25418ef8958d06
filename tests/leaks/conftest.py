"""Repositories, inputs and sandboxes of the tests for leaks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.leaks import tracer
from tests.leaks.canaries import Canaries
from tests.leaks.watch import Sandbox, Traced, Untraced, Watch
from tests.support.inputs import Inputs
from tests.support.sealed import seal

ANSWERS = {
    "cluster_environments": ["aws"],
    "providers": ["azure_openai", "vertex_ai"],
    "vertex_project": "example-ai",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
}
# Where nothing can be traced, these tests are reported as skipped, not as passed; the untraced ones always run.
NO_STRACE = "strace is not installed, or may not trace here"
WATCHES = [
    pytest.param(
        Traced,
        id="traced",
        marks=pytest.mark.skipif(tracer.strace() is None, reason=NO_STRACE),
    ),
    pytest.param(Untraced, id="untraced"),
]


@pytest.fixture(scope="session")
def operator() -> Inputs:
    """The inputs of every test here."""
    return Inputs()


@pytest.fixture(scope="session")
def canaries(operator: Inputs) -> Canaries:
    return Canaries(Canaries.secrets(operator))


@pytest.fixture(scope="session")
def sealed_once(render: Callable[..., Path], operator: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed repository. Never changed: `sealed` is a copy."""
    folder = tmp_path_factory.mktemp("leaks")
    root = Path(shutil.copytree(render(**ANSWERS), folder / "repository"))
    assert seal(root, inputs=operator.write(folder / "inputs")).returncode == 0
    return root


@pytest.fixture
def sandbox(sealed_once: Path, operator: Inputs, tmp_path: Path) -> Sandbox:
    """A sealed repository of one's own, with the inputs in its root, as an operator begins."""
    shutil.copytree(sealed_once, tmp_path / "sandbox" / "repository")
    return Sandbox(tmp_path, operator, inputs_inside=True)


@pytest.fixture
def watch(sandbox: Sandbox) -> Watch:
    """The sandbox under the closest watch that this machine allows."""
    return Untraced(sandbox) if tracer.strace() is None else Traced(sandbox)


@pytest.fixture
def traced(sandbox: Sandbox) -> Traced:
    """The sandbox under strace, for what needs its faults; skipped where nothing can be traced."""
    if tracer.strace() is None:
        pytest.skip(NO_STRACE)
    return Traced(sandbox)
