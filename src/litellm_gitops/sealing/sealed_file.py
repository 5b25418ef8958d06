"""What can be proved of a sealed Secret without any key: its form, its recipients, and that no value is in plaintext.

It cannot be proved that the MAC fits or that the ciphertext is genuine; that takes a key (`pytest -m decrypt`).
The format is that of https://github.com/getsops/sops, section "Message Authentication Code" and following.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache

import yaml

from litellm_gitops.documents import LOADER, nodes
from litellm_gitops.findings import Fix, edit, rekey, rotate, seal
from litellm_gitops.repository import SEALED, Repository, secret_name
from litellm_gitops.sealing.plaintext import (
    BLOCKS,
    Flaw,
    Kind,
    entries,
    is_encrypted,
    leaves,
    line,
    scalar,
    unsealed,
)
from litellm_gitops.sealing.recipients import KEY_TYPES, Rule, of_metadata

__all__ = ["Flaw", "Kind", "check", "conflict", "fix_of", "flaws", "is_manifest", "only", "spoiled", "unsealed"]

PLACEHOLDER_ANNOTATION = "litellm-gitops/placeholder"
MISSING_ANNOTATION = "litellm-gitops/placeholder-keys"
ENCODED_ANNOTATION = "litellm-gitops/percent-encoded"  # of a password that reads in another way where it is not

_CONFLICT = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |\r?$)", re.MULTILINE)
_COMMENT = re.compile(r"#\s?ENC\[AES256_GCM,[^\]\s]+,type:comment\]")
_ARMOR = re.compile(
    r"-----BEGIN AGE ENCRYPTED FILE-----\n((?:[A-Za-z0-9+/]{1,64}={0,2}\n)+)-----END AGE ENCRYPTED FILE-----\n?"
)
_AGE_HEADER = re.compile(
    rb"age-encryption\.org/v1\n(?=(?:.*\n)*?-> X25519 )(?:->.*\n(?:[A-Za-z0-9+/]*\n)+)+--- [A-Za-z0-9+/]{43}\n"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TOP = {"apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData", "sops"}
_META = {*KEY_TYPES, "encrypted_regex", "lastmodified", "mac", "mac_only_encrypted", "version"}


@cache
def check(text: str, rule: Rule) -> tuple[Flaw, ...]:
    """Every flaw of a sealed Secret manifest; none means that every value is encrypted for the rule's recipients."""
    return tuple(_flaws(text, rule))


def _flaws(text: str, rule: Rule) -> Iterator[Flaw]:
    text = text.removeprefix("\ufeff")
    if marker := _CONFLICT.search(text):
        yield Flaw(Kind.CONFLICT, text.count("\n", 0, marker.start()) + 1, "holds the markers of a git conflict")
        return
    try:
        documents = list(yaml.compose_all(text, Loader=LOADER))
    except (yaml.YAMLError, RecursionError) as error:
        # the error's own text quotes the line, which may hold a secret
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        yield Flaw(Kind.MALFORMED, mark.line + 1 if mark else 1, "is not valid YAML")
        return
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        yield Flaw(Kind.MALFORMED, 1, "must hold exactly one manifest")
        return
    unusual = list(_unusual(documents[0]))
    yield from unusual or _check(documents[0], text, rule)


def conflict(repository: Repository, file: str) -> Flaw | None:
    """The conflict that git left a file in: with its markers, or whole, while git waits for a side."""
    text = repository.text(file) or ""
    if _CONFLICT.search(text):
        return check(text, Rule())[0]
    whole = repository.unmerged.get(file)
    if whole is None:
        return None
    what = "git waits for one of its two sides" if whole else "one of the two sides has deleted it"
    return Flaw(Kind.CONFLICT, 1, f"is in conflict, and {what}")


def _settle(repository: Repository, file: str) -> str:
    """What ends a conflict: of a sealed file nothing can be merged by hand."""
    whole = repository.unmerged.get(file)
    if whole is False:
        return f"keep it (git add {file}), or let it go (git rm {file})"
    if SEALED.fullmatch(file) or whole:
        return f"take one side whole (git checkout --theirs {file}, or --ours) and git add {file}"
    return f"keep what both sides mean to hold, take the markers out and git add {file}"


