"""`pytest -m decrypt` in a rendered repository, as its operator runs it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.inputs import Inputs
from tests.support.sealed import encrypt, environment, seal
from tests.support.warm import PYTEST, package


@pytest.fixture
def root(render: Callable[..., Path], tmp_path: Path) -> Path:
    answers = {"cluster_environments": ["aws", "gcp"], "providers": ["github_copilot"]}
    repository = Path(shutil.copytree(render(**answers), tmp_path / "repository"))
    assert seal(repository, inputs=Inputs().write(tmp_path / "inputs")).returncode == 0
    return repository


def suite(root: Path, *arguments: str, **shell: str) -> subprocess.CompletedProcess[str]:
    env = environment(None, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **shell)  # those of this project are not its
    return package().run(PYTEST, "-m", "decrypt", *arguments, cwd=root, env=env)


def test_it_opens_every_secret_with_the_generated_keys(root: Path) -> None:
    answer = suite(root)
    assert answer.returncode == 0, answer.stdout
    assert "1 passed" in answer.stdout


def test_a_key_in_the_shell_opens_them_too(root: Path) -> None:
    texts = [path.read_text().splitlines()[-1] for path in sorted((root / "keys").iterdir())]
    shutil.rmtree(root / "keys")
    assert suite(root, SOPS_AGE_KEY="\n".join(texts)).returncode == 0
    assert suite(root, SOPS_AGE_KEY=texts[0]).returncode == 1


def test_it_names_the_file_that_was_changed_after_it_was_sealed(root: Path) -> None:
    path = root / "secrets" / "gcp" / "litellm-masterkey.sops.yaml"
    text = path.read_text()
    path.write_text(text.replace("masterkey: ENC[AES256_GCM,data:", "masterkey: ENC[AES256_GCM,data:AAAA"))
    answer = suite(root)
    assert answer.returncode == 1
    assert "secrets/gcp/litellm-masterkey.sops.yaml: a value was changed or moved" in answer.stdout
    assert "litellm-postgresql" not in answer.stdout, "a Secret that is whole"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"password": "8675309123\n"}, "password is empty, no text, or ends in a line break"),
        ({"password": 8675309123}, "stringData.password is not encrypted"),
        ({"password": ["8675309123"]}, "stringData.password is not encrypted"),
        (["8675309123"], "stringData is not a mapping"),
    ],
)
def test_it_never_shows_a_value(root: Path, block: object, said: str) -> None:
    manifest = {"kind": "Secret", "metadata": {"name": "own"}, "stringData": block}
    own = Path("secrets", "aws", "own.sops.yaml")
    encrypt(manifest, root / own, root)
    answer = suite(root, "-vv", "--showlocals", "--tb=long")
    assert answer.returncode == 1
    assert str(own) in answer.stdout
    assert said in answer.stdout
    assert "8675309123" not in answer.stdout + answer.stderr


def test_an_own_secret_may_hold_an_empty_value_and_a_certificate(root: Path) -> None:
    values = {"EXTRA": "", "tls.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}
    manifest = {"kind": "Secret", "metadata": {"name": "own"}, "stringData": values}
    encrypt(manifest, root / "secrets" / "aws" / "own.sops.yaml", root)
    answer = suite(root)
    assert answer.returncode == 0, answer.stdout


def test_it_says_where_a_missing_key_belongs(root: Path) -> None:
    (root / "keys" / "aws.agekey").unlink()
    answer = suite(root)
    assert answer.returncode == 1
    assert "no private key that opens it was found: put it in keys/" in answer.stdout
