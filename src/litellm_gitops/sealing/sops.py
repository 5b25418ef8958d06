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
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from litellm_gitops.files import search_path
from litellm_gitops.sealing import login
from litellm_gitops.sealing.creation_rules import CONFIG
from litellm_gitops.sealing.errors import NO_SOPS, SealingError

OLDEST = (3, 11, 0)
# Loses the message authentication code of files with comments: getsops/sops#2243.
BROKEN = {(3, 13, 2)}
_TIMEOUT_SECONDS = 60
_NO_KEY = 128
_INSTALL = "install sops 3.13.3 (https://github.com/getsops/sops/releases)"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def find(name: str, root: Path) -> str | None:
    """The path of a program that no file of the repository can stand in for."""
    path = search_path(root)
    return shutil.which(name, path=path) if path else None


class Sops:
    """A usable sops, for one run in one repository. Raises SealingError with code NO_SOPS when there is none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Several run at once, and Ctrl-C reaches only those that had begun.
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = False
        path = find("sops", root)
        if not path:
            raise SealingError(f"sops is not on PATH: {_INSTALL}", NO_SOPS)
        self._path = path
        try:
            answer = self._run(["--version", "--disable-version-check"], b"", {})
        except (OSError, subprocess.TimeoutExpired):
            raise SealingError(f"{path} does not run: {_INSTALL}", NO_SOPS) from None
        match = re.match(rb"sops (\d+)\.(\d+)\.(\d+)", answer.stdout)
        version = tuple(int(part) for part in match.groups()) if match else (0, 0, 0)
        if version < OLDEST or version in BROKEN:
            shown = ".".join(map(str, version)) if match else "of an unknown version"
            loses = "loses message authentication codes"
            why = loses if version in BROKEN else "is too old: 3.11.0 or newer is needed"
            raise SealingError(f"{path} is sops {shown}, which {why}: {_INSTALL}", NO_SOPS)

    def encrypt(self, manifest: Mapping[str, Any], config: Path, file: str, *, clouds: bool) -> str:
        """`manifest` as YAML, encrypted by the creation rule of `config` for `file`, a path relative to it.

        `clouds` says that the rule names a key of a cloud: sops then gets what says who the operator is.
        Raises SealingError when sops refuses.
        """
        path = str(config.parent / file)
        command = ["--config", str(config), "encrypt", "--filename-override", path]
        command += ["--input-type", "json", "--output-type", "yaml"]
        stdin = json.dumps(manifest, default=str).encode()  # a date in an annotation is one to YAML
        answer = self._call(command, stdin, file, self._clouds if clouds else {})
        if answer.returncode:
            raise SealingError(f"{file}: {_reason(answer, clouds)}. Nothing was sealed.")
        return answer.stdout.decode()

    def decrypt(self, text: str, file: str, identity: Path | None) -> dict[str, Any]:
        """The plaintext manifest of a sealed file. `identity` is a file of age private keys.

        Without one, or when it does not fit, sops looks where it always does: SOPS_AGE_KEY and its siblings, the user's
        key file, or a cloud's KMS. Give it only a text that was checked: sops calls whoever its metadata names.
        Raises SealingError when no key fits or the file was changed.
        """
        command = ["decrypt", "--input-type", "yaml", "--output-type", "json"]
        more = {"SOPS_AGE_KEY_FILE": str(identity)} if identity else self._login
        answer = self._call(command, text.encode(), file, more)
        if identity and answer.returncode == _NO_KEY:
            answer = self._call(command, text.encode(), file, self._login)
        if answer.returncode:
            raise SealingError(f"{file}: {_reason(answer)}. Nothing was changed.")
        content = json.loads(answer.stdout)
        assert isinstance(content, dict)
        return content

    @cached_property
    def _clouds(self) -> dict[str, str]:
        return login.of_clouds(self._root)

    @cached_property
    def _login(self) -> dict[str, str]:
        return {**login.of_age(self._root), **self._clouds}

    def map(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        """The results in order, several at once. After an error, or Ctrl-C, what has not begun does not begin."""
        pool = ThreadPoolExecutor()
        try:
            futures = [pool.submit(function, item) for item in items]
            waiting = set(futures)
            while waiting:
                # not for ever: a signal that comes just before a wait begins would be noticed only after it
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            return [future.result() for future in futures]
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C, or what a caller makes of a signal
                self._stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _stop(self) -> None:
        """End every sops that runs, and let no other begin."""
        with self._lock:
            self._stopping = True
            for process in list(self._running):  # one that ends leaves it at once
                process.kill()

    def _call(
        self, command: Sequence[str], stdin: bytes, file: str, more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return self._run(command, stdin, more)
        except subprocess.TimeoutExpired:
            raise SealingError(
                f"{file}: sops did not answer within {_TIMEOUT_SECONDS} s. Nothing was changed."
            ) from None

    def _run(self, command: Sequence[str], stdin: bytes, more: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
        # SOPS_* of the caller would silently replace the recipients of the rule, so the environment is made anew.
        kept = {key: value for key, value in os.environ.items() if key in ("HOME", "LANG", "TMPDIR")}
        kept |= {key: str(Path(kept[key]).absolute()) for key in ("HOME", "TMPDIR") if kept.get(key)}
        # a run ends before garbage collection would pay, and most of it is the start of the program
        settings = {"PATH": search_path(self._root), "SOPS_DISABLE_VERSION_CHECK": "1", "GOGC": "off"}
        pipe = subprocess.PIPE
        with self._lock:
            if self._stopping:
                raise SealingError("interrupted. Nothing was changed.")
            process = subprocess.Popen(
                [self._path, *command],
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env={**kept, **settings, **more},
                cwd=self._root,
            )
            self._running.add(process)
        with process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=_TIMEOUT_SECONDS)
            except BaseException:
                process.kill()
                raise
            finally:
                self._running.discard(process)
        return subprocess.CompletedProcess(list(command), process.returncode, stdout, stderr)


def _reason(answer: subprocess.CompletedProcess[bytes], clouds: bool = False) -> str:
    # what sops wrote may quote plaintext: it is looked at, never shown
    said = answer.stderr
    if b"no matching creation rules" in said:
        return f"no creation rule in {CONFIG} matches it: add one for its folder"
    if any(each in said for each in (b"unknown recipient type", b"malformed recipient", b"failed to parse input")):
        return f"a recipient in {CONFIG} is not a valid age public key: correct its rule"
    reasons = {
        25: "a value was changed or moved after it was sealed: take the file from git history, or rotate it",
        51: "it was changed after it was sealed (its MAC does not fit): take the file from git history",
        61: f"{CONFIG} is missing",
        111: f"its rule in {CONFIG} names no usable key",
        _NO_KEY: "no private key that opens it was found: put it in keys/, name it by SOPS_AGE_KEY_FILE, SOPS_AGE_KEY "
        "or SOPS_AGE_KEY_CMD, or log in to the cloud whose key it is sealed for",
        203: "it is sealed already",
    }
    other = f"sops ended with exit code {answer.returncode}"
    if clouds:
        other += (
            f": probably it could not use the cloud's key in {CONFIG}. Log in (aws sso login, "
            "gcloud auth application-default login, az login) as somebody who may encrypt with it, and run this again"
        )
    return reasons.get(answer.returncode, other)
