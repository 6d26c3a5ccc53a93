"""The bodies of replies (RFC 9810, 5.3), written as DER."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from . import der
from .cmp_schema import BODIES
from .status import FAILURES, REJECTION, WAITING

_ID_IT = "1.3.6.1.5.5.7.4"
_NOT_READY = "the answer is not ready; poll for it"
UNKNOWN_INFO = der.sequence(der.oid("1.2.3.4.5.6"), der.utf8("nobody knows"))


def body(kind: str, content: bytes) -> bytes:
    """PKIBody: the content under the EXPLICIT tag of its kind."""
    return der.explicit(BODIES.index(kind), content)


def status_info(status: int, fail_info: str = "", text: str = "") -> bytes:
    """PKIStatusInfo (5.2.3)."""
    strings = der.sequence(der.utf8(text)) if text else b""
    bits = der.named_bits(FAILURES.index(fail_info)) if fail_info else b""
    return der.sequence(der.integer(status), strings, bits)


def cert_response(
    req_id: int, status: int, fail_info: str = "", text: str = "", *, key_pair: bytes = b""
) -> bytes:
    """CertResponse; `key_pair` is a CertifiedKeyPair."""
    return der.sequence(der.integer(req_id), status_info(status, fail_info, text), key_pair)


def certified_key_pair(certificate: bytes, *, encrypted: bool = False, private_key: bytes = b"") -> bytes:
    """CertifiedKeyPair of a certificate, or of an EncryptedKey that holds one; `private_key` is an EncryptedKey too."""
    first = der.explicit(1 if encrypted else 0, certificate)
    return der.sequence(first, der.explicit(0, private_key) if private_key else b"")


def cert_rep(kind: str, responses: Iterable[bytes], ca_pubs: Sequence[bytes] = ()) -> bytes:
    """The body ip, cp or kup."""
    anchors = der.explicit(1, der.sequence(*ca_pubs)) if ca_pubs else b""
    return body(kind, der.sequence(anchors, der.sequence(*responses)))


def error(status: int, fail_info: str = "", text: str = "") -> bytes:
    """The body error (5.3.21)."""
    return body("error", der.sequence(status_info(status, fail_info, text)))


def refusal(fail_info: str, text: str) -> bytes:
    """The body error with status rejection."""
    return error(REJECTION, fail_info, text)


def confirmation() -> bytes:
    """The body pkiconf: NULL (5.3.17)."""
    return body("pkiconf", der.NULL)


def revocation(status: int, fail_info: str = "", text: str = "", cert_id: bytes = b"") -> bytes:
    """The body rp with one status; CertId names the certificate (5.3.10)."""
    ids = der.explicit(0, der.sequence(cert_id)) if cert_id else b""
    return body("rp", der.sequence(der.sequence(status_info(status, fail_info, text)), ids))


def information(number: int, value: bytes | None = None) -> bytes:
    """InfoTypeAndValue id-it NUMBER."""
    return der.sequence(der.oid(f"{_ID_IT}.{number}"), value or b"")


def general(infos: Iterable[bytes]) -> bytes:
    """The body genp."""
    return body("genp", der.sequence(*infos))


def poll_reply(req_id: int, check_after: int) -> bytes:
    """The body pollRep with one entry (5.3.22)."""
    return body("pollRep", der.sequence(der.sequence(der.integer(req_id), der.integer(check_after))))


def waiting(kind: str, req_id: int) -> bytes:
    """The body ip, cp or kup with status waiting."""
    return cert_rep(kind, [cert_response(req_id, WAITING, text=_NOT_READY)])


def waiting_error() -> bytes:
    """The body error with status waiting."""
    return error(WAITING, text=_NOT_READY)


def challenge() -> bytes:
    """The body popdecc with a challenge that nobody can answer (RFC 9810, 5.2.8.3.3)."""
    return body("popdecc", der.sequence(der.sequence(der.octets(os.urandom(32)), der.octets(os.urandom(256)))))


def nested(message: bytes) -> bytes:
    """The body nested around one message (5.1.3.4)."""
    return body("nested", der.sequence(message))
