"""Faults and edits of what the answers say."""

from __future__ import annotations

from pathlib import Path

from tests.support.answers import answers, everything
from tests.support.faults import (
    ANSWERS,
    AWS,
    AZURE,
    CHART,
    GCP,
    SHARED,
    Edit,
    Fault,
    add,
    at,
    change,
    delete,
    each_model,
    model,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

SMALL = answers(["gcp"], ["bedrock"])
GITLAB = everything(ci_platform="gitlab")
BUNDLED = answers(["gcp"], ["bedrock"], redis="bundled")
BY_HAND = "the_answers_are_those_that_were_rendered"
VALUES, MODELS = "every_cluster_has_its_values", "the_models_are_where_the_answers_say"


def by_hand(old: str, new: str) -> Edit:
    """Changes an answer without copier, which would write the digest anew."""

    def apply(root: Path) -> None:
        text = (root / ANSWERS).read_text("utf-8")
        assert text.count(old) == 1
        (root / ANSWERS).write_text(text.replace(old, new), "utf-8")

    return apply


FAULTS: dict[str, Fault] = {
    "answers that were changed by hand": (BY_HAND, by_hand("bedrock_auth_aws: irsa", "bedrock_auth_aws: aws_user")),
    "another chart by hand": (BY_HAND, by_hand(f"chart: {CHART.name}", "chart: litellm")),
    "another template by hand": (BY_HAND, by_hand("_src_path: ", "_src_path: /elsewhere")),
    "a cluster less by hand": (BY_HAND, by_hand("- azure\n", "")),
    "another project by hand": (BY_HAND, by_hand("project_name: ", "project_name: own-")),
    "values of a cluster that are missing": (VALUES, delete(AZURE)),
    "values of a cluster that are empty": (VALUES, write(GCP, "# nothing\n")),
    "values of a cluster for another chart": (VALUES, write(GCP, "litellm-helms: {}\n")),
    "values of a cluster without a value": (VALUES, write(GCP, f"{CHART.name}:\n")),
    "values of all clusters that are no mapping": (VALUES, write(SHARED, f"- {CHART.name}\n")),
    "values of all clusters without a value": (VALUES, write(SHARED, f"{CHART.name}:\n")),
    "another database": ("the_database_is_the_answered_one", add(CHART.database_name, "litellm", SHARED)),
    "other replicas": ("the_replicas_are_the_answered_ones", add(CHART.replicas, 4, SHARED)),
    "another Redis": (
        "redis_is_the_answered_one",
        set_value(AWS, at(CHART.variables, "REDIS_HOST"), "cache.example.internal"),
    ),
    "a second Redis": ("redis_is_the_answered_one", add(CHART.redis, {"enabled": True}, SHARED)),
    "a Redis that was not chosen": (
        "redis_is_the_answered_one",
        add(CHART.variable_list, [{"name": "REDIS_HOST", "value": "redis"}], GCP),
        SMALL,
    ),
    "a configuration that leads to no Redis": (
        "redis_is_the_answered_one",
        remove(SHARED, at(CHART.config, "router_settings")),
    ),
    "another storage class": ("redis_is_the_answered_one", add(CHART.redis_storage_class, "own", GCP), BUNDLED),
    "a kind of Redis that is misspelt": (
        "redis_is_the_answered_one",
        change(SHARED, "architecture: standalone", "architecure: standalone"),
        BUNDLED,
    ),
    "an endpoint with two letters swapped": (
        MODELS,
        substitute(SHARED, "https://example.openai", "https://exmaple.openai", 1),
    ),
    "another region for every model": (
        MODELS,
        each_model("bedrock/", lambda model: model.update(aws_region_name="us-east-1")),
    ),
    "another region by a variable": (
        MODELS,
        together(
            add(CHART.variables, {"AWS_REGION": "us-east-1"}, SHARED),
            each_model("bedrock/", lambda model: model.update(aws_region_name="os.environ/AWS_REGION")),
        ),
    ),
    "another location for all models": (
        MODELS,
        together(
            each_model("vertex_ai/", lambda model: model.pop("vertex_location")),
            add(CHART.config, {"litellm_settings": {"vertex_location": "global"}}, SHARED),
        ),
    ),
    "another endpoint for every model": (
        MODELS,
        each_model("azure/", lambda model: model.update(api_base="https://x.example.com/")),
    ),
    "another API version for every model": (
        MODELS,
        each_model("azure/", lambda model: model.update(api_version="2020-01-01")),
    ),
    "no continuous integration": ("the_continuous_integration_is_there", delete(".github/workflows")),
    "no pipeline": ("the_continuous_integration_is_there", delete(".gitlab-ci.yml"), GITLAB),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a model of their own, in another region": model(
        {"model": "bedrock/eu.anthropic.claude", "aws_region_name": "eu-west-1"}, "ours"
    ),
    "one model less": remove(SHARED, at(CHART.model_list, 0)),
    "no model of a provider any more": set_value(
        SHARED,
        at(CHART.model_list),
        [
            {"model_name": "own", "litellm_params": {"model": "github_copilot/gpt"}},
        ],
    ),
    "an endpoint and a region that variables give": together(
        add(
            CHART.variables,
            {
                "AZURE_API_BASE": "https://example.openai.azure.com/",
                "AZURE_API_VERSION": "2025-04-01-preview",
                "AWS_REGION": "us-west-2",
            },
            SHARED,
        ),
        each_model(
            "azure/",
            lambda model: model.update(
                api_base="os.environ/AZURE_API_BASE", api_version="os.environ/AZURE_API_VERSION"
            ),
        ),
        each_model("bedrock/", lambda model: model.update(aws_region_name="os.environ/AWS_REGION")),
    ),
    "a location that no model repeats": together(
        each_model("vertex_ai/", lambda model: model.pop("vertex_location")),
        add(CHART.config, {"litellm_settings": {"vertex_location": "us-central1"}}, SHARED),
    ),
    "models of one cluster in another region": add(
        CHART.config,
        {
            "model_list": [
                {
                    "model_name": "own",
                    "litellm_params": {"model": "bedrock/anthropic.claude", "aws_region_name": "eu-west-1"},
                }
            ]
        },
    ),
    "a number of replicas for one cluster": add(CHART.replicas, 5),
    "copies of the Redis": (change(SHARED, "architecture: standalone", "architecture: replication"), BUNDLED),
    "a Redis as its chart has it": (substitute(SHARED, r"^ +architecture: .*\n", ""), BUNDLED),
    "a Redis of the cache": together(
        remove(SHARED, at(CHART.config, "router_settings")),
        add(CHART.config, {"litellm_settings": {"cache": True, "cache_params": {"type": "redis"}}}, SHARED),
    ),
    "scaling by load": together(
        add(CHART.replicas, 1, SHARED),
        add(CHART.autoscaler, {"enabled": True, "minReplicas": 2}, SHARED),
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
