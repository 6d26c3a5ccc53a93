"""Comparing names the tolerant way: by decoded text, without regard to case, spaces and string type (RFC 5280, 7.1)."""

from __future__ import annotations

from typing import Any

from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import char
from pyasn1_alt_modules import rfc5280

from .cmp_codec import decode

_COMMON_NAME = "2.5.4.3"


def same_name(first: bytes, second: bytes) -> bool:
    """True when two GeneralNames (DER) hold the same directoryName."""
    one, other = _plain(first), _plain(second)
    return one is not None and one == other


def common_name_of(name: bytes) -> str:
    """The CN of a GeneralName directoryName as it stands there, empty without one."""
    value = decode(name, rfc5280.GeneralName())
    if value.getName() != "directoryName":
        return ""
    pairs = [pair for rdn in value["directoryName"]["rdnSequence"] for pair in rdn]
    return next((_string(bytes(pair["value"])) for pair in pairs if str(pair["type"]) == _COMMON_NAME), "")


def _plain(name: bytes) -> list[list[tuple[str, Any]]] | None:
    value = decode(name, rfc5280.GeneralName())
    if value.getName() != "directoryName":
        return None
    rdns = value["directoryName"]["rdnSequence"]
    return [sorted((str(pair["type"]), _text(bytes(pair["value"]))) for pair in rdn) for rdn in rdns]


def _text(value: bytes) -> str:
    return " ".join(_string(value).casefold().split())


def _string(value: bytes) -> str:
    """The text of a string, the octets in hexadecimal digits for anything else."""
    try:
        text, _ = decoder.decode(value)
    except (PyAsn1Error, ValueError, TypeError, LookupError):
        return value.hex()
    return str(text) if isinstance(text, char.AbstractCharacterString) else value.hex()
