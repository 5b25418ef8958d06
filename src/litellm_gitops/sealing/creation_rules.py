"""`.sops.yaml`: one creation rule for each cluster. It is the operator's: rules are added, never changed.

Format: https://getsops.io/docs/#using-sopsyaml-conf-to-select-kms-pgp-and-age-for-new-files
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import yaml

from litellm_gitops.documents import LOADER, Place, dig, dotted, mapping, nodes
from litellm_gitops.repository import Repository
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.recipients import ENCRYPTED_REGEX, KMS, Rule, is_age_key, is_kms_key, of_rule, split
from litellm_gitops.spelling import closest

CONFIG = ".sops.yaml"
_HEAD = """\
# For whom each cluster's Secrets are encrypted; the first rule that matches a file's path wins.
# After a change of recipients: uv run hooks/seal_secrets.py --rekey
"""
_TAIL = """\
stores:
  yaml:
    indent: 2
"""
# What Go's regular expressions, which sops reads, have and Python's do not, and the other way round.
# https://github.com/google/re2/wiki/Syntax
_CLASSES = {
    **{"alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f"},
    **{"digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t-\r "},
    **{"upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f"},
}
_OUTSIDE = re.compile(r"\\.|\[\^?\]?|.", re.DOTALL)
_INSIDE = re.compile(r"\\.|\[:\^?\w+:\]|.", re.DOTALL)
_NOT_IN_GO = re.compile(r"\(\?(?:[=!>(]|<[=!]|P[=>])|\\[1-9Z]|[*+?}]\+")
_ONE = re.compile(r"\\[^1-9Z]|\[.*", re.DOTALL)  # what stands for one character
_DIRECTIVE = re.compile(r"^%YAML[ \t]+(?!1\.1\s*$).*$", re.MULTILINE)
_STORES = {"yaml", "json", "json_binary", "dotenv", "ini"}
_FIELDS = {"path_regex", "encrypted_regex", "mac_only_encrypted", "age", *KMS}


def load(source: Repository | str | None) -> dict[str, Any]:
    """The content of `.sops.yaml`, of a repository or of its text, with a list `creation_rules`, which may be empty.

    Raises SealingError when it is no configuration.
    """
    if isinstance(source, Repository):
        text = source.text(CONFIG)
        if text is None and source.content(CONFIG) is not None:
            raise SealingError(f"{CONFIG} is no UTF-8 text: correct it, or take it from git history")
    else:
        text = source
    if _DIRECTIVE.search(text or ""):
        raise SealingError(f"{CONFIG} names a version of YAML, with which sops refuses it: take the line %YAML away")
    try:
        content, root = yaml.load(text or "", LOADER), yaml.compose(text or "", LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SealingError(f"{CONFIG} is not valid YAML: correct it, or take it from git history") from None
    for node in nodes(root, keys=False) if root else ():
        keys = [str(key.value) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise SealingError(f"{CONFIG} has the key {twice!r} twice, which sops refuses: keep one of them")
    content = {} if content is None else content
    rules = (content.get("creation_rules") or []) if isinstance(content, dict) else None
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise SealingError(f"{CONFIG} has no list `creation_rules`: correct it, or take it from git history")
    return {**content, "creation_rules": rules}


def find(config: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """The creation rule for a file, as sops finds it: the first whose path_regex matches somewhere in `path`.

    Raises SealingError when an earlier path_regex cannot be read.
    """
    for rule in config.get("creation_rules", []):
        pattern = rule.get("path_regex")
        if pattern is None or _compiled(str(pattern)).search(path):
            return mapping(rule)
    return None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A path_regex as Go reads it. Raises SealingError where one of the two cannot."""
    parts, bare, at, inside = [], "", 0, False
    while at < len(pattern):
        token = (_INSIDE if inside else _OUTSIDE).match(pattern, at)[0]  # type: ignore[index]  # it takes any sign
        at += len(token)
        if inside:
            token = _CLASSES.get(token[2:-2], token) if len(token) > 2 else token
            inside, token = token != "]", f"\\{token}" if token in ("[", "&", "|", "~") else token
        else:
            inside, bare = token.startswith("["), bare + (_ONE.sub(".", token))
            token = r"\Z" if token == r"\z" else token
        parts.append(token)
    if found := _NOT_IN_GO.search(bare):
        raise SealingError(f"{CONFIG}: path_regex {pattern!r} has {found[0]!r}, with which sops ends: write it without")
    try:
        return re.compile("".join(parts))
    except re.error:
        raise SealingError(f"{CONFIG}: path_regex {pattern!r} is not a regular expression: correct it") from None


