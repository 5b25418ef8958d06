"""Workflows and actions of this repository that a workflow of GitHub calls, or begins after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, texts
from litellm_gitops.repository import Repository
from litellm_gitops.spelling import closest


def slips(repository: Repository, document: Document) -> Iterator[tuple[Place, str, str]]:
    """What a workflow gives a workflow or an action of this repository, and that does not take it, or needs more."""
    jobs = mapping(document.value.get("jobs"))
    calls: list[tuple[Place, Any]] = [(("jobs", str(name)), job) for name, job in jobs.items()]
    for place, job in [*calls]:
        calls += (((*place, "steps", number), step) for number, step in enumerate(sequence(dig(job, "steps"))))
    for place, call in calls:
        path = text(dig(call, "uses")).removeprefix("./").rstrip("/")
        names = (path, f"{path}/action.yml", f"{path}/action.yaml") if path.startswith(".github/") else ()
        other = next((repository.document(file) for file in names if repository.has(file)), None)
        if other is None:
            continue
        events = other.value.get("on", other.value.get(True))
        inputs = mapping(dig(events, "workflow_call", "inputs") or other.value.get("inputs"))
        given = mapping(dig(call, "with"))
        for key in (each for each in given if each not in inputs):
            meant = closest(str(key), map(str, inputs))
            yield (*place, "with", key), f"{path} takes no {key}", f"did you mean {meant}?" if meant else "take it out"
        for key, entry in inputs.items() if {*given} <= {*inputs} else ():
            if dig(entry, "required") is True and "default" not in mapping(entry) and key not in given:
                yield place, f"{path} needs {key}, which is not given", f"write {key} under with"


def unnamed(repository: Repository, document: Document) -> Iterator[tuple[Place, str, str]]:
    """Workflows after whose end one begins, by a name that is nearly that of one."""
    events = document.value.get("on", document.value.get(True))
    listed = dig(events, "workflow_run", "workflows")
    others = [
        repository.document(file) for file in repository.under(".github/workflows") if file.endswith((".yaml", ".yml"))
    ]
    names = {text(dig(other and other.value, "name")) for other in others}
    for number, name in enumerate(texts(listed)):
        begun = next((each for each in sorted(names) if each[:5] == name[:5].lower() and len(each) > 4), "")
        if name not in names and (meant := closest(name, names) or begun):
            yield ("on", "workflow_run", "workflows", number), name, meant
