"""What was rendered still agrees with .copier-answers.yml, so that the next `copier update` surprises nobody.

An answer owns its places: change it with `copier update --data`. What no answer owns is the owner's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from litellm_gitops.documents import Place, dig, dotted, mapping, text
from litellm_gitops.files import git, has_git, is_inside
from litellm_gitops.findings import Finding, edit, instead_of, restore, update
from litellm_gitops.pod import Parameters
from litellm_gitops.repository import ANSWERS, VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.files import is_ignored
from litellm_gitops.spelling import closest

# provider -> parameter of its models -> the answer that it holds
_MODEL_ANSWERS = {
    "bedrock": {"aws_region_name": "bedrock_region"},
    "vertex_ai": {"vertex_location": "vertex_location"},
    "azure_openai": {"api_base": "azure_openai_endpoint", "api_version": "azure_openai_api_version"},
}


# where LiteLLM's configuration may name a Redis
_REDIS = (
    *(("router_settings", name) for name in ("redis_host", "redis_url")),
    ("litellm_settings", "cache_params"),
    ("general_settings", "coordination_redis"),
)


@rule
def every_cluster_has_its_values(repository: Repository) -> Iterator[Finding]:
    """The shared file of values and that of each cluster are there, and hold something for the chart."""
    leave = update("cluster_environments", "[…]", first="take it from git history")
    for file in (VALUES, *(cluster.values_file for cluster in repository.clusters)):
        document = repository.document(file)
        fix = restore() if file == VALUES else leave
        if not repository.has(file):
            if not is_ignored(repository, file):  # which has a rule of its own
                yield Finding(file, None, "is missing", fix)
        elif file not in repository.broken and not isinstance(
            dig(document and document.value, repository.chart.name), dict
        ):
            line = document.line(repository.chart.name) if document else None
            yield Finding(file, line, f"it holds no values for {repository.chart.name}", fix)


@rule_of_values
def the_database_is_the_answered_one(values: Values) -> Iterator[Finding]:
    """The name of the database is the answered one, and its host where the chart takes it as plain text."""
    yield from _agrees(values, values.chart.database_name, "database_name", VALUES)
    if values.chart.database_host:
        yield from _agrees(values, values.chart.database_host, values.cluster.answer_name("database_host"))


@rule
def the_replicas_are_the_answered_ones(repository: Repository) -> Iterator[Finding]:
    """In what all clusters share; a cluster may have a number of its own, or scale by itself."""
    document, chart = repository.document(VALUES), repository.chart
    shared, answers = mapping(dig(document and document.value, chart.name)), repository.answers
    if document is None or not shared or dig(shared, *chart.scaled_by_others, "enabled"):
        return
    bounds = [dig(shared, *chart.autoscaler, name) for name in ("minReplicas", "maxReplicas")]
    if all(isinstance(each, int) for each in bounds) and bounds[0] > bounds[1]:
        return  # another rule says so
    fewest, most = answers.get("replicas"), answers.get("max_replicas", answers.get("replicas"))
    scaled = dig(shared, *chart.autoscaler, "enabled")
    wanted: dict[Place, tuple[str, Any]] = {chart.replicas: ("replicas", fewest)}
    if fewest != most:
        of_answers = {"enabled": True, "minReplicas": fewest, "maxReplicas": most}
        wanted = {(*chart.autoscaler, key): ("max_replicas", value) for key, value in of_answers.items()}
    elif scaled is True:
        return  # the owner's own
    elif scaled is None and chart.scales_by_default:
        wanted[(*chart.autoscaler, "enabled")] = ("max_replicas", False)
    for place, (question, expected) in wanted.items():
        found = dig(shared, *place)
        # of another type, or none at all, is for the schema of the values
        sound = type(found) is type(expected) and (found is False or found > 0)
        if found is None or (sound and found != expected):
            what = f"{dotted(place)} is {found!r}, but the answer {question} says {expected!r}"
            fix = update(question, str(found), first="put the number for one cluster into its litellm/values-….yaml")
            yield Finding(VALUES, document.line(chart.name, *place), what, fix)


@rule
def redis_is_the_answered_one(repository: Repository) -> Iterator[Finding]:
    """No Redis, the answered host, or the chart's own with the answered class of storage."""
    redis = repository.answers.get("redis")
    for values in repository.values:
        chart = values.chart
        if values.pod.has_redis and redis != "bundled":
            what = f"{dotted(chart.redis)}.enabled is true, but the answer redis is {redis!r}"
            fix = update("redis", "bundled", first="set false")
            yield values.finding((*chart.redis, "enabled"), what, fix, VALUES)
        place, host, port = values.pod.redis_address
        if redis == "external":
            answer = text(values.cluster.answer("redis_host"))
            if (host, port) != (answer.partition(":")[0], answer.partition(":")[2] or "6379"):
                question = values.cluster.answer_name("redis_host")
                told = _disagrees(values, place, "the address of Redis", f"{host}:{port}", question)
                yield replace(told, other=instead_of(host, answer.partition(":")[0]))
            tls = values.pod.variables.get("REDIS_SSL")
            wanted = "True" if repository.answers.get("redis_tls", True) else None
            if (tls and tls.value) != wanted:
                where = (
                    tls.place if tls else (*chart.variables, "REDIS_SSL") if chart.variables else chart.variable_list
                )
                yield _disagrees(values, where, "REDIS_SSL", tls and tls.value, "redis_tls", VALUES)
        elif redis == "none" and host:
            what = "it names a Redis, but the answer redis is 'none'"
            yield values.finding(place, what, update("redis", "external"))
        elif redis == "bundled":
            yield from _agrees(values, chart.redis_storage_class, values.cluster.answer_name("storage_class"))
            yield from _misspelt_kind(values)
        router = values.pod.config("router_settings")  # of another kind another rule tells
        known = any(values.pod.config(*at) for at in _REDIS) or not isinstance(router, dict | None)
        if redis in ("external", "bundled") and not known:
            what = "the configuration leads to no Redis, so that the limits of models count for each replica"
            fix = update("redis", "none", first="restore it")
            yield values.finding((*chart.config, "router_settings"), what, fix, VALUES)


def _misspelt_kind(values: Values) -> Iterator[Finding]:
    """A misspelt `architecture`: the chart of Redis takes any key, and makes copies of it that nobody asked for."""
    given = mapping(values.get(*values.chart.redis))
    for key in map(str, given) if "architecture" not in given else ():
        if meant := closest(key, ["architecture"]):
            place = (*values.chart.redis, key)
            yield values.finding(place, f"the chart of Redis knows no {key}", edit(f"did you mean {meant}?"), VALUES)


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
                continue
            for values, each in ours:
                given = text(each.given.get(parameter))
                if given != expected and sorted(given) == sorted(text(expected)):  # two letters have changed places
                    what = f"{parameter} is {given}: did you mean {expected}?"
                    yield values.finding((*each.place, parameter), what, edit(f"write {expected}"), VALUES)


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
    ignored = any((repository.root / ".github/workflows").glob("*.y*ml"))  # of which another rule tells
    if platform == "github" and not workflows and not ignored:
        yield Finding(".github/workflows/", None, "is missing", fix)
    if platform == "gitlab" and not (repository.root / ".gitlab-ci.yml").is_file():
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
        yield _disagrees(values, place, dotted(place), found, question, file)


def _disagrees(values: Values, place: Place, name: str, found: Any, question: str, file: str = "") -> Finding:
    what = f"{name} is {found!r}, but the answer {question} says {values.repository.answers.get(question)}"
    return values.finding(place, what, update(question, first="restore it"), file)
