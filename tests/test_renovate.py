"""What Renovate does in a rendered repository, and in this one: what its managers find there, and which rules apply."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops import releases
from litellm_gitops.documents import mapping
from litellm_gitops.tooling.renovate import Dependency, allows, applied
from tests.conftest import ROOT
from tests.support.answers import everything
from tests.support.charts import NAMES

Render = Callable[..., Path]
_COMMENT = re.compile(r"# renovate: datasource=(\S+) depName=(\S+)\s")

# What each chart and its image are to the managers. https://docs.renovatebot.com/modules/manager/
LITELLM = {
    "litellm-helm": {
        ("helmv3", "ghcr.io/berriai/litellm-helm"),
        ("helm-values", "ghcr.io/berriai/litellm-database"),
        ("docker-compose", "ghcr.io/berriai/litellm-database"),
    },
    "litellm": {
        ("helmv3", "ghcr.io/berriai/litellm/chart/litellm"),
        ("helm-values", "ghcr.io/berriai/litellm"),
        ("docker-compose", "ghcr.io/berriai/litellm"),
    },
}
# What else they find: by itself, each.
OTHERS = {
    "none": {("docker-compose", "pgvector/pgvector")},
    "github": {
        ("docker-compose", "pgvector/pgvector"),
        ("github-actions", "actions/checkout"),
        ("github-actions", "astral-sh/setup-uv"),
        ("github-actions", "azure/setup-helm"),
        ("custom.regex", "github.com/sigstore/cosign/v3"),
        ("custom.regex", "github.com/zricethezav/gitleaks/v8"),
        ("custom.regex", "helm/helm"),
    },
    "gitlab": {
        ("docker-compose", "pgvector/pgvector"),
        ("gitlabci", "ghcr.io/astral-sh/uv"),
        ("gitlabci", "golang"),
        ("gitlabci", "alpine/helm"),
    },
}
PROPOSED = {
    "litellm-helm": {"1.104.1": True, "1.108.20": True, "1.200.0": True, "2.0.0": True},
    "litellm": {"1.0.1": True, "1.1.0": True, "1.79.9": True, "1.80.0": False, "2.0.0": False},
}


def found(root: Path) -> Iterator[Dependency]:
    """What Renovate's managers find in a repository, by the forms that are rendered."""
    for each in read(root / "litellm" / "Chart.yaml")["dependencies"]:
        address = each["repository"].removeprefix("oci://")
        yield Dependency("helmv3", "docker", each["name"], f"{address}/{each['name']}")
    images = {"helm-values": [f"{each['repository']}:{each['tag']}" for each in tagged(root / "litellm/values.yaml")]}
    images["docker-compose"] = [each["image"] for each in read(root / "docker-compose.yml")["services"].values()]
    if (root / ".gitlab-ci.yml").exists():
        entries = [mapping(each).get("image") for each in read(root / ".gitlab-ci.yml").values()]
        images["gitlabci"] = [mapping(each).get("name", each) for each in entries if each]
    for manager, names in images.items():
        for name in (each.partition("@")[0].rpartition(":")[0] for each in names):
            yield Dependency(manager, "docker", name, name)
    for file in root.glob(".github/workflows/*.yaml"):
        for name in re.findall(r"uses: (\S+)@", file.read_text("utf-8")):
            yield Dependency("github-actions", "github-tags", name, name)
        for datasource, name in _COMMENT.findall(file.read_text("utf-8")):
            yield Dependency("custom.regex", datasource, name, name)


def read(file: Path) -> Any:
    return yaml.safe_load(re.sub(r"!reference", "", file.read_text("utf-8")))


def tagged(file: Path) -> list[dict[str, Any]]:
    """Every mapping with a repository and a tag."""
    found, stack = [], [read(file)]
    while stack:
        value = stack.pop()
        found += [value] if isinstance(value, dict) and {"repository", "tag"} <= value.keys() else []
        stack += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return found


def settings(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "renovate.json").read_text("utf-8"))
    return content


@pytest.mark.parametrize("platform", OTHERS)
@pytest.mark.parametrize("chart", NAMES)
def test_the_chart_the_image_and_compose_move_together_and_nothing_else_does(
    chart: str, platform: str, render: Render
) -> None:
    root = render(**everything(chart=chart, ci_platform=platform))
    groups: dict[Any, set[tuple[str, str]]] = {}
    for each in found(root):
        groups.setdefault(applied(settings(root), each).get("groupName"), set()).add((each.manager, each.package))
    assert groups == {"LiteLLM": LITELLM[chart], None: OTHERS[platform]}


