"""Refuse a commit that would put a plaintext credential, an unsealed Secret or a private key into git.

It evaluates the rules of the suite on what is staged, not on the working tree. Run by pre-commit, or as
.git/hooks/pre-commit itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from litellm_gitops import credentials, rules
from litellm_gitops.command_line import runs_here
from litellm_gitops.files import GIT, Staged
from litellm_gitops.findings import Finding, UnreadableError, edit
from litellm_gitops.repository import SEALED, Repository
from litellm_gitops.rules import plaintext, sealing
from litellm_gitops.sealing import creation_rules
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.inputs import never_in_git

RULES = (
    sealing.every_value_of_every_secret_is_sealed,
    sealing.nothing_unknown_lies_among_the_sealed_files,
    sealing.every_cluster_has_one_sound_creation_rule,
    sealing.every_secret_is_sealed_for_whom_its_rule_names,
    sealing.somebody_agreed_to_every_recipient,
    sealing.no_secret_stands_outside_of_the_sealed_files,
    plaintext.no_credential_stands_in_plaintext,
    plaintext.git_ignores_inputs_and_keys,
)
_MODEL = (".copier-answers.yml", ".sops.yaml", "litellm/", "policies/", "secrets/")
_WAY_OUT = (
    "Nothing is committed. Mend it, or take the file out of the commit: git restore --staged FILE. "
    "A credential that was in a commit is known: replace it."
)


class _Changed(Staged):
    """What the next commit changes, and the files that say what a repository is; all of it read at once."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        model = [name for name in super().names if name.startswith(_MODEL)]
        self._names = sorted({*model, *self.changed} & {*super().names})
        self._fetch(self._names)

    @property
    def names(self) -> list[str]:
        """Those files: of what was committed before, this commit says nothing."""
        return self._names


def main(root: Path, arguments: Sequence[str] | None = None) -> int:
    """Evaluate what is staged: 0 when it may be committed, 1 when not or when git cannot be asked."""
    if not runs_here("guard_staged"):
        return 1
    try:
        staged = _Changed(root)
        found = list(findings(root, staged))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"guard_staged: {_reason(error)}: nothing is committed", file=sys.stderr)
        return 1
    for finding in found:
        print(finding, file=sys.stderr)
    if found:
        print(_WAY_OUT, file=sys.stderr)
    return 1 if found else 0


def findings(root: Path, staged: Staged) -> Iterator[Finding]:
    """What must not be committed. Where answers or policies cannot be read, what can be said of each file alone."""
    changed = set(staged.changed)
    sealed = any(SEALED.fullmatch(file) for file in changed)
    try:
        found = rules.evaluate(Repository(root, staged), [rules.RULES[each.__name__] for each in RULES])
    except UnreadableError:
        yield from _of_each(staged)
        return
    for finding in found:
        # a sealed file is as good as its rule; "." is a rule that failed
        if finding.file in {*changed, "."} or (sealed and finding.file == sealing.CONFIG):
            yield finding


def _of_each(staged: Staged) -> Iterator[Finding]:
    try:
        config = creation_rules.load(credentials.decode(staged.read(sealing.CONFIG) or b""))
    except SealingError:
        config = {}
    for file in staged.changed:
        content = credentials.decode(staged.read(file) or b"")
        if never_in_git(file):
            yield Finding(
                file, None, "is a private key, or what each clone has of its own", edit(f"git rm --cached {file}")
            )
        yield from plaintext.credentials_of(file, content)
        yield from sealing.plaintext_of(file, content)
        for flaw in sealing.flaws_of(file, content, config) if SEALED.fullmatch(file) else ():
            yield Finding(file, flaw.line, flaw.what, edit("seal it again"))


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = error.stderr.decode("utf-8", "replace").strip()
        return f"git {error.cmd[len(GIT)]} failed: {said.partition(chr(10))[0]}"  # its usage follows
    return str(error)
