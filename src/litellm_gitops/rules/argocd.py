"""Argo CD: one Application follows git, Secrets come through KSOPS, then the chart. Most of it is in argocd.yml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from posixpath import basename, normpath, relpath
from typing import Any

from litellm_gitops.cel import seconds
from litellm_gitops.charts import MADE
from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, restore
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import CHART_FILE, Repository
from litellm_gitops.rules.admission import cadence, is_refused
from litellm_gitops.rules.boundaries import meant_group, meant_kind
from litellm_gitops.rules.engine import Object, Synced, beyond, found_in, leads_somewhere, show
from litellm_gitops.rules.table import Table, is_named

ARGOCD = Table("argocd")
REVISION = "litellm-gitops/commit"  # the annotation in which the commit reaches the release

_HERE = "https://kubernetes.default.svc"
_FUNCTION = ("metadata", "annotations", "config.kubernetes.io/function")
_GENERATOR = ("viaduct.ai/v1", "ksops")
_KEYS = "/sops-age"  # where the repo server finds the age key
_SERVER, _PLUGIN = "argocd-repo-server", "litellm-ksops"
# https://argo-cd.readthedocs.io/en/stable/operator-manual/config-management-plugins/
_OF_A_PLUGIN = {
    "/var/run/argocd": "var-files",
    "/home/argocd/cmp-server/plugins": "plugins",
    "/home/argocd/cmp-server/config": _PLUGIN,
}
_LISTENS = "/var/run/argocd/argocd-cmp-server"
_KSOPS = "/usr/local/bin/ksops"
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
# https://argo-cd.readthedocs.io/en/stable/operator-manual/rbac/
_ACTION = r"(?:applications|applicationsets|repositories|clusters|exec|logs),\s*[\w*./-]+"
_RIGHTS = {("argoproj.io", kind) for kind in ("*", "AppProject", "ApplicationSet")}


@ARGOCD.rule
def every_argo_cd_path_leads_to_its_folder(repository: Repository) -> Iterator[Finding]:
    """Also of an operator's own objects, where they come from this repository."""
    place = ("spec", "source", "path")
    for each in ARGOCD.clusters(repository):
        ours = {ARGOCD.identity(each, key) for key in ("root", "release")}
        for found in each.all("Application"):
            path, url = normpath(text(found.get(*place))), found.get("spec", "source", "repoURL")
            is_from_here = url == repository.answers.get("repo_url") and found.identity not in ours
            if is_from_here and not leads_somewhere(repository, path):
                yield found.finding(place, f"there is no {path}", "name a folder of this repository")


@ARGOCD.rule
def the_release_goes_to_the_commit_of_its_secrets(repository: Repository) -> Iterator[Finding]:
    for each in ARGOCD.clusters(repository):
        (document, listed), secrets = each.listing(each.cluster.folder), each.cluster.secrets_folder
        if document is None:
            continue
        if secrets not in listed and isinstance(document.value.get("resources"), list | None):
            what = f"the Secrets in {secrets} are not among the resources"
            yield found_in(document, ("resources",), what, f"list {relpath(secrets, each.cluster.folder)}")
        release = {"kind": "Application", "name": ARGOCD.identity(each, "release").name}
        if not any(_sends(entry, release) for entry in sequence(document.value.get("replacements"))):
            what = f"no replacement copies {REVISION} to targetRevision of the release, so it follows git by itself"
            yield found_in(document, ("replacements",), what, restore())
    for _, root in ARGOCD.each(repository, "root"):
        place = ("spec", "source", "kustomize")
        if root.get("spec", "source", "plugin"):  # it knows the commit itself
            continue
        if root.get(*place, "commonAnnotations", REVISION) != "$ARGOCD_APP_REVISION":
            what = f"annotation {REVISION} does not bring the commit, from which the release learns it"
            yield root.finding((*place, "commonAnnotations"), what, f"write {REVISION}: $ARGOCD_APP_REVISION")
        if root.get(*place, "commonAnnotationsEnvsubst") is not True:
            what = "the name of the variable would be written, not the commit"
            yield root.finding((*place, "commonAnnotationsEnvsubst"), what, "write true")


def _sends(entry: Any, release: dict[str, str]) -> bool:
    """Whether a replacement of kustomize copies the revision to the release."""
    source = {**release, "fieldPath": f"metadata.annotations.{REVISION}"}
    return mapping(dig(entry, "source")).items() >= source.items() and any(
        mapping(dig(target, "select")).items() >= release.items()
        and "spec.source.targetRevision" in texts(dig(target, "fieldPaths"))
        for target in sequence(dig(entry, "targets"))
    )


