"""The device's crypto layer against `cryptography`, on random and on extreme values."""

import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from certlet.crypto import soft
from certlet.errors import BadSignature

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}

# Scalars of hypothesis' choice, which loves extremes, and such as a key generator makes.
uniform = st.binary(min_size=40, max_size=40).map(lambda octets: int.from_bytes(octets) % (N - 1) + 1)
scalars = st.one_of(st.integers(1, N - 1), uniform)
algorithm = st.sampled_from(sorted(HASHES))
many = settings(max_examples=200, deadline=None)


def device_key(d: int):
    return soft.load(b"soft:p256:" + d.to_bytes(32, "big"))


def host_key(d: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(d, ec.SECP256R1())


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@many
@given(scalars)
def test_public_keys(d):
    assert device_key(d).public() == point(host_key(d))


@many
@given(scalars, algorithm, st.binary(max_size=100))
def test_device_signs_host_verifies(d, alg, message):
    signature = device_key(d).sign(soft.digest(alg, message))
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    host_key(d).public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(HASHES[alg]))
    # RFC 6979 leaves no choice
    twin = host_key(d).sign(message, ec.ECDSA(HASHES[alg], deterministic_signing=True))
    assert decode_dss_signature(twin) == (r, s)


@many
@given(scalars, algorithm, st.binary(max_size=100), st.integers(0, 511))
def test_host_signs_device_verifies(d, alg, message, bit):
    r, s = decode_dss_signature(host_key(d).sign(message, ec.ECDSA(HASHES[alg])))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    digest = soft.digest(alg, message)
    soft.verify("p256", point(host_key(d)), signature, digest)
    changed = (int.from_bytes(signature) ^ 1 << bit).to_bytes(64, "big")
    with pytest.raises(BadSignature):
        soft.verify("p256", point(host_key(d)), changed, digest)


@many
@given(scalars, scalars)
def test_key_agreement(d, e):
    expected = host_key(d).exchange(ec.ECDH(), host_key(e).public_key())
    assert device_key(d).ecdh(point(host_key(e))) == expected


@many
@given(scalars, st.integers(1, N - 1), st.integers(1, N - 1), st.binary(min_size=32, max_size=32))
def test_both_judge_any_r_and_s_alike(d, r, s, digest):
    try:
        host_key(d).public_key().verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        with pytest.raises(BadSignature):
            soft.verify("p256", point(host_key(d)), r.to_bytes(32, "big") + s.to_bytes(32, "big"), digest)
    else:
        soft.verify("p256", point(host_key(d)), r.to_bytes(32, "big") + s.to_bytes(32, "big"), digest)


@many
@given(algorithm, st.binary(max_size=600), st.binary(max_size=300))
def test_hashes(alg, a, b):
    assert soft.digest(alg, a, b) == hashlib.new(alg, a + b).digest()
    assert soft.hmac(alg, a, b) == hmac.digest(a, b, alg)


@many
@given(algorithm, st.binary(max_size=200), st.binary(max_size=40), st.integers(1, 5), st.integers(1, 150))
def test_pbkdf2(alg, password, salt, iterations, length):
    expected = hashlib.pbkdf2_hmac(alg, password, salt, iterations, length)
    assert soft.pbkdf2(alg, password, salt, iterations, length) == expected


@many
@given(st.sampled_from((16, 32)), st.binary(min_size=48, max_size=48), st.integers(0, 5))
def test_aes_cbc(size, octets, blocks):
    key, iv, data = octets[:size], octets[32:48], octets * blocks
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(data)
    assert soft.aes_cbc(key, iv, data, True) == cipher
    assert soft.aes_cbc(key, iv, cipher, False) == data


@pytest.mark.parametrize("digest", [b"\xff" * 32, N.to_bytes(32, "big"), (N - 1).to_bytes(32, "big"), bytes(32)])
def test_nonces_of_digests_at_the_limits(digest):
    # RFC 6979, 2.3.4: bits2octets reduces the digest modulo n before it goes into the nonce
    twin = host_key(7).sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True))
    signature = device_key(7).sign(digest)
    assert decode_dss_signature(twin) == (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
