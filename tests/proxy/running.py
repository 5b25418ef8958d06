"""The real LiteLLM Proxy, started as the pod would start it, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import httpx
import yaml

from tests.conftest import ROOT
from tests.e2e.podprocess import ContainerProcess
from tests.e2e.processes import NotReadyError, free_port
from tests.proxy.vendors import ANSWER, VECTOR

START = 120.0  # seconds, at most, on a machine that is busy
# Where there is no database, none is named: else the proxy would wait for it.
DATABASE = re.compile(r"DATABASE_\w+|\w+_DB_AUTH|AZURE_POSTGRESQL_AUTH")
PRISMA = Path(__file__).with_name("prisma_client.py")
LOOPBACK = {"AIOHTTP_TRUST_ENV": "True", "HOST": "127.0.0.1"}


def program() -> Path:
    """The `litellm` that `make proxy` installs, else the one on PATH."""
    own = ROOT / ".venv-proxy" / "bin" / "litellm"
    found = shutil.which("litellm")
    if not own.exists() and found is None:
        raise NotReadyError("LiteLLM Proxy is not installed: `make proxy` does it, and runs this")
    return own if own.exists() or found is None else Path(found)


def next_release() -> Path:
    """The folder of the other release of LiteLLM, which `make proxy` installs."""
    found = ROOT / ".venv-proxy" / "next"
    if not found.exists():
        raise NotReadyError(f"{found} is missing: `make proxy` installs it, and runs this")
    return found


@dataclass(frozen=True)
class Model:
    """A model of the configuration."""

    name: str
    mode: str  # chat, embedding or responses
    target: str  # as LiteLLM names it: <provider>/<its name>


class Runs(Protocol):
    """A program that runs."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def log(self) -> Path:
        """The file of what it says."""

    def require(self, check: Callable[[], bool], timeout: float) -> None:
        """Waits until `check` is true; raises `NotReadyError` if it never is."""


class Starts(Protocol):
    """What starts a proxy: the command, or a fork of a program that has imported it."""

    def start(self, arguments: list[str], env: Mapping[str, str], log: Path) -> Runs:
        """A running proxy."""


@dataclass
class Proxy:
    """A running proxy. `seconds` is how long it took to serve."""

    process: Runs
    pod: ContainerProcess
    root: Path
    url: str
    seconds: float
    hidden: list[str] = field(repr=False)

    @cached_property
    def config(self) -> str:
        """The file of its configuration."""
        return next(file.content.decode() for path, file in self.pod.files.items() if path.name == "config.yaml")

    @property
    def models(self) -> list[Model]:
        """The models of its configuration."""
        config: dict[str, Any] = yaml.safe_load(self.config)
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
        status = Path("/proc", str(self.process.pid), "status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) // 1024 if found else 0

    def written(self) -> list[str]:
        """The files that it has written, as paths in the container."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        paths = [PurePosixPath("/") / path.relative_to(self.root) for path in files]
        return sorted(str(path) for path in paths if path not in self.pod.files)

    def put(self, path: str, text: str) -> None:
        """Gives a mounted file another content, at once, as the kubelet does."""
        new = _below(PurePosixPath(f"{path}.new"), self.root)
        new.write_text(text)
        new.replace(_below(PurePosixPath(path), self.root))

    def log(self) -> str:
        """All that it has logged."""
        return self.process.log.read_text("utf-8", errors="replace")

    def redacted(self, text: str) -> str:
        """A text without any credential in it."""
        for value in self.hidden:
            text = text.replace(value, "<redacted>")
        return text


def placed(
    pod: ContainerProcess,
    root: Path,
    outside: Mapping[str, str],
    without: tuple[str, ...] = (),
    *,
    database: bool = False,
) -> dict[str, str]:
    """Put the files of a pod under `root`, but those of `without`, and find its environment there.

    It runs in no container, so variables that name a mounted file, its folder or /tmp name them under `root`. `outside`
    are the variables that lead to the vendors. Without a `database` none is named.
    """
    _write(pod, root)
    for path in without:
        _below(PurePosixPath(path), root).unlink()
    env = {name: value for name, value in pod.env.items() if database or not DATABASE.fullmatch(name)}
    env = {name: _moved(value, pod, root) for name, value in env.items()}
    ca_file = outside["SSL_CERT_FILE"]
    env |= {**LOOPBACK, "AWS_CA_BUNDLE": ca_file, "REQUESTS_CA_BUNDLE": ca_file, **outside}
    return {**env, "HOME": env.get("HOME", str(root / "tmp")), "PATH": f"{_commands(root)}{os.pathsep}{os.defpath}"}


def _commands(root: Path) -> Path:
    """A folder with the command of Prisma's that LiteLLM runs where there is a database."""
    command = root.with_name(f"{root.name}-bin") / "prisma"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f"#!/bin/sh\nexec {program().with_name('python')} -P {PRISMA}\n", "utf-8")
    command.chmod(0o700)
    return command.parent


def start(
    pod: ContainerProcess,
    starter: Starts,
    root: Path,
    outside: Mapping[str, str],
    hidden: list[str],
    without: tuple[str, ...] = (),
    *,
    database: bool = False,
) -> Proxy:
    """Start the proxy of a pod; `hidden` is never shown, and the rest is as for `placed`."""
    port = free_port()
    env = {**placed(pod, root, outside, without, database=database), "PORT": str(port)}
    # where the pod names no command, its image's own runs: `litellm`, for which another image reads the first word
    assert not pod.command, pod.command
    arguments = [_moved(argument, pod, root) for argument in pod.args if argument != "proxy"]
    if "--port" in arguments:
        arguments[arguments.index("--port") + 1] = str(port)
    begun = time.monotonic()
    log = root.with_name(f"{root.name}.log")
    url = f"http://127.0.0.1:{port}"
    process = starter.start(arguments, env, log)
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
    if inside:
        return str(_below(path, root))
    for each in mounted:  # in JSON
        text = text.replace(f'"{each}"', f'"{_below(each, root)}"')
    return text
