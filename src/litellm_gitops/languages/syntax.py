"""What bash and Python cannot read of a script, and names in Python that are slips. Nothing of a script is run."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterable, Iterator
from functools import lru_cache

from litellm_gitops.spelling import closest

# macOS has a bash of 2007, which refuses what every runner takes
_CALL = 'test "${BASH_VERSINFO[0]}" -ge 4 || exit 0; exec "$BASH" --norc "$@" -n'
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)  # GitHub fills it in
_LINE = re.compile(r"\bline (\d+)")
_HERE = re.compile(  # whose program comes from there: no file and no module is named before
    r"^[^\n#]*\bpython3?(?: -[a-zA-Z]*[^cm\s\W])*(?: -(?= )[^<\n]*)?(?: *>>? *\S+)? *"
    r"<<(-?) *(['\"]?)(\w+)\2[^\n]*\n(.*?)^[ \t]*\3[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_GIVEN = re.compile(r"\bpython3? (?:-\w )*-c '([^']*)'")
# what scripts of pipelines import, and packages of PyPI that are called nearly so
_MODULES = (
    *(
        "argparse",
        "base64",
        "collections",
        "configparser",
        "csv",
        "datetime",
        "functools",
        "glob",
        "hashlib",
        "itertools",
    ),
    *(
        "json",
        "os",
        "pathlib",
        "random",
        "re",
        "shutil",
        "subprocess",
        "sys",
        "tempfile",
        "textwrap",
        "time",
        "tomllib",
    ),
)
# what newer releases of Python read, whichever reads it here: PEP 695, 701 and 758
_NEWER = re.compile(
    r"^\s*(?:type \w+(?:\[.*?\])? = |(?:async )?def \w+\[|class \w+\[|except\*? [\w.]+, )", re.MULTILINE
)
_OF_A_MODULE = ("__annotations__", "__builtins__", "__cached__", "__class__", "__dict__", "__file__", "__path__")
_OTHERS = ("json5", "jsons", "pathlib2", "rjson", "timer", "ujson")


def unread(path: str, scripts: Iterable[str]) -> dict[str, int]:
    """The line at which bash ends of each script that it cannot read; nothing where `path` has no bash."""
    bash, listed = shutil.which("bash", path=path), [*scripts]
    if not bash or not listed or not _end(bash, "".join(f"(\n:\n{each}\n)\n" for each in listed)):
        return {}  # one call for all
    return {each: line for each in listed if (line := _end(bash, each))}


@lru_cache(maxsize=4096)
def _end(bash: str, script: str) -> int:
    """The line at which bash ends; 0 where it reads all of it."""
    try:
        answer = subprocess.run(
            [bash, "-c", _CALL, bash, *(["-O", "extglob"] if "extglob" in script else [])],
            input=_EXPRESSION.sub("x", script),
            env={"LC_ALL": "C"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0
    if not answer.returncode and "here-document" not in answer.stderr:
        return 0
    found = _LINE.search(answer.stderr)
    return min(int(found[1]) if found else 1, script.rstrip("\n").count("\n") + 1)


def of_python(script: str) -> Iterator[tuple[str, str]]:
    """(what is wrong, what to do) with the programs of Python in a script of a shell."""
    for match in _HERE.finditer(script):
        dash, quote, _, code = match.groups()
        if quote or not re.search(r"[$`\\]", code):  # else the shell makes another program of it
            yield from slips(re.sub(r"^\t+", "", code, flags=re.MULTILINE) if dash else code)
    for code in _GIVEN.findall(script):
        yield from slips(code)


def slips(code: str) -> Iterator[tuple[str, str]]:
    """(what is wrong, what to do) with a program of Python."""
    try:
        tree = ast.parse(_EXPRESSION.sub("1", textwrap.dedent(code)))
    except (SyntaxError, ValueError) as error:
        if "f-string" in str(error) or _NEWER.search(code):
            return
        yield "Python cannot read its program", "correct the syntax"
        return
    nodes = [*ast.walk(tree)]
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
        return
    imported = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    for name in sorted(modules - {*_MODULES, *_OTHERS}):
        if meant := closest(name, _MODULES):
            yield f"Python has no {name}", f"did you mean {meant}?"
            return  # what it is asked for follows
    if "version_info" in code or "NameError" in code:
        return  # a program for several releases of Python, of which each has names of its own
    bound = {(alias.asname or alias.name).partition(".")[0] for alias in imported} | {*map(_bound, nodes)} - {""}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id not in bound and not _is_builtin(node.id):
            meant = closest(node.id, bound) or closest(node.id, dir(builtins))
            if node.id in _MODULES:
                yield f"its program asks for {node.id}, and does not import it", f"write import {node.id}"
            else:
                yield f"its program knows no {node.id}", f"did you mean {meant}?" if meant else "give it a value first"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _MODULES:
            module = node.value.id
            known = dir(importlib.import_module(module)) if module in modules else []
            # a letter more, so that a short one may differ, too
            if node.attr not in known and (meant := closest(f".{node.attr}", [f".{each}" for each in known])):
                yield f"{module} has no {node.attr}", f"did you mean {meant[1:]}?"


def _is_builtin(name: str) -> bool:
    return hasattr(builtins, name) or name in ("WindowsError", *_OF_A_MODULE)


def _bound(node: ast.AST) -> str:
    """The name to which a part of a program gives a value."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return node.id
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
        return node.name or ""
    if isinstance(node, ast.MatchAs | ast.MatchStar | ast.MatchMapping):
        return (node.rest if isinstance(node, ast.MatchMapping) else node.name) or ""
    return node.arg if isinstance(node, ast.arg) else ""
