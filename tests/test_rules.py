"""Each mistake in a repository is told by the rule meant for it and by no other; what is a user's own is not told."""

from __future__ import annotations

import random
import re
import secrets
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rules
import yaml

from tests.answers import answers, everything
from tests.checked import UNREADABLE, broken, told
from tests.faults import Fault, append, both, change, delete, drop
from tests.stock import refresh

ANSWERS = ".copier-answers.yml"
SHARED = "litellm/values.yaml"
AWS, GCP, AZURE = (f"litellm/values-{environment}.yaml" for environment in ("aws", "gcp", "azure"))
MATRIX = "policies/auth-matrix.yml"
POLICY = "policies/secrets.yml"
REDIS = "secrets/aws/litellm-redis.sops.yaml"
SALT = "secrets/gcp/litellm-salt-key.sops.yaml"
GCP_CHECKSUMS = "litellm/checksums-gcp.yaml"

SEALED_VALUE = re.compile(r"ENC\[AES256_GCM,[^\]]+type:str\]")


def write(file: str, text: str) -> Fault:
    """Puts a file in place of what is there."""
    return lambda root: _write(root / file, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def write_bytes(file: str, content: bytes) -> Fault:
    """Puts a file that is no text in place of what is there."""

    def apply(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)

    return apply


def under(section: str, lines: str, file: str = AWS) -> Fault:
    """Adds lines to a section of values, two spaces deep."""
    return change(file, f"\n  {section}:\n", f"\n  {section}:\n{lines}")


def also(lines: str, file: str = AWS) -> Fault:
    """Adds a section to values, two spaces deep."""
    return change(file, "\n  ingress:\n", f"\n{lines}\n  ingress:\n")


def model(lines: str) -> Fault:
    """Adds a model."""
    return change(SHARED, "\n    model_list:\n", f"\n    model_list:\n{lines}")


def sealed_as(old: str, new: str, file: str = REDIS) -> Fault:
    """Changes a sealed Secret, and its checksum with it."""
    return both(change(file, old, new), refresh)


def plaintext(file: str = REDIS, value: str = "plain") -> Fault:
    """Puts a value in plaintext into a sealed Secret, and its checksum with it."""

    def apply(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        _write(root / file, SEALED_VALUE.sub(value, text, count=1))
        refresh(root)

    return apply


def own_secret(name: str, *, of: str, listed: bool = True) -> Fault:
    """A Secret of the user's own in secrets/aws, sealed like the one that it is copied from."""

    def apply(root: Path) -> None:
        text = (root / of).read_text("utf-8")
        former = Path(of).name.removesuffix(".sops.yaml")
        file = root / "secrets" / "aws" / f"{name}.sops.yaml"
        _write(file, text.replace(f"name: {former}", f"name: {name}"))
        if listed:
            append("secrets/aws/kustomization.yaml", f"  - {name}.sops.yaml\n")(root)
        refresh(root)

    return apply


def text_of(length: int, alphabet: str = string.ascii_uppercase + string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def canary(form: str, file: str = "README.md") -> Fault:
    """A made-up credential, made when the test runs, so that no file of this project holds one."""

    def apply(root: Path) -> None:
        made = {
            "aws": "AKIA" + text_of(16),
            "github": "gho_" + text_of(36),
            "age": "AGE-SECRET-" + "KEY-1" + text_of(58),
            "pem": "-----BEGIN " + "PRIVATE KEY-----\n" + text_of(64),
            "proxy": "sk-" + text_of(32, "0123456789abcdef"),
            "url": f"postgresql://litellm:{text_of(20)}@db.example.internal/litellm",
        }[form]
        comment = "# " if file.endswith(".yaml") else ""
        append(file, "".join(f"{comment}{line}\n" for line in made.splitlines()))(root)

    return apply


# A mistake -> the rule that tells it, in a repository with everything: three environments, four providers, an existing
# Redis, TLS, Flux.
FAULTS: dict[str, tuple[str, Fault]] = {
    # ----- files -----
    "a bracket that is not closed": (
        "every_yaml_file_is_yaml",
        append("policies/renovate.yaml", "broken: [\n"),
    ),
    "values that are not YAML": (
        "every_yaml_file_is_yaml",
        append(AZURE, " wrong\n   indentation: {\n"),
    ),
    "a sealed file that is not YAML": ("every_yaml_file_is_yaml", append(REDIS, "}\n")),
    "a file in Latin-1": (
        "every_yaml_file_is_yaml",
        write_bytes("docs.yaml", "name: José\n".encode("latin-1")),
    ),
    "a key given twice in values": (
        "no_key_is_given_twice",
        change(SHARED, "replicaCount: 2", "replicaCount: 1\n  replicaCount: 2"),
    ),
    "a key given twice deep in a list": (
        "no_key_is_given_twice",
        change(AWS, "pathType: Prefix", "pathType: Exact\n            pathType: Prefix"),
    ),
    "an octal number": (
        "yaml_means_the_same_to_every_reader",
        change(SHARED, "request_timeout: 600", "request_timeout: 0600"),
    ),
    "a time that is a number": (
        "yaml_means_the_same_to_every_reader",
        change(SHARED, "set_verbose: false", "set_verbose: false\n      start: 12:30:45"),
    ),
    "a yes that is true to Helm alone": (
        "yaml_means_the_same_to_every_reader",
        change(SHARED, "set_verbose: false", "set_verbose: no"),
    ),
    "a tab in values": ("no_yaml_holds_a_tab", append(AWS, "# one\ttwo\n")),
    "a merge marker in the README": (
        "no_merge_is_left_unfinished",
        append("README.md", "<<<<<<< before updating\nmine\n=======\n>>>>>>> after updating\n"),
    ),
    "a merge marker in values": (
        "no_merge_is_left_unfinished",
        change(AZURE, "  ingress:\n", "<<<<<<< before updating\n  ingress:\n"),
    ),
    "a rejected part of an update": (
        "no_merge_is_left_unfinished",
        append("litellm/values.yaml.rej", "@@\n"),
    ),
    # ----- the auth matrix: no less -----
    "another role": (
        "every_chosen_method_has_what_it_needs",
        change(AWS, "role/litellm-bedrock", "role/another"),
    ),
    "no role": ("every_chosen_method_has_what_it_needs", drop(AWS, "eks.amazonaws.com/role-arn")),
    "a service account that is not created": (
        "every_chosen_method_has_what_it_needs",
        change(AWS, "create: true", "create: false"),
    ),
    "the AWS user's Secret not read": (
        "every_chosen_method_has_what_it_needs",
        drop(GCP, "- litellm-aws-auth"),
    ),
    "the Entra ID application's Secret not read": (
        "every_chosen_method_has_what_it_needs",
        drop(AZURE, "- litellm-azure-auth"),
    ),
    "a credential that can be written to": (
        "every_chosen_method_has_what_it_needs",
        change(
            AWS, "mountPath: /var/secrets/gcp\n      readOnly: true", "mountPath: /var/secrets/gcp"
        ),
    ),
    "a credential mounted elsewhere": (
        "every_chosen_method_has_what_it_needs",
        change(AWS, "mountPath: /var/secrets/gcp", "mountPath: /var/secrets/google"),
    ),
    "a volume of another Secret": (
        "every_chosen_method_has_what_it_needs",
        change(GCP, "secretName: litellm-gcp-auth", "secretName: litellm-salt-key"),
    ),
    "another Google Cloud project": (
        "every_chosen_method_has_what_it_needs",
        change(GCP, 'VERTEX_PROJECT: "example-ai"', 'VERTEX_PROJECT: "another-ai"'),
    ),
    "no path to the Google credential": (
        "every_chosen_method_has_what_it_needs",
        drop(GCP, "GOOGLE_APPLICATION_CREDENTIALS"),
    ),
    "a project that LiteLLM does not read": (
        "every_chosen_method_has_what_it_needs",
        change(GCP, 'vertex_project: "os.environ/VERTEX_PROJECT"', "num_retries: 2"),
    ),
    "the Copilot token as a folder": (
        "every_chosen_method_has_what_it_needs",
        drop(AWS, "subPath: access-token"),
    ),
    "a Copilot key where a pod cannot write": (
        "every_chosen_method_has_what_it_needs",
        drop(AZURE, "GITHUB_COPILOT_API_KEY_FILE"),
    ),
    # ----- the auth matrix: no more -----
    "an AWS user's Secret beside a role": (
        "no_unchosen_method_leaves_a_trace",
        under("environmentSecrets", "    - litellm-aws-auth\n"),
    ),
    "an AWS user's Secret in what the engine reads": (
        "no_unchosen_method_leaves_a_trace",
        append(
            "clusters/aws/namespace.yaml",
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n"
            "data:\n  secret: litellm-aws-auth\n",
        ),
    ),
    "a role outside of EKS": (
        "no_unchosen_method_leaves_a_trace",
        also('  serviceAccount:\n    annotations:\n      eks.amazonaws.com/role-arn: "arn"\n', GCP),
    ),
    "an AWS key in a variable beside a role": (
        "nothing_beats_a_chosen_method",
        under("envVars", '    AWS_ACCESS_KEY_ID: "example"\n'),
    ),
    "an AWS key in every environment": (
        "nothing_beats_a_chosen_method",
        under("extraEnvVars", '    - name: AWS_BEARER_TOKEN_BEDROCK\n      value: "x"\n', SHARED),
    ),
    "an AWS key in a model beside a role": (
        "nothing_beats_a_chosen_method",
        change(
            SHARED,
            "model: bedrock/amazon.titan-embed-text-v2:0",
            "model: bedrock/amazon.titan-embed-text-v2:0\n          aws_secret_access_key: os.environ/REDIS_HOST",
        ),
    ),
    "an API key for Azure OpenAI": (
        "nothing_beats_a_chosen_method",
        under("extraEnvVars", '    - name: AZURE_API_KEY\n      value: "x"\n', SHARED),
    ),
    "an API key in a model of Azure OpenAI": (
        "nothing_beats_a_chosen_method",
        lambda root: _sub(
            root / SHARED, r"(model: azure/.*\n)", r"\1          api_key: os.environ/REDIS_HOST\n"
        ),
    ),
    "an AWS key in a Secret of one's own beside a role": (
        "nothing_beats_a_chosen_method",
        both(
            own_secret("own-keys", of="secrets/gcp/litellm-aws-auth.sops.yaml"),
            under("environmentSecrets", "    - own-keys\n"),
        ),
    ),
    # ----- chart and engine -----
    "no name for the master key's Secret": (
        "the_chart_makes_no_secret_of_its_own",
        change(SHARED, "masterkeySecretName: litellm-masterkey", 'masterkeySecretName: ""'),
    ),
    "another key of the master key's Secret": (
        "the_chart_makes_no_secret_of_its_own",
        change(SHARED, "masterkeySecretKey: masterkey", "masterkeySecretKey: key"),
    ),
    "a database of the chart's own": (
        "the_chart_makes_no_secret_of_its_own",
        change(SHARED, "deployStandalone: false", "deployStandalone: true"),
    ),
    "a database of the chart's own in one environment": (
        "the_chart_makes_no_secret_of_its_own",
        also("  db:\n    useExisting: false\n", AZURE),
    ),
    "another key for the database's host": (
        "the_chart_makes_no_secret_of_its_own",
        change(SHARED, "endpointKey: host", "endpointKey: endpoint"),
    ),
    "migrations that are no Helm hook": (
        "the_migrations_run_before_the_pods",
        change(SHARED, "helm:\n        enabled: true", "helm:\n        enabled: false"),
    ),
    "no migrations": (
        "the_migrations_run_before_the_pods",
        change(SHARED, "migrationJob:\n    enabled: true", "migrationJob:\n    enabled: false"),
    ),
    "a proxy without a master key": (
        "every_request_needs_a_key",
        drop(SHARED, "master_key: os.environ/PROXY_MASTER_KEY"),
    ),
    "a master key in a variable": (
        "every_request_needs_a_key",
        under("envVars", '    PROXY_MASTER_KEY: "example"\n', SHARED),
    ),
    "an image that moves": (
        "the_image_is_pinned",
        lambda root: _sub(root / SHARED, r'tag: ".*"', 'tag: "latest"'),
    ),
    "an image whose authentication can be bypassed": (
        "the_image_is_pinned",
        lambda root: _sub(root / SHARED, r'tag: ".*"', 'tag: "v1.83.14"'),
    ),
    "a range of chart versions": (
        "the_chart_version_is_exact",
        lambda root: _sub(root / "litellm/Chart.yaml", r'version: "(\d.*)"', r'version: "^\1"'),
    ),
    "a chart from nowhere": (
        "the_chart_version_is_exact",
        change("litellm/Chart.yaml", "oci://ghcr.io/", "ghcr.io/"),
    ),
    "a chart under another name": (
        "the_chart_version_is_exact",
        append("litellm/Chart.yaml", "    alias: proxy\n"),
    ),
    "no chart": ("the_chart_version_is_exact", delete("litellm/Chart.yaml")),
    "a variable that is set twice": (
        "no_variable_is_set_twice",
        under("envVars", '    REDIS_PORT: "6380"\n'),
    ),
    "a variable that hides a Secret's": (
        "no_variable_is_set_twice",
        under("envVars", '    LITELLM_SALT_KEY: "example"\n'),
    ),
    "a mount without a volume": (
        "every_mount_has_its_volume",
        under("volumeMounts", "    - name: certificates\n      mountPath: /certificates\n"),
    ),
    "two mounts at one path": (
        "every_mount_has_its_volume",
        under(
            "volumeMounts", "    - name: gcp-service-account\n      mountPath: /var/secrets/gcp\n"
        ),
    ),
    "a misspelt value": (
        "the_values_fit_their_schema",
        also("  enviromentSecrets:\n    - litellm-salt-key\n"),
    ),
    "a value beside the chart's name": (
        "the_values_fit_their_schema",
        append(AWS, "autoscaling:\n  enabled: true\n"),
    ),
    "a value among the checksums": (
        "every_checksum_is_that_of_its_secret",
        append(GCP_CHECKSUMS, "  replicaCount: 3\n"),
    ),
    "a number in quotes": (
        "the_values_fit_their_schema",
        also('  replicaCount: "3"\n', GCP),
    ),
    "no schema": ("the_values_fit_their_schema", delete("litellm/values.schema.json")),
    "a variable that nothing sets": (
        "every_variable_that_the_proxy_reads_is_set",
        model(
            "      - model_name: ours\n        litellm_params:\n"
            "          model: openai/gpt\n          api_key: os.environ/OPENAI_API_KEY\n"
        ),
    ),
    "a variable with a misspelt name": (
        "every_variable_that_the_proxy_reads_is_set",
        change(SHARED, "os.environ/REDIS_PORT", "os.environ/REDIS_PROXY_PORT"),
    ),
    # ----- Kubernetes -----
    "a version of Kubernetes that is not known": (
        "the_kubernetes_version_is_known",
        lambda root: _sub(root / ANSWERS, r"kubernetes_version: .*", "kubernetes_version: '1.99'"),
    ),
    "a field that Kubernetes does not know": (
        "every_manifest_fits_the_schema_of_its_kind",
        append("clusters/aws/namespace.yaml", "specs: {}\n"),
    ),
    "a label that is a number": (
        "every_manifest_fits_the_schema_of_its_kind",
        sealed_as("  namespace: litellm\n", "  namespace: litellm\n  labels:\n    tier: 1\n"),
    ),
    "a manifest of no kind": (
        "every_manifest_fits_the_schema_of_its_kind",
        write("secrets/README.yaml", "name: none\n"),
    ),
    "an API version that does not exist": (
        "every_manifest_fits_the_schema_of_its_kind",
        sealed_as("apiVersion: v1\n", "apiVersion: v2\n"),
    ),
    "a removed API version": (
        "every_manifest_fits_the_schema_of_its_kind",
        write(
            "extra/ingress.yaml",
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata:\n  name: own\n",
        ),
    ),
    "a label that Kubernetes refuses": (
        "every_name_is_valid",
        sealed_as(
            "  namespace: litellm\n", "  namespace: litellm\n  labels:\n    tier: front end\n"
        ),
    ),
    "an annotation with two prefixes": (
        "every_name_is_valid",
        also('  podAnnotations:\n    example.com/own/name: "x"\n'),
    ),
    "an annotation that is a number": (
        "the_values_fit_their_schema",
        also("  podAnnotations:\n    example.com/port: 8080\n"),
    ),
    "a volume in upper case": (
        "every_name_is_valid",
        under("volumes", "    - name: Cache\n      emptyDir: {}\n"),
    ),
    "a variable with a space": ("every_name_is_valid", under("envVars", '    "LOG LEVEL": "x"\n')),
    # ----- references -----
    "a Secret that the answers need and the list lacks": (
        "the_list_of_secrets_follows_from_the_answers",
        change(
            MATRIX,
            "\nsecrets:\n",
            "\nsecrets:\n  litellm-license:\n    when: always\n    keys:\n      key: {inputs: [KEY]}\n",
        ),
    ),
    "a Secret that is missing": ("every_needed_secret_is_there", delete(REDIS)),
    "a Secret without one of its keys": (
        "every_needed_secret_is_there",
        both(drop("secrets/gcp/litellm-aws-auth.sops.yaml", "AWS_SECRET_ACCESS_KEY:"), refresh),
    ),
    "a Secret with a key that nobody asked for": (
        "every_needed_secret_is_there",
        lambda root: _duplicate_value(root / REDIS),
    ),
    "a Secret under another name": (
        "every_secret_file_holds_the_secret_of_its_name",
        sealed_as("name: litellm-redis", "name: redis"),
    ),
    "a Secret in another namespace": (
        "every_secret_file_holds_the_secret_of_its_name",
        sealed_as("namespace: litellm", "namespace: default"),
    ),
    "a Secret that was emptied": (
        "every_secret_file_holds_the_secret_of_its_name",
        write(REDIS, ""),
    ),
    "a list of Secrets that was emptied": (
        "every_kustomization_lists_exactly_what_is_there",
        write("secrets/gcp/kustomization.yaml", "# nothing\n"),
    ),
    "a Secret whose values stand in data": (
        "every_secret_file_holds_the_secret_of_its_name",
        sealed_as("\nstringData:", "\ndata:"),
    ),
    "a Secret that no answer needs": (
        "no_secret_is_orphaned",
        own_secret("litellm-aws-auth", of="secrets/gcp/litellm-aws-auth.sops.yaml"),
    ),
    "a salt key that the proxy never sees": (
        "no_secret_is_orphaned",
        drop(GCP, "- litellm-salt-key"),
    ),
    "a Secret that does not exist": (
        "values_name_only_secrets_and_keys_that_exist",
        under("environmentSecrets", "    - own-variables\n"),
    ),
    "a key that the Secret does not have": (
        "values_name_only_secrets_and_keys_that_exist",
        change(SHARED, "key: redis-password", "key: password"),
    ),
    "a mounted key that the Secret does not have": (
        "values_name_only_secrets_and_keys_that_exist",
        under(
            "volumeMounts",
            "    - name: gcp-service-account\n      mountPath: /own\n      subPath: key.json\n",
        ),
    ),
    "a volume's key that the Secret does not have": (
        "values_name_only_secrets_and_keys_that_exist",
        under(
            "volumes",
            "    - name: salt\n      secret:\n        secretName: litellm-salt-key\n"
            "        items:\n          - {key: salt, path: salt}\n",
        ),
    ),
    "a credential for the registry that does not exist": (
        "values_name_only_secrets_and_keys_that_exist",
        also("  imagePullSecrets:\n    - name: registry\n"),
    ),
    "a sealed Secret that the cluster never gets": (
        "every_kustomization_lists_exactly_what_is_there",
        own_secret("own", of="secrets/aws/litellm-salt-key.sops.yaml", listed=False),
    ),
    "a listed file that does not exist": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/azure/kustomization.yaml", "  - own.sops.yaml\n"),
    ),
    "no list of the sealed Secrets": (
        "every_kustomization_lists_exactly_what_is_there",
        delete("secrets/gcp/kustomization.yaml"),
    ),
    "a Secret that was sealed again without its checksum": (
        "every_checksum_is_that_of_its_secret",
        append(SALT, "\n"),
    ),
    "a checksum that is missing": (
        "every_checksum_is_that_of_its_secret",
        drop("litellm/checksums-aws.yaml", "checksum/litellm-redis"),
    ),
    "a checksum of no Secret": (
        "every_checksum_is_that_of_its_secret",
        append("litellm/checksums-aws.yaml", "    checksum/litellm-license: abc\n"),
    ),
    "another annotation among the checksums": (
        "every_checksum_is_that_of_its_secret",
        append("litellm/checksums-aws.yaml", "    example.com/team: ai\n"),
    ),
    "a checksum for the Redis that is not the chart's": (
        "every_checksum_is_that_of_its_secret",
        append(GCP_CHECKSUMS, "  redis: {master: {podAnnotations: {}}}\n"),
    ),
    # ----- sealing -----
    "a value in plaintext": ("every_value_of_every_secret_is_sealed", plaintext()),
    "plaintext after a sealed value": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(root, REDIS, SEALED_VALUE, lambda found: f"{found[0]} plain"),
    ),
    "a comment among the values": (
        "every_value_of_every_secret_is_sealed",
        sealed_as("\nstringData:\n", "\nstringData:\n  # it was plain\n"),
    ),
    "no message authentication code": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(root, SALT, re.compile(r"  mac: .*\n"), lambda _: ""),
    ),
    "a Secret sealed for somebody else": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(
            root, SALT, re.compile(r"recipient: age1\w{4}"), lambda _: "recipient: age1qqqq"
        ),
    ),
    "a Secret that sops never saw": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(root, REDIS, re.compile(r"\nsops:\n(?:.*\n)+"), lambda _: "\n"),
    ),
    "a Secret that is not sealed": (
        "no_secret_stands_outside_of_the_sealed_files",
        write(
            "extra/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\nstringData:\n  a: b\n",
        ),
    ),
    "a Secret among the chart's own resources": (
        "no_secret_stands_outside_of_the_sealed_files",
        also(
            "  extraResources:\n    - apiVersion: v1\n      kind: Secret\n"
            "      metadata:\n        name: own\n"
        ),
    ),
    "a ConfigMap among the sealed Secrets": (
        "every_value_of_every_secret_is_sealed",
        both(
            write(
                "secrets/aws/own.sops.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n",
            ),
            both(append("secrets/aws/kustomization.yaml", "  - own.sops.yaml\n"), refresh),
        ),
    ),
    "no rules for sops": ("every_environment_has_one_sound_creation_rule", delete(".sops.yaml")),
    "a rule that encrypts nothing": (
        "every_environment_has_one_sound_creation_rule",
        lambda root: _sub(root / ".sops.yaml", r"encrypted_regex: .*", "encrypted_regex: ^secret$"),
    ),
    "a rule for every file before the others": (
        "every_environment_has_one_sound_creation_rule",
        change(
            ".sops.yaml",
            "creation_rules:\n",
            f"creation_rules:\n  - age: [age1{'q' * 58}]\n",
        ),
    ),
    "a rule without its environment": (
        "every_environment_has_one_sound_creation_rule",
        change(".sops.yaml", "^secrets/gcp/", "^secrets/google/"),
    ),
    "a rule that takes other folders too": (
        "every_environment_has_one_sound_creation_rule",
        change(".sops.yaml", "path_regex: ^secrets/azure/", "path_regex: secrets/azure/"),
    ),
    "two rules for one environment": (
        "every_environment_has_one_sound_creation_rule",
        change(
            ".sops.yaml",
            "stores:\n",
            "  - path_regex: ^secrets/aws/.*\\.sops\\.ya?ml$\n    age: []\nstores:\n",
        ),
    ),
    "a misspelt field of a rule": (
        "every_environment_has_one_sound_creation_rule",
        lambda root: _sub(root / ".sops.yaml", r"mac_only_encrypted: true\n", "mac_only: true\n"),
    ),
    "recipients that differ from the answers": (
        "the_recipients_are_those_of_the_answers",
        lambda root: _sub(root / ANSWERS, r"- age1\w+", f"- age1{'q' * 58}"),
    ),
    "a placeholder": (
        "no_placeholder_is_left",
        sealed_as(
            "  namespace: litellm\n",
            '  namespace: litellm\n  annotations:\n    litellm-gitops/placeholder: "true"\n',
        ),
    ),
    "an AWS key in the README": ("no_credential_stands_in_plaintext", canary("aws")),
    "a GitHub token in a script": (
        "no_credential_stands_in_plaintext",
        canary("github", "scripts/login.sh"),
    ),
    "an age key in a file of any name": (
        "no_credential_stands_in_plaintext",
        canary("age", "notes"),
    ),
    "a private key in values": ("no_credential_stands_in_plaintext", canary("pem", AWS)),
    "a key of the proxy in the compose file": (
        "no_credential_stands_in_plaintext",
        canary("proxy", "docker-compose.yaml"),
    ),
    "a password in a variable": (
        "no_credential_stands_in_plaintext",
        under("extraEnvVars", '    - name: UI_PASSWORD\n      value: "example"\n', SHARED),
    ),
    "a key in a file that is no Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("secrets/aws/key.json", "{}\n"),
    ),
    "a password in a URL": ("no_credential_stands_in_plaintext", canary("url", GCP)),
    "inputs that git would add": (
        "git_ignores_inputs_and_keys",
        both(drop(".gitignore", "/deployment_outputs.env"), drop(".gitignore", "*.env")),
    ),
    "a token that git would add": (
        "git_ignores_inputs_and_keys",
        drop(".gitignore", "access-token*"),
    ),
    "keys that git would add": (
        "git_ignores_inputs_and_keys",
        both(drop(".gitignore", "/keys/"), drop(".gitignore", "*.agekey")),
    ),
    "no .gitignore": ("git_ignores_inputs_and_keys", delete(".gitignore")),
    "a key under another name": ("git_ignores_inputs_and_keys", append("age.key", "example\n")),
    # ----- answers -----
    "values of an environment that are missing": (
        "every_environment_has_its_values",
        delete(AZURE),
    ),
    "values of an environment that are empty": (
        "every_environment_has_its_values",
        write(GCP, "# nothing\n"),
    ),
    "values of all environments that are no mapping": (
        "every_environment_has_its_values",
        write(SHARED, "- litellm-helm\n"),
    ),
    "another host": (
        "every_domain_is_the_answered_one",
        change(AWS, '- host: "litellm.aws.example.com"', '- host: "llm.aws.example.com"'),
    ),
    "a certificate for another host": (
        "every_domain_is_the_answered_one",
        change(AWS, '- hosts:\n          - "litellm.aws', '- hosts:\n          - "llm.aws'),
    ),
    "another ingress class": (
        "the_ingress_is_the_answered_one",
        change(AZURE, 'className: "nginx"', 'className: "haproxy"'),
    ),
    "another issuer": (
        "the_ingress_is_the_answered_one",
        change(AZURE, 'cluster-issuer: "letsencrypt"', 'cluster-issuer: "another"'),
    ),
    "no TLS": (
        "the_ingress_is_the_answered_one",
        lambda root: _sub(root / GCP, r"    tls:\n(?:      .*\n)+", ""),
    ),
    "another database": (
        "the_database_is_the_answered_one",
        change(SHARED, 'database: "postgres_litellm"', 'database: "litellm"'),
    ),
    "other replicas": (
        "the_replicas_are_the_answered_ones",
        change(SHARED, "replicaCount: 2", "replicaCount: 4"),
    ),
    "another Redis": (
        "redis_is_the_answered_one",
        change(SHARED, 'value: "redis.example.internal"', 'value: "cache.example.internal"'),
    ),
    "a second Redis": (
        "redis_is_the_answered_one",
        change(SHARED, "redis:\n    enabled: false", "redis:\n    enabled: true"),
    ),
    "another region for every model": (
        "the_models_are_where_the_answers_say",
        lambda root: _sub(root / SHARED, r'aws_region_name: ".*"', 'aws_region_name: "us-east-1"'),
    ),
    "another endpoint for every model": (
        "the_models_are_where_the_answers_say",
        lambda root: _sub(root / SHARED, r'api_base: ".*"', 'api_base: "https://x.example.com/"'),
    ),
    "another API version for every model": (
        "the_models_are_where_the_answers_say",
        lambda root: _sub(root / SHARED, r'api_version: ".*"', 'api_version: "2020-01-01"'),
    ),
    "no continuous integration": (
        "the_continuous_integration_is_there",
        delete(".github/workflows"),
    ),
    # ----- nothing can be asked -----
    "no answers": (UNREADABLE, delete(ANSWERS)),
    "answers that are not YAML": (UNREADABLE, append(ANSWERS, "x: [\n")),
    "an environment that the matrix does not know": (
        UNREADABLE,
        change(ANSWERS, "cluster_environments:\n", "cluster_environments:\n- openshift\n"),
    ),
    "a method that its cell does not allow": (
        UNREADABLE,
        change(ANSWERS, "bedrock_auth_aws: irsa", "bedrock_auth_aws: entra_id"),
    ),
    "an engine that does not exist": (
        UNREADABLE,
        change(ANSWERS, "gitops_engine: flux", "gitops_engine: jenkins"),
    ),
    "a matrix with a text where a list belongs": (
        UNREADABLE,
        change(MATRIX, "forbids: [VERTEXAI_CREDENTIALS]", "forbids: VERTEXAI_CREDENTIALS"),
    ),
    "a matrix with a method of no provider": (
        UNREADABLE,
        lambda root: _sub(root / MATRIX, r"    provider: github_copilot\n", ""),
    ),
    "a list of Secrets with a key of no source": (
        UNREADABLE,
        lambda root: _sub(root / POLICY, r"masterkey: \{.*\}", "masterkey: generate"),
    ),
    "no matrix": (UNREADABLE, delete(MATRIX)),
    "no list of Secrets": (UNREADABLE, delete(POLICY)),
}

