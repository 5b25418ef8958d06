"""Files of the repository: several change as one, or none does, and never through a symbolic link.

New content is staged in `.sealing/`, next to a journal of what goes where and of what was there; then each file is
renamed into place. A run that dies before the journal is complete has changed nothing; one that dies after it is
finished by the next run, unless somebody changed one of these files since.

A journal says what to write over keys and recipients, so that one which came by git is not obeyed: a run leaves the
digest of its own in git's folder, which no commit reaches.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from litellm_gitops.files import Held, git, top
from litellm_gitops.findings import SEAL
from litellm_gitops.sealing import agreed, creation_rules, keys
from litellm_gitops.sealing.errors import SealingError

STAGE = ".sealing"
_JOURNAL = "journal.json"
# the files that a run may write
_TARGET = re.compile(
    rf"{re.escape(creation_rules.CONFIG)}|{re.escape(agreed.AGREED)}|{keys.FOLDER}/[^/]+\.agekey"
    r"|litellm/checksums-[^/]+\.yaml|secrets/.+\.sops\.ya?ml"
)


@contextlib.contextmanager
def lock(root: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep other runs in the same repository waiting; the lock ends with the process, however it ends.

    A `shared` one is for who only reads. Where the folder takes no lock, as many a shared one of a virtual machine, a
    file of this machine does, so that two runs here still wait for each other.
    """
    import fcntl  # which Windows does not have

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    instead = Path(tempfile.gettempdir(), f"litellm-gitops-{os.getuid()}-{_name(root)}.lock")
    with contextlib.ExitStack() as opened:
        for path, flags in ((root, os.O_DIRECTORY), (instead, os.O_CREAT | os.O_NOFOLLOW)):
            with _where_possible():
                handle = os.open(path, os.O_RDONLY | flags | os.O_CLOEXEC, 0o600)
                opened.callback(os.close, handle)
                fcntl.flock(handle, kind)
                break
        yield


def _name(root: Path) -> str:
    return hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]


@contextlib.contextmanager
def _where_possible() -> Iterator[None]:
    """Let pass that a file system has no such thing: FUSE, 9p, NFS and shared folders of virtual machines say so in
    many ways. That a disk is full or broken is another matter.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise


def refuse_link(path: Path, root: Path) -> None:
    """Raise SealingError when `path`, or a folder between it and `root`, is a symbolic link."""
    for step in (path, *path.parents):
        if step == root:
            return
        if step.is_symlink():
            name = step.relative_to(root)
            raise SealingError(f"{name} is a symbolic link: replace it by a real file or folder. Nothing was changed.")
    raise SealingError(f"{path} lies outside the repository")


def unfinished(root: Path) -> bool:
    """Whether a run here died while it put its files in place, so that the next run has to finish it."""
    journal = root / STAGE / _JOURNAL
    if not journal.is_file() or Held(root).holds(journal):
        return False
    proof = _proof(root)
    return proof is None or (proof.is_file() and proof.read_text("utf-8", "replace") == _digest(journal))


def _proof(root: Path) -> Path | None:
    """Where a run leaves the digest of its journal; None where there is no git, by which another could have come."""
    folder = git(root, "rev-parse", "--git-dir", above=True)
    above = top(root)
    if not folder or not above:
        return None
    return root / os.fsdecode(folder.strip()) / "litellm-gitops" / "runs" / root.resolve().relative_to(above) / _JOURNAL


class Transaction:
    """Files that are put in place together. Used as a context under the lock: leaving it commits, an error drops all.

    The stage mirrors the repository, so that a program which goes by paths can be pointed at either. Files are named
    by their paths from the root. `finished` names what a run that died had begun and was put in place now, `dropped` a
    file for whose sake the rest of such a run was not: it was changed since. `foreign`: there was a journal that no run
    here wrote, and it is gone. `committed`: its own files are in place.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stage = root / STAGE
        self._targets: list[str] = []
        self.finished: list[str] = []
        self.dropped: str | None = None
        self.foreign = False
        self.committed = False

    def __enter__(self) -> Transaction:
        refuse_link(self._stage, self._root)
        if self._stage.exists() and not self._stage.is_dir():
            raise SealingError(f"{STAGE} is a file, and a run needs a folder of that name: delete it")
        if unfinished(self._root):
            self.dropped = _changed_since(self._root)
            if self.dropped is None:
                self.finished = _apply(self._root)
        else:
            self.foreign = (self._stage / _JOURNAL).exists()
        if self._stage.exists():
            _discard(self._root)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._targets:
                self._commit()
        finally:
            if not unfinished(self._root):
                shutil.rmtree(self._stage, ignore_errors=True)

    def put(self, file: str, text: str, mode: int = 0o644) -> None:
        """Stage `text` for `file`. Raises SealingError for a symbolic link, OSError when the disk refuses."""
        refuse_link(self._root / file, self._root)
        staged = self._stage / file
        self._stage.mkdir(mode=0o700, exist_ok=True)
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.unlink(missing_ok=True)
        _create(staged, text, mode)
        if file not in self._targets:
            self._targets.append(file)

    def drop(self) -> None:
        """Forget what is staged."""
        self._targets.clear()

    def current(self, file: str) -> Path:
        """Where the content of `file` is now: staged, or in place."""
        staged = self._stage / file
        return staged if staged.is_file() else self._root / file

    @property
    def changed(self) -> list[str]:
        """What is staged."""
        return list(self._targets)

    @property
    def left(self) -> str:
        """How a run that ends early leaves the repository, in a sentence."""
        if unfinished(self._root):
            return f"Some of its files are in place: {SEAL} finishes it."
        if self.committed:
            return "All of its files are in place."
        if self.finished:
            return "What a run that died had begun is in place; nothing else was changed."
        return "Nothing was changed."

    def _commit(self) -> None:
        for target in self._targets:
            path = self._root / target
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if path.parent.name == "keys" else 0o755)
            # what a rename would refuse later, with others done already
            if path.is_dir():
                raise SealingError(f"{target} is a folder: remove it. Nothing was changed.")
            if not os.access(path.parent, os.W_OK | os.X_OK):
                raise SealingError(f"{PurePosixPath(target).parent} is not writable. Nothing was changed.")
        journal = {target: [_digest(self._root / target), _digest(self._stage / target)] for target in self._targets}
        part = self._stage / f"{_JOURNAL}.part"
        _create(part, json.dumps(journal), 0o600)
        if proof := _proof(self._root):
            with contextlib.suppress(OSError):  # then a run that dies is not finished by the next one
                replace(proof, _digest(part) or "")
        part.replace(self._stage / _JOURNAL)
        _sync_folder(self._stage)
        _apply(self._root)
        self.committed = True  # before the journal goes: a signal may come at any moment
        _discard(self._root)


