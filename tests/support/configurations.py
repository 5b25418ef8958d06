"""Configurations of the proxy, each with one mistake, or with none: configurations.yml holds what they change.

`params`, `info` and `entry` are put into the parameters, the info and the entry of the first model, `other` into the
parameters of the second. tests/rules/ holds them against the rules, tests/proxy/ against the real proxy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from litellm_gitops.documents import LOADER

BASE = """
model_list:
- model_name: gpt
  litellm_params: {model: openai/gpt-4o, api_base: os.environ/UPSTREAM, api_key: os.environ/VENDOR_KEY}
- model_name: other
  litellm_params: {model: openai/gpt-4o-mini, api_base: os.environ/UPSTREAM, api_key: os.environ/VENDOR_KEY}
general_settings: {master_key: os.environ/PROXY_MASTER_KEY}
router_settings: {num_retries: 0}
"""
VARIABLES = ("UPSTREAM", "FLAKY", "VENDOR_KEY", "SET")  # what a pod has beside PROXY_MASTER_KEY
NAMES = ("gpt", "other")

STARTS = "the_proxy_starts_with_its_configuration"
KEPT = "every_model_is_kept_by_the_proxy"
CALLS = "no_setting_makes_calls_fail"
EFFECT = "every_setting_takes_effect"
SECTION = "every_setting_stands_in_its_section"
SPELT = "every_os_environ_reference_is_spelt_right"

_TABLES: dict[str, str] = yaml.load(Path(__file__).with_suffix(".yml").read_text("utf-8"), LOADER)
_CHANGES = {name: re.sub(r"\n +", " ", lines).splitlines() for name, lines in _TABLES.items()}
HARMLESS = _CHANGES.pop("harmless")
MISTAKES = [(change, rule) for rule, changes in _CHANGES.items() for change in changes]


def configuration(change: str) -> dict[str, Any]:
    """What is configured anyway, with a change."""
    content: dict[str, Any] = yaml.load(BASE, LOADER)
    patch = yaml.load(change, LOADER)
    first, second = content["model_list"]
    for short, entry, key in (("params", first, "litellm_params"), ("info", first, "model_info")):
        if short in patch:
            value = patch.pop(short)
            entry[key] = {**entry.get(key, {}), **value} if isinstance(value, dict) else value
    first |= patch.pop("entry", {})
    second["litellm_params"] |= patch.pop("other", {})
    for key, value in patch.items():
        mappings = isinstance(value, dict) and isinstance(content.get(key), dict)
        content[key] = {**content[key], **value} if mappings else value
    return content
