"""The questions: every good answer arrives as it was given, every bad one is refused with a reason."""

from __future__ import annotations

import re
import shlex
import string
import tomllib
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import copier
import pytest
import yaml
from jinja2 import FileSystemLoader
from jinja2.sandbox import SandboxedEnvironment
from packaging.requirements import Requirement

from litellm_gitops import charts
from litellm_gitops.charts import Chart
from litellm_gitops.documents import Place
from tests.conftest import COMMIT, render_into
from tests.e2e.readme import commands
from tests.support.answers import ENVIRONMENTS, PROVIDERS, ROLE_ARN, answers, keyless, redis_hosts
from tests.support.faults import CHART, at
from tests.support.findings import findings, report

pytestmark = pytest.mark.usefixtures("quick_copier")  # the questions are the subject, not copier
ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "answers"
INVALID = sorted((EXAMPLES / "invalid").glob("*.yml"))
VALID = [EXAMPLES / "demo.yml", *sorted((EXAMPLES / "valid").glob("*.yml"))]

# Where an answer must arrive, as (file, path in it, the text around the answer); {cluster} is one of the chosen.
# An answer that was not asked is not looked for.
Places = dict[str, list[tuple[str, Place, str]]]
SHARED, OWN = "litellm/values.yaml", "litellm/values-{cluster}.yaml"


def chart_places(chart: Chart) -> Places:
    """Where the values of a chart carry an answer."""

    def at(place: Place, *more: str | int) -> Place:
        return (chart.name, *place, *more)

    return {
        "eks_aws_role_arn": [
            ("litellm/values-aws.yaml", at(chart.service_account, "annotations", "eks.amazonaws.com/role-arn"), "{}")
        ],
        **{
            f"{environment}_bedrock_role_arn": [
                (f"litellm/values-{environment}.yaml", at(chart.variables or chart.variable_list, "AWS_ROLE_ARN"), "{}")
            ]
            for environment in ("gcp", "azure")
        },
        **{
            # on AKS the token for AWS is the first
            f"{environment}_gcp_workload_provider": [
                (
                    f"litellm/values-{environment}.yaml",
                    at(chart.volumes, number, "projected", "sources", 0, "serviceAccountToken", "audience"),
                    "https://iam.googleapis.com/{}",
                )
            ]
            for number, environment in enumerate(("aws", "azure"))
        },
        "gcp_gcp_service_account": [
            (
                "litellm/values-gcp.yaml",
                at(chart.service_account, "annotations", "iam.gke.io/gcp-service-account"),
                "{}",
            )
        ],
        **{
            f"{environment}_azure_client_id": [
                (
                    f"litellm/values-{environment}.yaml",
                    at(chart.variables or chart.variable_list, "AZURE_CLIENT_ID"),
                    "{}",
                )
            ]
            for environment in ("aws", "gcp")
        },
        "azure_azure_client_id": [
            (
                "litellm/values-azure.yaml",
                at(chart.service_account, "annotations", "azure.workload.identity/client-id"),
                "{}",
            )
        ],
        "azure_tenant_id": [
            ("litellm/values-gcp.yaml", at(chart.variables or chart.variable_list, "AZURE_TENANT_ID"), "{}")
        ],
        "vertex_project": [(OWN, at(chart.variables or chart.variable_list, "VERTEX_PROJECT"), "{}")],
        "database_name": [(SHARED, at(chart.database_name), "{}")],
        "replicas": [(SHARED, at(chart.replicas), "{}")],
        **{
            # where the chart takes it from the Secret, README.md alone names it
            f"{environment}_database_host": [(f"litellm/values-{environment}.yaml", at(chart.database_host), "{}")]
            if chart.database_host
            else []
            for environment in ENVIRONMENTS
        },
        **{
            f"{environment}_storage_class": [
                (f"litellm/values-{environment}.yaml", at(chart.redis_storage_class), "{}")
            ]
            for environment in ENVIRONMENTS
        },
    }