@ARGOCD.rule
def argo_cd_reaches_the_namespace_alone(repository: Repository) -> Iterator[Finding]:
    for each, project in ARGOCD.each(repository, "project"):

        def permits(group: str, kind: str, project: Object = project) -> bool:
            return (group, kind) in MADE or _permits(project, group, kind)  # of these the rule below tells

        yield from beyond(each, "Argo CD's project", permits, project, ARGOCD.identity(each, "release"))


def _permits(project: Object, group: str, kind: str) -> bool:
    named, lists = {"group": group, "kind": kind}, ("namespaceResourceWhitelist", "namespaceResourceBlacklist")
    permitted, forbidden = (is_named(project.get("spec", field), named) for field in lists)
    return permitted and not forbidden


@ARGOCD.rule
def the_project_permits_its_applications(repository: Repository) -> Iterator[Finding]:
    """All kinds that the chart makes, the release itself, and that nothing keeps them away for ever."""
    for _, project in ARGOCD.each(repository, "project"):
        needed = [("argoproj.io", "Application"), *MADE]
        missing = [kind for group, kind in needed if not _permits(project, group, kind)]
        field = "namespaceResourceWhitelist"
        if missing and project.get("spec", field):  # without a list another rule tells
            what = f"spec does not permit {', '.join(missing)}, so that the release is not applied"
            yield project.finding(("spec", field), what, f"name it in {field}, and not in namespaceResourceBlacklist")
        for number, entry in enumerate(sequence(project.get("spec", field))):
            group, kind = text(dig(entry, "group")), text(dig(entry, "kind"))
            if meant := meant_group(group) or meant_kind(kind, group):
                what = f"Kubernetes knows no {kind} of {group}, so that the project permits none"
                yield project.finding(("spec", field, number), what, f"did you mean {meant}?")
        for number, window in enumerate(sequence(project.get("spec", "syncWindows"))):
            apart = cadence(text(dig(window, "schedule")))
            if dig(window, "kind") == "deny" and apart and seconds(dig(window, "duration")) >= apart:
                yield project.finding(
                    ("spec", "syncWindows", number, "duration"),
                    "the next window begins before this one ends",
                    "make it shorter",
                )
        name = re.escape(text(project.get("metadata", "name")))
        for number, role in enumerate(sequence(project.get("spec", "roles"))):
            subject = rf"proj:{name}:{re.escape(text(dig(role, 'name')))}"
            for line, policy in enumerate(texts(dig(role, "policies"))):
                if not re.fullmatch(rf"p,\s*{subject},\s*{_ACTION},\s*{name}/[\w*./-]+,\s*(?:allow|deny)\s*", policy):
                    place: Place = ("spec", "roles", number, "policies", line)
                    what = "it is no policy of this project and this role, so Argo CD refuses the project"
                    yield project.finding(
                        place, what, "write p, proj:PROJECT:ROLE, applications, sync, PROJECT/*, allow"
                    )


@ARGOCD.rule
def every_application_belongs_to_the_project(repository: Repository) -> Iterator[Finding]:
    """Also one of the operator's own, in the namespace from which Argo CD takes no other."""
    for each in ARGOCD.clusters(repository):
        ours, project = ARGOCD.identity(each, "release"), ARGOCD.identity(each, "project").name
        for found in each.all("Application"):
            is_foreign = found.get("spec", "project") != project and found.identity.namespace == repository.namespace
            if is_foreign and found.identity != ours:
                what = f"project {show(found.get('spec', 'project'))} takes no Application of this namespace"
                yield found.finding(("spec", "project"), what, f"write {project}")


@ARGOCD.rule
def the_project_reaches_the_namespace_alone(repository: Repository) -> Iterator[Finding]:
    for _, project in ARGOCD.each(repository, "project"):
        for field, what, is_further in _FURTHER:
            for number, entry in enumerate(sequence(project.get("spec", field))):
                if is_further(entry, repository.namespace):
                    yield project.finding(("spec", field, number), f"spec.{field}: {what}", "take it out")
        if not project.get("spec", "namespaceResourceWhitelist"):
            what = "spec.namespaceResourceWhitelist is not set, so every kind is permitted"
            yield project.finding(("spec",), what, "name the kinds that are needed")


def _is_elsewhere(entry: Any, namespace: str) -> bool:
    there = dig(entry, "server") not in (None, _HERE) or dig(entry, "name") not in (None, "in-cluster")
    return dig(entry, "namespace") != namespace or there


