"""Updates: who had what, what changed, and what must be true after. From tags of a template in a git repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from hooks import migrations
from tests.support import quick
from tests.support.inputs import Inputs
from tests.support.sealed import changed, content, environment, opened, seal
from tests.support.warm import Warm

# What was different in earlier releases: (release, file, present text, text of that release).
HISTORY = [
    (
        "v0.0.1",
        "template/hooks/sealing/keyless.py",
        "litellm-gitops/placeholder-keys",
        "litellm-gitops/missing-keys",
    ),
    (
        "v0.0.1",
        "includes/validators.jinja",
        "+%-]+)+', 'an https:// or ssh",
        "+%-]+)+/?', 'an https:// or ssh",
    ),
    (
        "v0.0.1",
        "template/litellm/values.yaml.jinja",
        "request_timeout: 600",
        "request_timeout: 300",
    ),
    (
        "v0.0.2",
        "template/litellm/values.yaml.jinja",
        "request_timeout: 600",
        "request_timeout: 450",
    ),
    ("v0.0.2", "policies/pins.yml", '    - "1.25"\n', '    - "1.24"\n    - "1.25"\n'),
    ("v0.0.1", "policies/pins.yml", '    - "1.25"\n', '    - "1.24"\n    - "1.25"\n'),
]
RELEASES = ("v0.0.1", "v0.0.2", "v0.1.0")
ANSWERS = {
    "cluster_environments": "[aws, gcp]",
    "providers": "[bedrock, azure_openai]",
    "eks_aws_role_arn": "arn:aws:iam::123456789012:role/litellm",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody."""
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


