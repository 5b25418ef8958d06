"""What one file says of another: Secrets, kustomizations, checksums."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.chart import guarded
from rules.document import Document
from rules.repository import (
    CHART,
    POLICY,
    SEAL,
    SEALED,
    Place,
    Repository,
    Secret,
    Values,
    dig,
    mapping,
    sequence,
    text,
)

_KUSTOMIZATION = "kustomization.yaml"
# the fields of a kustomization that name files or folders
_LISTS = ("resources", "generators", "transformers", "components", "crds", "configurations")
_CHECKSUM = "checksum/"
_PODS, _REDIS_PODS = (CHART, "podAnnotations"), (CHART, "redis", "master", "podAnnotations")
# annotations with which the engine does not apply what is there already
_LEFT_ALONE = {
    ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"),
    ("kustomize.toolkit.fluxcd.io/ssa", "Ignore"),
}
_NONCE = re.compile(r"ENC\[AES256_GCM,data:[^,]+,iv:([^,]+),")


@rule
def the_list_of_secrets_follows_from_the_answers(repository: Repository) -> Iterator[Problem]:
    document = repository.document(POLICY)
    for name, secret in mapping(repository.matrix["secrets"]).items():
        entry = mapping(dig(repository.policy, "secrets", name))
        listed = sequence(entry.get("environments"))
        needed = [environment for environment in repository.environments if _is_needed(repository, environment, name)]
        line = document.line("secrets", name) if document else None
        todo = "take the file from git history, or run copier update"
        if sorted(map(str, listed)) != sorted(needed):
            what = f"{name} is listed for {_list(listed)}, but the answers need it for {_list(needed)}"
            yield Problem(POLICY, line, what, todo)
        elif needed and set(mapping(entry.get("keys"))) != set(mapping(secret.get("keys"))):
            what = f"{name} has the keys {_list(entry.get('keys'))}, not {_list(secret.get('keys'))}"
            yield Problem(POLICY, line, what, todo)
        elif needed:
            if bool(entry.get("never_rotate")) != bool(secret.get("never_rotate")):
                what = f"{name} may not be rotated, which never_rotate has to say"
                yield Problem(POLICY, line, what, todo)
            for key, source in mapping(entry.get("keys")).items():
                form = dig(secret, "keys", key, "form")
                if dig(source, "form") != form:
                    what = f"the values of {key} in {name} are not checked as {form}"
                    yield Problem(POLICY, line, what, todo)


def _is_needed(repository: Repository, environment: str, name: str) -> bool:
    when = dig(repository.matrix, "secrets", name, "when")
    if isinstance(when, dict):
        return any(repository.answers.get(answer) in sequence(wanted) for answer, wanted in when.items())
    return when == "always" or any(method.get("secret") == name for method in repository.methods(environment).values())


@rule
def every_needed_secret_is_there(repository: Repository) -> Iterator[Problem]:
    for environment in repository.environments:
        sealed = {secret.name: secret for secret in repository.sealed[environment]}
        for name, entry in repository.needed(environment).items():
            file = f"secrets/{environment}/{name}.sops.yaml"
            secret, keys = sealed.get(name), set(mapping(entry.get("keys")))
            if secret is None:
                if not repository.has(file):
                    yield Problem(file, None, "is missing", f"seal it: {SEAL}")
            elif secret.keys != keys:
                line = secret.document.line("stringData")
                what = f"it holds {_list(secret.keys)}, but {POLICY} says {_list(keys)}"
                yield Problem(
                    secret.file,
                    line,
                    what,
                    f"seal it again: {SEAL} --rotate {name} --cluster {environment}",
                )


@rule
def every_secret_file_holds_the_secret_of_its_name(repository: Repository) -> Iterator[Problem]:
    for environment in repository.environments:
        for file in repository.under(f"secrets/{environment}"):
            if SEALED.fullmatch(file) and not repository.document(file) and file not in repository.broken:
                name = _name(file)
                again = f"{SEAL} --rotate {name} --cluster {environment}"
                yield Problem(file, None, "it holds no Secret", f"seal it again: {again}")
        for secret in repository.sealed[environment]:
            expected = _name(secret.file)
            document, namespace = (
                secret.document,
                dig(secret.document.value, "metadata", "namespace"),
            )
            if secret.name != expected:
                what = f"it holds the Secret {secret.name!r}"
                todo = f"name the file {secret.name}.sops.yaml" if secret.name else "give metadata.name"
                yield Problem(secret.file, document.line("metadata", "name"), what, todo)
            if namespace != repository.namespace:
                what = f"its namespace is {namespace!r}, but the proxy reads Secrets of {repository.namespace!r}"
                line = document.line("metadata", "namespace")
                yield Problem(secret.file, line, what, f"seal it with namespace: {repository.namespace}")
            if secret.name in repository.needed(environment):
                for name, found in mapping(dig(document.value, "metadata", "annotations")).items():
                    if (name, found) in _LEFT_ALONE:
                        what = f"{name}: {found} keeps a new value from the cluster"
                        line = document.line("metadata", "annotations", name)
                        yield Problem(secret.file, line, what, "take the annotation away")
                for field, wanted in (("type", "Opaque"), ("immutable", None)):
                    if (found := document.value.get(field)) != wanted:
                        what = f"{field} is {found!r}, so that the cluster refuses its next change"
                        again = f"seal it again: {SEAL} --rotate {secret.name} --cluster {environment}"
                        yield Problem(secret.file, document.line(field), what, again)
            if "data" in document.value and secret.name in repository.needed(environment):
                what = "its values stand in data, which holds base64"
                todo = f"seal it again: {SEAL} --rotate {secret.name} --cluster {environment}"
                yield Problem(secret.file, document.line("data"), what, todo)


@rule
def no_sealed_value_is_a_copy(repository: Repository) -> Iterator[Problem]:
    """A value is sealed for its place, and a Secret of ours for its environment; an own Secret may be in several."""
    seen: dict[str, tuple[Secret, str]] = {}
    for environment in repository.environments:
        for secret in repository.sealed[environment]:
            values = mapping(secret.document.value.get("stringData"))
            mac = dig(secret.document.value, "sops", "mac")
            for key, value in [*values.items(), ("sops.mac", mac)]:
                match = _NONCE.match(text(value))
                if not match:
                    continue
                first, name = seen.setdefault(match[1], (secret, str(key)))
                ours = all(each.name in repository.needed(each.environment) for each in (first, secret))
                if name != key or (first is not secret and ours):
                    what = f"{key} is the sealed {name} of {first.file}"
                    todo = f"seal it for {environment}, or take the file from git history"
                    line = secret.document.line("stringData", str(key))
                    yield Problem(secret.file, line, what, todo)


def _name(file: str) -> str:
    return re.sub(r"\.sops\.ya?ml$", "", posixpath.basename(file))


@rule
def no_secret_is_orphaned(repository: Repository) -> Iterator[Problem]:
    by_methods = {text(method.get("secret")) for method in mapping(repository.matrix["methods"]).values()}
    for environment in repository.environments:
        needed = repository.needed(environment)
        for secret in repository.sealed[environment]:
            if secret.name in mapping(repository.matrix["secrets"]) and secret.name not in needed:
                what = f"nothing in {environment} needs {secret.name} any more"
                todo = f"delete the file, and its line in secrets/{environment}/{_KUSTOMIZATION}"
                yield Problem(secret.file, None, what, todo)
    told = by_methods | guarded(repository)  # they have rules of their own
    for values in repository.values:
        named = {name for _, name, _ in _references(values)}
        for name in repository.needed(values.environment):
            ours = name in mapping(repository.matrix["secrets"])
            if ours and name not in told | named:
                what = f"no value names the Secret {name}, so that the proxy never sees it"
                todo = f"list {name} under environmentSecrets, or name it as before"
                yield values.problem(("environmentSecrets",), what, todo)


@rule
def values_name_only_secrets_and_keys_that_exist(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        environment = values.environment
        keys = {name: set(mapping(entry.get("keys"))) for name, entry in repository.needed(environment).items()}
        for secret in repository.sealed[environment]:
            keys.setdefault(secret.name, secret.keys)
        for path, name, key in _references(values):
            if name not in keys:
                if name not in mapping(repository.matrix["secrets"]):  # else a rule of the auth matrix tells
                    what = f"the Secret {name!r} is not in secrets/{environment}/"
                    yield values.problem(path, what, "correct the name, or seal a Secret of that name")
            elif key is not None and key not in keys[name]:
                what = f"the Secret {name!r} has no key {key!r}, only {_list(keys[name])}"
                yield values.problem(path, what, "correct the key")


def _references(values: Values) -> Iterator[tuple[Place, str, str | None]]:
    """(path, Secret, key or None) of all that values name, but the chart's own settings of masterkey and db."""
    for number, name in enumerate(sequence(values.get("environmentSecrets"))):
        yield ("environmentSecrets", number), str(name), None
    for number, entry in enumerate(sequence(values.get("imagePullSecrets"))):
        yield ("imagePullSecrets", number), str(dig(entry, "name")), None
    for number, entry in enumerate(sequence(values.get("extraEnvVars"))):
        reference = mapping(dig(entry, "valueFrom", "secretKeyRef"))
        if reference and not reference.get("optional"):
            path: Place = ("extraEnvVars", number, "valueFrom", "secretKeyRef")
            yield path, str(reference.get("name")), str(reference.get("key"))
    mounts = sequence(values.get("volumeMounts"))
    for number, volume in enumerate(sequence(values.get("volumes"))):
        projected = [dig(source, "secret") for source in sequence(dig(volume, "projected", "sources"))]
        for source in filter(None, map(mapping, [dig(volume, "secret"), *projected])):
            name = str(source.get("secretName", source.get("name")))
            if source.get("optional"):
                continue
            items: list[str | None] = [str(dig(item, "key")) for item in sequence(source.get("items"))]
            for key in items or [None]:
                yield ("volumes", number), name, key
            for position, mount in enumerate(mounts):
                sub_path = dig(mount, "subPath")
                if not items and sub_path and dig(mount, "name") == dig(volume, "name"):
                    yield ("volumeMounts", position), name, str(sub_path)
    if values.get("redis", "enabled") and values.get("redis", "auth", "existingSecret"):
        key = values.get("redis", "auth", "existingSecretPasswordKey")
        yield (
            ("redis", "auth", "existingSecret"),
            str(values.get("redis", "auth", "existingSecret")),
            str(key),
        )


