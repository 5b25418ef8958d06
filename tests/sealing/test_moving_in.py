"""README's way from a running release with `kubectl create secret` into this repository, with its keys and database."""

from __future__ import annotations

import base64
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.project import commit, git
from tests.support.sealed import environment, opened, seal

KUBECTL = """#!/bin/sh
case "$*" in
  *"exec deploy/litellm -- sh -c "*) shift 5; {variables} exec "$@" ;;
  *) cat "{folder}/$5.${{7#*data.}}" ;;
esac
"""


# What a shell, sed, a URL and a reader of KEY=value would each take for something else.
ODD = {
    "all kinds": 'p@ss/w:rd $1 \\ "x" #&',
    "quotes": "pa'ss'word",
    "one quote": "'",
    "both kinds of quotes": """'"'"'""",
    "a backslash before a quote": "\\'",
    "a backslash at the end": "pass\\",
    "what a shell would run": "$(id)`id`${HOME}!!",
    "what sed would put in": "a&\\1/g",
    "spaces around": " pass word ",
    "percent": "%41%%s%n",
    "another alphabet": "pässwörd-密码",
    "an end of a line's comment": "pass #word",
    "a dash": "-n",
}


@dataclass
class Release:
    """A repository as copier left it, and a kubectl that shows a running release."""

    root: Path
    folder: Path

    def has(self, secrets_: dict[str, dict[str, str]], variables: dict[str, str]) -> None:
        """What the release has: the values of its Secrets, and the variables of its pod."""
        for name, values in secrets_.items():
            for key, value in values.items():
                (self.folder / f"{name}.{key}}}").write_bytes(base64.b64encode(value.encode()))
        (self.folder / "bin").mkdir()
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        (self.folder / "bin" / "kubectl").write_text(KUBECTL.format(variables=given, folder=self.folder))
        (self.folder / "bin" / "kubectl").chmod(0o755)

    def script(self) -> tuple[str, str, list[str]]:
        """README's commands: what reads, what removes, and the arguments of each call of sealing."""
        text = (self.root / "README.md").read_text("utf-8").partition("### Moving in\n")[2]
        read, last = text.partition("```sh\n")[2].partition("```")[0].split("grep -q", 1)
        remove, calls = last.rstrip().removesuffix("; }").split(" && { ")
        return (
            read,
            f"grep -q{remove}",
            [call.removeprefix("uv run hooks/seal_secrets.py") for call in calls.split("; ")],
        )

    def follow(self) -> list[subprocess.CompletedProcess[str]]:
        """Do what README says, and return what each call of sealing answered."""
        read, remove, calls = self.script()
        self.run(read)
        assert (self.root / "deployment_outputs.env").stat().st_mode & 0o777 == 0o600
        self.run(remove)
        return [seal(self.root, *arguments.split()) for arguments in calls]

    def run(self, script: str) -> None:
        shell = environment()
        shell["PATH"] = f"{self.folder / 'bin'}:{shell['PATH']}"
        done = subprocess.run(
            ["sh", "-c", script], cwd=self.root, env=shell, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def release(render: Callable[..., Path], tmp_path: Path) -> Release:
    answers = {"cluster_environments": ["aws"], "providers": ["github_copilot"]}
    return Release(Path(shutil.copytree(render(**answers), tmp_path / "repository")), tmp_path)


@pytest.mark.parametrize("before", ["nothing is sealed", "copier has sealed", "that is committed"])
@pytest.mark.parametrize("salted", [True, False], ids=["with a salt key", "without"])
def test_the_keys_and_the_login_of_a_running_release_are_kept(release: Release, salted: bool, before: str) -> None:
    if before != "nothing is sealed":
        assert seal(release.root).returncode == 3
    if before == "that is committed":
        git(release.root, "init", "--quiet")
        commit(release.root, "Render")
    master, salt = f"sk-{secrets.token_hex(16)}", f"sk-{secrets.token_hex(32)}"
    login = {"host": "db.internal:5433", "username": "codemie", "password": ODD["all kinds"]}
    variables = {"PROXY_MASTER_KEY": master} | ({"LITELLM_SALT_KEY": salt} if salted else {})
    release.has({"litellm-masterkey": {"masterkey": master}, "litellm-postgresql": login}, variables)
    first, last = release.follow()
    assert (first.returncode, last.returncode) == (3, 3), "the token of Copilot is missing yet"
    assert "litellm-salt-key (aws) has LITELLM_SALT_KEY from deployment_outputs.env" in first.stderr
    found = opened(release.root, "aws/litellm-[mps]*")
    assert found["aws", "litellm-masterkey"] == {"masterkey": master}
    assert found["aws", "litellm-salt-key"] == {"LITELLM_SALT_KEY": salt if salted else master}
    sealed = found["aws", "litellm-postgresql"]
    assert sealed == {**login, "password": "p%40ss%2Fw%3Ard%20%241%20%5C%20%22x%22%20%23%26"}


@pytest.mark.parametrize("names", [[*ODD][start : start + 3] for start in range(0, len(ODD), 3)], ids=", ".join)
def test_a_value_of_any_characters_is_sealed_as_the_cluster_had_it(release: Release, names: list[str]) -> None:
    master, salt, password = (ODD[name] for name in (*names, *ODD)[:3])
    login = {"host": "db.internal", "username": "codemie", "password": password}
    release.has({"litellm-masterkey": {"masterkey": master}, "litellm-postgresql": login}, {"LITELLM_SALT_KEY": salt})
    release.follow()
    found = opened(release.root, "aws/litellm-[mps]*")
    assert found["aws", "litellm-masterkey"] == {"masterkey": master}
    assert found["aws", "litellm-salt-key"] == {"LITELLM_SALT_KEY": salt}
    assert unquote(found["aws", "litellm-postgresql"]["password"]) == password


def test_keys_that_were_made_here_stay_until_both_old_ones_are_there(release: Release) -> None:
    assert seal(release.root).returncode == 3
    before = opened(release.root, "aws/litellm-[ms]*")
    (release.root / "deployment_outputs.env").write_text("LITELLM_MASTER_KEY='sk-old'\n")
    assert subprocess.run(["sh", "-c", release.script()[1]], cwd=release.root, check=False).returncode == 1
    assert opened(release.root, "aws/litellm-[ms]*") == before
