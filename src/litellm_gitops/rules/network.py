"""Network policies: with the answer network_policy the pods reach what they need, and no credentials of their node.

What the policies for a pod allow adds up, so that one beside the answered one counts, of whichever kind it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from litellm_gitops import network
from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.findings import Finding, Fix, edit, update
from litellm_gitops.objects import Identity, Object, show
from litellm_gitops.repository import VALUES, Cluster, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.admission import is_refused
from litellm_gitops.rules.engine import Synced, expect, synced
from litellm_gitops.spelling import closest

_KINDS = {"kubernetes": "NetworkPolicy", "cilium": "CiliumNetworkPolicy"}  # by the answer
_SELECTORS = {"NetworkPolicy": "podSelector", "CiliumNetworkPolicy": "endpointSelector"}  # for which pods it is
_LABELS = {"app.kubernetes.io/name": "litellm", "app.kubernetes.io/instance": "litellm"}  # of both pods
_COMPONENT = "app.kubernetes.io/component"
# where a node gives its credentials, each with the range to leave out: of all three clouds, of EKS and of GKE by IPv6
_LEFT_OUT = {"169.254.169.254": "169.254.0.0/16", "fd00:ec2::254": "fd00:ec2::/32", "fd20:ce::254": "fd20:ce::254/128"}
_METADATA = {ipaddress.ip_address(address): net for address, net in _LEFT_OUT.items()}
_EVERYWHERE = {"all", "world"}  # entities of Cilium that hold these addresses
_PRIVATE = {4: 8, 6: 7}  # the biggest ranges of addresses of one's own: 10.0.0.0/8 and fc00::/7
_OF_DNS = ("coredns", "kube-dns", "kube-system", "node-local-dns")  # labels of a cluster's own, and of its namespace
_PORTS = range(1, 65536)
_Net = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Policy(NamedTuple):
    """One policy, as it stands in an object; in one of Cilium there may be several."""

    found: Object
    place: Place

    def get(self, *path: str | int) -> Any:
        """The value at a path below its own place."""
        return self.found.get(*self.place, *path)

    def finding(self, place: Place, what: str, fix: Fix | str) -> Finding:
        """A finding at a path below its own place."""
        return self.found.finding((*self.place, *place), what, fix)

    @property
    def is_of_cilium(self) -> bool:
        """Whether it is in the words of Cilium."""
        return self.found.identity.kind == "CiliumNetworkPolicy"

    def closes(self, direction: str) -> bool:
        """Whether what no policy allows is closed in a direction because of this one."""
        if self.is_of_cilium:
            asked = self.get("enableDefaultDeny", direction)
            return bool(self.get(direction) or self.get(f"{direction}Deny")) if asked is None else asked is True
        types = texts(self.get("policyTypes")) or ["Ingress", *(["Egress"] if self.get("egress") else [])]
        return direction.capitalize() in types


class _Policies(NamedTuple):
    """The network policies of a cluster: the answered one, and all that are for pods of the release."""

    cluster: Cluster
    own: _Policy
    all: list[_Policy]

    def closes(self, direction: str) -> bool:
        """Whether anything is closed in a direction."""
        return any(policy.closes(direction) for policy in self.all)

    def peers(self, direction: str) -> list[_Peers]:
        """What they allow in a direction."""
        return [peers for policy in self.all for peers in _peers(policy, direction)]


class _Peers(NamedTuple):
    """One rule of a policy.

    Where it stands; the ports (None: all); the names of hosts; the names that may be looked up (None: any, unseen); the
    addresses of a node's credentials in it; whether it is for every address there is.
    """

    policy: _Policy
    place: Place
    ports: tuple[range, ...] | None
    names: tuple[str, ...]
    lookups: tuple[str, ...] | None
    metadata: tuple[Any, ...]
    is_wide: bool

    def allows(self, port: int) -> bool:
        """Whether it is for a port."""
        return self.ports is None or any(port in each for each in self.ports)

    def is_only_for(self, ports: set[int]) -> bool:
        """Whether it is for no other ports than these."""
        return self.ports is not None and all(len(each) == 1 and each[0] in ports for each in self.ports)


@rule
def the_network_policy_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """It is there, for the pods of the release, and lets them be asked and ask at their ports."""
    for each in _policies(repository):
        yield from _for_other_pods(each.own, repository)
        wanted = {
            "ingress": [network.PROXY],
            "egress": [network.NAMES, network.PROVIDERS, *network.stores(each.cluster)],
        }
        if repository.answers.get("metrics") == "prometheus_operator":
            wanted["ingress"].append(network.METRICS)
            values = each.cluster.values
            place: Place = (*values.chart.metrics, "port") if values else ()
            if values and (port := values.get(*place)) not in (None, network.METRICS):
                if not any(peers.allows(port) for peers in each.peers("ingress")):
                    what = f"the metrics are at port {port}, but the network policy lets {network.METRICS} through"
                    yield values.finding(place, what, edit(f"write {network.METRICS}, or open that port"), VALUES)
                wanted["ingress"].pop()
        for direction, ports in wanted.items():
            found = each.peers(direction)
            closed = [port for port in ports if not any(peers.allows(port) for peers in found)]
            if closed and each.closes(direction):  # of one that closes nothing another rule tells
                what = f"it lets nothing through at port {', '.join(map(str, closed))}"
                yield each.own.finding((direction,), what, _fix())
        yield from _nearly(each.own)
        entries = [entry for policy in each.all for entry in sequence(policy.get("egress"))]
        if not each.own.is_of_cilium and network.names_over(entries) == {"TCP"}:
            what = f"names are looked up at port {network.NAMES} over UDP, which nothing lets through"
            yield each.own.finding(("egress",), what, edit("add protocol: UDP beside it"))


def _for_other_pods(policy: _Policy, repository: Repository) -> Iterator[Finding]:
    selector = _SELECTORS[policy.found.identity.kind]
    labels = {_bare(name): value for name, value in mapping(policy.get(selector, "matchLabels")).items()}
    if strange := labels.items() - _of_all(repository).items():
        what = f"it is for pods with the label {min(strange)[0]}, which those of the release do not have"
        yield policy.finding((selector, "matchLabels"), what, _fix())
    elif not _selects(policy, _of_all(repository)):
        what = "it is for other pods than those of the release"
        yield policy.finding((selector, "matchExpressions"), what, _fix())


def _nearly(policy: _Policy) -> Iterator[Finding]:
    """Labels of the cluster's DNS that are misspelt: no name is looked up, then."""
    for place, value in walk(policy.found.document.value):
        if value in _OF_DNS or not place or place[0] != "spec" or (meant := closest(value, _OF_DNS)) == "":
            continue
        what = f"nothing in the cluster has the label {show(value)}; did you mean {meant}?"
        yield policy.found.finding(place, what, edit(f"write {meant}"))


