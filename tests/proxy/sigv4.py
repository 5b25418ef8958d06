"""AWS Signature Version 4, on the side that verifies it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from tests.e2e.web import Request

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/([^/]+)/([^/]+)/aws4_request), ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Signed:
    """Who signed a request, and for what."""

    key_id: str
    region: str
    service: str


def verify(request: Request, secrets: Mapping[str, str]) -> Signed | None:
    """Who signed the request, if it was with one of these: access key id -> secret access key."""
    match = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if match is None or match[1] not in secrets:
        return None
    key_id, scope, region, service, names, given = match.groups()
    good = hmac.compare_digest(signature(request, names, scope, secrets[key_id]), given)
    return Signed(key_id, region, service) if good else None


def verify_presigned(url: str, secrets: Mapping[str, str]) -> Signed | None:
    """The same of a URL without its scheme, which is signed in its query."""
    address, _, query = url.partition("/?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    key_id, _, scope = given.get("X-Amz-Credential", "").partition("/")
    if key_id not in secrets or len(scope.split("/")) != 4:
        return None
    found = given.pop("X-Amz-Signature", "")
    headers = {"host": address, "x-amz-date": given.get("X-Amz-Date", "")}
    request = Request("GET", f"/?{urlencode(given)}", headers, b"")
    good = hmac.compare_digest(signature(request, given.get("X-Amz-SignedHeaders", ""), scope, secrets[key_id]), found)
    return Signed(key_id, *scope.split("/")[1:3]) if good else None


def signature(request: Request, names: str, scope: str, secret: str) -> str:
    """The signature of a request.

    `names` are the headers that are signed, `scope` is <date>/<region>/<service>/aws4_request.
    """
    path, _, query = request.target.partition("?")
    canonical = "\n".join(
        [
            request.method,
            quote(path, safe="/-_.~"),  # every service but S3 encodes the path of the request again
            "&".join(
                f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                for name, value in sorted(parse_qsl(query, keep_blank_values=True))
            ),
            *(f"{name}:{request.headers.get(name, '').strip()}" for name in names.split(";")),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers.get('x-amz-date', '')}\n{scope}\n{digest}"
    key = b"AWS4" + secret.encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
