"""`pytest -m signed` in a rendered repository: who made the image. Registry and Sigstore are out of reach here, so that
a program plays cosign: it notes how it was called, and ends as cosign does.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.answers import answers, everything
from tests.support.faults import AWS, CHART, Edit, at, set_value
from tests.support.warm import PYTEST, package

ANSWERS = everything()
PLAYED = """#!/bin/sh
printf '%s\\n' "$*" >> "${0%/*}/calls"
echo 'main.go:74: error during command execution: FAULT' >&2
exit CODE
"""


@pytest.fixture
def root(render: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(render(**ANSWERS), tmp_path / "repository"))


def suite(root: Path, code: int | None, fault: str = "no matching signatures") -> tuple[str, list[str]]:
    """What the suite prints, and the calls of a cosign that ends with `code`; without one there is none."""
    folder = root.parent / "bin"
    folder.mkdir()
    program = folder / "cosign"
    if code is not None:
        program.write_text(PLAYED.replace("CODE", str(code)).replace("FAULT", fault))
        program.chmod(0o755)
    env = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(root.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done: subprocess.CompletedProcess[str] = package().run(PYTEST, "-m", "signed", cwd=root, env=env)
    assert done.returncode == (0 if code == 0 else 1), done.stdout
    calls = folder / "calls"
    return done.stdout, calls.read_text().splitlines() if calls.exists() else []


def test_cosign_is_asked_once_for_each_image_as_readme_says(root: Path) -> None:
    printed, calls = suite(root, 0)
    assert "1 passed" in printed
    written = re.search(r"cosign (verify (?:.*\\\n)+.*)\n", (root / "README.md").read_text())
    assert written
    assert [sorted(call.split()) for call in calls] == [sorted(shlex.split(written[1].replace("\\\n", " ")))]


TAG: Edit = set_value(AWS, at((*CHART.image, "tag")), "v1.108.21")


def test_a_cluster_with_another_image_has_that_one_verified(root: Path) -> None:
    TAG(root)
    _, calls = suite(root, 0)
    assert len(calls) == 2
    assert any(":v1.108.21 " in call for call in calls)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (10, "has no signature — find out how"),
        (11, "is not in its registry — find out how"),
        (12, "is not signed by the workflow of its makers — find out how"),
        (13, "is not signed by the workflow of its makers — find out how"),
        (1, "was not verified: cosign ended with 1, main.go:74: error during command execution: no matching"),
        (None, "cosign is not on PATH, so nothing is verified — install it"),
    ],
)
def test_what_is_not_verified_fails_and_says_why(code: int | None, said: str, root: Path) -> None:
    printed, _ = suite(root, code)
    assert said in printed
    assert printed.count(" — ") == 1


def test_a_credential_in_what_cosign_says_is_not_shown(root: Path) -> None:
    secret = "hunter2" * 3
    printed, _ = suite(root, 1, f"GET https://user:{secret}@registry.example.com/v2/: UNAUTHORIZED")
    assert "cosign ended with 1" in printed
    assert secret not in printed


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_the_pipeline_verifies_apart_from_the_suite(platform: str, render: Callable[..., Path]) -> None:
    root = render(**answers(["aws"], ["bedrock"], ci_platform=platform))
    files = [*root.glob(".github/workflows/validate.yaml"), *root.glob(".gitlab-ci.yml")]
    (text,) = [file.read_text() for file in files]
    assert text.count("uv run --locked pytest -m signed") == 1
    assert re.search(r"cosign/v3/cmd/cosign@(?:v\d|\$version)", text)
