"""What was rendered still agrees with .copier-answers.yml, so that the next `copier update` surprises nobody.

An answer owns its places: change it with `copier update --data`. What no answer owns is the owner's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litellm_gitops.charts import Parameters
from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.files import git, has_git, is_inside
from litellm_gitops.findings import Finding, edit, restore, update
from litellm_gitops.repository import ANSWERS, VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values

_ISSUER = "cert-manager.io/cluster-issuer"
# provider -> parameter of its models -> the answer that it holds
_MODEL_ANSWERS = {
    "bedrock": {"aws_region_name": "bedrock_region"},
    "vertex_ai": {"vertex_location": "vertex_location"},
    "azure_openai": {"api_base": "azure_openai_endpoint", "api_version": "azure_openai_api_version"},
}


@rule
def every_cluster_has_its_values(repository: Repository) -> Iterator[Finding]:
    """The shared file of values and that of each cluster are there, and hold something for the chart."""
    leave = update("cluster_environments", "[…]", first="take it from git history")
    for file in (VALUES, *(cluster.values_file for cluster in repository.clusters)):
        document = repository.document(file)
        fix = restore() if file == VALUES else leave
        if not repository.has(file):
            yield Finding(file, None, "is missing", fix)
        elif file not in repository.broken and not isinstance(
            dig(document and document.value, repository.chart.name), dict
        ):
            line = document.line(repository.chart.name) if document else None
            yield Finding(file, line, f"it holds no values for {repository.chart.name}", fix)


@rule_of_values
def every_domain_is_the_answered_one(values: Values) -> Iterator[Finding]:
    """The Ingress serves litellm.<domain>, with a certificate where it has any."""
    chart, pod = values.chart, values.pod
    host = f"litellm.{values.cluster.answer('domain')}"
    hosts = [text(dig(entry, "host")) for entry in sequence(pod.get(chart.ingress_hosts))]
    secured = [name for entry in sequence(pod.get(chart.ingress_tls)) for name in sequence(dig(entry, "hosts"))]
    for place, named, kind, looked_at in (
        (chart.ingress_hosts, hosts, "host", pod.get(chart.ingress, "enabled") is not False),
        (chart.ingress_tls, secured, "certificate", pod.get(chart.ingress_tls)),
    ):
        if looked_at and host not in named:
            question = values.cluster.answer_name("domain")
            what = f"no {kind} is {host}, as the answer {question} says"
            yield values.finding(place, what, update(question, first="restore it"))


@rule
def the_ingress_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """The class and the issuer of the certificate are those that were answered."""
    issuer = repository.answers.get("tls_cluster_issuer")
    for values in repository.values:
        chart = values.chart
        if values.get(*chart.ingress, "enabled") is False:
            continue
        yield from _agrees(values, chart.ingress_class, "ingress_class")
        tls = sequence(values.get(*chart.ingress_tls))
        if issuer:
            yield from _agrees(values, (*chart.ingress_annotations, _ISSUER), "tls_cluster_issuer")
        if issuer and not tls:
            what = f"it has no tls section, but tls_cluster_issuer is {issuer!r}"
            yield values.finding(chart.ingress_tls, what, update("tls_cluster_issuer", "", first="restore it"))
        for number, entry in enumerate(tls):
            if not text(dig(entry, "secretName")):
                fix = edit("name the Secret into which cert-manager puts it, such as litellm-tls")
                what = "it names no secretName, so that there is no certificate"
                yield values.finding((*chart.ingress_tls, number), what, fix)


@rule_of_values
def the_database_is_the_answered_one(values: Values) -> Iterator[Finding]:
    """The name of the database is the answered one."""
    yield from _agrees(values, values.chart.database_name, "database_name", VALUES)


@rule
def the_replicas_are_the_answered_ones(repository: Repository) -> Iterator[Finding]:
    """In what all clusters share; a cluster may have a number of its own, or scale by itself."""
    document, chart = repository.document(VALUES), repository.chart
    shared = mapping(dig(document and document.value, chart.name))
    if document is None or not shared or any(dig(shared, *place, "enabled") for place in chart.autoscaling):
        return
    expected, found = repository.answers.get("replicas"), dig(shared, *chart.replicas)
    if found != expected:
        what = f"{'.'.join(map(str, chart.replicas))} is {found!r}, but the answer replicas is {expected!r}"
        fix = update("replicas", str(found), first="put the number for one cluster into its litellm/values-….yaml")
        yield Finding(VALUES, document.line(chart.name, *chart.replicas), what, fix)


@rule
def redis_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """No Redis, the answered host, or the chart's own with the answered class of storage."""
    redis = repository.answers.get("redis")
    for values in repository.values:
        chart, host = values.chart, values.pod.variables.get("REDIS_HOST")
        if values.pod.has_redis and redis != "bundled":
            what = f"{'.'.join(map(str, chart.redis))}.enabled is true, but the answer redis is {redis!r}"
            fix = update("redis", "bundled", first="set false")
            yield values.finding((*chart.redis, "enabled"), what, fix, VALUES)
        if redis == "external" and (found := host and host.value) != repository.answers.get("redis_host"):
            place = (*host.place, "value") if host else chart.variable_list
            yield _disagrees(values, place, "REDIS_HOST", found, "redis_host", VALUES)
        elif redis == "none" and host:
            what = "REDIS_HOST is set, but the answer redis is 'none'"
            yield values.finding(host.place, what, update("redis", "external"))
        elif redis == "bundled":
            yield from _agrees(values, chart.redis_storage_class, values.cluster.answer_name("storage_class"))


