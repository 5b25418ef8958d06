"""The real LiteLLM Proxy as production asks for it: no root, no file system to write to, metrics, Redis by TLS.

And where each proxy goes is what the network policy of its cluster allows.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from litellm_gitops import network
from litellm_gitops.repository import Repository
from tests.conftest import ROOT
from tests.e2e.processes import NotReadyError, Processes, free_port
from tests.proxy import redis
from tests.proxy.clusters import Scene, Stage, made
from tests.proxy.conftest import Running
from tests.proxy.rounds import ROUNDS, Rounds
from tests.proxy.starting import Command
from tests.support.answers import ENVIRONMENTS, everything, redis_hosts

USER, GROUP = 65532, 65532
TLS_PORT = 6390
# The rights of that user, and what the machine of the tests adds: its programs lie where root alone may look.
AS_USER = [
    *(f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
]
# GitHub says which of its hosts an account has; here it is the first.
BY_ACCOUNT = {"api.*.githubcopilot.com"}


@dataclass(frozen=True)
class Hardened:
    """The proxy of one environment as `pod_security: restricted` runs it, with metrics, and Redis by TLS."""

    running: Running
    metrics: str  # where they are read

    def scrape(self) -> str:
        """All metrics."""
        return httpx.get(self.metrics, timeout=30, trust_env=False, follow_redirects=True).raise_for_status().text


@pytest.fixture(scope="module")
def hardened(template: Path, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hardened]:
    """On GKE, with every provider."""
    folder, host = tmp_path_factory.mktemp("hardened"), redis.address()
    given = everything(**redis_hosts(f"{host}:{TLS_PORT}"), pod_security="restricted")
    given |= {"metrics": "prometheus_operator", "network_policy": "cilium"}
    sealed = made(folder, template, given, stage.issuer)
    port = free_port()
    scene = Scene(variables={"PROMETHEUS_METRICS_PORT": str(port)})
    processes = Processes(folder / "gcp", {})
    volumes = sealed.rendered["gcp"].process().directories
    within = _restricted([folder / "gcp" / "root" / str(path).lstrip("/") for path in volumes])
    with (
        redis.running(folder, host, sealed.of("gcp")["litellm-redis"]["redis-password"]) as server,
        redis.tls(host, TLS_PORT, stage.authority),
    ):
        try:
            with stage.plays(sealed, "gcp", folder / "gcp", Command(processes, within), scene) as each:
                running = Running("gcp", sealed, each.proxy, each.vendors, each.outside, server)
                yield Hardened(running, f"http://127.0.0.1:{port}/metrics/")
        except NotReadyError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        finally:
            processes.stop()


def _restricted(folders: list[Path]) -> list[str | Path]:
    """Runs a command as that user, with a root file system of which only `folders` can be written to."""
    if os.geteuid() != 0:
        pytest.skip("only root can take rights away from a process")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, USER, GROUP)
    own = "".join(f"mount --bind '{folder}' '{folder}'\n" for folder in folders)
    script = f'set -e\n{own}mount -o remount,bind,ro /\nexec setpriv {" ".join(AS_USER)} "$@"'
    return ["/usr/bin/unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh"]


def test_every_model_is_served_by_a_user_that_may_write_into_its_volumes_alone(hardened: Hardened) -> None:
    proxy = hardened.running.proxy
    problems = {model.name: proxy.problem(model) for model in proxy.models}
    assert {name: problem for name, problem in problems.items() if problem} == {}
    status = Path("/proc", str(proxy.process.pid), "status").read_text("utf-8")
    assert re.search(rf"^Uid:\s+{USER}\s+{USER}", status, re.MULTILINE)
    mounted = Path("/proc", str(proxy.process.pid), "mountinfo").read_text("utf-8")
    assert re.search(r"^\d+ \d+ \S+ / / ro", mounted, re.MULTILINE)
    assert "Read-only file system" not in proxy.log()
    allowed = ("/tmp/", "/scratch/", "/.cache/", "/.npm/")
    assert [path for path in proxy.written() if not path.startswith(allowed)] == []


def test_the_proxies_share_redis_by_tls(hardened: Hardened) -> None:
    proxy = hardened.running.proxy
    assert proxy.pod.env["REDIS_SSL"] == "True"
    assert proxy.problem(proxy.models[0]) is None
    logins, failed = hardened.running.redis.logins()
    assert (logins > 0, failed) == (True, 0)


def test_every_series_of_the_alerts_and_the_dashboard_is_one_of_the_proxy(hardened: Hardened) -> None:
    proxy = hardened.running.proxy
    assert proxy.problem(proxy.models[0]) is None
    assert proxy.call(replace(proxy.models[0], name="of-nobody")).status_code == 400
    there = hardened.scrape()
    samples = {line.partition("{")[0].partition(" ")[0] for line in there.splitlines() if not line.startswith("#")}
    expressions = _expressions(hardened.running.sealed.root / "clusters" / "gcp" / "monitoring.yaml")
    used = {name for text in expressions for name in re.findall(r"\blitellm_\w+", text)}
    budgets = {name for name in used if "budget" in name}  # these come of the database, which is not here
    assert len(budgets) == 4
    assert used - budgets <= samples
    assert budgets <= set(_defined())
    for text in expressions:
        for grouped, name in re.findall(r"by \(([\w, ]+)\)\s*\(?(?:rate\()?(litellm_\w+)", text):
            for label in set(re.split(", ", grouped)) - {"le"} if name in samples else ():
                assert re.search(rf"^{name}{{.*\b{label}=", there, re.MULTILINE), (label, name)


def test_metrics_on_the_port_of_the_proxy_need_a_key(hardened: Hardened) -> None:
    url = f"{hardened.running.proxy.url}/metrics/"
    assert httpx.get(url, timeout=30, trust_env=False).status_code == 401


def test_the_network_policy_has_the_hosts_that_are_called_and_no_others(running: Running) -> None:
    for model in running.proxy.models:
        assert running.proxy.problem(model) is None
    assert _differing(running.sealed.root, running.environment, running.outside.asked) == (set(), BY_ACCOUNT)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("name", ROUNDS)
def test_so_it_has_with_every_method(name: str, environment: str, rounds: Rounds) -> None:
    for provider in ROUNDS[name][environment]:
        assert rounds.outcome(name, environment, provider).problems == {}
    asked = rounds.proxy(name, environment).outside.asked
    assert _differing(rounds.repository(name).root, environment, asked) == (set(), set())


def _differing(root: Path, environment: str, asked: set[str]) -> tuple[set[str], set[str]]:
    """The hosts that were asked for and are not allowed, and those that are allowed and were not asked for."""
    cluster = Repository(root).cluster(environment)
    assert cluster
    allowed = {host: re.compile(re.escape(host).replace(r"\*", r"[^.]+")) for host in network.hosts(cluster)}
    by = {host: {name for name, form in allowed.items() if form.fullmatch(host)} for host in asked}
    return {host for host, names in by.items() if not names}, allowed.keys() - set().union(*by.values())


def _expressions(file: Path) -> list[str]:
    """The expressions of the alerts and of the dashboard."""
    found: list[str] = []

    def collect(value: Any) -> None:
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
        ):
            if key == "expr":
                found.append(inner)
            elif isinstance(inner, str) and key == "litellm.json":
                collect(yaml.safe_load(inner))
            else:
                collect(inner)

    collect(list(yaml.safe_load_all(file.read_text("utf-8"))))
    assert len(found) > 10
    return found


def _defined() -> list[str]:
    """The names of all series that the release of LiteLLM can give."""
    code = (
        "from typing import get_args; from litellm.types.integrations.prometheus import DEFINED_PROMETHEUS_METRICS as m"
    )
    done = subprocess.run(
        [ROOT / ".venv-proxy" / "bin" / "python", "-c", f"{code}; print(*get_args(m))"],
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()
