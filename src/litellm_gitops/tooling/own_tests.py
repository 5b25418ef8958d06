"""Tests that an owner adds: what they import and which marks they bear, and nothing here brings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import dig, mapping, text, texts
from litellm_gitops.tooling.python_project import options_of
from litellm_gitops.tooling.suite_tests import MARKS

Flaws = Iterator[tuple[int, str, str]]  # (line, what is wrong, what to do)

# packages that people's tests use, where one is called otherwise than its module; none comes with the suite
_PACKAGES = {
    **{
        name: name
        for name in ("boto3", "deepdiff", "docker", "freezegun", "hvac", "hypothesis", "kubernetes", "litellm")
    },
    **{name: name for name in ("moto", "numpy", "openai", "pandas", "requests", "responses", "tomlkit", "xmltodict")},
    **{"dotenv": "python-dotenv", "git": "gitpython", "github": "pygithub", "gitlab": "python-gitlab"},
    **{"google": "google-cloud", "hcl2": "python-hcl2", "pytest_asyncio": "pytest-asyncio", "testinfra": "testinfra"},
}
# what is rendered, of which all is known that it brings
_RENDERED = {
    *("copier", "httpx", "jsonschema", "kubernetes-validate", "litellm-gitops", "pathspec", "pydantic", "pyrage"),
    *("pytest", "pyyaml", "referencing", "ruamel.yaml"),
}
_MARK = re.compile(r"\bpytest\.mark\.([a-z]\w*)")
# pytest's own, and those that a plugin declares
_MARKS = {
    *("parametrize", "skip", "skipif", "xfail", "usefixtures", "filterwarnings", "tryfirst", "trylast", "anyio"),
    *("asyncio", "benchmark", "dependency", "django_db", "flaky", "forked", "order", "repeat", "respx_mock", "timeout"),
    *(
        *MARKS.values(),
        "trio",
        "vcr",
        "xdist_group",
        "freeze_time",
        "httpx_mock",
        "snapshot",
        "allow_hosts",
        "enable_socket",
    ),
}


def unbrought(content: str, settings: dict[Any, Any], lock: str, beside: str) -> Flaws:
    """What of a test nothing brings; `settings` are those of pyproject.toml, `lock` is uv.lock, empty where there is
    none, and `beside` is conftest.py, which may declare marks."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return  # of which another rule tells
    project = f"{settings}".lower()
    needed = {re.split(r"[^\w.-]", line)[0].lower() for line in texts(dig(settings, "project", "dependencies"))}
    is_known = bool(lock) or needed <= _RENDERED
    for node in tree.body if is_known else ():
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        for package in (_PACKAGES.get(name.partition(".")[0], "") for name in names):
            if package and package not in lock and package not in project:
                what = f"it imports {package}, which nothing installs, and pytest ends with an error"
                yield node.lineno, what, f"add {package} to the dependencies of pyproject.toml, and run `uv lock`"
    options = mapping(dig(settings, "tool", "pytest", "ini_options"))
    declared = {re.split(r"[:(]", line)[0].strip() for line in texts(options.get("markers"))}
    if "--strict" in options_of(options) and "addinivalue_line" not in f"{beside}{content}":
        for number, line in enumerate(content.splitlines(), 1):
            for mark in _MARK.findall(text(line).partition("#")[0]):
                if mark not in _MARKS | declared:
                    what = f"nothing declares the mark {mark}, and pytest ends with an error"
                    yield number, what, f'add "{mark}: what it means" to markers in pyproject.toml'
                    return
