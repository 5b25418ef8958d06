"""YAML with the lines that its values stand at, and the few functions that walk through values of any kind."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is ten times as fast


class _Loader(LOADER):  # type: ignore[misc]
    """Takes unknown tags, such as GitLab's `!reference` and `!!python/name` of MkDocs, for no value."""


class _Again(yaml.SafeLoader):
    """Likewise, and an anchor may be set again, as YAML 1.2 and Go's loader have it. Ten times as slow."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As its base, without what the anchor of this node stood for."""
        if not self.check_event(yaml.AliasEvent):
            self.anchors.pop(self.peek_event().anchor, None)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


class _Own(LOADER):  # type: ignore[misc]
    """As copier writes: for what only this suite reads."""


_EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+\Z")
_LARGEST = 1_000_000  # nodes, which no rule ends with in time
_READ_HERE = ("policies/", ".copier-answers.yml")


def _of_number(loader: Any, node: Any) -> Any:
    """Helm and Kubernetes take a number with colons for a text, and a date, too."""
    return node.value if ":" in node.value else yaml.SafeLoader.yaml_constructors[node.tag](loader, node)


for _loader in (_Loader, _Again):
    for _kind in ("int", "float"):
        _loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _of_number)
    _loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)
    # 3e-06 is a number to them as 3.0e-06 is, and comes out of both as the same
    _loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, [*"-+.0123456789"])
for _loader in (_Loader, _Again, _Own):
    _loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)  # a bare =
    for _tag in ("!", "tag:yaml.org,2002:python/"):
        _loader.add_multi_constructor(_tag, lambda loader, suffix, node: None)

Place = tuple[str | int, ...]  # the keys and numbers that lead to a value


# whose readers refuse all but a mapping
_OF_MAPPINGS = re.compile(
    r"^(?:\.github/workflows/[^/]+|\.gitlab-ci|\.pre-commit-config|\.yamllint|docker-compose)\.ya?ml\Z"
    r"|(?:^|/)kustomization\.ya?ml\Z|^secrets/[^/]+/ksops\.yaml\Z"
)


class NotYamlError(Exception):
    """A text is not YAML. The message does not quote it, because it may hold a secret."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, eq=False)
class Document:
    """One YAML document of a file. It equals itself alone, so what is found in it can be cached."""

    file: str
    value: Any
    node: yaml.Node

    @cached_property
    def texts(self) -> list[tuple[Place, str]]:
        """Every text in it, keys included, with its path."""
        return [*walk(self.value)]

    @cached_property
    def joined(self) -> str:
        """Those texts as one, a line break between them: to see at once that nothing in them matches."""
        return "\n".join(text for _, text in self.texts)

    @property
    def is_object(self) -> bool:
        """Whether it says of what kind it is, and is no patch of Kustomize that takes an object away."""
        keys = set(mapping(self.value))
        return {"apiVersion", "kind"} <= keys and "$patch" not in keys

    def line(self, *path: str | int) -> int:
        """The line (from 1) of the value at `path`, or of the deepest part of the path that exists."""
        return locate(self.node, path)[0]

    def is_blank(self, *path: str | int) -> bool:
        """Whether the value at `path` is a key with nothing behind it, not even `null`."""
        node: Any = self.node
        for part in path:
            if isinstance(node, yaml.MappingNode):
                node = next((value for key, value in node.value if key.value == str(part)), None)
            elif isinstance(node, yaml.SequenceNode):
                node = dig(node.value, part)
        return isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style

    def depth(self, *path: str | int) -> int:
        """How many parts of `path` exist."""
        return locate(self.node, path)[1]


@cache
def parse(file: str, text: str) -> tuple[Document, ...]:
    """The documents of a text; those that hold nothing are left out. Raises NotYamlError. Change nothing in them."""
    try:
        try:
            return tuple(_documents(file, text, _Own if file.startswith(_READ_HERE) else _Loader))
        except yaml.composer.ComposerError as error:
            if "duplicate anchor" not in f"{error.context}":
                raise
            return tuple(_documents(file, text, _Again))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYamlError(mark.line + 1 if mark else 1, _reason(error)) from None
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that no calendar has
        raise NotYamlError(1, "it holds a character or a value that YAML refuses") from None


def _documents(file: str, text: str, kind: Any) -> Iterator[Document]:
    loader = kind(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if "&" in text and "*" in text and _size(node) > _LARGEST:
                raise NotYamlError(node.start_mark.line + 1, "its aliases make too much of it")
            value = loader.construct_document(node)
            if value is not None and not isinstance(value, dict) and _OF_MAPPINGS.search(file):
                raise NotYamlError(node.start_mark.line + 1, "it holds no mapping, and its reader takes nothing else")
            if value is not None:
                yield Document(file, value, node)
    finally:
        loader.dispose()


def roots(text: str) -> Iterator[yaml.Node]:
    """The nodes of a text that `parse` takes, before merge keys are followed."""
    try:
        yield from filter(None, [*yaml.compose_all(text, Loader=_Loader)])
    except yaml.composer.ComposerError:
        yield from filter(None, yaml.compose_all(text, Loader=_Again))


def _size(root: yaml.Node) -> float:
    """How many nodes a document has where each alias stands for what it repeats; without end where that is itself."""
    sizes: dict[int, float] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        parts = [*itertools.chain(*node.value)] if isinstance(node, yaml.MappingNode) else []
        parts = node.value if isinstance(node, yaml.SequenceNode) else parts
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # until its parts are counted: a part that is the node itself
            stack += parts
        else:
            stack.pop()
            if sizes[id(node)] == math.inf:
                sizes[id(node)] = 1 + sum(sizes.get(id(part), math.inf) for part in parts)
    return sizes[id(root)]


def locate(node: yaml.Node, path: Place) -> tuple[int, int]:
    """(line from 1, number of parts found) of the deepest part of `path` under `node`.

    The line of a value in a mapping is that of its key.
    """
    line = node.start_mark.line + 1
    for depth, part in enumerate(path):
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if pair is None:
                return line, depth
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line, depth
    return line, len(path)


def nodes(root: yaml.Node, keys: bool = True) -> Iterator[yaml.Node]:
    """Every node of a document in its order, with or without keys; one that aliases repeat comes once."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.SequenceNode):
            stack += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            for key, value in reversed(node.value):
                stack += (value, key) if keys else (value,)


