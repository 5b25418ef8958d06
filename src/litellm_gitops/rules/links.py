"""What objects of the owner's own say of each other, where all that it takes to tell stands in one cluster's folder.

Selectors, ports, kinds and keys. What a chart, an operator or another repository makes is not known, so a name that
nothing here has is wrong only where it is nearly one that is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from posixpath import basename
from typing import Any

from litellm_gitops import foreign
from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.objects import found_in
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import Cluster, Repository
from litellm_gitops.rules import addresses, limits
from litellm_gitops.rules.engine import Synced, read_by_kustomize, synced
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[Place, str, str]]  # where, what is wrong, what to do

# what changes names and labels behind the manifests
_CHANGES = ("namePrefix", "nameSuffix", "commonLabels", "labels", "components", "patches", "transformers", "helmCharts")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
_LIST_OF_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute")
_BY_ANNOTATION = "use-annotation"  # a port of an Ingress whose backend stands in an annotation
_SHORTEST = 4  # letters of a part of a name that can be misspelt: v1 and v2, eu and us are two names
# names of objects, by the keys above them, and the kinds that they may be of
_NAMES: dict[tuple[str, str], tuple[str, ...]] = {
    ("configMapRef", "name"): ("ConfigMap",),
    ("configMapKeyRef", "name"): ("ConfigMap",),
    ("configMap", "name"): ("ConfigMap",),
    ("persistentVolumeClaim", "claimName"): ("PersistentVolumeClaim",),
    ("issuerRef", "name"): ("Issuer",),
    ("secretStoreRef", "name"): ("SecretStore",),
    ("serviceAccountRef", "name"): ("ServiceAccount",),
    ("authenticationRef", "name"): ("TriggerAuthentication",),
    ("cluster", "name"): ("Cluster",),
    ("backendRefs", "name"): ("Service",),
    ("spec", "serviceName"): ("Service",),
}
_LAST = {field for _, field in _NAMES}
_OF_THE_CHART = (("ServiceAccount",), ("Service",))  # of which it makes one that is called litellm
_MADE_FOR_ANOTHER = ("Cluster", "Issuer", "SecretStore", "TriggerAuthentication")  # kinds that do nothing by themselves


def nearly(word: str, known: set[str]) -> str:
    """The name that a misspelt one was meant to be; empty where it may be another one, such as own-2 beside own-1."""
    meant = closest(word, known)
    one, other = (re.split(r"[-._]", each.lower()) for each in (word, meant))
    if not meant or "".join(one) == "".join(other):
        return meant
    differing = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return meant if len(one) == len(other) and all(_is_slip(*pair) for pair in differing) else ""


def _is_slip(one: str, other: str) -> bool:
    """Whether a part of a name is another one misspelt: long enough, without a number, or with two letters swapped."""
    if re.search(r"\d", one + other):
        return False
    if min(len(one), len(other)) >= _SHORTEST:
        return True
    return len(one) > 2 and (sorted(one) == sorted(other) or f"{one}s" == other or f"{other}s" == one)


@dataclass(frozen=True, eq=False)
class Own:
    """An object of a cluster, and what makes a finding in it."""

    value: dict[Any, Any]
    texts: list[tuple[Place, str]]  # all in it, each with its place
    finding: Callable[[Place, str, str], Finding]

    @property
    def kind(self) -> str:
        """Its kind, without the group."""
        return text(self.value.get("kind"))

    @property
    def name(self) -> str:
        """Its name."""
        return text(dig(self.value, "metadata", "name"))

    @cached_property
    def template(self) -> dict[Any, Any]:
        """The pods that it makes; empty where it makes none."""
        spec = mapping(self.value.get("spec"))
        if self.kind == "Pod":
            return self.value
        return mapping(dig(spec, "jobTemplate", "spec", "template") or spec.get("template"))

    @cached_property
    def labels(self) -> dict[Any, Any]:
        """The labels of these pods."""
        return mapping(dig(self.template, "metadata", "labels"))

    @cached_property
    def containers(self) -> list[Any]:
        """The containers of these pods."""
        spec = mapping(self.template.get("spec"))
        return [*sequence(spec.get("containers")), *sequence(spec.get("initContainers"))]

    @property
    def is_added_to(self) -> bool:
        """Whether something in the cluster may put containers beside those that are here."""
        return "inject" in str(mapping(self.template.get("metadata"))).lower()

    def place(self, below: Place) -> Place:
        """A place in its pods, from the object on."""
        for above in ((), ("spec", "template"), ("spec", "jobTemplate", "spec", "template")):
            if dig(self.value, *above) is self.template:
                return (*above, *below)
        return below

    def ports(self) -> set[str]:
        """The names of the ports of these containers."""
        ports = (port for each in self.containers for port in sequence(dig(each, "ports")))
        return {text(dig(port, "name")) for port in ports} - {""}


class Objects:
    """What the owner adds to a cluster."""

    def __init__(self, each: Synced) -> None:
        self.cluster: Cluster = each.cluster
        self.repository: Repository = each.repository
        self.found = [*self._of_files(each), *self._of_values()]
        # that of the chart's name is told by another rule
        self.services = [own for own in self.found if own.kind == "Service" and own.name != "litellm"]
        self.pods = [own for own in self.found if own.labels and own.containers]

    def _of_files(self, each: Synced) -> Iterator[Own]:
        passed = read_by_kustomize(self.repository)
        for file in each.files:
            for document in self.repository.documents(file) if file not in passed else ():
                value = mapping(document.value)
                namespace = dig(value, "metadata", "namespace") or self.repository.namespace
                if value.get("kind") and namespace == self.repository.namespace:
                    yield Own(value, document.texts, partial(found_in, document))

    def _of_values(self) -> Iterator[Own]:
        values = self.cluster.values
        place = values.chart.objects if values else ()
        for number, value in enumerate(sequence(values.get(*place)) if values and place else ()):
            if isinstance(value, dict):

                def here(at: Place, what: str, fix: str, above: Place = (*place, number)) -> Finding:
                    assert values
                    return values.finding((*above, *at), what, edit(fix))

                yield Own(value, [*walk(value)], here)

    @cached_property
    def everything(self) -> set[str]:
        """The names of all of them."""
        return {own.name for own in self.found}

    @cached_property
    def known(self) -> dict[str, dict[str, Any]]:
        """The keys of Secrets and ConfigMaps, by the field of a reference; those of sealed Secrets a rule tells."""
        sealed = {secret.name for secret in self.cluster.sealed}
        secrets = foreign.foreign_secrets(self.repository, self.cluster)
        return {
            "secretKeyRef": {name: keys for name, keys in secrets.items() if name not in sealed},
            "configMapKeyRef": foreign.config_maps(self.repository, self.cluster),
        }

    @cached_property
    def said(self) -> dict[str, int]:
        """How often each text is a value in the manifests and the values of this repository."""
        counts: dict[str, int] = {}
        values = (values.merged for values in self.repository.values)
        for value in (*(document.value for document in self.repository.manifests), *values):
            for _, word in walk(value):
                counts[word] = counts.get(word, 0) + 1
        return counts

    def names(self, *kinds: str) -> set[str]:
        """The names of the objects of these kinds."""
        return {own.name for own in self.found if own.kind in kinds} - {""}

    def selected(self, selector: dict[Any, Any]) -> list[Own]:
        """What makes the pods that have these labels."""
        return [own for own in self.pods if selector.items() <= own.labels.items()]


def flaws(repository: Repository) -> Iterator[Finding]:
    """What does not fit, once for each object."""
    for each in synced(repository):
        if _is_changed(each):
            continue
        objects = Objects(each)
        for own in objects.found:
            for check in _CHECKS:
                if first := next(check(objects, own), None):
                    yield own.finding(*first)
                    break


def _is_changed(each: Synced) -> bool:
    """Whether Kustomize changes names or labels, or brings objects that are not here."""
    kustomizations = (file for file in each.files if basename(file).startswith("kustomization."))
    for document in (document for file in kustomizations for document in each.repository.documents(file)):
        elsewhere = [entry for entry in texts(dig(document.value, "resources")) if "://" in entry or "../" in entry]
        if {*_CHANGES} & mapping(document.value).keys() or set(elsewhere) - {f"../../{each.cluster.secrets_folder}"}:
            return True
    return False


def _targets(objects: Objects, own: Own) -> Flaws:
    """Ports of a Service that its pods do not have."""
    spec = mapping(own.value.get("spec"))
    found = objects.selected(mapping(spec.get("selector"))) if own.kind == "Service" and spec.get("selector") else []
    if not found or any(each.is_added_to for each in found):
        return
    known = set[str]().union(*(each.ports() for each in found))
    for number, port in enumerate(sequence(spec.get("ports"))):
        target = text(dig(port, "targetPort"))
        if re.search(r"[a-z]", target) and target not in known:
            what = f"no container of {found[0].kind} {found[0].name} has a port called {target}"
            fix = f"write {' or '.join(sorted(known))}" if known else "write its number, or name it there"
            yield ("spec", "ports", number, "targetPort"), what, fix


def _backends(objects: Objects, own: Own) -> Flaws:
    """Ports of a Service of ours that it does not have, where something leads to it."""
    if own.kind not in ("Ingress", *_LIST_OF_ROUTES):
        return
    for place, name in walk(own.value.get("spec")):
        if place[-2:] != ("service", "name") and (place[-1:] != ("name",) or "backendRefs" not in place):
            continue
        above = dig(own.value, "spec", *place[:-1])
        if dig(above, "namespace") or dig(above, "kind") not in (None, "Service"):
            continue
        ports = [
            port
            for each in objects.services
            if each.name == name
            for port in sequence(dig(each.value, "spec", "ports"))
        ]
        wanted = dig(above, "port")
        number, called = (wanted, None) if isinstance(wanted, int) else (dig(wanted, "number"), dig(wanted, "name"))
        numbers, names = {dig(port, "port") for port in ports}, {dig(port, "name") for port in ports}
        is_there = number in numbers if number is not None else called in (None, _BY_ANNOTATION, *names)
        if ports and not is_there:
            known = ", ".join(sorted(str(each) for each in (numbers if number is not None else names) if each))
            what = f"Service {name} has no port {number if number is not None else called}"
            yield ("spec", *place[:-1], "port"), what, f"write {known}" if known else "write its number"


# kind -> where its selector is; that of the last one is of Services, the others' of pods
_SELECTORS: dict[str, Place] = {
    "Service": ("spec", "selector"),
    "PodDisruptionBudget": ("spec", "selector", "matchLabels"),
    "NetworkPolicy": ("spec", "podSelector", "matchLabels"),
    "PodMonitor": ("spec", "selector", "matchLabels"),
    "ServiceMonitor": ("spec", "selector", "matchLabels"),
}


def _selects(objects: Objects, own: Own) -> Flaws:
    """A selector that nothing here has, and that is nearly that of something, or stands in the Service of its name."""
    place = _SELECTORS.get(own.kind, ())
    selector = mapping(dig(own.value, *place)) if place else {}
    is_elsewhere = dig(own.value, *place[:-1], "matchExpressions") or dig(own.value, "spec", "namespaceSelector")
    there = [(each, each.labels) for each in objects.pods]
    if own.kind == "ServiceMonitor":
        there = [(each, mapping(dig(each.value, "metadata", "labels"))) for each in objects.services]
    if not selector or is_elsewhere or any(selector.items() <= labels.items() for _, labels in there):
        return
    for each, labels in there:
        differing = [key for key, value in selector.items() if labels.get(key, value) != value]
        if len(differing) != 1 or not selector.keys() <= labels.keys():
            continue
        key, value, meant = differing[0], text(selector[differing[0]]), text(labels[differing[0]])
        is_its = own.kind in ("Service", "PodDisruptionBudget") and own.name == each.name
        if (is_its or nearly(value, {meant})) and objects.said.get(value, 0) == 1:
            fix = f"write {meant}, as {each.kind} {each.name} has it"
            yield (*place, key), f"nothing here has the label {key}: {value}", fix


def _scales(objects: Objects, own: Own) -> Flaws:
    """What is scaled is of another kind."""
    for field in ("scaleTargetRef", "targetRef"):
        reference = mapping(dig(own.value, "spec", field))
        kind, name = text(reference.get("kind")), text(reference.get("name"))
        kinds = sorted({each.kind for each in objects.pods if each.name == name})
        if kind in _WORKLOADS and kinds and kind not in kinds:
            yield ("spec", field, "kind"), f"there is no {kind} {name}, but a {kinds[0]}", f"write {kinds[0]}"


def _keys(objects: Objects, own: Own) -> Flaws:
    """Keys that a Secret or a ConfigMap of ours does not have."""
    known = objects.known
    yield from _items(own, known)
    for place, name in walk(own.template):
        reference = str(place[-2]) if len(place) > 1 and place[-1] == "name" else ""
        keys = known.get(reference, {}).get(name)
        above = mapping(dig(own.template, *place[:-1]))
        key = text(above.get("key"))
        if keys and key and key not in keys and above.get("optional") is not True:
            what = f"{'Secret' if reference == 'secretKeyRef' else 'ConfigMap'} {name} has no key {key}"
            yield own.place((*place[:-1], "key")), what, f"write {' or '.join(sorted(keys))}"


def _items(own: Own, known: dict[str, dict[str, Any]]) -> Flaws:
    """The same of keys that become files in a volume."""
    for number, volume in enumerate(sequence(dig(own.template, "spec", "volumes"))):
        for field, named, reference in (
            ("secret", "secretName", "secretKeyRef"),
            ("configMap", "name", "configMapKeyRef"),
        ):
            source = mapping(dig(volume, field))
            keys = known[reference].get(text(source.get(named)))
            for at, item in enumerate(sequence(source.get("items")) if keys else ()):
                key = text(dig(item, "key"))
                if keys and key and key not in keys and source.get("optional") is not True:
                    place = own.place(("spec", "volumes", number, field, "items", at, "key"))
                    yield place, f"{source.get(named)} has no key {key}", f"write {' or '.join(sorted(keys))}"


def _named(objects: Objects, own: Own) -> Flaws:
    """A name that is nearly one of ours, and that nothing here has."""
    for place, name in own.texts:
        if place[-1] not in _LAST or name in objects.everything:
            continue
        keys = tuple(key for key in place if isinstance(key, str))[-2:]
        kinds = _NAMES.get((keys[0], keys[1]), ()) if len(keys) == 2 else ()
        above = mapping(dig(own.value, *place[:-1])) if kinds else {}
        # a key of a mapping is a text as well
        is_here = above.get(place[-1]) == name and above.get("kind") in (None, *kinds) and "namespace" not in above
        known = objects.names(*kinds) | ({"litellm"} if kinds in _OF_THE_CHART else set())
        if is_here and name not in known and (meant := nearly(name, known) or _alone(objects, own, kinds)):
            yield place, f"there is no {kinds[0]} {name}", f"did you mean {meant}?"


def _alone(objects: Objects, own: Own, kinds: tuple[str, ...]) -> str:
    """The name of the one object of these kinds in the same file, where nothing there names it."""
    if kinds[0] not in _MADE_FOR_ANOTHER:
        return ""
    file = own.finding((), "", "").file
    beside = [each for each in objects.found if each.finding((), "", "").file == file]
    there = {each.name for each in beside if each.kind in kinds}
    words = {word for each in beside for at, word in each.texts if at[0] != "metadata"}
    return next(iter(there), "") if len(there) == 1 and not there & words else ""


def _scraped(objects: Objects, own: Own) -> Flaws:
    """Ports that a ServiceMonitor asks, and that no Service has which it selects."""
    selector = mapping(dig(own.value, "spec", "selector", "matchLabels"))
    if own.kind != "ServiceMonitor" or not selector or dig(own.value, "spec", "namespaceSelector"):
        return
    labels = [(each, mapping(dig(each.value, "metadata", "labels"))) for each in objects.services]
    found = [each for each, given in labels if selector.items() <= given.items()]
    known = {text(dig(port, "name")) for each in found for port in sequence(dig(each.value, "spec", "ports"))} - {""}
    for number, endpoint in enumerate(sequence(dig(own.value, "spec", "endpoints")) if known else ()):
        port = text(dig(endpoint, "port"))
        if port and port not in known:
            what = f"Service {found[0].name} has no port called {port}"
            yield ("spec", "endpoints", number, "port"), what, f"write {' or '.join(sorted(known))}"


def _made(objects: Objects, own: Own) -> Flaws:
    """A Secret that it makes, with another name or other keys than policies/suite.yml declares."""
    made = foreign.made_by(own.value)
    declared = {each.name: each.keys for each in objects.repository.suite.secrets if made}
    if not made or not declared:
        return
    (name, place), keys = made, foreign.keys_of(own.value)
    makers = {foreign.made_by(each.value) for each in objects.found}
    meant = nearly(name, {*declared} - {each[0] for each in makers if each})
    if name not in declared and meant:
        yield place, f"it makes the Secret {name}, and {SUITE} declares {meant}", f"did you mean {meant}?"
    lost = sorted({*(declared.get(name) or ())} - {*keys}) if keys else []
    if lost:
        what = f"the Secret {name} gets no key {lost[0]}, which {SUITE} declares"
        yield ("spec",), what, f"write {lost[0]} in place of {' or '.join(sorted(keys or ()))}, or correct that line"


def _hosts(objects: Objects, own: Own) -> Flaws:
    """Names of Services in addresses."""
    known = objects.names("Service") | {"litellm"}
    address = re.compile(rf"://([a-z0-9-]+)\.{re.escape(objects.repository.namespace)}(?:\.svc[\w.]*)?(?=[:/]|\Z)")
    for place, value in own.texts:
        for host in address.findall(value) if "://" in value else ():
            if host not in known and (meant := nearly(host, known)):
                yield place, f"there is no Service {host}", f"did you mean {meant}?"


_CHECKS = (
    *(_targets, _backends, _selects, _scales, _keys, _named, _scraped, _hosts),
    *(addresses.in_fields, addresses.in_texts, addresses.of_hosts, addresses.doubled, addresses.selecting),
    *(limits.admitted, limits.sufficient, limits.scaled, _made),
)
