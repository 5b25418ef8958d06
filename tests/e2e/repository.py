"""A rendered repository in the hands of its operator: rendered, sealed, committed, pushed."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

import tools
from tests.e2e.processes import Deadline, Run
from tests.e2e.readme import commands
from tests.e2e.web import Outside
from tests.support.inputs import Inputs
from tests.support.template import copy_template

PAUSE = 0.1  # seconds between two looks at a running command


class CommandError(AssertionError):
    """A command of the operator failed; the message is what it said."""


def snapshot(folder: Path) -> Path:
    """The template as it is in the checkout, committed or not, as a git repository with a release."""
    copy_template(folder)
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        ["commit", "--quiet", "--message=Template"],
        ["tag", "v1.0.0"],
    ):
        subprocess.run([*git, *arguments], check=True)
    return folder


class Repository:
    """The operator's clone in `folder`, and the commands that an operator runs in it."""

    def __init__(self, run: Run, outside: Outside, folder: Path, inputs: Inputs) -> None:
        self.folder = folder
        self.inputs = inputs
        self.kubeconfig: Path | None = None
        self._run = run
        self._outside = outside
        self._bin = _programs(run)

    @classmethod
    def render(
        cls,
        run: Run,
        outside: Outside,
        template: Path,
        name: str,
        answers: Mapping[str, Any],
        inputs: Inputs,
    ) -> Repository:
        """A new repository, as `copier copy` leaves it."""
        folder = run.folder / "repositories" / name
        folder.parent.mkdir(exist_ok=True)
        repository = cls(run, outside, folder, inputs)
        repository.give(inputs)
        file = folder.with_suffix(".answers.yml")
        file.write_text(yaml.safe_dump(dict(answers)), "utf-8")
        repository.sh(
            f"copier copy --trust --defaults --quiet --data-file {shlex.quote(str(file))}"
            f" {shlex.quote(str(template))} {shlex.quote(str(folder))}",
            folder=folder.parent,
        )
        return repository

    def give(self, inputs: Inputs) -> None:
        """Puts these inputs, and no others, where sealing finds them."""
        self.inputs = inputs
        shutil.rmtree(self._inputs, ignore_errors=True)
        inputs.write(self._inputs)

    @property
    def _inputs(self) -> Path:
        return self.folder.with_suffix(".inputs")

    @property
    def answers(self) -> dict[str, Any]:
        """The answers that the repository was rendered from."""
        answers: dict[str, Any] = yaml.safe_load((self.folder / ".copier-answers.yml").read_text())
        return answers

    def environment(self) -> dict[str, str]:
        """What the operator's shell has: tools, inputs, a name for commits, the cluster."""
        env = self._run.environment() | self._outside.environment()
        env["PATH"] = f"{self._bin}:{env['PATH']}"
        env["LITELLM_GITOPS_INPUTS"] = str(self._inputs)
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "Operator", f"GIT_{who}_EMAIL": "operator@example.com"}
        if self.kubeconfig:
            env["KUBECONFIG"] = str(self.kubeconfig)
        return env

    def sh(
        self,
        script: str,
        *,
        folder: Path | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        timeout: float = 300,
        **more: str,
    ) -> str:
        """What `script` prints; a failure of any command in it is a `CommandError`.

        `meanwhile` is called again and again while it runs; `more` are further variables.
        """
        with subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder or self.folder,
            env=self.environment() | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            deadline = Deadline(timeout)
            try:
                while True:
                    try:
                        output, _ = process.communicate(timeout=PAUSE)
                        break
                    except subprocess.TimeoutExpired:
                        if deadline.passed():
                            raise CommandError(f"{script}\ntook over {timeout:.0f} s") from None
                        meanwhile()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # what it runs, too
                raise
        if process.returncode != 0:
            raise CommandError(f"{script}\nended with {process.returncode}:\n{output}")
        return output

    def follow(self, heading: str, environment: str | None = None, *, only: str = "", **options: Any) -> None:
        """Runs the commands of the README under `heading`; with `only`, the lines that begin so."""
        for block in commands(self.folder / "README.md", heading, environment):
            lines = [line for line in block.splitlines() if line.startswith(only)]
            self.sh("\n".join(lines), **options)

    def publish(self) -> str:
        """The first push, by the README's words; the commit."""
        self.follow("First steps", only="git ")
        return self.head()

    def push(self, message: str) -> str:
        """Commits all changes and pushes them; the commit."""
        self.sh(f"git add --all && git commit --quiet --message {shlex.quote(message)} && git push --quiet")
        return self.head()

    def head(self) -> str:
        """The commit that is checked out."""
        return self.sh("git rev-parse HEAD").strip()

    def manifests(self, folder: str) -> Iterator[dict[str, Any]]:
        """The objects that stand in the YAML files of a folder, whoever applies them."""
        for file in sorted((self.folder / folder).rglob("*.yaml")):
            for document in yaml.safe_load_all(file.read_text("utf-8")):
                if "name" in document.get("metadata", {}):
                    yield document

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces a text in a file; it must be there exactly once."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), "utf-8")


def _programs(run: Run) -> Path:
    """A folder with the programs that the README expects on PATH."""
    folder = run.folder / "bin"
    if not folder.exists():
        folder.mkdir()
        for program in ("kubectl", "sops", "helm", "age-keygen"):
            (folder / program).symlink_to(tools.path(program))
        _launcher(folder / "python", sys.executable)
        # `uv run` with the package and its dependencies in place: tests/test_tooling.py has the real one
        _script(folder / "uv", 'shift; case "$1" in *.py) exec python "$@";; *) exec "$@";; esac')
        _launcher(folder / "copier", sys.executable, "-W", "ignore", "-m", "copier")
        # `argocd gpg add --from FILE`: Argo CD's server is not here, which puts the one key under its id
        add = 'cd "$(dirname "$KUBECONFIG")/signers"; cat "$4" > new; gpg --show-keys --with-colons new > shown'
        _script(folder / "argocd", f"{add}; mv new \"$(awk -F: '/^pub/ {{print $5}}' shown)\"; rm shown")
        _launcher(folder / "flux", sys.executable, str(Path(__file__).with_name("flux_command.py")))
    return folder


def _launcher(file: Path, *command: str) -> None:
    _script(file, f'exec {shlex.join(command)} "$@"')


def _script(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
