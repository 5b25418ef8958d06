"""Rules that are data: what must stand, or must not, at a place of an engine's objects. One file for each engine.

`objects` names what every cluster gets, as `Kind namespace/name`; `all_there` is the rule that demands them. `files`
says in which file each of them stands, `either` what other files hold where they are there, and `others` what a cluster
may have, too. `rules` holds the rows of each
other rule:

    of     the object, or several
    at     the place: keys, of which `a|b` stands for both and `*` for each item of a list
    kms    true or false: only with, or without, a key service that decrypts
    given  the name of an answer: only where it is not empty
    a test, with its value: see _TESTS
    why    why it must be so
    what   what is wrong, where the test's own words do not say it
    fix    what to do, where the test's own fix does not say it

In a text stand {answers}, {namespace}, {cluster.…}, and the names of the files of values: {own.…}, {checksums.…}.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any

import yaml

from litellm_gitops import credentials
from litellm_gitops.documents import LOADER, Place, dig, sequence, text, texts
from litellm_gitops.findings import Finding, edit, instead_of, restore
from litellm_gitops.languages import cel
from litellm_gitops.objects import Identity, Object, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules import RULES, Function, Rule
from litellm_gitops.rules.admission import is_refused
from litellm_gitops.rules.engine import Synced, expect, in_setup, synced
from litellm_gitops.spelling import closest

_REFUSED = ("RoleBinding",)  # kinds in which what is refused is what the rows here are about
# its name -> (whether what stands there passes, given the row's value; what is wrong; what to do)
_TESTS: Mapping[str, tuple[Callable[[Any, Any], bool], str, str]] = {
    "is": (lambda found, value: found == value, "is {found}", "write {place}: {value}"),
    "only": (lambda found, value: found == value, "is not {value} alone", ""),
    "is_or_unset": (lambda found, value: found in (None, value), "is {found}", "take it out"),
    "is_not": (lambda found, value: found != value, "is {found}", "take it out"),
    "empty": (lambda found, _: not found, "is set", "take it out"),
    "absent": (lambda found, _: found is None, "is set", "take it out"),
    "there": (lambda found, _: found is not None, "is missing", "add it"),
    "within": (lambda found, value: isinstance(found, int) and value[0] <= found <= value[1], "is {found}", ""),
    "lasts": (lambda found, value: found is None or cel.seconds(found) >= value, "is {found}", "give it more time"),
    "leads_to": (lambda found, value: normpath(text(found) or ".") == value, "is {found}", "write {place}: ./{value}"),
    "lists": (lambda found, value: [*map(normpath, texts(found))] == value, "are others", "list {value}"),
    "holds": (lambda found, value: value in _parts(found), "lacks {value}", "add {value}"),
    "names": (lambda found, value: is_named(found, value), "does not name {value}", "add it"),
    "names_not": (lambda found, value: not is_named(found, value), "names {value}", "take it out"),
    "rule": (lambda found, value: cel.holds(value, self=found), "takes in too much", ""),  # CEL; passes where undecided
    "spares": (lambda found, value: not {*value} & {*_parts(found)}, "takes in too much", ""),
}


def _parts(value: Any) -> list[Any]:
    """The items of a list, or of a text between commas or spaces."""
    return re.split(r"[,\s]+", value) if isinstance(value, str) else sequence(value)


def is_named(patterns: Any, value: Any) -> bool:
    """Whether one in a list of patterns fits a text, or one in a list of mappings of patterns a mapping of texts."""
    fields = value if isinstance(value, dict) else {"": value}
    entries = [entry if isinstance(entry, dict) else {"": entry} for entry in sequence(patterns)]
    return any(all(fnmatchcase(wanted, text(entry.get(key))) for key, wanted in fields.items()) for entry in entries)


class Table:
    """The table of an engine. Each of its rules is registered."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self._content = yaml.load((files(__package__) / f"{engine}.yml").read_text("utf-8"), LOADER)
        for name in (self._content["all_there"], *self._content["rules"]):
            self._register(name)

    def rule(self, function: Function) -> Function:
        """Register a function as the rule of its name, after the rows of that name."""
        self._register(function.__name__, function)
        return function

    def _register(self, name: str, more: Function | None = None) -> None:
        def evaluate(repository: Repository) -> Iterator[Finding]:
            yield from self._findings(name, repository)
            if more:
                yield from more(repository)

        RULES[name] = Rule(name, self.engine, evaluate)

    def clusters(self, repository: Repository) -> list[Synced]:
        """What each cluster reads; nothing where another engine was chosen."""
        return synced(repository, self.engine)

    def identity(self, each: Synced, key: str) -> Identity:
        """The identity of one of `objects`."""
        named = self._content["objects"] | self._content.get("others", {})
        kind, path = str(named[key]).format_map(_words(each)).split(" ", 1)
        return Identity(kind, path)

    def each(self, repository: Repository, *keys: str) -> Iterator[tuple[Synced, Object]]:
        """The sound objects of `objects`, with what their clusters read. An operator's own are left alone."""
        for each in self.clusters(repository):
            for key in keys:
                if found := each.find(self.identity(each, key)):
                    yield each, found

    def setup(self, each: Synced) -> dict[str, set[Identity]]:
        """The files that a person applies to the engine itself, and what each of them holds."""
        files = {**self._content["files"], **self._content.get("either", {})}
        known = {f"{each.cluster.folder}/{file}": keys for file, keys in files.items()}
        return {file: {self.identity(each, key) for key in known[file]} for file in known if in_setup(file)}

    def _of_setup(self, each: Synced) -> Iterator[Finding]:
        """Of the files that a person applies to the engine itself: one by another name, one without its objects."""
        either, readme = self._content.get("either", {}), each.repository.text("README.md") or ""
        setup = self.setup(each)
        held: dict[str, set[Identity]] = {}
        for found in each.objects:
            held.setdefault(found.document.file, set()).add(found.identity)
        for file, wanted in setup.items():
            others = (other for other in held if other not in setup and in_setup(other) and wanted <= held[other])
            if not each.repository.has(file) and file in readme and (other := next(others, "")):
                fix = f"call it {file}, by which name README.md has it"
                yield Finding(other, None, "a person applies it, by another name", edit(fix))
            kinds = {identity.kind for identity in held.get(file, ())}
            # of a kind that is misspelt or missing another rule tells
            lost = sorted(own for own in wanted if own.kind not in kinds and not closest(own.kind, kinds))
            is_either = file.removeprefix(f"{each.cluster.folder}/") in either and each.repository.has(file)
            if lost and is_either and "" not in kinds and file not in each.repository.broken:
                what = f"there is no {', no '.join(f'{kind} {path}' for kind, path in lost)}"
                yield Finding(file, None, what, restore())

    def _findings(self, name: str, repository: Repository) -> Iterator[Finding]:
        if name == self._content["all_there"]:
            for each in self.clusters(repository):
                homes = {
                    self.identity(each, key): file for file, keys in self._content["files"].items() for key in keys
                }
                yield from expect(each, [self.identity(each, key) for key in self._content["objects"]], homes=homes)
                yield from self._of_setup(each)
            return
        told: list[tuple[Object, Place]] = []
        for row in self._content["rules"].get(name, ()):
            for each, found in self.each(repository, *([row["of"]] if isinstance(row["of"], str) else row["of"])):
                if found.identity.kind in _REFUSED and is_refused(repository, found):
                    continue  # of which another rule tells
                is_given = not row.get("given") or repository.answers.get(row["given"])
                if is_given and row.get("kms") in (None, bool(each.cluster.kms)):
                    for place, value in places(found.document.value, row["at"]):
                        if not any(other is found and _is_within(place, above) for other, above in told):
                            findings = [*_evaluate(row, found, place, _words(each))]
                            # of a mapping that is not there one finding is enough
                            lost = value is None and len(place) > 1 and not found.get(*place[:-1])
                            of_binding = place[:1] == ("roleRef",)  # whose parts are one thing
                            told += [(found, place[:-1] if lost or of_binding else place) for _ in findings]
                            yield from findings