def flaws(repository: Repository, file: str, rule: Rule) -> Iterator[Flaw]:
    """The same as `check` for a file of a repository, the conflict that git knows of included."""
    if found := conflict(repository, file):
        yield found
    else:
        yield from check(repository.text(file) or "", rule)


def spoiled(repository: Repository, file: str) -> list[Flaw]:
    """What is wrong with a sealed file itself, for whomever it is sealed; of several faults of its form the first."""
    of_rule = (Kind.RECIPIENTS, Kind.RULE)
    found = [flaw for flaw in flaws(repository, file, Rule()) if flaw.kind not in of_rule]
    malformed = [flaw for flaw in found if flaw.kind is Kind.MALFORMED]
    return [flaw for flaw in found if flaw not in malformed[1:]]


def fix_of(flaw: Flaw, repository: Repository, file: str) -> Fix:
    """What mends a flaw of a sealed file; the one place that decides it."""
    match = SEALED.fullmatch(file)
    cluster = repository.cluster(match[1]) if match else None
    secret = cluster.wanted.get(secret_name(file)) if cluster else None
    name = cluster.name if cluster else ""
    if flaw.kind is Kind.CONFLICT:
        return seal(_settle(repository, file), name)
    if flaw.kind in (Kind.RECIPIENTS, Kind.RULE):
        return rekey(name, "see that .sops.yaml names whom you want to read it, and nobody else")
    if secret and not secret.never_rotate:
        return rotate(secret.name, name)
    if flaw.kind is Kind.METADATA:
        return seal("take it out; whoever can read git knows what it holds", name)
    if flaw.kind is Kind.UNSEALED and not secret:
        return edit(f"seal it: sops encrypt --in-place {file}")
    return edit(f"take it from git history: git log --oneline -- {file}")


def only(text: str, rule: Rule) -> str:
    """A sealed file without the entries of clouds' keys that its rule does not name, so that sops cannot call them.

    The MAC does not cover them. Raises ValueError where they cannot be taken away line by line, as sops writes them.
    """
    lines = text.splitlines(keepends=True)
    meta = entries(entries(yaml.compose(text, Loader=LOADER)).get("sops"))
    for kind in KEY_TYPES:
        if kind == "age":  # nobody is called for it
            continue
        for key, node in of_metadata(meta.get(kind), kind):
            if key not in rule.recipients.get(kind, []):
                for number in range(node.start_mark.line, node.end_mark.line):
                    lines[number] = ""
    result = "".join(lines)
    left = entries(entries(yaml.compose(result, Loader=LOADER)).get("sops"))
    for kind in KEY_TYPES:
        if kind != "age" and {key for key, _ in of_metadata(left.get(kind), kind)} - set(rule.recipients.get(kind, [])):
            raise ValueError(kind)
    return result


