"""From an empty cluster, by the README's commands, to a proxy that is ready; and back again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import trustme
import yaml

from tests.e2e.controlplane import condition
from tests.e2e.deployment import DEPLOYMENT, NAMESPACE, Deployment, bootstrapped
from tests.e2e.engines import deploy, settled
from tests.e2e.podprocess import ContainerProcess
from tests.e2e.processes import Run, wait_for
from tests.e2e.readme import commands
from tests.e2e.repository import Repository
from tests.e2e.web import Outside
from tests.support.answers import ENVIRONMENTS, ROLE_ARN, VERTEX_PROJECT, everything

GENERATED = {
    ("litellm-masterkey", "masterkey"): r"sk-[0-9a-f]{32}",
    ("litellm-salt-key", "LITELLM_SALT_KEY"): r"\S{20,}",
}


# Each engine in each environment, with either chart; on GKE with all that production asks for.
CHART = {
    ("flux", "aws"): "litellm-helm",
    ("flux", "gcp"): "litellm",
    ("flux", "azure"): "litellm-helm",
    ("argocd", "aws"): "litellm",
    ("argocd", "gcp"): "litellm-helm",
    ("argocd", "azure"): "litellm",
}
PRODUCTION: dict[str, Any] = {
    "exposure": "gateway",
    **{f"{environment}_gateway": "gateways/public/https" for environment in ENVIRONMENTS},
    "tls_cluster_issuer": "",
    "metrics": "prometheus_operator",
    "pod_security": "restricted",
    "max_replicas": 4,
}
NETWORK = {"kubernetes": "NetworkPolicy", "cilium": "CiliumNetworkPolicy"}
POLICY = {"flux": "cilium", "argocd": "kubernetes"}


@pytest.fixture(scope="module")
def published(operator: Callable[..., Repository]) -> Callable[[str, str], Repository]:
    """`published(engine, environment)`: all environments and all providers, published by the README's words."""

    @cache
    def publish(engine: str, chart: str) -> Repository:
        wanted = {"gitops_engine": engine, "chart": chart}
        wanted |= {**PRODUCTION, "network_policy": POLICY[engine]} if chart == CHART[engine, "gcp"] else {}
        repository = operator(f"install-{engine}-{chart}", **everything(**wanted))
        repository.publish()
        return repository

    return lambda engine, environment: publish(engine, CHART[engine, environment])


@pytest.fixture(scope="module", params=CHART, ids="-".join)
def deployed(
    request: pytest.FixtureRequest,
    published: Callable[[str, str], Repository],
    run: Run,
    authority: trustme.CA,
    outside: Outside,
) -> Iterator[Deployment]:
    """Such a repository on the cluster of one environment. The last test here removes it."""
    engine, environment = request.param
    repository = published(engine, environment)
    with bootstrapped(run, authority, outside, repository, environment) as deployment:
        yield deployment


def test_the_commands_of_the_readme_end_well(deployed: Deployment) -> None:
    wait_and_show, ask_the_proxy = commands(deployed.repository.folder / "README.md", "Verify")
    deployed.repository.sh(wait_and_show)
    header, _, request = ask_the_proxy.partition("| curl")
    secret = deployed.secret("litellm-masterkey") or {}
    assert request, "the last command under Verify asks the proxy"
    assert deployed.repository.sh(header) == f"Authorization: Bearer {secret['masterkey']}"


def test_every_secret_equals_its_input(deployed: Deployment) -> None:
    policy = yaml.safe_load((deployed.repository.folder / "policies" / "secrets.yml").read_text())
    wanted = {name: secret for name, secret in policy["secrets"].items() if deployed.environment in secret["clusters"]}
    assert wanted
    for name, secret in wanted.items():
        found = deployed.secret(name)
        assert found is not None, f"{name} is not in the cluster"
        assert found.keys() == secret["keys"].keys()
        for key, value in found.items():
            expected = deployed.repository.inputs.expected(name, key)
            pattern = GENERATED.get((name, key), re.escape(expected or ""))
            assert re.fullmatch(pattern, value), f"{name}: {key} is not what was sealed"


def test_migrations_finished_before_a_pod_of_the_proxy_started(deployed: Deployment) -> None:
    happened = [(event.what, event.job) for event in deployed.events()]
    migrations = "litellm-migrations"
    assert happened[:2] == [("started", migrations), ("completed", migrations)]
    assert set(happened[2:]) == {("started", None)}
    assert len(happened) == 2 + deployed.repository.answers["replicas"]


