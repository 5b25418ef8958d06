"""The chart and the image of LiteLLM: their addresses, and releases of both that fit, here and in the clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from litellm_gitops.documents import Document, Place, dig, mapping, sequence, text
from litellm_gitops.findings import Finding, Misspelt, delete, edit, restore
from litellm_gitops.releases import fits, number, others, span
from litellm_gitops.releases import path as where
from litellm_gitops.repository import CHART_FILE, VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.chart import the_image_is_pinned
from litellm_gitops.rules.files import is_ignored
from litellm_gitops.rules.kubernetes import known_version, manifests, of_values
from litellm_gitops.rules.kustomizations import images_with_a_version
from litellm_gitops.spelling import closest
from litellm_gitops.subjects import Subject, is_filled_in, meant_registry

_COMPOSE, _LOCK_FILE = "docker-compose.yml", "litellm/Chart.lock"
_EXACT = re.compile(r"v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
# https://github.com/distribution/reference/blob/main/reference.go
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*")
# where upstream publishes: a name that is nearly one of these is meant to be it
_KNOWN = ("ghcr.io", "docker.io", "berriai", "litellm", "litellm-database", "litellm-helm", "litellm-non_root")
_OCI = re.compile(r"ghcr\.io|quay\.io|public\.ecr\.aws|.*docker\.io|.+\.(?:azurecr\.io|pkg\.dev|amazonaws\.com)")
_HOSTS = ("ghcr.io", "docker.litellm.ai")
_CLOSE = 0.85  # how much of two words is the same, of 1, where one is the other misspelt


def _image(values: Values) -> tuple[str, str]:
    place = values.chart.image
    return text(values.get(*place, "repository")), text(values.get(*place, "tag"))


def _images(repository: Repository) -> list[tuple[str, str]]:
    """The images of the clusters; none where one may not run at all, of which another rule speaks."""
    refused = next(the_image_is_pinned(repository), None)
    return [] if refused else [_image(values) for values in repository.values]


def _is_applied(subject: Subject) -> bool:
    """Whether it stands where an engine looks: what else is tried out in the repository is nobody's concern."""
    start = subject.finding((), "", "")
    return start is not None and start.file.startswith("clusters/")


@rule
def every_image_beside_the_proxy_has_a_version(repository: Repository) -> Iterator[Finding]:
    """Of containers that values add, and of what a commit brings: without one another program runs tomorrow."""
    version = known_version(repository)
    brought = [each for each in manifests(repository) if not each.is_patch and _is_applied(each)] if version else []
    given = images_with_a_version(repository)
    for subject in [*brought, *(of_values(repository) if version else ())]:
        for part in subject.parts(version):
            image = text(dig(part.value, "image")) if part.type == "core.v1.Container" else ""
            if meant := meant_registry(image):
                what = f"{{}} is {image}, of no known registry"
                if found := subject.finding((*part.place, "image"), what, f"did you mean {meant}?"):
                    yield found
                continue
            name, _, tag = image.rpartition(":")
            moves = (not name or "/" in tag or tag == "latest") and image.removesuffix(":latest") not in given
            if image and moves and "@" not in image and not is_filled_in(image):
                what = f"{{}} is {image}, which may be another one tomorrow"
                if found := subject.finding((*part.place, "image"), what, "name a version"):
                    yield found


@rule
def the_chart_is_no_newer_than_the_image(repository: Repository) -> Iterator[Finding]:
    """A chart that goes by LiteLLM's version gives the proxy what that version knows; a newer image knows it, too."""
    document = repository.document(CHART_FILE) if repository.chart.is_of_its_image else None
    for position, entry in enumerate(sequence(dig(document and document.value, "dependencies"))):
        chart = number(dig(entry, "version"))[:2]
        for _, tag in _images(repository) if dig(entry, "name") == repository.chart.name else ():
            if document and chart and number(tag) and number(tag)[:2] < chart:
                what = f"the chart is {dig(entry, 'version')}, but the image is LiteLLM {tag.partition('@')[0]}"
                line = document.line("dependencies", position, "version")
                yield Finding(CHART_FILE, line, what, edit("update the image first, in litellm/values.yaml"))


@rule
def the_chart_is_the_one_that_the_values_are_for(repository: Repository) -> Iterator[Finding]:
    """Another one, or one that is too old, takes no notice of what they say."""
    document, chart = repository.document(CHART_FILE), repository.chart.name
    if document is None or any(the_chart_version_is_exact(repository)):
        return
    for position, entry in enumerate(sequence(document.value.get("dependencies"))):
        version, is_own = number(dig(entry, "version")), text(dig(entry, "repository")).startswith("file://")
        if dig(entry, "name") == chart and version and not is_own and not fits(chart, version):
            what = f"the values are for {chart} {span(chart)}, which {dig(entry, 'version')} is not"
            line = document.line("dependencies", position, "version")
            yield Finding(CHART_FILE, line, what, edit("write the version that was there, or another of these"))


