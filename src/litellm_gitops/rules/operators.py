"""What operators read of the kinds that owners add most, and refuse: operators.yml, ecosystem.yml and needs.yml.

Their API drops a field that is misspelt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence, text, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.languages import cel
from litellm_gitops.objects import found_in, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules.admission import each
from litellm_gitops.rules.forms import OWN_FORMS
from litellm_gitops.rules.kinds import VERSION, kind_of, order
from litellm_gitops.schemas.errors import begin_alike
from litellm_gitops.spelling import closest
from litellm_gitops.subjects import is_filled_in

_TABLES = ("operators", "ecosystem", "needs")
_MANAGED = re.compile(
    r"(?!(?:apiextensions|meta|ops|pkg|protection|secrets)\.crossplane).+\.(?:upbound|crossplane)\.io/v\w+ "
    r"(?!\w*ProviderConfig|Provider|Function|Composit|Configuration)\w+"
)
_TYPES: dict[str, type] = {"list": list, "mapping": dict, "bool": bool}
Slips = Iterator[tuple[Place, str, str]]  # where, what is wrong, what to do
_WHOLE, _PART = 8, 3  # keys and texts, of an object and of a part of it: with fewer it is a stub
_CLOSE = 0.85  # how much of two fields is the same, of 1, where one is the other misspelt


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name in _TABLES:
        for row, more in yaml.load(Path(__file__).with_name(f"{name}.yml").read_text("utf-8"), LOADER).items():
            table[row] = _joined(table.get(row), more)
    for name, row in [*table.items()]:
        if other := row.get("also"):
            table[f"{name.partition(' ')[0]} {other}"] = row
        api_version, _, kind = name.partition(" ")
        group = api_version.rpartition("/")[0]
        table |= {f"{group}/{version} {kind}": row for version in text(table["alike"].get(api_version)).split()}
        gone = text(row.get("gone")).split()
        kinds = [kind, row["also"]] if gone and row.get("also") else [kind]
        table |= {f"{group}/{version} {each}": {"instead": api_version} for version in gone for each in kinds}
    return table


def _joined(one: Any, other: Any) -> Any:
    """Both of two mappings, lists or lists of words."""
    if isinstance(one, dict):
        return {**one, **{key: _joined(one.get(key), value) for key, value in other.items()}}
    if one is None:
        return other
    return f"{one} {other}" if isinstance(one, str) else [*one, *other]


def misspelt(repository: Repository) -> Iterator[Finding]:
    """Fields, words, durations and versions, in manifests and in what values add to the release."""
    for document in repository.manifests:
        value = document.value
        if not isinstance(value, dict) or " ".join(kind_of(value)) in repository.suite.kinds:
            continue
        yield from (found_in(document, *slip) for slip in _slips(value))
    for values in repository.values:
        place = values.chart.objects
        for number, value in enumerate(sequence(values.get(*place)) if place else ()):
            for at, what, fix in _slips(value):
                yield values.finding((*place, number, *at), what, edit(fix))


def _slips(value: Any) -> Slips:
    """What an operator does not read of an object, and which word was meant."""
    api_version, kind = kind_of(value)
    name = f"{api_version} {kind}"
    row = _table().get(name) or (_table()["managed"] if _MANAGED.fullmatch(name) else {})
    if instead := row.get("instead"):
        yield ("apiVersion",), f"no release serves a {kind} of {api_version} any more", f"write {instead}"
        return
    yield from _of_version(api_version)
    yield from _of_needs(value, row)
    for path, words in mapping(row.get("fields")).items():
        for above, _, found in each(value, path.split(".")):
            yield from _of_fields(above, mapping(found), words.split(), kind)
    for path, words in mapping(row.get("words")).items():
        for place, _, found in each(value, path.split(".")):
            meant = _meant(text(found), words.split())
            if meant and not is_filled_in(found):
                yield place, f"{place[-1]} is {show(found)}", f"write {meant}"
    for path, words in mapping(row.get("only")).items():
        for place, _, found in each(value, path.split(".")):
            if isinstance(found, str) and found not in words.split() and not is_filled_in(found):
                yield place, f"{place[-1]} is {show(found)}", f"write {' or '.join(words.split())}"
    for form in (name.removeprefix("of_") for name in row if name.startswith("of_")):
        for path in text(row[f"of_{form}"]).split():
            for place, _, found in each(value, path.split(".")):
                if not _is_of(form, found) and not _is_of_another(value, place, form):
                    _, what, fix = OWN_FORMS[form]
                    yield place, f"{_name(place)} is {show(found)}, which is no {what}", fix
    yield from _of_rules(value, row)


def _of_needs(value: Any, row: dict[str, Any]) -> Slips:
    """Fields that have to be there. Of one that is misspelt there is a finding already, and a stub has none."""
    is_whole = len([*walk(mapping(value).get("spec"))]) >= _WHOLE
    for path, words in mapping(row.get("needs")).items():
        for place, _, found in each(value, path.split(".")):
            missing = [word for word in words.split() if word not in mapping(found)]
            known = dict.fromkeys([*mapping(row.get("fields")).get(path, "").split(), *missing])
            slips = _of_fields(place, mapping(found), [*known], "")
            # of what is no list another form tells
            is_item = all(isinstance(at, int) for at, part in zip(place, path.split("."), strict=False) if part == "*")
            is_stub = not is_whole and len([*walk(found)]) < _PART
            if isinstance(found, dict) and is_item and missing and not is_stub and next(slips, None) is None:
                yield place, f"{_name(place)} lacks {' and '.join(missing)}", "write it"


def _of_rules(value: Any, row: dict[str, Any]) -> Slips:
    """What of fields together is refused."""
    for rule in sequence(row.get("rules")):
        at = tuple(rule["at"].split(".")) if "at" in rule else ()
        for above, _, item in each(value, rule["each"].split(".")) if "each" in rule else [((), None, None)]:
            if not cel.holds(rule["rule"], self=value, it=item):
                yield (*above, *at), f"{at[-1] if at else show(item)} {rule['what']}", rule["fix"]


def _is_of(form: str, found: Any) -> bool:
    """Whether a text has a form; of one that is filled in, and of another type, nothing is known."""
    fits, _, _ = OWN_FORMS[form]
    if form == "number":
        return isinstance(found, int) or is_filled_in(found)
    if form in _TYPES:
        return isinstance(found, _TYPES[form]) or is_filled_in(found) or found is None
    if form == "text" or (form == "duration" and isinstance(found, int) and found):
        return not isinstance(found, bool | int | float)
    if not isinstance(found, str) or is_filled_in(found) or found == "0":
        return True
    return bool(re.fullmatch(fits, found) if isinstance(fits, str) else fits(found))


def _is_of_another(value: Any, place: Place, form: str) -> bool:
    """Whether an expression is one of another program than Prometheus, as the trigger says in which it stands."""
    return form == "promql" and dig(value, *place[:-2], "type") != "prometheus"


def _name(place: Place) -> str:
    """The field of a place, or the list in whose item it ends."""
    return next((part for part in reversed(place) if isinstance(part, str)), "it")


def _of_fields(above: Place, found: dict[Any, Any], known: list[str], kind: str) -> Slips:
    free = [name for name in known if name not in found]
    for field in map(str, found):
        lower = {name.lower(): name for name in free}
        begun = [name for name in free if begin_alike(field.lower(), name.lower())]
        near = get_close_matches(field.lower(), lower, 1, _CLOSE)
        begun = [lower[near[0]]] if near else begun
        meant = "" if field in known else _meant(field, free) or (begun[0] if len(begun) == 1 else "")
        if meant:
            yield (*above, field), f"{kind} has no field {field} there", f"did you mean {meant}?"


def _meant(word: str, known: list[str]) -> str:
    """The word that a misspelt one was meant to be; empty where it is known, or may be another one."""
    return "" if word in known or not word else closest(word, known)


def _of_version(api_version: str) -> Slips:
    group, _, version = api_version.rpartition("/")
    known = text(dig(_table(), "versions", group)).split()
    if not known or version in known:
        return
    match, newest = VERSION.fullmatch(version), max(map(order, known))
    if match is None or order(version) < newest:
        yield ("apiVersion",), f"{group} has no version {show(version)}", f"write {known[-1]}"
