"""The rules of the proxy's configuration, in memory: no repository is rendered for most of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops import rules
from litellm_gitops.charts import LITELLM_HELM
from litellm_gitops.findings import Finding
from litellm_gitops.repository import Repository
from tests.support.answers import ENDPOINT
from tests.support.configurations import (
    CALLS,
    EFFECT,
    KEPT,
    MISTAKES,
    SECTION,
    SPELT,
    STARTS,
    VARIABLES,
    configuration,
)
from tests.support.configurations import HARMLESS as CONFIGURATIONS
from tests.support.faults import (
    AWS,
    CHART,
    GCP,
    SHARED,
    Edit,
    Fault,
    add,
    at,
    change,
    model,
    set_value,
    substitute,
    together,
)
from tests.support.findings import accepted, found_by_its_rule_alone

BY_MEANING = {
    "type": "redis-semantic",
    "similarity_threshold": 0.8,
    "redis_semantic_cache_embedding_model": "text-embedding-ada-002",
}

# In a rendered repository each is a finding of that rule alone.
FAULTS: dict[str, Fault] = {
    "a credential without its info": (
        STARTS,
        add(CHART.config, {"credential_list": [{"credential_name": "c", "credential_values": {"organization": "o"}}]}),
    ),
    "a callback of one's own without its file": (
        STARTS,
        add(CHART.config, {"litellm_settings": {"callbacks": ["custom_callbacks.handler"]}}, SHARED),
    ),
    "a model of a provider that is misspelt": (KEPT, model({"model": "opnai/gpt-4o"})),
    "an address with its route": (
        CALLS,
        model({"model": "azure/gpt-4o", "api_base": f"{ENDPOINT}openai/deployments/a/chat/completions?api-version=v1"}),
    ),
    "a key file that the mounted Secret does not have": (
        CALLS,
        model({"model": "vertex_ai/gemini-3.8-flash", "vertex_credentials": "/var/secrets/gcp/service-account.json"}),
    ),
    "a model with a guardrail that there is not": (EFFECT, model({"model": "ollama/own", "guardrails": ["pii"]})),
    "a budget of no amount": (
        EFFECT,
        add(CHART.config, {"router_settings": {"provider_budget_config": {"bedrock": {"time_period": "1d"}}}}, SHARED),
    ),
    "a host with its port": (EFFECT, substitute(SHARED, "redis_host: .*", "redis_host: redis.example.internal:6379")),
    "a cache with the names of the router": (
        SECTION,
        add(CHART.config, {"litellm_settings": {"cache": True, "cache_params": {"redis_host": "a.b"}}}, SHARED),
    ),
    "a cache without its bucket": (
        EFFECT,
        add(CHART.config, {"litellm_settings": {"cache": True, "cache_params": {"type": "s3"}}}, SHARED),
    ),
    "a cache by meaning with no model": (
        EFFECT,
        add(CHART.config, {"litellm_settings": {"cache": True, "cache_params": BY_MEANING}}, SHARED),
    ),
    "a provider without a model": (KEPT, model({"model": "bedrock/"})),
    "an address without its scheme": (CALLS, model({"model": "openai/gpt-4o", "api_base": "openai.example.com/v1"})),
    "a version of a month that there is not": (
        CALLS,
        model({"model": "azure/gpt-4o", "api_base": "https://example.openai.azure.com/", "api_version": "2025-13-01"}),
    ),
    "a resource of Azure without its address": (CALLS, model({"model": "azure/gpt-4o"})),
    "a region under another name": (
        SECTION,
        model({"model": "bedrock/amazon.titan-embed-text-v2:0", "aws_region": "us-west-2"}),
    ),
    "a limit in words": (KEPT, model({"model": "openai/gpt-4o", "rpm": "ten"})),
    "a timeout with a unit": (
        CALLS,
        set_value(SHARED, at(CHART.config, "litellm_settings", "request_timeout"), "600s"),
    ),
    "a fallback that does not exist": (
        EFFECT,
        add(CHART.config, {"router_settings": {"default_fallbacks": ["own"]}}, GCP),
    ),
    "a section in another": (
        SECTION,
        add(CHART.config, {"general_settings": {"litellm_settings": {"drop_params": True}}}, SHARED),
    ),
    "a setting of the router among those of the library": (
        SECTION,
        add(CHART.config, {"litellm_settings": {"routing_strategy": "least-busy"}}),
    ),
    "a reference of a shell": (
        SPELT,
        set_value(SHARED, at(CHART.config, "router_settings", "redis_host"), "${REDIS_HOST}"),
    ),
    "a section under another name": (
        SECTION,
        add(CHART.config, {"routing_settings": {"routing_strategy": "least-busy"}}),
    ),
    "a parameter of a model that is misspelt": (
        SECTION,
        model({"model": "openai/gpt-4o", "api_bse": "https://a.example"}),
    ),
    "a switch in words": (EFFECT, set_value(SHARED, at(CHART.config, "litellm_settings", "json_logs"), "yes please")),
    "a channel that does not exist": (EFFECT, add(CHART.config, {"general_settings": {"alerting": ["slak"]}})),
    "a reference without a name": (
        SPELT,
        set_value(SHARED, at(CHART.config, "router_settings", "redis_host"), "os.environ/"),
    ),
    "a reference with more than a name": (SPELT, model({"model": "openai/gpt-4o", "organization": "os.environ/A/v1"})),
    "a reference with a hyphen": (SPELT, model({"model": "openai/gpt-4o", "organization": "os-environ/OWN"})),
    "a name of a model that is misspelt": (CALLS, change(SHARED, "_name: gemini-3.5-flash", "_name: geimni-3.5-flash")),
    "a name of a model with a letter twice": (
        CALLS,
        change(SHARED, "_name: claude-opus-5-5", "_name: claude-opuus-5-5"),
    ),
    "a model that is misspelt": (CALLS, change(SHARED, "anthropic.claude-sonnet-5", "anthropic.claude-sonent-5")),
    "an address to be filled in": (CALLS, substitute(SHARED, "//example.openai", "//<resource>.openai", 1)),
    "a domain of Azure that is misspelt": (CALLS, substitute(SHARED, "openai.azure.com", "opeani.azure.com", 1)),
    "a setting with nothing behind it": (
        EFFECT,
        substitute(SHARED, "proxy_batch_write_at: 60", "proxy_batch_write_at:"),
    ),
    "a region with nothing behind it": (EFFECT, substitute(SHARED, 'aws_region_name: ".*"', "aws_region_name:", 1)),
    "a setting with nothing behind it, above a remark": (
        EFFECT,
        substitute(SHARED, "_connection_pool_limit: 10", "_connection_pool_limit:"),
    ),
    "a switch that is nearly true": (EFFECT, substitute(SHARED, "hash_to_db: true", "hash_to_db: trrue")),
    "a switch that is nearly false": (EFFECT, substitute(SHARED, "db_unavailable: false", "db_unavailable: fasle")),
    "the info of a model among its parameters": (
        SECTION,
        substitute(SHARED, r"^(        model_info: \{mode: embedding)", r"  \1", 1),
    ),
    "a reference that is misspelt": (SPELT, model({"model": "openai/gpt-4o", "api_base": "os.enviorn/OWN_ADDRESS"})),
}
HARMLESS: dict[str, Edit] = {
    **{
        f"a server that asks for no key, which gets {given}": model(
            {"model": "openai/own", "api_base": "http://own.models.svc:8000/v1", "api_key": given}
        )
        for given in ("ollama", "llama-cpp-no-key-required", "not-used", "fake-key")
    },
    "a log whose keys come from elsewhere": add(
        CHART.config, {"litellm_settings": {"success_callback": ["langfuse"]}}, SHARED
    ),
    "a model whose key comes from elsewhere": model({"model": "openai/gpt-4o"}),
    "a key that a manager of keys holds": together(
        model({"model": "openai/gpt-4o", "api_key": "os.environ/OPENAI_API_KEY"}),
        add(
            CHART.config,
            {
                "general_settings": {
                    "key_management_system": "aws_secret_manager",
                    "key_management_settings": {"hosted_keys": ["OPENAI_API_KEY"]},
                }
            },
            SHARED,
        ),
    ),
    "a key file in a folder that is mounted": model(
        {"model": "vertex_ai/gemini-3.8-flash", "vertex_credentials": "/var/secrets/gcp/gcp-service-account.json"}
    ),
    "a name with a space in it": model({"model": "ollama/llama3"}, "Our Llama"),
    **{
        f"a model at {given}": model({"model": name, **given})
        for name, given in (
            ("bedrock/converse/anthropic.claude-sonnet-5", {"aws_region_name": "us-gov-west-1"}),
            ("azure/gpt-6", {"api_base": "https://example.openai.azure.com/", "api_version": "preview"}),
            ("ollama/llama3", {"api_base": "http://ollama.ai.svc:11434"}),
        )
    },
    "settings of every section": together(
        add(CHART.config, {"litellm_settings": {"drop_params": True, "num_retries": 2, "callbacks": ["otel"]}}, SHARED),
        add(CHART.config, {"router_settings": {"routing_strategy": "least-busy", "cooldown_time": 30}}, SHARED),
        add(CHART.config, {"general_settings": {"alerting": ["slack"], "background_health_checks": True}}, AWS),
    ),
    **{
        f"a model {model_} that is called {name}": model(
            {
                "model": model_,
                **({"api_base": "https://example.openai.azure.cn/"} if model_.startswith("azure") else {}),
            },
            name,
        )
        for name, model_ in (
            ("claude-sonnet-4", "bedrock/converse/us.anthropic.claude-sonnet-5"),
            ("team-Claude-sonnet-5", "bedrock/converse/us.anthropic.claude-sonnet-5"),
            ("cohere-embeddings-v4", "bedrock/cohere.embedding-v4"),
            ("gpt-4-mini", "azure/gpt-4o-mini"),
            ("qwen3-code", "ollama/qwen3-coder"),
            ("fast", "vertex_ai/gemini-3.8-flash"),
        )
    },
    "a setting that is nothing by choice": substitute(SHARED, "proxy_batch_write_at: 60", "proxy_batch_write_at: null"),
    "channels that are commented out": substitute(
        SHARED, "^    general_settings:\n", "    general_settings:\n      alerting:\n      #  - slack\n"
    ),
    "a setting that a cluster takes away from all": set_value(
        AWS, at(CHART.config, "general_settings", "proxy_batch_write_at"), None
    ),
    "a reference inside of a header, and one in a list": add(
        CHART.config,
        {
            "general_settings": {
                "pass_through_endpoints": [
                    {
                        "path": "/rerank",
                        "target": "https://rerank.example.com",
                        "headers": {"Authorization": "Bearer os.environ/LITELLM_SALT_KEY"},
                    }
                ],
                "alert_to_webhook_url": {"llm_exceptions": ["os.environ/LITELLM_SALT_KEY"]},
            }
        },
    ),
    "parts that the values' schema once refused": add(
        CHART.config,
        {"default_vertex_config": {"vertex_project": "p"}, "mcp_tools": [], "sandbox_tools": [], "agents": []},
    ),
    "a function in a file that is mounted": together(
        add(CHART.config, {"litellm_settings": {"callbacks": ["custom_callbacks.handler"]}}, SHARED),
        add(CHART.volumes, [{"name": "own", "configMap": {"name": "own"}}], AWS),
        add(CHART.mounts, [{"name": "own", "mountPath": "/etc/litellm/custom_callbacks.py", "subPath": "own.py"}], AWS),
        set_value(GCP, at(CHART.config, "litellm_settings", "callbacks"), []),
        set_value("litellm/values-azure.yaml", at(CHART.config, "litellm_settings", "callbacks"), []),
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)

ANSWERS = {
    **{"gitops_engine": "flux", "ci_platform": "none", "redis": "none"},
    **{"providers": ["bedrock"], "cluster_environments": ["aws"]},
}
FILES = {
    ".copier-answers.yml": yaml.safe_dump(ANSWERS),
    "policies/secrets.yml": "{namespace: litellm, secrets: {a: {clusters: [], keys: {}}}}",
}


class Memory:
    """Files that lie nowhere."""

    tracked: frozenset[str] = frozenset()

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.unmerged: dict[str, bool] = {}

    @property
    def names(self) -> list[str]:
        """Every file, sorted."""
        return sorted(self.files)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is missing."""
        return self.files[name].encode() if name in self.files else None

    def is_link(self, name: str) -> bool:
        """None is."""
        return False


