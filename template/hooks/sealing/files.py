"""Files of the repository: written as a whole or not at all, never through a symbolic link, one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from sealing.errors import SealingError

_LEFTOVER = ".sealing-"


def refuse_link(path: Path, root: Path) -> None:
    """Raise SealingError when `path`, or a folder between it and `root`, is a symbolic link."""
    step = path
    while True:
        if step.is_symlink():
            raise SealingError(f"{step} is a symbolic link, and is not written through: replace it by a real file or folder")
        if step == root or step == step.parent:
            return
        step = step.parent


def write(path: Path, text: str, root: Path, mode: int = 0o644) -> None:
    """Put `text` at `path` in one step: after a crash there is either the old content or the new.

    A file with mode 0600 has it from its first moment. Folders that lack are made. Raises SealingError for a
    symbolic link, OSError when the disk refuses.
    """
    refuse_link(path, root)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == 0o600 else 0o755)
    temporary = path.with_name(f"{_LEFTOVER}{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, mode)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed run left in `folder`; only under the lock."""
    for leftover in folder.glob(f"{_LEFTOVER}*"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Keep other runs in the same repository waiting; the lock ends with the process, however it ends."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
