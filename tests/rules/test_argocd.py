"""Faults and edits of what Argo CD reads."""

from __future__ import annotations

from typing import Any

from tests.support.answers import ENVIRONMENTS, everything
from tests.support.faults import (
    Edit,
    Fault,
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
from tests.support.findings import accepted, found_by_its_rule_alone

ARGOCD = everything(gitops_engine="argocd")
SIGNERS = ["5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23", "968479A1AFF927E37D1A566BB5690EEEBB952194"]
SIGNED = everything(gitops_engine="argocd", commit_signers=SIGNERS)
ENFORCE = "pod-security.kubernetes.io/enforce"
LIST = "clusters/aws/kustomization.yaml"
PROJECT = "clusters/aws/project.yaml"
RELEASE = "clusters/aws/release.yaml"
ROOT = "clusters/aws/root.yaml"
SETTINGS = "clusters/aws/argocd-setup/argocd-cm.yaml"
PARAMETERS = "clusters/aws/argocd-setup/argocd-cmd-params-cm.yaml"
REPO_SERVER = "clusters/aws/argocd-setup/argocd-repo-server.yaml"
KUSTOMIZATION = "secrets/aws/kustomization.yaml"
KSOPS = "secrets/aws/ksops.yaml"
SOURCE = ("spec", "source")
FILES = (*SOURCE, "helm", "valueFiles")
AUTOMATED = ("spec", "syncPolicy", "automated")
OPTIONS = ("spec", "syncPolicy", "syncOptions")
RETRY = ("spec", "syncPolicy", "retry")
COMMIT = ("spec", "source", "kustomize", "commonAnnotations", "litellm-gitops/commit")
REPLACEMENT = ("replacements", 0, "targets", 0)
POD = ("spec", "template", "spec")
SERVER = (*POD, "containers", 0)
WHITELIST = ("spec", "namespaceResourceWhitelist")
SECRET = {"group": "", "kind": "Secret"}
ROLLOUT = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: own, namespace: litellm}\nspec: {}\n"
ADMINISTRATOR = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: own}\n"
    "subjects: [{kind: ServiceAccount, name: default, namespace: litellm}]\n"
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
)
DEPLOYMENT = {"group": "apps", "kind": "Deployment"}


def own(content: str) -> Edit:
    """An object of the operator's own in a cluster, which its list names."""
    return together(append_item(LIST, ("resources",), "own.yaml"), write("clusters/aws/own.yaml", content))


def by_hand(content: str) -> Edit:
    """An object of the operator's own that he applies himself."""
    return write("clusters/aws/argocd-setup/own.yaml", content)


def application(source: str, namespace: str = "argocd", project: str = "default") -> str:
    """An Application of the operator's own."""
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: own, namespace: {namespace}}}\n"
        f"spec: {{project: {project}, destination: {{name: in-cluster, namespace: own}}, source: {{{source}}}}}\n"
    )


FROM_HERE = "repoURL: 'https://github.com/example/litellm-gitops.git', path: litellm, targetRevision: main"
FROM_ELSEWHERE = "repoURL: 'https://example.com/charts', chart: own, targetRevision: 1.2.3"


def _all(rows: dict[str, tuple[str, Edit]]) -> dict[str, Fault]:
    return {name: (*row, ARGOCD) for name, row in rows.items()}


