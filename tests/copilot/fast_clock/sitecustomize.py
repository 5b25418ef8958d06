"""Python imports this at its start when this folder is on PYTHONPATH: time without waiting.

Sleeping only moves the hand of a clock in the file FAST_CLOCK, which the fake GitHub reads too, so
that it sees exact times. FAST_SOCKETS divides the timeouts of requests, which wait for real.
"""

import mmap
import os
import queue
import socket
import struct
import subprocess
import time
import types
from pathlib import Path

if path := os.environ.get("FAST_CLOCK"):
    with Path(path).open("r+b") as file:
        hand = mmap.mmap(file.fileno(), 8)

    def monotonic() -> float:
        now: float = struct.unpack("d", hand[:8])[0]
        return now

    def sleep(seconds: float) -> None:
        hand[:8] = struct.pack("d", monotonic() + seconds)

    # The standard library waits for real processes, so it keeps the real time.
    real = types.ModuleType("time")
    vars(real).update(vars(time))
    setattr(subprocess, "time", real)  # noqa: B010
    setattr(time, "monotonic", monotonic)  # noqa: B010
    setattr(time, "sleep", sleep)  # noqa: B010

if divisor := float(os.environ.get("FAST_SOCKETS", "0")):
    settimeout = socket.socket.settimeout

    def shorter(self: socket.socket, value: float | None) -> None:
        settimeout(self, None if value is None else value / divisor)

    class Queue(queue.SimpleQueue[object]):
        def get(self, block: bool = True, timeout: float | None = None) -> object:
            return super().get(block, None if timeout is None else timeout / divisor)

    setattr(socket.socket, "settimeout", shorter)  # noqa: B010
    setattr(queue, "SimpleQueue", Queue)  # noqa: B010
