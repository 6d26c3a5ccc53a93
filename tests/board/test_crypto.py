"""Keys made and used on the emulated Pico, checked by another implementation, and the other way round."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VECTORS = Path(__file__).resolve().parents[2] / "build" / "vectors"
DIGEST = hashlib.sha256(b"certlet").digest()
SHA256 = ec.ECDSA(Prehashed(hashes.SHA256()))


@pytest.fixture(scope="module")
def chip(shared):
    """The board with `c`, its cryptography, and `k`, a key of its own making."""
    shared.exec("from certlet import crypto\nfrom certlet.errors import BadSignature\nc = crypto.select()\n"
                "k = c.generate('p256')", timeout=30)  # fmt: skip
    return shared


def octets(board, expression: str) -> bytes:
    return bytes.fromhex(board.exec(f"print(bytes({expression}).hex())", timeout=60).strip())


def point(public) -> bytes:
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_a_signature_of_the_chip_holds_elsewhere(chip):
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets(chip, "k.public()"))
    signature = octets(chip, f"k.sign({DIGEST!r})")
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    public.verify(encode_dss_signature(r, s), DIGEST, SHA256)
    with pytest.raises(InvalidSignature):
        public.verify(encode_dss_signature(r, s), hashlib.sha256(b"other").digest(), SHA256)


def test_the_chip_takes_a_signature_from_elsewhere_and_no_other(chip):
    key = ec.generate_private_key(ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(DIGEST, SHA256))
    good = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    verify = f"def verify(signature):\n c.verify('p256', {point(key.public_key())!r}, signature, {DIGEST!r})"
    assert chip.exec(f"{verify}\nverify({good!r})", timeout=60) == ""
    bad = good[:40] + bytes([good[40] ^ 1]) + good[41:]
    refused = chip.exec(f"try:\n verify({bad!r})\nexcept BadSignature: print('refused')", timeout=60)
    assert refused == "refused\n"


def test_published_signatures(chip):
    """RFC 6979 A.2.5, by way of the vectors that the device tests use."""
    rows = json.loads((VECTORS / "crypto_p256_rfc6979.json").read_text())
    key = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
    chip.exec(f"p = c.load(b'soft:p256:' + bytes.fromhex({key!r}))")
    sample = [row for row in rows if row[0] in ("sha256", "sha384") and bytes.fromhex(row[1]) == b"sample"]
    assert len(sample) == 2
    for alg, message, signature in sample:
        assert octets(chip, f"p.sign(c.digest({alg!r}, bytes.fromhex({message!r})))").hex() == signature, alg


def test_both_ends_agree_on_a_secret(chip):
    key = ec.generate_private_key(ec.SECP256R1())
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets(chip, "k.public()"))
    assert octets(chip, f"c.ecdh(k, {point(key.public_key())!r})") == key.exchange(ec.ECDH(), public)


@pytest.mark.parametrize("alg", ["sha1", "sha256", "sha384", "sha512"])
def test_digests(chip, alg):
    lengths = (0, 1, 55, 56, 64, 111, 112, 128, 1000)
    digests = json.loads(
        chip.exec(f"m = bytes(range(250)) * 4\nprint('[' + ','.join('\"%s\"' % c.digest({alg!r}, m[:n]).hex() "
                  f"for n in {lengths}) + ']')", timeout=60)
    )  # fmt: skip
    message = bytes(range(250)) * 4
    assert digests == [hashlib.new(alg, message[:n]).hexdigest() for n in lengths]


def test_the_key_derivation_of_pbm(chip):
    expected = b"secret" + b"salt"
    for _ in range(500):
        expected = hashlib.sha256(expected).digest()
    assert octets(chip, "c.repeat_digest('sha256', b'secretsalt', 500)") == expected