# The same in a repository with one environment and one provider: GKE and Bedrock.
SMALL_FAULTS: dict[str, tuple[str, Fault]] = {
    "a model of a provider that was not chosen": (
        "no_unchosen_provider_serves_a_model",
        model("      - model_name: gpt\n        litellm_params:\n          model: azure/gpt\n"),
    ),
    "the project of a provider that was not chosen": (
        "no_unchosen_method_leaves_a_trace",
        under("envVars", '    VERTEX_PROJECT: "example-ai"\n', SHARED),
    ),
    "the token's folder of a provider that was not chosen": (
        "no_unchosen_method_leaves_a_trace",
        also('  envVars:\n    OWN: "/app/github_copilot_custom/access-token"\n', GCP),
    ),
    "the Secret of a provider that was not chosen": (
        "no_unchosen_method_leaves_a_trace",
        under("environmentSecrets", "    - litellm-azure-auth\n", GCP),
    ),
    "values of an environment that was not chosen": (
        "no_unchosen_environment_leaves_a_file",
        write(AZURE, "litellm-helm: {}\n"),
    ),
    "a folder of an environment that was not chosen": (
        "no_unchosen_environment_leaves_a_file",
        write("clusters/aws/README.md", "Soon.\n"),
    ),
    "a rule of sops for an environment that was not chosen": (
        "every_environment_has_one_sound_creation_rule",
        change(
            ".sops.yaml",
            "stores:\n",
            "  - path_regex: ^secrets/azure/.*\\.sops\\.ya?ml$\n    age: []\nstores:\n",
        ),
    ),
    "a Redis that was not chosen": (
        "redis_is_the_answered_one",
        also('  extraEnvVars:\n    - name: REDIS_HOST\n      value: "redis"\n', GCP),
    ),
}

