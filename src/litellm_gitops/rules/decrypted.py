"""What only a private key can show: `pytest -m decrypt`. The keys are in keys/ or where sops looks for them."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_gitops.documents import mapping
from litellm_gitops.findings import Finding, edit
from litellm_gitops.repository import SEALED, Cluster, Repository, secret_name
from litellm_gitops.rules import rule
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.run import Run
from litellm_gitops.sealing.sealed_file import Flaw, Kind, fix_of
from litellm_gitops.sealing.transaction import Transaction


@rule
def every_secret_opens_and_holds_what_a_pod_can_use(repository: Repository) -> Iterator[Finding]:
    """A file that names others than its rule is not opened: sops would ask them for the key."""
    try:
        run = Run(repository, Transaction(repository.root))  # never entered: it changes nothing
        assert run.sops
    except SealingError as error:
        yield Finding(".", None, str(error), edit("then run this again"))
        return
    for cluster in repository.clusters:
        for file in filter(SEALED.fullmatch, repository.under(cluster.secrets_folder)):
            try:
                bad = _unusable(run, cluster, file)
            except SealingError as error:
                yield Finding(file, None, f"it was not opened: {error}", edit("then run this again"))
            except Exception as error:  # its text could hold a value
                yield Finding(file, None, f"it cannot be read ({type(error).__name__})", edit("run the suite first"))
            else:
                if bad:
                    what = f"{', '.join(bad)} is empty, no text, or ends in a line break"
                    yield Finding(file, None, what, fix_of(Flaw(Kind.IDENTITY, 1, what), repository, file))


def _unusable(run: Run, cluster: Cluster, file: str) -> list[str]:
    """The keys whose values no pod can use: a line feed at the end of a password makes it another one.

    In a Secret of the owner's own a value may be empty, and a text of several lines, a certificate say, ends in one.
    """
    manifest, own = run.decrypt(cluster, file), secret_name(file) not in cluster.wanted
    values = {**mapping(manifest.get("data")), **mapping(manifest.get("stringData"))}
    return [str(key) for key, value in values.items() if not isinstance(value, str) or not _is_usable(value, own)]


def _is_usable(value: str, own: bool) -> bool:
    bare = value.rstrip("\r\n")
    return bool(value or own) and (value == bare or (own and "\n" in bare))
