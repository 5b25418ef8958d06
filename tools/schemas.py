"""JSON Schemas of the kinds that a GitOps engine reads, from the CustomResourceDefinitions of the pinned releases.

`python -m tools.schemas` writes src/litellm_gitops/schemas/<engine>.json again: after a change of a pin, or of SETS.
A further set of kinds is a folder in policies/pins.yml (its module, version and place there) and its name below.
The API server drops a field that a definition does not name, so here such a field is an error. What a definition
computes (`x-kubernetes-validations`) is kept as a list of expressions, which rules/admission.py evaluates.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from litellm_gitops.languages import cel
from tools import ToolError, golang, process
from tools.errors import WayError
from tools.install import path
from tools.pins import find

Schema = dict[str, Any]

FOLDER = Path(__file__).resolve().parent.parent / "src" / "litellm_gitops" / "schemas"

# file -> names of folders in policies/pins.yml
SETS: Mapping[str, tuple[str, ...]] = {
    "flux": (
        "source-controller-crds",
        "kustomize-controller-crds",
        "helm-controller-crds",
        "notification-controller-api",
        "image-reflector-controller-api",
        "image-automation-controller-api",
        "flux-operator-crds",
    ),
    "argocd": ("argocd-crds",),
    "operators": ("prometheus-operator-crds", "cilium-crds"),
    "gateways": ("gateway-api-crds", "envoy-gateway-crds", "gke-gateway-api-crds"),
}
# Of a set with these, no others: what is rendered, and what an owner has beside it.
ALONE: Mapping[str, frozenset[str]] = {
    "operators": frozenset(
        {"AlertmanagerConfig", "CiliumNetworkPolicy", "PodMonitor", "Probe", "PrometheusRule", "ServiceMonitor"}
    ),
    "gateways": frozenset(
        {
            *("HTTPRoute", "ReferenceGrant", "BackendTLSPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy"),
            *("GCPBackendPolicy", "HealthCheckPolicy"),
        }
    ),
}

_KEPT = {"type", "enum", "pattern", "required", "properties", "items", "additionalProperties", "uniqueItems"}
_KEPT |= {f"{end}{what}" for end in ("min", "max") for what in ("Length", "Items", "Properties", "imum")}
_KEPT |= {"anyOf", "oneOf", "allOf", "not", "default"}  # a default may decide what is computed
# They do not say what is valid; a `format` only repeats the type here (int64), or is checked by nobody (date-time).
_DROPPED = {"description", "title", "example", "externalDocs", "format"}
_COMPUTED = "x-kubernetes-validations"
_ANY_CASE = "(?i)"
# Fields that have other names in other channels and releases: what is not known in them is no error.
_OF_A_CHANNEL = {"sessionPersistence"}

# What a definition does not say. An engine takes more metadata than these, but git holds no more of an object; the
# definition says only that it is an object, and an annotation that is a number would be refused by the API server.
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}
# Written by controllers, or an order to do something once: neither is state that git should hold.
_NOT_IN_GIT = {"status", "operation"}
_SHARED_FROM = 200  # characters of JSON from which on a schema that is there twice is written once
_WIDTH = 120


class _Loader(yaml.CSafeLoader):
    """Takes a bare = for the text that it is to all but YAML 1.1."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def generate(engine: str) -> Schema:
    """The content of <engine>.json: `versions` it was made of, `kinds` by `apiVersion kind`, `$defs` that they share,
    and the names of `others` that have no schema here.

    Raises ToolError where a source cannot be had, or holds what this does not know how to say in JSON Schema.
    """
    versions: dict[str, str] = {}
    kinds: dict[str, Schema] = {}
    others: list[str] = []
    for name in SETS[engine]:
        pin = find(name)
        versions[pin.tool] = pin.version
        for definition in _definitions(path(name)):
            if engine not in ALONE or definition["spec"]["names"]["kind"] in ALONE[engine]:
                kinds.update(_kinds(definition))
            else:
                others += _names(definition)
    kinds, shared = _share(dict(sorted(kinds.items())))
    return {
        "$comment": "Made by `python -m tools.schemas`, not by hand.",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "versions": versions,
        **({"others": sorted(others)} if others else {}),
        "$defs": {"metadata": METADATA} | shared,
        "kinds": kinds,
    }


def dumps(value: Any, depth: int = 0, before: int = 0) -> str:
    """JSON with a line for whatever fits into one, so that a change of a definition is a change of few lines."""
    line = json.dumps(value, ensure_ascii=False)
    if depth + before + len(line) < _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    named = isinstance(value, dict)
    members = [(f"{json.dumps(key)}: ", value[key]) for key in value] if named else [("", each) for each in value]
    margin = " " * (depth + 1)
    lines = ",\n".join(f"{margin}{key}{dumps(each, depth + 1, len(key))}" for key, each in members)
    start, end = "{}" if named else "[]"
    return f"{start}\n{lines}\n{margin[1:]}{end}"


