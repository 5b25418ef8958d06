"""What a Gateway needs of the route to the proxy: exposure.yml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litellm_gitops.cel import seconds
from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, update
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import Object, expect, show
from litellm_gitops.rules.exposure import KNOWN, NAME, RULES, absent, contents, exposed, identities, needed, ways

_GROUP = "gateway.networking.k8s.io"


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
        timeouts, least = mapping(found.get(*place)), needed(each.cluster)["whole"]
        unread = timeouts and "refused" in kind and any(map(each.find, objects))
        short = [(name, value) for name, value in timeouts.items() if 0 < seconds(value) < least]
        for name, value in short if not unread else ():
            what = f"timeouts.{name} ends an answer after {value}, though it still streams"
            yield found.finding((*place, name), what, f"write {name}: 0s")
        if unread:
            what = f"it has timeouts, and beside it is an object of {kind['name']}: {kind['refused']}"
            yield found.finding(place, what, "take them out; for another kind of Gateway take its objects away instead")
        elif not timeouts and "missing" in kind:
            what = f"it has no timeouts: {kind['missing']}"
            yield found.finding(RULES, what, "write timeouts: {request: 0s} beside its matches")
        elif not timeouts:
            yield from expect(each, absent(each, wanted))
        yield from contents(each, wanted)


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
                elif at and closest(text(backend.get("name")), [NAME]):
                    what = f"there is no Service {show(backend['name'])}"
                    yield found.finding((*place, "backendRefs", at, "name"), what, f"write {NAME}")
            api = [way for way in ways(found) if way.place[: len(place)] == place and way.path in KNOWN["api"]]
            for at, entry_filter in enumerate(sequence(dig(entry, "filters"))):
                if len(api) > 1 and dig(entry_filter, "urlRewrite", "path"):
                    what = "it sends every path of this rule to the same one, which the proxy answers for one of them"
                    yield found.finding((*place, "filters", at, "urlRewrite", "path"), what, "take it out")
