"""The table of scenarios: what GitHub does, and what the user, the disk and GitHub then see.

Each runs the shipped program as a process of its own (tests/support/warm.py) against a real server. `polls` are the
moments of the polls, in seconds since the code was given; the clock is the program's (see clock.py).
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from litellm_gitops.copilot import errors
from tests.copilot import fake_github as github_
from tests.copilot.clock import FastClock
from tests.copilot.fake_github import (
    A_KEY,
    CODE_PATH,
    CUT,
    FLOOD,
    GRANTED,
    HANG,
    KEY_PATH,
    OCTOCAT,
    PENDING,
    RESET,
    SILENCE,
    SUBSCRIBED,
    TOLD_PATH,
    TRICKLE,
    USER_CODE,
    USER_PATH,
    FakeGitHub,
    Reply,
    Script,
    a_code,
    error,
    html,
    refused,
    sso,
    wall_clock_date,
)
from tests.copilot.program import Sandbox, finish
from tests.support.warm import Warm

VERIFIED = {TOLD_PATH: 1, USER_PATH: 1, KEY_PATH: 1}


@dataclass(frozen=True)
class Scenario:
    """`exit` and `says` are what the user gets. The token is stored exactly where `exit` is 0."""

    claim: str
    exit: int
    says: tuple[str, ...]
    code: Script = field(default_factory=a_code)
    polls: Script = GRANTED
    told: Script = SUBSCRIBED
    user: Script = OCTOCAT
    key: Script = A_KEY
    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    polled: tuple[float, ...] | None = None
    asked: Mapping[str, int] = field(default_factory=dict)
    silent_about: tuple[str, ...] = ()
    client_id: str = github_.CLIENT_ID
    hangs: bool = False


SCENARIOS = [
    # ---- The good way
    Scenario(
        "the_token_of_a_quick_user_is_stored",
        0,
        (
            "/login/device",
            USER_CODE,
            "valid for 15 minutes",
            "Account octocat, plan business",
            "access-token",
        ),
        polled=(6,),
        asked={CODE_PATH: 1, **VERIFIED},
    ),
    Scenario(
        "pending_is_polled_at_the_interval_and_a_fifth_more",
        0,
        ("Account octocat",),
        polls=[PENDING, PENDING, PENDING, GRANTED],
        polled=(6, 12, 18, 24),
    ),
    Scenario(
        "the_servers_interval_is_kept",
        0,
        (),
        code=a_code(interval=10),
        polls=[PENDING, GRANTED],
        polled=(12, 24),
    ),
    Scenario(
        "a_missing_interval_means_five_seconds",
        0,
        (),
        code=a_code(interval=None),
        polls=[PENDING, GRANTED],
        polled=(6, 12),
    ),
    Scenario(
        "an_interval_of_zero_is_no_busy_loop",
        0,
        (),
        code=a_code(interval=0),
        polls=[PENDING, GRANTED],
        polled=(6, 12),
    ),
    Scenario(
        "numbers_may_be_sent_as_strings",
        0,
        ("valid for 10 minutes",),
        code=a_code(expires_in="600", interval="7"),
        polls=[PENDING, GRANTED],
        polled=(8.4, 16.8),
    ),
    Scenario(
        "nonsense_numbers_become_the_defaults",
        0,
        ("valid for 15 minutes",),
        code=a_code(expires_in=True, interval=[5]),
        polled=(6,),
    ),
    Scenario(
        "astronomic_numbers_do_no_harm",
        4,
        ("valid for 1440 minutes",),
        code=a_code(expires_in=10**30, interval=10**30),
        polled=(),
    ),
    Scenario(
        "errors_with_http_400_as_in_the_rfc_are_understood",
        0,
        (),
        polls=[error("authorization_pending", 400), error("slow_down", 400), GRANTED],
        polled=(6, 12, 26),
    ),
    Scenario(
        "another_client_id_is_used_in_every_request",
        0,
        ("GITHUB_COPILOT_CLIENT_ID",),
        client_id="Ov23liTESTTESTTEST00",
        env={"GITHUB_COPILOT_CLIENT_ID": "Ov23liTESTTESTTEST00"},
        polled=(6,),
    ),
    # ---- Slow down
    Scenario(
        "slow_down_takes_the_new_interval_and_more_margin_for_all_later_polls",
        0,
        ("slow down", "every 14 seconds"),
        polls=[error("slow_down", interval=10), PENDING, PENDING, GRANTED],
        polled=(6, 20, 34, 48),
    ),
    Scenario(
        "slow_down_without_interval_adds_five_seconds",
        0,
        ("every 14 seconds",),
        polls=[error("slow_down"), GRANTED],
        polled=(6, 20),
    ),
    Scenario(
        "slow_down_never_shortens_the_interval",
        0,
        (),
        polls=[error("slow_down", interval=1), GRANTED],
        polled=(6, 20),
    ),
    Scenario(
        "slow_down_with_http_429_is_no_failure",
        0,
        ("slow down",),
        polls=[error("slow_down", 429, interval=10), GRANTED],
        polled=(6, 20),
    ),
    Scenario(
        "a_third_slow_down_hints_at_the_clock",
        0,
        ("Is the clock of this machine fast?",),
        polls=[*[error("slow_down")] * 3, GRANTED],
        polled=(6, 20, 44, 80),
    ),
    # ---- The user's decision
    Scenario(
        "a_cancelled_login_is_3",
        3,
        ("refused in the browser",),
        polls=[PENDING, error("access_denied")],
        polled=(6, 12),
        asked={TOLD_PATH: 0},
    ),
    Scenario(
        "expired_token_is_4",
        4,
        ("expired before it was entered", "Run this again"),
        polls=error("expired_token"),
        polled=(6,),
    ),
    Scenario(
        "token_expired_the_other_spelling_is_4",
        4,
        ("expired before it was entered",),
        polls=error("token_expired"),
        polled=(6,),
    ),
    Scenario(
        "polling_ends_by_itself_when_the_code_is_over",
        4,
        ("expired before it was entered",),
        code=a_code(expires_in=20),
        polls=PENDING,
        polled=(6, 12, 18),
    ),
    Scenario(
        "a_last_look_is_taken_just_before_the_end",
        0,
        (),
        code=a_code(expires_in=24),
        polls=[PENDING, PENDING, PENDING, GRANTED],
        polled=(6, 12, 18, 23),
    ),
    Scenario(
        "a_timeout_ends_the_wait_early",
        4,
        ("within 15 seconds (--timeout)",),
        polls=PENDING,
        options=("--timeout", "15"),
        polled=(6, 12),
    ),
    Scenario(
        "a_timeout_does_not_prolong_the_code",
        4,
        ("expired before it was entered",),
        code=a_code(expires_in=15),
        polls=PENDING,
        options=("--timeout", "1000"),
        polled=(6, 12),
    ),
    # ---- Errors that end the flow
    Scenario(
        "a_disabled_device_flow_is_named",
        1,
        ("device_flow_disabled", "GITHUB_COPILOT_CLIENT_ID"),
        code=error("device_flow_disabled", 400),
        polled=(),
    ),
    Scenario(
        "a_device_flow_that_is_disabled_meanwhile_is_named",
        1,
        ("device_flow_disabled",),
        polls=error("device_flow_disabled"),
        polled=(6,),
    ),
    Scenario(
        "an_unauthorized_client_is_named",
        1,
        ("unauthorized_client",),
        code=error("unauthorized_client", 400),
        polled=(),
    ),
    Scenario(
        "an_unknown_client_is_named",
        1,
        ("incorrect_client_credentials", "GITHUB_COPILOT_CLIENT_ID"),
        polls=error("incorrect_client_credentials"),
    ),
    Scenario(
        "a_device_code_of_another_server_is_named",
        1,
        ("incorrect_device_code", "belong together"),
        polls=error("incorrect_device_code"),
    ),
    Scenario(
        "an_unsupported_grant_type_is_named",
        1,
        ("unsupported_grant_type",),
        polls=error("unsupported_grant_type"),
    ),
    Scenario(
        "an_unknown_error_ends_the_flow_by_its_name_and_without_its_text",
        1,
        ("GitHub answers no_such_thing",),
        polls=error("no_such_thing"),
        polled=(6,),
        silent_about=("about no_such_thing",),
    ),
    Scenario(
        "an_error_name_cannot_steer_the_terminal",
        1,
        ("an error without a proper name",),
        polls=error("\x1b[2Jowned"),
        silent_about=("\x1b", "owned"),
    ),
    Scenario(
        "a_page_of_a_networks_policy_in_place_of_a_code_is_5",
        5,
        ("127.0.0.1 could not be asked", "HTTP 403 without JSON"),
        code=html(403),
        polled=(),
    ),
    Scenario(
        "a_host_without_device_flow_is_named",
        1,
        ("no device flow", "HTTP 404", "--host"),
        code=Reply({"message": "Not Found"}, 404),
        polled=(),
    ),
    Scenario(
        "an_incomplete_code_is_refused",
        1,
        ("does not answer as a device flow does",),
        code=a_code(user_code=None),
        polled=(),
    ),
    Scenario(
        "a_user_code_cannot_steer_the_terminal",
        1,
        ("user code with unexpected characters; it is not displayed",),
        code=a_code(user_code="AB\x1b[8mCD"),
        polled=(),
        silent_about=("\x1b",),
    ),
    Scenario(
        "a_login_page_on_another_host_is_not_shown",
        1,
        ("github.evil.example", "steal"),
        code=a_code(verification_uri="https://github.evil.example/login/device"),
        polled=(),
        silent_about=("https://github.evil.example", USER_CODE),
    ),
    Scenario(
        "a_login_page_with_a_look_alike_user_part_is_not_shown",
        1,
        ("no host",),
        code=a_code(verification_uri="https://github.com@evil.example/login/device"),
        polled=(),
        silent_about=("evil.example", USER_CODE),
    ),
    Scenario(
        "a_login_page_without_tls_is_not_shown",
        1,
        ("not https",),
        code=a_code(verification_uri="http://github.com/login/device"),
        polled=(),
        silent_about=(USER_CODE,),
    ),
    Scenario(
        "an_answer_without_token_ends_the_flow",
        1,
        ("without a token",),
        polls=Reply({"token_type": "bearer"}),
        polled=(6,),
    ),
    Scenario(
        "a_refused_poll_without_an_error_name_ends_the_flow",
        1,
        ("without a token (HTTP 404)",),
        polls=Reply({"message": "Not Found"}, 404),
        polled=(6,),
    ),
    Scenario(
        "something_that_is_no_token_is_neither_stored_nor_shown",
        1,
        ("no token",),
        polls=Reply({"access_token": "ghu_abc def\n", "token_type": "bearer"}),
        silent_about=("ghu_abc",),
        asked={TOLD_PATH: 0},
    ),
    Scenario(
        "a_token_of_a_wrong_type_is_no_token",
        1,
        ("without a token",),
        polls=Reply({"access_token": ["{token}"]}),
    ),
    Scenario(
        "an_expiring_token_is_stored_with_a_warning_and_without_its_refresh_token",
        0,
        ("warning", "expire in 480 minutes"),
        polls=Reply(
            {
                "access_token": "{token}",
                "expires_in": 28800,
                "refresh_token": "ghr_REFRESHREFRESH",
                "refresh_token_expires_in": 15897600,
            }
        ),
        silent_about=("ghr_",),
    ),
    # ---- The network, while a code is asked for
    Scenario(
        "a_short_outage_before_the_code_is_bridged",
        0,
        ("HTTP 502", "Trying again in 1 second", "Trying again in 2 seconds"),
        code=[html(502), RESET, a_code()],
        polled=(6,),
        asked={CODE_PATH: 3},
    ),
    Scenario(
        "a_long_outage_before_the_code_is_5",
        5,
        ("No code could be had", "HTTP 503", "HTTPS_PROXY"),
        code=html(503),
        asked={CODE_PATH: 4},
        polled=(),
    ),
    Scenario(
        "a_page_of_a_captive_portal_is_5",
        5,
        ("HTTP 200 without JSON",),
        code=html(),
        polled=(),
    ),
    Scenario(
        "a_redirect_is_not_followed",
        5,
        ("redirect, which is not followed",),
        code=html(302, Location="/elsewhere"),
        polled=(),
    ),
    Scenario(
        "a_rate_limit_that_ends_soon_is_waited_for",
        0,
        ("HTTP 429", "Trying again in 30 seconds"),
        code=[Reply({"message": "slow"}, 429, {"Retry-After": "30"}), a_code()],
    ),
    Scenario(
        "a_rate_limit_that_does_not_end_soon_is_5",
        5,
        ("asks to wait 60 minutes",),
        code=Reply({"message": "slow"}, 429, {"Retry-After": "3600"}),
        asked={CODE_PATH: 1},
    ),
    # ---- The network, while polling
    Scenario(
        "resets_are_polled_over_less_and_less_often",
        0,
        ("Trying on",),
        polls=[RESET, RESET, RESET, PENDING, GRANTED],
        polled=(6, 18, 42, 90, 96),
    ),
    Scenario(
        "the_back_off_ends_at_a_minute",
        0,
        (),
        polls=[*[SILENCE] * 6, GRANTED],
        polled=(6, 18, 42, 90, 150, 210, 270),
    ),
    Scenario(
        "garbage_is_polled_over",
        0,
        ("HTTP 200 without JSON",),
        polls=[html(), Reply([1, 2]), Reply(b"[" * 50_000), GRANTED],
        polled=(6, 18, 42, 90),
    ),
    Scenario(
        "server_errors_are_polled_over",
        0,
        ("HTTP 500", "HTTP 503"),
        polls=[html(500), Reply({"error": "oops"}, 503), GRANTED],
        polled=(6, 18, 42),
    ),
    Scenario(
        "a_page_of_a_networks_policy_is_polled_over",
        0,
        ("HTTP 403 without JSON",),
        polls=[html(403), GRANTED],
        polled=(6, 18),
    ),
    Scenario(
        "a_cut_answer_is_polled_over",
        0,
        ("RemoteProtocolError",),
        polls=[CUT, GRANTED],
        polled=(6, 18),
    ),
    Scenario(
        "a_flood_is_cut_off_and_polled_over",
        0,
        ("more than 1 MiB",),
        polls=[FLOOD, GRANTED],
        polled=(6, 18),
    ),
    Scenario(
        "a_server_that_hangs_is_given_up_and_polled_over",
        0,
        ("ReadTimeout",),
        polls=[HANG, GRANTED],
        polled=(6, 18),
        hangs=True,
    ),
    Scenario(
        "a_server_that_trickles_is_given_up_and_polled_over",
        0,
        ("no whole answer within 60 seconds",),
        polls=[TRICKLE, GRANTED],
        polled=(6, 18),
        hangs=True,
    ),
    Scenario(
        "retry_after_in_seconds_is_honoured",
        0,
        ("HTTP 429",),
        polls=[Reply({"message": "slow"}, 429, {"Retry-After": "100"}), GRANTED],
        polled=(6, 106),
    ),
    Scenario(
        "nonsense_in_retry_after_is_ignored",
        0,
        (),
        polls=[Reply({}, 503, {"Retry-After": "soon, perhaps"}), GRANTED],
        polled=(6, 18),
    ),
    Scenario(
        "a_retry_after_in_the_past_is_ignored",
        0,
        (),
        polls=[Reply({}, 503, {"Retry-After": wall_clock_date(-3600)}), GRANTED],
        polled=(6, 18),
    ),
    Scenario(
        "a_retry_after_beyond_the_codes_life_is_5_at_once",
        5,
        ("could not be asked before the code expired", "HTTP 429"),
        polls=Reply({"message": "slow"}, 429, {"Retry-After": "1000"}),
        polled=(6,),
    ),
    Scenario(
        "an_outage_until_the_end_is_5_and_not_4",
        5,
        ("could not be asked before the code expired",),
        code=a_code(expires_in=60),
        polls=[PENDING, RESET],
        polled=(6, 12, 24, 48, 59),
    ),
    # ---- The account
    Scenario(
        "no_subscription_is_6_and_asks_for_no_copilot_key",
        6,
        ("octocat", "no Copilot subscription", "no_copilot_access", "Nothing was stored"),
        told=refused("no_copilot_access"),
        asked={TOLD_PATH: 1, USER_PATH: 1, KEY_PATH: 0},
    ),
    Scenario(
        "chat_that_is_switched_off_is_6",
        6,
        ("octocat", "plan business", "switched off"),
        told=Reply({"chat_enabled": False, "copilot_plan": "business"}),
        asked={KEY_PATH: 0},
    ),
    Scenario(
        "an_account_that_may_sign_up_for_free_is_told_so",
        6,
        ("octocat", "Copilot Free", "https://github.com/settings/copilot"),
        told=Reply(
            {
                "chat_enabled": False,
                "copilot_plan": "individual",
                "access_type_sku": "not_signed_up",
                "can_signup_for_limited": True,
            }
        ),
    ),
    Scenario(
        "the_second_opinion_decides_where_the_first_is_silent",
        6,
        ("octocat", "subscription has ended"),
        told=Reply({"message": "Not Found"}, 404),
        key=refused("subscription_ended"),
        asked=VERIFIED,
    ),
    Scenario(
        "the_second_opinion_suffices_where_the_first_call_is_gone",
        0,
        ("Account octocat, plan unknown",),
        told=Reply({"message": "Not Found"}, 404),
    ),
    Scenario(
        "the_second_opinion_counts_even_after_a_good_first_one",
        6,
        ("octocat", "plan business", "settings are incomplete"),
        key=refused("snippy_not_configured"),
    ),
    Scenario(
        "a_refusal_for_an_unknown_reason_is_6",
        6,
        ("octocat", "brand_new_reason", "https://github.com/settings/copilot"),
        key=refused("brand_new_reason"),
        silent_about=("You are currently logged in",),
    ),
    Scenario(
        "a_refusal_without_reason_is_6",
        6,
        ("octocat", "https://github.com/settings/copilot"),
        key=Reply({"message": "Resource not accessible by integration"}, 403),
    ),
    Scenario(
        "a_refusal_in_copilots_envelope_without_id_is_6",
        6,
        ("octocat", "Copilot Free"),
        key=Reply({"message": "Forbidden", "can_signup_for_limited": True}, 403),
    ),
    Scenario(
        "the_site_in_the_advice_is_that_of_the_host",
        6,
        ("https://octo.ghe.com/settings/copilot",),
        options=("--host", "https://Octo.ghe.com/"),
        key=refused("no_copilot_access"),
    ),
    Scenario(
        "a_login_name_cannot_steer_the_terminal",
        0,
        ("Account octo?[2Jcat",),
        user=Reply({"login": "octo\x1b[2Jcat"}),
        silent_about=("\x1b",),
    ),
    Scenario(
        "a_token_that_is_revoked_at_once_is_1",
        1,
        ("does not accept the token", "HTTP 401"),
        told=Reply({"message": "Bad credentials"}, 401),
    ),
    Scenario(
        "an_app_without_access_to_copilot_is_1",
        1,
        ("client id", "HTTP 404", "GITHUB_COPILOT_CLIENT_ID"),
        key=Reply({"message": "Not Found"}, 404),
    ),
    Scenario(
        "an_answer_without_copilot_key_is_1",
        1,
        ("no Copilot key",),
        key=Reply({"expires_at": 1}),
    ),
    Scenario(
        "a_short_outage_while_verifying_is_bridged",
        0,
        ("Trying again",),
        told=[html(502), SUBSCRIBED],
        user=[RESET, OCTOCAT],
        key=[Reply({"message": "API rate limit exceeded for user ID 1."}, 403), A_KEY],
        asked={TOLD_PATH: 2, USER_PATH: 2, KEY_PATH: 2},
    ),
    Scenario(
        "github_out_of_reach_for_the_first_call_is_5_and_stores_nothing",
        5,
        ("could not be verified", "HTTP 503"),
        told=html(503),
        asked={TOLD_PATH: 4},
    ),
    Scenario(
        "github_out_of_reach_for_the_name_is_5_and_stores_nothing",
        5,
        ("could not be verified",),
        user=RESET,
    ),
    Scenario(
        "github_out_of_reach_for_the_second_opinion_is_5_and_stores_nothing",
        5,
        ("could not be verified", "HTTP 429"),
        key=Reply({}, 429),
    ),
    Scenario(
        "a_rate_limit_is_not_taken_for_a_missing_subscription",
        5,
        ("could not be verified", "HTTP 403"),
        key=Reply({"message": "API rate limit exceeded for user ID 1."}, 403),
    ),
    Scenario(
        "a_page_of_a_networks_policy_is_not_taken_for_a_missing_subscription",
        5,
        ("could not be verified", "127.0.0.1 could not be asked", "HTTP 403 without JSON"),
        key=html(403),
        silent_about=("Unicorn", "another account"),
    ),
    Scenario(
        "a_gateways_json_is_not_taken_for_a_missing_subscription",
        5,
        ("could not be verified", "127.0.0.1 could not be asked", "not Copilot's"),
        key=Reply({"message": "Forbidden", "policy": "no AI services"}, 403),
        asked={KEY_PATH: 1},
        silent_about=("AI services", "another account"),
    ),
    Scenario(
        "json_that_is_no_object_is_not_taken_for_a_missing_subscription",
        5,
        ("could not be asked",),
        key=Reply(["Forbidden"], 403),
    ),
    Scenario(
        "single_sign_on_is_not_taken_for_a_missing_subscription",
        5,
        ("could not be asked: an organization demands single sign-on", "at https://github.com/orgs/octo/sso,"),
        key=sso("https://github.com/orgs/octo/sso?authorization_request=AZSCKTESTTEST"),
        asked={KEY_PATH: 1},
        silent_about=("AZSCK", "another account"),
    ),
    Scenario(
        "a_page_for_single_sign_on_that_is_not_githubs_is_not_shown",
        5,
        ("demands single sign-on", "in your browser"),
        key=sso("https://github.com.evil.example/orgs/octo/sso"),
        silent_about=("evil.example",),
    ),
    Scenario(
        "a_page_for_the_name_alone_costs_nothing_but_the_name",
        0,
        ("Account octocat, plan business",),
        user=Reply({"message": "Resource protected by organization SAML enforcement."}, 403),
    ),
    Scenario(
        "an_error_of_githubs_own_is_not_taken_for_a_missing_subscription",
        5,
        ("server_error", "Try again later"),
        key=refused("server_error"),
    ),
    Scenario(
        "no_verify_stores_without_asking",
        0,
        ("not verified",),
        options=("--no-verify",),
        told=html(503),
        asked={TOLD_PATH: 0, USER_PATH: 0, KEY_PATH: 0},
    ),
]


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm("httpx") as python:
        yield python


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.claim)
def test_scenario(scenario: Scenario, warm: Warm, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, warm=warm)
    clock = FastClock(tmp_path / "clock", socket_divisor=20 if scenario.hangs else None)
    with FakeGitHub(
        code=scenario.code,
        polls=scenario.polls,
        told=scenario.told,
        user=scenario.user,
        key=scenario.key,
        client_id=scenario.client_id,
        clock=clock,
    ) as github:
        run = sandbox.run(github, *scenario.options, env=dict(scenario.env))

    assert run.code == scenario.exit, run.err
    missing = [text for text in scenario.says if text not in run.err]
    assert not missing, run.err
    assert run.out == "", "stdout is empty"
    kept = (github.token, github.key, github.device_code, "Traceback", *scenario.silent_about)
    assert not [number for number, text in enumerate(kept) if text in run.err], "said too much"
    assert github.complaints == []
    if scenario.polled is not None:
        assert github.polls == pytest.approx(scenario.polled)
    for path, times in scenario.asked.items():
        assert len(github.seen(path)) == times, path
    stored = scenario.exit == 0
    assert sandbox.new == (["access-token"] if stored else [])
    if stored:
        assert sandbox.token.read_text() == github.token
        assert sandbox.token.stat().st_mode & 0o7777 == 0o600


def test_retry_after_as_a_date_is_honoured(warm: Warm, tmp_path: Path) -> None:
    """The date is one of the wall clock, so that this is not exact to the second."""
    limited = Reply({}, 429, {"Retry-After": wall_clock_date(200)})
    with FakeGitHub(polls=[limited, GRANTED], clock=FastClock(tmp_path / "clock")) as github:
        run = Sandbox(tmp_path, warm=warm).run(github)
    assert run.code == 0, run.err
    first, second = github.polls
    assert 150 < second - first <= 200


@pytest.mark.parametrize("timeout", ["3", "8"])
def test_a_body_that_comes_byte_by_byte_does_not_outlive_the_timeout(timeout: str, tmp_path: Path) -> None:
    """By the real clock, and the request of a last look, too: it has two seconds even at the very end."""
    with FakeGitHub(code=a_code(interval=1), polls=TRICKLE) as github:
        begin = time.monotonic()
        run = finish(Sandbox(tmp_path).start(github, "--timeout", timeout))
        took = time.monotonic() - begin
    assert run.code == 5, run.err
    assert "could not be asked within --timeout: no whole answer within" in run.err
    assert float(timeout) - 0.1 < took < float(timeout) + 4
    assert github.complaints == []
    assert all(moment < float(timeout) for moment in github.polls), "no look after the end"


NOTIFICATIONS = {
    "no_copilot_access": "Subscribe at https://github.com/settings/copilot",
    "not_signed_up": "Sign up at https://github.com/settings/copilot",
    "subscription_ended": "Renew it at https://github.com/settings/billing",
    "enterprise_managed_user_account": "Ask its administrators",
    "feature_flag_blocked": "https://support.github.com",
    "spammy_user": "https://support.github.com/contact/reinstatement",
    "billing_locked": "https://github.com/settings/billing",
    "trade_restricted": "github-and-trade-controls",
    "trade_restricted_country": "github-and-trade-controls",
    "snippy_not_configured": "https://github.com/settings/copilot",
    "expired_coupon": "https://github.com/settings/copilot",
    "revoked_coupon": "https://github.com/settings/copilot",
    "codespaces_demo_inactive": "https://github.com/settings/copilot",
    "go_http_client": "GITHUB_COPILOT_CLIENT_ID",
    "programmatic_token_generation": "GITHUB_COPILOT_CLIENT_ID",
    "access_revoked": "Ask an owner of the organization",
}


@pytest.mark.parametrize("notification", NOTIFICATIONS)
def test_a_refusal_names_the_account_the_plan_and_what_to_do(notification: str, warm: Warm, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, warm=warm)
    clock = FastClock(tmp_path / "clock")
    with FakeGitHub(key=refused(notification), clock=clock) as github:
        run = sandbox.run(github)
    assert run.code == 6
    assert f"account octocat, plan business ({notification})" in run.err
    assert NOTIFICATIONS[notification] in run.err
    assert not sandbox.token.exists()


def test_every_refusal_has_its_line_above() -> None:
    texts = tomllib.loads(Path(errors.__file__).with_suffix(".toml").read_text("utf-8"))
    assert texts["refusals"].keys() == {*NOTIFICATIONS, "server_error"}
