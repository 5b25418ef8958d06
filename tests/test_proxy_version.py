"""`make proxy` runs the release of LiteLLM that rendered repositories pin."""

from __future__ import annotations

import tomllib

import yaml

from tests.conftest import ROOT


def test_the_proxy_of_the_tests_is_the_release_of_the_image_and_of_the_chart() -> None:
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))
    group = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["proxy"]
    version = group[0].removeprefix("litellm[proxy]==")
    assert pins["litellm_image"]["tag"].partition("@")[0] == f"v{version}"
    assert pins["litellm_chart"]["version"] == version
