"""The AES key wrap (RFC 3394)."""

from micropython import const

from ...errors import CryptoError
from .aes import cipher

_CRYPTO_LENGTH = const(208)
_CRYPTO_WRAP = const(214)

_ECB = const(1)  # cryptolib's number of the mode
_CHECK = b"\xa6" * 8  # the initial value (2.2.3.1)


def _count(block, t):
    # XOR the number of the step into the first half of a block.
    block[:8] = (int.from_bytes(block[:8], "big") ^ t).to_bytes(8, "big")


def wrap(kek, data):
    """Wrap (2.2.1) 16 or more octets, a multiple of 8: 8 octets more."""
    n = len(data) // 8
    if len(data) % 8 or n < 2:
        raise CryptoError(_CRYPTO_LENGTH, len(data))
    state = cipher(kek, _ECB)
    out = bytearray(_CHECK)
    out.extend(data)
    block = bytearray(_CHECK + bytes(8))
    for t in range(6 * n):
        at = 8 * (t % n + 1)
        block[8:] = out[at : at + 8]
        state.encrypt(block, block)
        _count(block, t + 1)
        out[at : at + 8] = block[8:]
    out[:8] = block[:8]
    return bytes(out)


def unwrap(kek, data):
    """The reverse of `wrap` (2.2.2): CryptoError when the key is not this one, or the data was changed."""
    n = len(data) // 8 - 1
    if len(data) % 8 or n < 2:
        raise CryptoError(_CRYPTO_LENGTH, len(data))
    state = cipher(kek, _ECB)
    out = bytearray(data)
    block = bytearray(out[:16])
    for t in range(6 * n - 1, -1, -1):
        at = 8 * (t % n + 1)
        block[8:] = out[at : at + 8]
        _count(block, t + 1)
        state.decrypt(block, block)
        out[at : at + 8] = block[8:]
    if block[:8] != _CHECK:
        raise CryptoError(_CRYPTO_WRAP)
    return bytes(out[8:])
