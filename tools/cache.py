"""The per-user cache that the tools live in; it survives the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.pins import Pin


def root() -> Path:
    """`$XDG_CACHE_HOME/litellm-gitops`, else `~/.cache/litellm-gitops`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # a relative path is invalid and to be ignored (XDG Base Directory Specification)
    return (base if base.is_absolute() else Path.home() / ".cache") / "litellm-gitops"


def folder(pin: Pin) -> Path:
    """Where `pin` is installed."""
    return root() / f"{pin.name}-{pin.version}"


def entry(pin: Pin) -> Path:
    """The program or folder itself; it exists when `pin` is installed, and is whole then."""
    return folder(pin) / pin.name


@contextmanager
def lock(pin: Pin, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the lock of `pin`, so that two runs never install it at once.

    `on_wait` is called when another run has it. The kernel frees the lock of a killed run.
    """
    file = root() / f".{pin.name}-{pin.version}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(pin: Pin) -> Iterator[Path]:
    """A new folder that becomes `folder(pin)` in one step when the block ends well.

    Call it under `lock`. What a killed run left behind is removed first.
    """
    final = folder(pin)
    partial = final.with_name(f".{final.name}.partial")
    remove(partial)
    partial.mkdir()
    try:
        yield partial
        remove(final)
        partial.replace(final)
    finally:
        remove(partial)


def remove(path: Path) -> None:
    """Removes a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
