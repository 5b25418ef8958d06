"""The command line, the environment, the terminal and the way to GitHub."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from litellm_gitops.copilot.endpoints import endpoints, github_host
from litellm_gitops.copilot.terminal import Secret
from tests.copilot import certificate
from tests.copilot.clock import FastClock
from tests.copilot.fake_github import CODE_PATH, GRANTED, PENDING, FakeGitHub, a_code
from tests.copilot.program import Sandbox, Terminal
from tests.copilot.tunnel import Tunnel

ON_GITHUB = a_code(verification_uri="https://github.com/login/device", interval=1)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.fixture
def clock(tmp_path: Path) -> FastClock:
    return FastClock(tmp_path / "clock")


# ---- The command line

WRONG = {
    "an_unknown_option": (("--tokne",), "argument 1 is not known"),
    "a_stray_word": (("--seal", "access-token"), "argument 2 is not known"),
    "two_ways_of_storing": (("--seal", "--output", "token"), "not allowed with"),
    "a_server_of_ones_own": (("--host", "github.example.com"), "<name>.ghe.com"),
    "two_labels": (("--host", "a.b.ghe.com"), "<name>.ghe.com"),
    "a_look_alike": (("--host", "ghe.com.example.com"), "<name>.ghe.com"),
    "a_path": (("--host", "octo.ghe.com/x"), "<name>.ghe.com"),
    "plain_http": (("--host", "http://github.com"), "<name>.ghe.com"),
    "no_time": (("--timeout", "0"), "above 0"),
    "less_than_no_time": (("--timeout", "-1"), "above 0"),
    "endless_time": (("--timeout", "inf"), "above 0"),
    "no_number": (("--timeout", "soon"), "above 0"),
    "a_token_as_an_option": (("--gho_abc",), "argument 1 is not known"),
    "a_token_as_the_name_of_a_file": (("--output", "gho_" + "a1B2" * 9), "--output takes PATH"),
    "no_name_of_a_file": (("--output", ""), "--output takes PATH"),
    "a_value_that_a_switch_has_not": (("--force=gho_abc",), "--force takes no value"),
    "an_option_cut_short": (("--no=gho_abc",), "may be one of two"),
    "an_option_that_is_misspelt": (("--no-verfiy",), "Did you mean --no-verify?"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_2(name: str, sandbox: Sandbox) -> None:
    options, says = WRONG[name]
    with FakeGitHub() as github:
        run = sandbox.run(github, *options)
    assert run.code == 2
    assert says in run.err
    assert "Traceback" not in run.err
    assert "gho_" not in run.err, "what was given may be a token"
    assert github.requests == []


def test_help_needs_no_package(sandbox: Sandbox) -> None:
    run = subprocess.run(
        [sys.executable, "-S", sandbox.program, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=sandbox.environment(None),
    )
    options = ("--seal", "--output", "--force", "--host", "--no-browser", "--no-verify")
    for word in (*options, "--timeout", "exit codes", "130", "GITHUB_COPILOT_CLIENT_ID"):
        assert word in run.stdout
    assert max(map(len, run.stdout.splitlines())) <= 80


@pytest.mark.parametrize(("option", "package"), [("--force", "httpx"), ("--seal", "pydantic|PyYAML|pathspec")])
def test_a_missing_package_is_named_with_the_command_that_brings_it(
    option: str, package: str, sandbox: Sandbox
) -> None:
    run = subprocess.run(
        [sys.executable, "-S", sandbox.program, option],
        capture_output=True,
        text=True,
        check=False,
        env=sandbox.environment(None),
        cwd=sandbox.repository,
    )
    assert run.returncode == 1
    line = (
        rf"error: ({package}) is missing\. `uv run hooks/get_copilot_token\.py` brings it; so does `pip install \1`\.\n"
    )
    assert re.fullmatch(line, run.stderr), run.stderr


def test_help_loads_no_more_than_it_needs(sandbox: Sandbox) -> None:
    """What is slow to import waits until it is needed: `--help` is there at once."""
    run = subprocess.run(
        [sys.executable, "-S", "-X", "importtime", sandbox.program, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=sandbox.environment(None),
    )
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "litellm_gitops.copilot.github" in loaded
    assert not loaded & {"httpx", "yaml", "pydantic", "webbrowser", "logging", "email", "ssl", "subprocess"}


# ---- The environment

UNUSABLE = {
    "no_url": ("GITHUB_COPILOT_DEVICE_CODE_URL", "github.example", "is not a URL"),
    "no_host": ("GITHUB_COPILOT_ACCESS_TOKEN_URL", "https:///x", "is not a URL"),
    "another_scheme": ("GITHUB_COPILOT_API_KEY_URL", "file:///etc/passwd", "is not a URL"),
    "a_wrong_port": ("GITHUB_COPILOT_API_KEY_URL", "https://github.com:x/", "is not a URL"),
    "a_user_name": ("GITHUB_COPILOT_API_KEY_URL", "https://a:b@github.com/", "is not a URL"),
    "a_line_break": ("GITHUB_COPILOT_API_KEY_URL", "https://github.com/\nx", "is not a URL"),
    "no_tls": ("GITHUB_COPILOT_API_KEY_URL", "http://api.github.com/x", "must begin with https"),
    "no_client_id": ("GITHUB_COPILOT_CLIENT_ID", "a b&c=d", "is not a client id"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_override_is_named_without_its_value(name: str, sandbox: Sandbox) -> None:
    variable, value, says = UNUSABLE[name]
    with FakeGitHub() as github:
        run = sandbox.run(github, env={variable: value})
    assert run.code == 2
    assert f"{variable} {says}" in run.err
    assert value not in run.err
    assert github.requests == []


HOSTS = {
    "github.com": ("https://github.com", "https://api.github.com"),
    "https://GitHub.com/": ("https://github.com", "https://api.github.com"),
    "octo.ghe.com": ("https://octo.ghe.com", "https://api.octo.ghe.com"),
    " https://Octo-Corp.ghe.com ": ("https://octo-corp.ghe.com", "https://api.octo-corp.ghe.com"),
}


@pytest.mark.parametrize("host", HOSTS)
def test_the_addresses_are_those_of_the_host(host: str) -> None:
    login, api = HOSTS[host]
    where = endpoints(github_host(host), {})
    assert where.client_id == "Iv1.b507a08c87ecfe98"
    assert where.device_code == f"{login}/login/device/code"
    assert where.access_token == f"{login}/login/oauth/access_token"
    assert where.api_key == f"{api}/copilot_internal/v2/token"
    assert where.api == api
    assert where.overridden == ()


def test_an_override_beats_the_host_and_moves_the_other_verification_calls() -> None:
    url = "https://gateway.example:8443/github/copilot_internal/v2/token"
    where = endpoints("octo.ghe.com", {"GITHUB_COPILOT_API_KEY_URL": url})
    assert where.api_key == url
    assert where.api == "https://gateway.example:8443"
    assert where.device_code == "https://octo.ghe.com/login/device/code"
    assert where.overridden == ("GITHUB_COPILOT_API_KEY_URL",)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("ghu_abc")
    shown = (repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", [secret])
    assert "ghu_abc" not in str(shown)
    assert secret.reveal() == "ghu_abc"
    with pytest.raises(TypeError):
        __import__("pickle").dumps(secret)


# ---- The way to GitHub


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    with Tunnel() as proxy:
        yield proxy


def test_a_proxy_is_used(
    tls: ssl.SSLContext, untrusted: Path, tunnel: Tunnel, sandbox: Sandbox, clock: FastClock
) -> None:
    with FakeGitHub(clock=clock, code=ON_GITHUB, tls=tls) as github:
        tunnel.leads_to = urlsplit(github.base).port
        nowhere = f"https://{certificate.NAME}:1"  # only the proxy leads on
        env = {name: value.replace(github.base, nowhere) for name, value in github.environment.items()}
        run = sandbox.run(github, env={**env, "HTTPS_PROXY": tunnel.url, "SSL_CERT_FILE": str(untrusted)})
    assert run.code == 0, run.err
    assert {line.split()[1] for line in tunnel.asked} == {f"{certificate.NAME}:1"}


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_stays_on_this_machine_goes_to_no_proxy(
    host: str, variable: str, tunnel: Tunnel, sandbox: Sandbox, clock: FastClock
) -> None:
    """It is not encrypted, so that a proxy could read the token."""
    with FakeGitHub(clock=clock, code=ON_GITHUB) as github:
        env = {name: value.replace("127.0.0.1", host) for name, value in github.environment.items()}
        run = sandbox.run(github, env={**env, variable: tunnel.url})
    assert run.code == 0, run.err
    assert tunnel.asked == []


@pytest.mark.parametrize("proxy", ["gopher://me:hunter2@proxy", "http://me:hunter2@[proxy"])
def test_a_proxy_that_is_none_is_5_and_its_password_stays_hidden(
    proxy: str, sandbox: Sandbox, clock: FastClock
) -> None:
    with FakeGitHub(clock=clock) as github:
        env = {"GITHUB_COPILOT_DEVICE_CODE_URL": f"https://{certificate.NAME}/login/device/code", "ALL_PROXY": proxy}
        run = sandbox.run(github, env=env)
    assert run.code == 5
    assert "HTTPS_PROXY" in run.err
    assert "hunter2" not in run.err


def test_a_host_that_is_not_there_is_5(sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as github:
        env = {"GITHUB_COPILOT_DEVICE_CODE_URL": "https://localhost:1/login/device/code"}
        run = sandbox.run(github, env=env)
    assert run.code == 5
    assert "localhost: ConnectError" in run.err


def test_a_netrc_is_not_sent(sandbox: Sandbox, clock: FastClock) -> None:
    """The server complains of any credential that does not belong."""
    (sandbox.home / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    (sandbox.home / ".netrc").chmod(0o600)
    with FakeGitHub(clock=clock) as github:
        run = sandbox.run(github, env={"NETRC": str(sandbox.home / ".netrc")})
    assert run.code == 0, run.err
    assert github.complaints == []


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that only those trust who are told to."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_text(certificate.make())
    return path


@pytest.fixture
def tls(untrusted: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(untrusted)
    return context


def test_an_untrusted_certificate_is_5_at_once(tls: ssl.SSLContext, sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock, tls=tls) as github:
        run = sandbox.run(github)
    assert run.code == 5
    assert "certificate is not trusted" in run.err
    assert "SSL_CERT_FILE" in run.err
    assert "Trying again" not in run.err
    assert github.requests == []


def test_the_ca_of_ssl_cert_file_is_trusted(
    tls: ssl.SSLContext, untrusted: Path, sandbox: Sandbox, clock: FastClock
) -> None:
    with FakeGitHub(clock=clock, tls=tls) as github:
        run = sandbox.run(github, env={"SSL_CERT_FILE": str(untrusted)})
    assert run.code == 0, run.err


# ---- What goes wrong in the program itself


def test_an_unexpected_error_shows_its_class_and_place_alone(sandbox: Sandbox) -> None:
    broken = sandbox.root / "broken"
    broken.mkdir()
    (broken / "httpx.py").write_text(
        "class HTTPError(Exception): ...\n"
        "class InvalidURL(Exception): ...\n"
        "class Client:\n"
        "    def __init__(self, **_): raise ZeroDivisionError('ghu_inthemessage')\n"
        "Timeout = Limits = lambda *_, **__: None\n"
    )
    with FakeGitHub() as github:
        run = sandbox.run(github, env={"PYTHONPATH": str(broken)})
    assert run.code == 1
    assert run.err == "error: ZeroDivisionError at httpx.py:4; nothing was stored.\n"


# ---- The terminal


def _browser(sandbox: Sandbox) -> tuple[Mapping[str, str], Path]:
    """A browser that only writes down what it is told to open."""
    opened = sandbox.root / "opened"
    opened.touch()
    script = sandbox.root / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    script.chmod(0o755)
    return {"BROWSER": str(script), "DISPLAY": ":0"}, opened


def test_the_browser_opens_the_login_page_of_github(sandbox: Sandbox) -> None:
    env, opened = _browser(sandbox)
    with (
        FakeGitHub(code=ON_GITHUB) as github,
        Terminal(sandbox, github, env=env) as terminal,
    ):
        terminal.expect("WDJB-MJHT")
        terminal.expect("Your browser opens that page.")
        assert terminal.finish() == 0, terminal.screen
    assert opened.read_text() == "https://github.com/login/device\n"


NO_BROWSER: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "it_is_not_wanted": (("--no-browser",), {}),
    "there_is_no_screen": ((), {"DISPLAY": ""}),
    "the_screen_is_far_away": ((), {"SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22"}),
    "the_page_is_another_github's": (("--host", "octo.ghe.com"), {}),
}


@pytest.mark.parametrize("reason", NO_BROWSER)
def test_no_browser_is_opened_when(reason: str, sandbox: Sandbox, clock: FastClock) -> None:
    options, more = NO_BROWSER[reason]
    env, opened = _browser(sandbox)
    link = "https://github.com/login/device"
    if options and options[0] == "--host":
        link = "{base}/login/device"
    with (
        FakeGitHub(clock=clock, code=a_code(verification_uri=link)) as github,
        Terminal(sandbox, github, *options, env={**env, **more}) as terminal,
    ):
        assert terminal.finish() == 0, terminal.screen
    assert "Your browser" not in terminal.screen
    assert opened.read_text() == ""


def test_no_browser_is_opened_without_a_terminal(sandbox: Sandbox, clock: FastClock) -> None:
    env, opened = _browser(sandbox)
    with FakeGitHub(clock=clock, code=ON_GITHUB) as github:
        run = sandbox.run(github, env=env)
    assert run.code == 0, run.err
    assert opened.read_text() == ""


def test_a_terminal_gets_a_countdown_and_colours(sandbox: Sandbox, clock: FastClock) -> None:
    with (
        FakeGitHub(clock=clock, polls=[PENDING, GRANTED]) as github,
        Terminal(sandbox, github) as terminal,
    ):
        assert terminal.finish() == 0, terminal.screen
    for left in ("15:00 left", "14:59 left", "14:50 left"):
        assert left in terminal.screen
    assert "\x1b[1m  and enter  WDJB-MJHT\x1b[0m" in terminal.screen
    assert github.polls == pytest.approx([6, 12])


def test_no_color_is_respected(sandbox: Sandbox, clock: FastClock) -> None:
    with (
        FakeGitHub(clock=clock) as github,
        Terminal(sandbox, github, env={"NO_COLOR": "1"}) as terminal,
    ):
        assert terminal.finish() == 0, terminal.screen
    assert "\x1b" not in terminal.screen.replace("\r\x1b[K", "")


def test_a_log_gets_plain_lines_and_one_a_minute(sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock, polls=[*[PENDING] * 40, GRANTED]) as github:
        run = sandbox.run(github)
    assert run.code == 0, run.err
    assert "\x1b" not in run.err
    assert "\r" not in run.err
    left = re.findall(r"Waiting for the login: (.*) left\.", run.err)
    assert left == ["14 minutes", "13 minutes", "12 minutes", "11 minutes"]


def test_the_code_is_shown_before_the_first_poll(sandbox: Sandbox) -> None:
    """By the real clock: the line must be out although nobody has answered."""
    with FakeGitHub(polls=PENDING) as github:
        program = sandbox.start(github)
        github.wait_for(CODE_PATH)
        assert program.stderr is not None
        lines = [program.stderr.readline().decode() for _ in range(5)]
        assert github.polls == []
        program.terminate()
        program.communicate()
    assert "WDJB-MJHT" in "".join(lines)
