"""Updates: who had what, what changed, and what must be true after. From a template in git.

The older releases are today's with a few edits reversed (tests/support/project.py), except for the commit
BEFORE_THE_PACKAGE, which is from this project's own history.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from hooks import migrations
from tests.e2e.readme import commands
from tests.support.answers import ENVIRONMENTS, TENANT, client_id, everything
from tests.support.findings import findings, report
from tests.support.inputs import Inputs
from tests.support.project import ANSWERS, Project, Start, commit, git
from tests.support.sealed import changed, opened, seal
from tests.support.template import ROOT, copy_template
from tests.support.warm import Warm

# Every repository had the sealing and the rules as files of its own.
BEFORE_THE_PACKAGE = "abdc6f0058ac2bd4c4ebf6495d4165ac5871e3e2"

OTHER_CHART = ["chart=litellm", "aws_database_host=db.internal", "gcp_database_host=db.internal"]


def test_who_changed_nothing_gets_the_release_once_and_keeps_every_secret(start: Start) -> None:
    project = start("v0.0.2").plain()
    before = project.sealed()
    said = project.update()
    announced = re.search(r"This update brings commit [0-9a-f]{40} of the template", said)
    assert announced, said
    assert announced.start() < said.index("Running task"), "before anything of the release runs"
    assert "\ntemplate: was v0.0.2, is v0.1.0\n" in said
    assert "request_timeout: 600" in (project.root / "litellm/values.yaml").read_text()
    assert project.answer("_commit") == "v0.1.0"
    assert not project.conflicts()
    assert project.sealed() == before
    commit(project.root, "Update")
    before = project.files()
    project.update()
    assert project.files() == before


def test_who_edited_other_lines_gets_both_without_a_conflict_and_no_deleted_file_again(start: Start) -> None:
    project = start("v0.0.2")
    project.edit(
        "litellm/values.yaml",
        "  replicaCount: 2",
        "  replicaCount: 2\n  nodeSelector:\n    pool: ai",
    )
    project.edit(".github/CODEOWNERS", "#/.sops.yaml @OWNER", "/.sops.yaml @example/platform")
    owners = (project.root / ".github/CODEOWNERS").read_text()
    (project.root / "docker-compose.yml").unlink()
    commit(project.root, "No compose")
    project.update()
    assert not (project.root / "docker-compose.yml").exists()
    assert (project.root / ".github/CODEOWNERS").read_text() == owners
    text = (project.root / "litellm/values.yaml").read_text()
    assert "pool: ai" in text
    assert "request_timeout: 600" in text
    assert not project.conflicts()


def test_who_edited_the_same_line_is_shown_both_and_loses_no_secret(start: Start) -> None:
    project = start("v0.0.2").plain()
    project.edit("litellm/values.yaml", "request_timeout: 450", "request_timeout: 900")
    before = project.sealed()
    said = project.update()
    assert project.conflicts() == ["litellm/values.yaml"]
    assert "In conflict: litellm/values.yaml. In each, choose between the markers" in said
    text = (project.root / "litellm/values.yaml").read_text()
    assert "request_timeout: 600" in text
    assert "request_timeout: 900" in text
    assert project.sealed() == before


def test_who_wants_rejects_gets_them_beside_the_file(start: Start) -> None:
    project = start("v0.0.2")
    project.edit("litellm/values.yaml", "request_timeout: 450", "request_timeout: 900")
    said = project.update("--conflict", "rej")
    assert "Not applied: litellm/values.yaml.rej. Apply each by hand" in said
    assert "litellm/values.yaml.rej" in project.conflicts()


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
    assert "litellm.new.example.org" in (project.root / "clusters/gcp/exposure.yaml").read_text()


def test_who_has_more_replicas_for_a_while_is_told_of_the_autoscaler_that_is_left(start: Start) -> None:
    project = start("v0.1.0")
    before = project.files()
    assert "autoscaler" not in project.update("--data", "replicas=3")
    commit(project.root, "More")
    said = project.update("--data", "replicas=2")
    assert "maxReplicas: 3" in (project.root / "litellm/values.yaml").read_text()
    commit(project.root, "Fewer")
    way_out = re.search(r"an autoscaler brings between 2 and 3 now\. Without one: .* copier (update .*)", said)
    assert way_out, said
    answer = project.copier(*shlex.split(way_out[1]))  # it asks nothing: nobody could answer here
    assert answer.returncode == 0, answer.stderr
    assert project.files() == before


@pytest.mark.parametrize(
    ("engine", "data", "heading"),
    [
        ("flux", ["chart=litellm", "aws_database_host=db.internal", "gcp_database_host=db.internal"], "Another chart"),
        (
            "argocd",
            ["chart=litellm", "aws_database_host=db.internal", "gcp_database_host=db.internal"],
            "Another chart",
        ),
        ("flux", ["gitops_engine=argocd"], "Another engine"),
        ("argocd", ["gitops_engine=flux"], "Another engine"),
    ],
)
def test_who_switches_is_told_what_to_run_in_the_cluster_and_when(
    engine: str, data: list[str], heading: str, start: Start
) -> None:
    project = start("v0.1.0", gitops_engine=engine)
    readme = commands(project.root / "README.md", heading)
    said = project.update(*(word for each in data for word in ("--data", each))).splitlines()
    told = [line.strip() for line in said if re.match(r"  (?:flux|kubectl|git) ", line)]
    known = [line for block in readme for line in block.splitlines()]
    assert [line for line in told if not line.startswith("git push")] == [line for line in known if line in told]
    after = {"flux": 1, "argocd": 0}[engine] if heading == "Another chart" else len(told) - 1
    assert [number for number, line in enumerate(told) if line.startswith("git push")] == [after]
    assert len(told) > 2


def test_who_changes_the_way_in_or_the_platform_is_told_what_comes_first(start: Start) -> None:
    project = start("v0.1.0")
    said = project.update("--data", "exposure=none", "--data", "ci_platform=gitlab")
    assert "exposure: the push takes the old way in away" in said
    assert "ci_platform: protect the branches of the new platform before you push" in said


@pytest.mark.parametrize(
    ("engine", "data", "files"),
    [
        ("flux", "repo_url=https://git.example.org/other.git", ["source.yaml"]),
        ("argocd", "repo_branch=production", ["project.yaml", "root.yaml"]),
        ("flux", "replicas=3", []),
        ("flux", "cluster_environments=[aws, gcp, azure]", []),
        ("argocd", "gitops_engine=flux", []),
    ],
)
def test_who_changes_what_a_person_applies_is_told_that_no_push_brings_it(
    engine: str, data: str, files: list[str], start: Start
) -> None:
    said = start("v0.1.0", gitops_engine=engine).update("--data", data)
    told = dict(
        re.findall(r"^(\w+): no push brings (.*) to its cluster, a person does\. .* Bootstrap$", said, re.MULTILINE)
    )
    assert told.keys() == ({"aws", "gcp"} if files else set())
    for cluster, names in told.items():
        assert {f"clusters/{cluster}/{file}" for file in files} & {*names.split(", ")}
        assert all(re.match(rf"clusters/{cluster}/[\w./-]+$", name) for name in names.split(", "))


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
    paste = re.search(r"^once nothing in a cluster uses them: (rm .*); then take gcp out of", said, re.MULTILINE)
    assert paste, said
    subprocess.run(paste[1], shell=True, cwd=project.root, check=True)
    assert not [path for path in project.files() if "gcp" in path and not path.startswith("vendor/")]
    assert [(each.file, each.what) for each in findings(project.root)] == [
        (".sops.yaml", "the environment gcp was not chosen")
    ]


def test_who_leaves_eks_is_told_that_irsa_is_dropped(start: Start) -> None:
    project = start("v0.0.2")
    said = project.update("--data", "cluster_environments=[gcp]")
    assert "answer dropped: bedrock_auth_aws was 'irsa'" in said
    assert project.answer("bedrock_auth_aws") is None


def test_who_gives_up_stored_credentials_is_told_what_is_left_of_them(start: Start) -> None:
    project = start("v0.0.2")
    before, secrets = project.sealed(), opened(project.root)
    role = "arn:aws:iam::123456789012:role/litellm"
    identities = {"gcp_bedrock_role_arn": role, "azure_tenant_id": TENANT}
    identities |= {f"{environment}_azure_client_id": client_id(environment) for environment in ("aws", "gcp")}
    given = [item for name, value in identities.items() for item in ("--data", f"{name}={value}")]
    said = project.update("--data", "credentials=keyless", *given)
    assert not project.conflicts()
    assert (
        "aws: azure_openai was entra_id, is entra_federation. Once that works: remove the client secret of the " in said
    )
    files = [
        f"secrets/{cluster}/litellm-{name}.sops.yaml" for cluster, name in (("aws", "azure-auth"), ("gcp", "aws-auth"))
    ]
    for file in files:
        assert f"git rm {file}\n" in said
        assert (project.root / file).read_bytes() == before[file], "nothing is lost before the new way works"
    assert {each.code for each in findings(project.root)} == {"no_secret_is_orphaned"}
    commit(project.root, "Keyless")
    said = project.update("--data", "credentials=stored")
    assert "gcp: bedrock was web_identity, is aws_user. Once that works: remove the IAM role" in said
    assert not project.conflicts()
    assert opened(project.root) == secrets
    assert not findings(project.root)


def test_who_gives_up_the_password_of_the_database_may_come_back(start: Start) -> None:
    project = start("v0.0.2", cluster_environments="[aws]")
    before = project.sealed()
    host = ("--data", "aws_database_host=litellm.db.example.internal")
    said = project.update("--data", "database_auth=keyless", *host)
    assert "aws: the database took a password, now takes RDS IAM authentication: README.md, Identities." in said
    assert (project.sealed(), project.conflicts()) == (before, []), "the password stays until the identity works"
    assert not findings(project.root)
    commit(project.root, "By identity")
    said = project.update("--data", "database_auth=password")
    assert "Once that works: remove the permission rds-db:connect of the IAM role" in said
    assert (project.sealed(), project.conflicts()) == (before, [])
    assert not findings(project.root)


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
    assert said.splitlines()[-1] == "  uv run hooks/seal_secrets.py"
    assert project.sealed() == before
    assert seal(project.root, inputs=project.inputs).returncode == 0
    assert (project.root / "secrets/gcp/litellm-github-copilot.sops.yaml").exists()


def test_own_recipients_in_the_rule_survive_and_serve_the_new_secrets(start: Start) -> None:
    project = start("v0.0.2")
    own = re.findall(r"age1\w{58}", (project.root / ".sops.yaml").read_text())
    text = (
        (project.root / ".sops.yaml")
        .read_text()
        .replace(f"      - {own[0]}\n", f"      - {own[0]}\n      - {own[1]}\n")
    )
    (project.root / ".sops.yaml").write_text(text)
    assert seal(project.root, "--rekey", "--trust", own[1]).returncode == 0
    commit(project.root, "A second recipient")
    project.update("--data", "providers=[bedrock, azure_openai, github_copilot]")
    assert (project.root / ".sops.yaml").read_text() == text
    assert own[1] in (project.root / "secrets/aws/litellm-github-copilot.sops.yaml").read_text()
    assert seal(project.root, "--check").returncode == 0


def test_who_does_not_want_an_update_goes_back_as_readme_says_and_keeps_his_keys(start: Start) -> None:
    project = start("v0.0.2")
    before = project.files()
    project.update("--data", "cluster_environments=[aws, azure]")
    assert project.files() != before
    readme = (project.root / "README.md").read_text("utf-8")
    back = re.search(r"interrupted, or that you do not want, goes by `(.+?)`", readme)
    assert back
    subprocess.run(back[1], shell=True, cwd=project.root, check=True, capture_output=True)
    assert {name: data for name, data in project.files().items() if name != "keys/azure.agekey"} == before


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
    project.copier("copy", "--trust", "--defaults", "--quiet", *data, str(releases), ".")
    assert "request_timeout: 900" in (project.root / "litellm/values.yaml").read_text()
    assert project.sealed() == before
    assert opened(project.root) == values


# ---------------------------------------------------------------------------------------------------------------------
# From the commit before the package


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this project, with what is not committed as its last commit."""
    known = ["git", "-C", str(ROOT), "cat-file", "-e", f"{BEFORE_THE_PACKAGE}^{{commit}}"]
    if subprocess.run(known, capture_output=True, check=False).returncode:
        pytest.skip(f"this is no full clone: it lacks the commit {BEFORE_THE_PACKAGE}")
    folder = tmp_path_factory.mktemp("history") / "template"
    git(ROOT, "clone", "--quiet", "--shared", "--no-tags", str(ROOT), str(folder))
    for part in ("hooks", "includes", "policies", "src", "template"):
        shutil.rmtree(folder / part, ignore_errors=True)
    copy_template(folder)
    commit(folder, "What is not committed")
    return folder