@rule_of_values
def the_chart_can_start_the_image(values: Values) -> Iterator[Finding]:
    """Its arguments say which part of LiteLLM to run, and not every image of upstream understands them."""
    name = _image(values)[0].rpartition("/")[2]
    if name in others(values.chart.name):
        what = f"{name} is not the image that {values.chart.name} can start"
        yield values.finding((*values.chart.image, "repository"), what, edit("use the image litellm"), VALUES)


@rule
def what_runs_here_is_what_the_clusters_run(repository: Repository) -> Iterator[Finding]:
    """docker-compose.yml has the image of a cluster: half of an update tries out something else."""
    compose, images = _compose(repository), _images(repository)
    if compose and images and not any(_is_the_same(compose, image) for image in images):
        line, name, tag = compose
        tags = [tag.partition("@")[0], images[0][1].partition("@")[0]]
        what = f"the image is {name}:{tags[0]}, but the clusters run {tags[1]}"
        if tags[0] == tags[1]:
            what = "the image has another digest than that of the clusters"
        yield Finding(_COMPOSE, line, what, edit("write the image of litellm/values.yaml"))


def _compose(repository: Repository) -> tuple[int, str, str] | None:
    """(line, repository, tag) of LiteLLM in docker-compose.yml."""
    document = repository.document(_COMPOSE) if repository.has(_COMPOSE) else None
    for name, service in mapping(dig(document and document.value, "services")).items():
        image, _, digest = text(dig(service, "image")).partition("@")
        if document and "litellm" in image and "$" not in image:
            known, colon, tag = image.rpartition(":")
            known, tag = (known, tag) if colon and "/" not in tag else (image, "")
            return document.line("services", name, "image"), known, f"{tag}@{digest}" if digest else tag
    return None


def _is_the_same(compose: tuple[int, str, str], image: tuple[str, str]) -> bool:
    """Whether both are one image; of a copy elsewhere, which may have a name and a tag of its own, the same version."""
    first, second = number(compose[2]), number(image[1])
    if not second:
        return True  # which another rule tells, or an owner knows
    if compose[1] != image[0]:
        return first in ((), second)
    both = "@" in compose[2] and "@" in image[1]
    # from 1.84 on an image has a tag with it and one without
    tags = [tag.removeprefix("v") for tag in (compose[2], image[1])]
    return tags[0] == tags[1] if both else tags[0].partition("@")[0] == tags[1].partition("@")[0]


@rule_of_values
def the_image_has_an_address(values: Values) -> Iterator[Finding]:
    """One that a registry can have, and none that is nearly upstream's."""
    place: Place = (*values.chart.image, "repository")
    name, _ = _image(values)
    if name and not _REPOSITORY.fullmatch(name):
        what = f"{name!r} is no address of an image"
        fix = edit("write registry/path in lower case, without a scheme and without a tag")
        yield values.finding(place, what, fix, VALUES)
    elif meant := _meant(name):
        yield values.finding(place, f"{name} is not where LiteLLM is", edit(f"did you mean {meant}?"), VALUES)


@rule
def the_chart_has_an_address(repository: Repository) -> Iterator[Finding]:
    """Helm puts the name of the chart behind it."""
    document = repository.document(CHART_FILE)
    for position, entry in enumerate(sequence(dig(document and document.value, "dependencies"))):
        address, name = text(dig(entry, "repository")), text(dig(entry, "name"))
        scheme, _, path = address.partition("://")
        line = document.line("dependencies", position, "repository") if document else None
        if scheme == "https" and _OCI.fullmatch(path.partition("/")[0]):
            what = f"{path.partition('/')[0]} has charts by oci alone"
            yield Finding(CHART_FILE, line, what, edit(f"write oci://{path}"))
        if document is None or scheme != "oci" or name != repository.chart.name:
            continue
        if path.rpartition("/")[2] == name != "litellm":
            what = f"the repository of {name} ends in its name, which Helm adds once more"
            yield Finding(CHART_FILE, line, what, edit(f"write oci://{path.rpartition('/')[0]}"))
        elif meant := _meant(path) or _published(path, name):
            what = f"the repository of {name} is not where LiteLLM's chart is"
            yield Finding(CHART_FILE, line, what, edit(f"did you mean oci://{meant}?"))


