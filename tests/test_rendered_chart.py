"""`pytest -m chart` in a rendered repository, with a chart of the tests' own and the real helm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from litellm_gitops.rules.rendered import CLAIMS
from tests.support.answers import answers, everything
from tests.support.faults import AWS, CHART, SHARED, Edit, add, at, remove, set_value, together
from tests.support.warm import PYTEST, package

STAND_IN = Path(__file__).parent / "e2e" / "charts" / "litellm-helm"

Sealed = Callable[..., Path]


def run(root: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the chart's tests in a repository, as its operator does: without the plugins of this project."""
    helm = str(tools.path("helm").parent)
    given = ("-m", "chart", f"--rootdir={root}", "-c", str(root / "pyproject.toml"), *arguments, str(root / "tests"))
    shell = {
        "PATH": os.pathsep.join([path or helm, "/usr/bin", "/bin"]),
        "HOME": str(root.parent),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return package().run(PYTEST, *given, cwd=root, env=shell)


def failed(root: Path) -> set[str]:
    """The claims that do not hold."""
    return set(re.findall(r"^FAILED .*\[(\w+)\]", run(root, f"--litellm-chart={STAND_IN}", "-rf").stdout, re.MULTILINE))


@pytest.mark.parametrize("redis", ["none", "external", "bundled"])
@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_the_chart_renders_as_the_repository_says(engine: str, redis: str, sealed: Sealed) -> None:
    given = {**everything(), "redis": redis} if redis != "none" else answers(["gcp"], ["vertex_ai"])
    given = {key: value for key, value in given.items() if redis == "external" or "redis_host" not in key}
    done = run(sealed(**given, gitops_engine=engine), f"--litellm-chart={STAND_IN}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^{len(CLAIMS)} passed", done.stdout, re.MULTILINE)


GUARDS, MIGRATIONS = [*CHART.secrets], [*CHART.migrations]
FAULTS: dict[str, tuple[set[str], Edit]] = {
    "the chart makes the master key": (
        {"the_chart_makes_no_secret", "two_renderings_are_identical"},
        add(GUARDS[0], "", SHARED),
    ),
    "a variable that the chart sets too": (
        {"every_rendered_manifest_fits_its_schema"},
        add(CHART.variables, {"DISABLE_SCHEMA_UPDATE": "true"}, SHARED),
    ),
    "an image without a version": (
        {"the_proxy_runs_the_pinned_image"},
        add(CHART.image, {"tag": "latest"}, SHARED),
    ),
    "a role for the wrong account": (
        {"the_service_account_is_what_the_method_wants"},
        remove(AWS, at(CHART.service_account, "annotations", "eks.amazonaws.com/role-arn")),
    ),
    "the chart's own Argo CD hook": (
        {"the_migrations_run_before_everything_else"},
        together(add(MIGRATIONS[1], False, SHARED), add(MIGRATIONS[2], True, SHARED)),
    ),
    "a Secret that does not exist": (
        {"every_secret_and_key_that_a_pod_reads_exists"},
        add(CHART.env_from, ["litellm-other"]),
    ),
    "a key that does not exist": (
        {"every_secret_and_key_that_a_pod_reads_exists"},
        add(GUARDS[5], "hostname", SHARED),
    ),
    "a text where Kubernetes takes a number": (
        {"every_rendered_manifest_fits_its_schema"},
        set_value(SHARED, at(("topologySpreadConstraints",), 0, "maxSkew"), "1"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_in_what_is_rendered(fault: str, sealed: Sealed, tmp_path: Path) -> None:
    expected, edit = FAULTS[fault]
    root = tmp_path / "repository"
    shutil.copytree(sealed(**answers(["aws"], ["bedrock"])), root)
    edit(root)
    assert failed(root) == expected


def test_a_key_that_the_chart_brings_stops_no_deployment(sealed: Sealed, tmp_path: Path) -> None:
    """The closed schema of the values is the suite's; the chart has none."""
    root = tmp_path / "repository"
    shutil.copytree(sealed(**answers(["aws"], ["bedrock"])), root)
    add(("ofTheNextRelease",), {"enabled": True}, SHARED)(root)
    assert not (root / "litellm" / "values.schema.json").exists()
    assert failed(root) == set()


def test_without_helm_it_says_where_to_get_it(sealed: Sealed, tmp_path: Path) -> None:
    done = run(sealed(**answers(["aws"], ["bedrock"])), f"--litellm-chart={STAND_IN}", path=str(tmp_path))
    assert done.returncode == 1
    assert "helm is not on PATH: https://helm.sh/docs/intro/install/" in done.stdout


def test_a_chart_that_cannot_be_had_is_told_in_helm_s_words(sealed: Sealed, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(sealed(**answers(["aws"], ["bedrock"])), root)
    set_value("litellm/Chart.yaml", ("dependencies", 0, "repository"), "http://127.0.0.1:9/charts")(root)
    done = run(root)
    assert done.returncode == 1
    assert "helm dependency: " in done.stdout
    assert "Traceback" not in done.stdout
