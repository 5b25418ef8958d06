"""`uv run` in a rendered repository, with the real uv: the first one installs, the others need no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.inputs import Inputs
from tests.support.project import ANSWERS, Project, Start, commit, git
from tests.support.sealed import environment
from tests.support.warm import Warm
from tools import cache

UV = Path(sys.executable).with_name("uv")


def network() -> dict[str, str]:
    """How this machine reaches a package index: as its pip is told to, unless its uv is."""
    passed = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "UV_DEFAULT_INDEX")
    found = {name: os.environ[name] for name in passed if name in os.environ}
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL", index)
    return {"UV_DEFAULT_INDEX": index, **found} if index else found


def run(root: Path, *command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`uv run COMMAND` with this interpreter, sops on PATH, and nothing of the user's."""
    env = environment(None, UV_CACHE_DIR=str(folder), UV_PYTHON=sys.executable, HOME=str(root.parent), **more)
    return subprocess.run(
        [UV, "run", *command], cwd=root, env=env, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("tooling", ["vendored", "pinned"])
def test_uv_installs_once_and_needs_no_network_afterwards(tooling: str, start: Start, tmp_path: Path) -> None:
    project = start("v0.0.2", tooling=tooling)
    root = project.root
    first = run(root, "hooks/auth_matrix.py", folder=cache.root() / "uv", **network())
    assert first.returncode == 0, first.stdout + first.stderr
    commit(root, "Lock")
    offline = partial(run, root, folder=tmp_path / "empty", UV_OFFLINE="1")
    for command in (("--locked", "pytest"), ("hooks/seal_secrets.py", "--check"), ("hooks/guard_staged.py",)):
        done = offline(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    package = offline("python", "-c", "import litellm_gitops; print(litellm_gitops.__file__)")
    assert (tooling == "pinned") is ("site-packages" in package.stdout), package.stderr
    # the packages of the lock update the repository, and seal in it
    done = offline("--locked", "copier", "update", "--trust", "--defaults")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "template: was v0.0.2, is v0.1.0" in done.stderr
    assert "sealing needs" not in done.stderr
    assert "every Secret is there; nothing was changed" in done.stdout
    assert project.answer("_commit") == "v0.1.0"
    assert not project.conflicts()


def test_each_command_prints_the_next_until_the_repository_is_pushed(
    releases: Path, warm: Warm, tmp_path: Path
) -> None:
    above, inputs, bare = tmp_path / "above", tmp_path / "inputs", tmp_path / "bare.git"
    above.mkdir()
    inputs.mkdir()
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    url = "https://github.com/example/my-gateway.git"
    data = [
        f"--data={name}={value}" for name, value in {**ANSWERS, "project_name": "my-gateway", "repo_url": url}.items()
    ]
    copied = Project(above, inputs, warm).copier("copy", "--trust", "--defaults", *data, str(releases), "my-gateway")
    found = re.search(r"^  (cd .*my-gateway && uv run .* --fill)$", copied.stderr, re.MULTILINE)
    assert found, copied.stderr
    Inputs().write(inputs)
    who = [f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    env = environment(inputs, UV_CACHE_DIR=str(cache.root() / "uv"), UV_PYTHON=sys.executable, HOME=str(tmp_path))
    env |= {**dict.fromkeys(who, "somebody@example.com"), **network(), "GIT_CONFIG_COUNT": "1"}
    env |= {"GIT_CONFIG_KEY_0": f"url.{bare}.insteadOf", "GIT_CONFIG_VALUE_0": url}
    env["PATH"] = f"{UV.parent}:{env['PATH']}"

    def sh(command: str, folder: Path) -> str:
        done = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    root = above / "my-gateway"
    (validate,) = re.findall(r"^next: (.*)$", sh(found[1], above), re.MULTILINE)
    (record, send) = re.findall(r"^(?:next|then): (.*)$", sh(validate, root), re.MULTILINE)
    assert "\n   ".join([validate, *record.split(" && ", 2), send]) in (root / "README.md").read_text()
    sh(record.replace("uvx pre-commit install && ", ""), root)  # it asks GitHub for its hooks
    sh(send, root)
    assert git(root, "status", "--porcelain") == ""
    assert git(bare, "rev-parse", "main") == git(root, "rev-parse", "HEAD")
