"""Protection of PKIMessages: password-based MAC and signature, RFC 9810 section 5.1.3.

`Mac` and `Signer` protect what we send; `Verifier` checks what comes. The octets
that count are those of SEQUENCE { header, body } as sent or as received.
"""

from micropython import const

from .. import oid
from ..der import Writer
from ..errors import BadSignature, ProtocolError, Unsupported, Untrusted
from ..x509 import algorithm
from ..x509.certificate import Certificate
from ..x509.chain import check_chain, read_certificates
from ..x509.name import same_name, write_name

_CMP_UNPROTECTED = const(405)
_CMP_PROTECTION = const(406)
_CMP_MAC = const(407)
_CMP_SIGNATURE = const(408)
_CMP_SIGNER = const(409)
_CMP_MAC_PARAMETER = const(410)
_CMP_SIGNER_USAGE = const(411)

_SEQUENCE = const(0x30)
_SALT = const(16)
_MIN_ITERATIONS = const(100)  # RFC 9810 5.1.3.1
_MAX_ITERATIONS = const(10000)  # what an unauthenticated peer may make a board compute: 1.7 s on an RP2040
_DIGITAL_SIGNATURE = const(1)
_MAX_EXTRA_CERTS = const(10)

# digest of the HMAC by its OID; HMAC-SHA1 goes by two, RFC 9810 and RFC 8018 name one each
_MACS = (
    (oid.HMAC_SHA256, "sha256"),
    (oid.HMAC_SHA1_IPSEC, "sha1"),
    (oid.HMAC_SHA1, "sha1"),
    (oid.HMAC_SHA384, "sha384"),
    (oid.HMAC_SHA512, "sha512"),
)


class Mac:
    """Protection by a shared secret: PasswordBasedMac with SHA-256 and HMAC-SHA256, RFC 9810 5.1.3.1, RFC 9045."""

    extra_certs = ()

    def __init__(self, crypto, reference, secret, iterations=1024):
        """`reference` (str) names the secret to the CA; `secret` (bytes) is kept until `wipe`."""
        self.crypto = crypto
        self.secret = bytearray(secret)
        self.sender_kid = reference.encode()
        w = Writer(64)
        write_name(w, (("CN", reference),))
        self.sender = w.bytes()
        self.iterations = iterations
        self.salt = crypto.random(_SALT)
        self._cached = None

    def write_algorithm(self, w):
        """PBMParameter ::= SEQUENCE { salt OCTET STRING, owf, iterationCount INTEGER, mac }"""
        m = w.open(_SEQUENCE)
        w.raw(oid.PASSWORD_BASED_MAC)
        a = w.open(_SEQUENCE)
        w.octets(self.salt)
        self._identifier(w, oid.SHA256)
        w.integer(self.iterations)
        self._identifier(w, oid.HMAC_SHA256)
        w.close(a)
        w.close(m)

    def _identifier(self, w, identifier):
        m = w.open(_SEQUENCE)
        w.raw(identifier)
        w.close(m)

    def protect(self, *parts):
        """The MAC over the concatenated parts."""
        return self._mac("sha256", "sha256", self.salt, self.iterations, parts)

    def _mac(self, owf, mac, salt, iterations, parts):
        """K = OWF applied `iterations` times to secret || salt. The last K is kept: salts repeat in a transaction."""
        if self._cached is None or self._cached[:3] != (owf, iterations, salt):
            key = self.crypto.repeat_digest(owf, bytes(self.secret) + salt, iterations)
            self._cached = (owf, iterations, salt, key)
        return self.crypto.hmac(mac, self._cached[3], *parts)

    def verify(self, message):
        """Check the MAC of a received message; Untrusted CMP_MAC, CMP_MAC_PARAMETER for parameters out of bounds."""
        _, r = algorithm.read_algorithm(message.protection_alg)
        end = r.enter(_SEQUENCE)
        salt = bytes(r.octets())
        owf = algorithm.digest_of(algorithm.read_algorithm(r.element(_SEQUENCE))[0])
        iterations = r.integer()
        identifier, _ = algorithm.read_algorithm(r.element(_SEQUENCE))
        r.leave(end)
        mac = None
        for known, name in _MACS:
            if identifier == known:
                mac = name
        if owf is None or mac is None or not _MIN_ITERATIONS <= iterations <= _MAX_ITERATIONS:
            raise Untrusted(_CMP_MAC_PARAMETER, iterations)
        expected = self._mac(owf, mac, salt, iterations, message.protected)
        if not self.crypto.equal(expected, message.protection):
            raise Untrusted(_CMP_MAC)

    def wipe(self):
        """Forget the secret."""
        for i in range(len(self.secret)):
            self.secret[i] = 0
        self._cached = None


