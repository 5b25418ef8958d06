"""A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler.

The nodes are objects, and `kubelet` plays what runs on them. Everything else is real. It takes three seconds
to start and 500 MB of memory.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import httpx
import trustme
import yaml

import tools
from tests.e2e.api import Api, Object, Watched
from tests.e2e.kubelet import Kubelet
from tests.e2e.processes import Processes, Run, free_port, slowness, wait_for

ISSUER = "https://kubernetes.default.svc"
START_TIMEOUT = 60.0  # seconds; it takes three, but the machine may be busy
ZONES = ("a", "b", "c")  # one node each
FOLLOWED = ("/api/v1/pods", "/apis/discovery.k8s.io/v1/endpointslices")  # by the kubelets
# What a new control plane makes by itself after it is ready, in any order: a story looks at what is there before it.
BY_ITSELF = (
    "/api/v1/namespaces/default/services/kubernetes",
    "/apis/networking.k8s.io/v1/servicecidrs/kubernetes",
    "/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking",
    *(
        f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        for namespace in ("default", "kube-node-lease", "kube-public", "kube-system")
    ),
)


class ControlPlane:
    """A cluster of its own in `folder`. Use it as a context manager.

    Without `pods` there are only etcd and the API server: enough to mint tokens, as `issuer`.
    """

    def __init__(self, run: Run, authority: trustme.CA, name: str, *, pods: bool = True, issuer: str = ISSUER) -> None:
        # a worker may come back to a module that another one has helped out with
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=run.folder))
        self.run = run
        self.issuer = issuer
        self._pods = pods
        # Argo CD's repo server keeps its clones in a folder of one name, which two must not share
        temporary = self.folder / "tmp"
        temporary.mkdir()
        self.processes = Processes(self.folder / "logs", run.environment(TMPDIR=temporary))
        self._authority = authority
        self._etcd = f"http://127.0.0.1:{free_port()}"
        self._port = free_port()
        self.server = f"https://127.0.0.1:{self._port}"
        self._token = secrets.token_hex(16)
        self.kubeconfig = self._write_kubeconfig()
        self.api = Api(self.server, self._token, self.folder / "ca.crt")
        self.kubelet: Kubelet | None = None
        self._watched: list[Watched] = []

    def __enter__(self) -> Self:
        try:
            self._start_etcd()
            self._start_api_server()
            if self._pods:
                self._start_controllers()
                self._start_nodes()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it, whatever state it is in."""
        if self.kubelet:
            self.kubelet.stop()
            self.kubelet = None
        for watched in self._watched:
            watched.stop()
        self.processes.stop()
        for watched in self._watched:
            watched.join()
        self.api.close()

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """The output of `kubectl`; a failure is an AssertionError with what kubectl said."""
        answer = subprocess.run(
            [tools.path("kubectl"), *arguments],
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300 * slowness(),
            check=False,
        )
        if answer.returncode != 0:
            command = " ".join(str(argument) for argument in arguments)
            raise AssertionError(f"kubectl {command}: {answer.stdout}{answer.stderr}")
        return answer.stdout

    def environment(self) -> dict[str, str]:
        """Variables for programs that work on this cluster."""
        return self.run.environment(KUBECONFIG=self.kubeconfig)

    def install_crds(self, *folders: str) -> None:
        """Installs the custom resource definitions of these folders of the pins file."""
        files = [
            file
            for folder in folders
            for file in sorted(tools.path(folder).rglob("*.yaml"))
            if "\nkind: CustomResourceDefinition" in file.read_text("utf-8")
        ]
        self.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))

        def established() -> bool:
            crds = self.api.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            return all(condition(crd, "Established") == "True" for crd in crds)

        wait_for("the CRDs are established", established, timeout=START_TIMEOUT)

    def learn(self, manifests: Iterable[Object]) -> None:
        """Makes the API server take the kinds that a cloud, or what else is installed in a cluster, brings.

        Of these the tests have no definitions: whatever stands in such an object is taken.
        """
        known = {group["name"] for group in self.api.get("/apis")["groups"]} | {""}
        for manifest in manifests:
            group, _, version = manifest["apiVersion"].rpartition("/")
            if group in known or group.endswith((".fluxcd.io", "argoproj.io")):
                continue
            kind = manifest["kind"]
            self.define(group, version, kind, f"{kind.lower()}s".replace("ys", "ies"))

    def define(self, group: str, version: str, kind: str, plural: str) -> None:
        """Makes the API server take a kind, whatever stands in its objects."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.api.create(path, _open_kind(group, version, kind, plural))

    # the parts

    def _start_etcd(self) -> None:
        peer = f"http://127.0.0.1:{free_port()}"
        etcd = self.processes.start(
            "etcd",
            [
                tools.path("etcd"),
                f"--data-dir={self.folder / 'etcd'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={self._etcd}",
                f"--advertise-client-urls={self._etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--log-level=error",
            ],
        )
        etcd.require(lambda: _answers(f"{self._etcd}/health"), START_TIMEOUT)

    def _start_api_server(self) -> None:
        certificate = self._authority.issue_cert("127.0.0.1", "kubernetes.default.svc")
        certificate.cert_chain_pems[0].write_to_path(str(self.folder / "server.crt"))
        _write_secret(self.folder / "server.key", certificate.private_key_pem.bytes().decode())
        key = self.folder / "service-accounts.key"
        # RSA, as in EKS, GKE and AKS
        issued = self._authority.issue_cert("service-accounts.test", key_type=trustme.KeyType.RSA)
        account_key = issued.private_key_pem
        _write_secret(key, account_key.bytes().decode())
        tokens = self.folder / "tokens.csv"
        _write_secret(tokens, f"{self._token},admin,admin,system:masters\n")
        api_server = self.processes.start(
            "kube-apiserver",
            [
                tools.path("kube-apiserver"),
                f"--etcd-servers={self._etcd}",
                f"--secure-port={self._port}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--cert-dir={self.folder / 'certificates'}",
                f"--tls-cert-file={self.folder / 'server.crt'}",
                f"--tls-private-key-file={self.folder / 'server.key'}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                f"--service-account-issuer={self.issuer}",
                f"--token-auth-file={tokens}",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--endpoint-reconciler-type=none",  # an endpoint cannot be on loopback
            ],
        )
        api_server.require(self.api.ready, START_TIMEOUT)

    def _start_controllers(self) -> None:
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        self.processes.start(
            "kube-controller-manager",
            [
                tools.path("kube-controller-manager"),
                *common,
                f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
                f"--root-ca-file={self.folder / 'ca.crt'}",
                # nobody sends heartbeats, and the pods would go NodeNotReady
                "--controllers=*,-nodelifecycle",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
                # seconds in the place of minutes
                "--horizontal-pod-autoscaler-sync-period=1s",
                "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
                "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
            ],
        )
        self.processes.start("kube-scheduler", [tools.path("kube-scheduler"), *common])

    def _start_nodes(self) -> None:
        for zone in ZONES:
            self.api.create("/api/v1/nodes", _node(zone))
        for zone in ZONES:
            # admission adds `not-ready`, and nobody takes it off without the lifecycle controller
            self.api.merge(f"/api/v1/nodes/node-{zone}", {"spec": {"taints": None}})

        def all_there() -> bool:
            return all(self.api.find(path) for path in BY_ITSELF)

        wait_for("the cluster has what it makes by itself", all_there, timeout=START_TIMEOUT)
        self._watched += (Watched(self.api, path) for path in FOLLOWED)
        self.kubelet = Kubelet(self.api, *self._watched)

    def _write_kubeconfig(self) -> Path:
        ca_file = self.folder / "ca.crt"
        self._authority.cert_pem.write_to_path(str(ca_file))
        cluster = {"server": self.server, "certificate-authority": str(ca_file)}
        content: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        file = self.folder / "kubeconfig"
        _write_secret(file, yaml.safe_dump(content))
        return file


def condition(thing: Object, kind: str) -> str | None:
    """The status of a condition of an object: `True`, `False`, `Unknown`, or None without it."""
    for entry in thing.get("status", {}).get("conditions") or ():
        if entry["type"] == kind:
            status: str = entry["status"]
            return status
    return None


def now() -> str:
    """A value that no earlier call gave, for annotations that ask for a reconciliation."""
    return f"{time.time():.6f}"


def _open_kind(group: str, version: str, kind: str, plural: str) -> Object:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # or it takes none of a group of Kubernetes' own
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}],
        },
    }


def _node(zone: str) -> Object:
    resources = {"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"node-{zone}",
            "labels": {
                "kubernetes.io/hostname": f"node-{zone}",
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "status": {
            "allocatable": resources,
            "capacity": resources,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _write_secret(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
