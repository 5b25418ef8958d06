"""Who may write to git, to a folder in PATH or to an input, gains nothing; and what an operator has is not lost."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

import tools
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import keys, rotation, state, transaction
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.seal import seal as seal_here
from tests.support.inputs import Inputs
from tests.support.sealed import changed, content, encrypt, environment, opened, seal
from tests.support.template import ROOT

ANSWERS = {
    "cluster_environments": ["aws", "gcp"],
    "providers": ["azure_openai", "github_copilot"],
    "azure_openai_endpoint": "https://example.openai.azure.com/",
}
SECRET = "secrets/aws/litellm-azure-auth.sops.yaml"
KEY = ("--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_SECRET", "--cluster", "aws")
VAULT = "\n".join(
    [
        "    hc_vault:",
        "        - vault_address: http://127.0.0.1:9",
        "          engine_path: transit",
        "          key_name: x",
        '          created_at: "2026-01-01T00:00:00Z"',
        "          enc: vault:v1:AAAA",
        "",
    ]
)
STRANGER = "arn:aws:kms:us-west-2:999999999999:key/0f0e0d0c-0b0a-0908-0706-050403020100"
KMS = f'  kms:\n    - arn: {STRANGER}\n      created_at: "2026-01-01T00:00:00Z"\n      enc: AQICAHh=\n'


def noting(folder: Path) -> Path:
    """A folder with the real sops behind one that notes its arguments and its standard input."""
    folder.mkdir()
    program = folder / "sops"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\ntee -a {folder}/calls | {tools.path("sops")} "$@"\n')
    program.chmod(0o755)
    return folder


def git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *own, *arguments], cwd=root, capture_output=True, text=True, check=False)


# --- a sealed file that names others ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (r"(?ms)^  age:\n.*?(?=^  \w)", VAULT.replace("    ", "  ", 1)),
        (r"(?m)^sops:\n", f"sops:\n{VAULT.replace('    ', '  ', 1)}"),
        (r"(?m)^sops:\n", f"sops:\n{KMS}"),
        (r"(?m)^sops:\n", "sops:\n  pgp:\n    - fp: ABCD\n      enc: x\n"),
    ],
    ids=["vault in place of age", "vault beside age", "another's KMS beside age", "PGP beside age"],
)
def test_sops_is_not_started_for_a_file_that_names_others_than_its_rule(
    sealed: Path, folder: Path, tmp_path: Path, pattern: str, new: str
) -> None:
    path = sealed / SECRET
    text = path.read_text()
    path.write_text(re.sub(pattern, lambda _: new, text, count=1))
    assert path.read_text() != text
    before = content(sealed)
    bin_ = noting(tmp_path / "bin")
    env = {**environment(folder), "PATH": f"{bin_}:/usr/bin:/bin"}
    answer = seal(sealed, *KEY, env=env)
    assert answer.returncode == 1
    assert f"{SECRET}:" in answer.stderr
    assert "decrypt" not in (bin_ / "calls").read_text()
    assert content(sealed) == before


def test_rekey_calls_no_cloud_that_the_rule_does_not_name(sealed: Path, tmp_path: Path) -> None:
    path = sealed / SECRET
    values = opened(sealed)
    path.write_text(path.read_text().replace("sops:\n", f"sops:\n{KMS}", 1))
    bin_ = noting(tmp_path / "bin")
    env = {**environment(), "PATH": f"{bin_}:/usr/bin:/bin"}
    answer = seal(sealed, "--rekey", env=env)
    assert answer.returncode == 0, answer.stderr
    assert "decrypt" in (bin_ / "calls").read_text()
    assert STRANGER not in (bin_ / "calls").read_text()
    assert STRANGER not in path.read_text()
    assert opened(sealed) == values
    assert "their pods restart" in answer.stdout


def test_rekey_takes_away_a_recipient_that_the_rule_lost(sealed: Path, tmp_path: Path) -> None:
    _, other = keys.make(tmp_path)
    config = sealed / ".sops.yaml"
    text = config.read_text()
    config.write_text(text.replace("    age:\n", f"    age:\n      - {other}\n"))
    assert seal(sealed, "--rekey").returncode == 6
    assert seal(sealed, "--rekey", "--trust", other).returncode == 0
    assert other in (sealed / SECRET).read_text()
    config.write_text(text)
    assert seal(sealed, "--rekey").returncode == 0
    assert other not in (sealed / SECRET).read_text()
    assert seal(sealed, "--check").returncode == 0


# --- inputs and programs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--rotate", "litellm-azure-auth"], ["--fill"]])
def test_an_input_that_the_matrix_does_not_name_is_never_read(
    unsealed: Path, folder: Path, arguments: list[str]
) -> None:
    if arguments:
        assert seal(unsealed).returncode == 3
    policy, matrix = (unsealed / "policies" / name for name in ("secrets.yml", "auth-matrix.yml"))
    policy.write_text(policy.read_text().replace("[AZURE_CLIENT_SECRET]", "[GITHUB_TOKEN]"))
    # nor where the repository brings a matrix of its own
    own = (ROOT / "policies" / "auth-matrix.yml").read_text("utf-8")
    matrix.write_text(own.replace("[AZURE_CLIENT_SECRET]", "[GITHUB_TOKEN]"))
    before = content(unsealed)
    token = Inputs().files["access-token"]
    answer = seal(unsealed, *arguments, env=environment(folder, GITHUB_TOKEN=token))
    assert answer.returncode == 1
    assert "takes AZURE_CLIENT_SECRET from GITHUB_TOKEN, which is no input of it" in answer.stderr
    assert content(unsealed) == before


@pytest.mark.parametrize(
    "edit", [("generate: master_key", "default: known"), ("generate: master_key", "generate: password")]
)
def test_no_value_is_sealed_that_the_repository_brings(unsealed: Path, folder: Path, edit: tuple[str, str]) -> None:
    policy = unsealed / "policies" / "secrets.yml"
    policy.write_text(policy.read_text().replace(*edit))
    before = content(unsealed)
    answer = seal(unsealed, env=environment(folder))
    assert answer.returncode == 1
    assert "litellm-masterkey takes masterkey in another way than the answers say" in answer.stderr
    assert content(unsealed) == before


MORE = {
    "a Secret of another cluster": (
        "  litellm-aws-auth:\n    clusters: [gcp]\n    keys:\n"
        "      AWS_ACCESS_KEY_ID: {inputs: [AWS_ACCESS_KEY_ID], form: aws_access_key_id}\n"
        "      AWS_SECRET_ACCESS_KEY: {inputs: [AWS_SECRET_ACCESS_KEY], form: aws_secret_access_key}\n",
        "litellm-aws-auth is listed for gcp, and no answer needs it there",
    ),
    "a Secret that nobody knows": (
        "  another:\n    clusters: [aws]\n    keys:\n      key: {generate: password}\n",
        "another takes key in another way than the answers say",
    ),
    "a Secret without a key": (
        "  another:\n    clusters: [aws]\n    keys: {}\n",
        "another is listed for aws, and no answer needs it there",
    ),
}


@pytest.mark.parametrize(("entry", "said"), MORE.values(), ids=MORE)
def test_no_more_is_sealed_than_the_answers_need(sealed: Path, folder: Path, entry: str, said: str) -> None:
    policy = sealed / "policies" / "secrets.yml"
    policy.write_text(policy.read_text() + entry)
    (folder / "deployment_outputs.env").open("a").write(
        f"AWS_ACCESS_KEY_ID={'AKIA' + 'IOSFODNN7QWERTYU'}\nAWS_SECRET_ACCESS_KEY={'a1B2' * 9 + 'a1B/'}\n"
    )
    before = content(sealed)
    answer = seal(sealed, inputs=folder)
    assert answer.returncode == 1
    assert said in answer.stderr
    assert content(sealed) == before
    assert "policies/secrets.yml" in {each.file for each in state.findings(Repository(sealed))}


def test_the_package_says_what_is_never_rotated(sealed: Path, folder: Path) -> None:
    policy = sealed / "policies" / "secrets.yml"
    policy.write_text(re.sub(r"    never_rotate: .*\n", "", policy.read_text()))
    before = content(sealed)
    answer = seal(sealed, "--rotate", "litellm-salt-key", inputs=folder)
    assert answer.returncode == 1
    assert "litellm-salt-key is not rotated by a tool: a new salt key makes" in answer.stderr
    assert content(sealed) == before


def test_nothing_is_sealed_for_another_namespace(sealed: Path, folder: Path) -> None:
    policy = sealed / "policies" / "secrets.yml"
    policy.write_text(policy.read_text().replace("namespace: litellm", "namespace: another"))
    before = content(sealed)
    for arguments in (("--rotate", "litellm-masterkey"), KEY):
        answer = seal(sealed, *arguments, inputs=folder)
        assert answer.returncode == 1
        assert (
            "policies/secrets.yml has the namespace another, and secrets/aws/litellm-azure-auth.sops.yaml has litellm"
            in answer.stderr
        )
        assert content(sealed) == before


@pytest.mark.parametrize("entry", ["", ".", "repository/bin", "{root}/bin", "{root}/hooks/../bin"])
def test_no_program_of_the_repository_is_run(unsealed: Path, folder: Path, tmp_path: Path, entry: str) -> None:
    assert git(unsealed, "init", "--quiet").returncode == 0
    bin_ = unsealed / "bin"
    bin_.mkdir()
    for place in (bin_, unsealed, unsealed.parent):  # the command starts in the last one
        for name in ("sops", "age-keygen", "git"):
            (place / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
            (place / name).chmod(0o755)
    path = f"{entry.replace('{root}', str(unsealed))}:{environment()['PATH']}"
    answer = seal(unsealed, env={**environment(folder), "PATH": path})
    assert answer.returncode == 0, answer.stderr
    assert not (tmp_path / "ran").exists()


# --- what an operator has --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_ID")])
def test_one_id_in_place_of_two_is_refused(
    sealed: Path, folder: Path, inputs: Inputs, arguments: tuple[str, ...]
) -> None:
    if not arguments:
        (sealed / "secrets/aws/litellm-azure-auth.sops.yaml").unlink()
    before = content(sealed)
    tenant = inputs.lines["AZURE_TENANT_ID"]
    answer = seal(sealed, *arguments, env=environment(folder, AZURE_CLIENT_ID=tenant.upper()))
    assert answer.returncode == 1
    said = "AZURE_CLIENT_ID and AZURE_TENANT_ID (for aws) are the same id: each has its own. Nothing was sealed."
    assert answer.stderr == f"seal_secrets: {said}\n"
    assert content(sealed) == before


def test_a_login_of_two_databases_is_noted(unsealed: Path, folder: Path) -> None:
    outputs = folder / "deployment_outputs.env"
    own = outputs.read_text()
    names = {"LITELLM_DATABASE_USERNAME": "CODEMIE_POSTGRES_DATABASE_USER"}
    names["LITELLM_DATABASE_PASSWORD"] = "CODEMIE_POSTGRES_DATABASE_PASSWORD"
    for name, other in names.items():
        own = own.replace(f"{name}=", f"{other}=")
    outputs.write_text(own)
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 0
    origins = ("LITELLM_DATABASE_HOST", *list(names.values())[::-1])
    shown = ", ".join(f"{name} from deployment_outputs.env" for name in origins)
    assert f"note: litellm-postgresql (aws, gcp) has {shown}\n" in answer.stderr
    outputs.write_text(own.replace("LITELLM_DATABASE_HOST=", "CODEMIE_POSTGRES_DATABASE_HOST="))
    assert "note:" not in seal(unsealed, "--rotate", "litellm-postgresql", inputs=folder).stderr


def test_the_keys_of_an_installation_that_moves_in_are_taken_and_said(unsealed: Path, folder: Path) -> None:
    master, salt = f"sk-{secrets.token_hex(16)}", "an old salt key"
    (folder / "deployment_outputs.env").open("a").write(f"LITELLM_SALT_KEY='{salt}'\n")
    answer = seal(unsealed, env=environment(folder, LITELLM_MASTER_KEY=master))
    assert answer.returncode == 0
    values = opened(unsealed, "*/litellm-*key")
    for cluster in ("aws", "gcp"):
        assert values[cluster, "litellm-masterkey"]["masterkey"] == master
        assert values[cluster, "litellm-salt-key"]["LITELLM_SALT_KEY"] == salt
    notes = [line for line in answer.stderr.splitlines() if line.startswith("note:")]
    assert notes == [
        "note: litellm-masterkey (aws, gcp) has LITELLM_MASTER_KEY from the environment",
        "note: litellm-salt-key (aws, gcp) has LITELLM_SALT_KEY from deployment_outputs.env",
    ]
    assert not [each for each in (master, salt) if each in answer.stdout + answer.stderr]


def test_the_names_of_the_deployment_before_serve(unsealed: Path, folder: Path) -> None:
    outputs = folder / "deployment_outputs.env"
    lines = [line for line in outputs.read_text().splitlines() if "DATABASE" not in line]
    codemie = {"HOST": "db.example.internal", "USER": "codemie", "PASSWORD": "p@ss/w:rd"}
    lines += [f"CODEMIE_POSTGRES_DATABASE_{name}='{value}'" for name, value in codemie.items()]
    outputs.write_text("\n".join(lines) + "\n")
    assert seal(unsealed, inputs=folder).returncode == 0
    values = opened(unsealed, "aws/litellm-postgresql")["aws", "litellm-postgresql"]
    assert values == {"host": "db.example.internal", "username": "codemie", "password": "p%40ss%2Fw%3Ard"}


@pytest.mark.parametrize("name", ["SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", "SOPS_AGE_KEY_FILE", "home"])
def test_a_key_in_any_usual_place_opens(sealed: Path, folder: Path, tmp_path: Path, name: str) -> None:
    key = tmp_path / "mine"
    shutil.move(sealed / "keys" / "aws.agekey", key)
    values = {
        "SOPS_AGE_KEY": key.read_text().splitlines()[-1],
        "SOPS_AGE_KEY_CMD": f"cat {key}",
        "SOPS_AGE_KEY_FILE": str(key),
    }
    env = environment(folder, **({name: values[name]} if name in values else {"HOME": str(tmp_path)}))
    if name == "home":
        (tmp_path / ".config/sops/age").mkdir(parents=True)
        shutil.copy(key, tmp_path / ".config/sops/age/keys.txt")
    assert seal(sealed, "--rekey", "--cluster", "aws", env=env).returncode == 0
    assert seal(sealed, *KEY, env=env).returncode == 0
    assert seal(sealed, *KEY, inputs=folder).returncode == 1


def test_an_own_secret_may_have_an_empty_value(sealed: Path) -> None:
    own = sealed / "secrets" / "aws" / "team-keys.sops.yaml"
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "team-keys", "namespace": "litellm"},
        "type": "Opaque",
        "stringData": {"EXTRA": "", "KEY": "value"},
    }
    encrypt(manifest, own, sealed)
    assert 'EXTRA: ""' in own.read_text()
    assert not [each for each in state.findings(Repository(sealed)) if "is not encrypted" in each.what]
    assert seal(sealed, "--rekey").returncode == 0
    assert 'EXTRA: ""' in own.read_text()
    own.write_text(own.read_text().replace('EXTRA: ""', "EXTRA:"))
    assert "stringData.EXTRA is not encrypted" in seal(sealed, "--check").stderr


def test_an_empty_value_of_a_needed_secret_is_found(sealed: Path) -> None:
    path = sealed / "secrets" / "aws" / "litellm-masterkey.sops.yaml"
    path.write_text(re.sub(r"masterkey: ENC.*", 'masterkey: ""', path.read_text()))
    assert seal(sealed).returncode == 0, "the checksums follow, as an attacker has them follow"
    answer = seal(sealed, "--check")
    assert answer.returncode == 5
    assert "masterkey is empty — uv run hooks/seal_secrets.py --rotate litellm-masterkey" in answer.stderr


def test_fill_seals_the_placeholders_whose_inputs_are_there(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    token = (folder / "access-token").read_text()
    outputs = folder / "deployment_outputs.env"
    lines = outputs.read_text()
    outputs.write_text("")
    (folder / "access-token").unlink()
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 3
    assert answer.stderr.splitlines()[-1] == "then: uv run hooks/seal_secrets.py --fill"
    assert "litellm-azure-auth" not in answer.stdout
    before = content(unsealed)
    answer = seal(unsealed, "--fill", inputs=folder)
    assert (answer.returncode, answer.stdout) == (3, "no placeholder has its inputs now; nothing was changed\n")
    assert content(unsealed) == before
    (folder / "access-token").write_text(token)
    outputs.write_text("".join(line for line in lines.splitlines(True) if "AZURE_CLIENT_SECRET" not in line))
    answer = seal(unsealed, "--fill", inputs=folder)
    assert answer.returncode == 3
    assert "litellm-azure-auth (aws, gcp): give AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, " in answer.stderr
    assert changed(before, content(unsealed)) == {
        *(f"litellm/checksums-{each}.yaml" for each in ("aws", "gcp")),
        *(
            f"secrets/{each}/litellm-{name}.sops.yaml"
            for each in ("aws", "gcp")
            for name in ("github-copilot", "postgresql")
        ),
    }
    outputs.write_text(lines)
    assert seal(unsealed, "--fill", "--cluster", "gcp", inputs=folder).returncode == 0
    assert seal(unsealed, "--fill", inputs=folder).returncode == 0
    assert opened(unsealed)["aws", "litellm-azure-auth"]["AZURE_CLIENT_SECRET"] == inputs.lines["AZURE_CLIENT_SECRET"]
    assert seal(unsealed, "--check").returncode == 0


def test_a_file_that_git_ignores_is_not_written_over(unsealed: Path, folder: Path) -> None:
    (unsealed / ".gitignore").open("a").write("\n/secrets/aws/litellm-azure-auth.sops.yaml\n")
    (unsealed / SECRET).write_text("mine\n")
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 1
    assert f"{SECRET} is there, but git ignores it" in answer.stderr
    assert (unsealed / SECRET).read_text() == "mine\n"


# --- git conflicts ---------------------------------------------------------------------------------------------------


@pytest.fixture
def conflict(sealed: Path, folder: Path) -> Path:
    """A merge of two branches that rotated one Secret, with the markers of git in it."""
    (sealed / ".gitattributes").unlink()
    git(sealed, "init", "--quiet", "--initial-branch", "main")
    for branch in ("main", "other"):
        if branch == "other":
            git(sealed, "checkout", "--quiet", "-b", "other", "HEAD")
            git(sealed, "checkout", "--quiet", "main")
        git(sealed, "add", "--all")
        git(sealed, "commit", "--quiet", "--message", "x")
    for branch in ("main", "other"):
        git(sealed, "checkout", "--quiet", branch)
        assert seal(sealed, "--rotate", "litellm-masterkey", "--cluster", "aws", inputs=folder).returncode == 0
        git(sealed, "commit", "--quiet", "--all", "--message", branch)
    assert git(sealed, "merge", "main").returncode == 1
    assert "<<<<<<<" in (sealed / "secrets/aws/litellm-masterkey.sops.yaml").read_text()
    return sealed


def test_a_conflict_has_a_state_of_its_own_and_nothing_is_written_over_it(conflict: Path, folder: Path) -> None:
    file = "secrets/aws/litellm-masterkey.sops.yaml"
    before = content(conflict)
    for arguments in ([], ["--rekey"], list(KEY), ["--rotate", "litellm-postgresql"]):
        answer = seal(conflict, *arguments, inputs=folder)
        assert answer.returncode == 5, arguments
        assert f"{file}:" in answer.stderr
        assert f"take one side whole (git checkout --theirs {file}, or --ours)" in answer.stderr
        assert content(conflict) == before
    assert seal(conflict, "--check").returncode == 5
    assert re.search(r"^aws +litellm-masterkey +masterkey +conflict ", seal(conflict, "--list").stdout, re.MULTILINE)


@pytest.mark.parametrize("side", ["--theirs", "--ours"])
def test_the_advice_for_a_conflict_works(conflict: Path, folder: Path, side: str) -> None:
    assert git(conflict, "checkout", side, "secrets/aws/litellm-masterkey.sops.yaml").returncode == 0
    assert git(conflict, "add", "secrets/aws/litellm-masterkey.sops.yaml").returncode == 0
    assert seal(conflict, inputs=folder).returncode == 0, "the checksums follow"
    assert seal(conflict, "--check").returncode == 0
    assert opened(conflict, "aws/litellm-masterkey")


def test_a_rotation_mends_the_conflict_of_its_own_secret(conflict: Path, folder: Path) -> None:
    assert seal(conflict, "--rotate", "litellm-masterkey", inputs=folder).returncode == 0
    assert seal(conflict, "--check").returncode == 0


# --- the machine -----------------------------------------------------------------------------------------------------


CANNOT = [errno.EINVAL, errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EBADF, errno.ENOSYS, errno.ENOLCK]
CALLS = {
    "sync a folder": (os, "fsync"),
    "sync a file": (os, "fsync"),
    "lock": (fcntl, "flock"),
    "chmod": (os, "fchmod"),
}


def _failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """Has the file system refuse a call, the lock of a folder alone."""
    module, name = CALLS[call]
    real = getattr(module, name)

    def refuse(handle: int, *more: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode) == (call in ("sync a folder", "lock")):
            raise OSError(number, os.strerror(number))
        real(handle, *more)

    monkeypatch.setattr(module, name, refuse)


@pytest.mark.parametrize("number", CANNOT, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("call", CALLS)
def test_what_a_shared_folder_cannot_do_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    _failing(monkeypatch, call, number)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (root := tmp_path / "repository").mkdir()
    with transaction.lock(root), transaction.Transaction(root) as change:
        change.put("keys/aws.agekey", "text", mode=0o600)
    assert (root / "keys" / "aws.agekey").read_text() == "text"
    assert not transaction.unfinished(root)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("call", CALLS)
def test_a_disk_that_is_full_or_broken_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    _failing(monkeypatch, call, number)
    with pytest.raises(OSError), transaction.lock(tmp_path), transaction.Transaction(tmp_path) as change:  # noqa: PT011
        change.put("keys/aws.agekey", "text")


def test_two_runs_wait_for_each_other_where_the_folder_takes_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, "lock", errno.ENOLCK)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with transaction.lock(tmp_path):
        (file,) = tmp_path.glob("litellm-gitops-*.lock")
        with file.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_keys_that_stay_open_to_others_are_not_said_to_be_closed(
    sealed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (sealed / "keys").chmod(0o777)
    monkeypatch.setattr(Path, "chmod", lambda *_, **__: None)
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    assert rotation.rotate(Repository(sealed), "litellm-masterkey") == 0
    assert "keys is open to others, and this file system keeps it so" in capsys.readouterr().err


def test_keys_that_were_open_to_others_are_closed(sealed: Path, folder: Path) -> None:
    (sealed / "keys").chmod(0o755)
    (sealed / "keys" / "aws.agekey").chmod(0o644)
    answer = seal(sealed, inputs=folder)
    assert "keys was open to others" in answer.stderr
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (sealed / "keys", *(sealed / "keys").iterdir())}
    assert modes == {"keys": 0o700, "aws.agekey": 0o600, "gcp.agekey": 0o600}


# --- in the process of another command -------------------------------------------------------------------------------


def test_an_input_is_prepared_and_sealed_in_the_process(
    unsealed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    before = content(unsealed)
    repository = Repository(unsealed)
    assert rotation.prepare_input(repository, "litellm-github-copilot") == ["aws", "gcp"]
    assert content(unsealed) == before
    token = Inputs().files["access-token"]
    assert rotation.rotate(repository, "litellm-github-copilot", given={"access-token": token}) == 0
    assert opened(unsealed, "*/litellm-github-copilot")["gcp", "litellm-github-copilot"] == {"access-token": token}
    assert seal_here(Repository(unsealed)) == 0
    assert not state.findings(Repository(unsealed))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SealingError, match="sops is not on PATH"):
        rotation.prepare_input(repository, "litellm-github-copilot")


@pytest.mark.parametrize("broken", ["recipient", "rule", "input"])
def test_what_would_fail_is_said_when_an_input_is_prepared(
    sealed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    files = {"recipient": ".sops.yaml", "rule": ".sops.yaml", "input": "policies/secrets.yml"}
    path = sealed / files[broken]
    text = path.read_text()
    config = yaml.safe_load(text)
    if broken == "recipient":
        config["creation_rules"][0]["age"] = ["age1" + "q" * 58]
    elif broken == "rule":
        config["creation_rules"][0]["encrypted_regex"] = "["
    else:
        config["secrets"]["litellm-github-copilot"]["keys"]["access-token"] = {"inputs": ["GITHUB_TOKEN"]}
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(SealingError):
        rotation.prepare_input(Repository(sealed), "litellm-github-copilot")
