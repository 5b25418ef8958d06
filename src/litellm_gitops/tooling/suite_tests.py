"""Files of tests/: they evaluate the rules that they are for, each of them, and pytest can run them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice

from litellm_gitops.languages import syntax
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[int, str, str]]  # (line, what is wrong, what to do)

# the mark of each file of the suite that not every machine can run
MARKS = {"test_chart.py": "chart", "test_decryption.py": "decrypt", "test_signature.py": "signed"}
_OF_THE_SUITE = re.compile(r"\*|test_(?:auth_matrix|deployment|files|sealing)\.py")
_ARGUMENTS = ("renderings", "request", "rule", "verify")  # of the suite's own tests, and pytest's


def flaws(file: str, tree: ast.Module, content: str) -> Flaws:
    """What is wrong with a file that Python can read."""
    if file.endswith("conftest.py"):
        yield from _left_out(tree)
    found = (*_of_functions(file, tree, content),)
    yield from found
    if not found:
        yield from ((1, what, fix) for what, fix in islice(syntax.slips(content), 1))


def _left_out(tree: ast.Module) -> Flaws:
    """Files of the suite that a conftest.py has pytest pass over."""
    for node in tree.body:
        names = {each.id for each in getattr(node, "targets", ()) if isinstance(each, ast.Name)}
        left = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        for name in filter(_OF_THE_SUITE.search, left if names & {"collect_ignore", "collect_ignore_glob"} else ()):
            yield node.lineno, f"pytest leaves {name} out, and with it the rules that it is for", "take it out"


def _of_functions(file: str, tree: ast.Module, content: str) -> Flaws:
    marks = [node for node in tree.body if isinstance(node, ast.Assign)]  # pytestmark
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        yield from islice(_of_arguments(function), 1)
        if "verify" not in (each.arg for each in function.args.args):
            continue  # of one's own
        if any("fixture" in ast.dump(each) for each in function.decorator_list):
            continue  # which hands it on
        yield from islice(_of_rules(file, function, marks, content), 1)


def _of_rules(file: str, function: ast.FunctionDef, assigned: list[ast.Assign], content: str) -> Flaws:
    """What keeps a test from evaluating the rules that it is for."""
    inside = [*ast.walk(function), *(each for node in assigned for each in ast.walk(node))]
    attributes, name = {node.attr for node in inside if isinstance(node, ast.Attribute)}, file.rpartition("/")[2]
    calls = [node for node in inside if called(node) == "verify"]
    marks, wanted = {*MARKS.values()} & attributes, MARKS.get(name, "")
    slip = next((each for each in attributes if wanted and closest(each, [wanted])), "")
    if {"skip", "skipif", "xfail"} & attributes and name not in MARKS:
        yield function.lineno, f"{function.name} is skipped, and with it the rules that it is for", "take that out"
    elif not function.name.startswith("test"):
        yield function.lineno, f"pytest runs no {function.name}", "begin its name with test_"
    elif not calls:
        yield function.lineno, f"{function.name} evaluates no rule", "call verify(rule)"
    elif wanted and wanted not in marks and "/" not in file.removeprefix("tests/"):
        found = f", and pytest knows no mark {slip}" if slip else ""
        what = f"{function.name} has not the mark {wanted}{found}, so that it runs where it cannot"
        yield function.lineno, what, f"write pytestmark = pytest.mark.{wanted}"
    elif marks and not wanted and _OF_THE_SUITE.fullmatch(name):
        what = f"{function.name} has the mark {min(marks)}, so that pytest leaves out the rules that it is for"
        yield function.lineno, what, "take the mark out"
    elif _is_some(function, assigned):
        what = f"{function.name} evaluates some of the rules alone"
        yield function.lineno, what, "evaluate all of them; policies/suite.yml sets one aside"
    elif name not in MARKS and (line := _passed_over(function)):
        what = f"{function.name} passes where a rule is broken"
        yield line, what, "call verify(rule) for each; policies/suite.yml sets one aside"


def _is_some(function: ast.FunctionDef, assigned: list[ast.Assign]) -> bool:
    """Whether a test is for a part of a list of rules, by number or by a condition."""
    lists = [
        each.value for each in assigned if any(isinstance(at, ast.Name) and at.id == "RULES" for at in each.targets)
    ]
    given = [each.args[1] for each in function.decorator_list if isinstance(each, ast.Call) and len(each.args) > 1]
    for node in (inner for each in (*lists, *given) for inner in ast.walk(each)):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            return True
        if isinstance(node, ast.ListComp | ast.GeneratorExp) and any(each.ifs for each in node.generators):
            return True
    return False


def _passed_over(function: ast.FunctionDef) -> int:
    """The line at which a test returns before it evaluates a rule, or lets it break; 0 where there is none."""
    for node in function.body:
        if "verify" in (called(each) for each in ast.walk(node)):
            is_caught = isinstance(node, ast.Try) and any(_passes(each) for each in node.handlers)
            return node.lineno if is_caught or (isinstance(node, ast.If) and not node.orelse) else 0
        if isinstance(node, ast.Return) or (isinstance(node, ast.If) and any(_returns(each) for each in node.body)):
            return node.lineno
    return 0


def _passes(handler: ast.ExceptHandler) -> bool:
    """Whether what is caught is gone."""
    return not any(isinstance(each, ast.Raise | ast.Assert) or called(each) for each in ast.walk(handler))


def _returns(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return)


def _of_arguments(function: ast.FunctionDef) -> Flaws:
    """Arguments that pytest is to fill in, and that a test does not take, or takes under a misspelt name."""
    given = function.args
    taken = {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    filled = set[str]()
    for node in function.decorator_list:
        if isinstance(node, ast.Call) and called(node) == "parametrize" and node.args:
            names = _argument_names(node.args[0])
            filled |= names
            for name in sorted(names - taken) if not node.keywords or "indirect" not in _keywords(node) else ():
                meant = closest(name, taken) or next(iter(sorted(taken - filled)), name)
                yield node.lineno, f"{function.name} takes no {name}, and pytest ends with an error", f"write {meant}"
    is_ours = any(called(node) == "verify" for node in ast.walk(function))
    for name in sorted(taken - filled - {*_ARGUMENTS}) if is_ours or "verify" in taken else ():
        if meant := closest(name, {*_ARGUMENTS} - taken):
            yield (
                function.lineno,
                f"there is no fixture {name}, and pytest ends with an error",
                f"did you mean {meant}?",
            )


def _argument_names(given: ast.expr) -> set[str]:
    """The names in the first argument of `parametrize`; none where they are computed."""
    parts = given.elts if isinstance(given, ast.List | ast.Tuple) else [given]
    if not all(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in parts):
        return set()
    words = (str(each.value) for each in parts if isinstance(each, ast.Constant))
    return {name.strip() for word in words for name in word.split(",")} - {""}


def _keywords(node: ast.Call) -> set[str]:
    return {str(each.arg) for each in node.keywords}


def called(node: ast.AST) -> str:
    """The name of a function that a part of a program calls."""
    called = node.func if isinstance(node, ast.Call) else None
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