class Signer:
    """Protection by signature with the key of a certificate, RFC 9810 5.1.3.3."""

    def __init__(self, crypto, key, certificate, chain=()):
        """`key` as of the crypto backend, `certificate` and the CA certificates of `chain` as DER."""
        self.crypto = crypto
        self.key = key
        self.certificate = Certificate(certificate)
        self.sender = self.certificate.subject
        self.sender_kid = self.certificate.ski
        self.extra_certs = (certificate,) + tuple(chain)

    def write_algorithm(self, w):
        """The AlgorithmIdentifier of the signature."""
        algorithm.write_signature_algorithm(w, self.key)

    def protect(self, *parts):
        """The signature over the concatenated parts."""
        return algorithm.sign(self.crypto, self.key, *parts)

    def wipe(self):
        """Nothing to forget: the key belongs to the caller."""


class Verifier:
    """Checks the protection of replies: by MAC if we share a secret, by signature if we have anchors.

    A CA may answer a MAC-protected request with a signature (RFC 9810 5.3.21), so both can be at hand.
    """

    def __init__(self, crypto, mac, anchors):
        """`mac` a Mac or None; `anchors` a list of Certificates."""
        self.crypto = crypto
        self.mac = mac
        self.anchors = anchors
        self.certificates = []  # of all extraCerts so far: a CA may send them once only

    def verify(self, message, now):
        """Check a received message. Returns "mac" or "signature"; raises Untrusted, Unsupported or ProtocolError."""
        self._remember(message)
        if message.protection_alg is None or message.protection is None:
            raise Untrusted(_CMP_UNPROTECTED, message.body)
        identifier, _ = algorithm.read_algorithm(message.protection_alg)
        if identifier == oid.PASSWORD_BASED_MAC:
            if self.mac is None:
                raise Untrusted(_CMP_PROTECTION)
            self.mac.verify(message)
            return "mac"
        if not self.anchors:
            raise Untrusted(_CMP_PROTECTION)
        self._verify_signature(message, now)
        return "signature"

    def _remember(self, message):
        room = _MAX_EXTRA_CERTS - len(self.certificates)
        self.certificates = read_certificates(message.extra_certs, room) + self.certificates

    def _verify_signature(self, message, now):
        """The signer is named by sender and senderKID; its certificate must chain to an anchor and may sign."""
        failure = Untrusted(_CMP_SIGNER)
        for certificate in self.certificates + self.anchors:
            if not _named(certificate, message):
                continue
            try:
                algorithm.verify(
                    self.crypto, message.protection_alg, certificate.spki, message.protection, *message.protected
                )
                if certificate.key_usage is not None and not certificate.key_usage & _DIGITAL_SIGNATURE:
                    raise Untrusted(_CMP_SIGNER_USAGE)
                check_chain(self.crypto, certificate, self.certificates, self.anchors, now)
                return
            except BadSignature:
                failure = Untrusted(_CMP_SIGNATURE)
            except (Untrusted, Unsupported, ProtocolError) as e:
                failure = e
        raise failure


def _named(certificate, message):
    """Is this the certificate that senderKID and sender name, RFC 9810 5.1.1?"""
    if message.sender_kid is not None and certificate.ski is not None and certificate.ski != message.sender_kid:
        return False
    return message.sender is not None and same_name(certificate.subject, message.sender)
