"""Expressions of GitHub's workflows: names that it does not know, and those that mean nothing where they stand.

https://docs.github.com/en/actions/reference/workflows-and-actions/contexts, …/expressions
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.spelling import closest

_OUTSIDE = re.compile(r"'(?:[^']|'')*'")
_EXPRESSION = re.compile(r"\$\{\{((?:'(?:[^']|'')*'|[^'])*?)\}\}")  # with }} in a text
_NAME = re.compile(r"(?<![\w.\])-])([A-Za-z_][\w-]*)((?:\.[\w*-]+)*)(\s*\()?")
_WORDS = {"true", "false", "null", "nan", "infinity"}
_CONTEXTS = {
    *("env", "github", "inputs", "job", "jobs", "matrix", "needs", "runner", "secrets", "steps", "strategy", "vars")
}
_OF_A_JOBS_CONDITION = {"github", "inputs", "needs", "vars"}
_FUNCTIONS = {
    *("always", "cancelled", "case", "contains", "endswith", "failure", "format", "fromjson", "hashfiles", "join"),
    *("startswith", "success", "tojson"),
}
_PROPERTIES = {
    "github": {
        *("action", "action_path", "action_ref", "action_repository", "action_status", "actor", "actor_id", "api_url"),
        *("base_ref", "env", "event", "event_name", "event_path", "graphql_url", "head_ref", "job", "job_workflow_sha"),
        *("output", "path", "ref", "ref_name", "ref_protected", "ref_type", "repository", "repository_id", "run_id"),
        *("repository_owner", "repository_owner_id", "repository_visibility", "repositoryurl", "retention_days"),
        *("run_attempt", "run_number", "secret_source", "server_url", "sha", "state", "step_summary", "token"),
        *("triggering_actor", "workflow", "workflow_ref", "workflow_sha", "workspace", "artifact_cache_size_limit"),
    },
    "runner": {"arch", "debug", "environment", "name", "os", "temp", "tool_cache", "workspace"},
}


def refused(place: Place, found: str) -> str:
    """What GitHub refuses of the expressions in a text, which stands at `place` of a workflow; empty where nothing."""
    outsides = _outside(place, found)
    if outsides is None:
        return "an expression lacks a bracket or a quote"
    of_job, is_condition = len(place) == 3 and place[0] == "jobs", place[-1] == "if"
    for outside in outsides:
        if '"' in outside:
            return "an expression has double quotes, where a text stands in single ones"
        if re.search(r"(?<![=!<>])=(?!=)|(?<!&)&(?!&)|(?<!\|)\|(?!\|)", outside):
            return "an expression has an operator that GitHub does not know; it knows == != && ||"
        for name, _, called in _names(outside):
            if what := _unknown(name, called):
                return what
            if is_condition and name == "secrets" and not called:
                return "a condition knows no secrets; put it into env, and ask for that"
            if is_condition and of_job and name in _CONTEXTS - _OF_A_JOBS_CONDITION and not called:
                return f"the condition of a job knows no {name}"
    return ""


def empty(place: Place, found: str, job: dict[Any, Any]) -> str:
    """What a text names that is never there, so that GitHub puts nothing in its place; `job` is what it stands in."""
    if refused(place, found):
        return ""
    names = (each for outside in _outside(place, found) or () for each in _names(outside))
    return next((what for name, path, called in names if not called and (what := _empty(name, path, job))), "")


def _outside(place: Place, found: str) -> list[str] | None:
    """The expressions of a text, without the texts in them; None where one is not closed."""
    inner = _EXPRESSION.findall(found)
    expressions = inner or ([found] if place[-1] == "if" else [])
    if found.count("${{") > len(inner) or not all(map(_is_closed, expressions)):
        return None
    return [_OUTSIDE.sub("''", each) for each in expressions]


def _names(outside: str) -> Iterator[tuple[str, list[str], bool]]:
    """(a name, what it is asked for, whether it is called) for each in an expression, in lower case."""
    for match in _NAME.finditer(outside):
        yield match[1].lower(), match[2].lower().split(".")[1:], bool(match[3])


def _is_closed(expression: str) -> bool:
    outside = _OUTSIDE.sub("", expression)
    return "'" not in outside and all(outside.count(one) == outside.count(other) for one, other in ("()", "[]"))


def _unknown(name: str, called: bool) -> str:
    """What is wrong with the name of a function, or with what stands in the place of a context."""
    meant = closest(name, _FUNCTIONS if called else _CONTEXTS)
    if called:
        return f"there is no function {name}; did you mean {meant}?" if meant and name not in _FUNCTIONS else ""
    if name in _WORDS | _CONTEXTS:
        return ""
    return f"an expression knows no {name}" + (f"; did you mean {meant}?" if meant else "")


def _empty(name: str, path: list[str], job: dict[Any, Any]) -> str:
    """What is wrong with a value that a context is asked for: it is always empty."""
    if not path or path[0] == "*":
        return ""
    if name in _PROPERTIES and path[0] not in (properties := _PROPERTIES[name]):
        begun = sorted(each for each in properties if each.startswith(f"{path[0]}_"))
        meant = closest(path[0], properties) or (begun[0] if begun else "")
        return f"{name} has no {path[0]}; did you mean {meant}?" if meant else ""
    if name == "steps" and path[1:] and path[1] not in _OF_A_STEP and (meant := closest(path[1], _OF_A_STEP)):
        return f"a step has no {path[1]}; did you mean {meant}?"
    inside, side = path[:2] == ["event", "pull_request"], path[2:3]
    if name == "github" and inside and side in (["base"], ["head"]) and path[3:] and path[3] not in _OF_A_SIDE:
        return f"github.event.pull_request.{side[0]} has no {path[3]}; it has {', '.join(_OF_A_SIDE)}"
    if name == "github" and path[:1] == ["event"] and path[1:] and path[1] not in _OF_AN_EVENT:
        meant = closest(path[1], _OF_AN_EVENT)
        return f"github.event has no {path[1]}; did you mean {meant}?" if meant else ""
    if name == "secrets" and path[0].startswith("github_") and path[0] != "github_token":
        return f"no secret may be called {path[0].upper()}; did you mean GITHUB_TOKEN?"
    if name == "needs" and job:
        needs = job.get("needs")
        known = [needs] if isinstance(needs, str) else texts(needs)
    elif name == "steps" and "steps" in job:
        known = [str(dig(step, "id")) for step in sequence(job.get("steps")) if dig(step, "id")]
    elif name == "matrix" and job:
        matrix = dig(job, "strategy", "matrix")
        if isinstance(matrix, str) or "${{" in str([*mapping(matrix).values()]):
            return ""
        included = (key for each in sequence(dig(matrix, "include")) for key in mapping(each))
        known = [str(key) for key in (*mapping(matrix), *included) if key not in ("include", "exclude")]
    else:
        return ""
    if path[0] in (each.lower() for each in known):
        return ""
    return f"{name}.{path[0]} is always empty, because the job has no such {_MEANS[name]}"


_OF_A_STEP = ("conclusion", "outcome", "outputs")
# https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
_OF_A_SIDE = ("label", "ref", "repo", "sha", "user")
# https://docs.github.com/en/webhooks/webhook-events-and-payloads
_OF_AN_EVENT = {
    *("action", "after", "alert", "answer", "assignee", "base_ref", "before", "branches", "changes", "check_run"),
    *("check_suite", "client_payload", "comment", "commit", "commits", "compare", "context", "created", "deleted"),
    *("deployment", "deployment_status", "description", "discussion", "enterprise", "forced", "forkee", "head_commit"),
    *("id", "inputs", "installation", "issue", "label", "master_branch", "membership", "merge_group", "milestone"),
    *("name", "number", "organization", "package", "pages", "project", "pull_request", "pusher", "pusher_type", "ref"),
    *("ref_type", "registry_package", "release", "repository", "requested_reviewer", "requested_team", "review"),
    *("rule", "schedule", "sender", "sha", "state", "target_url", "team", "thread", "workflow", "workflow_job"),
    *("workflow_run",),
}
_MEANS = {"needs": "job in its needs", "steps": "step by its id", "matrix": "matrix"}


_EVENT = re.compile(r"github\.event_name\s*[=!]=\s*'([\w-]+)'", re.IGNORECASE)
_REF = re.compile(r"github\.ref\s*[=!]=\s*'([^']*)'|startsWith\(\s*github\.ref\s*,\s*'([^']+)'", re.IGNORECASE)
_KINDS = ("refs/heads", "refs/tags", "refs/pull")


def of_events(workflow: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, what is wrong, what to do) of events, their types and refs that never are, so that nothing runs."""
    events = {("on" if key is True else key): value for key, value in workflow.items()}.get("on")
    for name, known in _events().items():
        types = dig(events, name, "types")
        for each in [types] if isinstance(types, str) else texts(types):
            begun = next((word for word in known if len(each) > 3 and word.startswith(each)), "")
            if each not in known and (meant := closest(each, known) or begun):
                yield (
                    ("on", name, "types"),
                    f"{name} is never {each}, and nothing runs for it",
                    f"did you mean {meant}?",
                )
    for number, entry in enumerate(sequence(dig(events, "schedule"))):
        if not _comes(text(dig(entry, "cron"))):
            yield ("on", "schedule", number, "cron"), "no month has the day of cron", "write a day that there is"
    for place, found in walk(workflow):
        for name in _EVENT.findall(found) if found != place[-1] else ():
            if name not in _events() and (meant := closest(name, _events())):
                yield place, f"there is no event {name}, so that this is never one", f"did you mean {meant}?"
        for whole, start in _REF.findall(found) if found != place[-1] else ():
            kind = "/".join((whole or start).split("/")[:2])
            if kind not in _KINDS and (meant := closest(kind, _KINDS)):
                yield place, f"no ref begins with {kind}, so that this is never one", f"did you mean {meant}?"
            elif re.fullmatch(r"[\w.-]+", whole):
                yield place, f"github.ref is never {whole}: it begins with refs/heads/", f"write refs/heads/{whole}"


