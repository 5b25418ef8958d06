"""How LiteLLM reads configurations: a program for the Python of .venv-proxy, which imports the proxy once for them all.

stdin: JSON, a list of {"config": text, "env": {…}}. stdout: for each, in any order, a line of JSON {"number": …,
"started": …, "served": [names], "answers": {name: status}, "guardrails": [names], "state": {…}, "log": text}.
Each is read by a fork of its own, as `litellm --config` reads it, up to where a server would listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.server
import json
import os
import select
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

AT_ONCE = 1 + (os.cpu_count() or 1)
SECONDS = 40  # at most, for one configuration
MASTER_KEY = "PROXY_MASTER_KEY"
# Prices, and what differs from one process to the next.
VOLATILE = ("model_cost", "_index", "_indices", "_index_map", "healthy_deployments", "deployment_latency_map", "_cache")


class Upstream(http.server.BaseHTTPRequestHandler):
    """What answers each call to a model, in the words of OpenAI."""

    protocol_version = "HTTP/1.1"
    failed: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        """Any chat completion. Below /flaky… the first call fails."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        flaky = self.path.split("/")[1]
        if flaky.startswith("flaky") and flaky not in self.failed:
            self.failed.add(flaky)
            self.answer(500, "application/json", b"{}")
            return
        message = {"role": "assistant", "content": "Hello"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        streamed = bool(request.get("stream"))
        choice = {"index": 0, "delta" if streamed else "message": message, "finish_reason": "stop"}
        kind = "chat.completion.chunk" if streamed else "chat.completion"
        found = {"id": "c", "object": kind, "created": 1, "model": "m", "choices": [choice], "usage": usage}
        body = json.dumps(found).encode()
        if streamed:
            self.answer(200, "text/event-stream", b"data: " + body + b"\n\ndata: [DONE]\n\n")
        else:
            self.answer(200, "application/json", body)

    def answer(self, status: int, kind: str, body: bytes) -> None:
        """Send a response."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


def upstream() -> tuple[int, int]:
    """The process of the upstream, and its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    process = os.fork()
    if not process:
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        server.serve_forever()
    server.server_close()
    return process, server.server_port


def state(*owners: Any) -> dict[str, str]:
    """The settings in effect: what can be compared of the attributes of the library and of the router."""
    found = {}
    for owner in owners:
        for name, value in vars(owner).items():
            if name.endswith(VOLATILE):
                continue
            with contextlib.suppress(TypeError, ValueError):
                found[f"{type(owner).__name__}.{name}"] = json.dumps(value, sort_keys=True)
    return found


async def call(client: Any, body: dict[str, Any]) -> int:
    """The worst status of a call and of a streamed one; a stream may end in an error after a good status."""
    for way in (False, True):
        answer = await client.post("/v1/chat/completions", json={**body, "stream": way})
        if answer.status_code != 200 or "error" in answer.text:
            return max(int(answer.status_code), 400)
    return 200


async def probe(app: Any, key: str) -> dict[str, Any]:
    """Start the app, ask what it serves, and call each model."""
    httpx, litellm = import_module("httpx"), import_module("litellm")
    server = import_module("litellm.proxy.proxy_server")
    async with app.router.lifespan_context(app):
        registry = import_module("litellm.proxy.guardrails.guardrail_registry").IN_MEMORY_GUARDRAIL_HANDLER
        router = server.llm_router
        result: dict[str, Any] = {"started": True, "state": state(litellm, router) if router else state(litellm)}
        result["guardrails"] = [each["guardrail_name"] for each in registry.list_in_memory_guardrails()]
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://proxy", headers=headers) as client:
            result["alive"] = (await client.get("/health/liveliness")).status_code
            listed = await client.get("/v1/models")
            result["served"] = [each["id"] for each in listed.json()["data"]] if listed.status_code == 200 else []
            result["answers"] = {}
            for name in dict.fromkeys(result["served"]):
                body = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
                result["answers"][name] = await call(client, body)
                if result["answers"][name] != 200:
                    break
    return result


def read(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What becomes of one configuration, in this process."""
    config = folder / "config.yaml"
    config.write_text(case["config"], "utf-8")
    flaky = os.environ["UPSTREAM"].replace("/v1", f"/flaky{os.getpid()}/v1")
    os.environ.update(case["env"], FLAKY=flaky)
    os.chdir(folder)
    found: dict[str, Any] = {"started": False}

    def serve(app: Any = None, **_: Any) -> None:
        module = import_module("litellm.proxy.proxy_server")
        found.update(asyncio.run(probe(module.app, os.environ.get(MASTER_KEY, ""))))

    import_module("uvicorn").run = serve  # type: ignore[attr-defined]
    command = import_module("litellm.proxy.proxy_cli").run_server
    command.main(["--config", str(config), "--host", "127.0.0.1", "--port", "4000"], standalone_mode=False)
    return found


def child(case: Mapping[str, Any], out: int) -> None:
    """Read one configuration, write what was found to `out`, and end."""
    signal.alarm(SECONDS)
    known = set(sys.modules)
    with tempfile.TemporaryDirectory() as name, Path(name, "log").open("w+b") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        try:
            found = read(case, Path(name))
        except BaseException as error:
            found = {"started": False, "error": f"{type(error).__name__}: {error}"}
        sys.stdout.flush()
        sys.stderr.flush()
        log.seek(0)
        found["modules"] = sorted(set(sys.modules) - known)
        found["log"] = log.read().decode("utf-8", "replace")[-6000:]
        os.chdir("/")
    with os.fdopen(out, "wb") as pipe:
        pipe.write(json.dumps(found).encode())


def main() -> None:
    """Start what answers the calls, and read every configuration."""
    cases = json.load(sys.stdin)
    process, port = upstream()
    os.environ["UPSTREAM"] = f"http://127.0.0.1:{port}/v1"
    try:
        every(cases)
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)


def every(cases: list[dict[str, Any]]) -> None:
    """Read every configuration, some at once, and print what was found.

    The first is read alone: what it has imported, all others have from the start.
    """
    import_module("litellm.proxy.proxy_cli")
    import_module("litellm.proxy.proxy_server")
    for number, found in forks(list(enumerate(cases))[:1]):
        modules = found.pop("modules", ())
        report(number, found)
        for name in modules:
            with contextlib.suppress(Exception):
                import_module(name)
    for method, path in (("GET", "/health/liveliness"), ("GET", "/v1/models"), ("POST", "/v1/chat/completions")):
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        for route in import_module("litellm.proxy.proxy_server").app.routes:
            route.matches(scope)  # FastAPI makes a route ready when it is first asked for
    gc.freeze()
    for number, found in forks(list(enumerate(cases))[:0:-1]):
        found.pop("modules", None)
        report(number, found)


def report(number: int, found: dict[str, Any]) -> None:
    """One line for one configuration."""
    print(json.dumps({"number": number, **found}), flush=True)


def forks(waiting: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """What was found for each configuration, by its number, as soon as it is known."""
    running: dict[int, tuple[int, int, bytes]] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            number, case = waiting.pop()
            ours, theirs = os.pipe()
            forked = os.fork()
            if not forked:
                os.close(ours)
                try:
                    child(case, theirs)
                finally:
                    os._exit(0)
            os.close(theirs)
            running[ours] = (number, forked, b"")
        for pipe in select.select(list(running), [], [])[0]:
            number, forked, content = running[pipe]
            more = os.read(pipe, 65536)
            running[pipe] = (number, forked, content + more)
            if not more:
                os.close(pipe)
                os.waitpid(forked, 0)
                del running[pipe]
                found = json.loads(content) if content else {"started": False, "error": "it ended without a word"}
                yield number, found


if __name__ == "__main__":
    main()
