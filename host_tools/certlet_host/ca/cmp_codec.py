"""PKIMessage in and out (RFC 9810, 5.1 and Appendix F) with pyasn1.

What is signed or MACed, and what is passed on, stays the bytes that came: the outer structures are read with ANY for
their parts, and only then are the parts decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import namedtype, tag, univ, useful
from pyasn1_alt_modules import rfc5280, rfc9480

from .status import FAILURES, Refused

NULL = b"\x05\x00"
NULL_DN = bytes.fromhex("a4023000")  # GeneralName directoryName with an empty RDNSequence


def _context(number: int) -> tag.Tag:
    return tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, number)


class _Anys(univ.SequenceOf):
    componentType = univ.Any()


class _Message(univ.Sequence):
    """PKIMessage ::= SEQUENCE { header, body, protection [0] OPTIONAL, extraCerts [1] OPTIONAL }."""

    componentType = namedtype.NamedTypes(
        namedtype.NamedType("header", univ.Any()),
        namedtype.NamedType("body", univ.Any()),
        namedtype.OptionalNamedType("protection", univ.Any().subtype(explicitTag=_context(0))),
        namedtype.OptionalNamedType("extraCerts", _Anys().subtype(explicitTag=_context(1))),
    )


class _ProtectedPart(univ.Sequence):
    componentType = namedtype.NamedTypes(
        namedtype.NamedType("header", univ.Any()), namedtype.NamedType("body", univ.Any())
    )


class _CertOrEncCert(univ.Choice):
    componentType = namedtype.NamedTypes(
        namedtype.NamedType("certificate", univ.Any().subtype(explicitTag=_context(0)))
    )


class _CertifiedKeyPair(univ.Sequence):
    componentType = namedtype.NamedTypes(namedtype.NamedType("certOrEncCert", _CertOrEncCert()))


class _CertResponse(univ.Sequence):
    componentType = namedtype.NamedTypes(
        namedtype.NamedType("certReqId", univ.Integer()),
        namedtype.NamedType("status", rfc9480.PKIStatusInfo()),
        namedtype.OptionalNamedType("certifiedKeyPair", _CertifiedKeyPair()),
    )


class _CertResponses(univ.SequenceOf):
    componentType = _CertResponse()


class _CertRepMessage(univ.Sequence):
    componentType = namedtype.NamedTypes(
        namedtype.OptionalNamedType("caPubs", _Anys().subtype(explicitTag=_context(1))),
        namedtype.NamedType("response", _CertResponses()),
    )


_BODIES = tuple(rfc9480.PKIBody.componentType[n].getName() for n in range(27))


def decode(data: bytes, spec: Any) -> Any:
    """One DER value of this type, nothing after it; Refused(badDataFormat) otherwise."""
    try:
        value, rest = decoder.decode(data, asn1Spec=spec)
    except (PyAsn1Error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        # pyasn1 lets several of these through on input that is not DER.
        raise Refused("badDataFormat", "the message is not the DER of a PKIMessage") from None
    if rest:
        raise Refused("badDataFormat", "bytes follow the end of a DER value")
    return value


def encode(value: Any) -> bytes:
    """The DER of a pyasn1 value."""
    return encoder.encode(value)


def optional(value: Any, name: str) -> bytes | None:
    """An OPTIONAL octet string of a structure, None when it is absent."""
    return bytes(value[name]) if value[name].hasValue() else None


@dataclass(frozen=True)
class Algorithm:
    """AlgorithmIdentifier: the OID in dotted form and the DER of the parameters, None when absent."""

    oid: str
    parameters: bytes | None = None

    @classmethod
    def of(cls, value: Any) -> Algorithm:
        return cls(str(value["algorithm"]), optional(value, "parameters"))

    def fill(self, value: Any) -> None:
        value["algorithm"] = self.oid
        if self.parameters is not None:
            value["parameters"] = self.parameters

    @property
    def plain(self) -> bool:
        """The parameters are absent or NULL."""
        return self.parameters in (None, NULL)


@dataclass(frozen=True)
class Message:
    """A received PKIMessage: decoded header, body as received, and the bytes that the protection covers."""

    pvno: int
    sender: bytes
    algorithm: Algorithm | None
    sender_kid: bytes | None
    transaction_id: bytes | None
    sender_nonce: bytes | None
    recip_nonce: bytes | None
    implicit_confirm: bool
    kind: str
    body: bytes
    protected_part: bytes
    protection: bytes | None
    extra_certs: tuple[bytes, ...]
    digest: bytes

    def content(self, spec: Any) -> Any:
        """The body decoded as this type (PKIBody has EXPLICIT tags)."""
        return decode(self.body, spec.subtype(explicitTag=_context(_BODIES.index(self.kind))))


def body_kind(body: bytes) -> str:
    """The name of a PKIBody alternative by its tag."""
    number = body[0] - 0xA0 if body else -1
    if not 0 <= number < len(_BODIES):
        raise Refused("badDataFormat", "the body is no alternative of PKIBody")
    return _BODIES[number]


def parse_message(data: bytes) -> Message:
    """Reads a PKIMessage; Refused(badDataFormat) when it is none."""
    outer = decode(data, _Message())
    header = decode(bytes(outer["header"]), rfc9480.PKIHeader())
    part = _ProtectedPart()
    part["header"], part["body"] = outer["header"], outer["body"]
    protection = None
    if outer["protection"].hasValue():
        protection = bit_string(decode(bytes(outer["protection"]), univ.BitString()))
    general_info = [str(item["infoType"]) for item in header["generalInfo"]] if header["generalInfo"].hasValue() else []
    body = bytes(outer["body"])
    return Message(
        pvno=int(header["pvno"]),
        sender=encode(header["sender"]),
        algorithm=Algorithm.of(header["protectionAlg"]) if header["protectionAlg"].hasValue() else None,
        sender_kid=optional(header, "senderKID"),
        transaction_id=optional(header, "transactionID"),
        sender_nonce=optional(header, "senderNonce"),
        recip_nonce=optional(header, "recipNonce"),
        implicit_confirm=str(rfc9480.id_it_implicitConfirm) in general_info,
        kind=body_kind(body),
        body=body,
        protected_part=encode(part),
        protection=protection,
        extra_certs=tuple(bytes(item) for item in outer["extraCerts"]) if outer["extraCerts"].hasValue() else (),
        digest=hashlib.sha256(data).digest(),
    )


def bit_string(value: Any) -> bytes:
    """The octets of a BIT STRING without unused bits."""
    if len(value) % 8:
        raise Refused("badDataFormat", "a signature or MAC is not a whole number of octets")
    return value.asOctets()


def general_name(name: bytes) -> bytes:
    """GeneralName directoryName for the DER of a Name."""
    value = rfc5280.GeneralName()
    value["directoryName"]["rdnSequence"] = decode(name, rfc5280.Name())["rdnSequence"]
    return encode(value)


@dataclass(frozen=True)
class Header:
    """The fields of a reply's PKIHeader."""

    pvno: int
    sender: bytes
    recipient: bytes
    algorithm: Algorithm | None
    sender_kid: bytes | None
    transaction_id: bytes | None
    sender_nonce: bytes
    recip_nonce: bytes | None
    implicit_confirm: bool = False
    free_text: str = ""

    def encode(self) -> bytes:
        header = rfc9480.PKIHeader()
        header["pvno"] = self.pvno
        header["sender"] = decode(self.sender, rfc5280.GeneralName())
        header["recipient"] = decode(self.recipient, rfc5280.GeneralName())
        now = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ")
        header["messageTime"] = header["messageTime"].clone(useful.GeneralizedTime(now))
        if self.algorithm is not None:
            self.algorithm.fill(header["protectionAlg"])
        octets = {
            "senderKID": self.sender_kid,
            "transactionID": self.transaction_id,
            "senderNonce": self.sender_nonce,
            "recipNonce": self.recip_nonce,
        }
        for name, value in octets.items():
            if value is not None:
                header[name] = value
        if self.free_text:
            header["freeText"][0] = self.free_text
        if self.implicit_confirm:
            header["generalInfo"][0]["infoType"] = rfc9480.id_it_implicitConfirm
            header["generalInfo"][0]["infoValue"] = NULL
        return encode(header)


