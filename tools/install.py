"""Finds a tool, or installs it in the first way that works."""

from __future__ import annotations

from pathlib import Path

from tools import cache, ways
from tools.errors import ToolError, WayError
from tools.pins import Pin, find
from tools.progress import Progress


def path(name: str) -> Path:
    """The absolute path of the program or folder `name`, installed first where it is missing.

    Tells its progress on stderr. Raises `ToolError` for an unknown name, for a download with the
    wrong checksum, and when no way works; the last names each way and why it failed.
    """
    return obtain(find(name))


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