FAULTS = _all(
    {
        # options
        "a misspelt option": ("argo_cd_knows_every_option", set_value(RELEASE, OPTIONS, ["ServerSideAplly=true"])),
        "an option of another ending": (
            "argo_cd_knows_every_option",
            set_value(RELEASE, OPTIONS, ["ServerSideApplied=true"]),
        ),
        "objects that are replaced": ("argo_cd_lets_git_win", append_item(RELEASE, OPTIONS, "Replace=true")),
        "nothing is synced by itself": ("argo_cd_lets_git_win", remove(RELEASE, AUTOMATED)),
        "a chart from nowhere": ("argo_cd_may_fetch_the_chart", drop(PROJECT, "ghcr.io/berriai")),
        # fields
        "the field of Flux": ("the_engine_knows_every_field", change(RELEASE, "valueFiles:", "valuesFiles:")),
        "a wrong place": ("the_engine_knows_every_field", set_value(RELEASE, ("spec", "releaseName"), "litellm")),
        "a text where a number belongs": ("the_engine_knows_every_field", set_value(RELEASE, (*RETRY, "limit"), "3")),
        "a required field left out": ("the_engine_knows_every_field", remove(ROOT, (*SOURCE, "repoURL"))),
        "an annotation as a number": ("the_engine_knows_every_field", set_value(ROOT, COMMIT, 1)),
        "an unknown field of KSOPS": ("the_engine_knows_every_field", set_value(KSOPS, ("secrets",), [])),
        "a Secret that KSOPS makes of any file": (
            "the_engine_knows_every_field",
            together(
                write("secrets/aws/notes.md", "example\n"),
                set_value(KSOPS, ("secretFrom",), [{"metadata": {"name": "own"}, "files": ["./notes.md"]}]),
            ),
        ),
        "an API version that never was": (
            "every_manifest_fits_the_schema_of_its_kind",
            set_value(RELEASE, ("apiVersion",), "argoproj.io/v1"),
        ),
        "a misspelt kind": (
            "every_manifest_fits_the_schema_of_its_kind",
            by_hand(
                "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationsSet\nmetadata: {name: own, namespace: argocd}\n"
            ),
        ),
        # files
        "a file that is not there": ("every_kustomization_lists_exactly_what_is_there", delete(RELEASE)),
        "a file that nobody applies": ("every_file_of_a_cluster_is_applied", drop(LIST, "- release.yaml")),
        "no list at all": ("every_file_of_a_cluster_is_applied", delete(LIST)),
        "a sealed Secret that is not applied": (
            "every_kustomization_lists_exactly_what_is_there",
            drop(KSOPS, "litellm-salt-key"),
        ),
        "a Secret in the list that does not exist": (
            "every_kustomization_lists_exactly_what_is_there",
            append_item(KSOPS, ("files",), "./litellm-extra.sops.yaml"),
        ),
        # objects
        "no application of applications": ("every_cluster_has_its_argo_cd_objects", delete(ROOT)),
        "an Application of another name": (
            "every_cluster_has_its_argo_cd_objects",
            set_value(ROOT, ("metadata", "name"), "cluster"),
        ),
        "a project in another namespace": (
            "every_cluster_has_its_argo_cd_objects",
            set_value(PROJECT, ("metadata", "namespace"), "default"),
        ),
        "a release in Argo CD's own namespace": (
            "every_cluster_has_its_argo_cd_objects",
            set_value(RELEASE, ("metadata", "namespace"), "argocd"),
        ),
        # sources
        "another repository": (
            "argo_cd_follows_this_repository",
            set_value(RELEASE, (*SOURCE, "repoURL"), "https://github.com/example/other.git"),
        ),
        "another branch": ("argo_cd_follows_this_repository", set_value(ROOT, (*SOURCE, "targetRevision"), "HEAD")),
        "a tag instead of the branch": (
            "argo_cd_follows_this_repository",
            set_value(RELEASE, (*SOURCE, "targetRevision"), "v1.0.0"),
        ),
        # project
        "the default project": (
            "every_application_belongs_to_the_project",
            set_value(RELEASE, ("spec", "project"), "default"),
        ),
        "a project that does not permit the repository": (
            "the_project_permits_its_applications",
            set_value(PROJECT, ("spec", "sourceRepos", 0), "https://github.com/example/other.git"),
        ),
        "a project that does not permit the namespace": (
            "the_project_permits_its_applications",
            remove(PROJECT, ("spec", "destinations")),
        ),
        "a project that does not permit the release": (
            "the_project_permits_its_applications",
            remove(PROJECT, ("spec", "sourceNamespaces")),
        ),
        "a project that keeps Secrets away": (
            "the_project_permits_its_applications",
            set_value(PROJECT, ("spec", "namespaceResourceBlacklist"), [SECRET]),
        ),
        "a project without Deployments": (
            "the_project_permits_its_applications",
            change(PROJECT, "{group: apps, ", "{group: apps.example.com, "),
        ),
        "a release that nothing looks for": (
            "argo_cd_looks_for_the_release",
            set_value(PARAMETERS, ("data", "application.namespaces"), "own"),
        ),
        # how far a commit reaches
        "the whole cluster for whoever can push": ("argo_cd_reaches_the_namespace_alone", own(ADMINISTRATOR)),
        "a foreign Application": ("argo_cd_reaches_the_namespace_alone", own(application(FROM_ELSEWHERE))),
        "a foreign Application in the namespace": (
            "every_application_belongs_to_the_project",
            own(application(FROM_ELSEWHERE, "litellm")),
        ),
        "a project that a commit brings": (
            "argo_cd_reaches_the_namespace_alone",
            append_item(LIST, ("resources",), "project.yaml"),
        ),
        "an application that manages itself": (
            "argo_cd_reaches_the_namespace_alone",
            append_item(LIST, ("resources",), "root.yaml"),
        ),
        "a kind that the project does not know": ("argo_cd_reaches_the_namespace_alone", own(ROLLOUT)),
        "a project for Argo CD's own namespace": (
            "the_project_reaches_the_namespace_alone",
            append_item(
                PROJECT, ("spec", "destinations"), {"server": "https://kubernetes.default.svc", "namespace": "argocd"}
            ),
        ),
        "a project for the namespace in every cluster": (
            "the_project_reaches_the_namespace_alone",
            append_item(PROJECT, ("spec", "destinations"), {"server": "*", "namespace": "litellm"}),
        ),
        "a project that permits objects of the cluster": (
            "the_project_reaches_the_namespace_alone",
            set_value(PROJECT, ("spec", "clusterResourceWhitelist"), [{"group": "*", "kind": "*"}]),
        ),
        "a project that permits every kind": (
            "the_project_reaches_the_namespace_alone",
            append_item(PROJECT, WHITELIST, {"group": "*", "kind": "*"}),
        ),
        "a project that permits more rights": (
            "the_project_reaches_the_namespace_alone",
            append_item(PROJECT, WHITELIST, {"group": "rbac.authorization.k8s.io", "kind": "RoleBinding"}),
        ),
        "a project for Applications from everywhere": (
            "the_project_reaches_the_namespace_alone",
            append_item(PROJECT, ("spec", "sourceNamespaces"), "*"),
        ),
        "pods that may do anything to their node": (
            "the_namespace_holds_its_pods_to_the_standard",
            set_value("clusters/aws/namespace.yaml", ("metadata", "labels", ENFORCE), "privileged"),
        ),
        # paths and values
        "sealed Secrets as they are": (
            "argo_cd_renders_every_source_as_it_is_meant",
            set_value(ROOT, (*SOURCE, "directory"), {"recurse": True}),
        ),
        "Secrets under other names": (
            "argo_cd_renders_every_source_as_it_is_meant",
            set_value(ROOT, (*SOURCE, "kustomize", "namePrefix"), "aws-"),
        ),
        "a chart in the place of a folder": (
            "argo_cd_renders_every_source_as_it_is_meant",
            set_value(RELEASE, (*SOURCE, "chart"), "litellm"),
        ),
        "a release for another namespace": (
            "argo_cd_renders_every_source_as_it_is_meant",
            set_value(RELEASE, (*SOURCE, "helm", "namespace"), "default"),
        ),
        "the releases of two clusters swapped": (
            "the_argo_cd_release_takes_its_values",
            swap(RELEASE, "clusters/gcp/release.yaml"),
        ),
        "a mount of the repo server that is begun twice": (
            "argo_cd_runs_ksops",
            substitute(REPO_SERVER, r"^( +- name: sops-age\n)( +mountPath)", r"\1\1\2"),
        ),
        "an image of nowhere": (
            "argo_cd_runs_ksops",
            substitute("clusters/aws/argocd-setup/plugin.yaml", r"quay\.io", "qauy.io"),
        ),
        "the repo servers of two clusters swapped": (
            "argo_cd_runs_ksops",
            swap(REPO_SERVER, "clusters/gcp/argocd-setup/argocd-repo-server.yaml"),
        ),
        "the folder of another cluster": (
            "every_argo_cd_path_leads_to_its_folder",
            set_value(ROOT, (*SOURCE, "path"), "clusters/gcp"),
        ),
        "a wrong path": (
            "every_argo_cd_path_leads_to_its_folder",
            set_value(RELEASE, (*SOURCE, "path"), "charts/litellm"),
        ),
        "a path of one's own that does not exist": (
            "every_argo_cd_path_leads_to_its_folder",
            by_hand(application(FROM_HERE.replace("path: litellm", "path: apps"))),
        ),
        "the values of another cluster": (
            "the_argo_cd_release_takes_its_values",
            set_value(RELEASE, (*FILES, 1), "values-gcp.yaml"),
        ),
        "values relative to the repository, as Flux has them": (
            "the_argo_cd_release_takes_its_values",
            set_value(RELEASE, (*FILES, 1), "litellm/values-aws.yaml"),
        ),
        "no checksums, so that a new Secret restarts nothing": (
            "the_argo_cd_release_takes_its_values",
            remove(RELEASE, (*FILES, 2)),
        ),
        "a value that the suite does not see": (
            "the_argo_cd_release_takes_its_values",
            set_value(RELEASE, (*SOURCE, "helm", "parameters"), [{"name": "own.replicas", "value": "1"}]),
        ),
        # order
        "the Secrets of another cluster": (
            "the_release_goes_to_the_commit_of_its_secrets",
            change(LIST, "secrets/aws", "secrets/gcp"),
        ),
        "a release that follows the branch by itself": (
            "the_release_goes_to_the_commit_of_its_secrets",
            set_value(LIST, (*REPLACEMENT, "fieldPaths", 0), "spec.project"),
        ),
        "a replacement for another Application": (
            "the_release_goes_to_the_commit_of_its_secrets",
            set_value(LIST, (*REPLACEMENT, "select", "name"), "other"),
        ),
        "a release that is not told its commit": (
            "the_release_goes_to_the_commit_of_its_secrets",
            drop(ROOT, "$ARGOCD_APP_REVISION"),
        ),
        "the name of a variable in place of the commit": (
            "the_release_goes_to_the_commit_of_its_secrets",
            remove(ROOT, (*SOURCE, "kustomize", "commonAnnotationsEnvsubst")),
        ),
        "a wave, which may hold up every newer commit": (
            "the_release_goes_to_the_commit_of_its_secrets",
            set_value(RELEASE, ("metadata", "annotations", "argocd.argoproj.io/sync-wave"), "1"),
        ),
        # the release
        "the release in another namespace": (
            "the_argo_cd_release_lands_beside_its_secrets",
            set_value(RELEASE, ("spec", "destination", "namespace"), "default"),
        ),
        "the release in another cluster": (
            "the_argo_cd_release_lands_beside_its_secrets",
            set_value(RELEASE, ("spec", "destination", "server"), "https://10.0.0.1"),
        ),
        "no second try": ("a_failed_sync_is_tried_again", set_value(RELEASE, (*RETRY, "limit"), 0)),
        "the same commit for ever": ("a_failed_sync_is_tried_again", set_value(RELEASE, (*RETRY, "limit"), -1)),
        "Secrets that wait for a person": ("a_failed_sync_is_tried_again", set_value(ROOT, (*RETRY, "limit"), 5)),
        "always the same commit": ("a_failed_sync_is_tried_again", remove(ROOT, (*RETRY, "refresh"))),
        "drift that stays": ("argo_cd_lets_git_win", remove(RELEASE, (*AUTOMATED, "selfHeal"))),
        "removed objects that stay": ("argo_cd_lets_git_win", set_value(ROOT, (*AUTOMATED, "prune"), False)),
        "a release that nobody syncs": ("argo_cd_lets_git_win", set_value(RELEASE, (*AUTOMATED, "enabled"), False)),
        "a folder that takes all away when it is empty": (
            "argo_cd_lets_git_win",
            set_value(RELEASE, (*AUTOMATED, "allowEmpty"), True),
        ),
        "an Application that is left alone": (
            "argo_cd_lets_git_win",
            set_value(RELEASE, ("metadata", "annotations", "argocd.argoproj.io/skip-reconcile"), "true"),
        ),
        "Secrets whose change is not seen": (
            "argo_cd_lets_git_win",
            set_value(ROOT, ("spec", "ignoreDifferences"), [{**SECRET, "jsonPointers": ["/data"]}]),
        ),
        "plaintext in an annotation": (
            "argo_cd_keeps_no_copy_of_a_secret",
            set_value(ROOT, ("spec", "syncPolicy", "syncOptions", 0), "Validate=false"),
        ),
        # decryption
        "ciphertext that is applied": (
            "every_secret_goes_through_ksops",
            set_value(KUSTOMIZATION, ("resources",), ["litellm-masterkey.sops.yaml"]),
        ),
        "a Secret that is listed twice": (
            "every_secret_goes_through_ksops",
            append_item(KSOPS, ("files",), "./litellm-redis.sops.yaml"),
        ),
        "a Secret of another cluster in the list": (
            "every_secret_goes_through_ksops",
            append_item(KSOPS, ("files",), "../gcp/litellm-aws-auth.sops.yaml"),
        ),
        "a generator as a manifest": (
            "every_kustomization_lists_exactly_what_is_there",
            change(KUSTOMIZATION, "generators:", "resources:"),
        ),
        "another program": ("every_secret_goes_through_ksops", change(KSOPS, "path: ksops", "path: ./ksops")),
        "plugins that Kustomize does not run": ("argo_cd_runs_ksops", change(SETTINGS, " --enable-exec", "")),
        "a key under a name that is not there": (
            "argo_cd_runs_ksops",
            set_value(REPO_SERVER, (*SERVER, "env", 0, "value"), "/sops-age/age.key"),
        ),
        "a key that is not mounted": (
            "argo_cd_runs_ksops",
            set_value(REPO_SERVER, (*POD, "volumes", 1, "secret", "secretName"), "age"),
        ),
        "a program that nobody installs": (
            "argo_cd_runs_ksops",
            set_value(REPO_SERVER, (*POD, "initContainers", 0, "volumeMounts", 0, "mountPath"), "/tools"),
        ),
        "a tag, which somebody may move, beside the key": (
            "argo_cd_runs_ksops",
            substitute(REPO_SERVER, "@sha256:[0-9a-f]+", ""),
        ),
        # removal
        "an Application that leaves its objects behind": (
            "argo_cd_removes_in_order",
            remove(RELEASE, ("metadata", "finalizers")),
        ),
    }
)

