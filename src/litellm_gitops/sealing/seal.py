"""Sealing what is missing, and filling placeholders whose inputs are there now."""

from __future__ import annotations

from collections.abc import Sequence

from litellm_gitops import first_steps
from litellm_gitops.repository import Cluster, Repository
from litellm_gitops.sealing import report, sealed_file
from litellm_gitops.sealing.errors import DONE, UNSEALED, SealingError
from litellm_gitops.sealing.recipients import Rule
from litellm_gitops.sealing.run import Run, change, chosen
from litellm_gitops.sealing.sealed_file import Kind
from litellm_gitops.sealing.transaction import Transaction
from litellm_gitops.sealing.trust import Consent


def seal(
    repository: Repository,
    cluster: str | None = None,
    transaction: Transaction | None = None,
    consent: Consent | None = None,
    *,
    fill: bool = False,
) -> int:
    """Seal what is missing, with a placeholder where an input is missing; an exit code. Raises SealingError.

    With `fill`: seal the placeholders whose inputs are all there now. `cluster` names a cluster or an environment.
    """
    with change(repository, cluster, transaction, consent) as (run, clusters):
        secrets = [(each, secret) for each in clusters for secret in each.wanted.values()]
        if fill:
            wanted = [secret for each, secret in secrets if report.lacking(each, secret) is not None]
            plans = [each for each in run.plans(wanted) if not each.missing]
        else:
            plans = run.plans([secret for _, secret in secrets if _is_absent(run, secret.file)])
        affected = {each.secret.cluster for each in plans}
        every = consent is not None and bool(consent.accepted)  # it is remembered, also where nothing is missing
        run.confirm(
            each for each in clusters if every or each.name in affected or run.lacks_rule(each) or run.agrees(each)
        )
        run.seal(plans)
        run.add_checksums(clusters)
    report.written(run.transaction.changed, [each.secret.file for each in plans if each.missing])
    report.readers(run.trust.shown() if plans else ())
    report.dropped(run.dropped)
    report.sources((each.secret, each.values.items()) for each in plans)
    if not run.transaction.changed and not run.transaction.finished:
        idle = "no placeholder has its inputs now" if fill else "every Secret is there"
        report.say(f"{idle}; nothing was changed")
    now = Repository(repository.root)
    report.orphans(now)
    code = report.placeholders(chosen(now, cluster))
    if _report_plaintext(now, chosen(now, cluster)):
        return UNSEALED
    if code == DONE and first_steps.is_new(now):
        report.note(f"next: {' && '.join([*first_steps.change_to(now.root), first_steps.VALIDATE])}")
    return code


def _is_absent(run: Run, file: str) -> bool:
    """Whether a file is to be made. Raises SealingError where it is there, and git ignores it."""
    path = run.repository.root / file
    if path.is_symlink() or not path.exists():
        return True  # a link is refused when it would be written through
    if not run.repository.has(file):
        raise SealingError(f"{file} is there, but git ignores it: correct .gitignore. Nothing was sealed.")
    return False


def _report_plaintext(repository: Repository, clusters: Sequence[Cluster]) -> bool:
    """Say which Secrets are there and can be read; whether there are any."""
    found = [
        (secret.file, flaw)
        for cluster in clusters
        for secret in cluster.wanted.values()
        for flaw in sealed_file.check(repository.text(secret.file) or "", Rule())
        if flaw.kind in (Kind.PLAINTEXT, Kind.METADATA, Kind.UNSEALED)
    ]
    for file, flaw in found:
        report.note(f"{file}:{flaw.line}: {flaw.what} — {sealed_file.fix_of(flaw, repository, file).text}")
    return bool(found)
