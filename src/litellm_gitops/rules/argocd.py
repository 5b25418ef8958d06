"""Argo CD: one Application follows git, Secrets come through KSOPS, then the chart. Most of it is in argocd.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, normpath, relpath
from typing import Any

from litellm_gitops.documents import Document, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, restore
from litellm_gitops.repository import Repository
from litellm_gitops.rules.engine import Synced, found_in, leads_somewhere
from litellm_gitops.rules.table import Table

ARGOCD = Table("argocd")
REVISION = "litellm-gitops/revision"  # the annotation in which the commit reaches the release

_FUNCTION = ("metadata", "annotations", "config.kubernetes.io/function")
_KEYS = "/sops-age"  # where the repo server finds the age key
_KSOPS = "/usr/local/bin/ksops"
_VERSIONED = re.compile(r":[^:/@]*\d[^:/@]*\Z|@sha256:")


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
        if secrets not in listed:
            what = f"the Secrets in {secrets} are not among the resources"
            yield found_in(document, ("resources",), what, f"list {relpath(secrets, each.cluster.folder)}")
        release = {"kind": "Application", "name": ARGOCD.identity(each, "release").name}
        if not any(_sends(entry, release) for entry in sequence(document.value.get("replacements"))):
            what = f"no replacement copies {REVISION} to targetRevision of the release, so it follows git by itself"
            yield found_in(document, ("replacements",), what, restore())


def _sends(entry: Any, release: dict[str, str]) -> bool:
    """Whether a replacement of kustomize copies the revision to the release."""
    source = {**release, "fieldPath": f"metadata.annotations.{REVISION}"}
    return mapping(dig(entry, "source")).items() >= source.items() and any(
        mapping(dig(target, "select")).items() >= release.items()
        and "spec.source.targetRevision" in texts(dig(target, "fieldPaths"))
        for target in sequence(dig(entry, "targets"))
    )


@ARGOCD.rule
def argo_cd_removes_in_order(repository: Repository) -> Iterator[Finding]:
    for each in ARGOCD.clusters(repository):
        document, listed = each.listing(each.cluster.folder)
        if document and f"{each.cluster.folder}/root.yaml" in listed:
            what = "root.yaml is listed: an Application that manages itself can never be deleted"
            yield found_in(document, ("resources",), what, "take it out")


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
    if not re.search(r"exec:\s+path: ksops\s*\Z", text(dig(ksops.value, *_FUNCTION))):
        what = f"annotation {_FUNCTION[-1]} does not name the program ksops"
        yield found_in(ksops, _FUNCTION, what, "write exec: {path: ksops}")


@ARGOCD.rule
def argo_cd_runs_ksops(repository: Repository) -> Iterator[Finding]:
    for each, server in ARGOCD.each(repository, "server"):
        for what, fix in _repo_server(each, mapping(server.get("spec", "template", "spec"))):
            yield server.finding(("spec", "template", "spec"), what, fix)


def _repo_server(each: Synced, pod: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """What keeps the repo server from decrypting: (what, what to do)."""
    server = _by(pod, "containers").get("argocd-repo-server", {})
    mounts, volumes = _by(server, "volumeMounts", "mountPath"), _by(pod, "volumes")
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
        if not _VERSIONED.search(image):
            yield f"the image {image or 'of an init container'} has no version", "name one"


def _by(value: Any, field: str, key: str = "name") -> dict[str, dict[Any, Any]]:
    """The mappings in a list of Kubernetes, by their name."""
    return {text(entry.get(key)): entry for entry in sequence(dig(value, field)) if isinstance(entry, dict)}
