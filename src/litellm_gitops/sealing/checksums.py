"""litellm/checksums-<cluster>.yaml: the digest of each sealed Secret, so that a changed Secret restarts the pods."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from litellm_gitops.documents import Place, dig, mapping, merge
from litellm_gitops.repository import Cluster, WantedSecret, secret_name

_HEAD = (
    "# The digest of each sealed Secret, so that a changed Secret restarts the pods. Made by hooks/seal_secrets.py.\n"
)


def used(cluster: Cluster) -> list[str]:
    """The sealed files of a cluster that are in use: those that are wanted, and the operator's own."""
    known = cluster.repository.matrix.secrets
    files = [file for file in cluster.sealed_files if not is_misplaced(cluster, file)]
    return [file for file in files if secret_name(file) in cluster.wanted or secret_name(file) not in known]


def other_ending(secret: WantedSecret) -> str:
    """The file in which no engine looks for a Secret that is needed, and which yet holds it."""
    return f"{secret.file.removesuffix('.yaml')}.yml"


def is_misplaced(cluster: Cluster, file: str) -> bool:
    """Whether a sealed file holds a Secret that is needed, under the ending that the file of that Secret has not."""
    secret = cluster.wanted.get(secret_name(file))
    return secret is not None and file == other_ending(secret)


def digest(content: bytes) -> str:
    """What stands for the content of a sealed file: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def written(cluster: Cluster) -> dict[str, str]:
    """The digests that the checksums file has, by the names of the Secrets."""
    document, chart = cluster.repository.document(cluster.checksums_file), cluster.repository.chart
    found = mapping(dig(document.value if document else None, chart.name, *chart.pod_annotations))
    return {str(name).removeprefix("checksum/"): str(digest) for name, digest in found.items()}


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
