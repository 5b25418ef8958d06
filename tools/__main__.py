"""`python -m tools NAME…`: prints the path of each tool, and installs what is missing."""

from __future__ import annotations

import argparse
import sys

from tools.errors import ToolError
from tools.install import paths, state
from tools.pins import find, load, used_by

DESCRIPTION = """\
Prints the path of a tool on stdout, and installs it first where it is missing (into
$XDG_CACHE_HOME/litellm-gitops or ~/.cache/litellm-gitops). Progress goes to stderr.
"""
EPILOG = """\
NAME is the name of a tool, or a make target for all that it needs (test, e2e). `list` shows every
tool with its version, the targets that use it and where it is.
Exit codes: 0 done, 1 a tool cannot be had, 2 usage, 130 interrupted.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    names = parser.parse_args(arguments).names
    try:
        if names == ["list"]:
            for pin in load().values():
                users = ",".join(pin.used_by) or "-"
                print(f"{pin.name:26} {pin.version:12} {users:9} {state(pin)}")
            return 0
        pins = [pin for name in names for pin in used_by(name) or [find(name)]]
    except ToolError as error:
        parser.error(str(error))
    try:
        for found in paths(pins):
            print(found, flush=True)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was complete stays in the cache", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