def places_of_the_way_in(effective: dict[str, Any]) -> Places:
    """Where what leads to the proxy carries an answer."""
    found: Places = {"tls_cluster_issuer": []}
    for environment in ENVIRONMENTS:
        file, annotations = f"clusters/{environment}/exposure.yaml", ("metadata", "annotations")
        by_route = effective.get("exposure") == "gateway"
        host: Place = ("spec", "hostnames", 0) if by_route else ("spec", "rules", 0, "host")
        found[f"{environment}_domain"] = [(file, host, "litellm.{}")]
        of_google = effective.get(f"{environment}_ingress_class") == "gce"
        named: Place = (*annotations, "kubernetes.io/ingress.class") if of_google else ("spec", "ingressClassName")
        found[f"{environment}_ingress_class"] = [(file, named, "{}")]
        if effective.get(f"{environment}_ingress_class") not in (None, "alb"):  # that takes certificates from AWS alone
            found["tls_cluster_issuer"].append((file, (*annotations, "cert-manager.io/cluster-issuer"), "{}"))
    return found


ENGINE_PLACES: dict[str, Places] = {
    "flux": {
        "project_name": [("clusters/{cluster}/source.yaml", ("metadata", "name"), "{}")],
        "repo_url": [("clusters/{cluster}/source.yaml", ("spec", "url"), "{}")],
        "repo_branch": [("clusters/{cluster}/source.yaml", ("spec", "ref", "branch"), "{}")],
        "repo_path": [
            ("clusters/{cluster}/release/helmrelease.yaml", ("spec", "chart", "spec", "chart"), "./{}/litellm")
        ],
    },
    "argocd": {
        "project_name": [("clusters/{cluster}/project.yaml", ("metadata", "name"), "{}")],
        "repo_url": [
            ("clusters/{cluster}/release.yaml", ("spec", "source", "repoURL"), "{}"),
            ("clusters/{cluster}/project.yaml", ("spec", "sourceRepos", 0), "{}"),
        ],
        "repo_branch": [("clusters/{cluster}/release.yaml", ("spec", "source", "targetRevision"), "{}")],
        "repo_path": [("clusters/{cluster}/release.yaml", ("spec", "source", "path"), "{}/litellm")],
    },
}
# Where each model of a provider carries an answer
MODEL_PLACES = {
    "bedrock_region": ("bedrock/", "aws_region_name"),
    "vertex_location": ("vertex_ai/", "vertex_location"),
    "azure_openai_endpoint": ("azure/", "api_base"),
    "azure_openai_api_version": ("azure/", "api_version"),
}


def load(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)


# What an invalid file should have said; where a question is not here, its default is right.
KMS_KEY = "arn:aws:kms:us-west-2:123456789012:alias/gitops/sops"
RIGHT_AZURE_KEY = "https://example.vault.azure.net/keys/sops/0123456789abcdef0123456789abcdef"
RIGHT = {
    **load(EXAMPLES / "valid" / "keyless.yml"),
    **load(EXAMPLES / "demo.yml"),
    "credentials": "stored",
    "cluster_environments": ["aws"],
    "providers": ["github_copilot"],
    "redis": "none",
    "azure_openai_api_version": "2024-10-21",
    "azure_kms_identity": "00000000-0000-0000-0000-000000000000",
    **{f"{environment}_database_host": "litellm.db.example.internal" for environment in ENVIRONMENTS},
    **{f"{environment}_gateway": "gateways/public" for environment in ENVIRONMENTS},
}
del RIGHT["bedrock_auth_aws"]


@cache
def questions() -> dict[str, dict[str, Any]]:
    """The questions of copier.yml that a user answers."""
    content: dict[str, Any] = load(ROOT / "copier.yml")
    return {
        name: question
        for name, question in content.items()
        if not name.startswith("_") and question.get("when") is not False
    }


def dig(value: Any, path: Place) -> Any:
    """What stands at `path`; in a list of {name, value} the value of that name."""
    for part in path:
        if isinstance(value, list) and isinstance(part, str):
            value = next(entry["value"] for entry in value if entry["name"] == part)
        else:
            value = value[part]
    return value


