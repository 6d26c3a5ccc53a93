"""What an end entity asks for: the bodies of ir, cr, kur, p10cr, rr and genm (RFC 9810 section 5.3, RFC 4211).

An operation is a plain record with

  body, reply      numbers of the PKIBody sent and of the one that is due
  cert_req_id      certReqId of the response
  pvno             2, or 3 where the request or its reply needs EnvelopedData (RFC 9810 section 7)
  general_info     pairs (whole OID, DER of the value or None) for the header
  implicit_confirm whether to ask for it
  write(w, crypto, now), spki()
"""

from micropython import const

from .. import oid
from ..der import Writer
from ..errors import ConfigError
from ..x509 import algorithm
from ..x509.name import write_name
from ..x509.request import write_extensions
from ..x509.validity import write_time
from . import msg

_CMP_SUBJECT = const(420)
_CMP_POPO = const(422)

_SEQUENCE = const(0x30)
_CONTEXT = const(0xA0)
_DIRECTORY_NAME = const(0xA4)
_ENUMERATED = const(0x0A)

# ProofOfPossession, RFC 4211 section 4. POPOPrivKey is a CHOICE, so its tag is explicit; encrCert is number 0.
_POPO = (
    ("raVerified", b"\x80\x00"),
    ("keyEncipherment", b"\xa2\x03\x81\x01\x00"),
    ("keyAgreement", b"\xa3\x03\x81\x01\x00"),
)


class CertificateRequest:
    """ir, cr or kur for one certificate.

    body: msg.IR, msg.CR or msg.KUR
    key: the Key to be certified; None: the CA makes it, of the kind `key_alg` or of its own choice when that is None
    subject: pairs for `x509.name.write_name`, or a Name (DER)
    san, key_usage, extended, extensions: see `x509.request.write_extensions`
    days: wished validity or None
    old: Certificate to be updated, for kur: becomes the control oldCertID
    controls, reg_info: pairs (whole OID, DER of the value), RFC 4211 sections 6 and 7
    profile: name of a certificate profile or None; general_info: more pairs for the header
    popo: "signature", "raVerified", "keyEncipherment" or "keyAgreement"
    """

    cert_req_id = 0

    def __init__(
        self, body, key, subject, san=(), key_usage=0, extended=(), extensions=(), days=None, old=None, controls=(),
        reg_info=(), profile=None, general_info=(), popo="signature", implicit_confirm=False, key_alg=None,
    ):  # fmt: skip
        if old is not None:
            subject = subject or old.subject
            controls = tuple(controls) + ((oid.OLD_CERT_ID, _cert_id(old)),)
        if not subject:
            raise ConfigError(_CMP_SUBJECT)
        if popo != "signature" and popo not in [name for name, _ in _POPO]:
            raise ConfigError(_CMP_POPO)
        self.body = body
        self.reply = body + 1
        self.key = key
        self.key_alg = key_alg
        self.subject = subject
        self.extensions = (san, key_usage, extended, False, extensions)
        self.days = days
        self.controls = controls
        self.reg_info = reg_info
        self.general_info = _with_profile(profile, general_info)
        self.popo = popo
        self.implicit_confirm = implicit_confirm
        self.pvno = 3 if key is None or popo in ("keyEncipherment", "keyAgreement") else 2

    def spki(self):
        """The SubjectPublicKeyInfo that the certificate must hold; None when the CA makes the key."""
        return None if self.key is None else _spki(self.key)

    def write(self, w, crypto, now):
        """Append CertReqMessages with one CertReqMsg; `now` None leaves the validity out.

        CertReqMsg ::= SEQUENCE { certReq CertRequest, popo ProofOfPossession OPTIONAL, regInfo OPTIONAL }
        """
        messages = w.open(_SEQUENCE)
        message = w.open(_SEQUENCE)
        start = w.n
        m = w.open(_SEQUENCE)
        w.integer(self.cert_req_id)
        self._write_template(w, now)
        _write_pairs(w, self.controls)
        w.close(m)
        if self.key is not None:
            self._write_popo(w, crypto, start)
        _write_pairs(w, self.reg_info)
        w.close(message)
        w.close(messages)

    def _write_popo(self, w, crypto, start):
        """The signature covers the DER of certReq, for the template holds subject and key (RFC 4211 4.1)."""
        for name, der in _POPO:
            if name == self.popo:
                w.raw(der)
                return
        signature = algorithm.sign(crypto, self.key, w.view(start))
        m = w.open(_CONTEXT | 1)
        algorithm.write_signature_algorithm(w, self.key)
        w.bits(signature)
        w.close(m)

    def _write_template(self, w, now):
        """CertTemplate with validity [4], subject [5], publicKey [6], extensions [9], RFC 4211 section 5."""
        m = w.open(_SEQUENCE)
        if self.days and now is not None:
            a = w.open(_CONTEXT | 4)
            for i, moment in ((0, now), (1, now + self.days * 86400)):
                b = w.open(_CONTEXT | i)
                write_time(w, moment)
                w.close(b)
            w.close(a)
        a = w.open(_CONTEXT | 5)
        _write_subject(w, self.subject)
        w.close(a)
        if self.key is not None:
            algorithm.write_spki(w, self.key, _CONTEXT | 6)
        elif self.key_alg:
            algorithm.write_empty_spki(w, self.key_alg, _CONTEXT | 6)
        write_extensions(w, *self.extensions, tag=_CONTEXT | 9)
        w.close(m)


