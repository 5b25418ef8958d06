"""Faults and edits of what Flux reads."""

from __future__ import annotations

from tests.support.answers import answers, everything
from tests.support.faults import (
    SUITE,
    Edit,
    Fault,
    append,
    append_item,
    change,
    delete,
    drop,
    remove,
    set_value,
    substitute,
    swap,
    together,
    write,
)
from tests.support.findings import Copy, accepted, findings, found_by_its_rule_alone, report

CLUSTER = "clusters/aws/cluster.yaml"
LIST = "clusters/aws/kustomization.yaml"
NAMESPACE = "clusters/aws/namespace.yaml"
RELEASE = "clusters/aws/release.yaml"
HELM_RELEASE = "clusters/aws/release/helmrelease.yaml"
SECRETS = "clusters/aws/secrets.yaml"
SOURCE = "clusters/aws/source.yaml"
VALUES = ("spec", "chart", "spec", "valuesFiles")
DEPENDENCY = ("spec", "dependsOn", 0)
KMS = answers(
    ["aws"],
    ["bedrock"],
    aws_kms_key="arn:aws:kms:us-west-2:123456789012:alias/gitops",
    aws_kms_identity="arn:aws:iam::123456789012:role/gitops-engine",
)


def own(content: str) -> Edit:
    """An object of the operator's own in a cluster, which its list names."""
    return together(append_item(LIST, ("resources",), "own.yaml"), write("clusters/aws/own.yaml", content))


def kustomization(spec: str, namespace: str = "flux-system") -> Edit:
    """A Kustomization of the operator's own."""
    head = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    return own(f"{head}metadata: {{name: own, namespace: {namespace}}}\nspec: {{interval: 1h, prune: false, {spec}}}\n")


FROM_HERE = "path: ./litellm, sourceRef: {kind: GitRepository, name: litellm-gitops}"
FROM_ELSEWHERE = "path: ./anything, sourceRef: {kind: OCIRepository, name: own}"

