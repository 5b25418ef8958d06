"""Faults and edits of entry points in hooks/ and tests/, and of the commit hooks' programs, files and releases."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, change, set_value, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

COMMITS, GITLEAKS, YAMLLINT, PROJECT = ".pre-commit-config.yaml", ".gitleaks.toml", ".yamllint.yml", "pyproject.toml"
GUARDED, LEAKS, LINT = "a_commit_is_guarded", "gitleaks_looks_for_every_credential", "yamllint_can_read_its_settings"
THERE, INSTALLED = "every_entry_point_that_is_called_is_there", "the_tooling_can_be_installed"
GUARD, CONFTEST = "hooks/guard_staged.py", "tests/conftest.py"
FOLDER, VENDORED = everything(repo_path="platform/llm"), everything(tooling="vendored")
_OF_AWS = "AKIA" + "IOSFODNN7EXAMPLE"  # which AWS has in its documents
RUNS_ALWAYS = "        always_run: true\n"


def hook(entry: str, language: str = "system") -> Edit:
    """One more hook of one's own."""
    lines = f"      - id: own\n        name: own\n        language: {language}\n        entry: {entry}\n"
    return append(COMMITS, lines)


FAULTS: dict[str, Fault] = {
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