def expected_message(path: Path) -> str:
    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith("# ")
    return first.removeprefix("# ")


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_answer_is_refused_and_leaves_nothing_behind(file: Path, template: Path, tmp_path: Path) -> None:
    target = tmp_path / "repository"
    with pytest.raises((ValueError, TypeError)) as refused:
        render_into(target, template, load(file))
    assert expected_message(file) in str(refused.value)
    assert not target.exists()


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_file_holds_one_mistake(file: Path, template: Path, tmp_path: Path) -> None:
    mistaken = file.stem.split("-")[0]
    given = {name: value for name, value in load(file).items() if name != mistaken}
    if mistaken in RIGHT:
        given[mistaken] = RIGHT[mistaken]
    if "works on EKS only" not in expected_message(file):
        given.setdefault("eks_aws_role_arn", RIGHT["eks_aws_role_arn"])
    render_into(tmp_path / "repository", template, given, exclude=["*"])


def test_there_are_enough_invalid_examples() -> None:
    assert len(INVALID) >= 35
    known = set(load(ROOT / "copier.yml"))
    assert {file.stem.split("-")[0] for file in INVALID} <= known
    assert all(set(load(file)) <= known for file in INVALID)


@pytest.mark.parametrize("name", questions())
def test_every_question_has_an_invalid_example(name: str) -> None:
    assert any(file.stem.split("-")[0] == name for file in INVALID)


@pytest.mark.parametrize("name", questions())
def test_every_question_says_what_it_is_for_and_what_it_accepts(name: str) -> None:
    question = questions()[name]
    assert len(question["help"].split()) >= 4
    assert question["help"].strip()[0].isupper() or question["help"].startswith(("age", "cert"))
    assert "choices" in question or "validator" in question
    assert "default" in question or "placeholder" in question


@pytest.mark.parametrize("name", questions())
def test_no_question_asks_for_a_secret(name: str) -> None:
    assert not questions()[name].get("secret")
    # the key of a cloud's key service is named by its address, and never leaves the cloud
    named = name.removesuffix("_kms_key").split("_")
    assert not {"password", "token", "secret", "key"} & set(named)


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"azure_openai_endpoint": "https://MyResource.openai.azure.com/"},
        {"bedrock_region": "eusc-de-east-1"},
        {"gcp_domain": "aws.example.com"},  # of an environment that was not chosen
        {"repo_branch": "HEAD-of-$month"},
    ],
)
def test_an_answer_that_looks_odd_is_accepted(given: dict[str, str], template: Path, tmp_path: Path) -> None:
    everything = answers(["aws"], ["bedrock", "azure_openai"], **given)
    render_into(tmp_path / "repository", template, everything, exclude=["*"])


@pytest.mark.parametrize("kind", ["OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_a_private_key_is_refused_and_not_repeated(kind: str, template: Path, tmp_path: Path) -> None:
    private = "AGE-SECRET-" + "KEY-1" + string.ascii_uppercase
    pem = f"-----BEGIN {kind}-----\n{string.ascii_uppercase}\n"
    question = "commit_signers" if "PGP" in kind else "age_recipients"
    for given in (private, [private], [private.lower()], [pem], pem):
        with pytest.raises(ValueError, match="holds a private key") as refused:
            render_into(tmp_path / "x", template, {**answers(["aws"], ["github_copilot"]), question: given})
        assert private.upper() not in str(refused.value).upper()
        assert string.ascii_uppercase not in str(refused.value).upper()


def test_a_token_in_the_url_is_refused_and_not_repeated(template: Path, tmp_path: Path) -> None:
    for user in ("x-access-token:canary-0815@", "oauth2:canary-0815@", "canary-0815@"):
        url = f"https://{user}github.com/example/llm.git"
        with pytest.raises(ValueError, match="holds a password or token") as refused:
            render_into(tmp_path / "x", template, answers(["aws"], ["github_copilot"], repo_url=url))
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("repo_url", "https://canary-0815@github.com/example/llm.git"),
        ("repo_url", "ssh://git:canary-0815@github.com/example/llm.git"),
        ("repo_url", "HTTPS://oauth2:canary-0815@github.com/example/llm.git"),
        ("azure_openai_endpoint", "https://user:canary-0815@example.openai.azure.com/"),
        ("azure_openai_endpoint", "https://example.openai.azure.com/?api-key=canary-0815"),
    ],
)
def test_a_url_with_a_user_never_renders(question: str, value: str, template: Path, tmp_path: Path) -> None:
    given = {**answers(["aws"], ["azure_openai"]), question: value}
    with pytest.raises(ValueError, match=question) as refused:
        render_into(tmp_path / "x", template, given)
    assert "canary" not in str(refused.value)
    assert not (tmp_path / "x").exists()


