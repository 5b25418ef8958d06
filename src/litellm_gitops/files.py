"""Which files git holds, or would add: of the working tree, or of what is staged for the next commit."""

from __future__ import annotations

import os
import re
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# No GIT_DIR of a hook, and no settings of the user that ignore more than the repository does.
_ENVIRONMENT = {
    "HOME": os.environ.get("HOME", "/"),
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.excludesFile",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
}
# A bare repository that a commit has put into a folder is none, and no program of a configuration runs.
GIT = ("git", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false")
_REGULAR = ("100644", "100755", "120000")  # not a submodule
_LINK = "120000"
_TEMPLATE = re.compile(r"\.(?:erb|ftl|gotmpl|j2|jinja2?|mustache|tmpl|tpl)\.[a-z]+\Z")
_UNMERGED = ("ls-files", "-z", "--unmerged")
_OTHER = "160000"  # the commit of another repository, a submodule
_SEEN = ("--cached", "--others", "--exclude-standard")


class Source(Protocol):
    """Where a repository's files come from. Names are paths below its root, with slashes."""

    @property
    def names(self) -> list[str]:
        """Every file, sorted."""

    @property
    def tracked(self) -> frozenset[str]:
        """Those that git holds; empty where there is no git repository yet."""

    @property
    def unmerged(self) -> Mapping[str, bool]:
        """Those of which git waits for a side to be taken, and whether both sides have the file."""

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is missing."""

    def is_link(self, name: str) -> bool:
        """Whether it is a symbolic link, or lies below one."""


def search_path(root: Path) -> str:
    """PATH without the folders that whoever writes to git can fill: those that are relative, empty, or in reach."""
    return _path_without(reach(root.resolve()))


def git(root: Path, *arguments: str, given: bytes = b"", above: bool = False) -> bytes | None:
    """What `git ARGUMENTS` prints in `root`; None where that is no git repository of its own, or git does not run.

    With `above`, one that `root` is a folder of will do.
    """
    return _answer(root, search_path(root), arguments, given) if has_git(root, above) and not _is_bare(root) else None


def is_inside(root: Path) -> bool:
    """Whether a folder is one of a bigger git repository, which does not ignore it."""
    return not has_git(root, above=False) and bool(git(root, "ls-files", *_SEEN, above=True))


def top(root: Path) -> Path | None:
    """The folder of the git repository that `root` is, or lies in; None where there is none."""
    folder = root.resolve()
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def has_git(root: Path, above: bool) -> bool:
    """Whether a folder is a git repository or, with `above`, lies in one."""
    found = top(root)
    return found is not None and (above or found == root.resolve())


def _is_bare(root: Path) -> bool:
    """Whether git before 2.38 would take a folder between `root` and its repository for one: it knows no better."""
    found, folder = top(root), root.resolve()
    between = [each for each in (folder, *folder.parents) if found and each != found and each.is_relative_to(found)]
    return any(os.path.lexists(each / "HEAD") for each in between)


@cache
def reach(root: Path) -> Path:
    """The folder that whoever writes to git can fill: that of the repository that `root` is a folder of, else `root`.

    A repository that ignores it is another's, and so is a home under git that does not hold it.
    """
    found = top(root)
    if found is None or found == root:
        return root
    seen = ("--cached",) if Path.home().resolve().is_relative_to(found) else _SEEN
    below = f":(literal){root.relative_to(found).as_posix()}"
    return root if _answer(found, _path_without(found), ("ls-files", *seen, "--", below)) == b"" else found


def _path_without(inside: Path) -> str:
    entries = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    return os.pathsep.join(
        str(entry) for entry in entries if entry.is_absolute() and not entry.resolve().is_relative_to(inside)
    )


def _answer(folder: Path, path: str, arguments: Sequence[str], given: bytes = b"") -> bytes | None:
    environment = {**_ENVIRONMENT, "PATH": path}
    try:
        answer = subprocess.run(
            [*GIT, *arguments], cwd=folder, input=given, env=environment, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode in (0, 1) else None  # check-ignore: 1 = none is ignored


class Held:
    """What may have come by git into the repository around a folder, so that it proves nothing of who is at work here.

    Names are compared as a disk does that ignores case. Where git does not answer, all of it may have come so.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._top = _absolute(root), top(root)

    @cached_property
    def _names(self) -> frozenset[str] | None:
        listed = git(self._top, "ls-files", "-z") if self._top else b""
        return None if listed is None else frozenset(map(_folded, _split(listed)))

    def holds(self, path: Path) -> bool:
        """Whether git holds a file, a link to it or a folder above it, be it as a link or as another repository."""
        named = _absolute(path)
        if named.is_relative_to(self._root):  # through no link but those of the repository
            named = self._root.resolve() / named.relative_to(self._root)
        return any(self._has(each) for each in {named, path.resolve()})

    def holds_below(self, folder: Path) -> bool:
        """Whether git holds a file in a folder, however deep."""
        path = folder.resolve()
        if not self._top or path == self._top or not path.is_relative_to(self._top):
            return False
        start = f"{_folded(path.relative_to(self._top).as_posix())}/"
        return self._names is None or any(name.startswith(start) for name in self._names)

    def _has(self, path: Path) -> bool:
        if not self._top or not path.is_relative_to(self._top):
            return False
        steps = [each for each in (path, *path.parents) if each != self._top and each.is_relative_to(self._top)]
        # what is left of a submodule that another commit took away again is ignored, and stays
        if self._names is None or any(os.path.lexists(each / ".git") for each in steps):
            return True
        return any(_folded(each.relative_to(self._top).as_posix()) in self._names for each in steps)


def _absolute(path: Path) -> Path:
    """Through every link as it is named."""
    return Path(os.path.normpath(path.absolute()))


def _folded(name: str) -> str:
    """A name as a disk that ignores case compares it: also another sign for a letter, and one that nobody sees."""
    if name.isascii():
        return name.lower()
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(each for each in plain if unicodedata.category(each) != "Cf")


class WorkingTree:
    """The files of a folder, by git itself where it is a repository, else by its .gitignore."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._links: dict[str, bool] = {}

    @cached_property
    def _listing(self) -> tuple[list[str], frozenset[str], frozenset[str]]:
        listed = git(self.root, "ls-files", "-z", "-t", *_SEEN, above=is_inside(self.root))
        if listed is None:
            return sorted(_walk(self.root)), frozenset(), frozenset()
        present, tracked, unmerged = set(), set(), set()
        for entry in _split(listed):
            status, _, name = entry.partition(" ")
            if status != "?":
                tracked.add(name)
            if status == "M":
                unmerged.add(name)
            if _is_leaf(self.root / name):
                present.add(name)
        return sorted(present), frozenset(tracked), frozenset(unmerged)

    @property
    def names(self) -> list[str]:
        """Every file that git holds or would add, sorted."""
        return self._listing[0]

    @property
    def tracked(self) -> frozenset[str]:
        """The files that git holds."""
        return self._listing[1]

    @cached_property
    def unmerged(self) -> Mapping[str, bool]:
        """The files in conflict that are as git left them: it waits for `git add`, or for another content.

        With `-merge` in .gitattributes it leaves no markers, but the file as it was on this branch; where one side has
        deleted it, the file of the other.
        """
        sides: dict[str, dict[str, str]] = {}
        for entry in _split(git(self.root, *_UNMERGED, above=True) or b"") if self._listing[2] else ():
            head, _, name = entry.partition("\t")
            _, blob, stage = head.split(" ")
            sides.setdefault(name, {})[stage] = blob
        left = {}
        for name, blobs in sides.items():
            now = git(self.root, "hash-object", "--", name, above=True) or b""
            if now.decode().strip() == blobs.get("2", blobs.get("3")):
                left[name] = "2" in blobs and "3" in blobs
        return left

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is missing or cannot be read."""
        try:
            return (self.root / name).read_bytes()
        except OSError:
            return None

    def is_link(self, name: str) -> bool:
        """Whether the file, or a folder above it, is a symbolic link."""
        if name not in self._links:
            above = name.rpartition("/")[0]
            self._links[name] = (self.root / name).is_symlink() or bool(above and self.is_link(above))
        return self._links[name]


class Staged:
    """What the next commit will hold. `changed` are the files that it adds or changes.

    Raises subprocess.CalledProcessError where git cannot be asked.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modes: dict[str, tuple[str, str]] = {}
        self._others: set[str] = set()
        for entry in _split(self._git("ls-files", "-z", "--stage")):
            head, _, name = entry.partition("\t")
            mode, blob, _ = head.split(" ")
            if mode in _REGULAR:
                self._modes[name] = (mode, blob)
            elif mode == _OTHER:
                self._others.add(name)
        names = _split(
            self._git("diff", "--cached", "--name-only", "-z", "--relative", "--no-renames", "--diff-filter=ACMT")
        )
        self.changed = [name for name in names if name in self.tracked]
        self._contents: dict[str, bytes] = {}
        self._fetch(self.changed)

    @property
    def names(self) -> list[str]:
        """Every file of the index, sorted."""
        return sorted(self._modes)

    @property
    def tracked(self) -> frozenset[str]:
        """The same, and submodules: what is staged is what git holds next."""
        return frozenset(self._modes) | self._others

    @property
    def unmerged(self) -> Mapping[str, bool]:
        """None: git commits nothing while it waits for a side."""
        return {}

    def read(self, name: str) -> bytes | None:
        """The staged content of a file; None where it is not in the index."""
        if name not in self._contents and name in self._modes:
            self._fetch([name])
        return self._contents.get(name)

    def is_link(self, name: str) -> bool:
        """Whether it is staged as a symbolic link."""
        return self._modes.get(name, ("", ""))[0] == _LINK

    def _fetch(self, files: list[str]) -> None:
        names = [name for name in files if name in self._modes]
        answer = self._git("cat-file", "--batch", given="".join(f"{self._modes[name][1]}\n" for name in names).encode())
        for name in names:
            head, _, answer = answer.partition(b"\n")
            size = int(head.rsplit(b" ", 1)[1])
            self._contents[name], answer = answer[:size], answer[size + 1 :]

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        # with the environment of the commit: git may have set GIT_INDEX_FILE
        environment = {**os.environ, "PATH": search_path(self.root)}
        if _is_bare(self.root):
            raise subprocess.CalledProcessError(128, [*GIT, *arguments], b"", b"a file HEAD makes this a repository")
        command = [*GIT, *arguments]
        return subprocess.run(
            command, cwd=self.root, input=given, env=environment, capture_output=True, check=True
        ).stdout


def yaml_of(names: list[str]) -> list[str]:
    """Those of `names` that should be YAML: not what a program makes YAML of, such as the templates of a Helm chart."""
    charts = [
        name.removesuffix("Chart.yaml") for name in [*names, "litellm/Chart.yaml"] if name.endswith("/Chart.yaml")
    ]
    others = tuple(f"{chart}{folder}/" for chart in charts for folder in ("templates", "charts"))
    found = (name for name in names if name.endswith((".yaml", ".yml")) and not name.startswith(others))
    return [name for name in found if not is_template(name)]


def is_template(name: str) -> bool:
    """Whether a program makes a file of this one, of which the end of the name says what: values.ftl.yaml."""
    return _TEMPLATE.search(name) is not None


def ignored(root: Path, names: Iterable[str]) -> set[str]:
    """Those of `names` that git ignores, whether or not they exist."""
    wanted = list(names)
    given = "\0".join(wanted).encode()
    answer = git(root, "check-ignore", "--no-index", "-z", "--stdin", given=given, above=is_inside(root))
    return set(_split(answer)) if answer is not None else set(matching(_gitignore(root), wanted))


def matching(lines: Iterable[str], names: Iterable[str]) -> Iterator[str]:
    """Those of `names` that patterns in the format of .gitignore match. https://git-scm.com/docs/gitignore"""
    spec = _patterns(tuple(lines))
    for name in names:
        # what stands in an ignored folder cannot be taken back
        folders = [name[: match.end()] for match in re.finditer("/", name)]
        if any(map(spec.match_file, (*folders, name))):
            yield name


def filtered(patterns: Iterable[str], names: Iterable[str]) -> Iterator[str]:
    """Those of `names` that a filter of GitHub's workflows lets pass, in which `*` stands for no slash.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
    """
    rules = [(not each.startswith("!"), _of_filter(each.removeprefix("!"))) for each in patterns]
    for name in names:
        if next((takes for takes, pattern in reversed(rules) if pattern.fullmatch(name)), False):
            yield name


@cache
def _of_filter(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\*\*/|\*\*|\*|\[[^\]]*\]|\\.|.", pattern)
    stands = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    try:
        return re.compile("".join(stands.get(part, part if part[0] in "[\\" else re.escape(part)) for part in parts))
    except re.error:
        return re.compile(".*")  # what cannot be read here is not told of


@cache
def _patterns(lines: tuple[str, ...]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # most repositories are git's, which needs no help

    return GitIgnoreSpec.from_lines(lines)


def _gitignore(root: Path) -> list[str]:
    try:
        return (root / ".gitignore").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _walk(root: Path) -> Iterator[str]:
    patterns = _patterns(tuple(_gitignore(root)))
    for folder, folders, files in os.walk(root):
        base = Path(folder).relative_to(root).as_posix()
        inside = "" if base == "." else f"{base}/"
        folders[:] = [name for name in folders if name != ".git" and not patterns.match_file(f"{inside}{name}/")]
        links = [name for name in folders if (root / inside / name).is_symlink()]
        yield from (inside + name for name in (*files, *links) if not patterns.match_file(inside + name))


def _is_leaf(path: Path) -> bool:
    # git stores a link to a folder as it stores a file
    return path.is_file() or (path.is_symlink() and path.is_dir())


def _split(output: bytes) -> list[str]:
    return [entry for entry in output.decode("utf-8", "surrogateescape").split("\0") if entry]
