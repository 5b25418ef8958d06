"""The state of what is sealed: the findings of `--check` and the table of `--list`, which are from the same rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from litellm_gitops import rules
from litellm_gitops.documents import dig
from litellm_gitops.findings import SEAL, Finding
from litellm_gitops.repository import Cluster, Repository, secret_name
from litellm_gitops.sealing import checksums, report
from litellm_gitops.sealing.creation_rules import CONFIG
from litellm_gitops.sealing.errors import DONE, FAILED, PLACEHOLDER, UNSEALED
from litellm_gitops.sealing.recipients import of_file
from litellm_gitops.sealing.run import chosen
from litellm_gitops.sealing.sealed_file import conflict
from litellm_gitops.sealing.transaction import lock, unfinished

_SUBJECTS = ("sealing", "plaintext", "secrets")
_PLACEHOLDER_RULE = "no_placeholder_is_left"
_OF_CLUSTER = re.compile(r"(?:secrets|clusters|keys)/([^/.]+)(?:/.*|\.agekey)?|litellm/(?:checksums|values)-(.+)\.yaml")


def findings(repository: Repository, cluster: str | None = None) -> list[Finding]:
    """What the suite's rules about sealing find, but for what belongs to a cluster that `cluster` does not name."""
    names = {each.name for each in chosen(repository, cluster)}
    return [
        finding
        for finding in rules.evaluate(repository, rules.of(*_SUBJECTS))
        if cluster is None or _owner(finding) in ("", *names)
    ]


def _owner(finding: Finding) -> str:
    """The cluster that a finding belongs to; empty where it is of no single one."""
    match = _OF_CLUSTER.fullmatch(finding.file)
    return finding.fix.cluster or (match and (match[1] or match[2])) or ""


def check(repository: Repository, cluster: str | None = None) -> int:
    """Prove without a key that everything is sealed, of some clusters or of all; an exit code."""
    chosen(repository, cluster)
    with lock(repository.root, shared=True):  # a run that goes on is waited for
        found = findings(Repository(repository.root), cluster)
        died = unfinished(repository.root)
    if died:
        report.note(f"seal_secrets: a run died while it put its files in place: {SEAL} finishes it")
    for finding in found:
        report.note(finding)
    if died or any(finding.code != _PLACEHOLDER_RULE for finding in found):
        return UNSEALED
    if found:
        return PLACEHOLDER
    report.say(f"every Secret{f' of {cluster}' if cluster else ''} is sealed")
    return DONE


def states(repository: Repository, cluster: str | None = None) -> dict[str, str]:
    """The state of each Secret in one word, by its file. What is wrong with its creation rule is wrong with it, too."""
    found = [each for each in findings(repository, cluster) if each.code != _PLACEHOLDER_RULE]
    return {
        file: _state(each, file, any(_concerns(finding, each, file) for finding in found))
        for each in chosen(repository, cluster)
        for file in _files(each)
    }


def _files(cluster: Cluster) -> list[str]:
    return list(dict.fromkeys([*(secret.file for secret in cluster.wanted.values()), *checksums.used(cluster)]))


def _concerns(finding: Finding, cluster: Cluster, file: str) -> bool:
    return finding.file == file or (finding.file == CONFIG and _owner(finding) in ("", cluster.name))


def show(repository: Repository, cluster: str | None = None) -> int:
    """Print a table of the Secrets and their state; an exit code."""
    known = states(repository, cluster)
    rows = [("CLUSTER", "SECRET", "KEYS", "STATE", "RECIPIENTS", "LAST CHANGE")]
    for each in chosen(repository, cluster):
        rows += [_row(each, file, known[file]) for file in _files(each)]
    shown = (
        _table(rows)
        and report.say("")
        and _table([("CLUSTER", "PROVIDER", "METHOD", "STORED"), *_cells(repository, cluster)])
    )
    if any(row[3] in ("stale", "conflict") for row in rows):
        report.note(f"what is stale or in conflict, and what mends it: {SEAL} --check")
    return DONE if shown else FAILED


def _table(rows: Sequence[Sequence[str]]) -> bool:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    shown = [report.say(line) for line in lines]
    return all(shown)


def _cells(repository: Repository, cluster: str | None) -> Iterator[tuple[str, str, str, str]]:
    """How each cluster logs in to each provider, and to its database without a password; what is stored for it."""
    for each in chosen(repository, cluster):
        for name, method in each.logins.items():
            yield each.name, method.provider, name, method.secret or "nothing (keyless)"


def _row(cluster: Cluster, file: str, state: str) -> tuple[str, str, str, str, str, str]:
    secret = cluster.wanted.get(secret_name(file))
    document = cluster.repository.document(file)
    sealed = next((each for each in cluster.sealed if each.file == file), None)
    keys = sorted(secret.keys if secret else sealed.keys if sealed else ())
    value = document.value if document else None
    named = [_short(key) for kind in of_file(value).values() for key in kind]
    changed = str(dig(value, "sops", "lastmodified") or "-")
    return (cluster.name, secret_name(file), ",".join(keys) or "-", state, ",".join(named) or "-", changed)


def _state(cluster: Cluster, file: str, wrong: bool) -> str:
    """One word: sealed, placeholder, missing, conflict, or stale, which is not as it should be."""
    repository = cluster.repository
    secret = cluster.wanted.get(secret_name(file))
    if not repository.has(file):
        return "missing"
    if conflict(repository, file):
        return "conflict"
    if wrong:
        return "stale"
    return "placeholder" if secret and report.lacking(cluster, secret) is not None else "sealed"


def _short(recipient: str) -> str:
    return recipient if len(recipient) < 20 else f"{recipient[:9]}…{recipient[-4:]}"
