"""What can be proved of a sealed Secret without any key: its form, its recipients, and that no value is in plaintext.
And of any other text: that no Secret in it holds a value in plaintext.

It cannot be proved that the MAC fits or that the ciphertext is genuine; that takes a key (`pytest -m decrypt`).
The format is that of https://github.com/getsops/sops, section "Message Authentication Code" and following.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

# the C loader is ten times as fast
LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

ENCRYPTED_REGEX = "^(data|stringData)$"
PLACEHOLDER_ANNOTATION = "litellm-gitops/placeholder"
MISSING_ANNOTATION = "litellm-gitops/placeholder-keys"

_VALUE = re.compile(
    r"ENC\[AES256_GCM,data:([A-Za-z0-9+/]+={0,2}),iv:([A-Za-z0-9+/]+={0,2}),"
    r"tag:([A-Za-z0-9+/]+={0,2}),type:(str|comment)\]"
)
_COMMENT = re.compile(r"#\s?ENC\[AES256_GCM,[^\]\s]+,type:comment\]")
_ARMOR = re.compile(
    r"-----BEGIN AGE ENCRYPTED FILE-----\n((?:[A-Za-z0-9+/]{1,64}={0,2}\n)+)-----END AGE ENCRYPTED FILE-----\n?"
)
_AGE_HEADER = re.compile(
    rb"age-encryption\.org/v1\n(?=(?:.*\n)*?-> X25519 )(?:->.*\n(?:[A-Za-z0-9+/]*\n)+)+--- [A-Za-z0-9+/]{43}\n"
)
# Wherever there may be a Secret: its kind as YAML and JSON can spell it, or what only a Secret holds. Where there is
# none of it, the slower search is spared.
_MAYBE_SECRET = re.compile(
    r"""stringData|secretGenerator|kind["']?\s*:\s*(?:[!&|>]\S{0,40}\s+){0,2}["']?Secret\b|[&?]\S{0,40}\s+["']?(?:Secret|kind)\b"""
    r"|\\(?:x|u00|U000000)[4-7]"
)
# What is put in by the template of a chart, where {{ "text" | b64enc }} is that text, by a shell or by a reader.
_TEMPLATE = re.compile(r"\{\{(?!-?\s*[\"'`][^.$]*\}\}).*\}\}|\A(?:\$\{\w+\}|\$[A-Z][A-Z0-9_]*|<[^<>]+>)\Z", re.DOTALL)
_BLOCKS = ("data", "stringData")
_PATCHED = re.compile(r"/((?:data|stringData)(?:/.*)?)", re.DOTALL)
_DOCUMENT = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
# The same line by line, in what is no YAML: the template of a chart, or a file that is broken.
_KIND_LINE = re.compile(
    r"""^[ \t]*(?:-[ \t]+)?["']?kind["']?[ \t]*:[ \t]*["']?Secret["']?[ \t]*(?:#.*)?$""",
    re.MULTILINE,
)
_ENTRY_LINE = re.compile(r"""["']?(?P<key>[^\s"':]+)["']?\s*:(?:\s+(?P<value>.*))?""")
_NO_VALUE = re.compile(r"""(?:[|>][-+0-9]*|""|''|\{\}|null|~)?(?:\s*#.*)?""")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

