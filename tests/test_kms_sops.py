"""A key of each cloud beside age, used by the real sops, whose calls end at a server on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tools
from tests.support.clouds import CLOUDS, Cloud
from tests.support.inputs import Inputs
from tests.support.sealed import environment, seal

Render = Callable[..., Path]
SECRET = "litellm-postgresql"


@pytest.fixture(params=CLOUDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cloud(name: str, tmp_path: Path) -> Iterator[Cloud]:
    (tmp_path / "cloud").mkdir()
    with CLOUDS[name](tmp_path / "cloud") as here:
        yield here


@pytest.fixture
def logged_in(cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    """The environment of an operator with his inputs, who is logged in to the cloud."""
    (tmp_path / "home").mkdir()
    shell = environment(Inputs().write(tmp_path / "inputs"), HOME=str(tmp_path / "home"))
    path = os.pathsep.join(filter(None, [cloud.login.get("PATH"), shell["PATH"]]))
    return {**shell, **cloud.login, "PATH": path}


@pytest.fixture
def root(name: str, cloud: Cloud, logged_in: dict[str, str], render: Render, tmp_path: Path) -> Path:
    rendered = render(cluster_environments=[name], providers=["github_copilot"], **cloud.answers)
    root = Path(shutil.copytree(rendered, tmp_path / "repository"))
    answer = seal(root, env=logged_in)
    assert answer.returncode == 0, answer.stderr
    assert f"{name} can be read by " in answer.stdout
    assert cloud.answers[f"{name}_kms_key"] in answer.stdout
    return root


def opened(root: Path, file: Path, env: dict[str, str]) -> dict[str, str]:
    command = [str(tools.path("sops")), "decrypt", "--output-type", "json", str(file)]
    answer = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout)["stringData"])


def test_the_cloud_alone_opens_what_was_sealed_rotated_and_rekeyed(
    name: str, root: Path, logged_in: dict[str, str]
) -> None:
    file = root / "secrets" / name / f"{SECRET}.sops.yaml"
    assert seal(root, "--check").returncode == 0
    shutil.rmtree(root / "keys")
    values = opened(root, file, logged_in)
    for arguments in (("--rotate", SECRET), ("--rotate", SECRET, "--key", "password"), ("--rekey",)):
        before = file.read_text()
        answer = seal(root, *arguments, env=logged_in)
        assert answer.returncode == 0, answer.stderr
        assert file.read_text() != before
        assert opened(root, file, logged_in) == values
    assert seal(root, "--check").returncode == 0


def test_age_alone_opens_it_too(name: str, root: Path, cloud: Cloud) -> None:
    cloud.calls.clear()
    key = environment(SOPS_AGE_KEY_FILE=str(root / "keys" / f"{name}.agekey"))
    assert opened(root, root / "secrets" / name / f"{SECRET}.sops.yaml", key)
    assert not cloud.calls


def test_who_is_not_logged_in_is_told(name: str, root: Path, tmp_path: Path) -> None:
    answer = seal(root, "--rotate", SECRET, env=environment(tmp_path / "inputs", AWS_EC2_METADATA_DISABLED="true"))
    assert answer.returncode == 1
    assert "Log in (aws sso login, gcloud auth application-default login, az login)" in answer.stderr
