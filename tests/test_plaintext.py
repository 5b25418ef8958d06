"""Credentials in plaintext: which are found, by form and by name, and what is no credential. See docs/faults.md."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from litellm_gitops.findings import Finding
from litellm_gitops.repository import Repository
from litellm_gitops.rules import plaintext, sealing
from tests.support.plaintexts import harmless, named, signs, vendors

PASSWORD = signs(9)
KEYS = {
    f"a key of {vendor}": (f"notes/{number}.txt", f"{key}\n") for number, (vendor, key) in enumerate(vendors().items())
}
PLAINTEXT = {**KEYS, **named(PASSWORD)}
HARMLESS = harmless()
ANSWERS = {"cluster_environments": ["gcp"], "providers": ["bedrock"]}


@pytest.fixture(scope="module")
def found(sealed: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """What is found in each file of the corpus, which stands in one repository."""
    root = shutil.copytree(sealed(**ANSWERS), tmp_path_factory.mktemp("corpus") / "repository")
    for file, content in [*PLAINTEXT.values(), *HARMLESS.values()]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(content, "utf-8")
    by_file: dict[str, list[Finding]] = {}
    for finding in plaintext.no_credential_stands_in_plaintext(Repository(root)):
        by_file.setdefault(finding.file, []).append(finding)
    return by_file


@pytest.mark.parametrize("name", PLAINTEXT)
def test_a_credential_is_found_once(name: str, found: dict[str, list[Finding]]) -> None:
    file, content = PLAINTEXT[name]
    assert len(found.get(file, [])) == 1, content
    assert PASSWORD not in str(found[file][0])


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_credential_is_left_alone(name: str, found: dict[str, list[Finding]]) -> None:
    file, content = HARMLESS[name]
    assert not found.get(file), content


def test_nothing_is_found_in_a_repository_as_it_is_rendered(found: dict[str, list[Finding]]) -> None:
    assert set(found) == {file for file, _ in PLAINTEXT.values()}


@pytest.mark.parametrize("block", ["labels", "annotations"])
@pytest.mark.parametrize("name", ["password", "example.com/api-key"])
def test_a_credential_beside_sealed_values_is_found(
    block: str, name: str, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    root = shutil.copytree(sealed(**ANSWERS), tmp_path / "repository")
    file = next((root / "secrets/gcp").glob("*.sops.yaml"))
    text = file.read_text("utf-8").replace("metadata:\n", f"metadata:\n  {block}:\n    {name}: {PASSWORD}\n", 1)
    file.write_text(text, "utf-8")
    findings = list(plaintext.no_credential_stands_in_plaintext(Repository(root)))
    assert [finding.file for finding in findings] == [file.relative_to(root).as_posix()]


def test_of_a_secret_in_plaintext_one_rule_speaks(sealed: Callable[..., Path], tmp_path: Path) -> None:
    root = shutil.copytree(sealed(**ANSWERS), tmp_path / "repository")
    content = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: own}}\nstringData:\n  password: {PASSWORD}\n"
    (root / "own.yaml").write_text(content, "utf-8")
    repository = Repository(root)
    assert not list(plaintext.no_credential_stands_in_plaintext(repository))
    assert len(list(sealing.no_secret_stands_outside_of_the_sealed_files(repository))) == 1
