"""Every file: YAML that means one thing, lists that list what is there, and nothing left over from a merge."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator
from functools import cache, lru_cache

import yaml

from litellm_gitops.ambiguous import DEPLOYED, ambiguous, is_read_by_go
from litellm_gitops.documents import Document, nodes, roots
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding, Form, edit, restore, seal
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import CHART_FILE, SEALED, VALUES, Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.kustomizations import GENERATOR, field_of, listed_by, misleading, missing, unlisted
from litellm_gitops.rules.sealing import CONFIG
from litellm_gitops.sealing.agreed import AGREED

KUSTOMIZATION = "kustomization.yaml"
_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |$)", re.MULTILINE)
_LEFT_OVER = (".rej", ".orig")
_CHECKSUMS = re.compile(r"litellm/checksums-[^/]+\.yaml")
# what else is read as YAML 1.1: of any other file nobody here knows by whom it is read
_READ = (*DEPLOYED, "policies/", ".sops.yaml", ".gitlab-ci.yml", ".pre-commit-config.yaml", "docker-compose.yml")
# a file that cookiecutter, Jinja or Helm makes YAML of
_TEMPLATE = re.compile(r"(?<!\$)\{\{.*\}\}|\{%.*%\}")
# what runs the suite, and what it reads
_PROVING = ((".github/workflows", "*.y*ml"), ("hooks", "*.py"), ("policies", "*.yml"), ("tests", "test_*.py"))
_OF_EVERYBODY: tuple[str, ...] = (
    ".copier-answers.yml",
    ".gitattributes",
    ".gitlab-ci.yml",
    ".gitleaks.toml",
    ".pre-commit-config.yaml",
)
_OF_EVERYBODY += (".sops.yaml", "pyproject.toml", "renovate.json", "uv.lock")
_ONE_DOCUMENT = re.compile(
    r"litellm/[^/]+\.yaml|policies/[^/]+\.yml|\.sops\.yaml|\.copier-answers\.yml|(?:.*/)?(?:kustomization|ksops)\.yaml"
)


@rule
def every_yaml_file_is_yaml(repository: Repository) -> Iterator[Finding]:
    """What is not can be read by nobody, and the other rules leave it out."""
    for file in filter(_is_ours, repository.yaml_files):
        repository.documents(file)
        content = repository.text(file)
        if content is None and not repository.source.is_link(file):  # of a link another rule tells
            yield Finding(file, None, "it is not text in UTF-8", edit("save it as UTF-8"))
        elif content is not None and file in repository.broken and not _MARKER.search(content):
            error = repository.broken[file]
            around = [file, *content.split("\n")[max(error.line - 2, 0) : error.line]]
            if not file.startswith(_READ) and any(map(_TEMPLATE.search, around)):
                continue
            yield Finding(file, error.line, str(error), edit("correct the syntax"))
        is_told = posixpath.basename(file) == KUSTOMIZATION  # by the rule about what that lists
        for document in repository.documents(file) if not is_told else ():
            for line in _swallowed(document, (content or "").split("\n")):
                what = "the item of this line is a part of the text above it"
                yield Finding(file, line, what, edit("indent it as the other items"), form=Form("type", is_part=True))


@lru_cache(maxsize=1024)
def _items_in_texts(document: Document) -> tuple[tuple[int, int], ...]:
    """(first line, last line), from 0, of each text without quotes that may hold an item of a list."""
    plain = (node for node in nodes(document.node) if isinstance(node, yaml.ScalarNode) and not node.style)
    return tuple((node.start_mark.line, node.end_mark.line) for node in plain if " - " in node.value)


def _swallowed(document: Document, lines: list[str]) -> Iterator[int]:
    for first, last in _items_in_texts(document):
        begins = (at for at in range(first + 1, min(last + 1, len(lines))) if lines[at].lstrip().startswith("- "))
        yield from (at + 1 for at in itertools.islice(begins, 1))


@rule
def no_key_is_given_twice(repository: Repository) -> Iterator[Finding]:
    """A merge key brings keys that may be given again: that is what it is for."""
    for file in (each for each in repository.yaml_files if _is_ours(each) or _CHECKSUMS.fullmatch(each)):
        for again in twice(repository.documents(file), repository.text(file) or ""):
            # of several in one mapping the line above is gone that parted them
            told = ", ".join(f"{key!r} stands at line {first} already" for key, first, _ in again)
            is_object = {"apiVersion", "kind"} <= {key for key, *_ in again}
            fix = "write --- before the second object" if is_object else "keep one of them"
            yield Finding(file, again[0][2], f"the key {told}, and the last one wins", edit(fix))


@cache
def twice(documents: tuple[Document, ...], content: str) -> list[list[tuple[str, int, int]]]:
    """(key, line of the first, line of another) of each key that is given twice, by the mapping that they are in."""
    # a document's own nodes have the merged keys in them
    tops = roots(content) if documents and "<<" in content else (document.node for document in documents)
    found = []
    for node in (node for top in tops for node in nodes(top)):
        seen, again = dict[str, int](), list[tuple[str, int, int]]()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                again.append((key.value, seen[key.value], line))
            seen.setdefault(str(key.value), line)
        if again:
            found.append(again)
    return found


@rule
def yaml_means_the_same_to_every_reader(repository: Repository) -> Iterator[Finding]:
    """What YAML 1.1 (Helm, Kubernetes, this suite) and YAML 1.2 (editors, newer tools) read differently."""
    for file in repository.yaml_files:
        for document in repository.documents(file):
            # only this suite reads its declarations
            if (file.startswith(_READ) and file != SUITE) or is_read_by_go(document):
                yield from ambiguous(document)


@rule
def no_yaml_holds_a_tab(repository: Repository) -> Iterator[Finding]:
    """Some readers take it for spaces, others refuse it. In a text of several lines it is a part of that."""
    for file in repository.yaml_files:
        content = repository.text(file)
        if not content or "\t" not in content or file in repository.broken or not file.startswith(_READ):
            continue
        inside = {number for document in repository.documents(file) for number in _inside_of_texts(document.node)}
        tabs = (number for number, line in enumerate(content.split("\n"), 1) if "\t" in line and number not in inside)
        for number in itertools.islice(tabs, 1):
            yield Finding(file, number, "it holds a tab", edit("use spaces, or \\t in double quotes"))


def _inside_of_texts(root: yaml.Node) -> Iterator[int]:
    """The lines (from 1) of the texts of several lines, without the first one of each."""
    for node in nodes(root):
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            yield from range(node.start_mark.line + 2, node.end_mark.line + 1)


@rule
def every_file_has_the_bytes_that_git_stores(repository: Repository) -> Iterator[Finding]:
    """.gitattributes has the line ends of Windows taken away, so that a digest made with them fits nowhere else."""
    for file in repository.yaml_files:
        content = repository.text(file) or ""
        if not file.startswith(DEPLOYED):
            continue
        again = seal("save it with LF") if SEALED.fullmatch(file) else edit("save it with LF")
        if "\r" in content:
            line = content.count("\n", 0, content.index("\r")) + 1
            yield Finding(file, line, "it has line ends of Windows", again)
        if content.startswith("\ufeff"):
            yield Finding(file, 1, "it begins with a byte order mark", edit("save it as UTF-8 without"))


@rule
def no_second_document_is_overlooked(repository: Repository) -> Iterator[Finding]:
    """Helm, sops and Kustomize read the first one of these files."""
    for file in repository.yaml_files:
        if _ONE_DOCUMENT.fullmatch(file) and len(repository.documents(file)) > 1:
            line = repository.documents(file)[1].line()
            what = "it holds a second document, which nothing reads"
            yield Finding(file, line, what, edit("move it into the first, or into a file of its own"))


@rule
def no_link_leads_the_engine_astray(repository: Repository) -> Iterator[Finding]:
    """Argo CD refuses a repository in which any link leads out of it. https://argo-cd.readthedocs.io/en/stable/"""
    for file in filter(repository.source.is_link, repository.files):
        path = repository.root / file
        leads = path.readlink().as_posix() if path.is_symlink() else posixpath.basename(file)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), leads))
        if file.startswith("secrets/"):
            continue  # those have a rule of their own
        if target.startswith(("../", "/")) or target == "..":
            what = "it is a symbolic link that leads out of the repository, and Argo CD then refuses all of it"
            yield Finding(file, None, what, edit("replace it by a real file"))
        elif file.startswith(DEPLOYED):
            yield Finding(file, None, "it is a symbolic link, which Flux leaves out", edit("replace it by a real file"))


