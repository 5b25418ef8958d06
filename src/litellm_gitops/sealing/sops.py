"""The real sops, as a subprocess: plaintext goes in through a pipe, its messages are secret and stay here.

Exit codes: https://github.com/getsops/sops/blob/main/cmd/sops/codes/codes.go
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sealing.creation_rules import CONFIG
from sealing.errors import NO_SOPS, SealingError

OLDEST = (3, 11, 0)
# Loses the message authentication code of files with comments: getsops/sops#2243.
BROKEN = {(3, 13, 2)}
_TIMEOUT_SECONDS = 60
_NO_KEY = 128
LOGIN = re.compile(
    r"AWS_(?:PROFILE|REGION|DEFAULT_REGION|CONFIG_FILE|SHARED_CREDENTIALS_FILE|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE)"
    r"|GOOGLE_APPLICATION_CREDENTIALS|CLOUDSDK_CONFIG|AZURE_CONFIG_DIR"
    r"|HTTPS?_PROXY|https?_proxy|NO_PROXY|no_proxy|SSL_CERT_(?:FILE|DIR)"
)
# Several run at once, and Ctrl-C reaches only those that had begun.
_RUNNING: set[subprocess.Popen[bytes]] = set()
_LOCK = threading.Lock()
_STOPPING = threading.Event()
_INSTALL = "install sops 3.13.3 (https://github.com/getsops/sops/releases)"


@cache
def program() -> str:
    """The path of a usable sops. Raises SealingError with code NO_SOPS when there is none."""
    path = shutil.which("sops")
    if not path:
        raise SealingError(f"sops is not on PATH: {_INSTALL}", NO_SOPS)
    try:
        answer = _run([path, "--version", "--disable-version-check"])
    except (OSError, subprocess.TimeoutExpired):
        raise SealingError(f"{path} does not run: {_INSTALL}", NO_SOPS) from None
    match = re.match(rb"sops (\d+)\.(\d+)\.(\d+)", answer.stdout)
    version = tuple(int(part) for part in match.groups()) if match else (0, 0, 0)
    if version < OLDEST or version in BROKEN:
        shown = ".".join(map(str, version)) if match else "of an unknown version"
        why = "loses message authentication codes" if version in BROKEN else "is too old: 3.11.0 or newer is needed"
        raise SealingError(f"{path} is sops {shown}, which {why}: {_INSTALL}", NO_SOPS)
    return path


def encrypt(manifest: Mapping[str, Any], config: Path, relative: Path, *, clouds: bool) -> str:
    """`manifest` as YAML, encrypted by the creation rule of `config` for the path `relative` to it.

    `clouds` says that the rule names a key of a cloud: sops then gets what says who the operator is.
    Raises SealingError when sops refuses.
    """
    command = [
        *(
            program(),
            "--config",
            str(config),
            "encrypt",
            "--filename-override",
            str(config.parent / relative),
        ),
        *("--input-type", "json", "--output-type", "yaml"),
    ]
    stdin = json.dumps(manifest, default=str).encode()  # a date in an annotation is one to YAML
    more = _cloud_login() if clouds else None
    answer = _sops(command, stdin, config.parent, relative.as_posix(), more)
    if answer.returncode:
        raise SealingError(f"{relative}: {_reason(answer, clouds)}. Nothing was sealed.")
    return answer.stdout.decode()


def decrypt(path: Path, root: Path, identity: Path | None) -> dict[str, Any]:
    """The plaintext manifest of a sealed file. `identity` is a file of age private keys.

    Without one, or when it does not fit, sops looks where it always does: SOPS_AGE_KEY_FILE, the user's key file, or a
    cloud's KMS. Raises SealingError when no key fits or the file was changed.
    """
    relative = path.relative_to(root).as_posix()
    command = [program(), "decrypt", "--input-type", "yaml", "--output-type", "json"]
    sealed = path.read_bytes()
    own = {**_own_keys(), **_cloud_login()}
    more = {"SOPS_AGE_KEY_FILE": str(identity)} if identity else own
    answer = _sops(command, sealed, root, relative, more)
    if identity and answer.returncode == _NO_KEY:
        answer = _sops(command, sealed, root, relative, own)
    if answer.returncode:
        raise SealingError(f"{relative}: {_reason(answer)}. Nothing was changed.")
    content = json.loads(answer.stdout)
    assert isinstance(content, dict)
    return content


def _sops(
    command: list[str],
    stdin: bytes,
    root: Path,
    relative: str,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    try:
        return _run(command, stdin, root, more)
    except subprocess.TimeoutExpired:
        raise SealingError(
            f"{relative}: sops did not answer within {_TIMEOUT_SECONDS} s. Nothing was changed."
        ) from None


def _run(
    command: list[str],
    stdin: bytes = b"",
    cwd: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    # SOPS_* of the caller would silently replace the recipients of the rule, so the environment is made anew.
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")}
    # a run ends before garbage collection would pay, and most of it is the start of the program
    settings = {"SOPS_DISABLE_VERSION_CHECK": "1", "GOGC": "off"}
    environment = {**kept, **settings, **(more or {})}
    with _LOCK:
        if _STOPPING.is_set():
            raise SealingError("interrupted. Nothing was changed.")
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
        )
        _RUNNING.add(process)
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=_TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            raise
        finally:
            _RUNNING.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def stop() -> None:
    """End every sops that runs, and let no other begin: the command was interrupted."""
    with _LOCK:
        _STOPPING.set()
        for process in list(_RUNNING):  # one that ends leaves it at once
            process.kill()


def _cloud_login() -> dict[str, str]:
    # Names of files and profiles. AWS_ACCESS_KEY_ID and AZURE_CLIENT_SECRET are inputs of sealing, and the proxy's.
    return {name: value for name, value in os.environ.items() if LOGIN.fullmatch(name)}


def _own_keys() -> dict[str, str]:
    names = ("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "XDG_CONFIG_HOME")
    # sops runs in the root of the repository, whatever folder these are meant from
    return {name: str(Path(os.environ[name]).absolute()) for name in names if os.environ.get(name)}


def _reason(answer: subprocess.CompletedProcess[bytes], clouds: bool = False) -> str:
    # what sops wrote may quote plaintext: it is looked at, never shown
    said = answer.stderr
    if b"no matching creation rules" in said:
        return f"no creation rule in {CONFIG} matches it: add one for its folder"
    if b"unknown recipient type" in said or b"malformed recipient" in said or b"failed to parse input" in said:
        return f"a recipient in {CONFIG} is not a valid age public key: correct its rule"
    reasons = {
        25: "a value was changed or moved after it was sealed: take the file from git history, or rotate it",
        51: "it was changed after it was sealed (its MAC does not fit): take the file from git history",
        61: f"{CONFIG} is missing",
        111: f"its rule in {CONFIG} names no usable key",
        _NO_KEY: "no private key that opens it was found: put it in keys/, name its file in SOPS_AGE_KEY_FILE, "
        "or log in to the cloud whose key it is sealed for",
        203: "it is sealed already",
    }
    other = f"sops ended with exit code {answer.returncode}"
    if clouds:
        other += (
            f": probably it could not use the cloud's key in {CONFIG}. Log in (aws sso login, "
            "gcloud auth application-default login, az login) as somebody who may encrypt with it, and run this again"
        )
    return reasons.get(answer.returncode, other)
