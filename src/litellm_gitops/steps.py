"""Slips in what a pipeline does: names in its scripts that nothing defines, and files that no script writes.

Told is only what is nearly the name of something that is there, since a script may get anything from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.proxy_facts import closest

Flaws = Iterator[tuple[Place, str, str]]  # (where, what is wrong, what to do)

_QUOTED = re.compile(r"'[^'\n]*'")
_USED = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*))")
_GIVEN = re.compile(r"(?:^|[\s;(&|{])([A-Za-z_]\w*)\+?=|\bfor\s+([A-Za-z_]\w*)\b|\bread\s+(?:-\w+\s+)*([A-Za-z_ \w]+)")
# what may define more than can be seen
_MORE = re.compile(r"\bsource\b|(?:^|[\s;&])\.\s|\beval\b|\bset -a\b|\bmapfile\b|\bgetopts\b", re.MULTILINE)
# https://docs.gitlab.com/ci/variables/predefined_variables/: those that conditions ask for
PREDEFINED = {
    *("CI_COMMIT_AUTHOR", "CI_COMMIT_BEFORE_SHA", "CI_COMMIT_BRANCH", "CI_COMMIT_MESSAGE", "CI_COMMIT_REF_NAME"),
    *("CI_COMMIT_REF_PROTECTED", "CI_COMMIT_REF_SLUG", "CI_COMMIT_SHA", "CI_COMMIT_SHORT_SHA", "CI_COMMIT_TAG"),
    *("CI_COMMIT_TITLE", "CI_DEFAULT_BRANCH", "CI_ENVIRONMENT_NAME", "CI_JOB_NAME", "CI_JOB_TOKEN", "CI_PIPELINE_ID"),
    *("CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_MERGE_REQUEST_EVENT_TYPE", "CI_MERGE_REQUEST_ID", "CI_MERGE_REQUEST_IID"),
    *("CI_MERGE_REQUEST_LABELS", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
    *("CI_OPEN_MERGE_REQUESTS", "CI_PIPELINE_SOURCE", "CI_PIPELINE_TRIGGERED", "CI_PROJECT_DIR", "CI_PROJECT_NAME"),
    *("CI_PROJECT_NAMESPACE", "CI_PROJECT_PATH", "CI_REGISTRY", "CI_REGISTRY_IMAGE", "CI_SERVER_HOST", "GITLAB_CI"),
    *("CI_COMMIT_DESCRIPTION", "CI_COMMIT_TIMESTAMP", "CI_JOB_ID", "CI_JOB_STAGE", "CI_JOB_STATUS", "CI_JOB_URL"),
    *("CI_PIPELINE_IID", "CI_PIPELINE_URL", "CI_PROJECT_ID", "CI_PROJECT_URL", "CI_SERVER_URL", "CI_COMMIT_REF"),
}
# https://copier.readthedocs.io/en/stable/reference/cli/, https://docs.astral.sh/uv/reference/cli/
_COMMANDS = {
    "copier": ("check-update", "copy", "recopy", "update"),
    "uv": (
        *("add", "auth", "build", "cache", "export", "format", "init", "lock", "pip", "publish", "python", "remove"),
        *("run", "self", "sync", "tool", "tree", "venv", "version"),
    ),
}
_CALLED = re.compile(r"(?:^|[\s;&|(])(copier|uv)\s+([a-z][\w-]*)", re.MULTILINE)
_WORD = re.compile(r"[\w./-]+")


def lost(script: str, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(a variable, the one that was meant) for each that neither the script nor `given` defines."""
    if _MORE.search(script):
        return
    defined = {*given}
    for match in _GIVEN.finditer(script):
        defined.update((match[1] or match[2] or match[3]).split())
    used = dict.fromkeys(match[1] or match[2] for match in _USED.finditer(_QUOTED.sub("", script)))
    for name in used:
        if name not in defined and (meant := closest(name, defined)):
            yield name, meant


def miscalled(script: str) -> Iterator[tuple[str, str]]:
    """(a command, the one that was meant) of programs whose commands are known."""
    for program, command in _CALLED.findall(script):
        if command not in _COMMANDS[program] and (meant := closest(command, _COMMANDS[program])):
            yield f"{program} {command}", f"{program} {meant}"


def of_script(place: Place, script: str, given: Iterable[str]) -> Flaws:
    """What a script at a place names by a slip."""
    for name, meant in lost(script, given):
        yield place, f"nothing gives ${name} a value", f"did you mean ${meant}?"
    for command, meant in miscalled(script):
        yield place, f"there is no command {command}", f"did you mean {meant}?"


