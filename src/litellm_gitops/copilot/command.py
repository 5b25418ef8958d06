"""The command: its line, one login from the first check to the stored token, and how the process ends."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from litellm_gitops.command_line import Parser, runs_here
from litellm_gitops.copilot.errors import Exit, Stop
from litellm_gitops.copilot.progress import Progress
from litellm_gitops.copilot.terminal import Screen

_EPILOG = """\
exit codes:
  0 stored   1 unexpected   2 usage   3 denied   4 expired   5 network
  6 no Copilot subscription   130 interrupted

environment:
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE   how the network is reached
  GITHUB_COPILOT_CLIENT_ID               the app that logs in, by default
                                         GitHub's own editor plugin
  GITHUB_COPILOT_DEVICE_CODE_URL, GITHUB_COPILOT_ACCESS_TOKEN_URL,
  GITHUB_COPILOT_API_KEY_URL             other addresses than those of --host
"""


def main(root: Path, arguments: Sequence[str] | None = None) -> int:
    """Runs `hooks/get_copilot_token.py` of the repository `root`. Returns its exit code (`errors.Exit`).

    `arguments` are those of the process where none are given. A signal ends the process with 128 and its number.
    """
    if not runs_here("get_copilot_token"):
        return int(Exit.UNEXPECTED)
    progress = Progress()
    progress.watch()
    _prepare()
    screen = Screen()
    chosen = parser().parse(sys.argv[1:] if arguments is None else arguments)
    try:
        run(root, chosen, screen, progress)
    except Stop as stop:
        screen.say(f"error: {stop.text}", style="31")
        return int(stop.code)
    except KeyboardInterrupt:
        progress.end()
    except Exception as error:  # no traceback: its values could be shown, and one is the token
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        screen.say(f"error: {type(error).__name__} at {where}; {progress.said}.", style="31")
        return int(Exit.UNEXPECTED)
    return int(Exit.STORED)


def parser() -> Parser:
    """The options. What is slow to import comes here and below, where a signal can end it without a traceback."""
    from litellm_gitops import credentials
    from litellm_gitops.copilot.endpoints import github_host
    from litellm_gitops.copilot.github import positive

    def seconds(text: str) -> float:
        if (value := positive(text)) is None:
            raise ValueError
        return value

    def file(text: str) -> Path:
        if not text or credentials.find(text):  # its name is said, and stays
            raise ValueError
        return Path(text)

    made = Parser(
        prog="uv run hooks/get_copilot_token.py",
        description="Logs in to GitHub in your browser, checks that the account has GitHub\n"
        "Copilot, and stores the token for LiteLLM Proxy. The token is never shown.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.hint = " The token is no argument: this command gets it from GitHub."
    store, add = made.add_mutually_exclusive_group(), made.add_argument
    about = "seal the token for every cluster that uses Copilot, with no plaintext file"
    store.add_argument("--seal", action="store_true", help=about)
    about = "write the token to this file, mode 0600 (default: access-token)"
    store.add_argument("--output", metavar="PATH", type=file, default=Path("access-token"), help=about)
    add("--force", action="store_true", help="replace an existing file, unasked")
    about = "github.com (default), or <name>.ghe.com: GitHub Enterprise Cloud with data residency"
    add("--host", type=github_host, default="github.com", help=about)
    add("--no-browser", action="store_true", help="show the link, open nothing")
    add("--no-verify", action="store_true", help="store the token without a check of the account")
    about = "seconds, above 0, to wait for the login (default: as long as the code is valid)"
    add("--timeout", metavar="S", type=seconds, help=about)
    return made


def run(root: Path, chosen: argparse.Namespace, screen: Screen, progress: Progress) -> None:
    """One login for the repository `root`. Raises `Stop` at every end without a stored token."""
    from litellm_gitops.copilot import account, device_flow, endpoints, github
    from litellm_gitops.copilot.store import SealedSecrets, TokenFile

    where = endpoints.endpoints(chosen.host, os.environ)
    file = TokenFile(chosen.output, chosen.force, screen, progress)
    store = SealedSecrets(root, screen, progress) if chosen.seal else file
    store.prepare()
    with github.open_client() as client:
        api = github.GitHub(client, screen)
        if where.overridden:
            screen.say(f"Set in the environment: {', '.join(where.overridden)}.")
        screen.say(f"Asking {endpoints.host_of(where.device_code)} for a code.")
        code = device_flow.request_code(api, where)
        device_flow.show_code(screen, code)
        if not chosen.no_browser and device_flow.open_browser(code.link, where.host):
            screen.say("Your browser opens that page.")
        if not screen.tty:
            screen.say("Waiting for the login.")
        token = device_flow.wait_for_token(api, where, code, chosen.timeout, screen)
        screen.say("Logged in.")
        if chosen.no_verify:
            screen.say("The account is not verified (--no-verify).", style="33")
        else:
            owner = account.verify(api, where, token)
            screen.say(f"Account {owner.login}, plan {owner.plan}: Copilot serves it.")
    screen.say(store.store(token), style="32")
    if where.host != "github.com":
        screen.say(f"The proxy must be told of {where.host}: README.md, GitHub Copilot.")


def _prepare() -> None:
    """Makes the process fit to hold a token."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # it was closed: else the file of the token could get this number, and messages
    os.close(number)
    os.umask(0o022)  # of the folders that sealing makes; a file of the token has its own mode
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the token
