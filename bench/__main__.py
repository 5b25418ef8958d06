"""`make bench`: one table. RUNS=9 measures longer; ONLY=suite,rendering measures only some groups."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.clock import Sample, Spread, in_turns, measure, ratio
from bench.combinations import check_all
from bench.repositories import DEMO, HOLLOW, Bench
from tests.support.quick import quick
from tests.support.sealed_store import SealedStore

CORES = 2
RUNS = int(os.environ.get("RUNS", "5"))
ONE_ENVIRONMENT = {**DEMO, "cluster_environments": ["aws"]}


@dataclass(frozen=True)
class Row:
    """A line of the table; `limit` is what the wall's median must stay below, where there is one."""

    what: str
    wall: Spread
    cpu: Spread | None
    unit: str = ""
    limit: float | None = None

    def cells(self) -> tuple[str, ...]:
        limit = "" if self.limit is None else f"< {self.limit:g}{self.unit}"
        verdict = "" if self.limit is None else "met" if self.wall.middle < self.limit else "missed"
        cpu = self.cpu.show(self.unit) if self.cpu else ""
        return self.what, self.wall.show(self.unit), cpu, limit, verdict


HEAD = ("what", "wall: median (least-most)", "CPU: the same", "target", "")


def main() -> int:
    """Measure and print. The result is 0 also where a target is missed: another machine is another table."""
    groups: dict[str, Callable[[Bench], Iterator[Row]]] = {
        "rendering": rendering,
        "copy": copying,
        "sealing": sealing,
        "suite": suite,
        "growth": growth,
        "combinations": combinations,
    }
    only = os.environ.get("ONLY", ",".join(groups)).split(",")
    rows: list[tuple[str, ...]] = [HEAD]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        for name in only:
            print(f"measuring {name} …", file=sys.stderr)
            rows += [row.cells() for row in groups[name](bench)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    rows.insert(1, tuple("-" * width for width in widths))
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(cells)} |")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"\n{RUNS} turns; {os.cpu_count()} cores, load {load}, Python {sys.version.split()[0]}. CPU is user and system"
        " time, children included; it tells more than the wall where the machine does other things."
    )
    return 0


def rendering(bench: Bench) -> Iterator[Row]:
    """In this process, without sealing: by copier as it is, and by copier as this project's tests run it."""
    took = in_turns(
        RUNS,
        {
            "demo": lambda: bench.render(bench.template, DEMO),
            "hollow": lambda: bench.render(bench.hollow, {}),
            "empty": lambda: bench.render(bench.empty, {}),
        },
    )
    with quick():  # apart from the others: it changes copier for as long as it lasts, and keeps what is compiled
        took |= in_turns(RUNS, {"tests": lambda: bench.render(bench.template, DEMO)})
    count = bench.count
    yield _time(f"rendering, a file of the demo's {count}", took["demo"], "ms", 6.0, count)
    yield _time("the same as in this project's tests", took["tests"], "ms", 6.0, count)
    yield _time(f"copier alone, a file of {HOLLOW} empty ones", took["hollow"], "ms", None, HOLLOW)
    yield _ratio(f"rendering the demo / {HOLLOW} empty files", took["demo"], took["hollow"])
    yield _ratio("rendering the demo / an empty template", took["demo"], took["empty"])


def copying(bench: Bench) -> Iterator[Row]:
    """`copier copy` from git, as an operator runs it."""
    data = ["--data-file", str(bench.answers)]
    took = in_turns(
        RUNS,
        {
            "sealed": lambda: bench.copy(bench.released, *data),
            "plain": lambda: bench.copy(bench.released, "--skip-tasks", *data),
            "hollow": lambda: bench.copy(bench.hollow_released),
            "empty": lambda: bench.copy(bench.empty_released),
        },
    )
    yield _time("copier copy of the demo, with sealing", took["sealed"], "s")
    yield _ratio("copier copy of the demo, sealed / empty template", took["sealed"], took["empty"], 2.5)
    yield _ratio("copier copy of the demo, unsealed / empty template", took["plain"], took["empty"])
    yield _ratio(f"copier copy of {HOLLOW} empty files / empty template", took["hollow"], took["empty"])
    yield _ratio(f"copier copy of the demo, sealed / {HOLLOW} empty files", took["sealed"], took["hollow"], 1.4)
    yield _ratio("copier copy of the demo, sealed / unsealed", took["sealed"], took["plain"])


