"""Every cell of the auth matrix with every method of its, in as few repositories as there have to be."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.e2e.processes import NotReadyError
from tests.proxy import redis
from tests.proxy.clusters import Running, Sealed, Stage, made
from tests.proxy.database import database
from tests.proxy.running import Model
from tests.proxy.starting import Forked, Forks
from tests.proxy.wire import Row, rows
from tests.support.answers import ACCOUNT, KEYLESS, database_hosts, each
from tests.support.charts import NAMES
from tests.support.postgres import Database

Cell = tuple[str, str, str]  # environment, provider, method

_POLICY = yaml.safe_load((ROOT / "policies" / "auth-matrix.yml").read_text("utf-8"))
# environment -> provider -> its methods; tests/test_matrix.py has them as literals
MATRIX: dict[str, dict[str, list[str]]] = {
    environment: {provider: methods for provider, methods in cells.items() if provider != "github_copilot"}
    for environment, cells in _POLICY["cells"].items()
}
CELLS: list[Cell] = [
    (environment, provider, method)
    for environment, cells in MATRIX.items()
    for provider, methods in cells.items()
    for method in methods
]
STORED = {"bedrock": "aws_user", "vertex_ai": "gcp_service_account", "azure_openai": "entra_id"}
# which methods stand beside each other in a repository, environment by environment
ROUNDS: dict[str, dict[str, dict[str, str]]] = {
    "keyless": KEYLESS,
    "stored": dict.fromkeys(MATRIX, STORED),
    # as a service account of Google Cloud, not as the ServiceAccount itself
    "others": {
        "aws": {"bedrock": "pod_identity", "vertex_ai": "gcp_federation", "azure_openai": "azure_api_key"},
        "gcp": {"bedrock": "aws_user", "vertex_ai": "gke_workload_identity", "azure_openai": "azure_api_key"},
        "azure": {"bedrock": "aws_user", "vertex_ai": "gcp_federation", "azure_openai": "azure_api_key"},
    },
}
# how Bedrock is called on EKS by the ServiceAccount that enters a database, too, with each of LiteLLM's charts
ON_EKS = dict(zip(NAMES, ("irsa", "pod_identity"), strict=True))
IMPERSONATING = {f"{environment}_gcp_service_account": ACCOUNT for environment in MATRIX}
PREFIX = {"azure_openai": "azure"}


@dataclass
class Outcome:
    """What came of calling every model of a provider."""

    problems: dict[str, str]
    callers: set[str]  # as whom the models were called
    rows: list[Row]
    others: list[str]  # who else was asked


@dataclass
class Rounds:
    """The repositories and their proxies, each made when it is asked for."""

    stage: Stage
    forks: Forks
    template: Path
    folder: Path
    stack: ExitStack
    sealed: dict[tuple[str, str], Sealed] = field(default_factory=dict)
    proxies: dict[tuple[str, str, str], Running] = field(default_factory=dict)
    outcomes: dict[tuple[str, str, str, str], Outcome] = field(default_factory=dict)

    def repository(self, name: str, chart: str = NAMES[0]) -> Sealed:
        """The repository of a round, by one of LiteLLM's charts."""
        if (name, chart) not in self.sealed:
            more = IMPERSONATING if name == "others" else {}
            hosts = database_hosts() if chart == "litellm" else {}
            answers = each(ROUNDS[name], chart=chart, **hosts, **more)
            folder = self.folder / chart / name
            folder.mkdir(parents=True)
            self.sealed[name, chart] = made(folder, self.template, answers, self.stage.issuer)
        return self.sealed[name, chart]

    def keyless_database(self, chart: str) -> Sealed:
        """A repository without the password of a database, by one of LiteLLM's charts."""
        key = ("database", chart)
        if key not in self.sealed:
            methods = {"aws": {**KEYLESS["aws"], "bedrock": ON_EKS[chart]}, "azure": KEYLESS["azure"]}
            hosts = {environment: redis.address() for environment in methods}
            answers = each(methods, chart=chart, database_auth="keyless")
            answers |= {f"{environment}_database_host": host for environment, host in hosts.items()}
            lines = {f"LITELLM_DATABASE_HOST__{environment.upper()}": host for environment, host in hosts.items()}
            lines["LITELLM_DATABASE_USERNAME"] = "litellm"
            folder = self.folder / chart / "database"
            folder.mkdir(parents=True)
            self.sealed[key] = made(folder, self.template, answers, self.stage.issuer, lines)
        return self.sealed[key]

    @cached_property
    def database(self) -> Database:
        """What stands behind the databases of the clouds."""
        return self.stack.enter_context(database())

    def proxy(self, name: str, environment: str, chart: str = NAMES[0]) -> Running:
        """The proxy of an environment in a round."""
        key = (name, environment, chart)
        if key not in self.proxies:
            sealed, folder = self.repository(name, chart), self.folder / chart / name / environment
            try:
                played = self.stage.plays(sealed, environment, folder, self.forks)
                self.proxies[key] = self.stack.enter_context(played)
            except NotReadyError as error:
                raise AssertionError(str(error)) from None
        return self.proxies[key]

    def outcome(self, name: str, environment: str, provider: str, chart: str = NAMES[0]) -> Outcome:
        """What comes of calling every model of a provider in every way."""
        key = (name, environment, provider, chart)
        if key not in self.outcomes:
            running = self.proxy(name, environment, chart)
            vendor = running.vendors.of(PREFIX.get(provider, provider))
            problems = {f"{each.name} {each.mode}": running.proxy.problem(each) for each in models(running, provider)}
            process = running.proxy.process
            assert isinstance(process, Forked)
            self.outcomes[key] = Outcome(
                {name: problem for name, problem in problems.items() if problem},
                {call.who for call in vendor.calls},
                rows(vendor.journal, running.names()),
                [*running.outside.refused, *process.connected()],
            )
        return self.outcomes[key]


def ways(running: Running, provider: str) -> list[Model]:
    """A model of a provider for each way of calling one."""
    return list({each.mode: each for each in models(running, provider)}.values())


def models(running: Running, provider: str) -> list[Model]:
    """The models of a provider, those of Azure OpenAI that chat by the Responses API, too."""
    prefix = PREFIX.get(provider, provider)
    found = [each for each in running.proxy.models if each.target.startswith(f"{prefix}/")]
    more = [each for each in found if each.mode == "chat" and provider == "azure_openai"]
    return [*found, *(Model(each.name, "responses", each.target) for each in more)]
