"""Whatever is answered, the value survives exactly in a valid repository, or it is refused and nothing is written."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.conftest import render_into
from tests.support.answers import ACCOUNT, ENVIRONMENTS, PROVIDERS, everything, keyless, redis_hosts
from tests.test_questions import ROOT, load, places, questions

pytestmark = pytest.mark.usefixtures("quick_copier")

# One good value of each question that takes text.
GOOD: dict[str, str] = {
    "project_name": "llm-gateway",
    "repo_url": "https://github.com/example/llm-gateway.git",
    "repo_branch": "main",
    "repo_path": "platform/llm",
    "eks_aws_role_arn": "arn:aws:iam::123456789012:role/litellm",
    **{key: value for key, value in keyless().items() if re.match("(aws|gcp|azure)_", key) and isinstance(value, str)},
    **{f"{environment}_gcp_service_account": ACCOUNT for environment in ENVIRONMENTS},
    "bedrock_region": "eu-central-1",
    "vertex_project": "example-ai",
    "vertex_location": "europe-west4",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
    "azure_openai_api_version": "2024-10-21",
    "aws_domain": "aws.example.com",
    "gcp_domain": "gcp.example.com",
    "azure_domain": "azure.example.com",
    **{f"{environment}_ingress_class": "nginx" for environment in ENVIRONMENTS},
    **{f"{environment}_gateway": "gateways/public/https" for environment in ENVIRONMENTS},
    **{f"{environment}_database_host": "litellm.db.example.internal" for environment in ENVIRONMENTS},
    "tls_cluster_issuer": "letsencrypt",
    "database_name": "litellm",
    **redis_hosts(),
    "aws_storage_class": "gp3",
    "gcp_storage_class": "standard-rwo",
    "azure_storage_class": "managed-csi",
    "aws_kms_key": "arn:aws:kms:us-west-2:123456789012:key/0f0e0d0c-0b0a-0908-0706-050403020100",
    "aws_kms_identity": "arn:aws:iam::123456789012:role/flux",
    "gcp_kms_key": "projects/example-ai/locations/global/keyRings/gitops/cryptoKeys/sops",
    "gcp_kms_identity": "flux-sops@example-ai.iam.gserviceaccount.com",
    "azure_kms_key": "https://example.vault.azure.net/keys/sops/0123456789abcdef0123456789abcdef",
    "azure_kms_identity": "00000000-0000-0000-0000-000000000001",
}
# What can be chosen, by the question; a list where several can.
CHOICES: dict[str, set[str]] = {
    "interview": {"quick", "full"},
    "gitops_engine": {"flux", "argocd"},
    "ci_platform": {"github", "gitlab", "none"},
    "tooling": {"pinned", "vendored"},
    "cluster_environments": set(ENVIRONMENTS),
    "providers": set(PROVIDERS),
    "credentials": {"stored", "keyless", "each"},
    **{
        f"{provider}_auth_{environment}": set(methods)
        for environment, cells in load(ROOT / "policies" / "auth-matrix.yml")["cells"].items()
        for provider, methods in cells.items()
        if len(methods) > 1
    },
    "redis": {"none", "external", "bundled"},
    "chart": {"litellm-helm", "litellm"},
    "exposure": {"ingress", "gateway", "none"},
    "database_auth": {"password", "keyless"},
    "metrics": {"none", "prometheus_operator"},
    "network_policy": {"none", "kubernetes", "cilium"},
    "pod_security": {"baseline", "restricted"},
    "kubernetes_version": set(load(ROOT / "policies" / "pins.yml")["kubernetes"]["versions"]),
}
SEVERAL = {"cluster_environments", "providers"}
RECIPIENT = "age1" + "q" * 58
# a list of them is the answer: question -> (their form, one)
KEYS = {
    "age_recipients": (r"age1[02-9ac-hj-np-z]{58}", RECIPIENT),
    "commit_signers": (r"[0-9A-F]{40}", "5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23"),
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


def test_every_question_is_tried() -> None:
    others = {"replicas", "max_replicas", "redis_tls", *KEYS, *CHOICES}
    assert questions().keys() - others == GOOD.keys()


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
    redis = "bundled" if name.endswith("_storage_class") else "external"
    credentials = "keyless" if name in keyless() or name.endswith("_gcp_service_account") else "stored"
    more = {
        "redis": redis,
        "credentials": credentials,
        "chart": "litellm" if name.endswith("_database_host") else "litellm-helm",
        "exposure": "gateway" if name.endswith("_gateway") else "ingress",
    }
    answers: dict[str, Any] = everything(**{**GOOD, **more, name: value})
    _survives_or_is_refused({name: value}, answers, template, workshop)


@settings(SETTINGS, max_examples=40)
@given(value=st.one_of(st.integers(-5, 2000), st.floats(), st.booleans(), st.none(), WORDS))
def test_replicas_are_a_whole_number_or_are_refused(value: Any, template: Path, workshop: Path) -> None:
    assume(not isinstance(value, str) or not value.strip().isdigit())  # text that YAML reads as a number
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


@st.composite
def _choice(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from(sorted(CHOICES)))
    known = st.sampled_from(sorted(CHOICES[name]))
    one = st.one_of(known, known.flatmap(_seasoned), st.text(max_size=12), SPICE)
    return name, draw(st.lists(one, max_size=4) if name in SEVERAL else one)


@settings(SETTINGS, max_examples=60)
@given(answer=_choice())
def test_a_choice_is_one_that_is_offered_or_is_refused(answer: tuple[str, Any], template: Path, workshop: Path) -> None:
    name, value = answer
    chosen = set(value) if name in SEVERAL else {value}
    answers = everything(**GOOD)
    del answers["bedrock_auth_aws"]  # which is refused without EKS, and has a default
    if "_auth_" in name:
        answers["credentials"] = "each"
    answers[name] = value
    _is_kept_or_refused(name, answers, bool(chosen) and chosen <= CHOICES[name], template, workshop)


@pytest.mark.parametrize("name", KEYS)
@settings(SETTINGS, max_examples=40)
@given(data=st.data())
def test_keys_are_public_each_once_or_are_refused(
    name: str, data: st.DataObject, template: Path, workshop: Path
) -> None:
    form, key = KEYS[name]
    value = data.draw(st.lists(st.one_of(st.just(key), _seasoned(key), st.text(max_size=70), st.none()), max_size=3))
    good = all(isinstance(each, str) and re.fullmatch(form, each) for each in value)
    twice = len(set(value)) < len(value)
    _is_kept_or_refused(name, {**everything(), name: value}, good and not twice, template, workshop)


def _is_kept_or_refused(name: str, answers: dict[str, Any], good: bool, template: Path, workshop: Path) -> None:
    target = workshop / "choice"
    message = ""
    try:
        render_into(target, template, copy.deepcopy(answers), exclude=["*", "!.copier-answers.yml"])
    except (ValueError, TypeError) as refused:
        message = str(refused)
    assert not (message and target.exists()), "something was written"
    shutil.rmtree(target, ignore_errors=True)
    assert bool(message) is not good, message or "it was accepted"
    assert not message or name in message


def _survives_or_is_refused(tried: dict[str, str], answers: dict[str, Any], template: Path, workshop: Path) -> None:
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
            list(yaml.safe_load_all(path.read_text("utf-8")))
    finally:
        shutil.rmtree(target)