@rule
def every_kustomization_lists_exactly_what_is_there(repository: Repository) -> Iterator[Problem]:
    known = set(mapping(repository.matrix["secrets"]))
    for file in repository.files:
        if posixpath.basename(file) != _KUSTOMIZATION:
            continue
        document = repository.document(file)
        if document is None:
            if file not in repository.broken:
                yield Problem(file, None, "it lists nothing", "take it from git history")
            continue
        folder = posixpath.dirname(file)
        listed = _listed(repository, file)
        needed = set()
        if folder.startswith("secrets/"):
            names = repository.needed(posixpath.basename(folder))
            needed = {f"{folder}/{name}.sops.yaml" for name in names}
        yield from _misleading(repository, document, folder)
        for path, place in sorted(listed.items()):
            exists = repository.has(path) or repository.has(f"{path}/{_KUSTOMIZATION}") or repository.under(path)
            if not exists and path not in needed:  # a needed Secret that is missing has a rule of its own
                yield Problem(
                    *place,
                    f"it lists {path}, which does not exist",
                    "take the line away, or add the file",
                )
        if folder.startswith("secrets/"):
            for path in repository.under(folder):
                orphaned = _name(path) in known - set(repository.needed(posixpath.basename(folder)))
                if orphaned and SEALED.fullmatch(path):
                    continue  # a rule above tells that it is to be deleted
                if path not in listed and path != file and path.endswith((".yaml", ".yml")):
                    what = f"it does not list {posixpath.basename(path)}, so that the cluster never gets it"
                    yield Problem(file, document.line("resources"), what, f"add {posixpath.basename(path)}")
    for environment in repository.environments:
        file = f"secrets/{environment}/{_KUSTOMIZATION}"
        if not repository.has(file) and repository.under(f"secrets/{environment}"):
            yield Problem(file, None, "is missing", "take it from git history")


