"""A running release, changed by commits: upgraded, rotated, reconfigured. One cluster for each engine."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.e2e.api import Object
from tests.e2e.argocd import ArgoCD
from tests.e2e.client import Client
from tests.e2e.controlplane import condition
from tests.e2e.deployment import DEPLOYMENT, NAMESPACE, PODS, Deployment
from tests.e2e.engines import complaint, deploy, settled
from tests.e2e.flux import Flux
from tests.e2e.kubelet import Event
from tests.e2e.processes import wait_for
from tests.e2e.readme import commands
from tests.support.answers import ENDPOINT, everything
from tests.support.inputs import Inputs

ENVIRONMENT = "gcp"
MIGRATIONS = "litellm-migrations"


@pytest.fixture(scope="module", params=["flux", "argocd"])
def deployed(
    request: pytest.FixtureRequest, release: Callable[..., AbstractContextManager[Deployment]]
) -> Iterator[Deployment]:
    """A release on GKE; each test leaves one that is well."""
    with release("change", ENVIRONMENT, **everything(gitops_engine=request.param)) as deployment:
        yield deployment


@pytest.fixture
def since(deployed: Deployment) -> Callable[[], list[Event]]:
    """`since()`: what happened to pods since the test began."""
    begin = len(deployed.events())
    return lambda: deployed.events()[begin:]


def uids(deployed: Deployment) -> set[str]:
    """The running pods of the proxy."""
    return {pod["metadata"]["uid"] for pod in deployed.pods()}


def set_tag(deployed: Deployment, tag: str) -> None:
    """Another image, by a person's edit."""
    (line,) = [
        line
        for line in (deployed.repository.folder / "litellm" / "values.yaml").read_text().splitlines()
        if line.strip().startswith("tag:")
    ]
    deployed.repository.edit("litellm/values.yaml", line, line.partition(":")[0] + f": {tag}")


def test_an_upgrade_migrates_before_a_pod_of_the_new_version_starts(
    deployed: Deployment, since: Callable[[], list[Event]]
) -> None:
    set_tag(deployed, "v1.104.1")
    deployed.deploy("Upgrade")
    happened = [(event.what, event.job) for event in since()]
    assert happened[:2] == [("started", MIGRATIONS), ("completed", MIGRATIONS)]
    assert happened[2:] == [("started", None)] * deployed.repository.answers["replicas"]
    assert deployed.process().image.endswith(":v1.104.1")


def test_a_failed_migration_stops_the_release_says_so_and_keeps_the_old_pods(
    deployed: Deployment,
) -> None:
    before = uids(deployed)
    kubelet = deployed.kubelet
    kubelet.fails = lambda process: process.image.endswith(":v1.104.2")
    set_tag(deployed, "v1.104.2")
    deployed.repository.push("Upgrade to what cannot migrate")
    deployed.engine.refresh()
    thing, words = {
        "flux": ("HelmRelease litellm", "pre-upgrade hooks failed"),
        "argocd": ("Application litellm", "PreSync"),
    }[deployed.repository.answers["gitops_engine"]]
    complaint(deployed.engine, thing, words)
    readme = (deployed.repository.folder / "README.md").read_text("utf-8")
    assert words in readme, "an operator finds the message in the README"
    assert uids(deployed) == before
    assert condition(deployed.api.get(DEPLOYMENT), "Available") == "True"
    engine = deployed.engine
    if isinstance(engine, Flux):
        job = deployed.api.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{MIGRATIONS}")
        assert condition(job, "Failed") == "True", "it is there to be looked at until the next try"
    if isinstance(engine, ArgoCD):
        once_more, end = commands(deployed.repository.folder / "README.md", "Debug")
        deployed.repository.sh(end)
        kubelet.fails = lambda process: False
        wait_for("the sync has ended", lambda: not engine.syncing("litellm"), timeout=60)
        deployed.repository.sh(once_more)
        deploy(deployed.engine, deployed.repository.head())
        assert deployed.process().image.endswith(":v1.104.2")
    set_tag(deployed, "v1.104.3")
    deployed.deploy("Upgrade to what can")
    assert deployed.process().image.endswith(":v1.104.3")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("litellm-azure-auth", "AZURE_CLIENT_SECRET"),
        ("litellm-postgresql", "DATABASE_PASSWORD"),
        ("litellm-masterkey", "PROXY_MASTER_KEY"),
        ("litellm-redis", "REDIS_PASSWORD"),
    ],
)
def test_a_rotated_secret_reaches_every_pod_and_restarts_each_once(
    deployed: Deployment, since: Callable[[], list[Event]], name: str, variable: str
) -> None:
    old = deployed.process().env[variable]
    before = uids(deployed)
    deployed.repository.give(Inputs())
    deployed.repository.sh(f"uv run hooks/seal_secrets.py --rotate {name} --cluster {ENVIRONMENT}")
    deployed.deploy(f"Rotate {name}")
    started = [event for event in since() if event.what == "started" and not event.job]
    values = [event.process.env[variable] for event in started if event.process]
    assert old not in values, "a pod started with the old value"
    assert len(started) == deployed.repository.answers["replicas"]
    assert not uids(deployed) & before


