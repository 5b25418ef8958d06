"""The proxy is reached from outside of its cluster as the answers say, and as the controller there needs it.

Only the objects called `litellm` are meant: further ones are the owner's. What each controller needs: exposure.yml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, Fix, Misspelt, edit, instead_of, update
from litellm_gitops.objects import Identity, Object, show
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import VALUES, Cluster, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.admission import is_refused
from litellm_gitops.rules.engine import Synced, expect, synced
from litellm_gitops.rules.production import is_cut_off
from litellm_gitops.spelling import closest

KNOWN = yaml.load((files(__package__) / "exposure.yml").read_text("utf-8"), LOADER)
NAME, _PORT = "litellm", 4000
_KINDS = {"ingress": "Ingress", "gateway": "HTTPRoute"}  # by the answer
ISSUER, _CLASS = "cert-manager.io/cluster-issuer", "kubernetes.io/ingress.class"
RULES = ("spec", "rules")


class Way(NamedTuple):
    """A path that is served: where it stands, whether what is below it is served, too, and the backend."""

    place: Place
    path: str
    below: bool
    service: Any
    port: Any


def exposed(repository: Repository, *answers: str) -> Iterator[tuple[Synced, Object]]:
    """What leads to the proxy in each cluster, where the answer is one of these."""
    answer = text(repository.answers.get("exposure"))
    for each in synced(repository) if answer in answers else ():
        found = each.find(Identity(_KINDS[answer], f"{repository.namespace}/{NAME}"))
        if found and not is_refused(repository, found):  # of that the API server says enough
            yield each, found


def ways(found: Object) -> Iterator[Way]:
    """Every path that an Ingress or an HTTPRoute serves."""
    is_route = found.identity.kind == "HTTPRoute"
    for number, entry in enumerate(sequence(found.get(*RULES))):
        yield from _matches(entry, (*RULES, number)) if is_route else _paths(entry, (*RULES, number))
    rest = mapping(found.get("spec", "defaultBackend", "service"))
    if rest.get("name") == NAME:  # another Service may answer what no rule takes
        port = dig(rest, "port", "number") or dig(rest, "port", "name")
        yield Way(("spec", "defaultBackend"), "/", True, NAME, port)


def _paths(entry: Any, place: Place) -> Iterator[Way]:
    for number, path in enumerate(sequence(dig(entry, "http", "paths"))):
        service = mapping(dig(path, "backend", "service"))
        port = dig(service, "port", "number") or dig(service, "port", "name")
        below = dig(path, "pathType") != "Exact"
        yield Way((*place, "http", "paths", number), text(dig(path, "path")), below, service.get("name"), port)


def _matches(entry: Any, place: Place) -> Iterator[Way]:
    references = [mapping(each) for each in sequence(dig(entry, "backendRefs"))]
    backend = next((each for each in references if each.get("name") == NAME), [*references, {}][0])
    service = backend.get("name")
    strange = backend.get("namespace") or backend.get("group") or backend.get("kind", "Service")
    if strange != "Service":
        service = f"{strange}/{service}"
    for number, match in enumerate(sequence(dig(entry, "matches")) or [{}]):  # none is all of the host
        path = mapping(dig(match, "path"))
        below, shown = path.get("type") != "Exact", text(path.get("value", "/"))
        yield Way((*place, "matches", number), shown, below, service, backend.get("port"))


@rule
def the_proxy_is_exposed_as_answered(repository: Repository) -> Iterator[Finding]:
    """By an Ingress, by an HTTPRoute, or not at all."""
    answer = text(repository.answers.get("exposure"))
    for each in synced(repository) if answer else ():
        if answer in _KINDS:
            wanted = Identity(_KINDS[answer], f"{repository.namespace}/{NAME}")
            # of one in another namespace the rules of the engine say so
            yield from expect(each, () if each.find(wanted) else [wanted], each.home("exposure.yaml"))
            continue
        for found in each.objects:
            if found.identity.kind in _KINDS.values() and found.identity.name == NAME:
                what = f"it leads to the proxy from outside, but the answer exposure is {answer!r}"
                fix = update("exposure", next(key for key, kind in _KINDS.items() if kind == found.identity.kind))
                yield found.finding(("kind",), what, fix)


@rule_of_values
def the_chart_makes_no_ingress_of_its_own(values: Values) -> Iterator[Finding]:
    """It would serve all of the proxy, and has the name of the one that is beside it."""
    place = (*values.chart.ingress, "enabled")
    if values.get(*place) is True and values.repository.answers.get("exposure"):
        what = "the chart's own Ingress serves the whole proxy, its management too"
        yield values.finding(place, what, edit("take it out, and change clusters/<cluster>/exposure.yaml instead"))


@rule
def every_domain_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """The proxy is asked as litellm.<domain>, with a certificate for that name where one is asked for here."""
    for each, found in exposed(repository, *_KINDS):
        host, question = f"litellm.{each.cluster.answer('domain')}", each.cluster.answer_name("domain")
        secured = [name for entry in sequence(found.get("spec", "tls")) for name in sequence(dig(entry, "hosts"))]
        is_route = found.identity.kind == "HTTPRoute"
        hosts = sequence(found.get("spec", "hostnames")) if is_route else _hosts(found)
        looked_at = [(found, ("spec", "hostnames") if is_route else RULES, "host", hosts)]
        if found.get("spec", "tls"):
            looked_at.append((found, ("spec", "tls"), "certificate", secured))
        for certificate in each.all("ManagedCertificate"):
            if certificate.identity.name == NAME:
                domains = sequence(certificate.get("spec", "domains"))
                looked_at.append((certificate, ("spec", "domains"), "certificate", domains))
        for document, place, kind, named in looked_at:
            if host not in named:
                what = f"no {kind} is {host}, as the answer {question} says"
                told = document.finding(place, what, update(question, first="restore it"))
                yield replace(told, other=instead_of(named[0], host) if len(named) == 1 else None)


def _hosts(ingress: Object) -> list[Any]:
    return [dig(entry, "host") for entry in sequence(ingress.get(*RULES))]


@rule
def every_way_in_leads_to_the_proxy(repository: Repository) -> Iterator[Finding]:
    """What models are called by goes to its Service; further paths are the owner's."""
    for each, found in exposed(repository, *_KINDS):
        values = each.cluster.values
        port = (values.get(*values.chart.service, "port") if values else None) or _PORT
        yield from _strange(found)
        known = [way for way in ways(found) if way.path in KNOWN["api"]]
        if values and port != _PORT and any(way.port == _PORT for way in known):
            what = f"the Service has port {port}, but what leads to it asks port {_PORT}"
            if port in range(1, 65536):  # another is refused by the API server, of which a rule of its own tells
                yield values.finding((*values.chart.service, "port"), what, edit(f"write {_PORT}"), VALUES)
            continue
        told = []
        for way in known:
            backend = way.place[:-2] if "matches" in way.place else way.place  # which all of its matches share
            if (way.service != NAME or way.port not in (port, "http")) and backend not in told:
                told.append(backend)
                what = f"{way.path} leads to {show(way.service)}:{show(way.port)}"
                told_here = found.finding(way.place, what, f"name the Service {NAME} and its port {port}")
                yield replace(told_here, other=Misspelt(str(way.port), str(port)) if way.service == NAME else None)


