"""Sealing: from the inputs of an operator to encrypted Secret manifests, plaintext never on disk.

Nothing here needs more than Python's standard library and PyYAML, so that it runs under copier's own interpreter.
"""

from importlib.util import find_spec

if find_spec("yaml") is None:
    raise SystemExit("PyYAML is not installed for this Python: write `uv run` in place of `python`, or install PyYAML")
