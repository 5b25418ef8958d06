"""Argo CD: one Application follows git, Secrets come through KSOPS, then the chart. Most of it is in argocd.yml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from posixpath import normpath, relpath
from typing import Any

from litellm_gitops.charts import MADE
from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, Misspelt, restore
from litellm_gitops.languages.cel import seconds
from litellm_gitops.objects import Object, found_in, show
from litellm_gitops.repository import CHART_FILE, Repository
from litellm_gitops.rules import argocd_setup
from litellm_gitops.rules.admission import is_refused
from litellm_gitops.rules.boundaries import meant_group, meant_kind
from litellm_gitops.rules.forms import cadence
from litellm_gitops.rules.kubernetes import known_version
from litellm_gitops.rules.kustomizations import leads_somewhere
from litellm_gitops.rules.reach import beyond, beyond_in_values
from litellm_gitops.rules.releases import the_chart_has_an_address
from litellm_gitops.rules.table import Table, is_named, places
from litellm_gitops.spelling import closest

ARGOCD = Table("argocd")
REVISION = "litellm-gitops/commit"  # the annotation in which the commit reaches the release

_HERE = "https://kubernetes.default.svc"
_APPLICATIONS = ("litellm", "litellm-cluster")
_FUNCTION = ("metadata", "annotations", "config.kubernetes.io/function")
_GENERATOR = ("viaduct.ai/v1", "ksops")
# https://argo-cd.readthedocs.io/en/stable/operator-manual/rbac/
_ACTION = (
    r"(?:applications|applicationsets|repositories|clusters|exec|logs),"
    r"\s*(?:get|create|update|delete|sync|override|action|\*)(?:/[\w*./-]+)?"
)
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
            known = {f"${dig(entry, 'ref')}" for entry in sequence(found.get("spec", "sources"))}
            for at, value in places(found.document.value, ("spec", "sources", "*", "helm", "valueFiles", "*")):
                name = text(value).partition("/")[0]
                if name.startswith("$") and name not in known:
                    yield found.finding(at, f"no source has the ref {name[1:]}", "give one that ref, or correct it")


@ARGOCD.rule
def the_release_goes_to_the_commit_of_its_secrets(repository: Repository) -> Iterator[Finding]:
    for each in ARGOCD.clusters(repository):
        (document, _), secrets = each.listing(each.cluster.folder), each.cluster.secrets_folder
        if document is None:
            continue
        if each.lacks(secrets) and isinstance(document.value.get("resources"), list | None):
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
        if root.get(*place) and root.get(*place, "commonAnnotationsEnvsubst") is not True:
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
        listed = sequence(project.get("spec", "namespaceResourceWhitelist"))
        meant = [_meant(repository, entry) for entry in listed]

        def permits(group: str, kind: str, project: Object = project, meant: list[dict[str, str]] = meant) -> bool:
            # of what is missing, and of what is misspelt, rules below tell
            is_told = (group, kind) in MADE or not meant or is_named(meant, {"group": group, "kind": kind})
            return is_told or _permits(project, group, kind)

        yield from beyond(each, "Argo CD's project", permits, project, ARGOCD.identity(each, "release"))
        yield from beyond_in_values(each, "Argo CD's project", permits, project)


def _permits(project: Object, group: str, kind: str) -> bool:
    named, lists = {"group": group, "kind": kind}, ("namespaceResourceWhitelist", "namespaceResourceBlacklist")
    permitted, forbidden = (is_named(project.get("spec", field), named) for field in lists)
    return permitted and not forbidden


@ARGOCD.rule
def the_project_permits_its_applications(repository: Repository) -> Iterator[Finding]:
    """All kinds that the chart makes, the release itself, and that nothing keeps them away for ever."""
    for _, project in ARGOCD.each(repository, "project"):
        needed = [("argoproj.io", "Application"), *MADE]
        field = "namespaceResourceWhitelist"
        listed = sequence(project.get("spec", field))
        meant = [_meant(repository, entry) for entry in listed]
        missing = [
            kind
            for group, kind in needed
            if not _permits(project, group, kind) and not is_named(meant, {"group": group, "kind": kind})
        ]
        if missing and project.get("spec", field):  # without a list another rule tells
            what = f"spec does not permit {', '.join(missing)}, so that the release is not applied"
            yield project.finding(("spec", field), what, f"name it in {field}, and not in namespaceResourceBlacklist")
        for number, (entry, word) in enumerate(zip(listed, meant, strict=True)):
            if word:
                what = f"nothing is a {show(dig(entry, 'kind'))} of {show(dig(entry, 'group'))}"
                what, fix = (
                    f"{what}, so that the project permits none",
                    f"did you mean {word['kind']} of {word['group']}?",
                )
                yield project.finding(("spec", field, number), what, fix)
        yield from _of_windows(project)
        yield from _of_roles(project)


def _of_windows(project: Object) -> Iterator[Finding]:
    """What never lets a window end, and windows for nothing."""
    for number, window in enumerate(sequence(project.get("spec", "syncWindows"))):
        apart = cadence(text(dig(window, "schedule")))
        if dig(window, "kind") == "deny" and apart and seconds(dig(window, "duration")) >= apart:
            yield project.finding(
                ("spec", "syncWindows", number, "duration"),
                "the next window begins before this one ends",
                "make it shorter",
            )
        for at, entry in places(window, ("applications", "*")):
            if "*" not in text(entry) and (name := closest(text(entry), _APPLICATIONS)):
                what = f"there is no Application {entry}, so that the window is for nothing"
                yield project.finding(("spec", "syncWindows", number, *at), what, f"did you mean {name}?")


def _of_roles(project: Object) -> Iterator[Finding]:
    name = re.escape(text(project.get("metadata", "name")))
    for number, role in enumerate(sequence(project.get("spec", "roles"))):
        subject = rf"proj:{name}:{re.escape(text(dig(role, 'name')))}"
        for line, policy in enumerate(texts(dig(role, "policies"))):
            if not re.fullmatch(rf"p,\s*{subject},\s*{_ACTION},\s*{name}/[\w*./-]+,\s*(?:allow|deny)\s*", policy):
                place: Place = ("spec", "roles", number, "policies", line)
                what = "it is no policy of this project and this role, so Argo CD refuses the project"
                yield project.finding(place, what, "write p, proj:PROJECT:ROLE, applications, sync, PROJECT/*, allow")


@ARGOCD.rule
def every_application_belongs_to_the_project(repository: Repository) -> Iterator[Finding]:
    """Also one of the operator's own, in the namespace from which Argo CD takes no other."""
    for each in ARGOCD.clusters(repository):
        ours = {ARGOCD.identity(each, key) for key in ("release", "root")}
        project = ARGOCD.identity(each, "project").name
        for found in each.all("Application"):
            given, is_there = found.get("spec", "project"), found.identity.namespace == repository.namespace
            if given != project and found.identity not in ours and (is_there or closest(text(given), [project])):
                what = f"project {show(given)} takes no Application of this namespace"
                what = what if is_there else f"there is no project {show(given)}"
                yield found.finding(("spec", "project"), what, f"write {project}")
        for _, owner in ARGOCD.each(repository, "project"):
            for found in each.all("Application"):
                to = found.get("spec", "destination")
                wanted = {key: text(dig(to, key)) for key in ("server", "namespace") if dig(to, key)}
                is_ours = found.identity not in ours and found.get("spec", "project") == project and dig(to, "server")
                if is_ours and not is_named(owner.get("spec", "destinations"), wanted):
                    what = f"project {project} permits no such destination, so that nothing is synced"
                    yield found.finding(("spec", "destination"), what, "take a project of your own")


