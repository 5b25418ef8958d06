"""What objects of the owner's own say of the proxy's: labels, names, ports, variables. Others may be anybody's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

from litellm_gitops import foreign
from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, walk
from litellm_gitops.findings import Finding, Misspelt, edit
from litellm_gitops.objects import found_in
from litellm_gitops.repository import Repository, Values
from litellm_gitops.rules import links, rbac, rule, rule_of_values
from litellm_gitops.rules.engine import read_by_kustomize, synced
from litellm_gitops.rules.exposure import every_way_in_leads_to_the_proxy
from litellm_gitops.rules.forms import FORMS
from litellm_gitops.rules.kubernetes import engines
from litellm_gitops.spelling import closest
from litellm_gitops.subjects import is_filled_in

_RELEASE = "litellm"  # the name of all that the chart makes, and the label of its pods
_LABEL, _INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
_SELECTORS = ("matchLabels", "selector")  # of labels, by the key above them
# names of objects in the namespace, by the keys above them
_NAMES = (
    *(("scaleTargetRef", "name"), ("service", "name"), ("backendRefs", "name"), ("roleRef", "name")),
    *(("targetRefs", "name"), ("targetRef", "name"), ("backendRef", "name")),
    *(("spec", "serviceAccountName"), ("secretRef", "name"), ("secretKeyRef", "name"), ("secret", "secretName")),
)
# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts")
_PORTS = (4000, "http", "metrics")
# not $${a}, and not ${a:-b}, ${1} or ${env:A} of other programs
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)\}")

Located = tuple[Any, Callable[[Place, str, str], Finding]]  # a value, and what makes a finding in it
Text = tuple[Place, str]


@rule
def what_means_the_proxy_names_it_right(repository: Repository) -> Iterator[Finding]:
    found = [*_objects(repository)]
    told = {(each.file, each.line) for each in every_way_in_leads_to_the_proxy(repository)}
    labels = {label for _, _, pointing in found for label in pointing.labels}
    named = (*(each for each, _, _ in found), *(document.value for document in repository.manifests))
    names = {text(dig(each, "metadata", "name")) for each in named} | {_RELEASE}
    names |= {secret.name for secret in repository.suite.secrets}
    made = (foreign.made_by(document.value) for document in repository.manifests if isinstance(document.value, dict))
    names |= {each[0] for each in made if each}
    ports, known = {*_PORTS, *_beside(repository)}, names | labels
    for each, finding, pointing in found:
        is_told = dig(each, "kind") == "NetworkPolicy" and dig(each, "metadata", "name") == _RELEASE  # by its own rule
        for place, value in () if is_told else pointing.selected:
            if value not in known and closest(value, [_RELEASE]):
                yield finding(place, f"no pod has the label {place[-1]}: {value}", f"did you mean {_RELEASE}?")
        for place, value in () if is_told else pointing.named:
            if place[0] == "roleRef" and dig(each, "metadata", "name") == f"{_RELEASE}-flux":
                continue  # of that binding another rule tells
            is_name = value not in known and re.fullmatch(FORMS["object"][0], value)
            if is_name and not _is_of_the_cluster(each, place) and (meant := links.nearly(value, names)):
                astray = finding(place, f"nothing is called {value}", f"did you mean {meant}?")
                if (astray.file, astray.line) not in told:
                    yield astray
        yield from _ports(each, finding, ports)
        yield from _keys(repository, each, pointing, finding)


class _Pointing(NamedTuple):
    """What in an object points at others: (where, which), and the labels that it gives."""

    selected: list[Text]
    named: list[Text]
    keys: list[Text]
    labels: list[str]


def _pointing(texts: Iterable[Text]) -> _Pointing:
    found = _Pointing([], [], [], [])
    for place, value in texts:
        if "labels" in place:
            found.labels.append(value)
        keys = tuple(key for key in place[-4:] if isinstance(key, str))[-2:]  # a list may be in between
        if len(place) > 1 and place[-1] == "name" and "configMap" not in str(place[-2]) and place[0] != "metadata":
            found.keys.append((place, value))
        if len(keys) == 2 and keys[0] in _SELECTORS:
            found.selected.append((place, value))
        elif keys in _NAMES:
            found.named.append((place, value))
    return found


@cache
def _pointing_of(document: Document) -> _Pointing:
    return _pointing(document.texts)


def _is_of_the_cluster(value: Any, place: Place) -> bool:
    """Whether it names a ClusterRole, of which Kubernetes and others bring some."""
    return place[-2:] == ("roleRef", "name") and dig(value, "roleRef", "kind") == "ClusterRole"


@rule
def what_an_owner_adds_fits_together(repository: Repository) -> Iterator[Finding]:
    """Selectors, ports, kinds, names and keys of objects that stand in one folder."""
    told = {(each.file, each.line) for each in what_means_the_proxy_names_it_right(repository)}
    ways = {each.file for each in every_way_in_leads_to_the_proxy(repository)}  # told once, at one of several lines
    flaws = (each for each in links.flaws(repository) if each.file not in ways)
    yield from (each for each in flaws if (each.file, each.line) not in told)


def _keys(
    repository: Repository, value: Any, pointing: _Pointing, finding: Callable[[Place, str, str], Finding]
) -> Iterator[Finding]:
    """Keys that a sealed Secret does not have, where an object of the owner's own takes one of it."""
    known = {wanted.name: {*wanted.keys} for cluster in repository.clusters for wanted in cluster.wanted.values()}
    known |= {each.name: {*each.keys} for each in repository.suite.secrets if each.keys and each.name not in known}
    for place, name in pointing.keys:
        if name in known:
            key = text(dig(value, *place[:-1], "key"))
            if key and key not in known[name] and dig(value, *place[:-1], "optional") is not True:
                what, fix = f"Secret {name} has no key {key}", f"write {' or '.join(sorted(known[name]))}"
                yield finding((*place[:-1], "key"), what, fix)


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


