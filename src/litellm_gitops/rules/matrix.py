"""The auth matrix: in each cluster what the chosen methods need, no less and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from litellm_gitops.documents import Place, mapping, walk
from litellm_gitops.findings import Finding, Fix, edit, update
from litellm_gitops.policies import Answer, Method, Value
from litellm_gitops.repository import Cluster, Repository, Values
from litellm_gitops.rules import rule, rule_of_values

_ACCOUNT = "litellm"  # README.md, First steps
# parameters with which a model of another provider, or in another account, may do as it likes
_OTHERS = {"api_key", "aws_role_name", "aws_profile_name"}


@rule_of_values
def every_chosen_method_has_what_it_needs(values: Values) -> Iterator[Finding]:
    """What a method leaves in the pod by policies/auth-matrix.yml is there, with the answered values."""
    for provider, name in values.cluster.method_names.items():
        method, needs = values.repository.matrix.methods[name], f"{provider} by {name}"
        yield from _service_account(values, method, needs)
        yield from _secret(values, method, needs)
        yield from _settings(values, method, needs)


def _service_account(values: Values, method: Method, needs: str) -> Iterator[Finding]:
    place, annotations = values.chart.service_account, method.service_account_annotations
    if annotations and values.get(*place, "create") is not True:
        what = f"the service account is not created, but {needs} annotates it"
        yield values.finding((*place, "create"), what, edit("set create: true"))
    if annotations and values.get(*place, "name") != _ACCOUNT:
        what = f"{needs} trusts the service account {_ACCOUNT} alone"
        yield values.finding((*place, "name"), what, edit(f"write name: {_ACCOUNT}"))
    for annotation, value in annotations.items():
        expected = values.repository.answer(value)
        if values.get(*place, "annotations", annotation) != expected:
            what = f"{needs} needs the service account annotation {annotation}: {expected}"
            yield values.finding((*place, "annotations", annotation), what, _restore(value))


def _secret(values: Values, method: Method, needs: str) -> Iterator[Finding]:
    chart, pod, secret = values.chart, values.pod, str(method.secret)
    if method.env_from and secret not in pod.env_from:
        yield values.finding(chart.env_from, f"{needs} needs the variables of {secret}", edit(f"list {secret}"))
    mount = method.mount
    if mount is None:
        return
    # with all keys of the Secret
    volumes = {volume.name for volume in pod.volumes if (secret, ()) in volume.secrets}
    wanted = (mount.path, mount.sub_path, True)
    if not volumes:
        yield values.finding(chart.volumes, f"{needs} needs a volume of the Secret {secret}", edit("restore it"))
    elif not any(
        each.volume in volumes and (each.path, each.sub_path, each.read_only) == wanted for each in pod.mounts
    ):
        part = f", subPath: {mount.sub_path}" if mount.sub_path else ""
        what = f"{needs} needs {secret} mounted with mountPath: {mount.path}, readOnly: true{part}"
        yield values.finding(chart.mounts, what, edit("restore the mount"))


def _settings(values: Values, method: Method, needs: str) -> Iterator[Finding]:
    found = values.pod.variables
    for variable, value in method.variables.items():
        expected = values.repository.answer(value)
        if variable not in found or found[variable].value != expected:
            place = found[variable].place if variable in found else (*values.chart.variables, variable)
            yield values.finding(place, f"{needs} needs the variable {variable}: {expected}", _restore(value))
    for setting, expected in method.litellm_settings.items():
        if values.pod.config("litellm_settings", setting) != expected:
            place = (*values.chart.config, "litellm_settings", setting)
            yield values.finding(place, f"{needs} needs litellm_settings.{setting}: {expected}", edit("restore it"))


def _restore(value: Value) -> Fix:
    return update(value.answer, first="restore it") if isinstance(value, Answer) else edit("restore it")


@rule
def no_unchosen_method_leaves_a_trace(repository: Repository) -> Iterator[Finding]:
    """No name that only another method brings stands in the values of a cluster, or in what its engine reads."""
    for values in repository.values:
        pattern = _traces(values.cluster)
        for place, value in walk(values.get()):
            if place[:-1] == values.chart.pod_annotations and value.startswith("checksum/"):
                continue  # made by sealing, with a rule of its own
            for match in pattern.finditer(value):
                yield values.finding(place, *_trace(values.cluster, match))
    for cluster in repository.clusters:
        # the engine may decrypt with the identity that a method gives to the proxy
        pattern = _traces(cluster, annotations=False)
        for file in repository.under(cluster.folder):
            for document in repository.documents(file):
                for place, value in walk(document.value):
                    for match in pattern.finditer(value):
                        yield Finding(file, document.line(*place), *_trace(cluster, match))


def _traces(cluster: Cluster, annotations: bool = True) -> re.Pattern[str]:
    """What the methods that a cluster does not use would leave; each is a group of its own."""
    used = cluster.methods
    # a forbidden variable is told by the rule below
    ours = {token for each in used.values() for token in (*_tokens(cluster.repository, each), *each.forbids)}
    groups = []
    for number, (name, method) in enumerate(cluster.repository.matrix.methods.items()):
        tokens = {*_tokens(cluster.repository, method)} - ours
        if not annotations:
            tokens -= set(method.service_account_annotations)
        if name not in used and tokens:
            longest_first = sorted(map(re.escape, tokens), key=len, reverse=True)
            groups.append(f"(?P<m{number}>{'|'.join(longest_first)})")
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(groups)})(?![\w-])" if groups else r"(?!)")


def _trace(cluster: Cluster, match: re.Match[str]) -> tuple[str, Fix]:
    matrix = cluster.repository.matrix
    name = list(matrix.methods)[int(str(match.lastgroup)[1:])]
    what = f"{match[0]} belongs to the method {name}, which {cluster.name} does not use"
    provider = matrix.methods[name].provider
    if provider in cluster.method_names and name in matrix.cells[cluster.environment][provider]:
        return what, update(f"{provider}_auth_{cluster.environment}", name, first="take it away")
    return what, edit("take it away")


def _tokens(repository: Repository, method: Method) -> Iterator[str]:
    """What only this method brings into the values."""
    yield from method.service_account_annotations
    yield from method.variables
    if method.secret:
        yield method.secret
        known = repository.matrix.secrets.get(method.secret)
        yield from known.keys if known and method.env_from else ()
    if method.mount:
        yield method.mount.path


@rule
def no_unchosen_provider_serves_a_model(repository: Repository) -> Iterator[Finding]:
    """The models that are listed are those of chosen providers, or of services that the matrix does not know."""
    for name, provider in repository.matrix.providers.items():
        if name in repository.providers:
            continue
        for values in repository.values:
            for each in values.pod.models:
                if each.model.startswith(provider.model_prefix):
                    what = f"{each.model} is a model of {provider.name}, which was not chosen"
                    chosen = f"[{', '.join([*repository.providers, name])}]"
                    fix = update("providers", chosen, first="take it away")
                    yield values.finding((*each.place, "model"), what, fix)


@rule_of_values
def nothing_beats_a_chosen_method(values: Values) -> Iterator[Finding]:
    """No variable and no parameter of a model is there that LiteLLM prefers to the chosen method."""
    for provider, name in values.cluster.method_names.items():
        forbidden = values.repository.matrix.methods[name].forbids
        reason = f"LiteLLM prefers it to {name}, by which {provider} authenticates here"
        for place, variable in _set(values, forbidden):
            yield values.finding(place, f"{variable} is set; {reason}", edit("take it away"))
        for secret in values.cluster.sealed:
            for variable in (each for each in forbidden if secret.name in values.pod.env_from and each in secret.keys):
                where = ".".join(map(str, values.chart.env_from))
                fix = edit(f"take {secret.name} off {where}, or seal it without that key")
                line = secret.document.line("stringData", variable)
                yield Finding(secret.file, line, f"{variable} becomes a variable of the proxy; {reason}", fix)
        prefix = values.repository.matrix.providers[provider].model_prefix
        # parameters carry the variables' names in lower case; api_key is the one that every provider takes
        parameters = {"api_key", *map(str.lower, forbidden)}
        for each in (*values.pod.models, *values.pod.credentials):
            # what the proxy may not have at all is looked for in models of any name
            looked_for = parameters if each.model.startswith(prefix) else parameters - _OTHERS
            for parameter in sorted(looked_for & set(each.given)):
                what = f"{parameter} is given; {reason}"
                yield values.finding((*each.place, parameter), what, edit("take it away"))


def _set(values: Values, variables: list[str]) -> Iterator[tuple[Place, str]]:
    """Which of these variables are set, for the container or by the proxy itself."""
    for variable in variables:
        if variable in values.pod.variables:
            yield values.pod.variables[variable].place, variable
        if variable in mapping(values.pod.config("environment_variables")):
            yield (*values.chart.config, "environment_variables", variable), variable


@rule
def no_unchosen_environment_leaves_a_file(repository: Repository) -> Iterator[Finding]:
    """There is no file for an environment in which no cluster runs."""
    chosen = list(dict.fromkeys(cluster.environment for cluster in repository.clusters))
    for environment in repository.matrix.environments:
        if environment in chosen or repository.cluster(environment):
            continue
        gone = Cluster(repository, environment, environment, {})
        places = (gone.values_file, gone.checksums_file, f"{gone.secrets_folder}/", f"{gone.folder}/")
        answer = f"[{', '.join([*chosen, environment])}]"
        for file in repository.files:
            if file.startswith(places):
                fix = update("cluster_environments", answer, first="delete the file")
                yield Finding(file, None, f"the environment {environment} was not chosen", fix)
