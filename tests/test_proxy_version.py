"""`make proxy` runs the minor of LiteLLM that rendered repositories pin, and one with the other protocol of Copilot."""

from __future__ import annotations

import json
import tomllib

import yaml

from litellm_gitops import releases
from tests.conftest import ROOT


def test_the_proxy_of_the_tests_is_of_the_minor_of_every_image() -> None:
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))
    group = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["proxy"]
    version = group[0].removeprefix("litellm[proxy]==")
    for chart in pins["litellm_charts"].values():
        assert minor(chart["image"]["tag"].removeprefix("v")) == minor(version)
    facts = json.loads((ROOT / "src" / "litellm_gitops" / "schemas" / "proxy-config.json").read_text("utf-8"))
    assert facts["version"] == version


def test_every_pin_fits_what_is_known_of_releases() -> None:
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))
    for name, chart in pins["litellm_charts"].items():
        assert releases.flaw(releases.number(chart["image"]["tag"])) == ""
        assert releases.fits(name, releases.number(chart["version"]))
        assert chart["image"]["repository"].rpartition("/")[2] not in releases.others(name)
        assert not any(releases.fits(name, releases.number(version)) for version in releases.strangers(name))


def test_both_protocols_of_copilot_are_spoken() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    releases = [groups[name][0].partition("==")[2] for name in ("proxy", "proxy-next")]
    before, after = ([*map(int, minor(release))] for release in releases)
    assert before < [1, 110] <= after


def minor(version: str) -> list[str]:
    """1.108.7 -> 1, 108."""
    return version.split(".")[:2]
