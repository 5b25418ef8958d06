"""The vendors that the proxy meets here refuse every credential but one, so an answer of theirs proves it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.e2e.web import Request
from tests.proxy.aws import AGENT, Aws
from tests.proxy.azure import SCOPE, Azure
from tests.proxy.cloudside import CloudSide
from tests.proxy.clusters import service_account
from tests.proxy.google import METADATA, GkePod, Google
from tests.proxy.sigv4 import signature, verify
from tests.proxy.tokens import Trust, Verifier
from tests.proxy.vendors import API, COPILOT, GitHub, Vendor
from tests.support.answers import TENANT, client_id
from tests.support.inputs import Inputs

INPUTS, OTHERS = Inputs(), Inputs()
ACCOUNT, OTHER_ACCOUNT = json.loads(service_account()), json.loads(service_account())

REGION, ROLE = "eu-central-1", "arn:aws:iam::123456789012:role/litellm"
RUNTIME, STS = f"bedrock-runtime.{REGION}.amazonaws.com", "sts.eu-north-1.amazonaws.com"
VERTEX, GOOGLE = "europe-west4-aiplatform.googleapis.com", "oauth2.googleapis.com"
RESOURCE, ENTRA = "example.openai.azure.com", "login.microsoftonline.com"
CLIENT, OTHER_TENANT = client_id("aws"), client_id("gcp")
EXCHANGE, TOKEN = "sts.googleapis.com", "/computeMetadata/v1/instance/service-accounts/default/token"

KEY_ID, SECRET = INPUTS.lines["AWS_ACCESS_KEY_ID"], INPUTS.lines["AWS_SECRET_ACCESS_KEY"]
EDITOR = {"editor-version": "vscode/1.85.1", "copilot-integration-id": "vscode-chat"}

ISSUER, SUBJECT = "https://oidc.example.com/", "system:serviceaccount:litellm:litellm"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/litellm"
PROVIDER = f"{POOL}/providers/litellm"
AUDIENCES = {
    "aws": "sts.amazonaws.com",
    "agent": "pods.eks.amazonaws.com",
    "google": f"https://iam.googleapis.com/{PROVIDER}",
    "entra": "api://AzureADTokenExchange",
}
SIDE = CloudSide(
    roles={ROLE: [Trust(ISSUER, SUBJECT, AUDIENCES["aws"])]},
    actions={ROLE: ["bedrock:InvokeModel"]},
    associations={SUBJECT: ROLE},
    providers={PROVIDER: Trust(ISSUER, SUBJECT, AUDIENCES["google"])},
    members={("example-ai", "roles/aiplatform.user", f"principal://iam.googleapis.com/{POOL}/subject/{SUBJECT}")},
    identities={CLIENT: [Trust(ISSUER, SUBJECT, AUDIENCES["entra"])]},
    users={(CLIENT, f"https://{RESOURCE}/")},
)
KEY, OTHER_KEY = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)


def published() -> dict[str, Any]:
    """The keys of the issuer."""
    numbers = KEY.public_key().public_numbers()
    return {"keys": [{"kid": "1", "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}]}


def number(value: int) -> str:
    """A number as a JWKS has it."""
    return part(value.to_bytes((value.bit_length() + 7) // 8))


def part(value: Mapping[str, Any] | bytes) -> str:
    """A part of a JWT."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(audience: str, key: rsa.RSAPrivateKey = KEY, **claims: Any) -> str:
    """A token of a ServiceAccount."""
    now = int(time.time())
    good = {"iss": ISSUER, "sub": SUBJECT, "aud": [audience], "nbf": now, "exp": now + 86400, "jti": "1", **claims}
    head = f"{part({'alg': 'RS256', 'kid': '1'})}.{part(good)}"
    return f"{head}.{part(key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def aws() -> Vendor:
    return Aws(REGION, {KEY_ID: SECRET}, home="eu-north-1", side=SIDE, verifier=Verifier({ISSUER: published}))


