"""What Helm makes of each environment, with the values that the engine gives it: `pytest -m chart`.

It takes helm and LiteLLM's chart from its registry, or, with `--litellm-chart=DIR`, from a folder.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from rules import check, kubernetes
from rules.document import Document, parse
from rules.repository import CHART, Repository, dig, mapping, sequence, text
from sealing import credentials

pytestmark = pytest.mark.chart

HELM_HOOK, ARGO_HOOK = "helm.sh/hook", "argocd.argoproj.io/hook"
SECONDS = 300.0  # for one call of helm, downloads included


@dataclass(frozen=True)
class Rendering:
    """The manifests of one environment, as helm prints them."""

    environment: str
    output: str

    @cached_property
    def documents(self) -> list[Document]:
        """Everything but what `helm test` alone would run."""
        found = parse(f"helm template ({self.environment})", self.output)
        return [each for each in found if _annotation(each, HELM_HOOK) != "test"]

    def all(self, kind: str) -> list[Document]:
        """The manifests of a kind."""
        return [each for each in self.documents if each.value.get("kind") == kind]

    def pods(self) -> Iterator[tuple[Document, dict[Any, Any]]]:
        """Each manifest that makes pods, with the pod's spec."""
        for document in self.documents:
            pod = dig(document.value, "spec", "template", "spec")
            if pod:
                yield document, mapping(pod)

    def containers(self) -> Iterator[tuple[str, dict[Any, Any]]]:
        """Each container, named as Kind/name/container."""
        for document, pod in self.pods():
            for container in [
                *sequence(pod.get("initContainers")),
                *sequence(pod.get("containers")),
            ]:
                yield f"{_name(document)}/{container['name']}", container


def _name(document: Document) -> str:
    return f"{document.value['kind']}/{document.value['metadata']['name']}"


def _annotation(document: Document, name: str) -> str:
    return text(dig(document.value, "metadata", "annotations", name))


def _helm(*arguments: str | Path) -> str:
    """What helm prints. Fails the test with what it says, where it fails."""
    program = shutil.which("helm")
    if program is None:
        pytest.fail("helm is not on PATH: https://helm.sh/docs/intro/install/", pytrace=False)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"helm {arguments[0]}: {done.stderr.strip()}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="session")
