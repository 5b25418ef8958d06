"""What was not chosen has left nothing: no method, no provider, no environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from litellm_gitops.documents import Document, Place, dig, text, walk
from litellm_gitops.findings import Finding, Fix, edit, update
from litellm_gitops.foreign import in_place_of
from litellm_gitops.policies import Method
from litellm_gitops.repository import VALUES, Cluster, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.engine import is_setup, read_by_kustomize

# kinds of which an owner has some for other programs: what the proxy takes of them shows in its values
_OF_OTHERS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ConfigMap", "ServiceAccount"}
_OF_OTHERS |= {"ExternalSecret", "SealedSecret", "SecretProviderClass", "VaultStaticSecret", "VaultDynamicSecret"}


@rule
def no_unchosen_method_leaves_a_trace(repository: Repository) -> Iterator[Finding]:
    """No name that only another method brings stands in the values of a cluster, or in what its engine reads."""
    for values in repository.values:
        pattern = _traces(values.cluster)
        for place, value in walk(values.get()):
            if place[:-1] == values.chart.pod_annotations and value.startswith("checksum/"):
                continue  # made by sealing, with a rule of its own
            if place[:-1] == values.chart.env_from and in_place_of(values, value):
                continue  # what belongs there is missing, of which another rule tells
            for match in pattern.finditer(value):
                what, fix = _trace(values.cluster, match)
                found = values.finding(place, what, fix)
                # where it stands for every cluster, an answer of one is no way out
                yield replace(found, fix=edit("take it away")) if found.file == VALUES else found
    for cluster in repository.clusters:
        # the engine may decrypt with the identity that a method gives to the proxy
        patterns = {is_setup: _traces(cluster, marks=not is_setup) for is_setup in (False, True)}
        for document in engine_reads(cluster):
            for place, match in matches(document, patterns[is_setup(document)]):
                yield Finding(document.file, document.line(*place), *_trace(cluster, match))


def engine_reads(cluster: Cluster, *more: str) -> Iterator[Document]:
    """What the engine of a cluster reads of its folder, and of these files, but for other programs of the owner's."""
    patches = read_by_kustomize(cluster.repository)
    for file in (*cluster.repository.under(cluster.folder), *more):
        for document in cluster.repository.documents(file):
            is_other = text(dig(document.value, "kind")) in _OF_OTHERS and file not in patches
            if not is_other or text(dig(document.value, "metadata", "name")).startswith("litellm"):
                yield document


def matches(document: Document, pattern: re.Pattern[str]) -> Iterator[tuple[Place, re.Match[str]]]:
    """Where a pattern of a word matches in the texts of a document."""
    if pattern.search(document.joined):
        yield from ((place, match) for place, value in document.texts for match in pattern.finditer(value))


@lru_cache(maxsize=16)
def _traces(cluster: Cluster, marks: bool = True) -> re.Pattern[str]:
    """What the methods that a cluster does not use would leave; each is a group of its own."""
    used = cluster.logins
    # a forbidden variable is told by the rule below
    ours = {token for each in used.values() for token in (*_tokens(cluster.repository, each), *each.forbids)}
    groups = []
    for number, (name, method) in enumerate(cluster.repository.matrix.logins.items()):
        tokens = {*_tokens(cluster.repository, method)} - ours
        if not marks:
            tokens -= {*method.service_account_annotations, *method.pod_labels}
        if name not in used and tokens:
            longest_first = sorted(map(re.escape, tokens), key=len, reverse=True)
            groups.append(f"(?P<m{number}>{'|'.join(longest_first)})")
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(groups)})(?![\w-])" if groups else r"(?!)")


def _trace(cluster: Cluster, match: re.Match[str]) -> tuple[str, Fix]:
    matrix = cluster.repository.matrix
    name = list(matrix.logins)[int(str(match.lastgroup)[1:])]
    what = f"{match[0]} belongs to the method {name}, which {cluster.name} does not use"
    method = matrix.logins[name]
    if name not in matrix.allowed(cluster.environment, method.provider) or method.provider not in cluster.method_names:
        return what, edit("take it away")
    question, answers = f"{method.provider}_auth_{cluster.environment}", cluster.repository.answers
    if question in answers and (method.keyless or answers.get("credentials") != "keyless"):
        return what, update(question, name, first="take it away")
    return what, edit(f"take it away, or answer credentials=each and {question}={name}")


def _tokens(repository: Repository, method: Method) -> Iterator[str]:
    """What only this method brings into the values."""
    yield from method.service_account_annotations
    yield from method.pod_labels
    yield from (name for name in method.variables if name not in method.common)
    if method.secret:
        yield method.secret
        known = repository.matrix.secrets.get(method.secret)
        yield from known.keys if known and method.env_from else ()
    yield from (each.path for each in (method.mount, method.token) if each)


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
