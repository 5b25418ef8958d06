"""The demo: answers and inputs become build/demo, a sealed repository, and its suite proves it.

The inputs are made up for each run, as Terraform and the device flow would leave them, into build/inputs. What the
repository pins is the commit of this checkout; what is not committed has none, so its suite runs in this environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tools
from tests.support.inputs import Inputs

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "build" / "demo"
INPUTS = ROOT / "build" / "inputs"
ANSWERS = ROOT / "examples" / "answers" / "demo.yml"


def main() -> int:
    """Render, seal and validate the demo; the result is the exit code of its suite."""
    shutil.rmtree(DEMO, ignore_errors=True)
    shutil.rmtree(INPUTS, ignore_errors=True)
    Inputs().write(INPUTS)
    path = os.pathsep.join([str(tools.path("sops").parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "LITELLM_GITOPS_INPUTS": str(INPUTS), "PYTHONPATH": str(ROOT / "src")}
    # an archive of this project has no commit to pin
    tooling = "pinned" if (ROOT / ".git").exists() else "vendored"
    given = ["--data-file", str(ANSWERS), "--data", f"tooling={tooling}"]
    copy = ["copy", "--trust", "--defaults", "--quiet", "--vcs-ref", "HEAD", *given, str(ROOT), str(DEMO)]
    steps = [
        [sys.executable, "-W", "ignore", "-m", "copier", *copy],
        # the suite asks git what it ignores, so the demo is a repository of its own
        ["git", "-C", str(DEMO), "init", "--quiet", "--initial-branch", "main"],
        ["git", "-C", str(DEMO), "add", "."],
        [sys.executable, str(DEMO / "hooks" / "seal_secrets.py"), "--list"],
        [sys.executable, "-m", "pytest", "-c", str(DEMO / "pyproject.toml"), str(DEMO / "tests")],
    ]
    for step in steps:
        code = subprocess.run(step, env=environment, cwd=ROOT / "build", check=False).returncode
        if code:
            return code
    print(f"\n{DEMO.relative_to(ROOT)} is complete: its README.md is where to begin.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
