"""Rekeying, and what happens when runs die or meet: all of a change is there, or none of it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from litellm_gitops.repository import Repository
from litellm_gitops.sealing import commands, keys, state
from litellm_gitops.sealing.errors import FAILED
from litellm_gitops.sealing.rekey import rekey as rekey_all
from litellm_gitops.sealing.seal import seal as seal_missing
from litellm_gitops.sealing.trust import Consent
from tests.support.inputs import Inputs
from tests.support.sealed import changed, content, decrypt, die_in_between, encrypt, environment, opened, seal
from tests.support.template import ROOT

ANSWERS = {
    "cluster_environments": ["aws", "gcp"],
    "providers": ["bedrock", "azure_openai"],
    "eks_aws_role_arn": "arn:aws:iam::123456789012:role/litellm",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
}
# The least that there is to seal: what is tried is the moment, a hundred times.
SMALLEST = {
    "cluster_environments": ["aws"],
    "providers": ["bedrock"],
    "eks_aws_role_arn": "arn:aws:iam::123456789012:role/litellm",
}
ROUNDS, KILLS = 10, 50


def start(root: Path, *arguments: str) -> int:
    """A run that goes on while the test does, in a session of its own; the process. It begins with the work at once."""
    if pid := os.fork():
        return pid
    code = FAILED
    try:
        os.setsid()
        for number in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        code = commands.main(root, arguments)
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """The exit code of such a run, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def add_recipient(root: Path) -> str:
    """Let another key open what is sealed for aws, too (that of gcp, where there is one); its public key."""
    first, *others = recipients(root)
    second = others[0] if others else keys.make(root)[1]
    text = (root / ".sops.yaml").read_text()
    (root / ".sops.yaml").write_text(text.replace(f"- {first}\n", f"- {first}\n      - {second}\n"))
    return str(second)


def trusting(root: Path) -> list[str]:
    """The options that accept whoever `.sops.yaml` names."""
    return [option for each in recipients(root) for option in ("--trust", each)]


def recipients(root: Path) -> list[str]:
    return re.findall(r"age1\w{58}", (root / ".sops.yaml").read_text())


def run_here(root: Path, *, rekey: bool) -> int:
    """What the command does with these options, without the start of a process; its exit code."""
    repository = Repository(root)
    if not rekey:
        return seal_missing(repository)
    return rekey_all(repository, consent=Consent(frozenset(recipients(root))))


def flaws(root: Path) -> list[str]:
    """What `--check` finds, without the start of a process."""
    return [str(finding) for finding in state.findings(Repository(root))]


def ciphertexts(root: Path) -> set[str]:
    """Every wrapped data key and every encrypted value of aws."""
    found = set()
    for path in (root / "secrets" / "aws").glob("*.sops.yaml"):
        manifest = yaml.safe_load(path.read_text())
        found |= {
            *manifest["stringData"].values(),
            *(key["enc"] for key in manifest["sops"]["age"]),
        }
    return found


def test_rekey_brings_every_file_to_its_rule_and_renews_the_data_keys(sealed: Path) -> None:
    values, before = opened(sealed), ciphertexts(sealed)
    add_recipient(sealed)
    assert seal(sealed, "--check").returncode == 5
    assert seal(sealed, "--rekey", *trusting(sealed), env=environment()).returncode == 0
    assert seal(sealed, "--check").returncode == 0
    assert opened(sealed) == values
    assert not before & ciphertexts(sealed)
    new = sealed / "keys" / "gcp.agekey"
    assert decrypt(sealed / "secrets/aws/litellm-masterkey.sops.yaml", new) == values["aws", "litellm-masterkey"]


def test_rekey_of_one_environment_leaves_the_others(sealed: Path) -> None:
    before = content(sealed)
    add_recipient(sealed)
    assert seal(sealed, "--rekey", "--cluster", "aws", *trusting(sealed)).returncode == 0
    assert not [path for path in changed(before, content(sealed)) if "gcp" in path]


