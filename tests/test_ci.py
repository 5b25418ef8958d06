"""The continuous integration, the commit hooks and the upkeep that a rendered repository brings."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from tests.support.answers import everything
from tests.support.charts import NAMES
from tests.support.sealed import environment, seal

ENGINES = ("flux", "argocd")
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

Render = Callable[..., Path]


def check_schema(name: str, *files: Path) -> None:
    """Checks files against a schema that their service publishes, as check-jsonschema ships it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{name}"]
    command += ["--data-transform", "gitlab-ci"] if name == "gitlab-ci" else []
    command += map(str, files)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def load(file: Path) -> dict[Any, Any]:
    """A YAML file, `on` being a text as GitHub reads it."""
    content = file.read_text("utf-8").replace("\non:\n", '\n"on":\n')
    found: dict[Any, Any] = yaml.safe_load(content)
    return found


def jobs(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every job of every workflow."""
    for file in sorted((root / ".github" / "workflows").iterdir()):
        yield from load(file)["jobs"].items()


@pytest.fixture(scope="module")
def github(render: Render) -> Path:
    return render(**everything(ci_platform="github"))


@pytest.fixture(scope="module")
def gitlab(render: Render) -> Path:
    return render(**everything(ci_platform="gitlab"))


# ---------------------------------------------------------------------------------------------------------------------
# Which files there are

PLATFORMS = {
    "github": {".github/workflows/validate.yaml", ".github/workflows/update.yaml", ".github/CODEOWNERS"},
    "gitlab": {".gitlab-ci.yml", ".gitlab/CODEOWNERS"},
    "none": set(),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_has_its_files_and_no_other(platform: str, render: Render) -> None:
    root = render(**everything(ci_platform=platform))
    found = [path for path in (*root.glob(".git*/**/*"), *root.glob(".gitlab-ci.yml")) if path.is_file()]
    assert {path.relative_to(root).as_posix() for path in found} == PLATFORMS[platform]


# ---------------------------------------------------------------------------------------------------------------------
# GitHub Actions


def test_the_workflows_fit_their_published_schema(github: Path) -> None:
    check_schema("github-workflows", *(github / ".github" / "workflows").iterdir())


def test_actionlint_finds_nothing(github: Path) -> None:
    command = [str(tools.path("actionlint")), "-no-color"]
    command += map(str, (github / ".github" / "workflows").iterdir())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_action_is_pinned_by_its_commit(github: Path) -> None:
    text = "".join(file.read_text() for file in (github / ".github" / "workflows").iterdir())
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []


def test_a_workflow_may_read_and_only_the_update_may_open_an_issue(github: Path) -> None:
    for file in (github / ".github" / "workflows").iterdir():
        assert load(file)["permissions"] == {}
    granted = {name: job["permissions"] for name, job in jobs(github)}
    read = {"contents": "read"}
    validate = dict.fromkeys(("suite", "history", "chart", "signature"), read)
    assert granted == {**validate, "template": {**read, "issues": "write"}}


def test_no_token_stays_in_a_checkout(github: Path) -> None:
    for name, job in jobs(github):
        (checkout,) = (step for step in job["steps"] if "actions/checkout" in step.get("uses", ""))
        assert checkout["with"]["persist-credentials"] is False, name


def test_the_token_is_given_to_one_step_alone(github: Path) -> None:
    holders = [step["name"] for _, job in jobs(github) for step in job["steps"] if "github.token" in str(step)]
    assert holders == ["Open an issue"]


def test_no_expression_is_pasted_into_a_script(github: Path) -> None:
    for _, job in jobs(github):
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_every_job_ends_in_time(github: Path) -> None:
    for name, job in jobs(github):
        assert job["timeout-minutes"] <= 15, name


def test_a_newer_push_replaces_an_older_run(github: Path) -> None:
    workflow = load(github / ".github" / "workflows" / "validate.yaml")
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert set(workflow["on"]) == {"push", "pull_request", "workflow_dispatch"}


def test_the_template_is_looked_at_weekly(github: Path) -> None:
    workflow = load(github / ".github" / "workflows" / "update.yaml")
    ((entry,),) = [workflow["on"]["schedule"]]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", entry["cron"])


# ---------------------------------------------------------------------------------------------------------------------
# What the steps of the update do, with stand-ins for the programs of the runner


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(stat.S_IRWXU)


def run(root: Path, step: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs one step of update.yaml as the runner does, with the programs of folder/bin before others."""
    ((_, job),) = load(root / ".github" / "workflows" / "update.yaml")["jobs"].items()
    (script,) = (each["run"] for each in job["steps"] if each.get("name") == step)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={"PATH": path, "GITHUB_OUTPUT": str(folder / "output"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (
            {"update_available": True, "current_version": "1.0", "latest_version": "1.1"},
            "release=1.1\n",
        ),
        (
            {"update_available": False, "current_version": "1.1", "latest_version": "1.1"},
            "release=\n",
        ),
    ],
    ids=["newer", "none"],
)
def test_the_check_says_which_release_is_newer(
    answer: dict[str, Any], output: str, github: Path, tmp_path: Path
) -> None:
    program(tmp_path / "bin", "uv", f"echo '{json.dumps(answer)}'")
    done = run(github, "Ask for a newer release", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output").read_text() == output


def test_the_check_fails_when_the_template_cannot_be_asked(github: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin", "uv", "echo no such template >&2; exit 1")
    assert run(github, "Ask for a newer release", tmp_path).returncode != 0


@pytest.mark.parametrize(
    ("known", "opened"),
    [
        ("", True),
        ("Update from the template to 1.0", True),
        ("Update from the template to 1.1", False),
    ],
    ids=["none yet", "one for an older release", "one for this release"],
)
def test_an_issue_is_opened_once(known: str, opened: bool, github: Path, tmp_path: Path) -> None:
    title = "Update from the template to 1.1"
    program(tmp_path / "bin", "gh", f'[ "$2" = list ] && echo "{known}" || echo "$@" > created')
    done = run(github, "Open an issue", tmp_path, TITLE=title)
    assert done.returncode == 0, done.stderr
    created = (tmp_path / "created").read_text() if opened else ""
    assert (tmp_path / "created").exists() is opened
    assert (f"issue create --title {title}" in created) is opened


def test_copier_tells_what_the_check_reads() -> None:
    command = [sys.executable, "-m", "copier", "check-update", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--output-format" in done.stdout
    assert "exit with status 2" in re.sub(r"\s+", " ", done.stdout)


# ---------------------------------------------------------------------------------------------------------------------
# GitLab CI


def test_the_gitlab_pipeline_fits_its_published_schema(gitlab: Path) -> None:
    check_schema("gitlab-ci", gitlab / ".gitlab-ci.yml")


def test_gitlab_does_what_github_does(gitlab: Path) -> None:
    pipeline = load(gitlab / ".gitlab-ci.yml")
    scripts = {name: " ".join(job["script"]) for name, job in pipeline.items() if "script" in job}
    assert "uv run --locked pytest --junit-xml=report.xml" in scripts["suite"]
    assert "uv run --locked pytest -m chart" in scripts["chart"]
    assert "uv run --locked pytest -m signed" in scripts["signature"]
    assert "copier check-update" in scripts["template"]
    assert "hooks/auth_matrix.py" in str(pipeline["suite"]["after_script"])


def test_gitlab_looks_at_the_template_on_a_schedule_alone(gitlab: Path) -> None:
    pipeline = load(gitlab / ".gitlab-ci.yml")
    assert pipeline["template"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    assert pipeline[".validate"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE != "schedule"'}]
    for name in ("suite", "helm", "chart", "cosign", "signature"):
        assert pipeline[name]["extends"] == ".validate"


def test_every_image_has_a_version(gitlab: Path) -> None:
    text = (gitlab / ".gitlab-ci.yml").read_text()
    images = re.findall(r'(?:image|name): "([^"]+)"', text)
    assert len(images) == 4
    for image in images:
        assert re.search(r":v?\d+\.\d+\.\d+", image), image


# ---------------------------------------------------------------------------------------------------------------------
# Hooks and upkeep


def test_the_commit_hooks_are_those_of_pre_commit(github: Path) -> None:
    file = github / ".pre-commit-config.yaml"
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    config = load(file)
    hooks = {hook["id"]: hook for repository in config["repos"] for hook in repository["hooks"]}
    assert set(hooks) == {"yamllint", "check-merge-conflict", "gitleaks", "rejected-hunks", "guard-staged"}
    assert hooks["guard-staged"]["entry"] == "python hooks/guard_staged.py"
    assert hooks["guard-staged"]["always_run"] is True
    for name in ("a.rej", "litellm/values.yaml.orig"):
        assert re.search(hooks["rejected-hunks"]["files"], name)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_yamllint_changes_nothing(engine: str, platform: str, render: Render) -> None:
    root = render(**everything(gitops_engine=engine, ci_platform=platform))
    command = [sys.executable, "-m", "yamllint", "--strict", "."]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert list(root.glob(".yamllint*"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("chart", NAMES)
def test_renovate_is_configured_as_its_schema_says(chart: str, engine: str, render: Render) -> None:
    check_schema("renovate", render(**everything(gitops_engine=engine, chart=chart)) / "renovate.json")


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_renovate_finds_every_version_under_a_comment(platform: str, render: Render) -> None:
    root = render(**everything(ci_platform=platform))
    (manager,) = json.loads((root / "renovate.json").read_text())["customManagers"]
    patterns = [re.compile(text.strip("/")) for text in manager["managerFilePatterns"]]
    matches = [re.compile(text.replace("(?<", "(?P<")) for text in manager["matchStrings"]]
    for path in (path for path in root.rglob("*") if path.is_file()):
        relative = path.relative_to(root).as_posix()
        text = path.read_text("utf-8", "replace")
        comments = text.count("# renovate: ")
        if comments and relative != "renovate.json":
            assert any(pattern.search(relative) for pattern in patterns), relative
            found = [match for pattern in matches for match in pattern.finditer(text)]
            assert len(found) == comments, relative
            assert all(re.fullmatch(r"v?\d+\.\d+\.\d+", match["currentValue"]) for match in found)


def test_a_sealed_file_can_be_compared_decrypted(github: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(github, tmp_path / "repository"))
    assert seal(root).returncode == 3  # what is generated needs no input
    path = "secrets/aws/litellm-masterkey.sops.yaml"
    env = {**environment(), "SOPS_AGE_KEY_FILE": str(root / "keys" / "aws.agekey")}

    def git(*arguments: str, **more: str) -> str:
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        command = ["git", *who, *arguments]
        return subprocess.run(command, cwd=root, env={**env, **more}, capture_output=True, text=True, check=True).stdout

    (config,) = re.findall(r"^git config diff.*$", (root / "README.md").read_text(), re.MULTILINE)
    git("init", "--quiet")
    assert "eol: lf" in git("check-attr", "eol", "--", path)
    subprocess.run(["sh", "-c", config], cwd=root, check=True)
    git("add", "--all")
    git("commit", "--quiet", "--message", "State")
    assert seal(root, "--rotate", "litellm-masterkey").returncode == 0
    with (root / ".sops.yaml").open("a") as config_file:
        config_file.write("# mine\n")
    assert re.search(r"^\+ +masterkey: sk-[0-9a-f]{32}$", git("diff"), re.MULTILINE)
    assert "+# mine" in git("diff")
    # without the key it is what git shows by itself
    assert re.search(r"^\+ +masterkey: ENC\[", git("diff", SOPS_AGE_KEY_FILE=""), re.MULTILINE)


# ---------------------------------------------------------------------------------------------------------------------
# The auth matrix as a table

# cluster, provider, method, Secret
MATRIX = """\
aws | AWS Bedrock | IAM role for the service account (IRSA) | none
aws | Google Vertex AI | GCP service account credentials | `litellm-gcp-auth`
aws | Azure OpenAI | Azure Entra ID application credentials | `litellm-azure-auth`
aws | GitHub Copilot | OAuth access token (file) | `litellm-github-copilot`
gcp | AWS Bedrock | AWS user credentials | `litellm-aws-auth`
gcp | Google Vertex AI | GCP service account credentials | `litellm-gcp-auth`
gcp | Azure OpenAI | Azure Entra ID application credentials | `litellm-azure-auth`
gcp | GitHub Copilot | OAuth access token (file) | `litellm-github-copilot`
azure | AWS Bedrock | AWS user credentials | `litellm-aws-auth`
azure | Google Vertex AI | GCP service account credentials | `litellm-gcp-auth`
azure | Azure OpenAI | Azure Entra ID application credentials | `litellm-azure-auth`
azure | GitHub Copilot | OAuth access token (file) | `litellm-github-copilot`
"""


def table(root: Path) -> list[list[str]]:
    """The rows that hooks/auth_matrix.py prints, as Markdown reads them."""
    command = [sys.executable, "-B", str(root / "hooks" / "auth_matrix.py")]
    done = subprocess.run(command, cwd=root.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, rule, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines())
    assert head == ["cluster", "provider", "method", "Secret", "state"]
    assert set(rule) == {"---"}
    return rows


def test_the_summary_shows_the_auth_matrix(sealed: Callable[..., Path]) -> None:
    rows = table(sealed(**everything()))
    assert [" | ".join(row[:4]) for row in rows] == MATRIX.splitlines()
    assert [row[4] for row in rows] == ["keyless", *["sealed"] * 11]


def test_the_summary_shows_what_is_missing(render: Render) -> None:
    rows = table(render(**everything(bedrock_auth_aws="aws_user")))
    assert rows[0] == [
        "aws",
        "AWS Bedrock",
        "AWS user credentials",
        "`litellm-aws-auth`",
        "missing",
    ]
    assert {row[4] for row in rows} == {"missing"}
