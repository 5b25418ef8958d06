"""Faults and edits of patches of Kustomize, wherever they stand."""

from __future__ import annotations

import json
from typing import Any

from litellm_gitops.documents import Place
from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append_item, set_value, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

RULE = "every_patch_fits_what_it_patches"
ARGOCD = everything(gitops_engine="argocd")
LIST, SECRETS = "clusters/aws/kustomization.yaml", "clusters/aws/secrets.yaml"
RELEASE = "clusters/aws/release/helmrelease.yaml"
RENDERED: Place = ("spec", "postRenderers")
INGRESS = {"kind": "Ingress"}
DEPLOYMENT = {"kind": "Deployment", "name": "litellm"}
LABEL = "- {op: add, path: /metadata/labels, value: {a: b}}"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
LABELS = {"app": "own"}
OWN = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "own", "namespace": "litellm"},
    "spec": {
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "own", "image": "ghcr.io/example/own:1.0.0"}]},
        },
    },
}
TAKEN = "$patch: delete\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: litellm}\n"


def entry(patch: str, target: dict[str, str] | None = None) -> dict[str, Any]:
    """A patch, of what a target chooses or of what it names itself."""
    return {**({"target": target} if target else {}), "patch": patch}


def listed(patch: str, target: dict[str, str] | None = None) -> Edit:
    """In the list of a cluster."""
    return set_value(LIST, ("patches",), [entry(patch, target)])


def applied(patch: str, target: dict[str, str] | None = None) -> Edit:
    """Where Flux applies the list."""
    return append_item(SECRETS, ("spec", "patches"), entry(patch, target))


def rendered(patch: str, target: dict[str, str] | None = None) -> Edit:
    """Of what the chart makes."""
    return set_value(RELEASE, RENDERED, [{"kustomize": {"patches": [entry(patch, target)]}}])


def named(kind: str, name: str, more: str = "") -> str:
    """A part of an object, which names it."""
    return f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{more}"


def own(patch: str, target: dict[str, str] | None = None) -> Edit:
    """Of a Deployment beside the proxy."""
    listed_too = append_item(LIST, ("resources",), "own.yaml")
    return together(listed(patch, target), listed_too, write("clusters/aws/own.yaml", json.dumps(OWN)))


def copied(source: dict[str, str], target: dict[str, str]) -> Edit:
    """A value that Kustomize copies."""
    targets = [{"select": target, "fieldPaths": ["metadata.annotations.a"], "options": {"create": True}}]
    return append_item(
        LIST, ("replacements",), {"source": {**source, "fieldPath": "metadata.name"}, "targets": targets}
    )


FAULTS: dict[str, Fault] = {
    "a patch for a misspelt kind": (RULE, listed(LABEL, {"kind": "Ingres", "name": "litellm"})),
    "replicas of nothing": (RULE, set_value(LIST, ("replicas",), [{"name": "litellm", "count": 3}]), ARGOCD),
    "an operation that is none": (RULE, listed("- {op: ad, path: /metadata/labels, value: {a: b}}", INGRESS)),
    "a path without a beginning": (RULE, applied("- {op: add, path: metadata/labels, value: {a: b}}", INGRESS)),
    "an operation without a value": (RULE, rendered("- {op: replace, path: /spec/replicas}", DEPLOYMENT)),
    "a patch that is no YAML": (RULE, listed("- {op: add", INGRESS), ARGOCD),
    "a patch of nothing": (RULE, set_value(LIST, ("patches",), [{"target": INGRESS}])),
    "a target that is not there": (RULE, listed(LABEL, {"kind": "Ingress", "name": "litelm"}), ARGOCD),
    "a target that the chart does not make": (RULE, rendered(LABEL, {"kind": "Deployment", "name": "litelm"})),
    "a part of what is not there": (RULE, applied(named("Ingress", "own"))),
    "a part of what the chart does not make": (RULE, rendered(named("Deployment", "own", "spec: {replicas: 3}\n"))),
    "an Ingress taken away": (RULE, listed(TAKEN), ARGOCD),
    "an Ingress taken away by Flux": (RULE, applied(TAKEN, INGRESS)),
    "a Deployment taken away": (RULE, rendered("$patch: delete\n" + named("Deployment", "litellm"))),
    "values of a Secret taken away": (
        RULE,
        listed("- {op: remove, path: /data}", {"kind": "Secret", "name": "litellm-redis"}),
    ),
    "a probe taken away": (
        RULE,
        rendered("- {op: remove, path: /spec/template/spec/containers/0/readinessProbe}", DEPLOYMENT),
    ),
    "an image that the values do not name": (
        RULE,
        rendered("- {op: replace, path: /spec/template/spec/containers/0/image, value: own}", DEPLOYMENT),
    ),
    "a copy of what is not there": (RULE, copied({"kind": "ConfigMap", "name": "own"}, INGRESS), ARGOCD),
    "a copy to what is not there": (
        RULE,
        copied({"kind": "Ingress", "name": "litellm"}, {"kind": "Deployment", "name": "own"}),
    ),
}

