"""The terminal: what may be shown, and how."""

from __future__ import annotations

import math
import os
import re
import sys
from typing import NoReturn


class Secret:
    """A value that shows itself only to `reveal`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The plaintext, for a request, a file or a pipe, and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def is_name(text: str) -> bool:
    """Whether `text` is a name, such as a client id or an error of OAuth, which is safe to show."""
    return re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text) is not None


def printable(text: object, limit: int = 200) -> str:
    """`text` without what could steer a terminal, cut at `limit` characters."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))[:limit]


def span(seconds: float) -> str:
    """A time as people say it: `90 seconds`, `15 minutes`, `2 minutes 30 seconds`."""
    minutes, rest = divmod(max(0, math.ceil(seconds)), 60)
    if minutes < 2:
        minutes, rest = 0, rest + 60 * minutes
    counted = [(number, unit) for number, unit in ((minutes, "minute"), (rest, "second")) if number]
    return " ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in counted) or "0 seconds"


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


class Screen:
    """Talks to the user, on stderr alone. When nobody listens any more (`lost`), it does not matter."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self.lost = self._stream is None
        self.tty = not self.lost and self._stream.isatty()
        self._colours = self.tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._erase = ""

    def say(self, text: str = "", style: str = "", end: str = "\n") -> None:
        """Shows a line, coloured (SGR, ECMA-48) on a terminal. With `end` "\\r" on a terminal only, until the next."""
        if end != "\r":
            self._write((f"\x1b[{style}m{text}\x1b[0m" if style and self._colours else text) + end)
        elif self.tty:
            self._write(text)
            self._erase = "\r\x1b[K"

    def _write(self, text: str) -> None:
        text, self._erase = self._erase + text, ""
        try:
            if not self.lost:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            self.lost = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the rest of the buffer goes
