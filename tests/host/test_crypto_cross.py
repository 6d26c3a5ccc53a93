"""The device's crypto layer against `cryptography`, on random and on extreme values."""

import hashlib
import hmac
import sys

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from certlet import crypto
from certlet.crypto import soft
from certlet.der import Writer
from certlet.errors import BadSignature, Unsupported
from certlet.x509.request import write_request

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}

# Scalars of hypothesis' choice, which loves extremes, and such as a key generator makes.
uniform = st.binary(min_size=40, max_size=40).map(lambda octets: int.from_bytes(octets) % (N - 1) + 1)
scalars = st.one_of(st.integers(1, N - 1), uniform)
algorithm = st.sampled_from(sorted(HASHES))
many = settings(max_examples=200, deadline=None)
some = settings(max_examples=50, deadline=None)
N384 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
scalars384 = st.one_of(st.integers(1, N384 - 1), st.binary(min_size=48, max_size=48).map(lambda b: int.from_bytes(b) % (N384 - 1) + 1))


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


@some
@given(scalars384, algorithm, st.binary(max_size=100), st.integers(0, 767))
def test_p384(d, alg, message, bit):
    device, host = soft.load(b"soft:p384:" + d.to_bytes(48)), ec.derive_private_key(d, ec.SECP384R1())
    public, digest = point(host), soft.digest(alg, message)
    assert device.public() == public
    r, s = decode_dss_signature(host.sign(message, ec.ECDSA(HASHES[alg], deterministic_signing=True)))
    assert device.sign(digest) == r.to_bytes(48) + s.to_bytes(48)
    r, s = decode_dss_signature(host.sign(message, ec.ECDSA(HASHES[alg])))
    signature = r.to_bytes(48) + s.to_bytes(48)
    soft.verify("p384", public, signature, digest)
    with pytest.raises(BadSignature):
        soft.verify("p384", public, (int.from_bytes(signature) ^ 1 << bit).to_bytes(96), digest)


@some
@given(scalars384, scalars384)
def test_key_agreement_on_p384(d, e):
    host, other = (ec.derive_private_key(n, ec.SECP384R1()) for n in (d, e))
    assert soft.load(b"soft:p384:" + d.to_bytes(48)).ecdh(point(other)) == host.exchange(ec.ECDH(), other.public_key())


@many
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.integers(0, 511))
def test_ed25519(seed, message, bit):
    device, host = soft.load(b"soft:ed25519:" + seed), Ed25519PrivateKey.from_private_bytes(seed)
    public = host.public_key().public_bytes_raw()
    signature = host.sign(message)
    assert device.public() == public
    assert device.sign(message) == signature
    soft.verify("ed25519", public, signature, message)
    with pytest.raises(BadSignature):
        soft.verify("ed25519", public, (int.from_bytes(signature) ^ 1 << bit).to_bytes(64), message)


@pytest.fixture(scope="module", params=[2048, 3072])
def rsa_pair(request):
    """The same key on both sides."""
    host = rsa.generate_private_key(65537, request.param)
    known = host.private_numbers()
    octets = request.param // 16
    ref = b"soft:rsa:" + (65537).to_bytes(4) + known.p.to_bytes(octets) + known.q.to_bytes(octets)
    return host, soft.load(ref)


@settings(max_examples=15, deadline=None)
@given(alg=algorithm, message=st.binary(max_size=100), bit=st.integers(0, 2047), text=st.binary(min_size=1, max_size=64))
def test_rsa(rsa_pair, alg, message, bit, text):
    host, device = rsa_pair
    digest, hash = soft.digest(alg, message), HASHES[alg]
    pss = padding.PSS(padding.MGF1(hash), padding.PSS.DIGEST_LENGTH)
    host.public_key().verify(device.sign(digest, pss=True), message, pss, hash)
    signature = host.sign(message, padding.PKCS1v15(), hash)
    assert device.sign(digest) == signature
    for scheme, made in (("rsa", signature), ("rsa-pss", host.sign(message, pss, hash))):
        soft.verify(scheme, device.public(), made, digest)
        changed = (int.from_bytes(made) ^ 1 << bit).to_bytes(len(made))
        with pytest.raises(BadSignature):
            soft.verify(scheme, device.public(), changed, digest)
    assert host.decrypt(soft.encrypt("rsa", device.public(), text), padding.PKCS1v15()) == text
    assert device.decrypt(host.public_key().encrypt(text, padding.PKCS1v15()), len(text)) == text


@many
@given(st.sampled_from((16, 32)), st.binary(min_size=32, max_size=32), st.integers(2, 10), st.binary(min_size=80, max_size=80))
def test_key_wrap(size, octets, blocks, text):
    kek, data = octets[:size], text[: 8 * blocks]
    wrapped = aes_key_wrap(kek, data)
    assert soft.aes_wrap(kek, data) == wrapped
    assert soft.aes_unwrap(kek, wrapped) == data


@pytest.mark.parametrize("alg", ["p256", "p384", "ed25519", "rsa2048"])
def test_requests_verify_elsewhere(alg):
    c = crypto.select()
    writer = Writer()
    write_request(writer, c, c.generate(alg), (("CN", "d1"),))
    assert x509.load_der_x509_csr(writer.bytes()).is_signature_valid


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("rsa", lambda: soft.verify("rsa", bytes(260), bytes(256), bytes(32))),
        ("rsa", lambda: soft.encrypt("rsa", bytes(260), b"x")),
        ("rsa_key", lambda: soft.load(b"soft:rsa:" + bytes(260))),
        ("rsa_generate", lambda: soft.generate("rsa2048")),
        ("rsa_generate", lambda: soft.search("rsa2048")),
        ("ed25519", lambda: soft.generate("ed25519")),
        ("ed25519", lambda: soft.load(b"soft:ed25519:" + bytes(32))),
        ("ed25519", lambda: soft.verify("ed25519", bytes(32), bytes(64), b"")),
        ("keywrap", lambda: soft.aes_wrap(bytes(16), bytes(16))),
        ("keywrap", lambda: soft.aes_unwrap(bytes(16), bytes(24))),
        ("p384", lambda: soft.generate("p384")),
        ("p384", lambda: soft.load(b"soft:p384:" + bytes(48))),
        ("p384", lambda: soft.verify("p384", bytes(97), bytes(96), bytes(48))),
    ],
)
def test_an_image_without_the_module_says_so(monkeypatch, module, use):
    monkeypatch.setitem(sys.modules, "certlet.crypto.soft." + module, None)
    with pytest.raises(Unsupported) as failure:
        use()
    assert failure.value.args == (204, module)
