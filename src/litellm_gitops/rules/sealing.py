"""Every value of every Secret is encrypted, for the right recipients, and no credential stands anywhere else."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from sealing import creation_rules, credentials, keyless
from sealing.errors import SealingError
from sealing.inputs import ENV_FILE

from rules import Problem, rule
from rules.ignored import ignored
from rules.repository import (
    ANSWERS,
    SEAL,
    SEALED,
    UPDATE,
    Place,
    Repository,
    dig,
    mapping,
    sequence,
    text,
    walk,
)

_CONFIG = creation_rules.CONFIG
_KEY_FILE = re.compile(r"(?:.*/)?keys/[^/]+|.*\.agekey|(?:.*/)?(?:age\.key|keys\.txt)")
_CREDENTIAL = re.compile(
    r"(?:PASSWORD|PASSWD|(?<![A-Z])PASS|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?"
    r"|(?:API|MASTER)_?KEY|(?:ACCESS|PRIVATE|SECRET)_KEY)\Z",
    re.IGNORECASE,
)
# in values of charts, where `existingSecret` is the name of a Secret
_NAME_OF_SECRET = re.compile(r"(?<!client)(?<!client_)secret\Z|credentials?\Z", re.IGNORECASE)
# what else may stand beside the sealed files
_BESIDE = re.compile(r"secrets/(?:.*/)?(?:[^/]+\.ya?ml|[^/]+\.md|\.gitkeep)")
_NO_KEY = re.compile(r".*(?:\.gitkeep|README\.md)")


@rule
def every_value_of_every_secret_is_sealed(repository: Repository) -> Iterator[Problem]:
    config = _config(repository)
    for environment in repository.environments:
        if _is_unsound(repository, config, environment):
            continue  # which is told below
        for secret in repository.sealed[environment]:
            entry = _find(config, secret.file)
            if entry is None:
                continue
            todo = f"seal it again: {SEAL} --rotate {secret.name} --cluster {environment}"
            for flaw in keyless.check(repository.text(secret.file) or "", creation_rules.as_rule(entry)):
                yield Problem(secret.file, flaw.line, flaw.what, todo)
    # of an environment of the matrix that was not chosen, matrix.py tells every file
    for file in repository.under("secrets"):
        match = SEALED.fullmatch(file)
        if not match or match[1] in mapping(repository.matrix["environments"]):
            continue
        entry, content = _find(config, file), repository.characters(file)
        if entry is None:
            todo = "move it into the folder of an environment, or write a rule for its folder"
            yield Problem(file, None, f"no creation rule of {_CONFIG} matches it", todo)
        for flaw in keyless.check(content, creation_rules.as_rule(entry)) if entry else ():
            yield Problem(file, flaw.line, flaw.what, "seal it again, with sops")


@rule
def no_secret_stands_outside_of_the_sealed_files(repository: Repository) -> Iterator[Problem]:
    where = "secrets/<environment>/<name>.sops.yaml"
    for document in repository.manifests:
        kind = dig(document.value, "kind")
        if kind == "Secret" and not SEALED.fullmatch(document.file):
            yield Problem(
                document.file,
                document.line("kind"),
                "it is a Secret that is not sealed",
                f"seal it as {where}",
            )
    for file in repository.files:
        if SEALED.fullmatch(file):
            continue
        for flaw in keyless.unsealed(repository.characters(file)):
            yield Problem(file, flaw.line, flaw.what, f"seal it as {where}")
    for document in repository.manifests:
        # what a patch is for stands where it is named
        for patch in sequence(dig(document.value, "patches")):
            entry = text(dig(patch, "path"))
            file = posixpath.normpath(posixpath.join(posixpath.dirname(document.file), entry))
            if entry and dig(patch, "target", "kind") == "Secret":
                for flaw in keyless.unsealed(repository.characters(file), patch=True):
                    yield Problem(file, flaw.line, flaw.what, f"seal it as {where}")
    for file in repository.under("secrets"):
        # files.py tells of a link
        if not _BESIDE.fullmatch(file) and not (repository.root / file).is_symlink():
            todo = f"seal it as {where}, or move it elsewhere"
            yield Problem(file, None, "it stands among the sealed Secrets and cannot be checked", todo)
    for values in repository.values:
        for path, found in walk(values.get()):
            if found == "Secret" and path and path[-1] == "kind":
                yield values.problem(path, "it is a Secret that is not sealed", f"seal it as {where}")


@rule
def every_environment_has_one_sound_creation_rule(repository: Repository) -> Iterator[Problem]:
    if not repository.has(_CONFIG):
        yield Problem(_CONFIG, None, "is missing", f"make it: {SEAL}")
        return
    try:
        config = creation_rules.load(repository.root)
        for environment in repository.environments:
            for what in creation_rules.problems(config, environment, _files(repository, environment)):
                yield Problem(_CONFIG, None, what, f"correct it, then {SEAL} --check")
    except SealingError as error:
        yield Problem(_CONFIG, None, str(error).removeprefix(f"{_CONFIG} "), "then run the suite again")
        return
    document = repository.document(_CONFIG)
    seen: dict[str, int] = {}
    for number, entry in enumerate(sequence(config.get("creation_rules"))):
        line = document.line("creation_rules", number) if document else None
        pattern = text(mapping(entry).get("path_regex"))
        if not pattern.startswith("^"):
            what = "a rule without path_regex, or with one that does not begin with ^, takes files of other folders"
            yield Problem(_CONFIG, line, what, "write one rule for each folder: ^secrets/<environment>/")
        if pattern in seen:
            what = f"its path_regex is that of line {seen[pattern]}, and the first one wins"
            yield Problem(_CONFIG, line, what, "keep one of them")
        seen.setdefault(pattern, line or 0)
        for environment in mapping(repository.matrix["environments"]):
            if environment not in repository.environments and pattern == creation_rules.path_regex(environment):
                todo = f"take it away, or choose the environment: {UPDATE} cluster_environments=…"
                yield Problem(_CONFIG, line, f"the environment {environment} was not chosen", todo)


@rule
def the_recipients_are_those_of_the_answers(repository: Repository) -> Iterator[Problem]:
    wanted = sorted(map(str, sequence(repository.answers.get("age_recipients"))))
    document = repository.document(_CONFIG)
    config = _config(repository)
    for environment in repository.environments:
        entry = _find(config, f"secrets/{environment}/any.sops.yaml")
        if entry is None or _is_unsound(repository, config, environment):
            continue
        number = config["creation_rules"].index(entry)
        line = document.line("creation_rules", number, "age") if document else None
        # without an answer each environment has a key that was made for it
        if wanted and sorted(creation_rules.split(entry.get("age"))) != wanted:
            what = f"the recipients of {environment} differ from age_recipients in {ANSWERS}"
            todo = f"{UPDATE} 'age_recipients=[…]', or correct the rule; then {SEAL} --rekey"
            yield Problem(_CONFIG, line, what, todo)
        question = f"{environment}_kms_key"
        key = repository.answers.get(question)
        field = text(dig(repository.matrix, "environments", environment, "kms", "rule"))
        if key and key not in creation_rules.split(entry.get(field)):
            what = f"the rule of {environment} lacks {key}, which {question} in {ANSWERS} names"
            todo = f"add `{field}: {key}` to it, then {SEAL} --rekey"
            yield Problem(_CONFIG, line, what, todo)
        for each in creation_rules.KMS if wanted else ():
            for other in creation_rules.split(entry.get(each)):
                if (each, other) != (field, key):
                    what = f"the rule of {environment} has {other}, which no answer in {ANSWERS} names"
                    todo = f"take it away, or answer it: {UPDATE} {question}=…; then {SEAL} --rekey"
                    yield Problem(_CONFIG, line, what, todo)


@rule
def no_placeholder_is_left(repository: Repository) -> Iterator[Problem]:
    annotation = keyless.PLACEHOLDER_ANNOTATION
    for environment in repository.environments:
        for secret in repository.sealed[environment]:
            if annotation in mapping(dig(secret.document.value, "metadata", "annotations")):
                line = secret.document.line("metadata", "annotations", annotation)
                keys = mapping(dig(repository.needed(environment).get(secret.name), "keys"))
                names = [name for source in keys.values() for name in _inputs(mapping(source))]
                what = "it is a placeholder, because an input was missing when it was sealed"
                again = f"{SEAL} --rotate {secret.name} --cluster {environment}"
                todo = f"give {', '.join(names) or 'its inputs'}, then {again}"
                yield Problem(secret.file, line, what, todo)


@rule
def no_credential_stands_in_plaintext(repository: Repository) -> Iterator[Problem]:
    todo = "take it away, seal it, and revoke it: whoever has read the file knows it"
    for file in repository.files:
        for line, kind in credentials.find(repository.characters(file)):
            yield Problem(file, line, f"{kind} stands in plaintext", todo)
    for values in repository.values:
        methods = repository.methods(values.environment).values()
        told = {name for method in methods for name in sequence(method.get("forbids"))}
        told.add("PROXY_MASTER_KEY")
        for name, (path, value) in values.variables.items():
            if _CREDENTIAL.search(name) and value and name not in told and not _is_reference(value):
                yield values.problem(path, f"{name} has its value in plaintext", todo)
        for path, name, value in _leaves(values.get()):
            # a name with / is that of an annotation
            if "/" in name or not _CREDENTIAL.search(name) or _is_reference(value):
                continue
            # the schema tells of models, what is above of variables
            if path[0] in ("envVars", "extraEnvVars") or path[1:2] == ("model_list",):
                continue
            settings = path[0] == "proxy_config" or path[-1] == "value"
            if settings or not _NAME_OF_SECRET.search(name):
                yield values.problem(path, f"{name} has its value in plaintext", todo)


def _leaves(value: Any, path: Place = ()) -> Iterator[tuple[Place, str, Any]]:
    """(path, name, value) of all that is no mapping and no list. A variable, `{name, value}`, has its own name."""
    if isinstance(value, dict):
        for key, child in value.items():
            variable = key == "value" and isinstance(value.get("name"), str)
            for inner, name, leaf in _leaves(child, (*path, str(key))):
                yield inner, value["name"] if variable else name, leaf
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _leaves(child, (*path, number))
    else:
        name = next((part for part in reversed(path) if isinstance(part, str)), "")
        yield path, name, value


def _is_reference(value: Any) -> bool:
    # nothing, a path in the container, another variable, what Helm puts in, or a switch
    pattern = r"|None|/.*|\$\(.+\)|os\.environ/\w+|\{\{.*\}\}|true|false|[0-9]{1,6}"
    return re.fullmatch(pattern, str(value), re.IGNORECASE) is not None


@rule
def git_ignores_inputs_and_keys(repository: Repository) -> Iterator[Problem]:
    sources = [
        name
        for secret in mapping(repository.matrix["secrets"]).values()
        for source in mapping(secret.get("keys")).values()
        for name in [mapping(source).get("file")]
        if name
    ]
    wanted = [ENV_FILE, *map(str, sources)]
    for environment in repository.environments:
        wanted += [f"{name}__{environment.upper()}" for name in map(str, sources)]
        # the second is where a run that dies leaves one
        wanted += [f"{folder}keys/{environment}.agekey" for folder in ("", ".sealing/")]
    for file in sorted(set(wanted) - ignored(repository.root, wanted)):
        yield Problem(
            ".gitignore",
            None,
            f"git does not ignore {file}, which holds secrets",
            f"add the line /{file}",
        )
    for file in repository.files:
        if _KEY_FILE.fullmatch(file) and not _NO_KEY.fullmatch(file):
            yield Problem(file, None, "a private key is not ignored by git", _forget(repository, file))
    for file in sorted(set(wanted) & repository.tracked):
        yield Problem(file, None, "git holds a file that holds secrets", _forget(repository, file))


def _forget(repository: Repository, file: str) -> str:
    if file in repository.tracked:
        return f"git rm --cached {file}, and take what it holds for known: make new keys, revoke credentials"
    return f"move it out of the repository, or ignore it: add /{file} to .gitignore"


def _inputs(source: dict[str, Any]) -> list[str]:
    return [
        *map(str, sequence(source.get("inputs"))[:1]),
        *([f"the file {source['file']}"] if "file" in source else []),
    ]


def _config(repository: Repository) -> dict[str, Any]:
    try:
        return creation_rules.load(repository.root)
    except SealingError:
        return {}


def _files(repository: Repository, environment: str) -> list[str]:
    return [secret.file for secret in repository.sealed[environment]]


def _is_unsound(repository: Repository, config: dict[str, Any], environment: str) -> bool:
    try:
        return bool(creation_rules.problems(config, environment, _files(repository, environment)))
    except SealingError:
        return True


def _find(config: dict[str, Any], path: str) -> dict[str, Any] | None:
    try:
        return creation_rules.find(config, path)
    except SealingError:
        return None
