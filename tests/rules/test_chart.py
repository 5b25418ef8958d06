"""Faults and edits of what the chart gets."""

from __future__ import annotations

from typing import Any

from tests.support.answers import answers
from tests.support.faults import (
    AWS,
    AZURE,
    CHART,
    GCP,
    SHARED,
    SUITE,
    Edit,
    Fault,
    Several,
    add,
    append,
    append_item,
    at,
    delete,
    drop,
    model,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import accepted, found_by_its_rule_alone

CHART_FILE = "litellm/Chart.yaml"
DEPENDENCY = ("dependencies", 0)
BUNDLED = answers(["gcp"], ["bedrock"], redis="bundled")
GUARDS, MIGRATIONS = [*CHART.secrets], [*CHART.migrations]
IMAGE, TWICE, SCHEMA = "the_image_is_pinned", "no_variable_is_set_twice", "the_values_fit_their_schema"
VERSION = "the_chart_version_is_exact"
DEAD, UNSET = "no_shared_list_is_dead", "every_variable_that_the_proxy_reads_is_set"


def tag(value: str) -> Edit:
    """Another tag of the image."""
    return add(CHART.image, {"tag": value}, SHARED)


def in_each(place: tuple[str | int, ...], value: list[Any]) -> Edit:
    """A list in the file of each cluster."""
    return together(*(add(place, value, file) for file in (AWS, GCP, AZURE)))


OWN = together(
    in_each(CHART.env_from, ["own-openai"]),
    model({"model": "openai/gpt", "api_key": "os.environ/OPENAI_API_KEY"}),
)


def foreign(api_version: str, kind: str, spec: str, name: str = "own-openai") -> Edit:
    """A manifest in each cluster of which somebody makes a Secret, which the proxy has, with a model that needs it."""
    metadata = f"metadata:\n  name: {name}\n  namespace: litellm\n"
    manifest = f"apiVersion: {api_version}\nkind: {kind}\n{metadata}spec:\n{spec}"
    folders = [f"clusters/{cluster}" for cluster in ("aws", "gcp", "azure")]
    return together(
        *(write(f"{folder}/own.yaml", manifest) for folder in folders),
        *(append_item(f"{folder}/kustomization.yaml", ("resources",), "own.yaml") for folder in folders),
        OWN,
    )


EXTERNAL: dict[str, Any] = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "own"},
    "spec": {"target": {"name": "own-openai"}, "data": [{"secretKey": "OPENAI_API_KEY"}]},
}

