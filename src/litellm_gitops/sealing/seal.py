"""Sealing what is missing, and filling placeholders whose inputs are there now."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from litellm_gitops import first_steps
from litellm_gitops.findings import SEAL
from litellm_gitops.repository import Cluster, Repository, WantedSecret
from litellm_gitops.sealing import history, report, sealed_file
from litellm_gitops.sealing.errors import DONE, UNSEALED, SealingError
from litellm_gitops.sealing.run import Plan, Run, change, chosen
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
        plans = _fillable(run, clusters) if fill else run.plans(_absent(run, clusters))
        former = [] if fill else _former(run.repository, plans)
        affected = {each.secret.cluster for each in plans}
        every = consent is not None and bool(consent.accepted)  # it is remembered, also where nothing is missing
        run.confirm(
            each for each in clusters if every or each.name in affected or run.lacks_rule(each) or run.agrees(each)
        )
        run.seal(plans)
        run.add_checksums(clusters)
    _report(run, plans, former)
    if not run.transaction.changed and not run.transaction.finished:
        idle = "no placeholder has its inputs now" if fill else "every Secret is there"
        report.say(f"{idle}; nothing was changed")
    sealed = {each.secret.file for each in plans}
    others = [secret for each in clusters for secret in each.wanted.values() if secret.file not in sealed]
    report.untaken(run.repository, [secret for secret in others if run.repository.has(secret.file)], _untaken)
    now = Repository(repository.root)
    report.orphans(now)
    code = report.placeholders(chosen(now, cluster))
    if _report_flaws(now, chosen(now, cluster)):
        return UNSEALED
    report.merged(now)
    if code == DONE and first_steps.is_new(now):
        report.note(f"next: {' && '.join([*first_steps.change_to(now.root), first_steps.VALIDATE])}")
    return code


def _report(run: Run, plans: Sequence[Plan], former: Sequence[str]) -> None:
    """Say what was sealed, for whom, and from what."""
    report.written(run.transaction.changed, [each.secret.file for each in plans if each.missing])
    report.readers(run.trust.shown() if plans else ())
    report.dropped(run.dropped)
    report.sources((each.secret, each.values.items()) for each in plans)
    for each in former:
        report.note(each)


def _fillable(run: Run, clusters: Sequence[Cluster]) -> list[Plan]:
    """The placeholders whose inputs are all there now."""
    secrets = [(each, secret) for each in clusters for secret in each.wanted.values()]
    wanted = [secret for each, secret in secrets if report.lacking(each, secret) is not None]
    return [each for each in run.plans(wanted) if not each.missing]


def _absent(run: Run, clusters: Sequence[Cluster]) -> list[WantedSecret]:
    """The Secrets that are missing. Raises SealingError for a file that is there, and that git ignores."""
    return [secret for each in clusters for secret in each.wanted.values() if _is_absent(run, secret.file)]


def _is_absent(run: Run, file: str) -> bool:
    """Whether a file is to be made. Raises SealingError where it is there, and git ignores it."""
    path = run.repository.root / file
    if path.is_symlink() or not path.exists():
        return True  # a link is refused when it would be written through
    if not run.repository.has(file):
        raise SealingError(f"{file} is there, but git ignores it: correct .gitignore. Nothing was sealed.")
    return False


def _untaken(_: str, value: str, secrets: Sequence[WantedSecret]) -> str:
    """What to say of an input that came after its Secret was sealed with a generated value, or with this one."""
    files = shlex.join(each.file for each in secrets)
    return (
        f"is sealed already, {value} was not taken. If a running installation has it, and what is sealed is another: "
        f"before anything is deployed, rm {files} && {SEAL}"
    )


def _former(repository: Repository, plans: Sequence[Plan]) -> list[str]:
    """What to say of generated values that git has had before. Raises SealingError for one that nothing replaces."""
    found = []
    for each in plans:
        made = [key for key, source in each.secret.keys.items() if source.generate and not each.values[key].origin]
        commit = history.last(repository, each.secret.file) if made else ""
        if commit == "":
            continue
        again = history.back(each.secret.file, commit)
        if each.secret.never_rotate:
            inputs = " and ".join(str(each.secret.keys[key]) for key in made)
            raise SealingError(
                f"{each.secret.file} is missing, and {each.secret.never_rotate}: {again}. For a database that is new, "
                f"give {inputs}. Nothing was sealed."
            )
        found.append(f"note: {each.secret.name} ({each.secret.cluster}) is a new one. To keep the former: {again}")
    return found


def _report_flaws(repository: Repository, clusters: Sequence[Cluster]) -> bool:
    """Say which Secrets are there and are not sealed, or not whole; whether there are any."""
    found = [
        (secret.file, flaw)
        for cluster in clusters
        for secret in cluster.wanted.values()
        if repository.has(secret.file)
        for flaw in sealed_file.spoiled(repository, secret.file)
    ]
    for file, flaw in found:
        report.note(f"{file}:{flaw.line}: {flaw.what} — {sealed_file.fix_of(flaw, repository, file).text}")
    return bool(found)
