"""`pytest -m decrypt`: what only the private keys can show. They are in keys/ or SOPS_AGE_KEY_FILE; sops on PATH."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sealing import keys, sops
from sealing.errors import SealingError
from sealing.policy import Repository

pytestmark = pytest.mark.decrypt

_ROOT = Path(__file__).resolve().parent.parent
_FILES = sorted(_ROOT.glob("secrets/*/*.sops.yaml"))


def _values(path: Path) -> dict[str, str]:
    own = keys.path(_ROOT, path.parent.name)
    try:
        manifest = sops.decrypt(path, _ROOT, own if own.is_file() else None)
    except SealingError as error:
        pytest.fail(str(error), pytrace=False)
    return {**(manifest.get("data") or {}), **(manifest.get("stringData") or {})}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.relative_to(_ROOT).as_posix())
def test_every_secret_opens_and_holds_what_a_pod_can_use(path: Path) -> None:
    # a line feed at the end of a key or a password makes it another one
    bad = [
        key for key, value in _values(path).items() if not value or re.search(r"[\r\n]\Z", value)
    ]
    if bad:
        name = path.name.removesuffix(".sops.yaml")
        todo = f"python hooks/seal_secrets.py --rotate {name} --cluster {path.parent.name}"
        pytest.fail(
            f"{path.relative_to(_ROOT)}: {', '.join(bad)} is empty or ends in a line break — {todo}",
            pytrace=False,
        )


def test_there_is_every_secret_to_open() -> None:
    missing = {secret.path(_ROOT) for secret in Repository(_ROOT).wanted()} - set(_FILES)
    assert not missing