FAULTS: dict[str, Fault] = {
    "a misspelt field of the chart": ("helm_takes_the_chart", set_value(CHART_FILE, ("kubeversion",), ">=1.30.0-0")),
    "misspelt dependencies": ("helm_takes_the_chart", substitute(CHART_FILE, "^dependencies:", "dependancies:")),
    "keywords as a text": ("helm_takes_the_chart", set_value(CHART_FILE, ("keywords",), "llm")),
    "an annotation of the chart that is a number": (
        "helm_takes_the_chart",
        set_value(CHART_FILE, ("annotations",), {"a": 1}),
    ),
    "a version of the application that is a number": (
        "helm_takes_the_chart",
        set_value(CHART_FILE, ("appVersion",), 1.1),
    ),
    "a volume in place of the program": (
        "every_mount_has_its_volume",
        together(
            add(CHART.volumes, [{"name": "own", "emptyDir": {}}]),
            add(CHART.mounts, [{"name": "own", "mountPath": "/app"}]),
        ),
    ),
    "a sidecar with a Secret that is not there": (
        "values_name_only_secrets_and_keys_that_exist",
        add(CHART.containers, [{"name": "own", "image": "own:1", "envFrom": [{"secretRef": {"name": "nothing"}}]}]),
    ),
    **{
        f"no {'.'.join(map(str, place))}": ("the_chart_makes_no_secret_of_its_own", remove(SHARED, at(place)))
        for place in GUARDS
    },
    "another key of the master key's Secret": (
        "the_chart_makes_no_secret_of_its_own",
        add(GUARDS[1], "key", SHARED),
    ),
    "a database of the chart's own": ("the_chart_makes_no_secret_of_its_own", add(GUARDS[3], True, SHARED)),
    "a database of the chart's own in one cluster": (
        "the_chart_makes_no_secret_of_its_own",
        add(GUARDS[2], False, AZURE),
    ),
    "a password of Redis that the chart makes up": (
        "the_chart_makes_no_secret_of_its_own",
        remove(SHARED, at(CHART.redis_secret[:-1])),
        BUNDLED,
    ),
    "a Redis of no kind": (
        "the_values_fit_their_schema",
        set_value(SHARED, at(CHART.redis, "architecture"), "replicaset"),
        BUNDLED,
    ),
    "a disk of no amount": (
        "the_values_fit_their_schema",
        set_value(GCP, at(CHART.redis, "master", "persistence", "size"), "8GB"),
        BUNDLED,
    ),
    "a Redis for everybody": (
        "the_values_fit_their_schema",
        set_value(SHARED, at(CHART.redis, "auth", "enabled"), False),
        BUNDLED,
    ),
    "another key of the Redis": (
        "the_chart_makes_no_secret_of_its_own",
        set_value(SHARED, at(CHART.redis, "auth", "existingSecretPasswordKey"), "password"),
        BUNDLED,
    ),
    "no Redis": ("the_chart_makes_no_secret_of_its_own", add(CHART.redis, {"enabled": False}, SHARED), BUNDLED),
    "no migrations": ("the_migrations_run_before_the_pods", add(MIGRATIONS[0], False, SHARED)),
    "migrations that are no Helm hook": ("the_migrations_run_before_the_pods", add(MIGRATIONS[1], False, SHARED)),
    "migrations of which nothing is left": (
        "the_migrations_run_before_the_pods",
        set_value(SHARED, at(CHART.job_life), 0),
    ),
    "a proxy without a master key": ("every_request_needs_a_key", remove(SHARED, at(CHART.master_key))),
    "a master key in a variable": (
        "every_request_needs_a_key",
        add(CHART.variables, {"PROXY_MASTER_KEY": "example"}, SHARED),
    ),
    "any key while the database is away": (
        "every_request_needs_a_key",
        set_value(SHARED, at(CHART.config, "general_settings", "allow_requests_on_db_unavailable"), True),
    ),
    "an image that moves": (IMAGE, tag("latest")),
    "an image that moves within a minor": (IMAGE, tag("v1.108")),
    "an image whose authentication can be bypassed": (IMAGE, tag("v1.83.14")),
    **{
        f"an image that upstream supports no more: {each}": (IMAGE, tag(each))
        for each in ("v1.84.0", "v1.88.0", "v1.90.6", "v1.103.1", "v1.104.0", "1.107.9")
    },
    "an image with half a digest": (IMAGE, tag("v1.108.20@sha256:0123456789abcdef")),
    "an image without a version": (IMAGE, tag(f"@sha256:{'ab' * 32}")),
    "a branch as an image": (IMAGE, tag("litellm_stable_release_branch")),
    "the image of an old guide": (IMAGE, tag("main-v1.81.0-stable")),
    "an image in which a user makes himself an administrator": (IMAGE, tag("v1.95.0")),
    "a chart of Helm 2": ("helm_takes_the_chart", set_value(CHART_FILE, ("apiVersion",), "v1")),
    "a chart without a version": ("helm_takes_the_chart", remove(CHART_FILE, ("version",))),
    "a chart without a name": ("helm_takes_the_chart", remove(CHART_FILE, ("name",))),
    "a chart that cannot be installed": ("helm_takes_the_chart", set_value(CHART_FILE, ("type",), "library")),
    "a dependency that a merge doubled": (
        "helm_takes_the_chart",
        append_item(
            CHART_FILE,
            ("dependencies",),
            {"name": CHART.name, "version": "1.105.0", "repository": "oci://ghcr.io/berriai"},
        ),
    ),
    "a release under another name": ("the_release_keeps_its_name", add(CHART.names[0], "proxy", SHARED)),
    "a budget that needs every pod": (
        "a_node_can_be_drained",
        add(CHART.disruption_budget, {"minAvailable": 2}, SHARED),
    ),
    "a budget for a single pod": ("a_node_can_be_drained", add(CHART.replicas, 1)),
    "a budget of more than all": (
        "a_node_can_be_drained",
        add(CHART.disruption_budget, {"minAvailable": "120%"}, SHARED),
    ),
    "a second number of the budget": (
        "a_node_can_be_drained",
        add(CHART.disruption_budget, {"maxUnavailable": 1}, SHARED),
    ),
    "a budget that spares no pod": (
        "a_node_can_be_drained",
        add(CHART.disruption_budget, {"minAvailable": None, "maxUnavailable": "0%"}, SHARED),
    ),
    "a log with everything": ("no_log_shows_a_secret", add(CHART.log_level, "DEBUG", SHARED)),
    "a log with every request": (
        "no_log_shows_a_secret",
        add(CHART.config, {"litellm_settings": {"set_verbose": True}}, SHARED),
    ),
    "a log of a level that there is not": (
        "every_variable_is_one_that_is_read",
        add(CHART.variables, {"LITELLM_LOG": "VERBOSE"}),
    ),
    "a log with everything, by a variable": ("no_log_shows_a_secret", add(CHART.variables, {"LITELLM_LOG": "debug"})),
    "a cluster without models": ("the_configuration_reaches_the_proxy", set_value(GCP, at(CHART.model_list), [])),
    "a configuration from elsewhere": ("the_configuration_reaches_the_proxy", add(CHART.config_map, False)),
    "a range of chart versions": (
        VERSION,
        set_value(CHART_FILE, (*DEPENDENCY, "version"), "^1.1.0"),
    ),
    "a chart from nowhere": (
        VERSION,
        set_value(CHART_FILE, (*DEPENDENCY, "repository"), "ghcr.io/berriai"),
    ),
    "a chart under another name": (
        VERSION,
        set_value(CHART_FILE, (*DEPENDENCY, "alias"), "proxy"),
    ),
    "no chart": (VERSION, delete(CHART_FILE)),
    "a lock of another version": (
        VERSION,
        together(
            drop(".gitignore", "/litellm/Chart.lock"),
            write("litellm/Chart.lock", f"dependencies:\n- name: {CHART.name}\n  version: 1.0.0\n"),
        ),
    ),
    "a variable that is set twice": (
        TWICE,
        add(CHART.variable_list, [{"name": "LITELLM_MODE", "value": "PRODUCTION"}], SHARED),
    ),
    "a variable that the chart sets": (
        TWICE,
        add(CHART.variables, {"DATABASE_URL": "postgresql://db/litellm"}, SHARED),
    ),
    "updates of the database that the chart switches": (
        TWICE,
        add(CHART.variables, {"DISABLE_SCHEMA_UPDATE": "true"}, SHARED),
    ),
    "a Secret listed twice": (TWICE, add(CHART.env_from, ["litellm-salt-key"])),
    "a variable that hides a Secret's": (TWICE, add(CHART.variables, {"AZURE_TENANT_ID": "example"})),
    "a mount without a volume": (
        "every_mount_has_its_volume",
        add(CHART.mounts, [{"name": "certificates", "mountPath": "/certificates"}]),
    ),
    "two mounts at one path": (
        "every_mount_has_its_volume",
        add(CHART.mounts, [{"name": "gcp-service-account", "mountPath": "/var/secrets/gcp"}]),
    ),
    "a misspelt value": (SCHEMA, add(("enviromentSecrets",), ["litellm-salt-key"])),
    "a value beside the chart's name": (SCHEMA, append(AWS, "autoscaling:\n  enabled: true\n")),
    "an anchor deep among the values": (SCHEMA, add(CHART.ingress, {"x-own": {}})),
    "a number in quotes": (SCHEMA, add(CHART.replicas, "3", GCP)),
    "a flag in quotes": (SCHEMA, add(CHART.ingress, {"enabled": "true"})),
    "an annotation that is a number": (SCHEMA, add(CHART.pod_annotations, {"example.com/port": 8080})),
    "a model without a name": ("the_proxy_starts_with_its_configuration", model({"model": "openai/gpt"}, None)),
    "a model with a key in plaintext": (SCHEMA, model({"model": "openai/gpt", "api_key": "example"})),
    "a variable that nothing sets": (UNSET, model({"model": "openai/gpt", "api_key": "os.environ/OPENAI_API_KEY"})),
    "a variable with a misspelt name": (
        UNSET,
        set_value(SHARED, at(CHART.config, "router_settings", "redis_port"), "os.environ/REDIS_PROXY_PORT"),
    ),
    "a variable that a Secret of somebody else's lacks": (
        UNSET,
        foreign("external-secrets.io/v1", "ExternalSecret", "  data:\n    - secretKey: OTHER_API_KEY\n"),
    ),
    "a variable that the owner's declaration lacks": (
        UNSET,
        together(OWN, set_value(SUITE, ("secrets",), [{"name": "own-openai", "keys": ["OTHER"], "made_by": "us"}])),
    ),
    "a shared list of Secrets that no cluster reads": (DEAD, add(CHART.env_from, ["litellm-salt-key"], SHARED)),
    "shared volumes that no cluster reads": (
        DEAD,
        Several(
            together(
                add(CHART.volumes, [{"name": "own", "emptyDir": {}}], SHARED),
                add(CHART.mounts, [{"name": "own", "mountPath": "/own"}], SHARED),
            )
        ),
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "a chart that says more of itself": together(
        set_value(CHART_FILE, ("keywords",), ["llm"]),
        set_value(CHART_FILE, ("maintainers",), [{"name": "AI", "email": "ai@example.com"}]),
        set_value(CHART_FILE, ("annotations",), {"example.com/a": "b"}),
        set_value(CHART_FILE, ("appVersion",), "1.108.20"),
    ),
    "a Job that is there for an hour": set_value(SHARED, at(CHART.job_life), 3600),
    "a single pod without a budget": together(add(CHART.replicas, 1), add(CHART.disruption_budget, {"enabled": False})),
    "a budget by the other number": add(CHART.disruption_budget, {"minAvailable": None, "maxUnavailable": 1}, SHARED),
    "a budget in percent": add(CHART.disruption_budget, {"minAvailable": "50%"}, SHARED),
    "a folder for temporary files": together(
        add(CHART.volumes, [{"name": "scratch", "emptyDir": {}}]),
        add(CHART.mounts, [{"name": "scratch", "mountPath": "/scratch"}]),
    ),
    "a variable from the pod": add(
        CHART.variable_list, [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}], SHARED
    ),
    "settings of the router and the cache": add(
        CHART.config,
        {
            "router_settings": {"num_retries": 3},
            "litellm_settings": {
                "cache": True,
                "cache_params": {"type": "redis", "password": "os.environ/REDIS_PASSWORD"},
            },
        },
        SHARED,
    ),
    "models in the database alone": together(
        set_value(SHARED, at(CHART.model_list), []),
        add(CHART.config, {"general_settings": {"store_model_in_db": True}}, SHARED),
    ),
    "a variable that the proxy sets itself": add(
        CHART.config, {"environment_variables": {"LANGFUSE_HOST": "https://langfuse.example.com"}}, SHARED
    ),
    "a variable of their own": add(CHART.variables, {"HTTPS_PROXY": "http://proxy.example.com:3128"}),
    "a tag of their own, in a registry of their own": add(
        CHART.image, {"repository": "registry.example.com/ai/litellm", "tag": "2026-11"}, SHARED
    ),
    "an image from a registry of their own": add(
        CHART.image, {"repository": "registry.example.com/litellm", "tag": f"build-7@sha256:{'ab' * 32}"}, SHARED
    ),
    "a newer chart": set_value(CHART_FILE, (*DEPENDENCY, "version"), "1.105.2"),
    "a Secret that the External Secrets Operator makes": foreign(
        "external-secrets.io/v1",
        "ExternalSecret",
        "  target:\n    name: own-openai\n  data:\n    - secretKey: OPENAI_API_KEY\n",
        "own",
    ),
    "a Secret of which a store knows the keys": foreign(
        "external-secrets.io/v1", "ExternalSecret", "  dataFrom:\n    - extract:\n        key: openai\n"
    ),
    "a Secret that the Sealed Secrets controller makes": foreign(
        "bitnami.com/v1alpha1", "SealedSecret", "  encryptedData:\n    OPENAI_API_KEY: AgBy3i4OJSWK\n"
    ),
    "a Secret that one of the chart's own resources makes": together(OWN, in_each(CHART.objects, [EXTERNAL])),
    "a Secret that the owner declares": together(
        OWN, set_value(SUITE, ("secrets",), [{"name": "own-openai", "made_by": "terraform"}])
    ),
    "an anchor at the root": append(AWS, "x-aws: &aws\n  own: true\n"),
    "an anchor below the chart's name": add((".aws",), {"own": True}),
    **{
        f"a server that takes any key: {word}": model(
            {"model": "openai/own", "api_base": "http://vllm.ai.svc:8000/v1", "api_key": word}
        )
        for word in ("none", "dummy", "EMPTY", "not-needed", "sk-no-key-required")
    },
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
