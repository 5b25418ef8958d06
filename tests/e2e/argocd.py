"""The real Argo CD on a cluster of the tests: repo-server and application controller."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import tools
from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane
from tests.e2e.engines import START_TIMEOUT, healthy
from tests.e2e.podprocess import ContainerProcess, process_of
from tests.e2e.processes import Process, free_port
from tests.e2e.web import Outside

NAMESPACE = "argocd"
APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
PROGRAMS = ("helm", "kustomize")  # beside git, which the machine has
VERIFY = "git-verify-wrapper.sh"
KSOPS = PurePosixPath("/usr/local/bin/ksops")  # where an init container of the README mounts it

# As far as the README's patch and the process depend on it.
_NAME = {"app.kubernetes.io/name": "argocd-repo-server"}
_REPO_SERVER: Object = {
    "metadata": {"name": "argocd-repo-server"},
    "spec": {
        "selector": {"matchLabels": _NAME},
        "template": {
            "metadata": {"labels": _NAME},
            "spec": {"containers": [{"name": "argocd-repo-server", "image": "quay.io/argoproj/argocd"}]},
        },
    },
}


class ArgoCD:
    """Argo CD as its manifests install it, its programs being processes beside the cluster."""

    def __init__(self, cluster: ControlPlane, outside: Outside) -> None:
        self.cluster = cluster
        self.outside = outside
        self._redis = ""
        self._port = free_port()
        self._repo_server: Process | None = None
        self._repo_server_pod: Object = {}
        self._repo_server_files = Path()
        self._seen = 0  # of the kubelet's events

    def install(self) -> None:
        """Namespace, CRDs, settings as they come, and what works on them."""
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
        api.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _REPO_SERVER)
        self.start()

    def start(self) -> None:
        """The cache and the application controller. The repo-server starts with its pod."""
        self._redis = f"127.0.0.1:{free_port()}"
        command: list[str | Path] = [tools.path("valkey-server"), "--bind", "127.0.0.1"]
        command += ["--port", self._redis.rpartition(":")[2], "--save", "", "--appendonly", "no"]
        self.cluster.processes.start("valkey-server", command)
        metrics = free_port()
        controller = self._start(
            "argocd-application-controller",
            f"--kubeconfig={self.cluster.kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--repo-server=127.0.0.1:{self._port}",
            "--repo-server-plaintext",
            "--repo-server-client-cert-path=",
            "--repo-server-client-cert-key-path=",
            f"--redis={self._redis}",
            f"--metrics-port={metrics}",
            "--app-resync=20",
        )
        controller.require(lambda: healthy(f"http://127.0.0.1:{metrics}/healthz"), START_TIMEOUT)

    def _restart_repo_server(self, pod: ContainerProcess) -> None:
        """Starts the repo-server with the environment and files that `pod` gives it."""
        if self._repo_server:
            self.cluster.processes.end(self._repo_server)
        root = self._repo_server_files = self.cluster.folder / f"repo-server-{self._seen}"
        self._mount(pod)
        env = dict(pod.env)
        if "SOPS_AGE_KEY_FILE" in env:
            env["SOPS_AGE_KEY_FILE"] = str(root / env["SOPS_AGE_KEY_FILE"].lstrip("/"))
        programs = self._programs(root / "bin", ksops=KSOPS in pod.directories)
        env["PATH"] = f"{programs}:{self.cluster.environment()['PATH']}"
        # Empty, as that of a new pod: where git was ended at its work, it finds its own lock otherwise.
        temporary = root / "tmp"
        temporary.mkdir(mode=0o700)
        env["TMPDIR"] = str(temporary)
        metrics = free_port()
        self._repo_server = self._start(
            "argocd-repo-server",
            f"--redis={self._redis}",
            "--disable-tls",
            "--client-ca-path=",
            f"--port={self._port}",
            f"--metrics-port={metrics}",
            "--address=127.0.0.1",
            "--metrics-address=127.0.0.1",
            env=env,
        )
        self._repo_server.require(lambda: healthy(f"http://127.0.0.1:{metrics}/healthz"), START_TIMEOUT)

    def _mount(self, pod: ContainerProcess) -> None:
        """Puts the files of its volumes where the repo-server finds them, as they are now."""
        for path, file in pod.files.items():
            copy = self._repo_server_files / path.relative_to("/")
            if copy.exists() and copy.read_bytes() == file.content:
                continue
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = copy.with_name(f".{copy.name}.part")
            part.touch(0o600)
            part.write_bytes(file.content)
            part.replace(copy)

    def _start(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        variables = self.cluster.environment() | self.outside.environment() | dict(env or {})
        folders = {
            variable: self.cluster.folder / variable.lower()
            for variable in ("ARGOCD_TLS_DATA_PATH", "ARGOCD_SSH_DATA_PATH")
        }
        for folder in folders.values():
            folder.mkdir(mode=0o700, exist_ok=True)
        variables |= {variable: str(folder) for variable, folder in folders.items()}
        variables["ARGOCD_FAKE_IN_CLUSTER"] = "true"
        variables["ARGOCD_GPG_ENABLED"] = "false"  # no commit is signed here, no gpg needed
        return self.cluster.processes.start(name, [tools.path("argocd"), *arguments], env=variables, argv0=name)

    def _programs(self, folder: Path, *, ksops: bool) -> Path:
        """A folder with what the repo-server's image has on its PATH, and with KSOPS."""
        folder.mkdir(parents=True)
        for program in PROGRAMS:
            (folder / program).symlink_to(tools.path(program))
        script = folder / VERIFY  # run for every commit, signed or not
        script.write_bytes((tools.path("argocd-scripts") / VERIFY).read_bytes())
        script.chmod(0o755)
        if ksops:
            (folder / "sops").symlink_to(tools.path("sops"))  # which the real KSOPS has in itself
            launcher = folder / "ksops"
            command = shlex.join([sys.executable, str(Path(__file__).with_name("ksops.py"))])
            launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            launcher.chmod(0o755)
        return folder

    def serve(self) -> None:
        """Runs the repo-server as its pod says; called while commands run and while waiting.

        The pod comes of the Deployment that the README patches: what it mounts is what the
        process finds.
        """
        if self.cluster.kubelet is None:
            return
        for event in self.cluster.kubelet.events[self._seen :]:
            self._seen += 1
            if event.what == "started" and event.name.startswith("argocd-repo-server-"):
                assert event.process is not None
                self._repo_server_pod = event.pod
                self._restart_repo_server(event.process)
        if self._repo_server:  # a kubelet brings a changed Secret into the volumes of running pods
            self._mount(process_of(self.cluster.api, self._repo_server_pod))

    def find(self, name: str) -> Object | None:
        """An Application."""
        return self.cluster.api.find(f"{APPLICATIONS}/{name}")

    def refresh(self) -> None:
        """Asks for a look at git and at everything that comes of it, now."""
        for application in self.cluster.api.items(APPLICATIONS):
            self.refresh_only(application["metadata"]["name"])

    def refresh_only(self, name: str) -> None:
        """The same for one Application."""
        annotation = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}
        self.cluster.api.merge(f"{APPLICATIONS}/{name}", annotation)

    def refreshed(self) -> bool:
        """Whether all that `refresh` asked for was done: the controller takes the annotation off."""
        return not any(
            "argocd.argoproj.io/refresh" in application["metadata"].get("annotations", {})
            for application in self.cluster.api.items(APPLICATIONS)
        )

    def syncing(self, name: str) -> bool:
        """Whether a sync of an Application is under way, or will be tried again."""
        application = self.find(name) or {}
        state = application.get("status", {}).get("operationState", {})
        return state.get("phase") in ("Running", "Terminating")

    def deployed(self, commit: str) -> bool:
        """Whether that commit is what runs, as Argo CD sees it: all is Synced to it and Healthy."""
        applications = self.cluster.api.items(APPLICATIONS)
        return len(applications) == 2 and all(
            application.get("status", {}).get("sync", {}).get("status") == "Synced"
            and application["status"]["sync"].get("revision") == commit
            and application["status"].get("health", {}).get("status") == "Healthy"
            and application["status"].get("operationState", {}).get("phase") == "Succeeded"
            for application in applications
        )

    def messages(self) -> dict[str, str]:
        """What the Applications that are not well say, as an operator reads it."""
        found = {}
        for application in self.cluster.api.items(APPLICATIONS):
            status = application.get("status", {})
            sync = status.get("sync", {}).get("status")
            health = status.get("health", {}).get("status")
            texts = [entry["message"] for entry in status.get("conditions", ())]
            operation = status.get("operationState", {})
            if operation.get("phase") != "Succeeded":
                texts.append(operation.get("message", ""))
                texts += [
                    f"{result['syncPhase']} {result['kind']} {result['name']}: {result['message']}"
                    for result in operation.get("syncResult", {}).get("resources") or ()
                    if "Failed" in (result.get("hookPhase"), result.get("status"))
                    or result.get("status") == "SyncFailed"
                ]
            if texts or (sync, health) != ("Synced", "Healthy"):
                name = f"Application {application['metadata']['name']}"
                found[name] = f"{sync}, {health}. {' '.join(texts)}"
        return found
