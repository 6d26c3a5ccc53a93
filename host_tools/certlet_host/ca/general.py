"""genm: what the lab CA tells about itself (RFC 9810, 5.3.19)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyasn1.type import useful
from pyasn1_alt_modules import rfc5280
from sqlalchemy.orm import Session

from . import cmp_bodies as bodies
from . import crl, der
from .cmp_codec import decode, encode, general_name, infos
from .cmp_reply import Call, Reply
from .cmp_schema import CRL_STATUSES, INFOS, explicit
from .credential import to_der
from .enrolment import Outcome
from .names import same_name
from .profiles import KEY_ALGORITHMS
from .state import State
from .status import Refused
from .tables import revoked

_ID_IT = "1.3.6.1.5.5.7.4."
_UNSUPPORTED = 7
_AES128_CBC = der.algorithm("2.16.840.1.101.3.4.1.2")
_SIGNATURES = der.sequence(
    der.algorithm("1.2.840.10045.4.3.2"), der.algorithm("1.2.840.10045.4.3.3"),
    der.algorithm("1.2.840.113549.1.1.11", der.NULL), der.algorithm("1.3.101.112"),
)


class General:
    """Answers general messages, one InfoTypeAndValue for each that is known."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._ca = state.authority
        # id-it number of the question: (id-it number of the answer, its value or None: nothing to tell)
        self._answers: dict[int, tuple[int, Callable[[Session, Call, bytes], bytes | None]]] = {
            2: (2, lambda *_: _SIGNATURES),
            3: (3, lambda *_: der.sequence(der.algorithm("1.2.840.113549.1.1.1", der.NULL), *KEY_ALGORITHMS.values())),
            4: (4, lambda *_: _AES128_CBC),
            5: (5, self._key_update),
            6: (6, self._current_crl),
            16: (16, lambda *_: der.sequence(der.utf8("en"))),
            17: (17, self._ca_certificates),
            19: (19, self._template),
            20: (18, self._root_update),
            22: (23, self._newer_crls),
        }

    def inform(self, session: Session, call: Call) -> Outcome:
        """genp; questions nobody knows come back in unsupportedOIDs, an empty genm asks for the plain algorithms."""
        asked = infos(call.original.content(INFOS)) or {_ID_IT + number: b"" for number in "2346"}
        told, unknown = [], []
        for oid, value in asked.items():
            prefix, _, number = oid.rpartition(".")
            answer = self._answers.get(int(number)) if prefix + "." == _ID_IT else None
            if answer is None:
                unknown.append(der.oid(oid))
            else:
                told.append(bodies.information(answer[0], answer[1](session, call, value)))
        if unknown:
            told.append(bodies.information(_UNSUPPORTED, der.sequence(*unknown)))
        if call.provoke.unknown_info:
            told.append(bodies.UNKNOWN_INFO)
        return Outcome(Reply("genp", bodies.general(told)))

    def _ca_certificates(self, *_: object) -> bytes:
        return der.sequence(*map(to_der, self._ca.issuing_certificates()), self._ca.root.der)

    def _template(self, _: Session, call: Call, _value: bytes) -> bytes | None:
        return self._state.profiles.find(call.original.profile, call.label).template()

    # CRLs

    def _crl(self, session: Session) -> x509.CertificateRevocationList:
        return crl.make(self._ca, *revoked(session))

    def _current_crl(self, session: Session, *_: object) -> bytes:
        return self._crl(session).public_bytes(serialization.Encoding.DER)

    def _newer_crls(self, session: Session, _: Call, value: bytes) -> bytes | None:
        """crls for a CRLStatus that names our CA, when the client's is older or missing."""
        found = self._crl(session)
        for status in decode(value, CRL_STATUSES):
            seen = _time(bytes(status["thisUpdate"])) if status["thisUpdate"].hasValue() else None
            if self._is_ours(bytes(status["source"])) and (seen is None or seen < found.last_update_utc):
                return der.sequence(found.public_bytes(serialization.Encoding.DER))
        return None

    def _is_ours(self, source: bytes) -> bool:
        """dpn [0]: any distribution point, as this CA has one CRL only; issuer [1]: the name of the issuing CA."""
        if source[0] == 0xA0:
            return True
        names = decode(source, explicit(1, rfc5280.GeneralNames()))
        ours = general_name(self._ca.issuing.subject)
        return any(same_name(encode(name), ours) for name in names)

    # The root's rollover

    def _key_update(self, _: Session, call: Call, _value: bytes) -> bytes | None:
        """CAKeyUpdAnnContent, the form of RFC 4210."""
        update = self._ca.update
        if update is None:
            return None
        return der.sequence(to_der(update.old_with_new), to_der(update.new_with_old), self._ca.root.der)

    def _root_update(self, _: Session, call: Call, value: bytes) -> bytes | None:
        """RootCaKeyUpdateContent for whoever holds the old root, or does not say which it holds."""
        update = self._ca.update
        if update is None or (value and value != to_der(update.old)):
            return None
        new, link = self._ca.root.der, to_der(update.new_with_old)
        match call.provoke.root_update:
            case "bad-new":
                new = _forged(self._ca.root.certificate)
            case "bad-link":
                link = _forged(self._ca.root.certificate)
            case "other-key":
                link = to_der(update.old)
            case "no-link":
                return der.sequence(new, der.explicit(1, to_der(update.old_with_new)))
        return der.sequence(new, der.explicit(0, link), der.explicit(1, to_der(update.old_with_new)))


def _forged(certificate: x509.Certificate) -> bytes:
    """The certificate with one bit of its signature wrong."""
    whole = to_der(certificate)
    return whole[:-1] + bytes((whole[-1] ^ 1,))


def _time(value: bytes) -> datetime:
    kind = useful.UTCTime() if value[:1] == b"\x17" else useful.GeneralizedTime()
    try:
        return decode(value, kind).asDateTime.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("badDataFormat", "thisUpdate of a CRLStatus cannot be read") from None
