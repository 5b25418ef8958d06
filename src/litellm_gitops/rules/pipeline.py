"""What runs on a push, before a commit and for updates: the suite, the guard, and programs that cannot move."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import basename
from typing import Any

from litellm_gitops.documents import dig, mapping, merge, sequence, text, texts, walk
from litellm_gitops.files import git, matching
from litellm_gitops.findings import Finding, edit, restore
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule

_WORKFLOWS = ".github/workflows"
_OURS = (f"{_WORKFLOWS}/validate.yaml", f"{_WORKFLOWS}/update.yaml")
_GITLAB = ".gitlab-ci.yml"
_COMMITS = ".pre-commit-config.yaml"
_RENOVATE = "renovate.json"
_ATTRIBUTES = ".gitattributes"
# a call of the whole suite whose result counts
_SUITE = re.compile(r"(?:^|[\s;&/])pytest(?![\w.-])(?P<more>[^\n;]*)", re.MULTILINE)
_PART = re.compile(r"(?:^|\s)-[mk]\b|--collect-only|--co\b|--deselect|--ignore|\|\|\s*(?:true|:)")
_GITLAB_KEYWORDS = {"default", "workflow", "variables", "stages", "include", "image", "cache"}
_NEVER = re.compile(r"(?:\$\{\{\s*)?false(?:\s*\}\})?|0", re.IGNORECASE)
# what anybody may write, who sends a pull request or an issue; a shell would run it
# https://docs.github.com/en/actions/concepts/security/script-injections
_UNTRUSTED = re.compile(
    r"\$\{\{[^}]*(?:github\.head_ref|github\.event\.(?:[\w.*]+\.)?(?:title|body|message|name|email|label|ref|page_name)\b)"
)
_ALL_SECRETS = re.compile(r"toJSON\(\s*secrets\s*\)", re.IGNORECASE)
_DEPLOYED = ("clusters/", "litellm/", "policies/", "secrets/")


@rule
def every_push_runs_the_suite(repository: Repository) -> Iterator[Finding]:
    """On the branch that the engine follows, whatever file was changed."""
    platform = repository.answers.get("ci_platform")
    fix = edit("run `uv run --locked pytest` on every push, as a step that may fail the job")
    if platform == "github":
        names = [file for file in repository.under(_WORKFLOWS) if file.endswith((".yaml", ".yml"))]
        files = [file for file in names if file not in repository.broken]
        if files and not any(_runs_the_suite(repository, file) for file in files):
            yield Finding(_OURS[0], None, "no workflow runs the suite on every push", fix)
    document = repository.document(_GITLAB) if platform == "gitlab" and repository.has(_GITLAB) else None
    if document and "include" not in document.value:
        jobs = document.value
        stopped = _is_never(sequence(dig(jobs, "workflow", "rules")))
        if stopped or not any(_is_the_suite(repository, jobs, name) for name in jobs):
            yield Finding(_GITLAB, None, "no job runs the suite on every push", fix)


def _runs_the_suite(repository: Repository, file: str) -> bool:
    document = repository.document(file)
    value = mapping(document and document.value)
    # YAML 1.1 takes the key `on` for true
    events = value.get("on", value.get(True))
    filters = (
        events if isinstance(events, dict) else dict.fromkeys([events] if isinstance(events, str) else sequence(events))
    )
    known = {"push", "pull_request", "merge_group"}.intersection(filters)
    if not any(_takes_every_change(repository, mapping(filters[event])) for event in known):
        return False
    for job in map(mapping, mapping(value.get("jobs")).values()):
        if _is_skipped(job):
            continue
        if job.get("uses"):
            return True  # a workflow of another repository, which cannot be read here
        steps = [step for step in map(mapping, sequence(job.get("steps"))) if not _is_skipped(step)]
        if any(_calls_the_suite(text(step.get("run"))) for step in steps):
            return True
    return False


def _is_skipped(part: dict[Any, Any]) -> bool:
    return bool(part.get("continue-on-error")) or _NEVER.fullmatch(str(part.get("if", "")).strip()) is not None


def _takes_every_change(repository: Repository, filters: dict[Any, Any]) -> bool:
    """Whether the filters of an event let the engine's branch and every file that is deployed pass."""
    files = [repository.path(file) for file in repository.yaml_files if file.startswith(_DEPLOYED)]
    for wanted, field in (([str(repository.answers.get("repo_branch"))], "branches"), (files, "paths")):
        chosen, ignored = filters.get(field), filters.get(f"{field}-ignore")
        if chosen is not None and len(set(matching(texts(chosen), wanted))) < len(wanted):
            return False
        if ignored is not None and set(matching(texts(ignored), wanted)):
            return False
    return not ("tags" in filters and "branches" not in filters)


