"""Kubernetes: every manifest fits its schema, and what the schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.document import Document
from rules.repository import (
    ANSWERS,
    UPDATE,
    Place,
    Repository,
    Values,
    dig,
    mapping,
    sequence,
    text,
)
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

# What the chart puts into the Deployment as it is: place in the values -> place in the manifest.
_SPEC = ("spec", "template", "spec")
_PROXY, _MIGRATIONS = (*_SPEC, "containers", 0), (*_SPEC, "containers", 1)
_IN_THE_POD: dict[tuple[str, ...], Place] = {
    ("strategy",): ("spec", "strategy"),
    ("podSecurityContext",): (*_SPEC, "securityContext"),
    **{
        (field,): (*_SPEC, field)
        for field in (
            "affinity",
            "imagePullSecrets",
            "nodeSelector",
            "tolerations",
            "topologySpreadConstraints",
            "volumes",
        )
    },
    ("extraEnvVars",): (*_PROXY, "env"),
    **{(field,): (*_PROXY, field) for field in ("lifecycle", "resources", "securityContext", "volumeMounts")},
    ("migrationJob", "resources"): (*_MIGRATIONS, "resources"),
}
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?")
_SUFFIXES = {
    **{
        "n": 1e-9,
        "u": 1e-6,
        "m": 1e-3,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
        "T": 1e12,
        "P": 1e15,
        "E": 1e18,
    },
    **{f"{suffix}i": 1024.0**power for power, suffix in enumerate("KMGTPE", 1)},
}

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_DNS_LABEL = re.compile(_LABEL)
_QUALIFIED_NAME = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?")
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
            yield Problem(document.file, line, describe(error), f"correct it: kubectl explain {kind.lower()}")


@rule
def what_values_put_into_the_pod_fits_its_schema(repository: Repository) -> Iterator[Problem]:
    version = str(repository.answers.get("kubernetes_version"))
    if version not in versions():
        return  # told above
    schema = kubernetes(version, "apps/v1", "Deployment")
    for values in repository.values:
        for error in schema.iter_errors(_deployment(values)):
            where = place(error)
            for path, there in _IN_THE_POD.items():
                if where[: len(there)] == there:
                    inner = where[len(there) :]
                    what = describe(error).replace(".".join(map(str, there)), ".".join(path))
                    todo = "correct it: kubectl explain deployment.spec.template.spec"
                    yield values.problem((*path, *inner), what, todo)
        for number, entry in enumerate(sequence(values.get("extraEnvVars"))):
            if {"value", "valueFrom"} <= set(mapping(entry)):
                what = f"{dig(entry, 'name')} has a value and valueFrom, which Kubernetes refuses"
                yield values.problem(("extraEnvVars", number), what, "keep one of them")


def _deployment(values: Values) -> dict[str, Any]:
    """The manifest, as far as values decide on it."""
    container = {"name": "litellm", "image": "litellm"}
    pod: dict[str, Any] = {"containers": [dict(container), {**container, "name": "migrations"}]}
    spec: dict[str, Any] = {"selector": {}, "template": {"metadata": {}, "spec": pod}}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": spec}
    for path, there in _IN_THE_POD.items():
        found = values.get(*path)
        if not found:
            continue
        target: Any = manifest
        for part in there[:-1]:
            target = target[part]
        target[there[-1]] = found
    return manifest


@rule
def every_resource_is_a_quantity_within_its_limit(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        for path in (("resources",), ("migrationJob", "resources")):
            amounts: dict[tuple[str, str], float] = {}
            for kind in ("requests", "limits"):
                for name, quantity in mapping(values.get(*path, kind)).items():
                    match = _QUANTITY.fullmatch(str(quantity))
                    if match is None:
                        what = f"{name} is {quantity!r}, which is no quantity"
                        todo = "write one such as 500m, 2 or 4Gi"
                        yield values.problem((*path, kind, str(name)), what, todo)
                        continue
                    number, suffix, exponent = match.groups()
                    factor = _SUFFIXES[suffix] if suffix else 10.0 ** int(exponent or 0)
                    amounts[kind, str(name)] = float(number) * factor
            for (kind, name), amount in amounts.items():
                if kind == "requests" and amount > amounts.get(("limits", name), amount):
                    what = f"more {name} is requested than the limit allows, which Kubernetes refuses"
                    yield values.problem((*path, kind, name), what, "raise the limit")


@rule
def every_name_is_valid(repository: Repository) -> Iterator[Problem]:
    for document in repository.manifests:
        manifest = mapping(document.value)
        if not text(manifest.get("kind")):
            continue  # told above
        if manifest.get("kind") not in _NAMELESS or "fluxcd" in text(manifest.get("apiVersion")):
            yield from _metadata(document)
        for block in ("data", "stringData") if manifest.get("kind") in ("Secret", "ConfigMap") else ():
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
            yield values.problem(("envVars", str(name)), f"{name!r} is no name of a variable", "rename it")
    for number, entry in enumerate(sequence(values.get("extraEnvVars"))):
        if not _VARIABLE.fullmatch(text(dig(entry, "name"))):
            what = f"{dig(entry, 'name')!r} is no name of a variable"
            yield values.problem(("extraEnvVars", number, "name"), what, "rename it")
    for number, entry in enumerate(sequence(values.get("ingress", "hosts"))):
        host = text(dig(entry, "host"))
        if host and not _SUBDOMAIN.fullmatch(host.removeprefix("*.")):
            what = f"the host {host!r} is no DNS name"
            yield values.problem(("ingress", "hosts", number, "host"), what, "write it in lower case, without a port")
    for number, volume in enumerate(sequence(values.get("volumes"))):
        if not _DNS_LABEL.fullmatch(text(dig(volume, "name"))):
            what = f"the volume {dig(volume, 'name')!r} is no DNS-1123 label"
            yield values.problem(("volumes", number, "name"), what, "use lower-case letters, digits and hyphens")


def _label(key: str, value: Any, field: str) -> Iterator[tuple[str, str]]:
    if not _QUALIFIED_NAME.fullmatch(key):
        yield (
            f"{key!r} is no key of {field}",
            "write prefix.example.com/name, the name at most 63 characters",
        )
    if field == "labels" and not _LABEL_VALUE.fullmatch(str(value)):
        yield f"the value of {key} is no label", "use at most 63 letters, digits, '-', '_' and '.'"
