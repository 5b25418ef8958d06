"""Calls of programs in scripts whose commands and flags are known, in programs.yml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise

from litellm_gitops.documents import mapping, parse, text
from litellm_gitops.languages import shell
from litellm_gitops.spelling import closest

Slips = Iterator[tuple[str, str]]  # (what is wrong, what was meant)
_OPTIONS = (
    *("allexport", "errexit", "errtrace", "functrace", "noclobber", "noexec", "noglob", "nounset", "pipefail", "posix"),
    *("verbose", "xtrace"),
)


_PLAIN = re.compile(r"[a-z][\w ./:@,+-]*")  # one command, of which a shell changes nothing


def miscalled(script: str) -> Slips:
    """What scripts ask of programs by a slip."""
    if _PLAIN.fullmatch(script):
        listed = [script.split()]  # as it would be read, and much faster
    else:
        found = shell.read(script)
        listed = [command.words for command in found.all()] if found else []
    for words in listed:
        yield from dict.fromkeys(_of_call(words))
        name = next((word for word in words if not _BEFORE.fullmatch(word)), "")
        if name == "[" and words[-1] != "]":
            yield "a test lacks its end, and fails", "]"
        if name == "set":
            yield from ((f"set knows no {word}", meant) for word in words if (meant := closest(word, _OPTIONS)))
        is_own = re.search(rf"\b{re.escape(name)}\s*\(\)|\b(?:function|alias)\s+{re.escape(name)}\b", script)
        if name and not is_own and (meant := _common(name)):
            yield f"there is no command {name}", meant


# what scripts call most, and what is called nearly so
_LONG = (
    *("basename", "command", "cosign", "copier", "dirname", "docker", "envsubst", "export", "gitleaks", "install"),
    *("kubectl", "kustomize", "printf", "pytest", "python", "python3", "realpath", "source"),
)
_SHORT = ("chmod", "curl", "echo", "grep", "helm", "mkdir", "sleep", "touch", "xargs")
_OTHERS = ("cython", "jython", "kubectx")


def _common(name: str) -> str:
    """The common command that a word was meant to be; of a short one it has the letters, and begins with the first."""
    if not re.fullmatch(r"[a-z][a-z0-9-]+", name) or name in (*_LONG, *_SHORT, *_OTHERS):
        return ""
    swapped = (each for each in _SHORT if each[0] == name[0] and sorted(each) == sorted(name))
    meant = closest(name, _LONG) or next(swapped, "")
    before, _, after = name.partition(meant or name)  # such as an ipython, or an installer, which are others
    is_other = bool(meant) and meant in name and before != meant[:1] and after != meant[-1:]
    return "" if is_other or re.findall(r"\d", meant) != re.findall(r"\d", name) else meant


def _of_call(words: list[str]) -> Slips:
    at = next((at for at, word in enumerate(words) if not _BEFORE.fullmatch(word)), len(words))
    if at == len(words) or _program(words[at]) not in _programs():
        return
    name, rest = _program(words[at]), words[at + 1 :]
    valued = _programs()[name].get("valued", ())
    command = next((word for flag, word in pairwise(["", *rest]) if word[:1] != "-" and flag not in valued), "")
    # of a short one the name of the program is a part, so that it may differ in a letter
    known = _programs()[name].get("commands", ())
    meant = closest(command, known) or _of_a_short(name, command, known)
    # else it is what a flag before it is given
    is_first = rest[:1] == [command] or not {*known} & {*rest}
    if known and re.fullmatch(r"[a-z][a-z_-]*", command) and command not in known and meant and is_first:
        yield f"there is no command {name} {command}", f"{name} {meant}"
    if (inner := f"{name} {command}") in _programs():
        yield from _of_call([inner, *rest[rest.index(command) + 1 :]])
        return
    until = next((at for at, word in enumerate(rest) if name == "uv run" and not word.startswith("-")), len(rest))
    flags = _programs()[name].get("flags") or _programs().get(name.partition(" ")[0], {}).get("flags", ())
    for flag in (word.partition("=")[0] for word in rest[:until] if word.startswith("--")):
        begun = [each for each in flags if name == "uv run" and len(flag) > 5 and each.startswith(flag)]
        if flag not in flags and (meant := closest(flag, flags) or (begun[0] if len(begun) == 1 else "")):
            yield f"{name} knows no {flag}", meant
    yield from _of_values(name, rest)
    if name == "pytest":
        yield from _of_marks(rest)
    if name == "uvx" and command in known:
        yield from _of_call(rest[rest.index(command) :])
    if name == "uv run" and rest[until:]:
        if meant := closest(rest[until], ("copier", "pytest", "python", "python3")):
            yield f"there is no command {rest[until]}", meant
        yield from _of_call(rest[until:])


def _of_a_short(name: str, command: str, known: Iterable[str]) -> str:
    """The command that a short word was meant to be, where the name of its program is short, too."""
    if _programs()[name].get("aliases"):
        return ""
    around = f"{name} " if len(name) < 5 else "~"
    return closest(f"{around}{command}", [f"{around}{each}" for each in known]).removeprefix(around)


_MARKS = ("chart", "decrypt", "signed")


def _of_marks(rest: list[str]) -> Slips:
    """Marks that no test has."""
    for flag, given in pairwise([*rest, ""]):
        for mark in re.findall(r"[\w-]+", given) if flag == "-m" else ():
            begun = next((each for each in _MARKS if len(mark) > 3 and each != mark and each.startswith(mark)), "")
            if mark not in _MARKS and (meant := closest(mark, _MARKS) or begun):
                yield f"no test has the mark {mark}, so that pytest ends with an error", meant


def _of_values(name: str, rest: list[str]) -> Slips:
    """What flags of a program are given: nothing, what they do not know, or a field that is not asked for."""
    entry = _programs()[name]
    values, closed = entry.get("values", ()), entry.get("closed", ())
    pairs = [*zip(rest, [*rest, ""][1:], strict=True)]
    for flag, value in pairs:
        if flag in entry.get("valued", ()) and (not value or re.match(r"--[a-z]", value)):
            yield f"{name} has no value for {flag}", f"{flag} and a value"
            continue
        given = flag if "=" in flag else f"{flag}={value}"
        asked, _, word = given.partition("=")
        known = [each for each in values if each.startswith(f"{asked}=")]
        if not known or given in values or not flag.startswith("--"):
            continue
        if meant := closest(given, values):
            yield f"{name} knows no {given}", meant
            return
        elif asked in closed and re.fullmatch(r"\w+", word):
            yield f"{name} knows no {given}", " or ".join(known)
    given_to = dict(pairs)
    fields = given_to.get("--json", "").split(",")
    for field in re.findall(r"(?<!\w)\.([A-Za-z]\w+)", given_to.get("--jq", "")) if "--json" in given_to else ():
        if field not in fields and (meant := closest(field, fields)):
            yield f"{name} is not asked for {field}", meant


_BEFORE = re.compile(r"\w+=.*|-.*|\d+\w?|!|env|exec|if|nice|sudo|time|timeout|while|until|go|run", re.DOTALL)


def _program(word: str) -> str:
    """The program that a word calls; what Go fetches is called by its address, or by a variable."""
    return "gitleaks" if re.search(r"\A\W*GITLEAKS\W*\Z|/gitleaks/v\d+@", word) else word.rpartition("/")[2]


@cache
def _programs() -> dict[str, dict[str, tuple[str, ...]]]:
    content = (files(__package__) / "programs.yml").read_text("utf-8")
    found = mapping(parse("programs.yml", content)[0].value)
    return {
        str(name): {part: tuple(text(words).split()) for part, words in entry.items()} for name, entry in found.items()
    }


# commands that end with their line: what follows is no argument of theirs
_SIMPLE = re.compile(
    r"(?:cd|curl|echo|export|git|go (?:install|build)|helm|make|mkdir|npm|pip|set|uv (?:lock|pip|sync))\b|\w+=\S*$"
)
_ANY = re.compile(
    r"(?:cd|curl|echo|export|gh|git|go|helm|kubectl|make|mkdir|npm|pip|pytest|python3?|set|uv)\b(?! *=)|\w+=\$\("
)


def is_folded(lines: list[str]) -> bool:
    """Whether lines of a text that YAML makes one of (`>`) are commands of their own."""
    depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    for line, following in pairwise(lines):
        is_flat = all(each.strip() and not each[depth : depth + 1].isspace() for each in (line, following))
        is_open = re.search(r"(?:[|&;\\({]|\b(?:then|do|else))\s*\Z", line)
        if is_flat and not is_open and _SIMPLE.match(line.strip()) and _ANY.match(following.strip()):
            return True
    return False


_APPLIED = re.compile(
    r"(?:\s(?:-k|--kustomize|-f|--filename|--values)[ =]|\b(?:kustomize build|kubectl kustomize) "
    r"|\bhelm (?:lint|template \w+) )"
    r"[\"']?((?:clusters|litellm|policies|secrets)/[\w./-]*\w)[\"']?(?=[\s;&|)]|$)"
)
_FOLDER = re.compile(
    r"\b(?:kustomize build|kubectl kustomize|helm lint|helm template \w+) [\"']?(\w[\w-]*)(?=[/\s\"']|$)"
)
_STARTED = re.compile(
    r"(?:^|[;&|]\s*|\b(?:ba)?sh |\bsource )\s*(?:\./)?((?:[\w-]+/)+[\w-]+\.(?:sh|bash))\b", re.MULTILINE
)
_ENTRY = re.compile(r"(?:^|\s)(hooks/\w+\.py)\b")


def paths(script: str) -> list[str]:
    """Files and folders of this repository that a script applies or starts, from where it begins."""
    if re.search(r"\b(?:cd|pushd|clone|ssh|exec|docker|podman|runner)\b", script):  # then it may be elsewhere
        return []
    return [path for pattern in (_FOLDER, _APPLIED, _STARTED, _ENTRY) for path in pattern.findall(script)]