def _is_the_suite(repository: Repository, jobs: dict[Any, Any], name: Any) -> bool:
    if str(name).startswith(".") or name in _GITLAB_KEYWORDS:
        return False
    entry = _extended(jobs, mapping(jobs[name]))
    branch = str(repository.answers.get("repo_branch"))
    only, refused = dig(entry, "only", "refs") or entry.get("only"), dig(entry, "except", "refs") or entry.get("except")
    if only and not {"branches", "pushes", branch} & set(texts(only)):
        return False
    if {"branches", "pushes", branch} & set(texts(refused)) or _is_never(sequence(entry.get("rules"))):
        return False
    if entry.get("allow_failure") is True or entry.get("when") in ("manual", "never"):
        return False
    script = entry.get("script")
    lines = [script] if isinstance(script, str) else sequence(script)
    return any(_calls_the_suite(text(line)) for line in lines) or bool(entry.get("trigger"))


def _extended(jobs: dict[Any, Any], entry: dict[Any, Any], depth: int = 0) -> dict[Any, Any]:
    parents = entry.get("extends")
    for parent in reversed([parents] if isinstance(parents, str) else texts(parents)):
        if depth < 10:  # as deep as GitLab itself goes
            entry = merge(_extended(jobs, mapping(jobs.get(parent)), depth + 1), entry)
    return entry


def _is_never(rules: list[Any]) -> bool:
    """Whether GitLab makes no job by itself, whatever happens: the first rule that fits decides."""
    certain = next(
        (number for number, each in enumerate(rules) if not {"if", "changes", "exists"} & set(mapping(each))), None
    )
    possible = rules if certain is None else rules[: certain + 1]
    return bool(rules) and all(dig(each, "when") in ("never", "manual") for each in possible)


def _calls_the_suite(script: str) -> bool:
    return any(not _PART.search(match["more"]) for match in _SUITE.finditer(script))


@rule
def a_monorepo_runs_the_pipeline(repository: Repository) -> Iterator[Finding]:
    """It is read at git's root alone. Where that is elsewhere, what stands here is copied or called there."""
    top = (git(repository.root, "rev-parse", "--show-toplevel", above=True) or b"").decode().strip()
    if not top or not repository.path(""):
        return
    platform, project = repository.answers.get("ci_platform"), repository.answers.get("project_name")
    for file in filter(repository.has, _OURS if platform == "github" else ()):
        name = f"{_WORKFLOWS}/{project}-{basename(file)}"
        if not (Path(top) / name).is_file() or (Path(top) / name).read_bytes() != repository.content(file):
            fix = edit(f'cp {file} "$(git rev-parse --show-toplevel)/{name}"')
            yield Finding(file, None, f"GitHub runs {name} at the root of git, which is not this file", fix)
    calls = Path(top) / _GITLAB
    if platform == "gitlab" and repository.path(_GITLAB) not in (calls.read_text("utf-8") if calls.is_file() else ""):
        fix = edit("call it from there, as README.md says")
        yield Finding(_GITLAB, None, f"GitLab reads {_GITLAB} at the root of git, which does not call this one", fix)


@rule
def no_pipeline_shows_a_secret(repository: Repository) -> Iterator[Finding]:
    """All secrets at once, or a shell that runs what a stranger wrote."""
    for file in repository.under(_WORKFLOWS):
        for document in repository.documents(file) if file.endswith((".yaml", ".yml")) else ():
            for place, found in walk(document.value):
                if _ALL_SECRETS.search(found):
                    what = "it hands every secret of the repository to a step"
                    yield Finding(file, document.line(*place), what, edit("name the one that the step needs"))
                elif place[-1] == "run" and _UNTRUSTED.search(found):
                    what = "a shell runs what anybody may write into a title, a text or a name"
                    fix = edit("put it into a variable of the step (env), and use that in quotes")
                    yield Finding(file, document.line(*place), what, fix)
    for document in repository.documents(_GITLAB) if repository.has(_GITLAB) else ():
        for place, found in walk(document.value):
            if place[-1] == "CI_DEBUG_TRACE" and found != "CI_DEBUG_TRACE" and found != "false":
                what = "CI_DEBUG_TRACE writes the value of every variable into the log"
                yield Finding(_GITLAB, document.line(*place), what, edit("take it away"))