# The same with the chart's Redis.
BUNDLED_FAULTS: dict[str, tuple[str, Fault]] = {
    "a password of Redis that the chart makes up": (
        "the_chart_makes_no_secret_of_its_own",
        lambda root: _sub(root / SHARED, r"    auth:\n(?:      .*\n)+", ""),
    ),
    "another storage class": (
        "redis_is_the_answered_one",
        lambda root: _sub(root / GCP, r'storageClass: ".*"', 'storageClass: "own"'),
    ),
    "no Redis": (
        "the_chart_makes_no_secret_of_its_own",
        change(SHARED, "redis:\n    enabled: true", "redis:\n    enabled: false"),
    ),
    "a password of Redis that restarts the proxy but not Redis": (
        "every_checksum_is_that_of_its_secret",
        lambda root: _sub(root / GCP_CHECKSUMS, r"  redis:\n(?:    .*\n)+", ""),
    ),
    "an old checksum for Redis alone": (
        "every_checksum_is_that_of_its_secret",
        lambda root: _sub(
            root / GCP_CHECKSUMS, r"(?m)^( {8}checksum/\S+): .*$", rf"\1: {'a' * 64}"
        ),
    ),
    "a value of Redis among the checksums": (
        "every_checksum_is_that_of_its_secret",
        change(GCP_CHECKSUMS, "    master:\n", "    master:\n      count: 2\n"),
    ),
}


