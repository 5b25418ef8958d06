"""The real Flux controllers on a cluster of the tests."""

from __future__ import annotations

import tools
from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane, now
from tests.e2e.engines import DEPLOY_TIMEOUT, START_TIMEOUT, healthy
from tests.e2e.processes import free_port, wait_for
from tests.e2e.web import Outside

NAMESPACE = "flux-system"
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")
PATHS = {
    "GitRepository": "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories",
    "HelmChart": "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/helmcharts",
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations",
    "HelmRelease": "/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases",
}


class Flux:
    """Flux as `flux install` leaves it, its controllers being processes beside the cluster."""

    def __init__(self, cluster: ControlPlane, outside: Outside) -> None:
        self.cluster = cluster
        self.outside = outside
        self._asked = ""

    def serve(self) -> None:
        """Does what the operator's `flux install` asks for; called while commands run."""
        request = self.cluster.folder / "flux-install.request"
        if request.exists():
            if not self.cluster.api.find(f"/api/v1/namespaces/{NAMESPACE}"):
                self.install()
            request.unlink()

    def install(self) -> None:
        """Namespace, CRDs, controllers."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.cluster.api.create("/api/v1/namespaces", namespace)
        self.cluster.install_crds(*(f"{controller}-crds" for controller in CONTROLLERS))
        storage = f"127.0.0.1:{free_port()}"
        (self.cluster.folder / "artifacts").mkdir()
        own = {
            "source-controller": [
                f"--storage-path={self.cluster.folder / 'artifacts'}",
                f"--storage-addr={storage}",
                f"--storage-adv-addr={storage}",
            ],
            # by default 30 s: the bulk of the time until a first release is ready
            "kustomize-controller": ["--requeue-dependency=2s"],
            "helm-controller": ["--requeue-dependency=2s"],
        }
        started = []
        for controller in CONTROLLERS:
            health = f"127.0.0.1:{free_port()}"
            process = self.cluster.processes.start(
                controller,
                [
                    tools.path(controller),
                    "--enable-leader-election=false",
                    "--events-addr=",
                    f"--metrics-addr=127.0.0.1:{free_port()}",
                    f"--health-addr={health}",
                    *own[controller],
                ],
                env={
                    **self.outside.environment(),
                    "KUBECONFIG": str(self.cluster.kubeconfig),
                    "RUNTIME_NAMESPACE": NAMESPACE,
                },
            )
            started.append((process, health))
        for process, health in started:
            process.require(lambda at=health: healthy(f"http://{at}/readyz"), START_TIMEOUT)  # type: ignore[misc]

    def wait_for(self, kind: str, name: str, commit: str) -> None:
        """Waits until one object is Ready, and at that commit."""

        def current() -> bool:
            found = self.find(kind, name)
            return found is not None and _is_current(found) and commit[:12] in _revision(found)

        wait_for(f"{kind} {name} is at {commit[:12]}", current, timeout=DEPLOY_TIMEOUT)

    def find(self, kind: str, name: str) -> Object | None:
        """An object of Flux."""
        return self.cluster.api.find(f"{PATHS[kind]}/{name}")

    def refresh(self) -> None:
        """Asks for a look at git and at everything that comes of it, now."""
        self._asked = now()
        annotation = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": self._asked}}}
        for thing in self._objects():
            self.cluster.api.merge(f"{PATHS[thing['kind']]}/{thing['metadata']['name']}", annotation)

    def refreshed(self) -> bool:
        """Whether all that `refresh` asked for was done."""
        return all(thing.get("status", {}).get("lastHandledReconcileAt") == self._asked for thing in self._objects())

    def deployed(self, commit: str) -> bool:
        """Whether that commit is what runs, as Flux sees it: every object is Ready, and at it."""
        things = self._objects()
        if {thing["kind"] for thing in things} != set(PATHS):
            return False
        return all(_is_current(thing) and commit[:12] in _revision(thing) for thing in things)

    def messages(self) -> dict[str, str]:
        """What the objects that are not Ready say, as an operator reads it: by kind and name."""
        found = {}
        for thing in self._objects():
            ready = _condition(thing, "Ready")
            if ready.get("status") != "True":
                name = f"{thing['kind']} {thing['metadata']['name']}"
                found[name] = ready.get("message", "nothing yet")
        return found

    def _objects(self) -> list[Object]:
        return [thing for path in PATHS.values() for thing in self.cluster.api.items(path)]


def _condition(thing: Object, kind: str) -> Object:
    conditions = thing.get("status", {}).get("conditions", ())
    return next((entry for entry in conditions if entry["type"] == kind), {})


def _is_current(thing: Object) -> bool:
    """Ready, and not for an earlier version of the object."""
    generation = thing["metadata"]["generation"]
    ready = _condition(thing, "Ready")
    return ready.get("status") == "True" and ready.get("observedGeneration", generation) == generation


def _revision(thing: Object) -> str:
    """The revision that an object has brought about: it holds the beginning of the commit."""
    status = thing.get("status", {})
    match thing["kind"]:
        case "GitRepository" | "HelmChart":
            revision = status.get("artifact", {}).get("revision", "")
        case "Kustomization":
            revision = status.get("lastAppliedRevision", "")
        case _:
            history = status.get("history") or [{}]
            revision = history[0].get("chartVersion", "")
    return str(revision)
