"""What every process of one run of the tests needs, made by one of them."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def once(path: Path, make: Callable[[Path], object]) -> Path:
    """The path, after `make(path)` has put a folder there: the first process that asks calls it, the others wait.

    What is there is read by all of them, and changed by none. Raises what `make` raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.made")
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(path, ignore_errors=True)  # half of it, where it failed before
            make(path)
            made.touch()
    return path