def _strange(found: Object) -> Iterator[Finding]:
    """Paths by which no model is called: misspelt ones, and those with a * that is taken as it is written."""
    served = [way for way in ways(found) if way.service == NAME]
    missing = set(KNOWN["api"]) - {way.path for way in served}
    for way in served:
        kind = found.get(*way.place, "pathType") or found.get(*way.place, "path", "type")
        if _opened(way.path, way.below):
            continue  # the rule below says so
        if "*" in way.path and kind in ("Prefix", "PathPrefix", "Exact"):
            what = f"{way.path} is no pattern in a path of the type {kind}, so that nobody asks for it"
            yield found.finding(way.place, what, "write what the path begins with")
        elif way.path not in KNOWN["api"] and (meant := closest(way.path, missing)):
            yield found.finding(way.place, f"the proxy has no {way.path}; did you mean {meant}?", f"write {meant}")


@rule
def management_is_not_reached_from_outside(repository: Repository) -> Iterator[Finding]:
    """Neither keys, users and configuration, nor the user interface, nor metrics."""
    for _, found in exposed(repository, *_KINDS):
        for way in ways(found):
            opened = _opened(way.path, way.below)
            if way.service == NAME and opened:
                what = f"{way.path or '/'} opens {opened} to whoever reaches the host"
                fix = f"name what models are called by, or say that it is meant: {SUITE}, exceptions"
                yield found.finding(way.place, what, fix)


@rule_of_values
def the_service_is_for_the_cluster_alone(values: Values) -> Iterator[Finding]:
    """A load balancer of its own leads to all of the proxy, its management too; one of the private network may."""
    place = (*values.chart.service, "type")
    given = mapping(values.get(*values.chart.service_annotations))
    inside = any("internal" in f"{name} {value}".lower() for name, value in given.items())
    if values.get(*place) == "LoadBalancer" and not inside:
        what = "a load balancer opens the whole proxy, its management too, to whoever reaches it"
        yield values.finding(place, what, edit("write ClusterIP, or name the annotation of an internal one"), VALUES)


