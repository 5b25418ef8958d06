"""What LiteLLM answers while its database is away: a program for the Python of .venv-proxy.

Arguments: files of configurations. stdout: for each, in any order, a line of JSON with its file, and what was asked ->
the status. The proxy configures itself in a fork of its own; in the place of its client of the database stands one of
which every call fails, as over the network.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, NoReturn

import httpx

CALL = {"model": "one", "messages": [{"role": "user", "content": "Hello"}]}


class Gone:
    """A database that nothing reaches."""

    def __getattr__(self, name: str) -> Any:
        return _unreached if not name.endswith("db") else self

    def __bool__(self) -> bool:
        return True


async def _unreached(*_: object, **__: object) -> NoReturn:
    raise httpx.ConnectError("All connection attempts failed")


async def asked(file: str) -> dict[str, int]:
    """Ask, and tell the status of each answer."""
    proxy_server: Any = import_module("litellm.proxy.proxy_server")
    await proxy_server.initialize(config=file)
    transport = httpx.ASGITransport(app=proxy_server.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://litellm", timeout=60) as client:
        get: Callable[[str], Coroutine[Any, Any, httpx.Response]] = client.get

        async def call(key: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {key}"}
            return await client.post("/v1/chat/completions", json=CALL, headers=headers)

        key = os.environ["PROXY_MASTER_KEY"]
        before = {"ready without a database": await get("/health/readiness"), "its own key": await call(key)}
        proxy_server.prisma_client = Gone()
        after = {
            "alive": await get("/health/liveliness"),
            "ready": await get("/health/readiness"),
            "the master key": await call(key),
            "a key of nobody": await call("sk-of-nobody"),
            "no key": await client.post("/v1/chat/completions", json=CALL),
        }
    return {name: answer.status_code for name, answer in {**before, **after}.items()}


def main() -> None:
    """Import once, and ask the proxy of each file."""
    import_module("litellm.proxy.proxy_server")
    for file in sys.argv[1:]:
        if not os.fork():
            print("\n" + json.dumps({"file": file, **asyncio.run(asked(file))}), flush=True)
            os._exit(0)  # what the proxy left running is of no use any more
    for _ in sys.argv[1:]:
        os.wait()


if __name__ == "__main__":
    main()
