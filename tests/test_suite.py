"""The suite as its users run it: `pytest` in a repository, quick, quiet, and plain about what is wrong."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from litellm_gitops import rules
from litellm_gitops.findings import UPDATE
from tests.support.answers import everything
from tests.support.faults import AWS, CHART, SUITE, append, at, delete, set_value, write

SECONDS = 2.0  # for three environments and four providers


@pytest.fixture
def repository(sealed: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed(**everything()), tmp_path / "repository"))


def suite(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`pytest` with nothing in its environment: no key, no sops, no home, no configuration of git."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=root,
        env={
            "PATH": "/nonexistent",
            "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1",
            # plugins of this project, which take a second to load
            "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:anyio",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_suite_passes_without_key_sops_git_and_home(repository: Path) -> None:
    done = suite(repository)
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) <= 6, "with what comes next"


def test_the_suite_writes_nothing_but_what_pytest_itself_keeps(repository: Path) -> None:
    before = sorted(repository.rglob("*"))
    suite(repository)
    kept = repository / ".pytest_cache"
    assert [path for path in sorted(repository.rglob("*")) if not path.is_relative_to(kept)] == before


def test_the_suite_takes_less_than_two_seconds(repository: Path) -> None:
    # Processor time, which is the wall time of an idle machine. A busy one makes each instruction slower too: there
    # the start of pytest itself, a quarter of a second on an idle one, tells by how much.
    def spent(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert suite(repository, *arguments).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    runs = ((spent(), spent("--version")) for _ in range(3))
    assert any(run < SECONDS * max(1.0, start / 0.25) for run, start in runs)


def test_the_suite_runs_every_rule(sealed: Callable[..., Path]) -> None:
    run = set()
    for engine in ("flux", "argocd"):
        done = suite(sealed(**everything(gitops_engine=engine)), "--collect-only")
        run |= {line.split("[")[1].removesuffix("]") for line in done.stdout.splitlines() if "[" in line}
    assert run == set(rules.load())


def test_a_failure_says_what_is_wrong_and_nothing_else(repository: Path) -> None:
    annotation = "eks.amazonaws.com/role-arn"
    set_value(AWS, at(CHART.service_account, "annotations", annotation), "arn:aws:iam::123456789012:role/other")(
        repository
    )
    done = suite(repository)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (told,) = [line for line in lines if line.startswith(f"{AWS}:")]
    assert f"needs the service account annotation {annotation}" in told
    assert told.endswith(f"{UPDATE} eks_aws_role_arn=…")
    assert "Traceback" not in done.stdout
    assert "def " not in done.stdout
    assert "rules/" not in done.stdout
    assert len(lines) <= 9


def test_what_cannot_be_read_ends_the_suite_with_one_line(repository: Path) -> None:
    delete(".copier-answers.yml")(repository)
    done = suite(repository)
    assert done.returncode == 1
    assert ".copier-answers.yml: is missing — " in done.stdout
    assert "Traceback" not in done.stdout
    assert len(done.stdout.splitlines()) <= 4


def test_declarations_that_cannot_be_read_end_the_suite_with_one_line(repository: Path) -> None:
    write(SUITE, "kinds: 1\n")(repository)
    done = suite(repository)
    assert done.returncode == 1
    assert done.stdout.count(f"{SUITE}:1: kinds") == 1
    assert "Traceback" not in done.stdout


def test_the_owners_plugins_are_loaded_and_their_garbage_collected(repository: Path) -> None:
    content = "import gc\n\n\ndef test_own(pytestconfig) -> None:\n    assert gc.isenabled()\n"
    append("tests/test_own.py", f"{content}    assert pytestconfig.pluginmanager.hasplugin('xdist')\n")(repository)
    done = suite(repository, "tests/test_own.py")
    assert done.returncode == 0, done.stdout


def test_a_value_in_plaintext_is_found_and_not_shown(repository: Path) -> None:
    file = repository / "secrets" / "aws" / "litellm-redis.sops.yaml"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if "redis-password:" in line)
    lines[number] = "  redis-password: canary-in-plaintext\n"
    file.write_text("".join(lines), "utf-8")
    done = suite(repository, "-vv", "--showlocals", "--tb=long")
    assert done.returncode == 1
    assert f"litellm-redis.sops.yaml:{number + 1}: stringData.redis-password is not encrypted" in done.stdout
    assert "canary-in" not in done.stdout + done.stderr


def test_the_suite_takes_a_test_of_the_users_own(repository: Path) -> None:
    append("tests/test_own.py", "def test_own(repository) -> None:\n    assert repository.providers\n")(repository)
    done = suite(repository, "tests/test_own.py")
    assert done.returncode == 0, done.stdout


def test_the_suite_runs_from_any_folder_and_in_a_git_repository(repository: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), "add", "."], check=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            str(repository / "pyproject.toml"),
            str(repository / "tests"),
        ],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
