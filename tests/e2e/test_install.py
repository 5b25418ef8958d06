"""From an empty cluster, by the README's commands, to a proxy that is ready; and back again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import trustme
import yaml

from tests.e2e.deployment import DEPLOYMENT, NAMESPACE, Deployment, bootstrapped
from tests.e2e.engines import deploy, settled
from tests.e2e.processes import Run
from tests.e2e.readme import commands
from tests.e2e.repository import Repository
from tests.e2e.web import Outside
from tests.support.answers import ENVIRONMENTS, ROLE_ARN, VERTEX_PROJECT, everything

GENERATED = {
    ("litellm-masterkey", "masterkey"): r"sk-[0-9a-f]{32}",
    ("litellm-salt-key", "LITELLM_SALT_KEY"): r"\S{20,}",
}


@pytest.fixture(scope="module", params=["flux", "argocd"])
def repository(request: pytest.FixtureRequest, operator: Callable[..., Repository]) -> Repository:
    """All environments and all providers, published by the README's words."""
    name = f"install-{request.param}"
    repository = operator(name, **everything(gitops_engine=request.param))
    repository.publish()
    return repository


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def deployed(
    request: pytest.FixtureRequest,
    repository: Repository,
    run: Run,
    authority: trustme.CA,
    outside: Outside,
) -> Iterator[Deployment]:
    """That repository on the cluster of one environment. The last test here removes it."""
    with bootstrapped(run, authority, outside, repository, request.param) as deployment:
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
    assert found == secrets | {
        ("ServiceAccount", "default"),  # in every namespace
        ("ConfigMap", "litellm-config"),
        ("Deployment", "litellm"),
        ("Ingress", "litellm"),
        ("Job", "litellm-migrations"),
        ("PodDisruptionBudget", "litellm"),
        ("Service", "litellm"),
        ("ServiceAccount", "litellm"),
    }


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


def test_the_process_sees_its_database_its_keys_and_its_configuration(deployed: Deployment) -> None:
    process = deployed.process()
    inputs = deployed.repository.inputs.lines
    user, password = inputs["LITELLM_DATABASE_USERNAME"], inputs["LITELLM_DATABASE_PASSWORD"]
    host = inputs["LITELLM_DATABASE_HOST"]
    assert process.env["DATABASE_URL"] == f"postgresql://{user}:{password}@{host}/postgres_litellm"
    assert re.fullmatch(r"sk-[0-9a-f]{32}", process.env["PROXY_MASTER_KEY"])
    assert process.env["LITELLM_SALT_KEY"]
    assert process.env["REDIS_PASSWORD"] == inputs["LITELLM_REDIS_PASSWORD"]
    assert process.args[:2] == ["--config", "/etc/litellm/config.yaml"]
    config = yaml.safe_load(process.text("/etc/litellm/config.yaml"))
    assert config["general_settings"]["master_key"] == "os.environ/PROXY_MASTER_KEY"
    named = {
        value.removeprefix("os.environ/")
        for value in re.findall(r"os\.environ/\w+", process.text("/etc/litellm/config.yaml"))
    }
    assert named <= process.env.keys(), "the configuration names variables that there are not"


def test_the_role_is_bound_to_the_service_account_on_eks_alone(deployed: Deployment) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/litellm"
    annotations = deployed.api.get(path)["metadata"].get("annotations", {})
    expected = ROLE_ARN if deployed.environment == "aws" else None
    assert annotations.get("eks.amazonaws.com/role-arn") == expected
    (pod, *_) = deployed.pods()
    assert pod["spec"]["serviceAccountName"] == "litellm"


def test_a_second_reconciliation_of_the_same_commit_changes_nothing(deployed: Deployment) -> None:
    def versions() -> dict[tuple[str, str, str], str]:
        return {
            name: thing["metadata"]["resourceVersion"]
            for name, thing in deployed.inventory().items()
            if name[1] == NAMESPACE
        }

    before = versions()
    for _ in range(2):
        settled(deployed.engine)
    deploy(deployed.engine, deployed.repository.head())
    assert versions() == before


def test_what_is_changed_by_hand_is_changed_back(deployed: Deployment) -> None:
    replicas = _change_by_hand(deployed)
    settled(deployed.engine)
    deploy(deployed.engine, deployed.repository.head())
    assert deployed.api.get(DEPLOYMENT)["spec"]["replicas"] == replicas
    assert (deployed.secret("litellm-masterkey") or {})["masterkey"] != "sk-changed"


def test_removal_leaves_the_cluster_as_it_was(deployed: Deployment, outside: Outside) -> None:
    _change_by_hand(deployed)  # so that the engine is at work when it is told to let go
    deployed.follow("Remove")
    assert deployed.left() == set()
    assert outside.refused == [], "something asked for a host that nobody named"


def _change_by_hand(deployed: Deployment) -> int:
    """Changes what the engine has applied; the replicas that there were."""
    replicas: int = deployed.api.get(DEPLOYMENT)["spec"]["replicas"]
    deployed.api.merge(DEPLOYMENT, {"spec": {"replicas": replicas + 1}})
    deployed.api.merge(
        f"/api/v1/namespaces/{NAMESPACE}/secrets/litellm-masterkey",
        {"stringData": {"masterkey": "sk-changed"}},
    )
    return replicas