def _gives_rights(entry: Any, _: str) -> bool:
    group, kind = text(dig(entry, "group")), text(dig(entry, "kind"))
    return "*" in group or group == "rbac.authorization.k8s.io" or (group, kind) in _RIGHTS


@ARGOCD.rule
def argo_cd_may_fetch_the_chart(repository: Repository) -> Iterator[Finding]:
    chart = repository.document(CHART_FILE)
    projects = [project for _, project in ARGOCD.each(repository, "project")]
    for number, entry in enumerate(sequence(chart and chart.value.get("dependencies"))):
        address = text(dig(entry, "repository"))
        named = address.removeprefix("oci://")
        lacking = [each for each in projects if not is_named(each.get("spec", "sourceRepos"), named)]
        if not address.startswith(("oci://", "https://")) or not lacking:
            continue  # of no address another rule tells
        if chart and len(lacking) == len(projects) > 1:  # then it is the chart that moved
            what = f"no project permits {named}, so that nothing is rendered"
            fix = "name it in sourceRepos of clusters/*/project.yaml, or take the former registry"
            yield found_in(chart, ("dependencies", number, "repository"), what, fix)
            continue
        for project in lacking:
            what = f"spec.sourceRepos lacks {named}, from which the chart comes, so that nothing is rendered"
            yield project.finding(("spec", "sourceRepos"), what, f"add {named}")


@ARGOCD.rule
def argo_cd_takes_signed_commits_alone(repository: Repository) -> Iterator[Finding]:
    """Of the answered keys. Argo CD compares capital letters, and reads `sourceIntegrity` instead where it is set."""
    answered = [str(signer) for signer in sequence(repository.answers.get("commit_signers"))]
    for _, project in ARGOCD.each(repository, "project") if answered else ():
        given = [text(dig(entry, "keyID")) for entry in sequence(project.get("spec", "signatureKeys"))]
        if project.get("spec", "sourceIntegrity") or {*map(_key_id, given)} == {*map(_key_id, answered)}:
            continue
        if is_refused(repository, project):
            continue  # of which another rule tells
        what = "is missing, so every commit is taken" if not given else "has other keys"
        what = f"spec.signatureKeys {what}: the answer commit_signers says who may have signed one"
        fix = f"list {', '.join(answered)}, or change the answer: README.md, Signed commits"
        yield project.finding(("spec", "signatureKeys"), what, fix)


def _key_id(key: str) -> str:
    """What Argo CD compares of a fingerprint or an id; of anything else it takes nothing."""
    return key[-16:] if len(key) in (16, 40) else key


@ARGOCD.rule
def argo_cd_knows_every_option(repository: Repository) -> Iterator[Finding]:
    for _, found in ARGOCD.each(repository, "root", "release"):
        for number, option in enumerate(texts(found.get(*_SYNC))):
            name, _, value = option.partition("=")
            if meant := closest(name, _OPTIONS):
                fix = f"did you mean {meant}?"
                yield found.finding((*_SYNC, number), f"Argo CD knows no {option}, and passes over it", fix)
            elif name in _OPTIONS and value not in _VALUES.get(name, ("true", "false")):
                listed = ", ".join(_VALUES.get(name, ("true", "false")))
                yield found.finding(
                    (*_SYNC, number), f"{option} says nothing to Argo CD", f"write {name}= and one of {listed}"
                )


_SYNC: Place = ("spec", "syncPolicy", "syncOptions")
# https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
_OPTIONS = (
    *("ApplyOutOfSyncOnly", "ClientSideApplyMigration", "CreateNamespace", "Delete", "DisableClientSideApplyMigration"),
    *("FailOnSharedResource", "Force", "Prune", "PruneLast", "PrunePropagationPolicy", "Replace"),
    *("RespectIgnoreDifferences", "ServerSideApply", "SkipDryRunOnMissingResource", "Validate"),
)
_VALUES = {  # of those that are not true or false alone
    "Delete": ("false", "confirm"),
    "Prune": ("true", "false", "confirm"),
    "PrunePropagationPolicy": ("foreground", "background", "orphan"),
}
# field -> (what an entry would permit, whether it does)
_FURTHER: tuple[tuple[str, str, Callable[[Any, str], bool]], ...] = (
    ("destinations", "whoever can push would reach more than the namespace", _is_elsewhere),
    ("sourceNamespaces", "Applications would come from elsewhere", lambda entry, namespace: entry != namespace),
    ("clusterResourceWhitelist", "whoever can push would reach the whole cluster", lambda entry, _: True),
    ("namespaceResourceWhitelist", "whoever can push could give himself more rights", _gives_rights),
)


