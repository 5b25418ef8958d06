"""Which kinds there are: a misspelt one is told where it is known which one was meant."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.documents import Document, Place, dig, text
from litellm_gitops.findings import Finding, Misspelt
from litellm_gitops.objects import found_in
from litellm_gitops.policies import SUITE
from litellm_gitops.rules.boundaries import kinds_of, meant_group, meant_kind
from litellm_gitops.spelling import closest

# Argo's other projects, such as Rollouts and Workflows, have kinds in the group of Argo CD, and the clouds have more in
# theirs than what leads to the proxy.
_SHARED_GROUPS = {
    *("argoproj.io", "alb.networking.azure.io", "cloud.google.com", "gateway.k8s.aws", "networking.gke.io"),
    # other releases and channels of these have more kinds
    *("cilium.io", "gateway.envoyproxy.io", "gateway.networking.k8s.io", "monitoring.coreos.com"),
    "gateway.networking.x-k8s.io",
}
# versions that other releases of them serve, or the operator's webhook, and what Azure's own Prometheus reads
_OF_OTHER_RELEASES = {
    ("azmonitoring.coreos.com/v1", "PodMonitor"),
    ("azmonitoring.coreos.com/v1", "ServiceMonitor"),
    ("gateway.networking.k8s.io/v1alpha2", "GRPCRoute"),
    ("gateway.networking.k8s.io/v1alpha3", "BackendTLSPolicy"),
    ("monitoring.coreos.com/v1beta1", "AlertmanagerConfig"),
}
# what kubectl reads and no cluster keeps: how it reaches a cluster
_OF_KUBECTL = {("v1", "Config")}
# https://kubernetes.io/docs/reference/config-api/, and of what makes clusters and tries things out in them
_OF_PROGRAMS = re.compile(
    r"(?!kustomize\.).*\.config\.k8s\.io|(?:apiserver|audit|client\.authentication|kubeadm)\.k8s\.io"
    r"|node\.eks\.aws|kind\.x-k8s\.io|k3d\.io|eksctl\.io|cli\.kyverno\.io|garden\.io|kuttl\.dev"
)
# https://kubernetes.io/docs/reference/using-api/#api-groups: the others of Kubernetes have a dot, as all that are added
_UNDOTTED = ("apps", "autoscaling", "batch", "extensions", "policy")
VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_CLOSE = 0.8  # how much two words have in common, of 1, where one of them is the other misspelt


def kind_of(value: Any) -> tuple[str, str]:
    """The apiVersion and the kind of a manifest."""
    return text(dig(value, "apiVersion")), text(dig(value, "kind"))


def group_of(api_version: str) -> str:
    """The group of an apiVersion; empty for Kubernetes' first one."""
    return api_version.rpartition("/")[0]


def is_of_a_program(api_version: str, kind: str) -> bool:
    """Whether no cluster ever keeps it, but a program reads it: kubectl, kubeadm, kind, or one such as Skaffold."""
    from difflib import get_close_matches

    group = group_of(api_version)
    other = "." not in group and group not in ("", "core") and not get_close_matches(group, _UNDOTTED, 1, _CLOSE)
    is_list = kind.endswith("List")  # objects of one kind, one after the other
    return bool(other or is_list or _OF_PROGRAMS.fullmatch(group)) or (api_version, kind) in _OF_KUBECTL


def is_of_a_machine(value: Any, version: str) -> bool:
    """Whether it is of a version that Kubernetes' first group never had, and of nobody's kind: a setting of Talos."""
    api_version, kind = kind_of(value)
    is_later = VERSION.fullmatch(api_version) is not None and api_version != "v1"
    return is_later and all(other != kind for _, other in schemas.known(version))


def order(version: str) -> tuple[int, str, int]:
    """What puts versions into their order: a beta comes before what stays, and is as old as its number says."""
    match = VERSION.fullmatch(version)
    major, stage, number = match.groups() if match else ("0", "", "0")
    return int(major), stage or "stable", int(number or 0)


