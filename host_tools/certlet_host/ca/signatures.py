"""Signatures over messages, requests and certificates: the algorithms the lab CA makes and checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from pyasn1.type import univ
from pyasn1_alt_modules import rfc5280

from . import der
from .cmp_codec import Algorithm, decode
from .cmp_schema import explicit, structure
from .status import Refused

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

ECDSA_SHA256 = "1.2.840.10045.4.3.2"
ED25519 = "1.3.101.112"
RSA_PSS = "1.2.840.113549.1.1.10"
_MGF1 = "1.2.840.113549.1.1.8"
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
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_PSS = structure(
    hashAlgorithm=(explicit(0, rfc5280.AlgorithmIdentifier()),),
    maskGenAlgorithm=(explicit(1, rfc5280.AlgorithmIdentifier()),),
    saltLength=(explicit(2, univ.Integer()),),
    trailerField=(explicit(3, univ.Integer()),),
)

KEY_KINDS: dict[str, Callable[[], PrivateKey]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
SIGNER_KINDS = (*KEY_KINDS, "rsa-pss")


def certificate_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """The digest that certificates are signed with under this key; Ed25519 has its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size == 384
    return hashes.SHA384() if strong else hashes.SHA256()


def _pss_parameters() -> bytes:
    sha256 = der.algorithm("2.16.840.1.101.3.4.2.1", der.NULL)
    mask = der.explicit(1, der.algorithm(_MGF1, sha256))
    return der.sequence(der.explicit(0, sha256), mask, der.explicit(2, der.integer(32)))


@dataclass(frozen=True)
class Signer:
    """Signs by the kind of its key; with RSA by PKCS #1 v1.5, or by PSS."""

    key: PrivateKey = field(repr=False)
    pss: bool = False

    def algorithm(self) -> Algorithm:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return Algorithm(ED25519)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return Algorithm(RSA_PSS, _pss_parameters()) if self.pss else Algorithm("1.2.840.113549.1.1.11", der.NULL)
        return Algorithm("1.2.840.10045.4.3.3" if self.key.key_size == 384 else ECDSA_SHA256)

    def protect(self, data: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        if isinstance(self.key, rsa.RSAPrivateKey):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if self.pss else padding.PKCS1v15()
            return self.key.sign(data, scheme, hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(_ECDSA[self.algorithm().oid]))


def _check_ecdsa(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm.parameters is not None:
        return False
    key.verify(signature, data, ec.ECDSA(_ECDSA[algorithm.oid]))
    return True


def _check_rsa(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    if not isinstance(key, rsa.RSAPublicKey) or not algorithm.plain:  # absent: RFC 4055, 5
        return False
    key.verify(signature, data, padding.PKCS1v15(), _RSA[algorithm.oid])
    return True


def _check_pss(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    """One hash for the message and MGF1, a salt as long as the hash (RFC 4055, 3.1)."""
    value = decode(algorithm.parameters or b"", _PSS)
    if not all(value[name].hasValue() for name in ("hashAlgorithm", "maskGenAlgorithm", "saltLength")):
        raise Refused("badAlg", "RSA-PSS with the default SHA-1 is not supported")
    digest = Algorithm.of(value["hashAlgorithm"])
    mask = Algorithm.of(value["maskGenAlgorithm"])
    inner = Algorithm.of(decode(mask.parameters or b"", rfc5280.AlgorithmIdentifier()))
    known = _HASHES.get(digest.oid)
    if known is None or mask.oid != _MGF1 or inner.oid != digest.oid or int(value["saltLength"]) != known.digest_size:
        raise Refused("badAlg", "RSA-PSS needs SHA-2 throughout and a salt of the hash's length")
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    key.verify(signature, data, padding.PSS(padding.MGF1(known), known.digest_size), known)
    return True


def _check_ed25519(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    if not isinstance(key, ed25519.Ed25519PublicKey) or algorithm.parameters is not None:
        return False
    key.verify(signature, data)
    return True


_CHECKS: dict[str, Callable[[object, Algorithm, bytes, bytes], bool]] = {
    **dict.fromkeys(_ECDSA, _check_ecdsa),
    **dict.fromkeys(_RSA, _check_rsa),
    RSA_PSS: _check_pss,
    ED25519: _check_ed25519,
}


def signature_is_valid(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    """True when the signature holds; Refused(badAlg) for an algorithm that is not in the table."""
    check = _CHECKS.get(algorithm.oid)
    if check is None:
        raise Refused("badAlg", "the signature algorithm is not supported")
    try:
        return check(key, algorithm, signature, data)
    except (InvalidSignature, UnsupportedAlgorithm):
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
