"""What a rendered repository gives to Flux or Argo CD, and what its README says of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops.repository import Repository
from tests.e2e.readme import commands
from tests.support.answers import ENVIRONMENTS, answers, everything
from tests.support.findings import findings, report

ENGINES = ("flux", "argocd")
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

Render = Callable[..., Path]

TREES = {
    "flux": """\
        clusters/aws/account.yaml
        clusters/aws/exposure.yaml
        clusters/aws/kustomization.yaml
        clusters/aws/namespace.yaml
        clusters/aws/release/helmrelease.yaml
        clusters/aws/secrets.yaml
        clusters/aws/source.yaml
        secrets/aws/kustomization.yaml
    """,
    "argocd": """\
        clusters/aws/argocd-setup/argocd-cm.yaml
        clusters/aws/argocd-setup/argocd-cmd-params-cm.yaml
        clusters/aws/argocd-setup/argocd-repo-server.yaml
        clusters/aws/argocd-setup/plugin.yaml
        clusters/aws/exposure.yaml
        clusters/aws/kustomization.yaml
        clusters/aws/namespace.yaml
        clusters/aws/project.yaml
        clusters/aws/release.yaml
        clusters/aws/root.yaml
        secrets/aws/ksops.yaml
        secrets/aws/kustomization.yaml
    """,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_has_its_files_and_no_other(engine: str, render: Render) -> None:
    root = render(**answers(["aws"], ["bedrock"], gitops_engine=engine))
    found = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    ours = re.compile(r"(clusters|secrets)/.*")
    assert sorted(filter(ours.fullmatch, found)) == TREES[engine].split()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_environment_is_a_cluster_of_its_own(engine: str, render: Render) -> None:
    root = render(**everything(gitops_engine=engine))
    assert {path.name for path in (root / "clusters").iterdir()} == set(ENVIRONMENTS)
    for environment in ENVIRONMENTS:
        text = "".join(path.read_text("utf-8") for path in (root / "clusters" / environment).rglob("*.yaml"))
        assert re.findall(r"(?:values|checksums)-(\w+)\.yaml", text) == [environment] * 2
        assert set(re.findall(r"secrets/(\w+)$", text, re.MULTILINE)) == {environment}


# ---------------------------------------------------------------------------------------------------------------------
# The answers arrive as they were given

ODD = {
    "repo_branch": ("yes", "012", "release/1.2", "feature/a&b=c", "it's", 'a"b', "größe", "a,b;c"),
    "repo_url": (
        "https://git.example.com:8443/a/b~c.git",
        "https://git.example.com/group/sub.group/name",
        "ssh://git@git.example.com:2222/a/b.git",
        "ssh://git.example.com/b.git",
    ),
    "project_name": ("on", "1-2", "a" * 63),
}


def sources(root: Path, engine: str) -> Iterator[tuple[str, str]]:
    """(URL, branch) of everything that the engine pulls."""
    for path in (root / "clusters").rglob("*.yaml"):
        for manifest in yaml.safe_load_all(path.read_text("utf-8")):
            spec = manifest.get("spec", {})
            if manifest["kind"] == "GitRepository":
                yield spec["url"], spec["ref"]["branch"]
            elif manifest["kind"] == "Application":
                yield spec["source"]["repoURL"], spec["source"]["targetRevision"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("question", "value"),
    [(question, value) for question, values in ODD.items() for value in values],
)
def test_an_odd_answer_arrives(engine: str, question: str, value: str, sealed: Callable[..., Path]) -> None:
    given: dict[str, Any] = {"repo_url": "https://example.com/a/b.git", "repo_branch": "main"}
    given[question] = value
    root = sealed(**answers(["gcp"], ["vertex_ai"], gitops_engine=engine, **given))
    pulled = set(sources(root, engine))
    assert pulled == {(given["repo_url"], given["repo_branch"])}
    assert not findings(root), report(findings(root))


def test_a_repository_over_ssh_is_pulled_with_a_key(render: Render) -> None:
    given = answers(["gcp"], ["vertex_ai"])
    file = "clusters/gcp/source.yaml"
    over_ssh = render(**given, repo_url="ssh://git@git.example.com/a/b.git") / file
    assert yaml.safe_load(over_ssh.read_text())["spec"]["secretRef"] == {"name": "litellm-git"}
    over_https = render(**given, repo_url="https://git.example.com/a/b.git") / file
    assert "secretRef" not in yaml.safe_load(over_https.read_text())["spec"]


# ---------------------------------------------------------------------------------------------------------------------
# The README


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("recipients", [[], [RECIPIENT]])
def test_every_block_of_commands_pastes_into_zsh_and_waits_for_nothing_but_its_own_end(
    engine: str, recipients: list[str], render: Render
) -> None:
    readme = render(**everything(gitops_engine=engine, age_recipients=recipients)) / "README.md"
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", readme.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    for block in blocks:
        # an interactive zsh takes a comment for arguments
        assert not re.search(r"(^|\s)#", block), block
        # `read` would take the next line that is pasted for its answer
        assert "read -rs" not in block or all(line.endswith(("&&", "\\")) for line in block.splitlines()[:-1]), block
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_age_key_goes_into_the_cluster_through_a_pipe(engine: str, environment: str, render: Render) -> None:
    readme = render(**everything(gitops_engine=engine)) / "README.md"
    (script,) = commands(readme, "Bootstrap", environment)
    (command,) = (line for line in script.replace("\\\n", "").splitlines() if "sops-age" in line)
    assert f"--from-file={environment}.agekey=/dev/stdin" in command
    assert f"< keys/{environment}.agekey | kubectl apply --server-side" in re.sub(" +", " ", command)


@pytest.mark.parametrize("engine", ENGINES)
def test_with_own_recipients_the_operator_names_the_key(engine: str, render: Render) -> None:
    root = render(**answers(["gcp"], ["vertex_ai"], gitops_engine=engine, age_recipients=[RECIPIENT]))
    (script,) = commands(root / "README.md", "Bootstrap", "gcp")
    assert '< "$AGE_KEY_FILE"' in script
    assert "keys/" not in script
    assert "`AGE_KEY_FILE` is the file with the private key" in (root / "README.md").read_text()


@pytest.mark.parametrize("heading", ["Bootstrap", "Remove"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_file_that_a_command_names_exists(engine: str, heading: str, render: Render) -> None:
    root = render(**everything(gitops_engine=engine))
    for environment in ENVIRONMENTS:
        (script,) = commands(root / "README.md", heading, environment)
        named = re.findall(r"clusters/[\w./-]+", script)
        assert named
        assert [name for name in named if not (root / name).exists()] == []
        assert {name.split("/")[1] for name in named} == {environment}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_object_that_is_removed_was_there(engine: str, render: Render) -> None:
    root = render(**everything(gitops_engine=engine))
    manifests = [
        manifest
        for path in (root / "clusters" / "aws").rglob("*.yaml")
        for manifest in yaml.safe_load_all(path.read_text("utf-8"))
    ]
    there = {(each["kind"].lower(), each["metadata"]["name"]) for each in manifests if "metadata" in each}
    (script,) = commands(root / "README.md", "Remove", "aws")
    removed = set(
        re.findall(r"delete (?:--ignore-not-found )?(kustomization|helmrelease|application) ([\w-]+)", script)
    )
    assert removed
    assert removed <= there


# ---------------------------------------------------------------------------------------------------------------------
# The diagram


def diagram(root: Path) -> str:
    (found,) = re.findall(r"```mermaid\n(.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.mark.parametrize("bedrock", ["irsa", "aws_user"])
def test_the_diagram_shows_where_each_secret_goes(bedrock: str, render: Render) -> None:
    root = render(**everything(bedrock_auth_aws=bedrock))
    repository, text = Repository(root), diagram(root)
    for cluster in repository.clusters:
        boxes = re.findall(rf'{cluster.name}_\w+\[/"([^"]+)"/\] -->\|(\w+)\|', text)
        shown = {name: way for names, way in boxes for name in names.split("<br>")}
        mounted = {method.secret for method in cluster.methods.values() if method.mount}
        role = {"ServiceAccount litellm": "identity"} if cluster.name == "aws" and bedrock == "irsa" else {}
        assert shown == role | {name: "files" if name in mounted else "environment" for name in cluster.wanted}


def test_the_diagram_shows_every_method(render: Render) -> None:
    root = render(**everything())
    repository, text = Repository(root), diagram(root)
    for cluster in repository.clusters:
        shown = dict(re.findall(rf'{cluster.name}_proxy -->\|"([^"]+)"\| (\w+)', text))
        used = [(provider, cluster.methods[method]) for provider, method in cluster.method_names.items()]
        assert shown == {f"{each.name}{', keyless' if each.keyless else ''}": provider for provider, each in used}


def test_the_diagram_names_every_node_that_it_links(render: Render) -> None:
    text = diagram(render(**everything()))
    nodes = set(re.findall(r"^ *(?:subgraph )?(\w+)[\[(]", text, re.MULTILINE))
    links = re.findall(r"(\w+)(?:\[/[^\]]*\])? -->\|[^|]*\| (\w+)$", text, re.MULTILINE)
    assert {end for link in links for end in link} <= nodes, json.dumps(sorted(nodes))
