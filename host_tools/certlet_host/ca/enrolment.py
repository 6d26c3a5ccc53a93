"""ir, cr, p10cr and kur, and the certConf that ends them (RFC 9810, 5.3.1 to 5.3.6 and 5.3.18).

A refused request gets ip, cp or kup with status rejection. A secret serves one device: once a certificate is confirmed,
it enrols only the same public key again, so that a board whose reply was lost can repeat, and nobody else can use it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from pyasn1_alt_modules import rfc4211
from sqlalchemy.orm import Session

from . import cmp_bodies as bodies
from . import delivery, request
from .cmp_codec import decode, encode, general_name
from .cmp_reply import Call, Peer, Reply
from .cmp_schema import CERT_CONFIRM
from .credential import Credential, to_der
from .issuing import Issued, issue
from .names import same_name
from .profiles import Profile
from .state import State
from .status import ACCEPTED, GRANTED_WITH_MODS, REJECTION, Refused
from .tables import Certificate, Device, Transaction, public_key_digest, record, serial_text, settle

log = logging.getLogger("certlet.ca")

REPLY = {"ir": "ip", "cr": "cp", "p10cr": "cp", "kur": "kup"}
_TRADED = {"ip": "cp", "cp": "ip", "kup": "ip"}
_DIGESTS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}

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
class Outcome:
    """The reply to a request that opens a transaction, and what the transaction is then."""

    reply: Reply
    state: str = "done"
    serial: str | None = None
    req_id: int = -1


def may_act_on(peer: Peer, row: Certificate) -> bool:
    """The certificate itself, the secret of the device that owns it, and registration authorities."""
    return peer.ours == row.serial or (peer.mac is not None and peer.owner == row.owner) or peer.is_ra


def find_issued(session: Session, state: State, issuer: bytes, serial: int) -> Certificate:
    """The certificate with this issuer (GeneralName) and serial number; Refused(badCertId) when there is none."""
    row = session.get(Certificate, serial_text(serial)) if serial >= 0 else None
    issuing = general_name(state.authority.issuing.subject)
    if row is None or not same_name(issuer, issuing):
        raise Refused("badCertId", "no certificate of this issuer and serialNumber was issued here")
    return row


class Enrolment:
    """Issues certificates and takes their confirmations."""

    def __init__(self, state: State, *, implicit_confirm: bool) -> None:
        self._state = state
        self._ca = state.authority
        self._implicit_confirm = implicit_confirm

    def enrol(self, session: Session, call: Call) -> Outcome:
        """ir, cr, p10cr, kur: a certificate, or a rejection."""
        wish, kind = request.read(call.original), REPLY[call.original.kind]
        try:
            reply, row = self._grant(session, call, wish)
        except Refused as fault:
            log.info("%s from %s: refused, %s", call.original.kind, call.peer.name, fault)
            response = bodies.cert_response(wish.req_id, REJECTION, fault.fail_info, fault.text)
            return Outcome(Reply(kind, bodies.cert_rep(kind, [response])), "refused", None, wish.req_id)
        return Outcome(reply, "implicit" if reply.implicit_confirm else "waiting", row.serial, wish.req_id)

    def _grant(self, session: Session, call: Call, wish: request.Request) -> tuple[Reply, Certificate]:
        original, peer, provoke = call.original, call.peer, call.provoke
        profile = self._state.profiles.find(original.profile, call.label)
        _require_controls(wish, profile)
        old = self._old(session, call, wish)
        wanted = wish.wanted(profile, old.load() if old else None, by_ra=peer.is_ra)
        _require_free(session, peer, public_key_digest(wanted.public_key))
        if provoke.reject:
            raise Refused(*provoke.reject)
        if provoke.swapped_key:
            wanted = replace(wanted, public_key=ec.generate_private_key(ec.SECP256R1()).public_key())
        issuer: Credential = getattr(self._ca, provoke.issuer)
        issued = issue(self._ca, wanted, issuer, profile)
        key_pair, pvno = delivery.key_pair(self._ca, issued.certificate, wanted, call)
        implicit = original.implicit_confirm and self._implicit_confirm and provoke.implicit_confirm
        kind = _TRADED[REPLY[original.kind]] if provoke.wrong_body else REPLY[original.kind]
        body = self._body(kind, wish, issued, key_pair, call)
        row = record(
            session, issued.certificate, peer.name, owner=old.owner if old else peer.owner,
            replaces=old.serial if old else None, details=_details(wish, original.profile or call.label),
        )
        log.info("%s from %s: certificate %s", original.kind, peer.name, row.serial)
        above = self._ca.issuing_certificates() if issuer is self._ca.issuing else [issuer.certificate]
        return Reply(kind, body, implicit, tuple(map(to_der, above)), pvno), row

    def _body(self, kind: str, wish: request.Request, issued: Issued, key_pair: bytes, call: Call) -> bytes:
        provoke = call.provoke
        if provoke.popdecc:
            return bodies.challenge()
        text = issued.modifications or ("modified on demand" if provoke.mods else "")
        status = GRANTED_WITH_MODS if text else ACCEPTED
        response = bodies.cert_response(
            wish.req_id + provoke.wrong_req_id, status if provoke.status is None else provoke.status, text=text,
            key_pair=key_pair if provoke.certificate else b"",
        )
        # A root in caPubs is only worth something under a shared secret (RFC 9810, 5.3.2).
        anchored = kind == "ip" and call.peer.mac and provoke.ca_pubs
        return bodies.cert_rep(kind, [response] * provoke.responses, [self._ca.root.der] if anchored else [])

    def _old(self, session: Session, call: Call, wish: request.Request) -> Certificate | None:
        """The certificate that a kur updates: that of oldCertID, the signer's without it (RFC 4211, 6.5)."""
        if call.original.kind != "kur":
            return None
        control = wish.controls.get(request.OLD_CERT_ID)
        if control is not None:
            value = decode(control, rfc4211.CertId())
            row = find_issued(session, self._state, encode(value["issuer"]), int(value["serialNumber"]))
        else:
            row = session.get(Certificate, call.peer.ours) if call.peer.ours else None
        if row is None:
            raise Refused("badCertId", "there is no oldCertID, and the signer's certificate is not from here")
        if not may_act_on(call.peer, row):
            raise Refused("notAuthorized", "the certificate of oldCertID belongs to somebody else")
        if row.status not in ("confirmed", "superseded"):
            raise Refused("certRevoked", f"the certificate of oldCertID is {row.status}")
        return row

    def confirm(self, session: Session, call: Call, transaction: Transaction) -> Reply:
        """certConf; repeated, it gets pkiConf again."""
        row = session.get(Certificate, transaction.serial) if transaction.serial else None
        if row is None:
            raise Refused("badRequest", "this transaction has no certificate to confirm")
        outcome = _CONFIRMATIONS[transaction.state, _accepted(call, transaction, row)]
        if isinstance(outcome, Refused):
            raise Refused(outcome.fail_info, outcome.text)
        if outcome == "confirmed":
            _require_free(session, call.peer, public_key_digest(row.load().public_key()))
        if outcome != transaction.state:
            settle(session, transaction, outcome)
        log.info("certConf from %s: certificate %s is %s", call.peer.name, row.serial, row.status)
        return Reply("pkiconf", bodies.confirmation())

    @staticmethod
    def give_up(session: Session, call: Call, transaction: Transaction) -> Reply:
        """error from the client ends its transaction; the certificate counts as rejected (RFC 9810, 5.3.21)."""
        transaction.pending = None
        if transaction.state == "waiting":
            settle(session, transaction, "rejected")
        log.info("error from %s: the client gave up", call.peer.name)
        return Reply("pkiconf", bodies.confirmation())


