"""Fixtures: the template as copier sees it, and repositories rendered from it, each set of answers once."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

import copier
import pytest

from tests.support.quick import quick
from tests.support.stock import Stock

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("copier.yml", "hooks", "includes", "policies", "template")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, for when a test waits: for the disk, a killed run, a clock."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def _hermetic() -> Iterator[None]:
    """Nothing of the machine's or the user's settings decides a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("GIT_", "SOPS_", "AWS_", "AZURE_", "LITELLM_", "GITHUB_COPILOT_")):
                patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("COPIER_SETTINGS_PATH", "/nonexistent/settings.yml")
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_copier() -> Iterator[None]:
    with quick():
        yield


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What tests/support/quick.py keeps from one run of copier for the next."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's own files outside git, so that no clone is made and what is not committed counts."""
    folder = tmp_path_factory.mktemp("template")
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
        else:
            shutil.copy(ROOT / part, folder)
    return folder


def render_into(target: Path, template: Path, answers: dict[str, Any], **options: Any) -> Path:
    """Render in this process, without sealing; `options` are copier's. Raises what copier raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copier.run_copy(
            str(template),
            target,
            data=answers,
            defaults=True,
            quiet=True,
            unsafe=True,
            skip_tasks=True,
            **options,
        )
    return target


@pytest.fixture(scope="session")
def render(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`render(**answers)`: a repository that is rendered but not sealed. Each set of answers is rendered once: never
    change what it returns, copy it."""
    known: dict[str, Path] = {}
    # what the first run of a hook leaves, and spares all others; valid as long as the source is the same
    hooks = shutil.copytree(template / "template" / "hooks", tmp_path_factory.mktemp("bytecode") / "hooks")
    compileall.compile_dir(hooks, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    bytecode = Path("sealing", "__pycache__")

    def rendered(**answers: Any) -> Path:
        key = json.dumps(answers, sort_keys=True)
        if key not in known:
            target = render_into(tmp_path_factory.mktemp("rendered"), template, answers)
            shutil.copytree(hooks / bytecode, target / "hooks" / bytecode)
            known[key] = target
        return known[key]

    return rendered


@pytest.fixture(scope="session")
def stock(render: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """Every Secret of every environment, sealed once by the real sops."""
    return Stock.make(render, tmp_path_factory.mktemp("stock"))


@pytest.fixture(scope="session")
def sealed(template: Path, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`sealed(**answers)`: a repository with Secrets from the stock. Each set of answers once: copy it to change it."""
    return _sealed(template, stock, tmp_path_factory)


@pytest.fixture(scope="session")
def lean(template: Path, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """As `sealed`, in half the time, without hooks/ and tests/: for what never runs them."""
    folder = tmp_path_factory.mktemp("lean") / "template"
    top = ("hooks", "tests")
    shutil.copytree(
        template,
        folder,
        ignore=lambda here, _: top if Path(here) == template / "template" else (),
    )
    return _sealed(folder, stock, tmp_path_factory)


def _sealed(template: Path, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    known: dict[str, Path] = {}

    def repository(**answers: Any) -> Path:
        key = json.dumps(answers, sort_keys=True)
        if key not in known:
            target = tmp_path_factory.mktemp("sealed")
            render_into(target, template, {**answers, "age_recipients": [stock.recipient]})
            stock.seal(target)
            known[key] = target
        return known[key]

    return repository
