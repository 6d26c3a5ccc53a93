"""PKIMessage: header and bodies, both ways (RFC 9810 section 5, CRMF of RFC 4211).

The CMP module has EXPLICIT tags; CRMF has IMPLICIT ones, except where the type is
a CHOICE (RFC 4211 app. B): subject [5] is explicit, publicKey [6] is not.
"""

from micropython import const

from .. import oid
from ..der import Reader, header
from ..errors import ProtocolError
from ..x509 import algorithm
from ..x509.name import write_name
from ..x509.request import write_extensions
from ..x509.validity import read_time, write_time
from .status import read_free_text, read_status, write_status

_CMP_VERSION = const(401)
_CMP_RESPONSE = const(413)
_CMP_ENCRYPTED = const(419)
_CMP_EXTRA_CERTS = const(421)

# PKIBody, RFC 9810 5.1.2
IR = const(0)
IP = const(1)
CR = const(2)
CP = const(3)
PKI_CONF = const(19)
ERROR = const(23)
CERT_CONF = const(24)

_SEQUENCE = const(0x30)
_INTEGER = const(0x02)
_OCTET_STRING = const(0x04)
_CONTEXT = const(0xA0)
_DIRECTORY_NAME = const(0xA4)
_PVNO_2 = const(2)
_PVNO_3 = const(3)
_MAX_CERTIFICATES = const(10)  # of extraCerts, and of caPubs: OpenSSL warns above 10


class Message:
    """A received PKIMessage: slices of its DER. Nothing in it is to be believed before its protection is checked.

    sender: Name (DER) or None; message_time: seconds since 1970 or None
    protection_alg, sender_kid, transaction_id, sender_nonce, recip_nonce, protection: memoryviews or None
    implicit_confirm: bool; body: number of the PKIBody; content: the body's DER
    protected: (header of a SEQUENCE, octets of header and body), what the protection covers
    extra_certs: list of DER memoryviews
    """

    def __init__(self, data):
        """Take a whole message apart; ProtocolError when it is not well-formed."""
        r = Reader(data)
        end = r.enter(_SEQUENCE)
        start = r.pos
        self.message_time = self.protection_alg = self.sender_kid = None
        self.transaction_id = self.sender_nonce = self.recip_nonce = self.protection = None
        self.implicit_confirm = False
        self._read_header(r)
        self.body = r.peek() & 0x1F
        outer = r.enter(_CONTEXT | self.body)
        self.content = r.element()
        r.leave(outer)
        part = r.mv[start : r.pos]
        self.protected = (header(_SEQUENCE, len(part)), part)
        if r.peek() == _CONTEXT:
            outer = r.enter(_CONTEXT)
            self.protection = r.bits()
            r.leave(outer)
        self.extra_certs = []
        if r.more():
            outer = r.enter(_CONTEXT | 1)
            self.extra_certs = _read_certificates(r)
            r.leave(outer)
        r.leave(end)
        r.finish()

    def _read_header(self, r):
        """PKIHeader, RFC 9810 5.1.1: pvno, sender, recipient, then optional fields [0] to [8] in this order."""
        end = r.enter(_SEQUENCE)
        pvno = r.integer()
        if pvno not in (_PVNO_2, _PVNO_3):
            raise ProtocolError(_CMP_VERSION, pvno)
        self.sender = r.tlv(_DIRECTORY_NAME) if r.peek() == _DIRECTORY_NAME else r.element() and None
        r.element()  # recipient: whoever it names, the nonces tell that the message is ours
        for i, read in enumerate(_HEADER_FIELDS):
            if r.peek() == _CONTEXT | i:
                outer = r.enter(_CONTEXT | i)
                read(self, r)
                r.leave(outer)
        r.leave(end)

    def _read_message_time(self, r):
        self.message_time = read_time(r, True)

    def _read_protection_alg(self, r):
        self.protection_alg = r.element(_SEQUENCE)

    def _read_sender_kid(self, r):
        self.sender_kid = r.octets()

    def _read_recip_kid(self, r):
        r.octets()

    def _read_transaction_id(self, r):
        self.transaction_id = r.octets()

    def _read_sender_nonce(self, r):
        self.sender_nonce = r.octets()

    def _read_recip_nonce(self, r):
        self.recip_nonce = r.octets()

    def _read_free_text(self, r):
        read_free_text(r)

    def _read_general_info(self, r):
        """generalInfo: SEQUENCE OF InfoTypeAndValue; what we do not know is passed over."""
        end = r.enter(_SEQUENCE)
        while r.more():
            inner = r.enter(_SEQUENCE)
            if r.oid() == oid.IT_IMPLICIT_CONFIRM:
                self.implicit_confirm = True
            r.skip_rest()
            r.leave(inner)
        r.leave(end)


_HEADER_FIELDS = (
    Message._read_message_time,
    Message._read_protection_alg,
    Message._read_sender_kid,
    Message._read_recip_kid,
    Message._read_transaction_id,
    Message._read_sender_nonce,
    Message._read_recip_nonce,
    Message._read_free_text,
    Message._read_general_info,
)


def _read_certificates(r):
    """SEQUENCE OF CMPCertificate as a list of DER memoryviews, bounded."""
    end = r.enter(_SEQUENCE)
    out = []
    while r.more():
        if len(out) == _MAX_CERTIFICATES:
            raise ProtocolError(_CMP_EXTRA_CERTS)
        out.append(r.element())
    r.leave(end)
    return out


def peek_body(data):
    """The number of the PKIBody in what should be a PKIMessage, or None; nothing of it is checked."""
    try:
        r = Reader(data)
        r.enter(_SEQUENCE)
        r.element(_SEQUENCE)
        return r.peek() & 0x1F if r.more() else None
    except ProtocolError:
        return None


