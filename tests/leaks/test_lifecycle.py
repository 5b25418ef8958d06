"""From the first rendering to an update, no input, no generated value and no private key shows where it must not.

`copier copy` with sealing, a commit, every command of `seal_secrets.py`, and `copier update` with a provider more.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.leaks.canaries import PRIVATE_KEY, Canaries
from tests.leaks.conftest import WATCHES
from tests.leaks.watch import Sandbox, Watch, git
from tests.support import quick
from tests.support.inputs import Inputs
from tests.support.sealed import decrypt, opened

COPIER = [sys.executable, "-P", "-W", "ignore", quick.__file__]
ANSWERS = {
    "cluster_environments": "[aws]",
    "providers": "[bedrock, vertex_ai, github_copilot]",
    "bedrock_auth_aws": "aws_user",
    "vertex_project": "example-ai",
    "redis": "external",
    "aws_redis_host": "redis.example.internal",
}
MORE = [
    "--data",
    "providers=[bedrock, vertex_ai, github_copilot, azure_openai]",
    "--data",
    "azure_openai_endpoint=https://example.openai.azure.com/",
]


@pytest.fixture(scope="module")
def releases(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template in git: v1, and v2 with one line more in a file."""
    folder = Path(shutil.copytree(template, tmp_path_factory.mktemp("releases") / "template"))
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for release in ("v1.0.0", "v2.0.0"):
        with (folder / "template" / ".gitattributes").open("a") as file:
            file.write(f"# {release}\n")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", release)
        git(folder, "tag", release)
    git(folder, "repack", "-a", "-d", "--quiet")  # each clone then has few files
    return folder


def made(root: Path) -> dict[str, str]:
    """What sealing made itself: generated values and private keys, by name."""
    found = {}
    for path in (root / "keys").glob("*.agekey"):
        found[PRIVATE_KEY + path.stem] = path.read_text().split("AGE-SECRET-KEY-1")[1].strip()
        for name in ("litellm-masterkey", "litellm-salt-key"):
            values = decrypt(root / "secrets" / path.stem / f"{name}.sops.yaml", path)
            found |= {f"{key} of {path.stem}": value for key, value in values.items()}
    return found


@pytest.mark.parametrize("kind", WATCHES)
def test_no_secret_shows_from_the_first_rendering_to_an_update(
    kind: type[Watch], releases: Path, compiled: Path, tmp_path: Path
) -> None:
    inputs, replaced = Inputs(), Inputs()
    sandbox = Sandbox(tmp_path, inputs, inputs_inside=True)
    root, watch = sandbox.repository, kind(sandbox)
    secrets: dict[str, str] = {}

    def run(command: list[str], stdin: str = "", shell: Mapping[str, str] | None = None) -> None:
        finished = watch.run(command, stdin=stdin, shell=shell)
        assert finished.code == 0, f"{command[5:]} ended with exit code {finished.code}"
        # it is known only now, and was looked for by nobody: what the whole run showed is searched at the end
        secrets.update({f"{name}, {len(watch.seen)}": value for name, value in made(root).items()})

    def commit() -> None:
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", "Change")

    data = [item for name, value in ANSWERS.items() for item in ("--data", f"{name}={value}")]
    copy = ["copy", "--trust", "--defaults", "--vcs-ref", "v1.0.0", *data, str(releases), "."]
    run([*COPIER, str(compiled), *copy])
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit()

    for path in root.glob("secrets/*/*.sops.yaml"):
        if path.name != "litellm-salt-key.sops.yaml":  # which is never made anew
            path.unlink()
    # an operator's shell may hold them; sops must not
    run(sandbox.seal(), shell=replaced.lines)
    run(sandbox.seal("--rotate", "litellm-gcp-auth"))
    run(sandbox.seal("--rotate", "litellm-aws-auth", "--key", "AWS_SECRET_ACCESS_KEY"))
    token = replaced.files["access-token"]
    run(sandbox.seal("--rotate", "litellm-github-copilot", "--stdin", "access-token"), token)
    run(sandbox.seal("--rotate", "litellm-masterkey"))
    run(sandbox.seal("--rekey"))
    run(sandbox.seal("--check"))
    run(sandbox.seal("--list"))
    commit()

    run([*COPIER, str(compiled), "update", "--trust", "--defaults", *MORE])
    assert (root / "secrets/aws/litellm-azure-auth.sops.yaml").exists()
    commit()
    watch.seen += sandbox.files()

    places = {each.where for each in watch.seen}
    assert {"arguments of sops", "environment of sops", "stdout", "git objects"} <= places
    canaries = Canaries(
        {
            **secrets,
            **Canaries.secrets(inputs),
            **{f"replaced {name}": value for name, value in Canaries.secrets(replaced).items()},
        }
    )
    assert canaries.leaks(watch.seen) == []
    assert opened(root)["aws", "litellm-github-copilot"] == {"access-token": token}
