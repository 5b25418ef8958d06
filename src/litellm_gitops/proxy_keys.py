"""Keys of the proxy's configuration that LiteLLM does not look for, and what is meant for a variable and is none."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import cache
from typing import Any

from litellm_gitops import proxy_facts as known
from litellm_gitops import schemas
from litellm_gitops.configuration import ENDS, Configuration, Fault, Faults, dotted, table
from litellm_gitops.documents import Place, dig, mapping, sequence, walk
from litellm_gitops.findings import Form
from litellm_gitops.pod import VARIABLE
from litellm_gitops.proxy_facts import REFERENCE
from litellm_gitops.spelling import closest

# Parts of the top that the library happens to have a variable for, and that do nothing in a section.
_PARTS = ("general_settings", "litellm_settings", "router_settings", "model_list", "credential_list")


def misplaced_keys(config: Configuration) -> Faults:
    """A key that another section knows, or that differs from a known one in a letter or two."""
    for section in known.facts()["sections"]:
        place: Place = (section,) if section else ()
        names = known.keys(section) | {*table()["documented"].get(section, "").split()}
        for key in map(str, mapping(dig(config.content, *place))):
            part = section and key in _PARTS
            if (key in names and not part) or key.startswith(("x-", ".")):
                continue
            homes = ["the top, beside model_list"] if part else known.sections_of(key)
            meant = closest(key, names) or ("" if section else _section_of(config, key))
            if homes:
                what = f"{key} stands in {section or 'the top'}, and {ENDS['section']}"
                fix, form = f"it belongs into {' or '.join(homes)}", Form("astray", place, key)
                yield Fault("section", (*place, key), what, fix, form=form)
            elif meant:
                what = f"{dotted((*place, key))} is no name that LiteLLM knows"
                yield Fault("section", (*place, key), what, f"did you mean {meant}?", meant)


def _section_of(config: Configuration, name: str) -> str:
    """The part of the top whose keys stand under another name there, unless other mappings are made of it."""
    value = config.content[name]
    own = mapping(value) or next((mapping(each) for each in sequence(value)), {})
    others = [each for key, part in config.content.items() if key != name for each in _mappings(part)]
    if any(key in each and each[key] == inner for each in others for key, inner in own.items()):
        return ""
    if isinstance(value, list):
        return next((str(part) for key, part in table()["entries"].items() if key in own), "")
    counted = {part: len(known.keys(part) & {*own}) for part in known.facts()["sections"] if part}
    best = max(counted, key=lambda part: counted[part])
    return best if counted[best] else ""


def _mappings(value: Any) -> Iterator[dict[Any, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else sequence(value):
        yield from _mappings(each)


@cache
def _of_the_tables() -> tuple[tuple[str, str, str], ...]:
    paths = " ".join(each for kinds in table()["kinds"].values() for each in kinds.values())
    return tuple(path.replace("#", "*").rpartition(".") for path in paths.split())


def misspelt_keys(config: Configuration) -> Faults:
    """A key of a part that takes any: it is nearly one that LiteLLM knows, and none that it or a provider uses."""
    for path, used in known.facts()["near"].items():
        names = known.hinted(path) | {key for above, _, key in _of_the_tables() if above == path}
        for place, value in config.at(path):
            for key in map(str, mapping(value)):
                if key not in names and key not in used and (meant := closest(key, names)):
                    what = f"{dotted((*place, key))} is no name that LiteLLM knows"
                    yield Fault("section", (*place, key), what, f"did you mean {meant}?", meant)


# ---------------------------------------------------------------------------------------------------------------------

_NEARLY = re.compile(r"[\s\"']*([A-Za-z_./ -]{2,14}?)([\s/\[(:.\\]+)[\s\"']*[A-Z][A-Z0-9_]*[\"'\])\s]*")
_MEANT = ("os.environ", "os.environment", "environ", "env", "os.env", "os.getenv", "process.env")
_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
# what is mostly a reference, and never a word in capital letters
_ADDRESSES = {
    *("api_base", "api_key", "api_version", "aws_region_name", "host", "password", "port", "redis_host"),
    *("redis_password", "redis_port", "redis_url", "url", "vertex_location", "vertex_project"),
}
_SHELL = re.compile(r"\$(\{[A-Z][A-Z0-9_]*\}|\([A-Z][A-Z0-9_]*\)|[A-Z][A-Z0-9_]*)")


def misspelt_references(config: Configuration) -> Faults:
    """What is meant for a variable: LiteLLM knows os.environ/NAME alone, as a whole value, and not in a list."""
    own, chart = mapping(config.get("environment_variables")), config.values.chart
    path = ("properties", chart.name, "properties", *chart.config, "properties", "model_list", "items", "properties")
    guarded = mapping(dig(schemas.values(chart.name).schema, *path, "litellm_params", "properties"))
    inside = {place for place, _ in config.at(table()["references_inside"])}
    listed = {place for place, _ in config.at(table()["references_in_lists"])}
    stored = config.get("general_settings.key_management_system")  # which may have any names
    for place, value in walk(config.content):
        of_variable = value.startswith(REFERENCE)
        late = of_variable and value.removeprefix(REFERENCE) in own and place[0] != "environment_variables"
        # what the schema of the values guards is told there
        guards = place[0] == "model_list" and place[-1] in guarded
        if guards and not late:
            continue
        if late:
            what = f"the variable of {dotted(place)} comes from environment_variables, which is read after it"
            yield Fault("spelt", place, what, "set it in the pod")
        elif of_variable and isinstance(place[-1], int) and place not in listed:
            yield Fault("spelt", place, f"{dotted(place)} stands in a list: {ENDS['spelt']}", "write the value itself")
        elif _is_none(value, bool(stored)) if of_variable else is_meant(place, value, inside):
            what = f"{dotted(place)} is no reference to a variable: {ENDS['spelt']}"
            yield Fault("spelt", place, what, f"write {REFERENCE}NAME, and nothing before or after it")
        elif place[0] in _PARTS and place[-1] in _ADDRESSES and _NAME.fullmatch(value) and config.may_have(value):
            what = f"{dotted(place)} is the name of a variable, not a reference to it: {ENDS['spelt']}"
            yield Fault("spelt", place, what, f"write {REFERENCE}{value}")
    for key in own:
        if key in table()["blocked"].split():
            what = f"LiteLLM does not take {key} from the configuration"
            yield Fault("effect", ("environment_variables", key), what, "set it in the pod")


def _is_none(value: str, stored: bool) -> bool:
    name = value.removeprefix(REFERENCE)
    return not name.strip() if stored or REFERENCE in name else not VARIABLE.fullmatch(name)


def is_meant(place: Place, value: str, inside: Container[Place] = ()) -> bool:
    """Whether a value that is no reference is meant for one; `inside` are the places where one may be a part."""
    nearly = _NEARLY.fullmatch(value)
    head = re.sub(r"[^a-z]+", ".", nearly[1].lower()) if nearly else ""
    shell = _SHELL.fullmatch(value) and place[0] in _PARTS
    if nearly and not nearly[2].strip() and not head.startswith("os"):
        return False  # two words
    within = REFERENCE in value and place not in inside
    return within or bool(shell) or head in _MEANT or bool(head and closest(head, _MEANT[:2]))
