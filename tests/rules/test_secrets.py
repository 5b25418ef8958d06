"""Faults and edits of what one file says of a Secret, and another."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.answers import answers
from tests.support.faults import (
    ANSWERS,
    CHART,
    GCP,
    POLICY,
    SHARED,
    SUITE,
    Edit,
    Fault,
    add,
    append,
    append_item,
    change,
    delete,
    drop,
    git,
    remove_item,
    set_value,
    substitute,
    swap,
    together,
    write,
)
from tests.support.findings import accepted, found_by_its_rule_alone
from tests.support.sealed_store import SEALED_VALUE, copied, other_nonce, own_secret, refresh, resealed, substituted

POSTGRESQL = "secrets/aws/litellm-postgresql.sops.yaml"
REDIS = "secrets/aws/litellm-redis.sops.yaml"
SALT = "secrets/gcp/litellm-salt-key.sops.yaml"
OTHER_SALT = "secrets/aws/litellm-salt-key.sops.yaml"
YML = OTHER_SALT.replace(".yaml", ".yml")
GCP_CHECKSUMS = "litellm/checksums-gcp.yaml"
BUNDLED = answers(["gcp"], ["bedrock"], redis="bundled")


SECRET_PROVIDER = """\
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: own, namespace: litellm}
spec:
  provider: aws
  secretObjects:
    - {secretName: own-variables, type: Opaque, data: [{key: OWN_KEY, objectName: own}]}
"""
EXTERNAL_SECRET = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: own, namespace: litellm}
spec:
  secretStoreRef: {name: vault, kind: ClusterSecretStore}
  target: {name: own-variables}
  data:
    - secretKey: OWN_KEY
      remoteRef: {key: own}
"""


def _value_of_another(root: Path) -> None:
    other = str(SEALED_VALUE.findall((root / OTHER_SALT).read_text("utf-8"))[0])
    substituted(REDIS, SEALED_VALUE, lambda _: other)(root)


def _code_of_another(root: Path) -> None:
    other = re.findall(r"  mac: .*\n", (root / OTHER_SALT).read_text("utf-8"))[0]
    substituted(REDIS, r"  mac: .*\n", lambda _: other)(root)


def _one_more_key(root: Path) -> None:
    text = (root / REDIS).read_text("utf-8")
    line = next(line for line in text.splitlines() if "redis-password:" in line)
    other = other_nonce(line.replace("redis-password", "username"), "username")
    write(REDIS, text.replace(line, f"{line}\n{other}"))(root)
    refresh(root)


def _renamed(old: str, new: str) -> Edit:
    def apply(root: Path) -> None:
        (root / old).rename(root / new)

    return apply


def _committed(root: Path) -> None:
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "State")


