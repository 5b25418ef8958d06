"""Repositories that tests change one after the other: what a test changed is put back, faster than a new copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

Look = tuple[int, ...]


class Restored:
    """Copies in `folder`, one of each original. Nothing that is changed behind a mode, a size or a time goes unseen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[Path, dict[str, Look]]] = {}

    def __call__(self, original: Path) -> Path:
        """The copy, as the original is. The next call for the same original undoes what was changed in it."""
        if original not in self._known:
            copy = Path(shutil.copytree(original, self._folder / str(len(self._known)) / "repository", symlinks=True))
            self._known[original] = copy, dict(_looks(copy))
        copy, known = self._known[original]
        now = dict(_looks(copy))
        for path in sorted(path for path in now if now[path] != known.get(path)):
            _remove(copy / path)
        for path in sorted(path for path in known if now.get(path) != known[path]):
            _copy(original / path, copy / path)
        if now != known:
            self._known[original] = copy, dict(_looks(copy))
        return copy


def _looks(root: Path) -> Iterator[tuple[str, Look]]:
    """Every path below a folder, and what changes when somebody writes there; of a folder its mode alone."""
    folders = [""]
    while folders:
        below = folders.pop()
        for entry in os.scandir(root / below):
            path, stat = os.path.join(below, entry.name), entry.stat(follow_symlinks=False)  # noqa: PTH118
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
                yield path, (stat.st_mode,)
            else:
                yield path, (stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)  # it went with its folder


def _copy(original: Path, path: Path) -> None:
    if original.is_dir() and not original.is_symlink():
        shutil.copytree(original, path, symlinks=True, dirs_exist_ok=True)
    elif not path.exists():
        shutil.copy2(original, path, follow_symlinks=False)
