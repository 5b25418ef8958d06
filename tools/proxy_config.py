"""What the pinned release of LiteLLM Proxy knows of its configuration, as facts, without any of its code.

`python -m tools.proxy_config` writes src/litellm_gitops/schemas/proxy-config.json anew; with `-` it prints the JSON.
It runs in .venv-proxy, which `make proxy` installs. No part of LiteLLM describes the file, so the keys of its sections
are what its source asks for (by its syntax tree), and the types are those of the classes that values are put into.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module, metadata, util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
from litellm_gitops.spelling import closest  # noqa: E402 - this is run by a Python that has none of them installed
from tools.proxy_types import Types  # noqa: E402

TARGET = ROOT / "src" / "litellm_gitops" / "schemas" / "proxy-config.json"
PYTHON = ROOT / ".venv-proxy" / "bin" / "python"

# Where LiteLLM puts a part of the configuration into a class, which then refuses what does not fit ("*": each entry).
CLASSES = {
    "credential_list.*": "litellm.models.credentials.CredentialItem",
    "default_vertex_config": "litellm.types.passthrough_endpoints.vertex_ai.VertexPassThroughCredentials",
    "general_settings.alerting_args": "litellm.types.integrations.slack_alerting.SlackAlertingArgs",
    "general_settings.coordination_redis": "litellm.proxy._types.CoordinationRedisParams",
    "general_settings.key_management_settings": "litellm.types.secret_managers.main.KeyManagementSettings",
    "general_settings.litellm_jwtauth": "litellm.proxy._types.LiteLLM_JWTAuth",
    "general_settings.plugins.*": "litellm.proxy._types.PluginConfig",
    "general_settings.role_permissions.*": "litellm.proxy._types.RoleBasedPermissions",
    "guardrails.*.litellm_params": "litellm.types.guardrails.LitellmParams",
    "litellm_settings.default_team_settings.*": "litellm.proxy._types.TeamDefaultSettings",
    "litellm_settings.model_group_settings": "litellm.types.router.ModelGroupSettings",
    "litellm_settings.priority_reservation_settings": "litellm.types.utils.PriorityReservationSettings",
    "litellm_settings.upperbound_key_generate_params": (
        "litellm.types.proxy.management_endpoints.ui_sso.LiteLLM_UpperboundKeyGenerateParams"
    ),
    "mcp_servers.*": "litellm.types.mcp_server.mcp_server_manager.MCPServer",
    "model_list.*.litellm_params": "litellm.types.router.LiteLLM_Params",
    "model_list.*.model_info": "litellm.types.router.ModelInfo",
    "policies.*.guardrails": "litellm.types.proxy.policy_engine.policy_types.PolicyGuardrails",
    "prompts.*": "litellm.types.prompts.init_prompts.PromptSpec",
    "router_settings.allowed_fails_policy": "litellm.types.router.AllowedFailsPolicy",
    "router_settings.provider_budget_config.*": "litellm.types.utils.BudgetConfig",
    "router_settings.retry_policy": "litellm.types.router.RetryPolicy",
    "router_settings.routing_groups.*": "litellm.types.router.RoutingGroup",
}
# Where LiteLLM names types and does not hold to them: by a class, by what a function takes, by what a module holds.
HINTS = {
    "general_settings": ["litellm.proxy._types.ConfigGeneralSettings"],
    "general_settings.pass_through_endpoints.*": ["litellm.proxy._types.PassThroughGenericEndpoint"],
    "litellm_settings": ["litellm"],
    "litellm_settings.cache_params": ["redis.Redis", "litellm.caching.caching.Cache"],
    "litellm_settings.default_internal_user_params": ["litellm.proxy._types.NewUserRequest"],
    "litellm_settings.default_key_generate_params": [
        "litellm.types.proxy.management_endpoints.key_requests.GenerateKeyRequest"
    ],
    "litellm_settings.default_team_params": ["litellm.types.proxy.management_endpoints.ui_sso.DefaultTeamSSOParams"],
    "litellm_settings.key_generation_settings.personal_key_generation": [
        "litellm.types.utils.PersonalUIKeyGenerationConfig"
    ],
    "litellm_settings.key_generation_settings.team_key_generation": ["litellm.types.utils.TeamUIKeyGenerationConfig"],
    "litellm_settings.key_generation_settings": ["litellm.types.utils.StandardKeyGenerationConfig"],
    "litellm_settings.prometheus_metrics_config.*": ["litellm.types.integrations.prometheus.PrometheusMetricsConfig"],
    "model_list.*.litellm_params": ["litellm.completion"],
    "model_list.*.model_info": ["litellm.types.utils.ModelInfoBase"],
    "policy_attachments.*": ["litellm.types.proxy.policy_engine.policy_types.PolicyAttachment"],
    "policies.*": ["litellm.types.proxy.policy_engine.policy_types.Policy"],
    "router_settings": ["litellm.Router"],
    "router_settings.model_group_retry_policy.*": ["litellm.types.router.RetryPolicy"],
    "search_tools.*": ["litellm.types.router.SearchToolTypedDict"],
    "search_tools.*.litellm_params": ["litellm.types.router.SearchToolLiteLLMParams"],
}
# What LiteLLM reads by a variable of such a name, beside the fields of the class.
ASKED = {
    "litellm_settings.default_internal_user_params": "default_internal_user_params",
    "model_list.*.litellm_params": "litellm_params",
    "model_list.*.model_info": "model_info",
}
# Parts that take any key: one that is nearly one of these names is a slip, unless LiteLLM's source has that word, too.
OPEN = (
    "general_settings.pass_through_endpoints.*",
    "guardrails.*.litellm_params",
    "litellm_settings.cache_params",
    "litellm_settings.default_internal_user_params",
    "litellm_settings.default_key_generate_params",
    "litellm_settings.prometheus_metrics_config.*",
    "mcp_servers.*",
    "model_list.*.litellm_params",
    "model_list.*.model_info",
    "policies.*",
    "policy_attachments.*",
    "search_tools.*",
    "search_tools.*.litellm_params",
)
ARGUMENTS = {  # of a strategy, by its name
    "latency-based-routing": "litellm.router_strategy.lowest_latency.RoutingArgs",
    "usage-based-routing": "litellm.router_strategy.lowest_tpm_rpm.RoutingArgs",
    "usage-based-routing-v2": "litellm.router_strategy.lowest_tpm_rpm_v2.RoutingArgs",
}


def load(name: str) -> Any:
    """A module, or what is in one, by its full name."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute) if module else import_module(attribute)


