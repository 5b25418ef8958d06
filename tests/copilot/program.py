"""Runs the command as a user does: in a repository, as a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.copilot.fake_github import FakeGitHub
from tests.support.warm import Warm

ROOT = Path(__file__).parents[2]
PROGRAM = Path("hooks", "get_copilot_token.py")
ENTRY = ROOT / "template" / PROGRAM


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


class Sandbox:
    """A folder with a repository, a home and a folder for temporary files, and nothing else.

    The repository is a copy of `rendered`, or holds nothing but the program and the package. With `warm`, a run does
    without imports.
    """

    def __init__(self, root: Path, rendered: Path | None = None, *, warm: Warm | None = None) -> None:
        self.root = root
        self._warm = warm
        self.repository = root / "repository"
        self.home = root / "home"
        self.tmp = root / "tmp"
        for folder in (self.home, self.tmp):
            folder.mkdir(parents=True)
        self.program = self.repository / PROGRAM
        if rendered is not None:
            shutil.copytree(rendered, self.repository)
        else:
            self.program.parent.mkdir(parents=True)
            shutil.copy(ENTRY, self.program)
            (self.repository / "vendor").symlink_to(ROOT / "src")
        self._before = self._names()

    def change(self, lines: str) -> None:
        """Makes the program one that does `lines` first, once the package can be imported."""
        start, imports, rest = self.program.read_text("utf-8").partition("try:\n")
        self.program.write_text(f"{start}{lines}\n{imports}{rest}")

    @property
    def new(self) -> list[str]:
        """What a run added to the root of the repository."""
        return sorted(self._names() - self._before)

    def _names(self) -> set[str]:
        return {path.name for path in self.repository.iterdir()}

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
        env: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts the program, with no terminal. `before`: a command that runs it, as a tracer."""
        return subprocess.Popen(
            [*before, sys.executable, str(self.program), *map(str, options)],
            cwd=cwd or self.repository,
            env=self.environment(github, **(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_with_default_signals,
        )

    def run(
        self,
        github: FakeGitHub | None,
        *options: str | Path,
        env: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
        cwd: Path | None = None,
    ) -> Finished:
        """Runs the program to its end, with no terminal."""
        if self._warm and not before:
            shell = self.environment(github, **(env or {}))
            arguments = map(str, options)
            run = self._warm.run(self.program, *arguments, cwd=cwd or self.repository, env=shell)
            return Finished(run.returncode, run.stdout, run.stderr)
        return finish(self.start(github, *options, env=env, before=before, cwd=cwd))


def finish(process: subprocess.Popen[bytes], timeout: float = 60.0) -> Finished:
    """Waits for the end of `process`."""
    try:
        out, err = process.communicate(timeout=timeout)
    except BaseException:
        process.kill()
        raise
    return Finished(process.returncode, out.decode(), (err or b"").decode())


def eventually(holds: Callable[[], object], what: str, timeout: float = 20.0) -> None:
    """Blocks until `holds()`."""
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.01)


def _with_default_signals() -> None:
    """A job in the background ignores Ctrl-C, and so do its children; a user's program does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """The program before a person at a terminal, as a context manager."""

    def __init__(
        self,
        sandbox: Sandbox,
        github: FakeGitHub | None,
        *options: str | Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, str(sandbox.program), *map(str, options)]
        self._environment = {"TERM": "xterm", **sandbox.environment(github, **(env or {}))}
        self._cwd = sandbox.repository
        self._raw = b""

    def __enter__(self) -> Terminal:
        self._master, slave = pty.openpty()

        def become_its_foreground() -> None:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            _with_default_signals()

        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environment,
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            preexec_fn=become_its_foreground,
        )
        os.close(slave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        os.close(self._master)

    @property
    def screen(self) -> str:
        """Everything that was shown so far."""
        return self._raw.decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, text: str, timeout: float = 20.0) -> None:
        """Blocks until `text` is shown."""
        end = time.monotonic() + timeout
        while text not in self.screen:
            assert time.monotonic() < end, f"{text!r} is not shown:\n{self.screen}"
            assert self._read(0.1) or self._process.poll() is None, self.screen

    def finish(self, timeout: float = 60.0) -> int:
        """Waits for the end of the program; returns its exit code."""
        end = time.monotonic() + timeout
        while self._process.poll() is None:
            assert time.monotonic() < end, self.screen
            self._read(0.1)
        while self._read(0):
            pass
        assert self._process.stdout is not None
        assert self._process.stdout.read() == b"", "stdout is empty"
        return self._process.returncode

    def _read(self, wait: float) -> bool:
        if not select.select([self._master], [], [], wait)[0]:
            return False
        with contextlib.suppress(OSError):  # Linux: the other side is closed
            data = os.read(self._master, 65536)
            self._raw += data
            return bool(data)
        return False
