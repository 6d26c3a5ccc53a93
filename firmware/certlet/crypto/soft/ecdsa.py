"""P-256 keys: generation, ECDSA (FIPS 186-5, 6) with deterministic nonces (RFC 6979), ECDH (SP 800-56A, 5.7.1.2).

Secret scalars are kept in bytearrays, and `Key.wipe` clears them. While they are used they are integers too, which
cannot be cleared: their copies vanish only when the heap is written over.
"""

from micropython import const

from ...errors import BadSignature, CryptoError, Unsupported
from . import p256
from .entropy import random
from .hashes import hmac, wipe

_CRYPTO_ALGORITHM = const(204)
_CRYPTO_REFERENCE = const(205)
_CRYPTO_SCALAR = const(206)
_CRYPTO_LENGTH = const(208)
_CRYPTO_WIPED = const(210)
_CRYPTO_SIGNATURE = const(211)
_CRYPTO_FAULT = const(212)

_PREFIX = b"soft:p256:"
_HASHES = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}  # by the length of a digest


def _number(data):
    return int.from_bytes(data, "big")


def _octets(number):
    return number.to_bytes(32, "big")


def _mask():
    # A fresh blinding factor, uniform enough modulo p and n.
    return _number(random(32))


def _check(alg):
    if alg != "p256":
        raise Unsupported(_CRYPTO_ALGORITHM, alg)


def _digest_number(digest):
    # bits2int of RFC 6979, 2.3.2: the leftmost 256 bits.
    if len(digest) not in _HASHES:
        raise CryptoError(_CRYPTO_LENGTH, len(digest))
    return _number(digest[:32])


def _nonces(scalar, digest):
    # The k of RFC 6979, 3.2, in 1..n-1, and the next ones should the first be of no use.
    alg = _HASHES[len(digest)]
    reduced = _octets(_digest_number(digest) % p256.N)
    v = b"\x01" * len(digest)
    key = bytes(len(digest))
    for octet in b"\x00\x01":
        key = hmac(alg, key, v, bytes((octet,)), scalar, reduced)
        v = hmac(alg, key, v)
    while True:
        t = b""
        while len(t) < 32:
            v = hmac(alg, key, v)
            t += v
        k = _number(t[:32])
        if 0 < k < p256.N:
            yield k
        key = hmac(alg, key, v, b"\x00")
        v = hmac(alg, key, v)


class Key:
    """A P-256 key pair in software."""

    alg = "p256"
    backend = "soft"

    def __init__(self, scalar):
        # `scalar`: 32 octets of a number in 1..n-1; a copy is kept.
        if len(scalar) != 32 or not 0 < _number(scalar) < p256.N:
            raise CryptoError(_CRYPTO_SCALAR)
        self._scalar = bytearray(scalar)
        self._public = None

    def _secret(self):
        d = _number(self._scalar)
        if not d:
            raise CryptoError(_CRYPTO_WIPED)
        return d

    def public(self):
        """The public point, 65 octets 04 | x | y; computed at the first call."""
        if self._public is None:
            self._public = p256.encode(*p256.base(self._secret(), _mask()))
        return self._public

    def sign(self, digest):
        """ECDSA over a digest of 20, 32, 48 or 64 octets: r | s, 64 octets; k by RFC 6979 with that hash.

        k is inverted under a random factor that the sum takes as well. Two things are checked before the signature
        is released, as a faulty one betrays the key: that k * G is on the curve (in `p256.base`) and that
        s * k = z + r * d. To verify it in full would take three times as long as to make it.
        """
        n = p256.N
        d = self._secret()
        z = _digest_number(digest)
        for k in _nonces(self._scalar, digest):
            r = p256.base(k, _mask())[0] % n
            b = _mask() % n or 1
            s = p256.invert(k * b % n, n) * (b * z + r * (b * d % n)) % n
            if r and s:
                break
        if (s * k - z - r * d) % n:
            raise CryptoError(_CRYPTO_FAULT)
        return _octets(r) + _octets(s)

    def ecdh(self, public):
        """The shared secret with a public point: the x-coordinate, 32 octets."""
        return _octets(p256.multiply(self._secret(), *p256.decode(public), _mask())[0])

    @property
    def ref(self):
        """What the store keeps to `load` this key again: it holds the secret itself."""
        return _PREFIX + self.export()

    def export(self):
        """The secret scalar, 32 octets."""
        self._secret()
        return bytes(self._scalar)

    def wipe(self):
        """Overwrite the scalar with zeros; only `public()`, if called before, still answers."""
        wipe(self._scalar)


def generate(alg):
    """A fresh key: random candidates until one is in 1..n-1 (FIPS 186-5, A.2.2); one in 2^32 is not."""
    _check(alg)
    while True:
        scalar = bytearray(random(32))
        if 0 < _number(scalar) < p256.N:
            break
    key = Key(scalar)
    wipe(scalar)
    return key


def load(ref):
    """The key of b"soft:p256:" + scalar, 32 octets."""
    if bytes(ref[: len(_PREFIX)]) != _PREFIX:
        raise CryptoError(_CRYPTO_REFERENCE)
    return Key(ref[len(_PREFIX) :])


def verify(alg, public, signature, digest):
    """Check r | s over a digest (FIPS 186-5, 6.4.2): BadSignature; CryptoError for an invalid public key."""
    _check(alg)
    x, y = p256.decode(public)
    z = _digest_number(digest)
    n = p256.N
    r = _number(signature[:32])
    s = _number(signature[32:])
    if len(signature) == 64 and 0 < r < n and 0 < s < n:
        w = p256.invert(s, n)
        if p256.matches(z * w % n, r * w % n, x, y, r):
            return
    raise BadSignature(_CRYPTO_SIGNATURE)
