"""PKIMessage: taking one apart, and writing its header (RFC 9810 section 5.1).

The CMP module has EXPLICIT tags; CRMF has IMPLICIT ones, except where the type is
a CHOICE (RFC 4211 app. B): subject [5] is explicit, publicKey [6] is not.
"""

from micropython import const

from .. import oid
from ..der import Reader, header
from ..errors import ProtocolError
from ..x509.validity import read_time, write_time
from .status import read_free_text

_CMP_VERSION = const(401)
_CMP_RESPONSE = const(413)
_CMP_EXTRA_CERTS = const(421)

# PKIBody, RFC 9810 5.1.2
IR = const(0)
IP = const(1)
CR = const(2)
CP = const(3)
P10CR = const(4)
KUR = const(7)
RR = const(11)
RP = const(12)
PKI_CONF = const(19)
GENM = const(21)
GENP = const(22)
ERROR = const(23)
CERT_CONF = const(24)
POLL_REQ = const(25)
POLL_REP = const(26)

_SEQUENCE = const(0x30)
_CONTEXT = const(0xA0)
_DIRECTORY_NAME = const(0xA4)
_PVNO_2 = const(2)
_PVNO_3 = const(3)
_MAX_INFOS = const(16)  # InfoTypeAndValue of one genp
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
            self.extra_certs = read_certificates(r)
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


def read_certificates(r):
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


def write_info(w, identifier, value):
    """Append InfoTypeAndValue, or AttributeTypeAndValue: SEQUENCE { whole OID, DER of the value unless None }."""
    m = w.open(_SEQUENCE)
    w.raw(identifier)
    if value is not None:
        w.raw(value)
    w.close(m)


def read_infos(content):
    """GenRepContent as a list of (whole OID, DER of the value or None), memoryviews, bounded; RFC 9810 5.3.20."""
    r = Reader(content)
    end = r.enter(_SEQUENCE)
    out = []
    while r.more():
        if len(out) == _MAX_INFOS:
            raise ProtocolError(_CMP_RESPONSE, len(out))
        inner = r.enter(_SEQUENCE)
        out.append((r.oid(), r.element() if r.more() else None))
        r.leave(inner)
    r.leave(end)
    return out


class Header:
    """What a PKIHeader is written from, RFC 9810 5.1.1; one a transaction, changed from message to message.

    sender, recipient: Names (DER); protection: writes its algorithm and knows the senderKID
    pvno; transaction_id, sender_nonce; recip_nonce: None in the first message; general_info: pairs for `write_info`
    """

    def __init__(self, recipient, transaction_id):
        self.recipient = recipient
        self.transaction_id = transaction_id
        self.pvno = _PVNO_2
        self.sender_nonce = self.recip_nonce = None
        self.general_info = ()

    def write(self, w, protection, now):
        """Append the header; `now` in seconds since 1970, None leaves messageTime out."""
        m = w.open(_SEQUENCE)
        w.integer(self.pvno)
        w.tlv(_DIRECTORY_NAME, protection.sender)
        w.tlv(_DIRECTORY_NAME, self.recipient)
        if now is not None:
            a = w.open(_CONTEXT)
            write_time(w, now, True)
            w.close(a)
        a = w.open(_CONTEXT | 1)
        protection.write_algorithm(w)
        w.close(a)
        for i, octets in (
            (2, protection.sender_kid),
            (4, self.transaction_id),
            (5, self.sender_nonce),
            (6, self.recip_nonce),
        ):
            if octets is not None:
                a = w.open(_CONTEXT | i)
                w.octets(octets)
                w.close(a)
        if self.general_info:
            a = w.open(_CONTEXT | 8)
            b = w.open(_SEQUENCE)
            for info in self.general_info:
                write_info(w, *info)
            w.close(b)
            w.close(a)
        w.close(m)
