"""The software backend: integers, hashlib and cryptolib, on every board.

Each function imports what it needs when it is called first, so a device that only hashes never loads the curve.
A firmware image may leave out the modules of p384, ed25519, rsa and keywrap: what they do is Unsupported then.
"""

from micropython import const

from ...errors import Unsupported

_CRYPTO_ALGORITHM = const(204)

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
    """See `keywrap.wrap`."""
    return _optional("keywrap").wrap(kek, data)


def aes_unwrap(kek, data):
    """See `keywrap.unwrap`."""
    return _optional("keywrap").unwrap(kek, data)


def _optional(name):
    # A module that an image may lack.
    try:
        return __import__("certlet.crypto.soft." + name, None, None, ("_",))
    except ImportError:
        raise Unsupported(_CRYPTO_ALGORITHM, name)


def generate(alg, progress=None):
    """See `ecdsa.generate`, `ed25519.generate` and `rsa_generate.generate`, which alone calls `progress`."""
    if alg[:3] == "rsa":
        return _optional("rsa_generate").generate(alg, progress)
    if alg == "ed25519":
        return _optional("ed25519").generate()
    from .ecdsa import generate

    return generate(alg)


def search(alg, state=b""):
    """See `rsa_generate.Search`."""
    return _optional("rsa_generate").Search(alg, state)


def load(ref):
    """See `ecdsa.load`, `ed25519.load` and `rsa_key.load`."""
    kind = bytes(ref[5:13])
    if kind[:4] == b"rsa:":
        return _optional("rsa_key").load(ref)
    if kind == b"ed25519:":
        return _optional("ed25519").load(ref)
    from .ecdsa import load

    return load(ref)


def verify(alg, public, signature, digest, hash=None):
    """See `ecdsa.verify`, `ed25519.verify` and `rsa.verify`, which alone heeds `hash`."""
    if alg[:3] == "rsa":
        _optional("rsa").verify(alg, public, signature, digest, hash)
    elif alg == "ed25519":
        _optional("ed25519").verify(public, signature, digest)
    else:
        from .ecdsa import verify

        verify(alg, public, signature, digest)


def encrypt(alg, public, data):
    """See `rsa.encrypt`."""
    return _optional("rsa").encrypt(alg, public, data)
