"""What the namespace of the proxy does not let in, among what its owner adds: pods of their own, and the proxy's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from litellm_gitops.documents import Place, dig, mapping, sequence, texts
from litellm_gitops.languages.cel import QUANTITY, quantity
from litellm_gitops.objects import show

if TYPE_CHECKING:
    from litellm_gitops.rules.links import Objects, Own

Flaws = Iterator[tuple[Place, str, str]]

_STANDARD = "pod-security.kubernetes.io/enforce"
_OF_THE_NODE = ("hostNetwork", "hostPID", "hostIPC")
# https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
_BASELINE = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
_OF_A_POD = ("Container", "Pod")
_SCALERS = ("ScaledObject", "HorizontalPodAutoscaler")
# https://keda.sh/docs/latest/concepts/scaling-deployments/#transfer-ownership-of-an-existing-hpa
_TAKES_OVER = "scaledobject.keda.sh/transfer-hpa-ownership"


def admitted(objects: Objects, own: Own) -> Flaws:
    """Pods that `baseline` does not admit, where the namespace asks for that or for more."""
    if not own.containers or not _is_limited(objects):
        return
    spec, above = mapping(own.template.get("spec")), own.place(("spec",))
    for place, what in (*_of_pod(spec), *_of_containers(spec)):
        yield (*above, *place), f"{what}, which the namespace does not admit, so that no pod starts", "take it out"


def _is_limited(objects: Objects) -> bool:
    """Whether the namespace admits pods of `baseline` at most. It is a person's, so it stands in no list."""
    for document in objects.repository.documents(f"{objects.cluster.folder}/namespace.yaml"):
        if dig(document.value, "kind") == "Namespace":
            return dig(document.value, "metadata", "labels", _STANDARD) in ("baseline", "restricted")
    return False


def _of_pod(spec: dict[Any, Any]) -> Iterator[tuple[Place, str]]:
    for field in _OF_THE_NODE:
        if spec.get(field) is True:
            yield (field,), f"a pod has {field}"
    for number, volume in enumerate(sequence(spec.get("volumes"))):
        if dig(volume, "hostPath"):
            yield ("volumes", number), f"the volume {show(dig(volume, 'name'))} is a folder of its node"


def _of_containers(spec: dict[Any, Any]) -> Iterator[tuple[Place, str]]:
    for field in ("containers", "initContainers"):
        for number, each in enumerate(sequence(spec.get(field))):
            rights = mapping(dig(each, "securityContext"))
            if rights.get("privileged") is True:
                yield (field, number, "securityContext", "privileged"), "a container is privileged"
            added = {name.removeprefix("CAP_") for name in texts(dig(rights, "capabilities", "add"))}
            if over := sorted(added - _BASELINE):
                yield (field, number, "securityContext", "capabilities"), f"a container has the capability {over[0]}"
            if any(dig(port, "hostPort") for port in sequence(dig(each, "ports"))):
                yield (field, number, "ports"), "a container takes a port of its node"


def sufficient(objects: Objects, own: Own) -> Flaws:
    """Quotas and ranges that leave no place for the proxy."""
    if own.kind == "ResourceQuota" and not dig(own.value, "spec", "scopes"):
        hard = mapping(dig(own.value, "spec", "hard"))
        for name, given in hard.items():
            needed = _needed(objects, str(name))
            if QUANTITY.fullmatch(str(given)) and quantity(given) < needed:
                what = f"{name} is {given}, and the pods of the proxy alone need {needed:g}"
                yield ("spec", "hard", str(name)), what, "raise it: a rollout has one pod more, and the migrations one"
    for number, limit in enumerate(sequence(dig(own.value, "spec", "limits")) if own.kind == "LimitRange" else ()):
        for name, given in mapping(dig(limit, "max")).items():
            for needed in _of_the_proxy(objects, "limits", str(name)) if dig(limit, "type") in _OF_A_POD else ():
                if QUANTITY.fullmatch(str(given)) and quantity(given) < needed:
                    what = f"{name} is {given} at most, and a container of the proxy has {needed:g}"
                    yield ("spec", "limits", number, "max", str(name)), what, "raise it"
                    return


def scaled(objects: Objects, own: Own) -> Flaws:
    """An autoscaler beside the chart's. Of two each undoes what the other did; KEDA refuses to be the second one."""
    values, target = objects.cluster.values, mapping(dig(own.value, "spec", "scaleTargetRef"))
    is_it = target.get("name") == "litellm" and target.get("kind", "Deployment") == "Deployment"
    if not values or own.kind not in _SCALERS or not is_it or dig(own.value, "metadata", "annotations", _TAKES_OVER):
        return
    if values.get(*values.chart.autoscaler, "enabled") is True:
        switch = ".".join(map(str, values.chart.autoscaler))
        what = "the chart has an autoscaler for Deployment litellm as well"
        yield ("spec", "scaleTargetRef"), what, f"switch {switch} off for {objects.cluster.name}"


def _needed(objects: Objects, name: str) -> float:
    """How much of a quota the pods of the proxy take, all of them together."""
    values = objects.cluster.values
    count = values.get(*values.chart.replicas) if values else 0
    replicas = count if isinstance(count, int) else 1
    if name in ("pods", "count/pods"):
        return replicas
    block, _, resource = name.rpartition(".")
    return replicas * next(_of_the_proxy(objects, block or "requests", resource), 0.0)


def _of_the_proxy(objects: Objects, block: str, resource: str) -> Iterator[float]:
    """What the values ask for a container of the proxy."""
    values = objects.cluster.values
    given = values.get(*values.chart.resources[0], block, resource) if values else None
    if given is not None and QUANTITY.fullmatch(str(given)):
        yield quantity(given)
