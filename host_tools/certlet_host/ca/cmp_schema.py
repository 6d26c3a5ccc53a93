"""The types of CMP (RFC 9810, Appendix F) that the lab CA reads, as pyasn1 schemas; EXPLICIT tags throughout."""

from __future__ import annotations

from typing import Any

from pyasn1.type import char, namedtype, tag, univ, useful
from pyasn1_alt_modules import rfc5280

BODIES = (
    "ir ip cr cp p10cr popdecc popdecr kur kup krr krp rr rp ccr ccp ckuann cann rann crlann pkiconf nested genm genp "
    "error certConf pollReq pollRep"
).split()


def explicit(number: int, kind: Any) -> Any:
    """The type under [number] EXPLICIT."""
    return kind.subtype(explicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, number))


def structure(**fields: Any) -> Any:
    """A SEQUENCE; a field given as (type,) is OPTIONAL."""

    class Structure(univ.Sequence):
        componentType = namedtype.NamedTypes(*(
            namedtype.OptionalNamedType(name, kind[0]) if isinstance(kind, tuple) else namedtype.NamedType(name, kind)
            for name, kind in fields.items()
        ))

    return Structure()


def series(kind: Any) -> Any:
    """A SEQUENCE OF."""

    class Series(univ.SequenceOf):
        componentType = kind

    return Series()


ANYS = series(univ.Any())
FREE_TEXT = series(char.UTF8String())
INFOS = series(structure(infoType=univ.ObjectIdentifier(), infoValue=(univ.Any(),)))
MESSAGE = structure(
    header=univ.Any(), body=univ.Any(), protection=(explicit(0, univ.Any()),), extraCerts=(explicit(1, ANYS),)
)
HEADER = structure(
    pvno=univ.Integer(),
    sender=rfc5280.GeneralName(),
    recipient=rfc5280.GeneralName(),
    messageTime=(explicit(0, useful.GeneralizedTime()),),
    protectionAlg=(explicit(1, rfc5280.AlgorithmIdentifier()),),
    senderKID=(explicit(2, univ.OctetString()),),
    recipKID=(explicit(3, univ.OctetString()),),
    transactionID=(explicit(4, univ.OctetString()),),
    senderNonce=(explicit(5, univ.OctetString()),),
    recipNonce=(explicit(6, univ.OctetString()),),
    freeText=(explicit(7, FREE_TEXT),),
    generalInfo=(explicit(8, INFOS),),
)
STATUS_INFO = structure(status=univ.Integer(), statusString=(FREE_TEXT,), failInfo=(univ.BitString(),))
CERT_CONFIRM = series(structure(
    certHash=univ.OctetString(), certReqId=univ.Integer(), statusInfo=(STATUS_INFO,),
    hashAlg=(explicit(0, rfc5280.AlgorithmIdentifier()),),
))
POLL_REQUEST = series(structure(certReqId=univ.Integer()))
REVOCATION_REQUEST = series(structure(certDetails=univ.Any(), crlEntryDetails=(rfc5280.Extensions(),)))
CRL_STATUSES = series(structure(source=univ.Any(), thisUpdate=(univ.Any(),)))
PROFILE_NAMES = series(char.UTF8String())
PBMAC1 = structure(keyDerivationFunc=rfc5280.AlgorithmIdentifier(), messageAuthScheme=rfc5280.AlgorithmIdentifier())
PBKDF2 = structure(
    salt=univ.OctetString(), iterationCount=univ.Integer(), keyLength=(univ.Integer(),),
    prf=(rfc5280.AlgorithmIdentifier(),),
)
