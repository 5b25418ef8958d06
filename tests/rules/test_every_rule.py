"""What holds for every rule: a fault that it finds, no finding in a repository as it is rendered, no traceback."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_gitops import rules
from tests.support.answers import answers, everything
from tests.support.faults import ANSWERS, AWS, MATRIX, POLICY, RULES, SHARED, credential, git, write
from tests.support.findings import UNREADABLE, Copy, findings, report

BASES = {
    "everything": everything(),
    "argocd": everything(gitops_engine="argocd"),
    "gitlab": everything(ci_platform="gitlab"),
    "small": answers(["gcp"], ["bedrock"]),
    "bundled": answers(["gcp"], ["bedrock"], redis="bundled"),
}


# What only a bigger repository around this one shows: tests/test_monorepo.py
OF_A_MONOREPO = {"the_project_stands_where_the_answers_say", "a_monorepo_runs_the_pipeline"}


def test_every_rule_has_a_fault_that_it_finds() -> None:
    tables = [
        getattr(importlib.import_module(f"tests.rules.{path.stem}"), "FAULTS", {})
        for path in Path(__file__).parent.glob("test_*.py")
    ]
    covered = {fault[0] for faults in tables for fault in faults.values()}
    assert covered - {UNREADABLE} | OF_A_MONOREPO == set(rules.load())


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_a_rendered_repository_breaks_no_rule_in_git_or_before(base: dict[str, Any], repository: Copy) -> None:
    root = repository(base)
    found = findings(root)
    assert not found, report(found)
    git(root, "init", "--quiet")
    for form, name in (("aws", "deployment_outputs.env"), ("github", "access-token"), ("age", "keys/aws.agekey")):
        credential(form, name)(root)
    assert not findings(root), report(findings(root))
    git(root, "add", ".")
    assert not findings(root), report(findings(root))


ODD: list[Any] = [
    *(None, 1, 1.5, True, "x", "", [], {}, [{}], [[1]], {"a": 1}, {1: 2}, [None], {"a": {"b": []}}),
]


AROUND = (".github/workflows/validate.yaml", "docker-compose.yml", ".pre-commit-config.yaml")


@pytest.mark.parametrize(
    "file", [AWS, SHARED, MATRIX, POLICY, ANSWERS, "secrets/aws/litellm-redis.sops.yaml", RULES, *AROUND]
)
def test_a_value_of_any_type_fails_no_rule(file: str, repository: Copy) -> None:
    root = repository(everything())
    text = (root / file).read_text("utf-8")
    choose = random.Random(file)
    paths = list(_paths(yaml.safe_load(text)))
    for path in choose.sample(paths, min(20, len(paths))):
        content = [yaml.safe_load(text)]
        *above, last = (0, *path)
        place: Any = content
        for part in above:
            place = place[part]
        place[last] = choose.choice(ODD)
        write(file, yaml.safe_dump(content[0], sort_keys=False))(root)
        assert "failed on a value of an unexpected type" not in report(findings(root)), (path, place[last])


@pytest.mark.parametrize("file", ["clusters/aws/account.yaml", "clusters/aws/secrets.yaml"])
def test_a_field_of_a_manifest_that_is_a_list_fails_no_rule(file: str, repository: Copy) -> None:
    root = repository(everything())
    text = (root / file).read_text("utf-8")
    for path in [each for each in _paths([*yaml.safe_load_all(text)]) if 2 <= len(each) <= 3]:
        content = [*yaml.safe_load_all(text)]
        place: Any = content
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = [{}]
        write(file, yaml.safe_dump_all(content, sort_keys=False))(root)
        assert "failed on a value of an unexpected type" not in report(findings(root)), path


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if not isinstance(value, dict | list):
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _paths(entry, (*path, key))