KMS_KEY = "arn:aws:kms:us-west-2:123456789012:alias/gitops"
IDENTITY = "arn:aws:iam::123456789012:role/gitops-engine"

# The same with EKS, Bedrock and a key of AWS KMS beside age.
KMS_FAULTS: dict[str, tuple[str, Fault]] = {
    "a rule without the cloud's key": (
        "the_recipients_are_those_of_the_answers",
        both(
            drop(".sops.yaml", f"kms: {KMS_KEY}"),
            lambda root: _each_sealed(root, r"\n  kms:\n(?:    .*\n)+", "\n"),
        ),
    ),
    "a Secret sealed for age alone": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _each_sealed(root, r"\n  kms:\n(?:    .*\n)+", "\n"),
    ),
    "another identity of the engine": (
        "the_engine_has_the_identity_that_decrypts",
        change("clusters/aws/flux-setup/serviceaccount.yaml", IDENTITY, f"{IDENTITY}-2"),
    ),
}


def _each_sealed(root: Path, pattern: str, replacement: str) -> None:
    for path in root.glob("secrets/*/*.sops.yaml"):
        _sub(path, pattern, replacement)
    refresh(root)


def _own_service(root: Path) -> None:
    for environment, values in {"aws": AWS, "gcp": GCP, "azure": AZURE}.items():
        file = f"secrets/{environment}/own-openai.sops.yaml"
        text = (root / f"secrets/{environment}/litellm-salt-key.sops.yaml").read_text("utf-8")
        text = text.replace("LITELLM_SALT_KEY", "OPENAI_API_KEY")
        _write(root / file, text.replace("name: litellm-salt-key", "name: own-openai"))
        listed = append(f"secrets/{environment}/kustomization.yaml", "  - own-openai.sops.yaml\n")
        both(listed, under("environmentSecrets", "    - own-openai\n", values))(root)
    model(
        "      - model_name: ours\n        litellm_params:\n"
        "          model: openai/gpt\n          api_key: os.environ/OPENAI_API_KEY\n"
    )(root)
    refresh(root)


