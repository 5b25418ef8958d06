"""What a person sees of the questions in a terminal of 80 columns: every help and every refusal, whole."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.answers import ACCOUNT, ENVIRONMENTS, KEYLESS, PROVIDERS, needed, redis_hosts
from tests.support.terminal import COLUMNS, Terminal, terminal

BAD = " no thing"  # what no question takes
BACK = "\x7f"
CLEAR = f"\x15{BACK}\x15"  # a number stands there in two lines
KMS = {
    "aws_kms_key": "arn:aws:kms:us-west-2:123456789012:alias/sops",
    "aws_kms_identity": "",
    "gcp_kms_key": "projects/example-ai/locations/global/keyRings/gitops/cryptoKeys/sops",
    "gcp_kms_identity": "",
    "azure_kms_key": "https://example.vault.azure.net/keys/sops/0123456789abcdef0123456789abcdef",
    "azure_kms_identity": "0f0e0d0c-0b0a-0908-0706-050403020101",
}
GOOD: dict[str, str] = {
    "age_recipients": "[]",
    "commit_signers": "[]",
    "replicas": "2",
    "max_replicas": "2",
    "vertex_project": "example-ai",
    "azure_openai_endpoint": "https://example.openai.azure.com/",
    **{f"{environment}_gcp_service_account": ACCOUNT for environment in ENVIRONMENTS},
    **redis_hosts(),
    **KMS,
    **{f"{environment}_gateway": "gateways/public" for environment in ENVIRONMENTS},
    **{f"{environment}_database_host": "litellm.db.example.internal" for environment in ENVIRONMENTS},
}
for _environment, _methods in KEYLESS.items():
    for _method in _methods.values():
        GOOD |= needed(_environment, _method)
EVERYTHING = {"cluster_environments": [*ENVIRONMENTS], "providers": [*PROVIDERS]}
# What is chosen, so that together every question is asked.
INTERVIEWS: dict[str, dict[str, Any]] = {
    "keyless": {**EVERYTHING, "credentials": "keyless", "redis": "external", "interview": "full"},
    "each": {**EVERYTHING, "credentials": "each", "chart": "litellm", "exposure": "gateway", "interview": "quick"},
    "bundled": {**EVERYTHING, "redis": "bundled", "interview": "quick"},
}


@cache
def questions() -> dict[str, dict[str, Any]]:
    """The questions of copier.yml."""
    content = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    return {name: entry for name, entry in content.items() if name[0] != "_" and entry.get("when") is not False}


def asked(screen: Terminal) -> str | None:
    """The question that is on the screen with the whole of its help, the last one that is."""
    lines = [line.removeprefix("🎤").removeprefix("  ").strip() for line in screen.lines]
    found = None
    place = -1
    for name, question in questions().items():
        wanted = [line.strip() for line in question["help"].strip().splitlines()]
        for start in range(len(lines) - len(wanted) + 1):
            if all(line.endswith(part) for line, part in zip(lines[start:], wanted, strict=False)) and start > place:
                found, place = name, start
    return found


def refusal(screen: Terminal) -> str:
    """What stands in the bar under a question, or nothing."""
    return next((line for line in screen.lines if line.startswith("Validation error for question")), "")


@pytest.mark.parametrize("name", INTERVIEWS)
def test_every_help_and_every_refusal_is_read_whole(name: str, template: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.yml"
    given.write_text(yaml.safe_dump(INTERVIEWS[name]), "utf-8")
    command = [sys.executable, "-m", "copier", "copy", "--trust", "--skip-tasks", f"--data-file={given}"]
    seen: list[str] = []
    with terminal([*command, template, tmp_path / "new"], tmp_path) as screen:
        while True:
            screen.wait(lambda: asked(screen) not in (None, *seen), f"the question after {seen[-1:]}")
            if screen.ended:
                break
            seen.append(question := str(asked(screen)))
            if "choices" not in questions()[question]:
                # behind the default, or in its place
                screen.type(f"{CLEAR if question in GOOD else ''}{BAD}\r")
                screen.wait(lambda: bool(refusal(screen)), f"the refusal of {question}")
                said = refusal(screen)
                assert f"'{question}': " in said
                assert said.partition("': ")[2].startswith(("use ", "leave out "))
                assert len(said) < COLUMNS, said
                screen.type(f"{CLEAR}{GOOD[question]}" if question in GOOD else BACK * len(BAD))
            screen.type("\r")
    assert seen
