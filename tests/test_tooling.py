"""How the package gets into a repository, what calls it there, and what is said after a rendering or an update."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from litellm_gitops import rules, vendored
from tests.support.answers import everything
from tests.support.findings import findings, report
from tests.support.inputs import Inputs
from tests.support.project import ANSWERS, Project, Start, commit, git
from tests.support.sealed import content, environment
from tests.support.template import ROOT
from tests.support.warm import Warm


def reference(project: Project) -> list[str]:
    """The commits that the files of a repository name as the package's."""
    files = ("pyproject.toml", ".pre-commit-config.yaml")
    return [each for name in files for each in re.findall(r"@([0-9a-f]{40})", (project.root / name).read_text())]


def test_a_pinned_package_moves_to_the_commit_of_the_release(releases: Path, start: Start) -> None:
    project = start("v0.0.2", tooling="pinned")
    assert reference(project) == [git(releases, "rev-parse", "v0.0.2^{commit}").strip()] * 2
    (project.root / "uv.lock").touch()
    commit(project.root, "Lock")
    said = project.update()
    assert reference(project) == [git(releases, "rev-parse", "v0.1.0^{commit}").strip()] * 2
    assert not project.conflicts()
    assert said.splitlines()[-1] == "  uv lock"


def test_a_vendored_package_is_the_release_to_the_byte_whatever_was_edited(releases: Path, start: Start) -> None:
    project = start("v0.0.2")
    folder = project.root / vendored.FOLDER
    (folder / "findings.py").write_text("import this\n")
    (folder / "guard.py").unlink()
    (folder / "own.py").touch()
    commit(project.root, "Meddle")
    project.update()
    assert content(folder) == content(releases / "src/litellm_gitops")
    assert (project.root / vendored.DIGEST).read_text() == f"{vendored.digest(folder)}\n"
    assert not project.conflicts()


def test_nothing_of_a_vendored_package_is_ignored_by_git(start: Start) -> None:
    project = start("v0.1.0")
    known = git(project.root, "ls-files", "vendor").splitlines()
    assert {f"vendor/{path}" for path in content(project.root / "vendor")} == set(known)


def test_an_answer_switches_between_pinned_and_vendored(start: Start) -> None:
    project = start("v0.0.2")
    project.update("--data", "tooling=pinned")
    assert not (project.root / "vendor").exists()
    assert len(reference(project)) == 2
    assert not findings(project.root), report(findings(project.root))
    commit(project.root, "Pinned")
    project.update("--data", "tooling=vendored", "--vcs-ref", ":current:")
    assert reference(project) == []
    assert not project.conflicts()
    assert not findings(project.root), report(findings(project.root))


