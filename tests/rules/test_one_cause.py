"""One cause has one finding, at the file that was changed: where it makes more wrong, the other rules are silent."""

from __future__ import annotations

import secrets
import shutil
import string
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import ENVIRONMENTS, answers, database_hosts, everything, keyless
from tests.support.faults import (
    ANSWERS,
    AWS,
    CHART,
    POLICY,
    RULES,
    SHARED,
    Edit,
    Fault,
    add,
    append,
    append_item,
    at,
    change,
    delete,
    remove,
    remove_item,
    set_value,
    substitute,
    swap,
    together,
    write,
)
from tests.support.findings import Copy, findings, found_by_its_rule_alone, report

REDIS = "litellm-redis.sops.yaml"
LIST, SETTINGS = at(CHART.env_from), at(CHART.config, "litellm_settings")


def renamed(old: str, new: str) -> Edit:
    """Gives a file another name."""

    def apply(root: Path) -> None:
        (root / old).rename(root / new)

    return apply


def link(file: str, target: str) -> Edit:
    """Adds a symbolic link."""

    def apply(root: Path) -> None:
        (root / file).symlink_to(target)

    return apply


def of_another_cluster(root: Path) -> None:
    """Takes a sealed Secret of GKE for the one of EKS."""
    shutil.copy(root / "secrets/gcp" / REDIS, root / "secrets/aws" / REDIS)


def database(root: Path) -> None:
    """Writes the address of a database, with its password, into the values."""
    add(CHART.variables, {"DATABASE_URL": f"postgresql://own:{secrets.token_hex(8)}@db.example.com/own"})(root)


def key(parameter: str, length: int) -> Edit:
    """Writes a key into the model of a provider whose method is keyless."""

    def apply(root: Path) -> None:
        made = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
        set_value(SHARED, at(CHART.model_list, 0, "litellm_params", parameter), made)(root)

    return apply


LISTED, ACCOUNT = "clusters/aws/kustomization.yaml", "clusters/aws/account.yaml"
SERVER = "clusters/aws/argocd-setup/argocd-repo-server.yaml"
ARGOCD, GITLAB = everything(gitops_engine="argocd"), everything(ci_platform="gitlab")
OF_ANSWERS, VALIDATE = "the_list_of_secrets_follows_from_the_answers", ".github/workflows/validate.yaml"
IGNORES, PLAINTEXT = "git_ignores_nothing_that_is_deployed", "no_credential_stands_in_plaintext"
UNSEALED = "no_secret_stands_outside_of_the_sealed_files"
IN_A_LIST = (
    "apiVersion: v1\nkind: List\nitems:\n"
    "  - {apiVersion: v1, kind: Secret, metadata: {name: own}, stringData: {own: of-no-known-form}}\n"
)
GENERATED = (
    "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: own}\nspec:\n  rules:\n    - name: own\n"
    "      generate:\n        apiVersion: v1\n        kind: Secret\n        name: own\n"
    "        data: {type: Opaque, stringData: {own: of-no-known-form}}\n"
)

LOCKED = keyless(chart="litellm", pod_security="restricted", **database_hosts())
NEEDS = "every_chosen_method_has_what_it_needs"
LOST, REFUSED = "every_mount_has_its_volume", "the_api_server_takes_what_values_make"
SPELT = "every_os_environ_reference_is_spelt_right"

