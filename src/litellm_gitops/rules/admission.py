"""What is refused though the schema passes: admission.yml by the types of Kubernetes' OpenAPI, engines.yml by kinds.

Two things the schemas say themselves: the keys of a list in which no item comes twice, and the expressions that the
engines' own definitions compute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from litellm_gitops import schemas
from litellm_gitops.documents import LOADER, Place, dig, mapping, sequence
from litellm_gitops.findings import Finding, edit
from litellm_gitops.languages import cel
from litellm_gitops.objects import Object, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules import chart, pods, rule
from litellm_gitops.rules.forms import FORMS, OWN_FORMS
from litellm_gitops.rules.kubernetes import engines, known_version, manifests, of_values
from litellm_gitops.schemas import Part
from litellm_gitops.subjects import Subject, is_filled_in

_UNIQUE, _COMPUTED = "x-kubernetes-list-map-keys", "x-kubernetes-validations"
_DEFAULTS = {"protocol": "TCP"}  # of the keys of lists
_LONGEST = 160  # of an expression in a message


class Misfit(NamedTuple):
    """A field that is refused: where, what is wrong with it (after its name), what to do."""

    place: Place
    what: str
    fix: str = ""


Misfits = Iterator[Misfit]


@cache
def _table() -> dict[str, dict[str, Any]]:
    texts = (Path(__file__).with_name(name).read_text("utf-8") for name in ("admission.yml", "engines.yml"))
    return {kind: row for text in texts for kind, row in yaml.load(text, LOADER).items()}


_OTHER_NAMES = {"label-name": "namespace"}
# of a mapping: the form of its keys, and that of its values
_PAIRS = {
    "labels": ("mark", "label"),
    "marks": ("mark", ""),
    "quotas": ("quota", "quantity"),
    "resources": ("resource", "quantity"),
}


def _forms(place: Place, value: Any, form: str) -> Misfits:
    """What is not of a form: a text or number, each item of a list, or the keys and values of a mapping.

    A form that ends in ? is that of a text which may be empty.
    """
    if form.endswith("?"):
        yield from _forms(place, value, form[:-1]) if value != "" else ()
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _forms((*place, number), item, form)
    elif isinstance(value, dict):
        of_keys, of_values = _PAIRS.get(form, ("", ""))
        for key, inner in value.items():
            yield from _forms((*place, str(key)), str(key), of_keys)
            yield from _forms((*place, str(key)), inner, of_values)
    elif form and form not in _PAIRS and isinstance(value, str | int) and not is_filled_in(value):
        pattern, what, fix = FORMS.get(_OTHER_NAMES.get(form, form)) or OWN_FORMS[form]
        fits = re.fullmatch(pattern, str(value)) if isinstance(pattern, str) else pattern(value)
        if not fits:
            yield Misfit(place, f"is {show(value)}, which is no {what}", fix)


# ---------------------------------------------------------------------------------------------------------------------
# A row of the table


def _enum(part: Part, words: Mapping[str, str]) -> Misfits:
    for field, known in words.items():
        for above, found in _in(part, field):
            for number, item in enumerate(found) if isinstance(found, list) else [(None, found)]:
                # an empty text is the default
                if isinstance(item, str) and item and not is_filled_in(item) and item not in known.split():
                    place = above if number is None else (*above, number)
                    yield Misfit(place, f"is {show(item)}", f"write {known.replace(' ', ', ')}")
                    break  # whoever wrote one in another way wrote all so


def _range(part: Part, limits: Mapping[str, list[Any]]) -> Misfits:
    for field, (least, greatest) in limits.items():
        for place, found in _in(part, field):
            if isinstance(found, int) and not isinstance(found, bool):
                if least is not None and found < least:
                    yield Misfit(place, f"is {found}", f"write {least} or more")
                if greatest is not None and found > greatest:
                    yield Misfit(place, f"is {found}", f"write {greatest} or less")


def _counted(part: Part, fields: Any, at_least_one: bool) -> Misfits:
    names = [name for name in part.schema.get("properties", ()) if name != "name"] if fields == "all" else fields
    there = [name for name in part.value if name in names and part.value[name] is not None]
    if len(there) > 1:
        what = f"does not go with {there[0]}, which is there as well"
        yield Misfit((*part.place, there[1]), what, "keep one of them")
    elif not there and at_least_one:
        yield Misfit(part.place, f"has none of {', '.join(names)}", "write one of them")


def _unique(part: Part, fields: Mapping[str, str]) -> Misfits:
    for field, key in fields.items():
        seen = []
        for place, item in _in(part, f"{field}.*"):
            found = mapping(item).get(key)
            if found is not None and found in seen:
                yield Misfit((*place, key), f"is {show(found)}, as of an item before it", "rename it")
            seen.append(found)


def _needs(part: Part, fields: list[str]) -> Misfits:
    for field in fields:
        if part.value.get(field) in (None, "", []) and field not in part.schema.get("required", ()):
            yield Misfit((*part.place, field), "is missing or empty", f"write {field}")
        elif part.value.get(field) in ("", []):
            yield Misfit((*part.place, field), "is empty", f"write {field}")


def _rules(part: Part, rows: list[dict[str, Any]], subject: Subject) -> Misfits:
    names = {"self": part.value, "root": subject.value}
    for row in rows:
        if row.get("whole") and not subject.is_whole:
            continue
        at = tuple(row["at"].split(".")) if "at" in row else ()
        for above, key, item in each(part.value, row["each"].split(".")) if "each" in row else [((), None, None)]:
            if not cel.holds(row["rule"], **names, it=item, key=key):
                yield Misfit((*part.place, *above, *at), row["what"])


def _in(part: Part, path: str) -> Iterator[tuple[Place, Any]]:
    """(place, value) of what a path such as `spec.windows.*.kind` leads to."""
    return (((*part.place, *place), found) for place, _, found in each(part.value, path.split(".")))


def each(value: Any, path: list[str], above: Place = ()) -> Iterator[tuple[Place, Any, Any]]:
    """(place, key, value) of what a path leads to, in which * stands for each item or value."""
    if not path:
        yield above, above[-1], value
        return
    keys: list[Any] = [path[0]]
    if path[0] == "*":
        keys = list(range(len(value))) if isinstance(value, list) else [*mapping(value)]
    for key in keys:
        if (found := dig(value, key)) is not None:
            yield from each(found, path[1:], (*above, key))


def _twice(part: Part) -> Misfits:
    """Items of a list that have the same key."""
    keys, seen = part.schema.get(_UNIQUE), list[Any]()
    if not isinstance(part.value, list) or not (keys or part.schema.get("x-kubernetes-list-type") == "set"):
        return
    for number, item in enumerate(part.value):
        known = [mapping(item).get(key, _DEFAULTS.get(key)) for key in keys] if keys else item
        if keys and None in known:
            continue
        if known in seen:
            named = f"has the same {' and '.join(keys)} as an item before it" if keys else "is there already"
            yield Misfit((*part.place, number), named, "keep one of them")
        seen.append(known)


def _computed(part: Part) -> Misfits:
    expressions = [each for each in sequence(part.schema.get(_COMPUTED)) if isinstance(each, str)]
    fields = part.schema.get("properties", {})
    value = part.value
    if expressions and isinstance(value, dict):
        value = {name: field["default"] for name, field in fields.items() if "default" in field} | value
    for expression in expressions:
        if not cel.holds(expression, self=value):
            shown = expression if len(expression) <= _LONGEST else f"{expression[:_LONGEST]}…"
            yield Misfit(part.place, f"does not fit what its definition computes: {shown}")
            return


_TESTS: Mapping[str, Callable[[Part, Any], Misfits]] = {
    "enum": _enum,
    "range": _range,
    "form": lambda part, forms: (
        misfit
        for field, form in forms.items()
        for place, found in _in(part, field)
        for misfit in _forms(place, found, form)
    ),
    "one": partial(_counted, at_least_one=True),
    "most": partial(_counted, at_least_one=False),
    "unique": _unique,
    "needs": _needs,
}


def misfits(subject: Subject, version: str) -> Misfits:
    """What the API server refuses of an object that fits its schema: one thing in one place."""
    wrong = [schemas.place(error) for error in subject.errors]
    # a misspelt field is missing under its own name
    unknown = [error for error in subject.errors if error.validator == "additionalProperties"]
    told = [*wrong, *(tuple(error.absolute_path) for error in unknown)]
    for part in subject.parts(version):
        if any(place[: len(part.place)] == part.place for place in wrong) and _COMPUTED in part.schema:
            continue  # what is computed of a wrong value follows from it
        for misfit in _of(part, subject):
            if not any(misfit.place[: len(place)] == place for place in told):
                told.append(misfit.place)
                yield misfit


def _of(part: Part, subject: Subject) -> Misfits:
    yield from _twice(part)
    yield from _computed(part)
    row = _table().get(part.type, {})
    if not isinstance(part.value, dict) or (part.type == "meta.v1.ObjectMeta" and len(part.place) == 1):
        return  # of the names of an object and its labels another rule speaks
    for test, check in _TESTS.items():
        if test in row and (subject.is_whole or part.place or test not in ("one", "needs")):
            yield from check(part, row[test])
    yield from _rules(part, row.get("rules", []), subject)


# ---------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)  # those of manifests stay the same from one repository to the next
def _listed(subject: Subject, version: str) -> list[Misfit]:
    return [*misfits(subject, version)]


def _findings(repository: Repository, subjects: list[Subject]) -> Iterator[Finding]:
    for subject in subjects:
        for misfit in _listed(subject, known_version(repository)):
            fields = ".".join(part for part in misfit.place if isinstance(part, str))
            fix = misfit.fix or f"correct it: kubectl explain {subject.reference}{'.' if fields else ''}{fields}"
            if found := subject.finding(misfit.place, f"{{}} {misfit.what}", fix):
                yield found


@rule
def the_api_server_takes_every_manifest(repository: Repository) -> Iterator[Finding]:
    """Of Kubernetes' own kinds, and of the engines', which read more of theirs than the API server."""
    yield from _findings(repository, _whole(repository))


def _whole(repository: Repository) -> list[Subject]:
    return [each for each in (*manifests(repository), *engines(repository)) if not each.is_patch]


def is_refused(repository: Repository, found: Object) -> bool:
    """Whether the API server does not take an object, of which the rule above or one of the schemas tells."""
    start = found.finding((), "", "")
    return (start.file, start.line) in _refused(repository)


def is_refused_value(repository: Repository, value: Any) -> bool:
    """The same of an object that values add to the release."""
    version = known_version(repository)
    return any(each.errors or _listed(each, version) for each in of_values(repository) if each.value is value)


@lru_cache(maxsize=8)
def _refused(repository: Repository) -> frozenset[tuple[str, int | None]]:
    version = known_version(repository)
    starts = (each.finding((), "", "") for each in _whole(repository) if each.errors or _listed(each, version))
    return frozenset((start.file, start.line) for start in starts if start)


@rule
def the_api_server_takes_what_values_make(repository: Repository) -> Iterator[Finding]:
    """What they put into the objects of the chart."""
    others = (pods.every_mount_has_its_volume, pods.no_variable_is_set_twice, chart.the_values_fit_their_schema)
    told = {(each.file, each.line) for other in others for each in other(repository)}
    for values in repository.values:  # of which the first of these tells once
        mounts = (values.finding((*each.place, "name"), "", edit("")) for each in pods.mounts_of_nothing(values))
        told |= {(each.file, each.line) for each in mounts}
    for found in _findings(repository, of_values(repository)):
        if (found.file, found.line) not in told:
            yield found
