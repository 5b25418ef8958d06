"""A GitHub on this machine: the device flow, the two Copilot calls, and misbehaviour on command.

It is strict where GitHub is: a poll that comes before the interval is over, a wrong grant type, a
missing header, a credential where it does not belong are complaints, which a test expects to be none.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import string
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.copilot.clock import RealClock

CLIENT_ID = "Iv1.b507a08c87ecfe98"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
USER_CODE = "WDJB-MJHT"

CODE_PATH = "/login/device/code"
POLL_PATH = "/login/oauth/access_token"
TOLD_PATH = "/copilot_internal/user"
USER_PATH = "/user"
KEY_PATH = "/copilot_internal/v2/token"

_LETTERS = string.ascii_letters + string.digits

Body = Mapping[str, object] | list[object] | bytes | None
Sabotage = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Reply:
    """What the server does with a request. A JSON body may refer to the server's own values:
    the strings {base}, {token}, {device_code}, {key} are replaced."""

    body: Body = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    sabotage: Sabotage | None = None
    meanwhile: Callable[[], None] | None = None  # happens before the answer is sent


# ---- What GitHub answers


def a_code(expires_in: object = 900, interval: object = 5, **more: object) -> Reply:
    body = {
        "device_code": "{device_code}",
        "user_code": USER_CODE,
        "verification_uri": "{base}/login/device",
        "expires_in": expires_in,
        "interval": interval,
        **more,
    }
    return Reply({name: value for name, value in body.items() if value is not None})


def error(name: str, status: int = 200, **more: object) -> Reply:
    """An error of the flow; GitHub sends it with HTTP 200, the RFC with 400."""
    return Reply({"error": name, "error_description": f"about {name}", **more}, status)


PENDING = error("authorization_pending")
GRANTED = Reply({"access_token": "{token}", "token_type": "bearer", "scope": ""})

SUBSCRIBED = Reply(
    {
        "login": "octocat",
        "access_type_sku": "copilot_for_business_seat",
        "chat_enabled": True,
        "can_signup_for_limited": False,
        "copilot_plan": "business",
        "endpoints": {"api": "https://api.business.githubcopilot.com"},
    }
)
OCTOCAT = Reply({"login": "octocat", "id": 583231, "type": "User"})
A_KEY = Reply(
    {
        "token": "{key}",
        "expires_at": 1893456000,
        "refresh_in": 1500,
        "sku": "copilot_for_business_seat",
        "individual": False,
        "chat_enabled": True,
        "endpoints": {"api": "https://api.business.githubcopilot.com"},
    }
)


def refused(notification_id: str, **more: object) -> Reply:
    """The envelope with which Copilot refuses an account."""
    details = {
        "message": "No access to GitHub Copilot found. You are currently logged in as octocat.",
        "notification_id": notification_id,
        "title": "GitHub Copilot",
        "url": "https://github.com/github-copilot/signup?editor={EDITOR}",
    }
    return Reply({"message": "Resource not accessible by integration", "error_details": details, **more}, 403)


def sso(url: str) -> Reply:
    """How an organization's single sign-on is demanded: a header, and a message that names no Copilot."""
    message = "Resource protected by organization SAML enforcement. You must grant your token access to it."
    return Reply(
        {"message": message, "documentation_url": "https://docs.github.com"},
        403,
        {"X-GitHub-SSO": f"required; url={url}"},
    )


# ---- What GitHub does not answer


def html(status: int = 200, **headers: str) -> Reply:
    return Reply(b"<!DOCTYPE html><title>Unicorn!</title>", status, headers)


def _reset(request: BaseHTTPRequestHandler) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def _hang(request: BaseHTTPRequestHandler) -> None:
    server = request.server
    assert isinstance(server, _Server)
    server.closing.wait(60)


