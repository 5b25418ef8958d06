"""What keeps the repository running: the suite that pytest runs, the commit of the tooling, Renovate."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from posixpath import basename, normpath
from typing import Any
from zoneinfo import available_timezones

from litellm_gitops import releases, renovate, vendored
from litellm_gitops.documents import dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, edit, restore
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import Repository
from litellm_gitops.rules import load, rule
from litellm_gitops.rules.files import is_ignored
from litellm_gitops.rules.pipeline import GITLAB, OURS
from litellm_gitops.scripts import PART
from litellm_gitops.sealing.creation_rules import CONFIG

_COMMITS = ".pre-commit-config.yaml"
_RENOVATE = "renovate.json"
_PROJECT = "pyproject.toml"
_NAMED = re.compile(r"[\"']litellm-gitops[\[ @=~<>\"']")
_PINNED = re.compile(r"litellm-gitops(?:\[\w+\])? ?@ ?git\+\S+?@([^\s@#\"']+)")
# https://docs.renovatebot.com/configuration-options/: of the top, those that a misspelt one may be meant for
_OF_RENOVATE = {
    *("$schema", "extends", "packageRules", "customManagers", "schedule", "minimumReleaseAge", "enabled", "labels"),
    *("assignees", "reviewers", "automerge", "baseBranches", "timezone", "ignorePaths", "ignoreDeps", "hostRules"),
    *("prHourlyLimit", "prConcurrentLimit", "rangeStrategy", "enabledManagers", "vulnerabilityAlerts", "pre-commit"),
    *("lockFileMaintenance", "commitMessagePrefix", "semanticCommits", "dependencyDashboard", "platformAutomerge"),
    *("rebaseWhen", "separateMajorMinor", "customDatasources", "registryAliases", "addLabels", "description"),
}
_PRESETS = {
    *("config:recommended", "config:best-practices", "config:js-app", "config:js-lib", "config:semverAllMonthly"),
    *("config:semverAllWeekly", "helpers:pinGitHubActionDigests", ":enablePreCommit", ":dependencyDashboard"),
    *(":semanticCommits", ":automergeMinor", ":automergePatch", ":maintainLockFilesWeekly", ":timezone"),
    *(":automergeAll", ":automergeBranch", ":automergeDigest", ":automergeDisabled", ":automergeMajor", ":automergePr"),
}
_MATCHERS = {
    f"match{each}"
    for each in (
        *("BaseBranches", "Categories", "Confidence", "CurrentAge", "CurrentValue", "CurrentVersion", "Datasources"),
        *("DepNames", "DepPatterns", "DepPrefixes", "DepTypes", "FileNames", "Files", "Jsonata", "Languages"),
        *("Managers", "Message", "NewValue", "NewVersion", "PackageNames", "PackagePatterns", "PackagePrefixes"),
        *("Paths", "RegistryUrls", "Repositories", "SourceUrlPrefixes", "SourceUrls", "UpdateTypes"),
    )
}
_OLDER_MATCHERS = ("exclude", "match", "packageNames", "packagePatterns", "paths", "managers", "depTypeList")
_OF_A_MANAGER = {"customType", "description", "fileFormat", "fileMatch", "managerFilePatterns", "matchStrings"}
_OF_A_MANAGER |= {"matchStringsStrategy"}
_LISTS = ("packageRules", "customManagers", "ignorePaths", "ignoreDeps", "enabledManagers", "hostRules")
_SWITCHES = ("automerge", "dependencyDashboard", "enabled", "platformAutomerge", "separateMajorMinor")
_DAYS = {  # and the words beside them
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekday", "weekend", "month"),
    *("january", "february", "march", "april", "june", "july", "august", "september", "october", "november"),
    *("december", "before", "after", "every", "week", "weeks", "hour", "hours", "months", "weekdays", "weekends"),
}
_INSTEAD = {"depName": "packageName", "currentValue": "currentDigest"}
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")  # which RE2 does not know


@rule
def renovate_can_read_its_configuration(repository: Repository) -> Iterator[Finding]:
    """Else it proposes nothing, and says so nowhere here."""
    if not repository.has(_RENOVATE):
        return
    content = repository.text(_RENOVATE) or ""
    try:
        settings = json.loads(content)
    except ValueError:
        yield Finding(_RENOVATE, None, "it is not JSON", edit("correct the syntax"))
        return
    yield from _at_its_word(content, _unread(mapping(settings)))


def _at_its_word(content: str, told: Iterator[tuple[str, str, str]]) -> Iterator[Finding]:
    for word, what, fix in told:
        line = next((number for number, line in enumerate(content.splitlines(), 1) if f'"{word}"' in line), None)
        yield Finding(_RENOVATE, line, what, edit(fix))


def _unread(settings: dict[Any, Any]) -> Iterator[tuple[str, str, str]]:
    """What Renovate does not know, or refuses: (the word, what is wrong, what to do)."""
    for key in settings:
        if meant := closest(str(key), _OF_RENOVATE):
            yield str(key), f"Renovate knows no {key}", f"did you mean {meant}?"
    for preset in texts(settings.get("extends")):
        if meant := closest(preset, _PRESETS):
            yield preset, f"Renovate knows no preset {preset}, and does nothing", f"did you mean {meant}?"
    for key in (key for key in _LISTS if key in settings and not isinstance(settings[key], list)):
        yield key, f"{key} is no list, and Renovate does nothing", "write it in brackets"
    for entry in (settings, *map(mapping, sequence(settings.get("packageRules")))):
        for key in (key for key in _SWITCHES if isinstance(entry.get(key), str)):
            yield key, f"{key} is a text, and Renovate does nothing", "write true or false, without quotes"
        for line in [entry.get("schedule"), *sequence(entry.get("schedule"))]:
            words = re.findall(r"[a-z]+", text(line).lower())
            if meant := next(filter(None, (closest(word, _DAYS) for word in words if word not in _DAYS)), ""):
                yield str(line), "Renovate cannot read the schedule, and does nothing", f"did you mean {meant}?"
    zone, zones = text(settings.get("timezone")), available_timezones() if settings.get("timezone") else set[str]()
    if zone not in zones and (meant := closest(zone, zones)):
        yield zone, f"there is no timezone {zone}, and Renovate does nothing", f"did you mean {meant}?"
    for entry in map(mapping, sequence(settings.get("packageRules"))):
        yield from _of_packages(entry)
    for manager in map(mapping, sequence(settings.get("customManagers"))):
        yield from _of_manager(manager)


def _of_packages(entry: dict[Any, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a rule for packages, which is for none where nothing says for which."""
    misspelt = [(key, closest(key, _MATCHERS)) for key in map(str, entry) if key not in _MATCHERS]
    for key, meant in misspelt:
        if meant:
            yield key, f"Renovate knows no {key}, and does nothing", f"did you mean {meant}?"
    if not any(key == "extends" or key.startswith(_OLDER_MATCHERS) for key in map(str, entry)):
        word = next(iter(map(str, entry)), "packageRules")
        yield word, "a rule says not for which packages it is, and Renovate does nothing", "add matchPackageNames"


