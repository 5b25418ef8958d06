"""What a script of a pipeline does: whether it fails where the suite does, and which secrets it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from posixpath import normpath
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, text
from litellm_gitops.languages.shell import CAPTURED, Command, Script, read

# what may follow the name of pytest, so that it runs no test, or some of them
PART = re.compile(
    r"-[mkhV].*|--(?:collect-only|co|deselect|ignore|version|help|fixtures|markers|setup-plan|setup-only|lf|last-failed"
    r"|sw|stepwise)\b.*|.*::.*|.*\.py|\.?/?tests/.+"
)
# what may stand before it, so that it is no call of it
_NO_CALL = {"!", "apt-get", "cat", "command", "echo", "grep", "ls", "pip", "pip3", "printf", "test", "type", "which"}
_NO_CALL |= {"[", "add", "install", "--with"}
_SHELL = re.compile(r"(?:\S*/)?(?:ba|da|z)?sh")
_INLINE = re.compile(r"-\w*c")
_ASSIGNED = re.compile(r"(\w+)=(.*)", re.DOTALL)
_CONDITIONS = {("if", "if"), ("if", "elif"), ("do", "while"), ("do", "until")}


@cache
def runs_the_suite(script: str, pipefail: bool) -> bool:
    """Whether a script runs all of the suite, and fails where the suite does; with `pipefail` as bash takes it."""
    found = read(script)
    if found is None:
        return "pytest" in script  # what cannot be read here is not told of
    commands = [*_until_the_end(found.commands)]
    return any(
        _calls(command, pipefail) and _counts(commands, number, pipefail) for number, command in enumerate(commands)
    )


def _until_the_end(commands: list[Command]) -> Iterator[Command]:
    """What comes before an end that no condition has."""
    for command in commands:
        yield command
        if command.words[:1] == ["exit"] and not command.inside and command.before in ("", ";", "\n"):
            return


def _calls(command: Command, pipefail: bool) -> bool:
    """Whether a command is a call of the whole suite."""
    words = command.words
    for number, word in enumerate(words[1:], 1):
        if _INLINE.fullmatch(words[number - 1]) and any(map(_SHELL.fullmatch, words[: number - 1])):
            return runs_the_suite(word, pipefail)
    at = next((place for place, word in enumerate(words) if re.fullmatch(r"(?:\S*/)?pytest", word)), None)
    if at is None or {*_NO_CALL, "if"} & {*words[: at and at]} - {"!"}:
        return False
    set_before = [part for word in words[:at] if word.startswith("PYTEST_ADDOPTS=") for part in word[15:].split()]
    if any(map(PART.fullmatch, [*set_before, *words[at + 1 :]])):
        return False
    # folders that it is given; behind a flag stands what the flag is given
    pairs = zip(words[at:], words[at + 1 :], strict=False)
    given = [word for before, word in pairs if not word.startswith("-") and (before == words[at] or "=" in before)]
    return not given or any("$" in word or normpath(word) in (".", "tests") for word in given)


def _counts(commands: list[Command], at: int, pipefail: bool) -> bool:
    """Whether a script fails where the command with that number does."""
    command, rest = commands[at], commands[at + 1 :]
    before = commands[at - 1].words if at else []
    if (command.before, before) in (("||", ["true"]), ("||", [":"]), ("&&", ["false"])):
        return False
    if _CONDITIONS & {*command.inside}:
        is_loop = ("do", "until") in command.inside or command.words[:1] == ["!"]
        endless = (
            is_loop and not any(each.words[:1] == ["break"] for each in rest) and ("if", "if") not in command.inside
        )
        return endless or any(map(_fails, rest))
    if command.words[:1] == ["!"]:
        return False
    if command.after == "&":
        return any(each.words[:1] == ["wait"] for each in rest)
    if command.after in ("|", "|&") and not pipefail:
        return any("PIPESTATUS" in word for each in rest for word in each.words)
    if _goes_on(commands[:at]) and any(each.words for each in rest):
        return any(map(_fails, rest))
    return _survives(command, rest)


def _goes_on(before: list[Command]) -> bool:
    """Whether a shell goes on after a command that fails."""
    switched = [
        word.startswith("+")
        for each in before
        if each.words[:1] == ["set"]
        for word, following in zip(each.words[1:], [*each.words[2:], ""], strict=True)
        if re.fullmatch(r"[+-]\w*e\w*", word) or following == "errexit"
    ]
    return bool(switched) and switched[-1]


def _survives(command: Command, rest: list[Command]) -> bool:
    """Whether a failure is not lost in the list that a command stands in: what is run in its place fails, too."""
    after = command.after
    for number, other in enumerate(rest):
        if after == "||":
            instead = [other]
            if len(other.inside) > len(command.inside):  # of a group all is run
                whole = rest[number:]
                ends = (at for at, each in enumerate(whole) if len(each.inside) < len(other.inside))
                instead = whole[: next(ends, len(whole))]
            kept = [match[1] for each in instead for word in each.words if (match := _ASSIGNED.fullmatch(word))]
            return any(map(_fails, instead)) or any(_ends_with(name, rest) for name in kept)
        if after not in ("&&", "|", "|&"):
            return True
        after = other.after
    return True


def _ends_with(name: str, commands: list[Command]) -> bool:
    """Whether a variable, with what a command ended with, decides what a script does."""
    used = re.compile(rf"\$\{{?{re.escape(name)}\b|\b{re.escape(name)}\b")
    return any(
        used.search(" ".join(each.words[1:])) and (_fails(each) or each.words[0] in ("[", "[[", "test", "if", "case"))
        for each in commands
    ) or any(each.inside and used.search(" ".join(each.words)) for each in commands)


def _fails(command: Command) -> bool:
    """Whether a command ends what it stands in with a failure, or may."""
    words = [*command.words, ""]
    if words[0] in ("exit", "return"):
        return words[1] != "0"
    return words[0] == "false" or _calls(command, pipefail=True)


def passes_over_an_update(script: str) -> bool:
    """Whether copier says that there is a newer release, and what is run then says so in the log alone."""
    found = read(script)
    for number, command in enumerate(found.commands if found else ()):
        if {"check-update", "--quiet"} <= {*command.words} and command.after == "||":
            rest = found.commands[number + 1 :] if found else []
            depth = len(command.inside)
            ends = (at for at, each in enumerate(rest) if len(each.inside) <= depth)
            instead = rest[: next(ends, len(rest))] or rest[:1]
            said = [each.words for each in instead if each.words]
            return bool(said) and all(words[0] in _SAYS or words[:2] == ["exit", "0"] for words in said)
    return False


_SAYS = {":", "echo", "printf", "true"}

# ---------------------------------------------------------------------------------------------------------------------
# What is printed into a log

_NAME = r"[A-Z0-9_]*?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE)"
_NO_SECRET = re.compile(r"PUBLIC|CACHE|\AKEY\Z")  # the key of a cache, or what a loop goes through
_OF_GITHUB = re.compile(r"\$\{\{\s*secrets\.\w+\s*\}\}")
_VARIABLE = re.compile(rf"\$(?:({_NAME})(?!\w)|\{{({_NAME})(?:[-:][-?=][^}}]*)?\}})")
_FILE = re.compile(
    r"\$\{?[A-Z0-9_]*(?:(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)_FILE|APPLICATION_CREDENTIALS)\b|\.agekey\Z"
    r"|\A/proc/(?:self|\$\$|\d+)/environ\Z|(?:\A|/)(?:deployment_outputs\.env|gcp-service-account\.json|access-token)\Z"
)
_READERS = {"bat", "base64", "cat", "head", "less", "more", "nl", "od", "strings", "tac", "tail", "xxd"}
# what hands on what it reads; others, such as gpg and docker, keep it
_HAND_ON = _READERS | {"awk", "cut", "fold", "hexdump", "paste", "rev", "sed", "sort", "tee", "tr", "uniq"}
_BEFORE = {"command", "exec", "nice", "nohup", "sudo", "time", "uv", "run", "--locked", "--frozen"}
_ALL = re.compile(
    r"print\(\s*(?:dict\()?\s*os\.environ\s*\)|console\.log\(\s*process\.env\s*\)|\bputs ENV\b"
    rf"|print\(\s*os\.(?:environ\[|getenv\(|environ\.get\()['\"]{_NAME}['\"]"
)
# programs that print one secret: of a cloud, a vault, a cluster
_PRINTS = re.compile(
    r"aws secretsmanager get-secret-value.*|aws ecr get-login-password.*|az keyvault secret show.*"
    r"|az account get-access-token.*|gcloud secrets versions access.*|gcloud auth (?:\S+ )?print-access-token.*"
    r"|gh auth token.*|vault (?:kv get|read) .*|op read .*"
)
_QUERY = re.compile(r"--query[= ](?!\S*(?:SecretString|value|accessToken))|--output[= ]/|--out-file")
_OF_A_CLUSTER = re.compile(r"(?:kubectl|oc) (?:\S+ )*?get (?:\S+ )*?\S*\bsecrets?\b.*")
_SHOWN = re.compile(
    r"(?:-o|--output)[= ]?(?:json\b|yaml\b|(?:jsonpath|go-template|custom-columns)(?:-as-json)?=.*\bdata\b.*)"
)


@cache
def prints_a_secret(script: str) -> bool:
    """Whether a script writes the value of a secret, or of every variable, into the log."""
    found = read(script)
    return found is not None and _output(found, _harmless(found))


def with_secrets(workflow: Any, place: Place, script: str) -> str:
    """The script of a step of GitHub's with the secrets that its variables stand for, whatever these are called."""
    if place[:1] != ("jobs",) or place[-1] != "run":
        return script
    for depth in (0, 2, len(place) - 1):
        for name, value in mapping(dig(workflow, *place[:depth], "env")).items():
            if _OF_GITHUB.fullmatch(text(value).strip()):
                script = re.sub(rf"\$(?:{re.escape(str(name))}\b|\{{{re.escape(str(name))}\}})", str(value), script)
    return script