# ---------------------------------------------------------------------------------------------------------------------


def places(given: dict[str, Any], root: Path) -> Iterator[tuple[str, Any, Any]]:
    """(answer, what was given, what stands where it belongs), for each place of each answer."""
    effective = load(root / ".copier-answers.yml")
    table = {**chart_places(charts.chosen(effective)), **places_of_the_way_in(effective)}
    table |= ENGINE_PLACES[effective["gitops_engine"]]
    if "gcp" not in effective["cluster_environments"]:
        del table["azure_tenant_id"]
    silent = {f"{environment}_domain" for environment in ENVIRONMENTS if effective["exposure"] != "ingress"}
    if effective["max_replicas"] > effective["replicas"]:
        silent.add("replicas")  # the autoscaler has them
    for name, entries in table.items():
        if given.get(name) in (None, "") or name in silent:
            continue
        for file, path, around in entries:
            chosen = effective["cluster_environments"] if "{cluster}" in file else [""]
            for cluster in chosen:
                first = next(yaml.safe_load_all((root / file.format(cluster=cluster)).read_text("utf-8")))
                found = dig(first, path)
                value = given[name]
                yield name, around.format(value) if isinstance(value, str) else value, found
    chart = charts.chosen(effective)
    models = dig(load(root / SHARED), (chart.name, *chart.model_list))
    for name, (prefix, parameter) in MODEL_PLACES.items():
        for model in models if name in given else ():
            parameters = model["litellm_params"]
            if parameters["model"].startswith(prefix):
                yield name, given[name], parameters[parameter]


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_every_answer_arrives_exactly_as_it_was_given(file: Path, render: Callable[..., Path]) -> None:
    given = load(file)
    root = render(**given)
    kept = load(root / ".copier-answers.yml")
    assert {name: kept.get(name) for name in given} == given
    found = list(places(given, root))
    assert [(name, there) for name, _, there in found] == [(name, value) for name, value, _ in found]
    assert all(type(value) is type(there) for _, value, there in found)


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_valid_file_renders_a_repository_that_passes_every_rule(file: Path, sealed: Callable[..., Path]) -> None:
    found = findings(sealed(**load(file)))
    assert not found, report(found)


def test_every_question_is_answered_in_some_valid_file() -> None:
    answered = {name for file in VALID for name in load(file)}
    assert answered == set(questions())


def test_every_answer_of_text_is_looked_for_where_it_belongs() -> None:
    looked_for = {*chart_places(CHART), *places_of_the_way_in({}), *MODEL_PLACES, *ENGINE_PLACES["flux"]}
    free = {name for name, question in questions().items() if "choices" not in question}
    # recipients go into .sops.yaml by sealing, the host of Redis becomes two, a Gateway three, signers become keys in
    # the cluster, these accounts go into a text: they have tests of their own
    sealing = {name for name in free if re.fullmatch(r"age_recipients|\w+_kms_(?:key|identity)", name)}
    assert free - looked_for == {
        *sealing,
        *redis_hosts(),
        *(f"{environment}_gateway" for environment in ENVIRONMENTS),
        "max_replicas",
        "commit_signers",
        "aws_gcp_service_account",
        "azure_gcp_service_account",
    }
    assert ENGINE_PLACES["flux"].keys() == ENGINE_PLACES["argocd"].keys()


def test_the_host_of_redis_arrives(render: Callable[..., Path]) -> None:
    given = answers(["aws"], ["github_copilot"], redis="external", aws_redis_host="010.0.0.1:6380")
    variables = dig(load(render(**given) / "litellm" / "values-aws.yaml"), at(CHART.variables))
    assert (variables["REDIS_HOST"], variables["REDIS_PORT"]) == ("010.0.0.1", "6380")


