"""Inputs of sealing, made anew for each run: each value is a canary that occurs nowhere else, and none is real."""

from __future__ import annotations

import json
import secrets
import string
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

UPPER = string.ascii_uppercase + string.digits
# apart, so that no tracked file looks as if it held a key
PEM = "PRIVATE KEY-----"
WORD = string.ascii_letters + string.digits


def _text(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _private_key() -> str:
    """A key of RSA, as short as may be: a longer one takes ten times as long to make."""
    layout = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return rsa.generate_private_key(65537, 1024).private_bytes(*layout).decode()


def service_account(project: str = "example-ai") -> str:
    """The JSON of a service account's key, of the right form, with a private key that nothing trusts."""
    name = f"canary-{_text(string.digits, 8)}"
    return json.dumps(
        {
            "type": "service_account",
            "project_id": project,
            "private_key_id": secrets.token_hex(20),
            "private_key": _private_key(),
            "client_email": f"{name}@{project}.iam.gserviceaccount.com",
            "client_id": _text(string.digits, 21),
            "token_uri": "https://oauth2.googleapis.com/token",
        },
        indent=2,
    )


@dataclass(frozen=True)
class Inputs:
    """One operator's inputs: the lines of deployment_outputs.env and the two files."""

    lines: dict[str, str] = field(
        default_factory=lambda: {
            "AWS_ACCESS_KEY_ID": "AKIA" + _text(UPPER, 16),
            "AWS_SECRET_ACCESS_KEY": _text(WORD + "/+", 40),
            "AZURE_TENANT_ID": str(uuid.uuid4()),
            "AZURE_CLIENT_ID": str(uuid.uuid4()),
            "AZURE_CLIENT_SECRET": _text(WORD + "~._-", 40),
            "AZURE_API_KEY": _text(WORD, 84),
            "LITELLM_DATABASE_HOST": f"db-{_text(string.ascii_lowercase, 8)}.example.internal",
            "LITELLM_DATABASE_USERNAME": f"user{_text(string.ascii_lowercase, 8)}",
            "LITELLM_DATABASE_PASSWORD": _text(WORD, 24),
            "LITELLM_REDIS_PASSWORD": _text(WORD, 24),
        }
    )
    files: dict[str, str] = field(
        default_factory=lambda: {
            "gcp-service-account.json": service_account(),
            "access-token": "ghu_" + _text(WORD, 36),
        }
    )

    def write(self, folder: Path) -> Path:
        """Put the inputs where LITELLM_GITOPS_INPUTS can point, readable by their owner alone."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f"export {name}='{value}'" for name, value in self.lines.items()]
        contents = {"deployment_outputs.env": "\n".join(lines) + "\n", **self.files}
        for name, content in contents.items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(content, "utf-8")
        return folder

    def expected(self, name: str, key: str) -> str | None:
        """What the key of a sealed Secret must hold; None for a value that is generated."""
        renamed = {
            ("litellm-postgresql", "host"): "LITELLM_DATABASE_HOST",
            ("litellm-postgresql", "username"): "LITELLM_DATABASE_USERNAME",
            ("litellm-postgresql", "password"): "LITELLM_DATABASE_PASSWORD",
            ("litellm-redis", "redis-password"): "LITELLM_REDIS_PASSWORD",
        }
        source = renamed.get((name, key), key)
        return self.files.get(source) or self.lines.get(source)

    def canaries(self) -> list[str]:
        """Texts of which none may be found in plaintext where it does not belong; one for each input."""
        account = json.loads(self.files["gcp-service-account.json"])
        return [
            *self.lines.values(),
            account["private_key_id"],
            account["private_key"].splitlines()[2],
            self.files["access-token"],
        ]
