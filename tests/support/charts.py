"""The tests' stand-ins for LiteLLM's two charts, and what helm makes of values with them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

import tools

CHARTS = Path(__file__).parent.parent / "e2e" / "charts"
NAMES = ("litellm-helm", "litellm")


class RefusedError(Exception):
    """Helm renders nothing of these values; what it says."""


def rendered(chart: str, values: dict[str, Any]) -> dict[str, Any]:
    """The objects of a release `litellm` by "Kind/name", with these values of the chart; raises `RefusedError`."""
    command: list[str | Path] = [tools.path("helm"), "template", "--skip-tests", "litellm", CHARTS / chart]
    done = subprocess.run(
        [*command, "--namespace=litellm", "--values=-"],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RefusedError(done.stderr)
    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}
