"""Requests to GitHub: bounded in time and size, tried again where that helps, and what the answers say."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litellm_gitops.copilot.endpoints import LOOPBACK, host_of
from litellm_gitops.copilot.errors import Exit, Stop, missing
from litellm_gitops.copilot.terminal import Screen, span

if TYPE_CHECKING:
    import httpx

USER_AGENT = "litellm-gitops (get_copilot_token.py)"
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
REQUEST_SECONDS = 60.0  # a whole request, however slowly its bytes come
WAKE_SECONDS = 0.5  # a signal that comes just before a wait begins is seen only after it
ANSWER_BYTES = 1024 * 1024
ATTEMPTS = 4  # of a request that is no poll
LONGEST_PAUSE = 60.0
# With these Copilot refuses an account: https://github.com/microsoft/vscode-copilot-chat, copilotToken.ts
_ENVELOPE = ("error_details", "can_signup_for_limited")
_NO_ACCESS = "Resource not accessible by integration"


class Unreachable(Exception):  # noqa: N818
    """A request brought no answer. `final`: trying again is no use."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `body` is its JSON object, or None when it holds none; `single_sign_on` the X-GitHub-SSO header.

    `retry_after` is the wait that it asks for, in seconds.
    """

    status: int
    body: Mapping[str, Any] | None = field(repr=False)
    retry_after: float = 0.0
    single_sign_on: str = ""

    @property
    def temporary(self) -> bool:
        """Whether GitHub, or what answered in its place, may answer otherwise later."""
        if self.status < 300:
            return self.body is None
        if self.status == 403 and self.notification is None:
            # GitHub answers in JSON; a page is one of a network's policy, or of a portal
            limited = "rate limit" in (self.text("message") or "").lower()
            return self.body is None or limited or self.retry_after > 0
        return self.status < 400 or self.status >= 500 or self.status in (408, 425, 429)

    @property
    def trouble(self) -> str:
        """Why the answer is no use."""
        if self.body is None and (self.status < 300 or self.status == 403):
            return f"HTTP {self.status} without JSON"
        return f"HTTP {self.status}{', a redirect, which is not followed' if 300 <= self.status < 400 else ''}"

    @property
    def refuses(self) -> bool:
        """Whether Copilot refuses the account. Other 403s are of a gateway, also in JSON, or demand single sign-on."""
        if self.notification is not None:
            return True
        if self.status != 403 or self.body is None or self.single_sign_on:
            return False
        return self.text("message") == _NO_ACCESS or not self.body.keys().isdisjoint(_ENVELOPE)

    def text(self, key: str) -> str | None:
        """The string at `key`, if there is one."""
        value = self.body.get(key) if self.body is not None else None
        return value if isinstance(value, str) and value else None

    def number(self, key: str, default: float) -> float:
        """The number at `key`, if there is a usable one."""
        return positive(self.body.get(key) if self.body is not None else None) or default

    @property
    def error(self) -> str | None:
        """The name of an OAuth error."""
        return self.text("error")

    @property
    def notification(self) -> str | None:
        """The id under which Copilot explains a refusal."""
        details = self.body.get("error_details") if self.body is not None else None
        value = details.get("notification_id") if isinstance(details, dict) else None
        return value if isinstance(value, str) and value else None


def positive(value: object) -> float | None:
    """`value` as a number above zero, if it is one or spells one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def seconds_until(moment: str | None) -> float:
    """The wait that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3)."""
    if not moment:
        return 0.0
    import email.utils  # slow to load, and rarely needed

    if re.fullmatch(r"\s*[0-9]+\s*", moment):
        return positive(moment) or 0.0
    try:
        return max(0.0, email.utils.parsedate_to_datetime(moment).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


@dataclass(frozen=True)
class Request:
    """What is sent. `form`: the fields of a form, for a POST."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


class GitHub:
    """Sends requests, and repeats them where that helps."""

    def __init__(self, client: httpx.Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen

    def send(self, request: Request, within: float = REQUEST_SECONDS) -> Answer:
        """One request. Raises `Unreachable` when it brings no whole answer `within` so many seconds."""
        # On a thread of its own: a name lookup cannot be interrupted, yet Ctrl-C must not wait.
        box: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                box.put(self._send(request))
            except Exception as error:
                box.put(error)

        threading.Thread(target=work, daemon=True).start()
        left = within
        while left > 0:
            with contextlib.suppress(queue.Empty):
                outcome = box.get(timeout=min(left, WAKE_SECONDS))
                break
            left -= WAKE_SECONDS
        else:
            raise Unreachable(f"no whole answer within {span(within)}")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _send(self, request: Request) -> Answer:
        import httpx

        raw = bytearray()
        try:
            with self._client.stream(
                request.method, request.url, headers=request.headers, data=request.form
            ) as response:
                for chunk in response.iter_raw():
                    raw += chunk
                    if len(raw) > ANSWER_BYTES:
                        raise Unreachable("an answer of more than 1 MiB")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Unreachable(
                    "its certificate is not trusted here; behind a proxy that inspects TLS, "
                    "SSL_CERT_FILE must name the CA certificate of that proxy",
                    final=True,
                ) from None
            raise Unreachable(type(error).__name__) from None
        try:
            body = json.loads(bytes(raw))
        except (ValueError, RecursionError):
            body = None
        return Answer(
            response.status_code,
            body if isinstance(body, dict) else None,
            seconds_until(response.headers.get("Retry-After")),
            response.headers.get("X-GitHub-SSO", ""),
        )

    def insist(self, failure: str, request: Request) -> Answer:
        """`send`, and again after what may pass. Raises `Stop`, beginning with `failure`, if it does not."""
        host, pause = host_of(request.url), 1.0
        for attempt in range(1, ATTEMPTS + 1):
            wait, final = pause, False
            try:
                answer = self.send(request)
                if not answer.temporary:
                    return answer
                trouble = answer.trouble
                wait = max(pause, answer.retry_after)
                if wait > LONGEST_PAUSE:
                    trouble, final = f"{trouble}, and asks to wait {span(wait)}", True
            except Unreachable as error:
                trouble, final = error.reason, error.final
            if final or attempt == ATTEMPTS:
                break
            self._screen.say(f"{host}: {trouble}. Trying again in {span(wait)}.")
            time.sleep(wait)
            pause *= 2
        raise unasked(failure, host, trouble, "Try again later; behind a proxy, check HTTPS_PROXY.")


def unasked(failure: str, host: str, trouble: str, fix: str) -> Stop:
    """The end of a run in which `host` gave no answer of GitHub's."""
    return Stop(Exit.NETWORK, f"{failure}. {host} could not be asked: {trouble}.\n{fix}")


def open_client() -> httpx.Client:
    """The HTTP client: TLS verified, the environment's proxies used but for this machine, no redirect followed."""
    try:
        import httpx
    except ImportError:
        raise missing("httpx") from None
    import logging

    for name in ("httpx", "httpcore"):  # their INFO lines hold URLs
        logging.getLogger(name).setLevel(logging.WARNING)
    accepted = {"Accept": "application/json", "Accept-Encoding": "identity"}  # so that the limit on bytes is one
    try:
        return httpx.Client(
            headers={**accepted, "User-Agent": USER_AGENT},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),  # by the next poll it would be dead
            mounts={f"all://{f'[{host}]' if ':' in host else host}": None for host in LOOPBACK},
            follow_redirects=False,
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        # Not its text: the URL of a proxy may hold a password.
        raise Stop(
            Exit.NETWORK,
            "The proxy or certificate settings of this environment do not work "
            f"({type(error).__name__}). Check HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE.",
        ) from None
