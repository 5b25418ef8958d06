"""The closed schemas of a repository's values: what they take the tests' charts render, and nothing else is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from litellm_gitops import schemas
from tests.support.charts import CHARTS, NAMES

HELM, MONOLITH = NAMES

# What a repository may set and the stand-ins do not render: components of their own, beside the proxy.
NOT_RENDERED = {
    HELM: {
        *("billingMetrics", "collector", "dataManager", "k8s-aibom", "lensWorker", "liteadmin", "postgresql"),
        *("spendWorker", "db.useStackgresOperator"),
    },
    MONOLITH: {"billingMetrics", "gateway.collector", "lens", "liteadmin"},
}


def keys(schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """The dotted places of a closed schema."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}{name}"
        yield from keys(inner, f"{at}{name}.")


@pytest.mark.parametrize("chart", NAMES)
def test_what_a_repository_may_set_the_stand_in_renders(chart: str) -> None:
    own = json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8"))
    rendered_here = set(keys(resolved(own, own)))
    schema: Any = schemas.values(chart).schema
    allowed = set(keys(schema["properties"][chart]))
    open_here = {place for place in rendered_here if not any(each.startswith(f"{place}.") for each in rendered_here)}
    missing = {
        place
        for place in allowed - rendered_here
        if not any(place == each or place.startswith(f"{each}.") for each in NOT_RENDERED[chart] | open_here)
    }
    assert not missing


def resolved(schema: Any, root: dict[str, Any]) -> Any:
    """A schema with its references in their place."""
    if isinstance(schema, dict):
        if reference := schema.get("$ref"):
            return resolved(root["definitions"][reference.rpartition("/")[2]], root)
        return {key: resolved(value, root) for key, value in schema.items() if key != "definitions"}
    return [resolved(each, root) for each in schema] if isinstance(schema, list) else schema


# The least that the schema of the newer chart asks for.
LEAST: dict[str, Any] = {
    "image": {"repository": "ghcr.io/berriai/litellm", "tag": "v1.108.20"},
    "monolith": {"enabled": True},
    "masterKey": {"secretName": "litellm-masterkey", "secretKey": "masterkey"},
    "database": {"writer": {"host": "db.internal", "dbname": "litellm", "passwordSecret": {"name": "own"}}},
    "migrationJob": {"hooks": {"helm": {"enabled": True}, "argocd": {"enabled": False}}},
    "gateway": {
        "config": {
            "proxy_config": {"model_list": [], "general_settings": {"master_key": "os.environ/PROXY_MASTER_KEY"}}
        }
    },
}
# values over these -> where it is wrong; nothing where all is well
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "the least": ({}, ""),
    "a setting of the proxy that is null": (
        {"gateway": {"config": {"proxy_config": {"litellm_settings": {"callbacks": None}}}}},
        "",
    ),
    "variables as a list": ({"gateway": {"extraEnv": [{"name": "OWN", "value": "1"}]}}, ""),
    "variables as a mapping": ({"gateway": {"extraEnv": {"OWN": "1"}}}, "gateway.extraEnv"),
    "a variable that is a number": (
        {"gateway": {"extraEnv": [{"name": "OWN", "value": 1}]}},
        "gateway.extraEnv.0.value",
    ),
    "a misspelt key": ({"gateway": {"replicasCount": 2}}, "gateway.replicasCount"),
    "a misspelt key of the Job": ({"migrationJob": {"activeDeadline": 1}}, "migrationJob.activeDeadline"),
    "a key of the older chart": ({"replicaCount": 2}, "replicaCount"),
    "a component that the layout ignores": ({"backend": {"replicaCount": 2}}, "backend"),
    "another layout": ({"monolith": {"enabled": False}}, "monolith.enabled"),
    "a Redis of the chart, even none": ({"redis": {"enabled": False}}, "redis.enabled"),
    "an image of a component": ({"gateway": {"image": {"tag": "v1"}}}, "gateway.image"),
    "a limit that null would take away": (
        {"gateway": {"resources": {"limits": {"cpu": None}}}},
        "gateway.resources.limits.cpu",
    ),
    "a probe that null would take away": ({"gateway": {"livenessProbe": None}}, "gateway.livenessProbe"),
    "a key that the chart makes": ({"masterKey": {"generate": True}}, "masterKey.generate"),
}


@pytest.mark.parametrize("name", SAID)
def test_the_newer_chart_s_own_schema_is_open_and_this_one_is_not(name: str) -> None:
    values, wrong = SAID[name]
    errors = schemas.values(MONOLITH).iter_errors({MONOLITH: over(LEAST, values)})
    assert [".".join(map(str, schemas.place(error)[1:])) for error in errors] == ([wrong] if wrong else [])


def over(below: Any, above: Any) -> Any:
    """As helm lays values over others, but that a null stays."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: over(below.get(key), value) for key, value in above.items()}
