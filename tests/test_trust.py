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
from tests.support.inputs import Inputs
from tests.support.project import commit, git
from tests.support.sealed import content, environment, seal

ANSWERS = {"cluster_environments": ["aws", "gcp"], "providers": ["github_copilot"]}
MASTER = ("--rotate", "litellm-masterkey")
Render = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Inputs().write(tmp_path_factory.mktemp("inputs"))


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


@pytest.fixture
def generated(render: Render, tmp_path: Path, folder: Path) -> Path:
    """As `copier copy` leaves it with keys of its own; then under git."""
    root = Path(shutil.copytree(render(**ANSWERS), tmp_path / "generated"))
    assert seal(root, inputs=folder).returncode == 0
    return under_git(root)


def under_git(root: Path) -> Path:
    git(root, "init", "--quiet")
    commit(root, "Render")
    return root


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


def test_what_was_made_here_is_known_and_named(generated: Path, folder: Path) -> None:
    answer = seal(generated, *MASTER, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^aws can be read by age1\w{58} \(yours: keys/aws\.agekey\)$", answer.stdout, re.MULTILINE)
    memory = generated / ".git" / "litellm-gitops" / "recipients"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert not (generated / ".sealed-for").exists()


@pytest.mark.parametrize("arguments", [MASTER, ("--rekey",), (), ("--fill",)], ids=["rotate", "rekey", "seal", "fill"])
def test_a_recipient_that_is_new_is_refused_and_named_with_its_commit(
    generated: Path, folder: Path, stranger: str, arguments: tuple[str, ...]
) -> None:
    if not arguments:
        (generated / "secrets/aws/litellm-masterkey.sops.yaml").unlink()
    if arguments == ("--fill",):
        file = generated / "secrets/aws/litellm-postgresql.sops.yaml"
        mark = '  annotations:\n    litellm-gitops/placeholder: "true"\n'
        file.write_text(file.read_text().replace("metadata:\n", f"metadata:\n{mark}", 1))
    add(generated, stranger, "Make \x1b[2Jit faster")
    before = content(generated)
    answer = seal(generated, *arguments, inputs=folder)
    assert answer.returncode == 6
    assert content(generated) == before
    head = git(generated, "log", "-1", "--format=%h").strip()
    assert re.search(
        rf"aws: {stranger} \(NEW: commit {head} of Somebody, \d{{4}}-\d\d-\d\d: Make \[2Jit faster\)", answer.stderr
    )
    assert "\x1b" not in answer.stderr
    command = " ".join(("uv run hooks/seal_secrets.py", *arguments, "--trust", stranger))
    assert f"then: {command}. Nothing was changed." in answer.stderr
    answer = seal(generated, *arguments, "--trust", stranger, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert f"{stranger} (new)" in answer.stdout
    assert stranger in (generated / agreed.AGREED).read_text()
    # remembered
    assert seal(generated, *MASTER, inputs=folder).returncode == 0


def test_without_a_commit_the_file_is_named(generated: Path, folder: Path, stranger: str) -> None:
    add(generated, stranger)
    assert f"{stranger} (NEW: .sops.yaml, no commit)" in seal(generated, *MASTER, inputs=folder).stderr


def test_a_key_of_another_cluster_is_new_to_this_one(generated: Path, folder: Path) -> None:
    config = generated / ".sops.yaml"
    aws, gcp = re.findall(r"age1\w{58}", config.read_text())
    config.write_text(config.read_text().replace(aws, "THIS").replace(gcp, aws).replace("THIS", gcp))
    answer = seal(generated, *MASTER, inputs=folder)
    assert answer.returncode == 6
    assert f"aws: {gcp} (NEW" in answer.stderr
    assert f"gcp: {aws} (NEW" in answer.stderr


def test_who_was_taken_away_is_new_when_he_comes_back(generated: Path, folder: Path, stranger: str) -> None:
    without = (generated / ".sops.yaml").read_text()
    add(generated, stranger)
    assert seal(generated, "--rekey", "--trust", stranger).returncode == 0
    (generated / ".sops.yaml").write_text(without)
    assert seal(generated, "--rekey").returncode == 0
    add(generated, stranger)
    assert seal(generated, "--rekey").returncode == 6


def test_a_colleague_is_written_down_by_the_run_that_seals_for_him(generated: Path, stranger: str) -> None:
    assert not (generated / agreed.AGREED).exists()
    add(generated, stranger)
    assert seal(generated, "--rekey", "--trust", stranger, "--cluster", "aws").returncode == 0
    written = yaml.safe_load((generated / agreed.AGREED).read_text())
    assert list(written) == ["aws"]
    assert stranger in written["aws"]
    assert seal(generated, "--check", "--cluster", "aws").returncode == 0
    assert seal(generated, "--check").returncode == 5
    assert seal(generated, "--rekey").returncode == 6
    assert seal(generated, "--rekey", "--trust", stranger).returncode == 0
    assert seal(generated, "--check").returncode == 0


def test_a_repository_of_a_former_release_is_written_down_where_its_recipients_are_known(
    generated: Path, folder: Path, stranger: str
) -> None:
    add(generated, stranger)
    assert seal(generated, "--rekey", "--trust", stranger).returncode == 0
    (generated / agreed.AGREED).unlink()
    commit(generated, "As it was before there was such a file")
    clone = generated.with_name("clone")
    git(generated.parent, "clone", "--quiet", str(generated), str(clone))
    for root, code in ((generated, 0), (clone, 5)):
        assert seal(root).returncode == 0
        assert seal(root, "--check").returncode == code


def test_answers_that_came_by_git_prove_nothing(given: Path, folder: Path, own: str, stranger: str) -> None:
    answers = given / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(f"[{own}]", f"[{own}, {stranger}]"))
    add(given, stranger, "Add a colleague")
    assert seal(given, *MASTER, inputs=folder).returncode == 6
    # nor before there is git, once something was sealed
    shutil.rmtree(given / ".git")
    assert seal(given, *MASTER, inputs=folder).returncode == 6


def test_a_clone_knows_nobody_but_whose_key_is_at_hand(
    generated: Path, folder: Path, tmp_path: Path, stranger: str
) -> None:
    add(generated, stranger, "Add a colleague")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(generated), str(clone))
    answer = seal(clone, *MASTER, inputs=folder)
    assert answer.returncode == 6
    named = set(re.findall(r"age1\w{58}", (clone / ".sops.yaml").read_text()))
    assert set(re.findall(r"--trust (\S+?)(?=\.? )", answer.stderr.splitlines()[-1])) == named
    env = environment(folder, SOPS_AGE_KEY_FILE=str(generated / "keys" / "aws.agekey"))
    answer = seal(clone, *MASTER, "--cluster", "aws", env=env)
    assert re.search(r"aws: age1\w{58} \(yours: SOPS_AGE_KEY_FILE\)", answer.stderr)
    assert re.findall(r"--trust (\S+?)(?=\.? )", answer.stderr.splitlines()[-1]) == [stranger]
    options = [option for each in named for option in ("--trust", each)]
    assert seal(clone, *MASTER, *options, inputs=folder).returncode == 0
    assert seal(clone, *MASTER, inputs=folder).returncode == 0
    assert not git(clone, "status", "--porcelain", "--untracked-files", ".sealed-for")


