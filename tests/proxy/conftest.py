"""The demo's answers as a sealed repository, and for each environment the proxy that runs from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import render_into
from tests.e2e.podprocess import ContainerProcess
from tests.e2e.processes import NotReadyError, Processes
from tests.e2e.web import Outside
from tests.proxy import redis
from tests.proxy.rendered import CLUSTER_REGION, TOKEN_FOLDER, render
from tests.proxy.running import Proxy, start
from tests.proxy.vendors import Aws, Azure, GitHub, Google, Vendor
from tests.support.answers import ENVIRONMENTS, everything
from tests.support.inputs import Inputs
from tests.support.sealed import opened, seal

FIGURES = pytest.StashKey[list[str]]()

REGION, LOCATION = "eu-central-1", "europe-west4"  # no default of the questions or of LiteLLM


@dataclass(frozen=True)
class Vendors:
    """All four."""

    aws: Aws
    google: Google
    azure: Azure
    github: GitHub

    def of(self, provider: str) -> Vendor:
        """The vendor of a provider, as LiteLLM names the provider."""
        return {
            "bedrock": self.aws,
            "vertex_ai": self.google,
            "azure": self.azure,
            "github_copilot": self.github,
        }[provider]

    def all(self) -> list[Vendor]:
        """Each of them."""
        return [self.aws, self.google, self.azure, self.github]


@dataclass(frozen=True)
class Sealed:
    """A sealed repository, and what went into it."""

    root: Path
    answers: dict[str, Any]
    inputs: Inputs = field(repr=False)
    secrets: dict[tuple[str, str], dict[str, str]] = field(repr=False)

    def of(self, environment: str) -> dict[str, dict[str, str]]:
        """The Secrets of an environment, opened by its key."""
        return {name: values for (where, name), values in self.secrets.items() if where == environment}


@dataclass(frozen=True)
class Running:
    """The proxy of one environment, and everything that it can reach."""

    environment: str
    sealed: Sealed
    proxy: Proxy
    vendors: Vendors
    outside: Outside
    redis: redis.Redis


def pytest_configure(config: pytest.Config) -> None:
    config.option.tbstyle = "short"  # the long style shows the arguments of functions: credentials


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("proxy")


def service_account() -> str:
    """As tests.support.inputs makes it, with a private key that can sign."""
    account = json.loads(Inputs().files["gcp-service-account.json"])
    key = rsa.generate_private_key(65537, 2048)
    account["private_key"] = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return json.dumps(account, indent=2)


@pytest.fixture(scope="session")
def repository(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """All environments and all providers, with IRSA on EKS and an existing Redis."""
    folder = tmp_path_factory.mktemp("demo")
    answers = everything(redis_host=redis.address(), bedrock_region=REGION, vertex_location=LOCATION)
    answers["azure_openai_api_version"] = "2025-03-01-preview"
    root = render_into(folder / "repository", template, answers)
    files = {**Inputs().files, "gcp-service-account.json": service_account()}
    inputs = Inputs(files=files)
    done = seal(root, inputs=inputs.write(folder / "inputs"))
    assert done.returncode == 0, done.stderr
    return Sealed(root, answers, inputs, opened(root))


def vendors_of(sealed: Sealed, pod: ContainerProcess, environment: str) -> Vendors:
    """Vendors that know what the operator has put in, and not what came out of the repository."""
    lines, answers = sealed.inputs.lines, sealed.answers
    aws = Aws(REGION, {lines["AWS_ACCESS_KEY_ID"]: lines["AWS_SECRET_ACCESS_KEY"]})
    if environment == "aws":  # with a role: no user's keys are of any use
        token = pod.text(f"{TOKEN_FOLDER}/token")
        aws = Aws(REGION, {}, CLUSTER_REGION, answers["eks_aws_role_arn"], token)
    account = sealed.inputs.files["gcp-service-account.json"]
    endpoint, version = answers["azure_openai_endpoint"], answers["azure_openai_api_version"]
    return Vendors(
        aws,
        Google(account, answers["vertex_project"], LOCATION),
        Azure(endpoint, version, lines),
        GitHub(sealed.inputs.files["access-token"]),
    )


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def running(
    request: pytest.FixtureRequest,
    repository: Sealed,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Running]:
    """The proxy of each environment, one after the other."""
    environment: str = request.param
    folder = tmp_path_factory.mktemp(environment)
    secrets = repository.of(environment)
    pod = render(repository.root, environment, secrets, folder).process()
    vendors = vendors_of(repository, pod, environment)
    sites = {name: site for each in vendors.all() for name, site in each.sites().items()}
    outside = Outside(folder, trustme.CA(), sites)
    hidden = [
        *repository.inputs.canaries(),
        *(value for values in secrets.values() for value in values.values()),
    ]
    processes = Processes(folder, {})
    host, password = repository.answers["redis_host"], secrets["litellm-redis"]["redis-password"]
    with redis.running(folder, host, password) as server:
        try:
            proxy = start(pod, processes, folder / "root", outside.environment(), hidden)
            yield Running(environment, repository, proxy, vendors, outside, server)
            figures = pytestconfig.stash.setdefault(FIGURES, [])
            figures.append(
                f"{environment:6} {len(proxy.models):3} models  served after {proxy.seconds:4.1f} s"
                f"  at most {proxy.memory()} MiB"
            )
        except NotReadyError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        finally:
            processes.stop()
            outside.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What it cost."""
    for figure in config.stash.get(FIGURES, []):
        terminalreporter.write_line(figure)
