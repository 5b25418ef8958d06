"""The values in plaintext of every Secret in a text of any kind: YAML, JSON, the template of a chart, a patch."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import yaml

from litellm_gitops.documents import LOADER, nodes


class Kind(StrEnum):
    """What is wrong with a sealed file; what mends it goes by this (`sealed_file.fix_of`)."""

    CONFLICT = "conflict"  # git's markers are in it
    UNSEALED = "unsealed"  # nothing of it was encrypted
    PLAINTEXT = "plaintext"  # something of it can be read
    METADATA = "metadata"  # the same, in its metadata, which sops leaves as they are
    MALFORMED = "malformed"  # it is not what sops writes
    IDENTITY = "identity"  # it is no Secret, or another one
    RECIPIENTS = "recipients"  # it is for others than its rule names
    RULE = "rule"  # it was encrypted in another way than its rule says


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a file, at which line (from 1); never a value."""

    kind: Kind
    line: int
    what: str
    lines: frozenset[int] = frozenset()  # all that it speaks of


Value = tuple[str, frozenset[int]]  # one in plaintext: its name, and the lines that it stands in

BLOCKS = ("data", "stringData")
_VALUE = re.compile(
    r"ENC\[AES256_GCM,data:([A-Za-z0-9+/]+={0,2}),iv:([A-Za-z0-9+/]+={0,2}),"
    r"tag:([A-Za-z0-9+/]+={0,2}),type:(str|comment)\]"
)
# Wherever there may be a Secret: its kind as YAML and JSON can spell it, or what only a Secret holds. Where there is
# none of it, the slower search is spared.
_MAYBE_SECRET = re.compile(
    r"""stringData|secretGenerator|kind["']?\s*:\s*(?:[!&|>]\S{0,40}\s+){0,2}["']?Secret\b|[&?]\S{0,40}\s+["']?(?:Secret|kind)\b"""
    r"|\\(?:x|u00|U000000)[4-7]"
)
# What is put in by the template of a chart, where {{ "text" | b64enc }} is that text, by makejinja, by a shell, by a
# reader, or by what knows where it is: 1Password, vals, Bank-Vaults.
_TEMPLATE = re.compile(
    r"\{\{(?!-?\s*[\"'`][^.$]*\}\}).*\}\}"
    r"|\A\s*(?:#[{%].+[}%]#|\$\{\w+\}|\$[A-Z][A-Z0-9_]*|<[^<>]+>|(?:op://|ref\+\w+://|vault:)[\w./ #?=&-]+)\s*\Z",
    re.DOTALL,
)
_OF_ARGO_CD = (
    "argocd.argoproj.io/secret-type"  # https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/
)
_OPEN = {"type", "url", "name", "project", "server", "namespaces", "enableOCI", "enableLfs", "insecure"}
_PATCHED = re.compile(r"/((?:data|stringData)(?:/.*)?)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_DOCUMENT = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
# The same line by line, in what is no YAML: the template of a chart, or a file that is broken.
_KIND_LINE = re.compile(
    r"""^[ \t]*(?:-[ \t]+)?["']?kind["']?[ \t]*:[ \t]*["']?Secret["']?[ \t]*(?:#.*)?$""",
    re.MULTILINE,
)
_ENTRY_LINE = re.compile(r"""["']?(?P<key>[^\s"':]+)["']?\s*:(?:\s+(?P<value>.*))?""")
# what is no secret beside the others, of which each says where it is kept
_KNOWN_OF_LOGIN = re.compile(r"(?:db_?)?(?:user(?:name)?|login|host(?:name)?|port|database|dbname)", re.IGNORECASE)
_NO_VALUE = re.compile(r"""(?:[|>][-+0-9]*|""|''|\{\}|null|~)?(?:\s*#.*)?""")


@cache
def unsealed(text: str, patch: bool = False, depth: int = 0) -> tuple[Flaw, ...]:
    """The values in plaintext, by their lines. `patch`: the text is a patch of a Secret, which need not say so itself.

    A text may hold texts that hold a Secret, up to a `depth` that nobody writes.
    """
    if depth > 3 or not (patch or _MAYBE_SECRET.search(text)):
        return ()
    found: dict[tuple[int, str], frozenset[int]] = {}
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(text)), len(text)]
    before = fences = 0  # lines, and the ends of examples in a document
    for start, end in itertools.pairwise(starts):
        part = text[start:end]
        try:
            roots = list(yaml.compose_all(part, Loader=LOADER))
        except (yaml.YAMLError, RecursionError):
            values, fences_here = list(_together(_of_lines(part))), len(_FENCE.findall(part))
        else:
            fences_here = 0  # in what is YAML they stand in a text of it
            values = [value for root in roots if root for value in _of_document(root, patch, depth)]
        for name, lines in values if not fences % 2 else ():
            found[before + min(lines), name] = frozenset(before + number for number in lines)
        before += part.count("\n")
        fences += fences_here
    return tuple(
        Flaw(Kind.PLAINTEXT, number, f"holds a Secret whose {name} is not encrypted", found[number, name])
        for number, name in sorted(found)
    )


