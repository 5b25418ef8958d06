"""Faults and edits of what programs read in annotations."""

from __future__ import annotations

from litellm_gitops.documents import Place
from tests.support.answers import everything
from tests.support.faults import CHART, Edit, Fault, add, set_value
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

RULE = "every_annotation_says_what_its_reader_knows"
ARGOCD = everything(gitops_engine="argocd")
INGRESS, RELEASE = "clusters/aws/exposure.yaml", "clusters/aws/release.yaml"
FLUX_RELEASE = "clusters/aws/release/helmrelease.yaml"
PLACE: Place = ("metadata", "annotations")


def note(key: str, value: str, file: str = INGRESS) -> Edit:
    """An annotation of an object."""
    return set_value(file, (*PLACE, key), value)


FAULTS: dict[str, Fault] = {
    "an order that is no number": (RULE, note("argocd.argoproj.io/sync-wave", "last"), ARGOCD),
    "a hook that Argo CD does not know": (RULE, note("argocd.argoproj.io/hook", "PreSnyc"), ARGOCD),
    "an option of one object": (RULE, note("argocd.argoproj.io/sync-options", "Prun=false"), ARGOCD),
    "the second option of one object": (
        RULE,
        note("argocd.argoproj.io/sync-options", "Prune=false,Delte=false"),
        ARGOCD,
    ),
    "a word in a label": (
        RULE,
        set_value("clusters/aws/namespace.yaml", ("metadata", "labels", "istio-injection"), "enable"),
    ),
    "what is compared": (RULE, note("argocd.argoproj.io/compare-options", "IgnoreExtranous"), ARGOCD),
    "a misspelt key": (RULE, note("argocd.argoproj.io/sync-waves", "5"), ARGOCD),
    "a misspelt reader": (RULE, note("notification.argoproj.io/subscribe.on-sync-failed.slack", "x", RELEASE), ARGOCD),
    "news for no service": (RULE, note("notifications.argoproj.io/subscribe.on-sync-failed", "x", RELEASE), ARGOCD),
    "an object that Flux is to leave": (RULE, note("kustomize.toolkit.fluxcd.io/reconcile", "disable")),
    "a way to apply that Flux does not know": (RULE, note("kustomize.toolkit.fluxcd.io/ssa", "merged")),
    "an object that is to stay": (RULE, note("kustomize.toolkit.fluxcd.io/prune", "off", FLUX_RELEASE)),
    "an object that Helm is to keep": (RULE, note("helm.sh/resource-policy", "keeps")),
    "metrics": (RULE, add(CHART.pod_annotations, {"prometheus.io/scrape": "yes"})),
    "pods that stay where they are": (
        RULE,
        add(CHART.pod_annotations, {"cluster-autoscaler.kubernetes.io/safe-to-evict": "no"}),
    ),
}

HARMLESS: dict[str, Harmless] = {
    "an order": (note("argocd.argoproj.io/sync-wave", "-5"), ARGOCD),
    "two options of one object": (note("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"), ARGOCD),
    "two options apart": (note("argocd.argoproj.io/sync-options", "Prune=false , ServerSideApply=true"), ARGOCD),
    "options of an Application beside those of an object": (
        note("argocd.argoproj.io/sync-options", "RespectIgnoreDifferences=true, Prune=false,CreateNamespace=true"),
        ARGOCD,
    ),
    "a hook of Helm 2": (note("helm.sh/hook", "crd-install"), ARGOCD),
    "what is not compared": (note("argocd.argoproj.io/compare-options", "IgnoreExtraneous"), ARGOCD),
    "news": (note("notifications.argoproj.io/subscribe.on-sync-failed.slack", "alerts", RELEASE), ARGOCD),
    "news of a trigger of one's own": (
        note("notifications.argoproj.io/subscribe.on-costs.email", "x", RELEASE),
        ARGOCD,
    ),
    "news of what is subscribed by itself": (note("notifications.argoproj.io/subscribe.slack", "x", RELEASE), ARGOCD),
    "several ports for Prometheus": note("prometheus.io/ports", "4000,9090"),
    "an object that stays": note("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    "what Flux reads in any case": note("kustomize.toolkit.fluxcd.io/prune", "Disabled"),
    "fields of others that stay": note("kustomize.toolkit.fluxcd.io/ssa", "Merge"),
    "pods that may go": add(CHART.pod_annotations, {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}),
    "a reader that nobody here knows": note("example.com/hook", "PreSnyc"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_operator_writes_is_left_alone = accepted(HARMLESS)
