"""The operator's inputs: where a value is looked up."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from litellm_gitops.documents import dig, text
from litellm_gitops.files import Held
from litellm_gitops.policies import SECRETS, Source
from litellm_gitops.repository import Cluster, Repository, WantedSecret
from litellm_gitops.sealing import forms
from litellm_gitops.sealing.errors import SealingError

ENV_FILE = "deployment_outputs.env"
FOLDER_VARIABLE = "LITELLM_GITOPS_INPUTS"
STDIN = "standard input"
# Inputs of sealing, private keys, and for whom a clone has sealed, by name: none enters git, also by `git add --force`.
_NEVER = ("*.agekey", "age.key", "keys.txt", ENV_FILE, "gcp-service-account.json*", "access-token*", ".sealed-for*")
# in a folder of others what is code, or the public half, is no private key
_CODE = r"\.(?:cs|css|go|html|java|[jt]sx?|kt|md|php|proto|pub|py|rb|rs|sql|tf|vue|ya?ml)"
_KEY_FILE = re.compile(
    rf"(?:.*/)?keys/(?!\.gitkeep\Z|README\.md\Z)(?![^/]*{_CODE}\Z)[^/]+"
    r"|(?i:keys/(?!\.gitkeep\Z|README\.md\Z)[^/]+)"
)
# what each clone has of its own: of any kind and in any case, git would put it in the place of that
OWN = re.compile(r"(?i:keys|\.sealing(?:/.*)?)")

_LINE = re.compile(
    # as for a shell: another kind of space than these two belongs to the value
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)="""
    r"""(?P<value>(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])*)[ \t]*(?:[ \t]\#.*)?""",
    re.ASCII,
)
# what a line may hold of ASCII: Windows ends it with a carriage return, which is not a part of it
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PART = re.compile(r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|(?P<bare>(?:\\.|[^'"\\])+)""")
_NAME = r"(?:export\s+)?[A-Za-z_]\w*"
# what else people write in a line -> what to say of it
_OTHERS = {
    rf"{_NAME}(?:\s+=\s*|=\s+)[^\s#].*": "has a space beside its =: leave it out, as a shell demands",
    r"(?:set\s+|\$env:|declare\s.*?|readonly\s+)\w+\s*=.*": "has more than `export` before its name: leave it out",
    r"(?:export\s+)?[\w.-]+\s*:(?!/).*": "has a colon where = belongs: write KEY=value",
    r"[^=]*": "is no assignment: write KEY=value, and leave out commands, which nothing here runs",
    rf"(?!{_NAME}=)(?:export\s+)?[^\s=]+=.*": "gives a name that no variable can have: letters, digits and _",
}
# what a shell would take for something else
_BARE, _DOUBLE = re.compile(r"[\\$`;&|<>()]|(?:\A|:)~"), re.compile(r"(?<!\\)(?:\\\\)*[$`]")


def never_in_git(file: str) -> bool:
    """Whether a file is an input of sealing, a private key, or what each clone has of its own, by its name."""
    named = any(fnmatch.fnmatchcase(posixpath.basename(file).lower(), each) for each in _NEVER)
    return named or any(each.fullmatch(file) for each in (_KEY_FILE, OWN))


class Value:
    """A secret value. It does not show itself in a message, a traceback or a test's output.

    `origin` says where the input was found; empty for a default and for what is no input. `hides` says that another
    value of it was found in a later place.
    """

    __slots__ = ("_text", "hides", "origin")

    def __init__(self, text: str, origin: str = "", hides: bool = False) -> None:
        self._text = text
        self.origin = origin
        self.hides = hides

    @property
    def name(self) -> str:
        """The input that it comes from."""
        return self.origin.partition(" from ")[0]

    def reveal(self) -> str:
        """The plaintext, for the pipe into sops and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Value(…)"

    __str__ = __repr__


def suffix(cluster: str) -> str:
    """What the name of an input ends in that is for one cluster alone."""
    return f"__{cluster.upper().replace('-', '_')}"


@dataclass(frozen=True)
class Inputs:
    """All inputs of one run. `given` holds what came on stdin, which is taken before any other source."""

    folder: Path
    lines: Mapping[str, str]
    environ: Mapping[str, str]
    given: Mapping[str, str]
    held: Held

    @classmethod
    def read(cls, root: Path, given: Mapping[str, str] | None = None) -> Inputs:
        """The inputs for the repository `root`, from the folder of LITELLM_GITOPS_INPUTS or from the root.

        Raises SealingError when that folder or its deployment_outputs.env cannot be read, or that file came by git.
        """
        folder = Path(os.environ.get(FOLDER_VARIABLE) or root)
        if not folder.is_dir():
            raise SealingError(
                f"{FOLDER_VARIABLE} is {str(folder)!r}, which is not a folder: name the folder that holds {ENV_FILE}, "
                "by its whole path"
            )
        held = Held(root)
        text = _read(folder / ENV_FILE, held)
        return cls(folder, parse_env(text) if text else {}, os.environ, given or {}, held)

    def lookup(self, key: str, source: Source, cluster: str) -> Value | None:
        """The checked value of a Secret's key for a cluster, or None when the input is missing.

        Raises SealingError when the input has not its form.
        """
        name, found = self._file(source.file, cluster) if source.file else self._text(source, cluster)
        if found is None or not found.reveal().strip():
            return None
        text = found.reveal().rstrip("\r\n")
        if problem := forms.problem(text, source.form):
            raise SealingError(f"{name} (for {cluster}, key {key}) {problem}. Nothing was sealed.")
        return Value(forms.sealed(text, source.form), found.origin and f"{name} from {found.origin}", found.hides)

    def _text(self, source: Source, cluster: str) -> tuple[str, Value | None]:
        """The input that gives a value, and which. A blank one is none.

        The cluster's own goes before a shared one, the process environment before the file, an earlier name before a
        later one.
        """
        for name in source.inputs:
            if name in self.given:
                return name, Value(self.given[name], STDIN)
        for end in (suffix(cluster), ""):
            for name in source.inputs:
                if value := _present(self.environ.get(name + end)):
                    line = _present(self.lines.get(name + end))
                    return name, Value(value, "the environment", line not in (None, value))
            for name in source.inputs:
                if value := _present(self.lines.get(name + end)):
                    return name, Value(value, ENV_FILE)
        return next(iter(source.inputs), ""), None if source.default is None else Value(source.default)

    def _file(self, name: str, cluster: str) -> tuple[str, Value | None]:
        """The content of an input file, the cluster's own before the shared one."""
        if name in self.given:
            return name, Value(self.given[name], STDIN)
        for key in (name + suffix(cluster), name):
            if text := _present(_read(self.folder / key, self.held)):
                return name, Value(text, key)
        return name, None


def is_needed(cluster: Cluster, name: str) -> bool:
    """Whether the answers need a Secret of the matrix in a cluster."""
    answers, when = cluster.repository.answers, cluster.repository.matrix.secrets[name].when
    if isinstance(when, dict):
        return any(answers.get(answer) in wanted for answer, wanted in when.items())
    return when == "always" or any(method.secret == name for method in cluster.methods.values())


def refuse_unknown(repository: Repository, secrets: Sequence[WantedSecret]) -> None:
    """Raise SealingError where policies/secrets.yml asks for more than the matrix does under these answers.

    Otherwise whoever may write to git has another variable of the operator's sealed, for a reader of his own, or a
    value that he knows, or has it sealed for another namespace.
    """
    for secret in secrets:
        if problem := _excess(repository, secret):
            raise SealingError(f"{SECRETS}: {secret.name} {problem}: take it from git history. Nothing was read.")
    ours = [each for cluster in repository.clusters for each in cluster.sealed if each.name in cluster.wanted]
    found = [text(dig(each.document.value, "metadata", "namespace")) for each in ours]
    if secrets and found and repository.namespace not in found:
        raise SealingError(
            f"{SECRETS} has the namespace {repository.namespace}, and {ours[0].file} has {found[0]}: take the one that "
            "was changed from git history. Nothing was read."
        )


def _excess(repository: Repository, secret: WantedSecret) -> str:
    """What a Secret asks for that the answers do not; empty where there is nothing."""
    known, cluster = repository.matrix.secrets.get(secret.name), repository.cluster(secret.cluster)
    needed = known.needed(repository.answers) if known else set()
    for key, source in secret.keys.items():
        expected = known.source(key, repository.answers) if known and key in needed else Source()
        if other := [name for name in source.names if name not in expected.names]:
            return f"takes {key} from {other[0]}, which is no input of it"
        if source != expected:
            return f"takes {key} in another way than the answers say"
    if not known or not cluster or not is_needed(cluster, secret.name):
        return f"is listed for {secret.cluster}, and no answer needs it there"
    return ""


def parse_env(text: str) -> dict[str, str]:
    """The assignments of a shell-style file: quotes, comments and `export` are understood, nothing is executed.

    Raises SealingError with the line's number, never its text, for a line that is none of these, that a shell would
    read in another way, or that gives a name another value than an earlier one.
    """
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if problem := _problem(line, match):
            raise SealingError(f"{ENV_FILE} line {number} {problem}. Nothing was sealed.")
        assert match
        name, value = match["name"], _PART.sub(_unquote, match["value"])
        if name in found and found[name][0] != value:
            raise SealingError(
                f"{ENV_FILE} line {number} gives {name} another value than line {found[name][1]}: keep one of them. "
                "Nothing was sealed."
            )
        found[name] = (value, number)
    return {name: value for name, (value, _) in found.items()}


def _problem(line: str, match: re.Match[str] | None) -> str:
    if _CONTROL.search(line):
        return "holds a control character, which is not to be seen: delete it, or write the line again"
    if not match:
        said = (text for form, text in _OTHERS.items() if re.fullmatch(form, line.strip(), re.ASCII))
        return next(said, "is not KEY=value: quote a value that holds spaces or quotes, on one line")
    for part in _PART.finditer(match["value"]):
        if (part["bare"] and _BARE.search(part["bare"])) or (part["double"] and _DOUBLE.search(part["double"])):
            return "holds a character that a shell reads in another way (a backslash, $, &, …): write the value in '…'"
        if part["bare"] and part["bare"][0] in "“”„‟‘’‚‛«»":
            return "has typographic quotation marks, which no shell knows: write the value in '…'"
    return ""


def _present(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _unquote(part: re.Match[str]) -> str:
    if part["double"] is not None:
        return re.sub(r'\\([$`"\\])', r"\1", part["double"])
    return str(part["single"] if part["single"] is not None else part["bare"])


def _read(path: Path, held: Held) -> str | None:
    if path.exists() and held.holds(path):
        raise SealingError(
            f"{path.name} came by git, or may have, and whoever writes to git would decide what is sealed: take it out "
            f"of git, and put yours elsewhere ({FOLDER_VARIABLE}). Nothing was sealed."
        )
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise SealingError(f"{path.name} is not UTF-8 text. Nothing was sealed.") from None
    except OSError as error:
        raise SealingError(f"{path.name} cannot be read: {error.strerror}. Nothing was sealed.") from None
