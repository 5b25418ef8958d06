"""The account: whether Copilot serves it, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from litellm_gitops.copilot.endpoints import Endpoints, host_of, split_url
from litellm_gitops.copilot.errors import REFUSALS, SETTINGS, Exit, Stop
from litellm_gitops.copilot.github import Answer, GitHub, Request, unasked
from litellm_gitops.copilot.terminal import Secret, is_name, printable

# What LiteLLM sends when it trades the token for a Copilot key. GitHub admits only editors that it knows, and the
# question is whether it will admit the proxy.
LITELLM_HEADERS = {
    "User-Agent": "GithubCopilot/1.155.0",
    "Editor-Version": "vscode/1.85.1",
    "Editor-Plugin-Version": "copilot/1.155.0",
}
_FAILURE = "Nothing was stored, because the account could not be verified"


@dataclass(frozen=True)
class Account:
    """Whose token it is. Both texts are safe to show."""

    login: str
    plan: str


def verify(github: GitHub, where: Endpoints, token: Secret) -> Account:
    """The account of `token`, once it is sure that Copilot serves it. Raises `Stop` otherwise.

    The first two calls describe the account. The last one is LiteLLM's and decides: it returns a key, which is a
    credential of its own and is dropped.
    """

    def get(url: str, scheme: str, **headers: str) -> Answer:
        headers["Authorization"] = f"{scheme} {token.reveal()}"
        answer = github.insist(_FAILURE, Request("GET", url, headers))
        if answer.status == 401:
            raise Stop(
                Exit.UNEXPECTED,
                f"{host_of(url)} does not accept the token that was just given (HTTP 401). Nothing was stored.\n"
                "Run this again; GITHUB_COPILOT_API_KEY_URL must be on the same GitHub as the other addresses.",
            )
        return answer

    known = get(f"{where.api}/copilot_internal/user", "Bearer")
    user = get(f"{where.api}/user", "Bearer")
    account = Account(
        login=printable(user.text("login") or known.text("login") or "of unknown name", 64),
        plan=printable(known.text("copilot_plan") or known.text("access_type_sku") or "unknown", 64),
    )
    off = known.status == 200 and known.body is not None and known.body.get("chat_enabled") is False
    if off or known.notification is not None:
        raise _refusal(where, known, account)
    exchange = get(where.api_key, "token", **LITELLM_HEADERS)
    if exchange.refuses:
        raise _refusal(where, exchange, account)
    if exchange.status != 200 or exchange.text("token") is None:
        raise _no_key(where, exchange)
    return account


def _refusal(where: Endpoints, answer: Answer, account: Account) -> Stop:
    """Why Copilot refuses the account, and what to do."""
    name = answer.notification or answer.text("access_type_sku") or ""
    if name in REFUSALS:
        why = REFUSALS[name]
    elif answer.status == 200:
        why = f"its chat is switched off. See {SETTINGS}, or ask the organization's owner."
    else:
        why = f"see {SETTINGS}, or log in with another account."
    if answer.body is not None and answer.body.get("can_signup_for_limited") is True:
        why += f" Copilot Free is open to it, at {SETTINGS}"
    reason = f" ({name})" if is_name(name) else ""
    return Stop(
        Exit.NETWORK if name == "server_error" else Exit.NO_SUBSCRIPTION,
        f"Copilot refuses account {account.login}, plan {account.plan}{reason}: "
        f"{why.replace('{site}', where.site)}\nNothing was stored.",
    )


def _no_key(where: Endpoints, answer: Answer) -> Stop:
    """What an answer without a key means that is no refusal of Copilot's."""
    host = host_of(where.api_key)
    if answer.status == 403 and answer.single_sign_on:
        page = _sign_on_page(answer.single_sign_on, where)
        return unasked(_FAILURE, host, "an organization demands single sign-on", f"Sign in {page}, then run this again.")
    if answer.status == 403:
        fix = "A proxy or firewall may have answered: ask who runs the network to allow this address."
        return unasked(_FAILURE, host, "HTTP 403 with an answer that is not Copilot's", fix)
    return Stop(
        Exit.UNEXPECTED,
        f"{where.api_key} gives no Copilot key for tokens of client id {where.client_id} (HTTP {answer.status}). "
        "Nothing was stored.\nCheck GITHUB_COPILOT_CLIENT_ID and GITHUB_COPILOT_API_KEY_URL.",
    )


def _sign_on_page(header: str, where: Endpoints) -> str:
    """Where to sign in, by X-GitHub-SSO (`required; url=…`): the page without its query, if it is GitHub's own.

    https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#authenticating-with-saml-sso
    """
    url = header.partition("url=")[2].strip()
    parts = split_url(url)
    if parts is None or parts.scheme != "https" or parts.hostname != where.host or parts.port not in (None, 443):
        return "to the organization in your browser"
    return f"at https://{where.host}{urlsplit(url).path}"
