"""What a Gateway needs of the route to the proxy: exposure.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, update
from litellm_gitops.languages.cel import QUANTITY, quantity, seconds
from litellm_gitops.objects import Object, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import expect
from litellm_gitops.rules.exposure import KNOWN, NAME, RULES, absent, contents, exposed, identities, needed, ways
from litellm_gitops.spelling import closest

_GROUP = "gateway.networking.k8s.io"
_UNITS = {
    "whole": "s, twice request_timeout, in which an answer still streams",
    "seconds": "s, for which an answer may pause",
    "megabytes": "MB, which a request with pictures has",
}


@rule
def the_route_is_on_the_answered_gateway(repository: Repository) -> Iterator[Finding]:
    """The answered Gateway, and the answered one of its listeners; a second parent is the owner's."""
    for each, found in exposed(repository, "gateway"):
        answer = text(each.cluster.answer("gateway"))
        parents = [
            "/".join(_parent(found, entry)) for entry in sequence(found.get("spec", "parentRefs")) if _is_gateway(entry)
        ]
        if answer not in parents:
            question = each.cluster.answer_name("gateway")
            what = f"its parent is {', '.join(parents) or 'not set'}, but the answer {question} says {answer}"
            yield found.finding(("spec", "parentRefs"), what, update(question, first="restore it"))


def _is_gateway(entry: Any) -> bool:
    kind = (dig(entry, "group") or _GROUP, dig(entry, "kind") or "Gateway")
    return kind in ((_GROUP, "Gateway"), (_GROUP, "ListenerSet"))


def _parent(route: Object, entry: Any) -> Iterator[str]:
    yield text(dig(entry, "namespace")) or route.identity.namespace
    yield text(dig(entry, "name"))
    if section := text(dig(entry, "sectionName")):
        yield section


@rule
def the_route_has_what_its_gateway_needs(repository: Repository) -> Iterator[Finding]:
    """The objects of its cloud's own Gateway, or the timeouts that another one reads."""
    for each, found in exposed(repository, "gateway"):
        kind, place = KNOWN["gateways"][each.cluster.environment], (*RULES, 0, "timeouts")
        wanted = [KNOWN["objects"][name] for name in kind["objects"]]
        objects = identities(each, wanted)
        timeouts = mapping(found.get(*place))
        unread = timeouts and "refused" in kind and any(map(each.find, objects))
        if not unread:
            yield from _short(found, needed(each.cluster)["whole"])
        if unread:
            what = f"it has timeouts, and beside it is an object of {kind['name']}: {kind['refused']}"
            yield found.finding(place, what, "take them out; for another kind of Gateway take its objects away instead")
        elif not timeouts and "missing" in kind:
            what = f"it has no timeouts: {kind['missing']}"
            yield found.finding(RULES, what, "write timeouts: {request: 0s} beside its matches")
        elif not timeouts:
            yield from expect(each, absent(each, wanted), each.home("exposure.yaml"))
        yield from contents(each, wanted)


def _short(found: Object, least: float) -> Iterator[Finding]:
    """Times of the whole, in each part of the route by which models are called."""
    called = {way.place[:3] for way in ways(found) if way.path in KNOWN["api"]} | {(*RULES, 0)}
    for place in sorted(called):
        for name, value in mapping(found.get(*place, "timeouts")).items():
            if 0 < seconds(value) < least:
                what = f"timeouts.{name} ends an answer after {value}, though it still streams"
                yield found.finding((*place, "timeouts", name), what, f"write {name}: 0s")


