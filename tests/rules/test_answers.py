"""Faults and edits of what the answers say."""

from __future__ import annotations

from tests.support.answers import answers, everything
from tests.support.faults import (
    AWS,
    AZURE,
    CHART,
    GCP,
    SHARED,
    Edit,
    Fault,
    add,
    at,
    delete,
    each_model,
    insert,
    model,
    remove,
    set_value,
    swap,
    together,
    write,
)
from tests.support.findings import accepted, found_by_its_rule_alone

SMALL = answers(["gcp"], ["bedrock"])
GITLAB = everything(ci_platform="gitlab")
BUNDLED = answers(["gcp"], ["bedrock"], redis="bundled")
VALUES, MODELS = "every_cluster_has_its_values", "the_models_are_where_the_answers_say"

FAULTS: dict[str, Fault] = {
    "values of two clusters swapped": ("every_domain_is_the_answered_one", swap(GCP, AZURE)),
    "values of a cluster that are missing": (VALUES, delete(AZURE)),
    "values of a cluster that are empty": (VALUES, write(GCP, "# nothing\n")),
    "values of a cluster for another chart": (VALUES, write(GCP, "litellm-helms: {}\n")),
    "values of a cluster without a value": (VALUES, write(GCP, f"{CHART.name}:\n")),
    "values of all clusters that are no mapping": (VALUES, write(SHARED, f"- {CHART.name}\n")),
    "values of all clusters without a value": (VALUES, write(SHARED, f"{CHART.name}:\n")),
    "another host": (
        "every_domain_is_the_answered_one",
        set_value(AWS, at(CHART.ingress_hosts, 0, "host"), "llm.aws.example.com"),
    ),
    "a certificate for another host": (
        "every_domain_is_the_answered_one",
        set_value(AWS, at(CHART.ingress_tls, 0, "hosts", 0), "llm.aws.example.com"),
    ),
    "another ingress class": ("the_ingress_is_the_answered_one", add(CHART.ingress_class, "haproxy", AZURE)),
    "another issuer": (
        "the_ingress_is_the_answered_one",
        add(CHART.ingress_annotations, {"cert-manager.io/cluster-issuer": "another"}, AZURE),
    ),
    "no TLS": ("the_ingress_is_the_answered_one", remove(GCP, at(CHART.ingress_tls))),
    "a certificate without its Secret": (
        "the_ingress_is_the_answered_one",
        remove(AWS, at(CHART.ingress_tls, 0, "secretName")),
    ),
    "another database": ("the_database_is_the_answered_one", add(CHART.database_name, "litellm", SHARED)),
    "other replicas": ("the_replicas_are_the_answered_ones", add(CHART.replicas, 4, SHARED)),
    "another Redis": (
        "redis_is_the_answered_one",
        set_value(SHARED, at(CHART.variable_list, 0, "value"), "cache.example.internal"),
    ),
    "a second Redis": ("redis_is_the_answered_one", add(CHART.redis, {"enabled": True}, SHARED)),
    "a Redis that was not chosen": (
        "redis_is_the_answered_one",
        add(CHART.variable_list, [{"name": "REDIS_HOST", "value": "redis"}], GCP),
        SMALL,
    ),
    "another storage class": ("redis_is_the_answered_one", add(CHART.redis_storage_class, "own", GCP), BUNDLED),
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
HARMLESS: dict[str, Edit] = {
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
    "scaling by load": together(
        add(CHART.replicas, 1, SHARED),
        add(CHART.autoscaling[0], {"enabled": True, "minReplicas": 2}, SHARED),
    ),
    "a second host": insert(
        AWS,
        at(CHART.ingress_hosts, 0),
        {"host": "llm.example.com", "paths": [{"path": "/", "pathType": "Prefix"}]},
    ),
    "an annotation of the Ingress": add(CHART.ingress_annotations, {"example.com/own": "x"}),
    "no Ingress, because a Gateway serves the proxy": add(CHART.ingress, {"enabled": False}, GCP),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
