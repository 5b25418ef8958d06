"""Kubernetes: every manifest fits its schema, and what the schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.document import Document
from rules.repository import ANSWERS, UPDATE, Repository, Values, dig, mapping, sequence, text
from rules.schemas import NoSchemaError, describe, kubernetes, place, versions

# Kinds that no Kubernetes version defines: of kustomize, which no cluster ever sees, and of custom resources. A kind of
# your own goes here when its CustomResourceDefinition is installed in every cluster.
KINDS_WITHOUT_SCHEMA = frozenset(
    {
        ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        ("kustomize.config.k8s.io/v1alpha1", "Component"),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ("source.toolkit.fluxcd.io/v1", "GitRepository"),
        ("source.toolkit.fluxcd.io/v1", "HelmRepository"),
        ("source.toolkit.fluxcd.io/v1", "OCIRepository"),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("fluxcd.controlplane.io/v1", "FluxInstance"),
        ("argoproj.io/v1alpha1", "Application"),
        ("argoproj.io/v1alpha1", "AppProject"),
        ("viaduct.ai/v1", "ksops"),
    }
)
# They hold no metadata.name that a cluster sees.
_NAMELESS = frozenset({"Kustomization", "Component"})

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_DNS_LABEL = re.compile(_LABEL)
_QUALIFIED_NAME = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


@rule
def the_kubernetes_version_is_known(repository: Repository) -> Iterator[Problem]:
    version, known = repository.answers.get("kubernetes_version"), versions()
    if version not in known:
        what = f"kubernetes_version is {version!r}, of which no schemas are installed"
        yield Problem(
            ANSWERS,
            None,
            what,
            f"choose among {', '.join(known)}: {UPDATE} kubernetes_version={known[-1]}",
        )


@rule
def every_manifest_fits_the_schema_of_its_kind(repository: Repository) -> Iterator[Problem]:
    version = str(repository.answers.get("kubernetes_version"))
    if version not in versions():
        return  # told above
    for document in repository.manifests:
        manifest = mapping(document.value)
        api_version, kind = text(manifest.get("apiVersion")), text(manifest.get("kind"))
        if not api_version or not kind:
            yield Problem(
                document.file,
                document.line(),
                "it has no apiVersion and kind",
                "write a Kubernetes manifest",
            )
            continue
        if (api_version, kind) in KINDS_WITHOUT_SCHEMA:
            continue
        try:
            schema = kubernetes(version, api_version, kind)
        except NoSchemaError:
            what = f"Kubernetes {version} has no {kind} of {api_version}"
            todo = "correct it; a custom resource of yours goes into KINDS_WITHOUT_SCHEMA in tests/rules/kubernetes.py"
            yield Problem(document.file, document.line("apiVersion"), what, todo)
            continue
        if kind == "Secret":  # what sops adds is taken off before the cluster sees it
            manifest = {key: value for key, value in manifest.items() if key != "sops"}
        for error in schema.iter_errors(manifest):
            line = document.line(*place(error))
            yield Problem(
                document.file, line, describe(error), f"correct it: kubectl explain {kind.lower()}"
            )


@rule
def every_name_is_valid(repository: Repository) -> Iterator[Problem]:
    for document in repository.manifests:
        manifest = mapping(document.value)
        if not text(manifest.get("kind")):
            continue  # told above
        if manifest.get("kind") not in _NAMELESS or "fluxcd" in text(manifest.get("apiVersion")):
            yield from _metadata(document)
        for block in (
            ("data", "stringData") if manifest.get("kind") in ("Secret", "ConfigMap") else ()
        ):
            for key in mapping(manifest.get(block)):
                if not _SECRET_KEY.fullmatch(str(key)):
                    what = f"the key {key!r} has other characters than letters, digits, '-', '_' and '.'"
                    yield Problem(document.file, document.line(block, str(key)), what, "rename it")
    for values in repository.values:
        yield from _values(values)


def _metadata(document: Document) -> Iterator[Problem]:
    metadata = mapping(mapping(document.value).get("metadata"))
    for field, pattern, kind in (
        ("name", _SUBDOMAIN, "subdomain"),
        ("namespace", _DNS_LABEL, "label"),
    ):
        if field == "namespace" and field not in metadata:
            continue
        if not pattern.fullmatch(text(metadata.get(field))):
            what = f"metadata.{field} is {metadata.get(field)!r}, which is no DNS-1123 {kind}"
            todo = "use lower-case letters, digits and hyphens"
            yield Problem(document.file, document.line("metadata", field), what, todo)
    for field in ("labels", "annotations"):
        for key, value in mapping(metadata.get(field)).items():
            for flaw in _label(str(key), value, field):
                yield Problem(document.file, document.line("metadata", field, str(key)), *flaw)


def _values(values: Values) -> Iterator[Problem]:
    for path, field in (
        (("serviceAccount", "annotations"), "annotations"),
        (("podAnnotations",), "annotations"),
        (("ingress", "annotations"), "annotations"),
        (("podLabels",), "labels"),
    ):
        for key, value in mapping(values.get(*path)).items():
            for what, todo in _label(str(key), value, field):
                yield values.problem((*path, str(key)), what, todo)
    for name in mapping(values.get("envVars")):
        if not _VARIABLE.fullmatch(str(name)):
            yield values.problem(
                ("envVars", str(name)), f"{name!r} is no name of a variable", "rename it"
            )
    for number, entry in enumerate(sequence(values.get("extraEnvVars"))):
        if not _VARIABLE.fullmatch(text(dig(entry, "name"))):
            what = f"{dig(entry, 'name')!r} is no name of a variable"
            yield values.problem(("extraEnvVars", number, "name"), what, "rename it")
    for number, volume in enumerate(sequence(values.get("volumes"))):
        if not _DNS_LABEL.fullmatch(text(dig(volume, "name"))):
            what = f"the volume {dig(volume, 'name')!r} is no DNS-1123 label"
            yield values.problem(
                ("volumes", number, "name"), what, "use lower-case letters, digits and hyphens"
            )


def _label(key: str, value: Any, field: str) -> Iterator[tuple[str, str]]:
    if not _QUALIFIED_NAME.fullmatch(key):
        yield (
            f"{key!r} is no key of {field}",
            "write prefix.example.com/name, the name at most 63 characters",
        )
    if field == "labels" and not _LABEL_VALUE.fullmatch(str(value)):
        yield f"the value of {key} is no label", "use at most 63 letters, digits, '-', '_' and '.'"