def _unusual(root: yaml.Node) -> Iterator[Flaw]:
    """What sops never writes, and what could not be looked through: aliases, and keys that are no text."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            yield Flaw(Kind.MALFORMED, line(node), "is repeated elsewhere by an alias")
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    yield Flaw(Kind.MALFORMED, line(key), "has a key that is no text")
                stack += (key, value)


def _check(root: yaml.MappingNode, text: str, rule: Rule) -> Iterator[Flaw]:
    yield from _duplicates(root)
    top = entries(root)
    for key, node in top.items():
        if key not in _TOP:
            yield Flaw(Kind.MALFORMED, line(node), f"has an unknown field {key!r}")
    if scalar(top.get("kind")) != "Secret":
        yield Flaw(Kind.IDENTITY, line(root), "is not a Secret")
    yield from _values(root)
    yield from _comments(root, text)
    for key, node in top.items():
        if key not in (*BLOCKS, "sops"):
            for leaf in leaves(node):
                if leaf.value.startswith("ENC["):
                    yield Flaw(Kind.MALFORMED, line(leaf), "has an encrypted value outside data and stringData")
                if is_manifest(leaf.value):
                    yield Flaw(Kind.METADATA, line(leaf), "has a whole manifest in plaintext among its metadata")
    meta = top.get("sops")
    if isinstance(meta, yaml.MappingNode):
        yield from _metadata(meta, rule)
    else:
        yield Flaw(Kind.UNSEALED, line(root), "is not encrypted: it has no sops metadata")


def is_manifest(text: object) -> bool:
    """Whether it is what `kubectl apply` notes in an annotation: the Secret with its values."""
    return isinstance(text, str) and text.lstrip().startswith('{"') and '"kind"' in text


def _values(root: yaml.MappingNode) -> Iterator[Flaw]:
    count = 0
    for name, node in root.value:
        block = str(name.value)
        if block not in BLOCKS:
            continue
        if not isinstance(node, yaml.MappingNode):
            yield Flaw(Kind.MALFORMED, line(node), f"{block} is not a mapping")
            continue
        for key, value in entries(node).items():
            count += 1
            # sops leaves an empty text as it is
            if not is_encrypted(scalar(value)) and not (scalar(value) == "" and value.tag.endswith(":str")):
                yield Flaw(Kind.PLAINTEXT, line(value), f"{block}.{key} is not encrypted")
    if not count:
        yield Flaw(Kind.IDENTITY, 1, "holds no value")


def _comments(root: yaml.MappingNode, text: str) -> Iterator[Flaw]:
    """Every comment that is not encrypted: outside of data and stringData sops leaves them as they are."""
    bare, at = "", 0  # the text without its scalars, in which # begins a comment
    for node in sorted(leaves(root, keys=True), key=lambda node: int(node.start_mark.index)):
        start, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):  # behind which a comment may stand
            start = text.index("\n", start) if "\n" in text[start:end] else end
        bare += text[at:start] + "\n" * text.count("\n", start, end)
        at = end
    for number, each in enumerate((bare + text[at:]).split("\n"), 1):
        before, mark, _ = each.partition("#")
        if mark and not _COMMENT.fullmatch(each[len(before) :].strip()):
            yield Flaw(Kind.PLAINTEXT, number, "has a comment that is not encrypted, which may tell a value")


def _metadata(meta: yaml.MappingNode, rule: Rule) -> Iterator[Flaw]:
    found = entries(meta)
    for key, node in found.items():
        if key not in _META and node.value not in ([], "", "null"):
            yield Flaw(Kind.MALFORMED, line(node), f"has an unexpected sops.{key}")
    forms = {
        "mac": (is_encrypted(scalar(found.get("mac")), 128), "has no encrypted message authentication code"),
        "lastmodified": (_TIME.fullmatch(scalar(found.get("lastmodified")) or ""), "has no time"),
        "version": (re.fullmatch(r"\d+\.\d+\.\d+", scalar(found.get("version")) or ""), "has no version"),
    }
    for key, (good, what) in forms.items():
        if not good:
            yield Flaw(Kind.MALFORMED, line(found.get(key, meta)), f"{what} in sops.{key}")
    same = {
        "encrypted_regex": scalar(found.get("encrypted_regex")) == rule.encrypted_regex,
        "mac_only_encrypted": (scalar(found.get("mac_only_encrypted")) == "true") == rule.mac_only_encrypted,
    }
    for key, good in same.items():
        if not good:
            yield Flaw(Kind.RULE, line(found.get(key, meta)), f"differs from its rule in sops.{key}")
    for kind in KEY_TYPES:
        yield from _keys(kind, found.get(kind), meta, rule)


def _keys(kind: str, listed: yaml.Node | None, meta: yaml.Node, rule: Rule) -> Iterator[Flaw]:
    named = []
    for key, node in of_metadata(listed, kind):
        named.append(key)
        fields = entries(node)
        for name in sorted(set(fields) - {*KEY_TYPES[kind], "created_at", "enc"}):
            if fields[name].value:  # such as the role of another account, which sops would assume
                yield Flaw(Kind.MALFORMED, line(fields[name]), f"has an unexpected {name} in sops.{kind}")
        wrapped = scalar(fields.get("enc")) or ""
        if not (_is_wrapped_by_age(wrapped) if kind == "age" else wrapped):
            yield Flaw(Kind.MALFORMED, line(node), f"has no wrapped data key for a recipient in sops.{kind}")
    if sorted(named) != sorted(rule.recipients.get(kind, [])):
        what = f"is encrypted for other recipients than its rule names in sops.{kind}"
        yield Flaw(Kind.RECIPIENTS, line(listed or meta), what)


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


def _duplicates(root: yaml.Node) -> Iterator[Flaw]:
    for node in nodes(root, keys=False):
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if str(key.value) in seen:
                yield Flaw(Kind.MALFORMED, line(key), f"has the key {key.value!r} twice")
            seen.add(str(key.value))
