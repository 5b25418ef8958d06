"""The real LiteLLM Proxy with what a rendered repository gives its pod: it serves every model, with what was sealed."""

from __future__ import annotations

import pytest

from tests.proxy.clusters import LOCATION, REGION
from tests.proxy.conftest import Running
from tests.proxy.running import Model
from tests.support.answers import ROLE_ARN

LOGINS = {
    "aws": f"AssumeRoleWithWebIdentity {ROLE_ARN}",
    "vertex_ai": "JWT of the service account",
    "azure": "client secret of the application",
    "github_copilot": "token of the user",
}


def models(running: Running, provider: str) -> list[Model]:
    """The models of a provider."""
    return [each for each in running.proxy.models if each.target.startswith(f"{provider}/")]


def called(running: Running, provider: str) -> list[str]:
    """Where a call to each model of a provider went; fails for a call that does not succeed."""
    vendor = running.vendors.of(provider)
    before = len(vendor.calls)
    problems = {each.name: running.proxy.problem(each) for each in models(running, provider)}
    assert {name: problem for name, problem in problems.items() if problem} == {}
    assert vendor.refusals == []
    return [f"{call.host}{call.path}" for call in vendor.calls[before:]]


def names(running: Running, provider: str) -> list[str]:
    """The names that a provider knows its models by."""
    return [each.target.rpartition("/")[2] for each in models(running, provider)]


def test_every_model_of_the_configuration_is_served(running: Running) -> None:
    configured = [model.name for model in running.proxy.models]
    assert len(configured) == 12
    assert sorted(running.proxy.served()) == sorted(configured)


def test_bedrock_is_called_in_the_region_with_the_role_or_the_keys_of_the_user(
    running: Running,
) -> None:
    host = f"bedrock-runtime.{REGION}.amazonaws.com"
    paths = {"chat": "converse", "embedding": "invoke"}
    expected = [
        f"{host}/model/{name.replace(':', '%3A')}/{paths[model.mode]}"
        for name, model in zip(names(running, "bedrock"), models(running, "bedrock"), strict=True)
    ]
    assert called(running, "bedrock") == expected
    # IRSA on EKS, and elsewhere the signature itself proves the user's two keys: no login
    logins = {LOGINS["aws"]} if running.environment == "aws" else set()
    assert set(running.vendors.aws.logins) == logins
    assert {call.who for call in running.vendors.aws.calls} == {
        ROLE_ARN if running.environment == "aws" else "the user"
    }


def test_vertex_ai_is_called_in_the_project_and_location_as_the_service_account(
    running: Running,
) -> None:
    project = running.sealed.answers["vertex_project"]
    start = f"{LOCATION}-aiplatform.googleapis.com/v1/projects/{project}/locations/{LOCATION}/publishers/google/models/"
    verbs = {"chat": "generateContent", "embedding": "predict"}
    expected = [
        f"{start}{name}:{verbs[model.mode]}"
        for name, model in zip(names(running, "vertex_ai"), models(running, "vertex_ai"), strict=True)
    ]
    assert called(running, "vertex_ai") == expected
    assert set(running.vendors.google.logins) == {LOGINS["vertex_ai"]}


def test_azure_openai_is_called_as_the_application_of_the_tenant(running: Running) -> None:
    version = running.sealed.answers["azure_openai_api_version"]
    paths = {"chat": "chat/completions", "embedding": "embeddings"}
    expected = [
        f"example.openai.azure.com/openai/deployments/{name}/{paths[model.mode]}?api-version={version}"
        for name, model in zip(names(running, "azure"), models(running, "azure"), strict=True)
    ]
    assert called(running, "azure") == expected
    assert set(running.vendors.azure.logins) == {LOGINS["azure"]}


def test_copilot_is_called_with_a_key_for_the_token_of_the_user(running: Running) -> None:
    paths = {"chat": "chat/completions", "embedding": "embeddings", "responses": "responses"}
    expected = [f"api.githubcopilot.com/{paths[model.mode]}" for model in models(running, "github_copilot")]
    assert called(running, "github_copilot") == expected
    assert set(running.vendors.github.logins) == {LOGINS["github_copilot"]}


def test_it_writes_into_no_mounted_folder_and_copilots_key_below_tmp(running: Running) -> None:
    called(running, "github_copilot")
    written = running.proxy.written()
    assert "/tmp/github-copilot-api-key.json" in written
    assert [path for path in written if not path.startswith("/tmp/")] == []


def test_the_proxies_share_redis_with_the_sealed_password(running: Running) -> None:
    called(running, "azure")
    logins, failed = running.redis.logins()
    assert logins > 0
    assert failed == 0


@pytest.mark.parametrize(
    ("headers", "refusal"),
    # a key that is not the master key is looked up in the database, and there is none here
    [({}, 401), ({"Authorization": "Bearer sk-of-nobody"}, 400)],
    ids=["no key", "a key of nobody"],
)
def test_a_call_without_a_key_of_the_proxy_is_refused(headers: dict[str, str], refusal: int, running: Running) -> None:
    before = [len(vendor.calls) for vendor in running.vendors.all()]
    seen = {each.name: running.proxy.call(each, headers).status_code for each in running.proxy.models}
    assert seen == dict.fromkeys(seen, refusal)
    assert [len(vendor.calls) for vendor in running.vendors.all()] == before


def test_nothing_else_is_contacted(running: Running) -> None:
    for provider in ("bedrock", "vertex_ai", "azure", "github_copilot"):
        called(running, provider)
    assert running.outside.refused == []


def test_no_credential_is_in_the_log_or_the_configuration(running: Running) -> None:
    for provider in ("bedrock", "vertex_ai", "azure", "github_copilot"):
        called(running, provider)
    proxy = running.proxy
    for text in (proxy.log(), proxy.config):
        shown = sum(value in text for value in proxy.hidden)
        assert shown == 0, "a credential is shown"