class Pkcs10Request:
    """p10cr: `der` is a whole CertificationRequest (RFC 2986), `key` the Key in it."""

    body = msg.P10CR
    reply = msg.CP
    cert_req_id = -1  # RFC 9810 5.3.4
    pvno = 2

    def __init__(self, der, key, profile=None, general_info=(), implicit_confirm=False):
        self.der = der
        self.key = key
        self.general_info = _with_profile(profile, general_info)
        self.implicit_confirm = implicit_confirm

    def spki(self):
        """The SubjectPublicKeyInfo that the certificate must hold."""
        return _spki(self.key)

    def write(self, w, crypto, now):
        """Append the CertificationRequest."""
        w.raw(self.der)


class Revocation:
    """rr for one certificate: `issuer` Name (DER), `serial` INTEGER content octets, `reason` CRLReason or None."""

    body = msg.RR
    reply = msg.RP
    cert_req_id = -1
    pvno = 2
    implicit_confirm = False
    general_info = ()

    def __init__(self, issuer, serial, reason=None):
        self.issuer = issuer
        self.serial = serial
        self.reason = reason

    def write(self, w, crypto, now):
        """RevDetails ::= SEQUENCE { certDetails CertTemplate, crlEntryDetails Extensions OPTIONAL }   RFC 9810 5.3.9"""
        contents = w.open(_SEQUENCE)
        details = w.open(_SEQUENCE)
        template = w.open(_SEQUENCE)
        w.tlv(0x81, self.serial)
        a = w.open(_CONTEXT | 3)
        w.raw(self.issuer)
        w.close(a)
        w.close(template)
        if self.reason is not None:
            v = Writer(8)
            v.integer(self.reason, _ENUMERATED)
            write_extensions(w, custom=((oid.CE_REASON_CODE, False, v.bytes()),))
        w.close(details)
        w.close(contents)


class GeneralRequest:
    """genm with InfoTypeAndValue `items`: pairs (whole OID, DER of the value or None), RFC 9810 5.3.19."""

    body = msg.GENM
    reply = msg.GENP
    cert_req_id = -1
    pvno = 2
    implicit_confirm = False

    def __init__(self, items, profile=None):
        self.items = items
        self.general_info = _with_profile(profile, ())

    def write(self, w, crypto, now):
        """Append GenMsgContent."""
        m = w.open(_SEQUENCE)
        for item in self.items:
            msg.write_info(w, *item)
        w.close(m)


class Resumed:
    """An operation whose request has left already: no more than its replies are judged by."""

    general_info = ()

    def __init__(self, body, key, implicit_confirm, pvno):
        self.body = body
        self.reply = msg.CP if body == msg.P10CR else body + 1
        self.cert_req_id = 0 if body in (msg.IR, msg.CR, msg.KUR) else -1
        self.key = key
        self.implicit_confirm = implicit_confirm
        self.pvno = pvno


def _spki(key):
    w = Writer(128)
    algorithm.write_spki(w, key)
    return w.bytes()


def _write_subject(w, subject):
    if isinstance(subject, (bytes, memoryview)):
        w.raw(subject)
    else:
        write_name(w, subject)


def _write_pairs(w, pairs):
    """Controls and regInfo: SEQUENCE SIZE (1..MAX) OF AttributeTypeAndValue; nothing for none."""
    if pairs:
        m = w.open(_SEQUENCE)
        for pair in pairs:
            msg.write_info(w, *pair)
        w.close(m)


def _cert_id(certificate):
    """CertId ::= SEQUENCE { issuer GeneralName, serialNumber INTEGER }, octets as in the certificate."""
    w = Writer(128)
    m = w.open(_SEQUENCE)
    w.tlv(_DIRECTORY_NAME, certificate.issuer)
    w.tlv(0x02, certificate.serial)
    w.close(m)
    return w.bytes()


def _with_profile(profile, general_info):
    """CertProfileValue ::= SEQUENCE SIZE (1..MAX) OF UTF8String   RFC 9810 5.1.1.4"""
    if not profile:
        return general_info
    w = Writer(64)
    m = w.open(_SEQUENCE)
    w.utf8(profile)
    w.close(m)
    return tuple(general_info) + ((oid.IT_CERT_PROFILE, w.bytes()),)


def text_control(identifier, text):
    """A pair for `controls` or `reg_info` whose value is a UTF8String: regToken, authenticator, utf8Pairs."""
    w = Writer(64)
    w.utf8(text)
    return identifier, w.bytes()
