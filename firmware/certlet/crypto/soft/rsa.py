"""RSA with public keys (RFC 8017): verification by PKCS#1 v1.5 and PSS, encryption by PKCS#1 v1.5.

A public key is the exponent in 4 octets and the modulus, both big-endian, as `Key.public` gives it.
"""

from micropython import const

from ... import oid
from ...errors import BadSignature, CryptoError, Unsupported
from .powmod import powmod

_CRYPTO_ALGORITHM = const(204)
_CRYPTO_LENGTH = const(208)
_CRYPTO_SIGNATURE = const(211)
_CRYPTO_RSA_KEY = const(213)

_MIN_SIZE = const(256)  # octets of a modulus: 2048 bits are the floor (SP 800-131A, table 2)
_MAX_SIZE = const(512)

_HASHES = {"sha1": (20, oid.SHA1), "sha256": (32, oid.SHA256), "sha384": (48, oid.SHA384), "sha512": (64, oid.SHA512)}


def number(data):
    """The integer of big-endian octets."""
    return int.from_bytes(data, "big")


def decode(public):
    """(n, e, octets of n) of a public key of 2048 to 4096 bits with an odd exponent of 3 or more, else CryptoError."""
    size = len(public) - 4
    e = number(public[:4])
    n = number(public[4:])
    if not (_MIN_SIZE <= size <= _MAX_SIZE and public[4] and n >> 8 * _MIN_SIZE - 1 and n & 1 and e & 1 and e >= 3):
        raise CryptoError(_CRYPTO_RSA_KEY)
    return n, e, size


def bits(n, size):
    """Bits of the number `n`, which takes `size` octets."""
    count = 8 * size
    while not n >> count - 1:
        count -= 1
    return count


def hash_of(digest, alg):
    """The name of a digest's hash: `alg`, or by its length. CryptoError where both differ, Unsupported for others."""
    if alg is None:
        for name in _HASHES:
            if _HASHES[name][0] == len(digest):
                return name
    elif alg not in _HASHES:
        raise Unsupported(_CRYPTO_ALGORITHM, alg)
    elif _HASHES[alg][0] == len(digest):
        return alg
    raise CryptoError(_CRYPTO_LENGTH, len(digest))


def pkcs1(digest, alg, size):
    """EMSA-PKCS1-v1_5 (9.2) from the digest: 00 01 FF .. FF 00 DigestInfo, `size` octets.

    DigestInfo ::= SEQUENCE { SEQUENCE { OBJECT IDENTIFIER, NULL }, OCTET STRING }
    """
    identifier = _HASHES[alg][1]
    n = len(identifier)
    head = bytes((0x30, n + 6 + len(digest), 0x30, n + 2)) + identifier + bytes((5, 0, 4, len(digest)))
    return b"\x00\x01" + b"\xff" * (size - 3 - len(head) - len(digest)) + b"\x00" + head + digest


def verify(alg, public, signature, digest, hash=None):
    """Check a signature over a digest; alg "rsa" (PKCS#1 v1.5) or "rsa-pss" (MGF1 with the same hash, salt as long).

    The padding is made anew and compared whole rather than taken apart: what a parser would overlook differs. The
    signature has the modulus' length and is below it. BadSignature, or CryptoError for a key that is none.
    """
    if alg not in ("rsa", "rsa-pss"):
        raise Unsupported(_CRYPTO_ALGORITHM, alg)
    n, e, size = decode(public)
    hash = hash_of(digest, hash)
    s = number(signature)
    if len(signature) == size and s < n:
        encoded = powmod(s, e, n).to_bytes(size, "big")
        if alg == "rsa":
            good = encoded == pkcs1(bytes(digest), hash, size)
        else:
            from . import pss

            good = pss.matches(encoded, digest, hash, bits(n, size) - 1)
        if good:
            return
    raise BadSignature(_CRYPTO_SIGNATURE)


def encrypt(alg, public, data):
    """RSAES-PKCS1-v1_5 (7.2.1) of at most size - 11 octets: 00 02, random octets other than 0, 00, data; alg "rsa"."""
    from .entropy import random

    if alg != "rsa":
        raise Unsupported(_CRYPTO_ALGORITHM, alg)
    n, e, size = decode(public)
    count = size - 3 - len(data)
    if count < 8:
        raise CryptoError(_CRYPTO_LENGTH, len(data))
    padding = b""
    while len(padding) < count:
        padding += bytes([octet for octet in random(count) if octet])
    m = number(b"\x02" + padding[:count] + b"\x00" + data)
    return powmod(m, e, n).to_bytes(size, "big")
