"""The curve P-256 (FIPS 186-4, D.1.2.3) in plain integers: points in, points out, nothing of any scheme.

Points are affine (x, y) at the edges and Jacobian (X, Y, Z) inside, x = X / Z^2, y = Y / Z^3; Z = 0 is infinity.
`% p` costs three times a product here, so the formulas are written for few reductions: differences stay negative,
sums stay unreduced, until a product reduces them.

Secrets: the secret multiplications take the same steps for every scalar (each digit is +-odd, none is zero) and start
from a point scaled at random, so that no intermediate integer repeats. But integers here are of varying length
and time, and copies of them stay in the heap until it is reused: what is resisted is the remote clock,
not the probe at the supply pin nor a reader of RAM.
"""

from micropython import const

from ...errors import CryptoError

_CRYPTO_POINT = const(207)
_CRYPTO_FAULT = const(212)

P = const(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)
N = const(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)
_B = const(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B)

_BITS = const(260)  # of a recoded scalar: 5 teeth x 52, 65 windows x 4
_COLUMNS = const(26)  # of one half of the comb


def on_curve(x, y):
    """Is (x, y) a point: both in 0..p-1 and y^2 = x^3 - 3x + b? Infinity has no such form."""
    return x < P and y < P and (y * y - (x * x - 3) * x - _B) % P == 0


def decode(public):
    """(x, y) of a public key, 65 octets 04 | x | y (SEC 1, 2.3.4), or CryptoError. Other forms are refused."""
    if len(public) == 65 and public[0] == 4:
        x = int.from_bytes(public[1:33], "big")
        y = int.from_bytes(public[33:], "big")
        if on_curve(x, y):
            return x, y
    raise CryptoError(_CRYPTO_POINT)


def encode(x, y):
    """The 65 octets of a point (SEC 1, 2.3.3)."""
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def invert(a, m):
    """1 / a modulo the prime m, 0 < a < m, by Euclid. The number of steps tells of `a`: pass secrets only blinded."""
    r0, r1 = m, a
    s0, s1 = 0, 1
    while r1:
        q = r0 // r1
        r0, r1 = r1, r0 - q * r1
        s0, s1 = s1, s0 - q * s1
    return s0 % m


def _double(x, y, z, times):
    # 2^times * (x, y, z): dbl-2001-b of the Explicit-Formulas Database, for curves with a = -3.
    for _ in range(times):
        zz = z * z % P
        yy = y * y % P
        b = x * yy % P
        a = 3 * (x - zz) * (x + zz) % P
        z = 2 * y * z % P
        x = (a * a - 8 * b) % P
        y = (a * (4 * b - x) - 8 * yy * yy) % P
    return x, y, z


def _special(x, y, z, r):
    # A sum of points of equal x: the double when y is equal too, else infinity.
    return (1, 1, 0) if r else _double(x, y, z, 1)


def _add_affine(x1, y1, z1, x2, y2):
    # (x1, y1, z1) + (x2, y2): madd-2004-hmv, complete by its two exceptions.
    if not z1:
        return x2, y2, 1
    zz = z1 * z1 % P
    h = (x2 * zz - x1) % P
    r = (y2 * (zz * z1 % P) - y1) % P
    if not h:
        return _special(x1, y1, z1, r)
    hh = h * h % P
    hhh = hh * h % P
    v = x1 * hh % P
    x = (r * r - hhh - 2 * v) % P
    return x, (r * (v - x) - y1 * hhh) % P, z1 * h % P


def _add(x1, y1, z1, x2, y2, z2, zz2, zzz2):
    # The same with a second point in Jacobian form that brings Z^2 and Z^3 along (add-1998-cmo-2).
    if not z1:
        return x2, y2, z2
    zz1 = z1 * z1 % P
    u = x1 * zz2 % P
    s = y1 * zzz2 % P
    h = (x2 * zz1 - u) % P
    r = (y2 * (zz1 * z1 % P) - s) % P
    if not h:
        return _special(x1, y1, z1, r)
    hh = h * h % P
    hhh = hh * h % P
    v = u * hh % P
    x = (r * r - hhh - 2 * v) % P
    return x, (r * (v - x) - s * hhh) % P, (z1 * z2 % P) * h % P


def _odd_multiples(x, y, z):
    # 1, 3, .. 15 times the point, each with Z^2 and Z^3 for `_add`.
    def entry(x, y, z):
        zz = z * z % P
        return x, y, z, zz, zz * z % P

    double = entry(*_double(x, y, z, 1))
    table = [entry(x, y, z)]
    for _ in range(7):
        x, y, z = _add(x, y, z, *double)
        table.append(entry(x, y, z))
    return table


