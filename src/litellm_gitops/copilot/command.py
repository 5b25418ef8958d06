#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx>=0.28,<1", "pyrage>=1.2,<2", "PyYAML>=6,<7"]
# ///
"""Gets the token with which LiteLLM Proxy uses GitHub Copilot: login, check, storing.

The login is the device flow of RFC 8628, as GitHub speaks it:
https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow
The token is written to one file, or goes straight into sealing. It is never shown.
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    # Ctrl-C during the imports below must be no traceback either.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import argparse
import contextlib
import email.utils
import enum
import json
import logging
import math
import queue
import re
import secrets
import stat
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    import httpx

ROOT = Path(__file__).resolve().parent.parent
SECRET = "litellm-github-copilot"
KEY = "access-token"

# The client id of GitHub's own editor plugin, which LiteLLM uses too.
CLIENT_ID = "Iv1.b507a08c87ecfe98"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_FORM = re.compile(r"gh[a-z]_[A-Za-z0-9_]+")
NAME_FORM = re.compile(r"[A-Za-z0-9_.-]{1,64}")
USER_AGENT = "litellm-gitops (get_copilot_token.py)"
# What LiteLLM sends when it trades the token for a Copilot key. GitHub admits only editors that it
# knows, and the question is whether it will admit the proxy.
LITELLM_HEADERS = {
    "User-Agent": "GithubCopilot/1.155.0",
    "Editor-Version": "vscode/1.85.1",
    "Editor-Plugin-Version": "copilot/1.155.0",
}

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
REQUEST_SECONDS = 60.0  # a whole request, however slowly its bytes trickle in
WAKE_SECONDS = 0.5  # a signal that comes just before a wait begins is seen only after it
ANSWER_BYTES = 1024 * 1024
ATTEMPTS = 4  # of a request that is no poll
LONGEST_PAUSE = 60.0
DEFAULT_INTERVAL = 5.0  # RFC 8628, section 3.2
DEFAULT_EXPIRY = 900.0
LONGEST_EXPIRY = 86400.0  # whatever is sent: what comes of it must be a time that can be slept
SLOW_DOWN = 5.0  # RFC 8628, section 3.5
# The clock of a virtual machine may run 30 % fast, and polls that come too early are punished:
# https://github.com/cli/cli/issues/9370
MARGIN, MARGIN_STEP, WIDEST_MARGIN = 1.2, 0.2, 2.0


class Exit(enum.IntEnum):
    """The exit codes, with 130 for an interruption."""

    STORED = 0
    UNEXPECTED = 1
    USAGE = 2
    DENIED = 3
    EXPIRED = 4
    NETWORK = 5
    NO_SUBSCRIPTION = 6


class Stop(Exception):  # noqa: N818
    """The run ends here, with this exit code and a text that is safe to show."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Unreachable(Exception):  # noqa: N818
    """A request brought no answer. `final`: trying again is no use."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


class Secret:
    """A value that shows itself only to `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


# ---- What GitHub says, and what to do about it

EXPIRED = "The code expired before it was entered. Run this again to get a new one."

# The errors of the device flow, beside `authorization_pending` and `slow_down`:
# https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#error-codes-for-the-device-flow
FLOW_ERRORS: Mapping[str, tuple[Exit, str]] = {
    "access_denied": (
        Exit.DENIED,
        "The login was refused in the browser. Run this again to get a new code.",
    ),
    "expired_token": (Exit.EXPIRED, EXPIRED),
    "token_expired": (Exit.EXPIRED, EXPIRED),  # GitHub's documentation has both spellings
    "device_flow_disabled": (
        Exit.UNEXPECTED,
        "GitHub answers device_flow_disabled: the app of this client id offers no device flow. "
        "Set GITHUB_COPILOT_CLIENT_ID to an app that does.",
    ),
    "unauthorized_client": (
        Exit.UNEXPECTED,
        "GitHub answers unauthorized_client: the app of this client id offers no device flow. "
        "Set GITHUB_COPILOT_CLIENT_ID to an app that does.",
    ),
    "incorrect_client_credentials": (
        Exit.UNEXPECTED,
        "GitHub answers incorrect_client_credentials: it does not know this client id. Check GITHUB_COPILOT_CLIENT_ID.",
    ),
    "incorrect_device_code": (
        Exit.UNEXPECTED,
        "GitHub answers incorrect_device_code: it does not know the code that it gave. Check that "
        "GITHUB_COPILOT_DEVICE_CODE_URL and GITHUB_COPILOT_ACCESS_TOKEN_URL belong together.",
    ),
    "unsupported_grant_type": (
        Exit.UNEXPECTED,
        "GitHub answers unsupported_grant_type: what was polled serves no device flow. "
        "Check GITHUB_COPILOT_ACCESS_TOKEN_URL.",
    ),
}

_SETTINGS = "{site}/settings/copilot"
_TRADE = "https://docs.github.com/site-policy/other-site-policies/github-and-trade-controls"
_CLIENT = (
    "GitHub takes this client for an unknown one, whatever the account. Bring the repository up to "
    "date with its template, or set GITHUB_COPILOT_CLIENT_ID to the app of another editor."
)

# Why Copilot refuses an account, by notification id, and what to do. {site} is GitHub's address.
# https://github.com/microsoft/vscode-copilot-chat/blob/main/src/platform/authentication/common/copilotToken.ts
REFUSALS: Mapping[str, str] = {
    "no_copilot_access": "it has no Copilot subscription. Subscribe at " + _SETTINGS + ", ask an "
    "owner of the organization for a seat, or log in with another account.",
    "not_signed_up": "it has not signed up for Copilot. Sign up at " + _SETTINGS + ", or log in with another account.",
    "subscription_ended": "its Copilot subscription has ended. Renew it at {site}/settings/billing",
    "enterprise_managed_user_account": "an enterprise manages it, and only the enterprise can give "
    "it a Copilot seat. Ask its administrators.",
    "feature_flag_blocked": "GitHub has blocked Copilot for it. Ask https://support.github.com",
    "spammy_user": "GitHub has flagged it as spam. Appeal at https://support.github.com/contact/reinstatement",
    "billing_locked": "its billing is locked. Settle the payment at {site}/settings/billing, or "
    "have the owner of the organization do it.",
    "trade_restricted": "GitHub's trade controls exclude it. See " + _TRADE,
    "trade_restricted_country": "GitHub's trade controls exclude the country in which this machine is. See " + _TRADE,
    "snippy_not_configured": "its Copilot settings are incomplete. Choose what happens with "
    "suggestions that match public code, at " + _SETTINGS,
    "expired_coupon": "the coupon of its subscription has expired. Subscribe at " + _SETTINGS,
    "revoked_coupon": "the coupon of its subscription was revoked. Subscribe at " + _SETTINGS,
    "codespaces_demo_inactive": "its Copilot demo in Codespaces is over. Subscribe at " + _SETTINGS,
    "go_http_client": _CLIENT,
    "programmatic_token_generation": _CLIENT,
    "access_revoked": "its access to Copilot was revoked. Ask an owner of the organization, or "
    "https://support.github.com",
    "server_error": "GitHub could not tell, for an error of its own. Try again later; "
    "https://www.githubstatus.com may say more.",
}


# ---- Interruption


class Unfinished:
    """What a run would leave behind if it ended right now."""

    temporary: Path | None = None
    target: Path | None = None  # set once `temporary` is complete
    sealing: tuple[int, Sealing] | None = None
    said: str = "nothing was stored"


def on_signal(number: int, _: FrameType | None) -> NoReturn:
    """Cleans up and ends the process, with no exception that some library could catch or show."""
    signal.signal(number, lambda *_: os._exit(128 + number))  # a second one does not wait
    if Unfinished.sealing is not None:
        child, sealing = Unfinished.sealing
        end_gently(child)
        Unfinished.said = "the token was already sealed" if sealing.done() else "nothing was sealed"
    if Unfinished.temporary is not None:
        try:
            Unfinished.temporary.unlink()
        except OSError:  # not yet made, or gone because it has got its final name
            if Unfinished.target is not None:
                Unfinished.said = f"the token is already in {Unfinished.target}"
    with contextlib.suppress(OSError):
        os.write(2, f"\nInterrupted: {printable(Unfinished.said)}.\n".encode())
    os._exit(128 + number)


def end_gently(pid: int) -> None:
    """Ends a child, and its children, so that they can clean up; kills them after ten seconds."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGINT)
        for _ in range(200):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return
            time.sleep(0.05)
        os.killpg(pid, signal.SIGKILL)


# ---- The terminal


def printable(text: object, limit: int = 200) -> str:
    """`text` without what could steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))[:limit]


def span(seconds: float) -> str:
    """A time as people say it: `90 seconds`, `15 minutes`, `2 minutes 30 seconds`."""
    minutes, rest = divmod(max(0, math.ceil(seconds)), 60)
    if minutes < 2:
        minutes, rest = 0, rest + 60 * minutes
    parts = [
        f"{number} {unit}{'' if number == 1 else 's'}"
        for number, unit in ((minutes, "minute"), (rest, "second"))
        if number
    ]
    return " ".join(parts) or "0 seconds"


class Screen:
    """Talks to the user, on stderr alone. When nobody listens any more, it does not matter."""

    def __init__(self) -> None:
        self.lost = sys.stderr is None
        self.tty = not self.lost and sys.stderr.isatty()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._colours = self.tty and not plain
        self._replaceable = False

    def say(self, text: str = "", style: str = "", end: str = "\n") -> None:
        self._write((f"\x1b[{style}m{text}\x1b[0m" if style and self._colours else text) + end)

    def replaceable(self, text: str) -> None:
        """A line that the next one takes the place of; on a terminal only."""
        if self.tty:
            self._write(text)
            self._replaceable = True

    def _write(self, text: str) -> None:
        erase = "\r\x1b[K" if self._replaceable else ""
        self._replaceable = False
        if self.lost:
            return
        try:
            sys.stderr.write(erase + text)
            sys.stderr.flush()
        except (OSError, ValueError):
            self.lost = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the rest of the buffer goes


# ---- Where GitHub is


@dataclass(frozen=True)
class Endpoints:
    """The addresses of one GitHub. `host` is github.com or <name>.ghe.com."""

    host: str
    client_id: str
    device_code: str
    access_token: str
    api_key: str
    overridden: tuple[str, ...]

    @property
    def api(self) -> str:
        """The origin of the API, without a slash at its end."""
        parts = urlsplit(self.api_key)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def site(self) -> str:
        return f"https://{self.host}"


def github_host(text: str) -> str:
    """The host name in `text`: github.com or <name>.ghe.com. Raises ValueError for another."""
    host = text.strip().lower().removeprefix("https://").rstrip("/")
    if host == "github.com" or re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.ghe\.com", host):
        return host
    raise ValueError(host)


def endpoints(host: str, env: Mapping[str, str]) -> Endpoints:
    """The addresses of `host`, unless `env` has others, under the names that LiteLLM reads.

    Raises `Stop` for an address that is no URL, or that would carry the token unencrypted.
    """
    defaults = {
        "GITHUB_COPILOT_CLIENT_ID": CLIENT_ID,
        "GITHUB_COPILOT_DEVICE_CODE_URL": f"https://{host}/login/device/code",
        "GITHUB_COPILOT_ACCESS_TOKEN_URL": f"https://{host}/login/oauth/access_token",
        "GITHUB_COPILOT_API_KEY_URL": f"https://api.{host}/copilot_internal/v2/token",
    }
    chosen = {name: env.get(name, "").strip() or value for name, value in defaults.items()}
    for name, value in chosen.items():
        if name.endswith("_URL"):
            check_url(name, value)
        elif not NAME_FORM.fullmatch(value):
            raise Stop(Exit.USAGE, f"{name} is not a client id, such as {CLIENT_ID}")
    client_id, device_code, access_token, api_key = chosen.values()
    overridden = tuple(name for name in defaults if chosen[name] != defaults[name])
    return Endpoints(host, client_id, device_code, access_token, api_key, overridden)


def split_url(url: str) -> SplitResult | None:
    """The parts of an http(s) URL that has a host and no user name in it."""
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return None
    plain = re.fullmatch(r"[!-~]{1,500}", url)
    return parts if usable and plain and parts.scheme in ("http", "https") else None


def is_protected(parts: SplitResult) -> bool:
    """Whether what is sent there can be read by nobody else: TLS, or this machine."""
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def check_url(name: str, value: str) -> None:
    parts = split_url(value)
    if parts is None:
        raise Stop(Exit.USAGE, f"{name} is not a URL such as https://github.com/login/device/code")
    if not is_protected(parts):
        raise Stop(Exit.USAGE, f"{name} must begin with https://, else the token could be read")


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


# ---- Requests


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `body` is its JSON object, or None when it holds none."""

    status: int
    body: Mapping[str, Any] | None = field(repr=False)
    retry_after: float = 0.0

    @property
    def temporary(self) -> bool:
        """Whether GitHub, or what answered in its place, may answer otherwise later."""
        if self.status < 300:
            return self.body is None
        if self.status == 403 and self.notification is None:
            limited = "rate limit" in (self.text("message") or "").lower()
            return limited or self.retry_after > 0
        return self.status < 400 or self.status >= 500 or self.status in (408, 425, 429)

    @property
    def trouble(self) -> str:
        """Why the answer is no use."""
        if self.status < 300:
            return f"HTTP {self.status} without JSON"
        if self.status < 400:
            return f"HTTP {self.status}, a redirect, which is not followed"
        return f"HTTP {self.status}"

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
    if re.fullmatch(r"\s*[0-9]+\s*", moment):
        return positive(moment) or 0.0
    try:
        return max(0.0, email.utils.parsedate_to_datetime(moment).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


class GitHub:
    """Asks GitHub, patiently where that helps."""

    def __init__(self, client: httpx.Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises `Unreachable` when it brings no whole answer within a minute."""
        # On a thread of its own: a name lookup cannot be interrupted, yet Ctrl-C must not wait.
        box: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                box.put(self._ask(method, url, headers, form))
            except Exception as error:
                box.put(error)

        threading.Thread(target=work, daemon=True).start()
        for _ in range(round(REQUEST_SECONDS / WAKE_SECONDS)):
            with contextlib.suppress(queue.Empty):
                outcome = box.get(timeout=WAKE_SECONDS)
                break
        else:
            raise Unreachable(f"no whole answer within {span(REQUEST_SECONDS)}")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> Answer:
        import httpx

        raw = bytearray()
        try:
            with self._client.stream(method, url, headers=headers, data=form) as response:
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
            status=response.status_code,
            body=body if isinstance(body, dict) else None,
            retry_after=seconds_until(response.headers.get("Retry-After")),
        )

    def insist(
        self,
        failure: str,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """`ask`, and again after what may pass. Raises `Stop`, beginning with `failure`, if not."""
        pause = 1.0
        for attempt in range(1, ATTEMPTS + 1):
            wait, final = pause, False
            try:
                answer = self.ask(method, url, headers, form)
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
            self._screen.say(f"{host_of(url)}: {trouble}. Trying again in {span(wait)}.")
            time.sleep(wait)
            pause *= 2
        raise Stop(
            Exit.NETWORK,
            f"{failure}. {host_of(url)}: {trouble}.\nTry again later; behind a proxy, check HTTPS_PROXY.",
        )


def open_client() -> httpx.Client:
    """The HTTP client: TLS verified, the environment's proxies used, no redirect followed."""
    try:
        import httpx
    except ImportError:
        raise Stop(Exit.UNEXPECTED, missing("httpx")) from None
    for name in ("httpx", "httpcore"):  # their INFO lines hold URLs
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return httpx.Client(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # so that the limit on bytes is one
                "User-Agent": USER_AGENT,
            },
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),  # by the next poll it would be dead
            follow_redirects=False,
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        # Not its text: the URL of a proxy may hold a password.
        raise Stop(
            Exit.NETWORK,
            "The proxy or certificate settings of this environment do not work "
            f"({type(error).__name__}). Check HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE.",
        ) from None


def missing(package: str) -> str:
    return f"{package} is missing. `uv run hooks/get_copilot_token.py` brings it; so does `pip install {package}`."


# ---- The device flow


@dataclass(frozen=True)
class Code:
    """What a device authorization request brings (RFC 8628, section 3.2). Times in seconds."""

    device_code: Secret
    user_code: str
    link: str
    expires_in: float
    interval: float


def request_code(github: GitHub, where: Endpoints) -> Code:
    """Asks for a code. Raises `Stop` when there is none, or none that is safe to show."""
    answer = github.insist(
        "No code could be had",
        "POST",
        where.device_code,
        form={"client_id": where.client_id},  # no scope: the tokens of a GitHub App have none
    )
    if answer.error is not None:
        raise flow_error(answer.error)
    if answer.status in (401, 403, 404, 422):
        raise Stop(
            Exit.UNEXPECTED,
            f"{host_of(where.device_code)} offers no device flow to client id {where.client_id} "
            f"(HTTP {answer.status}). Check GITHUB_COPILOT_CLIENT_ID and --host.",
        )
    device_code, user_code = answer.text("device_code"), answer.text("user_code")
    link = answer.text("verification_uri")
    if answer.status != 200 or device_code is None or user_code is None or link is None:
        raise Stop(
            Exit.UNEXPECTED,
            f"{where.device_code} does not answer as a device flow does (HTTP {answer.status}). "
            "Check GITHUB_COPILOT_DEVICE_CODE_URL and --host.",
        )
    if not re.fullmatch(r"[A-Za-z0-9-]{4,40}", user_code):
        raise Stop(Exit.UNEXPECTED, "The code that was sent has strange signs. It is not shown.")
    check_link(link, where)
    return Code(
        device_code=Secret(device_code),
        user_code=user_code,
        link=link,
        expires_in=min(answer.number("expires_in", DEFAULT_EXPIRY), LONGEST_EXPIRY),
        interval=max(1.0, answer.number("interval", DEFAULT_INTERVAL)),
    )


def check_link(link: str, where: Endpoints) -> None:
    """Raises `Stop` for a login page on a host that was not asked: it may be a trap."""
    parts = split_url(link)
    host = (parts.hostname or "") if parts is not None else ""
    known = host in (where.host, host_of(where.device_code))
    if parts is None or not is_protected(parts) or not known:
        raise Stop(
            Exit.UNEXPECTED,
            f"The login page is not https on {where.host}, but on {printable(host) or 'no host'}. "
            "It is not shown: it could steal the login.\n"
            "Check --host and GITHUB_COPILOT_DEVICE_CODE_URL.",
        )


def flow_error(name: str) -> Stop:
    if name in FLOW_ERRORS:
        return Stop(*FLOW_ERRORS[name])
    shown = name if NAME_FORM.fullmatch(name) else "an error without a proper name"
    return Stop(Exit.UNEXPECTED, f"GitHub answers {shown}, which is unknown here. Nothing was stored.")


def show_code(screen: Screen, code: Code) -> None:
    screen.say()
    screen.say(f"  Open       {code.link}", style="1")
    screen.say(f"  and enter  {code.user_code}", style="1")
    screen.say()
    screen.say(f"Enter this code only, and on that page only. It is valid for {span(code.expires_in)}.")
    if screen.lost:
        raise Stop(Exit.UNEXPECTED, "The code cannot be shown, because stderr is closed.")


def open_browser(link: str, host: str) -> bool:
    """Opens `link` if it is https on `host` and a person sits before a screen here."""
    parts = urlsplit(link)
    if parts.scheme != "https" or parts.hostname != host or parts.port not in (None, 443):
        return False
    screenless = sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if screenless or "SSH_CONNECTION" in os.environ or not asks_people():
        return False

    def work() -> None:
        with contextlib.suppress(Exception):
            webbrowser.open(link)

    threading.Thread(target=work, daemon=True).start()  # some browsers return when they are closed
    return True


def asks_people() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


class Waiting:
    """Waits between polls: a countdown on a terminal, a line a minute elsewhere."""

    def __init__(self, screen: Screen, deadline: float) -> None:
        self._screen = screen
        self._deadline = deadline
        self._line = time.monotonic() + 60

    def until(self, moment: float) -> None:
        while (now := time.monotonic()) < moment:
            left = self._deadline - now
            minutes, rest = divmod(math.ceil(left), 60)
            self._screen.replaceable(f"Waiting for the login: {minutes}:{rest:02d} left ")
            if now >= self._line and not self._screen.tty:
                self._screen.say(f"Waiting for the login: {span(left)} left.")
                self._line = now + 60
            time.sleep(min(moment - now, 1.0))


def wait_for_token(github: GitHub, where: Endpoints, code: Code, timeout: float | None, screen: Screen) -> Secret:
    """Polls until the user has decided (RFC 8628, section 3.5).

    `timeout`, in seconds, shortens the life of the code. Raises `Stop` at every end without token.
    """
    asked = time.monotonic()
    deadline = asked + min(code.expires_in, timeout or math.inf)
    waiting = Waiting(screen, deadline)
    interval, margin, slowed = code.interval, MARGIN, 0
    failures, trouble, demanded = 0, "", 0.0
    while True:
        pause = interval * margin
        if failures:  # less and less often
            pause = max(pause, min(pause * 2**failures, LONGEST_PAUSE), demanded)
        moment = asked + pause
        if moment >= deadline:  # one last look, if the interval allows it
            moment = max(deadline - 1, asked + max(interval, demanded))
        if moment >= deadline:
            if demanded < deadline - asked:
                waiting.until(deadline)
            raise too_late(where, code, timeout, trouble if failures else "")
        waiting.until(moment)
        asked = time.monotonic()
        answer: Answer | None = None
        try:
            answer = github.ask(
                "POST",
                where.access_token,
                form={
                    "client_id": where.client_id,
                    "device_code": code.device_code.reveal(),
                    "grant_type": GRANT_TYPE,
                },
            )
            trouble, demanded = answer.trouble, answer.retry_after
        except Unreachable as error:
            trouble, demanded = error.reason, 0.0
        if answer is None or (answer.temporary and answer.error != "slow_down"):
            failures += 1
            screen.say(f"{host_of(where.access_token)}: {trouble}. Trying on.")
            continue
        failures = 0
        if answer.error == "slow_down":
            slowed += 1
            interval = max(answer.number("interval", 0.0), interval + SLOW_DOWN)
            margin = min(margin + MARGIN_STEP, WIDEST_MARGIN)
            screen.say(f"GitHub asks to slow down: every {span(interval * margin)} from now on.")
            if slowed == 3:
                screen.say("Is the clock of this machine fast? In WSL and in VMs it may be.")
        elif answer.error is None:
            return read_token(answer, screen)
        elif answer.error != "authorization_pending":
            raise flow_error(answer.error)


def too_late(where: Endpoints, code: Code, timeout: float | None, trouble: str) -> Stop:
    """How a wait ends in which nothing was decided. `trouble`: why GitHub could not be asked."""
    if trouble:
        return Stop(
            Exit.NETWORK,
            f"{host_of(where.access_token)} could not be asked before the code expired: {trouble}. "
            "Run this again later.",
        )
    if timeout is not None and timeout < code.expires_in:
        return Stop(Exit.EXPIRED, f"Nobody logged in within {span(timeout)} (--timeout). Run this again.")
    return Stop(Exit.EXPIRED, EXPIRED)


def read_token(answer: Answer, screen: Screen) -> Secret:
    """The token in `answer`. Raises `Stop` if it holds none of the form that GitHub's have."""
    token = answer.text("access_token")
    if answer.status != 200 or token is None:
        raise Stop(
            Exit.UNEXPECTED,
            f"GitHub ended the login without a token (HTTP {answer.status}). Nothing was stored.",
        )
    if not TOKEN_FORM.fullmatch(token):
        raise Stop(
            Exit.UNEXPECTED,
            "GitHub sent something that is no token (gh?_ and letters). Nothing was stored.",
        )
    expires = answer.number("expires_in", 0.0)
    if expires or answer.text("refresh_token"):
        screen.say(
            f"warning: the tokens of this client id expire{f' in {span(expires)}' * bool(expires)},"
            " and LiteLLM does not renew them.",
            style="33",
        )
    return Secret(token)


# ---- The account


@dataclass(frozen=True)
class Account:
    login: str
    plan: str


def verify(github: GitHub, where: Endpoints, token: Secret) -> Account:
    """The account of `token`, once it is sure that Copilot serves it. Raises `Stop` otherwise.

    The first call only tells. The last one is LiteLLM's: it returns a key, which is a credential
    of its own and is dropped.
    """
    failure = "Nothing was stored, because the account could not be verified"

    def get(url: str, headers: Mapping[str, str]) -> Answer:
        answer = github.insist(failure, "GET", url, headers)
        if answer.status == 401:
            raise Stop(
                Exit.UNEXPECTED,
                f"{host_of(url)} does not accept the token that was just given (HTTP 401). "
                "Nothing was stored.\nRun this again; GITHUB_COPILOT_API_KEY_URL must be on the "
                "same GitHub as the other addresses.",
            )
        return answer

    bearer = {"Authorization": f"Bearer {token.reveal()}"}
    told = get(f"{where.api}/copilot_internal/user", bearer)
    user = get(f"{where.api}/user", bearer)
    account = Account(
        login=printable(user.text("login") or told.text("login") or "of unknown name", 64),
        plan=printable(told.text("copilot_plan") or told.text("access_type_sku") or "unknown", 64),
    )
    off = told.status == 200 and told.body is not None and told.body.get("chat_enabled") is False
    if off or told.notification is not None:
        raise refusal(where, told, account)

    exchange = get(where.api_key, LITELLM_HEADERS | {"Authorization": f"token {token.reveal()}"})
    if exchange.status == 403 or exchange.notification is not None:
        raise refusal(where, exchange, account)
    if exchange.status != 200 or exchange.text("token") is None:
        raise Stop(
            Exit.UNEXPECTED,
            f"{where.api_key} gives no Copilot key for tokens of client id {where.client_id} "
            f"(HTTP {exchange.status}). Nothing was stored.\n"
            "Check GITHUB_COPILOT_CLIENT_ID and GITHUB_COPILOT_API_KEY_URL.",
        )
    return account


def refusal(where: Endpoints, answer: Answer, account: Account) -> Stop:
    """Why Copilot refuses the account, and what to do."""
    name = answer.notification or answer.text("access_type_sku") or ""
    if name in REFUSALS:
        why = REFUSALS[name]
    elif answer.status == 200:
        why = "its chat is switched off. See " + _SETTINGS + ", or ask the organization's owner."
    else:
        why = "see " + _SETTINGS + ", or log in with another account."
    if answer.body is not None and answer.body.get("can_signup_for_limited") is True:
        why += " Copilot Free is open to it, at " + _SETTINGS
    reason = f" ({name})" if NAME_FORM.fullmatch(name) else ""
    return Stop(
        Exit.NETWORK if name == "server_error" else Exit.NO_SUBSCRIPTION,
        f"Copilot refuses account {account.login}, plan {account.plan}{reason}: "
        f"{why.replace('{site}', where.site)}\nNothing was stored.",
    )


# ---- Storing in a file


class TokenFile:
    """The file that the token goes to. What can be checked is checked before anybody logs in."""

    def __init__(self, path: Path, force: bool, screen: Screen) -> None:
        self._path = path
        self._shown = printable(path)
        self._force = force
        self._screen = screen
        self._agreed: tuple[int, ...] | None = None

    def prepare(self) -> None:
        """Raises `Stop` when the token could not, or must not, be written there."""
        folder = self._path.parent
        shown = printable(folder)
        try:
            mode = folder.stat().st_mode
        except OSError as error:
            raise Stop(Exit.USAGE, f"{shown}: {error.strerror}. Make the folder first.") from None
        if not stat.S_ISDIR(mode):
            raise Stop(Exit.USAGE, f"{shown} is not a folder.")
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Stop(Exit.USAGE, f"Everybody can write to {shown}. Choose another folder.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Stop(Exit.USAGE, f"{shown} is not writable.")
        try:
            self._temporary().lstat()
        except FileNotFoundError:
            pass
        except OSError as error:  # it is longer than the file's own name, and could be too long
            raise Stop(Exit.USAGE, f"{self._shown}: {error.strerror}. Choose a shorter --output.") from None
        self._remove_leftovers()
        self._check_target()

    def store(self, token: Secret) -> str:
        """Writes the file, mode 0600, in one step. Returns what to tell."""
        self._check_target()
        temporary = self._temporary()
        Unfinished.temporary = temporary
        try:
            with contextlib.closing(_File(temporary)) as file:
                file.write(token.reveal().encode())
            Unfinished.target = self._path
            temporary.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise Stop(Exit.UNEXPECTED, f"{self._shown}: {error.strerror}. Nothing was stored.") from None
        Unfinished.said = f"the token is already in {self._path}"
        Unfinished.temporary = None
        with contextlib.suppress(OSError):  # so that the new name, too, survives a power cut
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
            os.fsync(folder)
            os.close(folder)
        return f"The token is in {self._shown}, mode 0600. Keep it out of git."

    def _temporary(self) -> Path:
        """A new name beside the file, for what is not complete yet."""
        return self._path.parent / f"{self._path.name}.{secrets.token_hex(8)}.tmp"

    def _check_target(self) -> None:
        """Raises `Stop` unless nothing of value is there, or its loss was agreed to."""
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Stop(Exit.USAGE, f"{self._shown}: {error.strerror}.") from None
        kinds = (
            (stat.S_ISLNK, "is a symbolic link, which is not followed. Remove it"),
            # Docker makes one where it is told to mount a file that does not exist.
            (stat.S_ISDIR, "is a folder. Remove it"),
            (lambda mode: not stat.S_ISREG(mode), "is no regular file. Remove it"),
        )
        for is_kind, what in kinds:
            if is_kind(found.st_mode):
                raise Stop(Exit.USAGE, f"{self._shown} {what}, or choose another --output.")
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._force or found.st_size == 0 or seen == self._agreed:
            return
        if not asks_people():
            raise Stop(Exit.USAGE, f"{self._shown} exists and may hold a good token. --force replaces it.")
        self._screen.say(
            f"{self._shown} exists and may hold a good token. Replace it, once the new one is verified? [y/N] ",
            end="",
        )
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Stop(Exit.USAGE, f"{self._shown} was left as it is.")
        self._agreed = seen

    def _remove_leftovers(self) -> None:
        """Removes what a run that was killed while it wrote has left: it may be a token."""
        form = re.compile(rf"{re.escape(self._path.name)}\.[0-9a-f]{{16}}\.tmp")
        with contextlib.suppress(OSError):
            for left in self._path.parent.iterdir():
                if form.fullmatch(left.name) and time.time() - left.lstat().st_mtime > 60:
                    left.unlink()


class _File:
    """A new file that nobody else can read. Raises OSError if anything has its name already."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o600)
        os.fchmod(self._handle, 0o600)  # whatever the umask

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)

    def close(self) -> None:
        os.close(self._handle)


# ---- Storing in the sealed Secrets

# What sealing needs of the environment, beside what sops needs to log in to a cloud (`sops.LOGIN`):
# names, paths and proxies, no credential of any kind.
SEALING_ENVIRONMENT = re.compile("PATH|HOME|USER|LANG|LC_ALL|TMPDIR|XDG_CACHE_HOME|XDG_CONFIG_HOME|LITELLM_GITOPS_.*")


class Sealing:
    """Hands the token to hooks/seal_secrets.py, through a pipe."""

    def __init__(self, root: Path, screen: Screen) -> None:
        self._screen = screen
        self._root = root
        self._environments: list[str] = []
        self._before: list[int] = []

    def prepare(self) -> None:
        """Raises `Stop` when sealing would fail, so that nobody logs in for nothing."""
        try:
            from sealing import creation_rules, sops
            from sealing.errors import SealingError
            from sealing.inputs import Inputs
            from sealing.policy import Repository
        except ImportError as error:
            if error.name == "yaml":
                raise Stop(Exit.UNEXPECTED, missing("PyYAML")) from None
            raise Stop(Exit.USAGE, "hooks/sealing is missing, so nothing can be sealed. Use --output.") from None
        repository = Repository(self._root)
        try:
            secrets_wanted = [each for each in repository.wanted() if each.name == SECRET]
            if not secrets_wanted:
                raise Stop(
                    Exit.USAGE,
                    f"policies/secrets.yml has no {SECRET}: this repository uses no GitHub Copilot.",
                )
            self._environments = [each.environment for each in secrets_wanted]
            sops.program()
            Inputs.read(self._root)
            rules = creation_rules.load(self._root)
            for name in self._environments:
                if creation_rules.find(rules, f"secrets/{name}/{SECRET}.sops.yaml") is not None:
                    for problem in creation_rules.problems(rules, name):
                        raise SealingError(f"{creation_rules.CONFIG}: {problem}")
        except SealingError as error:
            raise Stop(Exit.UNEXPECTED, f"Sealing would fail: {error}") from None

    def done(self) -> bool:
        """Whether the sealed files are others than before."""
        return self._files() != self._before

    def _files(self) -> list[int]:
        found = self._root.glob(f"secrets/*/{SECRET}.sops.yaml")
        return sorted(path.stat().st_ino for path in found)  # sealing renames new files into place

    def store(self, token: Secret) -> str:
        """Seals the token for every environment that uses it. Returns what to tell."""
        from sealing import sops  # `prepare` has seen to it that this works

        script = self._root / "hooks" / "seal_secrets.py"
        self._before = self._files()
        try:
            child = subprocess.Popen(
                [sys.executable, str(script), "--rotate", SECRET, "--stdin", KEY],
                cwd=self._root,
                env={
                    name: value
                    for name, value in os.environ.items()
                    if SEALING_ENVIRONMENT.fullmatch(name) or sops.LOGIN.fullmatch(name)
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches it once, through `end_gently`
            )
        except OSError as error:
            raise Stop(Exit.UNEXPECTED, f"{printable(script)}: {error.strerror}. Nothing was stored.") from None
        Unfinished.sealing = (child.pid, self)
        output, _ = child.communicate(token.reveal().encode())
        if child.returncode == 0:  # said first: a slow terminal leaves time for Ctrl-C below
            Unfinished.said = "the token was already sealed"
        Unfinished.sealing = None
        # Sealing shows no secret. Should it ever, that ends here.
        for line in output.decode(errors="replace").replace(token.reveal(), "***").splitlines():
            self._screen.say(f"  {printable(line, 500)}")
        if child.returncode:
            raise Stop(
                Exit.UNEXPECTED,
                f"Sealing failed with exit code {child.returncode}; the lines above say why. "
                "Nothing was stored.\nMend that, then run this again.",
            )
        return f"The token is sealed for {', '.join(self._environments)}. Commit and push secrets/ and litellm/."


# ---- The command


def seconds_argument(text: str) -> float:
    value = positive(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def host_argument(text: str) -> str:
    try:
        return github_host(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither github.com nor <name>.ghe.com (no other GitHub has Copilot)"
        ) from None


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="get_copilot_token.py",
        description="Logs in to GitHub in your browser, checks that the account has GitHub\n"
        "Copilot, and stores the token for LiteLLM Proxy. The token is never shown.",
        epilog="""\
exit codes:
  0 stored   1 unexpected   2 usage   3 denied   4 expired   5 network
  6 no Copilot subscription   130 interrupted

environment:
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE   how the network is reached
  GITHUB_COPILOT_CLIENT_ID               the app that logs in, by default
                                         GitHub's own editor plugin
  GITHUB_COPILOT_DEVICE_CODE_URL, GITHUB_COPILOT_ACCESS_TOKEN_URL,
  GITHUB_COPILOT_API_KEY_URL             other addresses than those of --host
""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    store = made.add_mutually_exclusive_group()
    store.add_argument(
        "--seal",
        action="store_true",
        help="seal the token for every environment that uses Copilot, with no plaintext file",
    )
    store.add_argument(
        "--output",
        metavar="PATH",
        type=Path,
        default=Path(KEY),
        help=f"write the token to this file, mode 0600 (default: {KEY})",
    )
    made.add_argument("--force", action="store_true", help="replace an existing file, unasked")
    made.add_argument(
        "--host",
        type=host_argument,
        default="github.com",
        help="<name>.ghe.com: GitHub Enterprise Cloud with data residency (default: github.com)",
    )
    made.add_argument("--no-browser", action="store_true", help="show the link, open nothing")
    made.add_argument("--no-verify", action="store_true", help="store the token without a check of the account")
    made.add_argument(
        "--timeout",
        metavar="S",
        type=seconds_argument,
        help="seconds to wait for the login (default: as long as the code is valid)",
    )
    return made


def run(chosen: argparse.Namespace, screen: Screen) -> None:
    """One login, from the first check to the stored token. Raises `Stop` at every other end."""
    where = endpoints(chosen.host, os.environ)
    store = Sealing(ROOT, screen) if chosen.seal else TokenFile(chosen.output, chosen.force, screen)
    store.prepare()
    with open_client() as client:
        github = GitHub(client, screen)
        if where.overridden:
            screen.say(f"Set in the environment: {', '.join(where.overridden)}.")
        screen.say(f"Asking {host_of(where.device_code)} for a code.")
        code = request_code(github, where)
        show_code(screen, code)
        if not chosen.no_browser and open_browser(code.link, where.host):
            screen.say("Your browser opens that page.")
        if not screen.tty:
            screen.say("Waiting for the login.")
        token = wait_for_token(github, where, code, chosen.timeout, screen)
        screen.say("Logged in.")
        if chosen.no_verify:
            screen.say("The account is not verified (--no-verify).", style="33")
        else:
            account = verify(github, where, token)
            screen.say(f"Account {account.login}, plan {account.plan}: Copilot serves it.")
    screen.say(store.store(token), style="32")
    if where.host != "github.com":
        screen.say(f"The proxy must be told of {where.host}: README.md, GitHub Copilot.")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: else the file of the token could get this number, and messages
            os.open(os.devnull, os.O_RDWR)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, on_signal)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the token
    screen = Screen()
    chosen = parser().parse_args(arguments)
    try:
        run(chosen, screen)
    except Stop as stop:
        screen.say(f"error: {stop.text}", style="31")
        return int(stop.code)
    except Exception as error:  # no traceback: its values could be shown, and one is the token
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        at = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
        screen.say(f"error: {type(error).__name__} at {at}; {Unfinished.said}.", style="31")
        return int(Exit.UNEXPECTED)
    return int(Exit.STORED)


if __name__ == "__main__":
    sys.exit(main())