def test_nothing_is_where_the_answers_do_not_say(deployed: Deployment) -> None:
    new = deployed.inventory().keys() - deployed.before
    elsewhere = {name for name in new if name[1] not in (NAMESPACE, deployed.engine_namespace)}
    assert elsewhere == {("Namespace", "", NAMESPACE), ("Namespace", "", deployed.engine_namespace)}


def test_the_namespace_holds_the_release_the_secrets_and_nothing_else(deployed: Deployment) -> None:
    policy = yaml.safe_load((deployed.repository.folder / "policies" / "secrets.yml").read_text())
    secrets = {
        ("Secret", name) for name, secret in policy["secrets"].items() if deployed.environment in secret["clusters"]
    }
    found = {
        (kind, name)
        for (kind, namespace, name), thing in deployed.inventory().items()
        if namespace == NAMESPACE
        # a pod without an owner would be that of `helm test`
        and not (kind == "Pod" and "ownerReferences" in thing["metadata"])
        and not name.startswith("sh.helm.release.")
    }
    manifests = deployed.repository.manifests(f"clusters/{deployed.environment}")
    files = {
        (manifest["kind"], manifest["metadata"]["name"])
        for manifest in manifests
        if manifest["metadata"].get("namespace") == NAMESPACE
    }
    wanted = {("ServiceAccount", "litellm-migrations"), ("HTTPRoute" if scaled(deployed) else "Ingress", "litellm")}
    if scaled(deployed):
        kinds = ("PodMonitor", "PrometheusRule", NETWORK[deployed.repository.answers["network_policy"]])
        wanted |= {(kind, "litellm") for kind in kinds}
    assert files >= wanted
    made = {*deployed.chart.makes, "PodDisruptionBudget/litellm", "ServiceAccount/litellm"}
    made |= {"HorizontalPodAutoscaler/litellm", "Service/litellm-metrics"} if scaled(deployed) else set()
    in_every_namespace = {("ServiceAccount", "default")}
    assert found == secrets | files | {tuple(name.split("/")) for name in made} | in_every_namespace


def scaled(deployed: Deployment) -> bool:
    """Whether it is one with all that production asks for."""
    return bool(deployed.repository.answers["max_replicas"] > deployed.repository.answers["replicas"])


