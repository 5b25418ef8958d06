"""Faults and edits of the auth matrix."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.support.answers import ACCOUNT, ROLE_ARN, TENANT, answers, database_hosts, each, keyless
from tests.support.faults import (
    AWS,
    AZURE,
    CHART,
    GCP,
    MATRIX,
    SHARED,
    Edit,
    Fault,
    add,
    append,
    append_item,
    at,
    change,
    delete,
    each_model,
    model,
    remove,
    remove_item,
    set_value,
    together,
    write,
)
from tests.support.findings import accepted, found_by_its_rule_alone
from tests.support.sealed_store import other_nonce, own_secret, refresh
from tests.support.template import ROOT

SMALL = answers(["gcp"], ["bedrock"])
NEEDS, TRACE, BEATS = (
    "every_chosen_method_has_what_it_needs",
    "no_unchosen_method_leaves_a_trace",
    "nothing_beats_a_chosen_method",
)
ROLE, GSA = "eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account"
REFERENCE = "os.environ/LITELLM_SALT_KEY"
WRITER = ("database", "writer")


def _own_service(root: Path) -> None:
    for cluster, values in {"aws": AWS, "gcp": GCP, "azure": AZURE}.items():
        text = (root / f"secrets/{cluster}/litellm-salt-key.sops.yaml").read_text("utf-8")
        text = other_nonce(text.replace("LITELLM_SALT_KEY", "OPENAI_API_KEY"), "OPENAI_API_KEY")
        text = text.replace("name: litellm-salt-key", "name: own-openai")
        write(f"secrets/{cluster}/own-openai.sops.yaml", text)(root)
        append(f"secrets/{cluster}/kustomization.yaml", "  - own-openai.sops.yaml\n")(root)
        add(CHART.env_from, ["own-openai"], values)(root)
    model({"model": "openai/gpt", "api_key": "os.environ/OPENAI_API_KEY"})(root)
    refresh(root)


def _variable(name: str, file: str, value: str = "x") -> Edit:
    return add(CHART.variables, {name: value}, file)


def _other(name: str, file: str, value: str = "another") -> Edit:
    return set_value(file, at(CHART.variables, name), value)


def _no_variable(name: str, file: str) -> Edit:
    return remove(file, at(CHART.variables, name))


def _of_models(prefix: str, parameter: str) -> Edit:
    return each_model(prefix, lambda model: model.update({parameter: REFERENCE}))


def _token(number: int, field: str, value: object, file: str) -> Edit:
    return set_value(file, at(CHART.volumes, number, "projected", "sources", 0, "serviceAccountToken", field), value)


def _account(content: dict[str, object], file: str) -> Edit:
    return add(CHART.service_account, content, file)


def _setting(name: str, file: str) -> Edit:
    return remove(file, at(CHART.config, "litellm_settings", name))


def _patch(variable: str, cluster: str) -> Edit:
    """A patch of the Deployment, after Helm has rendered it."""
    patch = f"- op: add\n  path: /spec/template/spec/containers/0/env/-\n  value: {{name: {variable}, value: x}}\n"
    renderers = [{"kustomize": {"patches": [{"target": {"kind": "Deployment"}, "patch": patch}]}}]
    return set_value(f"clusters/{cluster}/release/helmrelease.yaml", ("spec", "postRenderers"), renderers)


def _config_map(variable: str, cluster: str, file: str) -> Edit:
    """A ConfigMap of which every key is a variable."""
    head = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n"
    manifest = append(f"clusters/{cluster}/namespace.yaml", f"{head}data:\n  {variable}: x\n")
    return together(manifest, add(CHART.env_from_config_maps, ["own"], file))


def _credential(prefix: str, parameter: str) -> Edit:
    """A credential that every model of a provider names."""
    entry = {"credential_name": "own", "credential_values": {parameter: REFERENCE}, "credential_info": {}}
    named = each_model(prefix, lambda model: model.update(litellm_credential_name="own"))
    return together(add(CHART.config, {"credential_list": [entry]}, SHARED), named)


KEYLESS = keyless()
POD = each({"aws": {"bedrock": "pod_identity"}})
KEY = each({"gcp": {"azure_openai": "azure_api_key"}})
USE = "azure.workload.identity/use"
CLIENT = "azure.workload.identity/client-id"
ENTRA = "enable_azure_ad_token_refresh"

# method -> what can be wrong with it alone. In values-aws.yaml the token for Google is the first volume, in the others
# that for AWS; of stored credentials that of Google Cloud is the first, then comes that of Copilot.
OF_METHODS: dict[str, dict[str, Fault]] = {
    "irsa": {
        "another service account": (NEEDS, _account({"name": "other"}, AWS)),
        "another role": (NEEDS, _account({"annotations": {ROLE: "arn:aws:iam::123456789012:role/own"}}, AWS)),
        "no role": (NEEDS, remove(AWS, at(CHART.service_account, "annotations", ROLE))),
        "a service account that is not created": (NEEDS, _account({"create": False}, AWS)),
        "the role of the node": (NEEDS, _no_variable("AWS_EC2_METADATA_DISABLED", AWS)),
        "an AWS user's Secret": (TRACE, add(CHART.env_from, ["litellm-aws-auth"])),
        "an AWS key": (BEATS, _variable("AWS_ACCESS_KEY_ID", AWS)),
        "an empty AWS key": (BEATS, _variable("AWS_ACCESS_KEY_ID", AWS, "")),
        "a bearer token in every cluster": (
            BEATS,
            add(CHART.variable_list, [{"name": "AWS_BEARER_TOKEN_BEDROCK", "value": "x"}], SHARED),
        ),
        "a profile": (BEATS, _variable("AWS_PROFILE", AWS)),
        "another role in a variable": (BEATS, _variable("AWS_ROLE_ARN", AWS)),
        "a file of credentials": (BEATS, _variable("AWS_SHARED_CREDENTIALS_FILE", AWS)),
        "a key in a model": (BEATS, _of_models("bedrock/amazon.titan", "aws_secret_access_key")),
        "another role in a model": (BEATS, _of_models("bedrock/", "aws_role_name")),
        "a patch of the engine": (BEATS, _patch("AWS_ACCESS_KEY_ID", "aws")),
    },
    "pod_identity": {
        "another service account": (NEEDS, _account({"name": "other"}, AWS), POD),
        "the role of the node": (NEEDS, _other("AWS_EC2_METADATA_DISABLED", AWS, "false"), POD),
        "a role annotation": (BEATS, _account({"annotations": {ROLE: ROLE_ARN}}, AWS), POD),
        "a role in a variable": (BEATS, _variable("AWS_ROLE_ARN", AWS), POD),
        "a web identity": (BEATS, _variable("AWS_WEB_IDENTITY_TOKEN_FILE", AWS), POD),
        "an AWS key": (BEATS, _variable("AWS_ACCESS_KEY_ID", AWS), POD),
        "an empty AWS key": (BEATS, _variable("AWS_SECRET_ACCESS_KEY", SHARED, ""), POD),
        "another agent": (BEATS, _variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", AWS), POD),
        "a profile in a model": (BEATS, _of_models("bedrock/", "aws_profile_name"), POD),
        "a ConfigMap": (BEATS, _config_map("AWS_CONFIG_FILE", "aws", AWS), POD),
        "an AWS user's Secret": (TRACE, add(CHART.env_from, ["litellm-aws-auth"]), POD),
    },
    "web_identity": {
        "a token for somebody else": (NEEDS, _token(0, "audience", "api://AzureADTokenExchange", GCP), KEYLESS),
        "a token of ten minutes": (NEEDS, _token(0, "expirationSeconds", 600, GCP), KEYLESS),
        "a token of another name": (NEEDS, _token(0, "path", "jwt", AZURE), KEYLESS),
        "a token that is never renewed": (NEEDS, set_value(GCP, at(CHART.mounts, 0, "subPath"), "token"), KEYLESS),
        "a folder that can be written to": (NEEDS, remove(AZURE, at(CHART.mounts, 0, "readOnly")), KEYLESS),
        "another role": (NEEDS, _other("AWS_ROLE_ARN", GCP), KEYLESS),
        "the global STS": (NEEDS, _no_variable("AWS_DEFAULT_REGION", AZURE), KEYLESS),
        "the role of the node": (NEEDS, _no_variable("AWS_EC2_METADATA_DISABLED", GCP), KEYLESS),
        "another service account": (NEEDS, _account({"name": "other"}, GCP), KEYLESS),
        "a role of EKS": (TRACE, _account({"annotations": {ROLE: ROLE_ARN}}, GCP), KEYLESS),
        "an empty AWS key": (BEATS, _variable("AWS_ACCESS_KEY_ID", GCP, ""), KEYLESS),
        "a key in a model": (BEATS, _of_models("bedrock/", "aws_web_identity_token"), KEYLESS),
        "a patch of the engine": (BEATS, _patch("AWS_BEARER_TOKEN_BEDROCK", "gcp"), KEYLESS),
        "a key that the proxy sets itself": (
            BEATS,
            add(CHART.config, {"environment_variables": {"AWS_ACCESS_KEY_ID": REFERENCE}}, AZURE),
            KEYLESS,
        ),
    },
    "aws_user": {
        "its Secret not read": (NEEDS, remove_item(GCP, at(CHART.env_from), "litellm-aws-auth")),
        "a role of EKS": (TRACE, _account({"annotations": {ROLE: "arn"}}, GCP)),
        "a session": (BEATS, _variable("AWS_SESSION_TOKEN", GCP)),
        "a bearer token": (BEATS, _variable("AWS_BEARER_TOKEN_BEDROCK", GCP)),
        "a role": (BEATS, _variable("AWS_ROLE_NAME", GCP)),
        "a profile": (BEATS, _variable("AWS_PROFILE", AZURE)),
        "an empty profile": (BEATS, _variable("AWS_PROFILE_NAME", AZURE, "")),
        "a web identity": (BEATS, _variable("AWS_WEB_IDENTITY_TOKEN", AZURE)),
        "a folder for tokens": (TRACE, _variable("OWN", AZURE, "/var/run/secrets/aws/token")),
    },
    "gke_workload_identity": {
        "another project": (NEEDS, _other("VERTEX_PROJECT", GCP), KEYLESS),
        "a project that LiteLLM does not read": (NEEDS, _setting("vertex_project", GCP), KEYLESS),
        "an account that was not answered": (NEEDS, _account({"annotations": {GSA: ACCOUNT}}, GCP), KEYLESS),
        "an account that was answered": (
            NEEDS,
            remove(GCP, at(CHART.service_account, "annotations", GSA)),
            keyless(["gcp"], gcp_gcp_service_account=ACCOUNT),
        ),
        "another service account": (NEEDS, _account({"name": "other"}, GCP), KEYLESS),
        "a credential": (BEATS, _variable("VERTEXAI_CREDENTIALS", GCP), KEYLESS),
        "an empty credential": (BEATS, _variable("GOOGLE_APPLICATION_CREDENTIALS", GCP, ""), KEYLESS),
        "no question to the metadata server": (BEATS, _variable("NO_GCE_CHECK", GCP, "true"), KEYLESS),
        "another metadata server": (BEATS, _variable("GCE_METADATA_HOST", GCP), KEYLESS),
        "a credential of a model": (BEATS, _of_models("vertex_ai/", "vertex_credentials"), KEYLESS),
        "a credential that models name": (BEATS, _credential("vertex_ai/", "vertex_credentials"), KEYLESS),
        "a patch of the engine": (BEATS, _patch("GOOGLE_APPLICATION_CREDENTIALS", "gcp"), KEYLESS),
    },
    "gcp_federation": {
        "a token for somebody else": (NEEDS, _token(0, "audience", "sts.amazonaws.com", AWS), KEYLESS),
        "a token of ten minutes": (NEEDS, _token(1, "expirationSeconds", 600, AZURE), KEYLESS),
        "a token elsewhere": (NEEDS, set_value(AWS, at(CHART.mounts, 0, "mountPath"), "/var/run/google"), KEYLESS),
        "a token that is never renewed": (NEEDS, set_value(AWS, at(CHART.mounts, 0, "subPath"), "token"), KEYLESS),
        "another provider": (NEEDS, _other("VERTEXAI_CREDENTIALS", AWS), KEYLESS),
        "no provider": (NEEDS, _no_variable("VERTEXAI_CREDENTIALS", AZURE), KEYLESS),
        "no project": (NEEDS, _no_variable("VERTEX_PROJECT", AWS), KEYLESS),
        "a project that LiteLLM does not read": (NEEDS, _setting("vertex_project", AZURE), KEYLESS),
        "a key of a service account": (TRACE, _variable("GOOGLE_APPLICATION_CREDENTIALS", AWS), KEYLESS),
        "a credential of a model": (BEATS, _of_models("vertex_ai/", "vertex_ai_credentials"), keyless(["aws"])),
        "a credential of all models": (
            BEATS,
            add(
                CHART.config, {"router_settings": {"default_litellm_params": {"vertex_credentials": REFERENCE}}}, SHARED
            ),
            keyless(["azure"]),
        ),
    },
    "gcp_service_account": {
        "a folder that can be written to": (NEEDS, remove(AWS, at(CHART.mounts, 0, "readOnly"))),
        "a folder elsewhere": (NEEDS, set_value(AWS, at(CHART.mounts, 0, "mountPath"), "/var/secrets/google")),
        "another Secret": (NEEDS, set_value(GCP, at(CHART.volumes, 0, "secret", "secretName"), "litellm-salt-key")),
        "another project": (NEEDS, add(CHART.variables, {"VERTEX_PROJECT": "another-ai"}, GCP)),
        "no path": (NEEDS, _no_variable("GOOGLE_APPLICATION_CREDENTIALS", GCP)),
        "a project that LiteLLM does not read": (NEEDS, _setting("vertex_project", GCP)),
        "another credential": (BEATS, _variable("VERTEXAI_CREDENTIALS", AZURE)),
        "an empty credential": (BEATS, _variable("VERTEXAI_CREDENTIALS", AZURE, "")),
        "an API key in a model": (BEATS, _of_models("vertex_ai/", "api_key")),
        "an account of GKE": (TRACE, _account({"annotations": {GSA: ACCOUNT}}, GCP)),
    },
    "aks_workload_identity": {
        "no label": (NEEDS, remove(AZURE, at(CHART.pod_labels, USE)), KEYLESS),
        "a label that says no": (NEEDS, set_value(AZURE, at(CHART.pod_labels, USE), "false"), KEYLESS),
        "no identity": (NEEDS, remove(AZURE, at(CHART.service_account, "annotations", CLIENT)), KEYLESS),
        "another identity": (NEEDS, _account({"annotations": {CLIENT: TENANT}}, AZURE), KEYLESS),
        "the identity of the node": (NEEDS, _no_variable("AZURE_CREDENTIAL", AZURE), KEYLESS),
        "a setting that is missing": (NEEDS, _setting(ENTRA, AZURE), KEYLESS),
        "a service account that is not created": (NEEDS, _account({"create": False}, AZURE), KEYLESS),
        "another identity in a variable": (BEATS, _variable("AZURE_CLIENT_ID", AZURE), KEYLESS),
        "another token": (BEATS, _variable("AZURE_FEDERATED_TOKEN_FILE", AZURE), KEYLESS),
        "an empty API key": (BEATS, _variable("AZURE_API_KEY", AZURE, ""), KEYLESS),
        "a client secret": (BEATS, _variable("AZURE_CLIENT_SECRET", AZURE), KEYLESS),
        "an API key in a model": (BEATS, _of_models("azure/", "api_key"), KEYLESS),
    },
    "entra_federation": {
        "a token for somebody else": (NEEDS, _token(1, "audience", "sts.amazonaws.com", AWS), KEYLESS),
        "a token of ten minutes": (NEEDS, _token(1, "expirationSeconds", 600, GCP), KEYLESS),
        "a folder that can be written to": (NEEDS, remove(GCP, at(CHART.mounts, 1, "readOnly")), KEYLESS),
        "another identity": (NEEDS, _other("AZURE_CLIENT_ID", GCP, TENANT), KEYLESS),
        "no tenant": (NEEDS, _no_variable("AZURE_TENANT_ID", AWS), KEYLESS),
        "the identity of the node": (NEEDS, _no_variable("AZURE_CREDENTIAL", GCP), KEYLESS),
        "another token": (NEEDS, _other("AZURE_FEDERATED_TOKEN_FILE", AWS, "/var/run/own/token"), KEYLESS),
        "a setting that is missing": (NEEDS, _setting(ENTRA, AWS), KEYLESS),
        "a label of AKS": (TRACE, add(CHART.pod_labels, {USE: "true"}, GCP), KEYLESS),
        "an empty client secret": (BEATS, _variable("AZURE_CLIENT_SECRET", GCP, ""), KEYLESS),
        "an API key": (BEATS, _variable("AZURE_OPENAI_API_KEY", AWS), KEYLESS),
        "a client secret in a model": (BEATS, _of_models("azure/", "client_secret"), keyless(["gcp"])),
        "a credential that models name": (BEATS, _credential("azure/", "api_key"), KEYLESS),
        "a patch of the engine": (BEATS, _patch("AZURE_API_KEY", "aws"), KEYLESS),
    },
    "entra_id": {
        "its Secret not read": (NEEDS, remove_item(AZURE, at(CHART.env_from), "litellm-azure-auth")),
        "an API key": (BEATS, _variable("AZURE_API_KEY", SHARED)),
        "an empty API key": (BEATS, _variable("AZURE_API_KEY", GCP, "")),
        "an API key of the other name": (BEATS, _variable("AZURE_OPENAI_API_KEY", AWS)),
        "an API key in a model": (BEATS, _of_models("azure/", "api_key")),
        "an API key that the proxy sets itself": (
            BEATS,
            add(CHART.config, {"environment_variables": {"AZURE_API_KEY": REFERENCE}}, SHARED),
        ),
        "an API key in a patch": (BEATS, _patch("AZURE_API_KEY", "azure")),
        "the Secret of an API key": (TRACE, add(CHART.env_from, ["litellm-azure-api-key"], GCP)),
        "a token": (TRACE, _variable("AZURE_FEDERATED_TOKEN_FILE", GCP)),
        "a label of AKS": (TRACE, add(CHART.pod_labels, {USE: "true"}, AZURE)),
    },
    "azure_api_key": {
        "its Secret not read": (NEEDS, remove_item(GCP, at(CHART.env_from), "litellm-azure-api-key"), KEY),
        "a key of the other name": (BEATS, _variable("AZURE_OPENAI_API_KEY", GCP), KEY),
        "an empty key of the other name": (BEATS, _variable("AZURE_OPENAI_API_KEY", GCP, ""), KEY),
        "a key in a model": (BEATS, _of_models("azure/", "api_key"), KEY),
        "a key that models name": (BEATS, _credential("azure/", "api_key"), KEY),
        "a tenant": (TRACE, _variable("AZURE_TENANT_ID", GCP), KEY),
        "an application": (TRACE, _variable("AZURE_CLIENT_ID", GCP), KEY),
        "a token": (TRACE, _variable("AZURE_FEDERATED_TOKEN_FILE", GCP), KEY),
        "an identity": (TRACE, _variable("AZURE_CREDENTIAL", GCP, "WorkloadIdentityCredential"), KEY),
        "a label of AKS": (TRACE, add(CHART.pod_labels, {USE: "true"}, GCP), KEY),
        "the application's Secret": (TRACE, add(CHART.env_from, ["litellm-azure-auth"], GCP), KEY),
    },
    "oauth_token": {
        "a token as a folder": (NEEDS, remove(AWS, at(CHART.mounts, 1, "subPath"))),
        "a token that can be written to": (NEEDS, remove(AWS, at(CHART.mounts, 1, "readOnly"))),
        "a token elsewhere": (NEEDS, set_value(GCP, at(CHART.mounts, 1, "mountPath"), "/app/token")),
        "a short-lived key elsewhere": (NEEDS, _other("GITHUB_COPILOT_API_KEY_FILE", GCP, "/app/key.json")),
        "a short-lived key where a pod cannot write": (NEEDS, _no_variable("GITHUB_COPILOT_API_KEY_FILE", AZURE)),
        "no folder": (NEEDS, _no_variable("GITHUB_COPILOT_TOKEN_DIR", AZURE)),
        "another folder": (NEEDS, _other("GITHUB_COPILOT_TOKEN_DIR", AWS, "/tmp")),
        "an API key in a model": (BEATS, _of_models("github_copilot/", "api_key")),
    },
}
DATABASE = keyless(("aws", "azure"), database_auth="keyless", **database_hosts())
ON_NEW_CHART = {**DATABASE, "chart": "litellm"}
MIGRATIONS = "the_migrations_log_in_like_the_proxy"


def _new(*place: str | int) -> tuple[str | int, ...]:
    return ("litellm", *place)


# login -> what can be wrong with it alone
OF_LOGINS: dict[str, dict[str, Fault]] = {
    "rds_iam": {
        "a login by password": (NEEDS, _no_variable("IAM_TOKEN_DB_AUTH", AWS), DATABASE),
        "a token in clear": (NEEDS, _other("DATABASE_SSLMODE", AWS, "prefer"), DATABASE),
        "an address of its own": (
            BEATS,
            append_item(AWS, _new("gateway", "extraEnv"), {"name": "DATABASE_URL", "value": "x"}),
            ON_NEW_CHART,
        ),
        "an AWS key": (BEATS, _variable("AWS_ACCESS_KEY_ID", AWS), DATABASE),
        "both clouds": (BEATS, _variable("AZURE_POSTGRESQL_AUTH", AWS, "True"), DATABASE),
        "migrations without a role": (
            MIGRATIONS,
            set_value(
                "clusters/aws/namespace.yaml",
                ("metadata", "annotations", ROLE),
                "arn:aws:iam::123456789012:role/own",
                1,
            ),
            DATABASE,
        ),
        "a password in the new chart": (NEEDS, remove(AWS, _new(*WRITER, "useIAMAuth")), ON_NEW_CHART),
        "in clear in the new chart": (NEEDS, set_value(AWS, _new(*WRITER, "sslMode"), "prefer"), ON_NEW_CHART),
        "migrations that take the node's role": (
            MIGRATIONS,
            remove(AWS, _new("migrationJob", "extraEnv")),
            ON_NEW_CHART,
        ),
    },
    "entra_database": {
        "a login by password": (NEEDS, _no_variable("AZURE_POSTGRESQL_AUTH", AZURE), DATABASE),
        "a token in clear": (NEEDS, _other("DATABASE_SSLMODE", AZURE, "disable"), DATABASE),
        "a client secret": (BEATS, _variable("AZURE_CLIENT_SECRET", AZURE), DATABASE),
        "an empty password": (BEATS, _variable("AZURE_PASSWORD", AZURE, ""), DATABASE),
        "migrations of another identity": (
            MIGRATIONS,
            set_value("clusters/azure/namespace.yaml", ("metadata", "annotations", CLIENT), TENANT, 1),
            DATABASE,
        ),
        "a password in the new chart": (
            NEEDS,
            set_value(AZURE, _new(*WRITER, "useAzureEntraAuth"), False),
            ON_NEW_CHART,
        ),
        "migrations without a label": (MIGRATIONS, remove(AZURE, _new("migrationJob", "podLabels")), ON_NEW_CHART),
        "migrations that take the node's identity": (
            MIGRATIONS,
            remove(AZURE, _new("migrationJob", "extraEnv", 1)),
            ON_NEW_CHART,
        ),
    },
}

SHOWN = "the_matrix_is_that_of_the_answers"
FAULTS: dict[str, Fault] = {
    "no matrix": (SHOWN, delete(MATRIX)),
    "a method that its cell does not allow": (SHOWN, append_item(MATRIX, ("cells", "aws", "bedrock"), "web_identity")),
    "a method that the recommended one is not": (SHOWN, remove_item(MATRIX, ("cells", "aws", "bedrock"), "irsa")),
    **{f"{method}: {name}": fault for method, faults in OF_METHODS.items() for name, fault in faults.items()},
    **{f"{login}: {name}": fault for login, faults in OF_LOGINS.items() for name, fault in faults.items()},
    "the Secret of another provider in the place of the needed one": (
        NEEDS,
        change(AZURE, "- litellm-azure-auth", "- litellm-gcp-auth"),
        answers(["azure"], ["azure_openai"]),
    ),
    "an AWS user's Secret in what the engine reads": (
        TRACE,
        append(
            "clusters/aws/namespace.yaml",
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: litellm-own\n  namespace: litellm\n"
            "data:\n  secret: litellm-aws-auth\n",
        ),
    ),
    "the project of a provider that was not chosen": (
        TRACE,
        add(CHART.variables, {"VERTEX_PROJECT": "example-ai"}, SHARED),
        SMALL,
    ),
    "the token's folder of a provider that was not chosen": (
        TRACE,
        add(CHART.variables, {"OWN": "/app/github_copilot_custom/access-token"}, GCP),
        SMALL,
    ),
    "the Secret of a provider that was not chosen": (TRACE, add(CHART.env_from, ["litellm-azure-auth"], GCP), SMALL),
    "a model of a provider that was not chosen": (
        "no_unchosen_provider_serves_a_model",
        model({"model": "azure/gpt"}, "gpt"),
        SMALL,
    ),
    "values of an environment that was not chosen": (
        "no_unchosen_environment_leaves_a_file",
        write(AZURE, f"{CHART.name}: {{}}\n"),
        SMALL,
    ),
    "a folder of an environment that was not chosen": (
        "no_unchosen_environment_leaves_a_file",
        write("clusters/aws/README.md", "Soon.\n"),
        SMALL,
    ),
    "an AWS key among the credentials of models": (
        BEATS,
        add(
            CHART.config,
            {
                "credential_list": [
                    {
                        "credential_name": "own",
                        "credential_values": {"aws_secret_access_key": REFERENCE},
                        "credential_info": {},
                    }
                ]
            },
            SHARED,
        ),
    ),
    "an AWS key in a model of another name": (BEATS, model({"model": "sagemaker/own", "aws_access_key_id": REFERENCE})),
    "an AWS key in a Secret of one's own beside a role": (
        BEATS,
        together(
            own_secret("own-keys", of="secrets/gcp/litellm-aws-auth.sops.yaml"), add(CHART.env_from, ["own-keys"])
        ),
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "a model of another service, with a Secret of their own": _own_service,
    "a credential for a model of another service": together(
        add(
            CHART.config,
            {
                "credential_list": [
                    {"credential_name": "own", "credential_values": {"api_key": REFERENCE}, "credential_info": {}}
                ]
            },
            SHARED,
        ),
        model({"model": "openai/gpt", "litellm_credential_name": "own"}),
    ),
    "a model in another account, into which the chosen login goes": model(
        {"model": "bedrock/own", "aws_role_name": "arn:aws:iam::999999999999:role/own", "aws_session_name": "own"}
    ),
    "a model with a key of another project": model(
        {"model": "vertex_ai/own", "vertex_credentials": "/var/secrets/gcp/gcp-service-account.json"}
    ),
}


def test_every_method_has_its_faults() -> None:
    assert set(OF_METHODS) == set(yaml.safe_load((ROOT / MATRIX).read_text("utf-8"))["methods"])
    assert set(OF_LOGINS) == set(yaml.safe_load((ROOT / MATRIX).read_text("utf-8"))["database_logins"])
    assert all(len(faults) >= 8 for faults in (*OF_METHODS.values(), *OF_LOGINS.values()))


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