def _published(path: str, name: str) -> str:
    """Where upstream has a chart, if a path is one of upstream's own and another; else nothing."""
    host, _, below = path.rstrip("/").partition("/")
    is_ours = host in _HOSTS and below.startswith("berriai")
    return f"{host}/{where(name)}" if is_ours and below != where(name) else ""


def _meant(path: str) -> str:
    """The path with every part that is nearly one of upstream's in its right form; nothing where none is."""
    parts = [_closest(part) for part in path.split("/")]
    return "/".join(parts) if parts != path.split("/") else ""


def _closest(part: str) -> str:
    if part in _KNOWN:
        return part
    near = [known for known in _KNOWN if SequenceMatcher(None, part, known).ratio() >= _CLOSE]
    return near[0] if near else part


@rule_of_values
def the_chart_is_not_switched_off(values: Values) -> Iterator[Finding]:
    """A condition that the values of a cluster say no to takes all of the release away."""
    document = values.repository.document(CHART_FILE)
    for position, entry in enumerate(sequence(document.value.get("dependencies")) if document else ()):
        for path in text(dig(entry, "condition")).split(","):
            if (
                document
                and dig(entry, "name") == values.chart.name
                and dig(values.merged, *path.strip().split(".")) is False
            ):
                what = f"{path.strip()} is false in {values.cluster.name}, so that nothing is deployed there"
                place = ("dependencies", position, "condition")
                yield Finding(CHART_FILE, document.line(*place), what, edit("take the condition away"))


@rule
def the_chart_takes_the_version_of_the_clusters(repository: Repository) -> Iterator[Finding]:
    """`kubeVersion` of litellm/Chart.yaml is a range, and the answered version of Kubernetes is in it."""
    document, version = repository.document(CHART_FILE), text(repository.answers.get("kubernetes_version"))
    given = text(document.value.get("kubeVersion")) if document else ""
    if not document or not given or not re.fullmatch(r"\d+\.\d+", version):
        return
    ranges = [re.findall(_RANGE, each.strip(), re.VERBOSE) for each in given.split("||")]
    if any(re.sub(_RANGE, "", each, flags=re.VERBOSE).strip(" ,") for each in given.split("||")) or not all(ranges):
        what = f"kubeVersion is {given!r}, which is no range, and Helm refuses the chart"
    elif not any(all(_takes(part, version) for part in each) for each in ranges):
        what = f"kubeVersion is {given!r}, and the clusters have Kubernetes {version}: nothing is rendered"
    else:
        return
    yield Finding(CHART_FILE, document.line("kubeVersion"), what, edit(f'write ">={version}.0-0"'))


# https://github.com/Masterminds/semver#basic-comparisons, a part of it
_RANGE = (
    r"(>=|<=|!=|=|>|<|\^|~)? \s* v?(\d+|[*xX])(?:\.(\d+|[*xX]))?(?:\.(?:\d+|[*xX]))? (?:-[0-9A-Za-z.-]+)? (?=[\s,]|\Z)"
)


def _takes(part: tuple[str, str, str], version: str) -> bool:
    """Whether a part of a range may be for a version of which only the two first numbers are known."""
    sign, major, minor = part
    if not (major.isdigit() and minor.isdigit()):
        return True
    found, limit = tuple(map(int, version.split("."))), (int(major), int(minor))
    return {
        ">=": found >= limit,
        ">": found >= limit,
        "<=": found <= limit,
        "<": found <= limit,
        "^": found >= limit and found[0] == limit[0],
        "~": found == limit,
        "!=": True,
    }.get(sign, found == limit)


# ---------------------------------------------------------------------------------------------------------------------
# litellm/Chart.yaml as a file

# https://helm.sh/docs/topics/charts/#the-chartyaml-file
_OF_A_CHART: dict[str, type] = {
    **dict.fromkeys(("apiVersion", "appVersion", "description", "home", "icon", "kubeVersion", "name"), str),
    **dict.fromkeys(("type", "version"), str),
    **dict.fromkeys(("dependencies", "keywords", "maintainers", "sources"), list),
    **{"annotations": dict, "deprecated": bool},
}
_OF_A_DEPENDENCY: dict[str, type] = {
    **dict.fromkeys(("alias", "condition", "name", "repository", "version"), str),
    **dict.fromkeys(("import-values", "tags"), list),
}
_WRITTEN = {str: "a text, in quotes", list: "a list", dict: "a mapping", bool: "true or false"}
_TOLD = ("apiVersion", "name", "type", "version", "dependencies", "repository")  # by the lines above, whatever the type


