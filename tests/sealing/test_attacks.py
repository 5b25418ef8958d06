"""What somebody tries who can write to git and to nothing else, against the shipped commands and the real sops.

A server on this machine stands for his; that it would be called is shown by sops alone.
"""

from __future__ import annotations

import base64
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from litellm_gitops import rules
from litellm_gitops.findings import Finding
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import agreed, creation_rules, keys, recipients
from tests.support.project import commit, git
from tests.support.sealed import content, environment, opened, seal
from tests.support.sealed_store import refresh

ANSWERS = {
    "cluster_environments": ["aws", "gcp"],
    "providers": ["azure_openai"],
    "azure_openai_endpoint": "https://example.openai.azure.com/",
}
SECRET = "secrets/aws/litellm-azure-auth.sops.yaml"
KEY = ("--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_SECRET", "--cluster", "aws")
ARN = "arn:aws:kms:us-west-2:999999999999:key/0f0e0d0c-0b0a-0908-0706-050403020100"
TOKEN = "hvs.canary-of-the-operator"


class Server:
    """Notes each request: its path and its headers."""

    def __init__(self) -> None:
        calls = self.calls = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                calls.append(f"{self.path}\n{self.headers}")
                self.send_response(400)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_PUT = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    noting = Server()
    yield noting
    noting.close()


