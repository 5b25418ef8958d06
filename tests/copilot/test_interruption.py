"""Ctrl-C, whenever it comes: exit code 130, no traceback, no half file. The clock is the real one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.copilot.fake_github import (
    A_KEY,
    CODE_PATH,
    GRANTED,
    HANG,
    KEY_PATH,
    PENDING,
    POLL_PATH,
    SUBSCRIBED,
    TOLD_PATH,
    FakeGitHub,
    Script,
    a_code,
)
from tests.copilot.program import Sandbox, Terminal, eventually, finish

OLD = "ghu_anoldtokenthatmaystillbegood"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


# ---- While Python is busy, at a place that a stand-in holds open


def _holds_open(place: str, marker: Path) -> str:
    """A module that says when `place` is reached, and stays there."""
    wait = f"__import__('pathlib').Path({str(marker)!r}).touch(); __import__('time').sleep(60)"
    return wait if place == "import" else f"import os\nos.fsync = lambda _: ({wait.replace(';', ',')})"


HELD = {
    "importing_the_standard_library": ("webbrowser.py", "import"),
    "importing_httpx": ("httpx.py", "import"),
    "writing_the_file": ("sitecustomize.py", "fsync"),
}


@pytest.mark.parametrize("name", HELD)
def test_ctrl_c_while(name: str, sandbox: Sandbox) -> None:
    module, place = HELD[name]
    folder = sandbox.root / "held"
    folder.mkdir()
    marker = sandbox.root / "reached"
    (folder / module).write_text(_holds_open(place, marker))
    sandbox.token.write_text(OLD)
    with FakeGitHub(code=a_code(interval=1)) as github:
        program = sandbox.start(github, "--force", env={"PYTHONPATH": str(folder)})
        eventually(marker.exists, name)
        program.send_signal(signal.SIGINT)
        run = finish(program)
    _was_interrupted(run.code, run.err, sandbox)


def _was_interrupted(code: int, err: str, sandbox: Sandbox) -> None:
    assert code == 130, err
    assert "Traceback" not in err
    assert "KeyboardInterrupt" not in err
    assert sandbox.token.read_text() == OLD
    assert sandbox.new == ["access-token"]


# ---- While GitHub is asked, or the user


@dataclass(frozen=True)
class Moment:
    """A moment of a run: what GitHub does, and the request after which it is reached."""

    reached: str
    code: Script = field(default_factory=lambda: a_code(interval=1))
    polls: Script = GRANTED
    told: Script = SUBSCRIBED
    key: Script = A_KEY


MOMENTS = {
    "asking_for_a_code": Moment(CODE_PATH, code=HANG),
    "waiting_for_the_first_poll": Moment(CODE_PATH, code=a_code(interval=60)),
    "polling": Moment(POLL_PATH, polls=HANG),
    "waiting_between_polls": Moment(POLL_PATH, polls=PENDING),
    "verifying": Moment(TOLD_PATH, told=HANG),
    "verifying_again": Moment(KEY_PATH, key=HANG),
}


@pytest.fixture(params=MOMENTS)
def github(request: pytest.FixtureRequest) -> Iterator[tuple[FakeGitHub, str]]:
    moment = MOMENTS[request.param]
    with FakeGitHub(code=moment.code, polls=moment.polls, told=moment.told, key=moment.key) as server:
        yield server, moment.reached


def test_ctrl_c_at_any_moment(github: tuple[FakeGitHub, str], sandbox: Sandbox) -> None:
    server, reached = github
    sandbox.token.write_text(OLD)
    program = sandbox.start(server, "--force")
    server.wait_for(reached)
    program.send_signal(signal.SIGINT)
    run = finish(program, timeout=5)
    _was_interrupted(run.code, run.err, sandbox)
    assert "Interrupted: nothing was stored." in run.err


def _wait(terminal: Terminal) -> None:
    terminal.expect("left")


def _prompt(terminal: Terminal) -> None:
    terminal.expect("[y/N]")


@pytest.mark.parametrize(("options", "reach"), [(("--force",), _wait), ((), _prompt)])
def test_ctrl_c_at_the_terminal(options: tuple[str, ...], reach: Callable[[Terminal], None], sandbox: Sandbox) -> None:
    sandbox.token.write_text(OLD)
    with FakeGitHub() as server, Terminal(sandbox, server, *options) as terminal:
        reach(terminal)
        terminal.type("\x03")
        code = terminal.finish(timeout=5)
    _was_interrupted(code, terminal.screen, sandbox)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_clean_up_too(number: int, code: int, sandbox: Sandbox) -> None:
    with FakeGitHub(polls=PENDING) as server:
        program = sandbox.start(server)
        server.wait_for(CODE_PATH)
        program.send_signal(number)
        run = finish(program, timeout=5)
    assert run.code == code
    assert "Interrupted: nothing was stored." in run.err
    assert not sandbox.token.exists()


def test_nohup_outlives_the_terminal(sandbox: Sandbox) -> None:
    with FakeGitHub(code=a_code(interval=1), polls=[PENDING, GRANTED]) as server:
        program = sandbox.start(server, before=("nohup",))
        server.wait_for(POLL_PATH)
        program.send_signal(signal.SIGHUP)
        run = finish(program)
    assert run.code == 0, run.err
    assert sandbox.token.read_text() == server.token


def test_a_second_ctrl_c_is_not_needed_but_harmless(sandbox: Sandbox) -> None:
    with FakeGitHub(polls=PENDING) as server:
        program = sandbox.start(server)
        server.wait_for(CODE_PATH)
        for _ in range(5):
            if program.poll() is None:
                os.kill(program.pid, signal.SIGINT)
        run = finish(program, timeout=5)
    assert run.code == 130
    assert "Traceback" not in run.err


def test_a_real_second_passes_between_polls(sandbox: Sandbox) -> None:
    """The other tests of polling use a clock of their own; this one shows that it stands for time."""
    with FakeGitHub(code=a_code(interval=1), polls=[PENDING, GRANTED]) as server:
        run = finish(sandbox.start(server), timeout=20)
    assert run.code == 0, run.err
    first, second = server.polls
    assert first > 1.1
    assert second - first > 1.0, "the margin covers the way"
    assert server.complaints == []
