"""Whatever `.sops.yaml` an operator has already: what is sealed opens again, and the rest of the file stays."""

from __future__ import annotations

import builtins
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import creation_rules, keys, state
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.recipients import is_age_key
from tests.support.inputs import Inputs
from tests.support.sealed import content, environment, opened, seal

ANSWERS = {"cluster_environments": ["aws", "gcp"], "providers": ["github_copilot"]}
OTHER = "^kubernetes/.*\\.sops\\.yaml$"
AGE = keys.make(Path("/nonexistent"))[1]
# What a file looks like before; AGE is put in for {age}.
LAYOUTS = {
    "empty": "",
    "a comment": "# mine\n",
    "the start of a document": "---\n",
    "no rules yet": "creation_rules: []\n",
    "no rules yet, with a comment and stores": "creation_rules: [ ]  # none yet\nstores: {yaml: {indent: 2}}\n",
    "rules that are null": "creation_rules:\nstores:\n  yaml:\n    indent: 2\n",
    "stores alone": "stores:\n  yaml:\n    indent: 4\n",
    "an own rule": "# mine\ncreation_rules:\n  - path_regex: ^kubernetes/  # ours\n    age: {age}\n\n# end\n",
    "an own rule without a line feed at the end": "creation_rules:\n  - path_regex: ^kubernetes/\n    age: {age}",
    "an own rule, not indented": "---\ncreation_rules:\n- path_regex: ^kubernetes/\n  age: [{age}]\n",
    "an own rule, deeply indented": "creation_rules:\n    - path_regex: ^kubernetes/\n      age: {age}\n",
    "key groups": "creation_rules:\n  - path_regex: kubernetes/.*\n    key_groups:\n      - age:\n          - {age}\n",
    "folded recipients": "creation_rules:\n  - path_regex: ^kubernetes/\n    age: >-\n      {age},\n      {age}\n",
    "an anchor": "x: &a [{age}]\ncreation_rules:\n  - path_regex: ^kubernetes/\n    age: *a\n",
    "a rule for every file": "creation_rules:\n  - age: {age}\n",
    "a rule for every sealed file": "creation_rules:\n  - path_regex: \\.sops\\.ya?ml$\n    age: {age}\n",
    "a class of Go's": "creation_rules:\n  - path_regex: ^[[:lower:]]+/kubernetes\n    age: {age}\n",
    "the first version of YAML": "%YAML 1.1\n---\ncreation_rules:\n  - path_regex: ^kubernetes/\n    age: {age}\n",
    "flow style": "creation_rules: [{path_regex: ^kubernetes/, age: {age}}]\n",
    "JSON": '{"creation_rules": [{"path_regex": "^kubernetes/", "age": "{age}"}], "stores": {"yaml": {"indent": 2}}}\n',
    "JSON of several lines": '{\n  "creation_rules": [\n    {"path_regex": "^kubernetes/", "age": "{age}"}\n  ]\n}\n',
    "an empty mapping": "{}\n",
    "JSON without rules": '{"creation_rules": []}\n',
    "JSON without rules, but stores": '{"stores": {"yaml": {"indent": 2}}, "creation_rules": []}\n',
    "line feeds of Windows": "creation_rules:\r\n  - path_regex: ^kubernetes/\r\n    age: {age}\r\n",
}
# Whose meaning is not ours to guess.
REFUSED = {
    "a mapping of rules": "creation_rules:\n  aws: {age: {age}}\n",
    "rules that are text": "creation_rules: later\n",
    "a list": "- creation_rules\n",
    "two documents": "creation_rules: []\n---\ncreation_rules: []\n",
    "a git conflict": "<<<<<<< HEAD\ncreation_rules: []\n=======\n>>>>>>> other\n",
    "a version of YAML": "%YAML 1.2\n---\ncreation_rules: []\n",
    "a look ahead": "creation_rules:\n  - path_regex: ^(?!secrets/)\n    age: {age}\n",
    "a key twice": "creation_rules: []\ncreation_rules: []\n",
    "an alias of the rules": "x: &x\n  - path_regex: ^kubernetes/\n    age: {age}\ncreation_rules: *x\n",
    "a tab": "creation_rules:\n\t- age: x\n",
    "a rule of its own for the Secrets": "creation_rules:\n  - path_regex: ^secrets/\n    age: {age}\n",
}


def text(layout: str) -> str:
    return layout.replace("{age}", AGE)


