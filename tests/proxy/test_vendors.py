"""The vendors that the proxy meets here refuse every credential but one, so an answer of theirs proves it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.e2e.web import Request
from tests.proxy.conftest import service_account
from tests.proxy.sigv4 import signature, verify
from tests.proxy.vendors import Aws, Azure, GitHub, Google, Vendor
from tests.support.inputs import Inputs

INPUTS, OTHERS = Inputs(), Inputs()
ACCOUNT, OTHER_ACCOUNT = json.loads(service_account()), json.loads(service_account())

REGION, ROLE = "eu-central-1", "arn:aws:iam::123456789012:role/litellm"
RUNTIME, STS = f"bedrock-runtime.{REGION}.amazonaws.com", "sts.eu-north-1.amazonaws.com"
VERTEX, GOOGLE = "europe-west4-aiplatform.googleapis.com", "oauth2.googleapis.com"
RESOURCE, ENTRA = "example.openai.azure.com", "login.microsoftonline.com"
API, COPILOT = "api.github.com", "api.githubcopilot.com"

KEY_ID, SECRET = INPUTS.lines["AWS_ACCESS_KEY_ID"], INPUTS.lines["AWS_SECRET_ACCESS_KEY"]
TOKEN = "the token of the service account"
EDITOR = {"editor-version": "vscode/1.85.1", "copilot-integration-id": "vscode-chat"}


def aws() -> Vendor:
    return Aws(REGION, {KEY_ID: SECRET}, "eu-north-1", ROLE, TOKEN)


def google() -> Vendor:
    return Google(json.dumps(ACCOUNT), "example-ai", "europe-west4")


def azure() -> Vendor:
    return Azure(f"https://{RESOURCE}/", "2025-03-01-preview", INPUTS.lines)


def github() -> Vendor:
    return GitHub(INPUTS.files["access-token"])


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


def role(arn: str = ROLE, token: str = TOKEN, action: str = "WithWebIdentity") -> Request:
    """A request for the session of a role."""
    return post("/", Action=f"AssumeRole{action}", RoleArn=arn, WebIdentityToken=token)


def jwt(key: str = ACCOUNT["private_key"], email: str = ACCOUNT["client_email"]) -> Request:
    """A request for a token of Google's."""

    def part(value: Mapping[str, str] | bytes) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

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


def key(of: Inputs) -> Request:
    """A request for a key of Copilot's."""
    token = f"token {of.files['access-token']}"
    return Request("GET", "/copilot_internal/v2/token", {"authorization": token}, b"")


GEMINI = "/v1/projects/{}/locations/europe-west4/publishers/google/models/gemini:generateContent"
GPT = "/openai/deployments/gpt/chat/completions?api-version={}"


# what -> the vendor, the host, and the request; "{token}" is one that the vendor has issued
GOOD: dict[str, tuple[Callable[[], Vendor], str, Request]] = {
    "the user's keys": (aws, RUNTIME, signed()),
    "the role and the token": (aws, STS, role()),
    "a JWT of the account": (google, GOOGLE, jwt()),
    "a token for the project": (
        google,
        VERTEX,
        post(GEMINI.format("example-ai"), {"authorization": "Bearer {token}"}),
    ),
    "the application's secret": (azure, ENTRA, application(INPUTS.lines)),
    "a token for the resource": (
        azure,
        RESOURCE,
        post(GPT.format("2025-03-01-preview"), {"authorization": "Bearer {token}"}),
    ),
    "the user's token": (github, API, key(INPUTS)),
    "a key of an editor": (
        github,
        COPILOT,
        post("/chat/completions", {"authorization": "Bearer {token}", **EDITOR}),
    ),
}
BAD: dict[str, tuple[Callable[[], Vendor], str, Request]] = {
    "another secret key": (aws, RUNTIME, signed(secret=OTHERS.lines["AWS_SECRET_ACCESS_KEY"])),
    "another key id": (aws, RUNTIME, signed(key_id=OTHERS.lines["AWS_ACCESS_KEY_ID"])),
    "another region": (aws, RUNTIME, signed(region="us-west-2")),
    "a session token of nobody": (aws, RUNTIME, signed(**{"x-amz-security-token": "x"})),
    "no signature": (aws, RUNTIME, post("/model/m/converse")),
    "another role": (aws, STS, role(arn=ROLE + "2")),
    "another pod's token": (aws, STS, role(token="x")),
    "a role without a web identity": (aws, STS, role(action="")),
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
    "another user's token": (github, API, key(OTHERS)),
    "the user's token in place of a key": (
        github,
        COPILOT,
        post(
            "/chat/completions",
            {"authorization": f"Bearer {INPUTS.files['access-token']}", **EDITOR},
        ),
    ),
    "a key of no editor": (
        github,
        COPILOT,
        post("/chat/completions", {"authorization": "Bearer {token}"}),
    ),
}


def status(make: Callable[[], Vendor], host: str, request: Request) -> tuple[int, int, int]:
    """What is answered, how many refusals are noted, and how many calls and logins."""
    vendor = make()
    token = vendor.issue("")
    headers = {name: value.replace("{token}", token) for name, value in request.headers.items()}
    response = vendor.sites()[host](Request(request.method, request.target, headers, request.body))
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