@cache
def _opened(path: str, below: bool) -> str | None:
    """What is closed and yet reached by a path; `below`: by all that begins with it, too."""
    plain = re.match(r"[\w/.-]*", path)  # up to what a pattern begins with
    path = (plain[0] if plain else "").rstrip("/.")
    for closed in KNOWN["closed"]:
        if (below and f"{closed}/".startswith(f"{path}/")) or path == closed or path.startswith(f"{closed}/"):
            return str(closed)
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Ingress


def _controller(cluster: Cluster) -> dict[str, Any]:
    """What exposure.yml knows of the answered class; nothing where it does not know it."""
    name = text(cluster.answer("ingress_class"))
    for kind in KNOWN["classes"]:
        here = kind.get("environments", [cluster.environment])
        if cluster.environment in here and any(part in name for part in kind["contains"]):
            return dict(kind)
    return {}


def _issuer(cluster: Cluster) -> str:
    """The issuer of the certificate; none where the class takes certificates from its cloud alone."""
    asked = _controller(cluster).get("issues", True)
    return text(cluster.repository.answers.get("tls_cluster_issuer")) if asked else ""


@rule
def the_ingress_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """The class and the issuer of the certificate are those that were answered."""
    for each, found in exposed(repository, "ingress"):
        cluster, annotation = each.cluster, _controller(each.cluster).get("class_annotation")
        place: Place = ("metadata", "annotations", annotation) if annotation else ("spec", "ingressClassName")
        if annotation and found.get("spec", "ingressClassName"):
            what = f"the controller that reads {annotation} passes over what has spec.ingressClassName"
            yield found.finding(("spec", "ingressClassName"), what, "take it out")
        elif not annotation and found.get("spec", "ingressClassName") and found.get("metadata", "annotations", _CLASS):
            what = "the API server refuses it beside spec.ingressClassName"
            yield found.finding(("metadata", "annotations", _CLASS), what, "take it out")
        given = [*map(str, mapping(found.get("metadata", "annotations")))]
        if not (annotation and closest(annotation, given)):  # of one that is misspelt another rule tells
            yield from _agrees(found, place, cluster.answer_name("ingress_class"), cluster)
        if not (issuer := _issuer(cluster)):
            continue
        yield from _agrees(found, ("metadata", "annotations", ISSUER), "tls_cluster_issuer", cluster)
        tls = sequence(found.get("spec", "tls"))
        if not tls:
            what = f"it has no tls section, but tls_cluster_issuer is {issuer!r}"
            yield found.finding(("spec",), what, update("tls_cluster_issuer", "", first="restore it"))
        for number, entry in enumerate(tls):
            if not text(dig(entry, "secretName")):
                fix = "name the Secret into which cert-manager puts it, such as litellm-tls"
                yield found.finding(("spec", "tls", number), "it names no secretName, so there is no certificate", fix)


def _agrees(found: Object, place: Place, question: str, cluster: Cluster) -> Iterator[Finding]:
    answer = cluster.repository.answers.get(question)
    above = mapping(found.get(*place[:-1]))
    is_null = place[-1] in above and above[place[-1]] is None  # of which another rule tells
    if found.get(*place) != answer and not is_null:
        what = f"{place[-1]} is {show(found.get(*place))}, but the answer {question} says {answer}"
        told = found.finding(place, what, update(question, first="restore it"))
        yield replace(told, other=instead_of(found.get(*place), answer))


@rule
def the_ingress_has_what_its_class_needs(repository: Repository) -> Iterator[Finding]:
    """Time for an answer, room for a request, health checks and TLS."""
    for each, found in exposed(repository, "ingress"):
        kind, given = _controller(each.cluster), mapping(found.get("metadata", "annotations"))
        for name, entry in needed_annotations(each.cluster, found).items():
            if not any(other in given for other in entry.get("instead", ())):
                for what, fix in _amiss(name, given.get(name), entry, each.cluster):
                    yield found.finding(("metadata", "annotations", name), what, fix)
        if values := each.cluster.values:
            place = values.chart.service_annotations
            for name, entry in kind.get("service", {}).items():
                known = next((other for other in entry.get("instead", ()) if values.get(*place, other)), name)
                for what, fix in _amiss(known, values.get(*place, known), entry, each.cluster):
                    yield values.finding((*place, known), what, fix)
        beside = [KNOWN["objects"][name] for name in kind.get("objects", ())]
        wanted = [entry for entry in beside if "named_by" not in entry or given.get(entry["named_by"]) == NAME]
        yield from expect(each, absent(each, wanted), each.home("exposure.yaml"))
        yield from contents(each, wanted)


