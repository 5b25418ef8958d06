"""No message holds a credential, not twelve characters in a row of one, whatever the inputs are, wherever it stands."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import string
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm_gitops import auth_table, guard, rules
from litellm_gitops.copilot import command as copilot
from litellm_gitops.copilot.progress import Progress
from litellm_gitops.documents import mapping
from litellm_gitops.findings import Finding, edit
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import commands
from tests.support.answers import everything, redis_hosts
from tests.support.findings import findings, report
from tests.support.inputs import PEM, service_account
from tests.support.project import git
from tests.support.sealed import environment

WORD = string.ascii_letters + string.digits
CANARY = st.text(WORD, min_size=40, max_size=40)
# what may be wrong with a value, or with the line that it stands on
SPOILED = st.sampled_from(
    [
        "{}",
        " {} ",
        "{}\n{}",
        "'{}'",
        '"{}',
        "\\{}",
        "${}",
        "`{}`",
        "{}#x",
        "{} x",
        "{}é",
        "{}\t",
        "AKIA{}",
        "gho_{}",
        "{{{}}}",
    ]
)
LINE = st.sampled_from(
    ["{}={}", "{}='{}'", '{}="{}"', "export {}={}", "{} = {}", "{}: {}", "{}", "={}{}", "{}={}\n{}=x"]
)
INPUTS = [
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    *("LITELLM_DATABASE_HOST", "LITELLM_DATABASE_USERNAME", "LITELLM_DATABASE_PASSWORD", "LITELLM_REDIS_PASSWORD"),
    *("LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "AWS_SECRET_ACCESS_KEY__GCP", "CODEMIE_POSTGRES_DATABASE_PASSWORD"),
]
CALLS = [
    *((), ("--fill",), ("--check",), ("--list",), ("--rekey",), ("--rotate", "litellm-postgresql")),
    *(("--rotate", "litellm-azure-auth"), ("--rotate", "litellm-azure-auth", "--key", "AZURE_CLIENT_SECRET")),
    *(("--rotate", "litellm-gcp-auth", "--stdin", "gcp-service-account.json"), ("--rotate", "litellm-masterkey")),
    *(("--rotate", "litellm-github-copilot", "--stdin", "access-token"), ("--rotate", "litellm-aws-auth")),
]


def shown(text: str, canary: str) -> list[str]:
    """The parts of a canary that stand in a text."""
    return [canary[at : at + 12] for at in range(len(canary) - 11) if canary[at : at + 12] in text]


def run(
    root: Path, arguments: tuple[str, ...], env: dict[str, str], stdin: str, main: Callable[..., int] = commands.main
) -> str:
    """What a command says, in this process."""
    said, given = io.StringIO(), io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")))
    streams = (contextlib.redirect_stdout(said), contextlib.redirect_stderr(said))
    held = (patch.dict(os.environ, env, clear=True), patch.object(sys, "stdin", given), *streams)
    with held[0], held[1], held[2], held[3], contextlib.suppress(SystemExit):
        main(root, arguments)
    return said.getvalue()


@pytest.fixture(scope="module")
def sealed(render: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every provider and Redis; what needs an input is a placeholder."""
    given = {
        **everything(),
        "cluster_environments": ["aws", "gcp"],
        "redis": "external",
        **redis_hosts("redis.internal"),
    }
    root = Path(shutil.copytree(render(**given), tmp_path_factory.mktemp("sealed") / "repository"))
    run(root, (), environment(), "")
    return root


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    canary=CANARY,
    spoiled=SPOILED,
    line=LINE,
    name=st.sampled_from(INPUTS),
    place=st.sampled_from(["env", "file", "access-token", "gcp-service-account.json", "json", "stdin"]),
    arguments=st.sampled_from(CALLS),
)
def test_no_command_shows_an_input(
    sealed: Path, canary: str, spoiled: str, line: str, name: str, place: str, arguments: tuple[str, ...]
) -> None:
    value = spoiled.replace("{{{}}}", f"{{{canary}}}").replace("{}", canary)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(sealed, Path(folder) / "repository"))
        inputs = Path(folder) / "inputs"
        inputs.mkdir()
        env = environment(inputs)
        if place == "env":
            env[name] = value
        elif place == "file":
            (inputs / "deployment_outputs.env").write_text(f"{line.replace('{}', name, 1).replace('{}', value)}\n")
        elif place == "json":
            key = f"-----BEGIN {PEM}\n{canary}\n-----END {PEM}\n"
            (inputs / "gcp-service-account.json").write_text(service_account().replace("\\n", "", 1) + key)
        elif place != "stdin":
            (inputs / place).write_text(value)
        said = run(root, arguments, env, value if place == "stdin" else "")
    assert said
    assert not shown(said, canary), arguments


