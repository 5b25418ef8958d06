"""`--show FILE`: what git's textconv calls, for any version of a sealed file that somebody's commit may hold."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from litellm_gitops.documents import LOADER
from litellm_gitops.sealing import keys
from litellm_gitops.sealing.errors import DONE, FAILED, SealingError
from litellm_gitops.sealing.recipients import Rule, of_file
from litellm_gitops.sealing.report import note
from litellm_gitops.sealing.sealed_file import Kind, check, only
from litellm_gitops.sealing.sops import Sops


def show(root: Path, file: Path) -> int:
    """Print a sealed file in plaintext where a private age key at hand opens it, else as it is; an exit code.

    No rule says for whom an old version was sealed, so only age is asked for its key: nobody can be called.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        note(f"seal_secrets: {file}: {error.strerror}")
        return FAILED
    sys.stdout.write(_opened(root, content.decode("utf-8", "replace")))
    sys.stdout.flush()
    return DONE


def _opened(root: Path, text: str) -> str:
    try:
        named = of_file(yaml.load(text, LOADER))["age"]
        rule = Rule({"age": named})
        bare = only(text, rule)
        if any(flaw.kind is not Kind.RULE for flaw in check(bare, rule)):
            return text
        places = [place for public, place in keys.at_hand(root, ()).items() if public in named]
        files = [root / place for place in places if place.startswith(f"{keys.FOLDER}/")]
        manifest = Sops(root).decrypt(bare, "it", files[0] if files else None)
        return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
    except (SealingError, yaml.YAMLError, ValueError, RecursionError):
        return text
