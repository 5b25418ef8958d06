"""The last step of a rendering: seal the Secrets of the new repository, in which copier runs this.

A repository that could not be sealed is still a repository: what is missing is named, with the command that seals it
later, and copier goes on.
"""

from __future__ import annotations

import subprocess
import sys

SEAL = "hooks/seal_secrets.py"


def main() -> int:
    """Run the repository's own sealing; the result is always 0, except when it was interrupted."""
    code = subprocess.run([sys.executable, "-B", SEAL], check=False).returncode
    if code not in (0, 3):
        print(
            f"\nThe Secrets are not sealed yet. When that is mended: python {SEAL}", file=sys.stderr
        )
    return code if code == 130 else 0


if __name__ == "__main__":
    sys.exit(main())
