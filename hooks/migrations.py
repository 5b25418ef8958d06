"""What an update has to change beyond the rendered files: one small function for each change, dated by version.

copier runs this once for each stage of an update, in the repository that is updated. `before` functions see it as the
old release left it, and only they may change answers; `after` functions see the merged result.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

ANSWERS = Path(".copier-answers.yml")


@dataclass(frozen=True)
class Migration:
    """A change that came with `version`, and the stage in which it is applied."""

    version: Version
    stage: str
    apply: Callable[[], None]


MIGRATIONS: list[Migration] = []


def migration(version: str, stage: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function for updates that cross `version`. It may run twice, and then changes nothing."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        MIGRATIONS.append(Migration(Version(version), stage, function))
        return function

    return register


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Put what `change` makes of a text file in its place, in one step; its mode stays.

    A file behind a symbolic link is left alone: it may lie outside of the repository.
    """
    if any(step.is_symlink() for step in (path, *path.parents)):
        print(f"left as it is, because it is behind a symbolic link: {path}")
        return
    text = path.read_text("utf-8")
    changed = change(text)
    if changed == text:
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        new = Path(folder) / path.name
        new.write_text(changed, "utf-8")
        shutil.copymode(path, new)
        new.replace(path)


@migration("0.1.0", "before")
def strip_the_slash_of_repo_url() -> None:
    """Engines compare URLs letter by letter, so `repo_url` has no slash at its end any more."""
    edit(ANSWERS, lambda text: re.sub(r"(?m)^(repo_url: \S+?)/+$", r"\1", text))


@migration("0.1.0", "after")
def rename_the_annotation_of_placeholders() -> None:
    """What a placeholder lacks is listed in `litellm-gitops/placeholder-keys`, was `litellm-gitops/missing-keys`."""
    old, new = "    litellm-gitops/missing-keys:", "    litellm-gitops/placeholder-keys:"
    for path in Path("secrets").glob("*/*.sops.yaml"):
        edit(path, lambda text: text.replace(old, new))


def main() -> int:
    """Apply the migrations of the stage in $STAGE between $VERSION_PEP440_FROM and $VERSION_PEP440_TO."""
    stage = os.environ["STAGE"]
    start, end = (Version(os.environ[f"VERSION_PEP440_{side}"]) for side in ("FROM", "TO"))
    for each in sorted(MIGRATIONS, key=lambda entry: entry.version):
        if each.stage == stage and start < each.version <= end:
            print(f"migration {each.version}: {each.apply.__name__.replace('_', ' ')}")
            each.apply()
    return 0


if __name__ == "__main__":
    sys.exit(main())
