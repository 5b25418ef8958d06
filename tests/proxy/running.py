"""The real LiteLLM Proxy, started as the pod would start it, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import yaml

from tests.conftest import ROOT
from tests.e2e.podprocess import ContainerProcess
from tests.e2e.processes import NotReadyError, Process, Processes, free_port
from tests.proxy.vendors import ANSWER, VECTOR

CONFIG = "/etc/litellm/config.yaml"
START = 120.0  # seconds, at most, on a machine that is busy
# There is no database here, so none is named: else the proxy would wait for it.
DATABASE = re.compile(r"DATABASE_\w+")
# Where nobody answers here, and what would only be waited for: the metadata services of the clouds.
LOOPBACK = {
    "AIOHTTP_TRUST_ENV": "True",
    "AWS_EC2_METADATA_DISABLED": "true",
    "HOST": "127.0.0.1",
    "NO_GCE_CHECK": "true",
}


def program() -> Path:
    """The `litellm` that `make proxy` installs, else the one on PATH."""
    own = ROOT / ".venv-proxy" / "bin" / "litellm"
    found = shutil.which("litellm")
    if not own.exists() and found is None:
        raise NotReadyError("LiteLLM Proxy is not installed: `make proxy` does it, and runs this")
    return own if own.exists() or found is None else Path(found)


@dataclass(frozen=True)
class Model:
    """A model of the configuration."""

    name: str
    mode: str  # chat, embedding or responses
    target: str  # as LiteLLM names it: <provider>/<its name>


@dataclass
class Proxy:
    """A running proxy. `seconds` is how long it took to serve."""

    process: Process
    pod: ContainerProcess
    root: Path
    url: str
    seconds: float
    hidden: list[str] = field(repr=False)

    @property
    def models(self) -> list[Model]:
        """The models of its configuration."""
        config: dict[str, Any] = yaml.safe_load(self.pod.text(CONFIG))
        return [
            Model(
                entry["model_name"],
                entry.get("model_info", {}).get("mode", "chat"),
                entry["litellm_params"]["model"],
            )
            for entry in config["model_list"]
        ]

    @cached_property
    def client(self) -> httpx.Client:
        """A client with the master key."""
        headers = {"Authorization": f"Bearer {self.pod.env['PROXY_MASTER_KEY']}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def served(self) -> list[str]:
        """What the proxy says that it serves."""
        answer = self.client.get("/v1/models").raise_for_status()
        return [model["id"] for model in answer.json()["data"]]

    def call(self, model: Model, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """One call in the way of the model's mode; `headers` instead of the master key."""
        ways: dict[str, tuple[str, dict[str, Any]]] = {
            "chat": ("chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
            "embedding": ("embeddings", {"input": "Hello"}),
            "responses": ("responses", {"input": "Hello"}),
        }
        path, body = ways[model.mode]
        request: dict[str, Any] = {"model": model.name, **body}
        if headers is None:
            return self.client.post(f"/v1/{path}", json=request)
        url = f"{self.url}/v1/{path}"
        return httpx.post(url, json=request, headers=dict(headers), timeout=60, trust_env=False)

    def problem(self, model: Model) -> str | None:
        """What is wrong with the answer to a call, if anything is."""
        response = self.call(model)
        if response.status_code != 200:
            return f"{response.status_code} {self.redacted(response.text)[:500]}"
        answer = response.json()
        match model.mode:
            case "embedding":
                right = answer["data"][0]["embedding"] == VECTOR
            case "responses":
                right = answer["output"][0]["content"][0]["text"] == ANSWER
            case _:
                right = answer["choices"][0]["message"]["content"] == ANSWER
        return None if right else "the answer is not the vendor's"

    def memory(self) -> int:
        """The most that it had in memory, in MiB; 0 where the kernel does not tell."""
        status = Path("/proc", str(self.process.popen.pid), "status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) // 1024 if found else 0

    def written(self) -> list[str]:
        """The files that it has written, as paths in the container."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        paths = [PurePosixPath("/") / path.relative_to(self.root) for path in files]
        return sorted(str(path) for path in paths if path not in self.pod.files)

    def log(self) -> str:
        """All that it has logged."""
        return self.process.log.read_text("utf-8", errors="replace")

    def redacted(self, text: str) -> str:
        """A text without any credential in it."""
        for value in self.hidden:
            text = text.replace(value, "<redacted>")
        return text


def start(
    pod: ContainerProcess,
    processes: Processes,
    root: Path,
    outside: Mapping[str, str],
    hidden: list[str],
) -> Proxy:
    """Start the proxy of a pod; its files are put under `root`.

    It runs in no container, so arguments and variables that name a mounted file, its folder or /tmp name them under
    `root`. `outside` are the variables that lead to the vendors; `hidden` is never shown.
    """
    _write(pod, root)
    port = free_port()
    env = {name: value for name, value in pod.env.items() if not DATABASE.fullmatch(name)}
    env = {name: _moved(value, pod, root) for name, value in env.items()}
    ca_file = outside["SSL_CERT_FILE"]
    env |= {**outside, **LOOPBACK, "AWS_CA_BUNDLE": ca_file, "REQUESTS_CA_BUNDLE": ca_file}
    env |= {"PORT": str(port), "HOME": str(root / "tmp"), "PATH": os.defpath}
    # where the pod names no command, its image's own runs: `litellm`
    assert not pod.command, pod.command
    command: list[str | Path] = [program(), *(_moved(argument, pod, root) for argument in pod.args)]
    begun = time.monotonic()
    process = processes.start("litellm", command, env=env)
    url = f"http://127.0.0.1:{port}"
    proxy = Proxy(process, pod, root, url, 0.0, hidden)
    try:
        process.require(lambda: _alive(url), START)
    except NotReadyError as error:
        raise NotReadyError(proxy.redacted(str(error))) from None
    proxy.seconds = time.monotonic() - begun
    return proxy


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/liveliness", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        time.sleep(0.2)
        return False


def _write(pod: ContainerProcess, root: Path) -> None:
    """The mounted files with their modes, and the folders that can be written to."""
    for folder in (PurePosixPath("/tmp"), *pod.directories):
        _below(folder, root).mkdir(parents=True, exist_ok=True)
    for name, file in pod.files.items():
        path = _below(name, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)


def _below(path: PurePosixPath, root: Path) -> Path:
    return root / path.relative_to("/")


def _moved(text: str, pod: ContainerProcess, root: Path) -> str:
    """A path in the container as one on this machine; any other text stays as it is."""
    mounted = {*pod.files, *(path.parent for path in pod.files), *pod.directories}
    path = PurePosixPath(text)
    places = mounted | {PurePosixPath("/tmp")}
    inside = path.is_absolute() and any(each in places for each in (path, *path.parents))
    return str(_below(path, root)) if inside else text
