"""Two people change what is sealed, and git merges: what it says, and that the advice works."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from litellm_gitops.repository import Repository
from litellm_gitops.sealing import keys, state
from tests.support.project import commit, git
from tests.support.sealed import content, opened, seal

ANSWERS = {"cluster_environments": ["aws", "gcp"], "providers": ["github_copilot"]}
MASTER = "secrets/aws/litellm-masterkey.sops.yaml"
POSTGRES = "secrets/aws/litellm-postgresql.sops.yaml"
AWS = ("--cluster", "aws")


@dataclass
class People:
    """One repository, what each of two people does in it, and the merge of the second into the first."""

    root: Path
    folder: Path

    def do(self, branch: str, *commands: tuple[str, ...]) -> None:
        git(self.root, "checkout", "--quiet", "-b", branch, "main")
        for arguments in commands:
            answer = seal(self.root, *arguments, inputs=self.folder)
            assert answer.returncode == 0, answer.stderr
        commit(self.root, branch)

    def merge(self) -> list[str]:
        """The files in conflict, when the first merges what the second did."""
        git(self.root, "checkout", "--quiet", "first")
        answer = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "merge", "--quiet", "second"],
            cwd=self.root,
            capture_output=True,
            check=False,
        )
        found = git(self.root, "diff", "--name-only", "--diff-filter=U").splitlines()
        assert bool(found) is (answer.returncode != 0)
        assert not [file for file in found if "<<<<<<<" in (self.root / file).read_text()]
        return found

    def state_of(self, file: str) -> str:
        return state.states(Repository(self.root))[file]

    def ends_well(self) -> None:
        """What is left is sealed, opens, and can be committed."""
        answer = seal(self.root, "--check")
        assert answer.returncode == 0, answer.stderr
        commit(self.root, "Merge")
        assert opened(self.root)
        assert seal(self.root, "--check").returncode == 0


@pytest.fixture
def people(root: Path, folder: Path) -> People:
    return People(root, folder)


def test_different_secrets_need_no_choice(people: People) -> None:
    people.do("first", ("--rotate", "litellm-masterkey", *AWS))
    people.do("second", ("--rotate", "litellm-postgresql", *AWS))
    assert people.merge() == ["litellm/checksums-aws.yaml"]
    assert people.state_of(MASTER) == people.state_of(POSTGRES) == "sealed"
    answer = seal(people.root, "--check")
    assert answer.returncode == 5
    assert answer.stderr.rstrip().endswith("uv run hooks/seal_secrets.py --cluster aws")
    answer = seal(people.root, *AWS, inputs=people.folder)
    assert answer.returncode == 0
    told = re.search(r"^the merge is resolved here: git (add .+), then commit$", answer.stderr, re.MULTILINE)
    assert told, answer.stderr
    git(people.root, *told[1].split())
    git(people.root, "commit", "--message", "Merge")  # git takes it: nothing is unmerged
    assert "git add" not in seal(people.root, *AWS, inputs=people.folder).stderr
    people.ends_well()


@pytest.mark.parametrize("side", ["--theirs", "--ours"])
def test_the_same_secret_is_a_conflict_until_one_side_is_taken(people: People, side: str) -> None:
    people.do("first", ("--rotate", "litellm-masterkey", *AWS))
    ours = (people.root / MASTER).read_bytes()
    people.do("second", ("--rotate", "litellm-masterkey", *AWS))
    theirs = (people.root / MASTER).read_bytes()
    assert sorted(people.merge()) == ["litellm/checksums-aws.yaml", MASTER]
    before = content(people.root)
    for arguments in ((), ("--rekey",), ("--rotate", "litellm-postgresql"), ("--check",)):
        answer = seal(people.root, *arguments, inputs=people.folder)
        assert answer.returncode == 5, (arguments, answer.stderr)
        assert f"{MASTER}:1: is in conflict, and git waits for one of its two sides" in answer.stderr
    assert content(people.root) == before
    assert re.search(r"^aws +litellm-masterkey +masterkey +conflict ", seal(people.root, "--list").stdout, re.MULTILINE)
    advice = re.search(r"git checkout --theirs \S+, or --ours\) and (git add \S+),", answer.stderr)
    assert advice
    git(people.root, "checkout", side, MASTER)
    git(people.root, *advice[1].split()[1:])
    answer = seal(people.root, inputs=people.folder)
    assert answer.returncode == 0
    assert "here: git add litellm/checksums-aws.yaml, then commit\n" in answer.stderr
    assert (people.root / MASTER).read_bytes() == (theirs if side == "--theirs" else ours)
    people.ends_well()


def test_the_other_side_alone_says_enough(people: People) -> None:
    people.do("first", ("--rotate", "litellm-masterkey", *AWS))
    people.do("second", ("--rotate", "litellm-masterkey", *AWS))
    people.merge()
    git(people.root, "checkout", "--theirs", MASTER)
    assert seal(people.root, inputs=people.folder).returncode == 0
    people.ends_well()


def test_sealing_it_again_ends_a_conflict(people: People) -> None:
    people.do("first", ("--rotate", "litellm-masterkey", *AWS))
    people.do("second", ("--rotate", "litellm-masterkey", *AWS))
    people.merge()
    assert seal(people.root, "--rotate", "litellm-masterkey", *AWS, inputs=people.folder).returncode == 0
    people.ends_well()


@pytest.mark.parametrize("side", ["--theirs", "--ours"])
def test_one_rekeys_while_one_rotates(people: People, tmp_path: Path, side: str) -> None:
    _, other = keys.make(tmp_path)
    people.do("first", ("--rotate", "litellm-masterkey", *AWS))
    git(people.root, "checkout", "--quiet", "main")
    config = people.root / ".sops.yaml"
    text = config.read_text()
    config.write_text(text.replace("    age:\n", f"    age:\n      - {other}\n", 1))
    people.do("second", ("--rekey", *AWS, "--trust", other))
    assert sorted(people.merge()) == ["litellm/checksums-aws.yaml", MASTER]
    git(people.root, "checkout", side, MASTER)
    git(people.root, "add", MASTER)
    if side == "--ours":
        answer = seal(people.root, "--check")
        assert f"{MASTER}:" in answer.stderr
        assert "uv run hooks/seal_secrets.py --rekey --cluster aws" in answer.stderr
        assert seal(people.root, "--rekey", *AWS).returncode == 0
    assert seal(people.root, inputs=people.folder).returncode == 0
    people.ends_well()
    for file in (people.root / "secrets" / "aws").glob("*.sops.yaml"):
        assert other in file.read_text()


@pytest.mark.parametrize("side", ["--theirs", "--ours"])
def test_both_add_the_same_secret(people: People, side: str) -> None:
    git(people.root, "rm", "--quiet", MASTER)
    commit(people.root, "Lose one")
    people.do("first", AWS)
    people.do("second", AWS)
    assert MASTER in people.merge()
    assert people.state_of(MASTER) == "conflict"
    git(people.root, "checkout", side, MASTER)
    git(people.root, "add", MASTER)
    assert seal(people.root, inputs=people.folder).returncode == 0
    people.ends_well()


def test_one_adds_a_cluster_while_one_rotates(
    render: Callable[..., Path], people: People, folder: Path, tmp_path: Path
) -> None:
    """The second answers `cluster_environments` anew; what an update renders for it is taken from such a repository."""
    more = render(**{**ANSWERS, "cluster_environments": ["aws", "gcp", "azure"]})
    people.do("first", ("--rotate", "litellm-masterkey", *AWS))
    git(people.root, "checkout", "--quiet", "main")
    shutil.copytree(more, people.root, dirs_exist_ok=True)
    people.do("second", ())
    assert people.merge() == []
    assert people.state_of("secrets/azure/litellm-masterkey.sops.yaml") == "sealed"
    people.ends_well()


def test_both_add_a_cluster(render: Callable[..., Path], people: People) -> None:
    """The rules of `.sops.yaml` are then those of one side, and the Secrets with them: no key is lost in between."""
    more = render(**{**ANSWERS, "cluster_environments": ["aws", "gcp", "azure"]})
    private = {}
    for branch in ("first", "second"):
        git(people.root, "checkout", "--quiet", "main")
        shutil.copytree(more, people.root, dirs_exist_ok=True)
        people.do(branch, ())
        private[branch] = (people.root / "keys" / "azure.agekey").read_text()
        (people.root / "keys" / "azure.agekey").unlink()
    git(people.root, "checkout", "--quiet", "first")
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "merge", "second"],
        cwd=people.root,
        capture_output=True,
        check=False,
    )
    (people.root / "keys" / "azure.agekey").write_text(private["second"])
    for file in git(people.root, "diff", "--name-only", "--diff-filter=U").splitlines():
        git(people.root, "checkout", "--theirs", file)
        git(people.root, "add", file)
    assert seal(people.root, inputs=people.folder).returncode == 0
    people.ends_well()


@pytest.mark.parametrize("deletes", ["first", "second"])
@pytest.mark.parametrize("end", ["add", "rm"])
def test_one_deletes_what_the_other_rotates(people: People, deletes: str, end: str) -> None:
    """Git leaves the file that is still there, whichever side it is on, and has no side to check out."""
    for branch in ("first", "second"):
        people.do(branch, *([] if branch == deletes else [("--rotate", "litellm-masterkey", *AWS)]))
        if branch == deletes:
            git(people.root, "rm", "--quiet", MASTER)
            commit(people.root, "Delete")
    assert MASTER in people.merge()
    assert people.state_of(MASTER) == "conflict"
    before = content(people.root)
    for arguments in ((), ("--check",), ("--rekey",)):
        answer = seal(people.root, *arguments, inputs=people.folder)
        assert answer.returncode == 5, (arguments, answer.stderr)
        assert f"{MASTER}:1: is in conflict, and one of the two sides has deleted it — keep it" in answer.stderr
    assert content(people.root) == before
    advice = re.search(r"keep it \((git add \S+)\), or let it go \((git rm \S+)\), then uv run", answer.stderr)
    assert advice
    git(people.root, *advice[1 if end == "add" else 2].split()[1:])
    if end == "rm":
        taken = re.search(r"take it back \((git checkout [^)]+)\)", seal(people.root, "--check").stderr)
        assert taken
        git(people.root, *taken[1].split()[1:])
    assert seal(people.root, inputs=people.folder).returncode == 0
    people.ends_well()


@pytest.mark.parametrize("file", [".sops.yaml", "policies/recipients.yml"])
def test_two_let_somebody_else_read(people: People, tmp_path: Path, file: str) -> None:
    """The rule and the agreement are merged by hand, as any text; nothing writes over what one side has."""
    others = [keys.make(tmp_path)[1] for _ in range(2)]
    config = people.root / ".sops.yaml"
    for branch, other in zip(("first", "second"), others, strict=True):
        git(people.root, "checkout", "--quiet", "main")
        config.write_text(config.read_text().replace("    age:\n", f"    age:\n      - {other}\n", 1))
        people.do(branch, ("--rekey", *AWS, "--trust", other))
    git(people.root, "checkout", "--quiet", "first")
    merge = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "merge", "second"]
    subprocess.run(merge, cwd=people.root, capture_output=True, check=False)
    sealed = [
        each for each in git(people.root, "diff", "--name-only", "--diff-filter=U").splitlines() if "/aws/" in each
    ]
    for each in (*sealed, "litellm/checksums-aws.yaml"):
        git(people.root, "checkout", "--theirs", each)
        git(people.root, "add", each)
    texts = {".sops.yaml", "policies/recipients.yml"}
    for each in texts - {file}:
        resolve(people.root / each)
        git(people.root, "add", each)
    before = content(people.root)
    for arguments in ((), ("--check",), ("--rekey",), ("--rotate", "litellm-masterkey")):
        answer = seal(people.root, *arguments, inputs=people.folder)
        assert answer.returncode == 5, (arguments, answer.stderr)
        said = f"take the markers out and git add {file}, then uv run hooks/seal_secrets.py"
        assert re.search(rf"(?m)^(seal_secrets: )?{file}:\d+: holds the markers of a git conflict — ", answer.stderr)
        assert said in answer.stderr
    assert content(people.root) == before
    resolve(people.root / file)
    git(people.root, "add", file)
    answer = seal(people.root, "--check")
    assert "uv run hooks/seal_secrets.py --rekey --cluster aws" in answer.stderr
    assert (
        seal(people.root, "--rekey", *AWS, *(each for other in others for each in ("--trust", other))).returncode == 0
    )
    people.ends_well()
    for path in (people.root / "secrets" / "aws").glob("*.sops.yaml"):
        assert all(other in path.read_text() for other in others)


def resolve(path: Path) -> None:
    """Keep both sides of a text in conflict."""
    marks = ("<<<<<<<", "=======", ">>>>>>>")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith(marks)))
