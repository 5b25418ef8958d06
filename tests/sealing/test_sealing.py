"""Sealing with the real sops: what goes in comes out again with the right key, and shows nowhere else."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import tools
from litellm_gitops.files import Held
from litellm_gitops.policies import Source
from litellm_gitops.sealing import keys
from litellm_gitops.sealing.inputs import Inputs as SealingInputs
from tests.support import quick
from tests.support.inputs import Inputs
from tests.support.sealed import changed, content, decrypt, encrypt, environment, opened, seal

Render = Callable[..., Path]

ANSWERS = {
    "cluster_environments": ["aws", "gcp"],
    "providers": ["bedrock", "vertex_ai", "azure_openai", "github_copilot"],
    "eks_aws_role_arn": "arn:aws:iam::123456789012:role/litellm",
    "vertex_project": "example-ai",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
    "redis": "external",
    "aws_redis_host": "redis.example.internal",
    "gcp_redis_host": "redis.example.internal",
}
# One repository for each method alone, and the Secret that it needs beside those that every repository has.
METHODS: dict[str, tuple[dict[str, object], str | None]] = {
    "irsa": (
        {"providers": ["bedrock"], "eks_aws_role_arn": "arn:aws:iam::123456789012:role/x"},
        None,
    ),
    "aws_user": ({"providers": ["bedrock"], "bedrock_auth_aws": "aws_user"}, "litellm-aws-auth"),
    "gcp_service_account": (
        {"providers": ["vertex_ai"], "vertex_project": "example-ai"},
        "litellm-gcp-auth",
    ),
    "entra_id": (
        {"providers": ["azure_openai"], "azure_openai_endpoint": "https://x.openai.azure.com/"},
        "litellm-azure-auth",
    ),
    "oauth_token": ({"providers": ["github_copilot"]}, "litellm-github-copilot"),
}
ALWAYS = {"litellm-masterkey", "litellm-postgresql", "litellm-salt-key"}


@pytest.fixture
def small(render: Render, tmp_path: Path) -> Path:
    """A repository of one environment and one provider, for what is the same in every one."""
    given = {"providers": ["bedrock"], "eks_aws_role_arn": ANSWERS["eks_aws_role_arn"]}
    redis = {name: ANSWERS[name] for name in ("redis", "aws_redis_host")}
    return Path(shutil.copytree(render(**given, **redis), tmp_path / "repository"))


def test_every_input_comes_out_again_with_the_key_of_its_environment(sealed: Path, inputs: Inputs) -> None:
    secrets = opened(sealed)
    assert len(secrets) == 7 + 8  # IRSA spares aws a Secret
    for (_, name), values in secrets.items():
        for key, value in values.items():
            expected = inputs.expected(name, key)
            if expected is not None:
                assert value == expected, f"{name}/{key} is not its input"
    other = sealed / "keys" / "gcp.agekey"
    with pytest.raises(AssertionError, match="exit code 128"):
        decrypt(sealed / "secrets" / "aws" / "litellm-postgresql.sops.yaml", other)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_alone_seals_exactly_its_secret(
    method: str, render: Render, tmp_path: Path, inputs: Inputs, folder: Path
) -> None:
    answers, secret = METHODS[method]
    root = Path(shutil.copytree(render(**answers), tmp_path / "repository"))
    assert seal(root, inputs=folder).returncode == 0
    values = {name: entry for (_, name), entry in opened(root).items()}
    assert set(values) == ALWAYS | ({secret} if secret else set())
    for key, value in values.get(secret or "", {}).items():
        assert value == inputs.expected(str(secret), key)


def test_generated_values_have_their_form_and_differ_between_environments(sealed: Path) -> None:
    secrets = opened(sealed, "*/*key")
    keys = [secrets[environment, "litellm-masterkey"]["masterkey"] for environment in ("aws", "gcp")]
    assert all(re.fullmatch(r"sk-[0-9a-f]{32}", key) for key in keys)
    assert keys[0] != keys[1]
    assert secrets["aws", "litellm-salt-key"] != secrets["gcp", "litellm-salt-key"]


def test_no_input_is_found_in_any_file(sealed: Path, inputs: Inputs) -> None:
    for path, data in content(sealed).items():
        for number, canary in enumerate(inputs.canaries()):
            assert canary.encode() not in data, f"input {number} is in {path} in plaintext"


def test_the_output_names_secrets_and_never_their_values(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    answer = seal(unsealed, inputs=folder)
    assert "litellm-postgresql" in answer.stdout
    assert not [canary for canary in inputs.canaries() if canary in answer.stdout + answer.stderr]


def test_a_private_key_is_for_its_owner_alone(sealed: Path) -> None:
    for environment_name in ("aws", "gcp"):
        key = sealed / "keys" / f"{environment_name}.agekey"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((sealed / "keys").stat().st_mode) == 0o700


def test_own_recipients_make_no_key(render: Render, tmp_path: Path, folder: Path, sealed: Path) -> None:
    recipient = re.findall(r"age1\w{58}", (sealed / "keys" / "aws.agekey").read_text())[0]
    root = Path(shutil.copytree(render(**ANSWERS, age_recipients=[recipient]), tmp_path / "own"))
    assert seal(root, inputs=folder).returncode == 0
    assert not (root / "keys").exists()
    assert decrypt(root / "secrets" / "gcp" / "litellm-masterkey.sops.yaml", sealed / "keys" / "aws.agekey")


def test_a_recipient_with_a_wrong_letter_is_named(render: Render, tmp_path: Path, folder: Path) -> None:
    _, good = keys.make(tmp_path)
    wrong = good[:-1] + ("q" if good[-1] != "q" else "p")
    given = {**ANSWERS, "age_recipients": [good, wrong]}
    root = Path(shutil.copytree(render(**given), tmp_path / "own"))
    answer = seal(root, inputs=folder)
    assert answer.returncode == 1
    assert f"{wrong!r}, which age_recipients in .copier-answers.yml names" in answer.stderr
    assert good not in answer.stderr
    assert not (root / ".sops.yaml").exists()


@pytest.mark.parametrize("answer", ["5", "word", "[5]", "{a: b}"])
def test_recipients_that_are_none_are_named(render: Render, tmp_path: Path, folder: Path, answer: str) -> None:
    root = Path(shutil.copytree(render(cluster_environments=["aws"], providers=["github_copilot"]), tmp_path / "own"))
    with (root / ".copier-answers.yml").open("a") as answers:
        answers.write(f"age_recipients: {answer}\n")
    told = seal(root, inputs=folder)
    assert told.returncode == 1
    assert "which age_recipients in .copier-answers.yml names, is not an age public key" in told.stderr


def test_a_second_run_changes_nothing(sealed: Path, folder: Path) -> None:
    before = content(sealed)
    assert seal(sealed, inputs=folder).returncode == 0
    assert content(sealed) == before


def test_a_run_seals_only_what_is_missing(sealed: Path, folder: Path) -> None:
    before = content(sealed)
    path = "secrets/aws/litellm-azure-auth.sops.yaml"
    (sealed / path).unlink()
    assert seal(sealed, inputs=folder).returncode == 0
    assert changed(before, content(sealed)) == {path, "litellm/checksums-aws.yaml"}


def test_checksums_are_the_digests_of_the_sealed_files(sealed: Path) -> None:
    values = yaml.safe_load((sealed / "litellm" / "checksums-gcp.yaml").read_text())
    expected = {
        f"checksum/{path.name.removesuffix('.sops.yaml')}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (sealed / "secrets" / "gcp").glob("*.sops.yaml")
    }
    assert values == {"litellm-helm": {"podAnnotations": expected}}


def test_the_bundled_redis_restarts_for_its_password_as_the_proxy_does(
    render: Render, tmp_path: Path, folder: Path
) -> None:
    answers = {key: value for key, value in ANSWERS.items() if "redis_host" not in key}
    rendered = render(**answers | {"redis": "bundled"})
    root = Path(shutil.copytree(rendered, tmp_path / "repository"))
    known = set()
    for arguments in ((), ("--rotate", "litellm-redis"), ("--rotate", "litellm-masterkey")):
        assert seal(root, *arguments, inputs=folder).returncode == 0
        values = yaml.safe_load((root / "litellm" / "checksums-gcp.yaml").read_text())
        redis = values["litellm-helm"]["redis"]["master"]["podAnnotations"]
        digest = (root / "secrets" / "gcp" / "litellm-redis.sops.yaml").read_bytes()
        assert redis == {"checksum/litellm-redis": hashlib.sha256(digest).hexdigest()}
        assert redis.items() <= values["litellm-helm"]["podAnnotations"].items()
        known.add(redis["checksum/litellm-redis"])
    assert len(known) == 2, "only its own rotation restarts Redis"


# --- inputs ----------------------------------------------------------------------------------------------------------


def test_an_environments_own_value_wins(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    own = Inputs()
    with (folder / "deployment_outputs.env").open("a") as file:
        file.write(f"AZURE_CLIENT_SECRET__GCP={own.lines['AZURE_CLIENT_SECRET']}\n")
    assert seal(unsealed, inputs=folder).returncode == 0
    secrets = opened(unsealed, "*/litellm-azure-auth")
    assert secrets["aws", "litellm-azure-auth"]["AZURE_CLIENT_SECRET"] == inputs.lines["AZURE_CLIENT_SECRET"]
    assert secrets["gcp", "litellm-azure-auth"]["AZURE_CLIENT_SECRET"] == own.lines["AZURE_CLIENT_SECRET"]


# where it is -> the value, from the weakest to the strongest
HOSTS = (
    ("file", "CODEMIE_POSTGRES_DATABASE_HOST"),
    ("file", "LITELLM_DATABASE_HOST"),
    ("environment", "CODEMIE_POSTGRES_DATABASE_HOST"),
    ("environment", "LITELLM_DATABASE_HOST"),
    ("file", "CODEMIE_POSTGRES_DATABASE_HOST__AWS"),
    ("file", "LITELLM_DATABASE_HOST__AWS"),
    ("environment", "CODEMIE_POSTGRES_DATABASE_HOST__AWS"),
    ("environment", "LITELLM_DATABASE_HOST__AWS"),
)


def test_each_place_wins_over_those_before_it(tmp_path: Path) -> None:
    found: dict[str, dict[str, str]] = {"file": {}, "environment": {}}
    source = Source(inputs=["LITELLM_DATABASE_HOST", "CODEMIE_POSTGRES_DATABASE_HOST"], form="url_host")
    for number, (place, name) in enumerate(HOSTS):
        for value in (" ", f"host{number}"):  # what is blank is not there
            found[place][name] = value
            inputs = SealingInputs(tmp_path, found["file"], found["environment"], {}, Held(tmp_path))
            host = inputs.lookup("host", source, "aws")
            expected = f"host{number - 1}" if value == " " else value
            assert (host.reveal() if host else "host-1") == expected, (place, name)


def test_a_blank_file_of_an_environment_does_not_hide_the_shared_one(
    unsealed: Path, inputs: Inputs, folder: Path
) -> None:
    (folder / "access-token__GCP").write_text("\n")
    assert seal(unsealed, inputs=folder).returncode == 0
    token = opened(unsealed, "gcp/litellm-github-copilot")["gcp", "litellm-github-copilot"]
    assert token["access-token"] == inputs.files["access-token"].rstrip("\n")


def test_the_process_environment_comes_before_the_file(small: Path, folder: Path) -> None:
    own = Inputs().lines["LITELLM_DATABASE_PASSWORD"]
    env = environment(folder, LITELLM_DATABASE_PASSWORD=own)
    assert seal(small, env=env).returncode == 0
    assert opened(small)["aws", "litellm-postgresql"]["password"] == own


def test_half_a_pair_from_another_place_is_named(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    own = Inputs().lines["AWS_ACCESS_KEY_ID"]
    answer = seal(unsealed, env=environment(folder, AWS_ACCESS_KEY_ID=own))
    assert answer.returncode == 0
    notes = [line for line in answer.stderr.splitlines() if line.startswith("note:")]
    assert notes == [
        "note: litellm-aws-auth (gcp) has AWS_ACCESS_KEY_ID from the environment (not the one of "
        "deployment_outputs.env), AWS_SECRET_ACCESS_KEY from deployment_outputs.env"
    ]
    assert own not in answer.stderr
    # from one place there is nothing to say
    assert "note:" not in seal(unsealed, "--rotate", "litellm-aws-auth", inputs=folder).stderr


def test_a_rotation_that_takes_a_default_says_so(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    lines = {name: inputs.lines[f"LITELLM_DATABASE_{name}"] for name in ("HOST", "PASSWORD")}
    env = environment(folder, LITELLM_DATABASE_USERNAME="owner")
    assert seal(unsealed, env=env).returncode == 0
    (folder / "deployment_outputs.env").write_text(
        "".join(f"LITELLM_DATABASE_{name}={value}\n" for name, value in lines.items())
    )
    answer = seal(unsealed, "--rotate", "litellm-postgresql", "--cluster", "aws", inputs=folder)
    assert "has the default for username, litellm: LITELLM_DATABASE_USERNAME" in answer.stderr
    rotation = ("--rotate", "litellm-postgresql", "--key", "password", "--cluster", "gcp")
    answer = seal(unsealed, *rotation, inputs=folder)
    assert "default" not in answer.stderr
    values = opened(unsealed, "*/litellm-postgresql")
    users = [values[each, "litellm-postgresql"]["username"] for each in ("aws", "gcp")]
    assert users == ["litellm", "owner"]


@pytest.mark.parametrize("way", ["environment", "standard input"])
def test_bytes_that_are_no_text_are_refused(sealed: Path, folder: Path, way: str) -> None:
    before = content(sealed)
    env: dict[bytes, bytes] = {key.encode(): value.encode() for key, value in environment(folder).items()}
    options = ["--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_SECRET"]
    if way == "environment":
        env[b"AZURE_CLIENT_SECRET"] = b"abc\xff\xe9def"
    else:
        options += ["--stdin", "AZURE_CLIENT_SECRET"]
    answer = subprocess.run(
        [sys.executable, "-B", str(sealed / "hooks" / "seal_secrets.py"), *options],
        env=env,
        input=b"abc\xff\xe9def",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert b"not UTF-8" in answer.stderr
    assert content(sealed) == before


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("LITELLM_REDIS_PASSWORD=plain", "plain"),
        ("LITELLM_REDIS_PASSWORD=no\u00a0break\u00a0", "no\u00a0break\u00a0"),
        ("export LITELLM_REDIS_PASSWORD='single $HOME \"x\"'", 'single $HOME "x"'),
        ('LITELLM_REDIS_PASSWORD="double \\"q\\" \\$HOME"', 'double "q" $HOME'),
        ("LITELLM_REDIS_PASSWORD=a'b c'\"d\"", "ab cd"),
        ("LITELLM_REDIS_PASSWORD=with#hash # and a comment, isn't it", "with#hash"),
        ("LITELLM_REDIS_PASSWORD=$(touch /tmp/executed)x", None),
        ("LITELLM_REDIS_PASSWORD=ünï", "ünï"),
        ("  LITELLM_REDIS_PASSWORD=indented\r", "indented"),
    ],
)
def test_shell_lines_are_read_and_never_executed(small: Path, folder: Path, line: str, value: str | None) -> None:
    outputs = folder / "deployment_outputs.env"
    others = [each for each in outputs.read_text().splitlines() if "REDIS" not in each]
    outputs.write_text("\n".join([*others, line, ""]), newline="")
    answer = seal(small, inputs=folder)
    if value is None:
        assert answer.returncode == 1
        assert re.search(r"deployment_outputs\.env line \d+ is not KEY=value", answer.stderr)
    else:
        assert opened(small, "*/litellm-redis")["aws", "litellm-redis"]["redis-password"] == value


def test_a_trailing_newline_is_not_sealed(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    (folder / "access-token").write_text(inputs.files["access-token"] + "\r\n")
    assert seal(unsealed, inputs=folder).returncode == 0
    assert opened(unsealed, "aws/*")["aws", "litellm-github-copilot"]["access-token"] == inputs.files["access-token"]


BAD_INPUTS: dict[str, tuple[str, str | bytes, str]] = {
    "an AWS key id that is cut off": (
        "AWS_ACCESS_KEY_ID",
        "AKIA123",
        "AWS_ACCESS_KEY_ID .* is not the access key id",
    ),
    "a temporary AWS key": ("AWS_ACCESS_KEY_ID", "ASIA" + "A" * 16, "temporary"),
    "a tenant that is a name": (
        "AZURE_TENANT_ID",
        "contoso.onmicrosoft.com",
        "AZURE_TENANT_ID .* is not a UUID",
    ),
    "a user that a URL would need encoded": ("LITELLM_DATABASE_USERNAME", "us@er", "database URL"),
    "a host with a scheme": ("LITELLM_DATABASE_HOST", "postgres://db", "leave out the scheme"),
    "a service account that is no JSON": ("gcp-service-account.json", "{", "is not JSON"),
    "a service account of another kind": (
        "gcp-service-account.json",
        '{"type": "authorized_user"}',
        '"type" must be',
    ),
    "a service account without its key": (
        "gcp-service-account.json",
        '{"type": "service_account"}',
        "it lacks",
    ),
    "a token that is none": ("access-token", "not-a-token", "is not a GitHub token"),
    "a token of two lines": (
        "access-token",
        "ghu_aaaaaaaaaaaaaaaaaaaaaa\nx",
        "is not a GitHub token",
    ),
    "a file that is not text": ("access-token", b"\xff\xfe", "is not UTF-8"),
    "an environment file that is no environment file": (
        "deployment_outputs.env",
        '{"a": 1}',
        "line 1 is no assignment: write KEY=value",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_an_input_of_the_wrong_form_is_refused_and_nothing_is_sealed(unsealed: Path, folder: Path, case: str) -> None:
    name, value, message = BAD_INPUTS[case]
    if (folder / name).exists():
        (folder / name).write_bytes(value if isinstance(value, bytes) else value.encode())
    else:
        (folder / "deployment_outputs.env").open("a").write(f"{name}__GCP='{value!s}'\n")
    before = content(unsealed)
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 1
    assert re.search(message, answer.stderr)
    assert "Nothing was sealed" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert str(value) not in answer.stderr or name == "deployment_outputs.env"
    assert content(unsealed) == before


# --- placeholders ----------------------------------------------------------------------------------------------------


def test_a_missing_input_makes_a_placeholder_that_says_what_fills_it(unsealed: Path, folder: Path) -> None:
    (folder / "gcp-service-account.json").unlink()
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 3
    assert "litellm-gcp-auth (aws, gcp): give the file gcp-service-account.json" in answer.stderr
    assert "(NAME__AWS is an input of aws alone)" in answer.stderr
    assert "then: uv run hooks/seal_secrets.py --fill" in answer.stderr
    assert "litellm-gcp-auth" not in answer.stdout, "a placeholder is not sealed"
    manifest = yaml.safe_load((unsealed / "secrets/aws/litellm-gcp-auth.sops.yaml").read_text())
    assert manifest["metadata"]["annotations"]["litellm-gitops/placeholder"] == "true"
    assert seal(unsealed, "--check").returncode == 3


def test_rotation_fills_a_placeholder(unsealed: Path, inputs: Inputs, folder: Path) -> None:
    kept = (folder / "access-token").read_text()
    (folder / "access-token").unlink()
    assert seal(unsealed, inputs=folder).returncode == 3
    (folder / "access-token").write_text(kept)
    assert seal(unsealed, "--rotate", "litellm-github-copilot", inputs=folder).returncode == 0
    assert opened(unsealed, "gcp/*")["gcp", "litellm-github-copilot"]["access-token"] == kept
    assert "placeholder" not in (unsealed / "secrets/gcp/litellm-github-copilot.sops.yaml").read_text()
    assert seal(unsealed, "--check").returncode == 0


def test_a_secret_of_which_a_key_is_still_missing_stays_a_placeholder(
    unsealed: Path, inputs: Inputs, folder: Path
) -> None:
    outputs = folder / "deployment_outputs.env"
    kept = outputs.read_text()
    outputs.write_text(re.sub(r"^.*AWS_.*\n", "", kept, flags=re.MULTILINE))
    (folder / "access-token").unlink()
    assert seal(unsealed, inputs=folder).returncode == 3
    outputs.write_text(re.sub(r"^.*AWS_SECRET_ACCESS_KEY.*\n", "", kept, flags=re.MULTILINE))
    rotation = ("--rotate", "litellm-aws-auth", "--key")
    answer = seal(unsealed, *rotation, "AWS_ACCESS_KEY_ID", inputs=folder)
    assert answer.returncode == 3
    assert "litellm-aws-auth (gcp): give AWS_SECRET_ACCESS_KEY\n" in answer.stderr
    assert "litellm-github-copilot" not in answer.stderr, "another Secret, which nobody asked for"
    outputs.write_text(kept)
    assert seal(unsealed, *rotation, "AWS_SECRET_ACCESS_KEY", inputs=folder).returncode == 0
    values = opened(unsealed, "gcp/litellm-aws-auth")["gcp", "litellm-aws-auth"]
    assert values == {name: inputs.lines[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


# --- rotation --------------------------------------------------------------------------------------------------------


def test_rotation_changes_one_secret_and_its_checksum(sealed: Path, folder: Path) -> None:
    before, values = content(sealed), opened(sealed, "gcp/litellm-masterkey")
    answer = seal(sealed, "--rotate", "litellm-masterkey", "--cluster", "gcp", inputs=folder)
    assert answer.returncode == 0
    assert changed(before, content(sealed)) == {
        "secrets/gcp/litellm-masterkey.sops.yaml",
        "litellm/checksums-gcp.yaml",
    }
    after = opened(sealed, "gcp/litellm-masterkey")
    assert after["gcp", "litellm-masterkey"] != values["gcp", "litellm-masterkey"]
    old, new = (yaml.safe_load(text["litellm/checksums-gcp.yaml"]) for text in (before, content(sealed)))
    old, new = (each["litellm-helm"]["podAnnotations"] for each in (old, new))
    assert {name for name in new if new[name] != old[name]} == {"checksum/litellm-masterkey"}


def test_rotation_keeps_what_an_operator_added_to_the_metadata(sealed: Path, folder: Path) -> None:
    path = sealed / "secrets" / "aws" / "litellm-masterkey.sops.yaml"
    text = path.read_text()
    added = "  namespace: litellm\n  annotations:\n    rotated: 2026-01-31\n  labels:\n    team: ai\n"
    path.write_text(text.replace("  namespace: litellm\n", added))
    rotation = ("--rotate", "litellm-masterkey", "--cluster", "aws")
    assert seal(sealed, *rotation, inputs=folder).returncode == 0
    metadata = yaml.safe_load(path.read_text())["metadata"]
    assert (metadata["labels"], str(metadata["annotations"]["rotated"])) == (
        {"team": "ai"},
        "2026-01-31",
    )


def test_rotation_of_one_key_keeps_the_others(sealed: Path, inputs: Inputs, folder: Path) -> None:
    fresh = Inputs()
    env = environment(fresh.write(folder.parent / "fresh"))
    assert seal(sealed, "--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_SECRET", env=env).returncode == 0
    values = opened(sealed, "aws/litellm-azure-auth")["aws", "litellm-azure-auth"]
    assert values == {
        "AZURE_CLIENT_ID": inputs.lines["AZURE_CLIENT_ID"],
        "AZURE_TENANT_ID": inputs.lines["AZURE_TENANT_ID"],
        "AZURE_CLIENT_SECRET": fresh.lines["AZURE_CLIENT_SECRET"],
    }


def test_a_value_on_standard_input_is_sealed_whatever_else_is_there(sealed: Path, folder: Path) -> None:
    token = Inputs().files["access-token"]
    (folder / "access-token__GCP").write_text(Inputs().files["access-token"])
    answer = seal(
        sealed,
        "--rotate",
        "litellm-github-copilot",
        "--stdin",
        "access-token",
        env=environment(folder),
        stdin=token + "\n",
    )
    assert answer.returncode == 0
    secrets = opened(sealed, "*/litellm-github-copilot")
    assert {secrets[each, "litellm-github-copilot"]["access-token"] for each in ("aws", "gcp")} == {token}


def test_standard_input_wins_over_another_name_of_the_input(sealed: Path, folder: Path) -> None:
    rotation = ("--rotate", "litellm-postgresql", "--key", "host", "--cluster", "aws")
    answer = seal(
        sealed,
        *rotation,
        "--stdin",
        "CODEMIE_POSTGRES_DATABASE_HOST",
        env=environment(folder, LITELLM_DATABASE_HOST="environment.example"),
        stdin="given.example",
    )
    assert answer.returncode == 0
    values = opened(sealed, "aws/litellm-postgresql")["aws", "litellm-postgresql"]
    assert values["host"] == "given.example"


def test_rotation_of_one_key_refuses_a_secret_whose_others_it_would_lose(sealed: Path, folder: Path) -> None:
    path = sealed / "secrets/aws/litellm-postgresql.sops.yaml"
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "litellm-postgresql", "namespace": "litellm"},
        "type": "Opaque",
        "data": dict.fromkeys(("host", "password", "username"), "eA=="),
    }
    encrypt(manifest, path, sealed)
    before = content(sealed)
    rotation = ("--rotate", "litellm-postgresql", "--key", "host", "--cluster", "aws")
    answer = seal(sealed, *rotation, inputs=folder)
    assert answer.returncode == 1
    assert "under stringData: run without --key" in answer.stderr
    assert content(sealed) == before


def test_a_placeholder_that_lists_nothing_lacks_everything(
    unsealed: Path, inputs: Inputs, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    assert seal(unsealed, inputs=tmp_path / "none").returncode == 3
    path = unsealed / "secrets/aws/litellm-azure-auth.sops.yaml"
    kept = (line for line in path.read_text().splitlines(True) if "/placeholder-keys" not in line)
    path.write_text("".join(kept))
    rotation = ("--rotate", "litellm-azure-auth", "--key", "AZURE_TENANT_ID", "--cluster", "aws")
    answer = seal(unsealed, *rotation, inputs=folder)
    assert answer.returncode == 3
    assert "give AZURE_CLIENT_ID, AZURE_CLIENT_SECRET\n" in answer.stderr


def test_rotation_without_its_input_keeps_the_good_secret(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    before = content(sealed)
    answer = seal(sealed, "--rotate", "litellm-azure-auth", inputs=tmp_path / "none")
    assert answer.returncode == 1
    assert "lacks its input: AZURE_CLIENT_ID from AZURE_CLIENT_ID" in answer.stderr
    assert content(sealed) == before


def test_the_salt_key_refuses_rotation_and_says_why(sealed: Path, folder: Path) -> None:
    before = content(sealed)
    answer = seal(sealed, "--rotate", "litellm-salt-key", inputs=folder)
    assert answer.returncode == 1
    assert "unreadable" in answer.stderr
    assert content(sealed) == before


# --- checks and usage ------------------------------------------------------------------------------------------------

DAMAGES: dict[str, tuple[str, str, str]] = {
    "a value in plaintext": (
        r"AZURE_TENANT_ID: .*",
        "AZURE_TENANT_ID: plain",
        "AZURE_TENANT_ID is not encrypted",
    ),
    "text behind a value": (
        r"(AZURE_TENANT_ID: ENC\[.*\])",
        r"\1 plain",
        "AZURE_TENANT_ID is not encrypted",
    ),
    "no sops block": (r"(?s)sops:.*", "", "it has no sops metadata"),
    "a plaintext comment": (
        r"(stringData:)\n",
        r"\1\n  # the old one was hunter2\n",
        "has a comment",
    ),
    "another recipient": (r"recipient: age1.*", "recipient: age1" + "q" * 58, "other recipients"),
    "another key": (r"AZURE_TENANT_ID:", "AZURE_TENANT:", "AZURE_TENANT"),
    "another name": (
        r"name: litellm-azure-auth",
        "name: azure-auth",
        "it holds the Secret 'azure-auth'",
    ),
    "a key twice": (r"(  AZURE_TENANT_ID: .*\n)", r"\1\1", "has the key 'AZURE_TENANT_ID' twice"),
    "no MAC": (r"(?m)^  mac: .*\n", "", "no encrypted message authentication code"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_check_finds_a_file_that_is_not_sealed(sealed: Path, damage: str) -> None:
    pattern, replacement, message = DAMAGES[damage]
    path = sealed / "secrets" / "aws" / "litellm-azure-auth.sops.yaml"
    text = path.read_text()
    path.write_text(re.sub(pattern, replacement, text))
    assert path.read_text() != text
    before = content(sealed)
    answer = seal(sealed, "--check")
    assert answer.returncode == 5
    assert re.search(rf"secrets/aws/litellm-azure-auth\.sops\.yaml:\d+: .*{re.escape(message)}", answer.stderr)
    assert content(sealed) == before


@pytest.mark.parametrize(
    "text",
    ["metadata: []\nsops: x\n", "metadata: {annotations: [a]}\nstringData: x\n", "- a\n", ""],
)
def test_a_file_of_any_shape_is_told_without_an_unexpected_error(sealed: Path, text: str) -> None:
    (sealed / "secrets" / "aws" / "litellm-azure-auth.sops.yaml").write_text(text)
    answer = seal(sealed, "--check")
    assert answer.returncode == 5
    assert "secrets/aws/litellm-azure-auth.sops.yaml:1: " in answer.stderr
    assert "failed on a value" not in answer.stderr
    table = seal(sealed, "--list")
    assert (table.returncode, table.stdout.count("stale")) == (0, 1)


def test_check_finds_what_only_lies_among_the_sealed_secrets(sealed: Path) -> None:
    folder = sealed / "secrets" / "aws"
    (folder / "key.json").write_text("{}")
    (folder / "README.md").write_text("What is here.\n")
    link = folder / "litellm-redis.sops.yaml"
    link.rename(sealed / "elsewhere")
    link.symlink_to("../../elsewhere")
    answer = seal(sealed, "--check")
    assert answer.returncode == 5
    assert "secrets/aws/key.json: it lies among the sealed Secrets" in answer.stderr
    assert "litellm-redis.sops.yaml: it is a symbolic link" in answer.stderr
    assert "README.md" not in answer.stderr


SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\nstringData:\n  key: hunter2hunter2\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", SECRET),
        ("team/kustomization.yaml", SECRET),
        (".gitkeep", "AKIA" + "Q7XK2M9PL4ZT8WBN"),
        (
            "kustomization.yaml",
            "secretGenerator:\n  - name: x\n    literals: [key=hunter2hunter2]\n",
        ),
    ],
)
def test_check_reads_what_may_stand_beside_the_sealed_secrets(sealed: Path, name: str, text: str) -> None:
    path = sealed / "secrets" / "aws" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    answer = seal(sealed, "--check")
    assert answer.returncode == 5
    assert re.search(rf"^secrets/aws/{name}:\d+: ", answer.stderr)
    assert "hunter2" not in answer.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [("clusters: [aws", "clusters: aws # "), ("namespace: litellm", ""), ("keys:", "key:")],
)
def test_a_broken_list_of_secrets_is_told_in_a_line(sealed: Path, old: str, new: str) -> None:
    policy = sealed / "policies" / "secrets.yml"
    policy.write_text(policy.read_text().replace(old, new))
    answer = seal(sealed, "--check")
    assert answer.returncode == 1
    assert "policies/secrets.yml" in answer.stderr


@pytest.mark.parametrize("linked", ["secrets", "secrets/aws"])
def test_check_does_not_look_behind_a_linked_folder(sealed: Path, tmp_path: Path, linked: str) -> None:
    (sealed / linked).rename(tmp_path / "elsewhere")
    (sealed / linked).symlink_to(tmp_path / "elsewhere")
    answer = seal(sealed, "--check")
    assert answer.returncode == 5
    assert f"{linked}: it is a symbolic link" in answer.stderr


def test_a_rule_for_one_file_alone_is_told_and_never_used(sealed: Path, folder: Path, tmp_path: Path) -> None:
    config = sealed / ".sops.yaml"
    _, foreign = keys.make(tmp_path)
    head, _, tail = config.read_text().partition("creation_rules:\n")
    rule = (
        "  - path_regex: ^secrets/aws/litellm-masterkey\\.sops\\.yaml$\n"
        "    encrypted_regex: ^(data|stringData)$\n    mac_only_encrypted: true\n"
        f"    age: [{foreign}]\n"
    )
    config.write_text(f"{head}creation_rules:\n{rule}{tail}")
    before = content(sealed)
    for arguments in (["--rotate", "litellm-masterkey"], ["--rekey"]):
        answer = seal(sealed, *arguments, inputs=folder)
        assert answer.returncode == 1
        assert "comes first for secrets/aws/litellm-masterkey.sops.yaml" in answer.stderr
    assert content(sealed) == before
    assert seal(sealed, "--check").returncode == 5


def test_check_of_one_environment_leaves_the_others(sealed: Path) -> None:
    path = sealed / "secrets" / "gcp" / "litellm-masterkey.sops.yaml"
    path.write_text(re.sub(r"masterkey: ENC.*", "masterkey: plain", path.read_text()))
    answer = seal(sealed, "--check", "--cluster", "aws")
    assert (answer.returncode, answer.stdout) == (0, "every Secret of aws is sealed\n")
    assert seal(sealed, "--check", "--cluster", "gcp").returncode == 5
    assert seal(sealed, "--check", "--cluster", "mars").returncode == 2


def test_what_is_there_in_plaintext_is_told_when_the_rest_is_sealed(sealed: Path, folder: Path) -> None:
    (sealed / "secrets" / "aws" / "litellm-redis.sops.yaml").unlink()
    path = sealed / "secrets" / "gcp" / "litellm-masterkey.sops.yaml"
    path.write_text(re.sub(r"masterkey: ENC.*", "masterkey: plain", path.read_text()))
    before = path.read_bytes()
    answer = seal(sealed, inputs=folder)
    assert answer.returncode == 5
    assert "sealed for aws: litellm-redis" in answer.stdout
    assert re.search(
        r"^secrets/gcp/litellm-masterkey.sops.yaml:\d+: .* is not encrypted — uv run hooks/seal_secrets\.py --rotate ",
        answer.stderr,
        re.MULTILINE,
    )
    assert path.read_bytes() == before


def test_check_needs_neither_sops_nor_a_key(sealed: Path) -> None:
    shutil.rmtree(sealed / "keys")
    env = {**environment(), "PATH": "/nonexistent"}
    assert seal(sealed, "--check", env=env).returncode == 0


def test_without_its_package_it_says_how_to_run(sealed: Path) -> None:
    command = [sys.executable, "-S", "-B", "hooks/seal_secrets.py", "--check"]  # -S: no packages
    answer = subprocess.run(command, cwd=sealed, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr == "litellm_gitops is not installed: uv run hooks/seal_secrets.py\n"


def test_list_shows_the_state_of_every_secret(sealed: Path) -> None:
    (sealed / "secrets" / "aws" / "litellm-redis.sops.yaml").unlink()
    answer = seal(sealed, "--list")
    assert answer.returncode == 0
    secrets, _, cells = answer.stdout.partition("\n\n")
    rows = [line.split() for line in secrets.splitlines()]
    assert rows[0][0] == "CLUSTER"
    assert re.search(r"^gcp +azure_openai +entra_id +litellm-azure-auth$", cells, re.MULTILINE)
    states = {(row[0], row[1]): row[3] for row in rows[1:]}
    assert len(states) == 15
    assert states["aws", "litellm-redis"] == "missing"
    assert states["gcp", "litellm-redis"] == "sealed"
    path = sealed / "secrets" / "gcp" / "litellm-redis.sops.yaml"
    path.write_text(re.sub(r"redis-password: .*", "redis-password: plain", path.read_text()))
    answer = seal(sealed, "--list")
    assert re.search(r"^gcp +litellm-redis +redis-password +stale ", answer.stdout, re.MULTILINE)
    assert "seal_secrets.py --check" in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["--rotate", "litellm-nothing"],
        ["--rotate", "litellm-masterkey", "--key", "nothing"],
        ["--cluster", "mars"],
        ["--key", "masterkey"],
        ["--check", "--list"],
        ["--rotate", "litellm-azure-auth", "--stdin", "AZURE_SECRET"],
        ["--rotate", "litellm-masterkey", "--stdin", "masterkey"],
        ["--rotate", ""],
        ["--rotate", "litellm-azure-auth", "--key", ""],
        ["--rotate", "litellm-azure-auth", "--stdin", ""],
        ["--stdin", ""],
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(sealed: Path, arguments: list[str]) -> None:
    before = content(sealed)
    answer = seal(sealed, *arguments)
    assert answer.returncode == 2
    assert answer.stderr
    assert content(sealed) == before


def test_help_names_every_exit_code(sealed: Path) -> None:
    answer = seal(sealed, "--help")
    assert answer.returncode == 0
    for code in range(7):
        assert re.search(rf"\b{code} ", answer.stdout)


# --- what can go wrong -----------------------------------------------------------------------------------------------


def _program(folder: Path, text: str) -> Path:
    folder.mkdir()
    path = folder / "sops"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (None, "sops is not on PATH"),
        ("echo sops 3.9.4", "is too old"),
        ("echo sops 3.13.2", "loses message authentication codes"),
        ("exit 1", "unknown version"),
    ],
)
def test_without_a_good_sops_nothing_changes(
    unsealed: Path, folder: Path, tmp_path: Path, program: str | None, message: str
) -> None:
    path = _program(tmp_path / "bin", program) if program else tmp_path
    before = content(unsealed)
    answer = seal(unsealed, env={**environment(folder), "PATH": f"{path}:/nonexistent"})
    assert answer.returncode == 4
    assert message in answer.stderr
    assert content(unsealed) == before


def test_an_exit_code_of_zero_is_no_proof(unsealed: Path, inputs: Inputs, folder: Path, tmp_path: Path) -> None:
    path = _program(tmp_path / "bin", 'case "$1" in --version) echo sops 3.13.3;; *) cat;; esac')
    before = content(unsealed)
    answer = seal(unsealed, env={**environment(folder), "PATH": f"{path}:/usr/bin:/bin"})
    assert answer.returncode == 1
    assert "unsealed" in answer.stderr
    assert not [canary for canary in inputs.canaries() if canary in answer.stderr]
    assert content(unsealed) == before


def test_what_sops_says_is_not_repeated(unsealed: Path, inputs: Inputs, folder: Path, tmp_path: Path) -> None:
    path = _program(tmp_path / "bin", 'case "$1" in --version) echo sops 3.13.3;; *) cat >&2; exit 7;; esac')
    answer = seal(unsealed, env={**environment(folder), "PATH": f"{path}:/usr/bin:/bin"})
    assert answer.returncode == 1
    assert "sops ended with exit code 7" in answer.stderr
    assert not [canary for canary in inputs.canaries() if canary in answer.stdout + answer.stderr]


def test_sops_gets_no_input_in_its_arguments_or_environment(
    unsealed: Path, inputs: Inputs, folder: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    path = _program(tmp_path / "bin", f'echo "$@" >> {seen}; env >> {seen}; exec {tools.path("sops")} "$@"')
    env = {
        **environment(folder, **inputs.lines, SOPS_AGE_RECIPIENTS="age1" + "q" * 58),
        "PATH": f"{path}:/usr/bin:/bin",
    }
    assert seal(unsealed, env=env).returncode == 0
    told = seen.read_text()
    assert "SOPS_AGE_RECIPIENTS" not in told
    assert not [number for number, canary in enumerate(inputs.canaries()) if canary in told]


@pytest.mark.parametrize(
    "target",
    ["secrets/aws/litellm-masterkey.sops.yaml", "secrets/aws", "keys/aws.agekey", ".sops.yaml"],
)
def test_a_symbolic_link_is_not_written_through(unsealed: Path, folder: Path, tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = unsealed / target
    if link.is_dir():
        shutil.rmtree(link)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside if target == "secrets/aws" else outside / "file")
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 1
    assert "symbolic link" in answer.stderr
    assert not list(outside.iterdir())
    assert not (unsealed / "secrets/gcp/litellm-masterkey.sops.yaml").exists()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("encrypted_regex: '['", "must have encrypted_regex"),
        (
            "encrypted_regex: ^(data|stringData)$\n    age: AGE-SECRET-KEY-1" + "Q" * 25,
            "not an age public key",
        ),
        ("encrypted_regex: ^(data|stringData)$", "names no recipient"),
    ],
)
def test_an_unsafe_creation_rule_is_refused_before_sops_sees_a_value(
    unsealed: Path, folder: Path, rule: str, message: str
) -> None:
    (unsealed / ".sops.yaml").write_text(
        f"creation_rules:\n  - path_regex: ^secrets/aws/.*\\.sops\\.ya?ml$\n    mac_only_encrypted: true\n    {rule}\n"
    )
    answer = seal(unsealed, inputs=folder)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "AGE-SECRET-KEY" not in answer.stderr
    assert not list(unsealed.glob("secrets/*/*.sops.yaml"))


def test_an_environments_rule_is_added_and_the_rest_of_the_file_is_kept(sealed: Path, folder: Path) -> None:
    config = sealed / ".sops.yaml"
    text = config.read_text()
    before, rest = text.split("  - path_regex: ^secrets/gcp/")
    tail = rest[rest.index("stores:") :]
    config.write_text(before + "# mine\n" + tail)
    for path in (sealed / "secrets" / "gcp").glob("*.sops.yaml"):
        path.unlink()
    assert seal(sealed, inputs=folder).returncode == 0
    after = config.read_text()
    assert after.startswith(before)
    assert after.endswith(tail)
    assert "# mine\n" in after
    assert seal(sealed, "--check").returncode == 0


def test_lost_rules_come_back_for_the_keys_that_are_here(sealed: Path, folder: Path) -> None:
    config = sealed / ".sops.yaml"
    text = config.read_text()
    config.unlink()
    answer = seal(sealed, "--rekey")
    assert answer.returncode == 1
    assert "no rule matches secrets/aws/" in answer.stderr
    assert seal(sealed, inputs=folder).returncode == 0
    assert config.read_text() == text


def test_no_new_key_takes_the_place_of_one_that_is_elsewhere(sealed: Path, folder: Path) -> None:
    shutil.rmtree(sealed / "keys")
    (sealed / ".sops.yaml").unlink()
    before = content(sealed)
    for arguments in ([], ["--rotate", "litellm-azure-auth"]):
        answer = seal(sealed, *arguments, inputs=folder)
        assert answer.returncode == 1
        assert "take .sops.yaml from git history" in answer.stderr
    assert content(sealed) == before


def test_a_secret_in_a_yml_file_is_rekeyed_too(sealed: Path) -> None:
    folder = sealed / "secrets" / "aws"
    text = (folder / "litellm-salt-key.sops.yaml").read_text()
    own = folder / "own.sops.yml"
    own.write_text(text.replace("name: litellm-salt-key", "name: own"))
    before = own.read_bytes()
    assert seal(sealed, "--rekey", "--cluster", "aws").returncode == 0
    assert own.read_bytes() != before
    assert "checksum/own: " in (sealed / "litellm" / "checksums-aws.yaml").read_text()


def test_copier_seals_and_a_missing_sops_does_not_fail_the_rendering(
    template: Path, compiled: Path, tmp_path: Path
) -> None:
    copier = [sys.executable, "-P", quick.__file__, str(compiled)]
    copier += ["copy", "--trust", "--defaults", "--quiet"]
    Inputs().write(tmp_path / "inputs")
    answers = ["--data", "eks_aws_role_arn=arn:aws:iam::123456789012:role/x"]
    for name, env, message in (
        (
            "with",
            # from the folder that copier is started in
            environment(Path("inputs"), HOME=str(tmp_path), PWD=str(tmp_path)),
            "sealed for aws",
        ),
        (
            "without",
            {**environment(HOME=str(tmp_path)), "PATH": "/usr/bin:/bin"},
            "uv run hooks/seal_secrets.py",
        ),
    ):
        answer = subprocess.run(
            [*copier, *answers, str(template), str(tmp_path / name)],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        assert message in answer.stdout + answer.stderr
        assert "placeholder" not in answer.stderr
        assert (tmp_path / name / "litellm" / "values-aws.yaml").is_file()
        assert (tmp_path / name / "secrets/aws/litellm-masterkey.sops.yaml").exists() == (name == "with")
