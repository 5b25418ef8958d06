"""What keeps the repository running: the suite that pytest runs, the commit of the tooling, Renovate."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import chain
from pathlib import PurePosixPath
from posixpath import basename, dirname, normpath
from typing import Any

from litellm_gitops import vendored
from litellm_gitops.documents import dig, mapping, sequence, text, texts, walk
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding, edit, restore
from litellm_gitops.pipelines.scripts import PART
from litellm_gitops.repository import Repository
from litellm_gitops.rules import load, rule
from litellm_gitops.rules.argocd import ARGOCD
from litellm_gitops.rules.engine import synced
from litellm_gitops.rules.files import is_ignored
from litellm_gitops.rules.pipeline import GITLAB, OURS
from litellm_gitops.schemas import published
from litellm_gitops.sealing.creation_rules import CONFIG, unread_stores
from litellm_gitops.spelling import closest
from litellm_gitops.tooling import (
    dependabot,
    entry_points,
    own_tests,
    python_project,
    readme,
    renovate,
    renovate_settings,
)

_COMMITS = ".pre-commit-config.yaml"
_RENOVATE = "renovate.json"
_PROJECT = "pyproject.toml"
_README = "README.md"
_LOADS = re.compile(
    r"\bpytest_plugins\s*[:=+][^#]*?litellm_gitops\.pytest_plugin\b|-p[ =]?litellm_gitops\.pytest_plugin\b"
    r"|from litellm_gitops(?:\.pytest_plugin)? import"
)
_NAMED = re.compile(r"[\"']litellm-gitops[\[ @=~<>\"']")
_PINNED = re.compile(r"litellm-gitops(?:\[\w+\])? ?@ ?git\+\S+?@([^\s@#\"']+)")


@rule
def renovate_can_read_its_configuration(repository: Repository) -> Iterator[Finding]:
    """Else it proposes nothing, and says so nowhere here."""
    if not repository.has(_RENOVATE):
        return
    content = repository.text(_RENOVATE) or ""
    try:
        settings = json.loads(content)
    except ValueError:
        yield Finding(_RENOVATE, None, "it is not JSON", edit("correct the syntax"))
        return
    paths, folders = map(repository.path, repository.files), _folders(repository)
    known = {each.package.rpartition("/")[2] for each in renovate.dependencies(repository)} | {"litellm-gitops"}
    known |= {*repository.chart.rooted}  # what is misspelt may be the image itself
    flaws = (renovate_settings.astray(mapping(settings), folders), renovate_settings.misnamed(mapping(settings), known))
    pipelines = [*_texts(repository, [*filter(repository.has, OURS)])]
    unmatched = renovate_settings.unmatched(mapping(settings), paths, pipelines)
    told = dict.fromkeys((*_unread_settings(content), *chain(*flaws), *unmatched))
    is_off = mapping(settings).get("enabled") is False
    if is_off or {"*", "**", "**/*"} & {*texts(mapping(settings).get("ignorePaths"))}:
        what = "Renovate is switched off, and proposes nothing" if is_off else "Renovate passes over every file"
        off = ("enabled" if is_off else "ignorePaths", what, f"take it out, or the file: git rm {_RENOVATE}")
        told = {off: None}
    yield from _at_its_word(content, iter(told))
    for file in filter(repository.has, OURS):
        for line, what, fix in renovate_settings.of_comments(repository.text(file) or ""):
            yield Finding(file, line, what, edit(fix))


@lru_cache(maxsize=16)
def _unread_settings(content: str) -> tuple[tuple[str, str, str], ...]:
    return (*renovate_settings.unread(mapping(json.loads(content))),)


def _at_its_word(content: str, told: Iterator[tuple[str, str, str]]) -> Iterator[Finding]:
    for word, what, fix in told:
        line = next((number for number, line in enumerate(content.splitlines(), 1) if f'"{word}"' in line), None)
        yield Finding(_RENOVATE, line, what, edit(fix))


@rule
def dependabot_can_read_its_configuration(repository: Repository) -> Iterator[Finding]:
    """Where it stands in Renovate's place. https://docs.github.com/en/code-security/reference/supply-chain-security/"""
    for file in filter(repository.has, dependabot.FILES):
        document = repository.document(file)
        told = published.refused("dependabot", document.value) if document else []
        for each in told:
            if document and not each.is_new:  # ecosystems come with time
                what = f"{each.what}, and Dependabot does nothing"
                yield Finding(file, document.line(*each.place), what, edit("correct it"))
        is_here = document and not told and not repository.path("")
        for place, what, fix in dependabot.astray(document.value, _folders(repository)) if document and is_here else ():
            yield Finding(file, document.line(*place) if document else None, what, edit(fix))
    for file in dependabot.unread(repository.files) if not repository.path("") else ():
        what = "Dependabot does not look here"
        yield Finding(file, None, what, edit(f"move it: git mv {file} {dependabot.FILES[0]}"))