def _harmless(script: Script) -> frozenset[str]:
    """Variables that the script itself gives a value that is no secret."""
    given = [match for each in script.all() for word in each.words[:1] if (match := _ASSIGNED.fullmatch(word))]
    loops = [each.words[1] for each in script.all() if each.words[:1] == ["for"] and len(each.words) > 1]
    plain = (match[1] for match in given if CAPTURED not in match[2] and not _names_a_secret(match[2], frozenset()))
    return frozenset((*loops, *plain))


def _output(script: Script, harmless: frozenset[str]) -> bool:
    """Whether the output of a script holds a secret."""
    for number, command in enumerate(script.commands):
        if _gives(command, script, harmless) and _is_seen(script.commands[number:]):
            return True
    return False


def _is_seen(pipeline: list[Command]) -> bool:
    """Whether the output of the first command reaches the end of its pipeline."""
    for command in pipeline:
        if command is not pipeline[0]:
            name = _program(command.words)[:1]
            searched = name == ["grep"] and not {"-q", "-c", "--quiet", "--count"} & {*command.words}
            if not ({*name} & _HAND_ON or (searched and _names_a_secret("$" + command.words[-1], frozenset()))):
                return False
        if any(target not in ("1", "2", "/dev/stderr", "/dev/stdout", "/dev/tty") for target in command.targets):
            return False
        if command.after not in ("|", "|&"):
            return True
    return True


