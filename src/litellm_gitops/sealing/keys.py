"""age keys of the clusters: one for each, made by age-keygen or, without it, by pyrage."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from litellm_gitops.files import Held, search_path
from litellm_gitops.sealing import login, sops
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


def at_hand(root: Path, held: Held) -> dict[str, str]:
    """Public keys whose private keys are here -> the file below keys/, or the place where sops looks, that holds them.

    What came by git, `held`, proves nothing: neither does a folder that is a link or a repository of its own.
    """
    found: dict[str, str] = {}
    for path in sorted((root / FOLDER).glob("*.agekey")):
        if not path.is_symlink() and not path.parent.is_symlink() and not held.holds(path):
            found.update(dict.fromkeys(_publics(_text(path)), f"{FOLDER}/{path.name}"))
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path(os.environ.get("HOME", "/"), ".config"))
    user = {"SOPS_AGE_KEY_FILE": os.environ.get("SOPS_AGE_KEY_FILE"), "~/.config": f"{config}/sops/age/keys.txt"}
    texts = {name: _text(Path(file)) for name, file in user.items() if file and not held.holds(Path(file))}
    for name, text in {"SOPS_AGE_KEY": os.environ.get("SOPS_AGE_KEY", ""), **texts}.items():
        for public in _publics(text):
            found.setdefault(public, name)
    return found


def of_command(root: Path) -> dict[str, str]:
    """The same for what SOPS_AGE_KEY_CMD prints, which sops runs without a shell, too.

    Raises SealingError where it names what lies in the repository.
    """
    try:
        command = shlex.split(login.command("SOPS_AGE_KEY_CMD", root))
        env = {**os.environ, "PATH": search_path(root)}
        answer = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return {}
    return dict.fromkeys(_publics(answer.stdout), "SOPS_AGE_KEY_CMD")


def _publics(text: str) -> Iterator[str]:
    """The public keys of the private ones in a text; as its comments name them where pyrage is missing."""
    try:
        import pyrage
    except ImportError:
        yield from _PUBLIC.findall(text)
        return
    for key in re.findall(r"AGE-SECRET-KEY-1[A-Z0-9]+", text):
        try:
            yield str(pyrage.x25519.Identity.from_str(key).to_public())
        except Exception:  # no key, and pyrage's errors have no common class
            continue


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


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
