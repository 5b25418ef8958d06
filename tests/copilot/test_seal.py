"""`--seal` in rendered repositories, with the real sealing and the real sops."""

from __future__ import annotations

import hashlib
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import tools
from tests.copilot.clock import FastClock
from tests.copilot.fake_github import FakeGitHub, a_code, error, refused
from tests.copilot.program import Finished, Sandbox, Terminal, eventually, finish
from tests.support.sealed import changed, content, opened, seal

Render = Callable[..., Path]

ENVIRONMENTS = ["aws", "gcp", "azure"]
ANSWERS = {"cluster_environments": ENVIRONMENTS, "providers": ["github_copilot"]}
NAME = "litellm-github-copilot"
SEALED = {f"secrets/{each}/{NAME}.sops.yaml" for each in ENVIRONMENTS}
CHECKSUMS = {f"litellm/checksums-{each}.yaml" for each in ENVIRONMENTS}


@pytest.fixture(scope="module")
def repository(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new repository as copier leaves it: sealed, with placeholders for what was not given."""
    root = tmp_path_factory.mktemp("copilot") / "repository"
    shutil.copytree(render(**ANSWERS), root)
    assert seal(root).returncode == 3, "the token is a placeholder yet"
    return root


@pytest.fixture
def sandbox(repository: Path, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox", repository)


@pytest.fixture
def clock(tmp_path: Path) -> FastClock:
    return FastClock(tmp_path / "clock")


def _path(*folders: Path) -> dict[str, str]:
    """PATH with sops, after `folders`."""
    sops = tools.path("sops").parent
    return {"PATH": ":".join(map(str, (*folders, sops, "/usr/bin", "/bin")))}


def _seal(sandbox: Sandbox, github: FakeGitHub | None, **env: str) -> Finished:
    return sandbox.run(github, "--seal", env={**_path(), **env})


def _sops(sandbox: Sandbox, when_encrypting: str) -> Path:
    """A folder with a sops that does this first, and then what the real one does."""
    folder = sandbox.root / "bin"
    folder.mkdir()
    script = folder / "sops"
    script.write_text(f'#!/bin/sh\ncase "$*" in *encrypt*) {when_encrypting} ;; esac\nexec {tools.path("sops")} "$@"\n')
    script.chmod(0o755)
    return folder


# ---- The way of a new user


def test_one_command_ends_with_a_sealed_and_verified_secret(sandbox: Sandbox, clock: FastClock) -> None:
    before = content(sandbox.repository)
    with FakeGitHub(clock=clock) as github:
        run = _seal(sandbox, github)
    assert run.code == 0, run.err
    assert run.out == ""
    assert "Account octocat, plan business: Copilot serves it." in run.err
    assert "sealed for aws, gcp, azure" in run.err
    assert github.complaints == []

    secrets = opened(sandbox.repository, f"*/{NAME}")
    for environment in ENVIRONMENTS:
        assert secrets[environment, NAME] == {"access-token": github.token}
    assert changed(before, content(sandbox.repository)) == SEALED | CHECKSUMS
    _has_true_checksums(sandbox.repository)
    table = seal(sandbox.repository, "--list").stdout.partition("\n\n")[0]
    listed = [line.split()[3] for line in table.splitlines() if NAME in line]
    assert listed == ["sealed"] * 3


def _has_true_checksums(root: Path) -> None:
    for environment in ENVIRONMENTS:
        values = yaml.safe_load((root / "litellm" / f"checksums-{environment}.yaml").read_bytes())
        sealed = (root / "secrets" / environment / f"{NAME}.sops.yaml").read_bytes()
        annotations = values["litellm-helm"]["podAnnotations"]
        assert annotations[f"checksum/{NAME}"] == hashlib.sha256(sealed).hexdigest()


def test_a_repository_that_was_never_sealed_gets_its_keys_and_rules_too(
    render: Render, tmp_path: Path, clock: FastClock
) -> None:
    sandbox = Sandbox(tmp_path / "sandbox", render(**ANSWERS))
    with FakeGitHub(clock=clock) as github:
        run = _seal(sandbox, github)
    assert run.code == 0, run.err
    assert opened(sandbox.repository) == {
        (environment, NAME): {"access-token": github.token} for environment in ENVIRONMENTS
    }


def test_a_second_login_replaces_the_token_and_nothing_else(sandbox: Sandbox, clock: FastClock) -> None:
    with FakeGitHub(clock=clock) as first:
        assert _seal(sandbox, first).code == 0
    before = content(sandbox.repository)
    with FakeGitHub(clock=clock) as second:
        run = _seal(sandbox, second)
    assert run.code == 0, run.err
    assert opened(sandbox.repository, f"gcp/{NAME}")["gcp", NAME] == {"access-token": second.token}
    assert changed(before, content(sandbox.repository)) == SEALED | CHECKSUMS
    _has_true_checksums(sandbox.repository)


def test_no_input_that_lies_about_is_sealed_instead(sandbox: Sandbox, clock: FastClock) -> None:
    for folder in (sandbox.repository, sandbox.home):
        (folder / "access-token").write_text("ghu_" + "x" * 36)
    with FakeGitHub(clock=clock) as github:
        run = _seal(sandbox, github, LITELLM_GITOPS_INPUTS=str(sandbox.home))
    assert run.code == 0, run.err
    secrets = opened(sandbox.repository, f"*/{NAME}")
    for environment in ENVIRONMENTS:
        assert secrets[environment, NAME] == {"access-token": github.token}


@pytest.mark.parametrize(
    ("code", "polls", "told"),
    [(3, error("access_denied"), None), (6, None, refused("no_copilot_access"))],
)
def test_a_failed_login_changes_nothing(
    code: int, polls: object, told: object, sandbox: Sandbox, clock: FastClock
) -> None:
    before = content(sandbox.repository)
    scripts = {name: reply for name, reply in (("polls", polls), ("told", told)) if reply}
    with FakeGitHub(clock=clock, **scripts) as github:  # type: ignore[arg-type]
        run = _seal(sandbox, github)
    assert run.code == code
    assert content(sandbox.repository) == before


def test_a_key_of_a_cloud_is_used_as_whom_the_operator_has_logged_in(sandbox: Sandbox, clock: FastClock) -> None:
    config = sandbox.repository / ".sops.yaml"
    key = "arn:aws:kms:us-west-2:123456789012:key/0f0e0d0c-0b0a-0908-0706-050403020100"
    config.write_text(config.read_text().replace("    age:\n", f"    kms: {key}\n    age:\n"))
    assert seal(sandbox.repository, "--trust", key).returncode == 3
    login = {
        "AWS_PROFILE": "operator",
        "AWS_REGION": "us-west-2",
        "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent/adc.json",
        "AZURE_CONFIG_DIR": "/nonexistent/azure",
        "HTTPS_PROXY": "http://localhost:1",
    }
    secret = {"AWS_SECRET_ACCESS_KEY": "A" * 40, "AZURE_CLIENT_SECRET": "z" * 40}
    given = sandbox.root / "given"
    noting = _sops(sandbox, f"env >> {given}; exit 1")  # the real one would call AWS
    with FakeGitHub(clock=clock) as github:
        run = _seal(sandbox, github, **_path(noting), **login, **secret)
    assert run.code == 1, run.err
    seen = dict(line.split("=", 1) for line in given.read_text().splitlines())
    assert seen.items() >= login.items()
    assert not seen.keys() & secret.keys()


# ---- Nobody logs in for nothing


def test_a_missing_sops_is_named_before_the_login(sandbox: Sandbox) -> None:
    with FakeGitHub() as github:
        run = _seal(sandbox, github, PATH="/nonexistent")
    assert run.code == 1
    assert "sops is not on PATH" in run.err
    assert github.requests == []


def _without_policies(root: Path) -> None:
    (root / "policies" / "secrets.yml").unlink()


def _with_unreadable_inputs(root: Path) -> None:
    (root / "deployment_outputs.env").write_text("this is = no assignment\n")


def _with_a_rule_for_nobody(root: Path) -> None:
    config = root / ".sops.yaml"
    rules = yaml.safe_load(config.read_bytes())
    for rule in rules["creation_rules"]:
        rule["age"] = ""
    config.write_text(yaml.safe_dump(rules))


HOPELESS = {
    "without_policies": (_without_policies, 1, "policies/secrets.yml"),
    "with_unreadable_inputs": (_with_unreadable_inputs, 1, "deployment_outputs.env line 1"),
    "with_a_rule_for_nobody": (_with_a_rule_for_nobody, 1, ".sops.yaml"),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_a_repository_that_cannot_be_sealed_is_named_before_the_login(name: str, sandbox: Sandbox) -> None:
    spoil, code, says = HOPELESS[name]
    spoil(sandbox.repository)
    with FakeGitHub() as github:
        run = _seal(sandbox, github)
    assert run.code == code, run.err
    assert says in run.err
    assert "Traceback" not in run.err
    assert github.requests == []


def test_only_a_repository_with_copilot_has_the_program(render: Render, tmp_path: Path) -> None:
    with_it, without = render(**ANSWERS), render(providers=["vertex_ai"], vertex_project="an-id-1")
    assert (with_it / "hooks" / "get_copilot_token.py").is_file()
    assert "## GitHub Copilot" in (with_it / "README.md").read_text("utf-8")
    assert not (without / "hooks" / "get_copilot_token.py").exists()
    assert "copilot" not in (without / "README.md").read_text("utf-8").lower()

    stray = Sandbox(tmp_path / "sandbox", without)
    shutil.copy(with_it / "hooks" / "get_copilot_token.py", stray.program)
    with FakeGitHub() as github:
        run = _seal(stray, github)
    assert run.code == 2
    assert "uses no GitHub Copilot" in run.err
    assert github.requests == []


# ---- When sealing fails all the same


def test_a_sops_that_fails_changes_nothing_and_is_not_quoted(sandbox: Sandbox, clock: FastClock) -> None:
    before = content(sandbox.repository)
    broken = _sops(sandbox, "cat >&2; exit 1")
    with FakeGitHub(clock=clock) as github:
        run = _seal(sandbox, github, **_path(broken))
    assert run.code == 1
    assert "Sealing failed: " in run.err
    assert "run this again" in run.err
    assert github.token not in run.err
    assert content(sandbox.repository) == before


SHOWS = "print('it is ' + given['access-token'])"
ENDS = {
    "by_its_exit_code": ("return 3", "the lines above say why"),
    "by_a_refusal": ("raise SealingError('not ' + given['access-token'])", "Sealing failed: not ***"),
    "by_the_disk": ("raise OSError(28, 'No space left on device', 'secrets')", "No space left on device"),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_sealing_that_fails_and_shows_the_token_is_not_passed_on(
    name: str, sandbox: Sandbox, clock: FastClock
) -> None:
    end, says = ENDS[name]
    sandbox.change(_instead(f"from litellm_gitops.sealing.errors import SealingError; {SHOWS}; {end}"))
    with FakeGitHub(clock=clock) as github:
        run = _seal(sandbox, github)
    assert run.code == 1, run.err
    assert run.out == ""
    assert "  it is ***\n" in run.err
    assert says in run.err
    assert github.token not in run.err


def _instead(body: str) -> str:
    """Lines that have the program do this in place of sealing, which is `real`."""
    return f"""
from litellm_gitops.sealing import rotation
def stand_in(*arguments, given, real=rotation.rotate, **options):
    import pathlib, time
    {body}
rotation.rotate = stand_in
"""


def _and_then(body: str) -> str:
    return _instead(f"code = real(*arguments, given=given, **options); {body}; return code")


def _interrupt(sandbox: Sandbox) -> tuple[dict[str, bytes], Path, dict[str, str]]:
    """What the repository is, a sign that sops runs, and a PATH on which sops takes a minute."""
    reached = sandbox.root / "reached"
    slow = _sops(sandbox, f"touch {reached}; exec sleep 60")
    return content(sandbox.repository), reached, _path(slow)


def test_ctrl_c_while_sealing_changes_nothing(sandbox: Sandbox) -> None:
    before, reached, path = _interrupt(sandbox)
    with FakeGitHub(code=a_code(interval=1)) as github:
        program = sandbox.start(github, "--seal", env=path)
        eventually(reached.exists, "sops runs")
        program.send_signal(signal.SIGINT)
        run = finish(program, timeout=10)
    assert run.code == 130, run.err
    assert "Interrupted: nothing was sealed." in run.err
    assert "Traceback" not in run.err
    assert content(sandbox.repository) == before


def test_ctrl_c_at_the_terminal_while_sealing_changes_nothing(sandbox: Sandbox) -> None:
    before, reached, path = _interrupt(sandbox)
    with (
        FakeGitHub(code=a_code(interval=1)) as github,
        Terminal(sandbox, github, "--seal", env=path) as terminal,
    ):
        eventually(reached.exists, "sops runs")
        terminal.type("\x03")
        assert terminal.finish(timeout=10) == 130, terminal.screen
    assert "Interrupted: nothing was sealed." in terminal.screen
    assert "Traceback" not in terminal.screen
    assert content(sandbox.repository) == before


def test_ctrl_c_after_sealing_says_that_it_is_done(sandbox: Sandbox) -> None:
    reached = sandbox.root / "reached"
    sandbox.change(_and_then(f"pathlib.Path({str(reached)!r}).touch(); time.sleep(60)"))
    with FakeGitHub(code=a_code(interval=1)) as github:
        program = sandbox.start(github, "--seal", env=_path())
        eventually(reached.exists, "sealing is done")
        program.send_signal(signal.SIGINT)
        run = finish(program, timeout=10)
    assert run.code == 130, run.err
    assert "Interrupted: the token was already sealed." in run.err
    assert opened(sandbox.repository, f"aws/{NAME}")["aws", NAME] == {"access-token": github.token}


def test_ctrl_c_while_files_are_put_in_place_names_what_finishes_it(sandbox: Sandbox) -> None:
    reached = sandbox.root / "reached"
    held = f"(pathlib.Path({str(reached)!r}).touch(), time.sleep(60))"
    sandbox.change(
        f"import pathlib, time\nfrom litellm_gitops.sealing import transaction\ntransaction._apply = lambda _: {held}"
    )
    with FakeGitHub(code=a_code(interval=1)) as github:
        program = sandbox.start(github, "--seal", env=_path())
        eventually(reached.exists, "the files are about to be put in place")
        program.send_signal(signal.SIGTERM)
        run = finish(program, timeout=10)
    assert run.code == 143, run.err
    assert "uv run hooks/seal_secrets.py" in run.err
    assert "nothing was sealed" not in run.err
    assert seal(sandbox.repository).returncode == 3, "others are placeholders yet"
    assert opened(sandbox.repository, f"gcp/{NAME}")["gcp", NAME] == {"access-token": github.token}


def test_no_sops_outlives_an_interrupted_run(sandbox: Sandbox) -> None:
    pids = sandbox.root / "pids"
    slow = _sops(sandbox, f"echo $$ >> {pids}; exec sleep 60")
    with FakeGitHub(code=a_code(interval=1)) as github:
        program = sandbox.start(github, "--seal", env=_path(slow))
        eventually(pids.exists, "sops runs")
        program.send_signal(signal.SIGTERM)
        run = finish(program, timeout=10)
    assert run.code == 143, run.err
    assert "Interrupted: nothing was sealed." in run.err
    eventually(lambda: not any(Path("/proc", pid).exists() for pid in pids.read_text().split()), "sops is gone")


def test_ctrl_c_while_a_slow_terminal_shows_what_was_sealed_says_that_it_is_done(
    sandbox: Sandbox, clock: FastClock
) -> None:
    sandbox.change(_and_then("print('sealed\\n' * 99999)"))  # more than a pipe holds
    with FakeGitHub(clock=clock) as github:
        program = sandbox.start(github, "--seal", env=_path())
        assert program.stderr is not None
        assert any(b"  sealed" in line for line in program.stderr)
        program.send_signal(signal.SIGINT)
        run = finish(program, timeout=10)
    assert run.code == 130, run.err[-200:]
    assert "Interrupted: the token was already sealed." in run.err
