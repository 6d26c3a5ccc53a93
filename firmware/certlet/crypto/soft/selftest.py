"""Known answers of the software backend, at every start: some 0.2 s on an RP2040 without kernels."""

from certlet.errors import CryptoError
from micropython import const

_CRYPTO_FAULT = const(212)

# RFC 6979, A.2.5: key, digest of "sample" by SHA-256, signature
_KEY = b"\xc9\xaf\xa9\xd8\x45\xba\x75\x16\x6b\x5c\x21\x57\x67\xb1\xd6\x93\x4e\x50\xc3\xdb\x36\xe8\x9b\x12\x7b\x8a\x62\x2b\x12\x0f\x67\x21"