def of_workflow(workflow: dict[Any, Any]) -> Flaws:
    """What steps of GitHub's workflow name by a slip."""
    for name, job in mapping(workflow.get("jobs")).items():
        steps = [*map(mapping, sequence(dig(job, "steps")))]
        before = set[str]()  # what earlier steps put into the environment of later ones
        for number, step in enumerate(steps):
            script = text(step.get("run"))
            given = {str(key) for each in (workflow, job, step) for key in mapping(dig(each, "env"))}
            yield from of_script(("jobs", str(name), "steps", number, "run"), script, given | before)
            before |= {*re.findall(r"(\w+)=", script)} if "GITHUB_ENV" in script else set()


def of_job(name: str, own: dict[Any, Any], whole: dict[Any, Any], pipeline: dict[Any, Any], folder: str) -> Flaws:
    """What a job of GitLab names by a slip; `whole` is the job with what it extends, `folder` where the project is."""
    jobs = [pipeline, *map(mapping, pipeline.values())]
    given = {str(key) for each in jobs for key in mapping(each.get("variables"))}
    places = (whole, mapping(pipeline.get("default")), pipeline)
    before: Any = next((each["before_script"] for each in places if "before_script" in each), [])
    above, after = [*_lines(before), *_lines(whole.get("script"))], _lines(own.get("after_script"))
    for part, around in (("before_script", above), ("script", above), ("after_script", after)):
        known = given | {*re.findall(r"(\w+)=", "\n".join(around))}
        for number, line in enumerate(_lines(own.get(part))):
            place: Place = (name, part, number) if isinstance(own[part], list) else (name, part)
            yield from of_script(place, line, known)
    calls = [line for line in after if re.search(r"\bhooks/\w+\.py|\bpytest\b", line)]
    if folder and calls and not re.search(r"\bcd\b|--directory|--project", "\n".join(after)):
        what = "after_script begins at the root of git, where the project is not"
        yield (name, "after_script", after.index(calls[0])), what, f"begin with cd {folder} &&"
    if not name.startswith("."):
        yield from _of_artifacts(name, own, [*above, *_lines(whole.get("after_script"))], folder)


def of_conditions(pipeline: dict[Any, Any]) -> Flaws:
    """Variables of GitLab that its conditions and scripts ask for by a slip: they are always empty."""
    defined = PREDEFINED | {name for place, name in walk(pipeline) if "variables" in place and name == place[-1]}
    for place, found in walk(pipeline):
        for name in dict.fromkeys(re.findall(r"\$\{?(CI_\w+)", found)) if found != place[-1] else ():
            if name not in defined and (meant := closest(name, PREDEFINED)):
                yield place, f"GitLab gives no ${name}", f"did you mean ${meant}?"


def _lines(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else texts(value)


def _of_artifacts(name: str, job: dict[Any, Any], lines: list[str], folder: str) -> Flaws:
    """Files that a job keeps and no script of it writes by that name, or writes elsewhere."""
    words = {word.strip("/") for line in lines for word in _WORD.findall(line)}
    goes_there = bool(folder) and any(re.search(rf"\bcd {re.escape(folder)}(?=\s|$)", line) for line in lines)
    for place, path in _kept(mapping(job.get("artifacts"))):
        inner = path.strip("/").removeprefix(f"{folder}/") if folder else path.strip("/")
        if not inner or re.search(r"[*$?]", inner):
            continue
        written = any(word == inner or word.endswith(f"/{inner}") or word.startswith(f"{inner}/") for word in words)
        if written and goes_there and inner == path.strip("/"):
            what = f"{path} is kept, and the job writes it below {folder}"
            yield (name, "artifacts", *place), what, f"write {folder}/{path}"
        elif not written and (meant := closest(inner, words | {word.rpartition("/")[0] for word in words})):
            yield (name, "artifacts", *place), f"{path} is kept, and the job writes {meant}", f"did you mean {meant}?"


def _kept(artifacts: dict[Any, Any]) -> Iterator[tuple[Place, str]]:
    for number, path in enumerate(texts(artifacts.get("paths"))):
        yield ("paths", number), path
    for kind, path in mapping(artifacts.get("reports")).items():
        if isinstance(path, str):
            yield ("reports", str(kind)), path
