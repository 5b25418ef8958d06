"""A file that is as a whole not what it should be: another one lies in its place, or it ends too early.

Many rules then find something, in it and because of it. It is one cause, and told once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from posixpath import basename, dirname

import yaml

from litellm_gitops.correction import with_word, without
from litellm_gitops.findings import Finding, delete, edit, restore
from litellm_gitops.repository import Repository

_TRIED, _SHOWN = 3, 3  # words that may be the cause; of many files
_TWICE = "no_object_is_applied_twice"  # speaks of the file in its place, too
# files that are rendered, of which a person may write no other by the same name; of the others each its own text
_APPLIED = re.compile(
    r"clusters/[^/]+/(?:account|exposure|kustomization|monitoring|namespace|network-policy|project|release|root|secrets"
    r"|source|release/helmrelease|(?:argocd|flux)-setup/(?:argocd-(?:cm|cmd-params-cm|repo-server)|plugin"
    r"|serviceaccount))\.yaml"
    r"|secrets/[^/]+/(?:kustomization|ksops)\.yaml"
    r"|litellm/Chart\.yaml|\.sops\.yaml"
)
_OURS = re.compile(
    rf"{_APPLIED.pattern}|litellm/values[\w-]*\.yaml|README\.md|docker-compose\.yml|renovate\.json|pyproject\.toml"
    r"|\.github/workflows/\w+\.yaml|\.gitlab-ci\.yml|\.pre-commit-config\.yaml|\.gitleaks\.toml"
)

Again = Callable[[Repository], Iterable[Finding]]
Instead = dict[Finding, Finding | None]  # what is told in place of a finding


def instead(repository: Repository, found: Iterable[Finding], again: Again) -> Instead:
    """What is told in place of these findings, where a file as a whole is their cause.

    `again` evaluates the same repository without such a file: what is then not found follows from it.
    """
    found = sorted(found, key=lambda each: (each.code, each.line or 0, each.what))
    together: Instead = {}
    for file, twin in _copies(repository, found).items():
        others = [each for each in found if each.file != file]
        kept = {(each.code, each.what) for each in again(without(repository, file))} if others else set()
        together |= {each: None for each in others if (each.code, each.what) not in kept}
        ours = [each for each in found if each.file == file]
        first = next((each for each in ours if each.code != _TWICE), ours[0])
        what = f"it is {twin}, byte for byte, and another is needed here"
        told = replace(first, line=None, what=what, fix=restore())
        if not _is_ours(file):
            told = replace(told, what=f"it is {twin} a second time", fix=delete(file))
        together |= _as_one(ours, told, first)
    for file in sorted({each.file for each in found} - {each.file for each in together}):
        ours = [each for each in found if each.file == file]
        if len(ours) > 1 and _is_at_the_end(repository, file, ours):
            first = min(ours, key=lambda each: each.line or 0)
            what = f"{first.what}, and more is missing where the file ends"
            # copier does not write the rules of sops
            fix = restore() if file != ".sops.yaml" else edit("take it from git history")
            together |= _as_one(ours, replace(first, what=what, fix=fix), first)
    return together | _of_one_word(repository, [each for each in found if each not in together], again)


def _of_one_word(repository: Repository, found: list[Finding], again: Again) -> Instead:
    """Where one word stands in place of another in several files: one finding, at the first of them.

    With the word as it was meant all that it explains is gone.
    """
    told = sorted((each for each in found if each.other), key=lambda each: (each.file, each.line or 0))
    files = {each.file for each in found}
    together: Instead = {}
    for slip in [*dict.fromkeys(each.other for each in told if each.other)][:_TRIED] if len(files) > 1 else ():
        kept = {(each.code, each.what) for each in again(with_word(repository, files, slip))}
        ours = [each for each in found if each not in together and (each.code, each.what) not in kept]
        first = next((each for each in told if each.other == slip and each in ours), None)
        others = sorted({each.file for each in ours} - {first.file if first else ""})
        if first and others:
            more = f"{', '.join(others[:_SHOWN])}{', …' * (len(others) > _SHOWN)}"
            what = f"{first.what}; so too in {more}: {slip.word} stands for {slip.meant}"
            together |= dict.fromkeys(ours)
            together[first] = replace(first, what=what, fix=edit(f"write {slip.meant} in all of them"))
    return together


def _as_one(found: list[Finding], told: Finding, first: Finding) -> Instead:
    return {each: replace(told, misspelt=None) if each is first else None for each in found}


def _is_ours(file: str) -> bool:
    """Whether a file is one of those that are rendered, by its name."""
    return _OURS.fullmatch(file) is not None


def _copies(repository: Repository, found: list[Finding]) -> dict[str, str]:
    """Each file in whose place another one lies, byte for byte, of which nothing is found -> that one.

    Where both are of one kind, it is the cause of several findings in it, not of one.
    """
    wrong = {each.file for each in found if each.code != _TWICE}
    copies = dict[str, str]()
    for file in sorted(wrong & {*repository.files}):
        content = (repository.content(file) or b"").strip() if file.startswith("clusters/") or _is_ours(file) else b""
        same = [other for other in repository.files if content and other != file and _is(repository, other, content)]
        if not _is_ours(file):  # one of another name is renamed, unless it lies beside the other
            same = [other for other in same if dirname(other) == dirname(file) and len(found) > 1]
        is_one = sum(each.file == file for each in found) == 1 and all(_alike(file, other) for other in same)
        if same and not is_one and not wrong & {*same}:
            copies[file] = min(same, key=lambda other: (not _alike(file, other), other))
    return copies


def _is(repository: Repository, file: str, content: bytes) -> bool:
    return (repository.content(file) or b"").strip() == content


def _alike(file: str, other: str) -> bool:
    """Whether two files are of one kind, each of another cluster."""
    return basename(file) == basename(other) or (dirname(file) == dirname(other) == "litellm")


def _is_at_the_end(repository: Repository, file: str, found: list[Finding]) -> bool:
    """Whether all of these miss what would stand below the end of a file, and none knows a word that was meant."""
    documents = repository.documents(file) if _APPLIED.fullmatch(file) else ()
    if not documents or any(each.misspelt for each in found):
        return False
    lines = {None, *_lines_to_the_end(documents[-1].node)}
    return all(each.line in lines for each in found)


def _lines_to_the_end(node: yaml.Node) -> Iterable[int]:
    """The lines (from 1) of what the last value of a document is a part of."""
    yield node.start_mark.line + 1
    while isinstance(node, yaml.CollectionNode) and node.value:
        last = node.value[-1]
        yield (last[0] if isinstance(last, tuple) else last).start_mark.line + 1
        node = last[1] if isinstance(last, tuple) else last
