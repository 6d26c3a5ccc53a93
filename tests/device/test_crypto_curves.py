"""P-256 and P-384 of the software backend against published vectors: key pairs, ECDSA and ECDH."""

from certlet.crypto import soft
from certlet.crypto.soft import curve, ecdsa, p256, p384
from certlet.errors import BadSignature, CryptoError
from support import raises, vectors

_CURVES = (("p256", p256), ("p384", p384))
_MASK = 0x123456789ABCDEF0FEDCBA9876543210
# RFC 6979, A.2.5 and A.2.6
_KEYS = {
    "p256": "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
    "p384": "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
}
# FIPS 186-4, D.1.2.4
_B384 = 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF
_G384 = bytes.fromhex(
    "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7"
    "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F"
)


def _load(alg, scalar):
    return soft.load(b"soft:" + alg.encode() + b":" + bytes.fromhex(scalar))


def test_key_pairs():
    for alg, _ in _CURVES:
        rows = vectors("crypto_" + alg + "_keypair")
        assert len(rows) == 10
        for d, point in rows:
            assert _load(alg, d).public().hex() == "04" + point


def test_public_key_validation():
    for alg, module in _CURVES:
        for x, y, result in vectors("crypto_" + alg + "_pkv"):
            if len(x + y) % 2:
                x = "0" + x
            public = bytes.fromhex("04" + x + y)
            if result == "P":
                assert module.decode(public) == (int(x, 16), int(y, 16))
            else:
                raises(CryptoError, 207, module.decode, public)


def test_deterministic_signatures():
    for alg, _ in _CURVES:
        key = _load(alg, _KEYS[alg])
        rows = vectors("crypto_" + alg + "_rfc6979")
        assert sorted([(hash, bytes.fromhex(text)) for hash, text, _ in rows]) == sorted(
            [(hash, text) for hash in ("sha1", "sha256", "sha384", "sha512") for text in (b"sample", b"test")]
        )
        for hash, message, signature in rows:
            digest = soft.digest(hash, bytes.fromhex(message))
            assert key.sign(digest).hex() == signature, (alg, hash, message)
            assert key.sign(digest, hash).hex() == signature, "blinding shows"


def test_signatures_generated_elsewhere():
    for alg, module in _CURVES:
        rows = vectors("crypto_" + alg + "_siggen")
        assert len(rows) == 60
        for hash, message, d, point, k, r, s in rows[:: 1 if alg == "p256" else 4]:
            digest = soft.digest(hash, bytes.fromhex(message))
            public = bytes.fromhex("04" + point)
            soft.verify(alg, public, bytes.fromhex(r + s), digest, hash)
            assert module.base(int(k, 16), _MASK)[0] % module.N == int(r, 16)
            key = _load(alg, d)
            assert key.public() == public
            soft.verify(alg, public, key.sign(digest), digest)


def test_signature_verification():
    for alg, _ in _CURVES:
        rows = vectors("crypto_" + alg + "_sigver")
        assert len([row for row in rows if row[4] == "P"]) == 12
        assert len([row for row in rows if row[4] == "F"]) == 48
        for hash, message, point, signature, result in rows:
            digest = soft.digest(hash, bytes.fromhex(message))
            arguments = (alg, bytes.fromhex("04" + point), bytes.fromhex(signature), digest)
            if result == "P":
                soft.verify(*arguments)
            else:
                raises(BadSignature, 211, soft.verify, *arguments)


def test_key_agreement():
    for alg, module in _CURVES:
        rows = vectors("crypto_" + alg + "_ecdh")
        assert len(rows) == 60
        for d, other, own, secret, reason in rows[:: 1 if alg == "p256" else 4]:
            key = _load(alg, d)
            other = bytes.fromhex("04" + other)
            if reason in (1, 2):  # the other's point is wrong
                raises(CryptoError, 207, key.ecdh, other)
                continue
            agreed = key.ecdh(other).hex() == secret
            paired = key.public().hex() == "04" + own
            if reason in (5, 6):  # one's own point is wrong
                raises(CryptoError, 207, module.decode, bytes.fromhex("04" + own))
            elif reason == 7:  # the scalar was changed
                assert not agreed and not paired
            elif reason == 8:  # the secret was changed
                assert not agreed and paired
            else:
                assert agreed and paired and reason in (0, 13)


def test_p384_keys_are_kept_loaded_and_wiped():
    key = soft.generate("p384")
    assert key.alg == "p384" and len(key.public()) == 97 and len(key.export()) == 48
    assert key.ref == b"soft:p384:" + key.export()
    assert soft.load(memoryview(key.ref)).public() == key.public()
    other = soft.generate("p384")
    assert key.ecdh(other.public()) == other.ecdh(key.public())
    raises(CryptoError, 207, key.ecdh, soft.generate("p256").public())
    key.wipe()
    raises(CryptoError, 210, key.sign, bytes(48))


def test_p384_small_and_large_scalars():
    """k * G = -((n - k) * G), and 1 * G, 2 * G, 3 * G lie on one chain of additions."""
    for k in (1, 2, 3, 15, 16, 17, 1 << 383, p384.N // 2):
        x, y = p384.base(k, _MASK)
        assert p384.base(p384.N - k, 5) == (x, p384.P - y)
    point = p384.base(1, _MASK)
    p, b = p384.P, _B384
    jacobian = curve.double(*point, 1, 1, p)
    assert curve.affine(*jacobian, p, b) == p384.base(2, 7)
    assert curve.affine(*curve.add_affine(*jacobian, *point, p), p, b) == p384.base(3, 7)


def test_p384_refuses_what_p256_refuses():
    key = _load("p384", _KEYS["p384"])
    digest = bytes(range(48))
    good = key.sign(digest)
    n = p384.N.to_bytes(48, "big")
    for signature in (b"", good[:95], good + b"\0", bytes(96), good[:48] + bytes(48), good[:48] + n, n + good[48:], good[48:] + good[:48]):
        raises(BadSignature, 211, soft.verify, "p384", key.public(), signature, digest)
    public = key.public()
    for point in (b"\x00", public[:96], public + b"\0", b"\x02" + public[1:49], b"\x04" + bytes(96), public[:96] + bytes([public[96] ^ 1])):
        raises(CryptoError, 207, soft.verify, "p384", point, good, digest)
    for length in (0, 31, 47, 65):
        raises(CryptoError, 208, key.sign, bytes(length))
    for scalar in (bytes(48), n, b"\xff" * 48, b"\x01" * 47, b"\x01" * 49, b"\x01" * 32):
        raises(CryptoError, 206, soft.load, b"soft:p384:" + scalar)


def test_a_faulty_inverse_is_not_released():
    key = _load("p384", _KEYS["p384"])
    invert = curve.invert
    curve.invert = lambda a, m: invert(a, m) ^ 1
    try:
        raises(CryptoError, 212, key.sign, bytes(48))
        raises(CryptoError, 212, key.public)
        raises(CryptoError, 212, key.ecdh, b"\x04" + _G384)
    finally:
        curve.invert = invert
    assert ecdsa.Key(bytes(47) + b"\x01", "p384").public() == b"\x04" + _G384
