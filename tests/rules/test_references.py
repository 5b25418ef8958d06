"""Faults and edits of what an owner's objects say of the proxy's."""

from __future__ import annotations

import json
from typing import Any

from tests.support.answers import everything
from tests.support.faults import CHART, Edit, Fault, add, append_item, change, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

ROLE, BOUND = "every_role_names_what_there_is", "every_binding_is_for_somebody"
REACH = "flux_reaches_the_namespace_alone"
TOGETHER = "what_an_owner_adds_fits_together"
NAMED, ADDED = "what_means_the_proxy_names_it_right", "what_values_add_stands_beside_the_chart"
OF_VALUES, NAME = "what_values_put_into_the_pod_fits_its_schema", "every_name_is_valid"
ARGOCD = everything(gitops_engine="argocd")
LABEL, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
BESIDE = {
    "name": "login",
    "image": "quay.io/oauth2-proxy/oauth2-proxy:v7.7.1",
    "ports": [{"name": "login", "containerPort": 4180}],
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    "resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}},
}


def manifest(kind: str, api_version: str, name: str = "own", **more: Any) -> dict[str, Any]:
    """An object in the namespace of the proxy."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "litellm"}, **more}


def service(name: str = "litellm", **port: Any) -> dict[str, Any]:
    """A Service of the pods that are called so."""
    return manifest("Service", "v1", spec={"selector": {LABEL: name}, "ports": [{"port": 80, **port}]})


def budget(name: str) -> dict[str, Any]:
    """A budget of the pods that are called so."""
    selector = {"matchLabels": {LABEL: name}}
    return manifest("PodDisruptionBudget", "policy/v1", spec={"minAvailable": 1, "selector": selector})


def scaler(name: str) -> dict[str, Any]:
    """An autoscaler of the Deployment that is called so."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    limits = {"minReplicas": 2, "maxReplicas": 4}
    return manifest("HorizontalPodAutoscaler", "autoscaling/v2", spec={"scaleTargetRef": target, **limits})