def _journal(root: Path) -> dict[str, list[str | None]]:
    """What goes where: path -> (digest of what was there, digest of what is to be there)."""
    content = json.loads((root / STAGE / _JOURNAL).read_text("utf-8"))
    if not isinstance(content, dict) or not all(map(_is_target, content)):
        raise SealingError(f"{STAGE}/{_JOURNAL} was not written by this program: remove the folder {STAGE}")
    return content


def _is_target(file: str) -> bool:
    return _TARGET.fullmatch(file) is not None and ".." not in PurePosixPath(file).parts


def _changed_since(root: Path) -> str | None:
    """A file that is neither as the run that died found it nor as it meant to leave it; None when there is none."""
    for target, (before, after) in _journal(root).items():
        waiting = (root / STAGE / target).exists()
        if _digest(root / target) not in ((before, after) if waiting else (after,)):
            return target
    return None


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _apply(root: Path) -> list[str]:
    stage = root / STAGE
    targets = list(_journal(root))
    for target in targets:
        path = root / target
        refuse_link(path, root)
        if (stage / target).exists():  # else this rename was done before the run died
            path.parent.mkdir(parents=True, exist_ok=True)
            (stage / target).replace(path)
    for folder in {(root / target).parent for target in targets}:
        _sync_folder(folder)
    return targets


def _discard(root: Path) -> None:
    # the journal goes first: without it the rest of the stage means nothing
    (root / STAGE / _JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(root / STAGE)
    if proof := _proof(root):
        with contextlib.suppress(OSError):
            proof.unlink(missing_ok=True)


def _create(path: Path, text: str, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "w", encoding="utf-8", newline="") as file:
        with _where_possible():
            os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        with _where_possible():
            os.fsync(file.fileno())


def replace(path: Path, text: str) -> None:
    """Write a file of this machine's own in one step, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    _create(part, text, 0o600)
    part.replace(path)


def _sync_folder(folder: Path) -> None:
    with _where_possible():  # the renames are done all the same
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
