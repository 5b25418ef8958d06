"""What a run says: what it wrote, where values came from, which placeholders are left. Never a value."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from litellm_gitops.credentials import redacted
from litellm_gitops.documents import dig, mapping, text
from litellm_gitops.files import git
from litellm_gitops.findings import fill
from litellm_gitops.repository import Cluster, Repository, WantedSecret, secret_name
from litellm_gitops.sealing import checksums
from litellm_gitops.sealing.errors import DONE, PLACEHOLDER, SealingError
from litellm_gitops.sealing.inputs import ENV_FILE, Inputs, Value, refuse_unknown, suffix
from litellm_gitops.sealing.keys import FOLDER
from litellm_gitops.sealing.sealed_file import MISSING_ANNOTATION, PLACEHOLDER_ANNOTATION
from litellm_gitops.sealing.transaction import STAGE, Transaction


def say(line: str) -> bool:
    """A line of output; False when a disk lost it. What is done is done all the same, and the exit code tells."""
    try:
        print(redacted(line), flush=True)
    except OSError as error:
        lost = not isinstance(error, BrokenPipeError)  # else the reader has seen enough
        if lost:
            note(f"seal_secrets: the output could not be written: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return not lost
    return True


def note(line: object) -> None:
    """A line on stderr, as lost as one of `say` where it cannot go. What it quotes of a file may be a credential."""
    try:
        print(redacted(str(line)), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def unfinished(transaction: Transaction) -> None:
    """What was there of a run that died."""
    if transaction.finished:
        say("finished what a run that died had begun:")
        written(transaction.finished)
    if transaction.dropped:
        note(f"dropped what a run that died had begun: {transaction.dropped} was changed since")
    if transaction.foreign:
        note(f"{STAGE}/ is of no run in this clone: nothing of it was put in place. If git holds it, delete it there")


def written(changed: Iterable[str], waiting: Sequence[str] = ()) -> None:
    """What was written, the Secrets of one cluster in one line; without the placeholders, the files in `waiting`."""
    changed = list(changed)
    sealed: dict[str, list[str]] = {}
    for path in map(PurePosixPath, changed):
        if path.parts[0] != "secrets":
            say(f"wrote {path}")
        elif str(path) not in waiting:
            sealed.setdefault(path.parts[1], []).append(secret_name(str(path)))
    for cluster, names in sealed.items():
        say(f"sealed for {cluster}: {', '.join(names)}")
    if any(file.startswith(f"{FOLDER}/") for file in changed):
        say("keys/ holds the only keys that open these Secrets; git ignores it: keep a copy in a safe place")


def readers(lines: Iterable[str]) -> None:
    """Who can read what was sealed."""
    for line in lines:
        say(line)


def dropped(annotations: Iterable[str]) -> None:
    """Which annotations told the values of a Secret and were left out."""
    for each in annotations:
        note(f"{each} held the whole Secret in plaintext and is gone: whoever can read git knows what it held")


def sources(found: Iterable[tuple[WantedSecret, Iterable[tuple[str, Value]]]]) -> None:
    """Where inputs come from when that may surprise: half a pair, or all of it, exported for another purpose, under the
    names of another installation, or what would have been generated.
    """
    notes: dict[tuple[str, str], list[str]] = {}
    for secret, values in found:
        inputs = [(key, value) for key, value in values if value.origin]
        places = {value.origin.partition(" from ")[2] for _, value in inputs}
        taken = any(secret.keys[key].generate for key, _ in inputs)
        # the first name of each belongs to one installation, the second to another
        names = {secret.keys[key].inputs.index(value.name) for key, value in inputs if secret.keys[key].inputs}
        if taken or len(places) > 1 or len(names) > 1 or any(value.hides for _, value in inputs):
            hidden = f" (not the one of {ENV_FILE})"
            origins = ", ".join(f"{value.origin}{hidden if value.hides else ''}" for _, value in inputs)
            notes.setdefault((secret.name, origins), []).append(secret.cluster)
    for (name, origins), clusters in notes.items():
        note(f"note: {name} ({', '.join(clusters)}) has {origins}")


def untaken(
    repository: Repository, secrets: Sequence[WantedSecret], say: Callable[[str, str, list[WantedSecret]], str]
) -> None:
    """Which inputs of generated values are there and were not taken, in the words of `say`.

    It gets an input, the same with its place, and the Secrets. What cannot be read is told when it is to be sealed.
    """
    found: dict[tuple[str, str, str], list[WantedSecret]] = {}
    with contextlib.suppress(SealingError):
        refuse_unknown(repository, secrets)
        inputs = Inputs.read(repository.root)
        for secret in secrets:
            for key, source in secret.keys.items():
                value = inputs.lookup(key, source, secret.cluster) if source.generate and source.names else None
                if value and value.origin:
                    found.setdefault((secret.name, str(source), value.origin), []).append(secret)
    for (name, wanted, origin), those in found.items():
        note(f"note: {name} ({', '.join(each.cluster for each in those)}) {say(wanted, origin, those)}")


def lacking(cluster: Cluster, secret: WantedSecret) -> list[str] | None:
    """The keys of a placeholder whose input was missing when it was sealed; None for what is no placeholder.

    A value that is made where no input is given never was one, whatever an annotation says.
    """
    keys = [key for key, source in secret.keys.items() if not (source.generate and source.names)]
    document = cluster.repository.document(secret.file)
    annotations = mapping(dig(document.value if document else None, "metadata", "annotations"))
    if PLACEHOLDER_ANNOTATION not in annotations or not keys or secret.never_rotate:
        return None
    names = text(annotations.get(MISSING_ANNOTATION)).split(",")
    # one that does not list what it lacks may lack all of it
    return [key for key in names if key in keys] or keys


def placeholders(clusters: Sequence[Cluster], only: str | None = None) -> int:
    """Which Secrets are placeholders, `only` that one where it is given, and what fills them; an exit code."""
    waiting: dict[str, list[tuple[WantedSecret, list[str]]]] = {}
    for cluster in clusters:
        for secret in cluster.wanted.values():
            missing = lacking(cluster, secret) if only in (None, secret.name) else None
            if missing is not None:
                waiting.setdefault(secret.name, []).append((secret, missing))
    if not waiting:
        return DONE
    one = next(iter(waiting.values()))[0][0].cluster
    note(f"placeholders, until their inputs are given (NAME{suffix(one)} is an input of {one} alone):")
    for name, entries in waiting.items():
        keys = dict.fromkeys(key for _, missing in entries for key in missing)
        needed = ", ".join(str(entries[0][0].keys[key]) for key in keys)
        note(f"  {name} ({', '.join(secret.cluster for secret, _ in entries)}): give {needed}")
    note(f"then: {fill().command}")
    return PLACEHOLDER


def merged(repository: Repository) -> None:
    """Which files of a merge are whole again, so that git waits for nothing but to be told."""
    waits = git(
        repository.root, "ls-files", "-z", "--unmerged", "--", "litellm/checksums-*.yaml", "secrets", above=True
    )
    left = {entry.partition("\t")[2] for entry in (waits or b"").decode("utf-8", "replace").split("\0") if entry}
    if left:
        note(f"the merge is resolved here: git add {' '.join(map(shlex.quote, sorted(left)))}, then commit")


def orphans(repository: Repository) -> None:
    """What an earlier answer needed and no present one does; only the operator deletes it."""
    clusters = {cluster.name for cluster in repository.clusters}
    used = {file for cluster in repository.clusters for file in checksums.used(cluster)}
    used |= {file for each in repository.clusters for file in each.sealed_files if checksums.is_misplaced(each, file)}
    files = [path.relative_to(repository.root).as_posix() for path in repository.root.glob("secrets/*/*.sops.y*ml")]
    found = [file for file in files if file not in used]
    for pattern, prefix in ((f"{FOLDER}/*.agekey", ""), ("litellm/checksums-*.yaml", "checksums-")):
        for path in repository.root.glob(pattern):
            if path.stem.removeprefix(prefix) not in clusters:
                found.append(path.relative_to(repository.root).as_posix())
    for file in sorted(found):
        note(f"no longer needed by any answer, and not deleted by this tool: {file}")
    gone = sorted({PurePosixPath(file).stem for file in found if file.startswith(f"{FOLDER}/")})
    if found:
        rules = f"; then take {', '.join(gone)} out of .sops.yaml" if gone else ""
        note(f"once nothing in a cluster uses them: rm {' '.join(map(shlex.quote, sorted(found)))}{rules}")
