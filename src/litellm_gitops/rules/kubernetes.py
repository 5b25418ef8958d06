"""Kubernetes: every manifest fits its schema, and what the schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, Form, Misspelt, edit, update
from litellm_gitops.made import Made, made
from litellm_gitops.objects import blank_selectors, found_in, show
from litellm_gitops.repository import ANSWERS, Repository, Values
from litellm_gitops.rules import rule
from litellm_gitops.rules.chart import the_values_fit_their_schema
from litellm_gitops.rules.engine import is_setup, read_by_kustomize
from litellm_gitops.rules.forms import FORMS
from litellm_gitops.rules.kinds import (
    group_of,
    half_named,
    is_of_a_machine,
    is_of_a_program,
    is_of_another_version,
    kind_of,
    unknown,
)
from litellm_gitops.rules.kustomizations import filled_later
from litellm_gitops.rules.sealing import MISSHAPEN, flawed
from litellm_gitops.subjects import Subject, is_filled_in

_NAMELESS_GROUP = "kustomize.config.k8s.io"  # no cluster ever sees these
_FREELY_NAMED_GROUP = "rbac.authorization.k8s.io"  # https://kubernetes.io/docs/reference/access-authn-authz/rbac/


def known_version(repository: Repository) -> str:
    """The version of Kubernetes, where its schemas are installed; else nothing."""
    version = str(repository.answers.get("kubernetes_version"))
    return version if version in schemas.versions() else ""


@rule
def the_kubernetes_version_is_known(repository: Repository) -> Iterator[Finding]:
    if not known_version(repository):
        version, known = repository.answers.get("kubernetes_version"), schemas.versions()
        what = f"kubernetes_version is {version!r}, of which no schemas are installed"
        yield Finding(ANSWERS, None, what, update("kubernetes_version", known[-1], f"choose among {', '.join(known)}"))


@lru_cache(maxsize=8)  # two rules ask
def manifests(repository: Repository) -> list[Subject]:
    """Every manifest of a kind that Kubernetes itself knows."""
    version, found = known_version(repository), list[Subject]()
    for document in repository.manifests if version else ():
        if isinstance(document.value, dict) and not _is_of_others(repository, document):
            subjects = _manifest(version, document, _is_opened(repository, document))
            is_open = document.file in filled_later(repository)
            found += [replace(each, is_patch=True) for each in subjects] if is_open else subjects
    return found


def _is_opened(repository: Repository, document: Document) -> bool:
    """Whether what sops adds is taken off before the cluster sees it: Flux does so with objects of every kind."""
    is_flux = repository.answers.get("gitops_engine") != "argocd" or not document.file.startswith("clusters/")
    return dig(document.value, "kind") == "Secret" or (is_flux and dig(document.value, "sops", "mac") is not None)


@cache
def _manifest(version: str, document: Document, is_opened: bool) -> list[Subject]:
    value = {key: inner for key, inner in document.value.items() if not (is_opened and key == "sops")}
    subjects = _subject(version, value, partial(_in_document, document))
    return [replace(subject, is_patch=is_setup(document)) for subject in subjects]


def engines(repository: Repository) -> list[Subject]:
    """Every manifest of a kind of the engines, of whose schema another rule speaks."""
    found = []
    for document in repository.manifests:
        if isinstance(document.value, dict) and (subject := _of_engine(document)):
            found.append(subject)
    return found


@cache
def _of_engine(document: Document) -> Subject | None:
    validator = schemas.engine(*kind_of(document.value))
    locate = partial(_in_document, document)
    return Subject(document.value, _type(*kind_of(document.value)), validator, locate) if validator else None


def _type(api_version: str, kind: str) -> str:
    """What Kubernetes' OpenAPI calls a kind, such as apps.v1.Deployment."""
    group, _, version = api_version.rpartition("/")
    return f"{group.partition('.')[0] or 'core'}.{version}.{kind}"


@lru_cache(maxsize=8)
def of_values(repository: Repository) -> list[Subject]:
    """What values put into the objects of the chart, and the manifests among them."""
    version, found = known_version(repository), list[Subject]()
    for values in repository.values if version else ():
        for pods in made(values.pod):
            found += _subject(version, pods.manifest, partial(_in_pods, values, pods), is_whole=False)
        for place, kind, is_whole in _pieces(values):
            if not isinstance(piece := values.get(*place), dict):
                continue
            locate = partial(_in_values, values, place)
            if kind:
                found += _subject(version, piece, locate, kind, is_whole)
            else:
                found += _object(version, piece, locate, [*repository.suite.kinds])
    return found


