"""Every combination of answers, rendered, sealed from the store and checked by every rule, on some cores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from tests.conftest import render_into
from tests.support.answers import combinations, database_hosts
from tests.support.findings import findings, report
from tests.support.quick import quick
from tests.support.sealed_store import SealedStore

ENGINES = ("flux", "argocd")


def check_all(template: Path, store: SealedStore, folder: Path, cores: int) -> int:
    """The number of combinations, all of which hold. Raises SystemExit with what is wrong with those that do not."""
    charts = ({"chart": "litellm-helm"}, {"chart": "litellm", **database_hosts()})
    wanted = [
        {**answers, **chart, "gitops_engine": engine, "age_recipients": [store.recipient]}
        for engine in ENGINES
        for chart in charts
        for _, answers in combinations()
    ]
    # one after another to each core, so that big and small ones are shared out evenly
    shares = [(template, store, folder / f"share-{n}", wanted[n::cores]) for n in range(cores)]
    with ProcessPoolExecutor(cores) as pool:
        problems = [text for found in pool.map(_check, shares) for text in found]
    if problems:
        raise SystemExit("\n".join(problems))
    return len(wanted)


def _check(share: tuple[Path, SealedStore, Path, list[dict[str, Any]]]) -> list[str]:
    template, store, folder, wanted = share
    problems = []
    with quick():
        for answers in wanted:
            with _repository(template, store, folder, answers) as root:
                found = findings(root)
            if found:
                problems.append(f"{answers}\n{report(found)}")
    return problems


@contextmanager
def _repository(template: Path, store: SealedStore, folder: Path, answers: dict[str, Any]) -> Iterator[Path]:
    root = render_into(folder / "repository", template, {"tooling": "pinned", **answers})
    with redirect_stdout(StringIO()):  # sealing tells what it wrote
        store.seal(root)
    yield root
    shutil.rmtree(folder)