# {} is a credential where an argument belongs
WRONG = [
    *(
        ("{}",),
        ("--{}",),
        ("-h{}",),
        ("-{}",),
        ("--fill={}",),
        ("--seal={}",),
        ("--rek={}",),
        ("--no={}",),
        ("--", "{}"),
    ),
    *(("--rotate", "{}"), ("--rotate={}",), ("--cluster", "{}"), ("--trust", "{}"), ("--check", "--cluster", "{}")),
    *(("--rotate", "litellm-azure-auth", "{}"), ("--rotate", "litellm-azure-auth", "--key", "{}")),
    *(("--rotate", "litellm-azure-auth", "--stdin", "{}"), ("--rotate", "{}", "--fill"), ("--list", "--cluster={}")),
    *(("--key", "{}"), ("--stdin", "{}"), ("--rotate", "litellm-azure-auth", "AZURE_CLIENT_SECRET={}")),
    # but not --output alone: a file of that name would stay
    *(("--host", "{}"), ("--timeout", "{}"), ("--output={}", "--seal"), ("--output", "gho_{}"), ("--seal", "{}")),
]


def log_in(root: Path, arguments: tuple[str, ...]) -> int:
    """What hooks/get_copilot_token.py does, without a login and without a change of this process."""
    held = (patch.object(copilot, "run"), patch.object(copilot, "_prepare"), patch.object(Progress, "watch"))
    with held[0], held[1], held[2]:
        return copilot.main(root, arguments)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(canary=CANARY, spoiled=SPOILED, arguments=st.sampled_from(WRONG), data=st.data())
def test_no_command_shows_an_argument(
    sealed: Path, canary: str, spoiled: str, arguments: tuple[str, ...], data: st.DataObject
) -> None:
    main = data.draw(st.sampled_from([commands.main, log_in, guard.main, auth_table.main]))
    value = spoiled.replace("{{{}}}", f"{{{canary}}}").replace("{}", canary)
    said = run(sealed, tuple(each.replace("{}", value) for each in arguments), environment(), "", main)
    assert said or main is not commands.main
    assert not shown(said, canary), arguments