def _of_manager(manager: dict[Any, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a custom manager."""
    misspelt = {key: meant for key in map(str, manager) if (meant := closest(key, _OF_A_MANAGER))}
    for key, meant in misspelt.items():
        yield key, f"a custom manager has no {key}, and Renovate does nothing", f"did you mean {meant}?"
    kind = manager.get("customType")
    if kind not in ("regex", "jsonata") and "customType" not in misspelt.values():
        word = "customType" if "customType" in manager else "customManagers"
        yield word, "a custom manager has no customType that there is, and Renovate does nothing", "write regex"
    if not {"managerFilePatterns", "fileMatch"} & {*manager, *misspelt.values()}:
        yield "customManagers", "a custom manager says not for which files it is", "add managerFilePatterns"
    given = {str(key).removesuffix("Template") for key in manager}
    groups = list[set[str]]()
    for pattern in texts(manager.get("matchStrings")) if kind != "jsonata" else ():
        try:
            groups.append({*re.compile(pattern.replace("(?<", "(?P<")).groupindex})
            if _LOOKS_AROUND.search(pattern):
                raise re.error("")
        except re.error:
            yield "matchStrings", "a pattern of customManagers is no regular expression of RE2", "correct it"
            return
    together = manager.get("matchStringsStrategy") in ("combination", "recursive")
    for found in [set[str]().union(*groups)] if together else groups:
        # the second of two stands for the first
        stands = {one for one, other in _INSTEAD.items() if other in given | found}
        if missing := {"currentValue", "datasource", "depName"} - given - found - stands:
            what = f"a pattern of customManagers gives no {min(missing)}, so that nothing is proposed"
            yield "matchStrings", what, f"name a group: (?<{min(missing)}>…)"


@rule
def renovate_proposes_what_fits(repository: Repository) -> Iterator[Finding]:
    """Of LiteLLM: its releases at all, none of another chart, and one image for both files that have it.

    What comes from elsewhere may say otherwise, such as a preset of one's own: then nothing is told.
    """
    content = repository.text(_RENOVATE) or "" if repository.has(_RENOVATE) else ""
    try:
        settings = mapping(json.loads(content or "{}"))
    except ValueError:
        return  # which has a rule above
    if not content or any(_unread(settings)):
        return  # likewise
    if {*texts(settings.get("extends"))} <= _PRESETS and not {"force", "ignorePaths"} & set(settings):
        said = {each: renovate.applied(settings, each) for each in renovate.dependencies(repository)}
        said = {each: found for each, found in said.items() if found.get("enabled", True) is True}
        yield from _at_its_word(content, _unfit(repository.chart.name, said))


def _unfit(chart: str, said: dict[renovate.Dependency, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """What Renovate would do wrong: (the word, what is wrong, what to do)."""
    allowed = [found.get("allowedVersions") for each, found in said.items() if each.manager == "helmv3"]
    others = (
        other for other in reversed(releases.strangers(chart)) for each in allowed if renovate.allows(each, other)
    )
    if other := next(others, ""):
        what = f"Renovate would propose {chart} {other}, which is another chart, of three components"
        fix = f'write "allowedVersions": "<{releases.before(chart)}" in a rule for **/{chart}'
        yield "packageRules" if allowed == [None] else "allowedVersions", what, fix
    images = {each: found for each, found in said.items() if each.manager != "helmv3"}
    waits = [each.package for each, found in images.items() if _waits_for_ever(each, found)]
    if waits:
        what = f"Renovate sees no time of a release of {waits[0]}, so that each waits for ever"
        fix = 'write "minimumReleaseAgeBehaviour": "timestamp-optional" in a rule for the datasource docker'
        yield "minimumReleaseAge", what, fix
    groups = [found.get("groupName") for found in images.values()]
    if len({*map(str, groups)}) > 1 and renovate.UNKNOWN not in groups:
        what = "the image of the values and that of docker-compose.yml have two groups, and neither update is whole"
        yield "groupName", what, "give both the same groupName"


def _waits_for_ever(image: renovate.Dependency, found: dict[str, Any]) -> bool:
    # https://docs.renovatebot.com/key-concepts/minimum-release-age/: of these, Docker Hub alone has a time
    is_dated = not image.package.startswith(("ghcr.io/", "quay.io/"))
    age, behaviour = text(found.get("minimumReleaseAge")), found.get("minimumReleaseAgeBehaviour", "timestamp-required")
    is_checked = "internalChecksFilter" not in found and behaviour == "timestamp-required"
    return not is_dated and is_checked and bool(re.match(r"\s*[1-9]", age))


@rule
def pytest_runs_the_whole_suite(repository: Repository) -> Iterator[Finding]:
    """As in CI, where nobody says otherwise: pyproject.toml leaves no test out, and the tests are there."""
    content = repository.text(_PROJECT)
    try:
        settings = tomllib.loads(content or "")
    except tomllib.TOMLDecodeError:
        yield Finding(
            _PROJECT, None, "it is not TOML, so that nothing here can be installed", edit("correct the syntax")
        )
        return
    options = dig(settings, "tool", "pytest", "ini_options")
    words, folders = text(dig(options, "addopts")), texts(dig(options, "testpaths")) or ["tests"]
    marks = re.sub(r"-m\s*(['\"])[^'\"]*\1", "", words).split()
    line = next((number for number, each in enumerate((content or "").splitlines(), 1) if "addopts" in each), None)
    if left := next(filter(PART.fullmatch, marks), ""):
        what = f"addopts has {left}, so that pytest leaves a part of the suite out"
        yield Finding(_PROJECT, line, what, edit("take it out"))
    tests = [file for file in repository.under("tests") if basename(file).startswith("test_")]
    if not tests and any((repository.root / "tests").glob("test_*.py")):
        return  # git ignores them, of which another rule tells
    if not tests:
        yield Finding("tests/", None, "is missing, so that pytest evaluates nothing", restore())
    elif unclaimed := _unclaimed(repository, tests):
        what = f"nothing in tests/ claims the rules of {', '.join(unclaimed)}"
        yield Finding("tests/", None, what, restore())
    elif content is not None and not any(normpath(folder) in (".", "tests") for folder in folders):
        yield Finding(_PROJECT, line, "testpaths leaves tests/ out", edit('write testpaths = ["tests"]'))


def _unclaimed(repository: Repository, tests: list[str]) -> list[str]:
    """The subjects whose rules no test claims; of the engines the chosen one alone has some."""
    engines = {"argocd", "flux"} - {repository.answers.get("gitops_engine")}
    content = "\n".join(repository.text(file) or "" for file in tests)
    claimed = {word for call in re.findall(r"\bof\(([^)]*)\)", content) for word in re.findall(r"\w+", call)}
    subjects = {each.subject for each in load().values()} - engines - claimed
    return [] if "load()" in content else sorted(subjects)


@rule
def everything_runs_the_same_commit_of_the_tooling(repository: Repository) -> Iterator[Finding]:
    """What runs where plaintext is stands in two files, by one commit hash that nobody can move."""
    found = {file: _PINNED.search(repository.text(file) or "") for file in (_PROJECT, _COMMITS)}
    pins = {file: match[1] for file, match in found.items() if match}
    content = repository.text(_PROJECT)
    is_pinned = repository.answers.get("tooling") == "pinned" and not repository.under(vendored.FOLDER)
    if is_pinned and content and not _NAMED.search(content):
        yield Finding(_PROJECT, None, "litellm-gitops is no dependency, so nothing here runs", restore())
    for file, pin in pins.items():
        if not re.fullmatch("[0-9a-f]{40}", pin):
            yield Finding(
                file, None, f"litellm-gitops is taken from {pin}, which can move", restore("write a commit hash")
            )
            return
    if len({*pins.values()}) > 1:
        what = f"it takes another commit of litellm-gitops than {_COMMITS}"
        yield Finding(_PROJECT, None, what, restore())


@rule
def every_entry_point_that_is_called_is_there(repository: Repository) -> Iterator[Finding]:
    """By README.md and by people: sealing, and the login where a model of Copilot is served; by CI: what it names."""
    wanted = ["hooks/seal_secrets.py"]
    if "github_copilot" in sequence(repository.answers.get("providers")):
        wanted.append("hooks/get_copilot_token.py")
    for file in filter(repository.has, (*OURS, GITLAB)):
        wanted += re.findall(r"\bhooks/\w+\.py\b", re.sub(r"#.*", "", repository.text(file) or ""))
    for file in dict.fromkeys(wanted):
        if not repository.has(file) and not is_ignored(repository, file):
            yield Finding(file, None, "is missing, and is called", restore())


@rule
def sops_can_read_its_settings(repository: Repository) -> Iterator[Finding]:
    """It refuses the whole file where the indent of a store is no number."""
    document = repository.document(CONFIG) if repository.has(CONFIG) else None
    for store in mapping(dig(document and document.value, "stores")):
        indent = dig(document and document.value, "stores", store, "indent")
        if document and indent is not None and (isinstance(indent, bool) or not isinstance(indent, int)):
            line = document.line("stores", str(store), "indent")
            yield Finding(CONFIG, line, f"stores.{store}.indent is no number", edit("write indent: 2"))
