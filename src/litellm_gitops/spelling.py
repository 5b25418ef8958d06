"""Which known word a misspelt one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that a misspelt one was meant to be; empty where none differs in one letter, or two of many."""
    return _closest(word, frozenset(known))


@lru_cache(maxsize=4096)  # the same words are asked for again and again, of the same few sets
def _closest(word: str, known: frozenset[str]) -> str:
    candidates = sorted(known)
    if same := {_plain(each): each for each in candidates}.get(_plain(word)):
        return same if same != word else ""
    allowed = (len(word) > 3) + (len(word) > 7)
    distances = {each: _distance(word, each) for each in candidates if abs(len(each) - len(word)) <= allowed}
    best = min(distances, key=lambda each: distances[each], default="")
    return best if 0 < distances.get(best, 0) <= allowed else ""


@cache
def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


@cache
def _distance(one: str, other: str) -> int:
    """How many letters are to be added, taken away, changed or swapped with their neighbour."""
    last: list[int] = []
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for number, letter in enumerate(one, 1):
        last, before, row = before, row, [number]
        for column, expected in enumerate(other, 1):
            best = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != expected))
            if number > 1 and column > 1 and (letter, one[number - 2]) == (other[column - 2], expected):
                best = min(best, last[column - 2] + 1)
            row.append(best)
    return row[-1]
