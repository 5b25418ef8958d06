"""The ground that the stories stand on holds."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.controlplane import ControlPlane, condition
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

    wait_for("both are done", done, timeout=30)


def test_an_unknown_field_is_refused(cluster: ControlPlane) -> None:
    wrong = WORKLOADS.replace("replicas: 3", "replica: 3")
    with pytest.raises(AssertionError, match=r'unknown field "spec\.replica"'):
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", stdin=wrong)


def test_a_stopped_cluster_leaves_no_process(run: Run, cluster: ControlPlane) -> None:
    assert len(marked(run.folder)) == 5
    cluster.stop()
    assert marked(run.folder) == []


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
        timeout=30,
    )
    assert run.stdout, run.stderr
    time.sleep(0.3)
    return Path(run.stdout.strip())


def test_programs_end_with_the_tests_that_started_them(tmp_path: Path) -> None:
    assert marked(killed_run(tmp_path, "none")) == []


def test_the_next_run_sweeps_what_a_killed_run_left(tmp_path: Path) -> None:
    folder = killed_run(tmp_path, "survivor")
    assert len(marked(folder)) == 1
    Run.begin(tmp_path).end(keep=False)
    assert marked(folder) == []
    assert not folder.exists()


def test_the_mark_is_in_every_environment(run: Run) -> None:
    assert run.environment()[MARK] == str(run.folder)