@pytest.mark.parametrize("name", [".sealed-for", ".SEALED-FOR"])
def test_a_memory_that_came_by_git_is_none(
    generated: Path, folder: Path, tmp_path: Path, stranger: str, name: str
) -> None:
    (generated / name).write_text(f"aws {stranger}\ngcp {stranger}\n")
    git(generated, "add", "--force", name)
    add(generated, stranger, "Add a file")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(generated), str(clone))
    shutil.copytree(generated / "keys", clone / "keys")
    assert seal(clone, *MASTER, inputs=folder).returncode == 6
    assert any("sealed-for" in line.lower() for line in seal(clone, "--check").stderr.splitlines())


def test_a_key_file_that_came_by_git_is_not_yours(generated: Path, folder: Path, tmp_path: Path) -> None:
    text, stranger = keys.make(tmp_path)
    (generated / "keys" / "aws.agekey").write_text(text)
    git(generated, "add", "--force", "keys/aws.agekey")
    add(generated, stranger, "Add a key")
    assert seal(generated, *MASTER, "--cluster", "aws", inputs=folder).returncode == 6


@pytest.mark.parametrize("above", [True, False])
def test_below_the_root_of_a_bigger_repository_it_is_the_same(
    generated: Path, folder: Path, tmp_path: Path, stranger: str, above: bool
) -> None:
    shutil.rmtree(generated / ".git")
    bigger = tmp_path / "bigger"
    root = Path(shutil.copytree(generated, bigger / "platform"))
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


