"""Where the token goes: one file that nobody else can read, or the sealed Secrets of the repository."""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import stat
import sys
import time
from pathlib import Path

from litellm_gitops.copilot.errors import Exit, Stop, missing
from litellm_gitops.copilot.progress import Progress
from litellm_gitops.copilot.terminal import Screen, Secret, is_interactive, printable
from litellm_gitops.findings import SEAL

SECRET, INPUT = "litellm-github-copilot", "access-token"


class TokenFile:
    """The file that the token goes to: mode 0600, replaced in one step."""

    def __init__(self, path: Path, force: bool, screen: Screen, progress: Progress) -> None:
        self._path, self._shown = path, printable(path)
        self._force, self._screen, self._progress = force, screen, progress
        self._agreed: tuple[int, ...] | None = None

    def prepare(self) -> None:
        """Raises `Stop` when the token could not, or must not, be written there."""
        folder, shown = self._path.parent, printable(self._path.parent)
        try:
            mode = folder.stat().st_mode
        except OSError as error:
            raise Stop(Exit.USAGE, f"{shown}: {error.strerror}. Make the folder first.") from None
        if not stat.S_ISDIR(mode):
            raise Stop(Exit.USAGE, f"{shown} is not a folder.")
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Stop(Exit.USAGE, f"Everybody can write to {shown}. Choose another folder.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Stop(Exit.USAGE, f"{shown} is not writable.")
        try:
            self._temporary().lstat()
        except FileNotFoundError:
            pass
        except OSError as error:  # it is longer than the file's own name, and could be too long
            raise Stop(Exit.USAGE, f"{self._shown}: {error.strerror}. Choose a shorter --output.") from None
        self._remove_leftovers()
        self._check_target()

    def store(self, token: Secret) -> str:
        """Writes the file. Returns what to say of it; raises `Stop` when it could not be written."""
        self._check_target()
        temporary = self._progress.temporary = self._temporary()
        try:
            _write(temporary, token.reveal().encode())
            self._progress.target = self._path
            temporary.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise Stop(Exit.UNEXPECTED, f"{self._shown}: {error.strerror}. Nothing was stored.") from None
        self._progress.said = f"the token is already in {self._path}"
        self._progress.temporary = None
        with contextlib.suppress(OSError):  # so that the new name, too, survives a power cut
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
            os.fsync(folder)
            os.close(folder)
        return f"The token is in {self._shown}, mode 0600. Keep it out of git."

    def _temporary(self) -> Path:
        """A new name beside the file, for what is not complete yet."""
        return self._path.parent / f"{self._path.name}.{secrets.token_hex(8)}.tmp"

    def _check_target(self) -> None:
        """Raises `Stop` unless nothing of value is there, or its loss was agreed to."""
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Stop(Exit.USAGE, f"{self._shown}: {error.strerror}.") from None
        if kind := _kind(found.st_mode):
            raise Stop(Exit.USAGE, f"{self._shown} {kind}. Remove it, or choose another --output.")
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._force or found.st_size == 0 or seen == self._agreed:
            return
        exists = f"{self._shown} exists and may hold a good token."
        if not is_interactive():
            raise Stop(Exit.USAGE, f"{exists} --force replaces it.")
        self._screen.say(f"{exists} Replace it, once the new one is verified? [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Stop(Exit.USAGE, f"{self._shown} was left as it is.")
        self._agreed = seen

    def _remove_leftovers(self) -> None:
        """Removes what a run that was killed while it wrote has left: it may be a token."""
        form = re.compile(rf"{re.escape(self._path.name)}\.[0-9a-f]{{16}}\.tmp")
        with contextlib.suppress(OSError):
            for left in self._path.parent.iterdir():
                if form.fullmatch(left.name) and time.time() - left.lstat().st_mtime > 60:
                    left.unlink()


def _kind(mode: int) -> str:
    """Why a file of this mode is not replaced; empty for a regular one."""
    if stat.S_ISLNK(mode):
        return "is a symbolic link, which is not followed"
    if stat.S_ISDIR(mode):  # Docker makes one where it is told to mount a file that does not exist
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is no regular file"


def _write(path: Path, data: bytes) -> None:
    """Makes a file that nobody else can read. Raises OSError, also when anything has its name already."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)  # whatever the umask
        file.write(data)
        file.flush()
        os.fsync(handle)


class SealedSecrets:
    """The Secrets of every cluster that uses Copilot. The token goes from this process into sops, through a pipe."""

    def __init__(self, root: Path, screen: Screen, progress: Progress) -> None:
        self._root, self._screen, self._progress = root, screen, progress

    def prepare(self) -> None:
        """Raises `Stop` when sealing would fail."""
        try:
            from litellm_gitops.findings import UnreadableError
            from litellm_gitops.repository import Repository
            from litellm_gitops.sealing import rotation
            from litellm_gitops.sealing.errors import SealingError
        except ImportError as error:
            raise missing(error.name) from None
        try:
            self._repository = Repository(self._root)
            if not any(SECRET in cluster.wanted for cluster in self._repository.clusters):
                why = f"policies/secrets.yml has no {SECRET}: this repository uses no GitHub Copilot."
                raise Stop(Exit.USAGE, why)
            with contextlib.redirect_stdout(sys.stderr):
                self._clusters = rotation.prepare_input(self._repository, SECRET)
        except (SealingError, UnreadableError) as error:
            raise Stop(Exit.UNEXPECTED, f"Sealing would fail: {printable(error, 1000)}") from None

    def store(self, token: Secret) -> str:
        """Seals the token. While it does, a signal ends sops first, and raises KeyboardInterrupt."""
        from litellm_gitops.sealing import rotation, transaction  # `prepare` has seen to it that this works
        from litellm_gitops.sealing.errors import SealingError

        files, printed, why = transaction.Transaction(self._root), io.StringIO(), "the lines above say why"
        self._progress.said, self._progress.unwinds = "nothing was sealed", True
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                given = {INPUT: token.reveal()}
                code = rotation.rotate(self._repository, SECRET, given=given, transaction=files)
        except (SealingError, OSError) as error:
            code, why = 1, str(error)
        finally:
            if files.committed:
                self._progress.said = "the token was already sealed"
            elif transaction.unfinished(self._root):
                self._progress.said = f"some of the files are sealed; `{SEAL}` finishes it"
            self._progress.unwinds = False
        # Sealing shows no secret. Should it ever, that ends here.
        for line in printed.getvalue().replace(token.reveal(), "***").splitlines():
            self._screen.say(f"  {printable(line, 500)}")
        if code:
            why = printable(why.replace(token.reveal(), "***"), 1000)
            raise Stop(Exit.UNEXPECTED, f"Sealing failed: {why}\nCorrect that, then run this again.")
        return f"The token is sealed for {', '.join(self._clusters)}. Commit and push secrets/ and litellm/."
