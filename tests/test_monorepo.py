"""A project in a folder of a bigger repository: paths of the engine, CI, commit hooks, what suite and guard see."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops import rules
from litellm_gitops.files import WorkingTree, ignored
from litellm_gitops.first_steps import push
from litellm_gitops.repository import Repository

AT = "platform/llm"
ANSWERS: dict[str, Any] = {"cluster_environments": ["gcp"], "providers": ["bedrock"], "repo_path": AT}
GITHUB = ("validate.yaml", "update.yaml")
Make = Callable[..., Path]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def monorepo(sealed: Callable[..., Path], tmp_path: Path) -> Make:
    """`monorepo(at, answers)`: the project at `at` of a git repository that holds another application, too."""

    def make(at: str = AT, **answers: Any) -> Path:
        top = tmp_path / "top"
        (top / "shop").mkdir(parents=True)
        (top / "shop" / "deployment.yaml").write_text("kind: Deployment\n", "utf-8")
        root = Path(shutil.copytree(sealed(**{**ANSWERS, **answers}), top / at))
        git(top, "init", "--quiet")
        return root

    return make


def found(root: Path) -> list[tuple[str, str]]:
    return [(finding.code, finding.file) for finding in rules.evaluate(Repository(root))]


def _call(root: Path, platform: str) -> None:
    """What README.md says to do at git's root."""
    top = root.parent.parent
    if platform == "github":
        (top / ".github" / "workflows").mkdir(parents=True)
        for name in GITHUB:
            shutil.copy(root / ".github/workflows" / name, top / ".github/workflows" / f"litellm-gitops-{name}")
    elif platform == "gitlab":
        call = {"trigger": {"include": f"{AT}/.gitlab-ci.yml"}, "variables": {"CALLED_BY": "$CI_PIPELINE_SOURCE"}}
        (top / ".gitlab-ci.yml").write_text(yaml.safe_dump({"llm": call}), "utf-8")


@pytest.mark.parametrize("engine", ["flux", "argocd"])
@pytest.mark.parametrize("platform", ["github", "gitlab", "none"])
def test_nothing_is_found_in_a_monorepo(engine: str, platform: str, monorepo: Make) -> None:
    root = monorepo(gitops_engine=engine, ci_platform=platform)
    _call(root, platform)
    assert found(root) == []


@pytest.mark.parametrize(("platform", "files"), [("github", GITHUB), ("gitlab", [".gitlab-ci.yml"])])
def test_a_pipeline_that_nobody_runs_is_found(platform: str, files: list[str], monorepo: Make) -> None:
    root = monorepo(ci_platform=platform)
    assert {code for code, _ in found(root)} == {"a_monorepo_runs_the_pipeline"}
    assert {Path(file).name for _, file in found(root)} == set(files)


def test_the_printed_command_brings_a_workflow_to_the_root_of_git(monorepo: Make) -> None:
    root = monorepo(ci_platform="github")
    for finding in rules.evaluate(Repository(root)):
        subprocess.run(finding.fix.text, shell=True, cwd=root, check=True)
    assert found(root) == []


