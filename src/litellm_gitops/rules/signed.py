"""Who made the image that runs, as its signature says: `pytest -m signed`, with cosign on PATH and network."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache, partial

from litellm_gitops import credentials
from litellm_gitops.documents import text
from litellm_gitops.findings import Finding, edit
from litellm_gitops.repository import VALUES, Repository
from litellm_gitops.rules import rule

# What upstream releases is signed by, without a key, since 1.108.10; before it was a key, and some releases still are.
MAKERS = "https://github.com/BerriAI/project-releaser/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
SECONDS = 300.0  # for one call of cosign, which asks the registry and Sigstore
# https://github.com/sigstore/cosign/blob/main/cmd/cosign/errors/exit_codes.go
_OTHER = "is not signed by the workflow of its makers"
_SAID = {10: "has no signature", 11: "is not in its registry", 12: _OTHER, 13: _OTHER}  # 13: by a key


@rule
def the_image_is_signed_by_its_makers(repository: Repository) -> Iterator[Finding]:
    """The workflow that makes LiteLLM's releases signed it. No signature of a chart is known."""
    program = shutil.which("cosign")
    if program is None:
        install = "https://docs.sigstore.dev/cosign/system_config/installation/"
        yield Finding(".", None, "cosign is not on PATH, so nothing is verified", edit(f"install it: {install}"))
        return
    verify = cache(partial(_flaw, program))
    for values in repository.values:
        place = values.chart.image
        if flaw := verify(f"{text(values.get(*place, 'repository'))}:{text(values.get(*place, 'tag'))}"):
            what, fix = flaw
            yield values.finding((*place, "tag"), what, edit(fix), VALUES)


def _flaw(program: str, image: str) -> tuple[str, str] | None:
    """What cosign says against an image, and what to do; None where its makers signed it."""
    command = [program, "verify", image, "--certificate-identity", MAKERS, "--certificate-oidc-issuer", ISSUER]
    again = "mend that, then run this again"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{image} was not verified: cosign gave no answer in {SECONDS:.0f} seconds", again
    if done.returncode in _SAID:
        fix = "find out how this release is signed before it runs. A mirror needs the signature, too: cosign copy"
        return f"{image} {_SAID[done.returncode]}", fix
    if done.returncode:
        last = credentials.redacted((done.stderr.strip().splitlines() or ["without a word"])[-1])
        return f"{image} was not verified: cosign ended with {done.returncode}, {last}", again
    return None
