"""Bringing every sealed file to the recipients of `.sops.yaml`, under a new data key."""

from __future__ import annotations

from litellm_gitops.repository import Cluster, Repository
from litellm_gitops.sealing import report
from litellm_gitops.sealing.errors import DONE
from litellm_gitops.sealing.run import change, encrypted_files
from litellm_gitops.sealing.sealed_file import Kind
from litellm_gitops.sealing.transaction import Transaction
from litellm_gitops.sealing.trust import Consent


def rekey(
    repository: Repository,
    cluster: str | None = None,
    transaction: Transaction | None = None,
    consent: Consent | None = None,
) -> int:
    """Encrypt every Secret again, for the recipients that its rule names now. All, or none; an exit code."""
    with change(repository, cluster, transaction, consent) as (run, clusters):
        assert run.sops
        for each in clusters:
            run.refuse_unsound(each)  # a rule that is missing is not made
        run.confirm(clusters)

        def renew(found: tuple[Cluster, str]) -> tuple[str, str]:
            # sops hands back one document and no comment: what would not come out whole is refused
            manifest = run.decrypt(*found, mended=(Kind.RECIPIENTS, Kind.RULE))
            return found[1], run.encrypt(manifest, found[1])

        for file, text in run.sops.map(renew, [(each, file) for each in clusters for file in encrypted_files(each)]):
            run.transaction.put(file, text)
        run.add_checksums(clusters)
    report.written(run.transaction.changed)
    report.readers(run.trust.shown())
    if run.transaction.changed:
        report.say("every checksum of these clusters is another one: their pods restart when this is deployed")
    return DONE
