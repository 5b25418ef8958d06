"""What a value must look like before it is sealed, by the `form` of its source in the auth matrix."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from litellm_gitops.credentials import COPILOT_TOKEN

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TEXT = (
    r"[^\x00-\x1f\x7f\ud800-\udfff]+",
    "holds a line break, another control character, or bytes that are not UTF-8",
)
# form -> (pattern, what is wrong with a value that does not match)
_FORMS: Mapping[str, tuple[str, str]] = {
    "text": _TEXT,
    "url_password": _TEXT,
    # the proxy makes a URL of it with urllib's quote_plus, and no database reads + as a space
    "encoded_password": (r"[^\x00-\x20\x7f\ud800-\udfff]+", f"{_TEXT[1]}, or a space"),
    "azure_client_secret": _TEXT,
    "aws_access_key_id": (
        r"AKIA[A-Z0-9]{16}",
        "is not the access key id of an AWS user: AKIA and 16 capital letters or digits "
        "(ASIA… is a temporary key, which expires)",
    ),
    "aws_secret_access_key": (
        r"[A-Za-z0-9/+]{40}",
        "is not the secret access key of an AWS user: 40 letters, digits, + and /",
    ),
    "uuid": (_UUID, "is not a UUID such as 0f0e0d0c-0b0a-0908-0706-050403020100"),
    "github_token": (
        COPILOT_TOKEN,
        "is not a GitHub token that Copilot takes (gho_… or ghu_…): make one with hooks/get_copilot_token.py",
    ),
    "url_unreserved": (
        r"[A-Za-z0-9._~-]+",
        "holds a character other than letters, digits and . _ ~ -, but the chart puts it as it is "
        "into the database URL: choose another one",
    ),
    "url_host": (
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?",
        "is not a host name, or a host name and a port: leave out the scheme and the database",
    ),
    "host": (
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?",
        "is not a host name alone: leave out scheme, port and database (a login without a password takes port 5432)",
    ),
}
# what a chart, or else the proxy, makes a part of a URL of
PASSWORDS = ("url_password", "encoded_password")
# What documentation writes in place of a value: YOUR_SECRET, <secret>, %%SECRET%%, ${SECRET}, change-me, xxxx, AWS's
# …EXAMPLE and …EXAMPLEKEY, and a UUID of one digit.
_DOCUMENTATION = re.compile(
    r"(?i:your|my)[-_ ](?:[\w-]+[-_ ])?(?i:key|secret|token|password|passwd|id|host|user|username|value)(?i:[-_ ]here)?"
    r"|(?i:your)[-_][\w-]*|<[A-Za-z][\w .-]*>|%%\w+%%|\$\{\w+\}|\{\{.*\}\}|__[A-Za-z]\w*__"
    r"|(?i:change[-_ ]?(?:me|it)|replace[-_ ]?(?:me|this)|insert[-_ ].*[-_ ]here|placeholder|redacted|todo|tbd|dummy)"
    r"|(?:gh[a-z]_|AKIA|sk-)?[xX]{4,}|\*{3,}|\.{3,}|…|[A-Za-z0-9/+]*EXAMPLE(?:KEY)?"
    r"|([0-9a-fA-F])(?:-?\1){31}|12345678-1234-1234-1234-123456789(?:012|abc)"
)
_PEM = re.compile(
    r"\s*-----BEGIN (?P<kind>(?:RSA |EC )?PRIVATE KEY)-----\s+(?P<body>[A-Za-z0-9+/=\s]+?)\s+-----END (?P=kind)-----\s*"
)


def problem(text: str, form: str) -> str | None:
    """What is wrong with a value for its form, as the end of a sentence that never repeats it; None if nothing is."""
    if form == "gcp_service_account":
        return _service_account(text)
    if _DOCUMENTATION.fullmatch(text):
        return "is what documentation writes in place of a value: give your own"
    if form == "uuid" and re.fullmatch(rf"\{{{_UUID}\}}", text):
        return "is a UUID in braces: leave out the braces"
    if form == "azure_client_secret" and re.fullmatch(_UUID, text):
        return "is the id of a client secret, not its value, which Azure shows once, when the secret is made"
    pattern, what = _FORMS[form]
    return None if re.fullmatch(pattern, text) else what


def sealed(text: str, form: str) -> str:
    """The text that is sealed for a value: percent-encoded where the chart puts it into a URL as it is (RFC 3986)."""
    return quote(text, safe="") if form == "url_password" else text


def sealed_as(text: str, form: str) -> str | None:
    """Whether what is sealed of a value is its percent-encoded text: "true" or "false", as the annotation has it.

    None where that makes no difference, or where the form does not know it.
    """
    if form not in PASSWORDS or quote(text, safe="") == text:
        return None
    return "true" if form == "url_password" else "false"


def _service_account(text: str) -> str | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return "is not JSON: download the key of the service account again"
    if not isinstance(content, dict) or content.get("type") != "service_account":
        return 'is not the key of a service account: its "type" must be "service_account"'
    for field in ("project_id", "private_key", "client_email", "token_uri"):
        if not isinstance(content.get(field), str) or not content[field]:
            return f'is not the key of a service account: it lacks "{field}"'
    key = content["private_key"]
    if not key.lstrip().startswith("-----BEGIN "):
        return 'is not the key of a service account: its "private_key" is not a PEM block'
    if "\\n" in key:
        return r'has a "private_key" that no library can read: it holds \\n where \n belongs. Download the key again'
    if not _is_private_key(key):
        return 'has a "private_key" that no library can read: it is cut off or damaged. Download the key again'
    return None


def _is_private_key(pem: str) -> bool:
    """Whether a PEM block holds one whole DER sequence that begins as private keys do (RFC 5208, 8017, 5915)."""
    match = _PEM.fullmatch(pem)
    try:
        der = base64.b64decode("".join(match["body"].split()), validate=True) if match else b""
    except binascii.Error:
        return False
    if len(der) < 64 or der[0] != 0x30:
        return False
    size = der[1] & 0x7F if der[1] & 0x80 else 0  # the bytes that say how long it is
    length = int.from_bytes(der[2 : 2 + size], "big") if size else der[1]
    return len(der) == 2 + size + length and der[2 + size :][:3] in (b"\x02\x01\x00", b"\x02\x01\x01")