def _folders(repository: Repository) -> set[str]:
    """Every folder, from the root of git."""
    return {str(each) for file in repository.files for each in PurePosixPath(repository.path(file)).parents}


@rule
def renovate_proposes_what_fits(repository: Repository) -> Iterator[Finding]:
    """Of LiteLLM: its releases at all, none of another chart, and one image for both files that have it.

    What comes from elsewhere may say otherwise, such as a preset of one's own: then nothing is told.
    """
    content = repository.text(_RENOVATE) or "" if repository.has(_RENOVATE) else ""
    try:
        settings = mapping(json.loads(content or "{}"))
    except ValueError:
        return  # which has a rule above
    if not content or any(renovate_settings.unread(settings)):
        return  # likewise
    if {*texts(settings.get("extends"))} <= renovate_settings.PRESETS and not {"force", "ignorePaths"} & set(settings):
        branches = [*texts(settings.get("baseBranches")), *texts(settings.get("baseBranchPatterns"))]
        branch = str(repository.answers.get("repo_branch"))
        plain = all(re.fullmatch(r"[\w./-]+", each) and not each.startswith("/") for each in branches)
        if branches and plain and branch not in branches:
            what = f"Renovate proposes nothing for {branch}, which the engine follows"
            yield from _at_its_word(content, iter([(branches[0], what, f"write {branch}")]))
        said = {each: renovate.applied(settings, each) for each in renovate.dependencies(repository)}
        said = {each: found for each, found in said.items() if found.get("enabled", True) is True}
        yield from _at_its_word(content, renovate.unfit(repository.chart.name, said))


@rule
def pytest_runs_the_whole_suite(repository: Repository) -> Iterator[Finding]:
    """As in CI, where nobody says otherwise: pyproject.toml leaves no test out, and the tests are there."""
    content = repository.text(_PROJECT)
    try:
        settings = tomllib.loads(content or "")
    except tomllib.TOMLDecodeError:
        what = "it is not TOML, so that nothing here can be installed"
        yield Finding(_PROJECT, None, what, edit("correct the syntax"))
        return
    where, options = _of_pytest(repository, settings)
    words, folders = python_project.options_of(options), _listed(dig(options, "testpaths")) or ["tests"]
    marks = re.sub(r"-m\s*(['\"])[^'\"]*\1", "", words).split()
    line = next((number for number, each in enumerate((content or "").splitlines(), 1) if "addopts" in each), None)
    line = line if where == _PROJECT else None
    if left := next(filter(PART.fullmatch, marks), ""):
        what = f"addopts has {left}, so that pytest leaves a part of the suite out"
        yield Finding(where, line, what, edit("take it out"))
    tests = [file for file in repository.under("tests") if re.search(r"(?:^|/)test_[^/]*$|_test\.py$", file)]
    # of what is misread the rule below tells
    is_ours = where == _PROJECT and not left and not any(python_project.unread(settings, []))
    if is_ours and (mark := python_project.taken_in(words, map(basename, tests))):
        what = f"addopts takes in what has the mark {mark}, which not every machine can run"
        yield Finding(where, line, what, edit("write -m 'not chart and not decrypt and not signed' in addopts"))
    if tests and not _finds_the_rules(repository, words):
        what = "nothing loads litellm_gitops.pytest_plugin, without which no test of the suite can run"
        fix = restore('write pytest_plugins = ["litellm_gitops.pytest_plugin"]')
        yield Finding("tests/conftest.py", None, what, fix)
        return
    if not tests and any((repository.root / "tests").glob("test_*.py")):
        return  # git ignores them, of which another rule tells
    if not tests:
        yield Finding("tests/", None, "is missing, so that pytest evaluates nothing", restore())
    elif (unclaimed := _unclaimed(repository, tests)) and (slip := _misclaimed(repository, tests, unclaimed)):
        file, word, meant = slip
        yield Finding(file, None, f"there are no rules of {word}", edit(f"did you mean {meant}?"))
    elif unclaimed:
        what = f"nothing in tests/ claims the rules of {', '.join(unclaimed)}"
        yield Finding(_CLAIMS.get(unclaimed[0], "tests/test_deployment.py"), None, what, restore())
    elif content is not None and not any(normpath(folder) in (".", "tests") for folder in folders):
        yield Finding(where, line, "testpaths leaves tests/ out", edit('write testpaths = ["tests"]'))


