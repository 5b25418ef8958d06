"""No Secret is lost: one that is gone comes back from git, one that is there is not made again, and a key that moves in
is taken or named.
"""

from __future__ import annotations

import re
import secrets
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.project import commit, git
from tests.support.sealed import changed, content, environment, opened, seal

ANSWERS = {"cluster_environments": ["aws"], "providers": ["github_copilot"]}
SALT = "secrets/aws/litellm-salt-key.sops.yaml"
MASTER = "secrets/aws/litellm-masterkey.sops.yaml"
POSTGRES = "secrets/aws/litellm-postgresql.sops.yaml"
CHECKSUMS = "litellm/checksums-aws.yaml"
ANNOTATION = '  annotations:\n    litellm-gitops/placeholder: "true"\n'


def run_advice(root: Path, said: str) -> None:
    """Do what a message says to take a file back."""
    (command,) = set(re.findall(r"take it back \((git checkout [^)]+)\)", said))
    subprocess.run(["sh", "-c", command], cwd=root, check=True, capture_output=True)


# ---------------------------------------------------------------------------------------------------------------------
# What git has


@pytest.mark.parametrize("gone", ["in the working tree", "from the index", "since the last commit", "long ago"])
def test_a_lost_salt_key_is_taken_back_and_not_made_anew(root: Path, folder: Path, gone: str) -> None:
    before = (root / SALT).read_bytes()
    (root / SALT).unlink()
    if gone != "in the working tree":
        git(root, "rm", "--quiet", "--cached", SALT)
    if gone in ("since the last commit", "long ago"):
        commit(root, "Lose it")
    if gone == "long ago":
        commit(root, "Something else")
    check = seal(root, "--check")
    assert check.returncode == 5
    assert f"{SALT}: is missing — take it back (git checkout " in check.stderr
    files = content(root)
    answer = seal(root, inputs=folder)
    assert answer.returncode == 1
    assert f"{SALT} is missing, and a new salt key makes everything" in answer.stderr
    assert content(root) == files
    run_advice(root, check.stderr + answer.stderr)
    assert (root / SALT).read_bytes() == before
    assert seal(root, inputs=folder).returncode == 0
    assert seal(root, "--check").returncode == 0


def test_a_salt_key_that_is_given_is_sealed_whatever_git_had(root: Path, folder: Path) -> None:
    salt = f"sk-{secrets.token_hex(32)}"
    git(root, "rm", "--quiet", SALT)
    answer = seal(root, env=environment(folder, LITELLM_SALT_KEY=salt))
    assert answer.returncode == 0, answer.stderr
    assert opened(root, "aws/litellm-salt-key")["aws", "litellm-salt-key"] == {"LITELLM_SALT_KEY": salt}


def test_a_salt_key_that_git_never_had_is_made(sealed: Path, folder: Path) -> None:
    (sealed / SALT).unlink()
    git(sealed, "init", "--quiet")
    assert seal(sealed, inputs=folder).returncode == 0  # no commit yet
    (sealed / SALT).unlink()
    commit(sealed, "Without it")
    assert seal(sealed, inputs=folder).returncode == 0


def test_a_clone_whose_history_was_cut_off_makes_no_salt_key(root: Path, folder: Path, tmp_path: Path) -> None:
    git(root, "rm", "--quiet", SALT)
    commit(root, "Lose it")
    git(root, "clone", "--quiet", "--depth", "1", f"file://{root}", str(tmp_path / "shallow"))
    answer = seal(tmp_path / "shallow", inputs=folder)
    assert answer.returncode == 1
    assert "git fetch --unshallow" in answer.stderr
    assert not (tmp_path / "shallow" / SALT).exists()


def test_in_a_monorepo_the_advice_works_from_the_project(sealed: Path, folder: Path) -> None:
    git(sealed.parent, "init", "--quiet")
    commit(sealed.parent, "Render")
    (sealed / SALT).unlink()
    answer = seal(sealed, inputs=folder)
    assert answer.returncode == 1
    run_advice(sealed, answer.stderr)
    assert seal(sealed, "--check").returncode == 0


def test_another_lost_key_is_made_anew_with_a_word_of_the_former(root: Path, folder: Path) -> None:
    before = (root / MASTER).read_bytes()
    git(root, "rm", "--quiet", MASTER)
    check = seal(root, "--check")
    assert f"{MASTER}: is missing — take it back (git checkout " in check.stderr
    answer = seal(root, inputs=folder)
    assert answer.returncode == 0
    assert (
        "note: litellm-masterkey (aws) is a new one. To keep the former: take it back (git checkout " in answer.stderr
    )
    run_advice(root, answer.stderr)
    assert (root / MASTER).read_bytes() == before
    assert seal(root, inputs=folder).returncode == 0
    assert seal(root, "--check").returncode == 0


# ---------------------------------------------------------------------------------------------------------------------
# What is there


