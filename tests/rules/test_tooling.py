"""Faults and edits of pyproject.toml and renovate.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litellm_gitops.charts import LITELLM
from tests.support.answers import everything
from tests.support.faults import (
    Edit,
    Fault,
    append,
    change,
    delete,
    drop,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

PROJECT, RENOVATE, SEALING = "pyproject.toml", "renovate.json", "tests/test_sealing.py"
WHOLE, SAME = "pytest_runs_the_whole_suite", "everything_runs_the_same_commit_of_the_tooling"
THERE = "every_entry_point_that_is_called_is_there"
STORES = "sops_can_read_its_settings"
INSTALLED, VALIDATE = "the_tooling_can_be_installed", ".github/workflows/validate.yaml"
UV = ("jobs", "suite", "steps", 1, "with")
READS, FITS = "renovate_can_read_its_configuration", "renovate_proposes_what_fits"
OTHER = everything(chart=LITELLM.name)
VENDORED = everything(tooling="vendored")
WEEKLY = "    schedule: {interval: weekly}\n"


def edited(change: Callable[[dict[str, Any]], object]) -> Edit:
    """Renovate's settings, changed in place."""

    def apply(root: Path) -> None:
        content = json.loads((root / RENOVATE).read_text("utf-8"))
        change(content)
        (root / RENOVATE).write_text(json.dumps(content, indent=2) + "\n", "utf-8")

    return apply


def rules(**more: Any) -> Edit:
    """One more rule, at the end."""
    return edited(lambda content: content["packageRules"].append(more))


def without(key: str) -> Edit:
    """No rule that says this."""
    return edited(
        lambda content: content.update(packageRules=[each for each in content["packageRules"] if key not in each])
    )


def manager(**given: Any) -> Edit:
    """More for the manager that the template brings."""
    return edited(lambda content: content["customManagers"][0].update(given))


def settings(**given: Any) -> Edit:
    """Settings of Renovate in place of the template's, or beside them."""
    return edited(lambda content: content.update(given))


