"""Tokens of ServiceAccounts: a real issuer, and how a cloud verifies what it gets.

The issuer is the API server of `make e2e`: it mints by TokenRequest, as for a kubelet, and publishes its keys.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.e2e.controlplane import ControlPlane
from tests.e2e.processes import Run

ISSUER = "https://oidc.example.com/clusters/own/"  # that of AKS ends in a slash, too
OTHER_ISSUER = "https://oidc.example.com/clusters/other/"
NAMESPACE = ACCOUNT = "litellm"
MIGRATIONS = "litellm-migrations"
OTHER = "other"  # a namespace, and a ServiceAccount in both


class RefusedError(Exception):
    """The vendor refuses a request; the message says why, and holds no credential."""


@dataclass(frozen=True)
class Trust:
    """Whose tokens a cloud takes; each is compared byte for byte."""

    issuer: str
    subject: str
    audience: str


@dataclass(frozen=True)
class Asked:
    """A token that a pod has in a file: for whom, for how long."""

    path: str
    audience: str
    seconds: int


@dataclass
class Issuer:
    """A cluster's API server."""

    plane: ControlPlane
    forger: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False)

    def mint(self, audience: str, seconds: int, namespace: str = NAMESPACE, account: str = ACCOUNT) -> str:
        """A new token of a ServiceAccount."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        token: str = self.plane.api.create(path, request)["status"]["token"]
        return token

    def forged(self, token: str, **claims: str) -> str:
        """The token with other claims, signed by a cluster that nobody trusts, with a key of the same name."""
        head, body, _ = token.split(".")
        changed = _encoded(json.dumps({**json.loads(decoded(body)), **claims}).encode())
        signed = f"{head}.{changed}"
        return f"{signed}.{_encoded(self.forger.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def published(self) -> dict[str, Any]:
        """The keys by which anybody can verify a token."""
        return self.plane.api.get("/openid/v1/jwks")


@contextmanager
def issuing(run: Run, authority: trustme.CA) -> Iterator[Issuer]:
    """The issuer, with the account of the proxy and others."""
    with ControlPlane(run, authority, "issuer", pods=False, issuer=ISSUER) as plane:
        for namespace in (NAMESPACE, OTHER):
            plane.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            for account in (ACCOUNT, MIGRATIONS, OTHER):
                plane.api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
        yield Issuer(plane)


@dataclass
class Verifier:
    """What every cloud does with a token: the signature by the issuer's published keys, then the claims.

    `ahead` is how many seconds the clock of the cloud is ahead of ours.
    """

    published: Mapping[str, Callable[[], dict[str, Any]]]  # issuer -> its keys
    ahead: int = 0
    keys: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def check(self, token: str, trust: Trust) -> dict[str, Any]:
        """The claims of a token; raises `RefusedError` for one that is not trusted."""
        head, _, signature = token.rpartition(".")
        try:
            header, claims = (json.loads(decoded(part)) for part in head.split("."))
        except ValueError:
            raise RefusedError("not a token") from None
        if claims.get("iss") != trust.issuer:
            raise RefusedError("the token of another issuer")
        if header.get("alg") != "RS256" or not self._signed(trust.issuer, header.get("kid"), head, decoded(signature)):
            raise RefusedError("not signed by the issuer")
        if claims.get("sub") != trust.subject:
            raise RefusedError(f"the token of {claims.get('sub')}")
        if trust.audience not in claims.get("aud", ()):
            raise RefusedError(f"a token for {claims.get('aud')}")
        if not claims["nbf"] <= time.time() + self.ahead < claims["exp"]:
            raise RefusedError("the token has expired")
        return dict(claims)

    def _signed(self, issuer: str, kid: object, head: str, signature: bytes) -> bool:
        if issuer not in self.keys:
            self.keys[issuer] = self.published[issuer]()
        for key in self.keys[issuer]["keys"]:
            if key["kid"] == kid and key["kty"] == "RSA":
                exponent, modulus = (int.from_bytes(decoded(key[name])) for name in ("e", "n"))
                try:
                    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
                    public.verify(signature, head.encode(), padding.PKCS1v15(), hashes.SHA256())
                except InvalidSignature:
                    return False
                return True
        return False


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, believed."""
    claims: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return claims


def decoded(text: str) -> bytes:
    """Base64 of the URL kind, without padding (RFC 7515)."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
