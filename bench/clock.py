"""Measuring things against each other, in turns, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the wall, and seconds of user and system CPU time, those of ended children included."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the least and the greatest."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Sequence[float], per: float = 1.0) -> Spread:
        """The spread of `numbers`, each divided by `per`."""
        return cls(median(numbers) / per, min(numbers) / per, max(numbers) / per)

    def show(self, unit: str = "", digits: int = 2) -> str:
        """As `1.20 (1.10-1.40) s`."""
        return f"{self.middle:.{digits}f} ({self.least:.{digits}f}-{self.most:.{digits}f}){unit}"


def measure(work: Callable[[], object]) -> Sample:
    """Run `work` once."""
    gc.collect()
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return Sample(time.perf_counter() - wall, _cpu() - cpu)


def in_turns(runs: int, works: Mapping[str, Callable[[], object]]) -> dict[str, list[Sample]]:
    """Run all of `works` once unmeasured, so that caches of files are warm for each, then `runs` times in turns, from
    both ends of the list."""
    samples: dict[str, list[Sample]] = {name: [] for name in works}
    for work in works.values():
        work()
    for turn in range(runs):
        for name in list(works)[:: -1 if turn % 2 else 1]:
            samples[name].append(measure(works[name]))
    return samples


def ratio(above: Sequence[Sample], below: Sequence[Sample], field: str = "wall") -> Spread:
    """What `above` takes in terms of `below`, turn by turn."""
    return Spread.of([getattr(a, field) / getattr(b, field) for a, b in zip(above, below, strict=True)])


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
