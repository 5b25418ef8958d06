"""litellm/checksums-<cluster>.yaml: the digest of each sealed Secret, so that a changed Secret restarts the pods."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from litellm_gitops.documents import Place, merge
from litellm_gitops.repository import Cluster, secret_name

_HEAD = (
    "# The digest of each sealed Secret, so that a changed Secret restarts the pods. Made by hooks/seal_secrets.py.\n"
)


def used(cluster: Cluster) -> list[str]:
    """The sealed files of a cluster that are in use: those that are wanted, and the operator's own."""
    known = cluster.repository.matrix.secrets
    return [
        file for file in cluster.sealed_files if secret_name(file) in cluster.wanted or secret_name(file) not in known
    ]


def digest(content: bytes) -> str:
    """What stands for the content of a sealed file: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def values(cluster: Cluster, digests: Mapping[str, str]) -> dict[str, Any]:
    """What the checksums file gives the chart, for these digests by the names of the Secrets."""
    chart = cluster.repository.chart
    annotations = {f"checksum/{name}": each for name, each in sorted(digests.items())}
    found = _nested((chart.name, *chart.pod_annotations), annotations)
    redis = "checksum/litellm-redis"
    if cluster.repository.answers.get("redis") == "bundled" and redis in annotations:
        # Redis takes its password when it starts, as the proxy does
        found = merge(found, _nested((chart.name, *chart.redis_pod_annotations), {redis: annotations[redis]}))
    return found


def text(cluster: Cluster, digests: Mapping[str, str]) -> str:
    """The text of the checksums file for these digests."""
    return _HEAD + yaml.safe_dump(values(cluster, digests), sort_keys=False, width=200)


def _nested(place: Place, value: Any) -> dict[str, Any]:
    for part in reversed(place):
        value = {part: value}
    return dict(value)