def _pieces(values: Values) -> Iterator[tuple[Place, str, bool]]:
    """What values give beside the pods: (where, its type, whether the chart adds nothing to it)."""
    chart = values.chart
    for above, kind in ((chart.objects, ""), (chart.ingress_tls, "networking.v1.IngressTLS")):
        yield from ((place, kind, True) for place in _items(values, above))
    for host in _items(values, chart.ingress_hosts):
        yield from ((path, "networking.v1.HTTPIngressPath", False) for path in _items(values, (*host, "paths")))
    yield (*chart.autoscaler, "behavior"), "autoscaling.v2.HorizontalPodAutoscalerBehavior", True
    yield chart.job_deadline[:-1], "batch.v1.JobSpec", False
    yield from ((chart.service, kind, False) for kind in ("core.v1.ServiceSpec", "core.v1.ServicePort"))
    for places, kind in (
        (chart.pod_security, "core.v1.PodSecurityContext"),
        (chart.container_security, "core.v1.SecurityContext"),
    ):
        yield from ((place, kind, True) for place in places if place not in {*chart.deployment, *chart.job})


def _items(values: Values, place: Place) -> Iterator[Place]:
    yield from ((*place, number) for number in range(len(sequence(values.get(*place)) if place else ())))


def _subject(version: str, value: dict[Any, Any], locate: Any, kind: str = "", is_whole: bool = True) -> list[Subject]:
    if kind:
        return [Subject(value, kind, schemas.of_type(version, kind), locate, is_whole)]
    api_version, kind = text(value.get("apiVersion")), text(value.get("kind"))
    try:
        validator = schemas.kubernetes(version, api_version, kind)
    except schemas.NoSchemaError:
        return []
    return [Subject(value, _type(api_version, kind), validator, locate, is_whole)]


def _object(version: str, value: Any, locate: Any, declared: list[str]) -> list[Subject]:
    """A manifest among values, also one of the engines' kinds and others that are known here."""
    kind = kind_of(value)
    validator = None if " ".join(kind) in declared else schemas.engine(*kind)
    return [Subject(value, _type(*kind), validator, locate)] if validator else _subject(version, value, locate)


def _in_document(document: Document, place: Place) -> tuple[Finding, Place]:
    return found_in(document, place, "", ""), place


def _in_values(values: Values, above: Place, place: Place) -> tuple[Finding, Place]:
    return values.finding((*above, *place), "", edit("")), (*above, *place)


def _in_pods(values: Values, pods: Made, place: Place) -> tuple[Finding, Place] | None:
    found = pods.place(place)
    return None if found is None else _in_values(values, found, ())


def _is_of_others(repository: Repository, document: Document) -> bool:
    """Whether another rule speaks of it, or nobody: the engines' kinds, what is declared, and what is no object."""
    kind = kind_of(document.value)
    declared = " ".join(kind) in repository.suite.kinds or schemas.engine(*kind) is not None
    elsewhere = flawed(repository) | read_by_kustomize(repository)
    return declared or document.file in elsewhere or repository.source.is_link(document.file)


@rule
def every_manifest_fits_the_schema_of_its_kind(repository: Repository) -> Iterator[Finding]:
    version = known_version(repository)
    for document in repository.manifests if version else ():
        if document.file in filled_later(repository) and is_of_another_version(document.value, version):
            continue  # for another cluster
        if not document.file.startswith(("clusters/", "secrets/")) and is_of_a_machine(document.value, version):
            continue
        if not _is_of_others(repository, document) and (strange := unknown(document.value, version)):
            is_of_a_kind = strange[0] == ("kind",)
            form = Form("type", ("kind",), is_part=is_of_a_kind) if strange[0] else Form("missing", (), "kind")
            yield half_named(document) or replace(found_in(document, *strange), form=form)
        for line in blank_selectors(document):
            what = "matchLabels has nothing behind it, and takes everything there is"
            yield Finding(document.file, line, what, edit("write a label, or matchLabels: {} if that is meant"))
    for subject in manifests(repository):
        yield from _misfits(subject, f"correct it: kubectl explain {subject.reference}")


def _misfits(subject: Subject, fix: str) -> Iterator[Finding]:
    for error in subject.errors:
        named = tuple(error.absolute_path)
        what = schemas.describe(error).removeprefix(".".join(map(str, named)) or "it")
        if found := subject.finding(schemas.place(error), f"{{}}{what}", _corrected(error) or fix, named):
            yield replace(found, misspelt=schemas.misspelt(error), form=schemas.form(error, subject.named(named)))


@rule
def what_values_put_into_the_pod_fits_its_schema(repository: Repository) -> Iterator[Finding]:
    told = {(each.file, each.line) for each in the_values_fit_their_schema(repository)}
    for subject in of_values(repository):
        for found in _misfits(subject, f"correct it: kubectl explain {subject.reference}"):
            if (found.file, found.line) not in told:
                yield found
    version = known_version(repository)
    for values in repository.values if version else ():
        for place in _items(values, values.chart.objects):
            value = values.get(*place)
            declared = " ".join(kind_of(value)) in repository.suite.kinds
            # of one without a kind another rule speaks
            if all(kind_of(value)) and not declared and (strange := unknown(value, version)):
                at, what, fix = strange
                yield values.finding((*place, *at), what, edit(fix))