def test_rekey_with_a_damaged_file_changes_nothing(sealed: Path) -> None:
    add_recipient(sealed)
    path = sealed / "secrets" / "aws" / "litellm-postgresql.sops.yaml"
    path.write_text(path.read_text().replace("host: ENC[AES256_GCM,data:", "host: ENC[AES256_GCM,data:AAAA"))
    before = content(sealed)
    answer = seal(sealed, "--rekey", *trusting(sealed))
    assert answer.returncode == 1
    assert "secrets/aws/litellm-postgresql.sops.yaml: a value was changed or moved" in answer.stderr
    assert content(sealed) == before


def test_rekey_without_a_key_says_where_it_was_looked_for(sealed: Path) -> None:
    add_recipient(sealed)
    shutil.rmtree(sealed / "keys")
    before = content(sealed)
    answer = seal(sealed, "--rekey", *trusting(sealed), env=environment())
    assert answer.returncode == 1
    assert "no private key that opens it was found" in answer.stderr
    assert content(sealed) == before


def test_an_operators_own_secret_is_rekeyed_with_the_others(sealed: Path) -> None:
    own = sealed / "secrets" / "aws" / "own.sops.yaml"
    text = (sealed / "secrets" / "aws" / "litellm-azure-auth.sops.yaml").read_text()
    own.write_text(text.replace("name: litellm-azure-auth", "name: own"))
    add_recipient(sealed)
    assert seal(sealed, "--rekey", *trusting(sealed)).returncode == 0
    assert len(yaml.safe_load(own.read_text())["sops"]["age"]) == 2


def test_every_file_that_the_rule_is_for_is_rekeyed(sealed: Path) -> None:
    text = (sealed / "secrets" / "aws" / "litellm-salt-key.sops.yaml").read_text()
    nested = sealed / "secrets" / "aws" / "team" / "own.sops.yaml"
    unused = sealed / "secrets" / "aws" / "litellm-aws-auth.sops.yaml"  # of an earlier answer
    nested.parent.mkdir()
    for path in (nested, unused):
        path.write_text(text)
    add_recipient(sealed)
    assert seal(sealed, "--rekey", *trusting(sealed)).returncode == 0
    assert [len(yaml.safe_load(p.read_text())["sops"]["age"]) for p in (nested, unused)] == [2, 2]


def test_rekey_refuses_a_file_of_which_it_would_lose_a_part(sealed: Path) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\nstringData:\n  key: {}\n---\n"
    encrypt(
        (secret * 2).format("first", "second"),
        sealed / "secrets" / "aws" / "own.sops.yaml",
        sealed,
    )
    add_recipient(sealed)
    before = content(sealed)
    answer = seal(sealed, "--rekey", *trusting(sealed))
    assert answer.returncode == 1
    assert "secrets/aws/own.sops.yaml:1: must hold exactly one manifest" in answer.stderr
    assert content(sealed) == before


