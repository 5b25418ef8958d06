"""Single mistakes in the proxy's configuration, each in a line of YAML beside what is configured anyway.

`params`, `info` and `entry` are put into the parameters, the info and the entry of the first model, `other` into the
parameters of the second. tests/rules/ holds them against the rules, tests/proxy/ against the real proxy.
"""

from __future__ import annotations

from typing import Any

import yaml

from litellm_gitops.documents import LOADER, merge

BASE = """
model_list:
- model_name: gpt
  litellm_params: {model: openai/gpt-4o, api_base: os.environ/UPSTREAM, api_key: os.environ/VENDOR_KEY}
- model_name: other
  litellm_params: {model: openai/gpt-4o-mini, api_base: os.environ/UPSTREAM, api_key: os.environ/VENDOR_KEY}
general_settings: {master_key: os.environ/PROXY_MASTER_KEY}
router_settings: {num_retries: 0}
"""
VARIABLES = ("UPSTREAM", "FLAKY", "VENDOR_KEY", "SET")  # what a pod has beside PROXY_MASTER_KEY
NAMES = ("gpt", "other")

STARTS = "the_proxy_starts_with_its_configuration"
KEPT = "every_model_is_kept_by_the_proxy"
CALLS = "no_setting_makes_calls_fail"
EFFECT = "every_setting_takes_effect"
SECTION = "every_setting_stands_in_its_section"
SPELT = "every_os_environ_reference_is_spelt_right"

