"""How objects of the owner's own reach the proxy: guessed names, its port, addresses in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.spelling import closest

if TYPE_CHECKING:
    from litellm_gitops.rules.links import Objects, Own

Flaws = Iterator[tuple[Place, str, str]]

_NAME, _PORT = "litellm", 4000
# what a chart calls its objects where nobody names them, and what people call a proxy; here the name is answered
GUESSED = re.compile(r"(?:litellm-)?litellm-(?:proxy|svc|service|server|helm|litellm|deployment|app|gateway)")
_FULL = re.compile(r"(\w*)://litellm\.([a-z0-9-]+)(?:\.svc[\w.]*)?(?::(\d+))?(?=/|\Z)")
_SHORT = re.compile(r"(https?)://(litellm|(?:litellm-)?litellm-[a-z]+)(?::(\d{2,5}))?(?=[/\s\"']|\Z)")
_NO_TLS = "the proxy speaks no TLS inside of the cluster, so that every call fails"
_LABEL = "app.kubernetes.io/name"
_LABELS = ("app", "name", "k8s-app", "app.kubernetes.io/instance", _LABEL)  # by which people select
# where a selector of pods is, whatever the kind
_SELECTORS: tuple[Place, ...] = (
    ("spec", "podSelector", "matchLabels"),
    ("spec", "endpointSelector", "matchLabels"),
    ("spec", "selector", "matchLabels"),
    ("spec", "selector"),
)
_OF_PODS = (
    "NetworkPolicy",
    "CiliumNetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "AuthorizationPolicy",
    "PodMonitor",
)
_DNS = "external-dns.alpha.kubernetes.io/hostname"
_OWN_LABELS = ((_LABEL, _NAME), ("app.kubernetes.io/instance", _NAME))  # of the pods
_ROUTED = ("Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute")


def port_of(objects: Objects) -> int:
    """The port of the proxy's Service."""
    values = objects.cluster.values
    port = values.get(*values.chart.service, "port") if values else None
    return port if isinstance(port, int) and port in range(1, 65536) else _PORT


def _ports(objects: Objects) -> tuple[int | str, ...]:
    """What may stand for that port; of values that change it other rules tell."""
    return (port_of(objects), _PORT, "http")


def is_guessed(objects: Objects, name: str) -> bool:
    """Whether a name is meant for the proxy, and nothing here has it."""
    return bool(GUESSED.fullmatch(name)) and name not in objects.everything


def in_texts(objects: Objects, own: Own) -> Flaws:
    """Ports, namespaces and schemes in addresses of the proxy, also in commands."""
    is_ours = _NAME not in objects.names("Service")
    port = port_of(objects)
    for place, value in own.texts:
        if "://litellm" not in value:
            continue
        for scheme, host, asked in _SHORT.findall(value) if is_ours else ():
            number = int(asked or {"http": 80, "https": 443}[scheme])
            if is_guessed(objects, host) and number == port:
                yield place, f"there is no Service {host}", f"write {_NAME}"
            elif host == _NAME and number not in _ports(objects):
                yield place, f"Service {_NAME} has no port {number}", f"write {port}"
            elif host == _NAME and scheme == "https" and not _speaks_tls(objects):
                yield place, _NO_TLS, "write http://"
        yield from _in_full(objects, place, value, str(port))


def _in_full(objects: Objects, place: Place, value: str, port: str) -> Flaws:
    ours = objects.repository.namespace
    for scheme, namespace, asked in _FULL.findall(value):
        if namespace != ours and closest(namespace, [ours]):
            yield place, f"the proxy is in no namespace {namespace}", f"write {_NAME}.{ours}"
        elif namespace == ours and closest(asked, [port]):
            yield place, f"Service {_NAME} has no port {asked}", f"write {port}"
        elif namespace == ours and scheme == "https" and not _speaks_tls(objects):
            yield place, _NO_TLS, "write http://"


def _speaks_tls(objects: Objects) -> bool:
    values = objects.cluster.values
    return values is None or "ssl_certfile" in str(values.merged).lower()


def in_fields(objects: Objects, own: Own) -> Flaws:
    """Names and ports where something leads to the proxy, or scales it."""
    spec = mapping(own.value.get("spec"))
    for field in ("scaleTargetRef", "targetRef"):
        target = mapping(spec.get(field))
        if target.get("kind", "Deployment") == "Deployment" and is_guessed(objects, str(target.get("name"))):
            yield ("spec", field, "name"), f"there is no Deployment {target['name']}", f"write {_NAME}"
        if target.get("kind") in ("Deployment", "StatefulSet") and target.get("apiVersion", "apps/v1") != "apps/v1":
            what = f"{target['kind']} is no kind of {target['apiVersion']}"
            yield ("spec", field, "apiVersion"), what, "write apps/v1"
    for place, name, port in _backends(objects, own):
        if is_guessed(objects, name) or (name not in objects.everything and closest(name, [_NAME]) and name != _NAME):
            yield place, f"there is no Service {name}", f"write {_NAME}"
        elif name == _NAME and _NAME not in objects.names("Service") and port not in (None, *_ports(objects)):
            yield place, f"Service {_NAME} has no port {port}", f"write {port_of(objects)}"


