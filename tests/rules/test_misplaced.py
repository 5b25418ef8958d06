"""Values that are not in their place are told once: a line that is gone, a block that is indented once too often."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.answers import database_hosts, everything, keyless
from tests.support.faults import AWS, AZURE, CHART, SHARED, Edit, Fault, at, remove, set_value, substitute
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

COMPOSE = "docker-compose.yml"
MONOLITH, LOCKED = (
    everything(chart="litellm"),
    keyless(chart="litellm", pod_security="restricted", **database_hosts()),
)
METRICS, BUNDLED = everything(metrics="prometheus_operator"), everything(redis="bundled")
VALUES, POD, DOCKER = (
    "the_values_fit_their_schema",
    "what_values_put_into_the_pod_fits_its_schema",
    "docker_takes_its_file",
)
NEEDS = "every_chosen_method_has_what_it_needs"
GUARDS, SECTIONS = "the_chart_makes_no_secret_of_its_own", "every_setting_stands_in_its_section"


def shifted(file: str, key: str, by: int, whole: bool = True) -> Edit:
    """Moves the block below a key that stands in the file once, and its own line where `whole`, by so many spaces."""

    def apply(root: Path) -> None:
        lines = (root / file).read_text("utf-8").split("\n")
        (first,) = [number for number, line in enumerate(lines) if re.fullmatch(rf" *(?:- )?{key}:(?: #.*)?", line)]
        depth = len(lines[first]) - len(lines[first].lstrip())
        after = range(first + 1, len(lines))
        last = next(each for each in after if re.match(rf" {{0,{depth}}}[^ ]", lines[each]) or each == len(lines) - 1)
        for number in range(first if whole else first + 1, last):
            lines[number] = " " * by + lines[number] if by > 0 else re.sub(rf"^ {{{-by}}}", "", lines[number])
        (root / file).write_text("\n".join(lines), "utf-8")

    return apply


def without(file: str, key: str) -> Edit:
    """Takes the line of a key away, and leaves what stands below it."""
    return substitute(file, rf"^ *(?:- )?{key}:\n", "", 1)


FAULTS: dict[str, Fault] = {
    "a line is gone above the settings of the proxy": (VALUES, without(AWS, "gateway"), MONOLITH),
    "a line is gone above the account": (VALUES, without(SHARED, "serviceAccounts"), MONOLITH),
    "a line is gone above the database": (VALUES, without(SHARED, "writer"), MONOLITH),
    "a line is gone above mounts": (POD, without(SHARED, "volumeMounts"), LOCKED),
    "a line is gone above a list of variables": (VALUES, without(AWS, "extraEnv"), LOCKED),
    "a line is gone above the proxy in Compose": ("no_key_is_given_twice", without(COMPOSE, "litellm")),
    "a line is gone above settings of the proxy": (SECTIONS, without(SHARED, "router_settings")),
    "a line is gone, and keys come twice": (
        "no_key_is_given_twice",
        substitute(SHARED, r"^  gateway:\n", ""),
        MONOLITH,
    ),
    "a block one step too far out": (VALUES, shifted(SHARED, "serviceAccount", -2)),
    "a first block one step too far out": (VALUES, shifted(SHARED, "strategy", -2)),
    "a block of a block one step too far out": (VALUES, substitute(SHARED, "^    secret:\n", "  secret:\n")),
    "a block one step too deep": (VALUES, shifted(SHARED, "redis", 2), BUNDLED),
    "the configuration one step too deep": (POD, shifted(SHARED, "config", 2), MONOLITH),
    "the master key one step too deep": (GUARDS, shifted(SHARED, "masterKey", 2), MONOLITH),
    "volumes one step too deep": (VALUES, shifted(AWS, "volumes", 2)),
    "what stands below one step too far out": (VALUES, shifted(SHARED, "database", -2, whole=False), MONOLITH),
    "a configuration without its indentation": (VALUES, shifted(AZURE, "config", -2, whole=False), MONOLITH),
    "settings of the proxy without their indentation": (
        VALUES,
        shifted(SHARED, "litellm_settings", -2, whole=False),
        METRICS,
    ),
    "annotations without their indentation": (
        VALUES,
        shifted("litellm/values-gcp.yaml", "annotations", -2, whole=False),
        MONOLITH,
    ),
    "annotations one step too far out": (VALUES, shifted(AWS, "annotations", -2)),
    "a profile one step too far out": (
        VALUES,
        substitute(SHARED, r"^  (    seccompProfile:\n)        (type: RuntimeDefault\n\n)", r"\1      \2", 1),
        LOCKED,
    ),
    "a setting of a cluster one step too far out": (
        SECTIONS,
        substitute(AWS, "^  ( +enable_azure_ad_token_refresh)", r"\1"),
        LOCKED,
    ),
    "a line is gone above the one setting of a cluster": (SECTIONS, without(AWS, "litellm_settings")),
    "an item with nothing in it": (VALUES, substitute(AWS, "- litellm-azure-auth", "-")),
    "the beginning of an item twice": (POD, substitute(SHARED, "(    - maxSkew: 1\n)", r"\1\1", 1)),
    "models that are lists": (
        "the_proxy_starts_with_its_configuration",
        substitute(SHARED, r"^(      )- (model_name: .*)((?:\n {8}.*)+)", r"\1- [{\2}]"),
        everything(metrics="prometheus_operator"),
    ),
    "a list of Secrets among labels": (
        VALUES,
        substitute("litellm/values-azure.yaml", "^    envSecrets:", "      envSecrets:"),
        LOCKED,
    ),
    "a model's parameters in Compose without their indentation": (
        "the_proxy_here_takes_its_configuration",
        substitute(COMPOSE, r"(litellm_params:\n)  ( +model: github_copilot/claude.*\n)", r"\1\2", 1),
    ),
    "a key of another file with nothing behind it": (
        VALUES,
        set_value(AWS, ("litellm", "database", "writer"), None),
        MONOLITH,
    ),
    "a Secret of the database without its indentation": (VALUES, shifted(SHARED, "secret", -2, whole=False)),
    "the storage of Redis one step too far out": (VALUES, shifted(AWS, "master", -2), BUNDLED),
    "a list in place of annotations": (
        VALUES,
        set_value("litellm/values-gcp.yaml", ("litellm", "gateway", "service", "annotations"), [None, {"a": "b"}]),
        MONOLITH,
    ),
    "a user in octal": (
        "yaml_means_the_same_to_every_reader",
        substitute(SHARED, "runAsUser: 65532", "runAsUser: 0o65532", 1),
        LOCKED,
    ),
    "the time of a token as a text": (
        POD,
        substitute(AWS, "expirationSeconds: 3600", 'expirationSeconds: "3600"', 1),
        LOCKED,
    ),
    "a Secret that is optional in words": (
        POD,
        substitute(AWS, "secretName: litellm-gcp-auth", "secretName: litellm-gcp-auth\n        optional: yes please"),
    ),
    "no variables of Secrets": (NEEDS, set_value(AWS, at(CHART.env_from), [])),
    "no mounts": (NEEDS, set_value(AWS, ("litellm", "gateway", "volumeMounts"), []), LOCKED),
    "no migrations": ("the_migrations_run_before_the_pods", remove(SHARED, at(("migrationJob",)))),
    "migrations with nothing behind them": (VALUES, set_value(SHARED, at(("migrationJob",)), None)),
    "a configuration with nothing behind it": (VALUES, set_value(SHARED, at(CHART.config), None)),
    "an account with nothing behind it": (
        VALUES,
        set_value(SHARED, ("litellm", "serviceAccounts", "gateway"), None),
        LOCKED,
    ),
    "settings of a cluster with nothing behind them": (
        VALUES,
        set_value(AWS, at(CHART.config, "litellm_settings"), None),
        METRICS,
    ),
    "a list in place of a cluster's settings": (VALUES, set_value(AWS, at(CHART.config, "litellm_settings"), ["x"])),
    "no variables in Compose": (
        "the_proxy_here_finds_its_configuration",
        set_value(COMPOSE, ("services", "litellm", "environment"), None),
    ),
    "a word in place of all variables": (VALUES, set_value(AWS, ("litellm", "gateway", "extraEnv"), "x"), MONOLITH),
    "variables as a mapping": (
        VALUES,
        set_value(AWS, ("litellm", "gateway", "extraEnv"), {"LITELLM_MODE": "PRODUCTION"}),
        MONOLITH,
    ),
    "a word in place of the Redis of the chart": (VALUES, set_value(SHARED, at(CHART.redis), "x"), BUNDLED),
    "a word in place of the database": (VALUES, set_value(AWS, ("litellm", "database", "writer"), "x"), MONOLITH),
    "a list in place of the database": (VALUES, set_value(SHARED, at(("db",)), ["x"])),
    "a list in place of the settings": (
        VALUES,
        set_value(SHARED, at(CHART.config, "litellm_settings"), [{"callbacks": ["prometheus"]}]),
        METRICS,
    ),
    "a list of settings in Compose": (
        "the_proxy_here_takes_its_configuration",
        substitute(COMPOSE, r"general_settings:\n +", "general_settings:\n        - "),
    ),
    "a word in place of the mounts in Compose": (
        DOCKER,
        substitute(COMPOSE, r"configs:\n +- source.*\n.*\n", "configs: x\n", 1),
    ),
    "a word in place of a service": (
        DOCKER,
        substitute(COMPOSE, r"(?s)postgres:\n    image.*?\n\n", "postgres: x\n\n", 1),
    ),
}

HARMLESS: dict[str, Harmless] = {
    "what a cluster takes away from all": set_value(AWS, at(("nodeSelector",)), None),
    "a list that a cluster takes away from all": set_value(AWS, at(("tolerations",)), None),
    "a mapping without content": set_value(SHARED, at(CHART.pod_labels), {}),
    "a key of one's own beside the chart's": set_value(SHARED, ("x-own",), {"team": "ai"}),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
