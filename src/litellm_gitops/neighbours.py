"""In which block a key of values stood before it was moved one step out: the one above it in the file."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.documents import Document, Place, dig, mapping
from litellm_gitops.repository import Repository


def block_above(repository: Repository, schema: Any, layer: Document, path: Place) -> str:
    """The key right above the last one of `path`, whose mapping knows that one; empty where it does not.

    `schema` is that of the mapping around both.
    """
    chart, version = repository.chart, str(repository.answers.get("kubernetes_version"))
    keys = [*map(str, mapping(dig(layer.value, *path[:-1])))]
    name = str(path[-1])
    above = next((key for key, after in pairwise(keys) if after == name), "")
    if name in mapping(dig(schema, "properties", above, "properties")):
        return above
    for kind, table in (("Deployment", chart.deployment), ("Job", chart.job)):
        there = table.get((*path[1:-1], above))
        if above and there and version in schemas.versions():
            api = "apps/v1" if kind == "Deployment" else "batch/v1"
            known = schemas.unknown_part(version, api, kind, [*map(str, there), name]) is None
            return above if known and mapping(dig(layer.value, *path[:-1], above)) else ""
    return ""
