"""Checks the protection of what comes back: whom we believe, and why (RFC 9810 sections 5.1.3, 5.3.2, 5.3.21)."""

from micropython import const

from .. import oid
from ..errors import BadSignature, ProtocolError, Unsupported, Untrusted
from ..x509 import algorithm
from ..x509.certificate import Certificate
from ..x509.chain import Budget, check_chain, read_certificates
from ..x509.name import same_name

_CMP_UNPROTECTED = const(405)
_CMP_PROTECTION = const(406)
_CMP_SIGNATURE = const(408)
_CMP_SIGNER = const(409)
_CMP_SIGNER_USAGE = const(411)
_CMP_SENDER = const(423)
_CMP_AUTHORITY = const(429)

_DIGITAL_SIGNATURE = const(1)
_MAX_EXTRA_CERTS = const(10)


class Trust:
    """Whom a transaction believes.

    anchors: pinned trust anchors, DER
    sender: Name (DER) that the CA must answer as, or None: any CA, or RA by its extendedKeyUsage
    server: DER of the only certificate that may sign replies, or None; it needs no chain then
    ignore_key_usage: take signatures of a certificate whose keyUsage lacks digitalSignature: some CAs have no other
    read_errors: let unprotected errors and rejections speak; they end the transaction all the same
    """

    def __init__(self, anchors=(), sender=None, server=None, ignore_key_usage=False, read_errors=False):
        self.anchors = [Certificate(der) for der in anchors]
        self.sender = sender
        self.server = Certificate(server) if server is not None else None
        self.ignore_key_usage = ignore_key_usage
        self.read_errors = read_errors


class Verifier:
    """Checks protection by MAC if we share a secret, by signature if we have anchors.

    A CA may answer a MAC-protected request with a signature (RFC 9810 5.3.21), so both can be at hand.
    """

    def __init__(self, crypto, mac, trust):
        """`mac` a protect.Mac or None; `trust` a Trust."""
        self.crypto = crypto
        self.mac = mac
        self.trust = trust
        self.certificates = []  # of all extraCerts so far: a CA may send them once only

    def verify(self, message, now):
        """Check a received message. Returns "mac" or "signature"; raises Untrusted, Unsupported or ProtocolError."""
        self.remember(message.extra_certs)
        if message.protection_alg is None or message.protection is None:
            raise Untrusted(_CMP_UNPROTECTED, message.body)
        identifier, _ = algorithm.read_algorithm(message.protection_alg)
        if bytes(identifier) in (oid.PASSWORD_BASED_MAC, oid.PBMAC1):
            if self.mac is None:
                raise Untrusted(_CMP_PROTECTION)
            self.mac.verify(message)
            return "mac"
        if not self.trust.anchors and not self.trust.server:
            raise Untrusted(_CMP_PROTECTION)
        self._verify_signature(message, now)
        return "signature"

    def remember(self, ders):
        """Keep certificates as hints for chains, the newest first, up to a limit."""
        self.certificates = read_certificates(ders, _MAX_EXTRA_CERTS) + self.certificates
        del self.certificates[_MAX_EXTRA_CERTS:]

    def _verify_signature(self, message, now):
        """The signer is named by sender and senderKID; its certificate must chain to an anchor and may sign."""
        if self.trust.sender is not None and not _is(message.sender, self.trust.sender):
            raise Untrusted(_CMP_SENDER)
        failure = Untrusted(_CMP_SIGNER)
        budget = Budget()
        pool = [self.trust.server] if self.trust.server else self.certificates + self.trust.anchors
        for certificate in pool:
            if not _named(certificate, message):
                continue
            try:
                self._verify_by(certificate, message, now, budget)
                return
            except BadSignature:
                failure = Untrusted(_CMP_SIGNATURE)
            except (Untrusted, Unsupported, ProtocolError) as e:
                failure = e
        raise failure

    def _verify_by(self, certificate, message, now, budget):
        """What costs nothing first; then the signature, then the chain."""
        usage = certificate.key_usage
        if usage is not None and not usage & _DIGITAL_SIGNATURE and not self.trust.ignore_key_usage:
            raise Untrusted(_CMP_SIGNER_USAGE)
        self._check_authority(certificate)
        budget.spend()
        algorithm.verify(
            self.crypto, message.protection_alg, certificate.spki, message.protection, *message.protected
        )
        if certificate is not self.trust.server:
            check_chain(self.crypto, certificate, self.certificates, self.trust.anchors, now, budget)

    def _check_authority(self, certificate):
        """A certificate of the same PKI is not enough, every other device has one: the signer is a CA, has the purpose
        cmcRA or cmcCA (RFC 9810 4.5), or is named by the configuration. Untrusted CMP_AUTHORITY.
        """
        if certificate.is_ca or self.trust.server or self.trust.sender is not None:
            return
        for purpose in certificate.extended or ():
            if bytes(purpose) in (oid.KP_CMC_CA, oid.KP_CMC_RA):
                return
        raise Untrusted(_CMP_AUTHORITY)


def _is(name, wanted):
    return name is not None and same_name(name, wanted)


def _named(certificate, message):
    """Is this the certificate that senderKID and sender name, RFC 9810 5.1.1?"""
    if message.sender_kid is not None and certificate.ski is not None and certificate.ski != message.sender_kid:
        return False
    return _is(message.sender, certificate.subject)
