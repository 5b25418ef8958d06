"""The models of the proxy's configuration: their parameters, their providers, and what names them."""

from __future__ import annotations

import fnmatch
import itertools
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from litellm_gitops import proxy_facts as known
from litellm_gitops.configuration import ENDS, Configuration, Fault, Faults, dotted, lacking, no_word, table, wrong
from litellm_gitops.documents import Place, dig, mapping, text, texts
from litellm_gitops.proxy_facts import REFERENCE
from litellm_gitops.proxy_keys import is_meant
from litellm_gitops.spelling import closest

Model = dict[Any, Any]


def models(config: Configuration) -> Faults:
    """What is wrong with a model by itself."""
    providers = known.words("providers") | known.words("callbacks")
    providers |= {text(each) for _, each in config.at("litellm_settings.custom_provider_map.*.provider")}
    yield from _named(config, providers)
    credentials = {text(each) for _, each in config.at("credential_list.*.credential_name")}
    listed = _is_whole(config.get("credential_list"), "credential_name")
    for place, params in config.at("model_list.*.litellm_params"):
        yield from _provider(place, mapping(params), providers)
        is_azure = text(mapping(params).get("model")).startswith("azure/")
        for parameter, (form, wanted) in (_FORMS | (_OF_AZURE if is_azure else {})).items():
            found, at = text(mapping(params).get(parameter)), (*place, parameter)
            reference = found.startswith(REFERENCE) or is_meant(at, found)  # one that is misspelt is told below
            if found and not reference and not re.fullmatch(form, found):
                yield wrong("calls", at, wanted)
            elif parameter == "api_base" and (meant := _azure(found)):
                yield Fault("calls", at, f"{dotted(at)} has no domain of Azure", f"did you mean {meant}?")
            elif parameter == "api_base" and _SDKS.match(text(mapping(params).get("model"))) and _ROUTE.search(found):
                what = f"{dotted(at)} ends in a route, to which LiteLLM adds another one: {ENDS['calls']}"
                yield Fault("calls", at, what, "write the address without the route")
        name = mapping(params).get("litellm_credential_name")
        chosen = "azure_openai" in config.values.repository.providers  # of a model of another one another rule tells
        if is_azure and chosen and not (name or _has_address(config, mapping(params))):
            yield from lacking("calls", place, ["api_base"])
        if isinstance(name, str) and name not in credentials and listed and not config.has_store:
            what = "litellm_credential_name names a credential that credential_list does not have"
            yield Fault("effect", (*place, "litellm_credential_name"), what, "correct the name")
    yield from _parts(config)


_SDKS = re.compile(r"(?:azure|openai)/")  # of which OpenAI's own library makes the addresses
_ROUTE = re.compile(r"/(?:chat/completions|embeddings)/?(?:\?.*)?\Z")
_DOMAINS = [
    f"{name}.azure.{top}"
    for name in ("openai", "cognitiveservices", "services.ai", "inference.ai")
    for top in ("com", "cn", "us")
]


def _azure(address: str) -> str:
    """The domain of Azure that an address was meant to end in; empty where it does, or ends otherwise."""
    _, _, domain = (urlsplit(address).hostname or "").partition(".")
    return closest(domain, _DOMAINS) if domain not in _DOMAINS else ""


def _has_address(config: Configuration, params: Model) -> bool:
    """Whether LiteLLM knows the address of a resource of Azure: by the model, for all models, or by a variable."""
    given = any(params.get(key) for key in ("api_base", "base_url", "azure_ad_token"))
    for_all = config.get("litellm_settings.api_base") or config.get("router_settings.default_litellm_params")
    return bool(given or for_all) or config.may_have("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT")


def _named(config: Configuration, providers: frozenset[str]) -> Faults:
    for place, name in config.at("model_list.*.model_name model_list.*.litellm_params.model"):
        if isinstance(name, str) and name != name.strip():
            what = f"{dotted(place)} begins or ends with a space, which is a part of the name: {ENDS['calls']}"
            yield Fault("calls", place, what, "take the space away")
    for place, entry in config.at("model_list.*"):
        start, _, model = text(dig(entry, "litellm_params", "model")).partition("/")
        name = text(dig(entry, "model_name"))
        if start in providers and (meant := misnamed(name, model)):
            what = f"{dotted(place)} is called {name}, and its model {meant}: one of both is misspelt"
            yield Fault("calls", (*place, "model_name"), what, "write the same in both")
    for place, name in config.at("model_list.*.model_info.base_model"):
        start, slash, _ = text(name).partition("/")
        if slash and start not in providers and (meant := closest(start, providers)):
            what = f"{dotted(place)} names a provider that LiteLLM does not know, so that no price is found"
            yield Fault("effect", place, what, f"did you mean {meant}?")
    for place, mode in config.at("model_list.*.model_info.mode"):
        modes = table()["modes"].split()
        if isinstance(mode, str) and mode not in modes and not mode.startswith(REFERENCE):
            yield no_word("effect", place, mode, modes, f"one of {', '.join(modes)}")