# ---------------------------------------------------------------------------------------------------------------------
# Values of any type, of which a file may hold anything


def mapping(value: Any) -> dict[Any, Any]:
    """`value` where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """`value` where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    """The texts in a list."""
    return [item for item in sequence(value) if isinstance(item, str)]


def dig(value: Any, *path: str | int) -> Any:
    """What stands at `path`; None where it does not exist."""
    for part in path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def merge(below: Any, above: Any) -> Any:
    """Values as Helm merges them: mappings deeply, everything else replaced, null takes a key away."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(below[key], value) if key in below else value
    return merged


def dotted(place: Place) -> str:
    """A place as people write it, such as `a.b.0`."""
    return ".".join(map(str, place))


def walk(value: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text in a value, keys included, with its path."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield (*path, str(key)), str(key)
            yield from walk(child, (*path, str(key)))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from walk(child, (*path, number))
    elif isinstance(value, str):
        yield path, value


# ---------------------------------------------------------------------------------------------------------------------
# YAML 1.1, as Helm, Kubernetes and PyYAML read it, against YAML 1.2, as editors, GitHub and newer tools do.

# https://yaml.org/type/bool.html: Go's loader takes the one-letter forms too
_BOOLEAN_1_1 = re.compile(r"y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")
# https://yaml.org/spec/1.2.2/#1032-tag-resolution
_CORE_1_2 = (
    ("null", re.compile(r"null|Null|NULL|~|")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        "float",
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
)
_OCTAL_1_1 = re.compile(r"[-+]?0[0-7]+")


def is_ambiguous(scalar: yaml.ScalarNode) -> bool:
    """Whether YAML 1.1 and YAML 1.2 read a scalar differently."""
    # quoted, or `<<`, or with a tag of another tool's own
    kind = scalar.tag.removeprefix("tag:yaml.org,2002:")
    if scalar.style or kind == "merge" or kind == scalar.tag or kind.startswith("python/"):
        return False
    text = scalar.value
    if _BOOLEAN_1_1.fullmatch(text) or _OCTAL_1_1.fullmatch(text):
        return True
    tag = next((name for name, pattern in _CORE_1_2 if pattern.fullmatch(text)), "str")
    return bool(scalar.tag != f"tag:yaml.org,2002:{tag}")


def is_word(text: str) -> bool:
    """Whether YAML 1.1 alone takes a text for true or false, such as `yes`."""
    return _BOOLEAN_1_1.fullmatch(text) is not None


def _reason(error: yaml.MarkedYAMLError) -> str:
    # what stands in quotes may come from the file; one character, such as ':', tells no secret
    problem = re.sub(r"'[^']{2,}'|\"[^\"]*\"", "…", error.problem or "")
    return f"it is not YAML: {problem}" if problem else "it is not YAML"