def findings(config: Any, own: Any = None, **values: Any) -> list[Finding]:
    """What the rules of the configuration find in the values of a chart, and in those of one cluster."""
    variables = dict.fromkeys(VARIABLES, "set")
    image = {"repository": "ghcr.io/berriai/litellm-database"}
    places: dict[str, Any] = {str(LITELLM_HELM.variables[0]): variables, str(LITELLM_HELM.config[0]): config}
    shared = {"image": image, **places, **values}
    files: dict[str, str] = {
        SHARED: yaml.safe_dump({LITELLM_HELM.name: shared}, sort_keys=False),
        AWS: yaml.safe_dump({LITELLM_HELM.name: {LITELLM_HELM.config[0]: own or {}}}),
    }
    repository = Repository(Path("/nonexistent"), Memory({**FILES, **files}))
    return rules.evaluate(repository, rules.of("configuration"))


@pytest.mark.parametrize(("change", "rule"), MISTAKES, ids=[change for change, _ in MISTAKES])
def test_a_mistake_is_one_finding_of_its_rule(change: str, rule: str) -> None:
    found = findings(configuration(change))
    assert [finding.code for finding in found] == [rule], [*map(str, found)]
    assert re.fullmatch(r"[^\s:]+:\d+: [^\n]+ — [^\n]+", str(found[0]))
    assert len(str(found[0])) < 400


