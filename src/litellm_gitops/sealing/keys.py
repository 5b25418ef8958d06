"""age keys of the clusters: one for each environment, made by age-keygen or, without it, by pyrage."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from pathlib import Path

from sealing.errors import NO_SOPS, SealingError

_PUBLIC = re.compile(r"# public key: (age1[02-9ac-hj-np-z]{58})")


def path(root: Path, environment: str) -> Path:
    """Where the private key of an environment lies, when it was made here."""
    return root / "keys" / f"{environment}.agekey"


def make() -> tuple[str, str]:
    """A new key: (text of its file, as age-keygen writes it; its public key).

    Raises SealingError when neither age-keygen nor pyrage is there.
    """
    program = shutil.which("age-keygen")
    if program:
        answer = subprocess.run([program], capture_output=True, text=True, timeout=30, check=False, env={})
        found = _PUBLIC.search(answer.stdout)
        if answer.returncode == 0 and found:
            return answer.stdout, found[1]
    try:
        import pyrage
    except ImportError:
        raise SealingError(
            "no tool to make an age key is there: install age (https://github.com/FiloSottile/age) or "
            "`pip install pyrage`, or answer age_recipients with public keys of your own",
            NO_SOPS,
        ) from None
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    created = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"# created: {created}\n# public key: {public}\n{identity}\n", public


def is_public(text: str) -> bool:
    """Whether this is an age public key, its checksum included; a text of its form is taken for one without pyrage."""
    try:
        import pyrage
    except ImportError:
        return True
    try:
        pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        return False
    return True


def public_key(file: Path) -> str:
    """The public key that a key file names. Raises SealingError when it names none."""
    found = _PUBLIC.search(file.read_text("utf-8"))
    if not found:
        raise SealingError(
            f"keys/{file.name} has no line `# public key: age1…`: add it (`age-keygen -y keys/{file.name}` prints it)"
        )
    return found[1]
