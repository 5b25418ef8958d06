"""PostgreSQL as a cloud runs it, at port 5432 of an address of its own: TLS, and a token of the cloud as the password.

In RDS it is PAM, in Azure an extension of the server, which asks the cloud about the password. Here it is what stands
before a real PostgreSQL, and speaks its protocol as far as the login:
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.proxy.tokens import RefusedError
from tests.support.postgres import Database

PORT = 5432  # what LiteLLM takes where nothing says another
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# user, password, address of the database -> as whom; raises `RefusedError`
Judge = Callable[[str, str, str], str]


@dataclass
class Guarded:
    """A database that is served at `host`. `logins` are those that it took, `refusals` why it did not."""

    host: str
    judge: Judge
    server: Database
    logins: list[tuple[str, str]] = field(default_factory=list)  # as which user of the database, as whom in the cloud
    refusals: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        """One connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) != SSL_REQUEST:
                self._refuse(writer, "no TLS")
                return
            writer.write(b"S")
            await writer.start_tls(context)
            start = await _sized(reader)
            names = start[8:].rstrip(b"\0").split(b"\0")
            user = dict(zip(names[::2], names[1::2], strict=True))[b"user"].decode()
            writer.write(b"R" + struct.pack("!ii", 8, 3))  # the password, please
            await reader.readexactly(1)
            password = (await _sized(reader))[4:].rstrip(b"\0").decode()
            try:
                self.logins.append((user, self.judge(user, password, f"{self.host}:{PORT}")))
            except RefusedError as refused:
                self._refuse(writer, str(refused))
                return
            from_server, to_server = await asyncio.open_connection(*self.server.host.split(":"))
            to_server.write(start)
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))

    def _refuse(self, writer: asyncio.StreamWriter, why: str) -> None:
        self.refusals.append(why)
        said = f"SFATAL\0C28P01\0Mpassword authentication failed: {why}\0\0".encode()
        writer.write(b"E" + struct.pack("!i", len(said) + 4) + said)
        writer.close()


async def _sized(reader: asyncio.StreamReader) -> bytes:
    """A message that begins with its own length, which is returned with it."""
    size = await reader.readexactly(4)
    return size + await reader.readexactly(struct.unpack("!i", size)[0] - 4)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one says to the other, until it ends."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def database() -> Iterator[Database]:
    """A PostgreSQL with a user that takes everybody: who is who, those before it know."""
    # not below a folder that its user may not enter, nor one whose name is too long for a socket
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = Database(Path(folder), "trust")
        try:
            server.user("litellm", "none")
            yield server
        finally:
            server.stop()


@contextmanager
def guarded(host: str, judge: Judge, server: Database, authority: trustme.CA) -> Iterator[Guarded]:
    """The database, served at an address."""
    found = Guarded(host, judge, server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.serve(reader, writer, context)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, host, PORT), loop).result(20)

    async def end() -> None:
        listening.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
