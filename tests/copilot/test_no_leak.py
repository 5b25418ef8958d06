"""A run with `--seal` leaves the token in the sealed Secrets and nowhere else.

Two ways to look. The run is frozen while sops has the plaintext in its pipe, and everything is read: all
files, those that a process has open, and every process's arguments and environment. That works on any
Linux. Where strace works too, a second run is traced, and every single write is looked at, whatever
became of the file. Without strace pytest reports that second test as skipped: the first one remains.
"""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tools
from tests.copilot.fake_github import USER_CODE, FakeGitHub, a_code
from tests.copilot.program import Sandbox, eventually, finish
from tests.leaks import tracer
from tests.support.sealed import opened, seal

Render = Callable[..., Path]

NAME = "litellm-github-copilot"
ANSWERS = {"cluster_environments": ["aws", "gcp"], "providers": ["github_copilot"]}
# What a shell may hold, none of which sealing needs.
SHELL = {
    "GITHUB_TOKEN": "ghp_" + "G" * 36,
    "AWS_SECRET_ACCESS_KEY": "A" * 40,
    "SOPS_AGE_KEY": "AGE-SECRET-KEY-1" + "Q" * 58,
    "SOPS_AGE_RECIPIENTS": "age1" + "q" * 58,
    "LITELLM_MASTER_KEY": "sk-1234",
}


