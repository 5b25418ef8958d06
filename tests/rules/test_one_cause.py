"""One cause has one finding, at the file that was changed: where it makes more wrong, the other rules are silent."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from tests.support.answers import ENVIRONMENTS, everything
from tests.support.faults import (
    ANSWERS,
    AWS,
    CHART,
    SHARED,
    Edit,
    Fault,
    add,
    append,
    append_item,
    at,
    delete,
    remove,
    remove_item,
    set_value,
    substitute,
    together,
)
from tests.support.findings import Copy, findings, found_by_its_rule_alone, report

REDIS = "litellm-redis.sops.yaml"
LIST, SETTINGS = at(CHART.env_from), at(CHART.config, "litellm_settings")


def renamed(old: str, new: str) -> Edit:
    """Gives a file another name."""

    def apply(root: Path) -> None:
        (root / old).rename(root / new)

    return apply


def link(file: str, target: str) -> Edit:
    """Adds a symbolic link."""

    def apply(root: Path) -> None:
        (root / file).symlink_to(target)

    return apply


def of_another_cluster(root: Path) -> None:
    """Takes a sealed Secret of GKE for the one of EKS."""
    shutil.copy(root / "secrets/gcp" / REDIS, root / "secrets/aws" / REDIS)


def database(root: Path) -> None:
    """Writes the address of a database, with its password, into the values."""
    add(CHART.variables, {"DATABASE_URL": f"postgresql://own:{secrets.token_hex(8)}@db.example.com/own"})(root)


FAULTS: dict[str, Fault] = {
    "another master key": (
        "every_request_needs_a_key",
        set_value(SHARED, at(CHART.master_key), "os.environ/MASTER_KEY"),
    ),
    "a key for every provider": (
        "nothing_beats_a_chosen_method",
        set_value(SHARED, (*SETTINGS, "api_key"), "os.environ/OWN_KEY"),
    ),
    "a Secret that is misspelt for every cluster": (
        "values_name_only_secrets_and_keys_that_exist",
        substitute(SHARED, "name: litellm-redis", "name: litelm-redis"),
    ),
    "a variable that is misspelt for every cluster": (
        "every_variable_that_the_proxy_reads_is_set",
        substitute(SHARED, "os.environ/REDIS_PORT", "os.environ/REDIS_PROT"),
    ),
    "a port of Redis as a number": ("the_values_fit_their_schema", substitute(AWS, '"6379"', "6379")),
    "a salt key in the values": (
        "no_credential_stands_in_plaintext",
        add(CHART.variables, {"LITELLM_SALT_KEY": "of-no-known-form"}),
    ),
    "a selector of nodes that is a list": ("the_values_fit_their_schema", add(("nodeSelector",), ["own"])),
    "a password in the address of git": (
        "no_credential_stands_in_plaintext",
        substitute("clusters/aws/source.yaml", "https://", "https://own:of-no-known-form@"),
    ),
    "the Secret of another cluster": (
        "no_sealed_value_is_a_copy",
        of_another_cluster,
    ),
    "a sealed file of another version": (
        "every_manifest_fits_the_schema_of_its_kind",
        substitute(f"secrets/aws/{REDIS}", "apiVersion: v1", "apiVersion: v2"),
    ),
    "an answer twice, by hand": ("the_answers_are_those_that_were_rendered", append(ANSWERS, "replicas: 5\n")),
    "a link out of the repository, as YAML": (
        "no_link_leads_the_engine_astray",
        link("litellm/own.yaml", "../../x.yaml"),
    ),
    "a link out of the repository, among the Secrets": (
        "nothing_unknown_lies_among_the_sealed_files",
        link("secrets/own", "/etc"),
    ),
    "a part of a Secret from the root": (
        "the_api_server_takes_what_values_make",
        add(CHART.mounts, [{"name": "gcp-service-account", "mountPath": "/x", "subPath": "/y", "readOnly": True}]),
    ),
    "a database in the values": ("no_credential_stands_in_plaintext", database),
    "an image without a tag": ("the_image_is_pinned", set_value(SHARED, at(CHART.image, "tag"), "")),
    "replicas in quotes": ("the_values_fit_their_schema", set_value(SHARED, at(CHART.replicas), "2")),
    "a Secret of another cluster": (
        "no_unchosen_method_leaves_a_trace",
        append_item(AWS, LIST, "litellm-aws-auth"),
    ),
    "a misspelt Secret": (
        "values_name_only_secrets_and_keys_that_exist",
        together(remove_item(AWS, LIST, "litellm-azure-auth"), append_item(AWS, LIST, "litellm-azure-atuh")),
    ),
    "a misspelt Secret in a volume": (
        "values_name_only_secrets_and_keys_that_exist",
        substitute(AWS, "secretName: litellm-gcp-auth", "secretName: litellm-gcp-atuh"),
    ),
    "a sealed file under another name": (
        "every_secret_file_holds_the_secret_of_its_name",
        renamed("secrets/aws/litellm-redis.sops.yaml", "secrets/aws/redis.sops.yaml"),
    ),
    "a sealed file that is gone": ("every_needed_secret_is_there", delete("secrets/aws/litellm-redis.sops.yaml")),
    "sealed files that git ignores": ("every_needed_secret_is_there", append(".gitignore", "*.sops.yaml\n")),
    "a folder of sealed files that git ignores": ("every_needed_secret_is_there", append(".gitignore", "/secrets/\n")),
    "a link out of the repository": (
        "no_link_leads_the_engine_astray",
        link("clusters/aws/own.yaml", "/etc/hostname"),
    ),
    "a misspelt source of a variable": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(CHART.variable_list, [{"name": "OWN", "valueFrom": {"secretKeyref": {"name": "own", "key": "a"}}}], SHARED),
    ),
}


def test_a_trace_of_a_method_for_every_cluster_is_told_where_it_stands(repository: Copy) -> None:
    root = repository(everything())
    add(CHART.variables, {"AZURE_AUTHORITY_HOST": "https://login.example.com"}, SHARED)(root)
    found = findings(root)
    assert len(found) == 1, report(found)


def test_a_profile_that_is_missing_is_told_where_it_belongs(repository: Copy) -> None:
    root = repository(everything())
    set_value(SHARED, at(CHART.pod_security[0], "seccompProfile"), {"type": "Localhost"})(root)
    (found,) = findings(root)
    assert found.file == SHARED


def test_rights_that_are_no_more_limited_are_told_once(repository: Copy) -> None:
    root = repository(everything(pod_security="restricted"))
    remove(SHARED, at(CHART.container_security[0]))(root)
    found = findings(root)
    assert len(found) == 1, report(found)


def test_the_port_of_all_ways_in_is_told_once(repository: Copy) -> None:
    gateways = {f"{environment}_gateway": "gateways/public" for environment in ENVIRONMENTS}
    root = repository(everything(exposure="gateway", **gateways))
    substitute("clusters/aws/exposure.yaml", "port: 4000", "port: 80", 1)(root)
    found = findings(root)
    assert len(found) == 1, report(found)


def test_what_wins_over_every_method_is_told_once(repository: Copy) -> None:
    root = repository(everything())
    FAULTS["a key for every provider"][1](root)
    found = findings(root)
    assert len(found) == 1, report(found)


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