def sealing(bench: Bench) -> Iterator[Row]:
    """hooks/seal_secrets.py, against as many calls of sops: one after another, and one for each core at once."""
    repositories = [Path(shutil.copytree(bench.demo, bench.fresh("a"))) for _ in range(RUNS + 2)]
    bench.seal(done := repositories.pop())
    names = sorted(done.glob("secrets/*/*.sops.yaml"))
    recipient = yaml.safe_load(names[0].read_text())["sops"]["age"][0]["recipient"]
    sealed = {path: yaml.safe_load(path.read_text()) for path in names}
    output = bench.fresh("plain")
    output.mkdir(parents=True)

    def encrypt(number: int) -> None:
        sops = [shutil.which("sops", path=bench.environment["PATH"]) or "sops", "encrypt"]
        options = ["--age", recipient, "--encrypted-regex", "^(data|stringData)$"]
        kinds = ["--input-type", "json", "--output-type", "yaml"]
        secret = {key: value for key, value in sealed[names[number]].items() if key != "sops"}
        name = ["--filename-override", names[number].name]
        text = bench.call([*sops, *options, *kinds, *name], None, json.dumps(secret).encode())
        (output / f"{number}.sops.yaml").write_bytes(text)

    def plain(at_once: int) -> None:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(encrypt, range(len(names))))

    took = in_turns(
        RUNS,
        {
            "ours": lambda: bench.seal(repositories.pop()),
            "plain": lambda: plain(1),
            "at once": lambda: plain(CORES),
        },
    )
    yield _time(f"sealing {len(names)} Secrets", took["ours"], "s")
    yield _ratio(f"sealing / {len(names)} plain calls of sops encrypt", took["ours"], took["plain"], 1.0)
    yield _ratio(f"sealing / the same calls, {CORES} at once", took["ours"], took["at once"])


def suite(bench: Bench) -> Iterator[Row]:
    """The suite of the demo, started anew, against kubernetes-validate on the manifests."""
    root = _sealed(bench, DEMO)
    manifests = [str(path.relative_to(root)) for path in sorted(root.rglob("*.yaml")) if _named(path)]
    command = str(Path(sys.executable).with_name("kubernetes-validate"))
    version = yaml.safe_load((root / ".copier-answers.yml").read_text())["kubernetes_version"]
    took = in_turns(
        RUNS,
        {
            "suite": lambda: bench.validate(root),
            "guard": lambda: bench.run(["-B", "hooks/guard_staged.py"], root),
            "command": lambda: bench.call([command, "--quiet", "--no-warn", "-k", version, *manifests], root),
        },
    )
    count = len(manifests)
    yield _time("the demo's suite, cold", took["suite"], "s", 2.0)
    yield _time(f"the demo's suite, a manifest of {count}", took["suite"], "ms", None, count)
    yield _time(f"kubernetes-validate, a manifest of {count}", took["command"], "ms", None, count)
    yield _time("the guard, with nothing staged", took["guard"], "s", 0.3)
    yield _ratio("the demo's suite / kubernetes-validate", took["suite"], took["command"], 1.0)


def growth(bench: Bench) -> Iterator[Row]:
    """From one environment to three."""
    small = bench.render(bench.template, ONE_ENVIRONMENT)
    copies = {
        name: [Path(shutil.copytree(root, bench.fresh(name))) for _ in range(RUNS + 1)]
        for name, root in (("one", small), ("three", bench.demo))
    }
    one, three = _sealed(bench, ONE_ENVIRONMENT), _sealed(bench, DEMO)
    counts = [sum(path.is_file() for path in root.rglob("*")) for root in (small, bench.demo)]
    pairs: Mapping[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        f"rendering {counts[1]} files / {counts[0]}": (
            lambda: bench.render(bench.template, DEMO),
            lambda: bench.render(bench.template, ONE_ENVIRONMENT),
        ),
        "sealing": (
            lambda: bench.seal(copies["three"].pop()),
            lambda: bench.seal(copies["one"].pop()),
        ),
        "suite": (lambda: bench.validate(three), lambda: bench.validate(one)),
    }
    for what, (large, little) in pairs.items():
        took = in_turns(RUNS, {"three": large, "one": little})
        yield _ratio(f"three environments / one: {what}", took["three"], took["one"])


def combinations(bench: Bench) -> Iterator[Row]:
    """Once: it is many runs already."""
    everything = bench.fresh("combinations")
    everything.mkdir(parents=True)
    store = SealedStore.make(lambda **answers: bench.render(bench.template, answers), everything / "store")
    counts: list[int] = []
    took = [measure(lambda: counts.append(check_all(bench.template, store, everything, CORES)))]
    yield _time(f"all {counts[0]} combinations rendered and checked, {CORES} cores", took, "s", 60.0)


def _sealed(bench: Bench, answers: dict[str, Any]) -> Path:
    root = bench.render(bench.template, answers)
    bench.seal(root)
    bench.track(root)
    return root


def _named(path: Path) -> bool:
    # the command fails at an object without a name, of which kustomize has some
    documents = [each for each in yaml.safe_load_all(path.read_text()) if each]
    return all(
        isinstance(each, dict) and each.get("kind") and each.get("metadata", {}).get("name") for each in documents
    )


def _time(what: str, samples: list[Sample], unit: str, limit: float | None = None, count: int = 1) -> Row:
    per = count / {"s": 1, "ms": 1000}[unit]
    wall = Spread.of([sample.wall for sample in samples], per)
    return Row(what, wall, Spread.of([sample.cpu for sample in samples], per), f" {unit}", limit)


def _ratio(what: str, above: list[Sample], below: list[Sample], limit: float | None = None) -> Row:
    return Row(what, ratio(above, below), ratio(above, below, "cpu"), " x", limit)


if __name__ == "__main__":
    sys.exit(main())
