"""From a sealed repository to the process of the proxy's pod, without a cluster.

Helm renders the chart with the values files that the engine's manifest names, sops opens the Secrets with the key that
was made for the environment, and the pod is resolved by the kubelet's rules.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

import tools
from tests.conftest import ROOT
from tests.e2e.api import Object
from tests.e2e.podprocess import ContainerProcess, process_of

CHART = ROOT / "tests" / "e2e" / "charts" / "litellm-helm"
NAMESPACE = "litellm"
# What the webhook of EKS gives to a pod whose ServiceAccount has a role: github.com/aws/amazon-eks-pod-identity-webhook
TOKEN_FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
CLUSTER_REGION = "eu-north-1"  # not the one of the models: that one must win

PLURALS = {"configmaps": "ConfigMap", "secrets": "Secret", "serviceaccounts": "ServiceAccount"}


class Manifests:
    """Rendered manifests and opened Secrets, read as if they were in a cluster."""

    def __init__(self, documents: list[Object], secrets: dict[str, dict[str, str]]) -> None:
        self._objects = {(each["kind"], each["metadata"]["name"]): each for each in documents}
        for name, values in secrets.items():
            data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
            self._objects["Secret", name] = {"metadata": {"name": name}, "data": data}

    def find(self, path: str) -> Object | None:
        """The object at a path of the API."""
        *start, plural, name = path.split("/")
        assert start == ["", "api", "v1", "namespaces", NAMESPACE], path
        return self._objects.get((PLURALS[plural], name))

    def items(self, path: str) -> list[Object]:
        """No Service has an address before it is in a cluster."""
        assert path.endswith("/services"), path
        return []

    def pod(self) -> Object:
        """The pod of the proxy's Deployment, as the API server would admit it."""
        template: Object = self._objects["Deployment", "litellm"]["spec"]["template"]
        pod = {
            "metadata": {**template["metadata"], "namespace": NAMESPACE},
            "spec": {**template["spec"]},
        }
        account = self._objects["ServiceAccount", pod["spec"]["serviceAccountName"]]
        role = account["metadata"].get("annotations", {}).get("eks.amazonaws.com/role-arn")
        return _with_role(pod, role) if role else pod

    def process(self) -> ContainerProcess:
        """The process of the proxy's container."""
        return process_of(self, self.pod(), "litellm")


def render(root: Path, environment: str, secrets: dict[str, dict[str, str]], at: Path) -> Manifests:
    """The environment of a repository, rendered by helm in `at`."""
    shutil.copytree(root / "litellm", at / "litellm")
    pinned = yaml.safe_load((at / "litellm" / "Chart.yaml").read_text("utf-8"))["dependencies"][0]
    packaged = at / "litellm" / "charts"
    _helm(at, "package", str(CHART), f"--version={pinned['version']}", f"--destination={packaged}")
    values = [f"--values=litellm/{name}" for name in _values_files(root, environment)]
    output = _helm(at, "template", "litellm", "./litellm", f"--namespace={NAMESPACE}", *values)
    documents = [each for each in yaml.safe_load_all(output) if each]
    return Manifests(documents, secrets)


def _values_files(root: Path, environment: str) -> list[str]:
    """The names of the values files, in the order in which the engine's manifest has them."""
    for path in sorted((root / "clusters" / environment).rglob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text("utf-8")):
            if manifest["kind"] == "HelmRelease":
                files: list[str] = manifest["spec"]["chart"]["spec"]["valuesFiles"]
                return [Path(file).name for file in files]
    raise AssertionError(f"clusters/{environment} has no HelmRelease")


def _helm(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [tools.path("helm"), *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _with_role(pod: Object, role: str) -> Object:
    variables = {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": CLUSTER_REGION,
        "AWS_REGION": CLUSTER_REGION,
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{TOKEN_FOLDER}/token",
    }
    token = {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}
    volume = {
        "name": "aws-iam-token",
        "projected": {"sources": [{"serviceAccountToken": token}]},
    }
    mount = {"name": "aws-iam-token", "mountPath": TOKEN_FOLDER, "readOnly": True}

    def given(container: dict[str, Any]) -> dict[str, Any]:
        known = {entry["name"] for entry in container.get("env", ())}
        more = [{"name": name, "value": variables[name]} for name in variables if name not in known]
        mounts = [*container.get("volumeMounts", ()), mount]
        return {**container, "env": [*container.get("env", ()), *more], "volumeMounts": mounts}

    spec = pod["spec"]
    containers = [given(container) for container in spec["containers"]]
    volumes = [*spec.get("volumes", ()), volume]
    return {**pod, "spec": {**spec, "containers": containers, "volumes": volumes}}
