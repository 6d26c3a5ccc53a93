"""Stand-in for MicroPython's module `cryptolib`: AES in the modes ECB (1) and CBC (2), over whole blocks.

Same limits as the original, so that a misuse fails on both runtimes: a key of 16 or 32 bytes, one direction per object,
`ValueError` for anything else.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ECB = 1
_CBC = 2


class aes:  # the name is MicroPython's
    """One cipher state; CBC chains from call to call."""

    def __init__(self, key, mode, iv=None):
        if len(key) not in (16, 32):
            raise ValueError("key")
        if mode not in (_ECB, _CBC):
            raise ValueError("mode")
        if mode == _CBC and (iv is None or len(iv) != 16):
            raise ValueError("IV")
        self._cipher = Cipher(algorithms.AES(bytes(key)), modes.CBC(bytes(iv)) if mode == _CBC else modes.ECB())
        self._context = None
        self._direction = None

    def _update(self, direction, data, out):
        if len(data) % 16:
            raise ValueError("blksize % 16")
        if self._direction not in (None, direction):
            raise ValueError("can't encrypt & decrypt")
        if self._context is None:
            self._direction = direction
            self._context = getattr(self._cipher, direction)()
        result = self._context.update(bytes(data))
        if out is None:
            return result
        if len(out) < len(result):
            raise ValueError("output too small")
        out[: len(result)] = result
        return out

    def encrypt(self, data, out=None):
        """Return the encrypted blocks, or write them to `out` (which may be `data`) and return it."""
        return self._update("encryptor", data, out)

    def decrypt(self, data, out=None):
        """Return the decrypted blocks, or write them to `out` (which may be `data`) and return it."""
        return self._update("decryptor", data, out)