@pytest.mark.parametrize("arguments", [(), ("--key", "AZURE_CLIENT_SECRET")], ids=["whole", "one key"])
def test_what_kubectl_noted_of_a_secret_is_left_out_when_it_is_rotated(
    sealed: Path, folder: Path, arguments: tuple[str, ...]
) -> None:
    file = sealed / "secrets/aws/litellm-azure-auth.sops.yaml"
    before = opened(sealed, "aws/litellm-azure-auth")
    noted = '{"apiVersion":"v1","kind":"Secret","stringData":{"AZURE_CLIENT_SECRET":"canary"}}'
    annotations = (
        f"  annotations:\n    team: ai\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {noted}\n"
    )
    file.write_text(file.read_text().replace("metadata:\n", f"metadata:\n{annotations}", 1))
    command = ("--rotate", "litellm-azure-auth", "--cluster", "aws", *arguments)
    answer = seal(sealed, *command, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert "kubectl.kubernetes.io/last-applied-configuration held the whole Secret in plaintext" in answer.stderr
    assert yaml.safe_load(file.read_text())["metadata"]["annotations"] == {"team": "ai"}
    assert opened(sealed, "aws/litellm-azure-auth") == before
    assert seal(sealed, "--check").returncode == 0


def test_a_key_elsewhere_opens_what_the_one_in_keys_does_not(sealed: Path, tmp_path: Path) -> None:
    other, _ = keys.make(tmp_path)
    key = sealed / "keys" / "aws.agekey"
    shutil.move(key, tmp_path / "mine")
    key.write_text(other)
    # where it is named from the folder that the command runs in
    env = environment(SOPS_AGE_KEY_FILE=os.path.relpath(tmp_path / "mine", sealed.parent))
    assert seal(sealed, "--rekey", "--cluster", "aws", env=env).returncode == 0
    assert seal(sealed, "--rekey", "--cluster", "aws").returncode == 1


def test_two_runs_at_once_lose_nothing(sealed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "LITELLM_GITOPS_INPUTS"):
        monkeypatch.setenv(name, environment(folder)[name])
    expected = opened(sealed)
    for round_ in range(ROUNDS):
        for name in ("aws/litellm-azure-auth", "gcp/litellm-aws-auth", "gcp/litellm-postgresql"):
            (sealed / "secrets" / f"{name}.sops.yaml").unlink()
        second = ["--rotate", "litellm-azure-auth"] if round_ % 2 else []
        assert list(map(ended, [start(sealed), start(sealed, *second)])) == [0, 0]
        assert not flaws(sealed)
    assert opened(sealed) == expected
    assert not (sealed / ".sealing").exists()


@pytest.mark.parametrize("rekeyed", [True, False], ids=["rekey", "seal"])
def test_a_run_that_is_killed_at_any_moment_leaves_all_or_nothing(
    render: Callable[..., Path],
    inputs: Inputs,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rekeyed: bool,
) -> None:
    for name in ("PATH", "LITELLM_GITOPS_INPUTS"):
        monkeypatch.setenv(name, environment(folder)[name])
    # no run of the command reads the suite
    ignore = shutil.ignore_patterns("tests")
    origin = Path(shutil.copytree(render(**SMALLEST), tmp_path / "origin", ignore=ignore))
    if rekeyed:
        assert seal(origin, inputs=folder).returncode == 0
        add_recipient(origin)
    options = ["--rekey", *trusting(origin)] if rekeyed else []
    whole = Path(shutil.copytree(origin, tmp_path / "whole"))
    began = time.monotonic()
    assert ended(start(whole, *options)) == 0
    seconds = time.monotonic() - began
    dice = random.Random(1)  # which moments are hit depends on the machine anyway
    outcomes = set()
    for kill in range(KILLS // 2):
        root = Path(shutil.copytree(origin, tmp_path / str(kill)))
        before = content(root)
        run = start(root, *options)
        time.sleep(dice.uniform(0.0, seconds))
        with contextlib.suppress(ProcessLookupError):  # it has no session yet
            os.killpg(run, signal.SIGKILL)
        os.kill(run, signal.SIGKILL)
        ended(run)
        after = content(root)
        for path, data in after.items():
            for number, canary in enumerate(inputs.canaries()):
                assert canary.encode() not in data, f"input {number} is in {path} after a kill"
        visible = {path for path in changed(before, after) if not path.startswith(".sealing/")}
        outcomes.add("something" if visible else "nothing")
        # the next run finishes what was begun, or begins again; every tenth is a process, as an operator's is
        if kill % 10 == 0:
            assert seal(root, *options, inputs=folder).returncode == 0
            assert len(opened(root)) == 3
        else:
            assert run_here(root, rekey=rekeyed) == 0
        assert not flaws(root)
        assert not (root / ".sealing").exists()
        shutil.rmtree(root)
    assert "nothing" in outcomes


# ---------------------------------------------------------------------------------------------------------------------
# A run that dies while it puts its files in place, and what it said when it could not go on


@pytest.fixture
def died(sealed: Path, folder: Path, tmp_path: Path) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    """A repository of which a rotation put one file of three in place: (root, before, as it was meant to be)."""
    before = content(sealed)
    die_in_between(sealed, folder)
    staged = {
        path.removeprefix(".sealing/"): data
        for path, data in content(sealed).items()
        if path.startswith(".sealing/") and not path.endswith("journal.json")
    }
    assert len(staged) == 3
    now = {path: data for path, data in content(sealed).items() if not path.startswith(".sealing")}
    assert len(changed(before, now)) == 1
    return sealed, before, {**now, **staged}


def test_the_next_run_finishes_it_and_says_so(
    died: tuple[Path, dict[str, bytes], dict[str, bytes]],
) -> None:
    root, _, meant = died
    answer = seal(root, "--check")
    assert answer.returncode == 5
    assert "a run died" in answer.stderr
    answer = seal(root)
    assert answer.returncode == 0
    assert "finished what a run that died had begun:" in answer.stdout
    assert "sealed for gcp: litellm-masterkey" in answer.stdout
    assert "nothing was changed" not in answer.stdout
    assert content(root) == meant


def test_a_run_that_fails_says_what_it_finished_before(
    died: tuple[Path, dict[str, bytes], dict[str, bytes]],
) -> None:
    root, _, meant = died
    answer = seal(root, "--rotate", "litellm-postgresql")
    assert answer.returncode == 1
    assert "finished what a run that died had begun:" in answer.stdout
    assert "sealed for gcp: litellm-masterkey" in answer.stdout
    assert "lacks its input" in answer.stderr
    assert content(root) == meant


def test_a_run_that_is_stopped_when_all_is_in_place_says_so(sealed: Path, folder: Path) -> None:
    code = (
        "import shutil, signal, sys; from pathlib import Path; from litellm_gitops.sealing.commands import main\n"
        "def stopped(*_, **__): signal.raise_signal(signal.SIGINT)\n"
        "shutil.rmtree = stopped\n"
        "sys.exit(main(Path.cwd(), ['--rotate', 'litellm-masterkey']))\n"
    )
    before = content(sealed)
    run = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=sealed,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (run.returncode, run.stderr) == (
        130,
        "seal_secrets: interrupted. All of its files are in place.\n",
    )
    assert len(changed(before, content(sealed))) == 4


@pytest.mark.parametrize("which", ["all", "the one that was in place"])
def test_what_was_changed_since_is_not_overwritten(
    died: tuple[Path, dict[str, bytes], dict[str, bytes]], which: str
) -> None:
    root, before, _ = died
    for path, data in before.items():  # as `git checkout .` does
        (root / path).write_bytes(data)
    if which == "all":
        (root / "litellm" / "checksums-gcp.yaml").write_text("mine\n")
    answer = seal(root)
    assert answer.returncode == 0
    assert "dropped what a run that died had begun: secrets/aws/" in answer.stderr
    after = content(root)
    assert changed(before, after) == set()
    assert not (root / ".sealing").exists()


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may do it all")
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_changed(sealed: Path, folder: Path) -> None:
    before = content(sealed)
    folder = sealed / "secrets" / "gcp"
    folder.chmod(0o555)
    # root, without its right to write everywhere
    drop = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]
    command = [sys.executable, "-B", str(sealed / "hooks" / "seal_secrets.py")]
    answer = subprocess.run(
        [*(drop if os.geteuid() == 0 else []), *command, "--rotate", "litellm-masterkey"],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    folder.chmod(0o755)
    assert answer.returncode == 1
    assert "secrets/gcp is not writable. Nothing was changed." in answer.stderr
    assert content(sealed) == before


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_changed(sealed: Path, folder: Path) -> None:
    (sealed / "litellm" / "checksums-gcp.yaml").unlink()
    (sealed / "litellm" / "checksums-gcp.yaml").mkdir()
    before = content(sealed)
    answer = seal(sealed, "--rotate", "litellm-masterkey", inputs=folder)
    assert answer.returncode == 1
    assert "litellm/checksums-gcp.yaml is a folder: remove it. Nothing" in answer.stderr
    assert content(sealed) == before


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("| true", ""),
        (">&-", ""),
        (">/dev/full", "seal_secrets: the output could not be written: No space left on device\n"),
    ],
)
def test_a_report_that_cannot_be_written_does_not_deny_what_was_done(
    sealed: Path, folder: Path, output: str, said: str
) -> None:
    before = content(sealed)
    command = f"{sys.executable} -B {sealed}/hooks/seal_secrets.py --rotate litellm-masterkey"
    answer = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {output}"],
        env=environment(folder),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert changed(before, content(sealed))
    assert (answer.returncode, answer.stderr) == (0, said)


