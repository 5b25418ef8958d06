"""Fixtures: the inputs of an operator, and repositories of his, rendered with the `ANSWERS` of a module."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.inputs import Inputs
from tests.support.project import under_git
from tests.support.sealed import seal


@pytest.fixture(scope="session")
def inputs() -> Inputs:
    return Inputs()


@pytest.fixture
def folder(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs, where LITELLM_GITOPS_INPUTS points."""
    return inputs.write(tmp_path_factory.mktemp("inputs"))


@pytest.fixture
def unsealed(request: pytest.FixtureRequest, render: Callable[..., Path], tmp_path: Path) -> Path:
    """A repository of one's own, as it is rendered."""
    return Path(shutil.copytree(render(**request.module.ANSWERS), tmp_path / "repository"))


@pytest.fixture(scope="module")
def sealed_once(
    request: pytest.FixtureRequest,
    render: Callable[..., Path],
    inputs: Inputs,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """As `copier copy` leaves it, with keys of its own. Never changed: `sealed` is a copy."""
    target = tmp_path_factory.mktemp("sealed")
    root = Path(shutil.copytree(render(**request.module.ANSWERS), target / "repository"))
    answer = seal(root, inputs=inputs.write(target / "inputs"))
    assert answer.returncode == 0, answer.stderr
    return root


@pytest.fixture
def sealed(sealed_once: Path, tmp_path: Path) -> Path:
    """A sealed repository of one's own that is not under git yet."""
    return Path(shutil.copytree(sealed_once, tmp_path / "repository"))


@pytest.fixture
def root(sealed: Path) -> Path:
    """The same under git: the clone of the operator, who has the keys."""
    return under_git(sealed)
