"""What a commit must pass on its way into git: hooks, gitleaks, and how git stores it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.resources import files
from posixpath import normpath
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, Document, Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding, edit, restore
from litellm_gitops.repository import VALUES, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.files import is_ignored
from litellm_gitops.rules.pipeline import GITLAB, OURS, is_left_out, is_skipped
from litellm_gitops.schemas import published
from litellm_gitops.spelling import closest
from litellm_gitops.tooling import commit_hooks, git_attributes, gitleaks_settings, yamllint_settings

_COMMITS, _ATTRIBUTES, _GITLEAKS = ".pre-commit-config.yaml", ".gitattributes", ".gitleaks.toml"
# https://git-scm.com/docs/gitattributes, and those of GitHub's linguist; the patterns as they are rendered
_OF_GIT = {
    *("text", "eol", "binary", "diff", "merge", "filter", "ident", "whitespace", "crlf", "delta", "encoding"),
    *("export-ignore", "export-subst", "working-tree-encoding", "conflict-marker-size", "linguist-vendored"),
    *("linguist-generated", "linguist-documentation", "linguist-detectable", "linguist-language", "lockable"),
}
_PATTERNS = {"/secrets/**/*.sops.yaml", "/litellm/checksums-*.yaml", "/vendor/**"}
_HOOKS = ("yamllint", "check-merge-conflict", "gitleaks", "rejected-hunks", "guard-staged")  # as they are rendered
_KNOWN: Any = yaml.load((files(__package__) / "commits.yml").read_text("utf-8"), LOADER)
_LANGUAGES, _SOURCES = tuple(_KNOWN["languages"].split()), tuple(_KNOWN["sources"])
_IDS, _FLAGS = ({name: tuple(words.split()) for name, words in _KNOWN[part].items()} for part in ("hooks", "flags"))
_PIPELINES = (".github/workflows/", ".gitlab-ci.yml")
_CALL = re.compile(r"^.*\bgitleaks\b.* (?:git|dir|detect|protect)\b.*$", re.IGNORECASE | re.MULTILINE)
_PASSED = re.compile(r"--exit-code[= ]0\b|\|\| *(?:true|:)")
_READ = ("clusters/", "litellm/", "secrets/")  # by the engine
_WATCHED = (VALUES, "README.md", "docker-compose.yml", "clusters/own.yaml")  # of many places for a credential
_MANIFESTS = (VALUES, "clusters/own.yaml", "secrets/aws/own.yaml")
_TEXTS = ("x", "Zq7", "0a-b", "A_1")  # a part of any credential
_KEYS = {  # two of each, made up
    "the proxy": ("sk-" + "0a1b2c3d" * 4, "sk-" + "fe98dc76" * 4),
    "AWS": ("AKIA" + "Q3WE5RTYZ7UIOP2A", "AKIA" + "MN2BVCXZL4KJHGF6"),
    "age": ("AGE-SECRET-" + "KEY-1" + "QZ7RY2XP" * 7, "AGE-SECRET-" + "KEY-1" + "LM3NDG5F" * 7),
}
_LEFT_OUT = {
    "paths": (("every file", _WATCHED), ("every manifest", _MANIFESTS)),
    "regexes": (("every credential", _TEXTS), *((f"every key of {name}", samples) for name, samples in _KEYS.items())),
}


@rule
def a_commit_is_guarded(repository: Repository) -> Iterator[Finding]:
    """Where there are commit hooks at all."""
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    if document is None:
        if repository.has(_COMMITS) and not (repository.text(_COMMITS) or "").strip():
            yield Finding(_COMMITS, None, "it is empty, and pre-commit ends with an error", restore())
        return
    hooks: list[tuple[Place, dict[Any, Any]]] = [
        (("repos", at, "hooks", number), mapping(hook))
        for at, entry in enumerate(sequence(document.value.get("repos")))
        for number, hook in enumerate(sequence(dig(entry, "hooks")))
    ]
    unfit = [*_unfit(document)]
    yield from unfit
    if unfit:
        return  # what else is wrong mostly follows from it
    yield from _refused(document, hooks)
    watched = [*map(repository.path, _WATCHED)]
    for field in ("exclude", "files"):
        if what := _leaves_out(field, document.value.get(field), watched):
            yield Finding(_COMMITS, document.line(field), what, edit("take it away"))
    for place, hook in hooks:
        source = text(dig(document.value, *place[:2], "repo")).removesuffix(".git")
        if source in _SOURCES and (meant := closest(text(hook.get("id")), _HOOKS)):
            what = f"there is no hook {hook['id']}, and pre-commit then runs none"
            yield Finding(_COMMITS, document.line(*place, "id"), what, edit(f"did you mean {meant}?"))
    if not repository.has("hooks/guard_staged.py") and not is_ignored(repository, "hooks/guard_staged.py"):
        yield Finding("hooks/guard_staged.py", None, "is missing, and no commit is possible", restore())
    there = [*map(repository.path, repository.files)]
    for flaw, what, fix in commit_hooks.slips(document.value, there, not repository.path("")):
        yield Finding(_COMMITS, document.line(*flaw), what, edit(fix))
    yield from _of_guards(repository, document, hooks)


def _of_guards(
    repository: Repository, document: Document, hooks: list[tuple[Place, dict[Any, Any]]]
) -> Iterator[Finding]:
    """What keeps the guard from running before every commit."""
    guards = [(place, hook) for place, hook in hooks if "hooks/guard_staged.py" in text(hook.get("entry"))]
    if not guards and not any("entry" in hook and not hook["entry"] for _, hook in hooks):  # of which is told above
        what = "no hook runs hooks/guard_staged.py, which keeps unsealed Secrets out of git"
        yield Finding(_COMMITS, document.line("repos"), what, restore())
    for place, hook in guards:
        script = repository.path("hooks/guard_staged.py")
        if script not in text(hook["entry"]) and not re.search(r"\bcd\b", text(hook["entry"])):
            what = f"the guard is called from the root of git, where {script} is, and no commit is possible"
            yield Finding(_COMMITS, document.line(*place, "entry"), what, edit(f"write entry: python {script}"))
        stages = hook.get("stages", document.value.get("default_stages"))
        at_commit = stages is None or {"pre-commit", "commit"} & set(texts(stages))
        filtered = {"files", "exclude", "types", "types_or"} & set(hook) and not hook.get("always_run")
        if not at_commit or filtered:
            what = "the guard does not run before every commit"
            yield Finding(
                _COMMITS, document.line(*place, "stages"), what, edit("write always_run: true, and no stages")
            )


def _refused(document: Document, hooks: list[tuple[Place, dict[Any, Any]]]) -> Iterator[Finding]:
    """What pre-commit does not take, or cannot get: then no commit is possible."""
    for place, hook in hooks:
        is_local = dig(document.value, *place[:2], "repo") == "local"
        missing = [key for key in ("id", "name", "entry", "language") if is_local and not hook.get(key)]
        if missing:
            what = f"a hook lacks {missing[0]}, and pre-commit then runs none"
            yield Finding(_COMMITS, document.line(*place), what, edit(f"write {missing[0]}"))
        elif "hooks/guard_staged.py" in text(hook.get("entry")) and hook.get("language") == "python":
            brought = " ".join(texts(hook.get("additional_dependencies")))
            is_told = "additional_dependencies" in hook and hook["additional_dependencies"] is None  # by its schema
            if (
                not is_told
                and "litellm-gitops" not in brought
                and not ("pathspec" in brought and "pyyaml" in brought.lower())
            ):
                what = "the guard lacks the package that it calls, and no commit is possible"
                yield Finding(_COMMITS, document.line(*place), what, restore("write its additional_dependencies"))
        language = hook.get("language")
        if isinstance(language, str) and (meant := closest(language, _LANGUAGES)):
            what = f"pre-commit knows no language {language}, and runs nothing"
            yield Finding(_COMMITS, document.line(*place, "language"), what, edit(f"did you mean {meant}?"))
    if isinstance(switch := document.value.get("fail_fast"), str | int) and not isinstance(switch, bool):
        what = "fail_fast is neither true nor false, and pre-commit runs nothing"
        yield Finding(_COMMITS, document.line("fail_fast"), what, edit("write true or false"))
    for number, entry in enumerate(sequence(document.value.get("repos"))):
        address = text(dig(entry, "repo"))
        if meant := closest(address.removesuffix(".git").rstrip("/"), _SOURCES):
            what = f"there is no {address}, and pre-commit then runs nothing"
            yield Finding(_COMMITS, document.line("repos", number, "repo"), what, edit(f"did you mean {meant}?"))


def _unfit(document: Document) -> Iterator[Finding]:
    """What pre-commit, or prek, does not take of the file: then it runs nothing."""
    for each in published.refused("pre-commit", document.value):
        if each.place[-1:] not in (("fail_fast",), ("language",)):  # of these more is told
            yield from _told(document, each, "pre-commit")
    for at, entry in enumerate(sequence(document.value.get("repos"))):
        address, known = text(dig(entry, "repo")), _IDS.get(text(dig(entry, "repo")).removesuffix(".git"), ())
        if fix := address.removesuffix(".git") in _SOURCES and commit_hooks.unreleased(text(dig(entry, "rev"))):
            what = f"{address} has no release {dig(entry, 'rev')}"
            yield Finding(_COMMITS, document.line("repos", at, "rev"), what, edit(fix))
        for number, hook in enumerate(map(mapping, sequence(dig(entry, "hooks")))):
            here: Place = ("repos", at, "hooks", number)
            name = text(hook.get("id"))
            if name not in known and name not in _HOOKS and (meant := closest(name, known)):
                what = f"there is no hook {name}, and pre-commit then runs none"
                yield Finding(_COMMITS, document.line(*here, "id"), what, edit(f"did you mean {meant}?"))
            program = text(hook.get("entry")).partition(" ")[0]
            if meant := closest(program, ("python", "python3")) if program not in ("python", "python3") else "":
                what = f"there is no program {program}, and no commit is possible"
                yield Finding(_COMMITS, document.line(*here, "entry"), what, edit(f"did you mean {meant}?"))
            for at_arg, word in enumerate(texts(hook.get("args"))):
                flag = word.partition("=")[0]
                if flag not in (flags := _FLAGS.get(name, ())) and (meant := closest(flag, flags)):
                    what = f"{name} knows no {flag}, and no commit is possible"
                    yield Finding(_COMMITS, document.line(*here, "args", at_arg), what, edit(f"did you mean {meant}?"))
            for field in ("files", "exclude"):
                if isinstance(pattern := hook.get(field), str) and not gitleaks_settings.is_pattern(pattern):
                    what = f"{field} of {name} is no regular expression, and pre-commit runs nothing"
                    yield Finding(_COMMITS, document.line(*here, field), what, edit("correct it"))
                elif (name, field) == ("rejected-hunks", "files") and (lost := _lost(text(pattern))):
                    what = f"{name} looks at no {lost}, so that what a merge could not apply is committed"
                    yield Finding(_COMMITS, document.line(*here, field), what, edit(r"write \.(rej|orig)$"))
    version = text(dig(document.value, "default_language_version", "python"))
    if (match := re.fullmatch(r"python3\.(\d+)", version)) and int(match[1]) < 11:
        line = document.line("default_language_version", "python")
        what = f"the guard does not run on {version}, and no commit is possible"
        yield Finding(_COMMITS, line, what, edit("write python3.11, or a newer one"))


def _lost(pattern: str) -> str:
    """An ending of rejected hunks that a pattern leaves out by a slip; empty where it has both, or one by choice."""
    lost = [each for each in ("rej", "orig") if not re.search(pattern, f"own.yaml.{each}")]
    words = re.findall(r"\w+", pattern)
    return next((f".{each}" for each in lost if each == "rej" or any(closest(word, [each]) for word in words)), "")


def _told(document: Document, refused: published.Refused, program: str) -> Iterator[Finding]:
    """What a schema refuses. Of a field at the top that is not known a program says at most a word."""
    is_unknown = refused.form.kind == "unknown"
    if is_unknown and not refused.meant and (program == "pre-commit" or len(refused.place) == 1):
        return
    end = f"{program} passes over it" if is_unknown and program == "pre-commit" else f"{program} ends with an error"
    yield Finding(document.file, document.line(*refused.place), f"{refused.what}, and {end}", edit("correct it"))


def _leaves_out(field: str, pattern: Any, watched: list[str]) -> str:
    """What is wrong with a pattern that decides for all hooks which files they look at; empty where nothing is."""
    try:
        taken = [re.search(pattern, file) is not None for file in watched] if isinstance(pattern, str) else []
    except re.error:
        return f"{field} is no regular expression, and pre-commit runs nothing"
    is_empty = all(taken) if field == "exclude" else not any(taken)
    return f"{field} leaves every file out, so the hooks look at nothing" if taken and is_empty else ""


@rule
def git_keeps_sealed_files_to_the_byte(repository: Repository) -> Iterator[Finding]:
    """The digests of sealed files depend on it."""
    content = repository.text(_ATTRIBUTES)
    if content is None:
        what = "is missing, so that git may change line ends, and with them the digests"
        yield Finding(_ATTRIBUTES, None, what, restore())
        return
    if misspelt := _misspelt(repository, content):
        line, word, meant = misspelt
        yield Finding(_ATTRIBUTES, line, f"{word} means nothing here", edit(f"did you mean {meant}?"))
        return
    if slip := next(git_attributes.slips(content), None):
        yield Finding(_ATTRIBUTES, slip[0], slip[1], edit(slip[2]))
        return
    sealed = [file for cluster in repository.clusters for file in cluster.sealed_files][:1]
    read = [file for file in repository.yaml_files if file.startswith(_READ)]
    for file in dict.fromkeys([*sealed, *read]) if "filter" in content else ():
        number, given = git_attributes.given(content, file, "filter")
        if given:
            what = f"line {number} has {file} stored in another form than the engine reads"
            yield Finding(_ATTRIBUTES, number, what, edit("take the filter away from what is deployed"))
            return
    for file in sealed or ["secrets/own/own.sops.yaml"]:
        yield from _of_sealed(content, file)
    for file in [cluster.checksums_file for cluster in repository.clusters][:1]:
        number, driver = git_attributes.given(content, file, "merge")
        if driver == "union":
            what = "a merge would keep both checksums of a Secret, and the later one wins"
            yield Finding(_ATTRIBUTES, number, what, edit("write: /litellm/checksums-*.yaml -merge"))


def _misspelt(repository: Repository, content: str) -> tuple[int, str, str] | None:
    """(line, word, what was meant) of an attribute, or of a pattern for nothing that is here."""
    for number, line in enumerate(content.splitlines(), 1):
        pattern, *attributes = line.split() or ["#"]
        if pattern.startswith("#"):
            continue
        words = {each.lstrip("-!").partition("=")[0]: _OF_GIT for each in attributes}
        if pattern.startswith("/") and not any(matching([pattern], repository.files)):
            words[pattern] = _PATTERNS
        for word, known in words.items():
            if word not in known and (meant := closest(word, known)):
                return number, word, meant
    return None


def _of_sealed(content: str, file: str) -> Iterator[Finding]:
    """What changes a sealed file on its way: its line ends, or a merge."""
    number, end = git_attributes.given(content, file, "eol")
    is_text = git_attributes.given(content, file, "text")[1]
    if is_text is not False and end != "lf":
        what = "nothing keeps the line ends of sealed files, and with them the digests"
        yield Finding(_ATTRIBUTES, number if end else None, what, edit("write: * text=auto eol=lf"))
        return
    number, driver = git_attributes.given(content, file, "merge")
    if driver not in (False, "binary"):
        what = "a merge would write its marks into a sealed file, which then opens no more"
        yield Finding(_ATTRIBUTES, number, what, edit("write, as the last line: /secrets/**/*.sops.yaml -merge"))


@rule
def gitleaks_looks_for_every_credential(repository: Repository) -> Iterator[Finding]:
    """Its configuration can be read, takes its own rules in, and leaves no more out than a few files."""
    if not repository.has(_GITLEAKS):
        return  # gitleaks then takes its own
    content = repository.text(_GITLEAKS) or ""
    try:
        settings = tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        yield Finding(_GITLEAKS, None, "it is not TOML, so that gitleaks ends at once", edit("correct the syntax"))
        return
    told = [*gitleaks_settings.unknown(settings)]
    for word, what, way in told:
        yield Finding(_GITLEAKS, _line(content, word), what, edit(way))
    if not told and not (
        dig(settings, "extend", "useDefault") or dig(settings, "extend", "path") or settings.get("rules")
    ):
        yield Finding(
            _GITLEAKS, _line(content, "extend"), "gitleaks looks for nothing", edit("write useDefault = true")
        )
    base = text(dig(settings, "extend", "path"))  # from the folder that gitleaks is called in
    if base and not repository.path("") and not base.startswith(("/", "~")) and not repository.has(normpath(base)):
        what, fix = f"extend.path is {base}, which is not there, so that gitleaks ends at once", edit("correct it")
        yield Finding(_GITLEAKS, _line(content, "path"), what, fix)
    for word, what, way in gitleaks_settings.refused(settings):
        yield Finding(_GITLEAKS, _line(content, word), f"{what}, so that gitleaks ends at once", edit(way))
    for entry in [*sequence(settings.get("allowlists")), mapping(settings.get("allowlist"))]:
        for pattern in texts(dig(entry, "paths")) + texts(dig(entry, "regexes")):
            kinds = _LEFT_OUT["paths" if pattern in texts(dig(entry, "paths")) else "regexes"]
            what = next((what for what, samples in kinds if _fits_all(pattern, samples)), "")
            if what and not _is_narrowed(mapping(entry)):
                fix = edit("name the files, or the one that it is about")
                yield Finding(_GITLEAKS, _line(content, pattern), f"gitleaks leaves {what} out", fix)


@rule
def yamllint_can_read_its_settings(repository: Repository) -> Iterator[Finding]:
    """It ends with an error otherwise, and no commit is possible."""
    for file in filter(repository.has, (".yamllint.yml", ".yamllint.yaml", ".yamllint")):
        document = repository.document(file)
        refused = published.refused("yamllint", _rendered(document.value)) if document else []
        for each in refused if document else ():
            yield from _told(document, each, "yamllint") if document else ()
        ignored = text(dig(document and document.value, "ignore"))
        if document and "\n" not in ignored and len(ignored.split()) > 2:
            what = "YAML makes one line of what to ignore, so that nothing is ignored"
            yield Finding(file, document.line("ignore"), what, edit("write ignore: |"))
        elif document and len({*matching(ignored.splitlines(), _MANIFESTS)}) == len(_MANIFESTS):
            yield Finding(file, document.line("ignore"), "yamllint looks at no manifest", edit("name a few files"))
        strict = "--strict" in (repository.text(_COMMITS) or "") and not repository.path("")
        unpassed = (
            yamllint_settings.unpassed(document.value, *_yaml(repository))
            if document and strict and not refused
            else ()
        )
        for key, what, fix in unpassed:
            yield Finding(file, document.line(key) if document else None, what, edit(fix))
        base = text(dig(document and document.value, "extends"))
        if document and base and base not in ("default", "relaxed") and not repository.has(base):
            meant = closest(base, ("default", "relaxed")) or "default"
            what = f"it extends {base}, which is not there, and yamllint ends at once"
            yield Finding(file, document.line("extends"), what, edit(f"did you mean {meant}?"))


def _yaml(repository: Repository) -> tuple[list[str], Callable[[str], str]]:
    return [*repository.yaml_files], lambda file: repository.text(file) or ""


def _rendered(value: dict[Any, Any]) -> dict[Any, Any]:
    """With a rule that is there and says nothing as one that is on."""
    if not isinstance(given := value.get("rules"), dict):
        return value
    return {**value, "rules": {key: {} if found is None else found for key, found in given.items()}}


@rule
def gitleaks_fails_the_pipeline_and_shows_nothing(repository: Repository) -> Iterator[Finding]:
    """What it finds ends the job, and does not stand in a log that more people read than git."""
    for file in repository.yaml_files:
        for document in repository.documents(file) if file.startswith(_PIPELINES) else ():
            for place, script in walk(document.value):
                for call in _CALL.findall(script):
                    if "--redact" not in call:
                        what, fix = "gitleaks writes what it finds into the log", "write --redact"
                        yield Finding(file, document.line(*place), what, edit(fix))
                    if _PASSED.search(call):
                        what, fix = "gitleaks finds something, and the job passes", "take it out"
                        yield Finding(file, document.line(*place), what, edit(fix))


@rule
def gitleaks_runs_on_every_push(repository: Repository) -> Iterator[Finding]:
    """Where the pipeline that the template brought still calls it."""
    fix = edit("take away what holds it back, or what lets it fail")
    document = repository.document(OURS[0]) if repository.has(OURS[0]) else None
    events = {"push", "pull_request", "merge_group"}
    for name, job in mapping(dig(document and document.value, "jobs")).items():
        for number, step in enumerate(map(mapping, sequence(dig(job, "steps")))):
            skipped = [part for part in (mapping(job), step) if is_skipped(repository, part, events)]
            if document and skipped and _CALL.search(text(step.get("run"))):
                line = document.line("jobs", name, *(() if skipped[0] is not step else ("steps", number)))
                yield Finding(OURS[0], line, f"{name} looks for credentials, and does not count or never runs", fix)
    document = repository.document(GITLAB) if repository.has(GITLAB) else None
    for name, entry in mapping(document and document.value).items():
        # without what it extends, which holds the suite back, too; `never` is refused
        own = {key: found for key, found in mapping(entry).items() if found != "never"}
        if document and any(map(_CALL.search, texts(own.get("script")))) and is_left_out(repository, own):
            what = f"{name} looks for credentials, and does not count or never runs"
            yield Finding(GITLAB, document.line(str(name)), what, fix)


def _fits_all(pattern: str, samples: tuple[str, ...]) -> bool:
    try:
        return all(re.search(pattern, each) for each in samples)
    except re.error:
        return False


def _is_narrowed(entry: dict[Any, Any]) -> bool:
    return entry.get("condition") == "AND" or bool(entry.get("targetRules"))


def _line(content: str, part: str) -> int | None:
    numbers = [number for number, line in enumerate(content.splitlines(), 1) if part in line]
    return numbers[-1] if numbers else None
