"""EMSA-PSS (RFC 8017, 9.1) with MGF1 of the same hash and a salt as long as the digest.

`bits` is the length of an encoded message: one less than the modulus has.
"""

from .hashes import digest as hash_parts


def _mask(data, seed, alg):
    # data XOR MGF1(seed) (B.2.1)
    out = bytearray(data)
    at = 0
    for counter in range(len(data)):
        for octet in hash_parts(alg, seed, counter.to_bytes(4, "big")):
            if at == len(out):
                return out
            out[at] ^= octet
            at += 1
    return out


def encode(digest, alg, bits, salt):
    """The encoded message, (bits + 7) // 8 octets."""
    h = hash_parts(alg, bytes(8), digest, salt)
    size = (bits + 7) // 8
    block = _mask(bytes(size - len(h) - len(salt) - 2) + b"\x01" + salt, h, alg)
    block[0] &= 0xFF >> 8 * size - bits
    return bytes(block) + h + b"\xbc"


def matches(encoded, digest, alg, bits):
    """Does an encoded message, led by a zero octet where n needs one, belong to this digest (9.1.2)?"""
    size = (bits + 7) // 8
    if encoded[: len(encoded) - size].strip(b"\x00"):
        return False
    encoded = encoded[len(encoded) - size :]
    at = size - len(digest) - 1
    h = encoded[at : size - 1]
    # With the salt taken out of it, the message is made again and compared whole: padding, top bits and end.
    block = _mask(encoded[:at], h, alg)
    return encode(digest, alg, bits, bytes(block[at - len(digest) :])) == encoded
