"""The device flow of RFC 8628: a code for the user, and polls until he has decided."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from litellm_gitops.copilot.endpoints import Endpoints, host_of, is_protected, split_url
from litellm_gitops.copilot.errors import EXPIRED, Exit, Stop, flow_error
from litellm_gitops.copilot.github import LONGEST_PAUSE, REQUEST_SECONDS, Answer, GitHub, Request, Unreachable
from litellm_gitops.copilot.terminal import Screen, Secret, is_interactive, printable, span

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_FORM = re.compile(r"gh[a-z]_[A-Za-z0-9_]+")
DEFAULT_INTERVAL = 5.0  # RFC 8628, section 3.2
DEFAULT_EXPIRY = 900.0
LONGEST_EXPIRY = 86400.0  # whatever is sent: what comes of it must be a time that can be slept
SLOW_DOWN = 5.0  # RFC 8628, section 3.5
# The clock of a virtual machine may run 30 % fast, and polls that come too early are punished:
# https://github.com/cli/cli/issues/9370
MARGIN, MARGIN_STEP, WIDEST_MARGIN = 1.2, 0.2, 2.0
LAST_LOOK = 1.0  # seconds before the end
SHORTEST_REQUEST = 2.0  # what even the last look gets


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
    # no scope: the tokens of a GitHub App have none
    request = Request("POST", where.device_code, form={"client_id": where.client_id})
    answer = github.insist("No code could be had", request)
    if answer.error is not None:
        raise flow_error(answer.error)
    if answer.status in (401, 403, 404, 422):
        raise Stop(
            Exit.UNEXPECTED,
            f"{host_of(where.device_code)} offers no device flow to client id {where.client_id} (HTTP {answer.status})."
            " Check GITHUB_COPILOT_CLIENT_ID and --host.",
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
        raise Stop(
            Exit.UNEXPECTED, "GitHub returned a user code with unexpected characters; it is not displayed. Run this again."
        )
    _check_link(link, where)
    return Code(
        device_code=Secret(device_code),
        user_code=user_code,
        link=link,
        expires_in=min(answer.number("expires_in", DEFAULT_EXPIRY), LONGEST_EXPIRY),
        interval=max(1.0, answer.number("interval", DEFAULT_INTERVAL)),
    )


def _check_link(link: str, where: Endpoints) -> None:
    """Raises `Stop` for a login page on a host that was not asked: it may be a trap (RFC 8628, section 5.4)."""
    parts = split_url(link)
    host = (parts.hostname or "") if parts is not None else ""
    if parts is None or not is_protected(parts) or host not in (where.host, host_of(where.device_code)):
        raise Stop(
            Exit.UNEXPECTED,
            f"The login page is not https on {where.host}, but on {printable(host) or 'no host'}. "
            "It is not shown: it could steal the login.\nCheck --host and GITHUB_COPILOT_DEVICE_CODE_URL.",
        )


def show_code(screen: Screen, code: Code) -> None:
    """Shows the login page and the code. Raises `Stop` when nobody can see them."""
    screen.say()
    screen.say(f"  Open       {code.link}", style="1")
    screen.say(f"  and enter  {code.user_code}", style="1")
    screen.say()
    screen.say(f"Enter this code only, and on that page only. It is valid for {span(code.expires_in)}.")
    if screen.lost:
        raise Stop(Exit.UNEXPECTED, "The code cannot be shown, because stderr is closed.")


def open_browser(link: str, host: str) -> bool:
    """Opens `link` if it is https on `host` and a person sits before a screen here. Returns whether it does."""
    parts = urlsplit(link)
    if parts.scheme != "https" or parts.hostname != host or parts.port not in (None, 443):
        return False
    screenless = sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if screenless or "SSH_CONNECTION" in os.environ or not is_interactive():
        return False

    def work() -> None:
        with contextlib.suppress(Exception):
            import webbrowser

            webbrowser.open(link)

    threading.Thread(target=work, daemon=True).start()  # some browsers return when they are closed
    return True


class Waiting:
    """Waits between polls: a countdown on a terminal, a line a minute elsewhere."""

    def __init__(self, screen: Screen, deadline: float) -> None:
        self._screen = screen
        self._deadline = deadline
        self._line = time.monotonic() + 60

    def until(self, moment: float) -> None:
        """Blocks until the monotonic clock shows `moment`."""
        while (now := time.monotonic()) < moment:
            left = self._deadline - now
            minutes, rest = divmod(math.ceil(left), 60)
            self._screen.replaceable(f"Waiting for the login: {minutes}:{rest:02d} left ")
            if now >= self._line and not self._screen.tty:
                self._screen.say(f"Waiting for the login: {span(left)} left.")
                self._line = now + 60
            time.sleep(min(moment - now, 1.0))


class Pace:
    """When to poll (RFC 8628, section 3.5): by the interval, less often after failures, never after the deadline."""

    def __init__(self, interval: float, seconds: float) -> None:
        self.asked = time.monotonic()
        self.deadline = self.asked + seconds
        self.trouble = ""  # of the last poll, when it failed
        self._interval, self._margin = interval, MARGIN
        self._failures, self._demanded = 0, 0.0
        self.slowed = 0

    @property
    def pause(self) -> float:
        """The seconds from one good poll to the next."""
        return self._interval * self._margin

    @property
    def next(self) -> float | None:
        """The moment of the next poll; None when there is none before the deadline."""
        pause = self.pause
        if self._failures:
            pause = max(pause, min(pause * 2**self._failures, LONGEST_PAUSE), self._demanded)
        moment = self.asked + pause
        if moment >= self.deadline:  # one last look, if the interval allows it
            moment = max(self.deadline - LAST_LOOK, self.asked + max(self._interval, self._demanded))
        return moment if max(moment, time.monotonic()) < self.deadline else None

    @property
    def hopeless(self) -> bool:
        """Whether GitHub asked for a wait beyond the deadline."""
        return self._demanded >= self.deadline - self.asked

    def begin(self) -> float:
        """Notes that a poll begins now. Returns the seconds that it may take."""
        self.asked = time.monotonic()
        return min(REQUEST_SECONDS, max(self.deadline - self.asked, SHORTEST_REQUEST))

    def answered(self) -> None:
        """Notes a poll that brought an answer of GitHub's."""
        self._failures, self._demanded, self.trouble = 0, 0.0, ""

    def failed(self, trouble: str, demanded: float) -> None:
        """Notes a poll that brought none; `demanded`: the seconds of its Retry-After."""
        self._failures, self._demanded, self.trouble = self._failures + 1, demanded, trouble

    def slow_down(self, interval: float) -> None:
        """Polls less often from now on. `interval`: what GitHub asks for, or 0."""
        self.slowed += 1
        self._interval = max(interval, self._interval + SLOW_DOWN)
        self._margin = min(self._margin + MARGIN_STEP, WIDEST_MARGIN)


