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


@migration("0.1.0", "before")
def give_each_environment_its_own_answers() -> None:
    """`ingress_class` and `redis_host` were one answer for all environments, and Redis was reached without TLS."""
    text = ANSWERS.read_text("utf-8")
    environments = re.findall(r"(?m)^([a-z]+)_domain:", text)
    for name in ("ingress_class", "redis_host"):
        own = "".join(rf"{environment}_{name}: \1\n" for environment in environments)
        own += "redis_tls: false\n" if name == "redis_host" else ""
        edit(ANSWERS, lambda text, name=name, own=own: re.sub(rf"(?m)^{name}: (.*)\n", own, text))  # type: ignore[misc]


@migration("0.1.0", "before")
def point_to_the_declarations() -> None:
    """What an owner told the suite by editing the template's files goes with them: git history still has it."""
    if Path("tests/rules").is_dir():
        print("hooks/sealing and tests/rules go. What you told them by an edit, declare in policies/suite.yml")


@migration("0.1.0", "after")
def say_that_a_person_applies_more() -> None:
    """What says how far a commit reaches is in no commit any more, and a cluster has it by Bootstrap alone."""
    print("Bootstrap each cluster again (README.md), before you push: CHANGELOG.md of the template has the other steps")


@migration("0.1.0", "after")
def remove_what_is_in_the_package_now() -> None:
    """Sealing and the rules were files of each repository. copier removes those that nobody edited; the folders then
    hold what Python cached, and whatever is somebody's own, which stays and is named."""
    for folder in (Path("hooks/sealing"), Path("tests/rules")):
        for cache in [*folder.rglob("__pycache__")]:
            shutil.rmtree(cache)
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        for path in filter(Path.is_file, folder.rglob("*")):
            print(f"not removed, because it is not the template's as it was: {path}. Nothing reads it any more")


def main() -> int:
    """Apply the migrations of the stage in $STAGE that came after $VERSION_PEP440_FROM; none where the release stays.

    The version that an update goes to has no say else: this file is of that version. Without a tag it would be 0.0.0.
    """
    stage, start = os.environ["STAGE"], Version(os.environ["VERSION_PEP440_FROM"])
    if os.environ.get("VERSION_FROM") == os.environ.get("VERSION_TO", ""):
        return 0
    for each in sorted(MIGRATIONS, key=lambda entry: entry.version):
        if each.stage == stage and start < each.version:
            print(f"migration {each.version}: {each.apply.__name__.replace('_', ' ')}")
            each.apply()
    return 0


if __name__ == "__main__":
    sys.exit(main())