@rule
def every_role_names_what_there_is(repository: Repository) -> Iterator[Finding]:
    """A word that is misspelt gives no right, and nobody is told."""
    for each, finding in _by_hand(repository, "Role", "ClusterRole"):
        for place, what, meant in rbac.flaws(repository, each):
            if place[2] == "verbs" and dig(each, "metadata", "name") == "litellm-flux":
                continue  # of the verbs of that one another rule tells
            word = str(dig(each, *place))
            found = finding(
                place, f"{what}, so that the right is for nothing", f"write {meant}" if meant else "correct it"
            )
            yield replace(found, misspelt=Misspelt(word, meant) if meant else None)


@rule
def every_binding_is_for_somebody(repository: Repository) -> Iterator[Finding]:
    """For nobody it does nothing; for everybody, and for pods that administer a cluster, it does too much."""
    there = (document.value for document in repository.manifests)
    accounts = {text(dig(each, "metadata", "name")) for each in there if dig(each, "kind") == "ServiceAccount"}
    for each, finding in _by_hand(repository, "RoleBinding", "ClusterRoleBinding"):
        role, subjects = mapping(dig(each, "roleRef")), sequence(dig(each, "subjects"))
        if not subjects and dig(each, "metadata", "name") != "litellm-flux":  # of that one another rule tells
            yield finding(("subjects",), "it gives rights to nobody", "name who gets them, or take it out")
        for number, subject in enumerate(subjects):
            for field, what, fix in _of_subject(repository, role, mapping(subject), accounts | {_RELEASE, "default"}):
                yield finding(("subjects", number, *field), what, fix)


def _by_hand(repository: Repository, *kinds: str) -> Iterator[Located]:
    """Objects of these kinds but for what a commit would bring: of that rules of the engines tell."""
    brought = {file for each in synced(repository) for file in each.files if not each.is_by_hand(file)}
    brought |= read_by_kustomize(repository)  # a patch need not say all
    for document in repository.manifests:
        if dig(document.value, "kind") in kinds and document.file not in brought:
            yield document.value, partial(found_in, document)


def _of_subject(
    repository: Repository, role: dict[Any, Any], subject: dict[Any, Any], accounts: set[str]
) -> Iterator[tuple[Place, str, str]]:
    """What is wrong with one for whom a binding is."""
    name, namespace = text(subject.get("name")), text(subject.get("namespace"))
    is_wide = role.get("kind") == "ClusterRole" and role.get("name") in ("cluster-admin", "admin", "edit")
    ours = (repository.namespace, "flux-system", "argocd")
    if subject.get("kind") != "ServiceAccount":
        if is_wide and name in _EVERYBODY:
            yield (
                ("name",),
                f"it gives {name}, which is everybody, the rights of {role['name']}",
                "name a group of people",
            )
        return
    if is_wide and role.get("name") == "cluster-admin" and namespace == repository.namespace:
        yield ("name",), f"pods of namespace {namespace} become administrators", "give them the rights that they need"
    elif meant := closest(namespace, ours):
        if namespace not in ours:
            yield ("namespace",), f"there is no namespace {namespace}", f"did you mean {meant}?"
    elif namespace == repository.namespace and name not in accounts and (meant := closest(name, accounts)):
        yield ("name",), f"there is no ServiceAccount {name}", f"did you mean {meant}?"


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


def _objects(repository: Repository) -> Iterator[tuple[*Located, _Pointing]]:
    """Manifests of the clusters and in values, and the affinities that values give; none of an engine's kinds."""
    known = {id(subject.value) for subject in engines(repository)}
    for document in repository.manifests:
        if isinstance(document.value, dict) and id(document.value) not in known:

            def there(place: Place, what: str, fix: str, document: Document = document) -> Finding:
                return found_in(document, place, what, fix)

            yield document.value, there, _pointing_of(document)
    for values in repository.values:
        chart = values.chart
        affinities = [place for place in chart.deployment if place[-1] == "affinity"]
        objects = [(*chart.objects, number) for number in range(len(sequence(values.get(*chart.objects))))]
        for above in (*affinities, *objects):

            def here(place: Place, what: str, fix: str, values: Values = values, above: Place = above) -> Finding:
                return values.finding((*above, *place), what, edit(fix))

            yield values.get(*above), here, _pointing(walk(values.get(*above)))


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
