"""The rules know exactly the fields that Flux and Argo CD define in their CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rules import shapes

import tools

CRDS = {
    "flux": ("source-controller-crds", "kustomize-controller-crds", "helm-controller-crds"),
    "argocd": ("argocd-crds",),
}
TYPES = {
    "text": "string",
    "number": "integer",
    "flag": "boolean",
    "duration": "string",
    "map": "object",
}
OF_NO_CLUSTER = {"viaduct.ai/v1 ksops"}  # read by Kustomize alone
KINDS = [(engine, kind) for engine in CRDS for kind in shapes.shapes(engine) if kind not in OF_NO_CLUSTER]


@pytest.fixture(scope="module")
def definitions() -> dict[str, dict[str, Any]]:
    """The schema of each kind that the engines define, by `apiVersion kind`."""
    found = {}
    for folder in (tools.path(name) for names in CRDS.values() for name in names):
        for file in sorted(Path(folder).glob("*.yaml")):
            spec = (yaml.load(file.read_text("utf-8"), yaml.CSafeLoader) or {}).get("spec", {})
            for version in spec.get("versions", []):
                key = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
                found[key] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


@pytest.mark.parametrize(("engine", "kind"), KINDS, ids=[kind for _, kind in KINDS])
def test_a_shape_is_that_of_the_engine(engine: str, kind: str, definitions: dict[str, dict[str, Any]]) -> None:
    differences = list(_compare(shapes.shapes(engine)[kind], definitions[kind], kind))
    assert not differences, "\n".join(differences)


def _compare(shape: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    if isinstance(shape, list):
        if schema.get("type") != "array":
            yield f"{path} is {schema.get('type')}, not a list"
        else:
            yield from _compare(shape[0], schema["items"], f"{path}[]")
    elif isinstance(shape, dict):
        known = {name.removesuffix("!"): inner for name, inner in shape.items()}
        properties = schema.get("properties", {})
        yield from (f"{path}.{name} is not a field" for name in known.keys() - properties.keys())
        yield from (f"{path}.{name} is not known" for name in properties.keys() - known.keys())
        required = {name[:-1] for name in shape if name.endswith("!")}
        if required != set(schema.get("required", [])):
            yield f"{path} requires {schema.get('required')}, not {sorted(required)}"
        for name in known.keys() & properties.keys():
            yield from _compare(known[name], properties[name], f"{path}.{name}")
    elif shape in TYPES:
        if schema.get("type") != TYPES[shape] or "enum" in schema:
            yield f"{path} is {schema.get('enum', schema.get('type'))}, not {shape}"
        if (shape == "duration") != ("ms|s|m" in schema.get("pattern", "")):
            yield f"{path} has the pattern {schema.get('pattern')}"
    elif shape != "anything" and set(shape.split(" | ")) != set(schema.get("enum", [])):
        yield f"{path} takes {schema.get('enum')}, not {shape}"
