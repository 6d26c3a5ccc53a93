"""Compute the constant tables of `certlet/crypto/soft` from their definitions.

    python firmware/tools/crypto_tables.py      writes p256_table.py, ed25519_table.py and sha512_table.py

The tables are checked in; `tests/host/test_crypto_tables.py` fails when they are not what this script computes.
The arithmetic here is the textbook's (affine points, integer roots) and shares nothing with the device's.
"""

from __future__ import annotations

from pathlib import Path

SOFT = Path(__file__).resolve().parent.parent / "certlet" / "crypto" / "soft"

Point = tuple[int, int]

# P-256: FIPS 186-4, D.1.2.3
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
G: Point = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

# edwards25519: RFC 8032, 5.1
P25519 = 2**255 - 19
D25519 = -121665 * pow(121666, -1, P25519) % P25519
B25519: Point = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)

# The combs of p256.py and ed25519.py: 260 bits as 5 teeth that are 52 bits apart; P-256 in 2 halves of 26 columns.
TEETH = 5
SPACING = 52
COLUMNS = 26


def add(a: Point, b: Point) -> Point:
    """Affine sum of two points of which neither is the other's negative."""
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k: int, point: Point) -> Point:
    """k * point for k >= 1."""
    result = point
    for bit in bin(k)[3:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def comb_scalar(index: int) -> int:
    """2^208 + sum of +-2^(52 tooth), the sign of tooth 0..3 being bit `tooth` of the index."""
    scalar = 1 << (TEETH - 1) * SPACING
    for tooth in range(TEETH - 1):
        scalar += (1 if index >> tooth & 1 else -1) << tooth * SPACING
    return scalar


def octets(*numbers: int) -> bytes:
    """Numbers of 32 octets, big-endian."""
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def comb_table() -> bytes:
    """2 halves of 16 points of P-256, each x | y, those of the second half times 2^26."""
    scalars = [comb_scalar(index) << half * COLUMNS for half in range(2) for index in range(1 << TEETH - 1)]
    return b"".join(octets(*multiply(scalar, G)) for scalar in scalars)


def edwards_add(a: Point, b: Point) -> Point:
    """Affine sum on edwards25519 (RFC 8032, 5.1.4 without the shared denominators)."""
    product = D25519 * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P25519)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P25519)
    return x % P25519, y % P25519


def edwards_comb() -> bytes:
    """16 points of edwards25519, each y - x | y + x modulo p."""
    table = b""
    for index in range(1 << TEETH - 1):
        x, y = 0, 1
        for bit in bin(comb_scalar(index))[2:]:
            x, y = edwards_add((x, y), (x, y))
            if bit == "1":
                x, y = edwards_add((x, y), B25519)
        table += octets((y - x) % P25519, (y + x) % P25519)
    return table


def primes(count: int) -> list[int]:
    """The first `count` primes."""
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def root(value: int, degree: int) -> int:
    """Integer part of the root, by bisection."""
    low, high = 0, 1 << value.bit_length() // degree + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle)
    return low


def root_fractions(numbers: list[int], degree: int) -> bytes:
    """The first 64 bits of the fractional part of each root (FIPS 180-4, 4.2.3 and 5.3.4)."""
    words = [root(number << 64 * degree, degree) % (1 << 64) for number in numbers]
    return b"".join(word.to_bytes(8, "big") for word in words)


def literal(name: str, data: bytes) -> str:
    """A bytes literal of 16 octets a line."""
    rows = ["".join(f"\\x{octet:02x}" for octet in data[at : at + 16]) for at in range(0, len(data), 16)]
    return "\n".join([f"{name} = (", *(f'    b"{row}"' for row in rows), ")"]) + "\n"


def render() -> dict[str, str]:
    """File name -> text of each table module."""
    made = "Made by firmware/tools/crypto_tables.py."
    p256 = f'"""P-256: the signed comb of the base point, see `p256.base`. {made}"""\n\n'
    sha512 = f'"""SHA-384 and SHA-512 (FIPS 180-4): round constants, initial values. {made}"""\n\n'
    ed25519 = f'"""Ed25519: the signed comb of the base point, see `ed25519._column`. {made}"""\n\n'
    first = primes(80)
    return {
        "p256_table.py": p256 + literal("COMB", comb_table()),
        "ed25519_table.py": ed25519 + literal("COMB", edwards_comb()),
        "sha512_table.py": sha512
        + literal("K", root_fractions(first, 3))
        + literal("SHA512", root_fractions(first[:8], 2))
        + literal("SHA384", root_fractions(first[8:16], 2)),
    }


def main() -> None:
    """Write the table modules."""
    for name, text in render().items():
        (SOFT / name).write_text(text)


if __name__ == "__main__":
    main()