HARMLESS: dict[str, Harmless] = {
    "replicas of a Deployment of one's own": together(
        append_item(LIST, ("resources",), "own.yaml"),
        write("clusters/aws/own.yaml", json.dumps(OWN)),
        set_value(LIST, ("replicas",), [{"name": "own", "count": 2}]),
    ),
    "a label of an Ingress": listed(LABEL, INGRESS),
    "a label of an Ingress, by Argo CD": (listed(LABEL, INGRESS), ARGOCD),
    "a label of every Secret": applied(LABEL, {"kind": "Secret"}),
    "a part of an Ingress": listed(named("Ingress", "litellm", "spec: {ingressClassName: alb}\n")),
    "a label of the Deployment": rendered(LABEL, DEPLOYMENT),
    "a label of all that is called so": rendered(LABEL, {"kind": "Service|Deployment", "name": "litellm.*"}),
    "a label of what has one": rendered(LABEL, {"labelSelector": "app.kubernetes.io/name=litellm"}),
    "a part of the Deployment": rendered(named("Deployment", "litellm", "spec: {minReadySeconds: 5}\n")),
    "a field that is looked at first": rendered(
        "- {op: test, path: /spec/replicas, value: 2}\n- {op: replace, path: /spec/replicas, value: 3}", DEPLOYMENT
    ),
    "a patch in a file": together(
        set_value(LIST, ("patches",), [{"path": "patch.yaml"}]),
        write("clusters/aws/patch.yaml", named("Ingress", "litellm").replace("apps/v1", "networking.k8s.io/v1")),
    ),
    "patches in a folder of their own": together(
        set_value(LIST, ("patches",), [{"path": "patches/own.yaml"}]),
        write("clusters/aws/patches/own.yaml", named("Ingress", "litellm").replace("apps/v1", "networking.k8s.io/v1")),
    ),
    "another image of one's own": own(
        "- {op: replace, path: /spec/template/spec/containers/0/image, value: own}", {"name": "own"}
    ),
    "less of one's own": own("- {op: remove, path: /spec/template}", {"kind": "Deployment"}),
    "one's own taken away": own("$patch: delete\n" + named("Deployment", "own")),
    "two parts of one's own": own(named("Deployment", "own") + "---\n" + named("Deployment", "own")),
    "a part of what a component brings": together(
        append_item(LIST, ("components",), "../../components/own"),
        write("components/own/kustomization.yaml", COMPONENT),
        listed(LABEL, {"kind": "ConfigMap", "name": "brought"}),
    ),
    "what the chart makes where it is asked to": rendered(LABEL, {"kind": "ServiceMonitor"}),
    "how Kustomize finds names": together(
        set_value(LIST, ("configurations",), ["names.yaml"]), write("clusters/aws/names.yaml", "nameReference: []\n")
    ),
    "a copy of a name": (copied({"kind": "Ingress", "name": "litellm"}, INGRESS), ARGOCD),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_operator_patches_is_left_alone = accepted(HARMLESS)
