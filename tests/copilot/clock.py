"""The clock that a program under test and the fake GitHub share."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

SITE = Path(__file__).parent / "fast_clock"


class RealClock:
    """Time as it passes."""

    environment: dict[str, str]

    def __init__(self) -> None:
        self.environment = {}

    def now(self) -> float:
        return time.monotonic()


class FastClock(RealClock):
    """Time that passes only where the program sleeps: see fast_clock/sitecustomize.py."""

    def __init__(self, path: Path, socket_divisor: int | None = None) -> None:
        path.write_bytes(struct.pack("d", 1000.0))
        with path.open("r+b") as file:
            self._hand = mmap.mmap(file.fileno(), 8)
        self.environment = {"FAST_CLOCK": str(path), "PYTHONPATH": str(SITE)}
        if socket_divisor:
            self.environment["FAST_SOCKETS"] = str(socket_divisor)

    def now(self) -> float:
        now: float = struct.unpack("d", self._hand[:8])[0]
        return now
