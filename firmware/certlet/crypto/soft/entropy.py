"""Random octets from os.urandom, with a health check.

Some ports and emulators answer with constants. Such a key would be everybody's key: refuse to make it.
What cannot be seen from here is a source that repeats the same varied stream after every reset.
"""

from micropython import const

from ...errors import CryptoError

_CRYPTO_RANDOM = const(209)

_TEST = const(8)  # octets drawn with each request, compared with those before, never handed out

_last = None


def _draw(n):
    import os

    data = os.urandom(n + _TEST)
    if len(data) != n + _TEST or data == data[:1] * len(data):
        raise CryptoError(_CRYPTO_RANDOM)
    return data


def random(n):
    """`n` random octets.

    Every request draws 8 octets more. All octets alike, or those 8 as they were the time before, is a stuck
    source (the continuous test of FIPS 140-2, 4.9.2): CryptoError. A sound source fails it once in 2^56 requests.
    """
    global _last
    if _last is None:
        _last = _draw(0)
    data = _draw(n)
    tail = data[n:]
    if tail == _last:
        raise CryptoError(_CRYPTO_RANDOM)
    _last = tail
    return data[:n]
