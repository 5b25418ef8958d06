"""Which fields an object of a GitOps engine may hold, as shapes/*.yml lists them, and what is wrong with one.

The engine drops a field that it does not know, or refuses the object; either shows in the cluster only. A shape is

    {name: shape}   a mapping with these fields and no others; one that ends in `!` is required
    [shape]         a list of such things
    text, number, flag, map (of texts), duration (such as 1h30m), anything
    a | b           one of these words
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Shape = Any
Path_ = tuple[str | int, ...]

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FOLDER = Path(__file__).with_name("shapes")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_TYPES: Mapping[str, Any] = {
    "text": str,
    "number": int,
    "flag": bool,
    "duration": str,
    "map": dict,
}


@cache
def shapes(name: str) -> Mapping[str, Shape]:
    """The shapes of shapes/<name>.yml."""
    found: Mapping[str, Shape] = yaml.load((_FOLDER / f"{name}.yml").read_text("utf-8"), _LOADER)
    return found


def find(api_version: str, kind: str) -> Shape | None:
    """The shape of a whole object of that kind; None where it belongs to no engine that is chosen here."""
    parts = shapes("kustomize")
    head = {"apiVersion!": "text", "kind!": "text"}
    if (api_version, kind) == ("kustomize.config.k8s.io/v1beta1", "Kustomization"):
        return head | {"metadata": parts["metadata"]} | parts["kustomization"]
    for engine in ("flux", "argocd"):
        if (_FOLDER / f"{engine}.yml").is_file() and f"{api_version} {kind}" in shapes(engine):
            objects = shapes(engine)
            own = objects[f"{api_version} {kind}"]
            body = own if kind == "ksops" else {"spec!": own}
            return head | {"metadata!": parts["metadata"]} | body
    return None


def flaws(value: Any, shape: Shape, path: Path_ = ()) -> Iterator[tuple[Path_, str]]:
    """What is wrong with a value: (path, what). No flaw means that the engine takes it as it is."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield path, f"{_name(path)} is not a list"
            return
        for number, item in enumerate(value):
            yield from flaws(item, shape[0], (*path, number))
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield path, f"{_name(path)} is not a mapping"
            return
        known = {name.removesuffix("!"): inner for name, inner in shape.items()}
        for name, item in value.items():
            if name in known:
                yield from flaws(item, known[name], (*path, name))
            else:
                yield (
                    (*path, str(name)),
                    f"{_name((*path, str(name)))} does not exist{_meant(str(name), known)}",
                )
        for name in shape:
            if name.endswith("!") and name[:-1] not in value:
                yield path, f"{_name((*path, name[:-1]))} is missing"
    else:
        yield from _flaws_of_word(value, shape, path)


def _flaws_of_word(value: Any, shape: str, path: Path_) -> Iterator[tuple[Path_, str]]:
    if shape == "anything":
        return
    words = shape.split(" | ")
    wanted = _TYPES.get(shape)
    if wanted is None:
        if value not in words:
            yield path, f"{_name(path)} is {_shown(value)}, not one of {', '.join(words)}"
    elif not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield path, f"{_name(path)} is {_shown(value)}, not a {shape}"
    elif shape == "duration" and not _DURATION.fullmatch(value):
        yield path, f"{_name(path)} is {value!r}, not a duration such as 10m"
    elif shape == "map":
        for name, item in value.items():
            if not isinstance(item, str):
                inner = (*path, str(name))
                yield inner, f"{_name(inner)} is {_shown(item)}, not a text"


def _shown(value: Any) -> str:
    # a whole object may be a Secret
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)


def _name(path: Path_) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "it"


def _meant(name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches  # only where there is something to say

    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""
