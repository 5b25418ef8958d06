"""The proxy's configuration in the values of a cluster, what is around it, and how a mistake in it is told."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text
from litellm_gitops.findings import Form
from litellm_gitops.foreign import foreign_secrets
from litellm_gitops.repository import Values
from litellm_gitops.spelling import closest

# What a mistake ends in. Each is a rule in rules/configuration.py.
ENDS = {
    "starts": "the proxy does not start",
    "kept": "the proxy starts without it",
    "calls": "calls end in an error",
    "effect": "LiteLLM passes over it",
    "section": "LiteLLM does not look for it there",
    "spelt": "LiteLLM takes it as it is written",
}


class Fault(NamedTuple):
    """A mistake: what it ends in, where it stands below the configuration, what it is, what mends it.

    `meant` is the key that was to stand there, where that is known, `form` how it is not of its form.
    """

    end: str
    place: Place
    what: str
    fix: str
    meant: str = ""
    form: Form | None = None


Faults = Iterator[Fault]


@cache
def table() -> dict[str, Any]:
    """rules/configuration.yml."""
    file = Path(__file__).parent / "rules" / "configuration.yml"
    content: dict[str, Any] = yaml.load(file.read_text("utf-8"), LOADER)
    return content


@cache
def _split(paths: tuple[str, ...]) -> list[list[str]]:
    return [path.split(".") for path in " ".join(paths).split()]


def _below(found: list[tuple[Place, Any]], part: str) -> list[tuple[Place, Any]]:
    if part not in ("*", "#"):
        return [((*place, part), value[part]) for place, value in found if isinstance(value, dict) and part in value]
    return [((*place, key), each) for place, value in found for key, each in _entries(value, part)]


def _entries(value: Any, part: str) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items() if part == "*" else ()
    return enumerate(sequence(value))


class Configuration(NamedTuple):
    """The configuration of one cluster, and what else the proxy of that cluster is given."""

    values: Values
    content: dict[Any, Any]

    def get(self, path: str) -> Any:
        """The value at a dotted path."""
        return dig(self.content, *path.split("."))

    def at(self, *paths: str) -> Iterator[tuple[Place, Any]]:
        """Every place that dotted paths stand for, with its value: "*" is each entry, "#" each of a list."""
        for path in _split(paths):
            found: list[tuple[Place, Any]] = [((), self.content)]
            for part in path:
                if not found:
                    break
                found = _below(found, part)
            yield from found

    @property
    def own_callbacks(self) -> set[str]:
        """The names of addresses of the owner's own to which the proxy logs."""
        given = mapping(self.get("callback_settings")).items()
        needed = ("endpoint", "headers")
        return {
            str(name)
            for name, entry in given
            if dig(entry, "callback_type") == "generic_api" and all(dig(entry, key) is not None for key in needed)
        }

    @property
    def has_store(self) -> bool:
        """Whether models and credentials come from the database as well."""
        return bool(self.get("general_settings.store_model_in_db")) or "STORE_MODEL_IN_DB" in self.values.pod.variables

    def may_have(self, *names: str) -> bool:
        """Whether one of these variables is set, or may be: what a Secret of others holds is not known."""
        pod, cluster = self.values.pod, self.values.cluster
        keys: dict[str, Any] = {name: secret.keys for name, secret in cluster.wanted.items()}
        keys |= {secret.name: secret.keys for secret in cluster.sealed}
        keys |= foreign_secrets(self.values.repository, cluster)
        found = [keys.get(name) for name in pod.env_from]
        given = {
            *pod.variables,
            *pod.set_by_the_chart,
            *mapping(self.get("environment_variables")),
            *(key for some in found for key in some or ()),
        }
        unknown = None in found or pod.get(self.values.chart.env_from_config_maps)
        return bool(unknown) or not given.isdisjoint(names)

    @property
    def has_redis(self) -> bool:
        """Whether variables, or the chart, tell the proxy of a Redis."""
        names = ("REDIS_HOST", "REDIS_URL", "REDIS_CLUSTER_NODES", "REDIS_SENTINEL_NODES")
        return self.values.pod.has_redis or self.may_have(*names)

    @property
    def has_own_image(self) -> bool:
        """Whether the image is one of the owner's own, or a copy, which may hold more than LiteLLM's."""
        return "berriai/" not in text(self.values.pod.get(self.values.chart.image, "repository"))

    def may_hold(self, file: str) -> bool:
        """Whether a file may lie beside the configuration, or where the proxy runs: by a mount, or in an own image."""
        pod = self.values.pod
        own = self.has_own_image or "PYTHONPATH" in pod.variables
        if file.startswith("/") and self._is_no_key(PurePosixPath(file)):
            return False
        paths = [PurePosixPath(posixpath.normpath(posixpath.join(folder, file))) for folder in ("/etc/litellm", "/app")]
        mounts = {PurePosixPath(text(mount.path) or "-") for mount in pod.mounts}
        return own or any(mounts & {path, *path.parents} for path in paths)

    def _is_no_key(self, file: PurePosixPath) -> bool:
        """Whether the folder of a file is a sealed Secret whole, and none of its keys has that name."""
        pod, wanted = self.values.pod, self.values.cluster.wanted
        there = [mount.volume for mount in pod.mounts if mount.path == str(file.parent) and not mount.sub_path]
        volumes = [each for each in pod.volumes if each.name in there]
        secrets = [(name, keys) for each in volumes for name, keys in each.secrets]
        is_known = len(secrets) == 1 and len(there) == 1 and not secrets[0][1] and secrets[0][0] in wanted
        return is_known and file.name not in wanted[secrets[0][0]].keys


