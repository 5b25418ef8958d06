"""A program in a terminal of 80 columns and 24 lines, as somebody sits before it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

COLUMNS, LINES = 80, 24
PATIENCE = 120.0  # seconds, on a machine that is busy


class Terminal:
    """What is on the screen, and a keyboard."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._screen = pyte.Screen(COLUMNS, LINES)
        # what a terminal answers when it is asked where the cursor is
        setattr(self._screen, "write_process_input", self.type)  # noqa: B010 - a method of the class, replaced
        self._stream = pyte.ByteStream(self._screen)
        self.ended = False

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._descriptor, text.encode())

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the blanks at the ends of the lines."""
        return [line.rstrip() for line in self._screen.display]

    def wait(self, until: Callable[[], bool], what: str) -> None:
        """Read until something holds, or the program has ended; fails after `PATIENCE`."""
        end = time.monotonic() + PATIENCE
        while not until() and not self.ended:
            assert time.monotonic() < end, f"{what} never came:\n" + "\n".join(self.lines)
            if select.select([self._descriptor], [], [], 0.05)[0]:
                try:
                    self._stream.feed(os.read(self._descriptor, 65536))
                except OSError:  # the other end is closed
                    self.ended = True


@contextmanager
def terminal(command: Sequence[str | Path], folder: Path) -> Iterator[Terminal]:
    """Start a program in a terminal; it is ended with the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