@rule
def the_network_policy_leads_to_the_providers(repository: Repository) -> Iterator[Finding]:
    """Cilium knows the hosts of the chosen providers and methods, and the addresses at which a method logs in."""
    for each in _policies(repository):
        egress = each.peers("egress")
        if each.own.is_of_cilium and each.closes("egress"):
            yield from _unknown(each, egress)
        for address, port in network.addresses(each.cluster).items() if each.closes("egress") else ():
            allowed = [peers.policy.get(*peers.place) for peers in egress if peers.allows(port)]
            if not any(address == cidr for entry in allowed for cidr, _ in _ranges(entry)):
                yield each.own.finding(("egress",), f"the proxy cannot log in at {address}, port {port}", _fix())


def _unknown(each: _Policies, egress: list[_Peers]) -> Iterator[Finding]:
    """What keeps Cilium from the addresses of hosts: they are not named, or nobody sees their names looked up."""
    secured = [peers for peers in egress if peers.allows(network.PROVIDERS)]
    if not secured or any(peers.is_wide for peers in secured):
        return  # then it is no question of names, and another rule tells
    known = [name for peers in secured for name in peers.names]
    asked = [peers for peers in egress if peers.allows(network.NAMES)]
    seen = [name for peers in asked for name in peers.lookups or ("*",)]
    hosts = [*network.hosts(each.cluster)]
    closed = [host for host in hosts if not any(_covers(name, host) for name in known)]
    unseen = [host for host in hosts if host not in closed and not any(_covers(name, host) for name in seen)]
    if closed:
        yield each.own.finding(("egress",), f"the proxy cannot reach {', '.join(closed)}", _fix())
    elif seen and unseen:
        what = f"nobody may look up {', '.join(unseen)}, so that the proxy cannot reach it"
        yield each.own.finding(("egress",), what, _fix())
    for peers in _peers(each.own, "egress"):
        if peers.ports is not None and peers.allows(network.NAMES) and peers.lookups is None:
            what = "Cilium does not see what is looked up here, and so never learns the addresses of its hosts"
            yield each.own.finding(peers.place, what, "write beside the ports: rules: {dns: [{matchPattern: '*'}]}")


