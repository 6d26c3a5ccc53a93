"""RSA private keys (RFC 8017): signatures and decryption by the Chinese remainder theorem.

What is done against an observer of times: the base is multiplied by a random r^e, each exponent grows by a random
multiple of p - 1 or q - 1, the windows of the exponentiation have all the same steps. Against faults: each result is
raised to e again before anything leaves, as one faulty half betrays both primes (Boneh, DeMillo, Lipton 1997).
The integers beneath are not of constant time, and their copies stay in the heap until it is used again.
"""

from micropython import const

from ...errors import CryptoError
from . import rsa
from .curve import invert
from .entropy import random
from .hashes import digest as hash_parts
from .hashes import hmac, wipe
from .powmod import powmod

_CRYPTO_REFERENCE = const(205)
_CRYPTO_SCALAR = const(206)
_CRYPTO_LENGTH = const(208)
_CRYPTO_WIPED = const(210)
_CRYPTO_FAULT = const(212)

_PREFIX = b"soft:rsa:"
_BLINDING = const(8)  # octets of the random multiples that exponents grow by
_RENEWAL = const(32)  # private operations before r is drawn anew; in between it is squared


class Key:
    """An RSA key pair in software; alg is "rsa" whatever its size."""

    alg = "rsa"
    backend = "soft"

    def __init__(self, secret):
        # `secret`: exponent, 4 octets | p | q of one length; a copy is kept.
        self._secret = bytearray(secret)
        self._uses = 0  # of the blinding pair
        self._blind = self._unblind = 0
        self._inverse = 0  # 1 / q modulo p, computed when first needed
        p, q, e = self._primes()
        n = p * q
        size = len(secret) - 4
        good = e & n & 1 and n >> 8 * size - 1 and p != q
        if not (good and e > 1 and invert(e % (p - 1), p - 1) and invert(e % (q - 1), q - 1)):
            raise CryptoError(_CRYPTO_SCALAR)
        self._public = secret[:4] + n.to_bytes(size, "big")

    def _primes(self):
        half = len(self._secret) // 2 + 2
        p = rsa.number(self._secret[4:half])
        q = rsa.number(self._secret[half:])
        e = rsa.number(self._secret[:4])
        if not p:
            raise CryptoError(_CRYPTO_WIPED)
        return p, q, e

    def _blinding(self, n, e):
        # (r^e, 1 / r): both squared, they blind the next operation too. A short r is as hard to guess as any, and
        # Euclid has a tenth of the steps.
        if not self._uses % _RENEWAL:
            r = rsa.number(random(16)) | 1
            self._blind = powmod(r, e, n)
            self._unblind = invert(r, n)
        else:
            self._blind = self._blind * self._blind % n
            self._unblind = self._unblind * self._unblind % n
        self._uses += 1
        return self._blind, self._unblind

    def _coefficient(self, p, q):
        # 1 / q modulo p: q hides behind a random factor from the steps of Euclid.
        if not self._inverse:
            mask = rsa.number(random(len(self._public) // 2)) % p
            self._inverse = mask * invert(mask * q % p, p) % p
        return self._inverse

    def _half(self, c, e, p):
        # c^d modulo p, d being 1 / e modulo p - 1 and a random multiple of p - 1 more. The steps of Euclid tell
        # something of (p - 1) % e here, and nothing else: behind the first of them all is below e.
        d = invert(e % (p - 1), p - 1) + rsa.number(random(_BLINDING)) * (p - 1)
        return powmod(c % p, d, p)

    def apply(self, m):
        """m^d modulo n for 0 <= m < n (RSADP and RSASP1, 5.1.2 and 5.2.1), checked; CryptoError if the check fails."""
        p, q, e = self._primes()
        n = p * q
        blind, unblind = self._blinding(n, e)
        c = m * blind % n
        a = self._half(c, e, p)
        b = self._half(c, e, q)
        s = (b + (a - b) * self._coefficient(p, q) % p * q) * unblind % n
        if powmod(s, e, n) != m:
            raise CryptoError(_CRYPTO_FAULT)
        return s

    def public(self):
        """The public key: exponent, 4 octets | modulus."""
        return bytes(self._public)

    def sign(self, digest, hash=None, pss=False):
        """A signature over a digest, as long as the modulus: PKCS#1 v1.5, or PSS with a salt as long as the digest.

        `hash` is the digest's name; without it the digest's length tells.
        """
        size = len(self._public) - 4
        hash = rsa.hash_of(digest, hash)
        if pss:
            from .pss import encode

            encoded = encode(digest, hash, rsa.bits(rsa.number(self._public[4:]), size) - 1, random(len(digest)))
        else:
            encoded = rsa.pkcs1(bytes(digest), hash, size)
        return self.apply(rsa.number(encoded)).to_bytes(size, "big")

    def decrypt(self, data, length):
        """The `length` octets that were encrypted by PKCS#1 v1.5 (RFC 8017, 7.2.2).

        When the padding is wrong, or the text has another length, there is no error but octets that look random, the
        same ones whenever the same data comes: who can tell good padding from bad can decrypt by asking
        (Bleichenbacher 1998). CryptoError for data that is no number below n, which anybody can see.
        """
        size = len(self._public) - 4
        c = rsa.number(data)
        if len(data) != size or c >= rsa.number(self._public[4:]) or not 0 < length <= size - 11:
            raise CryptoError(_CRYPTO_LENGTH, len(data))
        encoded = self.apply(c).to_bytes(size, "big")
        instead = self._pseudo_random(data, length)
        end = size - length
        bad = encoded[0] | encoded[1] ^ 2 | encoded[end - 1]
        for octet in encoded[2 : end - 1]:
            bad |= octet - 1 >> 8 & 1
        keep = bad - 1 >> 8 & 0xFF  # all ones when nothing is bad
        return bytes([a & keep | b & ~keep & 0xFF for a, b in zip(encoded[end:], instead)])

    def _pseudo_random(self, data, length):
        key = hash_parts("sha256", b"implicit rejection", self._secret)
        out = b""
        while len(out) < length:
            out += hmac("sha256", key, len(out).to_bytes(2, "big"), data)
        return out[:length]

    def components(self):
        """The octets of n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p: RSAPrivateKey behind its version (A.1.2)."""
        p, q, e = self._primes()
        a, b = p - 1, q - 1
        while b:
            a, b = b, a % b
        d = invert(e, (p - 1) * (q - 1) // a)
        numbers = (p * q, e, d, p, q, d % (p - 1), d % (q - 1), self._coefficient(p, q))
        size = len(self._public) - 4
        return [x.to_bytes(size, "big") for x in numbers]

    def export(self):
        """The secret: exponent, 4 octets | p | q."""
        self._primes()
        return bytes(self._secret)

    @property
    def ref(self):
        """What the store keeps to `load` this key again: it holds the secret itself."""
        return _PREFIX + self.export()

    def wipe(self):
        """Overwrite the primes with zeros; only `public()` still answers."""
        wipe(self._secret)
        self._inverse = self._blind = self._unblind = self._uses = 0


def load(ref):
    """The key of b"soft:rsa:" + exponent, 4 octets + p + q; primes are not tested again."""
    if bytes(ref[: len(_PREFIX)]) != _PREFIX:
        raise CryptoError(_CRYPTO_REFERENCE)
    secret = bytes(ref[len(_PREFIX) :])
    if len(secret) % 2 or not 260 <= len(secret) <= 516 or not any(secret[4 : len(secret) // 2 + 2]):
        raise CryptoError(_CRYPTO_SCALAR)
    return Key(secret)
