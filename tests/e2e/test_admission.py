"""The API server itself accepts every manifest of every repository that can be rendered."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

import tools
from tests.e2e.api import Object
from tests.e2e.controlplane import ControlPlane
from tests.e2e.processes import Run, wait_for
from tests.support.answers import combinations

ENGINES = ("flux", "argocd")
# Read by Kustomize, never applied; and patches of Argo CD's own objects, which stories apply.
NOT_APPLIED = ("kustomization.yaml", "ksops.yaml", "argocd-repo-server.yaml", "plugin.yaml")


@pytest.fixture(scope="module")
def manifests(sealed: Callable[..., Path], run: Run, charts: dict[str, Path]) -> dict[str, tuple[str, Object]]:
    """Every different manifest, by its text: where it occurs first, and what it is."""
    found: dict[str, tuple[str, Object]] = {}
    releases: dict[str, tuple[Path, str]] = {}  # by all that a rendering of the chart reads
    for name, answers in combinations():
        for engine in ENGINES:
            root = sealed(**answers, gitops_engine=engine)
            for text, file in _files(root):
                found.setdefault(text, (f"{engine}, {name}: {file}", yaml.safe_load(text)))
            for environment in answers["cluster_environments"]:
                values = [root / "litellm" / file for file in value_files(environment)]
                key = "".join(value.read_text("utf-8") for value in values)
                releases.setdefault(key, (root, environment))
    at = run.folder / "releases"
    at.mkdir()

    def render(release: tuple[Path, str]) -> list[tuple[str, str]]:
        return _release(*release, charts, at)

    with ThreadPoolExecutor(4) as pool:
        for rendered in pool.map(render, releases.values()):
            for text, source in rendered:
                found.setdefault(text, (source, yaml.safe_load(text)))
    return found


def value_files(environment: str) -> list[str]:
    """What both engines give to helm, in this order."""
    return ["values.yaml", f"values-{environment}.yaml", f"checksums-{environment}.yaml"]


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """The manifests that a repository holds; of a sealed Secret what is applied in the end."""
    for file in sorted([*root.glob("clusters/**/*.yaml"), *root.glob("secrets/**/*.yaml")]):
        if file.name not in NOT_APPLIED:
            for text in file.read_text("utf-8").partition("\nsops:\n")[0].split("\n---\n"):
                yield text, str(file.relative_to(root))


def _release(root: Path, environment: str, charts: dict[str, Path], at: Path) -> list[tuple[str, str]]:
    """The manifests of a release, with the chart of the tests."""
    chart = Path(tempfile.mkdtemp(dir=at)) / "litellm"
    shutil.copytree(root / "litellm", chart)
    dependency = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))["dependencies"][0]
    copied = chart / "charts" / dependency["name"] / "Chart.yaml"
    shutil.copytree(charts[dependency["name"]], copied.parent)
    content = yaml.safe_load(copied.read_text("utf-8"))
    copied.write_text(yaml.safe_dump(content | {"version": dependency["version"]}), "utf-8")
    # the pod of `helm test` is left out, as when an engine installs the release
    command: list[str | Path] = [tools.path("helm"), "template", "--skip-tests", "litellm", chart]
    command += ["--namespace=litellm", *(f"--values={chart / f}" for f in value_files(environment))]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"{root}: {answer.stderr}"
    documents = answer.stdout.split("\n---\n")
    source = f"the release of {root}, {environment}"
    return [(_namespaced(text), source) for text in documents if yaml.safe_load(text)]


def _namespaced(text: str) -> str:
    """A manifest of the chart as the engine applies it: in the namespace of the release."""
    manifest = yaml.safe_load(text)
    manifest["metadata"].setdefault("namespace", "litellm")
    return yaml.safe_dump(manifest)


def _knows(admission: ControlPlane, version: str, kind: str) -> bool:
    group = admission.api.find(f"/apis/{version}" if "/" in version else f"/api/{version}") or {}
    return kind in {entry["kind"] for entry in group.get("resources", ())}


def test_the_api_server_accepts_every_manifest_of_every_combination(
    admission: ControlPlane, manifests: dict[str, tuple[str, Object]]
) -> None:
    def refusal(entry: tuple[str, Object]) -> str | None:
        source, manifest = entry
        message = admission.api.try_apply(manifest)
        return f"{source}: {message}" if message else None

    kinds = {(manifest["apiVersion"], manifest["kind"]) for _, manifest in manifests.values()}
    assert {kind for _, kind in kinds} >= {"Application", "Deployment", "HelmRelease", "Ingress", "Job", "Secret"}
    admission.learn(manifest for _, manifest in manifests.values())
    wait_for("every kind is known", lambda: all(_knows(admission, *kind) for kind in kinds), timeout=60)
    with ThreadPoolExecutor(8) as pool:
        refused = [message for message in pool.map(refusal, manifests.values()) if message]
    assert not refused, "\n".join(refused)
