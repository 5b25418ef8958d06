"""What a run would leave behind if it ended right now, and the end that a signal brings."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn

from litellm_gitops.copilot.terminal import printable

# Windows has not the last one
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Progress:
    """How far one run is. `said`: what became of the token, for an unexpected end; `signal`: the one that came.

    While it `unwinds`, a signal raises KeyboardInterrupt, so that what has begun is undone; else it ends the process.
    """

    def __init__(self) -> None:
        self.said = "nothing was stored"
        self.temporary: Path | None = None
        self.target: Path | None = None  # set once `temporary` is complete
        self.signal = signal.SIGINT
        self.unwinds = False
        self._watched: list[int] = []

    def watch(self) -> None:
        """Ends the process cleanly at SIGINT, SIGTERM and SIGHUP from now on, but not at those that are ignored."""
        self._watched = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]  # nohup
        for number in self._watched:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        for each in self._watched:  # a second one does not wait
            signal.signal(each, lambda again, _: os._exit(128 + again))
        self.signal = signal.Signals(number)
        if self.unwinds:
            raise KeyboardInterrupt
        self.end()

    def end(self) -> NoReturn:
        """Cleans up and ends the process, with no exception that some library could catch or show."""
        if self.temporary is not None:
            try:
                self.temporary.unlink()
            except OSError:  # not yet made, or gone because it has got its final name
                if self.target is not None:
                    self.said = f"the token is already in {self.target}"
        with contextlib.suppress(OSError):
            os.write(2, f"\nInterrupted: {printable(self.said)}.\n".encode())
        os._exit(128 + self.signal)
