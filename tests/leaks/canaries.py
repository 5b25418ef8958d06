"""What to look for: any twelve characters in a row of a secret, in the forms that a program may give it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from tests.support.inputs import Inputs

_LENGTH = 12
_DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b")
# The age private keys that sealing makes lie here, for their owner alone and ignored by git, and nowhere else.
PRIVATE_KEY = "private key of "
_KEY_FILES = re.compile(r"file .*/keys/\w+\.agekey")


@dataclass(frozen=True)
class Seen:
    """What a run showed to others: where, in words, and the bytes."""

    where: str
    data: bytes


class Canaries:
    """Secrets by name, and the search for traces of them."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._pieces = {piece: name for name, secret in secrets.items() for piece in _pieces(secret)}
        # most words of a program are shorter than a piece
        alphabet = re.escape(bytes({sign for piece in self._pieces for sign in piece}))
        self._words = re.compile(b"[%s]{%d,}" % (alphabet, _LENGTH))
        self._known: dict[bytes, set[str]] = {}

    @staticmethod
    def secrets(inputs: Inputs) -> dict[str, str]:
        """Every input of sealing, without what is no secret of it."""
        names = ("private_key_id", "private_key", "access-token")
        files = dict(zip(names, inputs.canaries()[-len(names) :], strict=True))
        # what follows the host's first label is in every answer, too
        lines = {name: value.replace(".example.internal", ".") for name, value in inputs.lines.items()}
        return {**lines, **files}

    def found(self, data: bytes) -> set[str]:
        """The names of the secrets of which a trace is in `data`."""
        pieces = self._pieces
        return {
            pieces[piece]
            for word in self._words.findall(data)
            for start in range(len(word) - _LENGTH + 1)
            if (piece := word[start : start + _LENGTH]) in pieces
        }

    def leaks(self, seen: Iterable[Seen]) -> list[str]:
        """Which secret was shown where; never its value."""
        return sorted(
            {
                f"{name} in {each.where}"
                for each in seen
                for name in self._found_once(each.data)
                if not (name.startswith(PRIVATE_KEY) and _KEY_FILES.fullmatch(each.where))
            }
        )

    def _found_once(self, data: bytes) -> set[str]:
        """As `found`. Most files stay as they are from one run to the next, and from one test to the next."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            self._known[digest] = self.found(data)
        return self._known[digest]


def _pieces(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    texts = [
        raw,
        raw[::-1],
        json.dumps(secret)[1:-1].encode(),
        quote(secret, safe="").encode(),
        quote_plus(secret, safe="").encode(),
        secret.encode("utf-16-le"),
        raw.hex().encode(),
        raw.hex().upper().encode(),
    ]
    for shift in range(3):  # wherever it stands in a longer text
        whole = raw[shift : shift + (len(raw) - shift) // 3 * 3]
        texts += [base64.b64encode(whole), base64.urlsafe_b64encode(whole)]
    for text in texts:
        for start in range(len(text) - _LENGTH + 1):
            yield text[start : start + _LENGTH]
    for algorithm in _DIGESTS:
        for content in (raw, raw + b"\n"):
            digest = hashlib.new(algorithm, content).digest()
            yield digest.hex().encode()[:_LENGTH]
            yield base64.b64encode(digest)[:_LENGTH]
