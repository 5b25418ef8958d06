"""README's way from a running release with `kubectl create secret` into this repository, with its keys and database."""

from __future__ import annotations

import base64
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sealed import environment, opened, seal

KUBECTL = """#!/bin/sh
case "$*" in
  *"exec deploy/litellm -- sh -c "*) shift 5; {variables} exec "$@" ;;
  *) cat "{folder}/$5.${{7#*data.}}" ;;
esac
"""


@pytest.mark.parametrize("salted", [True, False], ids=["with a salt key", "without"])
def test_the_keys_and_the_login_of_a_running_release_are_kept(
    render: Callable[..., Path], tmp_path: Path, salted: bool
) -> None:
    root = Path(
        shutil.copytree(render(cluster_environments=["aws"], providers=["github_copilot"]), tmp_path / "repository")
    )
    master, salt = f"sk-{secrets.token_hex(16)}", f"sk-{secrets.token_hex(32)}"
    login = {"host": "db.internal:5433", "username": "codemie", "password": 'p@ss/w:rd $1 \\ "x" #&'}
    for name, values in {"litellm-masterkey": {"masterkey": master}, "litellm-postgresql": login}.items():
        for key, value in values.items():
            (tmp_path / f"{name}.{key}}}").write_bytes(base64.b64encode(value.encode()))
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    variables = f"PROXY_MASTER_KEY={master}" + (f" LITELLM_SALT_KEY={salt}" if salted else "")
    (bin_ / "kubectl").write_text(KUBECTL.format(variables=variables, folder=tmp_path))
    (bin_ / "kubectl").chmod(0o755)
    (script,) = re.findall(r"### Moving in\n.*?```sh\n(.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)
    shell = environment()
    shell["PATH"] = f"{bin_}:{shell['PATH']}"
    done = subprocess.run(["sh", "-c", script], cwd=root, env=shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (root / "deployment_outputs.env").stat().st_mode & 0o777 == 0o600
    answer = seal(root)
    assert answer.returncode == 3, "the token of Copilot is missing yet"
    assert "litellm-salt-key (aws) has LITELLM_SALT_KEY from deployment_outputs.env" in answer.stderr
    found = opened(root, "aws/litellm-[mps]*")
    assert found["aws", "litellm-masterkey"] == {"masterkey": master}
    assert found["aws", "litellm-salt-key"] == {"LITELLM_SALT_KEY": salt if salted else master}
    sealed = found["aws", "litellm-postgresql"]
    assert sealed == {**login, "password": "p%40ss%2Fw%3Ard%20%241%20%5C%20%22x%22%20%23%26"}
