"""The curve P-256 (FIPS 186-4, D.1.2.3): points in, points out, nothing of any scheme. The arithmetic is in `curve`."""

from micropython import const

from . import curve
from .curve import add_affine, add_digit, affine, double, naf, odd_multiples, recode, same_x, scale

P = const(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)
N = const(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)
_B = const(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B)
SIZE = const(32)  # octets of a coordinate and of a scalar

_BITS = const(260)  # of a recoded scalar: 5 teeth x 52, 65 windows x 4
_COLUMNS = const(26)  # of one half of the comb


def decode(public):
    """(x, y) of a public key, 65 octets 04 | x | y, or CryptoError."""
    return curve.decode(public, SIZE, P, _B)


def _comb(signs, half, column):
    # The table's point for the signs of bits 26 half + column + 52 tooth. The table holds those with a positive
    # top tooth; with a negative one it is the point of the opposite signs, negated.
    from .p256_table import COMB

    at = half * _COLUMNS + column
    index = 0
    for tooth in range(4):
        index |= (signs[at >> 3] >> (at & 7) & 1) << tooth
        at += 2 * _COLUMNS
    top = signs[at >> 3] >> (at & 7) & 1
    at = (half << 4 | index ^ (15 * (1 - top))) << 6
    y = int.from_bytes(COMB[at + 32 : at + 64], "big")
    return int.from_bytes(COMB[at : at + 32], "big"), (P - y, y)[top]


def _add_column(x, y, z, signs, column):
    # Add both halves of the comb at this column.
    x2, y2 = _comb(signs, 1, column)
    x, y, z = add_affine(x, y, z, x2, y2, P)
    x2, y2 = _comb(signs, 0, column)
    return add_affine(x, y, z, x2, y2, P)


def base(k, mask):
    """(x, y) of k * G for 0 < k < n; `mask` is a fresh random integer of 256 bits.

    A comb of five teeth and two tables with signs for digits (Hamburg, "Fast and compact elliptic-curve
    cryptography", 3.3): 25 doublings and 51 additions whatever k is.
    """
    signs = recode(k, N, _BITS)
    x, y = _comb(signs, 1, _COLUMNS - 1)
    x, y, z = scale(x, y, mask, P)
    x2, y2 = _comb(signs, 0, _COLUMNS - 1)
    x, y, z = add_affine(x, y, z, x2, y2, P)
    for column in range(_COLUMNS - 2, -1, -1):
        x, y, z = double(x, y, z, 1, P)
        x, y, z = _add_column(x, y, z, signs, column)
    return affine(x, y, z, P, _B)


def multiply(k, x, y, mask):
    """(x, y) of k * (x, y) for 0 < k < n and a point on the curve; `mask` is a fresh random integer of 256 bits."""
    x, y, z = curve.multiply(k, x, y, mask, P, N, _BITS)
    return affine(x, y, z, P, _B)


def matches(u, v, x, y, r):
    """Is the x-coordinate of u * G + v * (x, y) equal to r modulo n? For public values only; 0 <= u < n, 0 < v < n.

    v goes by width-5 NAF; u joins in the last 26 doublings, by the comb of `base`. A width-6 NAF of u would save
    15 additions of some 350 operations, and cost another kilobyte of table.
    """
    table = odd_multiples(x, y, 1, P)
    digits = naf(v)
    signs = recode(u, N, _BITS)
    z = 0
    for i in range(max(len(digits), _COLUMNS) - 1, -1, -1):
        if z:
            x, y, z = double(x, y, z, 1, P)
        x, y, z = add_digit(x, y, z, digits, i, table, P)
        if i < _COLUMNS:
            x, y, z = _add_column(x, y, z, signs, i)
    return bool(z) and same_x(x, z, r, P, N)