@pytest.mark.parametrize("name", ["gateways/public", "gateways/public.example/https"])
def test_the_gateway_arrives(name: str, render: Callable[..., Path]) -> None:
    root = render(**answers(["gcp"], ["github_copilot"], exposure="gateway", gcp_gateway=name))
    route = next(yaml.safe_load_all((root / "clusters" / "gcp" / "exposure.yaml").read_text("utf-8")))
    (parent,) = dig(route, ("spec", "parentRefs"))
    assert "/".join(parent[key] for key in ("namespace", "name", "sectionName") if key in parent) == name


@pytest.mark.parametrize(
    ("engine", "file", "place"),
    [("flux", "source.yaml", ("spec", "verify")), ("argocd", "project.yaml", ("spec", "signatureKeys"))],
)
def test_the_signers_arrive_and_without_one_nothing_changes(
    engine: str, file: str, place: Place, render: Callable[..., Path]
) -> None:
    signers = ["5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23", "968479A1AFF927E37D1A566BB5690EEEBB952194"]
    given = answers(["aws"], ["github_copilot"], gitops_engine=engine)
    root, without = render(**given, commit_signers=signers), render(**given)
    of_keys = {"flux": {"mode": "HEAD", "secretRef": {"name": "litellm-signers"}}}
    expected = of_keys.get(engine, [{"keyID": signer} for signer in signers])
    assert dig(load(root / "clusters/aws" / file), place) == expected
    assert place[-1] not in load(without / "clusters/aws" / file)["spec"]
    (bring,) = commands(root / "README.md", "Bootstrap", "aws")
    steps = ["gpg --list-keys", f"gpg --export --armor {' '.join(signers)} ", f"clusters/aws/{file}"]
    assert [bring.index(step) for step in steps] == sorted(bring.index(step) for step in steps)
    assert "gpg" not in commands(without / "README.md", "Bootstrap", "aws")[0]


@pytest.mark.parametrize("engine", ENGINE_PLACES)
def test_a_branch_of_any_characters_arrives_and_is_safe_to_paste(engine: str, render: Callable[..., Path]) -> None:
    branch = "🚀/$(id);'x'"
    given = answers(["aws"], ["github_copilot"], gitops_engine=engine, repo_branch=branch)
    root = render(**given)
    assert [there for name, _, there in places(given, root) if name == "repo_branch"] == [branch]
    commands = [line for line in (root / "README.md").read_text("utf-8").splitlines() if "git push" in line]
    assert any(shlex.split(line)[-1] == branch for line in commands)


def test_every_choice_of_copier_is_one_of_the_contract(template: Path, tmp_path: Path) -> None:
    assert set(questions()["gitops_engine"]["choices"].values()) == {"flux", "argocd"}
    assert set(questions()["ci_platform"]["choices"].values()) == {"github", "gitlab", "none"}
    assert set(questions()["redis"]["choices"].values()) == {"none", "external", "bundled"}
    assert tuple(load(ROOT / "policies" / "auth-matrix.yml")["providers"]) == PROVIDERS


def test_an_answer_that_was_left_out_has_its_default(template: Path, tmp_path: Path) -> None:
    root = render_into(tmp_path / "repository", template, load(EXAMPLES / "valid" / "smallest.yml"))
    kept = load(root / ".copier-answers.yml")
    assert {name: value for name, value in kept.items() if not name.startswith("_")} == {
        "interview": "quick",
        "project_name": "litellm-gitops",
        "repo_url": "https://github.com/example/litellm-gitops.git",
        "repo_branch": "main",
        "repo_path": "",
        "gitops_engine": "flux",
        "commit_signers": [],
        "ci_platform": "github",
        "tooling": "vendored",
        "chart": "litellm-helm",
        "cluster_environments": ["aws"],
        "providers": ["github_copilot"],
        "credentials": "stored",
        "database_auth": "password",
        "aws_domain": "aws.example.com",
        "exposure": "ingress",
        "aws_ingress_class": "alb",
        "tls_cluster_issuer": "",
        "database_name": "postgres_litellm",
        "redis": "none",
        "replicas": 2,
        "max_replicas": 2,
        "metrics": "none",
        "network_policy": "none",
        "pod_security": "baseline",
        "kubernetes_version": load(ROOT / "policies" / "pins.yml")["kubernetes"]["default"],
        "age_recipients": [],
        "aws_kms_key": "",
    }