def needed_annotations(cluster: Cluster, ingress: Object) -> dict[str, Any]:
    """The annotations that an Ingress of this class needs, by name."""
    kind = _controller(cluster)
    more = "with_issuer" if _issuer(cluster) else "" if ingress.get("spec", "tls") else "without_issuer"
    return {**kind.get("annotations", {}), **kind.get(more, {})}


def identities(each: Synced, wanted: list[dict[str, Any]]) -> list[Identity]:
    """What these entries of exposure.yml are called in a cluster."""
    return [Identity(entry["kind"], f"{each.repository.namespace}/{NAME}") for entry in wanted]


def absent(each: Synced, wanted: list[dict[str, Any]]) -> list[Identity]:
    """Which of these objects are not there; of one in another namespace the rules of the engine say so."""
    return [identity for identity in identities(each, wanted) if not each.find(identity)]


def contents(each: Synced, wanted: list[dict[str, Any]]) -> Iterator[Finding]:
    """What is amiss in these objects, where they are there."""
    for entry, identity in zip(wanted, identities(each, wanted), strict=True):
        if found := each.find(identity):
            for must in entry["must"]:
                name, value = ".".join(must["at"]), found.get(*must["at"])
                if "key" in must:
                    name, listed = must["key"], sequence(value)
                    value = next((dig(item, "value") for item in listed if dig(item, "key") == name), None)
                for what, fix in _amiss(name, value, must, each.cluster):
                    yield found.finding(tuple(must["at"]), what, fix)


# ---------------------------------------------------------------------------------------------------------------------
# Either


@rule
def a_new_pod_is_ready_when_its_load_balancer_calls_it(repository: Repository) -> Iterator[Finding]:
    """Where the controller can tell, by labels of the namespace: an update ends an old pod once a new one is ready."""
    for each, _ in exposed(repository, *_KINDS):
        if not (namespace := each.find(Identity("Namespace", repository.namespace))):
            continue  # another rule says so
        given = mapping(namespace.get("metadata", "labels"))
        for name, entry in _labels(each).items() if not namespace.get("labels") else ():  # else they lost their place
            if not any(given.get(other) == entry["value"] for other in (name, *entry.get("instead", ()))):
                what = f"{name} is {show(given.get(name))}: {entry['about']}"
                fix = f"write {entry['value']}, and apply the file: README.md, Bootstrap"
                yield namespace.finding(("metadata", "labels", name), what, fix)


def _labels(each: Synced) -> dict[str, Any]:
    """The labels that the namespace needs, by name; of another kind of Gateway, which has no object here, nothing."""
    if each.repository.answers.get("exposure") == "ingress":
        return dict(_controller(each.cluster).get("namespace", {}))
    kind = KNOWN["gateways"][each.cluster.environment]
    wanted = identities(each, [KNOWN["objects"][name] for name in kind["objects"]])
    return dict(kind.get("namespace", {})) if any(map(each.find, wanted)) else {}


# ---------------------------------------------------------------------------------------------------------------------


def needed(cluster: Cluster) -> dict[str, float]:
    """What each group of a pattern in exposure.yml must come to, at least."""
    values = cluster.values
    asked = values.pod.config("litellm_settings", "request_timeout") if values and not is_cut_off(values) else None
    # of more than a day another rule tells, and first of more than a pod is given to end
    pause = float(asked if isinstance(asked, int | float) and 0 < asked <= 86400 else KNOWN["seconds"])
    return {
        "seconds": pause,
        "minutes": pause / 60,
        "hours": pause / 3600,
        "whole": 2 * pause,
        "megabytes": float(KNOWN["megabytes"]),
    }


def _amiss(name: str, found: Any, entry: Mapping[str, Any], cluster: Cluster) -> Iterator[tuple[str, Fix]]:
    """(what is wrong, what to do) with a value that must be as an entry of exposure.yml says."""
    value, least = entry.get("value"), needed(cluster)
    written = show(found) if isinstance(found, bool) else "" if found is None else str(found)
    match = re.fullmatch(str(entry["like"]) if "like" in entry else re.escape(str(value)), written)
    said = f"{name} is {show(found)}: {entry['about']}"
    if not match:
        yield said, edit(f"write {value}" if value else "restore it")
    for unit, number in match.groupdict().items() if match else ():
        if number is not None and float(number) < least[unit]:
            enough = f"{least[unit]:g}" if unit != "whole" else f"{least[unit]:g}, twice request_timeout"
            yield said, edit(f"give it {enough} at least")
        elif number is not None and "most" in entry and float(number) > entry["most"]:
            yield f"{name} is {show(found)}, which is refused", edit(f"give it {entry['most']} at most")
