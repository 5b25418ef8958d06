"""What the owner declares in policies/suite.yml is needed and in force; the package beside it is unedited."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from litellm_gitops import foreign, rules, vendored
from litellm_gitops.documents import Place, dig, mapping, sequence, text, walk
from litellm_gitops.findings import Finding, Fix, delete, edit, restore, update
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import ANSWERS, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.sealing import beside
from litellm_gitops.spelling import closest

_AWAY = edit("take the line away")


def _finding(repository: Repository, place: Place, what: str, fix: Fix = _AWAY) -> Finding:
    document = repository.document(SUITE)
    return Finding(SUITE, document.line(*place) if document else None, what, fix)


@rule
def every_declaration_is_needed(repository: Repository) -> Iterator[Finding]:
    """A line that is left over would hide the next fault of its kind."""
    suite, clusters = repository.suite, [cluster.name for cluster in repository.clusters]
    known = {(str(value.get("apiVersion")), str(value.get("kind"))) for value in _objects(repository)}
    for number, secret in enumerate(suite.secrets):
        absent = sorted(set(secret.clusters or ()) - set(clusters))
        for unknown in absent:
            yield _finding(repository, ("secrets", number, "clusters"), f"there is no cluster {unknown}")
        if not (absent or _is_nearly_named(repository, secret.name)) and not any(
            _names(repository, cluster, secret.name) for cluster in secret.clusters or clusters
        ):
            yield _finding(repository, ("secrets", number), f"nothing names the Secret {secret.name}")
        sealed = [each.name for each in repository.clusters if secret.name in {own.name for own in each.sealed}]
        if not absent and sealed and not {*(secret.clusters or clusters)} - {*sealed}:
            yield _finding(repository, ("secrets", number), f"the Secret {secret.name} is sealed here")
    for number, kind in enumerate(suite.kinds):
        version, _, name = kind.rpartition(" ")
        if not version:
            fix = edit("write the API version, a space and the kind: example.com/v1 Widget")
            yield _finding(repository, ("kinds", number), f"{kind!r} is no kind of an API", fix)
        elif (version, name) not in known:
            yield _finding(repository, ("kinds", number), f"there is no object {kind} in this repository")
    entries = [entry for value in _objects(repository) for entry in sequence(dig(value, "spec", "dependsOn"))]
    for number, line in enumerate(suite.objects):
        if line.rpartition("/")[2] not in [dig(entry, "name") for entry in entries]:
            yield _finding(repository, ("objects", number), f"nothing waits for {line}")
    for number, pattern in enumerate(suite.beside):
        if not beside(repository, [pattern]):
            yield _finding(repository, ("beside", number), f"no file below secrets/ matches {pattern}")


def _is_nearly_named(repository: Repository, name: str) -> bool:
    """Whether values name a Secret that nobody makes, and that is nearly this one: another rule tells it."""
    for cluster in repository.clusters:
        named = {each.name for each in cluster.values.pod.secret_references()} if cluster.values else set()
        if name not in named and closest(name, named - foreign.known(repository, cluster)):
            return True
    return False


def _objects(repository: Repository) -> Iterator[dict[Any, Any]]:
    yield from (mapping(document.value) for document in repository.manifests)
    for values in repository.values:
        yield from map(mapping, sequence(values.pod.get(values.chart.objects)))


def _names(repository: Repository, cluster: str, name: str) -> bool:
    """Whether the values of a cluster, or a manifest that it may get, hold the name of a Secret as a text."""
    values = next((values for values in repository.values if values.cluster.name == cluster), None)
    folders = tuple(f"clusters/{each.name}/" for each in repository.clusters if each.name != cluster)
    manifests = [document.value for document in repository.manifests if not document.file.startswith(folders)]
    return any(found == name for value in (values and values.merged, *manifests) for _, found in walk(value))


@rule
def every_exception_is_in_force(repository: Repository) -> Iterator[Finding]:
    """It names a rule that there is, its day has not come, and it sets something aside."""
    known, today = rules.load(), datetime.datetime.now(datetime.UTC).date()
    for number, entry in enumerate(repository.suite.exceptions):
        if entry.rule not in known:
            yield _finding(repository, ("exceptions", number, "rule"), f"there is no rule {entry.rule}")
        elif entry.until and entry.until < today:
            fix = edit("mend what it was for, and take it away")
            yield _finding(repository, ("exceptions", number, "until"), f"its last day was {entry.until}", fix)
        elif entry.rule != every_exception_is_in_force.__name__:
            found = rules.run(known[entry.rule], repository)
            if not any(rules.covers(entry, finding) for finding in found):
                what = f"{entry.rule} finds nothing that it would set aside"
                yield _finding(repository, ("exceptions", number), what)


@rule
def the_vendored_package_is_unedited(repository: Repository) -> Iterator[Finding]:
    """An update replaces it, and with it every edit. https://copier.readthedocs.io/"""
    folder, wanted = repository.root / vendored.FOLDER, repository.answers.get("tooling")
    restored = restore()
    document = repository.document(ANSWERS)
    if wanted == "pinned" and folder.is_dir():
        what = f"tooling is pinned, but {vendored.FOLDER}/ is there and would be taken first"
        line = document.line("tooling") if document else None
        yield Finding(ANSWERS, line, what, update("tooling", "vendored", f"delete {vendored.FOLDER}/"))
    elif wanted == "vendored" and not folder.is_dir():
        yield Finding(vendored.FOLDER, None, "is missing, and tooling is vendored", restored)
    elif wanted == "vendored":
        digest = text(repository.text(vendored.DIGEST)).strip()
        if vendored.digest(folder) != digest:
            yield Finding(vendored.FOLDER, None, f"it is not what {vendored.DIGEST} is the digest of", restored)
    for file in repository.under("vendor"):
        if not file.startswith(f"{vendored.FOLDER}/") and file != vendored.DIGEST:
            what = "the process that holds plaintext looks for its modules here first"
            yield Finding(file, None, what, delete(file))
