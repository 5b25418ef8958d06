"""The published schemas are those that check-jsonschema brings, and say in one sentence what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from litellm_gitops.documents import Place
from litellm_gitops.schemas import published
from tools import published as generator
from tools.schemas import FOLDER, dumps

JOB = {"runs-on": "ubuntu-24.04", "steps": [{"run": "true"}]}


@pytest.mark.parametrize("name", generator.NAMES)
def test_a_schema_is_the_published_one(name: str) -> None:
    committed = (FOLDER / "published" / f"{name}.json").read_text("utf-8")
    assert dumps(generator.generate(name)) + "\n" == committed, "run `python -m tools.published`"


def test_the_published_schemas_are_small() -> None:
    assert sum(file.stat().st_size for file in (FOLDER / "published").iterdir()) < 200_000


@pytest.mark.parametrize(
    ("name", "value", "place", "what"),
    [
        (
            "github-workflows",
            {"on": ["pull_requests"], "jobs": {"a": JOB}},
            ("on", 0),
            "on.0 is unknown; did you mean pull_request?",
        ),
        (
            "github-workflows",
            {"on": "push", "jobs": {"a": JOB | {"timeout-minutes": "ten"}}},
            ("jobs", "a", "timeout-minutes"),
            "jobs.a.timeout-minutes is not of the type number",
        ),
        (
            "gitlab-ci",
            {"a": {"script": "true", "rules": [{"iff": "$A"}]}},
            ("a", "rules", 0, "iff"),
            "a.rules.0 has a field that does not exist: iff; did you mean if?",
        ),
        (
            "compose-spec",
            {"services": {"a": {"image": "a:1", "healtcheck": {}}}},
            ("services", "a", "healtcheck"),
            "services.a has a field that does not exist: healtcheck; did you mean healthcheck?",
        ),
    ],
)
def test_one_mistake_is_one_flaw(name: str, value: dict[str, Any], place: Place, what: str) -> None:
    assert published.flaws(name, value) == [(place, what)]


def test_what_another_file_brings_is_no_flaw() -> None:
    # PyYAML gives no value for a tag such as !reference
    assert (
        published.flaws("gitlab-ci", {"a": {"script": [None, "true"], "rules": None, "variables": {"A": None}}}) == []
    )


def test_the_rules_of_yamllint_are_those_that_it_has() -> None:
    content = json.loads((FOLDER / "programs" / "yamllint.json").read_text("utf-8"))
    written = {
        name: {*rule["oneOf"][1]["properties"]} - {"level", "ignore", "ignore-from-file"}
        for name, rule in content["properties"]["rules"]["properties"].items()
    }
    # in a process of its own: it changes how every loader of this one reads numbers
    code = "import json; from yamllint.rules import _RULES as all; "
    code += "print(json.dumps({name: [*getattr(each, 'CONF', ())] for name, each in all.items()}))"
    known = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert written == {name: {*options} for name, options in known.items()}
