"""What a client asks for: CertReqMessages (RFC 4211) or a PKCS #10 request (RFC 2986), read into one form.

A CertTemplate is turned into a PKCS #10 request without a valid signature, so that `cryptography` reads names,
keys and extensions of both kinds; the proof of possession is checked over the bytes received.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from pyasn1.type import namedtype, univ
from pyasn1_alt_modules import rfc2986, rfc4211, rfc5280, rfc6402

from .cmp_codec import Algorithm, Message, bit_string, decode, encode
from .cmp_protection import require_strong_key, signature_is_valid
from .status import Refused

_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"


class _CertReqMsg(univ.Sequence):
    """CertReqMsg ::= SEQUENCE { certReq, popo OPTIONAL, regInfo OPTIONAL }, certReq as received."""

    componentType = namedtype.NamedTypes(
        namedtype.NamedType("certReq", univ.Any()),
        namedtype.OptionalNamedType("popo", rfc4211.ProofOfPossession()),
        namedtype.OptionalNamedType("regInfo", univ.SequenceOf(componentType=rfc4211.AttributeTypeAndValue())),
    )


class _CertReqMessages(univ.SequenceOf):
    componentType = _CertReqMsg()


@dataclass(frozen=True)
class Wanted:
    """The certificate asked for; possession of the key is already proven."""

    subject: x509.Name
    public_key: CertificatePublicKeyTypes
    extensions: x509.Extensions
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True)
class Request:
    """One request of a message: its certReqId, and the template or PKCS #10 request still to be checked."""

    req_id: int
    raw: bytes
    popo: Any = None

    def wanted(self) -> Wanted:
        """Checks the template and the proof of possession; Refused otherwise."""
        return _from_pkcs10(self.raw) if self.req_id == -1 else _from_crmf(self)


def read(message: Message) -> Request:
    """The single request in an ir, cr or p10cr."""
    if message.kind == "p10cr":
        # EXPLICIT tag around it; the inner TLV as received.
        return Request(-1, bytes(message.content(univ.Any())))
    messages = message.content(_CertReqMessages())
    if len(messages) != 1:
        raise Refused("badRequest", "exactly one certificate request a message is supported")
    raw = bytes(messages[0]["certReq"])
    req_id = int(decode(raw, rfc4211.CertRequest())["certReqId"])
    if req_id < 0:
        raise Refused("badRequest", "the certReqId is negative")
    return Request(req_id, raw, messages[0]["popo"])


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


def _from_crmf(request: Request) -> Wanted:
    template = decode(request.raw, rfc4211.CertRequest())["certTemplate"]
    if not template["subject"].hasValue() or not template["publicKey"].hasValue():
        raise Refused("badCertTemplate", "the template lacks the subject or the publicKey")
    wanted = _load(encode(_as_pkcs10(template)))
    _prove(request, wanted.public_key)
    times = [_time(template["validity"], name) for name in ("notBefore", "notAfter")]
    return Wanted(wanted.subject, wanted.public_key, wanted.extensions, *times)


def _prove(request: Request, key: CertificatePublicKeyTypes) -> None:
    """Proof of possession by signature over the DER of CertRequest (RFC 4211, 4.1)."""
    kind = request.popo.getName() if request.popo.hasValue() else "none"
    if kind == "raVerified":
        raise Refused("badPOP", "raVerified is for registration authorities, not for end entities")
    if kind != "signature":
        raise Refused("badPOP", f"proof of possession by signature is required, not {kind}")
    proof = request.popo["signature"]
    if proof["poposkInput"].hasValue():
        raise Refused("badPOP", "poposkInput is present though the template has subject and publicKey")
    if not signature_is_valid(
        key, Algorithm.of(proof["algorithmIdentifier"]), bit_string(proof["signature"]), request.raw
    ):
        raise Refused("badPOP", "the proof of possession does not verify")


def _as_pkcs10(template: Any) -> Any:
    value = rfc6402.CertificationRequest()
    info = value["certificationRequestInfo"]
    info["version"] = 0
    info["subject"]["rdnSequence"] = template["subject"]["rdnSequence"]
    for part in ("algorithm", "subjectPublicKey"):
        info["subjectPublicKeyInfo"][part] = template["publicKey"][part]
    if template["extensions"].hasValue():
        extensions = rfc5280.Extensions()
        extensions.extend(template["extensions"])
        attribute = rfc2986.Attribute()
        attribute["type"] = _EXTENSION_REQUEST
        attribute["values"].append(encode(extensions))
        info["attributes"].append(attribute)
    value["signatureAlgorithm"]["algorithm"] = "1.2.840.10045.4.3.2"
    value["signature"] = ""
    return value


def _load(raw: bytes) -> Wanted:
    try:
        request = x509.load_der_x509_csr(raw)
        wanted = Wanted(request.subject, request.public_key(), request.extensions)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
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
