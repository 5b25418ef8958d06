"""The Redis of these tests tells who has logged in."""

from __future__ import annotations

from pathlib import Path

from tests.proxy.redis import Redis, address, running


def test_logins_of_others_are_counted(tmp_path: Path) -> None:
    with running(tmp_path, address(), "right") as server:
        assert server.logins() == (0, 0)
        assert Redis(server.host, "right").alive()
        assert server.logins() == (1, 0)
        assert not Redis(server.host, "wrong").alive()
        assert server.logins() == (2, 1)
