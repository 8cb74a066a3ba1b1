"""The key that signs the demo: worked out from a sentence, so that the same sources give the same APK.

Everyone can work it out, so it protects nothing: publish an app with a key of your own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

SENTENCE = b"pocketrec demo: anyone can make this key, never publish with it"
EXPONENT = 65537
PRIME_BITS = 1024
_ROUNDS = 40
_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]
_RSA = bytes.fromhex("06092a864886f70d010101")  # the object identifier 1.2.840.113549.1.1.1
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")  # 1.2.840.113549.1.1.11
_COMMON_NAME = bytes.fromhex("0603550403")  # 2.5.4.3
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, section 9.2, note 1


def write_key(folder: Path) -> tuple[Path, Path]:
    """The private key (PKCS #8) and its self-signed certificate (X.509 v1), both DER, in ``folder``."""
    key, certificate = folder / "key.pk8", folder / "certificate.der"
    if not certificate.exists():
        folder.mkdir(parents=True, exist_ok=True)
        numbers = _numbers(SENTENCE)
        key.write_bytes(_private_key(numbers))
        certificate.write_bytes(_certificate(numbers))
    return key, certificate


# ---------------------------------------------------------------------- numbers


def _numbers(sentence: bytes) -> tuple[int, int, int, int]:
    """n, d, p, q of an RSA key of 2,048 bits."""
    primes = (n for n in _candidates(sentence) if _is_prime(n) and n % EXPONENT != 1)
    q, p = sorted((next(primes), next(primes)))
    return p * q, pow(EXPONENT, -1, (p - 1) * (q - 1)), p, q


def _candidates(sentence: bytes) -> Iterator[int]:
    """Odd numbers whose two highest bits are set, so that the product of two has all its bits."""
    for count in range(1 << 20):
        words = (hashlib.sha256(b"%s %d %d" % (sentence, count, part)).digest() for part in range(PRIME_BITS // 256))
        yield int.from_bytes(b"".join(words), "big") | 3 << (PRIME_BITS - 2) | 1


def _is_prime(n: int) -> bool:
    """Miller and Rabin's test with bases that follow from ``n``."""
    if any(n % small == 0 for small in _SMALL_PRIMES):
        return False
    halvings = ((n - 1) & (1 - n)).bit_length() - 1
    for count in range(_ROUNDS):
        base = 2 + int.from_bytes(hashlib.sha512(b"%d %d" % (n, count)).digest(), "big") % (n - 3)
        x = pow(base, (n - 1) >> halvings, n)
        if x not in (1, n - 1) and not any((x := x * x % n) == n - 1 for _ in range(halvings - 1)):
            return False
    return True


# ------------------------------------------------------------------------- DER


def _private_key(numbers: tuple[int, int, int, int]) -> bytes:
    n, d, p, q = numbers
    values = (0, n, EXPONENT, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    return _sequence(_integer(0), _sequence(_RSA, _NULL), _tlv(0x04, _sequence(*map(_integer, values))))


def _certificate(numbers: tuple[int, int, int, int]) -> bytes:
    n, d, _, _ = numbers
    algorithm = _sequence(_SHA256_WITH_RSA, _NULL)
    name = _sequence(_tlv(0x31, _sequence(_COMMON_NAME, _tlv(0x0C, b"Pocketrec demo, throw-away key"))))
    validity = _sequence(_tlv(0x17, b"260101000000Z"), _tlv(0x18, b"20560101000000Z"))
    public = _sequence(_sequence(_RSA, _NULL), _bits(_sequence(_integer(n), _integer(EXPONENT))))
    signed = _sequence(_integer(1), algorithm, name, validity, name, public)
    digest = _SHA256_PREFIX + hashlib.sha256(signed).digest()
    size = (n.bit_length() + 7) // 8
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    signature = pow(int.from_bytes(padded, "big"), d, n).to_bytes(size, "big")
    return _sequence(signed, algorithm, _bits(signature))


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _bits(content: bytes) -> bytes:
    return _tlv(0x03, b"\0" + content)


_NULL = _tlv(0x05, b"")
