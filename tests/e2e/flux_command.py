"""Plays the command `flux` as far as the README uses it.

`install` asks the tests, which run the controllers, through a file beside the kubeconfig, and waits
for their answer; `reconcile` sets the annotation that the real one sets; `suspend` and `resume` the field, and `resume`
waits until the object is ready, as the real one does.
"""

from __future__ import annotations

import json
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
        case ["suspend" | "resume" as verb, *kind, name] if " ".join(kind) in KINDS:
            return _suspend(f"{KINDS[' '.join(kind)]}/{name}", verb == "suspend")
    print(f"flux {' '.join(arguments)}: the tests do not know this command", file=sys.stderr)
    return 2


def _suspend(thing: str, suspended: bool) -> int:
    """Stops Flux's work on an object, or lets it go on and waits for it; the exit code."""
    kubectl = ["kubectl", "--namespace=flux-system"]
    patch = f'{{"spec": {{"suspend": {str(suspended).lower()}}}}}'
    if code := subprocess.run([*kubectl, "patch", thing, "--type=merge", f"--patch={patch}"], check=False).returncode:
        return code
    for _ in range(0 if suspended else 6000):
        answer = subprocess.run([*kubectl, "get", thing, "--output=json"], check=True, capture_output=True, text=True)
        found = json.loads(answer.stdout)
        status = found.get("status", {})
        ready = [each for each in status.get("conditions", ()) if each["type"] == "Ready" and each["status"] == "True"]
        if ready and status.get("observedGeneration") == found["metadata"]["generation"]:
            return 0
        time.sleep(0.1)
    return 0 if suspended else 1


def _ask(cluster: Path) -> int:
    """Asks for the installation; it is there when the request is gone."""
    request = cluster / "flux-install.request"
    request.touch()
    for _ in range(6000):
        if not request.exists():
            return 0
        time.sleep(0.1)
    print("flux install: nobody answered", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