def of_cluster(config: Mapping[str, Any], cluster: str) -> dict[str, Any] | None:
    """The creation rule that the Secrets of a cluster are sealed by."""
    return find(config, f"secrets/{cluster}/any.sops.yaml")


def is_needed(config: Mapping[str, Any], cluster: str, sealed: bool) -> bool:
    """Whether a cluster still has to get a rule: where none matches, or, as long as nothing is `sealed`, a general one.

    A general rule is for files of any folder.
    """
    entry = of_cluster(config, cluster)
    return entry is None or (not sealed and entry is find(config, "elsewhere/any.sops.yaml"))


def as_rule(entry: Mapping[str, Any]) -> Rule:
    """What a sealed file must agree with."""
    return Rule(of_rule(entry), str(entry.get("encrypted_regex", "")), entry.get("mac_only_encrypted") is True)


def clouds(entry: Mapping[str, Any]) -> bool:
    """Whether a rule names a key of a cloud, which sops then has to call."""
    return any(split(entry.get(field)) for field in KMS)


def problems(config: Mapping[str, Any], cluster: str, files: Iterable[str] = ()) -> list[str]:
    """What makes the rule of a cluster unsafe or unusable; sops itself accepts all of it.

    `files` are those that this rule has to be for, as paths from the root. Raises SealingError as `find` does.
    """
    entry = of_cluster(config, cluster)
    name = f"the rule of secrets/{cluster}/"
    if entry is None:
        return [f"no rule matches secrets/{cluster}/"]
    found = []
    if entry.get("path_regex") != path_regex(cluster):
        found.append(f"{name} has path_regex {entry.get('path_regex')!r}, not {path_regex(cluster)!r}")
    if unknown := sorted(map(str, set(entry) - _FIELDS)):
        found.append(f"{name} has a field that is not used here: {', '.join(unknown)}")
    meant = any("encrypted_" in each or closest(each, ["encrypted_regex"]) for each in unknown)
    if entry.get("encrypted_regex") != ENCRYPTED_REGEX and not meant:
        # any other one, also one that does not compile, leaves values in plaintext without an error
        found.append(f"{name} must have encrypted_regex {ENCRYPTED_REGEX}")
    recipients = split(entry.get("age"))
    if not recipients and not clouds(entry) and not unknown:
        found.append(f"{name} names no recipient")
    # never quoted: it may be a private key
    found += [f"{name} names a recipient that is not an age public key" for each in recipients if not is_age_key(each)]
    for field in KMS:
        if not all(is_kms_key(field, each) for each in split(entry.get(field))):
            found.append(f"{name} has a {field} that names no key of that cloud")
    found += [f"another rule than that of secrets/{cluster}/ comes first for {file}" for file in files
              if find(config, file) is not entry]  # fmt: skip
    return list(dict.fromkeys(found))


def path_regex(cluster: str) -> str:
    """The files that a cluster's rule is for."""
    return rf"^secrets/{cluster}/.*\.sops\.ya?ml$"


def add(text: str | None, cluster: str, recipients: Sequence[str], kms: Mapping[str, str]) -> str:
    """`.sops.yaml` with a rule for a cluster, before the first that would take its files, else at the end.

    `recipients` are age public keys, `kms` maps a field of the rule to a key of that cloud. Everything else keeps its
    meaning and, as far as ruamel.yaml can, its bytes. Raises SealingError when that cannot be.
    """
    rule = {"path_regex": path_regex(cluster), "encrypted_regex": ENCRYPTED_REGEX, "mac_only_encrypted": True}
    rule |= {"age": list(recipients), **kms}
    before = load(text)
    rules = before["creation_rules"]
    taken = of_cluster(before, cluster)
    at = next(number for number, each in enumerate([*rules, taken]) if each is taken)
    if text is None:
        return f"{_HEAD}creation_rules:\n{_render(rule)}{_TAIL}"
    if yaml.load(text, LOADER) is None:  # comments at most
        result = f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}creation_rules:\n{_render(rule)}"
    else:
        result = _edited(text, rule, at)
    if load(result) != {**before, "creation_rules": [*rules[:at], rule, *rules[at:]]}:
        raise SealingError(
            f"{CONFIG} has a layout that no rule can be added to: write creation_rules as a list, without an alias, "
            "one item `- path_regex: …` for each rule. Nothing was sealed."
        )
    return result


