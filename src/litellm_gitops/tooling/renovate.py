"""What Renovate's rules say of one dependency, as far as the file itself can tell.

Source: https://docs.renovatebot.com/configuration-options/#packagerules. A rule applies where each of its `match…`
does, and what a later one says wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from litellm_gitops import releases
from litellm_gitops.documents import dig, mapping, sequence, text, texts
from litellm_gitops.repository import CHART_FILE, VALUES, Repository

_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_PLAIN = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_ASKED = ("enabled", "allowedVersions", "groupName", "minimumReleaseAge", "minimumReleaseAgeBehaviour")
_RANGE = re.compile(r"(<=|>=|<|>|=)?\s*v?(\d+(?:\.\d+){0,2})\s*")


@dataclass(frozen=True)
class Dependency:
    """What a manager of Renovate finds in a file: by which datasource, under which two names."""

    manager: str
    datasource: str
    name: str
    package: str


class Unknown:
    """What the file alone does not tell: of a preset from elsewhere, of a rule or a pattern of another kind."""


UNKNOWN = Unknown()


def dependencies(repository: Repository) -> Iterator[Dependency]:
    """LiteLLM's chart, its image in the values, and that in docker-compose.yml."""
    document, chart = repository.document(CHART_FILE), repository.chart
    for entry in sequence(dig(document and document.value, "dependencies")):
        scheme, _, path = text(dig(entry, "repository")).partition("://")
        if dig(entry, "name") == chart.name and scheme in ("oci", "https"):
            names = ("docker", chart.name, f"{path}/{chart.name}") if scheme == "oci" else ("helm", *[chart.name] * 2)
            yield Dependency("helmv3", *names)
    shared = repository.document(VALUES)
    image = text(dig(shared and shared.value, chart.name, *chart.image, "repository"))
    for manager in ("helm-values", "docker-compose") if image else ():
        yield Dependency(manager, "docker", image, image)


def applied(settings: dict[Any, Any], dependency: Dependency) -> dict[str, Any]:
    """What the settings come to for a dependency; UNKNOWN for what may be another value."""
    found = {**settings, **mapping(settings.get(dependency.manager))}
    managers = settings.get("enabledManagers")
    if (managers and dependency.manager not in texts(managers)) or dependency.name in texts(settings.get("ignoreDeps")):
        found["enabled"] = False
    for each in map(mapping, sequence(settings.get("packageRules"))):
        if (does := _matches(each, dependency)) is False:
            continue
        own = {key: value for key, value in each.items() if not str(key).startswith(("match", "exclude"))}
        if "extends" in own:
            own |= dict.fromkeys(_ASKED, UNKNOWN)
        found |= own if does else dict.fromkeys(own, UNKNOWN)
    return found


def _matches(rule: dict[Any, Any], dependency: Dependency) -> bool | None:
    """Whether a rule is for a dependency; None where that cannot be told."""
    values = {
        "matchManagers": dependency.manager,
        "matchDatasources": dependency.datasource,
        "matchDepNames": dependency.name,
        "matchPackageNames": dependency.package,
    }
    given = [str(key) for key in rule if str(key).startswith(("match", "exclude"))]
    each = [_matches_one(values[key], texts(rule[key])) if key in values else None for key in given]
    return False if False in each else None if None in each else True


def _matches_one(value: str, patterns: list[str]) -> bool | None:
    """One of those without `!`, where there are some, and each of those with it."""
    each = {pattern: _is_like(value, pattern.removeprefix("!")) for pattern in patterns}
    if None in each.values():
        return None
    wanted = [found for pattern, found in each.items() if not pattern.startswith("!")]
    refused = [found for pattern, found in each.items() if pattern.startswith("!")]
    return bool(each) and (not wanted or any(wanted)) and not any(refused)


def _is_like(value: str, pattern: str) -> bool | None:
    if len(pattern) > 1 and pattern[0] == "/" and pattern.endswith(("/", "/i")):
        try:
            return bool(re.search(pattern[1:].rpartition("/")[0], value, re.IGNORECASE * pattern.endswith("i")))
        except re.error:
            return None
    if set(pattern) & set("{}[]()@+"):
        return None
    parts = [_PLAIN.get(part, re.escape(part)) for part in _GLOB.findall(pattern)]
    return pattern == "*" or bool(re.fullmatch("".join(parts), value, re.IGNORECASE))


def allows(allowed: object, version: str) -> bool | None:
    """Whether `allowedVersions` admits a version; None where that cannot be told."""
    if allowed is None:
        return True
    words = text(allowed).strip()
    if words.startswith(("/", "!/")):
        found = _is_like(version, words.removeprefix("!"))
        return found if found is None or words[0] != "!" else not found
    bounds = _RANGE.findall(words)
    if not bounds or _RANGE.sub("", words):
        return None
    return all(_is_within(version, sign, bound) for sign, bound in bounds)


def _is_within(version: str, sign: str, bound: str) -> bool:
    one, other = ([*map(int, each.split("."))] for each in (version, bound))
    one = one if sign in ("<", ">=") else one[: len(other)]  # 1.2.3 is no newer than 1.2, and is 1.2
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}.get(sign, one == other)


def unfit(chart: str, said: dict[Dependency, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """What Renovate would do wrong: (the word, what is wrong, what to do)."""
    allowed = [found.get("allowedVersions") for each, found in said.items() if each.manager == "helmv3"]
    others = (other for other in reversed(releases.strangers(chart)) for each in allowed if allows(each, other))
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
    if len({*map(str, groups)}) > 1 and UNKNOWN not in groups:
        what = "the image of the values and that of docker-compose.yml have two groups, and neither update is whole"
        yield "groupName", what, "give both the same groupName"


def _waits_for_ever(image: Dependency, found: dict[str, Any]) -> bool:
    # https://docs.renovatebot.com/key-concepts/minimum-release-age/: of these, Docker Hub alone has a time
    is_dated = not image.package.startswith(("ghcr.io/", "quay.io/"))
    age, behaviour = text(found.get("minimumReleaseAge")), found.get("minimumReleaseAgeBehaviour", "timestamp-required")
    is_checked = "internalChecksFilter" not in found and behaviour == "timestamp-required"
    return not is_dated and is_checked and bool(re.match(r"\s*[1-9]", age))
