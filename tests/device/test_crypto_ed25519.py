"""Ed25519 of the software backend: vectors of the reference implementation, and what must be refused."""

from certlet.crypto import soft
from certlet.crypto.soft import ed25519
from certlet.errors import BadSignature, CryptoError
from support import raises, vectors

_P = ed25519.P
_L = ed25519.L


def _load(seed):
    return soft.load(b"soft:ed25519:" + seed)


def test_signatures():
    rows = vectors("crypto_ed25519")
    assert len(rows) == 65 and len(rows[-1][2]) == 2 * 1023
    for seed, public, message, signature in rows:
        message = bytes.fromhex(message)
        key = _load(bytes.fromhex(seed))
        assert key.public().hex() == public
        assert key.sign(message).hex() == signature
        soft.verify("ed25519", bytes.fromhex(public), bytes.fromhex(signature), message)
        raises(BadSignature, 211, soft.verify, "ed25519", bytes.fromhex(public), bytes.fromhex(signature), message + b"x")


def _number(n):
    return n.to_bytes(32, "little")


def test_bad_signatures():
    key = _load(bytes(range(32)))
    good = key.sign(b"m")
    point, s = good[:32], int.from_bytes(good[32:], "little")
    rows = (
        ("empty", b""),
        ("short", good[:63]),
        ("long", good + b"\0"),
        ("S + L", point + _number(s + _L)),
        ("S = L", point + _number(_L)),
        ("S of all ones", point + b"\xff" * 32),
        ("S = 0", point + bytes(32)),
        ("S negated", point + _number(_L - s)),
        ("R negated", point[:31] + bytes([point[31] ^ 0x80]) + good[32:]),
        ("one bit of R", bytes([point[0] ^ 1]) + good[1:]),
        ("one bit of S", good[:40] + bytes([good[40] ^ 4]) + good[41:]),
        ("R = S = 0", bytes(64)),
        ("R the neutral element, S = 0", _number(1) + bytes(32)),
        ("R not canonical", _number(_P + 1) + bytes(32)),
    )
    for why, signature in rows:
        assert raises(BadSignature, 211, soft.verify, "ed25519", key.public(), signature, b"m"), why
    soft.verify("ed25519", memoryview(key.public()), memoryview(good), b"m")


# The eight points of small order and other ways to write them; what is no point at all
_BAD_KEYS = (
    ("neutral element", _number(1)),
    ("neutral element, not canonical", _number(_P + 1)),
    ("neutral element, x = -0", _number(1 | 1 << 255)),
    ("order 2", _number(_P - 1)),
    ("order 2, x = -0", _number(_P - 1 | 1 << 255)),
    ("order 4", _number(0)),
    ("order 4, the other", _number(1 << 255)),
    ("order 4, not canonical", _number(_P)),
    ("order 8", bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
    ("order 8, -x", bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85")),
    ("order 8, -y", bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")),
    ("order 8, -x, -y", bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")),
    ("y = 2, off the curve", _number(2)),
    ("y = 2^255 - 1", _number((1 << 255) - 1)),
    ("all ones", b"\xff" * 32),
    ("nothing", b""),
    ("31 octets", bytes(31)),
    ("33 octets", _number(4) + b"\0"),
)


def test_bad_public_keys():
    key = _load(bytes(range(32)))
    signature = key.sign(b"m")
    for why, public in _BAD_KEYS:
        for s in (signature, _number(1) + bytes(32), bytes(64)):
            assert raises(CryptoError, 207, soft.verify, "ed25519", public, s, b"m"), why


def test_a_key_with_a_part_of_small_order_verifies_its_own_only():
    """A + T for T of order 4: not of small order itself, so taken, but it is another key."""
    key = _load(bytes(range(32)))
    x, y, z, t = ed25519._decode(key.public())
    tx, ty, tz, tt = ed25519._decode(_number(0))
    mixed = ed25519._encode(*ed25519._sum(x, y, z, t, *ed25519._ready(tx, ty, tz, tt))[:3])
    raises(BadSignature, 211, soft.verify, "ed25519", mixed, key.sign(b"m"), b"m")


def test_multiples_of_the_base_point():
    point = ed25519._encode(*ed25519._base(1, 12345)[:3])
    assert point == b"\x58" + b"\x66" * 31
    one = ed25519._decode(point)
    x, y, z, t = 0, 1, 1, 0
    for k in range(20):
        expected = ed25519._encode(x, y, z)
        assert ed25519._encode(*ed25519._base(k, 7)[:3]) == expected, k
        assert ed25519._encode(*ed25519._combined(k, 0, one)) == expected, k
        # (k + 5) * B - 5 * B
        assert ed25519._encode(*ed25519._combined(k + 5, 5, one)) == expected, k
        x, y, z, t = ed25519._sum(x, y, z, t, *ed25519._ready(*one))
    assert ed25519._encode(*ed25519._combined(_L - 1, _L - 1, one)) == _number(1)


def test_masks_do_not_show():
    for mask in (0, 1, _P - 1, _P, (1 << 256) - 1):
        assert ed25519._encode(*ed25519._base(77, mask)[:3]) == ed25519._encode(*ed25519._base(77, 3)[:3])


def test_keys_are_kept_loaded_and_wiped():
    key = soft.generate("ed25519")
    assert key.alg == "ed25519" and key.backend == "soft" and len(key.public()) == 32
    assert key.ref == b"soft:ed25519:" + key.export() and len(key.export()) == 32
    again = soft.load(memoryview(key.ref))
    assert again.public() == key.public() and again.sign(b"m") == key.sign(b"m")
    assert soft.generate("ed25519").export() != key.export()
    key.wipe()
    assert key._seed == bytes(32) and key.public() == again.public()
    raises(CryptoError, 210, key.sign, b"m")
    raises(CryptoError, 210, key.export)
    raises(CryptoError, 210, lambda: key.ref)
    assert len(_load(bytes(32)).sign(b"m")) == 64, "32 zeros are a key like any other"
    for ref in (b"soft:ed25519:", b"soft:ed25519:" + bytes(31), b"soft:ed25519:" + bytes(33)):
        raises(CryptoError, 206, soft.load, ref)


def test_a_faulty_point_is_not_released():
    key = _load(bytes(range(32)))
    key.public()
    invert = ed25519.invert
    ed25519.invert = lambda a, m: invert(a, m) ^ 1
    try:
        raises(CryptoError, 212, key.sign, b"m")
    finally:
        ed25519.invert = invert
