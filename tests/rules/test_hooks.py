"""Faults and edits of entry points in hooks/ and tests/, and of the commit hooks' programs, files and releases."""

from __future__ import annotations

from pathlib import Path

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, change, drop, set_value, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

COMMITS, GITLEAKS, YAMLLINT, PROJECT = ".pre-commit-config.yaml", ".gitleaks.toml", ".yamllint.yml", "pyproject.toml"
GUARDED, LEAKS, LINT = "a_commit_is_guarded", "gitleaks_looks_for_every_credential", "yamllint_can_read_its_settings"
THERE, INSTALLED = "every_entry_point_that_is_called_is_there", "the_tooling_can_be_installed"
GUARD, CONFTEST = "hooks/guard_staged.py", "tests/conftest.py"
MATRIX, FILES, WHOLE = "tests/test_auth_matrix.py", "tests/test_files.py", "pytest_runs_the_whole_suite"
OWN_TEST = "\n\n\ndef test_own():\n    assert True\n"
FOLDER, VENDORED = everything(repo_path="platform/llm"), everything(tooling="vendored")
_OF_AWS = "AKIA" + "IOSFODNN7EXAMPLE"  # which AWS has in its documents
RUNS_ALWAYS = "        always_run: true\n"


def hook(entry: str, language: str = "system") -> Edit:
    """One more hook of one's own."""
    lines = f"      - id: own\n        name: own\n        language: {language}\n        entry: {entry}\n"
    return append(COMMITS, lines)


def renamed(file: str, other: str) -> Edit:
    """A file under another name."""

    def apply(root: Path) -> None:
        (root / file).rename(root / other)

    return apply