@pytest.mark.parametrize("chart", NAMES)
def test_the_chart_is_the_only_thing_that_has_a_range_and_no_other_chart_is_in_it(chart: str, render: Render) -> None:
    root = render(**everything(chart=chart))
    allowed = {each: applied(settings(root), each).get("allowedVersions") for each in found(root)}
    own = {each.manager: range for each, range in allowed.items() if range}
    assert own == ({"helmv3": "<1.80"} if chart == "litellm" else {})
    versions = {version: allows(own.get("helmv3"), version) for version in PROPOSED[chart]}
    assert versions == PROPOSED[chart]
    assert not any(allows(own.get("helmv3"), version) for version in releases.strangers(chart))


@pytest.mark.parametrize("chart", NAMES)
@pytest.mark.parametrize("registry", ["registry.example.com/mirror", "registry.example.com:5000/a/b"])
def test_a_mirror_of_both_moves_as_upstreams_do(chart: str, registry: str, render: Render) -> None:
    own = settings(render(**everything(chart=chart)))
    for manager, package in sorted(LITELLM[chart]):
        name = package.rpartition("/")[2]
        mirrored = Dependency(manager, "docker", name, f"{registry}/{name}")
        upstream = Dependency(manager, "docker", name, package)
        assert applied(own, mirrored) == applied(own, upstream)


@pytest.mark.parametrize("platform", OTHERS)
@pytest.mark.parametrize("chart", NAMES)
def test_only_a_registry_that_knows_no_time_of_a_release_may_leave_it_out(
    chart: str, platform: str, render: Render
) -> None:
    root = render(**everything(chart=chart, ci_platform=platform))
    for each in found(root):
        says = applied(settings(root), each)
        assert says["minimumReleaseAge"] == "3 days"
        optional = says.get("minimumReleaseAgeBehaviour") == "timestamp-optional"
        assert optional == (each.datasource == "docker"), each


# ---------------------------------------------------------------------------------------------------------------------
# This project's own pins


@pytest.fixture(scope="module")
def pins() -> list[re.Match[str]]:
    """What Renovate finds in policies/pins.yml: groups `datasource`, `depName`, `currentValue` and `currentDigest`."""
    (manager,) = settings(ROOT)["customManagers"]
    (file,) = (re.compile(each.strip("/")) for each in manager["managerFilePatterns"])
    assert file.search("policies/pins.yml")
    (pattern,) = manager["matchStrings"]
    return [*re.finditer(pattern.replace("(?<", "(?P<"), (ROOT / "policies" / "pins.yml").read_text("utf-8"))]


def test_the_settings_are_as_their_schema_says() -> None:
    options = ["--builtin-schema", "vendor.renovate", str(ROOT / "renovate.json")]
    command = [sys.executable, "-m", "check_jsonschema", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_pin_under_a_comment_is_found_with_its_commit_or_digest(pins: list[re.Match[str]]) -> None:
    content = (ROOT / "policies" / "pins.yml").read_text("utf-8")
    assert len(pins) == content.count("# renovate: ")
    values = {match["depName"]: (match["currentValue"], match["currentDigest"]) for match in pins}
    pinned = yaml.safe_load(content)
    for action in pinned["ci"]["actions"].values():
        assert values[action["name"]] == (action["version"], action["commit"])
    for image in pinned["ci"]["images"].values():
        tag, _, digest = image["tag"].partition("@")
        assert values[image["repository"]] == (tag, digest or None)
    for chart in pinned["litellm_charts"].values():
        assert values[chart["image"]["repository"]] == (chart["image"]["tag"], None)
    for name, tool in pinned["tools"].items():
        assert any(tool["version"] == value for value, _ in values.values()), name


def test_litellm_is_proposed_as_in_a_rendered_repository(pins: list[re.Match[str]]) -> None:
    own = settings(ROOT)
    groups: dict[Any, set[str]] = {}
    for match in pins:
        each = Dependency("custom.regex", match["datasource"], match["depName"], match["depName"])
        says = applied(own, each)
        groups.setdefault(says.get("groupName"), set()).add(each.package)
        is_chart = each.package == "ghcr.io/berriai/litellm/chart/litellm"
        before = f"<{releases.before('litellm')}"
        assert says.get("allowedVersions") == (before if is_chart else None)
        optional = says.get("minimumReleaseAgeBehaviour") == "timestamp-optional"
        assert optional == (each.datasource == "docker")
    assert groups["LiteLLM"] == {package for parts in LITELLM.values() for _, package in parts}
