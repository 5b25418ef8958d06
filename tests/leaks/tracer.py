"""strace: every write, every start of a program and every file that is made, whatever becomes of them afterwards."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# `?`: not every system call exists on every machine
_CALLS = (
    "execve,?execveat,write,pwrite64,writev,?pwritev,?pwritev2,sendto,sendmsg,?sendmmsg,"
    "?sendfile,?copy_file_range,?splice,openat,?open,?mkdir,mkdirat,?symlink,symlinkat,"
    "?rename,renameat,?renameat2,fsync"
)
_LINE = re.compile(rb"(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)")
# A number and what it stands for: 3</a/file>, 1<pipe:[12]>, 4<TCP:[127.0.0.1:1->127.0.0.1:2]>
_HANDLE = re.compile(rb"\w+<((?:[\w-]+:\[.*?\])|[^>]*)>")
_STRING = rb'"((?:[^"\\]|\\.)*)"'
_TOKEN = re.compile(_STRING + rb"|(\[)|(\])")
_ESCAPED = re.compile(rb"\\")


@dataclass(frozen=True)
class Call:
    """One system call, as it was entered."""

    name: str
    rest: bytes

    @property
    def target(self) -> str:
        """What the first handle stands for: a path, `pipe:[…]`, `TCP:[…]`."""
        match = _HANDLE.match(self.rest)
        return match[1].decode() if match else "?"

    @property
    def source(self) -> str:
        """What the handle stands for that is copied from; for sendfile and its like."""
        handles = _HANDLE.findall(self.rest)
        # sendfile(to, from); copy_file_range(from, at, to, at) and splice alike
        return bytes(handles[1 if self.name == "sendfile" else 0]).decode() if handles else "?"

    @property
    def text(self) -> bytes:
        """All strings of the call, one after the other."""
        return b"".join(_unescape(string) for string in re.findall(_STRING, self.rest))

    def lists(self) -> list[list[bytes]]:
        """The strings in square brackets: of execve the arguments, then the environment."""
        found: list[list[bytes]] = []
        inside = False
        for token in _TOKEN.finditer(self.rest):
            if token[2]:
                found.append([])
                inside = True
            elif token[3]:
                inside = False
            elif inside:
                found[-1].append(_unescape(token[1]))
        return found


@cache
def strace() -> str | None:
    """The path of strace, if it is here and allowed to trace."""
    path = shutil.which("strace")
    if path is None:
        return None
    command = [path, "-f", "--seccomp-bpf", "-o", "/dev/null", "true"]
    return path if subprocess.run(command, capture_output=True).returncode == 0 else None


def command(log: Path, *more: str) -> tuple[str, ...]:
    """What comes before a command to trace it into `log`. `more`: options of strace, such as faults to inject."""
    # -yy: what a handle stands for; -v: environments; -s: strings in full
    shown = ("-f", "-yy", "-v", "-s", "10000000", "-e", f"trace={_CALLS}")
    # stopping at these calls alone is much faster, but then a signal is not delivered
    fast = () if any("signal=" in each for each in more) else ("--seccomp-bpf",)
    return (strace() or "strace", *shown, *fast, *more, "-o", str(log), "--")


def calls(log: Path) -> Iterator[Call]:
    """The calls of a trace."""
    for line in log.read_bytes().splitlines():
        if match := _LINE.match(line):
            yield Call(match["call"].decode(), match["rest"])


def _unescape(text: bytes) -> bytes:
    if not _ESCAPED.search(text):
        return text
    return text.decode("latin-1").encode().decode("unicode_escape").encode("latin-1")
