"""Each mistake in what Flux or Argo CD reads is told by the rule that is meant for it, and by no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.answers import everything
from tests.support.checked import broken, told
from tests.support.faults import Fault, append, both, change, delete, drop, substitute, swap

HELM_RELEASE = "clusters/aws/release/helmrelease.yaml"
SOURCE = "clusters/aws/source.yaml"

FLUX: dict[str, tuple[str, Fault]] = {
    # fields
    "a misspelt field": (
        "the_engine_knows_every_field",
        change("clusters/aws/release/helmrelease.yaml", "valuesFiles:", "valueFiles:"),
    ),
    "a field of another kind": (
        "the_engine_knows_every_field",
        change("clusters/aws/secrets.yaml", "  prune: true", "  prune: true\n  releaseName: litellm"),
    ),
    "a duration without a unit": (
        "the_engine_knows_every_field",
        change("clusters/aws/source.yaml", "interval: 1m", "interval: 60"),
    ),
    "a text where a flag belongs": (
        "the_engine_knows_every_field",
        change("clusters/aws/release.yaml", "wait: true", 'wait: "true"'),
    ),
    "a word that the field does not take": (
        "the_engine_knows_every_field",
        change(
            "clusters/aws/release/helmrelease.yaml",
            "RetryOnFailure\n      retryInterval: 2m\n  upgrade",
            "Retry\n  upgrade",
        ),
    ),
    "a required field left out": (
        "the_engine_knows_every_field",
        drop("clusters/gcp/cluster.yaml", "prune: true"),
    ),
    "a dependency as a text": (
        "the_engine_knows_every_field",
        change("clusters/gcp/release.yaml", "- name: litellm-secrets", "- litellm-secrets"),
    ),
    "an unknown field of kustomize": (
        "the_engine_knows_every_field",
        append("clusters/azure/kustomization.yaml", "resource:\n  - extra.yaml\n"),
    ),
    "an API version that Flux took away": (
        "every_manifest_fits_the_schema_of_its_kind",
        change("clusters/aws/release/helmrelease.yaml", "fluxcd.io/v2\n", "fluxcd.io/v2beta2\n"),
    ),
    # files
    "a file that is not there": (
        "every_kustomization_lists_exactly_what_is_there",
        delete("clusters/aws/secrets.yaml"),
    ),
    "a file that nobody applies": (
        "every_file_of_a_cluster_is_applied",
        drop("clusters/aws/kustomization.yaml", "- namespace.yaml"),
    ),
    "a misspelt file in a list": (
        "every_kustomization_lists_exactly_what_is_there",
        append("clusters/aws/kustomization.yaml", "  - alerts.yaml\n"),
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
        append("secrets/azure/kustomization.yaml", "  - litellm-extra.sops.yaml\n"),
    ),
    # objects
    "a release of another name": (
        "every_cluster_has_its_flux_objects",
        change(
            "clusters/aws/release/helmrelease.yaml",
            "name: litellm\n  namespace",
            "name: proxy\n  namespace",
        ),
    ),
    "a source in another namespace": (
        "every_cluster_has_its_flux_objects",
        change("clusters/aws/source.yaml", "namespace: flux-system", "namespace: litellm"),
    ),
    "no namespace": (
        "every_cluster_has_its_flux_objects",
        both(
            drop("clusters/aws/kustomization.yaml", "- namespace.yaml"),
            delete("clusters/aws/namespace.yaml"),
        ),
    ),
    "an object in two files": (
        "no_object_is_applied_twice",
        both(
            append("clusters/aws/kustomization.yaml", "  - own.yaml\n"),
            append(
                "clusters/aws/own.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: litellm\n",
            ),
        ),
    ),
    "a release beside its Secrets": (
        "no_object_is_applied_twice",
        append("clusters/aws/kustomization.yaml", "  - release\n"),
    ),
    "a list that moves the engine's own objects": (
        "every_kustomization_lists_exactly_what_is_there",
        append("clusters/aws/kustomization.yaml", "namespace: default\n"),
    ),
    # sources
    "another repository": (
        "flux_follows_this_repository",
        change("clusters/aws/source.yaml", "example/litellm-gitops.git", "example/other.git"),
    ),
    "another branch": (
        "flux_follows_this_repository",
        change("clusters/aws/source.yaml", 'branch: "main"', "branch: master"),
    ),
    "a tag instead of the branch": (
        "flux_follows_this_repository",
        change("clusters/aws/source.yaml", 'branch: "main"', "tag: v1"),
    ),
    "a commit that stays": (
        "flux_follows_this_repository",
        change(SOURCE, '    branch: "main"', f'    branch: "main"\n    commit: {"ab" * 20}'),
    ),
    "a chart that is kept from the cluster": (
        "flux_sees_what_it_deploys",
        drop(SOURCE, "!/litellm"),
    ),
    "Secrets that are kept from the cluster": (
        "flux_sees_what_it_deploys",
        drop(SOURCE, "!/secrets"),
    ),
    "a part of the repository": (
        "flux_sees_what_it_deploys",
        append(SOURCE, "  sparseCheckout:\n    - clusters\n"),
    ),
    "a source that does not exist": (
        "every_flux_source_exists",
        change("clusters/aws/secrets.yaml", 'name: "litellm-gitops"', "name: flux-system"),
    ),
    "a chart from a source that does not exist": (
        "every_flux_source_exists",
        change("clusters/aws/release/helmrelease.yaml", "kind: GitRepository", "kind: HelmRepository"),
    ),
    # order
    "no dependency": (
        "the_release_waits_for_the_secrets",
        change("clusters/aws/release.yaml", "  dependsOn:\n    - name: litellm-secrets\n", ""),
    ),
    "a dependency that does not exist": (
        "every_flux_dependency_exists",
        change("clusters/aws/release.yaml", "- name: litellm-secrets", "- name: litellm-secret"),
    ),
    "a dependency in another namespace": (
        "every_flux_dependency_exists",
        change(
            "clusters/aws/release.yaml",
            "- name: litellm-secrets",
            "- name: litellm-secrets\n      namespace: default",
        ),
    ),
    "a dependency on the wrong object": (
        "the_release_waits_for_the_secrets",
        change("clusters/aws/release.yaml", "- name: litellm-secrets", "- name: litellm-cluster"),
    ),
    "two that wait for each other": (
        "the_release_waits_for_the_secrets",
        append("clusters/aws/secrets.yaml", "  dependsOn:\n    - name: litellm\n"),
    ),
    "a release that is Ready before it is": (
        "flux_reports_the_release_when_it_runs",
        drop("clusters/aws/release.yaml", "wait: true"),
    ),
    # paths and values
    "the Secrets of another environment": (
        "every_flux_path_leads_to_its_folder",
        change("clusters/aws/secrets.yaml", "./secrets/aws", "./secrets/gcp"),
    ),
    "a wrong path": (
        "every_flux_path_leads_to_its_folder",
        change("clusters/gcp/release.yaml", "./clusters/gcp/release", "./clusters/gcp/releases"),
    ),
    "the objects of two environments swapped": (
        "every_flux_path_leads_to_its_folder",
        swap("clusters/aws/secrets.yaml", "clusters/gcp/secrets.yaml"),
    ),
    "the releases of two environments swapped": (
        "the_flux_release_takes_its_values",
        swap(HELM_RELEASE, "clusters/gcp/release/helmrelease.yaml"),
    ),
    "values that the suite does not see": (
        "the_flux_release_takes_its_values",
        append(HELM_RELEASE, "  values:\n    litellm-helm:\n      replicaCount: 1\n"),
    ),
    "values from an object in the cluster": (
        "the_flux_release_takes_its_values",
        append(HELM_RELEASE, "  valuesFrom:\n    - kind: Secret\n      name: own\n"),
    ),
    "two charts": (
        "the_flux_release_takes_its_values",
        append(HELM_RELEASE, "  chartRef:\n    kind: OCIRepository\n    name: own\n"),
    ),
    "the values of another environment": (
        "the_flux_release_takes_its_values",
        change("clusters/aws/release/helmrelease.yaml", "values-aws", "values-gcp"),
    ),
    "no shared values": (
        "the_flux_release_takes_its_values",
        drop("clusters/aws/release/helmrelease.yaml", "- ./litellm/values.yaml"),
    ),
    "values relative to the chart, as Argo CD has them": (
        "the_flux_release_takes_its_values",
        change(
            "clusters/aws/release/helmrelease.yaml",
            "- ./litellm/values-aws.yaml",
            "- values-aws.yaml",
        ),
    ),
    "the shared values last": (
        "the_flux_release_takes_its_values",
        change(
            "clusters/aws/release/helmrelease.yaml",
            "- ./litellm/values.yaml\n        - ./litellm/values-aws.yaml",
            "- ./litellm/values-aws.yaml\n        - ./litellm/values.yaml",
        ),
    ),
    "no checksums, so that a new Secret restarts nothing": (
        "the_flux_release_takes_its_values",
        drop("clusters/aws/release/helmrelease.yaml", "checksums-aws"),
    ),
    "another chart": (
        "the_flux_release_takes_its_values",
        change("clusters/aws/release/helmrelease.yaml", "chart: ./litellm\n", "chart: ./chart\n"),
    ),
    "values that are never deployed": (
        "a_change_of_values_alone_is_deployed",
        drop("clusters/aws/release/helmrelease.yaml", "reconcileStrategy"),
    ),
    # decryption
    "no decryption": (
        "flux_decrypts_the_secrets",
        change(
            "clusters/aws/secrets.yaml",
            "  decryption:\n    provider: sops\n    secretRef:\n      name: sops-age\n",
            "",
        ),
    ),
    "a key from another Secret": (
        "flux_decrypts_the_secrets",
        change("clusters/aws/secrets.yaml", "name: sops-age", "name: age-key"),
    ),
    "a key under a name that Flux does not read": (
        "the_age_key_has_a_name_that_the_engine_reads",
        change("README.md", "--from-file=aws.agekey=", "--from-file=age.key="),
    ),
    "a variable for Flux to replace": (
        "nothing_is_left_to_substitution",
        change("clusters/aws/release/helmrelease.yaml", "# A failed", "# ${cluster}: a failed"),
    ),
    # the release
    "the release in another namespace": (
        "the_flux_release_lands_beside_its_secrets",
        change(
            "clusters/aws/release/helmrelease.yaml",
            "targetNamespace: litellm",
            "targetNamespace: default",
        ),
    ),
    "another name for Helm": (
        "the_flux_release_lands_beside_its_secrets",
        drop("clusters/aws/release/helmrelease.yaml", "releaseName"),
    ),
    "the release in another cluster": (
        "flux_applies_everything_where_it_belongs",
        append(HELM_RELEASE, "  kubeConfig:\n    secretRef:\n      name: own\n"),
    ),
    "the Secrets in another namespace": (
        "flux_applies_everything_where_it_belongs",
        append("clusters/aws/secrets.yaml", "  targetNamespace: default\n"),
    ),
    "the Secrets under other names": (
        "flux_applies_everything_where_it_belongs",
        append("clusters/aws/secrets.yaml", "  namePrefix: aws-\n"),
    ),
    "an upgrade without the migrations": (
        "flux_runs_the_migrations_and_waits",
        change(HELM_RELEASE, "  upgrade:\n", "  upgrade:\n    disableHooks: true\n"),
    ),
    "an install that waits for nothing": (
        "flux_runs_the_migrations_and_waits",
        change(HELM_RELEASE, "  install:\n", "  install:\n    disableWait: true\n"),
    ),
    "values that stay for ever": (
        "flux_runs_the_migrations_and_waits",
        change(HELM_RELEASE, "  upgrade:\n", "  upgrade:\n    preserveValues: true\n"),
    ),
    "no second try": (
        "a_failed_flux_release_is_tried_again",
        change(
            "clusters/aws/release/helmrelease.yaml",
            "  install:\n    strategy:\n      name: RetryOnFailure\n      retryInterval: 2m\n",
            "",
        ),
    ),
    "no time for the pods": (
        "the_flux_release_has_time_to_start",
        change("clusters/aws/release/helmrelease.yaml", "timeout: 10m", "timeout: 2m"),
    ),
    "less time around the release than in it": (
        "the_flux_release_has_time_to_start",
        change("clusters/aws/release.yaml", "timeout: 25m", "timeout: 5m"),
    ),
    "drift that stays": (
        "flux_lets_git_win",
        change("clusters/aws/release/helmrelease.yaml", "mode: enabled", "mode: warn"),
    ),
    "removed objects that stay": (
        "flux_lets_git_win",
        change("clusters/aws/secrets.yaml", "prune: true", "prune: false"),
    ),
    "a suspended release": (
        "flux_lets_git_win",
        append("clusters/aws/release/helmrelease.yaml", "  suspend: true\n"),
    ),
    "a suspended source": ("flux_lets_git_win", append(SOURCE, "  suspend: true\n")),
    "an object that is left alone": (
        "flux_lets_git_win",
        change(
            "clusters/aws/secrets.yaml",
            "  namespace: flux-system\n",
            "  namespace: flux-system\n  annotations:\n    kustomize.toolkit.fluxcd.io/reconcile: disabled\n",
        ),
    ),
    "drift that is never looked for": (
        "flux_lets_git_win",
        append(HELM_RELEASE, '    ignore:\n      - paths: [""]\n'),
    ),
    "a namespace that is pruned": (
        "flux_removes_in_order",
        change("clusters/aws/namespace.yaml", "/prune: disabled", "/prune: enabled"),
    ),
    "a removal of everything at once": (
        "flux_removes_in_order",
        drop("clusters/aws/cluster.yaml", "deletionPolicy"),
    ),
    # what both engines share
    "the chart's own Argo CD hook": (
        "the_migrations_run_before_the_pods",
        change(
            "litellm/values.yaml",
            "argocd:\n        enabled: false",
            "argocd:\n        enabled: true",
        ),
    ),
}

APPLICATION = "clusters/aws/release.yaml"
CM = "clusters/aws/argocd-setup/argocd-cm.yaml"
REPO_SERVER = "clusters/aws/argocd-setup/argocd-repo-server.yaml"

ARGOCD: dict[str, tuple[str, Fault]] = {
    # fields
    "the field of Flux": (
        "the_engine_knows_every_field",
        change(APPLICATION, "valueFiles:", "valuesFiles:"),
    ),
    "a wrong place": (
        "the_engine_knows_every_field",
        change(APPLICATION, "  destination:\n", "  releaseName: litellm\n  destination:\n"),
    ),
    "a text where a number belongs": (
        "the_engine_knows_every_field",
        change(APPLICATION, "limit: 3", 'limit: "3"'),
    ),
    "a required field left out": (
        "the_engine_knows_every_field",
        drop("clusters/aws/root.yaml", "repoURL"),
    ),
    "an annotation as a number": (
        "the_engine_knows_every_field",
        change(APPLICATION, 'revision: "main"', "revision: 1"),
    ),
    "an unknown field of KSOPS": (
        "the_engine_knows_every_field",
        append("secrets/aws/ksops.yaml", "secrets: []\n"),
    ),
    "a Secret that KSOPS makes of any file": (
        "the_engine_knows_every_field",
        both(
            append("secrets/aws/notes.md", "example\n"),
            append(
                "secrets/aws/ksops.yaml",
                "secretFrom:\n  - metadata: {name: own}\n    files: [./notes.md]\n",
            ),
        ),
    ),
    "an API version that never was": (
        "every_manifest_fits_the_schema_of_its_kind",
        change(APPLICATION, "argoproj.io/v1alpha1", "argoproj.io/v1"),
    ),
    # files
    "a file that is not there": (
        "every_kustomization_lists_exactly_what_is_there",
        delete("clusters/aws/release.yaml"),
    ),
    "a file that nobody applies": (
        "every_file_of_a_cluster_is_applied",
        drop("clusters/aws/kustomization.yaml", "- namespace.yaml"),
    ),
    "no list at all": (
        "every_file_of_a_cluster_is_applied",
        delete("clusters/aws/kustomization.yaml"),
    ),
    "a sealed Secret that is not applied": (
        "every_kustomization_lists_exactly_what_is_there",
        drop("secrets/aws/ksops.yaml", "litellm-salt-key"),
    ),
    "a Secret in the list that does not exist": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/ksops.yaml", "  - ./litellm-extra.sops.yaml\n"),
    ),
    # objects
    "no application of applications": (
        "every_cluster_has_its_argo_cd_objects",
        delete("clusters/aws/root.yaml"),
    ),
    "an Application of another name": (
        "every_cluster_has_its_argo_cd_objects",
        change("clusters/aws/root.yaml", "name: litellm-cluster\n", "name: cluster\n"),
    ),
    "a project in another namespace": (
        "every_cluster_has_its_argo_cd_objects",
        change(
            "clusters/aws/project.yaml",
            "namespace: argocd\n  annotations",
            "namespace: default\n  annotations",
        ),
    ),
    # sources
    "another repository": (
        "argo_cd_follows_this_repository",
        change(APPLICATION, "example/litellm-gitops.git", "example/other.git"),
    ),
    "another branch": (
        "argo_cd_follows_this_repository",
        change("clusters/aws/root.yaml", 'targetRevision: "main"', "targetRevision: HEAD"),
    ),
    "a tag instead of the branch": (
        "argo_cd_follows_this_repository",
        substitute(APPLICATION, r"targetRevision: .*", "targetRevision: v1.0.0"),
    ),
    # project
    "the default project": (
        "every_application_belongs_to_the_project",
        change(APPLICATION, 'project: "litellm-gitops"', "project: default"),
    ),
    "a project that does not permit the repository": (
        "the_project_permits_its_applications",
        change("clusters/aws/project.yaml", "example/litellm-gitops.git", "example/other.git"),
    ),
    "a project that does not permit the namespace": (
        "the_project_permits_its_applications",
        change("clusters/aws/project.yaml", "namespace: litellm\n", "namespace: default\n"),
    ),
    "a project that does not permit to make a namespace": (
        "the_project_permits_its_applications",
        change("clusters/aws/project.yaml", "kind: Namespace", "kind: CustomResourceDefinition"),
    ),
    "a project that keeps Secrets away": (
        "the_project_permits_its_applications",
        append(
            "clusters/aws/project.yaml",
            '  namespaceResourceBlacklist:\n    - group: ""\n      kind: Secret\n',
        ),
    ),
    "a project for Deployments alone": (
        "the_project_permits_its_applications",
        append(
            "clusters/aws/project.yaml",
            "  namespaceResourceWhitelist:\n    - group: apps\n      kind: Deployment\n",
        ),
    ),
    "a project that keeps the Namespace away": (
        "the_project_permits_its_applications",
        append(
            "clusters/aws/project.yaml",
            '  clusterResourceBlacklist:\n    - group: ""\n      kind: Namespace\n',
        ),
    ),
    # paths and values
    "sealed Secrets as they are": (
        "argo_cd_renders_every_source_as_it_is_meant",
        change(
            "clusters/aws/root.yaml",
            "path: clusters/aws",
            "path: clusters/aws\n    directory:\n      recurse: true",
        ),
    ),
    "Secrets under other names": (
        "argo_cd_renders_every_source_as_it_is_meant",
        change(
            "clusters/aws/root.yaml",
            "    kustomize:\n",
            "    kustomize:\n      namePrefix: aws-\n",
        ),
    ),
    "a chart in the place of a folder": (
        "argo_cd_renders_every_source_as_it_is_meant",
        change(APPLICATION, "path: litellm", "path: litellm\n    chart: litellm"),
    ),
    "a release for another namespace": (
        "argo_cd_renders_every_source_as_it_is_meant",
        change(APPLICATION, "      releaseName", "      namespace: default\n      releaseName"),
    ),
    "the releases of two environments swapped": (
        "the_argo_cd_release_takes_its_values",
        swap(APPLICATION, "clusters/gcp/release.yaml"),
    ),
    "the repo servers of two environments swapped": (
        "argo_cd_runs_ksops",
        swap(REPO_SERVER, "clusters/gcp/argocd-setup/argocd-repo-server.yaml"),
    ),
    "the folder of another environment": (
        "every_argo_cd_path_leads_to_its_folder",
        change("clusters/aws/root.yaml", "path: clusters/aws", "path: clusters/gcp"),
    ),
    "a wrong path": (
        "every_argo_cd_path_leads_to_its_folder",
        change(APPLICATION, "path: litellm", "path: charts/litellm"),
    ),
    "the values of another environment": (
        "the_argo_cd_release_takes_its_values",
        change(APPLICATION, "values-aws", "values-gcp"),
    ),
    "values relative to the repository, as Flux has them": (
        "the_argo_cd_release_takes_its_values",
        change(APPLICATION, "- values-aws.yaml", "- litellm/values-aws.yaml"),
    ),
    "no checksums, so that a new Secret restarts nothing": (
        "the_argo_cd_release_takes_its_values",
        drop(APPLICATION, "checksums-aws"),
    ),
    "a value that the suite does not see": (
        "the_argo_cd_release_takes_its_values",
        change(
            APPLICATION,
            "      releaseName",
            '      parameters:\n        - name: litellm-helm.replicaCount\n          value: "1"\n      releaseName',
        ),
    ),
    # order
    "the Secrets of another environment": (
        "the_release_goes_to_the_commit_of_its_secrets",
        change("clusters/aws/kustomization.yaml", "secrets/aws", "secrets/gcp"),
    ),
    "a release that follows the branch by itself": (
        "the_release_goes_to_the_commit_of_its_secrets",
        change("clusters/aws/kustomization.yaml", "spec.source.targetRevision", "spec.project"),
    ),
    "a replacement for another Application": (
        "the_release_goes_to_the_commit_of_its_secrets",
        change(
            "clusters/aws/kustomization.yaml",
            "      - select:\n          kind: Application\n          name: litellm\n",
            "      - select:\n          kind: Application\n          name: other\n",
        ),
    ),
    "a release that is not told its commit": (
        "the_release_goes_to_the_commit_of_its_secrets",
        drop("clusters/aws/root.yaml", "$ARGOCD_APP_REVISION"),
    ),
    "the name of a variable in place of the commit": (
        "the_release_goes_to_the_commit_of_its_secrets",
        drop("clusters/aws/root.yaml", "commonAnnotationsEnvsubst"),
    ),
    "no place for the commit": (
        "the_release_goes_to_the_commit_of_its_secrets",
        change(
            APPLICATION,
            '    litellm-gitops/revision: "main"\n',
            "    example.com/note: none\n",
        ),
    ),
    "a wave, which may hold up every newer commit": (
        "the_release_goes_to_the_commit_of_its_secrets",
        change(
            APPLICATION,
            '    litellm-gitops/revision: "main"\n',
            '    litellm-gitops/revision: "main"\n    argocd.argoproj.io/sync-wave: "1"\n',
        ),
    ),
    # the release
    "the release in another namespace": (
        "the_argo_cd_release_lands_beside_its_secrets",
        change(APPLICATION, "    namespace: litellm\n", "    namespace: default\n"),
    ),
    "the release in another cluster": (
        "the_argo_cd_release_lands_beside_its_secrets",
        change(APPLICATION, "server: https://kubernetes.default.svc", "server: https://10.0.0.1"),
    ),
    "no second try": (
        "a_failed_sync_is_tried_again",
        change(APPLICATION, "limit: 3", "limit: 0"),
    ),
    "the same commit for ever": (
        "a_failed_sync_is_tried_again",
        change(APPLICATION, "limit: 3", "limit: -1"),
    ),
    "Secrets that wait for a person": (
        "a_failed_sync_is_tried_again",
        change("clusters/aws/root.yaml", "limit: -1", "limit: 5"),
    ),
    "always the same commit": (
        "a_failed_sync_is_tried_again",
        drop("clusters/aws/root.yaml", "refresh: true"),
    ),
    "drift that stays": (
        "argo_cd_lets_git_win",
        drop(APPLICATION, "selfHeal"),
    ),
    "removed objects that stay": (
        "argo_cd_lets_git_win",
        change("clusters/aws/root.yaml", "prune: true", "prune: false"),
    ),
    "a folder that takes all away when it is empty": (
        "argo_cd_lets_git_win",
        change(APPLICATION, "selfHeal: true", "selfHeal: true\n      allowEmpty: true"),
    ),
    "an Application that is left alone": (
        "argo_cd_lets_git_win",
        change(
            APPLICATION,
            "  annotations:\n",
            '  annotations:\n    argocd.argoproj.io/skip-reconcile: "true"\n',
        ),
    ),
    "Secrets whose change is not seen": (
        "argo_cd_lets_git_win",
        append(
            "clusters/aws/root.yaml",
            '  ignoreDifferences:\n    - group: ""\n      kind: Secret\n      jsonPointers: [/data]\n',
        ),
    ),
    "plaintext in an annotation": (
        "argo_cd_keeps_no_copy_of_a_secret",
        change("clusters/aws/root.yaml", "- ServerSideApply=true", "- Validate=false"),
    ),
    # decryption
    "ciphertext that is applied": (
        "every_secret_goes_through_ksops",
        append("secrets/aws/kustomization.yaml", "resources:\n  - litellm-masterkey.sops.yaml\n"),
    ),
    "a Secret that is listed twice": (
        "every_secret_goes_through_ksops",
        append("secrets/aws/ksops.yaml", "  - ./litellm-redis.sops.yaml\n"),
    ),
    "a Secret of another environment in the list": (
        "every_secret_goes_through_ksops",
        append("secrets/aws/ksops.yaml", "  - ../gcp/litellm-aws-auth.sops.yaml\n"),
    ),
    "a generator as a manifest": (
        "every_kustomization_lists_exactly_what_is_there",
        change("secrets/aws/kustomization.yaml", "generators:", "resources:"),
    ),
    "another program": (
        "every_secret_goes_through_ksops",
        change("secrets/aws/ksops.yaml", "path: ksops", "path: ./ksops"),
    ),
    "plugins that Kustomize does not run": (
        "argo_cd_runs_ksops",
        change(CM, " --enable-exec", ""),
    ),
    "a key under a name that is not there": (
        "argo_cd_runs_ksops",
        change(REPO_SERVER, "/sops-age/aws.agekey", "/sops-age/age.key"),
    ),
    "a key that is not mounted": (
        "argo_cd_runs_ksops",
        change(REPO_SERVER, "secretName: sops-age", "secretName: age"),
    ),
    "a program that nobody installs": (
        "argo_cd_runs_ksops",
        change(REPO_SERVER, "mountPath: /custom-tools", "mountPath: /tools"),
    ),
    "a version where a digest belongs": (
        "argo_cd_runs_ksops",
        change(REPO_SERVER, "viaductoss/ksops:", "viaductoss/ksops@"),
    ),
    "a key stored under a name that nobody reads": (
        "the_age_key_has_a_name_that_the_engine_reads",
        change("README.md", "--from-file=aws.agekey=", "--from-file=keys.txt="),
    ),
    # removal
    "an Application that leaves its objects behind": (
        "argo_cd_removes_in_order",
        change(APPLICATION, "  finalizers:\n    - resources-finalizer.argocd.argoproj.io\n", ""),
    ),
    "a project that goes before its Applications": (
        "argo_cd_removes_in_order",
        change("clusters/aws/project.yaml", "Prune=false,Delete=false", "Prune=false"),
    ),
    "an application that manages itself": (
        "argo_cd_removes_in_order",
        change(
            "clusters/aws/kustomization.yaml",
            "  - release.yaml\n",
            "  - release.yaml\n  - root.yaml\n",
        ),
    ),
    "a variable that something may replace": (
        "nothing_is_left_to_substitution",
        change(APPLICATION, "# A failed", "# ${cluster}: a failed"),
    ),
    "the chart's own Argo CD hook": (
        "the_migrations_run_before_the_pods",
        change(
            "litellm/values.yaml",
            "argocd:\n        enabled: false",
            "argocd:\n        enabled: true",
        ),
    ),
}

FAULTS = {"flux": FLUX, "argocd": ARGOCD}

# What an operator adds beside it, and the suite leaves alone.
OWN: dict[str, tuple[str, Fault]] = {
    "a Kustomization of one's own": (
        "flux",
        both(
            append("clusters/aws/kustomization.yaml", "  - own.yaml\n"),
            append(
                "clusters/aws/own.yaml",
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
                "metadata: {name: own, namespace: tools}\n"
                "spec:\n  interval: 1h\n  prune: false\n  suspend: true\n  path: ./anything\n"
                "  sourceRef: {kind: OCIRepository, name: own}\n  dependsOn: [{name: other}]\n",
            ),
        ),
    ),
    "a namespace of one's own": (
        "flux",
        both(
            append("clusters/aws/kustomization.yaml", "  - own.yaml\n"),
            append("clusters/aws/own.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n"),
        ),
    ),
    "a folder of one's own": (
        "flux",
        both(
            append("clusters/aws/kustomization.yaml", "  - own\n"),
            both(
                append(
                    "clusters/aws/own/kustomization.yaml",
                    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - own.yaml\n",
                ),
                append(
                    "clusters/aws/own/own.yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n",
                ),
            ),
        ),
    ),
    "a label of the namespace": (
        "flux",
        change(
            "clusters/aws/namespace.yaml",
            "  name: litellm\n",
            "  name: litellm\n  labels:\n    pod-security.kubernetes.io/enforce: baseline\n",
        ),
    ),
    "a key for a private repository": (
        "flux",
        append(SOURCE, "  secretRef:\n    name: litellm-git\n"),
    ),
    "one more folder for the cluster": ("flux", append(SOURCE, "    !/apps\n")),
    "the whole repository in the cluster": (
        "flux",
        substitute(SOURCE, r"  ignore: \|\n(?:    .*\n)+", ""),
    ),
    "replicas that something else sets": (
        "flux",
        append(
            HELM_RELEASE,
            "    ignore:\n      - paths: [/spec/replicas]\n        target:\n          kind: Deployment\n",
        ),
    ),
    "one more thing to wait for": (
        "flux",
        change(
            "clusters/aws/release.yaml",
            "- name: litellm-secrets",
            "- name: litellm-secrets\n    - name: litellm-cluster",
        ),
    ),
    "other intervals": (
        "flux",
        change("clusters/aws/release/helmrelease.yaml", "interval: 10m", "interval: 1h30m"),
    ),
    "an Application of one's own": (
        "argocd",
        both(
            change(
                "clusters/aws/kustomization.yaml",
                "  - release.yaml\n",
                "  - release.yaml\n  - own.yaml\n",
            ),
            append(
                "clusters/aws/own.yaml",
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
                "metadata: {name: own, namespace: argocd}\n"
                "spec:\n  project: default\n  destination: {name: in-cluster, namespace: own}\n"
                "  source: {repoURL: https://example.com/charts, chart: own, targetRevision: 1.2.3}\n",
            ),
        ),
    ),
    "a project for every repository": (
        "argocd",
        substitute("clusters/aws/project.yaml", r"  sourceRepos:\n    - .*", '  sourceRepos:\n    - "*"'),
    ),
    "a project for every namespace and kind": (
        "argocd",
        both(
            substitute("clusters/aws/project.yaml", r"namespace: litellm$", 'namespace: "*"'),
            change(
                "clusters/aws/project.yaml",
                'group: ""\n      kind: Namespace',
                'group: "*"\n      kind: "*"',
            ),
        ),
    ),
    "replicas that something else sets, beside Argo CD": (
        "argocd",
        append(
            APPLICATION,
            "  ignoreDifferences:\n    - group: apps\n      kind: Deployment\n"
            "      jsonPointers:\n        - /spec/replicas\n",
        ),
    ),
    "notifications": (
        "argocd",
        change(
            APPLICATION,
            "  annotations:\n",
            "  annotations:\n    notifications.argoproj.io/subscribe.on-sync-failed.slack: alerts\n",
        ),
    ),
    "another destination for the project": (
        "argocd",
        change(
            "clusters/aws/project.yaml",
            "  destinations:\n",
            "  destinations:\n    - server: https://kubernetes.default.svc\n      namespace: own\n",
        ),
    ),
}


@pytest.mark.parametrize("engine", FAULTS)
def test_a_rendered_repository_breaks_no_rule(engine: str, lean: Callable[..., Path]) -> None:
    found = broken(lean(**everything(gitops_engine=engine)))
    assert not found, told(found)


@pytest.mark.parametrize(
    ("engine", "mistake"),
    [(engine, mistake) for engine, faults in FAULTS.items() for mistake in faults],
    ids=lambda value: value,
)
def test_a_mistake_is_told_by_its_rule_alone(
    engine: str, mistake: str, lean: Callable[..., Path], tmp_path: Path
) -> None:
    rule, fault = FAULTS[engine][mistake]
    root = tmp_path / "repository"
    shutil.copytree(lean(**everything(gitops_engine=engine)), root)
    fault(root)
    found = broken(root)
    assert list(found) == [rule], told(found) or f"nothing is told of {mistake}"


@pytest.mark.parametrize("addition", OWN)
def test_what_an_operator_adds_is_left_alone(addition: str, lean: Callable[..., Path], tmp_path: Path) -> None:
    engine, add = OWN[addition]
    root = tmp_path / "repository"
    shutil.copytree(lean(**everything(gitops_engine=engine)), root)
    add(root)
    found = broken(root)
    assert not found, told(found)
