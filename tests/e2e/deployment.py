"""A repository that was bootstrapped on a cluster of its own, and what stories look at there."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import trustme

from litellm_gitops.charts import Chart, chosen
from tests.e2e.api import Api, Object
from tests.e2e.argocd import ArgoCD
from tests.e2e.controlplane import ControlPlane
from tests.e2e.engines import Engine, deploy
from tests.e2e.flux import Flux
from tests.e2e.kubelet import Event, Kubelet
from tests.e2e.metrics import Metrics
from tests.e2e.podprocess import ContainerProcess, process_of
from tests.e2e.processes import Run
from tests.e2e.repository import Repository
from tests.e2e.web import Outside

NAMESPACE = "litellm"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/litellm"
# What the control plane itself makes and remakes.
PASSING = {
    "Event",
    "Lease",
    "Endpoints",
    "EndpointSlice",
    "ReplicaSet",
    "ControllerRevision",
    "ComponentStatus",
    "PodMetrics",
    "CSINode",
    "IPAddress",
    "APIService",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
}

Name = tuple[str, str, str]  # kind, namespace ("" for an object of the cluster), name


@dataclass
class Deployment:
    """What a story works with. `before` is all that the cluster held when it was empty."""

    engine: Engine
    repository: Repository
    environment: str
    before: frozenset[Name] = field(repr=False)
    metrics: Metrics | None = field(default=None, repr=False)

    @property
    def cluster(self) -> ControlPlane:
        """The cluster."""
        return self.engine.cluster

    @property
    def kubelet(self) -> Kubelet:
        """What plays its kubelets."""
        kubelet = self.cluster.kubelet
        assert kubelet is not None
        return kubelet

    @property
    def api(self) -> Api:
        """Its API."""
        return self.engine.cluster.api

    @property
    def chart(self) -> Chart:
        """LiteLLM's chart, as the answers have it now."""
        return chosen(self.repository.answers)

    @cached_property
    def engine_namespace(self) -> str:
        """Where the engine has its own objects."""
        return "flux-system" if isinstance(self.engine, Flux) else "argocd"

    def follow(self, heading: str) -> None:
        """Runs the commands of the README under `heading` for this environment."""
        self.repository.kubeconfig = self.cluster.kubeconfig
        self.repository.follow(heading, self.environment, meanwhile=self.engine.serve)

    def deploy(self, message: str) -> str:
        """Pushes what was changed in the repository and waits until it runs; the commit."""
        commit = self.repository.push(message)
        deploy(self.engine, commit)
        return commit

    @contextmanager
    def tried_again_sooner(self) -> Iterator[None]:
        """Argo CD tries a release that has failed again after one second, in the place of ten; Flux is as ever."""
        release, long, short = f"clusters/{self.environment}/release.yaml", "duration: 10s", "duration: 1s"
        if isinstance(self.engine, Flux):
            yield
            return
        self.repository.edit(release, long, short)
        self.deploy("Try again sooner")
        yield
        self.repository.edit(release, short, long)
        self.deploy("Try again later")

    def pods(self) -> list[Object]:
        """The proxy's pods that are not on their way out."""
        return [
            pod
            for pod in self.api.items(PODS)
            if "deletionTimestamp" not in pod["metadata"] and not Event(0, "", pod).job
        ]

    def process(self) -> ContainerProcess:
        """The process of one of the proxy's pods, in the container that the chart runs it in."""
        return process_of(self.api, self.pods()[0], self.chart.runs[0].rpartition("/")[2])

    def config(self) -> str:
        """The configuration that this process is told to read."""
        process = self.process()
        return process.text(process.args[process.args.index("--config") + 1])

    def longest_answer(self) -> float:
        """The seconds that the proxy waits for a model."""
        seconds = re.search(r"request_timeout: (\d+)", self.config())
        assert seconds, self.config()
        return float(seconds[1])

    def secret(self, name: str) -> dict[str, str] | None:
        """The values of a Secret, decoded, or None."""
        secret = self.api.find(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
        if secret is None:
            return None
        return {key: base64.b64decode(v).decode() for key, v in secret.get("data", {}).items()}

    def events(self, since: int = 0) -> list[Event]:
        """What happened to pods in the proxy's namespace."""
        return [e for e in self.kubelet.events[since:] if e.pod["metadata"]["namespace"] == NAMESPACE]

    def measured(self) -> Metrics:
        """What an autoscaler goes by, from now on."""
        self.metrics = self.metrics or Metrics(self.cluster, self.kubelet)
        return self.metrics

    def inventory(self) -> dict[Name, Object]:
        """Every object in the cluster, by kind, namespace and name, without `PASSING`."""
        return inventory(self.api)

    def left(self) -> set[Name]:
        """What was not there when the cluster was empty, but for the settings of the engine."""
        engine = self.engine_namespace
        ours = {"sops-age", self.repository.answers["project_name"]}
        return {
            (kind, namespace, name)
            for kind, namespace, name in self.inventory().keys() - self.before
            if engine not in (namespace, name) or name in ours or "litellm" in name
        }


@contextmanager
def bootstrapped(
    run: Run,
    authority: trustme.CA,
    outside: Outside,
    repository: Repository,
    environment: str,
    *,
    wait: bool = True,
) -> Iterator[Deployment]:
    """A cluster on which the repository was bootstrapped by its README, and is deployed."""
    name = repository.answers["gitops_engine"]
    with ControlPlane(run, authority, f"{repository.folder.name}-{environment}") as cluster:
        before = frozenset(inventory(cluster.api))
        engine: Engine
        if name == "flux":
            engine = Flux(cluster, outside)
        else:
            engine = ArgoCD(cluster, outside, signed=bool(repository.answers["commit_signers"]))
            engine.install()
        deployment = Deployment(engine, repository, environment, before)
        cluster.learn(repository.manifests(f"clusters/{environment}"))
        if repository.answers["max_replicas"] > repository.answers["replicas"]:
            deployment.measured()
        deployment.follow("Bootstrap")
        if wait:
            deploy(engine, repository.head())
        yield deployment


def inventory(api: Api) -> dict[Name, Object]:
    """Every object in a cluster, by kind, namespace and name, without `PASSING`."""
    found: dict[Name, Object] = {}
    groups = [group["preferredVersion"]["groupVersion"] for group in api.get("/apis")["groups"]]
    for base in ["/api/v1", *(f"/apis/{version}" for version in groups)]:
        for kind in (api.find(base) or {}).get("resources", ()):
            if "/" in kind["name"] or "list" not in kind["verbs"] or kind["kind"] in PASSING:
                continue
            for thing in api.items(f"{base}/{kind['name']}"):
                metadata = thing["metadata"]
                name = (kind["kind"], metadata.get("namespace", ""), metadata["name"])
                if metadata["name"] != "kube-root-ca.crt":  # comes with each namespace
                    found[name] = thing
    return found