@rule
def no_pod_reaches_the_credentials_of_its_node(repository: Repository) -> Iterator[Finding]:
    """The addresses at which a cloud gives them are left out of every policy, unless a method logs in there."""
    for each in _policies(repository):
        denied = [net for policy in each.all for entry in _denied(policy) for net, _ in _nets(entry)]
        logins = network.addresses(each.cluster).items()
        login = {port for cidr, port in logins if any(address in _network(cidr) for address in _METADATA)}
        for peers in each.peers("egress"):
            reached = [address for address in peers.metadata if not any(address in net for net in denied)]
            known = not is_refused(repository, peers.policy.found)  # else the API server keeps what was there
            if reached and known and not peers.is_only_for({network.NAMES, *login}):
                what = f"it lets pods reach {reached[0]}, where a node gives its own credentials to whoever asks"
                fix = update("network_policy", "none", first=f"leave out {_METADATA[reached[0]]}")
                yield peers.policy.finding(peers.place, what, fix)


@rule
def nothing_opens_what_the_network_policy_closes(repository: Repository) -> Iterator[Finding]:
    """It closes both directions, and neither it nor one beside it is for every address or every host."""
    for each in _policies(repository):
        for direction, what in (("ingress", "what reaches the pods"), ("egress", "what the pods reach")):
            if not each.closes(direction):
                place: Place = ("enableDefaultDeny",) if each.own.is_of_cilium else ("policyTypes",)
                yield each.own.finding(place, f"nothing limits {what}", _fix())
        for policy in (policy for policy in each.all if not policy.is_of_cilium and policy.closes("ingress")):
            for number, entry in enumerate(map(mapping, sequence(policy.get("ingress")))):
                if not entry.get("from") and not entry.get("ports"):
                    yield policy.finding(
                        ("ingress", number), "it lets everybody reach every port of the pods", _narrow()
                    )
        # what Cilium limits to hosts is the port of the providers; Kubernetes limits no more than ports
        ports = {network.PROVIDERS} if each.own.is_of_cilium else {_PORTS[0], _PORTS[-1]}
        for peers in each.peers("egress"):
            if peers.is_wide and not peers.metadata and all(map(peers.allows, ports)):
                shown = f"every host at port {network.PROVIDERS}" if each.own.is_of_cilium else "every host and port"
                yield peers.policy.finding(peers.place, f"it lets pods reach {shown}", _narrow())


@rule
def every_cluster_has_its_network_policy(repository: Repository) -> Iterator[Finding]:
    """With the answer network_policy there is one."""
    kind = _KINDS.get(text(repository.answers.get("network_policy")), "")
    for each in synced(repository) if kind else ():
        yield from expect(each, [Identity(kind, f"{repository.namespace}/litellm")], each.home("network-policy.yaml"))


def _fix() -> Fix:
    return update("network_policy", "none", first="restore it")


def _narrow() -> Fix:
    return update("network_policy", "none", first="name what they need")


# ---------------------------------------------------------------------------------------------------------------------
# For which pods a policy is


def _policies(repository: Repository) -> Iterator[_Policies]:
    kind = _KINDS.get(text(repository.answers.get("network_policy")), "")
    for each in synced(repository) if kind else ():
        own = each.find(Identity(kind, f"{repository.namespace}/litellm"))
        if own and not is_refused(repository, own):  # of that the API server says enough
            others = [found for other in _SELECTORS for found in each.all(other) if found is not own]
            kept = [_Policy(own, ("spec",)), *_beside(each, others)]
            yield _Policies(each.cluster, kept[0], kept)


def _beside(each: Synced, others: list[Object]) -> Iterator[_Policy]:
    """The policies for a pod of the release among those of the owner."""
    for found in others:
        more = range(len(sequence(found.get("specs"))))
        places: list[Place] = [*([("spec",)] if found.get("spec") else []), *(("specs", number) for number in more)]
        for policy in (_Policy(found, place) for place in places):
            here = found.identity.namespace == each.repository.namespace
            if here and any(_selects(policy, labels) for labels in _pods(each.cluster)):
                yield policy


def _of_all(repository: Repository) -> dict[str, Any]:
    """The labels of every pod of the release, with that by which Cilium knows its namespace."""
    return {**_LABELS, "io.kubernetes.pod.namespace": repository.namespace}


def _pods(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """The labels of the proxy's pods, and of those of the migrations."""
    values = cluster.values
    for component, name in (("proxy", "pod_labels"), ("migrations", "job_labels")):
        own = mapping(values.get(*getattr(values.chart, name))) if values else {}
        yield {**_of_all(cluster.repository), _COMPONENT: component, **own}


def _selects(policy: _Policy, labels: Mapping[str, Any]) -> bool:
    selector = mapping(policy.get(_SELECTORS[policy.found.identity.kind]))
    wanted = {_bare(name): value for name, value in mapping(selector.get("matchLabels")).items()}
    conditions = map(mapping, sequence(selector.get("matchExpressions")))
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _holds(condition, labels) for condition in conditions
    )


