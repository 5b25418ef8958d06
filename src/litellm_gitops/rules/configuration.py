"""The proxy's own configuration, as the pinned release of LiteLLM reads it.

Nothing in LiteLLM describes that file. It ends at one mistake, drops a model at another, and passes over a third
without a word. Each rule is for one of these ends. What is known of single settings stands in configuration.yml.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
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
from litellm_gitops.documents import Place, dig, mapping, text
from litellm_gitops.findings import Finding, Misspelt, edit
from litellm_gitops.proxy_facts import REFERENCE
from litellm_gitops.proxy_keys import misplaced_keys, misspelt_keys, misspelt_references
from litellm_gitops.proxy_models import models, names_of_guardrails, names_of_models
from litellm_gitops.repository import Cluster, Values
from litellm_gitops.rules import rule_of_values
from litellm_gitops.spelling import closest

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


def _amounts(config: Configuration) -> Faults:
    for end, amounts in table()["least"].items():
        for least, paths in amounts.items():
            for place, value in config.at(paths):
                if isinstance(value, int | float) and not isinstance(value, bool) and value < least:
                    yield wrong(end, place, f"{least} or more")


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
    for end, paths in table()["files"].items():
        for place, value in config.at(paths):
            is_file = isinstance(value, str) and "://" not in value and (end == "starts" or value.startswith("/"))
            if is_file and not config.may_hold(value):
                fix = "mount it below /etc/litellm" if end == "starts" else "correct the path, or mount the file there"
                yield Fault(end, place, f"no volume brings the file of {dotted(place)}: {ENDS[end]}", fix)
    yield from _variables(config)
    for entry in table()["never"]:
        for place, _ in config.at(entry["at"]):
            yield Fault(entry["end"], place, f"{dotted(place)}: {ENDS[entry['end']]}", entry["instead"])


def _variables(config: Configuration) -> Faults:
    """Variables that a setting needs."""
    licensed = config.get("general_settings.litellm_license")
    for entry in table()["variables"]:
        names, unless = entry["variable"].split("|"), entry.get("unless", "").split()
        for place, value in config.at(entry["at"]):
            needed = value in entry["words"] if "words" in entry else value
            beside = (config.get(each) if "." in each else dig(config.content, *place[:-1], each) for each in unless)
            given = any(beside) or (names == ["LITELLM_LICENSE"] and licensed)
            if needed and not given and not config.may_have(*names):
                what = f"{dotted(place)} needs the variable {' or '.join(names)}: {ENDS[entry['end']]}"
                yield Fault(entry["end"], place, what, f"give {names[0]} to the proxy, or take it away")


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
            kinds = known.facts()["hints"][path] if path == "litellm_settings" else {}
            for key, given in mapping(value).items():
                if kinds.get(key) == "bool" and text(given).lower() in ("false", "no", "off"):
                    what = f"{dotted((*place, key))} is a text, which LiteLLM takes for true"
                    yield Fault("effect", (*place, key), what, "write false, without quotes")
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


_SECTIONS = "general_settings.* litellm_settings.* router_settings.*"
_SLIPS = ("tre", "tru", "tue")  # too short to be nearly anything


def _switches(config: Configuration) -> Faults:
    """What is nearly true or false, wherever it stands: a text that is not empty is true."""
    for place, value in config.at(_SECTIONS):
        said = text(value).lower()
        if said in _SLIPS or closest(said, ("true", "false")):
            yield wrong("effect", place, "true or false")


def _blanks(config: Configuration) -> Faults:
    """A key with nothing behind it. `null` is a choice, and so is what is commented out below."""
    values, chart = config.values, config.values.chart
    for place, value in config.at(f"{_SECTIONS} model_list.#.litellm_params.* model_list.#.model_info.*"):
        path = (chart.name, *chart.config, *place)
        layers = [layer for layer in values.layers if layer.depth(*path) == len(path)] if value is None else []
        if len(layers) == 1 and layers[0].is_blank(*path):  # in two a cluster takes away what all have
            below = (values.repository.text(layers[0].file) or "").split("\n")[layers[0].line(*path) :]
            if not below or not re.match(r"\s*#\s*(?:- |[\w.]+:(?:\s|$))", below[0]):
                what = f"{dotted(place)} has nothing behind it: LiteLLM takes nothing in place of its default"
                yield Fault("effect", place, what, "give it a value, or take it away")


def _fields(end: str, place: Place, value: dict[Any, Any], model: str) -> Faults:
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
_AROUND = (_blanks, _switches, _surroundings, _redis, _others, *_OF_KEYS, misspelt_references)
_CHECKS = (
    _kinds,
    _amounts,
    _required,
    models,
    _classes,
    names_of_models,
    names_of_guardrails,
    _words,
    *_AROUND,
    _hints,
)
# whatever is around it
BY_ITSELF = (_kinds, _amounts, _required, models, _classes, _words, *_OF_KEYS, _switches, _hints)


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
    # beside another mistake it is not known what is meant to be given
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
