"""Two ways to watch a command: by strace, which sees every single write, and by what can be seen without it.

Both run it in a sandbox with a home, a folder for temporary files and a repository, and give what it showed to others:
arguments, environments, regular files, sockets, terminals, stdout, stderr. A pipe is the way into sops and is private.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tools
from tests.leaks import tracer
from tests.leaks.canaries import Seen
from tests.support.inputs import Inputs
from tests.support.sealed import environment

_EVERY_SECONDS = 0.1
INPUTS = ("deployment_outputs.env", "gcp-service-account.json", "access-token")


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder, as somebody."""
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


class Sandbox:
    """All folders that the commands of an operator can write to, and his inputs."""

    def __init__(self, root: Path, inputs: Inputs, *, inputs_inside: bool = False) -> None:
        """`inputs_inside`: the inputs lie in the root of the repository, where they are looked for by default."""
        self.root = root / "sandbox"
        self.repository = self.root / "repository"
        self.home = self.root / "home"
        self.tmp = self.root / "tmp"
        self.logs = root / "logs"
        for folder in (self.home, self.tmp, self.logs):
            folder.mkdir(parents=True)
        self.folder = inputs.write(self.repository if inputs_inside else self.root / "inputs")
        self._inside = inputs_inside

    @property
    def inputs(self) -> set[Path]:
        """The files that hold the inputs."""
        return {self.folder / name for name in INPUTS}

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the operator's shell."""
        own = {"HOME": str(self.home), "TMPDIR": str(self.tmp), "GIT_CONFIG_GLOBAL": os.devnull}
        return environment(None if self._inside else self.folder, **{**own, **more})

    def seal(self, *arguments: str) -> list[str]:
        """The command that seals."""
        return [sys.executable, "-B", str(self.repository / "hooks/seal_secrets.py"), *arguments]

    def files(self) -> Iterator[Seen]:
        """Every file but the inputs, by name and content, and what git keeps."""
        paths = sorted(self.root.rglob("*"))
        yield Seen("name of a file", "\n".join(map(str, paths)).encode())
        for path in paths:
            if path.is_file() and path not in self.inputs:
                yield Seen(f"file {path}", path.read_bytes())
        if (self.repository / ".git").is_dir():
            command = ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"]
            objects = subprocess.run(command, cwd=self.repository, capture_output=True, check=True, timeout=60)
            yield Seen("git objects", objects.stdout)


class Watch(ABC):
    """Runs commands in a sandbox and remembers what they showed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.seen: list[Seen] = []
        self._runs = 0

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        sops: Path | None = None,
        kill_after: float | None = None,
        strace: Sequence[str] = (),
        shell: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run `command` to its end, or for `kill_after` seconds.

        `sops`: another sops than the real one. `strace`: more of its options. `shell`: more variables of the operator.
        """
        self._runs += 1
        log = self.sandbox.logs / str(self._runs)
        log.mkdir()
        real = sops or tools.path("sops")
        path = os.pathsep.join([str(self._sops(real, log).parent), "/usr/bin", "/bin"])
        env = self.sandbox.environment(**{"PATH": path, **(shell or {})})
        with (log / "out").open("wb") as out, (log / "err").open("wb") as err:
            process = subprocess.Popen(
                [*self._before(log, strace), *command],
                env=env,
                cwd=self.sandbox.repository,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            assert process.stdin is not None
            process.stdin.write(stdin.encode())
            process.stdin.close()
            with self._meanwhile(process.pid):
                try:
                    process.wait(timeout=kill_after if kill_after is not None else 120)
                except subprocess.TimeoutExpired:
                    if kill_after is None:
                        raise
                    self._kill(process.pid)
                process.wait(timeout=60)
        for name in ("out", "err"):
            self.seen.append(Seen(f"std{name}", (log / name).read_bytes()))
        self.seen += self._after(log, env)
        self.seen += self.sandbox.files()
        return Finished(process.returncode, (log / "out").read_text(), (log / "err").read_text(errors="replace"))

    @abstractmethod
    def _sops(self, real: Path, log: Path) -> Path: ...

    @abstractmethod
    def _before(self, log: Path, strace: Sequence[str]) -> Sequence[str]: ...

    @abstractmethod
    def _after(self, log: Path, env: Mapping[str, str]) -> Iterator[Seen]: ...

    @contextlib.contextmanager
    def _meanwhile(self, pid: int) -> Iterator[None]:
        yield

    def _kill(self, session: int) -> None:
        os.killpg(session, signal.SIGKILL)


class Traced(Watch):
    """By strace."""

    def _sops(self, real: Path, log: Path) -> Path:
        return real

    def _before(self, log: Path, strace: Sequence[str]) -> Sequence[str]:
        return tracer.command(log / "trace", *strace)

    def _kill(self, session: int) -> None:
        # not strace itself, which would let the others go and lose what it has not written
        for pid in _session(session):
            with contextlib.suppress(OSError):
                if pid != session:
                    os.kill(pid, signal.SIGKILL)

    def _after(self, log: Path, env: Mapping[str, str]) -> Iterator[Seen]:
        writes: dict[str, list[bytes]] = {}
        mine = {f"{name}={value}".encode() for name, value in env.items()}
        for call in tracer.calls(log / "trace"):
            if call.name.startswith("execve"):
                lists = call.lists()
                arguments, variables = lists[0], lists[1] if len(lists) > 1 else []
                yield from _process(arguments, variables, mine)
            elif call.name.startswith(("open", "mkdir", "symlink", "rename")):
                if "O_CREAT" in call.rest.decode("latin-1") or not call.name.startswith("open"):
                    yield Seen("name of a file", call.text)
            elif call.name in ("sendfile", "copy_file_range", "splice"):
                if Path(call.source) in self.sandbox.inputs:
                    yield Seen(f"copy of {Path(call.source).name}", Path(call.source).read_bytes())
            elif not call.target.startswith("pipe:"):
                writes.setdefault(call.target, []).append(call.text)
        for target, texts in writes.items():
            yield Seen(f"file {target}", b"".join(texts))

    @property
    def log(self) -> bytes:
        """What strace wrote about the last run."""
        return (self.sandbox.logs / str(self._runs) / "trace").read_bytes()


class Untraced(Watch):
    """By what any user of the machine could look at: sops is held up while everything is copied, /proc is sampled."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._sampled: set[tuple[bytes, bytes]] = set()

    def _sops(self, real: Path, log: Path) -> Path:
        """A sops that first keeps what can be seen of itself, of its parent, and in all files."""
        shim, kept = log / "bin" / "sops", log / "kept"
        for folder in (shim.parent, kept):
            folder.mkdir()
        look = "cmdline environ"
        inputs = "\n".join(f"  {path}) ;;" for path in sorted(self.sandbox.inputs))
        shim.write_text(
            f"""#!/bin/sh
now={kept}/$$
mkdir $now
for each in {look}; do cat /proc/$$/$each > $now/sops-$each; done
for each in /proc/$PPID/fd/*; do
  case $(readlink $each) in
{inputs}
  *) if [ -f $each ]; then cat $each > $now/handle-${{each##*/}}; fi ;;
  esac