def protected_part(header: bytes, body: bytes) -> bytes:
    """The DER that the protection of a reply covers (RFC 9810, 5.1.3)."""
    part = _ProtectedPart()
    part["header"], part["body"] = header, body
    return encode(part)


def message(header: bytes, body: bytes, protection: bytes | None, extra_certs: Sequence[bytes]) -> bytes:
    """The DER of a PKIMessage from its parts."""
    outer = _Message()
    outer["header"], outer["body"] = header, body
    if protection is not None:
        outer["protection"] = encode(univ.BitString.fromOctetString(protection))
    for certificate in extra_certs:
        outer["extraCerts"].append(certificate)
    return encode(outer)


def _status_info(value: Any, status: int, fail_info: str, text: str) -> None:
    value["status"] = status
    if text:
        value["statusString"][0] = text
    if fail_info:
        number = FAILURES.index(fail_info)
        value["failInfo"] = "0" * number + "1"


def cert_rep(
    kind: str, req_id: int, status: int, *, fail_info: str = "", text: str = "", certificate: bytes = b"",
    ca_pubs: Sequence[bytes] = (),
) -> bytes:
    """The body ip, cp or kup with one CertResponse."""
    content = _CertRepMessage().subtype(explicitTag=_context(_BODIES.index(kind)))
    for anchor in ca_pubs:
        content["caPubs"].append(anchor)
    response = content["response"][0]
    response["certReqId"] = req_id
    _status_info(response["status"], status, fail_info, text)
    if certificate:
        response["certifiedKeyPair"]["certOrEncCert"]["certificate"] = certificate
    return encode(content)


def error_body(fail_info: str, text: str) -> bytes:
    """The body error (RFC 9810, 5.3.21) with status rejection."""
    content = rfc9480.ErrorMsgContent().subtype(explicitTag=_context(_BODIES.index("error")))
    _status_info(content["pKIStatusInfo"], 2, fail_info, text)
    return encode(content)


def pkiconf_body() -> bytes:
    """The body pkiconf: NULL (RFC 9810, 5.3.17)."""
    return bytes((0xA0 + _BODIES.index("pkiconf"), len(NULL))) + NULL
