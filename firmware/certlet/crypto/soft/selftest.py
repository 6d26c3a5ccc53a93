"""Known answers of the software backend, checked at every start: it takes about as long as one signature."""

from micropython import const

from ...errors import CryptoError

_CRYPTO_FAULT = const(212)

# RFC 6979, A.2.5: the key, and r | s of its signature over "sample" with SHA-256
_KEY = (
    b"\xc9\xaf\xa9\xd8\x45\xba\x75\x16\x6b\x5c\x21\x57\x67\xb1\xd6\x93"
    b"\x4e\x50\xc3\xdb\x36\xe8\x9b\x12\x7b\x8a\x62\x2b\x12\x0f\x67\x21"
)
_SIGNATURE = (
    b"\xef\xd4\x8b\x2a\xac\xb6\xa8\xfd\x11\x40\xdd\x9c\xd4\x5e\x81\xd6"
    b"\x9d\x2c\x87\x7b\x56\xaa\xf9\x91\xc3\x4d\x0e\xa8\x4e\xaf\x37\x16"
    b"\xf7\xcb\x1c\x94\x2d\x65\x7c\x41\xd4\x36\xc7\xa1\xb6\xe2\x9f\x65"
    b"\xf3\xe9\x00\xdb\xb9\xaf\xf4\x06\x4d\xc4\xab\x2f\x84\x3a\xcd\xa8"
)
# SP 800-38A, F.2.1: the key, the first block and its cipher text; the IV is 00 01 .. 0f
_AES_KEY = b"\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c"
_PLAIN = b"\x6b\xc1\xbe\xe2\x2e\x40\x9f\x96\xe9\x3d\x7e\x11\x73\x93\x17\x2a"
_CIPHER = b"\x76\x49\xab\xac\x81\x19\xb2\x46\xce\xe9\x8e\x9b\x12\xe9\x19\x7d"
# RFC 3174, 7.3: "abc"
_SHA1 = b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"


def self_test():
    """Sign, encrypt, hash and draw random octets; CryptoError when an answer is not the known one.

    One deterministic signature covers SHA-256, HMAC, the multiplication of the base point and the inverse. SHA-384,
    SHA-512 and the other multiplications are left to the tests: they would multiply the time of every start.
    """
    from . import aes, ecdsa, entropy, hashes

    signature = ecdsa.Key(_KEY).sign(hashes.digest("sha256", b"sample"))
    cipher = aes.aes_cbc(_AES_KEY, bytes(range(16)), _PLAIN, True)
    if signature != _SIGNATURE or cipher != _CIPHER or hashes.digest("sha1", b"abc") != _SHA1:
        raise CryptoError(_CRYPTO_FAULT)
    entropy.random(32)
