"""Plays the command `flux` as far as the README uses it.

`install` asks the tests, which run the controllers, through a file beside the kubeconfig, and waits
for their answer; `reconcile` sets the annotation that the real one sets.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

KINDS = {
    "source git": "gitrepository",
    "kustomization": "kustomization",
    "helmrelease": "helmrelease",
}


def main(arguments: list[str]) -> int:
    """Runs the command; its exit code."""
    match arguments:
        case ["install"]:
            return _ask(Path(os.environ["KUBECONFIG"]).parent)
        case ["reconcile", *kind, name] if " ".join(kind) in KINDS:
            annotation = f"reconcile.fluxcd.io/requestedAt={time.time():.6f}"
            command = ["kubectl", "annotate", "--namespace=flux-system", "--overwrite"]
            command += [f"{KINDS[' '.join(kind)]}/{name}", annotation]
            return subprocess.run(command, check=False).returncode
    print(f"flux {' '.join(arguments)}: the tests do not know this command", file=sys.stderr)
    return 2


def _ask(cluster: Path) -> int:
    """Asks for the installation; it is there when the request is gone."""
    request = cluster / "flux-install.request"
    request.touch()
    for _ in range(1200):
        if not request.exists():
            return 0
        time.sleep(0.1)
    print("flux install: nobody answered", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
