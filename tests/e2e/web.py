"""The outside world as the cluster sees it: HTTPS hosts behind a proxy, all on loopback.

The controllers get `HTTPS_PROXY` and the certificate of a throw-away authority. So what is rendered
is deployed as it is, its Git address and chart registry included, and a connection to any host that
the tests do not serve is refused and noted.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """What is answered to it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Site = Callable[[Request], Response]


class Outside:
    """Serves `sites`, by host name, over TLS; `asked` has those that were asked for, `refused` lists the other hosts.

    `authority` issues the certificates; its own is at `ca_file`.
    """

    def __init__(self, folder: Path, authority: trustme.CA, sites: Mapping[str, Site]) -> None:
        self.sites = dict(sites)
        self.asked: set[str] = set()
        self.refused: list[str] = []
        self.ca_file = folder / "ca.crt"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*self.sites).configure_cert(context)
        self._tls = _Server(_handler(_SiteHandler, self))
        self._tls.socket = context.wrap_socket(self._tls.socket, server_side=True, do_handshake_on_connect=False)
        self._proxy = _Server(_handler(_ProxyHandler, self))
        for server in (self._tls, self._proxy):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def tls_address(self) -> tuple[str, int]:
        """Where the sites are served."""
        return ("127.0.0.1", self._tls.server_port)

    def environment(self) -> dict[str, str]:
        """Variables that make Go programs and git go through the proxy and trust the sites."""
        proxy = f"http://127.0.0.1:{self._proxy.server_port}"
        return {
            "HTTPS_PROXY": proxy,
            "HTTP_PROXY": proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "https_proxy": proxy,
            "no_proxy": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(self.ca_file),
            "GIT_SSL_CAINFO": str(self.ca_file),
        }

    def close(self) -> None:
        """Frees both ports."""
        for server in (self._proxy, self._tls):
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a controller that ends breaks its connections, which is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    outside: Outside

    def log_message(self, *arguments: object) -> None:
        """Nothing: the programs' own logs tell more."""


def _handler(kind: type[_Handler], outside: Outside) -> type[_Handler]:
    return type(kind.__name__, (kind,), {"outside": outside})


class _SiteHandler(_Handler):
    def _answer(self) -> None:
        if "transfer-encoding" in self.headers:
            self.send_error(411)  # nobody here sends so much
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        site = self.outside.sites.get(self.headers.get("host", "").partition(":")[0])
        request = Request(self.command, self.path, headers, body)
        response = site(request) if site else Response(421)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815


class _ProxyHandler(_Handler):
    def do_CONNECT(self) -> None:
        host = self.path.partition(":")[0]
        if host not in self.outside.sites:
            self.outside.refused.append(self.path)
            self.send_error(502, "the tests serve no such host")
            return
        self.outside.asked.add(host)
        with socket.create_connection(self.outside.tls_address) as site:
            self.send_response(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            _pipe(self.connection, site)

    def _refuse(self) -> None:
        self.outside.refused.append(self.path)
        self.send_error(502, "the tests serve no such host")

    do_GET = do_HEAD = do_POST = _refuse  # noqa: N815


def _pipe(one: socket.socket, other: socket.socket) -> None:
    """Copies both ways until either side ends."""
    peer = {one: other, other: one}
    while ready := select.select([one, other], [], [], 300)[0]:
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            peer[source].sendall(data)
