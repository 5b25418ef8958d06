"""What Renovate cannot read in its settings: then it proposes nothing, and says so nowhere here.

Sources: https://docs.renovatebot.com/configuration-options/, and its own schema in schemas/published/renovate.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import available_timezones

from litellm_gitops import schemas
from litellm_gitops.documents import mapping, sequence, text, texts, walk
from litellm_gitops.rules.forms import is_cron
from litellm_gitops.schemas import published
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[str, str, str]]  # the word, what is wrong, what to do

PRESETS = {
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
_DAYS = {  # and the words beside them
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekday", "weekend", "month"),
    *("january", "february", "march", "april", "june", "july", "august", "september", "october", "november"),
    *("december", "before", "after", "every", "week", "weeks", "hour", "hours", "months", "weekdays", "weekends"),
}
_OTHERS = {  # of the parser of schedules, which says what is wrong with none of them
    *("at", "any", "on", "the", "of", "and", "or", "in", "to", "through", "thru", "also", "except", "except", "day"),
    *("days", "time", "minute", "minutes", "second", "seconds", "year", "years", "instance", "first", "last", "st"),
    *("nd", "rd", "th", "am", "pm", "noon", "midnight", "dow", "monthly", "weekly", "daily", "yearly", "nonoffice"),
    *("sun", "mon", "tue", "tues", "wed", "wednes", "thu", "thur", "thurs", "fri", "sat", "satur", "may", "jan", "feb"),
    *("mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "starting", "from", "between", "quarter"),
}
_INSTEAD = {"depName": "packageName", "currentValue": "currentDigest"}
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")  # which RE2 does not know


# what Renovate makes of another type by itself: https://github.com/renovatebot/renovate/blob/main/lib/config/migration.ts
_MIGRATED = ("semanticCommits", "automerge", "automergeType")
# of which option a text is a word
_WORDS = {
    **{name: name for name in ("matchManagers", "matchDatasources", "matchUpdateTypes")},
    "datasourceTemplate": "matchDatasources",
    "versioningTemplate": "versioning",
}
# https://github.com/vercel/ms, and months of Renovate's own
_AGE = re.compile(
    r"(?:\s*\d*\.?\d+\s*(?:milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w"
    r"|months?|years?|yrs?|y))+\s*",
    re.IGNORECASE,
)
# https://breejs.github.io/later/parsers.html#text
_TIME = re.compile(r"(?:0?[1-9]|1[0-2])(?::[0-5]\d)?\s?[ap]m|(?:[01]?\d|2[0-3]):[0-5]\d")
_NO_TIME = re.compile(r"\b(?:before|after)\s+\d+(?!\d|:|\s?[ap]m|st|nd|rd|th)\s*(?:$|on\b|every\b|and\b|of\b)")
_NO_HOUR = re.compile(r"(?<!:)\b(?:0{1,2}|1[3-9]|[2-9]\d)(?::\d\d)?\s?[ap]m\b")
_CRON = re.compile(r"[\d*][\d*/,-]*(?:\s+[\w*/,?#-]+){4}")
_ZONE = re.compile(r"(?:utc|gmt)(?:[+-]\d{1,2}(?::?\d\d)?)?|local|system", re.IGNORECASE)


@cache
def _options() -> dict[str, Any]:
    content = json.loads((files(schemas) / "published" / "renovate.json").read_text("utf-8"))
    return dict(content["properties"])


@cache
def _known(option: str) -> frozenset[str]:
    """The words that an option takes."""
    found = [each for place, each in walk(_options()[option]) if "enum" in place]
    return frozenset(each for each in found if each != "enum")


def unread(settings: dict[Any, Any]) -> Flaws:
    """What Renovate does not know, or refuses."""
    # what is nearly the name of a package's property is told below
    inside = (key for entry in sequence(settings.get("packageRules")) for key in map(str, mapping(entry)))
    for key in (*map(str, settings), *(key for key in inside if not closest(key, _MATCHERS))):
        if key not in _options() and (meant := closest(key, _options())):
            yield key, f"Renovate knows no {key}", f"did you mean {meant}?"
    for preset in texts(settings.get("extends")):
        if meant := closest(preset, PRESETS):
            yield preset, f"Renovate knows no preset {preset}, and does nothing", f"did you mean {meant}?"
    for place, what in published.flaws("renovate", settings):
        value = _at(settings, place)
        key = next(part for part in reversed(place) if isinstance(part, str))
        by_itself = (
            key in _MIGRATED and what.endswith(("boolean", "string")) and value not in ("yes", "no", "on", "off")
        )
        # a switch of its own for a mapping, and one text for a list, it takes; words come with each release
        by_itself = by_itself or (isinstance(value, bool) and what.endswith("object"))
        by_itself = by_itself or (isinstance(value, list) and what.endswith("string"))
        if not by_itself and not what.endswith("is unknown"):
            word = value if isinstance(value, str) and isinstance(place[-1], int) else key
            yield word, f"{what}, and Renovate does nothing", _FIXES.get(what.rpartition(" ")[2], "correct it")
    yield from _of_texts(settings)
    zone, zones = text(settings.get("timezone")), available_timezones() if settings.get("timezone") else set[str]()
    if zone and zones and zone not in zones and not _ZONE.fullmatch(zone):
        meant = closest(zone, zones)
        yield (
            zone,
            f"there is no timezone {zone}, and Renovate does nothing",
            f"did you mean {meant}?" if meant else _AS,
        )
    for entry in map(mapping, sequence(settings.get("packageRules"))):
        yield from _of_packages(entry)
    for manager in map(mapping, sequence(settings.get("customManagers"))):
        yield from _of_manager(manager)


_AS = "write one such as Europe/Zurich"
_FIXES = {
    "array": "write it in brackets",
    "boolean": "write true or false, without quotes",
    "integer": "write a number, without quotes",
}


def _at(settings: Any, place: Any) -> Any:
    for part in place:
        settings = settings[part] if isinstance(settings, list) else mapping(settings).get(part)
    return settings


def _of_texts(settings: dict[Any, Any]) -> Flaws:
    """Ages, schedules, and words that are nearly ones that it knows, wherever they stand."""
    for place, found in walk(settings):
        keys = [part for part in place if isinstance(part, str)]
        if not keys or not isinstance(found, str) or found == place[-1]:
            continue
        if keys[-1] == "minimumReleaseAge" and not _AGE.fullmatch(found):
            what = f"minimumReleaseAge is {found}, which is no time, so that Renovate waits for nothing"
            yield keys[-1], what, "write one such as 3 days"
        elif keys[-1] in ("schedule", "automergeSchedule") and (fix := _unscheduled(found)):
            yield found, f"Renovate cannot read the {keys[-1]}, and does nothing", fix
        elif keys[-1] in _WORDS and re.fullmatch(r"[\w.-]+", found) and found not in _known(_WORDS[keys[-1]]):
            if meant := closest(found, _known(_WORDS[keys[-1]])):
                yield found, f"{keys[-1]} has {found}, which Renovate does not know", f"did you mean {meant}?"
        elif keys[-1] in ("matchPackageNames", "managerFilePatterns", "allowedVersions", "matchDepNames"):
            pattern = found.removeprefix("!")
            if pattern[:1] == "/" and pattern.rstrip("i").endswith("/") and not _is_pattern(pattern.strip("i")[1:-1]):
                yield keys[-1], f"a pattern of {keys[-1]} is no regular expression", "correct it"
            elif keys[-1] == "managerFilePatterns" and re.match(r"\^|.*\$\Z", pattern):
                yield keys[-1], "a pattern of managerFilePatterns takes no file", "write / before and behind it"


def astray(settings: dict[Any, Any], folders: set[str]) -> Flaws:
    """Patterns for files of a folder that is not there, and nearly called like one of `folders`, which are."""
    for place, found in walk(settings):
        if "managerFilePatterns" in place and found != place[-1] and (head := _FOLDER.match(found)):
            folder = head[1].replace("\\.", ".").rpartition("/")[0]
            if folder not in folders and (meant := closest(folder, folders)):
                yield found, f"there is no {folder}, so that Renovate looks at nothing", f"did you mean {meant}?"


def unmatched(settings: dict[Any, Any], files: Iterable[str], pipelines: Iterable[str]) -> Flaws:
    """Patterns of its managers that take none of `files`, by another ending, or no comment that is in `pipelines`."""
    names, contents = [*files], [each for each in pipelines if "# renovate: datasource=" in each]
    for manager in map(mapping, sequence(settings.get("customManagers"))):
        is_ours = any("# renovate: datasource" in each for each in texts(manager.get("matchStrings")))
        for found in texts(manager.get("managerFilePatterns")) if is_ours else ():
            pattern = found.strip("/") if found.startswith("/") and found.endswith("/") else ""
            other = pattern.replace("yaml", "yml") if "yaml" in pattern else pattern.replace("yml", "yaml")
            if pattern and _finds(other, names) and not _finds(pattern, names):
                yield (
                    "managerFilePatterns",
                    "no file is like a pattern of managerFilePatterns",
                    "write .yaml, as they end",
                )
        patterns = [each for each in texts(manager.get("matchStrings")) if closest("renovate", _WORD.findall(each))]
        if contents and patterns and not any(_finds(each, contents) for each in patterns):
            yield (
                "matchStrings",
                "no comment of a pipeline is like a pattern of matchStrings",
                "write # renovate: before it",
            )


_WORD = re.compile(r"\w+")


def _finds(pattern: str, contents: list[str]) -> bool:
    try:
        compiled = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern))
    except re.error:
        return True  # of which is told elsewhere
    return any(map(compiled.search, contents))


def misnamed(settings: dict[Any, Any], known: set[str]) -> Flaws:
    """Names of packages that nothing here has, and that are nearly one of `known`, which are here."""
    for found in (each for entry in sequence(settings.get("packageRules")) for each in _names(mapping(entry))):
        name = found.removeprefix("**/")
        if name not in known and re.fullmatch(r"[\w.-]+", name) and (meant := closest(name, known)):
            yield found, f"nothing here is called {name}", f"did you mean {meant}?"


# what its custom manager of the template finds above a version
_ABOVE = re.compile(r"#\s*(reno\w*|\w+vate):?\s+(\w+=.*)")
_FIELDS = ("datasource", "depName", "extractVersion", "packageName", "registryUrl", "versioning")
_UPDATED = ("github.com/sigstore/cosign/v3", "github.com/zricethezav/gitleaks/v8", "helm/helm")


def of_comments(content: str) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong, what to do) with comments by which Renovate finds a version in a pipeline."""
    for number, line in enumerate(content.splitlines(), 1):
        match = _ABOVE.search(line)
        fields = dict(part.partition("=")[::2] for part in match[2].split()) if match else {}
        known = {"datasource": _known("matchDatasources"), "depName": _UPDATED}
        slips = [(match[1], closest(match[1], ("renovate",)))] if match else []
        slips += [(key, closest(key, _FIELDS)) for key in fields if key not in _FIELDS]
        slips += [(fields[key], closest(fields[key], each)) for key, each in known.items() if key in fields]
        for word, meant in slips:
            is_newer = re.findall(r"\d", word) != re.findall(r"\d", meant)
            if meant and not is_newer and word not in (*_UPDATED, *known["datasource"]):
                yield number, f"Renovate finds no version below {word}", f"did you mean {meant}?"