def ingress(name: str) -> dict[str, Any]:
    """What leads to the Service that is called so."""
    backend = {"service": {"name": name, "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return manifest("Ingress", "networking.k8s.io/v1", spec={"rules": [{"host": "a.b", "http": {"paths": [path]}}]})


def application(name: str) -> dict[str, Any]:
    """A further Application of Argo CD, of a chart."""
    source = {"repoURL": "https://charts.example.com", "chart": "own", "targetRevision": "1.0.0"}
    there = {"server": "https://kubernetes.default.svc", "namespace": "litellm"}
    spec = {"project": "litellm-gitops", "source": source, "destination": there}
    return manifest("Application", "argoproj.io/v1alpha1", name, spec=spec)


def config(**more: Any) -> dict[str, Any]:
    """A ConfigMap, with something else about it."""
    return {**manifest("ConfigMap", "v1", data={"a": "b"}), **more}


def added(*objects: dict[str, Any]) -> Edit:
    """Objects in the values of a cluster."""
    return add(CHART.objects, [*objects])


def listed(content: dict[str, Any]) -> Edit:
    """An object in the list of a cluster."""
    place = "clusters/aws/kustomization.yaml", ("resources",)
    return together(append_item(*place, "own.yaml"), write("clusters/aws/own.yaml", json.dumps(content)))


def apart(name: str) -> Edit:
    """Pods that keep away from those that are called so."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {LABEL: name}}}
    weighed = [{"weight": 50, "podAffinityTerm": term}]
    return add(("affinity",), {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighed}})


FAULTS: dict[str, Fault] = {
    "pods kept apart from nobody": (NAMED, apart("litelm")),
    "a Service of nobody": (NAMED, added(service("litelm", targetPort="http"))),
    "a Service of nobody in a list": (NAMED, listed(service("litelm", targetPort="http")), ARGOCD),
    "a Service of a port that is not there": (NAMED, added(service(targetPort=4001))),
    "a Service of a port of no name": (NAMED, listed(service(targetPort="htp"))),
    "a budget of nobody": (NAMED, listed(budget("litelm")), ARGOCD),
    "an autoscaler beside the chart's": (
        "what_an_owner_adds_fits_together",
        added(scaler("litellm")),
        everything(max_replicas=4),
    ),
    "an autoscaler of nothing": (NAMED, added(scaler("litelm"))),
    "an autoscaler of nothing in a list": (NAMED, listed(scaler("litelm"))),
    **{
        f"an object that no cluster takes: {name}": (rule, added(content))
        for name, (rule, content) in {
            "a kind in other letters": (OF_VALUES, {**config(), "kind": "Configmap"}),
            "a version that is gone": (OF_VALUES, {**budget("litellm"), "apiVersion": "policy/v1beta1"}),
            "a name in capital letters": (NAME, config(metadata={"name": "Own"})),
            "a key with a space": (NAME, config(data={"a b": "c"})),
            "a label with a space": (NAME, config(metadata={"name": "own", "labels": {"a": "b c"}})),
            "a field of a monitor that is misspelt": (
                OF_VALUES,
                manifest(
                    "PodMonitor",
                    "monitoring.coreos.com/v1",
                    spec={"selector": {}, "podMetricsEndpoint": [], "podMetricsEndpoints": [{"port": "metrics"}]},
                ),
            ),
            "a claim of half a byte": (
                "the_api_server_takes_what_values_make",
                manifest(
                    "PersistentVolumeClaim",
                    "v1",
                    spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10m"}}},
                ),
            ),
            "a port in quotes": (OF_VALUES, service(port="80")),
        }.items()
    },
    "an object of the chart once more": (ADDED, added({**service(targetPort="http"), "metadata": {"name": "litellm"}})),
    "an object twice": (ADDED, added(config(), config())),
    "an object of no kind": (ADDED, added({"metadata": {"name": "own"}, "data": {}})),
    "an object in another namespace": (ADDED, added(config(metadata={"name": "own", "namespace": "default"}))),
}


def by_hand(*made: dict[str, Any]) -> Edit:
    """Objects that a person applies."""
    return write("clusters/aws/flux-setup/own.yaml", "\n---\n".join(map(json.dumps, made)))


def rights(**rule: Any) -> Edit:
    """A Role of one's own."""
    given = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **rule}
    return by_hand(manifest("Role", "rbac.authorization.k8s.io/v1", rules=[given]))


def bound(*subjects: dict[str, Any], role: str = "view") -> dict[str, Any]:
    """A binding of one of Kubernetes' own roles."""
    given = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    return manifest("RoleBinding", "rbac.authorization.k8s.io/v1", subjects=[*subjects], roleRef=given)


def account(name: str = "litellm", namespace: str = "litellm") -> dict[str, Any]:
    """A ServiceAccount for whom a binding is."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def group(name: str) -> dict[str, Any]:
    """A group of people, or of all, for whom a binding is."""
    return {"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def taking(**reference: Any) -> dict[str, Any]:
    """A Job that takes a key of a Secret."""
    variable = {
        "name": "OWN",
        "valueFrom": {"secretKeyRef": {"name": "litellm-masterkey", "key": "masterkey", **reference}},
    }
    container = {"name": "own", "image": "own:1", "env": [variable]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    return manifest("Job", "batch/v1", spec={"template": {"spec": pod}})


FAULTS |= {
    **{
        f"a role of a misspelt word: {rule}": (ROLE, rights(**rule))
        for rule in (
            {"verbs": ["gets"]},
            {"resources": ["pod"]},
            {"resources": ["Pod"]},
            {"apiGroups": ["apps/v1"], "resources": ["deployments"]},
            {"apiGroups": ["core"]},
            {"resources": ["deployments"]},
        )
    },
    "an account of Flux for a misspelt resource": (
        ROLE,
        change("clusters/aws/account.yaml", "secrets, services,", "secrets, service,"),
    ),
    "a binding for nobody": (BOUND, by_hand(bound())),
    "pods that administer": (BOUND, by_hand(bound(account("default"), role="cluster-admin"))),
    "everybody as an administrator": (BOUND, by_hand(bound(group("system:authenticated"), role="edit"))),
    "a misspelt namespace": (BOUND, by_hand(bound(account(namespace="litelm")))),
    "a misspelt account": (BOUND, by_hand(bound(account("litelm")))),
    "rights in values": (REACH, add(CHART.objects, [bound(account())])),
    "rights in values, with Argo CD": (
        "argo_cd_reaches_the_namespace_alone",
        add(CHART.objects, [bound(account())]),
        ARGOCD,
    ),
    "a kind in values that the account may not write": (
        REACH,
        add(CHART.objects, [manifest("Widget", "example.com/v1")]),
    ),
    "a misspelt Secret": (NAMED, listed(taking(name="litellm-masterkeys"))),
    "a key that a Secret does not have": (NAMED, listed(taking(key="master-key"))),
}

HARMLESS: dict[str, Harmless] = {
    "rights for a team": by_hand(bound(group("llm-team"), role="edit")),
    "a patch that leaves a binding to nobody": together(
        write("apps/own/kustomization.yaml", "resources: [all.yaml]\npatches: [{path: nobody.yaml}]\n"),
        write("apps/own/all.yaml", json.dumps(bound(group("llm-team"), role="edit"))),
        write("apps/own/nobody.yaml", json.dumps(bound(role="edit"))),
    ),
    "a Secret that has another name than what makes it": write(
        "apps/own.yaml",
        "\n---\n".join(
            json.dumps(each)
            for each in (
                manifest(
                    "ExternalSecret", "external-secrets.io/v1", "own-secrets", spec={"target": {"name": "own-secret"}}
                ),
                taking(name="own-secret"),
            )
        ),
    ),
    "rights for pods": by_hand(bound(account()), manifest("ServiceAccount", "v1")),
    "a team of administrators": by_hand(bound(group("platform"), role="cluster-admin")),
    "an account of elsewhere": by_hand(bound(account("own", "tools"))),
    "a role of kinds of others": rights(apiGroups=["example.com"], resources=["widget"], verbs=["get", "list"]),
    "a role of parts of pods": rights(resources=["pods/log", "pods/exec"], verbs=["get", "create"]),
    "a key of a Secret": listed(taking()),
    "a key that need not be there": listed(taking(key="own", optional=True)),
    "pods kept apart from each other": apart("litellm"),
    "pods kept apart from others": apart("postgres"),
    "a Service of the proxy": added(service(targetPort="http")),
    "a Service of its number": (listed(service(targetPort=4000)), ARGOCD),
    "a Service of others": listed(service("own", targetPort=8080)),
    "a Service of a container beside the proxy": together(
        listed(service(targetPort="login")), add(CHART.containers, [BESIDE])
    ),
    "a Service of another release": listed(
        manifest("Service", "v1", spec={"selector": {LABEL: "litellm", INSTANCE: "own"}, "ports": [{"port": 8080}]})
    ),
    "a way to what another Application makes": (
        together(
            listed(ingress("litellm2")),
            append_item("clusters/aws/kustomization.yaml", ("resources",), "litellm2.yaml"),
            write("clusters/aws/litellm2.yaml", json.dumps(application("litellm2"))),
        ),
        ARGOCD,
    ),
    "a budget of others": listed(budget("own")),
    "an autoscaler of others": added(scaler("worker")),
    "two objects of one's own": added(config(), config(metadata={"name": "other"})),
    "an object in the namespace of the release": added(
        config(metadata={"name": "own", "namespace": "{{ .Release.Namespace }}"})
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_owner_adds_is_left_alone = accepted(HARMLESS)
