"""The software backend: integers, hashlib and cryptolib, on every board.

Each function imports what it needs when it is called first, so a device that only hashes never loads the curve.
"""

NAME = "soft"
CAPS = (
    "random", "sha1", "sha256", "sha384", "sha512", "aes_cbc", "aes_wrap", "p256", "p256_verify",
    "p384", "p384_verify", "ed25519", "ed25519_verify", "rsa", "rsa_verify",
)  # fmt: skip


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


def aes_wrap(kek, data):
    """See `aes.wrap`."""
    from .aes import wrap

    return wrap(kek, data)


def aes_unwrap(kek, data):
    """See `aes.unwrap`."""
    from .aes import unwrap

    return unwrap(kek, data)


def generate(alg, progress=None):
    """See `ecdsa.generate`, `ed25519.generate` and `rsa_generate.generate`, which alone calls `progress`."""
    if alg[:3] == "rsa":
        from .rsa_generate import generate

        return generate(alg, progress)
    if alg == "ed25519":
        from .ed25519 import generate

        return generate()
    from .ecdsa import generate

    return generate(alg)


def search(alg, state=b""):
    """See `rsa_generate.Search`."""
    from .rsa_generate import Search

    return Search(alg, state)


def load(ref):
    """See `ecdsa.load`, `ed25519.load` and `rsa_key.load`."""
    kind = bytes(ref[5:13])
    if kind[:4] == b"rsa:":
        from .rsa_key import load
    elif kind == b"ed25519:":
        from .ed25519 import load
    else:
        from .ecdsa import load
    return load(ref)


def verify(alg, public, signature, digest, hash=None):
    """See `ecdsa.verify`, `ed25519.verify` and `rsa.verify`, which alone heeds `hash`."""
    if alg[:3] == "rsa":
        from .rsa import verify

        verify(alg, public, signature, digest, hash)
    elif alg == "ed25519":
        from .ed25519 import verify

        verify(public, signature, digest)
    else:
        from .ecdsa import verify

        verify(alg, public, signature, digest)


def encrypt(alg, public, data):
    """See `rsa.encrypt`."""
    from .rsa import encrypt

    return encrypt(alg, public, data)
