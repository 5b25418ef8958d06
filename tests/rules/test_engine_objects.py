"""Faults and edits of the fields that an engine reads of its own objects, and the API server takes."""

from __future__ import annotations

from typing import Any

import yaml

from litellm_gitops.documents import Place
from tests.support.answers import everything
from tests.support.faults import (
    Edit,
    Fault,
    append_item,
    change,
    remove,
    remove_item,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

OF_ARGOCD = everything(gitops_engine="argocd")
TAKEN, FIELDS = "the_api_server_takes_every_manifest", "the_engine_knows_every_field"
PERMITS, WINS, KSOPS = "the_project_permits_its_applications", "argo_cd_lets_git_win", "argo_cd_runs_ksops"
LISTS, EXISTS = "every_kustomization_lists_exactly_what_is_there", "every_flux_dependency_exists"
PROJECT, ROOT = "clusters/aws/project.yaml", "clusters/aws/root.yaml"
APPLICATION, RELEASE = "clusters/aws/release.yaml", "clusters/aws/release/helmrelease.yaml"
LIST, SECRETS, SOURCE = (f"clusters/aws/{name}.yaml" for name in ("kustomization", "secrets", "source"))
OWN, SERVER_PATCH = "clusters/aws/argocd-setup/own.yaml", "clusters/aws/argocd-setup/argocd-repo-server.yaml"
LEFT_OUT = "every_difference_that_is_left_out_is_of_something"
SETTINGS = "clusters/aws/argocd-setup/argocd-cm.yaml"
PLUGIN = "clusters/aws/argocd-setup/plugin.yaml"
SEALED, GENERATOR = "secrets/aws/kustomization.yaml", "secrets/aws/ksops.yaml"
POLICY = "p, proj:litellm-gitops:ci, applications, sync, litellm-gitops/*, allow"
OPTIONS: Place = ("spec", "syncPolicy", "syncOptions")
WHITELIST: Place = ("spec", "namespaceResourceWhitelist")
SERVER = {"server": "https://kubernetes.default.svc", "namespace": "litellm"}


def project(field: str, value: Any) -> Edit:
    """A field of the project."""
    return set_value(PROJECT, ("spec", field), value)


def window(**fields: Any) -> Edit:
    """A time in which Argo CD syncs, or does not."""
    given = {"kind": "allow", "schedule": "0 3 * * *", "duration": "1h", "applications": ["*"], **fields}
    return project("syncWindows", [{key: value for key, value in given.items() if value is not None}])


def role(*policies: str) -> Edit:
    """A role of the project."""
    return project("roles", [{"name": "ci", "policies": [*policies]}])


def apart(file: str = APPLICATION, **fields: Any) -> Edit:
    """A difference that Argo CD does not look at."""
    return set_value(file, ("spec", "ignoreDifferences"), [{"group": "apps", "kind": "Deployment", **fields}])


def own_application(**fields: Any) -> Edit:
    """An Application of one's own, that a person applies."""
    source = {"repoURL": "https://github.com/example/own.git", "targetRevision": "main", "path": "own"}
    there = {"server": "https://kubernetes.default.svc", "namespace": "own"}
    spec = {"project": "default", "source": source, "destination": there, **fields}
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "own", "namespace": "argocd"},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }
    return write(OWN, yaml.safe_dump(made))


def set_of(name: str, **fields: Any) -> Edit:
    """An ApplicationSet of the owner's own, whose Applications are called so."""
    source = {"repoURL": "https://github.com/example/own.git", "targetRevision": "main", "path": "own"}
    template = {"metadata": {"name": name}, "spec": {"project": "own", "source": source, "destination": SERVER}}
    generators = [{"list": {"elements": [{"name": "own"}]}}]
    spec = {**fields, "generators": generators, "template": template}
    content = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet"}
    return write(OWN, yaml.safe_dump({**content, "metadata": {"name": "own", "namespace": "argocd"}, "spec": spec}))


def drift(*paths: str, **target: str) -> Edit:
    """A difference that Flux does not look at."""
    entry = {"paths": [*paths], "target": {"kind": "Deployment", **target}}
    return set_value(RELEASE, ("spec", "driftDetection", "ignore"), [entry])


def backoff(**fields: Any) -> Edit:
    """How long Argo CD waits before it tries again."""
    return set_value(APPLICATION, ("spec", "syncPolicy", "retry", "backoff"), fields)


