"""Every Secret that a pod reads is there, once, under its name, with its keys; and a change of it restarts the pod."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from posixpath import basename, dirname
from typing import Any

from litellm_gitops import foreign, policies
from litellm_gitops.documents import Place, dig, mapping, text, texts
from litellm_gitops.findings import Action, Finding, Fix, Misspelt, delete, edit, restore, rotate, seal, update
from litellm_gitops.foreign import foreign_secrets
from litellm_gitops.repository import ANSWERS, Cluster, Repository, SealedSecret, WantedSecret, secret_name
from litellm_gitops.rules import digests, rule
from litellm_gitops.rules.chart import the_values_fit_their_schema
from litellm_gitops.rules.files import (
    every_file_has_the_bytes_that_git_stores,
    git_ignores_nothing_that_is_deployed,
    is_ignored,
    taken_from_git,
)
from litellm_gitops.rules.forms import FORMS
from litellm_gitops.rules.kubernetes import every_name_is_valid
from litellm_gitops.rules.kustomizations import plain_ending
from litellm_gitops.rules.sealing import MISSHAPEN, flawed
from litellm_gitops.sealing import checksums, history
from litellm_gitops.sealing.forms import PASSWORDS
from litellm_gitops.sealing.inputs import is_needed
from litellm_gitops.sealing.sealed_file import ENCODED_ANNOTATION, Flaw, Kind, fix_of
from litellm_gitops.spelling import closest

# annotations with which the engine does not apply what is there already
_LEFT_ALONE = {
    ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"),
    ("kustomize.toolkit.fluxcd.io/ssa", "Ignore"),
}
_DIGEST = re.compile(r"^# Digest: ([0-9a-f]{64})$", re.MULTILINE)
_NONCE = re.compile(r"ENC\[AES256_GCM,data:[^,]+,iv:([^,]+),")


def digest_of(answers: dict[Any, Any]) -> str:
    """What copier writes above the answers, so that a change by hand is seen."""
    return hashlib.sha256(json.dumps(answers, sort_keys=True, default=str).encode()).hexdigest()


@rule
def the_answers_are_those_that_were_rendered(repository: Repository) -> Iterator[Finding]:
    """Changed by hand, no file follows them, and an update compares with a repository that never was."""
    digest = _DIGEST.search(repository.text(ANSWERS) or "")
    if digest and digest[1] != digest_of(repository.answers):
        what = "they were changed by hand, and no file follows them"
        fix = update("ANSWER", "VALUE", first="take it from git history, and change an answer by an update")
        yield Finding(ANSWERS, None, what, replace(fix, first=f"{fix.first}: {fix.command}", action=Action.EDIT))


@rule
def the_list_of_secrets_follows_from_the_answers(repository: Repository) -> Iterator[Finding]:
    """policies/secrets.yml is rendered from the matrix, and edited by nobody."""
    document, answers = repository.document(policies.SECRETS), repository.document(ANSWERS)
    sealed = [secret.document.value for cluster in repository.clusters for secret in cluster.sealed]
    sealed_for = {text(dig(each, "metadata", "namespace")) for each in sealed}
    if document and len(sealed_for) == 1 and (meant := sealed_for.pop()) not in ("", repository.namespace):
        what = f"namespace is {repository.namespace}, and every Secret is sealed for {meant}"
        slip = Misspelt(repository.namespace, meant)  # all else that is wrong follows from it
        yield Finding(policies.SECRETS, document.line("namespace"), what, edit(f"write {meant}"), misspelt=slip)
    chosen = texts(repository.answers.get("cluster_environments"))
    for name in sorted({name for name in chosen if chosen.count(name) > 1}):
        line = answers.line("cluster_environments") if answers else None
        yield Finding(ANSWERS, line, f"cluster_environments names {name} twice", edit("take one away"))
    renamed = set[str]()
    lacking = repository.matrix.secrets.keys() - repository.policy.secrets.keys()
    for name in sorted(repository.policy.secrets.keys() - repository.matrix.secrets.keys()):
        what, line = f"no answer needs {name}", document.line("secrets", name) if document else None
        near = closest(name, lacking)
        renamed.add(near)
        fix = edit(f"did you mean {near}?" if near else "take it away: a Secret of your own is not listed here")
        yield Finding(policies.SECRETS, line, what, fix)
    for name in repository.matrix.secrets.keys() - renamed:
        entry = repository.policy.secrets.get(name)
        needed = [cluster.name for cluster in repository.clusters if is_needed(cluster, name)]
        for what in _differences(repository, name, entry, needed):
            yield Finding(policies.SECRETS, document.line("secrets", name) if document else None, what, restore())


def _differences(
    repository: Repository, name: str, entry: policies.ListedSecret | None, needed: list[str]
) -> Iterator[str]:
    known, listed = repository.matrix.secrets[name], entry.clusters if entry else []
    if sorted(listed) != sorted(needed):
        yield f"{name} is listed for {_list(listed)}, but the answers need it for {_list(needed)}"
    elif entry and set(entry.keys) != (keys := known.needed(repository.answers)):
        yield f"{name} has the keys {_list(entry.keys)}, not {_list(sorted(keys))}"
    elif entry:
        if bool(entry.never_rotate) != bool(known.never_rotate):
            yield f"{name} may not be rotated, which never_rotate has to say"
        for key, source in entry.keys.items():
            expected = known.source(key, repository.answers)
            if source.form != expected.form:
                yield f"the values of {key} in {name} are not checked as {expected.form}"
            elif source != expected:
                yield f"the values of {key} in {name} have another source than the answers give them"


@rule
def every_needed_secret_is_there(repository: Repository) -> Iterator[Finding]:
    """With exactly the keys that are needed, or with one more that other answers need: the way back is an update."""
    ignored: list[str] = []
    for cluster in repository.clusters:
        sealed = {secret.name: secret for secret in cluster.sealed}
        for name, wanted in cluster.wanted.items():
            secret = sealed.get(name)
            other = plain if repository.has(plain := plain_ending(wanted)) else checksums.other_ending(wanted)
            if repository.has(other) and not (other == plain and repository.has(wanted.file)):
                yield _misplaced(repository, wanted, other)
                continue
            if name not in repository.matrix.secrets or (not repository.has(wanted.file) and secret):
                continue  # it is in a file of another name, or needed by no answer, which have rules of their own
            if not repository.has(wanted.file):
                commit = history.last(repository, wanted.file)
                again = seal("" if commit == "" else history.back(wanted.file, commit), cluster.name)
                if is_ignored(repository, wanted.file):
                    ignored.append(wanted.file)
                elif not _is_in_a_folder(repository, wanted.file):
                    yield Finding(wanted.file, None, "is missing", again)
            if secret is None or not repository.has(wanted.file) or secret.file in flawed(repository):
                continue  # another rule speaks of what is there
            spare = set(repository.matrix.secrets[name].keys) - set(wanted.keys)
            is_listed = repository.matrix.secrets[name].needed(repository.answers) == set(
                wanted.keys
            )  # else it is told
            if (
                secret.keys - spare != set(wanted.keys) and secret.keys and is_listed
            ):  # one without values is told by another rule
                what = f"it holds {_list(secret.keys)}, but {policies.SECRETS} says {_list(wanted.keys)}"
                yield Finding(secret.file, secret.document.line("stringData"), what, _again(repository, secret.file))
            for key, value in mapping(dig(secret.document.value, "stringData")).items():
                if value == "" and key in wanted.keys:  # sops leaves it as it is; no master key lets everybody in
                    line = secret.document.line("stringData", str(key))
                    yield Finding(secret.file, line, f"{key} is empty", _again(repository, secret.file))
    told = {each.line for each in git_ignores_nothing_that_is_deployed(repository)}
    yield from (each for each in taken_from_git(repository, ignored) if each.line not in told)


def _is_in_a_folder(repository: Repository, file: str) -> bool:
    """Whether it lies in a folder of no cluster, where another rule tells that no engine reads it."""
    folders, name = {cluster.secrets_folder for cluster in repository.clusters}, basename(file)
    return any(basename(each) == name and dirname(each) not in folders for each in repository.under("secrets"))


def _misplaced(repository: Repository, wanted: WantedSecret, file: str) -> Finding:
    """What to say of a needed Secret whose file has another ending: what is rendered lists `.sops.yaml`."""
    if repository.has(wanted.file):
        what = f"it holds the Secret of {wanted.file} once more"
        first = f"keep the one with which the cluster runs as {wanted.file}, and git rm the other"
        return Finding(file, None, what, seal(first, wanted.cluster))
    first = f"git mv {file} {wanted.file}, and list it in kustomization.yaml"
    return Finding(file, None, "its name is to end in .sops.yaml", seal(first, wanted.cluster))


@rule
def every_secret_file_holds_the_secret_of_its_name(repository: Repository) -> Iterator[Finding]:
    """In the proxy's namespace, and so that the cluster takes a change of it."""
    for cluster in repository.clusters:
        for secret in cluster.sealed:
            if secret.file in flawed(repository, MISSHAPEN):
                continue
            yield from _misnamed(repository, secret, cluster)
            if secret.name in cluster.wanted:
                yield from _stubborn(repository, secret)


