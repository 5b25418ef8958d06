"""The device flow of RFC 8628: a code for the user, and polls until he has decided."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
import threading
import time
import webbrowser
from dataclasses import dataclass
from urllib.parse import urlsplit

from litellm_gitops.copilot.endpoints import Endpoints, host_of, is_protected, split_url
from litellm_gitops.copilot.errors import Exit, Stop, flow_error
from litellm_gitops.copilot.github import LONGEST_PAUSE, REQUEST_SECONDS, Answer, Fields, GitHub, Unreachable
from litellm_gitops.copilot.terminal import Screen, Secret, is_interactive, printable, span
from litellm_gitops.credentials import GITHUB_TOKEN

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
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
    answer = github.insist("No code could be had", where.device_code, form={"client_id": where.client_id})
    if error := answer.text("error"):
        raise flow_error(error)
    if answer.status in (401, 403, 404, 422):
        what = f"{host_of(where.device_code)} offers no device flow to client id {where.client_id}"
        raise Stop(Exit.UNEXPECTED, f"{what} (HTTP {answer.status}). Check GITHUB_COPILOT_CLIENT_ID and --host.")
    names = ("device_code", "user_code", "verification_uri")
    device_code, user_code, link = (answer.text(name) or "" for name in names)
    if answer.status != 200 or not (device_code and user_code and link):
        what = f"{where.device_code} does not answer as a device flow does (HTTP {answer.status})"
        raise Stop(Exit.UNEXPECTED, f"{what}. Check GITHUB_COPILOT_DEVICE_CODE_URL and --host.")
    if not re.fullmatch(r"[A-Za-z0-9-]{4,40}", user_code):
        raise Stop(Exit.UNEXPECTED, "GitHub returned a user code with unexpected characters; it is not displayed.")
    _check_link(link, where)
    expires_in = min(answer.number("expires_in", DEFAULT_EXPIRY), LONGEST_EXPIRY)
    interval = max(1.0, answer.number("interval", DEFAULT_INTERVAL))
    return Code(Secret(device_code), user_code, link, expires_in, interval)


def _check_link(link: str, where: Endpoints) -> None:
    """Raises `Stop` for a login page on a host that was not asked: it may be a trap (RFC 8628, section 5.4)."""
    parts = split_url(link)
    host = (parts.hostname or "") if parts else ""
    if parts is None or not is_protected(parts) or host not in (where.host, host_of(where.device_code)):
        what = f"The login page is not https on {where.host}, but on {printable(host) or 'no host'}"
        fix = "It is not shown: it could steal the login.\nCheck --host and GITHUB_COPILOT_DEVICE_CODE_URL."
        raise Stop(Exit.UNEXPECTED, f"{what}. {fix}")


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
    known = parts.scheme == "https" and parts.hostname == host and parts.port in (None, 443)
    screenless = sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if not known or screenless or "SSH_CONNECTION" in os.environ or not is_interactive():
        return False

    def work() -> None:
        with contextlib.suppress(Exception):
            webbrowser.open(link)

    threading.Thread(target=work, daemon=True).start()  # some browsers return when they are closed
    return True


@dataclass
class Pace:
    """When to poll (RFC 8628, section 3.5): by the interval, less often after failures, never after the deadline."""

    interval: float
    asked: float  # the moment of the last poll
    deadline: float
    line: float  # when the next line is due where there is no terminal
    margin: float = MARGIN
    slowed: int = 0
    failures: int = 0
    trouble: str = ""  # of the last poll, if it failed
    demanded: float = 0.0  # the wait that it was answered with

    def next(self) -> float | None:
        """The moment of the next poll; None when there is none before the deadline."""
        pause = self.interval * self.margin
        if self.failures:
            pause = max(pause, min(pause * 2**self.failures, LONGEST_PAUSE), self.demanded)
        moment = self.asked + pause
        if moment >= self.deadline:  # one last look, if the interval allows it
            moment = max(self.deadline - LAST_LOOK, self.asked + max(self.interval, self.demanded))
        return moment if max(moment, time.monotonic()) < self.deadline else None

    def wait(self, moment: float, screen: Screen) -> None:
        """Blocks until `moment`: with a countdown on a terminal, with a line a minute elsewhere."""
        while (now := time.monotonic()) < moment:
            left = self.deadline - now
            minutes, rest = divmod(math.ceil(left), 60)
            screen.say(f"Waiting for the login: {minutes}:{rest:02d} left ", end="\r")
            if now >= self.line and not screen.tty:
                screen.say(f"Waiting for the login: {span(left)} left.")
                self.line = now + 60
            time.sleep(min(moment - now, 1.0))

    def poll(self, github: GitHub, url: str, form: Fields, screen: Screen) -> Answer | None:
        """One poll: GitHub's answer, or None when there was none that decides anything."""
        self.asked = time.monotonic()
        try:
            within = min(REQUEST_SECONDS, max(self.deadline - self.asked, SHORTEST_REQUEST))
            answer = github.send(url, form=form, within=within)
            if not answer.temporary or answer.text("error") == "slow_down":
                self.failures, self.trouble, self.demanded = 0, "", 0.0
                return answer
            self.trouble, self.demanded = answer.trouble, answer.retry_after
        except Unreachable as error:
            self.trouble, self.demanded = error.reason, 0.0
        self.failures += 1
        screen.say(f"{host_of(url)}: {self.trouble}. Trying on.")
        return None

    def slow_down(self, interval: float, screen: Screen) -> None:
        """Polls less often from now on. `interval`: what GitHub asks for, or 0."""
        self.slowed += 1
        self.interval = max(interval, self.interval + SLOW_DOWN)
        self.margin = min(self.margin + MARGIN_STEP, WIDEST_MARGIN)
        screen.say(f"GitHub asks to slow down: every {span(self.interval * self.margin)} from now on.")
        if self.slowed == 3:
            screen.say("Is the clock of this machine fast? In WSL and in VMs it may be.")


