"""What a command of this repository says when it cannot go on, and the exit codes that go with it."""

from __future__ import annotations

from litellm_gitops.credentials import redacted

DONE = 0
FAILED = 1  # nothing changed
USAGE = 2
PLACEHOLDER = 3
NO_SOPS = 4
UNSEALED = 5  # or in conflict
UNKNOWN_RECIPIENT = 6  # nothing changed
INTERRUPTED = 130


class SealingError(Exception):
    """A refusal: one or two lines for stderr (what, where, what to do), never a secret, and an exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(redacted(message))
        self.code = code
