"""Rekeying, and what happens when runs die or meet: all of a change is there, or none of it."""

from __future__ import annotations

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
import seal_secrets
import yaml
from sealing import keys
from sealing.policy import Repository

from tests.inputs import Inputs
from tests.sealed import changed, content, decrypt, environment, opened, seal

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
ROUNDS, KILLS = 20, 100


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inputs, Path]:
    values = Inputs()
    return values, values.write(tmp_path_factory.mktemp("operator") / "inputs")


@pytest.fixture(scope="module")
def unsealed(render: Callable[..., Path]) -> Path:
    return render(**ANSWERS)


@pytest.fixture(scope="module")
def sealed_once(
    unsealed: Path, inputs: tuple[Inputs, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    root = Path(shutil.copytree(unsealed, tmp_path_factory.mktemp("sealed") / "repository"))
    assert seal(root, inputs=inputs[1]).returncode == 0
    return root


@pytest.fixture
def sealed(sealed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed_once, tmp_path / "repository"))


def start(root: Path, *arguments: str, inputs: Path) -> subprocess.Popen[bytes]:
    """A run that goes on while the test does."""
    return subprocess.Popen(
        [sys.executable, "-B", str(root / "hooks" / "seal_secrets.py"), *arguments],
        env=environment(inputs),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def add_recipient(root: Path) -> str:
    """Let another key open what is sealed for aws, too (that of gcp, where there is one); its public key."""
    first, *others = re.findall(r"age1\w{58}", (root / ".sops.yaml").read_text())
    second = others[0] if others else keys.make()[1]
    text = (root / ".sops.yaml").read_text()
    (root / ".sops.yaml").write_text(text.replace(f"- {first}\n", f"- {first}\n      - {second}\n"))
    return str(second)


def run_here(root: Path, *, rekey: bool) -> int:
    """What the command does with these options, without the start of a process; its exit code."""
    repository = Repository(root)
    return seal_secrets.rekey(repository, None) if rekey else seal_secrets.seal(repository, None)


def flaws(root: Path) -> list[str]:
    """What `--check` finds, without the start of a process."""
    return [str(finding) for finding in Repository(root).check()]


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
    assert seal(sealed, "--rekey", env=environment()).returncode == 0
    assert seal(sealed, "--check").returncode == 0
    assert opened(sealed) == values
    assert not before & ciphertexts(sealed)
    new = sealed / "keys" / "gcp.agekey"
    assert (
        decrypt(sealed / "secrets/aws/litellm-masterkey.sops.yaml", new)
        == values["aws", "litellm-masterkey"]
    )


def test_rekey_of_one_environment_leaves_the_others(sealed: Path) -> None:
    before = content(sealed)
    add_recipient(sealed)
    assert seal(sealed, "--rekey", "--cluster", "aws").returncode == 0
    assert not [path for path in changed(before, content(sealed)) if "gcp" in path]


def test_rekey_with_a_damaged_file_changes_nothing(sealed: Path) -> None:
    add_recipient(sealed)
    path = sealed / "secrets" / "aws" / "litellm-postgresql.sops.yaml"
    path.write_text(
        path.read_text().replace("host: ENC[AES256_GCM,data:", "host: ENC[AES256_GCM,data:AAAA")
    )
    before = content(sealed)
    answer = seal(sealed, "--rekey")
    assert answer.returncode == 1
    assert "secrets/aws/litellm-postgresql.sops.yaml: a value was changed or moved" in answer.stderr
    assert content(sealed) == before


def test_rekey_without_a_key_says_where_it_was_looked_for(sealed: Path) -> None:
    add_recipient(sealed)
    shutil.rmtree(sealed / "keys")
    before = content(sealed)
    answer = seal(sealed, "--rekey", env=environment())
    assert answer.returncode == 1
    assert "no private key that opens it was found" in answer.stderr
    assert content(sealed) == before


def test_an_operators_own_secret_is_rekeyed_with_the_others(sealed: Path) -> None:
    own = sealed / "secrets" / "aws" / "own.sops.yaml"
    text = (sealed / "secrets" / "aws" / "litellm-azure-auth.sops.yaml").read_text()
    own.write_text(text.replace("name: litellm-azure-auth", "name: own"))
    add_recipient(sealed)
    assert seal(sealed, "--rekey").returncode == 0
    assert len(yaml.safe_load(own.read_text())["sops"]["age"]) == 2


def test_two_runs_at_once_lose_nothing(sealed: Path, inputs: tuple[Inputs, Path]) -> None:
    expected = opened(sealed)
    for round_ in range(ROUNDS):
        for name in ("aws/litellm-azure-auth", "gcp/litellm-aws-auth", "gcp/litellm-postgresql"):
            (sealed / "secrets" / f"{name}.sops.yaml").unlink()
        second = ["--rotate", "litellm-azure-auth"] if round_ % 2 else []
        runs = [start(sealed, inputs=inputs[1]), start(sealed, *second, inputs=inputs[1])]
        assert [run.wait(timeout=120) for run in runs] == [0, 0]
        assert not flaws(sealed)
    assert opened(sealed) == expected
    assert not (sealed / ".sealing").exists()


@pytest.mark.parametrize("rekeyed", [True, False], ids=["rekey", "seal"])
def test_a_run_that_is_killed_at_any_moment_leaves_all_or_nothing(
    render: Callable[..., Path],
    inputs: tuple[Inputs, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rekeyed: bool,
) -> None:
    values, folder = inputs
    for name in ("PATH", "LITELLM_GITOPS_INPUTS"):
        monkeypatch.setenv(name, environment(folder)[name])
    options = ["--rekey"] if rekeyed else []
    # no run of the command reads the suite
    ignore = shutil.ignore_patterns("tests")
    origin = Path(shutil.copytree(render(**SMALLEST), tmp_path / "origin", ignore=ignore))
    if rekeyed:
        assert seal(origin, inputs=folder).returncode == 0
        add_recipient(origin)
    whole = Path(shutil.copytree(origin, tmp_path / "whole"))
    began = time.monotonic()
    assert start(whole, *options, inputs=folder).wait(timeout=120) == 0
    seconds = time.monotonic() - began
    dice = random.Random(1)  # which moments are hit depends on the machine anyway
    outcomes = set()
    for kill in range(KILLS // 2):
        root = Path(shutil.copytree(origin, tmp_path / str(kill)))
        before = content(root)
        run = start(root, *options, inputs=folder)
        time.sleep(dice.uniform(0.0, seconds))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(timeout=60)
        after = content(root)
        for path, data in after.items():
            for number, canary in enumerate(values.canaries()):
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


def test_a_full_disk_changes_nothing(sealed: Path, inputs: tuple[Inputs, Path]) -> None:
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
        env=environment(inputs[1]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert "Nothing was changed" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert content(sealed) == before
