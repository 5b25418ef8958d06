"""Faults and edits of what both engines read."""

from __future__ import annotations

from tests.support.answers import answers, everything
from tests.support.faults import SHARED, Fault, append, change
from tests.support.findings import found_by_its_rule_alone

KMS_KEY = "arn:aws:kms:us-west-2:123456789012:alias/gitops"
IDENTITY = "arn:aws:iam::123456789012:role/gitops-engine"
KMS = answers(["aws"], ["bedrock"], aws_kms_key=KMS_KEY, aws_kms_identity=IDENTITY)
ARGOCD = everything(gitops_engine="argocd")
HOOK = change(SHARED, "argocd:\n        enabled: false", "argocd:\n        enabled: true")


FAULTS: dict[str, Fault] = {
    "Secrets that Kustomize makes of plaintext": (
        "the_engine_knows_every_field",
        append("secrets/aws/kustomization.yaml", "secretGenerator:\n  - name: own\n    files: [kustomization.yaml]\n"),
    ),
    "another identity of the engine": (
        "the_engine_has_the_identity_that_decrypts",
        change("clusters/aws/flux-setup/serviceaccount.yaml", IDENTITY, f"{IDENTITY}-2"),
        KMS,
    ),
    "a key under a name that Flux does not read": (
        "the_age_key_has_a_name_that_the_engine_reads",
        change("README.md", "--from-file=aws.agekey=", "--from-file=age.key="),
    ),
    "a key under a name that Argo CD does not read": (
        "the_age_key_has_a_name_that_the_engine_reads",
        change("README.md", "--from-file=aws.agekey=", "--from-file=keys.txt="),
        ARGOCD,
    ),
    "a variable for Flux to replace": (
        "nothing_is_left_to_substitution",
        change("clusters/aws/release/helmrelease.yaml", "# What is changed", "# ${cluster}: what is changed"),
    ),
    "a variable that something may replace": (
        "nothing_is_left_to_substitution",
        change("clusters/aws/release.yaml", "# A failed", "# ${cluster}: a failed"),
        ARGOCD,
    ),
    "the chart's own Argo CD hook, with Flux": ("the_migrations_run_before_the_pods", HOOK),
    "the chart's own Argo CD hook, with Argo CD": ("the_migrations_run_before_the_pods", HOOK, ARGOCD),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
