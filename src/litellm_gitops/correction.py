"""A repository as it would be with its misspelt words corrected. What is not wrong there only follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename, dirname

import yaml

from litellm_gitops.documents import Document, nodes
from litellm_gitops.files import Source
from litellm_gitops.findings import Finding, Misspelt
from litellm_gitops.repository import Repository


class _Corrected:
    """The files of another source, some of them with another content."""

    def __init__(self, source: Source, contents: Mapping[str, bytes]) -> None:
        self._source = source
        self._contents = contents

    @property
    def names(self) -> list[str]:
        return self._source.names

    @property
    def tracked(self) -> frozenset[str]:
        return self._source.tracked

    @property
    def unmerged(self) -> Mapping[str, bool]:
        return self._source.unmerged

    def read(self, name: str) -> bytes | None:
        return self._contents[name] if name in self._contents else self._source.read(name)

    def is_link(self, name: str) -> bool:
        return self._source.is_link(name)


class _Moved(_Corrected):
    """The files of another source, of which some lie in a folder of another name."""

    def __init__(self, source: Source, folders: Mapping[str, str]) -> None:
        super().__init__(source, {})
        self._folders = folders

    def _there(self, name: str, back: bool = False) -> str:
        for folder, meant in self._folders.items():
            one, other = (meant, folder) if back else (folder, meant)
            if name.startswith(f"{one}/"):
                return f"{other}{name.removeprefix(one)}"
        return name

    @property
    def names(self) -> list[str]:
        return sorted(map(self._there, self._source.names))

    @property
    def tracked(self) -> frozenset[str]:
        return frozenset(map(self._there, self._source.tracked))

    def read(self, name: str) -> bytes | None:
        return self._source.read(self._there(name, back=True))

    def is_link(self, name: str) -> bool:
        return self._source.is_link(self._there(name, back=True))


class _Without(_Corrected):
    """The files of another source but one."""

    def __init__(self, source: Source, file: str) -> None:
        super().__init__(source, {})
        self._file = file

    @property
    def names(self) -> list[str]:
        return [name for name in self._source.names if name != self._file]


def with_word(repository: Repository, files: Iterable[str], slip: Misspelt) -> Repository:
    """The same repository with a word in these files as it was meant."""
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(slip.word)}(?![A-Za-z0-9])")
    texts = {file: repository.text(file) for file in files}
    contents = {file: word.sub(lambda _: slip.meant, text).encode() for file, text in texts.items() if text}
    return Repository(repository.root, _Corrected(repository.source, contents))


def without(repository: Repository, file: str) -> Repository:
    """The same repository without a file."""
    return Repository(repository.root, _Without(repository.source, file))


def renamed_folders(repository: Repository) -> dict[str, str]:
    """Each folder below secrets/ that is of no cluster and holds what one lacks altogether -> that of this cluster."""
    ours = {cluster.secrets_folder for cluster in repository.clusters}
    others = {dirname(file) for file in repository.under("secrets")} - {"secrets"} - ours
    found = dict[str, str]()
    for cluster in repository.clusters if others else ():
        wanted = {basename(secret.file) for secret in cluster.wanted.values()}
        there = {folder: {basename(file) for file in repository.under(folder)} for folder in others - set(found)}
        best = max(sorted(there), key=lambda folder: len(there[folder] & wanted), default="")
        if best and not repository.under(cluster.secrets_folder) and 2 * len(there[best] & wanted) > len(wanted):
            found[best] = cluster.secrets_folder
    return found


def with_folders(repository: Repository, folders: Mapping[str, str]) -> Repository:
    """The same repository with these folders under the names that were meant."""
    return Repository(repository.root, _Moved(repository.source, folders))


def corrected(repository: Repository, found: Iterable[Finding]) -> Repository | None:
    """The same repository with each word that a finding calls misspelt as it was meant; None where there is no such.

    What stands in other lines keeps its line.
    """
    slips: dict[str, set[tuple[int, Misspelt]]] = {}
    for finding in found:
        if finding.misspelt and finding.line:
            slips.setdefault(finding.file, set()).add((finding.line, finding.misspelt))
    contents = {file: _with(repository, file, slips[file]) for file in slips}
    changed = {file: content for file, content in contents.items() if content != repository.content(file)}
    return Repository(repository.root, _Corrected(repository.source, changed)) if changed else None


def _with(repository: Repository, file: str, slips: set[tuple[int, Misspelt]]) -> bytes:
    lines = (repository.text(file) or "").split("\n")
    places = {
        (mark.line, mark.column, each.word, each.meant)
        for document in repository.documents(file)
        for number, each in slips
        for mark in _marks(document, number, each)
    }
    for number, column, word, meant in sorted(places, reverse=True):  # the last of a line first
        before, after = lines[number][:column], lines[number][column:]
        lines[number] = before + after.replace(word, meant, 1)
    return "\n".join(lines).encode()


def _marks(document: Document, line: int, slip: Misspelt) -> Iterator[yaml.Mark]:
    """Where a word stands in a line, but for a key beside the one that was meant."""
    every = [*nodes(document.node)]
    keys = [[key for key, _ in node.value] for node in every if isinstance(node, yaml.MappingNode)]
    beside = {id(key) for each in keys if slip.meant in [key.value for key in each] for key in each}
    for node in every:
        if node.value == slip.word and node.start_mark.line + 1 == line and id(node) not in beside:
            yield node.start_mark