FAULTS: dict[str, Fault] = {
    "a guard that holds nothing back": (THERE, change("hooks/guard_staged.py", "sys.exit(main(ROOT))", "main(ROOT)")),
    "rules that are not evaluated": (THERE, change(SEALING, "    verify(rule)", "    pass")),
    "rules that are skipped": (THERE, change(SEALING, "@pytest", "@pytest.mark.skip\n@pytest")),
    "rules that are skipped inside": (THERE, change(SEALING, "    verify(", '    pytest.skip("later")\n    verify(')),
    "rules that pytest does not find": (THERE, change(SEALING, "def test_", "def tst_")),
    "rules that no test has": (WHOLE, change(SEALING, '"plaintext", ', "")),
    "a comment of Renovate's that is misspelt": (
        READS,
        change(VALIDATE, "sigstore/cosign/v3\n", "sigstore/cosgn/v3\n"),
    ),
    "a source of Renovate's that is misspelt": (READS, change(VALIDATE, "=github-releases", "=github-release")),
    "comments that Renovate does not look for": (READS, change(RENOVATE, "# renovate: data", "# renovat: data")),
    "files that Renovate does not look for": (READS, change(RENOVATE, ".yaml$/", ".yml$/")),
    "the tooling by another way": (SAME, change(PROJECT, "@ git+file:", "@ git+http:")),
    "a field of Renovate's that is misspelt": (READS, substitute(VALIDATE, "depName=helm", "dpName=helm")),
    "a project without its version": (INSTALLED, drop(PROJECT, 'version = "0.0.0"')),
    "no options of pytest": (WHOLE, drop(PROJECT, "addopts")),
    "tests that need cosign": (WHOLE, change(PROJECT, "not decrypt and not signed", "not decrypt")),
    "packages that setuptools looks for": (INSTALLED, drop(PROJECT, "packages = []")),
    "a hook with another commit of the tooling": (
        SAME,
        substitute(".pre-commit-config.yaml", "0123456789abcdef", "fedcba9876543210", 1),
    ),
    "a package that is misspelt": (READS, change(RENOVATE, "**/litellm-helm", "**/litelm-helm")),
    "an entry point that is misspelt": (THERE, change(VALIDATE, "hooks/auth_matrix.py", "hooks/auth_matrx.py")),
    "dependencies in one text": (
        INSTALLED,
        substitute(PROJECT, r"(?s)dependencies = \[.*?\n\]", 'dependencies = "copier"'),
    ),
    "no table of the project": (INSTALLED, drop(PROJECT, "[project]")),
    "no table of pytest": (INSTALLED, drop(PROJECT, "[tool.pytest.ini_options]")),
    "a table that is misspelt": (INSTALLED, change(PROJECT, "[project]", "[proect]")),
    "a table of programs that is misspelt": (INSTALLED, change(PROJECT, "[tool.uv]", "[tol.uv]")),
    "a backend under another key": (INSTALLED, change(PROJECT, "build-backend", "buid-backend")),
    "a setting of a program that is misspelt": (INSTALLED, change(PROJECT, "target-version", "target-vesrion")),
    "marks under a misspelt key": (INSTALLED, change(PROJECT, "markers = [", "markrs = [")),
    "the package under a misspelt name": (INSTALLED, change(PROJECT, '"litellm-gitops[', '"litelm-gitops[')),
    "an option of a rule of Renovate that is misspelt": (READS, substitute(RENOVATE, '"groupName"', '"groupNaame"', 1)),
    "a property of packages that is misspelt": (READS, substitute(RENOVATE, '"matchManagers"', '"matchManageers"', 1)),
    "a list of plugins that is misspelt": (WHOLE, change("tests/conftest.py", "pytest_plugins", "pytest_plugin")),
    "a folder that Renovate does not find": (
        READS,
        substitute(RENOVATE, r"github/workflows/", "github/workflow/"),
    ),
    "a type of manager that there is not": (READS, manager(customType="regexp")),
    "a range without its comma": (INSTALLED, change(PROJECT, "copier>=9.19,<10", "copier>=9.19<10")),
    "a switch of uv in words": (INSTALLED, change(PROJECT, "package = false", 'package = "no"')),
    "a vendored package that pytest does not find": (
        INSTALLED,
        change(PROJECT, 'pythonpath = ["vendor"]\n', ""),
        VENDORED,
    ),
    "what the vendored package imports": (INSTALLED, substitute(PROJECT, r'  "pydantic.*\n', ""), VENDORED),
    "rules that nothing loads": (WHOLE, delete("tests/conftest.py")),
    "rules that are misspelt": (WHOLE, substitute("tests/test_auth_matrix.py", '"matrix"', '"matrx"')),
    "a test that is no Python": (THERE, append("tests/test_files.py", "def (\n")),
    "a module of Python that is misspelt": (THERE, change("hooks/auth_matrix.py", "pathlib", "pathib")),
    "an entry point that calls nothing": (THERE, drop("hooks/seal_secrets.py", "sys.exit(main(ROOT))")),
    "an end of an entry point that is misspelt": (
        THERE,
        change("hooks/seal_secrets.py", "sys.exit(main", "sys.ext(main"),
    ),
    "a part of the tooling that is misspelt": (THERE, change("hooks/auth_matrix.py", "auth_table", "auth_tabe")),
    "a part of a path that is misspelt": (
        THERE,
        change("hooks/auth_matrix.py", "resolve().parent", "resolve().paretn"),
    ),
    "a name of every module that is misspelt": (THERE, change("hooks/auth_matrix.py", "__file__", "__fie__")),
    "a name that a hook lost": (THERE, drop("hooks/seal_secrets.py", "ROOT = Path")),
    "a name of Python that is misspelt": (
        THERE,
        change("hooks/guard_staged.py", "except KeyboardInterrupt", "except KeyboardInterupt"),
    ),
    "an import that a hook lost": (THERE, drop("hooks/guard_staged.py", "import main")),
    "stores of sops that are misspelt": (STORES, change(".sops.yaml", "stores:", "stroes:")),
    "a store of sops that is misspelt": (STORES, change(".sops.yaml", "  yaml:", "  yml:")),
    "an indent of sops that is misspelt": (STORES, change(".sops.yaml", "    indent:", "    ident:")),
    "a guard that is empty": (THERE, write("hooks/guard_staged.py", "")),
    "a file that a document misspells": (THERE, append("README.md", "\nSee `clusters/aws/secret.yaml`.\n")),
    "a command with a misspelt file": (
        THERE,
        append("README.md", "\n```sh\nkubectl apply --filename cluster/aws/account.yaml\n```\n"),
    ),
    "a heading that is not there": (THERE, append("README.md", "\nSee [Bootstrap](#bootsrap).\n")),
    **{
        f"an entry point that is gone: {name}": (THERE, delete(f"hooks/{name}.py"))
        for name in ("seal_secrets", "auth_matrix", "get_copilot_token")
    },
    "an indent in words": (
        STORES,
        change(".sops.yaml", "indent: 2", "indent: two"),
    ),
    "a bracket that is not closed": (WHOLE, change(PROJECT, "[project]", "[project")),
    "no tooling at all": (SAME, substitute(PROJECT, r'^  "litellm-gitops\[.*\n', "")),
    "some of the tests": (WHOLE, substitute(PROJECT, 'addopts = "', 'addopts = "-k sealing ')),
    "another folder of tests": (WHOLE, change(PROJECT, 'testpaths = ["tests"]', 'testpaths = ["test"]')),
    "a claim that is gone": (WHOLE, delete("tests/test_sealing.py")),
    "a subject that nobody claims": (WHOLE, substitute("tests/test_sealing.py", '"sealing", ', "")),
    "no tests": (WHOLE, delete("tests")),
    "a branch of the tooling": (SAME, substitute(PROJECT, r"@[0-9a-f]{40}", "@main")),
    "two commits of the tooling": (SAME, substitute(PROJECT, r"@[0-9a-f]{40}", f"@{'1' * 40}")),
    "a misspelt setting of Renovate": (READS, change(RENOVATE, '"packageRules"', '"packageRule"')),
    "a misspelt preset of Renovate": (READS, change(RENOVATE, "config:recommended", "config:recomended")),
    "a schedule with a misspelt day": (READS, change(RENOVATE, "on monday", "on mondey")),
    "rules that are no list": (READS, settings(packageRules={"matchManagers": ["copier"], "enabled": False})),
    **{
        f"a misspelt matcher: {name}": (READS, rules(**{name: ["own"], "enabled": False}))
        for name in ("matchPackageName", "matchManger")
    },
    "a rule for no package": (READS, rules(enabled=False)),
    "a manager of misspelt files": (READS, change(RENOVATE, "managerFilePatterns", "managerFilePattern")),
    "a manager of no kind": (READS, change(RENOVATE, '"customType": "regex",', "")),
    "a manager of a misspelt kind": (READS, change(RENOVATE, '"customType": "regex"', '"customType": "regexp"')),
    "a switch in words": (READS, settings(enabled="false")),
    "a timezone that there is not": (READS, settings(timezone="Europe/Zuerich")),
    "a pattern that looks ahead": (READS, change(RENOVATE, "version: (?<", "version: (?!0)(?<")),
    "a group that has no name": (READS, change(RENOVATE, "(?<depName>", "(<depName>")),
    **{
        f"settings that Renovate does not take: {given}": (READS, settings(**given))
        for given in (
            {"minimumReleaseAge": "3 dyas"},
            {"minimumReleaseAge": "3"},
            {"schedule": ["before 6 on monday"]},
            {"schedule": ["before 25am on monday"]},
            {"schedule": ["30 5 * * 1"]},
            {"schedule": ["* 0-25 * * 1"]},
            {"schedule": ["vor 6 Uhr am Montag"]},
            {"lockFileMaintenance": {"enabled": True, "schedule": ["before 5am on mondy"]}},
            {"timezone": "Berlin"},
            {"rebaseWhen": "always"},
            {"prHourlyLimit": "2"},
            {"labels": "dependencies"},
            {"enabledManagers": ["github-action"]},
            {"internalChecksFilter": "strictly"},
        )
    },
    **{
        f"a rule of a misspelt word: {given}": (READS, rules(enabled=False, **given))
        for given in (
            {"matchUpdateTypes": ["majors"]},
            {"matchManagers": ["dockercompose"]},
            {"matchPackageNames": ["/litellm(/"]},
        )
    },
    "a manager of files without slashes": (
        READS,
        edited(lambda own: own["customManagers"][0].update(managerFilePatterns=["^own/.+$"])),
    ),
    **{
        f"a manager of a misspelt {name}": (READS, manager(**{name: word}))
        for name, word in (("datasourceTemplate", "githubtags"), ("versioningTemplate", "semvers"))
    },
    "updates of another branch": (FITS, settings(baseBranches=["master"])),
    **{
        f"a Python that there is not: {value}": (INSTALLED, change(PROJECT, '">=3.11"', f'"{value}"'))
        for value in (">=3.99", "<3.11", "==3.10.*", "=>3.11", "3.11", ">=3.9")
    },
    "no copier, which CI calls": (INSTALLED, change(PROJECT, '  "copier>=9.19,<10",\n', "")),
    "a Python of another number": (INSTALLED, write(".python-version", "3.10\n")),
    "a Python that is no text": (INSTALLED, set_value(VALIDATE, (*UV, "python-version"), 3.1)),
    **{
        f"a project that is misspelt: {new}": (INSTALLED, change(PROJECT, old, new))
        for old, new in (
            ("requires-python", "require-python"),
            ('"copier>=9.19,<10"', '"copeir>=9.19,<10"'),
            ('"copier>=9.19,<10"', '"copier=>9.19,<10"'),
            ("litellm-gitops[suite] @", "litellm-gitops @"),
            ("not decrypt", "not decrpyt"),
            ("--strict-markers", "--strict-marker"),
            ("addopts", "addopt"),
            ("[tool.pytest.ini_options]", "[tool.pytest.ini_option]"),
            ("setuptools.build_meta", "setuptools.build_metas"),
            ("package = false", "packages = false"),
            ('version = "0.0.0"', 'version = "newest"'),
            ('name = "litellm-gitops-tooling"', 'name = "litellm gitops"'),
            ('testpaths = ["tests"]', 'testpaths = ["tests"]\npython_files = ["*_test.py"]'),
            ('testpaths = ["tests"]', 'testpaths = ["tests"]\nnorecursedirs = ["tests"]'),
        )
    },
    "settings of pytest in a file of its own": (WHOLE, write("pytest.ini", "[pytest]\ntestpaths = own\n")),
    "some of the tests in a file of its own": (WHOLE, write("pytest.ini", "[pytest]\naddopts = -k sealing\n")),
    "a Dependabot that does nothing": (
        "dependabot_can_read_its_configuration",
        write(
            ".github/dependabot.yml",
            "version: 2\nupdates:\n  - package-ecosystem: pip\n    directory: /\n    schedule: {interval: week}\n",
        ),
    ),
    "a Renovate that is switched off": (READS, settings(enabled=False)),
    "a Renovate that passes over everything": (READS, settings(ignorePaths=["**"])),
    "rules of another engine": (WHOLE, change("tests/test_deployment.py", '"engine", "flux"', '"engine", "argocd"')),
    **{
        f"a Dependabot that looks at nothing: {file} {given}": (
            "dependabot_can_read_its_configuration",
            write(file, f"version: 2\nupdates:\n  - package-ecosystem: pip\n    {given}\n{WEEKLY}"),
        )
        for file, given in (
            (".github/dependabot.yml", "directory: /chart"),
            (".github/dependabot.yml", "directories: [/, /own]"),
            ("dependabot.yml", "directory: /"),
        )
    },
    "charts of three components as updates": (FITS, without("allowedVersions"), OTHER),
    "charts of three components by a later rule": (
        FITS,
        rules(matchDatasources=["docker"], allowedVersions="<2"),
        OTHER,
    ),
    "charts of three components by a pattern": (
        FITS,
        rules(matchDepNames=["litellm"], allowedVersions=r"/^1\./"),
        OTHER,
    ),
    "charts of three components, but for some": (FITS, rules(matchManagers=["helmv3"], allowedVersions="<1.96"), OTHER),
    "releases that wait for ever": (FITS, without("minimumReleaseAgeBehaviour")),
    "releases that wait for ever by a later rule": (
        FITS,
        rules(matchPackageNames=["/^ghcr/"], minimumReleaseAgeBehaviour="timestamp-required"),
    ),
    "docker-compose.yml in a group of its own": (FITS, rules(matchManagers=["docker-compose"], groupName="Compose")),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a Dependabot for folders": write(
        ".github/dependabot.yaml",
        f"version: 2\nupdates:\n  - package-ecosystem: helm\n    directories: [/litellm, '/own/*', /]\n{WEEKLY}",
    ),
    "an entry point of one's own that ends by itself": write(
        "hooks/own.py",
        "import click\nfrom litellm_gitops import findings\n\n"
        "@click.command()\ndef main():\n    print(findings)\n\nmain()\n",
    ),
    "a fixture that hands the rules on": write(
        "tests/test_own.py",
        "import pytest\n\n@pytest.fixture\ndef own(verify):\n    return verify\n\ndef test_own(own):\n    assert own\n",
    ),
    "other stores of sops": change(".sops.yaml", "stores:", "stores:\n  json:\n    indent: 4\n  dotenv: {}"),
    "a function in a hook": append("hooks/guard_staged.py", "\n\ndef own(a, *b):\n    return [c for c in (a, *b)]\n"),
    "a chart that is not rendered without helm": change(
        "tests/test_chart.py", "@pytest.mark.param", '@pytest.mark.skipif("own", reason="own")\n@pytest.mark.param'
    ),
    "an entry point with more to do": change(
        "hooks/guard_staged.py", "sys.exit(main(ROOT))", "code = main(ROOT)\nprint(code)\nsys.exit(code)"
    ),
    "a comment for Renovate of one's own": change(
        VALIDATE,
        "        run: uv run --locked pytest -m chart",
        "        # renovate: datasource=npm depName=helmet\n        run: uv run --locked pytest -m chart",
    ),
    "other marks in another form": change(
        PROJECT, "-m 'not chart and not decrypt and not signed'", "-m 'not (chart or decrypt or signed or slow)'"
    ),
    "packages by another key": change(PROJECT, "packages = []", "py-modules = []"),
    "packages of others": rules(matchPackageNames=["litellm", "example/litellm-helms", "/litelm/"], enabled=False),
    "settings of other programs": append(
        PROJECT, '\n[tool.mypy]\ncache_dir = ".mypy"\n\n[tool.pylint]\nload-plugins = []\n\n[tool.setuptools_scm]\n'
    ),
    "files that a document names for others": append(
        "README.md",
        "\n## Ours\n\n`litellm/values-gke.yaml` [ours](#ours), `clusters/aws2/own.yaml`, `docs/own.md`,\n"
        "`secrets/<cluster>/own.sops.yaml`.\n"
        "\n```sh\ncurl https://example.com/cluster/aws/account.yaml\n"
        "helm lint litellm/ --values /tmp/values-aws.yaml\n```\n",
    ),
    "files that Renovate alone knows": manager(managerFilePatterns=["/^docs/.+\\.md$/"]),
    "a dependency for some": change(
        PROJECT, '  "copier>=9.19,<10",', '  "copier>=9.19,<10",\n  "tomli>=2; python_version<\'3.11\'",'
    ),
    "a dependency beside a vendored package": (
        change(PROJECT, '  "copier>=9.19,<10",', '  "copier>=9.19,<10",\n  "ruff>=0.14",'),
        VENDORED,
    ),
    "an auth matrix that nobody shows": together(
        delete("hooks/auth_matrix.py"),
        remove(".github/workflows/validate.yaml", ("jobs", "suite", "steps", 3)),
    ),
    "another indent": change(".sops.yaml", "indent: 2", "indent: 4"),
    "settings of another tool": append(PROJECT, "\n[tool.own]\nname = 1\n"),
    "a louder pytest": substitute(PROJECT, 'addopts = "-q', 'addopts = "-v --durations=5'),
    "a schedule of one's own": substitute(RENOVATE, '"before 6am on monday"', '"every weekend"'),
    **{
        f"a schedule: {schedule}": settings(schedule=[schedule])
        for schedule in (
            "after 10pm and before 5am every weekday",
            "* 0-3 * * 1",
            "on the first day of the month",
            "before 3am on mon through wed",
            "at any time",
            "every 3 months on the first day of the month",
        )
    },
    **{
        f"settings of Renovate: {given}": settings(**given)
        for given in (
            {"minimumReleaseAge": "1 week"},
            {"minimumReleaseAge": "3d"},
            {"schedule": ["after 10:00pm every weekday", "before 6:00am on the 15th day of the month"]},
            {"schedule": "on friday and saturday"},
            {"lockFileMaintenance": True},
            {"lockFileMaintenance": {"enabled": True, "schedule": ["* 5 * * MON-FRI"]}},
            {"timezone": "UTC"},
            {"semanticCommits": True},
            {"stabilityDays": 3},
            {"enabledManagers": ["helmv3", "helm-values", "custom.regex", "a-manager-of-tomorrow"]},
            {"baseBranches": ["/^main$/"]},
            {"baseBranchPatterns": ["main", "release"]},
            {"hostRules": [{"matchHost": "ghcr.io", "encrypted": {"password": "wcFMA/own+example=="}}]},
        )
    },
    **{
        f"a range of Python: {value}": change(PROJECT, '">=3.11"', f'"{value}"')
        for value in (">=3.12", ">=3.11,<4", "~=3.11", ">=3.11, !=3.12.1", "==3.13.*")
    },
    "a Python by its number": write(".python-version", "3.12\n"),
    "a dependency more": change(
        PROJECT, '"copier>=9.19,<10",', '"copier>=9.19,<10",\n  "own[a,b]~=1.0; sys_platform == \'linux\'",'
    ),
    "settings of uv": append(PROJECT, '\n[[tool.uv.index]]\nurl = "https://pypi.example.com/simple"\n'),
    "settings of pytest in another file": write("pytest.ini", "[pytest]\naddopts = -q\ntestpaths = tests\n"),
    "Dependabot": write(
        ".github/dependabot.yml",
        "version: 2\nupdates:\n  - {package-ecosystem: github-actions, directory: /, schedule: {interval: weekly}}\n",
    ),
    "rules of one's own": together(
        rules(matchUpdateTypes=["minor"], matchDepNames=["own"], automerge=True, addLabels=["ci"]),
        rules(extends=["packages:linters"], groupName="linters"),
        rules(matchPackagePatterns=["^own"], schedule=["every weekend"]),
        settings(timezone="Europe/Berlin", automerge=False),
    ),
    **{
        f"a manager whose patterns go together, {strategy}": settings(
            customManagers=[
                {
                    "customType": "regex",
                    "managerFilePatterns": ["/own/"],
                    "matchStringsStrategy": strategy,
                    "matchStrings": ["NAME=(?<depName>.*)", "VERSION=(?<currentValue>.*)"],
                    "datasourceTemplate": "docker",
                }
            ]
        )
        for strategy in ("combination", "recursive")
    },
    "a manager of digests": settings(
        customManagers=[
            {
                "customType": "regex",
                "managerFilePatterns": ["/own/"],
                "matchStrings": ["(?<packageName>.*)@(?<currentDigest>sha256:.*)"],
                "datasourceTemplate": "docker",
            }
        ]
    ),
    "a manager of another kind": settings(
        customManagers=[
            {
                "customType": "jsonata",
                "fileFormat": "yaml",
                "managerFilePatterns": ["/own.yaml/"],
                "matchStrings": ['packages.{ "depName": package }'],
                "datasourceTemplate": "docker",
            }
        ]
    ),
    "a preset that merges": change(RENOVATE, '"config:recommended"', '"config:recommended", ":automergeMajor"'),
    "a preset that is nearly another one": change(
        RENOVATE, '"config:recommended"', '"config:recommended", ":automergeMajor"'
    ),
    "versions by another language": change(
        RENOVATE,
        '"customManagers": [',
        '"customManagers": [{"customType": "jsonata", "fileFormat": "yaml", "managerFilePatterns": ["/x.yaml/"], '
        '"matchStrings": ["a.{ \\"depName\\": b }"], "datasourceTemplate": "docker"},',
    ),
    "a preset of one's own": change(RENOVATE, '"config:recommended"', '"config:recommended", "local>own/renovate"'),
    "rules that come from elsewhere": (
        edited(lambda content: content.update(extends=["local>own/renovate"], packageRules=[])),
        OTHER,
    ),
    "the chart and the image by themselves": without("groupName"),
    "one group of all": edited(
        lambda content: content.update(groupName="all", packageRules=content["packageRules"][:1])
    ),
    "no LiteLLM": (rules(matchPackageNames=["**/litellm"], enabled=False, allowedVersions="<9"), OTHER),
    "no charts": (
        together(without("allowedVersions"), edited(lambda own: own.update(helmv3={"enabled": False}))),
        OTHER,
    ),
    "some managers alone": (edited(lambda content: content.update(enabledManagers=["github-actions"])), OTHER),
    "no time to wait": edited(
        lambda content: content.update(minimumReleaseAge=None, packageRules=content["packageRules"][1:])
    ),
    "a narrower range of the chart": (rules(matchDepNames=["litellm"], allowedVersions=">=1.0.0 <1.5"), OTHER),
    "a range in another language": (rules(matchDepNames=["litellm"], allowedVersions="~1.0"), OTHER),
    "a rule for files": rules(matchFileNames=["docker-compose.yml"], groupName="Compose"),
    "a rule by another's name": rules(matchPackageNames=["!**/litellm*", "*"], groupName="others"),
    "majors of the chart by hand": rules(matchManagers=["helmv3"], matchUpdateTypes=["major"], enabled=False),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
