"""Faults and edits of pyproject.toml and renovate.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litellm_gitops.charts import LITELLM
from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, change, delete, remove, substitute, together
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

PROJECT, RENOVATE = "pyproject.toml", "renovate.json"
WHOLE, SAME = "pytest_runs_the_whole_suite", "everything_runs_the_same_commit_of_the_tooling"
THERE = "every_entry_point_that_is_called_is_there"
READS, FITS = "renovate_can_read_its_configuration", "renovate_proposes_what_fits"
OTHER = everything(chart=LITELLM.name)


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


def settings(**given: Any) -> Edit:
    """Settings of Renovate in place of the template's, or beside them."""
    return edited(lambda content: content.update(given))


FAULTS: dict[str, Fault] = {
    **{
        f"an entry point that is gone: {name}": (THERE, delete(f"hooks/{name}.py"))
        for name in ("seal_secrets", "auth_matrix", "get_copilot_token")
    },
    "an indent in words": (
        "sops_can_read_its_settings",
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