def _together(values: Iterable[Value]) -> Iterator[Value]:
    """The values of one Secret as one, which has the name of the first."""
    found = sorted(values, key=lambda each: min(each[1]))
    if found:
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        yield f"{found[0][0]}{more}", frozenset[int]().union(*(lines for _, lines in found))


def _of_document(root: yaml.Node, patch: bool, depth: int) -> Iterator[Value]:
    stack, seen = [(root, patch)], set()
    while stack:
        node, patch = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode) and node is not root:
            block = node.style in ("|", ">")
            for flaw in unsealed(node.value, patch, depth + 1):
                name = flaw.what.removeprefix("holds a Secret whose ").removesuffix(" is not encrypted")
                yield name, frozenset(line(node) + number for number in flaw.lines) if block else _lines(node)
        elif isinstance(node, yaml.SequenceNode):
            stack += [(entry, patch) for entry in node.value]
        elif isinstance(node, yaml.MappingNode):
            secret, inside = patch or _is_secret(node), patch
            place, value, plain = None, None, list[Value]()
            for key, entry in node.value:
                name = scalar(key) or ""
                inside = inside or (name == "target" and _is_secret(entry))
                place = _PATCHED.fullmatch(scalar(entry) or "") if name == "path" else place
                value = entry if name == "value" else value
                if secret and name in BLOCKS and not _is_manifest(entry):
                    plain += _plaintext(entry, str(name), _OPEN if _is_of_argo_cd(node) else set())
                elif name == "secretGenerator":
                    yield from _literals(entry)
                else:
                    stack.append((key, False))
            yield from _together(plain)
            told = [secret and scalar(key) in BLOCKS and not _is_manifest(entry) for key, entry in node.value]
            stack += [
                (entry, inside or bool(secret and scalar(key) in BLOCKS))
                for (key, entry), passed in zip(node.value, told, strict=True)
                if not passed
            ]
            # an operation of a JSON patch; what it is for stands elsewhere, but only a Secret has stringData
            if place and value is not None and (patch or place[1].startswith("stringData")):
                yield from _plaintext(value, place[1].replace("/", "."))


def _lines(node: yaml.Node) -> frozenset[int]:
    """Where a value stands."""
    return frozenset(range(line(node), max(line(node), node.end_mark.line + (node.end_mark.column > 0)) + 1))


def _literals(generators: yaml.Node) -> Iterator[Value]:
    """The values in a list of Secrets that Kustomize makes."""
    for node in nodes(generators, keys=False):
        found = entries(node) if isinstance(node, yaml.MappingNode) else {}
        pairs = (
            [(leaf, *leaf.value.partition("=")) for leaf in leaves(found["literals"])] if "literals" in found else []
        )
        named = ((leaf, name) for leaf, name, _, value in pairs if value and not _TEMPLATE.search(value))
        yield from _together((f"literals.{name}", _lines(leaf)) for leaf, name in named)


