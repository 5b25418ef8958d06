"""Whatever is answered, the value survives exactly in a valid repository, or it is refused and nothing is written."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.answers import everything
from tests.conftest import render_into
from tests.test_questions import load, places, questions

# One good value of each question that takes text.
GOOD: dict[str, str] = {
    "project_name": "llm-gateway",
    "repo_url": "https://github.com/example/llm-gateway.git",
    "repo_branch": "main",
    "eks_aws_role_arn": "arn:aws:iam::123456789012:role/litellm",
    "bedrock_region": "eu-central-1",
    "vertex_project": "example-ai",
    "vertex_location": "europe-west4",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
    "azure_openai_api_version": "2024-10-21",
    "aws_domain": "aws.example.com",
    "gcp_domain": "gcp.example.com",
    "azure_domain": "azure.example.com",
    "ingress_class": "nginx",
    "tls_cluster_issuer": "letsencrypt",
    "database_name": "litellm",
    "redis_host": "redis.example.internal",
    "aws_kms_key": "arn:aws:kms:us-west-2:123456789012:key/0f0e0d0c-0b0a-0908-0706-050403020100",
    "aws_kms_identity": "arn:aws:iam::123456789012:role/flux",
    "gcp_kms_key": "projects/example-ai/locations/global/keyRings/gitops/cryptoKeys/sops",
    "gcp_kms_identity": "flux-sops@example-ai.iam.gserviceaccount.com",
    "azure_kms_key": "https://example.vault.azure.net/keys/sops/0123456789abcdef0123456789abcdef",
    "azure_kms_identity": "00000000-0000-0000-0000-000000000001",
}
# What breaks YAML, Jinja, shells and URLs, and what only looks like something else.
SPICE = st.sampled_from(
    [
        *("\n", "\r\n", "\t", " ", "#", " # x", ": ", "'", '"', "\\", "${HOME}", "$(id)", "`id`"),
        *(
            "{{ 1 }}",
            "{% raw %}",
            "yes",
            "null",
            "~",
            "012",
            "1e3",
            "- a",
            "&a",
            "*a",
            "!!str",
            "|",
        ),
        *(
            "%",
            "@",
            ">",
            "\u2028",
            "\u0085",
            "\ufeff",
            "\x00",
            "\x7f",
            "\u202e",
            "\ud800",
            "é",
            "ß",
        ),
        *("中", "🚀", "..", "/", "--", "A", "a", "0", "-", ".", "_"),
    ]
)
# copier itself refuses text that is no YAML, before a validator sees it
WORDS = st.text("abcxyzABC0123456789.-+eE_ ", max_size=8)


@st.composite
def _seasoned(draw: st.DrawFn, good: str) -> str:
    """A good value with something put in, at any place."""
    at = draw(st.integers(0, len(good)))
    cut = draw(st.integers(0, 3))
    return good[:at] + draw(SPICE) + good[at + cut :]


@st.composite
def _answer(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from(sorted(GOOD)))
    value = draw(st.one_of(_seasoned(GOOD[name]), st.text(max_size=40), SPICE))
    return name, value


def test_every_question_that_takes_text_is_tried() -> None:
    text = {name for name, question in questions().items() if "choices" not in question}
    others = {
        "replicas",
        "age_recipients",
        "aws_storage_class",
        "gcp_storage_class",
        "azure_storage_class",
    }
    assert text - others == GOOD.keys()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workshop")


SETTINGS = settings(
    deadline=None,
    derandomize=True,  # the same examples in every run, so that CI and a laptop agree
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(SETTINGS, max_examples=100)
@given(answer=_answer())
def test_a_value_survives_exactly_or_is_refused_with_nothing_written(
    answer: tuple[str, str], template: Path, workshop: Path
) -> None:
    name, value = answer
    answers: dict[str, Any] = everything(**{**GOOD, name: value})
    _survives_or_is_refused({name: value}, answers, template, workshop)


@settings(SETTINGS, max_examples=40)
@given(value=st.one_of(st.integers(-5, 2000), st.floats(), st.booleans(), st.none(), WORDS))
def test_replicas_are_a_whole_number_or_are_refused(
    value: Any, template: Path, workshop: Path
) -> None:
    assume(
        not isinstance(value, str) or not value.strip().isdigit()
    )  # text that YAML reads as a number
    target = workshop / "replicas"
    message = ""
    try:
        render_into(target, template, everything(replicas=value), exclude=["*"])
    except (ValueError, TypeError) as refused:
        message = str(refused)
    assert not (message and target.exists()), "something was written"
    shutil.rmtree(target, ignore_errors=True)
    if message:
        assert "replicas" in message
    else:
        number = yaml.safe_load(value) if isinstance(value, str) else value
        assert isinstance(number, int)
        assert not isinstance(number, bool)
        assert 1 <= number <= 1000


def _survives_or_is_refused(
    tried: dict[str, str], answers: dict[str, Any], template: Path, workshop: Path
) -> None:
    target = workshop / "repository"
    message = ""
    try:
        render_into(target, template, copy.deepcopy(answers))
    except (ValueError, TypeError) as refused:
        message = str(refused)
    if message:
        assert not target.exists(), "something was written"
        assert next(iter(tried)) in message, "the message does not name the question"
        return
    try:
        kept = load(target / ".copier-answers.yml")
        assert {name: kept.get(name) for name in tried} == tried
        wrong = [name for name, value, there in places(tried, target) if value != there]
        assert not wrong
        for path in target.rglob("*.y*ml"):
            yaml.safe_load(path.read_text("utf-8"))
    finally:
        shutil.rmtree(target)
