"""PKIMessage in and out (RFC 9810, 5.1 and Appendix F) with pyasn1.

What is signed or MACed, and what is passed on, stays the bytes that came: the outer structures are read with ANY for
their parts, and only then are the parts decoded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ

from . import der
from .cmp_schema import BODIES, HEADER, MESSAGE, PROFILE_NAMES, explicit
from .der import NULL
from .status import Refused

IMPLICIT_CONFIRM = "1.3.6.1.5.5.7.4.13"
CERT_PROFILE = "1.3.6.1.5.5.7.4.21"
NULL_DN = bytes.fromhex("a4023000")  # GeneralName directoryName with an empty RDNSequence


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

    @property
    def der(self) -> bytes:
        return der.algorithm(self.oid, self.parameters)

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
    time: datetime | None
    general_info: dict[str, bytes]
    kind: str
    body: bytes
    protected_part: bytes
    protection: bytes | None
    extra_certs: tuple[bytes, ...]
    digest: bytes

    def content(self, spec: Any) -> Any:
        """The body decoded as this type (PKIBody has EXPLICIT tags)."""
        return decode(self.body, explicit(BODIES.index(self.kind), spec))

    @property
    def implicit_confirm(self) -> bool:
        return IMPLICIT_CONFIRM in self.general_info

    @property
    def profile(self) -> str:
        """The first name in certProfile, empty without one (RFC 9810, 5.1.1.4)."""
        value = self.general_info.get(CERT_PROFILE)
        names = decode(value, PROFILE_NAMES) if value else ()
        return str(names[0]) if len(names) else ""


def body_kind(body: bytes) -> str:
    """The name of a PKIBody alternative by its tag."""
    number = body[0] - 0xA0 if body else -1
    if not 0 <= number < len(BODIES):
        raise Refused("badDataFormat", "the body is no alternative of PKIBody")
    return BODIES[number]


def parse_message(data: bytes) -> Message:
    """Reads a PKIMessage; Refused(badDataFormat) when it is none."""
    outer = decode(data, MESSAGE)
    header = decode(bytes(outer["header"]), HEADER)
    protection = None
    if outer["protection"].hasValue():
        protection = bit_string(decode(bytes(outer["protection"]), univ.BitString()))
    body = bytes(outer["body"])
    return Message(
        pvno=int(header["pvno"]),
        sender=encode(header["sender"]),
        algorithm=Algorithm.of(header["protectionAlg"]) if header["protectionAlg"].hasValue() else None,
        sender_kid=optional(header, "senderKID"),
        transaction_id=optional(header, "transactionID"),
        sender_nonce=optional(header, "senderNonce"),
        recip_nonce=optional(header, "recipNonce"),
        time=_message_time(header["messageTime"]),
        general_info=infos(header["generalInfo"]) if header["generalInfo"].hasValue() else {},
        kind=body_kind(body),
        body=body,
        protected_part=der.sequence(bytes(outer["header"]), body),
        protection=protection,
        extra_certs=tuple(bytes(item) for item in outer["extraCerts"]) if outer["extraCerts"].hasValue() else (),
        digest=hashlib.sha256(data).digest(),
    )


def infos(value: Any) -> dict[str, bytes]:
    """SEQUENCE OF InfoTypeAndValue by OID; the value is empty where it is absent."""
    return {str(item["infoType"]): optional(item, "infoValue") or b"" for item in value}


def _message_time(value: Any) -> datetime | None:
    if not value.hasValue():
        return None
    try:
        return value.asDateTime.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("badTime", "the messageTime cannot be read") from None


def bit_string(value: Any) -> bytes:
    """The octets of a BIT STRING without unused bits."""
    if len(value) % 8:
        raise Refused("badDataFormat", "a signature or MAC is not a whole number of octets")
    return value.asOctets()


def general_name(name: bytes) -> bytes:
    """GeneralName directoryName for the DER of a Name."""
    return der.explicit(4, name)
