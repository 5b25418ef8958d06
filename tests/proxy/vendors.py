"""The vendors as the proxy sees them: each knows one credential, and answers to no other.

What a request was refused for is in `refusals`, without the credential that it bore.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.e2e.web import Request, Response, Site
from tests.proxy.sigv4 import verify

ANSWER = "It is served."
VECTOR = [0.25, -0.5, 0.75]
SECONDS = 3600


class RefusedError(Exception):
    """The vendor refuses a request; the message says why, and holds no credential."""


@dataclass(frozen=True)
class Call:
    """One request for a model that was answered: where, and for which model."""

    host: str
    path: str


@dataclass
class Vendor(ABC):
    """What all vendors have in common. `calls` are for models, `logins` for anything that gets a token."""

    calls: list[Call] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set, repr=False)

    @abstractmethod
    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""

    def site(self, host: str, answer: Callable[[str, Request], Response]) -> Site:
        """`answer(host, request)` as a site; what it refuses is noted and answered with 401."""

        def checked(request: Request) -> Response:
            try:
                return answer(host, request)
            except RefusedError as refused:
                self.refusals.append(f"{host}: {refused}")
                return as_json({"error": {"message": str(refused), "code": "401"}}, 401)

        return checked

    def issue(self, prefix: str) -> str:
        """A new token that `bearer` takes."""
        token = prefix + secrets.token_urlsafe(24)
        self.tokens.add(token)
        return token

    def bearer(self, request: Request) -> None:
        """Refuses a request without a token that was issued here."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or token not in self.tokens:
            raise RefusedError("the token was not issued here")

    def called(self, host: str, request: Request) -> None:
        """Notes a call."""
        self.calls.append(Call(host, request.target))


class Aws(Vendor):
    """Bedrock in `region`, and where there is a role to assume, STS in `home`, the region of the cluster.

    `users` maps access key ids to secret access keys.
    """

    def __init__(self, region: str, users: Mapping[str, str], home: str = "", role: str = "", token: str = "") -> None:
        super().__init__()
        self.region, self.home, self.role, self.token = region, home, role, token
        self.users = dict(users)
        self.sessions: dict[str, str] = {}  # access key id -> session token

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        runtime = f"bedrock-runtime.{self.region}.amazonaws.com"
        sites = {runtime: self.site(runtime, self.bedrock)}
        if self.role:
            host = f"sts.{self.home}.amazonaws.com"
            sites[host] = self.site(host, self.sts)
        return sites

    def sts(self, host: str, request: Request) -> Response:
        """AssumeRoleWithWebIdentity, for the one role and the one token."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        action = form.get("Action", "")
        if action != "AssumeRoleWithWebIdentity":
            raise RefusedError(f"{action} is not what a pod with a role does first")
        if form.get("RoleArn") != self.role or form.get("WebIdentityToken") != self.token:
            raise RefusedError("not the role of the ServiceAccount, or not its token")
        self.logins.append(f"{action} {self.role}")
        key_id, secret = "ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30)
        self.users[key_id] = secret
        self.sessions[key_id] = secrets.token_urlsafe(30)
        return Response(
            200,
            f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>{self.sessions[key_id]}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></{action}Result></{action}Response>""".encode(),
            {"Content-Type": "text/xml"},
        )

    def bedrock(self, host: str, request: Request) -> Response:
        """Converse and InvokeModel, the latter of Titan's embeddings."""
        signed = verify(request, self.users)
        if signed is None:
            raise RefusedError("not signed with a key that exists here")
        if (signed.region, signed.service) != (self.region, "bedrock"):
            raise RefusedError(f"signed for {signed.service} in {signed.region}")
        if request.headers.get("x-amz-security-token") != self.sessions.get(signed.key_id):
            raise RefusedError("the session token is not the one of this key")
        self.called(host, request)
        if request.target.endswith("/converse"):
            return as_json(
                {
                    "output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}},
                    "stopReason": "end_turn",
                    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
                    "metrics": {"latencyMs": 1},
                }
            )
        return as_json({"embedding": VECTOR, "inputTextTokenCount": 1})


