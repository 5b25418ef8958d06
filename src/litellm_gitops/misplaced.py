"""What follows from values that are not in their place: a line that is gone, a block that is indented once too often.

The schemas tell of the cause, as a field that does not exist or a value of a type that may not stand there. What other
rules then miss in the same values, or in the same manifest, is no fault of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from posixpath import dirname

import yaml

from litellm_gitops.documents import Place, dotted, nodes
from litellm_gitops.findings import Finding
from litellm_gitops.proxy_facts import sections_of
from litellm_gitops.repository import ANSWERS, VALUES, Repository

_TWICE, _AMBIGUOUS = "no_key_is_given_twice", "yaml_means_the_same_to_every_reader"
_OF_SCHEMAS = (
    "every_manifest_fits_the_schema_of_its_kind",
    "every_name_is_valid",
    "the_engine_knows_every_field",
    "the_values_fit_their_schema",
    "what_values_put_into_the_pod_fits_its_schema",
)


@dataclass(frozen=True)
class Misplaced:
    """What findings about misplaced values make of others."""

    lines: frozenset[tuple[str, int | None]] = frozenset()  # with a value that does not fit
    files: frozenset[str] = frozenset()  # of which nothing can be said until all is in its place
    lacking: frozenset[str] = frozenset()  # of which only what stands there can be judged by itself
    instead: dict[Finding, Finding | None] = field(default_factory=dict)  # so that one cause is told once

    def told(self, finding: Finding, by_itself: bool = False) -> Finding | None:
        """The finding, or what is told in its place; None where it only follows from these, or another says it.

        `by_itself`: it is one of a rule that judges what stands there, and misses nothing.
        """
        if finding in self.instead:
            return self.instead[finding]
        files = self.files if by_itself else self.files | self.lacking
        follows = (finding.file, finding.line) in self.lines or (finding.file in files and not finding.misspelt)
        return None if follows else finding


def misplaced(repository: Repository, found: Iterable[Finding]) -> Misplaced:
    """What findings about the form of values and manifests, in their order, say of others."""
    found = sorted(found, key=lambda each: (each.file, each.line or 0, each.code not in _OF_SCHEMAS))
    own = {cluster.values_file: cluster.checksums_file for cluster in repository.clusters}
    of_values = {VALUES, *own, *own.values()}
    causes = _causes(repository, [each for each in found if each.file != ANSWERS])  # of which rules of their own tell
    gone = [same for same in causes if all(each.form and each.form.kind == "gone" for each in same)]
    files = {each.file for same in causes if same not in gone for each in same}
    around = _around(own, files)
    # what is gone as a whole follows from what is not in its place, in another file as well
    causes = [same for same in causes if same not in gone or same[0].file not in around]
    lacking = _around(own, {each.file for same in causes if same in gone for each in same})
    instead: dict[Finding, Finding | None] = {each: each for each in found if each.code in _OF_SCHEMAS}
    missing = [each for each in found if each.form and each.form.kind == "missing"]
    for each in (each for each in missing if each.file in of_values):
        if {each.file, VALUES} & (files | lacking if each.code in _OF_SCHEMAS else files):
            instead[each] = None
    instead |= {each: None for same in (*causes, *gone) for each in same}
    instead |= {same[0]: _one_of(same) for same in causes}
    moved = {each.file for same in causes for each in same if each.form and each.form.kind == "unknown"}
    instead |= {each: None for each in missing if each.file in moved}
    twice = {each.file for each in found if each.code == _TWICE} - {ANSWERS}
    instead |= {each: None for each in found if each.code != _TWICE and each.file in twice}
    ambiguous = {(each.file, each.line) for each in found if each.code == _AMBIGUOUS}
    instead |= {each: None for each in found if each.code in _OF_SCHEMAS and (each.file, each.line) in ambiguous}
    lines = frozenset(
        (each.file, each.line) for each in found if each.line and each.form and each.form.kind in ("type", "value")
    )
    typed = {(each.file, each.line) for each in found if each.code in _OF_SCHEMAS and (each.file, each.line) in lines}
    sections = [each for each in found if each.code not in _OF_SCHEMAS and each.form and each.form.kind == "type"]
    instead |= {each: None for each in sections if (each.file, each.line) in typed}  # of the proxy's configuration
    # what is not there of the objects of a folder is told at its list
    lists = {(f"{dirname(file)}/kustomization.yaml", None) for file in files - of_values}
    instead |= {each: None for each in found if _is_astray(each, found, around_of=own)}
    return Misplaced(lines | lists, frozenset(files | around), frozenset(lacking), instead)


def _is_astray(finding: Finding, found: list[Finding], around_of: Mapping[str, str]) -> bool:
    """Whether it misses a setting of which another finding says that it stands in another section."""
    form = finding.form
    if not form or form.kind != "missing":
        return False
    strays = [each.file for each in found if each.form and (each.form.kind, each.form.field) == ("astray", form.field)]
    is_home = form.place[-1:] in [(section,) for section in sections_of(form.field)]
    return is_home and any(finding.file in _around(around_of, {file}) for file in strays)


def _around(own: Mapping[str, str], files: set[str]) -> set[str]:
    """The files of values that belong to one of these: those of its cluster, and with the shared one all."""
    there = files & {VALUES, *own, *own.values()}
    pairs = [{*pair} for pair in own.items() if VALUES in there or there & {*pair}]
    return {VALUES, *(file for pair in pairs for file in pair)} if there else set()


def _causes(repository: Repository, found: list[Finding]) -> list[list[Finding]]:
    """Findings about what is not in its place: those of one mapping, or of one list, together."""
    together: dict[object, list[Finding]] = {}
    wrong: dict[tuple[str, Place], object] = {}  # what is of a wrong type, and what is told together with it
    for each in found:
        form = each.form
        key: object = (each.file, each.what)
        if form and form.kind == "missing":
            key = (each.file, each.code, form.place, "missing")
        if form and form.kind in ("unknown", "type", "astray", "gone"):
            place = form.place[form.place[:1] == (repository.chart.name,) :]
            place = tuple("*" if isinstance(part, int) else part for part in place)
            above = place[:-1] if form.kind == "type" else place
            there = [(at, other) for (file, at), other in wrong.items() if file == each.file]
            around = [other for at, other in there if above[: len(at)] == at]
            # a setting that stands beside the section that it belongs into
            homes = sections_of(form.field) if form.kind == "astray" else []
            around += [other for at, other in there if at[-1] in homes]
            key = (around or [(each.file, form.kind == "astray", above)])[0]
            if form.kind == "type":
                wrong[each.file, place] = key
            if form.kind == "gone":  # of a file that ends too early there are several
                key = (each.file, form.kind)
        together.setdefault(key, []).append(each)
    return [same for same in together.values() if any(_is_lost(repository, each, len(same)) for each in same)]


def _is_lost(repository: Repository, finding: Finding, count: int) -> bool:
    """Whether it tells of a part of the values that nobody finds where it stands, or of one that is not there."""
    form = finding.form
    if finding.code == _TWICE:
        return True
    match form and form.kind:
        case "missing":  # of values themselves other rules say what they lack
            is_item = bool(form and form.place and isinstance(form.place[-1], int))
            return is_item or not finding.file.startswith("litellm/")
        case "gone":
            return True
        case "unknown":
            return not finding.misspelt
        case "astray" if count > 1:
            return True
        case None | "value":
            return False
    if form and (form.is_part or (form.place and isinstance(form.place[-1], int))):
        return True
    mappings = (
        node
        for document in repository.documents(finding.file)
        for node in nodes(document.node)
        if isinstance(node, yaml.MappingNode)
    )
    parts = (key for node in mappings for key, value in node.value if isinstance(value, yaml.CollectionNode))
    return any(key.start_mark.line + 1 == finding.line for key in parts)


def _one_of(same: list[Finding]) -> Finding:
    """Of what is wrong in one mapping, or in one list: the value of a wrong type, else all unknown fields in one."""
    forms = [(each, each.form) for each in same if each.form]
    first = next((each for each, form in forms if form.kind != "unknown"), same[0])
    names = [form.field for _, form in forms if form.kind == "unknown"]
    strays = [form.field for _, form in forms if form.kind == "astray"]
    lacks = [form.field for _, form in forms if form.kind == "missing"]
    if len({*names}) > 1 and first.form and first.form.kind == "unknown":
        what = f"{dotted(first.form.place) or 'it'} has fields that do not exist: {', '.join(dict.fromkeys(names))}"
        return replace(first, what=what, misspelt=None)
    if len(strays) > 1:
        return replace(first, what=first.what.replace(f"{strays[0]} stands", f"{', '.join(strays)} stand", 1))
    if len(lacks) > 1:
        return replace(first, what=first.what.replace(f"lacks {lacks[0]}", f"lacks {', '.join(lacks)}", 1))
    return first