@pytest.mark.parametrize(("platform", "more"), [("github", GITHUB), ("gitlab", [".gitlab-ci.yml"]), ("none", [])])
def test_the_first_commit_holds_what_was_put_at_the_root_of_git(platform: str, more: list[str], monorepo: Make) -> None:
    root = monorepo(ci_platform=platform)
    _call(root, platform)
    record, send = push(Repository(root))
    _, _, command = record.partition(" && ")
    readme = (root / "README.md").read_text("utf-8")
    assert f"\n   {command}\n   {send}\n" in readme
    assert ("Do *In the bigger repository*" in readme) is bool(more)
    git(root, "config", "user.name", "a")
    git(root, "config", "user.email", "a@example.com")
    subprocess.run(command, shell=True, cwd=root, check=True, capture_output=True)
    held = git(root.parent.parent, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert {Path(name).name.removeprefix("litellm-gitops-") for name in held if AT not in name} == {*more}


def test_a_workflow_that_was_copied_and_then_changed_is_found(monorepo: Make) -> None:
    root = monorepo(ci_platform="github")
    _call(root, "github")
    with (root / ".github/workflows/validate.yaml").open("a", encoding="utf-8") as file:
        file.write("# newer\n")
    assert found(root) == [("a_monorepo_runs_the_pipeline", ".github/workflows/validate.yaml")]


def test_a_pipeline_that_no_schedule_reaches_is_found(monorepo: Make) -> None:
    root = monorepo(ci_platform="gitlab")
    call = f"llm: {{trigger: {{include: {AT}/.gitlab-ci.yml}}}}\n"
    (root.parent.parent / ".gitlab-ci.yml").write_text(call, "utf-8")
    assert found(root) == [("a_monorepo_runs_the_pipeline", ".gitlab-ci.yml")]


@pytest.mark.parametrize(("at", "answer"), [(AT, ""), ("apps/llm", AT), (".", AT)])
def test_a_project_that_stands_elsewhere_is_found(at: str, answer: str, monorepo: Make, tmp_path: Path) -> None:
    if at == ".":
        root = tmp_path / "top"
        shutil.move(monorepo(ci_platform="none", repo_path=answer), tmp_path / "own")
        shutil.rmtree(root)
        root = tmp_path / "own"
        git(root, "init", "--quiet")
    else:
        root = monorepo(at, ci_platform="none", repo_path=answer)
    assert ("the_project_stands_where_the_answers_say", ".copier-answers.yml") in found(root)


def test_a_path_from_the_root_of_the_project_is_found(monorepo: Make) -> None:
    root = monorepo(ci_platform="none")
    file = root / "clusters/gcp/secrets.yaml"
    file.write_text(file.read_text("utf-8").replace(f"./{AT}/clusters", "./clusters"), "utf-8")
    assert found(root) == [("every_flux_path_leads_to_its_folder", "clusters/gcp/secrets.yaml")]


def test_git_is_asked_from_below_its_root(monorepo: Make) -> None:
    root = monorepo(ci_platform="none")
    git(root, "add", ".")
    tree = WorkingTree(root)
    assert ".copier-answers.yml" in tree.tracked
    assert not any("shop" in name for name in tree.names)
    assert ignored(root, ["keys/gcp.agekey", "README.md"]) == {"keys/gcp.agekey"}


def test_a_folder_that_the_bigger_repository_ignores_is_a_repository_of_its_own(monorepo: Make) -> None:
    root = monorepo(ci_platform="none")
    (root.parent.parent / ".gitignore").write_text("/platform/\n", "utf-8")
    assert "README.md" in WorkingTree(root).names
    assert found(root) == []


def test_the_guard_refuses_what_is_staged_below_its_root(monorepo: Make) -> None:
    root = monorepo(ci_platform="none", tooling="vendored")
    git(root, "add", ".")
    assert subprocess.run([sys.executable, "hooks/guard_staged.py"], cwd=root, check=False).returncode == 0
    git(root, "commit", "--quiet", "--message", "all")
    (root / "own.yaml").write_text("kind: Secret\nstringData: {a: example}\n", "utf-8")
    git(root, "add", ".")
    top = root.parent.parent
    refused = subprocess.run(
        [sys.executable, f"{AT}/hooks/guard_staged.py"], cwd=top, check=False, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("own.yaml:2: holds a Secret")


def test_commit_hooks_and_renovate_look_below_the_folder(monorepo: Make) -> None:
    root = monorepo(gitops_engine="argocd", ci_platform="none")
    hooks = yaml.safe_load((root / ".pre-commit-config.yaml").read_text("utf-8"))
    assert hooks["files"] == f"^{AT}/"
    entries = [hook.get("entry") for repo in hooks["repos"] for hook in repo["hooks"]]
    assert f"python {AT}/hooks/guard_staged.py" in entries
    assert f"/^{AT}/clusters/" in (root / "renovate.json").read_text("utf-8")