def google() -> Vendor:
    pod = GkePod("example.svc.id.goog", "litellm", "litellm", "nobody@example-ai.iam.gserviceaccount.com")
    verifier, accounts = Verifier({ISSUER: published}), (json.dumps(ACCOUNT),)
    return Google(accounts, "example-ai", "europe-west4", side=SIDE, verifier=verifier, pod=pod)


def azure() -> Vendor:
    application = (INPUTS.lines["AZURE_TENANT_ID"], INPUTS.lines["AZURE_CLIENT_ID"])
    known = {application: INPUTS.lines["AZURE_CLIENT_SECRET"]}
    endpoint, keys, verifier = f"https://{RESOURCE}/", {"its key": "API key"}, Verifier({ISSUER: published})
    return Azure(endpoint, "2025-03-01-preview", TENANT, known, keys=keys, side=SIDE, verifier=verifier)


def github() -> Vendor:
    return GitHub(INPUTS.files["access-token"])


def direct() -> Vendor:
    return GitHub(INPUTS.files["access-token"], direct=True)


def post(target: str, headers: Mapping[str, str] | None = None, **form: str) -> Request:
    """A form that is posted."""
    return Request("POST", target, headers or {}, urlencode(form).encode())


def signed(key_id: str = KEY_ID, secret: str = SECRET, region: str = REGION, **headers: str) -> Request:
    """A request for a model of Bedrock."""
    scope, names = f"20261123/{region}/bedrock/aws4_request", "host;x-amz-date"
    more = {"host": RUNTIME, "x-amz-date": "20261123T000000Z", **headers}
    target = "/model/eu.anthropic.claude-v1%3A0/converse"
    made = signature(Request("POST", target, more, b"{}"), names, scope, secret)
    credential = f"Credential={key_id}/{scope}, SignedHeaders={names}, Signature={made}"
    return Request("POST", target, {**more, "authorization": f"AWS4-HMAC-SHA256 {credential}"}, b"{}")


def role(token: str, arn: str = ROLE, action: str = "WithWebIdentity") -> Request:
    """A request for the session of a role."""
    return post("/", Action=f"AssumeRole{action}", RoleArn=arn, WebIdentityToken=token)


def agent(token: str) -> Request:
    """A request for the credentials of a pod."""
    return Request("GET", "/v1/credentials", {"authorization": token}, b"")


def exchange(token: str, provider: str = PROVIDER) -> Request:
    """A request for a token of a workload identity pool."""
    return post(
        "/v1/token",
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        scope="https://www.googleapis.com/auth/cloud-platform",
        audience=f"//iam.googleapis.com/{provider}",
        subject_token=token,
    )


def federated(token: str, client: str = CLIENT, tenant: str = TENANT, scope: str = SCOPE) -> Request:
    """A request for a token of Entra ID's, with one of a ServiceAccount."""
    return post(
        f"/{tenant}/oauth2/v2.0/token",
        client_id=client,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=token,
        grant_type="client_credentials",
        scope=scope,
    )


def jwt(key: str = ACCOUNT["private_key"], email: str = ACCOUNT["client_email"]) -> Request:
    """A request for a token of Google's."""

    head = part({"alg": "RS256", "kid": ACCOUNT["private_key_id"]}) + "." + part({"iss": email})
    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    made = private.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256())
    return post("/token", assertion=f"{head}.{part(made)}")


def application(of: Mapping[str, str], tenant: str = INPUTS.lines["AZURE_TENANT_ID"]) -> Request:
    """A request for a token of Entra ID's."""
    return post(
        f"/{tenant}/oauth2/v2.0/token",
        client_id=INPUTS.lines["AZURE_CLIENT_ID"],
        client_secret=of["AZURE_CLIENT_SECRET"],
        grant_type="client_credentials",
        scope="https://cognitiveservices.azure.com/.default",
    )