def by_hand(*objects: tuple[str, str, dict[str, Any]], name: str = "own") -> Edit:
    """Objects of Flux that a person applies: (kind, API version, spec)."""
    metadata = {"name": name, "namespace": "flux-system"}
    made = [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec} for kind, version, spec in objects
    ]
    return write(f"clusters/aws/flux-setup/{name}.yaml", yaml.safe_dump_all(made))


def news(provider: dict[str, Any] | None = None, **alert: Any) -> Edit:
    """Where Flux tells what happens, and of what."""
    version = "notification.toolkit.fluxcd.io/v1beta3"
    sources = [{"kind": "HelmRelease", "name": "litellm"}]
    given = {"type": "slack", "channel": "alerts", "secretRef": {"name": "slack"}, **(provider or {})}
    spec = {"providerRef": {"name": "own"}, "eventSources": sources, **alert}
    return by_hand(("Provider", version, given), ("Alert", version, spec))


def kustomization(name: str = "own", **fields: Any) -> Edit:
    """A Kustomization of one's own."""
    given = {"interval": "10m", "prune": True, "path": "./litellm"}
    source = {"kind": "GitRepository", "name": "litellm-gitops"}
    return by_hand(
        ("Kustomization", "kustomize.toolkit.fluxcd.io/v1", {**given, "sourceRef": source, **fields}), name=name
    )


def generated(**fields: Any) -> Edit:
    """A ConfigMap that Kustomize makes."""
    return append_item(LIST, ("configMapGenerator",), {"name": "own", "namespace": "litellm", **fields})


def health(**fields: str) -> Edit:
    """What Flux waits for."""
    entry = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "namespace": "litellm", **fields}
    return set_value(SECRETS, ("spec", "healthChecks"), [entry])


