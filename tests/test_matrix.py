"""The auth matrix of the source document, as literals, so that the data cannot drift from it unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops.charts import LITELLM_HELM as CHART
from litellm_gitops.documents import Place, dig, merge
from tests.support.answers import ENVIRONMENTS, PROVIDERS, ROLE_ARN, VERTEX_PROJECT, answers
from tests.support.findings import findings, report

ROOT = Path(__file__).resolve().parent.parent

# environment -> provider -> the methods that are allowed, the recommended one first
CELLS = {
    "aws": {
        "bedrock": ["irsa", "aws_user"],
        "vertex_ai": ["gcp_service_account"],
        "azure_openai": ["entra_id"],
        "github_copilot": ["oauth_token"],
    },
    "gcp": {
        "bedrock": ["aws_user"],
        "vertex_ai": ["gcp_service_account"],
        "azure_openai": ["entra_id"],
        "github_copilot": ["oauth_token"],
    },
    "azure": {
        "bedrock": ["aws_user"],
        "vertex_ai": ["gcp_service_account"],
        "azure_openai": ["entra_id"],
        "github_copilot": ["oauth_token"],
    },
}

# method -> what it leaves in the pod of a cluster, and nothing else: place of the chart -> value
LEAVES: dict[str, dict[Place, Any]] = {
    "irsa": {
        CHART.service_account: {
            "create": True,
            "annotations": {"eks.amazonaws.com/role-arn": ROLE_ARN},
        },
        CHART.env_from: ["litellm-salt-key"],
    },
    "aws_user": {
        CHART.env_from: ["litellm-salt-key", "litellm-aws-auth"],
    },
    "gcp_service_account": {
        CHART.env_from: ["litellm-salt-key"],
        CHART.volumes: [
            {"name": "gcp-service-account", "secret": {"secretName": "litellm-gcp-auth"}},
        ],
        CHART.mounts: [
            {"name": "gcp-service-account", "mountPath": "/var/secrets/gcp", "readOnly": True},
        ],
        CHART.variables: {
            "GOOGLE_APPLICATION_CREDENTIALS": "/var/secrets/gcp/gcp-service-account.json",
            "VERTEX_PROJECT": VERTEX_PROJECT,
        },
        CHART.config: {"litellm_settings": {"vertex_project": "os.environ/VERTEX_PROJECT"}},
    },
    "entra_id": {
        CHART.env_from: ["litellm-salt-key", "litellm-azure-auth"],
    },
    "oauth_token": {
        CHART.env_from: ["litellm-salt-key"],
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

# method -> the Secret that it needs, with its keys
SECRETS: dict[str, dict[str, set[str]]] = {
    "irsa": {},
    "aws_user": {"litellm-aws-auth": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}},
    "gcp_service_account": {"litellm-gcp-auth": {"gcp-service-account.json"}},
    "entra_id": {"litellm-azure-auth": {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}},
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


def test_the_data_is_the_table_of_the_source_document() -> None:
    matrix = load(ROOT / "policies" / "auth-matrix.yml")
    assert matrix["cells"] == CELLS
    assert tuple(matrix["environments"]) == ENVIRONMENTS
    assert tuple(matrix["providers"]) == PROVIDERS
    assert set(matrix["methods"]) == set(LEAVES)


def test_every_method_says_what_it_is_for() -> None:
    matrix = load(ROOT / "policies" / "auth-matrix.yml")
    for name, method in matrix["methods"].items():
        cells = [cell for row in matrix["cells"].values() for cell in row.items()]
        assert any(name in methods for provider, methods in cells if provider == method["provider"])
        assert method.get("secret") in {None, *matrix["secrets"]}
    for provider in matrix["providers"].values():
        assert provider["model_prefix"].endswith("/")


@pytest.mark.parametrize(("environment", "provider", "method"), EVERY_CELL)
def test_a_method_leaves_exactly_what_the_document_says(
    environment: str, provider: str, method: str, render: Callable[..., Path]
) -> None:
    root = render(**answers([environment], [provider], method))
    values = load(root / "litellm" / f"values-{environment}.yaml")
    assert set(values) == {CHART.name}
    found = values[CHART.name]
    assert dig(found, *CHART.ingress_hosts, 0, "host") == f"litellm.{environment}.example.com"
    assert _without_ingress(found) == _nested(LEAVES[method])


@pytest.mark.parametrize(("environment", "provider", "method"), EVERY_CELL)
def test_a_method_needs_exactly_the_secret_of_the_document(
    environment: str, provider: str, method: str, render: Callable[..., Path]
) -> None:
    root = render(**answers([environment], [provider], method))
    policy = load(root / "policies" / "secrets.yml")
    assert policy["namespace"] == "litellm"
    found = {name: set(secret["keys"]) for name, secret in policy["secrets"].items()}
    assert found == {**ALWAYS, **SECRETS[method]}
    assert all(secret["clusters"] == [environment] for secret in policy["secrets"].values())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_with_every_provider_has_what_each_method_leaves(
    environment: str, render: Callable[..., Path]
) -> None:
    root = render(**answers(ENVIRONMENTS, PROVIDERS))
    found = load(root / "litellm" / f"values-{environment}.yaml")[CHART.name]
    methods = [CELLS[environment][provider][0] for provider in PROVIDERS]
    expected: dict[Place, Any] = {}
    for method in methods:
        for place, value in LEAVES[method].items():
            if isinstance(value, list):
                before = expected.setdefault(place, [])
                before.extend(entry for entry in value if entry not in before)
            else:
                expected.setdefault(place, {}).update(value)
    assert _without_ingress(found) == _nested(expected)


def _without_ingress(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != CHART.ingress[0]}


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
        more["redis_host"] = "redis.example.internal"
    root = sealed(**answers(ENVIRONMENTS, PROVIDERS, **more))
    found = findings(root)
    assert not found, report(found)
    assert (root / ".github" / "workflows").exists() == (platform == "github")
    assert (root / ".gitlab-ci.yml").exists() == (platform == "gitlab")
