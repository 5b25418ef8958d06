"""The commit hook of a rendered repository, in a real git repository: nothing unsealed gets into a commit."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.answers import everything

SECRET = "secrets/aws/litellm-azure-auth.sops.yaml"
PLAINTEXT = """\
apiVersion: v1
kind: Secret
metadata:
  name: litellm-extra
stringData:
  token: canary
"""
# made of parts, so that this file holds none
KEY_ID = "AKIA" + "IOSFODNN7QWERTYU"
AGE_KEY = "AGE-SECRET-KEY-1" + "Q" * 58
GITHUB_TOKEN = "gho_" + "a1B2" * 9
AWS_KEY = "a1B2" * 9 + "a1B/"
PEM = "-----BEGIN PRIVATE " + "KEY-----\n"


def archive(text: str) -> bytes:
    """A tar file with one file in it."""
    opened = io.BytesIO()
    with tarfile.open(fileobj=opened, mode="w") as written:
        entry = tarfile.TarInfo("keys/aws.agekey")
        entry.size = len(text)
        written.addfile(entry, io.BytesIO(text.encode()))
    return opened.getvalue()


def coded(text: str, before: int) -> str:
    """A text in base64, after a number of other bytes, in lines as the command of that name writes them."""
    return base64.encodebytes(b"x" * before + text.encode()).decode()


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

    def write(self, file: str, content: str | bytes) -> None:
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))

    def read(self, file: str) -> str:
        return (self.root / file).read_text("utf-8")

    def stage(self, file: str, content: str | bytes) -> None:
        self.write(file, content)
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

REFUSED: dict[str, tuple[str, str | bytes, str]] = {
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
        PLAINTEXT.replace("stringData", "data").replace("canary", "cGxhaW50ZXh0"),
        "data.token is not encrypted",
    ),
    "a Secret as the second document": (
        "extra.yaml",
        f"kind: ConfigMap\napiVersion: v1\nmetadata: {{name: a}}\n---\n{PLAINTEXT}",
        "stringData.token",
    ),
    "a Secret after half an example": (
        "extra.yaml",
        f"kind: ConfigMap\napiVersion: v1\nmetadata: {{name: a}}\ndata:\n  a: |\n    ```\n---\n{PLAINTEXT}",
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
    "a Secret in JSON, spelt otherwise": (
        "own.json",
        '{"kind":"\\u0053ecret", "stringData": {"a": "b"}}',
        "stringData.a",
    ),
    "a Secret with an alias for its kind": (
        "extra.yaml",
        "a: &a Secret\nb:\n  kind: *a\n  data: {a: YQ==}\n",
        "4: holds a Secret whose data.a",
    ),
    "a Secret in the template of a chart": (
        "litellm/templates/secret.yaml",
        f"{{{{- if .Values.own }}}}\n{PLAINTEXT.replace('litellm-extra', '{{ .Release.Name }}-x')}{{{{- end }}}}\n",
        "7: holds a Secret whose stringData.token",
    ),
    "a Secret in a helper of a chart, from a text": (
        "litellm/templates/_own.tpl",
        'kind: Secret\ndata:\n  a: {{ .a }}\n  b: {{ "canary" | b64enc }}\n',
        "4: holds a Secret whose data.b",
    ),
    "lines of a value in the template of a chart": (
        "litellm/templates/secret.yaml",
        "kind: Secret\nname: {{ .a }}-x\nstringData:\n  a: |\n    canary\n",
        "5: holds a Secret whose stringData.a",
    ),
    "a Secret before a broken document": (
        "extra.yaml",
        f"{PLAINTEXT}---\na: [\n",
        "6: holds a Secret whose stringData.token",
    ),
    "a Secret in a broken document": (
        "extra.yaml",
        f"{PLAINTEXT}a: [\n",
        "6: holds a Secret whose stringData.token",
    ),
    "a Secret in UTF-16": ("extra.yaml", PLAINTEXT.encode("utf-16"), "6: holds a Secret"),
    "a patch of a Secret": (
        "secrets/aws/kustomization.yaml",
        "patches:\n  - patch: |-\n      kind: Secret\n      stringData:\n        token: canary\n",
        "5: holds a Secret whose stringData.token",
    ),
    "a JSON patch of a Secret": (
        "own/patch.json",
        '[{"op": "add", "path": "/stringData/token", "value": "canary"}]',
        "1: holds a Secret whose stringData.token",
    ),
    "a JSON patch of what is encoded": (
        "secrets/aws/kustomization.yaml",
        "patches:\n  - target: {kind: Secret}\n    patch: '[{op: add, path: /data/a, value: YQ==}]'\n",
        "3: holds a Secret whose data.a",
    ),
    "a Secret that a release is changed to": (
        "clusters/aws/release/helmrelease.yaml",
        "spec:\n  postRenderers:\n    - kustomize:\n        patches:\n          - patch: |\n"
        "              kind: Secret\n              stringData: {token: canary}\n",
        "7: holds a Secret whose stringData.token",
    ),
    "a Secret that Kustomize makes": (
        "own/kustomization.yaml",
        "secretGenerator:\n  - name: a\n    literals:\n      - token=canary\n",
        "4: holds a Secret whose literals.token",
    ),
    "a value behind what looks sealed": (
        "extra.yaml",
        'kind: Secret\nstringData:\n  a: "ENC[AES256_GCM,x] canary"\n',
        "3: holds a Secret whose stringData.a",
    ),
    "a Secret in itself": (
        "extra.yaml",
        "kind: Secret\na: &a [*a]\nstringData: {b: canary}\n",
        "3: holds a Secret whose stringData.b",
    ),
    "a Secret with a list as a key": (
        "extra.yaml",
        "kind: Secret\nstringData:\n  ? [canary]\n  : canary\n",
        "4: holds a Secret whose stringData.key",
    ),
    "a Secret under the name of a sealed one": (
        "secrets/aws/litellm-extra.sops.yaml",
        PLAINTEXT,
        "1: is not encrypted",
    ),
    "a sealed Secret of no cluster": (
        "secrets/onprem/litellm-extra.sops.yaml",
        PLAINTEXT,
        "1: is not encrypted",
    ),
    "a key of AWS in the values": (
        "litellm/values-aws.yaml",
        f"litellm-helm:\n  envVars:\n    AWS_ACCESS_KEY_ID: {KEY_ID}\n",
        "3: holds an AWS access key id in plaintext",
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
    "an archive of keys": ("keys-backup.tar", archive(f"{AGE_KEY}\n"), "holds an age private key"),
    "what an editor keeps of an input": (
        ".deployment_outputs.env.swp",
        f"b0VIM 9.0\0\0\0AWS_SECRET_ACCESS_KEY={AWS_KEY}\0A=b\0".encode(),
        "holds an AWS secret access key",
    ),
    "an age key in UTF-16": ("notes", f"# a\n{AGE_KEY}\n".encode("utf-16"), "2: holds an age"),
    "an age key in UTF-16 without its mark": ("notes", AGE_KEY.encode("utf-16-be"), "1: holds an"),
    "an age key in Latin-1": ("notes", f"José {AGE_KEY}".encode("latin-1"), "1: holds an age"),
    **{
        f"a {name} in base64 after {before} bytes": (
            "notes",
            coded(text, before),
            f"holds {what} in base64",
        )
        for before in (0, 1, 2, 50)
        for name, text, what in (
            ("key", AGE_KEY, "an age private key"),
            ("service account", f'{{"private_key": "{PEM}"', "a private key"),
        )
    },
    "a key of AWS in its own file": (
        "credentials",
        f"[default]\naws_secret_access_key = {AWS_KEY}\n",
        "2: holds an AWS secret access key",
    ),
    "a password of Redis in a URL": (
        "notes",
        "redis://:" + "canary@redis.example.internal:6379\n",
        "1: holds a password in a URL",
    ),
    "the inputs of sealing": ("deployment_outputs.env", "A=b\n", "never enters git"),
    "a private key, by its name alone": ("keys/aws.agekey", "\n", "never enters git"),
    "a token, by its name alone": ("access-token", "x\n", "never enters git"),
    "a run that would be finished": (".sealing/journal.json", "{}\n", "each clone has one of its own"),
    "a key under another case": ("KEYS/aws.pem", "\n", "never enters git"),
}


@pytest.mark.parametrize(("file", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_a_commit_is_refused(clone: Clone, file: str, content: str | bytes, said: str) -> None:
    clone.stage(file, content)
    refused = clone.commit()
    assert refused is not None
    assert refused.startswith(f"{file}:") or f"\n{file}:" in refused
    assert said in refused
    assert "Traceback" not in refused
    assert "canary" not in refused


@pytest.mark.parametrize("kind", ["file", "link", "submodule"])
@pytest.mark.parametrize("name", ["keys", "Keys"])
def test_nothing_is_committed_that_takes_the_place_of_the_keys(clone: Clone, kind: str, name: str) -> None:
    if (clone.root / "keys").exists():
        shutil.rmtree(clone.root / "keys")
    if kind == "submodule":
        head = clone.git("rev-parse", "HEAD").stdout.strip()
        assert clone.git("update-index", "--add", "--cacheinfo", f"160000,{head},{name}").returncode == 0
    elif kind == "link":
        (clone.root / name).symlink_to("README.md")
    else:
        (clone.root / name).write_text("x\n")
    if kind != "submodule":
        assert clone.git("add", "--force", name).returncode == 0
    refused = clone.commit()
    assert refused is not None
    assert f"{name}: each clone has one of its own" in refused


def test_what_is_refused_is_not_repeated(clone: Clone) -> None:
    clone.stage("notes.md", f"{KEY_ID} {AGE_KEY} {GITHUB_TOKEN}")
    refused = clone.commit()
    assert refused is not None
    for credential in (KEY_ID, AGE_KEY, GITHUB_TOKEN):
        assert credential not in refused


def test_a_sealed_secret_that_lost_its_encryption_is_refused(clone: Clone) -> None:
    manifest = yaml.safe_load(clone.read(SECRET))
    manifest["stringData"]["AZURE_CLIENT_SECRET"] = "canary"
    clone.stage(SECRET, yaml.safe_dump(manifest))
    assert "stringData.AZURE_CLIENT_SECRET is not encrypted" in (clone.commit() or "")


def test_a_comment_in_a_sealed_secret_is_refused(clone: Clone) -> None:
    text = clone.read(SECRET)
    before, values, after = re.split(r"stringData:\n((?:  .*\n)+)", text)
    flow = ", ".join(f'{key}: "{value}"' for key, value in re.findall(r"  (\S+): (.*)\n", values))
    for changed in (
        f"# the old one was canary\n{text}",
        text.replace("kind: Secret", "kind: Secret # canary"),
        f"{before}stringData: {{{flow}}} # canary\n{after}",
        text.replace("- enc: |", "- enc: | # canary"),
        f"{text}# canary\n",
    ):
        clone.stage(SECRET, changed)
        refused = clone.commit() or ""
        assert "has a comment that is not encrypted" in refused
        assert "canary" not in refused
    clone.stage(SECRET, f"{before}stringData: {{{flow}}}\n{after}")
    assert clone.commit() is None


def test_aliases_do_not_hold_a_commit_up(clone: Clone) -> None:
    levels = [f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 11)]
    clone.stage(SECRET, f"{clone.read(SECRET)}b0: &b0 canary\n{''.join(levels)}")
    refused = clone.commit() or ""
    assert "is repeated elsewhere by an alias" in refused
    assert "canary" not in refused


def test_a_key_that_is_no_text_is_not_repeated(clone: Clone) -> None:
    clone.stage(SECRET, clone.read(SECRET).replace("stringData:\n", "stringData:\n  ? [canary]\n  : x\n"))
    refused = clone.commit() or ""
    assert "has a key that is no text" in refused
    assert "canary" not in refused


def test_a_secret_for_other_recipients_than_its_rule_is_refused(clone: Clone) -> None:
    other = "age1" + "q" * 58
    recipient = yaml.safe_load(clone.read(SECRET))["sops"]["age"][0]["recipient"]
    clone.stage(SECRET, clone.read(SECRET).replace(recipient, other))
    assert "recipient" in (clone.commit() or "")


# ---------------------------------------------------------------------------------------------------------------------
# What passes

PASSES: dict[str, tuple[str, str | bytes]] = {
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
    "an image": ("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 8),
    "a certificate in base64": ("ca.yaml", coded("-----BEGIN CERTIFICATE-----\n", 0)),
    "a patch of a Secret's annotations": (
        "secrets/aws/kustomization.yaml",
        "patches:\n  - target: {kind: Secret}\n    patch: |-\n      kind: Secret\n      metadata:\n"
        "        annotations: {own: own}\n",
    ),
    "a patch of a ConfigMap": (
        "own/patch.yaml",
        "- {op: add, path: /data/a, value: b}\n---\nkind: ConfigMap\ndata: {kind: Secret}\n",
    ),
    "names of Secrets in values": (
        "litellm/values-aws.yaml",
        "litellm-helm:\n  db:\n    secret: {name: a, passwordKey: password}\n  redis:\n    auth:\n"
        "      existingSecretPasswordKey: redis-password\n",
    ),
    "a Secret that a script fills": (
        "apply.sh",
        'kubectl apply -f - <<EOF\nkind: Secret\nstringData:\n  a: $TOKEN\n  b: "${TOKEN}"\nEOF\n',
    ),
    "a Secret that a reader fills": ("extra.yaml", "kind: Secret\nstringData: {a: <token>}\n"),
    "an example in a document": ("docs/a.md", f"```yaml\n{PLAINTEXT}```\n"),
    "a name with spaces and a line feed": ("a b\nc.yaml", "a: 1\n"),
    "an empty file": ("empty.yaml", ""),
}


@pytest.mark.parametrize(("file", "content"), PASSES.values(), ids=PASSES)
def test_a_commit_passes(clone: Clone, file: str, content: str | bytes) -> None:
    clone.stage(file, content)
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
    assert ".sops.yaml: no rule matches secrets/aws/" in (clone.commit() or "")


def test_a_first_commit_is_judged(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "--orphan", "fresh")
    clone.stage("extra.yaml", PLAINTEXT)
    assert clone.git("commit", "--quiet", "-m", "first").returncode == 1
    clone.git("rm", "--quiet", "--force", "extra.yaml")
    assert clone.git("commit", "--quiet", "-m", "first").returncode == 0


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("a: [\n", "is not valid YAML"),
        ("creation_rules: null\n", "no rule matches secrets/aws/"),
        ("creation_rules: [a]\n", "has no list `creation_rules`"),
        ("a\n", "has no list `creation_rules`"),
        ("creation_rules:\n  - path_regex: '['\n", "is not a regular expression"),
    ],
)
def test_broken_creation_rules_are_told_in_a_line(clone: Clone, rules: str, said: str) -> None:
    clone.stage(".sops.yaml", rules)
    clone.stage(SECRET, f"{clone.read(SECRET)}\n")
    refused = clone.commit() or ""
    assert refused.startswith(".sops.yaml")
    assert said in refused
    assert refused.count("\n") == 2  # and the way out


def test_outside_git_it_says_so(origin: Path, tmp_path: Path) -> None:
    shutil.copytree(origin / "hooks", tmp_path / "hooks")
    done = subprocess.run(
        [sys.executable, "-B", "hooks/guard_staged.py"],
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("guard_staged: git ls-files failed: ")
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------------------------------------------------------
# The other hook, which prints the auth matrix


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            ".copier-answers.yml",
            ("- bedrock", "- openai"),
            "providers is ['openai', ",
        ),
        ("policies/secrets.yml", ("secrets:", "secrets: ["), "secrets.yml"),
        ("policies/secrets.yml", ("namespace:", "space:"), "lacks `namespace`"),
    ],
)
def test_the_table_of_a_broken_matrix_is_a_line(clone: Clone, file: str, change: tuple[str, str], said: str) -> None:
    text = clone.read(file)
    assert change[0] in text
    clone.write(file, text.replace(*change))
    done = subprocess.run(
        [sys.executable, "-B", "hooks/auth_matrix.py"],
        cwd=clone.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("auth_matrix: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
