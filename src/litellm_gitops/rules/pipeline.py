"""What runs on a push, before a commit and for updates: the suite, the guard, and programs that cannot move."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.repository import Repository, dig, mapping, sequence, text

_WORKFLOWS = ".github/workflows"
_OURS = (f"{_WORKFLOWS}/validate.yaml", f"{_WORKFLOWS}/update.yaml")
_GITLAB = ".gitlab-ci.yml"
_COMMITS = ".pre-commit-config.yaml"
_RENOVATE = "renovate.json"
_ATTRIBUTES = ".gitattributes"
# a call of the whole suite whose result counts
_SUITE = re.compile(r"(?:^|[\s;&/])pytest(?![\w.-])(?P<more>[^\n;]*)", re.MULTILINE)
_PART = re.compile(r"(?:^|\s)-[mk]\b|--collect-only|--co\b|--deselect|--ignore|\|\|\s*(?:true|:)")
_GITLAB_KEYWORDS = {
    "default",
    "workflow",
    "variables",
    "stages",
    "include",
    "image",
    "cache",
}


@rule
def every_push_runs_the_suite(repository: Repository) -> Iterator[Problem]:
    platform = repository.answers.get("ci_platform")
    todo = "run `uv run pytest` on every push, as a step that may fail the job"
    if platform == "github":
        files = [
            file
            for file in repository.under(_WORKFLOWS)
            if file.endswith((".yaml", ".yml")) and file not in repository.broken
        ]
        if files and not any(_runs_the_suite(repository, file) for file in files):
            yield Problem(files[-1], None, "no workflow runs the suite on a push", todo)
    if platform == "gitlab" and repository.has(_GITLAB) and _GITLAB not in repository.broken:
        document = repository.document(_GITLAB)
        jobs = mapping(document and document.value)
        if "include" not in jobs and not any(map(_is_the_suite, jobs.items())):
            yield Problem(_GITLAB, None, "no job runs the suite on a push", todo)


def _runs_the_suite(repository: Repository, file: str) -> bool:
    document = repository.document(file)
    value = mapping(document and document.value)
    # YAML 1.1 takes the key `on` for true
    events = value.get("on", value.get(True))
    if not {"push", "pull_request", "merge_group"}.intersection([events] if isinstance(events, str) else events or ()):
        return False
    for job in map(mapping, mapping(value.get("jobs")).values()):
        if job.get("if") is False or job.get("continue-on-error"):
            continue
        if job.get("uses"):
            return True  # a workflow of another repository, which cannot be read here
        for step in map(mapping, sequence(job.get("steps"))):
            skipped = step.get("continue-on-error") or step.get("if") is False
            if not skipped and _calls_the_suite(text(step.get("run"))):
                return True
    return False


def _is_the_suite(job: tuple[Any, Any]) -> bool:
    name, entry = str(job[0]), mapping(job[1])
    if name.startswith(".") or name in _GITLAB_KEYWORDS:
        return False
    if entry.get("allow_failure") or entry.get("when") in ("manual", "never"):
        return False
    script = entry.get("script")
    lines = [script] if isinstance(script, str) else sequence(script)
    return any(_calls_the_suite(text(line)) for line in lines) or bool(entry.get("trigger"))


def _calls_the_suite(script: str) -> bool:
    return any(not _PART.search(match["more"]) for match in _SUITE.finditer(script))


@rule
def nothing_that_the_pipeline_runs_can_move(repository: Repository) -> Iterator[Problem]:
    """What the template brought; a workflow of one's own may do as it likes."""
    for file in filter(repository.has, _OURS):
        document = repository.document(file)
        for job, entry in mapping(dig(document and document.value, "jobs")).items():
            for number, step in enumerate(sequence(mapping(entry).get("steps"))):
                used = text(dig(step, "uses"))
                if document and used and not re.search(r"@(?:[0-9a-f]{40}|sha256:[0-9a-f]{64})\Z|\A\./", used):
                    what = f"{used} is no commit, and can be moved"
                    line = document.line("jobs", job, "steps", number, "uses")
                    yield Problem(file, line, what, "write @ and the commit of its release")
    document = repository.document(_GITLAB) if repository.has(_GITLAB) else None
    for job, entry in mapping(document and document.value).items():
        image = dig(entry, "image", "name") or dig(entry, "image")
        if document and text(image) and not re.search(r":[^:/@]*\d[^:/@]*\Z|@sha256:|\$", text(image)):
            what = f"the image {image} has no version"
            yield Problem(_GITLAB, document.line(str(job), "image"), what, "name one")
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    for number, entry in enumerate(sequence(dig(document and document.value, "repos"))):
        revision = str(dig(entry, "rev") or "")
        if document and dig(entry, "repo") not in ("local", "meta") and not re.search(r"\d", revision):
            what = f"rev {revision!r} of {dig(entry, 'repo')} can be moved"
            line = document.line("repos", number, "rev")
            yield Problem(_COMMITS, line, what, "name a release")


@rule
def a_workflow_may_only_read(repository: Repository) -> Iterator[Problem]:
    for file in filter(repository.has, _OURS):
        document = repository.document(file)
        value = mapping(document and document.value)
        if not document or not value:
            continue
        granted = value.get("permissions")
        if granted in (None, "write-all") or "write" in mapping(granted).values():
            what = "every job may write, because permissions at the top say so, or say nothing"
            yield Problem(file, document.line("permissions"), what, "write permissions: {}")
        events = value.get("on", value.get(True))
        if "pull_request_target" in (events or ()):
            what = "pull_request_target runs with the rights of the repository on what anybody sends"
            yield Problem(file, document.line(), what, "write pull_request")


@rule
def a_commit_is_guarded(repository: Repository) -> Iterator[Problem]:
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    if document is None:
        return
    hooks = [hook for entry in sequence(document.value.get("repos")) for hook in sequence(dig(entry, "hooks"))]
    if not any("hooks/guard_staged.py" in text(dig(hook, "entry")) for hook in hooks):
        what = "no hook runs hooks/guard_staged.py, which keeps unsealed Secrets out of git"
        yield Problem(_COMMITS, document.line("repos"), what, "take it from git history")


@rule
def git_keeps_sealed_files_to_the_byte(repository: Repository) -> Iterator[Problem]:
    content = repository.text(_ATTRIBUTES)
    if content is None:
        what = "is missing, so that git may change line ends, and with them the digests"
        yield Problem(_ATTRIBUTES, None, what, "take it from git history")
        return
    kept = False
    for number, line in enumerate(content.splitlines(), 1):
        pattern, *attributes = line.split() or [""]
        if pattern not in ("*", "*.yaml", "*.sops.yaml", "secrets/**"):
            continue
        kept |= bool({"eol=lf", "-text", "binary"} & set(attributes))
        if "eol=crlf" in attributes or any(each.startswith("filter=") for each in attributes):
            what = f"{pattern} is stored in another form than the engine reads"
            yield Problem(_ATTRIBUTES, number, what, "take the attribute away")
    if not kept:
        what = "nothing keeps the line ends of sealed files, and with them the digests"
        yield Problem(_ATTRIBUTES, None, what, "write: * text=auto eol=lf")


@rule
def renovate_can_read_its_configuration(repository: Repository) -> Iterator[Problem]:
    if not repository.has(_RENOVATE):
        return
    try:
        json.loads(repository.text(_RENOVATE) or "")
    except ValueError:
        yield Problem(_RENOVATE, None, "it is not JSON", "correct the syntax")
