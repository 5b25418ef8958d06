"""The annotations of the Ingress are written as its controller reads them: annotations.yml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from litellm_gitops.documents import LOADER, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, edit
from litellm_gitops.objects import Object, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import Synced
from litellm_gitops.rules.exposure import ISSUER, NAME, exposed, needed_annotations
from litellm_gitops.spelling import closest

_NEAR = 0.89  # how much of two long names is the same, of 1, where one is the other misspelt
_ALB = "alb.ingress.kubernetes.io"
_APPGW = "appgw.ingress.kubernetes.io"
_CHECKS = (  # how long a health check waits, how often one is made, and how often by itself
    (f"{_ALB}/healthcheck-timeout-seconds", f"{_ALB}/healthcheck-interval-seconds", "15"),
    (f"{_APPGW}/health-probe-timeout", f"{_APPGW}/health-probe-interval", "30"),
)
_ISSUERS = {"cert-manager.io/cluster-issuer", "cert-manager.io/issuer"}
# what is beside the Ingress and that it names: by the annotation, the kind
_NAMED = {
    "networking.gke.io/managed-certificates": "ManagedCertificate",
    "networking.gke.io/v1beta1.FrontendConfig": "FrontendConfig",
}


class _Form(NamedTuple):
    like: str
    about: str


@cache
def _prefixes() -> dict[str, dict[str, _Form]]:
    """What is known of the annotations below each prefix, by their names."""
    content = yaml.load((files(__package__) / "annotations.yml").read_text("utf-8"), LOADER)["prefixes"]
    return {
        prefix: {name: _Form(row["like"], row.get("about", "")) for row in rows for name in row["names"].split()}
        for prefix, rows in content.items()
    }


@rule
def the_controller_reads_every_annotation(repository: Repository) -> Iterator[Finding]:
    """Each is called as it is known, and its value is of the form that is read."""
    for each, found in exposed(repository, "ingress"):
        told = needed_annotations(each.cluster, found)  # of which another rule tells
        issuer = {ISSUER} if text(repository.answers.get("tls_cluster_issuer")) else set()
        beside = each.cluster.values  # what is to be there, and is not, another rule tells
        there = mapping(beside.get(*beside.chart.service_annotations)) if beside else {}
        given = mapping(found.get("metadata", "annotations"))
        for annotation, value in given.items():
            wrong = _wrong(str(annotation), text(value), {*told, *issuer} - given.keys())
            if str(annotation).startswith("cloud.google.com/") and annotation not in there:
                continue
            if annotation in told:
                wrong = _unnamed(str(annotation), text(value), each)
            if wrong:
                yield found.finding(("metadata", "annotations", str(annotation)), *wrong)
        yield from _contradictions(found)


def _wrong(annotation: str, value: str, missing: set[str]) -> tuple[str, str] | None:
    """(what is wrong, what to do) with an annotation; of what is missing another rule tells."""
    prefix, _, name = annotation.rpartition("/")
    known = _prefixes().get(prefix)
    if known is None:
        meant = closest(prefix, _prefixes())
        is_name = meant and any(name.startswith(each.rstrip("*")) for each in _prefixes()[meant])
        if not is_name or f"{meant}/{name}" in missing:
            return None
        return f"no controller reads {annotation}", f"write {meant}/{name}"
    form = known.get(name) or known.get(f"{name.rpartition('.')[0]}.*") or known.get(f"{name.partition('.')[0]}.*")
    if form is None:
        meant = closest(name, known) or _nearly(name, known)
        if not meant or f"{prefix}/{meant}" in missing:
            return None
        return f"no controller reads {annotation}; did you mean {meant}?", f"write {prefix}/{meant}"
    if _is_like(value, form.like):
        return None
    reason = f": {form.about}" if form.about else ", which its controller does not take"
    return f"{annotation} is {show(value)}{reason}", "correct it, or take it out"


def _nearly(name: str, known: dict[str, _Form]) -> str:
    """The one name that begins like this one, or that has most of its letters."""
    begun = [each for each in known if len(name) > 3 and each.startswith(f"{name}-")]
    return begun[0] if len(begun) == 1 else next(iter(get_close_matches(name, known, 1, _NEAR)), "")


def _is_like(value: str, like: str) -> bool:
    if like != "json":
        return re.fullmatch(like, value) is not None
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _unnamed(annotation: str, value: str, each: Synced) -> tuple[str, str] | None:
    """An object that is named, and is nearly the one that is there."""
    there = [found.identity.name for found in each.objects if found.identity.kind == _NAMED.get(annotation)]
    for name in value.split(","):
        if name.strip() == NAME:
            continue  # which the object is to be called, of which a rule of the Ingress tells
        if name.strip() not in there and (meant := closest(name.strip(), there)):
            return f"{annotation} is {show(value)}, and there is no {_NAMED[annotation]} {name}", f"write {meant}"
    return None


def _contradictions(found: Object) -> Iterator[Finding]:
    """What does not go with the rest of the Ingress."""
    given = mapping(found.get("metadata", "annotations"))
    rules = sequence(found.get("spec", "rules"))
    paths = [text(dig(path, "path")) for entry in rules for path in sequence(dig(entry, "http", "paths"))]
    for annotation in given if not any("(" in path for path in paths) else ():
        if str(annotation).endswith("/rewrite-target"):
            what = f"{annotation} sends every request to {show(given[annotation])}, for no path keeps a part of it"
            yield found.finding(("metadata", "annotations", annotation), what, edit("take it out"))
    if given.keys() >= _ISSUERS:
        what = f"{min(_ISSUERS)} is there, too, and cert-manager takes one of them"
        yield found.finding(("metadata", "annotations", max(_ISSUERS)), what, edit("keep one of them"))
    yield from _too_long(found, given)
    port, ports = text(given.get(f"{_ALB}/ssl-redirect")), _https(text(given.get(f"{_ALB}/listen-ports")))
    if port.isdigit() and ports and int(port) not in ports:
        what = f"{_ALB}/ssl-redirect is {port}, at which it does not listen for HTTPS"
        yield found.finding(("metadata", "annotations", f"{_ALB}/ssl-redirect"), what, edit("name a port of HTTPS"))


def _too_long(ingress: Object, given: dict[Any, Any]) -> Iterator[Finding]:
    """A health check that is asked again before it has failed, which these load balancers refuse."""
    for timeout, interval, at_least in _CHECKS:
        asked, every = text(given.get(timeout)), text(given.get(interval)) or at_least
        if asked.isdigit() and every.isdigit() and int(asked) + (timeout.startswith(_ALB)) > int(every):
            what = f"{timeout} is {asked}, and the next check comes after {every} s: the load balancer refuses that"
            yield ingress.finding(("metadata", "annotations", timeout), what, edit("give it less"))


def _https(listened: str) -> list[int]:
    """The ports for HTTPS of an ALB; none where they cannot be read, of which another rule tells."""
    try:
        found = [dig(entry, "HTTPS") for entry in sequence(json.loads(listened))]
    except ValueError:
        return []
    return [port for port in found if isinstance(port, int) and port < 65536]
