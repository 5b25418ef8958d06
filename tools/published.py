"""Schemas that others publish, of the files around a repository's manifests: without the words for a reader.

`python -m tools.published` writes src/litellm_gitops/schemas/published/<name>.json again, of what check-jsonschema
brings: GitHub's workflows and Dependabot (SchemaStore, Apache-2.0), GitLab's pipelines (GitLab, MIT), Compose
(Apache-2.0), Renovate (the names and types of its options).
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from typing import Any

from tools.schemas import FOLDER, Schema, dumps

NAMES = ("compose-spec", "dependabot", "github-workflows", "gitlab-ci", "renovate")
_ORIGIN = {
    "compose-spec": "https://github.com/compose-spec/compose-spec, Apache-2.0",
    "dependabot": "https://github.com/SchemaStore/schemastore, Apache-2.0",
    "github-workflows": "https://github.com/SchemaStore/schemastore, Apache-2.0",
    "renovate": "https://docs.renovatebot.com/renovate-schema.json",
    "gitlab-ci": "https://gitlab.com/gitlab-org/gitlab, MIT, Copyright (c) 2011-present GitLab B.V.",
}
# what says a person, or an editor, what to write; a format is checked by nobody here
_DROPPED = {"$comment", "title", "description", "markdownDescription", "examples", "default", "format", "deprecated"}
_DROPPED |= {"enumDescriptions", "markdownEnumDescriptions", "doNotSuggest", "deprecationMessage"}
_NAMED = {"properties", "patternProperties", "definitions", "$defs", "dependencies"}  # whose keys are no keywords


def generate(name: str) -> Schema:
    """The content of published/<name>.json."""
    content = json.loads((files("check_jsonschema.builtin_schemas.vendor") / f"{name}.json").read_text("utf-8"))
    made: Schema = _closed(_kept(content), content.get("$defs", {}))
    if name == "renovate":
        made = _flat(made)
    return {"$comment": f"Made by `python -m tools.published`, not by hand, of {_ORIGIN[name]}.", **made}


def _kept(value: Any, named: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: _kept(inner, key in _NAMED and not named)
            for key, inner in value.items()
            if named or key not in _DROPPED
        }
    return [*map(_kept, value)] if isinstance(value, list) else value


def _closed(value: Any, shared: dict[str, Any]) -> Any:
    """What is closed around what it includes (unevaluatedProperties) as one closed mapping."""
    if isinstance(value, list):
        return [_closed(each, shared) for each in value]
    if not isinstance(value, dict):
        return value
    value = {key: _closed(inner, shared) for key, inner in value.items()}
    if value.get("unevaluatedProperties") is not False or not all("$ref" in each for each in value.get("allOf", ())):
        return value
    included = [_kept(shared[each["$ref"].rpartition("/")[2]]) for each in value.pop("allOf", ())]
    for keyword in ("properties", "patternProperties"):
        parts = [*(each.get(keyword, {}) for each in included), value.get(keyword, {})]
        value[keyword] = {key: inner for part in parts for key, inner in part.items()}
    del value["unevaluatedProperties"]
    return value | {"additionalProperties": False}


def _flat(schema: Schema) -> Schema:
    """Renovate's, in which what holds other options holds any of them: a hundred managers, and rules for packages."""
    options: dict[str, Any] = {}
    for name, option in schema["definitions"].items():
        inner = option.get("items", {}) if option.get("type") == "array" else option
        if "allOf" in inner or "properties" in inner:
            option = {"type": "array", "items": {"$ref": "#"}} if inner is not option else {"allOf": [{"$ref": "#"}]}
        options[name] = option
    made = {"$schema": schema["$schema"], "type": "object", "properties": options}
    flat: Schema = json.loads(json.dumps(made).replace("#/definitions/", "#/properties/"))
    return flat


def main() -> int:
    """Writes the files again; the exit code."""
    for name in NAMES:
        (FOLDER / "published" / f"{name}.json").write_text(dumps(generate(name)) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