@pytest.fixture(scope="session")
def releases(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of the template with a tag for each release, the last one as it is now."""
    folder = tmp_path_factory.mktemp("releases") / "template"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for release in RELEASES:
        for part in template.iterdir():
            target = folder / part.name
            if part.is_dir():
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(part, target)
            else:
                shutil.copy(part, target)
        for at, name, now, then in HISTORY:
            if at == release:
                text = (folder / name).read_text()
                assert now in text, f"the history of {name} is out of date"
                (folder / name).write_text(text.replace(now, then))
        commit(folder, f"Release {release}")
        git(folder, "tag", release)
    git(folder, "repack", "-a", "-d", "--quiet")  # each clone then has few files
    return folder


class Project:
    """A rendered repository under git, and its operator's commands."""

    def __init__(self, root: Path, inputs: Path, compiled: Path, warm: Warm) -> None:
        self.root = root
        self.inputs = inputs
        self.compiled = compiled
        self.warm = warm

    def copier(self, *arguments: str, path: str | None = None, plain: bool = False) -> subprocess.CompletedProcess[str]:
        """Run copier in the repository, with sops on PATH unless `path` is given; `plain` as its user does."""
        env = environment(self.inputs, HOME=str(self.inputs.parent))
        env |= {"GIT_CONFIG_GLOBAL": os.devnull} | ({"PATH": path} if path else {})
        if not plain:
            command = [quick.__file__, str(self.compiled), *arguments]
            return self.warm.run(*command, cwd=self.root, env=env)
        return subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-m", "copier", *arguments],
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def update(self, *arguments: str, path: str | None = None, plain: bool = False) -> str:
        """`copier update`, which must succeed; what it printed."""
        answer = self.copier("update", "--trust", "--defaults", *arguments, path=path, plain=plain)
        assert answer.returncode == 0, answer.stderr[-2000:]
        return answer.stdout + answer.stderr

    def files(self) -> dict[str, bytes]:
        """Every file but git's own."""
        return {path: data for path, data in content(self.root).items() if not path.startswith(".git/")}

    def sealed(self) -> dict[str, bytes]:
        """What belongs to the operator: sealed Secrets, keys, `.sops.yaml`, checksums."""
        ours = re.compile(r"secrets/.*\.sops\.yaml|keys/.*|\.sops\.yaml|litellm/checksums-.*")
        return {path: data for path, data in self.files().items() if ours.fullmatch(path)}

    def conflicts(self) -> list[str]:
        """Files with conflict markers, or with what could not be merged beside them."""
        marked = [path for path, data in self.files().items() if b"<<<<<<< " in data and path.startswith("litellm/")]
        return marked + [path for path in self.files() if path.endswith(".rej")]

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        commit(self.root, f"Edit {name}")

    def answer(self, name: str) -> object:
        return yaml.safe_load((self.root / ".copier-answers.yml").read_text()).get(name)


Start = Callable[..., Project]


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    with Warm("copier._cli") as copier:
        yield copier


@pytest.fixture(scope="session")
def start_once(
    releases: Path, compiled: Path, warm: Warm, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """A committed repository as it was rendered and sealed from a release. Never changed: `start` copies it."""
    known: dict[tuple[str, ...], Path] = {}
    inputs = Inputs().write(tmp_path_factory.mktemp("operator") / "inputs")

    def started(release: str, **answers: str) -> Path:
        key = (release, *(f"{name}={value}" for name, value in answers.items()))
        if key not in known:
            root = tmp_path_factory.mktemp("started") / "repository"
            root.mkdir()
            data = [item for name, value in {**ANSWERS, **answers}.items() for item in ("--data", f"{name}={value}")]
            answer = Project(root, inputs, compiled, warm).copier(
                "copy", "--trust", "--defaults", "--vcs-ref", release, *data, str(releases), "."
            )
            assert answer.returncode == 0, answer.stderr[-2000:]
            git(root, "init", "--quiet", "--initial-branch", "main")
            commit(root, "Render")
            known[key] = root
        return known[key]

    return started


@pytest.fixture
def start(start_once: Callable[..., Path], compiled: Path, warm: Warm, tmp_path: Path) -> Start:
    """`start(release, **answers)`: a repository of one's own from that release."""

    def started(release: str, **answers: str) -> Project:
        root = Path(shutil.copytree(start_once(release, **answers), tmp_path / "repository"))
        return Project(root, Inputs().write(tmp_path / "inputs"), compiled, warm)

    return started


def test_who_changed_nothing_gets_the_release_and_keeps_every_secret(start: Start) -> None:
    project = start("v0.0.2")
    before = project.sealed()
    project.update(plain=True)
    assert "request_timeout: 600" in (project.root / "litellm/values.yaml").read_text()
    assert project.answer("_commit") == "v0.1.0"
    assert not project.conflicts()
    assert project.sealed() == before


def test_a_second_update_changes_nothing(start: Start) -> None:
    project = start("v0.0.2")
    project.update()
    commit(project.root, "Update")
    before = project.files()
    project.update()
    assert project.files() == before


def test_who_edited_other_lines_gets_both_without_a_conflict(start: Start) -> None:
    project = start("v0.0.2")
    project.edit(
        "litellm/values.yaml",
        "  replicaCount: 2",
        "  replicaCount: 2\n  nodeSelector:\n    pool: ai",
    )
    project.update()
    text = (project.root / "litellm/values.yaml").read_text()
    assert "pool: ai" in text
    assert "request_timeout: 600" in text
    assert not project.conflicts()


def test_who_edited_the_same_line_is_shown_both_and_loses_no_secret(start: Start) -> None:
    project = start("v0.0.2")
    project.edit("litellm/values.yaml", "request_timeout: 450", "request_timeout: 900")
    before = project.sealed()
    project.update()
    assert project.conflicts() == ["litellm/values.yaml"]
    text = (project.root / "litellm/values.yaml").read_text()
    assert "request_timeout: 600" in text
    assert "request_timeout: 900" in text
    assert project.sealed() == before


def test_who_wants_rejects_gets_them_beside_the_file(start: Start) -> None:
    project = start("v0.0.2")
    project.edit("litellm/values.yaml", "request_timeout: 450", "request_timeout: 900")
    project.update("--conflict", "rej")
    assert "litellm/values.yaml.rej" in project.conflicts()


def test_a_file_that_was_deleted_stays_deleted(start: Start) -> None:
    project = start("v0.0.2")
    (project.root / "docker-compose.yml").unlink()
    commit(project.root, "No compose")
    project.update()
    assert not (project.root / "docker-compose.yml").exists()


def test_who_adds_a_provider_gets_exactly_its_secrets(start: Start) -> None:
    project = start("v0.0.2")
    before = project.sealed()
    project.update("--data", "providers=[bedrock, azure_openai, github_copilot]")
    added = {f"secrets/{each}/litellm-github-copilot.sops.yaml" for each in ("aws", "gcp")}
    sums = {f"litellm/checksums-{each}.yaml" for each in ("aws", "gcp")}
    assert changed(before, project.sealed()) == added | sums
    assert (project.root / "hooks/get_copilot_token.py").exists()
    assert seal(project.root, "--check").returncode == 0


def test_who_adds_an_environment_gets_its_files_its_key_and_its_rule(start: Start) -> None:
    project = start("v0.0.2")
    before = project.sealed()
    project.update("--data", "cluster_environments=[aws, gcp, azure]")
    difference = changed(before, project.sealed())
    names = ("aws-auth", "azure-auth", "masterkey", "postgresql", "salt-key")
    assert difference == {
        ".sops.yaml",
        "keys/azure.agekey",
        "litellm/checksums-azure.yaml",
        *(f"secrets/azure/litellm-{name}.sops.yaml" for name in names),
    }
    rules = yaml.safe_load((project.root / ".sops.yaml").read_text())["creation_rules"]
    assert rules[:2] == yaml.safe_load(before[".sops.yaml"])["creation_rules"]
    assert len(rules) == 3
    assert (project.root / "litellm/values-azure.yaml").exists()


def test_who_changes_an_answer_can_stay_at_his_release(start: Start) -> None:
    project = start("v0.0.2")
    project.update("--vcs-ref", ":current:", "--data", "gcp_domain=new.example.org")
    assert project.answer("_commit") == "v0.0.2"
    assert "litellm.new.example.org" in (project.root / "litellm/values-gcp.yaml").read_text()


def test_who_removes_a_provider_is_told_which_secret_is_left(start: Start) -> None:
    project = start("v0.0.2")
    said = project.update("--data", "providers=[bedrock]")
    orphan = "secrets/gcp/litellm-azure-auth.sops.yaml"
    assert f"not deleted by this tool: {orphan}" in said
    assert (project.root / orphan).exists()
    assert "litellm-azure-auth" not in (project.root / "litellm/checksums-gcp.yaml").read_text()
    assert "litellm-azure-auth" not in (project.root / "litellm/values-gcp.yaml").read_text()


def test_who_removes_an_environment_keeps_its_key_until_he_deletes_it(start: Start) -> None:
    project = start("v0.0.2")
    said = project.update("--data", "cluster_environments=[aws]")
    assert not (project.root / "litellm/values-gcp.yaml").exists()
    assert not list((project.root / "clusters").glob("gcp/*"))
    for left in (
        "keys/gcp.agekey",
        "litellm/checksums-gcp.yaml",
        "secrets/gcp/litellm-masterkey.sops.yaml",
    ):
        assert f"not deleted by this tool: {left}" in said
        assert (project.root / left).exists()
    assert "gcp: its cluster keeps the proxy and its credentials. Before you push" in said


def test_who_leaves_eks_is_told_that_irsa_is_dropped(start: Start) -> None:
    project = start("v0.0.2")
    said = project.update("--data", "cluster_environments=[gcp]")
    assert "answer dropped: bedrock_auth_aws was 'irsa'" in said
    assert project.answer("bedrock_auth_aws") is None


def test_an_answer_that_is_no_longer_accepted_is_named_with_what_it_became(start: Start) -> None:
    project = start("v0.0.2", kubernetes_version="1.24")
    said = project.update()
    assert re.search(r"answer changed: kubernetes_version was '1\.24', is '1\.\d\d'", said)


def test_two_releases_at_once_apply_the_migrations_between(start: Start) -> None:
    project = start("v0.0.1", repo_url="https://git.example.com/team/gateway.git/")
    (project.inputs / "deployment_outputs.env").write_text("")
    orphaned = project.root / "secrets/aws/litellm-postgresql.sops.yaml"
    orphaned.unlink()
    assert seal(project.root, inputs=project.inputs).returncode == 3
    commit(project.root, "A placeholder")
    assert "litellm-gitops/missing-keys: host,password" in orphaned.read_text()
    before = project.sealed()
    said = project.update()
    assert "migration 0.1.0: strip the slash of repo url" in said
    assert project.answer("repo_url") == "https://git.example.com/team/gateway.git"
    assert "litellm-gitops/placeholder-keys: host,password" in orphaned.read_text()
    assert changed(before, project.sealed()) == {
        "secrets/aws/litellm-postgresql.sops.yaml",
        "litellm/checksums-aws.yaml",
    }
    assert not project.conflicts()


def test_a_migration_replaces_a_file_as_a_whole_and_nothing_behind_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "    litellm-gitops/missing-keys: host\n"
    outside, inside = tmp_path / "outside/v.sops.yaml", tmp_path / "secrets/aws/own.sops.yaml"
    for path in (outside, inside):
        path.parent.mkdir(parents=True)
        path.write_text(old)
    inside.chmod(0o640)
    before = inside.stat()
    (inside.parent / "v.sops.yaml").symlink_to(outside)
    (tmp_path / "secrets/gcp").symlink_to(outside.parent)
    monkeypatch.chdir(tmp_path)
    migrations.rename_the_annotation_of_placeholders()
    assert outside.read_text() == old
    assert "placeholder-keys" in inside.read_text()
    assert inside.stat().st_mode == before.st_mode
    assert inside.stat().st_ino != before.st_ino, "a run that is killed leaves no half file"
    assert sorted(each.name for each in inside.parent.iterdir()) == ["own.sops.yaml", "v.sops.yaml"]


def test_an_update_without_sops_merges_and_names_the_command_that_seals(start: Start) -> None:
    project = start("v0.0.2")
    before = project.sealed()
    said = project.update("--data", "providers=[bedrock, azure_openai, github_copilot]", path="/usr/bin:/bin")
    assert "python hooks/seal_secrets.py" in said
    assert project.sealed() == before
    assert seal(project.root, inputs=project.inputs).returncode == 0
    assert (project.root / "secrets/gcp/litellm-github-copilot.sops.yaml").exists()


def test_sealing_that_does_not_run_any_more_is_told_in_one_line(start: Start) -> None:
    project = start("v0.0.2")
    project.edit("hooks/seal_secrets.py", "import argparse", "<<<<<<< mine\nimport argparse")
    before = project.sealed()
    said = project.update()
    assert "hooks/seal_secrets.py: SyntaxError: " in said
    assert "The Secrets are not sealed yet." in said
    assert "Traceback" not in said
    assert project.sealed().items() >= before.items()


def test_own_recipients_in_the_rule_survive_and_serve_the_new_secrets(start: Start) -> None:
    project = start("v0.0.2")
    own = re.findall(r"age1\w{58}", (project.root / ".sops.yaml").read_text())
    text = (
        (project.root / ".sops.yaml")
        .read_text()
        .replace(f"      - {own[0]}\n", f"      - {own[0]}\n      - {own[1]}\n")
    )
    (project.root / ".sops.yaml").write_text(text)
    assert seal(project.root, "--rekey").returncode == 0
    commit(project.root, "A second recipient")
    project.update("--data", "providers=[bedrock, azure_openai, github_copilot]")
    assert (project.root / ".sops.yaml").read_text() == text
    assert own[1] in (project.root / "secrets/aws/litellm-github-copilot.sops.yaml").read_text()
    assert seal(project.root, "--check").returncode == 0


def test_recopy_renders_anew_and_keeps_every_secret(start: Start) -> None:
    project = start("v0.0.2")
    project.edit("litellm/values.yaml", "request_timeout: 450", "request_timeout: 900")
    before = project.sealed()
    answer = project.copier("recopy", "--trust", "--defaults", "--overwrite")
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert "request_timeout: 600" in (project.root / "litellm/values.yaml").read_text()
    assert project.sealed() == before


def test_copying_over_a_repository_keeps_every_secret_and_what_was_edited(start: Start, releases: Path) -> None:
    project = start("v0.1.0")
    project.edit("litellm/values.yaml", "request_timeout: 600", "request_timeout: 900")
    before, values = project.sealed(), opened(project.root)
    data = [item for name, value in ANSWERS.items() for item in ("--data", f"{name}={value}")]
    answer = project.copier("copy", "--trust", "--defaults", "--quiet", *data, str(releases), ".")
    assert answer.returncode != 0 or "request_timeout: 900" in (project.root / "litellm/values.yaml").read_text()
    assert "request_timeout: 900" in (project.root / "litellm/values.yaml").read_text()
    assert project.sealed() == before
    assert opened(project.root) == values