_SHORT = re.compile(r"github\.(ref_name|head_ref|base_ref)\s*[=!]=\s*'refs/heads/([^']*)'", re.IGNORECASE)
_AS_TEXT = re.compile(r"([\w.-]+)\s*[=!]=\s*'(true|false)'")
_YES_OR_NO = {
    *(f"github.event.{name}" for name in ("created", "deleted", "forced")),
    *(f"github.event.pull_request.{name}" for name in ("draft", "merged")),
}
_OUTPUT = re.compile(r"\bneeds\.([\w-]+)\.outputs\.([\w-]+)")
_ENV = re.compile(r"(?<![\w.])env\.(\w+)")


def of_values(workflow: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, what is wrong, what to do) of comparisons that never hold, and of values that nothing gives."""
    jobs = mapping(workflow.get("jobs"))
    answers = _YES_OR_NO | _switches(workflow)
    for place, found in walk(workflow):
        asked = " ".join(_EXPRESSION.findall(found)) or (found if place[-1:] == ("if",) else "")
        if not asked or found == place[-1]:
            continue
        for name, branch in _SHORT.findall(asked):
            yield place, f"github.{name} never begins with refs/heads/", f"write {branch}"
        for name, word in _AS_TEXT.findall(asked):
            if name in answers:
                yield place, f"{name} is no text, so that it is never '{word}'", f"write {word} without quotes"
        job = job_of(place, workflow)
        needs = job.get("needs")
        for other, output in _OUTPUT.findall(asked):
            given = mapping(jobs.get(other))
            is_needed = other in ([needs] if isinstance(needs, str) else texts(needs))
            if is_needed and given and "uses" not in given and output not in mapping(given.get("outputs")):
                what = f"the job {other} has no output {output}, so that this is always empty"
                yield place, what, f"name it under outputs of {other}"
        step = mapping(dig(workflow, *place[:4])) if place[2:3] == ("steps",) else {}
        names = {str(key) for each in (workflow, job, step) for key in mapping(each.get("env"))}
        names |= {*re.findall(r"(\w+)=", "".join(text(dig(each, "run")) for each in sequence(job.get("steps"))))}
        for name in _ENV.findall(asked):
            if name not in names and (meant := closest(name, names)):
                yield place, f"nothing gives env.{name} a value", f"did you mean env.{meant}?"


def _switches(workflow: dict[Any, Any]) -> set[str]:
    """The inputs that are true or false, whichever event brings them."""
    events = workflow.get("on", workflow.get(True))
    types: dict[str, set[str]] = {}
    for event in ("workflow_call", "workflow_dispatch"):
        for name, given in mapping(dig(events, event, "inputs")).items():
            types.setdefault(f"inputs.{name}", set()).add(text(dig(given, "type")))
    return {name for name, found in types.items() if found == {"boolean"}}


def _comes(cron: str) -> bool:
    """Whether some month has the day of a schedule that is one; a day of the week comes in each."""
    _, _, days, months, week = cron.split() if len(cron.split()) == 5 else [*"*****"]
    least = min((int(day) for day in re.findall(r"(?:^|,)(\d+)", days)), default=1)
    listed = [int(month) for month in months.split(",") if month.isdigit() and 0 < int(month) < 13]
    longest = max((_DAYS[month - 1] for month in listed), default=31)
    return week != "*" or "*" in days or len(listed) < len(months.split(",")) or least <= longest


_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@cache
def _events() -> dict[str, tuple[str, ...]]:
    """The types of each event. Other keywords beside a reference hide them from a judge of schemas."""
    schema = json.loads((files(schemas) / "published" / "github-workflows.json").read_text("utf-8"))
    events = schema["properties"]["on"]["oneOf"][-1]["properties"]
    return {
        name: tuple(word for place, word in walk(entry) if "enum" in place and word != "enum")
        for name, entry in events.items()
    }


def job_of(place: Place, workflow: dict[Any, Any]) -> dict[Any, Any]:
    """The job that a place of a workflow stands in; an empty one where it is in none."""
    return mapping(dig(workflow, "jobs", place[1])) if place[:1] == ("jobs",) and text(place[1:2] and place[1]) else {}
