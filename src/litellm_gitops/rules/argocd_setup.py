"""What a person merges into Argo CD itself: KSOPS and the age key in its repo server, or in a container beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, dig, mapping, sequence, text, texts, walk
from litellm_gitops.findings import Finding
from litellm_gitops.objects import Object, show
from litellm_gitops.repository import Repository
from litellm_gitops.rules.engine import Synced
from litellm_gitops.rules.rights import VERSIONED
from litellm_gitops.spelling import closest
from litellm_gitops.subjects import meant_registry

# https://argo-cd.readthedocs.io/en/stable/operator-manual/argocd-cm-yaml/: those that are misspelt easily
_SETTINGS = {
    *(
        "admin.enabled",
        "application.instanceLabelKey",
        "application.resourceTrackingMethod",
        "dex.config",
        "exec.enabled",
    ),
    *("exec.shells", "helm.valuesFileSchemes", "kustomize.enabled", "oidc.config", "url"),
    *("resource.compareoptions", "resource.exclusions", "resource.inclusions", "statusbadge.enabled"),
    *("resource.respectRBAC", "timeout.hard.reconciliation", "timeout.reconciliation", "timeout.reconciliation.jitter"),
    *("users.anonymous.enabled", "webhook.github.secret", "webhook.gitlab.secret"),
}
_KEYS = "/sops-age"  # where the repo server finds the age key
_SERVER, _PLUGIN = "argocd-repo-server", "litellm-ksops"
# https://argo-cd.readthedocs.io/en/stable/operator-manual/config-management-plugins/
_OF_A_PLUGIN = {
    "/var/run/argocd": "var-files",
    "/home/argocd/cmp-server/plugins": "plugins",
    "/home/argocd/cmp-server/config": _PLUGIN,
}
# volumes; of the others that are needed rules below tell
_OF_OURS = {"custom-tools", _PLUGIN, f"{_PLUGIN}-tmp"}
_LISTENS = "/var/run/argocd/argocd-cmp-server"
_KSOPS, _IMAGE = "/usr/local/bin/ksops", "viaductoss/ksops"
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


def of_server(each: Synced, server: Object) -> Iterator[Finding]:
    """What keeps the repo server from decrypting, or from starting at all."""
    pod = mapping(server.get("spec", "template", "spec"))
    for what, fix in [*_unstarted(server, pod)] or _ksops(each, pod):  # one that does not start runs nothing
        yield server.finding(("spec", "template", "spec"), what, fix)


def _unstarted(server: Object, pod: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """What the API server or the kubelet refuses of what is merged into the Deployment."""
    wanted, given = (
        server.get("spec", *at) for at in (("selector", "matchLabels"), ("template", "metadata", "labels"))
    )
    if wanted and given and not mapping(wanted).items() <= mapping(given).items():
        yield "its pods have other labels than its selector names", "give both the same"
    lost: dict[str, list[str]] = {}
    for name, volume in _by(pod, "volumes").items():
        if not any(value is not None for key, value in volume.items() if key != "name"):
            yield f"volume {name} is nothing", "write emptyDir: {}, or what it was"
        if name == _PLUGIN and dig(volume, "configMap", "name") not in (None, _PLUGIN):
            yield f"volume {name} takes a ConfigMap that plugin.yaml does not bring", f"write {_PLUGIN}"
    for container in (*_by(pod, "initContainers").values(), *_by(pod, "containers").values()):
        for field, key in (("volumeMounts", "mountPath"), ("env", "name")):
            if any(isinstance(item, dict) and not item.get(key) for item in sequence(container.get(field))):
                yield f"an item of {field} says no {key}, by which it is merged", f"write its {key}, or take it out"
        security = mapping(container.get("securityContext"))
        if security.get("runAsNonRoot") is True and security.get("runAsUser") == 0:
            yield f"container {container.get('name')} is to run as root, and not to", "write the user that it was"
        for mount in _by(container, "volumeMounts").keys() & _OF_OURS - _by(pod, "volumes").keys():
            lost.setdefault(mount, []).append(text(container.get("name")))
    for mount, names in lost.items():
        yield f"volume {mount}, which {' and '.join(names)} mount, is not there", "add that volume"
    plugin = _by(pod, "containers").get(_PLUGIN)
    image = text(dig(plugin, "image"))
    if meant := meant_registry(image):
        yield f"the image {image} is of no known registry", f"did you mean {meant}?"
    elif image and not VERSIONED.search(image):
        yield f"the image {image} has no version", "write that of your Argo CD"
    if plugin is not None and not image:
        yield f"container {_PLUGIN} has no image", "write that of your Argo CD"
    used = (text(each.get("image")).partition(":")[0] for each in _by(pod, "initContainers").values())
    if other := next((each for each in used if closest(each, [_IMAGE])), ""):
        yield f"there is no image {other}", f"write {_IMAGE}"


def of_settings(settings: Object) -> Iterator[Finding]:
    """Keys of argocd-cm that are misspelt, and what keeps Argo CD from seeing the Secrets."""
    for key in mapping(settings.get("data")):
        if meant := closest(str(key), _SETTINGS):
            yield settings.finding(("data", str(key)), f"Argo CD reads no {key}", f"did you mean {meant}?")
    place = ("data", "resource.exclusions")
    try:
        entries = sequence(yaml.load(text(settings.get(*place)) or "[]", LOADER))
    except yaml.YAMLError:
        yield settings.finding(
            place, "it is no YAML, so that Argo CD leaves nothing out, and logs an error", "correct it"
        )
        return
    for entry in entries:
        groups, kinds = texts(dig(entry, "apiGroups")), texts(dig(entry, "kinds"))
        if {"", "*"} & {*groups} and {"Secret", "*"} & {*kinds}:
            yield settings.finding(place, "Argo CD passes over every Secret, and applies none", "leave Secrets in")


def of_set(found: Object) -> Iterator[Finding]:
    """A parameter in the other language than that of an ApplicationSet's template: Argo CD then ends with an error.

    https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/
    """
    is_go = found.get("spec", "goTemplate") is True
    for place, value in walk(found.get("spec", "template")):
        for name in _PARAMETER.findall(value) if value != place[-1] else ():
            if is_go and (name in _PARAMETERS or re.match(r"(?:path|metadata|values)[.]", name)):
                what, fix = f"{{{{{name}}}}} is nothing in a Go template", f"write {{{{.{name}}}}}"
            elif not is_go and name.startswith("."):
                what, fix = f"{{{{{name}}}}} stays as it is without goTemplate", "write goTemplate: true under spec"
            else:
                continue
            yield found.finding(("spec", "template", *place), what, fix)
            return


# in braces, one parameter alone; and those that generators give
_PARAMETER = re.compile(r"\{\{-?\s*([.\w/-]+)\s*-?\}\}")
_PARAMETERS = {
    "branch",
    "cluster",
    "name",
    "nameNormalized",
    "namespace",
    "organization",
    "path",
    "repository",
    "server",
}
_PARAMETERS |= {"sha", "url"}


def unverified(repository: Repository, each: Synced) -> Iterator[Finding]:
    """Where Argo CD is told to verify no signature: the keys of the project are then not looked at.

    https://argo-cd.readthedocs.io/en/stable/user-guide/gpg-verification/
    """
    for found in each.all("Deployment"):
        for kind in ("initContainers", "containers"):
            for number, container in enumerate(sequence(found.get("spec", "template", "spec", kind))):
                value = text(dig(_by(container, "env"), "ARGOCD_GPG_ENABLED", "value")).lower()
                if value in ("false", "0", "f"):
                    place = ("spec", "template", "spec", kind, number, "env")
                    what = "ARGOCD_GPG_ENABLED is false, so that no signature is verified: the answer commit_signers"
                    yield found.finding(place, f"{what} says who signs", "take it out")


def of_plugin(plugin: Object) -> Iterator[Finding]:
    """What Argo CD does not read in the settings of a plugin, which are a text."""
    place = ("data", "plugin.yaml")
    try:
        settings = yaml.load(text(plugin.get(*place)), LOADER)
    except yaml.YAMLError:
        yield plugin.finding(place, "it is no YAML, so that nothing is rendered", "correct it")
        return
    version = dig(settings, "apiVersion")
    if settings and version != "argoproj.io/v1alpha1":
        what = f"its apiVersion is {show(version)}, which Argo CD does not read"
        yield plugin.finding(place, what, "write apiVersion: argoproj.io/v1alpha1")
    elif settings and not dig(settings, "metadata", "name") and "litellm-ksops" in text(plugin.get(*place)):
        yield plugin.finding(place, "its name is not under metadata, where Argo CD looks for it", "write metadata:")
    generate = mapping(dig(settings, "spec", "generate"))
    slips = [key for key in map(str, generate) if closest(key, ["command", "args"])]
    for key in slips:
        meant = closest(key, ["command", "args"])
        yield plugin.finding(place, f"Argo CD reads no spec.generate.{key}", f"did you mean {meant}?")
    if dig(settings, "kind") == "ConfigManagementPlugin" and not slips and not generate.get("command"):
        what = "spec.generate has no command, so that nothing is rendered"
        if "generate:" in text(plugin.get(*place)):  # else another row tells
            yield plugin.finding(place, what, "indent command and args below generate")


def _ksops(each: Synced, pod: dict[Any, Any]) -> Iterator[tuple[str, str]]:
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