@ARGOCD.rule
def the_project_reaches_the_namespace_alone(repository: Repository) -> Iterator[Finding]:
    for _, project in ARGOCD.each(repository, "project"):
        for field, what, is_further in _FURTHER:
            entries = sequence(project.get("spec", field))
            only = len(entries) == 1 and field in ("destinations", "sourceNamespaces")  # of which the rule above tells
            for number, entry in enumerate(entries):
                if is_further(entry, repository.namespace) and not (
                    only and not _takes_in(entry, repository.namespace)
                ):
                    yield project.finding(("spec", field, number), f"spec.{field}: {what}", "take it out")
        if not project.get("spec", "namespaceResourceWhitelist"):
            what = "spec.namespaceResourceWhitelist is not set, so every kind is permitted"
            yield project.finding(("spec",), what, "name the kinds that are needed")


def _meant(repository: Repository, entry: Any) -> dict[str, str]:
    """What an entry was meant to be where its group, or else its kind, is misspelt; else nothing."""
    version, group, kind = known_version(repository), text(dig(entry, "group")), text(dig(entry, "kind"))
    if other := meant_group(version, group):
        return {"group": other, "kind": kind}
    other = meant_kind(version, group, kind)
    return {"group": group, "kind": other} if other else {}


def _is_elsewhere(entry: Any, namespace: str) -> bool:
    there = dig(entry, "server") not in (None, _HERE) or dig(entry, "name") not in (None, "in-cluster")
    return dig(entry, "namespace") != namespace or there


