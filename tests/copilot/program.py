"""Runs the shipped program as a user does: in a repository, as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.copilot.fake_github import FakeGitHub

PROGRAM = Path(__file__).parents[2] / "template" / "hooks" / "get_copilot_token.py"


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


class Sandbox:
    """A folder with a repository, a home and a folder for temporary files, and nothing else."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = root / "repository"
        self.home = root / "home"
        self.tmp = root / "tmp"
        for folder in (self.home, self.tmp, self.repository / "hooks"):
            folder.mkdir(parents=True)
        self.program = self.repository / "hooks" / PROGRAM.name
        shutil.copy(PROGRAM, self.program)

    @property
    def token(self) -> Path:
        """Where the token goes by default."""
        return self.repository / "access-token"

    def environment(self, github: FakeGitHub | None, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "LANG": "C.UTF-8",
            **(github.environment if github is not None else {}),
            **more,
        }

    def start(
        self,
        github: FakeGitHub | None,
        *options: str | Path,
        env: dict[str, str] | None = None,
        before: tuple[str, ...] = (),
        stdin: int = subprocess.DEVNULL,
        stderr: int = subprocess.PIPE,
        cwd: Path | None = None,
        **more: object,
    ) -> subprocess.Popen[bytes]:
        """Starts the program. `before`: a command that runs it, such as a tracer."""
        return subprocess.Popen(
            [*before, sys.executable, str(self.program), *map(str, options)],
            cwd=cwd or self.repository,
            env=self.environment(github, **(env or {})),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            preexec_fn=_as_from_a_terminal,
        )

    def run(
        self,
        github: FakeGitHub | None,
        *options: str | Path,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Finished:
        """Runs the program to its end, with no terminal."""
        return finish(self.start(github, *options, env=env, cwd=cwd))


def finish(process: subprocess.Popen[bytes], timeout: float = 60.0) -> Finished:
    """Waits for the end of `process`."""
    try:
        out, err = process.communicate(timeout=timeout)
    except BaseException:
        process.kill()
        raise
    return Finished(process.returncode, out.decode(), (err or b"").decode())


def _as_from_a_terminal() -> None:
    """A job in the background ignores Ctrl-C, and so do its children; a user's program does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
