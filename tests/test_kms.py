"""A key of the cloud beside age: it is in the creation rule, and a file that lacks it is found. No cloud is called."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.findings import codes, findings, report
from tests.support.inputs import Inputs
from tests.support.sealed import environment, seal

ARN = "arn:aws:kms:us-west-2:123456789012:key/0f0e0d0c-0b0a-0908-0706-050403020100"
RESOURCE = "projects/example-ai/locations/global/keyRings/gitops/cryptoKeys/sops"
VAULT = "https://example.vault.azure.net"
VERSION = "0123456789abcdef0123456789abcdef"
# environment -> (its answers, the field of the rule, how sops 3.13 writes that key into a sealed file)
CLOUDS: dict[str, tuple[dict[str, str], str, dict[str, Any]]] = {
    "aws": (
        {"aws_kms_key": ARN, "aws_kms_identity": "arn:aws:iam::123456789012:role/flux"},
        "kms",
        {
            "kms": [
                {
                    "arn": ARN,
                    "created_at": "2026-01-01T00:00:00Z",
                    "enc": "AQICAHh=",
                    "aws_profile": "",
                }
            ]
        },
    ),
    "gcp": (
        {
            "gcp_kms_key": RESOURCE,
            "gcp_kms_identity": "flux-sops@example-ai.iam.gserviceaccount.com",
        },
        "gcp_kms",
        {"gcp_kms": [{"resource_id": RESOURCE, "created_at": "2026-01-01T00:00:00Z", "enc": "CiQA="}]},
    ),
    "azure": (
        {
            "azure_kms_key": f"{VAULT}/keys/sops/{VERSION}",
            "azure_kms_identity": "00000000-0000-0000-0000-000000000001",
        },
        "azure_keyvault",
        {
            "azure_kv": [
                {
                    "vault_url": VAULT,
                    "name": "sops",
                    "version": VERSION,
                    "created_at": "2026-01-01T00:00:00Z",
                    "enc": "abc",
                }
            ]
        },
    ),
}


def render_for(cloud: str, render: Callable[..., Path], tmp_path: Path, **more: Any) -> Path:
    answers: dict[str, Any] = {
        "cluster_environments": [cloud],
        "providers": ["github_copilot"],
        **more,
    }
    return Path(shutil.copytree(render(**answers), tmp_path / "repository"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Inputs().write(tmp_path / "inputs")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_rule_names_the_key_beside_age_and_a_file_must_be_sealed_for_both(
    cloud: str, render: Callable[..., Path], tmp_path: Path, folder: Path
) -> None:
    answers, field, metadata = CLOUDS[cloud]
    plain = render_for(cloud, render, tmp_path)
    assert seal(plain, inputs=folder).returncode == 0
    root = Path(
        shutil.copytree(
            render(cluster_environments=[cloud], providers=["github_copilot"], **answers),
            tmp_path / "kms",
        )
    )
    for part in ("secrets", "keys", ".sops.yaml", "litellm"):
        source = plain / part
        if source.is_dir():
            shutil.copytree(source, root / part, dirs_exist_ok=True)
        else:
            shutil.copy(source, root / part)

    # the key is answered, and neither the rule nor the files know it
    answer = seal(root, "--check")
    assert answer.returncode == 5
    key = answers[f"{cloud}_kms_key"]
    assert f"add `{field}: {key}` to it" in answer.stderr

    config = root / ".sops.yaml"
    config.write_text(config.read_text().replace("    age:\n", f"    {field}: {key}\n    age:\n"))
    answer = seal(root, "--check")
    assert answer.returncode == 5
    assert f"the rule of {cloud} names others than its files are sealed for: " in answer.stderr

    for path in (root / "secrets" / cloud).glob("*.sops.yaml"):
        manifest = yaml.safe_load(path.read_text())
        manifest["sops"].update(metadata)
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    assert seal(root).returncode == 0, "the checksums follow"
    assert seal(root, "--check").returncode == 0

    # whoever writes to git makes sops assume a role of his
    kind, (entry,) = next(iter(metadata.items()))
    path = root / "secrets" / cloud / "litellm-masterkey.sops.yaml"
    manifest["sops"][kind] = [{**entry, "role": "arn:aws:iam::999999999999:role/x"}]
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    assert f"has an unexpected role in sops.{kind}" in seal(root, "--check").stderr


ENGINES = {
    "flux": ("clusters/aws/flux-setup/serviceaccount.yaml", "clusters/aws/secrets.yaml"),
    "argocd": (
        "clusters/aws/argocd-setup/serviceaccount.yaml",
        "clusters/aws/argocd-setup/argocd-repo-server.yaml",
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_decrypts_with_its_identity_and_stores_no_age_key(
    engine: str, cloud: str, render: Callable[..., Path], sealed: Callable[..., Path]
) -> None:
    answers, _, _ = CLOUDS[cloud]
    given = {
        "cluster_environments": [cloud],
        "providers": ["github_copilot"],
        "gitops_engine": engine,
    }
    root = sealed(**given, **answers)
    assert not findings(root), report(findings(root))
    cluster = "\n".join(path.read_text() for path in (root / "clusters").rglob("*.yaml"))
    assert answers[f"{cloud}_kms_identity"] in cluster
    assert "sops-age" not in cluster
    assert "create secret generic sops-age" not in (root / "README.md").read_text()
    plain = "\n".join(path.read_text() for path in (render(**given) / "clusters").rglob("*.yaml"))
    assert "serviceaccount" not in {path.stem for path in (render(**given) / "clusters").rglob("*")}
    assert answers[f"{cloud}_kms_identity"] not in plain


@pytest.mark.parametrize("engine", ENGINES)
def test_another_identity_than_the_answered_one_is_found(
    engine: str, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    given = {
        "cluster_environments": ["aws"],
        "providers": ["github_copilot"],
        "gitops_engine": engine,
    }
    root = Path(shutil.copytree(sealed(**given, **CLOUDS["aws"][0]), tmp_path / "repository"))
    account = root / ENGINES[engine][0]
    account.write_text(account.read_text().replace("role/flux", "role/other"))
    assert codes(findings(root)) == ["the_engine_has_the_identity_that_decrypts"]
    account.unlink()
    assert codes(findings(root)) == ["the_engine_has_the_identity_that_decrypts"]


def test_a_static_key_beside_the_identity_is_found(sealed: Callable[..., Path], tmp_path: Path) -> None:
    given = {"cluster_environments": ["aws"], "providers": ["github_copilot"]}
    root = Path(shutil.copytree(sealed(**given, **CLOUDS["aws"][0]), tmp_path / "repository"))
    path = root / ENGINES["flux"][1]
    path.write_text(path.read_text() + "    secretRef:\n      name: sops-age\n")
    assert codes(findings(root)) == ["flux_decrypts_the_secrets"]


def test_a_new_rule_has_the_key_and_sops_is_asked_to_use_it(
    render: Callable[..., Path], tmp_path: Path, folder: Path
) -> None:
    answers, _, _ = CLOUDS["aws"]
    root = render_for("aws", render, tmp_path, **answers)
    # a sops that notes its rule, because the real one would call AWS
    program = tmp_path / "bin" / "sops"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec echo sops 3.13.3\n'
        f'cat "$2" > {tmp_path}/rule; env > {tmp_path}/env; exit 9\n'
    )
    program.chmod(0o755)
    env = environment(folder, AWS_PROFILE="operator", AWS_SECRET_ACCESS_KEY="not-for-sops")
    answer = seal(root, env={**env, "PATH": f"{program.parent}:/usr/bin:/bin"})
    assert answer.returncode == 1
    rule = yaml.safe_load((tmp_path / "rule").read_text())["creation_rules"][0]
    assert rule["kms"] == ARN
    assert len(rule["age"]) == 1
    told = (tmp_path / "env").read_text()
    assert "AWS_PROFILE=operator" in told
    assert "not-for-sops" not in told
    assert not (root / ".sops.yaml").exists()
