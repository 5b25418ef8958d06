"""Plays KSOPS: kustomize's exec function that decrypts sops files with `sops decrypt`.

It reads a ResourceList on stdin (the KRM function specification) whose functionConfig lists
`files`, and answers with a ResourceList of the decrypted manifests.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import yaml

# By the exit codes of `sops`: usererrors.go and decrypt/decrypt.go of getsops/sops.
LIBRARY = {
    128: "Error getting data key: 0 successful groups required, got 0",
    51: "Failed to verify data integrity",
}


def main() -> int:
    """Runs the function; its exit code."""
    request: dict[str, Any] = yaml.safe_load(sys.stdin)
    items = list(request.get("items") or ())
    for file in request["functionConfig"].get("files", ()):
        answer = subprocess.run(
            ["sops", "decrypt", "--output-type", "yaml", file],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            # the library in KSOPS says these two in other words than the program
            said = " ".join(answer.stderr.split())
            reason = LIBRARY.get(answer.returncode, said)
            print(f'error decrypting file "{file}" from manifest.Files: {reason}', file=sys.stderr)
            return 1
        items += [document for document in yaml.safe_load_all(answer.stdout) if document]
    response = {"apiVersion": request["apiVersion"], "kind": "ResourceList", "items": items}
    yaml.safe_dump(response, sys.stdout, sort_keys=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
