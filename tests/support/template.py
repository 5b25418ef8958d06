"""The template as it is in the checkout, committed or not."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("copier.yml", "hooks", "includes", "policies", "src", "template")


def copy_template(folder: Path) -> Path:
    """Put what copier reads into a folder, which may be there; the folder."""
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=ignore)
        else:
            shutil.copy(ROOT / part, folder)
    return folder
