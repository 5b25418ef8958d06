"""What objects of the owner's own say of the proxy's: labels, names, ports, variables. Others may be anybody's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.engine import found_in, synced
from litellm_gitops.rules.exposure import every_way_in_leads_to_the_proxy
from litellm_gitops.rules.kubernetes import FORMS, engines, is_filled_in

_RELEASE = "litellm"  # the name of all that the chart makes, and the label of its pods
_LABEL, _INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
_SELECTORS = ("matchLabels", "selector")  # of labels, by the key above them
# names of objects in the namespace, by the keys above them
_NAMES = (
    *(("scaleTargetRef", "name"), ("service", "name"), ("backendRefs", "name"), ("roleRef", "name")),
    *(("targetRefs", "name"), ("targetRef", "name"), ("backendRef", "name")),
    ("spec", "serviceAccountName"),
)
_PORTS = (4000, "http", "metrics")
# not $${a}, and not ${a:-b}, ${1} or ${env:A} of other programs
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)\}")

Located = tuple[Any, Callable[[Place, str, str], Finding]]  # a value, and what makes a finding in it


@rule
def what_means_the_proxy_names_it_right(repository: Repository) -> Iterator[Finding]:
    found = [*_objects(repository)]
    told = {(each.file, each.line) for each in every_way_in_leads_to_the_proxy(repository)}
    labels = {text(value) for each, _ in found for place, value in walk(each) if "labels" in place}
    named = (*(each for each, _ in found), *(document.value for document in repository.manifests))
    names = {text(dig(each, "metadata", "name")) for each in named} | {_RELEASE}
    ports = {*_PORTS, *_beside(repository)}
    for each, finding in found:
        is_told = dig(each, "kind") == "NetworkPolicy" and dig(each, "metadata", "name") == _RELEASE  # by its own rule
        for place, value in () if is_told else walk(each):
            keys = tuple(key for key in place if isinstance(key, str))
            if len(keys) < 2 or not isinstance(value, str) or value in names | labels:
                continue
            if keys[-2] in _SELECTORS and closest(value, [_RELEASE]):
                yield finding(place, f"no pod has the label {keys[-1]}: {value}", f"did you mean {_RELEASE}?")
            elif keys[-2:] in _NAMES and re.fullmatch(FORMS["object"][0], value) and (meant := closest(value, names)):
                astray = finding(place, f"nothing is called {value}", f"did you mean {meant}?")
                if (astray.file, astray.line) not in told:
                    yield astray
        yield from _ports(each, finding, ports)


def _beside(repository: Repository) -> Iterator[Any]:
    """The ports of the containers that values add to the proxy's pods, by name and by number."""
    for values in repository.values:
        for place in (values.chart.containers, values.chart.init_containers):
            for port in (port for each in sequence(values.get(*place)) for port in sequence(dig(each, "ports"))):
                yield from (dig(port, "name"), dig(port, "containerPort"))


def _ports(value: Any, finding: Callable[[Place, str, str], Finding], ports: set[Any]) -> Iterator[Finding]:
    """Ports of the proxy in a Service beside the chart's."""
    selector = mapping(dig(value, "spec", "selector"))
    is_ours = selector.get(_LABEL) == _RELEASE and selector.get(_INSTANCE, _RELEASE) == _RELEASE
    if dig(value, "kind") != "Service" or not is_ours:
        return
    for number, port in enumerate(sequence(dig(value, "spec", "ports"))):
        target = mapping(port).get("targetPort", mapping(port).get("port"))
        of_no_type = isinstance(target, str) and target.isdigit()  # of which the schema tells
        if target not in ports and not of_no_type:
            what = f"the proxy has no port {target}"
            yield finding(("spec", "ports", number), what, f"write targetPort: {_PORTS[1]}")
            return


@rule_of_values
def what_values_add_stands_beside_the_chart(values: Values) -> Iterator[Finding]:
    """Each object has a kind and a name of its own, and is in the namespace of the release."""
    place, namespace = values.chart.objects, values.repository.namespace
    seen = {*values.chart.makes}
    for number, each in enumerate(sequence(values.get(*place)) if place else ()):
        if isinstance(each, str):
            continue  # what it is shows in what is rendered
        above, kind, name = (*place, number), text(dig(each, "kind")), text(dig(each, "metadata", "name"))
        given = dig(each, "metadata", "namespace")
        if not kind or not dig(each, "apiVersion") or not name:
            yield values.finding(above, "it has no apiVersion, kind or name", edit("write a Kubernetes manifest"))
        elif f"{kind}/{name}" in seen:
            yield values.finding(above, f"{kind} {name} is there already", edit("give it another name"))
        elif isinstance(given, str) and given != namespace and not is_filled_in(given):
            what = f"{kind} {name} is not in namespace {namespace}, and the engine may write nowhere else"
            yield values.finding((*above, "metadata", "namespace"), what, edit(f"write {namespace}"))
        seen.add(f"{kind}/{name}")


def _objects(repository: Repository) -> Iterator[Located]:
    """Manifests of the clusters and in values, and the affinities that values give; none of an engine's kinds."""
    known = {id(subject.value) for subject in engines(repository)}
    for document in repository.manifests:
        if isinstance(document.value, dict) and id(document.value) not in known:

            def there(place: Place, what: str, fix: str, document: Document = document) -> Finding:
                return found_in(document, place, what, fix)

            yield document.value, there
    for values in repository.values:
        chart = values.chart
        affinities = [place for place in chart.deployment if place[-1] == "affinity"]
        objects = [(*chart.objects, number) for number in range(len(sequence(values.get(*chart.objects))))]
        for above in (*affinities, *objects):

            def here(place: Place, what: str, fix: str, values: Values = values, above: Place = above) -> Finding:
                return values.finding((*above, *place), what, edit(fix))

            yield values.get(*above), here


@rule
def nothing_is_left_to_substitution(repository: Repository) -> Iterator[Finding]:
    """Flux replaces variables where a Kustomization has postBuild. What a program in a pod reads is its own matter."""
    for each in synced(repository):
        sources = [found for found in each.all("Kustomization") if found.get("spec", "postBuild")]
        if any(found.get("spec", "postBuild", "substituteFrom") for found in sources):
            continue  # whoever makes them knows the names
        known = {str(name) for found in sources for name in mapping(found.get("spec", "postBuild", "substitute"))}
        for file in (*each.files, f"{each.cluster.secrets_folder}/kustomization.yaml"):
            for document in repository.documents(file):
                is_data = dig(document.value, "kind") == "ConfigMap" and not sources
                for place, value in () if is_data or "${" not in document.joined else document.texts:
                    is_script = bool({"command", "args"} & {*place}) or "\n" in value
                    names = _VARIABLE.findall(value) if sources or not is_script else []
                    if lost := next((name for name in names if name not in known), ""):
                        what = f"it holds ${{{lost}}}, which {'becomes nothing' if sources else 'nothing replaces'}"
                        fix = f"write the value itself{', or $${ for a program' if sources else ''}"
                        yield found_in(document, place, what, fix)
                        break
