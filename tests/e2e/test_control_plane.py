"""The ground that the stories stand on holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.client import CLOSED, CUT, Client
from tests.e2e.controlplane import ControlPlane, condition
from tests.e2e.metrics import Metrics
from tests.e2e.processes import MARK, Run, marked, wait_for

WORKLOADS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:1"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: default}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: once, image: "example.com/once:1"}]}
"""


def test_a_deployment_becomes_available_and_a_job_completes(cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "--validate=strict", "--filename=-", stdin=WORKLOADS)
    namespace = "namespaces/default"

    def done() -> bool:
        deployment = cluster.api.get(f"/apis/apps/v1/{namespace}/deployments/web")
        job = cluster.api.get(f"/apis/batch/v1/{namespace}/jobs/once")
        return deployment["status"].get("readyReplicas") == 3 and condition(job, "Complete") == "True"

    wait_for("both are done", done, timeout=60)


SERVED = """
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: http}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: default}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}, annotations: {{release: "{release}"}}}}
    spec:
      terminationGracePeriodSeconds: {grace}
      containers:
        - {{name: web, image: "example.com/web:1", ports: [{{name: http, containerPort: 80}}], lifecycle: {lifecycle}}}
"""


@pytest.mark.parametrize(
    ("lifecycle", "grace", "lost"),
    [
        ("{}", 630, {CLOSED}),
        ("{preStop: {sleep: {seconds: 15}}}", 630, set()),
        ("{preStop: {sleep: {seconds: 15}}}", 90, {CUT}),
    ],
)
def test_a_caller_meets_closed_sockets_or_half_an_answer_where_a_pod_ends_too_soon(
    cluster: ControlPlane, lifecycle: str, grace: int, lost: set[str]
) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/web"

    def release(number: int) -> None:
        text = SERVED.format(release=number, lifecycle=lifecycle, grace=grace)
        cluster.kubectl("apply", "--server-side", "--filename=-", stdin=text)
        wait_for("it is rolled out", rolled_out, timeout=60)

    def rolled_out() -> bool:
        found = cluster.api.get(path)
        status = found.get("status", {})
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("availableReplicas") == status.get("updatedReplicas") == 2
            and len(cluster.api.items("/api/v1/namespaces/default/pods")) == 2
        )

    release(1)
    assert cluster.kubelet is not None
    client = Client(cluster.kubelet, "default", "web", seconds=600)
    for number in range(2, 6):
        release(number)
    client.stop()
    assert client.calls > 0
    assert {*client.failures} == lost


SCALED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:1", resources: {requests: {cpu: "1"}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
"""


def test_pods_become_more_and_fewer_by_the_cpu_that_they_use(cluster: ControlPlane) -> None:
    assert cluster.kubelet is not None
    metrics = Metrics(cluster, cluster.kubelet)
    cluster.kubectl("apply", "--validate=strict", "--filename=-", stdin=SCALED)
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    for cpu, number in (("300m", 2), ("900m", 4), ("100m", 2)):
        metrics.cpu = cpu
        wait_for(f"{number} run", lambda n=number: cluster.api.get(path)["status"].get("replicas") == n, timeout=60)  # type: ignore[misc]


def test_an_unknown_field_is_refused(cluster: ControlPlane) -> None:
    wrong = WORKLOADS.replace("replicas: 3", "replica: 3")
    with pytest.raises(AssertionError, match=r'unknown field "spec\.replica"'):
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", stdin=wrong)


@pytest.fixture
def others(run: Run) -> set[int]:
    """What of this run was there before: gpg leaves an agent until the end."""
    return {*marked(run.folder)}


def test_a_stopped_cluster_leaves_no_process(run: Run, others: set[int], cluster: ControlPlane) -> None:
    assert len({*marked(run.folder)} - others) == 4
    cluster.stop()
    assert {*marked(run.folder)} <= others


# What a run does before it is killed; the program has a session of its own and closed its outputs.
KILLED_RUN = """
import os, sys
from pathlib import Path
from tests.e2e.processes import Processes, Run
run = Run.begin(Path(sys.argv[1]))
program = Processes(run.folder, run.environment()).start("sleep", ["/bin/sleep", "600"])
print(run.folder, flush=True)
if sys.argv[2] == "survivor":  # as what a controller starts may be
    import subprocess
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["/bin/sleep", "600"], env=run.environment(), start_new_session=True, **quiet)
os.kill(os.getpid(), 9)
"""


def killed_run(base: Path, survivor: str) -> Path:
    """The folder of a run that was killed."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, base, survivor],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.stdout, run.stderr
    return Path(run.stdout.strip())


def test_programs_end_with_the_tests_that_started_them(tmp_path: Path) -> None:
    folder = killed_run(tmp_path, "none")
    wait_for("its program has ended", lambda: marked(folder) == [], timeout=10)


def test_the_next_run_sweeps_what_a_killed_run_left(tmp_path: Path) -> None:
    folder = killed_run(tmp_path, "survivor")
    wait_for("only the survivor is left", lambda: len(marked(folder)) == 1, timeout=10)
    Run.begin(tmp_path).end(keep=False)
    assert marked(folder) == []
    assert not folder.exists()


def test_the_mark_is_in_every_environment(run: Run) -> None:
    assert run.environment()[MARK] == str(run.folder)