def wait_for_token(github: GitHub, where: Endpoints, code: Code, timeout: float | None, screen: Screen) -> Secret:
    """Polls until the user has decided, or the code's life is over.

    `timeout`, in seconds, shortens it. Raises `Stop` at every end without token.
    """
    pace = Pace(code.interval, min(code.expires_in, timeout or math.inf))
    waiting = Waiting(screen, pace.deadline)
    fields = {"client_id": where.client_id, "device_code": code.device_code.reveal(), "grant_type": GRANT_TYPE}
    request = Request("POST", where.access_token, form=fields)
    while (moment := pace.next) is not None:
        waiting.until(moment)
        answer = _poll(github, request, pace, screen)
        if answer is None or answer.error == "authorization_pending":
            continue
        if answer.error == "slow_down":
            pace.slow_down(answer.number("interval", 0.0))
            screen.say(f"GitHub asks to slow down: every {span(pace.pause)} from now on.")
            if pace.slowed == 3:
                screen.say("Is the clock of this machine fast? In WSL and in VMs it may be.")
        elif answer.error is None:
            return _read_token(answer, screen)
        else:
            raise flow_error(answer.error)
    if not pace.hopeless:
        waiting.until(pace.deadline)
    raise _too_late(where, code, timeout, pace.trouble)


def _poll(github: GitHub, request: Request, pace: Pace, screen: Screen) -> Answer | None:
    """One poll: GitHub's answer, or None when there was none that decides anything."""
    try:
        answer = github.send(request, pace.begin())
        if not answer.temporary or answer.error == "slow_down":
            pace.answered()
            return answer
        pace.failed(answer.trouble, answer.retry_after)
    except Unreachable as error:
        pace.failed(error.reason, 0.0)
    screen.say(f"{host_of(request.url)}: {pace.trouble}. Trying on.")
    return None


def _too_late(where: Endpoints, code: Code, timeout: float | None, trouble: str) -> Stop:
    """How a wait ends in which nothing was decided. `trouble`: why GitHub could not be asked, or nothing."""
    shortened = timeout is not None and timeout < code.expires_in
    if trouble:
        end = "within --timeout" if shortened else "before the code expired"
        return Stop(
            Exit.NETWORK, f"{host_of(where.access_token)} could not be asked {end}: {trouble}. Run this again later."
        )
    if shortened:
        return Stop(Exit.EXPIRED, f"Nobody logged in within {span(timeout or 0)} (--timeout). Run this again.")
    return Stop(Exit.EXPIRED, EXPIRED)


def _read_token(answer: Answer, screen: Screen) -> Secret:
    """The token in `answer`. Raises `Stop` if it holds none of the form that GitHub's have."""
    token = answer.text("access_token")
    if answer.status != 200 or token is None:
        raise Stop(
            Exit.UNEXPECTED, f"GitHub ended the login without a token (HTTP {answer.status}). Nothing was stored."
        )
    if not TOKEN_FORM.fullmatch(token):
        raise Stop(Exit.UNEXPECTED, "GitHub sent something that is no token (gh?_ and letters). Nothing was stored.")
    expires = answer.number("expires_in", 0.0)
    if expires or answer.text("refresh_token"):
        screen.say(
            f"warning: the tokens of this client id expire{f' in {span(expires)}' * bool(expires)},"
            " and LiteLLM does not renew them.",
            style="33",
        )
    return Secret(token)
