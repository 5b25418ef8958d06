"""The schemas of what Flux, Argo CD and Kustomize read are those of the pinned releases, and refuse what these drop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops import schemas
from litellm_gitops.findings import UnreadableError
from litellm_gitops.schemas.errors import imported
from tools import ToolError
from tools import schemas as generator
from tools.pins import load

FILES = [*generator.SETS, "kustomize", "clouds"]
VALUE = "a-value-that-may-be-a-secret"


def content(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((generator.FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def manifest(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def inner(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from inner(each)


# ----- where they come from -----


@pytest.mark.parametrize("engine", generator.SETS)
def test_the_schemas_are_made_of_the_pinned_definitions(engine: str) -> None:
    try:
        made = generator.generate(engine)
    except ToolError as error:
        pytest.skip(f"the definitions cannot be had here: {error}")
    committed = (generator.FOLDER / f"{engine}.json").read_text("utf-8")
    assert generator.dumps(made) + "\n" == committed, "run `python -m tools.schemas`"


@pytest.mark.parametrize("name", FILES)
def test_the_schemas_name_the_versions_of_the_pins(name: str) -> None:
    pins = {pin.tool: pin.version for pin in load().values()}
    versions = content(name)["versions"]
    assert versions == {tool: pins[tool] for tool in versions}, "run `python -m tools.schemas`"
    if name in generator.SETS:
        assert list(versions) == [load()[folder].tool for folder in generator.SETS[name]]


@pytest.mark.parametrize("name", FILES)
def test_whatever_has_fields_is_closed(name: str) -> None:
    # a field may be called `properties`, too
    found = [each for each in inner(content(name)) if isinstance(each.get("properties"), dict) and "type" in each]
    assert len(found) > 10
    assert all("additionalProperties" in each or each.get("type") != "object" for each in found)
    assert not any("patternProperties" in each for each in found)


def test_a_definition_that_nobody_can_translate_stops_the_generator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = {"type": "object", "properties": {"name": {"type": "string", "nullable": True}}}
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": {"properties": {"spec": spec}}}}
    definition = {"group": "example.com", "names": {"kind": "Example"}, "versions": [version]}
    file = tmp_path / "example.yaml"
    file.write_text(yaml.safe_dump({"kind": "CustomResourceDefinition", "spec": definition}))
    monkeypatch.setattr(generator, "path", lambda name: tmp_path)
    with pytest.raises(ToolError, match="name has nullable"):
        generator.generate("argocd")
    version["served"] = False
    file.write_text(yaml.safe_dump({"kind": "CustomResourceDefinition", "spec": definition}))
    assert not generator.generate("argocd")["kinds"]


# ----- what they know -----

KINDS = """
    source.toolkit.fluxcd.io/v1 GitRepository, OCIRepository, Bucket, HelmRepository, HelmChart, ExternalArtifact
    kustomize.toolkit.fluxcd.io/v1 Kustomization
    helm.toolkit.fluxcd.io/v2 HelmRelease
    notification.toolkit.fluxcd.io/v1beta3 Alert, Provider
    notification.toolkit.fluxcd.io/v1 Receiver
    image.toolkit.fluxcd.io/v1 ImageRepository, ImagePolicy, ImageUpdateAutomation
    fluxcd.controlplane.io/v1 FluxInstance, ResourceSet, ResourceSetInputProvider
    argoproj.io/v1alpha1 Application, AppProject, ApplicationSet
    kustomize.config.k8s.io/v1beta1 Kustomization
    kustomize.config.k8s.io/v1alpha1 Component
    viaduct.ai/v1 ksops
    monitoring.coreos.com/v1 PodMonitor, Probe, PrometheusRule, ServiceMonitor
    cilium.io/v2 CiliumNetworkPolicy
    gateway.networking.k8s.io/v1 HTTPRoute, ReferenceGrant, BackendTLSPolicy
    gateway.networking.k8s.io/v1beta1 HTTPRoute, ReferenceGrant
    gateway.envoyproxy.io/v1alpha1 BackendTrafficPolicy, ClientTrafficPolicy
    networking.gke.io/v1 GCPBackendPolicy, HealthCheckPolicy, ManagedCertificate
    networking.gke.io/v1beta1 FrontendConfig
    cloud.google.com/v1 BackendConfig
    gateway.k8s.aws/v1 LoadBalancerConfiguration, TargetGroupConfiguration
    gateway.k8s.aws/v1beta1 LoadBalancerConfiguration, TargetGroupConfiguration
    alb.networking.azure.io/v1 HealthCheckPolicy, RoutePolicy
