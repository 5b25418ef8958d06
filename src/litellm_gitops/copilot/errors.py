"""How a run ends: exit codes, and what each error of GitHub means for the person who logs in (errors.toml)."""

from __future__ import annotations

import enum
from functools import cache
from pathlib import Path
from typing import Any

from litellm_gitops.copilot.terminal import is_name

COMMAND = "uv run hooks/get_copilot_token.py"
_PACKAGES = {"yaml": "PyYAML", "ruamel": "ruamel.yaml"}  # modules that are not named like their package


class Exit(enum.IntEnum):
    """The exit codes, beside 130 for an interruption."""

    STORED = 0
    UNEXPECTED = 1
    USAGE = 2
    DENIED = 3
    EXPIRED = 4
    NETWORK = 5
    NO_SUBSCRIPTION = 6


class Stop(Exception):  # noqa: N818
    """The run ends here, with this exit code and a text that is safe to show."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def missing(module: str | None) -> Stop:
    """The end of a run in which `module` cannot be imported."""
    name = (module or "yaml").partition(".")[0]
    package = _PACKAGES.get(name, name)
    return Stop(Exit.UNEXPECTED, f"{package} is missing. `{COMMAND}` brings it; so does `pip install {package}`.")


@cache
def _texts() -> dict[str, dict[str, Any]]:
    import tomllib  # most runs do without

    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def flow_error(name: str) -> Stop:
    """What an error of the device flow means. `name` comes from the network and is shown only if it is a name."""
    if name in _texts()["flow"]:
        code, text = _texts()["flow"][name]
        return Stop(Exit(code), text)
    shown = name if is_name(name) else "an error without a proper name"
    return Stop(Exit.UNEXPECTED, f"GitHub answers {shown}, which is unknown here. Nothing was stored.")


def refusal(notification: str) -> str | None:
    """Why Copilot refuses an account, and what to do, by notification id; None for an unknown one."""
    return _texts()["refusals"].get(notification)
