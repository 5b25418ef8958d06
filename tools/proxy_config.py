"""What the pinned release of LiteLLM Proxy knows of its configuration, as facts, without any of its code.

`python -m tools.proxy_config` writes src/litellm_gitops/schemas/proxy-config.json anew; with `-` it prints the JSON.
It runs in .venv-proxy, which `make proxy` installs. No part of LiteLLM describes the file, so the keys of its sections
are what its source asks for (by its syntax tree), and the types are those of the classes that values are put into.
"""

from __future__ import annotations

import ast
import collections.abc
import datetime
import enum
import inspect
import json
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module, metadata, util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
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
ARGUMENTS = {  # of a strategy, by its name
    "latency-based-routing": "litellm.router_strategy.lowest_latency.RoutingArgs",
    "usage-based-routing": "litellm.router_strategy.lowest_tpm_rpm.RoutingArgs",
    "usage-based-routing-v2": "litellm.router_strategy.lowest_tpm_rpm_v2.RoutingArgs",
}
# What a class asks for and LiteLLM itself fills in, and what it takes under a second name before the class sees it.
FILLED_IN = {
    "MCPServer": {"name", "server_id", "transport"},
    "ModelInfo": {"id"},
    "PromptInfo": {"prompt_type"},
    "PromptSpec": {"prompt_info"},
}
# Classes that look at unknown keys themselves.
CLOSED = {"LiteLLM_JWTAuth"}
SECOND_NAMES = {"BudgetConfig": {"time_period": "budget_duration", "budget_limit": "max_budget"}}
# What LiteLLM itself takes apart before the class sees it.
WIDER: dict[str, dict[str, Any]] = {"LiteLLM_Params": {"organization": {"list": "str"}}, "ModelInfo": {"id": "int"}}
PLAIN = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null", dict: "dict", list: "list"}
PLAIN |= {datetime.datetime: "datetime", datetime.time: "time"}


def load(name: str) -> Any:
    """A class by its full name."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


# ---------------------------------------------------------------------------------------------------------------------
# Types


class Types:
    """The types of classes, as JSON: a name, a list (any of these), or a mapping with one key.

    {"list": type}, {"dict": type of the values}, {"enum": values}, {"model": name of a class in `models`}.
    """

    def __init__(self) -> None:
        self.models: dict[str, Any] = {}

    def of(self, hint: Any) -> Any:
        """The type of an annotation; "any" where anything fits."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if hint in PLAIN:
            return PLAIN[hint]
        if origin in (typing.Union, types.UnionType):
            return self.either(arguments)
        if origin is typing.Literal:
            return {"enum": [getattr(each, "value", each) for each in arguments]}
        if origin is typing.Annotated or str(origin).endswith(("Required", "ReadOnly")):
            return self.of(arguments[0])
        if origin in (list, tuple, set, collections.abc.Sequence):
            return {"list": self.of(arguments[0])}
        if origin in (dict, collections.abc.Mapping):
            return {"dict": self.of(arguments[1])}
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"enum": [each.value for each in hint]}
        if hasattr(hint, "model_fields") or typing.is_typeddict(hint):
            return {"model": self.model(hint)}
        return "any"

    def either(self, hints: tuple[Any, ...]) -> Any:
        """Any of some types, but those that no YAML can be, such as a class of httpx."""
        if {object, Any} & set(hints):
            return "any"
        found: list[Any] = []
        for hint in hints:
            kind = self.of(hint)
            found += [kind] if kind not in found and not (kind == "any" and inspect.isclass(hint)) else []
        return "any" if "any" in found else found

    def model(self, owner: Any) -> str:
        """The name under which a class stands in `models`."""
        name = f"{owner.__module__}.{owner.__qualname__}".removeprefix("litellm.")
        if name not in self.models:
            self.models[name] = {}  # before its fields, which may name it
            self.models[name] = self.described(owner)
        return name

    def described(self, owner: Any) -> dict[str, Any]:
        """The fields of a class, those that it asks for, and what it does with others."""
        hints: dict[str, Any] = {}
        if hasattr(owner, "model_fields"):
            hints = {key: each.annotation for key, each in owner.model_fields.items()}
            for key in changed_before(owner):
                hints[key] = Any
            required = {key for key, each in owner.model_fields.items() if each.is_required()}
            extra = owner.model_config.get("extra") or "ignore"
        else:
            hints |= typing.get_type_hints(owner)
            required, extra = set(owner.__required_keys__), "ignore"
        short = owner.__name__
        fields = {key: self.of(hint) for key, hint in hints.items()}
        fields |= {key: [*fields[key], kind] for key, kind in WIDER.get(short, {}).items()}
        fields |= {second: fields[key] for second, key in SECOND_NAMES.get(short, {}).items()}
        wanted = sorted(required - FILLED_IN.get(short, set()))
        return {"fields": fields, "required": wanted, "extra": "forbid" if short in CLOSED else extra}


def changed_before(owner: Any) -> Iterator[str]:
    """The fields that a function of the class sees before their type does."""
    for decorator in owner.__pydantic_decorators__.field_validators.values():
        if decorator.info.mode != "after":
            yield from owner.model_fields if "*" in decorator.info.fields else decorator.info.fields


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
                if "_settings" in text or "getattr(litellm" in text:
                    found[f"{package}/{file.relative_to(folder)}"] = ast.parse(text)
    return found


def asked(named: Callable[[str], bool], nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Each text that stands in `X.get(text)`, `X[text]` or `text in X`, where X is a variable of such a name."""

    def is_owner(node: ast.AST) -> bool:
        return named(getattr(node, "id", getattr(node, "attr", "")))

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
    found: dict[str, Iterable[str]] = {
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
        "strategies": strategies,
    }
    return {name: sorted({str(getattr(each, "value", each)) for each in found[name]}) for name in found}


def facts() -> dict[str, Any]:
    """All of them."""
    typed = Types()
    classes = {place: typed.model(load(name)) for place, name in CLASSES.items()}
    arguments = {strategy: typed.model(load(name)) for strategy, name in ARGUMENTS.items()}
    version = metadata.version("litellm")
    known = {"version": version, "sections": sections(), "words": words()}
    used: set[str] = set()
    waiting = [*classes.values(), *arguments.values()]
    while waiting:
        used.add(name := waiting.pop())
        waiting += [each for each in named([*typed.models[name]["fields"].values()]) if each not in used]
    models = {name: typed.models[name] for name in sorted(used)}
    return {**known, "classes": classes, "strategy_arguments": arguments, "models": models}


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
