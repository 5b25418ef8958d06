"""What a step of GitHub's workflow gives an action, and asks of GitHub or of another step, by a slip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[Place, str, str]]  # (where, what is wrong, what to do)

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
_GIVEN = re.compile(r"\$\{?GITHUB_(\w+)")
_KNOWN: dict[str, dict[str, tuple[str, ...]]] = {
    str(action): {part: tuple(str(words).split()) for part, words in entry.items()}
    for action, entry in yaml.load((files(__package__) / "actions.yml").read_text("utf-8"), LOADER).items()
}


_BRING = ("astral-sh/setup-uv", "azure/setup-helm")
_RELEASE = re.compile(r"v?\d+(?:\.(?:\d+|x|\*)){0,2}(?:[-+.]?(?:a|alpha|b|beta|rc|dev|post)[-.]?\d*)?")
_SWITCHES = {"clean", "enable-cache", "fetch-tags", "lfs", "persist-credentials", "show-progress"}


def of_step(step: dict[Any, Any], steps: list[dict[Any, Any]], is_hosted: bool, around: str) -> Flaws:
    """Slips of a step; `is_hosted` where GitHub.com runs it, and no server of one's own; `around` sets variables."""
    yield from _of_action(step, is_hosted)
    yield from _of_outputs(step, steps, around)


def _of_action(step: dict[Any, Any], is_hosted: bool) -> Flaws:
    """What a step gives an action."""
    called, _, release = text(step.get("uses")).partition("@")
    action = called.lower() if called.lower() in _KNOWN else called  # GitHub takes either
    owner, _, name = action.partition("/")
    for known in _KNOWN if release and action not in _KNOWN else ():
        theirs, _, program = known.partition("/")
        is_theirs = owner == theirs or closest(owner, [theirs]) or (owner and theirs.startswith(f"{owner}-"))
        if name and is_theirs and (name == program or closest(name, [program])):
            yield ("uses",), f"there is no action {action}", f"did you mean {known}?"
    facts = _KNOWN.get(action, {})
    if is_hosted and (major := release.partition(".")[0]) in facts.get("gone", ()):
        yield ("uses",), f"GitHub runs no {action}@{major} any more", "take its newest release"
    inputs, given = facts.get("inputs", ()), [*map(str, mapping(step.get("with")))]
    slips = {key: meant for key in given if key not in inputs and (meant := _meant(key, inputs))}
    for key, meant in slips.items():
        yield ("with", key), f"{action} takes no {key}", f"did you mean {meant}?"
    lacking = next((each for each in facts.get("required", ()) if each not in (*given, *slips.values())), "")
    if lacking and not any(closest(str(key), ["with"]) for key in step):
        yield (), f"{action} has no {lacking}, and fails", "give it one under with"
    version = text(dig(step, "with", "version")) if action in _BRING else ""
    if re.match(r"v?\d", version) and not _RELEASE.fullmatch(version):
        yield ("with", "version"), f"{action} finds no release {version}", "write one such as v1.2.3"
    for key in _SWITCHES & {*given}:
        value = text(step["with"][key])
        if (meant := closest(value, ("true", "false"))) and value.lower() != meant:
            yield ("with", key), f"{key} is {value}, which is no switch", f"did you mean {meant}?"


def _meant(key: str, known: tuple[str, ...]) -> str:
    """The input that a key was meant to be, also where it is the beginning of one alone."""
    begun = [each for each in known if len(key) > 3 and each.startswith(key)]
    return closest(key, known) or (begun[0] if len(begun) == 1 else "")


def of_artifacts(workflow: dict[Any, Any]) -> Flaws:
    """Artifacts that a job asks for, and that another one puts under nearly that name."""
    found: dict[str, list[tuple[Place, str]]] = {"upload": [], "download": []}
    for name, job in mapping(workflow.get("jobs")).items():
        for number, step in enumerate(map(mapping, sequence(dig(job, "steps")))):
            match = re.match(r"actions/(upload|download)-artifact@", text(step.get("uses")))
            if match and not {"run-id", "repository"} & {*mapping(step.get("with"))}:
                place: Place = ("jobs", str(name), "steps", number, "with", "name")
                found[match[1]].append((place, text(dig(step, "with", "name"))))
    names = {name for _, name in found["upload"]}
    for place, name in found["download"]:
        if (
            name not in names
            and (meant := closest(name, names))
            and re.findall(r"\d", name) == re.findall(r"\d", meant)
        ):
            yield place, f"no job uploads {name}", f"did you mean {meant}?"


def _of_outputs(step: dict[Any, Any], steps: list[dict[Any, Any]], around: str) -> Flaws:
    """What a script asks of GitHub, and which outputs it writes."""
    script = text(step.get("run"))
    for given in {*_GIVEN.findall(script)} - {*_VARIABLES}:
        is_own = re.search(rf"'GITHUB_{given}'|GITHUB_{given}(?:=| in)", around)
        if (meant := closest(given, _VARIABLES)) and not is_own:
            yield ("run",), f"GitHub sets no GITHUB_{given}", f"did you mean GITHUB_{meant}?"
    if "GITHUB_ENV" in script and "GITHUB_OUTPUT" not in script and step.get("id"):
        lost = next((name for other in steps for name in _asked(other, str(step["id"]))), "")
        if lost and "set-output" not in script:
            what = f"steps.{step['id']}.outputs.{lost} is read, and it writes into GITHUB_ENV"
            yield ("run",), what, "write it into GITHUB_OUTPUT"
    written = "GITHUB_OUTPUT" in script and step.get("id")
    asked = {name for other in steps for name in _asked(other, str(step.get("id")))} if written else set()
    words = {*re.findall(r"[\w-]+(?==)", script)}
    for wanted in sorted(asked) if asked and not _SAYS.search(script) else ():
        yield ("run",), f"steps.{step['id']}.outputs.{wanted} is read, and it writes nothing", f"write {wanted}=… there"
        return
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


_SAYS = re.compile(  # anything into the file of the outputs
    r"\b(?:echo|printf?|tee|write\w*|jq|yq|sed|awk|grep|perl|ruby|node|bash|sh|docker|terraform|helm|kubectl|git|gh)\b"
    r"|\bcat\b[^|\n]*>>|\bpython3?\b (?!>|<|-(?:\s|<))|\./|\w+=.*\n|\buv\b[^|\n]*>>|\bcurl\b"
)
_COMPUTED = re.compile(r"[}\"'*]=|\$\w+=")  # the name of an output
_BY_ITSELF = re.compile(r"\b(?:echo|printf|python3?|cat)\b[^|;&]*>>")  # what is written stands in the script


def _asked(step: dict[Any, Any], other: str) -> list[str]:
    """The outputs of another step that a step reads."""
    return re.findall(rf"\bsteps\.{re.escape(other)}\.outputs\.([\w-]+)", f"{step}")
