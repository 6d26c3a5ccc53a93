"""AES-CBC over the port's cryptolib."""

from micropython import const

from ...errors import CryptoError

_CRYPTO_LENGTH = const(208)

_CBC = const(2)  # cryptolib's number of the mode


def cipher(key, *mode):
    """cryptolib's object for a key of 16 or 32 octets, else CryptoError.

    cryptolib has no 192-bit keys on most ports, and CMP and SCEP need none.
    """
    if len(key) not in (16, 32):
        raise CryptoError(_CRYPTO_LENGTH, len(key))
    from cryptolib import aes

    return aes(key, *mode)


def aes_cbc(key, iv, data, encrypt):
    """AES-CBC (SP 800-38A, 6.2) of whole blocks, no padding; a key of 16 or 32 octets, an IV of 16."""
    if len(iv) != 16 or len(data) % 16:
        raise CryptoError(_CRYPTO_LENGTH)
    state = cipher(key, _CBC, iv)
    return state.encrypt(data) if encrypt else state.decrypt(data)
