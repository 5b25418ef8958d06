"""How a run ends: exit codes, and what each error of GitHub means for the person who logs in."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from litellm_gitops.copilot.terminal import is_name

COMMAND = "uv run hooks/get_copilot_token.py"
_PACKAGES = {"yaml": "PyYAML", "ruamel": "ruamel.yaml"}  # modules that are not named like their package


class Exit(enum.IntEnum):
    """The exit codes, beside 130 for an interruption."""

    STORED = 0
    UNEXPECTED = 1
    USAGE = 2
    DENIED = 3
    EXPIRED = 4
    NETWORK = 5
    NO_SUBSCRIPTION = 6


class Stop(Exception):  # noqa: N818
    """The run ends here, with this exit code and a text that is safe to show."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def missing(module: str) -> Stop:
    """The end of a run in which `module` cannot be imported."""
    name = module.partition(".")[0]
    package = _PACKAGES.get(name, name)
    return Stop(Exit.UNEXPECTED, f"{package} is missing. `{COMMAND}` brings it; so does `pip install {package}`.")


# ---------------------------------------------------------------------------------------------------------------------
# The device flow

EXPIRED = "The code expired before it was entered. Run this again to get a new one."
_NO_FLOW = "the app of this client id offers no device flow. Set GITHUB_COPILOT_CLIENT_ID to an app that does."

# Beside `authorization_pending` and `slow_down`:
# https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#error-codes-for-the-device-flow
FLOW_ERRORS: Mapping[str, tuple[Exit, str]] = {
    "access_denied": (Exit.DENIED, "The login was refused in the browser. Run this again to get a new code."),
    "expired_token": (Exit.EXPIRED, EXPIRED),
    "token_expired": (Exit.EXPIRED, EXPIRED),  # GitHub's documentation has both spellings
    "device_flow_disabled": (Exit.UNEXPECTED, f"GitHub answers device_flow_disabled: {_NO_FLOW}"),
    "unauthorized_client": (Exit.UNEXPECTED, f"GitHub answers unauthorized_client: {_NO_FLOW}"),
    "incorrect_client_credentials": (
        Exit.UNEXPECTED,
        "GitHub answers incorrect_client_credentials: it does not know this client id. Check GITHUB_COPILOT_CLIENT_ID.",
    ),
    "incorrect_device_code": (
        Exit.UNEXPECTED,
        "GitHub answers incorrect_device_code: it does not know the code that it gave. Check that "
        "GITHUB_COPILOT_DEVICE_CODE_URL and GITHUB_COPILOT_ACCESS_TOKEN_URL belong together.",
    ),
    "unsupported_grant_type": (
        Exit.UNEXPECTED,
        "GitHub answers unsupported_grant_type: this address serves no device flow. "
        "Check GITHUB_COPILOT_ACCESS_TOKEN_URL.",
    ),
}


def flow_error(name: str) -> Stop:
    """What an error of the device flow means. `name` comes from the network and is shown only if it is a name."""
    if name in FLOW_ERRORS:
        return Stop(*FLOW_ERRORS[name])
    shown = name if is_name(name) else "an error without a proper name"
    return Stop(Exit.UNEXPECTED, f"GitHub answers {shown}, which is unknown here. Nothing was stored.")


# ---------------------------------------------------------------------------------------------------------------------
# The account

SETTINGS = "{site}/settings/copilot"
_TRADE = "https://docs.github.com/site-policy/other-site-policies/github-and-trade-controls"
_CLIENT = (
    "GitHub does not accept this client, whatever the account. Bring the repository up to date with its template, or "
    "set GITHUB_COPILOT_CLIENT_ID to the app of another editor."
)

# Why Copilot refuses an account, by notification id, and what to do. {site} is GitHub's address.
# https://github.com/microsoft/vscode-copilot-chat/blob/main/src/platform/authentication/common/copilotToken.ts
REFUSALS: Mapping[str, str] = {
    "no_copilot_access": f"it has no Copilot subscription. Subscribe at {SETTINGS}, ask an owner of the organization "
    "for a seat, or log in with another account.",
    "not_signed_up": f"it has not signed up for Copilot. Sign up at {SETTINGS}, or log in with another account.",
    "subscription_ended": "its Copilot subscription has ended. Renew it at {site}/settings/billing",
    "enterprise_managed_user_account": "an enterprise manages it, and only the enterprise can give it a Copilot seat. "
    "Ask its administrators.",
    "feature_flag_blocked": "GitHub has blocked Copilot for it. Ask https://support.github.com",
    "spammy_user": "GitHub has flagged it as spam. Appeal at https://support.github.com/contact/reinstatement",
    "billing_locked": "its billing is locked. Settle the payment at {site}/settings/billing, or have the owner of the "
    "organization do it.",
    "trade_restricted": f"GitHub's trade controls exclude it. See {_TRADE}",
    "trade_restricted_country": f"GitHub's trade controls exclude the country in which this machine is. See {_TRADE}",
    "snippy_not_configured": "its Copilot settings are incomplete. Choose what happens with suggestions that match "
    f"public code, at {SETTINGS}",
    "expired_coupon": f"the coupon of its subscription has expired. Subscribe at {SETTINGS}",
    "revoked_coupon": f"the coupon of its subscription was revoked. Subscribe at {SETTINGS}",
    "codespaces_demo_inactive": f"its Copilot demo in Codespaces is over. Subscribe at {SETTINGS}",
    "go_http_client": _CLIENT,
    "programmatic_token_generation": _CLIENT,
    "access_revoked": "its access to Copilot was revoked. Ask an owner of the organization, or "
    "https://support.github.com",
    "server_error": "GitHub failed to check it. Try again later; https://www.githubstatus.com may say more.",
}
