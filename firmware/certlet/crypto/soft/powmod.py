"""Modular exponentiation: the one place where RSA spends its time.

MicroPython's own pow(b, e, m) goes through the exponent bit by bit and multiplies at each one bit; windows of four bits
save a fifth of that, and their steps do not follow the exponent's bits. pow(x, 16, m) makes the four squarings in
between: it leaves no garbage, while each product that the interpreter makes has to look for room from the start of the
heap.
"""

from micropython import const

_SHORT = const(0x100000000)


def _octets(exponent):
    # Big-endian; up to 7 zeros in front cost next to nothing, for they square 1.
    size = 8
    while exponent >> 8 * size:
        size += 8
    return exponent.to_bytes(size, "big")


def powmod(base, exponent, modulus):
    """base^exponent modulo `modulus`; 0 <= base < modulus, exponent >= 0.

    A short exponent is a public one. A longer one is taken in windows: four squarings and one product whatever the
    digit; digit 0 multiplies by modulus + 1, which has the length of the others. The integers beneath are not of
    constant time: give secret exponents blinded.
    """
    if exponent < _SHORT:
        return pow(base, exponent, modulus)
    table = [modulus + 1, base]
    for _ in range(14):
        table.append(table[-1] * base % modulus)
    x = 1
    for octet in _octets(exponent):
        for digit in (octet >> 4, octet & 15):
            x = pow(x, 16, modulus) * table[digit] % modulus
    return x


def power_of_two(exponent, modulus):
    """2^exponent modulo `modulus`: squarings only, the products are shifts. A quarter faster than `powmod`."""
    x = 1
    for octet in _octets(exponent):
        for digit in (octet >> 4, octet & 15):
            x = (pow(x, 16, modulus) << digit) % modulus
    return x
