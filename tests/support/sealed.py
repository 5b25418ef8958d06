"""Rendered repositories as their operators use them: the commands of hooks/, and the real sops to look inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tools
from tests.support.warm import package


def environment(inputs: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of an operator's shell: sops on PATH, and where the inputs are."""
    path = os.pathsep.join([str(tools.path("sops").parent), "/usr/bin", "/bin"])
    shell = {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", **more}
    return {**shell, "LITELLM_GITOPS_INPUTS": str(inputs)} if inputs else shell


def seal(
    root: Path,
    *arguments: str,
    inputs: Path | None = None,
    stdin: str | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the repository's own hooks/seal_secrets.py, without the time of its imports."""
    program = root / "hooks" / "seal_secrets.py"
    # the command works from any folder
    return package().run(program, *arguments, cwd=root.parent, env=env or environment(inputs), stdin=stdin)


# The journal is in place, then the first file; the second is not.
_DYING = """
import os
from pathlib import Path
from litellm_gitops.sealing.commands import main
replace, count = Path.replace, []
def die(self, target):
    count.append(".sealing" in Path(self).parts)
    if sum(count) == 3: os._exit(9)
    return replace(self, target)
Path.replace = die
main(Path.cwd(), ["--rotate", "litellm-masterkey"])
"""


def die_in_between(root: Path, inputs: Path) -> None:
    """A rotation of the master key that ends, as by kill -9, after it has put one file of several in place."""
    command = [sys.executable, "-B", "-c", _DYING]
    assert subprocess.run(command, cwd=root, env=environment(inputs), check=False).returncode == 9


def decrypt(path: Path, key: Path) -> dict[str, str]:
    """The plaintext values of a sealed Secret, by the real sops with this private key alone."""
    answer = subprocess.run(
        [str(tools.path("sops")), "decrypt", "--output-type", "json", str(path)],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "SOPS_AGE_KEY_FILE": str(key)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, f"sops cannot decrypt {path.name}: exit code {answer.returncode}"
    manifest: dict[str, Any] = json.loads(answer.stdout)
    return dict(manifest["stringData"])


def encrypt(manifest: dict[str, Any] | str, path: Path, root: Path) -> None:
    """Seal a manifest of an operator's own by the rule of its path, as he does it with sops."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    kind = "yaml" if isinstance(manifest, str) else "json"
    answer = subprocess.run(
        [
            *(str(tools.path("sops")), "encrypt", "--filename-override", str(path)),
            *("--input-type", kind, "--output-type", "yaml"),
        ],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        input=text.encode(),
        cwd=root,
        capture_output=True,
        timeout=60,
        check=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(answer.stdout)


def opened(root: Path, which: str = "*/*") -> dict[tuple[str, str], dict[str, str]]:
    """Every sealed Secret of a repository in plaintext, or those of a pattern: (environment, name) -> values."""
    return {
        (path.parent.name, path.name.removesuffix(".sops.yaml")): decrypt(
            path, root / "keys" / f"{path.parent.name}.agekey"
        )
        for path in sorted(root.glob(f"secrets/{which}.sops.yaml"))
    }


def content(root: Path) -> dict[str, bytes]:
    """Every file of a repository, by its path; what a test compares before and after."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """The files that were written, removed or added."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
