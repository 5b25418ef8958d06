"""Faults and edits of what both engines read."""

from __future__ import annotations

from tests.support.answers import answers, everything
from tests.support.faults import (
    SHARED,
    Edit,
    Fault,
    append,
    append_item,
    change,
    delete,
    drop,
    set_value,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

KMS_KEY = "arn:aws:kms:us-west-2:123456789012:alias/gitops"
IDENTITY = "arn:aws:iam::123456789012:role/gitops-engine"
KMS = answers(["aws"], ["bedrock"], aws_kms_key=KMS_KEY, aws_kms_identity=IDENTITY)
ARGOCD = everything(gitops_engine="argocd")
LISTED, LIST = "every_kustomization_lists_exactly_what_is_there", "clusters/aws/kustomization.yaml"
POLICED, POLICED_LIST = everything(network_policy="kubernetes"), ("clusters/aws/kustomization.yaml", ("labels",))
FLUX_SECRETS, RELEASE = "clusters/aws/secrets.yaml", "clusters/aws/release/helmrelease.yaml"
HOOK = change(SHARED, "argocd:\n        enabled: false", "argocd:\n        enabled: true")

SCRIPT = """apiVersion: batch/v1
kind: CronJob
metadata: {name: own, namespace: litellm}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: own, image: "alpine:3.21", command: [sh, -c, 'echo "${HOSTNAME} ${A:-b}"']}]
"""
MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: own, namespace: litellm}
spec:
  selector: {matchLabels: {app: own}}
  podMetricsEndpoints: [{port: own, relabelings: [{sourceLabels: [a], targetLabel: b, replacement: "${1}"}]}]
"""


def own(content: str, cluster: str = "aws") -> Edit:
    """An object of the owner's own that a commit brings."""
    listed = append_item(f"clusters/{cluster}/kustomization.yaml", ("resources",), "own.yaml")
    return together(listed, write(f"clusters/{cluster}/own.yaml", content))


def named(name: str) -> Edit:
    """A Service of the owner's own under this name."""
    head = "apiVersion: v1\nkind: Service\nmetadata:\n  namespace: litellm\n"
    return own(f'{head}  name: "{name}"\nspec: {{type: ExternalName, externalName: own.example.com}}\n')


def replaced(**given: object) -> Edit:
    """Flux replaces variables."""
    return set_value(FLUX_SECRETS, ("spec", "postBuild"), given)


FAULTS: dict[str, Fault] = {
    "an identity that is gone": (
        "the_engine_has_the_identity_that_decrypts",
        delete("clusters/aws/flux-setup/serviceaccount.yaml"),
        KMS,
    ),
    "two objects without a line between them": (
        "no_key_is_given_twice",
        change("clusters/aws/argocd-setup/plugin.yaml", "\n---\n", "\n"),
        ARGOCD,
    ),
    "a list whose line is gone": ("every_manifest_fits_the_schema_of_its_kind", drop(LIST, "resources:")),
    "a list with a line too far in": (LISTED, change(LIST, "  - ../../secrets/aws", "    - ../../secrets/aws")),
    "names by which nothing finds what is applied": (LISTED, append(LIST, "namePrefix: own-\n")),
    "patches in an older field": (LISTED, append(LIST, "patchesJson6902: [{target: {kind: Ingress}, patch: '[]'}]\n")),
    "a chart that Flux does not render": (LISTED, append(LIST, "helmCharts: [{name: own, version: 1.0.0}]\n")),
    "labels that a policy then asks for": (LISTED, append(LIST, "commonLabels: {team: own}\n"), POLICED),
    "labels that a policy then asks for, too": (
        LISTED,
        set_value(*POLICED_LIST, [{"pairs": {"team": "own"}, "includeSelectors": True}]),
        POLICED,
    ),
    "a list that is emptied": ("flux_applies_the_secrets", set_value(LIST, ("resources",), []), POLICED),
    "a file that is listed by a part of its name": (
        LISTED,
        change(LIST, "- network-policy.yaml", "- network.yaml"),
        POLICED,
    ),
    "a Role for all of the cluster": (
        "every_cluster_has_its_flux_objects",
        change("clusters/aws/account.yaml", "kind: Role\n", "kind: ClusterRole\n"),
    ),
    "labels of the namespace in another place": (
        "every_manifest_fits_the_schema_of_its_kind",
        change("clusters/aws/namespace.yaml", "  labels:\n", "labels:\n"),
    ),
    "Secrets that Kustomize makes of plaintext": (
        LISTED,
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
        set_value("clusters/aws/release/helmrelease.yaml", ("metadata", "labels"), {"cluster": "${cluster}"}),
    ),
    "a variable that Flux replaces by nothing": (
        "nothing_is_left_to_substitution",
        together(replaced(substitute={"region": "us"}), named("own-${regoin}")),
    ),
    "a variable of a program that Flux replaces by nothing": (
        "nothing_is_left_to_substitution",
        together(replaced(substitute={"region": "us"}), own(SCRIPT)),
    ),
    "a variable that something may replace": (
        "nothing_is_left_to_substitution",
        set_value("clusters/aws/release.yaml", ("metadata", "labels"), {"cluster": "${cluster}"}),
        ARGOCD,
    ),
    "the chart's own Argo CD hook, with Flux": ("the_migrations_run_before_the_pods", HOOK),
    "the chart's own Argo CD hook, with Argo CD": ("the_migrations_run_before_the_pods", HOOK, ARGOCD),
}
HARMLESS: dict[str, Harmless] = {
    "older fields of a folder of one's own": write(
        "apps/own/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: own-\n"
        "vars: [{name: OWN, objref: {apiVersion: v1, kind: ConfigMap, name: own}}]\n",
    ),
    "labels that nothing selects by": append(LIST, "commonLabels: {team: own}\n"),
    "labels beside selectors": (
        set_value(*POLICED_LIST, [{"pairs": {"team": "own"}, "includeTemplates": True}]),
        POLICED,
    ),
    "a policy of one's own with labels": together(
        own(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: own, namespace: litellm}\n"
            "spec: {podSelector: {matchLabels: {app: own}}, policyTypes: [Ingress]}\n"
        ),
        append(LIST, "commonLabels: {team: own}\n"),
    ),
    "a chart that Argo CD renders": (
        together(
            append(LIST, "helmCharts: [{name: own, version: 1.0.0}]\n"),
            change(
                "clusters/aws/argocd-setup/argocd-cm.yaml",
                "--enable-alpha-plugins --enable-exec",
                "--enable-alpha-plugins --enable-exec --enable-helm",
            ),
        ),
        ARGOCD,
    ),
    "a variable of a program": own(SCRIPT),
    "a variable of a program, with Argo CD": (own(SCRIPT), ARGOCD),
    "a part of a pattern": own(MONITOR),
    "a part of a pattern, with Argo CD": (own(MONITOR), ARGOCD),
    "a variable that Flux replaces": together(replaced(substitute={"region": "us"}), named("own-${region}")),
    "a variable from elsewhere": together(
        replaced(substituteFrom=[{"kind": "ConfigMap", "name": "own", "optional": True}]), named("own-${region}")
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
