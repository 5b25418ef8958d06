"""What gitleaks makes of .gitleaks.toml, beside what it leaves out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import mapping, sequence, texts
from litellm_gitops.spelling import closest

# https://github.com/gitleaks/gitleaks#configuration
_KNOWN = {
    "": ("title", "description", "extend", "rules", "allowlists", "allowlist", "minVersion"),
    "extend": ("useDefault", "path", "url", "disabledRules"),
}

_DIGESTS = r"(^|/)litellm/checksums-[^/]+\.yaml$"  # that of the rendered file

Told = Iterator[tuple[str, str, str]]


def unknown(settings: dict[str, Any]) -> Told:
    """(the word, what is wrong, what to do) of what gitleaks passes over."""
    for field, known in _KNOWN.items():
        for key in mapping(settings.get(field) if field else settings):
            if key not in known and (meant := closest(key, known)):
                yield key, f"gitleaks knows no {key}, and passes over it", f"did you mean {meant}?"
    entries = sequence(settings.get("allowlists"))
    for pattern in (each for entry in entries for each in texts(mapping(entry).get("paths"))):
        if is_pattern(pattern) and (meant := closest(pattern, [_DIGESTS])):  # else it is refused
            yield pattern, f"no file is like {pattern}", f"did you mean {meant}?"


def refused(settings: dict[str, Any]) -> Told:
    """(the word, what is wrong, what to do) of what gitleaks refuses: it then ends at once.

    https://github.com/gitleaks/gitleaks/blob/master/config/config.go
    """
    own = [*map(mapping, sequence(settings.get("rules")))]
    given = settings.get("allowlists")
    lists = [("allowlists", mapping(each)) for each in (given if isinstance(given, list) else [given] if given else [])]
    lists += [("allowlist", mapping(settings["allowlist"]))] if settings.get("allowlist") else []
    for entry in own:
        if not entry.get("id"):
            yield "[[rules]]", "a rule has no id", "write one"
        elif {*entry} <= {"id", "description"}:
            yield str(entry["id"]), f"the rule {entry['id']} has no regex and no path", "write one of them"
    for word, entry in lists:
        checks = {"paths", "regexes", "stopwords", "commits"}
        if slip := next((key for key in entry if key not in checks and closest(key, checks)), ""):
            yield slip, f"an allowlist has no {slip}", f"did you mean {closest(slip, checks)}?"
        elif not any(entry.get(key) for key in checks):
            yield word, "an allowlist is for nothing", "write paths, regexes, stopwords or commits"
    for where, entry in (("", settings), *((f"rules.{each.get('id')}.", each) for each in own)):
        if entry.get("allowlist") and entry.get("allowlists"):
            yield "allowlist]", f"{where}allowlist stands beside {where}allowlists", "write [[…allowlists]] for both"
    patterns = [(key, each) for entry in own for key in ("regex", "path") for each in texts([entry.get(key)])]
    patterns += [(key, each) for _, entry in lists for key in ("paths", "regexes") for each in _several(entry.get(key))]
    for word, pattern in patterns:
        # RE2 knows classes and flags that Python does not, in which nothing can be said of it
        if not is_pattern(pattern) and not re.search(r"\\[zpPQ]|\[\[:|\(\?[a-zA-Z-]+[:)]", pattern):
            yield word, f"a pattern of {word} is no regular expression", "correct it"


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else texts(value)


def is_pattern(pattern: str) -> bool:
    """Whether it is a regular expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python may read otherwise some day
            re.compile(pattern)
    except re.error:
        return False
    return True