@rule
def every_password_is_sealed_as_its_chart_takes_it(repository: Repository) -> Iterator[Finding]:
    """One chart puts it into a URL as it is, so it is sealed percent-encoded; with the other the proxy encodes it."""
    for cluster in repository.clusters:
        for secret in cluster.sealed:
            place = ("metadata", "annotations", ENCODED_ANNOTATION)
            said, wanted = dig(secret.document.value, *place), cluster.wanted.get(secret.name)
            for key, source in wanted.keys.items() if wanted and said is not None else ():
                if source.form in PASSWORDS and said != str(source.form == "url_password").lower():
                    how = "percent-encoded" if said == "true" else "as it is"
                    what = (
                        f"its {key} is sealed {how}, and the chart {repository.chart.name} takes it in the other form"
                    )
                    fix = rotate(secret.name, cluster.name, f"give {source}")
                    yield Finding(secret.file, secret.document.line(*place), what, fix)


def _misnamed(repository: Repository, secret: SealedSecret, cluster: Cluster) -> Iterator[Finding]:
    document, expected = secret.document, secret_name(secret.file)
    namespace = dig(document.value, "metadata", "namespace")
    swapped = [each for each in cluster.sealed if (each.name, secret_name(each.file)) == (expected, secret.name)]
    if secret.name != expected and swapped:
        what, fix = f"it holds what belongs into {swapped[0].file}, and that what belongs here", edit("swap them back")
        if secret.file < swapped[0].file:  # one mistake
            yield Finding(secret.file, document.line("metadata", "name"), what, fix)
    elif secret.name != expected and re.fullmatch(FORMS["object"][0], secret.name):  # of another form a rule tells
        what = f"it holds the Secret {secret.name!r}"
        fix = seal("rename the file, or correct metadata.name")
        yield Finding(secret.file, document.line("metadata", "name"), what, fix)
    if namespace != repository.namespace:
        what = f"its namespace is {namespace!r}, but the proxy reads Secrets of {repository.namespace!r}"
        fix = seal(f"write namespace: {repository.namespace}")
        yield Finding(secret.file, document.line("metadata", "namespace"), what, fix)


