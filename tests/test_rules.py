"""Each mistake in a repository is told by the rule meant for it and by no other; what is a user's own is not told."""

from __future__ import annotations

import base64
import random
import re
import secrets
import shutil
import string
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rules
import yaml

from tests.support.answers import answers, everything
from tests.support.checked import UNREADABLE, broken, told
from tests.conftest import ROOT
from tests.support.faults import Fault, append, both, change, delete, drop, substitute, swap
from tests.support.stock import refresh

ANSWERS = ".copier-answers.yml"
SHARED = "litellm/values.yaml"
AWS, GCP, AZURE = (f"litellm/values-{environment}.yaml" for environment in ("aws", "gcp", "azure"))
MATRIX = "policies/auth-matrix.yml"
POLICY = "policies/secrets.yml"
REDIS = "secrets/aws/litellm-redis.sops.yaml"
SALT = "secrets/gcp/litellm-salt-key.sops.yaml"
GCP_CHECKSUMS = "litellm/checksums-gcp.yaml"
OTHER_SALT = "secrets/aws/litellm-salt-key.sops.yaml"
NAMESPACE = "clusters/aws/namespace.yaml"
CHART = "litellm/Chart.yaml"
VALIDATE = ".github/workflows/validate.yaml"
COMMITS = ".pre-commit-config.yaml"
GITLAB = ".gitlab-ci.yml"

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


def copied(file: str, to: str) -> Fault:
    """A file in place of another, and the checksum with it."""

    def apply(root: Path) -> None:
        shutil.copy(root / file, root / to)
        refresh(root)

    return apply


def linked(file: str) -> Fault:
    """A symbolic link in place of a file, to the same content elsewhere."""

    def apply(root: Path) -> None:
        (root / file).rename(root / "moved")
        (root / file).symlink_to(Path("../" * file.count("/")) / "moved")

    return apply


def with_bytes(file: str, old: bytes, new: bytes) -> Fault:
    """Replaces bytes wherever they stand."""
    return lambda root: _write_bytes(root / file, (root / file).read_bytes().replace(old, new))


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


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