@rule
def git_ignores_nothing_that_is_deployed(repository: Repository) -> Iterator[Finding]:
    """What git ignores never reaches a cluster, and what proves it is in no other clone."""
    wanted = [CHART_FILE, VALUES, *_proving(repository)]
    for cluster in repository.clusters:
        wanted += [cluster.values_file, cluster.checksums_file]
        if any(map(repository.has, (secret.file for secret in cluster.wanted.values()))):
            wanted.append(f"{cluster.secrets_folder}/{KUSTOMIZATION}")  # else of each Secret a rule says so
        folder = repository.root / cluster.folder
        wanted += [path.relative_to(repository.root).as_posix() for path in sorted(folder.rglob("*.yaml"))]
    wanted += [f"policies/{path.name}" for path in sorted((repository.root / "policies").glob("*.yml"))]
    lost = [file for file in wanted if is_ignored(repository, file)]
    patterns = (repository.text(".gitignore") or "").splitlines()
    if not repository.has("uv.lock") and any(matching(patterns, ["uv.lock"])) and _is_locked(repository):
        lost.append("uv.lock")  # which the first `uv run` makes
    if CONFIG in lost and any(matching(patterns, ["secrets/own/own.sops.yaml"])):
        lost.remove(CONFIG)  # the line is about sealed files, of which another rule tells
    yield from taken_from_git(repository, lost)


