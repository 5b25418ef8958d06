"""The commit hook of a rendered repository, in a real git repository: nothing unsealed gets into a commit."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.answers import everything

SECRET = "secrets/aws/litellm-azure-auth.sops.yaml"
PLAINTEXT = """\
apiVersion: v1
kind: Secret
metadata:
  name: litellm-extra
stringData:
  token: plaintext
"""
# made of parts, so that this file holds none
KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
AGE_KEY = "AGE-SECRET-KEY-1" + "Q" * 58
GITHUB_TOKEN = "gho_" + "a1B2" * 9


@dataclass
class Clone:
    """A clone of a rendered repository, with the hook as .git/hooks/pre-commit."""

    root: Path

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def write(self, file: str, text: str) -> None:
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(text, "utf-8")

    def read(self, file: str) -> str:
        return (self.root / file).read_text("utf-8")

    def stage(self, file: str, text: str) -> None:
        self.write(file, text)
        assert self.git("add", "--force", file).returncode == 0

    def commit(self, *arguments: str) -> str | None:
        """Commits; what the hook says where it refuses."""
        before = self.head()
        done = self.git("commit", "--quiet", "-m", "change", *arguments)
        assert (done.returncode == 0) == (self.head() != before), done.stderr
        return done.stderr if done.returncode else None

    def head(self) -> str:
        return self.git("rev-parse", "--verify", "--quiet", "HEAD").stdout.strip()


@pytest.fixture(scope="module")
def origin(sealed: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed repository, everything committed through the hook."""
    root = tmp_path_factory.mktemp("origin") / "repository"
    shutil.copytree(sealed(**everything()), root)
    clone = Clone(root)
    clone.git("init", "--quiet", "--initial-branch", "main")
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" -B hooks/guard_staged.py\n')
    hook.chmod(0o755)
    clone.git("add", ".")
    assert clone.commit() is None
    return root


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Clone:
    shutil.copytree(origin, tmp_path / "repository")
    return Clone(tmp_path / "repository")


# ---------------------------------------------------------------------------------------------------------------------
# What is refused: file, text, what is said

REFUSED = {
    "a plaintext Secret": (
        "secrets/aws/extra.yaml",
        PLAINTEXT,
        "6: holds a Secret whose stringData.token",
    ),
    "a plaintext Secret anywhere": (
        "litellm/extra.yml",
        PLAINTEXT,
        "stringData.token is not encrypted",
    ),
    "a Secret in base64": (
        "extra.yaml",
        PLAINTEXT.replace("stringData", "data").replace("plaintext", "cGxhaW50ZXh0"),
        "data.token is not encrypted",
    ),
    "a Secret as the second document": (
        "extra.yaml",
        f"kind: ConfigMap\napiVersion: v1\nmetadata: {{name: a}}\n---\n{PLAINTEXT}",
        "stringData.token",
    ),
    "a Secret in a List": (
        "extra.yaml",
        "kind: List\napiVersion: v1\nitems:\n  - kind: Secret\n    data: {a: YQ==}\n",
        "5: holds a Secret whose data.a",
    ),
    "a Secret in JSON": (
        "extra.json",
        '{"kind": "Secret", "stringData": {"a": "b"}}',
        "stringData.a",
    ),
    "a Secret under the name of a sealed one": (
        "secrets/aws/litellm-extra.sops.yaml",
        PLAINTEXT,
        "stringData.token is not encrypted",
    ),
    "a sealed Secret of no environment": (
        "secrets/onprem/litellm-extra.sops.yaml",
        PLAINTEXT,
        "no creation rule of .sops.yaml matches it",
    ),
    "a key of AWS in the values": (
        "litellm/values-aws.yaml",
        f"litellm-helm:\n  envVars:\n    AWS_ACCESS_KEY_ID: {KEY_ID}\n",
        "3: holds an AWS access key id",
    ),
    "a token of GitHub in the README": (
        "README.md",
        f"# a\n\n{GITHUB_TOKEN}\n",
        "3: holds a GitHub token",
    ),
    "an age key in .sops.yaml": (
        ".sops.yaml",
        f"creation_rules:\n  - age: {AGE_KEY}\n",
        "holds an age private key",
    ),
    "the inputs of sealing": ("deployment_outputs.env", "A=b\n", "never enters git"),
    "a private key, by its name alone": ("keys/aws.agekey", "\n", "never enters git"),
    "a token, by its name alone": ("access-token", "x\n", "never enters git"),
}


@pytest.mark.parametrize(("file", "text", "said"), REFUSED.values(), ids=REFUSED)
def test_a_commit_is_refused(clone: Clone, file: str, text: str, said: str) -> None:
    clone.stage(file, text)
    refused = clone.commit()
    assert refused is not None
    assert refused.startswith(f"{file}:") or f"\n{file}:" in refused
    assert said in refused
    assert "Traceback" not in refused


def test_what_is_refused_is_not_repeated(clone: Clone) -> None:
    clone.stage("notes.md", f"{KEY_ID} {AGE_KEY} {GITHUB_TOKEN}")
    refused = clone.commit()
    assert refused is not None
    for credential in (KEY_ID, AGE_KEY, GITHUB_TOKEN):
        assert credential not in refused


