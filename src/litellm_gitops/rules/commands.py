"""What people and pipelines call: scripts can be read, programs know what they are asked, and files are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from posixpath import normpath
from typing import Any

from litellm_gitops.documents import dig, mapping
from litellm_gitops.files import is_template, matching, search_path
from litellm_gitops.findings import Finding, edit
from litellm_gitops.languages import programs, syntax
from litellm_gitops.pipelines import expressions, steps
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.pipeline import GITLAB, OURS, every_push_runs_the_suite
from litellm_gitops.spelling import closest
from litellm_gitops.tooling import makefile, own_programs, readme

_WORKFLOWS = ".github/workflows"


@rule
def every_script_can_be_read(repository: Repository) -> Iterator[Finding]:
    """By bash, of pipelines and of files, where there is a bash; by Python, what a script gives it."""
    shells: list[tuple[str, int, str]] = []  # (file, line, script)
    for file in (GITLAB, *repository.under(_WORKFLOWS)):
        document = repository.document(file) if repository.has(file) and file.endswith((".yaml", ".yml")) else None
        of_file = steps.scripts_of_pipeline if file == GITLAB else steps.scripts_of_workflow
        for place, script, shell in of_file(document.value) if document else ():
            line = document.line(*place) if document else 0
            shells += [(file, line, script)] if shell == "bash" else []
            for what, fix in syntax.of_python(script) if shell == "bash" else syntax.slips(script):
                yield Finding(file, line, what, edit(fix))
        places = (place for place, _ in document.texts if _CALLED.intersection(place)) if document else ()
        for line in sorted({document.line(*place) or 0 for place in places} if document else ()):
            if line and programs.is_folded(_folded(repository.text(file) or "", line)):
                yield Finding(file, line, "YAML makes one line of these commands", edit("write | in place of >"))
    for file in (each for each in repository.files if each.endswith((".bash", ".py", ".sh"))):
        program = re.match(r"#!\s*(?:\S*/env\s+(?:-S\s+)?)?(?:\S*/)?([\w.-]+)", repository.text(file) or "")
        names = [f"/{each}" for each in _INTERPRETERS]
        if program and f"/{program[1]}" not in names and (meant := closest(f"/{program[1]}", names)):
            what = f"there is no program {program[1]}, and the system cannot start the script"
            yield Finding(file, 1, what, edit(f"did you mean {meant[1:]}?"))
    for file in (each for each in repository.files if is_of_a_shell(repository, each)):
        script = repository.text(file) or ""
        shells.append((file, 0, script))
        for what, meant in programs.miscalled(script):
            yield Finding(file, None, what, edit(f"did you mean {meant}?"))
    yield from _of_documents(repository)
    for file in filter(repository.has, makefile.NAMES):
        for line, what, fix in makefile.flaws(repository.text(file) or "", repository.files):
            yield Finding(file, line, what, edit(fix))
    for file in (each for each in repository.files if _is_python(each)):
        for what, fix in own_programs.flaws(repository.text(file) or ""):
            yield Finding(file, None, what, edit(fix))
    ends = syntax.unread(search_path(repository.root), dict.fromkeys(script for _, _, script in shells))
    for file, line, script in shells:
        if number := ends.get(script):
            what = "bash cannot read the script, and ends with an error"
            yield Finding(file, line + number if "\n" in script else line or number, what, edit("correct the syntax"))


_README = "README.md"
_INTERPRETERS: tuple[str, ...] = ("ash", "bash", "csh", "dash", "elvish", "env", "fish", "ksh", "mksh", "node", "nu")
_INTERPRETERS += ("osh", "perl", "pwsh", "python", "python3", "ruby", "sh", "tcsh", "uv", "xonsh", "yash", "ysh", "zsh")
_ELSEWHERE = ("hooks/", "tests/", "vendor/")  # of which other rules tell, or nobody


def _is_python(file: str) -> bool:
    return file.endswith(".py") and not file.startswith(_ELSEWHERE) and not re.search(r"[{}]", file)


def _of_documents(repository: Repository) -> Iterator[Finding]:
    """Commands of README.md that programs do not know, and code without its end."""
    content = repository.text(_README) or "" if repository.has(_README) else ""
    for line, what, fix in documented(content):
        yield Finding(_README, line, what, edit(fix))


@lru_cache(maxsize=16)
def documented(content: str) -> tuple[tuple[int, str, str], ...]:
    """(line, what is wrong, what to do) with the commands of a document."""
    found = [(line, what, "write ``` above and below it") for line, what in readme.unended(content)]
    for line, command in readme.commands(content) if not found else ():
        slips = dict.fromkeys(programs.miscalled(command))
        found += [(line, what, f"did you mean {meant}?") for what, meant in slips]
    return (*found,)


_CALLED = {"run", "before_script", "script", "after_script"}


def _folded(content: str, number: int) -> list[str]:
    """The lines below a key whose text YAML makes one of; none where it keeps them."""
    first, *rest = content.splitlines()[number - 1 :]
    if not re.search(r"[:-]\s+>[-+]?\s*(?:#.*)?\Z", first):
        return []
    depth = len(first) - len(first.lstrip())
    return [*takewhile(lambda line: not line.strip() or len(line) - len(line.lstrip()) > depth, rest)]


@rule
def every_path_of_a_script_is_there(repository: Repository) -> Iterator[Finding]:
    """Manifests that it applies and scripts that it starts, at the root of git."""
    if repository.path(""):
        return  # where a script begins is for its job to say
    for file in [*filter(repository.has, [GITLAB]), *repository.under(_WORKFLOWS)]:
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        of_file = steps.scripts_of_pipeline if file == GITLAB else steps.scripts_of_workflow
        for place, script, _ in of_file(document.value) if document else ():
            job = expressions.job_of(place, document.value) if document else {}
            above = (
                dig(job, *place[2:4]),
                dig(job, "defaults", "run"),
                dig(document and document.value, "defaults", "run"),
            )
            is_here = not any(dig(each, "working-directory") for each in above)
            named = [path for each in _filled(script, job) for path in programs.paths(each)]
            named = [each for each in named if not each.startswith("hooks/") or file not in (*OURS, GITLAB)]
            lost = [each for each in named if is_here and _is_missing(repository, each, f"{job}")]
            for path in dict.fromkeys(lost):
                line = document.line(*place) if document else None
                yield Finding(file, line, f"there is no {path}", edit("correct the path, or add it"))
    yield from _of_folders(repository)
    for file in filter(repository.has, makefile.NAMES):
        for line, command in makefile.recipes(repository.text(file) or ""):
            for path in dict.fromkeys(programs.paths(command)):
                if _is_missing(repository, path, repository.text(file) or ""):
                    yield Finding(file, line, f"there is no {path}", edit("correct the path, or add it"))
    for file in (each for each in repository.files if is_of_a_shell(repository, each)):
        for path in dict.fromkeys(programs.paths(repository.text(file) or "")):
            if _is_missing(repository, path, repository.text(file) or ""):
                yield Finding(file, None, f"there is no {path}", edit("correct the path, or add it"))


def _filled(script: str, job: Any) -> list[str]:
    """A script with each value of a matrix that is written out, where it asks for one."""
    scripts = [script]
    for name, values in mapping(dig(job, "strategy", "matrix")).items():
        used = re.compile(rf"\$\{{\{{\s*matrix\.{re.escape(str(name))}\s*\}}\}}")
        if used.search(script) and isinstance(values, list):
            scripts = [used.sub(str(value), each) for each in scripts for value in values]
    return scripts


def _of_folders(repository: Repository) -> Iterator[Finding]:
    """Folders that a step is to begin in."""
    for file in repository.under(_WORKFLOWS):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        for place, folder in document.texts if document else ():
            if document and place[-1] == "working-directory" and folder != place[-1]:
                job = expressions.job_of(place, document.value)
                path = normpath(folder.removeprefix("./"))
                is_plain = re.fullmatch(r"[\w.-]+(?:/[\w.-]+)*", path) and path != "."
                lost = is_plain and _is_lost(repository, path, f"{job or document.value}")
                if lost and file not in [each.file for each in every_push_runs_the_suite(repository)]:
                    what = f"there is no folder {path}, and the step ends with an error"
                    yield Finding(file, document.line(*place), what, edit("correct the path, or add it"))


def _is_missing(repository: Repository, path: str, around: str) -> bool:
    """Whether a path of a command is lost; a single word may be anything that is not nearly a folder."""
    folders = {file.partition("/")[0] for file in repository.files if "/" in file}
    return ("/" in path or bool(closest(path, folders))) and _is_lost(repository, path, around)


def _is_lost(repository: Repository, path: str, around: str) -> bool:
    """Whether nothing is there, git does not ignore it, and nothing around makes it."""
    ignored = (repository.text(".gitignore") or "").splitlines()
    is_there = (repository.root / path).exists() or any(matching(ignored, [path]))
    made = around.count(path.rpartition("/")[2]) > 1 or re.search(r"'(?:path|repository|submodules)':", around)
    return not is_there and not made


def is_of_a_shell(repository: Repository, file: str) -> bool:
    """Whether a file is a script for bash or its like."""
    if not file.endswith((".bash", ".sh")) or file.startswith("vendor/") or is_template(file):
        return False
    first = (repository.text(file) or "").partition("\n")[0]
    return not first.startswith("#!") or bool(re.search(r"\b(?:ba|da)?sh\b", first))
