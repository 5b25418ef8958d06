"""What a commit plants in a clone is not taken for the operator's own: a run that died, keys, inputs, a repository."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from litellm_gitops import rules
from litellm_gitops.files import Held, search_path
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import keys
from tests.support.project import commit, git, under_git
from tests.support.sealed import content, die_in_between, environment, opened, seal

ANSWERS = {
    "cluster_environments": ["aws", "gcp"],
    "providers": ["azure_openai", "github_copilot"],
    "azure_openai_endpoint": "https://example.openai.azure.com/",
}
MASTER = ("--rotate", "litellm-masterkey")
KEY = ("--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_SECRET", "--cluster", "aws")
NEVER = "git_ignores_inputs_and_keys"


@pytest.fixture
def monorepo(sealed_once: Path, tmp_path: Path) -> Path:
    """The project as a folder of a bigger repository."""
    root = Path(shutil.copytree(sealed_once, tmp_path / "top" / "platform"))
    under_git(root.parent)
    return root


class Stranger:
    """Somebody who can write to git, with a key of his own."""

    def __init__(self, folder: Path) -> None:
        self.private, self.public = keys.make(folder)

    def join(self, root: Path, *, alone: bool = False) -> None:
        """Add his key to every rule, or put it in the place of the others."""
        config = root / ".sops.yaml"
        new = f"      - {self.public}\n"
        text = re.sub(r"      - age1\w+\n", lambda found: new if alone else found[0] + new, config.read_text())
        config.write_text(text)


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


def clone(root: Path, *, keep: bool = False) -> Path:
    """Another clone; with `keep`, of somebody who has the keys."""
    new = root.with_name("clone")
    git(root.parent, "clone", "--quiet", str(root), str(new))
    if keep:
        shutil.copytree(root / "keys", new / "keys")
    return new


def told(root: Path) -> set[tuple[str, str]]:
    return {(each.code, each.file) for each in rules.evaluate(Repository(root))}


# --- a run that died -------------------------------------------------------------------------------------------------


def plant(root: Path, name: str, file: str, text: str) -> None:
    """A journal that has a text put in the place of a file, as if a run had died over it."""
    stage = root / name
    (stage / file).parent.mkdir(parents=True)
    (stage / file).write_text(text)
    before = root / file
    was = hashlib.sha256(before.read_bytes()).hexdigest() if before.is_file() else None
    (stage / "journal.json").write_text(json.dumps({file: [was, hashlib.sha256(text.encode()).hexdigest()]}))


@pytest.mark.parametrize("name", [".sealing", ".Sealing"])
@pytest.mark.parametrize("target", [".sealed-for", "keys/aws.agekey"])
def test_a_journal_that_came_by_git_is_not_obeyed(
    root: Path, folder: Path, stranger: Stranger, name: str, target: str
) -> None:
    named = {*re.findall(r"age1\w{58}", (root / ".sops.yaml").read_text()), stranger.public}
    memory = "".join(f"{cluster} {each}\n" for cluster in ("aws", "gcp") for each in sorted(named))
    stranger.join(root, alone=target != ".sealed-for")
    shutil.rmtree(root / "keys")
    plant(root, name, target, memory if target == ".sealed-for" else stranger.private)
    git(root, "add", "--force", name)
    commit(root, "Add a file")
    pulled = clone(root)
    assert (NEVER, f"{name}/journal.json") in told(pulled)
    assert "a run died" not in seal(pulled, "--check").stderr
    answer = seal(pulled, *MASTER, "--cluster", "aws", inputs=folder)
    assert answer.returncode == 6
    assert stranger.public in answer.stderr
    assert "finished" not in answer.stdout
    assert name != ".sealing" or "is of no run in this clone" in answer.stderr
    assert not (pulled / target).exists()


def test_a_journal_that_git_does_not_know_and_no_run_here_wrote_is_dropped(root: Path, folder: Path) -> None:
    before = content(root)
    plant(root, ".sealing", "keys/aws.agekey", "another\n")
    answer = seal(root, inputs=folder)
    assert answer.returncode == 0
    assert "is of no run in this clone" in answer.stderr
    assert content(root) == before


@pytest.mark.parametrize("bigger", [False, True], ids=["its own repository", "a folder of one"])
def test_a_run_that_died_here_is_finished(root: Path, monorepo: Path, folder: Path, bigger: bool) -> None:
    root = monorepo if bigger else root
    die_in_between(root, folder)
    assert "a run died" in seal(root, "--check").stderr
    assert "finished what a run that died had begun:" in seal(root).stdout
    assert seal(root, "--check").returncode == 0
    assert not list(root.parent.rglob(".git/litellm-gitops/runs/**/journal.json"))


@pytest.mark.parametrize("target", ["hooks/seal_secrets.py", "README.md", "../x", "/tmp/x", ".git/config"])
def test_a_journal_names_no_other_file_than_a_run_writes(root: Path, target: str) -> None:
    shutil.rmtree(root / ".git")  # where nothing can come by git
    (root / ".sealing").mkdir()
    (root / ".sealing" / "journal.json").write_text(json.dumps({target: [None, None]}))
    answer = seal(root)
    assert answer.returncode == 1
    assert "was not written by this program" in answer.stderr


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_stage_that_is_no_folder_is_refused(root: Path, kind: str) -> None:
    if kind == "file":
        (root / ".sealing").write_text("x")
    else:
        (root / ".sealing").symlink_to("docs")
    git(root, "add", "--force", ".sealing")
    answer = seal(root)
    assert answer.returncode == 1
    assert ".sealing is a" in answer.stderr
    assert (NEVER, ".sealing") in told(root)


# --- keys ------------------------------------------------------------------------------------------------------------


def _link(root: Path, text: str) -> None:
    (root / "docs").mkdir()
    (root / "docs" / "aws.agekey.txt").write_text(text)
    (root / "docs" / "aws.agekey").symlink_to("aws.agekey.txt")
    (root / "docs" / "gcp.agekey").write_text(text)
    (root / "keys").symlink_to("docs")


def _submodule(root: Path, text: str) -> None:
    other = root.with_name("other")
    other.mkdir()
    for name in ("aws", "gcp"):
        (other / f"{name}.agekey").write_text(text)
    git(other, "init", "--quiet")
    git(other, "add", "--force", ".")
    commit(other, "x")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--force", str(other), "keys")


def _file_in_it(root: Path, text: str) -> None:
    (root / "keys").mkdir()
    for name in ("aws", "gcp"):
        (root / "keys" / f"{name}.agekey").write_text(text)


@pytest.mark.parametrize("later", [False, True], ids=["as it came", "after it was taken away again"])
@pytest.mark.parametrize("way", [_link, _submodule, _file_in_it], ids=["link", "submodule", "files"])
def test_keys_that_came_by_git_are_not_yours(
    root: Path, folder: Path, stranger: Stranger, way: Callable[[Path, str], None], later: bool
) -> None:
    shutil.rmtree(root / "keys")
    way(root, stranger.private)
    git(root, "add", "--force", "keys", *(["docs"] if way is _link else []))
    stranger.join(root, alone=True)
    commit(root, "Add keys")
    allowed = ["-c", "protocol.file.allow=always"]
    new = root.with_name("clone")
    git(root.parent, *allowed, "clone", "--quiet", "--recurse-submodules", str(root), str(new))
    assert (new / "keys" / "gcp.agekey").is_file()
    if later:
        git(root, "rm", "-r", "--quiet", "--force", "keys")
        commit(root, "Take them away")
        git(new, "pull", "--quiet")
        assert (new / "keys").exists() is (way is _submodule), "what is left of a submodule stays"
    else:
        assert any(code == NEVER and file.startswith("keys") for code, file in told(new))
    answer = seal(new, *MASTER, "--cluster", "gcp", inputs=folder)
    assert answer.returncode == 6, answer.stderr
    assert stranger.public in answer.stderr


@pytest.mark.parametrize("name", ["keys", "KEYS", "Keys"])
def test_a_commit_that_takes_the_place_of_the_keys_is_told(root: Path, name: str) -> None:
    shutil.rmtree(root / "keys")
    (root / name).symlink_to("README.md")
    git(root, "add", "--force", name)
    assert (NEVER, name) in told(root)
    answer = seal(root, "--check")
    assert answer.returncode == 5
    assert f"git rm --cached {name}" in answer.stderr


def test_a_key_file_of_the_environment_that_came_by_git_is_nobodys(
    root: Path, folder: Path, stranger: Stranger
) -> None:
    (root / "keys" / "mine.txt").write_text(stranger.private)
    git(root, "add", "--force", "keys/mine.txt")
    stranger.join(root)
    commit(root, "Add a key")
    env = environment(folder, SOPS_AGE_KEY_FILE=str(root / "keys" / "mine.txt"))
    assert seal(root, *MASTER, env=env).returncode == 6


# --- names as a disk compares them that ignores case -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracked", "asked", "held"),
    [
        (".Copier-Answers.yml", ".copier-answers.yml", True),
        ("KEYS", "keys/aws.agekey", True),
        ("\N{KELVIN SIGN}EYS/aws.agekey", "keys/aws.agekey", True),
        ("key\N{LATIN SMALL LETTER LONG S}/aws.agekey", "keys/aws.agekey", True),
        (".sealed-f\N{ZERO WIDTH NON-JOINER}or", ".sealed-for", True),
        ("keys/gcp.agekey", "keys/aws.agekey", False),
        ("keyes", "keys/aws.agekey", False),
    ],
)
@pytest.mark.parametrize("above", ["", "platform/"])
def test_what_git_holds_is_held_under_every_name_of_it(
    tmp_path: Path, tracked: str, asked: str, held: bool, above: str
) -> None:
    root = tmp_path / above
    file = tmp_path / above.title() / tracked  # the folder above may be spelt in another way, too
    file.parent.mkdir(parents=True, exist_ok=True)
    root.mkdir(exist_ok=True)
    file.write_text("x")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    assert Held(root).holds(root / asked) is held


def test_answers_that_came_by_git_under_another_case_prove_nothing(
    root: Path, folder: Path, stranger: Stranger
) -> None:
    answers = root / ".copier-answers.yml"
    text = re.sub(r"(?m)^age_recipients:.*", f"age_recipients: [{stranger.public}]", answers.read_text())
    answers.write_text(text)
    stranger.join(root, alone=True)
    # on a disk that ignores case, this is what a clone has
    git(root, "mv", "--force", ".copier-answers.yml", ".Copier-Answers.yml")
    commit(root, "Rename")
    new = clone(root)
    shutil.copy(new / ".Copier-Answers.yml", new / ".copier-answers.yml")
    assert seal(new, *MASTER, inputs=folder).returncode == 6


# --- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "secret"),
    [
        ("deployment_outputs.env", "LITELLM_MASTER_KEY=sk-known-to-somebody-else\n", "litellm-masterkey"),
        ("Deployment_Outputs.env", "LITELLM_MASTER_KEY=sk-known-to-somebody-else\n", "litellm-masterkey"),
        ("access-token", "gho_" + "a1B2" * 9, "litellm-github-copilot"),
        ("access-token__AWS", "gho_" + "a1B2" * 9, "litellm-github-copilot"),
    ],
)
@pytest.mark.parametrize("bigger", [False, True], ids=["its own repository", "a folder of one"])
def test_an_input_that_came_by_git_is_not_taken(
    root: Path, monorepo: Path, name: str, text: str, secret: str, bigger: bool
) -> None:
    root = monorepo if bigger else root
    (root / name).write_text(text)
    git(root, "add", "--force", name)
    if name != name.lower():  # as a disk shows it that ignores case
        shutil.copy(root / name, root / name.lower())
    before = content(root)
    answer = seal(root, "--rotate", secret, "--cluster", "aws")
    assert answer.returncode == 1
    assert f"{name.lower() if 'env' in name else name} came by git" in answer.stderr
    assert content(root) == before
    git(root, "rm", "--quiet", "--cached", name)
    assert "came by git" not in seal(root, "--rotate", secret).stderr


def test_inputs_of_a_folder_of_the_repository_are_as_little_taken(monorepo: Path) -> None:
    other = monorepo.parent / "shared"
    other.mkdir()
    (other / "deployment_outputs.env").write_text("LITELLM_MASTER_KEY=sk-known-to-somebody-else\n")
    assert seal(monorepo, *MASTER, inputs=other).returncode == 0
    git(other, "add", "--force", ".")
    assert "came by git" in seal(monorepo, *MASTER, inputs=other).stderr


# --- programs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["platform", "."])
def test_a_bare_repository_that_was_planted_runs_nothing(
    monorepo: Path, folder: Path, tmp_path: Path, stranger: Stranger, place: str
) -> None:
    at = monorepo / "bare" if place == "." else monorepo
    for name in ("objects", "refs"):
        (at / name).mkdir(parents=True)
        (at / name / ".gitkeep").touch()
    (at / "HEAD").write_text("ref: refs/heads/main\n")
    ran = tmp_path / "ran"
    (at / "config").write_text(
        f'[core]\n\trepositoryformatversion = 0\n\tworktree = .\n\tfsmonitor = "touch {ran}; false"\n'
    )
    stranger.join(monorepo)
    git(monorepo.parent, "add", "--force", "--all")
    commit(monorepo.parent, "More")
    subprocess.run(["git", "status"], cwd=at, capture_output=True, check=False)
    assert ran.exists(), "git alone runs it"
    ran.unlink()
    for arguments in (MASTER, ("--check",), ("--list",), ("--rekey",)):
        code = seal(monorepo, *arguments, inputs=folder).returncode
        assert code in ((6,) if arguments in (MASTER, ("--rekey",)) else (0, 5))
    guard = [sys.executable, "-B", str(monorepo / "hooks" / "guard_staged.py")]
    subprocess.run(guard, cwd=monorepo, env=environment(), capture_output=True, check=False)
    rules.evaluate(Repository(monorepo))
    assert not ran.exists()


def test_no_program_beside_the_project_is_run(monorepo: Path, folder: Path, tmp_path: Path) -> None:
    bin_ = monorepo.parent / "bin"
    bin_.mkdir()
    for name in ("sops", "age-keygen", "git"):
        (bin_ / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (bin_ / name).chmod(0o755)
    path = f"{bin_}:{environment()['PATH']}"
    assert seal(monorepo, *MASTER, env={**environment(folder), "PATH": path}).returncode == 0
    assert not (tmp_path / "ran").exists()


def test_a_repository_that_ignores_the_project_and_a_home_under_git_are_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("/build/\n")
    for name in ("build/demo", "work/demo", "src/demo", "held/demo"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").touch()
    bin_ = str(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    assert bin_ in search_path(tmp_path / "build" / "demo").split(":")
    assert bin_ not in search_path(tmp_path / "src" / "demo").split(":")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert bin_ in search_path(tmp_path / "work" / "demo").split(":")
    git(tmp_path, "add", "held")
    assert bin_ not in search_path(tmp_path / "held" / "demo").split(":")


# --- a login that is meant from where the operator stands ------------------------------------------------------------


def here(folder: Path, root: Path, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command from a folder of the operator's."""
    command = [sys.executable, "-B", str(root / "hooks" / "seal_secrets.py"), *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_command_for_the_key_runs_where_the_operator_stands(root: Path, folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.move(root / "keys" / "aws.agekey", mine / "key")
    script(mine / "get", "cat key")
    script(root / "get", f"touch {tmp_path}/ran; cat key")
    env = environment(folder, SOPS_AGE_KEY_CMD="./get")
    assert here(mine, root, *KEY, env=env).returncode == 0
    answer = here(mine, root, *KEY, env={**env, "SOPS_AGE_KEY_CMD": "cat key"})
    assert answer.returncode == 0, answer.stderr
    answer = here(root, root, *KEY, env=env)
    assert answer.returncode == 1
    assert f"SOPS_AGE_KEY_CMD names {root}/get, which lies in the repository" in answer.stderr
    git(root, "add", "get")
    assert here(root, root, *KEY, env={**env, "SOPS_AGE_KEY_CMD": "sh get"}).returncode == 1
    assert not (tmp_path / "ran").exists()


def test_a_file_of_a_login_is_the_operators(root: Path, folder: Path, tmp_path: Path) -> None:
    mine, bin_ = tmp_path / "mine", tmp_path / "bin"
    for path in (mine, bin_):
        path.mkdir()
    (bin_ / "sops").write_text(
        f'#!/bin/sh\necho "$AWS_CONFIG_FILE $SSL_CERT_DIR" >> {bin_}/seen\n{tools.path("sops")} "$@"\n'
    )
    (bin_ / "sops").chmod(0o755)
    shutil.move(root / "keys" / "aws.agekey", mine / "key")
    (root / "aws").write_text(f"[default]\ncredential_process = touch {tmp_path}/ran\n")
    named = {"AWS_CONFIG_FILE": "aws", "SSL_CERT_DIR": "a:b", "SOPS_AGE_KEY_FILE": "key"}
    env = {**environment(folder, **named), "PATH": f"{bin_}:/usr/bin:/bin"}
    assert here(mine, root, *KEY, env=env).returncode == 0
    assert f"{mine}/aws {mine}/a:{mine}/b" in (bin_ / "seen").read_text()
    git(root, "add", "aws")
    answer = here(root, root, *KEY, env={**env, "SOPS_AGE_KEY_FILE": str(mine / "key")})
    assert answer.returncode == 1
    assert f"AWS_CONFIG_FILE names {root}/aws, which lies in the repository" in answer.stderr


# --- what README says ------------------------------------------------------------------------------------------------


def test_the_advised_command_shows_a_sealed_file(root: Path, monorepo: Path) -> None:
    for project in (root, monorepo):
        (script,) = re.findall(r"To read a sealed file.*?```sh\n(.*?)```", *_readme(project))
        env = {**environment(), "HOME": str(project)}
        answer = subprocess.run(
            ["sh", "-e"], input=script, cwd=project, env=env, capture_output=True, text=True, check=True
        )
        assert opened(project, "aws/litellm-masterkey")["aws", "litellm-masterkey"]["masterkey"] in answer.stdout


def _readme(root: Path) -> tuple[str, re.RegexFlag]:
    return (root / "README.md").read_text("utf-8"), re.DOTALL
