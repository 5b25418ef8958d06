"""Entry points in hooks/: they call what they are for, end with what it returns, and hide nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

from litellm_gitops.languages import syntax
from litellm_gitops.spelling import closest
from litellm_gitops.tooling import suite_tests
from litellm_gitops.tooling.suite_tests import called

Flaws = Iterator[tuple[int, str, str]]  # (line, what is wrong, what to do)

# what each entry point of the template calls
_MAINS = {
    "hooks/auth_matrix.py": "litellm_gitops.auth_table",
    "hooks/get_copilot_token.py": "litellm_gitops.copilot.command",
    "hooks/guard_staged.py": "litellm_gitops.guard",
    "hooks/seal_secrets.py": "litellm_gitops.sealing.commands",
}
_OWN_FOLDER = re.compile(
    r"\bsys\.path(?:\[[^\]]*\])?\s*=|\bdel sys\.path\b|\bsys\.path\.(?:clear|pop|remove)\b|safe_path"
)
_FAILED = {"BaseException", "Exception", "ImportError", "ModuleNotFoundError", ""}


@lru_cache(maxsize=64)
def of_entry(file: str, content: str) -> tuple[tuple[int, str, str], ...]:
    """What is wrong with a file of hooks/ or tests/ that runs nothing, or hides how it ends."""
    return (*_of_file(file, content),)


def _of_file(file: str, content: str) -> Flaws:
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        yield error.lineno or 1, "it is no Python, and ends with an error", "correct the syntax"
        return
    except ValueError:  # null bytes, of which another rule tells
        return
    if file.startswith("tests/"):
        yield from suite_tests.flaws(file, tree, content)
    elif "from litellm_gitops" in content:
        nodes = [*ast.walk(tree)]
        slips = ((1, what, fix) for what, fix in syntax.slips(content))
        looks = (slips, _of_hook(nodes), _of_places(file, content), _of_main(file, nodes), _of_path(file, content))
        yield from islice(chain.from_iterable(looks), 1)


def _of_main(file: str, nodes: list[ast.AST]) -> Flaws:
    """Whether an entry point calls its own part of the package, with the repository, and fails without it."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and "main" in [each.name for each in node.names]:
            if node.module in _MAINS.values() and node.module != _MAINS.get(file, node.module):
                what = f"it calls {node.module}, which is for another entry point"
                yield node.lineno, what, f"import {_MAINS[file]}"
        elif isinstance(node, ast.ExceptHandler) and _names(node.type) & _FAILED and file in _MAINS:
            ends = [each for each in ast.walk(node) if called(each) in ("exit", "_exit", "SystemExit")]
            for end in ends:
                if isinstance(end, ast.Call) and all(_is_nothing(each) for each in end.args):
                    what = "it succeeds where the package is not there, and holds nothing back"
                    yield end.lineno, what, "end it with a reason: sys.exit(…)"
        elif isinstance(node, ast.Call) and called(node) == "main" and not (node.args or node.keywords):
            own = (each for each in nodes if isinstance(each, ast.FunctionDef) and each.name == "main")
            told = [] if file not in _MAINS or any(own) else [node.lineno]
            yield from ((line, "main is not told where the repository is", "write main(ROOT)") for line in told)


def _names(kind: ast.expr | None) -> set[str]:
    """The names of what a handler catches; an empty one where it catches everything."""
    listed = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return {each.id if isinstance(each, ast.Name) else "" if each is None else "other" for each in listed}


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in (0, None, False)


def _of_path(file: str, content: str) -> Flaws:
    """Whether a file beside an entry point may be taken for a module of the process that holds plaintext."""
    if file in _MAINS and not _OWN_FOLDER.search(content):
        what = "Python looks for modules beside it first, and may run another file"
        yield 1, what, "write, below import sys: sys.path[: not getattr(sys.flags, 'safe_path', 0)] = []"


def _of_hook(nodes: list[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """Whether an entry point ends with what `main` returns: without it, nothing is held back."""
    exits = [node for node in nodes if called(node) in ("exit", "SystemExit") and isinstance(node, ast.Call)]
    computed = [arg for node in exits for arg in node.args if not isinstance(arg, ast.Constant | ast.JoinedStr)]
    calls: list[ast.Call | ast.ImportFrom] = [
        node for node in nodes if called(node) == "main" and isinstance(node, ast.Call)
    ]
    brought = [
        node for node in nodes if isinstance(node, ast.ImportFrom) and "main" in [each.name for each in node.names]
    ]
    if any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "main" for node in nodes):
        calls = []  # of the owner's, which may end by itself
    lost = calls if calls and not computed else brought if not calls else []
    for each in (each for each in nodes if isinstance(each, ast.Attribute) and ast.unparse(each.value) == "sys.path"):
        if each.attr not in dir(list):
            meant = closest(each.attr, dir(list))
            yield each.lineno, f"sys.path has no {each.attr}", f"did you mean {meant}?" if meant else "correct it"
    for each in (each for each in nodes if isinstance(each, ast.Attribute) and _is_of_a_path(each)):
        if meant := closest(each.attr, dir(Path)):
            yield each.lineno, f"a path has no {each.attr}", f"did you mean {meant}?"
    for node in lost[:1]:
        yield node.lineno, "its exit code is lost, so that it holds nothing back", "write sys.exit(main(ROOT))"


def _of_places(file: str, content: str) -> Iterator[tuple[int, str, str]]:
    """Whether an entry point finds the repository, the folder of a vendored package, and the module that it calls."""
    for number, line in enumerate(content.splitlines(), 1):
        root = re.match(r"ROOT = Path\(__file__\)\.resolve\(\)((?:\.parent)*)(?:\.parents\[(\d)\])?\s*(?:#|\Z)", line)
        steps = root and root[1].count(".parent") + (int(root[2]) + 1 if root[2] else 0)
        if root and steps != file.count("/") + 1:
            yield number, "ROOT is not the folder of the repository", "write Path(__file__).resolve().parent.parent"
        for name in re.findall(r"ROOT / \"(\w+)\"", line):
            if meant := closest(name, ("vendor",)):
                yield number, f"there is no {name}/", f"did you mean {meant}?"
        imported = re.match(r"\s*from (litellm_gitops(?:\.\w+)+) import", line)
        if imported and not _is_a_module(imported[1]):
            yield number, f"there is no module {imported[1]}, so that it holds nothing back", "correct its name"


def _is_a_module(name: str) -> bool:
    """Whether the package has it; nothing of it is run."""
    path = Path(__file__).parents[1].joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def _is_of_a_path(node: ast.Attribute) -> bool:
    """Whether it is asked of what begins with Path(…), and a path has no such attribute."""
    below: ast.AST = node.value
    while isinstance(below, ast.Attribute) or (isinstance(below, ast.Call) and not isinstance(below.func, ast.Name)):
        below = below.value if isinstance(below, ast.Attribute) else below.func
    is_path = isinstance(below, ast.Call) and isinstance(below.func, ast.Name) and below.func.id == "Path"
    return is_path and node.attr not in dir(Path)
