"""Nothing shows when things go wrong, either: sops fails and quotes its input, the disk is full, a run is killed."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

import tools
from tests.leaks.canaries import Canaries
from tests.leaks.watch import Sandbox, Traced, Watch
from tests.support.sealed import content, seal

SECRET = "litellm-azure-auth"
ROTATE = ("--rotate", SECRET)
KEY = (*ROTATE, "--key", "AZURE_CLIENT_SECRET")
# What a sops does that gets a manifest on its standard input, and sealing's exit code. `$quoted` is the manifest.
FAILURES = {
    "refuses": ('echo "error: cannot parse $quoted" >&2; exit 1', 1),
    "fails with every exit code it has": ('echo "$quoted" >&2; exit $(( $$ % 100 + 101 ))', 1),
    "says that a recipient is malformed": ('echo "malformed recipient: $quoted" >&2; exit 128', 1),
    "panics": ('echo "panic: $quoted" >&2; echo "goroutine 1: $quoted"; exit 2', 1),
    "encrypts nothing": ('echo "$quoted"', 1),
    "writes half of it and dies": ('echo "${quoted%??????}"; kill -9 $$', 1),
    "prints no YAML": ('echo "{[$quoted"', 1),
    "prints no text": ("printf '\\377\\376'; echo \"$quoted\"", 1),
    "answers before it reads": ('echo "sealed: ENC[AES256_GCM]"; exit 0', 1),
}


def failing(folder: Path, what: str) -> Path:
    """A sops that knows its version, can decrypt, and fails to encrypt."""
    sops = folder / "failing" / "sops"
    sops.parent.mkdir()
    reads = "" if "before" in what else "quoted=$(cat)\n"
    sops.write_text(
        f'#!/bin/sh\ncase "$*" in *encrypt*) ;; *) exec {tools.path("sops")} "$@" ;; esac\n{reads}{FAILURES[what][0]}\n'
    )
    sops.chmod(0o755)
    return sops


@pytest.mark.parametrize("what", FAILURES)
def test_nothing_shows_when_sops(what: str, watch: Watch, canaries: Canaries, sandbox: Sandbox, tmp_path: Path) -> None:
    before = content(sandbox.repository)
    finished = watch.run(sandbox.seal(*ROTATE), sops=failing(tmp_path, what))
    assert finished.code == FAILURES[what][1]
    assert "Traceback" not in finished.err
    assert canaries.leaks(watch.seen) == []
    assert content(sandbox.repository) == before


@pytest.mark.parametrize("blocks", [1, 2])
def test_nothing_shows_when_no_file_may_grow(blocks: int, watch: Watch, canaries: Canaries, sandbox: Sandbox) -> None:
    before = content(sandbox.repository)
    # in units of 512 bytes; what is sealed does not fit
    limit = ["sh", "-c", f'ulimit -f {blocks}; trap "" XFSZ; exec "$@"', "sh"]
    finished = watch.run([*limit, *sandbox.seal(*KEY)])
    assert finished.code == 1 or blocks == 2  # where 1024 bytes are enough for a Secret of this size
    assert "Traceback" not in finished.err
    assert canaries.leaks(watch.seen) == []
    if finished.code:
        assert content(sandbox.repository) == before


# The calls from which on the disk is full, of the files and of the pipes into sops.
RENAME = "?rename,renameat,?renameat2"
FULL = [("fsync", 1), ("fsync", 3), ("write", 1), ("write", 2), ("?mkdir,mkdirat", 1), (RENAME, 1)]


@pytest.mark.parametrize(("call", "when"), FULL)
def test_nothing_shows_when_the_disk_is_full_from_a_call_on(
    call: str, when: int, traced: Traced, canaries: Canaries, sandbox: Sandbox
) -> None:
    fault = ("-e", f"inject={call}:error=ENOSPC:when={when}+")
    finished = traced.run(sandbox.seal(*ROTATE), strace=fault)
    met = b"(INJECTED)" in traced.log
    assert met, "the fault was met"
    assert finished.code != 0
    assert "Traceback" not in finished.err
    assert canaries.leaks(traced.seen) == []
    assert seal(sandbox.repository).returncode == 0, "the next run finishes it"


# Of each thread of each process, Python's or sops's, the call with this number is its last.
ENDS = [
    ("write", 1, "KILL"),
    ("write", 2, "KILL"),
    ("fsync", 1, "KILL"),
    ("fsync", 4, "KILL"),
    (RENAME, 2, "KILL"),
    ("openat", 200, "KILL"),
    ("fsync", 1, "INT"),
    (RENAME, 2, "INT"),
]


@pytest.mark.parametrize(("call", "when", "signal"), ENDS)
def test_nothing_shows_when_a_run_is_ended_at_a_call(
    call: str, when: int, signal: str, traced: Traced, canaries: Canaries, sandbox: Sandbox
) -> None:
    fault = ("-e", f"inject={call}:signal={signal}:when={when}")
    finished = traced.run(sandbox.seal(*ROTATE), strace=fault)
    came = f"{'killed by' if signal == 'KILL' else '---'} SIG{signal}".encode() in traced.log
    assert came, "the signal was delivered"
    assert "Traceback" not in finished.err
    assert canaries.leaks(traced.seen) == []
    assert seal(sandbox.repository).returncode == 0, "the next run finishes it"


def test_nothing_shows_when_a_run_is_killed_at_any_moment(watch: Watch, canaries: Canaries, sandbox: Sandbox) -> None:
    dice = random.Random()  # which moments are hit depends on the machine anyway
    for moment, command in zip(range(5), itertools.cycle([ROTATE, ("--rekey",)])):
        watch.run(sandbox.seal(*command), kill_after=dice.uniform(0.1, 0.4))
        assert canaries.leaks(watch.seen) == [], f"kill {moment}"
    assert seal(sandbox.repository).returncode == 0, "the next run finishes it"