def _stubborn(repository: Repository, secret: SealedSecret) -> Iterator[Finding]:
    document = secret.document
    for name, found in mapping(dig(document.value, "metadata", "annotations")).items():
        if (name, found) in _LEFT_ALONE:
            line = document.line("metadata", "annotations", name)
            what = f"{name}: {found} keeps a new value from the cluster"
            yield Finding(secret.file, line, what, seal("take the annotation away"))
    for field, wanted in (("type", "Opaque"), ("immutable", None)):
        if (found := document.value.get(field)) != wanted:
            what = f"{field} is {found!r}, so that the cluster refuses its next change"
            fix = seal(f"write {field}: {wanted}" if wanted else f"take {field} away")
            yield Finding(secret.file, document.line(field), what, fix)
    if "data" in document.value and secret.file not in flawed(repository):
        what = "its values stand in data, which holds base64"
        yield Finding(secret.file, document.line("data"), what, _again(repository, secret.file))


def _again(repository: Repository, file: str) -> Fix:
    return fix_of(Flaw(Kind.IDENTITY, 1, ""), repository, file)


@rule
def no_sealed_value_is_a_copy(repository: Repository) -> Iterator[Finding]:
    """A value is sealed for its place, and a Secret of ours for its cluster; an own Secret may be in several."""
    seen: dict[str, tuple[SealedSecret, str]] = {}
    ours = {secret.file for cluster in repository.clusters for secret in cluster.wanted.values()}
    changed = {file for cluster in repository.clusters for file in digests.changed(cluster)}
    placed = (
        secret
        for cluster in repository.clusters
        for secret in cluster.sealed
        if not checksums.is_misplaced(cluster, secret.file)
    )
    for secret in placed:
        values = mapping(secret.document.value.get("stringData"))
        for key, value in [*values.items(), ("sops.mac", dig(secret.document.value, "sops", "mac"))]:
            match = _NONCE.match(text(value))
            if not match:
                continue
            first, name = seen.setdefault(match[1], (secret, str(key)))
            if name != key or (first is not secret and {first.file, secret.file} <= ours):
                copy, own, other = secret, str(key), f"{name} of {first.file}"
                if first.file in changed and secret.file not in changed:
                    copy, own, other = first, name, f"{key} of {secret.file}"
                what, line = f"{own} is the sealed {other}", copy.document.line("stringData", own)
                yield Finding(copy.file, line, what, _again(repository, copy.file))
                break  # the others come from the same file


