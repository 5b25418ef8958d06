"""Faults and edits of what the API server takes: a corpus of objects, and values of the chart."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support import admission as corpus
from tests.support.answers import everything
from tests.support.faults import AWS, CHART, SHARED, Edit, Fault, add, set_value, together, write
from tests.support.findings import accepted, findings, found_by_its_rule_alone

MANIFEST, VALUES = "the_api_server_takes_every_manifest", "the_api_server_takes_what_values_make"
SERVICE, NAMESPACE = CHART.service, "clusters/aws/namespace.yaml"


def own(name: str, part: str = "refused") -> Edit:
    """An object of the corpus in a folder of the owner's own."""
    return write("apps/own.yaml", json.dumps(corpus.objects(part)[name]))


def value(place: tuple[str | int, ...], content: object, file: str = AWS) -> Edit:
    """A value in place of what the chart has there."""
    return set_value(file, (CHART.name, *place), content)


def sidecar(**fields: object) -> Edit:
    """A container beside the proxy's."""
    return add(CHART.containers, [{"name": "own", "image": "registry.example.com/own:1.0", **fields}])


def init(**fields: object) -> Edit:
    """A container before the proxy's."""
    return add(CHART.init_containers, [{"name": "own", "image": "registry.example.com/own:1.0", **fields}])


def volume(**fields: object) -> Edit:
    """A volume of the pod."""
    return add(CHART.volumes, [{"name": "own", **fields}])


def variable(**fields: object) -> Edit:
    """A variable of the proxy."""
    return add(CHART.variable_list, [{"name": "OWN", **fields}], SHARED)


ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "{{ .Release.Name }}-own", "namespace": "{{ .Release.Namespace }}"},
}

