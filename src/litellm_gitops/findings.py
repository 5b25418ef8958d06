"""One thing that is wrong with a repository, and what mends it, as data.

The words of a fix are made here and nowhere else, so that sealing, the guard, the suite and the tests name one command.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from litellm_gitops.credentials import redacted

SEAL = "uv run hooks/seal_secrets.py"
COPIER = "uv run --locked copier"
UPDATE = f"{COPIER} update --trust --skip-answered --vcs-ref :current: --data"


class Action(StrEnum):
    """What mends a finding."""

    EDIT = "edit"
    SEAL = "seal"
    FILL = "fill"
    ROTATE = "rotate"
    REKEY = "rekey"
    UPDATE = "update"
    RESTORE = "restore"
    DELETE = "delete"


@dataclass(frozen=True)
class Fix:
    """What mends a finding: an action, what it is for, and what a person does before (`first`) or instead (EDIT)."""

    action: Action
    name: str = ""  # a Secret for ROTATE, an answer for UPDATE, a file for DELETE
    cluster: str = ""
    first: str = ""
    value: str = ""  # of the answer

    @property
    def command(self) -> str:
        """The command line that mends it, as it runs from the root of the repository; empty where there is none."""
        only = f" --cluster {self.cluster}" if self.cluster else ""
        match self.action:
            case Action.SEAL:
                return f"{SEAL}{only}"
            case Action.FILL:
                return f"{SEAL} --fill{only}"
            case Action.ROTATE:
                return f"{SEAL} --rotate {self.name}{only}"
            case Action.REKEY:
                return f"{SEAL} --rekey{only}"
            case Action.UPDATE:
                pair = f"{self.name}={self.value}"
                return f"{UPDATE} {pair if self.value == '…' else shlex.quote(pair)}"
            case Action.DELETE:
                return f"git rm {shlex.quote(self.name)}" if self.name else ""
            case _:
                return ""

    @property
    def text(self) -> str:
        """What to do, in a sentence without a full stop."""
        match self.action:
            case Action.EDIT:
                return self.first
            case Action.RESTORE:
                again = f"take it from git history, or run `{COPIER} recopy --trust`"
                return f"{self.first}: {again}" if self.first else again
            case Action.DELETE:
                return f"{self.first}: {self.command}" if self.first else self.command or "delete the file"
            case Action.UPDATE:
                return f"{self.first}, or {self.command}" if self.first else self.command
            case _:
                return f"{self.first}, then {self.command}" if self.first else self.command


def edit(text: str) -> Fix:
    """A change that a person makes by hand, in words."""
    return Fix(Action.EDIT, first=text)


def seal(first: str = "", cluster: str = "") -> Fix:
    """Plain sealing: it makes what is missing, and writes the checksums."""
    return Fix(Action.SEAL, cluster=cluster, first=first)


def fill(cluster: str = "", first: str = "") -> Fix:
    """Sealing of the placeholders whose inputs are there now."""
    return Fix(Action.FILL, cluster=cluster, first=first)


def rotate(name: str, cluster: str = "", first: str = "") -> Fix:
    """Sealing of one Secret again, from its inputs."""
    return Fix(Action.ROTATE, name, cluster, first)


def rekey(cluster: str = "", first: str = "") -> Fix:
    """Encryption of every file again, for the recipients of its rule."""
    return Fix(Action.REKEY, cluster=cluster, first=first)


def update(answer: str, value: str = "…", first: str = "") -> Fix:
    """Another answer; `first` is what to do where the answer is to stay."""
    return Fix(Action.UPDATE, answer, first=first, value=value)


def restore(first: str = "") -> Fix:
    """The file as it was committed, or as it was rendered."""
    return Fix(Action.RESTORE, first=first)


def delete(file: str = "", first: str = "") -> Fix:
    """The file is to go."""
    return Fix(Action.DELETE, file, first=first)


@dataclass(frozen=True)
class Misspelt:
    """A word, a key or a value, that is misspelt in the line of a finding, and the one that was meant."""

    word: str
    meant: str


def instead_of(found: object, wanted: object) -> Misspelt | None:
    """A text in place of another that is wanted; where both differ in one word alone, that word."""
    if not (isinstance(found, str) and isinstance(wanted, str) and found and wanted):
        return None
    words, others = (re.findall(r"[A-Za-z0-9]+", text) for text in (found, wanted))
    unlike = {pair for pair in zip(words, others, strict=False) if pair[0] != pair[1]}
    return Misspelt(*unlike.pop()) if len(words) == len(others) and len(unlike) == 1 else Misspelt(found, wanted)


@dataclass(frozen=True)
class Form:
    """How a value is not of the form that it should have.

    A field is `unknown`, `missing`, or known elsewhere (`astray`) in the mapping at `place`; what stands at `place` is
    of no `type` that may stand there, or of no such `value`, or it is `gone` as a whole. `is_part`: a
    mapping or a list is there, or should be.
    """

    kind: Literal["unknown", "missing", "astray", "type", "value", "gone"]
    place: tuple[str | int, ...] = ()
    field: str = ""
    is_part: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the file, the line (from 1, where there is one), what it is, what mends it.

    `code` is the name of the rule that found it; `misspelt` is there where a word that was meant is known to be the
    cause, `form` where a value has not the form that it should have, `other` where a sound word stands in place of the
    one that is needed there. No text ever holds the value of a Secret.
    """

    file: str
    line: int | None
    what: str
    fix: Fix
    code: str = ""
    misspelt: Misspelt | None = None
    form: Form | None = field(default=None, compare=False)
    other: Misspelt | None = field(default=None, compare=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return redacted(f"{place}: {self.what} — {self.fix.text}")


class UnreadableError(Exception):
    """Nothing can be said of a repository, because a file that says what it should hold is missing or broken."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding
