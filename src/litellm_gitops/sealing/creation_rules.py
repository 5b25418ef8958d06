"""`.sops.yaml`: one creation rule for each environment. It is the operator's: rules are added, never changed.

Format: https://getsops.io/docs/#using-sopsyaml-conf-to-select-kms-pgp-and-age-for-new-files
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sealing.errors import SealingError
from sealing.keyless import ENCRYPTED_REGEX, LOADER, Rule

CONFIG = ".sops.yaml"
# The fields of a rule for the key services of the clouds. Any one of a rule's keys, or an age key, decrypts.
KMS = ("kms", "gcp_kms", "azure_keyvault")
_HEAD = """\
# For whom each environment's Secrets are encrypted; the first rule that matches a file's path wins.
# After a change of recipients: python hooks/seal_secrets.py --rekey
creation_rules:
"""
_TAIL = """\
stores:
  yaml:
    indent: 2
"""


def load(root: Path) -> dict[str, Any]:
    """The content of `.sops.yaml`, empty when it is not there. Raises SealingError when it is no configuration."""
    try:
        content = yaml.load((root / CONFIG).read_text("utf-8"), LOADER)
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SealingError(f"{CONFIG} is not valid YAML: correct it, or take it from git history") from None
    rules = content.get("creation_rules") if isinstance(content, dict) else None
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise SealingError(f"{CONFIG} has no list `creation_rules`: correct it, or take it from git history")
    assert isinstance(content, dict)
    return content


def find(config: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """The creation rule for a file, as sops finds it: the first whose path_regex matches somewhere in `path`."""
    for rule in config.get("creation_rules", []):
        pattern = rule.get("path_regex")
        try:
            if pattern is None or re.search(str(pattern), path):
                assert isinstance(rule, dict)
                return rule
        except re.error:
            raise SealingError(f"{CONFIG}: path_regex {pattern!r} is not a regular expression: correct it") from None
    return None


def as_rule(entry: Mapping[str, Any]) -> Rule:
    """What a sealed file must agree with."""
    return Rule(
        recipients={
            "age": split(entry.get("age")),
            "kms": split(entry.get("kms")),
            "gcp_kms": split(entry.get("gcp_kms")),
            # https://VAULT/keys/NAME/VERSION stands in a file as its three parts
            "azure_kv": [key.replace("/keys/", "/") for key in split(entry.get("azure_keyvault"))],
        },
        encrypted_regex=str(entry.get("encrypted_regex", "")),
        mac_only_encrypted=entry.get("mac_only_encrypted") is True,
    )


def clouds(entry: Mapping[str, Any]) -> bool:
    """Whether a rule names a key of a cloud, which sops then has to call."""
    return any(split(entry.get(field)) for field in KMS)


def problems(config: Mapping[str, Any], environment: str, files: Iterable[str] = ()) -> list[str]:
    """What makes the rule of an environment unsafe or unusable; sops itself accepts all of it.

    `files` are those that this rule has to be for, as paths from the root.
    """
    entry = find(config, f"secrets/{environment}/any.sops.yaml")
    if entry is None:
        return [f"no rule matches secrets/{environment}/"]
    found = []
    if entry.get("path_regex") != path_regex(environment):
        found.append(
            f"the rule of secrets/{environment}/ has path_regex {entry.get('path_regex')!r}, "
            f"not {path_regex(environment)!r}"
        )
    unknown = set(entry) - {"path_regex", "encrypted_regex", "mac_only_encrypted", "age", *KMS}
    if unknown:
        fields = sorted(map(str, unknown))
        found.append(f"the rule of secrets/{environment}/ has a field that is not used here: {', '.join(fields)}")
    if entry.get("encrypted_regex") != ENCRYPTED_REGEX:
        # any other one, also one that does not compile, leaves values in plaintext without an error
        found.append(f"the rule of secrets/{environment}/ must have encrypted_regex {ENCRYPTED_REGEX}")
    recipients = split(entry.get("age"))
    if not recipients and not clouds(entry):
        found.append(f"the rule of secrets/{environment}/ names no recipient")
    if not all(re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", recipient) for recipient in recipients):
        found.append(f"the rule of secrets/{environment}/ names a recipient that is not an age public key")
    for file in files:
        if find(config, file) is not entry:
            found.append(f"another rule than that of secrets/{environment}/ comes first for {file}")
    return found


def path_regex(environment: str) -> str:
    """The files that an environment's rule is for."""
    return rf"^secrets/{environment}/.*\.sops\.ya?ml$"


def add(text: str | None, environment: str, recipients: Sequence[str], kms: Mapping[str, str]) -> str:
    """`.sops.yaml` with a rule for `environment` at the end of its creation rules, the rest to the byte as it was.

    `recipients` are age public keys, `kms` maps a field of the rule to a key of that cloud.
    Raises SealingError when the file is laid out so that the rule cannot be added without a change of the rest.
    """
    rule = _render(environment, recipients, kms)
    if text is None:
        return _HEAD + rule + _TAIL
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    rules = next(value for key, value in root.value if key.value == "creation_rules")
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    last = rules.value[-1].end_mark if rules.value else rules.end_mark
    at = last.line + (1 if last.column else 0)
    while at and not lines[at - 1].strip():
        at -= 1
    column = rules.start_mark.column
    indented = "".join(f"{' ' * column}{line[2:]}" for line in rule.splitlines(keepends=True))
    result = "".join(lines[:at]) + indented + "".join(lines[at:])
    before, after = yaml.load(text, LOADER), _parsed(result)
    wanted = {**before, "creation_rules": [*before["creation_rules"], *yaml.load(rule, LOADER)]}
    if after != wanted:
        raise SealingError(
            f"{CONFIG} has a layout that cannot be added to: add this rule to creation_rules yourself\n{rule}"
        )
    return result


def split(value: Any) -> list[str]:
    """Recipients of a rule: sops takes a list, or one text with commas."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def _parsed(text: str) -> Any:
    try:
        return yaml.load(text, LOADER)
    except yaml.YAMLError:
        return None


def _render(environment: str, recipients: Sequence[str], kms: Mapping[str, str]) -> str:
    lines = [
        f"  - path_regex: {path_regex(environment)}",
        f"    encrypted_regex: {ENCRYPTED_REGEX}",
        "    mac_only_encrypted: true",
        "    age:",
        *(f"      - {recipient}" for recipient in recipients),
        *(f"    {field}: {key}" for field, key in kms.items()),
    ]
    return "\n".join(lines) + "\n"