def _require_controls(wish: request.Request, profile: Profile) -> None:
    demanded = ((request.REG_TOKEN, profile.reg_token), (request.AUTHENTICATOR, profile.authenticator))
    for oid, value in demanded:
        if value and not hmac.compare_digest(wish.text(oid).encode(), value.encode()):
            raise Refused("notAuthorized", "the regToken or authenticator of this profile is missing or wrong")


def _details(wish: request.Request, profile: str) -> dict[str, Any]:
    """What came with a request and is kept for the operator; tokens are not."""
    details: dict[str, Any] = {"profile": profile, "regInfo": wish.text(request.UTF8_PAIRS)}
    if publication := wish.controls.get(request.PUBLICATION):
        value = decode(publication, rfc4211.PKIPublicationInfo())
        details["publication"] = ("dontPublish", "pleasePublish")[int(value["action"]) & 1]
    return {name: value for name, value in details.items() if value}


def _require_free(session: Session, peer: Peer, key: bytes) -> None:
    """A secret that has enrolled one key serves this key only, unless it was made reusable."""
    device = session.get(Device, peer.reference) if peer.mac else None
    if device and not device.reusable and device.enrolled_key not in (None, key):
        raise Refused("notAuthorized", "the secret of this reference has been used; it needs a new one")


def _accepted(call: Call, transaction: Transaction, row: Certificate) -> bool:
    """What the client says of the certificate; Refused when it speaks of another one."""
    statuses = call.original.content(CERT_CONFIRM)
    if not len(statuses):
        return False
    status = statuses[0]
    if len(statuses) != 1 or int(status["certReqId"]) != transaction.req_id:
        raise Refused("badRequest", "certConf does not hold exactly the certReqId of this transaction")
    if status["hashAlg"].hasValue():
        name = _DIGESTS.get(str(status["hashAlg"]["algorithm"]))
        if name is None or call.original.pvno != 3:
            raise Refused("badAlg", "hashAlg needs pvno 3 and SHA-256, SHA-384 or SHA-512")
    else:
        digest = row.load().signature_hash_algorithm
        name = digest.name if digest else "sha512"
    if bytes(status["certHash"]) != hashlib.new(name, row.der).digest():
        raise Refused("badCertId", "the certHash is not that of the certificate")
    info = status["statusInfo"]
    return not info.hasValue() or int(info["status"]) in (ACCEPTED, GRANTED_WITH_MODS)