_CLAIMS = {  # where the template has the rules of a subject evaluated; those of the others in test_deployment.py
    **dict.fromkeys(("sealing", "plaintext", "secrets"), "tests/test_sealing.py"),
    **dict.fromkeys(("matrix", "traces"), "tests/test_auth_matrix.py"),
    **dict.fromkeys(("answers", "commands", "declarations", "files", "commits", "compose"), "tests/test_files.py"),
    **dict.fromkeys(("pipeline", "rights", "tooling", "workflows"), "tests/test_files.py"),
    **{"decrypted": "tests/test_decryption.py", "signed": "tests/test_signature.py"},
}


def _listed(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else texts(value)


def _finds_the_rules(repository: Repository, options: str) -> bool:
    """Whether pytest gets the fixtures that the tests of the suite ask for."""
    places = ("conftest.py", "tests/conftest.py")
    if any((repository.root / file).is_file() and not repository.has(file) for file in places):
        return True  # git ignores it, of which another rule tells
    contents = (*_texts(repository, [*filter(repository.has, places)]), options)
    return any(map(_LOADS.search, contents))


def _of_pytest(repository: Repository, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(the file, its settings) that pytest reads: one of its own wins over pyproject.toml."""
    for file in filter(repository.has, ("pytest.ini", ".pytest.ini")):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(repository.text(file) or "")
        except configparser.Error:
            return file, {}
        found = dict(parser["pytest"]) if parser.has_section("pytest") else {}
        return file, {**found, "testpaths": found.get("testpaths", "tests").split()}
    return _PROJECT, mapping(dig(settings, "tool", "pytest", "ini_options"))


@rule
def the_tooling_can_be_installed(repository: Repository) -> Iterator[Finding]:
    """By uv or pip, on the Python that CI and people have; and pytest takes its settings."""
    content = repository.text(_PROJECT) or ""
    try:
        settings = tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        return  # which has a rule above
    tests = [basename(file) for file in repository.under("tests") if basename(file).startswith("test_")]
    for word, what, fix in python_project.unread(settings, tests):
        line = next((number for number, line in enumerate(content.splitlines(), 1) if word in line), None)
        yield Finding(_PROJECT, line, what, edit(fix))
    yield from _of_vendored(repository, settings)
    beside, lock = repository.text("tests/conftest.py") or "", repository.text("uv.lock") or ""
    tests = [file for file in repository.under("tests") if basename(file).startswith("test_")]
    for file in (each for each in tests if each not in (*_CLAIMS.values(), "tests/test_deployment.py")):
        for number, what, fix in own_tests.unbrought(repository.text(file) or "", settings, lock, beside):
            yield Finding(file, number, what, edit(fix))
    called = next((file for file in (*OURS, GITLAB) if "copier check-update" in (repository.text(file) or "")), "")
    names = {re.split(r"[^\w.-]", line)[0] for line in texts(dig(settings, "project", "dependencies"))}
    project = mapping(settings.get("project"))
    is_list = isinstance(project.get("dependencies"), list | None)  # else it is told above
    is_list = is_list and not any(closest(str(key), ["dependencies"]) for key in project)
    near = (
        not is_list or "copier" in names or any(closest(name, ["copier"]) for name in names)
    )  # of a misspelt one is told above
    if called and settings.get("project") and not near:
        what = f"copier is no dependency, and {called} calls it"
        yield Finding(_PROJECT, None, what, edit('add "copier>=9.19,<10"'))
    yield from _of_another_python(repository, text(dig(settings, "project", "requires-python")) or ">=3.11")


def _of_vendored(repository: Repository, settings: dict[str, Any]) -> Iterator[Finding]:
    """What the package in vendor/ needs: pytest finds it there, and what it imports is installed."""
    sources = [file for file in repository.under(vendored.FOLDER) if file.endswith(".py")]
    paths = dig(settings, "tool", "pytest", "ini_options", "pythonpath")
    listed = paths.split() if isinstance(paths, str) else texts(paths)
    elsewhere = any("vendor" in (repository.text(file) or "") for file in ("tests/conftest.py", "pytest.ini"))
    if sources and dirname(vendored.FOLDER) not in map(normpath, listed) and not elsewhere:
        what = "pytest does not look into vendor/, where litellm_gitops is, and ends with an error"
        yield Finding(_PROJECT, None, what, edit('write pythonpath = ["vendor"] under tool.pytest.ini_options'))
    project = mapping(settings.get("project"))
    is_misspelt = any(closest(str(key), ["dependencies"]) for key in project)  # of which the one above tells
    if sources and not is_misspelt and (lost := python_project.missing(project, _texts(repository, sources))):
        yield Finding(_PROJECT, None, f"{lost} is no dependency, and vendor/ imports it", restore(f"add {lost}"))


def _texts(repository: Repository, files: list[str]) -> Iterator[str]:
    return (repository.text(file) or "" for file in files)


def _of_another_python(repository: Repository, wanted: str) -> Iterator[Finding]:
    """A Python that is asked for by its number, and is not in the range."""
    if not python_project.is_specifier(wanted):
        return
    asked: list[tuple[str, int | None, str]] = [
        (".python-version", None, (repository.text(".python-version") or "").strip())
    ]
    document = repository.document(OURS[0]) if repository.has(OURS[0]) else None
    for place, given in walk(document.value) if document else ():
        if place[-2:] == ("with", "python-version") and given != place[-1]:
            asked.append((OURS[0], document.line(*place) if document else None, given))
    for job, entry in mapping(dig(document and document.value, "jobs")).items():
        for number, step in enumerate(sequence(dig(entry, "steps"))):
            if isinstance(given := dig(step, "with", "python-version"), float | int) and document:
                place = ("jobs", str(job), "steps", number, "with", "python-version")
                asked.append((OURS[0], document.line(*place), str(given)))
    for file, line, given in asked:
        match = re.match(r"3\.(\d+)", given)
        if match and not python_project.allows(wanted, int(match[1])):
            what = f"it asks for Python {given}, and requires-python is {wanted}"
            yield Finding(file, line, what, edit('quote a number that is in the range, such as "3.13"'))


def _claimed(content: str) -> set[str]:
    """The subjects that tests name."""
    return {word for call in re.findall(r"\bof\(([^)]*)\)", content) for word in re.findall(r"\w+", call)}


def _misclaimed(repository: Repository, tests: list[str], unclaimed: list[str]) -> tuple[str, str, str] | None:
    """(file, word, the subject that was meant) of a test that names one by a slip."""
    words = ((file, word) for file in tests for word in sorted(_claimed(repository.text(file) or "")))
    return next(((file, word, meant) for file, word in words if (meant := closest(word, unclaimed))), None)


def _unclaimed(repository: Repository, tests: list[str]) -> list[str]:
    """The subjects whose rules no test claims; of the engines the chosen one alone has some."""
    engines = {"argocd", "flux"} - {repository.answers.get("gitops_engine")}
    content = "\n".join(_texts(repository, tests))
    claimed = _claimed(content)
    if {"argocd", "flux"} & claimed and not _is_applied_by(repository, repository.answers.get("gitops_engine")):
        engines = {"argocd", "flux"}  # of another engine than is answered the answers tell
    subjects = {each.subject for each in load().values()} - engines - claimed
    return [] if "load()" in content else sorted(subjects)


def _is_applied_by(repository: Repository, engine: Any) -> bool:
    """Whether the files are for the engine that is answered."""
    group = {"argocd": "argoproj.io", "flux": "toolkit.fluxcd.io"}.get(str(engine), "")
    files = [file for file in repository.under("clusters") if file.endswith((".yaml", ".yml"))]
    return bool(group) and any(group in content for content in _texts(repository, files))


@rule
def everything_runs_the_same_commit_of_the_tooling(repository: Repository) -> Iterator[Finding]:
    """What runs where plaintext is stands in two files, by one commit hash that nobody can move."""
    found = {file: _PINNED.search(repository.text(file) or "") for file in (_PROJECT, _COMMITS)}
    pins = {file: match[1] for file, match in found.items() if match}
    content = repository.text(_PROJECT)
    is_pinned = repository.answers.get("tooling") == "pinned" and not repository.under(vendored.FOLDER)
    is_read = not re.search(r"^dependencies\s*=\s*[\"']", content or "", re.MULTILINE)  # else another rule tells
    names = re.findall(r'"([\w.-]+)(?:\[[\w,]*\])? ?@ ', content or "")
    is_read = is_read and not any(closest(name, ["litellm-gitops"]) for name in names)
    if is_pinned and content and is_read and not _NAMED.search(content):
        yield Finding(_PROJECT, None, "litellm-gitops is no dependency, so nothing here runs", restore())
    for file, match in found.items():
        scheme = match[0].partition("git+")[2].partition(":")[0] if match else "https"
        if scheme not in ("file", "git", "https", "ssh"):
            what = f"litellm-gitops is taken by {scheme}, which nobody can trust or read"
            yield Finding(file, None, what, restore("write git+https"))
    for file, pin in pins.items():
        if not re.fullmatch("[0-9a-f]{40}", pin):
            yield Finding(
                file, None, f"litellm-gitops is taken from {pin}, which can move", restore("write a commit hash")
            )
            return
    if len({*pins.values()}) > 1:
        # the comment above the dependency says which of the two was moved
        file, other = (_COMMITS, _PROJECT) if f"# {pins[_PROJECT]} of the" in (content or "") else (_PROJECT, _COMMITS)
        yield Finding(file, None, f"it takes another commit of litellm-gitops than {other}", restore())


@rule
def every_entry_point_that_is_called_is_there(repository: Repository) -> Iterator[Finding]:
    """By README.md and by people: sealing, and the login where a model of Copilot is served; by CI: what it names."""
    wanted = ["hooks/seal_secrets.py"]
    if "github_copilot" in sequence(repository.answers.get("providers")):
        wanted.append("hooks/get_copilot_token.py")
    hooks = repository.under("hooks")
    for file in filter(repository.has, (*OURS, GITLAB)):
        called = dict.fromkeys(re.findall(r"\bhooks/\w+\.py\b", re.sub(r"#.*", "", repository.text(file) or "")))
        slips = {each: meant for each in called if not repository.has(each) and (meant := closest(each, hooks))}
        for each, meant in slips.items():
            yield Finding(file, None, f"there is no {each}", edit(f"did you mean {meant}?"))
        wanted += (each for each in called if each not in slips)
    for file in dict.fromkeys(wanted):
        if not repository.has(file) and not is_ignored(repository, file):
            yield Finding(file, None, "is missing, and is called", restore())
    told = set[str]()
    for file in repository.files:
        if file.startswith(("hooks/", "tests/")) and file.endswith(".py"):
            for line, what, fix in entry_points.of_entry(file, repository.text(file) or ""):
                told.add(file)
                yield Finding(file, line, what, edit(fix))
    for file in filter(repository.has, dict.fromkeys((*wanted, "hooks/guard_staged.py"))):
        if "litellm_gitops" not in (repository.text(file) or "") and file not in told:
            yield Finding(file, None, "calls nothing of litellm_gitops", restore())
    content = repository.text(_README) or "" if repository.has(_README) else ""
    known = {*repository.files, *(str(each) for file in repository.files for each in PurePosixPath(file).parents)}
    named = [file for each in synced(repository) for file in each.by_hand]
    named += [file for each in ARGOCD.clusters(repository) for file in ARGOCD.setup(each)]
    for line, word, meant in readme.slips(content, partial(_is_there, repository, {*wanted, *named}), known):
        yield Finding(_README, line, f"there is no {word}", edit(f"did you mean {meant}?"))


def _ignored(repository: Repository) -> list[str]:
    return (repository.text(".gitignore") or "").splitlines()


def _is_there(repository: Repository, others: set[str], path: str) -> bool:
    """Whether a document may name a path, from here or from git's root; of `others` rules tell where they stand."""
    inside = path.removeprefix(repository.path(""))
    return inside in others or (repository.root / inside).exists() or any(matching(_ignored(repository), [inside]))


@rule
def sops_can_read_its_settings(repository: Repository) -> Iterator[Finding]:
    """It refuses the whole file where the indent of a store is no number, and passes over what is misspelt."""
    document = repository.document(CONFIG) if repository.has(CONFIG) else None
    if document:
        for place, what, fix in unread_stores(document.value):
            yield Finding(CONFIG, document.line(*place), what, edit(fix))
