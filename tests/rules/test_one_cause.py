"""One cause has one finding, at the file that was changed: where it makes more wrong, the other rules are silent."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.support.answers import everything
from tests.support.faults import (
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
    remove_item,
    set_value,
    substitute,
    together,
)
from tests.support.findings import Copy, findings, found_by_its_rule_alone, report

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


def test_what_wins_over_every_method_is_told_once(repository: Copy) -> None:
    root = repository(everything())
    FAULTS["a key for every provider"][1](root)
    found = findings(root)
    assert len(found) == 1, report(found)


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
