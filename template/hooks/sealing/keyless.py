"""What can be proved of a sealed Secret without any key: its form, its recipients, and that no value is in plaintext.

It cannot be proved that the MAC fits or that the ciphertext is genuine; that takes a key (`pytest -m decrypt`).
The format is that of https://github.com/getsops/sops, section "Message Authentication Code" and following.
"""

from __future__ import annotations

import base64
import binascii
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
    try:
        documents = list(yaml.compose_all(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        # the error's own text quotes the line, which may hold a secret
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [Flaw(line, "is not valid YAML")]
    except yaml.YAMLError:
        return [Flaw(1, "is not valid YAML")]
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        return [Flaw(1, "must hold exactly one manifest")]
    return list(_check(documents[0], text, rule))


def _check(root: yaml.MappingNode, text: str, rule: Rule) -> Iterator[Flaw]:
    yield from _duplicates(root)
    top = _entries(root)
    for key, node in top.items():
        if key not in _TOP:
            yield Flaw(_line(node), f"has an unknown field {key!r}")
    if _scalar(top.get("kind")) != "Secret":
        yield Flaw(_line(root), "is not a Secret")
    yield from _values(root, text)
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


def _values(root: yaml.MappingNode, text: str) -> Iterator[Flaw]:
    leaves = 0
    lines = text.splitlines()
    for name, node in root.value:
        block = str(name.value)
        if block not in ("data", "stringData"):
            continue
        if not isinstance(node, yaml.MappingNode):
            yield Flaw(_line(node), f"{block} is not a mapping")
            continue
        for key, value in _entries(node).items():
            leaves += 1
            if not _encrypted(_scalar(value)):
                yield Flaw(_line(value), f"{block}.{key} is not encrypted")
        for number in range(name.end_mark.line, min(node.end_mark.line, len(lines))):
            before, mark, _ = lines[number].partition("#")
            if mark and not _COMMENT.fullmatch(lines[number][len(before) :].strip()):
                yield Flaw(number + 1, "has a comment among the encrypted values")
    if not leaves:
        yield Flaw(1, "holds no value")


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


def _duplicates(node: yaml.Node) -> Iterator[Flaw]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                yield Flaw(_line(key), f"has the key {key.value!r} twice")
            seen.add(str(key.value))
            yield from _duplicates(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicates(value)


def _leaves(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _leaves(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _leaves(value)


def _empty(node: yaml.Node) -> bool:
    return node.value in ([], "", "null")


def _scalar(node: yaml.Node | None) -> str | None:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
