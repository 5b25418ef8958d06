"""What YAML 1.1 and YAML 1.2 read differently, and no program of those that read it takes for the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import yaml

from litellm_gitops.documents import Document, dig, is_ambiguous, is_word, mapping, nodes
from litellm_gitops.findings import Finding, edit

DEPLOYED = ("clusters/", "litellm/", "secrets/")  # what the engine, Helm and sops read
_OCTAL = re.compile(r"0o?[0-7]{3,4}")


@cache
def ambiguous(document: Document) -> list[Finding]:
    found, file = [], document.file
    passed = {*_modes(document.node), *(_of_time(document) if is_read_by_go(document) else ())}
    for node in nodes(document.node):
        if isinstance(node, yaml.ScalarNode) and is_ambiguous(node) and id(node) not in passed:
            # a number may be a password
            shown = repr(node.value) if is_word(node.value) else "a value"
            what = f"{shown} is not the same to YAML 1.1 (Helm, Kubernetes) and YAML 1.2"
            found.append(Finding(file, node.start_mark.line + 1, what, edit(_unambiguous(node.value))))
    return found


def is_read_by_go(document: Document) -> bool:
    """Whether Helm or Kubernetes reads it."""
    return document.file.startswith(DEPLOYED) or "kind" in mapping(document.value)


def _of_time(document: Document) -> Iterator[int]:
    """What is a text to Go: a bare =, times, and dates, but for one in a ConfigMap, to which Kustomize adds a time."""
    is_data = dig(document.value, "kind") == "ConfigMap"
    for node in nodes(document.node):
        if isinstance(node, yaml.ScalarNode):
            is_date = node.tag.endswith(":timestamp")
            if (is_date and not is_data) or (not is_date and (":" in node.value or node.value == "=")):
                yield id(node)


def _modes(root: yaml.Node) -> Iterator[int]:
    """Which values are the mode of a file: all that reads them takes 0400 for 256."""
    for node in nodes(root):
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if (
                key.value in ("mode", "defaultMode")
                and isinstance(value, yaml.ScalarNode)
                and _OCTAL.match(value.value)
            ):
                yield id(value)


def _unambiguous(value: str) -> str:
    if is_word(value):
        return "quote it, or write true or false"
    if _OCTAL.fullmatch(value):
        return f"write the number as {int(value.replace('o', ''), 8)}, or quote it where it is a text"
    return "quote it"
