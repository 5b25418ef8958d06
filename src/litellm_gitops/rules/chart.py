"""What keeps a GitOps engine, the chart and this repository from working against each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.repository import CHART, VALUES, Repository, Values, dig, mapping, sequence, text, walk
from rules.schemas import describe, place, validator

# A value that is missing makes the chart render a Secret of the same name, which the engine and the sealed one then
# fight over; the master key would change at every rendering.
_NO_SECRET_OF_ITS_OWN: dict[tuple[str, ...], Any] = {
    ("masterkeySecretName",): "litellm-masterkey",
    ("masterkeySecretKey",): "masterkey",
    ("db", "useExisting"): True,
    ("db", "deployStandalone"): False,
    ("db", "secret", "name"): "litellm-postgresql",
    ("db", "secret", "endpointKey"): "host",
    ("db", "secret", "usernameKey"): "username",
    ("db", "secret", "passwordKey"): "password",
}
_BUNDLED_REDIS: dict[tuple[str, ...], Any] = {
    ("redis", "enabled"): True,
    ("redis", "auth", "existingSecret"): "litellm-redis",
    ("redis", "auth", "existingSecretPasswordKey"): "redis-password",
}
_MASTER_KEY = ("proxy_config", "general_settings", "master_key")
# Argo CD runs Helm hooks too; the chart's own Argo CD hook waits for a service account that only comes after it.
_MIGRATIONS: dict[tuple[str, ...], Any] = {
    ("migrationJob", "enabled"): True,
    ("migrationJob", "hooks", "helm", "enabled"): True,
    ("migrationJob", "hooks", "argocd", "enabled"): False,
}

# from this version on, before this one, what is wrong with them
_VULNERABLE = (
    ((0, 0, 0), (1, 84, 0), "lets its authentication be bypassed (GHSA-4xpc-pv4p-pm3w)"),
    ((1, 91, 0), (1, 103, 1), "lets a user make himself an administrator (GHSA-7hp6-4w63-5g45)"),
)
_VERSION = re.compile(r"(?<![\d.])v?(\d+)\.(\d+)\.(\d+)")
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:@sha256:[0-9a-f]{64})?")
_EXACT = re.compile(r"v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")

# https://github.com/BerriAI/litellm/blob/main/helm/litellm-helm/templates/deployment.yaml
_SET_BY_THE_CHART = {
    "PROXY_MASTER_KEY",
    "DATABASE_URL",
    "DATABASE_HOST",
    "DATABASE_NAME",
    "DATABASE_USERNAME",
    "DATABASE_PASSWORD",
    "DISABLE_SCHEMA_UPDATE",
    "HOST",
    "PORT",
}

_SCHEMA = "litellm/values.schema.json"
_CHART_FILE = "litellm/Chart.yaml"
_LOCK_FILE = "litellm/Chart.lock"


def guarded(repository: Repository) -> set[str]:
    """The Secrets that the chart's own settings must name."""
    return {str(value) for value in _settings(repository).values() if str(value).startswith("litellm-")}


def _settings(repository: Repository) -> dict[tuple[str, ...], Any]:
    bundled = repository.answers.get("redis") == "bundled"
    return {**_NO_SECRET_OF_ITS_OWN, **(_BUNDLED_REDIS if bundled else {})}


