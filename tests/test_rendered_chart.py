"""`pytest -m chart` in a rendered repository, with a chart of the tests' own and the real helm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from tests.support.answers import answers, everything
from tests.support.faults import Fault, both, change, delete

CHART = Path(__file__).parent / "e2e" / "charts" / "litellm-helm"
VALUES, OWN = "litellm/values.yaml", "litellm/values-aws.yaml"

Sealed = Callable[..., Path]


def run(root: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the chart's tests in a repository, as its operator does: without the plugins of this project."""
    helm = str(tools.path("helm").parent)
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-m",
        "chart",
        f"--rootdir={root}",
        "-c",
        str(root / "pyproject.toml"),
    ]
    return subprocess.run(
        [*command, *arguments, str(root / "tests")],
        cwd=root,
        env={
            "PATH": os.pathsep.join([path or helm, "/usr/bin", "/bin"]),
            "HOME": str(root.parent),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def failed(root: Path) -> set[str]:
    """The tests that fail, without their prefix."""
    return set(re.findall(r"^FAILED .*::test_(\w+)", run(root, f"--litellm-chart={CHART}").stdout, re.MULTILINE))


@pytest.mark.parametrize("redis", ["none", "external", "bundled"])
@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_the_chart_renders_as_the_repository_says(engine: str, redis: str, sealed: Sealed) -> None:
    more = {"redis_host": "redis.internal"} if redis == "external" else {}
    given = {**everything(), "redis": redis, **more} if redis != "none" else answers(["gcp"], ["vertex_ai"])
    given = {key: value for key, value in given.items() if redis == "external" or key != "redis_host"}
    done = run(sealed(**given, gitops_engine=engine), f"--litellm-chart={CHART}")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^11 passed", done.stdout, re.MULTILINE)


def unchecked(fault: Fault) -> Fault:
    """A mistake that the schema of the values refuses, and that somebody made without it."""
    return both(delete("litellm/values.schema.json"), fault)


FAULTS: dict[str, tuple[set[str], Fault]] = {
    "the chart makes the master key": (
        {"the_chart_makes_no_secret", "two_renderings_are_identical"},
        unchecked(change(VALUES, "masterkeySecretName: litellm-masterkey", 'masterkeySecretName: ""')),
    ),
    "a variable that the chart sets too": (
        {"no_container_has_a_variable_twice"},
        change(VALUES, "    LITELLM_MODE:", '    DISABLE_SCHEMA_UPDATE: "true"\n    LITELLM_MODE:'),
    ),
    "an image without a version": (
        {"the_proxy_runs_the_pinned_image"},
        change(VALUES, 'tag: "v', 'tag: latest # "v'),
    ),
    "a role for the wrong account": (
        {"the_service_account_is_what_the_method_wants"},
        change(OWN, "role-arn: ", "role: "),
    ),
    "the chart's own Argo CD hook": (
        {"the_migrations_run_before_everything_else"},
        both(
            change(VALUES, "argocd:\n        enabled: false", "argocd:\n        enabled: true"),
            change(VALUES, "helm:\n        enabled: true", "helm:\n        enabled: false"),
        ),
    ),
    "a Secret that does not exist": (
        {"every_secret_and_key_that_a_pod_reads_exists"},
        change(OWN, "- litellm-salt-key", "- litellm-salt-key\n    - litellm-other"),
    ),
    "a key that does not exist": (
        {"every_secret_and_key_that_a_pod_reads_exists"},
        change(VALUES, "endpointKey: host", "endpointKey: hostname"),
    ),
    "a text where Kubernetes takes a number": (
        {"every_rendered_manifest_fits_its_schema"},
        unchecked(
            change(
                VALUES,
                "SpreadConstraints:\n    - maxSkew: 1",
                'SpreadConstraints:\n    - maxSkew: "1"',
            )
        ),
    ),
}


@pytest.mark.parametrize("mistake", FAULTS)
def test_a_mistake_shows_in_what_is_rendered(mistake: str, sealed: Sealed, tmp_path: Path) -> None:
    expected, fault = FAULTS[mistake]
    root = tmp_path / "repository"
    shutil.copytree(sealed(**answers(["aws"], ["bedrock"])), root)
    fault(root)
    assert failed(root) == expected


def test_helm_refuses_what_the_schema_of_the_values_does_not_know(sealed: Sealed, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(sealed(**answers(["aws"], ["bedrock"])), root)
    change(VALUES, "replicaCount:", "replicasCount:")(root)
    done = run(root, f"--litellm-chart={CHART}")
    assert done.returncode == 1
    assert "replicasCount" in done.stdout


def test_without_helm_it_says_where_to_get_it(sealed: Sealed, tmp_path: Path) -> None:
    done = run(sealed(**answers(["aws"], ["bedrock"])), f"--litellm-chart={CHART}", path=str(tmp_path))
    assert done.returncode == 1
    assert "helm is not on PATH: https://helm.sh/docs/intro/install/" in done.stdout


def test_a_chart_that_cannot_be_had_is_told_in_helm_s_words(sealed: Sealed, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(sealed(**answers(["aws"], ["bedrock"])), root)
    change("litellm/Chart.yaml", "oci://ghcr.io/berriai", "http://127.0.0.1:9/charts")(root)
    done = run(root)
    assert done.returncode == 1
    assert "helm dependency: " in done.stdout
    assert "Traceback" not in done.stdout
