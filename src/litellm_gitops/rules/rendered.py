"""What Helm makes of each cluster, with the values that the engine gives it: `pytest -m chart`, with helm on PATH.

These are claims and no rules, because nothing else runs helm: `CLAIMS` has them by name.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from litellm_gitops import credentials
from litellm_gitops.documents import LOADER, Document, dig, mapping, parse, sequence, text
from litellm_gitops.findings import Finding, edit
from litellm_gitops.foreign import foreign_secrets
from litellm_gitops.pod import Pod
from litellm_gitops.repository import CHART_FILE, Cluster, Repository
from litellm_gitops.rules import Rule, admission, kubernetes

HELM_HOOK, ARGO_HOOK = "helm.sh/hook", "argocd.argoproj.io/hook"
SECONDS = 300.0  # for one call of helm, downloads included


class HelmError(Exception):
    """Helm is missing, or refuses the chart; the message is what it says."""


@dataclass(frozen=True)
class Rendering:
    """The manifests of one cluster, as helm prints them the first time and the second."""

    cluster: Cluster
    output: str
    again: str

    @property
    def pod(self) -> Pod:
        """What the values put into the proxy's pod."""
        assert self.cluster.values
        return self.cluster.values.pod

    @cached_property
    def documents(self) -> list[Document]:
        """Everything but what `helm test` alone would run."""
        found = parse(f"helm template of {self.cluster.name}", self.output)
        return [each for each in found if _annotation(each, HELM_HOOK) != "test"]

    def all(self, kind: str) -> dict[str, Document]:
        """The manifests of a kind, by name."""
        found = [each for each in self.documents if each.value.get("kind") == kind]
        return {each.value["metadata"]["name"]: each for each in found}

    def pods(self) -> Iterator[tuple[str, dict[Any, Any]]]:
        """Each manifest that makes pods, as Kind/name, with the pod's spec."""
        for document in self.documents:
            if pod := mapping(dig(document.value, "spec", "template", "spec")):
                yield _name(document), pod

    def containers(self) -> Iterator[tuple[str, dict[Any, Any]]]:
        """Each container, named as Kind/name/container."""
        for name, pod in self.pods():
            for container in (*sequence(pod.get("initContainers")), *sequence(pod.get("containers"))):
                yield f"{name}/{container['name']}", container

    def finding(self, what: str, fix: str = "correct the values that it comes from") -> Finding:
        """A finding in the values of this cluster."""
        return Finding(self.cluster.values_file, None, f"as helm renders it, {what}", edit(fix))


def _name(document: Document) -> str:
    return f"{document.value['kind']}/{document.value['metadata']['name']}"


def _annotation(document: Document, name: str) -> str:
    return text(dig(document.value, "metadata", "annotations", name))