@ARGOCD.rule
def every_secret_goes_through_ksops(repository: Repository) -> Iterator[Finding]:
    for each in ARGOCD.clusters(repository):
        folder = each.cluster.secrets_folder
        if kustomization := repository.document(f"{folder}/kustomization.yaml"):
            for number, entry in enumerate(texts(kustomization.value.get("resources"))):
                if entry.endswith(".sops.yaml"):
                    what = f"{entry} is applied as it is, encrypted"
                    yield found_in(kustomization, ("resources", number), what, "leave it to generators: [ksops.yaml]")
        if ksops := repository.document(f"{folder}/ksops.yaml"):
            yield from _ksops(ksops)


def _ksops(ksops: Document) -> Iterator[Finding]:
    listed = texts(ksops.value.get("files"))
    for number, entry in enumerate(listed):
        if entry in listed[:number] or entry.startswith("../"):
            flaw = "belongs to another cluster" if entry.startswith("../") else "is there twice"
            yield found_in(ksops, ("files", number), f"{entry} {flaw}", "take the line away")
    if (ksops.value.get("apiVersion"), ksops.value.get("kind")) != _GENERATOR:
        what = f"it is no {_GENERATOR[1]} of {_GENERATOR[0]}, by which name Argo CD's Kustomize gives it to KSOPS"
        yield found_in(ksops, ("apiVersion",), what, f"write apiVersion: {_GENERATOR[0]} and kind: {_GENERATOR[1]}")
    if not re.search(r"exec:\s+path: ksops\s*\Z", text(dig(ksops.value, *_FUNCTION))):
        what = f"annotation {_FUNCTION[-1]} does not name the program ksops"
        yield found_in(ksops, _FUNCTION, what, "write exec: {path: ksops}")


@ARGOCD.rule
def argo_cd_runs_ksops(repository: Repository) -> Iterator[Finding]:
    for each in ARGOCD.clusters(repository):
        servers = [found for found in each.all("Deployment") if found.identity == ARGOCD.identity(each, "server")]
        for server in servers:
            for what, fix in _repo_server(each, mapping(server.get("spec", "template", "spec"))):
                yield server.finding(("spec", "template", "spec"), what, fix)


def _repo_server(each: Synced, pod: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """What keeps the repo server from decrypting: (what, what to do)."""
    there = _by(pod, "containers")
    server = there.get(_SERVER) or there.get(_PLUGIN, {})
    if not server:
        yield f"no container is called {_SERVER}: one more would be added", f"write name: {_SERVER}"
        return
    mounts, volumes = _by(server, "volumeMounts", "mountPath"), _by(pod, "volumes")
    for path, volume in _OF_A_PLUGIN.items() if _SERVER not in there else ():
        if dig(mounts, path, "name") != volume:
            yield f"volume {volume} is not mounted at {path}", "mount it, as Argo CD's reference of plugins has it"
    if _SERVER not in there and texts(server.get("command")) != [_LISTENS]:
        yield f"its command is not {_LISTENS}", f"write command: [{_LISTENS}]"
    key = f"{_KEYS}/{basename(each.cluster.key_file)}"
    if not each.cluster.kms:
        if dig(_by(server, "env"), "SOPS_AGE_KEY_FILE", "value") != key:
            yield "SOPS_AGE_KEY_FILE is not the age key of this cluster", f"write {key}"
        if dig(volumes, text(dig(mounts, _KEYS, "name")), "secret", "secretName") != "sops-age":
            yield f"Secret sops-age is not mounted at {_KEYS}", "mount it, as README.md, Bootstrap, makes it"
    containers = _by(pod, "initContainers").values()
    program = mounts.get(_KSOPS, {})
    installed = any(
        texts(container.get("command"))[:2] == [_KSOPS, "install"]
        and dig(_by(container, "volumeMounts", "mountPath"), texts(container["command"])[-1], "name")
        == program.get("name")
        for container in containers
    )
    if program.get("subPath") != "ksops" or not installed or text(program.get("name")) not in volumes:
        fix = "install it with an init container into a volume, and mount ksops of that volume"
        yield f"no ksops is at {_KSOPS}", fix
    for container in containers:
        image = text(container.get("image"))
        if not _DIGEST.search(image):
            what = f"the image {image or 'of an init container'} is not named by its digest"
            yield what, "write @sha256:… behind it: it runs beside the key"


def _by(value: Any, field: str, key: str = "name") -> dict[str, dict[Any, Any]]:
    """The mappings in a list of Kubernetes, by their name."""
    return {text(entry.get(key)): entry for entry in sequence(dig(value, field)) if isinstance(entry, dict)}