def _misleading(repository: Repository, document: Document, folder: str) -> Iterator[Problem]:
    """Lists and settings with which Kustomize fails, or puts objects where nobody looks for them."""
    value: Any = document.value
    for field in _LISTS:
        entries = sequence(value.get(field))
        for number, entry in enumerate(entries):
            line = document.line(field, number)
            if entry in entries[:number]:
                what = f"it lists {entry} twice, which Kustomize refuses"
                yield Problem(document.file, line, what, "take one line away")
            elif folder.startswith("secrets/") and text(entry).startswith("../"):
                what = f"it lists {entry}, which belongs to another environment"
                yield Problem(document.file, line, what, "take the line away")
    ours = folder.split("/")[0] in ("secrets", "clusters")
    namespace = value.get("namespace")
    if ours and namespace and (folder.startswith("clusters/") or namespace != repository.namespace):
        what = f"namespace: {namespace} moves everything out of its namespace"
        yield Problem(document.file, document.line("namespace"), what, "take the line away")


def _listed(repository: Repository, file: str) -> dict[str, tuple[str, int]]:
    """What a kustomization lists, itself or through a generator of KSOPS -> (file, line) of the entry."""
    found: dict[str, tuple[str, int]] = {}
    document = repository.document(file)
    if document is None:
        return found
    folder = posixpath.dirname(file)
    value: Any = document.value
    entries = [(field, number, entry) for field in _LISTS for number, entry in enumerate(sequence(value.get(field)))]
    for field, number, entry in entries:
        if not isinstance(entry, str) or "://" in entry or "\n" in entry:
            continue
        path = posixpath.normpath(posixpath.join(folder, entry))
        found[path] = (file, document.line(field, number))
        for generator in repository.documents(path) if field == "generators" else ():
            for position, listed in enumerate(sequence(dig(generator.value, "files"))):
                sealed = posixpath.normpath(posixpath.join(posixpath.dirname(path), str(listed)))
                found[sealed] = (path, generator.line("files", position))
    return found


