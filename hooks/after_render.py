"""The last step of a rendering or an update, in the repository itself: say which answers changed, seal what is missing.

A repository that could not be sealed is still a repository: what is missing is named, with the command that seals it
later, and copier goes on.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ANSWERS = ".copier-answers.yml"
SEAL = "hooks/seal_secrets.py"
INPUTS = "LITELLM_GITOPS_INPUTS"


def main() -> int:
    """Run the repository's own sealing; the result is 0 unless it was interrupted."""
    report_answers()
    code = seal()
    if code not in (0, 3):
        tell(f"\nThe Secrets are not sealed yet. When that is mended: python {SEAL}")
    return code if code == 130 else 0


def tell(text: str) -> None:
    """A line on stderr. Where it cannot go it is lost: a failure here would have copier remove the new repository."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def seal() -> int:
    """Run the repository's hooks/seal_secrets.py in this interpreter, as `python -B` would; its exit code."""
    sys.dont_write_bytecode = True
    # copier runs this in the new repository; a relative path is meant from where it was started
    inputs = Path(os.environ.get("PWD", "."), os.environ.get(INPUTS, ""))
    if os.environ.get(INPUTS) and inputs.is_dir():
        os.environ[INPUTS] = str(inputs)
    sys.argv = [SEAL]
    sys.path[0] = str(Path(SEAL).parent.resolve())
    try:
        runpy.run_path(SEAL, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:  # while it was still being loaded
        return 130
    except Exception as error:  # a merge may have left code that does not run
        tell(f"{SEAL}: {type(error).__name__}: {error}")
        return 1
    finally:
        sys.stdout.flush()
    return 0


def report_answers() -> None:
    """Name the answers that differ from those of the last commit: copier drops one that is no longer accepted, or takes
    its default, without a word."""
    before = committed()
    after = yaml.safe_load(Path(ANSWERS).read_text("utf-8")) if before else {}
    for name in before:
        if name.startswith("_") or before[name] == after.get(name):
            continue
        if name in after:
            tell(f"answer changed: {name} was {before[name]!r}, is {after[name]!r}")
            if name == "cluster_environments":
                report_abandoned([each for each in before[name] if each not in after[name]])
        elif before[name]:
            tell(f"answer dropped: {name} was {before[name]!r}; nothing that is chosen needs it")


def report_abandoned(environments: list[str]) -> None:
    """Say that a cluster whose environment goes still runs what it runs: its engine only loses sight of it."""
    for environment in environments:
        tell(
            f"{environment}: its cluster keeps the proxy and its credentials. Before you push this, remove them there "
            'as README.md of the last commit says under "Remove"'
        )


def committed() -> dict[str, Any]:
    """The answers of the last commit; none in a repository that is new."""
    show = subprocess.run(["git", "show", f"HEAD:./{ANSWERS}"], capture_output=True, text=True, check=False)
    answers = yaml.safe_load(show.stdout) if show.returncode == 0 else None
    return answers if isinstance(answers, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
