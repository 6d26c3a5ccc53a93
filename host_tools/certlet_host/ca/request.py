"""What a client asks for: CertReqMessages (RFC 4211) or a PKCS #10 request (RFC 2986), read into one form.

A CertTemplate is turned into a PKCS #10 request without a valid signature, so that `cryptography` reads names,
keys and extensions of both kinds; the proof of possession is checked over the bytes received.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from pyasn1.type import univ
from pyasn1_alt_modules import rfc4211

from . import der
from .cmp_codec import Algorithm, Message, bit_string, decode, encode
from .cmp_schema import ANYS, series
from .profiles import Profile
from .signatures import ECDSA_SHA256, KEY_KINDS, PrivateKey, require_strong_key, signature_is_valid
from .status import Refused

_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_CONTROLS, _REG_INFO = "1.3.6.1.5.5.7.5.1.", "1.3.6.1.5.5.7.5.2."
REG_TOKEN, AUTHENTICATOR, PUBLICATION, OLD_CERT_ID = (f"{_CONTROLS}{number}" for number in (1, 2, 3, 5))
UTF8_PAIRS = _REG_INFO + "1"
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_CURVES = {der.oid("1.2.840.10045.3.1.7"): "p256", der.oid("1.3.132.0.34"): "p384"}
_ATTRIBUTES = series(rfc4211.AttributeTypeAndValue())
_ENCRYPTED_CERTIFICATE = b"\x81\x01\x00"  # subsequentMessage encrCert
_POPO = {0x80: "raVerified", 0xA1: "signature", 0xA2: "keyEncipherment", 0xA3: "keyAgreement"}


@dataclass(frozen=True)
class Wanted:
    """The certificate asked for; possession of the key is proven, or will be by decrypting the certificate."""

    subject: x509.Name
    public_key: CertificatePublicKeyTypes
    extensions: x509.Extensions
    not_before: datetime | None = None
    not_after: datetime | None = None
    encrypted: bool = False
    generated: PrivateKey | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Request:
    """One request of a message, still to be checked. `controls` and `reg_info` are DER values by OID."""

    req_id: int
    raw: bytes
    popo: bytes = b""
    controls: dict[str, bytes] = field(default_factory=dict, repr=False)
    reg_info: dict[str, bytes] = field(default_factory=dict)

    def wanted(self, profile: Profile, old: x509.Certificate | None = None, *, by_ra: bool = False) -> Wanted:
        """Checks the template and the proof of possession; Refused otherwise.

        `old` lends its names to a kur without a subject. `by_ra` admits raVerified.
        """
        return _from_pkcs10(self.raw) if self.req_id == -1 else _from_crmf(self, profile, old, by_ra)

    def text(self, oid: str) -> str:
        """A control or regInfo that is a UTF8String, empty without it."""
        value = self.controls.get(oid) or self.reg_info.get(oid)
        return str(decode(value, rfc4211.UTF8Pairs())) if value else ""


def read(message: Message) -> Request:
    """The single request in an ir, cr, kur or p10cr."""
    if message.kind == "p10cr":
        # EXPLICIT tag around it; the inner TLV as received.
        return Request(-1, bytes(message.content(univ.Any())))
    messages = message.content(series(ANYS))
    if len(messages) != 1:
        raise Refused("badRequest", "exactly one certificate request a message is supported")
    raw, *rest = (bytes(part) for part in messages[0])
    request = decode(raw, rfc4211.CertRequest())
    req_id = int(request["certReqId"])
    if req_id < 0:
        raise Refused("badRequest", "the certReqId is negative")
    popo = rest.pop(0) if rest and rest[0][0] in _POPO else b""
    reg_info = _attributes(decode(rest.pop(0), _ATTRIBUTES)) if rest else {}
    if rest:
        raise Refused("badDataFormat", "there is more in a CertReqMsg than belongs there")
    controls = _attributes(request["controls"]) if request["controls"].hasValue() else {}
    return Request(req_id, raw, popo, controls, reg_info)


def _attributes(values: Any) -> dict[str, bytes]:
    return {str(item["type"]): bytes(item["value"]) for item in values}


def _from_pkcs10(raw: bytes) -> Wanted:
    wanted = _load(raw)
    request = x509.load_der_x509_csr(raw)
    try:
        valid = request.is_signature_valid
    except UnsupportedAlgorithm:
        raise Refused("badAlg", "the signature algorithm of the PKCS #10 request is not supported") from None
    if not valid:
        raise Refused("badPOP", "the signature of the PKCS #10 request does not verify")
    return wanted


def _from_crmf(request: Request, profile: Profile, old: x509.Certificate | None, by_ra: bool) -> Wanted:
    template = decode(request.raw, rfc4211.CertRequest())["certTemplate"]
    subject = der.retag(0x30, encode(template["subject"]["rdnSequence"])) if template["subject"].hasValue() else b""
    if not subject and old is None:
        raise Refused("badCertTemplate", "the template lacks the subject")
    key = template["publicKey"]
    if not request.popo and (not key.hasValue() or not len(key["subjectPublicKey"])):
        generated = _generate(key, profile)
        spki = generated.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        encrypted = False
    elif not key.hasValue():
        raise Refused("badCertTemplate", "the template lacks the publicKey")
    else:
        generated, spki = None, der.retag(0x30, encode(key))
    extensions = encode(template["extensions"]) if template["extensions"].hasValue() else b""
    names = old.subject.public_bytes() if old is not None and not subject else subject
    wanted = _load(_as_pkcs10(names, spki, der.retag(0x30, extensions) if extensions else b""))
    if generated is None:
        encrypted = _prove(request, wanted.public_key, by_ra)
    times = [_time(template["validity"], name) for name in ("notBefore", "notAfter")]
    if old is not None and not extensions:
        wanted = replace(wanted, extensions=_names_of(old))
    return replace(
        wanted, not_before=times[0], not_after=times[1], encrypted=encrypted, generated=generated
    )


def _names_of(old: x509.Certificate) -> x509.Extensions:
    wanted = [item for item in old.extensions if isinstance(item.value, x509.SubjectAlternativeName)]
    return x509.Extensions(wanted)


def _generate(key: Any, profile: Profile) -> PrivateKey:
    """A key for the device (RFC 9810, 5.3.4), of the kind that the template names, or the profile."""
    kind = profile.keys[0] if profile.keys else "p256"
    if key.hasValue():
        algorithm = Algorithm.of(key["algorithm"])
        if algorithm.oid == _RSA_ENCRYPTION:
            kind = "rsa2048"
        elif algorithm.oid == "1.2.840.10045.2.1" and algorithm.parameters in _CURVES:
            kind = _CURVES[algorithm.parameters]
        else:
            raise Refused("badAlg", "no key of this algorithm can be generated")
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return KEY_KINDS[kind]()


def _prove(request: Request, key: CertificatePublicKeyTypes, by_ra: bool) -> bool:
    """Checks the proof of possession (RFC 4211, 4); True when the certificate has to be encrypted for it."""
    if not request.popo:
        raise Refused("badPOP", "there is no proof of possession")
    kind = _POPO[request.popo[0]]
    if kind == "raVerified":
        if not by_ra:
            raise Refused("badPOP", "raVerified is for registration authorities, not for end entities")
        return False
    if kind == "signature":
        _check_signature(request, key)
        return False
    fitting = rsa.RSAPublicKey if kind == "keyEncipherment" else ec.EllipticCurvePublicKey
    if not isinstance(key, fitting):
        raise Refused("badPOP", f"a key of this kind cannot be proven by {kind}")
    if request.popo[2:] != _ENCRYPTED_CERTIFICATE:
        raise Refused("badPOP", f"{kind} is supported with subsequentMessage encrCert only")
    return True


def _check_signature(request: Request, key: CertificatePublicKeyTypes) -> None:
    """Proof of possession by signature over the DER of CertRequest (RFC 4211, 4.1)."""
    proof = decode(der.retag(0x30, request.popo), rfc4211.POPOSigningKey())
    if proof["poposkInput"].hasValue():
        raise Refused("badPOP", "poposkInput is present though the template has subject and publicKey")
    if not signature_is_valid(
        key, Algorithm.of(proof["algorithmIdentifier"]), bit_string(proof["signature"]), request.raw
    ):
        raise Refused("badPOP", "the proof of possession does not verify")


def _as_pkcs10(subject: bytes, spki: bytes, extensions: bytes) -> bytes:
    attribute = der.sequence(der.oid(_EXTENSION_REQUEST), der.set_of(extensions)) if extensions else b""
    info = der.sequence(der.integer(0), subject, spki, der.explicit(0, attribute))
    return der.sequence(info, der.algorithm(ECDSA_SHA256), der.bits(b""))


def _load(raw: bytes) -> Wanted:
    try:
        request = x509.load_der_x509_csr(raw)
        wanted = Wanted(request.subject, request.public_key(), request.extensions)
    except (
        ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ):
        raise Refused("badCertTemplate", "a name, the public key or an extension cannot be read") from None
    require_strong_key(wanted.public_key)
    return wanted


def _time(validity: Any, name: str) -> datetime | None:
    if not validity.hasValue() or not validity[name].hasValue():
        return None
    try:
        return validity[name].getComponent().asDateTime.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("badCertTemplate", "a time of the template cannot be read") from None