FAULTS: dict[str, Fault] = {
    "packages for a hook without an environment": (GUARDED, change(COMMITS, "language: python", "language: system")),
    "allowlists of both names": (LEAKS, append(GITLEAKS, "\n[allowlist]\npaths = ['docs/own']\n")),
    "keys that yamllint refuses": (LINT, substitute(YAMLLINT, r" +check-keys: false\n", "")),
    "sealed files that yamllint refuses": (LINT, drop(YAMLLINT, "*.sops.yaml")),
    "a test of a package that nothing installs": (INSTALLED, write("tests/test_own.py", f"import boto3\n{OWN_TEST}")),
    "a test of a mark that nothing declares": (
        INSTALLED,
        write("tests/test_own.py", f"import pytest\n\n\n@pytest.mark.slow{OWN_TEST[2:]}"),
    ),
    "a setting of a plugin that nothing installs": (
        INSTALLED,
        change(PROJECT, 'testpaths = ["tests"]', 'testpaths = ["tests"]\nasyncio_mode = "auto"'),
    ),
    "a backend without its package": (INSTALLED, change(PROJECT, '"setuptools>=77"', '"setuptool>=77"')),
    "an entry point of another one": (THERE, change(GUARD, "litellm_gitops.guard ", "litellm_gitops.auth_table ")),
    "a guard that passes without its package": (
        THERE,
        substitute(GUARD, r"sys\.exit\(f.*\)", "sys.exit(0)"),
    ),
    "an entry point without the repository": (THERE, change("hooks/auth_matrix.py", "main(ROOT)", "main()")),
    "modules from beside an entry point": (THERE, substitute("hooks/seal_secrets.py", r"^sys\.path\[: .*\n", "")),
    "an argument that no test takes": (THERE, change(MATRIX, 'parametrize("rule"', 'parametrize("rules"')),
    "a fixture that is misspelt": (THERE, change("tests/test_chart.py", "renderings, verify", "rendering, verify")),
    "some of the rules, by number": (THERE, change(FILES, ", RULES, ids", ", RULES[:3], ids")),
    "some of the rules, by a condition": (THERE, change(FILES, ", RULES,", ", [e for e in RULES if e.subject],")),
    "rules that end before": (
        THERE,
        change(FILES, "    verify(rule)", "    if rule.name:\n        return\n    verify(rule)"),
    ),
    "rules that may be broken": (
        THERE,
        change(FILES, "    verify(rule)", "    try:\n        verify(rule)\n    except Exception:\n        pass"),
    ),
    "rules with a mark": (THERE, change(MATRIX, "@pytest", "@pytest.mark.decrypt\n@pytest")),
    "a mark that is gone": (THERE, drop("tests/test_decryption.py", "pytestmark")),
    "a mark that is misspelt": (THERE, change("tests/test_decryption.py", "mark.decrypt", "mark.decrypted")),
    "an import that a test lost": (THERE, drop(MATRIX, "import pytest")),
    "a plugin of pytest that nothing brings": (INSTALLED, change(PROJECT, '"-q ', '"-q -n auto ')),
    "a plugin that pytest asks for": (
        INSTALLED,
        change(PROJECT, "testpaths =", 'required_plugins = ["pytest-timeout>=2"]\ntestpaths ='),
    ),
    "a warning that Python does not know": (
        INSTALLED,
        change(PROJECT, "testpaths =", 'filterwarnings = ["eror"]\ntestpaths ='),
    ),
    "a folder of tests in a text": (WHOLE, change(PROJECT, 'testpaths = ["tests"]', 'testpaths = "test"')),
    "a switch of a hook that is left empty": (GUARDED, change(COMMITS, RUNS_ALWAYS, "        always_run:\n")),
    "a guard of another module": (THERE, change(GUARD, "litellm_gitops.guard ", "litellm_gitops.guards ")),
    "a root one folder below": (THERE, change("hooks/seal_secrets.py", ".parent.parent", ".parent")),
    "a package in a folder that is misspelt": (THERE, change(GUARD, '"vendor"', '"vendors"'), VENDORED),
    "a test that pytest leaves out": (THERE, append(CONFTEST, 'collect_ignore = ["test_sealing.py"]\n')),
    "tests that pytest leaves out": (THERE, append(CONFTEST, 'collect_ignore_glob = ["test_*.py"]\n')),
    "no release of copier": (INSTALLED, change(PROJECT, ">=9.19,<10", ">=9.19,<9")),
    "a release of Python as ruff knows none": (INSTALLED, change(PROJECT, '"py311"', '"py3.11"')),
    "a guard on an old Python": (
        GUARDED,
        change(COMMITS, RUNS_ALWAYS, RUNS_ALWAYS + "        language_version: python3.9\n"),
    ),
    "a guard that may fail, without a shell": (GUARDED, change(COMMITS, "guard_staged.py", "guard_staged.py || true")),
    "rejected hunks for every file": (GUARDED, substitute(COMMITS, r"^ +files: .*rej.*\n", "")),
    "no package for the guard": (GUARDED, substitute(COMMITS, r"(additional_dependencies:).*", r"\1")),
    "a method of a path that is misspelt": (THERE, change(GUARD, "sys.path.insert", "sys.path.inseyt")),
    "dependencies in other letters, vendored": (
        INSTALLED,
        change(PROJECT, "\ndependencies", "\ndepnedencies"),
        VENDORED,
    ),
    "an entry without its quote": (GUARDED, hook('"bash -c \'make"')),
    "a release of another repository": (GUARDED, change(COMMITS, "rev: v6.0.0", "rev: v8.30.1")),
    "a script that is not there": (GUARDED, hook("scripts/lint.sh", "script")),
    "gitleaks with a file of another folder": (
        GUARDED,
        change(COMMITS, "platform/llm/.gitleaks.toml", "platform/.gitleaks.toml"),
        FOLDER,
    ),
    "every key of the proxy left out": (LEAKS, append(GITLEAKS, "regexes = ['''sk-.*''']\n")),
    "every key of AWS left out": (LEAKS, append(GITLEAKS, "regexes = ['''AKIA[0-9A-Z]{16}''']\n")),
    "nothing to ignore, in one line": (LINT, change(YAMLLINT, "ignore: |", "ignore:")),
    "everything to ignore": (LINT, change(YAMLLINT, "  *.sops.yaml", "  *.yaml")),
}
HARMLESS: dict[str, Harmless] = {
    "an allowlist for a rule of one's own": append(
        GITLEAKS, "\n[[rules]]\nid = 'own'\nregex = 'own_[a-z]{9}'\n[[rules.allowlists]]\nregexes = ['own_example']\n"
    ),
    "keys that yamllint may refuse, with those of GitHub": change(
        YAMLLINT, "check-keys: false", "allowed-values: ['true', 'false', 'on']"
    ),
    "lines of any length": substitute(YAMLLINT, r"  line-length:\n(?: {4}.*\n)+", "  line-length: disable\n"),
    "a test of a package of one's own": together(
        write("tests/test_own.py", f"import boto3\n{OWN_TEST}"),
        change(PROJECT, '  "copier>=9.19,<10",\n', '  "copier>=9.19,<10",\n  "boto3>=1",\n'),
    ),
    "a mark of one's own": together(
        write("tests/test_own.py", f"import pytest\n\n\n@pytest.mark.slow{OWN_TEST[2:]}"),
        change(PROJECT, '  "chart: needs', '  "slow: takes long",\n  "chart: needs'),
    ),
    "a plugin with its setting": together(
        change(PROJECT, 'testpaths = ["tests"]', 'testpaths = ["tests"]\nasyncio_mode = "auto"'),
        change(PROJECT, '  "copier>=9.19,<10",\n', '  "copier>=9.19,<10",\n  "pytest-asyncio>=1",\n'),
    ),
    "options of pytest in a list": substitute(
        PROJECT, r'"-q (\S+) (\S+) -m (.*)"', '["-q", "\\1", "\\2", "-m", "not chart and not decrypt and not signed"]'
    ),
    "tests of one's own": write(
        "tests/test_own.py",
        "import pytest\n\n\nclass TestOwn:\n    @pytest.mark.parametrize(('a', 'b'), [(1, 2)])\n"
        "    def test_own(self, a, b, tmp_path):\n        assert a < b\n\n"
        "    @pytest.mark.parametrize('own', [1], indirect=True)\n"
        "    def test_other(self, request):\n        assert request\n",
    ),
    "every rule in a loop": write(
        "tests/test_own.py",
        "from litellm_gitops.rules import load\n\n\ndef test_own(verify):\n"
        "    for rule in load().values():\n        verify(rule)\n",
    ),
    "a file of tests under the other name": renamed(FILES, "tests/files_test.py"),
    "a plugin of pytest with what brings it": together(
        change(PROJECT, '"-q ', '"-q --cov=hooks '), append(PROJECT, '\n[dependency-groups]\ndev = ["pytest-cov"]\n')
    ),
    "settings of pytest in a file of their own": write(
        "pytest.ini",
        "[pytest]\naddopts = -q -m 'not chart and not decrypt and not signed'\ntestpaths = tests\n"
        "markers =\n    chart: own\n    decrypt: own\n    signed: own\n",
    ),
    "longer lines for yamllint": change(YAMLLINT, "    max: 120", "    max: 140\n    level: warning"),
    "a root by its number": change(GUARD, ".parent.parent", ".parents[1]"),
    "a hook in a shell": hook("bash -c 'make lint || true'"),
    "a hook of a program": hook("terraform fmt -check"),
    "a script of one's own": together(hook("scripts/lint.sh", "script"), write("scripts/lint.sh", "#!/bin/sh\nls\n")),
    "a script of the repository around": (hook("tools/lint.sh", "script"), FOLDER),
    "a newer release of the hooks": change(COMMITS, "rev: v6.0.0", "rev: v7.1.0"),
    "a Python of one's own": change(COMMITS, RUNS_ALWAYS, RUNS_ALWAYS + "        language_version: python3.13\n"),
    "folders that pytest leaves out": append(CONFTEST, 'collect_ignore = ["own", "test_own.py"]\n'),
    "an example that is no key": append(GITLEAKS, f"regexes = ['''sk-1234''', '''{_OF_AWS}''']\n"),
    "one folder to ignore": set_value(YAMLLINT, ("ignore",), "/vendor/"),
    "a list to ignore": set_value(YAMLLINT, ("ignore",), ["/vendor/", "*.sops.yaml", "/litellm/charts/"]),
    "a newer Python for ruff": change(PROJECT, '"py311"', '"py314"'),
}

test_each_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