FAULTS: dict[str, Fault] = {
    # fields
    "a misspelt field": (
        "the_engine_knows_every_field",
        change(HELM_RELEASE, "valuesFiles:", "valueFiles:"),
    ),
    "a field of another kind": (
        "the_engine_knows_every_field",
        set_value(SECRETS, ("spec", "releaseName"), "litellm"),
    ),
    "a duration without a unit": ("the_engine_knows_every_field", set_value(SOURCE, ("spec", "interval"), 60)),
    "a text where a flag belongs": ("the_engine_knows_every_field", set_value(RELEASE, ("spec", "wait"), "true")),
    "a word that the field does not take": (
        "the_engine_knows_every_field",
        set_value(HELM_RELEASE, ("spec", "install", "strategy"), {"name": "Retry"}),
    ),
    "a required field left out": (
        "the_engine_knows_every_field",
        remove("clusters/gcp/cluster.yaml", ("spec", "prune")),
    ),
    "a dependency as a text": (
        "the_engine_knows_every_field",
        set_value("clusters/gcp/release.yaml", DEPENDENCY, "litellm-secrets"),
    ),
    "an unknown field of kustomize": (
        "the_engine_knows_every_field",
        set_value("clusters/azure/kustomization.yaml", ("resource",), ["extra.yaml"]),
    ),
    "an unknown field of an object of one's own": (
        "the_engine_knows_every_field",
        kustomization(f"suspended: true, {FROM_ELSEWHERE}"),
    ),
    "an API version that Flux took away": (
        "every_manifest_fits_the_schema_of_its_kind",
        set_value(HELM_RELEASE, ("apiVersion",), "helm.toolkit.fluxcd.io/v2beta2"),
    ),
    "a kind that Flux does not have": (
        "every_manifest_fits_the_schema_of_its_kind",
        own("apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alerts\nmetadata: {name: own}\n"),
    ),
    # files
    "a file that is not there": ("every_kustomization_lists_exactly_what_is_there", delete(SECRETS)),
    "a file that nobody applies": ("every_file_of_a_cluster_is_applied", drop(LIST, "- namespace.yaml")),
    "a misspelt file in a list": (
        "every_kustomization_lists_exactly_what_is_there",
        append_item(LIST, ("resources",), "alerts.yaml"),
    ),
    "a folder without its list": (
        "every_file_of_a_cluster_is_applied",
        delete("clusters/aws/release/kustomization.yaml"),
    ),
    "a sealed Secret that is not applied": (
        "every_kustomization_lists_exactly_what_is_there",
        drop("secrets/azure/kustomization.yaml", "litellm-salt-key"),
    ),
    "a Secret in the list that does not exist": (
        "every_kustomization_lists_exactly_what_is_there",
        append_item("secrets/azure/kustomization.yaml", ("resources",), "litellm-extra.sops.yaml"),
    ),
    "a list that moves the engine's own objects": (
        "every_kustomization_lists_exactly_what_is_there",
        set_value(LIST, ("namespace",), "default"),
    ),
    # objects
    "a release of another name": (
        "every_cluster_has_its_flux_objects",
        set_value(HELM_RELEASE, ("metadata", "name"), "proxy"),
    ),
    "a source in another namespace": (
        "every_cluster_has_its_flux_objects",
        set_value(SOURCE, ("metadata", "namespace"), "litellm"),
    ),
    "no namespace": (
        "every_cluster_has_its_flux_objects",
        together(drop(LIST, "- namespace.yaml"), delete(NAMESPACE)),
    ),
    "an object in two files": (
        "no_object_is_applied_twice",
        own("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: litellm\n"),
    ),
    "a release beside its Secrets": ("no_object_is_applied_twice", append_item(LIST, ("resources",), "release")),
    # sources
    "another repository": (
        "flux_follows_this_repository",
        set_value(SOURCE, ("spec", "url"), "https://github.com/example/other.git"),
    ),
    "a repository with a credential": (
        "flux_follows_this_repository",
        set_value(SOURCE, ("spec", "url"), "https://token@github.com/example/litellm-gitops.git"),
    ),
    "another branch": ("flux_follows_this_repository", set_value(SOURCE, ("spec", "ref", "branch"), "master")),
    "a tag instead of the branch": ("flux_follows_this_repository", set_value(SOURCE, ("spec", "ref"), {"tag": "v1"})),
    "a commit that stays": ("flux_follows_this_repository", set_value(SOURCE, ("spec", "ref", "commit"), "ab" * 20)),
    "a chart that is kept from the cluster": ("flux_sees_what_it_deploys", drop(SOURCE, "!/litellm")),
    "Secrets that are kept from the cluster": ("flux_sees_what_it_deploys", drop(SOURCE, "!/secrets")),
    "a part of the repository": (
        "flux_sees_what_it_deploys",
        set_value(SOURCE, ("spec", "sparseCheckout"), ["clusters"]),
    ),
    "a source that does not exist": (
        "every_flux_source_exists",
        set_value(SECRETS, ("spec", "sourceRef", "name"), "flux-system"),
    ),
    "a chart from a source that does not exist": (
        "every_flux_source_exists",
        set_value(HELM_RELEASE, ("spec", "chart", "spec", "sourceRef", "kind"), "HelmRepository"),
    ),
    "a source in a namespace that has none": (
        "every_flux_source_exists",
        set_value(RELEASE, ("spec", "sourceRef", "namespace"), "litellm"),
    ),
    # order
    "no dependency": ("the_release_waits_for_the_secrets", remove(RELEASE, ("spec", "dependsOn"))),
    "a dependency that does not exist": (
        "every_flux_dependency_exists",
        set_value(RELEASE, DEPENDENCY, {"name": "litellm-secret"}),
    ),
    "a dependency in another namespace": (
        "every_flux_dependency_exists",
        set_value(RELEASE, (*DEPENDENCY, "namespace"), "default"),
    ),
    "a declared object that nothing waits for": (
        "every_declaration_is_needed",
        set_value(SUITE, ("objects",), ["Kustomization flux-system/infrastructure"]),
    ),
    "a dependency on the wrong object": (
        "the_release_waits_for_the_secrets",
        set_value(RELEASE, DEPENDENCY, {"name": "litellm-cluster"}),
    ),
    "two that wait for each other": (
        "the_release_waits_for_the_secrets",
        append_item(SECRETS, ("spec", "dependsOn"), {"name": "litellm"}),
    ),
    "Secrets that wait for the release through another": (
        "the_release_waits_for_the_secrets",
        together(
            append_item(SECRETS, ("spec", "dependsOn"), {"name": "own"}),
            kustomization(f"dependsOn: [{{name: litellm}}], {FROM_HERE}"),
        ),
    ),
    "a release that is Ready before it is": (
        "flux_reports_the_release_when_it_runs",
        remove(RELEASE, ("spec", "wait")),
    ),
    # paths and values
    "the Secrets of another cluster": (
        "every_flux_path_leads_to_its_folder",
        set_value(SECRETS, ("spec", "path"), "./secrets/gcp"),
    ),
    "a wrong path": (
        "every_flux_path_leads_to_its_folder",
        set_value("clusters/gcp/release.yaml", ("spec", "path"), "./clusters/gcp/releases"),
    ),
    "a path of one's own that does not exist": (
        "every_flux_path_leads_to_its_folder",
        kustomization(FROM_HERE.replace("./litellm", "./apps")),
    ),
    "the objects of two clusters swapped": (
        "every_flux_path_leads_to_its_folder",
        swap(SECRETS, "clusters/gcp/secrets.yaml"),
    ),
    "the releases of two clusters swapped": (
        "the_flux_release_takes_its_values",
        swap(HELM_RELEASE, "clusters/gcp/release/helmrelease.yaml"),
    ),
    "values that the suite does not see": (
        "the_flux_release_takes_its_values",
        set_value(HELM_RELEASE, ("spec", "values"), {"own": {"replicas": 1}}),
    ),
    "values from an object in the cluster": (
        "the_flux_release_takes_its_values",
        set_value(HELM_RELEASE, ("spec", "valuesFrom"), [{"kind": "Secret", "name": "own"}]),
    ),
    "two charts": (
        "the_flux_release_takes_its_values",
        set_value(HELM_RELEASE, ("spec", "chartRef"), {"kind": "OCIRepository", "name": "own"}),
    ),
    "the values of another cluster": (
        "the_flux_release_takes_its_values",
        set_value(HELM_RELEASE, (*VALUES, 1), "./litellm/values-gcp.yaml"),
    ),
    "no shared values": ("the_flux_release_takes_its_values", remove(HELM_RELEASE, (*VALUES, 0))),
    "values relative to the chart, as Argo CD has them": (
        "the_flux_release_takes_its_values",
        set_value(HELM_RELEASE, (*VALUES, 1), "values-aws.yaml"),
    ),
    "the shared values last": (
        "the_flux_release_takes_its_values",
        together(
            set_value(HELM_RELEASE, (*VALUES, 0), "./litellm/values-aws.yaml"),
            set_value(HELM_RELEASE, (*VALUES, 1), "./litellm/values.yaml"),
        ),
    ),
    "no checksums, so that a new Secret restarts nothing": (
        "the_flux_release_takes_its_values",
        remove(HELM_RELEASE, (*VALUES, 2)),
    ),
    "another chart": (
        "the_flux_release_takes_its_values",
        set_value(HELM_RELEASE, ("spec", "chart", "spec", "chart"), "./chart"),
    ),
    "values that are never deployed": (
        "a_change_of_values_alone_is_deployed",
        remove(HELM_RELEASE, ("spec", "chart", "spec", "reconcileStrategy")),
    ),
    # decryption
    "no decryption": ("flux_decrypts_the_secrets", remove(SECRETS, ("spec", "decryption"))),
    "no decryption, with a key service": ("flux_decrypts_the_secrets", remove(SECRETS, ("spec", "decryption")), KMS),
    "a static key beside a key service": (
        "flux_decrypts_the_secrets",
        set_value(SECRETS, ("spec", "decryption", "secretRef"), {"name": "sops-age"}),
        KMS,
    ),
    "a key from another Secret": (
        "flux_decrypts_the_secrets",
        set_value(SECRETS, ("spec", "decryption", "secretRef", "name"), "age-key"),
    ),
    # the release
    "the release in another namespace": (
        "the_flux_release_lands_beside_its_secrets",
        set_value(HELM_RELEASE, ("spec", "targetNamespace"), "default"),
    ),
    "another name for Helm": (
        "the_flux_release_lands_beside_its_secrets",
        remove(HELM_RELEASE, ("spec", "releaseName")),
    ),
    "the release in another cluster": (
        "flux_applies_everything_where_it_belongs",
        set_value(HELM_RELEASE, ("spec", "kubeConfig"), {"secretRef": {"name": "own"}}),
    ),
    "the Secrets in another namespace": (
        "flux_applies_everything_where_it_belongs",
        set_value(SECRETS, ("spec", "targetNamespace"), "default"),
    ),
    "the Secrets under other names": (
        "flux_applies_everything_where_it_belongs",
        set_value(SECRETS, ("spec", "namePrefix"), "aws-"),
    ),
    "an upgrade without the migrations": (
        "flux_runs_the_migrations_and_waits",
        set_value(HELM_RELEASE, ("spec", "upgrade", "disableHooks"), True),
    ),
    "an install that waits for nothing": (
        "flux_runs_the_migrations_and_waits",
        set_value(HELM_RELEASE, ("spec", "install", "disableWait"), True),
    ),
    "values that stay for ever": (
        "flux_runs_the_migrations_and_waits",
        set_value(HELM_RELEASE, ("spec", "upgrade", "preserveValues"), True),
    ),
    "no second try": ("a_failed_flux_release_is_tried_again", remove(HELM_RELEASE, ("spec", "install"))),
    "no time for the pods": (
        "the_flux_release_has_time_to_start",
        set_value(HELM_RELEASE, ("spec", "timeout"), "2m"),
    ),
    "less time around the release than in it": (
        "the_flux_release_has_time_to_start",
        set_value(RELEASE, ("spec", "timeout"), "5m"),
    ),
    "drift that stays": ("flux_lets_git_win", set_value(HELM_RELEASE, ("spec", "driftDetection", "mode"), "warn")),
    "removed objects that stay": ("flux_lets_git_win", set_value(SECRETS, ("spec", "prune"), False)),
    "a suspended release": ("flux_lets_git_win", set_value(HELM_RELEASE, ("spec", "suspend"), True)),
    "a suspended source": ("flux_lets_git_win", set_value(SOURCE, ("spec", "suspend"), True)),
    "an object that is left alone": (
        "flux_lets_git_win",
        set_value(SECRETS, ("metadata", "annotations", "kustomize.toolkit.fluxcd.io/reconcile"), "disabled"),
    ),
    "drift that is never looked for": (
        "flux_lets_git_win",
        set_value(HELM_RELEASE, ("spec", "driftDetection", "ignore"), [{"paths": [""]}]),
    ),
    "a namespace that is pruned": (
        "flux_removes_in_order",
        set_value(NAMESPACE, ("metadata", "annotations", "kustomize.toolkit.fluxcd.io/prune"), "enabled"),
    ),
    "a removal of everything at once": ("flux_removes_in_order", remove(CLUSTER, ("spec", "deletionPolicy"))),
}

