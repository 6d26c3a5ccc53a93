"""P-256 keys, ECDSA and ECDH of the software backend: the corners of the arithmetic, and what must be refused.

Published vectors are in test_crypto_curves.py.
"""

from certlet.crypto import soft
from certlet.crypto.soft import curve, ecdsa, p256
from certlet.errors import BadSignature, CryptoError, Unsupported
from support import raises

_N = p256.N
_P = p256.P
_GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
_GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_MASK = 0x123456789ABCDEF0FEDCBA9876543210
# RFC 6979, A.2.5
_KEY = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"


def _octets(number):
    return number.to_bytes(32, "big")


def _encode(x, y):
    return b"\x04" + _octets(x) + _octets(y)


def _key(scalar):
    return soft.load(b"soft:p256:" + _octets(scalar))


def test_agreement_of_two_generated_keys():
    a = soft.generate("p256")
    b = soft.generate("p256")
    assert a.export() != b.export()
    assert a.ecdh(b.public()) == b.ecdh(a.public())
    assert len(a.ecdh(b.public())) == 32


def _point_from(x):
    # The first point whose x-coordinate is this or greater.
    y = 0
    while not curve.on_curve(x, y, _P, _B):
        x += 1
        y = pow(x * x * x - 3 * x + _B, (_P + 1) // 4, _P)
    return x, y


def _sum(a, b):
    # Affine addition by the school's formulas.
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * curve.invert(2 * a[1] % _P, _P)
    else:
        slope = (b[1] - a[1]) * curve.invert((b[0] - a[0]) % _P, _P)
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def test_small_and_large_scalars():
    point = (_GX, _GY)
    for k in range(1, 33):
        negative = (point[0], _P - point[1])
        for multiple, expected in ((k, point), (_N - k, negative)):
            assert p256.base(multiple, _MASK) == expected, multiple
            assert p256.multiply(multiple, _GX, _GY, _MASK) == expected, multiple
        point = _sum(point, (_GX, _GY))


def test_scalars_that_meet_a_table_entry():
    # k twice the digit of the last column makes the last addition of `base` a doubling, k equal to it one to infinity.
    for index in range(16):
        digit = 1 << 208
        for tooth in range(4):
            digit += (1 if index >> tooth & 1 else -1) << 52 * tooth
        for k in (digit, 2 * digit, digit << 26, digit << 27, digit + (digit << 26)):
            for multiple in (k % _N, -k % _N):
                assert p256.base(multiple, _MASK) == p256.multiply(multiple, _GX, _GY, 3), (index, multiple)


def test_additions_of_equal_points():
    double = _sum((_GX, _GY), (_GX, _GY))
    infinity = (_GX, _GY, 0)
    assert curve.affine(*curve.add_affine(_GX, _GY, 1, _GX, _GY, _P), _P, _B) == double
    assert curve.affine(*curve.add(_GX, _GY, 1, _GX, _GY, 1, 1, 1, _P), _P, _B) == double
    assert curve.add_affine(_GX, _GY, 1, _GX, _P - _GY, _P)[2] == 0
    assert curve.add(_GX, _GY, 1, _GX, _P - _GY, 1, 1, 1, _P)[2] == 0
    assert curve.add_affine(*infinity, _GX, _GY, _P) == (_GX, _GY, 1)
    assert curve.add(*infinity, _GX, _GY, 1, 1, 1, _P) == (_GX, _GY, 1)
    assert curve.double(*infinity, 3, _P)[2] == 0


def test_masks_do_not_show():
    for mask in (0, 1, 2, _P - 1, _P, _P + 1, (1 << 256) - 1):
        assert p256.base(77, mask) == p256.base(77, _MASK)
        assert p256.multiply(78, _GX, _GY, mask) == p256.base(78, _MASK)


def test_verify_where_sums_collide():
    # Public keys that are small multiples of the base point run into the exceptions of the addition.
    digests = (bytes(32), b"\xff" * 32, _octets(1), _octets(_N), _octets(_N - 1), bytes(20))
    for d in (1, 2, 3, _N - 1, _N - 2, (_N + 1) // 2):
        key = _key(d)
        for digest in digests:
            signature = key.sign(digest)
            soft.verify("p256", key.public(), signature, digest)
            raises(BadSignature, 211, soft.verify, "p256", key.public(), signature, b"\x01" * 32)


def test_infinity_matches_nothing():
    for d, v in ((1, 5), (7, 3), (_N - 1, 9)):
        x, y = p256.base(d, _MASK)
        for r in (0, 1, _GX % _N):
            assert not p256.matches(-v * d % _N, v, x, y, r)


def test_r_stands_for_x_beyond_n():
    # A point whose x is in n..p-1: r = x - n. With a digest of zero, Q = (s / r) * (x, y) makes r, s good.
    x, y = _point_from(_N + 1)
    r = x - _N
    assert x < _P
    public = _encode(*p256.multiply(5 * curve.invert(r, _N) % _N, x, y, _MASK))
    soft.verify("p256", public, _octets(r) + _octets(5), bytes(32))
    raises(BadSignature, 211, soft.verify, "p256", public, _octets(r + 1) + _octets(5), bytes(32))
    raises(BadSignature, 211, soft.verify, "p256", public, _octets(x) + _octets(5), bytes(32))


def test_bad_signatures():
    digest = soft.digest("sha256", b"sample")
    key = _key(int(_KEY, 16))
    good = key.sign(digest)
    soft.verify("p256", key.public(), memoryview(bytearray(good)), memoryview(digest))
    r, s = good[:32], good[32:]
    number = int.from_bytes(s, "big")
    rows = (
        ("empty", b""),
        ("r missing", s),
        ("one octet short", good[:63]),
        ("one octet long", good + b"\x00"),
        ("one octet more in front", b"\x00" + good),
        ("in DER", b"\x30\x44\x02\x20" + r + b"\x02\x20" + s),
        ("r = 0", bytes(32) + s),
        ("s = 0", r + bytes(32)),
        ("r = s = 0", bytes(64)),
        ("r = n", _octets(_N) + s),
        ("s = n", r + _octets(_N)),
        ("r = p", _octets(_P) + s),
        ("s of all ones", r + b"\xff" * 32),
        ("r of all ones", b"\xff" * 32 + s),
        ("s led by a zero", r + b"\x00" + s),
        ("r and s exchanged", s + r),
        ("one bit of r", bytes([r[0] ^ 1]) + r[1:] + s),
        ("one bit of s", r + s[:31] + bytes([s[31] ^ 1])),
        ("r = s = 1", _octets(1) + _octets(1)),
        ("r = s = n - 1", _octets(_N - 1) + _octets(_N - 1)),
    )
    for why, signature in rows:
        assert raises(BadSignature, 211, soft.verify, "p256", key.public(), signature, digest), why
    # (r, n - s) verifies as well: so ECDSA is made, and nothing here relies on a signature being the only one.
    soft.verify("p256", key.public(), r + _octets(_N - number), digest)
    raises(BadSignature, 211, soft.verify, "p256", _key(5).public(), good, digest)


def test_ranges_are_checked_before_any_arithmetic():
    digest = bytes(32)
    rows = [(r, s) for r in (0, 1, _N - 1, _N, _P) for s in (0, 1, _N - 1, _N, (1 << 256) - 1)]
    matches = p256.matches
    p256.matches = lambda u, v, x, y, r: True
    try:
        for r, s in rows:
            arguments = ("p256", _key(7).public(), _octets(r) + _octets(s), digest)
            if 0 < r < _N and 0 < s < _N:
                soft.verify(*arguments)
            else:
                raises(BadSignature, 211, soft.verify, *arguments)
        raises(BadSignature, 211, soft.verify, "p256", _key(7).public(), _octets(1) + b"\x01", digest)
    finally:
        p256.matches = matches


_G = b"\x04" + _octets(_GX) + _octets(_GY)
_BAD_POINTS = (
    ("infinity", b"\x00"),
    ("infinity with padding", bytes(65)),
    ("nothing", b""),
    ("coordinates without 04", _G[1:]),
    ("compressed", b"\x03" + _G[1:33]),
    ("compressed, padded", b"\x03" + _G[1:]),
    ("hybrid", b"\x07" + _G[1:]),
    ("short", _G[:64]),
    ("long", _G + b"\x00"),
    ("(0, 0)", b"\x04" + bytes(64)),
    ("y off by one", _G[:64] + bytes([_G[64] ^ 1])),
    ("x + p, where x is on the curve", None),
    ("x = p", b"\x04" + _octets(_P) + _octets(_GY)),
    ("y = p", b"\x04" + _octets(_GX) + _octets(_P)),
    ("all ones", b"\x04" + b"\xff" * 64),
)


def _point_beyond_p():
    # x + p for a small x that is on the curve: right modulo p, and yet not a coordinate.
    x, y = _point_from(0)
    return b"\x04" + _octets(_P + x) + _octets(y)


def test_bad_points():
    key = _key(7)
    digest = bytes(32)
    signature = key.sign(digest)
    for why, point in _BAD_POINTS:
        point = _point_beyond_p() if point is None else point
        assert raises(CryptoError, 207, soft.verify, "p256", point, signature, digest), why
        assert raises(CryptoError, 207, key.ecdh, point), why


def test_bad_digests():
    key = _key(7)
    for length in (0, 16, 28, 31, 33, 65):
        raises(CryptoError, 208, key.sign, bytes(length))
        raises(CryptoError, 208, soft.verify, "p256", _G, bytes(64), bytes(length))


_BAD_REFS = (
    (206, b"soft:p256:"),
    (206, b"soft:p256:" + bytes(31) + b"\x01" + b"\x00"),
    (206, b"soft:p256:" + b"\x01" * 31),
    (206, b"soft:p256:" + bytes(32)),
    (206, b"soft:p256:" + _octets(_N)),
    (206, b"soft:p256:" + b"\xff" * 32),
    (206, b"soft:p384:" + b"\x01" * 32),
    (205, b"soft:p521:" + b"\x01" * 66),
    (205, b"soft:p256"),
    (205, b"soft"),
    (205, b""),
    (205, b"\x01" * 32),
)


def test_bad_references():
    for code, ref in _BAD_REFS:
        raises(CryptoError, code, soft.load, ref)


def test_unknown_algorithms():
    raises(Unsupported, 204, soft.generate, "p521")
    raises(Unsupported, 204, soft.generate, "")
    raises(Unsupported, 204, soft.verify, "p521", _G, bytes(64), bytes(32))


def test_references_load_the_same_key():
    key = soft.generate("p256")
    assert key.ref == b"soft:p256:" + key.export()
    again = soft.load(memoryview(key.ref))
    assert again.alg == "p256" and again.backend == "soft"
    assert again.public() == key.public() and again.export() == key.export()


def test_scalars_at_the_limits_load():
    assert _key(1).public() == _G
    assert _key(_N - 1).public() == b"\x04" + _octets(_GX) + _octets(_P - _GY)


def test_wiped_keys_do_nothing():
    key = _key(7)
    public = key.public()
    key.wipe()
    assert key._scalar == bytes(32)
    assert key.public() == public
    raises(CryptoError, 210, key.sign, bytes(32))
    raises(CryptoError, 210, key.ecdh, _G)
    raises(CryptoError, 210, key.export)
    raises(CryptoError, 210, lambda: key.ref)
    key = _key(7)
    key.wipe()
    raises(CryptoError, 210, key.public)


def test_a_result_off_the_curve_is_not_released():
    raises(CryptoError, 212, curve.affine, _GX, _GY + 1, 1, _P, _B)


def test_a_faulty_inverse_is_not_released():
    invert = ecdsa.invert
    key = _key(7)
    key.public()
    ecdsa.invert = lambda a, m: invert(a, m) ^ (m == _N)
    try:
        raises(CryptoError, 212, key.sign, b"\x05" * 32)
    finally:
        ecdsa.invert = invert
    assert ecdsa.Key(_octets(7)).sign(b"\x05" * 32) == key.sign(b"\x05" * 32)
