"""One CMP transaction of an end entity, sans IO: bytes and a clock reading in, bytes out.

    state       event                                      next state
    IDLE        send() -> ir, cr, kur, p10cr, rr, genm     SENT
    SENT        rp, genp; ip, cp, kup confirmed implicitly DONE
    SENT        ip, cp, kup with a certificate             CONFIRM
    CONFIRM     send() -> certConf                         CONFIRMING
    CONFIRMING  pkiConf                                    DONE, or FAILED if we refused the certificate
    SENT, CONFIRMING, POLLING   "waiting" in any form      POLL
    POLL        send() when it is time -> pollReq          POLLING
    POLLING     pollRep                                    POLL
    POLLING     what SENT or CONFIRMING waited for         as there
    any         error, rejection, untrusted reply          FAILED

Whoever drives it saves `dump()` while the state is CONFIRM or POLL: a confirmed
certificate that is lost is worse than an unconfirmed one.
"""

from micropython import const

from .. import oid
from ..der import Writer
from ..errors import ConfigError, Error, ProtocolError, Rejected, TransportError, Untrusted
from ..x509 import algorithm
from ..x509.certificate import Certificate
from ..x509.chain import check_chain, read_certificates
from . import msg, response, status
from .protect import Mac
from .verify import Verifier

_CMP_BODY = const(402)
_CMP_TRANSACTION = const(403)
_CMP_NONCE = const(404)
_CMP_RESPONSE = const(413)
_CMP_KEY = const(414)
_CMP_REJECTED = const(415)
_CMP_ERROR = const(416)
_CMP_TIMEOUT = const(417)
_CMP_STATE = const(418)
_CMP_READ_ERROR = const(424)
_CMP_SECRET = const(430)

IDLE = const(0)
SENT = const(1)
CONFIRM = const(2)
CONFIRMING = const(3)
DONE = const(4)
FAILED = const(5)
POLL = const(6)
POLLING = const(7)

_SEQUENCE = const(0x30)
_CONTEXT = const(0xA0)
_NONCE = const(16)  # octets of transactionID and nonces, RFC 9810 5.1.1
_MAX_NONCE = const(64)  # octets of a nonce that we send back
_NULL_DN = b"\x30\x00"
_WHOLE = const(-1)  # certReqId of a pollReq for the complete response, RFC 9810 5.3.22
_MAX_CHECK_AFTER = const(86400)  # a CA that wants a longer pause is asked once a day all the same
_MAX_CA_PUBS = const(10)


