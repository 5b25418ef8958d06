"""A Redis with a password, on a loopback address of its own."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import tools
from tests.e2e.processes import wait_for

PORT = 6379  # what rendered repositories say


def address() -> str:
    """One that nobody else on this machine is likely to have: rendered repositories leave the port no choice."""
    return f"127.{random.randrange(64, 128)}.{random.randrange(256)}.{random.randrange(1, 255)}"


@dataclass(frozen=True)
class Redis:
    """A running server."""

    host: str
    password: str = field(repr=False)

    def logins(self) -> tuple[int, int]:
        """How often anybody has logged in, and how often in vain; this question is counted too."""
        stats = self._ask("INFO commandstats")
        line = next(line for line in stats.splitlines() if line.startswith("cmdstat_auth:"))
        numbers = dict(part.split("=") for part in line.partition(":")[2].split(","))
        return int(numbers["calls"]), int(numbers["failed_calls"]) + int(numbers["rejected_calls"])

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            return "redis_version" in self._ask("INFO server")
        except OSError:
            return False

    def _ask(self, command: str) -> str:
        with socket.create_connection((self.host, PORT), timeout=10) as connection:
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\nQUIT\r\n".encode())
            with connection.makefile("rb") as answer:
                return answer.read().decode()


@contextmanager
def running(folder: Path, host: str, password: str) -> Iterator[Redis]:
    """A server that keeps nothing; it reads its password from its standard input."""
    settings = f'bind {host}\nport {PORT}\nrequirepass {password}\nsave ""\ndir {folder}\n'
    with subprocess.Popen(
        [tools.path("valkey-server"), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as server:
        assert server.stdin is not None
        server.stdin.write(settings.encode())
        server.stdin.close()
        redis = Redis(host, password)
        try:
            wait_for("Redis answers", redis.alive, timeout=20)
            yield redis
        finally:
            server.kill()
