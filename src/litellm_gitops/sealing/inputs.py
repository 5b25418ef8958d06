"""The operator's inputs: where a value is looked up, and what it must look like before it is sealed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealing.errors import SealingError

ENV_FILE = "deployment_outputs.env"
FOLDER_VARIABLE = "LITELLM_GITOPS_INPUTS"
STDIN = "standard input"

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)="""
    r"""(?P<value>(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])*)\s*(?:\s\#.*)?""",
    re.ASCII,  # as for a shell: another kind of space belongs to the value
)
_PART = re.compile(r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<escaped>.)""")


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

    def reveal(self) -> str:
        """The plaintext, for the pipe into sops and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Value(…)"

    __str__ = __repr__


@dataclass(frozen=True)
class Inputs:
    """All inputs of one run. `given` holds what came on stdin, which is taken before any other source."""

    folder: Path
    lines: Mapping[str, str]
    environ: Mapping[str, str]
    given: Mapping[str, str]

    @classmethod
    def read(cls, root: Path, given: Mapping[str, str] | None = None) -> Inputs:
        """The inputs for the repository `root`, from the folder of LITELLM_GITOPS_INPUTS or from the root.

        Raises SealingError when that folder or its deployment_outputs.env cannot be read.
        """
        folder = Path(os.environ.get(FOLDER_VARIABLE) or root)
        if not folder.is_dir():
            raise SealingError(
                f"{FOLDER_VARIABLE} is {str(folder)!r}, which is not a folder: name the folder that holds {ENV_FILE}"
            )
        text = _read(folder / ENV_FILE)
        return cls(folder, parse_env(text) if text else {}, os.environ, given or {})

    def text(self, names: Sequence[str], environment: str) -> tuple[str, Value] | None:
        """The input of one of these names for `environment`, and which. A blank value is none.

        The environment's own value (NAME__ENVIRONMENT) goes before a shared one, the process environment before the
        file, an earlier name before a later one.
        """
        for name in names:
            if name in self.given:
                return name, Value(self.given[name], STDIN)
        for suffix in (f"__{environment.upper()}", ""):
            for name in names:
                if value := _present(self.environ.get(name + suffix)):
                    line = _present(self.lines.get(name + suffix))
                    return name, Value(value, "the environment", line not in (None, value))
            for name in names:
                if value := _present(self.lines.get(name + suffix)):
                    return name, Value(value, ENV_FILE)
        return None

    def file(self, name: str, environment: str) -> Value | None:
        """The content of the input file `name` for `environment`, its own (NAME__ENVIRONMENT) before the shared one."""
        if name in self.given:
            return Value(self.given[name], STDIN)
        for key in (f"{name}__{environment.upper()}", name):
            if text := _present(_read(self.folder / key)):
                return Value(text, key)
        return None

    def lookup(self, key: str, source: Mapping[str, Any], environment: str) -> Value | None:
        """The checked value of a Secret's key, or None when the input is missing.

        `source` is the key's entry in policies/secrets.yml. Raises SealingError when the input has not its form.
        """
        found: Value | None
        if "file" in source:
            name, found = source["file"], self.file(source["file"], environment)
        else:
            default = Value(source["default"]) if "default" in source else None
            name, found = self.text(source["inputs"], environment) or (source["inputs"][0], default)
        if found is None or not found.reveal().strip():
            return None
        text = found.reveal().rstrip("\r\n")
        problem = _problem(text, source.get("form", "text"))
        if problem:
            raise SealingError(f"{name} (for {environment}, key {key}) {problem}. Nothing was sealed.")
        return Value(text, found.origin and f"{name} from {found.origin}", found.hides)


def describe(source: Mapping[str, Any]) -> str:
    """What an operator has to provide for a key, in words."""
    if "file" in source:
        return f"the file {source['file']}"
    return " or ".join(source["inputs"])


def parse_env(text: str) -> dict[str, str]:
    """The assignments of a shell-style file: quotes, comments and `export` are understood, nothing is executed.

    Raises SealingError with the line's number, never its text, for a line that is none of these.
    """
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise SealingError(
                f"{ENV_FILE} line {number} is not KEY=value: quote a value that holds spaces or quotes, on one line. "
                "Nothing was sealed."
            )
        found[match["name"]] = _PART.sub(_unquote, match["value"])
    return found


def _present(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _unquote(part: re.Match[str]) -> str:
    if part["double"] is not None:
        return re.sub(r'\\([$`"\\])', r"\1", part["double"])
    return str(part["single"] if part["single"] is not None else part["escaped"])


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise SealingError(f"{path.name} is not UTF-8 text. Nothing was sealed.") from None
    except OSError as error:
        raise SealingError(f"{path.name} cannot be read: {error.strerror}. Nothing was sealed.") from None


# form -> (pattern, what is wrong with a value that does not match)
_FORMS: Mapping[str, tuple[str, str]] = {
    "text": (
        r"[^\x00-\x1f\x7f\ud800-\udfff]+",
        "holds a line break, another control character, or bytes that are not UTF-8",
    ),
    "aws_access_key_id": (
        r"AKIA[A-Z0-9]{16}",
        "is not the access key id of an AWS user: AKIA and 16 capital letters or digits "
        "(ASIA… is a temporary key, which expires)",
    ),
    "uuid": (
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "is not a UUID such as 00000000-0000-0000-0000-000000000000",
    ),
    "github_token": (
        r"gh[a-z]_[A-Za-z0-9_]{20,255}",
        "is not a GitHub token (gho_… or ghu_…): make one with hooks/get_copilot_token.py",
    ),
    "url_unreserved": (
        r"[A-Za-z0-9._~-]+",
        "holds a character other than letters, digits and . _ ~ -, but the chart puts it as it is "
        "into the database URL: choose another one",
    ),
    "url_host": (
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?",
        "is not a host name, or a host name and a port: leave out the scheme and the database",
    ),
}


def _problem(text: str, form: str) -> str | None:
    if form == "gcp_service_account":
        return _service_account_problem(text)
    pattern, problem = _FORMS[form]
    return None if re.fullmatch(pattern, text) else problem


def _service_account_problem(text: str) -> str | None:
    try:
        content = json.loads(text)
    except ValueError:
        return "is not JSON: download the key of the service account again"
    if not isinstance(content, dict) or content.get("type") != "service_account":
        return 'is not the key of a service account: its "type" must be "service_account"'
    for field in ("project_id", "private_key", "client_email", "token_uri"):
        if not isinstance(content.get(field), str) or not content[field]:
            return f'is not the key of a service account: it lacks "{field}"'
    if not content["private_key"].startswith("-----BEGIN "):
        return 'is not the key of a service account: its "private_key" is not a PEM block'
    return None