KEYS = ("spec", "signatureKeys")
BY_POLICY = {"git": {"policies": [{"repos": [{"url": "*"}], "gpg": {"mode": "strict", "keys": SIGNERS}}]}}
FAULTS |= {
    "a group that is misspelt": (
        "the_project_permits_its_applications",
        change(PROJECT, "{group: cert-manager.io, kind: Issuer}", "{group: cert-manage.io, kind: Issuer}"),
        ARGOCD,
    ),
    "a kind that is misspelt": (
        "the_project_permits_its_applications",
        change(PROJECT, "{group: cert-manager.io, kind: Issuer}", "{group: cert-manager.io, kind: Isuer}"),
        ARGOCD,
    ),
    "commits of anybody": ("argo_cd_takes_signed_commits_alone", remove(PROJECT, KEYS), SIGNED),
    "no key at all": ("argo_cd_takes_signed_commits_alone", set_value(PROJECT, KEYS, []), SIGNED),
    "a signer who is left out": ("argo_cd_takes_signed_commits_alone", remove(PROJECT, (*KEYS, 1)), SIGNED),
    "a signer whom no answer names": (
        "argo_cd_takes_signed_commits_alone",
        append_item(PROJECT, KEYS, {"keyID": f"{'0A' * 20}"}),
        SIGNED,
    ),
    "a fingerprint that lacks a digit": (
        "the_api_server_takes_every_manifest",
        set_value(PROJECT, (*KEYS, 0, "keyID"), SIGNERS[0][1:]),
        SIGNED,
    ),
    "a key that no signature is compared with": (
        "argo_cd_takes_signed_commits_alone",
        set_value(PROJECT, (*KEYS, 0, "keyID"), SIGNERS[0].lower()),
        SIGNED,
    ),
}