FAULTS: dict[str, Fault] = {
    **{
        f"a misspelt place of the chart that no project permits: {len(environments)}": (
            "the_chart_has_an_address",
            substitute("litellm/Chart.yaml", "ghcr.io/berriai", "ghcr.io/beriai"),
            answers(environments, ["bedrock"], gitops_engine="argocd"),
        )
        for environments in (["gcp"], ["gcp", "azure"])
    },
    "an account in capital letters": (NEEDS, substitute(SHARED, "    name: litellm$", "    name: Litellm", 1)),
    "an account without its name": (NEEDS, substitute(SHARED, "^ +name: litellm\n", "", 1), LOCKED),
    "a reference for all models that is misspelt": (NEEDS, change(AWS, "os.environ/VERTEX", "os.enviorn/VERTEX")),
    "a master key whose reference is misspelt": (SPELT, change(SHARED, "os.environ/PROXY_M", "os.evniron/PROXY_M")),
    "a switch of a method that is misspelt": (NEEDS, change(AWS, "token_refresh: true", "token_refresh: ture"), LOCKED),
    "a variable of a method that is misspelt": (NEEDS, change(AWS, "name: AZURE_CRED", "name: AZRUE_CRED"), LOCKED),
    "another Secret of Redis": (
        "the_chart_makes_no_secret_of_its_own",
        change(SHARED, "existingSecret: litellm-redis", "existingSecret: litellm-reds"),
        everything(redis="bundled"),
    ),
    "a database without its name": (
        "the_values_fit_their_schema",
        substitute(SHARED, "dbname: .*", "dbname:"),
        everything(chart="litellm"),
    ),
    "an autoscaler without its least": (
        "the_replicas_are_the_answered_ones",
        substitute(SHARED, r"^ +minReplicas: 2\n", ""),
        everything(max_replicas=6),
    ),
    "a profile that is misspelt": (REFUSED, substitute(SHARED, "RuntimeDefault", "RuntimeDeafult", 1), LOCKED),
    "a file of Copilot that is misspelt": (NEEDS, change(AWS, "COPILOT_API_KEY_FILE", "COPILTO_API_KEY_FILE"), LOCKED),
    "a home that is misspelt": (
        "every_variable_is_one_that_is_read",
        substitute(AWS, "- name: HOME", "- name: HOEM", 1),
        LOCKED,
    ),
    "a volume in capital letters": (REFUSED, substitute(AWS, "- name: scratch", "- name: Scratch", 1), LOCKED),
    "two volumes that became one": (REFUSED, substitute(AWS, "^ +- name: google-token\n", "", 1), LOCKED),
    "the beginning of a volume twice": (
        LOST,
        substitute(AWS, "^( +- name: google-token\n)", r"\1\1", 1),
        LOCKED,
    ),
    "a mount to write in that is misspelt": (
        LOST,
        substitute(AWS, r"- name: scratch(\n +mountPath: /scratch)", r"- name: scrtach\1"),
        LOCKED,
    ),
    "a token without its file": (
        "what_values_put_into_the_pod_fits_its_schema",
        substitute(AWS, "^ +path: token\n", "", 1),
        LOCKED,
    ),
    "a dependency that is begun twice": (
        "the_chart_version_is_exact",
        substitute("litellm/Chart.yaml", "^(  - name: litellm-helm\n)", r"\1\1"),
    ),
    "a misspelt annotation for the class": (
        "the_controller_reads_every_annotation",
        change("clusters/gcp/exposure.yaml", "kubernetes.io/ingress.class", "kubernetes.io/ingress.clas"),
    ),
    "a sealed Secret above the folders of clusters": (
        "nothing_unknown_lies_among_the_sealed_files",
        renamed(f"secrets/aws/{REDIS}", f"secrets/{REDIS}"),
    ),
    "a sealed Secret in a folder of no cluster": (
        "every_value_of_every_secret_is_sealed",
        together(write("secrets/own/.gitkeep", ""), renamed(f"secrets/aws/{REDIS}", f"secrets/own/{REDIS}")),
    ),
    "a sealed Secret that does not say so": (
        "every_needed_secret_is_there",
        renamed(f"secrets/aws/{REDIS}", "secrets/aws/litellm-redis.yaml"),
    ),
    "a folder of Secrets under another name": (
        "nothing_unknown_lies_among_the_sealed_files",
        renamed("secrets/aws", "secrets/eks"),
    ),
    "a folder of Secrets under another name, with Argo CD": (
        "nothing_unknown_lies_among_the_sealed_files",
        renamed("secrets/gcp", "secrets/gke"),
        everything(gitops_engine="argocd"),
    ),
    "a sealed Secret that breaks off": (
        "every_value_of_every_secret_is_sealed",
        substitute(f"secrets/aws/{REDIS}", r"^  (?:mac|mac_only_encrypted|version): .*\n", ""),
    ),
    "a sealed Secret with line ends of Windows": (
        "every_file_has_the_bytes_that_git_stores",
        lambda root: (root / "secrets/aws" / REDIS).write_bytes(
            (root / "secrets/aws" / REDIS).read_bytes().replace(b"\n", b"\r\n")
        ),
    ),
    "values that are no YAML, with a class of Azure's in them": (
        "every_yaml_file_is_yaml",
        substitute(AWS, r"^    AZURE_CLIENT_ID:", "      AZURE_CLIENT_ID:"),
        keyless(),
    ),
    "a cluster twice in the answers, by hand": (
        "the_answers_are_those_that_were_rendered",
        lambda root: (root / ANSWERS).write_text(
            (root / ANSWERS).read_text("utf-8").replace("- gcp\n", "- gcp\n- gcp\n")
        ),
    ),
    "the beginning of a rule of sops twice": (
        "every_cluster_has_one_sound_creation_rule",
        substitute(".sops.yaml", r"^(  - path_regex: \^secrets/aws/.*\n)", r"\1\1"),
    ),
    "what is encrypted, misspelt": (
        "every_cluster_has_one_sound_creation_rule",
        substitute(".sops.yaml", "encrypted_regex", "encrpted_regex", 1),
    ),
    "a checksum twice": (
        "no_key_is_given_twice",
        substitute("litellm/checksums-aws.yaml", r"^( *checksum/litellm-redis: .*)$", r"\1\n\1"),
    ),
    "a switch of the account in words": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("clusters/aws/namespace.yaml", r"Token: false", "Token: fale"),
    ),
    "an object of Flux without a namespace": (
        "every_cluster_has_its_flux_objects",
        substitute("clusters/aws/secrets.yaml", r"^  namespace: flux-system", "  namespace:", count=1),
    ),
    "a checksum without a value": (
        "every_checksum_is_that_of_its_secret",
        substitute("litellm/checksums-aws.yaml", r"litellm-redis: .*", "litellm-redis:"),
    ),
    "a source without a name": (
        "every_name_is_valid",
        substitute("clusters/aws/source.yaml", r'^  name: "litellm-gitops"\n', "", count=1),
    ),
    "a role without a name": (
        "every_name_is_valid",
        substitute("clusters/aws/account.yaml", r"^  name: litellm-flux\n", "", count=1),
    ),
    "an Ingress without a name": (
        "every_name_is_valid",
        substitute("clusters/aws/exposure.yaml", r"^  name: litellm\n", "", count=1),
    ),
    "a role of a kind that is misspelt": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("clusters/aws/account.yaml", r"^kind: Role$", "kin: Role"),
    ),
    "an account without its kind": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("clusters/aws/namespace.yaml", r"^kind: ServiceAccount\n", ""),
    ),
    "an Ingress without its kind": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("clusters/aws/exposure.yaml", r"^kind: Ingress\n", ""),
    ),
    "a list without its version": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("secrets/aws/kustomization.yaml", r"^apiVersion", "aiVersion"),
    ),
    "an object of Flux in a namespace that is misspelt": (
        "every_cluster_has_its_flux_objects",
        substitute("clusters/aws/secrets.yaml", r"^  namespace: flux-system$", "  namespace: flux-systemx", count=1),
    ),
    "a lock without a name": (
        "the_api_server_takes_every_manifest",
        substitute("clusters/aws/kustomization.yaml", r"- name: litellm-lock", "- name:"),
    ),
    "the Secrets under a name that is misspelt": (
        "every_kustomization_lists_exactly_what_is_there",
        substitute("clusters/aws/kustomization.yaml", r"/secrets/aws", "/secrtes/aws"),
    ),
    "a list that is a text": (
        "the_engine_knows_every_field",
        substitute("secrets/aws/kustomization.yaml", r"  - ksops.yaml", "  -ksops.yaml"),
        everything(gitops_engine="argocd"),
    ),
    "a switch of the account in the wrong place": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute("clusters/aws/namespace.yaml", r"^automount", "  automount"),
    ),
    "a variable of a setting that is misspelt": (
        "every_chosen_method_has_what_it_needs",
        substitute(AWS, r"os\.environ/VERTEX_PROJECT", "os.environ/VERTEX_PROECT"),
    ),
    "another master key": (
        "every_request_needs_a_key",
        set_value(SHARED, at(CHART.master_key), "os.environ/MASTER_KEY"),
    ),
    "a key for every provider": (
        "nothing_beats_a_chosen_method",
        set_value(SHARED, (*SETTINGS, "api_key"), "os.environ/OWN_KEY"),
    ),
    "a Secret that is misspelt for every cluster": (
        "values_name_only_secrets_and_keys_that_exist",
        substitute(SHARED, "name: litellm-redis", "name: litelm-redis"),
    ),
    "a variable that is misspelt for every cluster": (
        "every_variable_that_the_proxy_reads_is_set",
        substitute(SHARED, "os.environ/REDIS_PORT", "os.environ/REDIS_PROT"),
    ),
    "keys of the database that changed places": (
        "the_chart_makes_no_secret_of_its_own",
        substitute(
            SHARED,
            "usernameKey: username\n      passwordKey: password",
            "usernameKey: password\n      passwordKey: username",
        ),
    ),
    "the backend of an Ingress as it was before": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute(
            "clusters/aws/exposure.yaml",
            r"(path: /audio, .*)service: .*",
            r"\1serviceName: litellm, servicePort: 4000}}",
        ),
    ),
    "a mount at the place of another": (
        "every_mount_has_its_volume",
        substitute(AWS, "mountPath: /var/secrets/gcp", "mountPath: /app/github_copilot_custom/access-token"),
    ),
    "a port of Redis as a number": ("the_values_fit_their_schema", substitute(AWS, '"6379"', "6379")),
    "a salt key in the values": (
        "no_credential_stands_in_plaintext",
        add(CHART.variables, {"LITELLM_SALT_KEY": "of-no-known-form"}),
    ),
    "a selector of nodes that is a list": ("the_values_fit_their_schema", add(("nodeSelector",), ["own"])),
    "a password in the address of git": (
        "no_credential_stands_in_plaintext",
        substitute("clusters/aws/source.yaml", '^  url: "https://', '  url: "https://own:of-no-known-form@'),
    ),
    "the Secret of another cluster": (
        "no_sealed_value_is_a_copy",
        of_another_cluster,
    ),
    "a sealed file of another version": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute(f"secrets/aws/{REDIS}", "apiVersion: v1", "apiVersion: v2"),
    ),
    "an answer twice, by hand": ("the_answers_are_those_that_were_rendered", append(ANSWERS, "replicas: 5\n")),
    "a link out of the repository, as YAML": (
        "no_link_leads_the_engine_astray",
        link("litellm/own.yaml", "../../x.yaml"),
    ),
    "a link out of the repository, among the Secrets": (
        "nothing_unknown_lies_among_the_sealed_files",
        link("secrets/own", "/etc"),
    ),
    "a part of a Secret from the root": (
        "the_api_server_takes_what_values_make",
        add(CHART.mounts, [{"name": "gcp-service-account", "mountPath": "/x", "subPath": "/y", "readOnly": True}]),
    ),
    "a database in the values": ("no_credential_stands_in_plaintext", database),
    "an image without a tag": ("the_image_is_pinned", set_value(SHARED, at(CHART.image, "tag"), "")),
    "replicas in quotes": ("the_values_fit_their_schema", set_value(SHARED, at(CHART.replicas), "2")),
    "a Secret of another cluster": (
        "no_unchosen_method_leaves_a_trace",
        append_item(AWS, LIST, "litellm-aws-auth"),
    ),
    "a misspelt Secret": (
        "values_name_only_secrets_and_keys_that_exist",
        together(remove_item(AWS, LIST, "litellm-azure-auth"), append_item(AWS, LIST, "litellm-azure-atuh")),
    ),
    "a misspelt Secret in a volume": (
        "values_name_only_secrets_and_keys_that_exist",
        substitute(AWS, "secretName: litellm-gcp-auth", "secretName: litellm-gcp-atuh"),
    ),
    "a sealed file under another name": (
        "every_secret_file_holds_the_secret_of_its_name",
        renamed("secrets/aws/litellm-redis.sops.yaml", "secrets/aws/redis.sops.yaml"),
    ),
    "a namespace in which nothing is": (
        "the_list_of_secrets_follows_from_the_answers",
        substitute("policies/secrets.yml", r"^namespace: litellm$", "namespace: default"),
    ),
    "every sealed file taken from git": ("every_needed_secret_is_there", append(".gitignore", "*.sops.yaml\n")),
    "a lock of another name": (
        "flux_applies_the_secrets",
        set_value("clusters/aws/kustomization.yaml", ("configMapGenerator", 0, "name"), "litellm-locks"),
    ),
    "a generator that nobody lists": (
        "every_kustomization_lists_exactly_what_is_there",
        set_value("secrets/aws/kustomization.yaml", ("generators",), []),
        everything(gitops_engine="argocd"),
    ),
    "a registry that no project permits": (
        "argo_cd_may_fetch_the_chart",
        substitute("litellm/Chart.yaml", r"oci://[^\"]*", "oci://registry.example.com/charts"),
        everything(gitops_engine="argocd"),
    ),
    "a sealed file that is gone": ("every_needed_secret_is_there", delete("secrets/aws/litellm-redis.sops.yaml")),
    "sealed files that git ignores": ("every_needed_secret_is_there", append(".gitignore", "*.sops.yaml\n")),
    "a folder of sealed files that git ignores": ("every_needed_secret_is_there", append(".gitignore", "/secrets/\n")),
    "a link out of the repository": (
        "no_link_leads_the_engine_astray",
        link("clusters/aws/own.yaml", "/etc/hostname"),
    ),
    "a misspelt source of a variable": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(CHART.variable_list, [{"name": "OWN", "valueFrom": {"secretKeyref": {"name": "own", "key": "a"}}}], SHARED),
    ),
}


