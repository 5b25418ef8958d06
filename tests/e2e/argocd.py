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

REVISION = "deployment.kubernetes.io/revision"
NAMESPACE = "argocd"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/applications"  # of all namespaces
MANIFESTS = "install.yaml"  # the installation that the README starts from
PROGRAMS = ("helm", "kustomize")  # beside git, which the machine has
VERIFY = "git-verify-wrapper.sh"
KSOPS = PurePosixPath("/usr/local/bin/ksops")  # where an init container of the README mounts it
CONTROLLER, REPO_SERVER = "argocd-application-controller", "argocd-repo-server"
PLUGIN = "litellm-ksops"  # the container beside the repo-server that the README offers
CONFIG = "home/argocd/cmp-server/config"  # where a plugin's container finds what it is


class ArgoCD:
    """Argo CD as its own manifests install it. Two of its programs run, as processes beside the cluster: each with the
    environment and the files that its pod gives it, and anew with each new pod.
    """

    def __init__(self, cluster: ControlPlane, outside: Outside, *, signed: bool = False) -> None:
        self.cluster = cluster
        self.outside = outside
        self._redis = f"127.0.0.1:{free_port()}"
        self._port = free_port()
        self._running: dict[str, Process] = {}
        self._pods: dict[str, Object] = {}
        self._files: dict[str, Path] = {}
        self._sockets = cluster.folder / "plugins"  # a volume that the containers of the repo-server share
        self._seen = 0  # of the kubelet's events
        self._volumes: dict[str, str] = {}  # the versions of what may be in a volume, by uid
        # what is in ConfigMap argocd-gpg-keys-cm; None where no commit is signed, which needs no gpg
        self._signers = cluster.folder / "signers" if signed else None
        if self._signers:
            self._signers.mkdir()

    def install(self) -> None:
        """Namespace and manifests, and what its pods make when they start for the first time."""
        api = self.cluster.api
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self.cluster.install_crds("argocd-crds")
        self.cluster.kubectl(
            "apply",
            "--server-side",
            f"--namespace={NAMESPACE}",
            f"--filename={tools.path('argocd-manifests') / MANIFESTS}",
        )
        secrets_path = f"/api/v1/namespaces/{NAMESPACE}/secrets"
        api.merge(f"{secrets_path}/argocd-secret", {"stringData": {"server.secretkey": secrets.token_hex(16)}})
        api.create(secrets_path, {"metadata": {"name": "argocd-redis"}, "stringData": {"auth": ""}})
        # the controller makes it when it starts, which here is later
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
        command: list[str | Path] = [tools.path("valkey-server"), "--bind", "127.0.0.1"]
        command += ["--port", self._redis.rpartition(":")[2], "--save", "", "--appendonly", "no"]
        self.cluster.processes.start("valkey-server", command)

    def _restart(self, name: str, pod: ContainerProcess) -> None:
        """Starts a program with the environment and files that `pod` gives it, in the place of the one that runs."""
        if name in self._running:
            self.cluster.processes.end(self._running[name])
        root = self._files[name] = self.cluster.folder / f"{name}-{self._seen}"
        self._mount(name, pod)
        env = {key: _below(root, value, pod) for key, value in pod.env.items()}
        # Empty, as that of a new pod: where git was ended at its work, it finds its own lock otherwise.
        temporary = root / "tmp"
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        env["TMPDIR"] = str(temporary)
        metrics = free_port()
        arguments = [f"--redis={self._redis}", f"--metrics-port={metrics}"]
        if name == REPO_SERVER:
            programs = self._programs(root / "bin", ksops=KSOPS in pod.directories)
            env["PATH"] = f"{programs}:{self.cluster.environment()['PATH']}"
            env["ARGOCD_PLUGINSOCKFILEPATH"] = str(self._sockets)
            arguments += ["--disable-tls", "--client-ca-path=", f"--port={self._port}"]
            arguments += ["--address=127.0.0.1", "--metrics-address=127.0.0.1"]
        else:
            arguments += [f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={NAMESPACE}", "--app-resync=20"]
            arguments += [f"--repo-server=127.0.0.1:{self._port}", "--repo-server-plaintext"]
            arguments += ["--repo-server-client-cert-path=", "--repo-server-client-cert-key-path="]
        self._running[name] = self._start(name, *arguments, env=env)
        self._running[name].require(lambda: healthy(f"http://127.0.0.1:{metrics}/healthz"), START_TIMEOUT)

    def _restart_plugin(self, pod: Object) -> None:
        """Starts the container of the plugin, where the pod of the repo-server has it, before the repo-server looks."""
        if PLUGIN in self._running:
            self.cluster.processes.end(self._running.pop(PLUGIN))
        self._sockets.mkdir(exist_ok=True)
        if PLUGIN not in [container["name"] for container in pod["spec"]["containers"]]:
            return
        process = process_of(self.cluster.api, pod, PLUGIN)
        root = self._files[PLUGIN] = self.cluster.folder / f"{PLUGIN}-{self._seen}"
        self._mount(PLUGIN, process)
        env = {key: _below(root, value, process) for key, value in process.env.items()}
        programs = self._programs(root / "bin", ksops=KSOPS in process.directories)
        env |= {"PATH": f"{programs}:{self.cluster.environment()['PATH']}", "ARGOCD_CMP_WORKDIR": str(root)}
        env["ARGOCD_PLUGINSOCKFILEPATH"] = str(self._sockets)
        arguments = [f"--config-dir-path={root / CONFIG}"]
        self._running[PLUGIN] = self._start("argocd-cmp-server", *arguments, env=env)
        socket = self._sockets / f"{PLUGIN}.sock"
        self._running[PLUGIN].require(socket.exists, START_TIMEOUT)

    def _mount(self, name: str, pod: ContainerProcess) -> None:
        """Puts the files of its volumes where the program finds them, as they are now."""
        for path, file in pod.files.items():
            copy = self._files[name] / path.relative_to("/")
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
        variables["ARGOCD_GPG_ENABLED"] = "false"
        if self._signers:
            home = self.cluster.folder / f"g{self._seen}"  # short, for gpg's sockets are in it, and new in each pod
            home.mkdir(mode=0o700, exist_ok=True)
            more = {"ENABLED": "true", "DATA_PATH": str(self._signers)}
            variables |= {f"ARGOCD_GPG_{key}": value for key, value in more.items()} | {"ARGOCD_GNUPGHOME": str(home)}
        return self.cluster.processes.start(name, [tools.path("argocd"), *arguments], env=variables, argv0=name)

    def _programs(self, folder: Path, *, ksops: bool) -> Path:
        """A folder with what the repo-server's image has on its PATH, and with KSOPS."""
        folder.mkdir(parents=True)
        for program in PROGRAMS:
            (folder / program).symlink_to(tools.path(program))
        for name in (VERIFY, "gpg-wrapper.sh"):  # the first is run for every commit, signed or not
            (folder / name).write_bytes((tools.path("argocd-scripts") / name).read_bytes())
            (folder / name).chmod(0o755)
        if ksops:
            (folder / "sops").symlink_to(tools.path("sops"))  # which the real KSOPS has in itself
            launcher = folder / "ksops"
            command = shlex.join([sys.executable, str(Path(__file__).with_name("ksops.py"))])
            launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            launcher.chmod(0o755)
        return folder

    def serve(self) -> None:
        """Runs both programs as their pods say; called while commands run and while waiting."""
        if self.cluster.kubelet is None:
            return
        for event in self.cluster.kubelet.events[self._seen :]:
            self._seen += 1
            name = next((name for name in (CONTROLLER, REPO_SERVER) if event.name.startswith(f"{name}-")), None)
            if event.what == "started" and name and not self._is_older(name, event.pod):
                self._pods[name] = event.pod
                if name == REPO_SERVER:
                    self._restart_plugin(event.pod)
                self._restart(name, process_of(self.cluster.api, event.pod, name))
        if not self._volumes_differ():
            return
        for name, pod in self._pods.items():  # a kubelet brings a changed Secret into the volumes of running pods
            self._mount(name, process_of(self.cluster.api, pod, name))

    def _volumes_differ(self) -> bool:
        """Whether a Secret or ConfigMap is another one than at the last look."""
        kinds = [f"/api/v1/namespaces/{NAMESPACE}/{kind}" for kind in ("secrets", "configmaps")]
        found = [each["metadata"] for kind in kinds for each in self.cluster.api.items(kind)]
        before, self._volumes = self._volumes, {each["uid"]: each["resourceVersion"] for each in found}
        return before != self._volumes

    def _is_older(self, name: str, pod: Object) -> bool:
        """Whether a pod is one that the pod in use replaces: of two that wait, any may be started first."""
        return self._age(pod) < self._age(self._pods.get(name, pod))

    def _age(self, pod: Object) -> tuple[int, str]:
        """Which revision of its Deployment a pod is of, for two may be of the same second; and when it was made."""
        metadata = pod["metadata"]
        owners = (owner["name"] for owner in metadata["ownerReferences"] if owner["kind"] == "ReplicaSet")
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets"
        found = (self.cluster.api.find(f"{path}/{owner}") or {} for owner in owners)
        notes = (each.get("metadata", {}).get("annotations", {}) for each in found)
        return max((int(note.get(REVISION, 0)) for note in notes), default=0), metadata["creationTimestamp"]

    def applications(self) -> list[Object]:
        """Every Application."""
        return self.cluster.api.items(APPLICATIONS)

    def find(self, name: str) -> Object | None:
        """An Application."""
        return next((each for each in self.applications() if each["metadata"]["name"] == name), None)

    def refresh(self) -> None:
        """Asks for a look at git and at everything that comes of it, now."""
        for application in self.applications():
            self.refresh_only(application["metadata"]["name"])

    def refresh_only(self, name: str) -> None:
        """The same for one Application."""
        namespace = (self.find(name) or {}).get("metadata", {}).get("namespace", NAMESPACE)
        annotation = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}
        path = APPLICATIONS.replace("/applications", f"/namespaces/{namespace}/applications")
        self.cluster.api.merge(f"{path}/{name}", annotation)

    def refreshed(self) -> bool:
        """Whether all that `refresh` asked for was done: the controller takes the annotation off."""
        return not any(
            "argocd.argoproj.io/refresh" in application["metadata"].get("annotations", {})
            for application in self.applications()
        )

    def syncing(self, name: str) -> bool:
        """Whether a sync of an Application is under way, or will be tried again."""
        application = self.find(name) or {}
        state = application.get("status", {}).get("operationState", {})
        return state.get("phase") in ("Running", "Terminating")

    def deployed(self, commit: str) -> bool:
        """Whether that commit is what runs, as Argo CD sees it: all is Synced to it and Healthy."""
        applications = self.applications()
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
        for application in self.applications():
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


def _below(root: Path, value: str, pod: ContainerProcess) -> str:
    """A path below a volume of the pod, where it is for a process without a root of its own; else the value itself."""
    path = PurePosixPath(value)
    volumes = pod.directories | {parent for file in pod.files for parent in file.parents[:-1]}
    return str(root / value.lstrip("/")) if volumes & {path, *path.parents} else value