def _is_within(place: Place, other: Place) -> bool:
    """Whether one of two places is in the other."""
    shorter = min(len(place), len(other))
    return place[:shorter] == other[:shorter]


def _evaluate(row: Mapping[str, Any], found: Object, place: Place, words: Mapping[str, Any]) -> Iterator[Finding]:
    test = next(test for test in _TESTS if test in row)
    passes, what, fix = _TESTS[test]
    value = _filled(row[test], words)
    # of a password in it another rule tells
    if not passes(found.get(*place), value) and not credentials.find(text(found.get(*place))):
        listed = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        shown = ", ".join(map(show, listed))
        words = {**words, "place": ".".join(map(str, place)), "found": show(found.get(*place)), "value": shown}
        what = f"{{place}} {row.get('what', what)}".format_map(words)
        told = found.finding(place, f"{what}: {row['why'].format_map(words)}", row.get("fix", fix).format_map(words))
        yield replace(told, other=instead_of(found.get(*place), value) if test in ("is", "is_or_unset") else None)


def _filled(value: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    return value.format_map(words) if isinstance(value, str) else value


@lru_cache(maxsize=8)  # the rows ask for each place
def _words(each: Synced) -> Mapping[str, Any]:
    cluster, namespace = each.cluster, each.repository.namespace
    own, checksums = PurePosixPath(cluster.values_file), PurePosixPath(cluster.checksums_file)
    words = {**each.repository.answers, "namespace": namespace, "cluster": cluster, "own": own, "checksums": checksums}
    words["at"] = each.repository.path("")
    return defaultdict(str, words)  # an answer may be missing


def places(value: Any, at: Sequence[str], above: Place = ()) -> Iterator[tuple[Place, Any]]:
    """(place, value) of what a path leads to, in which `a|b` stands for both and `*` for each item of a list."""
    if not at:
        yield above, value
        return
    for key in range(len(sequence(value))) if at[0] == "*" else at[0].split("|"):
        yield from places(dig(value, key), at[1:], (*above, key))