def copilot(of: Inputs, path: str = "v2/token") -> Request:
    """A request for a key of Copilot's, or with another path for where the user's Copilot is."""
    token = f"token {of.files['access-token']}"
    return Request("GET", f"/copilot_internal/{path}", {"authorization": token}, b"")


def chat(token: str, headers: Mapping[str, str] = EDITOR) -> Request:
    """A call of Copilot."""
    return post("/chat/completions", {"authorization": f"Bearer {token}", **headers})


GEMINI = "/v1/projects/{}/locations/europe-west4/publishers/google/models/gemini:generateContent"
GPT = "/openai/deployments/gpt/chat/completions?api-version={}"


# what -> the vendor, the host, and the request; "{token}" is one that the vendor has issued
GOOD: dict[str, tuple[Callable[[], Vendor], str, Request]] = {
    "the user's keys": (aws, RUNTIME, signed()),
    "the role and a token": (aws, STS, role(token(AUDIENCES["aws"]))),
    "a token for the agent": (aws, AGENT, agent(token(AUDIENCES["agent"]))),
    "a JWT of the account": (google, GOOGLE, jwt()),
    "a token for the project": (
        google,
        VERTEX,
        post(GEMINI.format("example-ai"), {"authorization": "Bearer {token}"}),
    ),
    "a token for the pool": (google, EXCHANGE, exchange(token(AUDIENCES["google"]))),
    "the application's secret": (azure, ENTRA, application(INPUTS.lines)),
    "a token for Entra ID": (azure, ENTRA, federated(token(AUDIENCES["entra"]))),
    "the key of the resource": (azure, RESOURCE, post(GPT.format("2025-03-01-preview"), {"api-key": "its key"})),
    "a token for the resource": (
        azure,
        RESOURCE,
        post(GPT.format("2025-03-01-preview"), {"authorization": "Bearer {token}"}),
    ),
    "the user's token": (github, API, copilot(INPUTS)),
    "a key of an editor": (github, COPILOT, chat("{token}")),
    "the user's token, for where Copilot is": (direct, API, copilot(INPUTS, "user")),
    "the user's token of an editor": (direct, COPILOT, chat(INPUTS.files["access-token"])),
}
BAD: dict[str, tuple[Callable[[], Vendor], str, Request]] = {
    "another secret key": (aws, RUNTIME, signed(secret=OTHERS.lines["AWS_SECRET_ACCESS_KEY"])),
    "another key id": (aws, RUNTIME, signed(key_id=OTHERS.lines["AWS_ACCESS_KEY_ID"])),
    "another region": (aws, RUNTIME, signed(region="us-west-2")),
    "a session token of nobody": (aws, RUNTIME, signed(**{"x-amz-security-token": "x"})),
    "no signature": (aws, RUNTIME, post("/model/m/converse")),
    "another role": (aws, STS, role(token(AUDIENCES["aws"]), arn=ROLE + "2")),
    "a role without a web identity": (aws, STS, role(token(AUDIENCES["aws"]), action="")),
    "another provider": (google, EXCHANGE, exchange(token(AUDIENCES["google"]), PROVIDER + "2")),
    "a pod that may not use its account": (google, METADATA, Request("GET", TOKEN, {"metadata-flavor": "Google"}, b"")),
    "another identity": (azure, ENTRA, federated(token(AUDIENCES["entra"]), TENANT)),
    "another tenant of the identity": (azure, ENTRA, federated(token(AUDIENCES["entra"]), tenant=OTHER_TENANT)),
    "another account's key": (google, GOOGLE, jwt(key=OTHER_ACCOUNT["private_key"])),
    "another account's name": (google, GOOGLE, jwt(email=OTHER_ACCOUNT["client_email"])),
    "another project": (
        google,
        VERTEX,
        post(GEMINI.format("other-ai"), {"authorization": "Bearer {token}"}),
    ),
    "a token that Google did not issue": (
        google,
        VERTEX,
        post(GEMINI.format("example-ai"), {"authorization": "Bearer ya29.x"}),
    ),
    "another application's secret": (azure, ENTRA, application(OTHERS.lines)),
    "another tenant": (
        azure,
        ENTRA,
        application(INPUTS.lines, OTHERS.lines["AZURE_TENANT_ID"]),
    ),
    "a token that Entra ID did not issue": (
        azure,
        RESOURCE,
        post(GPT.format("2025-03-01-preview"), {"authorization": "Bearer x"}),
    ),
    "an API key": (
        azure,
        RESOURCE,
        post(GPT.format("2025-03-01-preview"), {"authorization": "Bearer {token}", "api-key": "x"}),
    ),
    "another API version": (
        azure,
        RESOURCE,
        post(GPT.format("2024-10-21"), {"authorization": "Bearer {token}"}),
    ),
    "another user's token": (github, API, copilot(OTHERS)),
    "the user's token in place of a key": (github, COPILOT, chat(INPUTS.files["access-token"])),
    "a key of no editor": (github, COPILOT, chat("{token}", {})),
    "a question that LiteLLM asks from 1.110 on": (github, API, copilot(INPUTS, "user")),
    "a question that LiteLLM asked before 1.110": (direct, API, copilot(INPUTS)),
    "another user's token, for where Copilot is": (direct, API, copilot(OTHERS, "user")),
    "another user's token of an editor": (direct, COPILOT, chat(OTHERS.files["access-token"])),
    "the user's token of no editor": (direct, COPILOT, chat(INPUTS.files["access-token"], {})),
}


