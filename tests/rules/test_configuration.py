"""The rules of the proxy's configuration, in memory: no repository is rendered for most of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops import rules
from litellm_gitops.charts import LITELLM_HELM
from litellm_gitops.findings import Finding
from litellm_gitops.proxy_facts import facts
from litellm_gitops.repository import Repository
from tests.conftest import ROOT
from tests.support.answers import everything
from tests.support.configurations import HARMLESS, MISTAKES, SECTION, STARTS, VARIABLES, configuration
from tests.support.faults import SHARED, add, write
from tests.support.findings import accepted, found_by_its_rule_alone

OWN = "litellm/values-aws.yaml"
FILES = {
    ".copier-answers.yml": "{gitops_engine: flux, ci_platform: none, redis: none, providers: [bedrock], cluster_environments: [aws]}",
    "policies/auth-matrix.yml": (ROOT / "policies" / "auth-matrix.yml").read_text("utf-8"),
    "policies/secrets.yml": "{namespace: litellm, secrets: {a: {clusters: [], keys: {}}}}",
}


class Memory:
    """Files that lie nowhere."""

    tracked: frozenset[str] = frozenset()

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    @property
    def names(self) -> list[str]:
        """Every file, sorted."""
        return sorted(self.files)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is missing."""
        return self.files[name].encode() if name in self.files else None

    def is_link(self, name: str) -> bool:
        """None is."""
        return False


def findings(config: Any, own: Any = None, **values: Any) -> list[Finding]:
    """What the rules of the configuration find in the values of a chart, and in those of one cluster."""
    variables = {name: "set" for name in VARIABLES}
    image = {"repository": "ghcr.io/berriai/litellm-database"}
    shared = {"image": image, LITELLM_HELM.variables[0]: variables, LITELLM_HELM.config[0]: config, **values}
    files = {
        SHARED: yaml.safe_dump({LITELLM_HELM.name: shared}, sort_keys=False),
        OWN: yaml.safe_dump({LITELLM_HELM.name: {LITELLM_HELM.config[0]: own} if own else {}}),
    }
    repository = Repository(Path("/nonexistent"), Memory({**FILES, **files}))
    return rules.evaluate(repository, rules.of("configuration"))


@pytest.mark.parametrize(("change", "rule"), MISTAKES, ids=[change for change, _ in MISTAKES])
def test_a_mistake_is_one_finding_of_its_rule(change: str, rule: str) -> None:
    found = findings(configuration(change))
    assert [finding.code for finding in found] == [rule], [*map(str, found)]
    assert re.fullmatch(r"[^\s:]+:\d+: [^\n]+ — [^\n]+", str(found[0]))
    assert len(str(found[0])) < 400


@pytest.mark.parametrize("change", HARMLESS)
def test_what_the_proxy_takes_is_no_finding(change: str) -> None:
    found = findings(configuration(change))
    assert not found, [*map(str, found)]


def test_a_finding_stands_at_the_line_of_its_file() -> None:
    shared = configuration("router_settings: {routing_strategy: fastest, drop_params: true}")
    found = findings(shared, {"litellm_settings": {"master_key": "os.environ/SET"}})
    lines = yaml.safe_dump({LITELLM_HELM.name: {}})
    places = {(finding.file, finding.code) for finding in found}
    assert places == {(SHARED, STARTS), (SHARED, SECTION), (OWN, SECTION)}, lines
    at = next(finding for finding in found if finding.code == STARTS)
    assert at.line and "did you mean" not in at.fix.text


def test_the_facts_are_those_of_the_release_that_is_pinned() -> None:
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))
    assert facts()["version"] == pins["litellm_image"]["tag"].partition("@")[0].removeprefix("v")