# What an operator may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "an Application of one's own": by_hand(application(FROM_ELSEWHERE)),
    "one more for the namespace": own(application(FROM_HERE, "litellm", "litellm-gitops")),
    "a project for every repository": set_value(PROJECT, ("spec", "sourceRepos"), ["*"]),
    # as README.md says of a registry of one's own
    "a chart from another registry": together(
        *(
            append_item(f"clusters/{cluster}/project.yaml", ("spec", "sourceRepos"), "registry.example.com/charts")
            for cluster in ENVIRONMENTS
        ),
        set_value("litellm/Chart.yaml", ("dependencies", 0, "repository"), "oci://registry.example.com/charts"),
    ),
    "commits that are signed": set_value(PROJECT, ("spec", "signatureKeys"), [{"keyID": "4AEE18F83AFDEB23"}]),
    "replicas that something else sets": set_value(
        RELEASE, ("spec", "ignoreDifferences"), [{**DEPLOYMENT, "jsonPointers": ["/spec/replicas"]}]
    ),
    "notifications": set_value(
        RELEASE, ("metadata", "annotations", "notifications.argoproj.io/subscribe.on-sync-failed.slack"), "alerts"
    ),
    "Applications in other namespaces": set_value(PARAMETERS, ("data", "application.namespaces"), "own, litellm"),
    "a rollout of Argo's other project": together(
        append_item(PROJECT, WHITELIST, {"group": "argoproj.io", "kind": "Rollout"}), own(ROLLOUT)
    ),
}
ACCEPTED: dict[str, Edit | tuple[Edit, dict[str, Any]]] = {name: (edit, ARGOCD) for name, edit in HARMLESS.items()}
ACCEPTED |= {
    "keys by their ids": (set_value(PROJECT, KEYS, [{"keyID": key[-16:]} for key in SIGNERS]), SIGNED),
    "every commit back to the first": (
        together(remove(PROJECT, KEYS), set_value(PROJECT, ("spec", "sourceIntegrity"), BY_POLICY)),
        SIGNED,
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_operator_adds_is_left_alone = accepted(ACCEPTED)