# What a user may do, and no rule minds.
EDITS: dict[str, Fault] = {
    "a model of their own, in another region": model(
        "      - model_name: ours\n        litellm_params:\n"
        "          model: bedrock/eu.anthropic.claude\n          aws_region_name: eu-west-1\n"
    ),
    "a model of another service, with a Secret of their own": _own_service,
    "one model less": lambda root: _sub(
        root / SHARED, r"      - model_name: titan.*\n(?:        .*\n)+", ""
    ),
    "no model of a provider any more": lambda root: _sub(
        root / SHARED,
        r"      - model_name: .*\n        litellm_params:\n          model: azure/.*\n(?:        .*\n)+",
        "",
    ),
    "other resources": change(SHARED, 'cpu: "1"\n      memory: 4Gi', 'cpu: "2"\n      memory: 8Gi'),
    "a number of replicas for one environment": also("  replicaCount: 5\n"),
    "scaling by load": both(
        change(SHARED, "replicaCount: 2", "replicaCount: 1"),
        change(
            SHARED, "  pdb:\n", "  autoscaling:\n    enabled: true\n    minReplicas: 2\n  pdb:\n"
        ),
    ),
    "labels and annotations": also(
        '  podLabels:\n    team: ai\n  podAnnotations:\n    example.com/cost-center: "42"\n', GCP
    ),
    "a label on a sealed Secret": sealed_as(
        "  namespace: litellm\n", "  namespace: litellm\n  labels:\n    team: ai\n"
    ),
    "a node selector": also("  nodeSelector:\n    kubernetes.io/arch: amd64\n", AZURE),
    "a variable of their own": under(
        "envVars", '    HTTPS_PROXY: "http://proxy.example.com:3128"\n'
    ),
    "a Secret of their own that nothing here reads": own_secret(
        "own-certificate", of="secrets/aws/litellm-salt-key.sops.yaml"
    ),
    "a volume of their own": both(
        own_secret("own-ca", of="secrets/aws/litellm-salt-key.sops.yaml"),
        both(
            under("volumes", "    - name: ca\n      secret:\n        secretName: own-ca\n"),
            under(
                "volumeMounts", "    - name: ca\n      mountPath: /etc/ca\n      readOnly: true\n"
            ),
        ),
    ),
    "a Secret that need not exist": under(
        "extraEnvVars",
        "    - name: OWN\n      valueFrom:\n"
        "        secretKeyRef: {name: own, key: own, optional: true}\n",
        SHARED,
    ),
    "a second host": change(
        AWS,
        "    hosts:\n",
        "    hosts:\n      - host: llm.example.com\n        paths:\n"
        "          - path: /\n            pathType: Prefix\n",
    ),
    "an annotation of the Ingress": change(
        AWS,
        "    annotations:\n      cert",
        '    annotations:\n      example.com/own: "x"\n      cert',
    ),
    "no Ingress, because a Gateway serves the proxy": change(
        GCP, "  ingress:\n    enabled: true", "  ingress:\n    enabled: false"
    ),
    "a newer image": lambda root: _sub(root / SHARED, r'tag: ".*"', 'tag: "v1.105.2"'),
    "a newer chart": lambda root: _sub(
        root / "litellm/Chart.yaml", r'version: "\d.*"', 'version: "1.105.2"'
    ),
    "a template of their own in the chart": write(
        "litellm/templates/own.yaml", "{{- if .Values.own }}\nkind: {{ .Values.own }}\n{{- end }}\n"
    ),
    "a manifest of their own in a cluster": both(
        write(
            "clusters/aws/own.yaml",
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: own\n"
            "  namespace: litellm\nspec:\n  podSelector: {}\n  policyTypes:\n    - Ingress\n",
        ),
        append("clusters/aws/kustomization.yaml", "  - own.yaml\n"),
    ),
    "a workflow of their own": write(
        ".github/workflows/own.yaml", "on: push\njobs:\n  own:\n    runs-on: ubuntu-latest\n"
    ),
    "a workflow less": delete(".github/workflows/update.yaml"),
    "a configuration of another tool": write(
        "mkdocs.yml", "site_name: LLM\nplugins: !ENV [search]\n"
    ),
    "documents and images of their own": both(
        write("docs/README.md", "What `sk-…` is, and why ${PASSWORD} stands here.\n"),
        write_bytes("docs/logo.png", b"\x89PNG\0\xff"),
    ),
    "a test of their own": write("tests/test_own.py", "def test_own() -> None:\n    assert True\n"),
    "comments, and another style of YAML": change(
        AWS, "    - litellm-salt-key\n", "    - 'litellm-salt-key'  # ours\n"
    ),
    "the digests in quotes": lambda root: _sub(
        root / "litellm/checksums-aws.yaml", r": ([0-9a-f]{64})\n", r': "\1"\n'
    ),
    "inputs and keys, which git ignores": both(
        both(canary("aws", "deployment_outputs.env"), canary("github", "access-token")),
        both(canary("pem", "gcp-service-account.json"), canary("age", "keys/aws.agekey")),
    ),
    "a virtual environment, which git ignores": both(
        write(".venv/lib/broken.yaml", "a: [\n"), canary("aws", ".venv/lib/fixture.py")
    ),
    "what helm fetched, which git ignores": write("litellm/Chart.lock", "dependencies: []\n"),
    "another cluster that the template does not know": write(
        "clusters/onprem/README.md", "By hand.\n"
    ),
}


