"""What GitHub and GitLab refuse of a pipeline: then nothing of it runs, and nobody here is told.

Sources: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax, https://docs.gitlab.com/ci/yaml/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.pipelines import actions, expressions, jobs, local_calls, marks, steps
from litellm_gitops.proxy_facts import as_rendered
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.commands import every_script_can_be_read
from litellm_gitops.rules.forms import is_cron
from litellm_gitops.rules.pipeline import GITLAB_KEYWORDS, OURS, extended
from litellm_gitops.schemas import published
from litellm_gitops.spelling import closest

_FOLDER, _GITLAB = ".github/workflows", ".gitlab-ci.yml"
# https://docs.github.com/en/actions/reference/runners/github-hosted-runners; a larger one has a name behind it
_RUNNER = re.compile(r"(?:ubuntu-(?:latest|slim|\d\d\.04)|windows-(?:latest|11|20\d\d)|macos-(?:latest|\d\d))(?:-.+)?")
_GONE = re.compile(r"ubuntu-(?:1\d|20)\.04|windows-201\d|macos-(?:10\.15|1[0-3])(?:-x?large)?")
_SHELLS = {"bash", "sh", "pwsh", "powershell", "cmd", "python"}
_BESIDE = {"name", "id", "if", "env", "with", "continue-on-error", "timeout-minutes"}  # what a step has beside it
_OF_A_JOB = {"runs-on", "steps", "needs", "if", "timeout-minutes", "container", "name", "uses", "continue-on-error"}
_WHEN = {"always", "delayed", "manual", "never", "on_failure", "on_success"}
_UNIT = r"(?:s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?|mo(?:nth)?s?|y(?:ears?)?)"
_TIME = re.compile(rf"(?:\d+(?:\.\d+)?\s*{_UNIT}\s*)+")
_KEYS = {  # https://docs.gitlab.com/ci/yaml/#cache, and #artifacts
    "cache": ("key", "paths", "policy", "unprotect", "untracked", "when", "fallback_keys"),
    "artifacts": (
        "access",
        "exclude",
        "expire_in",
        "expose_as",
        "name",
        "paths",
        "public",
        "reports",
        "untracked",
        "when",
    ),
}
_STAGES = ("build", "test", "deploy")  # where none are listed
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'|(?<=~)\s*/.*?/[ismU]*(?=\s*(?:&&|\|\||\)|$))")  # of a condition, and a pattern
_BARE = re.compile(
    r"(?:[=!]=|[=!]~)\s*(?!null\b)[A-Za-z_]|(?:\A|[(&|!])\s*(?!null\b)[A-Za-z_]\w*\s*(?:[=!][=~]|&&|\|\||\)|\Z)"
)
_NO_OPERATOR = re.compile(r"<>|(?<![=!])=(?![=~])|(?<!&)&(?!&)|(?<!\|)\|(?!\|)|\b(?:and|or|not)\b", re.IGNORECASE)


# of a section GitHub takes `{}` for nothing, not nothing at all
_NEVER_BLANK = {"concurrency", "defaults", "env", "outputs", "permissions", "services", "steps", "strategy", "with"}
_NEVER_BLANK |= {"runs-on", "timeout-minutes"}
_RUN = ("steps", "uses")  # of a job, what it does
_Flaws = list[tuple[Place, str]]  # (where, what) is wrong


@rule
def github_takes_every_workflow(repository: Repository) -> Iterator[Finding]:
    """It runs nothing of a file in which one thing is wrong."""
    for file in repository.under(_FOLDER):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        if document and file.count("/") == _FOLDER.count("/") + 1:
            yield from _told(document, _of_workflow(document), "GitHub runs nothing of this file")


@rule
def every_expression_has_a_value(repository: Repository) -> Iterator[Finding]:
    """What names a step, a job or a property that is not there is empty, and nobody is told."""
    for file in repository.under(_FOLDER):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        told: set[tuple[Place, str]] = set()  # of one job each once
        for place, found in document.texts if document else ():
            job = expressions.job_of(place, mapping(document and document.value))
            what = expressions.empty(place, found, job) if found != place[-1] else ""
            if document and what and (place[:2], what) not in told:
                told.add((place[:2], what))
                yield Finding(file, document.line(*place), what, edit("correct it"))


@rule
def every_step_names_what_there_is(repository: Repository) -> Iterator[Finding]:
    """Of actions that are known, of what GitHub gives a step, of outputs and files that one writes, and variables."""
    pipeline = repository.document(_GITLAB) if repository.has(_GITLAB) else None
    for place, what, fix in steps.of_conditions(pipeline.value) if pipeline else ():
        yield Finding(_GITLAB, pipeline.line(*place) if pipeline else None, what, edit(fix))
    for name, own in mapping(pipeline and pipeline.value).items():
        if pipeline and (name == "default" or name not in GITLAB_KEYWORDS):
            whole, folder = extended(pipeline.value, mapping(own)), repository.path("").rstrip("/")
            for place, what, fix in steps.of_job(str(name), mapping(own), whole, pipeline.value, folder):
                yield Finding(_GITLAB, pipeline.line(*place), what, edit(fix))
    unread = {each.file for each in every_script_can_be_read(repository)}  # of which that rule tells
    yield from _of_actions(repository)
    for file in repository.under(_FOLDER):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        if document:
            for place, what, fix in _of_steps(repository, document, file in unread):
                yield Finding(file, document.line(*place), what, edit(fix))


_USING = ("composite", "docker", "node12", "node16", "node20", "node24")


def _of_actions(repository: Repository) -> Iterator[Finding]:
    """Actions of this repository that GitHub refuses."""
    for file in repository.under(".github/actions"):
        document = repository.document(file) if file.endswith(("/action.yml", "/action.yaml")) else None
        using = text(dig(document and document.value, "runs", "using"))
        if document and using not in _USING and (meant := closest(using, _USING)):
            line = document.line("runs", "using")
            yield Finding(file, line, f"GitHub runs no action by {using}", edit(f"did you mean {meant}?"))
        for number, step in enumerate(sequence(dig(document and document.value, "runs", "steps"))):
            if document and "run" in mapping(step) and "shell" not in mapping(step):
                what = "a step of an action has no shell, and GitHub refuses it"
                yield Finding(file, document.line("runs", "steps", number), what, edit("write shell: bash"))


def _of_steps(repository: Repository, document: Document, is_unread: bool) -> Iterator[tuple[Place, str, str]]:
    yield from () if is_unread else _steps_of(document)
    is_hosted = "github.com" in str(repository.answers.get("repo_url"))
    if not repository.path(""):  # else GitHub reads another folder
        called = [*local_calls.slips(repository, document)]
        yield from called
        for place, found in document.texts:
            local = found.removeprefix("./").rstrip("/") if place[-1] == "uses" and found.startswith("./.") else ""
            is_brought = bool(local) and steps.brings(document.value, place)
            if local and not is_brought and local not in repository.files and not repository.under(local):
                called.append((place, f"there is no {found}", "correct the path, or add it"))
                yield called[-1]
        unchecked = [*jobs.unchecked_out(document.value)]
        yield from () if called or (unchecked and any(_of_actions(repository))) else unchecked
    for place, name, meant in local_calls.unnamed(repository, document):
        yield place, f"there is no workflow {name}", f"did you mean {meant}?"
    for name, job in mapping(document.value.get("jobs")).items():
        listed = [*map(mapping, sequence(dig(job, "steps")))]
        around = f"{document.value.get('env')}{dig(job, 'env')}{listed}"
        for number, step in enumerate(listed):
            for field, what, fix in actions.of_step(step, listed, is_hosted, around):
                yield ("jobs", str(name), "steps", number, *field), what, fix


_SLIPS = (steps.of_workflow, marks.of_workflow, expressions.of_values, actions.of_artifacts)


@rule
def gitlab_takes_the_pipeline(repository: Repository) -> Iterator[Finding]:
    """It makes no pipeline of a file in which one thing is wrong."""
    document = repository.document(_GITLAB) if repository.has(_GITLAB) else None
    if document:
        lost, end = [*_lost_includes(repository, document.value)], "GitLab makes no pipeline of this file"
        yield from _told(document, lost + _of_pipeline(document), end)
        content = (repository.text(_GITLAB) or "") if "include" not in document.value else ""
        for line, what in steps.of_references(content, document.value):
            yield Finding(_GITLAB, line, f"{what}, and {end}", edit("correct it"))


def _lost_includes(repository: Repository, pipeline: dict[Any, Any]) -> Iterator[tuple[Place, str]]:
    """Files of this project that it includes, and that are not there."""
    include = pipeline.get("include")
    for number, entry in enumerate(include if isinstance(include, list) else [include]):
        path = (text(dig(entry, "local")) or text(entry)).lstrip("/")
        file = path.removeprefix(repository.path(""))
        is_here = path.startswith(repository.path("")) and not re.search(r"[*$]|://", path)
        if path and is_here and not repository.has(file):
            yield ("include", number) if isinstance(include, list) else ("include",), f"there is no file {path}"


@lru_cache(maxsize=64)
def _steps_of(document: Document) -> tuple[tuple[Place, str, str], ...]:
    of_jobs = jobs.of_workflow(document.value, document.file in OURS)
    return (*chain.from_iterable(each(document.value) for each in _SLIPS), *of_jobs)


def _told(document: Document, flaws: _Flaws, end: str) -> Iterator[Finding]:
    for place, what in dict(reversed(flaws)).items():  # of one place what was found first
        yield Finding(document.file, document.line(*place), f"{what}, and {end}", edit("correct it"))


# ---------------------------------------------------------------------------------------------------------------------


@cache
def _of_workflow(document: Document) -> _Flaws:
    value = {
        ("on" if key is True else key): inner for key, inner in document.value.items()
    }  # so YAML 1.1 reads the key
    flaws: _Flaws = []
    for number, entry in enumerate(sequence(dig(value, "on", "schedule"))):
        cron = str(dig(entry, "cron"))
        if dig(entry, "cron") is not None and (cron.startswith("@") or not is_cron(cron)):
            flaws.append((("on", "schedule", number, "cron"), "cron is no schedule of five fields"))
    jobs = mapping(value.get("jobs"))
    if beside := [str(name) for name, job in jobs.items() if name in _OF_A_JOB and not isinstance(job, dict)]:
        flaws.append((("jobs",), f"{', '.join(beside)} stand beside the jobs, not in one"))
    for name, job in jobs.items():
        _of_job(flaws, jobs, str(name), mapping(job))
        # of the owner's own it may be an outline
        lacks = document.file in OURS and job and not beside
        if lacks and not any(key in _RUN or closest(str(key), _RUN) for key in mapping(job)):
            flaws.append((("jobs", str(name)), f"the job {name} has no steps"))
    for at in ((), *(("jobs", str(name)) for name in jobs)):
        empty = [str(right) for right, given in mapping(dig(value, *at, "permissions")).items() if given is None]
        flaws += [((*at, "permissions", right), f"{right} is neither read nor write") for right in empty]
    if not any(place[2:] == ("needs",) for place, _ in flaws):
        listed = {
            str(name): [each] if isinstance(each := dig(job, "needs"), str) else each for name, job in jobs.items()
        }
        flaws += (
            (("jobs", *place), what)
            for place, what in _of_cycles({name: {"needs": each} for name, each in listed.items()})
        )
    flaws += ((place, f"{place[-1]} is empty") for place in _blanks(value))
    for place, found in walk(value):
        if found != place[-1] and (what := expressions.refused(place, found)):
            flaws.append((place, what))
    return [flaw for flaw in _with_published(flaws, "github-workflows", value) if not _is_taken(value, *flaw)]


def _blanks(workflow: dict[Any, Any]) -> Iterator[Place]:
    """Keys with nothing behind them, which GitHub refuses: those of the workflow, of its jobs, and of their steps."""
    levels: list[tuple[Place, dict[Any, Any]]] = [((), workflow)]
    for name, job in mapping(workflow.get("jobs")).items():
        levels.append((("jobs", str(name)), mapping(job)))
        steps = enumerate(map(mapping, sequence(mapping(job).get("steps"))))
        levels += ((("jobs", str(name), "steps", number), step) for number, step in steps)
    return ((*place, key) for place, level in levels for key in level if key in _NEVER_BLANK and level[key] is None)


def _is_taken(workflow: dict[Any, Any], place: Place, what: str) -> bool:
    """Whether GitHub takes what its published schema does not: one word for a list, a strategy without a matrix."""
    is_word = place[:1] == ("on",) and isinstance(dig(workflow, *place), str) and what.endswith("array")
    return is_word or what.endswith(".strategy lacks matrix")


def _with_published(flaws: _Flaws, name: str, value: dict[Any, Any]) -> _Flaws:
    """These, and what the published schema refuses elsewhere."""
    told = [place for place, _ in flaws]
    for place, what in published.flaws(name, as_rendered(value)):
        if not any(place[: len(other)] == other or other[: len(place)] == place for other in told):
            flaws.append((place, what))
    return flaws


def _of_job(flaws: _Flaws, jobs: dict[Any, Any], name: str, job: dict[Any, Any]) -> None:
    place: Place = ("jobs", name)
    listed = job.get("runs-on")
    runner = text(listed[0] if isinstance(listed, list) and len(listed) == 1 else listed)
    if re.match(r"(?:ubuntu|windows|macos)-", runner) and not _RUNNER.fullmatch(runner) and "${{" not in runner:
        flaws.append(((*place, "runs-on"), f"GitHub has no runner {runner}, for which the job waits"))
    system, _, release = runner.partition("-")
    if (meant := closest(system, ("ubuntu", "windows", "macos"))) and _RUNNER.fullmatch(f"{meant}-{release}"):
        flaws.append(((*place, "runs-on"), f"GitHub has no runner {runner}, for which the job waits"))
    if _GONE.fullmatch(runner):
        flaws.append(((*place, "runs-on"), f"GitHub has no runner {runner} any more, for which the job waits"))
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
        if {"run", "uses"} <= {*step} or not {*step} - _BESIDE:  # else one is misspelt
            flaws.append((at, "a step has run or uses"))
        if astray := {"with"} & {*step} if "run" in step else {"shell", "working-directory"} & {*step}:
            flaws.append(((*at, min(astray)), f"such a step takes no {min(astray)}"))
        if "${{" in text(step.get("uses")):
            flaws.append(((*at, "uses"), "uses takes no expression"))
        if (shell := text(step.get("shell"))) and not {shell} & _SHELLS and "{0}" not in shell and "${{" not in shell:
            flaws.append(((*at, "shell"), f"there is no shell {shell}"))
        if step.get("id") in seen:
            flaws.append(((*at, "id"), f"there are two steps {step['id']}"))
        seen += [step["id"]] if step.get("id") else []


@cache
def _of_pipeline(document: Document) -> _Flaws:
    value = document.value
    flaws: _Flaws = []
    jobs = {str(name): mapping(entry) for name, entry in value.items() if name not in GITLAB_KEYWORDS}
    is_whole = "include" not in value
    stages = {".pre", ".post", *(texts(value.get("stages")) or _STAGES)}
    for place, found in walk(value):
        if found != place[-1] and "variables" not in place:  # a key, or what the owner calls so
            flaws += ((place, what) for what in _of_text(place, found))
    flaws += _of_keys({**jobs, "default": mapping(value.get("default"))})
    for name, own in jobs.items():
        entry = extended(value, own)
        if not is_whole:
            continue  # what it names may be in another file
        if "rules" in entry and {"only", "except"} & {*entry}:
            flaws.append(((name,), "a job has rules, or only and except"))
        stage = text(entry.get("stage"))
        if not stage and "test" not in stages and "script" in entry:
            flaws.append((("stages",), f"stages lacks test, in which {name} is without a stage of its own"))
        for parent in _parents(own):
            lost = f"there is no {parent}"
            if parent not in jobs and lost not in [what for _, what in flaws]:  # of several jobs once
                flaws.append(((name, "extends"), lost))
        if name.startswith("."):
            continue
        if stage and stage not in stages:
            flaws.append(((name, "stage"), f"there is no stage {stage}"))
        if not {"script", "trigger", "run"} & set(entry) and {*_parents(own)} <= {*jobs}:
            flaws.append(((name,), f"the job {name} lacks a script"))
        flaws += _of_needs(jobs, name, entry, [".pre", *(texts(value.get("stages")) or _STAGES), ".post"])
    if not any(place[1:2] == ("needs",) for place, _ in flaws):
        flaws += _of_cycles({name: extended(value, own) for name, own in jobs.items()})
    parents = {each for own in jobs.values() for each in _parents(own) if each.startswith(".")}
    for name in sorted(parents & {*jobs}):  # what nothing extends may be anything
        flaws += (
            ((name, *place[1:]), what) for place, what in published.flaws("gitlab-ci", {"job": as_rendered(jobs[name])})
        )
    return _with_published(flaws, "gitlab-ci", value)


def _of_keys(jobs: dict[str, dict[Any, Any]]) -> Iterator[tuple[Place, str]]:
    """Keys of caches and artifacts that are misspelt, which the published schema leaves open."""
    for name, own in jobs.items():
        for field, known in _KEYS.items():
            for key in map(str, mapping(own.get(field))):
                # with the field before it, so that a short one may differ, too
                meant = closest(f"{field} {key}", [f"{field} {each}" for each in known]) if key not in known else ""
                if meant:
                    yield (name, field, key), f"{field} has no {key}; did you mean {meant.partition(' ')[2]}?"


def _of_text(place: Place, found: str) -> Iterator[str]:
    if (
        place[-1] == "when"
        and "retry" not in place
        and (found not in _WHEN or (found == "never" and "rules" not in place))
    ):
        yield f"when knows no {found}" + (" outside of rules" if found == "never" else "")
    is_kept = place[-1] == "expire_in" and found not in ("never", "none") and "$" not in found
    if is_kept and not _TIME.fullmatch(found) and not found.isdigit():
        yield f"expire_in is {found}, which is no time"
    if place[-1] == "timeout" and not _TIME.fullmatch(found) and "$" not in found:
        yield f"timeout is {found}, which is no time"
    if place[-1] == "if" and "rules" in place and "$[[" not in found and _NO_OPERATOR.search(_TEXT.sub("", found)):
        yield "a condition has an operator that GitLab does not know; it knows == != =~ !~ && ||"
    elif place[-1] == "if" and "rules" in place and "$[[" not in found and _BARE.search(_TEXT.sub("''", found)):
        yield "a condition has a word that stands in no quotes, and is no variable without $"


def _parents(entry: dict[Any, Any]) -> list[str]:
    parents = entry.get("extends")
    return [parents] if isinstance(parents, str) else texts(parents)


def _of_needs(jobs: dict[str, Any], name: str, entry: dict[Any, Any], stages: list[str]) -> Iterator[tuple[Place, str]]:
    order = {stage: number for number, stage in enumerate(stages)}
    for field in ("needs", "dependencies"):
        for number, needed in enumerate(sequence(entry.get(field))):
            other = needed if isinstance(needed, str) else dig(needed, "job")
            foreign = isinstance(needed, dict) and {"pipeline", "project", "optional"} & set(needed)
            if not isinstance(other, str) or foreign:
                continue
            if other not in jobs:
                yield (name, field, number), f"there is no job {other}"
                continue
            mine, theirs = (str(extended(jobs, each).get("stage", "test")) for each in (entry, jobs[other]))
            if order.get(theirs, 0) > order.get(mine, len(order)):
                yield (name, field, number), f"{other} is of a later stage"


def _of_cycles(jobs: dict[str, dict[Any, Any]]) -> Iterator[tuple[Place, str]]:
    """A job that waits for itself, by way of others; one of each ring."""
    needs = {
        name: {each if isinstance(each, str) else str(dig(each, "job")) for each in sequence(entry.get("needs"))}
        for name, entry in jobs.items()
    }
    seen: set[str] = set()
    for name in needs:
        reached, found = [name], set[str]()
        while reached:
            following = needs.get(reached.pop(), set()) - found
            found |= following
            reached += following
        if name in found and not seen & found:
            seen |= found
            yield (name, "needs"), f"{name} waits for itself"