@rule
def the_chart_makes_no_secret_of_its_own(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        for path, expected in _settings(repository).items():
            yield from _exactly(values, path, expected, "the chart would make a Secret of its own, or read another")


@rule
def the_migrations_run_before_the_pods(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        for path, expected in _MIGRATIONS.items():
            yield from _exactly(values, path, expected, "the migrations Job is a Helm hook under both engines")


@rule
def every_request_needs_a_key(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        why = "without it the proxy serves anybody, or does not start"
        yield from _exactly(values, _MASTER_KEY, "os.environ/PROXY_MASTER_KEY", why)
        if "PROXY_MASTER_KEY" in values.variables:
            what = "PROXY_MASTER_KEY is set, which the chart sets from masterkeySecretName"
            yield values.problem(values.variables["PROXY_MASTER_KEY"][0], what, "take it away")


@rule
def the_image_is_pinned(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        name, tag = values.get("image", "repository"), values.get("image", "tag")
        if not text(name):
            what = "image.repository is missing, and the chart's own may not exist"
            yield values.problem(("image", "repository"), what, "name the image's repository", VALUES)
        # a name without a number moves, such as latest or main-stable
        if not _TAG.fullmatch(text(tag)) or not re.search(r"\d", text(tag)):
            what = f"image.tag is {tag!r}, which is no version"
            yield values.problem(("image", "tag"), what, "give a version and its digest, vX.Y.Z@sha256:…", VALUES)
        elif version := _VERSION.search(text(tag)):
            number = tuple(map(int, version.groups()))
            for first, last, flaw in _VULNERABLE:
                if first <= number < last:
                    what = f"LiteLLM {version[0]} {flaw}"
                    yield values.problem(("image", "tag"), what, "use 1.104.0 or newer", VALUES)


@rule
def the_chart_version_is_exact(repository: Repository) -> Iterator[Problem]:
    document = repository.document(_CHART_FILE)
    if document is None:
        if _CHART_FILE not in repository.broken:
            yield Problem(_CHART_FILE, None, "is missing", "take it from git history")
        return
    dependencies = sequence(document.value.get("dependencies"))
    if not any(dig(entry, "name") == CHART and not dig(entry, "alias") for entry in dependencies):
        what = f"the dependency {CHART} is missing or has an alias, so that all values would be ignored"
        yield Problem(_CHART_FILE, document.line("dependencies"), what, "restore it")
    for number, entry in enumerate(dependencies):
        version = dig(entry, "version")
        if not re.match(r"(?:oci|https|file)://", str(dig(entry, "repository"))):
            what = f"the repository of {dig(entry, 'name')} is no address"
            line = document.line("dependencies", number, "repository")
            yield Problem(_CHART_FILE, line, what, "give oci://… or https://…")
        if not _EXACT.fullmatch(str(version)):
            what = f"the version of {dig(entry, 'name')} is {version!r}, so that each rendering may differ"
            yield Problem(
                _CHART_FILE,
                document.line("dependencies", number, "version"),
                what,
                "give one exact version",
            )
    lock = repository.documents(_LOCK_FILE) if repository.has(_LOCK_FILE) else ()
    if lock and _pins(dig(lock[0].value, "dependencies")) != _pins(dependencies):
        what = f"it differs from {_CHART_FILE}: Argo CD refuses that, Flux deploys the lock's version"
        yield Problem(_LOCK_FILE, None, what, "delete it, or run `helm dependency update litellm`")


def _pins(dependencies: Any) -> list[tuple[str, ...]]:
    fields = ("name", "version", "repository")
    return sorted(tuple(str(dig(entry, field)) for field in fields) for entry in sequence(dependencies))


@rule
def helm_takes_the_chart(repository: Repository) -> Iterator[Problem]:
    document = repository.document(_CHART_FILE)
    if document is None:
        return  # told above
    wanted = {
        "apiVersion": ("v2", "Helm reads dependencies of v2 alone"),
        "name": ("litellm", "the README and the release go by it"),
        "type": ("application", "Helm installs nothing else"),
    }
    for field, (expected, why) in wanted.items():
        found = document.value.get(field, "application" if field == "type" else None)
        if found != expected:
            what = f"{field} is {found!r}: {why}"
            yield Problem(_CHART_FILE, document.line(field), what, f"write {field}: {expected}")
    if not _EXACT.fullmatch(str(document.value.get("version"))):
        what = f"version is {document.value.get('version')!r}, which Helm refuses"
        yield Problem(_CHART_FILE, document.line("version"), what, "give one such as 1.0.0")
    names = [dig(entry, "name") for entry in sequence(document.value.get("dependencies"))]
    for number, name in enumerate(names):
        if name in names[:number]:
            line = document.line("dependencies", number)
            yield Problem(_CHART_FILE, line, f"the dependency {name} is there twice", "keep one")


@rule
def the_release_keeps_its_name(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        for field in ("fullnameOverride", "nameOverride"):
            if values.get(field) not in (None, "", "litellm"):
                what = f"{field} is {values.get(field)!r}: everything would be made anew under another name"
                yield values.problem((field,), what, f"write {field}: litellm", VALUES)


@rule
def a_node_can_be_drained(repository: Repository) -> Iterator[Problem]:
    """A budget that needs every pod lets none be moved, and the update of the nodes waits for ever."""
    for values in repository.values:
        needed, replicas = values.get("pdb", "minAvailable"), values.get("replicaCount")
        if values.get("autoscaling", "enabled"):
            replicas = values.get("autoscaling", "minReplicas") or 1  # the chart's default
        if values.get("keda", "enabled"):
            replicas = values.get("keda", "minReplicas") or 1
        if values.get("pdb", "enabled") is not True or not isinstance(replicas, int):
            continue
        if replicas < 1:
            continue  # told by the schema
        if needed == "100%" or (isinstance(needed, int) and needed >= replicas):
            what = f"pdb.minAvailable is {needed}, but there may be only {replicas} replica(s)"
            todo = "keep it below the replicas, or set pdb.enabled: false for a single one"
            yield values.problem(("pdb", "minAvailable"), what, todo, VALUES)


@rule
def no_log_shows_a_secret(repository: Repository) -> Iterator[Problem]:
    """https://github.com/BerriAI/litellm/issues/12448"""
    for values in repository.values:
        variable, found = values.variables.get("LITELLM_LOG", (("logLevel",), None))
        for path, loud in (
            (("logLevel",), values.get("logLevel") == "DEBUG"),
            (variable, text(found).upper() == "DEBUG"),
            (
                ("proxy_config", "litellm_settings", "set_verbose"),
                values.get("proxy_config", "litellm_settings", "set_verbose") is True,
            ),
        ):
            if loud:
                what = f"{path[-1]} makes the proxy log keys and whole requests"
                yield values.problem(path, what, "set it for a trial outside of git", VALUES)


@rule
def the_configuration_reaches_the_proxy(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        if values.get("proxyConfigMap", "create") is False:
            what = "proxyConfigMap.create is false: proxy_config is not used, and a change restarts no pod"
            yield values.problem(("proxyConfigMap", "create"), what, "take it away")
        stored = values.get("proxy_config", "general_settings", "store_model_in_db")
        listed = values.get("proxy_config", "model_list")
        if listed == [] and not stored and "STORE_MODEL_IN_DB" not in values.variables:
            what = f"the proxy of {values.environment} serves no model"
            todo = "list models; a list in the environment's own file replaces the shared one"
            yield values.problem(("proxy_config", "model_list"), what, todo, VALUES)


@rule
def no_variable_is_set_twice(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        for name in sorted(_SET_BY_THE_CHART - {"PROXY_MASTER_KEY"}):  # which has a rule above
            if name in values.variables:
                what = f"the chart sets {name}, and Kubernetes refuses a variable that is set twice"
                yield values.problem(values.variables[name][0], what, "take it away")
        seen = {str(name): "envVars" for name in mapping(values.get("envVars"))}
        for number, entry in enumerate(sequence(values.get("extraEnvVars"))):
            name = text(dig(entry, "name"))
            if name in seen:
                what = f"{name} is in {seen[name]} already, and Kubernetes refuses a variable that is set twice"
                yield values.problem(("extraEnvVars", number, "name"), what, "keep one of them")
            seen[name] = "extraEnvVars"
        by_key: dict[str, str] = {}
        sealed = {secret.name: secret for secret in repository.sealed[values.environment]}
        for listed in values.environment_secrets:
            for key in sorted(sealed[listed].keys) if listed in sealed else ():
                if key in seen:
                    what = f"{key} of the Secret {listed} is hidden by {seen[key]}"
                    yield values.problem((seen[key], key), what, "take it away there")
                elif key in by_key:
                    what = f"{key} is in {by_key[key]} and in {listed}, and the last one wins"
                    yield values.problem(("environmentSecrets",), what, "keep it in one of them")
                by_key.setdefault(key, listed)


@rule
def every_variable_that_the_proxy_reads_is_set(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        if values.get("environmentConfigMaps"):
            continue  # what they hold is not here
        known = {*_SET_BY_THE_CHART, *values.variables}
        if values.get("redis", "enabled") or repository.answers.get("redis") == "bundled":
            known |= {"REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"}
        for method in repository.methods(values.environment).values():
            known |= set(mapping(method.get("variables")))  # these have a rule of their own
        needed = repository.needed(values.environment)
        sealed = {secret.name: secret for secret in repository.sealed[values.environment]}
        for listed in values.environment_secrets:
            known |= set(mapping(mapping(needed.get(listed)).get("keys")))
            known |= sealed[listed].keys if listed in sealed else set()
        for path, value in walk(values.get("proxy_config"), ("proxy_config",)):
            name = value.removeprefix("os.environ/")
            if name != value and name not in known:
                what = f"the proxy reads the variable {name}, which nothing sets in {values.environment}"
                todo = "set it: a Secret under environmentSecrets, or a value under envVars"
                yield values.problem(path, what, todo)


@rule
def every_mount_has_its_volume(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        names = [text(dig(volume, "name")) for volume in sequence(values.get("volumes"))]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield values.problem(("volumes", number), f"the volume {name!r} is there twice", "rename one")
        paths: list[Any] = []
        for number, mount in enumerate(sequence(values.get("volumeMounts"))):
            if text(dig(mount, "name")) not in names:
                what = f"it mounts the volume {dig(mount, 'name')!r}, which does not exist"
                yield values.problem(("volumeMounts", number), what, "add the volume, or take the mount away")
            path = dig(mount, "mountPath")
            if path in paths:
                yield values.problem(("volumeMounts", number), f"{path} is mounted twice", "take one away")
            paths.append(path)


@rule
def the_values_fit_their_schema(repository: Repository) -> Iterator[Problem]:
    """A misspelt key, or one beside the chart's name, is ignored by the chart without a word."""
    source = repository.text(_SCHEMA)
    try:
        check = validator(source or "")
    except ValueError:
        what = "it is not JSON" if source else "is missing"
        yield Problem(_SCHEMA, None, what, "take it from git history")
        return
    for probe in ({"no value": 1}, {CHART: {"no value": 1}}):
        if not any(error.validator == "additionalProperties" for error in check.iter_errors(probe)):
            what = "it lets a misspelt key pass"
            yield Problem(_SCHEMA, None, what, 'keep "additionalProperties": false')
            break
    guards = (*_settings(repository), *_MIGRATIONS, _MASTER_KEY, ("redis", "auth"))
    for values in repository.values:
        for error in check.iter_errors(values.merged):
            path = place(error)
            if any(guarded[: len(path) - 1] == path[1:] for guarded in guards) and path[1:]:
                continue  # the rules above say what it must be, or that there is no Redis to be
            layer = max(values.layers, key=lambda layer: layer.depth(*path))
            yield Problem(
                layer.file,
                layer.line(*path),
                describe(error),
                f"correct it; the schema is {_SCHEMA}",
            )


def _exactly(values: Values, path: tuple[str, ...], expected: Any, why: str) -> Iterator[Problem]:
    found = values.get(*path)
    if found != expected or type(found) is not type(expected):
        shown = str(expected).lower() if isinstance(expected, bool) else expected
        yield values.problem(path, f"{'.'.join(path)} must be {shown}: {why}", f"set {path[-1]}: {shown}", VALUES)
