"""What may be sealed: values that cannot work are refused with the reason, and never repeated."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import secrets
import string
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from litellm_gitops.sealing import forms
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.inputs import parse_env, suffix
from tests.support.inputs import PEM, Inputs, service_account
from tests.support.template import ROOT

GOOD = Inputs()
UUID = "2f4c1c52-7d0b-4a5e-9e57-6a7d8c9b0e1f"


def account(key: str, **changed: str | None) -> str:
    fields = {**json.loads(service_account()), "private_key": key, **changed}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def pem(body: bytes, kind: str = PEM) -> str:
    return f"-----BEGIN {kind}\n{base64.encodebytes(body).decode()}-----END {kind}\n"


ACCOUNT = json.loads(service_account())
KEY = ACCOUNT["private_key"]
BODY = base64.b64decode("".join(KEY.splitlines()[1:-1]))
WORD = string.ascii_letters + string.digits
DOCUMENTATION, ELSEWHERE, HIDDEN = "documentation", "is kept elsewhere", "a tool shows"


def flipped(at: int) -> bytes:
    return BODY[:at] + bytes([BODY[at] ^ 0x10]) + BODY[at + 1 :]


# form -> values, and a part of the reason
REFUSED = {
    "aws_secret_access_key": {
        GOOD.lines["AWS_SECRET_ACCESS_KEY"][:-1]: "40 letters",
        GOOD.lines["AWS_SECRET_ACCESS_KEY"][:-1] + "-": "40 letters",
        f"'{GOOD.lines['AWS_SECRET_ACCESS_KEY']}'": "around it",
        f"{GOOD.lines['AWS_SECRET_ACCESS_KEY']}\u200b": "around it",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLE" + "KEY": DOCUMENTATION,
        "YOUR_AWS_SECRET_ACCESS_KEY": DOCUMENTATION,
        "YOURSECRETACCESSKEYYOURSECRETACCESSKEY12": DOCUMENTATION,
        "0" * 40: "a checksum",
        "A" * 40: "a checksum",
        "z" * 40: DOCUMENTATION,
        "abcdefghijklmnopqrstuvwxyz0123456789ABCD": DOCUMENTATION,
        "9f2c4d0b6a8e1f3c5d7b9a0e2f4c6d8b0a1e3f5c": "the name of a commit",
    },
    "aws_access_key_id": {
        "AKIAIOSFODNN7" + "EXAMPLE": DOCUMENTATION,
        "AKIA1234567890" + "123456": DOCUMENTATION,
        "AKIA1234567890" + "ABCDEF": DOCUMENTATION,
        "AKIA" + "0" * 16: DOCUMENTATION,
        "AKIA" + "X" * 16: DOCUMENTATION,
        f'"{GOOD.lines["AWS_ACCESS_KEY_ID"]}"': "around it",
        GOOD.lines["AWS_SECRET_ACCESS_KEY"]: "is not the access key id",
        "arn:aws:iam::123456789012:user/litellm": ELSEWHERE,
    },
    "master_key": {
        "sk-": "LiteLLM's documentation shows",
        "sk-1234": "LiteLLM's documentation shows",
        "sk-...": DOCUMENTATION,
        "sk-<your-key>": DOCUMENTATION,
        "sk-YOUR_MASTER_KEY": DOCUMENTATION,
        "sk-xxxx-xxxx": DOCUMENTATION,
        "sk-" + "0" * 32: DOCUMENTATION,
        "sk-clé": "no header carries",
        "os.environ/LITELLM_MASTER_KEY": ELSEWHERE,
        base64.b64encode(b"sk-0a1b2c3d").decode(): "base64",
        f'"sk-{"0a1b2c3d" * 2}{"4e5f" * 4}"': "around it",
        "Bearer sk-0a1b2c3d4e5f": "a header",
    },
    "salt_key": {"${LITELLM_SALT_KEY}": ELSEWHERE, "null": HIDDEN, "sk-a\nb": "line break"},
    "text": {"<your-password>": DOCUMENTATION, "%%PASSWORD%%": DOCUMENTATION},
    "password": {
        "<your-password>": DOCUMENTATION,
        "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJyZWRpcyJ9.c2lnbmF0dXJl": "expires",
        "rediss://:" + "word@redis.internal:6380": "a URL",
    },
    "url_password": {
        **dict.fromkeys(
            ("password", "Password1!", "dbpassword9", "mysecretpassword", "NoTaGrEaTpAsSwOrD"), DOCUMENTATION
        ),
        **dict.fromkeys(
            ("[YOUR-PASSWORD]", "your-password", "YourPassword123", "REPLACE_WITH_PASSWORD"), DOCUMENTATION
        ),
        **dict.fromkeys(("changeme", "CHANGE_ME_123", "insert-password", "fake-password", "example"), DOCUMENTATION),
        **dict.fromkeys(("<password>", "%%PASSWORD%%", "__PASSWORD__", "xxxxxxxx", "…", "*****"), DOCUMENTATION),
        **dict.fromkeys(("null", "None", "undefined", "<nil>", "(sensitive value)", "(known after apply)"), HIDDEN),
        **dict.fromkeys(("[REDACTED]", "[object Object]", "ab********", "••••••••", "(unset)"), HIDDEN),
        **dict.fromkeys(
            (
                "${POSTGRES_PASSWORD}",
                "${DB_PASS:-x}",
                "$(cat pw)",
                "$PGPASSWORD",
                "$db_password",
                "$env:DB",
                "%DB_PASS%",
            ),
            ELSEWHERE,
        ),
        **dict.fromkeys(("{{ .Values.password }}", "{password}", "((db-password))", "#{Password}#"), ELSEWHERE),
        **dict.fromkeys(
            ("os.environ/DB", "op://vault/item/field", "vault:secret/data/x#y", "ref+awsssm://x"), ELSEWHERE
        ),
        **dict.fromkeys(("ENC[AES256_GCM,data:abc,iv:x,tag:y,type:str]", "AQICAHhw5q+z8Zt0/x="), ELSEWHERE),
        **dict.fromkeys(
            ("arn:aws:secretsmanager:us-east-1:123456789012:secret:x", "@Microsoft.KeyVault(x)"), ELSEWHERE
        ),
        **dict.fromkeys(("projects/1/secrets/db/versions/1", "terraform output -raw password"), ELSEWHERE),
        "postgresql://user:" + "word@host/db": "a URL",
        "/run/secrets/db-password": "the path of a file",
        "~/secrets/db.txt": "the path of a file",
        "C:\\Users\\me\\password.txt": "the path of a file",
        "LITELLM_DATABASE_PASSWORD=" + "hunter22": "the name of a variable",
        '{"password": "hunter22"}': "is JSON",
        "“hunter22”": "typographic quotation marks",
        "cGFzc3dvcmQ=": "base64",
        base64.b64encode(b"correct-horse-battery\n").decode(): "base64",
        "db.internal:5432/?Action=connect&DBUser=x&X-Amz-Signature=0f": "expires",
        GOOD.files["access-token"]: "a token of GitHub",
        GOOD.lines["AWS_ACCESS_KEY_ID"]: "an AWS user",
        "one\ntwo": "line break",
    },
    "encoded_password": {"one two": "a space", "[YOUR-PASSWORD]": DOCUMENTATION},
    "uuid": {
        f"{{{UUID}}}": "around it",
        f"{UUID} ": "around it",
        f'"{UUID}"': "around it",
        **dict.fromkeys((f"00000000-0000-0000-0000-{each:012x}" for each in (0, 1, 0xC0FFEE)), DOCUMENTATION),
        "aaaabbbb-0000-cccc-1111-dddd2222eeee": DOCUMENTATION,
        "00001111-aaaa-2222-bbbb-3333cccc4444": DOCUMENTATION,
        "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e": DOCUMENTATION,
        "11111111-2222-3333-4444-555555555555": DOCUMENTATION,
        "12345678-1234-1234-1234-123456789abc": DOCUMENTATION,
        "123e4567-e89b-12d3-a456-426614174000": DOCUMENTATION,
        "01234567-89ab-cdef-0123-456789abcdef": DOCUMENTATION,
        "deadbeef-dead-beef-dead-beefdeadbeef": DOCUMENTATION,
        "0f0e0d0c-0b0a-0908-0706-050403020100": DOCUMENTATION,
        "/subscriptions/2f4c1c52-7d0b-4a5e-9e57-6a7d8c9b0e1f/resourceGroups/x": ELSEWHERE,
        "contoso.onmicrosoft.com": "is not a UUID",
    },
    "azure_client_secret": {
        **dict.fromkeys(
            (UUID, UUID.upper(), f"{{{UUID}}}", f'"{UUID}"', f" {UUID}", f"{UUID}\u00a0"), "id of a client secret"
        ),
        "Aa1Bb~2Cc3.-Dd4Ee5Ff6Gg7Hh8Ii9_Jj0Kk1Ll2": DOCUMENTATION,
        "your-client-secret-value": DOCUMENTATION,
        "<YOUR CLIENT SECRET>": DOCUMENTATION,
        "abc8Q~short": "cut off",
        "abc8Q~" + "aB3dE5gH7jK9mN1pQ3sT5vW7y": "cut off",
        "abc...": "cut off",
        "9F2C4D0B6A8E1F3C5D7B9A0E2F4C6D8B0A1E3F5C": "a thumbprint",
        UUID.replace("-", ""): "a thumbprint or an id",
        f"{'aB3d' * 13}JQQJ99BAACYeBjFXJ3w3AAABACOG": "the key of an Azure resource",
        "abc" + "*" * 20: HIDDEN,
        f'"{GOOD.lines["AZURE_CLIENT_SECRET"]}"': "around it",
        GOOD.lines["AZURE_CLIENT_SECRET"] + "\n2": "line break",
        GOOD.files["access-token"]: "a token of GitHub",
        "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhenVyZSJ9.c2lnbmF0dXJl": "expires",
        f"-----BEGIN {PEM}": "a private key",
        "https://litellm.vault.azure.net/secrets/client/1": "a URL",
        "AZURE_CLIENT_SECRET: abcdefgh": "the name of a variable",
    },
    "azure_api_key": {
        UUID: "an id (a UUID)",
        "your_azure_api_key": DOCUMENTATION,
        "abc8Q~" + "aB3dE5gH7jK9mN1pQ3sT5vW7yaB3dE5gH7": "a client secret of Entra ID",
        "my-azure-api-key": DOCUMENTATION,
        "0" * 32: DOCUMENTATION,
        "https://example-ai.openai.azure.com/": "a URL",
    },
    "github_token": {
        **dict.fromkeys((f"{kind}_{'Ab1' * 12}" for kind in ("ghp", "ghs", "github_pat")), "that Copilot takes"),
        GOOD.files["access-token"][:-1]: "is not a GitHub token",
        f"bearer {GOOD.files['access-token']}": "is not a GitHub token",
        f"'{GOOD.files['access-token']}'": "around it",
        "gho_16C7e42F292c" + "6912E7710c838347Ae178B4a": DOCUMENTATION,
        "gho_" + "x" * 36: DOCUMENTATION,
        "ghu_" + "0" * 36: DOCUMENTATION,
        "gho_" + "A1b2" * 9: DOCUMENTATION,
        "gho_your_token_here_" + "a" * 24: DOCUMENTATION,
    },
    "url_host": {
        **dict.fromkeys(
            ("a..b", "-a.b", "h:0", "h:65536", "h:99999", "h" * 64, ".".join(["h" * 60] * 5), "h:1:2"), "host name"
        ),
        **dict.fromkeys(
            ("YOUR_DB_HOST", "your-db-host", "<host>", "db.xxxxxxxxxxxx.us-east-1.rds.amazonaws.com"), DOCUMENTATION
        ),
        "postgres://db": "leave out the scheme",
        **dict.fromkeys(("5432", "256.1.1.1", "10.0.0.5.6:5432", "db.5432"), "ends in a number"),
    },
    "host": {
        "5432": "ends in a number",
        "10.0.0": "ends in a number",
        "db.internal:5432": "host name alone",
        "a..b": "host name alone",
    },
    "url_unreserved": {"us@er": "another one", "YOUR_USER": DOCUMENTATION, "'litellm'": "around it"},
    "gcp_service_account": {
        account(KEY.replace("\n", "\\n")): "it holds \\\\n",
        account(KEY.replace("\n", "\n\n")): "empty lines stand in it",
        account(KEY[: len(KEY) // 2]): "cut off or damaged",
        account("".join(line for number, line in enumerate(KEY.splitlines(True)) if number != 2)): "cut off or damaged",
        account(pem(BODY, "PUBLIC KEY-----")): "cut off or damaged",
        account(pem(BODY, f"RSA {PEM}")): "cut off or damaged",
        account(pem(BODY, f"ENCRYPTED {PEM}")): "cut off or damaged",
        account(pem(secrets.token_bytes(200))): "cut off or damaged",
        account(KEY + KEY): "cut off or damaged",
        **{account(pem(flipped(at))): "cut off or damaged" for at in (2, 30, 60, len(BODY) // 2, len(BODY) - 1)},
        account("x"): "is not a PEM block",
        base64.b64encode(service_account().encode()).decode(): "base64",
        "{": "is not JSON",
        "/home/me/key.json": "is not JSON",
        service_account()[:-2] + ', "type": "service_account"}': "a field twice",
        account(KEY, type="authorized_user"): '"type" must be',
        account(KEY, client_email="me@gmail.com"): "is not the address of a service account",
        account(KEY, client_email="name@your-project-id.iam.gserviceaccount.com"): DOCUMENTATION,
        account(KEY, project_id="your-project-id"): DOCUMENTATION,
        account(KEY, project_id="My Project"): "no id of a project",
        account(KEY, private_key_id="YOUR_PRIVATE_KEY_ID"): DOCUMENTATION,
        account(KEY, token_uri="https://evil.example/token"): "not Google's",
        account(KEY, universe_domain="evil.example"): "not Google's",
        account(KEY, token_uri="http://oauth2.googleapis.com/token"): "not Google's",
        account(KEY, token_uri="https://oauth2.googleapis.com@evil.example/token"): "not Google's",
        account(KEY, token_uri="https://evilgoogleapis.com/token"): "not Google's",
    },
}


def made(alphabet: str, *lengths: int) -> list[str]:
    return ["".join(secrets.choice(alphabet) for _ in range(length)) for length in lengths]


HEX = "0123456789abcdef"
PRINTABLE = "".join(map(chr, range(33, 127)))
# what a person or a machine does choose, however odd it is
ACCEPTED = {
    "aws_secret_access_key": [GOOD.lines["AWS_SECRET_ACCESS_KEY"], "/" * 3 + made(WORD, 37)[0]],
    "aws_access_key_id": [GOOD.lines["AWS_ACCESS_KEY_ID"], "AKIAZ7" + "QQQQ4KD2W5ML3X"],
    "master_key": [f"sk-{secrets.token_hex(16)}", "sk-litellm-prod-7f3a", "without-its-prefix-9", "sk-a b"],
    # what opens a database, however bad it is
    "salt_key": ["sk-1234", "password", "sk-your-salt-key", "changeme", "sk-XXXXXXXX", "salt: clé"],
    "text": ["plain", "no\u00a0break\u00a0"],
    "password": ["plain", *made(PRINTABLE, 16, 32), secrets.token_urlsafe(32), *made(WORD, 88)],
    "url_password": [
        *("postgres", "litellm", "test", "p@ss/word", "pass-word", "hunter2", "Passw0rt!", "letmein", "correct horse"),
        *("$ecret", "a$b", "100%", "{a}", "<>", "((", "~x", "//", "a://b", "C:x", "=x", " x ", "'x'", "ключ", "…x"),
        *(
            "$monkey",
            "%idle%",
            "DB=x",
            "PG:13",
            "@home@",
            "yourself",
            "replaceable",
            "examples-of-9",
            "mypony",
            "secretary",
            "token-ring-77",
            "keyboard cat",
            "nullable",
        ),
        *("https", "op:", "vault", "/9j/4AAQSkZJRg", "/var", "~/x", "AKIA", "gho_", "Bearer"),
        *made(PRINTABLE, 8, 12, 16, 20, 24, 32, 64),
        *(secrets.token_urlsafe(size) for size in (8, 16, 24, 32)),
        *(base64.b64encode(secrets.token_bytes(size)).decode() for size in (12, 15, 16, 24, 32)),
        *(secrets.token_hex(size) for size in (8, 12, 16, 20, 32)),
    ],
    "encoded_password": ["p@ss/word", "%41", *made(PRINTABLE, 16)],
    "uuid": [UUID, UUID.upper(), "72f988bf-86f1-41af-91ab-2d7cd011db47", "f47ac10b-58cc-4372-a567-0e02b2c3d479"],
    "azure_client_secret": [
        *(f"{a}8Q~{b}" for a, b in zip(made(WORD + "._~-", 3, 3), made(WORD + "._~-", 34, 31), strict=True)),
        *made(WORD + "~._-", 34),  # those of Entra ID before 2021
        *made(WORD + ".=-:[_@*]+?", 32),
        base64.b64encode(secrets.token_bytes(32)).decode(),
        "A secret of a person's own choice",
    ],
    "azure_api_key": [*made(HEX, 32), *made(WORD, 84), "sk-" + made(WORD, 48)[0], "gateway-key-17"],
    "github_token": [f"gho_{made(WORD, 36)[0]}", f"ghu_{made(WORD, 76)[0]}", f"ghu_{made(WORD + '._-', 520)[0]}"],
    "url_host": [
        *("db", "db:5432", "localhost", "127.0.0.1:5432", "DB.internal", "my-db", "h:65535", "example-db.internal"),
        *("my-db.abc123.us-east-1.rds.amazonaws.com", "litellm.postgres.database.azure.com:6432", "h" * 63, "10.0.0.5"),
        *("postgres-rw.databases.svc.cluster.local", "examples.internal", "your.internal"),
    ],
    "host": ["db.internal", "a-b.c", "192.168.1.255", "3com.internal", "db.2b"],
    "url_unreserved": ["litellm", "username", "litellm-aws", "user@db".replace("@", "~"), "null_user"],
    "gcp_service_account": [
        *(account(KEY.replace("\n", end)) for end in ("\r\n", " ", "\n  ", "\t")),
        account(f"\n{KEY.strip()}"),
        account(KEY, project_id="example.com:my-project"),
        account(KEY, project_id="my-project-12345", client_email="my-app@my-project-12345.iam.gserviceaccount.com"),
        account(KEY, client_email="123456789012-compute@developer.gserviceaccount.com"),
        account(KEY, client_email="example-ai@appspot.gserviceaccount.com"),
        account(KEY, client_email="a@b.example.com.iam.gserviceaccount.com"),
        account(KEY, private_key_id=None),
        account(KEY, universe_domain="googleapis.com"),
        *(account(KEY, token_uri=uri) for uri in ("https://accounts.google.com/o/oauth2/token",)),
        *(
            account(KEY, token_uri=f"https://{host}/token")
            for host in ("oauth2.mtls.googleapis.com", "oauth2.s3nsapis.fr")
        ),
        service_account() + "\n",
    ],
}


def rows(table: Mapping[str, Iterable[str]]) -> list[Any]:
    """One test for each value, with a name that tells no more than its place."""
    return [
        pytest.param(form, value, id=f"{form} {number}")
        for form, values in table.items()
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(("form", "value"), rows(REFUSED))
def test_a_value_that_cannot_work_is_refused_and_not_repeated(form: str, value: str) -> None:
    problem = forms.problem(value, form)
    assert problem
    assert REFUSED[form][value] in problem
    assert value not in problem or len(value) < 8


@pytest.mark.parametrize(("form", "value"), rows(ACCEPTED))
def test_a_value_that_may_work_is_taken_however_odd(form: str, value: str) -> None:
    assert forms.problem(value, form) is None


def test_every_form_has_its_values() -> None:
    assert {*REFUSED} == {*ACCEPTED} == {*forms.FORMS, "gcp_service_account"}


# how a vendor, or a program that makes passwords, takes them at random
MADE = {
    "aws_secret_access_key": lambda: made(WORD + "/+", 40)[0],
    "aws_access_key_id": lambda: f"AKIA{made(string.ascii_uppercase + '234567', 16)[0]}",
    "uuid": lambda: str(uuid.uuid4()),
    "azure_client_secret": lambda: f"{made(WORD, 3)[0]}8Q~{made(WORD + '._~-', 34)[0]}",
    "azure_api_key": lambda: secrets.token_hex(16),
    "github_token": lambda: f"gho_{made(WORD, 36)[0]}",
    "master_key": lambda: f"sk-{secrets.token_hex(16)}",
    "url_password": lambda: secrets.choice([*made(PRINTABLE, 12, 20), *made(WORD, 16), secrets.token_urlsafe(24)]),
    "password": lambda: base64.b64encode(secrets.token_bytes(18)).decode(),
}


@pytest.mark.parametrize("form", MADE)
def test_what_is_made_at_random_is_never_refused(form: str) -> None:
    assert [value for value in (MADE[form]() for _ in range(2000)) if forms.problem(value, form)] == []


@pytest.mark.parametrize("text", ["x" * 4000 + "!", "your" * 2000 + "?", "a-" * 4000, "eyJ" * 4000, "aB3/" * 4000])
def test_a_long_value_takes_no_time(text: str) -> None:
    began = time.monotonic()
    for form in ACCEPTED:
        forms.problem(text, form)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_a_real_private_key_is_accepted(key: str) -> None:
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    made = rsa.generate_private_key(65537, 2048) if key == "rsa" else ec.generate_private_key(ec.SECP256R1())
    for layout in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        text = made.private_bytes(serialization.Encoding.PEM, layout, serialization.NoEncryption()).decode()
        assert forms.problem(account(text), "gcp_service_account") is None


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
        ("P=a:~root", "line 1 holds a character that a shell reads in another way"),
        ("P='a'b:~", "line 1 holds a character that a shell reads in another way"),
        ("P=a\f", "line 1 holds a control character"),
        ("P=a\v # no", "line 1 holds a control character"),
        ("P='a\0b'", "line 1 holds a control character"),
        ("P='a\rb'", "line 1 holds a control character"),
        ("P=“abc”", "line 1 has typographic quotation marks"),
        ("export P=‘abc’", "line 1 has typographic quotation marks"),
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
    text = "A=a=~b\r\nB='a:~b'\r\nC=a\t#c\r\n\r\nD='“a”'\nE=a“b\nF=\u00a0a\u2028\nG='a\tb'\n"
    read = {"A": "a=~b", "B": "a:~b", "C": "a", "D": "“a”", "E": "a“b", "F": "\u00a0a\u2028", "G": "a\tb"}
    assert parse_env(text) == read


def test_a_line_that_is_taken_is_read_as_a_shell_reads_it() -> None:
    parts = [
        "a",
        "~",
        "~root",
        ":",
        "=",
        "'x'",
        '"y"',
        "'a b'",
        "#",
        " #c",
        "*",
        "[a]",
        "{a,b}",
        "!",
        "^",
        "+",
        "%",
        "“",
    ]
    parts += ["\u00a0", "'~'", "''", "\t#d", "'$x'", '"\\""', "'\\'", "|", "\\", "$", "`", "?", "é", "&", "<", "@", "-"]
    taken = {}
    for line in ("".join(chosen) for chosen in itertools.product(parts, parts, ["", "a", "~", "'x'"])):
        with contextlib.suppress(SealingError):
            taken[line] = parse_env(f"P={line}")["P"]
    script = "".join(f"P={line}\nprintf '%s\\0' \"$P\"\n" for line in taken)
    read = subprocess.run(["bash", "-"], input=script.encode(), capture_output=True, check=True, cwd="/").stdout
    assert dict(zip(taken, read.decode().split("\0"), strict=False)) == taken
    assert len(taken) > 1000


def test_an_input_of_a_cluster_is_named_as_a_variable_can_be() -> None:
    assert suffix("aws-eu-1") == "__AWS_EU_1"


def test_the_forms_of_the_matrix_are_all_known() -> None:
    named = {
        part.partition("form: ")[2].strip(" }")
        for part in (ROOT / "policies" / "auth-matrix.yml").read_text("utf-8").split("\n")
        if "form: " in part
    }
    for form in named:
        assert forms.problem("\x00", form), form
