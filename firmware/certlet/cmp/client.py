"""One CMP transaction of an end entity, sans IO: bytes and a clock reading in, bytes out.

    state       event                                  next state
    IDLE        send() -> ir or cr                     SENT
    SENT        ip or cp, implicitly confirmed         DONE
    SENT        ip or cp                               CONFIRM
    CONFIRM     send() -> certConf                     CONFIRMING
    CONFIRMING  pkiConf                                DONE, or FAILED if we refused the certificate
    any         error, rejection, untrusted reply      FAILED

Whoever drives it saves the certificate while the state is CONFIRM: a confirmed
certificate that is lost is worse than an unconfirmed one.
"""

from micropython import const

from ..der import Writer
from ..errors import ConfigError, Error, ProtocolError, Rejected, Untrusted
from ..x509 import algorithm
from ..x509.certificate import Certificate
from ..x509.chain import check_chain, read_certificates
from . import msg, status
from .protect import Mac, Verifier

_CMP_BODY = const(402)
_CMP_TRANSACTION = const(403)
_CMP_NONCE = const(404)
_CMP_RESPONSE = const(413)
_CMP_KEY = const(414)
_CMP_REJECTED = const(415)
_CMP_ERROR = const(416)
_CMP_WAITING = const(417)
_CMP_STATE = const(418)
_CMP_SUBJECT = const(420)

IDLE = const(0)
SENT = const(1)
CONFIRM = const(2)
CONFIRMING = const(3)
DONE = const(4)
FAILED = const(5)

_SEQUENCE = const(0x30)
_CONTEXT = const(0xA0)
_NONCE = const(16)  # octets of transactionID and nonces, RFC 9810 5.1.1
_NULL_DN = b"\x30\x00"


class CertificateRequest:
    """What is asked of the CA: a plain record.

    body: msg.IR or msg.CR; key: the Key to be certified; subject: pairs for `x509.name.write_name`
    san: pairs for `write_general_names`; key_usage: bit mask; extended: EKU OIDs; days: wished validity or None
    implicit_confirm: ask to go without certConf
    """

    def __init__(self, body, key, subject, san=(), key_usage=0, extended=(), days=None, implicit_confirm=False):
        if not subject:
            raise ConfigError(_CMP_SUBJECT)
        self.body = body
        self.key = key
        self.subject = subject
        self.san = san
        self.key_usage = key_usage
        self.extended = extended
        self.days = days
        self.implicit_confirm = implicit_confirm


