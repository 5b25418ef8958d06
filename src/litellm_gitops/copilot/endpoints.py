"""Where GitHub is: the addresses of one host, or those that the environment sets under LiteLLM's own names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from litellm_gitops.copilot.errors import Exit, Stop
from litellm_gitops.copilot.terminal import is_name

# The client id of GitHub's own editor plugin, which LiteLLM uses too.
CLIENT_ID = "Iv1.b507a08c87ecfe98"
# This machine: what is sent there needs no TLS, and never goes to a proxy.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Endpoints:
    """The addresses of one GitHub. `host` is github.com or <name>.ghe.com; `overridden`: the variables that count."""

    host: str
    client_id: str
    device_code: str
    access_token: str
    api_key: str
    overridden: tuple[str, ...]

    @property
    def api(self) -> str:
        """The origin of the API, without a slash at its end."""
        parts = urlsplit(self.api_key)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def site(self) -> str:
        """The address for people."""
        return f"https://{self.host}"


def github_host(text: str) -> str:
    """The host name in `text`: github.com or <name>.ghe.com. Raises ValueError for another."""
    host = text.strip().lower().removeprefix("https://").rstrip("/")
    if host == "github.com" or re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.ghe\.com", host):
        return host
    raise ValueError(host)


def endpoints(host: str, env: Mapping[str, str]) -> Endpoints:
    """The addresses of `host`, unless `env` has others.

    Raises `Stop` for an address that is no URL, or that would carry the token unencrypted.
    """
    defaults = {
        "GITHUB_COPILOT_CLIENT_ID": CLIENT_ID,
        "GITHUB_COPILOT_DEVICE_CODE_URL": f"https://{host}/login/device/code",
        "GITHUB_COPILOT_ACCESS_TOKEN_URL": f"https://{host}/login/oauth/access_token",
        "GITHUB_COPILOT_API_KEY_URL": f"https://api.{host}/copilot_internal/v2/token",
    }
    chosen = {name: env.get(name, "").strip() or value for name, value in defaults.items()}
    for name, value in chosen.items():
        parts = split_url(value)
        if name.endswith("_ID") and not is_name(value):
            raise Stop(Exit.USAGE, f"{name} is not a client id, such as {CLIENT_ID}")
        if name.endswith("_URL") and parts is None:
            raise Stop(Exit.USAGE, f"{name} is not a URL such as https://github.com/login/device/code")
        if parts and not is_protected(parts):
            raise Stop(Exit.USAGE, f"{name} must begin with https://, else others could read the token")
    client_id, device_code, access_token, api_key = chosen.values()
    overridden = tuple(name for name in defaults if chosen[name] != defaults[name])
    return Endpoints(host, client_id, device_code, access_token, api_key, overridden)


def split_url(url: str) -> SplitResult | None:
    """The parts of an http(s) URL that has a host and no user name in it; None for anything else."""
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return None
    plain = re.fullmatch(r"[!-~]{1,500}", url)
    return parts if usable and plain and parts.scheme in ("http", "https") else None


def is_protected(parts: SplitResult) -> bool:
    """Whether nobody else can read what is sent there: TLS, or this machine."""
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def host_of(url: str) -> str:
    """The host name of a URL."""
    return urlsplit(url).hostname or ""
