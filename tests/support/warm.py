"""Python programs without the time of their imports, which is most of theirs: each is a fork that has them already.

It is a process of its own, with a folder, an environment, outputs and an exit code, as `python PROGRAM …` is. What
shows only while Python starts or imports is left to the tests that start it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

SECONDS = 300  # after which a program is ended


class Warm:
    """A process with `modules` imported, as a context manager."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    def __enter__(self) -> Warm:
        self._server = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", __file__, *self._modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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
        self, program: str | Path, *arguments: str, cwd: Path, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, without standard input."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            outputs = [Path(folder, "out"), Path(folder, "err")]
            command = [str(program), *arguments]
            print(
                json.dumps([command, str(cwd), dict(env), list(map(str, outputs))]),
                file=self._server.stdin,
                flush=True,
            )
            code = int(self._server.stdout.readline())
            out, err = (path.read_text("utf-8") for path in outputs)
        return subprocess.CompletedProcess(command, code, out, err)


def _serve() -> None:
    """Reads one request in a line, answers with the exit code in a line."""
    gc.freeze()
    for line in sys.stdin:
        command, cwd, env, outputs = json.loads(line)
        child = os.fork()
        if not child:
            _become(command, cwd, env, outputs)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(command: Sequence[str], cwd: str, env: Mapping[str, str], outputs: list[str]) -> None:
    for number, path in enumerate([os.devnull, *outputs]):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if plumbum := sys.modules.get("plumbum"):  # copier's: it looked at the environment when it was imported
        plumbum.local.env.clear()
        plumbum.local.env.update(env)
        plumbum.local.cwd.chdir(cwd)
    signal.alarm(SECONDS)
    sys.argv = list(command)
    if folder := env.get("PYTHONPATH"):
        runpy.run_path(str(Path(folder, "sitecustomize.py")))
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    _serve()
