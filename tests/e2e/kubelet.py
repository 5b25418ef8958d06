"""Plays the kubelets: says of each pod what a kubelet would after trying to start it, and ends it when it is deleted.

A pod runs only when all that it refers to can be resolved (`podprocess`); else it waits with the
kubelet's reason, so that a missing Secret holds up a release here as it does in a real cluster. The
pods of a Job end after a moment: well, or badly where a story wants that. A deleted pod goes on serving
through its preStop; then SIGTERM closes its socket, as LiteLLM does, and the answers that it has begun go on
until the grace is over.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.e2e.api import Api, ApiError, Object, Watched
from tests.e2e.podprocess import ContainerProcess, PodError, process_of

PAUSE = 0.2  # seconds between two looks
# short limits stand for long ones: how many seconds of a pod's end one look stands for,
LOOK = 2.0  # while it serves, in its preStop,
ANSWER = 60.0  # and while it does nothing but end what it answers
ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes"
SELDOM = 5  # of so many looks one is at what is there for good: addresses of Ingresses and routes
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

    `fails` says which Job pods end with an error; `events` is what happened, in order. `serving` are the uids of the
    pods whose process takes connections; `answers` says of a uid whether its process has an answer to end; `ending` are
    the seconds, by uid, since the API server told everybody that a pod goes. After each look whatever is in `then` is
    called, with the pods.
    """

    def __init__(self, api: Api, pods: Watched, slices: Watched) -> None:
        self.fails: Callable[[ContainerProcess], bool] = lambda process: False
        self.events: list[Event] = []
        self.serving: set[str] = set()
        self.answers: Callable[[str], bool] = lambda uid: False
        self.ending: dict[str, float] = defaultdict(float)
        self.then: list[Callable[[list[Object]], None]] = []
        self.api = api
        self._pods = pods
        self._slices = slices
        self._gone: set[str] = set()  # uids, which may be seen once more
        self._addresses = 0
        self._started: dict[str, tuple[float, ContainerProcess]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether the thread is there. Without it no pod ever starts."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._thread.join()

    def endpoint_slices(self, namespace: str) -> list[Object]:
        """What the API server tells everybody of the pods behind the Services of a namespace."""
        return [each for each in self._slices.items if each["metadata"]["namespace"] == namespace]

    def _work(self) -> None:
        for number in itertools.count():
            if self._stopping.wait(PAUSE):
                return
            try:
                pods = [pod for pod in self._pods.items if pod["metadata"]["uid"] not in self._gone]
                self.serving &= {pod["metadata"]["uid"] for pod in pods}
                for pod in pods:
                    self._look_at(pod)
                for follow in self.then:
                    follow(pods)
                if number % SELDOM == 0:
                    for ingress in self.api.items("/apis/networking.k8s.io/v1/ingresses"):
                        self._give_address(ingress)
                    for route in self.api.items(ROUTES):
                        self._accept(route)
            except (ApiError, httpx.HTTPError):  # the pod is gone, or the API server is going
                continue

    def _look_at(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if "nodeName" not in pod["spec"]:
            return
        if "deletionTimestamp" in pod["metadata"]:
            self._stop(pod)
            return
        phase = pod.get("status", {}).get("phase")
        if phase == "Pending" and uid not in self._started:
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
            self.api.merge(f"{path}/{metadata['name']}/status", address)

    def _accept(self, route: Object) -> None:
        """What a Gateway does; for Argo CD, as above."""
        if not route.get("status"):
            metadata = route["metadata"]
            accepted = [{"type": kind, "status": "True"} for kind in ("Accepted", "ResolvedRefs")]
            parents = [{"parentRef": parent, "conditions": accepted} for parent in route["spec"]["parentRefs"]]
            path = ROUTES.replace("/httproutes", f"/namespaces/{metadata['namespace']}/httproutes")
            self.api.merge(f"{path}/{metadata['name']}", {"status": {"parents": parents}})

    def _start(self, pod: Object) -> None:
        try:
            process = process_of(self.api, pod)
        except PodError as error:
            reason = "ContainerCreating" if "MountVolume" in str(error) else "CreateContainerConfigError"
            self._report(pod, "Pending", {"waiting": {"reason": reason, "message": str(error)}})
            return
        self._report(pod, "Running", {"running": {"startedAt": _now()}})
        self._started[pod["metadata"]["uid"]] = (time.monotonic(), process)
        self.serving.add(pod["metadata"]["uid"])
        self.events.append(Event(time.monotonic(), "started", pod, process))

    def _stop(self, pod: Object) -> None:
        """Plays the preStop of a deleted pod, SIGTERM, the end of its answers or SIGKILL; then takes the pod away.

        Its time runs from when the API server tells everybody that the pod is not ready: how long a busy machine takes
        to say so is not what a story is about.
        """
        metadata = pod["metadata"]
        uid, grace = metadata["uid"], float(metadata.get("deletionGracePeriodSeconds", 0))
        if uid in self.serving:
            if self.ending[uid] < min(_pre_stop(pod), grace):
                self.ending[uid] += LOOK * (not self._is_offered(pod))
                return
            self.serving.discard(uid)
        if self.ending[uid] < grace and self.answers(uid):
            self.ending[uid] = min(self.ending[uid] + ANSWER, grace)
            return
        self.api.delete(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}", grace=0)
        self._gone.add(uid)

    def _is_offered(self, pod: Object) -> bool:
        return any(
            endpoint["conditions"].get("ready") and endpoint.get("targetRef", {}).get("uid") == pod["metadata"]["uid"]
            for found in self.endpoint_slices(pod["metadata"]["namespace"])
            for endpoint in found.get("endpoints") or ()
        )

    def _end(self, pod: Object, process: ContainerProcess) -> None:
        del self._started[pod["metadata"]["uid"]]
        self.serving.discard(pod["metadata"]["uid"])
        ended = {"startedAt": _now(), "finishedAt": _now()}
        if not self.fails(process):
            terminated = ended | {"exitCode": 0, "reason": "Completed"}
            self._report(pod, "Succeeded", {"terminated": terminated})
            self.events.append(Event(time.monotonic(), "completed", pod))
            return
        if pod["spec"]["restartPolicy"] == "Never":
            self._report(pod, "Failed", {"terminated": ended | {"exitCode": 1, "reason": "Error"}})
            self.events.append(Event(time.monotonic(), "failed", pod))
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
        status = {
            "phase": phase,
            "startTime": pod.get("status", {}).get("startTime", _now()),
            "podIP": self._address(pod),
            "podIPs": [{"ip": self._address(pod)}],
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
                for container in pod["spec"]["containers"]
            ],
        }
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        if _differs(pod.get("status", {}), status):
            self.api.merge(path, {"status": status})

    def _address(self, pod: Object) -> str:
        """The address of a pod, which nobody can reach: it is what endpoints are made of."""
        known: str | None = pod.get("status", {}).get("podIP")
        if known:
            return known
        self._addresses += 1
        address = f"10.244.{self._addresses // 250}.{self._addresses % 250 + 1}"
        pod.setdefault("status", {})["podIP"] = address
        return address


def _pre_stop(pod: Object) -> float:
    """How many seconds a deleted pod goes on serving: its first container sleeps so long before it is told to end."""
    hook = pod["spec"]["containers"][0].get("lifecycle", {}).get("preStop", {})
    words = hook.get("exec", {}).get("command", ["0"])
    seconds = hook.get("sleep", {}).get("seconds") or re.search(r"\d+", words[-1])
    return float(seconds[0] if isinstance(seconds, re.Match) else seconds or 0)


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
