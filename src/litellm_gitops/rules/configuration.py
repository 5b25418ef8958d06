"""The proxy's own configuration, as the pinned release of LiteLLM reads it.

Nothing in LiteLLM describes that file. It ends at one mistake, drops a model at another, and passes over a third
without a word. Each rule is for one of these ends. What is known of single settings stands in configuration.yml.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from litellm_gitops import proxy_facts as known
from litellm_gitops.configuration import (
    ENDS,
    KINDS,
    Configuration,
    Fault,
    Faults,
    dotted,
    lacking,
    no_word,
    table,
    wrong,
)
from litellm_gitops.documents import Place, dig, mapping, text, texts
from litellm_gitops.findings import Finding, Misspelt, edit
from litellm_gitops.proxy_facts import REFERENCE, closest
from litellm_gitops.proxy_keys import is_meant, misplaced_keys, misspelt_keys, misspelt_references
from litellm_gitops.repository import Cluster, Values
from litellm_gitops.rules import rule_of_values

Model = dict[Any, Any]


# ---------------------------------------------------------------------------------------------------------------------
# Single settings


def _kinds(config: Configuration) -> Faults:
    for end, kinds in table()["kinds"].items():
        for kind, paths in kinds.items():
            fits, wanted = KINDS[kind.rstrip("?")]
            for place, value in config.at(paths):
                # LiteLLM needs the number of retries before it has read the variables
                reference = text(value).startswith(REFERENCE) and place[-1] != "num_retries"
                function = place == ("litellm_settings", "callbacks") and "." in text(value)
                nothing = kind.endswith("?") and (value is None or value in ("", [], {}))
                if not (reference or function or nothing or fits(value)):
                    yield wrong(end, place, wanted)


def _words(config: Configuration) -> Faults:
    for end, kinds in table()["words"].items():
        for kind, paths in kinds.items():
            words = {*known.words(kind), *(config.own_callbacks if "callbacks" in kind else ())}
            for place, value in config.at(paths):
                function = "." in text(value) and kind in ("callbacks", "logging_callbacks", "guardrails")
                reference = text(value).startswith(REFERENCE) and not isinstance(place[-1], int)
                if isinstance(value, str) and not (value in words or function or reference):
                    yield no_word(end, place, value, words, f"one of LiteLLM's {kind.replace('_', ' ')}")
                elif value is not None and not isinstance(value, str | list | dict):
                    yield wrong(end, place, "text")
    for end, kinds in table()["keys"].items():
        for kind, paths in kinds.items():
            for place, _ in config.at(paths):
                if place[-1] not in known.words(kind):
                    yield no_word(end, place, str(place[-1]), known.words(kind), f"one of LiteLLM's {kind}")


def _required(config: Configuration) -> Faults:
    wanted = [(end, path, keys) for end, paths in table()["required"].items() for path, keys in paths.items()]
    for end, path, keys in wanted:
        for place, value in config.at(path):
            if isinstance(value, dict) and (value or "#" in path):
                missing = (key for key in keys if all(value.get(each, {}) == {} for each in key.split("|")))
                yield from lacking(end, place, (key for key in missing if key.split("|")[0] not in value))
    for entry in table()["required_with"]:
        for place, value in config.at(entry["at"]):
            used = entry["at"] != "litellm_settings.cache_params" or config.get("litellm_settings.cache") is True
            if dig(value, entry["key"]) == entry["is"] and used:
                lacks = (key for key in entry["needs"] if value.get(key) is None)
                yield from lacking(entry.get("end", "starts"), place, lacks)


def _surroundings(config: Configuration) -> Faults:
    """Settings that need something beside the configuration, and those that may not be there."""
    for place, value in config.at(table()["functions"]):
        module, dot, _ = text(value).rpartition(".")
        ours = module.split(".")[0] in ("litellm", "litellm_enterprise") or "://" in module or "/" in module
        if dot and not ours and not config.may_hold(f"{module.replace('.', '/')}.py"):
            what = f"no volume brings the file of {dotted(place)}: {ENDS['starts']}"
            yield Fault("starts", place, what, "mount it below /etc/litellm")
    for place, value in config.at(table()["files"]):
        if isinstance(value, str) and "://" not in value and not config.may_hold(value):
            what = f"no volume brings the file of {dotted(place)}: {ENDS['starts']}"
            yield Fault("starts", place, what, "mount it below /etc/litellm")
    licensed = config.get("general_settings.litellm_license")
    for entry in table()["variables"]:
        name, unless = entry["variable"], entry.get("unless", "")
        for place, value in config.at(entry["at"]):
            needed = value in entry["words"] if "words" in entry else value
            given = dig(config.content, *place[:-1], unless) if unless else name == "LITELLM_LICENSE" and licensed
            if needed and not given and not config.may_have(name):
                what = f"{dotted(place)} needs the variable {name}: {ENDS[entry['end']]}"
                yield Fault(entry["end"], place, what, f"give {name} to the proxy, or take it away")
    for entry in table()["never"]:
        for place, _ in config.at(entry["at"]):
            yield Fault(entry["end"], place, f"{dotted(place)}: {ENDS[entry['end']]}", entry["instead"])


def _redis(config: Configuration) -> Faults:
    settings = mapping(config.get("litellm_settings"))
    params = mapping(settings.get("cache_params"))
    used, kind = settings.get("cache") is True, params.get("type", "local" if settings.get("cache_params") else "redis")
    if settings.get("cache_params") and not params:
        yield wrong("starts" if used else "effect", ("litellm_settings", "cache_params"), "a mapping")
    if params and settings.get("cache") is None:
        place = ("litellm_settings", "cache_params")
        yield Fault("effect", place, f"cache_params without cache: {ENDS['effect']}", "add cache: true")
    target = {"host", "url", "redis_startup_nodes", "startup_nodes", "sentinel_nodes"} & set(params)
    if used and kind == "redis" and not target and not config.has_redis:
        yield from lacking("starts", ("litellm_settings", "cache"), ["the host of a Redis"])
    buffered = config.get("general_settings.use_redis_transaction_buffer") is True
    if buffered and not (
        settings.get("cache") or config.get("general_settings.coordination_redis") or config.has_redis
    ):
        yield from lacking("starts", ("general_settings", "use_redis_transaction_buffer"), ["a Redis"])


def _classes(config: Configuration) -> Faults:
    """What LiteLLM puts into a class, which takes fields of certain types and asks for some."""
    strategy = text(config.get("router_settings.routing_strategy"))
    arguments = known.facts()["strategy_arguments"].get(strategy)
    classes = known.facts()["classes"] | ({"router_settings.routing_strategy_args": arguments} if arguments else {})
    for path, model in classes.items():
        end = "kept" if path.startswith(("model_list", "guardrails")) else "starts"
        if path == "general_settings.alerting_args" and not config.get("general_settings.alerting"):
            continue
        for place, value in config.at(path):
            if isinstance(value, dict):
                yield from _fields(end, place, value, model)
            elif value and path.endswith("_args"):
                yield wrong(end, place, "a mapping")


def _hints(config: Configuration) -> Faults:
    """Values of another type than LiteLLM names, where it does not look whether they are."""
    for path in known.facts()["hints"]:
        for place, value in config.at(path):
            for misfit in known.misfits(path, value, loose=True) if isinstance(value, dict) else ():
                at = (*place, *misfit.place)
                what = f"{dotted(at)} is not what LiteLLM takes: it has no effect, or fails where it is used"
                yield Fault("effect", at, what, f"write {misfit.wanted}")
    for path in table()["complete"].split():
        names = known.hinted(path)
        for place, value in config.at(path):
            for key in map(str, mapping(value)):
                if key not in names:
                    what = f"{dotted((*place, key))} is no name that LiteLLM knows"
                    near = difflib.get_close_matches(key, sorted(names), cutoff=0)
                    yield Fault(
                        "section", (*place, key), what, f"write a name that it knows, such as {' or '.join(near)}"
                    )


def _fields(end: str, place: Place, value: Model, model: str) -> Faults:
    for misfit in known.misfits(model, value):
        at = (*place, *misfit.place)
        if misfit.missing:
            yield from lacking("starts" if misfit.wanted == "model" else end, at, [misfit.wanted])
        elif not misfit.unknown:
            yield wrong(end, at, misfit.wanted)
        elif not closest(misfit.wanted, known.fields(model)):
            yield Fault(end, at, f"{dotted(at)} does not exist: {ENDS[end]}", "take it away, or correct its name")
    closed = known.extra(model)
    for key in value if closed != "allow" else ():
        if meant := str(key) not in known.fields(model) and closest(str(key), known.fields(model)):
            what = f"{dotted((*place, key))} is no name that LiteLLM knows"
            ends = end if closed == "forbid" else "section"
            yield Fault(ends, (*place, key), what, f"did you mean {meant}?", meant)


# ---------------------------------------------------------------------------------------------------------------------
# Models, their names and what names them


def _models(config: Configuration) -> Faults:
    providers = known.words("providers") | known.words("callbacks")
    providers |= {text(each) for _, each in config.at("litellm_settings.custom_provider_map.*.provider")}
    credentials = {text(each) for _, each in config.at("credential_list.*.credential_name")}
    listed = _is_whole(config.get("credential_list"), "credential_name")
    for place, params in config.at("model_list.*.litellm_params"):
        yield from _provider(place, mapping(params), providers)
        for parameter, (form, wanted) in _FORMS.items():
            found, at = text(mapping(params).get(parameter)), (*place, parameter)
            reference = found.startswith(REFERENCE) or is_meant(at, found)  # one that is misspelt is told below
            if found and not reference and not re.fullmatch(form, found):
                yield wrong("calls", at, wanted)
        name = mapping(params).get("litellm_credential_name")
        if isinstance(name, str) and name not in credentials and listed and not config.has_store:
            what = "litellm_credential_name names a credential that credential_list does not have"
            yield Fault("effect", (*place, "litellm_credential_name"), what, "correct the name")
    for place, mode in config.at("model_list.*.model_info.mode"):
        modes = table()["modes"].split()
        if isinstance(mode, str) and mode not in modes and not mode.startswith(REFERENCE):
            yield no_word("effect", place, mode, modes, f"one of {', '.join(modes)}")
    for place, entry in config.at("model_list.*"):
        for key in map(str, mapping(entry)):
            if meant := closest(key, _PARTS_OF_A_MODEL):
                yield Fault("section", (*place, key), f"{key} is no part of a model", f"did you mean {meant}?", meant)
        for part in ("litellm_params", "model_info"):
            if part in mapping(entry) and not isinstance(entry[part], dict):
                continue  # of which the kinds tell
            # LiteLLM looks for these two beside the parameters as well
            fields = known.fields(known.facts()["classes"][f"model_list.*.{part}"]) - {"tpm", "rpm", "model_info"}
            for key in {*mapping(entry)} & (fields | ({"mode"} if part == "model_info" else set())):
                what = f"{key} stands beside {part}, and {ENDS['section']}"
                yield Fault("section", (*place, key), what, f"move it into {part}")


@cache
def _endpoints() -> list[str]:
    return [re.sub(r"https?://", "", each) for each in known.words("endpoints")]


_PARTS_OF_A_MODEL = ("model_name", "litellm_params", "model_info")
_SIDE = r"(?:central|north|south|(?:north|south)?(?:east|west))"
_FORMS = {  # of a parameter: (a pattern, what it must be)
    "aws_region_name": (rf"[a-z]{{2,4}}(?:-[a-z]+)?-{_SIDE}-\d", "a place of that cloud, such as us-east-1"),
    "vertex_location": (rf"global|us|eu|[a-z]+-{_SIDE}\d{{1,2}}", "a place of that cloud, such as us-central1"),
    "api_base": (r"https?://[^\s/].*", "an address, such as https://example.openai.azure.com/"),
    "api_version": (r"(?!\d{4}-\d\d).*|\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])(?:-.+)?", "a date, such as 2025-04-01"),
}


def _provider(place: Place, params: Model, providers: frozenset[str]) -> Faults:
    model, named = text(params.get("model")), params.get("custom_llm_provider")
    start, slash, rest = model.partition("/")
    ends = _endpoints()
    if isinstance(named, str) and not named.startswith(REFERENCE):
        if named not in providers:
            yield no_word("kept", (*place, "custom_llm_provider"), named, providers, "a provider of LiteLLM")
    elif slash and not rest:
        yield wrong("kept", (*place, "model"), "<provider>/<model>, such as openai/gpt-4o")
    elif not model or model.startswith(REFERENCE) or (slash and start in providers):
        pass
    elif any(each in text(params.get("api_base")) for each in ends):
        pass  # LiteLLM knows the provider by its address
    elif slash:
        yield no_word("kept", (*place, "model"), start, providers, "<provider>/<model> with a provider of LiteLLM")
    elif model not in known.words("models") | {"*"} and not re.search(r"claude-|ft:gpt-|\Agpt-image|:.{64}", model):
        yield wrong("kept", (*place, "model"), "<provider>/<model>, such as openai/gpt-4o")


_FALLBACKS = ("fallbacks", "content_policy_fallbacks", "context_window_fallbacks")


def _is_whole(entries: Any, key: str) -> bool:
    """Whether each entry of a list has its name, or there is no list; else what names an entry follows from that."""
    return entries is None or (isinstance(entries, list) and all(key in mapping(each) for each in entries))


def _names(config: Configuration) -> Faults:
    """What names a model that is not there."""
    names = [text(each) for _, each in config.at("model_list.*.model_name router_settings.routing_groups.*.group_name")]
    names += [str(alias) for alias in mapping(config.get("router_settings.model_group_alias"))]
    named = [
        *config.at("router_settings.routing_groups.*.models", "general_settings.completion_model"),
        *config.at("router_settings.default_fallbacks", "litellm_settings.default_fallbacks"),
        *config.at("litellm_settings.public_model_groups"),
        *((place, place[-1]) for place, _ in config.at("router_settings.model_group_retry_policy.*")),
        *((place, dig(to, "model") or to) for place, to in config.at("router_settings.model_group_alias.*")),
    ]
    for name in _FALLBACKS:
        yield from _fallbacks(config, name)
        for place, entry in config.at(f"router_settings.{name}.*", f"litellm_settings.{name}.*"):
            named += [(place, [key for key in mapping(entry) if key != "*"])]
            named += [((*place, key), targets) for key, targets in mapping(entry).items()]
    unknown = config.has_store or not _is_whole(config.get("model_list"), "model_name")
    for place, targets in () if unknown else named:
        for target in [targets] if isinstance(targets, str) else texts(targets):
            if not target.startswith(REFERENCE) and not any(fnmatch.fnmatchcase(target, each) for each in names):
                end = "calls" if place[-1] == "completion_model" else "effect"
                what = f"{dotted(place)} names a model that model_list does not have"
                yield Fault(end, place, what, "correct the name, or add the model")


def _fallbacks(config: Configuration, name: str) -> Faults:
    end = "effect" if name == "context_window_fallbacks" else "starts"
    for place, entry in config.at(f"router_settings.{name}.*", f"litellm_settings.{name}.*"):
        if isinstance(place[-1], int) and (not isinstance(entry, dict) or len(entry) != 1):
            yield wrong(end, place, "a mapping with one model, one entry for each")
            if not isinstance(entry, dict):
                return  # nor will the others be
        for key, targets in mapping(entry).items():
            if isinstance(place[-1], int) and not isinstance(targets, list):
                yield wrong(end, (*place, key), "a list of models")
    if config.get(f"router_settings.{name}") and config.get(f"litellm_settings.{name}"):
        what = f"router_settings.{name} is there as well, and wins"
        yield Fault("effect", ("litellm_settings", name), what, "move its entries there")


def _others(config: Configuration) -> Faults:
    for place, value in config.at("mcp_servers.*"):
        if "-" in str(place[-1]):
            what = f"the name {place[-1]} of an MCP server has a hyphen: {ENDS['starts']}"
            yield Fault("starts", place, what, "write an underscore")
        flows = ("client_credentials", "authorization_code")
        if dig(value, "auth_type") == "oauth2" and dig(value, "oauth2_flow") not in (None, *flows):
            yield wrong("starts", (*place, "oauth2_flow"), " or ".join(flows))
    for place, value in config.at("policies.*.inherit"):
        if isinstance(value, str) and value not in mapping(config.get("policies")):
            yield wrong("starts", place, "the name of a policy")
    for place, value in () if config.has_store else config.at("policy_attachments.*.policy"):
        if isinstance(value, str) and value not in mapping(config.get("policies")):
            yield wrong("effect", place, "the name of a policy")


# ---------------------------------------------------------------------------------------------------------------------

_OF_KEYS = (misplaced_keys, misspelt_keys)
_AROUND = (_surroundings, _redis, _others, *_OF_KEYS, misspelt_references)
_CHECKS = (_kinds, _required, _models, _classes, _names, _words, *_AROUND, _hints)
BY_ITSELF = (_kinds, _required, _models, _classes, _words, *_OF_KEYS, _hints)  # whatever is around it


@lru_cache(maxsize=16)
def faults(cluster: Cluster) -> tuple[Fault, ...]:
    """All that is wrong with the configuration of a cluster: in one place one mistake, the first that is found."""
    values = cluster.values
    content = values.pod.config() if values else None
    if values is None or not isinstance(content, dict):
        return ()  # the schema of the values says so
    found: dict[Place, Fault] = {}
    for check in _CHECKS:
        for fault in check(Configuration(values, content)):
            if not any(fault.place[: len(place)] == place for place in found):
                found[fault.place] = fault
    return tuple(found.values())


def _ends_in(end: str, values: Values) -> Iterator[Finding]:
    for fault in faults(values.cluster):
        if fault.end == end:
            found = values.finding((*values.chart.config, *fault.place), fault.what, edit(fault.fix))
            slip = Misspelt(str(fault.place[-1]), fault.meant) if fault.meant else None
            yield replace(found, misspelt=slip, form=fault.form)


@rule_of_values
def the_proxy_starts_with_its_configuration(values: Values) -> Iterator[Finding]:
    """Nothing in it makes the proxy end before it serves."""
    return _ends_in("starts", values)


@rule_of_values
def every_model_is_kept_by_the_proxy(values: Values) -> Iterator[Finding]:
    """No model and no guardrail is left out because of a parameter."""
    return _ends_in("kept", values)


@rule_of_values
def no_setting_makes_calls_fail(values: Values) -> Iterator[Finding]:
    """The proxy that starts answers as well."""
    return _ends_in("calls", values)


@rule_of_values
def every_setting_takes_effect(values: Values) -> Iterator[Finding]:
    """No value is passed over in silence."""
    return _ends_in("effect", values)


@rule_of_values
def every_setting_stands_in_its_section(values: Values) -> Iterator[Finding]:
    """No key is misspelt, or stands where LiteLLM does not look for it."""
    return _ends_in("section", values)


@rule_of_values
def every_os_environ_reference_is_spelt_right(values: Values) -> Iterator[Finding]:
    """What is meant for a variable is read as one."""
    return _ends_in("spelt", values)
