"""The message around a reply body: header, protection and extraCerts, right or as provoked (RFC 9810, 5.1)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from pyasn1_alt_modules import rfc5280

from . import cmp_bodies as bodies
from . import der
from .authority import Authority
from .cmp_codec import IMPLICIT_CONFIRM, NULL_DN, Algorithm, Message, decode, encode, general_name
from .credential import Credential, to_der
from .mac import MacProtector
from .provoke import Provoke
from .signatures import Signer

_NONCE = 16


@dataclass(frozen=True)
class Peer:
    """An authenticated sender: its name in the database, and the MAC for replies to it (None: signature).

    `certificate` is that of a signer, `ours` its serial number if this CA issued it, `is_ra` whether it has cmcRA.
    """

    name: str
    reference: str = ""
    mac: MacProtector | None = None
    certificate: x509.Certificate | None = None
    ours: str | None = None
    owner: str = ""
    is_ra: bool = False


@dataclass(frozen=True)
class Call:
    """One request that is being answered: `original` is the request itself, `received` the message that gets the reply.

    They differ after polling only.
    """

    original: Message
    received: Message
    peer: Peer
    provoke: Provoke
    label: str = ""


@dataclass(frozen=True)
class Reply:
    """A reply body, and what the message around it needs."""

    kind: str
    body: bytes
    implicit_confirm: bool = False
    extra_certs: tuple[bytes, ...] = ()
    pvno: int = 0
    nonce: bytes = field(default_factory=lambda: os.urandom(_NONCE))


@dataclass(frozen=True)
class Header:
    """The fields of a reply's PKIHeader; those that are None or empty are left out."""

    pvno: int
    sender: bytes
    recipient: bytes
    algorithm: Algorithm | None
    sender_kid: bytes | None
    transaction_id: bytes | None
    sender_nonce: bytes | None
    recip_nonce: bytes | None
    implicit_confirm: bool = False
    free_text: str = ""
    unknown_info: bool = False
    time: str = "whole"

    def encode(self) -> bytes:
        octets = (self.sender_kid, 2), (self.transaction_id, 4), (self.sender_nonce, 5), (self.recip_nonce, 6)
        infos = [der.sequence(der.oid(IMPLICIT_CONFIRM), der.NULL)] if self.implicit_confirm else []
        infos += [bodies.UNKNOWN_INFO] if self.unknown_info else []
        return der.sequence(
            der.integer(self.pvno), self.sender, self.recipient,
            der.explicit(0, der.time(datetime.now(UTC), fraction=self.time == "fraction")) if self.time else b"",
            der.explicit(1, self.algorithm.der) if self.algorithm else b"",
            *(der.explicit(number, der.octets(value)) for value, number in octets if value is not None),
            der.explicit(7, der.sequence(der.utf8(self.free_text))) if self.free_text else b"",
            der.explicit(8, der.sequence(*infos)) if infos else b"",
        )


class Writer:
    """Puts reply bodies into protected messages."""

    def __init__(self, authority: Authority, signer_kind: str, *, send_root: bool) -> None:
        self._ca = authority
        self._kind = signer_kind
        self._signer = authority.signer_for(signer_kind)
        self._send_root = send_root

    def write(
        self, reply: Reply, received: Message | None, peer: Peer | None, provoke: Provoke, recip_nonce: bytes | None
    ) -> bytes:
        """The DER of the PKIMessage; without a peer (error messages) it is signed."""
        mac = peer.mac if peer and provoke.protection != "signature" else None
        signer: Credential = getattr(self._ca, provoke.signer) if provoke.signer else self._signer
        protector = self._mac(mac, provoke) if mac else Signer(signer.key, pss=self._kind == "rsa-pss")
        protected = provoke.protection != "none" and not (provoke.unprotected_error and reply.kind == "error")
        body = reply.body
        if provoke.nested:
            body = bodies.nested(self._assemble(self._plain(reply, received, recip_nonce), body, None, ()))
        header = self._header(reply, received, peer, provoke, recip_nonce, signer, protector if protected else None)
        protection = None
        if protected:
            protection = protector.protect(der.sequence(header, body))
            if provoke.bad_protection:
                protection = protection[:-1] + bytes((protection[-1] ^ 1,))
        certificates = self._chain(signer, reply.extra_certs) if protected and not mac else list(reply.extra_certs)
        certificates += self._ca.bystanders[: provoke.extra_certs] if provoke.extra_certs else []
        return self._assemble(header, body, protection, certificates)

    @staticmethod
    def _mac(mac: MacProtector, provoke: Provoke) -> MacProtector:
        return mac.renewed(
            pbmac1=provoke.pbmac1 > 0, length=provoke.pbmac1 or 32, iterations=provoke.iterations, mac=provoke.mac
        )

    def _plain(self, reply: Reply, received: Message | None, recip_nonce: bytes | None) -> bytes:
        """The header of the inner one of nested messages."""
        sender = general_name(self._ca.issuing.subject)
        identifier = received.transaction_id if received else None
        return Header(2, sender, NULL_DN, None, None, identifier, reply.nonce, recip_nonce).encode()

    def _header(
        self, reply: Reply, received: Message | None, peer: Peer | None, provoke: Provoke, recip_nonce: bytes | None,
        signer: Credential, protector: MacProtector | Signer | None,
    ) -> bytes:
        by_mac = isinstance(protector, MacProtector)
        sender_kid = None
        if protector:
            sender_kid = peer.reference.encode() if by_mac and peer else signer.key_id
        if provoke.reflect_sender_kid:
            sender_kid = received and received.sender_kid
        asked = received.pvno if received and received.pvno in (2, 3) else 2
        sender = self._ca.issuing.subject if by_mac else signer.subject
        return Header(
            pvno=provoke.pvno or max(asked, reply.pvno),
            sender=general_name(_reversed(sender) if provoke.reversed_dn else sender),
            recipient=received.sender if received else NULL_DN,
            algorithm=protector.algorithm() if protector else None,
            sender_kid=None if provoke.no_sender_kid else sender_kid,
            transaction_id=self._identifier(received, provoke),
            sender_nonce=None if provoke.no_nonces else reply.nonce,
            recip_nonce=None if provoke.no_nonces else (os.urandom(_NONCE) if provoke.wrong_nonce else recip_nonce),
            implicit_confirm=reply.implicit_confirm,
            free_text="x" * provoke.padding,
            unknown_info=provoke.unknown_info,
            time=provoke.message_time,
        ).encode()

    @staticmethod
    def _identifier(received: Message | None, provoke: Provoke) -> bytes | None:
        if provoke.no_nonces or received is None:
            return None
        return os.urandom(16) if provoke.wrong_transaction_id else received.transaction_id

    def _chain(self, signer: Credential, others: Sequence[bytes]) -> list[bytes]:
        """extraCerts of a signed message: the signer first, then what leads to the root, old or new."""
        chain = [signer.der]
        if signer is not self._ca.root:
            chain += map(to_der, self._ca.issuing_certificates())
        if self._send_root and signer is not self._ca.root:
            chain.append(self._ca.root.der)
        return chain + [other for other in others if other not in chain]

    @staticmethod
    def _assemble(header: bytes, body: bytes, protection: bytes | None, extra_certs: Sequence[bytes]) -> bytes:
        return der.sequence(
            header, body,
            der.explicit(0, der.bits(protection)) if protection is not None else b"",
            der.explicit(1, der.sequence(*extra_certs)) if extra_certs else b"",
        )


def _reversed(name: bytes) -> bytes:
    value = decode(name, rfc5280.Name())
    return der.sequence(*(encode(rdn) for rdn in reversed(list(value["rdnSequence"]))))