FAULTS: dict[str, Fault] = {
    "a manifest that the API server refuses": (MANIFEST, own("HorizontalPodAutoscaler: fewer at most than at least")),
    "a manifest that the kubelet does not start": (
        MANIFEST,
        own("Deployment: root that may not be root", "not_started"),
    ),
    "a namespace that warns of nothing": (
        MANIFEST,
        set_value(NAMESPACE, ("metadata", "labels", "pod-security.kubernetes.io/warn"), "strict"),
    ),
    "a release of two charts": (MANIFEST, own("HelmRelease: a chart from two places")),
    "a mount with a colon": (
        VALUES,
        together(volume(emptyDir={}), add(CHART.mounts, [{"name": "own", "mountPath": "x:y"}])),
    ),
    "a field that a pod does not have": (
        VALUES,
        variable(valueFrom={"fieldRef": {"fieldPath": "status.podIPS"}}),
    ),
    "an amount in another unit": (VALUES, value((*CHART.resources[0], "requests", "memory"), "4GB")),
    "an amount in words": (VALUES, value((*CHART.resources[0], "requests", "cpu"), "1 core")),
    "a limit below the request": (VALUES, value((*CHART.resources[0], "limits", "memory"), "2Gi", SHARED)),
    "a resource that nobody knows": (VALUES, value((*CHART.resources[0], "limits", "cpus"), "2")),
    "root that may not be root": (
        VALUES,
        together(
            value((*CHART.container_security[0], "runAsNonRoot"), True),
            value((*CHART.container_security[0], "runAsUser"), 0),
        ),
    ),
    "a group below 0": (VALUES, add(CHART.pod_security[0], {"fsGroup": -1})),
    "a volume in upper case": (VALUES, add(CHART.volumes, [{"name": "Cache", "emptyDir": {}}])),
    "a volume of two kinds": (VALUES, volume(emptyDir={}, configMap={"name": "own"})),
    "a mode above 0777": (VALUES, volume(configMap={"name": "own", "defaultMode": 4755})),
    "a token for a minute": (
        VALUES,
        volume(projected={"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 60}}]}),
    ),
    "a mount above its volume": (
        VALUES,
        together(volume(emptyDir={}), add(CHART.mounts, [{"name": "own", "mountPath": "/own", "subPath": "../a"}])),
    ),
    "a variable with two values": (
        VALUES,
        variable(value="x", valueFrom={"secretKeyRef": {"name": "litellm-redis", "key": "redis-password"}}),
    ),
    "a variable from nowhere": (VALUES, variable(valueFrom={})),
    "a toleration that exists and is equal": (
        VALUES,
        add(("tolerations",), [{"key": "dedicated", "operator": "Exists", "value": "ai"}]),
    ),
    "a toleration of no effect": (VALUES, add(("tolerations",), [{"key": "dedicated", "effect": "NoStart"}])),
    "a spread of no kind": (
        VALUES,
        value(
            ("topologySpreadConstraints",),
            [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "Ignore"}],
        ),
    ),
    "nothing more and nothing less": (
        VALUES,
        value(("strategy",), {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
    ),
    "a hook that does two things": (
        VALUES,
        value(CHART.lifecycle, {"preStop": {"sleep": {"seconds": 15}, "exec": {"command": ["true"]}}}),
    ),
    "a probe before the start": (VALUES, value((*CHART.probes[0], "initialDelaySeconds"), -1)),
    "a sidecar without an image": (VALUES, sidecar(image="")),
    "a sidecar with a probe of nothing": (VALUES, sidecar(livenessProbe={"periodSeconds": 5})),
    "a sidecar with a variable twice": (
        VALUES,
        sidecar(env=[{"name": "A", "value": "b"}, {"name": "A", "value": "c"}]),
    ),
    "a sidecar with a mount of nothing": (VALUES, sidecar(volumeMounts=[{"name": "nothing", "mountPath": "/a"}])),
    "an init container with a mount of nothing": (VALUES, init(volumeMounts=[{"name": "nothing", "mountPath": "/a"}])),
    "two sidecars of one name": (VALUES, together(sidecar(), sidecar())),
    "a sidecar and an init container of one name": (VALUES, together(sidecar(), init())),
    "a sidecar on the port of the proxy": (VALUES, sidecar(ports=[{"containerPort": 4000}])),
    "a sidecar asked at a port of no name": (VALUES, sidecar(readinessProbe={"httpGet": {"path": "/", "port": "web"}})),
    "a sidecar of an image in upper case": (VALUES, sidecar(image="registry.example.com/Own:1.0")),
    "a sidecar of an image with a scheme": (VALUES, sidecar(image="https://registry.example.com/own:1.0")),
    "an init container with a probe": (VALUES, init(livenessProbe={"tcpSocket": {"port": 80}})),
    "an init container that starts again": (VALUES, init(restartPolicy="OnFailure")),
    "thousandths of a byte": (VALUES, sidecar(resources={"requests": {"memory": "512m"}})),
    "four bytes": (VALUES, value((*CHART.resources[0], "limits", "memory"), "4", SHARED)),
    "a thousand processors": (VALUES, value((*CHART.resources[0], "requests", "cpu"), "1000", SHARED)),
    "a volume in a memory that is none": (VALUES, volume(emptyDir={"medium": "memory"})),
    "a right with CAP_ before it": (
        VALUES,
        value((*CHART.container_security[0], "capabilities", "add"), ["CAP_NET_BIND_SERVICE"], SHARED),
    ),
    "nodes of no architecture": (VALUES, value(("nodeSelector",), {"kubernetes.io/arch": "x86_64"})),
    "nodes of another system": (VALUES, value(("nodeSelector",), {"kubernetes.io/os": "windows"})),
    "nodes by a label that none has": (VALUES, value(("nodeSelector",), {"kubernetes.io/archs": "amd64"})),
    "a spread over nothing": (
        VALUES,
        set_value(SHARED, (CHART.name, *CHART.spread, 0, "topologyKey"), "kubernetes.io/hostnames"),
    ),
    "a Service's port above the last": (VALUES, add(SERVICE, {"port": 70000})),
    "a path without a slash": (
        VALUES,
        value(CHART.ingress_hosts, [{"host": "llm.example.com", "paths": [{"path": "v1", "pathType": "Prefix"}]}]),
    ),
    "an object of the values": (
        VALUES,
        add(CHART.objects, [{**ROLE, "rules": [{"resources": ["pods"], "verbs": ["get"]}]}]),
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "a namespace that warns of more": together(
        set_value(NAMESPACE, ("metadata", "labels", "pod-security.kubernetes.io/warn"), "restricted"),
        set_value(NAMESPACE, ("metadata", "labels", "pod-security.kubernetes.io/warn-version"), "latest"),
    ),
    "amounts in other units": value((*CHART.resources[0], "requests"), {"cpu": "1500m", "memory": "1024Mi"}),
    "a sidecar with the proxy's configuration": sidecar(
        volumeMounts=[{"name": "litellm-config", "mountPath": "/config"}], ports=[{"containerPort": 9000}]
    ),
    "an init container": add(CHART.init_containers, [{"name": "own", "image": "registry.example.com/own:1.0"}]),
    "a sidecar that is asked": sidecar(
        ports=[{"name": "web", "containerPort": 9000}], readinessProbe={"httpGet": {"path": "/", "port": "web"}}
    ),
    "a sidecar with a volume of one's own": together(
        volume(emptyDir={}), sidecar(volumeMounts=[{"name": "own", "mountPath": "/own"}])
    ),
    "a sidecar that is there before": init(restartPolicy="Always", readinessProbe={"tcpSocket": {"port": 80}}),
    "a volume that is called like one of the chart": add(CHART.volumes, [{"name": "cache", "emptyDir": {}}]),
    "a sidecar with a Secret": sidecar(envFrom=[{"secretRef": {"name": "litellm-redis"}}]),
    "an image of one word": sidecar(image="busybox:1"),
    "an image by its digest": sidecar(image=f"registry.example.com:5000/a/own-b_c:v1.0@sha256:{'0a' * 32}"),
    "amounts in bytes": value((*CHART.resources[0], "limits", "memory"), "4294967296", SHARED),
    "nodes by labels of one's own": value(
        ("nodeSelector",), {"kubernetes.io/os": "linux", "example.com/pool": "llm", "karpenter.sh/nodepool": "llm"}
    ),
    "an object of the values": add(
        CHART.objects, [{**ROLE, "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}]
    ),
    "a Service of a balancer in the private network": add(
        SERVICE,
        {"type": "LoadBalancer", "annotations": {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}},
    ),
}


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)


# ---------------------------------------------------------------------------------------------------------------------
# The corpus, of which tests/e2e/test_admission_corpus.py asks the API server itself

PARTS = ("refused", "accepted", "not_started")
# the line of its file at which a finding stands
LINES = {
    "Deployment: a mount without a volume": "name: cash",
    "Deployment: a port's name that is there twice": "name: http",
    "Deployment: more than the limit": "memory: 1Gi",
    "Deployment: a selector of other pods": "app: other",
    "Deployment: a container without an image": "- env:",
    "HorizontalPodAutoscaler: fewer at most than at least": "minReplicas: 2",
    "Ingress: a host with a scheme": "- https://own.example.com",
    "HelmRelease: a chart from two places": "spec:",
}


def _yaml(content: corpus.Object) -> str:
    """An object as YAML in which a text such as 1e6 is a text to every reader, its keys in their order."""
    stream = io.StringIO()
    YAML().dump(json.loads(json.dumps(content, sort_keys=True)), stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def told(sealed: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """(finding, the line that it names) of each object: all in one repository, each in a file of its own."""
    root, source = tmp_path_factory.mktemp("corpus") / "repository", sealed(**everything())
    root.mkdir()
    for name in (".copier-answers.yml", "policies"):
        (root / name).symlink_to(source / name)
    objects = [(name, each) for part in PARTS for name, each in corpus.objects(part).items()]
    for number, (_, each) in enumerate(objects):
        write(f"apps/{number}.yaml", _yaml(each))(root)
    found: dict[str, list[tuple[str, str]]] = {name: [] for name, _ in objects}
    assert len(found) == len(objects), "two objects have one name"
    for finding in findings(root):
        if finding.file.startswith("apps/"):
            lines = (root / finding.file).read_text("utf-8").splitlines()
            name = objects[int(Path(finding.file).stem)][0]
            found[name].append((str(finding), lines[(finding.line or 0) - 1].strip()))
    return found


@pytest.mark.parametrize("name", [*corpus.objects("refused"), *corpus.objects("not_started")])
def test_an_object_with_one_fault_has_one_finding(name: str, told: dict[str, list[tuple[str, str]]]) -> None:
    assert len(told[name]) == 1
    if name in LINES:
        assert told[name][0][1] == LINES[name], told[name]


@pytest.mark.parametrize("name", corpus.objects("accepted"))
def test_an_object_that_is_right_has_none(name: str, told: dict[str, list[tuple[str, str]]]) -> None:
    assert not told[name]