"""


def test_the_kinds_of_the_engines_are_known_and_no_others() -> None:
    for line in KINDS.strip().splitlines():
        api_version, kinds = line.strip().split(" ", 1)
        for kind in kinds.split(", "):
            assert schemas.engine(api_version, kind), f"{api_version} {kind}"
    for api_version, kind in (
        ("v1", "Secret"),
        ("helm.toolkit.fluxcd.io/v2beta2", "HelmRelease"),  # Flux took it away
        ("argoproj.io/v1", "Application"),  # it never was
        ("argoproj.io/v1alpha1", "Rollout"),  # of another project in the same group
    ):
        assert schemas.engine(api_version, kind) is None


RELEASE = """
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: litellm, namespace: flux-system, annotations: {example.com/note: "1"}}
spec:
  interval: 1h30m
  chart: {spec: {chart: ./litellm, sourceRef: {kind: GitRepository, name: own}, valuesFiles: [a.yaml]}}
  values: {anything: {goes: [here]}}
  install: {strategy: {name: RetryOnFailure, retryInterval: 2m}}
  postRenderers: [{kustomize: {images: [{name: a, newTag: b}]}}]
"""
APPLICATION = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: litellm, finalizers: [resources-finalizer.argocd.argoproj.io]}
spec:
  project: default
  destination: {name: in-cluster, namespace: own}
  source:
    repoURL: https://example.com
    helm: {valuesObject: {anything: 1}}
    kustomize: {replicas: [{name: a, count: 2}, {name: b, count: "2"}]}
  syncPolicy: {retry: {limit: 3}}
"""
KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [release.yaml]
replacements:
  - source: {kind: Application, name: root, fieldPath: spec.source}
    targets: [{select: {kind: Application}, fieldPaths: [spec.source], options: {create: true}}]
"""
KSOPS = """
apiVersion: viaduct.ai/v1
kind: ksops
metadata: {name: secrets, annotations: {config.kubernetes.io/function: "exec: {path: ksops}"}}
files: [./a.sops.yaml]
"""
SET = """
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: all}
spec:
  generators: [{matrix: {generators: [{git: {repoURL: a, revision: b}}, {list: {elements: [{any: thing}]}}]}}]
  template: {metadata: {name: a}, spec: {project: a, destination: {name: b}, source: {repoURL: c}}}