def _definitions(folder: Path) -> Iterator[Schema]:
    """The CustomResourceDefinitions of a folder: its YAML files, or what controller-gen makes of the Go types in it."""
    if not (folder / "go.mod").exists():
        for file in sorted(folder.glob("*.yaml")):
            for definition in yaml.load_all(file.read_text("utf-8"), _Loader):
                if definition and definition.get("kind") == "CustomResourceDefinition":
                    yield definition
        return
    with tempfile.TemporaryDirectory() as made:
        arguments = ["crd", "paths=./...", f"output:crd:dir={made}"]
        try:
            go = golang.find_go(golang.go_directive(folder / "go.mod"))
            environment = golang.environment()
            environment["PATH"] = f"{go.parent}:{environment['PATH']}"  # controller-gen asks it for the packages
            process.run([path("controller-gen"), *arguments], folder, environment)
        except WayError as error:
            raise ToolError(f"controller-gen makes nothing of {folder}: {error}") from None
        yield from _definitions(Path(made))


def _names(definition: Schema) -> list[str]:
    """`apiVersion kind` of each version of a definition that the API server takes."""
    spec = definition["spec"]
    versions = [each["name"] for each in spec["versions"] if each["served"]]
    return [f"{spec['group']}/{version} {spec['names']['kind']}" for version in versions]


def _kinds(definition: Schema) -> Iterator[tuple[str, Schema]]:
    """(`apiVersion kind`, schema of a whole object) for each version that the API server takes."""
    spec = definition["spec"]
    for version in spec["versions"]:
        api_version, kind = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
        if not version["served"] or version.get("deprecated"):
            continue
        fields = version["schema"]["openAPIV3Schema"]["properties"]
        own = {name: _strict(inner) for name, inner in fields.items() if name not in _NOT_IN_GIT}
        head = {"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": {"$ref": "#/$defs/metadata"}}
        # Flux's definitions do not require a spec, its controllers do
        required = ["apiVersion", "kind", "metadata", *(["spec"] if "spec" in own and "specs" not in own else [])]
        yield (
            f"{api_version} {kind}",
            {"type": "object", "required": required, "properties": own | head, "additionalProperties": False},
        )


def _strict(schema: Schema, name: str = "") -> Schema:
    """A schema of a definition (OpenAPI 3.0, structural) in JSON Schema, closed where the API server drops fields."""
    unknown = {key for key in schema if not key.startswith("x-kubernetes-")} - _KEPT - _DROPPED
    if unknown:
        words = ", ".join(sorted(unknown))
        raise ToolError(f"{name or 'a schema'} has {words}: say in tools/schemas.py what that means")
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if _ANY_CASE in schema.get("pattern", ""):  # Go takes it anywhere, Python in front alone
        kept["pattern"] = _ANY_CASE + schema["pattern"].replace(_ANY_CASE, "")
    if schema.get("x-kubernetes-int-or-string"):
        kept.pop("anyOf", None)
        kept["type"] = ["integer", "string"]
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and not is_open:
        kept["additionalProperties"] = name in _OF_A_CHANNEL
    rules = [each["rule"] for each in schema.get(_COMPUTED, ()) if "oldSelf" not in each["rule"]]
    if rules and name not in _OF_A_CHANNEL:
        kept[_COMPUTED] = [" ".join(rule.split()) for rule in rules]
        for rule in rules:
            try:
                cel.parsed(rule)
            except cel.CelError as error:
                raise ToolError(
                    f"{name or 'a schema'} computes what litellm_gitops/languages/cel.py cannot: {error}"
                ) from None
    return _each(kept, lambda key, inner: _strict(inner, key))


def _each(schema: Schema, change: Callable[[str, Schema], Schema]) -> Schema:
    """The schema with `change(name, inner)` in the place of every schema directly inside it."""
    changed = dict(schema)
    if "properties" in schema:
        changed["properties"] = {name: change(name, inner) for name, inner in schema["properties"].items()}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            changed[key] = change("", schema[key])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            changed[key] = [change("", inner) for inner in schema[key]]
    return changed


def _share(kinds: dict[str, Schema]) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """(kinds, `$defs`): what is there more than once is written once, which makes argocd.json 20 times smaller."""
    seen: Counter[str] = Counter()

    def count(name: str, schema: Schema) -> Schema:
        key = json.dumps(schema)
        seen[key] += 1
        return _each(schema, count) if seen[key] == 1 else schema  # what is in it counts once, too

    shared: dict[str, Schema] = {}
    names: dict[str, str] = {}

    def replace(name: str, schema: Schema) -> Schema:
        key = json.dumps(schema)
        if seen[key] == 1 or len(key) < _SHARED_FROM:
            return _each(schema, lambda inner, child: replace(inner or name, child))
        if key not in names:
            names[key] = next(free for free in _numbered(name) if free not in shared)
            shared[names[key]] = {}  # the name is taken before what is in it asks for one
            shared[names[key]] = _each(schema, lambda inner, child: replace(inner or name, child))
        return {"$ref": f"#/$defs/{names[key]}"}

    for name, schema in kinds.items():
        count(name, schema)
    return {name: replace(name, schema) for name, schema in kinds.items()}, shared


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while number := number + 1:
        yield f"{name}{number}"


def main() -> int:
    """Writes the files again; the exit code."""
    try:
        for engine in SETS:
            (FOLDER / f"{engine}.json").write_text(dumps(generate(engine)) + "\n", "utf-8")
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