# ---------------------------------------------------------------------------------------------------------------------
# The interview

# What the contract marks as asked in a full interview alone, as far as the question is there.
FULL = {
    *(
        "repo_branch",
        "repo_path",
        "tooling",
        "bedrock_auth_aws",
        "chart",
        "exposure",
        "database_auth",
        "tls_cluster_issuer",
        "database_name",
        "redis",
    ),
    *("replicas", "max_replicas", "metrics", "network_policy", "pod_security", "redis_tls"),
    *("kubernetes_version", "age_recipients", "commit_signers"),
    *(f"{environment}_ingress_class" for environment in ENVIRONMENTS),
    *(f"{environment}_kms_{what}" for environment in ENVIRONMENTS for what in ("key", "identity")),
}


def test_the_first_question_is_how_much_to_ask() -> None:
    assert next(iter(questions())) == "interview"
    assert {name for name, question in questions().items() if "ask" in question} == FULL


def asked(template: Path, target: Path, **given: Any) -> list[str]:
    """The questions that a person is asked, who takes every default; `given` answers the others."""
    seen: list[str] = []

    def answer(prompts: list[dict[str, Any]], answers: dict[str, Any], **_: Any) -> dict[str, Any]:
        (prompt,) = prompts
        if prompt["when"](answers):
            seen.append(prompt["name"])
        return {prompt["name"]: answers[prompt["name"]]}

    with patch("copier._main.unsafe_prompt", answer), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copier.run_copy(str(template), target, data=given, quiet=True, unsafe=True, skip_tasks=True, exclude=["*"])
    return seen


def test_a_quick_interview_asks_what_every_repository_decides(template: Path, tmp_path: Path) -> None:
    seen = asked(template, tmp_path / "x", eks_aws_role_arn=ROLE_ARN)
    names = ("interview", "project_name", "repo_url", "gitops_engine", "ci_platform", "cluster_environments")
    assert seen == [*names, "providers", "credentials", "bedrock_region", "aws_domain"]


def test_a_full_interview_asks_everything_that_has_a_use(template: Path, tmp_path: Path) -> None:
    seen = asked(template, tmp_path / "x", interview="full", eks_aws_role_arn=ROLE_ARN, aws_kms_key=KMS_KEY)
    unasked = {"interview", "aws_kms_key", "redis_tls"} | {f for f in FULL if f.startswith(("gcp", "azure"))}
    assert set(seen) >= FULL - unasked
    assert seen.index("tooling") < seen.index("providers")


def test_the_method_of_each_chosen_cell_is_asked_where_that_was_chosen(template: Path, tmp_path: Path) -> None:
    given = keyless(["aws", "gcp"], credentials="each", azure_openai_auth_gcp="entra_id")
    del given["bedrock_auth_aws"]
    seen = asked(template, tmp_path / "x", **given)
    cells = [(provider, name) for name in ("aws", "gcp") for provider in PROVIDERS[:3]]
    wanted = {f"{provider}_auth_{name}" for provider, name in cells} - {"azure_openai_auth_gcp"}
    assert {name for name in seen if "_auth_" in name} == wanted
    assert {name for name in seen if name.endswith("service_account")} == {
        "aws_gcp_service_account",
        "gcp_gcp_service_account",
    }


def test_what_has_no_default_is_asked_in_a_quick_interview_too(template: Path, tmp_path: Path) -> None:
    given = {**answers(["azure"], ["github_copilot"]), "azure_kms_key": RIGHT_AZURE_KEY}
    with pytest.raises(ValueError, match="azure_kms_identity"):
        render_into(tmp_path / "x", template, given)


