"""Every combination of environments, providers and Bedrock's method renders, and holds what was chosen and no more.

Each does so with both of LiteLLM's charts, and each chart with both engines in turn. `make bench` takes every engine
with every one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import ENVIRONMENTS, PROVIDERS, combinations, database_hosts
from tests.support.findings import findings, report
from tests.support.style import scars

COMBINATIONS = dict(combinations())
PAIRS = (
    ({"chart": "litellm-helm", "gitops_engine": "flux"}, {"chart": "litellm", "gitops_engine": "argocd"}),
    ({"chart": "litellm-helm", "gitops_engine": "argocd"}, {"chart": "litellm", "gitops_engine": "flux"}),
)
CASES = {
    f"{name}-{others['chart']}-{others['gitops_engine']}": {
        **answers,
        **others,
        **(database_hosts() if others["chart"] == "litellm" else {}),
    }
    for number, (name, answers) in enumerate(COMBINATIONS.items())
    for others in PAIRS[number % 2]
}

# What a provider or an environment would leave, in any place, comments included.
TRACES = {
    "bedrock": r"[Bb]edrock|litellm-aws-auth|AWS_|aws_region_name|eks\.amazonaws\.com",
    "vertex_ai": r"[Vv]ertex|litellm-gcp-auth|GOOGLE_APPLICATION|gcp-service-account",
    "azure_openai": r"OpenAI|model: azure/|litellm-azure-auth|AZURE_|Entra",
    "github_copilot": r"[Cc]opilot|COPILOT|access-token",
    "aws": r"EKS|values-aws|(?<!var/)(?:secrets|clusters)/aws|aws\.example\.com",
    "gcp": r"GKE|values-gcp|(?<!var/)(?:secrets|clusters)/gcp|gcp\.example\.com",
    "azure": r"AKS|values-azure|(?<!var/)(?:secrets|clusters)/azure|azure\.example\.com",
}
# The files that a cluster or its engine reads, and what they are made of. The README knows of everything.
READ = re.compile(
    r"litellm/.*\.yaml|(?:secrets|clusters)/.*|policies/(?:secrets|auth-matrix)\.yml|docker-compose\.yml|\.sops\.yaml"
)

# What is random may spell anything.
RANDOM = re.compile(r"ENC\[[^\]]+\]|-----BEGIN AGE[^-]+-----[^-]+-----END AGE|age1[0-9a-z]{58}|[0-9a-f]{64}")


def test_there_are_137_combinations() -> None:
    assert len(COMBINATIONS) == 137
    assert len(CASES) == 2 * 137


@pytest.mark.parametrize("answers", CASES.values(), ids=CASES)
def test_a_combination_holds_what_was_chosen_and_no_more(answers: dict[str, Any], sealed: Callable[..., Path]) -> None:
    root = sealed(**answers)
    found = findings(root)
    assert not found, report(found)
    chosen = {*answers["cluster_environments"], *answers["providers"]}
    left = list(_traces(root, [name for name in (*ENVIRONMENTS, *PROVIDERS) if name not in chosen]))
    assert not left, "\n".join(left)
    assert not list(scars(root))


def _traces(root: Path, unchosen: list[str]) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if path.is_file() and READ.fullmatch(relative):
            text = f"{relative}\n{RANDOM.sub('', path.read_text('utf-8'))}"
            for name in unchosen:
                for match in re.finditer(TRACES[name], text):
                    yield f"{relative} holds {match[0]!r}, but {name} was not chosen"