def dotted(place: Place) -> str:
    """A place, as a reader names it."""
    return ".".join(map(str, place))


def wrong(end: str, place: Place, wanted: str) -> Fault:
    """A value that is not what LiteLLM takes there."""
    what = f"{dotted(place)} is not what LiteLLM takes: {ENDS[end]}"
    is_part = len(place) == 1 or (len(place) == 2 and isinstance(place[-1], int))  # a section, or an entry of a list
    form = Form("type", place, is_part=True) if is_part else None
    return Fault(end, place, what, f"write {wanted}", form=form)


def lacking(end: str, place: Place, keys: Iterable[str]) -> Faults:
    """A mapping without what LiteLLM asks for, if there is anything."""
    if names := " and ".join(key.replace("|", " or ") for key in keys):
        form = Form("missing", place, names)
        yield Fault(end, place, f"{dotted(place)} lacks {names}: {ENDS[end]}", f"add {names}", form=form)


def no_word(end: str, place: Place, word: str, words: Iterable[str], wanted: str) -> Fault:
    """A word that is none of a list: with what was meant, where that is near."""
    meant = closest(word, words) or next((each for each in words if each.lower() == word.lower()), "")
    few = sorted(words) if len([*words]) <= 12 else [wanted]
    fault = wrong(end, place, f"one of {', '.join(few)}" if len(few) > 1 else wanted)
    return fault._replace(fix=f"did you mean {meant}?") if meant else fault


def _is_number(value: Any) -> bool:
    try:
        return float(value) == float(value)
    except (TypeError, ValueError):
        return False


def _is_pattern(value: Any) -> bool:
    try:
        return bool(re.compile(value))
    except (re.error, TypeError):
        return False


def _is_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _matches(pattern: str, shown: Callable[[Any], str] = text) -> Callable[[Any], bool]:
    return lambda value: bool(re.fullmatch(pattern, shown(value)))


_is_address = _matches(r"https?://[^\s/<>]+(?:/\S*)?")
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "mapping": (lambda value: isinstance(value, dict), "a mapping"),
    "headers": (_is_headers, "names with texts"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "set": (lambda value: value is not None, "a value, or take it away"),
    "number": (_is_number, "a number, without a unit"),
    "plain": (lambda value: isinstance(value, int | float), "a number, without quotes"),
    "whole": (lambda value: isinstance(value, int), "a whole number, without quotes"),
    "text": (lambda value: isinstance(value, str), "text"),
    "switch": (lambda value: isinstance(value, bool), "true or false, without quotes"),
    "truth": (_matches(r"(?i:true|false|yes|no|on|off|[01])", str), "true or false"),
    "function": (_matches(r".+\..+"), "<module>.<name>"),
    "url": (_matches(r"(rediss?|unix)://[^<>]*"), "redis://… or rediss://…"),
    "time": (_matches(r"\d{1,2}:\d\d(:\d\d)?"), 'a time of day, such as "12:00"'),
    "duration": (_matches(r"\d+(?:s|m|h|d|w|mo)"), "a number with a unit, such as 30d"),
    # duration_in_seconds looks at the start alone, and at these words
    "budget_duration": (
        _matches(r"\d+(?:mo|[smhdw]).*|(?i:hourly|daily|weekly|monthly)"),
        "a number with a unit, as 30d",
    ),
    "path": (_matches(r"/.*"), "a path that begins with /"),
    "host": (_matches(r"(?!.*://)(?![^:]*:\d+\Z).*"), "a host alone, without a scheme and a port"),
    "address": (lambda value: not text(value) or _is_address(value), "an address that begins with https://"),
    "pattern": (_is_pattern, "a regular expression"),
}
