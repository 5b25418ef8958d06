"""Who can only write to git has nothing sealed for himself: a recipient that is new to a clone is asked about."""

from __future__ import annotations

import os
import pty
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from litellm_gitops import rules
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import agreed, keys, rotation
from litellm_gitops.sealing.errors import SealingError
from tests.support.project import commit, git, under_git
from tests.support.sealed import content, environment, seal

ANSWERS = {"cluster_environments": ["aws", "gcp"], "providers": ["github_copilot"]}
MASTER = ("--rotate", "litellm-masterkey")
Render = Callable[..., Path]


@pytest.fixture
def own(tmp_path: Path) -> str:
    """The operator's own recipient. Its private key is elsewhere."""
    return keys.make(tmp_path)[1]


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    return keys.make(tmp_path)[1]


@pytest.fixture
def given(render: Render, tmp_path: Path, folder: Path, own: str) -> Path:
    """As `copier copy` leaves it that was given a recipient; then under git."""
    root = Path(shutil.copytree(render(**ANSWERS), tmp_path / "given"))
    answers = root / ".copier-answers.yml"
    answers.write_text(re.sub(r"(?m)^age_recipients:.*", f"age_recipients: [{own}]", answers.read_text()))
    answer = seal(root, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    return under_git(root)


def add(root: Path, recipient: str, message: str = "") -> None:
    """Somebody lets another key read the Secrets of every cluster."""
    config = root / ".sops.yaml"
    config.write_text(config.read_text().replace("    age:\n", f"    age:\n      - {recipient}\n"))
    if message:
        commit(root, message)


# --- what is known ---------------------------------------------------------------------------------------------------


def test_what_was_given_at_copy_is_known_after_git_init(given: Path, folder: Path, own: str) -> None:
    assert ".sealed-for" not in git(given, "ls-files")
    answer = seal(given, *MASTER, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert f"aws can be read by {own}\n" in answer.stdout
    # from now on in git's own folder
    assert seal(given, "--trust", own).returncode == 0
    commit(given, "Rotate")
    assert seal(given, *MASTER, inputs=folder).returncode == 0


def test_what_was_made_here_is_known_and_named(root: Path, folder: Path) -> None:
    answer = seal(root, *MASTER, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^aws can be read by age1\w{58} \(yours: keys/aws\.agekey\)$", answer.stdout, re.MULTILINE)
    memory = root / ".git" / "litellm-gitops" / "recipients"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert not (root / ".sealed-for").exists()


@pytest.mark.parametrize("arguments", [MASTER, ("--rekey",), (), ("--fill",)], ids=["rotate", "rekey", "seal", "fill"])
def test_a_recipient_that_is_new_is_refused_and_named_with_its_commit(
    root: Path, folder: Path, stranger: str, arguments: tuple[str, ...]
) -> None:
    if not arguments:
        (root / "secrets/aws/litellm-masterkey.sops.yaml").unlink()
    if arguments == ("--fill",):
        file = root / "secrets/aws/litellm-postgresql.sops.yaml"
        mark = '  annotations:\n    litellm-gitops/placeholder: "true"\n'
        file.write_text(file.read_text().replace("metadata:\n", f"metadata:\n{mark}", 1))
    add(root, stranger, "Make \x1b[2Jit faster")
    before = content(root)
    answer = seal(root, *arguments, inputs=folder)
    assert answer.returncode == 6
    assert content(root) == before
    head = git(root, "log", "-1", "--format=%h").strip()
    assert re.search(
        rf"aws: {stranger} \(NEW: commit {head} of Somebody, \d{{4}}-\d\d-\d\d: Make \[2Jit faster\)", answer.stderr
    )
    assert "\x1b" not in answer.stderr
    command = " ".join(("uv run hooks/seal_secrets.py", *arguments, "--trust", stranger))
    assert f"then: {command}. Nothing was changed." in answer.stderr
    answer = seal(root, *arguments, "--trust", stranger, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert f"{stranger} (new)" in answer.stdout
    assert stranger in (root / agreed.AGREED).read_text()
    # remembered
    assert seal(root, *MASTER, inputs=folder).returncode == 0


def test_without_a_commit_the_file_is_named(root: Path, folder: Path, stranger: str) -> None:
    add(root, stranger)
    assert f"{stranger} (NEW: .sops.yaml, no commit)" in seal(root, *MASTER, inputs=folder).stderr


def test_a_key_of_another_cluster_is_new_to_this_one(root: Path, folder: Path) -> None:
    config = root / ".sops.yaml"
    aws, gcp = re.findall(r"age1\w{58}", config.read_text())
    config.write_text(config.read_text().replace(aws, "THIS").replace(gcp, aws).replace("THIS", gcp))
    answer = seal(root, *MASTER, inputs=folder)
    assert answer.returncode == 6
    assert f"aws: {gcp} (NEW" in answer.stderr
    assert f"gcp: {aws} (NEW" in answer.stderr


def test_who_was_taken_away_is_new_when_he_comes_back(root: Path, folder: Path, stranger: str) -> None:
    without = (root / ".sops.yaml").read_text()
    add(root, stranger)
    assert seal(root, "--rekey", "--trust", stranger).returncode == 0
    (root / ".sops.yaml").write_text(without)
    assert seal(root, "--rekey").returncode == 0
    add(root, stranger)
    assert seal(root, "--rekey").returncode == 6


def test_a_colleague_is_written_down_by_the_run_that_seals_for_him(root: Path, stranger: str) -> None:
    assert not (root / agreed.AGREED).exists()
    add(root, stranger)
    assert seal(root, "--rekey", "--trust", stranger, "--cluster", "aws").returncode == 0
    written = yaml.safe_load((root / agreed.AGREED).read_text())
    assert list(written) == ["aws"]
    assert stranger in written["aws"]
    assert seal(root, "--check", "--cluster", "aws").returncode == 0
    assert seal(root, "--check").returncode == 5
    assert seal(root, "--rekey").returncode == 6
    assert seal(root, "--rekey", "--trust", stranger).returncode == 0
    assert seal(root, "--check").returncode == 0


def test_a_repository_of_a_former_release_is_written_down_where_its_recipients_are_known(
    root: Path, folder: Path, stranger: str
) -> None:
    add(root, stranger)
    assert seal(root, "--rekey", "--trust", stranger).returncode == 0
    (root / agreed.AGREED).unlink()
    commit(root, "As it was before there was such a file")
    clone = root.with_name("clone")
    git(root.parent, "clone", "--quiet", str(root), str(clone))
    for where, code in ((root, 0), (clone, 5)):
        assert seal(where).returncode == 0
        assert seal(where, "--check").returncode == code


def test_answers_that_came_by_git_prove_nothing(given: Path, folder: Path, own: str, stranger: str) -> None:
    answers = given / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(f"[{own}]", f"[{own}, {stranger}]"))
    add(given, stranger, "Add a colleague")
    assert seal(given, *MASTER, inputs=folder).returncode == 6
    # nor before there is git, once something was sealed
    shutil.rmtree(given / ".git")
    assert seal(given, *MASTER, inputs=folder).returncode == 6


def test_a_clone_knows_nobody_but_whose_key_is_at_hand(root: Path, folder: Path, tmp_path: Path, stranger: str) -> None:
    add(root, stranger, "Add a colleague")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    answer = seal(clone, *MASTER, inputs=folder)
    assert answer.returncode == 6
    named = set(re.findall(r"age1\w{58}", (clone / ".sops.yaml").read_text()))
    assert set(re.findall(r"--trust (\S+?)(?=\.? )", answer.stderr.splitlines()[-1])) == named
    env = environment(folder, SOPS_AGE_KEY_FILE=str(root / "keys" / "aws.agekey"))
    answer = seal(clone, *MASTER, "--cluster", "aws", env=env)
    assert re.search(r"aws: age1\w{58} \(yours: SOPS_AGE_KEY_FILE\)", answer.stderr)
    assert re.findall(r"--trust (\S+?)(?=\.? )", answer.stderr.splitlines()[-1]) == [stranger]
    options = [option for each in named for option in ("--trust", each)]
    assert seal(clone, *MASTER, *options, inputs=folder).returncode == 0
    assert seal(clone, *MASTER, inputs=folder).returncode == 0
    assert not git(clone, "status", "--porcelain", "--untracked-files", ".sealed-for")


@pytest.mark.parametrize("name", [".sealed-for", ".SEALED-FOR"])
def test_a_memory_that_came_by_git_is_none(root: Path, folder: Path, tmp_path: Path, stranger: str, name: str) -> None:
    (root / name).write_text(f"aws {stranger}\ngcp {stranger}\n")
    git(root, "add", "--force", name)
    add(root, stranger, "Add a file")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    shutil.copytree(root / "keys", clone / "keys")
    assert seal(clone, *MASTER, inputs=folder).returncode == 6
    assert any("sealed-for" in line.lower() for line in seal(clone, "--check").stderr.splitlines())


def test_a_key_file_that_came_by_git_is_not_yours(root: Path, folder: Path, tmp_path: Path) -> None:
    text, stranger = keys.make(tmp_path)
    (root / "keys" / "aws.agekey").write_text(text)
    git(root, "add", "--force", "keys/aws.agekey")
    add(root, stranger, "Add a key")
    assert seal(root, *MASTER, "--cluster", "aws", inputs=folder).returncode == 6


@pytest.mark.parametrize("above", [True, False])
def test_below_the_root_of_a_bigger_repository_it_is_the_same(
    root: Path, folder: Path, tmp_path: Path, stranger: str, above: bool
) -> None:
    shutil.rmtree(root / ".git")
    bigger = tmp_path / "bigger"
    root = Path(shutil.copytree(root, bigger / "platform"))
    under_git(bigger)
    assert seal(root, *MASTER, inputs=folder).returncode == 0
    if above:
        (root / ".sealed-for").write_text(f"aws {stranger}\ngcp {stranger}\n")
        git(bigger, "add", "--force", "platform/.sealed-for")
    add(root, stranger)
    commit(bigger, "Add a colleague")
    answer = seal(root, *MASTER, inputs=folder)
    assert answer.returncode == 6
    assert "Add a colleague" in answer.stderr


# --- what the suite says ----------------------------------------------------------------------------------------------


def test_swapped_environments_are_one_finding(root: Path) -> None:
    config = root / ".sops.yaml"
    aws, gcp = re.findall(r"age1\w{58}", config.read_text())
    config.write_text(config.read_text().replace(aws, "THIS").replace(gcp, aws).replace("THIS", gcp))
    (found,) = rules.evaluate(Repository(root))
    assert (found.file, found.what) == (".sops.yaml", "the rules of aws and gcp have the recipients of each other")
    assert seal(root, "--check", "--cluster", "gcp").returncode == 5


def test_a_mistyped_recipient_is_one_finding(root: Path) -> None:
    config = root / ".sops.yaml"
    config.write_text(re.sub(r"- (age1\w{10}).", r"- \1b", config.read_text(), count=1))
    (found,) = rules.evaluate(Repository(root))
    assert found.file == ".sops.yaml"
    assert "not an age public key" in found.what


@pytest.mark.parametrize("instead", [True, False], ids=["in place of the other", "beside the other"])
def test_a_foreign_recipient_is_one_finding_that_asks_for_a_rekey(root: Path, stranger: str, instead: bool) -> None:
    config = root / ".sops.yaml"
    config.write_text(
        re.sub(
            r"      - (age1\w{58})",
            rf"      - {stranger}" + ("" if instead else r"\n      - \1"),
            config.read_text(),
            count=1,
        )
    )
    (found,) = rules.evaluate(Repository(root))
    assert found.file == ".sops.yaml"
    assert found.what.startswith(f"the rule of aws names others than its files are sealed for: {stranger} is new")
    assert found.fix.command == "uv run hooks/seal_secrets.py --rekey --cluster aws"


# --- who is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["y", "n", ""])
def test_on_a_terminal_it_is_asked(root: Path, folder: Path, stranger: str, said: str) -> None:
    add(root, stranger, "Add a colleague")
    before = content(root)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-B", "hooks/seal_secrets.py", *MASTER],
        cwd=root,
        env=environment(folder),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    screen = b""
    while b"[y/N]" not in screen:
        screen += os.read(master, 4096)
    os.write(master, f"{said}\n".encode())
    out, _ = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == (0 if said == "y" else 6)
    assert f"aws: {stranger} (NEW: commit ".encode() in screen
    assert b"yours: keys/aws.agekey" in screen
    assert (content(root) == before) is (said != "y")
    assert (f"{stranger} (new)".encode() in out) is (said == "y")


def test_an_input_is_asked_for_only_after_that(
    root: Path, folder: Path, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    add(root, stranger, "Add a colleague")
    with pytest.raises(SealingError, match=f"uv run hooks/seal_secrets.py --trust {stranger}") as refusal:
        rotation.prepare_input(Repository(root), "litellm-github-copilot")
    assert refusal.value.code == 6
    answer = seal(root, "--trust", stranger, inputs=folder)
    assert answer.stdout == f"wrote {agreed.AGREED}\n"
    assert rotation.prepare_input(Repository(root), "litellm-github-copilot") == ["aws", "gcp"]


@pytest.mark.parametrize("arguments", [("--check",), ("--list",)])
def test_who_only_looks_is_not_asked(root: Path, stranger: str, arguments: tuple[str, ...]) -> None:
    add(root, stranger, "Add a colleague")
    assert seal(root, *arguments).returncode in (0, 5)
    assert not (root / ".git" / "litellm-gitops").exists()


@pytest.mark.parametrize("value", ["AGE-SECRET-KEY-1QQQ", "age1qqq", "everybody", ""])
def test_what_is_no_recipient_is_wrong_usage_and_not_repeated(root: Path, value: str) -> None:
    answer = seal(root, "--trust", value)
    assert answer.returncode == 2
    assert not value or value not in answer.stderr


def test_a_failure_remembers_nothing(root: Path, folder: Path, stranger: str) -> None:
    add(root, stranger)
    shutil.rmtree(root / "keys")
    named = re.findall(r"age1\w{58}", (root / ".sops.yaml").read_text())
    options = [option for each in named for option in ("--trust", each)]
    assert seal(root, "--rekey", *options).returncode == 1
    assert not (root / ".git" / "litellm-gitops").exists()
