"""A part of a file is lost, or all of it is another's: one finding, at that file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.test_one_cause import LOCKED, NEEDS, Told
from tests.support.answers import answers, everything
from tests.support.faults import AWS, AZURE, GCP, RULES, SHARED, Edit, change, delete, substitute, write
from tests.support.findings import Copy, Harmless, accepted, findings, report

VALUES, REFUSED = "the_values_fit_their_schema", "the_api_server_takes_every_manifest"
ON_GKE, MONITORS = "clusters/gcp/exposure.yaml", "clusters/aws/monitoring.yaml"
ACCOUNT, LISTED = "clusters/aws/account.yaml", "secrets/aws/kustomization.yaml"
SEALED, REDIS = "every_value_of_every_secret_is_sealed", "secrets/aws/litellm-redis.sops.yaml"
CHART_FILE, SCHEMA = "litellm/Chart.yaml", "every_manifest_fits_the_schema_of_its_kind"
ALL_OF_FLUX, ALL_OF_ARGOCD = "every_cluster_has_its_flux_objects", "every_cluster_has_its_argo_cd_objects"
LISTS, TAKEN = "every_kustomization_lists_exactly_what_is_there", "helm_takes_the_chart"
LIST, KSOPS = "clusters/aws/kustomization.yaml", "secrets/aws/ksops.yaml"
APPLIED = "every_file_of_a_cluster_is_applied"
ARGOCD, WATCHED = everything(gitops_engine="argocd"), everything(metrics="prometheus_operator")


def copied(file: str, to: str) -> Edit:
    """Puts the content of a file into another."""

    def apply(root: Path) -> None:
        (root / to).write_bytes((root / file).read_bytes())

    return apply


def renamed(file: str, to: str) -> Edit:
    """Gives a file of a cluster another name."""

    def apply(root: Path) -> None:
        (root / "clusters/aws" / file).rename(root / "clusters/aws" / to)

    return apply


def cut(file: str, end: str) -> Edit:
    """Takes away all of a file from the line of a key on."""
    return substitute(file, rf"^ +{end}:\n(?:.*\n)*", "")


def everywhere(pattern: str, old: str, new: str) -> Edit:
    """Writes a text in place of another in all files of a pattern, as sed does."""

    def apply(root: Path) -> None:
        for path in root.glob(pattern):
            path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    return apply


def ends(file: str, line: int) -> Edit:
    """Takes away what stands in a file after a line."""

    def apply(root: Path) -> None:
        lines = (root / file).read_text("utf-8").splitlines(keepends=True)
        (root / file).write_text("".join(lines[:line]), "utf-8")

    return apply


def without_object(file: str, kind: str) -> Edit:
    """Takes one of the objects of a file away."""

    def apply(root: Path) -> None:
        objects = (root / file).read_text("utf-8").split("\n---\n")
        kept = [each for each in objects if f"\nkind: {kind}\n" not in each]
        assert len(kept) == len(objects) - 1
        (root / file).write_text("\n---\n".join(kept), "utf-8")

    return apply


FAULTS: dict[str, Told] = {
    "an entry of a list for KSOPS one step too deep": (
        "every_yaml_file_is_yaml",
        "secrets/aws/ksops.yaml",
        change("secrets/aws/ksops.yaml", "  - ./litellm-redis", "    - ./litellm-redis"),
        ARGOCD,
    ),
    # a file of values as a whole
    "the values of another cluster": (NEEDS, GCP, copied(AWS, GCP)),
    "the values of another cluster, which have more": (NEEDS, AWS, copied(GCP, AWS)),
    "the values of another cluster without credentials": (NEEDS, AZURE, copied(GCP, AZURE), LOCKED),
    **{f"values of one cluster that end at {end}": (NEEDS, AWS, cut(AWS, end)) for end in ("volumes", "volumeMounts")},
    "settings of one cluster that are gone": (NEEDS, AWS, cut(AWS, "proxy_config")),
    "values of one cluster without most of its variables": (NEEDS, AZURE, cut(AZURE, "volumes"), LOCKED),
    **{
        f"shared values that end at {end}": (VALUES, SHARED, cut(SHARED, end))
        for end in ("migrationJob", "pdb", "lifecycle", "proxy_config")
    },
    "shared values without the settings of the proxy": (
        "every_request_needs_a_key",
        SHARED,
        cut(SHARED, "litellm_settings"),
        WATCHED,
    ),
    # a file of another cluster, an edit of all of it, a list that is cut off
    **{
        f"the {file} of another cluster": (
            rule,
            f"clusters/gcp/{file}",
            copied(f"clusters/aws/{file}", f"clusters/gcp/{file}"),
        )
        for file, rule in (
            ("exposure.yaml", "every_domain_is_the_answered_one"),
            ("secrets.yaml", "every_flux_path_leads_to_its_folder"),
        )
    },
    "another port for every path": (
        "every_way_in_leads_to_the_proxy",
        "clusters/aws/exposure.yaml",
        substitute("clusters/aws/exposure.yaml", "number: 4000", "number: 8080"),
    ),
    "half a list of Secrets": (
        "every_kustomization_lists_exactly_what_is_there",
        LISTED,
        substitute(LISTED, r"^  - litellm-m(?:.*\n)*", ""),
    ),
    "half a list of checksums": (
        "every_checksum_is_that_of_its_secret",
        "litellm/checksums-aws.yaml",
        substitute("litellm/checksums-aws.yaml", r"^ +checksum/litellm-m(?:.*\n)*", ""),
    ),
    # a sealed file, all of which is sealed again
    **{
        f"a sealed file that ends at {end}": (SEALED, REDIS, substitute(REDIS, rf"^ *{end}:(?:.*\n)*", ""))
        for end in ("metadata", "redis-password", "sops", "- enc", "lastmodified")
    },
    **{
        f"a sealed file with {word}": (SEALED, REDIS, change(REDIS, f"\n{meant}:", f"\n{word}:"))
        for meant, word in (("metadata", "metdata"), ("stringData", "stringDta"), ("kind", "knid"), ("type", "tpye"))
    },
    "a sealed file with a key one step less deep": (
        SEALED,
        REDIS,
        change(REDIS, "  redis-password:", "redis-password:"),
    ),
    "a sealed file whose namespace was encrypted": (
        SEALED,
        REDIS,
        change(REDIS, "namespace: litellm", "namespace: ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]"),
    ),
    # a word in place of another in many files
    "another namespace in all of a cluster": (
        ALL_OF_FLUX,
        ACCOUNT,
        everywhere("clusters/aws/**/*.yaml", "namespace: litellm\n", "namespace: ai\n"),
        WATCHED,
    ),
    "another name in all of a cluster": (
        ALL_OF_FLUX,
        "clusters/aws/namespace.yaml",
        everywhere("clusters/aws/**/*.yaml", "litellm", "llm"),
    ),
    "another project in all clusters": (
        ALL_OF_ARGOCD,
        "clusters/aws/project.yaml",
        everywhere("clusters/*/*.yaml", '"litellm-gitops"', '"gateway"'),
        ARGOCD,
    ),
    "another branch in all clusters": (
        "flux_follows_this_repository",
        "clusters/aws/source.yaml",
        everywhere("clusters/*/source.yaml", 'branch: "main"', 'branch: "master"'),
    ),
    "a word for azure in all of a cluster": (
        "the_ingress_is_the_answered_one",
        "clusters/azure/exposure.yaml",
        everywhere("clusters/azure/**/*.yaml", "azure", "prod"),
    ),
    "another Redis for all clusters": (
        "redis_is_the_answered_one",
        AWS,
        everywhere("litellm/*.yaml", "redis.example.internal", "redis.acme.internal"),
    ),
    "another variable for all clusters": (
        NEEDS,
        AWS,
        everywhere("litellm/values*.yaml", "VERTEX_PROJECT", "GCP_PROJECT"),
    ),
    "words of YAML 1.1 in all of a file": (
        "yaml_means_the_same_to_every_reader",
        SHARED,
        substitute(SHARED, ": true$", ": yes"),
    ),
    # a file that ends too early, of which several rules miss something
    **{
        f"{file} that ends at line {line}": (rule, f"clusters/aws/{file}", ends(f"clusters/aws/{file}", line), engine)
        for file, line, rule, engine in (
            ("exposure.yaml", 8, "every_domain_is_the_answered_one", everything()),
            ("kustomization.yaml", 7, "flux_applies_the_secrets", everything()),
            ("namespace.yaml", 8, "the_migrations_have_no_token", ARGOCD),
            ("root.yaml", 25, "a_failed_sync_is_tried_again", ARGOCD),
            ("project.yaml", 60, "argo_cd_reaches_the_namespace_alone", ARGOCD),
        )
    },
    "a creation rule without its end": ("every_cluster_has_one_sound_creation_rule", RULES, ends(RULES, 9)),
    "checksums without content": (
        "every_checksum_is_that_of_its_secret",
        "litellm/checksums-aws.yaml",
        ends("litellm/checksums-aws.yaml", 2),
    ),
    "the chart without its end": (TAKEN, CHART_FILE, ends(CHART_FILE, 5)),
    "a kind that is cut off": (SCHEMA, "clusters/aws/namespace.yaml", ends("clusters/aws/namespace.yaml", 1)),
    # a file in place of one of another kind
    "monitors in place of accounts": (ALL_OF_FLUX, ACCOUNT, copied(MONITORS, ACCOUNT), WATCHED),
    "a list of Secrets in place of an Ingress": (SCHEMA, ON_GKE, copied("policies/secrets.yml", ON_GKE)),
    "values in place of a list": (SCHEMA, LIST, copied(AWS, LIST)),
    "checksums in place of KSOPS": (LISTS, KSOPS, copied("litellm/checksums-aws.yaml", KSOPS), ARGOCD),
    "KSOPS in place of an Ingress": ("the_proxy_is_exposed_as_answered", ON_GKE, copied(KSOPS, ON_GKE), ARGOCD),
    "an Application in place of the chart": (TAKEN, CHART_FILE, copied("clusters/aws/root.yaml", CHART_FILE), ARGOCD),
    "a file that was left beside its copy": (
        APPLIED,
        "clusters/aws/exposure-old.yaml",
        copied("clusters/aws/exposure.yaml", "clusters/aws/exposure-old.yaml"),
    ),
    # a file without content
    **{
        f"nothing in {file}": (ALL_OF_FLUX, f"clusters/aws/{file}", write(f"clusters/aws/{file}", ""))
        for file in ("source.yaml", "secrets.yaml", "release/helmrelease.yaml")
    },
    **{
        f"nothing in {file}": (ALL_OF_ARGOCD, f"clusters/aws/{file}", write(f"clusters/aws/{file}", ""), ARGOCD)
        for file in ("project.yaml", "argocd-setup/argocd-cm.yaml", "argocd-setup/plugin.yaml")
    },
    "nothing in a list": (
        LISTS,
        LIST,
        write(LIST, "# nothing\n"),
    ),
    "settings of Argo CD that are gone": (
        ALL_OF_ARGOCD,
        "clusters/aws/argocd-setup/argocd-cm.yaml",
        delete("clusters/aws/argocd-setup/argocd-cm.yaml"),
        ARGOCD,
    ),
    **{
        f"{file} of Argo CD by another name": (
            ALL_OF_ARGOCD,
            f"clusters/aws/argocd-setup/own-{file}",
            renamed(f"argocd-setup/{file}", f"argocd-setup/own-{file}"),
            ARGOCD,
        )
        for file in ("argocd-cmd-params-cm.yaml", "argocd-repo-server.yaml", "plugin.yaml")
    },
    "a plugin of Argo CD with another ending": (
        ALL_OF_ARGOCD,
        "clusters/aws/argocd-setup/plugin.yml",
        renamed("argocd-setup/plugin.yaml", "argocd-setup/plugin.yml"),
        ARGOCD,
    ),
    # an object of a file that others stand in
    **{
        f"one object less: {kind}": ("the_ingress_has_what_its_class_needs", ON_GKE, without_object(ON_GKE, kind))
        for kind in ("BackendConfig", "FrontendConfig")
    },
    "one object less: PodMonitor": (
        "the_metrics_are_read",
        MONITORS,
        without_object(MONITORS, "PodMonitor"),
        WATCHED,
    ),
    "a binding for the whole cluster": (
        REFUSED,
        ACCOUNT,
        change(
            ACCOUNT,
            "kind: RoleBinding\nmetadata:\n  name: litellm-flux\n  namespace: litellm\n",
            "kind: ClusterRoleBinding\nmetadata:\n  name: litellm-flux\n",
        ),
    ),
    # a file that a person applies
    **{
        f"another name of {old}": (APPLIED, f"clusters/aws/{new}", renamed(old, new))
        for old, new in (
            ("account.yaml", "rbac.yaml"),
            ("release/helmrelease.yaml", "release/release.yaml"),
            ("release/helmrelease.yaml", "helmrelease.yaml"),
        )
    },
    "another name of root.yaml": (APPLIED, "clusters/aws/app.yaml", renamed("root.yaml", "app.yaml"), ARGOCD),
    "a lock of another name": (
        "flux_applies_the_secrets",
        "clusters/aws/kustomization.yaml",
        change("clusters/aws/kustomization.yaml", "name: litellm-lock", "name: own"),
    ),
    "a sealed file without its ending": (
        "every_kustomization_lists_exactly_what_is_there",
        LISTED,
        change(LISTED, "litellm-azure-auth.sops.yaml", "litellm-azure-auth.yaml"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_a_lost_part_is_told_once_where_it_was(fault: Told, repository: Copy) -> None:
    rule, file, edit = fault[:3]
    root = repository(fault[3] if len(fault) > 3 else everything())
    edit(root)
    found = findings(root)
    assert [(each.code, each.file) for each in found] == [(rule, file)], report(found) or "nothing is found"


def moved(root: Path) -> None:
    """Moves the proxy's configuration from the shared file into those of the clusters."""
    shared = (root / SHARED).read_text("utf-8")
    begin = shared.index("  proxy_config:\n")
    (root / SHARED).write_text(shared[:begin], "utf-8")
    for file in (AWS, AZURE):
        (root / file).write_text((root / file).read_text("utf-8") + shared[begin:], "utf-8")


STORED = answers(["aws", "azure"], ["bedrock", "azure_openai"], "aws_user")
HARMLESS: dict[str, Harmless] = {
    "values of which those of two clusters are the same": (copied(AWS, AZURE), STORED),
    "a configuration that each cluster has of its own": (moved, STORED),
}
test_what_an_owner_moves_is_left_alone = accepted(HARMLESS)