@rule
def no_secret_is_orphaned(repository: Repository) -> Iterator[Finding]:
    """What no answer needs any more, and what no value names, so that the proxy never sees it."""
    known = repository.matrix.secrets
    # they have rules of their own
    guarded = {value for value in repository.chart.guards(repository.answers).values() if value in known}
    reported = guarded | {method.secret for method in repository.matrix.methods.values()}
    for cluster in repository.clusters:
        for secret in cluster.sealed:
            spare = secret.name in known and secret.name not in cluster.wanted
            # one that the answers need and the list lacks has a rule of its own
            if spare and not is_needed(cluster, secret.name):
                what = f"nothing in {cluster.name} needs {secret.name} any more"
                fix = delete(secret.file, f"take its line out of {cluster.secrets_folder}/kustomization.yaml")
                yield Finding(secret.file, None, what, fix)
        named = {each.name for each in cluster.values.pod.secret_references()} if cluster.values else set(known)
        for name in (
            cluster.wanted if named <= foreign.known(repository, cluster) else ()
        ):  # else a name is wrong, of which another rule tells
            listed = any(each.env_from for each in cluster.methods.values())
            if listed and cluster.values and not cluster.values.pod.env_from:
                continue  # the whole list is gone, of which a rule of the auth matrix tells
            if cluster.values and name in known and name not in reported | named:
                what = f"no value names the Secret {name}, so that the proxy never sees it"
                place = cluster.values.chart.env_from
                yield cluster.values.finding(place, what, edit(f"list {name} under {place[-1]}, or name it as before"))


@rule
def every_secret_has_one_maker(repository: Repository) -> Iterator[Finding]:
    """What is sealed here, nothing else in the cluster makes, too: each would overwrite the other's."""
    for cluster in repository.clusters:
        sealed = {secret.name: secret.file for secret in cluster.sealed}
        for document in repository.manifests:
            value = mapping(document.value)
            made = foreign.made_by(value) if document.file.startswith(f"{cluster.folder}/") else None
            if made and made[0] in sealed and dig(value, "metadata", "namespace") in (None, repository.namespace):
                what = f"it makes the Secret {made[0]}, which {sealed[made[0]]} holds"
                fix = edit("give it another name, or delete the sealed one with its line in the list")
                yield Finding(document.file, document.line(*made[1]), what, fix)