@pytest.mark.parametrize("change", CONFIGURATIONS)
def test_what_the_proxy_takes_is_no_finding(change: str) -> None:
    found = findings(configuration(change))
    assert not found, [*map(str, found)]


def test_a_finding_stands_at_the_line_of_its_file() -> None:
    shared = configuration("router_settings: {routing_strategy: fastest, drop_params: true}")
    found = findings(shared, {"litellm_settings": {"master_key": "os.environ/SET"}})
    text = yaml.safe_dump({LITELLM_HELM.name: {LITELLM_HELM.config[0]: shared}}, sort_keys=False)
    lines = {line.split(":")[0].strip(): number for number, line in enumerate(text.splitlines(), 1)}
    first = min(finding.line or 0 for finding in found if finding.file == SHARED)
    places = [(finding.file, finding.code, (finding.line or 0) - first) for finding in found]
    apart = lines["drop_params"] - lines["routing_strategy"]
    assert places == [(AWS, SECTION, 4 - first), (SHARED, STARTS, 0), (SHARED, SECTION, apart)]


def test_a_message_never_shows_a_value() -> None:
    content = configuration("{}")
    secret = "sk-canary"
    content["model_list"][0]["litellm_params"] |= {"timeout": secret, "rpm": secret, "extra_headers": secret}
    content |= {"router_settings": {"routing_strategy": secret}, "litellm_settings": {"callbacks": [secret]}}
    content["guardrails"] = [{"guardrail_name": "g", "litellm_params": {"guardrail": secret, "mode": secret}}]
    found = findings(content)
    assert len(found) == 5, "three of one rule are told as one"
    assert not [finding for finding in found if secret in str(finding)]
