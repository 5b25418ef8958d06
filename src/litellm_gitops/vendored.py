"""The package as a folder of a repository: one digest says whether somebody edited it."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = "vendor/litellm_gitops"
DIGEST = "vendor/litellm_gitops.sha256"


def digest(folder: Path) -> str:
    """The SHA-256, as 64 hexadecimal digits, of the names and contents of all files below `folder`.

    What Python caches there does not count. The way a file is checked out (its mode, its date) does not either.
    """
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if path.is_file() and "__pycache__" not in path.parts:
            name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
            # with their lengths: no two folders give the same bytes
            total.update(b"%d %d %s%s" % (len(name), len(content), name, content))
    return total.hexdigest()
