"""Annotations say what the programs that read them know: metadata.yml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, dig, mapping
from litellm_gitops.findings import Finding, edit
from litellm_gitops.objects import found_in, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules import operators, rule
from litellm_gitops.spelling import closest
from litellm_gitops.subjects import is_filled_in

_KNOWN = yaml.load((files(__package__) / "metadata.yml").read_text("utf-8"), LOADER)
_IN_ANY_CASE = ("kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io")  # how Flux compares its words
_FIELDS = ("annotations", "labels")
# https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/subscriptions/
_SUBSCRIBED = "notifications.argoproj.io/subscribe."
_WAVE = "argocd.argoproj.io/sync-wave"  # an Application of ours has none, says a rule of Argo CD


@rule
def every_annotation_says_what_its_reader_knows(repository: Repository) -> Iterator[Finding]:
    for document in repository.manifests:
        is_application = dig(document.value, "kind") == "Application"
        for field in _FIELDS:
            for key, what, fix in _flaws(dig(document.value, "metadata", field)):
                if not (is_application and key == _WAVE):
                    yield found_in(document, ("metadata", field, key), what, fix)
    for values in repository.values:
        chart = values.chart
        places = ((*chart.service_account, "annotations"), chart.pod_annotations, chart.service_annotations)
        for place in places:
            for key, what, fix in _flaws(values.get(*place)):
                yield values.finding((*place, key), what, edit(fix))


def _words(prefix: str, words: Iterable[str]) -> list[str]:
    return [word.strip().lower() if prefix in _IN_ANY_CASE else word.strip() for word in words]


def _flaws(annotations: Any) -> Iterator[tuple[str, str, str]]:
    """(the key, what is wrong, what to do) of annotations."""
    for key, value in mapping(annotations).items():
        if not isinstance(key, str) or not isinstance(value, str) or is_filled_in(value):
            continue  # of these a schema tells
        prefix, _, name = key.rpartition("/")
        prefixes = {known.rpartition("/")[0] for known in (*_KNOWN, _SUBSCRIBED)}
        if key in _KNOWN:
            words, like = _KNOWN[key].get("words"), _KNOWN[key].get("like", "")
            known = _words(prefix, words or ())
            fits = (
                all(word in known for word in _words(prefix, value.split(","))) if words else re.fullmatch(like, value)
            )
            if not fits:
                yield key, f"{key} is {show(value)}", f"write one of {', '.join(words)}" if words else "correct it"
        elif meant := closest(prefix, prefixes):
            yield key, f"nothing reads {key}", f"did you mean {meant}/{name}?"
        elif prefix in prefixes and (
            near := closest(name, [known.rpartition("/")[2] for known in _KNOWN if prefix in known])
        ):
            yield key, f"nothing reads {key}", f"did you mean {prefix}/{near}?"
        elif key.startswith(_SUBSCRIBED) and re.fullmatch(r"on-[\w-]+", key.removeprefix(_SUBSCRIBED)):
            yield key, f"{key} names no service", f"write {key}.slack, or another service of yours"


@rule
def operators_read_every_field(repository: Repository) -> Iterator[Finding]:
    """Of the kinds that owners add most: what is misspelt there, the API server drops, or the operator refuses."""
    yield from operators.misspelt(repository)
