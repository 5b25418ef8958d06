"""What pre-commit makes of a hook in .pre-commit-config.yaml: programs, files and releases that there are not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, mapping, sequence, text, texts
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[Place, str, str]]  # (where, what is wrong, what to do)

_NEEDED = {"id", "name", "entry", "language"}  # of which another look tells
_OF_A_SHELL = {"|", "||", "&&", ";", ">", ">>", "&"}
_SHELL = re.compile(r"(?:\S*/)?(?:ba|da|z)?sh")
# languages for which pre-commit makes no environment: https://pre-commit.com/#supported-languages
_BARE = ("docker_image", "fail", "pygrep", "script", "system", "unsupported", "unsupported_script")
_OLD = re.compile(r"python3\.(?:[0-9]|10)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RELEASE = re.compile(r"v\d+(?:\.\d+)*(?:[-.]?(?:alpha|beta|rc|a|b|post)[-.]?\d*)?")


def slips(settings: dict[Any, Any], files: list[str], is_root: bool) -> Flaws:
    """Of the file as a whole; `files` are those of the repository, from the root of git, where `is_root` is whether
    all of them are known."""
    entries = [*map(mapping, sequence(settings.get("repos")))]
    for at, entry in enumerate(entries):
        yield from _of_release(at, entries)
        for number, hook in enumerate(map(mapping, sequence(entry.get("hooks")))):
            for empty in (str(field) for field, given in hook.items() if given is None and field not in _NEEDED):
                what = f"{empty} is empty, and pre-commit runs nothing"
                yield ("repos", at, "hooks", number, empty), what, "correct it"
            for field, what, fix in _of_hook(hook, files, is_root):
                yield ("repos", at, "hooks", number, *field), what, fix


def _of_release(at: int, entries: list[dict[Any, Any]]) -> Flaws:
    """A release of another repository in the file, which this one cannot have: each counts by itself."""
    address, revision = text(entries[at].get("repo")), text(entries[at].get("rev"))
    highest = _HIGHEST.get(address.removesuffix(".git"))
    major = re.match(r"v?(\d+)\.", revision)
    if highest and major and int(major[1]) > highest:
        other = next(
            (text(each.get("repo")) for each in entries if each is not entries[at] and each.get("rev") == revision), ""
        )
        if other:
            yield ("repos", at, "rev"), f"{revision} is a release of {other}", "name one of its own"


# the major releases of what is rendered, and the ones to come
_HIGHEST = {"https://github.com/adrienverge/yamllint": 2, "https://github.com/pre-commit/pre-commit-hooks": 7}


_OF_FILES = ("files", "types", "types_or", "exclude", "exclude_types", "stages", "always_run")  # by which it is asked


def _of_hook(hook: dict[Any, Any], files: list[str], is_root: bool) -> Flaws:
    try:
        words = shlex.split(text(hook.get("entry")))
    except ValueError:
        yield ("entry",), "the entry has a quote without its end, and no commit is possible", "correct it"
        return
    language = hook.get("language")
    if language == "fail" and not any(key in hook for key in _OF_FILES):
        yield ("language",), "it fails for every file, and no commit is possible", "write files: and a pattern"
    if language != "fail" and _OF_A_SHELL & {*words} and not _SHELL.fullmatch(words[0]):
        yield ("entry",), "pre-commit calls no shell, so that what joins commands is an argument", "write bash -c '…'"
    scripts = [word for word in words[:1] if re.fullmatch(r"(?:\./)?[\w-][\w./-]*/[\w.-]+", word)]
    for script in scripts if language in ("script", "system", "unsupported", "unsupported_script") and is_root else ():
        if script.removeprefix("./") not in files:
            yield ("entry",), f"there is no {script}, and no commit is possible", "correct the path, or add it"
    if language in _BARE and hook.get("additional_dependencies"):
        what = f"a hook of the language {language} takes no additional_dependencies, and pre-commit runs nothing"
        yield ("language",), what, "write language: python, or take them out"
    version = text(hook.get("language_version"))
    if _OLD.fullmatch(version) and "hooks/guard_staged.py" in text(hook.get("entry")):
        what = f"the guard does not run on {version}, and no commit is possible"
        yield ("language_version",), what, "write python3.11, or a newer one"
    for number, word in enumerate(texts(hook.get("args"))):
        path = word.partition("=")[2] if word.startswith("-") else word
        name = path.rpartition("/")[2]
        same = next((each for each in files if name.startswith(".") and each.endswith(f"/{name}")), "")
        if "." in path and path not in files and (meant := closest(path, files) or ("/" in path and same)):
            yield ("args", number), f"there is no {path}, and no commit is possible", f"did you mean {meant}?"


def unreleased(revision: str) -> str:
    """What to write in place of a release that no known repository has; empty where it may have it."""
    if _COMMIT.fullmatch(revision):
        return ""
    if re.match(r"\d", revision):
        return f"write v{revision}"
    return "write one such as v1.2.3" if re.match(r"v\d", revision) and not _RELEASE.fullmatch(revision) else ""
