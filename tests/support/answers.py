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


def answers(
    environments: Sequence[str], providers: Sequence[str], bedrock: str = "irsa", **more: Any
) -> dict[str, Any]:
    """The answers that have no default, for this choice, and `more`."""
    given: dict[str, Any] = {
        "cluster_environments": list(environments),
        "providers": list(providers),
    }
    if "aws" in environments and "bedrock" in providers:
        given["bedrock_auth_aws"] = bedrock
        if bedrock == "irsa":
            given["eks_aws_role_arn"] = ROLE_ARN
    if "vertex_ai" in providers:
        given["vertex_project"] = VERTEX_PROJECT
    if "azure_openai" in providers:
        given["azure_openai_endpoint"] = ENDPOINT
    return {**given, **more}


def everything(bedrock_auth_aws: str = "irsa", **more: Any) -> dict[str, Any]:
    """All environments, all providers, TLS and an existing Redis."""
    more = {
        "tls_cluster_issuer": "letsencrypt",
        "redis": "external",
        "redis_host": "redis.example.internal",
        **more,
    }
    return answers(ENVIRONMENTS, PROVIDERS, bedrock_auth_aws, **more)


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
