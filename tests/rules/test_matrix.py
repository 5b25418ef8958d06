"""Faults and edits of the auth matrix."""

from __future__ import annotations

from pathlib import Path

from tests.support.answers import answers
from tests.support.faults import (
    AWS,
    AZURE,
    CHART,
    GCP,
    SHARED,
    Edit,
    Fault,
    add,
    append,
    at,
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

SMALL = answers(["gcp"], ["bedrock"])
NEEDS, TRACE, BEATS = (
    "every_chosen_method_has_what_it_needs",
    "no_unchosen_method_leaves_a_trace",
    "nothing_beats_a_chosen_method",
)
ROLE = "eks.amazonaws.com/role-arn"
REFERENCE = "os.environ/REDIS_HOST"


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


# In values-aws.yaml the credential of Google Cloud is mounted first, then that of Copilot.
FAULTS: dict[str, Fault] = {
    # ----- no less -----
    "another service account for the role": (NEEDS, add(CHART.service_account, {"name": "other"})),
    "another role": (NEEDS, add(CHART.service_account, {"annotations": {ROLE: "arn:aws:iam::123456789012:role/own"}})),
    "no role": (NEEDS, remove(AWS, at(CHART.service_account, "annotations", ROLE))),
    "a service account that is not created": (NEEDS, add(CHART.service_account, {"create": False})),
    "the AWS user's Secret not read": (NEEDS, remove_item(GCP, at(CHART.env_from), "litellm-aws-auth")),
    "the Entra ID application's Secret not read": (
        NEEDS,
        remove_item(AZURE, at(CHART.env_from), "litellm-azure-auth"),
    ),
    "a credential that can be written to": (NEEDS, remove(AWS, at(CHART.mounts, 0, "readOnly"))),
    "a credential mounted elsewhere": (NEEDS, set_value(AWS, at(CHART.mounts, 0, "mountPath"), "/var/secrets/google")),
    "a volume of another Secret": (
        NEEDS,
        set_value(GCP, at(CHART.volumes, 0, "secret", "secretName"), "litellm-salt-key"),
    ),
    "another Google Cloud project": (NEEDS, add(CHART.variables, {"VERTEX_PROJECT": "another-ai"}, GCP)),
    "no path to the Google credential": (NEEDS, remove(GCP, at(CHART.variables, "GOOGLE_APPLICATION_CREDENTIALS"))),
    "a project that LiteLLM does not read": (
        NEEDS,
        remove(GCP, at(CHART.config, "litellm_settings", "vertex_project")),
    ),
    "the Copilot token as a folder": (NEEDS, remove(AWS, at(CHART.mounts, 1, "subPath"))),
    "a Copilot key where a pod cannot write": (
        NEEDS,
        remove(AZURE, at(CHART.variables, "GITHUB_COPILOT_API_KEY_FILE")),
    ),
    # ----- no more -----
    "an AWS user's Secret beside a role": (TRACE, add(CHART.env_from, ["litellm-aws-auth"])),
    "an AWS user's Secret in what the engine reads": (
        TRACE,
        append(
            "clusters/aws/namespace.yaml",
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n"
            "data:\n  secret: litellm-aws-auth\n",
        ),
    ),
    "a role outside of EKS": (TRACE, add(CHART.service_account, {"annotations": {ROLE: "arn"}}, GCP)),
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
    # ----- nothing that wins -----
    "an AWS key in a variable beside a role": (BEATS, add(CHART.variables, {"AWS_ACCESS_KEY_ID": "example"})),
    "an AWS key in every cluster": (
        BEATS,
        add(CHART.variable_list, [{"name": "AWS_BEARER_TOKEN_BEDROCK", "value": "x"}], SHARED),
    ),
    "an AWS key in a model beside a role": (
        BEATS,
        each_model("bedrock/amazon.titan", lambda model: model.update(aws_secret_access_key=REFERENCE)),
    ),
    "an API key for Azure OpenAI": (
        BEATS,
        add(CHART.variable_list, [{"name": "AZURE_API_KEY", "value": "x"}], SHARED),
    ),
    "an API key in a model of Azure OpenAI": (
        BEATS,
        each_model("azure/", lambda model: model.update(api_key=REFERENCE)),
    ),
    "a profile beside a role": (BEATS, add(CHART.variables, {"AWS_PROFILE": "example"})),
    "another role in a variable": (
        BEATS,
        add(CHART.variables, {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/other"}),
    ),
    "an AWS key in a variable that the proxy sets itself": (
        BEATS,
        add(CHART.config, {"environment_variables": {"AWS_ACCESS_KEY_ID": REFERENCE}}, SHARED),
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
    "a model with a key of another project": model(
        {"model": "vertex_ai/own", "vertex_credentials": "/var/secrets/gcp/gcp-service-account.json"}
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
