"""What the rules say of a configuration is what the real LiteLLM Proxy makes of it, and the facts are its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from litellm_gitops.proxy_facts import as_rendered
from tests.conftest import ROOT
from tests.proxy.running import program
from tests.support.configurations import (
    CALLS,
    EFFECT,
    HARMLESS,
    KEPT,
    MISTAKES,
    NAMES,
    SECTION,
    SPELT,
    STARTS,
    configuration,
)


@cache
def readings() -> dict[str, dict[str, Any]]:
    """What the proxy makes of each configuration of the tables."""
    changes = ["{}", *(change for change, _ in MISTAKES), *HARMLESS]
    key = f"sk-{secrets.token_hex(16)}"
    env = {"PROXY_MASTER_KEY": key, "LITELLM_SALT_KEY": key, "VENDOR_KEY": "none", "SET": "3"}
    texts = [yaml.safe_dump(as_rendered(configuration(change)), sort_keys=False) for change in changes]
    cases = [{"config": text, "env": env} for text in texts]
    outside = {"PATH": os.defpath, "HOME": "/nonexistent", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [program().with_name("python"), "-P", ROOT / "tests" / "proxy" / "reader.py"],
        input=json.dumps(cases),
        env={**outside, "LITELLM_MODE": "PRODUCTION"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = map(json.loads, done.stdout.splitlines())
    return {changes[each["number"]]: each for each in sorted(found, key=lambda each: int(each["number"]))}


def serves(reading: dict[str, Any]) -> bool:
    """Whether it starts, serves both models, and answers every call."""
    answers = {name: reading.get("answers", {}).get(name) for name in NAMES}
    return bool(reading["started"] and reading["alive"] == 200 and answers == dict.fromkeys(NAMES, 200))


def changed(reading: dict[str, Any]) -> list[str]:
    """The settings in effect that are others than without a change; a name that is new has no meaning to LiteLLM."""
    before, after = readings()["{}"]["state"], reading["state"]
    names = {*before} - {"Router.model_list", "Router.deployment_names"}
    return sorted(name for name in names if after.get(name) != before[name])


def why(reading: dict[str, Any]) -> str:
    """What became of a configuration."""
    shown = {key: reading.get(key) for key in ("started", "error", "served", "answers", "guardrails", "alive")}
    return f"{shown} {reading['log'][-1500:]}"


@pytest.mark.parametrize(("change", "rule"), MISTAKES, ids=[change for change, _ in MISTAKES])
def test_a_mistake_ends_as_its_rule_says(change: str, rule: str) -> None:
    reading, content = readings()[change], configuration(change)
    if rule == STARTS:
        assert not reading["started"], why(reading)
    elif rule == KEPT:
        wanted = [entry["guardrail_name"] for entry in content.get("guardrails", ())]
        kept = [*NAMES, *wanted]
        assert reading["started"], why(reading)
        assert not {*kept} <= {*reading["served"], *reading["guardrails"]}, why(reading)
    elif rule == CALLS:
        assert reading["started"], why(reading)
        assert not serves(reading), why(reading)
    elif rule == SPELT:
        literal = "os.environ/SET" in reading["state"]["Router.model_list"]
        assert literal or not serves(reading), why(reading)
    else:
        assert rule in (EFFECT, SECTION)
        assert serves(reading), why(reading)
        if rule == SECTION and not any(part in change for part in ("_args: ", "_params: ", "_policy: ")):
            assert changed(reading) == [], why(reading)


@pytest.mark.parametrize("change", HARMLESS)
def test_what_no_rule_minds_serves(change: str) -> None:
    reading = readings()[change]
    assert serves(reading), why(reading)
    wanted = [entry["guardrail_name"] for entry in configuration(change).get("guardrails", ())]
    assert reading["guardrails"] == wanted, why(reading)


def test_the_facts_are_those_of_the_release() -> None:
    command = [str(program().with_name("python")), "-P", str(ROOT / "tools" / "proxy_config.py"), "-"]
    environment = {"PATH": os.defpath, "HOME": "/nonexistent"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    file = ROOT / "src" / "litellm_gitops" / "schemas" / "proxy-config.json"
    assert done.stdout == file.read_text("utf-8"), "run `python -m tools.proxy_config`"
