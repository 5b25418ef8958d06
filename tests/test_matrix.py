"""The auth matrix of the contract, as literals, so that the data cannot drift from it unseen."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops.charts import LITELLM_HELM as CHART
from litellm_gitops.documents import Place, dig, merge
from tests.support.answers import (
    ACCOUNT,
    ENVIRONMENTS,
    PROVIDERS,
    ROLE_ARN,
    TENANT,
    VERTEX_PROJECT,
    answers,
    client_id,
    database_hosts,
    each,
    keyless,
    redis_hosts,
)
from tests.support.findings import findings, report

ROOT = Path(__file__).resolve().parent.parent

# The contract's first table: environment -> provider -> the methods that are allowed, the recommended one first
CELLS = {
    "aws": {
        "bedrock": ["irsa", "pod_identity", "aws_user"],
        "vertex_ai": ["gcp_federation", "gcp_service_account"],
        "azure_openai": ["entra_federation", "entra_id", "azure_api_key"],
        "github_copilot": ["oauth_token"],
    },
    "gcp": {
        "bedrock": ["web_identity", "aws_user"],
        "vertex_ai": ["gke_workload_identity", "gcp_service_account"],
        "azure_openai": ["entra_federation", "entra_id", "azure_api_key"],
        "github_copilot": ["oauth_token"],
    },
    "azure": {
        "bedrock": ["web_identity", "aws_user"],
        "vertex_ai": ["gcp_federation", "gcp_service_account"],
        "azure_openai": ["aks_workload_identity", "entra_id", "azure_api_key"],
        "github_copilot": ["oauth_token"],
    },
}
# What the source document knows of, and `credentials: stored` chooses
OF_THE_SOURCE = {"irsa", "aws_user", "gcp_service_account", "entra_id", "oauth_token"}

SUBJECT = "system:serviceaccount:litellm:litellm"
PROVIDER = "projects/123456789012/locations/global/workloadIdentityPools/litellm-{environment}/providers/litellm"
METADATA = {"AWS_EC2_METADATA_DISABLED": "true"}
VERTEX = {"VERTEX_PROJECT": VERTEX_PROJECT}
VERTEX_CONFIG = {"litellm_settings": {"vertex_project": "os.environ/VERTEX_PROJECT"}}
ENTRA_CONFIG = {"litellm_settings": {"enable_azure_ad_token_refresh": True}}
SALT = ["litellm-salt-key"]


def volume(name: str, audience: str, file: str = "token") -> list[dict[str, Any]]:
    token = {"audience": audience, "expirationSeconds": 3600, "path": file}
    return [{"name": name, "projected": {"sources": [{"serviceAccountToken": token}]}}]


def mounted(name: str, path: str) -> list[dict[str, Any]]:
    return [{"name": name, "mountPath": path, "readOnly": True}]


# The second table: method -> what it leaves in the pod of a cluster, and nothing else: place of the chart -> value.
# {environment} stands for that of the cluster.
LEAVES: dict[str, dict[Place, Any]] = {
    "irsa": {
        CHART.service_account: {
            "create": True,
            "annotations": {"eks.amazonaws.com/role-arn": ROLE_ARN},
        },
        CHART.env_from: SALT,
        CHART.variables: METADATA,
    },
    "pod_identity": {CHART.env_from: SALT, CHART.variables: METADATA},
    "web_identity": {
        CHART.env_from: SALT,
        CHART.variables: {
            "AWS_ROLE_ARN": ROLE_ARN,
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/aws/token",
            "AWS_ROLE_SESSION_NAME": "litellm",
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            **METADATA,
        },
        CHART.volumes: volume("aws-token", "sts.amazonaws.com"),
        CHART.mounts: mounted("aws-token", "/var/run/secrets/aws"),
    },
    "aws_user": {
        CHART.env_from: [*SALT, "litellm-aws-auth"],
    },
    "gke_workload_identity": {CHART.env_from: SALT, CHART.variables: VERTEX, CHART.config: VERTEX_CONFIG},
    "gcp_federation": {
        CHART.env_from: SALT,
        CHART.variables: {
            "VERTEXAI_CREDENTIALS": (
                '{"type":"external_account","audience":"//iam.googleapis.com/'
                + PROVIDER
                + '","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",'
                '"token_url":"https://sts.googleapis.com/v1/token",'
                '"credential_source":{"file":"/var/run/secrets/google/token","format":{"type":"text"}}}'
            ),
            **VERTEX,
        },
        CHART.volumes: volume("google-token", f"https://iam.googleapis.com/{PROVIDER}"),
        CHART.mounts: mounted("google-token", "/var/run/secrets/google"),
        CHART.config: VERTEX_CONFIG,
    },
    "gcp_service_account": {
        CHART.env_from: SALT,
        CHART.volumes: [
            {"name": "gcp-service-account", "secret": {"secretName": "litellm-gcp-auth"}},
        ],
        CHART.mounts: mounted("gcp-service-account", "/var/secrets/gcp"),
        CHART.variables: {
            "GOOGLE_APPLICATION_CREDENTIALS": "/var/secrets/gcp/gcp-service-account.json",
            **VERTEX,
        },
        CHART.config: VERTEX_CONFIG,
    },
    "aks_workload_identity": {
        CHART.service_account: {
            "create": True,
            "annotations": {"azure.workload.identity/client-id": client_id("azure")},
        },
        CHART.pod_labels: {"azure.workload.identity/use": "true"},
        CHART.env_from: SALT,
        CHART.variables: dict.fromkeys(("AZURE_CREDENTIAL", "AZURE_TOKEN_CREDENTIALS"), "WorkloadIdentityCredential"),
        CHART.config: ENTRA_CONFIG,
    },
    "entra_federation": {
        CHART.env_from: SALT,
        CHART.variables: {
            "AZURE_CLIENT_ID": "{client_id}",
            "AZURE_TENANT_ID": TENANT,
            "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
            "AZURE_CREDENTIAL": "WorkloadIdentityCredential",
            "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/azure-identity-token",
        },
        CHART.volumes: volume("azure-token", "api://AzureADTokenExchange", "azure-identity-token"),
        CHART.mounts: mounted("azure-token", "/var/run/secrets/azure/tokens"),
        CHART.config: ENTRA_CONFIG,
    },
    "entra_id": {
        CHART.env_from: [*SALT, "litellm-azure-auth"],
    },
    "azure_api_key": {
        CHART.env_from: [*SALT, "litellm-azure-api-key"],
    },
    "oauth_token": {
        CHART.env_from: SALT,
        CHART.volumes: [
            {"name": "github-copilot-token", "secret": {"secretName": "litellm-github-copilot"}},
        ],
        CHART.mounts: [
            {
                "name": "github-copilot-token",
                "mountPath": "/app/github_copilot_custom/access-token",
                "subPath": "access-token",
                "readOnly": True,
            },
        ],
        CHART.variables: {
            "GITHUB_COPILOT_TOKEN_DIR": "/app/github_copilot_custom",
            "GITHUB_COPILOT_API_KEY_FILE": "/tmp/github-copilot-api-key.json",
        },
    },
}

# method -> the Secret that it needs, with its keys; the others are keyless
SECRETS: dict[str, dict[str, set[str]]] = {
    "aws_user": {"litellm-aws-auth": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}},
    "gcp_service_account": {"litellm-gcp-auth": {"gcp-service-account.json"}},
    "entra_id": {"litellm-azure-auth": {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}},
    "azure_api_key": {"litellm-azure-api-key": {"AZURE_API_KEY"}},
    "oauth_token": {"litellm-github-copilot": {"access-token"}},
}

# The Secrets of every environment, with their keys
ALWAYS = {
    "litellm-masterkey": {"masterkey"},
    "litellm-salt-key": {"LITELLM_SALT_KEY"},
    "litellm-postgresql": {"username", "host", "password"},
}

# What every environment has, whatever was chosen: path under litellm-helm -> value
GUARDS: dict[str, Any] = {
    "masterkeySecretName": "litellm-masterkey",
    "masterkeySecretKey": "masterkey",
    "db.useExisting": True,
    "db.deployStandalone": False,
    "db.secret.name": "litellm-postgresql",
    "db.secret.endpointKey": "host",
    "db.secret.usernameKey": "username",
    "db.secret.passwordKey": "password",
    "image.repository": "ghcr.io/berriai/litellm-database",
    "migrationJob.hooks.helm.enabled": True,
    "migrationJob.hooks.argocd.enabled": False,
    "proxy_config.general_settings.master_key": "os.environ/PROXY_MASTER_KEY",
}

EVERY_CELL = [
    pytest.param(environment, provider, method, id=f"{environment}-{provider}-{method}")
    for environment, providers in CELLS.items()
    for provider, methods in providers.items()
    for method in methods
]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def leaves(environment: str, method: str) -> dict[Place, Any]:
    """What a method leaves in the pod of a cluster in that environment."""
    words = {"{environment}": environment, "{client_id}": client_id(environment)}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        for word, text in words.items():
            value = value.replace(word, text) if isinstance(value, str) else value
        return value

    return {place: filled(value) for place, value in LEAVES[method].items()}


def one(environment: str, provider: str, method: str) -> dict[str, Any]:
    """The answers for one cell."""
    return each({environment: {provider: method}})


def test_the_data_is_the_table_of_the_contract() -> None:
    matrix = load(ROOT / "policies" / "auth-matrix.yml")
    assert matrix["cells"] == CELLS
    assert tuple(matrix["environments"]) == ENVIRONMENTS
    assert tuple(matrix["providers"]) == PROVIDERS
    assert set(matrix["methods"]) == set(LEAVES)
    assert {name for name, method in matrix["methods"].items() if "usual" in method} == OF_THE_SOURCE
    assert {name for name, method in matrix["methods"].items() if "secret" in method} == set(SECRETS)


def test_every_method_says_what_it_is_for() -> None:
    matrix = load(ROOT / "policies" / "auth-matrix.yml")
    for name, method in matrix["methods"].items():
        cells = [cell for row in matrix["cells"].values() for cell in row.items()]
        assert any(name in methods for provider, methods in cells if provider == method["provider"])
        assert method.get("secret") in {None, *matrix["secrets"]}
        assert method["revoke"]
    for provider in matrix["providers"].values():
        assert provider["model_prefix"].endswith("/")


@pytest.mark.parametrize(("environment", "provider", "method"), EVERY_CELL)
def test_a_method_leaves_exactly_what_the_contract_says(
    environment: str, provider: str, method: str, render: Callable[..., Path]
) -> None:
    root = render(**one(environment, provider, method))
    values = load(root / "litellm" / f"values-{environment}.yaml")
    assert set(values) == {CHART.name}
    found = values[CHART.name]
    assert _without_service(found) == _nested(leaves(environment, method))


@pytest.mark.parametrize(("environment", "provider", "method"), EVERY_CELL)
def test_a_method_needs_exactly_the_secret_of_the_contract(
    environment: str, provider: str, method: str, render: Callable[..., Path]
) -> None:
    root = render(**one(environment, provider, method))
    policy = load(root / "policies" / "secrets.yml")
    assert policy["namespace"] == "litellm"
    found = {name: set(secret["keys"]) for name, secret in policy["secrets"].items()}
    assert found == {**ALWAYS, **SECRETS.get(method, {})}
    assert all(secret["clusters"] == [environment] for secret in policy["secrets"].values())


CHARTS: dict[str, dict[str, str]] = {"litellm-helm": {}, "litellm": database_hosts()}


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("engine", ["flux", "argocd"])
@pytest.mark.parametrize(("environment", "provider", "method"), EVERY_CELL)
def test_every_cell_passes_every_rule(
    environment: str, provider: str, method: str, engine: str, chart: str, sealed: Callable[..., Path]
) -> None:
    found = findings(sealed(**one(environment, provider, method), gitops_engine=engine, chart=chart, **CHARTS[chart]))
    assert not found, report(found)


def pairs() -> list[dict[str, dict[str, str]]]:
    """Methods for all cells, often enough that any two that may stand together do so once: chosen greedily."""
    cells = [(environment, provider) for environment in CELLS for provider in PROVIDERS]
    left = {
        pair
        for (one, other) in combinations(cells, 2)
        for pair in product(((one, name) for name in _of(one)), ((other, name) for name in _of(other)))
    }
    rows: list[dict[str, dict[str, str]]] = []
    while left:
        chosen: dict[tuple[str, str], str] = dict(min(left))
        for cell in cells:
            if cell not in chosen:
                # the method that makes the most pairs which were not there yet
                chosen[cell] = max(_of(cell), key=lambda name: len(_new(left, {**chosen, cell: name})))
        left -= _new(left, chosen)
        rows.append({environment: {p: chosen[environment, p] for p in PROVIDERS} for environment in CELLS})
    return rows


def _of(cell: tuple[str, str]) -> list[str]:
    return CELLS[cell[0]][cell[1]]


Pair = tuple[tuple[tuple[str, str], str], tuple[tuple[str, str], str]]


def _new(left: set[Pair], chosen: dict[tuple[str, str], str]) -> set[Pair]:
    return {(one, other) for one, other in left if chosen.get(one[0]) == one[1] and chosen.get(other[0]) == other[1]}


@pytest.mark.parametrize("methods", pairs(), ids=lambda methods: "-".join(methods["aws"].values()))
def test_any_two_methods_live_side_by_side(methods: dict[str, dict[str, str]], sealed: Callable[..., Path]) -> None:
    root = sealed(**each(methods, gitops_engine="argocd" if "aws_user" in methods["aws"].values() else "flux"))
    found = findings(root)
    assert not found, report(found)
    for environment, cells in methods.items():
        there = load(root / "litellm" / f"values-{environment}.yaml")[CHART.name]
        assert _without_service(there) == _nested(_together(environment, [*cells.values()]))


@pytest.mark.parametrize("credentials", ["stored", "keyless"])
def test_an_environment_with_every_provider_has_what_each_method_leaves(
    credentials: str, render: Callable[..., Path]
) -> None:
    given = keyless() if credentials == "keyless" else answers(ENVIRONMENTS, PROVIDERS)
    root = render(**given)
    for environment in ENVIRONMENTS:
        found = load(root / "litellm" / f"values-{environment}.yaml")[CHART.name]
        allowed = CELLS[environment]
        methods = [
            next(
                (name for name in allowed[provider] if credentials == "stored" and name in OF_THE_SOURCE),
                allowed[provider][0],
            )
            for provider in PROVIDERS
        ]
        assert _without_service(found) == _nested(_together(environment, methods))


def _together(environment: str, methods: list[str]) -> dict[Place, Any]:
    expected: dict[Place, Any] = {}
    for method in methods:
        for place, value in leaves(environment, method).items():
            if isinstance(value, list):
                before = expected.setdefault(place, [])
                before.extend(entry for entry in value if entry not in before)
            else:
                expected[place] = merge(expected.get(place, {}), value)
    return expected


def test_keyless_leaves_the_least_that_can_be_sealed(render: Callable[..., Path]) -> None:
    root = render(**keyless())
    assert set(load(root / "policies" / "secrets.yml")["secrets"]) == {*ALWAYS, "litellm-github-copilot"}


def test_an_account_to_act_as_is_named_where_it_was_given(render: Callable[..., Path]) -> None:
    accounts = {f"{environment}_gcp_service_account": ACCOUNT for environment in ENVIRONMENTS}
    root = render(**keyless(**accounts))
    annotations = (*CHART.service_account, "annotations", "iam.gke.io/gcp-service-account")
    for environment in ENVIRONMENTS:
        values = load(root / "litellm" / f"values-{environment}.yaml")[CHART.name]
        if environment == "gcp":
            assert dig(values, *annotations) == ACCOUNT
        else:
            credentials = json.loads(dig(values, *CHART.variables, "VERTEXAI_CREDENTIALS"))
            assert credentials["service_account_impersonation_url"] == (
                f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
            )


def _without_service(values: dict[str, Any]) -> dict[str, Any]:
    """The values without what the load balancer of GKE reads."""
    return {key: value for key, value in values.items() if key != CHART.service_annotations[0]}


def _nested(values: dict[Place, Any]) -> dict[str, Any]:
    """Values by their places, as they stand in a file."""
    found: dict[Any, Any] = {}
    for place, value in values.items():
        above: dict[Any, Any] = {}
        for part in reversed(place):
            value = above = {part: value}
        found = merge(found, above)
    return found


def test_an_irsa_environment_holds_no_aws_key(render: Callable[..., Path]) -> None:
    root = render(**answers(ENVIRONMENTS, PROVIDERS))
    values = (root / "litellm" / "values-aws.yaml").read_text("utf-8")
    assert "AWS_ACCESS_KEY_ID" not in values
    assert "litellm-aws-auth" not in values
    policy = load(root / "policies" / "secrets.yml")
    assert policy["secrets"]["litellm-aws-auth"]["clusters"] == ["gcp", "azure"]


def test_no_repository_names_an_azure_api_key(render: Callable[..., Path]) -> None:
    root = render(**answers(ENVIRONMENTS, PROVIDERS))
    for path in [*root.glob("litellm/*.yaml"), root / "policies" / "secrets.yml"]:
        assert "AZURE_API_KEY" not in path.read_text("utf-8")
        assert "api_key" not in path.read_text("utf-8").replace("redact_user_api_key_info", "")


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_nothing_fights_the_chart_under_either_engine(engine: str, render: Callable[..., Path]) -> None:
    root = render(**answers(["aws"], ["github_copilot"], gitops_engine=engine))
    values = load(root / "litellm" / "values.yaml")[CHART.name]
    for path, expected in GUARDS.items():
        found: Any = values
        for part in path.split("."):
            found = found[part]
        assert (path, found) == (path, expected)
    assert values["image"]["tag"].startswith("v1.")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_serves_a_model_of_its_own(provider: str, render: Callable[..., Path]) -> None:
    prefix = {
        "bedrock": "bedrock/",
        "vertex_ai": "vertex_ai/",
        "azure_openai": "azure/",
        "github_copilot": "github_copilot/",
    }[provider]
    root = render(**answers(["aws"], [provider]))
    models = dig(load(root / "litellm" / "values.yaml"), CHART.name, *CHART.model_list)
    assert models
    assert all(model["litellm_params"]["model"].startswith(prefix) for model in models)
    assert len({model["model_name"] for model in models}) == len(models)
    program = root / "hooks" / "get_copilot_token.py"
    assert program.exists() == (provider == "github_copilot")


@pytest.mark.parametrize("redis", ["none", "external", "bundled"])
@pytest.mark.parametrize("engine", ["flux", "argocd"])
@pytest.mark.parametrize("platform", ["github", "gitlab", "none"])
def test_every_other_choice_passes_every_rule(
    redis: str, engine: str, platform: str, sealed: Callable[..., Path]
) -> None:
    more: dict[str, Any] = {"redis": redis, "gitops_engine": engine, "ci_platform": platform}
    if redis == "external":
        more |= redis_hosts()
    root = sealed(**answers(ENVIRONMENTS, PROVIDERS, **more))
    found = findings(root)
    assert not found, report(found)
    assert (root / ".github" / "workflows").exists() == (platform == "github")
    assert (root / ".gitlab-ci.yml").exists() == (platform == "gitlab")


def commands(root: Path) -> str:
    """The commands of README.md that set up the trust of the clouds."""
    text = (root / "README.md").read_text("utf-8")
    section = re.search(r"^## Identities\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    return section[1] if section else ""


@pytest.mark.parametrize(("environment", "provider", "method"), EVERY_CELL)
def test_the_readme_sets_up_exactly_the_trust_that_is_needed(
    environment: str, provider: str, method: str, render: Callable[..., Path]
) -> None:
    text = commands(render(**one(environment, provider, method)))
    assert bool(text) == (method not in SECRETS)
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    trusts = {
        "irsa": ["aws iam create-open-id-connect-provider", ":sub", SUBJECT, "--role-name litellm-bedrock"],
        "pod_identity": ["aws eks create-pod-identity-association", "sts:TagSession"],
        "web_identity": ["aws iam create-open-id-connect-provider", "sts.amazonaws.com", SUBJECT],
        "gke_workload_identity": ["--workload-metadata=GKE_METADATA", "subject/ns/litellm/sa/litellm", VERTEX_PROJECT],
        "gcp_federation": [f"workload-identity-pools create litellm-{environment}", f"assertion.sub=='{SUBJECT}'"],
        "aks_workload_identity": ["az identity federated-credential create", SUBJECT, client_id(environment)],
        "entra_federation": ["--audiences api://AzureADTokenExchange", SUBJECT, client_id(environment)],
    }
    assert [trust for trust in trusts.get(method, []) if trust not in text] == []
    others = {"aws iam", "gcloud ", "az "} - {{"bedrock": "aws iam", "vertex_ai": "gcloud "}.get(provider, "az ")}
    assert [other for other in others if re.search(rf"^{other}", text, re.MULTILINE)] == []
    assert text.count("```hcl") == bool(text)
