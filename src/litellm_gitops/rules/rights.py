"""What a pipeline may do with the repository, and that nothing which it runs can be moved by others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from litellm_gitops.documents import dig, mapping, sequence, text, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.pipeline import GITLAB, OURS

_MOVES = re.compile(r"(?:^|\bgo (?:run|install) )\S+\.\S+/\S+@(?:latest|main|master|HEAD)\b")
_COMMITS = ".pre-commit-config.yaml"


@rule
def nothing_that_the_pipeline_runs_can_move(repository: Repository) -> Iterator[Finding]:
    """What the template brought; a workflow of one's own may do as it likes."""
    for file in filter(repository.has, OURS):
        document = repository.document(file)
        for job, entry in mapping(dig(document and document.value, "jobs")).items():
            for number, step in enumerate(sequence(mapping(entry).get("steps"))):
                used = text(dig(step, "uses"))
                if document and used and not re.search(r"@(?:[0-9a-f]{40}|sha256:[0-9a-f]{64})\Z|\A\./", used):
                    line = document.line("jobs", job, "steps", number, "uses")
                    what = f"{used} is no commit, and can be moved"
                    yield Finding(file, line, what, edit("write @ and the commit of its release"))
    document = repository.document(GITLAB) if repository.has(GITLAB) else None
    for job, entry in mapping(document and document.value).items():
        image = dig(entry, "image", "name") or dig(entry, "image")
        if document and text(image) and not re.search(r":[^:/@]*\d[^:/@]*\Z|@sha256:|\$", text(image)):
            line = document.line(str(job), "image")
            yield Finding(GITLAB, line, f"the image {image} has no version", edit("name one"))
    yield from _latest(repository)
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    for number, entry in enumerate(sequence(dig(document and document.value, "repos"))):
        revision = str(dig(entry, "rev") or "")
        if document and dig(entry, "repo") not in ("local", "meta") and not re.search(r"\d", revision):
            line = document.line("repos", number, "rev")
            yield Finding(
                _COMMITS, line, f"rev {revision!r} of {dig(entry, 'repo')} can be moved", edit("name a release")
            )


def _latest(repository: Repository) -> Iterator[Finding]:
    """What is asked for by a word that means another release tomorrow."""
    for file in filter(repository.has, (*OURS, GITLAB)):
        document = repository.document(file)
        for place, found in walk(document.value) if document else ():
            is_given = place[-1] == "version" and place[-2:-1] in (("env",), ("with",), ("variables",))
            if found != place[-1] and (_MOVES.search(found) or (is_given and found in ("latest", "main", "master"))):
                what = f"it takes {'latest' if 'latest' in found else 'what is newest'}, which can be moved"
                yield Finding(file, document.line(*place), what, edit("name a release"))


_WRITTEN_BY = {OURS[1]: {"issues"}}  # it opens one


@rule
def a_workflow_may_only_read(repository: Repository) -> Iterator[Finding]:
    """What the template brought needs no more."""
    for file in filter(repository.has, OURS):
        document = repository.document(file)
        value = mapping(document and document.value)
        if not document or not value:
            continue
        granted = value.get("permissions")
        if granted in (None, "write-all") or "write" in mapping(granted).values():
            what = "every job may write, because permissions at the top say so, or say nothing"
            yield Finding(file, document.line("permissions"), what, edit("write permissions: {}"))
        for name, job in mapping(value.get("jobs")).items():
            rights = dig(job, "permissions")
            written = {right for right, given in mapping(rights).items() if given == "write"} - _WRITTEN_BY.get(
                file, set()
            )
            if rights == "write-all" or written:
                what = f"the job {name} may write {', '.join(sorted(written)) or 'everything'}"
                yield Finding(file, document.line("jobs", name, "permissions"), what, edit("take the right away"))
        events = value.get("on", value.get(True))
        if "pull_request_target" in (events or ()):
            what = "pull_request_target runs with the rights of the repository on what anybody sends"
            yield Finding(file, document.line(), what, edit("write pull_request"))
