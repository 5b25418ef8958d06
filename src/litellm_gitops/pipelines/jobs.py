"""What a job of GitHub's lacks for its scripts: a program, a path, a variable, an output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts
from litellm_gitops.languages import shell
from litellm_gitops.pipelines.scripts import runs_the_suite
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[Place, str, str]]  # (where, what is wrong, what to do)

_HOSTED = re.compile(r"(?:ubuntu|macos)-")
_UV = re.compile(r"(?:^|[;&|]\s*|\$\()\s*(?:\w+=\S+\s+)*uvx?\s", re.MULTILINE)
_BRINGS_UV = re.compile(
    r"setup-uv|astral\.sh|\b(?:install|pipx?|brew|mise|asdf|curl)\b.*\buv\b|\bmise|\bdevbox|\bnix", re.DOTALL
)
_LOST_PATH = re.compile(r"(?:^|[;&|\s])(?:export\s+)?PATH=(?P<value>\"[^\"]*\"|'[^']*'|\S*)\s*(?P<rest>[^\n]*)")
_BARE = re.compile(r"(?:\w+=\S*\s+)*(?P<program>[a-z][\w.-]*)\b")
_SOUGHT = re.compile(r"\bPATH=[\"']?\$PWD/([\w./-]+)")
_OF_RUNNERS = re.compile(
    r"(?:GITHUB|RUNNER|ACTIONS|JAVA|GOROOT|ANDROID|AGENT)_\w+|CI|HOME|HOSTNAME|LANG|PATH|PWD|SHELL|TMPDIR|USER"
)
_USED = re.compile(r"\$(?:([A-Z][A-Z0-9_]*)\b|\{([A-Z][A-Z0-9_]*)\})")


def of_workflow(workflow: dict[Any, Any], is_ours: bool) -> Flaws:
    """Slips of each job; `is_ours` where the template brought the workflow, so that nothing else brings programs."""
    for name, job in mapping(workflow.get("jobs")).items():
        steps = [*map(mapping, sequence(dig(job, "steps")))]
        is_hosted = _HOSTED.match(text(dig(job, "runs-on"))) and not dig(job, "container")
        if is_hosted and is_ours and (number := _without_uv(steps)) is not None:
            yield ("jobs", str(name), "steps", number, "run"), "no step brings uv, which it calls", _BEFORE
        yield from (
            ((*("jobs", str(name)), *place), what, fix) for place, what, fix in _unread_versions(mapping(job), is_ours)
        )
        if is_hosted and (number := _without_copier(steps)) is not None:
            what = "no step brings copier, which it calls"
            yield ("jobs", str(name), "steps", number, "run"), what, "write uv run --locked copier"
        for number, step in enumerate(steps):
            place: Place = ("jobs", str(name), "steps", number, "run")
            yield from ((place[:4], what, fix) for what, fix in _unasked(step))
            if is_hosted and _lost_path(text(step.get("run"))):
                yield place, "PATH lacks what it was, so that the shell finds no program", 'write PATH="…:$PATH"'
            for what, fix in _renamed(step, (workflow, mapping(job), *steps)) if is_hosted else ():
                yield place, what, fix


_BEFORE = "call astral-sh/setup-uv before"


def _without_uv(steps: list[dict[Any, Any]]) -> int | None:
    """The first step that calls uv where none before has brought it; of the job with the suite another rule tells."""
    for number, step in enumerate(steps):
        script = text(step.get("run"))
        if runs_the_suite(script, pipefail=True) or _BRINGS_UV.search(f"{step}"):
            return None
        if _UV.search(script):
            return number
    return None


def unchecked_out(workflow: dict[Any, Any]) -> Flaws:
    """Actions of this repository that jobs on new machines call where nothing before can have brought them."""
    for name, job in mapping(workflow.get("jobs")).items():
        steps = [*map(mapping, sequence(dig(job, "steps")))]
        number = _unchecked_out(steps) if _HOSTED.match(text(dig(job, "runs-on"))) else None
        if number is not None:
            what = "no step before checks the repository out, in which the action is"
            yield ("jobs", str(name), "steps", number, "uses"), what, "call actions/checkout before"


def _unchecked_out(steps: list[dict[Any, Any]]) -> int | None:
    """The first step that calls an action of this repository where none before can have brought the repository."""
    for number, step in enumerate(steps):
        if text(step.get("uses")).startswith("./"):
            return number
        if re.search(r"checkout|\bclone\b|\bfetch\b|artifact|\bcurl\b|\bwget\b", f"{step}"):
            return None
    return None


# actions that bring one program, or none
_BRING_ONE = re.compile(
    r"actions/(?:cache|checkout|(?:down|up)load-artifact|setup-\w+)@|astral-sh/setup-uv@|azure/setup-"
)
_BRING_MORE = re.compile(
    r"\b(?:apt|apt-get|brew|curl|wget|pip|pip3|pipx|mise|asdf|nix|make|just|task|source|install|PATH|GITHUB_PATH)\b"
    r"|\./|\.sh\b"
)


def _without_copier(steps: list[dict[Any, Any]]) -> int | None:
    """The first step that calls copier by itself, where nothing before can have brought it."""
    for number, step in enumerate(steps):
        script, uses = text(step.get("run")), text(step.get("uses"))
        if (uses and not _BRING_ONE.match(uses)) or _BRING_MORE.search(f"{script}{step.get('shell', '')}"):
            return None
        found = shell.read(script) if "copier" in script else None
        if found and any(command.words[:1] == ["copier"] for command in found.all()):
            return number
    return None


# languages by the names that people give their versions, with the numbers that lost a zero
_VERSIONS = {
    "Python": (re.compile(r"(?:.*[-_])?(?:py|python)(?:[-_]?versions?)?", re.IGNORECASE), (3.1, 3.2)),
    "Go": (re.compile(r"(?:.*[-_])?go(?:lang)?(?:[-_]?versions?)?", re.IGNORECASE), (1.2,)),
}


def _unread_versions(job: dict[Any, Any], is_ours: bool) -> Flaws:
    """Versions without quotes whose last zero YAML takes away; of one that our steps ask for another rule tells."""
    places: list[Place] = [("strategy", "matrix", str(key)) for key in mapping(dig(job, "strategy", "matrix"))]
    steps = () if is_ours else sequence(job.get("steps"))
    places += [("steps", at, "with", str(key)) for at, step in enumerate(steps) for key in mapping(dig(step, "with"))]
    for place in places:
        given = dig(job, *place)
        for language, (names, lost) in _VERSIONS.items():
            for version in given if isinstance(given, list) else [given]:
                if isinstance(version, float) and version in lost and names.fullmatch(str(place[-1])):
                    what = f"YAML reads {version}0 as {version}, of which there is no {language}"
                    yield place, what, f'write it in quotes: "{version}0"'


def _lost_path(script: str) -> bool:
    """Whether a script gives PATH folders alone that it makes itself, and calls a program of elsewhere."""
    for match in _LOST_PATH.finditer(script):
        value = match["value"].strip("\"'")
        program = _BARE.match(match["rest"])
        if value.startswith("$PWD/") and ":" not in value and program and program["program"] not in value:
            return True
    return False


def _unasked(step: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """An output that a step takes, and that its own condition says is empty."""
    empty = re.fullmatch(r"(?:\$\{\{)?\s*(steps\.[\w-]+\.outputs\.[\w-]+)\s*==\s*''\s*(?:\}\})?", text(step.get("if")))
    if empty and empty[1] in f"{ {key: given for key, given in step.items() if key != 'if'} }":
        yield f"it runs where {empty[1]} is empty, and takes it", "write != in its condition"


def _renamed(step: dict[Any, Any], above: Iterable[dict[Any, Any]]) -> Iterator[tuple[str, str]]:
    """A variable that a script reads and nothing gives, where one of a longer or shorter name is given and not read."""
    script, own = text(step.get("run")), mapping(step.get("env"))
    given = {str(name) for each in above for name in mapping(each.get("env"))}
    unread = [str(name) for name in own if str(name) not in script and not str(name).startswith(("GH_", "GITHUB_"))]
    if not unread or re.search(r"GITHUB_ENV|\bsource\b|\beval\b|\bexport\b|\bset -a\b", f"{[*above]}"):
        return
    for name in dict.fromkeys(one or other for one, other in _USED.findall(shell.unquoted(script))):
        parts = {*name.split("_")}
        meant = [each for each in unread if parts < (others := {*each.split("_")}) or others < parts]
        is_made = re.search(rf"\b{name}\b\+?=|\b(?:for|read)\b[^\n;]*\b{name}\b", script)
        is_given = name in given or is_made or _OF_RUNNERS.fullmatch(name)
        if not is_given and len(meant) == 1:
            yield f"nothing gives ${name} a value", f"did you mean ${meant[0]}?"


def path_of_gitlab(lines: list[str], pipeline: dict[Any, Any]) -> Iterator[tuple[int, str, str]]:
    """(number of the line, what, what to do) where PATH has nearly the folder in which another job keeps programs."""
    kept = {path.strip("/") for job in pipeline.values() for path in texts(dig(job, "artifacts", "paths"))}
    for number, line in enumerate(lines):
        for folder in (each.strip("/") for each in _SOUGHT.findall(line)):
            same = next((each for each in kept if each.strip("./") == folder.strip("./")), "")
            if folder not in kept and (meant := same or closest(folder, kept)):
                yield number, f"PATH has {folder}, and the program is elsewhere", f"did you mean {meant}?"