def _cut(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"access_to')


def _flood(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    for _ in range(64):
        request.wfile.write(b" " * 65536)


def _trickle(request: BaseHTTPRequestHandler) -> None:
    server = request.server
    assert isinstance(server, _Server)
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while not server.closing.wait(0.1):
        request.wfile.write(b" ")


RESET = Reply(sabotage=_reset)
SILENCE = Reply(sabotage=lambda request: None)  # closes without a word
HANG = Reply(sabotage=_hang)
TRICKLE = Reply(sabotage=_trickle)
CUT = Reply(sabotage=_cut)
FLOOD = Reply(sabotage=_flood)


# ---- The server


@dataclass(frozen=True)
class Request:
    """A request as the server saw it. `at`: seconds on the shared clock."""

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]


Script = Reply | Iterable[Reply]


def _replies(script: Script) -> list[Reply]:
    return [script] if isinstance(script, Reply) else list(script)


class FakeGitHub:
    """The server, as a context manager. The last reply of each script is repeated."""

    def __init__(
        self,
        *,
        code: Script = a_code(),  # noqa: B008 - frozen
        polls: Script = GRANTED,
        told: Script = SUBSCRIBED,
        user: Script = OCTOCAT,
        key: Script = A_KEY,
        client_id: str = CLIENT_ID,
        clock: RealClock | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.clock = clock or RealClock()
        self.client_id = client_id
        self._tls = tls
        # As GitHub's: gh?_, then letters and digits.
        self.token = "ghu_" + "".join(secrets.choice(_LETTERS) for _ in range(36))
        self.key = f"tid={secrets.token_hex(8)};exp=1893456000:{secrets.token_hex(16)}"
        self.device_code = secrets.token_hex(20)
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self._scripts = {
            CODE_PATH: _replies(code),
            POLL_PATH: _replies(polls),
            TOLD_PATH: _replies(told),
            USER_PATH: _replies(user),
            KEY_PATH: _replies(key),
        }
        self._interval = 5.0
        self._asked = self._issued = self._expires = 0.0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)

    def __enter__(self) -> FakeGitHub:
        self._server = _Server(self)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def base(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What sends the program here, beside what the clock needs."""
        return {
            "GITHUB_COPILOT_DEVICE_CODE_URL": self.base + CODE_PATH,
            "GITHUB_COPILOT_ACCESS_TOKEN_URL": self.base + POLL_PATH,
            "GITHUB_COPILOT_API_KEY_URL": self.base + KEY_PATH,
            **self.clock.environment,
        }

    def seen(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    @property
    def polls(self) -> list[float]:
        """When it was polled, in seconds since the code was given."""
        return [round(request.at - self._issued, 3) for request in self.seen(POLL_PATH)]

    def wait_for(self, path: str, count: int = 1, timeout: float = 20.0) -> None:
        """Blocks until `path` was asked `count` times."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.seen(path)) >= count, timeout)
        assert arrived, f"{path} was not asked within {timeout} s"

    # ---- for the handler

    def answer(self, request: Request) -> Reply:
        """Notes the request, checks it, and takes the next reply of its script."""
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
            script = self._scripts.get(request.path)
            if script is None:
                self._complain(f"unknown path {request.path}")
                return Reply({"message": "Not Found"}, 404)
            self._check(request)
            reply = script.pop(0) if len(script) > 1 else script[0]
            if request.path == CODE_PATH:
                self._issue(request, reply)
            if request.path == POLL_PATH:
                reply = self._pace(request, reply)
            return reply

    def fill(self, body: object) -> object:
        """`body` with the server's own values in it."""
        if isinstance(body, dict):
            return {name: self.fill(value) for name, value in body.items()}
        if isinstance(body, str):
            for name in ("base", "token", "device_code", "key"):
                body = body.replace(f"{{{name}}}", getattr(self, name))
        return body

    def _issue(self, request: Request, reply: Reply) -> None:
        def number(name: str, default: float) -> float:
            value = reply.body.get(name) if isinstance(reply.body, dict) else None
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                return default
            return float(value) or default

        self._interval = number("interval", 5.0)
        self._asked = self._issued = request.at
        self._expires = request.at + number("expires_in", 900.0)

    def _pace(self, request: Request, reply: Reply) -> Reply:
        """What GitHub does to those who are too fast, or too late."""
        since, self._asked = request.at - self._asked, request.at
        if since < self._interval:
            self._complain(f"polled after {since:.3f} s, the interval is {self._interval} s")
            return error("slow_down", interval=self._interval + 5)
        if request.at >= self._expires:
            self._complain(f"polled {request.at - self._expires:.3f} s after expiry")
            return error("expired_token")
        if isinstance(reply.body, dict) and reply.body.get("error") == "slow_down":
            self._interval = float(reply.body.get("interval", self._interval + 5))
        return reply

    def _complain(self, what: str) -> None:
        self.complaints.append(what)

    def _check(self, request: Request) -> None:
        login = request.path in (CODE_PATH, POLL_PATH)
        scheme = "token" if request.path == KEY_PATH else "Bearer"
        expected: dict[str, tuple[Any, Any]] = {
            "method": (request.method, "POST" if login else "GET"),
            "Accept": (request.headers.get("accept"), "application/json"),
            "Authorization": (
                request.headers.get("authorization"),
                None if login else f"{scheme} {self.token}",
            ),
        }
        if login:
            sent = request.headers.get("content-type")
            expected["Content-Type"] = (sent, "application/x-www-form-urlencoded")
            form = {"client_id": self.client_id}
            if request.path == POLL_PATH:
                form |= {"device_code": self.device_code, "grant_type": GRANT_TYPE}
            expected["form"] = (request.form, form)
        if request.path == KEY_PATH:  # GitHub admits editors only
            expected["Editor-Version"] = (request.headers.get("editor-version"), "vscode/1.85.1")
        for what, (found, wanted) in expected.items():
            if found != wanted:
                self._complain(f"{request.path}: wrong {what}")
        agent = request.headers.get("user-agent", "")
        if not agent or "python" in agent.lower():
            self._complain(f"{request.path}: User-Agent {agent!r}")
        if self.key in str((request.headers, request.form)):
            self._complain(f"{request.path}: the Copilot key was used")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, github: FakeGitHub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.github = github
        self.closing = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        github = self.server.github
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            at=github.clock.now(),
            method=self.command,
            path=urlsplit(self.path).path,
            headers={name.lower(): value for name, value in self.headers.items()},
            form={name: values[0] for name, values in parse_qs(body.decode()).items()},
        )
        reply = github.answer(request)
        self.close_connection = True
        if reply.meanwhile is not None:
            reply.meanwhile()
        if reply.sabotage is not None:
            reply.sabotage(self)
            return
        filled = github.fill(dict(reply.body) if isinstance(reply.body, Mapping) else reply.body)
        data = filled if isinstance(filled, bytes) else json.dumps(filled).encode()
        kind = "text/html" if isinstance(filled, bytes) else "application/json; charset=utf-8"
        self.send_response(reply.status)
        for name, value in {"Content-Type": kind, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest shows what matters."""


def wall_clock_date(seconds: float) -> str:
    """An HTTP date `seconds` from now, for Retry-After."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
