"""From a sealed repository to the process of the proxy's pod, without a cluster.

Helm renders the chart with the values files that the engine's manifest names, sops opens the Secrets with the key that
was made for the environment, and the pod is resolved by the kubelet's rules.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import yaml

import tools
from tests.e2e.api import Object
from tests.e2e.podprocess import ContainerProcess, process_of
from tests.proxy.injected import NOWHERE, Service, admitted
from tests.proxy.tokens import Asked
from tests.support.charts import CHARTS

NAMESPACE = "litellm"
PLURALS = {"configmaps": "ConfigMap", "secrets": "Secret", "serviceaccounts": "ServiceAccount"}


class Manifests:
    """Rendered manifests and opened Secrets, read as if they were in a cluster."""

    def __init__(self, documents: list[Object], secrets: dict[str, dict[str, str]]) -> None:
        self.objects = {(each["kind"], each["metadata"]["name"]): each for each in documents}
        for name, values in secrets.items():
            data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
            self.objects["Secret", name] = {"metadata": {"name": name}, "data": data}

    def find(self, path: str) -> Object | None:
        """The object at a path of the API."""
        *start, plural, name = path.split("/")
        assert start == ["", "api", "v1", "namespaces", NAMESPACE], path
        return self.objects.get((PLURALS[plural], name))

    def items(self, path: str) -> list[Object]:
        """No Service has an address before it is in a cluster."""
        assert path.endswith("/services"), path
        return []

    def account(self, of: str = "Deployment") -> Object:
        """The ServiceAccount of the proxy's pod, or with `Job` of the migrations'."""
        return self.objects["ServiceAccount", self._template(of)["spec"]["serviceAccountName"]]

    def pod(self, service: Service = NOWHERE, of: str = "Deployment") -> Object:
        """That pod, as the API server of that service would admit it."""
        template = self._template(of)
        pod = {"metadata": {**template["metadata"], "namespace": NAMESPACE}, "spec": {**template["spec"]}}
        return admitted(pod, self.account(of), service)

    def process(self, service: Service = NOWHERE, of: str = "Deployment") -> ContainerProcess:
        """The process of its container."""
        return process_of(self, self.pod(service, of))

    def asked(self, service: Service = NOWHERE, of: str = "Deployment") -> list[Asked]:
        """The tokens that the kubelet puts into that container."""
        pod = self.pod(service, of)
        volumes = {each["name"]: each for each in pod["spec"].get("volumes") or ()}
        found = []
        for mount in pod["spec"]["containers"][0].get("volumeMounts") or ():
            for source in volumes[mount["name"]].get("projected", {}).get("sources") or ():
                if token := source.get("serviceAccountToken"):
                    path = f"{mount['mountPath']}/{token['path']}"
                    found.append(Asked(path, token["audience"], token.get("expirationSeconds", 3600)))
        return found

    def _template(self, of: str) -> Object:
        [found] = [each for (kind, _), each in self.objects.items() if kind == of]
        template: Object = found["spec"]["template"]
        return template


def render(root: Path, environment: str, secrets: dict[str, dict[str, str]], at: Path) -> Manifests:
    """The environment of a repository, rendered by helm in `at`."""
    shutil.copytree(root / "litellm", at / "litellm")
    pinned = yaml.safe_load((at / "litellm" / "Chart.yaml").read_text("utf-8"))["dependencies"][0]
    packaged = at / "litellm" / "charts"
    _helm(at, "package", str(CHARTS / pinned["name"]), f"--version={pinned['version']}", f"--destination={packaged}")
    values = [f"--values=litellm/{name}" for name in _values_files(root, environment)]
    output = _helm(at, "template", "litellm", "./litellm", f"--namespace={NAMESPACE}", *values)
    output += "---\n" + (root / "clusters" / environment / "namespace.yaml").read_text("utf-8")
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