def test_swapped_environments_are_one_finding(generated: Path) -> None:
    config = generated / ".sops.yaml"
    aws, gcp = re.findall(r"age1\w{58}", config.read_text())
    config.write_text(config.read_text().replace(aws, "THIS").replace(gcp, aws).replace("THIS", gcp))
    (found,) = rules.evaluate(Repository(generated))
    assert (found.file, found.what) == (".sops.yaml", "the rules of aws and gcp have the recipients of each other")
    assert seal(generated, "--check", "--cluster", "gcp").returncode == 5


def test_a_mistyped_recipient_is_one_finding(generated: Path) -> None:
    config = generated / ".sops.yaml"
    config.write_text(re.sub(r"- (age1\w{10}).", r"- \1b", config.read_text(), count=1))
    (found,) = rules.evaluate(Repository(generated))
    assert found.file == ".sops.yaml"
    assert "not an age public key" in found.what


@pytest.mark.parametrize("instead", [True, False], ids=["in place of the other", "beside the other"])
def test_a_foreign_recipient_is_one_finding_that_asks_for_a_rekey(
    generated: Path, stranger: str, instead: bool
) -> None:
    config = generated / ".sops.yaml"
    config.write_text(
        re.sub(
            r"      - (age1\w{58})",
            rf"      - {stranger}" + ("" if instead else r"\n      - \1"),
            config.read_text(),
            count=1,
        )
    )
    (found,) = rules.evaluate(Repository(generated))
    assert found.file == ".sops.yaml"
    assert found.what.startswith(f"the rule of aws names others than its files are sealed for: {stranger} is new")
    assert found.fix.command == "uv run hooks/seal_secrets.py --rekey --cluster aws"


# --- who is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["y", "n", ""])
def test_on_a_terminal_it_is_asked(generated: Path, folder: Path, stranger: str, said: str) -> None:
    add(generated, stranger, "Add a colleague")
    before = content(generated)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-B", "hooks/seal_secrets.py", *MASTER],
        cwd=generated,
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
    assert (content(generated) == before) is (said != "y")
    assert (f"{stranger} (new)".encode() in out) is (said == "y")


def test_an_input_is_asked_for_only_after_that(
    generated: Path, folder: Path, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    add(generated, stranger, "Add a colleague")
    with pytest.raises(SealingError, match=f"uv run hooks/seal_secrets.py --trust {stranger}") as refusal:
        rotation.prepare_input(Repository(generated), "litellm-github-copilot")
    assert refusal.value.code == 6
    answer = seal(generated, "--trust", stranger, inputs=folder)
    assert answer.stdout == f"wrote {agreed.AGREED}\n"
    assert rotation.prepare_input(Repository(generated), "litellm-github-copilot") == ["aws", "gcp"]


@pytest.mark.parametrize("arguments", [("--check",), ("--list",)])
def test_who_only_looks_is_not_asked(generated: Path, stranger: str, arguments: tuple[str, ...]) -> None:
    add(generated, stranger, "Add a colleague")
    assert seal(generated, *arguments).returncode in (0, 5)
    assert not (generated / ".git" / "litellm-gitops").exists()


@pytest.mark.parametrize("value", ["AGE-SECRET-KEY-1QQQ", "age1qqq", "everybody", ""])
def test_what_is_no_recipient_is_wrong_usage_and_not_repeated(generated: Path, value: str) -> None:
    answer = seal(generated, "--trust", value)
    assert answer.returncode == 2
    assert not value or value not in answer.stderr


def test_a_failure_remembers_nothing(generated: Path, folder: Path, stranger: str) -> None:
    add(generated, stranger)
    shutil.rmtree(generated / "keys")
    named = re.findall(r"age1\w{58}", (generated / ".sops.yaml").read_text())
    options = [option for each in named for option in ("--trust", each)]
    assert seal(generated, "--rekey", *options).returncode == 1
    assert not (generated / ".git" / "litellm-gitops").exists()
