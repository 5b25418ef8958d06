"""Kubernetes: every manifest fits its schema, and what the schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.charts import Pod
from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, edit, update
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import ANSWERS, Repository, Values
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import found_in, show
from litellm_gitops.rules.sealing import flawed

# Argo's other projects, such as Rollouts and Workflows, have kinds in the group of Argo CD.
_SHARED_GROUPS = {"argoproj.io"}
_NAMELESS_GROUP = "kustomize.config.k8s.io"  # no cluster ever sees these
_FREELY_NAMED_GROUP = "rbac.authorization.k8s.io"  # https://kubernetes.io/docs/reference/access-authn-authz/rbac/
_CLOSE = 0.8  # how much two words have in common, of 1, where one of them is the other misspelt

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?")
_SUFFIXES = {suffix: 1000.0**power for power, suffix in enumerate("num kMGTPE", -3)}
_SUFFIXES |= {f"{suffix}i": 1024.0**power for power, suffix in enumerate("KMGTPE", 1)}

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"
_TAIL = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
# what a name is for -> (its form, what one of another form is not, what to do)
_FORMS = {
    "object": (_SUBDOMAIN, "DNS-1123 subdomain", "use lower-case letters, digits and hyphens"),
    "namespace": (_LABEL, "DNS-1123 label", "use lower-case letters, digits and hyphens"),
    "host": (rf"(?:\*\.)?{_SUBDOMAIN}", "DNS name", "write it in lower case, without a port"),
    "mark": (rf"(?:{_LABEL}(?:\.{_LABEL})*/)?{_TAIL}", "key of a label or an annotation", "write example.com/name"),
    "label": (rf"(?:{_TAIL})?", "value of a label", "use at most 63 letters, digits, '-', '_' and '.'"),
    "key": (r"[-._a-zA-Z0-9]{1,253}", "key of a Secret or a ConfigMap", "use letters, digits, '-', '_' and '.'"),
    "variable": (r"[-._a-zA-Z][-._a-zA-Z0-9]*", "name of a variable", "rename it"),
}


def _version(repository: Repository) -> str:
    """The version of Kubernetes, where its schemas are installed; else nothing."""
    version = str(repository.answers.get("kubernetes_version"))
    return version if version in schemas.versions() else ""


@rule
def the_kubernetes_version_is_known(repository: Repository) -> Iterator[Finding]:
    if not _version(repository):
        version, known = repository.answers.get("kubernetes_version"), schemas.versions()
        what = f"kubernetes_version is {version!r}, of which no schemas are installed"
        yield Finding(ANSWERS, None, what, update("kubernetes_version", known[-1], f"choose among {', '.join(known)}"))


@rule
def every_manifest_fits_the_schema_of_its_kind(repository: Repository) -> Iterator[Finding]:
    version = _version(repository)
    for document in repository.manifests if version else ():
        if document.file not in flawed(repository):
            yield from _misfits(document, version, repository.suite.kinds)


def _kind(document: Document) -> tuple[str, str]:
    return text(dig(document.value, "apiVersion")), text(dig(document.value, "kind"))


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _misfits(document: Document, version: str, declared: list[str]) -> Iterator[Finding]:
    api_version, kind = _kind(document)
    if not api_version or not kind:
        yield found_in(document, (), "it has no apiVersion and kind", "write a Kubernetes manifest")
        return
    if f"{api_version} {kind}" in declared or schemas.engine(api_version, kind):
        return  # of an engine's kinds another rule says so
    try:
        schema = schemas.kubernetes(version, api_version, kind)
    except schemas.NoSchemaError:
        yield from _unknown(document, version)
        return
    # what sops adds is taken off before the cluster sees it
    manifest = {key: value for key, value in document.value.items() if (kind, key) != ("Secret", "sops")}
    for error in schema.iter_errors(manifest):
        fix = f"correct it: kubectl explain {kind.lower()}"
        yield found_in(document, schemas.place(error), schemas.describe(error), fix)


def _unknown(document: Document, version: str) -> Iterator[Finding]:
    """A finding for a kind that has no schema, unless it may be one of a group that is not known here."""
    from difflib import SequenceMatcher, get_close_matches  # only where there is something to say

    (api_version, kind), known = _kind(document), schemas.known(version)
    group = _group(api_version)
    kinds = {other for there, other in known if _group(there) == group}
    is_ours = group not in _SHARED_GROUPS and (bool(kinds) or "." not in group)
    near = {there for there, other in known if other == kind}
    if not is_ours:
        near = {there for there in near if SequenceMatcher(None, _group(there), group).ratio() >= _CLOSE}
    meant = [f"{there} {kind}" for there in sorted(near)]
    meant += [f"{api_version} {other}" for other in get_close_matches(kind, kinds, 1, _CLOSE)]
    if is_ours or meant:
        what = f"nothing knows a {kind} of {api_version}" + (f"; did you mean {meant[0]}?" if meant else "")
        fix = f"correct it, or declare it where the cluster knows it: {SUITE}, kinds"
        yield found_in(document, ("apiVersion",), what, fix)


@rule
def what_values_put_into_the_pod_fits_its_schema(repository: Repository) -> Iterator[Finding]:
    version = _version(repository)
    for values in repository.values if version else ():
        for error in schemas.kubernetes(version, "apps/v1", "Deployment").iter_errors(_deployment(values.pod)):
            place = schemas.place(error)
            for path, there in values.chart.deployment.items():
                if place[: len(there)] == there:
                    what = schemas.describe(error).replace(".".join(map(str, there)), ".".join(map(str, path)))
                    yield values.finding((*path, *place[len(there) :]), what, edit(_corrected(error)))
        place = values.chart.variable_list
        for number, entry in enumerate(sequence(values.get(*place))):
            if {"value", "valueFrom"} <= set(mapping(entry)):
                what = f"{dig(entry, 'name')} has a value and valueFrom, which Kubernetes refuses"
                yield values.finding((*place, number), what, edit("keep one of them"))


def _corrected(error: Any) -> str:
    """What to do about an error of a schema: a mode of a file, which people think of in octal, is a decimal number."""
    if error.validator == "type" and re.fullmatch("0[0-7]+", str(error.instance)):
        return f"write {int(error.instance, 8)}, which is {error.instance} in decimal"
    return "correct it: kubectl explain deployment.spec.template.spec"


def _deployment(pod: Pod) -> dict[str, Any]:
    """The manifest, as far as values decide on it."""
    containers = [{"name": name, "image": "litellm"} for name in ("litellm", "migrations")]
    spec = {"selector": {}, "template": {"metadata": {}, "spec": {"containers": containers}}}
    manifest: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": spec}
    for place, there in pod.chart.deployment.items():
        if found := pod.get(place):
            dig(manifest, *there[:-1])[there[-1]] = found
    return manifest


@rule
def every_resource_is_a_quantity_within_its_limit(repository: Repository) -> Iterator[Finding]:
    for values in repository.values:
        for place in values.chart.resources:
            amounts: dict[tuple[str, str], float] = {}
            for kind in ("requests", "limits"):
                for name, quantity in mapping(values.get(*place, kind)).items():
                    if match := _QUANTITY.fullmatch(str(quantity)):
                        number, suffix, exponent = match.groups()
                        factor = _SUFFIXES[suffix] if suffix else 10.0 ** int(exponent or 0)
                        amounts[kind, str(name)] = float(number) * factor
                    else:
                        what = f"{name} is {quantity!r}, which is no quantity"
                        yield values.finding((*place, kind, str(name)), what, edit("write one such as 500m, 2 or 4Gi"))
            for (kind, name), amount in amounts.items():
                if kind == "requests" and amount > amounts.get(("limits", name), amount):
                    what = f"more {name} is requested than the limit allows, which Kubernetes refuses"
                    yield values.finding((*place, kind, name), what, edit("raise the limit"))


Named = Iterator[tuple[Place, str, str]]  # where, the name, the form that it should have


@rule
def every_name_is_valid(repository: Repository) -> Iterator[Finding]:
    for document in repository.manifests:
        for place, name, form in _names_of(document):
            pattern, what, fix = _FORMS[form]
            if not re.fullmatch(pattern, name):
                yield found_in(document, place, f"{show(name)!r} is no {what}", fix)
    for values in repository.values:
        for place, name, form in _names_in(values):
            pattern, what, fix = _FORMS[form]
            if not re.fullmatch(pattern, name):
                yield values.finding(place, f"{show(name)!r} is no {what}", edit(fix))


def _names_of(document: Document) -> Named:
    (api_version, kind), metadata = _kind(document), mapping(dig(document.value, "metadata"))
    if kind and _group(api_version) != _NAMELESS_GROUP:
        if _group(api_version) != _FREELY_NAMED_GROUP:
            yield ("metadata", "name"), text(metadata.get("name")), "object"
        if "namespace" in metadata:
            yield ("metadata", "namespace"), text(metadata["namespace"]), "namespace"
        for field in ("labels", "annotations"):
            yield from _marks(("metadata", field), metadata.get(field), is_label=field == "labels")
    for block in ("data", "stringData") if kind in ("Secret", "ConfigMap") else ():
        for key in mapping(document.value.get(block)):
            yield (block, str(key)), str(key), "key"


def _names_in(values: Values) -> Named:
    chart = values.chart
    for place in ((*chart.service_account, "annotations"), chart.pod_annotations, chart.ingress_annotations):
        yield from _marks(place, values.get(*place))
    yield from _marks(chart.pod_labels, values.get(*chart.pod_labels), is_label=True)
    for variable in values.pod.variable_entries:
        yield variable.place, variable.name, "variable"
    for number, entry in enumerate(sequence(values.get(*chart.ingress_hosts))):
        if host := text(dig(entry, "host")):
            yield (*chart.ingress_hosts, number, "host"), host, "host"
    for volume in values.pod.volumes:
        yield volume.place, volume.name, "namespace"


def _marks(place: Place, value: Any, is_label: bool = False) -> Named:
    """The keys of labels or annotations, and the values of labels."""
    for key, inner in mapping(value).items():
        yield (*place, str(key)), str(key), "mark"
        if is_label:
            yield (*place, str(key)), str(inner), "label"