def _corrected(error: Any) -> str:
    """What to do about an error of a schema: a mode of a file, which people think of in octal, is a decimal number."""
    if error.validator == "type" and re.fullmatch("0[0-7]+", str(error.instance)):
        return f"write {int(error.instance, 8)}, which is {error.instance} in decimal"
    return ""


Named = Iterator[tuple[Place, str, str]]  # where, the name, the form that it should have


@rule
def every_name_is_valid(repository: Repository) -> Iterator[Finding]:
    told = filled_later(repository) | flawed(repository, MISSHAPEN)
    for document in (each for each in repository.manifests if each.file not in told):
        for place, name, form in _names_of(document.value):
            pattern, what, fix = FORMS[form]
            if not re.fullmatch(pattern, name) and not is_filled_in(name):
                if not name and (place == ("metadata", "namespace") or _is_a_setting(repository, document)):
                    continue  # as if there was none
                what, fix = (f"{show(name)!r} is no {what}", fix) if name else ("it has no name", "write name")
                lacks = None if name else Form("missing", place[:-1], str(place[-1]))
                yield replace(found_in(document, place, what, fix), misspelt=_in_other_letters(name, form), form=lacks)
    for values in repository.values:
        for place, name, form in _names_in(values):
            pattern, what, fix = FORMS[form]
            if not re.fullmatch(pattern, name):
                found = values.finding(place, f"{show(name)!r} is no {what}", edit(fix))
                yield replace(found, misspelt=_in_other_letters(name, form))


def _is_a_setting(repository: Repository, document: Document) -> bool:
    """Whether it may be what a program reads, which nothing in a cluster keeps."""
    version = known_version(repository)
    is_known = bool(version) and kind_of(document.value) in schemas.known(version)
    return not document.file.startswith(("clusters/", "secrets/")) and not is_known


def _in_other_letters(name: str, form: str) -> Misspelt | None:
    """The key of a label or an annotation that was meant, where the name before its / is in capital letters."""
    if name != name.strip() and re.fullmatch(FORMS[form][0], name.strip()):
        return Misspelt(name, name.strip())
    before, slash, after = name.partition("/")
    meant = f"{before.lower()}{slash}{after}"
    return Misspelt(name, meant) if form == "mark" and slash and re.fullmatch(FORMS[form][0], meant) else None


def _names_of(value: Any) -> Named:
    (api_version, kind), metadata = kind_of(value), mapping(dig(value, "metadata"))
    if kind and api_version and group_of(api_version) != _NAMELESS_GROUP and not is_of_a_program(api_version, kind):
        if group_of(api_version) != _FREELY_NAMED_GROUP or not metadata.get("name"):
            form = "namespace" if (api_version, kind) == ("v1", "Service") else "object"
            # to the beginning of a name the API server adds five letters and digits
            begun = text(metadata.get("generateName")) and f"{metadata['generateName']}x"
            yield ("metadata", "name"), text(metadata.get("name")) or begun, form
        if "namespace" in metadata:
            yield ("metadata", "namespace"), text(metadata["namespace"]), "namespace"
        for field in ("labels", "annotations"):
            yield from _marks(("metadata", field), metadata.get(field), is_label=field == "labels")
    for block in ("data", "stringData") if kind in ("Secret", "ConfigMap") else ():
        for key in mapping(value.get(block)):
            yield (block, str(key)), str(key), "key"


def _names_in(values: Values) -> Named:
    chart = values.chart
    for place in ((*chart.service_account, "annotations"), chart.ingress_annotations, *chart.annotations):
        yield from _marks(place, values.get(*place))
    for place in chart.labels:
        yield from _marks(place, values.get(*place), is_label=True)
    for place in ((*chart.service_account, "name"), chart.job_account):
        yield from ((place, name, "object") for name in [text(values.get(*place))] if name)
    for place in _items(values, chart.objects):
        named = _names_of(values.get(*place))  # of an object without a name another rule tells
        yield from (((*place, *at), name, form) for at, name, form in named if name and not is_filled_in(name))
    for name in mapping(values.get(*chart.variables)) if chart.variables else ():
        yield (*chart.variables, str(name)), str(name), "variable"
    for number, host in enumerate(values.pod.ingress_hosts):
        if host:
            one = isinstance(values.get(*chart.ingress_hosts), str)
            yield chart.ingress_hosts if one else (*chart.ingress_hosts, number, "host"), host, "host"


def _marks(place: Place, value: Any, is_label: bool = False) -> Named:
    """The keys of labels or annotations, and the values of labels."""
    for key, inner in mapping(value).items():
        yield (*place, str(key)), str(key), "mark"
        if is_label:
            yield (*place, str(key)), str(inner), "label"