@pytest.fixture(scope="module")
def repository(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("leak") / "repository"
    shutil.copytree(render(**ANSWERS), root)
    assert seal(root).returncode == 3, "the token is a placeholder yet"
    return root


@pytest.fixture
def sandbox(repository: Path, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox", repository)


def _traces(secret: str) -> list[bytes]:
    """Any eight characters of `secret` in a row, as they are, reversed, in hexadecimal and in base64."""
    raw = secret.encode()
    found = {raw[i : i + 8] for i in range(len(raw) - 7)}
    found |= {piece[::-1] for piece in found} | {piece.hex().encode() for piece in found}
    for shift in range(3):
        text = base64.b64encode(raw[shift:]).rstrip(b"=")[:-4]
        found |= {text[i : i + 12] for i in range(len(text) - 11)}
    return sorted(found)


def _pattern(*secrets: str) -> re.Pattern[bytes]:
    """Matches a trace of one of `secrets`."""
    # Not the first four characters: `ghu_` and `tid=` are no secret.
    traces = [re.escape(trace) for secret in secrets for trace in _traces(secret[4:])]
    return re.compile(b"|".join(traces))


def test_the_search_finds_what_it_looks_for() -> None:
    secret = "ghu_" + "0123456789abcdefghijklmnopqrstuvwxyz"
    pattern = _pattern(secret)
    for shown in (
        secret.encode(),
        b"xyz" + secret[10:20].encode(),
        secret[::-1].encode(),
        secret.encode().hex().encode(),
        base64.b64encode(secret.encode()),
        base64.b64encode(b"x" + secret.encode()),
        base64.b64encode(b"{'access-token': '" + secret.encode() + b"'}"),
    ):
        assert pattern.search(shown), shown
    assert not pattern.search(b"ghu_ 0123456 access-token")


# ---- Frozen


def _family(pid: int) -> list[int]:
    """`pid` and everything that it started, and what that started."""
    family = [pid]
    parents = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # gone in the meantime
            parent = re.search(r"^PPid:\s+(\d+)$", status.read_text(), re.MULTILINE)
            parents[int(status.parent.name)] = int(parent[1]) if parent else 0
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _everything(sandbox: Sandbox, pids: list[int]) -> Iterator[tuple[str, bytes]]:
    """Every file of the sandbox, and what can be seen of these processes from outside."""
    for path in sandbox.root.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    for pid in pids:
        process = Path(f"/proc/{pid}")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the shim's `sleep`
            for name in ("cmdline", "environ"):
                yield f"{process}/{name}", (process / name).read_bytes()
            for handle in (process / "fd").iterdir():
                if handle.is_file():  # wherever it lies, and also if it has no name any more
                    yield f"{handle} -> {handle.readlink()}", handle.read_bytes()


def test_a_run_that_is_frozen_while_it_seals_shows_the_token_nowhere(sandbox: Sandbox) -> None:
    frozen, go = sandbox.root / "frozen", sandbox.root / "go"
    shim = sandbox.root / "bin" / "sops"
    shim.parent.mkdir()
    shim.write_text(
        '#!/bin/sh\ncase "$*" in *encrypt*)\n'
        f"  echo $$ >> {frozen}\n  while [ ! -e {go} ]; do sleep 0.05; done ;;\n"
        f'esac\nexec {tools.path("sops")} "$@"\n'
    )
    shim.chmod(0o755)
    with FakeGitHub(code=a_code(interval=1)) as github:
        leak = _pattern(github.token, github.key)
        shell = {**SHELL, "PATH": f"{shim.parent}:/usr/bin:/bin"}
        program = sandbox.start(github, "--seal", env=shell)
        both = len(ANSWERS["cluster_environments"])
        eventually(lambda: frozen.exists() and len(frozen.read_text().split()) == both, "sops runs")
        pids = _family(program.pid)
        seen = dict(_everything(sandbox, pids))
        go.touch()
        run = finish(program)

    assert run.code == 0, run.err
    commands = {pid: seen.get(f"/proc/{pid}/cmdline", b"") for pid in pids}
    shims = {int(pid) for pid in frozen.read_text().split()}
    assert b"get_copilot_token.py" in commands[program.pid], "the process that seals was seen"
    assert shims <= commands.keys(), "those that had the token in their pipe were seen"
    for pid in shims:
        variables = seen[f"/proc/{pid}/environ"].split(b"\0")
        names = {variable.split(b"=")[0].decode() for variable in variables if variable}
        assert not names & (SHELL.keys() - {"PATH"})
        assert not [name for name in names if name.startswith(("GITHUB_", "AWS_", "SOPS_AGE"))]
    seen |= dict(_everything(sandbox, []))
    seen |= {"stdout": run.out.encode(), "stderr": run.err.encode()}
    assert [place for place, held in seen.items() if leak.search(held)] == []
    secrets = opened(sandbox.repository, f"*/{NAME}")
    for environment in ANSWERS["cluster_environments"]:
        assert secrets[environment, NAME] == {"access-token": github.token}


# ---- Traced


@pytest.mark.skipif(tracer.strace() is None, reason="strace is not installed, or may not trace")
def test_no_write_of_a_traced_run_holds_the_token_but_those_to_github_and_into_pipes(
    sandbox: Sandbox,
) -> None:
    log = sandbox.root.parent / "trace"
    with FakeGitHub(code=a_code(interval=1)) as github:
        token = _pattern(github.token)
        key = _pattern(github.key)
        path = f"{tools.path('sops').parent}:/usr/bin:/bin"
        traced = sandbox.start(github, "--seal", env={"PATH": path}, before=tracer.command(log))
        run = finish(traced)
        port = github.base.rpartition(":")[2].encode()
    assert run.code == 0, run.err

    # which files are opened, and by what name, is looked at elsewhere
    calls = [call for call in tracer.calls(log) if call.text and not call.name.startswith("open")]
    held = [call for call in calls if token.search(call.text)]
    places = {_place(call, port) for call in held}
    assert places == {"github", "pipe"}, "these two are seen, so the others would be"
    assert not [call for call in calls if key.search(call.text)], "the second credential"
    assert [call for call in calls if USER_CODE.encode() in call.text], "stderr is seen"
    assert [call for call in calls if ".sealing/secrets/" in call.target], "files are seen"


def _place(call: tracer.Call, port: bytes) -> str:
    """Where a call writes to."""
    if call.target.startswith("TCP:") and f"->127.0.0.1:{port.decode()}" in call.target:
        return "github"
    return "pipe" if call.target.startswith("pipe:") else f"{call.name} {call.target}"