def _is_locked(repository: Repository) -> bool:
    """Whether CI takes the versions that uv.lock has."""
    files = (".gitlab-ci.yml", *repository.under(".github/workflows"))
    return any("uv run --locked" in (repository.text(file) or "") for file in filter(repository.has, files))


def taken_from_git(repository: Repository, lost: list[str]) -> Iterator[Finding]:
    """One finding for each line of .gitignore that takes some of these files away."""
    lines = (repository.text(".gitignore") or "").splitlines()
    fix = edit("take the line that matches it out of .gitignore")
    for number, line in enumerate(lines, 1):
        taken = [*matching([line], lost)]
        if taken and not line.startswith(("!", "#")):
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            end = "it never reaches the cluster" if taken[0].startswith(DEPLOYED) else "no other clone has it"
            what = f"{line} takes {taken[0]}{more} from git, so that {end}"
            yield Finding(".gitignore", number, what, edit("take the line away"))
            lost = [file for file in lost if file not in taken]
    for file in lost:
        yield Finding(file, None, "git ignores it, so that it never reaches the cluster", fix)


def _proving(repository: Repository) -> Iterator[str]:
    """The files of CI, of the hooks and of the suite that are there, where git holds none of their folder."""
    for folder, pattern in _PROVING:
        there = [path.relative_to(repository.root).as_posix() for path in (repository.root / folder).glob(pattern)]
        yield from sorted(there) if not any(map(repository.has, there)) else ()
    yield from _OF_EVERYBODY


def is_ignored(repository: Repository, file: str) -> bool:
    """Whether git ignores a file that is there."""
    return (repository.root / file).is_file() and not repository.has(file)


@rule
def no_merge_is_left_unfinished(repository: Repository) -> Iterator[Finding]:
    """Neither its markers, nor the files that a merge leaves beside."""
    for folder in sorted({posixpath.dirname(file) for file in repository.files}):
        for name in sorted(path.name for path in (repository.root / folder).glob("*")):
            if name.endswith(_LEFT_OVER):  # git ignores them, so they are in no list
                what = "it is what a merge or `copier update --conflict rej` could not apply"
                yield Finding(posixpath.join(folder, name), None, what, edit("apply it by hand, then delete it"))
    for file in repository.files:
        # of who may read the Secrets a rule about sealing tells
        content = (repository.text(file) or "") if _is_ours(file) and file != AGREED else ""
        for number, match in enumerate(_MARKER.finditer(content)):
            if number and not match[0].startswith("<"):
                continue  # of the conflict that begins above
            line = content.count("\n", 0, match.start()) + 1
            yield Finding(file, line, "a merge marker is left", edit("resolve the conflict"))


def _is_ours(file: str) -> bool:
    """Whether the rules here speak of a file that is no YAML, or in conflict: those about sealing do of the others."""
    return not (file == CONFIG or SEALED.fullmatch(file) or _CHECKSUMS.fullmatch(file))


# ---------------------------------------------------------------------------------------------------------------------
# Kustomizations


@rule
def every_kustomization_lists_exactly_what_is_there(repository: Repository) -> Iterator[Finding]:
    """What is not listed never reaches the cluster; what is listed and not there stops everything else."""
    clusters = {cluster.secrets_folder: cluster for cluster in repository.clusters}
    for file in repository.files:
        if posixpath.basename(file) != KUSTOMIZATION:
            continue
        document, folder = repository.document(file), posixpath.dirname(file)
        if document is None:
            if file not in repository.broken:
                yield Finding(file, None, "it lists nothing", restore())
            continue
        listed = listed_by(repository, document)
        wanted = clusters[folder].wanted if folder in clusters else {}
        needed = {secret.file for secret in wanted.values()}
        yield from misleading(repository, document, folder)
        slips = set[str]()  # what was meant by a misspelt name
        for path, place in sorted(listed.items()):
            # of what git ignores another rule speaks
            exists = repository.has(path) or repository.under(path) or (repository.root / path).exists()
            if not exists and path not in needed:  # a needed Secret that is missing has a rule of its own
                found = missing(repository, path, place)
                slips |= {found.misspelt.meant} if found.misspelt else set()
                yield found
        generator = f"{folder}/{GENERATOR}"
        if repository.has(generator) and not repository.documents(generator) and generator in repository.broken:
            continue  # what it lists is not known
        if repository.has(generator) and field_of(document, GENERATOR) not in ("", "generators"):
            what = f"it lists {GENERATOR} among {field_of(document, GENERATOR)}, where KSOPS is not run"
            yield Finding(file, listed[generator][1], what, edit(f"write generators: [{GENERATOR}]"))
            continue
        if folder.startswith("secrets/"):
            yield from unlisted(repository, document, {*listed}, slips, wanted)
    for folder in clusters:
        file = f"{folder}/{KUSTOMIZATION}"
        if not repository.has(file) and repository.under(folder):
            yield Finding(file, None, "is missing", restore())
