"""Commands of a rendered README that no story of a cluster runs, each as it is printed, in a fresh shell."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import Url

from litellm_gitops.documents import dig
from litellm_gitops.first_steps import VALIDATE, push
from litellm_gitops.repository import Repository
from tests.e2e.readme import commands
from tests.support.answers import answers
from tests.support.findings import findings, report
from tests.support.inputs import Inputs
from tests.support.project import Start, commit
from tests.support.sealed import environment, opened, seal

ENGINES = ("flux", "argocd")
# notes what it is given, and what it could have read
NOTES = """#!/bin/sh
printf "%s\\n" "$0 $*" >> "$NOTES"/calls
env > "$NOTES"/environment
[ -t 0 ] || cat >> "$NOTES"/stdin
"""
_NEEDED = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")


class Shell:
    """A shell of an operator, with programs that only note how they are called."""

    def __init__(self, root: Path, folder: Path, *programs: str) -> None:
        self.root, self.folder = root, folder
        (folder / "bin").mkdir()
        for name in programs:
            (folder / "bin" / name).write_text(NOTES)
            (folder / "bin" / name).chmod(0o755)

    def run(self, script: str, **more: str) -> None:
        """Runs a script as somebody pastes it; it must end well."""
        shell = environment(None, NOTES=str(self.folder), HOME=str(self.folder), **more)
        shell["PATH"] = f"{self.folder / 'bin'}:{shell['PATH']}"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.root,
            env=shell,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def noted(self, what: str) -> str:
        """The calls, the environment of the last one, or what came through pipes."""
        return (self.folder / what).read_text("utf-8")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


# ---------------------------------------------------------------------------------------------------------------------
# Prerequisites

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "answers"
VALID = [EXAMPLES / "demo.yml", *sorted((EXAMPLES / "valid").glob("*.yml"))]
# what is not on every machine: (as it is called, as the prerequisites name it)
PROGRAMS = {
    **{name: f"[{name}]" for name in ("uv", "sops")},
    **{name: name for name in ("git", "kubectl", "helm", "jq", "psql", "gpg")},
    **{"flux": "the flux CLI", "argocd": "the argocd CLI", "aws": "the AWS CLI"},
    **{"gcloud": "the gcloud CLI", "az": "the Azure CLI"},
}
_CALLED = re.compile(r"(?:^|[|;&({]|\$\()[ \t]*(?:\w+=\S* )*(\w+) ", re.MULTILINE)


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_what_the_way_to_a_running_proxy_calls_is_a_prerequisite(file: Path, render: Callable[..., Path]) -> None:
    readme = (render(**load(file)) / "README.md").read_text("utf-8")
    machine = readme.partition("\n## Prerequisites\n")[2].partition("\nIn ")[0].partition("\nFor ")[0]
    way = readme.partition("\n## First steps\n")[2].partition("\n## Change and validate\n")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", way, re.MULTILINE | re.DOTALL)
    called = {name for block in blocks for name in _CALLED.findall(block)} & PROGRAMS.keys()
    assert {"git", "kubectl"} <= called
    assert not {name for name in called if not re.search(rf"(?<!\w){re.escape(PROGRAMS[name])}(?!\w)", machine)}


# ---------------------------------------------------------------------------------------------------------------------
# Local verification


@pytest.mark.parametrize("database_auth", ["password", "keyless"])
def test_compose_has_every_variable_and_a_database_url_that_can_be_read(
    database_auth: str, render: Callable[..., Path], tmp_path: Path
) -> None:
    given = answers(["azure"], ["azure_openai", "github_copilot"], database_auth=database_auth)
    more = {"azure_openai_auth_azure": "entra_id", "credentials": "each"} if database_auth == "password" else {}
    if database_auth == "keyless":
        more = {"credentials": "keyless", "azure_azure_client_id": "0f0e0d0c-0b0a-0908-0706-050403020100"}
        more["azure_database_host"] = "db.example.internal"
    root = Path(shutil.copytree(render(**given, **more), tmp_path / "repository"))
    inputs = Inputs().write(tmp_path / "inputs") / "deployment_outputs.env"
    kept = [line for line in inputs.read_text().splitlines() if "DATABASE_PASSWORD" not in line]
    odd = ["LITELLM_DATABASE_PASSWORD='p@ss/w:rd#1'"] if database_auth == "password" else []
    inputs.write_text("\n".join([*kept, *odd]) + "\n")
    start, ask = commands(root / "README.md", "Local verification")
    shell = Shell(root, tmp_path, "docker", "curl")
    shell.run(start, LITELLM_GITOPS_INPUTS=str(inputs.parent))
    (file,) = re.findall(r"docker compose --env-file (\S+) up$", shell.noted("calls"), re.MULTILINE)
    assert Path(file) == inputs
    known = dict(re.findall(r"^(?:export )?(\w+)='?(.*?)'?$", inputs.read_text(), re.MULTILINE))
    known |= dict(line.split("=", 1) for line in shell.noted("environment").splitlines() if "=" in line)  # it wins
    compose = (root / "docker-compose.yml").read_text("utf-8")
    needed = {match[1] for match in _NEEDED.finditer(re.sub(r"#.*", "", compose))}
    assert needed <= known.keys()
    proxy = load(root / "docker-compose.yml")["services"]["litellm"]["environment"]
    url = Url(_NEEDED.sub(lambda match: known[match[1]], proxy["DATABASE_URL"]))
    assert (url.host, url.username) == ("postgres", "litellm")
    shell.run(ask)
    assert f"Bearer {known['PROXY_MASTER_KEY']}" in shell.noted("calls")


# ---------------------------------------------------------------------------------------------------------------------
# Your own Secret


@pytest.mark.parametrize(("engine", "chart"), [("flux", "litellm"), ("argocd", "litellm-helm")])
def test_a_secret_of_ones_own_is_sealed_listed_and_given_to_the_pods(
    engine: str, chart: str, render: Callable[..., Path], tmp_path: Path
) -> None:
    more = {"aws_database_host": "db.example.internal"} if chart == "litellm" else {}
    given = answers(["aws"], ["bedrock"], gitops_engine=engine, chart=chart, **more)
    root = Path(shutil.copytree(render(**given), tmp_path / "repository"))
    inputs = Inputs().write(tmp_path / "inputs")
    assert seal(root, inputs=inputs).returncode == 0
    said = (root / "README.md").read_text("utf-8").partition("## Your own Secret\n")[2].partition("\n## ")[0]
    file, name, namespace = re.findall(r"Write `(\S+)` as a Secret named `(\S+)` in namespace `(\S+)`", said)[0]
    metadata = f"metadata: {{name: {name}, namespace: {namespace}}}"
    (root / file).write_text(f"apiVersion: v1\nkind: Secret\n{metadata}\nstringData:\n  OPENAI_API_KEY: made-up\n")
    (encrypt,) = re.findall(r"`(sops [^`]+)`", said)
    Shell(root, tmp_path).run(encrypt)
    assert "made-up" not in (root / file).read_text()
    (key, listing) = re.findall(r"List it (as a resource|under `files`) in `(\S+)`", said)[0]
    entry = "resources:" if key == "as a resource" else "files:"
    text = (root / listing).read_text("utf-8")
    assert text.count(entry) == 1
    (root / listing).write_text(text.replace(entry, f"{entry}\n  - ./{Path(file).name}"))
    (place,) = re.findall(rf"add `{name}` to `(\S+)` of that cluster's values", said)
    values = root / "litellm" / "values-aws.yaml"
    content = load(values)
    above = dig(content[chart], *place.split(".")[:-1]) or content[chart]
    above.setdefault(place.split(".")[-1], []).append(name)
    values.write_text(yaml.safe_dump(content))
    (again,) = re.findall(r"`uv run hooks/seal_secrets.py( [^`]*)?` writes", said)
    assert seal(root, *again.split(), inputs=inputs).returncode == 0
    assert f"checksum/{name}" in (root / "litellm" / "checksums-aws.yaml").read_text()
    assert opened(root)["aws", name] == {"OPENAI_API_KEY": "made-up"}
    found = findings(root)
    assert not found, report(found)


# ---------------------------------------------------------------------------------------------------------------------
# Signed commits


def test_the_first_commit_is_signed_as_the_printed_commands_and_readme_say(render: Callable[..., Path]) -> None:
    signers = ["5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23"]
    for more in ({}, {"repo_path": "platform/llm"}):
        root = render(**answers(["aws"], ["github_copilot"], commit_signers=signers, **more))
        (block,) = commands(root / "README.md", "First steps")
        record, send = push(Repository(root))
        lines = " && ".join(block.splitlines())
        assert lines == f"{VALIDATE} && {record} && {send}"
        assert lines.index("commit.gpgSign true") < lines.index("git commit")


def test_who_rendered_into_a_clone_is_not_told_to_add_its_remote(render: Callable[..., Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(render(**answers(["aws"], ["github_copilot"])), tmp_path / "clone"))
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    assert "git remote add origin" in push(Repository(root))[1]
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:example/llm.git"], cwd=root, check=True)
    assert push(Repository(root))[1] == "git push -u origin main"
    assert "leave out `git remote add … &&`" in (root / "README.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg on PATH, which has the keys of those who sign")
@pytest.mark.parametrize("engine", ENGINES)
def test_the_keys_of_all_who_may_sign_reach_the_cluster_or_none_does(
    engine: str, render: Callable[..., Path], tmp_path: Path
) -> None:
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    made = []
    for name in ("one", "other"):
        make = ["--passphrase", "", "--quick-generate-key", f"{name}@example.com", "ed25519", "sign"]
        done = subprocess.run(["gpg", "--batch", "--status-fd=1", *make], env=home, capture_output=True, check=True)
        made += re.findall(r"KEY_CREATED P ([0-9A-F]{40})", done.stdout.decode())
    given = answers(["aws"], ["github_copilot"], gitops_engine=engine, commit_signers=made)
    shell = Shell(render(**given), tmp_path, "kubectl", "argocd", "flux")
    (block,) = commands(shell.root / "README.md", "Bootstrap", "aws")
    (bring,) = re.findall(r"^gpg (?:.*(?:&&|\\)\n)+.*$", block, re.MULTILINE)
    shell.run(bring)
    assert ("argocd gpg add --from /dev/stdin" in shell.noted("calls")) is (engine == "argocd")
    listed = ["gpg", "--show-keys", "--with-colons"]
    shown = subprocess.run(listed, env=home, input=shell.noted("stdin").encode(), capture_output=True, check=True)
    assert re.findall(r"^fpr:+([0-9A-F]{40}):", shown.stdout.decode(), re.MULTILINE) == made
    (tmp_path / "calls").unlink()
    lost = bring.replace(made[1], "5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23")
    with pytest.raises(AssertionError, match="No public key"):
        shell.run(lost)
    assert not (tmp_path / "calls").exists()
    subprocess.run(["gpgconf", "--kill", "all"], env=home, check=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_who_may_sign_is_answered_later_and_changed_by_the_printed_command(engine: str, start: Start) -> None:
    project = start("v0.1.0", gitops_engine=engine)
    signers = ["5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23", "968479A1AFF927E37D1A566BB5690EEEBB952194"]
    for now in (signers[:1], signers):
        (command,) = commands(project.root / "README.md", "Signed commits")
        words = re.sub(r"commit_signers=\[.*\]", f"commit_signers=[{', '.join(now)}]", command)
        arguments = re.findall(r"'[^']*'|\S+", words.partition("copier update --trust ")[2])
        said = project.update(*(each.strip("'") for each in arguments))
        assert "then Bootstrap: README.md" in said
        assert project.answer("commit_signers") == now
        assert not project.conflicts()
        found = findings(project.root)
        assert not found, report(found)
        commit(project.root, "Signers")
