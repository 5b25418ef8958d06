"""Which tests of the suite a pipeline's job runs that brings a program for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.languages import shell

# the mark of the tests that call a program, by what brings it
_NEEDED = {
    "chart": re.compile(r"azure/setup-helm@"),
    "signed": re.compile(r"sigstore/cosign[\w/-]*@|cosign-installer@"),
}


def of_workflow(workflow: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, what is wrong, what to do) where a job of GitHub's brings a program and runs no test that calls it."""
    for name, job in mapping(workflow.get("jobs")).items():
        steps = [*map(mapping, sequence(dig(job, "steps")))]
        for mark, brings in _NEEDED.items():
            if any(map(brings.search, (f"{step.get('uses')} {step.get('run')}" for step in steps))):
                scripts = [text(step.get("run")) for step in steps]
                if (number := _left_out(scripts, mark)) is not None:
                    yield ("jobs", str(name), "steps", number, "run"), *_flaw(mark)


def of_job(lines: list[str], needs: str) -> Iterator[tuple[int, str, str]]:
    """(number of the line, what is wrong, what to do) where a job of GitLab's needs the one that brings a program."""
    for mark, program in (("chart", "helm"), ("signed", "cosign")):
        if re.search(rf"\b{program}\b", needs) and (number := _left_out(lines, mark)) is not None:
            yield number, *_flaw(mark)


def _flaw(mark: str) -> tuple[str, str]:
    return f"no test of the mark {mark} runs, for which the job is there", f"write pytest -m {mark}"


def _left_out(scripts: list[str], mark: str) -> int | None:
    """The script whose call of pytest leaves tests of a mark out, where no other one runs them or the program."""
    program = {"chart": "helm", "signed": "cosign"}[mark]
    calls = [(number, words) for number, script in enumerate(scripts) for words in _calls(script)]
    if not calls or any(program in words for _, words in calls) or any(_takes(words, mark) for _, words in calls):
        return None
    tests = [number for number, words in calls if "pytest" in words]
    return tests[-1] if tests else None


def _calls(script: str) -> Iterator[list[str]]:
    found = shell.read(script)
    for command in found.all() if found else ():
        yield [word.rpartition("/")[2] for word in command.words]


def _takes(words: list[str], mark: str) -> bool:
    """Whether a call of pytest takes the tests of a mark in; one that cannot be read may."""
    if "pytest" not in words:
        return bool({"make", "tox", "nox", "just", "task"} & {*words})
    rest = words[words.index("pytest") + 1 :]
    chosen = [given for flag, given in pairwise([*rest, ""]) if flag == "-m"]
    chosen += [word[2:].lstrip("=") for word in rest if re.match(r"-m.", word)]
    if not chosen:
        return any(re.search(r"addopts|\.py|\$", word) for word in rest)
    return any(not each or "$" in each or re.search(rf"(?<!not )\b{mark}", each) for each in chosen)
