"""`pytest -m decrypt`: what only the private keys can show. They are in keys/ or SOPS_AGE_KEY_FILE; sops on PATH."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealing import keys, sops
from sealing.errors import SealingError
from sealing.policy import Repository

pytestmark = pytest.mark.decrypt

_ROOT = Path(__file__).resolve().parent.parent
_FILES = sorted(_ROOT.glob("secrets/*/*.sops.yaml"))


def _unusable(path: Path) -> list[str]:
    """The keys of a Secret whose values no pod can use. Fails without a value in what it says, whatever goes wrong."""
    own = keys.path(_ROOT, path.parent.name)
    try:
        manifest = sops.decrypt(path, _ROOT, own if own.is_file() else None)
        values = {**(manifest.get("data") or {}), **(manifest.get("stringData") or {})}
        # a line feed at the end of a key or a password makes it another one
        return [
            key
            for key, value in values.items()
            if not isinstance(value, str) or not value or value.endswith(("\r", "\n"))
        ]
    except SealingError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{path.relative_to(_ROOT)}: it cannot be read ({type(error).__name__})"
    pytest.fail(reason, pytrace=False)


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.relative_to(_ROOT).as_posix())
def test_every_secret_opens_and_holds_what_a_pod_can_use(path: Path) -> None:
    bad = _unusable(path)
    if bad:
        name = path.name.removesuffix(".sops.yaml")
        todo = f"python hooks/seal_secrets.py --rotate {name} --cluster {path.parent.name}"
        what = "is empty, no text, or ends in a line break"
        pytest.fail(f"{path.relative_to(_ROOT)}: {', '.join(bad)} {what} — {todo}", pytrace=False)


def test_there_is_every_secret_to_open() -> None:
    missing = {secret.path(_ROOT) for secret in Repository(_ROOT).wanted()} - set(_FILES)
    assert not missing