def _takes_in(entry: Any, namespace: str) -> bool:
    """Whether an entry of destinations or sourceNamespaces is for ours, too: what the release needs."""
    wanted = {"server": _HERE, "namespace": namespace} if isinstance(entry, dict) else namespace
    return is_named([entry], wanted)


def _gives_rights(entry: Any, _: str) -> bool:
    group, kind = text(dig(entry, "group")), text(dig(entry, "kind"))
    return "*" in group or group == "rbac.authorization.k8s.io" or (group, kind) in _RIGHTS


@ARGOCD.rule
def argo_cd_may_fetch_the_chart(repository: Repository) -> Iterator[Finding]:
    chart = repository.document(CHART_FILE)
    projects = [project for _, project in ARGOCD.each(repository, "project")]
    if [*the_chart_has_an_address(repository)]:
        return  # it is misspelt there
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
    for each, project in ARGOCD.each(repository, "project") if answered else ():
        yield from argocd_setup.unverified(repository, each)
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
    for found in (found for each in ARGOCD.clusters(repository) for found in each.all("Application")):
        for number, option in enumerate(texts(found.get(*_SYNC))):
            name, _, value = option.partition("=")
            begun = [each for each in _OPTIONS if name not in _OPTIONS and len(name) > _LONG and each.startswith(name)]
            near = closest(name.strip(), _OPTIONS) or (name.strip() if name != name.strip() else "")
            near = near or next(iter(get_close_matches(name, () if name in _OPTIONS else _OPTIONS, 1, 0.85)), "")
            if meant := near or next(iter(begun), ""):
                fix, slip = f"did you mean {meant}?", Misspelt(option, f"{meant}={value.strip()}")
                what = f"Argo CD knows no {option}, and passes over it"
                yield replace(found.finding((*_SYNC, number), what, fix), misspelt=slip)
            elif name in _OPTIONS and value not in _VALUES.get(name, ("true", "false")):
                values = _VALUES.get(name, ("true", "false"))
                meant = f"{name}={value.lower()}" if value.lower() in values else ""
                what, fix = f"{option} says nothing to Argo CD", f"write {name}= and one of {', '.join(values)}"
                told = found.finding((*_SYNC, number), what, fix)
                yield replace(told, misspelt=Misspelt(option, meant) if meant else None)


_LONG = 8  # letters, from which on the beginning of an option is that option cut short
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
def argo_cd_renders_every_source_as_it_is_meant(repository: Repository) -> Iterator[Finding]:
    """Also of an ApplicationSet of one's own: its template is in the language that goTemplate says."""
    for each in ARGOCD.clusters(repository):
        for found in each.all("ApplicationSet"):
            yield from argocd_setup.of_set(found)


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
        wanted = ARGOCD.identity(each, "server")
        deployments = each.all("Deployment")
        servers = [found for found in deployments if found.identity.name == wanted.name]
        for stray in deployments:
            if stray.identity.namespace == wanted.namespace and closest(stray.identity.name, [wanted.name]):
                what = f"Argo CD has no Deployment {stray.identity.name}, so that nothing decrypts"
                yield stray.finding(("metadata", "name"), what, f"write name: {wanted.name}")
        for server in servers:
            if server.identity == wanted:
                yield from argocd_setup.of_server(each, server)
            elif any(other.identity == wanted for other in servers):  # else another rule tells
                what = f"{wanted.name} is in namespace {show(server.get('metadata', 'namespace'))}"
                place = ("metadata", "namespace")
                yield server.finding(place, f"{what}, where Argo CD is not", f"write {wanted.namespace}")
        if settings := each.find(ARGOCD.identity(each, "settings")):
            yield from argocd_setup.of_settings(settings)
        if plugin := each.find(ARGOCD.identity(each, "plugin")):
            yield from argocd_setup.of_plugin(plugin)
