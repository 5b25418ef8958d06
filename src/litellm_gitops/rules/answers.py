"""What was rendered still agrees with .copier-answers.yml, so that the next `copier update` surprises nobody.

An answer owns its places: change it with `copier update --data`. What no answer owns is yours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.repository import (
    CHART,
    UPDATE,
    VALUES,
    Place,
    Repository,
    Values,
    dig,
    mapping,
    sequence,
    text,
)

_ISSUER = "cert-manager.io/cluster-issuer"
# provider -> parameter of its models -> the answer that it holds
_MODEL_ANSWERS = {
    "bedrock": {"aws_region_name": "bedrock_region"},
    "vertex_ai": {"vertex_location": "vertex_location"},
    "azure_openai": {
        "api_base": "azure_openai_endpoint",
        "api_version": "azure_openai_api_version",
    },
}


@rule
def every_environment_has_its_values(repository: Repository) -> Iterator[Problem]:
    todo = f"take it from git history, or leave the environment: {UPDATE} 'cluster_environments=[…]'"
    files = {VALUES: "take it from git history"}
    for environment in repository.environments:
        files[f"litellm/values-{environment}.yaml"] = todo
    for file, todo in files.items():
        if not repository.has(file):
            yield Problem(file, None, "is missing", todo)
        elif repository.document(file) is None and file not in repository.broken:
            yield Problem(file, None, "it holds no values", todo)


@rule
def every_domain_is_the_answered_one(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        question = f"{values.environment}_domain"
        host = f"litellm.{repository.answers.get(question)}"
        hosts = [text(dig(entry, "host")) for entry in sequence(values.get("ingress", "hosts"))]
        if values.get("ingress", "enabled") is not False and host not in hosts:
            yield _disagrees(values, ("ingress", "hosts"), "no host", host, question)
        secured = [name for entry in sequence(values.get("ingress", "tls")) for name in sequence(dig(entry, "hosts"))]
        if values.get("ingress", "tls") and host not in secured:
            yield _disagrees(values, ("ingress", "tls"), "no certificate", host, question)


@rule
def the_ingress_is_the_answered_one(repository: Repository) -> Iterator[Problem]:
    issuer = repository.answers.get("tls_cluster_issuer")
    for values in repository.values:
        if values.get("ingress", "enabled") is False:
            continue
        yield from _agrees(repository, values, ("ingress", "className"), "ingress_class")
        found = values.get("ingress", "annotations", _ISSUER)
        if issuer and found != issuer:
            path: Place = ("ingress", "annotations", _ISSUER)
            yield _disagrees(values, path, f"{_ISSUER} is {found!r}", issuer, "tls_cluster_issuer")
        if issuer and not values.get("ingress", "tls"):
            what = f"it has no tls section, but tls_cluster_issuer is {issuer!r}"
            yield values.problem(("ingress", "tls"), what, f"restore it, or {UPDATE} tls_cluster_issuer=")
        for number, entry in enumerate(sequence(values.get("ingress", "tls"))):
            if not text(dig(entry, "secretName")):
                what = "it names no secretName, so that there is no certificate"
                todo = "name the Secret into which cert-manager puts it, such as litellm-tls"
                yield values.problem(("ingress", "tls", number), what, todo)


@rule
def the_database_is_the_answered_one(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        yield from _agrees(repository, values, ("db", "database"), "database_name", VALUES)


@rule
def the_replicas_are_the_answered_ones(repository: Repository) -> Iterator[Problem]:
    """In what all environments share; an environment may have a number of its own, or scale by itself."""
    document = repository.document(VALUES)
    if document is None or dig(document.value, CHART, "autoscaling", "enabled"):
        return
    expected, found = repository.answers.get("replicas"), dig(document.value, CHART, "replicaCount")
    if found != expected:
        what = f"replicaCount is {found!r}, but the answer replicas is {expected!r}"
        todo = f"{UPDATE} replicas={found}; a number for one environment goes into litellm/values-<environment>.yaml"
        yield Problem(VALUES, document.line(CHART, "replicaCount"), what, todo)


@rule
def redis_is_the_answered_one(repository: Repository) -> Iterator[Problem]:
    redis = repository.answers.get("redis")
    for values in repository.values:
        enabled = values.get("redis", "enabled") is True
        if enabled and redis != "bundled":
            what = f"redis.enabled is true, but the answer redis is {redis!r}"
            yield values.problem(("redis", "enabled"), what, f"set false, or {UPDATE} redis=bundled", VALUES)
        given = {text(dig(entry, "name")): number for number, entry in enumerate(sequence(values.get("extraEnvVars")))}
        if redis == "external":
            yield from _external(repository, values, given)
        elif redis == "none" and "REDIS_HOST" in {*given, *mapping(values.get("envVars"))}:
            path: Place = ("extraEnvVars", given["REDIS_HOST"]) if "REDIS_HOST" in given else ("envVars", "REDIS_HOST")
            yield values.problem(
                path,
                "REDIS_HOST is set, but the answer redis is 'none'",
                f"{UPDATE} redis=external",
            )
        elif redis == "bundled":
            path = ("redis", "master", "persistence", "storageClass")
            yield from _agrees(repository, values, path, f"{values.environment}_storage_class")


def _external(repository: Repository, values: Values, given: dict[str, int]) -> Iterator[Problem]:
    host = repository.answers.get("redis_host")
    number = given.get("REDIS_HOST", -1)
    entries = sequence(values.get("extraEnvVars"))
    found = dig(entries[number], "value") if number >= 0 else mapping(values.get("envVars")).get("REDIS_HOST")
    if found != host:
        path: Place = ("extraEnvVars", number, "value") if number >= 0 else ("extraEnvVars",)
        yield _disagrees(values, path, f"REDIS_HOST is {found!r}", str(host), "redis_host", VALUES)


@rule
def the_models_are_where_the_answers_say(repository: Repository) -> Iterator[Problem]:
    """At least one model of each provider: others may live in other regions."""
    for values in repository.values:
        models = [mapping(dig(entry, "litellm_params")) for entry in sequence(values.get("proxy_config", "model_list"))]
        for provider in repository.providers:
            prefix = str(dig(repository.matrix, "providers", provider, "model_prefix"))
            ours = [
                (number, model) for number, model in enumerate(models) if text(model.get("model")).startswith(prefix)
            ]
            for parameter, question in _MODEL_ANSWERS.get(provider, {}).items():
                expected = repository.answers.get(question)
                if ours and expected not in [model.get(parameter) for _, model in ours]:
                    path = ("proxy_config", "model_list", ours[0][0], "litellm_params", parameter)
                    yield _disagrees(
                        values,
                        path,
                        f"no model of {provider} has {parameter}",
                        expected,
                        question,
                        VALUES,
                    )


@rule
def the_continuous_integration_is_there(repository: Repository) -> Iterator[Problem]:
    platform = repository.answers.get("ci_platform")
    workflows = [file for file in repository.under(".github/workflows") if file.endswith((".yml", ".yaml"))]
    todo = f"take it from git history, or {UPDATE} ci_platform=none"
    if platform == "github" and not workflows:
        yield Problem(".github/workflows/", None, "is missing", todo)
    if platform == "gitlab" and not repository.has(".gitlab-ci.yml"):
        yield Problem(".gitlab-ci.yml", None, "is missing", todo)


def _agrees(
    repository: Repository, values: Values, path: tuple[str, ...], question: str, file: str = ""
) -> Iterator[Problem]:
    expected, found = repository.answers.get(question), values.get(*path)
    if found != expected:
        yield _disagrees(values, path, f"{'.'.join(path)} is {found!r}", expected, question, file)


def _disagrees(values: Values, path: Place, what: str, expected: Any, question: str, file: str = "") -> Problem:
    told = (
        f"{what}, but the answer {question} says {expected}"
        if " is " in what
        else f"{what} is {expected}, as the answer {question} says"
    )
    return values.problem(path, told, f"restore it, or change the answer: {UPDATE} {question}=…", file)
