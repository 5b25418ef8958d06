"""Running other programs: with few environment variables, and never left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.errors import WayError

Argument = str | Path

# What a compiler or an installer may see: where things are and how the network is reached.
_PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "NETRC", "XDG_CACHE_HOME")
_PASSED_PREFIXES = ("PIP_", "SSL_CERT_")
_PASSED_GO = re.compile(r"GO(?!OGLE)[A-Z0-9]+")  # GOPROXY, not GOOGLE_API_KEY
_PASSED_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


def environment(**more: str) -> dict[str, str]:
    """The allow-listed part of the environment, and `more`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED
        or name.startswith(_PASSED_PREFIXES)
        or _PASSED_GO.fullmatch(name)
        or name.lower() in _PASSED_PROXIES
    }
    return passed | more


def run(
    command: Sequence[Argument],
    cwd: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None] = lambda line: None,
) -> None:
    """Runs `command` and hands each line of its output to `on_line`.

    Raises `WayError` with its last lines when it fails. On Ctrl-C, or whatever else ends this
    call early, the program is ended first.
    """
    last: deque[str] = deque(maxlen=6)
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                last.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:
            process.send_signal(signal.SIGINT)
            raise
    if process.returncode != 0:
        said = "\n    ".join(last)
        raise WayError(f"{Path(command[0]).name} ended with {process.returncode}:\n    {said}")


def ask(command: Sequence[Argument], env: Mapping[str, str], timeout: float) -> str:
    """The stdout of a quick `command`; `WayError` when it fails or takes over `timeout` s."""
    name = Path(command[0]).name
    try:
        answer = subprocess.run(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WayError(f"{name} said nothing for {timeout:.0f} s") from None
    except OSError as error:
        raise WayError(f"{name} cannot be run: {error.strerror}") from None
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip().splitlines()
        raise WayError(f"{name} ended with {answer.returncode}: {said[-1] if said else 'silent'}")
    return answer.stdout
