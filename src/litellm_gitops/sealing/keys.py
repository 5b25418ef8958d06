"""age keys of the clusters: one for each, made by age-keygen or, without it, by pyrage."""

from __future__ import annotations

import datetime
import re
import subprocess
from pathlib import Path

from litellm_gitops.sealing import sops
from litellm_gitops.sealing.errors import NO_SOPS, SealingError

FOLDER = "keys"
_PUBLIC = re.compile(r"# public key: (age1[02-9ac-hj-np-z]{58})")


def make(root: Path) -> tuple[str, str]:
    """A new key: (text of its file, as age-keygen writes it; its public key).

    Raises SealingError when neither age-keygen nor pyrage is there.
    """
    program = sops.find("age-keygen", root)
    if program:
        answer = subprocess.run([program], capture_output=True, text=True, timeout=30, check=False, env={})
        found = _PUBLIC.search(answer.stdout)
        if answer.returncode == 0 and found:
            return answer.stdout, found[1]
    try:
        import pyrage
    except ImportError:
        raise SealingError(
            "no tool to make an age key is there: install age (https://github.com/FiloSottile/age), run copier as "
            "`uvx --with ruamel.yaml --with pyrage copier …`, or answer age_recipients with public keys of your own",
            NO_SOPS,
        ) from None
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    created = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"# created: {created}\n# public key: {public}\n{identity}\n", public


def public_key(file: Path) -> str:
    """The public key that a key file names. Raises SealingError when it names none."""
    found = _PUBLIC.search(file.read_text("utf-8"))
    if not found:
        name = f"{FOLDER}/{file.name}"
        raise SealingError(f"{name} has no line `# public key: age1…`: add it (`age-keygen -y {name}` prints it)")
    return found[1]


def tighten(root: Path) -> list[str]:
    """Take what others may do with keys/ and the private keys in it away; the paths for which that was needed.

    Raises OSError where they belong to somebody else.
    """
    folder = root / FOLDER
    paths = [folder, *sorted(folder.glob("*.agekey"))] if folder.is_dir() and not folder.is_symlink() else []
    opened = [path for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077]
    for path in opened:
        path.chmod(path.stat().st_mode & 0o700)
    return [path.relative_to(root).as_posix() for path in opened]
