"""The software backend: integers, hashlib and cryptolib, on every board.

Each function imports what it needs when it is called first, so a device that only hashes never loads the curve.
"""

NAME = "soft"
CAPS = ("random", "sha1", "sha256", "sha384", "sha512", "aes_cbc", "p256", "p256_verify")


def self_test():
    """Check known answers; CryptoError when one is not met."""
    from .selftest import self_test

    self_test()


def random(n):
    """See `entropy.random`."""
    from .entropy import random

    return random(n)


def digest(alg, *parts):
    """See `hashes.digest`."""
    from .hashes import digest

    return digest(alg, *parts)


def repeat_digest(alg, data, count):
    """See `hashes.repeat_digest`."""
    from .hashes import repeat_digest

    return repeat_digest(alg, data, count)


def hmac(alg, key, *parts):
    """See `hashes.hmac`."""
    from .hashes import hmac

    return hmac(alg, key, *parts)


def pbkdf2(alg, password, salt, iterations, length):
    """See `hashes.pbkdf2`."""
    from .hashes import pbkdf2

    return pbkdf2(alg, password, salt, iterations, length)


def aes_cbc(key, iv, data, encrypt):
    """See `aes.aes_cbc`."""
    from .aes import aes_cbc

    return aes_cbc(key, iv, data, encrypt)


def generate(alg):
    """See `ecdsa.generate`."""
    from .ecdsa import generate

    return generate(alg)


def load(ref):
    """See `ecdsa.load`."""
    from .ecdsa import load

    return load(ref)


def verify(alg, public, signature, digest):
    """See `ecdsa.verify`."""
    from .ecdsa import verify

    verify(alg, public, signature, digest)