class Transaction:
    """`send(now)` gives the next request, `receive(octets, now)` takes its reply, until `state` is DONE.

    After DONE:
      certificate, chain     DER of the certificate, and of the CA certificates up to the anchor
      anchors                DER of what became trusted under the MAC, else empty
      key                    the Key of the certificate; made by the CA when the request had none
      status, text           PKIStatus and the CA's words
      infos                  of a genp: pairs (whole OID, DER of the value or None)
      implicit               was the certificate confirmed without certConf?
    After an error, `authentic` tells whether the last reply came from the CA all the same.
    While the state is POLL, `not_before` is when send() has something again.
    """

    def __init__(
        self, crypto, protection, request, trust, recipient=None, timeout=None, timed=True, on_check=None, cms=None
    ):
        """`protection` a Mac or Signer, `request` of cmp.request, `trust` a verify.Trust, `recipient` a Name or None.

        `timeout` bounds the whole transaction in seconds. `timed` False, while the clock is not to be relied on,
        leaves messageTime and validity out. `on_check(token)` is called after every check that a reply has passed.
        `cms(transaction, response, now)` opens what comes encrypted, see `cmp.keys`; without it that is refused.
        """
        self.crypto = crypto
        self.protection = protection
        self.request = request
        self.trust = trust
        self.timeout = timeout
        self.timed = timed
        self.on_check = on_check or _ignore
        self.cms = cms
        self.verifier = Verifier(crypto, protection if isinstance(protection, Mac) else None, trust)
        self.header = msg.Header(recipient or _NULL_DN, crypto.random(_NONCE))
        self.header.pvno = request.pvno
        self.state = self.phase = IDLE
        self.first_nonce = None
        self.poll_id = _WHOLE
        self.not_before = 0
        self.deadline = None
        self.unanswered = None  # the message whose reply is still to come, after `resume.load`
        self.leaf = self.certificate = self.failure = None
        self.key = request.key if hasattr(request, "key") else None
        self.chain = self.anchors = self.infos = ()
        self.status = self.fail_info = 0
        self.text = ""
        self.implicit = self.by_mac = self.authentic = False

    # sending

    def send(self, now):
        """The next message to send as (number of its body, DER), or None when nothing is due yet or any more.

        `now` in seconds since 1970. TransportError CMP_TIMEOUT when the whole transaction takes too long.
        """
        if self.deadline is None and self.timeout:
            self.deadline = now + self.timeout
        row = _DUE.get(self.state)
        if row is None or (self.state == POLL and now < self.not_before):
            return None
        if self.deadline is not None and now > self.deadline:
            self.state = FAILED
            raise TransportError(_CMP_TIMEOUT)
        body, write, state = row
        if body is None:
            body = self.request.body
        if self.state == CONFIRM and self.leaf is None:  # a certificate that not even certConf can name
            body, write = msg.ERROR, Transaction._write_refusal
        self.state = FAILED
        data = self._message(body, now, write)
        self.state = state
        if self.state != POLLING:
            self.phase = self.state
            self.first_nonce = self.header.sender_nonce
        return body, data

    def _write_request(self, w, now):
        self.request.write(w, self.crypto, now)

    def _write_cert_conf(self, w, now):
        """certHash by the digest of the certificate's own signature, RFC 9810 5.3.18."""
        cert_hash = self.crypto.digest(algorithm.certificate_digest(self.leaf.signature_algorithm), self.leaf.der)
        refusal = (status.REJECTION, status.INCORRECT_DATA) if self.failure else ()
        response.write_cert_conf(w, self.request.cert_req_id, cert_hash, *refusal)

    def _write_refusal(self, w, now):
        response.write_error(w, status.BAD_DATA_FORMAT, "certificate not understood")

    def _write_poll_request(self, w, now):
        response.write_poll_request(w, self.poll_id)

    def _message(self, body, now, write):
        """PKIMessage ::= SEQUENCE { header, body, protection [0], extraCerts [1] OPTIONAL }   RFC 9810 5.1"""
        now = now if self.timed else None
        self.header.sender_nonce = self.crypto.random(_NONCE)
        self.header.general_info = self._general_info() if body == self.request.body else ()
        w = Writer(768)
        m = w.open(_SEQUENCE)
        start = w.n
        self.header.write(w, self.protection, now)
        a = w.open(_CONTEXT | body)
        write(self, w, now)
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

    def _general_info(self):
        wish = ((oid.IT_IMPLICIT_CONFIRM, b"\x05\x00"),) if self.request.implicit_confirm else ()
        return wish + tuple(self.request.general_info)

    def give_up(self, now, fail_info, text):
        """An error message for the CA, when its last reply was authentic and of no use; the state is FAILED."""
        self.state = FAILED
        return self._message(msg.ERROR, now, lambda _, w, __: response.write_error(w, fail_info, text))

    # receiving

    def receive(self, data, now):
        """Take one whole reply; returns the number of its body. `now` in seconds since 1970.

        Raises ProtocolError, Untrusted, Unsupported or Rejected, and the state is FAILED then. A certificate that
        we refuse raises only after the CA was told so: send() and receive() as ever.
        """
        if self.state not in (SENT, CONFIRMING, POLLING):
            raise ConfigError(_CMP_STATE, self.state)
        self.authentic = False
        try:
            message = msg.Message(data)
            self._authenticate(message, now)
            self._receive_body(message, now)
        except Error as e:
            self.state = FAILED
            raise self.failure or e
        return message.body

    def _authenticate(self, message, now):
        """Protection first, then the identifiers: what is compared is authentic."""
        try:
            kind = self.verifier.verify(message, now)
        except Untrusted:
            if self.trust.read_errors:
                self._read_unprotected(message)
            raise
        self.on_check(kind)
        if message.transaction_id != self.header.transaction_id:
            raise Untrusted(_CMP_TRANSACTION)
        self.on_check("transactionID")
        fits = message.recip_nonce == self.header.sender_nonce
        if self.state == POLLING and message.body != msg.POLL_REP:
            fits = fits or message.recip_nonce == self.first_nonce  # the CA may answer the original request
        if not fits:
            raise Untrusted(_CMP_NONCE)
        self.on_check("recipNonce")
        if message.sender_nonce is not None and len(message.sender_nonce) > _MAX_NONCE:
            raise ProtocolError(_CMP_NONCE, len(message.sender_nonce))
        self.header.recip_nonce = None if message.sender_nonce is None else bytes(message.sender_nonce)
        self.by_mac = kind == "mac"
        self.authentic = True

    def _read_unprotected(self, message):
        """Raise Rejected CMP_READ_ERROR with the words of a negative reply that nobody vouches for."""
        if message.body == msg.ERROR:
            found = response.read_error(message.content)[:3]
        elif message.body in (msg.IP, msg.CP, msg.KUR + 1):
            reply = response.CertResponse(message.content)
            found = (reply.status, reply.fail_info, reply.text)
        else:
            return
        if found[0] == status.REJECTION:
            raise Rejected(_CMP_READ_ERROR, *found)

    def _receive_body(self, message, now):
        body = message.body
        if body == msg.ERROR:
            self._receive_error(message, now)
        elif body == msg.POLL_REP and self.state == POLLING:
            cert_req_id, check_after, self.text = response.read_poll_response(message.content)
            if self.poll_id not in (_WHOLE, cert_req_id):
                raise ProtocolError(_CMP_RESPONSE, cert_req_id)
            self._wait(now, check_after)
        elif self.phase == SENT and body == self.request.reply:
            _REPLIES[body](self, message, now)
        elif self.phase == CONFIRMING and body == msg.PKI_CONF:
            if self.failure:
                raise self.failure
            self.state = DONE
        else:
            raise ProtocolError(_CMP_BODY, body)

    def _receive_error(self, message, now):
        self.status, self.fail_info, self.text, _ = response.read_error(message.content)
        if self.status != status.WAITING:
            if self.fail_info & status.CERT_CONFIRMED and self.phase == CONFIRMING and not self.failure:
                self.state = DONE  # our certConf came twice, for its first pkiConf was lost
                return
            if self.fail_info & status.BAD_MESSAGE_CHECK and self.verifier.mac:
                raise Rejected(_CMP_SECRET, self.status, self.fail_info, self.text)
            raise Rejected(_CMP_ERROR, self.status, self.fail_info, self.text)
        self.poll_id = _WHOLE
        self._wait(now, 0)

    def _wait(self, now, check_after):
        """Nothing to send before `check_after` seconds have passed; that number is the peer's, so it is clamped.

        The first pollReq may leave at once, to hear of the time; after it there is a second at least.
        """
        self.on_check("waiting")
        least = 1 if self.state == POLLING else 0
        self.not_before = now + min(max(check_after, least), _MAX_CHECK_AFTER)
        self.state = POLL

    def _receive_response(self, message, now):
        reply = response.CertResponse(message.content)
        self.status, self.fail_info, self.text = reply.status, reply.fail_info, reply.text
        if reply.cert_req_id != self.request.cert_req_id:
            raise ProtocolError(_CMP_RESPONSE, reply.cert_req_id)
        if reply.status == status.WAITING:
            self.poll_id = reply.cert_req_id
            self._wait(now, 0)
            return
        if reply.status in (status.REJECTION, status.KEY_UPDATE_WARNING):
            raise Rejected(_CMP_REJECTED, reply.status, reply.fail_info, reply.text)
        if reply.status not in status.GRANTED:
            raise ProtocolError(_CMP_RESPONSE, reply.status)
        self.on_check("status")
        try:
            self._take_certificate(reply, now)
        except Error as e:
            self.failure = e
        self.implicit = self.request.implicit_confirm and message.implicit_confirm and not self.failure
        self.state = DONE if self.implicit else CONFIRM

    def _take_certificate(self, reply, now):
        if self.cms and (reply.encrypted is not None or reply.private_key is not None):
            reply.certificate = self.cms(self, reply, now)
        if reply.certificate is None:
            raise ProtocolError(_CMP_RESPONSE, reply.status)
        leaf = Certificate(bytes(reply.certificate))
        algorithm.certificate_digest(leaf.signature_algorithm)  # Unsupported: no certHash can be made of it
        self.leaf = leaf
        self._check_certificate(reply, now)

    def _check_certificate(self, reply, now):
        """Our key, and a chain to a pinned anchor; without one, caPubs count as anchors if a MAC vouches for them."""
        if self.key is None:
            raise Untrusted(_CMP_KEY)
        w = Writer(128)
        algorithm.write_spki(w, self.key)
        if not self.leaf.same_key(w.view()):
            raise Untrusted(_CMP_KEY)
        self.on_check("publicKey")
        hints, anchors = self.believed(reply)
        chain = check_chain(self.crypto, self.leaf, hints, anchors, now)
        self.on_check("chain")
        self.chain = [bytes(c.der) for c in chain[1:]]
        if not self.trust.anchors:
            self.anchors = self.chain[-1:]
        self.certificate = bytes(self.leaf.der)

    def believed(self, reply):
        """(hints, anchors) for chains: the pinned anchors, or, under a MAC only, the roots in caPubs."""
        hints = read_certificates(reply.ca_pubs, _MAX_CA_PUBS) if self.by_mac else []
        anchors = self.trust.anchors or [c for c in hints if c.issuer == c.subject]
        return self.verifier.certificates + hints, anchors

    def _receive_revocation(self, message, now):
        """accepted, grantedWithMods and the two revocation notes are success; a rejection is Rejected."""
        self.status, self.fail_info, self.text = response.read_revocation(message.content)
        if self.status in (status.REJECTION, status.KEY_UPDATE_WARNING):
            raise Rejected(_CMP_REJECTED, self.status, self.fail_info, self.text)
        if self.status == status.WAITING:
            self.poll_id = _WHOLE
            self._wait(now, 0)
            return
        if self.status not in status.GRANTED:
            raise ProtocolError(_CMP_RESPONSE, self.status)
        self.on_check("status")
        self.state = DONE

    def _receive_infos(self, message, now):
        self.infos = msg.read_infos(message.content)
        self.state = DONE


# state: (number of the body, who writes it, next state)
_DUE = {
    IDLE: (None, Transaction._write_request, SENT),
    CONFIRM: (msg.CERT_CONF, Transaction._write_cert_conf, CONFIRMING),
    POLL: (msg.POLL_REQ, Transaction._write_poll_request, POLLING),
}

_REPLIES = {
    msg.IP: Transaction._receive_response,
    msg.CP: Transaction._receive_response,
    msg.KUR + 1: Transaction._receive_response,
    msg.RP: Transaction._receive_revocation,
    msg.GENP: Transaction._receive_infos,
}


def _ignore(token):
    pass