def is_of_another_version(value: Any, version: str) -> bool:
    """Whether its group has such a kind, in whatever version."""
    (api_version, kind), known = kind_of(value), schemas.known(version)
    return any(other == kind and group_of(there) == group_of(api_version) for there, other in known)


def half_named(document: Document) -> Finding | None:
    """Of a manifest whose `kind` or `apiVersion` is misspelt itself."""
    missing = [name for name in ("apiVersion", "kind") if not dig(document.value, name)]
    for key in map(str, document.value if len(missing) == 1 else ()):
        if closest(key, missing) or (len(key) > 2 and missing[0].startswith(key)):
            what, slip = f"a manifest has no {key}; did you mean {missing[0]}?", Misspelt(key, missing[0])
            return replace(found_in(document, (key,), what, f"write {missing[0]}"), misspelt=slip)
    return None


def unknown(value: Any, version: str) -> tuple[Place, str, str] | None:
    """Where, what and what to do: a kind that has no schema, unless it may be one of a group that is not known here."""
    (api_version, kind), known = kind_of(value), schemas.known(version)
    if not api_version or not kind:
        lacks = " and ".join(name for name, there in (("apiVersion", api_version), ("kind", kind)) if not there)
        return (), f"it has no {lacks}", "write a Kubernetes manifest"
    if (api_version, kind) in {*known, *_OF_OTHER_RELEASES} or is_of_a_program(api_version, kind):
        return None
    if " - " in kind:
        return (
            ("kind",),
            "the list below kind is a part of it, because the line between them is gone",
            "restore that line",
        )
    from difflib import SequenceMatcher, get_close_matches  # only where there is something to say

    group = group_of(api_version)
    kinds = {other for there, other in known if group_of(there) == group}
    is_ours = group not in _SHARED_GROUPS and (bool(kinds) or "." not in group)
    near = {there for there, other in known if other == kind}
    if not is_ours:
        near = {there for there in near if SequenceMatcher(None, group_of(there), group).ratio() >= _CLOSE}
    # of the same group, and what stays before a beta
    newest = sorted(near, key=lambda there: order(there.rpartition("/")[2]), reverse=True)
    meant = [f"{there} {kind}" for there in sorted(newest, key=lambda there: group_of(there) != group)]
    spelt = {other.lower(): other for other in kinds}
    meant += [f"{api_version} {spelt[other]}" for other in get_close_matches(kind.lower(), spelt, 1, _CLOSE)]
    meant += filter(None, [_meant(api_version, kind, version)])
    if is_ours or meant:
        what = f"nothing knows a {kind} of {api_version}" + (f"; did you mean {meant[0]}?" if meant else "")
        fix = f"correct it, or declare it where the cluster knows it: {SUITE}, kinds"
        return ("apiVersion",), what, fix
    return None


def is_nearly_known(api_version: str, kind: str, version: str) -> bool:
    """Whether the group or the kind is nearly one that is known, or of a version that is gone: a rule above says so."""
    known = schemas.known(version) if version else frozenset()
    kinds = [other for there, other in known if there == api_version]
    groups = [there for there, other in known if other == kind]
    is_gone = bool(groups) and api_version not in groups and "." not in api_version.partition("/")[0]
    return is_gone or bool(closest(kind, kinds) or closest(api_version, groups) or _meant(api_version, kind, version))


def _meant(api_version: str, kind: str, version: str) -> str:
    """The apiVersion and kind of an operator, of whose kinds some are known, that misspelt ones were meant to be."""
    group, slash, name = api_version.rpartition("/")
    if meant := meant_group(version, group):
        return f"{meant}{slash}{name} {kind}" if kind in kinds_of(version, meant) else ""
    meant = meant_kind(version, group, kind)
    return f"{api_version} {meant}" if meant else ""
