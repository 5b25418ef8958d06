"""For whom something is encrypted: what a creation rule of `.sops.yaml` names, and what a sealed file names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

ENCRYPTED_REGEX = "^(data|stringData)$"
# key type in a sealed file -> the entries that identify one key there, in the order in which a rule spells them
KEY_TYPES: Mapping[str, tuple[str, ...]] = {
    "age": ("recipient",),
    "kms": ("arn",),
    "gcp_kms": ("resource_id",),
    "azure_kv": ("vault_url", "name", "version"),
}
# The fields of a rule for the key services of the clouds. Any one of a rule's keys, or an age key, decrypts.
KMS = ("kms", "gcp_kms", "azure_keyvault")

# What keeps a rule from sending a cloud's login elsewhere: such a key lies with that cloud, and in no other place.
_KMS_KEYS: Mapping[str, str] = {
    "kms": r"arn:aws(?:-cn|-us-gov)?:kms:[a-z0-9-]+:[0-9]{12}:(?:key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)",
    "gcp_kms": r"projects/[\w:.-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+(?:/cryptoKeyVersions/[0-9]+)?",
    "azure_keyvault": r"https://[a-z0-9-]+[.](?:vault|managedhsm)[.](?:azure[.]net|azure[.]cn|usgovcloudapi[.]net)"
    r"/keys/[A-Za-z0-9-]+(?:/[0-9a-f]{32})?",
}
_AGE_KEY = re.compile(r"age1([02-9ac-hj-np-z]{58})")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@dataclass(frozen=True)
class Rule:
    """A creation rule, as far as a sealed file can be compared with it.

    `recipients` maps a key type to the keys of the rule, each as it stands in a sealed file, its parts joined with `/`.
    """

    recipients: Mapping[str, Sequence[str]] = field(default_factory=dict)
    encrypted_regex: str = ENCRYPTED_REGEX
    mac_only_encrypted: bool = True

    def __hash__(self) -> int:
        """So that what is found by a rule can be cached: `recipients` has no hash, and no need of one."""
        return hash((self.encrypted_regex, self.mac_only_encrypted))


def split(value: Any) -> list[str]:
    """The recipients in a field of a rule: sops takes a list, or one text with commas."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [*dict.fromkeys(str(part).strip() for part in parts if str(part).strip())]


def of_rule(entry: Mapping[str, Any]) -> dict[str, list[str]]:
    """The keys that a creation rule names, by key type."""
    return {
        "age": split(entry.get("age")),
        "kms": split(entry.get("kms")),
        "gcp_kms": split(entry.get("gcp_kms")),
        # https://VAULT/keys/NAME/VERSION stands in a file as its three parts
        "azure_kv": [key.replace("/keys/", "/") for key in split(entry.get("azure_keyvault"))],
    }


def named(entry: Mapping[str, Any]) -> list[str]:
    """Every recipient of a creation rule, as the rule spells it."""
    return list(dict.fromkeys(key for field in ("age", *KMS) for key in split(entry.get(field))))


def is_recipient(text: str) -> bool:
    """Whether this is an age public key, or the name of a key of one of the clouds."""
    return is_age_key(text) or any(is_kms_key(field, text) for field in KMS)


def is_kms_key(field: str, text: str) -> bool:
    """Whether this names a key of the cloud that a field of a rule is for."""
    return re.fullmatch(_KMS_KEYS[field], text) is not None


def of_metadata(listed: yaml.Node | None, kind: str) -> list[tuple[str, yaml.Node]]:
    """(the key as a rule names it, its node) of every entry of one key type in the metadata of a sealed file."""
    found = []
    for entry in listed.value if isinstance(listed, yaml.SequenceNode) else ():
        pairs = entry.value if isinstance(entry, yaml.MappingNode) else ()
        fields = {str(key.value): str(value.value) for key, value in pairs}
        found.append(("/".join(fields.get(part, "") for part in KEY_TYPES[kind]), entry))
    return found


def of_file(value: Any) -> dict[str, list[str]]:
    """The same as `of_rule` for the content of a sealed file."""
    meta = value.get("sops") if isinstance(value, dict) else None
    found: dict[str, list[str]] = {}
    for kind, parts in KEY_TYPES.items():
        entries = meta.get(kind) if isinstance(meta, dict) else None
        known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        found[kind] = ["/".join(str(entry.get(part, "")) for part in parts) for entry in known]
    return found


def is_age_key(text: str) -> bool:
    """Whether this is an age public key, its checksum included (BIP 173)."""
    match = _AGE_KEY.fullmatch(text)
    if not match:
        return False
    check = 1
    prefix = [ord(letter) >> 5 for letter in "age"] + [0] + [ord(letter) & 31 for letter in "age"]
    for value in (*prefix, *map(_BECH32.index, match[1])):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= part if top >> bit & 1 else 0
    return check == 1
