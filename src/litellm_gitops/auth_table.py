"""Print the auth matrix of a repository as a Markdown table: cluster, provider, method, Secret, state."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from litellm_gitops.command_line import runs_here
from litellm_gitops.findings import UnreadableError
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import state

_HEAD = ("cluster", "provider", "method", "Secret", "state")


def main(root: Path, arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0, or 1 where the answers or the policies cannot be read."""
    if not runs_here("auth_matrix"):
        return 1
    try:
        rows = list(_rows(Repository(root)))
    except UnreadableError as error:
        print(f"auth_matrix: {error}", file=sys.stderr)
        return 1
    for row in (_HEAD, ("---",) * len(_HEAD), *rows):
        print(f"| {' | '.join(row)} |")
    return 0


def _rows(repository: Repository) -> Iterator[tuple[str, ...]]:
    states = state.states(repository)
    for cluster in repository.clusters:
        for method in cluster.logins.values():
            provider = repository.matrix.providers.get(method.provider)
            secret = cluster.wanted[method.secret].file if method.secret in cluster.wanted else ""
            shown = f"`{method.secret}`" if method.secret else "none"
            known = states.get(secret, "not listed") if method.secret else "keyless"
            yield cluster.name, provider.name if provider else "PostgreSQL", method.name, shown, known
