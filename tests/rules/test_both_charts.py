"""Faults of values with the second chart. The other tables have them with `litellm-helm`."""

from __future__ import annotations

from litellm_gitops.charts import LITELLM
from litellm_gitops.documents import Place
from tests.support.answers import everything
from tests.support.faults import (
    AWS,
    GCP,
    SHARED,
    Edit,
    Fault,
    append_item,
    drop,
    remove,
    set_value,
    substitute,
    together,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

MODEL = ("model_list", 0, "litellm_params")
FITS, STARTS = "the_chart_is_the_one_that_the_values_are_for", "the_chart_can_start_the_image"
SCHEMA, API = "the_values_fit_their_schema", "the_api_server_takes_what_values_make"
POD = "what_values_put_into_the_pod_fits_its_schema"
CALLS, SECTION, EFFECT = (
    "no_setting_makes_calls_fail",
    "every_setting_stands_in_its_section",
    "every_setting_takes_effect",
)


def put(place: Place, value: object, file: str = SHARED) -> Edit:
    """Another value at a place of the second CHART."""
    return set_value(file, (LITELLM.name, *place), value)


def version(value: str) -> Edit:
    """Another version of the chart."""
    return substitute("litellm/Chart.yaml", r"version: \"1\.0\.0\"", f'version: "{value}"')


def image(repository: str) -> Edit:
    """Another image in the clusters."""
    return put((*CHART.image, "repository"), repository)


CHART = LITELLM
SETTINGS, GENERAL = (*CHART.config, "litellm_settings"), (*CHART.config, "general_settings")
RESOURCES, JOB = CHART.resources[0], CHART.job_deadline[:-1]
SECURITY, PROBE = CHART.container_security[0], CHART.probes[2]

ROWS: dict[str, tuple[str, Edit]] = {
    "a key in plaintext": ("no_credential_stands_in_plaintext", put((*GENERAL, "master_key"), "sk-1234")),
    "a budget that spares no pod": ("a_node_can_be_drained", put((*CHART.disruption_budget, "maxUnavailable"), 0)),
    "no master key": ("every_request_needs_a_key", remove(SHARED, (CHART.name, *CHART.master_key))),
    "another Secret of the master key": ("the_chart_makes_no_secret_of_its_own", put([*CHART.secrets][1], "own")),
    "no migrations": ("the_migrations_run_before_the_pods", put((*JOB, "enabled"), False)),
    "migrations under the chart's account": (
        "the_migrations_run_before_the_pods",
        put(CHART.job_account, "litellm"),
    ),
    "a Job that lives for less than no time": (SCHEMA, put((*JOB, "ttlSecondsAfterFinished"), -1)),
    "amounts with a comma": (API, put((*RESOURCES, "requests", "cpu"), "1,5")),
    "less than is requested": (API, put((*RESOURCES, "limits", "memory"), "2Gi")),
    "a volume without a known size": (
        API,
        append_item(GCP, (CHART.name, *CHART.volumes), {"name": "own", "emptyDir": {"sizeLimit": "1GB"}}),
    ),
    "an unknown policy of pulling": (SCHEMA, put((*CHART.image, "pullPolicy"), "Allways")),
    "a flag in quotes": (POD, put((*SECURITY, "privileged"), "false")),
    "an image that moves": ("the_image_is_pinned", put((*CHART.image, "tag"), "latest")),
    "a misspelt image": (
        "the_image_has_an_address",
        image("ghcr.io/berriai/litelm"),
    ),
    **{
        f"a chart of three components: {each}": (FITS, version(each))
        for each in ("1.102.1", "1.89.2", "1.96.2", "1.86.0-dev", "1.80.0")
    },
    "a chart of which nothing is known yet": (FITS, version("2.0.0")),
    "a chart from before": (FITS, version("0.1.837")),
    **{
        f"an image that does not know how it is started: {each}": (STARTS, image(each))
        for each in (
            "ghcr.io/berriai/litellm-database",
            "ghcr.io/berriai/litellm-non_root",
            "ghcr.io/berriai/litellm-gateway",
            "registry.example.com/mirror/litellm-database",
        )
    },
    "an image that upstream supports no more": ("the_image_is_pinned", put((*CHART.image, "tag"), "v1.104.0")),
    "no time to start": ("a_pod_has_time_to_start", remove(SHARED, (CHART.name, *PROBE))),
    "the chart's own limit of CPU": (
        "a_pod_has_time_to_start",
        remove(SHARED, (CHART.name, *RESOURCES, "limits", "cpu")),
    ),
    "pods that are spread by the labels of others": (
        "the_pods_are_spread",
        put((*CHART.spread, 0, "labelSelector", "matchLabels", "app.kubernetes.io/component"), "gateway"),
    ),
    "another Secret of the Redis": ("values_name_only_secrets_and_keys_that_exist", put(CHART.redis_secret, "own")),
    "no host of the database": ("the_database_is_the_answered_one", remove(AWS, (CHART.name, *CHART.database_host))),
    "a salt key in the values": ("no_credential_stands_in_plaintext", put(("saltKey",), "of-no-known-form")),
    "a pause that is too short": ("an_answer_ends_before_its_pod", put(CHART.grace, 90)),
    "a probe that calls every model": (
        "every_probe_asks_what_costs_nothing",
        put((*PROBE, "httpGet", "path"), "/health"),
    ),
    "a load balancer for everybody": (
        "the_service_is_for_the_cluster_alone",
        put(CHART.service, {"type": "LoadBalancer"}),
    ),
    "another port of the Service": ("every_way_in_leads_to_the_proxy", put((*CHART.service, "port"), 8080)),
    "an Ingress of the chart": ("the_chart_makes_no_ingress_of_its_own", put((*CHART.ingress, "enabled"), True)),
    "another name of the release": ("the_release_keeps_its_name", put(CHART.names[0], "proxy")),
    "a log with everything": ("no_log_shows_a_secret", put(CHART.log_level, "DEBUG")),
    "a misspelt provider": (
        "every_model_is_kept_by_the_proxy",
        put((*CHART.config, *MODEL, "model"), "bedrok/own"),
    ),
    "a misspelt region": (CALLS, put((*CHART.config, *MODEL, "aws_region_name"), "us-wset-2")),
    "a misspelt part of a model": (SECTION, put((*CHART.config, "model_list", 0, "litellm_parms"), {})),
    "a misspelt mode": (EFFECT, put((*CHART.config, "model_list", 2, "model_info", "mode"), "embeding")),
    "a time that LiteLLM cannot read": (
        EFFECT,
        put((*GENERAL, "maximum_spend_logs_retention_period"), "90 days"),
    ),
    "a misspelt setting": (SECTION, put((*SETTINGS, "drop_parms"), True)),
    "a variable that nothing sets": (
        "every_variable_that_the_proxy_reads_is_set",
        put((*CHART.config, "router_settings", "redis_port"), "os.environ/REDIS_PROXY_PORT"),
    ),
    "a Secret that a method needs": ("every_chosen_method_has_what_it_needs", drop(AWS, "- litellm-azure-auth")),
    "another key of a Secret": (
        "every_chosen_method_has_what_it_needs",
        substitute(AWS, "subPath: access-token", "subPath: token"),
    ),
}


ANSWERS = everything(chart=LITELLM.name)
FAULTS: dict[str, Fault] = {name: (rule, edit, ANSWERS) for name, (rule, edit) in ROWS.items()}

# What an owner may do, and no rule minds.
EDITS: dict[str, Edit] = {
    "an autoscaler in one cluster": put(CHART.autoscaler, {"enabled": True, "minReplicas": 2, "maxReplicas": 5}),
    "a pool of nodes": put(("gateway", "nodeSelector"), {"pool": "ai"}),
    "nodes for this alone": put(("gateway", "tolerations"), [{"key": "ai", "operator": "Exists"}]),
    "a variable of their own": append_item(
        AWS, (CHART.name, *CHART.variable_list), {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}
    ),
    "a container beside it": put(CHART.containers, [{"name": "own", "image": "example.com/own:1.0.0"}]),
    "a model of their own": append_item(
        SHARED,
        (CHART.name, *CHART.model_list),
        {"model_name": "own", "litellm_params": {"model": "ollama/llama3", "api_base": "http://ollama.ai.svc:11434"}},
    ),
    "a fallback": put((*CHART.config, "router_settings", "fallbacks"), [{"claude-sonnet-5": ["claude-opus-5-5"]}]),
    "a cache in the Redis that the chart sets": put((*SETTINGS, "cache"), True),
    "shorter answers": put((*SETTINGS, "request_timeout"), 300),
    "a limit of CPU": put((*RESOURCES, "limits", "cpu"), "2"),
    "a budget in percent": put(CHART.disruption_budget, {"enabled": True, "minAvailable": "50%"}),
    "a budget by the other number": put(
        CHART.disruption_budget, {"enabled": True, "minAvailable": "", "maxUnavailable": 1}
    ),
    "more replicas of one cluster": put(CHART.replicas, 4, AWS),
    "an image from a registry of their own": image("registry.example.com:5000/mirror/litellm"),
    "an image of their own": image("registry.example.com/llm-proxy"),
    "an image by its other tag": together(
        put((*CHART.image, "tag"), "1.110.4"),
        substitute("docker-compose.yml", r"(berriai/litellm):.*\"", r'\1:1.110.4"'),
    ),
    "a newer chart": version("1.3.0"),
    "a Job that is there for an hour": put(CHART.job_life, 3600),
    "more pods during an update": put((*CHART.strategy, "rollingUpdate", "maxSurge"), 2),
    "whole manifests": put(
        CHART.objects, [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"a": "b"}}]
    ),
}
HARMLESS: dict[str, Harmless] = {name: (edit, ANSWERS) for name, edit in EDITS.items()}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
