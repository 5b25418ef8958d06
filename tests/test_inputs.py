"""What may be sealed: values that cannot work are refused with the reason, and never repeated."""

from __future__ import annotations

import base64
import json
import secrets
import string
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from litellm_gitops.sealing import forms
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.inputs import parse_env, suffix
from tests.support.inputs import PEM, Inputs, service_account

GOOD = Inputs()
UUID = "0f0e0d0c-0b0a-0908-0706-050403020100"


def account(key: str) -> str:
    return json.dumps({**json.loads(service_account()), "private_key": key})


def pem(body: bytes, kind: str = PEM) -> str:
    return f"-----BEGIN {kind}\n{base64.encodebytes(body).decode()}-----END {kind}\n"


KEY = json.loads(service_account())["private_key"]
BODY = base64.b64decode("".join(KEY.splitlines()[1:-1]))
WORD = string.ascii_letters + string.digits
# form -> value, and a part of the reason
REFUSED = {
    "an AWS secret that is cut off": ("aws_secret_access_key", GOOD.lines["AWS_SECRET_ACCESS_KEY"][:-1], "40 letters"),
    "an AWS secret with a character of no key": (
        "aws_secret_access_key",
        GOOD.lines["AWS_SECRET_ACCESS_KEY"][:-1] + "-",
        "40 letters",
    ),
    "an AWS secret of the documentation": (
        "aws_secret_access_key",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLE" + "KEY",
        "documentation",
    ),
    "an AWS key id of the documentation": ("aws_access_key_id", "AKIAIOSFODNN7" + "EXAMPLE", "documentation"),
    "what the source document writes": ("aws_secret_access_key", "YOUR_AWS_SECRET_ACCESS_KEY", "documentation"),
    "what a wiki writes": ("text", "<your-password>", "documentation"),
    "what a template writes": ("text", "%%PASSWORD%%", "documentation"),
    "a variable that nobody put in": ("url_password", "${POSTGRES_PASSWORD}", "documentation"),
    "a word in place of a password": ("url_password", "changeme", "documentation"),
    "crosses in place of a token": ("github_token", "gho_" + "x" * 36, "documentation"),
    "an all-zero tenant": ("uuid", "00000000-0000-0000-0000-000000000000", "documentation"),
    "a client id in braces": ("uuid", f"{{{UUID}}}", "leave out the braces"),
    "the id of a client secret": ("azure_client_secret", UUID, "is the id of a client secret"),
    "a personal token": ("github_token", "ghp_" + "Ab1" * 12, "that Copilot takes"),
    "a token of an installation": ("github_token", "ghs_" + "Ab1" * 12, "that Copilot takes"),
    "a fine-grained token": ("github_token", "github_pat_" + "Ab1" * 12, "that Copilot takes"),
    "a service account whose line feeds are text": (
        "gcp_service_account",
        account(KEY.replace("\n", "\\n")),
        "that no library can read",
    ),
    "a service account that is cut off": (
        "gcp_service_account",
        account(KEY[: len(KEY) // 2]),
        "cut off or damaged",
    ),
    "a service account that lost a line": (
        "gcp_service_account",
        account("\n".join(line for number, line in enumerate(KEY.split("\n")) if number != 2)),
        "cut off or damaged",
    ),
    "a service account with a public key": (
        "gcp_service_account",
        account(pem(BODY, "PUBLIC KEY-----")),
        "cut off or damaged",
    ),
    "a service account with a key that is text": (
        "gcp_service_account",
        account(pem(secrets.token_bytes(200))),
        "cut off or damaged",
    ),
    "a password of two lines": ("url_password", "one\ntwo", "line break"),
    "a space that the proxy would make a plus": ("encoded_password", "one two", "a space"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_cannot_work_is_refused_and_not_repeated(case: str) -> None:
    form, value, reason = REFUSED[case]
    problem = forms.problem(value, form)
    assert problem
    assert reason in problem
    assert value not in problem


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_a_real_private_key_is_accepted(key: str) -> None:
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    made = rsa.generate_private_key(65537, 2048) if key == "rsa" else ec.generate_private_key(ec.SECP256R1())
    for layout in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        text = made.private_bytes(serialization.Encoding.PEM, layout, serialization.NoEncryption()).decode()
        assert forms.problem(account(text), "gcp_service_account") is None


def test_the_inputs_of_these_tests_are_accepted() -> None:
    kinds = {
        "AWS_ACCESS_KEY_ID": "aws_access_key_id",
        "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
        "AZURE_TENANT_ID": "uuid",
        "AZURE_CLIENT_ID": "uuid",
        "AZURE_CLIENT_SECRET": "azure_client_secret",
    }
    assert [name for name, form in kinds.items() if forms.problem(GOOD.lines[name], form)] == []


@pytest.mark.parametrize(
    ("password", "sealed"),
    [
        ("p@ss/word", "p%40ss%2Fword"),
        ("a b%41?#&=:+ü'\"\\$", "a%20b%2541%3F%23%26%3D%3A%2B%C3%BC%27%22%5C%24"),
        ("plain-._~09", "plain-._~09"),
    ],
)
def test_a_database_password_of_any_characters_is_percent_encoded(password: str, sealed: str) -> None:
    assert forms.problem(password, "url_password") is None
    assert forms.sealed(password, "url_password") == sealed
    assert forms.sealed(password, "text") == password


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("KEY = value", "line 1 has a space beside its ="),
        ("KEY= value", "line 1 has a space beside its ="),
        ("export KEY =value", "line 1 has a space beside its ="),
        ("KEY=two words", "line 1 is not KEY=value: quote a value that holds spaces"),
        ("set -a", "line 1 is no assignment"),
        (". ./other.env", "line 1 is no assignment"),
        ("set KEY=value", "line 1 has more than `export` before its name"),
        ('$env:KEY = "value"', "line 1 has more than `export` before its name"),
        ("KEY: value", "line 1 has a colon where = belongs"),
        ("A-KEY=value", "line 1 gives a name that no variable can have"),
        ("PASSWORD=a\\nb", "line 1 holds a character that a shell reads in another way"),
        ("PASSWORD=a$b", "line 1 holds a character that a shell reads in another way"),
        ('PASSWORD="a$b"', "line 1 holds a character that a shell reads in another way"),
        ('PASSWORD="`id`"', "line 1 holds a character that a shell reads in another way"),
        ("PASSWORD=a&b", "line 1 holds a character that a shell reads in another way"),
        ("PASSWORD=~root", "line 1 holds a character that a shell reads in another way"),
        ("KEY=one\nOTHER=x\nKEY=two", "line 3 gives KEY another value than line 1"),
    ],
)
def test_a_line_that_a_shell_would_read_in_another_way_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SealingError) as refused:
        parse_env(text)
    assert f"deployment_outputs.env {reason}" in str(refused.value)


def test_what_a_shell_reads_in_the_same_way_is_taken() -> None:
    text = "A='a$b\\n'\nB=\"a\\$b\"\nexport C=a~b\nC='a~b'\nD=x=y # no\n"
    assert parse_env(text) == {"A": "a$b\\n", "B": "a$b", "C": "a~b", "D": "x=y"}


def test_an_input_of_a_cluster_is_named_as_a_variable_can_be() -> None:
    assert suffix("aws-eu-1") == "__AWS_EU_1"


def test_the_forms_of_the_matrix_are_all_known() -> None:
    root = Path(__file__).resolve().parent.parent
    named = {
        part.partition("form: ")[2].strip(" }")
        for part in (root / "policies" / "auth-matrix.yml").read_text("utf-8").split("\n")
        if "form: " in part
    }
    for form in named:
        assert forms.problem("\x00", form), form