@pytest.fixture
def operator(server: Server, folder: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of an operator who is logged in to Vault and to AWS, whose KMS is the server here."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".vault-token").write_text(TOKEN)
    (home / "aws").write_text(
        f"[default]\nregion = us-west-2\nservices = here\nmax_attempts = 1\n[services here]\nkms =\n"
        f"  endpoint_url = {server.url}\n"
    )
    (home / "credentials").write_text("[default]\naws_access_key_id = x\naws_secret_access_key = x\n")
    aws = {"AWS_CONFIG_FILE": str(home / "aws"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials")}
    return environment(folder, HOME=str(home), **aws)


def sops_alone(root: Path, operator: dict[str, str], *, age: bool) -> None:
    """What `sops decrypt` does, with or without the private key."""
    key = {"SOPS_AGE_KEY_FILE": str(root / "keys" / "aws.agekey")} if age else {}
    subprocess.run(
        [str(tools.path("sops")), "decrypt", SECRET],
        cwd=root,
        env={**operator, **key},
        capture_output=True,
        check=False,
        timeout=60,
    )


def entry(kind: str, server: Server) -> str:
    created = 'created_at: "2026-01-01T00:00:00Z"'
    return {
        "vault": f"  hc_vault:\n    - vault_address: {server.url}\n      engine_path: transit\n      key_name: x\n"
        f"      {created}\n      enc: vault:v1:AAAA\n",
        "kms": f"  kms:\n    - arn: {ARN}\n      {created}\n      enc: AQICAHh=\n      aws_profile: ''\n",
    }[kind]


def tamper(root: Path, text: str, *, instead: bool) -> None:
    """Add another's key to the metadata of a sealed file, or put it in the place of age; then renew the checksums."""
    path = root / SECRET
    pattern = r"(?ms)^  age:\n.*?(?=^  \w)" if instead else r"(?<=^sops:\n)|(?<=\nsops:\n)"
    path.write_text(re.sub(pattern, lambda _: text, path.read_text(), count=1))
    assert text in path.read_text()
    refresh(root)


# --- A1: a stranger's key --------------------------------------------------------------------------------------------


def wrapped() -> str:
    """An age file that nobody can open, of the form of one that holds a data key."""
    share, key, mac = (base64.b64encode(secrets.token_bytes(32)).rstrip(b"=") for _ in range(3))
    header = b"age-encryption.org/v1\n-> X25519 " + share + b"\n" + key + b"\n--- " + mac + b"\n"
    body = base64.b64encode(header + secrets.token_bytes(64)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN AGE ENCRYPTED FILE-----", *lines, "-----END AGE ENCRYPTED FILE-----"])


def join(root: Path, stranger: str, *, faked: bool) -> None:
    """Add a stranger to every rule and, `faked`, to every file, as if somebody had sealed it for him."""
    config = root / ".sops.yaml"
    config.write_text(config.read_text().replace("    age:\n", f"    age:\n      - {stranger}\n"))
    for path in root.glob("secrets/*/*.sops.yaml") if faked else ():
        text = "\n".join(f"        {line}" for line in wrapped().splitlines())
        added = f"  age:\n    - enc: |\n{text}\n      recipient: {stranger}\n"
        path.write_text(path.read_text().replace("  age:\n", added, 1))
    seal(root)  # which takes no key for it, and renews the checksums
    commit(root, "Add a key")


def wrong(root: Path) -> list[Finding]:
    """What the suite, which has no key, finds."""
    return [each for each in rules.evaluate(Repository(root)) if each.code != "no_placeholder_is_left"]


@pytest.mark.parametrize("arguments", [("--rotate", "litellm-masterkey"), KEY, ("--rekey",)], ids=" ".join)
@pytest.mark.parametrize("faked", [True, False], ids=["fake entries", "the rule alone"])
def test_a_stranger_who_adds_himself_gets_nothing(
    root: Path, folder: Path, tmp_path: Path, arguments: tuple[str, ...], faked: bool
) -> None:
    private, stranger = keys.make(tmp_path)
    (tmp_path / "stranger").write_text(private)
    join(root, stranger, faked=faked)
    found = wrong(root)
    assert [each.file for each in found] == [".sops.yaml"] * 2, "one for each cluster"
    assert all(stranger in each.what for each in found)
    before = content(root)
    answer = seal(root, *arguments, inputs=folder)
    assert answer.returncode == 6
    assert stranger in answer.stderr
    assert "Add a key" in answer.stderr
    assert content(root) == before
    for path in root.glob("secrets/*/*.sops.yaml"):
        key = {"SOPS_AGE_KEY_FILE": str(tmp_path / "stranger")}
        command = [str(tools.path("sops")), "decrypt", str(path)]
        assert subprocess.run(command, env=environment() | key, capture_output=True, check=False).returncode


def test_whoever_also_writes_that_somebody_agreed_is_told_by_the_history_of_git(root: Path, tmp_path: Path) -> None:
    _, stranger = keys.make(tmp_path)
    own = {name: recipients.named(creation_rules.of_cluster(config(root), name) or {}) for name in ("aws", "gcp")}
    agreement = {name: [*found, stranger] for name, found in own.items()}
    (root / agreed.AGREED).write_text(yaml.safe_dump(agreement))
    before = git(root, "log", "-1", "--format=%H")[:10]
    join(root, stranger, faked=True)
    found = wrong(root)
    assert [each.file for each in found] == [".sops.yaml"] * 2
    assert all(f"{stranger} (after commit {before})" in each.what for each in found), found
    # a commit between makes no difference, and neither does the file that was away
    git(root, "rm", "--quiet", SECRET)
    commit(root, "Take it away")
    git(root, "checkout", "HEAD~1", "--", SECRET)
    commit(root, "Bring it back")
    assert len(wrong(root)) == 2
    # where it is meant, the values are made anew
    assert seal(root, "--rekey", "--trust", stranger).returncode == 0
    commit(root, "Rekey")
    assert not wrong(root)


def config(root: Path) -> dict[str, Any]:
    return creation_rules.load((root / ".sops.yaml").read_text())


def diffed(root: Path, env: dict[str, str], *arguments: str) -> str:
    """`git diff`, after the command that README advises."""
    (config,) = re.findall(r"^git config diff.*$", (root / "README.md").read_text(), re.MULTILINE)
    subprocess.run(["sh", "-c", config], cwd=root, check=True)
    key = {"SOPS_AGE_KEY_FILE": str(root / "keys" / "aws.agekey")}
    command = ["git", "diff", *arguments]
    answer = subprocess.run(command, cwd=root, env={**env, **key}, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


# --- A2: a file that sends sops elsewhere ----------------------------------------------------------------------------


@pytest.mark.parametrize("instead", [True, False], ids=["in place of age", "beside age"])
@pytest.mark.parametrize("kind", ["vault", "kms"])
def test_no_command_calls_whom_a_sealed_file_names(
    root: Path, server: Server, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch, kind: str, instead: bool
) -> None:
    tamper(root, entry(kind, server), instead=instead)
    sops_alone(root, operator, age=False)
    assert server.calls, "sops alone calls"
    assert kind == "kms" or TOKEN in server.calls[0]
    server.calls.clear()
    assert seal(root, *KEY, env=operator).returncode == 1
    rekeyed = seal(root, "--rekey", env=operator)
    assert rekeyed.returncode == (0 if kind == "kms" and not instead else 1), "a key that the rule lacks is dropped"
    git(root, "checkout", "--quiet", ".")
    tamper(root, entry(kind, server), instead=instead)
    for name, value in operator.items():
        monkeypatch.setenv(name, value)
    assert [each for each in rules.evaluate(Repository(root), rules.of("decrypted")) if each.file == SECRET]
    assert "ENC[AES256_GCM" in diffed(root, operator, "HEAD", "--", SECRET)
    assert not server.calls


@pytest.mark.parametrize("arguments", [KEY, ("--rotate", "litellm-azure-auth"), ("--rekey",)], ids=" ".join)
def test_a_foreign_key_of_the_cloud_in_rule_and_file_is_not_called_either(
    root: Path, server: Server, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    config = root / ".sops.yaml"
    config.write_text(config.read_text().replace("    age:\n", f"    kms: {ARN}\n    age:\n"))
    for path in root.glob("secrets/*/*.sops.yaml"):
        path.write_text(path.read_text().replace("sops:\n", f"sops:\n{entry('kms', server)}", 1))
    seal(root)
    sops_alone(root, operator, age=False)
    assert server.calls
    server.calls.clear()
    answer = seal(root, *arguments, env=operator)
    assert answer.returncode == 6
    assert f"--trust {ARN}" in answer.stderr
    for name, value in operator.items():
        monkeypatch.setenv(name, value)
    assert [each for each in rules.evaluate(Repository(root), rules.of("decrypted")) if each.file == SECRET]
    assert not server.calls


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kms", f"{ARN}+arn:aws:iam::999999999999:role/x"),
        ("azure_keyvault", "https://vault.azure.net.example.com/keys/x/0123456789abcdef0123456789abcdef"),
        ("azure_keyvault", "http://example.vault.azure.net/keys/x/0123456789abcdef0123456789abcdef"),
        ("gcp_kms", "projects/x"),
        ("hc_vault_transit_uri", "http://127.0.0.1:9/v1/transit/keys/x"),
    ],
)
def test_a_rule_that_sends_the_login_elsewhere_is_refused(root: Path, folder: Path, field: str, value: str) -> None:
    config = root / ".sops.yaml"
    config.write_text(config.read_text().replace("    age:\n", f"    {field}: {value}\n    age:\n"))
    for arguments in (("--rekey",), KEY, ("--rotate", "litellm-masterkey")):
        answer = seal(root, *arguments, inputs=folder)
        assert answer.returncode == 1
        assert "correct the rule" in answer.stderr
    assert any(finding.file == ".sops.yaml" for finding in rules.evaluate(Repository(root), rules.of("sealing")))


# --- the advised `git diff` ------------------------------------------------------------------------------------------


def test_git_diff_shows_what_changed_inside(root: Path, operator: dict[str, str], folder: Path) -> None:
    old = opened(root, "aws/litellm-masterkey")["aws", "litellm-masterkey"]["masterkey"]
    assert seal(root, "--rotate", "litellm-masterkey", "--cluster", "aws", inputs=folder).returncode == 0
    new = opened(root, "aws/litellm-masterkey")["aws", "litellm-masterkey"]["masterkey"]
    lines = re.findall(r"(?m)^[+-] +masterkey: (\S+)", diffed(root, operator, "--", "secrets"))
    assert lines == [old, new]
    shutil.rmtree(root / "keys")
    said = diffed(root, operator, "--", "secrets")
    assert "ENC[AES256_GCM" in said
    assert old not in said


VAULT = (
    "hc_vault: [{vault_address: '@', engine_path: transit, key_name: x, created_at: '2026-01-01T00:00:00Z', "
    "enc: 'vault:v1:AA'}]"
)
FORMS: dict[str, Callable[[str, str], str]] = {
    "in flow style": lambda text, vault: text.replace("sops:\n", f"sops:\n  {vault}\n", 1),
    "in quotes": lambda text, vault: text.replace(
        "sops:\n", f'sops:\n  "\\x68c_vault"{vault.removeprefix("hc_vault")}\n', 1
    ),
    "as an explicit key": lambda text, vault: text.replace(
        "sops:\n", f"sops:\n  ? hc_vault\n  :{vault.partition(':')[2]}\n", 1
    ),
    "by a merge": lambda text, vault: text.replace("sops:\n", f"x: &x {{{vault}}}\nsops:\n  <<: *x\n", 1),
    "in a document before it": lambda text, vault: f"x: 1\nsops: {{{vault}, version: 3.13.3}}\n---\n{text}",
    "in a quoted one before it": lambda text, vault: f'{{"sops": {{{vault}, version: 3.13.3}}}}\n---\n{text}',
    "behind another kind of line break": lambda text, vault: f"x: 1\u2028sops: {{{vault}}}\u2028---\u2028y: 1\n{text}",
    "in a block of its own": lambda text, vault: text.replace("sops:\n", f"'sops': {{{vault}}}\nx:\n", 1),
    "with other line ends": lambda text, vault: text.replace("sops:\n", f"sops:\n  {vault}\n", 1).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_another_key_gets_past_git_diff(
    root: Path, server: Server, operator: dict[str, str], form: str
) -> None:
    path = root / SECRET
    alone = re.sub(r"(?ms)^  age:\n.*?(?=^  \w)", "", path.read_text())
    for text in (alone, path.read_text()):
        path.write_bytes(FORMS[form](text, VAULT.replace("@", server.url)).encode())
        diffed(root, operator, "--", "secrets")
    assert not server.calls
