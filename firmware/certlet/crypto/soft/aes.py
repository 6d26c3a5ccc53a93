"""AES-CBC over the port's cryptolib."""

from micropython import const

from ...errors import CryptoError

_CRYPTO_LENGTH = const(208)

_CBC = const(2)  # cryptolib's number of the mode


def aes_cbc(key, iv, data, encrypt):
    """AES-CBC (SP 800-38A, 6.2) of whole blocks, no padding; a key of 16 or 32 octets, an IV of 16.

    cryptolib has no 192-bit keys on most ports, and CMP and SCEP need none.
    """
    if len(key) not in (16, 32) or len(iv) != 16 or len(data) % 16:
        raise CryptoError(_CRYPTO_LENGTH)
    from cryptolib import aes

    cipher = aes(key, _CBC, iv)
    return cipher.encrypt(data) if encrypt else cipher.decrypt(data)