@rule
def the_models_are_where_the_answers_say(repository: Repository) -> Iterator[Finding]:
    """At least one model of each provider in one cluster: others may live in other regions."""
    for provider in repository.providers:
        prefix = repository.matrix.providers[provider].model_prefix
        models = [(values, each) for values in repository.values for each in values.pod.models]
        ours = [(values, each) for values, each in models if each.model.startswith(prefix)]
        for parameter, question in _MODEL_ANSWERS.get(provider, {}).items():
            expected = repository.answers.get(question)
            if ours and not any(_follows(values, each, parameter, expected) for values, each in ours):
                values, each = ours[0]
                what = f"no model of {provider} has {parameter} {expected}, as the answer {question} says"
                fix = update(question, first="restore it")
                yield values.finding((*each.place, parameter), what, fix, VALUES)


def _follows(values: Values, model: Parameters, parameter: str, expected: Any) -> bool:
    """Whether a model has an answered value: itself, by the settings of all models, or by a variable."""
    found = model.given.get(parameter, values.pod.config("litellm_settings", parameter))
    name = text(found).removeprefix("os.environ/")
    if name == found:
        return bool(found == expected)
    # what a Secret holds cannot be seen
    return name not in values.pod.variables or values.pod.variables[name].value in (None, expected)


@rule
def the_continuous_integration_is_there(repository: Repository) -> Iterator[Finding]:
    """The answered platform has a file that it reads."""
    platform = repository.answers.get("ci_platform")
    fix = update("ci_platform", "none", first="take it from git history")
    workflows = [file for file in repository.under(".github/workflows") if file.endswith((".yml", ".yaml"))]
    if platform == "github" and not workflows:
        yield Finding(".github/workflows/", None, "is missing", fix)
    if platform == "gitlab" and not repository.has(".gitlab-ci.yml"):
        yield Finding(".gitlab-ci.yml", None, "is missing", fix)


@rule
def the_project_stands_where_the_answers_say(repository: Repository) -> Iterator[Finding]:
    """The engine reads from git's root, and CI and commit hooks are read there."""
    if not (has_git(repository.root, above=False) or is_inside(repository.root)):
        return
    stands = (git(repository.root, "rev-parse", "--show-prefix", above=True) or b"").decode().strip().rstrip("/")
    answered = text(repository.answers.get("repo_path"))
    if stands != answered:
        document = repository.document(ANSWERS)
        at, said = (f"the folder {each}" if each else "the root" for each in (stands, answered))
        what = f"the project stands in {at} of its git repository, and the answer repo_path says {said}"
        yield Finding(ANSWERS, document.line("repo_path") if document else None, what, update("repo_path", stands))


def _agrees(values: Values, place: Place, question: str, file: str = "") -> Iterator[Finding]:
    found = values.get(*place)
    if found != values.repository.answers.get(question):
        yield _disagrees(values, place, ".".join(map(str, place)), found, question, file)


def _disagrees(values: Values, place: Place, name: str, found: Any, question: str, file: str) -> Finding:
    what = f"{name} is {found!r}, but the answer {question} says {values.repository.answers.get(question)}"
    return values.finding(place, what, update(question, first="restore it"), file)