@rule
def no_policy_cuts_an_answer_off(repository: Repository) -> Iterator[Finding]:
    """What limits the time of an answer beside the route, or the size of a request, leaves enough of it."""
    for each, _ in exposed(repository, "gateway"):
        least = needed(each.cluster)
        gateway = text(each.cluster.answer("gateway")).split("/")[1:2]
        there = {found.identity.name for found in each.objects}
        for found in each.objects:
            if found.flaws or found.identity.kind not in KNOWN["policies"]:
                continue
            yield from _for_nobody(found, there)
            if not _is_for(found, [NAME], gateway):
                continue
            for limit in KNOWN["policies"].get(found.identity.kind, ()):
                name, value = ".".join(limit["at"]), found.get(*limit["at"])
                if "key" in limit:
                    name, value = limit["key"], _of_key(value, limit["key"])
                enough = least[limit["least"]]
                if 0 < _amount(value, limit["least"]) < enough:
                    what = f"{name} is {show(value)}, and less than {enough:g} {_UNITS[limit['least']]}"
                    yield found.finding(tuple(limit["at"]), what, f"give it {enough:g} at least, or take it out")


def _is_for(policy: Object, names: list[str], gateways: list[str]) -> bool:
    """Whether a policy is for the proxy or its Gateway; one that says nothing of it is, and `contents` has its own."""
    if policy.identity.name == NAME and policy.identity.kind == "GCPBackendPolicy":
        return False
    named = [*sequence(policy.get("spec", "targetRefs")), policy.get("spec", "targetRef")]
    wanted = {kind: gateways if kind == "Gateway" else names for kind in ("Gateway", "HTTPRoute", "Service")}
    given = [mapping(target) for target in named if target]
    return not given or any(target.get("name") in wanted.get(text(target.get("kind")), ()) for target in given)


def _for_nobody(policy: Object, there: set[str]) -> Iterator[Finding]:
    """A name that is nearly the proxy's, and of no object that is there."""
    own = policy.identity.name == NAME  # of what it must name another rule tells
    targets: list[tuple[Place, Any]] = [(("spec", "targetRef"), policy.get("spec", "targetRef"))]
    targets += [
        (("spec", "targetRefs", at), each) for at, each in enumerate(sequence(policy.get("spec", "targetRefs")))
    ]
    for place, target in targets if not own else ():
        name = text(dig(target, "name"))
        if dig(target, "kind") in ("HTTPRoute", "Service") and name not in there and closest(name, [NAME]):
            what = f"there is no {target['kind']} {show(name)}, so that the policy is for nobody"
            yield policy.finding((*place, "name"), what, f"write {NAME}")


def _of_key(value: Any, key: str) -> Any:
    return next((dig(item, "value") for item in sequence(value) if dig(item, "key") == key), None)


def _amount(value: Any, unit: str) -> float:
    """Seconds, or megabytes; 0 where it is neither."""
    if unit == "megabytes":
        return quantity(value) / 1e6 if QUANTITY.fullmatch(str(value)) else 0.0
    return float(value) if re.fullmatch(r"\d+", str(value)) else seconds(value)


@rule
def the_route_sends_what_it_takes_to_the_proxy(repository: Repository) -> Iterator[Finding]:
    """To its Service, as it came in, and not to a share of nothing."""
    for _, found in exposed(repository, "gateway"):
        for number, entry in enumerate(sequence(found.get(*RULES))):
            place: Place = (*RULES, number)
            for at, backend in enumerate(map(mapping, sequence(dig(entry, "backendRefs")))):
                if backend.get("name") == NAME and backend.get("weight") == 0:
                    what = f"Service {NAME} gets no request: its weight is 0"
                    yield found.finding((*place, "backendRefs", at, "weight"), what, "write 1, or take the weight out")
            api = [way for way in ways(found) if way.place[: len(place)] == place and way.path in KNOWN["api"]]
            for at, entry_filter in enumerate(sequence(dig(entry, "filters"))):
                if closest(text(dig(entry_filter, "requestMirror", "backendRef", "name")), [NAME]):
                    what = "there is no such Service to mirror to"
                    where = (*place, "filters", at, "requestMirror", "backendRef", "name")
                    yield found.finding(where, what, f"write {NAME}")
                if len(api) > 1 and dig(entry_filter, "urlRewrite", "path"):
                    what = "it sends every path of this rule to the same one, which the proxy answers for one of them"
                    yield found.finding((*place, "filters", at, "urlRewrite", "path"), what, "take it out")
