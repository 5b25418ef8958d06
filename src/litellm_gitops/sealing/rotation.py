"""Sealing one Secret again, or one key of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from litellm_gitops.documents import mapping
from litellm_gitops.policies import SECRETS
from litellm_gitops.repository import Cluster, Repository, WantedSecret
from litellm_gitops.sealing import report
from litellm_gitops.sealing.errors import USAGE, SealingError
from litellm_gitops.sealing.inputs import Inputs, Value, refuse_unknown
from litellm_gitops.sealing.run import Plan, Run, change, chosen, never_rotated
from litellm_gitops.sealing.sealed_file import Kind
from litellm_gitops.sealing.transaction import Transaction
from litellm_gitops.sealing.trust import Consent


def prepare_input(repository: Repository, name: str) -> list[str]:
    """The clusters for which the Secret `name` can be sealed from its inputs now.

    Asks about recipients that are new, and remembers them. Raises SealingError when sealing would fail whatever the
    inputs: nobody is then asked for one in vain.
    """
    with change(repository, None) as (run, clusters):
        wanted = _wanted(run.repository, clusters, name)
        refuse_unknown(run.repository, wanted)
        assert run.sops
        Inputs.read(run.repository.root)
        run.confirm(cluster for cluster in clusters if name in cluster.wanted)
        run.transaction.drop()
    return [secret.cluster for secret in wanted]


def rotate(
    repository: Repository,
    name: str,
    key: str | None = None,
    cluster: str | None = None,
    given: Mapping[str, str] | None = None,
    transaction: Transaction | None = None,
    consent: Consent | None = None,
) -> int:
    """Seal the Secret `name` again: from `given`, else what can be generated is made anew, the rest is from its inputs.

    With `key` only that one changes, which takes a private key. `cluster` is the name of a cluster or an environment.
    The result is an exit code; raises SealingError.
    """
    _refuse(repository, _wanted(repository, chosen(repository, cluster), name)[0], key, given)
    with change(repository, cluster, transaction, consent) as (run, clusters):
        wanted = _wanted(run.repository, clusters, name)
        clusters = [each for each in clusters if name in each.wanted]
        parts = [replace(secret, keys={key: secret.keys[key]}) if key else secret for secret in wanted]
        planned = run.plans(parts, given, anew=True)
        run.confirm(clusters)
        plans = [_whole(run, *each) for each in zip(clusters, wanted, planned, strict=True)]
        run.seal(plans)
        run.add_checksums(clusters)
    report.written(run.transaction.changed)
    report.readers(run.trust.shown())
    report.dropped(run.dropped)
    report.sources((each.secret, each.values.items()) for each in plans)
    _report_defaults(plans, key)
    if not given:
        report.untaken(repository, parts, _untaken)
    return report.placeholders(chosen(Repository(repository.root), cluster), name)


def _wanted(repository: Repository, clusters: Sequence[Cluster], name: str) -> list[WantedSecret]:
    if name not in repository.policy.secrets:
        known = ", ".join(repository.policy.secrets)
        raise SealingError(f"--rotate names no Secret of {SECRETS}: choose from {known}", USAGE)
    wanted = [cluster.wanted[name] for cluster in clusters if name in cluster.wanted]
    if not wanted:
        raise SealingError(f"{name} is not a Secret of {', '.join(each.name for each in clusters)}", USAGE)
    return wanted


def _refuse(repository: Repository, secret: WantedSecret, key: str | None, given: Mapping[str, str] | None) -> None:
    if key is not None and key not in secret.keys:
        raise SealingError(f"--key names no key of {secret.name}: choose from {', '.join(secret.keys)}", USAGE)
    known = {name for source in secret.keys.values() for name in source.names}
    unknown = sorted(set(given or ()) - known)
    if unknown:
        choice = f"choose from {', '.join(sorted(known))}" if known else "its value is generated"
        raise SealingError(f"--stdin names no input of {secret.name}: {choice}", USAGE)
    if why := never_rotated(repository, secret):
        raise SealingError(f"{secret.name} is not rotated by a tool: {why}. Nothing was changed.")


def _whole(run: Run, cluster: Cluster, secret: WantedSecret, part: Plan) -> Plan:
    """What is sealed when the keys of `part` change: the values of all keys, the others from the sealed file."""
    here = f"{secret.name} for {secret.cluster}"
    if part.missing:
        needed = "; ".join(f"{each} from {secret.keys[each]}" for each in part.missing)
        raise SealingError(f"{here} lacks its input: {needed}. Nothing was changed.")
    if len(part.values) == len(secret.keys):
        return part
    if not run.repository.has(secret.file):
        raise SealingError(f"{here} is not sealed yet: run without --key. Nothing was changed.")
    manifest = run.decrypt(cluster, secret.file, mended=(Kind.METADATA,))
    kept = {each: Value(text) for each, text in mapping(manifest.get("stringData")).items()}
    if manifest.get("data") or {*kept, *part.values} != {*secret.keys}:
        raise SealingError(
            f"{here} does not have exactly its keys under stringData: run without --key. Nothing was changed."
        )
    lacking = report.lacking(cluster, secret) or []
    missing = [each for each in lacking if each not in part.values]
    return Plan(secret, {**kept, **part.values}, missing, kept.keys() - part.values.keys())


def _untaken(name: str, value: str, _: Sequence[WantedSecret]) -> str:
    """What to say of an input whose place a new value took: most likely the former value, still there from then."""
    return f"has a new value, {value} was not taken. To seal a value of yours, add --stdin {name}"


def _report_defaults(plans: Sequence[Plan], key: str | None) -> None:
    """Say that a rotation took a default, which may replace what was given when the Secret was sealed before."""
    for each in plans:
        for name, source in each.secret.keys.items():
            if source.default is not None and key in (None, name) and not each.values[name].origin:
                report.note(
                    f"note: {each.secret.name} ({each.secret.cluster}) has the default for {name}, {source.default}: "
                    f"{source} is not given"
                )
