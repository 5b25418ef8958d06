"""A pod that ends: what the real LiteLLM Proxy does between an end that is announced and the last of its answers.

The test stands for the kubelet, which waits for preStop before it sends SIGTERM, and for what sends callers to pods,
which learns of the end meanwhile. Seconds stand for the minutes of a stream.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import pytest
import trustme
import yaml

from litellm_gitops.documents import dig
from litellm_gitops.repository import Repository
from tests.e2e.podprocess import ContainerProcess, File
from tests.e2e.processes import wait_for
from tests.proxy.running import Proxy, start
from tests.proxy.starting import Forked, Forks
from tests.support.answers import answers

CONFIG = "/etc/litellm/config.yaml"
CALLERS = 4
KNOWN_AFTER = 1.0  # seconds until nobody is sent to a pod that ends any more
PAUSE = 5.0  # of preStop, which is to be longer on a busy machine, too
STREAM = 40  # parts of an answer, four a second


class Upstream(BaseHTTPRequestHandler):
    """A model that answers at once, and one part after the other where it is asked to stream."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """A chat completion."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = {"id": "c", "created": 1, "model": "m"}
        if not request.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
            self._send({**kind, "object": "chat.completion", "choices": [choice]})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(STREAM):
            choice = {"index": 0, "delta": {"content": f"{number} "}, "finish_reason": None}
            part = {**kind, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.25)
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _send(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Callers:
    """Clients that call one pod after the other; `pods` is what they are sent to."""

    key: str = field(repr=False)
    pods: list[Proxy] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    calls: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def call(self, number: int) -> None:
        """Call until it is enough."""
        while not self.ended.is_set():
            pod = self.pods[(self.calls + number) % len(self.pods)]
            try:
                answer = self._ask(pod)
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code}")
            except httpx.HTTPError as error:
                self.failures.append(type(error).__name__)
            self.calls += 1
            time.sleep(0.05)

    def _ask(self, pod: Proxy) -> httpx.Response:
        return httpx.post(
            f"{pod.url}/v1/chat/completions", json=_body(), headers=self.headers, trust_env=False, timeout=60
        )

    @property
    def headers(self) -> dict[str, str]:
        """With the master key."""
        return {"Authorization": f"Bearer {self.key}"}

    def stream(self, pod: Proxy, begun: threading.Event) -> str:
        """The whole of a streamed answer, `[DONE]` with it."""
        text = ""
        url, body = f"{pod.url}/v1/chat/completions", {**_body(), "stream": True}
        with httpx.stream("POST", url, json=body, headers=self.headers, trust_env=False, timeout=60) as answer:
            for line in answer.iter_lines():
                data = line.removeprefix("data: ")
                if data == "[DONE]":
                    text += data
                elif data:
                    text += dig(json.loads(data), "choices", 0, "delta", "content") or ""
                    begun.set()
        return text


def _body() -> dict[str, Any]:
    return {"model": "one", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def pods(
    render: Callable[..., Path], forks: Forks, authority: trustme.CA, tmp_path: Path
) -> Iterator[tuple[Proxy, Proxy, Callers]]:
    """Two proxies with the rendered configuration, and their callers."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    (values,) = Repository(render(**answers(["gcp"], ["bedrock"]))).values
    base = f"http://127.0.0.1:{upstream.server_port}"
    model = {"model": "openai/gpt-4o", "api_key": "none", "api_base": base}
    config: dict[str, Any] = {
        **dig(values.merged, values.chart.name, *values.chart.config),
        "model_list": [{"model_name": "one", "litellm_params": model}],
    }
    key = f"sk-{secrets.token_hex(16)}"
    env = {"PROXY_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    files = {PurePosixPath(CONFIG): File(yaml.safe_dump(config).encode(), 0o644, True)}
    pod = ContainerProcess("litellm", "", [], ["--config", CONFIG], env, files, frozenset())
    ca_file = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(str(ca_file))
    outside = {"SSL_CERT_FILE": str(ca_file)}
    try:
        first, second = (start(pod, forks, tmp_path / name, outside, [key]) for name in ("first", "second"))
        yield first, second, Callers(key, [first, second])
    finally:
        upstream.shutdown()


def alive(pod: Proxy) -> bool:
    """Whether its process runs."""
    assert isinstance(pod.process, Forked)
    return pod.process.alive()


def test_an_update_loses_no_call_and_cuts_no_answer_and_without_preStop_it_would(  # noqa: N802
    pods: tuple[Proxy, Proxy, Callers],
) -> None:
    old, new, callers = pods
    with ThreadPoolExecutor(CALLERS + 1) as pool:
        calling = [pool.submit(callers.call, number) for number in range(CALLERS)]
        try:
            begun = threading.Event()
            answer = pool.submit(callers.stream, old, begun)
            assert begun.wait(30)
            time.sleep(KNOWN_AFTER)
            callers.pods = [new]
            time.sleep(PAUSE - KNOWN_AFTER)
            os.kill(old.process.pid, signal.SIGTERM)
            expected = "".join(f"{number} " for number in range(STREAM)) + "[DONE]"
            assert answer.result(60) == expected
            wait_for("the old pod ends", lambda: not alive(old), timeout=60)
            assert (callers.failures, callers.calls > 20) == ([], True)
            # the same without a pause: who is still sent there is refused
            os.kill(new.process.pid, signal.SIGTERM)
            wait_for("a call is refused", lambda: bool(callers.failures), timeout=60)
        finally:
            callers.ended.set()
    assert all(each.done() for each in calling)
    assert {*callers.failures} <= {"ConnectError", "RemoteProtocolError", "ReadError"}