def of_then(answers: dict[str, object]) -> dict[str, object]:
    """Answers as that commit asked for them: one Redis for all environments."""
    then = {name: value for name, value in answers.items() if not name.endswith(("_redis_host", "redis_tls"))}
    return then | ({"redis_host": "redis.internal"} if then["redis"] == "external" else {})


def data_file(folder: Path, answers: dict[str, object]) -> str:
    path = folder / "answers.yml"
    path.write_text(yaml.safe_dump(answers), "utf-8")
    return str(path)


@pytest.mark.parametrize(
    "answers",
    [
        of_then(everything()),
        of_then(everything(gitops_engine="argocd", ci_platform="gitlab", redis="bundled", bedrock_auth_aws="aws_user")),
    ],
    ids=["flux", "argocd"],
)
def test_a_repository_from_before_the_package_follows_without_conflict_or_loss(
    answers: dict[str, object], history: Path, warm: Warm, tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    project = Project(root, Inputs().write(tmp_path / "inputs"), warm)
    project.copy(history, "--vcs-ref", BEFORE_THE_PACKAGE, "--data-file", data_file(tmp_path, answers))
    (root / "tests/rules/__pycache__").mkdir(exist_ok=True)
    (root / "tests/rules/__pycache__/files.pyc").touch()
    (root / "tests/rules/own.py").touch()
    commit(root, "A rule of my own")
    given = yaml.safe_load((root / ".copier-answers.yml").read_text())
    before = project.sealed()
    said = project.update("--vcs-ref", "HEAD")
    assert project.conflicts() == []
    assert project.sealed() == before
    now = yaml.safe_load((root / ".copier-answers.yml").read_text())
    shared = {name: given[name] for name in ("ingress_class", "redis_host") if name in given}
    assert {name: now.get(name) for name in given.keys() - shared - {"_commit"}}.items() <= given.items()
    assert "answer dropped" not in said
    for name, value in shared.items():
        assert f"answer renamed: {name} is aws_{name}, " in said
        assert {now[f"{environment}_{name}"] for environment in ENVIRONMENTS} == {value}
    assert not shared.keys() & now.keys()
    assert not (root / "litellm/values.schema.json").exists()
    assert not (root / "hooks/sealing").exists()
    assert [path.name for path in (root / "tests/rules").iterdir()] == ["own.py"]
    assert "tests/rules/own.py. Nothing reads it any more" in said
    assert seal(root, "--check").returncode == 0
    assert not findings(root), report(findings(root))
    commit(root, "Update")
    after = project.files()
    project.update("--vcs-ref", "HEAD")
    assert project.files() == after
