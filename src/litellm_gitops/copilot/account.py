"""The account: whether Copilot serves it, and why not."""

from __future__ import annotations

from typing import NamedTuple

from litellm_gitops.copilot.endpoints import Endpoints, host_of, split_url
from litellm_gitops.copilot.errors import Exit, Stop, refusal
from litellm_gitops.copilot.github import Answer, GitHub, unasked
from litellm_gitops.copilot.terminal import Secret, is_name, printable

# What LiteLLM sends when it trades the token for a Copilot key. GitHub admits only editors that it knows, and the
# question is whether it will admit the proxy.
LITELLM_HEADERS = {
    "User-Agent": "GithubCopilot/1.155.0",
    "Editor-Version": "vscode/1.85.1",
    "Editor-Plugin-Version": "copilot/1.155.0",
}
_FAILURE = "Nothing was stored, because the account could not be verified"


class Account(NamedTuple):
    """Whose token it is. Both texts are safe to show."""

    login: str
    plan: str


def verify(github: GitHub, where: Endpoints, token: Secret) -> Account:
    """The account of `token`, once it is sure that Copilot serves it. Raises `Stop` otherwise.

    The first two calls describe the account. The last one is LiteLLM's and decides: it returns a key, which is a
    credential of its own and is dropped.
    """

    def get(url: str, headers: dict[str, str]) -> Answer:
        answer = github.insist(_FAILURE, url, headers)
        if answer.status == 401:
            what = f"{host_of(url)} does not accept the token that was just given (HTTP 401). Nothing was stored."
            fix = "GITHUB_COPILOT_API_KEY_URL must be on the same GitHub as the other addresses."
            raise Stop(Exit.UNEXPECTED, f"{what}\nRun this again; {fix}")
        return answer

    bearer = {"Authorization": f"Bearer {token.reveal()}"}
    known, user = get(f"{where.api}/copilot_internal/user", bearer), get(f"{where.api}/user", bearer)
    account = Account(
        printable(user.text("login") or known.text("login") or "of unknown name", 64),
        printable(known.text("copilot_plan") or known.text("access_type_sku") or "unknown", 64),
    )
    if known.notification is not None or (known.status == 200 and known.get("chat_enabled") is False):
        raise _refused(where, known, account)
    exchange = get(where.api_key, LITELLM_HEADERS | {"Authorization": f"token {token.reveal()}"})
    if exchange.refuses:
        raise _refused(where, exchange, account)
    if exchange.status != 200 or exchange.text("token") is None:
        raise _no_key(where, exchange)
    return account


def _refused(where: Endpoints, answer: Answer, account: Account) -> Stop:
    """Why Copilot refuses the account, and what to do."""
    name = answer.notification or answer.text("access_type_sku") or ""
    settings = f"{where.site}/settings/copilot"
    why = f"see {settings}, or log in with another account."
    if answer.status == 200:
        why = f"its chat is switched off. See {settings}, or ask the organization's owner."
    why = (refusal(name) or why).replace("{site}", where.site)
    if answer.get("can_signup_for_limited") is True:
        why += f" Copilot Free is open to it, at {settings}"
    reason = f" ({name})" if is_name(name) else ""
    return Stop(
        Exit.NETWORK if name == "server_error" else Exit.NO_SUBSCRIPTION,
        f"Copilot refuses account {account.login}, plan {account.plan}{reason}: {why}\nNothing was stored.",
    )


def _no_key(where: Endpoints, answer: Answer) -> Stop:
    """What an answer without a key means that is no refusal of Copilot's."""
    host = host_of(where.api_key)
    if answer.status == 403 and answer.single_sign_on:
        fix = f"Sign in {_sign_on_page(answer.single_sign_on, where)}, then run this again."
        return unasked(_FAILURE, host, "an organization demands single sign-on", fix)
    if answer.status == 403:
        fix = "A proxy or firewall may have answered: ask who runs the network to allow this address."
        return unasked(_FAILURE, host, "HTTP 403 with an answer that is not Copilot's", fix)
    what = f"{where.api_key} gives no Copilot key for tokens of client id {where.client_id} (HTTP {answer.status})"
    fix = "Check GITHUB_COPILOT_CLIENT_ID and GITHUB_COPILOT_API_KEY_URL."
    return Stop(Exit.UNEXPECTED, f"{what}. Nothing was stored.\n{fix}")


def _sign_on_page(header: str, where: Endpoints) -> str:
    """Where to sign in, by X-GitHub-SSO (`required; url=…`): the page without its query, if it is GitHub's own.

    https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#authenticating-with-saml-sso
    """
    parts = split_url(header.partition("url=")[2].strip())
    if parts is None or (parts.scheme, parts.netloc.lower()) != ("https", where.host):
        return "to the organization in your browser"
    return f"at {where.site}{parts.path}"