FAULTS: dict[str, Fault] = {
    "checksums of two environments swapped": (
        "every_checksum_is_that_of_its_secret",
        swap("litellm/checksums-aws.yaml", "litellm/checksums-gcp.yaml"),
    ),
    "a value among the checksums": (
        "every_checksum_is_that_of_its_secret",
        append(GCP_CHECKSUMS, "  replicaCount: 3\n"),
    ),
    "a Secret that the answers need and the list lacks": (
        "the_list_of_secrets_follows_from_the_answers",
        remove_item(POLICY, ("secrets", "litellm-redis", "clusters"), "aws"),
    ),
    "a key of the list by another name": (
        "the_list_of_secrets_follows_from_the_answers",
        change(POLICY, "      redis-password:", "      password:"),
    ),
    "values that are no longer checked": (
        "the_list_of_secrets_follows_from_the_answers",
        change(POLICY, ", form: aws_access_key_id", ""),
    ),
    "an input that is another's": (
        "the_list_of_secrets_follows_from_the_answers",
        change(POLICY, "[AZURE_CLIENT_SECRET]", "[GITHUB_TOKEN]"),
    ),
    "a master key that somebody knows": (
        "the_list_of_secrets_follows_from_the_answers",
        change(POLICY, "generate: master_key", "default: known"),
    ),
    "a Secret on the list that nobody knows": (
        "the_list_of_secrets_follows_from_the_answers",
        append(POLICY, "  another:\n    clusters: [aws]\n    keys:\n      key: {generate: password}\n"),
    ),
    "a salt key that may be rotated": (
        "the_list_of_secrets_follows_from_the_answers",
        substitute(POLICY, r"    never_rotate: .*\n", ""),
    ),
    "an environment twice among the answers": (
        "the_list_of_secrets_follows_from_the_answers",
        change(ANSWERS, "cluster_environments:\n", "cluster_environments:\n- aws\n"),
    ),
    "a password that was sealed for another chart": (
        "every_password_is_sealed_as_its_chart_takes_it",
        resealed(
            POSTGRESQL,
            change(
                POSTGRESQL, "metadata:\n", 'metadata:\n  annotations:\n    litellm-gitops/percent-encoded: "false"\n'
            ),
        ),
    ),
    "a Secret that is missing": ("every_needed_secret_is_there", delete(REDIS)),
    "a Secret with a misspelt key": (
        "every_needed_secret_is_there",
        resealed(REDIS, change(REDIS, "redis-password:", "redis_password:")),
    ),
    "a Secret that can never change": (
        "every_secret_file_holds_the_secret_of_its_name",
        resealed(REDIS, change(REDIS, "type: Opaque\n", "type: Opaque\nimmutable: true\n")),
    ),
    "a Secret of another type": (
        "every_secret_file_holds_the_secret_of_its_name",
        resealed(REDIS, change(REDIS, "type: Opaque", "type: kubernetes.io/basic-auth")),
    ),
    "a Secret that the engine leaves alone": (
        "every_secret_file_holds_the_secret_of_its_name",
        resealed(
            REDIS,
            change(
                REDIS,
                "  namespace: litellm\n",
                "  namespace: litellm\n  annotations:\n    kustomize.toolkit.fluxcd.io/reconcile: disabled\n",
            ),
        ),
    ),
    "the Secret of another environment": ("no_sealed_value_is_a_copy", copied(SALT, OTHER_SALT)),
    "the value of another key": ("no_sealed_value_is_a_copy", _value_of_another),
    "the authentication code of another Secret": ("no_sealed_value_is_a_copy", _code_of_another),
    "a Secret without one of its keys": (
        "every_needed_secret_is_there",
        together(drop("secrets/gcp/litellm-aws-auth.sops.yaml", "AWS_SECRET_ACCESS_KEY:"), refresh),
    ),
    "a Secret with a key that nobody asked for": ("every_needed_secret_is_there", _one_more_key),
    "a Secret under another name": (
        "every_secret_file_holds_the_secret_of_its_name",
        resealed(REDIS, change(REDIS, "name: litellm-redis", "name: redis")),
    ),
    "a Secret in another namespace": (
        "every_secret_file_holds_the_secret_of_its_name",
        resealed(REDIS, change(REDIS, "namespace: litellm", "namespace: default")),
    ),
    "a Secret that was emptied": ("every_value_of_every_secret_is_sealed", write(REDIS, "")),
    "a Secret whose values stand in data": (
        "every_secret_file_holds_the_secret_of_its_name",
        resealed(REDIS, change(REDIS, "\nstringData:", "\ndata:")),
    ),
    "a Secret that no answer needs, and no list": (
        "no_secret_is_orphaned",
        own_secret("litellm-aws-auth", of="secrets/gcp/litellm-aws-auth.sops.yaml", listed=False),
    ),
    "a Secret that no answer needs": (
        "no_secret_is_orphaned",
        own_secret("litellm-aws-auth", of="secrets/gcp/litellm-aws-auth.sops.yaml"),
    ),
    "a salt key that the proxy never sees": ("no_secret_is_orphaned", drop(GCP, "- litellm-salt-key")),
    "a Secret that does not exist": (
        "values_name_only_secrets_and_keys_that_exist",
        add(CHART.env_from, ["own-variables"]),
    ),
    "a key that the Secret does not have": (
        "values_name_only_secrets_and_keys_that_exist",
        change(SHARED, "key: redis-password", "key: password"),
    ),
    "a mounted key that the Secret does not have": (
        "values_name_only_secrets_and_keys_that_exist",
        add(CHART.mounts, [{"name": "gcp-service-account", "mountPath": "/own", "subPath": "key.json"}]),
    ),
    "a volume's key that the Secret does not have": (
        "values_name_only_secrets_and_keys_that_exist",
        add(
            CHART.volumes,
            [
                {
                    "name": "salt",
                    "secret": {"secretName": "litellm-salt-key", "items": [{"key": "salt", "path": "salt"}]},
                }
            ],
        ),
    ),
    "a credential for the registry that does not exist": (
        "values_name_only_secrets_and_keys_that_exist",
        add(CHART.pull_secrets, [{"name": "registry"}]),
    ),
    "a Secret that was sealed again without its checksum": ("every_checksum_is_that_of_its_secret", append(SALT, "\n")),
    "a checksum of a misspelt name": (
        "every_checksum_is_that_of_its_secret",
        substitute("litellm/checksums-aws.yaml", "checksum/litellm-redis", "checksum/litellm-reds"),
    ),
    "a checksum that is missing": (
        "every_checksum_is_that_of_its_secret",
        drop("litellm/checksums-aws.yaml", "checksum/litellm-redis"),
    ),
    "checksums in conflict": (
        "every_checksum_is_that_of_its_secret",
        append("litellm/checksums-aws.yaml", "<<<<<<< ours\n=======\n>>>>>>> theirs\n"),
    ),
    "a Secret that is missing, and that git has": (
        "every_needed_secret_is_there",
        together(_committed, delete(OTHER_SALT), _committed),
    ),
    "a Secret whose file has another ending": (
        "every_needed_secret_is_there",
        _renamed(OTHER_SALT, YML),
    ),
    "a Secret of another ending that is listed": (
        "every_needed_secret_is_there",
        together(
            _renamed(OTHER_SALT, YML),
            change("secrets/aws/kustomization.yaml", "litellm-salt-key.sops.yaml", "litellm-salt-key.sops.yml"),
        ),
    ),
    "a Secret in two files": (
        "every_needed_secret_is_there",
        copied(OTHER_SALT, YML),
    ),
    "a Secret that was emptied before its first checksum": (
        "every_value_of_every_secret_is_sealed",
        together(write(REDIS, ""), drop("litellm/checksums-aws.yaml", "checksum/litellm-redis")),
    ),
    "a Secret that git ignores": ("every_needed_secret_is_there", append(".gitignore", f"/{REDIS}\n")),
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
    "a password of Redis that restarts the proxy but not Redis": (
        "every_checksum_is_that_of_its_secret",
        substitute(GCP_CHECKSUMS, r"  redis:\n(?:    .*\n)+", ""),
        BUNDLED,
    ),
    "an old checksum for Redis alone": (
        "every_checksum_is_that_of_its_secret",
        substitute(GCP_CHECKSUMS, r"(?m)^( {8}checksum/\S+): .*$", rf"\1: {'a' * 64}"),
        BUNDLED,
    ),
    "a value of Redis among the checksums": (
        "every_checksum_is_that_of_its_secret",
        change(GCP_CHECKSUMS, "    master:\n", "    master:\n      count: 2\n"),
        BUNDLED,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "a Secret that External Secrets makes": together(
        write("clusters/aws/own.yaml", EXTERNAL_SECRET),
        append_item("clusters/aws/kustomization.yaml", ("resources",), "own.yaml"),
        add(CHART.env_from, ["own-variables"]),
    ),
    "a Secret that the driver of the Secrets Store makes": together(
        write("clusters/aws/own.yaml", SECRET_PROVIDER),
        append_item("clusters/aws/kustomization.yaml", ("resources",), "own.yaml"),
        append_item("clusters/aws/account.yaml", ("rules", 1, "apiGroups"), "secrets-store.csi.x-k8s.io", document=1),
        add(CHART.env_from, ["own-variables"]),
    ),
    "a Secret that the owner says somebody else makes": together(
        add(CHART.env_from, ["own-variables"]),
        set_value(SUITE, ("secrets",), [{"name": "own-variables", "made_by": "terraform", "clusters": ["aws"]}]),
    ),
    "a label on a sealed Secret": resealed(
        REDIS, change(REDIS, "  namespace: litellm\n", "  namespace: litellm\n  labels:\n    team: ai\n")
    ),
    "a Secret of their own that nothing here reads": own_secret(
        "own-certificate", of="secrets/aws/litellm-salt-key.sops.yaml"
    ),
    "a volume of their own": together(
        own_secret("own-ca", of="secrets/aws/litellm-salt-key.sops.yaml"),
        together(
            add(CHART.volumes, [{"name": "ca", "secret": {"secretName": "own-ca"}}]),
            add(CHART.mounts, [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}]),
        ),
    ),
    "a Secret that need not exist": add(
        CHART.variable_list,
        [{"name": "OWN", "valueFrom": {"secretKeyRef": {"name": "own", "key": "own", "optional": True}}}],
        SHARED,
    ),
    "the same Secret of their own in two environments": together(
        own_secret("own", of=OTHER_SALT),
        together(
            copied("secrets/aws/own.sops.yaml", "secrets/gcp/own.sops.yaml"),
            append("secrets/gcp/kustomization.yaml", "  - own.sops.yaml\n"),
        ),
    ),
    "a Secret of their own that ends in .yml": together(
        own_secret("own", of=OTHER_SALT),
        _renamed("secrets/aws/own.sops.yaml", "secrets/aws/own.sops.yml"),
        change("secrets/aws/kustomization.yaml", "own.sops.yaml", "own.sops.yml"),
    ),
    "a salt key that somebody annotated as a placeholder": resealed(
        OTHER_SALT,
        change(
            OTHER_SALT,
            "  namespace: litellm\n",
            '  namespace: litellm\n  annotations:\n    litellm-gitops/placeholder: "true"\n',
        ),
    ),
    "the digests in quotes": substitute("litellm/checksums-aws.yaml", r": ([0-9a-f]{64})\n", r': "\1"\n'),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
