"""Every file: YAML that means one thing, and nothing left over from a merge."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

import yaml

from rules import Problem, rule
from rules.document import is_ambiguous, is_word, nodes
from rules.repository import ANSWERS, Repository

_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |$)", re.MULTILINE)
_LEFT_OVER = (".rej", ".orig")
# what the engine, Helm and sops read
_DEPLOYED = ("clusters/", "litellm/", "secrets/")
_ONE_DOCUMENT = re.compile(
    r"litellm/[^/]+\.yaml|policies/[^/]+\.yml|\.sops\.yaml|\.copier-answers\.yml|(?:.*/)?(?:kustomization|ksops)\.yaml"
)


@rule
def every_yaml_file_is_yaml(repository: Repository) -> Iterator[Problem]:
    for file in repository.yaml_files:
        repository.documents(file)
        if repository.text(file) is None:
            yield Problem(file, None, "it is not text in UTF-8", "save it as UTF-8")
        elif file in repository.broken and not _MARKER.search(repository.text(file) or ""):
            error = repository.broken[file]
            yield Problem(file, error.line, str(error), "correct the syntax")


@rule
def no_key_is_given_twice(repository: Repository) -> Iterator[Problem]:
    for file in repository.yaml_files:
        for document in repository.documents(file):
            for node in nodes(document.node):
                if not isinstance(node, yaml.MappingNode):
                    continue
                seen: dict[str, int] = {}
                for key, _ in node.value:
                    line = key.start_mark.line + 1
                    if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                        what = f"the key {key.value!r} stands at line {seen[key.value]} already, and the last one wins"
                        yield Problem(file, line, what, "keep one of them")
                    seen.setdefault(str(key.value), line)


@rule
def yaml_means_the_same_to_every_reader(repository: Repository) -> Iterator[Problem]:
    for file in repository.yaml_files:
        # GitHub reads its files as YAML 1.2, copier writes its own
        if file.startswith(".github/") or file == ANSWERS:
            continue
        for document in repository.documents(file):
            for node in nodes(document.node):
                if isinstance(node, yaml.ScalarNode) and is_ambiguous(node):
                    # a number may be a password
                    shown = repr(node.value) if is_word(node.value) else "a value"
                    what = f"{shown} is not the same to YAML 1.1 (Helm, Kubernetes) and YAML 1.2"
                    yield Problem(file, node.start_mark.line + 1, what, "quote it, or write true or false")


@rule
def no_yaml_holds_a_tab(repository: Repository) -> Iterator[Problem]:
    for file in repository.yaml_files:
        content = repository.text(file)
        if content and "\t" in content and file not in repository.broken:
            line = content.count("\n", 0, content.index("\t")) + 1
            yield Problem(file, line, "it holds a tab", "use spaces, or \\t in double quotes")


@rule
def every_file_has_the_bytes_that_git_stores(repository: Repository) -> Iterator[Problem]:
    """.gitattributes has the line ends of Windows taken away, so that a digest made with them fits nowhere else."""
    for file in repository.yaml_files:
        content = repository.text(file) or ""
        if not file.startswith(_DEPLOYED):
            continue
        if "\r" in content:
            line = content.count("\n", 0, content.index("\r")) + 1
            yield Problem(file, line, "it has line ends of Windows", "save it with LF, then seal")
        if content.startswith("\ufeff"):
            yield Problem(file, 1, "it begins with a byte order mark", "save it as UTF-8 without")


@rule
def no_second_document_is_overlooked(repository: Repository) -> Iterator[Problem]:
    for file in repository.yaml_files:
        if _ONE_DOCUMENT.fullmatch(file) and len(repository.documents(file)) > 1:
            line = repository.documents(file)[1].line()
            what = "it holds a second document, which nothing reads"
            yield Problem(file, line, what, "move it into the first, or into a file of its own")


@rule
def nothing_that_is_deployed_is_a_link(repository: Repository) -> Iterator[Problem]:
    for file in repository.files:
        if file.startswith(_DEPLOYED) and (repository.root / file).is_symlink():
            what = "it is a symbolic link: Flux leaves it out, Argo CD refuses one that leads out"
            yield Problem(file, None, what, "replace it by a real file")


@rule
def git_ignores_nothing_that_is_deployed(repository: Repository) -> Iterator[Problem]:
    wanted = ["litellm/Chart.yaml", "litellm/values.yaml"]
    for environment in repository.environments:
        names = [f"{name}.sops" for name in repository.needed(environment)]
        wanted += [f"secrets/{environment}/{name}.yaml" for name in ("kustomization", *names)]
        wanted += [f"litellm/{name}-{environment}.yaml" for name in ("values", "checksums")]
        folder = repository.root / "clusters" / environment
        wanted += [path.relative_to(repository.root).as_posix() for path in folder.rglob("*.yaml")]
    for file in wanted:
        if (repository.root / file).is_file() and not repository.has(file):
            yield Problem(
                file,
                None,
                "git ignores it, so that it never reaches the cluster",
                "take the line that matches it out of .gitignore",
            )


@rule
def no_merge_is_left_unfinished(repository: Repository) -> Iterator[Problem]:
    for folder in {posixpath.dirname(file) for file in repository.files}:
        for path in (repository.root / folder).iterdir():
            if path.name.endswith(_LEFT_OVER):  # git ignores them, so they are in no list
                what = "it is what a merge or `copier update --conflict rej` could not apply"
                yield Problem(
                    posixpath.join(folder, path.name),
                    None,
                    what,
                    "apply it by hand, then delete it",
                )
    for file in repository.files:
        content = repository.text(file)
        for match in _MARKER.finditer(content or ""):
            line = (content or "").count("\n", 0, match.start()) + 1
            yield Problem(file, line, "a merge marker is left", "resolve the conflict")
