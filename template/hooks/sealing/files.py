"""Files of the repository: several change as one, or none does, and never through a symbolic link.

New content is staged in `.sealing/`, next to a journal of what goes where; then each file is renamed into place. A run
that dies before the journal is complete has changed nothing; one that dies after it is finished by the next run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sealing.errors import SealingError

STAGE = ".sealing"
_JOURNAL = "journal.json"


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Keep other runs in the same repository waiting; the lock ends with the process, however it ends."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def refuse_link(path: Path, root: Path) -> None:
    """Raise SealingError when `path`, or a folder between it and `root`, is a symbolic link."""
    for step in (path, *path.parents):
        if step == root:
            return
        if step.is_symlink():
            raise SealingError(
                f"{step.relative_to(root)} is a symbolic link: replace it by a real file or folder"
            )
    raise SealingError(f"{path} lies outside the repository")


def unfinished(root: Path) -> bool:
    """Whether a run died while it put its files in place, so that the next run has to finish it."""
    return (root / STAGE / _JOURNAL).is_file()


def recover(root: Path) -> None:
    """Finish, or clear away, what a run left that died. Only under the lock."""
    stage = root / STAGE
    refuse_link(stage, root)
    if unfinished(root):
        _apply(root)
    elif stage.exists():
        shutil.rmtree(stage)


class Transaction:
    """Files that are put in place together. Used as a context under the lock: leaving it commits, an error drops all.

    The stage mirrors the repository, so that a program which goes by paths can be pointed at either.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stage = root / STAGE
        self._targets: list[str] = []

    def __enter__(self) -> Transaction:
        recover(self._root)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._targets:
                self._commit()
        finally:
            if not unfinished(self._root):
                shutil.rmtree(self._stage, ignore_errors=True)

    def put(self, path: Path, text: str, mode: int = 0o644) -> None:
        """Stage `text` for `path`. Raises SealingError for a symbolic link, OSError when the disk refuses."""
        refuse_link(path, self._root)
        target = path.relative_to(self._root)
        staged = self._stage / target
        self._stage.mkdir(mode=0o700, exist_ok=True)
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.unlink(missing_ok=True)
        _create(staged, text, mode)
        if target.as_posix() not in self._targets:
            self._targets.append(target.as_posix())

    def current(self, path: Path) -> Path:
        """Where the content of `path` is now: staged, or in place."""
        staged = self._stage / path.relative_to(self._root)
        return staged if staged.is_file() else path

    @property
    def changed(self) -> list[str]:
        """What is staged, as paths from the root."""
        return list(self._targets)

    def _commit(self) -> None:
        for target in self._targets:
            folder = (self._root / target).parent
            folder.mkdir(
                parents=True, exist_ok=True, mode=0o700 if folder.name == "keys" else 0o755
            )
        part = self._stage / f"{_JOURNAL}.part"
        _create(part, json.dumps(self._targets), 0o600)
        part.replace(self._stage / _JOURNAL)
        _sync_folder(self._stage)
        _apply(self._root)


def _apply(root: Path) -> None:
    stage = root / STAGE
    targets: list[str] = json.loads((stage / _JOURNAL).read_text("utf-8"))
    for target in targets:
        path = root / target
        if ".." in PurePosixPath(target).parts:
            raise SealingError(
                f"{STAGE}/{_JOURNAL} names a path outside the repository: remove the folder {STAGE}"
            )
        refuse_link(path, root)
        if (stage / target).exists():  # else this rename was done before the run died
            path.parent.mkdir(parents=True, exist_ok=True)
            (stage / target).replace(path)
    for folder in {(root / target).parent for target in targets}:
        _sync_folder(folder)
    # the journal goes first: without it the rest of the stage means nothing
    (stage / _JOURNAL).unlink()
    shutil.rmtree(stage)


def _create(path: Path, text: str, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "w", encoding="utf-8", newline="\n") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
