"""`uv run` in a rendered repository, with the real uv: the first one installs, the others need no network."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.project import Start, commit
from tests.support.sealed import environment
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
    root = start("v0.1.0", tooling=tooling).root
    first = run(root, "hooks/auth_matrix.py", folder=cache.root() / "uv", **network())
    assert first.returncode == 0, first.stdout + first.stderr
    commit(root, "Lock")
    offline = partial(run, root, folder=tmp_path / "empty", UV_OFFLINE="1")
    for command in (("--locked", "pytest"), ("hooks/seal_secrets.py", "--check"), ("hooks/guard_staged.py",)):
        done = offline(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    package = offline("python", "-c", "import litellm_gitops; print(litellm_gitops.__file__)")
    assert (tooling == "pinned") is ("site-packages" in package.stdout), package.stderr
