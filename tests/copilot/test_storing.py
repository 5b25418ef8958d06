"""What becomes of the file: who may read it, what it replaces, what is left when things go wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from litellm_gitops.copilot.errors import Stop
from litellm_gitops.copilot.progress import Progress
from litellm_gitops.copilot.store import TokenFile
from litellm_gitops.copilot.terminal import Screen, Secret
from tests.copilot.clock import FastClock
from tests.copilot.fake_github import (
    GRANTED,
    PENDING,
    RESET,
    FakeGitHub,
    Reply,
    Script,
    error,
    refused,
)
from tests.copilot.program import Sandbox, Terminal

OLD = "ghu_anoldtokenthatmaystillbegood"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.fixture
def clock(tmp_path: Path) -> FastClock:
    return FastClock(tmp_path / "clock")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


# ---- What is there already


def test_an_existing_file_is_kept_and_github_is_not_even_asked(sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.write_text(OLD)
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github)
    assert run.code == 2
    assert "access-token exists" in run.err
    assert "--force" in run.err
    assert sandbox.token.read_text() == OLD
    assert github.requests == []


def test_force_replaces_an_existing_file_and_narrows_its_mode(sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.write_text(OLD)
    sandbox.token.chmod(0o644)
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--force")
    assert run.code == 0, run.err
    assert sandbox.token.read_text() == github.token
    assert _mode(sandbox.token) == 0o600


def test_an_empty_file_is_no_token(sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.touch()
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github)
    assert run.code == 0, run.err
    assert sandbox.token.read_text() == github.token


def test_a_file_that_appears_during_the_login_is_kept(sandbox: Sandbox, clock: FastClock) -> None:
    late = Reply(GRANTED.body, meanwhile=lambda: _write(sandbox.token, OLD))
    with FakeGitHub(clock=clock, polls=late) as github:
        run = sandbox.run(github)
    assert run.code == 2
    assert sandbox.token.read_text() == OLD


def _write(path: Path, text: str) -> None:
    path.write_text(text)


ENDINGS: dict[str, tuple[int, Script, Script]] = {
    "denied": (3, error("access_denied"), GRANTED),
    "expired": (4, error("expired_token"), GRANTED),
    "unreachable": (5, GRANTED, RESET),
    "unsubscribed": (6, GRANTED, refused("no_copilot_access")),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_force_spends_no_old_token_on_a_failed_login(ending: str, sandbox: Sandbox, clock: FastClock) -> None:
    code, polls, told = ENDINGS[ending]
    sandbox.token.write_text(OLD)
    with FakeGitHub(clock=clock, polls=polls, told=told) as github:
        run = sandbox.run(github, "--force")
    assert run.code == code, run.err
    assert sandbox.token.read_text() == OLD


# ---- Where it may go


@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_symbolic_link_is_not_followed_even_with_force(target: str, sandbox: Sandbox, clock: FastClock) -> None:
    (sandbox.root / "elsewhere").write_text("precious")
    sandbox.token.symlink_to(sandbox.root / target)
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--force")
    assert run.code == 2
    assert "symbolic link" in run.err
    assert (sandbox.root / "elsewhere").read_text() == "precious"
    assert not (sandbox.root / "missing").exists()
    assert github.requests == []


def test_a_link_that_appears_during_the_login_is_not_followed(sandbox: Sandbox, clock: FastClock) -> None:
    victim = sandbox.root / "elsewhere"
    victim.write_text("precious")
    late = Reply(GRANTED.body, meanwhile=lambda: sandbox.token.symlink_to(victim))
    with FakeGitHub(clock=clock, polls=late) as github:
        run = sandbox.run(github, "--force")
    assert run.code == 2
    assert victim.read_text() == "precious"


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


REFUSED = {
    "a_folder": (_folder, "is a folder"),
    "a_pipe": (_pipe, "no regular file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_only_a_regular_file_is_replaced(kind: str, sandbox: Sandbox, clock: FastClock) -> None:
    make, says = REFUSED[kind]
    make(sandbox.token)
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--force")
    assert run.code == 2
    assert says in run.err
    assert github.requests == []


def test_a_folder_that_everybody_can_write_to_is_refused(sandbox: Sandbox, clock: FastClock) -> None:
    folder = sandbox.root / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--output", folder / "token")
        folder.chmod(0o1777)  # as /tmp: nobody can swap another's file there
        sticky = sandbox.run(github, "--output", folder / "token")
    assert run.code == 2
    assert "Everybody can write" in run.err
    assert sticky.code == 0, sticky.err


@pytest.mark.parametrize("folder", ["missing", "hooks/get_copilot_token.py"])
def test_a_folder_that_is_none_is_refused_before_the_login(folder: str, sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--output", f"{folder}/token")
    assert run.code == 2
    assert folder in run.err
    assert github.requests == []


@pytest.mark.parametrize("name", ["token", "my token", "jeton-✓", "--force"])
def test_any_name_will_do(name: str, sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, f"--output={sandbox.home / name}")
    assert run.code == 0, run.err
    assert (sandbox.home / name).read_text() == github.token


@pytest.mark.parametrize("length", [240, 300])
def test_a_name_that_is_too_long_is_refused_before_the_login(length: int, sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--output", "t" * length)
    assert run.code == 2, run.err
    assert "File name too long. Choose a shorter --output." in run.err
    assert github.requests == []


def test_a_relative_path_starts_at_the_working_folder(sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, "--output", "token", cwd=sandbox.home)
    assert run.code == 0, run.err
    assert (sandbox.home / "token").read_text() == github.token


# ---- How it is written


@pytest.mark.parametrize("umask", ["000", "077", "777"])
def test_the_mode_is_0600_whatever_the_umask(umask: str, sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, before=("sh", "-c", f'umask {umask}; exec "$@"', "sh"))
    assert run.code == 0, run.err
    assert _mode(sandbox.token) == 0o600


def test_a_disk_that_takes_nothing_leaves_the_old_token_and_no_rest(sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.write_text(OLD)
    with FakeGitHub(clock=clock) as github:
        full = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh")
        run = sandbox.run(github, "--force", before=full)
    assert run.code == 1
    assert "Nothing was stored" in run.err
    assert sandbox.token.read_text() == OLD
    assert sandbox.new == ["access-token"]


def test_a_file_that_can_be_neither_written_nor_removed_is_an_error_like_others(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / ("t" * 240), False, Screen(), Progress())
    with pytest.raises(Stop, match="Nothing was stored"):
        file.store(Secret(OLD))


def test_what_a_killed_run_left_is_removed(sandbox: Sandbox, clock: FastClock) -> None:
    stale = sandbox.token.with_name("access-token.0123456789abcdef.tmp")
    fresh = sandbox.token.with_name("access-token.fedcba9876543210.tmp")
    other = sandbox.token.with_name("access-token.mine.tmp")
    for path in (stale, fresh, other):
        path.write_text("half a token")
    an_hour_ago = time.time() - 3600
    os.utime(stale, (an_hour_ago, an_hour_ago))
    os.utime(other, (an_hour_ago, an_hour_ago))
    with FakeGitHub(clock=clock) as github:
        assert sandbox.run(github).code == 0
    assert not stale.exists()
    assert fresh.exists(), "it may belong to a run that is alive"
    assert other.exists(), "it is not ours"


def test_a_closed_stderr_costs_neither_the_file_nor_the_silence(sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, before=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"))
    assert run.code == 1, "a code that nobody can see leads nowhere"
    assert not sandbox.token.exists()
    assert github.polls == []


def test_a_reader_that_goes_away_after_the_code_costs_nothing(sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock, polls=[PENDING, RESET, GRANTED]) as github:
        seen = f'{{ "$@"; echo $? > {sandbox.home}/code; }} 2>&1 | sed -n "/valid for/q"'
        sandbox.run(github, before=("sh", "-c", seen, "sh"))
    assert (sandbox.home / "code").read_text() == "0\n"
    assert sandbox.token.read_text() == github.token


# ---- Asking


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_person_can_agree_to_the_loss(answer: str, sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.write_text(OLD)
    with FakeGitHub(clock=clock) as github, Terminal(sandbox, github) as terminal:
        terminal.expect("Replace it, once the new one is verified? [y/N]")
        terminal.type(answer)
        assert terminal.finish() == 0, terminal.screen
    assert sandbox.token.read_text() == github.token
    assert terminal.screen.count("[y/N]") == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", "yikes\n", "\x04"])
def test_everything_else_keeps_the_old_token(answer: str, sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.write_text(OLD)
    with FakeGitHub(clock=clock) as github, Terminal(sandbox, github) as terminal:
        terminal.expect("[y/N]")
        terminal.type(answer)
        assert terminal.finish() == 2, terminal.screen
    assert sandbox.token.read_text() == OLD
    assert github.requests == []


def test_agreement_covers_only_the_file_that_was_seen(sandbox: Sandbox, clock: FastClock) -> None:
    sandbox.token.write_text(OLD)
    late = Reply(GRANTED.body, meanwhile=lambda: _write(sandbox.token, "ghu_newer"))
    with (
        FakeGitHub(clock=clock, polls=late) as github,
        Terminal(sandbox, github) as terminal,
    ):
        terminal.expect("[y/N]")
        terminal.type("y\n")
        terminal.expect("Copilot serves it")
        terminal.type("n\n")
        assert terminal.finish() == 2, terminal.screen
    assert sandbox.token.read_text() == "ghu_newer"