def _program(words: list[str]) -> list[str]:
    """The words from the name of the program on."""
    at = next(
        (at for at, word in enumerate(words) if word not in _BEFORE and not _ASSIGNED.fullmatch(word)), len(words)
    )
    return words[at:]


def _gives(command: Command, script: Script, harmless: frozenset[str]) -> bool:
    """Whether a command writes the value of a secret, or of every variable."""
    name, *rest = [*_program(command.words), ""]
    rest, line = rest[:-1], " ".join(_program(command.words))
    match name:
        case "echo" | "printf":
            if any(word.startswith("::add-mask::") for word in rest):
                return False
            inner = [int(each) for word in rest for each in re.findall(f"{CAPTURED}(\\d+){CAPTURED}", word)]
            return any(_names_a_secret(word, harmless) for word in rest) or any(
                _output(script.captured[number], harmless) for number in inner
            )
        case "printenv":
            return not rest or any(re.fullmatch(_NAME, word) and word not in harmless for word in rest)
        case "env":
            return all(word.startswith("-") for word in rest)
        case "set":
            return not rest and not command.targets
        case "export" | "declare" | "typeset":
            return rest in (["-p"], ["-x"], ["-px"], ["-xp"])
        case "sops" | "age" | "gpg":
            return _decrypts(name, rest)
        case "python" | "python3" | "node" | "ruby":
            return any(map(_ALL.search, rest))
    if _SHELL.fullmatch(name) and any(map(_INLINE.fullmatch, rest[:-1])):
        return prints_a_secret(rest[-1])
    if name in _READERS:
        return any(_FILE.search(word) or _names_a_secret(word, harmless) for word in rest)
    of_a_cluster = _OF_A_CLUSTER.fullmatch(line) and _SHOWN.search(line)
    return bool(of_a_cluster or (_PRINTS.fullmatch(line) and not _QUERY.search(line)))


def _decrypts(name: str, arguments: list[str]) -> bool:
    decrypts = {"-d", "--decrypt", *(["decrypt"] if name == "sops" else [])} & {*arguments}
    elsewhere = {"-i", "--in-place", "-o", "--output", "--filestatus", *(["-h"] if name == "sops" else [])}
    if name == "age":
        elsewhere -= {"-i"}  # its identity
    kept = [word for word in arguments if word.partition("=")[0] in elsewhere]
    return bool(decrypts) and not kept


def _names_a_secret(word: str, harmless: frozenset[str]) -> bool:
    """Whether a word holds the value of a secret, and not its length or whether there is one."""
    names = (match[1] or match[2] for match in _VARIABLE.finditer(word))
    return bool(_OF_GITHUB.search(word)) or any(not _NO_SECRET.search(name) and name not in harmless for name in names)