@rule
def every_checksum_is_that_of_its_secret(repository: Repository) -> Iterator[Problem]:
    for environment in repository.environments:
        file = f"litellm/checksums-{environment}.yaml"
        document = repository.document(file)
        again = f"write it again: {SEAL}"
        if document is None:
            if file not in repository.broken:
                what = "is missing, so that a changed Secret restarts no pod"
                yield Problem(file, None, what, again)
            continue
        sealed = {secret.name: secret.file for secret in repository.sealed[environment]}
        needed = repository.needed(environment)
        # the annotations of pods, and the Secrets whose change must restart these pods
        places: dict[tuple[str, ...], set[str]] = {_PODS: set(sealed) & set(needed)}
        if repository.answers.get("redis") == "bundled":
            places[_REDIS_PODS] = {"litellm-redis"} & places[_PODS]
        parents = sorted({place[:depth] for place in places for depth in range(len(place))})
        found = [(*parent, key) for parent in parents for key in mapping(dig(document.value, *parent))]
        for path in found:
            if path not in parents and path not in places:
                what = f"{path[-1]} is no checksum of a Secret"
                yield Problem(
                    file,
                    document.line(*path),
                    what,
                    f"move it to litellm/values-{environment}.yaml",
                )
        for place, restarting in places.items():
            annotations = mapping(dig(document.value, *place))
            for annotation, digest in annotations.items():
                name = str(annotation).removeprefix(_CHECKSUM)
                line = document.line(*place, annotation)
                if not str(annotation).startswith(_CHECKSUM):
                    what = f"{annotation} is no checksum of a Secret"
                    yield Problem(file, line, what, f"move it to litellm/values-{environment}.yaml")
                elif name in sealed:
                    content = (repository.root / sealed[name]).read_bytes()
                    if hashlib.sha256(content).hexdigest() != digest:
                        # damage to a sealed file shows here alone, without a key
                        what = f"it is not the SHA-256 of {sealed[name]}"
                        todo = f"if nobody meant to change that file, take it from git history; else {again}"
                        yield Problem(file, line, what, todo)
                elif name not in needed:
                    yield Problem(file, line, f"there is no Secret {name} in secrets/{environment}/", again)
            for name in sorted(restarting):
                if f"{_CHECKSUM}{name}" not in annotations:
                    pods = "no pod" if place == _PODS else "not Redis"
                    yield Problem(file, None, f"it lacks {name}, so that its change restarts {pods}", again)


def _list(names: Any) -> str:
    return ", ".join(sorted(map(str, names or ()))) or "nothing"