_TOP = {"apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData", "sops"}
# name in the file -> the entries that identify one master key there, in the order the rule spells them
KEY_TYPES: Mapping[str, tuple[str, ...]] = {
    "age": ("recipient",),
    "kms": ("arn",),
    "gcp_kms": ("resource_id",),
    "azure_kv": ("vault_url", "name", "version"),
}
_META = {*KEY_TYPES, "encrypted_regex", "lastmodified", "mac", "mac_only_encrypted", "version"}


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a sealed file, at which line (from 1)."""

    line: int
    what: str

    @property
    def mended_by_rekey(self) -> bool:
        """Whether the file is whole, and only not as its rule says."""
        return "recipients" in self.what or "rule" in self.what


@dataclass(frozen=True)
class Rule:
    """A creation rule of `.sops.yaml`, as far as a file can be compared with it.

    `recipients` maps a key type of KEY_TYPES to the master keys of the rule, each as it stands in a sealed file,
    its parts joined with `/`.
    """

    recipients: Mapping[str, Sequence[str]] = field(default_factory=dict)
    encrypted_regex: str = ENCRYPTED_REGEX
    mac_only_encrypted: bool = True


def check(text: str, rule: Rule) -> list[Flaw]:
    """Every flaw of a sealed Secret manifest; none means that every value is encrypted for the rule's recipients."""
    text = text.removeprefix("\ufeff")
    try:
        documents = list(yaml.compose_all(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        # the error's own text quotes the line, which may hold a secret
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [Flaw(line, "is not valid YAML")]
    except (yaml.YAMLError, RecursionError):
        return [Flaw(1, "is not valid YAML")]
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        return [Flaw(1, "must hold exactly one manifest")]
    return list(_unusual(documents[0])) or list(_check(documents[0], text, rule))


def unsealed(text: str, *, patch: bool = False, depth: int = 0) -> list[Flaw]:
    """The values in plaintext of every Secret in a text of any kind: YAML, JSON, the template of a chart, a patch.

    `patch` says that the text is a patch of a Secret, which need not say so itself. A text may hold texts that hold a
    Secret, up to a `depth` that nobody writes.
    """
    if depth > 3 or not (patch or _MAYBE_SECRET.search(text)):
        return []
    found: set[Flaw] = set()
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(text)), len(text)]
    before = 0  # lines
    for start, end in itertools.pairwise(starts):
        part = text[start:end]
        try:
            roots = list(yaml.compose_all(part, Loader=LOADER))
        except (yaml.YAMLError, RecursionError):
            flaws = list(_unsealed_lines(part))
        else:
            flaws = [flaw for root in roots if root for flaw in _unsealed(root, patch, depth)]
        found |= {Flaw(before + flaw.line, flaw.what) for flaw in flaws}
        before += part.count("\n")
    return sorted(found, key=lambda flaw: (flaw.line, flaw.what))


def _unsealed(root: yaml.Node, patch: bool, depth: int) -> Iterator[Flaw]:
    stack, seen = [(root, patch)], set()
    while stack:
        node, patch = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode) and node is not root:
            block = node.style in ("|", ">")
            for flaw in unsealed(node.value, patch=patch, depth=depth + 1):
                yield Flaw(_line(node) + (flaw.line if block else 0), flaw.what)
        elif isinstance(node, yaml.SequenceNode):
            stack += [(entry, patch) for entry in node.value]
        elif isinstance(node, yaml.MappingNode):
            secret, inside = patch or _is_secret(node), patch
            place = value = None
            for key, entry in node.value:
                name = _scalar(key)
                inside = inside or (name == "target" and _is_secret(entry))
                place = _PATCHED.fullmatch(_scalar(entry) or "") if name == "path" else place
                value = entry if name == "value" else value
                if secret and name in _BLOCKS:
                    yield from _plaintext(entry, str(name))
                elif name == "secretGenerator":
                    yield from _literals(entry)
                else:
                    stack.append((key, False))
            stack += [(entry, inside) for key, entry in node.value if not (secret and _scalar(key) in _BLOCKS)]
            # an operation of a JSON patch; what it is for stands elsewhere, but only a Secret has stringData
            if place and value is not None and (patch or place[1].startswith("stringData")):
                yield from _plaintext(value, place[1].replace("/", "."))


def _literals(generators: yaml.Node) -> Iterator[Flaw]:
    """The values in a list of Secrets that Kustomize makes."""
    for node in nodes(generators):
        entries = _entries(node) if isinstance(node, yaml.MappingNode) else {}
        for leaf in _leaves(entries["literals"]) if "literals" in entries else ():
            name, _, value = leaf.value.partition("=")
            if value and not _TEMPLATE.search(value):
                yield Flaw(_line(leaf), _told(f"literals.{name}"))


