"""Python programs without the time of their imports, which is most of theirs: each is a fork that has them already.

It is a process of its own, with a folder, an environment, outputs and an exit code, as `python PROGRAM …` is. What
shows only while Python starts or imports is left to the tests that start it.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import io
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType

import pytest

SECONDS = 300  # after which a program is ended
PYTEST = Path(pytest.__file__).with_name("__main__.py")  # what `python -m pytest` runs
_PACKAGE = (
    *("litellm_gitops.guard", "litellm_gitops.sealing.commands", "litellm_gitops.rules.rendered"),
    *("jsonschema", "kubernetes_validate", "pyrage", "pytest", "referencing", "ruamel.yaml"),
)


class Warm:
    """A process with `modules` imported that has evaluated the repository `evaluated`; a context manager."""

    def __init__(self, *modules: str, evaluated: Path | None = None) -> None:
        self._arguments = [str(evaluated or ""), *modules]

    def __enter__(self) -> Warm:
        self._server = subprocess.Popen(
            [sys.executable, "-B", "-P", "-W", "ignore", __file__, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": "/nonexistent"},  # some modules look at it when they are imported
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.communicate()

    def run(
        self, program: str | Path, *arguments: str, cwd: Path, env: Mapping[str, str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; without `stdin` there is nothing to read."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            outputs = [Path(folder, "out"), Path(folder, "err")]
            command = [str(program), *arguments]
            shell = {"TMPDIR": folder, **env}  # pytest would tidy up after every other pytest of this machine
            request = [command, str(cwd), shell, stdin or "", list(map(str, outputs))]
            print(json.dumps(request), file=self._server.stdin, flush=True)
            code = int(self._server.stdout.readline())
            out, err = (path.read_text("utf-8") for path in outputs)
        return subprocess.CompletedProcess(command, code, out, err)


@cache
def package() -> Warm:
    """The one that has imported this project's package, and what it imports; it ends with this process."""
    warm = Warm(*_PACKAGE)
    atexit.register(warm.__exit__, None, None, None)
    return warm.__enter__()


def _serve() -> None:
    """Reads one request in a line, answers with the exit code in a line."""
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(*request)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(command: Sequence[str], cwd: str, env: Mapping[str, str], stdin: str, outputs: list[str]) -> None:
    given, end = os.pipe()
    os.write(end, stdin.encode())
    os.close(end)
    for number, handle in enumerate([given, *(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600) for path in outputs)]):
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), "utf-8")  # not what the server has read ahead
    if Path(command[0]).parent.with_name("vendor").is_dir():  # it brings its own
        for name in [name for name in sys.modules if name.partition(".")[0] == "litellm_gitops"]:
            del sys.modules[name]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if plumbum := sys.modules.get("plumbum"):  # copier's: it looked at the environment when it was imported
        plumbum.local.env.clear()
        plumbum.local.env.update(env)
        plumbum.local.cwd.chdir(cwd)
    tempfile.tempdir = None
    faulthandler.dump_traceback_later(SECONDS, exit=True, file=os.dup(2))
    sys.argv = list(command)
    if folder := env.get("PYTHONPATH"):
        runpy.run_path(str(Path(folder, "sitecustomize.py")))
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    for name in sys.argv[2:]:
        importlib.import_module(name)
    if sys.argv[1]:
        from litellm_gitops.repository import Repository
        from litellm_gitops.rules import evaluate

        evaluate(Repository(Path(sys.argv[1])))
    _serve()