def test_a_rotated_file_reaches_every_pod(deployed: Deployment, since: Callable[[], list[Event]]) -> None:
    path = "/app/github_copilot_custom/access-token"
    old = deployed.process().text(path)
    deployed.repository.give(Inputs())
    deployed.repository.sh("uv run hooks/seal_secrets.py --rotate litellm-github-copilot")
    deployed.deploy("Rotate the token")
    started = [event for event in since() if event.what == "started" and not event.job]
    assert len(started) == deployed.repository.answers["replicas"]
    assert old not in [event.process.text(path) for event in started if event.process]


def test_sealing_again_without_a_change_restarts_nothing(
    deployed: Deployment, since: Callable[[], list[Event]]
) -> None:
    deployed.repository.sh("uv run hooks/seal_secrets.py")
    assert deployed.repository.sh("git status --porcelain") == ""
    settled(deployed.engine)
    assert since() == []


def test_a_commit_that_concerns_another_environment_restarts_nothing(
    deployed: Deployment, since: Callable[[], list[Event]]
) -> None:
    before = uids(deployed)
    deployed.repository.sh("uv run hooks/seal_secrets.py --rotate litellm-masterkey --cluster aws")
    deployed.deploy("Rotate elsewhere")
    assert uids(deployed) == before
    assert [event for event in since() if not event.job] == []


def test_a_changed_configuration_reaches_the_pods(deployed: Deployment) -> None:
    deployed.repository.edit("litellm/values.yaml", "request_timeout: 600", "request_timeout: 601")
    deployed.deploy("Wait longer")
    assert "request_timeout: 601" in deployed.config()


def test_no_call_is_lost_when_pods_are_replaced_moved_and_become_fewer(deployed: Deployment, calls: Client) -> None:
    repository, replicas = deployed.repository, deployed.repository.answers["replicas"]
    update = "copier update --trust --defaults --quiet --data replicas={0} --data max_replicas={0}"
    repository.sh(update.format(replicas + 1))
    set_tag(deployed, "v1.104.4")
    deployed.deploy("One more, all of them anew")
    for node in ("node-a", "node-b"):
        deployed.cluster.kubectl("drain", node, "--delete-emptydir-data", "--force", "--timeout=240s")
        wait_for("the pods run elsewhere", lambda: len(ready(deployed)) == replicas + 1, timeout=60)
        deployed.cluster.kubectl("uncordon", node)
    repository.sh(update.format(replicas))
    deployed.deploy("One fewer")
    wait_for("one has ended", lambda: len(of_the_proxy(deployed)) == replicas, timeout=60)
    assert calls.calls > 0
    assert not calls.failures


def ready(deployed: Deployment) -> list[Object]:
    """The pods that are."""
    return [pod for pod in deployed.pods() if condition(pod, "Ready") == "True"]


def running(deployed: Deployment, number: int) -> bool:
    """Whether so many pods are ready, and no other is there."""
    return len(ready(deployed)) == len(of_the_proxy(deployed)) == number


def of_the_proxy(deployed: Deployment) -> list[Object]:
    """Its pods, those that end among them."""
    return [pod for pod in deployed.api.items(PODS) if not Event(0, "", pod).job]


def test_a_changed_answer_reaches_the_cluster(deployed: Deployment) -> None:
    deployed.repository.sh(f"copier update --trust --defaults --quiet --data {ENVIRONMENT}_domain=new.example.org")
    deployed.deploy("Another domain")
    ingress = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses/litellm"
    (rule,) = deployed.api.get(ingress)["spec"]["rules"]
    assert rule["host"] == "litellm.new.example.org"


