"""Argo CD: one Application follows git, Secrets come through KSOPS, then the chart at the same commit, and git wins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from posixpath import normpath
from typing import Any

from rules import Problem, rule
from rules.document import Document
from rules.engine import Cluster, Object, clusters, expect, in_order, named, texts
from rules.repository import Repository, dig, mapping, sequence, text

SYSTEM = "argocd"
SERVER = "https://kubernetes.default.svc"
ROOT, RELEASE = OURS = ("litellm-cluster", "litellm")
REVISION = "litellm-gitops/revision"  # the annotation in which the commit reaches the release

_NAMESPACE, _SECRET, _DEPLOYMENT = ("", "Namespace"), ("", "Secret"), ("apps", "Deployment")
_SKIP = "argocd.argoproj.io/skip-reconcile"
_WAVE = "argocd.argoproj.io/sync-wave"
_OPTIONS = "argocd.argoproj.io/sync-options"
_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_FUNCTION = "config.kubernetes.io/function"
_PLUGINS = ("--enable-alpha-plugins", "--enable-exec")
_TRIES = 10  # of a release, at most: the pauses between them grow to three minutes
_KEYS = "/sops-age"  # where the repo server finds the age key


def _project(repository: Repository) -> str:
    return str(repository.answers.get("project_name"))


def _applications(repository: Repository, *names: str) -> Iterator[tuple[Cluster, Object]]:
    """The Applications of these names, or all of ours."""
    return named(repository, "argocd", "Application", names or OURS)


def _has(found: Object, option: str) -> bool:
    """Whether the object bears a sync option."""
    return option in text(found.get("metadata", "annotations", _OPTIONS)).split(",")


# ---------------------------------------------------------------------------------------------------------------------


@rule
def every_cluster_has_its_argo_cd_objects(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "argocd"):
        expected = [
            ("Namespace", repository.namespace, ""),
            ("AppProject", _project(repository), SYSTEM),
        ]
        expected += [("Application", name, SYSTEM) for name in OURS]
        expected += [
            ("ConfigMap", "argocd-cm", SYSTEM),
            ("Deployment", "argocd-repo-server", SYSTEM),
        ]
        yield from expect(cluster, expected)


@rule
def argo_cd_follows_this_repository(repository: Repository) -> Iterator[Problem]:
    answers = (("repoURL", "repo_url"), ("targetRevision", "repo_branch"))
    for _, found in _applications(repository):
        for field, answer in answers:
            yield from found.must_be(
                ("spec", "source", field),
                repository.answers.get(answer),
                f"it is the answer {answer}",
            )


@rule
def every_application_belongs_to_the_project(repository: Repository) -> Iterator[Problem]:
    for _, found in _applications(repository):
        yield from found.must_be(("spec", "project"), _project(repository), "project.yaml defines that AppProject")


@rule
def the_project_permits_its_applications(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "argocd"):
        project = cluster.find("AppProject", _project(repository))
        if project is None:
            continue
        url = str(repository.answers.get("repo_url"))
        # each may be a pattern
        if not any(fnmatchcase(url, each) for each in texts(project.get("spec", "sourceRepos"))):
            yield project.problem(("spec", "sourceRepos"), f"sourceRepos does not name {url}", "add it")
        there = [
            (text(entry.get("server")), text(entry.get("namespace")))
            for entry in sequence(project.get("spec", "destinations"))
        ]
        for namespace in (repository.namespace, SYSTEM):
            if not any(fnmatchcase(SERVER, server) and fnmatchcase(namespace, pattern) for server, pattern in there):
                what = f"destinations do not name {SERVER} with namespace {namespace}"
                yield project.problem(("spec", "destinations"), what, "add them")
        for field, kind, wanted in (
            ("clusterResourceBlacklist", _NAMESPACE, False),
            ("namespaceResourceBlacklist", _SECRET, False),
            ("namespaceResourceBlacklist", _DEPLOYMENT, False),
            ("namespaceResourceWhitelist", _SECRET, True),
            ("namespaceResourceWhitelist", _DEPLOYMENT, True),
        ):
            listed = sequence(project.get("spec", field))
            if listed and _lists(listed, *kind) is not wanted:
                what = f"{field} keeps each {kind[1]} from the cluster"
                yield project.problem(("spec", field), what, "correct the list, or take it out")
        kinds = sequence(project.get("spec", "clusterResourceWhitelist"))
        if not _lists(kinds, *_NAMESPACE):
            what = "clusterResourceWhitelist does not permit the Namespace"
            yield project.problem(("spec", "clusterResourceWhitelist"), what, 'add {group: "", kind: Namespace}')


def _lists(entries: list[Any], group: str, kind: str) -> bool:
    """Whether a list of kinds, which may be patterns, holds one."""
    return any(fnmatchcase(group, entry["group"]) and fnmatchcase(kind, entry["kind"]) for entry in entries)


@rule
def every_argo_cd_path_leads_to_its_folder(repository: Repository) -> Iterator[Problem]:
    place = ("spec", "source", "path")
    for cluster in clusters(repository, "argocd"):
        ours = {ROOT: cluster.folder, RELEASE: "litellm"}
        for found in cluster.all("Application"):
            path, wanted = text(found.get(*place)), ours.get(found.name)
            if wanted and normpath(path or ".") != wanted:
                what = f"spec.source.path is {path or 'not set'}"
                yield found.problem(place, what, f"write path: {wanted}")
            # an operator's own, out of this repository
            from_here = found.get("spec", "source", "repoURL") == repository.answers.get("repo_url")
            if not wanted and from_here and path and not repository.under(normpath(path)):
                what = f"spec.source.path is {path}, which does not exist"
                yield found.problem(place, what, "name a folder of this repository")


@rule
def argo_cd_renders_every_source_as_it_is_meant(repository: Repository) -> Iterator[Problem]:
    for _, found in _applications(repository):
        source = ("spec", "source")
        if found.get("spec", "sources"):
            yield found.problem(("spec", "sources"), "sources win over source", "take them out")
        for field in ("chart", "directory", "plugin"):
            if field in mapping(found.get(*source)):
                what = f"{field} makes Argo CD render the folder in another way"
                yield found.problem((*source, field), what, "take it out")
        for field in ("namePrefix", "nameSuffix", "namespace"):
            if found.get(*source, "kustomize", field):
                what = f"{field} gives everything a name by which nothing finds it"
                yield found.problem((*source, "kustomize", field), what, "take it out")
        if found.get(*source, "helm", "namespace") not in (None, repository.namespace):
            what = "the release would be rendered for a namespace in which its Secrets are not"
            yield found.problem((*source, "helm", "namespace"), what, "take it out")


@rule
def the_release_goes_to_the_commit_of_its_secrets(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "argocd"):
        listing = cluster.lists(cluster.folder)
        secrets = f"secrets/{cluster.environment}"
        if listing:
            file = listing.document.file
            if secrets not in listing.entries:
                what = f"the Secrets in {secrets} are not among the resources"
                yield Problem(file, listing.document.line("resources"), what, f"list ../../{secrets}")
            if not any(_sends(entry) for entry in sequence(dig(listing.document.value, "replacements"))):
                what = f"no replacement copies {REVISION} to targetRevision of the release, so it follows git by itself"
                todo = "take it from git history, or run `copier recopy --trust`"
                yield Problem(file, listing.document.line("replacements"), what, todo)
        root, release = cluster.find("Application", ROOT), cluster.find("Application", RELEASE)
        if root:
            kustomize = ("spec", "source", "kustomize")
            yield from root.must_be(
                (*kustomize, "commonAnnotations", REVISION),
                "$ARGOCD_APP_REVISION",
                "it is how the release learns its commit",
            )
            yield from root.must_be(
                (*kustomize, "commonAnnotationsEnvsubst"),
                True,
                "otherwise the name of the variable is written, not the commit",
            )
        if release and release.get("metadata", "annotations", REVISION) is None:
            what = f"the annotation {REVISION} is missing, without which kustomize cannot build the folder"
            yield release.problem(("metadata", "annotations"), what, "write the branch there")
        # with waves, an Argo CD that checks the health of Applications holds every commit until the release is healthy
        for found in cluster.objects:
            if found.get("metadata", "annotations", _WAVE) is not None and found.name in OURS:
                what = "a sync wave makes newer commits wait for the health of the release"
                yield found.problem(("metadata", "annotations", _WAVE), what, "take it out")


def _sends(entry: Any) -> bool:
    """Whether a replacement of kustomize copies the revision to the release."""
    release = {"kind": "Application", "name": RELEASE}
    source = mapping(dig(entry, "source"))
    return source.items() >= {
        **release,
        "fieldPath": f"metadata.annotations.{REVISION}",
    }.items() and any(
        mapping(dig(target, "select")).items() >= release.items()
        and "spec.source.targetRevision" in texts(dig(target, "fieldPaths"))
        for target in sequence(dig(entry, "targets"))
    )


@rule
def the_argo_cd_release_takes_its_values(repository: Repository) -> Iterator[Problem]:
    for cluster, found in _applications(repository, RELEASE):
        helm = ("spec", "source", "helm")
        expected = [
            "values.yaml",
            f"values-{cluster.environment}.yaml",
            f"checksums-{cluster.environment}.yaml",
        ]
        if not in_order(texts(found.get(*helm, "valueFiles")), expected):
            what = "valueFiles are not the three of this environment, from the chart's folder, the later one winning"
            yield found.problem((*helm, "valueFiles"), what, "list " + ", ".join(expected))
        if found.get(*helm, "ignoreMissingValueFiles"):
            what = "ignoreMissingValueFiles would deploy the chart's defaults when a file is renamed"
            yield found.problem((*helm, "ignoreMissingValueFiles"), what, "take it out")
        for field in ("values", "valuesObject", "parameters", "fileParameters"):
            if found.get(*helm, field):
                what = f"{field} would win over litellm/values-{cluster.environment}.yaml, which the suite checks"
                yield found.problem((*helm, field), what, "set it there")


@rule
def the_argo_cd_release_lands_beside_its_secrets(repository: Repository) -> Iterator[Problem]:
    namespaces = {ROOT: SYSTEM, RELEASE: repository.namespace}
    for _, found in _applications(repository, *namespaces):
        why = f"it belongs into namespace {namespaces[found.name]} of the cluster that Argo CD runs in"
        yield from found.must_be(("spec", "destination", "server"), SERVER, why)
        yield from found.must_be(("spec", "destination", "namespace"), namespaces[found.name], why)
        if found.name == RELEASE:
            why = "README.md looks for that release"
            yield from found.must_be(("spec", "source", "helm", "releaseName"), RELEASE, why)


@rule
def a_failed_sync_is_tried_again(repository: Repository) -> Iterator[Problem]:
    retry = ("spec", "syncPolicy", "retry")
    for _, found in _applications(repository, ROOT):
        yield from found.must_be((*retry, "limit"), -1, "with less, a failed sync ends up waiting for a person")
        yield from found.must_be(
            (*retry, "refresh"),
            True,
            "otherwise the failed commit is tried, never the one that mends it",
        )
    for _, found in _applications(repository, RELEASE):
        limit = found.get(*retry, "limit")
        if not isinstance(limit, int) or not 1 <= limit <= _TRIES:
            what = f"retry.limit is {'not set' if limit is None else limit}: a release is tried again, but not for ever"
            todo = f"write 1 to {_TRIES}; while a commit is tried, no newer one is taken"
            yield found.problem((*retry, "limit"), what, todo)


@rule
def argo_cd_lets_git_win(repository: Repository) -> Iterator[Problem]:
    for _, found in _applications(repository):
        automated = ("spec", "syncPolicy", "automated")
        yield from found.must_be((*automated, "prune"), True, "what leaves git would stay in the cluster")
        yield from found.must_be((*automated, "selfHeal"), True, "a change by hand would stay in the cluster")
        if found.get(*automated, "enabled") is False:
            yield found.problem((*automated, "enabled"), "it is not synced automatically", "take enabled out")
        if found.get(*automated, "allowEmpty"):
            what = "a folder that renders nothing would take everything away"
            yield found.problem((*automated, "allowEmpty"), what, "take it out")
        if found.get("metadata", "annotations", _SKIP) == "true":
            what = "it is left as it is in the cluster, whatever git says"
            yield found.problem(("metadata", "annotations", _SKIP), what, "take it out")
        for number, entry in enumerate(sequence(found.get("spec", "ignoreDifferences"))):
            pointers = {pointer.rstrip("/") for pointer in texts(entry.get("jsonPointers"))}
            if {"", "/data", "/stringData", "/spec"} & pointers:
                what = "a change of it in git would not be seen"
                todo = "name the one field that may differ"
                yield found.problem(("spec", "ignoreDifferences", number), what, todo)


@rule
def argo_cd_keeps_no_copy_of_a_secret(repository: Repository) -> Iterator[Problem]:
    for _, found in _applications(repository, ROOT):
        options = ("spec", "syncPolicy", "syncOptions")
        if "ServerSideApply=true" not in texts(found.get(*options)):
            what = "without ServerSideApply=true the plaintext also stands in an annotation of each Secret"
            yield found.problem(options, what, "add ServerSideApply=true")


@rule
def argo_cd_removes_in_order(repository: Repository) -> Iterator[Problem]:
    for _, found in _applications(repository):
        if _FINALIZER not in texts(found.get("metadata", "finalizers")):
            what = f"without the finalizer {_FINALIZER} its deletion leaves its objects behind"
            yield found.problem(("metadata",), what, "add it to metadata.finalizers")
    for cluster in clusters(repository, "argocd"):
        project = cluster.find("AppProject", _project(repository))
        namespace = cluster.find("Namespace", repository.namespace)
        kept = [(namespace, "Prune=false"), (project, "Prune=false"), (project, "Delete=false")]
        for each, option in kept:
            if each and not _has(each, option):
                what = f"without the sync option {option} it can go before what needs it"
                todo = f"add {option} to {_OPTIONS}"
                yield each.problem(("metadata", "annotations"), what, todo)
        listing = cluster.lists(cluster.folder)
        if listing and f"{cluster.folder}/root.yaml" in listing.entries:
            what = "root.yaml is listed: an Application that manages itself can never be deleted"
            yield Problem(listing.document.file, listing.document.line("resources"), what, "take it out")


# ---------------------------------------------------------------------------------------------------------------------


@rule
def every_secret_goes_through_ksops(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "argocd"):
        folder = f"secrets/{cluster.environment}"
        kustomization = repository.document(f"{folder}/kustomization.yaml")
        resources = texts(dig(kustomization and kustomization.value, "resources"))
        for number, entry in enumerate(resources):
            if kustomization and entry.endswith(".sops.yaml"):
                what = f"{entry} is applied as it is, encrypted"
                line = kustomization.line("resources", number)
                yield Problem(kustomization.file, line, what, "leave it to generators: [ksops.yaml]")
        ksops = repository.document(f"{folder}/ksops.yaml")
        listed = texts(dig(ksops and ksops.value, "files"))
        for number, entry in enumerate(listed):
            if ksops and (entry in listed[:number] or entry.startswith("../")):
                flaw = "belongs to another environment" if entry.startswith("../") else "is there twice"
                line = ksops.line("files", number)
                yield Problem(ksops.file, line, f"{entry} {flaw}", "take the line away")
        if ksops and not re.search(
            r"exec:\s+path: ksops\s*\Z",
            text(dig(ksops.value, "metadata", "annotations", _FUNCTION)),
        ):
            what = f"annotation {_FUNCTION} does not name the program ksops"
            yield Problem(
                ksops.file,
                ksops.line("metadata", "annotations", _FUNCTION),
                what,
                "write exec: {path: ksops}",
            )


@rule
def argo_cd_runs_ksops(repository: Repository) -> Iterator[Problem]:
    for cluster in clusters(repository, "argocd"):
        settings = cluster.find("ConfigMap", "argocd-cm")
        if settings:
            options = text(settings.get("data", "kustomize.buildOptions")).split()
            for option in _PLUGINS:
                if option not in options:
                    what = f"kustomize.buildOptions lacks {option}, without which KSOPS is not run"
                    yield settings.problem(("data", "kustomize.buildOptions"), what, "add it")
        server = cluster.find("Deployment", "argocd-repo-server")
        if server:
            for what, todo in _repo_server(cluster, server.document):
                yield server.problem(("spec", "template", "spec"), what, todo)


def _repo_server(cluster: Cluster, document: Document) -> Iterator[tuple[str, str]]:
    """What keeps the repo server from decrypting: (what, what to do)."""
    pod = mapping(dig(document.value, "spec", "template", "spec"))
    containers = {text(mapping(each).get("name")): mapping(each) for each in sequence(pod.get("containers"))}
    server = containers.get("argocd-repo-server", {})
    variables = {text(entry.get("name")): entry.get("value") for entry in _mappings(server.get("env"))}
    key = f"{_KEYS}/{cluster.environment}.agekey"
    kms = cluster.repository.answers.get(f"{cluster.environment}_kms_key")
    if not kms and variables.get("SOPS_AGE_KEY_FILE") != key:
        yield "SOPS_AGE_KEY_FILE is not the age key of this environment", f"write {key}"
    mounts = {text(entry.get("mountPath")): entry for entry in _mappings(server.get("volumeMounts"))}
    volumes = {text(entry.get("name")): entry for entry in _mappings(pod.get("volumes"))}
    secret = dig(volumes.get(text(dig(mounts.get(_KEYS), "name"))), "secret", "secretName")
    if not kms and secret != "sops-age":
        yield (
            f"Secret sops-age is not mounted at {_KEYS}",
            "mount it, as README.md, Bootstrap, makes it",
        )
    program = mounts.get("/usr/local/bin/ksops", {})
    installed = [
        mount
        for container in _mappings(pod.get("initContainers"))
        if texts(container.get("command"))[:2] == ["/usr/local/bin/ksops", "install"]
        for mount in _mappings(container.get("volumeMounts"))
        if mount.get("name") == program.get("name") and mount.get("mountPath") == texts(container["command"])[-1]
    ]
    if program.get("subPath") != "ksops" or not installed or text(program.get("name")) not in volumes:
        todo = "install it with an init container into a volume, and mount ksops of that volume"
        yield "no ksops is at /usr/local/bin/ksops", todo
    for container in _mappings(pod.get("initContainers")):
        image = text(container.get("image"))
        if not re.search(r":[^:/@]*\d[^:/@]*\Z|@sha256:", image):
            yield f"the image {image or 'of an init container'} has no version", "name one"


def _mappings(value: Any) -> list[dict[Any, Any]]:
    return [item for item in sequence(value) if isinstance(item, dict)]