def _sub(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"))
    assert count, f"nothing in {path.name} matches {pattern!r}"
    path.write_text(text, "utf-8")


def _resealed(
    root: Path, file: str, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]
) -> None:
    text, count = pattern.subn(new, (root / file).read_text("utf-8"), count=1)
    assert count, f"nothing in {file} matches {pattern.pattern!r}"
    (root / file).write_text(text, "utf-8")
    refresh(root)


def _duplicate_value(path: Path) -> None:
    text = path.read_text("utf-8")
    line = next(line for line in text.splitlines() if "redis-password:" in line)
    path.write_text(text.replace(line, f"{line}\n{line.replace('redis-password', 'username')}"))
    refresh(path.parents[2])


# ---------------------------------------------------------------------------------------------------------------------

BASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, Fault]]]] = {
    "everything": (everything(), FAULTS),
    "small": (answers(["gcp"], ["bedrock"]), SMALL_FAULTS),
    "bundled": (answers(["gcp"], ["bedrock"], redis="bundled"), BUNDLED_FAULTS),
    "kms": (
        answers(["aws"], ["bedrock"], aws_kms_key=KMS_KEY, aws_kms_identity=IDENTITY),
        KMS_FAULTS,
    ),
}


@pytest.fixture
def repository(lean: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A repository of one's own, to be changed."""

    def copied(base: dict[str, Any]) -> Path:
        return Path(shutil.copytree(lean(**base), tmp_path / "repository"))

    return copied


@pytest.mark.parametrize(
    ("base", "mistake"),
    [(base, mistake) for base, (_, faults) in BASES.items() for mistake in faults],
    ids=lambda value: value,
)
def test_a_mistake_is_told_by_its_rule_alone(
    base: str, mistake: str, repository: Callable[..., Path]
) -> None:
    given, faults = BASES[base]
    rule, fault = faults[mistake]
    root = repository(given)
    fault(root)
    found = broken(root)
    assert list(found) == [rule], told(found) or f"nothing is told of {mistake}"
    for problem in found[rule]:
        assert re.fullmatch(r"[^\s:]+(?::\d+)?: [^\n]+ — [^\n]+", problem)
        assert len(problem) < 400


@pytest.mark.parametrize("edit", EDITS)
def test_no_rule_minds_what_is_the_users_own(edit: str, repository: Callable[..., Path]) -> None:
    root = repository(everything())
    EDITS[edit](root)
    found = broken(root)
    assert not found, told(found)


def test_every_rule_has_a_mistake_that_it_tells() -> None:
    from tests.test_engine_rules import FAULTS as ENGINE_FAULTS

    tables = [faults for _, faults in BASES.values()] + list(ENGINE_FAULTS.values())
    covered = {rule for faults in tables for rule, _ in faults.values()}
    assert covered - {UNREADABLE} == set(rules.load_all())


@pytest.mark.parametrize("base", [base for base, _ in BASES.values()], ids=BASES)
def test_every_rule_passes_in_a_git_repository_too(
    base: dict[str, Any], repository: Callable[..., Path]
) -> None:
    root = repository(base)
    _git(root, "init", "--quiet")
    for name in ("deployment_outputs.env", "access-token", "keys/aws.agekey"):
        canary("aws", name)(root)
    found = broken(root)
    assert not found, told(found)
    _git(root, "add", ".")
    found = broken(root)
    assert not found, told(found)


def test_a_key_that_git_holds_is_told_although_it_is_ignored(
    repository: Callable[..., Path],
) -> None:
    root = repository(everything())
    _git(root, "init", "--quiet")
    append("keys/aws.agekey", "example\n")(root)
    _git(root, "add", "--force", ".")
    found = broken(root)
    assert list(found) == ["git_ignores_inputs_and_keys"]
    assert any("git rm --cached keys/aws.agekey" in problem for problem in found.popitem()[1])


@pytest.mark.parametrize("form", ["aws", "github", "age", "pem", "proxy", "url"])
def test_a_message_never_repeats_a_credential(form: str, repository: Callable[..., Path]) -> None:
    root = repository(everything())
    canary(form)(root)
    made = (root / "README.md").read_text("utf-8").splitlines()[-1]
    assert made not in told(broken(root))


def test_a_value_in_plaintext_is_never_repeated(repository: Callable[..., Path]) -> None:
    for form in ("canary-0815", "[canary-0815]", "{canary: 0815}", "'canary-0815", "08_15"):
        root = repository(everything())
        plaintext(value=form)(root)
        assert "0815" not in told(broken(root)).replace("_", "")
        shutil.rmtree(root)


ODD: list[Any] = [
    None,
    1,
    1.5,
    True,
    "x",
    "",
    [],
    {},
    [{}],
    [[1]],
    {"a": 1},
    {1: 2},
    [None],
    {"a": {"b": []}},
]


@pytest.mark.parametrize("file", [AWS, SHARED, MATRIX, POLICY, ANSWERS, REDIS, ".sops.yaml"])
def test_a_value_of_any_type_is_told_without_a_traceback(
    file: str, repository: Callable[..., Path]
) -> None:
    root = repository(everything())
    text = (root / file).read_text("utf-8")
    choose = random.Random(file)
    paths = list(_paths(yaml.safe_load(text)))
    for path in choose.sample(paths, min(20, len(paths))):
        content = [yaml.safe_load(text)]
        *above, last = (0, *path)
        place: Any = content
        for part in above:
            place = place[part]
        place[last] = choose.choice(ODD)
        _write(root / file, yaml.safe_dump(content[0], sort_keys=False))
        assert "cannot be asked" not in told(broken(root)), (path, place[last])


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if not isinstance(value, dict | list):
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _paths(entry, (*path, key))


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