@pytest.mark.parametrize("name", questions())
def test_no_line_of_help_is_cut_at_the_edge_of_a_terminal(name: str) -> None:
    assert max(map(len, questions()[name]["help"].splitlines())) <= 76


# ---------------------------------------------------------------------------------------------------------------------
# The package

SOURCES = {
    "https://git.example.com/team/tpl.git": "https://git.example.com/team/tpl.git",
    "git+https://git.example.com/team/tpl": "https://git.example.com/team/tpl",
    "git+ssh://git@git.example.com/team/tpl.git": "ssh://git@git.example.com/team/tpl.git",
    "git@git.example.com:team/tpl.git": "ssh://git@git.example.com/team/tpl.git",
    "git+file:///srv/tpl": "file:///srv/tpl",
    "file:///srv/tpl.git": "file:///srv/tpl.git",
    "gh:team/tpl": "https://github.com/team/tpl",
    "gh:/team/tpl.git": "https://github.com/team/tpl.git",
    "gl:team/tpl": "https://gitlab.com/team/tpl",
    "/srv/tpl": "file:///srv/tpl",
}


def tooling(macro: str, source: str, commit: str | None, *arguments: str) -> str:
    """What a macro of includes/tooling.jinja makes of a template that was given so."""
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(ROOT), extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    )
    given = {"_copier_answers": {"_src_path": source}, "_copier_conf": {"vcs_ref_hash": commit}}
    call = f"{macro}({', '.join(map(repr, arguments))})"
    text = f"{{% from 'includes/tooling.jinja' import {macro} with context %}}{{{{ {call} }}}}"
    return environment.from_string(text).render(**given)


@pytest.mark.parametrize("source", SOURCES)
def test_the_template_is_named_as_pip_and_uv_understand_it(source: str) -> None:
    line = tooling("requirement", source, COMMIT, "[suite]")
    assert line == f'"litellm-gitops[suite] @ git+{SOURCES[source]}@{COMMIT}"'
    requirement = Requirement(line.strip('"'))
    assert (requirement.name, requirement.extras) == ("litellm-gitops", {"suite"})
    assert tooling("check_tooling", source, COMMIT, "pinned") == ""


@pytest.mark.parametrize("source", SOURCES)
def test_what_comes_from_a_url_is_pinned_unless_somebody_says_otherwise(source: str) -> None:
    assert tooling("default_tooling", source, COMMIT) == ("vendored" if source.startswith("/") else "pinned")
    assert tooling("default_tooling", source, None) == "vendored"


@pytest.mark.parametrize(
    ("source", "commit", "reason"),
    [
        ("/srv/tpl", None, "the template is not from git"),
        ("../tpl", COMMIT, "name the template by its URL or whole path"),
        ("https://me:canary-0815@git.example.com/a/b.git", COMMIT, "without a password or token"),
        ("git+https://canary-0815@git.example.com/a/b.git", COMMIT, "without a password or token"),
    ],
)
def test_what_cannot_be_pinned_is_vendored(source: str, commit: str | None, reason: str) -> None:
    message = tooling("check_tooling", source, commit, "pinned")
    assert reason in message
    assert "canary" not in message
    assert tooling("default_tooling", source, commit) == "vendored"
    assert tooling("check_tooling", source, commit, "vendored") == ""


def test_the_dependencies_of_a_vendored_package_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    package = load(ROOT / "policies" / "pins.yml")["package"]
    assert package["dependencies"] == project["dependencies"]
    assert package["suite"] == project["optional-dependencies"]["suite"]
    assert set(package["guard"]) <= set(package["dependencies"])


def test_the_schema_of_a_fleet_is_one_place(template: Path) -> None:
    """No template puts the name of an answer together: who looks for gcp_kms_key finds its users."""
    files = [ROOT / "copier.yml", *(ROOT / "includes").iterdir(), *filter(Path.is_file, (ROOT / "template").rglob("*"))]
    joined = [str(file) for file in files if re.search(r"environment ~|~ '_|_copier_answers\[['\"]", file.read_text())]
    assert not joined