ARGOCD: dict[str, tuple[str, Edit]] = {
    # windows
    "a time that is none": (TAKEN, window(schedule="0 25 * * *")),
    "a time with seconds": (TAKEN, window(schedule="0 0 3 * * *")),
    "a time in words": (TAKEN, window(duration="1 hour")),
    "a time in days": (TAKEN, window(duration="2d")),
    "a window that is none": (TAKEN, window(kind="block")),
    "a window without an end": (TAKEN, window(duration=None)),
    "a window for nothing": (TAKEN, window(applications=None)),
    "a window in a zone that is none": (TAKEN, window(timeZone="Europe/Zurick")),
    "a window that never opens": (PERMITS, window(kind="deny", schedule="* * * * *")),
    "a window that never opens again": (PERMITS, window(kind="deny", schedule="0 0 * * *", duration="24h")),
    # roles
    "a policy of another project": (PERMITS, role("p, proj:other:ci, applications, sync, other/*, allow")),
    "a policy for all projects": (PERMITS, role(POLICY.replace("litellm-gitops/*", "*/*"))),
    "a policy without a role": (PERMITS, role("applications, sync, litellm-gitops/*, allow")),
    "two roles of one name": (TAKEN, project("roles", [{"name": "ci"}, {"name": "ci"}])),
    "a key that is none": (TAKEN, project("signatureKeys", [{"keyID": "4AEE"}])),
    "an account for many": (
        TAKEN,
        project("destinationServiceAccounts", [{**SERVER, "defaultServiceAccount": "kube-system:*"}]),
    ),
    # what the project permits
    "clusters of the project alone": (PERMITS, project("permitOnlyProjectScopedClusters", True)),
    "no ConfigMap": (PERMITS, remove_item(PROJECT, WHITELIST, {"group": "", "kind": "ConfigMap"})),
    "no Job": (PERMITS, remove_item(PROJECT, WHITELIST, {"group": "batch", "kind": "*"})),
    "no Ingress": (
        "argo_cd_reaches_the_namespace_alone",
        remove_item(PROJECT, WHITELIST, {"group": "networking.k8s.io", "kind": "*"}),
    ),
    "a Job that is forbidden": (
        PERMITS,
        project("namespaceResourceBlacklist", [{"group": "batch", "kind": "Job"}]),
    ),
    "a repository that is forbidden": (
        PERMITS,
        append_item(PROJECT, ("spec", "sourceRepos"), "!https://github.com/example/litellm-gitops.git"),
    ),
    "another cluster by its name": (
        "the_project_reaches_the_namespace_alone",
        append_item(PROJECT, ("spec", "destinations"), {"name": "other", "namespace": "litellm"}),
    ),
    # differences
    "an image that may differ": (WINS, apart(jsonPointers=["/spec/template/spec/containers/0/image"])),
    "variables that may differ": (WINS, apart(jqPathExpressions=[".spec.template.spec.containers[0].env"])),
    "a whole object that may differ": (WINS, apart(jqPathExpressions=["."])),
    "a value of a Secret that may differ": (
        WINS,
        apart(ROOT, group="", kind="Secret", jsonPointers=["/data/masterkey"]),
    ),
    "all that Argo CD writes": (WINS, apart(managedFieldsManagers=["argocd-controller"])),
    "a pointer without a beginning": (TAKEN, apart(jsonPointers=["spec/replicas"])),
    "a bracket without an end": (TAKEN, apart(jqPathExpressions=[".spec.containers[.image"])),
    "a group with a version": (TAKEN, apart(group="apps/v1", jsonPointers=["/spec/replicas"])),
    "a kind in small letters": (TAKEN, apart(kind="deployment", jsonPointers=["/spec/replicas"])),
    "no field that may differ": (TAKEN, apart()),
    # the Applications
    "a wait in words": (TAKEN, backoff(duration="10 seconds")),
    "no wait at all": (TAKEN, backoff(factor=0)),
    "a release of which there is less than none": (TAKEN, set_value(APPLICATION, ("spec", "revisionHistoryLimit"), -1)),
    "a version of Kubernetes in words": (
        TAKEN,
        set_value(APPLICATION, ("spec", "source", "helm", "kubeVersion"), "latest"),
    ),
    "two names of one cluster": (TAKEN, set_value(APPLICATION, ("spec", "destination", "name"), "in-cluster")),
    "another cluster": (
        "the_argo_cd_release_lands_beside_its_secrets",
        together(
            set_value(APPLICATION, ("spec", "destination", "name"), "other"),
            remove(APPLICATION, ("spec", "destination", "server")),
        ),
    ),
    "an option without a value": ("argo_cd_knows_every_option", append_item(APPLICATION, OPTIONS, "CreateNamespace")),
    "an option with another value": (
        "argo_cd_knows_every_option",
        append_item(APPLICATION, OPTIONS, "PrunePropagationPolicy=forground"),
    ),
    "an option and its contrary": (
        "argo_cd_keeps_no_copy_of_a_secret",
        append_item(ROOT, OPTIONS, "ServerSideApply=false"),
    ),
    "labels of a namespace that nobody may write": (
        "argo_cd_renders_every_source_as_it_is_meant",
        set_value(APPLICATION, ("spec", "syncPolicy", "managedNamespaceMetadata"), {"labels": {"a": "b"}}),
    ),
    "a patch that the suite does not see": (
        "argo_cd_renders_every_source_as_it_is_meant",
        set_value(ROOT, ("spec", "source", "kustomize", "patches"), [{"patch": "[]"}]),
    ),
    **{
        f"a difference of nothing: {fields}": (LEFT_OUT, apart(jsonPointers=["/spec/replicas"], **fields))
        for fields in ({"name": "litelm"}, {"kind": "Deploymnt"}, {"group": ""}, {"namespace": "default"})
    },
    "a difference of a misspelt field": (LEFT_OUT, apart(jsonPointers=["/spec/replica"])),
    "a difference of another group": (
        LEFT_OUT,
        apart(ROOT, group="extensions", kind="Ingress", jsonPointers=["/metadata/labels"]),
    ),
    "a difference of a key with a slash": (TAKEN, apart(jsonPointers=["/metadata/annotations/example.com/own"])),
    "a difference of a field without a dot": (TAKEN, apart(jqPathExpressions=["spec.replicas"])),
    "an option that leaves what is gone": (WINS, append_item(APPLICATION, OPTIONS, "Prune=false")),
    "a misspelt option that keeps copies away": (
        "argo_cd_knows_every_option",
        set_value(ROOT, OPTIONS, ["ServerSideAply=true"]),
    ),
    "a chart of a folder": (
        "argo_cd_renders_every_source_as_it_is_meant",
        set_value(ROOT, ("spec", "source", "helm"), {"releaseName": "own"}),
    ),
    "a kind in other letters that is permitted": (PERMITS, change(PROJECT, "kind: HTTPRoute}", "kind: HttpRoute}")),
    "a kind of an operator in other letters": (PERMITS, change(PROJECT, "kind: ScaledObject}", "kind: Scaledobject}")),
    "a group without its end that is permitted": (
        PERMITS,
        change(PROJECT, "{group: keda.sh, kind: ScaledObject}", "{group: keda, kind: ScaledObject}"),
    ),
    "true in other letters": ("argo_cd_knows_every_option", change(ROOT, "Apply=true", "Apply=True")),
    "an option that is cut short": (
        "argo_cd_knows_every_option",
        append_item(APPLICATION, OPTIONS, "ApplyOutOfSync=true"),
    ),
    "a parameter as it was before Go templates": (
        "argo_cd_renders_every_source_as_it_is_meant",
        set_of("{{name}}", goTemplate=True),
    ),
    "a parameter of a Go template that is none": ("argo_cd_renders_every_source_as_it_is_meant", set_of("{{.name}}")),
    "a repo server of another namespace": (
        KSOPS,
        change(SERVER_PATCH, "namespace: argocd", "namespace: argo"),
    ),
    "a volume that is nowhere": (
        KSOPS,
        change(PLUGIN, "        - name: litellm-ksops-tmp\n          emptyDir: {}\n", ""),
    ),
    "a misspelt kind that is permitted": (
        PERMITS,
        change(PROJECT, "kind: ServiceMonitor}", "kind: ServicesMonitor}"),
    ),
    "a window for a misspelt Application": (PERMITS, window(applications=["litelm"])),
    "a policy of a misspelt action": (PERMITS, role(POLICY.replace("sync", "snyc"))),
    "no kinds at all": (
        "the_project_reaches_the_namespace_alone",
        remove(PROJECT, WHITELIST),
    ),
    "another namespace in place of ours": (
        PERMITS,
        set_value(PROJECT, ("spec", "destinations", 0, "namespace"), "own"),
    ),
    **{
        f"an Application of one's own: {what}": (rule, own_application(**fields))
        for what, rule, fields in (
            ("a chart without a version", TAKEN, {"source": {"repoURL": "https://charts.example.com", "chart": "own"}}),
            ("no source", TAKEN, {"source": None}),
            ("no cluster", TAKEN, {"destination": {"namespace": "own"}}),
            ("a misspelt project", "every_application_belongs_to_the_project", {"project": "litellm-gitop"}),
            (
                "a destination that its project forbids",
                "every_application_belongs_to_the_project",
                {"project": "litellm-gitops"},
            ),
            (
                "a misspelt option",
                "argo_cd_knows_every_option",
                {"syncPolicy": {"syncOptions": ["CreateNamespce=true"]}},
            ),
            (
                "values of no source",
                "every_argo_cd_path_leads_to_its_folder",
                {
                    "source": None,
                    "sources": [
                        {
                            "repoURL": "https://charts.example.com",
                            "chart": "own",
                            "targetRevision": "1.0.0",
                            "helm": {"valueFiles": ["$value/own.yaml"]},
                        },
                        {"repoURL": "https://github.com/example/own.git", "ref": "values"},
                    ],
                },
            ),
        )
    },
    "an option of templates that there is not": (
        TAKEN,
        write(
            OWN,
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: own, namespace: argocd}\n"
            "spec: {generators: [], goTemplate: true, goTemplateOptions: [missingkeys=error], template: {metadata: {}, "
            "spec: {project: own, destination: {}}}}\n",
        ),
    ),
    # KSOPS
    "settings that Argo CD does not read": (
        KSOPS,
        set_value(SETTINGS, ("data", "timeout.reconcilation"), "60s"),
    ),
    "Secrets that Argo CD passes over": (
        KSOPS,
        set_value(SETTINGS, ("data", "resource.exclusions"), "- {apiGroups: [''], kinds: [Secret], clusters: ['*']}\n"),
    ),
    "a user who is root and not": (KSOPS, change(SERVER_PATCH, "runAsUser: 65532", "runAsUser: 0")),
    "a volume of nothing": (KSOPS, change(SERVER_PATCH, "emptyDir: {}", "emptyDir:")),
    "pods that are not selected": (
        KSOPS,
        set_value(SERVER_PATCH, ("spec", "template", "metadata", "labels", "app.kubernetes.io/name"), "repo-server"),
    ),
    "a plugin in another ConfigMap": (
        KSOPS,
        change(PLUGIN, "configMap:\n            name: litellm-ksops", "configMap:\n            name: ksops"),
    ),
    "a volume of the plugin under another name": (
        KSOPS,
        substitute(PLUGIN, r"^        - name: litellm-ksops$", "        - name: iltellm-ksops"),
    ),
    "a plugin of another version of its API": (KSOPS, change(PLUGIN, "    apiVersion: argo", "    apiVersoin: argo")),
    "a plugin without its name": (KSOPS, substitute(PLUGIN, r"^    metadata:$", "    mteadata:", 1)),
    "a plugin without an image": (KSOPS, substitute(PLUGIN, r"^ +image: .*argocd:v.*\n", "")),
    "arguments of a plugin that are misspelt": (KSOPS, substitute(PLUGIN, r"^( +)args:$", r"\1aargs:", 1)),
    "a Deployment that Argo CD does not have": (
        KSOPS,
        substitute(PLUGIN, r"^  name: argocd-repo-server$", "  name: argocd-reo-server"),
    ),
    "a program of another image": (KSOPS, change(PLUGIN, "viaductoss/ksops", "viaductoss/kosps")),
    "a program without a name": (
        "every_manifest_fits_the_schema_of_its_kind",
        change(PLUGIN, "- name: install-ksops", "- name:"),
    ),
    "a plugin of no version": (KSOPS, substitute(PLUGIN, r"argocd:v[\d.]+", "argocd:latest")),
    "a plugin that builds nothing": (KSOPS, change(PLUGIN, "kustomize build ", "kustomize buid ")),
    "a plugin without its command": (
        KSOPS,
        change(
            PLUGIN,
            "      generate:\n        command: [sh, -c]\n        args:",
            "      generate:\n      command: [sh, -c]\n      args:",
        ),
    ),
    "a generator among resources": (LISTS, change(SEALED, "generators:", "resources:")),
    "a misspelt Secret of the generator": (LISTS, change(GENERATOR, "litellm-redis.sops", "litellm-rediss.sops")),
    "another name of the plugin": (
        KSOPS,
        substitute(PLUGIN, "    metadata:\n      name: litellm-ksops", "    metadata:\n      name: ksops"),
    ),
    "a plugin that runs nothing": (KSOPS, change(PLUGIN, " --enable-exec", "")),
    "a plugin that is none": (KSOPS, change(PLUGIN, "ConfigManagementPlugin", "ConfigManagmentPlugin")),
    "a plugin in a file that nobody reads": (KSOPS, change(PLUGIN, "  plugin.yaml: |", "  plugin.yml: |")),
    "a plugin that nobody calls": (KSOPS, change(PLUGIN, "cmp-server/plugins", "cmp-server/plugin")),
    "a plugin with the key of another cluster": (KSOPS, change(PLUGIN, "/sops-age/aws", "/sops-age/gcp")),
    "a plugin that listens to nobody": (KSOPS, change(PLUGIN, "/var/run/argocd/argocd-cmp-server", "/bin/server")),
    "objects that are told apart in no way": (
        "argo_cd_looks_for_the_release",
        set_value(SETTINGS, ("data", "application.resourceTrackingMethod"), "annotations"),
    ),
    "a rhythm in words": (
        "argo_cd_looks_for_the_release",
        set_value(SETTINGS, ("data", "timeout.reconciliation"), "3 minutes"),
    ),
    "a generator of another kind": ("every_secret_goes_through_ksops", change(GENERATOR, "kind: ksops", "kind: KSOPS")),
    "no generator": (LISTS, set_value(SEALED, ("generators",), [])),
    "a Secret of another cluster": (
        "every_secret_goes_through_ksops",
        change(GENERATOR, "./litellm-redis", "../gcp/litellm-redis"),
    ),
}

