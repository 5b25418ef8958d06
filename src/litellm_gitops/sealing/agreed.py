"""policies/recipients.yml: for whom else than for its own key a cluster is sealed, since somebody agreed to it.

Where no recipients were answered, a key is made for each cluster, and that one alone is expected. Who comes later is
written here by the run that seals for him, so that he shows in a review twice, and `.sops.yaml` alone is not enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from litellm_gitops.documents import mapping, texts
from litellm_gitops.repository import Cluster, Repository
from litellm_gitops.sealing.recipients import is_age_key, named

AGREED = "policies/recipients.yml"
_HEAD = (
    "# Who can read the Secrets of a cluster beside the key that was made for it. Made by hooks/seal_secrets.py, once\n"
    "# somebody agreed. A recipient of .sops.yaml that is not here is a finding.\n"
)


def difference(cluster: Cluster, entry: Mapping[str, Any]) -> str:
    """What to say of the creation rule of a cluster that names others than were agreed to; empty where it does not.

    Where recipients were answered, the answers say who may read, and not this file.
    """
    if texts(cluster.repository.answers.get("age_recipients")):
        return ""
    recipients, listed = set(named(entry)), _listed(cluster.repository)
    if cluster.name not in listed:
        if _is_made(cluster, recipients):
            return ""
        return f"names {_list(recipients)}; one of them was made for it, and {AGREED} has none of the others"
    found = listed[cluster.name]
    parts = [f"names {_list(recipients - found)}, which {AGREED} does not have"] if recipients - found else []
    parts += [f"lacks {_list(found - recipients)}, which {AGREED} has"] if found - recipients else []
    return "; ".join(parts)


def text(repository: Repository, confirmed: Mapping[Cluster, Iterable[str]]) -> str | None:
    """The file with the recipients of these clusters, to all of whom somebody agreed; None where nothing changes."""
    if texts(repository.answers.get("age_recipients")):
        return None
    before = _listed(repository)
    names = {cluster.name for cluster in repository.clusters}
    after = {name: found for name, found in before.items() if name in names}
    for cluster, recipients in confirmed.items():
        if cluster.name in before or not _is_made(cluster, set(recipients)):
            after[cluster.name] = set(recipients)
    if after == before:
        return None
    return _HEAD + yaml.safe_dump({name: sorted(found) for name, found in sorted(after.items())}, width=200)


def _is_made(cluster: Cluster, recipients: set[str]) -> bool:
    """Whether it is one age key, and the cloud's that was answered."""
    others = recipients - set(cluster.kms.values())
    return len(others) <= 1 and all(map(is_age_key, others))


def _listed(repository: Repository) -> dict[str, set[str]]:
    document = repository.document(AGREED)
    return {str(name): set(texts(found)) for name, found in mapping(document.value if document else None).items()}


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
