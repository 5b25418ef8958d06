"""What stands for Prisma in the Python of .venv-proxy: its client, and as a program of its own its command.

Prisma's engine is a binary that its vendor hands out at the first use, so no test can have it offline. This logs in to
the database with the URL that LiteLLM gives it, as the engine would, and finds every table empty.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def log_in(url: str) -> Any:
    """A connection to the database of a URL; what only Prisma knows in it is left out."""
    parts = urlsplit(url)
    mode = parse_qs(parts.query).get("sslmode", ["prefer"])[0]
    return import_module("psycopg").connect(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        dbname=unquote(parts.path.removeprefix("/")),
        sslmode=mode,
        connect_timeout=20,
        autocommit=True,
    )


class Table:
    """A table without a row."""

    def __getattr__(self, name: str) -> Any:
        async def found(*_: object, **__: object) -> Any:
            return [] if name in ("find_many", "group_by") else 0 if name == "count" else None

        return found


class Prisma:
    """The client that would be generated for LiteLLM's tables."""

    def __init__(self, datasource: dict[str, str] | None = None, **_: object) -> None:
        self.url = (datasource or {}).get("url")
        self.connection: Any = None

    async def connect(self, *_: object, **__: object) -> None:
        """Log in."""
        self.connection = log_in(self.url or os.environ["DATABASE_URL"])

    async def disconnect(self, *_: object, **__: object) -> None:
        """Log out."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def is_connected(self) -> bool:
        """Whether it is logged in."""
        return self.connection is not None

    async def query_raw(self, text: str, *_: object, **__: object) -> list[dict[str, Any]]:
        """The answer to a probe, and to any other question no row."""
        if text.strip() != "SELECT 1":
            return []
        return [{"?column?": self.connection.execute(text).fetchone()[0]}]

    async def query_first(self, *_: object, **__: object) -> None:
        """No row."""

    async def execute_raw(self, *_: object, **__: object) -> int:
        """No row is changed."""
        return 0

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("litellm_"):
            raise AttributeError(name)
        return Table()


class Anything(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return dict


def install() -> None:
    """Be what `prisma generate` would have made."""
    prisma: Any = import_module("prisma")
    prisma.Prisma = Prisma
    for name in ("models", "types"):
        sys.modules[f"prisma.{name}"] = Anything(f"prisma.{name}")
        setattr(prisma, name, sys.modules[f"prisma.{name}"])


if __name__ == "__main__":
    log_in(os.environ["DATABASE_URL"]).close()
