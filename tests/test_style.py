"""Rendered files are as their own linters want them, from the first moment."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.answers import ENVIRONMENTS, answers, everything
from tests.support.style import scars

ROOT = Path(__file__).resolve().parent.parent
VALID = sorted((ROOT / "examples" / "answers" / "valid").glob("*.yml"))

REPOSITORIES: dict[str, dict[str, Any]] = {
    "flux-github": everything(),
    "argocd-gitlab": everything(gitops_engine="argocd", ci_platform="gitlab"),
    "aws_user-none": answers(["aws"], ["bedrock"], "aws_user", ci_platform="none"),
    "watched": answers(["aws"], ["bedrock"], metrics="prometheus_operator", network_policy="cilium", max_replicas=4),
    "routed": everything(exposure="gateway", **{f"{name}_gateway": "gateways/public" for name in ENVIRONMENTS}),
    "waiting": everything(chart="litellm", azure_ingress_class="azure-application-gateway", tls_cluster_issuer=""),
    "bundled": answers(["gcp", "azure"], ["vertex_ai"], redis="bundled"),
    **{file.stem: yaml.safe_load(file.read_text("utf-8")) for file in VALID},
}
YAMLLINT = (
    *("flux-github", "argocd-gitlab", "watched", "routed", "waiting"),
    *("bundled", "cloud-keys", "yaml-lookalikes", "quotes"),
)
AS_GIVEN = pytest.mark.parametrize("given", REPOSITORIES.values(), ids=REPOSITORIES)


@AS_GIVEN
def test_no_file_shows_that_it_was_rendered(given: dict[str, Any], sealed: Callable[..., Path]) -> None:
    # one answer holds what looks like Jinja
    found = list(scars(sealed(**{**given, "repo_branch": "main"})))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", YAMLLINT)
def test_yamllint_finds_nothing(name: str, sealed: Callable[..., Path]) -> None:
    done = _run(sealed(**REPOSITORIES[name]), "yamllint", "--strict", ".")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["flux-github", "argocd-gitlab", "smallest"])
@pytest.mark.parametrize("command", ["check --no-cache", "format --check --no-cache"])
def test_ruff_finds_nothing(name: str, command: str, sealed: Callable[..., Path]) -> None:
    done = _run(sealed(**REPOSITORIES[name]), "ruff", *command.split())
    assert done.returncode == 0, done.stdout


def test_exactly_the_commands_can_be_run_by_their_names(render: Callable[..., Path]) -> None:
    for path in render(**REPOSITORIES["flux-github"]).rglob("*"):
        if path.is_file():
            is_command = path.read_bytes().startswith(b"#!")
            assert bool(path.stat().st_mode & stat.S_IXUSR) == is_command, path


def test_the_demo_is_small_enough_to_be_owned(sealed: Callable[..., Path]) -> None:
    """The targets of docs/architecture.md, of what `make demo` renders, without sealed Secrets."""
    root = sealed(**yaml.safe_load((ROOT / "examples" / "answers" / "demo.yml").read_text("utf-8")))
    texts = {path: text.decode() for path, text in _content(root).items() if not path.endswith(".sops.yaml")}
    lines = {path: len(text.splitlines()) for path, text in texts.items()}
    assert len(lines) + 1 <= 62, "with .sops.yaml"
    assert sum(lines.values()) <= 2500
    assert sum(count for path, count in lines.items() if path.endswith(".py")) <= 250


@pytest.mark.parametrize("name", ["flux-github", "argocd-gitlab"])
def test_the_same_answers_render_the_same_bytes(
    name: str, render: Callable[..., Path], template: Path, tmp_path: Path
) -> None:
    from tests.conftest import render_into

    first = render(**REPOSITORIES[name])
    second = render_into(tmp_path / "again", template, {"tooling": "pinned", **REPOSITORIES[name]})
    assert _content(first) == _content(second)


def _content(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False)
