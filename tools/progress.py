"""Progress on stderr for what takes longer than two seconds."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

PATIENCE = 2.0  # seconds before anything is said
TICK = 0.5  # seconds between two pictures on a terminal
REPEAT = 30.0  # seconds between two lines elsewhere, so that a log shows life


class Progress:
    """Tells how long a step takes: one line that is redrawn on a terminal, plain lines elsewhere.

    `what` names the step; `detail`, which may be set at any time, stands behind it.
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self.what = what
        self.detail = ""
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._spoke = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._spoke:
            self._say(f"{self.what}: {'done' if error is None else 'failed'}", end="\n")

    def note(self, text: str) -> None:
        """A line of its own, at once."""
        self._say(text, end="\n")

    def _tell(self) -> None:
        wait = PATIENCE
        while not self._done.wait(wait):
            self._spoke = True
            self._say(f"{self.what}: {self.detail}" if self.detail else self.what)
            wait = TICK if self._terminal else REPEAT

    def _say(self, text: str, end: str = "") -> None:
        seconds = time.monotonic() - self._start
        line = f"{text} ({seconds:.0f} s)" if seconds >= 1 else text
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{line[:width]}{end}")
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()
