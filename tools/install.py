"""Finds a tool, or installs it in the first way that works."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from tools import cache, ways
from tools.errors import ToolError, WayError
from tools.golang import Module
from tools.pins import Pin, find
from tools.progress import Progress


def path(name: str) -> Path:
    """The absolute path of the program or folder `name`, installed first where it is missing.

    Tells its progress on stderr. Raises `ToolError` for an unknown name, for a download with the
    wrong checksum, and when no way works; the last names each way and why it failed.
    """
    return obtain(find(name))


def paths(pins: Sequence[Pin]) -> Iterator[Path]:
    """As `path`, for several, in their order.

    What only Go brings is built before the first is given: the programs of one module at once, and while they are
    compiled, the modules of the next are downloaded. What fails here is told when its turn comes.
    """
    missing = [pin for pin in pins if pin.ways.keys() & set(ways.WAYS) == {"go"} and not cache.entry(pin).exists()]
    programs = [pin for pin in missing if not pin.is_folder]
    groups = [list(group) for _, group in groupby(programs, lambda pin: pin.tool)]
    with TemporaryDirectory() as work, ThreadPoolExecutor(1) as downloads, ExitStack() as end:
        end.callback(downloads.shutdown, cancel_futures=True)
        modules = [Module(group, Path(work, group[0].tool)) for group in groups]
        for module, downloaded in [(module, downloads.submit(module.download)) for module in modules]:
            with Progress(f"installing {', '.join(map(str, module.pins))}") as progress:
                progress.detail = "its modules are downloaded"
                try:
                    downloaded.result()
                    _install_built(module, progress)
                except WayError as reason:
                    progress.note(str(reason))
    for pin in pins:
        yield obtain(pin)


def _install_built(module: Module, progress: Progress) -> None:
    with ExitStack() as locks:
        for pin in module.pins:
            locks.enter_context(cache.lock(pin, lambda: progress.note("another run is installing it; waiting for it")))
        module.pins = [pin for pin in module.pins if not cache.entry(pin).exists()]  # that other run did it
        for pin, program in zip(module.pins, module.build(progress) if module.pins else (), strict=True):
            with cache.staging(pin) as into:
                shutil.move(program, into / pin.name)


def obtain(pin: Pin) -> Path:
    """As `path`, for a pin that need not stand in the pins file."""
    reasons: list[str] = []
    if "on_path" in pin.ways:
        try:
            return ways.on_path(pin)
        except WayError as reason:
            reasons.append(f"PATH: {reason}")
    if not cache.entry(pin).exists():
        with Progress(f"installing {pin}") as progress:
            _install(pin, reasons, progress)
    return cache.entry(pin)


def state(pin: Pin) -> str:
    """Where a tool would come from, without installing it: a path, or `missing`."""
    if "on_path" in pin.ways:
        try:
            return str(ways.on_path(pin))
        except WayError:
            pass
    return str(cache.entry(pin)) if cache.entry(pin).exists() else "missing"


def _install(pin: Pin, reasons: list[str], progress: Progress) -> None:
    def wait() -> None:
        progress.note(f"another run is installing {pin}; waiting for it")

    with cache.lock(pin, wait):
        if cache.entry(pin).exists():  # that other run did it
            return
        for name, way in ways.WAYS.items():
            if name not in pin.ways:
                continue
            try:
                with cache.staging(pin) as into:
                    way(pin, into, progress)
                    if "on_path" in pin.ways:
                        ways.check_version(pin, into / pin.name)
                return
            except WayError as reason:
                reasons.append(f"{name}: {reason}")
    tried = "\n".join(f"  {reason}" for reason in reasons)
    raise ToolError(f"{pin} cannot be had here:\n{tried}\nOne of these must work.")
