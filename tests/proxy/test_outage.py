"""Without its database the real LiteLLM Proxy refuses, and nothing restarts it; to go on would be to let anybody in."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops.documents import dig
from litellm_gitops.repository import Repository
from tests.conftest import ROOT
from tests.proxy.running import program
from tests.support.answers import answers

MODELS = [
    {"model_name": "one", "litellm_params": {"model": "openai/gpt-4o", "api_key": "none", "mock_response": "Hello"}}
]


@pytest.fixture(scope="module")
def statuses(render: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """What is asked -> the status, of the proxy as it is rendered, and with the setting that lets it serve on."""
    (values,) = Repository(render(**answers(["gcp"], ["bedrock"]))).values
    config: dict[str, Any] = {**dig(values.merged, values.chart.name, *values.chart.config), "model_list": MODELS}
    general = {**config["general_settings"], "allow_requests_on_db_unavailable": True}
    folder = tmp_path_factory.mktemp("outage")
    (folder / "rendered").write_text(yaml.safe_dump(config), "utf-8")
    (folder / "serving on").write_text(yaml.safe_dump({**config, "general_settings": general}), "utf-8")
    done = subprocess.run(
        [program().with_name("python"), "-P", ROOT / "tests" / "proxy" / "outage.py", *sorted(folder.iterdir())],
        env={
            "PATH": os.defpath,
            "HOME": str(folder),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PROXY_MASTER_KEY": f"sk-{secrets.token_hex(16)}",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"file"')]
    assert len(found) == 2, done.stderr[-2000:]
    return {Path(each.pop("file")).name: each for each in found}


def test_a_proxy_without_its_database_is_alive_not_ready_and_serves_no_key_that_it_cannot_check(
    statuses: dict[str, dict[str, int]],
) -> None:
    assert statuses["rendered"] == {
        "ready without a database": 200,
        "its own key": 200,
        "alive": 200,
        "ready": 503,
        "the master key": 200,
        "a key of nobody": 503,
        "no key": 401,
    }


def test_the_setting_that_serves_on_would_serve_a_key_of_nobody(statuses: dict[str, dict[str, int]]) -> None:
    found = statuses["serving on"]
    assert {name: found[name] for name in ("ready", "a key of nobody")} == {"ready": 200, "a key of nobody": 200}
