"""RSA key generation (FIPS 186-5, A.1.3): probable primes, found one test at a time.

On a board a key takes minutes, so the search is an object: `Search.step` makes one primality test and returns. In
between the caller feeds the watchdog, serves others, or keeps `Search.state`, to go on with after a restart.
The time that a search takes, and the traces of its sieve, tell little of the primes that it ends with.
"""

from micropython import const

from ...errors import CryptoError, Unsupported
from .entropy import random
from .powmod import power_of_two, powmod
from .rsa_key import Key

_CRYPTO_ALGORITHM = const(204)
_CRYPTO_REFERENCE = const(205)

_E = const(65537)
_SPAN = const(2048)  # odd candidates from a random start on; one in 355 is prime if they have 1024 bits
_SIEVE = const(65536)  # primes below it are sieved out
_SEGMENT = const(2048)  # numbers that the sieve for those primes takes at a time
_APART = const(100)  # p and q differ within their first 100 bits (A.1.3, step 5.4)
_HALVES = {"rsa2048": 128, "rsa3072": 192, "rsa4096": 256}  # octets of p
_ROUNDS = {128: 5, 192: 4, 256: 4}  # Miller-Rabin tests with random bases (table B.1), after one with base 2


def _odd_primes():
    # 3, 5, 7, .. below 65536, sieved in segments of a few kilobytes: a list of all would not fit beside the rest.
    small = [p for p in range(3, 256, 2) if all([p % q for q in range(3, 16, 2) if q < p])]
    for base in range(0, _SIEVE, 2 * _SEGMENT):
        marks = bytearray(_SEGMENT)  # of base + 1, base + 3, ..
        for p in small:
            for at in range((p // 2 - base // 2) % p if base else p * p // 2, _SEGMENT, p):
                marks[at] = 1
        for at in range(_SEGMENT):
            if not marks[at] and base + at:
                yield base + 2 * at + 1


def _first(start, p):
    # The least i >= 0 with start + 2 i = 0 modulo the odd p.
    r = start % p
    return (p - r) // 2 if r & 1 else (p - r // 2) % p


def _strong(n, base):
    # Is the odd n a strong probable prime to this base (FIPS 186-5, B.3.1)? Base 2 costs less than others.
    d = n - 1
    twos = 0
    while not d & 1:
        d >>= 1
        twos += 1
    x = power_of_two(d, n) if base == 2 else powmod(base, d, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


class Search:
    """The making of one key. `alg` is "rsa2048", "rsa3072" or "rsa4096"; `state` what an earlier search had come to."""

    def __init__(self, alg, state=b""):
        if alg not in _HALVES:
            raise Unsupported(_CRYPTO_ALGORITHM, alg)
        half = self._half = _HALVES[alg]
        self._p = self._start = self._at = self._passed = 0
        self._marks = None
        if state:
            if len(state) != 2 * half + 2:
                raise CryptoError(_CRYPTO_REFERENCE)
            self._at = int.from_bytes(state[:2], "big") % _SPAN
            self._p = int.from_bytes(state[2 : half + 2], "big")
            self._start = int.from_bytes(state[half + 2 :], "big")

    def state(self):
        """How far the search has come, 2 octets more than the modulus has. It tells the primes: keep it like a key."""
        half = self._half
        return self._at.to_bytes(2, "big") + self._p.to_bytes(half, "big") + self._start.to_bytes(half, "big")

    def step(self):
        """Sieve, or test one candidate with one base; the Key when the search is over, else None."""
        if self._marks is None:
            self._sieve()
            return None
        candidate = self._start + 2 * self._at
        base = 2
        if self._passed:
            base = int.from_bytes(random(self._half), "big") % (candidate - 3) + 2
        if not _strong(candidate, base):
            self._passed = 0
            self._at += 1
            self._next()
            return None
        self._passed += 1
        return self._found(candidate) if self._passed > _ROUNDS[self._half] else None

    def _sieve(self):
        # Mark what has a small factor, and what leaves 1 modulo e.
        if not self._start:
            top = 3 << 8 * self._half - 2  # a product of two such numbers has all bits of the modulus
            self._start = int.from_bytes(random(self._half), "big") | top | 1
            self._at = 0
        start = self._start
        marks = self._marks = bytearray(_SPAN)
        for p in _odd_primes():
            for at in range(_first(start, p), _SPAN, p):
                marks[at] = 1
        for at in range(_first(start - 1, _E), _SPAN, _E):
            marks[at] = 1
        self._passed = 0
        self._next()

    def _next(self):
        # The next candidate that is not marked, from `_at` on; a new start when none is left.
        marks = self._marks
        while self._at < _SPAN:
            if not marks[self._at]:
                return
            self._at += 1
        self._restart()

    def _restart(self):
        self._marks = None
        self._start = self._at = self._passed = 0

    def _found(self, prime):
        p = self._p
        self._restart()
        if not p:
            self._p = prime
            return None
        if not abs(p - prime) >> 8 * self._half - _APART:
            return None
        self._p = 0
        key = Key(_E.to_bytes(4, "big") + p.to_bytes(self._half, "big") + prime.to_bytes(self._half, "big"))
        key.apply(2)  # which checks its result: the pairwise test of FIPS 140-3
        return key


def generate(alg, progress=None):
    """A fresh key; `progress(done)` is called after each step with their number. 40 to 200 steps for 2048 bits."""
    search = Search(alg)
    done = 0
    while True:
        key = search.step()
        if key:
            return key
        done += 1
        if progress:
            progress(done)
