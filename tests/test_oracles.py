"""What the rules work out by themselves, against the programs that know."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError as Refused

from litellm_gitops.documents import is_ambiguous, merge
from litellm_gitops.files import WorkingTree, ignored
from litellm_gitops.schemas import NoSchemaError, describe, kubernetes, versions

ROOT = Path(__file__).resolve().parent.parent

# ----- YAML 1.1 and 1.2 -----

# scalar -> whether its readers disagree
SCALARS = {
    "yes": True,
    "No": True,
    "ON": True,
    "off": True,
    "y": True,
    "N": True,
    "true": False,
    "False": False,
    "null": False,
    "~": False,
    "0777": True,
    "-07": True,
    "0o17": True,
    "0": False,
    "10": False,
    "0x1F": False,
    "1_000": True,
    "0b101": True,
    "12:30:45": True,
    "1:2": True,
    "1.5": False,
    "1e3": True,
    "1.5e+3": False,
    ".5": False,
    ".inf": False,
    "2025-04-01": True,
    "2025-04-01-preview": False,
    "2025-04-01T10:00:00Z": True,
    "=": True,
    "main": False,
    "os.environ/KEY": False,
    "1.2.3": False,
}


def node(text: str) -> yaml.ScalarNode:
    found = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(found, yaml.ScalarNode)
    return found


@pytest.mark.parametrize(("scalar", "expected"), SCALARS.items())
def test_a_scalar_is_ambiguous_where_its_readers_disagree(scalar: str, expected: bool) -> None:
    assert is_ambiguous(node(scalar)) == expected


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_quoted_scalar_is_never_ambiguous(scalar: str) -> None:
    assert not is_ambiguous(node(f'"{scalar}"'))
    assert not is_ambiguous(node(f"'{scalar}'"))


@given(st.text("0123456789abefnorstuxyEFINOTXY_.:+-~", min_size=1, max_size=9))
@example("0123")
@example("1_0")
@example("off")
def test_where_two_loaders_disagree_a_scalar_is_ambiguous(text: str) -> None:
    try:
        old = yaml.safe_load(f"key: {text}\n")["key"]
        new = YAML(typ="safe", pure=True).load(f"key: {text}\n")["key"]
    except (yaml.YAMLError, Refused, ValueError, TypeError):
        return
    if repr(old) != repr(new):
        assert is_ambiguous(node(text))


# ----- .gitignore -----

PATTERNS = {
    "*.env": ["a.env", "b/c.env", "env", ".env", "a.env/x"],
    "/keys/": ["keys/a", "keys", "a/keys/b", "keys/b/c"],
    "keys/": ["keys/a", "keys", "a/keys/b"],
    "access-token*": ["access-token", "access-token.bak", "a/access-token", "my-access-token"],
    "/a/*.key": ["a/x.key", "a/b/x.key", "b/a/x.key"],
    "a/**/z": ["a/z", "a/b/z", "a/b/c/z", "x/a/z"],
    "**/tmp": ["tmp", "tmpx", "a/tmp", "a/b/tmp/x"],
    "out/**": ["out/a", "out/b/c", "out", "a/out/b"],
    ".*_cache/": [".x_cache/a", "b/.y_cache/c", ".z_cache"],
    "[ab].txt": ["a.txt", "b.txt", "c.txt"],
    "[!ab].txt": ["a.txt", "c.txt"],
    "file?": ["file1", "file12", "a/file2"],
    "# comment\n\\#x\n": ["#x", "# comment", "x"],
    "*.key\n!public.key": ["a.key", "public.key", "b/public.key"],
    "/dir/\n!/dir/a": ["dir/a", "dir/b", "x/dir/a"],
    "trailing   ": ["trailing", "trailing "],
    "a.b+c(d)": ["a.b+c(d)", "axb+c(d)"],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_gitignore_is_read_as_git_reads_it(pattern: str, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(pattern + "\n", "utf-8")
    by_itself = ignored(tmp_path, PATTERNS[pattern])
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert ignored(tmp_path, PATTERNS[pattern]) == by_itself
    assert by_itself != set(PATTERNS[pattern])


def listed(root: Path) -> tuple[list[str], frozenset[str]]:
    tree = WorkingTree(root)
    return tree.names, tree.tracked


def test_the_files_are_those_that_git_would_add(tmp_path: Path) -> None:
    for name in ("a.txt", "b/c.yaml", ".hidden/d", "keys/x.agekey", "b/e.rej", ".venv/lib/f.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", "utf-8")
    source = ROOT / "template" / ".gitignore"
    (tmp_path / ".gitignore").write_bytes(source.read_bytes())
    by_itself = [".gitignore", ".hidden/d", "a.txt", "b/c.yaml"]
    assert listed(tmp_path) == (by_itself, frozenset())
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert listed(tmp_path) == (by_itself, frozenset())
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert listed(tmp_path) == (by_itself, frozenset(by_itself))


# ----- Helm's merge, and the schemas of Kubernetes -----


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {}),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 2}}, {"a": 1}, {"a": 1}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_values_are_merged_as_helm_merges_them(below: Any, above: Any, merged: Any) -> None:
    kept = json.dumps([below, above])
    assert merge(below, above) == merged
    assert json.dumps([below, above]) == kept


def test_every_version_that_can_be_answered_has_its_schemas() -> None:
    pins = yaml.safe_load((ROOT / "policies" / "pins.yml").read_text("utf-8"))
    assert pins["kubernetes"]["versions"] == versions()
    assert pins["kubernetes"]["default"] in versions()


SECRET: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
MANIFESTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "a good Secret": (SECRET, None),
    "a field that does not exist": (
        {**SECRET, "sops": {}},
        "it has a field that does not exist: sops",
    ),
    "a value that is no text": (
        {**SECRET, "stringData": {"a": 4000}},
        "stringData.a is not of the type string",
    ),
    "a good Deployment": (
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "a", "image": "b"}]},
                },
            },
        },
        None,
    ),
    "a Deployment without a selector": (
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {}}},
        "spec lacks selector",
    ),
    "a good role": (
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "a"},
            "rules": [],
        },
        None,
    ),
}


@pytest.mark.parametrize("manifest", MANIFESTS)
@pytest.mark.parametrize("version", [versions()[0], versions()[-1]])
def test_a_manifest_is_accepted_where_kubernetes_validate_accepts_it(manifest: str, version: str) -> None:
    document, expected = MANIFESTS[manifest]
    errors = kubernetes(version, document["apiVersion"], document["kind"]).iter_errors(document)
    assert [describe(error) for error in errors] == ([expected] if expected else [])
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError:
        assert expected
    else:
        assert not expected


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("v1", "secret"),
        ("v1", "Deployment"),
        ("v2", "Secret"),
        ("extensions/v1beta1", "Ingress"),
        ("rbac/v1", "Role"),
        ("v1", "SecretList/../Secret"),
        ("../v1", "Secret"),
        ("apps/v1", "DeploymentSpec"),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("argoproj.io/v1alpha1", "Application"),
    ],
)
def test_what_kubernetes_does_not_know_has_no_schema(api_version: str, kind: str) -> None:
    with pytest.raises(NoSchemaError):
        kubernetes("1.35", api_version, kind)
