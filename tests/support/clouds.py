"""The key services of three clouds on this machine, as far as sops speaks with them."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

VAULT = "example.vault.azure.net"
# What a cipher would do, and the reader can undo
_MARK = b"sealed by the cloud: "


@dataclass
class Cloud:
    """A key there, the answers that name it, and the environment of who is logged in. `calls` are the paths called."""

    answers: dict[str, str]
    login: dict[str, str]
    calls: list[str] = field(default_factory=list)


Answer = Callable[[str, Mapping[str, Any], Mapping[str, str]], tuple[int, Mapping[str, str], Mapping[str, Any]]]


@contextmanager
def _server(answer: Answer, calls: list[str], certificate: ssl.SSLContext | None = None) -> Iterator[int]:
    """An HTTP server that answers JSON; with a certificate a proxy, behind which every host is this server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            assert certificate
            self.send_response(200)
            self.end_headers()
            self.connection = certificate.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)
            self.close_connection = False

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            calls.append(self.path)
            given = json.loads(body) if body[:1] == b"{" else {}
            status, headers, content = answer(self.path, given, dict(self.headers))
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _sealed(text: str, *, url: bool = False) -> str:
    decode, encode = (
        (base64.urlsafe_b64decode, base64.urlsafe_b64encode) if url else (base64.b64decode, base64.b64encode)
    )
    return encode(_MARK + decode(text + "=" * (-len(text) % 4))).decode()


def _opened(text: str, *, url: bool = False) -> str:
    decode, encode = (
        (base64.urlsafe_b64decode, base64.urlsafe_b64encode) if url else (base64.b64decode, base64.b64encode)
    )
    return encode(decode(text + "=" * (-len(text) % 4)).removeprefix(_MARK)).decode()


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


@contextmanager
def aws(folder: Path) -> Iterator[Cloud]:
    """AWS KMS, by moto."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        client = boto3.client("kms", endpoint_url=url, region_name="us-west-2", **keys)
        arn = client.create_key()["KeyMetadata"]["Arn"]
        credentials = folder / "aws-credentials"
        credentials.write_text("[operator]\naws_access_key_id = x\naws_secret_access_key = x\n")
        answers = {"aws_kms_key": arn, "aws_kms_identity": "arn:aws:iam::123456789012:role/flux"}
        login = {
            "AWS_ENDPOINT_URL_KMS": url,
            "AWS_PROFILE": "operator",
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        }
        yield Cloud(answers, login)
    finally:
        server.stop()


@contextmanager
def gcp(folder: Path) -> Iterator[Cloud]:
    """Cloud KMS by REST. https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys"""
    calls: list[str] = []

    def answer(
        path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        if path == "/token":
            return 200, {}, {"access_token": "canary", "expires_in": 3600, "token_type": "Bearer"}
        if headers.get("Authorization") != "Bearer canary":
            return 401, {}, {"error": {"code": 401}}
        if ":encrypt" in path:
            return 200, {}, {"ciphertext": _sealed(body["plaintext"])}
        return 200, {}, {"plaintext": _opened(body["ciphertext"])}

    with _server(answer, calls) as port:
        credentials = folder / "gcp.json"
        account = "operator@example-ai.iam.gserviceaccount.com"
        known = {"type": "service_account", "client_email": account, "private_key": _private_key()}
        credentials.write_text(json.dumps({**known, "token_uri": f"http://127.0.0.1:{port}/token"}))
        key = "projects/example-ai/locations/global/keyRings/gitops/cryptoKeys/sops"
        yield Cloud(
            {"gcp_kms_key": key, "gcp_kms_identity": "flux-sops@example-ai.iam.gserviceaccount.com"},
            {
                "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
                "SOPS_GCP_KMS_CLIENT_TYPE": "rest",
                "SOPS_GCP_KMS_ENDPOINT": f"http://127.0.0.1:{port}",
            },
            calls,
        )


@contextmanager
def azure(folder: Path) -> Iterator[Cloud]:
    """Key Vault behind a proxy that has its name. https://learn.microsoft.com/rest/api/keyvault/keys/encrypt"""
    calls: list[str] = []
    version = "0123456789abcdef0123456789abcdef"
    challenge = {
        "WWW-Authenticate": 'Bearer authorization="https://login.microsoftonline.com/'
        '0f0e0d0c-0b0a-0908-0706-050403020100", resource="https://vault.azure.net"'
    }

    def answer(
        path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        if headers.get("Authorization") != "Bearer canary":
            return 401, challenge, {}
        change = _sealed if "/encrypt?" in path else _opened
        return (
            200,
            {},
            {"kid": f"https://{VAULT}/keys/sops/{version}", "value": change(body["value"], url=True).rstrip("=")},
        )

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(VAULT).configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    az = folder / "bin" / "az"
    az.parent.mkdir()
    token = {"accessToken": "canary", "expires_on": 4102444800, "expiresOn": "2100-01-01 00:00:00.000000"}
    az.write_text(f"#!/bin/sh\necho '{json.dumps({**token, 'tokenType': 'Bearer'})}'\n")
    az.chmod(0o755)
    with _server(answer, calls, context) as port:
        yield Cloud(
            {
                "azure_kms_key": f"https://{VAULT}/keys/sops/{version}",
                "azure_kms_identity": "00000000-0000-0000-0000-000000000001",
            },
            {
                "HTTPS_PROXY": f"http://127.0.0.1:{port}",
                "SSL_CERT_FILE": str(folder / "ca.pem"),
                "AZURE_TOKEN_CREDENTIALS": "AzureCLICredential",
                "PATH": str(az.parent),
            },
            calls,
        )


CLOUDS = {"aws": aws, "gcp": gcp, "azure": azure}
