"""What a step of GitHub's workflow gives an action, and asks of GitHub or of another step, by a slip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, mapping, text
from litellm_gitops.proxy_facts import closest

# https://docs.github.com/en/actions/reference/workflows-and-actions/variables
_VARIABLES = (
    "ENV",
    "OUTPUT",
    "PATH",
    "STATE",
    "STEP_SUMMARY",
    "REF",
    "REF_NAME",
    "REPOSITORY",
    "SHA",
    "WORKSPACE",
    "TOKEN",
)
_MARK = re.compile(r"\bpytest\b[^\n]*\s-m ['\"]?(\w+)['\"]?\s*$", re.MULTILINE)
_GIVEN = re.compile(r"\$\{?GITHUB_(\w+)")
_INPUTS = {
    "actions/checkout": (
        *("repository", "ref", "token", "ssh-key", "ssh-known-hosts", "ssh-strict", "ssh-user", "persist-credentials"),
        *("path", "clean", "filter", "sparse-checkout", "sparse-checkout-cone-mode", "fetch-depth", "fetch-tags"),
        *("show-progress", "lfs", "submodules", "set-safe-directory", "github-server-url"),
    ),
    "azure/setup-helm": ("version", "token", "downloadBaseURL"),
    "astral-sh/setup-uv": (
        *("version", "version-file", "python-version", "activate-environment", "venv-path", "working-directory"),
        *("checksum", "github-token", "enable-cache", "restore-cache", "save-cache", "cache-dependency-glob"),
        *("cache-suffix", "cache-local-path", "prune-cache", "cache-python", "ignore-nothing-to-cache"),
        *("ignore-empty-workdir", "tool-dir", "tool-bin-dir", "manifest-file", "add-problem-matchers", "quiet"),
        *("resolution-strategy", "download-from-astral-mirror", "no-project"),
    ),
}


_SWITCHES = {"clean", "enable-cache", "fetch-tags", "lfs", "persist-credentials", "show-progress"}


def of_step(step: dict[Any, Any], steps: list[dict[Any, Any]]) -> Iterator[tuple[Place, str, str]]:
    """(where in a step, what is wrong, what to do)."""
    action, _, release = text(step.get("uses")).partition("@")
    owner, _, name = action.partition("/")
    for known in _INPUTS if release and action not in _INPUTS else ():
        theirs, _, program = known.partition("/")
        is_theirs = owner == theirs or closest(owner, [theirs]) or (owner and theirs.startswith(f"{owner}-"))
        if name and is_theirs and (name == program or closest(name, [program])):
            yield ("uses",), f"there is no action {action}", f"did you mean {known}?"
    for key in map(str, mapping(step.get("with"))):
        if action in _INPUTS and (meant := closest(key, _INPUTS[action])) and key not in _INPUTS[action]:
            yield ("with", key), f"{action} takes no {key}", f"did you mean {meant}?"
        given = text(step["with"][key]) if key in _SWITCHES else ""
        if (meant := closest(given, ("true", "false"))) and given.lower() != meant:
            yield ("with", key), f"{key} is {given}, which is no switch", f"did you mean {meant}?"
    script = text(step.get("run"))
    for given in {*_GIVEN.findall(script)} - {*_VARIABLES}:
        if (meant := closest(given, _VARIABLES)) and f"GITHUB_{given}" not in mapping(step.get("env")):
            yield ("run",), f"GitHub sets no GITHUB_{given}", f"did you mean GITHUB_{meant}?"
    for mark in _MARK.findall(script):
        marks = ("chart", "decrypt", "signed")
        begun = next((each for each in marks if len(mark) > 3 and each != mark and each.startswith(mark)), "")
        if meant := closest(mark, marks) or begun:
            yield ("run",), f"no test has the mark {mark}, so that pytest ends with an error", f"write {meant}"
    written = "GITHUB_OUTPUT" in script and step.get("id")
    asked = {name for other in steps for name in _asked(other, str(step.get("id")))} if written else set()
    words = {*re.findall(r"[\w-]+(?==)", script)}
    for wanted in sorted(asked - {*re.findall(r"[\w-]+", script)}):
        if meant := closest(wanted, words):
            yield ("run",), f"it writes {meant}, and steps.{step['id']}.outputs.{wanted} is read", "give both one name"
        elif (
            words
            and not _COMPUTED.search(script)
            and all(map(_BY_ITSELF.search, re.findall(r".*GITHUB_OUTPUT.*", script)))
        ):
            yield (
                ("run",),
                f"steps.{step['id']}.outputs.{wanted} is read, and it writes no {wanted}",
                "give both one name",
            )


_COMPUTED = re.compile(r"[}\"'*]=|\$\w+=")  # the name of an output
_BY_ITSELF = re.compile(r"\b(?:echo|printf|python3?|cat)\b[^|;&]*>>")  # what is written stands in the script


def _asked(step: dict[Any, Any], other: str) -> list[str]:
    """The outputs of another step that a step reads."""
    return re.findall(rf"\bsteps\.{re.escape(other)}\.outputs\.([\w-]+)", f"{step}")
