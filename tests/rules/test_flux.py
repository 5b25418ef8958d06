"""Faults and edits of what Flux reads."""

from __future__ import annotations

from tests.support.answers import answers, everything
from tests.support.faults import (
    CHART,
    SHARED,
    SUITE,
    Edit,
    Fault,
    append,
    append_item,
    at,
    change,
    delete,
    drop,
    remove,
    remove_item,
    set_value,
    substitute,
    swap,
    together,
    write,
)
from tests.support.findings import Copy, accepted, findings, found_by_its_rule_alone, report

ACCOUNT = "clusters/aws/account.yaml"  # ServiceAccount, Role, RoleBinding
LIST = "clusters/aws/kustomization.yaml"
NAMESPACE = "clusters/aws/namespace.yaml"
HELM_RELEASE = "clusters/aws/release/helmrelease.yaml"
SECRETS = "clusters/aws/secrets.yaml"
SOURCE = "clusters/aws/source.yaml"
VALUES = ("spec", "chart", "spec", "valuesFiles")
DEPENDS_ON = ("spec", "dependsOn")
VERIFY = ("spec", "verify")
RULE = ("rules", 0)
SIGNED = everything(commit_signers=["5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23"])
KMS = answers(
    ["aws"],
    ["bedrock"],
    aws_kms_key="arn:aws:kms:us-west-2:123456789012:alias/gitops",
    aws_kms_identity="arn:aws:iam::123456789012:role/gitops-engine",
)


def own(content: str) -> Edit:
    """An object of the operator's own that a commit brings: the cluster's list names it."""
    return together(append_item(LIST, ("resources",), "own.yaml"), write("clusters/aws/own.yaml", content))


def by_hand(content: str) -> Edit:
    """An object of the operator's own that he applies himself."""
    return write("clusters/aws/flux-setup/own.yaml", content)


def kustomization(spec: str, namespace: str = "flux-system") -> str:
    """A Kustomization of the operator's own."""
    head = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    return f"{head}metadata: {{name: own, namespace: {namespace}}}\nspec: {{interval: 1h, prune: false, {spec}}}\n"


def rbac(kind: str, more: str, namespace: str = "") -> str:
    """An object of RBAC, with a namespace where one is given."""
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: own{where}}}\n{more}\n"


def administrator(account: str) -> str:
    """The whole cluster for an account."""
    subject = f"subjects: [{{kind: ServiceAccount, name: {account}, namespace: flux-system}}]"
    role = "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}"
    return rbac("ClusterRoleBinding", f"{subject}\n{role}")


WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: own, namespace: litellm}\n"
OPERATED = (  # in the namespace, by operators that other people run
    "autoscaling.k8s.io/v1 VerticalPodAutoscaler",
    "bitnami.com/v1alpha1 SealedSecret",
    "cert-manager.io/v1 Certificate",
    "cert-manager.io/v1 Issuer",
    "external-secrets.io/v1 ExternalSecret",
    "external-secrets.io/v1 SecretStore",
    "gateway.networking.k8s.io/v1 HTTPRoute",
    "keda.sh/v1alpha1 ScaledObject",
    "keda.sh/v1alpha1 TriggerAuthentication",
    "kyverno.io/v1 Policy",
    "monitoring.coreos.com/v1alpha1 AlertmanagerConfig",
    "postgresql.cnpg.io/v1 Cluster",
    "postgresql.cnpg.io/v1 ScheduledBackup",
    "secrets-store.csi.x-k8s.io/v1 SecretProviderClass",
    "secrets.hashicorp.com/v1beta1 VaultStaticSecret",
    "traefik.io/v1alpha1 Middleware",
)


def operated(kind: str) -> str:
    """An object of the operator's own of such a kind."""
    api_version, name = kind.split(" ")
    return f"apiVersion: {api_version}\nkind: {name}\nmetadata: {{name: own, namespace: litellm}}\nspec: {{}}\n"


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: litellm}\n"
FROM_HERE = "path: ./litellm, sourceRef: {kind: GitRepository, name: litellm-gitops}"
FROM_ELSEWHERE = "path: ./anything, sourceRef: {kind: OCIRepository, name: own}"

