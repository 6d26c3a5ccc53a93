"""EC keys: generation, ECDSA (FIPS 186-5, 6) with deterministic nonces (RFC 6979), ECDH (SP 800-56A, 5.7.1.2).

The curve is a module, `p256` or `p384`, loaded when the first key of it is.

Secret scalars are kept in bytearrays, and `Key.wipe` clears them. While they are used they are integers too, which
cannot be cleared: their copies vanish only when the heap is written over.
"""

from micropython import const

from ...errors import BadSignature, CryptoError, Unsupported
from .curve import invert
from .entropy import random
from .hashes import hmac, wipe

_CRYPTO_ALGORITHM = const(204)
_CRYPTO_REFERENCE = const(205)
_CRYPTO_SCALAR = const(206)
_CRYPTO_LENGTH = const(208)
_CRYPTO_WIPED = const(210)
_CRYPTO_SIGNATURE = const(211)
_CRYPTO_FAULT = const(212)

_HASHES = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}  # by the length of a digest


def _number(data):
    return int.from_bytes(data, "big")


def _mask(size):
    # A fresh blinding factor, uniform enough modulo p and n.
    return _number(random(size))


def _curve(alg):
    if alg == "p256":
        from . import p256

        return p256
    if alg == "p384":
        from . import _optional

        return _optional(alg)
    raise Unsupported(_CRYPTO_ALGORITHM, alg)


def _digest_number(digest, size):
    # bits2int of RFC 6979, 2.3.2: the leftmost bits, as many as n has.
    if len(digest) not in _HASHES:
        raise CryptoError(_CRYPTO_LENGTH, len(digest))
    return _number(digest[:size])


def _nonces(scalar, digest, n):
    # The k of RFC 6979, 3.2, in 1..n-1, and the next ones should the first be of no use.
    size = len(scalar)
    alg = _HASHES[len(digest)]
    reduced = (_digest_number(digest, size) % n).to_bytes(size, "big")
    v = b"\x01" * len(digest)
    key = bytes(len(digest))
    for octet in b"\x00\x01":
        key = hmac(alg, key, v, bytes((octet,)), scalar, reduced)
        v = hmac(alg, key, v)
    while True:
        t = b""
        while len(t) < size:
            v = hmac(alg, key, v)
            t += v
        k = _number(t[:size])
        if 0 < k < n:
            yield k
        key = hmac(alg, key, v, b"\x00")
        v = hmac(alg, key, v)


class Key:
    """An EC key pair in software; `alg` is "p256" or "p384"."""

    backend = "soft"

    def __init__(self, scalar, alg="p256"):
        # `scalar`: as many octets as n has, of a number in 1..n-1; a copy is kept.
        self.alg = alg
        self._curve = _curve(alg)
        if len(scalar) != self._curve.SIZE or not 0 < _number(scalar) < self._curve.N:
            raise CryptoError(_CRYPTO_SCALAR)
        self._scalar = bytearray(scalar)
        self._public = None

    def _secret(self):
        d = _number(self._scalar)
        if not d:
            raise CryptoError(_CRYPTO_WIPED)
        return d

    def public(self):
        """The public point, 04 | x | y; computed at the first call."""
        if self._public is None:
            curve = self._curve
            size = curve.SIZE
            x, y = curve.base(self._secret(), _mask(size))
            self._public = b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big")
        return self._public

    def sign(self, digest, hash=None):
        """ECDSA over a digest of 20, 32, 48 or 64 octets: r | s; k by RFC 6979 with the hash of that length.

        k is inverted under a random factor that the sum takes as well. Two things are checked before the signature
        is released, as a faulty one betrays the key: that k * G is on the curve (in `base`) and that
        s * k = z + r * d. To verify it in full would take three times as long as to make it.
        """
        n = self._curve.N
        size = self._curve.SIZE
        d = self._secret()
        z = _digest_number(digest, size)
        for k in _nonces(self._scalar, digest, n):
            r = self._curve.base(k, _mask(size))[0] % n
            b = _mask(size) % n or 1
            s = invert(k * b % n, n) * (b * z + r * (b * d % n)) % n
            if r and s:
                break
        if (s * k - z - r * d) % n:
            raise CryptoError(_CRYPTO_FAULT)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def ecdh(self, public):
        """The shared secret with a public point: the x-coordinate, as long as the scalar."""
        curve = self._curve
        x, y = curve.decode(public)
        return curve.multiply(self._secret(), x, y, _mask(curve.SIZE))[0].to_bytes(curve.SIZE, "big")

    @property
    def ref(self):
        """What the store keeps to `load` this key again: it holds the secret itself."""
        return b"soft:" + self.alg.encode() + b":" + self.export()

    def export(self):
        """The secret scalar: 32 octets, for P-384 48."""
        self._secret()
        return bytes(self._scalar)

    def wipe(self):
        """Overwrite the scalar with zeros; only `public()`, if called before, still answers."""
        wipe(self._scalar)


def generate(alg):
    """A fresh key: random candidates until one is in 1..n-1 (FIPS 186-5, A.2.2); one in 2^32 is not."""
    curve = _curve(alg)
    while True:
        scalar = bytearray(random(curve.SIZE))
        if 0 < _number(scalar) < curve.N:
            break
    key = Key(scalar, alg)
    wipe(scalar)
    return key


def load(ref):
    """The key of b"soft:p256:" + scalar, 32 octets, or b"soft:p384:" + scalar, 48 octets."""
    for alg in ("p256", "p384"):
        prefix = b"soft:" + alg.encode() + b":"
        if bytes(ref[: len(prefix)]) == prefix:
            return Key(ref[len(prefix) :], alg)
    raise CryptoError(_CRYPTO_REFERENCE)


def verify(alg, public, signature, digest):
    """Check r | s over a digest (FIPS 186-5, 6.4.2): BadSignature; CryptoError for an invalid public key."""
    curve = _curve(alg)
    x, y = curve.decode(public)
    n = curve.N
    size = curve.SIZE
    z = _digest_number(digest, size)
    r = _number(signature[:size])
    s = _number(signature[size:])
    if len(signature) == 2 * size and 0 < r < n and 0 < s < n:
        w = invert(s, n)
        if curve.matches(z * w % n, r * w % n, x, y, r):
            return
    raise BadSignature(_CRYPTO_SIGNATURE)