class Renderings:
    """What helm makes of each cluster of a repository, from a copy of its chart with the dependency in it.

    `folder` is a new one for that copy, `chart` the folder of another LiteLLM chart. Raises HelmError.
    """

    def __init__(self, repository: Repository, folder: Path, chart: Path | None = None) -> None:
        self._folder = folder
        shutil.copytree(repository.root / "litellm", folder, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
        if chart:
            file = folder / Path(CHART_FILE).name
            umbrella = yaml.load(file.read_text("utf-8"), LOADER)
            version = yaml.load((chart / "Chart.yaml").read_text("utf-8"), LOADER)["version"]
            umbrella["dependencies"][0] |= {"repository": f"file://{chart.resolve()}", "version": version}
            file.write_text(yaml.safe_dump(umbrella), "utf-8")
        _helm("dependency", "build", folder)
        clusters = [cluster for cluster in repository.clusters if cluster.values]
        self.all = [Rendering(cluster, self._template(cluster), self._template(cluster)) for cluster in clusters]

    def _template(self, cluster: Cluster) -> str:
        files = [f"--values={self._folder / name}" for name in _values_files(cluster)]
        version = f"--kube-version={cluster.repository.answers['kubernetes_version']}"
        return _helm(
            "template", "litellm", self._folder, f"--namespace={cluster.repository.namespace}", version, *files
        )

    def rule(self, name: str) -> Rule:
        """A claim of `CLAIMS` as a rule, which `rules.evaluate` takes."""
        return Rule(name, "rendered", lambda _: (finding for each in self.all for finding in CLAIMS[name](each)))


def _values_files(cluster: Cluster) -> list[str]:
    """The files of values that an engine's own manifest names, in their order, as names in the chart."""
    for file in cluster.repository.under(cluster.folder):
        for document in cluster.repository.documents(file):
            files = dig(document.value, "spec", "chart", "spec", "valuesFiles")
            files = files or dig(document.value, "spec", "source", "helm", "valueFiles")
            if files:
                return [Path(name).name for name in files]
    raise HelmError(f"{cluster.folder} names no files of values")


def _helm(*arguments: str | Path) -> str:
    program = shutil.which("helm")
    if program is None:
        raise HelmError("helm is not on PATH: https://helm.sh/docs/intro/install/")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise HelmError(f"helm {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


# ---------------------------------------------------------------------------------------------------------------------

Claim = Callable[[Rendering], Iterator[Finding]]
CLAIMS: dict[str, Claim] = {}


def claim(function: Claim) -> Claim:
    """Put a function among the claims."""
    CLAIMS[function.__name__] = function
    return function


@claim
def the_chart_renders_the_proxy(each: Rendering) -> Iterator[Finding]:
    """Everything is there under its own name."""
    for name in sorted({*each.pod.chart.makes} - set(map(_name, each.documents))):
        yield each.finding(f"there is no {name}")


@claim
def two_renderings_are_identical(each: Rendering) -> Iterator[Finding]:
    """Nothing is made up at each rendering."""
    if each.again != each.output:
        yield each.finding("a second rendering differs, so that the engine would change the cluster for ever")


@claim
def every_rendered_manifest_fits_its_schema(each: Rendering) -> Iterator[Finding]:
    """The rules of Kubernetes hold for what is rendered."""
    rendered = Repository(each.cluster.repository.root, each.cluster.repository.source)
    rendered.__dict__["manifests"] = each.documents
    yield from kubernetes.every_manifest_fits_the_schema_of_its_kind(rendered)
    yield from kubernetes.every_name_is_valid(rendered)
    yield from admission.the_api_server_takes_every_manifest(rendered)


@claim
def the_chart_makes_no_secret(each: Rendering) -> Iterator[Finding]:
    """Only sealed files make Secrets."""
    yield from (each.finding(f"there is a Secret {name}") for name in each.all("Secret"))


@claim
def no_credential_is_rendered(each: Rendering) -> Iterator[Finding]:
    """Nothing that is rendered looks like a credential."""
    yield from (each.finding(f"line {line} holds {kind}") for line, kind in credentials.find(each.output))


@claim
def the_proxy_runs_the_pinned_image(each: Rendering) -> Iterator[Finding]:
    """LiteLLM is the image of the values, and every other one has a version."""
    pinned = ":".join(str(each.pod.get(each.pod.chart.image, field)) for field in ("repository", "tag"))
    for place, container in each.containers():
        image = str(container["image"])
        if place.startswith(each.pod.chart.runs) and image != pinned:
            yield each.finding(f"{place} runs {image}, not {pinned}")
        elif "@sha256:" not in image and image.rpartition(":")[2] in (image, "latest"):
            yield each.finding(f"{place} runs {image}, which has no version")


@claim
def the_service_account_is_what_the_method_wants(each: Rendering) -> Iterator[Finding]:
    """The account of the pods has the annotations of the chosen methods, and of no other."""
    filled, matrix = each.cluster.filled, each.cluster.repository.matrix
    of_methods = {name for method in matrix.methods.values() for name in method.service_account_annotations}
    wanted = {
        name: filled(value)
        for method in each.cluster.methods.values()
        for name, value in method.service_account_annotations.items()
        if filled(value)
    }
    for document in each.all("Deployment").values():
        name = text(dig(document.value, "spec", "template", "spec", "serviceAccountName"))
        if name not in each.all("ServiceAccount"):
            yield each.finding(f"{_name(document)} runs as ServiceAccount/{name}, which is not rendered")
            continue
        there = mapping(dig(each.all("ServiceAccount")[name].value, "metadata", "annotations"))
        found = {key: value for key, value in there.items() if key in of_methods}
        if found != wanted:
            yield each.finding(f"ServiceAccount/{name} has the annotations {found}, not {wanted}")


@claim
def the_pod_has_the_tokens_and_labels_of_its_methods(each: Rendering) -> Iterator[Finding]:
    """What the chart renders of the values has the labels, and the tokens where the proxy looks for them."""
    for document in each.all("Deployment").values():
        template = mapping(dig(document.value, "spec", "template"))
        volumes = {
            text(volume.get("name")): mapping(dig(source, "serviceAccountToken"))
            for volume in map(mapping, sequence(dig(template, "spec", "volumes")))
            for source in sequence(dig(volume, "projected", "sources"))
        }
        mounts = sequence(dig(template, "spec", "containers", 0, "volumeMounts"))
        there = {
            (text(dig(mount, "mountPath")), volumes.get(text(dig(mount, "name")), {}).get("audience"))
            for mount in mounts
        }
        for name, method in each.cluster.methods.items():
            for label, wanted in method.pod_labels.items():
                if dig(template, "metadata", "labels", label) != wanted:
                    yield each.finding(f"the pod lacks the label {label}: {wanted} of {name}")
            if method.token and (method.token.path, each.cluster.filled(method.token.audience)) not in there:
                yield each.finding(f"the pod lacks the token of {name} in {method.token.path}")


@claim
def the_migrations_run_before_everything_else(each: Rendering) -> Iterator[Finding]:
    """Jobs are Helm hooks under both engines, and wait for nothing that comes after them."""
    for job in each.all("Job").values():
        hooks = {hook.strip() for hook in _annotation(job, HELM_HOOK).split(",")}
        if hooks != {"pre-install", "pre-upgrade"} or _annotation(job, ARGO_HOOK):
            yield each.finding(f"{_name(job)} is not a Helm hook alone")
        account = dig(job.value, "spec", "template", "spec", "serviceAccountName")
        if account in each.all("ServiceAccount"):
            yield each.finding(f"{_name(job)} waits for ServiceAccount {account}, which comes after it")


@claim
def every_secret_and_key_that_a_pod_reads_exists(each: Rendering) -> Iterator[Finding]:
    """What pods read is sealed here, rendered, or made by somebody else."""
    keys: dict[str, dict[str, Any]] = {
        "Secret": {secret.name: secret.keys for secret in each.cluster.sealed}
        | foreign_secrets(each.cluster.repository, each.cluster),
        "ConfigMap": {name: mapping(found.value.get("data")) for name, found in each.all("ConfigMap").items()},
    }
    found = [(place, *reference) for place, pod in each.pods() for reference in _references(pod)]
    for place, kind, name, key in dict.fromkeys(found):
        if name not in keys[kind]:
            yield each.finding(f"{place} reads {kind} {name}, which does not exist")
        elif key and keys[kind][name] is not None and key not in keys[kind][name]:
            yield each.finding(f"{place} reads key {key!r} of {kind} {name}, which has none")


def _references(value: Any) -> Iterator[tuple[str, str, str]]:
    """(kind, name, key or nothing for all) of every Secret and ConfigMap that a pod needs."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(sequence(value)):
        kind = _KINDS.get(str(key))
        if not kind or not isinstance(inner, dict):
            yield from _references(inner)
        elif not inner.get("optional"):
            keys = [text(dig(item, "key")) for item in (inner, *sequence(inner.get("items")))]
            name = str(inner.get("secretName", inner.get("name")))
            yield from ((kind, name, each) for each in list(filter(None, keys)) or [""])


_KINDS = {
    **dict.fromkeys(("secret", "secretRef", "secretKeyRef"), "Secret"),
    **dict.fromkeys(("configMap", "configMapRef", "configMapKeyRef"), "ConfigMap"),
}


@claim
def the_proxy_gets_its_configuration(each: Rendering) -> Iterator[Finding]:
    """The ConfigMap holds what the values say."""
    there = yaml.load(dig(each.all("ConfigMap")["litellm-config"].value, "data", "config.yaml"), LOADER)
    for section, wanted in mapping(each.pod.config()).items():
        found = mapping(there).get(section)
        if (found if not isinstance(wanted, dict) else {key: mapping(found).get(key) for key in wanted}) != wanted:
            yield each.finding(f"{section} of the proxy's configuration is another")
