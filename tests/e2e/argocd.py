"""The real Argo CD on a cluster of the tests: repo-server and application controller."""

from __future__ import annotations

import secrets
import shlex
import sys
from pathlib import Path

import tools
from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane
from tests.e2e.engines import START_TIMEOUT, healthy
from tests.e2e.processes import Process, free_port
from tests.e2e.web import Outside

NAMESPACE = "argocd"
APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
PROGRAMS = ("helm", "kustomize", "sops")  # beside git and gpg, which the machine has
SCRIPTS = ("git-verify-wrapper.sh", "gpg-wrapper.sh")


class ArgoCD:
    """Argo CD as its manifests install it, with the age key of `age_key` where the README says.

    Its objects come with `install`; `start` begins its work, which is where a cluster restarts the
    pods after the README's settings.
    """

    def __init__(self, cluster: ControlPlane, outside: Outside, age_key: Path) -> None:
        self.cluster = cluster
        self.outside = outside
        self.age_key = age_key

    def install(self) -> None:
        """Namespace, CRDs, settings as they come: empty."""
        api = self.cluster.api
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        api.create("/api/v1/namespaces", namespace)
        self.cluster.install_crds("argocd-crds")
        labels = {"app.kubernetes.io/part-of": "argocd"}
        for name in ("argocd-cm", "argocd-cmd-params-cm", "argocd-rbac-cm"):
            api.create(
                f"/api/v1/namespaces/{NAMESPACE}/configmaps",
                {"metadata": {"name": name, "labels": labels | {"app.kubernetes.io/name": name}}},
            )
        api.create(
            f"/api/v1/namespaces/{NAMESPACE}/secrets",
            {
                "metadata": {"name": "argocd-secret", "labels": labels},
                "stringData": {"server.secretkey": secrets.token_hex(16)},
            },
        )
        api.create(
            f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/appprojects",
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AppProject",
                "metadata": {"name": "default"},
                "spec": {
                    "sourceRepos": ["*"],
                    "destinations": [{"namespace": "*", "server": "*"}],
                    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                },
            },
        )

    def start(self) -> None:
        """The cache, repo-server and application controller."""
        redis = f"127.0.0.1:{self._start_cache()}"
        repo_server = f"127.0.0.1:{self._start_repo_server(redis)}"
        metrics = free_port()
        controller = self._start(
            "argocd-application-controller",
            f"--kubeconfig={self.cluster.kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--repo-server={repo_server}",
            "--repo-server-plaintext",
            "--repo-server-client-cert-path=",
            "--repo-server-client-cert-key-path=",
            f"--redis={redis}",
            f"--metrics-port={metrics}",
            "--app-resync=20",
        )
        controller.require(lambda: healthy(f"http://127.0.0.1:{metrics}/healthz"), START_TIMEOUT)

    def _start_cache(self) -> int:
        port = free_port()
        command: list[str | Path] = [tools.path("valkey-server"), "--port", str(port)]
        command += ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.cluster.processes.start("valkey-server", command)
        return port

    def _start_repo_server(self, redis: str) -> int:
        port, metrics = free_port(), free_port()
        repo_server = self._start(
            "argocd-repo-server",
            f"--redis={redis}",
            "--disable-tls",
            "--client-ca-path=",
            f"--port={port}",
            f"--metrics-port={metrics}",
            "--address=127.0.0.1",
            "--metrics-address=127.0.0.1",
        )
        repo_server.require(lambda: healthy(f"http://127.0.0.1:{metrics}/healthz"), START_TIMEOUT)
        return port

    def _start(self, name: str, *arguments: str) -> Process:
        env = self.cluster.environment() | self.outside.environment()
        folders = {
            variable: self.cluster.folder / variable.lower()
            for variable in ("ARGOCD_TLS_DATA_PATH", "ARGOCD_SSH_DATA_PATH", "ARGOCD_GNUPGHOME")
        }
        for folder in folders.values():
            folder.mkdir(mode=0o700, exist_ok=True)
        env |= {variable: str(folder) for variable, folder in folders.items()}
        env |= {
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "SOPS_AGE_KEY_FILE": str(self.age_key),
            "PATH": f"{self._programs()}:{env['PATH']}",
        }
        return self.cluster.processes.start(
            name, [tools.path("argocd"), *arguments], env=env, argv0=name
        )

    def _programs(self) -> Path:
        """A folder with what the repo-server's image has on its PATH."""
        folder = self.cluster.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            for program in PROGRAMS:
                (folder / program).symlink_to(tools.path(program))
            for script in SCRIPTS:
                copy = folder / script
                copy.write_bytes((tools.path("argocd-scripts") / script).read_bytes())
                copy.chmod(0o755)
            ksops = Path(__file__).with_name("ksops.py")
            launcher = folder / "ksops"
            launcher.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {ksops}\n")
            launcher.chmod(0o755)
        return folder

    def find(self, name: str) -> Object | None:
        """An Application."""
        return self.cluster.api.find(f"{APPLICATIONS}/{name}")

    def refresh(self, name: str) -> None:
        """Asks for a reconciliation now."""
        annotation = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}
        self.cluster.api.merge(f"{APPLICATIONS}/{name}", annotation)

    def status(self) -> str:
        """A line for each Application: sync, health, and what went wrong."""
        lines = []
        for application in self.cluster.api.items(APPLICATIONS):
            status = application.get("status", {})
            sync = status.get("sync", {}).get("status")
            health = status.get("health", {}).get("status")
            messages = [c["message"] for c in status.get("conditions", ())]
            messages += [status.get("operationState", {}).get("message", "")]
            lines.append(
                f"{application['metadata']['name']}: {sync}, {health}. {' '.join(messages)}"
            )
        return "\n".join(lines)