"""

SPEC, CHART, SOURCE = ("spec",), ("spec", "chart", "spec"), ("spec", "source")
# (object, where, what is put there, place of the error, what is said); None takes away
ERRORS: dict[str, tuple[str, tuple[str | int, ...], Any, tuple[str | int, ...], str]] = {
    "a misspelt field": (
        RELEASE,
        (*CHART, "valueFiles"),
        [VALUE],
        (*CHART, "valueFiles"),
        "spec.chart.spec has a field that does not exist: valueFiles; did you mean valuesFiles?",
    ),
    "a field of another kind": (
        RELEASE,
        (*SPEC, "prune"),
        VALUE,
        (*SPEC, "prune"),
        "spec has a field that does not exist: prune",
    ),
    "a missing field": (RELEASE, (*SPEC, "interval"), None, (*SPEC, "interval"), "spec lacks interval"),
    "no spec": (RELEASE, SPEC, None, SPEC, "it lacks spec"),
    "no name": (RELEASE, ("metadata", "name"), None, ("metadata", "name"), "metadata lacks name"),
    "a duration without a unit": (
        RELEASE,
        (*SPEC, "interval"),
        60,
        (*SPEC, "interval"),
        "spec.interval is not of the type string",
    ),
    "a duration with a unit that is none": (
        RELEASE,
        (*SPEC, "interval"),
        VALUE,
        (*SPEC, "interval"),
        "spec.interval does not fit pattern: ^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$",
    ),
    "another word": (
        RELEASE,
        (*SPEC, "install", "strategy", "name"),
        VALUE,
        (*SPEC, "install", "strategy", "name"),
        "spec.install.strategy.name is not one of RemediateOnFailure, RetryOnFailure",
    ),
    "an annotation that is a number": (
        RELEASE,
        ("metadata", "annotations", "a.b/c"),
        1,
        ("metadata", "annotations", "a.b/c"),
        "metadata.annotations.a.b/c is not of the type string",
    ),
    "an order in git": (
        APPLICATION,
        ("operation",),
        {"sync": {}},
        ("operation",),
        "it has a field that does not exist: operation",
    ),
    "a number as a text": (
        APPLICATION,
        (*SPEC, "syncPolicy", "retry", "limit"),
        "3",
        (*SPEC, "syncPolicy", "retry", "limit"),
        "spec.syncPolicy.retry.limit is not of the type integer",
    ),
    "neither a number nor a text": (
        APPLICATION,
        (*SOURCE, "kustomize", "replicas", 0, "count"),
        [VALUE],
        (*SOURCE, "kustomize", "replicas", 0, "count"),
        "spec.source.kustomize.replicas.0.count is not of the type integer or string",
    ),
    "a misspelt field deep in a template": (
        SET,
        (*SPEC, "template", "spec", "source", "repoUrl"),
        VALUE,
        (*SPEC, "template", "spec", "source", "repoUrl"),
        "spec.template.spec.source has a field that does not exist: repoUrl; did you mean repoURL?",
    ),
    "a misspelt list of Kustomize": (
        KUSTOMIZATION,
        ("resource",),
        [VALUE],
        ("resource",),
        "it has a field that does not exist: resource; did you mean resources?",
    ),
    "a Secret that Kustomize makes": (
        KUSTOMIZATION,
        ("secretGenerator",),
        [{"literal": [VALUE]}],
        ("secretGenerator", 0, "literal"),
        "secretGenerator.0 has a field that does not exist: literal; did you mean literals?",
    ),
    "a Secret that KSOPS makes of any file": (
        KSOPS,
        ("secretFrom",),
        [{"files": [VALUE]}],
        ("secretFrom",),
        "it has a field that does not exist: secretFrom",
    ),
}


@pytest.mark.parametrize("text", [RELEASE, APPLICATION, SET, KUSTOMIZATION, KSOPS])
def test_a_sound_object_has_no_error(text: str) -> None:
    found = manifest(text)
    check = schemas.engine(found["apiVersion"], found["kind"])
    assert check
    assert [schemas.describe(error) for error in check.iter_errors(found)] == []


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_says_where_and_what_and_not_the_value(case: str) -> None:
    text, path, value, place, what = ERRORS[case]
    found = manifest(text)
    target: Any = found
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    if value is None:
        del target[path[-1]]
    check = schemas.engine(found["apiVersion"], found["kind"])
    assert check
    (error,) = check.iter_errors(found)
    assert (schemas.place(error), schemas.describe(error)) == (place, what)
    assert VALUE not in schemas.describe(error)


def test_a_null_is_a_field_that_is_not_there() -> None:
    found = manifest(RELEASE)
    check = schemas.engine(found["apiVersion"], found["kind"])
    assert check
    found["spec"] |= {"dependsOn": None, "suspend": None}
    assert not list(check.iter_errors(found))
    found["spec"]["interval"] = None
    assert [schemas.describe(error) for error in check.iter_errors(found)] == ["spec lacks interval"]


def test_each_unknown_and_each_missing_field_is_an_error_of_its_own() -> None:
    check = schemas.engine("viaduct.ai/v1", "ksops")
    assert check
    found: Any = {"kind": "ksops", "a": 1, 2: 3}
    errors = check.iter_errors(found)
    assert sorted(schemas.place(error) for error in errors) == [("2",), ("a",), ("apiVersion",), ("metadata",)]


# ----- the others -----


@pytest.mark.parametrize(
    ("version", "api_version", "kind"),
    [
        ("1.35", "apps/v1", "Secret"),
        ("1.35", "v1", "../secret"),
        ("1.35", "v1\n", "Secret"),
        ("1.0", "v1", "Secret"),
        ("1.35.0", "v1", "Secret"),
        ("1.35", "authorization.example.com/v1", "ClusterRole"),
    ],
)
def test_what_kubernetes_does_not_have_has_no_schema(version: str, api_version: str, kind: str) -> None:
    assert schemas.kubernetes("1.35", "v1", "Secret")
    with pytest.raises(schemas.NoSchemaError):
        schemas.kubernetes(version, api_version, kind)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(UnreadableError) as error:
        imported("litellm_gitops_has_no.such_module")
    assert str(error.value) == (
        "pyproject.toml: litellm_gitops_has_no, which it lists, is not installed — install it: uv sync"
    )


def test_the_values_of_a_chart_are_closed() -> None:
    check = schemas.values("litellm-helm")
    errors = list(check.iter_errors({"litellm-helm": {"replicaCounts": VALUE}}))
    said = [schemas.describe(error) for error in errors]
    assert "litellm-helm has a field that does not exist: replicaCounts; did you mean replicaCount?" in said
    assert not any(VALUE in each for each in said)
    with pytest.raises(schemas.NoSchemaError):
        schemas.values("another-chart")