def unfit(text: str | None, cluster: str) -> tuple[str, str] | None:
    """What keeps a rule for a cluster from being added, and what to do about it; None where one can be."""
    try:
        add(text, cluster, ["age1"], {})
    except SealingError as error:
        said, _, todo = str(error).removesuffix(" Nothing was sealed.").rstrip(".").partition(": ")
        return (said.removeprefix(f"{CONFIG} "), todo) if said.startswith(CONFIG) else None
    return None


def _render(rule: Mapping[str, Any]) -> str:
    lines = []
    for field, value in rule.items():
        lines += [f"{field}:", *(f"  - {each}" for each in value)] if isinstance(value, list) else [f"{field}: {value}"]
    text = "\n".join(f"    {line}" for line in lines).replace(": True", ": true")
    return f"  - {text.lstrip()}\n"


def _edited(text: str, rule: Mapping[str, Any], at: int) -> str:
    """`text` with a rule at place `at` of its creation rules, by ruamel.yaml, which keeps comments and quotes."""
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted
        from ruamel.yaml.util import load_yaml_guess_indent
    except ImportError:
        raise SealingError(
            f"ruamel.yaml, which adds a rule to {CONFIG}, is not installed: run this as `uv run …`, and copier as "
            "`uvx --with ruamel.yaml --with pyrage copier …`. Nothing was sealed."
        ) from None
    try:
        editor = YAML()
        editor.preserve_quotes = True
        content, indent, sequence = load_yaml_guess_indent(text, yaml=editor)
        editor.width = 4096
        editor.explicit_start = True if re.match(r"(?:\s*#.*\n|\s*\n)*---", text) else None
        sequence = 2 if sequence is None else sequence
        editor.indent(mapping=2 if sequence else indent or 2, sequence=sequence + 2, offset=sequence)
        if not content.get("creation_rules"):
            content["creation_rules"] = []
        # in flow style sops reads `?` in another way unless it is quoted, and JSON stays JSON
        flow = any(each.fa.flow_style() for each in (content, content["creation_rules"]) if hasattr(each, "fa"))
        content["creation_rules"].insert(at, _quoted(rule, Quoted) if flow else dict(rule))
        out = io.StringIO()
        editor.dump(content, out)
    except (YAMLError, AttributeError, TypeError, ValueError) as error:
        raise SealingError(
            f"{CONFIG} cannot be edited ({type(error).__name__}): correct it, or take it from git history. "
            "Nothing was sealed."
        ) from None
    return out.getvalue().replace("\n", "\r\n") if "\r\n" in text else out.getvalue()


def _quoted(value: Any, quote: Callable[[str], str]) -> Any:
    """A value with all of its texts in quotes."""
    if isinstance(value, dict):
        return {quote(key): _quoted(each, quote) for key, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each, quote) for each in value]
    return quote(value) if isinstance(value, str) else value


def unread_stores(content: Mapping[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, what is wrong, what to do) of how .sops.yaml says that sealed files are laid out."""
    stores = mapping(content.get("stores"))
    places: list[tuple[Place, set[str]]] = [((str(key),), {"stores"}) for key in content]
    for store, settings in stores.items():
        places += [(("stores", str(store), str(key)), {"indent"}) for key in mapping(settings)]
        if store not in _STORES:
            near = closest(str(store), _STORES)
            fix = f"did you mean {near}?" if near else "take it out"
            yield ("stores", str(store)), f"sops has no store {store}", fix
    for place, known in places:
        indent = dig(content, *place) if place[-1] == "indent" else None
        if meant := closest(str(place[-1]), known):
            yield place, f"sops reads no {dotted(place)}", f"did you mean {meant}?"
        elif indent is not None and (isinstance(indent, bool) or not isinstance(indent, int)):
            yield place, f"{dotted(place)} is no number", "write indent: 2"
