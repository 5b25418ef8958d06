"""`python -m tests.rules`: how many faults and edits the tables hold, which docs/faults.md quotes."""

from __future__ import annotations

import importlib
from pathlib import Path

from litellm_gitops import rules
from tests.support import admission

rows = []
for path in sorted(Path(__file__).parent.glob("test_*.py")):
    module = importlib.import_module(f"tests.rules.{path.stem}")
    rows.append((path.stem, len(getattr(module, "FAULTS", {})), len(getattr(module, "HARMLESS", {}))))
corpus = {part: len(admission.objects(part)) for part in ("refused", "not_started", "accepted")}
rows.append(("objects for the API server", corpus["refused"] + corpus["not_started"], corpus["accepted"]))
rows = [(name, faults, edits) for name, faults, edits in rows if faults or edits]
rows.append((f"{len(rules.load())} rules", sum(row[1] for row in rows), sum(row[2] for row in rows)))
print(f"{'':30}{'faults':>8}{'edits':>8}")
print("\n".join(f"{name:30}{faults:8}{edits:8}" for name, faults, edits in rows))
