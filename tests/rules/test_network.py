"""Faults and edits of the network policies: the answered one, and those that are beside it."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.answers import answers, everything, keyless
from tests.support.faults import (
    CHART,
    SHARED,
    Edit,
    Fault,
    append_item,
    at,
    change,
    delete,
    drop,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

API = "the_api_server_takes_every_manifest"
POLICY, HOSTS = "the_network_policy_is_the_answered_one", "the_network_policy_leads_to_the_providers"
THERE, METADATA = "every_cluster_has_its_network_policy", "no_pod_reaches_the_credentials_of_its_node"
OPEN = "nothing_opens_what_the_network_policy_closes"

PORTS = everything(network_policy="kubernetes", metrics="prometheus_operator")
NAMES = keyless(network_policy="cilium")
IDENTITY = answers(["gcp"], ["vertex_ai"], credentials="keyless", network_policy="kubernetes")

NETWORK, GCP_NETWORK = (f"clusters/{environment}/network-policy.yaml" for environment in ("aws", "gcp"))
BESIDE, LISTED = "clusters/aws/own.yaml", "clusters/aws/kustomization.yaml"
SPEC, EGRESS = ("spec",), ("spec", "egress")
EVERY_ADDRESS = {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}
SECURED = [{"ports": [{"port": "443", "protocol": "TCP"}]}]
OURS = {"matchLabels": {"app.kubernetes.io/name": "litellm"}}
OTHERS = {"matchLabels": {"app.kubernetes.io/name": "portal"}}


def beside(selector: dict[str, Any], *egress: dict[str, Any], **spec: Any) -> Edit:
    """A NetworkPolicy beside the answered one."""
    return _beside("networking.k8s.io/v1", {"podSelector": selector, "policyTypes": ["Egress"], **spec}, egress)


def beside_in_cilium(selector: dict[str, Any], *egress: dict[str, Any], **spec: Any) -> Edit:
    """A CiliumNetworkPolicy beside the answered one."""
    return _beside("cilium.io/v2", {"endpointSelector": selector, **spec}, egress)


def _beside(version: str, spec: dict[str, Any], egress: tuple[dict[str, Any], ...]) -> Edit:
    kind = "CiliumNetworkPolicy" if version == "cilium.io/v2" else "NetworkPolicy"
    metadata = {"name": "own", "namespace": "litellm"}
    spec = {**spec, **({"egress": [*egress]} if egress else {})}
    document = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return together(write(BESIDE, yaml.safe_dump(document)), append_item(LISTED, ("resources",), "own.yaml"))


FAULTS: dict[str, Fault] = {
    "a selector that lost its label": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("clusters/azure/network-policy.yaml", r"^ +kubernetes.io/metadata.name: app-routing-system\n", ""),
        everything(network_policy="kubernetes"),
    ),
    "a rule without an end": (
        OPEN,
        set_value(NETWORK, ("spec", "ingress"), [{"from": None}, {"ports": [{"port": 4000}, {"port": 4001}]}]),
        PORTS,
    ),
    # ---- the answered policy
    "no policy": (THERE, together(delete(NETWORK), drop("clusters/aws/kustomization.yaml", "network-policy")), PORTS),
    "names that are asked over TCP alone": (
        POLICY,
        substitute(NETWORK, r" +- port: 53\n +protocol: UDP\n", ""),
        PORTS,
    ),
    "an exception outside of its network": (
        "the_api_server_takes_every_manifest",
        substitute(NETWORK, r"- 169\.254\.0\.0/16", "- 2001:db8::/32"),
        PORTS,
    ),
    "a policy for other pods": (
        POLICY,
        set_value(NETWORK, ("spec", "podSelector", "matchLabels"), {"app": "litellm"}),
        PORTS,
    ),
    "a policy for other pods, of Cilium": (
        POLICY,
        set_value(NETWORK, ("spec", "endpointSelector", "matchLabels"), {"app": "litellm"}),
        NAMES,
    ),
    "nobody may ask the proxy": (POLICY, set_value(NETWORK, ("spec", "ingress", 0, "ports", 0, "port"), 8080), PORTS),
    "nobody may read the metrics": (POLICY, remove(NETWORK, ("spec", "ingress", 1)), PORTS),
    "no names": (POLICY, remove(NETWORK, ("spec", "egress", 0)), PORTS),
    "no Redis": (POLICY, remove(NETWORK, ("spec", "egress", 1, "ports", 2)), PORTS),
    "a host of a provider that is missing": (HOSTS, drop(NETWORK, "matchName: bedrock-runtime."), NAMES),
    "a host of another region": (
        HOSTS,
        change(NETWORK, "bedrock-runtime.us-west-2.amazonaws.com", "bedrock-runtime.eu-west-1.amazonaws.com"),
        NAMES,
    ),
    "a host of a login that is missing": (HOSTS, drop(GCP_NETWORK, "matchName: login."), NAMES),
    "the server of the pod's identity is missing": (HOSTS, remove(GCP_NETWORK, ("spec", "egress", 2)), IDENTITY),
    "the node's credentials": (
        METADATA,
        remove(NETWORK, ("spec", "egress", 1, "to", 1, "ipBlock", "except")),
        PORTS,
    ),
    "everything": (METADATA, append_item(NETWORK, ("spec", "egress"), {}), PORTS),
    "the world, of Cilium": (METADATA, append_item(NETWORK, ("spec", "egress"), {"toEntities": ["world"]}), NAMES),
    "metrics at a port that nothing leads to": (
        POLICY,
        set_value(SHARED, at(CHART.metrics, "port"), 4002),
        PORTS,
    ),
    "no port that is needed": (POLICY, remove(NETWORK, ("spec", "egress")), PORTS),
    "a direction in small letters": (API, substitute(NETWORK, "- Egress", "- egress"), PORTS),
    "a range that is none": (API, substitute(NETWORK, "169.254.0.0/16", "169.254.0.0/33", count=1), PORTS),
    "a misspelt release": (
        POLICY,
        substitute(NETWORK, "app.kubernetes.io/name: litellm", "app.kubernetes.io/name: litelm", count=1),
        PORTS,
    ),
    "a range without its length": (API, change(NETWORK, "cidr: 0.0.0.0/0", "cidr: 0.0.0.0"), PORTS),
    "a range of Cilium that is none": (API, substitute(NETWORK, "cidr: 0.0.0.0/0", "cidr: 0.0.0.0/33"), NAMES),
    "another port than TLS has": (POLICY, substitute(NETWORK, 'port: "443"', 'port: "433"'), NAMES),
    "a misspelt server of names": (POLICY, substitute(NETWORK, "kube-dns", "kube-dn"), NAMES),
    "a misspelt namespace of the server of names": (POLICY, substitute(NETWORK, "kube-system", "kube-sytem"), NAMES),
    "a policy for other pods by a condition": (
        POLICY,
        set_value(
            NETWORK,
            (*SPEC, "podSelector", "matchExpressions"),
            [{"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["litellm"]}],
        ),
        PORTS,
    ),
    "providers by UDP alone": (POLICY, set_value(NETWORK, (*EGRESS, 1, "ports", 0, "protocol"), "UDP"), PORTS),
    "no way out is named": (POLICY, remove(NETWORK, EGRESS), PORTS),
    "nobody sees the names": (HOSTS, remove(NETWORK, (*EGRESS, 0, "toPorts", 0, "rules")), NAMES),
    "nobody sees the names on the node": (HOSTS, remove(NETWORK, (*EGRESS, 1, "toPorts", 0, "rules")), NAMES),
    "names that nobody may look up": (
        HOSTS,
        together(
            *(
                set_value(
                    NETWORK,
                    (*EGRESS, number, "toPorts", 0, "rules", "dns"),
                    [{"matchPattern": "*.cluster.local"}, {"matchPattern": "**.amazonaws.com"}],
                )
                for number in range(3)
            )
        ),
        NAMES,
    ),
    "the node's credentials by IPv6": (
        METADATA,
        remove(NETWORK, (*EGRESS, 1, "to", 2, "ipBlock", "except")),
        PORTS,
    ),
    "the node's credentials at Google by IPv6": (
        METADATA,
        set_value(NETWORK, (*EGRESS, 1, "to", 2, "ipBlock", "except"), ["fd00:ec2::/32"]),
        PORTS,
    ),
    "every destination, by an empty list": (
        METADATA,
        append_item(NETWORK, EGRESS, {"to": [], "ports": [{"port": 80}]}),
        PORTS,
    ),
    "what goes out is not limited": (OPEN, set_value(NETWORK, (*SPEC, "policyTypes"), ["Ingress"]), PORTS),
    "what comes in is not limited": (OPEN, set_value(NETWORK, (*SPEC, "policyTypes"), ["Egress"]), PORTS),
    "what goes out is not limited by Cilium": (
        OPEN,
        set_value(NETWORK, (*SPEC, "enableDefaultDeny"), {"egress": False}),
        NAMES,
    ),
    "Cilium names no way out": (OPEN, remove(NETWORK, EGRESS), NAMES),
    "every port": (OPEN, append_item(NETWORK, EGRESS, {"to": [{"ipBlock": EVERY_ADDRESS}]}), PORTS),
    "every port, by a range": (
        OPEN,
        append_item(NETWORK, EGRESS, {"to": [{"ipBlock": EVERY_ADDRESS}], "ports": [{"port": 1, "endPort": 65535}]}),
        PORTS,
    ),
    "every host": (
        OPEN,
        append_item(NETWORK, EGRESS, {"toFQDNs": [{"matchPattern": "*"}], "toPorts": SECURED}),
        NAMES,
    ),
    "every host in the place of those that are known": (
        OPEN,
        set_value(NETWORK, (*EGRESS, 3, "toFQDNs"), [{"matchPattern": "*"}]),
        NAMES,
    ),
    "every address, of Cilium": (
        OPEN,
        append_item(NETWORK, EGRESS, {"toCIDRSet": [EVERY_ADDRESS], "toPorts": SECURED}),
        NAMES,
    ),
    "every address and port, of Cilium": (
        OPEN,
        append_item(
            NETWORK,
            EGRESS,
            {"toCIDRSet": [EVERY_ADDRESS], "toPorts": [{"ports": [{"port": "0", "protocol": "TCP"}]}]},
        ),
        NAMES,
    ),
    # ---- policies beside it
    "everything, by a policy for all pods": (METADATA, beside({}, {}), PORTS),
    "everything, by a policy for ours": (METADATA, beside(OURS, {}), PORTS),
    "everything for the migrations": (
        METADATA,
        beside({"matchLabels": {"app.kubernetes.io/component": "migrations"}}, {}),
        PORTS,
    ),
    "everything, by a condition": (
        METADATA,
        beside({"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "Exists"}]}, {}),
        PORTS,
    ),
    "the world, beside a policy of Cilium": (METADATA, beside_in_cilium({}, {"toEntities": ["world"]}), NAMES),
    "everything by Kubernetes, beside a policy of Cilium": (METADATA, beside({}, {}), NAMES),
    "everything by Cilium, beside a policy of Kubernetes": (
        METADATA,
        beside_in_cilium(OURS, {"toEntities": ["all"]}),
        PORTS,
    ),
    "every host, beside a policy of Cilium": (
        OPEN,
        beside_in_cilium(
            {"matchLabels": {"k8s:app.kubernetes.io/name": "litellm"}}, {"toFQDNs": [{"matchPattern": "*"}]}
        ),
        NAMES,
    ),
    "every port, beside a policy of Kubernetes": (
        OPEN,
        beside({}, {"to": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "192.0.0.0/3"}}]}),
        PORTS,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a host more": (
        append_item(
            NETWORK,
            ("spec", "egress"),
            {
                "toFQDNs": [{"matchName": "bedrock-runtime.eu-west-1.amazonaws.com"}],
                "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
            },
        ),
        NAMES,
    ),
    "a pattern for more hosts": (
        change(NETWORK, "matchName: bedrock-runtime.us-west-2.amazonaws.com", 'matchPattern: "*.*.amazonaws.com"'),
        NAMES,
    ),
    "the names are asked in two rules": (
        substitute(
            NETWORK,
            r"( +)- port: 53\n( +)- port: 53\n( +)protocol: UDP\n",
            r"\1- port: 53\n    - ports:\n\2- port: 53\n\3protocol: UDP\n",
        ),
        PORTS,
    ),
    "who may ask is narrowed": (
        set_value(
            NETWORK,
            ("spec", "ingress", 0, "from"),
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
        ),
        PORTS,
    ),
    "the names are asked of the cluster alone": (remove(NETWORK, (*EGRESS, 2)), NAMES),
    "the names are asked of one namespace": (
        set_value(
            NETWORK,
            (*EGRESS, 0, "to"),
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        ),
        PORTS,
    ),
    "names of some domains alone": (
        together(
            *(
                set_value(
                    NETWORK,
                    (*EGRESS, number, "toPorts", 0, "rules", "dns"),
                    [{"matchPattern": f"**.{each}"} for each in ("com", "local", "internal")],
                )
                for number in range(3)
            )
        ),
        NAMES,
    ),
    "one mail server": (
        beside(
            OURS,
            {"to": [{"ipBlock": {"cidr": "198.51.100.7/32"}}], "ports": [{"port": 587}]},
        ),
        PORTS,
    ),
    "every address at one port": (
        beside(OURS, {"to": [{"ipBlock": EVERY_ADDRESS}], "ports": [{"port": 587}]}),
        NAMES,
    ),
    "a private network": (beside({}, {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}), PORTS),
    "one namespace": (
        beside({}, {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}}]}),
        NAMES,
    ),
    "a port by its name": (
        beside(OURS, {"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}),
        PORTS,
    ),
    "hosts of one domain": (
        beside_in_cilium(OURS, {"toFQDNs": [{"matchPattern": "*.example.com"}], "toPorts": SECURED}),
        NAMES,
    ),
    "the cluster, of Cilium": (beside_in_cilium({}, {"toEntities": ["cluster"]}), NAMES),
    "everything for other pods": (beside(OTHERS, {}), PORTS),
    "everything for other pods, by a condition": (
        beside(
            {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["litellm"]}]}, {}
        ),
        PORTS,
    ),
    "a policy that closes all": (beside({}, policyTypes=["Ingress", "Egress"]), PORTS),
    "a policy that adds to one that closes all": (
        together(
            set_value(NETWORK, (*SPEC, "enableDefaultDeny"), {"egress": False, "ingress": False}),
            beside({}, policyTypes=["Ingress", "Egress"]),
        ),
        NAMES,
    ),
    "the world without the node": (
        beside_in_cilium(
            {},
            {"toEntities": ["world"], "toPorts": [{"ports": [{"port": "587", "protocol": "TCP"}]}]},
            egressDeny=[{"toCIDR": ["169.254.0.0/16", "fd00:ec2::/32", "fd20:ce::254/128"]}],
        ),
        NAMES,
    ),
    "a policy in two": (
        together(
            remove(NETWORK, (*EGRESS, 1, "ports", 2)),
            beside(OURS, {"to": [{"namespaceSelector": {}}], "ports": [{"port": 6379}]}),
        ),
        PORTS,
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
