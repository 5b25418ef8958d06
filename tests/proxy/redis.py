"""A Redis with a password, on a loopback address of its own."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

import tools
from tests.e2e.processes import wait_for

PORT = 6379  # what rendered repositories say where an answer gives none


def address() -> str:
    """One that nobody else on this machine is likely to have: rendered repositories leave the port no choice."""
    return f"127.{random.randrange(64, 128)}.{random.randrange(256)}.{random.randrange(1, 255)}"


@dataclass
class Redis:
    """A running server."""

    host: str
    password: str = field(repr=False)
    asked: int = 0

    def logins(self) -> tuple[int, int]:
        """How often others than the tests have logged in, and how often of that in vain."""
        calls = failed = 0
        for line in self._ask("INFO commandstats").splitlines():
            command, _, rest = line.partition(":")
            if command in ("cmdstat_auth", "cmdstat_hello"):  # HELLO takes a password, too
                numbers = dict(part.split("=") for part in rest.split(","))
                calls += int(numbers["calls"])
                failed += int(numbers["failed_calls"]) + int(numbers["rejected_calls"])
        return calls - self.asked, failed

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            return "redis_version" in self._ask("INFO server")
        except OSError:
            return False

    def _ask(self, command: str) -> str:
        with socket.create_connection((self.host, PORT), timeout=10) as connection:
            self.asked += 1
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\nQUIT\r\n".encode())
            with connection.makefile("rb") as answer:
                return answer.read().decode()


@contextmanager
def tls(host: str, port: int, authority: trustme.CA) -> Iterator[None]:
    """The same server by TLS, at another port: valkey's wheel is built without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(host, PORT)
        await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.start_server(pipe, host, port, ssl=context), loop).result(20)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one says to the other, until one of them ends."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


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
