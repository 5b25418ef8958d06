"""What every command has in common: arguments that a refusal never repeats, and a system on which it runs."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

_WSL = "this needs Linux or macOS. On Windows, run it in WSL: https://learn.microsoft.com/windows/wsl"
# what argparse says of an option without a word of what was given
_HARMLESS = re.compile(r"expected (?:one argument|\d+ arguments)|not allowed with argument --[a-z-]+")


def runs_here(command: str) -> bool:
    """Whether this system has what the commands need: locks on files and signals as POSIX has them. Else it is said."""
    if find_spec("fcntl") and find_spec("resource"):
        return True
    print(f"{command}: {_WSL}", file=sys.stderr)
    return False


class Parser(argparse.ArgumentParser):
    """A parser of arguments. Of what was given its refusals say the place, never the text: it may be a credential.

    An option's help says what is accepted; `hint` is added where an argument is no option at all.
    """

    hint = ""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options in `arguments`. Ends the process with 2, and one line on stderr, where they are wrong."""
        options, rest = self.parse_known_args(arguments)
        if rest:
            place = [*arguments].index(rest[0]) + 1 if rest[0] in arguments else len(arguments)
            close = difflib.get_close_matches(rest[0].partition("=")[0], self._option_string_actions, 1, 0.7)
            meant = f" Did you mean {close[0]}?" if close else ""
            self.refuse(f"argument {place} is not known. It is not repeated here.{meant}{self.hint}")
        return options

    def error(self, message: str) -> NoReturn:
        """What argparse calls with a text that quotes what was given."""
        match = re.match(r"argument (\S+): (.*)", message, re.DOTALL)
        action = self._option_string_actions.get(match[1].partition("/")[0]) if match else None
        if match is None or action is None:
            short = message.startswith("ambiguous option")
            self.refuse("an option is cut so short that it may be one of two" if short else "this cannot be read")
        option, what = match[1], match[2]
        if _HARMLESS.fullmatch(what):
            self.refuse(f"{option}: {what}")
        accepted = "no value" if action.nargs == 0 else f"{action.metavar or 'a value'}: {action.help}"
        self.refuse(f"{option} takes {accepted}")

    def refuse(self, what: str) -> NoReturn:
        """End the process with 2 after the usage and this text, which repeats no argument."""
        super().error(what)
