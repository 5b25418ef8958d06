"""How large the house is: `python -m bench.size` counts the package and a rendered demo, and prints one table."""

from __future__ import annotations

import ast
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.repositories import DEMO
from tests.conftest import render_into
from tests.support.template import ROOT, copy_template

PACKAGE = ROOT / "src" / "litellm_gitops"


def lines(path: Path) -> int:
    """The lines of a text file."""
    return len(path.read_text("utf-8").splitlines())


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """(lines, name) of every function of a file, its decorators left out."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{path.name}: {node.name}"


def main() -> int:
    """Count and print; the result is 0 also where a target is missed."""
    package = sorted(PACKAGE.rglob("*.py"))
    with tempfile.TemporaryDirectory(prefix="size-") as folder:
        template = copy_template(Path(folder) / "template")
        demo = render_into(Path(folder) / "demo", template, DEMO)
        files = [path for path in demo.rglob("*") if path.is_file()]
        python = sum(lines(path) for path in files if path.suffix == ".py")
        rows = [
            ("lines of Python in a rendered demo (`pinned`)", str(python), "≤ 250"),
            ("files of it, without sealed Secrets", str(len(files)), "≤ 62"),
            ("lines of it, without sealed Secrets", str(sum(map(lines, files))), "≤ 2,500"),
        ]
    file, function = (
        max((lines(path), path.name) for path in package),
        max(found for path in package for found in functions(path)),
    )
    rows += [
        ("lines of the package", f"{sum(map(lines, package)):,}", "≤ 5,200"),
        ("its largest file", f"{file[0]} ({file[1]})", "≤ 400"),
        ("its largest function", f"{function[0]} ({function[1]})", "≤ 40"),
    ]
    print("| what | count | target |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
