"""Whether the key of a service account of Google is one: its fields, and the private key in it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from litellm_gitops.sealing import placeholders

_AGAIN = "Download the key again"
_UNREADABLE = 'has a "private_key" that no library can read: '
# Where Google hands out tokens, and the clouds that partners of Google run under their own names:
# https://cloud.google.com/iam/docs/service-account-creds
_TOKEN_URI = r"https://(?:accounts\.google\.com|(?:[\w-]+\.)+(?:googleapis\.com|goog|s3nsapis\.fr))/[\w./-]*"
# field -> (what it looks like, what is wrong with another)
_FIELDS = {
    "project_id": (
        r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        'has a "project_id" that is no id of a project',
    ),
    "client_email": (
        r"[^@\s]+@(?:[\w-]+\.)*gserviceaccount\.com",
        'has a "client_email" that is not the address of a service account',
    ),
    "universe_domain": (r"googleapis\.com|[\w.-]+\.goog|s3nsapis\.fr", 'has a "universe_domain" that is not Google\'s'),
    "token_uri": (_TOKEN_URI, 'has a "token_uri" that is not Google\'s: whoever is there would get a signed request'),
}
_DOCUMENTATION = re.compile(
    r"(?i:(?:.*@)?(?:your[-_]|<|\[|(?:my[-_])?project[-_]id\b|projectid\b|example[-_]project\b))"
)
_PEM = re.compile(
    r"\s*-----BEGIN (?P<kind>(?:RSA |EC )?PRIVATE KEY)-----[ \t\r]*\s"
    r"(?P<body>[A-Za-z0-9+/=\s]+?)\s-----END (?P=kind)-----\s*"
)
_INTEGER, _OCTETS, _OID, _SEQUENCE = 0x02, 0x04, 0x06, 0x30
_RSA = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1, rsaEncryption


def problem(text: str) -> str | None:
    """What is wrong with the content of gcp-service-account.json, as `forms.problem` says it; None if nothing is."""
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except _TwiceError:
        return f"gives a field twice, so that libraries read it in different ways. {_AGAIN}"
    except (ValueError, RecursionError):
        # what Terraform's google_service_account_key gives
        encoded = re.fullmatch(r"(?:ewog|eyJ|ew0K)[A-Za-z0-9+/\s]+=*\s*", text)
        return "is in base64: decode it first, with `base64 -d`" if encoded else "is not JSON: download the key again"
    if not isinstance(content, dict) or content.get("type") != "service_account":
        return 'is not the key of a service account: its "type" must be "service_account"'
    for field in ("project_id", "private_key", "client_email", "token_uri"):
        if not isinstance(content.get(field), str) or not content[field]:
            return f'is not the key of a service account: it lacks "{field}"'
    return _fields(content) or _private_key(content["private_key"])


class _TwiceError(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError
    return found


def _fields(content: dict[str, Any]) -> str | None:
    for field in (*_FIELDS, "private_key_id"):
        value = str(content.get(field, ""))
        documented = _DOCUMENTATION.match(value) or (
            field == "private_key_id" and placeholders.is_documented(value, secret=True)
        )
        if documented or placeholders.unresolved(value):
            return f'has a "{field}" that documentation writes in place of a value. {_AGAIN}'
    for field, (form, what) in _FIELDS.items():
        if not re.fullmatch(form, str(content.get(field, "googleapis.com"))):
            return f"{what}. {_AGAIN}"
    return None


def _private_key(pem: str) -> str | None:
    if not pem.lstrip().startswith("-----BEGIN "):
        return 'is not the key of a service account: its "private_key" is not a PEM block'
    if "\\n" in pem:
        return rf"{_UNREADABLE}it holds \\n where \n belongs. {_AGAIN}"
    if re.search(r"\n[ \t\r]*\n[ \t\r]*[A-Za-z0-9+/=]", pem.strip()):
        return f"{_UNREADABLE}empty lines stand in it. {_AGAIN}"
    match = _PEM.fullmatch(pem)
    try:
        der = base64.b64decode("".join(match["body"].split()), validate=True) if match else b""
        kind = match["kind"] if match else ""
        whole = _is_rsa(der) if kind.startswith("RSA") else _is_ec(der) if kind.startswith("EC") else _is_pkcs8(der)
    except (binascii.Error, ValueError, IndexError):
        whole = False
    return None if whole else f"{_UNREADABLE}it is cut off or damaged. {_AGAIN}"


# ---------------------------------------------------------------------------------------------------------------------
# DER (X.690): only what a private key is made of. It says whether the key is whole, and computes nothing with it.


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) of each value in a text of DER. Raises ValueError or IndexError where it is cut off."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            raise ValueError("cut off")
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _sequence(der: bytes) -> list[tuple[int, bytes]]:
    ((tag, content),) = _parts(der)
    if tag != _SEQUENCE:
        raise ValueError("no sequence")
    return _parts(content)


def _is_pkcs8(der: bytes) -> bool:
    """RFC 5208: a version, the algorithm, the key in it."""
    version, (algorithm_tag, algorithm), (key_tag, key), *_ = _sequence(der)
    if version[0] != _INTEGER or (algorithm_tag, key_tag) != (_SEQUENCE, _OCTETS):
        return False
    oid = _parts(algorithm)[0]
    return oid[0] == _OID and (_is_rsa(key) if oid[1] == _RSA else _is_ec(key))


def _is_ec(der: bytes) -> bool:
    """RFC 5915: version 1 and the key."""
    (tag, version), (key_tag, key), *_ = _sequence(der)
    return (tag, version, key_tag) == (_INTEGER, b"\x01", _OCTETS) and len(key) >= 16


def _is_rsa(der: bytes) -> bool:
    """RFC 8017, appendix A.1.2: nine numbers, of which each follows from others. A byte that differs shows in one."""
    parts = _sequence(der)
    if [tag for tag, _ in parts] != [_INTEGER] * 9:
        return False
    version, n, e, d, p, q, dp, dq, inverse = (int.from_bytes(content, "big") for _, content in parts)
    if version or min(n, e, d, p, q, inverse) < 2 or p * q != n:
        return False
    exponents = (dp, dq) == (d % (p - 1), d % (q - 1)) and e * dp % (p - 1) == e * dq % (q - 1) == 1
    return exponents and inverse * q % p == 1