@rule
def nothing_that_the_pipeline_runs_can_move(repository: Repository) -> Iterator[Finding]:
    """What the template brought; a workflow of one's own may do as it likes."""
    for file in filter(repository.has, _OURS):
        document = repository.document(file)
        for job, entry in mapping(dig(document and document.value, "jobs")).items():
            for number, step in enumerate(sequence(mapping(entry).get("steps"))):
                used = text(dig(step, "uses"))
                if document and used and not re.search(r"@(?:[0-9a-f]{40}|sha256:[0-9a-f]{64})\Z|\A\./", used):
                    line = document.line("jobs", job, "steps", number, "uses")
                    what = f"{used} is no commit, and can be moved"
                    yield Finding(file, line, what, edit("write @ and the commit of its release"))
    document = repository.document(_GITLAB) if repository.has(_GITLAB) else None
    for job, entry in mapping(document and document.value).items():
        image = dig(entry, "image", "name") or dig(entry, "image")
        if document and text(image) and not re.search(r":[^:/@]*\d[^:/@]*\Z|@sha256:|\$", text(image)):
            line = document.line(str(job), "image")
            yield Finding(_GITLAB, line, f"the image {image} has no version", edit("name one"))
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    for number, entry in enumerate(sequence(dig(document and document.value, "repos"))):
        revision = str(dig(entry, "rev") or "")
        if document and dig(entry, "repo") not in ("local", "meta") and not re.search(r"\d", revision):
            line = document.line("repos", number, "rev")
            yield Finding(
                _COMMITS, line, f"rev {revision!r} of {dig(entry, 'repo')} can be moved", edit("name a release")
            )


@rule
def a_workflow_may_only_read(repository: Repository) -> Iterator[Finding]:
    """What the template brought needs no more."""
    for file in filter(repository.has, _OURS):
        document = repository.document(file)
        value = mapping(document and document.value)
        if not document or not value:
            continue
        granted = value.get("permissions")
        if granted in (None, "write-all") or "write" in mapping(granted).values():
            what = "every job may write, because permissions at the top say so, or say nothing"
            yield Finding(file, document.line("permissions"), what, edit("write permissions: {}"))
        events = value.get("on", value.get(True))
        if "pull_request_target" in (events or ()):
            what = "pull_request_target runs with the rights of the repository on what anybody sends"
            yield Finding(file, document.line(), what, edit("write pull_request"))


@rule
def a_commit_is_guarded(repository: Repository) -> Iterator[Finding]:
    """Where there are commit hooks at all."""
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    if document is None:
        return
    hooks = [hook for entry in sequence(document.value.get("repos")) for hook in sequence(dig(entry, "hooks"))]
    if not any("hooks/guard_staged.py" in text(dig(hook, "entry")) for hook in hooks):
        what = "no hook runs hooks/guard_staged.py, which keeps unsealed Secrets out of git"
        yield Finding(_COMMITS, document.line("repos"), what, restore())


@rule
def git_keeps_sealed_files_to_the_byte(repository: Repository) -> Iterator[Finding]:
    """The digests of sealed files depend on it."""
    content = repository.text(_ATTRIBUTES)
    if content is None:
        what = "is missing, so that git may change line ends, and with them the digests"
        yield Finding(_ATTRIBUTES, None, what, restore())
        return
    kept = False
    for number, line in enumerate(content.splitlines(), 1):
        pattern, *attributes = line.split() or [""]
        if pattern not in ("*", "*.yaml", "*.sops.yaml", "secrets/**"):
            continue
        kept |= bool({"eol=lf", "-text", "binary"} & set(attributes))
        if "eol=crlf" in attributes or any(each.startswith("filter=") for each in attributes):
            what = f"{pattern} is stored in another form than the engine reads"
            yield Finding(_ATTRIBUTES, number, what, edit("take the attribute away"))
    if not kept:
        what = "nothing keeps the line ends of sealed files, and with them the digests"
        yield Finding(_ATTRIBUTES, None, what, edit("write: * text=auto eol=lf"))


@rule
def renovate_can_read_its_configuration(repository: Repository) -> Iterator[Finding]:
    """Else it proposes nothing, and says so nowhere here."""
    if not repository.has(_RENOVATE):
        return
    try:
        json.loads(repository.text(_RENOVATE) or "")
    except ValueError:
        yield Finding(_RENOVATE, None, "it is not JSON", edit("correct the syntax"))