def scalars(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from scalars(child, (*path, key))
    else:
        yield path


FORMS = [
    *("https://user:{}@example.com/x.git", "https://{}@example.com/x", "ghp_{}", "sk-{}", "AGE-SECRET-KEY-1{}"),
    *("redis://:{}@redis.internal:6379", "sk-proj-{}", "glpat-{}", "hf_{}", "postgresql://user:{}@db/x"),
]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(canary=CANARY, form=st.sampled_from(FORMS), data=st.data())
def test_no_finding_shows_a_credential_that_stands_where_another_value_belongs(
    sealed: Path, canary: str, form: str, data: st.DataObject
) -> None:
    canary = canary.upper() if form.startswith("AGE") else canary
    file = data.draw(st.sampled_from(files(sealed)))
    path = data.draw(st.sampled_from(list(scalars(load(sealed / file)))))
    assert not shown(said_of(sealed, file, path, form.replace("{}", canary)), canary), (file, path)


@pytest.mark.parametrize(
    ("file", "path"),
    [
        (".copier-answers.yml", ("azure_openai_endpoint",)),
        (".copier-answers.yml", ("repo_url",)),
        (".copier-answers.yml", ("aws_redis_host",)),
        ("clusters/aws/source.yaml", ("spec", "url")),
        (".sops.yaml", ("creation_rules", 0, "age", 0)),
        ("policies/secrets.yml", ("namespace",)),
    ],
)
@pytest.mark.parametrize("form", FORMS[:2])
def test_where_a_url_or_a_key_is_easily_mistaken(sealed: Path, file: str, path: tuple[Any, ...], form: str) -> None:
    canary = secrets.token_hex(20).upper()
    said = said_of(sealed, file, path, form.replace("{}", canary))
    assert said
    assert not shown(said, canary)


def files(sealed: Path) -> list[str]:
    """Every YAML file of the repository that holds a value."""
    found = [path.relative_to(sealed).as_posix() for path in sorted(sealed.rglob("*.y*ml"))]
    return [file for file in found if [*scalars(mapping(load(sealed / file)))]]


def judged(root: Path) -> str:
    """What the rules say of a repository, `--check` and the guard."""
    said = report(findings(root)) + run(root, ("--check",), environment(), "")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    with contextlib.redirect_stderr(io.StringIO()) as shown:
        guard.main(root)
    return said + shown.getvalue()


def test_no_rule_shows_a_credential_of_a_file_that_is_full_of_them(sealed: Path, tmp_path: Path) -> None:
    """In each file at a third of its values, in turn: what a rule looks at before it quotes the next stays as it is."""
    canary = secrets.token_hex(20)
    for number, file in enumerate(file for file in files(sealed) if "gcp" not in file):
        root = Path(shutil.copytree(sealed, tmp_path / str(number)))
        for part in range(3):
            content = load(sealed / file)
            for at, path in enumerate(list(scalars(content))[part::3]):
                put(content, path, FORMS[at % 2].replace("{}", canary))
            (root / file).write_text(yaml.safe_dump(content, sort_keys=False))
            assert not shown(report(findings(root)), canary), file


def test_whatever_a_rule_says_no_judge_shows_a_credential(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each rule that there is, also one that comes."""
    canary = secrets.token_hex(20).upper()
    quoted = " ".join(form.replace("{}", canary) for form in FORMS)

    def careless(_: Repository) -> Iterator[Finding]:
        yield Finding(".sops.yaml", 1, f"it holds {quoted}", edit(f"take {quoted} out"))

    # those that have most of the others be silent
    causes = ("the_answers_are_those_that_were_rendered", "yaml_means_the_same_to_every_reader")
    names = [name for name in rules.load() if name not in (*causes, "no_key_is_given_twice")]
    for name in names:
        monkeypatch.setitem(rules.RULES, name, replace(rules.RULES[name], function=careless))
    assert {each.code for each in findings(sealed)} == set(names)
    root = Path(shutil.copytree(sealed, tmp_path / "repository"))
    said = judged(root) + run(root, ("--list",), environment(), "")
    with contextlib.redirect_stdout(io.StringIO()) as table:
        auth_table.main(root)
    assert said.count("it holds") > len(names)
    assert not shown(said + table.getvalue(), canary)


def load(path: Path) -> Any:
    return next(iter(yaml.safe_load_all(path.read_text())))


def said_of(sealed: Path, file: str, path: tuple[Any, ...], value: str) -> str:
    """What all rules and the guard say when another value stands somewhere."""
    content = load(sealed / file)
    put(content, path, value)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(sealed, Path(folder) / "repository"))
        (root / file).write_text(yaml.safe_dump(content, sort_keys=False))
        return run(root, (), environment(), "") + judged(root)


def put(content: Any, path: tuple[Any, ...], value: str) -> None:
    for part in path[:-1]:
        content = content[part]
    content[path[-1]] = value
