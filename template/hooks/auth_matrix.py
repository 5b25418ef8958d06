#!/usr/bin/env python3
"""Prints the auth matrix of this repository as a table in Markdown."""

import sys

sys.path[: not getattr(sys.flags, "safe_path", 0)] = []  # this folder: no file beside this one is taken for a module
from pathlib import Path  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor"))
try:
    from litellm_gitops.auth_table import main
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed: uv run hooks/auth_matrix.py")
except KeyboardInterrupt:
    sys.exit(130)
sys.exit(main(ROOT))
