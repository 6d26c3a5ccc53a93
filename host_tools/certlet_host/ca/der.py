"""DER written by hand: each function returns one whole TLV. Reading is left to pyasn1."""

from __future__ import annotations

from datetime import datetime

from pyasn1.codec.der import encoder
from pyasn1.type import univ

NULL = b"\x05\x00"


def tlv(tag: int, content: bytes) -> bytes:
    """One element with a tag of one octet."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE, and SEQUENCE OF."""
    return tlv(0x30, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """SET OF, in the order that DER demands."""
    return tlv(0x31, b"".join(sorted(parts)))


def integer(value: int) -> bytes:
    """INTEGER."""
    return encoder.encode(univ.Integer(value))


def octets(value: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(4, value)


def bits(value: bytes) -> bytes:
    """BIT STRING without unused bits."""
    return tlv(3, b"\x00" + value)


def named_bits(number: int) -> bytes:
    """A BIT STRING of named bits with this one set."""
    size = number // 8 + 1
    return tlv(3, bytes((7 - number % 8,)) + (1 << (7 - number % 8)).to_bytes(size, "big"))


def utf8(value: str) -> bytes:
    """UTF8String."""
    return tlv(12, value.encode())


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    return encoder.encode(univ.ObjectIdentifier(dotted))


def time(moment: datetime, *, fraction: bool = False) -> bytes:
    """GeneralizedTime in whole seconds, or with the fraction that DER allows and RFC 5280 does not."""
    return tlv(24, moment.strftime("%Y%m%d%H%M%S.5Z" if fraction else "%Y%m%d%H%M%SZ").encode())


def explicit(number: int, element: bytes) -> bytes:
    """[number] EXPLICIT."""
    return tlv(0xA0 + number, element)


def retag(tag: int, element: bytes) -> bytes:
    """The element with another tag octet: IMPLICIT tagging, and SET OF for a signature over attributes."""
    return bytes((tag,)) + element[1:]


def algorithm(dotted: str, parameters: bytes | None = None) -> bytes:
    """AlgorithmIdentifier."""
    return sequence(oid(dotted), parameters or b"")
