"""What runs on a push, before a commit and for updates: the suite, the guard, and programs that cannot move."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import basename, normpath
from typing import Any

from litellm_gitops.documents import dig, mapping, merge, sequence, text, texts
from litellm_gitops.files import filtered, git, matching
from litellm_gitops.findings import Finding, edit
from litellm_gitops.pipelines.scripts import PART, runs_the_suite
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.files import no_key_is_given_twice
from litellm_gitops.spelling import closest

_WORKFLOWS = ".github/workflows"
OURS = (f"{_WORKFLOWS}/validate.yaml", f"{_WORKFLOWS}/update.yaml")
GITLAB = ".gitlab-ci.yml"
# decided whatever runs: a condition is false where one of its parts is
_NEVER = re.compile(
    r"false|0|startsWith\(github\.ref, *'refs/tags/.*|github\.ref_type *== *'tag'"
    r"|failure\(\)|cancelled\(\)|! *(?:always|success)\(\)|! *true",
    re.IGNORECASE,
)
_ALWAYS = re.compile(r"(?:\$\{\{)?\s*(?:true|always\(\)|success\(\))\s*(?:\}\})?", re.IGNORECASE)
_OF_PUSHES = ("branches", "branches-ignore", "paths", "paths-ignore", "tags", "tags-ignore")
_EVENT = re.compile(r"github\.event_name *== *'(\w+)'")
_REF = re.compile(r"github\.(?:ref *== *'refs/heads/|ref_name *== *')([^']+)'")
_SOME = re.compile(r"github\.(?:actor|triggering_actor) *== *'.*")  # for what one of all pushes
_HOSTED = re.compile(r"(?:ubuntu|windows|macos)-.*")
# GitLab's: for which pipelines a job is
_BRANCH = re.compile(r"""\$CI_COMMIT_(?:BRANCH|REF_NAME) *(?:==|=~) *["'/^]*([\w./-]+?)["'/$]*""")
_SOURCE = re.compile(r"""\$CI_PIPELINE_SOURCE *== *["'](\w+)["']""")
_TAGGED = re.compile(r"\$CI_COMMIT_TAG\b.*")
_PUSHED = {"push", "merge_request_event", "parent_pipeline", "external_pull_request_event"}
GITLAB_KEYWORDS = {"default", "workflow", "variables", "stages", "include", "image", "cache", "services", "spec"}
GITLAB_KEYWORDS |= {"before_script", "after_script", "pages"}
_DEPLOYED = ("clusters/", "litellm/", "policies/", "secrets/")


@rule
def every_push_runs_the_suite(repository: Repository) -> Iterator[Finding]:
    """On the branch that the engine follows, whatever file was changed."""
    platform = repository.answers.get("ci_platform")
    fix = edit("run `uv run --locked pytest` on every push, as a step that may fail the job")
    if platform == "github":
        names = [file for file in repository.under(_WORKFLOWS) if file.endswith((".yaml", ".yml"))]
        files = [file for file in names if file not in repository.broken]
        told = OURS[0] in repository.broken or _is_refused(repository)  # by another rule
        if files and not told and not any(_runs_the_suite(repository, file) for file in files):
            yield Finding(OURS[0], None, "no workflow runs the suite on every push", fix)
        yield from _cancelled(repository, files)
    document = repository.document(GITLAB) if platform == "gitlab" and repository.has(GITLAB) else None
    if document and "include" not in document.value and not _is_refused(repository):
        jobs = document.value
        stopped = _is_never(repository, sequence(dig(jobs, "workflow", "rules")))
        if stopped or not any(_is_the_suite(repository, jobs, name) for name in jobs):
            yield Finding(GITLAB, None, "no job runs the suite on every push", fix)


def _cancelled(repository: Repository, files: list[str]) -> Iterator[Finding]:
    """Where runs of the suite end because another begins, for a push to another branch or for another workflow."""
    groups = {file: _group(repository, file) for file in files}
    (group, cancels), document = groups.get(OURS[0], ("", False)), repository.document(OURS[0])
    others = [file for file, (other, _) in groups.items() if group and other == group and file != OURS[0]]
    what = ""
    if others and "github.workflow" not in group and (cancels or any(groups[file][1] for file in others)):
        what = f"{others[0]} has the same group, so that a run of one cancels one of the other"
    elif group and cancels and "${{" not in group:
        what = "the group is one for all branches, so that a push to one cancels the run of another"
    if what and document:
        line = document.line("concurrency", "group")
        yield Finding(OURS[0], line, what, edit("write group: validate-${{ github.ref }}"))


def _group(repository: Repository, file: str) -> tuple[str, bool]:
    """(the group of a workflow's runs, whether a newer one cancels an older one)."""
    document = repository.document(file)
    found = dig(document and document.value, "concurrency")
    cancels = dig(found, "cancel-in-progress")
    return text(found) or text(dig(found, "group")), cancels is True or "${{" in text(cancels)


def _is_refused(repository: Repository) -> bool:
    """Whether the host does not take what the template brought, or a step of it names nothing: then it runs nothing."""
    from litellm_gitops.rules import commands, workflows  # which ask this module

    told = (
        *no_key_is_given_twice(repository),
        *workflows.github_takes_every_workflow(repository),
        *workflows.gitlab_takes_the_pipeline(repository),
        *workflows.every_step_names_what_there_is(repository),
        *commands.every_script_can_be_read(repository),
    )
    return any(each.file in (OURS[0], GITLAB) for each in told)


def _runs_the_suite(repository: Repository, file: str) -> bool:
    document = repository.document(file)
    value = mapping(document and document.value)
    # YAML 1.1 takes the key `on` for true
    events = value.get("on", value.get(True))
    filters = (
        events if isinstance(events, dict) else dict.fromkeys([events] if isinstance(events, str) else texts(events))
    )
    known = {"push", "pull_request", "merge_group"}.intersection(filters)
    if not any(_takes_every_change(repository, mapping(filters[event])) for event in known):
        return False
    pushed = {key: found for key, found in mapping(filters.get("push")).items() if key in _OF_PUSHES}
    if "push" in known and not _takes_every_change(repository, pushed):
        return False  # whoever pushes to the engine's branch is not asked
    jobs = mapping(value.get("jobs"))
    skipped = {name for name, job in jobs.items() if is_skipped(repository, mapping(job), known)}
    for name, job in jobs.items():
        needs = dig(job, "needs")
        if skipped & {name, *([needs] if isinstance(needs, str) else texts(needs))}:
            continue
        if dig(job, "uses"):
            return True  # a workflow of another repository, which cannot be read here
        if _tests(repository, value, mapping(job), known):
            return True
    return False


def _tests(repository: Repository, workflow: dict[Any, Any], job: dict[Any, Any], events: set[str]) -> bool:
    """Whether a job has what the suite needs, and then calls it where it stands."""
    steps = [step for step in map(mapping, sequence(job.get("steps"))) if not is_skipped(repository, step, events)]
    is_hosted = _HOSTED.fullmatch(text(job.get("runs-on"))) and not job.get("container")
    before, top = "", [] if is_hosted else ["."]  # where this repository is
    for step in steps:
        script = text(step.get("run"))
        folder = next(
            (found for each in (step, *_defaults(job, workflow)) if (found := each.get("working-directory"))), "."
        )
        pipefail = text(step.get("shell")) == "bash" or "pipefail" in script
        if "actions/checkout@" in text(step.get("uses")):
            top = [*filter(None, [_checked_out(repository, mapping(step.get("with")))]), *(top if before else [])]
        elif re.search("git (?:clone|fetch)|checkout", f"{step}"):
            top.append(".")
        places = {normpath(f"{each}/{repository.path('') or '.'}") for each in top}
        is_here = bool(top) and (normpath(str(folder)) in places or "cd " in script)
        if is_here and not _left_out(step, job, workflow) and runs_the_suite(script, pipefail):
            return not is_hosted or not script.lstrip().startswith("uv ") or "uv" in before
        before += f"{step}\n"  # a key that is misspelt has a rule of its own
    return False


def _checked_out(repository: Repository, given: dict[Any, Any]) -> str:
    """Where a step puts this commit; empty where it takes another one, or leaves files out."""
    ref, other = str(given.get("ref") or "${{"), str(given.get("repository") or "${{")
    if "${{" not in ref or ("${{" not in other and other not in str(repository.answers.get("repo_url"))):
        return ""
    patterns = str(given.get("sparse-checkout") or "").split()
    wanted = [*_deployed(repository), *map(repository.path, repository.under("tests"))]
    kept = {*matching(patterns, wanted), *(file for file in wanted if file.startswith(tuple(map(_folder, patterns))))}
    return str(given.get("path") or ".") if not patterns or kept.issuperset(wanted) else ""


def _folder(pattern: str) -> str:
    return f"{pattern.strip('/')}/"


def _left_out(*above: dict[Any, Any]) -> bool:
    """Whether a variable tells pytest to leave a part of the suite out."""
    found = (dig(each, field, "PYTEST_ADDOPTS") for each in above for field in ("env", "variables"))
    return any(PART.fullmatch(word) for options in found for word in text(options).split())


def _defaults(*above: dict[Any, Any]) -> list[dict[Any, Any]]:
    return [mapping(dig(each, "defaults", "run")) for each in above]


def is_skipped(repository: Repository, part: dict[Any, Any], events: set[str]) -> bool:
    """Whether a job or a step does not count, or does not run for a commit on the engine's branch."""
    condition = re.sub(r"\A\$\{\{|\}\}\Z", "", str(part.get("if", "")).strip())
    branch = str(repository.answers.get("repo_branch"))
    for each in (each.strip() for each in condition.split("&&")):
        event, ref = _EVENT.fullmatch(each), _REF.fullmatch(each)
        if (
            _NEVER.fullmatch(each)
            or _SOME.fullmatch(each)
            or (event and event[1] not in events)
            or (ref and ref[1] != branch)
        ):
            return True
    return bool(_ALWAYS.fullmatch(str(part.get("continue-on-error", ""))))


def _deployed(repository: Repository) -> list[str]:
    return [repository.path(file) for file in repository.yaml_files if file.startswith(_DEPLOYED)]


def _takes_every_change(repository: Repository, filters: dict[Any, Any]) -> bool:
    """Whether the filters of an event let the engine's branch and every file that is deployed pass."""
    for wanted, field in (([str(repository.answers.get("repo_branch"))], "branches"), (_deployed(repository), "paths")):
        chosen, ignored = filters.get(field), filters.get(f"{field}-ignore")
        if chosen is not None and len(set(filtered(texts(chosen), wanted))) < len(wanted):
            return False
        if ignored is not None and set(filtered(texts(ignored), wanted)):
            return False
    if "types" in filters and "synchronize" not in [*texts(filters["types"]), filters["types"]]:
        return False
    return not {"tags", "tags-ignore"} & {*filters} or bool({"branches", "branches-ignore"} & {*filters})


def _is_the_suite(repository: Repository, jobs: dict[Any, Any], name: Any) -> bool:
    if str(name).startswith(".") or name in GITLAB_KEYWORDS:
        return False
    entry = extended(jobs, mapping(jobs[name]))
    variables = {**mapping(jobs.get("variables")), **mapping(entry.get("variables"))}
    if is_left_out(repository, entry) or _left_out(entry, jobs) or variables.get("GIT_STRATEGY") in ("none", "empty"):
        return False
    if entry.get("trigger"):
        return True
    parts = [entry.get(each) or dig(jobs, "default", each) or jobs.get(each) for each in ("before_script", "script")]
    lines = [text(line) for part in parts for line in ([part] if isinstance(part, str) else sequence(part))]
    is_here = not repository.path("") or any(repository.path("").rstrip("/") in line.split() for line in lines)
    return is_here and runs_the_suite("\n".join(lines), pipefail=True)  # one shell runs them all


def is_left_out(repository: Repository, entry: dict[Any, Any]) -> bool:
    """Whether a job of GitLab does not count, or does not run for a commit on the engine's branch."""
    branch = str(repository.answers.get("repo_branch"))
    only, refused = dig(entry, "only", "refs") or entry.get("only"), dig(entry, "except", "refs") or entry.get("except")
    if only and not {"branches", "pushes", branch} & set(texts(only)):
        return True
    if {"branches", "pushes", branch} & set(texts(refused)) or _is_never(repository, sequence(entry.get("rules"))):
        return True
    return _may_fail(entry) or entry.get("when") in ("manual", "never")


def _may_fail(entry: dict[Any, Any]) -> bool:
    """Whether a job passes where pytest ends with 1, or with anything."""
    allowed = entry.get("allow_failure")
    codes = dig(allowed, "exit_codes")
    return allowed is True or 1 in (codes if isinstance(codes, list) else [codes])


def extended(jobs: dict[Any, Any], entry: dict[Any, Any], depth: int = 0) -> dict[Any, Any]:
    """A job of GitLab with what it extends."""
    parents = entry.get("extends")
    for parent in reversed([parents] if isinstance(parents, str) else texts(parents)):
        if depth < 10:  # as deep as GitLab itself goes
            entry = merge(extended(jobs, mapping(jobs.get(parent)), depth + 1), entry)
    return entry


def _is_never(repository: Repository, rules: list[Any]) -> bool:
    """Whether GitLab makes no job by itself for a commit that is deployed: the first rule that fits decides."""
    possible = [mapping(each) for each in rules if not _fits_never(repository, mapping(each))]
    asked = any("merge_request" in text(each.get("if")) for each in possible)
    if not asked and any(_is_for_the_branch(repository, each) for each in possible if each.get("when") == "never"):
        return True
    certain = next(
        (number for number, each in enumerate(possible) if not {"if", "changes", "exists"} & set(each)), None
    )
    possible = possible if certain is None else possible[: certain + 1]
    return bool(rules) and all(each.get("when") in ("never", "manual") or _may_fail(each) for each in possible)


def _is_for_the_branch(repository: Repository, entry: dict[Any, Any]) -> bool:
    """Whether a rule fits every commit on the engine's branch."""
    condition = text(entry.get("if")).strip()
    branch = _BRANCH.fullmatch(condition)
    named = branch and "=~" not in condition and branch[1] == str(repository.answers.get("repo_branch"))
    return not {"changes", "exists"} & set(entry) and bool(named or re.fullmatch(r"\$CI_COMMIT_BRANCH", condition))


def _fits_never(repository: Repository, entry: dict[Any, Any]) -> bool:
    """Whether a rule is for other branches, for tags, for other events, or not for all files that are deployed."""
    if entry.get("when") in ("never", "manual"):
        return False
    changes = entry.get("changes")
    patterns = texts(dig(changes, "paths") if isinstance(changes, dict) else changes)
    if patterns and len(set(matching(patterns, _deployed(repository)))) < len(_deployed(repository)):
        return True
    for each in text(entry.get("if")).split("&&"):
        branch, source = _BRANCH.fullmatch(each.strip()), _SOURCE.fullmatch(each.strip())
        if _TAGGED.fullmatch(each.strip()) or (source and source[1] not in _PUSHED):
            return True
        if branch and branch[1] not in str(repository.answers.get("repo_branch")):
            return True
    return False


@rule
def the_pipeline_sees_the_history(repository: Repository) -> Iterator[Finding]:
    """A rule compares recipients with those of before, and gitleaks reads the new commits: one commit hides both."""
    document = repository.document(OURS[0]) if repository.has(OURS[0]) else None
    for name, job in mapping(dig(document and document.value, "jobs")).items():
        steps = [*enumerate(map(mapping, sequence(dig(job, "steps"))))]
        if document and any(_needs_history(text(step.get("run"))) for _, step in steps):
            for number, step in steps:
                given = mapping(step.get("with"))  # one without any is of the owner's own workflow
                is_ours = "actions/checkout@" in text(step.get("uses")) and "repository" not in given
                misspelt = any(closest(str(key), ["fetch-depth"]) for key in given)  # of which another rule tells
                if is_ours and given and not misspelt and str(given.get("fetch-depth")) != "0":
                    line = document.line("jobs", name, "steps", number, "with", "fetch-depth")
                    yield Finding(OURS[0], line, f"the job {name} sees one commit", edit("write fetch-depth: 0"))
    document = repository.document(GITLAB) if repository.has(GITLAB) else None
    pipeline = mapping(document and document.value)
    whole = {str(name) for name in pipeline if _has_history(pipeline, name)}
    seen = any(runs_the_suite(line, pipefail=True) for name in whole for line in texts(dig(pipeline, name, "script")))
    for name, job in pipeline.items():
        lines = [line for line in texts(dig(job, "script")) if not (seen and runs_the_suite(line, pipefail=True))]
        misspelt = any(closest(str(key), ["variables"]) for key in mapping(job))  # of which another rule tells
        is_short = any(map(_needs_history, lines)) and not misspelt and str(name) not in whole
        if document and is_short and not _is_refused(repository):
            line = document.line(str(name), "variables", "GIT_DEPTH")
            yield Finding(GITLAB, line, f"the job {name} sees a few commits", edit("write GIT_DEPTH: 0"))


def _has_history(pipeline: dict[Any, Any], name: Any) -> bool:
    """Whether a job of GitLab fetches every commit, as it or what stands above it says."""
    job = extended(pipeline, mapping(pipeline[name]))
    depth = {**mapping(pipeline.get("variables")), **mapping(job.get("variables"))}.get("GIT_DEPTH")
    return str(depth) == "0" or str(dig(depth, "value")) == "0"


def _needs_history(script: str) -> bool:
    return runs_the_suite(script, pipefail=True) or bool(re.search(r"\$BEFORE\b.*HEAD", script))


@rule
def a_monorepo_runs_the_pipeline(repository: Repository) -> Iterator[Finding]:
    """It is read at git's root alone. Where that is elsewhere, what stands here is copied or called there."""
    top = (git(repository.root, "rev-parse", "--show-toplevel", above=True) or b"").decode().strip()
    if not top or not repository.path(""):
        return
    platform, project = repository.answers.get("ci_platform"), repository.answers.get("project_name")
    for file in filter(repository.has, OURS if platform == "github" else ()):
        name = f"{_WORKFLOWS}/{project}-{basename(file)}"
        if not (Path(top) / name).is_file() or (Path(top) / name).read_bytes() != repository.content(file):
            at = '"$(git rev-parse --show-toplevel)/'
            fix = edit(f'mkdir -p {at}{_WORKFLOWS}" && cp {file} {at}{name}"')
            yield Finding(file, None, f"GitHub runs {name} at the root of git, which is not this file", fix)
    if platform == "gitlab":
        path, fix = Path(top) / GITLAB, edit("call it from there, as README.md says")
        content = path.read_text("utf-8") if path.is_file() else ""
        if repository.path(GITLAB) not in content:
            what = f"GitLab reads {GITLAB} at the root of git, which does not call this one"
            yield Finding(GITLAB, None, what, fix)
        elif "CALLED_BY" in (repository.text(GITLAB) or "") and "CALLED_BY" not in content:
            what = f"{GITLAB} at the root of git calls this one without CALLED_BY, so that no schedule reaches it"
            yield Finding(GITLAB, None, what, fix)