def misnamed(name: str, model: str) -> str:
    """What a model is called where one word of its own name is nearly that of the given one; empty where none is.

    Only words that are no plural of each other, nor one cut short, as code and coder are.
    """
    tail = re.sub(r":\d+$", "", model.rpartition("/")[2].lower())
    models = [tail, *(tail[match.end() :] for match in re.finditer(r"\.", tail))]
    names = [name.lower(), *(name.lower()[match.end() :] for match in re.finditer(r"-", name))]
    if {*models} & {*names}:
        return ""
    for given, there in itertools.product(names, models):
        ours, theirs = (re.findall(r"[a-z]+", each) for each in (given, there))
        others = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
        alike = len(ours) == len(theirs) > 1 and re.sub("[a-z]+", "a", given) == re.sub("[a-z]+", "a", there)
        if alike and len(others) == 1 and _is_a_slip(*sorted(others[0], key=len)):
            return there
    return ""


def _is_a_slip(short: str, long: str) -> bool:
    """Whether two words differ as no two names do: in short ones letters are swapped, or one is there twice."""
    swapped = sorted(short) == sorted(long) or re.sub(r"(.)\1", r"\1", long) == short
    return (len(short) > 4 or swapped) and bool(closest(short, [long])) and not long.startswith(short)


def _parts(config: Configuration) -> Faults:
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
_DATE = r"\d{4}-(?!02-3|(?:0[469]|11)-31)(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"  # a day that there is
_FORMS = {  # of a parameter: (a pattern, what it must be)
    "aws_region_name": (rf"[a-z]{{2,4}}(?:-[a-z]+)?-{_SIDE}-\d", "a place of that cloud, such as us-east-1"),
    "vertex_location": (rf"global|us|eu|[a-z]+-{_SIDE}\d{{1,2}}", "a place of that cloud, such as us-central1"),
    "api_base": (r"https?://[^\s/<>]+(?:/\S*)?", "an address, such as https://example.openai.azure.com/"),
    "api_version": (rf"(?!\d{{4}}-\d\d).*|{_DATE}(?:-.+)?", "a date, such as 2025-04-01"),
}
# https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle
_OF_AZURE = {
    "api_version": (
        rf"{_DATE}(?:-[a-z]*preview)?|v1|preview|latest",
        "a version, such as 2025-04-01-preview",
    )
}


_PREFIXES = ("azure", "bedrock", "github_copilot", "vertex_ai")  # of models with other names than these


def _provider(place: Place, params: Model, providers: frozenset[str]) -> Faults:
    model, named = text(params.get("model")), params.get("custom_llm_provider")
    start, slash, rest = model.partition("/")
    ends = _endpoints()
    if isinstance(named, str) and not named.startswith(REFERENCE):
        if named not in providers:
            yield no_word("kept", (*place, "custom_llm_provider"), named, providers, "a provider of LiteLLM")
    elif start in _PREFIXES and rest.startswith(f"{start}/"):
        yield wrong("calls", (*place, "model"), f"{start}/ once")
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


def names_of_guardrails(config: Configuration) -> Faults:
    """Guardrails that models name, and that are not there: what they keep back goes through."""
    listed = _is_whole(config.get("guardrails"), "guardrail_name") and not config.has_store
    known = {text(name) for _, name in config.at("guardrails.#.guardrail_name")}
    for place, name in config.at("model_list.#.litellm_params.guardrails.#") if listed else ():
        if isinstance(name, str) and name not in known and not name.startswith(REFERENCE):
            what = f"{dotted(place)} names a guardrail that guardrails does not have: {ENDS['effect']}"
            yield Fault("effect", place, what, "correct the name, or add the guardrail")


def _embedding(config: Configuration) -> list[tuple[Place, Any]]:
    """The model of a cache by meaning: where the list has none of that name, LiteLLM takes it for one of OpenAI."""
    found = config.at(*(f"litellm_settings.cache_params.{name}_semantic_cache_embedding_model" for name in _CACHES))
    return [each for each in found if "/" not in text(each[1]) and not config.may_have("OPENAI_API_KEY")]


_CACHES = ("redis", "qdrant")
_FALLBACKS = ("fallbacks", "content_policy_fallbacks", "context_window_fallbacks")


def _is_whole(entries: Any, key: str) -> bool:
    """Whether each entry of a list has its name, or there is no list; else what names an entry follows from that."""
    return entries is None or (isinstance(entries, list) and all(key in mapping(each) for each in entries))


def names_of_models(config: Configuration) -> Faults:
    """What names a model that is not there."""
    names = [text(each) for _, each in config.at("model_list.*.model_name router_settings.routing_groups.*.group_name")]
    names += [str(alias) for alias in mapping(config.get("router_settings.model_group_alias"))]
    named = [
        *config.at("router_settings.routing_groups.*.models", "general_settings.completion_model"),
        *config.at("router_settings.default_fallbacks", "litellm_settings.default_fallbacks"),
        *config.at("litellm_settings.public_model_groups"),
        *_embedding(config),
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
