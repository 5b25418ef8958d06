"""What a job of GitLab has to run its script: an image with a shell, and programs that it or another job brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[Place, str, str]]  # (where, what is wrong, what to do)

_IMAGES = ("alpine/helm", "astral-sh/uv", "golang", "python")
_HOSTS = ("docker.io", "ghcr.io", "public.ecr.aws", "quay.io", "registry.gitlab.com", "registry.k8s.io")
# images that begin a program and no shell: https://docs.gitlab.com/ci/docker/using_docker_images/
_NO_SHELL = re.compile(
    r"(?:.*/)?(?:alpine/(?:git|helm)|zricethezav/gitleaks|hashicorp/terraform|amazon/aws-cli|bitnami/kubectl|mikefarah/yq)"
)
# https://docs.astral.sh/uv/guides/integration/docker/#available-images
_UV_ALONE = re.compile(r"(?:[\w.:-]+/)*astral-sh/uv:\d+(?:\.\d+)*")
_CALLS = {  # a program, and the images of which it is known that they lack it
    "go": re.compile(r"(?:[\w.:-]+/)*(?:astral-sh/uv|alpine/helm|alpine|debian|node|python|ubuntu)"),
    "uv": re.compile(r"(?:[\w.:-]+/)*(?:golang|alpine/helm|alpine|debian|node|python|ubuntu)"),
}
_BEGUN = r"(?:^|[;&|]\s*|\$\()\s*(?:\w+=\S+\s+)*"
_INSTALLS = re.compile(r"\b(?:apk|apt|apt-get|asdf|brew|curl|dnf|install|mise|nix|pip|pipx|wget|yum)\b")
_SOUGHT = re.compile(r"\bPATH=[\"']?\$PWD/([\w./-]+)")
_PUT = re.compile(r"\bGOBIN=[\"']?\$PWD/([\w./-]+)")


def of_image(name: str, image: Any) -> Flaws:
    """What is wrong with the image of a job."""
    whole = text(dig(image, "name")) or text(image)
    address = re.sub(r"@.*|:[^/]*\Z", "", whole)
    host, _, path = address.partition("/") if re.match(r"[^/]*[.:]", address) else ("", "", address)
    if host not in ("gcr.io", *_HOSTS) and (meant := closest(host, _HOSTS)):
        yield (name, "image"), f"there is no registry {host}", f"did you mean {meant}?"
    elif path not in _IMAGES and (meant := closest(path, _IMAGES)):
        yield (name, "image"), f"there is no image {path}", f"did you mean {meant}?"
    elif path in _IMAGES and (
        tag := re.search(r":(\d+(?:\.\d+)+(?!rc|beta)[a-z,]\w*)", text(dig(image, "name")) or text(image))
    ):
        yield (name, "image"), f"there is no {path}:{tag[1]}", "write a release of it"
    elif _UV_ALONE.fullmatch(whole):
        what = "the image holds uv alone and no shell, so that no script runs"
        yield (name, "image"), what, "write a tag that names a system, such as python3.13-trixie"
    elif _NO_SHELL.fullmatch(address) and "entrypoint" not in mapping(image):
        yield (name, "image"), f"{path} begins a program and no shell, so that no script runs", 'write entrypoint: [""]'


def unbrought(name: str, whole: dict[Any, Any], pipeline: dict[Any, Any]) -> Flaws:
    """A program that tests call, which neither the image of uv has nor a job brings that this one takes files from."""
    image = whole.get("image") or dig(pipeline, "default", "image") or pipeline.get("image")
    yield from _lacking(name, whole, pipeline, text(dig(image, "name") or image))
    if "/uv:" not in text(dig(image, "name") or image):
        return
    needs = [
        each if isinstance(each, str) else dig(each, "job") for each in sequence(whole.get("needs")) if _takes(each)
    ]
    if not {*map(str, needs)} <= {*map(str, pipeline)}:
        return  # one is not there, of which another rule tells
    if isinstance(whole.get("dependencies"), list):
        needs = [each for each in needs if each in whole["dependencies"]]
    taken = f"{ {key: given for key, given in whole.items() if key not in ('needs', 'dependencies')} }" + (
        f"{[pipeline.get(each) for each in needs]}" if "needs" in whole else f"{pipeline}"
    )
    for mark, program in (("chart", "helm"), ("signed", "cosign")):
        calls = any(re.search(rf"\bpytest\b.* -m {mark}\b", line) for line in lines_of(whole.get("script")))
        if calls and program not in taken and not any(closest(str(each), [program]) for each in needs):
            what = f"no job that {name} needs brings {program}, which its tests call"
            yield (name, "needs"), what, f"name the one that brings {program}"


def _lacking(name: str, whole: dict[Any, Any], pipeline: dict[Any, Any], image: str) -> Flaws:
    """A program that a script calls and the image of its job does not have."""
    address = re.sub(r"@.*|:[^/]*\Z", "", image)
    before = lines_of(whole.get("before_script") or dig(pipeline, "default", "before_script"))
    script = "\n".join([*before, *lines_of(whole.get("script"))])
    for program, images in _CALLS.items():
        called = re.search(rf"{_BEGUN}{program}\s+(?:install|run|build|sync|tool)\b", script, re.MULTILINE)
        is_brought = called and (_INSTALLS.search(script[: called.start()]) or "PATH=" in script[: called.end()])
        if called and not is_brought and images.fullmatch(address):
            fix = "write image: golang:… in the job" if program == "go" else "take the image of uv"
            yield (name, "script"), f"the image {address} has no {program}, which the job calls", fix


def _takes(needed: Any) -> bool:
    """Whether a job gets the files of one that it needs."""
    return dig(needed, "artifacts") is not False


def unkept(name: str, whole: dict[Any, Any], lines: list[str], pipeline: dict[Any, Any]) -> Flaws:
    """A folder in which a job that needs this one looks for a program, and that this one does not keep or fill."""
    script, kept = "\n".join(lines), [path.strip("/") for path in texts(dig(whole, "artifacts", "paths"))]
    for other, job in pipeline.items():
        needs = [each if isinstance(each, str) else dig(each, "job") for each in sequence(dig(job, "needs"))]
        for folder in (each.strip("/") for line in lines_of(dig(job, "script")) for each in _SOUGHT.findall(line)):
            is_put = re.search(rf"(?<![\w.-]){re.escape(folder)}(?![\w.-])", script)
            elsewhere = [each for each in _PUT.findall(script) if each.strip("/") != folder]
            is_kept = any(re.search(rf"(?:^|/){re.escape(folder)}(?:/|\Z)|[*$]", each) for each in kept)
            if name in needs and is_put and not is_kept:
                what = f"{folder}/ is not kept, where {other} looks for the program"
                yield (name,), what, f"write {folder}/ in artifacts.paths"
            elif name in needs and elsewhere and not is_put and is_kept:
                yield (
                    (name, "script"),
                    f"{other} looks into {folder}, and Go puts the program elsewhere",
                    (f"did you mean {folder}?"),
                )


def lines_of(value: Any) -> list[str]:
    """The lines of a script, which is a text or a list."""
    return [value] if isinstance(value, str) else texts(value)
