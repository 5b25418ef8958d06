"""Calls the proxy all the time, as what stands before it does, and counts what fails."""

from __future__ import annotations

from collections import Counter

from tests.e2e.api import Object
from tests.e2e.kubelet import Kubelet, endpoint_slices

NOBODY = "no pod was offered"
CLOSED = "the pod that was offered had closed its socket"


class Client:
    """After each look of the kubelet, one call to each pod that the API server offered at the look before.

    That look is how long a load balancer, or kube-proxy on another node, takes to hear of a change. It sends to pods
    that are ready; to those that end but still serve only where there is no other (KEP-1669).
    """

    def __init__(self, kubelet: Kubelet, namespace: str, service: str) -> None:
        self.calls = 0
        self.failures: Counter[str] = Counter()
        self._kubelet = kubelet
        self._namespace = namespace
        self._service = service
        self._offered: set[str] | None = None
        kubelet.then.append(self._look)

    def stop(self) -> None:
        """Calls no more."""
        self._kubelet.then.remove(self._look)

    def _look(self, pods: list[Object]) -> None:
        if self._offered is not None:
            self.calls += max(1, len(self._offered))
            closed = self._offered - self._kubelet.serving
            self.failures.update({CLOSED: len(closed)} if closed else {})
            self.failures.update({} if self._offered else {NOBODY: 1})
        self._offered = self._look_up()

    def _look_up(self) -> set[str]:
        endpoints = [
            endpoint
            for found in endpoint_slices(self._kubelet.api, self._namespace)
            if found["metadata"].get("labels", {}).get("kubernetes.io/service-name") == self._service
            # the pod of a Job may have the labels, too, but not the port
            if found.get("ports")
            for endpoint in found.get("endpoints") or ()
        ]
        ready, serving = (
            {endpoint["targetRef"]["uid"] for endpoint in endpoints if endpoint["conditions"].get(condition)}
            for condition in ("ready", "serving")
        )
        return ready or serving