def _is_secret(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and any(
        (scalar(key), scalar(value)) == ("kind", "Secret") for key, value in node.value
    )


def _is_manifest(node: yaml.Node) -> bool:
    """Whether what stands in a Secret's data is a Secret itself, as in what generates one."""
    found = entries(node)
    return any(isinstance(found.get(block), yaml.MappingNode) for block in BLOCKS)


def _is_of_argo_cd(secret: yaml.MappingNode) -> bool:
    """Whether it says where a repository or a cluster is, beside what logs in there."""
    return _OF_ARGO_CD in entries(entries(entries(secret).get("metadata")).get("labels"))


def _plaintext(node: yaml.Node, name: str, known: Collection[str] = ()) -> Iterator[Value]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else [(None, node)]
    found = []
    for key, value in pairs:
        if key is not None and scalar(key) in known:
            continue
        inner = name if key is None else f"{name}.{scalar(key) or 'key'}"
        found += [(inner, _lines(leaf)) for leaf in leaves(value) if _is_plain(leaf)]
    is_kept = any(_TEMPLATE.search(scalar(value) or "") for key, value in pairs)
    if not (is_kept and all(_KNOWN_OF_LOGIN.fullmatch(inner.rpartition(".")[2]) for inner, _ in found)):
        yield from found


def _is_plain(leaf: yaml.ScalarNode) -> bool:
    empty = not leaf.value or leaf.tag == "tag:yaml.org,2002:null"
    return not (empty or is_encrypted(leaf.value) or _TEMPLATE.search(leaf.value))


def _of_lines(text: str) -> Iterator[Value]:
    if "```" in text or not _KIND_LINE.search(text.replace("\r", "")):
        return  # prose with examples, or no Secret
    block, indent, key = "", 0, ""
    for number, each in enumerate(text.split("\n"), 1):
        stripped = each.strip()
        if not stripped or stripped.startswith(("#", "{{")):
            continue
        entry = _ENTRY_LINE.fullmatch(stripped)
        column = len(each) - len(each.lstrip())
        if block and column <= indent:
            block = ""
        if block:
            key = entry["key"] if entry else key
            value = (entry["value"] or "").strip("\"'") if entry else stripped
        elif entry and entry["key"] in BLOCKS:
            block, indent, key = entry["key"], column, ""
            value = entry["value"] or ""
        else:
            continue
        if not (_NO_VALUE.fullmatch(value) or _TEMPLATE.search(value) or is_encrypted(value)):
            yield f"{block}.{key}" if key else block, frozenset({number})


# ---------------------------------------------------------------------------------------------------------------------
# Nodes, also of what a YAML loader would refuse


def is_encrypted(value: str | None, length: int | None = None) -> bool:
    """Whether a text is one value that sops encrypted, and nothing else; of `length` bytes where that is given."""
    match = _VALUE.fullmatch(value or "")
    if not match:
        return False
    try:
        data, nonce, tag = (base64.b64decode(part, validate=True) for part in match.groups()[:3])
    except binascii.Error:
        return False
    return len(nonce) == 32 and len(tag) == 16 and (length is None or len(data) == length)


def entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """The values of a mapping by their keys; none where it is no mapping."""
    return {str(key.value): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def leaves(root: yaml.Node, keys: bool = False) -> Iterator[yaml.ScalarNode]:
    """Every scalar, with or without keys."""
    return (node for node in nodes(root, keys) if isinstance(node, yaml.ScalarNode))


def scalar(node: yaml.Node | None) -> str | None:
    """The text of a scalar; None for any other node."""
    return node.value if isinstance(node, yaml.ScalarNode) else None


def line(node: yaml.Node) -> int:
    """The line (from 1) at which a node begins."""
    return int(node.start_mark.line) + 1
