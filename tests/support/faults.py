"""Single mistakes in a rendered repository, written as one line each."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

Fault = Callable[[Path], None]


def change(file: str, old: str, new: str) -> Fault:
    """Replaces a text that stands in the file exactly once."""

    def apply(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        (root / file).write_text(text.replace(old, new), "utf-8")

    return apply


def substitute(file: str, pattern: str, new: str) -> Fault:
    """Replaces every match of a pattern, in which ^ and $ are the ends of lines."""

    def apply(root: Path) -> None:
        text, count = re.subn(pattern, new, (root / file).read_text("utf-8"), flags=re.MULTILINE)
        assert count, f"nothing in {file} matches {pattern!r}"
        (root / file).write_text(text, "utf-8")

    return apply


def swap(first: str, second: str) -> Fault:
    """Gives each of two files the content of the other."""

    def apply(root: Path) -> None:
        one, other = (root / first).read_bytes(), (root / second).read_bytes()
        (root / first).write_bytes(other)
        (root / second).write_bytes(one)

    return apply


def drop(file: str, line: str) -> Fault:
    """Deletes the one line that holds a text."""

    def apply(root: Path) -> None:
        lines = (root / file).read_text("utf-8").splitlines(keepends=True)
        kept = [each for each in lines if line not in each]
        assert len(kept) == len(lines) - 1, f"{len(lines) - len(kept)} lines of {file} hold {line!r}"
        (root / file).write_text("".join(kept), "utf-8")

    return apply


def append(file: str, text: str) -> Fault:
    """Adds to the end of a file, which is made where there is none."""

    def apply(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        with (root / file).open("a", encoding="utf-8") as opened:
            opened.write(text)

    return apply


def delete(path: str) -> Fault:
    """Deletes a file or a folder."""

    def apply(root: Path) -> None:
        if (root / path).is_dir():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink()

    return apply


def both(first: Fault, second: Fault) -> Fault:
    """Two steps that are one mistake."""

    def apply(root: Path) -> None:
        first(root)
        second(root)

    return apply
