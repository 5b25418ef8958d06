#!/usr/bin/env python3
"""Print the auth matrix of this repository as a Markdown table: environment, provider, method, Secret, state."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from seal_secrets import state
from sealing import creation_rules
from sealing.errors import SealingError
from sealing.policy import Repository, read_manifest

_ROOT = Path(__file__).resolve().parent.parent
_MATRIX = "policies/auth-matrix.yml"
_HEAD = ("environment", "provider", "method", "Secret", "state")


def main() -> int:
    """Print the table; the result is an exit code of sealing.errors."""
    try:
        rows = list(_rows(Repository(_ROOT)))
    except SealingError as error:
        print(f"auth_matrix: {error}", file=sys.stderr)
        return error.code
    for row in (_HEAD, ("---",) * len(_HEAD), *rows):
        print(f"| {' | '.join(row)} |")
    return 0


def _rows(repository: Repository) -> Iterator[tuple[str, ...]]:
    try:
        matrix = yaml.safe_load((_ROOT / _MATRIX).read_text("utf-8"))
    except (OSError, yaml.YAMLError, ValueError):
        raise SealingError(f"{_MATRIX} cannot be read: take it from git history") from None
    answers = repository.answers
    config = creation_rules.load(_ROOT)
    for environment in repository.environments:
        sealed = {secret.name: secret for secret in repository.wanted(environment)}
        for provider in answers.get("providers") or []:
            try:
                allowed = matrix["cells"][environment][provider]
                method: dict[str, Any] = matrix["methods"][answers.get(f"{provider}_auth_{environment}", allowed[0])]
                name = method.get("secret")
                cells = (environment, matrix["providers"][provider]["name"], method["name"])
                secret = sealed[name] if name else None
            except (KeyError, IndexError, TypeError, AttributeError):
                raise SealingError(
                    f"{_MATRIX} has no method with its Secret for {provider} in {environment}, which the answers "
                    "choose: correct .copier-answers.yml, or take both files from git history"
                ) from None
            status = "needs none"
            if secret:
                path = secret.path(_ROOT)
                manifest = read_manifest(path) if path.is_file() else {}
                status = state(repository, config, secret, manifest)
            yield (*cells, f"`{name}`" if name else "none", status)


if __name__ == "__main__":
    sys.exit(main())
