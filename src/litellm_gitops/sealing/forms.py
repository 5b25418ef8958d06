"""What a value must look like before it is sealed, by the `form` of its source in the auth matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from litellm_gitops.credentials import COPILOT_TOKEN
from litellm_gitops.sealing import placeholders, service_account

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?=[A-Za-z0-9.-]{{1,253}}(?::|\Z)){_LABEL}(?:\.{_LABEL})*"
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
# no name ends in one, and this is no IPv4 address
_NUMBER = rf"(?!{_BYTE}(?:\.{_BYTE}){{3}}(?::|\Z))(?:.*\.)?[0-9]+(?::.*)?"
_PORT = r"0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_TEXT = (
    r"[^\x00-\x1f\x7f\ud800-\udfff]+",
    "holds a line break, another control character, or bytes that are not UTF-8",
)
# form -> (pattern, what is wrong with a value that does not match)
FORMS: Mapping[str, tuple[str, str]] = {
    "text": _TEXT,
    "password": _TEXT,
    "url_password": _TEXT,
    # the proxy makes a URL of it with urllib's quote_plus, and no database reads + as a space
    "encoded_password": (r"[^\x00-\x20\x7f\ud800-\udfff]+", f"{_TEXT[1]}, or a space"),
    # it goes through a header, and the proxy compares it as ASCII
    "master_key": (r"[ -~]+", "holds a character that no header carries: take letters, digits, - and _"),
    "salt_key": _TEXT,
    "azure_client_secret": (r"[ -~]+", f"{_TEXT[1]}, or a character that is not ASCII"),
    "azure_api_key": (r"[ -~]+", f"{_TEXT[1]}, or a character that is not ASCII"),
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
        "is not a GitHub token that Copilot takes, or not a whole one (gho_… or ghu_…): make one with "
        "hooks/get_copilot_token.py",
    ),
    "url_unreserved": (
        r"[A-Za-z0-9._~-]+",
        "holds a character other than letters, digits and . _ ~ -, but the chart puts it as it is "
        "into the database URL: choose another one",
    ),
    "url_host": (
        rf"{_HOST}(?::{_PORT})?",
        "is not a host name, or a host name and a port: leave out the scheme and the database",
    ),
    "host": (
        _HOST,
        "is not a host name alone: leave out scheme, port and database (a login without a password takes port 5432)",
    ),
}
# what a chart, or else the proxy, makes a part of a URL of
PASSWORDS = ("url_password", "encoded_password")
# What can be no other text than a person or a machine made up to be secret; not the salt key: what an installation has
# encrypted its database with, however bad, opens it.
_SECRET = ("text", "password", *PASSWORDS, "master_key", "azure_client_secret", "azure_api_key")
# made by a vendor, of signs among which no space and no quotation mark is
_VENDOR = (
    *("master_key", "azure_client_secret", "azure_api_key", "aws_access_key_id", "aws_secret_access_key", "uuid"),
    *("github_token", "url_unreserved", "url_host", "host"),
)
_AROUND = " \t\u00a0\u200b\u200c\u200d\u2060\ufeff\"'`“”‘’"
# form -> what is wrong -> values that have the form, and cannot work
_UNUSABLE: Mapping[str, Mapping[str, str]] = {
    "master_key": {
        "is the key that LiteLLM's documentation shows: leave it out, and one is made": r"sk-?[0-9]{0,6}",
    },
    "azure_client_secret": {
        # of those that Entra ID has made since 2021: 40 characters
        "is cut off": r".{3}[0-9]Q~.{0,30}|.{1,31}\.{3}|.{1,7}",
        "is a thumbprint or an id, not a secret": r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}",
        "is the key of an Azure resource": r"[A-Za-z0-9]{52}JQQJ9[9D][A-Za-z0-9]{10,}",
    },
    "azure_api_key": {
        "is cut off": r".{1,31}\.{3}|.{1,7}",
        "is a client secret of Entra ID, not the key of a resource": r".{3}[0-9]Q~[\w.~-]{31,34}",
    },
    "aws_secret_access_key": {"is a checksum, or the name of a commit": r"[0-9a-f]{40}|[0-9A-F]{40}"},
    "github_token": {placeholders.DOCUMENTATION: r"gho_16C7e42F(?:292c6912E7710c838347Ae178B4a)"},
    **{
        form: {
            placeholders.DOCUMENTATION: r".*[xX]{6,}.*",
            "ends in a number, as no name of a host does, and is no IPv4 address": _NUMBER,
        }
        for form in ("url_host", "host")
    },
}
# form -> what stands before the part of a value that its vendor takes at random
_RANDOM = {
    "aws_access_key_id": r"AKIA",
    "aws_secret_access_key": "",
    "github_token": r"gh[a-z]_",
    "azure_client_secret": "",
    "azure_api_key": "",
    "master_key": r"sk-",
}
_ID = "is the id of a client secret, not its value, which Azure shows once, when the secret is made"


def problem(text: str, form: str) -> str | None:
    """What is wrong with a value for its form, as the end of a sentence that never repeats it; None if nothing is."""
    if form == "gcp_service_account":
        return service_account.problem(text)
    if said := _in_place(text, form):
        return said
    bare = text.strip(_AROUND + "{}()")
    if form.startswith("azure_") and re.fullmatch(_UUID, bare):
        return _ID if form == "azure_client_secret" else "is an id (a UUID), not a key"
    around = _AROUND + ("{}()[]<>,;" if form in ("uuid", "github_token") or form.startswith("aws_") else "")
    if form in _VENDOR and text.strip(around) != text and re.fullmatch(FORMS[form][0], text.strip(around)):
        return "has quotation marks, braces, spaces or invisible characters around it: leave them out"
    pattern, what = FORMS[form]
    return _unusable(text, form) if re.fullmatch(pattern, text) else what


def _in_place(text: str, form: str) -> str | None:
    """Why a text stands in place of a value and is none."""
    if said := placeholders.unresolved(text):
        return said
    secret = form in _SECRET or form.startswith("aws_") or form == "github_token"
    if form != "salt_key" and placeholders.is_documented(text, secret=secret):
        return placeholders.DOCUMENTATION
    return placeholders.of_another_kind(text) if form in _SECRET else None


def _unusable(text: str, form: str) -> str | None:
    for what, pattern in _UNUSABLE.get(form, {}).items():
        if re.fullmatch(pattern, text):
            return what
    random = form in _RANDOM and placeholders.is_pattern(re.sub(rf"\A{_RANDOM[form]}", "", text))
    if random or (form == "uuid" and placeholders.is_invented(text)):
        return placeholders.DOCUMENTATION
    return None


def same(values: Iterable[tuple[str, str, str]]) -> list[str]:
    """The keys of a Secret that have one id, of which each must have its own, of (key, form, text)."""
    ids: dict[str, list[str]] = {}
    for key, form, text in values:
        if form == "uuid":
            ids.setdefault(text.lower(), []).append(key)
    return next((keys for keys in ids.values() if len(keys) > 1), [])


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
