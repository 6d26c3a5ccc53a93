"""SHA-384 and SHA-512 (FIPS 180-4) for boards whose hashlib stops at SHA-256.

A 64-bit word is one int. On a 32-bit board that is an allocated big integer, but halves would not fit its 31-bit
small integers either, and 16-bit quarters take some ten times as many operations. So the code counts operations:
a word times 2^64 + 1 is the word twice, side by side, and a rotation then is a plain shift of it; bits above the
64th are left to lie about until the sum that ends each step is masked.
"""

from micropython import const

from . import sha512_table

_MASK = const(0xFFFFFFFFFFFFFFFF)
_TWICE = const(0x10000000000000001)
_BLOCK = const(128)


def _words(data):
    # Big-endian 64-bit words of a buffer.
    number = int.from_bytes
    return [number(data[i : i + 8], "big") for i in range(0, len(data), 8)]


def _schedule(block):
    # 6.4.2, step 1: the 80 words W of one block.
    w = _words(block)
    append = w.append
    for t in range(16, 80):
        x = w[t - 15]
        y = w[t - 2]
        xx = x * _TWICE
        yy = y * _TWICE
        append(
            ((xx >> 1 ^ xx >> 8 ^ x >> 7) + (yy >> 19 ^ yy >> 61 ^ y >> 6) + w[t - 7] + w[t - 16]) & _MASK
        )
    return w


def _compress(state, k, block):
    # 6.4.2, steps 2-4. Maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)), and this turn's a ^ b is the next one's b ^ c.
    w = _schedule(block)
    a, b, c, d, e, f, g, h = state
    bc = b ^ c
    for t in range(80):
        x = e * _TWICE
        t1 = h + (x >> 14 ^ x >> 18 ^ x >> 41) + (g ^ e & (f ^ g)) + k[t] + w[t]
        x = a * _TWICE
        ab = a ^ b
        h = g
        g = f
        f = e
        e = (d + t1) & _MASK
        d = c
        c = b
        t1 += (x >> 28 ^ x >> 34 ^ x >> 39) + (b ^ ab & bc)
        b = a
        a = t1 & _MASK
        bc = ab
    t = (a, b, c, d, e, f, g, h)
    for i in range(8):
        state[i] = (state[i] + t[i]) & _MASK


class _Hash:
    """The interface of hashlib: `update`, then `digest` once."""

    def __init__(self, initial, size, data):
        self._state = _words(initial)
        self._k = _words(sha512_table.K)
        self._size = size
        self._block = bytearray(_BLOCK)
        self._length = 0
        self.update(data)

    def update(self, data):
        """Take in any number of octets."""
        data = memoryview(data)
        done = 0
        while done < len(data):
            at = self._length % _BLOCK
            step = min(_BLOCK - at, len(data) - done)
            self._block[at : at + step] = data[done : done + step]
            self._length += step
            done += step
            if at + step == _BLOCK:
                _compress(self._state, self._k, self._block)

    def digest(self):
        """Pad (5.1.2) and return the digest; the object is used up."""
        bits = self._length * 8
        self.update(b"\x80" + bytes((111 - self._length) % _BLOCK) + bits.to_bytes(16, "big"))
        return b"".join([word.to_bytes(8, "big") for word in self._state])[: self._size]


def sha384(data):
    """A SHA-384 object that has taken in `data`."""
    return _Hash(sha512_table.SHA384, 48, data)


def sha512(data):
    """A SHA-512 object that has taken in `data`."""
    return _Hash(sha512_table.SHA512, 64, data)