def _holds(condition: Mapping[Any, Any], labels: Mapping[str, Any]) -> bool:
    value, listed = labels.get(_bare(condition.get("key"))), sequence(condition.get("values"))
    match condition.get("operator"):
        case "In":
            return value in listed
        case "NotIn":
            return value not in listed
        case "Exists":
            return value is not None
        case _:
            return value is None


def _bare(label: Any) -> str:
    """The name of a label without where Cilium takes it from, as in `k8s:app`."""
    return str(label).rpartition(":")[2]


# ---------------------------------------------------------------------------------------------------------------------
# What the two kinds say, as one


def _peers(policy: _Policy, direction: str) -> Iterator[_Peers]:
    if not policy.is_of_cilium and not policy.closes(direction):
        return  # without its name in policyTypes nobody reads what it allows
    for number, entry in enumerate(map(mapping, sequence(policy.get(direction)))):
        everywhere, nets = _is_everywhere(entry, policy.is_of_cilium), [*_nets(entry)]
        hosts = [text(dig(each, "matchName") or dig(each, "matchPattern")) for each in sequence(entry.get("toFQDNs"))]
        yield _Peers(
            policy,
            (direction, number),
            _ports(entry),
            tuple(hosts),
            _lookups(entry),
            tuple(
                each
                for each in _METADATA
                if everywhere or any(each in net and not any(each in left for left in out) for net, out in nets)
            ),
            everywhere
            or any(net.prefixlen < _PRIVATE[net.version] for net, _ in nets)
            or any(not re.search(r"[^*.]", host) for host in hosts),
        )


def _is_everywhere(entry: dict[Any, Any], is_of_cilium: bool) -> bool:
    """Whether a rule is for every address, those of the node's services among them."""
    if is_of_cilium:
        return bool(_EVERYWHERE & {*texts(entry.get("toEntities"))}) or not entry.keys() - {"toPorts", "icmps"}
    return not sequence(entry.get("to"))


def _ports(entry: dict[Any, Any]) -> tuple[range, ...] | None:
    """The ports of a rule for TCP, and 53 for UDP, too; a port by its name is one of its own."""
    listed = [*sequence(entry.get("ports"))]
    listed += [port for ports in sequence(entry.get("toPorts")) for port in sequence(dig(ports, "ports"))]
    found = []
    for first, last, protocol in ((dig(each, "port"), dig(each, "endPort"), dig(each, "protocol")) for each in listed):
        number = int(str(first)) if str(first).isdecimal() else None
        if protocol not in (None, "TCP", "ANY") and number != network.NAMES:
            continue
        if first is None or number == 0:  # of Cilium
            found.append(_PORTS)
        elif number is not None:
            found.append(range(number, (last if isinstance(last, int) else number) + 1))
    return tuple(found) if listed else None


def _lookups(entry: dict[Any, Any]) -> tuple[str, ...] | None:
    asked = [dig(ports, "rules", "dns") for ports in sequence(entry.get("toPorts"))]
    names = [dig(name, "matchName") or dig(name, "matchPattern") for each in asked for name in sequence(each)]
    return None if all(each is None for each in asked) else tuple(texts(names))


def _denied(policy: _Policy) -> Iterator[dict[Any, Any]]:
    """What Cilium denies at every port, whatever is allowed."""
    for entry in map(mapping, sequence(policy.get("egressDeny"))):
        if policy.is_of_cilium and _ports(entry) is None:
            yield entry


def _ranges(entry: Any) -> list[tuple[str, list[str]]]:
    """The ranges of addresses of one rule, each with what is left out of it."""
    blocks = [dig(peer, "ipBlock") for peer in sequence(dig(entry, "to"))] + sequence(dig(entry, "toCIDRSet"))
    found = [(text(dig(block, "cidr")), texts(dig(block, "except"))) for block in blocks if block]
    return [*found, *((cidr, list[str]()) for cidr in texts(dig(entry, "toCIDR")))]


def _nets(entry: Any) -> Iterator[tuple[_Net, list[_Net]]]:
    for cidr, out in _ranges(entry):
        yield _network(cidr), [*map(_network, out)]


def _network(cidr: str) -> _Net:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return ipaddress.ip_network("255.255.255.255/32")  # which the API server refuses, and another rule tells


def _covers(name: str, host: str) -> bool:
    """Whether a name or a pattern of Cilium is for a host, which may be a pattern itself."""
    if name in (host, "*"):
        return True
    below = r"(?:[-a-zA-Z0-9_]+\.)+" if name.startswith("**.") else ""  # labels, as many as there are
    pattern = below + re.escape(name.removeprefix("**.")).replace(r"\*", "[-a-zA-Z0-9_]*")
    return bool(re.fullmatch(pattern, host.replace("*", "x")))
