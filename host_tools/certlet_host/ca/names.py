"""Comparing names the tolerant way: by decoded text, without regard to case, spaces and string type (RFC 5280, 7.1)."""

from __future__ import annotations

from typing import Any

from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import char
from pyasn1_alt_modules import rfc5280

from .cmp_codec import decode


def same_name(first: bytes, second: bytes) -> bool:
    """True when two GeneralNames (DER) hold the same directoryName."""
    one, other = _plain(first), _plain(second)
    return one is not None and one == other


def _plain(name: bytes) -> list[list[tuple[str, Any]]] | None:
    value = decode(name, rfc5280.GeneralName())
    if value.getName() != "directoryName":
        return None
    rdns = value["directoryName"]["rdnSequence"]
    return [sorted((str(pair["type"]), _text(bytes(pair["value"]))) for pair in rdn) for rdn in rdns]


def _text(value: bytes) -> str:
    try:
        text, _ = decoder.decode(value)
    except (PyAsn1Error, ValueError, TypeError, LookupError):
        return value.hex()
    return " ".join(str(text).casefold().split()) if isinstance(text, char.AbstractCharacterString) else value.hex()