@rule
def values_name_only_secrets_and_keys_that_exist(repository: Repository) -> Iterator[Finding]:
    """Sealed here, or made by others: in the repository's manifests, or declared in policies/suite.yml."""
    for cluster in repository.clusters:
        keys: dict[str, Collection[str] | None] = {
            **foreign_secrets(repository, cluster),
            **{secret.name: secret.keys for secret in cluster.sealed},
            # of what the list lacks a rule above tells
            **{name: {*wanted.keys, *_needed(repository, name)} for name, wanted in cluster.wanted.items()},
        }
        told = {*repository.matrix.secrets}  # by a rule of the auth matrix; another one here, once
        for each in cluster.values.pod.secret_references() if cluster.values else ():
            assert cluster.values
            if each.name not in keys:
                if each.name not in told:
                    told.add(each.name)
                    what = f"the Secret {each.name!r} is none of those in {cluster.name}"
                    fix = edit(
                        "correct the name, seal a Secret of that name, or declare who makes it in policies/suite.yml"
                    )
                    yield cluster.values.finding(each.place, what, fix)
            elif each.place in _of_methods(cluster) or text(each.key).startswith("/"):
                continue  # a rule of the auth matrix tells, or that of the API server
            elif each.place == cluster.values.chart.redis_secret and repository.answers.get("redis") == "bundled":
                continue  # what the chart of Redis is to read has a rule of its own
            elif each.key is not None and each.key not in (keys[each.name] or {each.key}):
                what = f"the Secret {each.name!r} has no key {each.key!r}, only {_list(keys[each.name] or ())}"
                yield cluster.values.finding(each.place, what, edit("correct the key"))


def _needed(repository: Repository, name: str) -> Iterable[str]:
    secret = repository.matrix.secrets.get(name)
    return secret.needed(repository.answers) if secret else ()


def _of_methods(cluster: Cluster) -> list[Place]:
    """The mounts where a method needs its Secret."""
    needed = [method.mount.path for method in cluster.methods.values() if method.mount]
    return [mount.place for mount in cluster.values.pod.mounts if mount.path in needed] if cluster.values else []


@rule
def every_checksum_is_that_of_its_secret(repository: Repository) -> Iterator[Finding]:
    """Sealing writes them, so that a changed Secret restarts the pods that read it."""
    # where a file is wrong, its digest is the least
    others = (every_needed_secret_is_there, every_secret_file_holds_the_secret_of_its_name, no_sealed_value_is_a_copy)
    told = flawed(repository).union(finding.file for other in others for finding in other(repository))
    told |= {secret.file for each in repository.clusters for secret in each.sealed if _is_misnamed(secret)}
    for rule_of_files in (every_name_is_valid, every_file_has_the_bytes_that_git_stores):
        told |= {each.file for each in rule_of_files(repository) if each.file.startswith("secrets/")}
    passed = {each.file for each in the_values_fit_their_schema(repository)}
    for finding, files in (*digests.swapped_secrets(repository), *digests.swapped_lists(repository)):
        yield finding
        told |= files
        passed |= files
    for cluster in repository.clusters:
        document, file = repository.document(cluster.checksums_file), cluster.checksums_file
        again = seal(cluster=cluster.name)
        if file in passed:
            continue
        if file in repository.broken:
            yield Finding(file, repository.broken[file].line, str(repository.broken[file]), again)
        elif document:
            yield from digests.misfits(cluster, document, told)
        elif cluster.sealed or repository.has(file):  # without a single Secret there is nothing to sum up
            yield Finding(file, None, "is missing, so that a changed Secret restarts no pod", again)


def _is_misnamed(secret: SealedSecret) -> bool:
    """Whether it is of no version that there is, or lies in the file of another one: of both other rules tell."""
    return secret.document.value.get("apiVersion") != "v1" or secret.name != secret_name(secret.file)


def _list(names: Iterable[Any]) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"
