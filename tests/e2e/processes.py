"""The programs of one test run: started on loopback, logged, and never left behind.

Every program carries the run's folder in its environment. Whoever has that mark belongs to the
run, whatever process group it put itself in, so a run can be swept clean by it: at its end, and
by the next run when it was killed.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

# Programs in Go tidy up their memory four times as seldom, and as ever where they have as much as this.
GO = {"GOGC": "400", "GOMEMLIMIT": "700MiB"}
MARK = "LITELLM_GITOPS_E2E_RUN"
LAST_LINES = 15
# How the programs mark what went wrong: klog, zap, logrus, Go itself.
COMPLAINT = re.compile(r'^[EF]\d{4} |"level":"(error|fatal)"|level=(error|fatal)|^panic:')

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class NotReadyError(Exception):
    """Something did not come to be in time, or ended too early; the message says what was seen."""


def slowness() -> float:
    """How much longer anything takes than on a machine that does nothing else: how many want each core.

    At most eight times: what hangs should end some day.
    """
    return min(max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0))), 8.0)


class Deadline:
    """Passes after `seconds` of an idle machine; on a busy one as much later as it is slower."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._looked = time.monotonic()

    def passed(self) -> bool:
        """Whether that time is over."""
        now = time.monotonic()
        self._left -= (now - self._looked) / slowness()
        self._looked = now
        return self._left < 0


def wait_for(
    what: str,
    check: Callable[[], bool],
    *,
    timeout: float,
    seen: Callable[[], str] = lambda: "",
    pause: float = 0.1,
) -> None:
    """Waits until `check` is true; `NotReadyError` with what was `seen` when the deadline of `timeout` has passed."""
    deadline = Deadline(timeout)
    while not check():
        if deadline.passed():
            raise NotReadyError(f"{what}: not within {timeout:.0f} s. {seen()}".strip())
        time.sleep(pause)


def last_lines(log: Path, only: re.Pattern[str] = re.compile("")) -> str:
    """The end of a log file: the last lines in which `only` is found."""
    text = log.read_text("utf-8", errors="replace") if log.exists() else ""
    lines = [line[:500] for line in text.splitlines() if only.search(line)]
    return "\n".join(lines[-LAST_LINES:])


class _Ports:
    """Free ports of 127.0.0.1, below the range that the kernel takes for outgoing connections.

    Each worker of pytest-xdist has a thousand of its own, so that no two take the same one.
    """

    def __init__(self) -> None:
        self._given: set[int] = set()
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        self._first = 20_000 + worker % 12 * 1000

    def free(self) -> int:
        for _ in range(1000):
            port = self._first + random.randrange(1000)
            if port in self._given:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self._given.add(port)
            return port
        raise NotReadyError(f"no free port on 127.0.0.1 from {self._first} on")


free_port = _Ports().free


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Process:
    """A running program and its log."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def require(self, check: Callable[[], bool], timeout: float) -> None:
        """Waits until `check` is true; `NotReadyError` with the last log lines if it never is."""

        def ended_or_ready() -> bool:
            return self.popen.poll() is not None or check()

        def seen() -> str:
            return f"Its last lines:\n{last_lines(self.log)}"

        wait_for(f"{self.name} is ready", ended_or_ready, timeout=timeout, seen=seen, pause=0.05)
        if self.popen.poll() is not None:
            raise NotReadyError(f"{self.name} ended with {self.popen.returncode}. {seen()}")


@dataclass
class Processes:
    """Programs that live and die together."""

    folder: Path
    environment: Mapping[str, str]
    running: list[Process] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        argv0: str | None = None,
    ) -> Process:
        """Starts `command` with a log of its own.

        `argv0` is the name that it is told to have. Call it on the main thread: the kernel ends
        the program with the thread that started it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [argv0 or str(command[0]), *command[1:]],
                executable=command[0],
                env={**self.environment, **(env or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the tests alone, which then stop this
                preexec_fn=_die_with_parent,
            )
        process = Process(name, popen, log)
        self.running.append(process)
        return process

    def end(self, process: Process) -> None:
        """Ends one of them."""
        if process.popen.poll() is None:
            os.killpg(process.popen.pid, signal.SIGKILL)
        process.popen.wait()
        self.running.remove(process)

    def stop(self) -> None:
        """Ends all, the last started first. Nothing that they hold is needed, so at once."""
        for process in reversed(self.running):
            if process.popen.poll() is None:
                os.killpg(process.popen.pid, signal.SIGKILL)
        for process in self.running:
            process.popen.wait()
        self.running.clear()


class Run:
    """A run's folder, and the mark by which its programs are known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = (folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        atexit.register(self.sweep)

    @classmethod
    def begin(cls, base: Path | None = None) -> Self:
        """A new run. Sweeps what runs that were killed have left, and removes ended ones."""
        base = base or Path(tempfile.gettempdir(), f"litellm-gitops-e2e-{os.getuid()}")
        base.mkdir(mode=0o700, exist_ok=True)
        with (base / ".lock").open("w") as lock:  # a run that begins has a folder before it holds it
            fcntl.flock(lock, fcntl.LOCK_EX)
            for old in base.glob("run-*"):
                if _is_over(old):
                    sweep(old)
                    _remove(old)
            return cls(Path(tempfile.mkdtemp(prefix="run-", dir=base)))

    def environment(self, **more: str | Path) -> dict[str, str]:
        """What every program of the run gets, and `more`: nothing of the person's own settings."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        basis = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        return {**basis, **GO, MARK: str(self.folder), **{name: str(v) for name, v in more.items()}}

    def sweep(self) -> None:
        """Ends every program that still carries the run's mark."""
        sweep(self.folder)

    def end(self, keep: bool) -> None:
        """Sweeps; removes the folder unless it is to be kept until the next run."""
        self.sweep()
        atexit.unregister(self.sweep)
        self._lock.close()
        if not keep:
            _remove(self.folder)


def _remove(folder: Path) -> None:
    """Removes a folder with all in it, also what Argo CD lets nobody list, itself included."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            if not (child := Path(parent, name)).is_symlink():
                child.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _is_over(folder: Path) -> bool:
    """Whether nobody holds the lock of that run any more."""
    try:
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # half removed
        return True
    return True


def marked(folder: Path) -> list[int]:
    """The ids of all processes that carry the mark of the run in `folder`."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def sweep(folder: Path) -> None:
    """Ends every process that carries the mark of the run in `folder`."""
    for _ in range(50):
        pids = marked(folder)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)
