"""Google: its token endpoints, the metadata server of GKE, and Vertex AI."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.e2e.web import Request, Response, Site
from tests.proxy.cloudside import CloudSide
from tests.proxy.tokens import RefusedError, Verifier, decoded
from tests.proxy.vendors import ANSWER, SECONDS, VECTOR, Vendor, as_json, form

METADATA = "metadata.google.internal"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
IAM = "https://www.googleapis.com/auth/iam"
JWT = "urn:ietf:params:oauth:token-type:jwt"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
IMPERSONATE = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken")


@dataclass(frozen=True)
class GkePod:
    """What the metadata server of GKE knows of the pod that asks: https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity"""

    pool: str  # <project of the cluster>.svc.id.goog
    namespace: str
    account: str
    annotated: str = ""  # the service account of Google's that its ServiceAccount is annotated with

    @property
    def members(self) -> tuple[str, str]:
        """Its names in IAM."""
        there = f"projects/123456789012/locations/global/workloadIdentityPools/{self.pool}"
        return (
            f"principal://iam.googleapis.com/{there}/subject/ns/{self.namespace}/sa/{self.account}",
            f"serviceAccount:{self.pool}[{self.namespace}/{self.account}]",
        )


class Google(Vendor):
    """The token endpoints, and Vertex AI of one project in one location.

    `accounts` are keys of service accounts, as JSON: may be used in `project` without more. Everybody else may what
    `side` says. `life` is how many seconds a token is good.
    """

    def __init__(
        self,
        accounts: tuple[str, ...],
        project: str,
        location: str,
        *,
        side: CloudSide | None = None,
        verifier: Verifier | None = None,
        pod: GkePod | None = None,
    ) -> None:
        super().__init__()
        self.keys = {}
        for account in map(json.loads, accounts):
            private = serialization.load_pem_private_key(account["private_key"].encode(), None)
            assert isinstance(private, rsa.RSAPrivateKey)
            self.keys[account["client_email"], account["private_key_id"]] = private.public_key()
        self.project, self.location, self.pod = project, location, pod
        self.side, self.verifier = side or CloudSide(), verifier or Verifier({})
        self.life = SECONDS

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        vertex = f"{self.location}-aiplatform.googleapis.com"
        answers = {
            vertex: self.vertex,
            "oauth2.googleapis.com": self.login,
            "sts.googleapis.com": self.sts,
            "iamcredentials.googleapis.com": self.impersonate,
        }
        return {host: self.site(host, answer) for host, answer in answers.items()}

    def local(self) -> dict[str, Site]:
        """What it serves in the pod's own node."""
        return {METADATA: self.site(METADATA, self.metadata)}

    def may(self, member: str, role: str, resource: str) -> bool:
        """Whether IAM lets somebody."""
        return (resource, role, member) in self.side.members

    def login(self, host: str, request: Request) -> Response:
        """A token for an assertion that a service account's key has signed (RFC 7523)."""
        assertion = form(request).get("assertion", "")
        head, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(decoded(part)) for part in head.split("."))
        public = self.keys.get((claims["iss"], header["kid"]))
        if public is None:
            raise RefusedError("the issuer is not the service account")
        try:
            public.verify(decoded(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise RefusedError("not signed with the key of the service account") from None
        self.logins.append("JWT of the service account")
        token = self.issue("ya29.", claims["iss"])
        return as_json({"access_token": token, "expires_in": self.life, "token_type": "Bearer"})

    def sts(self, host: str, request: Request) -> Response:
        """A token of the workload identity pool for one of a ServiceAccount (RFC 8693)."""
        given = form(request)
        audience = given.get("audience", "").removeprefix("//iam.googleapis.com/")
        trust = self.side.providers.get(audience)
        if (given.get("grant_type"), given.get("subject_token_type")) != (EXCHANGE, JWT) or trust is None:
            raise RefusedError("no such workload identity provider")
        if given.get("scope") not in (CLOUD, IAM):
            raise RefusedError("a token for something else")
        claims = self.verifier.check(given.get("subject_token", ""), trust)
        self.presented(claims)
        pool = audience.partition("/providers/")[0]
        self.logins.append(f"token exchange of {audience}")
        token = self.issue("ya29.", f"principal://iam.googleapis.com/{pool}/subject/{claims['sub']}")
        issued = "urn:ietf:params:oauth:token-type:access_token"
        found = {"access_token": token, "issued_token_type": issued, "token_type": "Bearer"}
        return as_json({**found, "expires_in": self.life})

    def impersonate(self, host: str, request: Request) -> Response:
        """A token of a service account, for a member that may use it."""
        holder = self.bearer(request)
        account = IMPERSONATE.fullmatch(request.target)
        if account is None or not self.may(holder, "roles/iam.workloadIdentityUser", account[1]):
            raise RefusedError(f"{holder} may not use it")
        self.logins.append(f"as {account[1]}")
        token = self.issue("ya29.", f"serviceAccount:{account[1]}")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.life))
        return as_json({"accessToken": token, "expireTime": until})

    def metadata(self, host: str, request: Request) -> Response:
        """What the metadata server tells a pod: https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys"""
        flavor = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
        if request.headers.get("metadata-flavor") != "Google":
            raise RefusedError("without Metadata-Flavor")
        path = request.target.partition("?")[0]
        pod = self.pod
        if path == "/":
            return Response(200, b"computeMetadata/\n", flavor)
        if pod is None:
            raise RefusedError("no such pod")
        start = "/computeMetadata/v1/instance/service-accounts/default/"
        if path == "/computeMetadata/v1/project/project-id":
            return Response(200, pod.pool.removesuffix(".svc.id.goog").encode(), flavor)
        if path == start:
            found = {"aliases": ["default"], "email": pod.annotated or pod.pool, "scopes": [CLOUD]}
            return Response(200, json.dumps(found).encode(), flavor)
        if path != f"{start}token":
            raise RefusedError(f"{path} is not known here")
        principal, member = pod.members
        if pod.annotated and not self.may(member, "roles/iam.workloadIdentityUser", pod.annotated):
            raise RefusedError(f"{member} may not use {pod.annotated}")
        self.logins.append(f"metadata of {pod.annotated or principal}")
        token = self.issue("ya29.", f"serviceAccount:{pod.annotated}" if pod.annotated else principal)
        answer: Mapping[str, object] = {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}
        return Response(200, json.dumps(answer).encode(), flavor)

    def vertex(self, host: str, request: Request) -> Response:
        """generateContent and predict."""
        holder = self.bearer(request)
        accounts = {email for email, _ in self.keys}
        if holder not in accounts and not self.may(holder, "roles/aiplatform.user", self.project):
            raise RefusedError(f"{holder} may not call models")
        model = re.fullmatch(
            rf"/v1(?:beta1)?/projects/{self.project}/locations/{self.location}"
            r"/publishers/google/models/[\w.-]+:(\w+)",
            request.target,
        )
        if model is None:
            raise RefusedError(f"{request.target} is not in the project and the location")
        self.called(host, request, holder)
        if model[1] == "generateContent":
            content = {"role": "model", "parts": [{"text": ANSWER}]}
            usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
            candidates = [{"content": content, "finishReason": "STOP", "index": 0}]
            return as_json({"candidates": candidates, "usageMetadata": usage})
        embedding = {"values": VECTOR, "statistics": {"truncated": False, "token_count": 1}}
        return as_json({"predictions": [{"embeddings": embedding}]})
