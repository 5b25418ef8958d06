"""What a request looks like on the wire, without a credential in it: a line of the table in docs/keyless.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from tests.proxy.tokens import claims_of
from tests.proxy.vendors import Seen

Row = tuple[str, str, str]  # host, request, what it bears

# what a request bears, with its value where that is no credential
SHOWN = (
    *("Action", "RoleArn", "RoleSessionName", "grant_type", "audience", "scope", "subject_token_type", "client_id"),
    *("client_assertion_type", "metadata-flavor"),
)
SECRET = (
    *("WebIdentityToken", "subject_token", "client_assertion", "client_secret", "assertion"),
    *("x-amz-security-token", "api-key"),
)
SIGNED = re.compile(r"(AWS4-HMAC-SHA256) Credential=(A...)[^/]*/\d+/([^/]+)/([^/]+)/.*")
PLACES = (  # what differs from one request to the next -> what stands for it
    (re.compile(r"/model/[^/]+/"), "/model/<model>/"),
    (re.compile(r"/models/[^/:]+:"), "/models/<model>:"),
    (re.compile(r"/deployments/[^/]+/"), "/deployments/<deployment>/"),
    (re.compile(r"\?(?!api-version|recursive).*"), ""),
    (re.compile(r"botocore-session-\d+"), "botocore-session-…"),
)


def rows(journal: Iterable[Seen], names: Mapping[str, str]) -> list[Row]:
    """Each kind of request, in the order in which they first came; `names` maps values to what stands for them."""
    found = []
    for seen in journal:
        row = (seen.host, f"{seen.request.method} {seen.request.target}", ", ".join(_bears(seen)))
        found.append((_anonymous(row[0], names), _anonymous(row[1], names), _anonymous(row[2], names)))
    return list(dict.fromkeys(found))


def table(of: Mapping[str, list[Row]]) -> list[str]:
    """Lines of Markdown: method -> its requests, those together that go to one host and bear the same."""
    lines = ["| method | host | requests | each bears |", "| --- | --- | --- | --- |"]
    for method, found in of.items():
        requests: dict[tuple[str, str], list[str]] = {}
        for host, request, bears in found:
            requests.setdefault((host, bears), []).append(f"`{request}`")
        name = f" `{method}`"
        for (host, bears), each in requests.items():
            lines.append(f"|{name} | `{host}` | {', '.join(each)} | {bears} |".replace("|  |", "| |"))
            name = ""
    return lines


def _anonymous(text: str, names: Mapping[str, str]) -> str:
    for pattern, instead in PLACES:
        text = pattern.sub(instead, text)
    for value, name in names.items():
        text = text.replace(value, name)
    return text


def _bears(seen: Seen) -> list[str]:
    request, found = seen.request, []
    authorization = request.headers.get("authorization", "")
    if signed := SIGNED.fullmatch(authorization):
        found.append(f"`authorization: {signed[1]} Credential={signed[2]}…/{signed[3]}/{signed[4]}`")
    elif authorization:
        scheme, space, _ = authorization.rpartition(" ")
        found.append(f"`authorization: {scheme}{space}{_hidden(authorization)}`")
    fields = {**_fields(request.headers.get("content-type", ""), request.body), **request.headers}
    found += [f"`{name}: {fields[name]}`" for name in SHOWN if name in fields]
    return found + [f"`{name}: {_hidden(fields[name])}`" for name in SECRET if name in fields]


def _hidden(credential: str) -> str:
    """What stands for a credential: whether it is the token that the kubelet gave to the pod, or another one."""
    try:
        ours = "kubernetes.io" in claims_of(credential)
    except (ValueError, IndexError):
        ours = False
    return "<token>" if ours else "…"


def _fields(kind: str, body: bytes) -> dict[str, str]:
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode()))
    if kind.startswith("application/json"):
        given = json.loads(body)
        return {"scope": " ".join(given["scope"])} if "scope" in given else {}
    return {}