def write_header(w, sender, recipient, protection, transaction_id, sender_nonce, recip_nonce, now, implicit_confirm):
    """Append a PKIHeader, RFC 9810 5.1.1.

    `sender` and `recipient` are Names (DER), `protection` writes its algorithm and knows the senderKID, `now` is
    seconds since 1970 or None to leave messageTime out, `recip_nonce` None in the first message.
    """
    m = w.open(_SEQUENCE)
    w.integer(_PVNO_2)
    w.tlv(_DIRECTORY_NAME, sender)
    w.tlv(_DIRECTORY_NAME, recipient)
    if now is not None:
        a = w.open(_CONTEXT)
        write_time(w, now, True)
        w.close(a)
    a = w.open(_CONTEXT | 1)
    protection.write_algorithm(w)
    w.close(a)
    for i, octets in ((2, protection.sender_kid), (4, transaction_id), (5, sender_nonce), (6, recip_nonce)):
        if octets is not None:
            a = w.open(_CONTEXT | i)
            w.octets(octets)
            w.close(a)
    if implicit_confirm:
        a = w.open(_CONTEXT | 8)
        b = w.open(_SEQUENCE)
        c = w.open(_SEQUENCE)
        w.raw(oid.IT_IMPLICIT_CONFIRM)
        w.null()
        w.close(c)
        w.close(b)
        w.close(a)
    w.close(m)


def write_certificate_request(w, crypto, request, now):
    """Append CertReqMessages with one CertReqMsg: certReqId 0, template, proof of possession by signature.

    CertReqMsg ::= SEQUENCE { certReq CertRequest, popo ProofOfPossession OPTIONAL, ... }   RFC 4211 section 3
    The signature covers the DER of certReq, for the template holds subject and key (RFC 4211 4.1).
    """
    messages = w.open(_SEQUENCE)
    message = w.open(_SEQUENCE)
    start = w.n
    m = w.open(_SEQUENCE)
    w.integer(0)
    _write_template(w, request, now)
    w.close(m)
    signature = algorithm.sign(crypto, request.key, w.view(start))
    popo = w.open(_CONTEXT | 1)
    algorithm.write_signature_algorithm(w, request.key)
    w.bits(signature)
    w.close(popo)
    w.close(message)
    w.close(messages)


def _write_template(w, request, now):
    """CertTemplate with validity [4], subject [5], publicKey [6], extensions [9], RFC 4211 section 5."""
    m = w.open(_SEQUENCE)
    if request.days and now is not None:
        a = w.open(_CONTEXT | 4)
        for i, moment in ((0, now), (1, now + request.days * 86400)):
            b = w.open(_CONTEXT | i)
            write_time(w, moment)
            w.close(b)
        w.close(a)
    a = w.open(_CONTEXT | 5)
    write_name(w, request.subject)
    w.close(a)
    algorithm.write_spki(w, request.key, _CONTEXT | 6)
    write_extensions(w, request.san, request.key_usage, request.extended, tag=_CONTEXT | 9)
    w.close(m)


class CertResponse:
    """The one CertResponse of a CertRepMessage, RFC 9810 5.3.4.

    cert_req_id, status, fail_info, text; certificate: DER memoryview or None; ca_pubs: list of DER memoryviews
    """

    def __init__(self, content):
        """Take the body of ip, cp or kup apart; ProtocolError unless it holds exactly one response."""
        r = Reader(content)
        end = r.enter(_SEQUENCE)
        self.ca_pubs = []
        if r.peek() == _CONTEXT | 1:
            outer = r.enter(_CONTEXT | 1)
            self.ca_pubs = _read_certificates(r)
            r.leave(outer)
        responses = r.enter(_SEQUENCE)
        if not r.more():
            raise ProtocolError(_CMP_RESPONSE)
        self._read(r)
        if r.more():
            raise ProtocolError(_CMP_RESPONSE)
        r.leave(responses)
        r.leave(end)

    def _read(self, r):
        """CertResponse ::= SEQUENCE { certReqId, status, certifiedKeyPair OPTIONAL, rspInfo OPTIONAL }"""
        end = r.enter(_SEQUENCE)
        self.cert_req_id = r.integer()
        self.status, self.fail_info, self.text = read_status(r)
        self.certificate = None
        if r.peek() == _SEQUENCE:
            pair = r.enter(_SEQUENCE)
            if r.peek() != _CONTEXT:
                raise ProtocolError(_CMP_ENCRYPTED)
            outer = r.enter(_CONTEXT)
            self.certificate = r.element(_SEQUENCE)
            r.leave(outer)
            r.skip_rest()  # privateKey, publicationInfo
            r.leave(pair)
        if r.peek() == _OCTET_STRING:
            r.octets()
        r.leave(end)


def write_cert_conf(w, cert_hash, status=0, fail_info=0):
    """Append CertConfirmContent for certReqId 0; a statusInfo only for other than accepted, RFC 9810 5.3.18."""
    m = w.open(_SEQUENCE)
    a = w.open(_SEQUENCE)
    w.octets(cert_hash)
    w.integer(0)
    if status:
        write_status(w, status, fail_info)
    w.close(a)
    w.close(m)


def read_error(content):
    """(status, failInfo, text, errorCode or None) of an ErrorMsgContent, RFC 9810 5.3.21."""
    r = Reader(content)
    end = r.enter(_SEQUENCE)
    status, fail_info, text = read_status(r)
    code = r.integer() if r.peek() == _INTEGER else None
    if r.peek() == _SEQUENCE:
        details = read_free_text(r)
        text = text + "; " + details if text and details else text or details
    r.leave(end)
    return status, fail_info, text, code
