"""Edits of a rendered repository, of which each is one line in a table: by the path of a value, or by text.

A value's path is a tuple of keys and numbers. `add` takes a place of the chart instead: a field of `CHART`, which is
below the chart's own name in a file of values.
"""

from __future__ import annotations

import io
import pickle
import re
import secrets
import shutil
import string
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from litellm_gitops.charts import LITELLM_HELM
from litellm_gitops.documents import Place, mapping, parse
from litellm_gitops.rules.secrets import digest_of

Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Several:
    """An edit in several places, of each of which is told."""

    edit: Edit

    def __call__(self, root: Path) -> None:
        """Makes the edit in the repository at `root`."""
        self.edit(root)


Fault = tuple[str, Edit] | tuple[str, Edit, dict[str, Any]]  # its rule, the edit, the answers where they are others

CHART = LITELLM_HELM
SHARED = "litellm/values.yaml"
AWS, GCP, AZURE = (f"litellm/values-{cluster}.yaml" for cluster in ("aws", "gcp", "azure"))
ANSWERS = ".copier-answers.yml"
MATRIX = "policies/auth-matrix.yml"
POLICY = "policies/secrets.yml"
RULES = ".sops.yaml"
SUITE = "policies/suite.yml"

# ---------------------------------------------------------------------------------------------------------------------
# By the path of a value


def at(place: Place, *more: str | int) -> Place:
    """The path, in a file of values, of what stands at a place of the chart."""
    return (CHART.name, *place, *more)


def set_value(file: str, path: Place, value: Any, document: int = 0) -> Edit:
    """Gives the value at `path` another content; the key is made where there is none, with the mappings above it."""

    def apply(above: Any) -> None:
        above[path[-1]] = _quoted(value)
        above.ca.items.pop(path[-1], None)  # a comment between a key and its list breaks another value

    return _edited(file, path, apply, document)


def remove(file: str, path: Place, document: int = 0) -> Edit:
    """Takes the value at `path` away, with its key."""

    def apply(above: Any) -> None:
        del above[path[-1]]

    return _edited(file, path, apply, document)


def append_item(file: str, path: Place, value: Any, document: int = 0) -> Edit:
    """Adds to the end of the list at `path`, which is made where there is none."""

    def apply(above: Any) -> None:
        if isinstance(above, dict):
            above.setdefault(path[-1], [])
        above[path[-1]].append(_quoted(value))

    return _edited(file, path, apply, document)


def remove_item(file: str, path: Place, value: Any, document: int = 0) -> Edit:
    """Takes a value out of the list at `path`."""
    return _edited(file, (*path, 0), lambda above: above.remove(value), document)


def insert(file: str, path: Place, value: Any, document: int = 0) -> Edit:
    """Puts an item into a list, before the one whose number ends the path."""
    return _edited(file, path, lambda above: above.insert(path[-1], _quoted(value)), document)


def add(place: Place, value: Any, file: str = AWS) -> Edit:
    """Puts `value` at a place of the chart: into the mapping there, at the end of the list there, else in its place."""

    def apply(above: Any) -> None:
        last = at(place)[-1]
        above[last] = _merged(above.get(last), _quoted(value))

    return _edited(file, at(place), apply)


def model(parameters: dict[str, Any], name: str | None = "own", file: str = SHARED) -> Edit:
    """Adds a model, or one without a name."""
    named = {"model_name": name} if name else {}
    return add(CHART.config, {"model_list": [{**named, "litellm_params": parameters}]}, file)


def each_model(prefix: str, change: Callable[[dict[str, Any]], None], file: str = SHARED) -> Edit:
    """Changes the parameters of every model whose name begins with `prefix`."""

    def apply(above: Any) -> None:
        changed = [entry for entry in above["model_list"] if entry["litellm_params"]["model"].startswith(prefix)]
        assert changed, f"{file} has no model {prefix}"
        for entry in changed:
            change(entry["litellm_params"])

    return Several(_edited(file, at(CHART.config, "model_list"), apply))


def _edited(file: str, path: Place, change: Callable[[Any], None], document: int = 0) -> Edit:
    """Loads a file, calls `change` with what stands above the end of `path`, and writes the file as it was laid out."""

    def apply(root: Path) -> None:
        documents = pickle.loads(_loaded((root / file).read_text("utf-8")))
        above = documents[document]
        for part in path[:-1]:
            if isinstance(above, dict):
                above = above.setdefault(part, CommentedMap())
            else:
                assert isinstance(part, int), f"{part!r} is no number of an item in {file}"
                above = above[part]
        change(above)
        written = io.StringIO()
        _yaml().dump_all(documents, written)
        _write(root, file, written.getvalue())

    return apply


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


@cache
def _loaded(text: str) -> bytes:
    """The documents of a text, each with its layout, as what makes them anew in no time."""
    return pickle.dumps(list(_yaml().load_all(text)))


