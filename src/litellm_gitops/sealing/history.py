"""What git remembers of sealed files: those that are gone, and for whom the values of the others were sealed first.

Whoever adds himself to a sealed file without a private key can wrap no data key for himself, and leaves every value as
it is. Sealing for somebody else, as `--rekey` does it, makes each value anew.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from litellm_gitops.documents import NotYamlError, parse
from litellm_gitops.files import git, has_git
from litellm_gitops.repository import Repository
from litellm_gitops.sealing.recipients import of_file

_VALUE = re.compile(r"ENC\[AES256_GCM,data:[^\]]+,type:str\]")
_CHANGE = re.compile(r"@(?P<commit>\w+)|:\d+ \d+ \w+ (?P<blob>\w+) \w+\t(?P<file>.+)")
_GONE = re.compile("0+")


def joined(repository: Repository, files: list[str]) -> Iterator[tuple[str, str]]:
    """(a recipient of one of these files, the commit before it had him) where its values are older than that.

    Nothing where there is no git; where its history was cut off, what is left of it counts.
    """
    versions = _versions(repository, files)
    texts = _texts(repository, [blob for found in versions.values() for _, blob in found])
    for file, found in versions.items():
        text = repository.text(file) or ""
        values, named = set(_VALUE.findall(text)), _recipients(file, text)
        for commit, blob in reversed(found):
            before = texts.get(blob, "")
            if values.intersection(_VALUE.findall(before)):
                yield from ((each, commit) for each in sorted(named - _recipients(file, before)))
                break


def last(repository: Repository, file: str) -> str | None:
    """The last commit of this branch that has a file: empty where none has, None where git cannot say.

    Of a history that was cut off nothing is known but that what is left of it has no such file.
    """
    root = repository.root
    if not has_git(root, above=True):
        return ""
    head = git(root, "rev-parse", "--verify", "--quiet", "HEAD", above=True)
    if not head:
        return None if head is None else ""
    pick = ("log", "-1", "--format=%h", "--full-history", "--no-renames", "--diff-filter=AMT", "--", file)
    found, shallow = git(root, *pick, above=True), git(root, "rev-parse", "--is-shallow-repository", above=True)
    if found is None or (not found.strip() and shallow != b"false\n"):
        return None
    return found.decode().strip()


def back(file: str, commit: str | None) -> str:
    """How a file is brought back that `last` found in a commit, or of which it cannot say."""
    name = shlex.quote(file)
    if commit is None:
        return f"find out whether git has had it (git log -- {name}; first git fetch --unshallow in a shallow clone)"
    return f"take it back (git checkout {commit} -- {name})"


def _versions(repository: Repository, files: list[str]) -> dict[str, list[tuple[str, str]]]:
    """(commit, blob) of each version of each file, the newest first."""
    form = ("--format=@%H", "--raw", "--no-abbrev", "--no-renames", "--relative", "--no-ext-diff")
    listed = git(repository.root, "log", *form, "--", *files, above=True) if files else None
    found: dict[str, list[tuple[str, str]]] = {}
    commit = ""
    for line in (listed or b"").decode("utf-8", "replace").splitlines():
        match = _CHANGE.fullmatch(line)
        if match and match["commit"]:
            commit = match["commit"][:10]
        elif match and match["file"] in files and not _GONE.fullmatch(match["blob"]):
            found.setdefault(match["file"], []).append((commit, match["blob"]))
    return found


def _texts(repository: Repository, blobs: list[str]) -> dict[str, str]:
    given = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = (git(repository.root, "cat-file", "--batch", given=given, above=True) if blobs else None) or b""
    found = {}
    while answer:
        head, _, answer = answer.partition(b"\n")
        blob, kind, *size = head.decode().split(" ")
        if kind == "blob":  # else it is missing, as in a partial clone without a network
            found[blob] = answer[: int(size[0])].decode("utf-8", "replace")
            answer = answer[int(size[0]) + 1 :]
    return found


def _recipients(file: str, text: str) -> set[str]:
    try:
        return {key for each in parse(file, text)[:1] for keys in of_file(each.value).values() for key in keys}
    except NotYamlError:
        return set()