def test_a_template_from_a_url_is_pinned_by_default(releases: Path, warm: Warm, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    project = Project(root, Inputs().write(tmp_path / "inputs"), warm)
    project.copy(f"git+file://{releases}", **ANSWERS)
    assert project.answer("tooling") == "pinned"
    assert f'"litellm-gitops[suite] @ git+file://{releases}@' in (root / "pyproject.toml").read_text()
    assert not findings(root), report(findings(root))


# ---------------------------------------------------------------------------------------------------------------------
# Entry points and claims

HOOKS = {"auth_matrix.py", "get_copilot_token.py", "guard_staged.py", "seal_secrets.py"}


def test_an_entry_point_is_a_call_and_a_claim_file_is_one_claim(render: Callable[..., Path]) -> None:
    root = render(**everything())
    assert {path.name for path in (root / "hooks").iterdir()} == HOOKS
    for folder, most in (("hooks", 20), ("tests", 35)):
        for path in (root / folder).iterdir():
            assert len(path.read_text().splitlines()) <= most, path


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_every_rule_is_claimed_in_exactly_one_file(engine: str, render: Callable[..., Path]) -> None:
    tests = (render(**everything(gitops_engine=engine)) / "tests").glob("test_*.py")
    calls = [call for path in tests for call in re.findall(r"\bof\(([^)]*)\)", path.read_text())]
    claimed = [subject for call in calls for subject in re.findall(r'"(\w+)"', call)]
    subjects = {each.subject for each in [*rules.load().values(), *rules.of("decrypted", "signed")]}
    assert sorted(claimed) == sorted(subjects - {"flux", "argocd"} | {engine})


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_no_file_beside_an_entry_point_is_taken_for_a_module(
    name: str, render: Callable[..., Path], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(render(**everything()), tmp_path / "repository"))
    for module in ("pathlib", "resource", "yaml", "litellm_gitops"):
        (root / "hooks" / f"{module}.py").write_text("raise SystemExit('shadowed')")
    arguments = ["--help"] if name in ("get_copilot_token.py", "seal_secrets.py") else []
    command = [sys.executable, str(root / "hooks" / name), *arguments]
    env = environment(PYTHONPATH=str(ROOT / "src"), PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, check=False)
    assert "shadowed" not in done.stderr


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_without_the_package_an_entry_point_says_what_to_run(name: str, render: Callable[..., Path]) -> None:
    path = render(**everything()) / "hooks" / name
    done = subprocess.run([sys.executable, "-S", str(path)], capture_output=True, text=True, env={}, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"litellm_gitops is not installed: uv run hooks/{name}\n"


OLD = "import runpy, sys; sys.version_info = (3, 10, 13); runpy.run_path(sys.argv[1], run_name='__main__')"


@pytest.mark.parametrize("name", [*sorted(HOOKS), "after_render.py"])
def test_an_old_python_is_named_before_anything_else(name: str, render: Callable[..., Path]) -> None:
    path = ROOT / "hooks" / name if name == "after_render.py" else render(**everything()) / "hooks" / name
    done = subprocess.run([sys.executable, "-c", OLD, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    what, _, way_out = done.stderr.partition(": ")
    assert re.search(r"Python 3\.11 or newer", what)
    assert way_out == f"uv run hooks/{name}\n" or ("copier" in what and way_out.startswith("uvx --python 3.11 "))


# ---------------------------------------------------------------------------------------------------------------------
# What is said at the end


def test_a_misspelt_answer_is_named_with_what_it_may_have_been(start: Start) -> None:
    given = ("providr=[bedrock]", "domain=a.example.org", "flet=[]", "xyzzy=1", "azure_domain=b.example.org")
    zone = ("--data", "gcp_domain=litellm.example.org")
    said = start("v0.0.2").update(*zone, *(word for each in given for word in ("--data", each)))
    assert "unknown answer: providr; did you mean providers?\n" in said
    assert re.search(r"^unknown answer: domain; did you mean (?:aws|gcp)_domain\?$", said, re.MULTILINE)
    assert "unknown answer: flet\n" in said, "what is computed cannot be answered"
    assert "unknown answer: xyzzy\n" in said
    assert re.search(
        r"^Nothing took what is unknown\..* by: uv run .* copier update .* NAME=VALUE$", said, re.MULTILINE
    )
    assert "gcp_domain: the proxy is served at litellm.litellm.example.org, since" in said
    assert "aws_domain: the proxy" not in said
    assert "answer not used: azure_domain; nothing that is chosen needs it\n" in said


def test_without_sops_the_last_line_runs_from_where_the_user_stands(releases: Path, warm: Warm, tmp_path: Path) -> None:
    project = Project(tmp_path, Inputs().write(tmp_path / "inputs"), warm)
    data = [item for name, value in ANSWERS.items() for item in ("--data", f"{name}={value}")]
    for target in ("repository", str(tmp_path / "with space")):
        answer = project.copier("copy", "--trust", "--defaults", *data, str(releases), target, path="/usr/bin:/bin")
        assert answer.returncode == 0
        assert re.search(
            r"^only examples: .*\brepo_url\b.* after the first commit and before you push, by: "
            r"cd .+ && uv run --locked copier .* --data \w+=VALUE$",
            answer.stderr,
            re.MULTILINE,
        )
        assert f"the template is a folder of this machine, {releases}, which no colleague can use" in answer.stderr
        *_, last = answer.stderr.rstrip().splitlines()
        command, _, rest = last.strip().partition(" && ")
        done = subprocess.run(
            ["sh", "-c", f"{command} && pwd"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == str(tmp_path / target)
        assert rest == "uv run hooks/seal_secrets.py"
        assert (tmp_path / target / vendored.DIGEST).exists()
