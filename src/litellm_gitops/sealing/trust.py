"""For whom this clone has sealed. A recipient that is new to it is asked about, as ssh asks about a host.

Whoever may write to git may add a recipient to `.sops.yaml`. What was agreed to is remembered where no commit reaches:
in git's own folder, or, as long as there is no git, in a file that .gitignore names.
"""

from __future__ import annotations

import shlex
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from litellm_gitops.documents import texts
from litellm_gitops.files import Held, git
from litellm_gitops.findings import SEAL
from litellm_gitops.repository import ANSWERS, Cluster, Repository
from litellm_gitops.sealing import keys, report
from litellm_gitops.sealing.creation_rules import CONFIG
from litellm_gitops.sealing.errors import UNKNOWN_RECIPIENT, SealingError
from litellm_gitops.sealing.transaction import replace

MEMORY = ".sealed-for"


@dataclass(frozen=True)
class Consent:
    """What a caller accepts beforehand (`--trust`), and the command that he gave, to which more can be added."""

    accepted: frozenset[str] = frozenset()
    command: str = SEAL


class Trust:
    """Which recipients this clone knows, by cluster. What is confirmed is remembered by `remember`, and not before."""

    def __init__(self, repository: Repository, consent: Consent) -> None:
        self._repository, self._consent, self._root = repository, consent, repository.root
        self._confirmed: dict[str, set[str]] = {}
        self._new: set[tuple[Cluster, str]] = set()
        self._settled: set[tuple[Cluster, str]] = set()
        self._made: dict[str, str] = {}
        self._git = Held(self._root)

    @cached_property
    def _file(self) -> Path:
        folder = git(self._root, "rev-parse", "--git-common-dir")
        return self._root / folder.decode().strip() / "litellm-gitops" / "recipients" if folder else self._root / MEMORY

    @cached_property
    def _memory(self) -> dict[str, set[str]]:
        """The recipients of each cluster when it was sealed last; those from before `git init`, too."""
        found: dict[str, set[str]] = {}
        for path in (self._file, self._root / MEMORY):
            if found or path.is_symlink() or not path.is_file() or self._came_by_git(path):
                continue
            for line in path.read_text("utf-8", "replace").splitlines():
                cluster, _, recipient = line.partition(" ")
                found.setdefault(cluster, set()).add(recipient)
        return found

    @cached_property
    def _held(self) -> dict[str, str]:
        return keys.at_hand(self._root, self._git)

    def _came_by_git(self, path: Path) -> bool:
        return path.name in (ANSWERS, MEMORY) and self._git.holds(path)

    def made(self, public: str, file: str) -> None:
        """A private key that this run makes, and the file that it will lie in."""
        self._made[public] = self._held[public] = file

    def _ours(self, cluster: str, recipient: str) -> str:
        """Where the private key of a recipient is; empty where it is not here, or is another cluster's."""
        place = self._held.get(recipient, "")
        return place if not place.startswith(f"{keys.FOLDER}/") or place == f"{keys.FOLDER}/{cluster}.agekey" else ""

    def knows(self, cluster: Cluster, recipient: str) -> bool:
        """Whether this clone has sealed a cluster for a recipient, holds its private key, or was given it."""
        if recipient in self._memory.get(cluster.name, ()) or self._ours(cluster.name, recipient):
            return True
        answered = {*texts(self._repository.answers.get("age_recipients")), *cluster.kms.values()}
        if self._memory:  # a cluster that is new has the recipients that all others have
            return recipient in answered and all(recipient in known for known in self._memory.values())
        # answers that git does not know were given here, where copier has just rendered
        made = any(place.startswith(f"{keys.FOLDER}/") for place in self._held.values())
        return (
            recipient in answered
            and not self._came_by_git(self._root / ANSWERS)
            and (not made or recipient in cluster.kms.values())
        )

    def confirm(self, named: Mapping[Cluster, Sequence[str]]) -> None:
        """Accept the recipients of these clusters, by what is known, by `--trust`, or by asking on a terminal.

        Raises SealingError with UNKNOWN_RECIPIENT.
        """
        self.ask([(cluster, each) for cluster, recipients in named.items() for each in recipients])
        self._confirmed.update({cluster.name: set(recipients) for cluster, recipients in named.items()})

    def ask(self, pairs: Sequence[tuple[Cluster, str]]) -> None:
        """The same for single recipients of clusters, of which nothing is remembered."""
        new = {pair for pair in pairs if pair not in self._settled and not self.knows(*pair)}
        if new:
            self._held.update(keys.of_command(self._root))  # which may ask for a password
            new = {pair for pair in new if not self.knows(*pair)}
        self._new |= new
        asked = [pair for pair in pairs if pair in new and pair[1] not in self._consent.accepted]
        if asked:
            report.note("who will be able to read what is sealed now:")
            for cluster, each in pairs:
                report.note(f"  {cluster.name}: {each} ({self._standing(cluster, each)})")
        if asked and not _agreed():
            names = list(dict.fromkeys(each for _, each in asked))
            options = " ".join(f"--trust {shlex.quote(each)}" for each in names)
            raise SealingError(
                f"{CONFIG} names {', '.join(names)}, for whom this clone has not sealed before. Find out whose key it "
                f"is, then: {self._consent.command} {options}. Nothing was changed.",
                UNKNOWN_RECIPIENT,
            )
        self._settled |= new

    def _standing(self, cluster: Cluster, recipient: str) -> str:
        if place := self._ours(cluster.name, recipient):
            return f"yours: {place}"
        return f"NEW: {self._origin(recipient)}" if (cluster, recipient) in self._new else "known"

    def _origin(self, recipient: str) -> str:
        """The commit that brought a recipient into `.sops.yaml`, in words of which no terminal takes orders."""
        form = "--format=commit %h of %an, %ad: %s"
        pick = ("log", "-1", "--no-textconv", "--no-ext-diff", "--date=short", form, f"-S{recipient}", "--", CONFIG)
        said = (git(self._root, *pick, above=True) or b"").decode("utf-8", "replace").strip()
        shown = "".join(each for each in said if unicodedata.category(each)[0] != "C")[:120]
        return shown or f"{CONFIG}, no commit"

    def shown(self) -> list[str]:
        """Who can read what was sealed, in one line for each cluster."""
        lines = []
        for cluster, recipients in self._confirmed.items():
            marks, found = [], {each for owner, each in self._new if owner.name == cluster}
            for each in sorted(recipients):
                place, new = self._ours(cluster, each), each in found
                note = f" (yours: {place})" if place else " (new)" if new else ""
                marks.append(f"{each}{note}")
            lines.append(f"{cluster} can be read by {', '.join(marks)}")
        return lines

    def remember(self) -> None:
        """Write down what was confirmed, where that says more than the private keys that are here."""
        lost = {public for public, file in self._made.items() if not (self._root / file).is_file()}
        now = {**self._memory, **{cluster: found - lost for cluster, found in self._confirmed.items()}}
        pairs = [(cluster, each) for cluster, found in now.items() for each in found]
        # without git, the keys that were made here say as much
        spare = self._file.name == MEMORY and all(self._ours(*pair).startswith(f"{keys.FOLDER}/") for pair in pairs)
        if now == self._memory or spare:
            return
        replace(self._file, "".join(sorted(f"{cluster} {recipient}\n" for cluster, recipient in pairs)))
        if self._file.name != MEMORY and not self._came_by_git(self._root / MEMORY):
            (self._root / MEMORY).unlink(missing_ok=True)


def _agreed() -> bool:
    """Whether the person at the terminal agrees; False where there is none."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print("Do you know whose key each new one is? Seal for them? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def of_arguments(accepted: Iterable[str], arguments: Sequence[str]) -> Consent:
    """The consent of a command line."""
    return Consent(frozenset(accepted), shlex.join([*SEAL.split(), *arguments]))
