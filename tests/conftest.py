"""Fixtures: the template as copier sees it, and repositories rendered from it, each set of answers once."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import copier
import pytest
from copier._template import Template

from hooks import after_render
from tests.support.once import once
from tests.support.project import Project, Start, Starter, make_releases
from tests.support.quick import quick
from tests.support.sealed_store import SealedStore
from tests.support.template import copy_template
from tests.support.warm import Warm

ROOT = Path(__file__).resolve().parent.parent
# What `pinned` names in these repositories. The template is a folder without git, so that no rendering clones it.
COMMIT = "0123456789abcdef0123456789abcdef01234567"


# Tests that take half a minute each, while most take less than a tenth of a second.
LONGEST = (
    "test_no_secret_shows_from_the_first_rendering_to_an_update",
    "test_a_repository_from_before_the_package_follows_without_conflict_or_loss",
    "test_a_run_that_is_killed_at_any_moment_leaves_all_or_nothing",
    "test_every_help_and_every_refusal_is_read_whole",
    "test_uv_installs_once_and_needs_no_network_afterwards",
    "test_who_may_sign_is_answered_later_and_changed_by_the_printed_command",
    "test_no_finding_shows_a_credential_that_stands_where_another_value_belongs",
    "test_whatever_a_rule_says_no_judge_shows_a_credential",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is left alone with it."""
    items.sort(key=lambda item: item.name.partition("[")[0] not in LONGEST)


# What is read once is kept for the next test, and Python would look through all of it again and again.
gc.set_threshold(100_000, 50, 100)


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


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder that the processes of this run have together, for `once`."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if hasattr(request.config, "workerinput") else own) / "shared"


@pytest.fixture(scope="session")
def compiled(shared: Path) -> Path:
    """What tests/support/quick.py keeps from one run of copier for the next."""
    return once(shared / "compiled", Path.mkdir)


@pytest.fixture(scope="module")
def quick_copier(compiled: Path) -> Iterator[None]:
    """For a module that renders very often: `pytestmark = pytest.mark.usefixtures("quick_copier")`."""
    with quick(compiled):
        yield


@pytest.fixture(scope="session")
def template(shared: Path) -> Path:
    """The template's own files outside git, so that no clone is made and what is not committed counts."""
    return once(shared / "template", copy_template)


def render_into(target: Path, template: Path, answers: dict[str, Any], **options: Any) -> Path:
    """Render in this process, without sealing; `options` are copier's. Raises what copier raises.

    As if the template were at COMMIT; `tooling` has the default of a folder, `vendored`, and vendor/ is not brought.
    """
    with warnings.catch_warnings(), patch.object(Template, "commit_hash", COMMIT):
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


class Renderer:
    """Renders each set of answers once, quickly: `pinned` unless the answers say otherwise.

    `finish` is called with each new repository.
    """

    def __init__(self, template: Path, compiled: Path, folder: Path, finish: Callable[[Path], None] | None = None):
        self._template, self._compiled, self._folder, self._finish = template, compiled, folder, finish

    def __call__(self, **answers: Any) -> Path:
        """The repository."""

        def make(target: Path) -> None:
            with quick(self._compiled):
                render_into(target, self._template, {"tooling": "pinned", **answers})
            if answers.get("tooling") == "vendored":
                after_render.vendor(target, self._template)
            if self._finish:
                self._finish(target)

        name = hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()
        return once(self._folder / name / "repository", make)


@pytest.fixture(scope="session")
def render(template: Path, compiled: Path, shared: Path) -> Callable[..., Path]:
    """`render(**answers)`: a repository that is rendered but not sealed. Never change what it returns, copy it."""
    return Renderer(template, compiled, shared / "rendered")


@pytest.fixture(scope="session")
def store(render: Callable[..., Path], shared: Path) -> SealedStore:
    """Every Secret of every cluster, sealed once by the real sops."""
    return SealedStore(once(shared / "store", lambda folder: SealedStore.make(render, folder)))


@pytest.fixture(scope="session")
def sealed(template: Path, compiled: Path, store: SealedStore, shared: Path) -> Callable[..., Path]:
    """`sealed(**answers)`: as `render`, with Secrets from the store."""
    renderer = Renderer(template, compiled, shared / "sealed", store.seal)
    return lambda **answers: renderer(**{**answers, "age_recipients": [store.recipient]})


@pytest.fixture(scope="session")
def releases(template: Path, shared: Path) -> Path:
    """A git repository of the template with a tag for each release, the last one as it is now."""
    return once(shared / "releases" / "template", lambda folder: make_releases(template, folder))


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process that has copier imported."""
    with Warm("copier._cli") as process:
        yield process


@pytest.fixture(scope="session")
def starter(releases: Path, warm: Warm, compiled: Path, shared: Path) -> Starter:
    """Repositories of each release, made once."""
    return Starter(releases, warm, shared / "started", compiled)


@pytest.fixture
def start(starter: Starter, tmp_path: Path) -> Start:
    """`start(release, **answers)`: a repository of one's own from that release, under git."""

    def started(release: str, **answers: str) -> Project:
        return starter(tmp_path, release, **answers)

    return started
