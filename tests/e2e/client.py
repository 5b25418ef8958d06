"""Calls the proxy all the time, as what stands before it does, and counts what fails."""

from __future__ import annotations

from collections import Counter

from tests.e2e.api import Object
from tests.e2e.kubelet import Kubelet

NOBODY = "no pod was offered"
CLOSED = "the pod that was offered had closed its socket"
CUT = "the pod ended before its answer did"


class Client:
    """After each look of the kubelet, one call to each pod that the API server offered at the look before.

    That look is how long a load balancer, or kube-proxy on another node, takes to hear of a change. It sends to pods
    that are ready; to those that end but still serve only where there is no other (KEP-1669). Each answer streams for
    `seconds`.
    """

    def __init__(self, kubelet: Kubelet, namespace: str, service: str, seconds: float) -> None:
        self.calls = 0
        self.failures: Counter[str] = Counter()
        self._kubelet = kubelet
        self._namespace = namespace
        self._service = service
        self._seconds = seconds
        self._until: dict[str, float] = {}  # by uid: when the last answer of a pod ends, in seconds of its end
        self._offered: set[str] | None = None
        kubelet.answers = lambda uid: self._until.get(uid, 0) > kubelet.ending[uid]
        kubelet.then.append(self._look)

    def stop(self) -> None:
        """Calls no more, and waits for no answer."""
        self._kubelet.then.remove(self._look)
        self._kubelet.answers = lambda uid: False

    def _look(self, pods: list[Object]) -> None:
        gone = self._until.keys() - {pod["metadata"]["uid"] for pod in pods}
        cut = [uid for uid in gone if self._until.pop(uid) > self._kubelet.ending[uid]]
        self.failures.update({CUT: len(cut)} if cut else {})
        if self._offered is not None:
            self.calls += max(1, len(self._offered))
            closed = self._offered - self._kubelet.serving
            self.failures.update({CLOSED: len(closed)} if closed else {})
            self.failures.update({} if self._offered else {NOBODY: 1})
            answering = self._offered & self._kubelet.serving
            self._until |= {uid: self._kubelet.ending[uid] + self._seconds for uid in answering}
        self._offered = self._look_up()

    def _look_up(self) -> set[str]:
        endpoints = [
            endpoint
            for found in self._kubelet.endpoint_slices(self._namespace)
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