# ---------------------------------------------------------------------------------------------------------------------
# Keys that the source asks for


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of each module of LiteLLM that mentions a section, by its path."""
    found = {}
    for package in ("litellm", "litellm_enterprise"):
        spec = util.find_spec(package)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            for file in sorted(Path(folder).rglob("*.py")):
                text = file.read_text("utf-8")
                if any(word in text for word in ("_settings", "getattr(litellm", "service_callback", "self.alerting")):
                    found[f"{package}/{file.relative_to(folder)}"] = ast.parse(text)
    return found


def asked(named: Callable[[str], bool], nodes: Iterable[ast.AST], inner: bool = False) -> Iterator[str]:
    """Each text that stands in `X.get(text)`, `X[text]` or `text in X`, where X is a variable of such a name.

    With `inner` X may be `Y[name]` as well.
    """

    def is_owner(node: ast.AST) -> bool:
        of_another = getattr(getattr(node, "slice", None), "value", "") if inner else ""
        return named(str(getattr(node, "id", getattr(node, "attr", of_another))))

    for root in nodes:
        for node in ast.walk(root):
            key: ast.AST | None = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                key = node.args[0] if node.func.attr == "get" and is_owner(node.func.value) else None
            elif isinstance(node, ast.Subscript):
                key = node.slice if is_owner(node.value) else None
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
                key = node.left if is_owner(node.comparators[0]) else None
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value


def plain_kinds(named: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Each text in `X.get(text)` where X is a variable of such a name, with the plain type that the source shows.

    That is by its default, by `is True` or `is False`, or by `bool(…)`.
    """

    def got(node: ast.AST) -> tuple[str, ast.AST | None]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            owner = node.func.value
            if node.args and named(getattr(owner, "id", getattr(owner, "attr", ""))):
                return str(getattr(node.args[0], "value", "")), node.args[1] if len(node.args) > 1 else None
        return "", None

    for node in (node for tree in trees().values() for node in ast.walk(tree)):
        key, shown = got(node)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is):
            key, shown = got(node.left)[0], node.comparators[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "bool" and node.args:
            key, shown = got(node.args[0])[0], ast.Constant(True)
        kind = {bool: "bool", int: "float", float: "float"}.get(type(getattr(shown, "value", None)))
        if key and kind:
            yield key, kind


def by_variable(place: str) -> Iterator[str]:
    """The names that LiteLLM asks for in a variable that holds a part of the configuration."""
    if variable := ASKED.get(place):
        yield from asked(lambda name: name.endswith(variable), trees().values(), inner=True)


def hints(known: dict[str, list[str]], classes: dict[str, Any]) -> dict[str, Any]:
    """What LiteLLM names types for and does not hold to, by its place, but for the fields of the class there."""
    typed, found = Types(deep=False), {}
    for place, names in HINTS.items():
        fields = typed.hinted(map(load, names))
        if place == "general_settings":
            fields = {**dict(plain_kinds(lambda name: name.endswith("general_settings"))), **fields}
        fields = {**dict.fromkeys(by_variable(place), "any"), **fields}
        of_class = classes.get(place, ())
        found[place] = {key: fields[key] for key in fields if key in known.get(place, fields) and key not in of_class}
    return found


def near(found: dict[str, set[str]]) -> dict[str, list[str]]:
    """The words of LiteLLM's source that are nearly one of some names, and none of them."""
    folder = Path(inspect.getfile(import_module("litellm"))).parent
    name = re.compile(r"""["']([A-Za-z]\w+)["']|\b([A-Za-z]\w+) ?[:=]""")
    files = (file.read_text("utf-8") for file in folder.rglob("*.py"))
    every = {one or other: letters(one or other) for text in files for one, other in name.findall(text)}
    return {place: [*nearly(every, {each: letters(each) for each in found[place]})] for place in found}


def letters(word: str) -> int:
    """Which letters a word has, as bits: two words that differ in two letters differ in four bits at most."""
    return sum({1 << ord(each) for each in word})


def nearly(every: dict[str, int], names: dict[str, int]) -> Iterator[str]:
    """Each word that `closest` takes for one of some names."""
    for word in sorted(every.keys() - names.keys()):
        few = [each for each in names if (names[each] ^ every[word]).bit_count() < 5 and abs(len(each) - len(word)) < 3]
        if few and closest(word, few):
            yield word


def compared(name: str, roots: Iterable[ast.AST]) -> Iterator[str]:
    """Each text that a variable is compared with, by == or by in."""
    for root in roots:
        for node in ast.walk(root):
            if isinstance(node, ast.Compare) and getattr(node.left, "id", "") == name:
                for part in ast.walk(node.comparators[0]):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value


def functions(*names: str) -> list[ast.AST]:
    """The functions and classes of these names."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = (node for tree in trees().values() for node in ast.walk(tree))
    return [node for node in nodes if isinstance(node, kinds) and node.name in names]


def library() -> Iterator[str]:
    """The names that litellm/__init__ assigns or imports and that hold a value, but no list of models."""
    litellm = import_module("litellm")
    for node in ast.walk(trees()["litellm/__init__.py"]):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [each.id for each in targets if isinstance(each, ast.Name)]
        if isinstance(node, ast.ImportFrom):
            names = [each.asname or each.name for each in node.names]
        for name in names:
            value = getattr(litellm, name, asked)  # a function where there is no such attribute
            hidden = name.startswith("_") or name.endswith("_models") or name.isupper()
            if not (hidden or callable(value) or inspect.ismodule(value)):
                yield name


def by_getattr() -> Iterator[str]:
    """Each text in `getattr(litellm, text)`."""
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr" and len(node.args) > 1:
                owner, key = node.args[:2]
                if getattr(owner, "id", "") == "litellm" and isinstance(key, ast.Constant):
                    yield str(key.value)


def sections() -> dict[str, list[str]]:
    """The keys that each section knows; the top of the file is the section without a name."""
    everywhere = trees().values()
    router = load("litellm.Router").get_valid_args()
    managed = import_module("litellm.constants").ROUTER_SETTINGS_MANAGED_OUTSIDE_CONFIG
    general = {*load("litellm.proxy._types.ConfigGeneralSettings").model_fields}
    settings = {*library(), *by_getattr(), *compared("key", functions("load_config"))}
    keys = {
        "": {"include", *asked(lambda name: name in ("config", "_config"), functions("ProxyConfig", "run_server"))},
        "general_settings": general | {*asked(lambda name: name.endswith("general_settings"), everywhere)},
        "litellm_settings": settings | {*asked(lambda name: name.endswith("litellm_settings"), everywhere)},
        "router_settings": set(router) - managed,
    }
    return {section: sorted(filter(re.compile(r"[a-z][a-z0-9_]+").fullmatch, set(keys[section]))) for section in keys}


# ---------------------------------------------------------------------------------------------------------------------
# Words that a setting may be


def callbacks() -> set[str]:
    """What `callbacks` may name, besides a function in a file."""
    litellm = import_module("litellm")
    source = Path(inspect.getfile(litellm)).parent / "integrations" / "generic_api"
    generic = json.loads((source / "generic_api_compatible_callbacks.json").read_text("utf-8"))
    by_name = compared("callback", functions("initialize_callbacks_on_proxy"))
    return {*litellm._known_custom_logger_compatible_callbacks, *by_name, *generic}


def bare_models() -> list[str]:
    """The names of models that need no provider before them."""
    litellm = import_module("litellm")
    names = [name for name in litellm.model_cost if "/" not in name]
    return sorted(filter(has_provider, names))


def has_provider(model: str) -> bool:
    """Whether LiteLLM finds the provider of a model by its name."""
    try:
        return bool(import_module("litellm").get_llm_provider(model=model)[1])
    except Exception:
        return False


def words() -> dict[str, list[str]]:
    """The words that LiteLLM knows, by what they are for."""
    litellm = import_module("litellm")
    registry = import_module("litellm.proxy.guardrails.guardrail_registry")
    json_providers = load("litellm.llms.openai_like.json_loader.JSONProviderRegistry")
    logged = compared(
        "callback", functions("success_handler", "async_success_handler", "failure_handler", "set_callbacks")
    )
    strategies = {*typing.get_args(load("litellm.types.litellm_params.RoutingStrategyName"))}
    strategies |= {each.value for each in load("litellm.types.router.RoutingStrategy")}
    checks = typing.get_args(typing.get_args(load("litellm.types.router.OptionalPreCallChecks"))[0])
    services = compared("callback", functions("async_service_success_hook", "async_service_failure_hook"))
    found: dict[str, Iterable[str]] = {
        "alert_channels": {*asked(lambda name: name == "alerting", trees().values()), *callbacks()},
        "alert_types": [each.value for each in load("litellm.types.integrations.slack_alerting.AlertType")],
        "cache_types": [each.value for each in load("litellm.types.caching.LiteLLMCacheType")],
        "callbacks": callbacks(),
        "endpoints": litellm.openai_compatible_endpoints,
        "guardrail_modes": [each.value for each in load("litellm.types.guardrails.GuardrailEventHooks")],
        "guardrails": registry.guardrail_initializer_registry,
        "key_managers": [each.value for each in load("litellm.types.secret_managers.main.KeyManagementSystem")],
        "logging_callbacks": {*callbacks(), *logged},
        "mcp_auth_types": [each.value for each in load("litellm.types.mcp.MCPAuth")],
        "mcp_transports": [each.value for each in load("litellm.types.mcp.MCPTransport")],
        "models": bare_models(),
        "pre_call_checks": checks,
        "prompt_integrations": import_module("litellm.proxy.prompts.prompt_registry").prompt_initializer_registry,
        "providers": [*(getattr(each, "value", each) for each in litellm.provider_list), *json_providers._providers],
        "service_callbacks": {*services, *callbacks()},
        "strategies": strategies,
    }
    return {name: sorted({str(getattr(each, "value", each)) for each in found[name]}) for name in found}


def facts() -> dict[str, Any]:
    """All of them."""
    typed = Types()
    classes = {place: typed.model(load(name)) for place, name in CLASSES.items()}
    arguments = {strategy: typed.model(load(name)) for strategy, name in ARGUMENTS.items()}
    known: dict[str, Any] = {"version": metadata.version("litellm"), "sections": sections(), "words": words()}
    used: set[str] = set()
    waiting = [*classes.values(), *arguments.values()]
    while waiting:
        used.add(name := waiting.pop())
        waiting += [each for each in named([*typed.models[name]["fields"].values()]) if each not in used]
    models = {name: typed.models[name] for name in sorted(used)}
    fields = {place: typed.models[name]["fields"] for place, name in classes.items()}
    hinted = hints(known["sections"], fields)
    used_words = near({place: {*fields.get(place, ()), *hinted.get(place, ())} for place in OPEN})
    found = {"classes": classes, "strategy_arguments": arguments, "models": models}
    return {**known, **found, "hints": hinted, "near": used_words}


def named(kind: Any) -> Iterator[str]:
    """The classes that a type names."""
    for key, part in kind.items() if isinstance(kind, dict) else enumerate(kind if isinstance(kind, list) else ()):
        if key == "model":
            yield part
        else:
            yield from named(part)


def write(content: dict[str, Any]) -> str:
    """The JSON, with each list or class on a line of its own."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            inner = (f"  {json.dumps(name)}: {json.dumps(value[name], sort_keys=True)}" for name in sorted(value))
            lines.append(f"{json.dumps(key)}: {{\n" + ",\n".join(inner) + "\n}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Write the facts, or print them."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    if util.find_spec("litellm") is None:
        os.execv(PYTHON, [str(PYTHON), "-P", __file__, *sys.argv[1:]])
    text = write(facts())
    if sys.argv[1:] == ["-"]:
        print(text, end="")
    else:
        TARGET.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