class Transaction:
    """`send(now)` gives the octets of the next request, `receive(octets, now)` takes its reply, until `state` is DONE.

    After DONE: certificate (DER), chain (DER of the CA certificates up to the anchor), anchors (DER of what became
    trusted under the MAC, else empty), status (PKIStatus), confirmed implicitly or not: implicit.
    """

    def __init__(self, crypto, protection, request, anchors=(), recipient=None, on_check=None):
        """`protection` a Mac or Signer, `anchors` DER certificates, `recipient` a Name (DER) or None.

        `on_check(token)` is called after every check that a reply has passed.
        """
        self.crypto = crypto
        self.protection = protection
        self.request = request
        self.recipient = recipient or _NULL_DN
        self.on_check = on_check or _ignore
        self.pinned = [Certificate(der) for der in anchors]
        self.verifier = Verifier(crypto, protection if isinstance(protection, Mac) else None, self.pinned)
        self.state = IDLE
        self.transaction_id = crypto.random(_NONCE)
        self.nonce = self.peer_nonce = None
        self.certificate = self.failure = None
        self.chain = self.anchors = ()
        self.status = self.fail_info = 0
        self.text = ""
        self.implicit = False

    def send(self, now):
        """The next message to send as (number of its body, DER), or None when nothing is due.

        `now` in seconds since 1970, None while the clock is not set: messageTime and validity are left out then.
        """
        if self.state == IDLE:
            body = self.request.body
            data = self._message(body, now, self._write_request)
            self.state = SENT
        elif self.state == CONFIRM:
            body = msg.CERT_CONF
            data = self._message(body, now, self._write_cert_conf)
            self.state = CONFIRMING
        else:
            return None
        return body, data

    def _write_request(self, w, now):
        msg.write_certificate_request(w, self.crypto, self.request, now)

    def _write_cert_conf(self, w, now):
        """certHash by the digest of the certificate's own signature, RFC 9810 5.3.18."""
        digest, _ = algorithm.signature_digest(self._leaf.signature_algorithm)
        cert_hash = self.crypto.digest(digest, self._leaf.der)
        if self.failure:
            msg.write_cert_conf(w, cert_hash, status.REJECTION, status.INCORRECT_DATA)
        else:
            msg.write_cert_conf(w, cert_hash)

    def _message(self, body, now, write_body):
        """PKIMessage ::= SEQUENCE { header, body, protection [0], extraCerts [1] OPTIONAL }   RFC 9810 5.1"""
        w = Writer(768)
        m = w.open(_SEQUENCE)
        start = w.n
        self.nonce = self.crypto.random(_NONCE)
        implicit = body == self.request.body and self.request.implicit_confirm
        msg.write_header(
            w, self.protection.sender, self.recipient, self.protection, self.transaction_id, self.nonce,
            self.peer_nonce, now, implicit,
        )  # fmt: skip
        a = w.open(_CONTEXT | body)
        write_body(w, now)
        w.close(a)
        part = w.view(start)
        protection = self.protection.protect(msg.header(_SEQUENCE, len(part)), part)
        a = w.open(_CONTEXT)
        w.bits(protection)
        w.close(a)
        if self.protection.extra_certs:
            a = w.open(_CONTEXT | 1)
            b = w.open(_SEQUENCE)
            for der in self.protection.extra_certs:
                w.raw(der)
            w.close(b)
            w.close(a)
        w.close(m)
        return w.bytes()

    def receive(self, data, now):
        """Take one whole reply; returns the number of its body. `now` in seconds since 1970.

        Raises ProtocolError, Untrusted, Unsupported or Rejected, and the state is FAILED then. A certificate that
        we refuse raises only after the CA was told so: send() and receive() as ever.
        """
        if self.state not in (SENT, CONFIRMING):
            raise ConfigError(_CMP_STATE, self.state)
        try:
            message = msg.Message(data)
            self._authenticate(message, now)
            if message.body == msg.ERROR:
                status_, fail_info, text, _ = msg.read_error(message.content)
                raise Rejected(_CMP_ERROR, status_, fail_info, text)
            if self.state == SENT and message.body == self.request.body + 1:
                self._receive_response(message, now)
            elif self.state == CONFIRMING and message.body == msg.PKI_CONF:
                self._receive_confirmation()
            else:
                raise ProtocolError(_CMP_BODY, message.body)
        except Error as e:
            self.state = FAILED
            raise self.failure or e
        return message.body

    def _authenticate(self, message, now):
        """Protection first, then the identifiers: what is compared is authentic."""
        kind = self.verifier.verify(message, now)
        self.on_check(kind)
        if message.transaction_id != self.transaction_id:
            raise Untrusted(_CMP_TRANSACTION)
        self.on_check("transactionID")
        if message.recip_nonce != self.nonce:
            raise Untrusted(_CMP_NONCE)
        self.on_check("recipNonce")
        self.peer_nonce = None if message.sender_nonce is None else bytes(message.sender_nonce)
        self.by_mac = kind == "mac"

    def _receive_response(self, message, now):
        response = msg.CertResponse(message.content)
        self.status, self.fail_info, self.text = response.status, response.fail_info, response.text
        if response.cert_req_id != 0:
            raise ProtocolError(_CMP_RESPONSE, response.cert_req_id)
        if response.status == status.WAITING:
            raise Rejected(_CMP_WAITING, response.status, response.fail_info, response.text)
        if response.status in (status.REJECTION, status.KEY_UPDATE_WARNING):
            raise Rejected(_CMP_REJECTED, response.status, response.fail_info, response.text)
        if response.certificate is None:
            raise ProtocolError(_CMP_RESPONSE, response.status)
        self.on_check("status")
        self._leaf = Certificate(bytes(response.certificate))
        try:
            self._check_certificate(response, now)
        except Error as e:
            self.failure = e
        self.implicit = message.implicit_confirm and not self.failure
        self.state = DONE if self.implicit else CONFIRM

    def _check_certificate(self, response, now):
        """Our key, and a chain to a pinned anchor; without one, caPubs count as anchors if a MAC vouches for them."""
        w = Writer(128)
        algorithm.write_spki(w, self.request.key)
        if not self._leaf.same_key(w.view()):
            raise Untrusted(_CMP_KEY)
        self.on_check("publicKey")
        hints = read_certificates(response.ca_pubs, 10) if self.by_mac else []
        anchors = self.pinned or [c for c in hints if c.issuer == c.subject]
        chain = check_chain(self.crypto, self._leaf, self.verifier.certificates + hints, anchors, now)
        self.on_check("chain")
        self.chain = [bytes(c.der) for c in chain[1:]]
        if not self.pinned:
            self.anchors = self.chain[-1:]
        self.certificate = bytes(self._leaf.der)

    def _receive_confirmation(self):
        if self.failure:
            raise self.failure
        self.state = DONE


def _ignore(token):
    pass
