"""The auth matrix: in each environment what the chosen methods need, no less and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rules import Problem, rule
from rules.repository import (
    UPDATE,
    Place,
    Repository,
    Values,
    dig,
    mapping,
    sequence,
    text,
    walk,
)

_MODELS = ("proxy_config", "model_list")
_ACCOUNT = "litellm"  # README.md, First steps
# parameters with which a model of another provider, or in another account, may do as it likes
_OTHERS = {"api_key", "aws_role_name", "aws_profile_name"}


@rule
def every_chosen_method_has_what_it_needs(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        for provider, name in repository.cells[values.environment].items():
            needs = f"{provider} by {name}"
            method = repository.method(name)
            yield from _service_account(repository, values, method, needs)
            yield from _secret(values, method, needs)
            yield from _settings(repository, values, method, needs)


def _service_account(repository: Repository, values: Values, method: dict[str, Any], needs: str) -> Iterator[Problem]:
    annotations = mapping(method.get("service_account_annotations"))
    if annotations and values.get("serviceAccount", "create") is not True:
        path: Place = ("serviceAccount", "create")
        yield values.problem(
            path,
            f"the service account is not created, but {needs} annotates it",
            "set create: true",
        )
    if annotations and values.get("serviceAccount", "name") != _ACCOUNT:
        path = ("serviceAccount", "name")
        what = f"{needs} trusts the service account {_ACCOUNT} alone"
        yield values.problem(path, what, f"write name: {_ACCOUNT}")
    for annotation, value in annotations.items():
        expected = repository.answer(value)
        path = ("serviceAccount", "annotations", annotation)
        if values.get("serviceAccount", "annotations", annotation) != expected:
            question = f"; if it has changed: {UPDATE} {value['answer']}=…" if isinstance(value, dict) else ""
            yield values.problem(
                path,
                f"{needs} needs the service account annotation {annotation}: {expected}",
                f"restore it{question}",
            )


def _secret(values: Values, method: dict[str, Any], needs: str) -> Iterator[Problem]:
    secret = method.get("secret")
    if method.get("environment_secret") and secret not in sequence(values.get("environmentSecrets")):
        yield values.problem(("environmentSecrets",), f"{needs} needs the variables of {secret}", f"list {secret}")
    mount = mapping(method.get("mount"))
    if not mount:
        return
    volumes = {
        text(dig(volume, "name"))
        for volume in sequence(values.get("volumes"))
        if dig(volume, "secret", "secretName") == secret and not dig(volume, "secret", "items")
    }
    wanted = {"mountPath": mount["path"], "readOnly": True, "subPath": mount.get("sub_path")}
    shown = ", ".join(f"{key}: {value}" for key, value in wanted.items() if value is not None).replace("True", "true")
    if not volumes:
        yield values.problem(("volumes",), f"{needs} needs a volume of the Secret {secret}", "restore it")
    elif not any(
        text(dig(entry, "name")) in volumes and all(dig(entry, key) == value for key, value in wanted.items())
        for entry in sequence(values.get("volumeMounts"))
    ):
        yield values.problem(("volumeMounts",), f"{needs} needs {secret} mounted with {shown}", "restore the mount")


def _settings(repository: Repository, values: Values, method: dict[str, Any], needs: str) -> Iterator[Problem]:
    found = values.variables
    for variable, value in mapping(method.get("variables")).items():
        expected = repository.answer(value)
        if variable not in found or found[variable][1] != expected:
            path = found[variable][0] if variable in found else ("envVars", variable)
            question = f"; if it has changed: {UPDATE} {value['answer']}=…" if isinstance(value, dict) else ""
            yield values.problem(path, f"{needs} needs the variable {variable}: {expected}", f"restore it{question}")
    for setting, expected in mapping(method.get("litellm_settings")).items():
        path = ("proxy_config", "litellm_settings", setting)
        if values.get("proxy_config", "litellm_settings", setting) != expected:
            yield values.problem(path, f"{needs} needs litellm_settings.{setting}: {expected}", "restore it")


@rule
def no_unchosen_method_leaves_a_trace(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        pattern = _traces(repository, values.environment)
        for path, value in walk(values.get()):
            if path[:1] == ("podAnnotations",) and value.startswith("checksum/"):
                continue  # made by sealing, with a rule of its own
            for match in pattern.finditer(value):
                yield values.problem(path, *_trace(repository, values.environment, match))
    for environment in repository.environments:
        # the engine may decrypt with the identity that a method gives to the proxy
        pattern = _traces(repository, environment, annotations=False)
        for file in repository.under(f"clusters/{environment}"):
            for document in repository.documents(file):
                for path, value in walk(document.value):
                    for match in pattern.finditer(value):
                        what, todo = _trace(repository, environment, match)
                        yield Problem(file, document.line(*path), what, todo)


def _traces(repository: Repository, environment: str, annotations: bool = True) -> re.Pattern[str]:
    """What the methods that an environment does not use would leave; each is a group of its own."""
    used = repository.methods(environment)
    ours = {
        token
        for method in used.values()
        # a forbidden variable is told by the rule below
        for token in (*_tokens(repository, method), *sequence(method.get("forbids")))
    }
    groups = []
    for number, (name, method) in enumerate(mapping(repository.matrix["methods"]).items()):
        tokens = {*_tokens(repository, method)} - ours
        if not annotations:
            tokens -= set(mapping(method.get("service_account_annotations")))
        if name not in used and tokens:
            longest_first = sorted(map(re.escape, tokens), key=len, reverse=True)
            groups.append(f"(?P<m{number}>{'|'.join(longest_first)})")
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(groups)})(?![\w-])" if groups else r"(?!)")


def _trace(repository: Repository, environment: str, match: re.Match[str]) -> tuple[str, str]:
    name = list(repository.matrix["methods"])[int(str(match.lastgroup)[1:])]
    what = f"{match[0]} belongs to the method {name}, which {environment} does not use"
    question = f"{repository.method(name).get('provider')}_auth_{environment}"
    return what, f"take it away, or choose that method, if it can be: {UPDATE} {question}={name}"


def _tokens(repository: Repository, method: dict[str, Any]) -> Iterator[str]:
    """What only this method brings into the values."""
    yield from mapping(method.get("service_account_annotations"))
    yield from mapping(method.get("variables"))
    if method.get("secret"):
        yield str(method["secret"])
    if method.get("environment_secret"):
        yield from map(str, mapping(dig(repository.matrix, "secrets", str(method["secret"]), "keys")))
    if method.get("mount"):
        yield str(method["mount"]["path"])


@rule
def no_unchosen_provider_serves_a_model(repository: Repository) -> Iterator[Problem]:
    for name, provider in mapping(repository.matrix["providers"]).items():
        if name in repository.providers:
            continue
        for values, number, model in _models(repository):
            if model.startswith(provider["model_prefix"]):
                chosen = ", ".join([*repository.providers, name])
                todo = f"take it away, or choose that provider: {UPDATE} 'providers=[{chosen}]'"
                what = f"{model} is a model of {provider['name']}, which was not chosen"
                yield values.problem((*_MODELS, number, "litellm_params", "model"), what, todo)


@rule
def nothing_beats_a_chosen_method(repository: Repository) -> Iterator[Problem]:
    for values in repository.values:
        secrets = {secret.name: secret for secret in repository.sealed[values.environment]}
        for provider, name in repository.cells[values.environment].items():
            forbidden = sequence(repository.method(name).get("forbids"))
            reason = f"LiteLLM prefers it to {name}, by which {provider} authenticates here"
            set_by_the_proxy = mapping(values.get("proxy_config", "environment_variables"))
            for variable in forbidden:
                if variable in values.variables:
                    path, _ = values.variables[variable]
                    yield values.problem(path, f"{variable} is set; {reason}", "take it away")
                if variable in set_by_the_proxy:
                    path = ("proxy_config", "environment_variables", variable)
                    yield values.problem(path, f"{variable} is set; {reason}", "take it away")
                for listed in values.environment_secrets:
                    secret = secrets.get(listed)
                    if secret and variable in secret.keys:
                        line = secret.document.line("stringData", variable)
                        todo = f"take {secret.name} off environmentSecrets, or seal it without that key"
                        yield Problem(
                            secret.file,
                            line,
                            f"{variable} becomes a variable of the proxy; {reason}",
                            todo,
                        )
            prefix = dig(repository.matrix, "providers", provider, "model_prefix")
            # parameters carry the variables' names in lower case; api_key is the one that every provider takes
            parameters = {"api_key", *(str(variable).lower() for variable in forbidden)}
            for path, given in _credentials(values):
                ours = text(given.get("model")).startswith(str(prefix))
                # what the proxy may not have at all is looked for in models of any name
                for parameter in sorted((parameters if ours else parameters - _OTHERS) & set(given)):
                    what = f"{parameter} is given; {reason}"
                    yield values.problem((*path, parameter), what, "take it away")


def _credentials(values: Values) -> Iterator[tuple[Place, dict[Any, Any]]]:
    """The parameters of each model, and those that models name as a credential."""
    for number, entry in enumerate(sequence(values.get(*_MODELS))):
        yield (*_MODELS, number, "litellm_params"), mapping(dig(entry, "litellm_params"))
    for number, entry in enumerate(sequence(values.get("proxy_config", "credential_list"))):
        path = ("proxy_config", "credential_list", number, "credential_values")
        yield path, mapping(dig(entry, "credential_values"))


@rule
def no_unchosen_environment_leaves_a_file(repository: Repository) -> Iterator[Problem]:
    unchosen = [name for name in mapping(repository.matrix["environments"]) if name not in repository.environments]
    for environment in unchosen:
        places = (
            f"litellm/values-{environment}.yaml",
            f"litellm/checksums-{environment}.yaml",
            f"secrets/{environment}/",
            f"clusters/{environment}/",
        )
        chosen = ", ".join([*repository.environments, environment])
        for file in repository.files:
            if file.startswith(places):
                what = f"the environment {environment} was not chosen"
                yield Problem(
                    file,
                    None,
                    what,
                    f"delete the file, or choose it: {UPDATE} 'cluster_environments=[{chosen}]'",
                )


def _models(repository: Repository) -> Iterator[tuple[Values, int, str]]:
    for values in repository.values:
        for number, entry in enumerate(sequence(values.get(*_MODELS))):
            yield values, number, text(dig(entry, "litellm_params", "model"))
