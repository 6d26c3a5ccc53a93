"""CMS for what only one device may read (RFC 5652): EnvelopedData, and SignedData around generated keys.

Three kinds of recipient: RSA keys (KTRI), EC keys (KARI, RFC 5753) and shared secrets (PWRI).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from . import der
from .credential import Credential, to_der
from .signatures import PrivateKey, Signer
from .status import Refused

ID_DATA, ID_SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
_KEY_PACKAGE = "2.16.840.1.101.2.1.2.78.5"  # id-ct-KP-aKeyPackage
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SHA256 = der.algorithm("2.16.840.1.101.3.4.2.1")
_AES256_WRAP, _AES128_CBC, _AES256_CBC = (f"2.16.840.1.101.3.4.1.{number}" for number in (45, 2, 42))
_RSA = der.algorithm("1.2.840.113549.1.1.1", der.NULL)
_ECDH_SHA256 = "1.3.132.1.11.1"  # dhSinglePass-stdDH-sha256kdf-scheme
_PWRI_KEK = "1.2.840.113549.1.9.16.3.9"
_PBKDF2, _HMAC_SHA256 = "1.2.840.113549.1.5.12", der.algorithm("1.2.840.113549.2.9", der.NULL)


@dataclass(frozen=True)
class Recipient:
    """RecipientInfo for a content-encryption key; `versions` are those of EnvelopedData (RFC 5652, 6.1)."""

    version: int
    info: Callable[[bytes], bytes] = field(repr=False)


def to_certificate(certificate: x509.Certificate) -> Recipient:
    """For the holder of a certificate, named by issuer and serialNumber."""
    name = der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
    return _to_key(certificate.public_key(), name, name, 0)


def to_public_key(key: object) -> Recipient:
    """For the holder of a key that has no certificate yet, named by its identifier."""
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise Refused("badAlg", "nothing can be encrypted for a key of this kind")
    digest = der.octets(x509.SubjectKeyIdentifier.from_public_key(key).digest)
    named = der.retag(0x80, digest)
    return _to_key(key, named, der.tlv(0xA0, digest), 2)


def _to_key(key: object, name: bytes, agreement_name: bytes, version: int) -> Recipient:
    if isinstance(key, rsa.RSAPublicKey):
        return Recipient(version, lambda cek: _ktri(key, name, version, cek))
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Recipient(2, lambda cek: _kari(key, agreement_name, cek))
    raise Refused("badAlg", "nothing can be encrypted for a key of this kind")


def _ktri(key: rsa.RSAPublicKey, name: bytes, version: int, cek: bytes) -> bytes:
    encrypted = der.octets(key.encrypt(cek, padding.PKCS1v15()))
    return der.sequence(der.integer(version), name, _RSA, encrypted)


def _kari(key: ec.EllipticCurvePublicKey, name: bytes, cek: bytes) -> bytes:
    """Ephemeral-static ECDH with the X9.63 KDF over ECC-CMS-SharedInfo (RFC 5753, 3.1 and 7.2)."""
    ephemeral = ec.generate_private_key(key.curve)
    wrap = der.algorithm(_AES256_WRAP)
    shared_info = der.sequence(wrap, der.explicit(2, der.octets((256).to_bytes(4, "big"))))
    kek = X963KDF(hashes.SHA256(), 32, shared_info).derive(ephemeral.exchange(ec.ECDH(), key))
    point = ephemeral.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    originator = der.explicit(0, der.tlv(0xA1, der.algorithm("1.2.840.10045.2.1") + der.bits(point)))
    keys = der.sequence(der.sequence(name, der.octets(aes_key_wrap(kek, cek))))
    return der.tlv(0xA1, der.integer(3) + originator + der.algorithm(_ECDH_SHA256, wrap) + keys)


def to_secret(secret: bytes, iterations: int, *, pwri_kek: bool = False) -> Recipient:
    """For the holder of a shared secret: PBKDF2, and AES key wrap or the wrap of RFC 3211."""
    return Recipient(3, lambda cek: _pwri(secret, iterations, cek, pwri_kek))


def _pwri(secret: bytes, iterations: int, cek: bytes, pwri_kek: bool) -> bytes:
    salt = os.urandom(16)
    kek = hashlib.pbkdf2_hmac("sha256", secret, salt, iterations, 32)
    numbers = der.integer(iterations) + der.integer(32)
    derivation = der.algorithm(_PBKDF2, der.sequence(der.octets(salt), numbers, _HMAC_SHA256))
    if pwri_kek:
        iv = os.urandom(16)
        wrap, wrapped = der.algorithm(_PWRI_KEK, der.algorithm(_AES256_CBC, der.octets(iv))), _wrap_3211(kek, iv, cek)
    else:
        wrap, wrapped = der.algorithm(_AES256_WRAP), aes_key_wrap(kek, cek)
    return der.tlv(0xA3, der.integer(0) + der.retag(0xA0, derivation) + wrap + der.octets(wrapped))


def _wrap_3211(kek: bytes, iv: bytes, cek: bytes) -> bytes:
    """RFC 3211, 2.3.1: length, check bytes, key and padding, encrypted twice in CBC mode."""
    block = bytes((len(cek), *(byte ^ 0xFF for byte in cek[:3]))) + cek
    block += os.urandom(max(-len(block) % 16, 32 - len(block)))
    once = _cbc(kek, iv, block)
    return _cbc(kek, once[-16:], once)


def _cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _encrypt(key: bytes, iv: bytes, content: bytes) -> bytes:
    filler = 16 - len(content) % 16
    return _cbc(key, iv, content + bytes((filler,)) * filler)


def enveloped_data(content: bytes, content_type: str, recipient: Recipient) -> bytes:
    """EnvelopedData with AES-256-CBC, as EncryptedKey holds it: [0] IMPLICIT."""
    key, iv = os.urandom(32), os.urandom(16)
    encrypted = der.retag(0x80, der.octets(_encrypt(key, iv, content)))
    info = der.sequence(der.oid(content_type), der.algorithm(_AES256_CBC, der.octets(iv)), encrypted)
    recipients = der.set_of(recipient.info(key))
    return der.tlv(0xA0, der.integer(recipient.version) + recipients + info)


def encrypted_value(content: bytes, key: object) -> bytes:
    """EncryptedValue, the older form of EncryptedKey (RFC 4211, 2.1), for an RSA key."""
    if not isinstance(key, rsa.RSAPublicKey):
        raise Refused("badAlg", "EncryptedValue needs an RSA key; EnvelopedData needs pvno 3")
    secret, iv = os.urandom(16), os.urandom(16)
    symmetric = der.retag(0xA1, der.algorithm(_AES128_CBC, der.octets(iv)))
    wrapped = der.retag(0x82, der.bits(key.encrypt(secret, padding.PKCS1v15())))
    return der.sequence(symmetric, wrapped, der.retag(0xA3, _RSA), der.bits(_encrypt(secret, iv, content)))


def key_package(key: PrivateKey, *, bare: bool = False) -> bytes:
    """AsymmetricKeyPackage (RFC 5958) with one key; `bare` leaves the SEQUENCE around it out."""
    plain = serialization.NoEncryption()
    one = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)
    return one if bare else der.sequence(one)


def signed_data(content: bytes, signer: Credential, chain: tuple[x509.Certificate, ...]) -> bytes:
    """SignedData over a key package, with the signer's certificate and those above it (RFC 5652, 5)."""
    attributes = der.set_of(
        der.sequence(der.oid(_CONTENT_TYPE), der.set_of(der.oid(_KEY_PACKAGE))),
        der.sequence(der.oid(_MESSAGE_DIGEST), der.set_of(der.octets(hashlib.sha256(content).digest()))),
    )
    maker = Signer(signer.key)
    info = der.sequence(
        der.integer(3), der.retag(0x80, der.octets(signer.key_id)), _SHA256, der.retag(0xA0, attributes),
        maker.algorithm().der, der.octets(maker.protect(attributes)),
    )
    certificates = der.retag(0xA0, der.set_of(signer.der, *(to_der(certificate) for certificate in chain)))
    inner = der.sequence(der.oid(_KEY_PACKAGE), der.explicit(0, der.octets(content)))
    return der.sequence(der.integer(3), der.set_of(_SHA256), inner, certificates, der.set_of(info))