# (its rule, the one file that is told, the edit, the answers where they are others)
Told = tuple[str, str, Edit] | tuple[str, str, Edit, dict[str, Any]]
ONE: dict[str, Told] = {
    "a list that Flux reads, of another kind": (
        "the_engine_knows_every_field",
        LISTED,
        set_value(LISTED, ("apiVersion",), "kustomize.toolkit.fluxcd.io/v1"),
    ),
    "a list that is a mapping": (
        "the_engine_knows_every_field",
        LISTED,
        set_value(LISTED, ("resources",), {"exposure.yaml": None}),
    ),
    "a generator that is misspelt": (
        "every_kustomization_lists_exactly_what_is_there",
        "secrets/aws/kustomization.yaml",
        set_value("secrets/aws/kustomization.yaml", ("generators", 0), "ksop.yaml"),
        ARGOCD,
    ),
    "another name of Argo CD's container": (
        "argo_cd_runs_ksops",
        SERVER,
        set_value(SERVER, ("spec", "template", "spec", "containers", 0, "name"), "repo-server"),
        ARGOCD,
    ),
    "everything left out at last": (
        "flux_sees_what_it_deploys",
        "clusters/aws/source.yaml",
        substitute("clusters/aws/source.yaml", r"    /\*\n((?:    .*\n)+)", r"\1    /*\n"),
    ),
    "a binding in another namespace": (
        "every_cluster_has_its_flux_objects",
        ACCOUNT,
        set_value(ACCOUNT, ("metadata", "namespace"), "default", document=2),
    ),
    "a misspelt verb": (
        "the_account_of_flux_reaches_the_namespace_alone",
        ACCOUNT,
        together(
            remove_item(ACCOUNT, ("rules", 1, "verbs"), "delete", document=1),
            append_item(ACCOUNT, ("rules", 1, "verbs"), "delet", document=1),
        ),
    ),
    "every verb": (
        "the_account_of_flux_reaches_the_namespace_alone",
        ACCOUNT,
        set_value(ACCOUNT, ("rules", 0, "verbs"), ["*"], document=1),
    ),
    "a token that is mounted by a word": (
        "every_manifest_fits_the_schema_of_its_kind",
        ACCOUNT,
        set_value(ACCOUNT, ("automountServiceAccountToken",), "no"),
    ),
    "Secrets of a registry as texts": (
        "the_values_fit_their_schema",
        SHARED,
        set_value(SHARED, at(CHART.pull_secrets), ["litellm-redis"]),
    ),
    "another scaler by a word": (
        "the_values_fit_their_schema",
        AWS,
        add(CHART.scaled_by_others, {"enabled": "yes"}),
    ),
    "no replica": ("the_values_fit_their_schema", AWS, set_value(AWS, at(CHART.replicas), 0)),
    "a master key in another section": (
        "every_setting_stands_in_its_section",
        SHARED,
        together(
            remove(SHARED, at(CHART.master_key)),
            add(CHART.config, {"router_settings": {"master_key": "os.environ/PROXY_MASTER_KEY"}}, SHARED),
        ),
    ),
    "a misspelt host of Redis": ("redis_is_the_answered_one", AWS, substitute(AWS, "REDIS_HOST", "REDIS_HOSTS")),
    "another Secret in a volume": (
        "values_name_only_secrets_and_keys_that_exist",
        AWS,
        substitute(AWS, "secretName: litellm-github-copilot", "secretName: litellm-copilot"),
    ),
    "a mount of another volume": (
        "every_mount_has_its_volume",
        AWS,
        substitute(AWS, r"- name: github-copilot-token\n      mountPath", "- name: token\n      mountPath"),
    ),
    "values that git ignores": (IGNORES, ".gitignore", append(".gitignore", "values-aws.yaml\n")),
    "all values that git ignores": (IGNORES, ".gitignore", append(".gitignore", "/litellm/*.yaml\n")),
    "workflows that git ignores": (IGNORES, ".gitignore", append(".gitignore", ".github/\n")),
    "jobs that git ignores": (IGNORES, ".gitignore", append(".gitignore", ".gitlab-ci.yml\n"), GITLAB),
    "tests that git ignores": (IGNORES, ".gitignore", append(".gitignore", "/tests/\n")),
    "policies that git ignores": (IGNORES, ".gitignore", append(".gitignore", "/policies/\n")),
    "a renamed Secret in the list": (
        OF_ANSWERS,
        POLICY,
        change(POLICY, "  litellm-masterkey:", "  litellm-master-key:"),
    ),
    "a renamed key in the list": (OF_ANSWERS, POLICY, change(POLICY, "      masterkey: {", "      master-key: {")),
    "a rule of another cluster": (
        "every_cluster_has_one_sound_creation_rule",
        RULES,
        substitute(RULES, r"\^secrets/aws/", "^secrets/gcp/", 1),
    ),
    "another code of sealed values": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        RULES,
        substitute(RULES, "mac_only_encrypted: true", "mac_only_encrypted: false", 1),
    ),
    "a workflow without events": (
        "github_takes_every_workflow",
        VALIDATE,
        substitute(VALIDATE, r"^on:$", "onn:", 1),
    ),
    "steps of a misspelt key": (
        "github_takes_every_workflow",
        VALIDATE,
        substitute(VALIDATE, "    steps:", "    step:", 1),
    ),
    "a misspelt checkout": (
        "every_step_names_what_there_is",
        VALIDATE,
        substitute(VALIDATE, "actions/checkout@", "actions/chekout@", 1),
    ),
    "no namespace": (
        "every_cluster_has_its_flux_objects",
        "clusters/aws/namespace.yaml",
        delete("clusters/aws/namespace.yaml"),
    ),
    "no .gitignore": ("git_ignores_inputs_and_keys", ".gitignore", delete(".gitignore")),
    "a Kustomization in another namespace": (
        "every_cluster_has_its_flux_objects",
        "clusters/aws/secrets.yaml",
        set_value("clusters/aws/secrets.yaml", ("metadata", "namespace"), "litellm"),
    ),
    "a folder of Secrets that is misspelt": (
        "every_kustomization_lists_exactly_what_is_there",
        "clusters/aws/kustomization.yaml",
        substitute("clusters/aws/kustomization.yaml", "secrets/aws", "secret/aws"),
    ),
    "a resource of the account that is misspelt": (
        "every_role_names_what_there_is",
        "clusters/aws/account.yaml",
        substitute("clusters/aws/account.yaml", "secrets, services,", "secrets, service,"),
    ),
    "a sync that is tried no more": (
        "a_failed_sync_is_tried_again",
        "clusters/aws/root.yaml",
        remove("clusters/aws/root.yaml", ("spec", "syncPolicy", "retry")),
        ARGOCD,
    ),
    "nothing that brings the commit": (
        "the_release_goes_to_the_commit_of_its_secrets",
        "clusters/aws/root.yaml",
        remove("clusters/aws/root.yaml", ("spec", "source", "kustomize")),
        ARGOCD,
    ),
    "a project for another namespace": (
        "the_project_permits_its_applications",
        "clusters/aws/project.yaml",
        set_value("clusters/aws/project.yaml", ("spec", "sourceNamespaces", 0), "litelm"),
        ARGOCD,
    ),
    "Secrets of the generator under another key": (
        "every_kustomization_lists_exactly_what_is_there",
        "secrets/aws/kustomization.yaml",
        substitute("secrets/aws/kustomization.yaml", "generators:", "resources:"),
        ARGOCD,
    ),
    "a Secret that the generator lacks": (
        "every_kustomization_lists_exactly_what_is_there",
        "secrets/aws/ksops.yaml",
        substitute("secrets/aws/ksops.yaml", r"  - ./litellm-redis.sops.yaml\n", ""),
        ARGOCD,
    ),
    "programs that git ignores": (IGNORES, ".gitignore", append(".gitignore", "hooks/\n")),
    "a release that git ignores": (IGNORES, ".gitignore", append(".gitignore", "release/\n")),
    "every manifest that git ignores": (IGNORES, ".gitignore", append(".gitignore", "*.yaml\n")),
    **{
        f"a file that git ignores: {name}": (IGNORES, ".gitignore", append(".gitignore", f"{name}\n"))
        for name in (".sops.yaml", ".copier-answers.yml", ".pre-commit-config.yaml", "pyproject.toml", "renovate.json")
    },
    "a private key among the recipients": (
        PLAINTEXT,
        ".sops.yaml",
        append_item(".sops.yaml", ("creation_rules", 0, "age"), "AGE-SECRET-" + "KEY-1" + "Q" * 58),
    ),
    "a key of AWS in a model": (PLAINTEXT, SHARED, key("aws_secret_access_key", 40)),
    "a key in a model": ("nothing_beats_a_chosen_method", SHARED, key("api_key", 32)),
    "a sealed file in a folder of its own": (
        "nothing_unknown_lies_among_the_sealed_files",
        f"secrets/aws/redis/{REDIS}",
        together(
            write(f"secrets/aws/redis/{REDIS}", ""), renamed(f"secrets/aws/{REDIS}", f"secrets/aws/redis/{REDIS}")
        ),
    ),
    "a value beside the sealed ones": (
        "every_value_of_every_secret_is_sealed",
        f"secrets/aws/{REDIS}",
        substitute(f"secrets/aws/{REDIS}", r"^stringData:\n", "stringData:\n  username: own\n"),
    ),
    "a label that Kubernetes refuses on a sealed Secret": (
        "every_name_is_valid",
        f"secrets/aws/{REDIS}",
        substitute(f"secrets/aws/{REDIS}", "^  namespace: litellm", "  namespace: litellm\n  labels: {tier: a b}"),
    ),
    "a Secret whose name has a capital letter": (
        "every_name_is_valid",
        f"secrets/aws/{REDIS}",
        substitute(f"secrets/aws/{REDIS}", "^  name: litellm-redis", "  name: Litellm-redis"),
    ),
    "a Secret in a script": (
        UNSEALED,
        "scripts/own.sh",
        write("scripts/own.sh", "kubectl apply -f - <<EOF\nkind: Secret\nstringData:\n  token: Ahz8chei4Ooy\nEOF\n"),
    ),
    "recipients under another name": (
        "every_cluster_has_one_sound_creation_rule",
        ".sops.yaml",
        substitute(".sops.yaml", "^    age:", "    recipients:", count=1),
    ),
    "a Secret that is declared for no cluster": (
        "every_declaration_is_needed",
        "policies/suite.yml",
        together(
            set_value("policies/suite.yml", ("secrets",), [{"name": "own", "made_by": "vault", "clusters": ["eks"]}]),
            add(CHART.env_from, ["own"]),
        ),
    ),
    "a Secret that is declared by another name": (
        "values_name_only_secrets_and_keys_that_exist",
        "litellm/values-aws.yaml",
        together(
            set_value("policies/suite.yml", ("secrets",), [{"name": "openia", "made_by": "vault"}]),
            add(CHART.env_from, ["openai"]),
        ),
    ),
    "two sealed files of a cluster swapped": (
        "every_secret_file_holds_the_secret_of_its_name",
        f"secrets/aws/{REDIS}",
        swap(f"secrets/aws/{REDIS}", "secrets/aws/litellm-salt-key.sops.yaml"),
    ),
    "sealed files of two clusters swapped": (
        "every_checksum_is_that_of_its_secret",
        f"secrets/aws/{REDIS}",
        swap(f"secrets/aws/{REDIS}", f"secrets/gcp/{REDIS}"),
    ),
    "checksums of two clusters swapped": (
        "every_checksum_is_that_of_its_secret",
        "litellm/checksums-aws.yaml",
        swap("litellm/checksums-aws.yaml", "litellm/checksums-gcp.yaml"),
    ),
    "checksums under another chart": (
        "the_values_fit_their_schema",
        "litellm/checksums-aws.yaml",
        substitute("litellm/checksums-aws.yaml", r"^litellm-helm:", "litellm:"),
    ),
    "a checksum of a misspelt name": (
        "every_checksum_is_that_of_its_secret",
        "litellm/checksums-aws.yaml",
        substitute("litellm/checksums-aws.yaml", "checksum/litellm-redis", "cheksum/litellm-redis"),
    ),
    **{
        f"no {kind} beside others": (
            "every_cluster_has_its_flux_objects",
            "clusters/aws/account.yaml",
            substitute(
                "clusters/aws/account.yaml", rf"(?s)(?:\A|---\n)[^-]*?apiVersion: \S+\nkind: {kind}\n.*?(?=---|\Z)", ""
            ),
        )
        for kind in ("Role", "RoleBinding")
    },
    "no account of the migrations": (
        "the_migrations_have_no_token",
        "clusters/aws/namespace.yaml",
        substitute("clusters/aws/namespace.yaml", r"(?s)---.*", ""),
    ),
    "an account of Flux under another name": (
        "every_cluster_has_its_flux_objects",
        "clusters/aws/account.yaml",
        set_value("clusters/aws/account.yaml", ("metadata", "name"), "litellm-flux"),
    ),
    "an entry point that a pipeline misspells": (
        "every_entry_point_that_is_called_is_there",
        ".github/workflows/validate.yaml",
        change(".github/workflows/validate.yaml", "hooks/auth_matrix.py", "hooks/auth_matrx.py"),
    ),
    "another commit of the tooling for the commit hooks": (
        "everything_runs_the_same_commit_of_the_tooling",
        ".pre-commit-config.yaml",
        substitute(".pre-commit-config.yaml", "0123456789abcdef", "fedcba9876543210", 1),
    ),
    "rules that a test claims no more": (
        "pytest_runs_the_whole_suite",
        "tests/test_sealing.py",
        change("tests/test_sealing.py", '"plaintext", ', ""),
    ),
    "a test less": ("pytest_runs_the_whole_suite", "tests/test_sealing.py", delete("tests/test_sealing.py")),
    "a Secret in a list of objects": (UNSEALED, "apps/own.yaml", write("apps/own.yaml", IN_A_LIST)),
    "a Secret that Kyverno makes": (UNSEALED, "apps/own.yaml", write("apps/own.yaml", GENERATED)),
}