def wait_for_token(github: GitHub, where: Endpoints, code: Code, timeout: float | None, screen: Screen) -> Secret:
    """Polls until the user has decided, or the code's life is over.

    `timeout`, in seconds, shortens it. Raises `Stop` at every end without token.
    """
    begin = time.monotonic()
    pace = Pace(code.interval, begin, begin + min(code.expires_in, timeout or math.inf), begin + 60)
    fields = {"client_id": where.client_id, "device_code": code.device_code.reveal(), "grant_type": GRANT_TYPE}
    while (moment := pace.next()) is not None:
        pace.wait(moment, screen)
        answer = pace.poll(github, where.access_token, fields, screen)
        error = answer.text("error") if answer else "authorization_pending"
        if answer and error is None:
            return _read_token(answer, screen)
        if answer and error == "slow_down":
            pace.slow_down(answer.number("interval", 0.0), screen)
        elif error and error != "authorization_pending":
            raise flow_error(error)
    if pace.demanded < pace.deadline - pace.asked:  # else there is nothing to wait for
        pace.wait(pace.deadline, screen)
    shortened = timeout is not None and timeout < code.expires_in
    if pace.trouble:
        end = f"could not be asked {'within --timeout' if shortened else 'before the code expired'}: {pace.trouble}"
        raise Stop(Exit.NETWORK, f"{host_of(where.access_token)} {end}. Run this again later.")
    if shortened:
        raise Stop(Exit.EXPIRED, f"Nobody logged in within {span(timeout or 0)} (--timeout). Run this again.")
    raise flow_error("expired_token")


def _read_token(answer: Answer, screen: Screen) -> Secret:
    """The token in `answer`. Raises `Stop` if it holds none of the form that GitHub's have."""
    token = answer.text("access_token")
    if answer.status != 200 or token is None:
        what = f"GitHub ended the login without a token (HTTP {answer.status})"
        raise Stop(Exit.UNEXPECTED, f"{what}. Nothing was stored.")
    if not re.fullmatch(GITHUB_TOKEN, token):
        raise Stop(Exit.UNEXPECTED, "GitHub sent something that is no token (gh?_ and letters). Nothing was stored.")
    expires = answer.number("expires_in", 0.0)
    if expires or answer.text("refresh_token"):
        when = f" in {span(expires)}" if expires else ""
        screen.say(f"warning: the tokens of this client id expire{when}, and LiteLLM does not renew them.", style="33")
    return Secret(token)