def _is_secret(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and any(
        (_scalar(key), _scalar(value)) == ("kind", "Secret") for key, value in node.value
    )


def _plaintext(node: yaml.Node, name: str) -> Iterator[Flaw]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{name}.{_scalar(key) or 'key'}"
            yield from (Flaw(_line(leaf), _told(inner)) for leaf in _leaves(value) if _plain(leaf))
    else:
        yield from (Flaw(_line(leaf), _told(name)) for leaf in _leaves(node) if _plain(leaf))


def _plain(leaf: yaml.ScalarNode) -> bool:
    empty = not leaf.value or leaf.tag == "tag:yaml.org,2002:null"
    return not (empty or _encrypted(leaf.value) or _TEMPLATE.search(leaf.value))


def _told(name: str) -> str:
    return f"holds a Secret whose {name} is not encrypted"


def _unsealed_lines(text: str) -> Iterator[Flaw]:
    if "```" in text or not _KIND_LINE.search(text.replace("\r", "")):
        return  # prose with examples, or no Secret
    block, indent, key = "", 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", "{{")):
            continue
        entry = _ENTRY_LINE.fullmatch(stripped)
        column = len(line) - len(line.lstrip())
        if block and column <= indent:
            block = ""
        if block:
            key = entry["key"] if entry else key
            value = (entry["value"] or "").strip("\"'") if entry else stripped
        elif entry and entry["key"] in _BLOCKS:
            block, indent, key = entry["key"], column, ""
            value = entry["value"] or ""
        else:
            continue
        if not (_NO_VALUE.fullmatch(value) or _TEMPLATE.search(value) or _encrypted(value)):
            yield Flaw(number, _told(f"{block}.{key}" if key else block))


def _unusual(root: yaml.Node) -> Iterator[Flaw]:
    """What sops never writes, and what could not be looked through: aliases, and keys that are no text."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            yield Flaw(_line(node), "is repeated elsewhere by an alias")
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    yield Flaw(_line(key), "has a key that is no text")
                stack += (key, value)


def _check(root: yaml.MappingNode, text: str, rule: Rule) -> Iterator[Flaw]:
    yield from _duplicates(root)
    top = _entries(root)
    for key, node in top.items():
        if key not in _TOP:
            yield Flaw(_line(node), f"has an unknown field {key!r}")
    if _scalar(top.get("kind")) != "Secret":
        yield Flaw(_line(root), "is not a Secret")
    yield from _values(root)
    yield from _comments(root, text)
    for key, node in top.items():
        if key not in ("data", "stringData", "sops"):
            for leaf in _leaves(node):
                if leaf.value.startswith("ENC["):
                    yield Flaw(_line(leaf), "has an encrypted value outside data and stringData")
                if leaf.value.lstrip().startswith('{"') and '"kind"' in leaf.value:
                    # what `kubectl apply` notes in an annotation, the values in it
                    yield Flaw(_line(leaf), "has a whole manifest in plaintext among its metadata")
    meta = top.get("sops")
    if isinstance(meta, yaml.MappingNode):
        yield from _metadata(meta, rule)
    else:
        yield Flaw(_line(root), "is not encrypted: it has no sops metadata")


def _values(root: yaml.MappingNode) -> Iterator[Flaw]:
    leaves = 0
    for name, node in root.value:
        block = str(name.value)
        if block not in _BLOCKS:
            continue
        if not isinstance(node, yaml.MappingNode):
            yield Flaw(_line(node), f"{block} is not a mapping")
            continue
        for key, value in _entries(node).items():
            leaves += 1
            if not _encrypted(_scalar(value)):
                yield Flaw(_line(value), f"{block}.{key} is not encrypted")
    if not leaves:
        yield Flaw(1, "holds no value")


def _comments(root: yaml.MappingNode, text: str) -> Iterator[Flaw]:
    """Every comment that is not encrypted: outside of data and stringData sops leaves them as they are."""
    bare, at = "", 0  # the text without its scalars, in which # begins a comment
    for node in sorted(_leaves(root, keys=True), key=lambda node: int(node.start_mark.index)):
        start, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):  # behind which a comment may stand
            start = text.index("\n", start) if "\n" in text[start:end] else end
        bare += text[at:start] + "\n" * text.count("\n", start, end)
        at = end
    for number, line in enumerate((bare + text[at:]).split("\n"), 1):
        before, mark, _ = line.partition("#")
        if mark and not _COMMENT.fullmatch(line[len(before) :].strip()):
            yield Flaw(number, "has a comment that is not encrypted, which may tell a value")


def _metadata(meta: yaml.MappingNode, rule: Rule) -> Iterator[Flaw]:
    entries = _entries(meta)
    for key, node in entries.items():
        if key not in _META and not _empty(node):
            yield Flaw(_line(node), f"has an unexpected sops.{key}")
    if not _encrypted(_scalar(entries.get("mac")), length=128):
        yield Flaw(
            _line(entries.get("mac", meta)),
            "has no encrypted message authentication code in sops.mac",
        )
    if not _TIME.fullmatch(_scalar(entries.get("lastmodified")) or ""):
        yield Flaw(_line(entries.get("lastmodified", meta)), "has no time in sops.lastmodified")
    if not re.fullmatch(r"\d+\.\d+\.\d+", _scalar(entries.get("version")) or ""):
        yield Flaw(_line(entries.get("version", meta)), "has no version in sops.version")
    if _scalar(entries.get("encrypted_regex")) != rule.encrypted_regex:
        yield Flaw(
            _line(entries.get("encrypted_regex", meta)),
            "differs from its rule in sops.encrypted_regex",
        )
    if (_scalar(entries.get("mac_only_encrypted")) == "true") != rule.mac_only_encrypted:
        yield Flaw(
            _line(entries.get("mac_only_encrypted", meta)),
            "differs from its rule in sops.mac_only_encrypted",
        )
    for kind, parts in KEY_TYPES.items():
        listed = entries.get(kind)
        keys = listed.value if isinstance(listed, yaml.SequenceNode) else []
        found = []
        for key in keys:
            fields = _entries(key) if isinstance(key, yaml.MappingNode) else {}
            found.append("/".join(_scalar(fields.get(part)) or "" for part in parts))
            wrapped = _scalar(fields.get("enc")) or ""
            if not (_is_wrapped_by_age(wrapped) if kind == "age" else wrapped):
                yield Flaw(_line(key), f"has no wrapped data key for a recipient in sops.{kind}")
        if sorted(found) != sorted(rule.recipients.get(kind, [])):
            yield Flaw(
                _line(listed or meta),
                f"is encrypted for other recipients than its rule names in sops.{kind}",
            )


def _is_wrapped_by_age(text: str) -> bool:
    """Whether it is an age file for a public key, whole, with a data key of 32 bytes in it. https://age-encryption.org/v1"""
    match = _ARMOR.fullmatch(text)
    try:
        content = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except binascii.Error:
        return False
    header = _AGE_HEADER.match(content)
    # a nonce of 16 bytes, the key, and its tag of 16
    return header is not None and len(content) - header.end() == 64


def _encrypted(value: str | None, length: int | None = None) -> bool:
    match = _VALUE.fullmatch(value or "")
    if not match:
        return False
    try:
        data, nonce, tag = (base64.b64decode(part, validate=True) for part in match.groups()[:3])
    except binascii.Error:
        return False
    return len(nonce) == 32 and len(tag) == 16 and (length is None or len(data) == length)


def _entries(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {str(key.value): value for key, value in node.value}


def _duplicates(root: yaml.Node) -> Iterator[Flaw]:
    for node in nodes(root):
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if str(key.value) in seen:
                yield Flaw(_line(key), f"has the key {key.value!r} twice")
            seen.add(str(key.value))


def nodes(root: yaml.Node, keys: bool = False) -> Iterator[yaml.Node]:
    """Every node in its order; one that aliases repeat comes once."""
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


def _leaves(root: yaml.Node, keys: bool = False) -> Iterator[yaml.ScalarNode]:
    return (node for node in nodes(root, keys) if isinstance(node, yaml.ScalarNode))


def _empty(node: yaml.Node) -> bool:
    return node.value in ([], "", "null")


def _scalar(node: yaml.Node | None) -> str | None:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
