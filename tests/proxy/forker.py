"""Proxies by fork: a program for the Python of .venv-proxy, which imports LiteLLM once for them all.

stdin: for each proxy a line of JSON {"args": […], "env": {…}, "log": path, "folder": path}; stdout: its process id.
What comes of the fork is what `litellm` with these arguments is in this environment, but for what LiteLLM reads from
the environment while it is imported: that is this program's own. It ends with its standard input, and all with it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
# what a proxy imports only when it is started or first called, and what takes it the most time
LATER = (
    *("azure.identity", "boto3", "google.oauth2.service_account", "openai.resources", "uvicorn"),
    *("litellm.experimental_mcp_client", "litellm.litellm_core_utils.default_encoding"),
    "litellm.proxy._experimental.mcp_server.auth.user_api_key_auth_mcp",
    "litellm.proxy.pass_through_endpoints.llm_passthrough_endpoints",
)
PRISMA = Path(__file__).with_name("prisma_client.py")
HERE = ("127.", "::1", "localhost", "0.0.0.0")


def noting(path: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that writes down each address that is connected to, if it is not on this machine."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            host, port = arguments[1][:2]
            if not str(host).startswith(HERE):
                os.write(file, f"{host}:{port}\n".encode())

    return note


def moved(by: Path) -> Callable[[], float]:
    """A clock that is ahead by the seconds that stand in a file."""
    real = time.time
    return lambda: real() + float(by.read_text() if by.exists() else 0)


def child(order: dict[str, Any], own: dict[str, str]) -> None:
    """Be the proxy that was asked for; `own` are the variables that LiteLLM sets itself while it is imported."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    log = Path(order["log"])
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, stream)
    os.environ.clear()
    os.environ.update({**own, **order["env"]})
    os.chdir(order["folder"])
    time.time = moved(log.with_suffix(".clock"))
    sys.addaudithook(noting(log.with_suffix(".connects")))
    if "DATABASE_HOST" in order["env"]:
        runpy.run_path(str(PRISMA))["install"]()
    import_module("litellm.proxy.proxy_cli").run_server.main(order["args"], standalone_mode=False)


def main() -> None:
    """Import, then fork as often as asked."""
    before = set(os.environ)
    import_module("litellm.proxy.proxy_cli")
    import_module("litellm.proxy.proxy_server")
    for name in LATER:
        import_module(name)
    for path in ("/health/liveliness", "/v1/models", "/v1/chat/completions"):
        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "root_path": "", "headers": []}
        for route in import_module("litellm.proxy.proxy_server").app.routes:
            route.matches(scope)  # FastAPI makes a route ready when it is first asked for
    own = {name: value for name, value in os.environ.items() if name not in before}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that nobody has to wait for the forks
    gc.freeze()
    for line in sys.stdin:
        forked = os.fork()
        if not forked:
            try:
                child(json.loads(line), own)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        print(forked, flush=True)


if __name__ == "__main__":
    main()
