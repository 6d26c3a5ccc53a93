"""Digests, HMAC (RFC 2104) and PBKDF2 (RFC 8018, 5.2) over hashlib and, for what it lacks, `sha512`."""

from micropython import const

from ...errors import CryptoError, Unsupported

_CRYPTO_ALGORITHM = const(204)
_CRYPTO_LENGTH = const(208)

_BLOCKS = {"sha1": 64, "sha256": 64, "sha384": 128, "sha512": 128}  # octets that the hash takes at a time


def _constructor(alg):
    # A callable: data -> object with update() and digest(). MicroPython's hashlib has no SHA-384 and SHA-512.
    if alg not in _BLOCKS:
        raise Unsupported(_CRYPTO_ALGORITHM, alg)
    if _BLOCKS[alg] == 64:
        import hashlib as module
    else:
        from . import sha512 as module
    return getattr(module, alg)


def digest(alg, *parts):
    """H(part | part | ...); alg "sha1", "sha256", "sha384" or "sha512"."""
    h = _constructor(alg)(b"")
    for part in parts:
        h.update(part)
    return h.digest()


def repeat_digest(alg, data, count):
    """H applied `count` times in all, at least once: the key of a CMP password-based MAC (RFC 4210, 5.1.3.1)."""
    if count < 1:
        raise CryptoError(_CRYPTO_LENGTH, count)
    h = _constructor(alg)
    for _ in range(count):
        data = h(data).digest()
    return data


def wipe(buffer):
    """Overwrite a bytearray with zeros."""
    for i in range(len(buffer)):
        buffer[i] = 0


def _pads(alg, key, room):
    # The key XORed with ipad and with opad, each in a bytearray that ends with `room` free octets.
    block = _BLOCKS[alg]
    if len(key) > block:
        key = digest(alg, key)
    inner = bytearray(block + room)
    outer = bytearray(block + room)
    inner[: len(key)] = key
    for i in range(block):
        outer[i] = inner[i] ^ 0x5C
        inner[i] ^= 0x36
    return inner, outer


def hmac(alg, key, *parts):
    """HMAC (RFC 2104) of part | part | ... ; a key of any length."""
    constructor = _constructor(alg)
    inner, outer = _pads(alg, key, 0)
    h = constructor(inner)
    for part in parts:
        h.update(part)
    tag = h.digest()
    h = constructor(outer)
    h.update(tag)
    wipe(inner)
    wipe(outer)
    return h.digest()


def pbkdf2(alg, password, salt, iterations, length):
    """PBKDF2 with HMAC (RFC 8018, 5.2): `length` octets.

    hashlib objects cannot be copied on MicroPython, so both pads are hashed anew each time: four blocks a turn.
    The pads lie in two buffers that take the message of each turn behind them, and are wiped at the end.
    """
    if iterations < 1 or length < 1:
        raise CryptoError(_CRYPTO_LENGTH)
    h = _constructor(alg)
    size = len(digest(alg))
    inner, outer = _pads(alg, password, size)
    inner_text = memoryview(inner)[_BLOCKS[alg] :]
    outer_text = memoryview(outer)[_BLOCKS[alg] :]
    number = int.from_bytes
    key = b""
    while len(key) < length:
        u = hmac(alg, password, salt, (len(key) // size + 1).to_bytes(4, "big"))
        t = number(u, "big")
        for _ in range(iterations - 1):
            inner_text[:] = u
            outer_text[:] = h(inner).digest()
            u = h(outer).digest()
            t ^= number(u, "big")
        key += t.to_bytes(size, "big")
    wipe(inner)
    wipe(outer)
    return key[:length]
