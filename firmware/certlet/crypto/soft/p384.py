"""The curve P-384 (FIPS 186-4, D.1.2.4), with the functions of `p256`; it has no table for the base point."""

from micropython import const

from . import curve
from .curve import add_digit, affine, double, naf, odd_multiples, same_x

P = const(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF)
N = const(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973)
_B = const(0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF)
_GX = const(0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7)
_GY = const(0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F)
SIZE = const(48)  # octets of a coordinate and of a scalar

_BITS = const(388)  # of a recoded scalar: 97 windows x 4


def decode(public):
    """(x, y) of a public key, 97 octets 04 | x | y, or CryptoError."""
    return curve.decode(public, SIZE, P, _B)


def base(k, mask):
    """(x, y) of k * G for 0 < k < n; `mask` is a fresh random integer of 256 bits or more."""
    return multiply(k, _GX, _GY, mask)


def multiply(k, x, y, mask):
    """(x, y) of k * (x, y) for 0 < k < n and a point on the curve."""
    x, y, z = curve.multiply(k, x, y, mask, P, N, _BITS)
    return affine(x, y, z, P, _B)


def matches(u, v, x, y, r):
    """Is the x-coordinate of u * G + v * (x, y) equal to r modulo n? For public values only; both by width-5 NAF."""
    tables = odd_multiples(_GX, _GY, 1, P), odd_multiples(x, y, 1, P)
    digits = naf(u), naf(v)
    z = 0
    for i in range(max(len(digits[0]), len(digits[1])) - 1, -1, -1):
        if z:
            x, y, z = double(x, y, z, 1, P)
        for j in (0, 1):
            x, y, z = add_digit(x, y, z, digits[j], i, tables[j], P)
    return bool(z) and same_x(x, z, r, P, N)