@pytest.mark.parametrize("fault", ONE.values(), ids=[*ONE])
def test_a_fault_is_told_once_where_it_stands(fault: Told, repository: Copy) -> None:
    rule, file, edit = fault[:3]
    root = repository(fault[3] if len(fault) > 3 else everything())
    edit(root)
    found = findings(root)
    assert [(each.code, each.file) for each in found] == [(rule, file)], report(found) or "nothing is found"


def test_a_trace_of_a_method_for_every_cluster_is_told_where_it_stands(repository: Copy) -> None:
    root = repository(everything())
    add(CHART.variables, {"AZURE_AUTHORITY_HOST": "https://login.example.com"}, SHARED)(root)
    found = findings(root)
    assert len(found) == 1, report(found)


def test_a_profile_that_is_missing_is_told_where_it_belongs(repository: Copy) -> None:
    root = repository(everything())
    set_value(SHARED, at(CHART.pod_security[0], "seccompProfile"), {"type": "Localhost"})(root)
    (found,) = findings(root)
    assert found.file == SHARED


def test_rights_that_are_no_more_limited_are_told_once(repository: Copy) -> None:
    root = repository(everything(pod_security="restricted"))
    remove(SHARED, at(CHART.container_security[0]))(root)
    found = findings(root)
    assert len(found) == 1, report(found)


def test_the_port_of_all_ways_in_is_told_once(repository: Copy) -> None:
    gateways = {f"{environment}_gateway": "gateways/public" for environment in ENVIRONMENTS}
    root = repository(everything(exposure="gateway", **gateways))
    substitute("clusters/aws/exposure.yaml", "port: 4000", "port: 80", 1)(root)
    found = findings(root)
    assert len(found) == 1, report(found)


def test_what_wins_over_every_method_is_told_once(repository: Copy) -> None:
    root = repository(everything())
    FAULTS["a key for every provider"][1](root)
    found = findings(root)
    assert len(found) == 1, report(found)


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
