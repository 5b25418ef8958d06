"""The way from a new repository to a pushed one: each command is printed by the one before. README.md has them, too."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from litellm_gitops.documents import text
from litellm_gitops.files import git
from litellm_gitops.repository import Repository

VALIDATE = "uv run pytest"


def from_here(root: Path) -> str:
    """The folder `root` as whoever started the program names it where he stands; empty where he stands in it."""
    here = Path(os.environ.get("PWD", "."))
    if not here.is_dir() or here.samefile(root):
        return ""
    here = here.resolve()
    return str(root.relative_to(here) if root.is_relative_to(here) else root)


def change_to(root: Path) -> list[str]:
    """The command with which whoever started the program gets into the repository, if he is elsewhere."""
    where = from_here(root)
    return [f"cd {shlex.quote(where)}"] if where else []


def is_new(repository: Repository) -> bool:
    """Whether nothing of a repository was given to git yet."""
    return not repository.tracked


def push(repository: Repository) -> tuple[str, str]:
    """What commits a repository that the suite has passed, and what brings it to where its cluster pulls it from."""
    name, url, branch, above = (
        shlex.quote(text(repository.answers.get(answer)))
        for answer in ("project_name", "repo_url", "repo_branch", "repo_path")
    )
    # what git's host reads at the root alone, and was copied or written there
    at_root = {"github": f" ':/.github/workflows/{name}-*.yaml'", "gitlab": " :/.gitlab-ci.yml"}
    more = at_root.get(text(repository.answers.get("ci_platform")), "") if repository.answers.get("repo_path") else ""
    hooks, commit = "uvx pre-commit install", f'git add .{more} && git commit -m "Render {name}"'
    if repository.answers.get("commit_signers"):
        commit = f"git config commit.gpgSign true && {commit}"
    if repository.answers.get("repo_path"):
        return f"{hooks} --config {above}/.pre-commit-config.yaml && {commit}", "git push"
    send = f"git push -u origin {branch}"
    if git(repository.root, "remote", "get-url", "origin") is None:  # else a clone of it, empty until now
        send = f"git remote add origin {url} && {send}"
    return f"git init -b {branch} && {hooks} && {commit}", send
