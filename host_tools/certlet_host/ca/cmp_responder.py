"""The CMP side of the lab CA: one request in, one reply out (RFC 9810).

    respond: parse -> check the header -> authenticate -> handle the body -> protect the reply

A request that fails before it is authenticated gets an error message; so does one whose body is not supported. The
CA signs every error message (5.3.21). A certificate request that is refused gets ip or cp with status rejection,
protected the way the request was. A secret serves one device: once a certificate is confirmed, it enrols only the
same public key again, so that a board whose reply was lost can repeat, and nobody else can use the secret.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyasn1_alt_modules import rfc9480
from sqlalchemy.orm import Session

from . import chain, request
from .authority import Credential
from .cmp_codec import (
    NULL_DN,
    Header,
    Message,
    cert_rep,
    error_body,
    general_name,
    message,
    parse_message,
    pkiconf_body,
    protected_part,
)
from .cmp_protection import ID_PBM, MacProtector, Pbm, Signer, signature_is_valid
from .names import same_name
from .provoke import NOTHING, Provoke
from .state import State
from .status import ACCEPTED, GRANTED_WITH_MODS, REJECTION, Refused
from .store import Certificate, Device, Transaction, public_key_digest, record, settle, sweep

log = logging.getLogger("certlet.ca")

_MAX_CERTIFICATES = 10
_NONCE = 16
_DIGESTS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
_REPLY = {"ir": "ip", "cr": "cp", "p10cr": "cp", "certConf": "pkiconf", "error": "pkiconf"}
_TRADED = {"ip": "cp", "cp": "ip"}

# What a certConf does: (state of the transaction, accepted by the client) -> new state, or the failInfo of the error.
_CONFIRMATIONS = {
    ("waiting", True): "confirmed",
    ("waiting", False): "rejected",
    ("confirmed", True): "confirmed",
    ("implicit", True): "implicit",
    ("rejected", False): "rejected",
    ("confirmed", False): Refused("certConfirmed", "the certificate is confirmed already"),
    ("implicit", False): Refused("certConfirmed", "the certificate is confirmed already"),
    ("rejected", True): Refused("certRevoked", "the certificate was rejected before"),
    ("unconfirmed", True): Refused("certRevoked", "the confirmation comes too late"),
    ("unconfirmed", False): "unconfirmed",
}


@dataclass(frozen=True)
class Peer:
    """An authenticated sender: its name in the database, and the MAC for replies to it (None: signature)."""

    name: str
    reference: str = ""
    mac: MacProtector | None = None


@dataclass(frozen=True)
class Reply:
    """A reply body, and what the message around it needs."""

    kind: str
    body: bytes
    implicit_confirm: bool = False
    extra_certs: tuple[bytes, ...] = ()
    nonce: bytes = field(default_factory=lambda: os.urandom(_NONCE))


class Responder:
    """Answers CMP requests from the state of a lab CA."""

    def __init__(
        self, state: State, *, provoke: Provoke = NOTHING, implicit_confirm: bool = True, send_root: bool = False,
        confirm_seconds: int = 600,
    ) -> None:
        """Grants implicitConfirm when asked unless switched off; `send_root` adds the root to signed replies."""
        self._state = state
        self._ca = state.authority
        self._provoke = provoke
        self._implicit_confirm = implicit_confirm
        self._send_root = send_root
        self._confirm_seconds = confirm_seconds
        self._provoked = 0
        self._lock = threading.Lock()
        self._decoy = os.urandom(16)
        self._handlers: dict[str, Callable[[Message, Peer, Provoke], bytes]] = {
            "ir": self._enrol,
            "cr": self._enrol,
            "p10cr": self._enrol,
            "certConf": self._confirm,
            "error": self._give_up,
        }

    def respond(self, data: bytes) -> bytes:
        """The DER of the reply to a PKIMessage; whatever comes in, a PKIMessage goes out."""
        return self.exchange(data)[1]

    def exchange(self, data: bytes) -> tuple[int, bytes]:
        """The HTTP status and the reply; the status is 200 unless provoked."""
        received, provoke = None, NOTHING
        try:
            received = parse_message(data)
            provoke = self._provocation(_REPLY.get(received.kind, "error"))
            reply = self._answer(received, provoke)
        except Refused as fault:
            log.info("%s: refused, %s", received.kind if received else "not a PKIMessage", fault)
            reply = self._finish(received, None, Reply("error", error_body(fault.fail_info, fault.text)), provoke)
        except Exception as fault:
            # The type alone: the text of an unforeseen exception may hold anything.
            log.error("internal fault: %s", type(fault).__name__)
            body = error_body("systemFailure", "the CA failed; its log names the fault")
            reply = self._finish(received, None, Reply("error", body), provoke)
        return provoke.http_status, reply[: len(reply) // 2] if provoke.truncated else reply

    def _provocation(self, kind: str) -> Provoke:
        """What to provoke in a reply of this kind."""
        if self._provoke.only not in ("", kind):
            return NOTHING
        with self._lock:
            self._provoked += 1
            spent = 0 < self._provoke.times < self._provoked
        return NOTHING if spent else self._provoke

    def _answer(self, received: Message, provoke: Provoke) -> bytes:
        _check_header(received)
        peer = self._authenticate(received)
        if provoke.error:
            raise Refused(*provoke.error)
        handler = self._handlers.get(received.kind)
        if handler is None:
            raise Refused("badRequest", f"{received.kind} is not supported")
        return handler(received, peer, provoke)

    # Authentication

    def _authenticate(self, received: Message) -> Peer:
        if received.algorithm is None or received.protection is None:
            raise Refused("badMessageCheck", "the message is not protected")
        if len(received.extra_certs) > _MAX_CERTIFICATES:
            raise Refused("badRequest", f"more than {_MAX_CERTIFICATES} extraCerts")
        if received.algorithm.oid == ID_PBM:
            return self._authenticate_mac(received)
        return self._authenticate_signature(received)

    def _authenticate_mac(self, received: Message) -> Peer:
        if not received.sender_kid:
            raise Refused("badMessageCheck", "the senderKID does not hold the reference")
        pbm = Pbm.parse(received.algorithm)
        reference = received.sender_kid.decode("utf-8", "replace")
        secret = self._state.store.secret(reference)
        # An unknown reference costs as much time as a wrong secret and gets the same answer.
        protector = MacProtector(pbm, secret if secret is not None else self._decoy)
        valid = protector.check(received.protected_part, received.protection)
        if not valid or secret is None:
            raise Refused("badMessageCheck", "the MAC does not verify under the secret of this reference")
        return Peer(f"reference {reference}", reference, protector.renewed())

    def _authenticate_signature(self, received: Message) -> Peer:
        certificates = chain.load(received.extra_certs)
        if not certificates:
            raise Refused("signerNotTrusted", "the extraCerts do not begin with the signer's certificate")
        signer = certificates[0]
        try:
            key = signer.public_key()
        except ValueError:
            raise Refused("signerNotTrusted", "the key of the signer's certificate cannot be read") from None
        chain.require_trusted(signer, [*certificates[1:], self._ca.issuing.certificate], self._state.anchors())
        if not signature_is_valid(key, received.algorithm, received.protection, received.protected_part):
            raise Refused("badMessageCheck", "the signature does not verify with the first of the extraCerts")
        if not chain.may_sign(signer):
            raise Refused("signerNotTrusted", "the signer's keyUsage lacks digitalSignature")
        if not same_name(received.sender, general_name(signer.subject.public_bytes())):
            raise Refused("badMessageCheck", "the sender is not the subject of the signer's certificate")
        status = self._state.store.status_of(signer)
        if status not in (None, "confirmed"):
            raise Refused("certRevoked", f"the signer's certificate is {status}")
        return Peer(f"certificate {signer.serial_number:x}")

    # Bodies

    def _enrol(self, received: Message, peer: Peer, provoke: Provoke) -> bytes:
        """ir, cr, p10cr: a new transaction; the same message again gets the same reply again."""
        now, kind = int(time.time()), _REPLY[received.kind]
        wish = request.read(received)
        with self._state.store.session() as session:
            sweep(session, now)
            known = session.get(Transaction, received.transaction_id.hex())
            if known is not None:
                return _repeated(known, received, peer)
            try:
                reply, row = self._issue(session, received, peer, wish, provoke)
                state = "implicit" if reply.implicit_confirm else "waiting"
            except Refused as fault:
                log.info("%s from %s: refused, %s", received.kind, peer.name, fault)
                body = cert_rep(kind, wish.req_id, REJECTION, fail_info=fault.fail_info, text=fault.text)
                reply, row, state = Reply(kind, body), None, "refused"
            correct = self._finish(received, peer, reply, NOTHING)
            transaction = Transaction(
                identifier=received.transaction_id.hex(), requester=peer.name, request_digest=received.digest,
                reply=correct, req_id=wish.req_id, nonce=reply.nonce, state=state,
                deadline=now + self._confirm_seconds, serial=row.serial if row else None,
            )
            session.add(transaction)
            if state == "implicit":
                settle(session, transaction, state)
        return correct if provoke is NOTHING else self._finish(received, peer, reply, provoke)

    def _issue(
        self, session: Session, received: Message, peer: Peer, wish: request.Request, provoke: Provoke
    ) -> tuple[Reply, Certificate]:
        wanted = wish.wanted()
        _require_free(session, peer, public_key_digest(wanted.public_key))
        if provoke.reject:
            raise Refused(*provoke.reject)
        if provoke.swapped_key:
            wanted = replace(wanted, public_key=ec.generate_private_key(ec.SECP256R1()).public_key())
        issuer: Credential = getattr(self._ca, provoke.issuer)
        issued = self._ca.issue(wanted, issuer)
        text = issued.modifications or ("modified on demand" if provoke.mods else "")
        kind = _TRADED[_REPLY[received.kind]] if provoke.wrong_body else _REPLY[received.kind]
        body = cert_rep(
            kind,
            wish.req_id,
            GRANTED_WITH_MODS if text else ACCEPTED,
            text=text,
            certificate=issued.certificate.public_bytes(serialization.Encoding.DER),
            # A root in caPubs is only worth something under a shared secret (RFC 9810, 5.3.2).
            ca_pubs=[self._ca.root.der] if kind == "ip" and peer.mac and provoke.ca_pubs else [],
        )
        implicit = received.implicit_confirm and self._implicit_confirm and provoke.implicit_confirm
        row = record(session, issued.certificate, peer.name)
        log.info("%s from %s: certificate %s", received.kind, peer.name, row.serial)
        return Reply(kind, body, implicit, (issuer.der,)), row

    def _confirm(self, received: Message, peer: Peer, provoke: Provoke) -> bytes:
        """certConf (RFC 9810, 5.3.18); repeated, it gets pkiConf again."""
        with self._state.store.session() as session:
            sweep(session, int(time.time()))
            transaction = _own_transaction(session, received, peer)
            row = session.get(Certificate, transaction.serial) if transaction.serial else None
            if row is None:
                raise Refused("badRequest", "this transaction has no certificate to confirm")
            accepted = _accepted(received, transaction, row.der)
            outcome = _CONFIRMATIONS[transaction.state, accepted]
            if isinstance(outcome, Refused):
                raise Refused(outcome.fail_info, outcome.text)
            if outcome == "confirmed":
                _require_free(session, peer, _key_of(row.der))
            if outcome != transaction.state:
                settle(session, transaction, outcome)
            log.info("certConf from %s: certificate %s is %s", peer.name, row.serial, row.status)
        return self._finish(received, peer, Reply("pkiconf", pkiconf_body()), provoke)

    def _give_up(self, received: Message, peer: Peer, provoke: Provoke) -> bytes:
        """error from the client ends its transaction; the certificate counts as rejected (RFC 9810, 5.3.21)."""
        with self._state.store.session() as session:
            transaction = _own_transaction(session, received, peer)
            if transaction.state == "waiting":
                settle(session, transaction, "rejected")
            log.info("error from %s: the client gave up", peer.name)
        return self._finish(received, peer, Reply("pkiconf", pkiconf_body()), provoke)

    # The message around a body

    def _finish(self, received: Message | None, peer: Peer | None, reply: Reply, provoke: Provoke) -> bytes:
        mac = peer.mac if peer and provoke.protection != "signature" else None
        signer = self._ca.signer
        protector = mac or Signer(signer.key)
        protected = provoke.protection != "none"
        header = Header(
            pvno=provoke.pvno or (received.pvno if received and received.pvno in (2, 3) else 2),
            sender=general_name(self._ca.issuing.subject if mac else signer.subject),
            recipient=received.sender if received else NULL_DN,
            algorithm=protector.algorithm() if protected else None,
            sender_kid=(peer.reference.encode() if mac and peer else signer.key_id) if protected else None,
            transaction_id=os.urandom(16) if provoke.wrong_transaction_id else received and received.transaction_id,
            sender_nonce=reply.nonce,
            recip_nonce=os.urandom(16) if provoke.wrong_nonce else received and received.sender_nonce,
            implicit_confirm=reply.implicit_confirm,
            free_text="x" * provoke.padding,
        ).encode()
        protection = None
        if protected:
            protection = protector.protect(protected_part(header, reply.body))
            if provoke.bad_protection:
                protection = protection[:-1] + bytes((protection[-1] ^ 1,))
        certificates = self._chain(reply.extra_certs) if protected and not mac else reply.extra_certs
        return message(header, reply.body, protection, certificates)

    def _chain(self, others: Sequence[bytes]) -> list[bytes]:
        """extraCerts of a signed message: the signer first, then what leads to the root."""
        chain_of_signer = [self._ca.signer.der, self._ca.issuing.der]
        if self._send_root:
            chain_of_signer.append(self._ca.root.der)
        return chain_of_signer + [other for other in others if other not in chain_of_signer]


def _check_header(received: Message) -> None:
    if received.pvno not in (2, 3):
        raise Refused("unsupportedVersion", "pvno is neither cmp2000(2) nor cmp2021(3)")
    if not 16 <= len(received.transaction_id or b"") <= 64:
        raise Refused("badRequest", "the transactionID is missing or not 16..64 bytes long")
    if not 16 <= len(received.sender_nonce or b"") <= 64:
        raise Refused("badSenderNonce", "the senderNonce is missing or not 16..64 bytes long")


def _repeated(known: Transaction, received: Message, peer: Peer) -> bytes:
    if known.request_digest != received.digest or known.requester != peer.name:
        raise Refused("transactionIdInUse", "the transactionID is in use")
    return known.reply


def _own_transaction(session: Session, received: Message, peer: Peer) -> Transaction:
    """The transaction a later message belongs to; the same sender, and our nonce in it."""
    transaction = session.get(Transaction, received.transaction_id.hex())
    if transaction is None or transaction.requester != peer.name:
        raise Refused("badRequest", "there is no such transaction of this sender")
    if received.recip_nonce != transaction.nonce:
        raise Refused("badRecipientNonce", "the recipNonce is not the senderNonce of the reply")
    return transaction


def _key_of(certificate: bytes) -> bytes:
    return public_key_digest(x509.load_der_x509_certificate(certificate).public_key())


def _require_free(session: Session, peer: Peer, key: bytes) -> None:
    """A secret that has enrolled one key serves this key only, unless it was made reusable."""
    device = session.get(Device, peer.reference) if peer.mac else None
    if device and not device.reusable and device.enrolled_key not in (None, key):
        raise Refused("notAuthorized", "the secret of this reference has been used; it needs a new one")


def _accepted(received: Message, transaction: Transaction, certificate: bytes) -> bool:
    """What the client says of the certificate; Refused when it speaks of another one."""
    statuses = received.content(rfc9480.CertConfirmContent())
    if not len(statuses):
        return False
    status = statuses[0]
    if len(statuses) != 1 or int(status["certReqId"]) != transaction.req_id:
        raise Refused("badRequest", "certConf does not hold exactly the certReqId of this transaction")
    if status["hashAlg"].hasValue():
        name = _DIGESTS.get(str(status["hashAlg"]["algorithm"]))
        if name is None or received.pvno != 3:
            raise Refused("badAlg", "hashAlg needs pvno 3 and SHA-256, SHA-384 or SHA-512")
    else:
        digest = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
        name = digest.name if digest else "sha512"
    if bytes(status["certHash"]) != hashlib.new(name, certificate).digest():
        raise Refused("badCertId", "the certHash is not that of the certificate")
    info = status["statusInfo"]
    return not info.hasValue() or int(info["status"]) in (ACCEPTED, GRANTED_WITH_MODS)
