"""What GitHub and GitLab refuse of a pipeline: then nothing of it runs, and nobody here is told.

Sources: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax, https://docs.gitlab.com/ci/yaml/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.admission import is_cron
from litellm_gitops.rules.pipeline import GITLAB_KEYWORDS, extended

_FOLDER, _GITLAB = ".github/workflows", ".gitlab-ci.yml"
_TOP = {"name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"}
_JOB = {
    *("name", "permissions", "needs", "if", "runs-on", "environment", "concurrency", "outputs", "env", "defaults"),
    *("steps", "timeout-minutes", "strategy", "continue-on-error", "container", "services", "uses", "with", "secrets"),
    "snapshot",
}
_STEP = {
    *("id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env", "continue-on-error"),
    "timeout-minutes",
}
_EVENTS = {
    *("branch_protection_rule", "check_run", "check_suite", "create", "delete", "deployment", "deployment_status"),
    *("discussion", "discussion_comment", "fork", "gollum", "image_version", "issue_comment", "issues", "label"),
    *("merge_group", "milestone", "page_build", "public", "pull_request", "pull_request_review", "push", "release"),
    *("pull_request_review_comment", "pull_request_target", "registry_package", "repository_dispatch", "schedule"),
    *("status", "watch", "workflow_call", "workflow_dispatch", "workflow_run"),
}
# https://docs.github.com/en/actions/reference/runners/github-hosted-runners; a larger one has a name behind it
_RUNNER = re.compile(r"(?:ubuntu-(?:latest|slim|\d\d\.04)|windows-(?:latest|11|20\d\d)|macos-(?:latest|\d\d))(?:-.+)?")
_SHELLS = {"bash", "sh", "pwsh", "powershell", "cmd", "python"}
_EXPRESSION = re.compile(r"\$\{\{((?:'(?:[^']|'')*'|[^'])*?)\}\}")  # with }} in a text
_ENTRY = {
    *("after_script", "allow_failure", "artifacts", "before_script", "cache", "coverage", "dast_configuration"),
    *("dependencies", "environment", "except", "extends", "hooks", "id_tokens", "identity", "image", "inherit"),
    *("interruptible", "manual_confirmation", "needs", "only", "pages", "parallel", "publish", "release", "retry"),
    *("resource_group", "rules", "run", "script", "secrets", "services", "stage", "start_in", "tags", "timeout"),
    *("trigger", "variables", "when"),
}
_WHEN = {"always", "delayed", "manual", "never", "on_failure", "on_success"}
_UNIT = r"(?:s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?|mo(?:nth)?s?|y(?:ears?)?)"
_TIME = re.compile(rf"(?:\d+(?:\.\d+)?\s*{_UNIT}\s*)+")
_STAGES = ("build", "test", "deploy")  # where none are listed


class _Flaws(list[tuple[Place, str]]):
    """(where, what) is wrong."""

    def unknown(self, place: Place, value: dict[Any, Any], known: set[str]) -> None:
        for key in (key for key in map(str, value) if key not in known and not key.startswith((".", "x-"))):
            meant = get_close_matches(key, known, 1, 0.6)
            what = f"the key {key} does not exist" + (f"; did you mean {meant[0]}?" if meant else "")
            self.append(((*place, key), what))


@rule
def github_takes_every_workflow(repository: Repository) -> Iterator[Finding]:
    """It runs nothing of a file in which one thing is wrong."""
    for file in repository.under(_FOLDER):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        if document and file.count("/") == _FOLDER.count("/") + 1:
            yield from _told(document, _of_workflow(document.value), "GitHub runs nothing of this file")


@rule
def gitlab_takes_the_pipeline(repository: Repository) -> Iterator[Finding]:
    """It makes no pipeline of a file in which one thing is wrong."""
    document = repository.document(_GITLAB) if repository.has(_GITLAB) else None
    if document:
        yield from _told(document, _of_pipeline(document.value), "GitLab makes no pipeline of this file")


def _told(document: Document, flaws: _Flaws, end: str) -> Iterator[Finding]:
    for place, what in flaws:
        yield Finding(document.file, document.line(*place), f"{what}, and {end}", edit("correct it"))


# ---------------------------------------------------------------------------------------------------------------------


def _of_workflow(value: dict[Any, Any]) -> _Flaws:
    flaws = _Flaws()
    flaws.unknown((), {("on" if key is True else key): inner for key, inner in value.items()}, _TOP)
    events = value.get("on", value.get(True))  # to YAML 1.1 the key `on` is true
    names = [events] if isinstance(events, str) else [*(events or ())]
    flaws += ((("on", name), f"there is no event {name}") for name in map(str, names) if name not in _EVENTS)
    for number, entry in enumerate(sequence(dig(events, "schedule"))):
        cron = str(dig(entry, "cron"))
        if cron.startswith("@") or not is_cron(cron):
            flaws.append((("on", "schedule", number, "cron"), "cron is no schedule of five fields"))
    jobs = mapping(value.get("jobs"))
    for name, job in jobs.items():
        _of_job(flaws, jobs, str(name), mapping(job))
    for place, found in walk(value):
        expressions = _EXPRESSION.findall(found) or ([found] if place[-1] == "if" else [])
        if found.count("${{") > len(_EXPRESSION.findall(found)) or not all(map(_is_closed, expressions)):
            flaws.append((place, "an expression lacks a bracket or a quote"))
    return flaws


def _is_closed(expression: str) -> bool:
    outside = re.sub(r"'(?:[^']|'')*'", "", expression)
    return "'" not in outside and all(outside.count(one) == outside.count(other) for one, other in ("()", "[]"))


def _of_job(flaws: _Flaws, jobs: dict[Any, Any], name: str, job: dict[Any, Any]) -> None:
    place: Place = ("jobs", name)
    flaws.unknown(place, job, _JOB)
    if not job.get("uses") and not job.get("runs-on") and not flaws:
        flaws.append((place, f"the job {name} lacks runs-on"))
    runner = text(job.get("runs-on"))
    if re.match(r"(?:ubuntu|windows|macos)-", runner) and not _RUNNER.fullmatch(runner) and "${{" not in runner:
        flaws.append(((*place, "runs-on"), f"GitHub has no runner {runner}, for which the job waits"))
    needs = job.get("needs")
    for needed in [needs] if isinstance(needs, str) else texts(needs):
        if needed not in jobs or needed == name:
            flaws.append(((*place, "needs"), f"there is no other job {needed}"))
    for each in ((*place, "timeout-minutes"), *((*place, "steps", at, "timeout-minutes") for at in range(99))):
        if isinstance(found := dig(job, *each[2:]), int) and found < 1:
            flaws.append((each, "timeout-minutes is below 1"))
    seen: list[Any] = []
    for number, step in enumerate(map(mapping, sequence(job.get("steps")))):
        at = (*place, "steps", number)
        told = len(flaws)
        flaws.unknown(at, step, _STEP)
        if ("run" in step) == ("uses" in step) and len(flaws) == told:  # else one of them is misspelt
            flaws.append((at, "a step has run or uses"))
        if (shell := text(step.get("shell"))) and not {shell} & _SHELLS and "{0}" not in shell and "${{" not in shell:
            flaws.append(((*at, "shell"), f"there is no shell {shell}"))
        if step.get("id") in seen:
            flaws.append(((*at, "id"), f"there are two steps {step['id']}"))
        seen += [step["id"]] if step.get("id") else []


def _of_pipeline(value: dict[Any, Any]) -> _Flaws:
    flaws = _Flaws()
    jobs = {str(name): mapping(entry) for name, entry in value.items() if name not in GITLAB_KEYWORDS}
    is_whole = "include" not in value
    stages = {".pre", ".post", *(texts(value.get("stages")) or _STAGES)}
    for place, found in walk(value):
        if found == place[-1] or "variables" in place:
            continue  # a key, or what the owner calls so
        if place[-1] == "when" and found not in _WHEN:
            flaws.append((place, f"when knows no {found}"))
        if place[-1] == "timeout" and not _TIME.fullmatch(found) and "$" not in found:
            flaws.append((place, f"timeout is {found}, which is no time"))
    for name, own in jobs.items():
        flaws.unknown((name,), own, _ENTRY)
        entry = extended(value, own)
        if not is_whole:
            continue  # what it names may be in another file
        parents, stage = own.get("extends"), text(entry.get("stage"))
        for parent in [parents] if isinstance(parents, str) else texts(parents):
            if parent not in jobs:
                flaws.append(((name, "extends"), f"there is no {parent}"))
        if name.startswith("."):
            continue
        if stage and stage not in stages:
            flaws.append(((name, "stage"), f"there is no stage {stage}"))
        if not {"script", "trigger", "run"} & set(entry) and not own.get("extends"):
            flaws.append(((name,), f"the job {name} lacks a script"))
        for field in ("needs", "dependencies"):
            for number, needed in enumerate(sequence(entry.get(field))):
                other = needed if isinstance(needed, str) else dig(needed, "job")
                foreign = isinstance(needed, dict) and {"pipeline", "project", "optional"} & set(needed)
                if isinstance(other, str) and other not in jobs and not foreign:
                    flaws.append(((name, field, number), f"there is no job {other}"))
    return flaws