@pytest.mark.parametrize("file", [SALT, MASTER])
def test_a_generated_key_is_no_placeholder_whatever_it_is_annotated(sealed: Path, folder: Path, file: str) -> None:
    text = (sealed / file).read_text()
    (sealed / file).write_text(text.replace("  namespace: litellm\n", f"  namespace: litellm\n{ANNOTATION}"))
    before = (sealed / file).read_bytes()
    for arguments in (["--fill"], [], ["--check"]):
        answer = seal(sealed, *arguments, inputs=folder)
        assert answer.returncode == 0, answer.stderr
        assert "placeholder" not in answer.stderr
    assert (sealed / file).read_bytes() == before


def test_a_salt_key_under_another_ending_is_not_made_twice(sealed: Path, folder: Path) -> None:
    other = SALT.replace(".yaml", ".yml")
    (sealed / SALT).rename(sealed / other)
    before = content(sealed)
    for arguments in ([], ["--rotate", "litellm-masterkey"]):
        answer = seal(sealed, *arguments, inputs=folder)
        assert (answer.returncode, content(sealed) == before) == (0, False) if arguments else (1, True)
        before = content(sealed)
    check = seal(sealed, "--check")
    assert check.returncode == 5
    assert f"{other}: its name is to end in .sops.yaml — git mv {other} {SALT}" in check.stderr
    (sealed / other).rename(sealed / SALT)
    assert seal(sealed, inputs=folder).returncode == 0
    assert seal(sealed, "--check").returncode == 0


@pytest.mark.parametrize("cut", [0, 40, 400], ids=["empty", "one line", "half"])
def test_a_malformed_file_gets_no_checksum_and_is_told(sealed: Path, folder: Path, cut: int) -> None:
    before = yaml.safe_load((sealed / CHECKSUMS).read_text())
    (sealed / POSTGRES).write_bytes((sealed / POSTGRES).read_bytes()[:cut])
    (sealed / MASTER).unlink()
    answer = seal(sealed, inputs=folder)
    assert answer.returncode == 5
    assert f"{POSTGRES}:" in answer.stderr
    assert "uv run hooks/seal_secrets.py --rotate litellm-postgresql --cluster aws" in answer.stderr
    after = yaml.safe_load((sealed / CHECKSUMS).read_text())

    def digests(values: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
        return values["litellm-helm"]["podAnnotations"]

    assert changed_keys(digests(before), digests(after)) == {"checksum/litellm-masterkey"}
    assert seal(sealed, "--check").returncode == 5
    assert seal(sealed, "--rotate", "litellm-postgresql", inputs=folder).returncode == 0
    assert seal(sealed, "--check").returncode == 0


def changed_keys(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


# ---------------------------------------------------------------------------------------------------------------------
# What is given


def test_an_input_that_comes_after_the_first_sealing_is_named_and_the_way_out_works(sealed: Path, folder: Path) -> None:
    master, salt = f"sk-{secrets.token_hex(16)}", f"sk-{secrets.token_hex(32)}"
    later = environment(folder, LITELLM_MASTER_KEY=master, LITELLM_SALT_KEY=salt)
    before = content(sealed)
    for arguments in ([], ["--fill"]):
        answer = seal(sealed, *arguments, env=later)
        assert answer.returncode == 0
        assert (
            "note: litellm-salt-key (aws) is sealed already, LITELLM_SALT_KEY from the environment was not taken"
            in (answer.stderr)
        )
        assert content(sealed) == before
    for command in re.findall(r"before anything is deployed, (rm \S+) && uv run hooks", answer.stderr):
        subprocess.run(["sh", "-c", command], cwd=sealed, check=True)
    assert seal(sealed, env=later).returncode == 0
    assert changed(before, content(sealed)) == {SALT, MASTER, CHECKSUMS}
    found = opened(sealed, "aws/litellm-[ms]*")
    assert found["aws", "litellm-salt-key"] == {"LITELLM_SALT_KEY": salt}
    assert found["aws", "litellm-masterkey"] == {"masterkey": master}


def test_a_rotation_makes_a_new_key_although_the_former_is_still_given(sealed: Path, folder: Path) -> None:
    master = f"sk-{secrets.token_hex(16)}"
    still = environment(folder, LITELLM_MASTER_KEY=master)
    (sealed / MASTER).unlink()
    assert seal(sealed, env=still).returncode == 0
    for arguments in ([], ["--key", "masterkey"]):
        answer = seal(sealed, "--rotate", "litellm-masterkey", *arguments, env=still)
        assert answer.returncode == 0
        said = "has a new value, LITELLM_MASTER_KEY from the environment was not taken"
        assert f"note: litellm-masterkey (aws) {said}" in answer.stderr
        assert re.fullmatch(r"sk-[0-9a-f]{32}", found := master_key(sealed))
        assert found != master
    arguments = ["--rotate", "litellm-masterkey", "--stdin", "LITELLM_MASTER_KEY"]
    answer = seal(sealed, *arguments, env=still, stdin=f"{master}\n")
    assert answer.returncode == 0
    assert "not taken" not in answer.stderr
    assert master_key(sealed) == master


def master_key(root: Path) -> str:
    return opened(root, "aws/litellm-masterkey")["aws", "litellm-masterkey"]["masterkey"]