_MISTAKES = {
    STARTS: """
        litellm_settings: text
        environment_variables: [a]
        model_list: text
        model_list: {gpt: {}}
        model_list: [text]
        model_list: [{litellm_params: {model: openai/gpt-4o}}]
        model_list: [{model_name: gpt}]
        model_list: [{model_name: 5, litellm_params: {model: openai/gpt-4o}}]
        model_list: [{model_name: gpt, litellm_params: {api_base: os.environ/UPSTREAM}}]
        params: text
        params: {model: null}
        params: {model: 5}
        info: null
        info: text
        include: text
        include: [more.yaml]
        credential_list: [{credential_name: c, credential_values: {a: b}}]
        credential_list: [{credential_values: {a: b}, credential_info: {}}]
        credential_list: [{credential_name: c, credential_info: {}}]
        credential_list: [{credential_name: c, credential_values: {a: b}, credential_info: null}]
        credential_list: [{credential_name: c, credential_values: text, credential_info: {}}]
        credential_list: [{credential_name: 5, credential_values: {a: b}, credential_info: {}}]
        credential_list: {c: {}}
        credential_list: [text]
        guardrails: [{litellm_params: {guardrail: litellm_content_filter, mode: pre_call}}]
        guardrails: [{guardrail_name: g}]
        guardrails: {g: {}}
        guardrails: [text]
        guardrails: [{guardrail_name: g, litellm_params: text}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: presidio, mode: pre_call}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: aim, mode: pre_call}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: own.Handler, mode: pre_call}}]
        mcp_servers: [a]
        mcp_servers: {my-server: {url: "https://example.com"}}
        mcp_servers: {server: null}
        mcp_servers: {server: {url: "https://example.com", transport: tcp}}
        mcp_servers: {server: {url: "https://example.com", auth_type: password}}
        mcp_servers: {server: {url: "https://example.com", auth_type: oauth2}}
        mcp_servers: {server: {url: "https://example.com", allowed_tools: text}}
        mcp_servers: {server: {url: "https://example.com", dcr_bridge: "true"}}
        mcp_servers: {server: {url: "https://example.com", spec_path: specs/server.json}}
        mcp_servers: {server: {url: 5}}
        files_settings: text
        finetune_settings: {a: b}
        vector_store_registry: [{vector_store_name: s, litellm_params: {custom_llm_provider: bedrock}}]
        vector_store_registry: [{vector_store_name: s, litellm_params: {vector_store_id: i}}]
        vector_store_registry: [text]
        prompts: [{prompt_id: p}]
        prompts: [{litellm_params: {prompt_integration: dotprompt}}]
        prompts: [{prompt_id: p, litellm_params: {prompt_integration: dotprmpt}}]
        policies: {p: text}
        policies: {p: {inherit: q}}
        policies: {p: {guardrails: {add: text}}}
        agents: {a: {}}
        agents: [text]
        mcp_tools: {a: {}}
        search_tools: [text]
        default_vertex_config: {vertex_project: 5}
        assistant_settings: {custom_llm_provider: openai}
        worker_registry: [{}]
        router_settings: {routing_strategy: fastest}
        router_settings: {routing_strategy: Least-Busy}
        router_settings: {routing_strategy: latency-based-routing, routing_strategy_args: {ttl: soon}}
        router_settings: {routing_strategy: latency-based-routing, routing_strategy_args: text}
        router_settings: {retry_policy: {TimeoutErrorRetries: many}}
        router_settings: {allowed_fails_policy: {TimeoutErrorAllowedFails: many}}
        router_settings: {provider_budget_config: {openai: {budget_limit: lots, time_period: 1d}}}
        router_settings: {provider_budget_config: {openai: 5}}
        router_settings: {fallbacks: text}
        router_settings: {fallbacks: {gpt: [other]}}
        router_settings: {fallbacks: [{gpt: [other], other: [gpt]}]}
        router_settings: {fallbacks: [gpt]}
        router_settings: {content_policy_fallbacks: {gpt: [other]}}
        router_settings: {model_group_alias: [a]}
        router_settings: {model_group_affinity_config: text}
        router_settings: {default_litellm_params: text}
        router_settings: {health_check_interval: 30}
        router_settings: {routing_groups: [{group_name: g, models: [gpt], routing_strategy: fastest}]}
        router_settings: {routing_groups: [{group_name: g, models: [gpt]}]}
        router_settings: {alerting_config: {webhook_url: "https://example.com"}}
        router_settings: {redis_url: redis.example.com}
        litellm_settings: {fallbacks: text}
        litellm_settings: {callbacks: [langfus]}
        litellm_settings: {callbacks: [Langfuse]}
        litellm_settings: {callbacks: langfuse}
        litellm_settings: {callbacks: null}
        litellm_settings: {callbacks: [sentry]}
        litellm_settings: {callbacks: [5]}
        litellm_settings: {callbacks: [custom_callbacks.handler]}
        litellm_settings: {callbacks: [presidio]}
        litellm_settings: {callbacks: [hide_secrets]}
        litellm_settings: {callbacks: [os.environ/SET]}
        litellm_settings: {success_callback: null}
        litellm_settings: {success_callback: [custom.handler]}
        litellm_settings: {cache: true}
        litellm_settings: {cache: "true"}
        litellm_settings: {cache: {type: local}}
        litellm_settings: {cache: true, cache_params: {type: memory}}
        litellm_settings: {cache: true, cache_params: {type: redis}}
        litellm_settings: {cache: true, cache_params: {type: qdrant-semantic}}
        litellm_settings: {cache: true, cache_params: {type: redis-semantic, host: localhost, port: 1}}
        litellm_settings: {cache: true, cache_params: [a]}
        litellm_settings: {max_budget: lots}
        litellm_settings: {max_budget: null}
        litellm_settings: {max_internal_user_budget: lots}
        litellm_settings: {default_internal_user_params: {max_budget: lots}}
        litellm_settings: {upperbound_key_generate_params: null}
        litellm_settings: {upperbound_key_generate_params: {max_budget: lots}}
        litellm_settings: {default_team_settings: [{success_callback: [langfuse]}]}
        litellm_settings: {default_team_settings: {team_id: t}}
        litellm_settings: {key_alias_pattern: "["}
        litellm_settings: {custom_provider_map: [{provider: p}]}
        litellm_settings: {priority_reservation_settings: {default_priority: high}}
        litellm_settings: {model_group_settings: {forward_client_headers_to_llm_api: gpt}}
        litellm_settings: {tag_budget_config: {a: {max_budget: 1, budget_duration: 1d}}}
        litellm_settings: {budget_reset_time: noon}
        litellm_settings: {responses: text}
        general_settings: {alerting: [slack], alerting_args: {daily_report_frequency: often}}
        general_settings: {key_management_system: vault}
        general_settings: {key_management_system: custom}
        general_settings: {key_management_settings: {access_mode: sometimes}}
        general_settings: {pass_through_endpoints: [{target: "https://example.com"}]}
        general_settings: {pass_through_endpoints: [{path: /a, target: "https://example.com", headers: [a]}]}
        general_settings: {custom_auth: own.auth}
        general_settings: {custom_auth: auth}
        general_settings: {coordination_redis: {port: 6379}}
        general_settings: {coordination_redis: {host: localhost, port: redis}}
        general_settings: {coordination_redis: text}
        general_settings: {allowed_ips: [127.0.0.1]}
        general_settings: {enforced_params: [user]}
        general_settings: {use_redis_transaction_buffer: true}
        general_settings: {user_api_key_cache_ttl: long}
        general_settings: {user_api_key_cache_max_size: many}
        general_settings: {role_permissions: [{role: owner}]}
        general_settings: {litellm_jwtauth: {admin_jwt_scop: x}}
        general_settings: {litellm_jwtauth: {team_id_upsert: maybe}}
        general_settings: {plugins: [{name: a}]}
        general_settings: {background_health_check_model_groups: gpt}
        """,
    KEPT: """
        params: {model: opnai/gpt-4o}
        params: {model: OpenAI/gpt-4o}
        params: {model: my-model}
        params: {model: meta-llama/Llama-3}
        params: {custom_llm_provider: opnai}
        params: {rpm: 1.5}
        params: {tpm: ten}
        params: {max_retries: two}
        params: {input_cost_per_token: cheap}
        params: {max_budget: lots}
        params: {tags: production}
        params: {tags: [1]}
        params: {api_base: ["https://example.com"]}
        params: {api_key: 12345}
        params: {region_name: 5}
        params: {vertex_credentials: [a]}
        params: {configurable_clientside_auth_params: api_base}
        params: {merge_reasoning_content_in_choices: maybe}
        info: {tier: gold}
        info: {supported_environments: [production]}
        info: {input_cost_per_token: cheap}
        info: {blocked: maybe}
        info: {created_at: yesterday}
        info: {team_id: 5}
        litellm_settings: {provider_list: [azure]}
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: litellm_content_filtr, mode: pre_call}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: litellm_content_filter, mode: before}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: litellm_content_filter, mode: [pre_call, after]}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: litellm_content_filter}}]
        guardrails: [{guardrail_name: g, litellm_params: {mode: pre_call}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: bedrock, mode: pre_call, default_on: maybe}}]
        guardrails: [{guardrail_name: g, litellm_params: {guardrail: bedrock, mode: pre_call, guardrailVersion: 1}}]
        """,
    CALLS: """
        params: {timeout: 600s}
        params: {stream_timeout: 600s}
        params: {weight: heavy}
        params: {weight: "1"}
        params: {extra_headers: [a]}
        params: {extra_headers: {x-retries: 1}}
        params: {extra_body: text}
        params: {max_parallel_requests: "10"}
        info: {max_input_tokens: many}
        router_settings: {routing_strategy: null}
        router_settings: {timeout: 30s}
        router_settings: {default_max_parallel_requests: "10"}
        router_settings: {plugins: text}
        {router_settings: {num_retries: "3"}, other: {api_base: os.environ/FLAKY}}
        {router_settings: {num_retries: os.environ/SET}, other: {api_base: os.environ/FLAKY}}
        {router_settings: null, litellm_settings: {num_retries: "3"}, other: {api_base: os.environ/FLAKY}}
        litellm_settings: {request_timeout: 600s}
        litellm_settings: {request_timeout: null}
        litellm_settings: {model_alias_map: [a]}
        litellm_settings: {success_callback: [datadog]}
        general_settings: {max_request_size_mb: "5"}
        general_settings: {completion_model: gtp}
        general_settings: {allowed_routes: text}
        """,
    EFFECT: """
        router_settings: text
        router_settings: {retry_policy: text}
        router_settings: {allowed_fails_policy: [a]}
        router_settings: {fallbacks: [{gpt: [othr]}]}
        router_settings: {fallbacks: [{gtp: [other]}]}
        router_settings: {default_fallbacks: [othr]}
        router_settings: {default_fallbacks: other}
        router_settings: {context_window_fallbacks: {gpt: [other]}}
        router_settings: {context_window_fallbacks: [{gpt: [other], other: [gpt]}]}
        router_settings: {model_group_alias: {best: gtp}}
        router_settings: {optional_pre_call_checks: [prompt_cache]}
        router_settings: {routing_groups: [{group_name: g, models: [gtp], routing_strategy: least-busy}]}
        {router_settings: {fallbacks: [{gpt: [other]}]}, litellm_settings: {fallbacks: [{other: [gpt]}]}}
        litellm_settings: {success_callback: [langfus]}
        litellm_settings: {failure_callback: sentry}
        litellm_settings: {cache_params: {type: local}}
        general_settings: {alerting: slack}
        general_settings: {alerting: [slack], alert_types: [llm_to_slow]}
        general_settings: {pass_through_endpoints: {path: /a, target: "https://example.com"}}
        params: {litellm_credential_name: c}
        environment_variables: {PATH: /bin}
        callback_settings: text
        """,
    SECTION: """
        general_settings: {litellm_settings: {drop_params: true}}
        general_settings: {routing_strategy: least-busy}
        general_settings: {drop_params: true}
        general_settings: {max_fallbacks: 7}
        general_settings: {set_verbose: true}
        general_settings: {mastr_key: os.environ/SET}
        general_settings: {proxy_batch_write_a: 60}
        general_settings: {alerting: [slack], alerting_args: {daily_report_freqency: 10}}
        litellm_settings: {routing_strategy: least-busy}
        litellm_settings: {store_model_in_db: true}
        litellm_settings: {master_key: os.environ/SET}
        litellm_settings: {cooldown_time: 10}
        litellm_settings: {router_settings: {num_retries: 7}}
        litellm_settings: {drop_param: true}
        litellm_settings: {request_timout: 60}
        litellm_settings: {upperbound_key_generate_params: {max_budgt: 10}}
        router_settings: {drop_params: true}
        router_settings: {master_key: os.environ/SET}
        router_settings: {model_list: []}
        router_settings: {request_timeout: 60}
        router_settings: {enable_pre_call_check: true}
        router_settings: {routing_stratgy: least-busy}
        router_settings: {retry_policy: {TimeoutErrorRetrie: 3}}
        router_settings: {routing_strategy: latency-based-routing, routing_strategy_args: {lowest_latency_bufer: 1}}
        drop_params: true
        routing_strategy: least-busy
        store_model_in_db: true
        enable_jwt_auth: true
        mcp_aliases: {a: server}
        general_setting: {store_model_in_db: true}
        modellist: []
        guardrail: []
        entry: {api_version: "2024-10-21"}
        entry: {mode: chat}
        entry: {base_model: gpt-4o}
        """,
    SPELT: """
        params: {api_base: os.enviorn/UPSTREAM}
        params: {api_base: os.environ.UPSTREAM}
        params: {api_base: OS.ENVIRON/UPSTREAM}
        params: {api_base: " os.environ/UPSTREAM"}
        params: {api_base: "https://os.environ/UPSTREAM/v1"}
        params: {api_base: environ/UPSTREAM}
        params: {api_base: env/UPSTREAM}
        params: {api_base: "os.environ[UPSTREAM]"}
        params: {api_base: os.getenv/UPSTREAM}
        params: {api_base: "${UPSTREAM}"}
        params: {api_base: $UPSTREAM}
        params: {tags: [os.environ/SET]}
        {environment_variables: {OWN: "http://127.0.0.1:1"}, params: {api_base: os.environ/OWN}}
        """,
}
_HARMLESS = """
    {}
    params: {rpm: "10", tpm: 1000, timeout: "600", stream_timeout: 60, weight: 2, max_parallel_requests: 10}
    params: {temperature: 0.5, max_tokens: 100, extra_body: {a: b}, extra_headers: {x-team: platform}}
    params: {input_cost_per_token: "3e-06", max_budget: 10, budget_duration: 1d, tags: [production]}
    params: {model: gpt-4o}
    params: {model: claude-newfamily-5, mock_response: Hello}
    params: {model: gpt-4o, custom_llm_provider: openai}
    params: {organization: [one, two]}
    params: {drop_params: "true", additional_drop_params: [user], tpm: null}
    params: {api_version: 2024-10-21, anything_else: is for the vendor}
    {credential_list: [{credential_name: c, credential_values: {api_key: os.environ/SET}, credential_info: {}}],
      params: {litellm_credential_name: c}}
    info: {mode: chat, base_model: gpt-4o, access_groups: [all], id: 5, max_input_tokens: "1000", own: anything}
    info: {input_cost_per_token: 0.000001, blocked: "no", created_at: "2026-01-01T00:00:00Z"}
    entry: {rpm: 10, tpm: 1000, note: own}
    x-shared: {a: b}
    router_settings: {routing_strategy: usage-based-routing-v2, enable_pre_call_checks: true, num_retries: 3}
    router_settings: {routing_strategy: latency-based-routing, routing_strategy_args: {ttl: 10, lowest_latency_buffer: 0.5}}
    router_settings: {fallbacks: [{gpt: [other]}], context_window_fallbacks: [{gpt: [other]}], default_fallbacks: [other]}
    router_settings: {fallbacks: [{"*": [other]}, {gpt: [{model: other}]}], content_policy_fallbacks: [{gpt: [other]}]}
    router_settings: {model_group_alias: {best: gpt, hidden: {model: other, hidden: true}}, fallbacks: [{best: [other]}]}
    router_settings: {retry_policy: {TimeoutErrorRetries: "3"}, allowed_fails: 3, cooldown_time: 30, timeout: "30"}
    router_settings: {allowed_fails_policy: {TimeoutErrorAllowedFails: 10}, optional_pre_call_checks: [prompt_caching]}
    router_settings: {provider_budget_config: {openai: {budget_limit: 1000, time_period: 1d}}}
    router_settings: {routing_groups: [{group_name: g, models: [gpt], routing_strategy: least-busy}]}
    {router_settings: {num_retries: 3}, other: {api_base: os.environ/FLAKY}}
    {router_settings: null, litellm_settings: {num_retries: 3}, other: {api_base: os.environ/FLAKY}}
    litellm_settings: {json_logs: true, set_verbose: false, request_timeout: 600, turn_off_message_logging: true}
    litellm_settings: {redact_user_api_key_info: true, drop_params: true, modify_params: true, enable_preview_features: true}
    litellm_settings: {vertex_project: p, vertex_location: us-central1, enable_azure_ad_token_refresh: true}
    litellm_settings: {fallbacks: [{gpt: [other]}], num_retries: 2, allowed_fails: 3, default_fallbacks: [other]}
    litellm_settings: {callbacks: [otel, langfuse_otel], service_callback: [otel], success_callback: [s3_v2]}
    litellm_settings: {callbacks: [websearch_interception, code_interpreter_interception], failure_callback: [sentry]}
    litellm_settings: {callbacks: [smtp_email, dynamic_rate_limiter, detect_prompt_injection]}
    litellm_settings: {cache: true, cache_params: {type: local, ttl: 60, supported_call_types: [acompletion]}}
    litellm_settings: {cache: true, cache_params: {type: redis, host: localhost, port: 1, namespace: own}}
    litellm_settings: {cache: false, cache_params: {type: redis}}
    litellm_settings: {max_budget: "100", max_ui_session_budget: null, default_internal_user_params: {max_budget: 1}}
    litellm_settings: {upperbound_key_generate_params: {max_budget: 100, duration: 30d}, key_alias_pattern: "^team-"}
    litellm_settings: {default_team_settings: [{team_id: t, success_callback: [langfuse]}], budget_reset_time: "12:00"}
    litellm_settings: {model_group_settings: {forward_client_headers_to_llm_api: [gpt]}, public_model_groups: [gpt]}
    litellm_settings: {embedding_model: own, something_of_a_newer_release: true, temperature: 0}
    general_settings: {disable_adding_master_key_hash_to_db: true, disable_error_logs: true, proxy_batch_write_at: 60}
    general_settings: {database_connection_pool_limit: 10, background_health_checks: true, health_check_interval: 300}
    general_settings: {alerting: [slack], alerting_threshold: 300, alert_types: [llm_too_slow], alerting_args: {log_to_console: true}}
    general_settings: {pass_through_endpoints: [{path: /a, target: "https://example.com", headers: {b: os.environ/SET}}]}
    general_settings: {coordination_redis: {host: localhost, port: "1"}, max_request_size_mb: 50, max_parallel_requests: 100}
    general_settings: {use_client_credentials_pass_through_routes: true, allow_requests_on_db_unavailable: true}
    general_settings: {key_management_settings: {access_mode: read_only}, store_prompts_in_spend_logs: true}
    general_settings: {litellm_jwtauth: {user_id_jwt_field: sub, team_id_upsert: "true"}, completion_model: gpt}
    environment_variables: {LANGFUSE_HOST: "https://example.com", OTHER: os.environ/SET, NUMBER: 5}
    callback_settings: {otel: {message_logging: false}, own: anything}
    guardrails: [{guardrail_name: g, litellm_params: {guardrail: litellm_content_filter, mode: [pre_call, post_call]}}]
    guardrails: [{guardrail_name: g, litellm_params: {guardrail: bedrock, mode: pre_call, guardrailIdentifier: i, guardrailVersion: "1", default_on: false}}]
    guardrails: [{guardrail_name: g, litellm_params: {guardrail: lakera_v2, mode: during_call, api_key: os.environ/SET, own: 1}}]
    mcp_servers: {server: {url: "https://example.com", transport: http, auth_type: api_key, auth_value: os.environ/SET}}
    mcp_servers: {server: {url: "https://example.com", auth_type: oauth2, oauth2_flow: authorization_code, static_headers: {a: "${b}"}}}
    vector_store_registry: [{vector_store_name: s, litellm_params: {vector_store_id: i, custom_llm_provider: bedrock}}]
    prompts: [{prompt_id: p, litellm_params: {prompt_integration: dotprompt, dotprompt_content: Hello}}]
    policies: {p: {guardrails: {add: [g]}}, q: {inherit: p}}
    files_settings: [{custom_llm_provider: openai, api_key: os.environ/SET}]
    search_tools: [{search_tool_name: s, litellm_params: {search_provider: tavily, api_key: os.environ/SET}}]
    default_vertex_config: {vertex_project: p, vertex_location: us-central1}
    """


def _lines(text: str) -> list[str]:
    """The lines of a table; one that is indented further belongs to the line above."""
    indent = len(text.strip("\n")) - len(text.strip("\n").lstrip())
    joined = text.replace("\n" + " " * (indent + 2), " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]


MISTAKES = [(line, rule) for rule, text in _MISTAKES.items() for line in _lines(text)]
HARMLESS = _lines(_HARMLESS)


def configuration(change: str) -> dict[str, Any]:
    """What is configured anyway, with a change."""
    content: dict[str, Any] = yaml.load(BASE, LOADER)
    patch = yaml.load(change, LOADER)
    first, second = content["model_list"]
    for short, entry, key in (("params", first, "litellm_params"), ("info", first, "model_info")):
        if short in patch:
            entry[key] = merge(entry.get(key), patch.pop(short))
    first |= patch.pop("entry", {})
    second["litellm_params"] |= patch.pop("other", {})
    for key, value in patch.items():
        content[key] = merge(content.get(key), value)
    return content
