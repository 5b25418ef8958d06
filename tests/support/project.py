"""Rendered repositories under git, from releases of the template, and their operators' commands.

There are no releases yet. The older ones here are today's template with a few edits reversed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.support.inputs import Inputs
from tests.support.once import once
from tests.support.sealed import content, environment
from tests.support.template import ROOT
from tests.support.warm import Warm

COPIER = Path(sys.executable).with_name("copier")
QUICK = Path(__file__).with_name("quick.py")

# What was different in earlier releases: (release, file, present text, text of that release).
HISTORY = [
    (
        "v0.0.1",
        "src/litellm_gitops/sealing/sealed_file.py",
        "litellm-gitops/placeholder-keys",
        "litellm-gitops/missing-keys",
    ),
    (
        "v0.0.1",
        "includes/validators.jinja",
        "+%-]+)+', 'use https",
        "+%-]+)+/?', 'use https",
    ),
    (
        "v0.0.1",
        "includes/pod.jinja",
        "request_timeout: {{ request_timeout }}",
        "request_timeout: 300",
    ),
    (
        "v0.0.2",
        "includes/pod.jinja",
        "request_timeout: {{ request_timeout }}",
        "request_timeout: 450",
    ),
    ("v0.0.2", "policies/pins.yml", '    - "1.25"\n', '    - "1.24"\n    - "1.25"\n'),
    ("v0.0.1", "policies/pins.yml", '    - "1.25"\n', '    - "1.24"\n    - "1.25"\n'),
]
PACKAGE = ("pyproject.toml", "README.md", "LICENSE")  # what it takes beside src/ to install it
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


def under_git(root: Path) -> Path:
    """The repository, with a first commit."""
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "Render")
    return root


def make_releases(template: Path, folder: Path) -> Path:
    """A git repository of the template in `folder`, with a tag for each release, the last one as it is now."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for release in RELEASES:
        for part in template.iterdir():
            target = folder / part.name
            if part.is_dir():
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(part, target, symlinks=True)
            else:
                shutil.copy(part, target)
        for name in PACKAGE:
            shutil.copy(ROOT / name, folder)
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
    """A rendered repository under git, and its operator's commands.

    With `cache`, a folder, copier runs as tests/support/quick.py has it.
    """

    def __init__(self, root: Path, inputs: Path, warm: Warm, cache: Path | None = None) -> None:
        self.root = root
        self.inputs = inputs
        self.warm = warm
        self.cache = cache

    def plain(self) -> Project:
        """From now on copier runs as it comes, where what it does is the subject."""
        self.cache = None
        return self

    def copier(self, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run copier in the repository, with sops on PATH unless `path` is given."""
        env = environment(self.inputs, HOME=str(self.inputs.parent), PWD=str(self.root))
        env |= {"GIT_CONFIG_GLOBAL": os.devnull} | ({"PATH": path} if path else {})
        program = [QUICK, str(self.cache)] if self.cache else [COPIER]
        return self.warm.run(*program, *arguments, cwd=self.root, env=env)

    def copy(self, source: Path | str, *arguments: str, **answers: str) -> str:
        """`copier copy` and a first commit; what copier printed."""
        data = [item for name, value in answers.items() for item in ("--data", f"{name}={value}")]
        answer = self.copier("copy", "--trust", "--defaults", *arguments, *data, str(source), ".")
        assert answer.returncode == 0, answer.stderr[-2000:]
        git(self.root, "init", "--quiet", "--initial-branch", "main")
        commit(self.root, "Render")
        return answer.stdout + answer.stderr

    def update(self, *arguments: str, path: str | None = None) -> str:
        """`copier update`, which must succeed; what it printed."""
        answer = self.copier("update", "--trust", "--defaults", *arguments, path=path)
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
        files = {path: data for path, data in self.files().items() if not path.startswith("vendor/")}
        return [path for path, data in files.items() if b"\n<<<<<<< " in data or path.endswith(".rej")]

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        commit(self.root, f"Edit {name}")

    def answer(self, name: str) -> object:
        return yaml.safe_load((self.root / ".copier-answers.yml").read_text()).get(name)


class Starter:
    """Makes each repository once, and gives copies of it."""

    def __init__(self, releases: Path, warm: Warm, folder: Path, cache: Path) -> None:
        self._releases, self._warm, self._folder, self._cache = releases, warm, folder, cache
        self._inputs = once(folder / "inputs", Inputs().write)

    def __call__(self, target: Path, release: str, **answers: str) -> Project:
        """A committed repository in `target` as it was rendered and sealed from a release."""
        given = {**ANSWERS, **answers}
        name = re.sub(r"\W+", "-", " ".join([release, *(f"{key}={given[key]}" for key in sorted(given))]))

        def make(folder: Path) -> None:
            folder.mkdir()
            Project(folder, self._inputs, self._warm, self._cache).copy(self._releases, "--vcs-ref", release, **given)

        known = once(self._folder / name, make)
        root = Path(shutil.copytree(known, target / "repository"))
        return Project(root, Inputs().write(target / "inputs"), self._warm, self._cache)


Start = Callable[..., Project]