def _write(root: Path, file: str, text: str) -> None:
    """Writes a file; the answers with their digest, as copier does. `append` changes them by hand."""
    if file == ANSWERS:
        digest = digest_of(mapping(parse(file, text)[0].value))
        text = re.sub(r"^# Digest: .*$", f"# Digest: {digest}", text, flags=re.MULTILINE)
    (root / file).write_text(text, "utf-8")


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        for key, value in above.items():
            below[key] = _merged(below.get(key), value)
        return below
    if isinstance(below, list) and isinstance(above, list):
        below.extend(above)
        return below
    return above


def _quoted(value: Any) -> Any:
    """The value with its texts in quotes, so that each is a text in YAML 1.1 and 1.2."""
    if isinstance(value, dict):
        return {key: _quoted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value


# ---------------------------------------------------------------------------------------------------------------------
# By text, where the fault is one of the text


def change(file: str, old: str, new: str) -> Edit:
    """Replaces a text that stands in the file exactly once."""

    def apply(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        _write(root, file, text.replace(old, new))

    return apply


def substitute(file: str, pattern: str, new: str, count: int = 0) -> Edit:
    """Replaces every match of a pattern, or the first `count`; ^ and $ in it are the ends of lines."""

    def apply(root: Path) -> None:
        text, found = re.subn(pattern, new, (root / file).read_text("utf-8"), count=count, flags=re.MULTILINE)
        assert found, f"nothing in {file} matches {pattern!r}"
        _write(root, file, text)

    return apply


def drop(file: str, line: str) -> Edit:
    """Deletes the one line that holds a text."""

    def apply(root: Path) -> None:
        lines = (root / file).read_text("utf-8").splitlines(keepends=True)
        kept = [each for each in lines if line not in each]
        assert len(kept) == len(lines) - 1, f"{len(lines) - len(kept)} lines of {file} hold {line!r}"
        (root / file).write_text("".join(kept), "utf-8")

    return apply


def append(file: str, text: str) -> Edit:
    """Adds to the end of a file, which is made where there is none."""

    def apply(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        with (root / file).open("a", encoding="utf-8") as opened:
            opened.write(text)

    return apply


def replace_bytes(file: str, old: bytes, new: bytes) -> Edit:
    """Replaces bytes wherever they stand."""

    def apply(root: Path) -> None:
        (root / file).write_bytes((root / file).read_bytes().replace(old, new))

    return apply


def encoded(file: str, encoding: str, before: str = "") -> Edit:
    """The same text, and more before it, in another encoding."""

    def apply(root: Path) -> None:
        (root / file).write_bytes((before + (root / file).read_text("utf-8")).encode(encoding))

    return apply


# ---------------------------------------------------------------------------------------------------------------------
# Whole files


def write(file: str, text: str) -> Edit:
    """Puts a file in place of what is there."""
    return write_bytes(file, text.encode())


def write_bytes(file: str, content: bytes) -> Edit:
    """Puts a file that is no text in place of what is there."""

    def apply(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)

    return apply


def swap(first: str, second: str) -> Edit:
    """Gives each of two files the content of the other."""

    def apply(root: Path) -> None:
        one, other = (root / first).read_bytes(), (root / second).read_bytes()
        (root / first).write_bytes(other)
        (root / second).write_bytes(one)

    return Several(apply)


def delete(path: str) -> Edit:
    """Deletes a file or a folder."""

    def apply(root: Path) -> None:
        if (root / path).is_dir():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink()

    return apply


def link(file: str) -> Edit:
    """Puts a symbolic link in place of a file, to the same content elsewhere."""

    def apply(root: Path) -> None:
        (root / file).rename(root / "moved")
        (root / file).symlink_to(Path("../" * file.count("/")) / "moved")

    return apply


def credential(form: str, file: str = "README.md") -> Edit:
    """Adds a made-up credential, made when the test runs, so that no file of this project holds one."""

    def apply(root: Path) -> None:
        made = {
            "aws": "AKIA" + _random(16),
            "github": "gho_" + _random(36),
            "age": "AGE-SECRET-" + "KEY-1" + _random(58),
            "pem": "-----BEGIN " + "PRIVATE KEY-----\n" + _random(64),
            "proxy": "sk-" + _random(32, "0123456789abcdef"),
            "url": f"postgresql://litellm:{_random(20)}@db.example.internal/litellm",
        }[form]
        comment = "# " if file.endswith(".yaml") else ""
        append(file, "".join(f"{comment}{line}\n" for line in made.splitlines()))(root)

    return apply


def _random(length: int, alphabet: str = string.ascii_uppercase + string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


# ---------------------------------------------------------------------------------------------------------------------


def together(*edits: Edit) -> Edit:
    """Several steps that are one edit."""

    def apply(root: Path) -> None:
        for edit in edits:
            edit(root)

    return apply


def git(root: Path, *arguments: str) -> None:
    """Runs git in a repository. Raises subprocess.CalledProcessError."""
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