FAULTS: dict[str, Fault] = {
    "a block of patterns without its sign": (
        "flux_sees_what_it_deploys",
        change("clusters/aws/source.yaml", "ignore: |", "ignore:"),
    ),
    "a Role without its rules": (
        "flux_may_write_what_is_rendered",
        substitute("clusters/aws/account.yaml", r"^rules:\n(?:.*\n)*?---", "---"),
        everything(metrics="prometheus_operator"),
    ),
    "a kind that is cut short": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute(ACCOUNT, r"^kind: Role$", "kind: Rol"),
    ),
    "a binding to a misspelt Role": (
        "the_account_of_flux_reaches_the_namespace_alone",
        substitute(ACCOUNT, r"kind: Role, name: litellm-flux", "kind: Role, name: litellm-fluxs"),
    ),
    "a file that is gone": ("every_cluster_has_its_flux_objects", delete(SOURCE)),
    "a file that is gone with three objects": ("every_cluster_has_its_flux_objects", delete(ACCOUNT)),
    "a file under another name": (
        "every_file_of_a_cluster_is_applied",
        together(write("clusters/aws/secret.yaml", ""), swap(SECRETS, "clusters/aws/secret.yaml"), delete(SECRETS)),
    ),
    "a token that is misspelt": (
        "flux_follows_this_repository",
        set_value(SOURCE, ("spec", "secretRef"), {"name": "litellm-gti"}),
    ),
    "a space behind a name": ("every_name_is_valid", set_value(SOURCE, ("metadata", "namespace"), "flux-system ")),
    "a group that is misspelt": (
        "every_role_names_what_there_is",
        substitute(ACCOUNT, r"external-secrets\.io", "exteral-secrets.io"),
    ),
    "a resource that is misspelt": (
        "every_role_names_what_there_is",
        substitute(ACCOUNT, r"sealedsecrets", "sealesecrets"),
    ),
    "a resource that is one of several": (
        "every_role_names_what_there_is",
        change(ACCOUNT, "middlewares]", "middleware]"),
    ),
    "a group without its end": (
        "every_role_names_what_there_is",
        substitute(ACCOUNT, r"cert-manager\.io", "cert-manager"),
    ),
    "an object of Flux that nothing applies": (
        "every_file_of_a_cluster_is_applied",
        write(
            "clusters/aws/slack.yaml",
            "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\n"
            "metadata: {name: own, namespace: flux-system}\nspec: {type: slack, channel: own}\n",
        ),
    ),
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
    "a text where a flag belongs": ("the_engine_knows_every_field", set_value(SECRETS, ("spec", "wait"), "true")),
    "a word that the field does not take": (
        "the_engine_knows_every_field",
        set_value(HELM_RELEASE, ("spec", "install", "strategy"), {"name": "Retry"}),
    ),
    "a required field left out": (
        "the_engine_knows_every_field",
        remove("clusters/gcp/secrets.yaml", ("spec", "prune")),
    ),
    "a dependency as a text": (
        "the_engine_knows_every_field",
        set_value("clusters/gcp/secrets.yaml", DEPENDS_ON, ["infrastructure"]),
    ),
    "an unknown field of kustomize": (
        "the_engine_knows_every_field",
        set_value("clusters/azure/kustomization.yaml", ("resource",), ["extra.yaml"]),
    ),
    "an unknown field of an object of one's own": (
        "the_engine_knows_every_field",
        by_hand(kustomization(f"suspended: true, {FROM_ELSEWHERE}")),
    ),
    "an API version that Flux took away": (
        "every_manifest_fits_the_schema_of_its_kind",
        set_value(HELM_RELEASE, ("apiVersion",), "helm.toolkit.fluxcd.io/v2beta2"),
    ),
    "a kind that Flux does not have": (
        "every_manifest_fits_the_schema_of_its_kind",
        by_hand("apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alerts\nmetadata: {name: own}\n"),
    ),
    # files
    "a file that is not there": ("every_cluster_has_its_flux_objects", delete(SECRETS)),
    "a file that nobody applies": (
        "every_file_of_a_cluster_is_applied",
        write("clusters/aws/own.yaml", CONFIG_MAP),
    ),
    "a misspelt file in a list": (
        "every_kustomization_lists_exactly_what_is_there",
        append_item(LIST, ("resources",), "alerts.yaml"),
    ),
    "a folder without its list": (
        "every_file_of_a_cluster_is_applied",
        write("clusters/aws/own/own.yaml", CONFIG_MAP),
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
    "no namespace": ("every_cluster_has_its_flux_objects", set_value(NAMESPACE, ("metadata", "name"), "own")),
    "no account": ("every_cluster_has_its_flux_objects", delete(ACCOUNT)),
    "an object in two files": (
        "no_object_is_applied_twice",
        own(f"{CONFIG_MAP}---\n{CONFIG_MAP}"),
    ),
    # how far a commit reaches
    "the whole cluster for whoever can push": ("flux_reaches_the_namespace_alone", own(administrator("own"))),
    "more rights for Flux's account": (
        "the_account_of_flux_reaches_the_namespace_alone",
        by_hand(administrator("litellm")),
    ),
    "rights in the namespace": (
        "flux_reaches_the_namespace_alone",
        own(rbac("Role", "rules: [{apiGroups: [''], resources: [pods/exec], verbs: [create]}]", "litellm")),
    ),
    "a Secret in another namespace": (
        "flux_reaches_the_namespace_alone",
        own("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: kube-system}\n"),
    ),
    "an object without a namespace": (
        "flux_reaches_the_namespace_alone",
        own("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"),
    ),
    "a Kustomization that acts as Flux itself": (
        "flux_reaches_the_namespace_alone",
        own(kustomization(FROM_HERE)),
    ),
    "one in the namespace": (
        "flux_reaches_the_namespace_alone",
        own(kustomization(FROM_ELSEWHERE, "litellm")),
    ),
    "a kind that the account may not write": (
        "flux_reaches_the_namespace_alone",
        own(WIDGET),
    ),
    "a release that a commit changes": (
        "flux_reaches_the_namespace_alone",
        append_item(LIST, ("resources",), "release/helmrelease.yaml"),
    ),
    "a namespace that a commit changes": (
        "flux_reaches_the_namespace_alone",
        append_item(LIST, ("resources",), "namespace.yaml"),
    ),
    "Secrets that Flux applies as itself": (
        "flux_runs_under_its_account",
        remove(SECRETS, ("spec", "serviceAccountName")),
    ),
    "a release under another account": (
        "flux_runs_under_its_account",
        set_value(HELM_RELEASE, ("spec", "serviceAccountName"), "helm-controller"),
    ),
    "an account that may write every kind": (
        "the_account_of_flux_reaches_the_namespace_alone",
        set_value(ACCOUNT, (*RULE, "apiGroups"), ["", "*"], document=1),
    ),
    "an account that may write objects of Flux": (
        "the_account_of_flux_reaches_the_namespace_alone",
        append_item(ACCOUNT, (*RULE, "apiGroups"), "helm.toolkit.fluxcd.io", document=1),
    ),
    "an account that may act as another": (
        "the_account_of_flux_reaches_the_namespace_alone",
        append_item(ACCOUNT, (*RULE, "verbs"), "impersonate", document=1),
    ),
    "a binding to everything": (
        "the_account_of_flux_reaches_the_namespace_alone",
        together(
            set_value(ACCOUNT, ("roleRef", "kind"), "ClusterRole", document=2),
            set_value(ACCOUNT, ("roleRef", "name"), "cluster-admin", document=2),
        ),
    ),
    "a name that is none": (
        "every_name_is_valid",
        set_value(SOURCE, ("metadata", "name"), "litellm_gitops"),
    ),
    "an account that is called otherwise": (
        "every_cluster_has_its_flux_objects",
        set_value(ACCOUNT, ("metadata", "name"), "litellm-flux"),
    ),
    "an account that may do everything to everything": (
        "the_account_of_flux_reaches_the_namespace_alone",
        together(
            set_value(ACCOUNT, (*RULE, "apiGroups"), ["*"], document=1),
            set_value(ACCOUNT, (*RULE, "verbs"), ["*"], document=1),
        ),
    ),
    "an account that may not change what is there": (
        "flux_may_write_what_is_rendered",
        remove_item(ACCOUNT, (*RULE, "verbs"), "patch", document=1),
    ),
    "an account without Secrets": (
        "flux_may_write_what_is_rendered",
        remove_item(ACCOUNT, (*RULE, "resources"), "secrets", document=1),
    ),
    "a release that waits for nothing that is there": (
        "every_flux_dependency_exists",
        set_value(HELM_RELEASE, DEPENDS_ON, [{"name": "database"}]),
    ),
    "an image past the values": (
        "the_flux_release_takes_its_values",
        set_value(
            HELM_RELEASE, ("spec", "postRenderers"), [{"kustomize": {"images": [{"name": "own", "newTag": "1"}]}}]
        ),
    ),
    "a list that lost what is rendered": ("every_file_of_a_cluster_is_applied", drop(LIST, "- exposure.yaml")),
    "a patch that is not there": (
        "every_kustomization_lists_exactly_what_is_there",
        set_value(LIST, ("patches",), [{"path": "own.yaml"}]),
    ),
    "a misspelt account of the migrations": (
        "the_migrations_have_no_token",
        set_value(NAMESPACE, ("metadata", "name"), "litellm-migration", document=1),
    ),
    "migrations that take longer than Flux waits": (
        "the_flux_release_has_time_to_start",
        set_value(SHARED, at(CHART.job_deadline), 3600),
    ),
    "an account with a role of the cluster": (
        "the_account_of_flux_reaches_the_namespace_alone",
        set_value(ACCOUNT, ("roleRef", "kind"), "ClusterRole", document=2),
    ),
    "rights for everybody": (
        "the_account_of_flux_reaches_the_namespace_alone",
        append_item(ACCOUNT, ("subjects",), {"kind": "Group", "name": "system:authenticated"}, document=2),
    ),
    "rights for every pod": (
        "the_account_of_flux_reaches_the_namespace_alone",
        append_item(ACCOUNT, ("subjects",), {"kind": "Group", "name": "system:serviceaccounts"}, document=2),
    ),
    "rights for another account": (
        "the_account_of_flux_reaches_the_namespace_alone",
        set_value(ACCOUNT, ("subjects", 0, "namespace"), "default", document=2),
    ),
    "pods that may do anything to their node": (
        "the_namespace_holds_its_pods_to_the_standard",
        set_value(NAMESPACE, ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "privileged"),
    ),
    "an account of the migrations in another namespace": (
        "the_migrations_have_no_token",
        set_value(NAMESPACE, ("metadata", "namespace"), "default", document=1),
    ),
    "a binding of the whole cluster": (
        "the_api_server_takes_every_manifest",
        set_value(ACCOUNT, ("kind",), "ClusterRoleBinding", document=2),
    ),
    "a subject of a misspelt kind": (
        "the_api_server_takes_every_manifest",
        set_value(ACCOUNT, ("subjects", 0, "kind"), "serviceAccount", document=2),
    ),
    "a kind of another controller": (
        "every_manifest_fits_the_schema_of_its_kind",
        set_value(HELM_RELEASE, ("kind",), "HelmChart"),
    ),
    "a field one level too high": (
        "the_engine_knows_every_field",
        together(remove(SOURCE, ("spec", "interval")), set_value(SOURCE, ("metadata", "interval"), "1m")),
    ),
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
    "a source that is never looked at": (
        "flux_lets_git_win",
        set_value(SOURCE, ("spec", "interval"), "0s"),
    ),
    "no time to decrypt": ("the_flux_release_has_time_to_start", set_value(SECRETS, ("spec", "timeout"), "2s")),
    "a binding under a misspelt name": (
        "every_cluster_has_its_flux_objects",
        substitute(ACCOUNT, r"(kind: RoleBinding\nmetadata:\n  name: litellm)-flux", r"\1-lux"),
    ),
    "a kind with a letter less": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute(ACCOUNT, r"^kind: Role$", "kind: Roe"),
    ),
    "rights that name no resources": (
        "the_api_server_takes_every_manifest",
        substitute(ACCOUNT, r"^      \[configmaps, .*\n", ""),
    ),
    "rights for nobody": (
        "the_account_of_flux_reaches_the_namespace_alone",
        substitute(ACCOUNT, r"^  - \{kind: ServiceAccount, name: litellm, .*\n", ""),
    ),
    "a line between two objects that is gone": ("no_key_is_given_twice", substitute(ACCOUNT, r"^---\n", "", 1)),
    "a lock under a name of its own": (
        "flux_applies_the_secrets",
        change("clusters/aws/kustomization.yaml", "disableNameSuffixHash: true", "disableNameSuffixHash: false"),
    ),
    "a patch that is for nothing": (
        "flux_applies_the_secrets",
        change(SECRETS, "metadata: {name: ", "metadata: {naem: "),
    ),
    "a lock that nothing takes out": ("flux_applies_the_secrets", change(SECRETS, "$patch: delete, ", "")),
    "an account that reaches into pods": (
        "the_account_of_flux_reaches_the_namespace_alone",
        append_item(ACCOUNT, (*RULE, "resources"), "pods/exec", 1),
    ),
    "an account for every kind of the core": (
        "the_account_of_flux_reaches_the_namespace_alone",
        append_item(ACCOUNT, (*RULE, "resources"), "*", 1),
    ),
    "a list of a file that is misspelt": (
        "every_kustomization_lists_exactly_what_is_there",
        set_value(LIST, ("resources", 0), "exposures.yaml"),
    ),
    "objects of another repository, as they are at the moment": (
        "nothing_that_is_applied_can_move",
        append_item(LIST, ("resources",), "https://github.com/example/other//base?ref=main"),
    ),
    "a tag beside the branch": ("flux_follows_this_repository", set_value(SOURCE, ("spec", "ref", "tag"), "v1")),
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
        set_value(SECRETS, ("spec", "sourceRef", "namespace"), "litellm"),
    ),
    # order
    "a dependency that does not exist": (
        "every_flux_dependency_exists",
        append_item(SECRETS, DEPENDS_ON, {"name": "infrastructure"}),
    ),
    "a dependency in another namespace": (
        "every_flux_dependency_exists",
        together(
            append_item(SECRETS, DEPENDS_ON, {"name": "own", "namespace": "default"}),
            by_hand(kustomization(FROM_ELSEWHERE)),
        ),
    ),
    "a declared object that nothing waits for": (
        "every_declaration_is_needed",
        set_value(SUITE, ("objects",), ["Kustomization flux-system/infrastructure"]),
    ),
    "Secrets that are not applied": ("flux_applies_the_secrets", drop(LIST, "secrets/aws")),
    "a folder that any object of Flux applies": (
        "flux_applies_the_secrets",
        remove(LIST, ("configMapGenerator",)),
    ),
    "a lock that nothing opens": ("flux_applies_the_secrets", remove(SECRETS, ("spec", "patches"))),
    # paths and values
    "the Secrets of another cluster": (
        "every_flux_path_leads_to_its_folder",
        set_value(SECRETS, ("spec", "path"), "./clusters/gcp"),
    ),
    "a wrong path": (
        "every_flux_path_leads_to_its_folder",
        set_value("clusters/gcp/secrets.yaml", ("spec", "path"), "./secrets/gcp"),
    ),
    "a path of one's own that does not exist": (
        "every_flux_path_leads_to_its_folder",
        by_hand(kustomization(FROM_HERE.replace("./litellm", "./apps"))),
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
        "the_api_server_takes_every_manifest",
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
    # signatures
    "commits of anybody": ("flux_takes_signed_commits_alone", remove(SOURCE, VERIFY), SIGNED),
    "a signature of a tag that is not there": (
        "flux_takes_signed_commits_alone",
        set_value(SOURCE, (*VERIFY, "mode"), "TagAndHEAD"),
        SIGNED,
    ),
    "keys that nobody brings": (
        "flux_takes_signed_commits_alone",
        set_value(SOURCE, (*VERIFY, "secretRef", "name"), "litellm-signer"),
        SIGNED,
    ),
    "an unknown mode": ("the_engine_knows_every_field", set_value(SOURCE, (*VERIFY, "mode"), "Commit"), SIGNED),
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
    "objects that are replaced": (
        "flux_runs_the_migrations_and_waits",
        set_value(HELM_RELEASE, ("spec", "upgrade", "force"), True),
    ),
    "no second try": ("a_failed_flux_release_is_tried_again", remove(HELM_RELEASE, ("spec", "install"))),
    "no time for the pods": (
        "the_flux_release_has_time_to_start",
        together(set_value(HELM_RELEASE, ("spec", "timeout"), "4m"), set_value(SHARED, at(CHART.job_deadline), 200)),
    ),
    "less time than the migrations have": (
        "the_flux_release_has_time_to_start",
        set_value(HELM_RELEASE, ("spec", "timeout"), "10m"),
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
}

# What an operator may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "rights for the team of the proxy, too": append_item(
        ACCOUNT,
        ("subjects",),
        {"kind": "Group", "name": "llm-team", "apiGroup": "rbac.authorization.k8s.io"},
        document=2,
    ),
    "a source that is looked at less": set_value(SOURCE, ("spec", "interval"), "1h30m"),
    "more time to decrypt": set_value(SECRETS, ("spec", "timeout"), "5m"),
    "objects of another repository, of one commit": append_item(
        LIST, ("resources",), f"https://github.com/example/other//base?ref={'0a' * 20}"
    ),
    "an account for one kind more": append_item(ACCOUNT, (*RULE, "resources"), "endpoints", 1),
    "a Kustomization of one's own": by_hand(
        kustomization(f"suspend: true, dependsOn: [{{name: other}}], {FROM_ELSEWHERE}", "tools")
    ),
    "a namespace of one's own": by_hand("apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n"),
    "a kind that the Role names": together(
        append_item(ACCOUNT, ("rules", 1, "apiGroups"), "example.com", document=1),
        own(WIDGET),
    ),
    "what operators in the cluster make of it": own("---\n".join(map(operated, OPERATED))),
    "a policy of one's own": own(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: own, namespace: litellm}\n"
        "spec: {podSelector: {}}\n"
    ),
    "commits that are signed": set_value(
        SOURCE, ("spec", "verify"), {"mode": "HEAD", "secretRef": {"name": "litellm-signers"}}
    ),
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
        NAMESPACE, ("metadata", "labels", "pod-security.kubernetes.io/warn"), "restricted"
    ),
    "a key for a private repository": set_value(SOURCE, ("spec", "secretRef"), {"name": "litellm-git"}),
    "one more folder for the cluster": append(SOURCE, "    !/apps\n"),
    "the whole repository in the cluster": substitute(SOURCE, r"  ignore: \|\n(?:    .*\n)+", ""),
    "replicas that something else sets": set_value(
        HELM_RELEASE,
        ("spec", "driftDetection", "ignore"),
        [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}],
    ),
    "one's own to wait for": together(
        append_item(SECRETS, DEPENDS_ON, {"name": "own"}), by_hand(kustomization(FROM_HERE))
    ),
    "what another repository brings to wait for": together(
        append_item(SECRETS, DEPENDS_ON, {"name": "ingress", "namespace": "infrastructure"}),
        append_item(SUITE, ("objects",), "Kustomization infrastructure/ingress"),
    ),
    "other intervals": set_value(HELM_RELEASE, ("spec", "interval"), "1h30m"),
    "notifications of one's own": by_hand(
        "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\n"
        "metadata: {name: own, namespace: flux-system}\nspec: {type: slack, channel: alerts}\n---\n"
        "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\n"
        "metadata: {name: own, namespace: flux-system}\n"
        "spec: {providerRef: {name: own}, eventSources: [{kind: HelmRelease, name: litellm}]}\n"
    ),
    "a chart of one's own beside it": by_hand(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
        "metadata: {name: own, namespace: flux-system}\nspec: {url: 'https://charts.example.com', interval: 1h}\n"
    ),
}


def test_a_credential_in_a_url_is_not_shown(repository: Copy) -> None:
    root = repository(everything())
    FAULTS["a repository with a credential"][1](root)
    assert "token" not in report(findings(root))


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_operator_adds_is_left_alone = accepted(
    {
        **HARMLESS,
        "the former name of a mode": (set_value(SOURCE, (*VERIFY, "mode"), "head"), SIGNED),
        "the mode that is Flux's default": (remove(SOURCE, (*VERIFY, "mode")), SIGNED),
    }
)