def _names(entry: dict[Any, Any]) -> list[str]:
    return texts(entry.get("matchPackageNames")) + texts(entry.get("matchDepNames"))


_FOLDER = re.compile(r"/?\^?((?:[\w/-]|\\?\.(?![*+?]))+)")  # as far as a pattern is a text


def _is_pattern(pattern: str) -> bool:
    try:
        re.compile(pattern.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"))
    except re.error:
        return False
    return True


def _unscheduled(line: str) -> str:
    """What to do where a schedule cannot be read; empty where it can, or where that is not known."""
    if _CRON.fullmatch(line.strip()):
        if not line.strip().startswith("* "):
            return "begin with *: Renovate knows no minutes"
        return "" if is_cron(line) or re.search("[L#W]", line) else "correct a number of it"
    lower = line.lower()
    if _NO_HOUR.search(lower):
        return "write 1am to 12pm, or 0:00 to 23:59"
    words = re.findall(r"[a-z]+", _TIME.sub("", lower))
    if meant := next(filter(None, (closest(word, _DAYS) for word in words if word not in _DAYS | _OTHERS)), ""):
        return f"did you mean {meant}?"
    strange = [word for word in words if word not in _DAYS | _OTHERS]
    return 'write one such as "before 6am on monday"' if strange or _NO_TIME.search(lower) else ""


def _of_packages(entry: dict[Any, Any]) -> Flaws:
    """What is wrong with a rule for packages, which is for none where nothing says for which."""
    misspelt = [(key, closest(key, _MATCHERS)) for key in map(str, entry) if key not in _MATCHERS]
    for key, meant in misspelt:
        if meant:
            yield key, f"Renovate knows no {key}, and does nothing", f"did you mean {meant}?"
    if not any(key == "extends" or key.startswith(_OLDER_MATCHERS) for key in map(str, entry)):
        word = next(iter(map(str, entry)), "packageRules")
        yield word, "a rule says not for which packages it is, and Renovate does nothing", "add matchPackageNames"


def _of_manager(manager: dict[Any, Any]) -> Flaws:
    """What is wrong with a custom manager."""
    misspelt = {key: meant for key in map(str, manager) if (meant := closest(key, _OF_A_MANAGER))}
    for key, meant in misspelt.items():
        yield key, f"a custom manager has no {key}, and Renovate does nothing", f"did you mean {meant}?"
    kind = manager.get("customType")
    if kind is None and "customType" not in misspelt.values():  # of another one the published schema tells
        yield "customManagers", "a custom manager has no customType, and Renovate does nothing", "write regex"
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
