"""What Prometheus' relabeling leaves: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from litellm_gitops.documents import mapping, sequence, text

_NAME = "__name__"
_NEED_A_TARGET = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")


def refused(step: Any) -> tuple[str, str, str] | None:
    """(a field, what is wrong with it, what to do) where Prometheus' operator refuses a step."""
    given, action = mapping(step), _action(step)
    if action == "hashmod" and not given.get("modulus"):
        return "modulus", "is missing, which hashmod needs", "write the number of parts"
    if action in _NEED_A_TARGET and not given.get("targetLabel"):
        return "targetLabel", f"is missing, which {action} needs", "name the label"
    return None


def emptied_by(steps: Any, names: Iterable[str]) -> int | None:
    """The number of the step after which none of these metrics is left; None where some are, or where labels decide.

    Without names: the targets themselves, of which no label is known.
    """
    left = {*names} or {""}
    of_targets = left == {""}
    for number, step in enumerate(sequence(steps)):
        action, source = _action(step), [str(each) for each in sequence(mapping(step).get("sourceLabels"))]
        if text(mapping(step).get("targetLabel")) == _NAME:
            return None
        try:
            pattern = re.compile(text(mapping(step).get("regex")) or "(?s).*")
        except re.error:
            return None  # which another rule tells
        if action in ("drop", "keep") and source in ([], [_NAME][: not of_targets]):
            left = {name for name in left if (pattern.fullmatch(name if source else "") is None) is (action == "drop")}
        elif action in ("labeldrop", "labelkeep") and not of_targets:
            left = left if (pattern.fullmatch(_NAME) is None) is (action == "labeldrop") else set()
        if not left:
            return number
    return None


def _action(step: Any) -> str:
    return (text(mapping(step).get("action")) or "replace").lower()