def test_a_sealed_secret_that_lost_its_encryption_is_refused(clone: Clone) -> None:
    manifest = yaml.safe_load(clone.read(SECRET))
    manifest["stringData"]["AZURE_CLIENT_SECRET"] = "plaintext"
    clone.stage(SECRET, yaml.safe_dump(manifest))
    assert "stringData.AZURE_CLIENT_SECRET is not encrypted" in (clone.commit() or "")


def test_a_secret_for_other_recipients_than_its_rule_is_refused(clone: Clone) -> None:
    other = "age1" + "q" * 58
    recipient = yaml.safe_load(clone.read(SECRET))["sops"]["age"][0]["recipient"]
    clone.stage(SECRET, clone.read(SECRET).replace(recipient, other))
    assert "recipient" in (clone.commit() or "")


# ---------------------------------------------------------------------------------------------------------------------
# What passes

PASSES = {
    "a change of values": ("litellm/values.yaml", "litellm-helm: {}\n"),
    "a reference to a Secret": (
        "extra.yaml",
        "kind: Deployment\nspec:\n  secretKeyRef: {name: litellm-masterkey, key: masterkey}\n",
    ),
    "a Secret without a value": ("extra.yaml", "kind: Secret\nmetadata: {name: token-request}\n"),
    "a Secret in the template of a chart": (
        "litellm/templates/secret.yaml",
        'kind: Secret\nstringData:\n  a: {{ .Values.a | quote }}\n  b: "{{ .Values.b }}"\n',
    ),
    "a placeholder for a credential": ("notes.md", "AWS_SECRET_ACCESS_KEY=<your key> and sk-…\n"),
    "bytes": ("logo.png", "\0\1\2"),
    "a name with spaces and a line feed": ("a b\nc.yaml", "a: 1\n"),
    "an empty file": ("empty.yaml", ""),
}


@pytest.mark.parametrize(("file", "text"), PASSES.values(), ids=PASSES)
def test_a_commit_passes(clone: Clone, file: str, text: str) -> None:
    clone.stage(file, text)
    assert clone.commit() is None


def test_a_sealed_secret_that_is_renamed_passes(clone: Clone) -> None:
    clone.git("mv", SECRET, SECRET.replace("azure-auth", "azure-other"))
    assert clone.commit() is None


def test_a_deletion_passes(clone: Clone) -> None:
    clone.git("rm", "--quiet", SECRET)
    assert clone.commit() is None


# ---------------------------------------------------------------------------------------------------------------------
# What is judged is what is staged


def test_a_staged_secret_is_refused_although_the_working_tree_is_clean(clone: Clone) -> None:
    clone.stage("extra.yaml", PLAINTEXT)
    clone.write("extra.yaml", "a: 1\n")
    assert clone.commit() is not None


def test_a_secret_in_the_working_tree_alone_passes(clone: Clone) -> None:
    clone.stage("extra.yaml", "a: 1\n")
    clone.write("extra.yaml", PLAINTEXT)
    clone.write("other.yaml", PLAINTEXT)
    assert clone.commit() is None


def test_a_plaintext_file_that_is_renamed_is_refused(clone: Clone) -> None:
    clone.stage("extra.yaml", PLAINTEXT)
    assert clone.git("commit", "--quiet", "--no-verify", "-m", "past the hook").returncode == 0
    clone.git("mv", "extra.yaml", "renamed.yaml")
    assert "renamed.yaml:6: holds a Secret" in (clone.commit() or "")


def test_a_commit_of_everything_is_judged_too(clone: Clone) -> None:
    """`git commit --all` and `git commit FILE` stage into an index of their own."""
    clone.write("litellm/values.yaml", PLAINTEXT)
    assert clone.commit("--all") is not None
    assert clone.commit("litellm/values.yaml") is not None


def test_the_staged_creation_rules_are_what_counts(clone: Clone) -> None:
    clone.write(".sops.yaml", "creation_rules: []\n")
    clone.stage(SECRET, clone.read(SECRET) + "\n")
    assert clone.commit() is None
    clone.git("add", ".sops.yaml")
    clone.stage(SECRET, clone.read(SECRET) + "\n")
    assert "no creation rule" in (clone.commit() or "")


def test_a_first_commit_is_judged(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "--orphan", "fresh")
    clone.stage("extra.yaml", PLAINTEXT)
    assert clone.git("commit", "--quiet", "-m", "first").returncode == 1
    clone.git("rm", "--quiet", "--force", "extra.yaml")
    assert clone.git("commit", "--quiet", "-m", "first").returncode == 0


def test_broken_creation_rules_are_told_in_a_line(clone: Clone) -> None:
    clone.stage(".sops.yaml", "a: [\n")
    refused = clone.commit()
    assert (
        refused
        == "guard_staged: .sops.yaml is staged, but is not valid YAML: nothing is committed\n"
    )


def test_outside_git_it_says_so(origin: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", str(origin / "hooks" / "guard_staged.py")],
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("guard_staged: git diff failed: ")
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------------------------------------------------------


def test_a_commit_of_everything_takes_less_than_0_3_s(clone: Clone) -> None:
    """Processor time, its git commands included: other work on this machine does not count."""
    clone.git("checkout", "--quiet", "--orphan", "fresh")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-B", "hooks/guard_staged.py"], cwd=clone.root, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert took < 0.3, f"{took:.2f} s"
