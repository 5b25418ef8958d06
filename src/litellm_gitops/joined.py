"""Findings that are told as one: alike in each cluster, many of one rule in a file, two of neighbouring lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from litellm_gitops.findings import Action, Finding, edit

_MANY, _SHOWN = 3, 8  # findings of one rule in one file that are told as one, and how many of their lines


def joined(found: Iterable[Finding], clusters: Iterable[str], apart: Callable[[Finding], bool]) -> Iterator[Finding]:
    """The findings, some as one: each of what is alike in several clusters, and of what one rule finds in a file.

    `clusters` are the names of the clusters; a finding that is to stand `apart` is not told with others of its file.
    """
    names = re.compile(rf"(?<!litellm-)\b(?:{'|'.join(clusters)})\b")
    same: dict[Finding, list[Finding]] = {}
    for finding in found:
        same.setdefault(replace(finding, what=names.sub("{}", finding.what)), []).append(finding)
    alike: dict[tuple[str, str], list[Finding]] = {}
    for findings in same.values():
        clusters = sorted({name for finding in findings for name in names.findall(finding.what)[:1]})
        first, *others = findings
        told = replace(first, what=names.sub(", ".join(clusters), first.what, count=1)) if others else first
        alike.setdefault((told.file, told.code), []).append(told)
    everywhere: dict[tuple[str, ...], dict[str, Finding]] = {}
    for each in (each for of_file in alike.values() for each in _of_a_file(of_file, apart)):
        texts = [names.sub("{}", text) for text in (each.file, each.what, each.fix.text)]
        beside = everywhere.setdefault((each.code, *texts), {})
        is_by_hand = each.fix.action in (Action.EDIT, Action.RESTORE) or (
            each.fix.action == Action.UPDATE and each.fix.first
        )
        if each.file in beside or apart(each) or not is_by_hand:
            yield each
        else:
            beside[each.file] = each
    for first, *others in (beside.values() for beside in everywhere.values() if beside):
        so_too = f"; so too in {', '.join(each.file for each in others)}"
        yield replace(first, what=f"{first.what}{so_too}") if others else first


def _of_a_file(found: list[Finding], apart: Callable[[Finding], bool]) -> Iterator[Finding]:
    """What one rule says of a file, or of two lines that follow each other, and of many, at once."""
    if len(found) == 1 or apart(found[0]):
        yield from found
    else:
        yield from [_with_others(found)] if len(found) >= _MANY else _as_one(*found)


def _with_others(findings: list[Finding]) -> Finding:
    """One finding for many of a rule in a file: an edit of all of it, or a part that is lost."""
    first, *others = sorted(findings, key=lambda each: each.line or 0)
    lines = [str(each.line) for each in others if each.line and each.line != first.line]
    where = f" (line {', '.join(lines[:_SHOWN])}{', …' * (len(lines) > _SHOWN)})" if lines else ""
    return replace(first, what=f"{first.what}; and {len(others)} more of that kind{where}")


def _as_one(first: Finding, second: Finding) -> Iterator[Finding]:
    """Two findings, or one where what two lines hold that follow each other changed places, or was changed at once."""
    above, below = sorted((first, second), key=lambda each: each.line or 0)
    is_edit = above.fix.action == below.fix.action == Action.EDIT
    if not is_edit or not above.line or below.line not in (above.line, above.line + 1):
        yield from (first, second)
        return
    what = f"{above.what}; and{f' in line {below.line}:' * (below.line != above.line)} {below.what}"
    fix = above.fix.text if above.fix == below.fix else f"{above.fix.text}, and {below.fix.text}"
    yield replace(above, what=what, fix=edit(fix))