def _affine(x, y, z):
    # (x, y) by one inversion. Where the point is secret, z carries the random factor that the start point was given.
    w = invert(z, P)
    ww = w * w % P
    x = x * ww % P
    y = y * (ww * w % P) % P
    # A result off the curve is the trace of a fault; released, it can betray the scalar (Biehl, Meyer, Mueller 2000).
    if not on_curve(x, y):
        raise CryptoError(_CRYPTO_FAULT)
    return x, y


def _recode(k):
    # The scalar as 260 signs: k = sum of +-2^i modulo n, bit i of the result set for +. An even k becomes k + n.
    # With all bits set the sum is 2^260 - 1, each cleared one takes 2^(i+1): so the bits are (k + 2^260 - 1) / 2.
    odd = k + N * (1 - (k & 1))
    return (odd + ((1 << _BITS) - 1) >> 1).to_bytes(33, "little")


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


def base(k, mask):
    """(x, y) of k * G for 0 < k < n; `mask` is a fresh random integer of 256 bits.

    A comb of five teeth and two tables with signs for digits (Hamburg, "Fast and compact elliptic-curve
    cryptography", 3.3): 25 doublings and 51 additions whatever k is.
    """
    signs = _recode(k)
    x, y = _comb(signs, 1, _COLUMNS - 1)
    z = mask % P or 1
    zz = z * z % P
    x = x * zz % P
    y = y * (zz * z % P) % P
    x, y, z = _add_affine(x, y, z, *_comb(signs, 0, _COLUMNS - 1))
    for column in range(_COLUMNS - 2, -1, -1):
        x, y, z = _double(x, y, z, 1)
        x, y, z = _add_affine(x, y, z, *_comb(signs, 1, column))
        x, y, z = _add_affine(x, y, z, *_comb(signs, 0, column))
    return _affine(x, y, z)


def multiply(k, x, y, mask):
    """(x, y) of k * (x, y) for 0 < k < n and a point on the curve; `mask` is a fresh random integer of 256 bits.

    Windows of four signs each (Joye and Tunstall 2009): 256 doublings and 64 additions whatever k is.
    """
    z = mask % P or 1
    zz = z * z % P
    table = _odd_multiples(x * zz % P, y * (zz * z % P) % P, z)
    signs = _recode(k)
    z = 0
    for window in range(_BITS // 4 - 1, -1, -1):
        if z:
            x, y, z = _double(x, y, z, 4)
        digit = signs[window >> 1] >> (4 * (window & 1)) & 15  # stands for 2 * digit - 15
        top = digit >> 3
        x2, y2, z2, zz2, zzz2 = table[digit & 7 ^ 7 * (1 - top)]
        x, y, z = _add(x, y, z, x2, (P - y2, y2)[top], z2, zz2, zzz2)
    return _affine(x, y, z)


def _wnaf(k):
    # Width-5 non-adjacent form, lowest digit first: 0 or odd in -15..15, at least four zeros after each other digit.
    digits = []
    while k:
        digit = 0
        if k & 1:
            digit = k & 31
            if digit > 15:
                digit -= 32
            k -= digit
        digits.append(digit)
        k >>= 1
    return digits


def matches(u, v, x, y, r):
    """Is the x-coordinate of u * G + v * (x, y) equal to r modulo n? For public values only; 0 <= u < n, 0 < v < n.

    v goes by width-5 NAF; u joins in the last 26 doublings, by the comb of `base`. A width-6 NAF of u would save
    15 additions of some 350 operations, and cost another kilobyte of table.
    """
    table = _odd_multiples(x, y, 1)
    digits = _wnaf(v)
    signs = _recode(u)
    z = 0
    for i in range(max(len(digits), _COLUMNS) - 1, -1, -1):
        if z:
            x, y, z = _double(x, y, z, 1)
        digit = digits[i] if i < len(digits) else 0
        if digit > 0:
            x, y, z = _add(x, y, z, *table[digit >> 1])
        elif digit:
            x2, y2, z2, zz2, zzz2 = table[-digit >> 1]
            x, y, z = _add(x, y, z, x2, P - y2, z2, zz2, zzz2)
        if i < _COLUMNS:
            x, y, z = _add_affine(x, y, z, *_comb(signs, 1, i))
            x, y, z = _add_affine(x, y, z, *_comb(signs, 0, i))
    if not z:
        return False
    # Compare X with r * Z^2 rather than invert Z; r stands for r + n too where that is below p.
    zz = z * z % P
    return (r * zz - x) % P == 0 or (r + N < P and ((r + N) * zz - x) % P == 0)
