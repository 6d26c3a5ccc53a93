"""What a CA answers: the bodies of ip, cp, kup, rp, pollRep and error (RFC 9810 section 5.3), and certConf."""

from micropython import const

from ..der import Reader
from ..errors import ProtocolError
from .msg import read_certificates
from .status import read_free_text, read_status, write_status

_CMP_RESPONSE = const(413)
_CMP_ENCRYPTED = const(419)

_SEQUENCE = const(0x30)
_INTEGER = const(0x02)
_OCTET_STRING = const(0x04)
_CONTEXT = const(0xA0)


class CertResponse:
    """The one CertResponse of a CertRepMessage, RFC 9810 5.3.4.

    cert_req_id, status, fail_info, text
    certificate: DER memoryview or None
    encrypted: EnvelopedData around the certificate, with the tag [0], or None
    private_key: EnvelopedData around the private key that the CA made, likewise, or None
    ca_pubs: list of DER memoryviews
    """

    def __init__(self, content):
        """Take the body of ip, cp or kup apart; ProtocolError unless it holds exactly one response."""
        self.certificate = self.encrypted = self.private_key = None
        self.ca_pubs = []
        r = Reader(content)
        end = r.enter(_SEQUENCE)
        if r.peek() == _CONTEXT | 1:
            outer = r.enter(_CONTEXT | 1)
            self.ca_pubs = read_certificates(r)
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
        if r.peek() == _SEQUENCE:
            self._read_pair(r)
        if r.peek() == _OCTET_STRING:
            r.octets()
        r.leave(end)

    def _read_pair(self, r):
        """CertifiedKeyPair ::= SEQUENCE { certOrEncCert CHOICE { certificate [0], encryptedCert [1] },
        privateKey [0] EncryptedKey OPTIONAL, publicationInfo [1] OPTIONAL }
        """
        pair = r.enter(_SEQUENCE)
        if r.peek() == _CONTEXT:
            outer = r.enter(_CONTEXT)
            self.certificate = r.element(_SEQUENCE)
        else:
            outer = r.enter(_CONTEXT | 1)
            self.encrypted = _read_encrypted_key(r)
        r.leave(outer)
        if r.peek() == _CONTEXT:
            outer = r.enter(_CONTEXT)
            self.private_key = _read_encrypted_key(r)
            r.leave(outer)
        r.skip_rest()  # publicationInfo
        r.leave(pair)


def _read_encrypted_key(r):
    """EncryptedKey ::= CHOICE { encryptedValue EncryptedValue, envelopedData [0] EnvelopedData }

    EncryptedValue, deprecated by RFC 9810 5.2.2, is refused: ProtocolError CMP_ENCRYPTED.
    """
    if r.peek() != _CONTEXT:
        raise ProtocolError(_CMP_ENCRYPTED)
    return r.element(_CONTEXT)


def write_cert_conf(w, cert_req_id, cert_hash, status=0, fail_info=0):
    """Append CertConfirmContent; a statusInfo only for other than accepted, RFC 9810 5.3.18."""
    m = w.open(_SEQUENCE)
    a = w.open(_SEQUENCE)
    w.octets(cert_hash)
    w.integer(cert_req_id)
    if status:
        write_status(w, status, fail_info)
    w.close(a)
    w.close(m)


def write_poll_request(w, cert_req_id):
    """PollReqContent ::= SEQUENCE OF SEQUENCE { certReqId INTEGER }   RFC 9810 5.3.22"""
    m = w.open(_SEQUENCE)
    a = w.open(_SEQUENCE)
    w.integer(cert_req_id)
    w.close(a)
    w.close(m)


def read_poll_response(content):
    """(certReqId, checkAfter in seconds, text) of a PollRepContent with one entry, RFC 9810 5.3.22."""
    r = Reader(content)
    end = r.enter(_SEQUENCE)
    inner = r.enter(_SEQUENCE)
    cert_req_id = r.integer()
    check_after = r.integer()
    text = read_free_text(r) if r.peek() == _SEQUENCE else ""
    r.leave(inner)
    r.leave(end)
    return cert_req_id, check_after, text


def read_revocation(content):
    """(status, failInfo, text) of a RevRepContent with one status, RFC 9810 5.3.10; revCerts and crls are hints.

    RevRepContent ::= SEQUENCE { status SEQUENCE OF PKIStatusInfo, revCerts [0] OPTIONAL, crls [1] OPTIONAL }
    """
    r = Reader(content)
    end = r.enter(_SEQUENCE)
    outer = r.enter(_SEQUENCE)
    found = read_status(r)
    r.leave(outer)
    r.skip_rest()
    r.leave(end)
    return found


def write_error(w, fail_info, text):
    """Append an ErrorMsgContent with status rejection, RFC 9810 5.3.21."""
    m = w.open(_SEQUENCE)
    write_status(w, 2, fail_info, text)
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
