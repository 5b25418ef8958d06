"""A self-signed certificate for 127.0.0.1 and NAME that nobody trusts yet, made of the standard library alone.

DER by hand: RFC 5280 (certificate), RFC 8017 (RSA), X.690 (encoding).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import math
import secrets

NAME = "github.test"  # resolved by a proxy alone: RFC 6761, section 6.2
_SMALL = [n for n in range(3, 2000, 2) if all(n % k for k in range(3, math.isqrt(n) + 1, 2))]


def make() -> str:
    """The private key and the certificate, as PEM."""
    public, exponent = 0, 65537
    while public.bit_length() != 2048:
        p, q = _prime(1024), _prime(1024)
        public = p * q
    private = pow(exponent, -1, math.lcm(p - 1, q - 1))
    crt = (private % (p - 1), private % (q - 1), pow(q, -1, p))
    key = _sequence(*(_integer(n) for n in (0, public, exponent, private, p, q, *crt)))

    algorithm = _sequence(_oid(1, 2, 840, 113549, 1, 1, 11), b"\x05\x00")  # RSA with SHA-256
    common_name = _sequence(_oid(2, 5, 4, 3), _tag(0x0C, b"127.0.0.1"))
    name = _sequence(_tag(0x31, common_name))
    now = datetime.datetime.now(datetime.UTC)
    dates = [now + datetime.timedelta(days=days) for days in (-1, 1)]
    names = _sequence(_tag(0x87, ipaddress.ip_address("127.0.0.1").packed), _tag(0x82, NAME.encode()))
    rsa = _sequence(_oid(1, 2, 840, 113549, 1, 1, 1), b"\x05\x00")
    body = _sequence(
        _tag(0xA0, _integer(2)),  # version 3
        _integer(secrets.randbits(64)),
        algorithm,
        name,
        _sequence(*(_tag(0x17, f"{date:%y%m%d%H%M%S}Z".encode()) for date in dates)),
        name,
        _sequence(rsa, _tag(0x03, b"\0" + _sequence(_integer(public), _integer(exponent)))),
        _tag(0xA3, _sequence(_sequence(_oid(2, 5, 29, 17), _tag(0x04, names)))),
    )
    # EMSA-PKCS1-v1_5: RFC 8017, section 9.2
    sha256 = _sequence(_oid(2, 16, 840, 1, 101, 3, 4, 2, 1), b"\x05\x00")
    digest = _sequence(sha256, _tag(0x04, hashlib.sha256(body).digest()))
    padded = b"\0\1" + b"\xff" * (256 - 3 - len(digest)) + b"\0" + digest
    signature = pow(int.from_bytes(padded), private, public).to_bytes(256)
    certificate = _sequence(body, algorithm, _tag(0x03, b"\0" + signature))
    return _pem("RSA PRIVATE KEY", key) + _pem("CERTIFICATE", certificate)


def _prime(bits: int) -> int:
    while True:
        candidate = secrets.randbits(bits) | (0b11 << (bits - 2)) | 1
        usable = candidate % 65537 != 1 and all(candidate % small for small in _SMALL)
        # Fermat's test is enough for a random number of this size.
        if usable and all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3)):
            return candidate


def _tag(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 128 + len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tag(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tag(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _oid(first: int, second: int, *rest: int) -> bytes:
    content = bytearray([40 * first + second])
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        content += bytes(reversed(groups))
    return _tag(0x06, bytes(content))


def _pem(label: str, content: bytes) -> str:
    body = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"