# What the process in the container sees, by the auth matrix: variables with their values, variables
# that would beat the method, and files. `{NAME}` is the input of that name.
SEEN: dict[str, tuple[dict[str, str], set[str], dict[str, str]]] = {
    "irsa": (
        {"AWS_EC2_METADATA_DISABLED": "true"},
        {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE_NAME"},
        {},
    ),
    "aws_user": (
        {
            "AWS_ACCESS_KEY_ID": "{AWS_ACCESS_KEY_ID}",
            "AWS_SECRET_ACCESS_KEY": "{AWS_SECRET_ACCESS_KEY}",
        },
        {"AWS_ROLE_NAME", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"},
        {},
    ),
    "gcp_service_account": (
        {
            "GOOGLE_APPLICATION_CREDENTIALS": "/var/secrets/gcp/gcp-service-account.json",
            "VERTEX_PROJECT": VERTEX_PROJECT,
        },
        {"VERTEXAI_CREDENTIALS"},
        {"/var/secrets/gcp/gcp-service-account.json": "{gcp-service-account.json}"},
    ),
    "entra_id": (
        {name: f"{{{name}}}" for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")},
        {"AZURE_API_KEY", "AZURE_OPENAI_API_KEY"},
        {},
    ),
    "oauth_token": (
        {
            "GITHUB_COPILOT_TOKEN_DIR": "/app/github_copilot_custom",
            "GITHUB_COPILOT_API_KEY_FILE": "/tmp/github-copilot-api-key.json",
        },
        set(),
        {"/app/github_copilot_custom/access-token": "{access-token}"},
    ),
}
METHODS = {
    "aws": ("irsa", "gcp_service_account", "entra_id", "oauth_token"),
    "gcp": ("aws_user", "gcp_service_account", "entra_id", "oauth_token"),
    "azure": ("aws_user", "gcp_service_account", "entra_id", "oauth_token"),
}


def test_the_process_sees_what_each_method_needs_and_nothing_that_beats_it(
    deployed: Deployment,
) -> None:
    process = deployed.process()
    inputs = deployed.repository.inputs.lines | deployed.repository.inputs.files

    def value(text: str) -> str:
        return inputs[text[1:-1]] if text.startswith("{") else text

    for method in METHODS[deployed.environment]:
        variables, forbidden, files = SEEN[method]
        for name, text in variables.items():
            assert process.env.get(name) == value(text), f"{method}: {name}"
        assert not process.env.keys() & forbidden, method
        for path, text in files.items():
            assert process.text(path) == value(text), f"{method}: {path}"


def database(process: ContainerProcess) -> tuple[str, ...]:
    """User, password, host and name of the database: of a URL, or of its parts, from which the proxy makes one."""
    if url := process.env.get("DATABASE_URL"):
        return tuple(re.fullmatch(r"postgresql://(.+):(.+)@(.+)/(.+)", url).groups())  # type: ignore[union-attr]
    return tuple(process.env[f"DATABASE_{part}"] for part in ("USER", "PASSWORD", "HOST", "NAME"))


def test_the_process_sees_its_database_its_keys_and_its_configuration(deployed: Deployment) -> None:
    process = deployed.process()
    inputs, answers = deployed.repository.inputs.lines, deployed.repository.answers
    assert database(process) == (
        inputs["LITELLM_DATABASE_USERNAME"],
        inputs["LITELLM_DATABASE_PASSWORD"],
        answers.get(f"{deployed.environment}_database_host") or inputs["LITELLM_DATABASE_HOST"],
        "postgres_litellm",
    )
    assert re.fullmatch(r"sk-[0-9a-f]{32}", process.env["PROXY_MASTER_KEY"])
    assert process.env["LITELLM_SALT_KEY"]
    assert process.env["REDIS_PASSWORD"] == inputs["LITELLM_REDIS_PASSWORD"]
    config = yaml.safe_load(deployed.config())
    assert config["general_settings"]["master_key"] == "os.environ/PROXY_MASTER_KEY"
    named = {value.removeprefix("os.environ/") for value in re.findall(r"os\.environ/\w+", deployed.config())}
    assert named <= process.env.keys(), "the configuration names variables that there are not"


def test_the_role_is_bound_to_the_service_account_on_eks_alone(deployed: Deployment) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/litellm"
    annotations = deployed.api.get(path)["metadata"].get("annotations", {})
    expected = ROLE_ARN if deployed.environment == "aws" else None
    assert annotations.get("eks.amazonaws.com/role-arn") == expected
    (pod, *_) = deployed.pods()
    assert pod["spec"]["serviceAccountName"] == "litellm"


@pytest.mark.parametrize("deployed", [("flux", "gcp"), ("argocd", "gcp")], indirect=True, ids="-".join)
def test_the_autoscaler_knows_what_the_pods_use(deployed: Deployment) -> None:
    path = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/litellm"
    wait_for("it can scale", lambda: condition(deployed.api.get(path), "ScalingActive") == "True", timeout=60)


def test_a_second_reconciliation_of_the_same_commit_changes_nothing(deployed: Deployment) -> None:
    def versions() -> dict[tuple[str, str, str], str]:
        return {
            name: thing["metadata"]["resourceVersion"]
            for name, thing in deployed.inventory().items()
            # Argo CD itself writes into the one, the control plane into the other
            if name[1] == NAMESPACE and name[0] not in ("Application", "HorizontalPodAutoscaler")
        }

    before = versions()
    for _ in range(2):
        settled(deployed.engine)
    deploy(deployed.engine, deployed.repository.head())
    assert versions() == before


def test_what_is_changed_by_hand_is_changed_back(deployed: Deployment) -> None:
    _change_by_hand(deployed)
    settled(deployed.engine)
    deploy(deployed.engine, deployed.repository.head())
    assert deployed.api.get(DEPLOYMENT)["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 1
    assert (deployed.secret("litellm-masterkey") or {})["masterkey"] != "sk-changed"


def test_removal_leaves_the_cluster_as_it_was(deployed: Deployment, outside: Outside) -> None:
    _change_by_hand(deployed)  # so that the engine is at work when it is told to let go
    deployed.follow("Remove")
    assert deployed.left() == set()
    assert outside.refused == [], "something asked for a host that nobody named"


def _change_by_hand(deployed: Deployment) -> None:
    """Changes what the engine has applied."""
    deployed.api.merge(DEPLOYMENT, {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 3}}}})
    deployed.api.merge(
        f"/api/v1/namespaces/{NAMESPACE}/secrets/litellm-masterkey",
        {"stringData": {"masterkey": "sk-changed"}},
    )
