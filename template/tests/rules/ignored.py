"""Which files git leaves alone: by git itself where the repository is one, else by reading .gitignore."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# No GIT_DIR of a hook, and no settings of the user that ignore more than the repository does.
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": os.environ.get("HOME", "/"),
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.excludesFile",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
}


def git(root: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """What `git ARGUMENTS` prints in `root`; None where that is no git repository of its own, or git does not run."""
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=root,
            input=given,
            env=_ENVIRONMENT,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode in (0, 1) else None  # check-ignore: 1 = none is ignored


def list_files(root: Path) -> tuple[list[str], frozenset[str]]:
    """(the files that git holds or would add; those that it holds), as paths below `root`."""
    listed = git(root, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
    if listed is None:
        return sorted(_walk(root)), frozenset()
    present, tracked = set(), set()
    for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
        status, _, path = entry.partition(" ")
        if status and status != "?":
            tracked.add(path)
        if path and _is_leaf(root / path):
            present.add(path)
    return sorted(present), frozenset(tracked)


def ignored(root: Path, paths: Iterable[str]) -> set[str]:
    """Those of `paths` that git ignores, whether or not they exist."""
    wanted = list(paths)
    answer = git(root, "check-ignore", "--no-index", "-z", "--stdin", given="\0".join(wanted).encode())
    if answer is not None:
        return set(answer.decode("utf-8", "surrogateescape").split("\0")) - {""}
    patterns = read_patterns(root)
    return {path for path in wanted if is_ignored(path, patterns)}


Pattern = tuple[re.Pattern[str], bool, bool]  # what it matches, whether it re-includes, whether only folders


def read_patterns(root: Path) -> list[Pattern]:
    """The patterns of the .gitignore at the top. https://git-scm.com/docs/gitignore"""
    try:
        lines = (root / ".gitignore").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return parse_patterns(lines)


def parse_patterns(lines: Iterable[str]) -> list[Pattern]:
    """The patterns in lines of that format."""
    patterns = []
    for line in lines:
        text = line.rstrip()
        if not text or text.startswith("#"):
            continue
        again = text.startswith("!")
        text = text.removeprefix("!").removeprefix("\\")
        folder = text.endswith("/")
        text = text.rstrip("/")
        anchored = "/" in text
        expression = _translate(text.lstrip("/"))
        patterns.append((re.compile(expression if anchored else rf"(?:.*/)?{expression}"), again, folder))
    return patterns


def is_ignored(path: str, patterns: list[Pattern]) -> bool:
    """Whether a file is ignored: by the last pattern that matches it, or because a folder above it is."""
    parts = path.split("/")
    for length in range(1, len(parts) + 1):
        step = "/".join(parts[:length])
        matching = [
            again
            for pattern, again, folder in patterns
            if pattern.fullmatch(step) and (length < len(parts) or not folder)
        ]
        if matching and not matching[-1]:
            return True
    return False


def _walk(root: Path) -> Iterable[str]:
    patterns = read_patterns(root)
    for folder, folders, files in os.walk(root):
        base = Path(folder).relative_to(root).as_posix()
        inside = "" if base == "." else f"{base}/"
        # a file below a folder is what a pattern for folders is asked with
        folders[:] = [name for name in folders if name != ".git" and not is_ignored(f"{inside}{name}/x", patterns)]
        links = [name for name in folders if (root / inside / name).is_symlink()]
        for name in (*files, *links):
            if not is_ignored(inside + name, patterns):
                yield inside + name


def _is_leaf(path: Path) -> bool:
    # git stores a link to a folder as it stores a file
    return path.is_file() or (path.is_symlink() and path.is_dir())


def _translate(pattern: str) -> str:
    out = []
    for token in re.findall(r"\*\*/|/\*\*$|\*|\?|\[[^\]]+\]|\\.|.", pattern):
        if token == "**/":
            out.append("(?:.*/)?")
        elif token == "/**":
            out.append("/.+")
        elif token == "*":
            out.append("[^/]*")
        elif token == "?":
            out.append("[^/]")
        elif token.startswith("[") and len(token) > 2:
            out.append("[^" + token[2:] if token[1] in "!^" else token)
        else:
            out.append(re.escape(token[-1]))
    return "".join(out)
