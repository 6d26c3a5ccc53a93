"""Points of curves y^2 = x^3 - 3x + b modulo p (FIPS 186-4, D.1.2) in plain integers, for P-256 and P-384.

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


def invert(a, m):
    """1 / a modulo m, 0 < a < m, by Euclid; 0 when there is none. The steps tell of both: pass secrets only blinded."""
    r0, r1 = m, a
    s0, s1 = 0, 1
    while r1:
        q = r0 // r1
        r0, r1 = r1, r0 - q * r1
        s0, s1 = s1, s0 - q * s1
    return s0 % m if r0 == 1 else 0


def double(x, y, z, times, p):
    """2^times * (x, y, z): dbl-2001-b of the Explicit-Formulas Database."""
    for _ in range(times):
        zz = z * z % p
        yy = y * y % p
        b = x * yy % p
        a = 3 * (x - zz) * (x + zz) % p
        z = 2 * y * z % p
        x = (a * a - 8 * b) % p
        y = (a * (4 * b - x) - 8 * yy * yy) % p
    return x, y, z


def _special(x, y, z, r, p):
    # A sum of points of equal x: the double when y is equal too, else infinity.
    return (1, 1, 0) if r else double(x, y, z, 1, p)


def add_affine(x1, y1, z1, x2, y2, p):
    """(x1, y1, z1) + (x2, y2): madd-2004-hmv, complete by its two exceptions."""
    if not z1:
        return x2, y2, 1
    zz = z1 * z1 % p
    h = (x2 * zz - x1) % p
    r = (y2 * (zz * z1 % p) - y1) % p
    if not h:
        return _special(x1, y1, z1, r, p)
    hh = h * h % p
    hhh = hh * h % p
    v = x1 * hh % p
    x = (r * r - hhh - 2 * v) % p
    return x, (r * (v - x) - y1 * hhh) % p, z1 * h % p


def add(x1, y1, z1, x2, y2, z2, zz2, zzz2, p):
    """The same with a second point in Jacobian form that brings Z^2 and Z^3 along (add-1998-cmo-2)."""
    if not z1:
        return x2, y2, z2
    zz1 = z1 * z1 % p
    u = x1 * zz2 % p
    s = y1 * zzz2 % p
    h = (x2 * zz1 - u) % p
    r = (y2 * (zz1 * z1 % p) - s) % p
    if not h:
        return _special(x1, y1, z1, r, p)
    hh = h * h % p
    hhh = hh * h % p
    v = u * hh % p
    x = (r * r - hhh - 2 * v) % p
    return x, (r * (v - x) - s * hhh) % p, (z1 * z2 % p) * h % p


def odd_multiples(x, y, z, p):
    """1, 3, .. 15 times the point, each with Z^2 and Z^3 for `add`."""

    def entry(x, y, z):
        zz = z * z % p
        return x, y, z, zz, zz * z % p

    twice = entry(*double(x, y, z, 1, p))
    table = [entry(x, y, z)]
    for _ in range(7):
        x, y, z = add(x, y, z, *(twice + (p,)))
        table.append(entry(x, y, z))
    return table


def scale(x, y, mask, p):
    """The affine point in Jacobian form with `mask`, a random integer, for its Z."""
    z = mask % p or 1
    zz = z * z % p
    return x * zz % p, y * (zz * z % p) % p, z


def on_curve(x, y, p, b):
    """Is (x, y) a point: both in 0..p-1 and y^2 = x^3 - 3x + b? Infinity has no such form."""
    return x < p and y < p and (y * y - (x * x - 3) * x - b) % p == 0


def decode(public, size, p, b):
    """(x, y) of a public key 04 | x | y (SEC 1, 2.3.4), else CryptoError. Other forms are refused."""
    if len(public) == 2 * size + 1 and public[0] == 4:
        x = int.from_bytes(public[1 : size + 1], "big")
        y = int.from_bytes(public[size + 1 :], "big")
        if on_curve(x, y, p, b):
            return x, y
    raise CryptoError(_CRYPTO_POINT)


def affine(x, y, z, p, b):
    """(x, y) by one inversion. Where the point is secret, z carries the random factor of `scale`.

    A result off the curve is the trace of a fault, and is not released, as it can betray the scalar (Biehl, Meyer,
    Mueller 2000): CryptoError.
    """
    w = invert(z, p)
    ww = w * w % p
    x = x * ww % p
    y = y * (ww * w % p) % p
    if not on_curve(x, y, p, b):
        raise CryptoError(_CRYPTO_FAULT)
    return x, y


def recode(k, n, bits):
    """The scalar 0 <= k < n as `bits` signs: k = sum of +-2^i modulo n, bit i of the result, little-endian, set for +.

    An even k becomes k + n, so 2 n < 2^bits. With all bits set the sum is 2^bits - 1, each cleared one takes 2^(i+1):
    so the bits are (k + 2^bits - 1) / 2.
    """
    odd = k + n * (1 - (k & 1))
    return (odd + ((1 << bits) - 1) >> 1).to_bytes((bits + 7) // 8, "little")


def multiply(k, x, y, mask, p, n, bits):
    """k * (x, y) in Jacobian form for 0 < k < n and a point on the curve; `mask` as in `scale`, `bits` as in `recode`.

    Windows of four signs each (Joye and Tunstall 2009): `bits` doublings less 4 and a fourth of it additions,
    whatever k is.
    """
    table = odd_multiples(*(scale(x, y, mask, p) + (p,)))
    signs = recode(k, n, bits)
    z = 0
    for window in range(bits // 4 - 1, -1, -1):
        if z:
            x, y, z = double(x, y, z, 4, p)
        digit = signs[window >> 1] >> (4 * (window & 1)) & 15  # stands for 2 * digit - 15
        top = digit >> 3
        x2, y2, z2, zz2, zzz2 = table[digit & 7 ^ 7 * (1 - top)]
        x, y, z = add(x, y, z, x2, (p - y2, y2)[top], z2, zz2, zzz2, p)
    return x, y, z


def naf(k):
    """Width-5 non-adjacent form, lowest digit first: 0 or odd in -15..15, four zeros or more after each odd one."""
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


def add_digit(x, y, z, digits, i, table, p):
    """Add what digit i of a `naf` says, from the table of `odd_multiples`."""
    digit = digits[i] if i < len(digits) else 0
    if digit > 0:
        return add(x, y, z, *(table[digit >> 1] + (p,)))
    if digit:
        x2, y2, z2, zz2, zzz2 = table[-digit >> 1]
        return add(x, y, z, x2, p - y2, z2, zz2, zzz2, p)
    return x, y, z


def same_x(x, z, r, p, n):
    """Is the affine x-coordinate of a point, not infinity, equal to r modulo n?

    It compares X with r * Z^2 rather than invert Z; r stands for r + n too where that is below p.
    """
    zz = z * z % p
    return (r * zz - x) % p == 0 or (r + n < p and ((r + n) * zz - x) % p == 0)
