"""A cluster as its proxy meets it: what is rendered and sealed for it, the clouds, and the proxy itself.

The clouds know what the operator has put in, and what README.md has told him to set up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import render_into
from tests.e2e.podprocess import ContainerProcess
from tests.e2e.web import Outside
from tests.proxy.aws import AGENT, Aws
from tests.proxy.azure import Azure
from tests.proxy.cloudside import CloudSide, set_up
from tests.proxy.database import Guarded, guarded
from tests.proxy.google import METADATA, GkePod, Google
from tests.proxy.injected import GOOGLE_ACCOUNT, NOWHERE, Service
from tests.proxy.local import nobody, serving
from tests.proxy.rendered import NAMESPACE, Manifests, render
from tests.proxy.running import Proxy, Runs, Starts, placed, start
from tests.proxy.starting import Forked
from tests.proxy.tokens import ISSUER, Asked, Issuer, Verifier
from tests.proxy.vendors import GitHub, Vendor
from tests.support.answers import ACCOUNT, ROLE_ARN, TENANT, client_id, workload_provider
from tests.support.inputs import Inputs
from tests.support.postgres import Database
from tests.support.sealed import opened, seal

REGION, LOCATION = "eu-central-1", "europe-west4"  # no default of the questions or of LiteLLM
CLUSTER_REGION = "eu-north-1"  # of EKS; not the one of the models: that one must win
# what the migrations Job of either chart runs
MIGRATIONS: tuple[tuple[list[str], list[str]], ...] = (
    (["python", "litellm/proxy/prisma_migration.py"], []),
    ([], ["migrations"]),
)
POOL = "the-project-of-the-cluster.svc.id.goog"  # as README.md names the project that its reader has to fill in


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
    """A sealed repository, what went into it, and what its README has set up in the clouds."""

    root: Path
    answers: dict[str, Any]
    inputs: Inputs = field(repr=False)
    secrets: dict[tuple[str, str], dict[str, str]] = field(repr=False)
    side: CloudSide = field(repr=False)
    rendered: dict[str, Manifests] = field(repr=False)  # environment -> what helm makes of it

    # credentials that the operator has, and did not put in
    spare: Inputs = field(default_factory=lambda: Inputs(files={"gcp-service-account.json": service_account()}))

    def of(self, environment: str) -> dict[str, dict[str, str]]:
        """The Secrets of an environment, opened by its key."""
        return {name: values for (where, name), values in self.secrets.items() if where == environment}

    def hidden(self, environment: str) -> list[str]:
        """What must never be shown."""
        sealed = (value for values in self.of(environment).values() for value in values.values())
        return [*self.inputs.canaries(), *sealed]


@dataclass
class Scene:
    """What differs from one start of a proxy to the next."""

    tokens: Mapping[str, str] | None = None  # path -> token; None for what the kubelet would mint
    without: bool = False  # no token at all
    ahead: int = 0  # seconds: the clock of the clouds
    pod: GkePod | None = None
    agents: bool = True  # whether there are agents of the cloud in the node
    variables: Mapping[str, str] = field(default_factory=dict)  # in place of the pod's
    injected: bool = True  # whether the cluster gives to the pod what it should
    direct: bool = False  # whether Copilot takes the user's token itself
    database: Database | None = None  # what stands behind the one of the cloud; without it there is none


@dataclass
class Around:
    """Everything that the pods of one environment can reach. `env` are the variables that lead there."""

    environment: str
    sealed: Sealed
    manifests: Manifests
    folder: Path
    scene: Scene
    service: Service
    vendors: Vendors
    outside: Outside
    env: dict[str, str]
    local: dict[str, str]  # address in the node -> where it is
    database: Guarded | None = None


@dataclass
class Running:
    """The proxy of one environment, and everything that it can reach."""

    environment: str
    sealed: Sealed
    manifests: Manifests
    service: Service
    proxy: Proxy
    vendors: Vendors
    outside: Outside
    asked: list[Asked]

    def names(self) -> dict[str, str]:
        """Values of this run, and what stands for them in a text."""
        google = self.vendors.google
        return {
            workload_provider(self.environment): "<workload provider>",
            ROLE_ARN: "<role>",
            self.vendors.azure.resource: "<resource>.openai.azure.com",
            self.vendors.azure.version: "<api version>",
            client_id(self.environment): "<client id>",
            TENANT: "<tenant>",
            **{tenant: "<tenant>" for tenant, _ in self.vendors.azure.applications},
            **{client: "<client id>" for _, client in self.vendors.azure.applications},
            ACCOUNT: "<service account>",
            google.project: "<project>",
            google.location: "<location>",
            REGION: "<region>",
            CLUSTER_REGION: "<region of the cluster>",
        }


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


def made(
    folder: Path, template: Path, answers: dict[str, Any], issuer: Issuer, lines: Mapping[str, str] | None = None
) -> Sealed:
    """A sealed repository of these answers; its region, location and API version are others than any default.

    `lines` are in place of the operator's own.
    """
    answers = {"tooling": "pinned", "bedrock_region": REGION, "vertex_location": LOCATION, **answers}
    answers["azure_openai_api_version"] = "2025-03-01-preview"
    root = render_into(folder / "repository", template, answers)
    inputs = Inputs(
        {**Inputs().lines, **(lines or {})}, {**Inputs().files, "gcp-service-account.json": service_account()}
    )
    done = seal(root, inputs=inputs.write(folder / "inputs"))
    assert done.returncode == 0, done.stderr
    secrets = opened(root)
    sealed = Sealed(root, answers, inputs, secrets, set_up(root, folder / "clouds", issuer.plane), {})
    for environment in answers["cluster_environments"]:
        at = folder / environment / "helm"
        at.mkdir(parents=True)
        sealed.rendered[environment] = render(root, environment, sealed.of(environment), at)
    return sealed


def vendors_of(sealed: Sealed, verifier: Verifier, service: Service, pod: GkePod, *, direct: bool) -> Vendors:
    """Vendors that know what the operator has put in, and not what came out of the repository."""
    lines, answers = sealed.inputs.lines, sealed.answers
    known: dict[str, Any] = {"side": sealed.side, "verifier": verifier}
    home = service.region or REGION
    accounts = tuple(each.files["gcp-service-account.json"] for each in (sealed.inputs, sealed.spare))
    keys = {lines["AZURE_API_KEY"]: "API key", sealed.spare.lines["AZURE_API_KEY"]: "another API key"}
    bearers = (sealed.spare.lines["AWS_SECRET_ACCESS_KEY"],)
    endpoint, version = answers["azure_openai_endpoint"], answers["azure_openai_api_version"]
    applications = {(lines["AZURE_TENANT_ID"], lines["AZURE_CLIENT_ID"]): lines["AZURE_CLIENT_SECRET"]}
    return Vendors(
        Aws(REGION, {lines["AWS_ACCESS_KEY_ID"]: lines["AWS_SECRET_ACCESS_KEY"]}, home=home, bearers=bearers, **known),
        Google(accounts, answers["vertex_project"], LOCATION, pod=pod, **known),
        Azure(endpoint, version, TENANT, applications, keys=keys, **known),
        GitHub(sealed.inputs.files["access-token"], direct=direct),
    )


@dataclass
class Stage:
    """What all proxies of a session have in common."""

    issuer: Issuer
    authority: trustme.CA

    def service(self, sealed: Sealed, environment: str) -> Service:
        """The managed service that an environment is of."""
        region = CLUSTER_REGION if environment == "aws" else ""
        return Service(environment, region, bool(sealed.side.associations), TENANT)

    @contextmanager
    def around(self, sealed: Sealed, environment: str, folder: Path, scene: Scene) -> Iterator[Around]:
        """What the pods of an environment can reach, while it is there; its files are in `folder`."""
        service = self.service(sealed, environment) if scene.injected else NOWHERE
        folder.mkdir(parents=True, exist_ok=True)
        manifests = sealed.rendered[environment]
        account = manifests.account()["metadata"]
        annotated = (account.get("annotations") or {}).get(GOOGLE_ACCOUNT, "")
        pod = scene.pod or GkePod(POOL, NAMESPACE, account["name"], annotated)
        verifier = Verifier({ISSUER: self.issuer.published}, scene.ahead)
        vendors = vendors_of(sealed, verifier, service, pod, direct=scene.direct)
        with ExitStack() as stack:
            local = {
                address: stack.enter_context(serving(site)) if scene.agents else nobody()
                for each in vendors.all()
                for address, site in each.local().items()
            }
            sites = {name: site for each in vendors.all() for name, site in each.sites().items()}
            outside = Outside(folder, self.authority, sites)
            stack.callback(outside.close)
            env = {**outside.environment(), **scene.variables}
            if environment == "gcp":
                env |= dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP"), local[METADATA])
            found = Around(environment, sealed, manifests, folder, scene, service, vendors, outside, env, local)
            if scene.database:
                judge = {"aws": vendors.aws.connects, "azure": vendors.azure.connects}[environment]
                host = sealed.answers[f"{environment}_database_host"]
                found.database = stack.enter_context(guarded(host, judge, scene.database, self.authority))
            yield found

    @contextmanager
    def plays(
        self, sealed: Sealed, environment: str, folder: Path, starter: Starts, scene: Scene | None = None
    ) -> Iterator[Running]:
        """A running proxy of an environment; its files are in `folder`."""
        with self.around(sealed, environment, folder, scene or Scene()) as around:
            proxy = self.starts(around, starter)
            asked = around.manifests.asked(around.service)
            try:
                yield Running(
                    *(environment, sealed, around.manifests, around.service, proxy),
                    *(around.vendors, around.outside, asked),
                )
            finally:
                if isinstance(proxy.process, Forked):
                    proxy.process.end()

    def starts(self, around: Around, starter: Starts) -> Proxy:
        """Start the proxy."""
        process, env, without = self.container(around)
        hidden, database = around.sealed.hidden(around.environment), around.database is not None
        return start(process, starter, around.folder / "root", env, hidden, without, database=database)

    def migrates(self, around: Around, starter: Starts) -> Runs:
        """Start the migrations Job: it does what its program does, the command line of LiteLLM without a server."""
        process, env, without = self.container(around, "Job")
        assert (process.command, process.args) in MIGRATIONS, process
        env = placed(process, around.folder / "job", env, without, database=True)
        # the program that the chart `litellm` names takes no notice of it
        env["DISABLE_SCHEMA_UPDATE"] = "false"
        return starter.start(["--skip_server_startup"], env, around.folder / "job.log")

    def container(
        self, around: Around, of: str = "Deployment"
    ) -> tuple[ContainerProcess, dict[str, str], tuple[str, ...]]:
        """The process of a pod with its tokens, the variables that lead outside, and the tokens that are not there."""
        process, asked = around.manifests.process(around.service, of), around.manifests.asked(around.service, of)
        env = dict(around.env)
        if AGENT in process.env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""):
            env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://{around.local[AGENT]}/v1/credentials"
        for each in asked:
            token = (around.scene.tokens or {}).get(each.path) or self.mint(each, around.manifests, of)
            path = PurePosixPath(each.path)
            process.files[path] = replace(process.files[path], content=token.encode())
        return process, env, tuple(each.path for each in asked) if around.scene.without else ()

    def mint(self, asked: Asked, manifests: Manifests, of: str = "Deployment") -> str:
        """What the kubelet would put into a file."""
        name = manifests.account(of)["metadata"]["name"]
        return self.issuer.mint(asked.audience, asked.seconds, NAMESPACE, name)