@pytest.mark.parametrize("output", ["2>/dev/full", "2>&1 >/dev/null | true", "2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [("", 3), ("--check", 3), ("--rotate litellm-azure-auth", 1)])
def test_what_is_said_on_stderr_may_be_lost_and_the_exit_code_stays(
    unsealed: Path, arguments: str, code: int, output: str
) -> None:
    if arguments:
        assert seal(unsealed).returncode == 3
    command = f"{sys.executable} -B {unsealed}/hooks/seal_secrets.py {arguments}"
    answer = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {output}"],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == code
    assert seal(unsealed, "--check").returncode == 3


def test_copier_keeps_a_repository_whose_report_is_lost(unsealed: Path) -> None:
    program = ROOT / "hooks" / "after_render.py"
    answer = subprocess.run(
        ["bash", "-c", f"{sys.executable} {program} pinned '[]' 2>/dev/full"],
        cwd=unsealed,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0
    assert seal(unsealed, "--check").returncode == 3


def test_a_list_that_cannot_be_written_is_a_failure(sealed: Path) -> None:
    command = f"{sys.executable} -B {sealed}/hooks/seal_secrets.py --list >/dev/full"
    answer = subprocess.run(["bash", "-c", command], env=environment(), check=False)
    assert answer.returncode == 1


def test_sealing_for_one_cluster_leaves_the_others_alone(sealed: Path) -> None:
    (sealed / "litellm" / "checksums-gcp.yaml").unlink()
    (sealed / "secrets" / "aws" / "litellm-masterkey.sops.yaml").unlink()
    before = content(sealed)
    assert seal(sealed, "--cluster", "aws").returncode == 0
    assert changed(before, content(sealed)) == {
        "secrets/aws/litellm-masterkey.sops.yaml",
        "litellm/checksums-aws.yaml",
    }


def test_a_rekey_refuses_what_is_not_sealed(sealed: Path) -> None:
    file = sealed / "secrets" / "aws" / "litellm-masterkey.sops.yaml"
    text = file.read_text("utf-8")
    start = text.index("ENC[")
    file.write_text(text[:start] + "plain" + text[text.index("]", start) + 1 :], "utf-8")
    before = content(sealed)
    answer = seal(sealed, "--rekey")
    assert answer.returncode == 5
    assert "is not encrypted — uv run hooks/seal_secrets.py --rotate litellm-masterkey" in answer.stderr
    assert content(sealed) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_stopped_cleans_up(unsealed: Path, folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    before = content(unsealed)
    program = tmp_path / "bin" / "sops"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec echo sops 3.13.3\ntouch {tmp_path}/runs; exec sleep 60\n'
    )
    program.chmod(0o755)
    run = subprocess.Popen(
        [sys.executable, "-B", str(unsealed / "hooks" / "seal_secrets.py")],
        env={**environment(folder), "PATH": f"{program.parent}:/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a job in the background, or under nohup, ignores them; a user's program does not
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    while not (tmp_path / "runs").exists():
        time.sleep(0.01)
    assert (unsealed / ".sealing" / "keys").is_dir(), "keys were made, and wait"
    run.send_signal(number)
    _, stderr = run.communicate(timeout=30)
    assert run.returncode == 130
    assert stderr == "seal_secrets: interrupted. Nothing was changed.\n"
    assert content(unsealed) == before


def test_a_full_disk_changes_nothing(sealed: Path, folder: Path) -> None:
    before = content(sealed)
    command = [
        sys.executable,
        "-B",
        str(sealed / "hooks" / "seal_secrets.py"),
        "--rotate",
        "litellm-azure-auth",
    ]
    # no file may grow beyond 512 bytes: the first write of a sealed Secret fails as on a full disk
    answer = subprocess.run(
        ["sh", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "sh", *command],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert "Nothing was changed" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert content(sealed) == before
