"""rr: revocation on request of the certificate's owner (RFC 9810, 5.3.9)."""

from __future__ import annotations

import logging

from pyasn1.type import univ
from pyasn1_alt_modules import rfc4211
from sqlalchemy.orm import Session

from . import cmp_bodies as bodies
from . import der
from .cmp_codec import decode, encode, general_name
from .cmp_reply import Call, Reply
from .cmp_schema import REVOCATION_REQUEST
from .crl import REASONS
from .enrolment import Outcome, find_issued, may_act_on
from .state import State
from .status import ACCEPTED, REJECTION, Refused
from .tables import Certificate

log = logging.getLogger("certlet.ca")

_REASON_CODE = "2.5.29.21"
_HOLD, _REMOVE = "certificateHold", "removeFromCRL"


class Revocation:
    """Revokes certificates."""

    def __init__(self, state: State) -> None:
        self._state = state

    def revoke(self, session: Session, call: Call) -> Outcome:
        """rr with one certificate, named by issuer and serialNumber; refusals come as rp with status rejection."""
        try:
            row = self._revoked(session, call)
        except Refused as fault:
            log.info("rr from %s: refused, %s", call.peer.name, fault)
            return Outcome(Reply("rp", bodies.revocation(REJECTION, fault.fail_info, fault.text)), "refused")
        log.info("rr from %s: certificate %s is %s", call.peer.name, row.serial, row.status)
        issuer = general_name(self._state.authority.issuing.subject)
        cert_id = der.sequence(issuer, der.integer(int(row.serial, 16)))
        status = ACCEPTED if call.provoke.status is None else call.provoke.status
        return Outcome(Reply("rp", bodies.revocation(status, cert_id=cert_id)))

    def _revoked(self, session: Session, call: Call) -> Certificate:
        requests = call.original.content(REVOCATION_REQUEST)
        if len(requests) != 1:
            raise Refused("badRequest", "exactly one certificate a message can be revoked")
        template = decode(bytes(requests[0]["certDetails"]), rfc4211.CertTemplate())
        if not template["issuer"].hasValue() or not template["serialNumber"].hasValue():
            raise Refused("addInfoNotAvailable", "certDetails lacks the issuer or the serialNumber")
        issuer = general_name(der.retag(0x30, encode(template["issuer"]["rdnSequence"])))
        row = find_issued(session, self._state, issuer, int(template["serialNumber"]))
        if not may_act_on(call.peer, row):
            raise Refused("notAuthorized", "this certificate belongs to somebody else")
        if call.provoke.reject:
            raise Refused(*call.provoke.reject)
        _change(row, _reason(requests[0]["crlEntryDetails"]))
        return row


def _reason(details: univ.SequenceOf) -> str:
    """The CRLReason among the crlEntryDetails, empty without one."""
    entries = details if details.hasValue() else ()
    values = [bytes(item["extnValue"]) for item in entries if str(item["extnID"]) == _REASON_CODE]
    if not values:
        return ""
    number = int(decode(values[0], univ.Enumerated()))
    if number not in REASONS:
        raise Refused("badRequest", "the CRLReason is none")
    return str(REASONS[number].value)


def _change(row: Certificate, reason: str) -> None:
    held = row.status == "revoked" and row.reason == _HOLD
    if reason == _REMOVE:
        if not held:
            raise Refused("badRequest", "only a certificate on hold can be removed from the CRL")
        row.become("confirmed")
    elif row.status == "revoked" and not held:
        raise Refused("certRevoked", "the certificate is revoked already")
    else:
        row.become("revoked", reason)
