"""What follows from values that are not in their place: a line that is gone, a block that is indented once too often.

The schemas tell of the cause, as a field that does not exist or a value of a type that may not stand there. What other
rules then miss in the same values is no fault of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import yaml

from litellm_gitops.documents import nodes
from litellm_gitops.findings import Finding
from litellm_gitops.repository import VALUES, Repository

_UNKNOWN = re.compile(r"(.*) has a field that does not exist: (.*?)(?:; did you mean .*)?")
_OF_NO_TYPE = re.compile(r"(?:(.*)\.)?[^.]+ is not of the type .*")
_PART = re.compile(r".* is not of the type .*\b(?:object|array)\b.*")  # more belongs there
_TWICE = "no_key_is_given_twice"
_OF_SCHEMAS = ("the_values_fit_their_schema", "what_values_put_into_the_pod_fits_its_schema")
_MISFIT = re.compile(r" is not of the type | does not fit ")
# of the proxy's configuration
_ASTRAY = re.compile(r"(?P<name>\S+)(?P<section> stands in .*, and LiteLLM does not look for it there)")
_NO_SECTION = re.compile(r"\w+_(?:settings|list) is not what LiteLLM takes: .*")


@dataclass(frozen=True)
class Misplaced:
    """What findings about misplaced values make of others."""

    lines: frozenset[tuple[str, int | None]] = frozenset()  # with a value that does not fit
    files: frozenset[str] = frozenset()  # of values of which nothing can be said until all is in its place
    instead: dict[Finding, Finding | None] = field(default_factory=dict)  # so that one cause is told once

    def told(self, finding: Finding) -> Finding | None:
        """The finding, or what is told in its place; None where it only follows from these, or another says it."""
        if finding in self.instead:
            return self.instead[finding]
        follows = (finding.file, finding.line) in self.lines or (finding.file in self.files and not finding.misspelt)
        return None if follows else finding


def misplaced(repository: Repository, found: Iterable[Finding]) -> Misplaced:
    """What findings about the form of values, in their order, say of others."""
    found = sorted(found, key=lambda each: (each.file, each.line or 0))
    of_values = {VALUES, *(cluster.values_file for cluster in repository.clusters)}
    causes = _causes(repository, [each for each in found if each.file in of_values])
    files = {each.file for same in causes for each in same}
    instead: dict[Finding, Finding | None] = {each: each for each in found if each.code in _OF_SCHEMAS}
    instead |= {each: None for each in found if " lacks " in each.what and files & {each.file, VALUES}}
    instead |= {each: None for same in causes for each in same}
    instead |= {same[0]: _one_of(same) for same in causes}
    twice = {each.file for each in found if each.code == _TWICE} & of_values
    instead |= {each: None for each in found if each.code != _TWICE and each.file in twice}
    lines = frozenset((each.file, each.line) for each in found if each.line and _MISFIT.search(each.what))
    if files:
        files |= of_values if VALUES in files else {VALUES}
    return Misplaced(lines, frozenset(files), instead)


def _causes(repository: Repository, found: list[Finding]) -> list[list[Finding]]:
    """Findings about values that are not in their place: those of one mapping, or of one list, together."""
    together: dict[tuple[str, str], list[Finding]] = {}
    for each in found:
        astray, unknown = _ASTRAY.fullmatch(each.what), _UNKNOWN.fullmatch(each.what)
        match = unknown or _OF_NO_TYPE.fullmatch(each.what)
        name = f".{match[1] or ''}".removeprefix(f".{repository.chart.name}") if match else each.what
        name = astray["section"] if astray else re.sub(r"\b\d+\b", "*", name).strip(".")
        together.setdefault((each.file, name), []).append(each)
    return [same for same in together.values() if any(_is_lost(repository, each, len(same)) for each in same)]


def _is_lost(repository: Repository, finding: Finding, count: int) -> bool:
    """Whether it tells of a part of the values that nobody finds where it stands, or of one that is not there."""
    what, astray = finding.what, _ASTRAY.fullmatch(finding.what)
    if _UNKNOWN.fullmatch(what):
        return not finding.misspelt
    if finding.code == _TWICE or (astray and count > 1) or _PART.fullmatch(what) or _NO_SECTION.fullmatch(what):
        return True
    document = repository.document(finding.file) if astray or _OF_NO_TYPE.fullmatch(what) else None
    mappings = (node for node in nodes(document.node) if isinstance(node, yaml.MappingNode)) if document else ()
    parts = (key for node in mappings for key, value in node.value if isinstance(value, yaml.CollectionNode))
    return any(key.start_mark.line + 1 == finding.line for key in parts)


def _one_of(same: list[Finding]) -> Finding:
    """Of what is wrong in one mapping, or in one list: the value of a wrong type, else all unknown fields in one."""
    first = next((each for each in same if not _UNKNOWN.fullmatch(each.what)), same[0])
    names = [match[2] for each in same if (match := _UNKNOWN.fullmatch(each.what))]
    strays = [match["name"] for each in same if (match := _ASTRAY.fullmatch(each.what))]
    if len({*names}) > 1 and (unknown := _UNKNOWN.fullmatch(first.what)):
        what = f"{unknown[1]} has fields that do not exist: {', '.join(dict.fromkeys(names))}"
        return replace(first, what=what)
    if len(strays) > 1:
        return replace(first, what=first.what.replace(f"{strays[0]} stands", f"{', '.join(strays)} stand", 1))
    return first