def _backends(objects: Objects, own: Own) -> Iterator[tuple[Place, str, Any]]:
    """(place, name, port) of the Services that a way in leads to."""
    namespace = objects.repository.namespace
    is_routed = own.kind in _ROUTED and own.name != _NAME  # of that one another rule tells
    for place, value in own.texts:
        above = mapping(dig(own.value, *place[:-1]))
        if is_routed and place[-1] == "name" and ("backendRefs" in place or place[-2:-1] == ("service",)):
            is_service = above.get("kind", "Service") == "Service" and above.get("namespace", namespace) == namespace
            port = above.get("port")
            named = port if not isinstance(port, dict) else port.get("number", port.get("name"))
            if is_service and named != "use-annotation":
                yield place, value, named
        elif own.kind == "VirtualService" and place[-2:] == ("destination", "host"):
            name, _, rest = value.partition(".")
            if not rest or rest.split(".")[0] == namespace:
                yield place, name, dig(above, "port", "number")


def selecting(objects: Objects, own: Own) -> Flaws:
    """Labels by which people select the proxy, and that its pods do not have; and its port in a policy."""
    place = next((each for each in _SELECTORS if mapping(dig(own.value, *each))), ())
    selector = mapping(dig(own.value, *place)) if place and own.kind in _OF_PODS else {}
    if len(selector) != 1 or own.name == _NAME or objects.selected(selector):
        return
    (key, value), values = next(iter(selector.items())), objects.cluster.values
    is_meant = value == _NAME or (key in _LABELS and GUESSED.fullmatch(str(value)))
    given = mapping(values.get(*values.chart.pod_labels)) if values else {}
    if key in _LABELS and is_meant and (key, value) not in _OWN_LABELS and given.get(key) != value:
        yield (*place, str(key)), f"no pod has the label {key}: {value}", f"write {_LABEL}: {_NAME}"
    if (
        own.kind != "NetworkPolicy"
        or (key, value) not in _OWN_LABELS
        or not values
        or values.get(*values.chart.containers)
    ):
        return
    for number, each in enumerate(sequence(dig(own.value, "spec", "ingress"))):
        ports = [mapping(port) for port in sequence(dig(each, "ports"))]
        fits = [port.get("port") in (None, *_ports(objects)) and port.get("protocol") != "UDP" for port in ports]
        if ports and not any(fits):
            what = f"the proxy does not listen on {ports[0].get('protocol', 'TCP')} {ports[0].get('port')}"
            yield ("spec", "ingress", number, "ports", 0), what, f"write TCP {_PORT}"


def of_hosts(objects: Objects, own: Own) -> Flaws:
    """Hosts for which an Ingress has a certificate, or a name in DNS, and that are nearly those of its rules."""
    spec, place = mapping(own.value.get("spec")), ("metadata", "annotations", _DNS)
    hosts = {text(dig(each, "host")) for each in sequence(spec.get("rules"))} - {""}
    if own.kind != "Ingress" or own.name == _NAME or not hosts:
        return
    given: list[tuple[Place, str]] = [
        (("spec", "tls", number, "hosts", at), text(host))
        for number, each in enumerate(sequence(spec.get("tls")))
        for at, host in enumerate(sequence(dig(each, "hosts")))
    ]
    given += [(place, host.strip()) for host in text(dig(own.value, *place)).split(",")]
    for at, host in given:
        if host not in hosts and (meant := closest(host, hosts)) and objects.said.get(host, 0) == 1:
            yield at, f"no rule of it has the host {host}", f"did you mean {meant}?"


def doubled(objects: Objects, own: Own) -> Flaws:
    """A second PodDisruptionBudget for the pods of the proxy: with two of them no pod is ever evicted."""
    selector = mapping(dig(own.value, "spec", "selector", "matchLabels"))
    values = objects.cluster.values
    if own.kind != "PodDisruptionBudget" or own.value.get("apiVersion") != "policy/v1" or not values:
        return
    if selector.get("app.kubernetes.io/name") != _NAME:
        return
    place = values.chart.disruption_budget
    if values.get(*place, "enabled") is True and selector.keys() <= {
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
    }:
        what = "the pods of the proxy have a budget by the values, and with two of them no node can be drained"
        yield (
            ("spec", "selector"),
            what,
            f"take it out, or write {'.'.join(map(str, place))}.enabled: false in the values",
        )
