"""Plays the kubelets: says of each pod what a kubelet would after trying to start it.

A pod runs only when all that it refers to can be resolved (`podprocess`); else it waits with the
kubelet's reason, so that a missing Secret holds up a release here as it does in a real cluster. The
pods of a Job end after a moment: well, or badly where a story wants that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.e2e.api import Api, ApiError, Object
from tests.e2e.podprocess import ContainerProcess, PodError, process_of

PAUSE = 0.2  # seconds between two looks
JOB_SECONDS = 2.0  # that a Job's pod runs, so that what comes too early is seen


@dataclass(frozen=True)
class Event:
    """Something that happened to a pod: `started` (then with its process), `completed`, `failed`."""

    time: float
    what: str
    pod: Object
    process: ContainerProcess | None = None

    @property
    def name(self) -> str:
        """The pod's name."""
        name: str = self.pod["metadata"]["name"]
        return name

    @property
    def job(self) -> str | None:
        """The Job that the pod belongs to."""
        return _owner(self.pod, "Job")


class Kubelet:
    """Looks at all pods again and again, on a thread of its own.

    `fails` says which Job pods end with an error; `events` is what happened, in order.
    """

    def __init__(self, api: Api) -> None:
        self.fails: Callable[[ContainerProcess], bool] = lambda process: False
        self.events: list[Event] = []
        self._api = api
        self._started: dict[str, tuple[float, ContainerProcess]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.wait(PAUSE):
            try:
                for pod in self._api.items("/api/v1/pods"):
                    self._look_at(pod)
                for ingress in self._api.items("/apis/networking.k8s.io/v1/ingresses"):
                    self._give_address(ingress)
            except (ApiError, httpx.HTTPError):  # the pod is gone, or the API server is going
                continue

    def _look_at(self, pod: Object) -> None:
        if "deletionTimestamp" in pod["metadata"] or "nodeName" not in pod["spec"]:
            return
        uid = pod["metadata"]["uid"]
        phase = pod.get("status", {}).get("phase")
        if phase == "Pending":
            self._start(pod)
        elif phase == "Running" and _owner(pod, "Job") and uid in self._started:
            since, process = self._started[uid]
            if time.monotonic() - since > JOB_SECONDS:
                self._end(pod, process)

    def _give_address(self, ingress: Object) -> None:
        """What an ingress controller does; Argo CD takes one without an address for unfinished."""
        if not ingress.get("status", {}).get("loadBalancer"):
            metadata = ingress["metadata"]
            path = f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses"
            address = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
            self._api.merge(f"{path}/{metadata['name']}/status", address)

    def _start(self, pod: Object) -> None:
        try:
            process = process_of(self._api, pod)
        except PodError as error:
            reason = "ContainerCreating" if "MountVolume" in str(error) else "CreateContainerConfigError"
            self._report(pod, "Pending", {"waiting": {"reason": reason, "message": str(error)}})
            return
        self._report(pod, "Running", {"running": {"startedAt": _now()}})
        self._started[pod["metadata"]["uid"]] = (time.monotonic(), process)
        self.events.append(Event(time.monotonic(), "started", pod, process))

    def _end(self, pod: Object, process: ContainerProcess) -> None:
        del self._started[pod["metadata"]["uid"]]
        ended = {"startedAt": _now(), "finishedAt": _now()}
        if not self.fails(process):
            terminated = ended | {"exitCode": 0, "reason": "Completed"}
            self._report(pod, "Succeeded", {"terminated": terminated})
            self.events.append(Event(time.monotonic(), "completed", pod))
            return
        # the policy is OnFailure: a kubelet restarts the container in the same pod, ever more
        # slowly, until the Job has seen enough. Here it has at once.
        waiting = {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
        terminated = ended | {"exitCode": 1, "reason": "Error"}
        self._report(
            pod,
            "Running",
            {"waiting": waiting},
            lastState={"terminated": terminated},
            restartCount=100,
        )
        self.events.append(Event(time.monotonic(), "failed", pod))

    def _report(self, pod: Object, phase: str, state: Object, **more: object) -> None:
        ready = "running" in state
        container = pod["spec"]["containers"][0]
        status = {
            "phase": phase,
            "startTime": pod.get("status", {}).get("startTime", _now()),
            "conditions": [
                {
                    "type": kind,
                    "status": str(ready or kind == "PodScheduled"),
                    "lastTransitionTime": _now(),
                }
                for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": ready,
                    "started": ready,
                    "restartCount": 0,
                    "state": state,
                    **more,
                }
            ],
        }
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        if _differs(pod.get("status", {}), status):
            self._api.merge(path, {"status": status})


def _differs(old: Object, new: Object) -> bool:
    """Whether the containers are told to be in another state than before."""
    before = [c.get("state") for c in old.get("containerStatuses", ())]
    return before != [c["state"] for c in new["containerStatuses"]]


def _owner(pod: Object, kind: str) -> str | None:
    for owner in pod["metadata"].get("ownerReferences", ()):
        if owner["kind"] == kind:
            name: str = owner["name"]
            return name
    return None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
