"""Requests to GitHub: bounded in time and size, tried again where that helps, and what the answers say."""

from __future__ import annotations

import contextlib
import json
import math
import queue
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

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
REQUEST_SECONDS = 60.0  # a whole request, however slowly its bytes come
WAKE_SECONDS = 0.5  # a signal that comes just before a wait begins is seen only after it
ANSWER_BYTES = 1024 * 1024
ATTEMPTS = 4  # of a request that is no poll
LONGEST_PAUSE = 60.0
# identity: so that the limit on bytes is one
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "litellm-gitops (Copilot)"}
# With these Copilot refuses an account: https://github.com/microsoft/vscode-copilot-chat, copilotToken.ts
_ENVELOPE = ("error_details", "can_signup_for_limited")
_NO_ACCESS = "Resource not accessible by integration"

Fields = Mapping[str, str]


class Unreachable(Exception):  # noqa: N818
    """A request brought no answer. `final`: trying again is no use."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.final = reason, final


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its JSON object, if it is one, the wait that it asks for, in seconds, and X-GitHub-SSO."""

    status: int
    body: Mapping[str, Any] | None = field(repr=False)
    retry_after: float = 0.0
    single_sign_on: str = ""

    @property
    def temporary(self) -> bool:
        """Whether GitHub, or what answered in its place, may answer otherwise later."""
        if self.status == 403 and self.notification is None:
            # GitHub answers in JSON; a page is of a network's policy, or of a portal
            return self.body is None or self.retry_after > 0 or "rate limit" in (self.text("message") or "").lower()
        if self.status < 300:
            return self.body is None
        return self.status < 400 or self.status >= 500 or self.status in (408, 425, 429)

    @property
    def trouble(self) -> str:
        """Why the answer is no use."""
        if 300 <= self.status < 400:
            return f"HTTP {self.status}, a redirect, which is not followed"
        return f"HTTP {self.status}{' without JSON' * (self.body is None and self.status in (200, 403))}"

    @property
    def refuses(self) -> bool:
        """Whether Copilot refuses the account. Other 403s are of a gateway, also in JSON, or demand single sign-on."""
        if self.status != 403 or self.single_sign_on or self.notification is not None:
            return self.notification is not None
        return self.text("message") == _NO_ACCESS or any(self.get(key) is not None for key in _ENVELOPE)

    def get(self, key: str) -> Any:
        """The value at `key`; None when there is none."""
        return self.body.get(key) if self.body is not None else None

    def text(self, key: str) -> str | None:
        """The string at `key`, if there is one. `error` holds the name of an OAuth error."""
        return _text(self.get(key))

    def number(self, key: str, default: float) -> float:
        """The number at `key`, if there is a usable one."""
        return positive(self.get(key)) or default

    @property
    def notification(self) -> str | None:
        """The id under which Copilot explains a refusal."""
        details = self.get("error_details")
        return _text(details.get("notification_id")) if isinstance(details, dict) else None


def _text(value: object) -> str | None:
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


def seconds_until(moment: str) -> float:
    """The wait that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if not moment or moment.strip().isdecimal():
        return positive(moment) or 0.0
    import email.utils  # slow to load, and rarely needed

    try:
        return max(0.0, email.utils.parsedate_to_datetime(moment).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


class GitHub:
    """Sends requests, and repeats them where that helps."""

    def __init__(self, client: httpx.Client, screen: Screen) -> None:
        self._client, self._screen = client, screen

    def send(
        self, url: str, headers: Fields | None = None, form: Fields | None = None, within: float = REQUEST_SECONDS
    ) -> Answer:
        """One request, a POST if it has a form. Raises `Unreachable` without a whole answer `within` these seconds."""
        # On a thread of its own: a name lookup cannot be interrupted, yet Ctrl-C must not wait.
        box: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                box.put(self._send(url, headers, form))
            except Exception as error:
                box.put(error)

        threading.Thread(target=work, daemon=True).start()
        left, outcome = within, None
        while outcome is None and left > 0:
            with contextlib.suppress(queue.Empty):
                outcome = box.get(timeout=min(left, WAKE_SECONDS))
            left -= WAKE_SECONDS
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is None:
            raise Unreachable(f"no whole answer within {span(within)}")
        return outcome

    def _send(self, url: str, headers: Fields | None, form: Fields | None) -> Answer:
        import httpx

        raw, method = bytearray(), "GET" if form is None else "POST"
        try:
            with self._client.stream(method, url, headers=headers, data=form) as response:
                for chunk in response.iter_raw():
                    raw += chunk
                    if len(raw) > ANSWER_BYTES:
                        raise Unreachable("an answer of more than 1 MiB")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                reason = "its certificate is not trusted here; behind a proxy that inspects TLS, SSL_CERT_FILE must "
                raise Unreachable(f"{reason}name the CA certificate of that proxy", final=True) from None
            raise Unreachable(type(error).__name__) from None
        try:
            body = json.loads(bytes(raw))
        except (ValueError, RecursionError):
            body = None
        body, wait = body if isinstance(body, dict) else None, seconds_until(response.headers.get("Retry-After", ""))
        return Answer(response.status_code, body, wait, response.headers.get("X-GitHub-SSO", ""))

    def insist(self, failure: str, url: str, headers: Fields | None = None, form: Fields | None = None) -> Answer:
        """`send`, and again after what may pass. Raises `Stop`, beginning with `failure`, if it does not."""
        host, pause = host_of(url), 1.0
        for attempt in range(1, ATTEMPTS + 1):
            wait, final = pause, attempt == ATTEMPTS
            try:
                answer = self.send(url, headers, form)
                if not answer.temporary:
                    return answer
                trouble, wait = answer.trouble, max(pause, answer.retry_after)
                if wait > LONGEST_PAUSE:
                    trouble, final = f"{trouble}, and asks to wait {span(wait)}", True
            except Unreachable as error:
                trouble, final = error.reason, final or error.final
            if final:
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
    try:
        return httpx.Client(
            headers=_HEADERS,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),  # by the next poll it would be dead
            mounts={f"all://{f'[{host}]' if ':' in host else host}": None for host in LOOPBACK},
            follow_redirects=False,
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        # Not its text: the URL of a proxy may hold a password.
        kind = f"The proxy or certificate settings of this environment do not work ({type(error).__name__})"
        raise Stop(Exit.NETWORK, f"{kind}. Check HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE.") from None
