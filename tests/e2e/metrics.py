"""Plays the metrics server: says how much CPU each running pod uses, so that a real autoscaler scales."""

from __future__ import annotations

import time

from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane
from tests.e2e.kubelet import Kubelet

GROUP, VERSION = "metrics.k8s.io", "v1beta1"


class Metrics:
    """The first container of each running pod uses `cpu`, in the form of a quantity, and the others next to nothing.

    The kind is one of custom resources here, not of an aggregated API: the autoscaler asks at the same paths.
    """

    def __init__(self, cluster: ControlPlane, kubelet: Kubelet) -> None:
        self.cpu = "100m"
        self._api = cluster.api
        self._told: dict[tuple[str, str], str] = {}  # by namespace and name of a pod: what it uses
        cluster.define(GROUP, VERSION, "PodMetrics", "pods")
        kubelet.then.append(self._look)

    def _look(self, pods: list[Object]) -> None:
        running = {_name(pod): pod for pod in pods if pod.get("status", {}).get("phase") == "Running"}
        for name in self._told.keys() - running.keys():
            self._api.delete(f"{_path(name[0])}/{name[1]}")
            del self._told[name]
        cpu = self.cpu  # another thread sets it
        for name, pod in running.items():
            if self._told.get(name) != cpu:
                self._tell(name, pod, cpu)
                self._told[name] = cpu

    def _tell(self, name: tuple[str, str], pod: Object, cpu: str) -> None:
        used = [cpu, *["1m"] * len(pod["spec"]["containers"])]
        body = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "window": "1s",
            "containers": [
                {"name": container["name"], "usage": {"cpu": each, "memory": "1Gi"}}
                for container, each in zip(pod["spec"]["containers"], used, strict=False)
            ],
        }
        if name in self._told:
            self._api.merge(f"{_path(name[0])}/{name[1]}", body)
            return
        metadata = {"name": name[1], "labels": pod["metadata"].get("labels", {})}
        kind = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "PodMetrics", "metadata": metadata}
        self._api.create(_path(name[0]), {**kind, **body})


def _name(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _path(namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/pods"