FLUX: dict[str, tuple[str, Edit]] = {
    "an image that may drift": ("flux_lets_git_win", drift("/spec/template/spec/containers/0/image")),
    "a template that may drift": ("flux_lets_git_win", drift("/spec/template")),
    "a pointer without a beginning, of Flux": (TAKEN, drift("spec/replicas")),
    "a kind in small letters, of Flux": (TAKEN, drift("/spec/replicas", kind="deployment")),
    "a namespace that the account may not make": (
        "flux_runs_the_migrations_and_waits",
        set_value(RELEASE, ("spec", "install", "createNamespace"), True),
    ),
    "fewer releases than none": (TAKEN, set_value(RELEASE, ("spec", "maxHistory"), -1)),
    "another strategy": (TAKEN, set_value(RELEASE, ("spec", "upgrade", "strategy", "name"), "RemediateOnFailure")),
    "an expression that breaks off": (
        TAKEN,
        set_value(
            SECRETS, ("spec", "healthCheckExprs"), [{"apiVersion": "v1", "kind": "ConfigMap", "current": "data.a =="}]
        ),
    ),
    "a variable that is none": (TAKEN, set_value(SECRETS, ("spec", "postBuild"), {"substitute": {"a b": "c"}})),
    "variables from nowhere": (
        EXISTS,
        set_value(SECRETS, ("spec", "postBuild"), {"substituteFrom": [{"kind": "ConfigMap", "name": "own"}]}),
    ),
    "health of nobody": (EXISTS, health(name="litelm")),
    "what waits for each other": (
        EXISTS,
        together(
            kustomization(dependsOn=[{"name": "other"}]),
            kustomization("other", dependsOn=[{"name": "own"}]),
        ),
    ),
    "a source of another kind": (EXISTS, kustomization(sourceRef={"kind": "OCIRepository", "name": "litellm-gitops"})),
    "news of another kind": (EXISTS, news(eventSources=[{"kind": "HelmRelease", "name": "litellm-secrets"}])),
    "an image with a scheme": (
        TAKEN,
        by_hand(("ImageRepository", "image.toolkit.fluxcd.io/v1", {"interval": "1h", "image": "https://ghcr.io/own"})),
    ),
    "a Secret with a name that there is not": (TAKEN, set_value(SOURCE, ("spec", "secretRef"), {"name": "own_git"})),
    "a misspelt dependency": (EXISTS, kustomization(dependsOn=[{"name": "litelm-secrets"}])),
    "a misspelt source": (EXISTS, kustomization(sourceRef={"kind": "GitRepository", "name": "litellm-gitop"})),
    "a source that takes in nothing": (
        EXISTS,
        set_value(SOURCE, ("spec", "include"), [{"repository": {"name": "nobody"}}]),
    ),
    "Secrets that are not fetched": (
        "flux_sees_what_it_deploys",
        change(SOURCE, "!/secrets\n", "!/secrets\n    *.sops.yaml\n"),
    ),
    "values that are not fetched": (
        "flux_sees_what_it_deploys",
        change(SOURCE, "!/secrets\n", "!/secrets\n    /litellm/values-aws.yaml\n"),
    ),
    "news for nobody": (EXISTS, news(providerRef={"name": "other"})),
    "news of a misspelt release": (EXISTS, news(eventSources=[{"kind": "HelmRelease", "name": "litelm"}])),
    "news of a release elsewhere": (
        EXISTS,
        news(eventSources=[{"kind": "HelmRelease", "name": "litellm", "namespace": "litellm"}]),
    ),
    "news of nothing": (TAKEN, news(eventSources=[])),
    "news without what cannot be read": (TAKEN, news(exclusionList=["*waiting*"])),
    "news to no address": (TAKEN, news({"address": "hooks.example.com/services"})),
    "charts of a registry that is asked like a site": (
        TAKEN,
        by_hand(("HelmRepository", "source.toolkit.fluxcd.io/v1", {"interval": "1h", "url": "oci://ghcr.io/example"})),
    ),
    **{
        f"a drift of nothing: {target}": (LEFT_OUT, drift("/spec/replicas", **target))
        for target in ({"name": "litelm"}, {"kind": "Deploymnt"}, {"group": "app"}, {"version": "v1beta1"})
    },
    "a comparison with one sign": (
        TAKEN,
        set_value(
            SECRETS,
            ("spec", "healthCheckExprs"),
            [{"apiVersion": "v1", "kind": "ConfigMap", "current": "data.a = 'b'"}],
        ),
    ),
    "labels that are none": (TAKEN, set_value(SECRETS, ("spec", "commonMetadata"), {"labels": {"own": "a b"}})),
    "health of a version that is gone": (EXISTS, health(apiVersion="networking.k8s.io/v1beta1", name="litellm")),
    "components that are not there": (
        "every_flux_path_leads_to_its_folder",
        set_value(SECRETS, ("spec", "components"), ["../../components/own"]),
    ),
    "a lock in a namespace": (
        "flux_applies_the_secrets",
        set_value(LIST, ("configMapGenerator", 0, "namespace"), "litellm"),
    ),
    "a lock of another kind": (
        "flux_applies_the_secrets",
        change(SECRETS, "target: {kind: ConfigMap, ", "target: {kind: Configmap, "),
    ),
    "little time for an upgrade": (
        "the_flux_release_has_time_to_start",
        set_value(RELEASE, ("spec", "upgrade", "timeout"), "2m"),
    ),
    "a source beside the one that was meant": (
        EXISTS,
        by_hand(
            (
                "HelmRelease",
                "helm.toolkit.fluxcd.io/v2",
                {
                    "interval": "1h",
                    "chart": {"spec": {"chart": "own", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}},
                },
            ),
            ("HelmRepository", "source.toolkit.fluxcd.io/v1", {"url": "https://charts.example.com"}),
        ),
    ),
    **{
        f"a source that is refused: {what}": (
            TAKEN,
            by_hand((kind, "source.toolkit.fluxcd.io/v1", {"interval": "1h", **spec})),
        )
        for what, kind, spec in (
            ("a tag in an address", "OCIRepository", {"url": "oci://ghcr.io/example/own:1.0.0"}),
            ("a digest that is none", "OCIRepository", {"url": "oci://ghcr.io/example/own", "ref": {"digest": "1234"}}),
            ("a range that is none", "OCIRepository", {"url": "oci://ghcr.io/example/own", "ref": {"semver": ">>1"}}),
            (
                "a range in words",
                "GitRepository",
                {"url": "https://github.com/example/own.git", "ref": {"semver": "newest"}},
            ),
            ("a registry that is none", "HelmRepository", {"url": "https://charts.example.com", "type": "oci"}),
            ("a bucket with a scheme", "Bucket", {"bucketName": "own", "endpoint": "https://s3.amazonaws.com"}),
        )
    },
    "Secrets of a folder that is not there": (LISTS, change(LIST, "../../secrets/aws", "../secrets/aws")),
    # lists
    "a file twice": (LISTS, append_item(LIST, ("resources",), "./exposure.yaml")),
    "Secrets of another cluster": (LISTS, append_item(LIST, ("resources",), "../../secrets/gcp")),
    "a ConfigMap without a value": (TAKEN, generated(literals=["NOVALUE"])),
    "a ConfigMap of no name": (TAKEN, generated(name=None, literals=["a=b"])),
    "a ConfigMap where nobody may write": (LISTS, generated(namespace="default", literals=["a=b"])),
    "a ConfigMap without a namespace": (LISTS, generated(namespace=None, literals=["a=b"])),
    "two ConfigMaps of one name": (TAKEN, together(generated(literals=["a=b"]), generated(literals=["a=b"]))),
    "an image of no name": (TAKEN, set_value(LIST, ("images",), [{"newTag": "1.2.3"}])),
    "an origin that is none": (FIELDS, set_value(LIST, ("buildMetadata",), ["originAnnotation"])),
    "a standard of no version": (
        TAKEN,
        set_value(
            "clusters/aws/namespace.yaml", ("metadata", "labels", "pod-security.kubernetes.io/warn-version"), "newest"
        ),
    ),
}
FAULTS: dict[str, Fault] = {
    **{name: (*row, OF_ARGOCD) for name, row in ARGOCD.items()},
    **FLUX,
}

