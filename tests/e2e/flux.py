"""The real Flux controllers on a cluster of the tests."""

from __future__ import annotations

import tools
from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane, condition, now
from tests.e2e.engines import START_TIMEOUT, healthy
from tests.e2e.processes import free_port
from tests.e2e.web import Outside

NAMESPACE = "flux-system"
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")
PATHS = {
    "GitRepository": "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories",
    "HelmChart": "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/helmcharts",
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations",
    "HelmRelease": "/apis/helm.toolkit.fluxcd.io/v2/namespaces/{}/helmreleases",
}


class Flux:
    """Flux as `flux install` leaves it, its controllers being processes beside the cluster."""

    def __init__(self, cluster: ControlPlane, outside: Outside) -> None:
        self.cluster = cluster
        self.outside = outside

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

    def find(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object | None:
        """An object of Flux."""
        return self.cluster.api.find(f"{PATHS[kind].format(namespace)}/{name}")

    def reconcile(self, kind: str, name: str, namespace: str = NAMESPACE) -> None:
        """Asks for a reconciliation now, as `flux reconcile` does."""
        annotation = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": now()}}}
        self.cluster.api.merge(f"{PATHS[kind].format(namespace)}/{name}", annotation)

    def objects(self) -> list[Object]:
        """Every object of Flux, in all namespaces."""
        paths = [path.replace("/namespaces/{}", "") for path in PATHS.values()]
        return [thing for path in paths for thing in self.cluster.api.items(path)]

    def status(self) -> str:
        """A line for each object: is it Ready, and what does it say."""
        lines = []
        for thing in self.objects():
            conditions = thing.get("status", {}).get("conditions", ())
            message = next((c["message"] for c in conditions if c["type"] == "Ready"), "")
            name = f"{thing['kind']}/{thing['metadata']['name']}"
            lines.append(f"{name}: Ready={condition(thing, 'Ready')} {message}")
        return "\n".join(lines)
