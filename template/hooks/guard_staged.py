#!/usr/bin/env python3
"""Refuses a commit of an unsealed Secret or a plaintext credential; .pre-commit-config.yaml runs it."""

import sys

sys.path[: not getattr(sys.flags, "safe_path", 0)] = []  # this folder: no file beside this one is taken for a module
from pathlib import Path  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor"))
try:
    from litellm_gitops.guard import main
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed: uv run hooks/guard_staged.py")
except KeyboardInterrupt:
    sys.exit(130)
sys.exit(main(ROOT))
