"""Copier four times as fast; what it renders stays the same. As a program it is copier's: `quick.py CACHE …`.

Copier compiles every template again for every repository, every name of a file and every question included, reads YAML
with the slow loader, asks git about each file that it writes and whether a folder is a bundle, puts all answers
together four times for each part of a path, and clones a template five times for an update.
"""

from __future__ import annotations

import hashlib
import marshal
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any
from unittest.mock import patch

import jinja2
import yaml
from copier import _template, _vcs
from copier._cli import CopierApp
from copier._main import Worker
from copier._user_data import DEFAULT_DATA, AnswersMap


@contextmanager
def quick(cache: Path | None = None) -> Iterator[None]:
    """While it lasts, copier is fast in this process. `cache` is a folder that processes share."""
    compiled: dict[Any, Any] = {}
    compile_ = jinja2.Environment.compile

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
        kept = cache / hashlib.sha256(repr(key).encode()).hexdigest() if cache else None
        if kept and isinstance(source, str) and kept.is_file():
            self.preprocess(source, name)
            compiled[key] = marshal.loads(kept.read_bytes())
            return compiled[key]
        compiled[key] = compile_(self, source, name, filename, **options)
        if kept and isinstance(compiled[key], CodeType):
            part = kept.with_name(f"{kept.name}.{id(self)}")
            part.write_bytes(marshal.dumps(compiled[key]))
            part.replace(kept)
        return compiled[key]

    def clone_once(url: str, ref: str, location: str) -> str:
        # HEAD may move, and takes in what is not committed
        if cache is None or ref == "HEAD":
            return _vcs.clone(url, ref, location)
        kept = cache / hashlib.sha256(f"{url} {ref}".encode()).hexdigest()
        if not kept.is_dir():
            _vcs.clone(url, ref, location)
            shutil.copytree(location, kept, symlinks=True)
            return location
        return str(shutil.copytree(kept, location, symlinks=True, dirs_exist_ok=True))

    is_bundle = _vcs.is_git_bundle
    with (
        patch.object(_template, "clone", clone_once),
        patch.object(jinja2.Environment, "compile", compile_once),
        patch.object(AnswersMap, "combined", property(_combined)),
        patch.object(_vcs, "is_git_bundle", lambda path: not path.is_dir() and is_bundle(path)),
        patch.object(yaml, "SafeLoader", yaml.CSafeLoader),
        patch.object(Worker, "_sync_git_index_executable_bit", lambda *_: None, create=True),
    ):
        yield


def _combined(self: AnswersMap) -> dict[str, Any]:
    """All answers, a later source above an earlier one: what copier makes of a ChainMap, in its order."""
    external = {"_external_data": self.external}
    below = {**DEFAULT_DATA, **external, **self.user_defaults, **self.last}
    return {**below, **self.metadata, **self.init, **self.user}


if __name__ == "__main__":
    with quick(Path(sys.argv[1])):
        sys.exit(CopierApp.run(["copier", *sys.argv[2:]]))