done
for each in {self.sandbox.tmp} {self.sandbox.home} {self.sandbox.repository}/.sealing \
  {self.sandbox.repository}/secrets {self.sandbox.repository}/litellm; do
  if [ -e $each ]; then cp -R $each $now/; fi
done
exec {real} "$@"
"""
        )
        shim.chmod(0o755)
        return shim

    def _before(self, log: Path, strace: Sequence[str]) -> Sequence[str]:
        assert not strace, "an option of strace, without strace"
        return ()

    @contextlib.contextmanager
    def _meanwhile(self, pid: int) -> Iterator[None]:
        done = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(pid, done))
        sampler.start()
        try:
            yield
        finally:
            done.set()
            sampler.join()

    def _sample(self, session: int, done: threading.Event) -> None:
        while not done.wait(_EVERY_SECONDS):
            for pid in _session(session):
                process = Path(f"/proc/{pid}")
                with contextlib.suppress(OSError):
                    seen = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
                    self._sampled.add(seen)

    def _after(self, log: Path, env: Mapping[str, str]) -> Iterator[Seen]:
        mine = {f"{name}={value}".encode() for name, value in env.items()}
        for arguments, variables in self._sampled:
            yield from _process(arguments.split(b"\0"), variables.split(b"\0"), mine)
        self._sampled.clear()
        for kept in sorted((log / "kept").iterdir()):
            if not (kept / "sops-environ").exists():
                continue  # killed before it looked
            command = (kept / "sops-cmdline").read_bytes().split(b"\0")
            held = (kept / "sops-environ").read_bytes().split(b"\0")
            yield from _process([b"sops", *command], held, mine)
            for path in sorted(kept.rglob("*")):
                if path.is_file() and not path.name.startswith("sops-"):
                    yield Seen(f"file {path}", path.read_bytes())
        shutil.rmtree(log / "kept")


def _process(arguments: Sequence[bytes], variables: Sequence[bytes], mine: set[bytes]) -> Iterator[Seen]:
    """What shows of a process. What its caller has in his environment it may inherit, but not where it is sops."""
    program = arguments[0].rpartition(b"/")[2].decode() if arguments else "?"
    yield Seen(f"arguments of {program}", b"\0".join(arguments))
    sops = any(each.rpartition(b"/")[2] == b"sops" for each in arguments[:3])
    shown = [each for each in variables if sops or each not in mine]
    yield Seen(f"environment of {program}", b"\0".join(shown))


def _session(session: int) -> Iterator[int]:
    """The processes of a session, the first one and all that it started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone in the meantime
            if stat.read_text().rpartition(")")[2].split()[3] == str(session):
                yield int(stat.parent.name)