def encoded(file: str, encoding: str, before: str = "") -> Fault:
    """The same text, and more before it, in other bytes."""

    def apply(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        (root / file).write_bytes((before + text).encode(encoding))

    return apply


# Ten times as much with each line.
BOMB = "b0: &b0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{level}: &b{level} [{', '.join([f'*b{level - 1}'] * 10)}]\n" for level in range(1, 11)
)


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
    "aliases that make a file endless": (
        "every_yaml_file_is_yaml",
        append(AWS, "own: &own [*own]\n"),
    ),
    "aliases that make values too large": ("every_yaml_file_is_yaml", append(AWS, BOMB)),
    "aliases that make a sealed Secret too large": (
        "every_yaml_file_is_yaml",
        both(append(REDIS, BOMB), refresh),
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
    "line ends of Windows in values": (
        "every_file_has_the_bytes_that_git_stores",
        with_bytes(AWS, b"\n", b"\r\n"),
    ),
    "line ends of Windows in a sealed Secret": (
        "every_file_has_the_bytes_that_git_stores",
        both(with_bytes(REDIS, b"\n", b"\r\n"), refresh),
    ),
    "a byte order mark": (
        "every_file_has_the_bytes_that_git_stores",
        with_bytes(AWS, b"# Amazon", b"\xef\xbb\xbf# Amazon"),
    ),
    "a second document of values": (
        "no_second_document_is_overlooked",
        append(AWS, "---\nlitellm-helm:\n  replicaCount: 5\n"),
    ),
    "a link in place of values": ("nothing_that_is_deployed_is_a_link", linked(AWS)),
    "a link in place of a sealed Secret": ("nothing_that_is_deployed_is_a_link", linked(REDIS)),
    "a link to a folder among the sealed Secrets": (
        "nothing_that_is_deployed_is_a_link",
        lambda root: (root / "secrets/aws/own").symlink_to("../../docs", target_is_directory=True),
    ),
    "a cluster that git ignores": (
        "git_ignores_nothing_that_is_deployed",
        append(".gitignore", "clusters/aws/\n"),
    ),
    "checksums that git ignores": (
        "git_ignores_nothing_that_is_deployed",
        append(".gitignore", "litellm/checksums-*\n"),
    ),
    "values of two environments swapped": ("every_domain_is_the_answered_one", swap(GCP, AZURE)),
    "checksums of two environments swapped": (
        "every_checksum_is_that_of_its_secret",
        swap("litellm/checksums-aws.yaml", "litellm/checksums-gcp.yaml"),
    ),
    # ----- the auth matrix: no less -----
    "another service account for the role": (
        "every_chosen_method_has_what_it_needs",
        change(AWS, "    create: true", "    create: true\n    name: other"),
    ),
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
        change(AWS, "mountPath: /var/secrets/gcp\n      readOnly: true", "mountPath: /var/secrets/gcp"),
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
        lambda root: _sub(root / SHARED, r"(model: azure/.*\n)", r"\1          api_key: os.environ/REDIS_HOST\n"),
    ),
    "a profile beside a role": (
        "nothing_beats_a_chosen_method",
        under("envVars", '    AWS_PROFILE: "example"\n'),
    ),
    "another role in a variable": (
        "nothing_beats_a_chosen_method",
        under("envVars", '    AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/other"\n'),
    ),
    "an AWS key in a variable that the proxy sets itself": (
        "nothing_beats_a_chosen_method",
        change(
            SHARED,
            "  proxy_config:\n",
            "  proxy_config:\n    environment_variables:\n      AWS_ACCESS_KEY_ID: os.environ/REDIS_HOST\n",
        ),
    ),
    "an AWS key among the credentials of models": (
        "nothing_beats_a_chosen_method",
        change(
            SHARED,
            "  proxy_config:\n",
            "  proxy_config:\n    credential_list:\n      - credential_name: own\n"
            "        credential_values:\n          aws_secret_access_key: os.environ/REDIS_HOST\n",
        ),
    ),
    "an AWS key in a model of another name": (
        "nothing_beats_a_chosen_method",
        model(
            "      - model_name: own\n        litellm_params:\n          model: sagemaker/own\n"
            "          aws_access_key_id: os.environ/REDIS_HOST\n"
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
    "an image with half a digest": (
        "the_image_is_pinned",
        substitute(SHARED, r'(tag: ".*@sha256:[0-9a-f]{20}).*"', r'\1"'),
    ),
    "an image without a version": (
        "the_image_is_pinned",
        substitute(SHARED, r'tag: ".*@', 'tag: "@'),
    ),
    "a branch as an image": (
        "the_image_is_pinned",
        substitute(SHARED, r'tag: ".*"', 'tag: "litellm_stable_release_branch"'),
    ),
    "the image of an old guide": (
        "the_image_is_pinned",
        substitute(SHARED, r'tag: ".*"', 'tag: "main-v1.81.0-stable"'),
    ),
    "an image in which a user makes himself an administrator": (
        "the_image_is_pinned",
        substitute(SHARED, r'tag: ".*"', 'tag: "v1.95.0"'),
    ),
    "a chart of Helm 2": (
        "helm_takes_the_chart",
        change(CHART, "apiVersion: v2", "apiVersion: v1"),
    ),
    "a chart without a version": ("helm_takes_the_chart", substitute(CHART, r"^version: .*\n", "")),
    "a chart without a name": ("helm_takes_the_chart", substitute(CHART, r"^name: .*\n", "")),
    "a chart that cannot be installed": (
        "helm_takes_the_chart",
        change(CHART, "type: application", "type: library"),
    ),
    "a dependency that a merge doubled": (
        "helm_takes_the_chart",
        append(
            CHART,
            '  - name: litellm-helm\n    version: "1.105.0"\n    repository: oci://ghcr.io/berriai\n',
        ),
    ),
    "a release under another name": (
        "the_release_keeps_its_name",
        change(SHARED, "fullnameOverride: litellm", "fullnameOverride: proxy"),
    ),
    "a budget that needs every pod": (
        "a_node_can_be_drained",
        change(SHARED, "minAvailable: 1", "minAvailable: 2"),
    ),
    "a budget for a single pod": ("a_node_can_be_drained", also("  replicaCount: 1\n")),
    "a log with everything": (
        "no_log_shows_a_secret",
        change(SHARED, "logLevel: INFO", "logLevel: DEBUG"),
    ),
    "a log with every request": (
        "no_log_shows_a_secret",
        change(SHARED, "set_verbose: false", "set_verbose: true"),
    ),
    "a log with everything, by a variable": (
        "no_log_shows_a_secret",
        under("envVars", "    LITELLM_LOG: debug\n"),
    ),
    "an environment without models": (
        "the_configuration_reaches_the_proxy",
        change(GCP, "  proxy_config:\n", "  proxy_config:\n    model_list: []\n"),
    ),
    "a configuration from elsewhere": (
        "the_configuration_reaches_the_proxy",
        also("  proxyConfigMap:\n    create: false\n    name: own\n"),
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
    "a variable that the chart sets": (
        "no_variable_is_set_twice",
        under("envVars", '    DATABASE_URL: "postgresql://db/litellm"\n', SHARED),
    ),
    "updates of the database that the chart switches": (
        "no_variable_is_set_twice",
        under("envVars", '    DISABLE_SCHEMA_UPDATE: "true"\n', SHARED),
    ),
    "a Secret listed twice": (
        "no_variable_is_set_twice",
        under("environmentSecrets", "    - litellm-salt-key\n"),
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
        under("volumeMounts", "    - name: gcp-service-account\n      mountPath: /var/secrets/gcp\n"),
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
    "a schema of nothing": (
        "the_values_fit_their_schema",
        write("litellm/values.schema.json", "{}\n"),
    ),
    "a schema that lets everything pass": (
        "the_values_fit_their_schema",
        substitute("litellm/values.schema.json", '"additionalProperties": false', '"title": "x"'),
    ),
    "a model without a name": (
        "the_values_fit_their_schema",
        model("      - litellm_params:\n          model: openai/gpt\n"),
    ),
    "a model with a key in plaintext": (
        "the_values_fit_their_schema",
        model(
            "      - model_name: own\n        litellm_params:\n          model: openai/gpt\n"
            "          api_key: example\n"
        ),
    ),
    "a flag in quotes": (
        "the_values_fit_their_schema",
        change(AWS, "    enabled: true\n    className", '    enabled: "true"\n    className'),
    ),
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
    "a variable that is a number": (
        "what_values_put_into_the_pod_fits_its_schema",
        change(SHARED, 'value: "6379"', "value: 6379"),
    ),
    "a variable with two values": (
        "what_values_put_into_the_pod_fits_its_schema",
        change(
            SHARED,
            "    - name: REDIS_PASSWORD\n",
            '    - name: REDIS_PASSWORD\n      value: ""\n',
        ),
    ),
    "a misspelt reference": (
        "what_values_put_into_the_pod_fits_its_schema",
        under(
            "extraEnvVars",
            "    - name: OWN\n      valueFrom:\n        secretKeyref: {name: litellm-redis, key: redis-password}\n",
            SHARED,
        ),
    ),
    "a misspelt toleration": (
        "what_values_put_into_the_pod_fits_its_schema",
        also("  tolerations:\n    - keys: dedicated\n"),
    ),
    "a misspelt volume": (
        "what_values_put_into_the_pod_fits_its_schema",
        under("volumes", "    - name: cache\n      emptydir: {}\n"),
    ),
    "an amount in another unit": (
        "every_resource_is_a_quantity_within_its_limit",
        change(SHARED, "memory: 4Gi\n    limits", "memory: 4GB\n    limits"),
    ),
    "an amount in words": (
        "every_resource_is_a_quantity_within_its_limit",
        change(SHARED, 'cpu: "1"', 'cpu: "1 core"'),
    ),
    "a limit below the request": (
        "every_resource_is_a_quantity_within_its_limit",
        change(SHARED, "limits:\n      memory: 4Gi\n\n", "limits:\n      memory: 2Gi\n\n"),
    ),
    "a host in upper case": (
        "every_name_is_valid",
        change(
            AWS,
            "    hosts:\n",
            "    hosts:\n      - host: LLM.example.com\n        paths:\n"
            "          - path: /\n            pathType: Prefix\n",
        ),
    ),
    "a label that Kubernetes refuses": (
        "every_name_is_valid",
        sealed_as("  namespace: litellm\n", "  namespace: litellm\n  labels:\n    tier: front end\n"),
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
    "values that are no longer checked": (
        "the_list_of_secrets_follows_from_the_answers",
        change(POLICY, ", form: aws_access_key_id", ""),
    ),
    "a salt key that may be rotated": (
        "the_list_of_secrets_follows_from_the_answers",
        substitute(POLICY, r"    never_rotate: .*\n", ""),
    ),
    "an environment twice among the answers": (
        "the_list_of_secrets_follows_from_the_answers",
        change(ANSWERS, "cluster_environments:\n", "cluster_environments:\n- aws\n"),
    ),
    "a Secret that is missing": ("every_needed_secret_is_there", delete(REDIS)),
    "a Secret with a misspelt key": (
        "every_needed_secret_is_there",
        sealed_as("redis-password:", "redis_password:"),
    ),
    "a Secret that can never change": (
        "every_secret_file_holds_the_secret_of_its_name",
        sealed_as("type: Opaque\n", "type: Opaque\nimmutable: true\n"),
    ),
    "a Secret of another type": (
        "every_secret_file_holds_the_secret_of_its_name",
        sealed_as("type: Opaque", "type: kubernetes.io/basic-auth"),
    ),
    "a Secret that the engine leaves alone": (
        "every_secret_file_holds_the_secret_of_its_name",
        sealed_as(
            "  namespace: litellm\n",
            "  namespace: litellm\n  annotations:\n    kustomize.toolkit.fluxcd.io/reconcile: disabled\n",
        ),
    ),
    "the Secret of another environment": (
        "no_sealed_value_is_a_copy",
        copied(SALT, OTHER_SALT),
    ),
    "the value of another key": (
        "no_sealed_value_is_a_copy",
        lambda root: _resealed(
            root,
            REDIS,
            SEALED_VALUE,
            lambda _: str(SEALED_VALUE.findall((root / OTHER_SALT).read_text("utf-8"))[0]),
        ),
    ),
    "the authentication code of another Secret": (
        "no_sealed_value_is_a_copy",
        lambda root: _resealed(
            root,
            REDIS,
            re.compile(r"  mac: .*\n"),
            lambda _: re.findall(r"  mac: .*\n", (root / OTHER_SALT).read_text("utf-8"))[0],
        ),
    ),
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
    "a Secret that no answer needs, and no list": (
        "no_secret_is_orphaned",
        own_secret("litellm-aws-auth", of="secrets/gcp/litellm-aws-auth.sops.yaml", listed=False),
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
    "a list that puts everything elsewhere": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/kustomization.yaml", "namespace: default\n"),
    ),
    "a file that is listed twice": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/kustomization.yaml", "  - litellm-redis.sops.yaml\n"),
    ),
    "the Secrets of another environment in a list": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/kustomization.yaml", "  - ../gcp\n"),
    ),
    "Secrets that Kustomize makes of plaintext": (
        "the_engine_knows_every_field",
        append(
            "secrets/aws/kustomization.yaml",
            "secretGenerator:\n  - name: own\n    files: [own.txt]\n",
        ),
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
    "another rule in a sealed file": (
        "every_value_of_every_secret_is_sealed",
        sealed_as("encrypted_regex: ^(data|stringData)$", "encrypted_regex: ^data$"),
    ),
    "a data key that was cut": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(root, REDIS, re.compile(r"\n        [A-Za-z0-9+/]{40,}"), lambda _: ""),
    ),
    "the whole Secret in an annotation": (
        "every_value_of_every_secret_is_sealed",
        sealed_as(
            "  namespace: litellm\n",
            "  namespace: litellm\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n"
            '      {"kind":"Secret","stringData":{"redis-password":"example"}}\n',
        ),
    ),
    "a second Secret in a sealed file": (
        "every_value_of_every_secret_is_sealed",
        both(
            append(REDIS, "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: own\n"),
            refresh,
        ),
    ),
    "no message authentication code": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(root, SALT, re.compile(r"  mac: .*\n"), lambda _: ""),
    ),
    "a Secret sealed for somebody else": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(root, SALT, re.compile(r"recipient: age1\w{4}"), lambda _: "recipient: age1qqqq"),
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
        also("  extraResources:\n    - apiVersion: v1\n      kind: Secret\n      metadata:\n        name: own\n"),
    ),
    "a Secret in a template of the chart": (
        "no_secret_stands_outside_of_the_sealed_files",
        write(
            "litellm/templates/secret.yaml",
            "kind: Secret\nmetadata:\n  name: {{ .Release.Name }}-own\nstringData:\n  a: {{ .Values.a }}\n  b: plain\n",
        ),
    ),
    "a Secret before a document that is broken": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("extra/own.txt", "kind: Secret\nstringData:\n  a: plain\n---\na: [\n"),
    ),
    "a Secret in JSON, spelt otherwise": (
        "no_secret_stands_outside_of_the_sealed_files",
        both(
            write("clusters/aws/own.json", '{"kind": "\\u0053ecret", "data": {"a": "cGxhaW4="}}\n'),
            append("clusters/aws/kustomization.yaml", "  - own.json\n"),
        ),
    ),
    "a value in a patch of a Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        append(
            "secrets/aws/kustomization.yaml",
            "patches:\n  - patch: |-\n      apiVersion: v1\n      kind: Secret\n      metadata:\n"
            "        name: litellm-redis\n      stringData:\n        redis-password: plain\n",
        ),
    ),
    "a value in a JSON patch of a Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        append(
            "secrets/aws/kustomization.yaml",
            "patches:\n  - target:\n      kind: Secret\n"
            "    patch: '[{op: add, path: /data/redis-password, value: cGxhaW4=}]'\n",
        ),
    ),
    "a value in a file with a patch of a Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        both(
            write("extra/own.yaml", "- op: add\n  path: /data/redis-password\n  value: cGxhaW4=\n"),
            append(
                "secrets/aws/kustomization.yaml",
                "patches:\n  - path: ../../extra/own.yaml\n    target: {kind: Secret}\n",
            ),
        ),
    ),
    "a Secret that the release is changed to": (
        "no_secret_stands_outside_of_the_sealed_files",
        append(
            "clusters/aws/release/helmrelease.yaml",
            "  postRenderers:\n    - kustomize:\n        patches:\n          - patch: |\n"
            "              kind: Secret\n              stringData: {a: plain}\n",
        ),
    ),
    "a Secret as a text among the chart's own resources": (
        "no_secret_stands_outside_of_the_sealed_files",
        also("  extraResources:\n    - |\n      kind: Secret\n      stringData:\n        a: plain\n"),
    ),
    "a Secret that Kustomize makes of plaintext elsewhere": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("extra/own.txt", "secretGenerator:\n  - name: own\n    literals: [key=plain]\n"),
    ),
    "a plaintext Secret in a folder of no environment": (
        "every_value_of_every_secret_is_sealed",
        write(
            "secrets/onprem/own.sops.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\nstringData:\n  a: plain\n",
        ),
    ),
    "a comment behind the values": (
        "every_value_of_every_secret_is_sealed",
        lambda root: _resealed(
            root,
            REDIS,
            re.compile(r"\n  (redis-password): (ENC.*)\n"),
            lambda found: f' {{{found[1]}: "{found[2]}"}} # it was plain\n',
        ),
    ),
    "a comment on a sealed Secret": (
        "every_value_of_every_secret_is_sealed",
        sealed_as("apiVersion: v1\n", "# it was plain\napiVersion: v1\n"),
    ),
    "an alias in a sealed Secret": (
        "every_value_of_every_secret_is_sealed",
        sealed_as(
            "  namespace: litellm\n",
            "  namespace: litellm\n  labels: &own\n    team: ai\n  annotations: *own\n",
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
    "a recipient that one rule lost": (
        "every_environment_has_one_sound_creation_rule",
        substitute(".sops.yaml", r"(\^secrets/gcp/.*\n(?:.*\n){2}    age:)\n      - .*", r"\1 []"),
    ),
    "values with a suffix that stay as they are": (
        "every_environment_has_one_sound_creation_rule",
        substitute(".sops.yaml", r"(\^secrets/aws/.*\n)", r"\1    unencrypted_suffix: _plain\n"),
    ),
    "two rules for one environment": (
        "every_environment_has_one_sound_creation_rule",
        change(
            ".sops.yaml",
            "stores:\n",
            "  - path_regex: ^secrets/aws/.*\\.sops\\.ya?ml$\n    age: []\nstores:\n",
        ),
    ),
    "a rule for one Secret alone": (
        "every_environment_has_one_sound_creation_rule",
        change(
            ".sops.yaml",
            "creation_rules:\n",
            "creation_rules:\n  - path_regex: ^secrets/aws/litellm-masterkey\\.sops\\.yaml$\n    age: []\n",
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
    "an age key in Latin-1": (
        "no_credential_stands_in_plaintext",
        both(canary("age", "notes"), encoded("notes", "latin-1", "José\n")),
    ),
    "an age key in UTF-16": (
        "no_credential_stands_in_plaintext",
        both(canary("age", "notes"), encoded("notes", "utf-16")),
    ),
    "an archive of keys": (
        "no_credential_stands_in_plaintext",
        both(canary("age", "notes.tar"), encoded("notes.tar", "latin-1", "keys\0\0\1ü")),
    ),
    "a private key in base64": (
        "no_credential_stands_in_plaintext",
        both(
            canary("pem", "notes"),
            lambda root: _write(root / "notes", base64.encodebytes((root / "notes").read_bytes()).decode()),
        ),
    ),
    "a password of Redis in values": (
        "no_credential_stands_in_plaintext",
        also("  redis:\n    auth:\n      password: example\n"),
    ),
    "a password of PostgreSQL in values": (
        "no_credential_stands_in_plaintext",
        also("  postgresql:\n    auth:\n      password: 8675309123\n"),
    ),
    "a password in the address of the database": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "  db:\n", "  db:\n    url: postgresql://litellm:example@db/litellm\n"),
    ),
    "a token in a container that runs before": (
        "no_credential_stands_in_plaintext",
        also(
            "  extraInitContainers:\n    - name: own\n      image: own\n      env:\n"
            "        - {name: OWN_TOKEN, value: example}\n"
        ),
    ),
    "a password of the user interface": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "      disable_error_logs", "      ui_pass: example\n      disable_error_logs"),
    ),
    "a password of the mail server": (
        "no_credential_stands_in_plaintext",
        change(
            SHARED,
            "  proxy_config:\n",
            "  proxy_config:\n    environment_variables:\n      SMTP_PASS: example\n",
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
    "a key of the proxy in a variable": (
        "no_credential_stands_in_plaintext",
        under("envVars", '    LITELLM_MASTER_KEY: "example"\n', SHARED),
    ),
    "a password in the settings of the router": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "redis_password: os.environ/REDIS_PASSWORD", "redis_password: example"),
    ),
    "a key in the settings of the proxy": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "      json_logs: true", "      json_logs: true\n      api_key: example"),
    ),
    "a database in the settings of the proxy": (
        "no_credential_stands_in_plaintext",
        change(
            SHARED,
            "      disable_error_logs: true",
            "      disable_error_logs: true\n      database_url: postgresql://litellm:example@db/litellm",
        ),
    ),
    "a password in the compose file": (
        "no_credential_stands_in_plaintext",
        substitute("docker-compose.yml", r"POSTGRES_PASSWORD: .*", "POSTGRES_PASSWORD: example"),
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
    "a token of one environment that git would add": (
        "git_ignores_inputs_and_keys",
        change(".gitignore", "access-token*", "access-token"),
    ),
    "a key that is ignored no more": (
        "git_ignores_inputs_and_keys",
        append(".gitignore", "!/keys/\n!*.agekey\n"),
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
    "a certificate without its Secret": (
        "the_ingress_is_the_answered_one",
        drop(AWS, "secretName: litellm-tls"),
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
    # ----- continuous integration, commits, updates -----
    "a pipeline that runs nothing": (
        "every_push_runs_the_suite",
        substitute(VALIDATE, r"run: uv run pytest$", "run: echo done"),
    ),
    "a suite whose result does not count": (
        "every_push_runs_the_suite",
        substitute(VALIDATE, r"run: uv run pytest$", "run: uv run pytest || true"),
    ),
    "a suite that may fail": (
        "every_push_runs_the_suite",
        change(
            VALIDATE,
            "      - name: Run the suite\n",
            "      - name: Run the suite\n        continue-on-error: true\n",
        ),
    ),
    "half of the suite": (
        "every_push_runs_the_suite",
        substitute(VALIDATE, r"run: uv run pytest$", "run: uv run pytest -k answers"),
    ),
    "a suite that is switched off": (
        "every_push_runs_the_suite",
        change(VALIDATE, "  suite:\n", "  suite:\n    if: false\n"),
    ),
    "a suite for who asks": (
        "every_push_runs_the_suite",
        change(VALIDATE, "  push:\n  pull_request:\n", ""),
    ),
    "no suite": ("every_push_runs_the_suite", delete(VALIDATE)),
    "an action by its tag": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(VALIDATE, r"(actions/checkout)@.*", r"\1@v7"),
    ),
    "an action by its branch": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(VALIDATE, r"(astral-sh/setup-uv)@.*", r"\1@main"),
    ),
    "a commit hook by its branch": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(COMMITS, r"rev: v1\..*", "rev: master"),
    ),
    "a workflow that may do everything": (
        "a_workflow_may_only_read",
        change(VALIDATE, "permissions: {}", "permissions: write-all"),
    ),
    "a workflow that says nothing of its rights": (
        "a_workflow_may_only_read",
        drop(VALIDATE, "permissions: {}"),
    ),
    "a workflow with rights for what anybody sends": (
        "a_workflow_may_only_read",
        change(VALIDATE, "  pull_request:\n", "  pull_request_target:\n"),
    ),
    "no guard before a commit": (
        "a_commit_is_guarded",
        change(COMMITS, "entry: python hooks/guard_staged.py", 'entry: "true"'),
    ),
    "no .gitattributes": ("git_keeps_sealed_files_to_the_byte", delete(".gitattributes")),
    "line ends that git may change": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "* text=auto eol=lf", "* text=auto"),
    ),
    "sealed files that git stores elsewhere": (
        "git_keeps_sealed_files_to_the_byte",
        append(".gitattributes", "*.sops.yaml filter=lfs diff=lfs merge=lfs -text\n"),
    ),
    "a setting of Renovate without its comma": (
        "renovate_can_read_its_configuration",
        change("renovate.json", '"minimumReleaseAge": "3 days",', '"minimumReleaseAge": "3 days"'),
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

# The same as the first, on GitLab.
GITLAB_FAULTS: dict[str, tuple[str, Fault]] = {
    "a pipeline that runs nothing": (
        "every_push_runs_the_suite",
        substitute(GITLAB, r"uv run pytest --junit-xml.*", "echo done"),
    ),
    "a suite that may fail": (
        "every_push_runs_the_suite",
        change(GITLAB, "\nsuite:\n", "\nsuite:\n  allow_failure: true\n"),
    ),
    "a suite for who asks": (
        "every_push_runs_the_suite",
        change(GITLAB, "\nsuite:\n", "\nsuite:\n  when: manual\n"),
    ),
    "an image that moves": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(GITLAB, r'(image: "ghcr.*):.*"', r'\1:latest"'),
    ),
    "no pipeline": ("the_continuous_integration_is_there", delete(GITLAB)),
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
        lambda root: _sub(root / GCP_CHECKSUMS, r"(?m)^( {8}checksum/\S+): .*$", rf"\1: {'a' * 64}"),
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
    "a key of somebody else's cloud": (
        "the_recipients_are_those_of_the_answers",
        both(
            change(".sops.yaml", f"kms: {KMS_KEY}", f"kms: {KMS_KEY},{KMS_KEY}-2"),
            lambda root: _each_sealed(
                root,
                r"\n  kms:\n((?:    .*\n)+)",
                rf"\n  kms:\n\1    - arn: {KMS_KEY}-2\n      enc: AQICAHh=\n",
            ),
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
        text = _sealed_by_itself(text, "OPENAI_API_KEY")
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
    "one model less": lambda root: _sub(root / SHARED, r"      - model_name: titan.*\n(?:        .*\n)+", ""),
    "no model of a provider any more": lambda root: _sub(
        root / SHARED,
        r"      - model_name: .*\n        litellm_params:\n          model: azure/.*\n(?:        .*\n)+",
        "",
    ),
    "other resources": substitute(
        SHARED,
        r'cpu: "1"\n      memory: 4Gi\n    limits:\n      memory: 4Gi',
        'cpu: "2"\n      memory: 8Gi\n    limits:\n      memory: 8Gi',
    ),
    "a number of replicas for one environment": also("  replicaCount: 5\n"),
    "a single pod without a budget": also("  replicaCount: 1\n  pdb:\n    enabled: false\n"),
    "a budget in percent": change(SHARED, "minAvailable: 1", "minAvailable: 50%"),
    "amounts in other units": substitute(
        SHARED,
        r'cpu: "1"\n      memory: 4Gi\n    limits:\n',
        "cpu: 1500m\n      memory: 4096Mi\n    limits:\n      cpu: 2\n",
    ),
    "tolerations and affinity": also(
        "  tolerations:\n    - key: dedicated\n      operator: Exists\n  affinity:\n    nodeAffinity:\n"
        "      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n"
        "          - matchExpressions:\n"
        "              - {key: kubernetes.io/arch, operator: In, values: [amd64]}\n"
    ),
    "a folder for temporary files": both(
        under("volumes", "    - name: scratch\n      emptyDir: {}\n"),
        under("volumeMounts", "    - name: scratch\n      mountPath: /scratch\n"),
    ),
    "a variable from the pod": under(
        "extraEnvVars",
        "    - name: POD_IP\n      valueFrom:\n        fieldRef:\n          fieldPath: status.podIP\n",
        SHARED,
    ),
    "settings of the router and the cache": both(
        change(SHARED, "    router_settings:\n", "    router_settings:\n      num_retries: 3\n"),
        change(
            SHARED,
            "      json_logs: true",
            "      json_logs: true\n      cache_params:\n        type: redis\n"
            "        password: os.environ/REDIS_PASSWORD",
        ),
    ),
    "models in the database alone": both(
        substitute(SHARED, r"^    model_list:\n(?:      .*\n|\n)+", "    model_list: []\n"),
        change(
            SHARED,
            "      disable_error_logs: true",
            "      disable_error_logs: true\n      store_model_in_db: true",
        ),
    ),
    "a model with a key of another project": model(
        "      - model_name: own\n        litellm_params:\n          model: vertex_ai/own\n"
        "          vertex_credentials: /var/secrets/gcp/gcp-service-account.json\n"
    ),
    "a host for every name": change(
        AWS,
        "    hosts:\n",
        '    hosts:\n      - host: "*.llm.example.com"\n        paths:\n'
        "          - path: /\n            pathType: Prefix\n",
    ),
    "scaling by load": both(
        change(SHARED, "replicaCount: 2", "replicaCount: 1"),
        change(SHARED, "  pdb:\n", "  autoscaling:\n    enabled: true\n    minReplicas: 2\n  pdb:\n"),
    ),
    "labels and annotations": also(
        '  podLabels:\n    team: ai\n  podAnnotations:\n    example.com/cost-center: "42"\n', GCP
    ),
    "a label on a sealed Secret": sealed_as(
        "  namespace: litellm\n", "  namespace: litellm\n  labels:\n    team: ai\n"
    ),
    "a node selector": also("  nodeSelector:\n    kubernetes.io/arch: amd64\n", AZURE),
    "a variable of their own": under("envVars", '    HTTPS_PROXY: "http://proxy.example.com:3128"\n'),
    "a Secret of their own that nothing here reads": own_secret(
        "own-certificate", of="secrets/aws/litellm-salt-key.sops.yaml"
    ),
    "a volume of their own": both(
        own_secret("own-ca", of="secrets/aws/litellm-salt-key.sops.yaml"),
        both(
            under("volumes", "    - name: ca\n      secret:\n        secretName: own-ca\n"),
            under("volumeMounts", "    - name: ca\n      mountPath: /etc/ca\n      readOnly: true\n"),
        ),
    ),
    "a Secret that need not exist": under(
        "extraEnvVars",
        "    - name: OWN\n      valueFrom:\n        secretKeyRef: {name: own, key: own, optional: true}\n",
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
    "an image from a registry of their own": substitute(
        SHARED,
        r'repository: "ghcr.io/.*"\n    tag: ".*"',
        f'repository: registry.example.com/litellm\n    tag: "build-7@sha256:{"ab" * 32}"',
    ),
    "a newer image": lambda root: _sub(root / SHARED, r'tag: ".*"', 'tag: "v1.105.2"'),
    "a newer chart": lambda root: _sub(root / "litellm/Chart.yaml", r'version: "\d.*"', 'version: "1.105.2"'),
    "Secrets that are named where a chart reads them": both(
        also(
            "  redis:\n    auth:\n      existingSecret: litellm-redis\n"
            "      existingSecretPasswordKey: redis-password\n      usePassword: true\n"
        ),
        both(
            change(
                AWS,
                "    annotations:\n      cert",
                "    annotations:\n      nginx.ingress.kubernetes.io/auth-secret: own\n      cert",
            ),
            also(
                "  extraInitContainers:\n    - name: own\n      image: own\n      env:\n"
                '        - {name: OWN_PASSWORD_FILE, value: own}\n        - {name: OWN_PASSWORD, value: ""}\n'
                "        - name: OWN_TOKEN\n          valueFrom:\n"
                "            secretKeyRef: {name: litellm-redis, key: redis-password}\n",
                GCP,
            ),
        ),
    ),
    "an annotation on a Secret, by a patch": append(
        "secrets/aws/kustomization.yaml",
        "patches:\n  - target: {kind: Secret}\n    patch: |-\n      - op: add\n"
        "        path: /metadata/annotations/own\n        value: own\n",
    ),
    "a Secret of their own in the chart, with a value that is not in it": write(
        "litellm/templates/secret.yaml",
        "kind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n"
        "stringData:\n  a: {{ .Values.own | quote }}\n  b: |\n    {{- .Values.own | nindent 4 }}\n",
    ),
    "an example of a Secret in a document": write(
        "docs/README.md", "```yaml\nkind: Secret\nstringData:\n  a: example\n```\n"
    ),
    "a link to a folder that is not deployed": both(
        write("docs/v1/README.md", "Ours.\n"),
        lambda root: (root / "docs/latest").symlink_to("v1", target_is_directory=True),
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
    "a workflow of their own with an action by its tag": write(
        ".github/workflows/own.yaml",
        "on: push\njobs:\n  own:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v7\n",
    ),
    "the suite on another runner, with other options": both(
        substitute(VALIDATE, r"ubuntu-24.04", "self-hosted"),
        substitute(
            VALIDATE,
            r"run: uv run pytest$",
            "run: |\n          uv run --frozen pytest -v --tb=short",
        ),
    ),
    "a workflow that may read": change(VALIDATE, "permissions: {}", "permissions:\n  contents: read"),
    "the suite in a workflow of another repository": write(
        VALIDATE,
        "on: [push]\npermissions: {}\njobs:\n  suite:\n    uses: example/ci/.github/workflows/suite.yaml@main\n",
    ),
    "the suite under another name": both(
        write(".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    steps:\n      - run: pytest\n"),
        delete(VALIDATE),
    ),
    "Dependabot in place of Renovate": both(
        delete("renovate.json"), write(".github/dependabot.yml", "version: 2\nupdates: []\n")
    ),
    "no commit hooks": delete(COMMITS),
    "images in the storage of large files": append(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n"),
    "values for trials, which git ignores": both(
        append(".gitignore", "/litellm/values-local.yaml\n"),
        write("litellm/values-local.yaml", "litellm-helm: {}\n"),
    ),
    "the same Secret of their own in two environments": both(
        own_secret("own", of=OTHER_SALT),
        both(
            copied("secrets/aws/own.sops.yaml", "secrets/gcp/own.sops.yaml"),
            append("secrets/gcp/kustomization.yaml", "  - own.sops.yaml\n"),
        ),
    ),
    "a workflow less": delete(".github/workflows/update.yaml"),
    "a configuration of another tool": write("mkdocs.yml", "site_name: LLM\nplugins: !ENV [search]\n"),
    "documents and images of their own": both(
        write("docs/README.md", "What `sk-…` is, and why ${PASSWORD} stands here.\n"),
        write_bytes("docs/logo.png", b"\x89PNG\0\xff"),
    ),
    "a test of their own": write("tests/test_own.py", "def test_own() -> None:\n    assert True\n"),
    "comments, and another style of YAML": change(
        AWS, "    - litellm-salt-key\n", "    - 'litellm-salt-key'  # ours\n"
    ),
    "the digests in quotes": lambda root: _sub(root / "litellm/checksums-aws.yaml", r": ([0-9a-f]{64})\n", r': "\1"\n'),
    "inputs and keys, which git ignores": both(
        both(canary("aws", "deployment_outputs.env"), canary("github", "access-token")),
        both(canary("pem", "gcp-service-account.json"), canary("age", "keys/aws.agekey")),
    ),
    "a virtual environment, which git ignores": both(
        write(".venv/lib/broken.yaml", "a: [\n"), canary("aws", ".venv/lib/fixture.py")
    ),
    "what helm fetched, which git ignores": write("litellm/Chart.lock", "dependencies: []\n"),
    "another cluster that the template does not know": write("clusters/onprem/README.md", "By hand.\n"),
}


def _sub(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"))
    assert count, f"nothing in {path.name} matches {pattern!r}"
    path.write_text(text, "utf-8")


def _resealed(root: Path, file: str, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> None:
    text, count = pattern.subn(new, (root / file).read_text("utf-8"), count=1)
    assert count, f"nothing in {file} matches {pattern.pattern!r}"
    (root / file).write_text(text, "utf-8")
    refresh(root)


def _sealed_by_itself(text: str, key: str) -> str:
    """The text with another nonce in the value of a key, as one that is sealed by itself has."""
    nonce = base64.b64encode(secrets.token_bytes(32)).decode()
    return re.sub(rf"({key}: ENC.*,iv:)[^,]+", rf"\g<1>{nonce}", text)


def _duplicate_value(path: Path) -> None:
    text = path.read_text("utf-8")
    line = next(line for line in text.splitlines() if "redis-password:" in line)
    other = _sealed_by_itself(line.replace("redis-password", "username"), "username")
    path.write_text(text.replace(line, f"{line}\n{other}"))
    refresh(path.parents[2])


# ---------------------------------------------------------------------------------------------------------------------

BASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, Fault]]]] = {
    "everything": (everything(), FAULTS),
    "small": (answers(["gcp"], ["bedrock"]), SMALL_FAULTS),
    "gitlab": (everything(ci_platform="gitlab"), GITLAB_FAULTS),
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
def test_a_mistake_is_told_by_its_rule_alone(base: str, mistake: str, repository: Callable[..., Path]) -> None:
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


def test_the_figures_in_the_docs_are_true() -> None:
    from tests.test_engine_rules import FAULTS as ENGINE_FAULTS
    from tests.test_engine_rules import OWN

    tables = [faults for _, faults in BASES.values()] + list(ENGINE_FAULTS.values())
    module = {name: rule.__module__.removeprefix("rules.") for name, rule in rules.load_all().items()}
    told = Counter(module.get(rule, UNREADABLE) for faults in tables for rule, _ in faults.values())
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    rows = re.findall(r"\| `(\w+)\.py` \| (\d+) \| (\d+) \|", text)
    assert {name: (int(count), int(faults)) for name, count, faults in rows} == {
        name: (count, told[name]) for name, count in Counter(module.values()).items()
    }
    assert f"{told[UNREADABLE]} more faults" in text
    assert f"{len(EDITS)} edits in `EDITS`, {len(OWN)} in `OWN`" in text


@pytest.mark.parametrize("base", [base for base, _ in BASES.values()], ids=BASES)
def test_every_rule_passes_in_a_git_repository_too(base: dict[str, Any], repository: Callable[..., Path]) -> None:
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
    for form in (
        *("canary-0815", "[canary-0815]", "{canary: 0815}", "'canary-0815", "08_15"),
        *("{? [canary-0815] : x}", "{? {canary-0815: x} : x}", "0815"),
    ):
        root = repository(everything())
        plaintext(value=form)(root)
        assert "0815" not in told(broken(root)).replace("_", "")
        shutil.rmtree(root)


def test_a_misplaced_value_is_never_repeated(repository: Callable[..., Path]) -> None:
    root = repository(everything())
    write("k8s/own.yaml", "kind: Secret\nstringData: {password: 0123456701}\n")(root)
    append("clusters/aws/kustomization.yaml", "  - {kind: Secret, data: {a: canary-0815}}\n")(root)
    found = told(broken(root))
    assert "a value is not the same to YAML 1.1" in found
    assert "is a mapping, not a text" in found
    assert "0123456701" not in found
    assert "0815" not in found


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
def test_a_value_of_any_type_is_told_without_a_traceback(file: str, repository: Callable[..., Path]) -> None:
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