# What an operator may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "a Kustomization of one's own": kustomization(
        f"suspend: true, dependsOn: [{{name: other}}], {FROM_ELSEWHERE}", "tools"
    ),
    "a namespace of one's own": own("apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n"),
    "a folder of one's own": together(
        append_item(LIST, ("resources",), "own"),
        write(
            "clusters/aws/own/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - own.yaml\n",
        ),
        write(
            "clusters/aws/own/own.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n",
        ),
    ),
    "a label of the namespace": set_value(
        NAMESPACE, ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline"
    ),
    "a key for a private repository": set_value(SOURCE, ("spec", "secretRef"), {"name": "litellm-git"}),
    "one more folder for the cluster": append(SOURCE, "    !/apps\n"),
    "the whole repository in the cluster": substitute(SOURCE, r"  ignore: \|\n(?:    .*\n)+", ""),
    "replicas that something else sets": set_value(
        HELM_RELEASE,
        ("spec", "driftDetection", "ignore"),
        [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}],
    ),
    "one more thing to wait for": append_item(RELEASE, ("spec", "dependsOn"), {"name": "litellm-cluster"}),
    "one's own to wait for": together(
        append_item(RELEASE, ("spec", "dependsOn"), {"name": "own"}), kustomization(FROM_HERE)
    ),
    "the Secrets by way of another": together(
        set_value(RELEASE, DEPENDENCY, {"name": "own"}),
        kustomization(f"dependsOn: [{{name: litellm-secrets}}], {FROM_HERE}"),
    ),
    "what another repository brings to wait for": together(
        append_item(RELEASE, ("spec", "dependsOn"), {"name": "ingress", "namespace": "infrastructure"}),
        append_item(SUITE, ("objects",), "Kustomization infrastructure/ingress"),
    ),
    "other intervals": set_value(HELM_RELEASE, ("spec", "interval"), "1h30m"),
    "notifications of one's own": own(
        "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\n"
        "metadata: {name: own, namespace: flux-system}\nspec: {type: slack, channel: alerts}\n---\n"
        "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\n"
        "metadata: {name: own, namespace: flux-system}\n"
        "spec: {providerRef: {name: own}, eventSources: [{kind: HelmRelease, name: litellm}]}\n"
    ),
    "a chart of one's own beside it": own(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
        "metadata: {name: own, namespace: flux-system}\nspec: {url: 'https://charts.example.com', interval: 1h}\n"
    ),
}


def test_a_credential_in_a_url_is_not_shown(repository: Copy) -> None:
    root = repository(everything())
    FAULTS["a repository with a credential"][1](root)
    assert "token" not in report(findings(root))


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_operator_adds_is_left_alone = accepted(HARMLESS)
