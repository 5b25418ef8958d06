"""The templates and repositories that are measured, in one temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import tools
from tests.conftest import render_into
from tests.support.inputs import Inputs
from tests.support.template import ROOT, copy_template

HOLLOW = 83  # files that the demo had when the target for a copy was set
# as `make demo` renders it
DEMO: dict[str, Any] = {
    **yaml.safe_load((ROOT / "examples" / "answers" / "demo.yml").read_text()),
    "tooling": "pinned",
}


class Bench:
    """A folder with this template, one that holds a single empty file, one with as many as the demo, and the demo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = Inputs().write(folder / "inputs")
        path = os.pathsep.join([str(tools.path("sops").parent), "/usr/bin", "/bin"])
        self.environment = {
            "PATH": path,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "ignore",
            "LITELLM_GITOPS_INPUTS": str(self.inputs),
        }
        os.environ.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")
        self.template = copy_template(folder / "template")
        self.demo = self.render(self.template, DEMO)
        self.answers = folder / "demo.yml"
        self.answers.write_text(yaml.safe_dump(DEMO))
        self.count = sum(path.is_file() for path in self.demo.rglob("*"))
        self.empty = self._hollow("empty", ["file"])
        self.hollow = self._hollow("hollow", [f"folder-{number % 12}/{number}" for number in range(HOLLOW)])
        self.released = self._release(self.template)
        self.empty_released = self._release(self.empty)
        self.hollow_released = self._release(self.hollow)

    def track(self, folder: Path) -> None:
        """Put a folder under git."""
        git = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        self.call([*git, "init", "--quiet", "--initial-branch", "main"], folder)
        self.call([*git, "add", "--all"], folder)
        self.call([*git, "commit", "--quiet", "--message", "State"], folder)
        self.call([*git, "tag", "v0.1.0"], folder)

    def render(self, template: Path, answers: dict[str, Any]) -> Path:
        """Render a folder in this process, as copier does it, without sealing; the new repository."""
        return render_into(self.fresh("rendered"), template, answers)

    def copy(self, template: Path, *arguments: str) -> None:
        """`copier copy` of a template in git, as a process of its own."""
        options = ["--trust", "--defaults", "--quiet", *arguments]
        self.run(["-m", "copier", "copy", *options, str(template), str(self.fresh("copied"))])

    def seal(self, root: Path) -> None:
        """Give a rendered repository its Secrets."""
        self.run(["-B", "hooks/seal_secrets.py"], root)

    def validate(self, root: Path) -> None:
        """The suite of a repository, in a process of its own that starts from nothing."""
        self.run(["-m", "pytest"], root)

    def run(self, arguments: list[str], cwd: Path | None = None) -> None:
        """Run Python, which must succeed."""
        self.call([sys.executable, *arguments], cwd)

    def call(self, command: list[str], cwd: Path | None = None, given: bytes = b"") -> bytes:
        """Run a program, which must succeed; what it printed."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            told = (done.stdout + done.stderr).decode(errors="replace")
            raise SystemExit(f"{' '.join(command[:6])} failed: {told[-2000:]}")
        return done.stdout

    def fresh(self, name: str) -> Path:
        """A path in a new folder, of which nothing is there yet."""
        self.made = getattr(self, "made", 0) + 1
        return self.folder / f"{self.made}" / name

    def _release(self, template: Path) -> Path:
        folder = Path(shutil.copytree(template, self.folder / f"{template.name}-released"))
        self.track(folder)
        return folder

    def _hollow(self, name: str, files: list[str]) -> Path:
        folder = self.folder / name
        for file in files:
            path = folder / "template" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (folder / "copier.yml").write_text("_subdirectory: template\n")
        return folder