def chart(repository: Repository, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the umbrella chart with its dependency in it."""
    target = tmp_path_factory.mktemp("chart") / "litellm"
    ignore = shutil.ignore_patterns("charts", "Chart.lock")
    shutil.copytree(repository.root / "litellm", target, ignore=ignore)
    given = pytestconfig.getoption("--litellm-chart")
    if given:
        folder = Path(given).resolve()
        version = yaml.safe_load((folder / "Chart.yaml").read_text("utf-8"))["version"]
        umbrella = yaml.safe_load((target / "Chart.yaml").read_text("utf-8"))
        umbrella["dependencies"][0] |= {"repository": f"file://{folder}", "version": version}
        (target / "Chart.yaml").write_text(yaml.safe_dump(umbrella), "utf-8")
    _helm("dependency", "build", target)
    return target


def _values_files(repository: Repository, environment: str) -> list[str]:
    """The values files that the engine's own manifest names, in their order, as names in the chart."""
    for file in repository.under(f"clusters/{environment}"):
        for document in repository.documents(file):
            files = dig(document.value, "spec", "chart", "spec", "valuesFiles")
            files = files or dig(document.value, "spec", "source", "helm", "valueFiles")
            if files:
                return [Path(name).name for name in files]
    pytest.fail(f"clusters/{environment} names no values files", pytrace=False)


def _template(repository: Repository, chart: Path, environment: str) -> str:
    files = [f"--values={chart / name}" for name in _values_files(repository, environment)]
    version = f"--kube-version={repository.answers['kubernetes_version']}"
    return _helm("template", "litellm", chart, f"--namespace={repository.namespace}", version, *files)


@pytest.fixture(scope="session")
def renderings(repository: Repository, chart: Path) -> list[Rendering]:
    """What helm makes of each environment."""
    return [
        Rendering(environment, _template(repository, chart, environment)) for environment in repository.environments
    ]


def refuse(problems: list[str]) -> None:
    """Fails with these, one in a line."""
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


# ---------------------------------------------------------------------------------------------------------------------


def test_the_chart_renders_the_proxy(renderings: list[Rendering]) -> None:
    expected = {
        "Deployment/litellm",
        "Service/litellm",
        "ConfigMap/litellm-config",
        "Job/litellm-migrations",
    }
    refuse(
        [
            f"{each.environment}: there is no {name}"
            for each in renderings
            for name in sorted(expected - set(map(_name, each.documents)))
        ]
    )


def test_two_renderings_are_identical(repository: Repository, chart: Path, renderings: list[Rendering]) -> None:
    refuse(
        [
            f"{each.environment}: a second rendering differs, so the engine would change the cluster for ever"
            for each in renderings
            if _template(repository, chart, each.environment) != each.output
        ]
    )


def test_every_rendered_manifest_fits_its_schema(repository: Repository, renderings: list[Rendering]) -> None:
    problems: list[str] = []
    for each in renderings:
        rendered = Repository(repository.root)
        rendered.__dict__["manifests"] = each.documents
        for rule in (
            kubernetes.every_manifest_fits_the_schema_of_its_kind,
            kubernetes.every_name_is_valid,
        ):
            problems += map(str, check(rule, rendered))
    refuse(problems)


def test_the_chart_makes_no_secret(renderings: list[Rendering]) -> None:
    refuse([f"{each.environment}: {_name(made)}" for each in renderings for made in each.all("Secret")])


def test_no_credential_is_rendered(renderings: list[Rendering]) -> None:
    refuse(
        [
            f"{each.environment}: line {line} holds {kind}"
            for each in renderings
            for line, kind in credentials.find(each.output)
        ]
    )


def test_no_container_has_a_variable_twice(renderings: list[Rendering]) -> None:
    problems = []
    for each in renderings:
        for place, container in each.containers():
            names = [variable["name"] for variable in sequence(container.get("env"))]
            twice = sorted({name for name in names if names.count(name) > 1})
            problems += [f"{each.environment}: {place} has {name} twice" for name in twice]
    refuse(problems)


def test_the_proxy_runs_the_pinned_image(repository: Repository, renderings: list[Rendering]) -> None:
    problems = []
    for each in renderings:
        values = next(found for found in repository.values if found.environment == each.environment)
        pinned = f"{values.get('image', 'repository')}:{values.get('image', 'tag')}"
        for place, container in each.containers():
            image = str(container["image"])
            own = place.startswith(("Deployment/litellm/litellm", "Job/litellm-migrations/"))
            if own and image != pinned:
                problems.append(f"{each.environment}: {place} runs {image}, not {pinned}")
            elif "@sha256:" not in image and image.rpartition(":")[2] in (image, "latest"):
                problems.append(f"{each.environment}: {place} runs {image}, which has no version")
    refuse(problems)


def test_the_service_account_is_what_the_method_wants(repository: Repository, renderings: list[Rendering]) -> None:
    problems = []
    for each in renderings:
        wanted = {
            name: repository.answer(value)
            for method in repository.methods(each.environment).values()
            for name, value in mapping(method.get("service_account_annotations")).items()
        }
        of_methods = {
            name
            for method in mapping(repository.matrix["methods"]).values()
            for name in mapping(method.get("service_account_annotations"))
        }
        accounts = {_name(found): found for found in each.all("ServiceAccount")}
        for document in each.all("Deployment"):
            name = f"ServiceAccount/{dig(document.value, 'spec', 'template', 'spec', 'serviceAccountName')}"
            account = accounts.get(name)
            if account is None:
                problems.append(f"{each.environment}: {_name(document)} runs as {name}, which is not rendered")
                continue
            there = mapping(dig(account.value, "metadata", "annotations"))
            found = {key: value for key, value in there.items() if key in of_methods}
            if found != wanted:
                problems.append(f"{each.environment}: {name} has the annotations {found}, not {wanted}")
    refuse(problems)


def test_the_migrations_run_before_everything_else(renderings: list[Rendering]) -> None:
    problems = []
    for each in renderings:
        created = {found.value["metadata"]["name"] for found in each.all("ServiceAccount")}
        for job in each.all("Job"):
            hooks = {hook.strip() for hook in _annotation(job, HELM_HOOK).split(",")}
            if hooks != {"pre-install", "pre-upgrade"} or _annotation(job, ARGO_HOOK):
                problems.append(f"{each.environment}: {_name(job)} is not a Helm hook alone")
            account = dig(job.value, "spec", "template", "spec", "serviceAccountName")
            if account in created:
                what = f"waits for ServiceAccount {account}, which comes after it"
                problems.append(f"{each.environment}: {_name(job)} {what}")
    refuse(problems)


def test_every_secret_and_key_that_a_pod_reads_exists(repository: Repository, renderings: list[Rendering]) -> None:
    problems = []
    for each in renderings:
        keys = {secret.name: secret.keys for secret in repository.sealed[each.environment]}
        maps = {found.value["metadata"]["name"]: found.value for found in each.all("ConfigMap")}
        for place, kind, name, key in _references(each):
            there = keys.get(name) if kind == "Secret" else mapping(dig(maps.get(name), "data"))
            if there is None or (kind == "ConfigMap" and name not in maps):
                problems.append(f"{each.environment}: {place} reads {kind} {name}, which does not exist")
            elif key is not None and key not in there:
                problems.append(f"{each.environment}: {place} reads key {key!r} of {kind} {name}, which has none")
    refuse(problems)


def _references(rendering: Rendering) -> Iterator[tuple[str, str, str, str | None]]:
    """(who, kind, name, key or None for all) of every Secret and ConfigMap that a pod needs."""
    for place, container in rendering.containers():
        for entry in sequence(container.get("envFrom")):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if entry.get(field) and not entry[field].get("optional"):
                    yield place, kind, entry[field]["name"], None
        for entry in sequence(container.get("env")):
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                reference = mapping(dig(entry, "valueFrom", field))
                if reference and not reference.get("optional"):
                    yield place, kind, reference["name"], reference["key"]
    for document, pod in rendering.pods():
        for volume in sequence(pod.get("volumes")):
            for kind, source, name in (
                ("Secret", mapping(volume.get("secret")), "secretName"),
                ("ConfigMap", mapping(volume.get("configMap")), "name"),
            ):
                if source and not source.get("optional"):
                    items = [item["key"] for item in sequence(source.get("items"))]
                    for key in items or [None]:
                        yield f"{_name(document)}, volume {volume['name']}", kind, source[name], key


def test_the_proxy_gets_its_configuration(repository: Repository, renderings: list[Rendering]) -> None:
    problems = []
    for each in renderings:
        values = next(found for found in repository.values if found.environment == each.environment)
        (document,) = [found for found in each.all("ConfigMap") if _name(found) == "ConfigMap/litellm-config"]
        config = yaml.safe_load(document.value["data"]["config.yaml"])
        for section in mapping(values.get("proxy_config")):
            wanted, there = values.get("proxy_config", section), config.get(section)
            kept = {key: mapping(there).get(key) for key in wanted} if isinstance(wanted, dict) else there
            if kept != wanted:
                problems.append(f"{each.environment}: {section} is not that of {CHART}.proxy_config")
    refuse(problems)