class Google(Vendor):
    """The token endpoint, and Vertex AI of one project in one location, for one service account."""

    def __init__(self, account: str, project: str, location: str) -> None:
        super().__init__()
        key = json.loads(account)
        self.email, self.key_id = key["client_email"], key["private_key_id"]
        private = serialization.load_pem_private_key(key["private_key"].encode(), None)
        assert isinstance(private, rsa.RSAPrivateKey)
        self.public = private.public_key()
        self.project, self.location = project, location

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        vertex = f"{self.location}-aiplatform.googleapis.com"
        login = "oauth2.googleapis.com"
        return {vertex: self.site(vertex, self.vertex), login: self.site(login, self.login)}

    def login(self, host: str, request: Request) -> Response:
        """A token for an assertion that the service account's key has signed (RFC 7523)."""
        assertion = parse_qs(request.body.decode()).get("assertion", [""])[0]
        head, _, signature = assertion.rpartition(".")
        header, _, claims = map(_unpadded, head.partition("."))
        try:
            self.public.verify(_unpadded(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise RefusedError("not signed with the key of the service account") from None
        issuer, key_id = json.loads(claims)["iss"], json.loads(header)["kid"]
        if (issuer, key_id) != (self.email, self.key_id):
            raise RefusedError("the issuer is not the service account")
        self.logins.append("JWT of the service account")
        return as_json({"access_token": self.issue("ya29."), "expires_in": SECONDS, "token_type": "Bearer"})

    def vertex(self, host: str, request: Request) -> Response:
        """generateContent and predict."""
        self.bearer(request)
        model = re.fullmatch(
            rf"/v1(?:beta1)?/projects/{self.project}/locations/{self.location}"
            r"/publishers/google/models/[\w.-]+:(\w+)",
            request.target,
        )
        if model is None:
            raise RefusedError(f"{request.target} is not in the project and the location")
        self.called(host, request)
        if model[1] == "generateContent":
            content = {"role": "model", "parts": [{"text": ANSWER}]}
            usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
            candidates = [{"content": content, "finishReason": "STOP", "index": 0}]
            return as_json({"candidates": candidates, "usageMetadata": usage})
        embedding = {"values": VECTOR, "statistics": {"truncated": False, "token_count": 1}}
        return as_json({"predictions": [{"embeddings": embedding}]})


class Azure(Vendor):
    """Entra ID with one application in one tenant, and one Azure OpenAI resource."""

    login_host = "login.microsoftonline.com"

    def __init__(self, endpoint: str, version: str, application: Mapping[str, str]) -> None:
        super().__init__()
        self.resource = endpoint.split("/")[2]
        self.version = version
        self.tenant = application["AZURE_TENANT_ID"]
        self.application = {
            "client_id": application["AZURE_CLIENT_ID"],
            "client_secret": application["AZURE_CLIENT_SECRET"],
            "grant_type": "client_credentials",
        }

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        return {
            self.login_host: self.site(self.login_host, self.login),
            self.resource: self.site(self.resource, self.openai),
        }

    def login(self, host: str, request: Request) -> Response:
        """What MSAL asks about a tenant, and a token for the secret of the application."""
        path = request.target.partition("?")[0]
        tenant = f"https://{host}/{self.tenant}"
        if path == "/common/discovery/instance":
            return as_json({"tenant_discovery_endpoint": f"{tenant}/v2.0/x", "metadata": []})
        if path == f"/{self.tenant}/v2.0/.well-known/openid-configuration":
            names = {"token": "oauth2/v2.0/token", "authorization": "oauth2/v2.0/authorize"}
            found = {f"{name}_endpoint": f"{tenant}/{end}" for name, end in names.items()}
            return as_json({**found, "issuer": f"{tenant}/v2.0"})
        if path != f"/{self.tenant}/oauth2/v2.0/token":
            raise RefusedError("not the tenant of the application")
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if {name: form.get(name) for name in self.application} != self.application:
            raise RefusedError("not the application, or not its secret")
        if not form.get("scope", "").startswith("https://cognitiveservices.azure.com/.default"):
            raise RefusedError("a token for something else than Azure's AI services")
        self.logins.append("client secret of the application")
        return as_json({"access_token": self.issue("eyJ0"), "expires_in": SECONDS, "token_type": "Bearer"})

    def openai(self, host: str, request: Request) -> Response:
        """The deployments of the resource."""
        if "api-key" in request.headers:
            raise RefusedError("an API key, which beats Entra ID")
        self.bearer(request)
        path, _, query = request.target.partition("?")
        if parse_qs(query).get("api-version") != [self.version]:
            raise RefusedError(f"not the API version: {query}")
        self.called(host, request)
        return _openai(path)


class GitHub(Vendor):
    """The endpoint that gives a key for a user's token, and Copilot."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        api, copilot = "api.github.com", "api.githubcopilot.com"
        return {api: self.site(api, self.api), copilot: self.site(copilot, self.copilot)}

    def api(self, host: str, request: Request) -> Response:
        """A short-lived key for the user's token."""
        if request.target != "/copilot_internal/v2/token":
            raise RefusedError(f"{request.target} is not the endpoint for keys")
        if request.headers.get("authorization") != f"token {self.token}":
            raise RefusedError("not the token of the user")
        self.logins.append("token of the user")
        copilot = {"api": "https://api.githubcopilot.com"}
        key = self.issue("tid=")
        return as_json({"token": key, "expires_at": 4102444800, "endpoints": copilot})

    def copilot(self, host: str, request: Request) -> Response:
        """Chat, responses and embeddings. Copilot answers to no program that does not say what editor it is."""
        self.bearer(request)
        missing = {"editor-version", "copilot-integration-id"} - set(request.headers)
        if missing:
            raise RefusedError(f"without {', '.join(sorted(missing))}")
        self.called(host, request)
        return _openai(request.target)


def as_json(value: Mapping[str, Any], status: int = 200) -> Response:
    """A response of this JSON."""
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _openai(path: str) -> Response:
    """What OpenAI's API answers at `path`."""
    if path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": ANSWER}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        kind = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        return as_json({**kind, "choices": choices, "usage": usage})
    if path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": VECTOR}]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return as_json({"object": "list", "data": data, "model": "m", "usage": usage})
    if path.endswith("/responses"):
        content = [{"type": "output_text", "text": ANSWER, "annotations": []}]
        message = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
        kind = {"id": "r", "object": "response", "created_at": 1, "model": "m"}
        usage = {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2,
        }
        rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": usage}
        output = [{**message, "content": content}]
        return as_json({**kind, "status": "completed", "output": output, **rest})
    raise RefusedError(f"{path} is not known here")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