TAKERS: dict[str, tuple[Callable[[], Vendor], str, Callable[[str], Request]]] = {
    "aws": (aws, STS, role),
    "agent": (aws, AGENT, agent),
    "google": (google, EXCHANGE, exchange),
    "entra": (azure, ENTRA, federated),
}
NOW = int(time.time())
WRONG: dict[str, dict[str, Any]] = {
    "another cluster": {"iss": "https://oidc.example.com"},
    "another ServiceAccount": {"sub": "system:serviceaccount:litellm:default"},
    "another audience": {"aud": ["https://kubernetes.default.svc"]},
    "another key": {"key": OTHER_KEY},
    "the past": {"nbf": NOW - 120, "exp": NOW - 60},
    "the future": {"nbf": NOW + 3600, "exp": NOW + 7200},
}
BAD |= {
    f"{taker}: a token of {what}": (make, host, request(token(AUDIENCES[taker], **claims)))
    for taker, (make, host, request) in TAKERS.items()
    for what, claims in WRONG.items()
}
BAD |= {f"{taker}: no token": (make, host, request("")) for taker, (make, host, request) in TAKERS.items()}


def status(make: Callable[[], Vendor], host: str, request: Request) -> tuple[int, int, int]:
    """What is answered, how many refusals are noted, and how many calls and logins."""
    vendor = make()
    token = vendor.issue("", ACCOUNT["client_email"])
    headers = {name: value.replace("{token}", token) for name, value in request.headers.items()}
    response = {**vendor.sites(), **vendor.local()}[host](
        Request(request.method, request.target, headers, request.body)
    )
    return response.status, len(vendor.refusals), len(vendor.calls) + len(vendor.logins)


@pytest.mark.parametrize("what", GOOD)
def test_a_vendor_answers_to(what: str) -> None:
    assert status(*GOOD[what]) == (200, 0, 1)


@pytest.mark.parametrize("what", BAD)
def test_a_vendor_refuses(what: str) -> None:
    assert status(*BAD[what]) == (401, 1, 0)


def test_the_signature_is_the_one_that_aws_publishes() -> None:
    # get-vanilla of the test suite in AWS's documentation of Signature Version 4
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    headers = {
        "host": "example.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    }
    found = verify(Request("GET", "/", headers, b""), {"AKIDEXAMPLE": secret})
    assert found is not None
    assert (found.key_id, found.region, found.service) == ("AKIDEXAMPLE", "us-east-1", "service")