def test_a_removed_provider_is_pruned_and_an_added_one_deployed(deployed: Deployment) -> None:
    repository = deployed.repository
    update = "copier update --trust --defaults --quiet --data providers="
    said = repository.sh(f"{update}'[bedrock, vertex_ai, github_copilot]'")
    left = re.findall(r"^no longer needed .*: (secrets/\S+)$", said, re.MULTILINE)
    repository.sh(f"git rm --quiet {' '.join(left)}")  # what is sealed, only a person deletes
    deployed.deploy("Without Azure OpenAI")
    assert deployed.secret("litellm-azure-auth") is None
    assert "AZURE_CLIENT_SECRET" not in deployed.process().env
    assert "azure/" not in deployed.config()
    inputs = Inputs()
    repository.give(dataclasses.replace(inputs, files=repository.inputs.files))
    endpoint = f"--data azure_openai_endpoint={ENDPOINT}"  # copier forgets what it did not ask
    repository.sh(f"{update}'[bedrock, vertex_ai, azure_openai, github_copilot]' {endpoint}")
    repository.sh("uv run hooks/seal_secrets.py")
    deployed.deploy("With Azure OpenAI again")
    assert deployed.secret("litellm-azure-auth") is not None
    assert deployed.process().env["AZURE_CLIENT_SECRET"] == inputs.lines["AZURE_CLIENT_SECRET"]


def test_after_a_rekey_the_old_key_is_not_needed(deployed: Deployment) -> None:
    # by the README's words, "Age keys"
    repository = deployed.repository
    file = repository.folder / "keys" / f"{ENVIRONMENT}.agekey"
    old = repository.sh(f"age-keygen -y {file}").strip()
    alone = file.read_text("utf-8")
    repository.sh(f"age-keygen >> {file}")
    deployed.follow("Bootstrap")
    new = repository.sh(f"age-keygen -y {file} | grep --invert-match {old}").strip()
    repository.edit(".sops.yaml", old, new)
    repository.sh("uv run hooks/seal_secrets.py --rekey")
    deployed.deploy("Rekey")
    file.write_text(file.read_text("utf-8").removeprefix(alone), "utf-8")
    deployed.follow("Bootstrap")
    repository.sh("uv run hooks/seal_secrets.py --rotate litellm-masterkey")
    old_key = deployed.process().env["PROXY_MASTER_KEY"]
    deployed.deploy("Rotate under the new key")
    assert deployed.process().env["PROXY_MASTER_KEY"] != old_key
    deploy(deployed.engine, repository.head())


# Argo CD looks at each Application by a clock of its own. Flux has one object that reads git.
@pytest.mark.parametrize("deployed", ["argocd"], indirect=True)
def test_a_release_that_is_looked_at_first_waits_for_its_secrets(
    deployed: Deployment, since: Callable[[], list[Event]]
) -> None:
    engine = deployed.engine
    assert isinstance(engine, ArgoCD)
    old = deployed.process().env["AZURE_CLIENT_SECRET"]
    deployed.repository.give(Inputs())
    deployed.repository.sh("uv run hooks/seal_secrets.py --rotate litellm-azure-auth")
    commit = deployed.repository.push("Rotate")
    engine.refresh_only("litellm")
    wait_for("the release is looked at", engine.refreshed, timeout=60)
    assert since() == []
    deploy(engine, commit)
    started = [event.process for event in since() if event.what == "started" and not event.job]
    assert len(started) == deployed.repository.answers["replicas"]
    assert old not in [process.env["AZURE_CLIENT_SECRET"] for process in started if process]


def test_no_call_is_lost_while_load_comes_and_goes(deployed: Deployment, calls: Client) -> None:
    # the last story: from here on an autoscaler has the replicas
    repository, replicas, metrics = deployed.repository, deployed.repository.answers["replicas"], deployed.measured()
    repository.sh(f"copier update --trust --defaults --quiet --data max_replicas={replicas + 2}")
    window = "stabilizationWindowSeconds: "  # ten minutes are ten seconds, and so is the minute that each pod takes
    for long, short in ((f"{window}600", f"{window}10"), ("periodSeconds: 60", "periodSeconds: 10")):
        repository.edit("litellm/values.yaml", long, short)
    deployed.deploy("With an autoscaler")
    for cpu, number in (("900m", replicas + 2), ("100m", replicas)):
        metrics.cpu = cpu
        wait_for(f"{number} pods serve", partial(running, deployed, number), timeout=120)
        settled(deployed.engine)
        deploy(deployed.engine, repository.head())
        assert len(deployed.pods()) == number, "the engine leaves the number to the autoscaler"
    assert calls.calls > 0
    assert not calls.failures
