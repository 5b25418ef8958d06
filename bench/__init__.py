"""What it costs, as ratios of things that were measured in turns in one run: `make bench`."""

import sys
from pathlib import Path

# the rules and the sealing of rendered repositories, as pyproject.toml has it for pytest
_TEMPLATE = Path(__file__).resolve().parent.parent / "template"
sys.path[:0] = [str(_TEMPLATE / "hooks"), str(_TEMPLATE / "tests")]