@pytest.fixture
def root(render: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(render(**ANSWERS), tmp_path / "repository"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Inputs().write(tmp_path / "inputs")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_sealed_beside_any_configuration_opens_again(layout: str, root: Path, folder: Path) -> None:
    before = text(LAYOUTS[layout])
    config = root / ".sops.yaml"
    config.write_bytes(before.encode())
    answer = seal(root, inputs=folder)
    assert answer.returncode == 0, answer.stderr
    assert len(opened(root)) == 8, "with the keys that were made"
    after = config.read_bytes().decode()
    old, new = yaml.safe_load(before) or {}, yaml.safe_load(after)
    added = [rule for rule in new["creation_rules"] if str(rule.get("path_regex")).startswith("^secrets/")]
    assert len(added) == 2
    rest = [rule for rule in new["creation_rules"] if rule not in added]
    assert {**new, "creation_rules": rest} == {**old, "creation_rules": old.get("creation_rules") or []}
    assert seal(root, "--check").returncode == 0
    files = content(root)
    assert seal(root, inputs=folder).returncode == 0
    assert content(root) == files


@pytest.mark.parametrize("layout", ["an own rule", "an own rule, not indented", "key groups", "folded recipients"])
def test_the_lines_of_an_own_rule_stay(layout: str, root: Path, folder: Path) -> None:
    before = text(LAYOUTS[layout])
    (root / ".sops.yaml").write_text(before)
    assert seal(root, inputs=folder).returncode == 0
    after = (root / ".sops.yaml").read_text()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []


@pytest.mark.parametrize("layout", REFUSED)
def test_a_configuration_that_is_none_is_refused_and_nothing_is_made(layout: str, root: Path, folder: Path) -> None:
    (root / ".sops.yaml").write_text(text(REFUSED[layout]))
    before = content(root)
    answer = seal(root, inputs=folder)
    assert answer.returncode == (5 if layout == "a git conflict" else 1)
    assert answer.stderr.startswith("seal_secrets: .sops.yaml")
    assert len(answer.stderr.splitlines()) == 1
    assert content(root) == before, "no key was made for a rule that is not there"
    (found,) = [finding for finding in state.findings(Repository(root)) if finding.file == ".sops.yaml"]
    advised = found.fix.command if layout != "a git conflict" else ""
    assert not advised, "sealing refuses it, so nobody is sent there"


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("^[[:lower:]]+/", "secrets/a", True),
        ("^[[:lower:]]+/", "SECRETS/a", False),
        ("^[[:upper:][:digit:]_-]+$", "A_1-", True),
        ("^[^[:space:]]+$", "a b", False),
        ("^[:lower:]+$", "lower", True),
        ("^[[a]+$", "[a[", True),
        ("^[a&&b||c~~]+$", "a&|~", True),
        (r"^a\++$", "a++", True),
        (r"^[*+]+$", "*+", True),
        (r"^a\}+$", "a}}", True),
        (r"\.ya?ml\z", "a.yml", True),
        (r"^\[[[:alpha:]]\]$", "[a]", True),
        ("^[]a]+$", "]a", True),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_pattern_is_read_as_sops_reads_it(pattern: str, path: str, taken: bool, tmp_path: Path) -> None:
    rules = {"creation_rules": [{"path_regex": pattern, "age": AGE}]}
    assert (creation_rules.find(rules, path) is not None) == taken
    (tmp_path / ".sops.yaml").write_text(yaml.safe_dump(rules))
    command = [str(tools.path("sops")), "encrypt", "--filename-override", str(tmp_path / path), "--input-type", "json"]
    answer = subprocess.run(command, input=b"{}", cwd=tmp_path, capture_output=True, check=False)
    assert (answer.returncode == 0) == taken


@pytest.mark.parametrize(
    "pattern", ["a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", r"(a)\1", "a++", "a*+", "(?>a)", r"a\Z", "(a"]
)
def test_a_pattern_with_which_sops_ends_is_refused(pattern: str) -> None:
    with pytest.raises(SealingError, match="path_regex"):
        creation_rules.find({"creation_rules": [{"path_regex": pattern, "age": AGE}]}, "a")


def test_no_rule_is_ever_printed_for_a_key_that_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ruamel(monkeypatch)
    with pytest.raises(SealingError) as refused:
        creation_rules.add("creation_rules: []\n", "aws", [AGE], {})
    assert AGE not in str(refused.value)


def without_ruamel(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = builtins.__import__

    def fail(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("ruamel"):
            raise ImportError(name)
        return import_(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", fail)


def test_a_new_file_needs_no_ruamel_and_another_says_how_to_bring_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ruamel(monkeypatch)
    assert AGE in creation_rules.add(None, "aws", [AGE], {})
    with pytest.raises(SealingError, match=r"uvx --with ruamel\.yaml --with pyrage copier"):
        creation_rules.add("creation_rules: []\n", "aws", [AGE], {})


def test_without_ruamel_nothing_is_changed(root: Path, folder: Path) -> None:
    (root / ".sops.yaml").write_text("creation_rules: []\n")
    before = content(root)
    code = (
        "import sys; from pathlib import Path; sys.modules['ruamel.yaml'] = None\n"
        "from litellm_gitops.sealing.commands import main; sys.exit(main(Path.cwd(), []))"
    )
    answer = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=root, env=environment(folder), capture_output=True, check=False
    )
    assert answer.returncode == 1
    assert b"ruamel.yaml, which adds a rule to .sops.yaml, is not installed" in answer.stderr
    assert content(root) == before


def test_the_checksum_of_an_age_key_is_checked_as_age_does() -> None:
    import pyrage

    for public in (keys.make(Path("/nonexistent"))[1] for _ in range(20)):
        assert is_age_key(public)
        for at in (4, 30, 61):
            wrong = public[:at] + ("q" if public[at] != "q" else "p") + public[at + 1 :]
            assert not is_age_key(wrong)
            with pytest.raises(pyrage.RecipientError):
                pyrage.x25519.Recipient.from_str(wrong)
    for text in ("", "age1", "age1" + "q" * 58, public.upper(), public + "\n", f" {public}"):
        assert not is_age_key(text)
