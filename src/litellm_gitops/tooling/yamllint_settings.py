"""Files of a repository that yamllint refuses by its settings, so that no commit passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from litellm_gitops.documents import dig, mapping, text, texts
from litellm_gitops.files import matching

_WORKFLOWS = ".github/workflows/"
_LONG = 200  # what a sealed file always exceeds
_ON = re.compile(r"^on:", re.MULTILINE)


def unpassed(settings: dict[Any, Any], files: list[str], read: Callable[[str], str]) -> Iterator[tuple[str, str, str]]:
    """(the key, what is wrong, what to do) where yamllint's --strict refuses files that are here."""
    if text(settings.get("extends")) != "default" or "yaml-files" in settings or "ignore-from-file" in settings:
        return
    rules, ignore = mapping(settings.get("rules")), settings.get("ignore")
    patterns = ignore.splitlines() if isinstance(ignore, str) else texts(ignore)
    # a rule that says nothing is on; one that is a word, or false, is off or as it comes
    keys, length = (rules.get(name, {}) for name in ("truthy", "line-length"))
    keys, length = ({} if each in (None, "enable", True) else each for each in (keys, length))
    allowed = texts(dig(keys, "allowed-values"))
    if isinstance(keys, dict) and keys.get("check-keys", True) is True and "on" not in allowed:
        workflows = _unless([file for file in files if file.startswith(_WORKFLOWS)], [*patterns, *_patterns(keys)])
        if file := next((each for each in workflows if _ON.search(read(each))), ""):
            yield "truthy", f"yamllint refuses on: in {file}, and no commit is possible", "write check-keys: false"
    sealed = [file for file in files if file.startswith("secrets/") and file.endswith(".sops.yaml")]
    most = length.get("max", 80) if isinstance(length, dict) else None
    is_listed = len(patterns) > 1  # as it is rendered: else an owner chose otherwise
    if is_listed and isinstance(most, int) and most <= _LONG and _unless(sealed, [*patterns, *_patterns(length)]):
        what = f"yamllint refuses the long lines of {sealed[0]}, and no commit is possible"
        yield "ignore", what, "write *.sops.yaml under ignore"


def _unless(files: list[str], patterns: list[str]) -> list[str]:
    ignored = {*matching(patterns, files)} if patterns else set[str]()
    return [file for file in files if file not in ignored]


def _patterns(rule: dict[Any, Any]) -> list[str]:
    ignore = dig(rule, "ignore")
    return ignore.splitlines() if isinstance(ignore, str) else texts(ignore)
