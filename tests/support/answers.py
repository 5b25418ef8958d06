"""Sets of answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations as choose
from typing import Any

ENVIRONMENTS = ("aws", "gcp", "azure")
PROVIDERS = ("bedrock", "vertex_ai", "azure_openai", "github_copilot")

ROLE_ARN = "arn:aws:iam::123456789012:role/litellm-bedrock"
VERTEX_PROJECT = "example-ai"
ENDPOINT = "https://example.openai.azure.com/"
TENANT = "0f0e0d0c-0b0a-0908-0706-050403020100"
ACCOUNT = "litellm@example-ai.iam.gserviceaccount.com"
# what `credentials: keyless` chooses
KEYLESS = {
    "aws": {"bedrock": "irsa", "vertex_ai": "gcp_federation", "azure_openai": "entra_federation"},
    "gcp": {"bedrock": "web_identity", "vertex_ai": "gke_workload_identity", "azure_openai": "entra_federation"},
    "azure": {"bedrock": "web_identity", "vertex_ai": "gcp_federation", "azure_openai": "aks_workload_identity"},
}


def client_id(environment: str) -> str:
    """The id of the Entra identity for a cluster."""
    return f"0f0e0d0c-0b0a-0908-0706-05040302010{1 + ENVIRONMENTS.index(environment)}"


def workload_provider(environment: str) -> str:
    """The workload identity provider of Google Cloud for a cluster."""
    return f"projects/123456789012/locations/global/workloadIdentityPools/litellm-{environment}/providers/litellm"


def needed(environment: str, method: str) -> dict[str, str]:
    """The answers that a method asks for in an environment, but those that every method of its provider needs."""
    return {
        "irsa": {"eks_aws_role_arn": ROLE_ARN},
        "web_identity": {f"{environment}_bedrock_role_arn": ROLE_ARN},
        "gcp_federation": {f"{environment}_gcp_workload_provider": workload_provider(environment)},
        "entra_federation": {f"{environment}_azure_client_id": client_id(environment), "azure_tenant_id": TENANT},
        "aks_workload_identity": {f"{environment}_azure_client_id": client_id(environment)},
    }.get(method, {})


def answers(
    environments: Sequence[str], providers: Sequence[str], bedrock: str = "irsa", **more: Any
) -> dict[str, Any]:
    """The answers that have no default, for this choice, and `more`."""
    given: dict[str, Any] = {
        "cluster_environments": list(environments),
        "providers": list(providers),
    }
    if "aws" in environments and "bedrock" in providers:
        given |= {"bedrock_auth_aws": bedrock, **needed("aws", bedrock)}
    if "vertex_ai" in providers:
        given["vertex_project"] = VERTEX_PROJECT
    if "azure_openai" in providers:
        given["azure_openai_endpoint"] = ENDPOINT
    return {**given, **more}


def each(methods: dict[str, dict[str, str]], **more: Any) -> dict[str, Any]:
    """The answers for these methods, environment -> provider -> method, chosen cell by cell, and `more`."""
    providers = [provider for provider in PROVIDERS if any(provider in cells for cells in methods.values())]
    given = answers(list(methods), providers, credentials="each")
    given.pop("eks_aws_role_arn", None)
    for environment, cells in methods.items():
        for provider, method in cells.items():
            given |= {f"{provider}_auth_{environment}": method} if provider != "github_copilot" else {}
            given |= needed(environment, method)
    return {**given, **more}


def keyless(environments: Sequence[str] = ENVIRONMENTS, **more: Any) -> dict[str, Any]:
    """All providers in these environments, without a stored credential but for Copilot."""
    given = answers(environments, PROVIDERS, credentials="keyless")
    for environment in environments:
        for method in KEYLESS[environment].values():
            given |= needed(environment, method)
    return {**given, **more}


def everything(bedrock_auth_aws: str = "irsa", **more: Any) -> dict[str, Any]:
    """All environments, all providers, TLS and an existing Redis."""
    more = {
        "tls_cluster_issuer": "letsencrypt",
        "redis": "external",
        **redis_hosts(),
        **(database_hosts() if more.get("chart") == "litellm" else {}),
        **more,
    }
    return answers(ENVIRONMENTS, PROVIDERS, bedrock_auth_aws, **more)


def redis_hosts(host: str = "redis.example.internal") -> dict[str, str]:
    """The same existing Redis for every environment."""
    return {f"{environment}_redis_host": host for environment in ENVIRONMENTS}


def database_hosts() -> dict[str, str]:
    """A database for every environment, each with a name of its own."""
    return {f"{environment}_database_host": f"{environment}.db.example.internal" for environment in ENVIRONMENTS}


def combinations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every choice of environments, of providers and of the method for Bedrock on EKS: (a name for it, the answers)."""
    for environments in _subsets(ENVIRONMENTS):
        for providers in _subsets(PROVIDERS):
            methods = ["irsa"]
            if "aws" in environments and "bedrock" in providers:
                methods.append("aws_user")
            for method in methods:
                name = f"{'+'.join(environments)}-{'+'.join(providers)}"
                suffix = f"-{method}" if len(methods) > 1 else ""
                yield name + suffix, answers(environments, providers, method)


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for count in range(1, len(names) + 1):
        yield from choose(names, count)
