"""The two ways to start a proxy: by its own command, and by a fork of a program that has imported it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.conftest import ROOT
from tests.e2e.processes import NotReadyError, Process, Processes, last_lines, wait_for
from tests.proxy.running import program

# what the values give to every pod: LiteLLM reads it while it is imported
IMPORTED = {"AIOHTTP_TRUST_ENV": "True", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}


@dataclass
class Command:
    """Starts `litellm`, which takes its time. `within` is a command that runs the one after it."""

    processes: Processes
    within: Sequence[str | Path] = ()

    def start(self, arguments: list[str], env: Mapping[str, str], log: Path) -> Started:
        """A running proxy."""
        command: list[str | Path] = [*self.within, program(), *arguments]
        return Started(self.processes.start(log.stem, command, env=env))


@dataclass
class Started:
    """A process of its own."""

    process: Process

    @property
    def pid(self) -> int:
        """Its id."""
        return self.process.popen.pid

    @property
    def log(self) -> Path:
        """The file of what it says."""
        return self.process.log

    def require(self, check: Callable[[], bool], timeout: float) -> None:
        """Waits until `check` is true; raises `NotReadyError` if it never is."""
        self.process.require(check, timeout)


@dataclass
class Forked:
    """A fork. What it connects to without asking the HTTP proxy is written down."""

    pid: int
    log: Path

    def require(self, check: Callable[[], bool], timeout: float) -> None:
        """Waits until `check` is true; raises `NotReadyError` if it never is."""

        def ended_or_ready() -> bool:
            return not self.alive() or check()

        wait_for("litellm is ready", ended_or_ready, timeout=timeout, seen=lambda: last_lines(self.log), pause=0.02)
        if not self.alive():
            raise NotReadyError(f"litellm has ended. Its last lines:\n{last_lines(self.log)}")

    def alive(self) -> bool:
        """Whether it runs."""
        return Path("/proc", str(self.pid)).exists()

    def connected(self) -> list[str]:
        """The addresses outside of this machine that it has tried to connect to."""
        return self.log.with_suffix(".connects").read_text().splitlines()

    def move_clock(self, seconds: int) -> None:
        """Lets its clock be ahead."""
        new = self.log.with_suffix(".moved")
        new.write_text(str(seconds))
        new.replace(self.log.with_suffix(".clock"))  # at once: it may be read at any time

    def end(self) -> None:
        """Ends it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@dataclass
class Forks:
    """Starts proxies by fork; from any thread."""

    forker: subprocess.Popen[str]
    log: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, arguments: list[str], env: Mapping[str, str], log: Path) -> Forked:
        """A running proxy."""
        order = {"args": arguments, "env": dict(env), "log": str(log), "folder": env["HOME"]}
        log.touch()
        log.with_suffix(".connects").touch()
        assert self.forker.stdin is not None
        assert self.forker.stdout is not None
        with self.lock:
            self.forker.stdin.write(json.dumps(order) + "\n")
            self.forker.stdin.flush()
            pid = self.forker.stdout.readline()
        if not pid:
            raise NotReadyError(f"LiteLLM cannot be imported:\n{last_lines(self.log)}")
        return Forked(int(pid), log)


@contextmanager
def forking(authority: trustme.CA, folder: Path, before: Path | None = None) -> Iterator[Forks]:
    """What starts proxies by fork. LiteLLM is imported with what all pods have alike, trusting this authority.

    A folder `before` its packages may hold another release of it.
    """
    ca_file = folder / "ca.crt"
    authority.cert_pem.write_to_path(str(ca_file))
    env = {**IMPORTED, "PATH": os.defpath, "HOME": str(folder), "SSL_CERT_FILE": str(ca_file)}
    env |= {"PYTHONPATH": str(before)} if before else {}
    command: list[str | Path] = [program().with_name("python"), "-P", ROOT / "tests" / "proxy" / "forker.py"]
    said = folder / "forker.log"
    with said.open("w") as log:
        forker = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    with forker:
        yield Forks(forker, said)
