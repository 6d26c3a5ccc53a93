"""Message protection: PasswordBasedMac (RFC 9810, 5.1.3.1) and signatures (5.1.3.3), for requests and replies."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from pyasn1_alt_modules import rfc4211

from .cmp_codec import NULL, Algorithm, decode, encode
from .status import Refused

ID_PBM = "1.2.840.113533.7.66.13"
MIN_ITERATIONS, MAX_ITERATIONS = 100, 100_000
MIN_SALT, MAX_SALT = 8, 128

# One-way functions and MACs of PBM by OID. HMAC-SHA1 has two: that of RFC 4210 and that of PKCS #5.
OWFS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
MACS = {
    "1.3.6.1.5.5.8.1.2": "sha1",
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
ED25519 = "1.3.101.112"
_ECDSA: dict[str, hashes.HashAlgorithm] = {
    ECDSA_SHA256: hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_RSA: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
}


@dataclass(frozen=True)
class Pbm:
    """PBMParameter, with its bounds already checked."""

    salt: bytes
    owf: Algorithm
    iterations: int
    mac: Algorithm

    @classmethod
    def parse(cls, algorithm: Algorithm) -> Pbm:
        """Reads the parameters; Refused(badAlg) before any hashing when they are out of bounds."""
        value = decode(algorithm.parameters or b"", rfc4211.PBMParameter())
        iterations = int(value["iterationCount"])
        pbm = cls(bytes(value["salt"]), Algorithm.of(value["owf"]), iterations, Algorithm.of(value["mac"]))
        if not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
            raise Refused("badAlg", f"the iterationCount is outside {MIN_ITERATIONS}..{MAX_ITERATIONS}")
        if not MIN_SALT <= len(pbm.salt) <= MAX_SALT:
            raise Refused("badAlg", f"the salt is not {MIN_SALT}..{MAX_SALT} bytes")
        if pbm.owf.oid not in OWFS or pbm.mac.oid not in MACS or not (pbm.owf.plain and pbm.mac.plain):
            raise Refused("badAlg", "the one-way function or the MAC of PasswordBasedMac is not supported")
        return pbm

    def algorithm(self) -> Algorithm:
        """The protectionAlg with these parameters."""
        value = rfc4211.PBMParameter()
        value["salt"] = self.salt
        self.owf.fill(value["owf"])
        value["iterationCount"] = self.iterations
        self.mac.fill(value["mac"])
        return Algorithm(ID_PBM, encode(value))

    def key(self, secret: bytes) -> bytes:
        """The MAC key: the one-way function applied iterationCount times to secret || salt."""
        owf = getattr(hashlib, OWFS[self.owf.oid])
        key: bytes = secret + self.salt
        for _ in range(self.iterations):
            key = owf(key).digest()
        return key


class MacProtector:
    """Makes and checks PBM protection under one shared secret. Deriving the key is the slow part; it is done here."""

    def __init__(self, pbm: Pbm, secret: bytes) -> None:
        self._pbm = pbm
        self._secret = secret
        self._key = pbm.key(secret)

    def renewed(self) -> MacProtector:
        """The same algorithms under a new salt, for the reply."""
        return MacProtector(replace(self._pbm, salt=os.urandom(16)), self._secret)

    def algorithm(self) -> Algorithm:
        return self._pbm.algorithm()

    def protect(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, MACS[self._pbm.mac.oid])

    def check(self, data: bytes, protection: bytes) -> bool:
        return hmac.compare_digest(self.protect(data), protection)


@dataclass(frozen=True)
class Signer:
    """Signs replies with an ECDSA P-256 key, SHA-256."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def algorithm(self) -> Algorithm:
        return Algorithm(ECDSA_SHA256)

    def protect(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


def _check_ecdsa(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm.parameters is not None:
        return False
    key.verify(signature, data, ec.ECDSA(_ECDSA[algorithm.oid]))
    return True


def _check_rsa(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    if not isinstance(key, rsa.RSAPublicKey) or algorithm.parameters != NULL:
        return False
    key.verify(signature, data, padding.PKCS1v15(), _RSA[algorithm.oid])
    return True


def _check_ed25519(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    if not isinstance(key, ed25519.Ed25519PublicKey) or algorithm.parameters is not None:
        return False
    key.verify(signature, data)
    return True


_CHECKS: dict[str, Callable[[object, Algorithm, bytes, bytes], bool]] = {
    **dict.fromkeys(_ECDSA, _check_ecdsa),
    **dict.fromkeys(_RSA, _check_rsa),
    ED25519: _check_ed25519,
}


def signature_is_valid(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    """True when the signature holds; Refused(badAlg) for an algorithm that is not in the table."""
    check = _CHECKS.get(algorithm.oid)
    if check is None:
        raise Refused("badAlg", "the signature algorithm is not supported")
    try:
        return check(key, algorithm, signature, data)
    except InvalidSignature:
        return False


def require_strong_key(key: object) -> None:
    """Refused(badCertTemplate) unless EC P-256 or P-384, RSA of 2048..8192 bits, or Ed25519."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return
    if isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 8192:
        return
    if isinstance(key, ed25519.Ed25519PublicKey):
        return
    raise Refused("badCertTemplate", "the public key is not EC P-256 or P-384, RSA of 2048 bits or more, or Ed25519")