@rule
def the_chart_version_is_exact(repository: Repository) -> Iterator[Finding]:
    """litellm/Chart.yaml names the chart, its registry and one version, and a lock does not say otherwise."""
    document, name = repository.document(CHART_FILE), repository.chart.name
    if document is None:
        if CHART_FILE not in repository.broken and not is_ignored(repository, CHART_FILE):
            yield Finding(CHART_FILE, None, "is missing", restore())
        return
    dependencies = sequence(document.value.get("dependencies"))
    if not any(dig(entry, "name") == name and not dig(entry, "alias") for entry in dependencies):
        what = f"the dependency {name} is missing or has an alias, so that all values would be ignored"
        yield Finding(CHART_FILE, document.line("dependencies"), what, edit("restore it"))
    for position, entry in enumerate(dependencies):
        if not {"repository", "version"} & mapping(entry).keys():
            what = f"the dependency {dig(entry, 'name')} has no repository and no version"
            yield Finding(CHART_FILE, document.line("dependencies", position), what, edit("add them, or take it away"))
            continue
        registry, version = str(dig(entry, "repository")), dig(entry, "version")
        if not re.match(r"(?:oci|https|file)://", registry):
            line = document.line("dependencies", position, "repository")
            what = f"the repository of {dig(entry, 'name')} is no address"
            yield Finding(CHART_FILE, line, what, edit("give oci://… or https://…"))
        if not _EXACT.fullmatch(str(version)):
            line = document.line("dependencies", position, "version")
            what = f"the version of {dig(entry, 'name')} is {version!r}, so that each rendering may differ"
            yield Finding(CHART_FILE, line, what, edit("give one exact version"))
    lock = repository.document(_LOCK_FILE) if repository.has(_LOCK_FILE) else None
    if lock and _pins(lock.value.get("dependencies")) != _pins(dependencies):
        what = f"it differs from {CHART_FILE}: Argo CD refuses that, Flux deploys the lock's version"
        yield Finding(_LOCK_FILE, None, what, delete(_LOCK_FILE, "run `helm dependency update litellm`, or"))


def _pins(dependencies: Any) -> list[list[Any]]:
    return sorted(
        [str(dig(entry, key)) for key in ("name", "version", "repository")] for entry in sequence(dependencies)
    )


@rule
def helm_takes_the_chart(repository: Repository) -> Iterator[Finding]:
    """litellm/Chart.yaml is one that Helm reads."""
    document = repository.document(CHART_FILE)
    if document is None:
        return  # told above
    given = {"type": "application", **document.value}
    for field, expected, why in (
        ("apiVersion", "v2", "Helm reads dependencies of v2 alone"),
        ("name", "litellm", "the README and the release go by it"),
        ("type", "application", "Helm installs nothing else"),
    ):
        if given.get(field) != expected:
            what = f"{field} is {given.get(field)!r}: {why}"
            yield Finding(CHART_FILE, document.line(field), what, edit(f"write {field}: {expected}"))
    if not _EXACT.fullmatch(str(given.get("version"))):
        what = f"version is {given.get('version')!r}, which Helm refuses"
        yield Finding(CHART_FILE, document.line("version"), what, edit("give one such as 1.0.0"))
    entries = [
        ((), given),
        *((("dependencies", position), each) for position, each in enumerate(_dependencies(document))),
    ]
    for place, entry in entries:
        for field, what, fix, meant in _misread(entry, _OF_A_DEPENDENCY if place else _OF_A_CHART):
            slip = Misspelt(field, meant) if meant else None
            yield Finding(CHART_FILE, document.line(*place, field), what, edit(fix), misspelt=slip)
    # of one without a version another rule tells
    names = [dig(entry, "name") if dig(entry, "version") else None for entry in _dependencies(document)]
    for position in (at for at, name in enumerate(names) if name and name in names[:at]):
        line, what = document.line("dependencies", position), f"the dependency {names[position]} is there twice"
        yield Finding(CHART_FILE, line, what, edit("keep one"))


def _dependencies(document: Document) -> list[Any]:
    return sequence(document.value.get("dependencies"))


def _misread(entry: Any, fields: dict[str, type]) -> Iterator[tuple[str, str, str, str]]:
    """What Helm passes over, or refuses: (the field, what is wrong, what to do, the field that was meant)."""
    for key, value in mapping(entry).items():
        if meant := closest(str(key), fields) if key not in fields else "":
            yield str(key), f"Helm knows no {key}", f"did you mean {meant}?", meant
        elif key in fields and key not in _TOLD and value is not None and not isinstance(value, fields[key]):
            yield str(key), f"{key} is {value!r}, and Helm refuses the chart", f"write {_WRITTEN[fields[key]]}", ""
    for key, value in mapping(dig(entry, "annotations")).items():
        if not isinstance(value, str):
            yield "annotations", f"annotation {key} is no text, and Helm refuses the chart", "write it in quotes", ""
