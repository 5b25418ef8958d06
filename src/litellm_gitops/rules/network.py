"""Network policies: with the answer network_policy the pods reach what they need, and no credentials of their node."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from litellm_gitops import network
from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, edit, update
from litellm_gitops.repository import VALUES, Cluster, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import Identity, Object, expect, synced

# answer -> the kind, where it says for which pods it is
_KINDS = {
    "kubernetes": ("NetworkPolicy", ("spec", "podSelector")),
    "cilium": ("CiliumNetworkPolicy", ("spec", "endpointSelector")),
}
_LABELS = {"app.kubernetes.io/name": "litellm", "app.kubernetes.io/instance": "litellm"}  # of both pods
_METADATA = ipaddress.ip_address("169.254.169.254")  # of each of the three clouds
_EVERYWHERE = {"all", "world"}  # entities of Cilium that hold the addresses of the node's services


class _Peers(NamedTuple):
    """One rule of a policy: where, the ports (none: all), the names of hosts, whether the node's services are in it."""

    place: Place
    ports: frozenset[int]
    names: tuple[str, ...]
    has_metadata: bool

    def allows(self, port: int) -> bool:
        """Whether it is for a port."""
        return not self.ports or port in self.ports


@rule
def the_network_policy_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """It is there, for the pods of the release, and lets them be asked and ask at their ports."""
    for cluster, policy, selector in _policies(repository):
        labels = mapping(policy.get(*selector, "matchLabels"))
        if strange := labels.items() - _LABELS.items():
            what = f"it is for pods with the label {min(strange)[0]}, which those of the release do not have"
            yield policy.finding((*selector, "matchLabels"), what, _fix())
        wanted = {"ingress": [network.PROXY], "egress": [network.NAMES, network.PROVIDERS, *network.stores(cluster)]}
        if repository.answers.get("metrics") == "prometheus_operator":
            wanted["ingress"].append(network.METRICS)
            values = cluster.values
            place: Place = (*values.chart.metrics, "port") if values else ()
            if values and (port := values.get(*place)) not in (None, network.METRICS):
                if not any(each.allows(port) for each in _peers(policy, "ingress")):
                    what = f"the metrics are at port {port}, but the network policy lets {network.METRICS} through"
                    yield values.finding(place, what, edit(f"write {network.METRICS}, or open that port"), VALUES)
                wanted["ingress"].pop()
        for direction, ports in wanted.items():
            peers = list(_peers(policy, direction))
            for port in ports:
                if not any(each.allows(port) for each in peers):
                    yield policy.finding(("spec", direction), f"it lets nothing through at port {port}", _fix())


@rule
def the_network_policy_leads_to_the_providers(repository: Repository) -> Iterator[Finding]:
    """Cilium knows the hosts of the chosen providers and methods, and the addresses at which a method logs in."""
    for cluster, policy, _ in _policies(repository):
        egress = list(_peers(policy, "egress"))
        if policy.identity.kind == "CiliumNetworkPolicy":
            secured = [each for each in egress if each.allows(network.PROVIDERS)]
            known = [name for each in secured for name in each.names]
            for host in network.hosts(cluster):
                if not any(_covers(name, host) for name in known) and not any(each.has_metadata for each in secured):
                    yield policy.finding(("spec", "egress"), f"the proxy cannot reach {host}", _fix())
        for address, port in network.addresses(cluster).items():
            ranges = [entry for each in egress if each.allows(port) for entry in _ranges(policy.get(*each.place))]
            if not any(address == entry for entry, _ in ranges):
                yield policy.finding(("spec", "egress"), f"the proxy cannot log in at {address}, port {port}", _fix())


@rule
def no_pod_reaches_the_credentials_of_its_node(repository: Repository) -> Iterator[Finding]:
    """The address at which every cloud gives them is left out, unless a method logs in there."""
    for cluster, policy, _ in _policies(repository):
        needed = {str(port) for address, port in network.addresses(cluster).items() if _METADATA in _network(address)}
        for each in _peers(policy, "egress"):
            if each.has_metadata and {*map(str, each.ports)} - needed - {str(network.NAMES)} | {
                *([] if each.ports else [0])
            }:
                what = f"it lets pods reach {_METADATA}, where a node gives its own credentials to whoever asks"
                yield policy.finding(
                    each.place, what, update("network_policy", "none", first="leave out 169.254.0.0/16")
                )


def _policies(repository: Repository) -> Iterator[tuple[Cluster, Object, Place]]:
    kind, selector = _KINDS.get(text(repository.answers.get("network_policy")), ("", ()))
    for each in synced(repository) if kind else ():
        wanted = Identity(kind, f"{repository.namespace}/litellm")
        if policy := each.find(wanted):
            yield each.cluster, policy, selector


@rule
def every_cluster_has_its_network_policy(repository: Repository) -> Iterator[Finding]:
    """With the answer network_policy there is one."""
    kind, _ = _KINDS.get(text(repository.answers.get("network_policy")), ("", ()))
    for each in synced(repository) if kind else ():
        yield from expect(each, [Identity(kind, f"{repository.namespace}/litellm")])


def _fix() -> Any:
    return update("network_policy", "none", first="restore it")


# ---------------------------------------------------------------------------------------------------------------------
# What the two kinds say, as one


def _peers(policy: Object, direction: str) -> Iterator[_Peers]:
    for number, entry in enumerate(map(mapping, sequence(policy.get("spec", direction)))):
        listed = [*sequence(entry.get("ports"))]
        listed += [port for ports in sequence(entry.get("toPorts")) for port in sequence(dig(ports, "ports"))]
        ports = frozenset(int(str(dig(port, "port"))) for port in listed if str(dig(port, "port")).isdecimal())
        names = tuple(
            text(dig(name, "matchName") or dig(name, "matchPattern")) for name in sequence(entry.get("toFQDNs"))
        )
        metadata = any(
            _METADATA in inside and not any(_METADATA in each for each in out) for inside, out in _nets(entry)
        )
        everywhere = _EVERYWHERE & {*texts(entry.get("toEntities"))} or not entry.keys() - {"ports", "toPorts"}
        yield _Peers(("spec", direction, number), ports, names, bool(metadata or everywhere))


def _ranges(entry: Any) -> list[tuple[str, list[str]]]:
    """The ranges of addresses of one rule, each with what is left out of it."""
    blocks = [dig(peer, "ipBlock") for peer in sequence(dig(entry, "to"))] + sequence(dig(entry, "toCIDRSet"))
    found = [(text(dig(block, "cidr")), texts(dig(block, "except"))) for block in blocks if block]
    return [*found, *((cidr, list[str]()) for cidr in texts(dig(entry, "toCIDR")))]


def _nets(entry: Any) -> Iterator[tuple[Any, list[Any]]]:
    for cidr, out in _ranges(entry):
        yield _network(cidr), [*map(_network, out)]


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return ipaddress.ip_network("255.255.255.255/32")  # which the API server refuses, and another rule tells


def _covers(name: str, host: str) -> bool:
    """Whether a name or a pattern of Cilium is for a host, which may be a pattern itself."""
    if name in (host, "*"):
        return True
    pattern = re.escape(name).replace(r"\*", "[-a-zA-Z0-9_]*")
    return bool(re.fullmatch(pattern, host.replace("*", "x")))