HARMLESS: dict[str, Harmless] = {
    "a source of another repository": kustomization(sourceRef={"kind": "OCIRepository", "name": "platform"}),
    "an image that is called like the release": by_hand(
        ("ImageRepository", "image.toolkit.fluxcd.io/v1", {"interval": "1h", "image": "ghcr.io/example/own"}),
        name="litellm",
    ),
    "a release by the name of its Application": (
        remove(APPLICATION, ("spec", "source", "helm", "releaseName")),
        OF_ARGOCD,
    ),
    "a parameter of a Go template": (set_of("{{.name}}-{{ .name | lower }}", goTemplate=True), OF_ARGOCD),
    "a parameter in two braces": (set_of("{{name}}"), OF_ARGOCD),
    "a kind of a group of which some are known": (
        append_item(PROJECT, WHITELIST, {"group": "traefik.io", "kind": "MiddlewareTCP"}),
        OF_ARGOCD,
    ),
    **{
        name: (edit, OF_ARGOCD)
        for name, edit in {
            "a night without a sync": window(kind="deny", schedule="0 22 * * *", duration="8h"),
            "a weekend without a sync": window(kind="deny", schedule="0 22 * * 5", duration="48h", manualSync=True),
            "a window of one's own": window(schedule="@daily", duration="90m", timeZone="Europe/Zurich"),
            "a role of one's own": role(POLICY, POLICY.replace("sync", "get").replace("/*", "/litellm/*")),
            "a key": project("signatureKeys", [{"keyID": "4AEE18F83AFDEB23"}]),
            "a kind that is forbidden": project("namespaceResourceBlacklist", [{"group": "", "kind": "ResourceQuota"}]),
            "replicas that may differ": apart(jsonPointers=["/spec/replicas"]),
            "resources that may differ": apart(jqPathExpressions=[".spec.template.spec.containers[].resources"]),
            "a container that somebody adds": apart(
                jqPathExpressions=['.spec.template.spec.containers[] | select(.name == "istio-proxy")']
            ),
            "a restart that may differ": apart(
                jqPathExpressions=['.spec.template.metadata.annotations."kubectl.kubernetes.io/restartedAt"']
            ),
            "a manager that may differ": apart(managedFieldsManagers=["kube-controller-manager"]),
            "a wait in seconds": backoff(duration="30", factor=3, maxDuration="10m"),
            "a cluster by its name": together(
                set_value(APPLICATION, ("spec", "destination", "name"), "in-cluster"),
                remove(APPLICATION, ("spec", "destination", "server")),
            ),
            "a deletion in the background": set_value(
                APPLICATION, ("metadata", "finalizers"), ["resources-finalizer.argocd.argoproj.io/background"]
            ),
            "options of one's own": append_item(APPLICATION, OPTIONS, "PrunePropagationPolicy=foreground"),
            "a namespace of the list": set_value(LIST, ("namespace",), "litellm"),
            "a ConfigMap in the namespace of the Application": generated(namespace=None, literals=["a=b"]),
            "settings of one's own": together(
                set_value(SETTINGS, ("data", "application.resourceTrackingMethod"), "annotation+label"),
                set_value(SETTINGS, ("data", "timeout.reconciliation"), "5m"),
            ),
            "another Argo CD": change(PLUGIN, "argocd:v3.6.1", "argocd:v3.5.2"),
        }.items()
    },
    "replicas that may drift": drift("/spec/replicas", name="litellm"),
    "resources that may drift": drift("/spec/template/spec/containers/0/resources"),
    "an expression of one's own": set_value(
        SECRETS,
        ("spec", "healthCheckExprs"),
        [
            {
                "apiVersion": "cert-manager.io/v1",
                "kind": "Certificate",
                "current": "status.x.exists(e, e.type == 'Ready')",
            }
        ],
    ),
    "variables that may be missing": set_value(
        SECRETS, ("spec", "postBuild"), {"substituteFrom": [{"kind": "ConfigMap", "name": "own", "optional": True}]}
    ),
    "health of the Ingress": health(name="litellm"),
    "a dependency elsewhere": kustomization(dependsOn=[{"name": "infrastructure"}]),
    "news of everything": news(
        eventSources=[{"kind": "Kustomization", "name": "*"}, {"kind": "HelmRelease", "name": "litellm"}],
        exclusionList=["waiting.*socket"],
    ),
    "news to an address": news({"type": "generic", "address": "https://hooks.example.com"}),
    "a ConfigMap that Kustomize makes": generated(literals=["a=b"]),
    "an origin": set_value(LIST, ("buildMetadata",), ["originAnnotations"]),
    "an order": set_value(LIST, ("sortOptions",), {"order": "fifo"}),
    "what is not fetched": change(SOURCE, "!/secrets\n", "!/secrets\n    *.md\n"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_operator_writes_is_left_alone = accepted(HARMLESS)
