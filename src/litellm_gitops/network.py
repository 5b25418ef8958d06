"""Where the pods of a cluster go: the hosts and addresses of its providers and methods, its database and its Redis.

includes/network.jinja renders network policies of the same data, policies/auth-matrix.yml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from litellm_gitops.documents import mapping, sequence, text
from litellm_gitops.policies import Value
from litellm_gitops.repository import Cluster

PROXY, METRICS, PROVIDERS, DATABASE, REDIS, NAMES = 4000, 4001, 443, 5432, 6379, 53  # ports


def hosts(cluster: Cluster) -> list[str]:
    """The hosts that the proxy calls and logs in to by TLS, sorted; * is any text without a dot."""
    filled = filter(None, map(cluster.filled, _values(cluster)))
    return sorted({urlsplit(value).hostname or value if "://" in value else value for value in filled})


def addresses(cluster: Cluster) -> dict[str, int]:
    """The addresses inside of the node where it logs in, as ranges, with their ports."""
    return {address: port for login in cluster.logins.values() for address, port in login.addresses.items()}


def stores(cluster: Cluster) -> list[int]:
    """The ports of the database, and of Redis where there is one."""
    redis = cluster.repository.answers.get("redis")
    port = text(cluster.answer("redis_host")).partition(":")[2] if redis == "external" else ""
    return [DATABASE, *([int(port) if port.isdecimal() else REDIS] if redis in ("external", "bundled") else [])]


def names_over(entries: Iterable[Any]) -> set[str]:
    """The protocols over which rules of NetworkPolicies let names be looked up, also by an entry for every port."""
    found = set[str]()
    for ports in (sequence(mapping(entry).get("ports")) for entry in entries):
        named = [each for each in map(mapping, ports) if each.get("port") in (NAMES, None) or "endPort" in each]
        # one by its name, such as dns, is that of other pods
        found |= {text(each.get("protocol")) or "TCP" for each in named} if ports else {"TCP", "UDP"}
        found |= {"UDP" for each in map(mapping, ports) if isinstance(each.get("port"), str)}
    return found


def _values(cluster: Cluster) -> Iterator[Value]:
    for name in cluster.method_names:
        provider = cluster.repository.matrix.providers[name]
        others = [
            choices[given]
            for answer, choices in provider.hosts_by_answer.items()
            if (given := text(cluster.repository.answers.get(answer))) in choices
        ]
        yield from others[0] if others else provider.hosts
    for login in cluster.logins.values():
        yield from login.hosts
